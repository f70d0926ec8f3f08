/*
 * Review: looking at entries, proofs, notices. Each look is a leaf first.
 */
#include "inquiry/review.h"

#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "inquiry/inquiry_private.h"

/* ---- who may ---- */

static enum pb_status
check_auditor(struct pb_look *look, uint32_t permission, struct pb_error *error)
{
    const struct pb_catalog_view *view = look->facts->view;
    uint32_t index = pb_view_person(view, look->person);

    if (!pb_view_may(view, index, permission, look->now_us))
        return pb_fail(error, PB_DENIED, "person: may not look at the audit log");
    look->agency = view->people[index].agency;
    pb_site_id_text(view->agencies[look->agency].id, look->log);
    return PB_OK;
}

enum pb_status
pb_look_begin(struct pb_look *look, struct pb_site *site, struct pb_str person,
              struct pb_error *error)
{
    enum pb_status status = PB_OK;

    *look = (struct pb_look){
        .site = site, .person = person, .agency = PB_NO_INDEX, .now_us = pb_now_us(site->env)
    };
    if (site->mode == PB_SITE_LOOK)
        return pb_fail(error, PB_BAD_INPUT,
                       "the data directory is open read only, and a look at the log is recorded");
    status = pb_site_facts(site, look->now_us, &look->facts, error);
    if (status != PB_OK)
        return status;
    pb_site_id_text(pb_str_from(PB_AUDIT_OPERATOR), look->log);
    return person.bytes == 0 ? PB_OK : check_auditor(look, PB_MAY_AUDIT, error);
}

void
pb_look_end(struct pb_look *look)
{
    pb_facts_drop(look->facts);
}

/* The leaf that stands before anything is shown. */
enum pb_status
pb_look_record(struct pb_look *look, const char *what, struct pb_str filter, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;

    pb_draft_init(&leaf, look->log, "audit-read", PB_KEEP_OPENINGS_US);
    pb_draft_text(&leaf, "what", pb_str_from(what));
    pb_draft_secret(&leaf, "person", look->person);
    pb_draft_secret(&leaf, "filters", filter);
    return pb_drafts_append(look->site, &leaf, 1, &index, error);
}

void
pb_look_prefix(const struct pb_look *look, char ret_prefix[PB_CATALOG_ID_BYTES_MAX + 2])
{
    (void)snprintf(ret_prefix, PB_CATALOG_ID_BYTES_MAX + 2, "%s/", look->log);
}

/* ---- reading ---- */

struct reading {
    const struct pb_review_filter *filter;
    struct pb_str plate; /* folded */
    char kind[64];       /* as it stands in a leaf: "kind":"plate" */
    pb_audit_entry_fn *each;
    void *context;
};

static bool
has_secret(const struct pb_audit_entry *entry, const char *name, struct pb_str wanted)
{
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        if (strcmp(entry->secrets[i].name, name) == 0)
            return !entry->secrets[i].is_destroyed && pb_str_equal(entry->secrets[i].value, wanted);
    }
    return false;
}

/* Leaves are written in one spelling, so a member is found by its bytes. */
static bool
has_member(struct pb_str leaf, const char *member)
{
    size_t bytes = strlen(member);

    return bytes == 0 || memmem(leaf.text, leaf.bytes, member, bytes) != NULL;
}

static bool
fits(const struct reading *reading, const struct pb_audit_entry *entry)
{
    const struct pb_review_filter *filter = reading->filter;

    return has_member(entry->leaf, reading->kind) &&
           (filter->person.bytes == 0 || has_secret(entry, "person", filter->person)) &&
           (filter->case_number.bytes == 0 || has_secret(entry, "case", filter->case_number)) &&
           (filter->plate.bytes == 0 || has_secret(entry, "plate", reading->plate));
}

static bool
read_entry(void *context, const struct pb_audit_entry *entry)
{
    struct reading *reading = context;

    return fits(reading, entry) ? reading->each(reading->context, entry) : true;
}

/* What was looked for, for the leaf. */
static struct pb_str
filter_text(const struct pb_review_filter *filter, char *room, size_t room_bytes)
{
    struct pb_text_out out = pb_text_out(room, room_bytes);
    const struct {
        const char *name;
        struct pb_str value;
    } parts[] = { { "event=", pb_str_from(filter->event) },
                  { ";kind=", filter->kind },
                  { ";person=", filter->person },
                  { ";plate=", filter->plate },
                  { ";case=", filter->case_number } };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].value.bytes == 0)
            continue;
        pb_put_text(&out, parts[i].name);
        pb_put_str(&out, parts[i].value);
    }
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static bool
is_pattern(struct pb_str plate)
{
    for (uint32_t i = 0; i < plate.bytes; i++) {
        if (plate.text[i] == '?' || plate.text[i] == '*' || plate.text[i] == '[')
            return true;
    }
    return false;
}

static enum pb_status
start_reading(struct reading *reading, char plate[PB_PLATE_BYTES_MAX], struct pb_error *error)
{
    const struct pb_review_filter *filter = reading->filter;

    reading->kind[0] = '\0';
    if (filter->kind.bytes > 32 || filter->person.bytes > PB_CATALOG_ID_BYTES_MAX ||
        filter->plate.bytes > PB_PLATE_RAW_BYTES_MAX ||
        filter->case_number.bytes > PB_CATALOG_TEXT_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "filter: too long");
    if (filter->kind.bytes > 0)
        (void)snprintf(reading->kind, sizeof(reading->kind), "\"kind\":\"%.*s\"",
                       (int)filter->kind.bytes, filter->kind.text);
    reading->plate = filter->plate;
    if (filter->plate.bytes > 0) {
        reading->plate.text = plate;
        /* What does not fold is a pattern, which is recorded as it was typed. */
        if (is_pattern(filter->plate) ||
            pb_plate_fold(filter->plate, plate, &reading->plate.bytes) != PB_OK)
            reading->plate = filter->plate;
    }
    return PB_OK;
}

static enum pb_status
read_log(struct pb_look *look, struct reading *reading, uint64_t first, uint64_t last,
         struct pb_error *error)
{
    const struct pb_review_filter *filter = reading->filter;
    const struct pb_audit_filter audit_filter = {
        .log = look->log,
        .first = first,
        .last = last,
        .from_us = filter->from_us,
        .to_us = filter->to_us,
        .event = filter->event,
    };

    return pb_audit_read(look->site->audit, &audit_filter, read_entry, reading, error);
}

enum pb_status
pb_review_read(struct pb_site *site, struct pb_str person, const struct pb_review_filter *filter,
               pb_audit_entry_fn *each, void *context, struct pb_error *error)
{
    struct reading reading = { .filter = filter, .each = each, .context = context };
    char room[PB_CATALOG_TEXT_BYTES_MAX + 512];
    char plate[PB_PLATE_BYTES_MAX];
    struct pb_look look;
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK)
        status = start_reading(&reading, plate, error);
    if (status == PB_OK)
        status = pb_look_record(&look, "entries", filter_text(filter, room, sizeof(room)), error);
    if (status == PB_OK)
        status = read_log(&look, &reading, filter->first,
                          filter->last == 0 ? UINT64_MAX : filter->last, error);
    pb_look_end(&look);
    return status;
}

enum pb_status
pb_review_prove(struct pb_site *site, struct pb_str person, uint64_t index, bool with_openings,
                char **ret_text, struct pb_error *error)
{
    char room[32];
    int length = snprintf(room, sizeof(room), "index=%llu", (unsigned long long)index);
    struct pb_look look;
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK)
        status = pb_look_record(&look, with_openings ? "proof-with-openings" : "proof",
                                (struct pb_str){ room, (uint32_t)length }, error);
    if (status == PB_OK)
        status = pb_audit_prove(site->audit, look.log, index, with_openings, ret_text, error);
    pb_look_end(&look);
    return status;
}

enum pb_status
pb_review_prove_consistency(struct pb_site *site, struct pb_str person, uint64_t old_size,
                            char **ret_text, struct pb_error *error)
{
    char room[32];
    int length = snprintf(room, sizeof(room), "old=%llu", (unsigned long long)old_size);
    struct pb_look look;
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK)
        status =
            pb_look_record(&look, "consistency", (struct pb_str){ room, (uint32_t)length }, error);
    if (status == PB_OK)
        status = pb_audit_prove_consistency(site->audit, look.log, old_size, ret_text, error);
    pb_look_end(&look);
    return status;
}

/* ---- what waits for a second person ---- */

enum pb_status
pb_review_pending(struct pb_site *site, struct pb_str person, struct pb_str token,
                  pb_audit_entry_fn *each, void *context, struct pb_error *error)
{
    uint8_t room[PB_INQUIRY_TOKEN_BYTES_MAX];
    struct pb_inquiry_token opened;
    struct pb_review_filter filter = { .event = "held" };
    struct reading reading = { .filter = &filter, .each = each, .context = context };
    struct pb_look look = { .site = site, .person = person, .now_us = pb_now_us(site->env) };
    enum pb_status status = PB_OK;

    if (site->mode == PB_SITE_LOOK)
        return pb_fail(error, PB_BAD_INPUT, "the data directory is open to look only");
    if (!pb_inquiry_token_open(site, PB_TOKEN_APPROVAL, token, look.now_us, room, &opened))
        return pb_fail(error, PB_BAD_INPUT,
                       "token: not one that waits for a second person, or its time is over");
    status = pb_site_facts(site, look.now_us, &look.facts, error);
    if (status == PB_OK)
        status = check_auditor(&look, PB_MAY_APPROVE, error);
    if (status == PB_OK)
        status = pb_approver_check(look.facts->view, person, &opened, look.now_us, error);
    if (status == PB_OK)
        status = pb_look_record(&look, "pending", (struct pb_str){ 0 }, error);
    if (status == PB_OK)
        status = read_log(&look, &reading, opened.index, opened.index, error);
    pb_look_end(&look);
    return status;
}

/* ---- notices and disclosures ---- */

static enum pb_status
show_notes(struct pb_site *site, struct pb_str person, const char *name, pb_review_notice_fn *each,
           void *context, struct pb_error *error)
{
    char prefix[PB_CATALOG_ID_BYTES_MAX + 2];
    struct pb_look look;
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK)
        status = pb_look_record(&look, name, (struct pb_str){ 0 }, error);
    if (status == PB_OK) {
        pb_look_prefix(&look, prefix);
        status = pb_catalog_notes(site->catalog, name, prefix, each, context, error);
    }
    pb_look_end(&look);
    return status;
}

enum pb_status
pb_review_notices(struct pb_site *site, struct pb_str person, pb_review_notice_fn *each,
                  void *context, struct pb_error *error)
{
    return show_notes(site, person, "notice", each, context, error);
}

enum pb_status
pb_review_disclosures(struct pb_site *site, struct pb_str person, pb_review_notice_fn *each,
                      void *context, struct pb_error *error)
{
    return show_notes(site, person, "disclosure", each, context, error);
}
