/*
 * Packs: which are in force, their names and digests.
 */
#include <string.h>

#include <platebase/plate.h>
#include <sodium.h>

#include "base/text.h"
#include "policy/policy_private.h"

#define COUNTRY_NUMBER_MAX 676u /* numbers above are subdivisions: plate/jurisdiction_list.h */

const struct pb_pack *
pb_pack_in_force(const struct pb_pack_group *group, int64_t now_us)
{
    for (uint32_t i = group->count; i > 0; i--) {
        if (group->packs[i - 1].valid_from_us <= now_us)
            return &group->packs[i - 1];
    }
    return NULL;
}

static const struct pb_pack_group *
find_group(const struct pb_rules *rules, struct pb_str id)
{
    uint32_t low = 0, high = rules->group_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = pb_str_compare(rules->groups[middle].packs[0].id, id);

        if (order == 0)
            return &rules->groups[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The number after the colon; 0 where it is none. */
static uint32_t
read_version(struct pb_str text)
{
    uint32_t version = 0;

    if (text.bytes > 7)
        return 0;
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return 0;
        version = version * 10 + (uint32_t)(text.text[i] - '0');
    }
    return version;
}

const struct pb_pack *
pb_pack_named(const struct pb_rules *rules, struct pb_str name, int64_t now_us)
{
    const char *colon = name.bytes == 0 ? NULL : memchr(name.text, ':', name.bytes);
    struct pb_str id = name;
    const struct pb_pack_group *group;
    uint32_t version;

    if (colon != NULL)
        id.bytes = (uint32_t)(colon - name.text);
    group = find_group(rules, id);
    if (group == NULL)
        return NULL;
    if (colon == NULL)
        return pb_pack_in_force(group, now_us);
    version = read_version((struct pb_str){ colon + 1, name.bytes - id.bytes - 1 });
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->packs[i].version == version && group->packs[i].valid_from_us <= now_us)
            return &group->packs[i];
    }
    return NULL;
}

uint32_t
pb_state_groups_first(const struct pb_rules *rules, uint16_t jurisdiction)
{
    uint32_t low = 0, high = rules->state_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (rules->state_groups[middle].jurisdiction < jurisdiction)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int
pb_purpose_number(const struct pb_rules *rules, struct pb_str code)
{
    uint32_t low = 0, high = rules->purpose_code_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = pb_str_compare(rules->purpose_codes[middle], code);

        if (order == 0)
            return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

uint16_t
pb_country_of(uint16_t jurisdiction)
{
    const char *name;

    if (jurisdiction <= COUNTRY_NUMBER_MAX)
        return jurisdiction;
    name = pb_jurisdiction_name(jurisdiction);
    return strlen(name) < 2 ? 0 : pb_jurisdiction_from_text((struct pb_str){ name, 2 });
}

bool
pb_is_within(uint16_t jurisdiction, uint16_t whole)
{
    return jurisdiction != 0 && (jurisdiction == whole || pb_country_of(jurisdiction) == whole);
}

void
pb_rules_each_pack(const struct pb_rules *rules, int64_t now_us, pb_pack_fn *each, void *context)
{
    for (uint32_t i = 0; i < rules->group_count; i++) {
        const struct pb_pack_group *group = &rules->groups[i];
        const struct pb_pack *in_force = pb_pack_in_force(group, now_us);

        for (uint32_t j = 0; j < group->count; j++) {
            const struct pb_pack *pack = &group->packs[j];
            struct pb_pack_info info = {
                .id = pack->id,
                .title = pack->title,
                .text_sha256_hex = { pack->text_sha256_hex, 64 },
                .version = pack->version,
                .valid_from_us = pack->valid_from_us,
                .rule_count = pack->rule_count,
                .unverified_count = pack->unverified_count,
                .is_in_force = pack == in_force,
            };

            if (!each(context, &info))
                return;
        }
    }
}

void
pb_rules_each_rule(const struct pb_rules *rules, int64_t now_us, pb_rule_fn *each, void *context)
{
    for (uint32_t i = 0; i < rules->group_count; i++) {
        const struct pb_pack *pack = pb_pack_in_force(&rules->groups[i], now_us);

        for (uint32_t j = 0; pack != NULL && j < pack->rule_count; j++) {
            const struct pb_rule_info info = {
                .pack = pack->id,
                .id = pack->rules[j].id,
                .text = pack->rules[j].text,
                .source = pack->rules[j].source,
                .version = pack->version,
                .kind = pack->rules[j].kind->name,
                .is_verified = pack->rules[j].is_verified,
            };

            if (!each(context, &info))
                return;
        }
    }
}

void
pb_rules_digest(const struct pb_rules *rules, int64_t now_us, uint8_t ret_sha256[32])
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    for (uint32_t i = 0; i < rules->pack_count; i++) {
        if (rules->packs[i].valid_from_us <= now_us)
            crypto_hash_sha256_update(&state, rules->packs[i].text_sha256, 32);
    }
    crypto_hash_sha256_final(&state, ret_sha256);
}
