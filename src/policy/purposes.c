/*
 * Purposes: what one means, and which agreement permits it.
 *
 * A purpose is known where a pack in force declares it. An agreement permits it by its code, or by
 * all that it counts as; one that names no purpose permits none.
 */
#include "base/text.h"
#include "policy/policy_private.h"

static bool
is_pack_in_force(const struct pb_asking *asking, const struct pb_pack *pack)
{
    return pack->valid_from_us <= asking->now_us;
}

void
pb_purpose_find(struct pb_asking *asking)
{
    const struct pb_rules *rules = asking->rules;
    int number = pb_purpose_number(rules, asking->request->purpose);

    asking->purpose = -1;
    for (uint32_t i = 0; number >= 0 && i < rules->purpose_count; i++) {
        const struct pb_purpose *purpose = &rules->purposes[i];

        if ((int)purpose->number != number || !is_pack_in_force(asking, purpose->pack))
            continue;
        asking->purpose = number;
        asking->purpose_class = purpose->class;
        for (size_t j = 0; j < sizeof(purpose->counts_as.bits) / sizeof(purpose->counts_as.bits[0]);
             j++)
            asking->counts_as.bits[j] |= purpose->counts_as.bits[j];
    }
    asking->own_meaning = asking->counts_as;
    if (asking->purpose >= 0)
        pb_purpose_set_add(&asking->own_meaning, (unsigned)asking->purpose);
    asking->meaning = asking->own_meaning;
}

bool
pb_purpose_is_permitted(const struct pb_asking *asking, const struct pb_purpose_set *set)
{
    uint64_t any = 0, missing = 0, given_away = 0;

    if (asking->purpose < 0)
        return false;
    for (size_t i = 0; i < sizeof(set->bits) / sizeof(set->bits[0]); i++) {
        any |= asking->counts_as.bits[i];
        missing |= asking->counts_as.bits[i] & ~set->bits[i];
        given_away |= asking->meaning.bits[i] & ~asking->own_meaning.bits[i] & ~set->bits[i];
    }
    /* What the justification gives away must be permitted like what was stated. */
    if (given_away != 0)
        return false;
    return pb_purpose_set_has(set, (unsigned)asking->purpose) || (any != 0 && missing == 0);
}

bool
pb_agreement_permits(const struct pb_asking *asking, const struct pb_agreement *agreement)
{
    struct pb_purpose_set set = { { 0 } };

    if (agreement->is_revoked || asking->now_us < agreement->starts_at_us ||
        asking->now_us >= agreement->ends_at_us)
        return false;
    for (uint32_t i = 0; i < agreement->purpose_count; i++) {
        int number = pb_purpose_number(asking->rules, agreement->purposes[i]);

        if (number >= 0)
            pb_purpose_set_add(&set, (unsigned)number);
    }
    return pb_purpose_is_permitted(asking, &set);
}
