/*
 * Entry: members are found by their bytes; what is written is safe for who reads it.
 */
#include "inquiry/entry.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

#define DIGEST_BYTES 32u

struct pb_str
pb_entry_secret(const struct pb_audit_entry *entry, const char *name)
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
pb_entry_member(const struct pb_audit_entry *entry, const char *name)
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

struct pb_str
pb_entry_shown(const struct pb_audit_opened *secret, char room[PB_ENTRY_HEX_BYTES])
{
    if (secret->value.bytes != DIGEST_BYTES ||
        pb_utf8_is_valid(secret->value.text, secret->value.bytes))
        return secret->value;
    (void)sodium_bin2hex(room, PB_ENTRY_HEX_BYTES, (const unsigned char *)secret->value.text,
                         DIGEST_BYTES);
    return (struct pb_str){ .text = room, .bytes = 2 * DIGEST_BYTES };
}

/* ---- writing ---- */

static void
put_text(const struct pb_entry_sink *sink, const char *text)
{
    sink->put(sink->context, text, strlen(text));
}

static void
put_number(const struct pb_entry_sink *sink, uint64_t number)
{
    char text[24];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    pb_put_u64(&out, number);
    sink->put(sink->context, text, (size_t)(out.at - text));
}

void
pb_entry_put_json(const struct pb_entry_sink *sink, const struct pb_audit_entry *entry)
{
    char hex[PB_ENTRY_HEX_BYTES], at[PB_TIME_BYTES_MAX];

    (void)pb_time_format(entry->at_us, PB_NO_UTC_OFFSET, at);
    put_text(sink, "{\"log\":");
    sink->put_json(sink->context, pb_str_from(entry->log));
    put_text(sink, ",\"index\":");
    put_number(sink, entry->index);
    put_text(sink, ",\"at\":");
    sink->put_json(sink->context, pb_str_from(at));
    put_text(sink, ",\"event\":");
    sink->put_json(sink->context, pb_str_from(entry->event));
    put_text(sink, ",\"leaf\":");
    sink->put(sink->context, entry->leaf.text, entry->leaf.bytes);
    put_text(sink, ",\"opened\":{");
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        put_text(sink, i > 0 ? "," : "");
        sink->put_json(sink->context, pb_str_from(entry->secrets[i].name));
        put_text(sink, ":");
        if (entry->secrets[i].is_destroyed)
            put_text(sink, "null");
        else
            sink->put_json(sink->context, pb_entry_shown(&entry->secrets[i], hex));
    }
    put_text(sink, "}}");
}

const char pb_entry_csv_header[] =
    "log,index,at,event,kind,verdict,purpose,person,beneficiary,case,offence,plate,jurisdiction,"
    "window,area,reason,count,rules\n";

static bool
is_formula(struct pb_str text)
{
    return text.bytes > 0 && strchr("=+-@\t\r", text.text[0]) != NULL;
}

/* RFC 4180: in quotes where it must be, quotes doubled; control characters as spaces. */
static void
put_cell(const struct pb_entry_sink *sink, struct pb_str text)
{
    put_text(sink, is_formula(text) ? ",\"'" : ",\"");
    for (uint32_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.text[i];

        if (byte == '"')
            put_text(sink, "\"\"");
        else if (byte < 0x20 || byte == 0x7F)
            put_text(sink, " ");
        else
            sink->put(sink->context, &text.text[i], 1);
    }
    put_text(sink, "\"");
}

void
pb_entry_put_csv(const struct pb_entry_sink *sink, const struct pb_audit_entry *entry)
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
    put_text(sink, entry->log);
    put_text(sink, ",");
    put_number(sink, entry->index);
    put_text(sink, ",");
    put_text(sink, at);
    put_text(sink, ",");
    put_text(sink, entry->event);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
        struct pb_str text = cells[i].is_member ? pb_entry_member(entry, cells[i].name)
                                                : pb_entry_secret(entry, cells[i].name);

        /* A purpose that no rule knows is hidden: it may hold anything. */
        if (cells[i].is_member && text.bytes == 0)
            text = pb_entry_secret(entry, cells[i].name);
        put_cell(sink, text);
    }
    put_text(sink, "\n");
}
