/*
 * Fields: text to canonical value and back, one pair of functions a kind.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "catalog/catalog_private.h"

#define DEGREE_DECIMALS 7u
#define NONE (-1) /* of PB_FIELD_NUMBER_OR_NONE */

bool
pb_kind_is_number(enum pb_field_kind kind)
{
    switch (kind) {
    case PB_FIELD_BOOL:
    case PB_FIELD_NUMBER:
    case PB_FIELD_NUMBER_OR_NONE:
    case PB_FIELD_TIME:
    case PB_FIELD_DEGREES:
        return true;
    default:
        return false;
    }
}

bool
pb_value_equal(const struct pb_value *a, const struct pb_value *b)
{
    if (a->is_set != b->is_set)
        return false;
    return !a->is_set || (a->number == b->number && pb_str_equal(a->text, b->text));
}

enum pb_status
pb_copy_text(struct pb_arena *arena, struct pb_str text, struct pb_str *ret_copy)
{
    char *copy = pb_arena_alloc(arena, (size_t)text.bytes + 1);

    if (copy == NULL)
        return PB_E_NOMEM;
    if (text.bytes > 0)
        memcpy(copy, text.text, text.bytes);
    copy[text.bytes] = '\0';
    *ret_copy = (struct pb_str){ .text = copy, .bytes = text.bytes };
    return PB_OK;
}

/* ---- what text may hold ---- */

static bool
is_letter_or_digit(char character)
{
    return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
           (character >= 'a' && character <= 'z');
}

bool
pb_catalog_is_id(struct pb_str text)
{
    static const char marks[] = { '.', '_', ':', '-' };

    if (text.bytes == 0 || text.bytes > PB_CATALOG_ID_BYTES_MAX || !is_letter_or_digit(*text.text))
        return false;
    for (uint32_t i = 1; i < text.bytes; i++) {
        if (!is_letter_or_digit(text.text[i]) && memchr(marks, text.text[i], sizeof(marks)) == NULL)
            return false;
    }
    return true;
}

static bool
is_name(struct pb_str text)
{
    return text.bytes > 0 && text.bytes <= PB_CATALOG_ID_BYTES_MAX && pb_text_is_plain(text) &&
           memchr(text.text, ',', text.bytes) == NULL;
}

bool
pb_list_next(struct pb_str *list, struct pb_str *ret_item)
{
    const char *comma;
    uint32_t bytes;

    if (list->bytes == 0)
        return false;
    comma = memchr(list->text, ',', list->bytes);
    bytes = comma == NULL ? list->bytes : (uint32_t)(comma - list->text);
    *ret_item = pb_str_trim((struct pb_str){ .text = list->text, .bytes = bytes });
    /* A closing comma leaves an empty item behind, which is then refused. */
    if (comma != NULL && bytes + 1 == list->bytes)
        *list = (struct pb_str){ .text = " ", .bytes = 1 };
    else
        *list = (struct pb_str){
            .text = list->text + bytes + (comma != NULL),
            .bytes = list->bytes - bytes - (comma != NULL),
        };
    return true;
}

/* ---- kinds: each parse function is told a text of at least one byte, within the limits ---- */

struct parser {
    struct pb_arena *arena;
    const struct pb_field *field;
    int64_t now_us;
    struct pb_error *error;
};

static enum pb_status
parse_text(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    return pb_copy_text(parser->arena, text, &value->text);
}

static enum pb_status
parse_id(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    if (!pb_catalog_is_id(text))
        return pb_fail(parser->error, PB_BAD_INPUT,
                       "must be letters, digits and . _ : - and begin with a letter or digit, at "
                       "most %u",
                       PB_CATALOG_ID_BYTES_MAX);
    return pb_copy_text(parser->arena, text, &value->text);
}

static enum pb_status
parse_name(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    if (!is_name(text))
        return pb_fail(parser->error, PB_BAD_INPUT, "must be at most %u bytes and hold no comma",
                       PB_CATALOG_ID_BYTES_MAX);
    return pb_copy_text(parser->arena, text, &value->text);
}

static enum pb_status
fail_choice(const struct parser *parser, const char *before)
{
    char words[256];
    struct pb_text_out out = pb_text_out(words, sizeof(words) - 1);

    for (const char *const *choice = parser->field->choices; *choice != NULL; choice++) {
        pb_put_text(&out, choice == parser->field->choices ? "" : ", ");
        pb_put_text(&out, *choice);
    }
    *out.at = '\0';
    return pb_fail(parser->error, PB_BAD_INPUT, "%s %s", before, words);
}

static enum pb_status
parse_choice(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    int index = pb_choice_index(parser->field->choices, text);

    if (index < 0)
        return fail_choice(parser, "must be one of");
    value->text = pb_str_from(parser->field->choices[index]);
    return PB_OK;
}

static bool
is_in_list(struct pb_str list, struct pb_str item)
{
    struct pb_str other;

    while (pb_list_next(&list, &other)) {
        if (pb_str_equal(other, item))
            return true;
    }
    return false;
}

static enum pb_status
check_item(const struct parser *parser, struct pb_str item)
{
    if (parser->field->kind == PB_FIELD_CHOICES)
        return pb_choice_index(parser->field->choices, item) >= 0
                   ? PB_OK
                   : fail_choice(parser, "must be some of, with commas between:");
    if (!is_name(item))
        return pb_fail(parser->error, PB_BAD_INPUT,
                       "must be names of at most %u bytes, with commas between",
                       PB_CATALOG_ID_BYTES_MAX);
    return PB_OK;
}

/* Both kinds of lists: joined by single commas, in the order given, each once. */
static enum pb_status
parse_list(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    char *list = pb_arena_alloc(parser->arena, (size_t)text.bytes + 2);
    struct pb_str item;
    uint32_t bytes = 0;

    if (list == NULL)
        return PB_E_NOMEM;
    while (pb_list_next(&text, &item)) {
        enum pb_status status = check_item(parser, item);

        if (status != PB_OK)
            return status;
        if (is_in_list((struct pb_str){ list, bytes }, item))
            return pb_fail(parser->error, PB_BAD_INPUT, "names the same twice");
        if (bytes > 0)
            list[bytes++] = ',';
        memcpy(list + bytes, item.text, item.bytes);
        bytes += item.bytes;
    }
    list[bytes] = '\0';
    value->text = (struct pb_str){ .text = list, .bytes = bytes };
    return PB_OK;
}

static enum pb_status
parse_bool(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    static const char *const words[] = { "no", "yes", "false", "true", NULL };
    int index = pb_choice_index(words, text);

    if (index < 0)
        return pb_fail(parser->error, PB_BAD_INPUT, "must be yes or no");
    value->number = index % 2;
    return PB_OK;
}

bool
pb_decimal_read(struct pb_str text, unsigned decimals, int64_t *ret_number)
{
    bool is_negative = text.bytes > 0 && *text.text == '-', has_point = false;
    unsigned digits = 0, after = 0;
    int64_t number = 0;

    for (uint32_t i = is_negative; i < text.bytes; i++) {
        char character = text.text[i];

        if (character == '.' && !has_point && decimals > 0 && digits > 0) {
            has_point = true;
            continue;
        }
        if (character < '0' || character > '9' || ++digits > 18)
            return false;
        if (!has_point || after < decimals)
            number = number * 10 + (character - '0');
        after += has_point;
    }
    if (digits == 0 || (has_point && after == 0))
        return false;
    for (; after < decimals; after++) {
        if (number > INT64_MAX / 10)
            return false;
        number *= 10;
    }
    *ret_number = is_negative ? -number : number;
    return true;
}

static enum pb_status
parse_number(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    const struct pb_field *field = parser->field;

    if (pb_decimal_read(text, 0, &value->number) && value->number >= field->number_min &&
        value->number <= field->number_max)
        return PB_OK;
    return pb_fail(parser->error, PB_BAD_INPUT, "must be a whole number from %lld to %lld",
                   (long long)field->number_min, (long long)field->number_max);
}

static enum pb_status
parse_number_or_none(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    const struct pb_field *field = parser->field;

    assert(field->number_min >= 0);
    if (pb_str_equal(text, pb_str_from("none"))) {
        value->number = NONE;
        return PB_OK;
    }
    if (parse_number(parser, text, value) == PB_OK)
        return PB_OK;
    return pb_fail(parser->error, PB_BAD_INPUT, "must be a whole number from %lld to %lld, or none",
                   (long long)field->number_min, (long long)field->number_max);
}

static enum pb_status
parse_time(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    int16_t offset_min;

    if (pb_str_equal(text, pb_str_from("now"))) {
        value->number = parser->now_us;
        return PB_OK;
    }
    if (pb_time_parse_utc(text, &value->number, &offset_min) == PB_OK)
        return PB_OK;
    return pb_fail(parser->error, PB_BAD_INPUT,
                   "must be a date or time such as 2027-06-30 or 2027-06-30T08:00:00-05:00");
}

static enum pb_status
parse_jurisdiction(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    uint16_t number = pb_jurisdiction_from_text(text);

    if (number == 0)
        return pb_fail(parser->error, PB_BAD_INPUT, "must be a state or country such as US-KS");
    value->text = pb_str_from(pb_jurisdiction_name(number));
    return PB_OK;
}

static enum pb_status
parse_degrees(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    const struct pb_field *field = parser->field;

    if (pb_decimal_read(text, DEGREE_DECIMALS, &value->number) &&
        value->number >= field->number_min && value->number <= field->number_max)
        return PB_OK;
    return pb_fail(parser->error, PB_BAD_INPUT, "must be degrees from %lld to %lld",
                   (long long)(field->number_min / 10000000),
                   (long long)(field->number_max / 10000000));
}

static enum pb_status
parse_plate(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    char plate[PB_PLATE_BYTES_MAX];
    uint32_t bytes;

    if (text.bytes > PB_PLATE_RAW_BYTES_MAX || pb_plate_fold(text, plate, &bytes) != PB_OK ||
        memchr(plate, '#', bytes) != NULL)
        return pb_fail(parser->error, PB_BAD_INPUT, "must be one plate, without wildcards");
    return pb_copy_text(parser->arena, (struct pb_str){ plate, bytes }, &value->text);
}

static enum pb_status
parse_sha256(const struct parser *parser, struct pb_str text, struct pb_value *value)
{
    static const char digits[] = "0123456789abcdef";
    char lower[64];

    for (uint32_t i = 0; text.bytes == 64 && i < 64; i++) {
        char character = text.text[i];

        lower[i] = character >= 'A' && character <= 'F' ? (char)(character - 'A' + 'a') : character;
        if (memchr(digits, lower[i], 16) == NULL)
            text.bytes = 0;
    }
    if (text.bytes != 64)
        return pb_fail(parser->error, PB_BAD_INPUT, "must be 64 hexadecimal digits");
    return pb_copy_text(parser->arena, (struct pb_str){ lower, 64 }, &value->text);
}

enum pb_status
pb_field_parse(struct pb_arena *arena, const struct pb_field *field, struct pb_str text,
               int64_t now_us, struct pb_value *ret_value, struct pb_error *error)
{
    static enum pb_status (*const parse[])(const struct parser *, struct pb_str,
                                           struct pb_value *) = {
        [PB_FIELD_TEXT] = parse_text,
        [PB_FIELD_ID] = parse_id,
        [PB_FIELD_NAME] = parse_name,
        [PB_FIELD_CHOICE] = parse_choice,
        [PB_FIELD_CHOICES] = parse_list,
        [PB_FIELD_LIST] = parse_list,
        [PB_FIELD_BOOL] = parse_bool,
        [PB_FIELD_NUMBER] = parse_number,
        [PB_FIELD_NUMBER_OR_NONE] = parse_number_or_none,
        [PB_FIELD_TIME] = parse_time,
        [PB_FIELD_JURISDICTION] = parse_jurisdiction,
        [PB_FIELD_DEGREES] = parse_degrees,
        [PB_FIELD_PLATE] = parse_plate,
        [PB_FIELD_SHA256] = parse_sha256,
    };
    struct parser parser = { arena, field, now_us, error };
    uint32_t bytes_max =
        field->kind == PB_FIELD_LIST ? PB_CATALOG_LIST_BYTES_MAX : PB_CATALOG_TEXT_BYTES_MAX;

    *ret_value = (struct pb_value){ .is_set = false };
    text = pb_str_trim(text);
    if (text.bytes == 0)
        return PB_OK;
    if (text.bytes > bytes_max)
        return pb_fail(error, PB_BAD_INPUT, "must be at most %u bytes", bytes_max);
    if (!pb_text_is_plain(text))
        return pb_fail(error, PB_BAD_INPUT,
                       "must be UTF-8 without control characters and direction overrides");
    ret_value->is_set = true;
    return parse[field->kind](&parser, text, ret_value);
}

/* ---- back to text ---- */

static size_t
format_number(const struct pb_field *field, int64_t number, char *text, size_t room)
{
    struct pb_text_out out = pb_text_out(text, room - 1);

    if (field->kind == PB_FIELD_BOOL)
        pb_put_text(&out, number != 0 ? "yes" : "no");
    else if (field->kind == PB_FIELD_NUMBER_OR_NONE && number == NONE)
        pb_put_text(&out, "none");
    else if (field->kind == PB_FIELD_DEGREES)
        pb_put_fixed(&out, number, DEGREE_DECIMALS, 0);
    else
        pb_put_i64(&out, number);
    assert(!out.is_cut);
    *out.at = '\0';
    return (size_t)(out.at - text);
}

enum pb_status
pb_field_format(struct pb_arena *arena, const struct pb_field *field, const struct pb_value *value,
                const char **ret_text)
{
    char text[PB_TIME_BYTES_MAX];
    struct pb_str copy;
    size_t bytes;
    enum pb_status status;

    *ret_text = NULL;
    if (!value->is_set)
        return PB_OK;
    if (!pb_kind_is_number(field->kind)) {
        *ret_text = value->text.text;
        return PB_OK;
    }
    bytes = field->kind == PB_FIELD_TIME ? pb_time_format(value->number, 0, text)
                                         : format_number(field, value->number, text, sizeof(text));
    status = pb_copy_text(arena, (struct pb_str){ text, (uint32_t)bytes }, &copy);
    if (status == PB_OK)
        *ret_text = copy.text;
    return status;
}
