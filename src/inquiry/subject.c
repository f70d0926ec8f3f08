/*
 * Subject access: what an agency holds of a plate, and who was given it.
 *
 * The reads are those of the own agency; a rule leaves out all others. Who was given them stands
 * in the agency's own log: inquiries of its people that name the plate, and what others were told
 * of its reads. Answers by place or by part name no plate; they are counted, for they may hold it.
 */
#include <string.h>

#include "inquiry/inquiry_private.h"

struct looking {
    struct pb_question *question;
    struct pb_disclosure *items; /* arena: PB_DISCLOSURES_MAX */
    uint64_t *indices;           /* arena: of own inquiries, along items; UINT64_MAX: another's */
    uint32_t count;
    bool is_cut;
    uint64_t unnamed;
    enum pb_status status;
    struct pb_error *error;
};

static const struct pb_audit_opened *
find_secret(const struct pb_audit_entry *entry, const char *name)
{
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        if (strcmp(entry->secrets[i].name, name) == 0)
            return &entry->secrets[i];
    }
    return NULL;
}

/* Whether the case that an inquiry was for goes on, as far as the catalog knows it. */
static enum pb_status
find_case(struct looking *looking, const struct pb_audit_entry *entry, struct pb_str agency,
          bool *ret_is_open)
{
    const struct pb_audit_opened *number = find_secret(entry, "case");
    struct pb_question *question = looking->question;
    struct pb_case found = { .is_open = false };
    enum pb_status status = PB_NOT_FOUND;

    if (number != NULL && !number->is_destroyed)
        status = pb_catalog_case(question->site->catalog, agency, number->value,
                                 &question->answer->arena, &found, looking->error);
    *ret_is_open = status == PB_OK && found.is_open;
    return status == PB_NOT_FOUND ? PB_OK : status;
}

static enum pb_status
add(struct looking *looking, const struct pb_audit_entry *entry, struct pb_str agency,
    uint64_t index)
{
    struct pb_arena *arena = &looking->question->answer->arena;
    struct pb_disclosure item = { .at_us = entry->at_us, .reads = pb_entry_number(entry, "n") };
    enum pb_status status = PB_OK;

    if (looking->count == PB_DISCLOSURES_MAX) {
        looking->is_cut = true;
        return PB_OK;
    }
    status = find_case(looking, entry, agency, &item.is_case_open);
    if (status == PB_OK)
        status = pb_arena_copy(arena, agency, &item.agency);
    if (status == PB_OK)
        status = pb_arena_copy(arena, pb_entry_member(entry, "purpose"), &item.purpose);
    if (status == PB_OK)
        status = pb_arena_copy(arena, pb_entry_member(entry, "kind"), &item.kind);
    if (status != PB_OK)
        return status;
    looking->indices[looking->count] = index;
    looking->items[looking->count++] = item;
    return PB_OK;
}

/* Does the inquiry name one plate, and is it this? */
static bool
names_plate(const struct looking *looking, const struct pb_audit_entry *entry)
{
    const struct pb_audit_opened *plate = find_secret(entry, "plate");

    return plate != NULL && !plate->is_destroyed &&
           pb_str_equal(plate->value, looking->question->plate);
}

/* One whole plate, which is another. */
static bool
names_another(const struct pb_audit_entry *entry)
{
    const struct pb_audit_opened *plate = find_secret(entry, "plate");
    struct pb_str kind = pb_entry_member(entry, "kind");

    return plate != NULL && !plate->is_destroyed &&
           (pb_str_equal(kind, pb_str_from("plate")) || pb_str_equal(kind, pb_str_from("subject")));
}

/* How many rows an own inquiry gave stands in the leaf of its answer. */
static void
add_result(struct looking *looking, const struct pb_audit_entry *entry)
{
    uint64_t of = pb_entry_number(entry, "of");

    for (uint32_t i = looking->count; i > 0; i--) {
        if (looking->indices[i - 1] != of)
            continue;
        looking->items[i - 1].reads += pb_entry_number(entry, "n");
        return;
    }
}

static bool
take_entry(void *context, const struct pb_audit_entry *entry)
{
    struct looking *looking = context;
    const struct pb_question *question = looking->question;
    bool is_own = strcmp(entry->event, "query") == 0;

    if (strcmp(entry->event, "result") == 0 || strcmp(entry->event, "page") == 0)
        add_result(looking, entry);
    if ((!is_own && strcmp(entry->event, "disclosed") != 0) ||
        (is_own && entry->index == question->answer->receipt.query_index))
        return true;
    if (names_plate(looking, entry))
        looking->status =
            add(looking, entry, is_own ? question->agency->id : pb_entry_member(entry, "asker"),
                is_own ? entry->index : UINT64_MAX);
    else if (!names_another(entry))
        looking->unnamed++;
    return looking->status == PB_OK;
}

static enum pb_status
find_disclosures(struct pb_question *question, struct pb_error *error)
{
    struct pb_answer *answer = question->answer;
    struct looking looking = { .question = question, .error = error };
    const struct pb_audit_filter filter = {
        .log = answer->log,
        .last = UINT64_MAX,
        .from_us = question->request.from_us,
        .to_us = INT64_MAX,
    };
    struct pb_disclosures *disclosures = pb_arena_alloc(&answer->arena, sizeof(*disclosures));
    enum pb_status status;

    looking.items = pb_arena_alloc(&answer->arena, PB_DISCLOSURES_MAX * sizeof(*looking.items));
    looking.indices = pb_arena_alloc(&answer->arena, PB_DISCLOSURES_MAX * sizeof(uint64_t));
    if (disclosures == NULL || looking.items == NULL || looking.indices == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for who was given what");
    status = pb_audit_read(question->site->audit, &filter, take_entry, &looking, error);
    if (status == PB_OK)
        status = looking.status;
    if (status != PB_OK)
        return status;
    *disclosures = (struct pb_disclosures){ .items = looking.items,
                                            .count = looking.count,
                                            .is_cut = looking.is_cut,
                                            .unnamed = looking.unnamed };
    answer->disclosures = disclosures;
    return PB_OK;
}

enum pb_status
pb_question_subject(struct pb_question *question, struct pb_error *error)
{
    enum pb_status status = pb_question_reads(question, error);

    return status == PB_OK && !question->is_page ? find_disclosures(question, error) : status;
}
