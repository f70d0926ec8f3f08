/*
 * The command line: records of the catalog, one by one and all at once.
 */
#include "cli/command.h"

#include "catalog/catalog.h"

static const char hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/* A data directory with one record of each entity, each added by its command. */
static void
make_catalog(struct command *command)
{
    const char *const adds[][24] = {
        { "agency", "add", "ks", "--name", "Example County Sheriff", "--class", "local",
          "--jurisdiction", "US-KS", "--contributes", "yes", "--retention-days", "180", "--packs",
          "us-ks,pia-039" },
        { "agency", "add", "fed", "--name", "Example Bureau", "--class", "federal",
          "--jurisdiction", "US" },
        { "person", "add", "ks.doe", "--agency", "ks", "--name", "J. Doe", "--role", "analyst",
          "--status", "active", "--permissions", "pattern,place" },
        { "reader", "add", "car 2", "--agency", "ks", "--lat", "39.1", "--lon", "-94.6",
          "--capture-state", "us-ks", "--kind", "mobile" },
        { "offence", "add", "o-1", "--title", "Murder", "--jurisdiction", "US-KS", "--class",
          "felony", "--limitation-years", "none" },
        { "case", "add", "ks:2026/1", "--offence", "o-1", "--verified", "yes" },
        { "agreement", "add", "a-1", "--owner", "ks", "--asker", "fed", "--purposes", "criminal",
          "--readers", "car 2", "--starts-at", "2026-01-01", "--ends-at", "2027-01-01" },
        { "declaration", "add", "d-1", "--agency", "fed", "--jurisdiction", "US-IL", "--subject",
          "s", "--signer", "C", "--text-sha256", hash, "--signed-at", "2026-01-01", "--expires-at",
          "2027-01-01" },
        { "hold", "add", "h-1", "--agency", "ks", "--case", "ks:2026/1", "--authority",
          "court-order", "--facts", "an order", "--plate", "ab-1", "--from", "2026-01-01", "--to",
          "2026-02-01", "--expires-at", "now" },
    };

    (void)setenv("PLATEBASE_DATA", "site", 1);
    run(command, "init", "--bare", "--quiet", "site", NULL);
    expect_exit(command, 0);
    for (size_t i = 0; i < sizeof(adds) / sizeof(adds[0]); i++) {
        wait_for(command, start_with(NULL, -1, -1, -1, adds[i]));
        expect_exit(command, 0);
        expect_text(command->err, "added");
    }
}

static int
leave(void **state)
{
    (void)unsetenv("PLATEBASE_DATA");
    return command_teardown(state);
}

static json_t *
shown(struct command *command, const char *entity, const char *id)
{
    run(command, entity, "show", id, "--json", NULL);
    expect_exit(command, 0);
    return out_object(command);
}

static void
what_is_added_is_shown(void **state)
{
    struct command *command = *state;
    json_t *object;

    make_catalog(command);
    object = shown(command, "agency", "ks");
    assert_string_equal("Example County Sheriff", text_of(object, "name"));
    assert_true(json_is_true(json_object_get(object, "contributes")));
    assert_int_equal(180, number_of(object, "retention_days"));
    assert_int_equal(2, json_array_size(json_object_get(object, "packs")));
    assert_null(json_object_get(object, "contact"));
    json_decref(object);
    object = shown(command, "reader", "car 2");
    assert_true(json_is_real(json_object_get(object, "lat")));
    assert_string_equal("US-KS", text_of(object, "capture_state"));
    json_decref(object);
    object = shown(command, "offence", "o-1");
    assert_string_equal("none", text_of(object, "limitation_years"));
    json_decref(object);
    object = shown(command, "hold", "h-1");
    assert_string_equal("AB1", text_of(object, "plate"));
    assert_string_equal("2026-01-01T00:00:00.000Z", text_of(object, "from"));
    json_decref(object);
    run(command, "person", "show", "ks.doe", NULL);
    expect_text(command->out, "permissions           pattern,place\n");
    expect_no_text(command->out, "contact");
}

static void
every_entity_is_listed_and_explained(void **state)
{
    struct command *command = *state;
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);

    make_catalog(command);
    for (size_t i = 0; i < count; i++) {
        const struct pb_entity *entity = &entities[i];
        json_t *lines;

        run(command, entity->name, "list", "--json", NULL);
        expect_exit(command, 0);
        lines = json_lines(command->out);
        assert_int_equal(i == 0 ? 2 : 1, json_array_size(lines));
        json_decref(lines);
        run(command, entity->name, "list", NULL);
        expect_exit(command, 0);
        expect_text(command->out, "ID ");
        run(command, entity->name, "add", "--help", NULL);
        expect_exit(command, 0);
        for (unsigned j = 1; j < entity->field_count; j++) {
            char option[64];

            (void)snprintf(option, sizeof(option), "--%s ", entity->fields[j].name);
            for (char *at = option; *at != '\0'; at++)
                *at = *at == '_' ? '-' : *at;
            expect_text(command->out, option);
        }
    }
}

/* A page has each option of its command. */
static void
the_pages_name_every_option(void **state)
{
    const char *source = getenv("PB_SOURCE_DIR");
    size_t count;
    const struct pb_entity *entities = pb_catalog_entities(&count);

    (void)state;
    assert_non_null(source);
    for (size_t i = 0; i < count; i++) {
        char path[1024], option[64], *page;

        (void)snprintf(path, sizeof(path), "%s/docs/man/platebase-%s.1", source, entities[i].name);
        page = file_text(path, NULL);
        for (unsigned j = 1; j < entities[i].field_count; j++) {
            (void)snprintf(option, sizeof(option), ".It Fl Fl %s Ar ", entities[i].fields[j].name);
            for (char *at = option; *at != '\0'; at++)
                *at = *at == '_' ? '-' : *at;
            expect_text(page, option);
        }
        free(page);
    }
}

static void
a_list_can_be_narrowed(void **state)
{
    struct command *command = *state;

    make_catalog(command);
    run(command, "agency", "list", "--class", "federal", NULL);
    expect_text(command->out, "fed");
    expect_no_text(command->out, "Sheriff");
    run(command, "agency", "list", "--packs", "pia-039", "--contributes", "yes", NULL);
    expect_text(command->out, "Sheriff");
    expect_no_text(command->out, "Bureau");
    run(command, "agency", "list", "--packs", "pia", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "no agencies");
    run(command, "person", "list", "--agency", "nobody", "--json", NULL);
    expect_exit(command, 0);
    assert_string_equal("", command->out);
}

static void
a_change_leaves_the_rest_and_clears_what_is_named(void **state)
{
    struct command *command = *state;
    json_t *object;

    make_catalog(command);
    run(command, "agency", "change", "ks", "--contact", "desk", "--name", "Renamed", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "agency ks changed");
    object = shown(command, "agency", "ks");
    assert_string_equal("desk", text_of(object, "contact"));
    assert_string_equal("Renamed", text_of(object, "name"));
    assert_int_equal(180, number_of(object, "retention_days"));
    json_decref(object);
    run(command, "agency", "change", "ks", "--clear", "retention-days,contact", "--quiet", NULL);
    expect_exit(command, 0);
    assert_string_equal("", command->err);
    object = shown(command, "agency", "ks");
    assert_null(json_object_get(object, "contact"));
    assert_null(json_object_get(object, "retention_days"));
    json_decref(object);
}

static void
what_is_wrong_is_refused_in_words(void **state)
{
    static const struct {
        const char *arguments[8];
        int exit_code;
        const char *message;
    } cases[] = {
        { { "agency" }, 2, "say which of its commands" },
        { { "agency", "lst" }, 2, "did you mean 'list'?" },
        { { "agency", "add", "x" }, 2, "--name is missing" },
        { { "agency", "show", "nobody" }, 1, "there is no agency 'nobody'" },
        { { "agency", "change", "nobody", "--contact", "c" }, 1, "there is no agency nobody" },
        { { "agency", "change", "ks" }, 2, "nothing to change" },
        { { "agency", "change", "ks", "--contributes", "no" }, 2, "unknown option" },
        { { "agency", "change", "ks", "--clear", "nothing" }, 2, "there is no field 'nothing'" },
        { { "agency", "change", "ks", "--clear", "id" }, 2, "there is no field 'id'" },
        { { "agency", "change", "ks", "--contact", "c", "--clear", "contact" }, 2, "given, too" },
        { { "agency", "change", "ks", "--clear", "name" }, 2, "name: must be given" },
        { { "agency", "change", "ks", "--retention-days", "0" }, 2, "must be a whole number" },
        { { "agency", "change", "ks", "--name", "a\x1b[2J" }, 2, "without control characters" },
        { { "agency", "change", "ks", "--contact", "c", "--person", "ks.doe" }, 3, "may not" },
        { { "agency", "remove", "ks" }, 1, "is referred to by person ks.doe" },
        { { "agency", "remove", "fed" }, 1, "is referred to by agreement a-1" },
        { { "person", "remove", "ks.doe" }, 1, "set its status to closed" },
        { { "reader", "change", "car 2", "--lat", "91" }, 2, "degrees from -90 to 90" },
        { { "case", "remove", "ks:2026/1" }, 1, "is referred to by hold h-1" },
        { { "catalog" }, 2, "say which of its commands" },
        { { "catalog", "import", "missing.yaml" }, 1, "missing.yaml" },
        { { "agency", "list", "--data", "elsewhere" }, 1, "elsewhere" },
    };
    struct command *command = *state;

    make_catalog(command);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wait_for(command, start_with(NULL, -1, -1, -1, cases[i].arguments));
        expect_exit(command, cases[i].exit_code);
        expect_text(command->err, cases[i].message);
        expect_no_text(command->err, "\x1b");
    }
}

static void
what_nothing_refers_to_is_removed(void **state)
{
    struct command *command = *state;

    make_catalog(command);
    run(command, "hold", "remove", "h-1", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "hold h-1 removed");
    run(command, "hold", "list", NULL);
    expect_text(command->err, "no holds");
    run(command, "case", "remove", "ks:2026/1", "--quiet", NULL);
    expect_exit(command, 0);
    run(command, "hold", "remove", "h-1", NULL);
    expect_exit(command, 1);
}

static void
a_catalog_goes_out_and_into_another_directory(void **state)
{
    struct command *command = *state;
    char *text;

    make_catalog(command);
    run(command, "catalog", "export", NULL);
    expect_exit(command, 0);
    text = strdup(command->out);
    assert_non_null(text);
    write_text("catalog.yaml", text);
    run(command, "init", "--bare", "--quiet", "other", NULL);
    run(command, "catalog", "import", "--data", "other", "catalog.yaml", NULL);
    expect_exit(command, 0);
    expect_text(command->err, "9 added, 0 changed, 0 as they were");
    run(command, "catalog", "export", "--data", "other", NULL);
    assert_string_equal(text, command->out);
    run(command, "catalog", "import", "--data", "other", "catalog.yaml", NULL);
    expect_text(command->err, "0 added, 0 changed, 9 as they were");
    free(text);

    write_text("bad.yaml", "agencies:\n  - id: ks\n    name: New\n  - id: x\n    class: city\n");
    run(command, "catalog", "import", "--data", "other", "bad.yaml", NULL);
    expect_exit(command, 2);
    expect_text(command->err, "line 5: agency x: class: must be one of");
    run(command, "agency", "list", "--data", "other", NULL);
    expect_no_text(command->out, "New");
}

/* Every change has its entry, and the logs still check. */
static void
changes_are_on_record(void **state)
{
    struct command *command = *state;

    make_catalog(command);
    run(command, "audit", "verify", "--data", "site", NULL);
    expect_exit(command, 0);
    expect_text(command->out, "site/audit/public/ks: good");
    expect_no_text(command->out, "ks: good\n  0 entries");
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, command_setup, leave)
    const struct CMUnitTest tests[] = {
        CASE(what_is_added_is_shown),
        CASE(every_entity_is_listed_and_explained),
        CASE(the_pages_name_every_option),
        CASE(a_list_can_be_narrowed),
        CASE(a_change_leaves_the_rest_and_clears_what_is_named),
        CASE(what_is_wrong_is_refused_in_words),
        CASE(what_nothing_refers_to_is_removed),
        CASE(a_catalog_goes_out_and_into_another_directory),
        CASE(changes_are_on_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
