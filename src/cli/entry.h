/*
 * Entry: one entry of an audit log, opened, as text, as JSON or as a row of CSV.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_ENTRY_H
#define PB_CLI_ENTRY_H

#include "audit/audit.h"
#include "cli/cli.h"
#include "inquiry/entry.h"

/* All of it, for a person to read. */
void pb_cli_put_entry(struct pb_cli_out *out, const struct pb_audit_entry *entry);
/* One object on one line: log, index, at, event, leaf (as it was hashed) and what it hides. */
void pb_cli_put_entry_json(struct pb_cli_out *out, const struct pb_audit_entry *entry);
/* One row with the columns of pb_entry_csv_header; a cell that a spreadsheet would run as a
 * formula gets an apostrophe. */
void pb_cli_put_entry_csv(struct pb_cli_out *out, const struct pb_audit_entry *entry);

#endif
