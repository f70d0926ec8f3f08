/*
 * account: how people sign in to the service.
 */
#include <string.h>

#include "api/account.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/at_site.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/sub.h"
#include "cli/table.h"

#define ORIGIN_USUAL "http://127.0.0.1:8080"

struct args;
typedef enum pb_status change_fn(const struct pb_cli *cli, struct pb_site *site,
                                 const struct args *args, struct pb_str person,
                                 struct pb_error *error);

struct args {
    const char *by, *why, *origin;
    change_fn *change;
};

static enum pb_status
no_account(const char *person, struct pb_error *error)
{
    return pb_fail(error, PB_NOT_FOUND, "%s has no account: see 'platebase account list'", person);
}

static enum pb_status
change_account(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
               struct pb_error *error)
{
    const struct args *args = context;
    enum pb_status status = args->change(cli, site, args, pb_str_from(arguments[0]), error);

    return status == PB_NOT_FOUND ? no_account(arguments[0], error) : status;
}

/* What all changes have in common. */
static int
run_change(struct pb_cli *cli, int argc, char **argv, struct pb_cli_usage *usage, struct args *args,
           change_fn *change)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_ASK };

    args->change = change;
    pb_cli_usage_add_data(usage, &usage->data);
    return pb_cli_at_site(cli, usage, &site_options, argc, argv, change_account, args);
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

    return pb_cli_table_row(table, cells);
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

static enum pb_status
list_accounts(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
              struct pb_error *error)
{
    struct list *list = context;
    enum pb_status status = PB_OK;

    list->person = arguments[0]; /* NULL: all */
    if (!list->is_json)
        status = pb_cli_table_init(&list->table, cli->env, cli->out, columns, COLUMN_COUNT);
    if (status == PB_OK)
        status = pb_api_account_each(cli->env, site, put_account, list, error);
    pb_cli_table_done(&list->table);
    if (status == PB_OK)
        status = list->status;
    if (status == PB_OK && list->person != NULL && !list->is_found)
        return no_account(list->person, error);
    return status;
}

static int
run_listing(struct pb_cli *cli, int argc, char **argv, struct pb_cli_usage *usage)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct list list = { .cli = cli };
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a line",
                                        .flag = &list.is_json };

    pb_cli_usage_add_data(usage, &usage->data);
    pb_cli_usage_add(usage, &json, 1);
    return pb_cli_at_site(cli, usage, &site_options, argc, argv, list_accounts, &list);
}

static int
run_list(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Lists accounts. What was not used for 30 days counts as disabled.");
    return run_listing(cli, argc, argv, &usage);
}

static int
run_show(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "PERSON", 1, 1, "Shows one account.");
    return run_listing(cli, argc, argv, &usage);
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
