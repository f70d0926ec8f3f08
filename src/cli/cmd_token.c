/*
 * token: what programs and readers show to the service.
 */
#include <string.h>

#include "api/token.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/at_site.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/sub.h"
#include "cli/table.h"
#include "inquiry/site.h"
#include "net/tls.h"

#define DAYS_DEFAULT 90u
#define DAYS_MAX 90u

/* ---- add ---- */

struct add_args {
    const char *data, *agency, *person, *may, *readers, *label, *certificate;
    bool in_path;
    uint64_t days;
};

/* Cuts a list at commas; false where it is too long. */
static bool
cut_list(struct pb_str list, struct pb_str *items, uint32_t max, uint32_t *ret_count)
{
    *ret_count = 0;
    while (list.bytes > 0) {
        const char *comma = memchr(list.text, ',', list.bytes);
        uint32_t bytes = comma != NULL ? (uint32_t)(comma - list.text) : list.bytes;

        if (*ret_count == max)
            return false;
        items[(*ret_count)++] = (struct pb_str){ list.text, bytes };
        bytes += comma != NULL;
        list = (struct pb_str){ list.text + bytes, list.bytes - bytes };
    }
    return true;
}

/* false after a usage error. */
static bool
parse_verbs(const struct pb_cli *cli, const char *text, unsigned *ret_verbs)
{
    struct pb_str words[PB_TOKEN_VERBS];
    uint32_t count;

    *ret_verbs = 0;
    if (cut_list(pb_str_from(text), words, PB_TOKEN_VERBS, &count)) {
        for (uint32_t i = 0; i < count; i++) {
            unsigned verb = pb_api_token_verb(words[i]);

            if (verb == 0)
                break;
            *ret_verbs |= verb;
            if (i + 1 == count)
                return true;
        }
    }
    (void)pb_cli_usage_error(cli, "--may %s: some of reads, ask and administer, with commas", text);
    return false;
}

static void
add_options(struct pb_cli_usage *usage, struct add_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "agency",
          .placeholder = "ID",
          .help = "the agency it belongs to",
          .is_required = true,
          .example = "police",
          .text = &args->agency },
        { .name = "may",
          .placeholder = "LIST",
          .help = "what it may do: reads (send them), ask, administer (revoke tokens)",
          .is_required = true,
          .example = "reads",
          .text = &args->may },
        { .name = "person",
          .placeholder = "ID",
          .help = "for whom it asks; needed with ask",
          .text = &args->person },
        { .name = "readers",
          .placeholder = "LIST",
          .help = "only reads of these readers, with commas; of all of the agency's by default",
          .text = &args->readers },
        { .name = "in-path",
          .help = "for a reader that can show it nowhere else: POST /r/TOKEN; of one reader, and "
                  "to send its reads alone",
          .flag = &args->in_path },
        { .name = "certificate",
          .placeholder = "FILE",
          .help = "no token is made: the reader shows this TLS certificate (PEM); of one reader, "
                  "and to send its reads alone",
          .text = &args->certificate },
        { .name = "label", .placeholder = "TEXT", .help = "what it is for", .text = &args->label },
        { .name = "days",
          .placeholder = "N",
          .help = "how long it holds; 90 by default, which is the most",
          .number = &args->days,
          .number_min = 1,
          .number_max = DAYS_MAX },
    };

    pb_cli_usage_add_data(usage, &args->data);
    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

static int
add(struct pb_cli *cli, const struct add_args *args, struct pb_api_token *token)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    char text[PB_TOKEN_TEXT_BYTES];
    enum pb_status status;

    if (pb_cli_open_site(cli, args->data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    status = pb_api_token_add(cli->env, site, token, text, &error);
    if (status != PB_OK)
        return pb_cli_close_site(cli, site, pb_cli_failure(cli, status, &error));
    pb_cli_put_text(cli->out, text);
    pb_cli_put_text(cli->out, "\n");
    explicit_bzero(text, sizeof(text));
    if (token->via == PB_TOKEN_CERTIFICATE)
        pb_cli_say(cli, "the reader may show its certificate; this is its name for 'token revoke'");
    else
        pb_cli_say(cli, "this is shown once: keep it where only the program can read it");
    return pb_cli_close_site(cli, site, PB_CLI_EXIT_OK);
}

/* How it is shown; of a certificate its print, and no longer than it holds itself. */
static enum pb_status
take_via(struct pb_cli *cli, const struct add_args *args, char print[PB_TLS_PRINT_BYTES],
         struct pb_api_token *token, struct pb_error *error)
{
    char *pem = NULL;
    size_t bytes = 0;
    int64_t ends_us = 0;
    enum pb_status status;

    if (args->in_path)
        token->via = PB_TOKEN_PATH;
    if (args->certificate == NULL)
        return PB_OK;
    token->via = PB_TOKEN_CERTIFICATE;
    status = pb_cli_load(cli->env, args->certificate, PB_NET_PEM_BYTES_MAX, &pem, &bytes, error);
    if (status == PB_OK) {
        status = pb_tls_print(pem, bytes, print, &ends_us);
        if (status == PB_BAD_INPUT)
            (void)pb_fail(error, status, "%s: there is no certificate (PEM)", args->certificate);
    }
    pb_free(cli->env, pem);
    token->certificate = pb_str_from(print);
    if (status == PB_OK && ends_us < token->expires_at_us)
        token->expires_at_us = ends_us;
    return status;
}

static int
run_add(struct pb_cli *cli, int argc, char **argv)
{
    struct add_args args = { .days = DAYS_DEFAULT };
    struct pb_str readers[PB_TOKEN_READERS_MAX];
    struct pb_api_token token = { .readers = readers };
    char print[PB_TLS_PRINT_BYTES] = "";
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Makes a token and prints it, alone, on standard output. It is shown this "
                      "once; only its hash is kept. That it was made is on record.");
    add_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!parse_verbs(cli, args.may, &token.verbs))
        return PB_CLI_EXIT_USAGE;
    if (!cut_list(pb_str_from(args.readers), readers, PB_TOKEN_READERS_MAX, &token.reader_count))
        return pb_cli_usage_error(cli, "--readers: at most %u", PB_TOKEN_READERS_MAX);
    if (args.in_path && args.certificate != NULL)
        return pb_cli_usage_error(cli, "--in-path or --certificate, not both");
    token.agency = pb_str_from(args.agency);
    token.person = pb_str_from(args.person);
    token.label = pb_str_from(args.label);
    token.expires_at_us = pb_now_us(cli->env) + (int64_t)args.days * PB_DAY_US;
    status = take_via(cli, &args, print, &token, &error);
    return status == PB_OK ? add(cli, &args, &token) : pb_cli_failure(cli, status, &error);
}

/* ---- list ---- */

static const struct pb_cli_column columns[] = {
    { "TOKEN", false },   { "AGENCY", false },  { "MAY", false },
    { "PERSON", false },  { "READERS", false }, { "VIA", false },
    { "EXPIRES", false }, { "STATE", false },   { "LABEL", false },
};
#define COLUMN_COUNT ((unsigned)(sizeof(columns) / sizeof(columns[0])))
#define CELL_BYTES_MAX 512u

struct list {
    struct pb_cli *cli;
    struct pb_cli_table table;
    int64_t now_us;
    bool is_json;
    enum pb_status status;
};

static const char *
state_of(const struct pb_api_token *token, int64_t now_us)
{
    if (token->revoked_at_us != 0)
        return "revoked";
    return now_us >= token->expires_at_us ? "expired" : "holds";
}

static struct pb_str
verbs_text(const struct pb_api_token *token, char *room)
{
    struct pb_text_out out = pb_text_out(room, CELL_BYTES_MAX);

    for (unsigned i = 0; i < PB_TOKEN_VERBS; i++) {
        if ((token->verbs & 1u << i) == 0)
            continue;
        pb_put_text(&out, out.at == room ? "" : ",");
        pb_put_text(&out, pb_api_token_verb_name(i));
    }
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

/* As many as have room. */
static struct pb_str
readers_text(const struct pb_api_token *token, char *room)
{
    struct pb_text_out out = pb_text_out(room, CELL_BYTES_MAX);

    if (token->reader_count == 0)
        return pb_str_from("all");
    for (uint32_t i = 0; i < token->reader_count && !out.is_cut; i++) {
        pb_put_text(&out, i > 0 ? "," : "");
        pb_put_str(&out, token->readers[i]);
    }
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static void
put_json(struct pb_cli_out *out, const struct pb_api_token *token, const char *state)
{
    char verbs[CELL_BYTES_MAX];
    struct pb_str may = verbs_text(token, verbs);

    pb_cli_put_text(out, "{\"token\":");
    pb_cli_put_json(out, token->id.text, token->id.bytes);
    pb_cli_put_text(out, ",\"agency\":");
    pb_cli_put_json(out, token->agency.text, token->agency.bytes);
    pb_cli_put_text(out, ",\"may\":");
    pb_cli_put_json(out, may.text, may.bytes);
    pb_cli_put_text(out, ",\"person\":");
    pb_cli_put_json(out, token->person.text, token->person.bytes);
    pb_cli_put_text(out, ",\"readers\":[");
    for (uint32_t i = 0; i < token->reader_count; i++) {
        pb_cli_put_text(out, i > 0 ? "," : "");
        pb_cli_put_json(out, token->readers[i].text, token->readers[i].bytes);
    }
    pb_cli_put_text(out, "],\"via\":");
    pb_cli_put_json_text(out, pb_api_token_via_name(token->via));
    pb_cli_put_text(out, ",\"label\":");
    pb_cli_put_json(out, token->label.text, token->label.bytes);
    pb_cli_put_text(out, ",\"created\":");
    pb_cli_put_json_time(out, token->created_at_us);
    pb_cli_put_text(out, ",\"expires\":");
    pb_cli_put_json_time(out, token->expires_at_us);
    pb_cli_put_text(out, ",\"state\":");
    pb_cli_put_json_text(out, state);
    pb_cli_put_text(out, "}\n");
}

static enum pb_status
put_row(struct pb_cli_table *table, const struct pb_api_token *token, const char *state)
{
    char verbs[CELL_BYTES_MAX], readers[CELL_BYTES_MAX], expires[PB_TIME_BYTES_MAX];
    struct pb_str cells[COLUMN_COUNT];

    (void)pb_time_format(token->expires_at_us, PB_NO_UTC_OFFSET, expires);
    expires[10] = '\0';
    cells[0] = token->id;
    cells[1] = token->agency;
    cells[2] = verbs_text(token, verbs);
    cells[3] = token->person;
    cells[4] = readers_text(token, readers);
    cells[5] = pb_str_from(pb_api_token_via_name(token->via));
    cells[6] = pb_str_from(expires);
    cells[7] = pb_str_from(state);
    cells[8] = token->label;
    return pb_cli_table_row(table, cells);
}

static bool
put_token(void *context, const struct pb_api_token *token)
{
    struct list *list = context;
    const char *state = state_of(token, list->now_us);

    if (list->is_json)
        put_json(list->cli->out, token, state);
    else
        list->status = put_row(&list->table, token, state);
    return list->status == PB_OK;
}

static enum pb_status
list_tokens(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
            struct pb_error *error)
{
    struct list *list = context;
    enum pb_status status = PB_OK;

    (void)arguments;
    if (!list->is_json)
        status = pb_cli_table_init(&list->table, cli->env, cli->out, columns, COLUMN_COUNT);
    if (status == PB_OK)
        status = pb_api_token_each(cli->env, site, put_token, list, error);
    pb_cli_table_done(&list->table);
    return status != PB_OK ? status : list->status;
}

static int
run_list(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct list list = { .cli = cli, .now_us = pb_now_us(cli->env) };
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a line",
                                        .flag = &list.is_json };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Lists tokens, also those that hold no longer. None is shown itself.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, &json, 1);
    return pb_cli_at_site(cli, &usage, &site_options, argc, argv, list_tokens, &list);
}

/* ---- revoke ---- */

static enum pb_status
revoke(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
       struct pb_error *error)
{
    enum pb_status status = pb_api_token_revoke(cli->env, site, pb_str_from(arguments[0]), error);

    (void)context;
    if (status == PB_NOT_FOUND)
        return pb_fail(error, status, "there is no token '%s': see 'platebase token list'",
                       arguments[0]);
    if (status == PB_OK)
        pb_cli_say(cli, "revoked");
    return status;
}

static int
run_revoke(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "TOKEN", 1, 1,
                      "Revokes a token, named by the 12 digits behind pb_. It holds no longer from "
                      "the next request on. Where a service writes to the directory, ask it "
                      "instead: DELETE /v1/tokens/TOKEN.");
    pb_cli_usage_add_data(&usage, &usage.data);
    return pb_cli_at_site(cli, &usage, &site_options, argc, argv, revoke, NULL);
}

int
pb_cmd_token(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "token add", "make a token", run_add },
        { "token list", "show which there are", run_list },
        { "token revoke", "end one", run_revoke },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text =
            "Programs and readers show a token to the service. It belongs to an agency, says what "
            "its holder may do, and holds for 90 days at most.",
        .example = "platebase token add --data DIR --agency police --may reads",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}
