/*
 * Entry: an audit entry that was opened, as JSON and CSV, and what stands in its leaf.
 *
 * A leaf is one line of JSON in one spelling (docs/formats/audit-log.md), so that members are found
 * by their bytes.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_INQUIRY_ENTRY_H
#define PB_INQUIRY_ENTRY_H

#include <stddef.h>

#include "audit/audit.h"

/* A secret that can still be opened; empty otherwise. */
struct pb_str pb_entry_secret(const struct pb_audit_entry *entry, const char *name);
/* The value of a member in the open, a text without its quotes; empty where there is none. */
struct pb_str pb_entry_member(const struct pb_audit_entry *entry, const char *name);
/* What is shown of a secret: digests in hexadecimal. room outlives what is returned. */
#define PB_ENTRY_HEX_BYTES 65u
struct pb_str pb_entry_shown(const struct pb_audit_opened *secret, char room[PB_ENTRY_HEX_BYTES]);

/* Where text goes. */
struct pb_entry_sink {
    void *context;
    void (*put)(void *context, const char *bytes, size_t count);
    void (*put_json)(void *context, struct pb_str text); /* as a JSON string, with its quotes */
};
/* One JSON object, without an end of line. */
void pb_entry_put_json(const struct pb_entry_sink *sink, const struct pb_audit_entry *entry);
/* One line; a cell that a spreadsheet would run as a formula gets an apostrophe. */
extern const char pb_entry_csv_header[];
void pb_entry_put_csv(const struct pb_entry_sink *sink, const struct pb_audit_entry *entry);

#endif
