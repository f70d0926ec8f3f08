/*
 * Members: one value of YAML into the place that a table names.
 *
 * Every word is of a closed list or a declared purpose, every number bounded. What is wrong is
 * said with pack, line, rule and what would be right.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "policy/policy_private.h"

#define LIST_MAX 256u
#define COUNT_MAX UINT64_C(1000000000000)

/* In the order of their enums. */
const char *const pb_bind_names[] = { "everyone", "asker", "asker_state", "capture_state", NULL };
const char *const pb_purpose_class_names[] = { "criminal", "civil",     "safety", "oversight",
                                               "private",  "protected", NULL };
const char *const pb_agency_class_names[] = { "local", "state", "federal", "private", NULL };
const char *const pb_kind_names[] = { "plate",      "pattern", "place", "common",
                                      "associates", "subject", NULL };
const char *const pb_relation_names[] = { "unstated",  "subject", "victim", "witness",
                                          "associate", "other",   NULL };
const char *const pb_request_fields[] = { "person",        "plate",    "jurisdiction", "window",
                                          "area",          "purpose",  "offence",      "case",
                                          "justification", "relation", "identity",     NULL };
const char *const pb_visibility_names[] = { "owner", "group", "agency", NULL };
static const char *const beyond_names[] = { "deny", "second_person", "clip", "allow", NULL };

enum pb_status
pb_pack_wrong(const struct pb_pack_reader *reader, uint32_t line, const char *format, ...)
{
    char what[PB_ERROR_BYTES_MAX / 2] = "";
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (reader->rule_id.bytes == 0)
        return pb_fail(reader->error, PB_BAD_INPUT, "%.64s, line %u: %s", reader->file_name, line,
                       what);
    return pb_fail(reader->error, PB_BAD_INPUT, "%.64s, line %u: rule %.64s: %s", reader->file_name,
                   line, reader->rule_id.text, what);
}

int
pb_word_place(const char *const *words, struct pb_str word)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (pb_str_equal(pb_str_from(words[i]), word))
            return i;
    }
    return -1;
}

/* "a, b, c" for an error. */
static const char *
join(const char *const *words, char *text, size_t bytes)
{
    struct pb_text_out out = pb_text_out(text, bytes - 1);

    for (int i = 0; words[i] != NULL; i++) {
        if (i > 0)
            pb_put_text(&out, ", ");
        pb_put_text(&out, words[i]);
    }
    *out.at = '\0';
    return text;
}

static enum pb_status
read_choice(const struct pb_pack_reader *reader, const char *name, const struct pb_yaml *value,
            const char *const *words, int *ret_place)
{
    char known[200];
    int place = value->kind == PB_YAML_SCALAR ? pb_word_place(words, value->text) : -1;

    if (place < 0)
        return pb_pack_wrong(reader, value->line, "`%s` is one of: %s", name,
                             join(words, known, sizeof(known)));
    *ret_place = place;
    return PB_OK;
}

/* A list of words, or one word alone: items and their count. */
static enum pb_status
open_list(const struct pb_pack_reader *reader, const struct pb_member *member,
          const struct pb_yaml *value, const struct pb_yaml **ret_items, uint32_t *ret_count)
{
    *ret_items = value->kind == PB_YAML_LIST ? value->items : value;
    *ret_count = value->kind == PB_YAML_LIST ? value->count : 1;
    if (value->kind == PB_YAML_MAP || *ret_count == 0 || *ret_count > LIST_MAX)
        return pb_pack_wrong(reader, value->line, "`%s` is a list of 1 to %u words", member->name,
                             LIST_MAX);
    for (uint32_t i = 0; i < *ret_count; i++) {
        const struct pb_yaml *item = *ret_items + i;

        if (item->kind != PB_YAML_SCALAR || item->text.bytes == 0)
            return pb_pack_wrong(reader, item->line, "`%s` holds something that is no word",
                                 member->name);
    }
    return PB_OK;
}

static enum pb_status
read_mask(const struct pb_pack_reader *reader, const struct pb_member *member,
          const struct pb_yaml *value, const char *const *words, uint32_t *ret_mask)
{
    const struct pb_yaml *items;
    uint32_t count;
    enum pb_status status = open_list(reader, member, value, &items, &count);

    *ret_mask = 0;
    for (uint32_t i = 0; status == PB_OK && i < count; i++) {
        int place = 0;

        status = read_choice(reader, member->name, &items[i], words, &place);
        *ret_mask |= UINT32_C(1) << place;
    }
    return status;
}

static enum pb_status
read_words(const struct pb_pack_reader *reader, const struct pb_member *member,
           const struct pb_yaml *value, struct pb_words *ret_words)
{
    const struct pb_yaml *items;
    struct pb_str *words;
    uint32_t count;
    enum pb_status status = open_list(reader, member, value, &items, &count);

    if (status != PB_OK)
        return status;
    words = pb_arena_alloc(reader->arena, count * sizeof(*words));
    if (words == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        words[i] = items[i].text;
    *ret_words = (struct pb_words){ .at = words, .count = count };
    return PB_OK;
}

static enum pb_status
read_purposes(const struct pb_pack_reader *reader, const struct pb_member *member,
              const struct pb_yaml *value, struct pb_purpose_set *ret_set)
{
    const struct pb_yaml *items;
    uint32_t count;
    enum pb_status status = open_list(reader, member, value, &items, &count);

    *ret_set = (struct pb_purpose_set){ { 0 } };
    for (uint32_t i = 0; status == PB_OK && i < count; i++) {
        int number = pb_purpose_number(reader->rules, items[i].text);

        /* A misspelt purpose in a veto would never match. */
        if (number < 0)
            return pb_pack_wrong(reader, items[i].line, "no pack declares the purpose %.64s",
                                 items[i].text.text);
        pb_purpose_set_add(ret_set, (unsigned)number);
    }
    return status;
}

static enum pb_status
read_states(const struct pb_pack_reader *reader, const struct pb_member *member,
            const struct pb_yaml *value, struct pb_states *ret_states)
{
    const struct pb_yaml *items;
    uint16_t *states;
    uint32_t count;
    enum pb_status status = open_list(reader, member, value, &items, &count);

    if (status != PB_OK)
        return status;
    states = pb_arena_alloc(reader->arena, count * sizeof(*states));
    if (states == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        states[i] = pb_jurisdiction_from_text(items[i].text);
        if (states[i] == 0)
            return pb_pack_wrong(reader, items[i].line,
                                 "%.32s is no jurisdiction; write ISO 3166, as in US-CA",
                                 items[i].text.text);
    }
    *ret_states = (struct pb_states){ .at = states, .count = count };
    return PB_OK;
}

/* Digits, and for a number a fraction. */
static bool
read_decimal(struct pb_str text, bool takes_fraction, double *ret_number)
{
    double number = 0, unit = 1;
    bool is_fraction = false;

    if (text.bytes == 0 || text.bytes > 15)
        return false;
    for (uint32_t i = 0; i < text.bytes; i++) {
        char character = text.text[i];

        if (character == '.' && takes_fraction && !is_fraction && i > 0 && i + 1 < text.bytes) {
            is_fraction = true;
            continue;
        }
        if (character < '0' || character > '9')
            return false;
        number = number * 10 + (character - '0');
        unit = is_fraction ? unit * 10 : unit;
    }
    *ret_number = number / unit;
    return true;
}

static enum pb_status
read_count(const struct pb_pack_reader *reader, const struct pb_member *member,
           const struct pb_yaml *value, uint64_t *ret_count)
{
    double number;

    if (value->kind != PB_YAML_SCALAR || !read_decimal(value->text, false, &number) ||
        number > (double)COUNT_MAX)
        return pb_pack_wrong(reader, value->line, "`%s` is a whole number", member->name);
    *ret_count = (uint64_t)number;
    return PB_OK;
}

static enum pb_status
read_number(const struct pb_pack_reader *reader, const struct pb_member *member,
            const struct pb_yaml *value, double *ret_number)
{
    if (value->kind != PB_YAML_SCALAR || !read_decimal(value->text, true, ret_number) ||
        *ret_number <= 0)
        return pb_pack_wrong(reader, value->line, "`%s` is a number above 0", member->name);
    return PB_OK;
}

static enum pb_status
read_bool(const struct pb_pack_reader *reader, const struct pb_member *member,
          const struct pb_yaml *value, bool *ret_bool)
{
    static const char *const words[] = { "no", "yes", "false", "true", NULL };
    int place = 0;
    enum pb_status status = read_choice(reader, member->name, value, words, &place);

    *ret_bool = (place & 1) != 0;
    return status;
}

static enum pb_status
read_beyond(const struct pb_pack_reader *reader, const struct pb_member *member,
            const struct pb_yaml *value, enum pb_beyond *ret_beyond)
{
    int place = 0;
    enum pb_status status = read_choice(reader, member->name, value, beyond_names, &place);

    *ret_beyond = (enum pb_beyond)place;
    return status;
}

static enum pb_status
read_text(const struct pb_pack_reader *reader, const struct pb_member *member,
          const struct pb_yaml *value, struct pb_str *ret_text)
{
    if (value->kind != PB_YAML_SCALAR || value->text.bytes == 0 ||
        value->text.bytes > PB_CATALOG_TEXT_BYTES_MAX)
        return pb_pack_wrong(reader, value->line, "`%s` is a text of 1 to %u bytes", member->name,
                             PB_CATALOG_TEXT_BYTES_MAX);
    *ret_text = value->text;
    return PB_OK;
}

static enum pb_status
read_span(const struct pb_pack_reader *reader, const struct pb_member *member,
          const struct pb_yaml *value, struct pb_span *ret_span)
{
    if (value->kind != PB_YAML_SCALAR || pb_span_read(value->text, ret_span) != PB_OK)
        return pb_pack_wrong(reader, value->line,
                             "`%s` is a time as in \"3 minutes\", \"21 days\", \"30 months\", "
                             "\"5 years\" or \"forever\"",
                             member->name);
    return PB_OK;
}

static enum pb_status
read_time(const struct pb_pack_reader *reader, const struct pb_member *member,
          const struct pb_yaml *value, int64_t *ret_us)
{
    int16_t offset_min;

    if (value->kind != PB_YAML_SCALAR ||
        pb_time_parse_utc(value->text, ret_us, &offset_min) != PB_OK)
        return pb_pack_wrong(reader, value->line,
                             "`%s` is a time as in 2026-07-01 or 2026-07-01T12:00:00Z",
                             member->name);
    return PB_OK;
}

static enum pb_status
read_state(const struct pb_pack_reader *reader, const struct pb_member *member,
           const struct pb_yaml *value, uint16_t *ret_state)
{
    *ret_state = value->kind == PB_YAML_SCALAR ? pb_jurisdiction_from_text(value->text) : 0;
    if (*ret_state == 0)
        return pb_pack_wrong(reader, value->line, "`%s` is ISO 3166, as in US-CA", member->name);
    return PB_OK;
}

static enum pb_status
read_unsigned(const struct pb_pack_reader *reader, const struct pb_member *member,
              const struct pb_yaml *value, uint32_t *ret_number)
{
    uint64_t number = 0;
    enum pb_status status = read_count(reader, member, value, &number);

    if (status == PB_OK && number > INT32_MAX)
        return pb_pack_wrong(reader, value->line, "`%s` is too large", member->name);
    *ret_number = (uint32_t)number;
    return status;
}

/* Enumerations are as large as an unsigned: compiler flags that shrink them are not used here. */
static enum pb_status
read_word_of(const struct pb_pack_reader *reader, const struct pb_member *member,
             const struct pb_yaml *value, uint32_t *ret_place)
{
    int place = 0;
    enum pb_status status = read_choice(reader, member->name, value, member->words, &place);

    *ret_place = (uint32_t)place;
    return status;
}

static enum pb_status
read_any_text(const struct pb_pack_reader *reader, const struct pb_member *member,
              const struct pb_yaml *value, struct pb_str *ret_text)
{
    if (value->kind != PB_YAML_SCALAR)
        return pb_pack_wrong(reader, value->line, "`%s` is a text", member->name);
    *ret_text = value->text;
    return PB_OK;
}

static enum pb_status
read_words_or_none(const struct pb_pack_reader *reader, const struct pb_member *member,
                   const struct pb_yaml *value, struct pb_words *ret_words)
{
    *ret_words = (struct pb_words){ .at = NULL, .count = 0 };
    if (value->kind == PB_YAML_LIST && value->count == 0)
        return PB_OK;
    return read_words(reader, member, value, ret_words);
}

enum pb_status
pb_member_read(const struct pb_pack_reader *reader, const struct pb_member *member,
               const struct pb_yaml *value, void *target)
{
    switch (member->type) {
    case PB_MEMBER_TEXT:
    case PB_MEMBER_PATTERN:
        return read_text(reader, member, value, target);
    case PB_MEMBER_WORDS:
        return read_words(reader, member, value, target);
    case PB_MEMBER_PURPOSES:
        return read_purposes(reader, member, value, target);
    case PB_MEMBER_PURPOSE_CLASSES:
        return read_mask(reader, member, value, pb_purpose_class_names, target);
    case PB_MEMBER_AGENCY_CLASSES:
        return read_mask(reader, member, value, pb_agency_class_names, target);
    case PB_MEMBER_KINDS:
        return read_mask(reader, member, value, pb_kind_names, target);
    case PB_MEMBER_PLACES:
        return read_mask(reader, member, value, pb_place_kinds, target);
    case PB_MEMBER_RELATIONS:
        return read_mask(reader, member, value, pb_relation_names, target);
    case PB_MEMBER_FIELDS:
        return read_mask(reader, member, value, pb_request_fields, target);
    case PB_MEMBER_STATES:
        return read_states(reader, member, value, target);
    case PB_MEMBER_COUNT:
        return read_count(reader, member, value, target);
    case PB_MEMBER_NUMBER:
        return read_number(reader, member, value, target);
    case PB_MEMBER_SPAN:
        return read_span(reader, member, value, target);
    case PB_MEMBER_BOOL:
        return read_bool(reader, member, value, target);
    case PB_MEMBER_BEYOND:
        return read_beyond(reader, member, value, target);
    case PB_MEMBER_TIME:
        return read_time(reader, member, value, target);
    case PB_MEMBER_STATE:
        return read_state(reader, member, value, target);
    case PB_MEMBER_UNSIGNED:
        return read_unsigned(reader, member, value, target);
    case PB_MEMBER_WORD_OF:
        return read_word_of(reader, member, value, target);
    case PB_MEMBER_ANY_TEXT:
        return read_any_text(reader, member, value, target);
    default: /* PB_MEMBER_WORDS_OR_NONE */
        return read_words_or_none(reader, member, value, target);
    }
}

static bool
is_member(const struct pb_member *members, size_t count, struct pb_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (pb_str_equal(pb_str_from(members[i].name), name))
            return true;
    }
    return false;
}

enum pb_status
pb_keys_check(const struct pb_pack_reader *reader, const struct pb_yaml *map,
              const char *const *words, const struct pb_member *members, size_t count)
{
    if (map->kind != PB_YAML_MAP)
        return pb_pack_wrong(reader, map->line, "a map is wanted here");
    for (uint32_t i = 0; i < map->count; i++) {
        struct pb_str key = map->keys[i].text;

        if ((words == NULL || pb_word_place(words, key) < 0) && !is_member(members, count, key))
            return pb_pack_wrong(reader, map->keys[i].line, "`%.64s` means nothing here", key.text);
    }
    return PB_OK;
}

enum pb_status
pb_members_read(const struct pb_pack_reader *reader, const struct pb_member *members, size_t count,
                const struct pb_yaml *map, void *target, uint32_t *ret_given)
{
    for (size_t i = 0; i < count; i++) {
        const struct pb_yaml *value = pb_yaml_get(map, members[i].name);
        enum pb_status status;

        if (value == NULL && members[i].is_required)
            return pb_pack_wrong(reader, map->line, "`%s` is missing", members[i].name);
        if (value == NULL)
            continue;
        status =
            pb_member_read(reader, &members[i], value, (unsigned char *)target + members[i].offset);
        if (status != PB_OK)
            return status;
        *ret_given |= UINT32_C(1) << i;
    }
    return PB_OK;
}
