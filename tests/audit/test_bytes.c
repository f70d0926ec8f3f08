/*
 * Bytes of the audit room: paths of tiles, bundles, leaves, openings, seals, records, state,
 * heads. Each form is read back as it was written, and every other form is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/proof.h"
#include "audit/record.h"
#include "base/base64.h"
#include "base/bytes.h"
#include "base/env.h"
#include "base/time.h"
#include "support/fault_env.h"

static struct pb_str
str(const char *text)
{
    return pb_str_from(text);
}

/* ---- tiles ---- */

static void
tile_paths_are_those_of_the_specification(void **state)
{
    static const struct {
        struct pb_tile tile;
        const char *path;
    } cases[] = {
        { { 0, 0, 256 }, "tile/0/000" },
        { { 0, 999, 256 }, "tile/0/999" },
        { { 0, 1000, 256 }, "tile/0/x001/000" },
        { { 0, 1234067, 256 }, "tile/0/x001/x234/067" },
        { { 2, 0, 1 }, "tile/2/000.p/1" },
        { { 7, 5, 255 }, "tile/7/005.p/255" },
        { { PB_TILE_ENTRIES, 273, 112 }, "tile/entries/273.p/112" },
        { { PB_TILE_ENTRIES, 1234067, 17 }, "tile/entries/x001/x234/067.p/17" },
        { { 0, PB_TREE_SIZE_MAX / 256, 256 }, "tile/0/x018/x014/x398/x509/x481/984" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[PB_TILE_PATH_BYTES_MAX];
        struct pb_text_out out = pb_text_out(path, sizeof(path));
        struct pb_tile tile;

        pb_tile_put_path(&out, &cases[i].tile);
        pb_put_char(&out, '\0');
        assert_string_equal(cases[i].path, path);
        assert_int_equal(PB_OK, pb_tile_parse_path(str(path), &tile));
        assert_int_equal(cases[i].tile.level, tile.level);
        assert_int_equal(cases[i].tile.index, tile.index);
        assert_int_equal(cases[i].tile.width, tile.width);
    }
}

static void
other_tile_paths_are_refused(void **state)
{
    static const char *const paths[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/000/",
        "tile/8/000",
        "tile/-1/000",
        "tile/00/000",
        "tile/10/000",
        "tile/0/x000/000", /* 000 */
        "tile/0/x001",
        "tile/0/001/002",
        "tile/0/x001/x002",
        "tile/0/x01/002",
        "tile/0/xx01/002",
        "tile/0/a00",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "tile/0/x018/x014/x398/x509/x481/985",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/entries",
        "tile/entriesx/000",
        "Tile/0/000",
        "/tile/0/000",
        "checkpoint",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct pb_tile tile;

        if (pb_tile_parse_path(str(paths[i]), &tile) != PB_BAD_INPUT)
            fail_msg("taken: %s", paths[i]);
    }
}

static void
a_tree_of_70000_has_the_tiles_of_the_specifications_example(void **state)
{
    (void)state;
    assert_int_equal(273, pb_tile_full_count(70000, 0));
    assert_int_equal(112, pb_tile_partial_width(70000, 0));
    assert_int_equal(1, pb_tile_full_count(70000, 1));
    assert_int_equal(17, pb_tile_partial_width(70000, 1));
    assert_int_equal(0, pb_tile_full_count(70000, 2));
    assert_int_equal(1, pb_tile_partial_width(70000, 2));
    assert_int_equal(0, pb_tile_partial_width(70000, 3));
    assert_int_equal(0, pb_tile_full_count(PB_TREE_SIZE_MAX, 7));
    assert_int_equal(64, pb_tile_partial_width(PB_TREE_SIZE_MAX, 7));
}

static void
bundles_end_where_their_entries_end(void **state)
{
    static const char bytes[] = "\0\3abc\0\0\0\1x";
    struct pb_str rest = { bytes, sizeof(bytes) - 1 }, entry;

    (void)state;
    assert_int_equal(PB_OK, pb_bundle_next(&rest, &entry));
    assert_true(pb_str_equal(entry, str("abc")));
    assert_int_equal(PB_OK, pb_bundle_next(&rest, &entry));
    assert_int_equal(0, entry.bytes);
    assert_int_equal(PB_OK, pb_bundle_next(&rest, &entry));
    assert_int_equal(PB_END, pb_bundle_next(&rest, &entry));
    for (uint32_t count = 1; count < 5; count++) {
        rest = (struct pb_str){ bytes, count };
        assert_int_equal(PB_BAD_INPUT, pb_bundle_next(&rest, &entry));
    }
}

/* ---- leaves ---- */

#define HASH "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define BEGIN "{\"v\":1,\"t\":1767225600123,\"ev\":\"query\""

static void
a_leaf_is_one_line_of_a_known_shape(void **state)
{
    static const uint8_t salts[1][PB_SALT_BYTES];
    const struct pb_audit_field fields[] = {
        { .name = "purpose", .kind = PB_AUDIT_FIELD_TEXT, .text = str("a \"b\" \\ \xc3\xbc") },
        { .name = "n", .kind = PB_AUDIT_FIELD_NUMBER, .number = INT64_MIN },
        { .name = "policy", .kind = PB_AUDIT_FIELD_HASH, .text = { "\x00\xff", 2 } },
    };
    const struct pb_audit_secret secret = { "plate", str("SYN1") };
    const struct pb_audit_leaf leaf = {
        .event = "query", .fields = fields, .field_count = 3, .secrets = &secret, .secret_count = 1
    };
    char text[1024];
    struct pb_text_out out = pb_text_out(text, sizeof(text));
    struct pb_leaf parsed;
    struct pb_hash hash;
    struct pb_str value, whole;
    char expected[1024];
    struct pb_text_out expected_out = pb_text_out(expected, sizeof(expected));

    (void)state;
    pb_put_text(&out, "{\"v\":1,\"t\":1767225600123");
    assert_int_equal(PB_OK, pb_leaf_put_tail(&out, &leaf, salts, NULL));
    whole = (struct pb_str){ text, (uint32_t)(out.at - text) };
    pb_commitment(str("plate"), salts[0], str("SYN1"), &hash);
    pb_put_text(&expected_out,
                BEGIN ",\"purpose\":\"a \\\"b\\\" \\\\ \xc3\xbc\",\"n\":-92233720368547"
                      "75808,\"policy\":\"00ff\",\"c\":{\"plate\":\"");
    pb_put_base64(&expected_out, hash.bytes, sizeof(hash.bytes));
    pb_put_text(&expected_out, "\"}}");
    assert_true(
        pb_str_equal(whole, (struct pb_str){ expected, (uint32_t)(expected_out.at - expected) }));
    assert_int_equal(PB_OK, pb_leaf_parse(whole, &parsed, NULL));
    assert_int_equal(1767225600123, parsed.time_ms);
    assert_true(pb_str_equal(str("query"), parsed.event));
    assert_int_equal(1, parsed.commitment_count);
    assert_true(pb_hash_equal(&hash, &parsed.commitments[0].hash));
    assert_int_equal(PB_OK, pb_leaf_member(whole, "policy", &value));
    assert_true(pb_str_equal(str("00ff"), value));
    assert_int_equal(PB_NOT_FOUND, pb_leaf_member(whole, "plate", &value));
    assert_int_equal(PB_NOT_FOUND, pb_leaf_member(str("x"), "plate", &value));
}

static void
a_commitment_is_what_the_format_page_says(void **state)
{
    uint8_t salt[PB_SALT_BYTES], bytes[128];
    struct pb_hash hash, expected;
    size_t count = 0;

    (void)state;
    memset(salt, 7, sizeof(salt));
    memcpy(bytes, "platebase/commit/v1\0plate\0", 26);
    count = 26;
    memcpy(bytes + count, salt, sizeof(salt));
    count += sizeof(salt);
    memcpy(bytes + count, "\0\0\0\7SYN1234", 11);
    count += 11;
    (void)crypto_hash_sha256(expected.bytes, bytes, count);
    pb_commitment(str("plate"), salt, str("SYN1234"), &hash);
    assert_true(pb_hash_equal(&expected, &hash));
}

static void
other_shapes_of_leaves_are_refused(void **state)
{
    static const struct {
        const char *text;
        bool is_taken;
    } cases[] = {
        { BEGIN ",\"c\":{}}", true },
        { BEGIN ",\"a\":0,\"b\":-1,\"c\":{}}", true },
        { BEGIN ",\"a\":\"\",\"c\":{\"x\":\"" HASH "\",\"y\":\"" HASH "\"}}", true },
        { "", false },
        { "{}", false },
        { "{\"v\":2,\"t\":1,\"ev\":\"x\",\"c\":{}}", false },
        { "{\"v\":1}", false },
        { "{\"v\":1,\"t\":-1,\"ev\":\"x\",\"c\":{}}", false },
        { "{\"v\":1,\"t\":01,\"ev\":\"x\",\"c\":{}}", false },
        { "{\"v\":1,\"t\":9223372036854775808,\"ev\":\"x\",\"c\":{}}", false },
        { "{\"v\":1,\"t\":1,\"ev\":\"X\",\"c\":{}}", false },
        { "{\"v\":1,\"t\":1,\"ev\":\"\",\"c\":{}}", false },
        { "{\"v\":1,\"t\":1,\"ev\":x,\"c\":{}}", false },
        { "{\"v\":1,\"t\":1,\"ev\":\"x", false },
        { BEGIN "}", false },
        { BEGIN ",\"c\":{}", false },
        { BEGIN ",\"c\":{}} ", false },
        { BEGIN ",\"c\":[]}", false },
        { BEGIN ", \"c\":{}}", false },
        { BEGIN ",\"a\":1.5,\"c\":{}}", false },
        { BEGIN ",\"a\":-0,\"c\":{}}", false },
        { BEGIN ",\"a\":-,\"c\":{}}", false },
        { BEGIN ",\"a\":,\"c\":{}}", false },
        { BEGIN ",\"a\":true,\"c\":{}}", false },
        { BEGIN ",\"a\":-9223372036854775809,\"c\":{}}", false },
        { BEGIN ",\"a\":1,\"a\":2,\"c\":{}}", false },
        { BEGIN ",\"t\":1,\"c\":{}}", false },
        { BEGIN ",\"A\":1,\"c\":{}}", false },
        { BEGIN ",\"a\"1,\"c\":{}}", false },
        { BEGIN ",\"a\":\"\\n\",\"c\":{}}", false },
        { BEGIN ",\"a\":\"\\", false },
        { BEGIN ",\"a\":\"\t\",\"c\":{}}", false },
        { BEGIN ",\"a\":\"\xff\",\"c\":{}}", false },
        { BEGIN ",\"a\":\"x", false },
        { BEGIN ",\"c\":{\"x\":\"" HASH "\"", false },
        { BEGIN ",\"c\":{\"x\":\"" HASH "\"}", false },
        { BEGIN ",\"c\":{\"x\":\"" HASH "\",}}", false },
        { BEGIN ",\"c\":{\"x\":\"" HASH "\",\"x\":\"" HASH "\"}}", false },
        { BEGIN ",\"c\":{\"x\":\"AAAA\"}}", false },
        { BEGIN ",\"c\":{\"x\":1}}", false },
        { BEGIN ",\"c\":{\"x\"}}", false },
        { BEGIN ",\"c\":{\"X\":\"" HASH "\"}}", false },
    };
    static char long_leaf[PB_AUDIT_LEAF_BYTES_MAX + 2];
    struct pb_leaf leaf;
    struct pb_text_out out = pb_text_out(long_leaf, sizeof(long_leaf));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_error error = { .message = "" };

        if ((pb_leaf_parse(str(cases[i].text), &leaf, &error) == PB_OK) != cases[i].is_taken)
            fail_msg("case %zu: %s", i, error.message);
    }
    memset(long_leaf, 'x', sizeof(long_leaf));
    assert_int_equal(PB_BAD_INPUT,
                     pb_leaf_parse((struct pb_str){ long_leaf, sizeof(long_leaf) }, &leaf, NULL));
    /* More members, or commitments, than a leaf has. */
    for (int kind = 0; kind < 2; kind++) {
        for (uint32_t count = 32; count <= 33; count++) {
            out = pb_text_out(long_leaf, sizeof(long_leaf));
            pb_put_text(&out, kind == 0 ? BEGIN : BEGIN ",\"c\":{");
            for (uint32_t i = 0; i < count; i++) {
                char member[80];

                (void)snprintf(member, sizeof(member),
                               kind == 0 ? "%s\"n%u\":1" : "%s\"n%u\":\"" HASH "\"",
                               kind == 0 || i > 0 ? "," : "", i);
                pb_put_text(&out, member);
            }
            pb_put_text(&out, kind == 0 ? ",\"c\":{}}" : "}}");
            assert_int_equal(count == 32 ? PB_OK : PB_BAD_INPUT,
                             pb_leaf_parse((struct pb_str){ long_leaf,
                                                            (uint32_t)(out.at - long_leaf) },
                                           &leaf, NULL));
        }
    }
}

/* However much of a leaf there is: less than all of it is none, and holds nothing that it lost. */
static void
a_leaf_that_is_cut_anywhere_is_none(void **state)
{
    static const char whole[] = BEGIN ",\"a\":\"x\",\"n\":17,\"c\":{\"x\":\"" HASH "\"}}";
    struct pb_leaf leaf;
    struct pb_str value;

    (void)state;
    for (uint32_t bytes = 0; bytes < sizeof(whole) - 1; bytes++) {
        /* In memory of its own, so that nobody looks behind its end. */
        char *text = malloc(bytes + 1u);
        struct pb_str cut = { text, bytes };

        assert_non_null(text);
        memcpy(text, whole, bytes);
        if (pb_leaf_parse(cut, &leaf, NULL) == PB_OK)
            fail_msg("%u bytes", bytes);
        assert_int_equal(PB_NOT_FOUND, pb_leaf_member(cut, "m", &value));
        free(text);
    }
    assert_int_equal(PB_OK, pb_leaf_parse(str(whole), &leaf, NULL));
    assert_int_equal(PB_OK, pb_leaf_member(str(whole), "n", &value));
    assert_true(pb_str_equal(value, str("17")));
}

static void
a_leaf_with_too_many_fields_or_secrets_is_not_written(void **state)
{
    static char text[PB_AUDIT_LEAF_BYTES_MAX];
    static const uint8_t salts[1][PB_SALT_BYTES];
    struct pb_audit_leaf leaf = { .log = "a42", .event = "query" };
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    (void)state;
    leaf.field_count = PB_AUDIT_FIELDS_MAX + 1;
    assert_int_equal(PB_OVER_LIMIT, pb_leaf_put_tail(&out, &leaf, salts, NULL));
    leaf.field_count = 0;
    leaf.secret_count = PB_AUDIT_FIELDS_MAX + 1;
    assert_int_equal(PB_OVER_LIMIT, pb_leaf_put_tail(&out, &leaf, salts, NULL));
}

/* ---- openings and seals ---- */

static void
openings_are_read_back_and_checked_against_the_leaf(void **state)
{
    static const uint8_t salts[2][PB_SALT_BYTES] = { { 1 }, { 2 } };
    const struct pb_audit_secret secrets[] = { { "plate", str("SYN1") }, { "reason", str("") } };
    const struct pb_audit_leaf leaf = { .secrets = secrets, .secret_count = 2 };
    struct pb_leaf parsed = { .commitment_count = 2 };
    struct pb_openings openings;
    uint8_t bytes[256];
    size_t count = pb_openings_bytes(&leaf);

    (void)state;
    pb_openings_encode(&leaf, salts, bytes);
    assert_int_equal(PB_OK, pb_openings_parse(bytes, count, &openings));
    assert_int_equal(2, openings.count);
    assert_true(pb_str_equal(str("SYN1"), openings.openings[0].value));
    for (uint32_t i = 0; i < 2; i++) {
        parsed.commitments[i].name = openings.openings[i].name;
        pb_commitment(openings.openings[i].name, salts[i], openings.openings[i].value,
                      &parsed.commitments[i].hash);
    }
    assert_int_equal(PB_OK, pb_openings_check(&openings, &parsed, NULL));
    parsed.commitments[1].name = str("reasom");
    assert_int_equal(PB_BAD_INPUT, pb_openings_check(&openings, &parsed, NULL));
    parsed.commitments[1].name = str("reason");
    parsed.commitments[0].hash.bytes[0] ^= 1;
    assert_int_equal(PB_BAD_INPUT, pb_openings_check(&openings, &parsed, NULL));
    parsed.commitment_count = 1;
    assert_int_equal(PB_BAD_INPUT, pb_openings_check(&openings, &parsed, NULL));

    /* Cut anywhere, gone on, or with a name or length that cannot be. */
    for (size_t i = 0; i < count; i++)
        assert_int_equal(PB_BAD_INPUT, pb_openings_parse(bytes, i, &openings));
    bytes[count] = 0;
    assert_int_equal(PB_BAD_INPUT, pb_openings_parse(bytes, count + 1, &openings));
    bytes[2] = 'P';
    assert_int_equal(PB_BAD_INPUT, pb_openings_parse(bytes, count, &openings));
    bytes[2] = 'p';
    bytes[0] = 33;
    assert_int_equal(PB_BAD_INPUT, pb_openings_parse(bytes, count, &openings));
    bytes[0] = 2;
    pb_put_le32(bytes + 1 + 1 + 5 + PB_SALT_BYTES, PB_AUDIT_SECRET_BYTES_MAX + 1);
    assert_int_equal(PB_BAD_INPUT, pb_openings_parse(bytes, count, &openings));
}

static void
seals_open_only_with_their_key_for_their_log_and_term(void **state)
{
    static const uint8_t nonce[PB_SEAL_NONCE_BYTES] = { 9 };
    uint8_t key[PB_TERM_KEY_BYTES] = { 1 }, other[PB_TERM_KEY_BYTES] = { 2 };
    uint8_t sealed[5 + PB_SEAL_EXTRA_BYTES], plain[5];

    (void)state;
    pb_seal(key, str("a42"), 700, nonce, (const uint8_t *)"hello", 5, sealed);
    assert_int_equal(PB_OK, pb_unseal(key, str("a42"), 700, sealed, sizeof(sealed), plain));
    assert_memory_equal("hello", plain, 5);
    assert_int_equal(PB_NOT_FOUND,
                     pb_unseal(other, str("a42"), 700, sealed, sizeof(sealed), plain));
    assert_int_equal(PB_NOT_FOUND, pb_unseal(key, str("a43"), 700, sealed, sizeof(sealed), plain));
    assert_int_equal(PB_NOT_FOUND, pb_unseal(key, str("a42"), 701, sealed, sizeof(sealed), plain));
    assert_int_equal(PB_E_CORRUPT,
                     pb_unseal(key, str("a42"), 700, sealed, PB_SEAL_EXTRA_BYTES - 1, plain));
    for (size_t i = PB_SEAL_KEY_ID_BYTES; i < sizeof(sealed); i++) {
        sealed[i] ^= 0x10;
        assert_int_equal(PB_E_CORRUPT,
                         pb_unseal(key, str("a42"), 700, sealed, sizeof(sealed), plain));
        sealed[i] ^= 0x10;
    }
}

static void
terms_are_months(void **state)
{
    (void)state;
    assert_int_equal(0, pb_term_of(-1));
    assert_int_equal(0, pb_term_of(0));
    assert_int_equal(0, pb_term_of(31 * PB_DAY_US - 1));
    assert_int_equal(1, pb_term_of(31 * PB_DAY_US));
    assert_int_equal(PB_TERM_NEVER, pb_term_of(PB_NEVER));
    assert_int_equal(PB_TERM_NEVER, pb_term_of(PB_TIME_MAX_US));
    assert_false(pb_term_is_over(0, 31 * PB_DAY_US - 1));
    assert_true(pb_term_is_over(0, 31 * PB_DAY_US));
    assert_false(pb_term_is_over(PB_TERM_NEVER, PB_NEVER));
}

/* ---- records ---- */

static void
records_of_the_journal_are_read_back_and_cut_ones_refused(void **state)
{
    struct pb_record_leaf leaf = { .log = str("a42"),
                                   .index = 7,
                                   .term = 700,
                                   .leaf = str("{leaf}"),
                                   .sealed = (const uint8_t *)"sealed",
                                   .sealed_bytes = 6 };
    struct pb_record_leaf found;
    uint8_t bytes[128], *end = pb_record_leaf_begin(&leaf, bytes);
    const uint8_t *at = bytes;
    size_t count;

    (void)state;
    memcpy(end, "{leaf}sealed", 12);
    count = (size_t)(end - bytes) + 12;
    assert_int_equal(PB_OK, pb_record_leaf_next(&at, bytes + count, &found));
    assert_int_equal(7, found.index);
    assert_int_equal(700, found.term);
    assert_true(pb_str_equal(leaf.leaf, found.leaf));
    assert_memory_equal("sealed", found.sealed, 6);
    assert_int_equal(PB_END, pb_record_leaf_next(&at, bytes + count, &found));
    for (size_t i = 1; i < count; i++) {
        at = bytes;
        assert_int_equal(PB_BAD_INPUT, pb_record_leaf_next(&at, bytes + i, &found));
        assert_ptr_equal(bytes, at);
    }
    bytes[1] = '/';
    at = bytes;
    assert_int_equal(PB_BAD_INPUT, pb_record_leaf_next(&at, bytes + count, &found));
    bytes[1] = 'a';
    pb_put_le16(bytes + 16, PB_AUDIT_LEAF_BYTES_MAX + 1);
    assert_int_equal(PB_BAD_INPUT, pb_record_leaf_next(&at, bytes + count, &found));
    pb_put_le16(bytes + 16, 6);
    pb_put_le32(bytes + 18, PB_SEALED_BYTES_MAX + 1);
    assert_int_equal(PB_BAD_INPUT, pb_record_leaf_next(&at, bytes + count, &found));
}

static void
put_right(uint8_t *bytes, size_t count)
{
    pb_put_le64(bytes + count - 8, pb_hash_bytes(bytes, count - 8));
}

/* Changes one place, puts the checksum right and expects a refusal. */
static void
refuse_state(uint8_t *bytes, size_t count, size_t at, uint8_t value, enum pb_status expected)
{
    uint8_t before = bytes[at];
    struct pb_state state;
    enum pb_status status;

    bytes[at] = value;
    put_right(bytes, count);
    status = pb_state_decode(pb_env_system(), bytes, count, &state, NULL);
    if (status != expected)
        fail_msg("byte %zu: %s", at, pb_status_name(status));
    bytes[at] = before;
    put_right(bytes, count);
}

static void
the_state_is_read_back_and_impossible_ones_refused(void **state)
{
    const struct pb_env *env = pb_env_system();
    struct pb_state_log logs[2];
    struct pb_state made = {
        .generation = 5, .journal_first = 3, .commit = 9, .logs = logs, .log_count = 2
    };
    struct pb_state found;
    uint8_t public_key[32] = { 1 }, *bytes = NULL;
    size_t count = 0;

    (void)state;
    memset(logs, 0, sizeof(logs));
    for (uint32_t i = 0; i < 2; i++) {
        memcpy(logs[i].id, i == 0 ? "a42" : "b72", 4);
        pb_vkey_make(str(i == 0 ? "x.example" : "y.example"), PB_KEY_ED25519, public_key,
                     &logs[i].key);
        logs[i].size = 300 + i;
        logs[i].previous_size = 40;
        logs[i].time_ms = 1767225600123;
    }
    assert_int_equal(PB_OK, pb_state_encode(&made, env, &bytes, &count));
    assert_int_equal(PB_OK, pb_state_decode(env, bytes, count, &found, NULL));
    assert_int_equal(5, found.generation);
    assert_int_equal(2, found.log_count);
    assert_string_equal("b72", found.logs[1].id);
    assert_int_equal(301, found.logs[1].size);
    assert_string_equal("y.example", found.logs[1].key.name);
    pb_state_done(&found, env);

    for (size_t i = 0; i < count; i++)
        assert_int_equal(PB_E_CORRUPT, pb_state_decode(env, bytes, i, &found, NULL));
    bytes[40] ^= 1;
    assert_int_equal(PB_E_CORRUPT, pb_state_decode(env, bytes, count, &found, NULL));
    bytes[40] ^= 1;
    refuse_state(bytes, count, 0, 'X', PB_E_CORRUPT);
    refuse_state(bytes, count, 8, 2, PB_E_VERSION);
    refuse_state(bytes, count, 12, 1, PB_E_CORRUPT);  /* more bytes than logs */
    refuse_state(bytes, count, 12, 3, PB_E_CORRUPT);  /* fewer */
    refuse_state(bytes, count, 13, 99, PB_E_CORRUPT); /* more than bytes */
    refuse_state(bytes, count, 14, 99, PB_E_CORRUPT); /* many */
    refuse_state(bytes, count, 15, 99, PB_E_CORRUPT); /* very many */
    refuse_state(bytes, count, 64, 0, PB_E_CORRUPT);  /* an id of no bytes */
    refuse_state(bytes, count, 64, 255, PB_E_CORRUPT);
    refuse_state(bytes, count, 65, '/', PB_E_CORRUPT);
    refuse_state(bytes, count, 65, 'z', PB_E_CORRUPT); /* not ascending */
    refuse_state(bytes, count, 68, 0, PB_E_CORRUPT);   /* an origin of no bytes */
    refuse_state(bytes, count, 69, ' ', PB_E_CORRUPT);
    refuse_state(bytes, count, 78 + 32 + 7, 0xff, PB_E_CORRUPT); /* size */
    refuse_state(bytes, count, 78 + 40 + 1, 0x10, PB_E_CORRUPT); /* previous_size */
    refuse_state(bytes, count, 78 + 80 + 7, 0xff, PB_E_CORRUPT); /* time */
    /* Texts that fit, and nothing behind them. */
    for (size_t cut = 1; cut < 88; cut += 29) {
        uint8_t last[8];

        memcpy(last, bytes + count - cut - 8, 8);
        put_right(bytes, count - cut);
        assert_int_equal(PB_E_CORRUPT, pb_state_decode(env, bytes, count - cut, &found, NULL));
        memcpy(bytes + count - cut - 8, last, 8);
    }
    assert_int_equal(PB_OK, pb_state_decode(env, bytes, count, &found, NULL));
    pb_state_done(&found, env);
    pb_free(env, bytes);
}

static void
files_of_openings_are_read_back_and_impossible_ones_refused(void **state)
{
    const struct pb_sealed made[] = { { 700, (const uint8_t *)"abc", 3 },
                                      { 0, NULL, 0 },
                                      { PB_TERM_NEVER, (const uint8_t *)"defg", 4 } };
    struct pb_sealed found[PB_TILE_WIDTH];
    uint8_t bytes[256];
    size_t count = pb_sealed_file_bytes(made, 3);
    uint32_t items = 0;

    (void)state;
    pb_sealed_file_encode(512, made, 3, bytes);
    assert_int_equal(PB_OK, pb_sealed_file_decode(bytes, count, 512, found, &items));
    assert_int_equal(3, items);
    assert_int_equal(PB_TERM_NEVER, found[2].term);
    assert_memory_equal("defg", found[2].bytes, 4);
    assert_null(found[1].bytes);
    assert_int_equal(PB_E_CORRUPT, pb_sealed_file_decode(bytes, count, 0, found, &items));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(PB_E_CORRUPT, pb_sealed_file_decode(bytes, i, 512, found, &items));
    bytes[8] = 2;
    put_right(bytes, count);
    assert_int_equal(PB_E_VERSION, pb_sealed_file_decode(bytes, count, 512, found, &items));
    bytes[8] = 1;
    bytes[0] = 'x';
    put_right(bytes, count);
    assert_int_equal(PB_E_CORRUPT, pb_sealed_file_decode(bytes, count, 512, found, &items));
    bytes[0] = 'P';
    for (uint8_t wrong = 0; wrong < 6; wrong++) {
        if (wrong == 3)
            continue;
        bytes[12] = wrong;
        put_right(bytes, count);
        assert_int_equal(PB_E_CORRUPT, pb_sealed_file_decode(bytes, count, 512, found, &items));
    }
    bytes[12] = 3;
    bytes[13] = 2; /* 515 items */
    put_right(bytes, count);
    assert_int_equal(PB_E_CORRUPT, pb_sealed_file_decode(bytes, count, 512, found, &items));
    bytes[13] = 0;
    pb_put_le32(bytes + 28, PB_SEALED_BYTES_MAX + 1);
    put_right(bytes, count);
    assert_int_equal(PB_E_CORRUPT, pb_sealed_file_decode(bytes, count, 512, found, &items));
    pb_put_le32(bytes + 28, 200);
    put_right(bytes, count);
    assert_int_equal(PB_E_CORRUPT, pb_sealed_file_decode(bytes, count, 512, found, &items));
}

/* ---- heads ---- */

static size_t
make_heads(uint8_t *bytes, const uint8_t *audit_id)
{
    uint8_t *at = bytes + 48;

    memset(bytes, 0, 48);
    memcpy(bytes, "PBHEADS\x1a", 8);
    pb_put_le32(bytes + 8, 1);
    pb_put_le32(bytes + 12, 2);
    memcpy(bytes + 16, audit_id, PB_AUDIT_ID_BYTES);
    pb_put_le64(bytes + 32, 77);
    for (uint32_t i = 0; i < 2; i++) {
        *at++ = 2;
        memcpy(at, i == 0 ? "aa" : "bb", 2);
        at += 2;
        pb_put_le64(at, 5 + i);
        memset(at + 8, (int)i, 32);
        at += 40;
    }
    pb_put_le64(bytes + 40, (uint64_t)(at - bytes) + 8);
    put_right(bytes, (size_t)(at - bytes) + 8);
    return (size_t)(at - bytes) + 8;
}

static void
refuse_heads(uint8_t *bytes, size_t count, const uint8_t *audit_id, size_t at, uint8_t value)
{
    struct pb_head *heads = NULL;
    uint64_t sequence;
    uint32_t head_count;
    uint8_t before = bytes[at];

    bytes[at] = value;
    put_right(bytes, count);
    if (pb_heads_parse(pb_env_system(), bytes, count, audit_id, &sequence, &heads, &head_count) !=
        PB_E_CORRUPT)
        fail_msg("byte %zu", at);
    bytes[at] = before;
    put_right(bytes, count);
}

static void
heads_are_read_back_and_impossible_ones_refused(void **state)
{
    static const uint8_t audit_id[PB_AUDIT_ID_BYTES] = { 3 }, other_id[PB_AUDIT_ID_BYTES] = { 4 };
    const struct pb_env *env = pb_env_system();
    uint8_t bytes[256];
    size_t count = make_heads(bytes, audit_id);
    struct pb_head *heads = NULL;
    uint64_t sequence = 0;
    uint32_t head_count = 0;

    (void)state;
    memset(bytes + count, 0xa5, sizeof(bytes) - count); /* what lies behind is old */
    assert_int_equal(PB_OK, pb_heads_parse(env, bytes, sizeof(bytes), audit_id, &sequence, &heads,
                                           &head_count));
    assert_int_equal(77, sequence);
    assert_int_equal(2, head_count);
    assert_string_equal("bb", heads[1].log);
    assert_int_equal(6, heads[1].size);
    pb_free(env, heads);
    assert_int_equal(PB_E_CORRUPT,
                     pb_heads_parse(env, bytes, count, other_id, &sequence, &heads, &head_count));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(PB_E_CORRUPT,
                         pb_heads_parse(env, bytes, i, audit_id, &sequence, &heads, &head_count));
    refuse_heads(bytes, count, audit_id, 0, 'x');
    refuse_heads(bytes, count, audit_id, 8, 2);
    refuse_heads(bytes, count, audit_id, 12, 1);
    refuse_heads(bytes, count, audit_id, 12, 3);
    refuse_heads(bytes, count, audit_id, 13, 1);
    refuse_heads(bytes, count, audit_id, 14, 9);
    refuse_heads(bytes, count, audit_id, 40, 9);
    refuse_heads(bytes, count, audit_id, 48, 0);
    refuse_heads(bytes, count, audit_id, 48, 65);
    refuse_heads(bytes, count, audit_id, 49, 0);
    refuse_heads(bytes, count, audit_id, 49, 'c');  /* not ascending */
    refuse_heads(bytes, count, audit_id, 58, 0xff); /* size */
    /* Of two, the second goes past the end, or there is none. */
    for (size_t cut = 1; cut <= 44; cut++) {
        (void)make_heads(bytes, audit_id);
        pb_put_le64(bytes + 40, count - cut);
        put_right(bytes, count - cut);
        assert_int_equal(PB_E_CORRUPT, pb_heads_parse(env, bytes, count - cut, audit_id, &sequence,
                                                      &heads, &head_count));
    }
}

/* ---- proofs ---- */

#define NOTE "x.example\n1\n" HASH "\n\n\xe2\x80\x94 x.example AAAAAAAA\n"
#define PROOF "c2sp.org/tlog-proof@v1\nindex 0\n"

static void
other_forms_of_proofs_are_refused(void **state)
{
    static const struct {
        const char *text;
        bool is_taken;
    } cases[] = {
        { PROOF "\n" NOTE "\nleaf\nx\n", true },
        { PROOF HASH "\n\n" NOTE "\nleaf\nx\n", true },
        { PROOF "\n" NOTE "\nleaf\nx\n\nopenings\n", true },
        { PROOF "\n" NOTE "\nleaf\nx\n\nopenings\na " HASH " \nb " HASH " AAAA\n", true },
        { "", false },
        { "c2sp.org/tlog-proof@v2\nindex 0\n\n" NOTE "\nleaf\nx\n", false },
        { "c2sp.org/tlog-proof@v1\nindex\n\n" NOTE "\nleaf\nx\n", false },
        { "c2sp.org/tlog-proof@v1\nindex 00\n\n" NOTE "\nleaf\nx\n", false },
        { "c2sp.org/tlog-proof@v1\nindex  0\n\n" NOTE "\nleaf\nx\n", false },
        { "c2sp.org/tlog-proof@v1\nindey 0\n\n" NOTE "\nleaf\nx\n", false },
        { "c2sp.org/tlog-proof@v1\nindex 0", false },
        { PROOF HASH "\n", false },
        { PROOF "AAAA\n\n" NOTE "\nleaf\nx\n", false },
        { PROOF "\nx.example\n1\n" HASH "\n", false },
        { PROOF "\n" NOTE, false },
        { PROOF "\n" NOTE "\n", false },
        { PROOF "\n" NOTE "\nleef\nx\n", false },
        { PROOF "\n" NOTE "\nleaf\n", false },
        { PROOF "\n" NOTE "\nleaf\nx\nopenings\n", false },
        { PROOF "\n" NOTE "\nleaf\nx\n\n", false },
        { PROOF "\n" NOTE "\nleaf\nx\n\nopening\n", false },
        { PROOF "\n" NOTE "\nleaf\nx\n\nopenings\na", false },
        { PROOF "\n" NOTE "\nleaf\nx\n\nopenings\na\n", false },
        { PROOF "\n" NOTE "\nleaf\nx\n\nopenings\na " HASH "\n", false },
        { PROOF "\n" NOTE "\nleaf\nx\n\nopenings\na AAAA AAAA\n", false },
        { PROOF "\n" NOTE "\nleaf\nx\n\nopenings\n\n", false },
    };
    static char many[PB_PROOF_BYTES_MAX + 2];
    static struct pb_proof proof;
    struct pb_text_out out = pb_text_out(many, sizeof(many));

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_error error = { .message = "" };

        if ((pb_proof_parse(str(cases[i].text), &proof, &error) == PB_OK) != cases[i].is_taken)
            fail_msg("case %zu: %s", i, error.message);
    }
    memset(many, 'x', sizeof(many));
    assert_int_equal(PB_BAD_INPUT,
                     pb_proof_parse((struct pb_str){ many, sizeof(many) }, &proof, NULL));
    pb_put_text(&out, PROOF);
    for (uint32_t i = 0; i <= PB_TREE_PROOF_MAX; i++)
        pb_put_text(&out, HASH "\n");
    pb_put_text(&out, "\n" NOTE "\nleaf\nx\n");
    assert_int_equal(PB_BAD_INPUT,
                     pb_proof_parse((struct pb_str){ many, (uint32_t)(out.at - many) }, &proof,
                                    NULL));
    out = pb_text_out(many, sizeof(many));
    pb_put_text(&out, PROOF "\n" NOTE "\nleaf\nx\n\nopenings\n");
    for (uint32_t i = 0; i <= PB_AUDIT_FIELDS_MAX; i++)
        pb_put_text(&out, "a " HASH " AAAA\n");
    assert_int_equal(PB_BAD_INPUT,
                     pb_proof_parse((struct pb_str){ many, (uint32_t)(out.at - many) }, &proof,
                                    NULL));
    out = pb_text_out(many, sizeof(many));
    pb_put_text(&out, PROOF "\n" NOTE "\nleaf\nx\n\nopenings\na " HASH " ");
    for (uint32_t i = 0; i < PB_AUDIT_SECRET_BYTES_MAX / 3 + 2; i++)
        pb_put_text(&out, "AAAA");
    pb_put_char(&out, '\n');
    assert_int_equal(PB_BAD_INPUT,
                     pb_proof_parse((struct pb_str){ many, (uint32_t)(out.at - many) }, &proof,
                                    NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tile_paths_are_those_of_the_specification),
        cmocka_unit_test(other_tile_paths_are_refused),
        cmocka_unit_test(a_tree_of_70000_has_the_tiles_of_the_specifications_example),
        cmocka_unit_test(bundles_end_where_their_entries_end),
        cmocka_unit_test(a_leaf_is_one_line_of_a_known_shape),
        cmocka_unit_test(a_commitment_is_what_the_format_page_says),
        cmocka_unit_test(other_shapes_of_leaves_are_refused),
        cmocka_unit_test(a_leaf_that_is_cut_anywhere_is_none),
        cmocka_unit_test(a_leaf_with_too_many_fields_or_secrets_is_not_written),
        cmocka_unit_test(openings_are_read_back_and_checked_against_the_leaf),
        cmocka_unit_test(seals_open_only_with_their_key_for_their_log_and_term),
        cmocka_unit_test(terms_are_months),
        cmocka_unit_test(records_of_the_journal_are_read_back_and_cut_ones_refused),
        cmocka_unit_test(the_state_is_read_back_and_impossible_ones_refused),
        cmocka_unit_test(files_of_openings_are_read_back_and_impossible_ones_refused),
        cmocka_unit_test(heads_are_read_back_and_impossible_ones_refused),
        cmocka_unit_test(other_forms_of_proofs_are_refused),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
