/*
 * Entry: for people, made safe for a terminal; the rest is written by src/inquiry/entry.h.
 */
#include "cli/entry.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

#define SHOWN_BYTES_MAX 4096u

/* ---- text ---- */

/* Made harmless for a terminal, up to a length that a person reads. */
static void
put_safe(struct pb_cli_out *out, struct pb_str text)
{
    char safe[3 * SHOWN_BYTES_MAX];
    size_t bytes = text.bytes < SHOWN_BYTES_MAX ? text.bytes : SHOWN_BYTES_MAX;

    pb_cli_put_bytes(out, safe, pb_cli_safe_text(text.text, bytes, safe, sizeof(safe), NULL));
}

void
pb_cli_put_entry(struct pb_cli_out *out, const struct pb_audit_entry *entry)
{
    char at[PB_TIME_BYTES_MAX], hex[PB_ENTRY_HEX_BYTES];

    (void)pb_time_format(entry->at_us, PB_NO_UTC_OFFSET, at);
    pb_cli_put_format(out, "%s %" PRIu64 "  %s  %s\n", entry->log, entry->index, at, entry->event);
    pb_cli_put_text(out, "  leaf          ");
    put_safe(out, entry->leaf);
    pb_cli_put_text(out, "\n");
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        pb_cli_put_format(out, "  %-12s  ", entry->secrets[i].name);
        if (entry->secrets[i].is_destroyed)
            pb_cli_put_text(out, "(its key was destroyed)");
        else
            put_safe(out, pb_entry_shown(&entry->secrets[i], hex));
        pb_cli_put_text(out, "\n");
    }
}

/* ---- JSON and CSV ---- */

static void
put_bytes(void *out, const char *bytes, size_t count)
{
    pb_cli_put_bytes(out, bytes, count);
}

static void
put_json(void *out, struct pb_str text)
{
    pb_cli_put_json(out, text.text, text.bytes);
}

void
pb_cli_put_entry_json(struct pb_cli_out *out, const struct pb_audit_entry *entry)
{
    const struct pb_entry_sink sink = { out, put_bytes, put_json };

    pb_entry_put_json(&sink, entry);
    pb_cli_put_text(out, "\n");
}

void
pb_cli_put_entry_csv(struct pb_cli_out *out, const struct pb_audit_entry *entry)
{
    const struct pb_entry_sink sink = { out, put_bytes, put_json };

    pb_entry_put_csv(&sink, entry);
}
