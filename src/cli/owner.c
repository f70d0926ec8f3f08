/*
 * Owner: looked up in the catalog's view.
 */
#include "cli/owner.h"

#include "base/text.h"

/* The agency that is meant, or NULL where that is none or several. */
static const struct pb_agency *
find_owner(const struct pb_catalog_view *view, const char *agency)
{
    const struct pb_agency *found = NULL;

    for (uint32_t i = 0; i < view->agency_count; i++) {
        const struct pb_agency *owner = &view->agencies[i];
        bool is_meant = agency != NULL ? pb_str_equal(owner->id, pb_str_from(agency))
                                       : owner->contributes && owner->is_active;

        if (is_meant && found != NULL)
            return NULL;
        found = is_meant ? owner : found;
    }
    return found;
}

/* How long reads of new readers may be kept: the question of an origin that is not there yet. */
static int64_t
keep_of_new(const struct pb_rules *rules, const struct pb_agency *owner, uint16_t capture_state,
            int64_t now_us)
{
    const struct pb_origin origin = { .agency = 0, .capture_state = capture_state };
    const struct pb_catalog_view view = {
        .agencies = owner,
        .agency_count = 1,
        .origins = &origin,
        .origin_count = 1,
    };

    return pb_policy_retention_us(rules, &view, 0, now_us, NULL);
}

static bool
keeps_all(const struct pb_rules *rules, const struct pb_catalog_view *view,
          const struct pb_agency *owner, uint16_t capture_state, int64_t now_us)
{
    for (uint32_t i = 0; i < view->origin_count; i++) {
        if (pb_policy_retention_us(rules, view, i, now_us, NULL) < PB_RETENTION_ON_DISK_MIN_US)
            return false;
    }
    return owner == NULL ||
           keep_of_new(rules, owner, capture_state, now_us) >= PB_RETENTION_ON_DISK_MIN_US;
}

enum pb_status
pb_cli_owner_of(struct pb_site *site, const char *agency, uint16_t capture_state, int64_t now_us,
                struct pb_cli_owner *ret_owner, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    const struct pb_agency *owner;
    struct pb_rules *rules;
    enum pb_status status = pb_catalog_view_take(pb_site_catalog(site), &view, error);

    if (status != PB_OK)
        return status;
    rules = pb_site_rules(site);
    owner = find_owner(view, agency);
    if (capture_state == 0 && owner != NULL)
        capture_state = owner->jurisdiction;
    *ret_owner = (struct pb_cli_owner){
        .capture_state = capture_state,
        .keeps_records = keeps_all(rules, view, owner, capture_state, now_us),
    };
    pb_rules_unref(rules);
    pb_catalog_view_drop(view);
    return PB_OK;
}
