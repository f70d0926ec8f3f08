/*
 * Faults: a history of everything that can be asked of audit logs, in which each allocation fails
 * once, and each file call fails once or from then on. Whatever fails, the answer says so, nothing
 * leaks, and afterwards every acknowledged leaf is there and the public side is right.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "audit/witness.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

#define OUTSIDE "data/outside"

struct history {
    struct sim_fs *fs;
    struct pb_env plain; /* without faults */
    struct fault_env fault;
    struct pb_audit *audit;
    uint32_t acked, sent;
    char vkey[PB_VKEY_BYTES_MAX];
    bool is_created;
    struct pb_witnesses witnesses;
};

static int64_t
fixed_now_us(void *context)
{
    (void)context;
    return INT64_C(1767225600) * 1000000;
}

static void
begin(struct history *history)
{
    memset(history, 0, sizeof(*history));
    history->fs = sim_fs_new();
    history->plain = sim_fs_env(history->fs);
    history->plain.now_us = fixed_now_us;
    assert_int_equal(PB_OK, history->plain.files->mkdir(history->plain.file_context, "data", NULL));
    assert_int_equal(PB_OK,
                     history->plain.files->mkdir(history->plain.file_context, OUTSIDE, NULL));
    fault_env_init(&history->fault, &history->plain);
}

/* ---- the history ---- */

static enum pb_status
open_audit(struct history *history)
{
    struct pb_audit_options options = { .publishes_by_hand = true, .checkpoint_copies = OUTSIDE };

    return pb_audit_open(&history->fault.env, ROOM_PATH, ROOM_KEYS, &options, &history->audit,
                         NULL);
}

static enum pb_status
close_audit(struct history *history)
{
    enum pb_status status = pb_audit_close(history->audit, NULL);

    history->audit = NULL;
    return status;
}

static enum pb_status
append(struct history *history, uint32_t count)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < count && status == PB_OK; i++) {
        uint64_t index = 0;

        history->sent = history->acked + 1;
        status = room_append(history->audit, "a42", history->acked, &index, NULL);
        if (status == PB_OK)
            history->acked++;
    }
    return status;
}

static bool
note_vkey_of(void *context, const struct pb_audit_log_info *info)
{
    struct history *history = context;

    if (strcmp(info->id, "a42") == 0)
        (void)snprintf(history->vkey, sizeof(history->vkey), "%s", info->vkey);
    return true;
}

static bool
count_entry(void *context, const struct pb_audit_entry *entry)
{
    assert_int_equal(ROOM_SECRETS, entry->secret_count);
    assert_false(entry->secrets[0].is_destroyed);
    ++*(uint64_t *)context;
    return true;
}

static enum pb_status
read_all(struct history *history)
{
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    uint64_t count = 0;
    enum pb_status status = pb_audit_read(history->audit, &filter, count_entry, &count, NULL);

    if (status == PB_OK)
        assert_int_equal(history->acked, count);
    return status;
}

static enum pb_status
prove_one(struct history *history)
{
    char *text = NULL;
    enum pb_status status = pb_audit_prove(history->audit, "a42", 1, true, &text, NULL);

    if (status != PB_OK)
        return status;
    status = pb_audit_verify_proof(&history->fault.env, pb_str_from(text), history->vkey, NULL);
    pb_free(&history->fault.env, text);
    return status;
}

static enum pb_status
answer_200(void *context, const char *url, struct pb_str body, struct pb_witness_reply *ret_reply,
           struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(ret_reply->body, sizeof(ret_reply->body));
    struct pb_vkey key;
    uint8_t seed[32] = { 1 }, public_key[32], secret[64];
    const char *checkpoint;
    struct pb_note note;

    (void)context;
    (void)url;
    (void)error;
    (void)crypto_sign_seed_keypair(public_key, secret, seed);
    pb_vkey_make(pb_str_from("w.example"), PB_KEY_COSIGNATURE, public_key, &key);
    checkpoint = (const char *)memmem(body.text, body.bytes, "\n\n", 2) + 2;
    body.bytes -= (uint32_t)(checkpoint - body.text);
    body.text = checkpoint;
    assert_int_equal(PB_OK, pb_note_parse(body, &note, NULL));
    pb_note_put_cosignature(&out, note.text, &key, secret, 1767225600);
    ret_reply->body_bytes = (size_t)(out.at - ret_reply->body);
    ret_reply->http_status = 200;
    return PB_OK;
}

static void
make_witnesses(struct history *history)
{
    struct pb_witness_policy *policy = &history->witnesses.policy;
    uint8_t seed[32] = { 1 }, public_key[32], secret[64];

    policy->witness_count = 1;
    policy->quorum = 0;
    (void)crypto_sign_seed_keypair(public_key, secret, seed);
    pb_vkey_make(pb_str_from("w.example"), PB_KEY_COSIGNATURE, public_key,
                 &policy->witnesses[0].key);
    (void)snprintf(policy->witnesses[0].url, sizeof(policy->witnesses[0].url), "https://w.example");
    history->witnesses.post = answer_200;
}

static enum pb_status
cosign(struct history *history)
{
    struct pb_witness_result result;
    enum pb_status status;

    make_witnesses(history);
    status = pb_audit_cosign(history->audit, "a42", &history->witnesses, &result, NULL, NULL);
    return status == PB_OK && result.outcome != PB_WITNESS_COSIGNED ? PB_E_IO : status;
}

static enum pb_status
open_witnessed(struct history *history)
{
    struct pb_audit_options options = { .publishes_by_hand = true,
                                        .witnesses = &history->witnesses };

    make_witnesses(history);
    return pb_audit_open(&history->fault.env, ROOM_PATH, ROOM_KEYS, &options, &history->audit,
                         NULL);
}

static enum pb_status
verify_public(struct history *history)
{
    struct pb_audit_check check;
    enum pb_status status = pb_audit_verify_log(&history->fault.env, ROOM_PATH "/public/a42",
                                                history->vkey, NULL, NULL, NULL, &check, NULL);

    if (status == PB_OK)
        assert_int_equal(0, check.wrong);
    return status;
}

static enum pb_status
keep(struct history *history)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&history->audit->integrating);
    status = pb_publish_locked(history->audit, NULL, true, NULL);
    (void)pthread_mutex_unlock(&history->audit->integrating);
    return status;
}

static enum pb_status
read_beside(struct history *history)
{
    struct pb_audit_options options = { .is_read_only = true };
    struct pb_audit *audit = history->audit;
    enum pb_status status, closed;

    status =
        pb_audit_open(&history->fault.env, ROOM_PATH, ROOM_KEYS, &options, &history->audit, NULL);
    if (status == PB_OK) {
        status = read_all(history);
        closed = pb_audit_close(history->audit, NULL);
        assert_int_equal(PB_OK, closed);
    }
    history->audit = audit;
    return status;
}

static enum pb_status
create(struct history *history)
{
    enum pb_status status = pb_audit_create(&history->fault.env, ROOM_PATH, ROOM_KEYS, NULL);

    history->is_created = status == PB_OK;
    return status;
}

static enum pb_status
add_log(struct history *history)
{
    return pb_audit_log_add(history->audit, "a42", NULL, NULL);
}

static enum pb_status
each_log(struct history *history)
{
    return pb_audit_each_log(history->audit, note_vkey_of, history, NULL);
}

static enum pb_status
append_some(struct history *history)
{
    return append(history, 3);
}

/* Two leaves as one commit. */
static enum pb_status
append_pair(struct history *history)
{
    struct room_leaf pair[2];
    struct pb_audit_leaf leaves[2];
    uint64_t indices[2];
    enum pb_status status;

    for (uint32_t i = 0; i < 2; i++) {
        room_leaf_init(&pair[i], "a42", history->acked + i);
        leaves[i] = pair[i].leaf;
    }
    history->sent = history->acked + 2;
    status = pb_audit_append(history->audit, leaves, 2, indices, NULL);
    history->acked += status == PB_OK ? 2 : 0;
    return status;
}

static enum pb_status
append_past_a_tile(struct history *history)
{
    return append(history, 257 - history->acked);
}

static enum pb_status
publish(struct history *history)
{
    return pb_audit_publish(history->audit, NULL, NULL);
}

static enum pb_status
back_up(struct history *history)
{
    return pb_audit_backup(history->audit, "data/backup", NULL);
}

static enum pb_status
destroy(struct history *history)
{
    uint64_t terms = 0;

    return pb_audit_destroy_expired(history->audit, fixed_now_us(NULL), &terms, NULL);
}

typedef enum pb_status step_fn(struct history *history);

static step_fn *const steps[] = {
    create,        open_audit,    add_log,
    each_log,      append_some,   publish,
    read_all,      prove_one,     cosign,
    keep,          read_all,      append_some,
    publish,       verify_public, close_audit,
    open_audit,    append_some,   read_beside,
    close_audit,   open_audit,    append_past_a_tile,
    publish,       keep,          read_all,
    prove_one,     back_up,       destroy,
    verify_public, close_audit,   open_witnessed,
    append_pair,   prove_one,     append_some,
    close_audit,
};

/* Goes on until something fails. */
static enum pb_status
live(struct history *history)
{
    enum pb_status status = PB_OK;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && status == PB_OK; i++)
        status = steps[i](history);
    return status;
}

/* ---- afterwards ---- */

static void
check_afterwards(struct history *history)
{
    struct pb_audit_options options = { .publishes_by_hand = true, .checkpoint_copies = OUTSIDE };
    struct pb_audit_check check;
    struct pb_error error = { .message = "" };
    uint64_t count = 0;
    struct pb_audit_filter filter = { .log = "a42", .last = UINT64_MAX };
    enum pb_status status;

    if (!history->is_created)
        return;
    must(pb_audit_open(&history->plain, ROOM_PATH, ROOM_KEYS, &options, &history->audit, &error),
         &error);
    status = pb_audit_read(history->audit, &filter, count_entry, &count, &error);
    if (status != PB_NOT_FOUND)
        must(status, &error);
    else
        assert_int_equal(0, history->acked);
    if (count != history->acked && count != history->sent)
        fail_msg("%u leaves were acknowledged, %llu are there", history->acked,
                 (unsigned long long)count);
    must(pb_audit_publish(history->audit, NULL, &error), &error);
    must(pb_audit_each_log(history->audit, note_vkey_of, history, &error), &error);
    if (status == PB_OK) {
        must(pb_audit_verify_log(&history->plain, ROOM_PATH "/public/a42", history->vkey, NULL,
                                 tell_wrong, NULL, &check, &error),
             &error);
        assert_int_equal(0, check.wrong);
        assert_int_equal(count, check.size);
    }
    must(pb_audit_close(history->audit, &error), &error);
}

static void
end(struct history *history)
{
    /* Closing after a failure publishes what it can; what it answers is of no interest. */
    if (history->audit != NULL) {
        enum pb_status status = pb_audit_close(history->audit, NULL);

        (void)status;
        history->audit = NULL;
    }
    if (!fault_env_is_clean(&history->fault))
        fail_msg("%llu blocks and %llu files are left",
                 (unsigned long long)history->fault.live_count,
                 (unsigned long long)history->fault.open_file_count);
}

static void
each_allocation_that_fails_is_told_and_costs_nothing(void **state)
{
    static struct history history;
    uint64_t fail_at = 0, failures = 0, untold = 0;
    bool is_over = false;

    (void)state;
    while (!is_over) {
        enum pb_status status;

        begin(&history);
        history.fault.fail_allocation_at = ++fail_at;
        status = live(&history);
        is_over = history.fault.failure_count == 0;
        failures += status != PB_OK;
        untold += status == PB_OK && !is_over;
        if (status != PB_OK && status != PB_E_NOMEM)
            fail_msg("allocation %llu: %s", (unsigned long long)fail_at, pb_status_name(status));
        end(&history);
        check_afterwards(&history);
        sim_fs_free(history.fs);
        /* Most appends of the long row are like one another. */
        if (fail_at > 600)
            fail_at += 6;
    }
    print_message("%llu failures, %llu more made good\n", (unsigned long long)failures,
                  (unsigned long long)untold);
    assert_true(failures > 100);
    assert_true(untold < 10);
}

/* Failures that are not told, since what was tried is of no use to anybody: see `clean_tile`. */
static void
sweep_files(bool is_lasting, enum pb_status fault, bool is_short)
{
    static struct history history;
    uint64_t fail_at = 0, failures = 0, untold = 0;
    bool is_over = false;

    while (!is_over) {
        enum pb_status status;

        begin(&history);
        history.fault.fail_file_call_at = ++fail_at;
        history.fault.is_file_failure_lasting = is_lasting;
        history.fault.fail_file_status = fault;
        history.fault.is_write_short = is_short;
        status = live(&history);
        is_over = history.fault.failure_count == 0;
        failures += status != PB_OK;
        untold += status == PB_OK && !is_over;
        if (status != PB_OK && status != fault && status != PB_E_POISONED && status != PB_E_CORRUPT)
            fail_msg("file call %llu: %s", (unsigned long long)fail_at, pb_status_name(status));
        end(&history);
        check_afterwards(&history);
        sim_fs_free(history.fs);
        if (fail_at > 700)
            fail_at += 6;
    }
    assert_true(failures > 100);
    print_message("%llu failures, %llu more that nobody was told of\n",
                  (unsigned long long)failures, (unsigned long long)untold);
    assert_true(untold < failures / 4);
}

static void
each_file_call_that_fails_once_is_told_and_loses_nothing(void **state)
{
    (void)state;
    sweep_files(false, PB_E_IO, false);
}

static void
each_file_call_that_fails_for_good_is_told_and_loses_nothing(void **state)
{
    (void)state;
    sweep_files(true, PB_E_IO, true);
}

static void
each_file_call_without_room_is_told_and_loses_nothing(void **state)
{
    (void)state;
    sweep_files(false, PB_E_FULL, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_that_fails_is_told_and_costs_nothing),
        cmocka_unit_test(each_file_call_that_fails_once_is_told_and_loses_nothing),
        cmocka_unit_test(each_file_call_that_fails_for_good_is_told_and_loses_nothing),
        cmocka_unit_test(each_file_call_without_room_is_told_and_loses_nothing),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
