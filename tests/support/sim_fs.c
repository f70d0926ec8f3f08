/*
 * Simulated file system: paths, open files and calls over a simulated disk.
 *
 * Every call takes the one lock. A call that changes something is counted; in the one that
 * was chosen for it the power fails after the change was made and before its caller hears
 * of it.
 */
#include "support/sim_fs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "support/sim_disk.h"

#define FILE_SIZE_MAX (UINT64_C(1) << 30)
#define NAME_BYTES_MAX 256u

struct sim_fs {
    pthread_mutex_t mutex; /* guards all below */
    struct sim_disk disk;
    uint64_t generation; /* of open files; another one is dead */
    uint64_t capacity_bytes;
    uint64_t call_count, cut_at_call;
    uint64_t sync_count, fail_sync_at;
    uint64_t open_count, map_count;
    uint64_t random_state;
    unsigned damage; /* enum sim_fs_damage */
    bool is_off;
};

struct pb_file {
    struct sim_inode *inode; /* one reference */
    uint64_t generation;
    bool is_writable;
    char path[]; /* for messages */
};

/* ---- paths ---- */

/* Where a path leads. */
struct place {
    struct sim_inode *parent; /* borrowed; NULL for the root and where a directory is missing */
    struct sim_inode *inode;  /* borrowed; NULL where there is nothing */
    char name[NAME_BYTES_MAX];
};

/* Reads the next name of a path; false at the path's end. */
static bool
next_name(const char **path, char name[NAME_BYTES_MAX], bool *ret_is_bad)
{
    for (;;) {
        size_t bytes;

        *path += strspn(*path, "/");
        bytes = strcspn(*path, "/");
        if (bytes == 0)
            return false;
        *ret_is_bad = bytes >= NAME_BYTES_MAX || (bytes == 2 && memcmp(*path, "..", 2) == 0);
        if (*ret_is_bad)
            return false;
        memcpy(name, *path, bytes);
        name[bytes] = '\0';
        *path += bytes;
        if (strcmp(name, ".") != 0)
            return true;
    }
}

/* PB_OK with place->inode, PB_NOT_FOUND, or PB_E_IO for a path that cannot be. */
static enum pb_status
find_place(struct sim_fs *fs, const char *path, struct place *place)
{
    bool is_bad = false;

    place->parent = NULL;
    place->inode = fs->disk.root;
    place->name[0] = '\0';
    while (next_name(&path, place->name, &is_bad)) {
        if (place->inode == NULL) {
            place->parent = NULL;
            return PB_NOT_FOUND;
        }
        if (!place->inode->is_directory)
            return PB_E_IO;
        place->parent = place->inode;
        place->inode = sim_entries_find(&place->parent->current_entries, place->name);
    }
    if (is_bad)
        return PB_E_IO;
    return place->inode == NULL ? PB_NOT_FOUND : PB_OK;
}

/* ---- calls ---- */

static enum pb_status
fail(struct pb_error *error, enum pb_status status, const char *what, const char *path,
     const char *why)
{
    return pb_fail(error, status, "cannot %s '%s': %s", what, path, why);
}

/* Begins a call, with the lock held. For a call that changes something, ret_is_last says that
 * the power fails within it. */
static enum pb_status
begin(struct sim_fs *fs, bool *ret_is_last, const char *what, const char *path,
      struct pb_error *error)
{
    (void)pthread_mutex_lock(&fs->mutex);
    if (fs->is_off)
        return fail(error, PB_E_IO, what, path, "the power is off");
    if (ret_is_last == NULL)
        return PB_OK;
    fs->call_count++;
    *ret_is_last = fs->cut_at_call != 0 && fs->call_count >= fs->cut_at_call;
    return PB_OK;
}

static enum pb_status
begin_on_file(struct sim_fs *fs, const struct pb_file *file, bool *ret_is_last, const char *what,
              struct pb_error *error)
{
    enum pb_status status = begin(fs, ret_is_last, what, file->path, error);

    if (status == PB_OK && file->generation != fs->generation)
        return fail(error, PB_E_IO, what, file->path, "it was open when the power failed");
    return status;
}

/* Ends a call that changes something. */
static enum pb_status
end(struct sim_fs *fs, bool is_last, enum pb_status status, const char *what, const char *path,
    struct pb_error *error)
{
    if (is_last && !fs->is_off) {
        fs->is_off = true;
        status = fail(error, PB_E_IO, what, path, "the power failed");
    }
    (void)pthread_mutex_unlock(&fs->mutex);
    return status;
}

static enum pb_status
end_reading(struct sim_fs *fs, enum pb_status status)
{
    (void)pthread_mutex_unlock(&fs->mutex);
    return status;
}

static struct pb_file *
new_file(struct sim_fs *fs, struct sim_inode *inode, const char *path, bool is_writable)
{
    size_t path_bytes = strlen(path) + 1;
    struct pb_file *file = sim_memory(NULL, sizeof(*file) + path_bytes);

    file->inode = sim_inode_ref(inode);
    file->generation = fs->generation;
    file->is_writable = is_writable;
    memcpy(file->path, path, path_bytes);
    fs->open_count++;
    return file;
}

static enum pb_status
sim_create(struct sim_fs *fs, const char *path, struct pb_file **ret_file, struct pb_error *error)
{
    bool is_last = false;
    struct place place;
    enum pb_status status;

    status = begin(fs, &is_last, "create", path, error);
    if (status != PB_OK)
        goto out;
    status = find_place(fs, path, &place);
    if (status == PB_OK) {
        status = fail(error, PB_E_IO, "create", path, "it exists");
    } else if (status == PB_E_IO) {
        status = fail(error, PB_E_IO, "create", path, "not a possible path");
    } else if (place.parent != NULL) {
        struct sim_inode *inode = sim_inode_new(&fs->disk, false);

        sim_inode_change_entries(&fs->disk, place.parent, NULL, place.name, inode);
        if (!is_last)
            *ret_file = new_file(fs, inode, path, true);
        status = PB_OK;
    }
out:
    return end(fs, is_last, status, "create", path, error);
}

static enum pb_status
sim_open(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
         struct pb_error *error)
{
    struct sim_fs *fs = context;
    struct place place;
    enum pb_status status;

    if (mode == PB_OPEN_CREATE || mode == PB_OPEN_CREATE_PRIVATE)
        return sim_create(fs, path, ret_file, error);
    status = begin(fs, NULL, "open", path, error);
    if (status != PB_OK)
        goto out;
    status = find_place(fs, path, &place);
    if (status == PB_E_IO || (status == PB_OK && place.inode->is_directory))
        status = fail(error, PB_E_IO, "open", path, "not a file");
    else if (status == PB_OK)
        *ret_file = new_file(fs, place.inode, path, mode == PB_OPEN_WRITE);
out:
    return end_reading(fs, status);
}

static void
sim_close(void *context, struct pb_file *file)
{
    struct sim_fs *fs = context;

    if (file == NULL)
        return;
    (void)pthread_mutex_lock(&fs->mutex);
    if (file->inode->lock_holder == file)
        file->inode->lock_holder = NULL;
    sim_inode_unref(&fs->disk, file->inode);
    fs->open_count--;
    (void)pthread_mutex_unlock(&fs->mutex);
    sim_release(file);
}

static enum pb_status
sim_read(void *context, struct pb_file *file, uint64_t offset, void *bytes, size_t count,
         struct pb_error *error)
{
    struct sim_fs *fs = context;
    const struct sim_content *content = &file->inode->current_content;
    enum pb_status status = begin_on_file(fs, file, NULL, "read", error);

    if (status == PB_OK && count > 0) {
        if (offset > content->size || count > content->size - offset)
            status = fail(error, PB_E_IO, "read", file->path, "the file ends too early");
        else
            memcpy(bytes, content->bytes + offset, count);
    }
    return end_reading(fs, status);
}

/* How many of a write's bytes fit. */
static uint64_t
fitting_bytes(const struct sim_fs *fs, const struct sim_content *content, uint64_t offset,
              uint64_t count)
{
    uint64_t size_max = FILE_SIZE_MAX;

    if (fs->capacity_bytes != 0) {
        uint64_t free_bytes =
            fs->capacity_bytes > fs->disk.used_bytes ? fs->capacity_bytes - fs->disk.used_bytes : 0;

        if (content->size + free_bytes < size_max)
            size_max = content->size + free_bytes;
    }
    if (offset >= size_max)
        return 0;
    return count < size_max - offset ? count : size_max - offset;
}

static enum pb_status
sim_write(void *context, struct pb_file *file, uint64_t offset, const void *bytes, size_t count,
          struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    uint64_t fitting;
    enum pb_status status = begin_on_file(fs, file, &is_last, "write", error);

    if (status != PB_OK || count == 0)
        goto out;
    if (!file->is_writable) {
        status = fail(error, PB_E_IO, "write", file->path, "it is open to read");
        goto out;
    }
    fitting = fitting_bytes(fs, &file->inode->current_content, offset, count);
    sim_inode_write(&fs->disk, file->inode, offset, bytes, fitting);
    if (fitting < count)
        status = fail(error, PB_E_FULL, "write", file->path, "no space left");
out:
    return end(fs, is_last, status, "write", file->path, error);
}

static enum pb_status
sim_sync(void *context, struct pb_file *file, struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    enum pb_status status = begin_on_file(fs, file, &is_last, "sync", error);

    if (status != PB_OK || is_last)
        goto out;
    if (fs->fail_sync_at != 0 && ++fs->sync_count == fs->fail_sync_at) {
        sim_inode_lose_changes(file->inode);
        status = fail(error, PB_E_IO, "sync", file->path, "simulated failure");
        goto out;
    }
    sim_inode_sync(&fs->disk, file->inode);
out:
    return end(fs, is_last, status, "sync", file->path, error);
}

static enum pb_status
sim_truncate(void *context, struct pb_file *file, uint64_t size, struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    uint64_t old_size;
    enum pb_status status = begin_on_file(fs, file, &is_last, "truncate", error);

    if (status != PB_OK)
        goto out;
    old_size = file->inode->current_content.size;
    if (!file->is_writable)
        status = fail(error, PB_E_IO, "truncate", file->path, "it is open to read");
    else if (size > old_size && fitting_bytes(fs, &file->inode->current_content, old_size,
                                              size - old_size) < size - old_size)
        status = fail(error, PB_E_FULL, "truncate", file->path, "no space left");
    else if (size != old_size)
        sim_inode_truncate(&fs->disk, file->inode, size);
out:
    return end(fs, is_last, status, "truncate", file->path, error);
}

static enum pb_status
sim_size(void *context, struct pb_file *file, uint64_t *ret_size, struct pb_error *error)
{
    struct sim_fs *fs = context;
    enum pb_status status = begin_on_file(fs, file, NULL, "get the size of", error);

    if (status == PB_OK)
        *ret_size = file->inode->current_content.size;
    return end_reading(fs, status);
}

static enum pb_status
sim_map(void *context, struct pb_file *file, uint64_t size, const void **ret_bytes,
        struct pb_error *error)
{
    struct sim_fs *fs = context;
    enum pb_status status = begin_on_file(fs, file, NULL, "map", error);

    if (status == PB_OK) {
        if (size == 0 || size > file->inode->current_content.size) {
            status = fail(error, PB_E_IO, "map", file->path, "it does not have that size");
        } else {
            *ret_bytes = sim_copy_bytes(file->inode->current_content.bytes, size);
            fs->map_count++;
        }
    }
    return end_reading(fs, status);
}

static void
sim_unmap(void *context, const void *bytes, uint64_t size)
{
    struct sim_fs *fs = context;
    void *memory;

    (void)size;
    if (bytes == NULL)
        return;
    (void)pthread_mutex_lock(&fs->mutex);
    fs->map_count--;
    (void)pthread_mutex_unlock(&fs->mutex);
    memcpy(&memory, &bytes, sizeof(memory));
    sim_release(memory);
}

static void
sim_fetch(void *context, const void *bytes, uint64_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
}

static void
sim_forget(void *context, const void *bytes, uint64_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
}

static enum pb_status
sim_lock(void *context, struct pb_file *file, struct pb_error *error)
{
    struct sim_fs *fs = context;
    enum pb_status status = begin_on_file(fs, file, NULL, "lock", error);

    if (status == PB_OK) {
        if (!file->is_writable)
            status = fail(error, PB_E_IO, "lock", file->path, "it is open to read");
        else if (file->inode->lock_holder != NULL && file->inode->lock_holder != file)
            status = fail(error, PB_E_BUSY, "lock", file->path, "it is locked");
        else
            file->inode->lock_holder = file;
    }
    return end_reading(fs, status);
}

static enum pb_status
rename_found(struct sim_fs *fs, const struct place *from, const struct place *to, const char *path,
             struct pb_error *error)
{
    if (from->parent == NULL || to->parent == NULL)
        return fail(error, PB_E_IO, "rename", path, "no such file or directory");
    if (from->inode == to->inode)
        return PB_OK;
    if (from->inode->is_directory && (from->parent != to->parent || to->inode != NULL))
        return fail(error, PB_E_IO, "rename", path, "not simulated for directories");
    if (to->inode != NULL && to->inode->is_directory)
        return fail(error, PB_E_IO, "rename", path, "a directory is in the way");

    if (from->parent == to->parent) {
        sim_inode_change_entries(&fs->disk, from->parent, from->name, to->name, from->inode);
    } else {
        sim_inode_change_entries(&fs->disk, to->parent, NULL, to->name, from->inode);
        sim_inode_change_entries(&fs->disk, from->parent, from->name, NULL, NULL);
    }
    return PB_OK;
}

static enum pb_status
sim_rename(void *context, const char *from_path, const char *to_path, struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    struct place from, to;
    enum pb_status status = begin(fs, &is_last, "rename", from_path, error);

    if (status != PB_OK)
        goto out;
    if (find_place(fs, from_path, &from) != PB_OK || find_place(fs, to_path, &to) == PB_E_IO)
        status = fail(error, PB_E_IO, "rename", from_path, "no such file or directory");
    else
        status = rename_found(fs, &from, &to, from_path, error);
out:
    return end(fs, is_last, status, "rename", from_path, error);
}

static enum pb_status
sim_link(void *context, const char *from_path, const char *to_path, struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    struct place from, to;
    enum pb_status status = begin(fs, &is_last, "link", from_path, error);

    if (status != PB_OK)
        goto out;
    if (find_place(fs, from_path, &from) != PB_OK || from.inode->is_directory)
        status = fail(error, PB_E_IO, "link", from_path, "no such file");
    else if (find_place(fs, to_path, &to) != PB_NOT_FOUND || to.parent == NULL)
        status = fail(error, PB_E_IO, "link", to_path, "it exists, or its directory does not");
    else
        sim_inode_change_entries(&fs->disk, to.parent, NULL, to.name, from.inode);
out:
    return end(fs, is_last, status, "link", from_path, error);
}

static enum pb_status
sim_unlink(void *context, const char *path, struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    struct place place;
    enum pb_status status = begin(fs, &is_last, "remove", path, error);

    if (status != PB_OK)
        goto out;
    status = find_place(fs, path, &place);
    if (status == PB_E_IO || (status == PB_OK && place.inode->is_directory))
        status = fail(error, PB_E_IO, "remove", path, "not a file");
    else if (status == PB_OK)
        sim_inode_change_entries(&fs->disk, place.parent, place.name, NULL, NULL);
out:
    return end(fs, is_last, status, "remove", path, error);
}

static enum pb_status
sim_mkdir(void *context, const char *path, struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    struct place place;
    enum pb_status status = begin(fs, &is_last, "make directory", path, error);

    if (status != PB_OK)
        goto out;
    if (find_place(fs, path, &place) != PB_NOT_FOUND || place.parent == NULL)
        status = fail(error, PB_E_IO, "make directory", path,
                      "it exists, or the directory above it does not");
    else
        sim_inode_change_entries(&fs->disk, place.parent, NULL, place.name,
                                 sim_inode_new(&fs->disk, true));
out:
    return end(fs, is_last, status, "make directory", path, error);
}

static enum pb_status
sim_rmdir(void *context, const char *path, struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    struct place place;
    enum pb_status status = begin(fs, &is_last, "remove directory", path, error);

    if (status != PB_OK)
        goto out;
    status = find_place(fs, path, &place);
    if (status == PB_E_IO || (status == PB_OK && !place.inode->is_directory))
        status = fail(error, PB_E_IO, "remove directory", path, "not a directory");
    else if (status == PB_OK && (place.parent == NULL || place.inode->current_entries.count > 0))
        status = fail(error, PB_E_IO, "remove directory", path, "it is not empty");
    else if (status == PB_OK)
        sim_inode_change_entries(&fs->disk, place.parent, place.name, NULL, NULL);
out:
    return end(fs, is_last, status, "remove directory", path, error);
}

static enum pb_status
sim_sync_directory(void *context, const char *path, struct pb_error *error)
{
    struct sim_fs *fs = context;
    bool is_last = false;
    struct place place;
    enum pb_status status = begin(fs, &is_last, "sync directory", path, error);

    if (status != PB_OK)
        goto out;
    if (find_place(fs, path, &place) != PB_OK || !place.inode->is_directory)
        status = fail(error, PB_E_IO, "sync directory", path, "no such directory");
    else if (!is_last)
        sim_inode_sync(&fs->disk, place.inode);
out:
    return end(fs, is_last, status, "sync directory", path, error);
}

static enum pb_status
sim_list(void *context, const char *path, pb_list_fn *each, void *each_context,
         struct pb_error *error)
{
    struct sim_fs *fs = context;
    struct sim_entries entries = { 0 };
    struct place place;
    enum pb_status status = begin(fs, NULL, "list", path, error);

    if (status == PB_OK) {
        status = find_place(fs, path, &place);
        if (status == PB_E_IO || (status == PB_OK && !place.inode->is_directory))
            status = fail(error, PB_E_IO, "list", path, "not a directory");
        else if (status == PB_OK)
            /* A copy, so that whom we call may use the file system. */
            entries = sim_entries_copy(&place.inode->current_entries);
    }
    (void)pthread_mutex_unlock(&fs->mutex);

    for (size_t i = 0; i < entries.count; i++) {
        if (!each(each_context, entries.items[i].name, entries.items[i].inode->is_directory))
            break;
    }
    (void)pthread_mutex_lock(&fs->mutex);
    sim_entries_clear(&fs->disk, &entries);
    (void)pthread_mutex_unlock(&fs->mutex);
    return status;
}

static enum pb_status
sim_env_random(void *context, void *bytes, size_t count)
{
    struct sim_fs *fs = context;
    unsigned char *at = bytes;

    (void)pthread_mutex_lock(&fs->mutex);
    for (size_t i = 0; i < count; i++)
        at[i] = (unsigned char)sim_random(&fs->random_state);
    (void)pthread_mutex_unlock(&fs->mutex);
    return PB_OK;
}

/* ---- making ---- */

struct pb_env
sim_fs_env(struct sim_fs *fs)
{
    static const struct pb_file_ops files = {
        .open = sim_open,
        .close = sim_close,
        .read = sim_read,
        .write = sim_write,
        .sync = sim_sync,
        .truncate = sim_truncate,
        .size = sim_size,
        .map = sim_map,
        .unmap = sim_unmap,
        .fetch = sim_fetch,
        .forget = sim_forget,
        .lock = sim_lock,
        .rename = sim_rename,
        .unlink = sim_unlink,
        .link = sim_link,
        .mkdir = sim_mkdir,
        .rmdir = sim_rmdir,
        .sync_directory = sim_sync_directory,
        .list = sim_list,
    };
    struct pb_env env = *pb_env_system();

    env.random = sim_env_random;
    env.random_context = fs;
    env.files = &files;
    env.file_context = fs;
    return env;
}

static struct sim_fs *
new_without_disk(void)
{
    struct sim_fs *fs = sim_memory(NULL, sizeof(*fs));

    memset(fs, 0, sizeof(*fs));
    if (pthread_mutex_init(&fs->mutex, NULL) != 0)
        abort();
    return fs;
}

struct sim_fs *
sim_fs_new(void)
{
    struct sim_fs *fs = new_without_disk();

    sim_disk_init(&fs->disk);
    return fs;
}

void
sim_fs_free(struct sim_fs *fs)
{
    if (fs == NULL)
        return;
    sim_disk_done(&fs->disk);
    (void)pthread_mutex_destroy(&fs->mutex);
    sim_release(fs);
}

struct sim_fs *
sim_fs_clone(struct sim_fs *fs)
{
    struct sim_fs *clone = new_without_disk();

    (void)pthread_mutex_lock(&fs->mutex);
    sim_disk_init_copy(&clone->disk, &fs->disk);
    clone->damage = fs->damage;
    clone->random_state = fs->random_state;
    (void)pthread_mutex_unlock(&fs->mutex);
    return clone;
}

/* ---- ends ---- */

static void
end_generation(struct sim_fs *fs)
{
    fs->generation++;
    fs->is_off = false;
    fs->call_count = 0;
    fs->cut_at_call = 0;
    fs->fail_sync_at = 0;
    for (struct sim_inode *inode = fs->disk.inodes; inode != NULL; inode = inode->next)
        inode->lock_holder = NULL;
}

void
sim_fs_power_cut(struct sim_fs *fs, uint64_t seed)
{
    (void)pthread_mutex_lock(&fs->mutex);
    end_generation(fs);
    sim_disk_cut(&fs->disk, seed, fs->damage);
    (void)pthread_mutex_unlock(&fs->mutex);
}

void
sim_fs_process_end(struct sim_fs *fs)
{
    (void)pthread_mutex_lock(&fs->mutex);
    end_generation(fs);
    (void)pthread_mutex_unlock(&fs->mutex);
}

/* ---- settings and counts ---- */

static void
set_number(struct sim_fs *fs, uint64_t *place, uint64_t number)
{
    (void)pthread_mutex_lock(&fs->mutex);
    *place = number;
    (void)pthread_mutex_unlock(&fs->mutex);
}

static uint64_t
get_number(struct sim_fs *fs, const uint64_t *place)
{
    uint64_t number;

    (void)pthread_mutex_lock(&fs->mutex);
    number = *place;
    (void)pthread_mutex_unlock(&fs->mutex);
    return number;
}

void
sim_fs_set_damage(struct sim_fs *fs, unsigned damage)
{
    (void)pthread_mutex_lock(&fs->mutex);
    fs->damage = damage;
    (void)pthread_mutex_unlock(&fs->mutex);
}

void
sim_fs_cut_after(struct sim_fs *fs, uint64_t call_number)
{
    set_number(fs, &fs->cut_at_call, call_number);
}

bool
sim_fs_is_cut(struct sim_fs *fs)
{
    bool is_off;

    (void)pthread_mutex_lock(&fs->mutex);
    is_off = fs->is_off;
    (void)pthread_mutex_unlock(&fs->mutex);
    return is_off;
}

void
sim_fs_fail_sync_at(struct sim_fs *fs, uint64_t sync_number)
{
    set_number(fs, &fs->sync_count, 0);
    set_number(fs, &fs->fail_sync_at, sync_number);
}

void
sim_fs_set_capacity(struct sim_fs *fs, uint64_t bytes)
{
    set_number(fs, &fs->capacity_bytes, bytes);
}

uint64_t
sim_fs_call_count(struct sim_fs *fs)
{
    return get_number(fs, &fs->call_count);
}

uint64_t
sim_fs_open_count(struct sim_fs *fs)
{
    return get_number(fs, &fs->open_count);
}

uint64_t
sim_fs_map_count(struct sim_fs *fs)
{
    return get_number(fs, &fs->map_count);
}

/* ---- damage ---- */

static struct sim_inode *
find_file(struct sim_fs *fs, const char *path)
{
    struct place place;

    if (find_place(fs, path, &place) != PB_OK || place.inode->is_directory)
        return NULL;
    return place.inode;
}

bool
sim_fs_flip_bit(struct sim_fs *fs, const char *path, uint64_t bit_offset)
{
    struct sim_inode *inode = find_file(fs, path);

    if (inode == NULL || bit_offset / 8 >= inode->current_content.size)
        return false;
    inode->current_content.bytes[bit_offset / 8] ^= (unsigned char)(1u << bit_offset % 8);
    sim_inode_settle(&fs->disk, inode);
    return true;
}

bool
sim_fs_truncate(struct sim_fs *fs, const char *path, uint64_t size)
{
    struct sim_inode *inode = find_file(fs, path);

    if (inode == NULL || size > inode->current_content.size)
        return false;
    sim_inode_truncate(&fs->disk, inode, size);
    sim_inode_settle(&fs->disk, inode);
    return true;
}

bool
sim_fs_zero(struct sim_fs *fs, const char *path, uint64_t offset, uint64_t count)
{
    struct sim_inode *inode = find_file(fs, path);

    if (inode == NULL || offset > inode->current_content.size ||
        count > inode->current_content.size - offset)
        return false;
    if (count > 0)
        memset(inode->current_content.bytes + offset, 0, (size_t)count);
    sim_inode_settle(&fs->disk, inode);
    return true;
}

bool
sim_fs_file_size(struct sim_fs *fs, const char *path, uint64_t *ret_size)
{
    struct sim_inode *inode = find_file(fs, path);

    if (inode == NULL)
        return false;
    *ret_size = inode->current_content.size;
    return true;
}

static void
each_file_below(const struct sim_inode *directory, char path[PB_PATH_BYTES_MAX], size_t path_bytes,
                sim_fs_file_fn *each, void *context)
{
    for (size_t i = 0; i < directory->current_entries.count; i++) {
        const struct sim_entry *entry = &directory->current_entries.items[i];
        size_t left = PB_PATH_BYTES_MAX - path_bytes;
        int bytes =
            snprintf(path + path_bytes, left, "%s%s", path_bytes == 0 ? "" : "/", entry->name);

        if (bytes < 0 || (size_t)bytes >= left)
            abort();
        if (entry->inode->is_directory)
            each_file_below(entry->inode, path, path_bytes + (size_t)bytes, each, context);
        else
            each(context, path, entry->inode->current_content.size);
    }
}

void
sim_fs_each_file(struct sim_fs *fs, sim_fs_file_fn *each, void *context)
{
    char path[PB_PATH_BYTES_MAX] = "";

    each_file_below(fs->disk.root, path, 0, each, context);
}
