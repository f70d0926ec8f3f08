/*
 * Facts: the keys are those of the catalog's export, so that one can be cut into the other. What a
 * decision does not look at is left out.
 *
 * Each kind of record is read into a struct of its own with words where the view has places; then
 * all are sorted by id and the words looked up.
 */
#include "policy/case_facts.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

#define RECORDS_MAX 10000u

static const char *const statuses[] = { "requested", "active", "suspended", "closed", NULL };
static const char *const permissions[] = { "plate",      "pattern",    "place",       "common",
                                           "associates", "export",     "correct",     "approve",
                                           "audit",      "administer", "break-glass",
                                           "operate",    NULL };

/* Records, as they are read. Each begins with its id. */
struct agency_record {
    struct pb_str id;
    uint32_t class, status, retention_days, given;
    uint16_t jurisdiction;
    bool contributes;
    struct pb_str case_pattern;
    struct pb_words packs;
    int64_t reviewed_at_us, created_at_us;
};
struct person_record {
    struct pb_str id, agency, role;
    uint32_t status, given;
    struct pb_words permissions;
    int64_t training_valid_until_us;
};
struct reader_record {
    struct pb_str id, agency;
    uint16_t capture_state;
    uint32_t given;
};
struct agreement_record {
    struct pb_str id, owner, asker;
    struct pb_words purposes, readers;
    int64_t starts_at_us, ends_at_us;
    bool is_revoked;
    uint32_t given;
};
struct declaration_record {
    struct pb_str id, agency, subject;
    uint16_t jurisdiction;
    int64_t signed_at_us, expires_at_us;
    uint32_t given;
};
struct offence_record {
    struct pb_str id, class, limitation_years;
    uint16_t jurisdiction;
    uint32_t given;
};
struct case_record {
    struct pb_str id, offence;
    uint32_t status, given;
};

static const char *const agency_statuses[] = { "active", "closed", NULL };
static const char *const case_statuses[] = { "open", "closed", NULL };

#define FIELD(record, key, kind, field, is_needed, list)                                \
    {                                                                                   \
        key, PB_MEMBER_##kind, offsetof(struct record##_record, field), is_needed, list \
    }

static const struct pb_member agency_members[] = {
    FIELD(agency, "id", TEXT, id, true, NULL),
    FIELD(agency, "class", WORD_OF, class, true, pb_agency_class_names),
    FIELD(agency, "jurisdiction", STATE, jurisdiction, true, NULL),
    FIELD(agency, "contributes", BOOL, contributes, false, NULL),
    FIELD(agency, "retention_days", UNSIGNED, retention_days, false, NULL),
    FIELD(agency, "case_pattern", TEXT, case_pattern, false, NULL),
    FIELD(agency, "packs", WORDS, packs, false, NULL),
    FIELD(agency, "reviewed_at", TIME, reviewed_at_us, false, NULL),
    FIELD(agency, "created_at", TIME, created_at_us, false, NULL),
    FIELD(agency, "status", WORD_OF, status, false, agency_statuses),
};
#define AGENCY_RETENTION_GIVEN (1u << 4)

static const struct pb_member person_members[] = {
    FIELD(person, "id", TEXT, id, true, NULL),
    FIELD(person, "agency", TEXT, agency, true, NULL),
    FIELD(person, "role", TEXT, role, true, NULL),
    FIELD(person, "status", WORD_OF, status, false, statuses),
    FIELD(person, "permissions", WORDS, permissions, false, NULL),
    FIELD(person, "training_valid_until", TIME, training_valid_until_us, false, NULL),
};
#define PERSON_PERMISSIONS_GIVEN (1u << 4)

static const struct pb_member reader_members[] = {
    FIELD(reader, "id", TEXT, id, true, NULL),
    FIELD(reader, "agency", TEXT, agency, true, NULL),
    FIELD(reader, "capture_state", STATE, capture_state, false, NULL),
};

static const struct pb_member agreement_members[] = {
    FIELD(agreement, "id", TEXT, id, true, NULL),
    FIELD(agreement, "owner", TEXT, owner, true, NULL),
    FIELD(agreement, "asker", TEXT, asker, true, NULL),
    FIELD(agreement, "purposes", WORDS, purposes, false, NULL),
    FIELD(agreement, "readers", WORDS, readers, false, NULL),
    FIELD(agreement, "starts_at", TIME, starts_at_us, false, NULL),
    FIELD(agreement, "ends_at", TIME, ends_at_us, true, NULL),
    FIELD(agreement, "revoked", BOOL, is_revoked, false, NULL),
};

static const struct pb_member declaration_members[] = {
    FIELD(declaration, "id", TEXT, id, true, NULL),
    FIELD(declaration, "agency", TEXT, agency, true, NULL),
    FIELD(declaration, "jurisdiction", STATE, jurisdiction, true, NULL),
    FIELD(declaration, "subject", TEXT, subject, true, NULL),
    FIELD(declaration, "signed_at", TIME, signed_at_us, true, NULL),
    FIELD(declaration, "expires_at", TIME, expires_at_us, true, NULL),
};

static const struct pb_member offence_members[] = {
    FIELD(offence, "id", TEXT, id, true, NULL),
    FIELD(offence, "class", TEXT, class, true, NULL),
    FIELD(offence, "jurisdiction", STATE, jurisdiction, false, NULL),
    FIELD(offence, "limitation_years", TEXT, limitation_years, true, NULL),
};

static const struct pb_member case_members[] = {
    FIELD(case, "id", TEXT, id, true, NULL),
    FIELD(case, "offence", TEXT, offence, false, NULL),
    FIELD(case, "status", WORD_OF, status, false, case_statuses),
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- reading ---- */

struct records {
    const char *plural;
    const struct pb_member *members;
    size_t member_count;
    size_t bytes;        /* of one record */
    size_t given_offset; /* of its `given` */
    void *at;
    uint32_t count;
    const struct pb_yaml *list;
};

static int
compare_ids(const void *a, const void *b)
{
    const struct pb_str *left = a, *right = b;

    return pb_str_compare(*left, *right);
}

static enum pb_status
check_unique(const struct pb_pack_reader *reader, const struct records *records)
{
    for (uint32_t i = 1; i < records->count; i++) {
        const struct pb_str *before =
            (const void *)((const unsigned char *)records->at + (i - 1) * records->bytes);
        const struct pb_str *id =
            (const void *)((const unsigned char *)records->at + i * records->bytes);

        if (pb_str_equal(*before, *id))
            return pb_pack_wrong(reader, records->list->line, "%s: the id %.64s is there twice",
                                 records->plural, id->text);
    }
    return PB_OK;
}

static void *
new_array(const struct pb_pack_reader *reader, size_t count, size_t bytes)
{
    void *array = pb_arena_alloc(reader->arena, count * bytes);

    if (array != NULL)
        memset(array, 0, count * bytes);
    return array;
}

/* Reads a list of records, sorted by id. */
static enum pb_status
read_records(const struct pb_pack_reader *reader, const struct pb_yaml *facts,
             struct records *records)
{
    const struct pb_yaml *list = facts == NULL ? NULL : pb_yaml_get(facts, records->plural);

    records->list = list;
    if (list == NULL)
        return PB_OK;
    if (list->kind != PB_YAML_LIST || list->count > RECORDS_MAX)
        return pb_pack_wrong(reader, list->line, "`%s` is a list of at most %u", records->plural,
                             RECORDS_MAX);
    records->at = new_array(reader, list->count, records->bytes);
    if (records->at == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < list->count; i++) {
        unsigned char *record = (unsigned char *)records->at + i * records->bytes;
        enum pb_status status =
            pb_keys_check(reader, &list->items[i], NULL, records->members, records->member_count);

        if (status == PB_OK)
            status =
                pb_members_read(reader, records->members, records->member_count, &list->items[i],
                                record, (uint32_t *)(void *)(record + records->given_offset));
        if (status != PB_OK)
            return status;
    }
    records->count = list->count;
    if (records->count > 1)
        qsort(records->at, records->count, records->bytes, compare_ids);
    return check_unique(reader, records);
}

#define RECORDS(name, key)                                                                  \
    {                                                                                       \
        .plural = key, .members = name##_members, .member_count = COUNT_OF(name##_members), \
        .bytes = sizeof(struct name##_record),                                              \
        .given_offset = offsetof(struct name##_record, given)                               \
    }

/* ---- into the view ---- */

static enum pb_status
missing(const struct pb_pack_reader *reader, const struct records *records, struct pb_str id)
{
    return pb_pack_wrong(reader, records->list->line, "%s: there is no %.64s", records->plural,
                         id.text);
}

static enum pb_status
read_agencies(const struct pb_pack_reader *reader, const struct pb_yaml *facts, int64_t now_us,
              struct pb_catalog_view *view)
{
    struct records records = RECORDS(agency, "agencies");
    enum pb_status status = read_records(reader, facts, &records);
    const struct agency_record *from = records.at;
    struct pb_agency *agencies;

    if (status != PB_OK)
        return status;
    agencies = new_array(reader, records.count, sizeof(*agencies));
    if (agencies == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < records.count; i++)
        agencies[i] = (struct pb_agency){
            .id = from[i].id,
            .name = from[i].id,
            .class = (enum pb_agency_class)from[i].class,
            .jurisdiction = from[i].jurisdiction,
            .contributes = from[i].contributes,
            .is_active = from[i].status == 0,
            .retention_days = (from[i].given & AGENCY_RETENTION_GIVEN) != 0
                                  ? (int32_t)from[i].retention_days
                                  : -1,
            .case_pattern = from[i].case_pattern,
            .packs = from[i].packs.at,
            .pack_count = from[i].packs.count,
            .reviewed_at_us = from[i].reviewed_at_us,
            .created_at_us = from[i].created_at_us != 0 ? from[i].created_at_us : now_us,
        };
    view->agencies = agencies;
    view->agency_count = records.count;
    return PB_OK;
}

static enum pb_status
read_permissions(const struct pb_pack_reader *reader, const struct records *records,
                 const struct person_record *record, uint32_t *ret_permissions)
{
    *ret_permissions = PB_MAY_PLATE | PB_MAY_PATTERN | PB_MAY_PLACE | PB_MAY_COMMON |
                       PB_MAY_ASSOCIATES | PB_MAY_EXPORT;
    if ((record->given & PERSON_PERMISSIONS_GIVEN) == 0)
        return PB_OK;
    *ret_permissions = 0;
    for (uint32_t i = 0; i < record->permissions.count; i++) {
        int place = pb_word_place(permissions, record->permissions.at[i]);

        if (place < 0)
            return missing(reader, records, record->permissions.at[i]);
        *ret_permissions |= 1u << place;
    }
    return PB_OK;
}

static enum pb_status
read_people(const struct pb_pack_reader *reader, const struct pb_yaml *facts, int64_t now_us,
            struct pb_catalog_view *view)
{
    struct records records = RECORDS(person, "people");
    enum pb_status status = read_records(reader, facts, &records);
    const struct person_record *from = records.at;
    struct pb_person *people;

    if (status != PB_OK)
        return status;
    people = new_array(reader, records.count, sizeof(*people));
    if (people == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < records.count; i++) {
        people[i] = (struct pb_person){
            .id = from[i].id,
            .name = from[i].id,
            .agency = pb_view_agency(view, from[i].agency),
            .status = (from[i].given & 1u << 3) != 0 ? (enum pb_person_status)from[i].status
                                                     : PB_PERSON_ACTIVE,
            .role = from[i].role,
            .training_valid_until_us = from[i].training_valid_until_us != 0
                                           ? from[i].training_valid_until_us
                                           : now_us + 365 * PB_DAY_US,
        };
        if (people[i].agency == PB_NO_INDEX)
            return missing(reader, &records, from[i].agency);
        status = read_permissions(reader, &records, &from[i], &people[i].permissions);
        if (status != PB_OK)
            return status;
    }
    view->people = people;
    view->person_count = records.count;
    return PB_OK;
}

static uint32_t
add_origin(struct pb_origin *origins, uint32_t *count, uint32_t agency, uint16_t capture_state)
{
    uint32_t i = 0;

    while (i < *count && (origins[i].agency != agency || origins[i].capture_state != capture_state))
        i++;
    if (i == *count)
        origins[(*count)++] = (struct pb_origin){ agency, capture_state, 0 };
    origins[i].reader_count++;
    return i;
}

static enum pb_status
read_readers(const struct pb_pack_reader *reader, const struct pb_yaml *facts,
             struct pb_catalog_view *view)
{
    struct records records = RECORDS(reader, "readers");
    enum pb_status status = read_records(reader, facts, &records);
    const struct reader_record *from = records.at;
    struct pb_reader_entry *readers;
    struct pb_origin *origins;

    if (status != PB_OK)
        return status;
    readers = new_array(reader, records.count, sizeof(*readers));
    origins = new_array(reader, records.count, sizeof(*origins));
    if (readers == NULL || origins == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < records.count; i++) {
        uint32_t agency = pb_view_agency(view, from[i].agency);

        if (agency == PB_NO_INDEX)
            return missing(reader, &records, from[i].agency);
        readers[i] = (struct pb_reader_entry){
            .id = from[i].id,
            .agency = agency,
            .capture_state = from[i].capture_state,
            .origin = add_origin(origins, &view->origin_count, agency, from[i].capture_state),
            .is_active = true,
        };
    }
    view->readers = readers;
    view->reader_count = records.count;
    view->origins = origins;
    return PB_OK;
}

/* pb_view_reader() wants the table of a real view. */
static uint32_t
find_reader(const struct pb_catalog_view *view, struct pb_str id)
{
    for (uint32_t i = 0; i < view->reader_count; i++) {
        if (pb_str_equal(view->readers[i].id, id))
            return i;
    }
    return PB_NO_INDEX;
}

static enum pb_status
read_agreement_readers(const struct pb_pack_reader *reader, const struct records *records,
                       const struct pb_words *ids, const struct pb_catalog_view *view,
                       struct pb_agreement *agreement)
{
    uint32_t *readers = new_array(reader, ids->count, sizeof(*readers));

    if (readers == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < ids->count; i++) {
        readers[i] = find_reader(view, ids->at[i]);
        if (readers[i] == PB_NO_INDEX)
            return missing(reader, records, ids->at[i]);
    }
    agreement->readers = readers;
    agreement->reader_count = ids->count;
    return PB_OK;
}

static enum pb_status
read_agreements(const struct pb_pack_reader *reader, const struct pb_yaml *facts,
                struct pb_catalog_view *view)
{
    struct records records = RECORDS(agreement, "agreements");
    enum pb_status status = read_records(reader, facts, &records);
    const struct agreement_record *from = records.at;
    struct pb_agreement *agreements;

    if (status != PB_OK)
        return status;
    agreements = new_array(reader, records.count, sizeof(*agreements));
    if (agreements == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < records.count; i++) {
        agreements[i] = (struct pb_agreement){
            .id = from[i].id,
            .owner = pb_view_agency(view, from[i].owner),
            .asker = pb_view_agency(view, from[i].asker),
            .purposes = from[i].purposes.at,
            .purpose_count = from[i].purposes.count,
            .starts_at_us = from[i].starts_at_us,
            .ends_at_us = from[i].ends_at_us,
            .is_revoked = from[i].is_revoked,
        };
        if (agreements[i].owner == PB_NO_INDEX || agreements[i].asker == PB_NO_INDEX)
            return missing(reader, &records,
                           agreements[i].owner == PB_NO_INDEX ? from[i].owner : from[i].asker);
        status = read_agreement_readers(reader, &records, &from[i].readers, view, &agreements[i]);
        if (status != PB_OK)
            return status;
    }
    view->agreements = agreements;
    view->agreement_count = records.count;
    return PB_OK;
}

static enum pb_status
read_declarations(const struct pb_pack_reader *reader, const struct pb_yaml *facts,
                  struct pb_catalog_view *view)
{
    struct records records = RECORDS(declaration, "declarations");
    enum pb_status status = read_records(reader, facts, &records);
    const struct declaration_record *from = records.at;
    struct pb_declaration *declarations;

    if (status != PB_OK)
        return status;
    declarations = new_array(reader, records.count, sizeof(*declarations));
    if (declarations == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < records.count; i++) {
        declarations[i] = (struct pb_declaration){
            .id = from[i].id,
            .subject = from[i].subject,
            .agency = pb_view_agency(view, from[i].agency),
            .jurisdiction = from[i].jurisdiction,
            .signed_at_us = from[i].signed_at_us,
            .expires_at_us = from[i].expires_at_us,
        };
        if (declarations[i].agency == PB_NO_INDEX)
            return missing(reader, &records, from[i].agency);
    }
    view->declarations = declarations;
    view->declaration_count = records.count;
    return PB_OK;
}

/* Years, or "none" for no limit. */
static bool
read_years(struct pb_str text, int32_t *ret_years)
{
    int32_t years = 0;

    *ret_years = -1;
    if (pb_str_equal(text, pb_str_from("none")))
        return true;
    if (text.bytes > 2)
        return false;
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        years = years * 10 + (text.text[i] - '0');
    }
    *ret_years = years;
    return true;
}

static enum pb_status
read_offences(const struct pb_pack_reader *reader, const struct pb_yaml *facts,
              struct pb_catalog_view *view)
{
    struct records records = RECORDS(offence, "offences");
    enum pb_status status = read_records(reader, facts, &records);
    const struct offence_record *from = records.at;
    struct pb_offence *offences;

    if (status != PB_OK)
        return status;
    offences = new_array(reader, records.count, sizeof(*offences));
    if (offences == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < records.count; i++) {
        offences[i] = (struct pb_offence){
            .code = from[i].id,
            .title = from[i].id,
            .class = from[i].class,
            .jurisdiction = from[i].jurisdiction,
        };
        if (!read_years(from[i].limitation_years, &offences[i].limitation_years))
            return pb_pack_wrong(reader, records.list->line,
                                 "`limitation_years` is 0 to 99, or none");
    }
    view->offences = offences;
    view->offence_count = records.count;
    return PB_OK;
}

static enum pb_status
read_cases(const struct pb_pack_reader *reader, const struct pb_yaml *facts,
           struct pb_case_facts *ret_facts)
{
    struct records records = RECORDS(case, "cases");
    enum pb_status status = read_records(reader, facts, &records);
    const struct case_record *from = records.at;

    if (status != PB_OK)
        return status;
    ret_facts->cases = new_array(reader, records.count, sizeof(*ret_facts->cases));
    if (ret_facts->cases == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < records.count; i++)
        ret_facts->cases[i] = (struct pb_case){
            .number = from[i].id,
            .offence = from[i].offence,
            .is_open = from[i].status == 0,
        };
    ret_facts->case_count = records.count;
    return PB_OK;
}

enum pb_status
pb_case_facts_read(const struct pb_pack_reader *reader, const struct pb_yaml *facts, int64_t now_us,
                   struct pb_case_facts *ret_facts)
{
    static const char *const words[] = { "agencies", "people",       "readers", "agreements",
                                         "offences", "declarations", "cases",   NULL };
    struct pb_catalog_view *view = &ret_facts->view;
    enum pb_status status = PB_OK;

    memset(ret_facts, 0, sizeof(*ret_facts));
    if (facts != NULL)
        status = pb_keys_check(reader, facts, words, NULL, 0);
    if (status == PB_OK)
        status = read_agencies(reader, facts, now_us, view);
    if (status == PB_OK)
        status = read_people(reader, facts, now_us, view);
    if (status == PB_OK)
        status = read_readers(reader, facts, view);
    if (status == PB_OK)
        status = read_agreements(reader, facts, view);
    if (status == PB_OK)
        status = read_declarations(reader, facts, view);
    if (status == PB_OK)
        status = read_offences(reader, facts, view);
    if (status == PB_OK)
        status = read_cases(reader, facts, ret_facts);
    return status;
}
