/*
 * Leaves: building audit leaves within their bounds, and appending them.
 */
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define LEAVES_AT_ONCE 16u
#define TEXT_BYTES_MAX 256u /* of a text in the open: audit.h */

void
pb_draft_init(struct pb_draft *leaf, const char *log, const char *event, int64_t keep_us)
{
    leaf->log = log;
    leaf->event = event;
    leaf->field_count = 0;
    leaf->secret_count = 0;
    leaf->keep_openings_us = keep_us;
}

static struct pb_audit_field *
add_field(struct pb_draft *leaf, const char *name)
{
    struct pb_audit_field *field = NULL;

    if (leaf->field_count == PB_AUDIT_FIELDS_MAX)
        return NULL;
    field = &leaf->fields[leaf->field_count++];
    memset(field, 0, sizeof(*field));
    field->name = name;
    return field;
}

/* Cuts text to at most bytes_max bytes, between characters. */
static struct pb_str
cut(struct pb_str text, uint32_t bytes_max)
{
    if (text.bytes <= bytes_max)
        return text;
    text.bytes = bytes_max;
    while (text.bytes > 0 && ((unsigned char)text.text[text.bytes] & 0xC0) == 0x80)
        text.bytes--;
    return text;
}

void
pb_draft_text(struct pb_draft *leaf, const char *name, struct pb_str text)
{
    struct pb_audit_field *field = text.bytes == 0 ? NULL : add_field(leaf, name);

    if (field == NULL)
        return;
    field->kind = PB_AUDIT_FIELD_TEXT;
    field->text = cut(text, TEXT_BYTES_MAX);
}

void
pb_draft_number(struct pb_draft *leaf, const char *name, int64_t number)
{
    struct pb_audit_field *field = add_field(leaf, name);

    if (field == NULL)
        return;
    field->kind = PB_AUDIT_FIELD_NUMBER;
    field->number = number;
}

void
pb_draft_hash(struct pb_draft *leaf, const char *name, const uint8_t hash[PB_DIGEST_BYTES])
{
    struct pb_audit_field *field = add_field(leaf, name);

    if (field == NULL)
        return;
    field->kind = PB_AUDIT_FIELD_HASH;
    field->text = (struct pb_str){ (const char *)hash, PB_DIGEST_BYTES };
}

void
pb_draft_secret(struct pb_draft *leaf, const char *name, struct pb_str value)
{
    if (value.bytes == 0 || leaf->secret_count == PB_AUDIT_FIELDS_MAX)
        return;
    leaf->secrets[leaf->secret_count++] = (struct pb_audit_secret){
        .name = name,
        .value = cut(value, PB_AUDIT_SECRET_BYTES_MAX),
    };
}

static struct pb_audit_leaf
audit_leaf(const struct pb_draft *leaf)
{
    return (struct pb_audit_leaf){
        .log = leaf->log,
        .event = leaf->event,
        .fields = leaf->fields,
        .field_count = leaf->field_count,
        .secrets = leaf->secrets,
        .secret_count = leaf->secret_count,
        .keep_openings_us = leaf->keep_openings_us,
    };
}

enum pb_status
pb_drafts_append(struct pb_site *site, const struct pb_draft *leaves, uint32_t count,
                 uint64_t *ret_indices, struct pb_error *error)
{
    struct pb_audit_leaf few[LEAVES_AT_ONCE] = { 0 };
    struct pb_audit_leaf *many = few;
    enum pb_status status = PB_OK;

    if (count > LEAVES_AT_ONCE) {
        many = pb_calloc(site->env, count, sizeof(*many));
        if (many == NULL)
            return pb_fail(error, PB_E_NOMEM, "no memory for %u audit leaves", count);
    }
    for (uint32_t i = 0; i < count; i++)
        many[i] = audit_leaf(&leaves[i]);
    status = pb_audit_append(site->audit, many, count, ret_indices, error);
    if (many != few)
        pb_free(site->env, many);
    /* A log that is missing is a record that cannot be made: no answer, but a failure. */
    return status == PB_NOT_FOUND || status == PB_OVER_LIMIT
               ? pb_fail(error, PB_E_CORRUPT,
                         "the audit log takes no record (%s): nothing is "
                         "answered",
                         pb_status_name(status))
               : status;
}

/* ---- reading ---- */

uint64_t
pb_entry_number(const struct pb_audit_entry *entry, const char *name)
{
    struct pb_str digits = pb_entry_member(entry, name);
    uint64_t number = 0;

    for (uint32_t i = 0;
         i < digits.bytes && i < 15 && digits.text[i] >= '0' && digits.text[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(digits.text[i] - '0');
    return number;
}
