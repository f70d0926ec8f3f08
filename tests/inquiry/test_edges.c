/*
 * Edges: tokens that are damaged, foreign or over, leaves that are full, questions without meaning,
 * receipts of very much that is gone.
 */
#include "inquiry/inquiry_private.h"
#include "inquiry/site_room.h"

#include "base/base64.h"
#include "inquiry/figures.h"

/* ---- tokens ---- */

#define TOKEN_BYTES_MAX 400u

/* Bytes under the site's own seal, as a token. */
static void
seal_bytes(const struct site_room *room, const uint8_t *bytes, size_t count, char *ret_text)
{
    uint8_t sealed[TOKEN_BYTES_MAX + crypto_auth_BYTES];

    assert_true(count <= TOKEN_BYTES_MAX);
    memcpy(sealed, bytes, count);
    (void)crypto_auth(sealed + count, bytes, count, room->site->key);
    (void)sodium_bin2base64(ret_text, PB_INQUIRY_TOKEN_BYTES_MAX, sealed, count + crypto_auth_BYTES,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool
opens(const struct site_room *room, const char *text, int64_t now_us)
{
    struct pb_inquiry_token token;
    uint8_t bytes[PB_INQUIRY_TOKEN_BYTES_MAX];

    return pb_inquiry_token_open(room->site, PB_TOKEN_PAGE, pb_str_from(text), now_us, bytes,
                                 &token);
}

static void
a_token_is_whole_of_its_version_and_kind_under_this_site_s_seal_and_in_time(void **state)
{
    struct site_room room;
    struct pb_inquiry_token token = { .kind = PB_TOKEN_PAGE,
                                      .person = pb_str_from("doe"),
                                      .position = pb_str_from("somewhere"),
                                      .expires_at_us = ROOM_NOW_US + 1 };
    char text[PB_INQUIRY_TOKEN_BYTES_MAX], other[PB_INQUIRY_TOKEN_BYTES_MAX], longer[2048];
    uint8_t bytes[PB_INQUIRY_TOKEN_BYTES_MAX];
    size_t count = 0;

    (void)state;
    room_init(&room);
    pb_inquiry_token_seal(room.site, &token, text);
    assert_true(opens(&room, text, ROOM_NOW_US));
    assert_false(opens(&room, text, ROOM_NOW_US + 1)); /* over */
    assert_int_equal(PB_OK, pb_base64url_decode(pb_str_from(text), bytes, sizeof(bytes), &count));
    count -= crypto_auth_BYTES;
    /* Of each length but its own, though the seal is right. */
    for (size_t shorter = 0; shorter <= count; shorter++) {
        seal_bytes(&room, bytes, shorter, other);
        assert_int_equal(shorter == count, opens(&room, other, ROOM_NOW_US));
    }
    bytes[count] = 0;
    seal_bytes(&room, bytes, count + 1, other);
    assert_false(opens(&room, other, ROOM_NOW_US));
    bytes[0]++; /* another version */
    seal_bytes(&room, bytes, count, other);
    assert_false(opens(&room, other, ROOM_NOW_US));
    bytes[0]--;
    bytes[1] = PB_TOKEN_APPROVAL; /* of another kind */
    seal_bytes(&room, bytes, count, other);
    assert_false(opens(&room, other, ROOM_NOW_US));
    /* Under the seal of another site; of letters that are none; too long; empty. */
    room.site->key[0] ^= 1;
    assert_false(opens(&room, text, ROOM_NOW_US));
    room.site->key[0] ^= 1;
    assert_true(opens(&room, text, ROOM_NOW_US));
    memcpy(other, text, sizeof(other));
    other[3] = '!';
    assert_false(opens(&room, other, ROOM_NOW_US));
    memset(longer, 'A', sizeof(longer));
    longer[PB_INQUIRY_TOKEN_BYTES_MAX] = '\0';
    assert_false(opens(&room, longer, ROOM_NOW_US));
    assert_false(opens(&room, "", ROOM_NOW_US));
    room_done(&room);
}

/* ---- pages ---- */

static void
first_page(struct site_room *room, struct pb_inquiry *inquiry, char token[1024])
{
    for (int i = 0; i < 5; i++)
        room_add(room, "KSA123", "k1", (i + 1) * PB_HOUR_US);
    *inquiry = room_inquiry(room, PB_INQUIRY_PLATE, "KSA123");
    inquiry->rows_wanted = 2;
    assert_int_equal(2, room_rows(room, inquiry));
    (void)snprintf(token, 1024, "%s", pb_answer_page(room->answer));
    inquiry->page = pb_str_from(token);
}

static void
a_page_of_what_is_gone_meanwhile_is_empty_and_the_last(void **state)
{
    const struct pb_actor machine = { .person = NULL };
    const struct pb_erasure erasure = { .plate = pb_str_from("KSA123"),
                                        .from_us = 0,
                                        .to_us = ROOM_NOW_US };
    struct site_room room;
    struct pb_inquiry inquiry;
    char token[1024];

    (void)state;
    room_init(&room);
    first_page(&room, &inquiry, token);
    assert_int_equal(2, room_rows(&room, &inquiry));
    assert_true(pb_answer_page(room.answer)[0] != '\0');
    room_expect(&room, PB_OK,
                pb_site_erase(room.site, &machine, pb_str_from("court order 17"), &erasure,
                              &room.error),
                "erase");
    assert_int_equal(0, room_rows(&room, &inquiry));
    assert_int_equal(5, pb_answer_count(room.answer)); /* as it was told with the first one */
    assert_string_equal("", pb_answer_page(room.answer));
    room_done(&room);
}

/* Nobody but the site can make such a token; if one were there it would give nothing. */
static void
a_page_behind_the_last_one_is_empty(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_inquiry_token opened;
    uint8_t bytes[PB_INQUIRY_TOKEN_BYTES_MAX];
    char token[1024], behind[PB_INQUIRY_TOKEN_BYTES_MAX];

    (void)state;
    room_init(&room);
    first_page(&room, &inquiry, token);
    assert_true(pb_inquiry_token_open(room.site, PB_TOKEN_PAGE, pb_str_from(token), room.now_us,
                                      bytes, &opened));
    opened.given = opened.total + 1;
    pb_inquiry_token_seal(room.site, &opened, behind);
    inquiry.page = pb_str_from(behind);
    assert_int_equal(0, room_rows(&room, &inquiry));
    assert_string_equal("", pb_answer_page(room.answer));
    room_done(&room);
}

/* ---- questions ---- */

static void
shape(struct pb_inquiry *inquiry, struct pb_place *places, unsigned number)
{
    static char long_text[PB_CATALOG_TEXT_BYTES_MAX + 2];
    struct pb_str too_long = { long_text, PB_CATALOG_TEXT_BYTES_MAX + 1 };

    memset(long_text, 'x', sizeof(long_text) - 1);
    switch (number) {
    case 0:
        inquiry->kind = (enum pb_inquiry_kind)(PB_INQUIRY_SUBJECT + 1);
        break;
    case 1:
        inquiry->query.area = places[0].area;
        break;
    case 2:
        inquiry->query.resume = pb_str_from("x");
        break;
    case 3:
        inquiry->counts_plates = true;
        break;
    case 4:
        inquiry->together_us = -1;
        break;
    case 5:
        inquiry->together_us = PB_HOUR_US + 1;
        break;
    case 6:
        inquiry->page = pb_str_from("x");
        inquiry->confirmation = pb_str_from("x");
        break;
    case 7:
        inquiry->place_count = 1;
        break; /* of a plate */
    case 8:
        inquiry->kind = PB_INQUIRY_PLACE;
        break; /* of no place */
    case 9:
        inquiry->kind = PB_INQUIRY_PLACE;
        inquiry->place_count = 2;
        break;
    case 10:
        inquiry->kind = PB_INQUIRY_COMMON;
        inquiry->query.plate = (struct pb_str){ 0 };
        inquiry->place_count = 1;
        break;
    case 11:
        inquiry->kind = PB_INQUIRY_COMMON;
        inquiry->query.plate = (struct pb_str){ 0 };
        inquiry->place_count = PB_PLACES_MAX + 1;
        break;
    case 12:
        inquiry->kind = PB_INQUIRY_COMMON;
        inquiry->place_count = 2;
        break; /* with a plate */
    case 13:
        inquiry->kind = PB_INQUIRY_PLACE;
        inquiry->place_count = 1;
        places[0].area = NULL;
        break;
    case 14:
        inquiry->kind = PB_INQUIRY_PLACE;
        inquiry->place_count = 1;
        places[0].area_text = (struct pb_str){ 0 };
        break;
    case 15:
        inquiry->query.to_us = inquiry->query.from_us;
        break;
    case 16:
        inquiry->kind = PB_INQUIRY_PLACE;
        inquiry->place_count = 1;
        inquiry->query.plate = (struct pb_str){ 0 };
        places[0].from_us = places[0].to_us = ROOM_NOW_US;
        break;
    case 17:
        inquiry->person = too_long;
        break;
    case 18:
        inquiry->on_behalf_of = too_long;
        break;
    case 19:
        inquiry->client = too_long;
        break;
    case 20:
        inquiry->identity = too_long;
        break;
    case 21:
        inquiry->export_format = too_long;
        break;
    case 22:
        inquiry->export_agreement = too_long;
        break;
    case 23:
        inquiry->relation = (enum pb_relation)(PB_RELATION_OTHER + 1);
        break;
    default:
        inquiry->export_recipient = too_long;
        break;
    }
}

static void
what_has_no_meaning_is_refused_by_its_field_and_leaves_no_leaf(void **state)
{
    static const char *const fields[] = { "kind",
                                          "query",
                                          "query",
                                          "counts_plates",
                                          "together",
                                          "together",
                                          "page",
                                          "places",
                                          "places",
                                          "places",
                                          "places",
                                          "places",
                                          "plate",
                                          "places",
                                          "places",
                                          "from",
                                          "from",
                                          "person",
                                          "on_behalf_of",
                                          "client",
                                          "identity",
                                          "export_format",
                                          "export_agreement",
                                          "relation",
                                          "export_recipient" };
    struct site_room room;

    (void)state;
    room_init(&room);
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct pb_inquiry inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
        struct pb_place places[PB_PLACES_MAX + 1];
        struct pb_answer *answer = NULL;
        enum pb_status status;

        for (unsigned j = 0; j <= PB_PLACES_MAX; j++)
            places[j] = (struct pb_place){ .area = room.area, .area_text = pb_str_from("here") };
        inquiry.places = places;
        shape(&inquiry, places, i);
        status = pb_inquiry_ask(room.site, &inquiry, &answer, &room.error);
        if ((status != PB_BAD_INPUT && status != PB_OVER_LIMIT) ||
            strstr(room.error.message, fields[i]) == NULL)
            fail_msg("case %u: %s, %s", i, pb_status_name(status), room.error.message);
    }
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "query", NULL));
    assert_int_equal(0, room_leaves(&room, "kansas-pd", "denied", NULL));
    room_done(&room);
}

/* Characters of a pattern that are known: of "[AB]?K*1" two. */
static void
a_pattern_of_wildcards_and_classes_knows_too_little_of_a_plate(void **state)
{
    static const struct {
        const char *plate;
        enum pb_policy_verdict verdict;
    } cases[] = {
        { "KSA*", PB_POLICY_ALLOW },
        { "[AB]?K*1", PB_POLICY_DENY },
        { "[AB]?KS*1", PB_POLICY_ALLOW },
        { "[ABC]*", PB_POLICY_DENY }, /* nothing at all is known */
    };
    struct site_room room;

    (void)state;
    room_init(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_inquiry inquiry = room_inquiry(&room, PB_INQUIRY_PATTERN, cases[i].plate);

        (void)room_ask_for(&room, &inquiry, cases[i].verdict);
    }
    room_done(&room);
}

/* Places with windows of their own, beside one with the window of all. */
static void
a_question_spans_the_windows_of_its_places_and_each_counts_in_its_own(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", 3 * PB_HOUR_US);
    room_add(&room, "KSA123", "k2", PB_HOUR_US);
    inquiry = room_inquiry(&room, PB_INQUIRY_COMMON, "");
    assert_int_equal(1, room_rows(&room, &inquiry));
    room.places[1].from_us = room.now_us - 2 * PB_HOUR_US;
    room.places[1].to_us = room.now_us;
    assert_int_equal(1, room_rows(&room, &inquiry));
    room.places[0].from_us = room.now_us - 20 * PB_DAY_US;
    room.places[0].to_us = room.now_us - 4 * PB_HOUR_US; /* too early for what was there */
    assert_int_equal(0, room_rows(&room, &inquiry));
    (void)room_leaves(&room, "kansas-pd", "query", &leaf);
    assert_says(leaf.leaf, "\"days\":20");
    assert_says(leaf.secrets, "circle 38.6,-98 170 m 2026-06-01T10:00:00");
    room_done(&room);
}

static void
what_is_explained_to_nobody_is_in_the_operators_log(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_decision decision;
    struct pb_arena arena;

    (void)state;
    room_init(&room);
    pb_arena_init(&arena, room.env, 4096);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.person = pb_str_from("nobody");
    room_expect(&room, PB_OK,
                pb_inquiry_explain(room.site, &inquiry, &arena, &decision, &room.error), "explain");
    assert_int_equal(PB_POLICY_DENY, decision.verdict);
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "explained", NULL));
    pb_arena_clear(&arena);
    room_done(&room);
}

static void
a_leaf_says_what_a_reviewer_goes_by(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_import(&room, "cases:\n  - { id: \"kansas-pd:26-00471\", offence: burglary,"
                       " verified: yes }\n");
    inquiry = room_inquiry(&room, PB_INQUIRY_PATTERN, "KSA12345");
    inquiry.query.edits = 2;
    inquiry.query.make = pb_str_from("Example");
    inquiry.query.color = pb_str_from("blue");
    (void)room_ask(&room, &inquiry);
    (void)room_leaves(&room, "kansas-pd", "query", &leaf);
    assert_says(leaf.leaf, "\"verified\":1");
    assert_says(leaf.leaf, "\"edits\":2");
    assert_says(leaf.secrets, "make=Example;color=blue\n");
    room_done(&room);
}

static void
a_read_with_the_last_revision_is_corrected_no_more(void **state)
{
    struct site_room room;
    struct pb_read read;
    struct pb_correction correction = { .person = pb_str_from("doe"),
                                        .why = pb_str_from("The picture shows a B, not an 8"),
                                        .reader = pb_str_from("k1"),
                                        .wrong_plate = pb_str_from("KS8123"),
                                        .captured_at_us = ROOM_NOW_US - PB_HOUR_US };

    (void)state;
    room_init(&room);
    read = room_read(&room, "KS8123", "k1", PB_HOUR_US);
    read.event_id = pb_str_from("e-1");
    read.revision = UINT32_MAX;
    assert_int_equal(PB_OK, room_append(&room, &read));
    assert_int_equal(PB_OVER_LIMIT, pb_inquiry_correct(room.site, &correction, &room.error));
    room_done(&room);
}

/* A note that nobody here wrote is none: the store is looked through once more. */
static void
what_is_noted_of_dates_and_makes_no_sense_is_not_believed(void **state)
{
    static char nonsense[300];
    const struct pb_actor machine = { .person = NULL };
    struct site_room room;
    struct pb_purge_counts counts;
    uint64_t before;

    (void)state;
    room_init(&room);
    memset(nonsense, 'x', sizeof(nonsense) - 1);
    room_expect(&room, PB_OK,
                pb_site_purge(room.site, &machine, NULL, NULL, NULL, &counts, &room.error),
                "purge");
    before = room_leaves(&room, PB_AUDIT_OPERATOR, "restamp", NULL);
    for (unsigned i = 0; i < 2; i++) {
        room_expect(&room, PB_OK,
                    pb_catalog_note_put(pb_site_catalog(room.site), "retention",
                                        i == 0 ? "stamped" : "changed", pb_str_from(nonsense),
                                        &room.error),
                    "note");
        room_expect(&room, PB_OK,
                    pb_site_purge(room.site, &machine, NULL, NULL, NULL, &counts, &room.error),
                    "purge");
        assert_int_equal(before + i + 1, room_leaves(&room, PB_AUDIT_OPERATOR, "restamp", NULL));
    }
    room_done(&room);
}

static void
what_was_denied_has_no_coverage(void **state)
{
    struct site_room room;
    struct pb_inquiry inquiry;
    struct pb_coverage coverage;

    (void)state;
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.purpose = pb_str_from("immigration");
    inquiry.case_number = (struct pb_str){ 0 };
    coverage = pb_answer_coverage(room_ask_for(&room, &inquiry, PB_POLICY_DENY));
    assert_false(coverage.is_up_known);
    assert_int_equal(0, coverage.readers_in_scope + coverage.readers_up);
    room_done(&room);
}

/* A hold of the asker's own agency that is released, of another case, or of nobody's concern. */
static void
only_a_live_hold_of_the_case_that_is_cited_gives_what_its_term_would_not(void **state)
{
    static const char holds[] =
        "holds:\n"
        "  - { id: h1, agency: kansas-pd, case: \"kansas-pd:26-00471\", authority: court-order,"
        " facts: Court order of the example court, plate: KSA123, readers: \"m1\","
        " from: 2026-05-31, to: 2026-06-03, expires_at: 2026-08-01 }\n"
        "  - { id: h2, agency: kansas-pd, case: \"kansas-pd:26-00999\", authority: court-order,"
        " facts: Court order of the example court, plate: KSA123,"
        " from: 2026-05-31, to: 2026-06-03, expires_at: 2026-08-01 }\n"
        "  - { id: h3, agency: kansas-pd, case: \"kansas-pd:26-00471\", authority: court-order,"
        " facts: Court order of the example court, from: 2026-05-31, to: 2026-06-03,"
        " expires_at: 2026-08-01, released: yes }\n";
    struct site_room room;
    struct pb_inquiry inquiry;

    (void)state;
    room_init(&room);
    room_import(&room, holds);
    room_add(&room, "KSA123", "m1", 0);
    room_add(&room, "KSA124", "m1", 0);
    room.now_us += 30 * PB_DAY_US;
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.query.from_us = ROOM_NOW_US - PB_DAY_US;
    assert_int_equal(1, room_rows(&room, &inquiry));
    inquiry.query.plate = pb_str_from("KSA124");
    assert_int_equal(0, room_rows(&room, &inquiry));
    inquiry.query.plate = pb_str_from("KSA123");
    inquiry.case_number = pb_str_from("26-00472");
    assert_int_equal(0, room_rows(&room, &inquiry));
    /* The purge reads dates of readers that holds name, and of holds that are over. */
    {
        const struct pb_actor machine = { .person = NULL };
        struct pb_purge_counts counts;

        room_expect(&room, PB_OK,
                    pb_site_purge(room.site, &machine, NULL, NULL, NULL, &counts, &room.error),
                    "purge");
        assert_int_equal(1, counts.reads_removed);
        room.now_us += 60 * PB_DAY_US;
        room_expect(&room, PB_OK,
                    pb_site_purge(room.site, &machine, NULL, NULL, NULL, &counts, &room.error),
                    "purge");
        assert_int_equal(1, counts.reads_removed);
    }
    room_done(&room);
}

/* ---- the second person ---- */

static void
who_approves_has_the_site_open_for_it_and_says_why_in_bounds(void **state)
{
    static char long_text[PB_JUSTIFICATION_BYTES_MAX + 2];
    struct site_room room;
    struct pb_inquiry inquiry;
    char token[1024];

    (void)state;
    room_init(&room);
    memset(long_text, 'x', sizeof(long_text) - 1);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    inquiry.relation = PB_RELATION_ASSOCIATE;
    (void)room_ask_for(&room, &inquiry, PB_POLICY_NEEDS_SECOND_PERSON);
    (void)snprintf(token, sizeof(token), "%s", pb_answer_token(room.answer));
    assert_int_equal(PB_OVER_LIMIT,
                     pb_inquiry_approve(room.site, pb_str_from("sup"), pb_str_from(token), true,
                                        pb_str_from(long_text), &room.error));
    assert_int_equal(PB_BAD_INPUT,
                     pb_inquiry_approve(room.site, pb_str_from("sup"), pb_str_from("no token"),
                                        true, pb_str_from("Seen it"), &room.error));
    assert_int_equal(PB_DENIED,
                     pb_inquiry_approve(room.site, pb_str_from("chief"), pb_str_from(token), true,
                                        pb_str_from("Seen it"), &room.error));
    assert_says(room.error.message, "their own agency");
    room_close(&room);
    room_open_as(&room, PB_SITE_LOOK);
    assert_int_equal(PB_BAD_INPUT,
                     pb_inquiry_approve(room.site, pb_str_from("sup"), pb_str_from(token), true,
                                        pb_str_from("Seen it"), &room.error));
    room_done(&room);
}

/* ---- leaves ---- */

static void
a_leaf_that_is_full_takes_no_more_and_texts_are_cut_between_characters(void **state)
{
    static char text[300], broken[300];
    static const uint8_t hash[PB_DIGEST_BYTES];
    static struct pb_draft leaf;

    (void)state;
    pb_draft_init(&leaf, "kansas-pd", "test", 0);
    pb_draft_text(&leaf, "empty", (struct pb_str){ 0 });
    assert_int_equal(0, leaf.field_count);
    memset(text, 'x', sizeof(text));
    memcpy(text + 255, "\xC3\xA9", 2); /* one character on both sides of the limit */
    pb_draft_text(&leaf, "text", (struct pb_str){ text, 300 });
    assert_int_equal(255, leaf.fields[0].text.bytes);
    memset(broken, 0x80, sizeof(broken)); /* no text at all */
    pb_draft_text(&leaf, "text", (struct pb_str){ broken, 300 });
    assert_int_equal(0, leaf.fields[1].text.bytes);
    while (leaf.field_count < PB_AUDIT_FIELDS_MAX)
        pb_draft_number(&leaf, "number", 1);
    pb_draft_number(&leaf, "number", 2);
    pb_draft_text(&leaf, "text", pb_str_from("more"));
    pb_draft_hash(&leaf, "hash", hash);
    assert_int_equal(PB_AUDIT_FIELDS_MAX, leaf.field_count);
    for (unsigned i = 0; i <= PB_AUDIT_FIELDS_MAX; i++)
        pb_draft_secret(&leaf, "secret", pb_str_from("s"));
    assert_int_equal(PB_AUDIT_FIELDS_MAX, leaf.secret_count);
    pb_draft_secret(&leaf, "empty", (struct pb_str){ 0 });
    assert_int_equal(PB_AUDIT_FIELDS_MAX, leaf.secret_count);
}

#define TOO_MANY 4097

static void
many_leaves_are_one_commit_or_none(void **state)
{
    struct site_room room;
    struct pb_draft *leaves = calloc(TOO_MANY, sizeof(*leaves));
    static uint64_t indices[TOO_MANY];

    (void)state;
    assert_non_null(leaves);
    room_init(&room);
    for (int i = 0; i < TOO_MANY; i++)
        pb_draft_init(&leaves[i], "kansas-pd", "test", 0);
    room_expect(&room, PB_OK, pb_drafts_append(room.site, leaves, 40, indices, &room.error), "40");
    assert_int_equal(40, room_leaves(&room, "kansas-pd", "test", NULL));
    assert_int_equal(indices[0] + 39, indices[39]);
    room.fault.fail_allocation_at = room.fault.allocation_count + 1;
    assert_int_equal(PB_E_NOMEM, pb_drafts_append(room.site, leaves, 40, indices, &room.error));
    room.fault.fail_allocation_at = 0;
    /* More than the log takes at once, and a log that is not there: no record, so no answer. */
    assert_int_equal(PB_E_CORRUPT,
                     pb_drafts_append(room.site, leaves, TOO_MANY, indices, &room.error));
    leaves[1].log = "nobody";
    assert_int_equal(PB_E_CORRUPT, pb_drafts_append(room.site, leaves, 2, indices, &room.error));
    assert_says(room.error.message, "nothing is answered");
    assert_int_equal(40, room_leaves(&room, "kansas-pd", "test", NULL));
    room_done(&room);
    free(leaves);
}

static void
a_number_of_an_entry_ends_with_its_digits(void **state)
{
    static const struct {
        const char *leaf;
        uint64_t number;
    } cases[] = {
        { "{\"n\":17}", 17 },      { "{\"n\":123456789012345678}", 123456789012345 },
        { "{\"n\":\"17a\"}", 17 }, { "{\"n\":\"1 7\"}", 1 },
        { "{\"n\":-1}", 0 },       { "{\"m\":1}", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_audit_entry entry = { .leaf = pb_str_from(cases[i].leaf) };

        if (pb_entry_number(&entry, "n") != cases[i].number)
            fail_msg("%s", cases[i].leaf);
    }
}

/* ---- what is gone ---- */

struct told {
    uint64_t reads, lines, stop_after;
};

static bool
tell(void *context, const struct pb_purge_receipt_line *line)
{
    struct told *told = context;

    told->reads += line->reads;
    told->lines++;
    return told->lines != told->stop_after;
}

static void
note(struct site_room *room, const char *reader, int32_t day, enum pb_removal why, uint64_t reads)
{
    const struct pb_removed removed = {
        .reader = pb_str_from(reader), .day = day, .why = why, .reads = reads
    };

    pb_removals_note(room->site->removals, &removed);
}

static void
receipts_tell_of_each_agency_day_and_reason_however_many(void **state)
{
    struct site_room room;
    struct room_found leaf;
    struct told told = { 0 };
    uint64_t reads = 0;

    (void)state;
    room_init(&room);
    /* Sixty days of one agency in no order, one of another twice, and what nobody knows whose. */
    for (int32_t i = 0; i < 60; i++)
        note(&room, "k1", 20000 + i * 37 % 60, PB_REMOVED_EXPIRED, 1);
    note(&room, "k2", 20000, PB_REMOVED_ERASED, 5);
    note(&room, "r1", 20001, PB_REMOVED_EXPIRED, 2);
    note(&room, "r2", 20001, PB_REMOVED_EXPIRED, 3);
    note(&room, "stray", 20002, PB_REMOVED_EXPIRED, 7);
    note(&room, "", 20002, PB_REMOVED_EXPIRED, 11);
    room.fault.fail_allocation_at = room.fault.allocation_count + 1;
    assert_int_equal(PB_E_NOMEM,
                     pb_site_leave_receipts(room.site, tell, &told, &reads, &room.error));
    room.fault.fail_allocation_at = 0;
    room_expect(&room, PB_OK, pb_site_leave_receipts(room.site, tell, &told, &reads, &room.error),
                "receipts");
    assert_int_equal(88, reads);
    assert_int_equal(88, told.reads);
    assert_int_equal(63, told.lines);
    assert_int_equal(3, room_leaves(&room, "kansas-pd", "purge", NULL)); /* 24 days a leaf */
    assert_int_equal(1, room_leaves(&room, "river-pd", "purge", &leaf));
    assert_says(leaf.leaf, "\"day-2024-10-05\":5");
    assert_int_equal(5, room_leaves(&room, PB_AUDIT_OPERATOR, "purge", &leaf));
    assert_says(leaf.leaf, "\"agency\":\"unknown\"");
    assert_says(leaf.leaf, "\"n\":18");
    /* Whoever listens may stop; the leaves stand nevertheless. */
    note(&room, "k1", 20000, PB_REMOVED_EXPIRED, 1);
    note(&room, "k1", 20001, PB_REMOVED_EXPIRED, 1);
    told = (struct told){ .stop_after = 1 };
    room_expect(&room, PB_OK, pb_site_leave_receipts(room.site, tell, &told, &reads, &room.error),
                "receipts");
    assert_int_equal(1, told.lines);
    assert_int_equal(2, reads);
    room_done(&room);
}

/* What there was no memory to keep apart is told as a number. */
static void
what_could_not_be_told_apart_is_counted_nevertheless(void **state)
{
    struct site_room room;
    struct room_found leaf;
    uint64_t reads = 0;

    (void)state;
    room_init(&room);
    room.fault.fail_allocation_at = room.fault.allocation_count + 1;
    note(&room, "k1", 20000, PB_REMOVED_EXPIRED, 9);
    room.fault.fail_allocation_at = 0;
    note(&room, "r1", 20000, PB_REMOVED_EXPIRED, 4);
    room_expect(&room, PB_OK, pb_site_leave_receipts(room.site, NULL, NULL, &reads, &room.error),
                "receipts");
    assert_int_equal(13, reads);
    (void)room_leaves(&room, PB_AUDIT_OPERATOR, "purge", &leaf);
    assert_says(leaf.leaf, "\"agency\":\"unknown\"");
    assert_says(leaf.leaf, "\"n\":9");
    room_done(&room);
}

static void
only_the_operator_purges_what_is_open_for_writing(void **state)
{
    const struct pb_actor machine = { .person = NULL }, somebody = { .person = "adm" };
    struct site_room room;
    struct pb_purge_counts counts;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_DENIED,
                     pb_site_purge(room.site, &somebody, NULL, NULL, NULL, &counts, &room.error));
    room_close(&room);
    room_open_as(&room, PB_SITE_ASK);
    assert_int_equal(PB_BAD_INPUT,
                     pb_site_purge(room.site, &machine, NULL, NULL, NULL, &counts, &room.error));
    room_done(&room);
}

/* A read whose reader nobody knows keeps its date, whatever becomes of rules. */
static void
a_read_of_an_unknown_reader_keeps_its_date(void **state)
{
    const struct pb_actor machine = { .person = NULL };
    struct site_room room;
    struct pb_purge_counts counts;
    struct pb_store_stats stats;
    struct pb_read read;

    (void)state;
    room_init(&room);
    read = room_read(&room, "KSA123", "stray", 0);
    read.delete_after_us = room.now_us + PB_DAY_US;
    assert_int_equal(PB_OK, room_append(&room, &read));
    room_expect(&room, PB_OK,
                pb_site_purge(room.site, &machine, NULL, NULL, NULL, &counts, &room.error),
                "purge");
    room_expect(&room, PB_OK, pb_store_stats(pb_site_store(room.site), &stats, &room.error),
                "stats");
    assert_int_equal(1, stats.reads);
    room.now_us += PB_DAY_US;
    room_expect(&room, PB_OK,
                pb_site_purge(room.site, &machine, NULL, NULL, NULL, &counts, &room.error),
                "purge");
    assert_int_equal(1, counts.reads_removed);
    room_done(&room);
}

/* ---- reviews ---- */

static bool
count_entry(void *context, const struct pb_audit_entry *entry)
{
    (void)entry;
    ++*(unsigned *)context;
    return true;
}

static void
an_auditor_s_filter_is_bounded_and_takes_patterns_and_what_is_no_plate(void **state)
{
    static char long_text[PB_CATALOG_TEXT_BYTES_MAX + 2];
    struct pb_str too_long = { long_text, PB_CATALOG_TEXT_BYTES_MAX + 1 };
    static const struct {
        const char *plate;
        unsigned found;
    } plates[] = { { "ks-a 123", 1 }, { "KSA*", 1 }, { "KS[AB]", 0 }, { "K?", 0 }, { "...", 0 } };
    struct site_room room;
    struct pb_inquiry inquiry;

    (void)state;
    room_init(&room);
    memset(long_text, 'x', sizeof(long_text) - 1);
    (void)room_count_plate(&room, "KSA123");
    inquiry = room_inquiry(&room, PB_INQUIRY_PATTERN, "KSA*");
    (void)room_ask(&room, &inquiry);
    for (int i = 0; i < 4; i++) {
        struct pb_review_filter filter = { .last = 0 };
        struct pb_str *const texts[] = { &filter.kind, &filter.person, &filter.plate,
                                         &filter.case_number };
        unsigned count = 0;

        *texts[i] = too_long;
        assert_int_equal(PB_OVER_LIMIT, pb_review_read(room.site, pb_str_from("aud"), &filter,
                                                       count_entry, &count, &room.error));
    }
    for (size_t i = 0; i < sizeof(plates) / sizeof(plates[0]); i++) {
        struct pb_review_filter filter = { .event = "query",
                                           .plate = pb_str_from(plates[i].plate) };
        unsigned count = 0;

        room_expect(&room, PB_OK,
                    pb_review_read(room.site, pb_str_from("aud"), &filter, count_entry, &count,
                                   &room.error),
                    plates[i].plate);
        if (count != plates[i].found)
            fail_msg("%s: %u", plates[i].plate, count);
    }
    room_close(&room);
    room_open_as(&room, PB_SITE_LOOK);
    {
        struct pb_review_filter filter = { .event = "query" };
        unsigned count = 0;

        assert_int_equal(PB_BAD_INPUT, pb_review_read(room.site, pb_str_from("aud"), &filter,
                                                      count_entry, &count, &room.error));
        assert_int_equal(PB_BAD_INPUT,
                         pb_review_pending(room.site, pb_str_from("sup"), pb_str_from("x"),
                                           count_entry, &count, &room.error));
    }
    room_done(&room);
}

static bool
take_key(void *context, const struct pb_review_item *item)
{
    (void)snprintf(context, 256, "%s", item->key);
    return true;
}

static void
what_a_reviewer_cannot_mean_is_refused(void **state)
{
    static char long_text[PB_JUSTIFICATION_BYTES_MAX + 2];
    struct pb_str aud = pb_str_from("aud"), found = pb_str_from("Nothing odd");
    struct site_room room;
    uint32_t count = 0;
    char key[256] = "";

    (void)state;
    room_init(&room);
    memset(long_text, 'x', sizeof(long_text) - 1);
    (void)room_count_plate(&room, "KSA123");
    assert_int_equal(PB_BAD_INPUT,
                     pb_review_sample(room.site, aud, 0, room.now_us + 1, 0, &count, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_review_sample(room.site, aud, 0, room.now_us + 1, UINT32_MAX,
                                                    &count, &room.error));
    /* Of a window without inquiries nothing is drawn. */
    room_expect(&room, PB_OK, pb_review_sample(room.site, aud, 0, 1, 5, &count, &room.error),
                "sample");
    assert_int_equal(0, count);
    room_expect(&room, PB_OK,
                pb_review_sample(room.site, aud, 0, room.now_us + 1, 5, &count, &room.error),
                "sample");
    assert_int_equal(1, count);
    room_expect(&room, PB_OK, pb_review_items(room.site, aud, false, take_key, key, &room.error),
                "items");
    assert_int_equal(PB_BAD_INPUT,
                     pb_review_close(room.site, aud, key, PB_REVIEW_OPEN, found, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_review_close(room.site, aud, key, PB_REVIEW_FINE,
                                                   (struct pb_str){ 0 }, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_review_close(room.site, aud, key, PB_REVIEW_FINE,
                                                   pb_str_from(long_text), &room.error));
    assert_int_equal(PB_NOT_FOUND, pb_review_close(room.site, aud, "kansas-pd/none", PB_REVIEW_FINE,
                                                   found, &room.error));
    assert_int_equal(PB_NOT_FOUND, pb_review_take(room.site, aud, "river-pd/none", &room.error));
    room.now_us += PB_SECOND_US;
    assert_int_equal(PB_CONFLICT, pb_review_finish(room.site, aud, room.now_us, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_review_finish(room.site, aud, room.now_us + 1, &room.error));
    assert_int_equal(PB_DENIED,
                     pb_review_finish(room.site, (struct pb_str){ 0 }, room.now_us, &room.error));
    room_done(&room);
}

static bool
count_item(void *context, const struct pb_review_item *item)
{
    (void)item;
    ++*(unsigned *)context;
    return true;
}

static void
notes_that_are_no_items_are_nobody_s_to_review(void **state)
{
    static char long_text[1200];
    static const struct {
        const char *key, *value;
    } notes[] = {
        { "kansas-pd/short", "state=open\nentry=1\nat=1\n" },
        { "kansas-pd/00000000000000000007_sample", "state=open\nentry=1\nat=1\n" },
        { "kansas-pd/aaaaaaaaaaaaaaaaaaaa-sample", "state=open\nentry=1\nat=1\n" },
        { "kansas-pd/00000000000000000008-sample", "nonsense" },
        { "kansas-pd/00000000000000000009-sample", long_text },
    };
    struct site_room room;
    unsigned count = 0;

    (void)state;
    room_init(&room);
    memset(long_text, 'x', sizeof(long_text) - 1);
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        room_expect(&room, PB_OK,
                    pb_catalog_note_put(pb_site_catalog(room.site), "review", notes[i].key,
                                        pb_str_from(notes[i].value), &room.error),
                    notes[i].key);
        assert_int_equal(PB_NOT_FOUND,
                         pb_review_take(room.site, pb_str_from("aud"), notes[i].key, &room.error));
    }
    room_expect(&room, PB_OK,
                pb_review_items(room.site, pb_str_from("aud"), true, count_item, &count,
                                &room.error),
                "items");
    assert_int_equal(0, count);
    room_expect(&room, PB_OK,
                pb_review_finish(room.site, pb_str_from("aud"), room.now_us, &room.error),
                "finish");
    room_done(&room);
}

static void
who_took_an_item_closes_it_or_whoever_takes_it_over(void **state)
{
    struct pb_str aud = pb_str_from("aud"), other = pb_str_from("aud2"),
                  found = pb_str_from("Nothing odd");
    struct site_room room;
    uint32_t count = 0;
    char key[256] = "";

    (void)state;
    room_init(&room);
    room_import(&room, "people:\n  - { id: aud2, agency: kansas-pd, name: A. Other, role: auditor,"
                       " status: active, training_valid_until: 2027-06-01 }\n");
    (void)room_count_plate(&room, "KSA123");
    room_expect(&room, PB_OK,
                pb_review_sample(room.site, aud, 0, room.now_us + 1, 5, &count, &room.error),
                "sample");
    room_expect(&room, PB_OK, pb_review_items(room.site, aud, false, take_key, key, &room.error),
                "items");
    room_expect(&room, PB_OK, pb_review_take(room.site, aud, key, &room.error), "take");
    assert_int_equal(PB_CONFLICT,
                     pb_review_close(room.site, other, key, PB_REVIEW_FINE, found, &room.error));
    assert_says(room.error.message, "aud looks into it");
    room_expect(&room, PB_OK, pb_review_take(room.site, other, key, &room.error), "take over");
    assert_int_equal(PB_CONFLICT,
                     pb_review_close(room.site, aud, key, PB_REVIEW_FINE, found, &room.error));
    room_expect(&room, PB_OK,
                pb_review_close(room.site, other, key, PB_REVIEW_FINE, found, &room.error),
                "close");
    assert_int_equal(PB_NOT_FOUND,
                     pb_review_close(room.site, other, key, PB_REVIEW_FINE, found, &room.error));
    assert_int_equal(PB_NOT_FOUND, pb_review_take(room.site, aud, key, &room.error));
    room_done(&room);
}

/* ---- figures ---- */

static void
figures_are_json_with_every_list_of_none_one_and_more(void **state)
{
    static const struct pb_str purposes[] = { { "toll", 4 }, { "emergency", 9 } };
    static const struct pb_figure_line lines[] = {
        { { "a", 1 }, 7, 70 }, { { "b", 1 }, PB_FIGURE_HIDDEN, PB_FIGURE_HIDDEN }
    };
    static const struct pb_figure_retention retention[] = { { 0, -1 }, { 1, 21 } };
    static const struct pb_figure_partner partners[] = { { { "p", 1 }, { "P", 1 }, purposes, 2 },
                                                         { { "q", 1 }, { "Q", 1 }, NULL, 0 } };
    struct pb_figures figures = { .agency = { "x", 1 }, .name = { "X", 1 }, .month = 677 };
    struct pb_arena arena;
    struct pb_str text;
    char room[8192];

    (void)state;
    pb_arena_init(&arena, pb_env_system(), 4096);
    assert_int_equal(PB_OK, pb_figures_to_json(&figures, &arena, &text));
    (void)snprintf(room, sizeof(room), "%.*s", (int)text.bytes, text.text);
    assert_says(room, "\"over\":false");
    assert_says(room, "\"by_purpose\":[]");
    assert_says(room, "\"kept_for\":[]");
    assert_null(strstr(room, "received"));
    figures = (struct pb_figures){
        .agency = { "x", 1 },
        .name = { "X", 1 },
        .month = 677,
        .is_over = true,
        .is_published = true,
        .is_received_known = true,
        .is_received_in_part = true,
        .day_count = 2,
        .received = { 3, 4 },
        .held = 5,
        .purposes = lines,
        .purpose_count = 2,
        .shared = lines,
        .shared_count = 2,
        .retention = retention,
        .retention_count = 2,
        .partners = partners,
        .partner_count = 2,
    };
    assert_int_equal(PB_OK, pb_figures_to_json(&figures, &arena, &text));
    (void)snprintf(room, sizeof(room), "%.*s", (int)text.bytes, text.text);
    assert_says(room, "\"over\":true,\"hidden_below\":5");
    assert_says(room, "\"received\":7");
    assert_says(room, "\"received_by_day\":[3,4]");
    assert_says(room, "\"received_in_part\":true");
    assert_says(room, "[\"toll\",\"emergency\"]");
    figures.is_received_in_part = false;
    assert_int_equal(PB_OK, pb_figures_to_json(&figures, &arena, &text));
    (void)snprintf(room, sizeof(room), "%.*s", (int)text.bytes, text.text);
    assert_says(room, "\"received_in_part\":false");
    pb_arena_clear(&arena);
    {
        struct fault_env fault;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = 1;
        pb_arena_init(&arena, &fault.env, 64);
        assert_int_equal(PB_E_NOMEM, pb_figures_to_json(&figures, &arena, &text));
        pb_arena_clear(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_token_is_whole_of_its_version_and_kind_under_this_site_s_seal_and_in_time),
        cmocka_unit_test(a_page_of_what_is_gone_meanwhile_is_empty_and_the_last),
        cmocka_unit_test(a_page_behind_the_last_one_is_empty),
        cmocka_unit_test(what_has_no_meaning_is_refused_by_its_field_and_leaves_no_leaf),
        cmocka_unit_test(a_pattern_of_wildcards_and_classes_knows_too_little_of_a_plate),
        cmocka_unit_test(a_question_spans_the_windows_of_its_places_and_each_counts_in_its_own),
        cmocka_unit_test(what_is_explained_to_nobody_is_in_the_operators_log),
        cmocka_unit_test(a_leaf_says_what_a_reviewer_goes_by),
        cmocka_unit_test(a_read_with_the_last_revision_is_corrected_no_more),
        cmocka_unit_test(what_is_noted_of_dates_and_makes_no_sense_is_not_believed),
        cmocka_unit_test(what_was_denied_has_no_coverage),
        cmocka_unit_test(only_a_live_hold_of_the_case_that_is_cited_gives_what_its_term_would_not),
        cmocka_unit_test(who_approves_has_the_site_open_for_it_and_says_why_in_bounds),
        cmocka_unit_test(a_leaf_that_is_full_takes_no_more_and_texts_are_cut_between_characters),
        cmocka_unit_test(many_leaves_are_one_commit_or_none),
        cmocka_unit_test(a_number_of_an_entry_ends_with_its_digits),
        cmocka_unit_test(receipts_tell_of_each_agency_day_and_reason_however_many),
        cmocka_unit_test(what_could_not_be_told_apart_is_counted_nevertheless),
        cmocka_unit_test(only_the_operator_purges_what_is_open_for_writing),
        cmocka_unit_test(a_read_of_an_unknown_reader_keeps_its_date),
        cmocka_unit_test(an_auditor_s_filter_is_bounded_and_takes_patterns_and_what_is_no_plate),
        cmocka_unit_test(what_a_reviewer_cannot_mean_is_refused),
        cmocka_unit_test(notes_that_are_no_items_are_nobody_s_to_review),
        cmocka_unit_test(who_took_an_item_closes_it_or_whoever_takes_it_over),
        cmocka_unit_test(figures_are_json_with_every_list_of_none_one_and_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
