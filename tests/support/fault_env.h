/*
 * Fault environment: passes everything on to another environment, counts it, and
 * fails what the test asks it to fail.
 *
 *     struct fault_env fault;
 *
 *     fault_env_init(&fault, pb_env_system());
 *     fault.fail_allocation_at = 3;
 *     status = pb_thing_new(&fault.env, &thing);
 *     ...
 *     assert_true(fault_env_is_clean(&fault));
 *
 * New memory is filled with 0xA5 and freed memory with 0xDD, so that code which relies on
 * either goes wrong in the same way each time.
 *
 * Threads: the environment may be used from any thread; what to fail is set before.
 */
#ifndef PB_SUPPORT_FAULT_ENV_H
#define PB_SUPPORT_FAULT_ENV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"

/* File operations that can fail, as bits. */
enum fault_operation {
    FAULT_OPEN = 1 << 0, /* existing files */
    FAULT_CREATE = 1 << 1,
    FAULT_READ = 1 << 2,
    FAULT_WRITE = 1 << 3,
    FAULT_SYNC = 1 << 4,
    FAULT_TRUNCATE = 1 << 5,
    FAULT_SIZE = 1 << 6,
    FAULT_MAP = 1 << 7,
    FAULT_LOCK = 1 << 8,
    FAULT_RENAME = 1 << 9,
    FAULT_UNLINK = 1 << 10,
    FAULT_LINK = 1 << 11,
    FAULT_MKDIR = 1 << 12,
    FAULT_RMDIR = 1 << 13,
    FAULT_SYNC_DIRECTORY = 1 << 14,
    FAULT_LIST = 1 << 15,
    FAULT_ALLOCATION = 1 << 16, /* for `meanwhile` alone */
};
#define FAULT_ANY 0xFFFFu
/* All that change a disk or promise that it was changed. */
#define FAULT_MUTATING                                                                    \
    ((unsigned)(FAULT_CREATE | FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE | FAULT_RENAME | \
                FAULT_UNLINK | FAULT_LINK | FAULT_MKDIR | FAULT_RMDIR | FAULT_SYNC_DIRECTORY))

struct fault_env {
    struct pb_env env; /* for the code under test; its clock and randomness may be replaced */
    const struct pb_env *base; /* borrowed */

    /* What to fail. All calls of resize that ask for memory count as allocations; of the file
     * calls only those in the mask count. Numbers start at 1; 0 fails nothing. */
    uint64_t fail_allocation_at;
    bool is_allocation_failure_lasting; /* all later ones fail too */
    uint64_t fail_file_call_at;
    unsigned fail_file_mask; /* FAULT_ANY after init */
    bool is_file_failure_lasting;
    enum pb_status fail_file_status; /* PB_E_IO after init; PB_E_BUSY, PB_E_FULL... */
    bool is_write_short;             /* a failing write writes its first half */

    /* Called before each sync of a file and each allocation, by the thread that calls: does what
     * others may do at that moment. NULL after init. */
    void (*meanwhile)(void *context, enum fault_operation operation);
    void *meanwhile_context;

    /* What happened. */
    _Atomic uint64_t allocation_count;
    _Atomic uint64_t file_call_count; /* of those in the mask */
    _Atomic uint64_t failure_count;   /* injected */
    _Atomic uint64_t live_count;      /* blocks of memory */
    _Atomic uint64_t live_bytes;
    _Atomic uint64_t peak_bytes;
    _Atomic uint64_t open_file_count;
    _Atomic uint64_t live_map_count;
};

/* base is borrowed. The struct must not move afterwards. */
void fault_env_init(struct fault_env *fault, const struct pb_env *base);

/* Nothing is allocated, open or mapped any more. */
bool fault_env_is_clean(const struct fault_env *fault);

#endif
