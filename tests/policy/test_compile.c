/*
 * Compiling rule packs: what is refused, and by which words; versions, digests, memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "policy/facts.h"
#include "policy/pack.h"
#include "policy/policy_private.h"
#include "support/fault_env.h"

#define HEAD PACK_HEAD("t", "everyone")
#define RULE(rest) PACK_RULE("t.r", rest)

struct refusal {
    const char *text;
    const char *says; /* part of the error */
};

static void
expect_refusal(const struct refusal *refusal)
{
    struct pb_rules *rules = NULL;
    struct pb_error error = { { 0 } };
    enum pb_status status = pack_compile(pb_env_system(), refusal->text, &rules, &error);

    if (status != PB_BAD_INPUT || strstr(error.message, refusal->says) == NULL)
        fail_msg("expected \"%s\" and got %s \"%s\" for:\n%s", refusal->says,
                 pb_status_name(status), error.message, refusal->text);
    assert_null(rules);
}

static void
a_head_that_is_wrong_is_refused_with_its_line(void **state)
{
    static const struct refusal refusals[] = {
        { "", "test.yaml, line 1: `pack` is missing" },
        { "- a list", "a map is wanted here" },
        { "text", "a map is wanted here" },
        { "pack: [a]\n", "test.yaml, line 1: `pack` is a text" },
        { "pack: ''\n", "`pack` is a text" },
        { "pack: a b\n", "`pack` is 1 to 64 letters" },
        { "pack: .a\n", "`pack` is 1 to 64 letters" },
        { "pack: a/\n", "`pack` is 1 to 64 letters" },
        { "pack: 'a:'\n", "`pack` is 1 to 64 letters" },
        { "pack: 'a['\n", "`pack` is 1 to 64 letters" },
        { "pack: a~\n", "`pack` is 1 to 64 letters" },
        { "pack: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "1 to 64" },
        { "pack: t\nwhat: 1\n", "test.yaml, line 2: `what` means nothing here" },
        { "pack: t\n", "`version` is missing" },
        { "pack: t\nversion: 0\n", "line 2: `version` is 1 to 1000000" },
        { "pack: t\nversion: 1000001\n", "`version` is 1 to" },
        { "pack: t\nversion: one\n", "`version` is a whole number" },
        { "pack: t\nversion: 1.5\n", "`version` is a whole number" },
        { "pack: t\nversion: 99999999999999\n", "`version` is a whole number" },
        { "pack: t\nversion: 1\n", "`title` is missing" },
        { "pack: t\nversion: 1\ntitle: \"a\\u202Eb\"\n",
          "line 3: `title` has more than 1024 bytes" },
        { "pack: t\nversion: 1\ntitle: T\n", "`valid_from` is missing" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: soon\n", "line 4: `valid_from` is a date" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\n", "`binds` is missing" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: all\n",
          "line 5: `binds` cannot be all" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: asker\njurisdiction: XX\n",
          "line 6: `jurisdiction` is ISO 3166" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: asker\njurisdiction: []\n",
          "`jurisdiction` is ISO 3166" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: asker\n",
          "`rules` is missing" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: asker\nrules: no\n",
          "line 6: `rules` is a list" },
        { "pack: t\npack: t\n", "test.yaml, line 2: the same key" },
        { "a: b: c\n", "test.yaml, line 1" },
        { "a: \xFF\n", "not UTF-8" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        expect_refusal(&refusals[i]);
}

static void
a_rule_that_is_wrong_is_refused_with_its_id(void **state)
{
    static const struct refusal refusals[] = {
        { HEAD "- text\n", "line 8: `id` is missing" },
        { HEAD "- [t.r]\n", "line 8: `id` is missing" },
        { HEAD "- { text: T }\n", "line 8: `id` is missing" },
        { HEAD "- { id: other.r }\n", "the id other.r does not begin with \"t.\"" },
        { HEAD "- { id: t. }\n", "does not begin with" },
        { HEAD "- { id: tr }\n", "does not begin with" },
        { HEAD "- { id: tx.r }\n", "does not begin with" },
        { HEAD "- { id: t.r }\n", "test.yaml, line 8: rule t.r: `text` is missing" },
        { HEAD "- { id: t.r, text: T }\n", "`source` is missing" },
        { HEAD "- { id: t.r, text: T, source: S }\n", "`verified` is missing" },
        { HEAD "- { id: t.r, text: T, source: S, verified: maybe }\n",
          "`verified` is one of: no, yes, false, true" },
        { HEAD "- { id: t.r, text: T, source: S, verified: yes }\n", "`kind` is missing" },
        { HEAD RULE("kind: magic"), "rule t.r: there is no kind magic" },
        { HEAD RULE("kind: deny, more: 1"), "`more` means nothing here" },
        { HEAD RULE("kind: fields_required"), "`fields` is missing" },
        { HEAD RULE("kind: fields_required, fields: []"), "`fields` is a list of 1 to 256 words" },
        { HEAD RULE("kind: fields_required, fields: { a: b }"), "`fields` is a list" },
        { HEAD RULE("kind: fields_required, fields: [shoe]"), "`fields` is one of: person, plate" },
        { HEAD RULE("kind: fields_required, fields: [[plate]]"), "something that is no word" },
        { HEAD RULE("kind: fields_required, fields: ['']"), "something that is no word" },
        { HEAD RULE("kind: kinds_allowed, kinds: [guess]"), "`kinds` is one of: plate, pattern" },
        { HEAD RULE("kind: veto_purposes, purposes: [imigration]"),
          "no pack declares the purpose imigration" },
        { HEAD RULE("kind: recipients, states: [Texas]"), "Texas is no jurisdiction" },
        { HEAD RULE("kind: recipients, agency_classes: [town]"), "`agency_classes` is one of" },
        { HEAD RULE("kind: recipients, in_state: [yes]"), "`in_state` is one of" },
        { HEAD RULE("kind: reason_list, purpose_classes: [bad]"), "`purpose_classes` is one of" },
        { HEAD RULE("kind: area, at_most_km2: 0"), "`at_most_km2` is a number above 0" },
        { HEAD RULE("kind: area, at_most_km2: -1"), "`at_most_km2` is a number above 0" },
        { HEAD RULE("kind: area, at_most_km2: 1."), "`at_most_km2` is a number above 0" },
        { HEAD RULE("kind: area, at_most_km2: .5"), "`at_most_km2` is a number above 0" },
        { HEAD RULE("kind: area, at_most_km2: 1.5.5"), "`at_most_km2` is a number above 0" },
        { HEAD RULE("kind: area, at_most_km2: 1234567890123456"), "is a number above 0" },
        { HEAD RULE("kind: area, at_most_km2: ''"), "`at_most_km2` is a number above 0" },
        { HEAD RULE("kind: veto_purposes, purposes: { a: b }"), "`purposes` is a list" },
        { HEAD RULE("kind: area, at_most_km2: []"), "`at_most_km2` is a number above 0" },
        { HEAD RULE("kind: area, at_most_km2: 1, beyond: shout"), "`beyond` is one of: deny" },
        { HEAD RULE("kind: places, at_least: [1], at_most: 2"), "`at_least` is a whole number" },
        { HEAD RULE("kind: look_back, at_most: 5"), "`at_most` is a time as in \"3 minutes\"" },
        { HEAD RULE("kind: look_back, at_most: [5 years]"), "`at_most` is a time" },
        { HEAD RULE("kind: declaration, subject: ''"), "`subject` is a text of 1 to 1024 bytes" },
        { HEAD RULE("kind: declaration, subject: [a]"), "`subject` is a text" },
        { HEAD RULE("kind: case_number, pattern: '[a-'"), "`pattern`: not a pattern" },
        { HEAD RULE("kind: roles_allowed, roles: { a: b }"), "`roles` is a list" },
        { HEAD RULE("kind: recipients, states: { a: b }"), "`states` is a list" },
        { HEAD RULE("kind: deny, when: often"), "a map is wanted here" },
        { HEAD RULE("kind: deny, when: { moon: full }"), "`moon` means nothing here" },
        { HEAD RULE("kind: deny, when: { relations: [aunt] }"), "`relations` is one of: unstated" },
        { HEAD RULE("kind: deny, binds: nobody"), "`binds` cannot be nobody" },
        { HEAD RULE("kind: hold, at_most: 1 day, when: { own: yes }"),
          "the kind hold does not take this `when`" },
        { HEAD RULE("kind: retention, keep: 1 day, when: { kinds: [plate] }"),
          "the kind retention does not take this `when`" },
        { HEAD RULE("kind: agreement, binds: asker"), "the kind agreement binds everyone" },
        { HEAD RULE("kind: scope_not_empty, binds: asker"), "scope_not_empty binds everyone" },
        { HEAD RULE("kind: text_counts_as, words: [a], purposes: [toll], binds: capture_state"),
          "the kind text_counts_as is about inquiries, not origins" },
        { HEAD RULE("kind: look_back, at_most: 1 day, beyond: clip, binds: capture_state"),
          "`clip` is of the whole inquiry" },
        { HEAD "- { id: t.r, text: T, source: S, verified: no, kind: deny, "
               "yields_to_break_glass: yes }\n",
          "a rule that nobody verified does not yield" },
        { HEAD RULE("kind: deny, yields_to_break_glass: perhaps"),
          "`yields_to_break_glass` is one of" },
        { HEAD RULE("kind: deny") RULE("kind: deny"),
          "line 9: rule t.r: the same id as in line 8" },
        { HEAD RULE("kind: alert_list, visible_to: world"), "`visible_to` is one of: owner" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: "
          "capture_state\nrules:\n" RULE("kind: deny"),
          "the pack has no `jurisdiction` to bind" },
        { "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: everyone\nrules:\n" RULE(
              "kind: deny, when: { asker_in_state: yes }"),
          "no `jurisdiction` to be in" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        expect_refusal(&refusals[i]);
}

static void
a_purpose_means_one_thing_and_is_declared_once(void **state)
{
    static const char head[] = "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\n"
                               "binds: everyone\nrules: []\n";
    static const struct refusal refusals[] = {
        { "purposes: word\n", "line 7: `purposes` is a list of at most 256" },
        { "purposes: [word]\n", "`code` is missing" },
        { "purposes: [[a]]\n", "`code` is missing" },
        { "purposes: [{ code: a b }]\n", "`code` is 1 to 64" },
        { "purposes: [{ code: a }]\n", "`title` is missing" },
        { "purposes: [{ code: a, title: A }]\n", "`class` is missing" },
        { "purposes: [{ code: a, title: A, class: odd }]\n", "`class` cannot be odd" },
        { "purposes: [{ code: a, title: A, class: civil, more: 1 }]\n", "`more` means nothing" },
        { "purposes: [{ code: a, title: A, class: civil, counts_as: [b] }]\n",
          "no pack declares the purpose b" },
        { "purposes: [{ code: a, title: A, class: civil }, { code: a, title: A, class: civil }]\n",
          "the purpose a is declared twice" },
        { "purposes: [{ code: toll, title: A, class: criminal }]\n",
          "the purpose toll means something else in pack platebase-base" },
        { "purposes: [{ code: toll, title: A, class: civil, counts_as: [immigration] }]\n",
          "the purpose toll means something else in pack platebase-base" },
    };
    char text[1024];
    struct pb_rules *rules = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct refusal refusal = { text, refusals[i].says };

        assert_true(snprintf(text, sizeof(text), "%s%s", head, refusals[i].text) > 0);
        expect_refusal(&refusal);
    }
    assert_true(snprintf(text, sizeof(text),
                         "%spurposes: [{ code: toll, title: A, class: civil }]\n", head) > 0);
    assert_int_equal(PB_OK, pack_compile(pb_env_system(), text, &rules, NULL));
    pb_rules_unref(rules);
}

/* ---- more than there may be ---- */

/* A text of head, count times the pattern with numbers, and tail. The caller frees it. */
static char *
repeat(const char *head, const char *pattern, unsigned count, const char *tail)
{
    size_t room = strlen(head) + count * (strlen(pattern) + 8) + strlen(tail) + 1;
    char *text = malloc(room);
    int used;

    assert_non_null(text);
    used = snprintf(text, room, "%s", head);
    for (unsigned i = 0; i < count; i++)
        used += snprintf(text + used, room - (size_t)used, pattern, i);
    used += snprintf(text + used, room - (size_t)used, "%s", tail);
    assert_true((size_t)used < room);
    return text;
}

static void
expect_status(enum pb_status wanted, char *text, const char *says)
{
    struct pb_rules *rules = NULL;
    struct pb_error error = { { 0 } };

    assert_int_equal(wanted, pack_compile(pb_env_system(), text, &rules, &error));
    if (wanted != PB_OK)
        assert_non_null(strstr(error.message, says));
    pb_rules_unref(rules);
    free(text);
}

static void
more_than_there_may_be_is_refused(void **state)
{
    const char *rule = "- { id: t.r%u, text: T, source: S, verified: yes, kind: deny }\n";
    const char *purpose = "  - { code: p%u, title: P, class: civil }\n";
    const char *purposes = "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\n"
                           "binds: everyone\nrules: []\npurposes:\n";
    const char *words = HEAD "- { id: t.r, text: T, source: S, verified: yes, "
                             "kind: roles_allowed, roles: [w";

    (void)state;
    expect_status(PB_OK, repeat(HEAD, rule, PB_PACK_RULES_MAX, ""), "");
    expect_status(PB_OVER_LIMIT, repeat(HEAD, rule, PB_PACK_RULES_MAX + 1, ""),
                  "more than 256 rules");
    expect_status(PB_OVER_LIMIT, repeat(purposes, purpose, 256, ""), "more than 256 purposes");
    expect_status(PB_BAD_INPUT, repeat(purposes, purpose, 257, ""), "a list of at most 256");
    expect_status(PB_OK, repeat(words, ", w%u", 255, "] }\n"), "");
    expect_status(PB_BAD_INPUT, repeat(words, ", w%u", 256, "] }\n"), "1 to 256 words");
    expect_status(PB_BAD_INPUT, repeat("pack: t\nversion: 1\ntitle: ", "%08u", 129, "\n"),
                  "`title` has more than 1024 bytes");
    expect_status(PB_BAD_INPUT,
                  repeat(HEAD "- { id: t.r, text: T, source: S, verified: yes, kind: declaration, "
                              "subject: ",
                         "%08u", 129, " }\n"),
                  "a text of 1 to 1024 bytes");
    expect_status(PB_OVER_LIMIT, repeat("#", "# %06u ........................\n", 40000, ""),
                  "more than 1048576 bytes");
}

static void
too_many_packs_are_refused(void **state)
{
    struct pb_pack_source *packs = calloc(PB_PACKS_MAX + 1, sizeof(*packs));
    struct pb_rules *rules = NULL;
    struct pb_error error = { { 0 } };

    (void)state;
    assert_non_null(packs);
    for (unsigned i = 0; i <= PB_PACKS_MAX; i++)
        packs[i] = pack_base();
    assert_int_equal(PB_OVER_LIMIT,
                     pb_rules_compile(pb_env_system(), packs, PB_PACKS_MAX + 1, &rules, &error));
    assert_null(rules);
    free(packs);
}

/* ---- the base pack ---- */

static void
without_the_base_pack_there_are_no_rules(void **state)
{
    struct pb_pack_source pack = { pb_str_from(HEAD RULE("kind: deny")), "test.yaml" };
    struct pb_rules *rules = NULL;
    struct pb_error error = { { 0 } };

    (void)state;
    assert_int_equal(PB_BAD_INPUT, pb_rules_compile(pb_env_system(), &pack, 1, &rules, &error));
    assert_non_null(strstr(error.message, "the pack platebase-base is missing"));
    assert_int_equal(PB_BAD_INPUT, pb_rules_compile(pb_env_system(), NULL, 0, &rules, &error));
    assert_null(rules);
}

/* The shipped base as a later version, with the kind of one rule changed to `deny`, or what follows
 * the rule's kind. */
static char *
weakened(const char *kind, const char *instead, const char *more)
{
    struct pb_pack_source base = pack_base();
    char *text = malloc(base.text.bytes + 256);
    char wanted[64];
    const char *version = strstr(base.text.text, "version: 1\n"), *at;
    int used;

    assert_true(text != NULL && version != NULL);
    (void)snprintf(wanted, sizeof(wanted), "kind: %s\n", kind);
    at = strstr(base.text.text, wanted);
    assert_non_null(at);
    used = snprintf(text, base.text.bytes + 256, "%.*sversion: 2\n%.*skind: %s\n%s%s",
                    (int)(version - base.text.text), base.text.text, (int)(at - version - 11),
                    version + 11, instead, more, at + strlen(wanted));
    assert_true(used > 0 && used < (int)base.text.bytes + 256);
    return text;
}

static void
a_base_pack_that_leaves_the_door_open_is_refused(void **state)
{
    size_t count;
    const struct pb_rule_kind *kinds = pb_rule_kinds(&count);
    unsigned tried = 0;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        static const char *const no_members[] = { "account_active",
                                                  "agreement",
                                                  "beneficiary_known",
                                                  "capture_state_known",
                                                  "contributors_only",
                                                  "packs_in_force",
                                                  "permission",
                                                  "person_known",
                                                  "purpose_known",
                                                  "scope_not_empty",
                                                  NULL };
        char *text;

        if (!kinds[i].is_mandatory || pb_word_place(no_members, pb_str_from(kinds[i].name)) < 0)
            continue;
        text = weakened(kinds[i].name, "second_person", "");
        expect_status(PB_BAD_INPUT, text, kinds[i].name);
        tried++;
    }
    assert_int_equal(10, tried);
    expect_status(PB_BAD_INPUT,
                  weakened("person_known", "person_known", "    when: { kinds: [place] }\n"),
                  "person_known");
    expect_status(PB_BAD_INPUT,
                  weakened("person_known", "person_known", "    yields_to_break_glass: yes\n"),
                  "person_known");
    expect_status(PB_BAD_INPUT, weakened("person_known", "person_known", "    binds: asker\n"),
                  "person_known");
}

/* ---- versions ---- */

static const char version_1[] =
    "pack: t\nversion: 1\ntitle: One\nvalid_from: 2020-01-01\nbinds: everyone\nrules: []\n";
static const char version_2[] =
    "pack: t\nversion: 2\ntitle: Two\nvalid_from: 2026-06-01T12:00:00Z\nbinds: everyone\nrules:\n"
    "- { id: t.r, text: T, source: S, verified: no, kind: deny }\n";

struct seen {
    unsigned count, in_force;
    uint32_t version, unverified;
    char title[16];
};

static bool
see(void *context, const struct pb_pack_info *pack)
{
    struct seen *seen = context;

    if (pack->id.bytes != 1)
        return true;
    seen->count++;
    if (!pack->is_in_force)
        return true;
    seen->in_force++;
    seen->version = pack->version;
    seen->unverified = pack->unverified_count;
    assert_int_equal(64, pack->text_sha256_hex.bytes);
    (void)snprintf(seen->title, sizeof(seen->title), "%.*s", (int)pack->title.bytes,
                   pack->title.text);
    return true;
}

static bool
stop_at_once(void *context, const struct pb_pack_info *pack)
{
    unsigned *count = context;

    (void)pack;
    ++*count;
    return false;
}

static void
the_newest_version_whose_day_has_come_is_in_force(void **state)
{
    /* In an order that is not theirs. */
    struct pb_pack_source packs[3] = { { pb_str_from(version_2), "two.yaml" },
                                       pack_base(),
                                       { pb_str_from(version_1), "one.yaml" } };
    struct pb_rules *rules = NULL;
    struct seen before = { 0 }, after = { 0 }, early = { 0 };
    uint8_t digest_before[32], digest_after[32], digest_later[32];
    unsigned stopped = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, 3, &rules, NULL));
    pb_rules_each_pack(rules, FACTS_NOW - 1, see, &before);
    pb_rules_each_pack(rules, FACTS_NOW, see, &after);
    pb_rules_each_pack(rules, 1, see, &early);
    pb_rules_each_pack(rules, FACTS_NOW, stop_at_once, &stopped);
    assert_int_equal(2, before.count);
    assert_int_equal(1, before.version);
    assert_int_equal(0, before.unverified);
    assert_string_equal("One", before.title);
    assert_int_equal(2, after.version);
    assert_int_equal(1, after.unverified);
    assert_int_equal(1, after.in_force);
    assert_int_equal(0, early.in_force);
    assert_int_equal(1, stopped);

    pb_rules_digest(rules, FACTS_NOW - 1, digest_before);
    pb_rules_digest(rules, FACTS_NOW, digest_after);
    pb_rules_digest(rules, FACTS_NOW + 1, digest_later);
    assert_memory_not_equal(digest_before, digest_after, 32);
    assert_memory_equal(digest_after, digest_later, 32);
    assert_ptr_equal(rules, pb_rules_ref(rules));
    pb_rules_unref(rules);
    pb_rules_unref(rules);
    pb_rules_unref(NULL);
}

struct told {
    unsigned count, unverified, count_max;
};

static bool
take_rule(void *context, const struct pb_rule_info *rule)
{
    struct told *told = context;

    if (!pb_str_equal(rule->pack, pb_str_from("t")))
        return true;
    assert_string_equal("duty", rule->kind);
    assert_true(rule->id.bytes > 0 && rule->text.bytes > 0 && rule->source.bytes > 0);
    told->unverified += !rule->is_verified;
    return ++told->count < told->count_max;
}

static void
rules_are_told_of_the_packs_in_force_until_nobody_listens(void **state)
{
    static const char text[] = PACK_HEAD(
        "t", "everyone") "- { id: t.a, text: A, source: S, verified: yes, kind: duty, of: x }\n"
                         "- { id: t.b, text: B, source: S, verified: no, kind: duty, of: x }\n";
    struct told before = { .count_max = 9 }, all = before, first = { .count_max = 1 };
    struct pb_rules *rules = NULL;

    (void)state;
    assert_int_equal(PB_OK, pack_compile(pb_env_system(), text, &rules, NULL));
    pb_rules_each_rule(rules, 0, take_rule, &before);
    pb_rules_each_rule(rules, FACTS_NOW, take_rule, &all);
    pb_rules_each_rule(rules, FACTS_NOW, take_rule, &first);
    assert_int_equal(0, before.count);
    assert_int_equal(2, all.count);
    assert_int_equal(1, all.unverified);
    assert_int_equal(1, first.count);
    pb_rules_unref(rules);
}

static uint32_t
place(const char *kind)
{
    for (uint32_t i = 0; pb_place_kinds[i] != NULL; i++) {
        if (strcmp(pb_place_kinds[i], kind) == 0)
            return UINT32_C(1) << i;
    }
    fail_msg("%s", kind);
    return 0;
}

static void
places_where_nobody_captures_are_those_that_the_law_in_force_names(void **state)
{
    static const char text[] =
        "pack: t\nversion: 1\ntitle: T\nvalid_from: 2026-06-02\nbinds: everyone\nrules:\n"
        "- { id: t.r, text: T, source: S, verified: no, kind: no_capture_zone, places: [shelter] "
        "}\n"
        "- { id: t.s, text: T, source: S, verified: yes, kind: no_capture_zone, places: court }\n";
    const uint16_t kansas = pb_jurisdiction_from_text(pb_str_from("US-KS"));
    const uint16_t washington = pb_jurisdiction_from_text(pb_str_from("US-WA"));
    size_t count;
    const struct pb_pack_source *shipped = pb_rules_shipped(&count);
    struct pb_error error = { { 0 } };
    struct pb_rules *rules = NULL;
    int64_t begins_us = FACTS_NOW + PB_DAY_US / 2;

    (void)state;
    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), shipped, count, &rules, &error));
    assert_int_equal(0, pb_policy_no_capture(rules, kansas, FACTS_NOW));
    assert_int_equal(0, pb_policy_no_capture(rules, 0, FACTS_NOW));
    assert_int_equal(place("school") | place("worship") | place("immigration-office") |
                         place("court") | place("food-bank") | place("clinic"),
                     pb_policy_no_capture(rules, washington, FACTS_NOW));
    assert_int_equal(0, pb_policy_no_capture(rules, washington, FACTS_LONG_AGO - PB_DAY_US * 365));
    pb_rules_unref(rules);

    assert_int_equal(PB_OK, pack_compile(pb_env_system(), text, &rules, &error));
    assert_int_equal(0, pb_policy_no_capture(rules, kansas, begins_us - 1));
    assert_int_equal(place("shelter") | place("court"),
                     pb_policy_no_capture(rules, kansas, begins_us));
    pb_rules_unref(rules);
    /* A kind that no zone has would be a law that nobody keeps. */
    assert_int_equal(PB_BAD_INPUT,
                     pack_compile(pb_env_system(),
                                  PACK_HEAD("t", "everyone")
                                      PACK_RULE("t.r", "kind: no_capture_zone, places: [moon]"),
                                  &rules, &error));
    assert_non_null(strstr(error.message, "school"));
}

static void
versions_grow_with_their_dates(void **state)
{
    static const char *const seconds[] = {
        /* the same number, a smaller one later, another state */
        "pack: t\nversion: 1\ntitle: T\nvalid_from: 2021-01-01\nbinds: everyone\nrules: []\n",
        "pack: t\nversion: 3\ntitle: T\nvalid_from: 2019-01-01\nbinds: everyone\nrules: []\n",
        "pack: t\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: everyone\nrules: []\n",
        ("pack: t\nversion: 2\ntitle: T\nvalid_from: 2021-01-01\nbinds: everyone\n"
         "jurisdiction: US-KS\nrules: []\n"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct pb_pack_source packs[3] = { pack_base(),
                                           { pb_str_from(version_1), "one.yaml" },
                                           { pb_str_from(seconds[i]), "two.yaml" } };
        struct pb_rules *rules = NULL;
        struct pb_error error = { { 0 } };

        assert_int_equal(PB_BAD_INPUT, pb_rules_compile(pb_env_system(), packs, 3, &rules, &error));
        assert_non_null(strstr(error.message, "version"));
        assert_null(rules);
    }
}

static void
several_packs_may_be_of_one_state_and_ids_may_have_any_letters(void **state)
{
    static const char *const texts[] = {
        "pack: A_b-9.z\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: capture_state\n"
        "jurisdiction: US-KS\nrules:\n" PACK_RULE("A_b-9.z.R", "kind: deny"),
        "pack: Zz\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: capture_state\n"
        "jurisdiction: US-KS\nrules:\n" PACK_RULE("Zz.R", "kind: deny"),
        "pack: k\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: capture_state\n"
        "jurisdiction: US-AL\nrules:\n" PACK_RULE("k.R", "kind: deny"),
    };
    struct pb_pack_source packs[4] = { pack_base() };
    struct pb_rules *rules = NULL;

    (void)state;
    for (unsigned order = 0; order < 6; order++) {
        static const unsigned char orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                                    { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

        for (unsigned i = 0; i < 3; i++)
            packs[i + 1] =
                (struct pb_pack_source){ pb_str_from(texts[orders[order][i]]), "t.yaml" };
        assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, 4, &rules, NULL));
        assert_int_equal(3, rules->state_count);
        assert_true(rules->state_groups[0].jurisdiction < rules->state_groups[1].jurisdiction);
        assert_true(rules->state_groups[1].group < rules->state_groups[2].group);
        pb_rules_unref(rules);
    }
    assert_int_equal(0, pb_country_of(1999)); /* a number that no place has */
    assert_int_equal(pb_jurisdiction_from_text(pb_str_from("GB")),
                     pb_country_of(pb_jurisdiction_from_text(pb_str_from("GB-SCT"))));
}

static void
a_pack_is_found_by_id_and_by_version(void **state)
{
    struct pb_pack_source packs[3] = { pack_base(),
                                       { pb_str_from(version_1), "one.yaml" },
                                       { pb_str_from(version_2), "two.yaml" } };
    static const struct {
        const char *name;
        int64_t now_us;
        uint32_t version; /* 0: none */
    } cases[] = {
        { "t", FACTS_NOW, 2 },          { "t", FACTS_NOW - 1, 1 },     { "t", 1, 0 },
        { "t:1", FACTS_NOW, 1 },        { "t:2", FACTS_NOW, 2 },       { "t:2", FACTS_NOW - 1, 0 },
        { "t:3", FACTS_NOW, 0 },        { "t:", FACTS_NOW, 0 },        { "t:x", FACTS_NOW, 0 },
        { "t:00000001", FACTS_NOW, 0 }, { "t:0000001", FACTS_NOW, 1 }, { "u", FACTS_NOW, 0 },
        { "", FACTS_NOW, 0 },           { ":1", FACTS_NOW, 0 },        { "a", FACTS_NOW, 0 },
        { "t:/", FACTS_NOW, 0 },        { "t:A", FACTS_NOW, 0 },
    };
    struct pb_rules *rules = NULL;

    (void)state;
    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, 3, &rules, NULL));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pb_pack *pack =
            pb_pack_named(rules, pb_str_from(cases[i].name), cases[i].now_us);

        assert_int_equal(cases[i].version, pack == NULL ? 0 : pack->version);
    }
    pb_rules_unref(rules);
}

/* ---- what ships ---- */

static void
what_ships_compiles_and_says_which_rules_nobody_verified(void **state)
{
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);
    struct pb_rules *rules = NULL;
    struct pb_error error = { { 0 } };
    unsigned unverified = 0;

    (void)state;
    assert_int_equal(PB_OK, pb_rules_compile(pb_env_system(), packs, count, &rules, &error));
    assert_int_equal(count, rules->pack_count);
    for (uint32_t i = 0; i < rules->pack_count; i++) {
        unverified += rules->packs[i].unverified_count;
        for (uint32_t j = 0; j < rules->packs[i].rule_count; j++) {
            const struct pb_rule *rule = &rules->packs[i].rules[j];

            /* What is from memory or of our own making within a law is never called verified. */
            if (strstr(rule->source.text, "from memory") != NULL ||
                strstr(rule->source.text, "not confirmed") != NULL)
                assert_false(rule->is_verified);
        }
    }
    assert_true(unverified > 20);
    pb_rules_unref(rules);
}

static void
the_page_on_rule_packs_names_every_kind_member_and_condition(void **state)
{
    static char page[65536];
    FILE *file = fopen("docs/formats/rule-pack.md", "rb");
    size_t count, bytes;
    const struct pb_rule_kind *kinds = pb_rule_kinds(&count);
    const struct pb_member *conditions;
    char word[64];

    (void)state;
    assert_non_null(file);
    bytes = fread(page, 1, sizeof(page) - 1, file);
    (void)fclose(file);
    page[bytes] = '\0';
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(word, sizeof(word), "| `%s`%s |", kinds[i].name,
                       kinds[i].is_mandatory ? " *base*" : "");
        if (strstr(page, word) == NULL)
            fail_msg("the page has no row %s", word);
        for (unsigned j = 0; j < 7 && kinds[i].members[j].name != NULL; j++) {
            (void)snprintf(word, sizeof(word), "`%s`", kinds[i].members[j].name);
            if (strstr(page, word) == NULL)
                fail_msg("the page names no %s", word);
        }
    }
    conditions = pb_condition_members(&count);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(word, sizeof(word), "`%s`", conditions[i].name);
        if (strstr(page, word) == NULL)
            fail_msg("the page names no %s", word);
    }
}

/* ---- memory ---- */

/* Fails each allocation of a compilation; returns how many there are. */
static uint64_t
sweep(const struct pb_pack_source *packs, size_t count)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t at;

    for (at = 1; status != PB_OK; at++) {
        struct fault_env fault;
        struct pb_rules *rules = NULL;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = at;
        status = pb_rules_compile(&fault.env, packs, count, &rules, NULL);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_true((status == PB_OK) == (rules != NULL));
        pb_rules_unref(rules);
        assert_true(fault_env_is_clean(&fault));
    }
    return at;
}

static void
compiling_gives_everything_back_when_any_allocation_fails(void **state)
{
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);

    (void)state;
    assert_true(sweep(packs, count) > 10);
}

/* The least base that is one, and a rule of each type of member. */
static const char small_base[] =
    "pack: platebase-base\nversion: 1\ntitle: T\nvalid_from: 1970-01-01\nbinds: everyone\n"
    "jurisdiction: US-KS\npurposes: [{ code: e, title: E, class: safety }, { code: f, title: F, "
    "class: civil }, "
    "{ code: g, title: G, class: civil, counts_as: [f] }, { code: h, title: H, class: civil }, "
    "{ code: i, title: I, class: civil }, { code: j, title: J, class: civil }]\nrules:\n"
#define SMALL(name, kind) \
    "- { id: platebase-base." name ", text: T, source: S, verified: yes, kind: " kind " }\n"
    SMALL("a", "account_active") SMALL("b", "agreement") SMALL("c", "approver")
        SMALL("d", "beneficiary_known") SMALL("e", "break_glass, purposes: [e]")
            SMALL("f", "capture_state_known") SMALL("g", "contributors_only")
                SMALL("h", "log_retention, keep: 7 years") SMALL("i", "packs_in_force")
                    SMALL("j", "permission") SMALL("k", "person_known") SMALL("l", "purpose_known")
                        SMALL("m", "scope_not_empty") SMALL("n", "roles_allowed, roles: [a, b]")
                            SMALL("o",
                                  "recipients, states: ["
                                  "US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, "
                                  "US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, "
                                  "US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, "
                                  "US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, "
                                  "US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, "
                                  "US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, US, GB, "
                                  "US]") SMALL("p", "case_number, pattern: '[0-9]{2}'")
                                SMALL("q", "deny, when: { roles: [a] }");

static void
compiling_gives_everything_back_wherever_memory_ends(void **state)
{
    static const char *const others[] = {
#define OTHER(id) \
    "pack: " id "\nversion: 1\ntitle: T\nvalid_from: 2020-01-01\nbinds: asker\nrules: []\n"
        OTHER("a"), OTHER("b"), OTHER("c"), OTHER("d"), OTHER("e"), OTHER("f"),
        OTHER("g"), OTHER("h"), OTHER("i"), OTHER("j"), OTHER("k"), OTHER("l"),
    };
    static char text[16384];
    struct pb_pack_source packs[13];

    (void)state;
    for (size_t i = 0; i < 12; i++)
        packs[i] = (struct pb_pack_source){ pb_str_from(others[i]), "other.yaml" };
    /* Memory comes in chunks: what stands before moves every allocation over their borders. */
    for (int pad = 0; pad < 500; pad++) {
        int bytes = snprintf(text, sizeof(text), "%sabout: [%0*d", small_base, 1 + pad % 64 * 8, 0);

        for (int i = 0; i < pad; i++)
            bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, ", x");
        bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, "]\n");
        assert_in_range(bytes, 1, sizeof(text) - 1);
        packs[12] = (struct pb_pack_source){ { text, (uint32_t)bytes }, "base.yaml" };
        (void)sweep(packs, 13);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_that_is_wrong_is_refused_with_its_line),
        cmocka_unit_test(a_rule_that_is_wrong_is_refused_with_its_id),
        cmocka_unit_test(a_purpose_means_one_thing_and_is_declared_once),
        cmocka_unit_test(more_than_there_may_be_is_refused),
        cmocka_unit_test(too_many_packs_are_refused),
        cmocka_unit_test(without_the_base_pack_there_are_no_rules),
        cmocka_unit_test(a_base_pack_that_leaves_the_door_open_is_refused),
        cmocka_unit_test(the_newest_version_whose_day_has_come_is_in_force),
        cmocka_unit_test(rules_are_told_of_the_packs_in_force_until_nobody_listens),
        cmocka_unit_test(places_where_nobody_captures_are_those_that_the_law_in_force_names),
        cmocka_unit_test(versions_grow_with_their_dates),
        cmocka_unit_test(several_packs_may_be_of_one_state_and_ids_may_have_any_letters),
        cmocka_unit_test(a_pack_is_found_by_id_and_by_version),
        cmocka_unit_test(what_ships_compiles_and_says_which_rules_nobody_verified),
        cmocka_unit_test(the_page_on_rule_packs_names_every_kind_member_and_condition),
        cmocka_unit_test(compiling_gives_everything_back_when_any_allocation_fails),
        cmocka_unit_test(compiling_gives_everything_back_wherever_memory_ends),
    };

    return cmocka_run_group_tests_name("policy/compile", tests, NULL, NULL);
}
