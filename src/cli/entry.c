/*
 * Entry: a leaf is one line of JSON in one spelling (docs/formats/audit-log.md), so that members
 * are found by their bytes.
 */
#include "cli/entry.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

#define DIGEST_BYTES 32u
#define SHOWN_BYTES_MAX 4096u

struct pb_str
pb_cli_entry_secret(const struct pb_audit_entry *entry, const char *name)
{
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        if (strcmp(entry->secrets[i].name, name) == 0 && !entry->secrets[i].is_destroyed)
            return entry->secrets[i].value;
    }
    return (struct pb_str){ 0 };
}

/* Where the value of a member begins: behind `"name":`; NULL where there is none. Commitments come
 * last and are left out. */
static const char *
find_member(const struct pb_audit_entry *entry, const char *name)
{
    const char *at = entry->leaf.text, *end = at + entry->leaf.bytes;
    size_t bytes = strlen(name);

    for (; (size_t)(end - at) > bytes + 3; at++) {
        if (*at != '"')
            continue;
        if (memcmp(at, "\"c\":{", 5) == 0)
            return NULL;
        if (memcmp(at + 1, name, bytes) == 0 && at[bytes + 1] == '"' && at[bytes + 2] == ':')
            return at + bytes + 3;
        /* Over a text, in which a quote stands behind a backslash. */
        for (at++; at < end && *at != '"'; at++)
            at += *at == '\\';
    }
    return NULL;
}

struct pb_str
pb_cli_entry_member(const struct pb_audit_entry *entry, const char *name)
{
    const char *at = find_member(entry, name), *end = entry->leaf.text + entry->leaf.bytes;
    size_t length = 0;
    bool is_text;

    if (at == NULL || at >= end)
        return (struct pb_str){ 0 };
    is_text = *at == '"';
    at += is_text;
    while (at + length < end &&
           (is_text ? at[length] != '"' : at[length] != ',' && at[length] != '}'))
        length += is_text && at[length] == '\\' ? 2 : 1;
    if (at + length > end)
        length = (size_t)(end - at);
    return (struct pb_str){ .text = at, .bytes = (uint32_t)length };
}

/* Digests are bytes, the rest is text: digests are shown in hexadecimal. */
static struct pb_str
shown(const struct pb_audit_opened *secret, char hex[2 * DIGEST_BYTES + 1])
{
    if (secret->value.bytes != DIGEST_BYTES ||
        pb_utf8_is_valid(secret->value.text, secret->value.bytes))
        return secret->value;
    (void)sodium_bin2hex(hex, 2 * DIGEST_BYTES + 1, (const unsigned char *)secret->value.text,
                         DIGEST_BYTES);
    return (struct pb_str){ .text = hex, .bytes = 2 * DIGEST_BYTES };
}

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
    char at[PB_TIME_BYTES_MAX], hex[2 * DIGEST_BYTES + 1];

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
            put_safe(out, shown(&entry->secrets[i], hex));
        pb_cli_put_text(out, "\n");
    }
}

/* ---- JSON ---- */

void
pb_cli_put_entry_json(struct pb_cli_out *out, const struct pb_audit_entry *entry)
{
    char hex[2 * DIGEST_BYTES + 1];

    pb_cli_put_text(out, "{\"log\":");
    pb_cli_put_json_text(out, entry->log);
    pb_cli_put_format(out, ",\"index\":%" PRIu64 ",\"at\":", entry->index);
    pb_cli_put_json_time(out, entry->at_us);
    pb_cli_put_text(out, ",\"event\":");
    pb_cli_put_json_text(out, entry->event);
    pb_cli_put_text(out, ",\"leaf\":");
    pb_cli_put_bytes(out, entry->leaf.text, entry->leaf.bytes);
    pb_cli_put_text(out, ",\"opened\":{");
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        struct pb_str value = shown(&entry->secrets[i], hex);

        pb_cli_put_text(out, i > 0 ? "," : "");
        pb_cli_put_json_text(out, entry->secrets[i].name);
        pb_cli_put_text(out, ":");
        if (entry->secrets[i].is_destroyed)
            pb_cli_put_text(out, "null");
        else
            pb_cli_put_json(out, value.text, value.bytes);
    }
    pb_cli_put_text(out, "}}\n");
}

/* ---- CSV ---- */

const char pb_cli_entry_csv_header[] =
    "log,index,at,event,kind,verdict,purpose,person,beneficiary,case,offence,plate,jurisdiction,"
    "window,area,reason,count,rules\n";

static bool
is_formula(struct pb_str text)
{
    return text.bytes > 0 && strchr("=+-@\t\r", text.text[0]) != NULL;
}

/* RFC 4180: in quotes where it must be, quotes doubled; control characters as spaces. */
static void
put_csv_cell(struct pb_cli_out *out, struct pb_str text)
{
    pb_cli_put_text(out, ",\"");
    if (is_formula(text))
        pb_cli_put_text(out, "'");
    for (uint32_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.text[i];

        if (byte == '"')
            pb_cli_put_text(out, "\"\"");
        else if (byte < 0x20 || byte == 0x7F)
            pb_cli_put_text(out, " ");
        else
            pb_cli_put_bytes(out, &text.text[i], 1);
    }
    pb_cli_put_text(out, "\"");
}

void
pb_cli_put_entry_csv(struct pb_cli_out *out, const struct pb_audit_entry *entry)
{
    static const struct {
        const char *name;
        bool is_member; /* in the open */
    } cells[] = {
        { "kind", true },     { "verdict", true },      { "purpose", true },
        { "person", false },  { "beneficiary", false }, { "case", false },
        { "offence", false }, { "plate", false },       { "jurisdiction", false },
        { "window", false },  { "area", false },        { "reason", false },
        { "n", true },        { "rules", true },
    };
    char at[PB_TIME_BYTES_MAX];

    (void)pb_time_format(entry->at_us, PB_NO_UTC_OFFSET, at);
    pb_cli_put_format(out, "%s,%" PRIu64 ",%s,%s", entry->log, entry->index, at, entry->event);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        struct pb_str text = cells[i].is_member ? pb_cli_entry_member(entry, cells[i].name)
                                                : pb_cli_entry_secret(entry, cells[i].name);

        /* A purpose that no rule knows is hidden: it may hold anything. */
        if (cells[i].is_member && text.bytes == 0)
            text = pb_cli_entry_secret(entry, cells[i].name);
        put_csv_cell(out, text);
    }
    pb_cli_put_text(out, "\n");
}
