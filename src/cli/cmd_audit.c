/*
 * audit: the logs of who asked what.
 */
#include "cli/audit.h"
#include "cli/sub.h"

int
pb_cmd_audit(struct pb_cli *cli, int argc, char **argv)
{
    static const struct pb_cli_command commands[] = {
        { "audit keys", "where each log is, and the key that checks it", pb_cli_audit_keys },
        { "audit verify", "check logs, also copied ones offline", pb_cli_audit_verify },
        { "audit prove", "write a proof that an entry stands in its log", pb_cli_audit_prove },
        { "audit verify-proof", "check such a proof, offline", pb_cli_audit_verify_proof },
        { "audit open", "show one entry with what only an auditor may see", pb_cli_audit_open },
        { "audit search", "find entries by person, plate, case, date or kind",
          pb_cli_audit_search },
        { "audit review", "draw samples, look at what stands out, note findings",
          pb_cli_audit_review },
        { "audit export", "entries as CSV or JSON", pb_cli_audit_export },
        { "audit witness", "others who sign that logs only grow", pb_cli_audit_witness },
        { "audit copies", "where checkpoints are copied to", pb_cli_audit_copies },
        { "audit restart", "begin a log again that a restored backup cannot continue",
          pb_cli_audit_restart },
        { "audit destroy-expired", "destroy the keys of what may not be opened any longer",
          pb_cli_audit_destroy_expired },
    };
    static const struct pb_cli_sub sub = {
        .commands = commands,
        .count = sizeof(commands) / sizeof(commands[0]),
        .text = "Every question, every answer and every change is an entry of an audit log that "
                "can only grow.\nAnybody may check a log with its key; only auditors of an agency "
                "may see what its\nentries hide, and every such look is an entry, too.",
        .example = "platebase audit verify --data DIR",
    };

    return pb_cli_sub_run(cli, &sub, argc, argv);
}
