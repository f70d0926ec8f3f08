/*
 * Decision: one table from fields to options, and the same rules as text and as JSON.
 */
#include "cli/decision.h"

#include <inttypes.h>
#include <string.h>

const char *
pb_cli_option_of(const char *field)
{
    static const struct {
        const char *field, *option;
    } options[] = {
        { "person", "--person" },
        { "on_behalf_of", "--for" },
        { "purpose", "--purpose" },
        { "offence", "--offence" },
        { "case_number", "--case" },
        { "case", "--case" },
        { "justification", "--why" },
        { "relation", "--relation" },
        { "plate", "--plate" },
        { "jurisdiction", "--jurisdiction" },
        { "window", "--from and --to" },
        { "places", "--place" },
        { "step_up", "--step-up" },
        { "break_glass", "--break-glass" },
        { "export_recipient", "--recipient" },
        { "export_agreement", "--agreement" },
        { "export", "--export" },
        { "approver", "--approval" },
        { "identity", "--identity" },
        { "confirmation", "--confirm" },
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (strcmp(options[i].field, field) == 0)
            return options[i].option;
    }
    return NULL;
}

int
pb_cli_verdict_exit(enum pb_policy_verdict verdict)
{
    switch (verdict) {
    case PB_POLICY_ALLOW:
        return PB_CLI_EXIT_OK;
    case PB_POLICY_NEEDS_CONFIRMATION:
    case PB_POLICY_NEEDS_SECOND_PERSON:
        return PB_CLI_EXIT_NEEDS;
    case PB_POLICY_DENY:
        break;
    }
    return PB_CLI_EXIT_DENIED;
}

static const char *
words_of(enum pb_policy_verdict verdict)
{
    switch (verdict) {
    case PB_POLICY_ALLOW:
        return "allowed";
    case PB_POLICY_NEEDS_CONFIRMATION:
        return "not yet: you have to confirm it";
    case PB_POLICY_NEEDS_SECOND_PERSON:
        return "not yet: a second person has to approve it";
    case PB_POLICY_DENY:
        break;
    }
    return "denied";
}

static void
say_rule(const struct pb_cli *cli, const struct pb_spoken_rule *rule)
{
    const char *option = pb_cli_option_of(rule->field);

    pb_cli_say(cli, "  %.*s: %.*s", (int)rule->id.bytes, rule->id.text, (int)rule->text.bytes,
               rule->text.text);
    pb_cli_say(cli, "      source: %.*s%s", (int)rule->source.bytes, rule->source.text,
               rule->is_verified ? "" : " (not verified: read to the strict side)");
    if (option != NULL && rule->verdict == PB_POLICY_DENY)
        pb_cli_say(cli, "      it looks at %s", option);
}

void
pb_cli_say_decision(const struct pb_cli *cli, const struct pb_decision *decision)
{
    pb_cli_say(cli, "%s", words_of(decision->verdict));
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        if (decision->rules[i].verdict == decision->verdict)
            say_rule(cli, &decision->rules[i]);
    }
}

void
pb_cli_say_left_out(const struct pb_cli *cli, const struct pb_decision *decision)
{
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        const struct pb_spoken_rule *rule = &decision->rules[i];

        if (rule->origins_excluded == 0)
            continue;
        pb_cli_say(cli, "some readers are left out by %.*s%s: %.*s", (int)rule->id.bytes,
                   rule->id.text, rule->is_verified ? "" : " (not verified)", (int)rule->text.bytes,
                   rule->text.text);
    }
}

static void
put_text(struct pb_cli_out *out, const char *key, struct pb_str text)
{
    pb_cli_put_text(out, key);
    pb_cli_put_json(out, text.text, text.bytes);
}

static void
put_rule(struct pb_cli_out *out, const struct pb_spoken_rule *rule)
{
    const char *option = pb_cli_option_of(rule->field);

    put_text(out, "{\"id\":", rule->id);
    put_text(out, ",\"text\":", rule->text);
    put_text(out, ",\"source\":", rule->source);
    pb_cli_put_format(out, ",\"verified\":%s,\"verdict\":", rule->is_verified ? "true" : "false");
    pb_cli_put_json_text(out, pb_policy_verdict_name(rule->verdict));
    if (rule->field[0] != '\0') {
        pb_cli_put_text(out, ",\"field\":");
        pb_cli_put_json_text(out, rule->field);
    }
    if (option != NULL) {
        pb_cli_put_text(out, ",\"option\":");
        pb_cli_put_json_text(out, option);
    }
    if (rule->origins_excluded > 0)
        pb_cli_put_format(out, ",\"origins_excluded\":%" PRIu32, rule->origins_excluded);
    pb_cli_put_text(out, "}");
}

void
pb_cli_put_decision(struct pb_cli_out *out, const struct pb_decision *decision)
{
    pb_cli_put_text(out, "\"decision\":");
    pb_cli_put_json_text(out, pb_policy_verdict_name(decision->verdict));
    pb_cli_put_text(out, ",\"rules\":[");
    for (uint32_t i = 0; i < decision->rule_count; i++) {
        pb_cli_put_text(out, i > 0 ? "," : "");
        put_rule(out, &decision->rules[i]);
    }
    pb_cli_put_text(out, "]");
}
