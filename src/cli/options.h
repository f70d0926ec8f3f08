/*
 * Options: one table per command says what it takes; parsing and --help both read it.
 *
 * An option given twice is a mistake, so that no half of a question is silently dropped. Numbers,
 * sizes, times and degrees are checked in full, and a refusal says what would be right.
 *
 * Threads: one at a time (getopt keeps state of its own).
 */
#ifndef PB_CLI_OPTIONS_H
#define PB_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"

/* Values of an option that may be given several times; items are borrowed. */
#define PB_CLI_TEXTS_MAX 64u
struct pb_cli_texts {
    const char *items[PB_CLI_TEXTS_MAX];
    unsigned count;
};

/* One option. Exactly one of the places for a value is set; all are borrowed. */
struct pb_cli_option {
    const char *name;        /* without dashes */
    const char *placeholder; /* of its value in --help: "DIR"; NULL for a flag */
    const char *help;        /* one sentence without a full stop */
    bool is_required;
    const char *example;     /* of a value; shown where a required option is missing */
    const char *environment; /* variable that gives the value where the option does not; or NULL */

    bool *flag;                 /* set to true */
    const char **text;          /* not empty */
    struct pb_cli_texts *texts; /* as text, and may be given again */
    uint64_t *number;           /* number_min to number_max */
    uint64_t *size;             /* bytes: 65536, 64K, 512M, 2G, 1T; number_min to number_max */
    double *real;               /* real_min to real_max */
    int64_t *time_us;           /* RFC 3339, a date, or milliseconds since 1970 */
    int32_t *degrees_e7;        /* -real_max to real_max degrees, times 10^7 */
    int *choice;                /* index into choices */
    const char *const *choices; /* ends with NULL */

    uint64_t number_min, number_max;
    double real_min, real_max;
};

#define PB_CLI_OPTIONS_MAX 64u

/* What a command takes. */
struct pb_cli_usage {
    const char *arguments; /* after the options: "FILE...", "DIR"; or "" */
    const char *text;      /* some sentences for --help */
    const char *data;      /* of --data, where the command keeps it here (cli/at_site.h) */
    unsigned arguments_min, arguments_max;
    unsigned option_count;
    struct pb_cli_option options[PB_CLI_OPTIONS_MAX];
};

void pb_cli_usage_init(struct pb_cli_usage *usage, const char *arguments, unsigned arguments_min,
                       unsigned arguments_max, const char *text);
/* Adds options to the table. */
void pb_cli_usage_add(struct pb_cli_usage *usage, const struct pb_cli_option *options,
                      unsigned count);
/* Adds --data DIR, which may also come from the environment variable PLATEBASE_DATA. */
void pb_cli_usage_add_data(struct pb_cli_usage *usage, const char **data);

enum pb_cli_parsed {
    PB_CLI_PARSED_GO,    /* go on; argv[first_argument .. argc) are the arguments */
    PB_CLI_PARSED_HELP,  /* --help was printed: leave with PB_CLI_EXIT_OK */
    PB_CLI_PARSED_WRONG, /* a mistake was named: leave with PB_CLI_EXIT_USAGE */
};
/* Parses argv[1 .. argc), argv[0] being the command's name. May reorder argv. */
PB_MUST_CHECK enum pb_cli_parsed pb_cli_parse(struct pb_cli *cli, const struct pb_cli_usage *usage,
                                              int argc, char **argv, int *ret_first_argument);
/* As above, and the exit code to leave with where it is not PB_CLI_PARSED_GO. */
int pb_cli_parsed_exit(enum pb_cli_parsed parsed);

/* ---- single values, for what is not an option ---- */

/* Digits only. */
PB_MUST_CHECK bool pb_cli_number(const char *text, uint64_t *ret_number);
/* A decimal number, perhaps with an exponent; never inf, nan or hexadecimal. */
PB_MUST_CHECK bool pb_cli_real(const char *text, double *ret_real);
/* Degrees from -limit to limit, rounded to 10^-7. */
PB_MUST_CHECK bool pb_cli_degrees(const char *text, double limit, int32_t *ret_e7);

/* The number of an option (without dashes) whose value is a jurisdiction, 0 where text is NULL;
 * false after a usage error. */
PB_MUST_CHECK bool pb_cli_jurisdiction(const struct pb_cli *cli, const char *option,
                                       const char *text, uint16_t *ret_jurisdiction);

/* Steps to turn one word into the other (insert, remove, replace), at most `most` + 1. For "did
 * you mean". Words longer than 63 bytes count as far. */
unsigned pb_cli_word_distance(const char *a, const char *b, unsigned most);

#endif
