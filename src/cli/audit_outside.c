/*
 * Audit, outside: whose word the logs need (witnesses), and where their checkpoints are copied.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/witness.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/at_site.h"
#include "cli/audit.h"
#include "cli/load.h"
#include "cli/options.h"
#include "cli/sub.h"

#define GROUP "enough"
#define TIME_MAX_S UINT64_C(253402300799) /* the year 9999 */

/* ---- the policy as text ---- */

/* Whether it is one that add and remove understand: witnesses, and a number of them. */
static bool
is_simple(const struct pb_witness_policy *policy)
{
    uint64_t all = (UINT64_C(1) << policy->witness_count) - 1;

    if (policy->log_count > 0)
        return false;
    if (policy->quorum < 0)
        return policy->group_count == 0;
    return policy->group_count == 1 && policy->quorum == (int32_t)PB_WITNESSES_MAX &&
           strcmp(policy->groups[0].name, GROUP) == 0 && policy->groups[0].members == all;
}

/* need 0: none need to sign, so as many as there are is fine. */
static void
put_policy(struct pb_text_out *out, const struct pb_witness_policy *policy, uint64_t need)
{
    char vkey[PB_VKEY_BYTES_MAX];

    for (uint32_t i = 0; i < policy->witness_count; i++) {
        const struct pb_witness *witness = &policy->witnesses[i];

        pb_vkey_format(&witness->key, vkey);
        pb_put_text(out, "witness ");
        pb_put_text(out, witness->name);
        pb_put_char(out, ' ');
        pb_put_text(out, vkey);
        pb_put_char(out, ' ');
        pb_put_text(out, witness->url);
        pb_put_char(out, '\n');
    }
    if (need == 0) {
        pb_put_text(out, "quorum none\n");
        return;
    }
    pb_put_text(out, "group " GROUP " ");
    pb_put_u64(out, need);
    for (uint32_t i = 0; i < policy->witness_count; i++) {
        pb_put_char(out, ' ');
        pb_put_text(out, policy->witnesses[i].name);
    }
    pb_put_text(out, "\nquorum " GROUP "\n");
}

/* ---- changing it ---- */

struct witness_args {
    const char *data, *vkey, *url, *name, *need;
    bool is_quiet;
};

static enum pb_status
put(struct pb_cli *cli, const char *data, struct pb_str text, struct pb_error *error)
{
    const struct pb_site_options options = { .mode = PB_SITE_ASK };
    struct pb_site *site = NULL;
    enum pb_status status, closed;

    status = pb_site_open(cli->env, data, &options, &site, error);
    if (status != PB_OK)
        return status;
    status = pb_site_put_witnesses(site, text, error);
    closed = pb_site_close(site, status == PB_OK ? error : NULL);
    return status == PB_OK ? closed : status;
}

/* How many must sign: what was said, else what was needed before, else more than half. */
static uint64_t
needed(const struct pb_witness_policy *policy, const char *need, bool had_any)
{
    uint64_t number = 0;

    if (need != NULL && strcmp(need, "all") == 0)
        return policy->witness_count;
    if (need != NULL && pb_cli_number(need, &number))
        return number;
    if (had_any && policy->quorum < 0)
        return 0;
    return policy->witness_count / 2 + 1;
}

static enum pb_status
keep(struct pb_cli *cli, const struct witness_args *args, const struct pb_witness_policy *policy,
     bool had_any, struct pb_error *error)
{
    uint64_t need = needed(policy, args->need, had_any);
    char *text;
    struct pb_text_out out;
    enum pb_status status;

    if (policy->witness_count == 0)
        return put(cli, args->data, (struct pb_str){ "", 0 }, error);
    text = pb_alloc(cli->env, PB_POLICY_BYTES_MAX);
    if (text == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a policy");
    out = pb_text_out(text, PB_POLICY_BYTES_MAX);
    put_policy(&out, policy, need);
    status = put(cli, args->data, (struct pb_str){ text, (uint32_t)(out.at - text) }, error);
    pb_free(cli->env, text);
    if (status == PB_OK && !args->is_quiet)
        pb_cli_say(cli,
                   "%" PRIu64 " of %" PRIu32 " witnesses must sign a checkpoint before it is "
                   "published; they need the key of each log: platebase audit keys",
                   need, policy->witness_count);
    return status;
}

static enum pb_status
add(struct witness_args *args, struct pb_witness_policy *policy, struct pb_error *error)
{
    struct pb_witness *witness = &policy->witnesses[policy->witness_count];

    if (policy->witness_count == PB_WITNESSES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "at most %u witnesses", PB_WITNESSES_MAX);
    if (pb_vkey_parse(pb_str_from(args->vkey), &witness->key, error) != PB_OK ||
        witness->key.type != PB_KEY_COSIGNATURE)
        return pb_fail(error, PB_BAD_INPUT,
                       "--vkey: expected a witness's key: name+id+key of "
                       "type 04 (c2sp.org/tlog-cosignature)");
    if (strlen(args->name) > PB_WITNESS_NAME_BYTES_MAX ||
        strlen(args->url) > PB_WITNESS_URL_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "a name or an address is too long");
    memcpy(witness->name, args->name, strlen(args->name) + 1);
    memcpy(witness->url, args->url, strlen(args->url) + 1);
    policy->witness_count++;
    return PB_OK;
}

static enum pb_status
remove_named(const char *name, struct pb_witness_policy *policy, struct pb_error *error)
{
    for (uint32_t i = 0; i < policy->witness_count; i++) {
        if (strcmp(policy->witnesses[i].name, name) != 0)
            continue;
        policy->witness_count--;
        memmove(&policy->witnesses[i], &policy->witnesses[i + 1],
                (policy->witness_count - i) * sizeof(policy->witnesses[0]));
        return PB_OK;
    }
    return pb_fail(error, PB_NOT_FOUND, "there is no witness '%.64s'", name);
}

/* Reads the policy, changes it, keeps it. */
static enum pb_status
change(struct pb_cli *cli, struct witness_args *args, bool adds, struct pb_error *error)
{
    struct pb_witness_policy *policy = pb_calloc(cli->env, 1, sizeof(*policy));
    bool had_any;
    enum pb_status status;

    if (policy == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a policy");
    status = pb_outside_read_witnesses(cli->env, args->data, policy, error);
    had_any = status == PB_OK;
    if (status == PB_NOT_FOUND)
        status = PB_OK;
    if (had_any && !is_simple(policy))
        status = pb_fail(error, PB_BAD_INPUT,
                         "this policy has groups of its own: change a copy of %s/witnesses and put "
                         "it in place with platebase audit witness set",
                         args->data);
    if (status == PB_OK)
        status = adds ? add(args, policy, error) : remove_named(args->name, policy, error);
    if (status == PB_OK)
        status = keep(cli, args, policy, had_any, error);
    pb_free(cli->env, policy);
    return status;
}

static int
run_change(struct pb_cli *cli, struct witness_args *args, bool adds)
{
    struct pb_error error = { "" };
    enum pb_status status;

    if (!pb_cli_is_site(cli, args->data))
        return PB_CLI_EXIT_FAILURE;
    status = change(cli, args, adds, &error);
    return status == PB_OK ? PB_CLI_EXIT_OK : pb_cli_failure(cli, status, &error);
}

static void
add_change_options(struct pb_cli_usage *usage, struct witness_args *args)
{
    const struct pb_cli_option options[] = {
        { .name = "need",
          .placeholder = "N",
          .help = "how many must sign: a number, all, or 0 for none; more than half by default",
          .text = &args->need },
        { .name = "quiet", .help = "say nothing", .flag = &args->is_quiet },
    };

    pb_cli_usage_add(usage, options, sizeof(options) / sizeof(options[0]));
}

static int
run_add(struct pb_cli *cli, int argc, char **argv)
{
    struct witness_args args = { .data = NULL };
    const struct pb_cli_option options[] = {
        { .name = "vkey",
          .placeholder = "KEY",
          .help = "the witness's key, as its owner gives it",
          .is_required = true,
          .example = "'witness.example+3f8c1c2a+BA...'",
          .text = &args.vkey },
        { .name = "url",
          .placeholder = "ADDRESS",
          .help = "where it is asked: https, or http on this machine",
          .is_required = true,
          .example = "https://witness.example",
          .text = &args.url },
    };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_usage_init(&usage, "NAME", 1, 1,
                      "Adds a witness: somebody else who signs that each log has only grown since "
                      "they looked last (c2sp.org/tlog-witness). From then on a checkpoint is "
                      "published only when enough of them have signed it. NAME is of your choice.");
    pb_cli_usage_add_data(&usage, &args.data);
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    add_change_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    args.name = argv[first];
    if (!pb_witness_url_is_allowed(args.url))
        return pb_cli_usage_error(cli, "--url: a witness is asked over https, or over http on this "
                                       "machine");
    return run_change(cli, &args, true);
}

static int
run_remove(struct pb_cli *cli, int argc, char **argv)
{
    struct witness_args args = { .data = NULL };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first;

    pb_cli_usage_init(&usage, "NAME", 1, 1,
                      "Removes a witness. With the last of them, checkpoints are published as they "
                      "are signed.");
    pb_cli_usage_add_data(&usage, &args.data);
    add_change_options(&usage, &args);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    args.name = argv[first];
    return run_change(cli, &args, false);
}

static int
run_set(struct pb_cli *cli, int argc, char **argv)
{
    const char *data = NULL;
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    char *text = NULL;
    size_t bytes = 0;
    int first;

    pb_cli_usage_init(
        &usage, "FILE", 1, 1,
        "Puts a whole trust policy (c2sp.org/tlog-policy) in the place of the one "
        "that is there: with groups of witnesses, of which so and so many must sign.");
    pb_cli_usage_add_data(&usage, &data);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_is_site(cli, data))
        return PB_CLI_EXIT_FAILURE;
    status = pb_cli_load(cli->env, argv[first], PB_POLICY_BYTES_MAX, &text, &bytes, &error);
    if (status == PB_OK && bytes == 0)
        status = pb_fail(&error, PB_BAD_INPUT, "%s: the file is empty", argv[first]);
    if (status == PB_OK)
        status = put(cli, data, (struct pb_str){ text, (uint32_t)bytes }, &error);
    pb_free(cli->env, text);
    return status == PB_OK ? PB_CLI_EXIT_OK : pb_cli_failure(cli, status, &error);
}

/* ---- looking at it ---- */

static void
put_witness(struct pb_cli_out *out, const struct pb_witness *witness, bool is_json)
{
    char vkey[PB_VKEY_BYTES_MAX];

    pb_vkey_format(&witness->key, vkey);
    if (!is_json) {
        pb_cli_put_format(out, "%s\n  key  %s\n  url  %s\n", witness->name, vkey, witness->url);
        return;
    }
    pb_cli_put_text(out, "{\"name\":");
    pb_cli_put_json_text(out, witness->name);
    pb_cli_put_text(out, ",\"vkey\":");
    pb_cli_put_json_text(out, vkey);
    pb_cli_put_text(out, ",\"url\":");
    pb_cli_put_json_text(out, witness->url);
    pb_cli_put_text(out, "}\n");
}

static void
say_need(const struct pb_cli *cli, const struct pb_witness_policy *policy)
{
    if (policy->quorum < 0)
        pb_cli_say(cli, "none of %" PRIu32 " need to sign", policy->witness_count);
    else if (is_simple(policy))
        pb_cli_say(cli, "%" PRIu32 " of %" PRIu32 " must sign", policy->groups[0].threshold,
                   policy->witness_count);
    else
        pb_cli_say(cli, "%" PRIu32 " witnesses, in groups of its own: see the file 'witnesses'",
                   policy->witness_count);
}

static int
run_list(struct pb_cli *cli, int argc, char **argv)
{
    const char *data = NULL;
    bool is_json = false;
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a line",
                                        .flag = &is_json };
    struct pb_witness_policy *policy;
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Lists the witnesses, and says how many of them must sign a checkpoint.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, &json, 1);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!pb_cli_is_site(cli, data))
        return PB_CLI_EXIT_FAILURE;
    policy = pb_calloc(cli->env, 1, sizeof(*policy));
    status = policy != NULL ? pb_outside_read_witnesses(cli->env, data, policy, &error)
                            : pb_fail(&error, PB_E_NOMEM, "no memory for a policy");
    if (status == PB_NOT_FOUND) {
        pb_cli_say(cli, "there are no witnesses");
        status = PB_OK;
    } else if (status == PB_OK) {
        for (uint32_t i = 0; i < policy->witness_count; i++)
            put_witness(cli->out, &policy->witnesses[i], is_json);
        say_need(cli, policy);
    }
    pb_free(cli->env, policy);
    return status == PB_OK ? PB_CLI_EXIT_OK : pb_cli_failure(cli, status, &error);
}

/* ---- asking them ---- */

struct checking {
    struct pb_cli *cli;
    struct pb_site *site;
    const struct pb_witnesses *witnesses;
    struct pb_witness_result *results; /* owned */
    char (*ids)[PB_PATH_BYTES_MAX];    /* owned: of logs */
    uint32_t log_count, log_room;
    bool is_short; /* some log has too few */
};

static bool
note_id(void *context, const struct pb_audit_log_info *info)
{
    struct checking *checking = context;

    if (checking->ids != NULL && checking->log_count < checking->log_room)
        (void)snprintf(checking->ids[checking->log_count], PB_PATH_BYTES_MAX, "%s", info->id);
    checking->log_count++;
    return true;
}

static void
put_result(struct checking *checking, uint32_t number)
{
    static const char *const words[] = {
        [PB_WITNESS_COSIGNED] = "signed", [PB_WITNESS_NOT_ASKED] = "not asked",
        [PB_WITNESS_AWAY] = "away",       [PB_WITNESS_UNREACHABLE] = "makes no sense",
        [PB_WITNESS_REFUSED] = "refuses", [PB_WITNESS_CONTRADICTS] = "CONTRADICTS",
    };
    const struct pb_witness_result *result = &checking->results[number];
    struct pb_cli_out *out = checking->cli->out;

    pb_cli_put_format(out, "  %s: %s", checking->witnesses->policy.witnesses[number].name,
                      words[result->outcome]);
    if (result->outcome == PB_WITNESS_COSIGNED && result->time_s <= TIME_MAX_S) {
        char time[PB_TIME_BYTES_MAX];

        pb_cli_put_text(out, " at ");
        pb_cli_put_bytes(out, time, pb_time_format((int64_t)result->time_s * 1000000, 0, time));
        pb_cli_put_text(out, "\n");
    } else {
        pb_cli_put_format(out, " (%s)\n", result->error.message);
    }
}

static enum pb_status
check_log(struct checking *checking, const char *id, struct pb_error *error)
{
    uint32_t count = checking->witnesses->policy.witness_count;
    bool has_quorum = false;
    enum pb_status status;

    memset(checking->results, 0, (count + 1) * sizeof(*checking->results));
    status = pb_audit_cosign(pb_site_audit(checking->site), id, checking->witnesses,
                             checking->results, &has_quorum, error);
    if (status != PB_OK && status != PB_E_CORRUPT)
        return status;
    pb_cli_put_format(checking->cli->out, "%s: %s\n", id,
                      has_quorum ? "enough have signed" : "TOO FEW have signed");
    for (uint32_t i = 0; i < count && status == PB_OK; i++)
        put_result(checking, i);
    checking->is_short = checking->is_short || !has_quorum;
    return status;
}

static enum pb_status
check_logs(struct checking *checking, struct pb_error *error)
{
    const struct pb_env *env = checking->cli->env;
    struct pb_audit *audit = pb_site_audit(checking->site);
    enum pb_status status = pb_audit_each_log(audit, note_id, checking, error);

    if (status != PB_OK)
        return status;
    checking->log_room = checking->log_count;
    checking->log_count = 0;
    checking->ids = pb_calloc(env, checking->log_room + 1, sizeof(*checking->ids));
    checking->results =
        pb_calloc(env, checking->witnesses->policy.witness_count + 1, sizeof(*checking->results));
    if (checking->ids == NULL || checking->results == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for asking witnesses");
    status = pb_audit_each_log(audit, note_id, checking, error);
    for (uint32_t i = 0; i < checking->log_room && status == PB_OK; i++)
        status = check_log(checking, checking->ids[i], error);
    return status;
}

static enum pb_status
check(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
      struct pb_error *error)
{
    struct checking checking = { .cli = cli, .site = site, .witnesses = pb_site_witnesses(site) };
    enum pb_status status;

    (void)arguments;
    (void)context;
    if (checking.witnesses == NULL)
        return pb_fail(error, PB_NOT_FOUND, "there are no witnesses");
    status = check_logs(&checking, error);
    pb_free(cli->env, checking.ids);
    pb_free(cli->env, checking.results);
    return status == PB_OK && checking.is_short ? PB_END : status;
}

static int
run_check(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options options = { .mode = PB_SITE_ASK };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Asks every witness about every log, now, publishes what enough of them have "
                      "signed, and says what each answered. Leaves with 1 where too few have "
                      "signed.");
    pb_cli_usage_add_data(&usage, &usage.data);
    return pb_cli_at_site(cli, &usage, &options, argc, argv, check, NULL);
}

int
pb_cli_audit_witness(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "audit witness add", "add somebody who signs that logs only grow", run_add },
        { "audit witness remove", "remove one", run_remove },
        { "audit witness set", "put a whole policy in place", run_set },
        { "audit witness list", "who they are, and how many must sign", run_list },
        { "audit witness check", "ask them all, now", run_check },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text = "Witnesses are others who sign that a log has only grown since they looked last.\n"
                "Where there are some, a checkpoint is published only when enough have signed it.",
        .example = "platebase audit witness check --data DIR",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}

/* ---- copies of checkpoints ---- */

int
pb_cli_audit_copies(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_site_options options = { .mode = PB_SITE_ASK };
    const char *data = NULL, *path;
    bool has_none = false;
    const struct pb_cli_option none = { .name = "none", .help = "no copies", .flag = &has_none };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status = PB_OK;
    int first, exit_code = PB_CLI_EXIT_OK;

    pb_cli_usage_init(&usage, "[PATH]", 0, 1,
                      "Says where each checkpoint is copied to, or sets it: an existing directory, "
                      "better on other storage, as one that keeps what is written. What lies there "
                      "is compared whenever logs are opened, so that a backup that is put back "
                      "cannot sign another history.");
    pb_cli_usage_add_data(&usage, &data);
    pb_cli_usage_add(&usage, &none, 1);
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    path = first < argc ? argv[first] : NULL;
    if (path != NULL && has_none)
        return pb_cli_usage_error(cli, "either a PATH or --none");
    options.without_copies = has_none;
    if (pb_cli_open_site(cli, data, &options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    if (path != NULL || has_none)
        status = pb_site_put_copies(site, path, &error);
    else if (pb_site_copies(site) != NULL)
        pb_cli_put_format(cli->out, "%s\n", pb_site_copies(site));
    else
        pb_cli_say(cli, "checkpoints are not copied anywhere");
    if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    return pb_cli_close_site(cli, site, exit_code);
}
