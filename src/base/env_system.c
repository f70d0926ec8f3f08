/*
 * The system environment: POSIX memory, clocks, files and randomness.
 *
 * A message says what was tried, on which path, and what the system answered.
 *
 * Locks are open file description locks: they belong to an open file, not to the
 * process, so a second open of the same file in one process is refused too, and
 * closing another descriptor of the file does not drop them.
 */
#include "base/env.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BACKGROUND_NICE 5 /* about a third of what a thread gets that is not nice */
#define HUGE_PAGE_BYTES ((uintptr_t)2 << 20)
#define HUGE_FROM_BYTES ((size_t)4 << 20) /* two */
#define HUGE_ZEROED_FROM_BYTES ((size_t)16 << 20)
#define ARENA_BYTES (4 << 20) /* what memory for many small things is asked for at once */
#define WRITE_BACK_BYTES ((size_t)512 << 10)

/* What a store holds is sensitive: directories are their owner's alone. Whoever opens one to a
 * group lets it read the files, but for keys. */
#define FILE_MODE 0640
#define PRIVATE_FILE_MODE 0600
#define DIRECTORY_MODE 0700

struct pb_file {
    int descriptor;
    char path[]; /* for messages; NUL-terminated */
};

/* ---- memory, clock, randomness ---- */

/* Large arrays are visited in any order: with small pages each visit would also miss the
 * translation cache. A kernel that has no huge pages loses nothing. */
static void
ask_for_huge_pages(void *memory, size_t bytes)
{
    uintptr_t first = ((uintptr_t)memory + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)memory + bytes) & ~(HUGE_PAGE_BYTES - 1);

    assert(first < end); /* what is as large as two has a whole one */
    (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
}

static void *
system_resize(void *context, void *memory, size_t old_bytes, size_t bytes)
{
    (void)context;
    (void)old_bytes;
    if (bytes == 0) {
        free(memory);
        return NULL;
    }
    /* What begins where a huge page does consists of such pages but for its end. */
    if (memory != NULL || bytes < HUGE_FROM_BYTES)
        memory = realloc(memory, bytes);
    else if (posix_memalign(&memory, HUGE_PAGE_BYTES, bytes) != 0)
        memory = NULL;
    if (memory != NULL && bytes >= HUGE_FROM_BYTES)
        ask_for_huge_pages(memory, bytes);
    return memory;
}

/* Not begun at a huge page, and only what is very large asks for these: pages that nobody touches
 * stay the system's, which are zero until somebody does. */
static void *
system_zeroed(void *context, size_t bytes)
{
    void *memory = calloc(1, bytes);

    (void)context;
    if (memory != NULL && bytes >= HUGE_ZEROED_FROM_BYTES)
        ask_for_huge_pages(memory, bytes);
    return memory;
}

static int64_t
system_now_us(void *context)
{
    struct timespec now = { 0, 0 };

    (void)context;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + (int64_t)now.tv_nsec / 1000;
}

static int64_t
system_monotonic_ns(void *context)
{
    struct timespec now = { 0, 0 };

    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_nsec;
}

static void
system_pause_us(void *context, int64_t us)
{
    struct timespec left = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

    (void)context;
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static enum pb_status
system_random(void *context, void *bytes, size_t count)
{
    unsigned char *at = bytes;

    (void)context;
    while (count > 0) {
        ssize_t got = getrandom(at, count, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return PB_E_IO;
        at += got;
        count -= (size_t)got;
    }
    return PB_OK;
}

/* ---- files ---- */

static enum pb_status
status_from_errno(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
        return PB_E_FULL;
    case ENOMEM:
        return PB_E_NOMEM;
    default:
        return PB_E_IO;
    }
}

static enum pb_status
fail_errno(struct pb_error *error, int code, const char *what, const char *path)
{
    char buffer[128];

    return pb_fail(error, status_from_errno(code), "cannot %s '%s': %s", what, path,
                   strerror_r(code, buffer, sizeof(buffer)));
}

static enum pb_status
system_open(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
            struct pb_error *error)
{
    static const int flags[] = {
        [PB_OPEN_READ] = O_RDONLY | O_CLOEXEC,
        [PB_OPEN_WRITE] = O_RDWR | O_CLOEXEC,
        [PB_OPEN_CREATE] = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
        [PB_OPEN_CREATE_PRIVATE] = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
    };
    const char *what = (flags[mode] & O_CREAT) != 0 ? "create" : "open";
    mode_t permissions = mode == PB_OPEN_CREATE_PRIVATE ? PRIVATE_FILE_MODE : FILE_MODE;
    size_t path_bytes = strlen(path) + 1;
    struct pb_file *file;
    int code;

    (void)context;
    file = malloc(sizeof(*file) + path_bytes);
    if (file == NULL)
        return fail_errno(error, ENOMEM, what, path);
    memcpy(file->path, path, path_bytes);

    do {
        file->descriptor = open(path, flags[mode], permissions);
    } while (file->descriptor < 0 && errno == EINTR);
    if (file->descriptor < 0) {
        code = errno;
        free(file);
        return code == ENOENT ? PB_NOT_FOUND : fail_errno(error, code, what, path);
    }
    *ret_file = file;
    return PB_OK;
}

static void
system_close(void *context, struct pb_file *file)
{
    (void)context;
    if (file == NULL)
        return;
    /* What must be on disk was synced before, so there is nothing to do about an error here;
     * and on Linux the descriptor is gone whatever close answers. */
    (void)close(file->descriptor);
    free(file);
}

/* Offsets are off_t below: more than that is a mistake in a file, not in us. */
static bool
is_range_possible(uint64_t offset, uint64_t count)
{
    return offset <= (uint64_t)INT64_MAX && count <= (uint64_t)INT64_MAX - offset;
}

static enum pb_status
system_read(void *context, struct pb_file *file, uint64_t offset, void *bytes, size_t count,
            struct pb_error *error)
{
    unsigned char *at = bytes;

    (void)context;
    if (!is_range_possible(offset, count))
        return fail_errno(error, EOVERFLOW, "read", file->path);
    while (count > 0) {
        ssize_t got = pread(file->descriptor, at, count, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(error, errno, "read", file->path);
        if (got == 0)
            return pb_fail(error, PB_E_IO,
                           "cannot read '%s': the file ends at byte %llu, %zu bytes too early",
                           file->path, (unsigned long long)offset, count);
        at += got;
        offset += (uint64_t)got;
        count -= (size_t)got;
    }
    return PB_OK;
}

/* Lets the system begin to write out what was written in large pieces, which is sure to be synced:
 * else all of it would wait for the sync. A hint, whose failure the sync would tell. */
static void
begin_write_back(const struct pb_file *file, uint64_t offset, size_t count)
{
#ifdef SYNC_FILE_RANGE_WRITE
    if (count >= WRITE_BACK_BYTES)
        (void)sync_file_range(file->descriptor, (off64_t)offset, (off64_t)count,
                              SYNC_FILE_RANGE_WRITE);
#else
    (void)file;
    (void)offset;
    (void)count;
#endif
}

static enum pb_status
system_write(void *context, struct pb_file *file, uint64_t offset, const void *bytes, size_t count,
             struct pb_error *error)
{
    const unsigned char *at = bytes;
    const uint64_t begin = offset;
    const size_t total = count;

    (void)context;
    if (!is_range_possible(offset, count))
        return fail_errno(error, EOVERFLOW, "write", file->path);
    while (count > 0) {
        ssize_t put = pwrite(file->descriptor, at, count, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail_errno(error, errno, "write", file->path);
        if (put == 0)
            return fail_errno(error, EIO, "write", file->path);
        at += put;
        offset += (uint64_t)put;
        count -= (size_t)put;
    }
    begin_write_back(file, begin, total);
    return PB_OK;
}

static enum pb_status
system_sync(void *context, struct pb_file *file, struct pb_error *error)
{
    (void)context;
    /* Never repeated after a failure other than EINTR: the kernel may have dropped what it
     * could not write, and the second call would then claim success. */
    while (fdatasync(file->descriptor) != 0) {
        if (errno != EINTR)
            return fail_errno(error, errno, "sync", file->path);
    }
    return PB_OK;
}

static enum pb_status
system_truncate(void *context, struct pb_file *file, uint64_t size, struct pb_error *error)
{
    (void)context;
    if (!is_range_possible(size, 0))
        return fail_errno(error, EOVERFLOW, "truncate", file->path);
    while (ftruncate(file->descriptor, (off_t)size) != 0) {
        if (errno != EINTR)
            return fail_errno(error, errno, "truncate", file->path);
    }
    return PB_OK;
}

static enum pb_status
system_size(void *context, struct pb_file *file, uint64_t *ret_size, struct pb_error *error)
{
    struct stat info;

    (void)context;
    if (fstat(file->descriptor, &info) != 0)
        return fail_errno(error, errno, "get the size of", file->path);
    *ret_size = (uint64_t)info.st_size;
    return PB_OK;
}

static enum pb_status
system_map(void *context, struct pb_file *file, uint64_t size, const void **ret_bytes,
           struct pb_error *error)
{
    uint64_t file_size = 0;
    enum pb_status status;
    void *bytes;

    if (size == 0 || size > (uint64_t)PTRDIFF_MAX)
        return fail_errno(error, EINVAL, "map", file->path);
    /* Touching a page past the end would kill the process instead of failing a call. */
    status = system_size(context, file, &file_size, error);
    if (status != PB_OK)
        return status;
    if (file_size < size)
        return pb_fail(error, PB_E_IO, "cannot map '%s': it has %llu bytes and should have %llu",
                       file->path, (unsigned long long)file_size, (unsigned long long)size);

    bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, file->descriptor, 0);
    if (bytes == MAP_FAILED)
        return fail_errno(error, errno, "map", file->path);
    *ret_bytes = bytes;
    return PB_OK;
}

/* The system's calls take mappings without const, though they write nothing here. */
static void *
without_const(const void *bytes)
{
    void *result;

    memcpy(&result, &bytes, sizeof(result));
    return result;
}

static void
system_unmap(void *context, const void *bytes, uint64_t size)
{
    (void)context;
    if (bytes != NULL)
        (void)munmap(without_const(bytes), (size_t)size);
}

static void
system_fetch(void *context, const void *bytes, uint64_t size)
{
    const unsigned char *begin = bytes;
    size_t before = (uintptr_t)begin % (size_t)sysconf(_SC_PAGESIZE);

    (void)context;
    (void)madvise(without_const(begin - before), (size_t)size + before, MADV_WILLNEED);
}

static void
system_forget(void *context, const void *bytes, uint64_t size)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    const unsigned char *begin = bytes;
    size_t skipped, whole_bytes;

    (void)context;
    if (bytes == NULL)
        return;
    /* Only pages that lie wholly inside: the neighbours may still be wanted. */
    skipped = (page_bytes - (uintptr_t)begin % page_bytes) % page_bytes;
    if (size <= skipped)
        return;
    whole_bytes = (size_t)(size - skipped) / page_bytes * page_bytes;
    if (whole_bytes > 0)
        (void)madvise(without_const(begin + skipped), whole_bytes, MADV_DONTNEED);
}

static enum pb_status
system_lock(void *context, struct pb_file *file, struct pb_error *error)
{
    struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int code;

    (void)context;
    if (fcntl(file->descriptor, F_OFD_SETLK, &whole_file) == 0)
        return PB_OK;
    code = errno;
    if (code == EAGAIN || code == EACCES)
        return pb_fail(error, PB_E_BUSY, "cannot lock '%s': another process has it open to write",
                       file->path);
    return fail_errno(error, code, "lock", file->path);
}

static enum pb_status
fail_two_paths(struct pb_error *error, int code, const char *what, const char *from, const char *to)
{
    char buffer[128];

    return pb_fail(error, status_from_errno(code), "cannot %s '%s' to '%s': %s", what, from, to,
                   strerror_r(code, buffer, sizeof(buffer)));
}

static enum pb_status
system_rename(void *context, const char *from, const char *to, struct pb_error *error)
{
    (void)context;
    if (rename(from, to) != 0)
        return fail_two_paths(error, errno, "rename", from, to);
    return PB_OK;
}

static enum pb_status
system_link(void *context, const char *from, const char *to, struct pb_error *error)
{
    (void)context;
    if (link(from, to) != 0)
        return fail_two_paths(error, errno, "link", from, to);
    return PB_OK;
}

static enum pb_status
system_unlink(void *context, const char *path, struct pb_error *error)
{
    (void)context;
    if (unlink(path) == 0)
        return PB_OK;
    return errno == ENOENT ? PB_NOT_FOUND : fail_errno(error, errno, "remove", path);
}

static enum pb_status
system_mkdir(void *context, const char *path, struct pb_error *error)
{
    (void)context;
    if (mkdir(path, DIRECTORY_MODE) != 0)
        return fail_errno(error, errno, "make directory", path);
    return PB_OK;
}

static enum pb_status
system_rmdir(void *context, const char *path, struct pb_error *error)
{
    (void)context;
    if (rmdir(path) == 0)
        return PB_OK;
    return errno == ENOENT ? PB_NOT_FOUND : fail_errno(error, errno, "remove directory", path);
}

static enum pb_status
system_sync_directory(void *context, const char *path, struct pb_error *error)
{
    enum pb_status status = PB_OK;
    int descriptor;

    (void)context;
    do {
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0)
        return fail_errno(error, errno, "open directory", path);
    while (fsync(descriptor) != 0) {
        if (errno == EINTR)
            continue;
        status = fail_errno(error, errno, "sync directory", path);
        break;
    }
    (void)close(descriptor);
    return status;
}

static bool
is_directory_entry(DIR *directory, const struct dirent *entry)
{
    struct stat info;

    /* Some file systems do not fill d_type, and a link must be followed to know. */
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK)
        return entry->d_type == DT_DIR;
    return fstatat(dirfd(directory), entry->d_name, &info, 0) == 0 && S_ISDIR(info.st_mode);
}

static enum pb_status
system_list(void *context, const char *path, pb_list_fn *each, void *each_context,
            struct pb_error *error)
{
    enum pb_status status = PB_OK;
    DIR *directory;

    (void)context;
    directory = opendir(path); /* sets close-on-exec itself */
    if (directory == NULL)
        return errno == ENOENT ? PB_NOT_FOUND : fail_errno(error, errno, "list", path);
    for (;;) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(directory);
        if (entry == NULL) {
            if (errno != 0)
                status = fail_errno(error, errno, "list", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!each(each_context, entry->d_name, is_directory_entry(directory, entry)))
            break;
    }
    (void)closedir(directory);
    return status;
}

static const struct pb_file_ops system_files = {
    .open = system_open,
    .close = system_close,
    .read = system_read,
    .write = system_write,
    .sync = system_sync,
    .truncate = system_truncate,
    .size = system_size,
    .map = system_map,
    .unmap = system_unmap,
    .fetch = system_fetch,
    .forget = system_forget,
    .lock = system_lock,
    .rename = system_rename,
    .unlink = system_unlink,
    .link = system_link,
    .mkdir = system_mkdir,
    .rmdir = system_rmdir,
    .sync_directory = system_sync_directory,
    .list = system_list,
};

const struct pb_env *
pb_env_system(void)
{
    static const struct pb_env env = {
        .resize = system_resize,
        .zeroed = system_zeroed,
        .now_us = system_now_us,
        .monotonic_ns = system_monotonic_ns,
        .pause_us = system_pause_us,
        .random = system_random,
        .files = &system_files,
    };

    return &env;
}

void
pb_env_system_give_back(void)
{
    (void)malloc_trim(0);
}

void
pb_env_system_stretch_out(void)
{
    (void)mallopt(M_TOP_PAD, ARENA_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, ARENA_BYTES);
}

void
pb_env_system_step_back(void)
{
    /* Of Linux: a number of a thread is as good here as that of a process. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), BACKGROUND_NICE);
}
