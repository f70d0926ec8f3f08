/*
 * Sweeps: a scenario is run again and again, and each time another call fails: each allocation and
 * each file call, once and for good.
 *
 * A run begins with a clone of the same file system. Whatever fails, the scenario must say so with
 * the failure that it was given (or have got on without the call), must leave nothing open or
 * allocated, and the check afterwards, when nothing fails any more, must find what it promised.
 */
#ifndef PB_TESTS_STORE_SWEEP_H
#define PB_TESTS_STORE_SWEEP_H

#include "store/store_room.h"

struct sweep {
    const char *name;
    struct sim_fs *fs; /* borrowed; NULL: an empty one */
    /* Nothing fails yet. May be NULL. */
    void (*prepare)(struct store_room *room, void *context);
    enum pb_status (*act)(struct store_room *room, void *context);
    /* Nothing fails any more; status: what act said. Frees what the context owns. May be NULL. */
    void (*check)(struct store_room *room, void *context, enum pb_status status);
    void *context;
    unsigned file_mask; /* enum fault_operation; 0: any */
    bool is_once_only;  /* calls do not fail for good */
};

/* The preparation of a scenario that begins with an empty store. */
static inline void
sweep_prepare_empty(struct store_room *room, void *context)
{
    (void)context;
    room_create(room);
}

static inline bool
sweep_is_expected(const struct store_room *room, enum pb_status status)
{
    if (status == PB_OK)
        return true;
    return status == (room->fault.fail_allocation_at != 0 ? PB_E_NOMEM : PB_E_IO) ||
           status == PB_E_POISONED;
}

/* Fails call `at` of one kind; whether there were so many. */
static inline bool
sweep_run(const struct sweep *sweep, bool is_allocation, bool is_lasting, uint64_t at)
{
    static struct store_room room;
    enum pb_status status = PB_OK;
    bool has_failed = false;

    room_init_on(&room, sweep->fs == NULL ? sim_fs_new() : sim_fs_clone(sweep->fs));
    if (sweep->prepare != NULL)
        sweep->prepare(&room, sweep->context);
    room.fault.fail_file_mask = sweep->file_mask == 0 ? FAULT_ANY : sweep->file_mask;
    room.fault.is_allocation_failure_lasting = is_lasting;
    room.fault.is_file_failure_lasting = is_lasting;
    room.fault.file_call_count = 0;
    room.fault.allocation_count = 0;
    room.fault.fail_allocation_at = is_allocation ? at : 0;
    room.fault.fail_file_call_at = is_allocation ? 0 : at;
    status = sweep->act(&room, sweep->context);
    has_failed = room.fault.failure_count != 0;
    if (!(has_failed ? sweep_is_expected(&room, status) : status == PB_OK))
        fail_msg("%s: %s %llu%s: %s: %s", sweep->name, is_allocation ? "allocation" : "file call",
                 (unsigned long long)at, is_lasting ? " and all after it" : "",
                 pb_status_name(status), status == PB_OK ? "" : room.error.message);
    room.fault.fail_allocation_at = 0;
    room.fault.fail_file_call_at = 0;
    if (sweep->check != NULL)
        sweep->check(&room, sweep->context, status);
    room_close(&room);
    if (!fault_env_is_clean(&room.fault))
        fail_msg("%s: %s %llu%s: something is left behind", sweep->name,
                 is_allocation ? "allocation" : "file call", (unsigned long long)at,
                 is_lasting ? " and all after it" : "");
    room_done(&room);
    return has_failed;
}

static inline void
sweep_all(const struct sweep *sweep)
{
    uint64_t runs = 0;

    for (int kind = 0; kind < (sweep->is_once_only ? 2 : 4); kind++) {
        uint64_t at = 1;

        while (sweep_run(sweep, kind % 2 == 0, kind / 2 == 1, at))
            at++;
        runs += at - 1;
    }
    print_message("%s: %llu calls failed in turn\n", sweep->name, (unsigned long long)runs);
    assert_true(runs > 2);
}

#endif
