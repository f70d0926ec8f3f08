/*
 * Leaf: fields and secrets in two short arrays.
 */
#include "api/leaf.h"

#include <assert.h>
#include <string.h>

#include "inquiry/site.h"

#define KEEP_OPENINGS_US (7 * 366 * INT64_C(86400000000)) /* as of changes */

void
pb_api_leaf_init(struct pb_api_leaf *leaf, struct pb_str log, const char *event)
{
    memset(leaf, 0, sizeof(*leaf));
    leaf->event = event;
    if (log.bytes == 0)
        log = (struct pb_str){ PB_AUDIT_OPERATOR, sizeof(PB_AUDIT_OPERATOR) - 1 };
    assert(log.bytes < sizeof(leaf->log));
    memcpy(leaf->log, log.text, log.bytes);
}

static struct pb_audit_field *
next_field(struct pb_api_leaf *leaf, const char *name)
{
    struct pb_audit_field *field = &leaf->fields[leaf->field_count++];

    assert(leaf->field_count <= PB_API_LEAF_PARTS_MAX);
    field->name = name;
    return field;
}

void
pb_api_leaf_text(struct pb_api_leaf *leaf, const char *name, struct pb_str text)
{
    struct pb_audit_field *field;

    if (text.bytes == 0)
        return;
    field = next_field(leaf, name);
    field->kind = PB_AUDIT_FIELD_TEXT;
    field->text = text;
}

void
pb_api_leaf_number(struct pb_api_leaf *leaf, const char *name, int64_t number)
{
    struct pb_audit_field *field = next_field(leaf, name);

    field->kind = PB_AUDIT_FIELD_NUMBER;
    field->number = number;
}

void
pb_api_leaf_hash(struct pb_api_leaf *leaf, const char *name, const uint8_t sha256[32])
{
    struct pb_audit_field *field = next_field(leaf, name);

    field->kind = PB_AUDIT_FIELD_HASH;
    field->text = (struct pb_str){ (const char *)sha256, 32 };
}

void
pb_api_leaf_secret(struct pb_api_leaf *leaf, const char *name, struct pb_str value)
{
    if (value.bytes == 0)
        return;
    assert(leaf->secret_count < PB_API_LEAF_PARTS_MAX);
    leaf->secrets[leaf->secret_count++] = (struct pb_audit_secret){ name, value };
}

enum pb_status
pb_api_leaf_append(const struct pb_api_leaf *leaf, struct pb_site *site, struct pb_error *error)
{
    const struct pb_audit_leaf whole = {
        .log = leaf->log,
        .event = leaf->event,
        .fields = leaf->fields,
        .field_count = leaf->field_count,
        .secrets = leaf->secrets,
        .secret_count = leaf->secret_count,
        .keep_openings_us = KEEP_OPENINGS_US,
    };
    uint64_t index;

    return pb_audit_append(pb_site_audit(site), &whole, 1, &index, error);
}
