/* YAML of the whole catalog: out and back the same, all or nothing, errors with line and field. */
#include "catalog/catalog_room.h"

#include "base/limits.h"

static char *
exported(struct catalog_room *room)
{
    char *text = NULL, *copy;
    size_t bytes = 0;

    room_expect(room, PB_OK, pb_catalog_to_yaml(room->catalog, &text, &bytes, &room->error),
                "export");
    assert_int_equal(bytes, strlen(text));
    copy = malloc(bytes + 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes + 1);
    pb_free(room->env, text);
    return copy;
}

static enum pb_status
import(struct catalog_room *room, const char *text, struct pb_catalog_changes *changes)
{
    memset(changes, 0, sizeof(*changes));
    room->error.message[0] = '\0';
    return pb_catalog_from_yaml(room->catalog, text, strlen(text), changes, &room->error);
}

static void
expect_changes(const struct pb_catalog_changes *changes, unsigned added, unsigned changed,
               unsigned same)
{
    assert_int_equal(added, changes->added);
    assert_int_equal(changed, changes->changed);
    assert_int_equal(same, changes->same);
}

static void
an_export_shows_what_is_not_at_its_default(void **state)
{
    struct catalog_room *room = *state;
    char *text;

    text = exported(room);
    assert_string_equal("# Platebase catalog (docs/formats/catalog-yaml.md)\n", text);
    free(text);
    room_furnish(room);
    text = exported(room);
    assert_non_null(strstr(text, "agencies:\n"
                                 "  - id: fed\n"
                                 "    name: \"Example Bureau\"\n"
                                 "    class: federal\n"
                                 "    jurisdiction: US\n"
                                 "    created_at: 2026-01-01T00:00:00.000Z\n"
                                 "  - id: ks\n"
                                 "    name: \"Example County Sheriff\"\n"
                                 "    class: local\n"
                                 "    jurisdiction: US-KS\n"
                                 "    ori: KS0000000\n"
                                 "    contributes: yes\n"
                                 "    retention_days: 180\n"
                                 "    case_pattern: \"[0-9]{4}-[0-9]+\"\n"
                                 "    packs: [us-ks, pia-039]\n"));
    assert_non_null(strstr(text, "people:\n"
                                 "  - id: fed.agent\n"
                                 "    agency: fed\n"));
    assert_non_null(strstr(text, "    permissions: [pattern, place]\n"));
    assert_non_null(strstr(text, "    lat: 39.1\n"
                                 "    lon: -94.6\n"));
    assert_non_null(strstr(text, "cases:\n"
                                 "  - id: \"ks:2026-1\"\n"
                                 "    agency: ks\n"
                                 "    offence: ks-5801\n"
                                 "    verified: yes\n"));
    assert_non_null(strstr(text, "    limitation_years: none\n"));
    assert_non_null(strstr(text, "    readers: [cam-1, \"car 2\"]\n"));
    free(text);
}

static void
what_was_exported_makes_the_same_catalog(void **state)
{
    struct catalog_room *room = *state;
    struct catalog_room other;
    struct pb_catalog_changes changes;
    char *text, *again;

    room_furnish(room);
    text = exported(room);
    room_init(&other);
    other.now_us = ROOM_NOW_US + INT64_C(86400000000); /* on another day */
    room_expect(&other, PB_OK, pb_catalog_create(other.env, other.path, &other.error), "create");
    room_open(&other);
    room_expect(&other, PB_OK, import(&other, text, &changes), "import");
    expect_changes(&changes, 14, 0, 0);
    again = exported(&other);
    assert_string_equal(text, again);
    room_expect(&other, PB_OK, import(&other, text, &changes), "import again");
    expect_changes(&changes, 0, 0, 14);
    room_put(&other, "agency", PAIRS("id", "ks", "name", "Renamed", "contact", "kept"));
    room_expect(&other, PB_OK, import(&other, text, &changes), "import after a change");
    expect_changes(&changes, 0, 1, 13);
    free(text);
    free(again);
    room_done(&other);
}

static uint64_t
next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed >> 33;
}

/* Plain text with much of what YAML gives a meaning to; no spaces at its ends. */
static void
random_text(uint64_t *seed, char *text, size_t pieces)
{
    static const char *const parts[] = {
        "a",
        "Z",
        "0",
        " ",
        ":",
        ": ",
        "#",
        " #",
        "-",
        "- ",
        "?",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&",
        "*",
        "!",
        "|",
        ">",
        "'",
        "\"",
        "\\",
        "%",
        "@",
        "`",
        "~",
        "=",
        "<<",
        "null",
        "yes",
        "...",
        "---",
        "\\n",
        "\\x00",
        "$1",
        ";--",
        "\xC3\xA4",
        "\xF0\x9F\x9A\x97",
        "\xE2\x80\x8F",
        "\xC2\xA0",
        "\xE3\x80\x80",
    };
    size_t at = 1;

    text[0] = 'x';
    for (size_t i = 0; i < pieces; i++) {
        const char *part = parts[next_random(seed) % (sizeof(parts) / sizeof(parts[0]))];

        memcpy(text + at, part, strlen(part));
        at += strlen(part);
    }
    text[at++] = '.';
    text[at] = '\0';
    if (next_random(seed) % 2 == 0)
        memmove(text, text + 1, at); /* begins with whatever came */
    if (text[0] == ' ')
        text[0] = '_';
}

static void
hostile_texts_survive_the_way_out_and_back(void **state)
{
    struct catalog_room *room = *state;
    uint64_t seed = 1;

    room_put(room, "agency",
             PAIRS("id", "ks", "name", "n", "class", "local", "jurisdiction", "US-KS",
                   "contributes", "yes"));
    for (unsigned round = 0; round < 150; round++) {
        struct pb_catalog_changes changes;
        char name[400], contact[400], pack[400];
        char *text, *again;

        random_text(&seed, name, next_random(&seed) % 30);
        random_text(&seed, contact, next_random(&seed) % 3);
        random_text(&seed, pack, next_random(&seed) % 4);
        for (char *comma = pack; *comma != '\0'; comma++)
            *comma = *comma == ',' ? ';' : *comma;
        room_put(room, "agency",
                 PAIRS("id", "ks", "name", name, "contact", contact, "packs", pack));
        text = exported(room);
        room_expect(room, PB_OK, import(room, text, &changes), text);
        expect_changes(&changes, 0, 0, 1);
        room_put(room, "agency", PAIRS("id", "ks", "name", "other", "contact", "", "packs", ""));
        room_expect(room, PB_OK, import(room, text, &changes), text);
        expect_changes(&changes, 0, 1, 0);
        room_expect_field(room, "agency", "ks", "name", name);
        room_expect_field(room, "agency", "ks", "contact", contact);
        room_expect_field(room, "agency", "ks", "packs", pack);
        again = exported(room);
        assert_string_equal(text, again);
        free(text);
        free(again);
    }
}

static void
words_that_others_take_for_values_are_quoted(void **state)
{
    static const char *const words[] = { "no",  "Yes", "TRUE", "null", "off", "1",
                                         "1e3", "0x1", "y",    "~",    "",    "a b" };
    struct catalog_room *room = *state;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        char quoted[64], *text;
        bool is_empty = words[i][0] == '\0';

        room_put(room, "agency",
                 PAIRS("id", "ks", "name", "n", "class", "local", "jurisdiction", "US-KS",
                       "contact", words[i]));
        (void)snprintf(quoted, sizeof(quoted), "contact: \"%s\"\n", words[i]);
        text = exported(room);
        assert_int_equal(!is_empty, strstr(text, quoted) != NULL);
        assert_int_equal(is_empty, strstr(text, "contact:") == NULL);
        free(text);
    }
}

static void
order_in_the_document_does_not_matter(void **state)
{
    struct catalog_room *room = *state;
    struct pb_catalog_changes changes;

    room_expect(room, PB_OK,
                import(room,
                       "cases: [{id: 'ks:1', offence: o}]\n"
                       "people:\n"
                       "  - {id: a, agency: ks, name: A, role: analyst, approved_by: b}\n"
                       "  - {id: b, agency: ks, name: B, role: supervisor, approved_by: a}\n"
                       "holds:\n"
                       "offences:\n"
                       "  - {id: o, title: T, jurisdiction: US-KS, class: civil,"
                       " limitation_years: 2}\n"
                       "readers: []\n"
                       "agencies:\n"
                       "  - {id: ks, name: K, class: local, jurisdiction: US-KS}\n",
                       &changes),
                "import");
    expect_changes(&changes, 5, 0, 0);
    room_expect_field(room, "person", "a", "approved_by", "b");
    room_expect_field(room, "case", "ks:1", "offence", "o");
}

static void
what_is_left_out_stays_and_what_is_empty_is_cleared(void **state)
{
    struct catalog_room *room = *state;
    struct pb_catalog_changes changes;

    room_furnish(room);
    room_expect(room, PB_OK,
                import(room, "agencies: [{id: ks, contact: , packs: [], status: ~}]", &changes),
                "import");
    expect_changes(&changes, 0, 1, 0);
    room_expect_field(room, "agency", "ks", "contact", NULL);
    room_expect_field(room, "agency", "ks", "packs", NULL);
    room_expect_field(room, "agency", "ks", "status", "active");
    room_expect_field(room, "agency", "ks", "ori", "KS0000000");
    room_expect(room, PB_OK, import(room, "", &changes), "an empty document");
    expect_changes(&changes, 0, 0, 0);
    assert_int_equal(3, room_count(room, "agency"));
}

static void
errors_name_line_entity_id_and_field_and_nothing_is_taken(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "- a", "line 1: a catalog is a map" },
        { "agency: []", "line 1: agency is no kind of record" },
        { "agencies: []\n\"a\\eb\": []", "line 2: ... is no kind of record" },
        { "agencies: {id: x}", "line 1: agencies: must be a list of records" },
        { "agencies: 5", "line 1: agencies: must be a list of records" },
        { "agencies: ''", "line 1: agencies: must be a list of records" },
        { "agencies:\n  - x", "line 2: agency: a record is a map" },
        { "agencies:\n  - {id: x,\n     nam: y}", "line 3: agency x: there is no field nam" },
        { "agencies:\n  - {id: x,\n     name: [y]}", "line 3: agency x: name: must be a list of" },
        { "agencies:\n  - {id: x,\n     name: {y: z}}", "line 3: agency x: name: must be one val" },
        { "agencies:\n  - {id: x,\n     packs: [[y]]}", "line 3: agency x: packs: must be a list" },
        { "agencies:\n  - {id: x,\n     packs: ['y,z']}", "line 3: agency x: packs: must be a li" },
        { "agencies:\n  - {id: [x]}", "line 2: agency : id: must be a list" },
        { "agencies:\n  - {name: y}", "line 2: agency: id: must be given" },
        { "agencies:\n  - id: new\n    name: y\n", "line 2: agency new: class: must be given" },
        { "agencies:\n  - id: new\n    name: y\n    class: city\n",
          "line 4: agency new: class: must be one of local" },
        { "agencies:\n  - id: ks\n    name: changed\n  - id: mo\n    retention_days: 0\n",
          "line 5: agency mo: retention_days: must be a whole number" },
        { "agencies:\n  - id: ks\n    name: changed\nreaders:\n  - id: cam-1\n    lat: 91\n",
          "line 6: reader cam-1: lat: must be degrees" },
        { "agencies:\n  - id: ks\n    name: changed\npeople:\n  - id: fed.agent\n"
          "    approved_by: nobody\n",
          "line 6: person fed.agent: approved_by: there is no person nobody" },
        { "agencies:\n  - id: ks\n    name: changed\nholds:\n  - id: h-1\n    case: ks:1\n",
          "line 6: hold h-1: case: cannot be changed" },
        { "agencies:\n  - id: ks\n    name: changed\n    name: again\n", "line 4: the same key" },
        { "agencies:\n  - id: ks\n    name: changed\n  - id: mo\n  - id: \" ks \"\n",
          "line 5: agency ks: id: is on line 2 already" },
        { "people:\n  - { id: fed.agent, note: a }\n  - { id: fed.agent, note: b }\n",
          "line 3: person fed.agent: id: is on line 2 already" },
        { "agencies:\n  - id: ks\n    name: &a changed\n", "line 3: anchors" },
        { "agencies:\n  - id: ks\n    name: \"a\\x1bb\"\n",
          "line 3: agency ks: name: must be UTF-8 without control" },
        { "agencies:\n  - id: ks\n    name: \"a\\u202Eb\"\n",
          "line 3: agency ks: name: must be UTF-8 without control" },
    };
    struct catalog_room *room = *state;
    char *before, *after;

    room_furnish(room);
    before = exported(room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_catalog_changes changes;

        room_expect(room, PB_BAD_INPUT, import(room, cases[i].text, &changes), cases[i].message);
        expect_changes(&changes, 0, 0, 0);
        if (strncmp(cases[i].message, room->error.message, strlen(cases[i].message)) != 0)
            fail_msg("\"%s\", not \"%s\"", room->error.message, cases[i].message);
        after = exported(room);
        assert_string_equal(before, after);
        free(after);
    }
    free(before);
}

static void
a_document_has_a_bounded_size(void **state)
{
    struct catalog_room *room = *state;
    struct pb_catalog_changes changes;
    size_t bytes = PB_CATALOG_YAML_BYTES_MAX + 1;
    char *text = malloc(bytes);

    assert_non_null(text);
    memset(text, '\n', bytes);
    assert_int_equal(PB_OVER_LIMIT,
                     pb_catalog_from_yaml(room->catalog, text, bytes, &changes, &room->error));
    free(text);
}

/* The page names every entity and field, in order, and each choice. */
static void
the_page_on_the_format_is_complete(void **state)
{
    static char page[65536];
    FILE *file = fopen("docs/formats/catalog-yaml.md", "rb");
    size_t count, bytes;
    const struct pb_entity *entities = pb_catalog_entities(&count);
    const char *at = page;

    (void)state;
    assert_non_null(file);
    bytes = fread(page, 1, sizeof(page) - 1, file);
    assert_int_equal(0, fclose(file));
    page[bytes] = '\0';
    for (size_t i = 0; i < count; i++) {
        char words[128];

        (void)snprintf(words, sizeof(words), "### `%s`", entities[i].plural);
        at = strstr(at, words);
        if (at == NULL)
            fail_msg("the page lacks %s", words);
        for (unsigned j = 0; j < entities[i].field_count; j++) {
            const struct pb_field *field = &entities[i].fields[j];

            (void)snprintf(words, sizeof(words), "`%s`", field->name);
            at = strstr(at, words);
            if (at == NULL)
                fail_msg("the page lacks %s of %s", field->name, entities[i].name);
            at += strlen(words);
            for (unsigned k = 0; field->choices != NULL && field->choices[k] != NULL; k++) {
                (void)snprintf(words, sizeof(words), "`%s`", field->choices[k]);
                if (strstr(at, words) == NULL)
                    fail_msg("the page lacks %s of %s", field->choices[k], field->name);
            }
        }
    }
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_export_shows_what_is_not_at_its_default),
        CASE(what_was_exported_makes_the_same_catalog),
        CASE(hostile_texts_survive_the_way_out_and_back),
        CASE(words_that_others_take_for_values_are_quoted),
        CASE(order_in_the_document_does_not_matter),
        CASE(what_is_left_out_stays_and_what_is_empty_is_cleared),
        CASE(errors_name_line_entity_id_and_field_and_nothing_is_taken),
        CASE(a_document_has_a_bounded_size),
        cmocka_unit_test(the_page_on_the_format_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
