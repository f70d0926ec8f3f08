/*
 * Audit, public side: keys, checking logs, checking proofs. Needs no secret, and for copied files
 * no data directory.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "audit/witness.h"
#include "base/base64.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/at_site.h"
#include "cli/audit.h"
#include "cli/load.h"
#include "cli/options.h"

#define PROOF_BYTES_MAX (UINT64_C(1) << 20)

/* ---- keys ---- */

struct keys {
    struct pb_cli *cli;
    bool is_json;
};

/* The path as it is from everywhere; as given where the system cannot say. */
static void
put_path(struct pb_cli_out *out, const char *path, bool is_json)
{
    char whole[PATH_MAX];
    const char *text = realpath(path, whole) != NULL ? whole : path;

    if (is_json)
        pb_cli_put_json_text(out, text);
    else
        pb_cli_put_text(out, text);
}

static bool
put_key(void *context, const struct pb_audit_log_info *info)
{
    struct keys *keys = context;
    struct pb_cli_out *out = keys->cli->out;

    if (!keys->is_json) {
        pb_cli_put_format(out, "%s\n  key   %s\n  files ", info->origin, info->vkey);
        put_path(out, info->path, false);
        pb_cli_put_format(out, "\n  size  %" PRIu64 "\n", info->leaf_count);
        return true;
    }
    pb_cli_put_text(out, "{\"origin\":");
    pb_cli_put_json_text(out, info->origin);
    pb_cli_put_text(out, ",\"vkey\":");
    pb_cli_put_json_text(out, info->vkey);
    pb_cli_put_text(out, ",\"path\":");
    put_path(out, info->path, true);
    pb_cli_put_text(out, ",\"log\":");
    pb_cli_put_json_text(out, info->id);
    pb_cli_put_format(out, ",\"size\":%" PRIu64 "}\n", info->leaf_count);
    return true;
}

static enum pb_status
list_keys(struct pb_cli *cli, struct pb_site *site, char **arguments, void *context,
          struct pb_error *error)
{
    (void)cli;
    (void)arguments;
    return pb_audit_each_log(pb_site_audit(site), put_key, context, error);
}

int
pb_cli_audit_keys(struct pb_cli *cli, int argc, char **argv)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct keys keys = { .cli = cli };
    const struct pb_cli_option json = { .name = "json",
                                        .help = "one JSON object a line",
                                        .flag = &keys.is_json };
    struct pb_cli_usage usage;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Lists the audit logs: the origin that names each, the key with which "
                      "anybody checks it, and the directory of its public files, which may be "
                      "copied and served as they are. Give the keys to those who shall check, by "
                      "a way of their own.");
    pb_cli_usage_add_data(&usage, &usage.data);
    pb_cli_usage_add(&usage, &json, 1);
    return pb_cli_at_site(cli, &usage, &site_options, argc, argv, list_keys, &keys);
}

/* ---- verify ---- */

struct verify {
    struct pb_cli *cli;
    const char *data, *vkey, *old_path, *witnesses_path;
    struct pb_audit_evidence evidence; /* borrowed: what those files say */
    bool is_json, is_quiet;
    uint64_t wrong_count; /* of the log at hand */
    uint64_t wrong_total, log_count;
    enum pb_status status;
    struct pb_error *error;
};

static void
put_wrong(void *context, const char *file, const char *what)
{
    struct verify *verify = context;
    struct pb_cli_out *out = verify->cli->out;

    if (verify->is_json) {
        pb_cli_put_text(out, verify->wrong_count > 0 ? "," : "");
        pb_cli_put_text(out, "{\"file\":");
        pb_cli_put_json_text(out, file);
        pb_cli_put_text(out, ",\"what\":");
        pb_cli_put_json_text(out, what);
        pb_cli_put_text(out, "}");
    } else {
        pb_cli_say(verify->cli, "wrong: %s: %s", file, what);
    }
    verify->wrong_count++;
}

static void
put_check(struct verify *verify, const char *path, const struct pb_audit_check *check)
{
    char root[2 * PB_AUDIT_HASH_BYTES + 1];
    struct pb_cli_out *out = verify->cli->out;

    (void)sodium_bin2hex(root, sizeof(root), check->root, sizeof(check->root));
    if (verify->is_json) {
        pb_cli_put_format(out,
                          "],\"size\":%" PRIu64 ",\"root\":\"%s\",\"leaves\":%" PRIu64
                          ",\"tiles\":%" PRIu64 ",\"path\":",
                          check->size, root, check->leaves, check->tiles);
        pb_cli_put_json_text(out, path);
        pb_cli_put_text(out, "}\n");
    } else if (!verify->is_quiet) {
        pb_cli_put_format(out, "%s: %s\n", path, verify->wrong_count == 0 ? "good" : "WRONG");
        pb_cli_put_format(out, "  %" PRIu64 " entries, %" PRIu64 " tiles, root %s\n", check->leaves,
                          check->tiles, root);
    }
}

static enum pb_status
verify_one(struct verify *verify, const char *path, const char *vkey, struct pb_error *error)
{
    struct pb_audit_check check = { 0 };
    struct pb_cli_out *out = verify->cli->out;
    enum pb_status status;

    verify->wrong_count = 0;
    if (verify->is_json)
        pb_cli_put_text(out, "{\"wrong\":[");
    status = pb_audit_verify_log(verify->cli->env, path, vkey, &verify->evidence, put_wrong, verify,
                                 &check, error);
    if (status == PB_OK)
        put_check(verify, path, &check);
    else if (verify->is_json)
        pb_cli_put_text(out, "],\"complete\":false}\n");
    verify->wrong_total += verify->wrong_count;
    verify->log_count++;
    return status;
}

static bool
verify_each(void *context, const struct pb_audit_log_info *info)
{
    struct verify *verify = context;

    verify->status = verify_one(verify, info->path, info->vkey, verify->error);
    return verify->status == PB_OK;
}

static int
verify_site(struct verify *verify)
{
    const struct pb_site_options site_options = { .mode = PB_SITE_LOOK };
    struct pb_error error = { "" };
    struct pb_site *site = NULL;
    int exit_code = PB_CLI_EXIT_OK;
    enum pb_status status;

    if (pb_cli_open_site(verify->cli, verify->data, &site_options, &site) != PB_OK)
        return PB_CLI_EXIT_FAILURE;
    verify->error = &error;
    status = pb_audit_each_log(pb_site_audit(site), verify_each, verify, &error);
    if (status == PB_OK)
        status = verify->status;
    if (status != PB_OK)
        exit_code = pb_cli_failure(verify->cli, status, &error);
    return pb_cli_close_site(verify->cli, site, exit_code);
}

/* A trust policy; the caller frees it. */
static enum pb_status
load_witnesses(const struct pb_env *env, const char *path, struct pb_witness_policy **ret_policy,
               struct pb_error *error)
{
    struct pb_witness_policy *policy = pb_alloc(env, sizeof(*policy));
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status;

    if (policy == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a policy");
    status = pb_cli_load(env, path, PB_POLICY_BYTES_MAX, &text, &bytes, error);
    if (status == PB_OK)
        status = pb_witness_policy_parse((struct pb_str){ text, (uint32_t)bytes }, policy, error);
    pb_free(env, text);
    if (status == PB_OK) {
        *ret_policy = policy;
        policy = NULL;
    }
    pb_free(env, policy);
    return status;
}

static int
verify_copy(struct verify *verify, const char *path)
{
    const struct pb_env *env = verify->cli->env;
    struct pb_witness_policy *witnesses = NULL;
    struct pb_error error = { "" };
    enum pb_status status = PB_OK;
    char *text = NULL;
    size_t bytes = 0;

    if (verify->old_path != NULL)
        status = pb_cli_load(env, verify->old_path, PROOF_BYTES_MAX, &text, &bytes, &error);
    if (status == PB_OK && verify->witnesses_path != NULL)
        status = load_witnesses(env, verify->witnesses_path, &witnesses, &error);
    verify->evidence.old_checkpoint = text;
    verify->evidence.witnesses = witnesses;
    if (status == PB_OK)
        status = verify_one(verify, path, verify->vkey, &error);
    pb_free(env, witnesses);
    pb_free(env, text);
    return status == PB_OK ? PB_CLI_EXIT_OK : pb_cli_failure(verify->cli, status, &error);
}

int
pb_cli_audit_verify(struct pb_cli *cli, int argc, char **argv)
{
    struct verify verify = { .cli = cli };
    const struct pb_cli_option options[] = {
        { .name = "data",
          .placeholder = "DIR",
          .help = "check all logs of this data directory",
          .text = &verify.data },
        { .name = "vkey",
          .placeholder = "KEY",
          .help = "key of the log at PATH, as audit keys prints it",
          .text = &verify.vkey },
        { .name = "old-checkpoint",
          .placeholder = "FILE",
          .help = "a checkpoint that was kept earlier: the log must still hold all that it held",
          .text = &verify.old_path },
        { .name = "witnesses",
          .placeholder = "FILE",
          .help = "a trust policy: enough of these witnesses must have signed the checkpoint, and "
                  "no entry may be dated after that, nor one that the older checkpoint lacks "
                  "before that was signed",
          .text = &verify.witnesses_path },
        { .name = "json", .help = "one JSON object a log", .flag = &verify.is_json },
        { .name = "quiet", .help = "say only what is wrong", .flag = &verify.is_quiet },
    };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    int first, exit_code;

    pb_cli_usage_init(&usage, "[PATH]", 0, 1,
                      "Computes a log anew from its entries and compares tiles, root and "
                      "signature. PATH is the directory of a log's public files, wherever it was "
                      "copied; nothing else is needed but the key. Leaves with 1 where anything "
                      "is wrong.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if ((first < argc) == (verify.data != NULL))
        return pb_cli_usage_error(cli, "say what to check: --data DIR, or PATH and --vkey KEY");
    if (first < argc && verify.vkey == NULL)
        return pb_cli_usage_error(cli, "--vkey is missing: a log is checked against its key, which "
                                       "must not come from the log itself");
    if (first == argc &&
        (verify.vkey != NULL || verify.old_path != NULL || verify.witnesses_path != NULL))
        return pb_cli_usage_error(cli, "--vkey, --old-checkpoint and --witnesses are of one log: "
                                       "give its PATH instead of --data");
    exit_code = first < argc ? verify_copy(&verify, argv[first]) : verify_site(&verify);
    if (verify.wrong_total > 0 && !verify.is_json)
        pb_cli_say(cli, "%" PRIu64 " wrong place%s", verify.wrong_total,
                   verify.wrong_total == 1 ? "" : "s");
    return verify.wrong_total > 0 && exit_code == PB_CLI_EXIT_OK ? PB_CLI_EXIT_FAILURE : exit_code;
}

/* ---- verify-proof ---- */

/* The line that begins at text, without its end; text moves behind it. */
static struct pb_str
next_line(const char **text)
{
    size_t length = strcspn(*text, "\n");
    struct pb_str line = { .text = *text, .bytes = (uint32_t)length };

    *text += length + ((*text)[length] != '\0' ? 1 : 0);
    return line;
}

/* "name salt value" with both in base64: prints name and value, as JSON. */
static void
put_opening(struct pb_cli_out *out, struct pb_str line)
{
    char value[PB_AUDIT_SECRET_BYTES_MAX];
    const char *name_end = memchr(line.text, ' ', line.bytes);
    const char *value_at, *line_end = line.text + line.bytes;
    size_t value_bytes = 0;

    if (name_end == NULL)
        return;
    value_at = memchr(name_end + 1, ' ', (size_t)(line_end - name_end - 1));
    value_at = value_at != NULL ? value_at + 1 : line_end;
    if (pb_base64_decode((struct pb_str){ value_at, (uint32_t)(line_end - value_at) },
                         (uint8_t *)value, sizeof(value), &value_bytes) != PB_OK)
        return;
    pb_cli_put_json(out, line.text, (size_t)(name_end - line.text));
    pb_cli_put_text(out, ": ");
    pb_cli_put_json(out, value, value_bytes);
    pb_cli_put_text(out, "\n");
}

/* What was proved: the leaf, and what was opened of it. */
static void
put_proved(struct pb_cli_out *out, const char *text)
{
    const char *at = strstr(text, "\n\nleaf\n");
    struct pb_str line;

    if (at == NULL)
        return;
    at += strlen("\n\nleaf\n");
    line = next_line(&at);
    pb_cli_put_bytes(out, line.text, line.bytes);
    pb_cli_put_text(out, "\n");
    at = strstr(at, "\nopenings\n");
    if (at == NULL)
        return;
    at += strlen("\nopenings\n");
    while (*at != '\0' && *at != '\n')
        put_opening(out, next_line(&at));
}

int
pb_cli_audit_verify_proof(struct pb_cli *cli, int argc, char **argv)
{
    const char *vkey = NULL;
    bool is_quiet = false;
    const struct pb_cli_option options[] = {
        { .name = "vkey",
          .placeholder = "KEY",
          .help = "key of the log, as audit keys prints it",
          .is_required = true,
          .example = "'example.org/log+1a2b3c4d+...'",
          .text = &vkey },
        { .name = "quiet", .help = "print nothing", .flag = &is_quiet },
    };
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    char *text = NULL;
    size_t bytes = 0;
    int first, exit_code = PB_CLI_EXIT_OK;

    pb_cli_usage_init(&usage, "FILE", 1, 1,
                      "Checks a proof that audit prove wrote: that the entry in it stands in the "
                      "log of the key, and that what was opened of it is what the entry committed "
                      "to. Needs no data directory. Prints the entry, and what was opened. Leaves "
                      "with 1 where it proves nothing.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);

    status = pb_cli_load(cli->env, argv[first], PROOF_BYTES_MAX, &text, &bytes, &error);
    if (status == PB_OK) {
        const struct pb_str proof = { .text = text, .bytes = (uint32_t)bytes };

        status = pb_audit_verify_proof(cli->env, proof, vkey, &error);
    }
    if (status != PB_OK) {
        exit_code = pb_cli_failure(cli, status, &error);
    } else if (!is_quiet) {
        put_proved(cli->out, text);
        pb_cli_say(cli, "the proof holds: this entry stands in the log of that key");
    }
    pb_free(cli->env, text);
    return exit_code;
}
