/*
 * Kills: a process that writes to a store is killed at a random moment, again and again. What it
 * answered for is there, once; nothing is there that was not sent; nothing is damaged.
 *
 * The ledger lies outside of the process that is killed: it tells each read before it sends it
 * and after it was answered for, through a pipe. PB_NIGHT=1 kills fifty times as often.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <platebase/store.h>

#include "store/local/local.h"
#include "store/numbered_read.h"

#define ROUNDS 24u
#define NIGHT_ROUNDS 1200u
#define ROUNDS_OF_STORE 8u /* then a new one, so that looking at it stays cheap */
#define WRITERS 4u
#define LANES 2u
#define REQUEST_READS_MAX 8u
#define LOAD_READS 9000u /* more than a loader would hand on to the log */
#define MESSAGES_MAX 300u /* of one round, before the kill */
#define LEDGER_READS (NUMBERED_MAX / 2)

enum message_kind { MESSAGE_OPENING, MESSAGE_SENT, MESSAGE_ACKED, MESSAGE_WRONG };

/* Shorter than PIPE_BUF: written as a whole or not at all. */
struct message {
    uint32_t kind, first, count;
};

enum read_state { READ_SENT = 1, READ_ACKED = 2 };

struct ledger {
    uint8_t states[LEDGER_READS];
    uint32_t next; /* numbers below were sent */
    uint32_t acked_count;
};

struct totals {
    uint32_t kills, kills_in_opening, readers_beside;
    uint64_t acked, found;
};

static uint32_t
below(uint64_t *seed, uint32_t end)
{
    uint64_t z = *seed += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ z >> 31) % end);
}

/* ---- the process that is killed ---- */

struct child {
    struct pb_store *store;
    const struct ledger *ledger; /* as it was when the child began */
    atomic_uint next;
    uint64_t seed;
    int pipe;
};

struct writer {
    struct child *child;
    uint64_t seed;
    pthread_t thread;
};

/* Without the parent there is nothing to do: the write raises SIGPIPE. */
static void
tell(const struct child *child, enum message_kind kind, uint32_t first, uint32_t count)
{
    struct message message = { (uint32_t)kind, first, count };

    if (write(child->pipe, &message, sizeof(message)) != (ssize_t)sizeof(message))
        _exit(3);
}

static void *
append_for_ever(void *context)
{
    struct writer *writer = context;
    struct child *child = writer->child;

    for (;;) {
        struct numbered_read made[REQUEST_READS_MAX];
        struct pb_read reads[REQUEST_READS_MAX];
        enum pb_status answers[REQUEST_READS_MAX];
        uint32_t count = 1 + below(&writer->seed, REQUEST_READS_MAX);
        bool is_again = child->ledger->next > count && below(&writer->seed, 8) == 0;
        uint32_t first = is_again ? below(&writer->seed, child->ledger->next - count)
                                  : atomic_fetch_add(&child->next, count);
        struct pb_error error = { .message = "" };

        if (first + count > LEDGER_READS)
            _exit(4);
        for (uint32_t i = 0; i < count; i++) {
            numbered_read_make(&made[i], first + i, PB_NEVER);
            reads[i] = made[i].read;
        }
        tell(child, MESSAGE_SENT, first, count);
        if (pb_store_append(child->store, reads, count, answers, &error) != PB_OK) {
            (void)fprintf(stderr, "append: %s\n", error.message);
            tell(child, MESSAGE_WRONG, first, count);
            return NULL;
        }
        for (uint32_t i = 0; i < count; i++) {
            bool was_acked = is_again && (child->ledger->states[first + i] & READ_ACKED) != 0;

            if ((answers[i] != PB_OK && answers[i] != PB_DUPLICATE)
                || (was_acked && answers[i] != PB_DUPLICATE))
                tell(child, MESSAGE_WRONG, first + i, 1);
        }
        tell(child, MESSAGE_ACKED, first, count);
    }
}

static void
load_once(struct child *child)
{
    uint32_t first = atomic_fetch_add(&child->next, LOAD_READS);
    struct pb_loader *loader = NULL;
    enum pb_status status = pb_loader_new(child->store, LANES, NULL, NULL, &loader, NULL);

    if (first + LOAD_READS > LEDGER_READS)
        _exit(4);
    tell(child, MESSAGE_SENT, first, LOAD_READS);
    for (uint32_t i = 0; i < LOAD_READS && status == PB_OK; i++) {
        struct numbered_read made;

        /* The first lane has enough for a segment, the second goes the way of appends. */
        numbered_read_make(&made, first + i, PB_NEVER);
        status = pb_lane_add(pb_loader_lane(loader, i % 16 == 15), &made.read, 1, NULL);
    }
    for (unsigned lane = 0; lane < LANES && status == PB_OK; lane++)
        status = pb_lane_finish(pb_loader_lane(loader, lane), NULL);
    tell(child, status == PB_OK ? MESSAGE_ACKED : MESSAGE_WRONG, first, LOAD_READS);
    pb_loader_free(loader);
}

static void
care_for_ever(struct child *child, uint32_t kind)
{
    for (;;) {
        struct pb_purge_counts counts;
        struct pb_error error = { .message = "" };
        uint32_t what = kind == 1 ? below(&child->seed, 2) : below(&child->seed, 5);
        enum pb_status status = PB_OK;

        if (what == 0)
            status = pb_store_flush(child->store, &error);
        else if (what == 1)
            status = pb_store_merge(child->store, below(&child->seed, 2) == 0, NULL, &error);
        else if (what == 2)
            status = pb_store_purge(child->store, NULL, &counts, &error);
        else if (what == 3)
            status = pb_store_merge(child->store, true, NULL, &error);
        else if (below(&child->seed, 2) == 0)
            load_once(child);
        if (status != PB_OK) {
            (void)fprintf(stderr, "care: %s\n", error.message);
            tell(child, MESSAGE_WRONG, 0, what);
        }
    }
}

/* Never returns. */
static void
be_killed(const char *path, const struct ledger *ledger, uint64_t seed, int pipe)
{
    struct pb_store_options options = { .merge_in_background = seed % 2 == 0,
                                        .memory_bytes = UINT64_C(64) << 20 };
    struct child child = { .ledger = ledger, .seed = seed, .pipe = pipe };
    struct writer writers[WRITERS];
    struct pb_error error = { .message = "" };

    atomic_init(&child.next, ledger->next);
    tell(&child, MESSAGE_OPENING, 0, 0);
    if (pb_store_open(pb_env_system(), path, &options, &child.store, &error) != PB_OK) {
        (void)fprintf(stderr, "open: %s\n", error.message);
        tell(&child, MESSAGE_WRONG, 0, 0);
        _exit(5);
    }
    child.store->flush_rows = 1 + below(&child.seed, 3000); /* or hardly any life gets that far */
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .child = &child, .seed = seed * 100 + i };
        if (pthread_create(&writers[i].thread, NULL, append_for_ever, &writers[i]) != 0)
            _exit(6);
    }
    if (seed % 3 != 0)
        care_for_ever(&child, (uint32_t)(seed % 3));
    for (uint32_t i = 0; i < WRITERS; i++)
        (void)pthread_join(writers[i].thread, NULL);
    _exit(7); /* writers end after a failure alone */
}

/* ---- the ledger ---- */

static void
note(struct ledger *ledger, const struct message *message)
{
    if (message->kind == MESSAGE_WRONG)
        fail_msg("the process that writes got a wrong answer (read %u, %u)", message->first,
                 message->count);
    if (message->kind == MESSAGE_OPENING)
        return;
    assert_true(message->first + message->count <= LEDGER_READS);
    for (uint32_t number = message->first; number < message->first + message->count; number++) {
        if (message->kind == MESSAGE_SENT) {
            ledger->states[number] |= READ_SENT;
        } else {
            ledger->acked_count += (ledger->states[number] & READ_ACKED) == 0;
            ledger->states[number] |= READ_ACKED;
        }
    }
    if (message->first + message->count > ledger->next)
        ledger->next = message->first + message->count;
}

static void
tell_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    (void)context;
    print_error("%s: offset %llu: %s\n", file, (unsigned long long)offset, what);
}

static void
check_verify(const char *path)
{
    struct pb_verify_counts counts = { 0 };
    struct pb_error error = { .message = "" };
    enum pb_status status = pb_store_verify(pb_env_system(), path, tell_damage, NULL, NULL,
                                            &counts, &error);

    if (status != PB_OK)
        fail_msg("verify: %s: %s", pb_status_name(status), error.message);
    assert_int_equal(0, counts.damaged);
}

/* Looks at every read of an open store. may_be_newer: it is being written to, so there may be more
 * than the ledger has heard of. */
static uint64_t
check_reads(struct pb_store *store, const struct ledger *ledger, bool may_be_newer)
{
    struct pb_query query = { .plate = pb_str_from("*"),
                              .without_alternates = true,
                              .with_superseded = true,
                              .from_us = PB_TIME_MIN_US,
                              .to_us = PB_TIME_MAX_US };
    uint8_t *seen = calloc(LEDGER_READS, 1);
    struct pb_error error = { .message = "" };
    struct pb_cursor *cursor = NULL;
    uint64_t count = 0;
    enum pb_status status = pb_store_search(store, &query, &cursor, &error);

    assert_non_null(seen);
    while (status == PB_OK) {
        struct pb_result result;
        uint32_t number = 0;

        status = pb_cursor_next(cursor, &result, &error);
        if (status != PB_OK)
            break;
        if (!numbered_read_check(&result.read, PB_NEVER, &number) || number >= LEDGER_READS)
            fail_msg("found a read that is none of ours, near %u", number);
        if (!may_be_newer && (ledger->states[number] & READ_SENT) == 0)
            fail_msg("found read %u, which was not sent", number);
        if (seen[number] != 0)
            fail_msg("found read %u twice", number);
        seen[number] = result.read.is_superseded ? 2 : 1;
        count++;
    }
    if (status != PB_END)
        fail_msg("search: %s: %s", pb_status_name(status), error.message);
    for (uint32_t number = 0; number < ledger->next; number++) {
        if ((ledger->states[number] & READ_ACKED) != 0 && seen[number] == 0)
            fail_msg("read %u was answered for and is lost", number);
        if (!may_be_newer && numbered_is_revised(number) && seen[number] != 0
            && (seen[number] == 2) != (seen[number + 1] != 0))
            fail_msg("read %u and its revision do not agree on which is newer", number);
    }
    pb_cursor_free(cursor);
    free(seen);
    return count;
}

/* Another process reads while the store is being written to: it finds all that was answered for
 * before it opened the store. */
static void
read_beside(const char *path, const struct ledger *ledger)
{
    struct pb_store_options options = { .is_read_only = true };
    struct pb_store *store = NULL;
    struct pb_error error = { .message = "" };
    enum pb_status status = pb_store_open(pb_env_system(), path, &options, &store, &error);

    if (status == PB_E_BUSY)
        return; /* flushed faster than it can be read: told, not wrong */
    if (status != PB_OK)
        fail_msg("opening to read: %s: %s", pb_status_name(status), error.message);
    (void)check_reads(store, ledger, true);
    pb_store_close(store);
}

/* One child from its beginning to its end. */
static void
kill_once(const char *path, struct ledger *ledger, uint64_t seed, struct totals *totals)
{
    uint64_t random = seed;
    uint32_t messages = below(&random, 6) == 0 ? 1 : 1 + below(&random, MESSAGES_MAX);
    uint32_t reader_at = below(&random, 3) == 0 ? messages / 2 : 0;
    struct message message;
    int ends[2];
    int ending = 0;
    pid_t child;

    assert_int_equal(0, pipe(ends));
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        be_killed(path, ledger, seed, ends[1]);
    }
    (void)close(ends[1]);
    for (uint32_t i = 0; i < messages; i++) {
        if (read(ends[0], &message, sizeof(message)) != (ssize_t)sizeof(message))
            fail_msg("the process that writes ended by itself");
        note(ledger, &message);
        if (reader_at != 0 && i == reader_at) {
            read_beside(path, ledger);
            totals->readers_beside++;
        }
    }
    assert_int_equal(0, kill(child, SIGKILL));
    assert_int_equal(child, waitpid(child, &ending, 0));
    if (!WIFSIGNALED(ending) || WTERMSIG(ending) != SIGKILL)
        fail_msg("the process that writes ended by itself: %d", ending);
    /* What it told before it was killed still lies in the pipe. */
    while (read(ends[0], &message, sizeof(message)) == (ssize_t)sizeof(message))
        note(ledger, &message);
    (void)close(ends[0]);
    totals->kills++;
    totals->kills_in_opening += messages == 1;
}

static int
remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

static void
live_of_a_store(uint64_t seed, uint32_t rounds, struct totals *totals)
{
    const char *temporary = getenv("TMPDIR");
    struct ledger *ledger = calloc(1, sizeof(*ledger));
    struct pb_error error = { .message = "" };
    char directory[512];
    char path[600];

    assert_non_null(ledger);
    (void)snprintf(directory, sizeof(directory), "%s/platebase-kill-XXXXXX",
                   temporary != NULL ? temporary : "/tmp");
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/store", directory);
    if (pb_store_create(pb_env_system(), path, &error) != PB_OK)
        fail_msg("%s", error.message);
    for (uint32_t round = 0; round < rounds; round++) {
        struct pb_store *store = NULL;
        enum pb_status status;

        kill_once(path, ledger, seed + round, totals);
        check_verify(path);
        /* Now and then two children die one after the other without anybody looking. */
        if (round % 4 == 3 && round + 1 < rounds)
            continue;
        status = pb_store_open(pb_env_system(), path, NULL, &store, &error);
        if (status != PB_OK)
            fail_msg("opening after a kill: %s: %s", pb_status_name(status), error.message);
        totals->found += check_reads(store, ledger, false);
        pb_store_close(store);
        check_verify(path);
    }
    totals->acked += ledger->acked_count;
    (void)nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(ledger);
}

static void
a_killed_process_loses_nothing_that_it_answered_for(void **state)
{
    uint32_t rounds = getenv("PB_NIGHT") != NULL ? NIGHT_ROUNDS : ROUNDS;
    struct totals totals = { 0 };

    (void)state;
    for (uint32_t round = 0; round < rounds; round += ROUNDS_OF_STORE)
        live_of_a_store(round, ROUNDS_OF_STORE, &totals);
    print_message("# %u kills (%u while opening), %llu reads answered for, %llu found again, "
                  "%u readers beside a writer\n",
                  totals.kills, totals.kills_in_opening, (unsigned long long)totals.acked,
                  (unsigned long long)totals.found, totals.readers_beside);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_process_loses_nothing_that_it_answered_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
