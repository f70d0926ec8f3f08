/*
 * account: how people sign in to the service.
 */
#include <string.h>

#include "api/account.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/sub.h"
#include "cli/table.h"

#define ORIGIN_USUAL "http://127.0.0.1:8080"

struct args {
    const char *data, *by, *why, *origin;
};

typedef enum pb_status change_fn(const struct pb_cli *cli, struct pb_site *site,
                                 const struct args *args, struct pb_str person,
                                 struct pb_error *error);

/* Parses, opens, changes, closes: what all changes have in common. */
static int
run_change(struct pb_cli *cli, int argc, char **argv, struct pb_cli_usage *usage, struct args *args,
           change_fn *change)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first, exit_code = PB_CLI_EXIT_OK;

    pb_cli_usage_add_data(usage, &args->data);
    parsed = pb_cli_parse(cli, usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (pb_cli_open_site(cli, args->data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    status = change(cli, site, args, pb_str_from(argv[first]), &error);
    if (status == PB_NOT_FOUND) {
        pb_cli_say(cli, "%s has no account: see 'platebase account list'", argv[first]);
        exit_code = PB_CLI_EXIT_FAILURE;
    } else if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
    }
    return pb_cli_close_site(cli, site, exit_code);
}

static void
add_by(struct pb_cli_usage *usage, struct args *args, bool is_required, const char *help)
{
    const struct pb_cli_option by = { .name = "by",
                                      .placeholder = "ID",
                                      .help = help,
                                      .is_required = is_required,
                                      .example = "police.administrator",
                                      .text = &args->by };

    pb_cli_usage_add(usage, &by, 1);
}

/* ---- add, approve, disable ---- */

static enum pb_status
add(const struct pb_cli *cli, struct pb_site *site, const struct args *args, struct pb_str person,
    struct pb_error *error)
{
    enum pb_status status =
        pb_api_account_add(cli->env, site, pb_str_from(args->by), person, error);

    if (status == PB_OK)
        pb_cli_say(cli, "asked for; now somebody else approves it: platebase account approve");
    return status;
}

static int
run_add(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .by = NULL };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Asks for an account for a person of the catalog. It does nothing before a "
                      "second person approved it.");
    add_by(&usage, &args, false, "the administrator who asks; by default the operator");
    return run_change(cli, argc, argv, &usage, &args, add);
}

static enum pb_status
approve(const struct pb_cli *cli, struct pb_site *site, const struct args *args,
        struct pb_str person, struct pb_error *error)
{
    enum pb_status status =
        pb_api_account_approve(cli->env, site, pb_str_from(args->by), person, error);

    if (status == PB_OK)
        pb_cli_say(cli, "approved; now they need a link: platebase account link");
    return status;
}

static int
run_approve(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .by = NULL };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Approves an account, also one that was disabled: as an administrator of "
                      "the agency who did not ask for it and whose it is not. An administrator's "
                      "account may also be approved by who approves inquiries.");
    add_by(&usage, &args, true, "who approves");
    return run_change(cli, argc, argv, &usage, &args, approve);
}

static enum pb_status
disable(const struct pb_cli *cli, struct pb_site *site, const struct args *args,
        struct pb_str person, struct pb_error *error)
{
    enum pb_status status = pb_api_account_disable(cli->env, site, pb_str_from(args->by), person,
                                                   pb_str_from(args->why), error);

    if (status == PB_OK)
        pb_cli_say(cli, "disabled");
    return status;
}

static int
run_disable(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .by = NULL };
    struct pb_cli_usage usage;
    const struct pb_cli_option why = { .name = "why",
                                       .placeholder = "TEXT",
                                       .help = "the reason, for the record",
                                       .is_required = true,
                                       .example = "left the agency",
                                       .text = &args.why };

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Disables an account at once. Where a service writes to the directory, ask "
                      "it instead, so that sessions end, too: POST /v1/accounts/PERSON/disable.");
    add_by(&usage, &args, false, "the administrator who does; by default the operator");
    pb_cli_usage_add(&usage, &why, 1);
    return run_change(cli, argc, argv, &usage, &args, disable);
}

/* ---- link ---- */

static enum pb_status
give_link(const struct pb_cli *cli, struct pb_site *site, const struct args *args,
          struct pb_str person, struct pb_error *error)
{
    char code[PB_ACCOUNT_CODE_BYTES];
    enum pb_status status =
        pb_api_account_link(cli->env, site, pb_str_from(args->by), person, code, error);

    if (status != PB_OK)
        return status;
    pb_cli_put_text(cli->out, args->origin);
    pb_cli_put_text(cli->out, "/sign-in?code=");
    pb_cli_put_text(cli->out, code);
    pb_cli_put_text(cli->out, "\n");
    explicit_bzero(code, sizeof(code));
    pb_cli_say(cli, "this works once, for 15 minutes");
    return PB_OK;
}

static int
run_link(struct pb_cli *cli, int argc, char **argv)
{
    struct args args = { .origin = ORIGIN_USUAL };
    struct pb_cli_usage usage;
    const struct pb_cli_option origin = { .name = "origin",
                                          .placeholder = "URL",
                                          .help = "how people reach the service; by "
                                                  "default " ORIGIN_USUAL,
                                          .text = &args.origin };

    pb_cli_usage_init(&usage, "PERSON", 1, 1,
                      "Makes a link by which a person sets password and one-time codes, and prints "
                      "it, alone, on standard output. What they had before is void. In a directory "
                      "of 'platebase demo' it signs them in as it is.");
    add_by(&usage, &args, false, "the administrator who gives it; by default the operator");
    pb_cli_usage_add(&usage, &origin, 1);
    return run_change(cli, argc, argv, &usage, &args, give_link);
}

/* ---- list and show ---- */

static const struct pb_cli_column columns[] = {
    { "person", false },    { "state", false }, { "enrolled", false },
    { "signed in", false }, { "why", false },
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

struct list {
    struct pb_cli *cli;
    struct pb_cli_table table;
    const char *person; /* only theirs; NULL: all */
    bool is_json, is_found;
    enum pb_status status;
};

static void
put_field(struct pb_cli_out *out, const char *key, struct pb_str value)
{
    if (value.bytes == 0)
        return;
    pb_cli_put_text(out, ",\"");
    pb_cli_put_text(out, key);
    pb_cli_put_text(out, "\":");
    pb_cli_put_json(out, value.text, value.bytes);
}

static void
put_json(struct pb_cli_out *out, const struct pb_api_account *account, const char *state,
         const char *signed_in)
{
    pb_cli_put_text(out, "{\"person\":");
    pb_cli_put_json(out, account->person.text, account->person.bytes);
    put_field(out, "state", pb_str_from(state));
    put_field(out, "creator", account->creator);
    put_field(out, "approver", account->approver);
    put_field(out, "enrolled", pb_str_from(account->password.bytes > 0 ? "yes" : "no"));
    put_field(out, "signed_in", pb_str_from(signed_in));
    put_field(out, "why", account->why);
    pb_cli_put_text(out, "}\n");
}

static enum pb_status
put_row(struct pb_cli_table *table, const struct pb_api_account *account, const char *state,
        const char *signed_in)
{
    const struct pb_str cells[COLUMN_COUNT] = {
        account->person,
        pb_str_from(state),
        pb_str_from(account->password.bytes > 0 ? "yes" : "no"),
        pb_str_from(signed_in),
        account->why,
    };
    enum pb_status status = PB_OK;

    for (unsigned i = 0; i < COLUMN_COUNT && status == PB_OK; i++)
        status = pb_cli_table_cell(table, cells[i].text, cells[i].bytes);
    return status;
}

static bool
put_account(void *context, const struct pb_api_account *account)
{
    struct list *list = context;
    enum pb_account_state state = account->state;
    char signed_in[PB_TIME_BYTES_MAX] = "";
    const char *word;

    if (list->person != NULL && !pb_str_equal(account->person, pb_str_from(list->person)))
        return true;
    list->is_found = true;
    if (state == PB_ACCOUNT_ACTIVE && !pb_api_account_is_usable(account, pb_now_us(list->cli->env)))
        state = PB_ACCOUNT_DISABLED;
    word = pb_api_account_state_name(state);
    if (account->signed_in_at_us != 0)
        (void)pb_time_format(account->signed_in_at_us, PB_NO_UTC_OFFSET, signed_in);
    if (list->is_json)
        put_json(list->cli->out, account, word, signed_in);
    else
        list->status = put_row(&list->table, account, word, signed_in);
    return list->status == PB_OK;
}

static int
put_accounts(struct pb_cli *cli, struct pb_site *site, struct list *list)
{
    struct pb_error error = { "" };

    if (!list->is_json)
        list->status = pb_cli_table_init(&list->table, cli->env, cli->out, columns, COLUMN_COUNT);
    if (list->status == PB_OK) {
        enum pb_status status = pb_api_account_each(cli->env, site, put_account, list, &error);

        list->status = status != PB_OK ? status : list->status;
    }
    if (!list->is_json && list->table.cells != NULL)
        pb_cli_table_flush(&list->table);
    pb_cli_table_done(&list->table);
    if (list->status != PB_OK)
        return pb_cli_failure(cli, list->status, &error);
    if (list->person != NULL && !list->is_found) {
        pb_cli_say(cli, "%s has no account: see 'platebase account list'", list->person);
        return PB_CLI_EXIT_FAILURE;
    }
    return PB_CLI_EXIT_OK;
}

static int
run_listing(struct pb_cli *cli, int argc, char **argv, struct pb_cli_usage *usage, bool is_show)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct list list = { .cli = cli };
    const char *data = NULL;
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a line",
                                        .flag = &list.is_json };
    struct pb_site *site = NULL;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_usage_add_data(usage, &data);
    pb_cli_usage_add(usage, &json, 1);
    parsed = pb_cli_parse(cli, usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    list.person = is_show ? argv[first] : NULL;
    if (pb_cli_open_site(cli, data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    return pb_cli_close_site(cli, site, put_accounts(cli, site, &list));
}

static int
run_list(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Lists accounts. What was not used for 30 days counts as disabled.");
    return run_listing(cli, argc, argv, &usage, false);
}

static int
run_show(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "PERSON", 1, 1, "Shows one account.");
    return run_listing(cli, argc, argv, &usage, true);
}

int
pb_cmd_account(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "account add", "ask for an account", run_add },
        { "account approve", "approve it, as a second person", run_approve },
        { "account link", "let somebody set how they sign in", run_link },
        { "account disable", "end one", run_disable },
        { "account list", "show which there are", run_list },
        { "account show", "show one", run_show },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text = "People of the catalog sign in to the service by an account. One person asks for "
                "it, another approves it, and a link lets its person set password and one-time "
                "codes.",
        .example = "platebase account add --data DIR police.investigator",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}
