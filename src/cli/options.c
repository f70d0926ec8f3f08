/*
 * Options: from the table to getopt_long, and from the same table to --help.
 */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "base/time.h"

/* getopt's answers must not collide with ':' and '?'. */
#define FIRST_VALUE 1000
#define HELP_VALUE 999

#define HELP_COLUMN 26
#define HELP_WIDTH 96

void
pb_cli_usage_init(struct pb_cli_usage *usage, const char *arguments, unsigned arguments_min,
                  unsigned arguments_max, const char *text)
{
    assert(arguments_min <= arguments_max);
    usage->arguments = arguments;
    usage->arguments_min = arguments_min;
    usage->arguments_max = arguments_max;
    usage->text = text;
    usage->option_count = 0;
}

void
pb_cli_usage_add(struct pb_cli_usage *usage, const struct pb_cli_option *options, unsigned count)
{
    assert(count <= PB_CLI_OPTIONS_MAX - usage->option_count);
    for (unsigned i = 0; i < count; i++)
        usage->options[usage->option_count++] = options[i];
}

void
pb_cli_usage_add_data(struct pb_cli_usage *usage, const char **data)
{
    const struct pb_cli_option option = {
        .name = "data",
        .placeholder = "DIR",
        .help = "data directory; or set PLATEBASE_DATA",
        .is_required = true,
        .example = "/var/lib/platebase",
        .environment = "PLATEBASE_DATA",
        .text = data,
    };

    pb_cli_usage_add(usage, &option, 1);
}

/* ---- single values ---- */

bool
pb_cli_number(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)(unsigned char)*text - '0';

        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

bool
pb_cli_real(const char *text, double *ret_real)
{
    char *end = NULL;
    double real;

    if (*text == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    errno = 0;
    real = strtod(text, &end);
    if (*end != '\0' || errno == ERANGE || !isfinite(real))
        return false;
    *ret_real = real;
    return true;
}

bool
pb_cli_degrees(const char *text, double limit, int32_t *ret_e7)
{
    double degrees;

    if (!pb_cli_real(text, &degrees) || degrees < -limit || degrees > limit)
        return false;
    *ret_e7 = (int32_t)lround(degrees * 1e7);
    return true;
}

bool
pb_cli_jurisdiction(const struct pb_cli *cli, const char *option, const char *text,
                    uint16_t *ret_jurisdiction)
{
    *ret_jurisdiction = text == NULL ? 0 : pb_jurisdiction_from_text(pb_str_from(text));
    if (text == NULL || *ret_jurisdiction != 0)
        return true;
    (void)pb_cli_usage_error(cli,
                             "--%s: '%s' is not an ISO 3166 code that is known: "
                             "give a state as US-CA or a country as DE",
                             option, text);
    return false;
}

static bool
parse_size(const char *text, uint64_t *ret_bytes)
{
    static const char units[] = "KMGT";
    char digits[32];
    size_t length = strlen(text);
    unsigned shift = 0;
    const char *unit;
    uint64_t number;

    if (length > 1 && text[length - 1] == 'B')
        length--;
    if (length > 2 && text[length - 1] == 'i')
        length--;
    unit = length > 1 ? strchr(units, text[length - 1]) : NULL;
    if (unit != NULL) {
        shift = 10u * (unsigned)(unit - units + 1);
        length--;
    }
    if (length == 0 || length >= sizeof(digits))
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (!pb_cli_number(digits, &number) || number > UINT64_MAX >> shift)
        return false;
    *ret_bytes = number << shift;
    return true;
}

unsigned
pb_cli_word_distance(const char *a, const char *b, unsigned most)
{
    unsigned row[64];
    size_t a_bytes = strlen(a), b_bytes = strlen(b);

    if (a_bytes >= 64 || b_bytes >= 64)
        return most + 1;
    for (size_t j = 0; j <= b_bytes; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_bytes; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_bytes; j++) {
            unsigned least = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);

            diagonal = row[j];
            if (row[j] + 1 < least)
                least = row[j] + 1;
            if (row[j - 1] + 1 < least)
                least = row[j - 1] + 1;
            row[j] = least;
        }
    }
    return row[b_bytes] <= most ? row[b_bytes] : most + 1;
}

/* ---- values of options ---- */

static int
choice_index(const char *const *choices, const char *text)
{
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], text) == 0)
            return i;
    }
    return -1;
}

static bool
refuse_choice(const struct pb_cli *cli, const struct pb_cli_option *option, const char *value)
{
    char buffer[256];
    struct pb_text_out list = pb_text_out(buffer, sizeof(buffer) - 1);

    for (int i = 0; option->choices[i] != NULL; i++) {
        if (i > 0)
            pb_put_text(&list, ", ");
        pb_put_text(&list, option->choices[i]);
    }
    *list.at = '\0';
    (void)pb_cli_usage_error(cli, "--%s: '%s' is not one of %s", option->name, value, buffer);
    return false;
}

/* Sets the option's value; says what is wrong with it and returns false where it is not one. */
static bool
set_value(const struct pb_cli *cli, const struct pb_cli_option *option, const char *value)
{
    const char *name = option->name;
    bool is_right = true;

    if (option->text != NULL) {
        *option->text = value;
        is_right = *value != '\0';
        if (!is_right)
            (void)pb_cli_usage_error(cli, "--%s is empty: give a value, or leave it out", name);
    } else if (option->texts != NULL) {
        is_right = *value != '\0' && option->texts->count < PB_CLI_TEXTS_MAX;
        if (is_right)
            option->texts->items[option->texts->count++] = value;
        else
            (void)pb_cli_usage_error(cli, "--%s: a value is empty, or there are more than %u", name,
                                     PB_CLI_TEXTS_MAX);
    } else if (option->number != NULL) {
        is_right = pb_cli_number(value, option->number) && *option->number >= option->number_min &&
                   *option->number <= option->number_max;
        if (!is_right)
            (void)pb_cli_usage_error(cli,
                                     "--%s: '%s' is not a whole number from %" PRIu64
                                     " to %" PRIu64,
                                     name, value, option->number_min, option->number_max);
    } else if (option->size != NULL) {
        is_right = parse_size(value, option->size) && *option->size >= option->number_min &&
                   *option->size <= option->number_max;
        if (!is_right)
            (void)pb_cli_usage_error(cli,
                                     "--%s: '%s' is not a size such as 512M or 2G, at least "
                                     "%" PRIu64 " bytes",
                                     name, value, option->number_min);
    } else if (option->real != NULL) {
        is_right = pb_cli_real(value, option->real) && *option->real >= option->real_min &&
                   *option->real <= option->real_max;
        if (!is_right)
            (void)pb_cli_usage_error(cli, "--%s: '%s' is not a number from %g to %g", name, value,
                                     option->real_min, option->real_max);
    } else if (option->degrees_e7 != NULL) {
        is_right = pb_cli_degrees(value, option->real_max, option->degrees_e7);
        if (!is_right)
            (void)pb_cli_usage_error(cli, "--%s: '%s' is not a number of degrees from %g to %g",
                                     name, value, -option->real_max, option->real_max);
    } else if (option->time_us != NULL) {
        int16_t offset_min;

        is_right = pb_time_parse_utc(pb_str_from(value), option->time_us, &offset_min) == PB_OK;
        if (!is_right)
            (void)pb_cli_usage_error(cli,
                                     "--%s: '%s' is not a time from 1970 to 2199: give a date "
                                     "(2026-03-08), a date and time (2026-03-08T14:00:00+01:00) "
                                     "or milliseconds since 1970",
                                     name, value);
    } else {
        assert(option->choice != NULL);
        *option->choice = choice_index(option->choices, value);
        is_right = *option->choice >= 0 || refuse_choice(cli, option, value);
    }
    return is_right;
}

/* ---- help ---- */

static void
put_spaces(struct pb_cli_out *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pb_cli_put_bytes(out, " ", 1);
}

/* Words broken into lines that begin at column `from`; the first line is there already. */
static void
put_wrapped(struct pb_cli_out *out, const char *text, size_t from)
{
    size_t column = from;

    while (*text != '\0') {
        size_t length = strcspn(text, " \n");

        if (column > from && column + 1 + length > HELP_WIDTH) {
            pb_cli_put_text(out, "\n");
            put_spaces(out, from);
            column = from;
        } else if (column > from) {
            pb_cli_put_text(out, " ");
            column++;
        }
        pb_cli_put_bytes(out, text, length);
        column += length;
        text += length;
        if (*text == '\n') {
            pb_cli_put_text(out, "\n");
            put_spaces(out, from);
            column = from;
        }
        if (*text != '\0')
            text++;
    }
    pb_cli_put_text(out, "\n");
}

static void
put_option(struct pb_cli_out *out, const struct pb_cli_option *option)
{
    size_t length = 4 + strlen(option->name);

    pb_cli_put_format(out, "  --%s", option->name);
    if (option->placeholder != NULL) {
        pb_cli_put_format(out, " %s", option->placeholder);
        length += 1 + strlen(option->placeholder);
    }
    if (length + 2 > HELP_COLUMN) {
        pb_cli_put_text(out, "\n");
        length = 0;
    }
    put_spaces(out, HELP_COLUMN - length);
    put_wrapped(out, option->help, HELP_COLUMN);
}

static void
print_help(const struct pb_cli *cli, const struct pb_cli_usage *usage)
{
    static const struct pb_cli_option help = { .name = "help", .help = "print this text" };
    struct pb_cli_out *out = cli->out;

    pb_cli_put_format(out, "Usage: platebase %s", cli->command);
    for (unsigned i = 0; i < usage->option_count; i++) {
        if (usage->options[i].is_required)
            pb_cli_put_format(out, " --%s %s", usage->options[i].name,
                              usage->options[i].placeholder);
    }
    pb_cli_put_format(out, " [OPTION...]%s%s\n\n", usage->arguments[0] != '\0' ? " " : "",
                      usage->arguments);
    put_wrapped(out, usage->text, 0);
    pb_cli_put_text(out, "\nOptions:\n");
    for (unsigned i = 0; i < usage->option_count; i++)
        put_option(out, &usage->options[i]);
    put_option(out, &help);
}

/* ---- parsing ---- */

static void
refuse_unknown(const struct pb_cli *cli, const struct pb_cli_usage *usage, const char *argument)
{
    const char *nearest = NULL;
    unsigned distance = 3;
    char word[64];
    size_t length = 0;

    if (strncmp(argument, "--", 2) == 0)
        length = strcspn(argument + 2, "=");
    if (length > 0 && length < sizeof(word)) {
        memcpy(word, argument + 2, length);
        word[length] = '\0';
        for (unsigned i = 0; i < usage->option_count; i++) {
            unsigned steps = pb_cli_word_distance(word, usage->options[i].name, 2);

            if (steps < distance) {
                distance = steps;
                nearest = usage->options[i].name;
            }
        }
    }
    if (nearest != NULL)
        (void)pb_cli_usage_error(cli, "unknown option '%s': did you mean --%s?", argument, nearest);
    else
        (void)pb_cli_usage_error(cli, "unknown option '%s'", argument);
}

/* Names all that is missing at once, so that nobody has to try again for each. */
static bool
has_all_required(const struct pb_cli *cli, const struct pb_cli_usage *usage, const bool *is_given)
{
    const struct pb_cli_option *missing = NULL;

    for (unsigned i = 0; i < usage->option_count; i++) {
        const struct pb_cli_option *option = &usage->options[i];

        if (!option->is_required || is_given[i])
            continue;
        if (missing != NULL)
            pb_cli_say(cli, "--%s is missing: %s, for example --%s %s", missing->name,
                       missing->help, missing->name, missing->example);
        missing = option;
    }
    if (missing != NULL)
        (void)pb_cli_usage_error(cli, "--%s is missing: %s, for example --%s %s", missing->name,
                                 missing->help, missing->name, missing->example);
    return missing == NULL;
}

static bool
takes_environment(const struct pb_cli *cli, const struct pb_cli_usage *usage, bool *is_given)
{
    for (unsigned i = 0; i < usage->option_count; i++) {
        const struct pb_cli_option *option = &usage->options[i];
        const char *value;

        if (option->environment == NULL || is_given[i])
            continue;
        value = getenv(option->environment);
        if (value == NULL || *value == '\0')
            continue;
        if (!set_value(cli, option, value))
            return false;
        is_given[i] = true;
    }
    return true;
}

static bool
has_right_arguments(const struct pb_cli *cli, const struct pb_cli_usage *usage, int count,
                    const char *first_surplus)
{
    if (count >= 0 && (unsigned)count < usage->arguments_min) {
        (void)pb_cli_usage_error(cli, "%s is missing: platebase %s %s", usage->arguments,
                                 cli->command, usage->arguments);
        return false;
    }
    if (first_surplus != NULL) {
        (void)pb_cli_usage_error(cli, "'%s' is one argument too many", first_surplus);
        return false;
    }
    return true;
}

enum pb_cli_parsed
pb_cli_parse(struct pb_cli *cli, const struct pb_cli_usage *usage, int argc, char **argv,
             int *ret_first_argument)
{
    struct option longs[PB_CLI_OPTIONS_MAX + 2];
    bool is_given[PB_CLI_OPTIONS_MAX] = { false };
    unsigned index;
    int value, count;

    memset(longs, 0, sizeof(longs));
    for (index = 0; index < usage->option_count; index++) {
        longs[index].name = usage->options[index].name;
        longs[index].has_arg = usage->options[index].flag != NULL ? no_argument : required_argument;
        longs[index].val = FIRST_VALUE + (int)index;
    }
    longs[index].name = "help";
    longs[index].has_arg = no_argument;
    longs[index].val = HELP_VALUE;

    optind = 0; /* glibc and musl: begin anew */
    opterr = 0;
    while ((value = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        const struct pb_cli_option *option;

        if (value == HELP_VALUE || value == 'h') {
            print_help(cli, usage);
            return PB_CLI_PARSED_HELP;
        }
        if (value == ':') {
            (void)pb_cli_usage_error(cli, "%s needs a value", argv[optind - 1]);
            return PB_CLI_PARSED_WRONG;
        }
        if (value < FIRST_VALUE) {
            refuse_unknown(cli, usage, argv[optind - 1]);
            return PB_CLI_PARSED_WRONG;
        }
        index = (unsigned)(value - FIRST_VALUE);
        option = &usage->options[index];
        if (is_given[index] && option->texts == NULL) {
            (void)pb_cli_usage_error(cli, "--%s is given twice: which one is meant?", option->name);
            return PB_CLI_PARSED_WRONG;
        }
        is_given[index] = true;
        if (option->flag != NULL)
            *option->flag = true;
        else if (!set_value(cli, option, optarg))
            return PB_CLI_PARSED_WRONG;
    }

    count = argc - optind;
    if (!takes_environment(cli, usage, is_given) || !has_all_required(cli, usage, is_given) ||
        !has_right_arguments(cli, usage, count,
                             (unsigned)count > usage->arguments_max
                                 ? argv[optind + (int)usage->arguments_max]
                                 : NULL))
        return PB_CLI_PARSED_WRONG;
    *ret_first_argument = optind;
    return PB_CLI_PARSED_GO;
}

int
pb_cli_parsed_exit(enum pb_cli_parsed parsed)
{
    return parsed == PB_CLI_PARSED_HELP ? PB_CLI_EXIT_OK : PB_CLI_EXIT_USAGE;
}
