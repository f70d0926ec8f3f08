/*
 * Facts: view, rules and how long each origin's reads are kept, of one moment.
 *
 * They are made anew when the catalog changed, when rules were loaded, and when a pack comes into
 * force; until then all inquiries share them, so that a row costs one look-up.
 */
#include <string.h>

#include "inquiry/inquiry_private.h"

void
pb_facts_drop(struct pb_facts *facts)
{
    if (facts == NULL || atomic_fetch_sub(&facts->references, 1) != 1)
        return;
    pb_catalog_view_drop(facts->view);
    pb_rules_unref(facts->rules);
    pb_free(facts->env, facts->retention_us);
    pb_free(facts->env, facts->no_capture);
    pb_free(facts->env, facts->activity);
    pb_free(facts->env, facts);
}

/* Of what the law forbids, what the owner says that there is. */
static uint32_t
no_capture_of(const struct pb_rules *rules, const struct pb_catalog_view *view, uint32_t origin,
              int64_t now_us)
{
    const struct pb_agency *owner = &view->agencies[view->origins[origin].agency];
    uint32_t kinds = 0;

    for (uint32_t i = 0; i < owner->zone_count; i++)
        kinds |= UINT32_C(1) << owner->zones[i].kind;
    return kinds == 0
               ? 0
               : kinds & pb_policy_no_capture(rules, view->origins[origin].capture_state, now_us);
}

bool
pb_facts_in_zone(const struct pb_facts *facts, uint32_t origin, uint32_t reader, int32_t lat_e7,
                 int32_t lon_e7)
{
    const struct pb_catalog_view *view = facts->view;
    const struct pb_agency *owner = &view->agencies[view->origins[origin].agency];

    if (facts->no_capture[origin] == 0)
        return false;
    if (lat_e7 == PB_NO_POSITION && reader != PB_NO_INDEX) {
        lat_e7 = view->readers[reader].lat_e7;
        lon_e7 = view->readers[reader].lon_e7;
    }
    if (lat_e7 == PB_NO_POSITION)
        return false;
    for (uint32_t i = 0; i < owner->zone_count; i++) {
        const struct pb_zone *zone = &owner->zones[i];

        if ((facts->no_capture[origin] >> zone->kind & 1u) != 0 &&
            pb_geo_distance_m(lat_e7, lon_e7, zone->lat_e7, zone->lon_e7) <= zone->radius_m)
            return true;
    }
    return false;
}

struct span {
    int64_t now_us, from_us, until_us;
};

static bool
narrow(void *context, const struct pb_pack_info *pack)
{
    struct span *span = context;

    if (pack->valid_from_us > span->now_us && pack->valid_from_us < span->until_us)
        span->until_us = pack->valid_from_us;
    if (pack->valid_from_us <= span->now_us && pack->valid_from_us > span->from_us)
        span->from_us = pack->valid_from_us;
    return true;
}

static enum pb_status
make(struct pb_site *site, const struct pb_catalog_view *view, int64_t now_us,
     struct pb_facts **ret_facts)
{
    struct span span = { .now_us = now_us, .from_us = INT64_MIN, .until_us = INT64_MAX };
    struct pb_facts *facts = pb_calloc(site->env, 1, sizeof(*facts));

    if (facts == NULL)
        return PB_E_NOMEM;
    facts->retention_us =
        pb_calloc(site->env, view->origin_count + 1u, sizeof(*facts->retention_us));
    facts->no_capture = pb_calloc(site->env, view->origin_count + 1u, sizeof(*facts->no_capture));
    facts->activity = pb_calloc(site->env, view->reader_count + 1u, sizeof(*facts->activity));
    if (facts->retention_us == NULL || facts->no_capture == NULL || facts->activity == NULL ||
        pb_activity_index(site->activity, view, facts->activity) != PB_OK) {
        pb_free(site->env, facts->retention_us);
        pb_free(site->env, facts->no_capture);
        pb_free(site->env, facts->activity);
        pb_free(site->env, facts);
        return PB_E_NOMEM;
    }
    facts->env = site->env;
    facts->rules = pb_rules_ref(site->rules);
    for (uint32_t i = 0; i < view->origin_count; i++) {
        facts->retention_us[i] = pb_policy_retention_us(site->rules, view, i, now_us, NULL);
        facts->no_capture[i] = no_capture_of(site->rules, view, i, now_us);
        facts->has_zones |= facts->no_capture[i] != 0;
    }
    pb_rules_each_pack(site->rules, now_us, narrow, &span);
    pb_rules_digest(site->rules, now_us, facts->policy);
    facts->from_us = span.from_us;
    facts->until_us = span.until_us;
    facts->view = view;
    atomic_init(&facts->references, 1);
    *ret_facts = facts;
    return PB_OK;
}

static bool
is_current(const struct pb_site *site, const struct pb_catalog_view *view, int64_t now_us)
{
    const struct pb_facts *facts = site->facts;

    return facts != NULL && facts->view == view && facts->rules == site->rules &&
           now_us >= facts->from_us && now_us < facts->until_us;
}

/* facts_lock is held. view's reference moves into the facts on PB_OK, or is dropped. */
static enum pb_status
renew(struct pb_site *site, const struct pb_catalog_view *view, int64_t now_us,
      struct pb_error *error)
{
    struct pb_facts *facts = NULL;
    enum pb_status status = make(site, view, now_us, &facts);

    if (status != PB_OK) {
        pb_catalog_view_drop(view);
        return pb_fail(error, status, "no memory for the rules");
    }
    pb_facts_drop(site->facts);
    site->facts = facts;
    return PB_OK;
}

bool
pb_view_may(const struct pb_catalog_view *view, uint32_t person, uint32_t permission,
            int64_t now_us)
{
    const struct pb_person *who = person == PB_NO_INDEX ? NULL : &view->people[person];
    const struct pb_agency *agency = who == NULL ? NULL : &view->agencies[who->agency];

    /* As the rules that ship demand of who asks: at a gate or a home nobody is trained. */
    return who != NULL && who->status == PB_PERSON_ACTIVE && agency->is_active &&
           (who->permissions & permission) != 0 &&
           (agency->class == PB_AGENCY_PRIVATE || now_us < who->training_valid_until_us);
}

/* facts_lock is held; view's reference is taken over. */
static enum pb_status
freshen(struct pb_site *site, const struct pb_catalog_view *view, int64_t now_us,
        struct pb_error *error)
{
    enum pb_status status = PB_OK;

    /* Somebody may have taken a newer view meanwhile. */
    if (site->facts != NULL && site->facts->view->version > view->version) {
        pb_catalog_view_drop(view);
        status = pb_catalog_view_take(site->catalog, &view, error);
        if (status != PB_OK)
            return status;
    }
    if (is_current(site, view, now_us)) {
        pb_catalog_view_drop(view);
        return PB_OK;
    }
    return renew(site, view, now_us, error);
}

enum pb_status
pb_site_facts(struct pb_site *site, int64_t now_us, struct pb_facts **ret_facts,
              struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    enum pb_status status = pb_catalog_view_take(site->catalog, &view, error);

    if (status != PB_OK)
        return status;
    (void)pthread_mutex_lock(&site->facts_lock);
    status = pb_site_follow_rules(site, error);
    if (status == PB_OK)
        status = freshen(site, view, now_us, error);
    else
        pb_catalog_view_drop(view);
    if (status == PB_OK) {
        *ret_facts = site->facts;
        (void)atomic_fetch_add(&site->facts->references, 1);
    }
    (void)pthread_mutex_unlock(&site->facts_lock);
    return status;
}
