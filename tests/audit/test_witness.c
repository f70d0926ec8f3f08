/*
 * Witnesses: policies, cosignatures, and what happens when a witness knows better. The witness
 * is in this process, and does what c2sp.org/tlog-witness says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>

#include "audit/audit_private.h"
#include "audit/audit_room.h"
#include "audit/encode.h"
#include "audit/fake_witness.h"
#include "support/fault_env.h"

#define PUBLIC ROOM_PATH "/public/a42"

/* ---- witnesses ---- */

struct world {
    struct fake_witness witnesses[3];
    struct pb_vkey log;
};

static void
make_world(struct world *world, struct room *room)
{
    make_witness(&world->witnesses[0], "w1.example", 1);
    make_witness(&world->witnesses[1], "w2.example", 2);
    make_witness(&world->witnesses[2], "w3.example", 3);
    if (room != NULL)
        assert_int_equal(PB_OK, pb_vkey_parse(pb_str_from(room->vkey), &world->log, NULL));
}

static enum pb_status
post(void *context, const char *url, struct pb_str body, struct pb_witness_reply *ret_reply,
     struct pb_error *error)
{
    struct world *world = context;

    for (uint32_t i = 0; i < 3; i++) {
        struct fake_witness *witness = &world->witnesses[i];
        char expected[PB_NOTE_NAME_BYTES_MAX + 64];

        (void)snprintf(expected, sizeof(expected), "https://%s/add-checkpoint", witness->key.name);
        if (strcmp(expected, url) != 0)
            continue;
        witness->requests++;
        if (witness->is_away)
            return pb_fail(error, PB_E_IO, "nobody is there");
        if (witness->http_status != 0)
            answer(ret_reply, witness->http_status, witness->content_type, witness->body);
        else
            judge_request(witness, &world->log, body, ret_reply);
        return PB_OK;
    }
    fail_msg("nobody is at %s", url);
    return PB_E_IO;
}

/* Two of three. */
static void
make_policy(struct world *world, struct pb_witness_policy *ret_policy)
{
    char text[2048];
    struct pb_text_out out = pb_text_out(text, sizeof(text));
    struct pb_error error = { .message = "" };

    for (uint32_t i = 0; i < 3; i++) {
        char vkey[PB_VKEY_BYTES_MAX];

        pb_vkey_format(&world->witnesses[i].key, vkey);
        pb_put_text(&out, "witness w");
        pb_put_u64(&out, i + 1);
        pb_put_char(&out, ' ');
        pb_put_text(&out, vkey);
        pb_put_text(&out, " https://");
        pb_put_text(&out, world->witnesses[i].key.name);
        pb_put_text(&out, i == 1 ? "/\n" : "\n");
    }
    pb_put_text(&out, "group two 2 w1 w2 w3\nquorum two\n");
    must(pb_witness_policy_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, ret_policy,
                                 &error),
         &error);
}

/* ---- policies ---- */

static void
policies_say_whose_word_is_enough(void **state)
{
    struct world world;
    struct pb_witness_policy policy;

    (void)state;
    make_world(&world, NULL);
    make_policy(&world, &policy);
    for (uint32_t witnesses = 0; witnesses < 8; witnesses++) {
        uint32_t count = (witnesses & 1) + (witnesses >> 1 & 1) + (witnesses >> 2 & 1);

        assert_int_equal(count >= 2, pb_witness_quorum(&policy, witnesses));
    }
    assert_int_equal(PB_OK, pb_witness_policy_parse(pb_str_from("quorum none\n"), &policy, NULL));
    assert_true(pb_witness_quorum(&policy, 0));
}

/* `%a`, `%b`: keys of witnesses; `%l`: a log's. */
static uint32_t
expand(struct world *world, const char *text, char *ret_text, size_t room)
{
    struct pb_text_out out = pb_text_out(ret_text, room);
    char vkey[PB_VKEY_BYTES_MAX];

    for (; *text != '\0'; text++) {
        if (*text != '%') {
            pb_put_char(&out, *text);
            continue;
        }
        text++;
        pb_vkey_format(*text == 'a'   ? &world->witnesses[0].key
                       : *text == 'b' ? &world->witnesses[1].key
                                      : &world->log,
                       vkey);
        pb_put_text(&out, vkey);
    }
    assert_false(out.is_cut);
    return (uint32_t)(out.at - ret_text);
}

static void
malformed_policies_are_refused_with_the_line(void **state)
{
    static const struct {
        const char *text;
        const char *line; /* NULL: taken */
    } cases[] = {
        { "# comment\n\n \t\n  # another\nlog %l https://logs.example\nwitness a %a\nquorum a\n",
          NULL },
        { "witness a %a\nwitness b %b https://b.example\ngroup g any a b\nquorum g\n", NULL },
        { "witness a %a\nwitness b %b\ngroup g 2 a b\ngroup h all g\nquorum h\n", NULL },
        { "\twitness\ta\t%a\t\nquorum a  \n", NULL },
        { "", "without a quorum" },
        { "witness a %a\n", "without a quorum" },
        { "quorum none", "line 1" },
        { "quorum none\nquorum none\n", "line 2" },
        { "quorum a\nwitness a %a\n", "line 1" },
        { "quorum none x\n", "line 1" },
        { "quorum\n", "line 1" },
        { "nonsense\n", "line 1" },
        { "witness a %l\nquorum a\n", "line 1" },
        { "witness a\nquorum a\n", "line 1" },
        { "witness\nquorum none\n", "line 1" },
        { "witness none %a\nquorum none\n", "line 1" },
        { "witness a %a\nwitness a %b\nquorum none\n", "line 2" },
        { "witness a %a\nwitness b %a\nquorum none\n", "line 2" },
        { "witness a %a https://a x\nquorum none\n", "line 1" },
        { "witness a %a http://127.0.0.1:8081/w\nquorum none\n", NULL },
        { "witness a %a http://localhost.example/\nquorum none\n", "line 1" },
        { "witness a %a http://a.example\nquorum none\n", "line 1" },
        { "witness a %a file:///etc/passwd\nquorum none\n", "line 1" },
        { "log %a\nquorum none\n", "line 1" },
        { "log\nquorum none\n", "line 1" },
        { "log %l\nlog %l\nquorum none\n", "line 2" },
        { "log %l x y\nquorum none\n", "line 1" },
        { "witness a %a\ngroup g any\nquorum g\n", "line 2" },
        { "witness a %a\ngroup g 2 a\nquorum g\n", "line 2" },
        { "witness a %a\ngroup g 0 a\nquorum g\n", "line 2" },
        { "witness a %a\ngroup g x a\nquorum g\n", "line 2" },
        { "witness a %a\ngroup a any a\nquorum a\n", "line 2" },
        { "witness a %a\ngroup g any none\nquorum g\n", "line 2" },
        { "witness a %a\ngroup g any b\nquorum g\n", "line 2" },
        { "witness a %a\ngroup g any a a\nquorum g\n", "line 2" },
        { "witness a %a\ngroup g any a\ngroup h any a\nquorum g\n", "line 3" },
        { "quorum none\r\n", "line 1" },
        { "quorum none\x7f\n", "line 1" },
    };
    struct world world;
    struct room *room = *state;

    make_world(&world, room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_witness_policy policy;
        struct pb_error error = { .message = "" };
        char text[2048];
        struct pb_str expanded = { text, expand(&world, cases[i].text, text, sizeof(text)) };
        enum pb_status status = pb_witness_policy_parse(expanded, &policy, &error);

        if (status != (cases[i].line == NULL ? PB_OK : PB_BAD_INPUT) ||
            (cases[i].line != NULL && strstr(error.message, cases[i].line) == NULL))
            fail_msg("case %zu: %s", i, error.message);
    }
}

/* `before`, as many x, a key, a space and as many y. */
static enum pb_status
parse_long(struct world *world, const char *before, size_t name_bytes, size_t url_bytes)
{
    struct pb_witness_policy policy;
    char text[2048], vkey[PB_VKEY_BYTES_MAX];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    pb_vkey_format(&world->witnesses[0].key, vkey);
    pb_put_text(&out, "witness a ");
    pb_put_text(&out, vkey);
    pb_put_text(&out, "\n");
    pb_put_text(&out, before);
    for (size_t i = 0; i < name_bytes; i++)
        pb_put_char(&out, 'x');
    if (url_bytes > 0) {
        pb_vkey_format(&world->witnesses[1].key, vkey);
        pb_put_char(&out, ' ');
        pb_put_text(&out, vkey);
        pb_put_text(&out, " https://");
        for (size_t i = strlen("https://"); i < url_bytes; i++)
            pb_put_char(&out, 'y');
    } else {
        pb_put_text(&out, " any a");
    }
    pb_put_text(&out, "\nquorum none\n");
    return pb_witness_policy_parse((struct pb_str){ text, (uint32_t)(out.at - text) }, &policy,
                                   NULL);
}

static void
policies_past_the_limits_are_refused(void **state)
{
    static char text[PB_POLICY_BYTES_MAX + 2];
    struct pb_witness_policy policy;
    struct pb_text_out out;
    struct world world;

    (void)state;
    make_world(&world, NULL);
    assert_int_equal(PB_OK, parse_long(&world, "witness ", 64, 256));
    assert_int_equal(PB_BAD_INPUT, parse_long(&world, "witness ", 65, 256));
    assert_int_equal(PB_BAD_INPUT, parse_long(&world, "witness ", 64, 257));
    assert_int_equal(PB_OK, parse_long(&world, "group ", 64, 0));
    assert_int_equal(PB_BAD_INPUT, parse_long(&world, "group ", 65, 0));
    memset(text, '\n', sizeof(text));
    assert_int_equal(PB_BAD_INPUT,
                     pb_witness_policy_parse((struct pb_str){ text, sizeof(text) }, &policy, NULL));
    for (int kind = 0; kind < 3; kind++) {
        uint32_t max = kind == 0 ? PB_WITNESSES_MAX : PB_WITNESS_LOGS_MAX;

        for (uint32_t count = max; count <= max + 1; count++) {
            out = pb_text_out(text, sizeof(text));
            for (uint32_t i = 0; i < count; i++) {
                uint8_t public_key[32] = { (uint8_t)(i + 1), (uint8_t)kind };
                struct pb_vkey key;
                char vkey[PB_VKEY_BYTES_MAX], line[PB_VKEY_BYTES_MAX + 64];

                pb_vkey_make(pb_str_from("x"), kind == 1 ? PB_KEY_ED25519 : PB_KEY_COSIGNATURE,
                             public_key, &key);
                pb_vkey_format(&key, vkey);
                if (kind == 0)
                    (void)snprintf(line, sizeof(line), "witness w%u %s\n", i, vkey);
                else if (kind == 1)
                    (void)snprintf(line, sizeof(line), "log %s\n", vkey);
                else if (i == 0)
                    (void)snprintf(line, sizeof(line), "witness w %s\ngroup g0 any w\n", vkey);
                else
                    (void)snprintf(line, sizeof(line), "group g%u any g%u\n", i, i - 1);
                pb_put_text(&out, line);
            }
            pb_put_text(&out, "quorum none\n");
            assert_int_equal(count > max ? PB_BAD_INPUT : PB_OK,
                             pb_witness_policy_parse((struct pb_str){ text,
                                                                      (uint32_t)(out.at - text) },
                                                     &policy, NULL));
        }
    }
}

/* ---- asking ---- */

struct asked {
    struct pb_witness_result results[3];
    bool has_quorum;
    enum pb_status status;
    struct pb_error error;
};

static void
ask(struct room *room, struct world *world, struct asked *asked)
{
    struct pb_witnesses witnesses = { .post = post, .post_context = world };

    make_policy(world, &witnesses.policy);
    memset(asked, 0, sizeof(*asked));
    asked->status = pb_audit_cosign(room->audit, "a42", &witnesses, asked->results,
                                    &asked->has_quorum, &asked->error);
}

static char *
read_checkpoint(struct room *room)
{
    size_t count = 0;

    return (char *)get_file(room, PUBLIC, "checkpoint", &count);
}

/* Which witnesses have signed the checkpoint that is seen. */
static uint32_t
who_has_signed(struct room *room, struct world *world, uint64_t *ret_oldest_s)
{
    struct pb_witness_policy policy;
    struct pb_error error = { .message = "" };
    char *text = read_checkpoint(room);
    uint32_t witnesses = 0;

    make_policy(world, &policy);
    must(pb_witness_check(pb_str_from(text), &world->log, &policy, &witnesses, ret_oldest_s,
                          &error),
         &error);
    pb_free(&room->env, text);
    return witnesses;
}

static void
cosignatures_stand_under_the_checkpoint_and_in_proofs(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;
    struct pb_error error = { .message = "" };
    char *proof = NULL;
    uint64_t oldest_s = 0;

    make_world(&world, room);
    append_many(room, 0, 5);
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    assert_true(asked.has_quorum);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(PB_WITNESS_COSIGNED, asked.results[i].outcome);
        /* The first time it signed what was given out before: nothing. */
        assert_int_equal(1767225600 + i + 2, asked.results[i].time_s);
        assert_int_equal(5, world.witnesses[i].size);
    }
    assert_int_equal(7, who_has_signed(room, &world, &oldest_s));
    assert_int_equal(1767225602, oldest_s);
    must(pb_audit_prove(room->audit, "a42", 2, false, &proof, &error), &error);
    assert_non_null(strstr(proof, "w3.example"));
    must(pb_audit_verify_proof(&room->env, pb_str_from(proof), room->vkey, &error), &error);
    pb_free(&room->env, proof);
    assert_verifies(room, 5);

    /* They are still there after a start that publishes the same again. */
    reopen(room);
    reopen(room);
    assert_int_equal(7, who_has_signed(room, &world, NULL));

    /* And asked again at the same size nobody signs twice under it. */
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    assert_int_equal(7, who_has_signed(room, &world, NULL));
}

static void
a_witness_that_is_behind_or_new_gets_the_proof_that_it_needs(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;
    uint32_t size = 0;

    make_world(&world, room);
    for (uint32_t round = 0; round < 12; round++) {
        uint32_t more = 1 + round * 7;

        append_many(room, size, more);
        size += more;
        for (uint32_t i = 0; i < 3; i++)
            world.witnesses[i].is_away = (round + i) % 3 == 0;
        ask(room, &world, &asked);
        must(asked.status, &asked.error);
        assert_true(asked.has_quorum);
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(world.witnesses[i].is_away ? PB_WITNESS_AWAY : PB_WITNESS_COSIGNED,
                             asked.results[i].outcome);
            if (!world.witnesses[i].is_away)
                assert_int_equal(size, world.witnesses[i].size);
        }
    }
}

static void
one_witness_of_three_is_no_quorum(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;

    make_world(&world, room);
    append_many(room, 0, 5);
    world.witnesses[0].is_away = true;
    world.witnesses[1].http_status = 404;
    world.witnesses[1].content_type = "";
    world.witnesses[1].body = "";
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    assert_false(asked.has_quorum);
    assert_int_equal(PB_WITNESS_AWAY, asked.results[0].outcome);
    assert_int_equal(PB_WITNESS_REFUSED, asked.results[1].outcome);
    assert_int_equal(PB_WITNESS_COSIGNED, asked.results[2].outcome);
    assert_non_null(strstr(asked.results[1].error.message, "w2"));
}

static void
answers_that_make_no_sense_are_no_cosignatures(void **state)
{
    static const struct {
        int http_status;
        const char *type, *body;
    } answers[] = {
        { 200, "", "" },
        { 200, "", "\n" },
        { 200, "", "signed!\n" },
        { 200, "", "\xe2\x80\x94 w1.example AAAAAAAAAAAAAAAAAAAAAAAA\n" },
        { 200, "", "\xe2\x80\x94 w1\xff.example AAAAAAAAAAAAAAAAAAAAAAAA\n" },
        { 201, "", "" },
        { 301, "", "" },
        { 400, "", "" },
        { 409, "text/plain", "3\n" },
        { 409, "text/x.tlog.size", "3" },
        { 409, "text/x.tlog.size", "03\n" },
        { 409, "text/x.tlog.size", "3\n\n" },
        { 409, "text/x.tlog.size", "" },
        { 500, "", "" },
        { 0, NULL, NULL }, /* asked for the size again and again: see below */
    };
    struct room *room = *state;
    struct world world;
    struct asked asked;

    make_world(&world, room);
    append_many(room, 0, 5);
    for (size_t i = 0; answers[i].http_status != 0; i++) {
        world.witnesses[0].http_status = answers[i].http_status;
        world.witnesses[0].content_type = answers[i].type;
        world.witnesses[0].body = answers[i].body;
        ask(room, &world, &asked);
        must(asked.status, &asked.error);
        if (asked.results[0].outcome != PB_WITNESS_UNREACHABLE)
            fail_msg("case %zu", i);
        assert_int_equal(6, who_has_signed(room, &world, NULL));
    }
    world.witnesses[0].http_status = 409;
    world.witnesses[0].content_type = "text/x.tlog.size";
    world.witnesses[0].body = "4\n";
    world.witnesses[0].requests = 0;
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    assert_int_equal(PB_WITNESS_UNREACHABLE, asked.results[0].outcome);
    assert_int_equal(3, world.witnesses[0].requests);
    /* Another witness's cosignature is not its own. */
    world.witnesses[0].http_status = 0;
    world.witnesses[0].secret[0] ^= 1;
    ask(room, &world, &asked);
    assert_int_equal(PB_WITNESS_UNREACHABLE, asked.results[0].outcome);
}

static void
a_witness_without_an_address_is_not_asked(void **state)
{
    struct room *room = *state;
    struct world world;
    struct pb_witnesses witnesses = { .post = post, .post_context = &world };
    struct pb_witness_result results[3];
    struct pb_error error = { .message = "" };
    bool has_quorum = true;

    make_world(&world, room);
    make_policy(&world, &witnesses.policy);
    witnesses.policy.witnesses[2].url[0] = '\0';
    must(pb_audit_cosign(room->audit, "a42", &witnesses, results, &has_quorum, &error), &error);
    assert_int_equal(PB_WITNESS_NOT_ASKED, results[2].outcome);
    assert_true(has_quorum);
    assert_int_equal(PB_NOT_FOUND,
                     pb_audit_cosign(room->audit, "nobody", &witnesses, results, NULL, &error));
}

static void
who_only_reads_asks_nobody(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .is_read_only = true };
    struct pb_audit *writer = room->audit;
    struct pb_error error = { .message = "" };
    struct world world;
    struct asked asked;

    make_world(&world, room);
    append_many(room, 0, 5);
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    ask(room, &world, &asked);
    assert_int_equal(PB_BAD_INPUT, asked.status);
    close_room(room);
    room->audit = writer;
}

/* The log grows while witnesses are waited for. */
struct growing {
    struct world *world;
    struct room *room;
    uint32_t next;
};

static enum pb_status
post_and_grow(void *context, const char *url, struct pb_str body,
              struct pb_witness_reply *ret_reply, struct pb_error *error)
{
    struct growing *growing = context;

    append_many(growing->room, growing->next++, 1);
    must(pb_audit_publish(growing->room->audit, NULL, error), error);
    return post(growing->world, url, body, ret_reply, error);
}

static void
a_cosignature_of_an_older_checkpoint_is_not_put_under_the_newer(void **state)
{
    struct room *room = *state;
    struct world world;
    struct growing growing = { &world, room, 5 };
    struct pb_witnesses witnesses = { .post = post_and_grow, .post_context = &growing };
    struct pb_witness_result results[3];
    struct pb_error error = { .message = "" };
    bool has_quorum = false;

    make_world(&world, room);
    make_policy(&world, &witnesses.policy);
    append_many(room, 0, 5);
    must(pb_audit_cosign(room->audit, "a42", &witnesses, results, &has_quorum, &error), &error);
    assert_true(has_quorum); /* they have signed, though another than the newest */
    assert_int_equal(0, who_has_signed(room, &world, NULL));
    assert_verifies(room, 11);
}

static void
false_cosignatures_spoil_a_checkpoint(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;
    struct pb_witness_policy policy;
    struct pb_error error = { .message = "" };
    uint32_t witnesses = 0;
    uint64_t oldest_s = 7;
    char *text, *line;

    make_world(&world, room);
    make_policy(&world, &policy);
    append_many(room, 0, 5);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    text = read_checkpoint(room);
    must(pb_witness_check(pb_str_from(text), &world.log, &policy, &witnesses, &oldest_s, &error),
         &error);
    assert_int_equal(0, witnesses);
    assert_int_equal(0, oldest_s);
    pb_free(&room->env, text);
    ask(room, &world, &asked);
    text = read_checkpoint(room);
    line = strstr(text, "w2.example ") + strlen("w2.example ") + 40;
    *line = *line == 'A' ? 'B' : 'A';
    assert_int_equal(PB_BAD_INPUT, pb_witness_check(pb_str_from(text), &world.log, &policy,
                                                    &witnesses, NULL, &error));
    assert_non_null(strstr(error.message, "w2"));
    assert_int_equal(PB_BAD_INPUT, pb_witness_check(pb_str_from("x"), &world.log, &policy,
                                                    &witnesses, NULL, &error));
    pb_free(&room->env, text);
}

/* ---- T2, T4: what only witnesses can see ---- */

static void
assert_stopped(struct room *room)
{
    struct pb_error error = { .message = "" };
    uint64_t index;
    char *before = read_checkpoint(room), *after;

    /* Leaves are taken, and nothing is signed. */
    must(room_append(room->audit, "a42", 99, &index, &error), &error);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, "a42", &error));
    assert_non_null(strstr(error.message, "is stopped"));
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    must(room_append(room->audit, "operator", 1, &index, &error), &error);
    must(pb_audit_publish(room->audit, "operator", &error), &error);
    after = read_checkpoint(room);
    assert_string_equal(before, after);
    pb_free(&room->env, before);
    pb_free(&room->env, after);
}

static void
t4_a_second_history_gets_no_cosignature_and_stops_the_log(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;
    struct sim_fs *other;
    struct pb_error error = { .message = "" };
    char *proof = NULL;

    make_world(&world, room);
    append_many(room, 0, 5);
    close_room(room);
    other = sim_fs_clone(room->fs);
    open_room(room);
    append_many(room, 5, 5);
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    close_room(room);

    /* The other history: as many leaves, the same keys, other content. */
    sim_fs_free(room->fs);
    room->fs = other;
    room->env = sim_fs_env(other);
    room->env.now_us = room_now_us;
    room->env.clock_context = room;
    open_room(room);
    append_many(room, 5, 5);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    ask(room, &world, &asked);
    assert_int_equal(PB_E_CORRUPT, asked.status);
    assert_false(asked.has_quorum);
    assert_non_null(strstr(asked.error.message, "history"));
    assert_int_equal(0, who_has_signed(room, &world, NULL));
    assert_stopped(room);

    /* Neither a restart nor a proof changes that; proofs of what was published are still made. */
    assert_int_equal(PB_E_CORRUPT, pb_audit_close(room->audit, &error));
    open_room(room);
    assert_stopped(room);
    must(pb_audit_prove(room->audit, "a42", 3, false, &proof, &error), &error);
    pb_free(&room->env, proof);
    assert_int_equal(PB_NOT_FOUND, pb_audit_prove(room->audit, "a42", 10, false, &proof, &error));
    assert_int_equal(PB_E_CORRUPT, pb_audit_close(room->audit, &error));
    room->audit = NULL;
}

static void
t2_leaves_that_a_witness_has_seen_cannot_be_cut_off(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;
    struct sim_fs *before;
    struct pb_error error = { .message = "" };

    make_world(&world, room);
    append_many(room, 0, 5);
    close_room(room);
    before = sim_fs_clone(room->fs); /* logs and keys */
    open_room(room);
    append_many(room, 5, 5);
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    close_room(room);
    sim_fs_free(room->fs);
    room->fs = before;
    room->env = sim_fs_env(before);
    room->env.now_us = room_now_us;
    room->env.clock_context = room;
    open_room(room);
    ask(room, &world, &asked);
    assert_int_equal(PB_E_CORRUPT, asked.status);
    assert_int_equal(PB_WITNESS_CONTRADICTS, asked.results[0].outcome);
    assert_non_null(strstr(asked.error.message, "leaves are lost"));
    assert_stopped(room);
    assert_int_equal(PB_E_CORRUPT, pb_audit_close(room->audit, &error));
    room->audit = NULL;
}

/* ---- when something of ours is wrong ---- */

/* To be asked again a witness needs a proof, and that needs whole tiles. */
static void
a_damaged_tile_is_told_and_shown_to_no_witness(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;

    make_world(&world, room);
    append_many(room, 0, 5);
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    append_many(room, 5, 300);
    must(pb_audit_publish(room->audit, NULL, &asked.error), &asked.error);
    assert_true(sim_fs_truncate(room->fs, PUBLIC "/tile/0/000", 33));
    ask(room, &world, &asked);
    assert_int_equal(PB_E_CORRUPT, asked.status);
    assert_non_null(strstr(asked.error.message, "is cut"));
}

static void
without_memory_no_witness_is_asked_for_nothing(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct world world;
    struct asked asked = { .status = PB_E_NOMEM };
    struct pb_error error = { .message = "" };
    struct fault_env fault;
    uint32_t at = 0;

    make_world(&world, room);
    append_many(room, 0, 5);
    close_room(room);
    fault_env_init(&fault, &room->env);
    while (asked.status != PB_OK) {
        must(pb_audit_open(&fault.env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error),
             &error);
        fault.fail_allocation_at = fault.allocation_count + ++at;
        ask(room, &world, &asked);
        fault.fail_allocation_at = 0;
        assert_true(asked.status == PB_OK || asked.status == PB_E_NOMEM);
        close_room(room);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(at, 5, 200);
    assert_int_equal(7, who_has_signed(room, &world, NULL));
}

/* The same where publishing asks them, and proving. */
static void
without_memory_nothing_is_published_that_witnesses_should_sign(void **state)
{
    struct room *room = *state;
    struct world world;
    struct pb_witnesses witnesses = { .post = post, .post_context = &world };
    struct pb_audit_options options = { .publishes_by_hand = true, .witnesses = &witnesses };
    struct pb_error error = { .message = "" };
    struct fault_env fault;

    make_world(&world, room);
    make_policy(&world, &witnesses.policy);
    append_many(room, 0, 5);
    close_room(room);
    fault_env_init(&fault, &room->env);
    must(pb_audit_open(&fault.env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    for (int kind = 0; kind < 2; kind++) {
        enum pb_status status = PB_E_NOMEM;
        uint32_t at = 0;

        while (status != PB_OK) {
            char *text = NULL;

            fault.fail_allocation_at = fault.allocation_count + ++at;
            status = kind == 0 ? pb_audit_publish(room->audit, NULL, &error)
                               : pb_audit_prove_consistency(room->audit, "a42", 2, &text, &error);
            fault.fail_allocation_at = 0;
            assert_true(status == PB_OK || status == PB_E_NOMEM);
            pb_free(&fault.env, text);
        }
        assert_in_range(at, 5, 200);
    }
    assert_int_equal(7, who_has_signed(room, &world, NULL));
    close_room(room);
    assert_true(fault_env_is_clean(&fault));
}

/* A log that a witness contradicts is stopped, even if the note of it cannot be written. */
static void
a_log_is_stopped_though_the_note_of_it_cannot_be_written(void **state)
{
    struct room *room = *state;
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct world world;
    struct asked asked;
    struct pb_error error = { .message = "" };
    struct fault_env fault;

    make_world(&world, room);
    append_many(room, 0, 5);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    close_room(room);
    fault_env_init(&fault, &room->env);
    must(pb_audit_open(&fault.env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    world.witnesses[0].http_status = 422;
    world.witnesses[0].content_type = "";
    world.witnesses[0].body = "";
    fault.fail_file_mask = FAULT_RENAME;
    fault.is_file_failure_lasting = true;
    for (uint64_t at = 1; !pb_audit_find(room->audit, pb_str_from("a42"))->is_stopped; at++) {
        fault.file_call_count = 0;
        fault.fail_file_call_at = at;
        ask(room, &world, &asked);
        assert_int_equal(PB_E_IO, asked.status);
        assert_true(at < 50);
    }
    fault.fail_file_call_at = 0;
    assert_int_equal(PB_E_CORRUPT, pb_audit_close(room->audit, &error));
    room->audit = NULL;
    assert_true(fault_env_is_clean(&fault));
}

/* Lines of signatures that nobody knows, as many as fit. */
static void
fill_checkpoint(struct room *room, size_t bytes_left)
{
    static uint8_t signature[PB_NOTE_SIGNATURE_BYTES_MAX];
    static char text[PB_NOTE_BYTES_MAX];
    struct pb_text_out out = pb_text_out(text, sizeof(text));
    char *before = read_checkpoint(room);
    size_t line = strlen("\xe2\x80\x94 x1 \n");

    pb_put_text(&out, before);
    pb_free(&room->env, before);
    for (bool is_over = false; !is_over;) {
        size_t left = (size_t)(out.end - out.at) - bytes_left;
        size_t bytes = sizeof(signature);

        is_over = left < line + (sizeof(signature) + 2) / 3 * 4;
        if (is_over)
            bytes = (left - line) / 4 * 3;
        pb_put_text(&out, "\xe2\x80\x94 x1 ");
        pb_put_base64(&out, signature, bytes);
        pb_put_char(&out, '\n');
        assert_false(out.is_cut);
    }
    put_file(room, PUBLIC, "checkpoint", text, (size_t)(out.at - text));
}

static void
a_checkpoint_that_is_full_gets_no_more_cosignatures(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;

    make_world(&world, room);
    append_many(room, 0, 3);
    must(pb_audit_publish(room->audit, NULL, &asked.error), &asked.error);
    fill_checkpoint(room, 200); /* room for one line, and not for two */
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    assert_int_equal(PB_WITNESS_COSIGNED, asked.results[1].outcome);
    assert_int_equal(1, who_has_signed(room, &world, NULL));
}

/* What stands behind the log's own signature and is none is left out. */
static void
what_is_no_signature_under_the_checkpoint_is_not_kept(void **state)
{
    struct room *room = *state;
    struct world world;
    struct asked asked;
    char *text, more[2048];

    make_world(&world, room);
    append_many(room, 0, 3);
    must(pb_audit_publish(room->audit, NULL, &asked.error), &asked.error);
    text = read_checkpoint(room);
    (void)snprintf(more, sizeof(more), "%sno signature\n", text);
    pb_free(&room->env, text);
    put_file(room, PUBLIC, "checkpoint", more, strlen(more));
    ask(room, &world, &asked);
    must(asked.status, &asked.error);
    text = read_checkpoint(room);
    assert_null(strstr(text, "no signature"));
    pb_free(&room->env, text);
    assert_int_equal(7, who_has_signed(room, &world, NULL));
}

/* ---- logs that are published by witnesses alone ---- */

struct witnessed {
    struct pb_witnesses witnesses;
    struct world world;
    uint32_t told;
    char why[512];
};

static void
note_waiting(void *context, const char *log, const char *why)
{
    struct witnessed *witnessed = context;

    assert_string_equal("a42", log);
    witnessed->told++;
    (void)snprintf(witnessed->why, sizeof(witnessed->why), "%s", why);
}

static void
make_witnessed(struct witnessed *witnessed, struct room *room)
{
    memset(witnessed, 0, sizeof(*witnessed));
    make_world(&witnessed->world, room);
    make_policy(&witnessed->world, &witnessed->witnesses.policy);
    witnessed->witnesses.post = post;
    witnessed->witnesses.post_context = &witnessed->world;
    witnessed->witnesses.waits = note_waiting;
    witnessed->witnesses.waits_context = witnessed;
}

static void
open_witnessed(struct room *room, struct witnessed *witnessed)
{
    struct pb_audit_options options = { .publishes_by_hand = true,
                                        .witnesses = &witnessed->witnesses };
    struct pb_error error = { .message = "" };

    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
}

static void
set_away(struct witnessed *witnessed, uint32_t bits)
{
    for (uint32_t i = 0; i < 3; i++)
        witnessed->world.witnesses[i].is_away = (bits >> i & 1) != 0;
}

static uint64_t
published_size(struct room *room)
{
    char *text = read_checkpoint(room), *line = strchr(text, '\n') + 1;
    uint64_t size = 0;

    assert_int_equal(PB_OK,
                     pb_decimal_decode((struct pb_str){ line, (uint32_t)strcspn(line, "\n") },
                                       &size));
    pb_free(&room->env, text);
    return size;
}

static void
publish(struct room *room)
{
    struct pb_error error = { .message = "" };

    must(pb_audit_publish(room->audit, NULL, &error), &error);
}

static void
nothing_is_published_before_enough_witnesses_have_signed_it(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;
    struct pb_error error = { .message = "" };
    char *proof = NULL;

    make_witnessed(&witnessed, room);
    close_room(room);
    open_witnessed(room, &witnessed);
    append_many(room, 0, 5);
    set_away(&witnessed, 3);
    publish(room);
    assert_int_equal(0, published_size(room));
    assert_int_equal(1, witnessed.told);
    assert_non_null(strstr(witnessed.why, "nobody is there"));
    assert_int_equal(PB_NOT_FOUND, pb_audit_prove(room->audit, "a42", 2, false, &proof, &error));
    assert_non_null(strstr(error.message, "waits for witnesses"));

    /* It waits without being told of again, and its leaves are safe. */
    append_many(room, 5, 5);
    publish(room);
    assert_int_equal(1, witnessed.told);
    close_room(room);
    open_witnessed(room, &witnessed);
    append_many(room, 10, 1);
    set_away(&witnessed, 1);
    publish(room);
    assert_int_equal(11, published_size(room));
    assert_int_equal(6, who_has_signed(room, &witnessed.world, NULL));
    must(pb_audit_prove(room->audit, "a42", 2, false, &proof, &error), &error);
    assert_non_null(strstr(proof, "w3.example"));
    pb_free(&room->env, proof);
    assert_verifies(room, 11);
    close_room(room); /* whose witnesses end here */
}

static void
a_witness_that_gave_no_answer_is_not_asked_again_for_a_while(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;
    uint32_t requests;

    make_witnessed(&witnessed, room);
    close_room(room);
    open_witnessed(room, &witnessed);
    set_away(&witnessed, 7);
    append_many(room, 0, 1);
    publish(room);
    assert_int_equal(1, witnessed.world.witnesses[0].requests);
    publish(room);
    append_many(room, 1, 1);
    close_room(room);
    requests = witnessed.world.witnesses[0].requests;
    assert_int_equal(1, requests);
    close_room(room); /* whose witnesses end here */
}

static void
what_waited_is_published_at_the_next_opening_without_a_new_leaf(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;

    make_witnessed(&witnessed, room);
    close_room(room);
    for (uint32_t round = 0; round < 2; round++) {
        open_witnessed(room, &witnessed);
        set_away(&witnessed, 7);
        /* The second time there is so much that it is kept while its checkpoint waits. */
        append_many(room, round == 0 ? 0 : 300, 300);
        close_room(room);
        assert_int_equal(round == 0 ? 0 : 300, published_size(room));
        set_away(&witnessed, 0);
        open_witnessed(room, &witnessed);
        close_room(room);
        assert_int_equal(300 * (round + 1), published_size(room));
        assert_int_equal(7, who_has_signed(room, &witnessed.world, NULL));
    }
    open_room(room);
    assert_verifies(room, 600);
    close_room(room); /* whose witnesses end here */
}

static void
without_a_quorum_checkpoints_come_out_with_what_there_is(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;

    make_witnessed(&witnessed, room);
    witnessed.witnesses.policy.quorum = -1;
    close_room(room);
    open_witnessed(room, &witnessed);
    set_away(&witnessed, 5);
    append_many(room, 0, 5);
    publish(room);
    assert_int_equal(5, published_size(room));
    assert_int_equal(2, who_has_signed(room, &witnessed.world, NULL));
    assert_int_equal(0, witnessed.told);
    close_room(room); /* whose witnesses end here */
}

/* The rule at the start: what witnesses know is asked before anything new is signed. */
static void
nothing_new_is_signed_before_witnesses_have_said_what_they_know(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;
    struct sim_fs *before;
    struct pb_error error = { .message = "" };

    make_witnessed(&witnessed, room);
    append_many(room, 0, 5);
    close_room(room);
    before = sim_fs_clone(room->fs); /* logs and keys */
    open_witnessed(room, &witnessed);
    append_many(room, 5, 5);
    publish(room);
    assert_int_equal(10, published_size(room));
    close_room(room);
    sim_fs_free(room->fs);
    room->fs = before;
    room->env = sim_fs_env(before);
    room->env.now_us = room_now_us;
    room->env.clock_context = room;

    /* With all of them away nothing is signed, not even for their eyes: the head stays. */
    open_witnessed(room, &witnessed);
    append_many(room, 5, 7);
    set_away(&witnessed, 7);
    publish(room);
    assert_int_equal(5, pb_keys_head(room->audit->keys, "a42")->size);
    close_room(room);

    /* One that answers stops the log before anything new is signed. */
    set_away(&witnessed, 5);
    open_witnessed(room, &witnessed);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    assert_non_null(strstr(error.message, "leaves are lost"));
    assert_int_equal(5, pb_keys_head(room->audit->keys, "a42")->size);
    assert_int_equal(5, published_size(room));
    assert_int_equal(PB_E_CORRUPT, pb_audit_close(room->audit, &error));
    room->audit = NULL;
}

/* Contradicts one log, and knows no other. */
static enum pb_status
post_against_a42(void *context, const char *url, struct pb_str body,
                 struct pb_witness_reply *ret_reply, struct pb_error *error)
{
    static const char origin[] = "\nlogs.example/agency/a42\n";

    (void)context;
    (void)url;
    (void)error;
    answer(ret_reply, memmem(body.text, body.bytes, origin, strlen(origin)) != NULL ? 422 : 404, "",
           "");
    return PB_OK;
}

static void
what_is_wrong_with_one_log_leaves_the_others_published(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;
    struct pb_error error = { .message = "" };
    struct pb_checkpoint checkpoint;
    struct pb_audit_log *operator_log;
    char *text = NULL;
    size_t bytes = 0;
    uint64_t index;

    make_witnessed(&witnessed, room);
    witnessed.witnesses.policy.quorum = -1;
    witnessed.witnesses.post = post_against_a42;
    close_room(room);
    open_witnessed(room, &witnessed);
    append_many(room, 0, 3);
    must(room_append(room->audit, PB_AUDIT_OPERATOR, 0, &index, &error), &error);
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, NULL, &error));
    assert_int_equal(PB_E_CORRUPT, pb_audit_publish(room->audit, "a42", &error));
    assert_non_null(strstr(error.message, "a42.stopped"));
    assert_int_equal(0, published_size(room));
    operator_log = pb_audit_find(room->audit, pb_str_from(PB_AUDIT_OPERATOR));
    must(pb_publish_read(room->audit, operator_log, &text, &bytes, &checkpoint, &error), &error);
    assert_int_equal(1, checkpoint.size);
    pb_free(&room->env, text);
    assert_int_equal(PB_E_CORRUPT, pb_audit_close(room->audit, &error));
    room->audit = NULL;
}

static void
a_log_that_a_witness_contradicts_still_has_proofs_of_what_was_published(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;
    struct asked asked;
    struct pb_audit_options options = { .is_read_only = true, .witnesses = &witnessed.witnesses };
    struct pb_error error = { .message = "" };
    struct pb_audit *beside;
    uint32_t requests;
    char *proof = NULL;

    make_witnessed(&witnessed, room);
    close_room(room);
    open_witnessed(room, &witnessed);
    append_many(room, 0, 5);
    /* One has signed, and the first that has not says why. */
    set_away(&witnessed, 6);
    publish(room);
    assert_non_null(strstr(witnessed.why, "nobody is there"));
    close_room(room);
    set_away(&witnessed, 0);
    open_witnessed(room, &witnessed);
    publish(room);
    append_many(room, 5, 2);
    witnessed.world.witnesses[1].http_status = 422;
    witnessed.world.witnesses[1].content_type = "";
    witnessed.world.witnesses[1].body = "";
    must(pb_audit_prove(room->audit, "a42", 2, false, &proof, &error), &error);
    pb_free(&room->env, proof);
    assert_int_equal(PB_NOT_FOUND, pb_audit_prove(room->audit, "a42", 6, false, &proof, &error));

    /* Nothing of it is signed from then on, though somebody asks by hand. */
    requests = witnessed.world.witnesses[0].requests;
    ask(room, &witnessed.world, &asked);
    assert_int_equal(PB_E_CORRUPT, asked.status);
    assert_non_null(strstr(asked.error.message, "nothing of it is signed"));
    assert_int_equal(requests, witnessed.world.witnesses[0].requests);
    assert_int_equal(5, published_size(room));

    /* Who only reads asks nobody. */
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &beside, &error), &error);
    must(pb_audit_prove(beside, "a42", 2, false, &proof, &error), &error);
    pb_free(&room->env, proof);
    must(pb_audit_close(beside, &error), &error);
    assert_int_equal(requests, witnessed.world.witnesses[0].requests);
    assert_int_equal(PB_E_CORRUPT, pb_audit_close(room->audit, &error));
    room->audit = NULL;
}

/* ---- on a thread of the logs' own ---- */

#define T0_S INT64_C(1767225600)

/* One lock around all that the test and that thread both look at. */
struct watched {
    struct witnessed witnessed;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    uint32_t requests;
    int64_t monotonic_ns;
};

static enum pb_status
post_watched(void *context, const char *url, struct pb_str body, struct pb_witness_reply *ret_reply,
             struct pb_error *error)
{
    struct watched *watched = context;
    enum pb_status status;

    (void)pthread_mutex_lock(&watched->lock);
    status = post(&watched->witnessed.world, url, body, ret_reply, error);
    watched->requests++;
    (void)pthread_cond_signal(&watched->moved);
    (void)pthread_mutex_unlock(&watched->lock);
    return status;
}

/* Each look at this clock is a minute after the one before: whoever was away is asked again. */
static int64_t
hasty_monotonic_ns(void *context)
{
    struct watched *watched = context;
    int64_t now_ns;

    (void)pthread_mutex_lock(&watched->lock);
    now_ns = watched->monotonic_ns += INT64_C(60000000000);
    (void)pthread_mutex_unlock(&watched->lock);
    return now_ns;
}

static int64_t
watched_now_us(void *context)
{
    (void)context;
    return T0_S * 1000000;
}

static void
wait_for_requests(struct watched *watched, uint32_t count)
{
    while (watched->requests < count)
        (void)pthread_cond_wait(&watched->moved, &watched->lock);
}

static void
what_waits_for_witnesses_is_tried_again_without_a_new_leaf(void **state)
{
    struct room *room = *state;
    struct watched watched = { .requests = 0 };
    struct pb_audit_options options = { .witnesses = &watched.witnessed.witnesses };
    struct pb_error error = { .message = "" };

    make_witnessed(&watched.witnessed, room);
    watched.witnessed.witnesses.post = post_watched;
    watched.witnessed.witnesses.post_context = &watched;
    watched.witnessed.witnesses.waits = NULL;
    (void)pthread_mutex_init(&watched.lock, NULL);
    (void)pthread_cond_init(&watched.moved, NULL);
    close_room(room);
    room->env.monotonic_ns = hasty_monotonic_ns;
    room->env.now_us = watched_now_us;
    room->env.clock_context = &watched;
    set_away(&watched.witnessed, 7);
    must(pb_audit_open(&room->env, ROOM_PATH, ROOM_KEYS, &options, &room->audit, &error), &error);
    room->audit->cosigner.again_ms = 1;
    append_many(room, 0, 1);
    (void)pthread_mutex_lock(&watched.lock);
    wait_for_requests(&watched, 3);
    set_away(&watched.witnessed, 0);
    wait_for_requests(&watched, 6);
    (void)pthread_mutex_unlock(&watched.lock);
    close_room(room);
    assert_int_equal(1, published_size(room));
    room->env.now_us = room_now_us;
    room->env.clock_context = room;
    (void)pthread_cond_destroy(&watched.moved);
    (void)pthread_mutex_destroy(&watched.lock);
}

/* ---- T7: what cosignatures say of the time of leaves ---- */

/* Three leaves are published and signed, then three more; what is wrong with the log then, for who
 * kept the first checkpoint. Seconds are counted from T0. */
static uint64_t
wrong_with_times(int64_t first_s, int64_t first_signed_s, int64_t second_s, int64_t second_signed_s)
{
    struct witnessed witnessed;
    struct pb_audit_evidence evidence = { .witnesses = &witnessed.witnesses.policy };
    struct pb_error error = { .message = "" };
    struct pb_audit_check check;
    void *state = NULL;
    struct room *room;
    char *old = NULL;

    assert_int_equal(0, make_room(&state));
    room = state;
    make_witnessed(&witnessed, room);
    close_room(room);
    for (uint32_t round = 0; round < 2; round++) {
        /* append_many moves the clock by a millisecond for each leaf, of which there are three. */
        room->now_us = (T0_S + (round == 0 ? first_s : second_s)) * 1000000 - 3000;
        for (uint32_t i = 0; i < 3; i++)
            witnessed.world.witnesses[i].time_s =
                (uint64_t)(T0_S + (round == 0 ? first_signed_s - 1 : second_signed_s - 1));
        open_witnessed(room, &witnessed);
        append_many(room, 3 * round, 3);
        /* The first round of a process signs what was there before, a second earlier. */
        publish(room);
        old = round == 0 ? read_checkpoint(room) : old;
        close_room(room);
    }
    evidence.old_checkpoint = old;
    must(pb_audit_verify_log(&room->env, PUBLIC, room->vkey, &evidence, NULL, NULL, &check, &error),
         &error);
    pb_free(&room->env, old);
    assert_int_equal(0, drop_room(&state));
    return check.wrong;
}

static void
t7_leaves_are_dated_between_the_cosignatures_around_them(void **state)
{
    (void)state;
    assert_int_equal(0, wrong_with_times(10, 11, 3600, 3601));
    /* A clock that is late or early by as much as clocks may differ. */
    assert_int_equal(0,
                     wrong_with_times(10, 10 - PB_WITNESS_SKEW_S, 3600, 3600 - PB_WITNESS_SKEW_S));
    assert_true(wrong_with_times(10, 10, 3600, 3600 - PB_WITNESS_SKEW_S - 1) > 0);
    assert_int_equal(0, wrong_with_times(10, 3600, 3600 - PB_WITNESS_SKEW_S + 1, 7200));
    /* Dated back: long before the witnesses had signed that it was not there yet. One leaf is a
     * millisecond too early, then all three are. */
    assert_int_equal(2, wrong_with_times(10, 3600, 3600 - PB_WITNESS_SKEW_S, 7200));
    assert_int_equal(3, wrong_with_times(10, 3600, 11, 7200));
    /* Dated ahead: after witnesses had signed that it was there. */
    assert_int_equal(3, wrong_with_times(10, 11, 7200, 3600));
}

static void
evidence_of_too_few_witnesses_is_none(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;
    struct pb_audit_evidence evidence = { .witnesses = &witnessed.witnesses.policy };
    struct pb_error error = { .message = "" };
    struct pb_audit_check check;
    char *text;

    make_witnessed(&witnessed, room);
    witnessed.witnesses.policy.quorum = -1;
    close_room(room);
    open_witnessed(room, &witnessed);
    set_away(&witnessed, 7);
    append_many(room, 0, 3);
    publish(room);
    must(pb_audit_verify_log(&room->env, PUBLIC, room->vkey, &evidence, NULL, NULL, &check, &error),
         &error);
    assert_int_equal(0, check.wrong);
    make_policy(&witnessed.world, &witnessed.witnesses.policy);
    must(pb_audit_verify_log(&room->env, PUBLIC, room->vkey, &evidence, NULL, NULL, &check, &error),
         &error);
    assert_int_equal(1, check.wrong);

    /* One that is dated past all years is a date all the same. */
    for (uint32_t i = 0; i < 3; i++)
        witnessed.world.witnesses[i].time_s = INT64_MAX - 1;
    close_room(room);
    set_away(&witnessed, 0);
    open_witnessed(room, &witnessed);
    append_many(room, 3, 1);
    publish(room);
    must(pb_audit_verify_log(&room->env, PUBLIC, room->vkey, &evidence, NULL, NULL, &check, &error),
         &error);
    assert_int_equal(0, check.wrong);

    /* A false cosignature is worse than none. */
    text = read_checkpoint(room);
    strstr(text, "w2.example ")[strlen("w2.example ") + 40] ^= 1;
    evidence.old_checkpoint = text;
    must(pb_audit_verify_log(&room->env, PUBLIC, room->vkey, &evidence, NULL, NULL, &check, &error),
         &error);
    assert_int_equal(1, check.wrong);
    pb_free(&room->env, text);
    close_room(room); /* whose witnesses end here */
}

static void
an_older_checkpoint_that_is_none_or_that_nobody_signed_is_told(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;
    struct pb_audit_evidence evidence = { .witnesses = &witnessed.witnesses.policy };
    struct pb_error error = { .message = "" };
    struct pb_audit_check check;
    char *old;

    append_many(room, 0, 2);
    publish(room);
    old = read_checkpoint(room); /* before there were witnesses */
    make_witnessed(&witnessed, room);
    close_room(room);
    open_witnessed(room, &witnessed);
    append_many(room, 2, 3);
    publish(room);
    evidence.old_checkpoint = old;
    must(pb_audit_verify_log(&room->env, PUBLIC, room->vkey, &evidence, NULL, NULL, &check, &error),
         &error);
    assert_int_equal(1, check.wrong); /* too few have signed it, and its date is nobody's word */
    assert_int_equal(5, check.leaves);
    evidence.old_checkpoint = "nothing\n";
    assert_int_equal(PB_BAD_INPUT, pb_audit_verify_log(&room->env, PUBLIC, room->vkey, &evidence,
                                                       NULL, NULL, &check, &error));
    pb_free(&room->env, old);
    close_room(room); /* whose witnesses end here */
}

/* Heads of before the log was there, put back from a copy of the keys. */
static void
a_log_of_which_the_heads_know_nothing_is_shown_from_its_beginning(void **state)
{
    struct room *room = *state;
    struct witnessed witnessed;
    struct pb_error error = { .message = "" };
    uint8_t *heads[2];
    size_t counts[2];

    heads[0] = get_file(room, ROOM_KEYS, "heads.0", &counts[0]);
    heads[1] = get_file(room, ROOM_KEYS, "heads.1", &counts[1]);
    must(pb_audit_log_add(room->audit, "b7", NULL, &error), &error);
    make_witnessed(&witnessed, room);
    set_away(&witnessed, 7);
    close_room(room);
    put_file(room, ROOM_KEYS, "heads.0", heads[0], counts[0]);
    put_file(room, ROOM_KEYS, "heads.1", heads[1], counts[1]);
    pb_free(&room->env, heads[0]);
    pb_free(&room->env, heads[1]);
    witnessed.witnesses.waits = NULL;
    open_witnessed(room, &witnessed);
    assert_null(pb_keys_head(room->audit->keys, "b7"));
    {
        uint64_t index;

        must(room_append(room->audit, "b7", 0, &index, &error), &error);
    }
    publish(room);
    /* All were away, so nothing was signed, and there is no head of what was not. */
    assert_null(pb_keys_head(room->audit->keys, "b7"));
    close_room(room);
}

/* ---- beginning again ---- */

static bool
note_info(void *context, const struct pb_audit_log_info *info)
{
    struct room *room = context;

    if (strcmp(info->id, "a42") == 0) {
        (void)snprintf(room->vkey, sizeof(room->vkey), "%s", info->vkey);
        assert_string_equal("logs.example/agency/a42/2", info->origin);
    }
    return true;
}

static bool
check_first_leaf(void *context, const struct pb_audit_entry *entry)
{
    struct pb_str value;

    (void)context;
    assert_string_equal("restart", entry->event);
    assert_int_equal(PB_OK, pb_leaf_member(entry->leaf, "before", &value));
    assert_true(pb_str_equal(value, pb_str_from("logs.example/agency/a42")));
    assert_int_equal(PB_OK, pb_leaf_member(entry->leaf, "size", &value));
    assert_true(pb_str_equal(value, pb_str_from("25")));
    assert_int_equal(PB_OK, pb_leaf_member(entry->leaf, "found", &value));
    assert_true(pb_str_equal(value, pb_str_from("20")));
    assert_int_equal(PB_OK, pb_leaf_member(entry->leaf, "root", &value));
    assert_int_equal(64, value.bytes);
    return true;
}

static void
a_log_that_lost_leaves_begins_again_under_a_new_origin(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_audit_filter filter = { .log = "a42", .last = 0 };
    struct pb_audit_check check;
    char old_vkey[sizeof(room->vkey)];
    uint64_t index;

    append_many(room, 0, 20);
    must(room_append(room->audit, "operator", 1, &index, &error), &error);
    must(pb_audit_backup(room->audit, "data/old", &error), &error);
    append_many(room, 20, 5);
    close_room(room);
    assert_int_equal(PB_E_CORRUPT, pb_audit_open(&room->env, "data/old", ROOM_KEYS, &options,
                                                 &room->audit, &error));
    assert_int_equal(PB_NOT_FOUND,
                     pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, NULL, "nobody", &error));
    memcpy(old_vkey, room->vkey, sizeof(old_vkey));
    must(pb_audit_restart(&room->env, "data/old", ROOM_KEYS, &options, "a42", &error), &error);
    must(pb_audit_open(&room->env, "data/old", ROOM_KEYS, &options, &room->audit, &error), &error);
    must(pb_audit_each_log(room->audit, note_info, room, &error), &error);
    must(pb_audit_read(room->audit, &filter, check_first_leaf, NULL, &error), &error);
    must(room_append(room->audit, "a42", 7, &index, &error), &error);
    assert_int_equal(1, index);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    must(pb_audit_verify_log(&room->env, "data/old/public/a42", room->vkey, NULL, NULL, NULL,
                             &check, &error),
         &error);
    assert_int_equal(0, check.wrong);
    assert_int_equal(2, check.size);
    /* What is left of the old one lies beside it. */
    must(pb_audit_verify_log(&room->env, "data/old/public/a42~1", old_vkey, NULL, NULL, NULL,
                             &check, &error),
         &error);
    assert_int_equal(0, check.wrong);
    assert_int_equal(20, check.size);
}

/* A checkpoint as it lies there; NUL-terminated. */
static void
read_checkpoint_at(struct room *room, const char *path, char ret_text[PB_NOTE_BYTES_MAX + 1])
{
    const struct pb_file_ops *files = room->env.files;
    struct pb_file *file = NULL;
    struct pb_error error;
    uint64_t size = 0;

    must(files->open(room->env.file_context, path, PB_OPEN_READ, &file, &error), &error);
    must(files->size(room->env.file_context, file, &size, &error), &error);
    assert_in_range(size, 1, PB_NOTE_BYTES_MAX);
    must(files->read(room->env.file_context, file, 0, ret_text, (size_t)size, &error), &error);
    ret_text[size] = '\0';
    files->close(room->env.file_context, file);
}

static void
logs_that_lost_leaves_together_begin_again_one_after_the_other(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct pb_audit_check check;
    char before[PB_NOTE_BYTES_MAX + 1], after[PB_NOTE_BYTES_MAX + 1];
    uint64_t index;

    append_many(room, 0, 20);
    must(room_append(room->audit, "operator", 1, &index, &error), &error);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    must(room_append(room->audit, "operator", 2, &index, &error), &error);
    must(pb_audit_backup(room->audit, "data/old", &error), &error);
    append_many(room, 20, 5);
    for (uint32_t i = 3; i < 6; i++)
        must(room_append(room->audit, "operator", i, &index, &error), &error);
    close_room(room);

    read_checkpoint_at(room, "data/old/public/operator/checkpoint", before);
    must(pb_audit_restart(&room->env, "data/old", ROOM_KEYS, &options, "a42", &error), &error);
    /* One log's beginning again does not mend the other, of which no word was signed meanwhile. */
    read_checkpoint_at(room, "data/old/public/operator/checkpoint", after);
    assert_string_equal(before, after);
    assert_int_equal(PB_E_CORRUPT, pb_audit_open(&room->env, "data/old", ROOM_KEYS, &options,
                                                 &room->audit, &error));
    must(pb_audit_restart(&room->env, "data/old", ROOM_KEYS, &options, "operator", &error), &error);
    must(pb_audit_open(&room->env, "data/old", ROOM_KEYS, &options, &room->audit, &error), &error);
    must(room_append(room->audit, "operator", 7, &index, &error), &error);
    assert_int_equal(1, index);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    must(pb_audit_each_log(room->audit, note_info, room, &error), &error);
    must(pb_audit_verify_log(&room->env, "data/old/public/a42", room->vkey, NULL, NULL, NULL,
                             &check, &error),
         &error);
    assert_int_equal(0, check.wrong);
}

static void
a_stopped_log_begins_again_and_its_unpublished_leaves_are_kept(void **state)
{
    struct room *room = *state;
    struct pb_error error = { .message = "" };
    struct pb_audit_options options = { .publishes_by_hand = true };
    struct world world;
    struct asked asked;
    struct pb_nodes nodes;
    struct pb_place place;
    struct pb_hash root;
    uint64_t index;

    make_world(&world, room);
    append_many(room, 0, 5);
    world.witnesses[1].http_status = 422;
    world.witnesses[1].content_type = "";
    world.witnesses[1].body = "";
    ask(room, &world, &asked);
    assert_int_equal(PB_E_CORRUPT, asked.status);
    assert_stopped(room);
    assert_int_equal(PB_E_CORRUPT, pb_audit_close(room->audit, &error));
    for (int round = 0; round < 2; round++)
        must(pb_audit_restart(&room->env, ROOM_PATH, ROOM_KEYS, &options, "a42", &error), &error);
    open_room(room);
    must(room_append(room->audit, "a42", 7, &index, &error), &error);
    assert_int_equal(1, index);
    assert_string_equal("logs.example/agency/a42/3",
                        pb_audit_find(room->audit, pb_str_from("a42"))->key.name);
    must(pb_audit_publish(room->audit, NULL, &error), &error);
    /* Six leaves of the first one, of which five were under a checkpoint. */
    must(pb_place_init(&place, &room->env, ROOM_PATH "/public/a42~1", &error), &error);
    pb_nodes_init(&nodes, &place, 6);
    must(pb_tree_root(6, pb_nodes_node, &nodes, &root, &error), &error);
    pb_place_done(&place);
}

#define ROOM_TEST(name) cmocka_unit_test_setup_teardown(name, make_room, drop_room)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_say_whose_word_is_enough),
        ROOM_TEST(malformed_policies_are_refused_with_the_line),
        cmocka_unit_test(policies_past_the_limits_are_refused),
        ROOM_TEST(cosignatures_stand_under_the_checkpoint_and_in_proofs),
        ROOM_TEST(a_witness_that_is_behind_or_new_gets_the_proof_that_it_needs),
        ROOM_TEST(one_witness_of_three_is_no_quorum),
        ROOM_TEST(answers_that_make_no_sense_are_no_cosignatures),
        ROOM_TEST(a_witness_without_an_address_is_not_asked),
        ROOM_TEST(who_only_reads_asks_nobody),
        ROOM_TEST(a_cosignature_of_an_older_checkpoint_is_not_put_under_the_newer),
        ROOM_TEST(false_cosignatures_spoil_a_checkpoint),
        ROOM_TEST(t4_a_second_history_gets_no_cosignature_and_stops_the_log),
        ROOM_TEST(t2_leaves_that_a_witness_has_seen_cannot_be_cut_off),
        ROOM_TEST(a_damaged_tile_is_told_and_shown_to_no_witness),
        ROOM_TEST(without_memory_no_witness_is_asked_for_nothing),
        ROOM_TEST(without_memory_nothing_is_published_that_witnesses_should_sign),
        ROOM_TEST(a_log_is_stopped_though_the_note_of_it_cannot_be_written),
        ROOM_TEST(a_checkpoint_that_is_full_gets_no_more_cosignatures),
        ROOM_TEST(what_is_no_signature_under_the_checkpoint_is_not_kept),
        ROOM_TEST(a_log_that_lost_leaves_begins_again_under_a_new_origin),
        ROOM_TEST(logs_that_lost_leaves_together_begin_again_one_after_the_other),
        ROOM_TEST(a_stopped_log_begins_again_and_its_unpublished_leaves_are_kept),
        ROOM_TEST(nothing_is_published_before_enough_witnesses_have_signed_it),
        ROOM_TEST(a_witness_that_gave_no_answer_is_not_asked_again_for_a_while),
        ROOM_TEST(what_waited_is_published_at_the_next_opening_without_a_new_leaf),
        ROOM_TEST(without_a_quorum_checkpoints_come_out_with_what_there_is),
        ROOM_TEST(nothing_new_is_signed_before_witnesses_have_said_what_they_know),
        ROOM_TEST(what_is_wrong_with_one_log_leaves_the_others_published),
        ROOM_TEST(what_waits_for_witnesses_is_tried_again_without_a_new_leaf),
        ROOM_TEST(a_log_that_a_witness_contradicts_still_has_proofs_of_what_was_published),
        cmocka_unit_test(t7_leaves_are_dated_between_the_cosignatures_around_them),
        ROOM_TEST(evidence_of_too_few_witnesses_is_none),
        ROOM_TEST(an_older_checkpoint_that_is_none_or_that_nobody_signed_is_told),
        ROOM_TEST(a_log_of_which_the_heads_know_nothing_is_shown_from_its_beginning),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
