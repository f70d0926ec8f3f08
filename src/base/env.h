/*
 * Environment: memory, clock, files and randomness as tables of functions.
 *
 * Everything that can fail for outside reasons goes through here, so that a test
 * can make it fail. Only src/base calls malloc or the system's file functions.
 *
 * Threads: the system environment may be used from any thread.
 */
#ifndef PB_BASE_ENV_H
#define PB_BASE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

struct pb_file; /* opaque; made by pb_file_ops.open */

enum pb_open_mode {
    PB_OPEN_READ,           /* must exist */
    PB_OPEN_WRITE,          /* must exist; read and write */
    PB_OPEN_CREATE,         /* must not exist; read and write */
    PB_OPEN_CREATE_PRIVATE, /* likewise; no one but its owner may read it: for keys */
};

/* Called once for each name in a directory but "." and ".."; false stops. */
typedef bool pb_list_fn(void *context, const char *name, bool is_directory);

/*
 * Every function returns PB_OK, PB_NOT_FOUND (no such file or directory; open, unlink, rmdir
 * and list only), PB_E_FULL (no space), PB_E_NOMEM, PB_E_BUSY (lock) or PB_E_IO (all else: also
 * what exists and must not), with error filled but for PB_NOT_FOUND. error may be NULL. Paths
 * are NUL-terminated. A short read or write and EINTR are dealt with inside: read and write
 * are all or nothing; a read past the end is PB_E_IO.
 */
struct pb_file_ops {
    enum pb_status (*open)(void *context, const char *path, enum pb_open_mode mode,
                           struct pb_file **ret_file, struct pb_error *error);
    void (*close)(void *context, struct pb_file *file); /* NULL is fine; drops locks and not maps */
    enum pb_status (*read)(void *context, struct pb_file *file, uint64_t offset, void *bytes,
                           size_t count, struct pb_error *error);
    enum pb_status (*write)(void *context, struct pb_file *file, uint64_t offset, const void *bytes,
                            size_t count, struct pb_error *error);
    enum pb_status (*sync)(void *context, struct pb_file *file, struct pb_error *error);
    enum pb_status (*truncate)(void *context, struct pb_file *file, uint64_t size,
                               struct pb_error *error);
    enum pb_status (*size)(void *context, struct pb_file *file, uint64_t *ret_size,
                           struct pb_error *error);
    /* Maps the whole file [0, size) for reading; size > 0, and not more than the file has. */
    enum pb_status (*map)(void *context, struct pb_file *file, uint64_t size,
                          const void **ret_bytes, struct pb_error *error);
    void (*unmap)(void *context, const void *bytes, uint64_t size); /* NULL is fine */
    /* Tells that these mapped bytes will be needed at once, and nothing around them: a page that
     * is touched brings others, by default, and more than are wanted. Any alignment; never
     * fails. */
    void (*fetch)(void *context, const void *bytes, uint64_t size);
    /* Tells that mapped bytes will not be needed soon, so that they leave the process's
     * resident memory. Any alignment; never fails. */
    void (*forget)(void *context, const void *bytes, uint64_t size);
    /* Exclusive lock on a file that is open to write, against all other openings of it, also in
     * this process; PB_E_BUSY if taken. */
    enum pb_status (*lock)(void *context, struct pb_file *file, struct pb_error *error);
    enum pb_status (*rename)(void *context, const char *from, const char *to,
                             struct pb_error *error);
    enum pb_status (*unlink)(void *context, const char *path, struct pb_error *error);
    enum pb_status (*link)(void *context, const char *from, const char *to, struct pb_error *error);
    enum pb_status (*mkdir)(void *context, const char *path, struct pb_error *error);
    enum pb_status (*rmdir)(void *context, const char *path, struct pb_error *error);
    enum pb_status (*sync_directory)(void *context, const char *path, struct pb_error *error);
    enum pb_status (*list)(void *context, const char *path, pb_list_fn *each, void *each_context,
                           struct pb_error *error);
};

struct pb_env {
    /* As realloc: bytes 0 frees and returns NULL; old_bytes is the size given before. */
    void *(*resize)(void *context, void *memory, size_t old_bytes, size_t bytes);
    /* As calloc of one block, which resize frees. bytes > 0. */
    void *(*zeroed)(void *context, size_t bytes);
    void *memory_context;

    int64_t (*now_us)(void *context);            /* UTC, microseconds since 1970 */
    int64_t (*monotonic_ns)(void *context);      /* for durations only */
    void (*pause_us)(void *context, int64_t us); /* returns at the earliest after us */
    void *clock_context;

    enum pb_status (*random)(void *context, void *bytes, size_t count);
    void *random_context;

    const struct pb_file_ops *files;
    void *file_context;
};

const struct pb_env *pb_env_system(void);

/* Gives memory that was freed back to the system, all of it that makes whole pages. The C library
 * keeps most: after work that took much at one time (a merge) a process that runs for months stays
 * as large as it ever was, and what is freed piecemeal lies between what is not. Takes some
 * milliseconds, in which others may have to wait for memory. Any thread. */
void pb_env_system_give_back(void);

/*
 * Lets this process ask the system for memory in larger pieces, and so seldom: for one in which
 * many threads answer while another maps much at a time, as a hash of a password does. A thread
 * that has its memory extended waits until that map is filled, however far behind others the thread
 * that fills it works. What is not touched takes no memory. Before any other thread is started.
 */
void pb_env_system_stretch_out(void);

/* Lets the calling thread, and those that it starts, work behind all others from now on: for work
 * that nobody waits for. Where the system does not let it, nothing changes. */
void pb_env_system_step_back(void);

/* Memory, aligned for any type. Sizes are checked for overflow; NULL on failure, and then realloc
 * leaves its block alone. A size of 0 gives a block like any other. realloc and free take NULL.
 * Sizes of a block are kept by the allocation itself, so that callers need not remember them. */
void *pb_alloc(const struct pb_env *env, size_t bytes);
void *pb_calloc(const struct pb_env *env, size_t count, size_t bytes);
void *pb_realloc(const struct pb_env *env, void *memory, size_t bytes);
void pb_free(const struct pb_env *env, void *memory);

static inline int64_t
pb_now_us(const struct pb_env *env)
{
    return env->now_us(env->clock_context);
}

static inline void
pb_pause_us(const struct pb_env *env, int64_t us)
{
    env->pause_us(env->clock_context, us);
}

static inline int64_t
pb_monotonic_ns(const struct pb_env *env)
{
    return env->monotonic_ns(env->clock_context);
}

#endif
