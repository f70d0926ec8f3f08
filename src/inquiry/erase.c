/*
 * Erasing: reads that nobody shall find again, and keys of what nobody may open any longer.
 */
#include <platebase/plate.h>

#include "inquiry/inquiry_private.h"

enum pb_status
pb_site_erase(struct pb_site *site, const struct pb_actor *actor, struct pb_str why,
              const struct pb_erasure *erasure, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status;

    if (site->mode != PB_SITE_WRITE)
        return pb_fail(error, PB_BAD_INPUT, "the data directory is not open for writing");
    if (why.bytes == 0 || why.bytes > PB_JUSTIFICATION_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "why: say why, in at most %u bytes",
                       PB_JUSTIFICATION_BYTES_MAX);
    status = pb_site_may_operate(site, actor, error);
    if (status != PB_OK)
        return status;
    pb_draft_init(&leaf, PB_AUDIT_OPERATOR, "erase", PB_NEVER);
    pb_draft_number(&leaf, "from", erasure->from_us / 1000);
    pb_draft_number(&leaf, "to", erasure->to_us / 1000);
    pb_draft_secret(&leaf, "person", pb_str_from(actor->person));
    pb_draft_secret(&leaf, "reason", why);
    pb_draft_secret(&leaf, "plate", erasure->plate);
    pb_draft_secret(&leaf, "jurisdiction",
                    pb_str_from(pb_jurisdiction_name(erasure->jurisdiction)));
    pb_draft_secret(&leaf, "reader", erasure->reader);
    status = pb_drafts_append(site, &leaf, 1, &index, error);
    return status == PB_OK ? pb_store_erase(site->store, erasure, error) : status;
}

/* A leaf says how many went, also where more should have; where none went there is no leaf. */
enum pb_status
pb_site_destroy_expired(struct pb_site *site, uint64_t *ret_terms, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status, recorded;

    if (site->mode == PB_SITE_LOOK)
        return pb_fail(error, PB_BAD_INPUT, "the data directory is open to look only");
    status = pb_audit_destroy_expired(site->audit, pb_now_us(site->env), ret_terms, error);
    if (*ret_terms == 0)
        return status;
    pb_draft_init(&leaf, PB_AUDIT_OPERATOR, "destroy", PB_NEVER);
    pb_draft_number(&leaf, "terms", (int64_t)*ret_terms);
    recorded = pb_drafts_append(site, &leaf, 1, &index, status == PB_OK ? error : NULL);
    return status == PB_OK ? recorded : status;
}
