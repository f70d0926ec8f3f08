/*
 * Cases: every file of rules/cases, and that no shipped rule is without one at its edge.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/cases.h"
#include "policy/policy_private.h"

#define IDS_MAX 4096u
#define ID_BYTES_MAX 65u

/* Ids of rules that cases name, copied. */
struct ids {
    char at[IDS_MAX][ID_BYTES_MAX];
    size_t count;
};

struct fixture {
    struct pb_rules *rules;
    struct ids speaks, silent;
    unsigned passed, failed, files;
    const char *file;
};

static void
add_ids(struct ids *ids, const struct pb_str *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_true(ids->count < IDS_MAX && from[i].bytes < ID_BYTES_MAX);
        memcpy(ids->at[ids->count], from[i].text, from[i].bytes);
        ids->at[ids->count++][from[i].bytes] = '\0';
    }
}

static bool
has_id(const struct ids *ids, struct pb_str id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (strlen(ids->at[i]) == id.bytes && memcmp(ids->at[i], id.text, id.bytes) == 0)
            return true;
    }
    return false;
}

static bool
take_case(void *context, const struct pb_policy_case *result)
{
    struct fixture *fixture = context;

    if (!result->is_passed)
        print_error("%s:%u: %.*s: %.*s\n", fixture->file, result->line, (int)result->name.bytes,
                    result->name.text, (int)result->problem.bytes, result->problem.text);
    add_ids(&fixture->speaks, result->speaks, result->speaks_count);
    add_ids(&fixture->silent, result->silent, result->silent_count);
    return true;
}

static void
run_file(struct fixture *fixture, const char *name)
{
    struct pb_policy_case_counts counts;
    struct pb_error error = { { 0 } };
    char path[256];
    char *text = malloc(PB_CASES_BYTES_MAX);
    size_t bytes;
    FILE *file;

    assert_non_null(text);
    assert_true(snprintf(path, sizeof(path), "rules/cases/%s", name) < (int)sizeof(path));
    file = fopen(path, "rb");
    assert_non_null(file);
    bytes = fread(text, 1, PB_CASES_BYTES_MAX, file);
    (void)fclose(file);
    fixture->file = path;
    if (pb_policy_run_cases(pb_env_system(), fixture->rules, path,
                            (struct pb_str){ text, (uint32_t)bytes }, take_case, fixture, &counts,
                            &error) != PB_OK)
        fail_msg("%s", error.message);
    free(text);
    assert_true(counts.passed + counts.failed > 0);
    fixture->passed += counts.passed;
    fixture->failed += counts.failed;
    fixture->files++;
}

static int
set_up(void **state)
{
    static struct fixture fixture;
    struct pb_error error = { { 0 } };
    size_t count;
    const struct pb_pack_source *packs = pb_rules_shipped(&count);

    if (pb_rules_compile(pb_env_system(), packs, count, &fixture.rules, &error) != PB_OK) {
        print_error("%s\n", error.message);
        return -1;
    }
    *state = &fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    pb_rules_unref(fixture->rules);
    return 0;
}

static void
every_case_of_every_file_comes_out_as_expected(void **state)
{
    struct fixture *fixture = *state;
    DIR *folder = opendir("rules/cases");
    const struct dirent *entry;

    assert_non_null(folder);
    for (entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        size_t length = strlen(entry->d_name);

        if (length > 5 && strcmp(entry->d_name + length - 5, ".yaml") == 0)
            run_file(fixture, entry->d_name);
    }
    (void)closedir(folder);
    print_message("%u files, %u cases\n", fixture->files, fixture->passed + fixture->failed);
    assert_int_equal(0, fixture->failed);
}

/* Rules for people, and those that other calls read: their edges are in test_alerts.c. */
static bool
is_judged(const struct pb_rule *rule)
{
    static const char *const others[] = { "duty", "alert_list", "no_capture_zone",
                                          "log_retention" };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(rule->kind->name, others[i]) == 0)
            return false;
    }
    return true;
}

static void
every_shipped_rule_has_a_case_where_it_speaks_and_one_where_it_does_not(void **state)
{
    struct fixture *fixture = *state;
    unsigned missing = 0;

    for (uint32_t i = 0; i < fixture->rules->pack_count; i++) {
        const struct pb_pack *pack = &fixture->rules->packs[i];

        for (uint32_t j = 0; j < pack->rule_count; j++) {
            const struct pb_rule *rule = &pack->rules[j];
            bool speaks = has_id(&fixture->speaks, rule->id);
            bool silent = has_id(&fixture->silent, rule->id);

            if (!is_judged(rule) || (speaks && silent))
                continue;
            print_error("%.*s: no case where it %s\n", (int)rule->id.bytes, rule->id.text,
                        speaks ? "is silent" : "speaks");
            missing++;
        }
    }
    assert_int_equal(0, missing);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_of_every_file_comes_out_as_expected),
        cmocka_unit_test(every_shipped_rule_has_a_case_where_it_speaks_and_one_where_it_does_not),
    };

    return cmocka_run_group_tests_name("policy/cases", tests, set_up, tear_down);
}
