/* YAML: what people write is taken, what surprises is refused, and errors name a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/text.h"
#include "base/yaml.h"
#include "support/fault_env.h"

static struct pb_arena arena;
static struct pb_error error;

/* ---- libyaml's memory ---- */

/* The library asks for its memory through functions that it exports: those of the program come
 * before its own. */
void *yaml_malloc(size_t bytes);
void *yaml_realloc(void *memory, size_t bytes);

static unsigned library_calls;   /* for memory */
static unsigned library_fail_at; /* which of them finds none; from 1 */

void *
yaml_malloc(size_t bytes)
{
    return ++library_calls == library_fail_at ? NULL : malloc(bytes != 0 ? bytes : 1);
}

void *
yaml_realloc(void *memory, size_t bytes)
{
    return ++library_calls == library_fail_at ? NULL : realloc(memory, bytes != 0 ? bytes : 1);
}

/* ---- cases ---- */

static int
begin(void **state)
{
    (void)state;
    pb_arena_init(&arena, pb_env_system(), 1024);
    memset(&error, 0, sizeof(error));
    return 0;
}

static int
end(void **state)
{
    (void)state;
    pb_arena_clear(&arena);
    return 0;
}

static const struct pb_yaml *
parsed(const char *text)
{
    const struct pb_yaml *root = NULL;
    enum pb_status status = pb_yaml_parse(&arena, pb_str_from(text), &root, &error);

    if (status != PB_OK)
        fail_msg("%s\n%s", error.message, text);
    assert_non_null(root);
    return root;
}

static enum pb_status
refused(const char *text, size_t bytes)
{
    const struct pb_yaml *root = NULL;
    struct pb_str view = { .text = text, .bytes = (uint32_t)bytes };
    enum pb_status status;

    memset(&error, 0, sizeof(error));
    status = pb_yaml_parse(&arena, view, &root, &error);
    assert_int_not_equal(PB_OK, status);
    assert_null(root);
    return status;
}

static void
assert_text(const char *expected, const struct pb_yaml *node)
{
    assert_non_null(node);
    assert_int_equal(PB_YAML_SCALAR, node->kind);
    assert_string_equal(expected, node->text.text);
    assert_int_equal(strlen(expected), node->text.bytes);
}

static void
maps_lists_and_texts_become_a_tree_with_lines(void **state)
{
    const struct pb_yaml *root = parsed("# heading\n"
                                        "agencies:\n"
                                        "  - id: a\n"
                                        "    contributes: yes\n"
                                        "  - {id: b, packs: [one, \"2\"]}\n"
                                        "none: []\n");
    const struct pb_yaml *agencies = pb_yaml_get(root, "agencies");
    const struct pb_yaml *packs;

    (void)state;
    assert_int_equal(PB_YAML_MAP, root->kind);
    assert_int_equal(2, root->count);
    assert_int_equal(2, root->line);
    assert_int_equal(PB_YAML_LIST, agencies->kind);
    assert_int_equal(2, agencies->count);
    assert_int_equal(3, agencies->items[0].line);
    assert_text("yes", pb_yaml_get(&agencies->items[0], "contributes"));
    assert_int_equal(4, pb_yaml_get(&agencies->items[0], "contributes")->line);
    assert_int_equal(5, agencies->items[1].line);
    packs = pb_yaml_get(&agencies->items[1], "packs");
    assert_int_equal(2, packs->count);
    assert_text("one", &packs->items[0]);
    assert_false(packs->items[0].is_quoted);
    assert_text("2", &packs->items[1]);
    assert_true(packs->items[1].is_quoted);
    assert_int_equal(0, pb_yaml_get(root, "none")->count);
    assert_null(pb_yaml_get(root, "Agencies"));
    assert_null(pb_yaml_get(agencies, "id"));
    assert_null(pb_yaml_get(packs, "one"));
}

static void
keys_stand_in_the_order_of_the_text(void **state)
{
    const struct pb_yaml *root = parsed("z: 1\na: 2\nm:\n  - 3\n");

    (void)state;
    assert_int_equal(3, root->count);
    assert_text("z", &root->keys[0]);
    assert_text("a", &root->keys[1]);
    assert_text("m", &root->keys[2]);
    assert_int_equal(3, root->keys[2].line);
    assert_text("2", &root->items[1]);
    assert_int_equal(PB_YAML_LIST, root->items[2].kind);
}

static void
texts_in_every_style_come_out_as_meant(void **state)
{
    static const struct {
        const char *text, *expected;
        bool is_quoted;
    } cases[] = {
        { "k: word", "word", false },
        { "k: two words", "two words", false },
        { "k: 0x1F", "0x1F", false },
        { "k: no", "no", false },
        { "k: 2026-03-08", "2026-03-08", false },
        { "k: ~", "", false },
        { "k: null", "", false },
        { "k:", "", false },
        { "k: NULL", "NULL", false },
        { "k: ''", "", true },
        { "k: 'null'", "null", true },
        { "k: '~'", "~", true },
        { "k: 'it''s'", "it's", true },
        { "k: \"a\\n\\u00e4\\U0001F697\"", "a\n\xC3\xA4\xF0\x9F\x9A\x97", true },
        { "k: |\n  one\n  two\n", "one\ntwo\n", true },
        { "k: >-\n  one\n  two\n", "one two", true },
        { "k: one\n  two", "one two", false },
        { "k: a:b", "a:b", false },
        { "k: a#b # c", "a#b", false },
        { "k: \xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7", "\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7",
          false },
        { "\xEF\xBB\xBFk: after a byte order mark", "after a byte order mark", false },
        { "k: windows\r\nl: 1\r\n", "windows", false },
        { "%YAML 1.1\n---\nk: v\n...\n", "v", false },
        { "{\"k\": \"json\", \"l\": [1, {\"m\": null}]}", "json", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pb_yaml *value = pb_yaml_get(parsed(cases[i].text), "k");

        assert_text(cases[i].expected, value);
        assert_int_equal(cases[i].is_quoted, value->is_quoted);
    }
}

static void
a_document_of_nothing_is_an_empty_map(void **state)
{
    static const char *const cases[] = { "",      "\n\n",       "# only a comment\n",
                                         "---\n", "---\n...\n", "~",
                                         "null",  "{}" };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pb_yaml *root = parsed(cases[i]);

        assert_int_equal(PB_YAML_MAP, root->kind);
        assert_int_equal(0, root->count);
        assert_null(pb_yaml_get(root, ""));
    }
    assert_int_equal(PB_YAML_SCALAR, parsed("''")->kind);
    assert_int_equal(PB_YAML_SCALAR, parsed("word")->kind);
    assert_int_equal(PB_YAML_LIST, parsed("[]")->kind);
}

static void
what_surprises_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *message; /* begins so */
    } cases[] = {
        { "a: &x 1\n", "line 1: anchors" },
        { "b: 1\na: &x [1]\n", "line 2: anchors" },
        { "a: &x\n  b: 1\n", "line 1: anchors" },
        { "a: 1\nb: *x\n", "line 2: anchors" },
        { "*x : 1\n", "line 1: anchors" },
        { "a: !!int 1\n", "line 1: tags" },
        { "\na: !mine {}\n", "line 2: tags" },
        { "a: !!seq [1]\n", "line 1: tags" },
        { "!<tag:yaml.org,2002:str> a: 1\n", "line 1: tags" },
        { "%TAG ! tag:example.org,2026:\n---\na: 1\n", "line 1: tags" },
        { "a: 1\n---\nb: 2\n", "line 2: only one document" },
        { "--- a\n--- b\n", "line 2: only one document" },
        { "a: 1\nb: 2\na: 3\n", "line 3: the same key as in line 1" },
        { "a: 1\n\"a\": 3\n", "line 2: the same key as in line 1" },
        { "- b:\n  - {c: 1, d: 2,\n     c: 3}\n", "line 3: the same key as in line 2" },
        { "~: 1\nnull: 3\n", "line 2: the same key as in line 1" },
        { "? [a, b]\n: c\n", "line 1: a key must be" },
        { "a: 1\n? {b: c}\n: d\n", "line 2: a key must be" },
        { "a: \"x\\0y\"\n", "line 1: a text must not hold a NUL" },
        { "a: 1\nb: [1, 2\n", "line 3: " },
        { "a: 1\n b: 2\n", "line 2: " },
        { "a: \"never closed\n", "line 2: " },
        { "a:\n\t- b\n", "line 2: " },
        { "a: 1\nb: @c\n", "line 2: " },
        { "%YAML 3.0\n---\na: 1\n", "line 1: " },
        { "a: 1\nb: \x1b[2J\n", "line 2: control characters" },
        { "a: 1\nb: c\nd: \xFF\n", "line 3: not UTF-8" },
        { "\xC0\x80: 1\n", "line 1: not UTF-8" },
        { "a: \xED\xA0\x80\n", "line 1: not UTF-8" },
        { "\xFE\xFF\n", "line 1: not UTF-8" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(PB_BAD_INPUT, refused(cases[i].text, strlen(cases[i].text)));
        if (strncmp(cases[i].message, error.message, strlen(cases[i].message)) != 0)
            fail_msg("case %zu: \"%s\", not \"%s\"", i, error.message, cases[i].message);
    }
    assert_int_equal(PB_BAD_INPUT, refused("a: 1\nb: \0\n", 10));
    assert_string_equal("line 2: control characters are not allowed", error.message);
    assert_int_equal(PB_BAD_INPUT, refused("a\0:\0 \0001\0", 8)); /* UTF-16 without a mark */
}

/* Half a million levels are never closed, and the depth is what is refused. */
static void
nesting_ends_at_its_limit(void **state)
{
    static char text[500001];

    (void)state;
    memset(text, '[', PB_YAML_DEPTH_MAX);
    memset(text + PB_YAML_DEPTH_MAX, ']', PB_YAML_DEPTH_MAX);
    assert_int_equal(PB_YAML_LIST, parsed(text)->kind);

    memset(text, '[', PB_YAML_DEPTH_MAX + 1);
    memset(text + PB_YAML_DEPTH_MAX + 1, ']', PB_YAML_DEPTH_MAX + 1);
    assert_int_equal(PB_OVER_LIMIT, refused(text, strlen(text)));
    assert_string_equal("line 1: nested more than 16 deep", error.message);

    memset(text, '[', sizeof(text) - 1);
    assert_int_equal(PB_OVER_LIMIT, refused(text, strlen(text)));
    memset(text, '{', sizeof(text) - 1);
    assert_int_not_equal(PB_OK, refused(text, strlen(text)));
}

static void
write_keys(char *text, size_t room, unsigned count)
{
    size_t at = 0;

    for (unsigned i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, room - at, "k%u: %u\n", i, i);
}

static void
a_map_has_a_bounded_number_of_keys(void **state)
{
    static char text[16384];
    const struct pb_yaml *root;

    (void)state;
    write_keys(text, sizeof(text), PB_YAML_KEYS_MAX);
    root = parsed(text);
    assert_int_equal(PB_YAML_KEYS_MAX, root->count);
    assert_text("255", pb_yaml_get(root, "k255"));
    assert_int_equal(256, pb_yaml_get(root, "k255")->line);

    write_keys(text, sizeof(text), PB_YAML_KEYS_MAX + 1);
    assert_int_equal(PB_OVER_LIMIT, refused(text, strlen(text)));
    assert_string_equal("line 1: a map with more than 256 keys", error.message);
}

static void
a_tree_has_a_bounded_number_of_values(void **state)
{
    size_t bytes = 2 * (size_t)PB_YAML_NODES_MAX + 2;
    char *text = malloc(bytes);

    (void)state;
    assert_non_null(text);
    for (size_t i = 1; i + 1 < bytes; i += 2) {
        text[i] = '1';
        text[i + 1] = ',';
    }
    text[0] = '[';
    text[bytes - 1] = ']';
    assert_int_equal(PB_OVER_LIMIT, refused(text, bytes));
    assert_string_equal("line 1: more than 4000000 values", error.message);
    free(text);
}

static void
everything_is_given_back_when_any_allocation_fails(void **state)
{
    static const char text[] =
        "agencies:\n"
        "  - {id: a, packs: [one, two]}\n"
        "  - {id: b, name: 'Example'}\n"
        "many: [1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,"
        "1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,"
        "5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8]\n";
    enum pb_status status = PB_E_NOMEM;
    uint64_t fail_at = 0;

    (void)state;
    while (status != PB_OK) {
        const struct pb_yaml *root = NULL;
        struct fault_env fault;
        struct pb_arena small;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++fail_at;
        pb_arena_init(&small, &fault.env, 256);
        status = pb_yaml_parse(&small, pb_str_from(text), &root, &error);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        assert_int_equal(status == PB_OK, root != NULL);
        pb_arena_clear(&small);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(fail_at, 6, 100);
}

static void
everything_is_given_back_when_libyaml_finds_no_memory(void **state)
{
    static const char text[] = "a: [1, {b: 'two'}, \"t\\u0068ree\"]\nlong: |\n  text\n  more\n";
    enum pb_status status = PB_E_NOMEM;

    (void)state;
    for (library_fail_at = 1; status != PB_OK; library_fail_at++) {
        const struct pb_yaml *root = NULL;
        struct fault_env fault;
        struct pb_arena small;

        assert_true(library_fail_at < 1000);
        library_calls = 0;
        fault_env_init(&fault, pb_env_system());
        pb_arena_init(&small, &fault.env, 256);
        status = pb_yaml_parse(&small, pb_str_from(text), &root, &error);
        assert_int_equal(library_calls < library_fail_at ? PB_OK : PB_E_NOMEM, status);
        assert_int_equal(status == PB_OK, root != NULL);
        pb_arena_clear(&small);
        assert_true(fault_env_is_clean(&fault));
    }
    library_fail_at = 0;
    assert_in_range(library_calls, 10, 999); /* it did ask us */
}

static void
a_text_has_a_bounded_number_of_bytes(void **state)
{
    size_t bytes = (size_t)PB_YAML_BYTES_MAX + 1;
    char *text = malloc(bytes);
    const struct pb_yaml *root = NULL;

    (void)state;
    assert_non_null(text);
    memset(text, '\n', bytes);
    text[bytes - 2] = '5';
    assert_int_equal(PB_OVER_LIMIT, refused(text, bytes));
    assert_string_equal("more than 67108864 bytes of YAML", error.message);
    assert_int_equal(PB_OK, pb_yaml_parse(&arena, (struct pb_str){ text, PB_YAML_BYTES_MAX }, &root,
                                          &error));
    assert_text("5", root);
    assert_int_equal(PB_YAML_BYTES_MAX, root->line);
    free(text);
}

/* What was refused halfway, with lists open and texts waiting, leaves nothing behind. */
static void
everything_is_given_back_when_the_text_is_refused(void **state)
{
    static const char *const cases[] = { "a: [1, 2, {b: [3, &c 4", "a: [1, 2, {b: [3, 4", "\xFF" };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct pb_yaml *root = NULL;
        struct fault_env fault;
        struct pb_arena small;

        fault_env_init(&fault, pb_env_system());
        pb_arena_init(&small, &fault.env, 256);
        assert_int_equal(PB_BAD_INPUT, pb_yaml_parse(&small, pb_str_from(cases[i]), &root, NULL));
        pb_arena_clear(&small);
        assert_true(fault_env_is_clean(&fault));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_lists_and_texts_become_a_tree_with_lines),
        cmocka_unit_test(keys_stand_in_the_order_of_the_text),
        cmocka_unit_test(texts_in_every_style_come_out_as_meant),
        cmocka_unit_test(a_document_of_nothing_is_an_empty_map),
        cmocka_unit_test(what_surprises_is_refused_with_its_line),
        cmocka_unit_test(nesting_ends_at_its_limit),
        cmocka_unit_test(a_map_has_a_bounded_number_of_keys),
        cmocka_unit_test(a_tree_has_a_bounded_number_of_values),
        cmocka_unit_test(a_text_has_a_bounded_number_of_bytes),
        cmocka_unit_test(everything_is_given_back_when_any_allocation_fails),
        cmocka_unit_test(everything_is_given_back_when_libyaml_finds_no_memory),
        cmocka_unit_test(everything_is_given_back_when_the_text_is_refused),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
