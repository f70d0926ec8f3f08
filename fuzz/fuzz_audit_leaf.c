/*
 * Fuzz target: leaves, and the openings of one. A leaf that is taken has one spelling: its members
 * can be found by name, and it is JSON to others, too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include "audit/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
parse_leaf(struct pb_str bytes)
{
    struct pb_leaf leaf;
    struct pb_str value;
    json_t *tree;

    if (pb_leaf_parse(bytes, &leaf, NULL) != PB_OK)
        return;
    check(leaf.time_ms >= 0 && leaf.commitment_count <= PB_AUDIT_FIELDS_MAX);
    check(pb_leaf_member(bytes, "c", &value) == PB_NOT_FOUND);
    tree = json_loadb(bytes.text, bytes.bytes, JSON_REJECT_DUPLICATES, NULL);
    check(tree != NULL);
    check(json_integer_value(json_object_get(tree, "t")) == leaf.time_ms);
    check(json_object_size(json_object_get(tree, "c")) == leaf.commitment_count);
    json_decref(tree);
}

static void
parse_openings(const uint8_t *bytes, size_t count)
{
    const char *end = (const char *)bytes + count;
    struct pb_openings openings;
    struct pb_leaf leaf;

    if (pb_openings_parse(bytes, count, &openings) != PB_OK)
        return;
    leaf.commitment_count = openings.count;
    for (uint32_t i = 0; i < openings.count; i++) {
        const struct pb_opening *opening = &openings.openings[i];

        check(opening->value.bytes <= (size_t)(end - opening->value.text));
        leaf.commitments[i].name = opening->name;
        pb_commitment(opening->name, opening->salt, opening->value, &leaf.commitments[i].hash);
    }
    check(pb_openings_check(&openings, &leaf, NULL) == PB_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > UINT32_MAX || sodium_init() < 0)
        return 0;
    parse_leaf((struct pb_str){ (const char *)data, (uint32_t)size });
    parse_openings(data, size);
    return 0;
}
