/*
 * Audit logs as others use them: create, append, publish, read, prove, verify.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "audit/encode.h"
#include "base/base64.h"
#include "base/limits.h"
#include "support/fault_env.h"

/* ---- */

static void
what_is_appended_is_read_back_and_verifies(void **state)
{
    static const uint32_t sizes[] = { 1, 2, 255, 256, 257, 511, 600, 1300 };
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    uint32_t size = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        append_many(room, size, sizes[i] - size);
        size = sizes[i];
        assert_reads(room, size);
        must(pb_audit_publish(room->audit, NULL, &error), &error);
        assert_verifies(room, size);
        assert_reads(room, size);
        reopen(room);
        assert_reads(room, size);
        must(pb_audit_publish(room->audit, NULL, &error), &error);
        assert_verifies(room, size);
    }
}

static void
a_proof_proves_its_leaf_and_nothing_else(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 300);
    for (uint64_t index = 0; index < 300; index += 37) {
        for (int with_openings = 0; with_openings < 2; with_openings++) {
            char *text = NULL;
            struct pb_str proof;

            must(pb_audit_prove(room->audit, "a42", index, with_openings == 1, &text, &error),
                 &error);
            proof = pb_str_from(text);
            must(pb_audit_verify_proof(&room->env, proof, room->vkey, &error), &error);
            pb_free(&room->env, text);
        }
    }
}

/* Holds a proof of consistency against two checkpoints, as its page says that it is written. */
static void
assert_extends(const char *text, uint64_t old_size, const struct pb_hash *old_root,
               const struct pb_vkey *key)
{
    struct pb_str rest = pb_str_from(text), line;
    struct pb_tree_proof proof = { .count = 0 };
    struct pb_checkpoint checkpoint;
    char first[40];

    (void)snprintf(first, sizeof(first), "old %llu", (unsigned long long)old_size);
    assert_int_equal(PB_OK, pb_next_line(&rest, &line));
    assert_true(pb_str_equal(line, pb_str_from(first)));
    for (;;) {
        assert_int_equal(PB_OK, pb_next_line(&rest, &line));
        if (line.bytes == 0)
            break;
        assert_int_equal(PB_OK, pb_base64_decode_exact(line, proof.hashes[proof.count++].bytes,
                                                       PB_HASH_BYTES));
    }
    assert_int_equal(PB_OK, pb_checkpoint_open(rest, key, &checkpoint, NULL, NULL));
    assert_int_equal(PB_OK, pb_tree_verify_consistency(old_size, checkpoint.size, old_root,
                                                       &checkpoint.root, &proof));
}

static void
a_log_proves_that_it_extends_what_it_was(void **state)
{
    struct room *room = *state;
    struct pb_audit_log *log = pb_audit_find(room->audit, pb_str_from("a42"));
    struct pb_error error = { .message = "" };
    struct pb_tree_edge edge;
    struct pb_hash roots[4];
    uint64_t sizes[4];
    struct pb_vkey key;
    char *text = NULL;

    assert_int_equal(PB_OK, pb_vkey_parse(pb_str_from(room->vkey), &key, &error));
    memset(&edge, 0, sizeof(edge));
    for (uint32_t i = 0; i < 4; i++) {
        append_many(room, i * 100, 100);
        for (uint32_t j = 0; j < 100; j++) {
            struct pb_str leaf = log->pending[i * 100 + j].leaf;
            struct pb_hash hash;

            pb_tree_hash_leaf(leaf.text, leaf.bytes, &hash);
            pb_tree_edge_add(&edge, &hash);
        }
        sizes[i] = edge.size;
        pb_tree_edge_root(&edge, &roots[i]);
    }
    for (uint32_t i = 0; i < 4; i++) {
        must(pb_audit_prove_consistency(room->audit, "a42", sizes[i], &text, &error), &error);
        assert_extends(text, sizes[i], &roots[i], &key);
        pb_free(&room->env, text);
        text = NULL;
    }
    /* Nothing is extended by all; more than there is, by nothing. */
    must(pb_audit_prove_consistency(room->audit, "a42", 0, &text, &error), &error);
    pb_free(&room->env, text);
    text = NULL;
    assert_int_equal(PB_NOT_FOUND,
                     pb_audit_prove_consistency(room->audit, "a42", 401, &text, &error));
    assert_int_equal(PB_NOT_FOUND,
                     pb_audit_prove_consistency(room->audit, "nobody", 1, &text, &error));
    assert_null(text);
}

static void
proofs_without_memory_are_none(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_error error = { .message = "" };
    struct fault_env fault;

    append_many(room, 0, 300);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    close_room(room);
    fault_env_init(&fault, &room->env);
    must(pb_audit_open(&fault.env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    for (int kind = 0; kind < 2; kind++) {
        enum pb_status status = PB_E_NOMEM;
        uint32_t at = 0;

        while (status != PB_OK) {
            char *text = NULL;

            fault.fail_allocation_at = fault.allocation_count + ++at;
            status = kind == 0 ? pb_audit_prove(room->audit, "a42", 7, true, &text, &error)
                               : pb_audit_prove_consistency(room->audit, "a42", 7, &text, &error);
            fault.fail_allocation_at = 0;
            assert_true(status == PB_OK || status == PB_E_NOMEM);
            assert_true((status == PB_OK) == (text != NULL));
            pb_free(&fault.env, text);
        }
        assert_in_range(at, 4, 100);
    }
    close_room(room);
    assert_true(fault_env_is_clean(&fault));
}

/* To prove a leaf its checkpoint must be there; that it cannot be written is told. */
static void
a_leaf_that_cannot_be_published_has_no_proof(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_error error = { .message = "" };
    struct fault_env fault;
    char *text = NULL;

    append_many(room, 0, 3);
    close_room(room);
    fault_env_init(&fault, &room->env);
    must(pb_audit_open(&fault.env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    append_many(room, 3, 1);
    fault.fail_file_mask = FAULT_RENAME;
    fault.fail_file_call_at = 1;
    fault.is_file_failure_lasting = true;
    assert_int_equal(PB_E_IO, pb_audit_prove(room->audit, "a42", 3, true, &text, &error));
    assert_null(text);
    fault.fail_file_call_at = 0;
    must(pb_audit_prove(room->audit, "a42", 3, true, &text, &error), &error);
    pb_free(&fault.env, text);
    close_room(room);
    assert_true(fault_env_is_clean(&fault));
}

/* A reader sees the checkpoint of a writer beside it, which is newer than what it has read. */
static void
a_reader_that_is_behind_proves_no_leaf_that_it_has_not_read(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .is_read_only = true };
    struct pb_error error = { .message = "" };
    struct pb_audit *reader = NULL;
    char *text = NULL;

    append_many(room, 0, 3);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &reader, &error), &error);
    append_many(room, 3, 1);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_int_equal(PB_NOT_FOUND, pb_audit_prove(reader, "a42", 3, false, &text, &error));
    must(pb_audit_prove(reader, "a42", 2, true, &text, &error), &error);
    must(pb_audit_verify_proof(&room->env, pb_str_from(text), room->vkey, &error), &error);
    pb_free(&room->env, text);
    must(pb_audit_close(reader, &error), &error);
}

/* ---- what is taken ---- */

static void
leaves_that_cannot_be_are_refused_and_nothing_is_recorded(void **state)
{
    static const char long_text[PB_AUDIT_SECRET_BYTES_MAX + 2] = { 'x' };
    const struct {
        const char *log, *event, *field, *text, *secret;
        uint32_t secret_bytes;
        enum pb_status status;
    } cases[] = {
        { "a42", "query", "purpose", "fine", "plate", 3, PB_OK },
        { "a42", "query", "purpose", "", "plate", 0, PB_OK },
        { "a42", "query", "purpose", "quote \" and \\ back", "plate", 3, PB_OK },
        { "a42", "query", "purpose", "\xc3\xbc", "plate", PB_AUDIT_SECRET_BYTES_MAX, PB_OK },
        { "nobody", "query", "purpose", "x", "plate", 3, PB_NOT_FOUND },
        { "", "query", "purpose", "x", "plate", 3, PB_NOT_FOUND },
        { "a42", "", "purpose", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "Query", "purpose", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "q\"", "purpose", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "v", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "t", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "ev", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "c", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "1st", "x", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "purpose", "a\nb", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "purpose",
          "a\xe2\x80\xae"
          "b",
          "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "purpose", "\xff", "plate", 3, PB_BAD_INPUT },
        { "a42", "query", "purpose", "x", "Plate", 3, PB_BAD_INPUT },
        { "a42", "query", "purpose", "x", "", 3, PB_BAD_INPUT },
        { "a42", "query", "purpose", "x", "a-name-of-more-than-thirty-two-bytes", 3, PB_BAD_INPUT },
        { "a42", "query", "purpose", "x", "plate", PB_AUDIT_SECRET_BYTES_MAX + 1, PB_OVER_LIMIT },
    };
    struct room *room = *state;
    uint64_t taken = 0;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_audit_field field = { .name = cases[i].field,
                                        .kind = PB_AUDIT_FIELD_TEXT,
                                        .text = pb_str_from(cases[i].text) };
        struct pb_audit_secret secret = { cases[i].secret, { long_text, cases[i].secret_bytes } };
        struct pb_audit_leaf leaf = { .log = cases[i].log,
                                      .event = cases[i].event,
                                      .fields = &field,
                                      .field_count = 1,
                                      .secrets = &secret,
                                      .secret_count = 1 };
        struct pb_error error = { .message = "" };
        uint64_t index = 77;
        enum pb_status status = pb_audit_append(room->audit, &leaf, 1, &index, &error);

        if (status != cases[i].status)
            fail_msg("case %zu: %s: %s", i, pb_status_name(status), error.message);
        assert_int_equal(status == PB_OK ? taken : 77, index);
        taken += status == PB_OK;
        assert_true(status == PB_OK || error.message[0] != '\0');
    }
}

/* A leaf of so many fields and secrets; names are made. */
static enum pb_status
append_wide(struct room *room, uint32_t fields, uint32_t secrets, uint32_t text_bytes,
            bool has_twins)
{
    static char names[PB_AUDIT_FIELDS_MAX + 1][8];
    static char text[300];
    struct pb_audit_field made[PB_AUDIT_FIELDS_MAX + 1];
    struct pb_audit_secret hidden[PB_AUDIT_FIELDS_MAX + 1];
    struct pb_audit_leaf leaf = { .log = "a42",
                                  .event = "query",
                                  .fields = made,
                                  .field_count = fields,
                                  .secrets = hidden,
                                  .secret_count = secrets,
                                  .keep_openings_us = PB_NEVER };
    uint64_t index;

    memset(text, 'x', sizeof(text));
    for (uint32_t i = 0; i <= PB_AUDIT_FIELDS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%u", has_twins && i == 1 ? 0 : i);
        made[i] =
            (struct pb_audit_field){ .name = names[i],
                                     .kind = i % 2 == 0 ? PB_AUDIT_FIELD_TEXT : PB_AUDIT_FIELD_HASH,
                                     .text = { text, text_bytes } };
        hidden[i] = (struct pb_audit_secret){ names[i], { text, text_bytes } };
    }
    return pb_audit_append(room->audit, &leaf, 1, &index, NULL);
}

static void
leaves_have_limits(void **state)
{
    static struct pb_audit_leaf many[4097];
    static uint64_t indices[4097];
    struct room *room = *state;

    assert_int_equal(PB_OK, append_wide(room, 32, 32, 8, false));
    assert_int_equal(PB_OVER_LIMIT, append_wide(room, 33, 0, 8, false));
    assert_int_equal(PB_OVER_LIMIT, append_wide(room, 0, 33, 8, false));
    assert_int_equal(PB_OK, append_wide(room, 1, 0, 256, false));
    assert_int_equal(PB_OVER_LIMIT, append_wide(room, 1, 0, 257, false));
    assert_int_equal(PB_OVER_LIMIT, append_wide(room, 32, 32, 200, false)); /* the whole leaf */
    assert_int_equal(PB_BAD_INPUT, append_wide(room, 2, 0, 8, true));
    assert_int_equal(PB_BAD_INPUT, append_wide(room, 0, 2, 8, true));

    for (uint32_t i = 0; i < 4097; i++)
        many[i] = (struct pb_audit_leaf){ .log = "a42", .event = "x" };
    assert_int_equal(PB_OK, pb_audit_append(room->audit, many, 0, indices, NULL));
    assert_int_equal(PB_OVER_LIMIT, pb_audit_append(room->audit, many, 4097, indices, NULL));
    assert_int_equal(PB_OK, pb_audit_append(room->audit, many, 4096, indices, NULL));
    assert_int_equal(2 + 4095, indices[4095]);
}

static void
an_append_of_too_many_bytes_is_refused(void **state)
{
    static struct pb_audit_leaf leaves[200];
    static struct pb_audit_secret secrets[PB_AUDIT_FIELDS_MAX];
    static char names[PB_AUDIT_FIELDS_MAX][8], value[PB_AUDIT_SECRET_BYTES_MAX];
    static uint64_t indices[200];
    struct room *room = *state;

    for (uint32_t i = 0; i < PB_AUDIT_FIELDS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%u", i);
        secrets[i] = (struct pb_audit_secret){ names[i], { value, sizeof(value) } };
    }
    for (uint32_t i = 0; i < 200; i++)
        leaves[i] = (struct pb_audit_leaf){ .log = "a42",
                                            .event = "x",
                                            .secrets = secrets,
                                            .secret_count = PB_AUDIT_FIELDS_MAX,
                                            .keep_openings_us = PB_NEVER };
    assert_int_equal(PB_OVER_LIMIT, pb_audit_append(room->audit, leaves, 200, indices, NULL));
    assert_int_equal(PB_OK, pb_audit_append(room->audit, leaves, 100, indices, NULL));
}

/* ---- times ---- */

struct times {
    int64_t at_us[16];
    uint32_t count;
};

static bool
note_time(void *context, const struct pb_audit_entry *entry)
{
    struct times *times = context;

    assert_true(times->count < 16);
    times->at_us[times->count++] = entry->at_us;
    return true;
}

static void
times_never_go_back_whatever_the_clock_does(void **state)
{
    static const int64_t steps_s[] = { 0, 10, -3600, 5, 4000, -86400 * 365, 1 };
    struct room *room = *state;
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    struct times times = { .count = 0 };
    uint64_t index;

    for (size_t i = 0; i < sizeof(steps_s) / sizeof(steps_s[0]); i++) {
        room->now_us += steps_s[i] * 1000000;
        must(room_append(room->audit, "a42", (uint32_t)i, &index, &error), &error);
        if (i == 2 || i == 5)
            reopen(room); /* what is remembered outlasts a start */
    }
    must(pb_audit_backup(room->audit, "data/backup", &error), &error);
    reopen(room);
    must(room_append(room->audit, "a42", 7, &index, &error), &error);
    must(pb_audit_read(room->audit, &filter, note_time, &times, &error), &error);
    assert_int_equal(8, times.count);
    for (uint32_t i = 1; i < times.count; i++)
        assert_true(times.at_us[i] >= times.at_us[i - 1]);
    assert_true(times.at_us[7] == times.at_us[4]);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_verifies(room, 8);
}

/* ---- reading ---- */

static bool
stop_at_three(void *context, const struct pb_audit_entry *entry)
{
    (void)entry;
    return ++*(uint32_t *)context < 3;
}

static bool
count_one(void *context, const struct pb_audit_entry *entry)
{
    (void)entry;
    ++*(uint32_t *)context;
    return true;
}

static uint32_t
count_entries(struct room *room, const struct pb_audit_filter *filter)
{
    struct pb_error error = { .message = "" };
    uint32_t count = 0;

    must(pb_audit_read(room->audit, filter, count_one, &count, &error), &error);
    return count;
}

static void
filters_choose_entries(void **state)
{
    struct room *room = *state;
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    int64_t begin_us = room->now_us;
    struct pb_audit_leaf denied = { .log = "a42", .event = "denied" };
    uint64_t index;
    uint32_t count = 0;

    append_many(room, 0, 300); /* a millisecond apart, from the first on */
    must(pb_audit_append(room->audit, &denied, 1, &index, &error), &error);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(301, count_entries(room, &filter));
        filter.first = 250;
        filter.last = 260;
        assert_int_equal(11, count_entries(room, &filter));
        filter.first = 301;
        filter.last = UINT64_MAX;
        assert_int_equal(0, count_entries(room, &filter));
        filter.first = 0;
        filter.event = "denied";
        assert_int_equal(1, count_entries(room, &filter));
        filter.event = NULL;
        filter.from_us = begin_us + 10 * 1000;
        filter.to_us = begin_us + 20 * 1000;
        assert_int_equal(10, count_entries(room, &filter));
        filter.from_us = 0;
        assert_int_equal(19, count_entries(room, &filter));
        filter.to_us = 0;
        filter.secret_name = "plate";
        filter.secret_value = pb_str_from("SYN0123");
        assert_int_equal(1, count_entries(room, &filter));
        filter.secret_value = pb_str_from("SYN9999");
        assert_int_equal(0, count_entries(room, &filter));
        filter.secret_name = "nothing";
        assert_int_equal(0, count_entries(room, &filter));
        filter.secret_name = NULL;
        must(pb_audit_backup(room->audit, round == 0 ? "data/b0" : "data/b1", &error), &error);
    }
    must(pb_audit_read(room->audit, &filter, stop_at_three, &count, &error), &error);
    assert_int_equal(3, count);
    filter.log = "nobody";
    assert_int_equal(PB_NOT_FOUND, pb_audit_read(room->audit, &filter, count_one, &count, &error));
}

static bool
stop_at_the_end_of_a_bundle(void *context, const struct pb_audit_entry *entry)
{
    ++*(uint32_t *)context;
    return entry->index != PB_TILE_WIDTH - 1;
}

static bool
take_closed(void *context, const struct pb_audit_entry *entry)
{
    assert_int_equal(0, entry->secret_count);
    assert_true(entry->leaf.bytes > 0);
    ++*(uint32_t *)context;
    return true;
}

static void
reading_stops_where_it_is_told_to_and_leaves_closed_what_it_is_told_to(void **state)
{
    struct room *room = *state;
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    uint32_t count = 0;

    append_many(room, 0, 300);
    reopen(room); /* which keeps them */
    must(pb_audit_read(room->audit, &filter, stop_at_the_end_of_a_bundle, &count, &error), &error);
    assert_int_equal(PB_TILE_WIDTH, count);
    count = 0;
    filter.is_closed = true;
    must(pb_audit_read(room->audit, &filter, take_closed, &count, &error), &error);
    assert_int_equal(300, count);
}

static bool
expect_gone(void *context, const struct pb_audit_entry *entry)
{
    const bool *is_gone = context;

    for (uint32_t i = 0; i < entry->secret_count; i++) {
        assert_int_equal(*is_gone, entry->secrets[i].is_destroyed);
        assert_true(!*is_gone || entry->secrets[i].value.bytes == 0);
    }
    return true;
}

static void
openings_can_be_destroyed_and_leaves_stay_provable(void **state)
{
    struct room *room = *state;
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    uint64_t terms = 77;
    bool is_gone = false;
    char *proof = NULL;

    append_many(room, 0, 10);
    must(pb_audit_backup(room->audit, "data/backup", &error), &error);
    must(pb_audit_destroy_expired(room->audit, room->now_us, &terms, &error), &error);
    assert_int_equal(0, terms);
    /* 400 days, and the rest of that month. */
    must(pb_audit_destroy_expired(room->audit, room->now_us + INT64_C(400) * 86400 * 1000000,
                                  &terms, &error),
         &error);
    assert_int_equal(0, terms);
    must(pb_audit_destroy_expired(room->audit, room->now_us + INT64_C(431) * 86400 * 1000000,
                                  &terms, &error),
         &error);
    assert_int_equal(1, terms);
    is_gone = true;
    for (int round = 0; round < 2; round++) {
        must(pb_audit_read(room->audit, &filter, expect_gone, &is_gone, &error), &error);
        assert_int_equal(PB_EXPIRED, pb_audit_prove(room->audit, "a42", 3, true, &proof, &error));
        must(pb_audit_prove(room->audit, "a42", 3, false, &proof, &error), &error);
        must(pb_audit_verify_proof(&room->env, pb_str_from(proof), room->vkey, &error), &error);
        pb_free(&room->env, proof);
        reopen(room);
    }
    assert_verifies(room, 10);
    /* A search for a value does not find what is gone. */
    filter.secret_name = "plate";
    filter.secret_value = pb_str_from("");
    assert_int_equal(0, count_entries(room, &filter));

    /* Where the clock has gone back, the same month gets another key, and the old stay gone. */
    append_many(room, 10, 1);
    filter = (struct pb_audit_filter){ .log = "a42", .last = 9 };
    must(pb_audit_read(room->audit, &filter, expect_gone, &is_gone, &error), &error);
    filter = (struct pb_audit_filter){ .log = "a42", .first = 10, .last = 10 };
    is_gone = false;
    must(pb_audit_read(room->audit, &filter, expect_gone, &is_gone, &error), &error);

    /* Nor does the backup that was made before open any of it. */
    close_room(room);
    {
        struct pb_audit_options options = { .is_read_only = true };

        must(pb_audit_open(&room->env, "data/backup", ROOM_KEYS, &options, &room->audit, &error),
             &error);
        filter = (struct pb_audit_filter){ .log = "a42", .last = UINT64_MAX };
        is_gone = true;
        must(pb_audit_read(room->audit, &filter, expect_gone, &is_gone, &error), &error);
    }
}

static void
what_is_kept_for_ever_has_no_term(void **state)
{
    struct room *room = *state;
    struct room_leaf leaf;
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    uint64_t index, terms = 0;
    bool is_gone = false;

    room_leaf_init(&leaf, "a42", 1);
    leaf.leaf.keep_openings_us = PB_NEVER;
    must(pb_audit_append(room->audit, &leaf.leaf, 1, &index, &error), &error);
    leaf.leaf.keep_openings_us = -5; /* as good as now: this month */
    must(pb_audit_append(room->audit, &leaf.leaf, 1, &index, &error), &error);
    must(pb_audit_destroy_expired(room->audit, INT64_MAX, &terms, &error), &error);
    assert_int_equal(1, terms);
    filter.last = 0;
    must(pb_audit_read(room->audit, &filter, expect_gone, &is_gone, &error), &error);
    filter = (struct pb_audit_filter){ .log = "a42", .first = 1, .last = 1 };
    is_gone = true;
    must(pb_audit_read(room->audit, &filter, expect_gone, &is_gone, &error), &error);
}

/* ---- opening ---- */

static void
who_only_reads_changes_nothing_and_needs_no_lock(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .is_read_only = true };
    struct pb_audit *writer = room->audit;
    struct pb_error error = { .message = "" };
    uint64_t index, terms;
    bool is_gone = true;
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    char *proof = NULL;

    append_many(room, 0, 5);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    append_many(room, 5, 5);
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    assert_reads(room, 10);
    assert_int_equal(PB_BAD_INPUT, room_append(room->audit, "a42", 1, &index, &error));
    assert_int_equal(PB_BAD_INPUT, pb_audit_publish(room->audit, NULL, &error));
    assert_int_equal(PB_BAD_INPUT, pb_audit_log_add(room->audit, "x", NULL, &error));
    assert_int_equal(PB_BAD_INPUT, pb_audit_destroy_expired(room->audit, 0, &terms, &error));
    assert_int_equal(PB_BAD_INPUT, pb_audit_backup(room->audit, "data/backup", &error));
    /* A proof needs a checkpoint, which only the writer signs. */
    must(pb_audit_prove(room->audit, "a42", 4, true, &proof, &error), &error);
    pb_free(&room->env, proof);
    assert_int_equal(PB_NOT_FOUND, pb_audit_prove(room->audit, "a42", 5, true, &proof, &error));
    assert_int_equal(PB_NOT_FOUND, pb_audit_prove(room->audit, "nobody", 5, true, &proof, &error));
    close_room(room);

    /* Without keys everything but the openings can be seen. */
    must(pb_audit_open(&room->env, ROOM_PATH, NULL, &options, &room->audit, &error), &error);
    must(pb_audit_read(room->audit, &filter, expect_gone, &is_gone, &error), &error);
    close_room(room);
    room->audit = writer;
    append_many(room, 10, 1);
}

struct waiting {
    struct pb_audit *first;
    uint32_t pauses, closes_at;
};

static void
count_pause(void *context, int64_t us)
{
    struct waiting *waiting = context;

    assert_true(us > 0);
    if (++waiting->pauses == waiting->closes_at)
        assert_int_equal(PB_OK, pb_audit_close(waiting->first, NULL));
}

static int64_t
no_clock(void *context)
{
    (void)context;
    return 0;
}

struct busy {
    char holder[PB_AUDIT_HOLDER_BYTES];
    unsigned count;
    bool waits;
};

static bool
note_busy(void *context, const char *holder)
{
    struct busy *busy = context;

    busy->count++;
    (void)snprintf(busy->holder, sizeof(busy->holder), "%s", holder);
    return busy->waits;
}

static void
do_not_pause(void *context, int64_t us)
{
    (void)context;
    (void)us;
}

/* Who comes second is told who was first, and decides whether to wait. */
static void
a_second_writer_is_told_who_holds_the_logs(void **state)
{
    struct room *room = *state;
    struct busy busy = { .count = 0 };
    struct pb_audit_options first = { .publishes_by_hand = true, .holder = "a test" };
    struct pb_audit_options options = { .publishes_by_hand = true,
                                        .on_busy = note_busy,
                                        .busy_context = &busy };
    struct pb_env env = room->env;
    struct pb_error error = { .message = "" };
    struct pb_audit *second = NULL;
    char holder[PB_AUDIT_HOLDER_BYTES];

    close_room(room);
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &first, &room->audit, &error), &error);
    env.pause_us = do_not_pause;
    for (int waits = 0; waits < 2; waits++) {
        busy.waits = waits == 1;
        assert_int_equal(PB_E_BUSY,
                         pb_audit_open(&env, ROOM_PATH, ROOM_KEYS, &options, &second, &error));
        assert_string_equal("a test", busy.holder);
        assert_int_equal(1 + waits, busy.count); /* asked once, however long it waits */
    }
    assert_int_equal(PB_E_BUSY, pb_audit_open(&env, ROOM_PATH, ROOM_KEYS, NULL, &second, &error));
    pb_audit_holder(&room->env, ROOM_PATH, holder);
    assert_string_equal("a test", holder);
}

/* What stands in the lock is told where it is a plain text that fits, and costs nothing else. */
static void
a_holder_that_cannot_be_told_is_nobody(void **state)
{
    static const char *const texts[] = { "", "two\nlines", "\xff", "\x1b[31m" };
    static char path[PB_PATH_BYTES_MAX + 8], text[PB_AUDIT_HOLDER_BYTES + 1];
    struct room *room = *state;
    struct pb_audit_options options = { .publishes_by_hand = true, .holder = text };
    struct pb_error error = { .message = "" };
    struct fault_env fault;
    char holder[PB_AUDIT_HOLDER_BYTES];

    close_room(room);
    for (size_t bytes = PB_AUDIT_HOLDER_BYTES - 2; bytes <= PB_AUDIT_HOLDER_BYTES; bytes++) {
        memset(text, 'h', bytes);
        put_file(room, ROOM_PATH, "lock", text, bytes);
        pb_audit_holder(&room->env, ROOM_PATH, holder);
        assert_int_equal(bytes < PB_AUDIT_HOLDER_BYTES ? bytes : 0, strlen(holder));
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        put_file(room, ROOM_PATH, "lock", texts[i], strlen(texts[i]));
        pb_audit_holder(&room->env, ROOM_PATH, holder);
        assert_string_equal("", holder);
    }
    put_file(room, ROOM_PATH, "lock", "a test", 6);
    fault_env_init(&fault, &room->env);
    for (int i = 0; i < 3; i++) {
        fault.fail_file_mask = i == 0 ? FAULT_OPEN : i == 1 ? FAULT_SIZE : FAULT_READ;
        fault.file_call_count = 0;
        fault.fail_file_call_at = 1;
        pb_audit_holder(&fault.env, ROOM_PATH, holder);
        assert_string_equal("", holder);
    }
    memset(path, 'x', sizeof(path) - 1);
    pb_audit_holder(&room->env, path, holder);
    assert_string_equal("", holder);

    /* Names that are none or too long, and a lock that takes no text, are no reason to fail. */
    for (size_t bytes = 0; bytes <= PB_AUDIT_HOLDER_BYTES; bytes += PB_AUDIT_HOLDER_BYTES) {
        memset(text, 'h', bytes);
        text[bytes] = '\0';
        must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error),
             &error);
        close_room(room);
        pb_audit_holder(&room->env, ROOM_PATH, holder);
        assert_string_equal("a test", holder);
    }
    text[4] = '\0';
    for (int i = 0; i < 2; i++) {
        fault.fail_file_mask = i == 0 ? FAULT_TRUNCATE : FAULT_WRITE;
        fault.file_call_count = 0;
        fault.fail_file_call_at = 1;
        must(pb_audit_open(&fault.env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error),
             &error);
        assert_int_equal(i + 4, fault.failure_count);
        close_room(room);
    }
    assert_true(fault_env_is_clean(&fault));
}

static void
a_second_writer_waits_for_the_first_and_not_for_ever(void **state)
{
    struct room *room = *state;
    struct waiting waiting = { .first = room->audit };
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_env env = room->env;
    struct pb_error error = { .message = "" };
    struct pb_audit *second = NULL;

    append_many(room, 0, 3);
    env.clock_context = &waiting;
    env.pause_us = count_pause;
    env.now_us = no_clock;
    assert_int_equal(PB_E_BUSY,
                     pb_audit_open(&env, ROOM_PATH, ROOM_KEYS, &options, &second, &error));
    assert_non_null(strstr(error.message, "another process"));
    assert_in_range(waiting.pauses, 100, 1000);
    waiting.pauses = 0;
    waiting.closes_at = 3;
    must(pb_audit_open(&env, ROOM_PATH, ROOM_KEYS, &options, &second, &error), &error);
    assert_int_equal(3, waiting.pauses);
    room->audit = second;
    assert_reads(room, 3);
    close_room(room); /* its environment ends here */
}

static void
a_process_that_dies_between_two_leaves_leaves_the_first(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 3);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    append_many(room, 3, 1);
    sim_fs_process_end(room->fs);
    assert_int_not_equal(PB_OK, pb_audit_close(room->audit, &error));
    open_room(room);
    assert_reads(room, 4);
    append_many(room, 4, 1);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_verifies(room, 5);
}

static void
logs_are_added_once_and_have_possible_names(void **state)
{
    static const char sixty_five[] =
        "01234567890123456789012345678901234567890123456789012345678901234";
    static const char *const bad_ids[] = { "",    ".",   "-a",       "a/b",
                                           "a b", "a~1", "\xc3\xbc", sixty_five };
    static const char *const bad_origins[] = { "", "a b", "a+b", "a\nb" };
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char long_origin[400];

    for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++)
        assert_int_equal(PB_BAD_INPUT, pb_audit_log_add(room->audit, bad_ids[i], NULL, &error));
    for (size_t i = 0; i < sizeof(bad_origins) / sizeof(bad_origins[0]); i++)
        assert_int_equal(PB_BAD_INPUT,
                         pb_audit_log_add(room->audit, "fine", bad_origins[i], &error));
    memset(long_origin, 'x', sizeof(long_origin));
    long_origin[sizeof(long_origin) - 1] = '\0';
    assert_int_equal(PB_BAD_INPUT, pb_audit_log_add(room->audit, "fine", long_origin, &error));
    assert_int_equal(PB_DUPLICATE, pb_audit_log_add(room->audit, "a42", NULL, &error));
    assert_int_equal(PB_NOT_FOUND, pb_audit_publish(room->audit, "fine", &error));
    for (uint32_t i = 0; i < 30; i++) {
        char id[16];

        (void)snprintf(id, sizeof(id), "%c%u:x.y_z-", 'A' + (int)(i * 7 % 26), i);
        must(pb_audit_log_add(room->audit, id, NULL, &error), &error);
        assert_int_equal(PB_DUPLICATE, pb_audit_log_add(room->audit, id, NULL, &error));
    }
    reopen(room);
    assert_int_equal(PB_DUPLICATE, pb_audit_log_add(room->audit, "A0:x.y_z-", NULL, &error));
}

struct told {
    uint32_t count;
    uint64_t leaf_count, published_count;
};

static bool
note_counts(void *context, const struct pb_audit_log_info *info)
{
    struct told *told = context;

    told->count++;
    assert_non_null(strstr(info->vkey, info->origin));
    if (strcmp(info->id, "a42") == 0) {
        told->leaf_count = info->leaf_count;
        told->published_count = info->published_count;
        assert_string_equal(ROOM_PATH "/public/a42", info->path);
    }
    return true;
}

static bool
stop_at_once(void *context, const struct pb_audit_log_info *info)
{
    (void)info;
    ++*(uint32_t *)context;
    return false;
}

static void
each_log_tells_what_is_there_and_what_is_published(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct told told = { 0 };
    uint32_t count = 0;

    append_many(room, 0, 3);
    must(pb_audit_publish(room->audit, "a42", &error), &error);
    append_many(room, 3, 2);
    must(pb_audit_each_log(room->audit, note_counts, &told, &error), &error);
    assert_int_equal(2, told.count);
    assert_int_equal(5, told.leaf_count);
    assert_int_equal(3, told.published_count);
    must(pb_audit_each_log(room->audit, stop_at_once, &count, &error), &error);
    assert_int_equal(1, count);
}

static enum pb_status
open_again(struct room *room, const char *path, const char *keys, struct pb_error *error)
{
    struct pb_audit_options options = { .publishes_by_hand = true };

    room->audit = NULL;
    return pb_audit_open(&room->env, path, keys, &options, &room->audit, error);
}

static void
what_is_no_audit_directory_is_not_opened(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 3);
    close_room(room);
    assert_int_equal(PB_E_NOT_STORE, open_again(room, "data/nothing", ROOM_KEYS, &error));
    assert_int_equal(PB_E_NOT_STORE, open_again(room, "data/keys", ROOM_KEYS, &error));
    assert_int_equal(PB_BAD_INPUT, open_again(room, ROOM_PATH, NULL, &error));
    assert_int_equal(PB_E_CORRUPT, open_again(room, ROOM_PATH, "data/nothing", &error));
    /* Somebody else's keys. */
    must(pb_audit_create(&room->env, "data/audit2", "data/keys2", &error), &error);
    assert_int_equal(PB_E_CORRUPT, open_again(room, ROOM_PATH, "data/keys2", &error));
    assert_int_equal(PB_E_IO, pb_audit_create(&room->env, ROOM_PATH, "data/keys3", &error));
    assert_int_equal(PB_E_IO, pb_audit_create(&room->env, "data/audit3", ROOM_KEYS, &error));
    open_room(room);
    assert_reads(room, 3);
}

static void
damage_to_private_files_is_found_when_they_are_used(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    uint32_t count = 0;
    uint64_t index;
    static const char *const files[] = { ROOM_PATH "/state", ROOM_KEYS "/heads.0",
                                         ROOM_KEYS "/heads.1" };

    append_many(room, 0, 20);
    must(pb_audit_backup(room->audit, "data/aside", &error), &error); /* all is kept */

    /* Openings. */
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/private/a42/tile/entries/000", 3000));
    assert_int_equal(PB_E_CORRUPT, pb_audit_read(room->audit, &filter, count_one, &count, &error));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/private/a42/tile/entries/000", 3000));
    assert_int_equal(20, count_entries(room, &filter));
    /* Leaves, tiles: also where nobody has asked for a verification. */
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/public/a42/tile/entries/000.p/20", 999));
    assert_int_equal(PB_E_CORRUPT, pb_audit_read(room->audit, &filter, count_one, &count, &error));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/public/a42/tile/entries/000.p/20", 999));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/public/a42/tile/0/000.p/20", 5));
    assert_int_equal(PB_E_CORRUPT, pb_audit_read(room->audit, &filter, count_one, &count, &error));
    must(room_append(room->audit, "a42", 20, &index, &error), &error);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/public/a42/tile/0/000.p/20", 5));
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    /* The signing key. */
    assert_true(sim_fs_flip_bit(room->fs, ROOM_KEYS "/a42.key", 8 * 60));
    must(room_append(room->audit, "a42", 21, &index, &error), &error);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_KEYS "/a42.key", 8 * 60));
    close_room(room);

    /* One of the heads is enough, as one may be torn; both, or the state, are needed. */
    for (size_t i = 0; i < 3; i++)
        assert_true(sim_fs_flip_bit(room->fs, files[i], 8 * 33));
    assert_int_equal(PB_E_CORRUPT, open_again(room, ROOM_PATH, ROOM_KEYS, &error));
    assert_true(sim_fs_flip_bit(room->fs, files[0], 8 * 33));
    assert_int_equal(PB_E_CORRUPT, open_again(room, ROOM_PATH, ROOM_KEYS, &error));
    assert_true(sim_fs_flip_bit(room->fs, files[1], 8 * 33));
    open_room(room);
    assert_reads(room, 22);
}

static void
a_damaged_term_key_is_no_destroyed_one(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    uint32_t count = 0;

    append_many(room, 0, 2);
    close_room(room);
    assert_true(sim_fs_flip_bit(room->fs, ROOM_KEYS "/terms/2027-02", 8));
    open_room(room);
    assert_int_equal(PB_E_CORRUPT, pb_audit_read(room->audit, &filter, count_one, &count, &error));
    assert_non_null(strstr(error.message, "2027-02"));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_KEYS "/terms/2027-02", 8));
    assert_int_equal(2, count_entries(room, &filter));
}

/* ---- files ---- */

struct listing {
    uint32_t partial, journal;
};

static void
count_files(void *context, const char *path, uint64_t size)
{
    struct listing *listing = context;

    (void)size;
    listing->partial += strstr(path, "/public/a42/tile") != NULL && strstr(path, ".p/") != NULL;
    listing->journal += strstr(path, "/journal/log/") != NULL;
}

static struct listing
list_files(struct room *room)
{
    struct listing listing = { 0 };

    sim_fs_each_file(room->fs, count_files, &listing);
    return listing;
}

static void
partial_tiles_stay_until_the_full_tile_is_there_for_good(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    for (uint32_t i = 0; i < 5; i++) {
        append_many(room, i * 10, 10);
        must(pb_audit_publish(room->audit, NULL, &error), &error);
    }
    assert_int_equal(2 * 5, list_files(room).partial);
    assert_int_equal(1, list_files(room).journal);
    append_many(room, 50, 250);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    assert_int_equal(2 * 6 + 1, list_files(room).partial); /* and one of level 1 */
    /* Closing keeps so many leaves: partial tiles of the full one go, and so does the journal. */
    close_room(room);
    assert_int_equal(2 + 1, list_files(room).partial);
    assert_int_equal(0, list_files(room).journal);
    open_room(room);
    assert_reads(room, 300);
    assert_verifies(room, 300);
}

static void
many_short_sessions_do_not_pile_up_files(void **state)
{
    struct room *room = *state;

    for (uint32_t i = 0; i < 60; i++) {
        append_many(room, i * 2, 2);
        reopen(room);
        assert_true(list_files(room).journal <= 16);
    }
    assert_verifies(room, 120);
    assert_reads(room, 120);
}

static void
a_backup_can_be_opened_and_read(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };

    append_many(room, 0, 300);
    must(pb_audit_backup(room->audit, "data/backup", &error), &error);
    assert_int_equal(PB_E_IO, pb_audit_backup(room->audit, "data/backup", &error));
    close_room(room);
    must(open_again(room, "data/backup", ROOM_KEYS, &error), &error);
    assert_reads(room, 300);
    append_many(room, 300, 1);
}

/* ---- verifying ---- */

static uint64_t
wrong_places(struct room *room, const char *path, const char *vkey)
{
    struct pb_audit_check check;
    struct pb_error error = { .message = "" };

    must(pb_audit_verify_log(&room->env, path, vkey, NULL, NULL, NULL, &check, &error), &error);
    return check.wrong;
}

static void
files_that_are_missing_or_cut_are_reported(void **state)
{
    static const char *const files[] = {
        "/checkpoint", "/tile/entries/000", "/tile/entries/001.p/44",
        "/tile/0/000", "/tile/0/001.p/44",  "/tile/1/000.p/1",
    };
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_check check;
    char path[128], to[128];

    append_many(room, 0, 300);
    close_room(room);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), ROOM_PATH "/public/a42%s", files[i]);
        (void)snprintf(to, sizeof(to), "data/aside%zu", i);
        must(room->env.files->rename(room->env.file_context, path, to, &error), &error);
        assert_true(wrong_places(room, ROOM_PATH "/public/a42", room->vkey) > 0);
        must(room->env.files->rename(room->env.file_context, to, path, &error), &error);
    }
    assert_int_equal(0, wrong_places(room, ROOM_PATH "/public/a42", room->vkey));
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        uint64_t size = 0;

        (void)snprintf(path, sizeof(path), ROOM_PATH "/public/a42%s", files[i]);
        assert_true(sim_fs_file_size(room->fs, path, &size));
        assert_true(sim_fs_truncate(room->fs, path, size - 1));
        assert_true(wrong_places(room, ROOM_PATH "/public/a42", room->vkey) > 0);
        open_room(room); /* the next who writes does not make it worse */
        close_room(room);
        break;
    }
    assert_int_equal(PB_BAD_INPUT, pb_audit_verify_log(&room->env, "data", "no key", NULL, NULL,
                                                       NULL, &check, &error));
    assert_int_equal(PB_BAD_INPUT,
                     pb_audit_verify_proof(&room->env, pb_str_from(""), "no key", &error));
}

static void
copied_files_are_enough_for_a_proof(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    char *text = NULL;

    append_many(room, 0, 300);
    close_room(room);
    for (uint64_t index = 0; index < 300; index += 43) {
        must(pb_audit_prove_copied(&room->env, ROOM_PATH "/public/a42", room->vkey, index, &text,
                                   &error),
             &error);
        must(pb_audit_verify_proof(&room->env, pb_str_from(text), room->vkey, &error), &error);
        pb_free(&room->env, text);
        text = NULL;
    }
    assert_int_equal(PB_NOT_FOUND, pb_audit_prove_copied(&room->env, ROOM_PATH "/public/a42",
                                                         room->vkey, 300, &text, &error));
    assert_int_equal(PB_NOT_FOUND, pb_audit_prove_copied(&room->env, "data/nothing", room->vkey, 0,
                                                         &text, &error));
    assert_int_equal(PB_E_CORRUPT, pb_audit_prove_copied(&room->env, ROOM_PATH "/public/a42",
                                                         "no key", 0, &text, &error));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/public/a42/tile/entries/000", 8 * 40));
    assert_int_equal(PB_E_CORRUPT, pb_audit_prove_copied(&room->env, ROOM_PATH "/public/a42",
                                                         room->vkey, 0, &text, &error));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/public/a42/tile/entries/000", 0));
    assert_int_equal(PB_E_CORRUPT, pb_audit_prove_copied(&room->env, ROOM_PATH "/public/a42",
                                                         room->vkey, 0, &text, &error));
    assert_true(sim_fs_flip_bit(room->fs, ROOM_PATH "/public/a42/checkpoint", 8));
    assert_int_equal(PB_E_CORRUPT, pb_audit_prove_copied(&room->env, ROOM_PATH "/public/a42",
                                                         room->vkey, 0, &text, &error));
    assert_null(text);
}

static void
a_proof_from_copied_files_without_memory_is_none(void **state)
{
    struct room *room = *state;
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    append_many(room, 0, 30);
    close_room(room);
    while (status != PB_OK) {
        struct fault_env fault;
        char *text = NULL;

        fault_env_init(&fault, &room->env);
        fault.fail_allocation_at = ++fail_at;
        status =
            pb_audit_prove_copied(&fault.env, ROOM_PATH "/public/a42", room->vkey, 7, &text, NULL);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_free(&fault.env, text);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_true(fail_at > 5);
}

static void
leaves_without_secrets_are_read_too(void **state)
{
    struct room *room = *state;
    struct pb_audit_leaf leaf = { .log = "a42", .event = "start" };
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    struct pb_error error = { .message = "" };
    char *text = NULL;
    uint64_t index;

    for (int round = 0; round < 2; round++) {
        must(pb_audit_append(room->audit, &leaf, 1, &index, &error), &error);
        assert_int_equal(round + 1, count_entries(room, &filter));
        must(pb_audit_prove(room->audit, "a42", index, true, &text, &error), &error);
        must(pb_audit_verify_proof(&room->env, pb_str_from(text), room->vkey, &error), &error);
        pb_free(&room->env, text);
        must(pb_audit_backup(room->audit, round == 0 ? "data/b0" : "data/b1", &error), &error);
    }
}

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, make_room, drop_room)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(what_is_appended_is_read_back_and_verifies),
        ROOM_TEST(a_proof_proves_its_leaf_and_nothing_else),
        ROOM_TEST(a_log_proves_that_it_extends_what_it_was),
        ROOM_TEST(proofs_without_memory_are_none),
        ROOM_TEST(a_leaf_that_cannot_be_published_has_no_proof),
        ROOM_TEST(a_reader_that_is_behind_proves_no_leaf_that_it_has_not_read),
        ROOM_TEST(leaves_that_cannot_be_are_refused_and_nothing_is_recorded),
        ROOM_TEST(leaves_have_limits),
        ROOM_TEST(an_append_of_too_many_bytes_is_refused),
        ROOM_TEST(times_never_go_back_whatever_the_clock_does),
        ROOM_TEST(filters_choose_entries),
        ROOM_TEST(reading_stops_where_it_is_told_to_and_leaves_closed_what_it_is_told_to),
        ROOM_TEST(openings_can_be_destroyed_and_leaves_stay_provable),
        ROOM_TEST(what_is_kept_for_ever_has_no_term),
        ROOM_TEST(who_only_reads_changes_nothing_and_needs_no_lock),
        ROOM_TEST(a_second_writer_waits_for_the_first_and_not_for_ever),
        ROOM_TEST(a_second_writer_is_told_who_holds_the_logs),
        ROOM_TEST(a_holder_that_cannot_be_told_is_nobody),
        ROOM_TEST(a_process_that_dies_between_two_leaves_leaves_the_first),
        ROOM_TEST(logs_are_added_once_and_have_possible_names),
        ROOM_TEST(each_log_tells_what_is_there_and_what_is_published),
        ROOM_TEST(what_is_no_audit_directory_is_not_opened),
        ROOM_TEST(damage_to_private_files_is_found_when_they_are_used),
        ROOM_TEST(a_damaged_term_key_is_no_destroyed_one),
        ROOM_TEST(partial_tiles_stay_until_the_full_tile_is_there_for_good),
        ROOM_TEST(many_short_sessions_do_not_pile_up_files),
        ROOM_TEST(a_backup_can_be_opened_and_read),
        ROOM_TEST(files_that_are_missing_or_cut_are_reported),
        ROOM_TEST(copied_files_are_enough_for_a_proof),
        ROOM_TEST(a_proof_from_copied_files_without_memory_is_none),
        ROOM_TEST(leaves_without_secrets_are_read_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
