/* JSON is judged strictly, and its known members come out flat. */
#include <dirent.h>
#include <unistd.h>

#include "base/limits.h"
#include "ingest/collector.h"
#include "ingest/json.h"
#include "ingest/json_index.h"
#include "ingest/native.h"

static struct pb_json *json;

static int
make_json(void **state)
{
    (void)state;
    json = pb_json_new(pb_env_system());
    return json == NULL ? -1 : 0;
}

static int
free_json(void **state)
{
    (void)state;
    pb_json_free(json);
    return 0;
}

/* From memory of its very size. */
static bool
is_json(const void *bytes, size_t count)
{
    uint8_t *copy = malloc(count > 0 ? count : 1);
    const char *reason = NULL;
    enum pb_status status;

    assert_non_null(copy);
    memcpy(copy, bytes, count);
    status = pb_json_check(json, copy, count, &reason);
    free(copy);
    assert_true(status == PB_OK || status == PB_BAD_INPUT);
    if (status == PB_BAD_INPUT)
        assert_non_null(reason);
    return status == PB_OK;
}

static void
texts_are_judged_as_the_standard_says(void **state)
{
    static const char *const good[] = {
        "{}", "[]", " [ ] ", "null", "true", "false", "0", "-0", "1.5e+10", "\"\"", "\"a\"",
        "{\"a\":1}", "{\"a\":{\"b\":[1,2,{}]}}", "[1,\"2\",null,true,false,{},[]]",
        "\"\\u0041\\n\\\\\\\"\\/\"", "\"\\ud83d\\ude00\"", "{\"\":0}", "{\"a\":1,\"a\":2}",
        "[\"\\u0000\"]", "\t\r\n 1 \n", "\"\x7f\"", "[-1.25E-3]",
    };
    static const char *const bad[] = {
        "", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1}", "{\"a\"}",
        "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{\"a\":1 \"b\":2}",
        "{\"a\"::1}", "{1:1}", "nul", "nulll", "True", "truefalse", "01", "-01", "1.", ".5", "+1",
        "-", "1e", "1e+", "0x1", "1 2", "\"", "\"\\", "\"\\\"", "\"\\x\"", "\"\\u12\"",
        "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\ud800\\uffff\"",
        "\"\\ud800\\uzzzz\"", "\"\\ud800abcdefgh\"", "\"\\ud800\\nabcdef\"", "\"\\udc00\"",
        "\"a\"b", "\"a\"\"b\"",
        "a\"b\"", "1\"b\"", "\"a\nb\"", "[\"a\",\n4\n,1,", "[\"\t\"]", "{}{}", "{}[]",
        "\xEF\xBB\xBF{}",
        "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "[1]\x01", "{\"a\":1}#", "//\n1", "[\\]",
        "NaN", "Infinity", "[-]", "[1,,2]", ":", ",", "[\"a\":1]", "{\"a\":1]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!is_json(good[i], strlen(good[i])))
            fail_msg("refused: %s", good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (is_json(bad[i], strlen(bad[i])))
            fail_msg("taken: %s", bad[i]);
    }
    assert_false(is_json("[1\0]", 4));
    assert_false(is_json("\"\0\"", 3));
}

static void
depth_is_limited_exactly(void **state)
{
    char text[2 * PB_JSON_DEPTH_MAX + 2];

    (void)state;
    memset(text, '[', PB_JSON_DEPTH_MAX);
    memset(text + PB_JSON_DEPTH_MAX, ']', PB_JSON_DEPTH_MAX);
    assert_true(is_json(text, 2 * (size_t)PB_JSON_DEPTH_MAX));
    memset(text, '[', PB_JSON_DEPTH_MAX + 1);
    memset(text + PB_JSON_DEPTH_MAX + 1, ']', PB_JSON_DEPTH_MAX + 1);
    assert_false(is_json(text, sizeof(text)));
}

/* Cutting a text short, or changing any one byte to one that cannot be right there, must
 * never be taken for JSON. */
static void
no_beginning_of_an_object_is_json(void **state)
{
    static const char text[] = "{\"a\":[1,2.5e-3,\"x\\u00e9\\n\",{\"b\":null}],\"c\":true}";

    (void)state;
    for (size_t bytes = 0; bytes + 1 < sizeof(text); bytes++)
        assert_false(is_json(text, bytes));
    assert_true(is_json(text, sizeof(text) - 1));
}

static void
nothing_of_a_text_that_ends_within_a_string_is_a_document(void **state)
{
    static const char text[] = "\"a\\\"b\\\\ \\n\"";
    const struct pb_json_value *values;
    const char *reason;
    uint32_t count;

    (void)state;
    for (size_t to = 1; to <= sizeof(text) - 1; to++) {
        assert_int_equal(PB_OK, pb_json_load(json, (const uint8_t *)text, sizeof(text) - 1,
                                             sizeof(text) - 1, &reason));
        assert_int_equal(to == sizeof(text) - 1 ? PB_OK : PB_BAD_INPUT,
                         pb_json_document(json, 0, to, NULL, &values, &count, &reason));
    }
}

/* What is kept for one text grows by at least half, and serves smaller ones after it. */
static void
texts_of_any_length_follow_each_other(void **state)
{
    static const size_t counts[] = { 10, 100, 70000, 200000, 10, 1u << 20, (1u << 20) + 1, 10 };
    char *text = malloc((1u << 20) + 1);

    (void)state;
    assert_non_null(text);
    pb_json_free(json);
    json = pb_json_new(pb_env_system());
    assert_non_null(json);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        memset(text, ' ', counts[i]);
        text[0] = '[';
        text[counts[i] - 1] = ']';
        assert_true(is_json(text, counts[i]));
        text[counts[i] - 2] = '[';
        assert_false(is_json(text, counts[i]));
    }
    free(text);
}

static void
what_was_not_made_can_be_freed(void **state)
{
    (void)state;
    pb_json_free(NULL);
    pb_json_index_free(NULL);
}

/* PB_SHARED_DIR, or ../shared beside the source tree. */
static void
the_public_test_suite_is_judged_as_its_names_say(void **state)
{
    const char *shared = getenv("PB_SHARED_DIR");
    const char *root = getenv("PB_SOURCE_DIR");
    char folder[2048], path[4096];
    size_t accepted = 0, refused = 0;
    struct dirent *entry;
    DIR *list;

    (void)state;
    if (shared != NULL)
        (void)snprintf(folder, sizeof(folder), "%s/data/json-suite", shared);
    else
        (void)snprintf(folder, sizeof(folder), "%s/../shared/data/json-suite",
                       root == NULL ? "." : root);
    list = opendir(folder);
    if (list == NULL) {
        print_message("skipped: no JSON suite in %s\n", folder);
        skip();
    }
    for (entry = readdir(list); entry != NULL; entry = readdir(list)) {
        uint8_t *bytes;
        size_t count = 0;
        FILE *file;
        bool is_good;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        file = fopen(path, "rb");
        assert_non_null(file);
        bytes = malloc(1u << 20);
        assert_non_null(bytes);
        count = fread(bytes, 1, 1u << 20, file);
        (void)fclose(file);
        is_good = is_json(bytes, count);
        free(bytes);
        if (strncmp(entry->d_name, "y_", 2) == 0 && !is_good)
            fail_msg("refused: %s", entry->d_name);
        if (strncmp(entry->d_name, "n_", 2) == 0 && is_good)
            fail_msg("taken: %s", entry->d_name);
        accepted += is_good;
        refused += !is_good;
    }
    (void)closedir(list);
    print_message("%zu texts taken, %zu refused\n", accepted, refused);
    assert_true(accepted >= 95 && refused >= 188);
}

enum { KEY_PLATE = 1, KEY_LIST, KEY_LONG, KEY_SIXTEEN, KEY_SEVENTEEN, KEY_EIGHT };
static const char *const texts[] = {
    "plate", "list", "a_very_long_key_that_has_40_characters__", "sixteen_letters_",
    "seventeen_letters", "eight_by",
};

static void
known_members_come_out_flat_and_others_not_at_all(void **state)
{
    static const char text[] =
        "{\"plate\" : \"A\\u0042\\n\" , \"x\":{\"plate\":1},\"list\":[1.50,[ ],{\"plate\":null,"
        "\"y\":2}],\"pl\\u0061te\":true,\"a_very_long_key_that_has_40_characters__\":-0,"
        "\"a_very_long_key_that_has_40_character___\":1,\"sixteen_letters_\":2,"
        "\"seventeen_letters\":3,\"seventeen_letterz\":4,\"eight_by\":5,\"eight_bz\":6,"
        "\"plat\":7,\"plates\":8,\"\":9,\"seventeen_lette\":10}";
    static const struct {
        uint8_t type, key;
        uint32_t next;
        const char *text;
    } expected[] = {
        { PB_JSON_OBJECT, PB_JSON_NO_KEY, 12, "" },
        { PB_JSON_STRING, KEY_PLATE, 2, "AB\n" },
        { PB_JSON_ARRAY, KEY_LIST, 7, "" },
        { PB_JSON_NUMBER, PB_JSON_NO_KEY, 4, "1.50" },
        { PB_JSON_ARRAY, PB_JSON_NO_KEY, 5, "" },
        { PB_JSON_OBJECT, PB_JSON_NO_KEY, 7, "" },
        { PB_JSON_NULL, KEY_PLATE, 7, "null" },
        { PB_JSON_TRUE, KEY_PLATE, 8, "true" },
        { PB_JSON_NUMBER, KEY_LONG, 9, "-0" },
        { PB_JSON_NUMBER, KEY_SIXTEEN, 10, "2" },
        { PB_JSON_NUMBER, KEY_SEVENTEEN, 11, "3" },
        { PB_JSON_NUMBER, KEY_EIGHT, 12, "5" },
    };
    const struct pb_json_value *values;
    struct pb_json_keys keys;
    const char *reason;
    uint32_t count;

    (void)state;
    pb_json_keys_init(&keys, texts, sizeof(texts) / sizeof(texts[0]));
    assert_int_equal(PB_OK, pb_json_load(json, (const uint8_t *)text, sizeof(text) - 1,
                                         sizeof(text) - 1, &reason));
    assert_int_equal(PB_OK, pb_json_document(json, 0, sizeof(text) - 1, &keys, &values, &count,
                                             &reason));
    assert_int_equal(sizeof(expected) / sizeof(expected[0]), count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(expected[i].type, values[i].type);
        assert_int_equal(expected[i].key, values[i].key);
        assert_int_equal(expected[i].next, values[i].next);
        assert_true(pb_str_equal(pb_str_from(expected[i].text), values[i].text));
    }
}

static void
every_length_of_key_is_told_from_its_neighbours(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

    (void)state;
    for (size_t length = 1; length <= 24; length++) {
        char key[32] = { 0 }, text[256];
        const char *const names[] = { key };
        const struct pb_json_value *values;
        struct pb_json_keys keys;
        const char *reason;
        uint32_t count;
        int bytes;

        memcpy(key, letters, length);
        pb_json_keys_init(&keys, names, 1);
        bytes = snprintf(text, sizeof(text), "{\"%s\":1,\"%.*s\":2,\"%sz\":3,\"%.*sZ\":4}", key,
                         (int)length - 1, key, key, (int)length - 1, key);
        assert_int_equal(PB_OK, pb_json_load(json, (const uint8_t *)text, (size_t)bytes,
                                             (size_t)bytes, &reason));
        assert_int_equal(PB_OK, pb_json_document(json, 0, (size_t)bytes, &keys, &values, &count,
                                                 &reason));
        assert_int_equal(2, count);
        assert_true(pb_str_equal(pb_str_from("1"), values[1].text));
    }
}

/* More of them than have slots of their own, and some too short or too long to have one. */
static void
members_are_found_whether_their_keys_have_a_slot_of_their_own_or_not(void **state)
{
    enum { KEY_COUNT = PB_JSON_MEMBERS_MAX - 1 };
    static char names[KEY_COUNT][32], text[2048];
    const char *list[KEY_COUNT];
    uint32_t allowed[PB_JSON_TYPE_COUNT], without_slot = 0;
    struct pb_json_members members;
    struct pb_json_keys keys;
    const char *reason;
    size_t bytes = 1;

    (void)state;
    memset(allowed, 0xFF, sizeof(allowed));
    memcpy(text, "{", 2);
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%.*s%u", (int)(i % 25),
                       "abcdefghijklmnopqrstuvwxyz", i);
        list[i] = names[i];
        bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, "%s\"%s\":\"%u\"",
                                  i == 0 ? "" : ",", names[i], i);
    }
    bytes += (size_t)snprintf(text + bytes, sizeof(text) - bytes, "}");
    pb_json_keys_init(&keys, list, KEY_COUNT);
    assert_int_equal(PB_OK,
                     pb_json_load(json, (const uint8_t *)text, bytes, sizeof(text), &reason));
    assert_int_equal(bytes, pb_json_members(json, 0, bytes, &keys, allowed, 0, &members));
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        char expected[8];

        (void)snprintf(expected, sizeof(expected), "%u", i);
        assert_true(pb_str_equal(pb_str_from(expected), members.text[i + 1]));
        without_slot += keys.quoted[i + 1].span == 0;
    }
    assert_int_equal(UINT32_MAX - 1, members.types[PB_JSON_STRING]);
    assert_in_range(without_slot, 1, KEY_COUNT - 1);
}

/* Or lines would be slow that have such a key. */
static void
every_key_of_our_own_has_a_slot_of_its_own(void **state)
{
    struct pb_json_keys keys;

    (void)state;
    pb_json_keys_init(&keys, pb_native_keys, pb_native_key_count);
    for (size_t i = 1; i <= pb_native_key_count; i++)
        assert_int_equal(strlen(pb_native_keys[i - 1]) + 2, keys.quoted[i].span);
}

static void
documents_of_one_text_do_not_see_each_other(void **state)
{
    static const char text[] = "{\"plate\":1}\n[\n{\"plate\":2\n}}\n  \n{\"plate\":3}";
    static const struct {
        size_t from, to;
        enum pb_status status;
        uint32_t count;
    } lines[] = {
        { 0, 12, PB_OK, 2 }, { 12, 14, PB_BAD_INPUT, 0 }, { 14, 25, PB_BAD_INPUT, 0 },
        { 25, 28, PB_BAD_INPUT, 0 }, { 28, 31, PB_OK, 0 }, { 31, 42, PB_OK, 2 },
    };
    const struct pb_json_value *values;
    struct pb_json_keys keys;
    const char *reason;
    uint32_t count;

    (void)state;
    pb_json_keys_init(&keys, texts, sizeof(texts) / sizeof(texts[0]));
    assert_int_equal(42, sizeof(text) - 1);
    assert_int_equal(PB_OK, pb_json_load(json, (const uint8_t *)text, 42, 42, &reason));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(lines[i].status, pb_json_document(json, lines[i].from, lines[i].to, &keys,
                                                           &values, &count, &reason));
        if (lines[i].status == PB_OK)
            assert_int_equal(lines[i].count, count);
    }
}

static void
values_are_limited(void **state)
{
    size_t bytes = 2 * (size_t)PB_JSON_VALUES_MAX + 1;
    char *text = malloc(bytes);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < bytes; i++)
        text[i] = i % 2 == 0 ? ',' : '1';
    text[0] = '[';
    text[bytes - 1] = ']';
    assert_false(is_json(text, bytes)); /* VALUES_MAX numbers and the array */
    text[bytes - 3] = ']';
    assert_true(is_json(text, bytes - 2));
    free(text);
}

static void
a_value_ends_where_its_brackets_do(void **state)
{
    static const struct {
        const char *text;
        size_t end;
        bool is_open;
    } cases[] = {
        { "{}", 2, false }, { "{\"}\":\"\\\"}\"} ,", 11, false }, { "[1,[2]],3", 7, false },
        { "\"a,b\",", 5, false }, { "12,", 2, false }, { "12", 2, true }, { "{\"a\":1", 6, true },
        { "\"abc", 4, true }, { "]", 0, false }, { ",", 0, false }, { "\"\\", 2, true },
        { "{\"a\\", 4, true }, { "[}", 2, false }, { "[{},{\"a\":{}}] ", 13, false },
        { "{\"a\":[ {}, {}],\"b\": {}}", 23, false },
        /* What no value can hold ends it. */
        { "{\"a\":1{\"b\":2}", 6, true }, { "{\"a\":1,\n{}", 8, true },
        { "{\"a\":\"x\n{}", 8, true }, { "{{}}", 1, true }, { "[{}\n{}]", 4, true },
        { "[1{}]", 2, true }, { "{\"a\":[{\"b\":1},\"c\" {}", 18, true },
        { "\"abc\n,", 5, false }, { "\"abc\\\n,", 6, false }, { "1 {}", 1, false },
        { "1{}", 1, false }, { "\"a\"[]", 3, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool is_open = !cases[i].is_open;
        size_t end = pb_json_value_end((const uint8_t *)cases[i].text, strlen(cases[i].text), 0,
                                       &is_open);

        if (end != cases[i].end || is_open != cases[i].is_open)
            fail_msg("%s: %zu, %d", cases[i].text, end, is_open);
    }
}

/* Far deeper than a document may be it is not kept what is around a value. */
static void
a_value_that_is_not_closed_ends_where_another_begins_at_any_sensible_depth(void **state)
{
    char text[80];
    bool is_open;

    (void)state;
    for (size_t depth = 1; depth <= 70; depth++) {
        memset(text, '[', depth);
        memcpy(text + depth, "1{}", 3);
        assert_int_equal(depth <= 64 ? depth + 1 : depth + 3,
                         pb_json_value_end((const uint8_t *)text, depth + 3, 0, &is_open));
        assert_true(is_open);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_judged_as_the_standard_says),
        cmocka_unit_test(depth_is_limited_exactly),
        cmocka_unit_test(no_beginning_of_an_object_is_json),
        cmocka_unit_test(nothing_of_a_text_that_ends_within_a_string_is_a_document),
        cmocka_unit_test(texts_of_any_length_follow_each_other),
        cmocka_unit_test(what_was_not_made_can_be_freed),
        cmocka_unit_test(the_public_test_suite_is_judged_as_its_names_say),
        cmocka_unit_test(known_members_come_out_flat_and_others_not_at_all),
        cmocka_unit_test(every_length_of_key_is_told_from_its_neighbours),
        cmocka_unit_test(members_are_found_whether_their_keys_have_a_slot_of_their_own_or_not),
        cmocka_unit_test(every_key_of_our_own_has_a_slot_of_its_own),
        cmocka_unit_test(documents_of_one_text_do_not_see_each_other),
        cmocka_unit_test(values_are_limited),
        cmocka_unit_test(a_value_ends_where_its_brackets_do),
        cmocka_unit_test(
            a_value_that_is_not_closed_ends_where_another_begins_at_any_sensible_depth),
    };

    return cmocka_run_group_tests(tests, make_json, free_json);
}
