/*
 * Fault environment: one gate that counts and judges each call, then the base.
 */
#include "support/fault_env.h"

#include <assert.h>
#include <string.h>

#define FRESH_BYTE 0xA5
#define FREED_BYTE 0xDD
#define FILL_BYTES_MAX ((size_t)64 << 10) /* of a block: pages that nobody uses are not touched */

/* ---- memory ---- */

static bool
is_chosen(uint64_t number, uint64_t fail_at, bool is_lasting)
{
    return fail_at != 0 && (number == fail_at || (is_lasting && number > fail_at));
}

static void
count_bytes(struct fault_env *fault, size_t old_bytes, size_t bytes)
{
    /* Unsigned, so that a smaller block subtracts. */
    uint64_t live =
        atomic_fetch_add(&fault->live_bytes, (uint64_t)bytes - old_bytes) + bytes - old_bytes;
    uint64_t peak = atomic_load(&fault->peak_bytes);

    while (live > peak && !atomic_compare_exchange_weak(&fault->peak_bytes, &peak, live))
        ;
}

static void
spoil(unsigned char *memory, size_t bytes, int byte)
{
    memset(memory, byte, bytes < FILL_BYTES_MAX ? bytes : FILL_BYTES_MAX);
}

/* Whether the allocation that is asked for now fails. */
static bool
fails(struct fault_env *fault)
{
    if (fault->meanwhile != NULL)
        fault->meanwhile(fault->meanwhile_context, FAULT_ALLOCATION);
    if (!is_chosen(atomic_fetch_add(&fault->allocation_count, 1) + 1, fault->fail_allocation_at,
                   fault->is_allocation_failure_lasting))
        return false;
    (void)atomic_fetch_add(&fault->failure_count, 1);
    return true;
}

static void *
fault_zeroed(void *context, size_t bytes)
{
    struct fault_env *fault = context;
    void *result = NULL;

    if (fails(fault))
        return NULL;
    result = fault->base->zeroed(fault->base->memory_context, bytes);
    if (result == NULL)
        return NULL;
    (void)atomic_fetch_add(&fault->live_count, 1);
    count_bytes(fault, 0, bytes);
    return result;
}

static void *
fault_resize(void *context, void *memory, size_t old_bytes, size_t bytes)
{
    struct fault_env *fault = context;
    const struct pb_env *base = fault->base;
    void *result;

    if (bytes == 0) {
        if (memory == NULL)
            return NULL;
        spoil(memory, old_bytes, FREED_BYTE);
        (void)atomic_fetch_sub(&fault->live_count, 1);
        count_bytes(fault, old_bytes, 0);
        return base->resize(base->memory_context, memory, old_bytes, 0);
    }
    if (fails(fault))
        return NULL;
    result = base->resize(base->memory_context, memory, old_bytes, bytes);
    if (result == NULL)
        return NULL;
    if (bytes > old_bytes)
        spoil((unsigned char *)result + old_bytes, bytes - old_bytes, FRESH_BYTE);
    if (memory == NULL)
        (void)atomic_fetch_add(&fault->live_count, 1);
    count_bytes(fault, old_bytes, bytes);
    return result;
}

/* ---- files ---- */

/* PB_OK where the call may go on to the base. */
static enum pb_status
gate(struct fault_env *fault, enum fault_operation operation, const char *name,
     struct pb_error *error)
{
    uint64_t number;

    if ((fault->fail_file_mask & (unsigned)operation) == 0)
        return PB_OK;
    number = atomic_fetch_add(&fault->file_call_count, 1) + 1;
    if (!is_chosen(number, fault->fail_file_call_at, fault->is_file_failure_lasting))
        return PB_OK;
    (void)atomic_fetch_add(&fault->failure_count, 1);
    return pb_fail(error, fault->fail_file_status, "injected failure of file call %llu: %s",
                   (unsigned long long)number, name);
}

static const struct pb_file_ops *
base_files(const struct fault_env *fault)
{
    return fault->base->files;
}

static void *
base_context(const struct fault_env *fault)
{
    return fault->base->file_context;
}

static enum pb_status
fault_open(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
           struct pb_error *error)
{
    struct fault_env *fault = context;
    bool is_new = mode == PB_OPEN_CREATE || mode == PB_OPEN_CREATE_PRIVATE;
    enum pb_status status;

    status = gate(fault, is_new ? FAULT_CREATE : FAULT_OPEN, is_new ? "create" : "open", error);
    if (status != PB_OK)
        return status;
    status = base_files(fault)->open(base_context(fault), path, mode, ret_file, error);
    if (status == PB_OK)
        (void)atomic_fetch_add(&fault->open_file_count, 1);
    return status;
}

static void
fault_close(void *context, struct pb_file *file)
{
    struct fault_env *fault = context;

    if (file != NULL)
        (void)atomic_fetch_sub(&fault->open_file_count, 1);
    base_files(fault)->close(base_context(fault), file);
}

static enum pb_status
fault_read(void *context, struct pb_file *file, uint64_t offset, void *bytes, size_t count,
           struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_READ, "read", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->read(base_context(fault), file, offset, bytes, count, error);
}

static enum pb_status
fault_write(void *context, struct pb_file *file, uint64_t offset, const void *bytes, size_t count,
            struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_WRITE, "write", error);

    if (status == PB_OK)
        return base_files(fault)->write(base_context(fault), file, offset, bytes, count, error);
    if (fault->is_write_short)
        (void)base_files(fault)->write(base_context(fault), file, offset, bytes, count / 2, NULL);
    return status;
}

static enum pb_status
fault_sync(void *context, struct pb_file *file, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status;

    if (fault->meanwhile != NULL)
        fault->meanwhile(fault->meanwhile_context, FAULT_SYNC);
    status = gate(fault, FAULT_SYNC, "sync", error);
    if (status != PB_OK)
        return status;
    return base_files(fault)->sync(base_context(fault), file, error);
}

static enum pb_status
fault_truncate(void *context, struct pb_file *file, uint64_t size, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_TRUNCATE, "truncate", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->truncate(base_context(fault), file, size, error);
}

static enum pb_status
fault_size(void *context, struct pb_file *file, uint64_t *ret_size, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_SIZE, "size", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->size(base_context(fault), file, ret_size, error);
}

static enum pb_status
fault_map(void *context, struct pb_file *file, uint64_t size, const void **ret_bytes,
          struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_MAP, "map", error);

    if (status != PB_OK)
        return status;
    status = base_files(fault)->map(base_context(fault), file, size, ret_bytes, error);
    if (status == PB_OK)
        (void)atomic_fetch_add(&fault->live_map_count, 1);
    return status;
}

static void
fault_unmap(void *context, const void *bytes, uint64_t size)
{
    struct fault_env *fault = context;

    if (bytes != NULL)
        (void)atomic_fetch_sub(&fault->live_map_count, 1);
    base_files(fault)->unmap(base_context(fault), bytes, size);
}

static void
fault_fetch(void *context, const void *bytes, uint64_t size)
{
    struct fault_env *fault = context;

    base_files(fault)->fetch(base_context(fault), bytes, size);
}

static void
fault_forget(void *context, const void *bytes, uint64_t size)
{
    struct fault_env *fault = context;

    base_files(fault)->forget(base_context(fault), bytes, size);
}

static enum pb_status
fault_lock(void *context, struct pb_file *file, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_LOCK, "lock", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->lock(base_context(fault), file, error);
}

static enum pb_status
fault_rename(void *context, const char *from, const char *to, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_RENAME, "rename", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->rename(base_context(fault), from, to, error);
}

static enum pb_status
fault_unlink(void *context, const char *path, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_UNLINK, "unlink", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->unlink(base_context(fault), path, error);
}

static enum pb_status
fault_link(void *context, const char *from, const char *to, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_LINK, "link", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->link(base_context(fault), from, to, error);
}

static enum pb_status
fault_mkdir(void *context, const char *path, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_MKDIR, "mkdir", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->mkdir(base_context(fault), path, error);
}

static enum pb_status
fault_rmdir(void *context, const char *path, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_RMDIR, "rmdir", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->rmdir(base_context(fault), path, error);
}

static enum pb_status
fault_sync_directory(void *context, const char *path, struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_SYNC_DIRECTORY, "sync of a directory", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->sync_directory(base_context(fault), path, error);
}

static enum pb_status
fault_list(void *context, const char *path, pb_list_fn *each, void *each_context,
           struct pb_error *error)
{
    struct fault_env *fault = context;
    enum pb_status status = gate(fault, FAULT_LIST, "list", error);

    if (status != PB_OK)
        return status;
    return base_files(fault)->list(base_context(fault), path, each, each_context, error);
}

void
fault_env_init(struct fault_env *fault, const struct pb_env *base)
{
    static const struct pb_file_ops files = {
        .open = fault_open,
        .close = fault_close,
        .read = fault_read,
        .write = fault_write,
        .sync = fault_sync,
        .truncate = fault_truncate,
        .size = fault_size,
        .map = fault_map,
        .unmap = fault_unmap,
        .fetch = fault_fetch,
        .forget = fault_forget,
        .lock = fault_lock,
        .rename = fault_rename,
        .unlink = fault_unlink,
        .link = fault_link,
        .mkdir = fault_mkdir,
        .rmdir = fault_rmdir,
        .sync_directory = fault_sync_directory,
        .list = fault_list,
    };

    assert(base != NULL);
    memset(fault, 0, sizeof(*fault));
    fault->base = base;
    fault->env = *base;
    fault->env.resize = fault_resize;
    fault->env.zeroed = fault_zeroed;
    fault->env.memory_context = fault;
    fault->env.files = &files;
    fault->env.file_context = fault;
    fault->fail_file_mask = FAULT_ANY;
    fault->fail_file_status = PB_E_IO;
}

bool
fault_env_is_clean(const struct fault_env *fault)
{
    return atomic_load(&fault->live_count) == 0 && atomic_load(&fault->live_bytes) == 0 &&
           atomic_load(&fault->open_file_count) == 0 && atomic_load(&fault->live_map_count) == 0;
}
