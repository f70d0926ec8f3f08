/*
 * Edges of the audit room: long paths, no random bytes, files that are missing or another's, a
 * writer that does not rest, a journal that does not fit, and witnesses over a real connection.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "audit/witness.h"
#include "base/time.h"
#include "support/fault_env.h"

static const struct pb_audit_options by_hand = { .publishes_by_hand = true };

static enum pb_status
open_it(struct room *room, struct pb_error *error)
{
    room->audit = NULL;
    return pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &by_hand, &room->audit, error);
}

static void
set_aside(struct room *room, const char *path)
{
    struct pb_error error = { .message = "" };

    must(room->env.files->rename(room->env.file_context, path, "data/aside", &error), &error);
}

static void
put_back(struct room *room, const char *path)
{
    struct pb_error error = { .message = "" };

    must(room->env.files->rename(room->env.file_context, "data/aside", path, &error), &error);
}

/* ---- paths ---- */

static void
paths_that_are_too_long_are_refused_everywhere(void **state)
{
    static char path[PB_PATH_BYTES_MAX + 64];
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_options options = { .checkpoint_copies = path };
    struct pb_audit_check check;
    struct pb_audit *audit = NULL;

    append_many(room, 0, 300);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    /* Too long as a whole, or for this and that name inside. */
    for (size_t bytes = PB_PATH_BYTES_MAX - 120; bytes < sizeof(path) - 1; bytes++) {
        memset(path, 'x', sizeof(path));
        memcpy(path, "data/", 5);
        path[bytes] = '\0';
        assert_int_not_equal(PB_OK, pb_audit_create(&room->env, path, "data/k2", &error));
        assert_int_not_equal(PB_OK, pb_audit_create(&room->env, "data/a2", path, &error));
        assert_int_not_equal(PB_OK,
                             pb_audit_open(&room->env, path, ROOM_KEYS, NULL, &audit, &error));
        assert_int_not_equal(PB_OK, pb_audit_backup(room->audit, path, &error));
        if (pb_audit_verify_log(&room->env, path, room->vkey, NULL, NULL, NULL, &check, &error) ==
            PB_OK)
            assert_true(check.wrong > 0);
        (void)room->env.files->rmdir(room->env.file_context, "data/a2", NULL);
    }
    close_room(room);
    for (size_t bytes = PB_PATH_BYTES_MAX - 40; bytes < sizeof(path) - 1; bytes += 5) {
        memset(path, 'x', bytes);
        path[bytes] = '\0';
        if (pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &audit, &error) == PB_OK)
            assert_int_equal(PB_OK, pb_audit_close(audit, &error));
        assert_int_not_equal(PB_OK,
                             pb_audit_open(&room->env, ROOM_PATH, path, NULL, &audit, &error));
    }
}

static void
a_closing_slash_or_no_directory_at_all_make_no_difference(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    must(pb_audit_create(&room->env, "data/a2//", "k2", &error), &error);
    must(pb_audit_create(&room->env, "a3", "/k3", &error), &error);
    must(pb_audit_create(&room->env, "a4", "k", &error), &error);
}

/* ---- randomness ---- */

static enum pb_status
no_random(void *context, void *bytes, size_t count)
{
    uint32_t *left = context;

    if (*left == 0)
        return PB_E_IO;
    (*left)--;
    memset(bytes, (int)(7 + *left), count);
    return PB_OK;
}

static void
without_random_bytes_nothing_is_made(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_env env = room->env;
    uint32_t left = 0;
    uint64_t index = 77;

    close_room(room);
    env.random = no_random;
    env.random_context = &left;
    assert_int_equal(PB_E_IO, pb_audit_create(&env, "data/a2", "data/k2", &error));
    must(pb_audit_open(&env, ROOM_PATH, ROOM_KEYS, &by_hand, &room->audit, &error), &error);
    assert_int_equal(PB_E_IO, pb_audit_log_add(room->audit, "b7", NULL, &error));
    for (uint32_t calls = 0; calls < 2; calls++) { /* salts, then the key of the month */
        left = calls;
        assert_int_equal(PB_E_IO, room_append(room->audit, "a42", 1, &index, &error));
        assert_int_equal(77, index);
    }
    left = 2;
    must(room_append(room->audit, "a42", 1, &index, &error), &error);
    assert_int_equal(0, index);
    close_room(room);
}

/* ---- keys ---- */

static void
keys_that_are_missing_or_anothers_are_named(void **state)
{
    static const char other[] = "PRIVATE+KEY+logs.example/agency/a42+";
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    size_t count = 0, other_count = 0;
    uint8_t *key, *another;

    append_many(room, 0, 1);
    set_aside(room, ROOM_KEYS "/a42.key");
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    assert_non_null(strstr(error.message, "signing key"));
    put_back(room, ROOM_KEYS "/a42.key");
    key = get_file(room, ROOM_KEYS, "a42.key", &count);
    assert_memory_equal(other, key, sizeof(other) - 1);
    another = get_file(room, ROOM_KEYS, "operator.key", &other_count);
    put_file(room, ROOM_KEYS, "a42.key", another, other_count);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    /* The right name, and the seed of another. */
    memcpy(another, key, count);
    another[count - 20] = another[count - 20] == 'A' ? 'B' : 'A';
    put_file(room, ROOM_KEYS, "a42.key", another, count);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    memcpy(another, key, count);
    another[count - 1] = 'x';
    put_file(room, ROOM_KEYS, "a42.key", another, count);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    memcpy(another, key, count);
    another[count - 45] = 'B'; /* another type */
    put_file(room, ROOM_KEYS, "a42.key", another, count);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    another[count - 45] = '!';
    put_file(room, ROOM_KEYS, "a42.key", another, count);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    put_file(room, ROOM_KEYS, "a42.key", key, count);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    pb_free(&room->env, key);
    pb_free(&room->env, another);
}

static void
heads_that_are_missing_stop_a_writer_and_no_reader(void **state)
{
    struct room *room = *state;
    struct pb_audit_options reading = { .is_read_only = true };
    struct pb_error error = { .message = "" };

    append_many(room, 0, 3);
    close_room(room);
    for (int i = 0; i < 2; i++) {
        const char *path = i == 0 ? ROOM_KEYS "/heads.0" : ROOM_KEYS "/heads.1";

        set_aside(room, path);
        assert_int_equal(PB_E_CORRUPT, open_it(room, &error));
        assert_non_null(strstr(error.message, "heads"));
        must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &reading, &room->audit, &error),
             &error);
        assert_reads(room, 3);
        close_room(room);
        put_back(room, path);
    }
    /* One in the place of the other is none. */
    set_aside(room, ROOM_KEYS "/heads.0");
    {
        size_t count = 0;
        uint8_t *bytes = get_file(room, ROOM_KEYS, "heads.1", &count);

        put_file(room, ROOM_KEYS, "heads.0", bytes, count);
        put_file(room, ROOM_KEYS, "heads.1", "", 0);
        pb_free(&room->env, bytes);
    }
    assert_int_equal(PB_E_CORRUPT, open_it(room, &error));
    room->audit = NULL;
}

static void
terms_that_are_over_are_destroyed_however_many_and_nothing_else(void **state)
{
    static const char *const others[] = { "1969-12", "1971-13", "1971-00",     "1971-1",
                                          "never",   "71-01",   "1971-01.bak", "x" };
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint64_t terms = 0;
    uint8_t key[PB_TERM_KEY_BYTES];

    for (uint32_t month = 0; month < 150; month++)
        must(pb_keys_term(room->audit->keys, month, true, key, &error), &error);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        put_file(room, ROOM_KEYS "/terms", others[i], "x", 1);
    must(room->env.files->mkdir(room->env.file_context, ROOM_KEYS "/terms/1970-01x", &error),
         &error);
    must(pb_audit_destroy_expired(room->audit, pb_time_month_start_us(140), &terms, &error),
         &error);
    assert_int_equal(140, terms);
    for (uint32_t month = 0; month < 150; month++)
        assert_int_equal(month < 140 ? PB_NOT_FOUND : PB_OK,
                         pb_keys_term(room->audit->keys, month, false, key, &error));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char path[128];
        uint64_t size;

        (void)snprintf(path, sizeof(path), ROOM_KEYS "/terms/%s", others[i]);
        assert_true(sim_fs_file_size(room->fs, path, &size));
    }
    must(room->env.files->rename(room->env.file_context, ROOM_KEYS "/terms", ROOM_KEYS "/gone",
                                 &error),
         &error);
    assert_int_equal(PB_E_CORRUPT,
                     pb_audit_destroy_expired(room->audit, room->now_us, &terms, &error));
    assert_null(pb_keys_head(room->audit->keys,
                             "an-id-that-is-longer-than-any-id-of-a-log-can-be-0123456789012345"));
}

/* ---- heads older than what is kept ---- */

static void
older_heads_must_be_extended_too(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint8_t *old[2];
    size_t counts[2];
    static const char *const names[2] = { "heads.0", "heads.1" };

    append_many(room, 0, 300);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    close_room(room);
    for (int i = 0; i < 2; i++)
        old[i] = get_file(room, ROOM_KEYS, names[i], &counts[i]);
    open_room(room);
    append_many(room, 300, 300);
    must(pb_audit_backup(room->audit, "data/aside", &error), &error); /* all is kept */
    close_room(room);
    for (int i = 0; i < 2; i++)
        put_file(room, ROOM_KEYS, names[i], old[i], counts[i]);
    open_room(room);
    assert_reads(room, 600);
    close_room(room);
    /* Now they speak of another tree of that size. */
    for (int i = 0; i < 2; i++) {
        old[i][counts[i] - 8 - (1 + 8 + 8 + 32) - 1] ^= 1; /* last byte of a42's root */
        for (size_t at = 0; at < 8; at++)
            old[i][counts[i] - 8 + at] = 0;
        {
            uint64_t sum = pb_hash_bytes(old[i], counts[i] - 8);

            for (size_t at = 0; at < 8; at++)
                old[i][counts[i] - 8 + at] = (uint8_t)(sum >> 8 * at);
        }
        put_file(room, ROOM_KEYS, names[i], old[i], counts[i]);
        pb_free(&room->env, old[i]);
    }
    assert_int_equal(PB_E_CORRUPT, open_it(room, &error));
    assert_non_null(strstr(error.message, "it was changed"));
    room->audit = NULL;
}

static void
a_log_of_which_only_the_heads_know_is_missed(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint64_t index;

    must(pb_audit_backup(room->audit, "data/backup", &error), &error);
    must(pb_audit_log_add(room->audit, "b7", NULL, &error), &error);
    close_room(room);
    /* One without leaves is nobody's loss. */
    must(pb_audit_open(&room->env, "data/backup", ROOM_KEYS, &by_hand, &room->audit, &error),
         &error);
    close_room(room);
    open_room(room);
    must(room_append(room->audit, "b7", 1, &index, &error), &error);
    close_room(room);
    assert_int_equal(PB_E_CORRUPT, pb_audit_open(&room->env, "data/backup", ROOM_KEYS, &by_hand,
                                                 &room->audit, &error));
    assert_non_null(strstr(error.message, "'b7' is missing"));
    room->audit = NULL;
}

/* ---- journals ---- */

/* Puts one record into the journal of a closed room, and opens it again. */
static enum pb_status
open_with_record(struct room *room, const char *log, uint64_t index, const char *text,
                 size_t cut_bytes, struct pb_error *error)
{
    struct pb_record_leaf leaf = { .log = pb_str_from(log),
                                   .index = index,
                                   .leaf = pb_str_from(text) };
    uint8_t payload[512], *at = pb_record_leaf_begin(&leaf, payload);
    struct sim_fs *before = sim_fs_clone(room->fs);
    struct pb_log_record record;
    enum pb_status status;

    memcpy(at, text, strlen(text));
    open_room(room);
    assert_int_equal(PB_OK, pb_journal_need(room->audit, error));
    record =
        (struct pb_log_record){ .commit = room->audit->commit + 1,
                                .payload = payload,
                                .payload_bytes = (size_t)(at - payload) + strlen(text) - cut_bytes,
                                .count = 1 };
    assert_int_equal(PB_OK, pb_log_append(room->audit->journal, &record, 1, error));
    close_room(room);
    status = open_it(room, error);
    if (status == PB_OK)
        close_room(room);
    sim_fs_free(room->fs);
    room->fs = before;
    room->env = sim_fs_env(before);
    room->env.now_us = room_now_us;
    room->env.clock_context = room;
    room->audit = NULL;
    return status;
}

static void
journals_that_do_not_fit_the_logs_are_corrupt(void **state)
{
    static const char text[] = "{\"v\":1,\"t\":1767225600123,\"ev\":\"query\",\"c\":{}}";
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 3);
    close_room(room);
    assert_int_equal(PB_OK, open_with_record(room, "a42", 3, text, 0, &error));
    assert_int_equal(PB_E_CORRUPT, open_with_record(room, "a42", 4, text, 0, &error));
    assert_int_equal(PB_E_CORRUPT, open_with_record(room, "a42", 2, text, 0, &error));
    assert_int_equal(PB_E_CORRUPT, open_with_record(room, "b7", 0, text, 0, &error));
    assert_int_equal(PB_E_CORRUPT, open_with_record(room, "a42", 3, "no leaf", 0, &error));
    assert_int_equal(PB_E_CORRUPT, open_with_record(room, "a42", 3, text, 1, &error));
}

static void
a_leaf_whose_openings_were_never_written_is_corrupt(void **state)
{
    static const char text[] = "{\"v\":1,\"t\":1767225600123,\"ev\":\"query\",\"c\":{\"plate\":"
                               "\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"}}";
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_record_leaf leaf = { .log = pb_str_from("a42"), .leaf = pb_str_from(text) };
    uint8_t payload[512], *at = pb_record_leaf_begin(&leaf, payload);
    struct pb_log_record record = { .payload = payload, .count = 1 };
    struct seen seen = { 0 };

    memcpy(at, text, strlen(text));
    must(pb_journal_need(room->audit, &error), &error);
    record.commit = room->audit->commit + 1;
    record.payload_bytes = (size_t)(at - payload) + strlen(text);
    must(pb_log_append(room->audit->journal, &record, 1, &error), &error);
    close_room(room);
    open_room(room);
    assert_int_equal(PB_E_CORRUPT, pb_audit_read(room->audit, &filter, check_entry, &seen, &error));
}

static void
what_cannot_be_published_is_bounded(void **state)
{
    static struct pb_audit_secret secrets[PB_AUDIT_FIELDS_MAX];
    static char names[PB_AUDIT_FIELDS_MAX][8], value[PB_AUDIT_SECRET_BYTES_MAX];
    static struct pb_audit_leaf leaves[100];
    static uint64_t indices[100];
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    enum pb_status status = PB_OK;
    uint32_t rounds = 0;

    for (uint32_t i = 0; i < PB_AUDIT_FIELDS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%u", i);
        secrets[i] = (struct pb_audit_secret){ names[i], { value, sizeof(value) } };
    }
    for (uint32_t i = 0; i < 100; i++)
        leaves[i] = (struct pb_audit_leaf){ .log = "a42",
                                            .event = "x",
                                            .secrets = secrets,
                                            .secret_count = PB_AUDIT_FIELDS_MAX,
                                            .keep_openings_us = PB_NEVER };
    while (status == PB_OK && rounds++ < 20)
        status = pb_audit_append(room->audit, leaves, 100, indices, &error);
    assert_int_equal(PB_E_FULL, status);
    assert_in_range(rounds, 5, 8);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    must(pb_audit_append(room->audit, leaves, 100, indices, &error), &error);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_verifies(room, (rounds - 1) * 100 + 100);
}

/* ---- reading beside a writer ---- */

struct restless {
    struct pb_file_ops files;
    const struct pb_file_ops *base;
    void *base_context;
    struct room *writer;
    uint32_t opens, act_at; /* 0: at each opening of `state` */
    bool is_acting;
};

static void
keep_more(struct room *room)
{
    struct pb_error error = { .message = "" };
    uint64_t index;

    must(room_append(room->audit, "operator", 1, &index, &error), &error);
    (void)pthread_mutex_lock(&room->audit->integrating);
    must(pb_publish_keep(room->audit, &error), &error);
    (void)pthread_mutex_unlock(&room->audit->integrating);
}

static enum pb_status
restless_open(void *context, const char *path, enum pb_open_mode mode, struct pb_file **ret_file,
              struct pb_error *error)
{
    struct restless *restless = context;
    bool is_time = restless->act_at == 0 ? strstr(path, "/state") != NULL
                                         : ++restless->opens == restless->act_at;

    if (is_time && !restless->is_acting) {
        restless->is_acting = true;
        keep_more(restless->writer);
        restless->is_acting = false;
    }
    return restless->base->open(restless->base_context, path, mode, ret_file, error);
}

#define PASS(name, parameters, arguments)            \
    static enum pb_status restless_##name parameters \
    {                                                \
        struct restless *restless = context;         \
                                                     \
        return restless->base->name arguments;       \
    }

PASS(read,
     (void *context, struct pb_file *file, uint64_t offset, void *bytes, size_t count,
      struct pb_error *error),
     (restless->base_context, file, offset, bytes, count, error))
PASS(size, (void *context, struct pb_file *file, uint64_t *ret_size, struct pb_error *error),
     (restless->base_context, file, ret_size, error))
PASS(map,
     (void *context, struct pb_file *file, uint64_t size, const void **ret_bytes,
      struct pb_error *error),
     (restless->base_context, file, size, ret_bytes, error))
PASS(list,
     (void *context, const char *path, pb_list_fn *each, void *each_context,
      struct pb_error *error),
     (restless->base_context, path, each, each_context, error))

static void
restless_close(void *context, struct pb_file *file)
{
    struct restless *restless = context;

    restless->base->close(restless->base_context, file);
}

static void
restless_unmap(void *context, const void *bytes, uint64_t size)
{
    struct restless *restless = context;

    restless->base->unmap(restless->base_context, bytes, size);
}

static void
make_restless(struct room *room, struct restless *restless, struct pb_env *ret_env)
{
    memset(restless, 0, sizeof(*restless));
    restless->base = room->env.files;
    restless->base_context = room->env.file_context;
    restless->writer = room;
    restless->files = (struct pb_file_ops){
        .open = restless_open,
        .close = restless_close,
        .read = restless_read,
        .size = restless_size,
        .map = restless_map,
        .unmap = restless_unmap,
        .list = restless_list,
    };
    *ret_env = room->env;
    ret_env->files = &restless->files;
    ret_env->file_context = restless;
}

static void
a_reader_sees_everything_whenever_the_writer_keeps(void **state)
{
    struct room *room = *state;
    struct pb_audit_options reading = { .is_read_only = true };
    struct pb_error error = { .message = "" };
    struct restless restless;
    struct pb_env env;
    uint32_t size = 5;

    append_many(room, 0, size);
    for (uint32_t act_at = 1; act_at < 30; act_at++) {
        struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
        struct seen seen = { 0 };
        struct pb_audit *reader = NULL;

        append_many(room, size, 1); /* pending in the journal */
        size++;
        make_restless(room, &restless, &env);
        restless.act_at = act_at;
        must(pb_audit_open(&env, ROOM_PATH, ROOM_KEYS, &reading, &reader, &error), &error);
        must(pb_audit_read(reader, &filter, check_entry, &seen, &error), &error);
        assert_int_equal(size, seen.count);
        must(pb_audit_close(reader, &error), &error);
    }
}

static void
a_reader_gives_up_beside_a_writer_that_never_rests(void **state)
{
    struct room *room = *state;
    struct pb_audit_options reading = { .is_read_only = true };
    struct pb_error error = { .message = "" };
    struct restless restless;
    struct pb_audit *reader = NULL;
    struct pb_env env;

    append_many(room, 0, 5);
    make_restless(room, &restless, &env);
    assert_int_equal(PB_E_BUSY,
                     pb_audit_open(&env, ROOM_PATH, ROOM_KEYS, &reading, &reader, &error));
}

/* ---- beginning again, with faults ---- */

static void
a_restart_that_is_interrupted_can_be_repeated(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint64_t fail_at = 0;
    bool is_over = false;

    append_many(room, 0, 5);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    append_many(room, 5, 2);
    close_room(room);
    while (!is_over) {
        struct sim_fs *fs = sim_fs_clone(room->fs);
        struct pb_env plain = sim_fs_env(fs);
        struct fault_env fault;
        struct pb_audit *audit = NULL;
        uint64_t index;
        enum pb_status status;

        fault_env_init(&fault, &plain);
        fault.fail_file_call_at = ++fail_at;
        status = pb_audit_restart(&fault.env, ROOM_PATH, ROOM_KEYS, NULL, "a42", &error);
        is_over = fault.failure_count == 0;
        assert_true(fault_env_is_clean(&fault));
        if (is_over)
            must(status, &error);
        if (status != PB_OK)
            must(pb_audit_restart(&plain, ROOM_PATH, ROOM_KEYS, NULL, "a42", &error), &error);
        must(pb_audit_open(&plain, ROOM_PATH, ROOM_KEYS, &by_hand, &audit, &error), &error);
        must(room_append(audit, "a42", 9, &index, &error), &error);
        assert_true(index >= 1);
        must(pb_audit_close(audit, &error), &error);
        sim_fs_free(fs);
    }
    assert_true(fail_at > 50);
}

static void
a_restart_without_memory_changes_nothing_for_good(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    append_many(room, 0, 5);
    close_room(room);
    while (status != PB_OK) {
        struct fault_env fault;

        fault_env_init(&fault, &room->env);
        fault.fail_allocation_at = ++fail_at;
        status = pb_audit_restart(&fault.env, ROOM_PATH, ROOM_KEYS, NULL, "a42", &error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_true(fail_at > 20);
}

static void
origins_are_counted_up_and_have_an_end(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char origin[PB_NOTE_NAME_BYTES_MAX + 1];

    memset(origin, 'x', sizeof(origin));
    origin[PB_NOTE_NAME_BYTES_MAX] = '\0';
    must(pb_audit_log_add(room->audit, "long", origin, &error), &error);
    must(pb_audit_log_add(room->audit, "one", "logs.example/1", &error), &error);
    close_room(room);
    assert_int_equal(PB_OVER_LIMIT,
                     pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, NULL, "long", &error));
    must(pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, NULL, "one", &error), &error);
    open_room(room);
    assert_string_equal("logs.example/1/2",
                        pb_audit_find(room->audit, pb_str_from("one"))->key.name);
}

/* ---- witnesses over a connection ---- */

struct server {
    int listening;
    uint16_t port;
    const char *answer; /* NULL: says nothing and closes */
    size_t repeats;     /* of the answer's last line */
    char request[4096];
    size_t request_bytes;
};

static void *
serve_one(void *context)
{
    struct server *server = context;
    int connection = accept(server->listening, NULL, NULL);

    if (connection < 0)
        return NULL;
    /* The body ends with these words: see below. */
    while (server->request_bytes < sizeof(server->request) - 1) {
        ssize_t got = recv(connection, server->request + server->request_bytes,
                           sizeof(server->request) - 1 - server->request_bytes, 0);

        if (got <= 0)
            break;
        server->request_bytes += (size_t)got;
        server->request[server->request_bytes] = '\0';
        if (strstr(server->request, "the end\n") != NULL)
            break;
    }
    if (server->answer != NULL) {
        (void)send(connection, server->answer, strlen(server->answer), MSG_NOSIGNAL);
        for (size_t i = 0; i < server->repeats; i++)
            (void)send(connection, "0123456789abcdef", 16, MSG_NOSIGNAL);
    }
    (void)shutdown(connection, SHUT_RDWR);
    (void)close(connection);
    return NULL;
}

static void
listen_somewhere(struct server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof(address);

    server->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(server->listening >= 0);
    assert_int_equal(0, bind(server->listening, (struct sockaddr *)&address, sizeof(address)));
    assert_int_equal(0, listen(server->listening, 1));
    assert_int_equal(0, getsockname(server->listening, (struct sockaddr *)&address, &bytes));
    server->port = ntohs(address.sin_port);
}

static enum pb_status
post_to_server(const char *answer, size_t repeats, struct pb_witness_reply *reply, char *request,
               size_t request_bytes)
{
    struct server server = { .answer = answer, .repeats = repeats };
    struct pb_error error = { .message = "" };
    pthread_t thread;
    char url[64];
    enum pb_status status;

    listen_somewhere(&server);
    assert_int_equal(0, pthread_create(&thread, NULL, serve_one, &server));
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/add-checkpoint", server.port);
    status = pb_witness_post_http(NULL, url, pb_str_from("old 0\n\nthe end\n"), reply, &error);
    assert_int_equal(0, pthread_join(thread, NULL));
    (void)close(server.listening);
    if (request != NULL)
        (void)snprintf(request, request_bytes, "%s", server.request);
    return status;
}

static void
a_witness_is_asked_over_http(void **state)
{
    static struct pb_witness_reply reply;
    char request[4096];

    (void)state;
    assert_int_equal(PB_OK, post_to_server("HTTP/1.1 409 Conflict\r\nContent-Type: "
                                           "Text/X.TLog.Size; charset=utf-8\r\nContent-Length: "
                                           "3\r\n\r\n17\n",
                                           0, &reply, request, sizeof(request)));
    assert_int_equal(409, reply.http_status);
    assert_string_equal("text/x.tlog.size", reply.content_type);
    assert_int_equal(3, reply.body_bytes);
    assert_memory_equal("17\n", reply.body, 3);
    assert_non_null(strstr(request, "POST /add-checkpoint HTTP/1.1\r\n"));
    assert_non_null(strstr(request, "\r\n\r\nold 0\n\nthe end\n"));
    /* Without a type; and without following an address elsewhere. */
    assert_int_equal(PB_OK, post_to_server("HTTP/1.1 302 Found\r\nLocation: https://x.example/\r\n"
                                           "Content-Length: 0\r\n\r\n",
                                           0, &reply, NULL, 0));
    assert_int_equal(302, reply.http_status);
    assert_string_equal("", reply.content_type);
}

/* However the type is written, what is kept of it is its name, as far as there is room. */
static void
the_type_of_an_answer_is_its_name_alone(void **state)
{
    static const struct {
        const char *header, *type;
    } cases[] = {
        { "Content-Type: Text/Plain\r\n", "text/plain" },
        { "Content-Type: text/plain;charset=utf-8\r\n", "text/plain" },
        { "Content-Type: text/plain charset=utf-8\r\n", "text/plain" },
        { "", "" },
    };
    static struct pb_witness_reply reply;
    char text[1024], type[512];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n",
                       cases[i].header);
        assert_int_equal(PB_OK, post_to_server(text, 0, &reply, NULL, 0));
        assert_string_equal(cases[i].type, reply.content_type);
    }
    memset(type, 't', sizeof(type) - 1);
    type[sizeof(type) - 1] = '\0';
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 0\r\n\r\n", type);
    assert_int_equal(PB_OK, post_to_server(text, 0, &reply, NULL, 0));
    assert_int_equal(sizeof(reply.content_type) - 1, strlen(reply.content_type));
}

/* ---- memory of libcurl: each of its allocations counts, and one of them fails ---- */

static uint32_t curl_allocations, curl_fails_at; /* from 1; 0: none */

static bool
curl_may(void)
{
    return ++curl_allocations != curl_fails_at;
}

static void *
curl_malloc(size_t bytes)
{
    return curl_may() ? malloc(bytes) : NULL;
}

static void
curl_release(void *memory)
{
    free(memory);
}

static void *
curl_realloc(void *memory, size_t bytes)
{
    return curl_may() ? realloc(memory, bytes) : NULL;
}

static char *
curl_copy(const char *text)
{
    return curl_may() ? strdup(text) : NULL;
}

static void *
curl_calloc(size_t count, size_t bytes)
{
    return curl_may() ? calloc(count, bytes) : NULL;
}

/* Nobody listens there: what fails earlier fails for lack of memory, and all of it is told. */
static void
a_witness_is_not_asked_without_memory(void **state)
{
    static struct pb_witness_reply reply;
    uint32_t all;

    (void)state;
    curl_allocations = 0;
    assert_int_equal(PB_E_IO, pb_witness_post_http(NULL, "http://127.0.0.1:1/", pb_str_from("x"),
                                                   &reply, NULL));
    all = curl_allocations;
    assert_in_range(all, 5, 10000);
    for (uint32_t at = 1; at <= all; at++) {
        struct pb_error error = { .message = "" };

        curl_allocations = 0;
        curl_fails_at = at;
        assert_int_equal(PB_E_IO, pb_witness_post_http(NULL, "http://127.0.0.1:1/",
                                                       pb_str_from("x"), &reply, &error));
        assert_int_equal(0, reply.http_status);
        assert_non_null(strstr(error.message, "no answer from witness"));
    }
    curl_fails_at = 0;
}

static void
a_witness_that_says_nothing_or_too_much_is_not_heard(void **state)
{
    static struct pb_witness_reply reply;
    struct pb_error error = { .message = "" };

    (void)state;
    assert_int_equal(PB_E_IO, post_to_server(NULL, 0, &reply, NULL, 0));
    assert_int_equal(PB_E_IO, post_to_server("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n",
                                             125000, &reply, NULL, 0));
    assert_int_equal(PB_E_IO, pb_witness_post_http(NULL, "http://127.0.0.1:1/", pb_str_from("x"),
                                                   &reply, &error));
    assert_true(error.message[0] != '\0');
}

static void
a_witness_elsewhere_is_asked_over_https_alone(void **state)
{
    static const char *const urls[] = { "http://witness.example/",
                                        "http://127.0.0.1.example/",
                                        "http://localhost.example/",
                                        "http://127.0.0.12/",
                                        "http://[::1]0/",
                                        "ftp://127.0.0.1/",
                                        "file:///etc/hostname",
                                        "HTTPS://x/",
                                        "" };
    static struct pb_witness_reply reply;

    (void)state;
    assert_true(pb_witness_url_is_allowed("https://witness.example/"));
    assert_true(pb_witness_url_is_allowed("http://localhost:8080/"));
    assert_true(pb_witness_url_is_allowed("http://[::1]/"));
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct pb_error error = { .message = "" };

        assert_int_equal(PB_E_IO,
                         pb_witness_post_http(NULL, urls[i], pb_str_from("x"), &reply, &error));
        assert_non_null(strstr(error.message, "https"));
    }
}

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, make_room, drop_room)

/* ---- what is not where it should be, or not as it should be ---- */

static void
a_directory_without_logs_is_told_from_one_with_damaged_ones(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .is_read_only = true };
    struct pb_error error = { .message = "" };
    struct pb_audit *other = NULL;

    assert_int_equal(PB_E_NOT_STORE,
                     pb_audit_open(&room->env, "data/none", NULL, &options, &other, &error));
    assert_non_null(strstr(error.message, "holds no audit logs"));
    must(pb_audit_create(&room->env, "data/more//", "data/more-keys/", &error), &error);
    must(pb_audit_open(&room->env, "data/more", NULL, &options, &other, &error), &error);
    must(pb_audit_close(other, &error), &error);
}

static void
a_checkpoint_past_all_sizes_is_none(void **state)
{
    static char large[PB_NOTE_BYTES_MAX + 2];
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_check check;
    struct pb_place place;

    append_many(room, 0, 3);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    memset(large, 'x', sizeof(large));
    must(pb_place_init(&place, &room->env, ROOM_PATH "/public/a42", &error), &error);
    must(pb_place_write(&place, pb_str_from("checkpoint"), 0, large, sizeof(large), &error),
         &error);
    pb_place_done(&place);
    must(pb_audit_verify_log(&room->env, ROOM_PATH "/public/a42", room->vkey, NULL, NULL, NULL,
                             &check, &error),
         &error);
    assert_int_equal(1, check.wrong);
    /* The next leaf's checkpoint takes its place. */
    append_many(room, 3, 1);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_verifies(room, 4);
}

static void
every_field_and_secret_of_a_leaf_is_looked_at(void **state)
{
    struct room *room = *state;
    struct room_leaf leaf;
    struct pb_error error = { .message = "" };
    uint64_t index = 7;

    /* A bad one in front of a good one. */
    room_leaf_init(&leaf, "a42", 0);
    leaf.fields[0].name = "Purpose";
    assert_int_equal(PB_BAD_INPUT, pb_audit_append(room->audit, &leaf.leaf, 1, &index, &error));
    room_leaf_init(&leaf, "a42", 0);
    leaf.secrets[0].name = "pl{te";
    assert_int_equal(PB_BAD_INPUT, pb_audit_append(room->audit, &leaf.leaf, 1, &index, &error));
    room_leaf_init(&leaf, "a42", 0);
    leaf.leaf.secret_count = UINT32_MAX;
    assert_int_equal(PB_OVER_LIMIT, pb_audit_append(room->audit, &leaf.leaf, 1, &index, &error));
    room_leaf_init(&leaf, "a42", 0);
    leaf.leaf.field_count = UINT32_MAX;
    assert_int_equal(PB_OVER_LIMIT, pb_audit_append(room->audit, &leaf.leaf, 1, &index, &error));
    assert_int_equal(7, index);
    room_leaf_init(&leaf, "a42", 0);
    leaf.fields[1].name = "n-2_3";
    must(pb_audit_append(room->audit, &leaf.leaf, 1, &index, &error), &error);
    assert_int_equal(0, index);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(paths_that_are_too_long_are_refused_everywhere),
        ROOM_TEST(a_closing_slash_or_no_directory_at_all_make_no_difference),
        ROOM_TEST(without_random_bytes_nothing_is_made),
        ROOM_TEST(keys_that_are_missing_or_anothers_are_named),
        ROOM_TEST(heads_that_are_missing_stop_a_writer_and_no_reader),
        ROOM_TEST(terms_that_are_over_are_destroyed_however_many_and_nothing_else),
        ROOM_TEST(older_heads_must_be_extended_too),
        ROOM_TEST(a_log_of_which_only_the_heads_know_is_missed),
        ROOM_TEST(journals_that_do_not_fit_the_logs_are_corrupt),
        ROOM_TEST(a_leaf_whose_openings_were_never_written_is_corrupt),
        ROOM_TEST(what_cannot_be_published_is_bounded),
        ROOM_TEST(a_reader_sees_everything_whenever_the_writer_keeps),
        ROOM_TEST(a_reader_gives_up_beside_a_writer_that_never_rests),
        ROOM_TEST(a_restart_that_is_interrupted_can_be_repeated),
        ROOM_TEST(a_restart_without_memory_changes_nothing_for_good),
        ROOM_TEST(origins_are_counted_up_and_have_an_end),
        cmocka_unit_test(a_witness_is_asked_over_http),
        cmocka_unit_test(the_type_of_an_answer_is_its_name_alone),
        cmocka_unit_test(a_witness_is_not_asked_without_memory),
        cmocka_unit_test(a_witness_that_says_nothing_or_too_much_is_not_heard),
        cmocka_unit_test(a_witness_elsewhere_is_asked_over_https_alone),
        ROOM_TEST(a_directory_without_logs_is_told_from_one_with_damaged_ones),
        ROOM_TEST(a_checkpoint_past_all_sizes_is_none),
        ROOM_TEST(every_field_and_secret_of_a_leaf_is_looked_at),
    };

    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_release, curl_realloc,
                             curl_copy, curl_calloc) != CURLE_OK)
        return 1;
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
