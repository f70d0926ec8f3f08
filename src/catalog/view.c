/*
 * View: what decisions look at, read from the tables in one transaction into one arena.
 *
 * Taking a view asks the database whether anything was changed (some microseconds); only where
 * something was is the catalog's own version read, and only where that grew is a view made. So
 * notes and cases, which are written often, make no view.
 *
 * Invariants: (1) a view never changes once it is in catalog->view; (2) references >= 1 while
 * anybody holds it, the catalog included; (3) every index in it is within its array.
 */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog_private.h"

#define ARENA_BYTES 65536u

struct pb_view {
    struct pb_catalog_view shown; /* first: what callers hold */
    struct pb_arena arena;        /* owns all that is shown */
    uint32_t *slots;              /* hash of a reader's id -> index + 1, 0: none */
    uint32_t slot_mask;
    _Atomic uint32_t references;
};

static const struct pb_view *
view_of(const struct pb_catalog_view *shown)
{
    return (const struct pb_view *)(const void *)shown;
}

/* What is being read. `row` is in a scratch arena; what stays is copied. */
struct loader {
    struct pb_side *side;
    struct pb_view *view;
    struct pb_arena scratch;
    struct pb_tuple row;
    uint32_t *first_origin; /* of each agency, and one past the last; in the view's arena */
    struct pb_error *error;
};

/* ---- fields of a row ---- */

static enum pb_status
damaged(const struct loader *loader, unsigned field)
{
    return pb_fail(loader->error, PB_E_CORRUPT, "the catalog holds a %s whose %s cannot be",
                   loader->row.entity->name, loader->row.entity->fields[field].name);
}

static int64_t
number_or(const struct loader *loader, unsigned field, int64_t otherwise)
{
    const struct pb_value *value = &loader->row.values[field];

    return value->is_set ? value->number : otherwise;
}

static enum pb_status
keep(struct loader *loader, unsigned field, struct pb_str *ret_text)
{
    const struct pb_value *value = &loader->row.values[field];

    if (!value->is_set) {
        *ret_text = (struct pb_str){ .text = "", .bytes = 0 };
        return PB_OK;
    }
    return pb_arena_copy(&loader->view->arena, value->text, ret_text);
}

/* Words of a fixed list need no copy. */
static enum pb_status
choice(const struct loader *loader, unsigned field, int *ret_index)
{
    *ret_index =
        pb_choice_index(loader->row.entity->fields[field].choices, loader->row.values[field].text);
    return *ret_index < 0 ? damaged(loader, field) : PB_OK;
}

static enum pb_status
jurisdiction(const struct loader *loader, unsigned field, uint16_t *ret_number)
{
    const struct pb_value *value = &loader->row.values[field];

    *ret_number = value->is_set ? pb_jurisdiction_from_text(value->text) : 0;
    return value->is_set && *ret_number == 0 ? damaged(loader, field) : PB_OK;
}

static bool
is_word(const struct loader *loader, unsigned field, const char *word)
{
    return pb_str_equal(loader->row.values[field].text, pb_str_from(word));
}

static enum pb_status
agency_index(const struct loader *loader, unsigned field, uint32_t *ret_index)
{
    *ret_index = pb_view_agency(&loader->view->shown, loader->row.values[field].text);
    return *ret_index == PB_NO_INDEX ? damaged(loader, field) : PB_OK;
}

static uint32_t
count_items(struct pb_str list)
{
    struct pb_str item;
    uint32_t count = 0;

    while (pb_list_next(&list, &item))
        count++;
    return count;
}

/* Reads one item of a list into its place. */
typedef enum pb_status item_fn(struct loader *loader, unsigned field, struct pb_str item,
                               void *into);

/* An array in the arena, of one element for each item of a list. */
static enum pb_status
keep_items(struct loader *loader, unsigned field, size_t element_bytes, item_fn *read,
           void **ret_items, uint32_t *ret_count)
{
    struct pb_str list = loader->row.values[field].text, item;
    uint32_t count = count_items(list);
    char *items = pb_arena_alloc(&loader->view->arena, count * element_bytes);
    char *at = items;

    if (items == NULL)
        return PB_E_NOMEM;
    for (; pb_list_next(&list, &item); at += element_bytes) {
        enum pb_status status = read(loader, field, item, at);

        if (status != PB_OK)
            return status;
    }
    *ret_items = items;
    *ret_count = count;
    return PB_OK;
}

static enum pb_status
read_text(struct loader *loader, unsigned field, struct pb_str item, void *into)
{
    (void)field;
    return pb_arena_copy(&loader->view->arena, item, into);
}

static enum pb_status
read_zone(struct loader *loader, unsigned field, struct pb_str item, void *into)
{
    return pb_zone_read(item, into) ? PB_OK : damaged(loader, field);
}

static enum pb_status
read_reader(struct loader *loader, unsigned field, struct pb_str item, void *into)
{
    uint32_t reader = pb_view_reader(&loader->view->shown, item);

    *(uint32_t *)into = reader;
    return reader == PB_NO_INDEX ? damaged(loader, field) : PB_OK;
}

static enum pb_status
keep_list(struct loader *loader, unsigned field, const struct pb_str **ret_items,
          uint32_t *ret_count)
{
    void *items = NULL;
    enum pb_status status =
        keep_items(loader, field, sizeof(**ret_items), read_text, &items, ret_count);

    *ret_items = items;
    return status;
}

static enum pb_status
keep_zones(struct loader *loader, unsigned field, const struct pb_zone **ret_zones,
           uint32_t *ret_count)
{
    void *items = NULL;
    enum pb_status status =
        keep_items(loader, field, sizeof(**ret_zones), read_zone, &items, ret_count);

    *ret_zones = items;
    return status;
}

static enum pb_status
keep_readers(struct loader *loader, unsigned field, const uint32_t **ret_readers,
             uint32_t *ret_count)
{
    void *items = NULL;
    enum pb_status status =
        keep_items(loader, field, sizeof(**ret_readers), read_reader, &items, ret_count);

    *ret_readers = items;
    return status;
}

static enum pb_status
keep_sha256(const struct loader *loader, unsigned field, uint8_t ret_bytes[32])
{
    static const char digits[] = "0123456789abcdef";
    struct pb_str text = loader->row.values[field].text;

    if (text.bytes != 64)
        return damaged(loader, field);
    for (unsigned i = 0; i < 64; i++) {
        const char *digit = memchr(digits, text.text[i], 16);

        if (digit == NULL)
            return damaged(loader, field);
        ret_bytes[i / 2] = (uint8_t)(ret_bytes[i / 2] << 4 | (digit - digits));
    }
    return PB_OK;
}

/* The first failure of several steps, all of which are safe to take. */
static void
also(enum pb_status *status, enum pb_status next)
{
    if (*status == PB_OK)
        *status = next;
}

/* ---- one entity, one function ---- */

static enum pb_status
load_agency(struct loader *loader, void *element)
{
    struct pb_agency *agency = element;
    enum pb_status status = keep(loader, AGENCY_ID, &agency->id);
    int class = 0;

    also(&status, keep(loader, AGENCY_NAME, &agency->name));
    also(&status, keep(loader, AGENCY_ORI, &agency->ori));
    also(&status, keep(loader, AGENCY_CASE_PATTERN, &agency->case_pattern));
    also(&status, choice(loader, AGENCY_CLASS, &class));
    also(&status, jurisdiction(loader, AGENCY_JURISDICTION, &agency->jurisdiction));
    also(&status, keep_list(loader, AGENCY_PACKS, &agency->packs, &agency->pack_count));
    also(&status, keep_zones(loader, AGENCY_ZONES, &agency->zones, &agency->zone_count));
    agency->class = (enum pb_agency_class) class;
    agency->contributes = number_or(loader, AGENCY_CONTRIBUTES, 0) == 1;
    agency->is_active = is_word(loader, AGENCY_STATUS, "active");
    agency->publishes_figures = number_or(loader, AGENCY_PUBLISHES_FIGURES, 0) == 1;
    agency->retention_days = (int32_t)number_or(loader, AGENCY_RETENTION_DAYS, -1);
    agency->reviewed_at_us = number_or(loader, AGENCY_REVIEWED_AT, 0);
    agency->created_at_us = number_or(loader, AGENCY_CREATED_AT, 0);
    return status;
}

static enum pb_status
load_person(struct loader *loader, void *element)
{
    struct pb_person *person = element;
    enum pb_status status = keep(loader, PERSON_ID, &person->id);
    int account = 0, role = 0;

    also(&status, keep(loader, PERSON_NAME, &person->name));
    also(&status, agency_index(loader, PERSON_AGENCY, &person->agency));
    also(&status, choice(loader, PERSON_STATUS, &account));
    also(&status, choice(loader, PERSON_ROLE, &role));
    person->status = (enum pb_person_status)account;
    person->role =
        pb_str_from(loader->row.entity->fields[PERSON_ROLE].choices[role < 0 ? 0 : role]);
    person->permissions = pb_role_permissions(person->role) |
                          pb_granted_permissions(loader->row.values[PERSON_PERMISSIONS].text);
    person->training_valid_until_us = number_or(loader, PERSON_TRAINING_VALID_UNTIL, 0);
    return status;
}

/* Origins stand by agency, and there are few of one agency. */
static uint32_t
origin_of(const struct loader *loader, const struct pb_reader_entry *reader)
{
    const struct pb_catalog_view *view = &loader->view->shown;

    for (uint32_t i = loader->first_origin[reader->agency];
         i < loader->first_origin[reader->agency + 1]; i++) {
        if (view->origins[i].capture_state == reader->capture_state)
            return i;
    }
    return PB_NO_INDEX;
}

static enum pb_status
load_reader(struct loader *loader, void *element)
{
    struct pb_reader_entry *reader = element;
    enum pb_status status = keep(loader, READER_ID, &reader->id);
    int kind = 0;

    also(&status, keep(loader, READER_TIME_ZONE, &reader->time_zone));
    also(&status, agency_index(loader, READER_AGENCY, &reader->agency));
    also(&status, choice(loader, READER_KIND, &kind));
    also(&status, jurisdiction(loader, READER_CAPTURE_STATE, &reader->capture_state));
    if (status != PB_OK)
        return status;
    reader->kind = pb_str_from(loader->row.entity->fields[READER_KIND].choices[kind]);
    reader->lat_e7 = (int32_t)number_or(loader, READER_LAT, PB_NO_POSITION);
    reader->lon_e7 = (int32_t)number_or(loader, READER_LON, PB_NO_POSITION);
    reader->is_active = is_word(loader, READER_STATUS, "active");
    reader->origin = origin_of(loader, reader);
    return reader->origin == PB_NO_INDEX ? damaged(loader, READER_CAPTURE_STATE) : PB_OK;
}

static enum pb_status
load_offence(struct loader *loader, void *element)
{
    struct pb_offence *offence = element;
    enum pb_status status = keep(loader, OFFENCE_ID, &offence->code);
    int class = 0;

    also(&status, keep(loader, OFFENCE_TITLE, &offence->title));
    also(&status, choice(loader, OFFENCE_CLASS, &class));
    also(&status, jurisdiction(loader, OFFENCE_JURISDICTION, &offence->jurisdiction));
    offence->class =
        pb_str_from(loader->row.entity->fields[OFFENCE_CLASS].choices[class < 0 ? 0 : class]);
    /* Without a number the shortest, which is the strictest. */
    offence->limitation_years = (int32_t)number_or(loader, OFFENCE_LIMITATION_YEARS, 0);
    return status;
}

static enum pb_status
load_agreement(struct loader *loader, void *element)
{
    struct pb_agreement *agreement = element;
    enum pb_status status = keep(loader, AGREEMENT_ID, &agreement->id);

    also(&status, agency_index(loader, AGREEMENT_OWNER, &agreement->owner));
    also(&status, agency_index(loader, AGREEMENT_ASKER, &agreement->asker));
    also(&status,
         keep_list(loader, AGREEMENT_PURPOSES, &agreement->purposes, &agreement->purpose_count));
    also(&status,
         keep_readers(loader, AGREEMENT_READERS, &agreement->readers, &agreement->reader_count));
    /* Without its dates it never holds. */
    agreement->starts_at_us = number_or(loader, AGREEMENT_STARTS_AT, PB_NEVER);
    agreement->ends_at_us = number_or(loader, AGREEMENT_ENDS_AT, INT64_MIN);
    agreement->is_revoked = number_or(loader, AGREEMENT_REVOKED, 0) != 0;
    return status;
}

static enum pb_status
load_declaration(struct loader *loader, void *element)
{
    struct pb_declaration *declaration = element;
    enum pb_status status = keep(loader, DECLARATION_ID, &declaration->id);

    also(&status, keep(loader, DECLARATION_SUBJECT, &declaration->subject));
    also(&status, keep(loader, DECLARATION_SIGNER, &declaration->signer));
    also(&status, agency_index(loader, DECLARATION_AGENCY, &declaration->agency));
    also(&status, jurisdiction(loader, DECLARATION_JURISDICTION, &declaration->jurisdiction));
    also(&status, keep_sha256(loader, DECLARATION_TEXT_SHA256, declaration->text_sha256));
    declaration->signed_at_us = number_or(loader, DECLARATION_SIGNED_AT, PB_NEVER);
    declaration->expires_at_us = number_or(loader, DECLARATION_EXPIRES_AT, INT64_MIN);
    return status;
}

/* Of "<agency>:<number>" the number. */
static enum pb_status
keep_case_number(struct loader *loader, struct pb_hold *hold)
{
    struct pb_str id = loader->row.values[HOLD_CASE].text;
    uint32_t before = loader->view->shown.agencies[hold->agency].id.bytes + 1;

    if (id.bytes <= before)
        return damaged(loader, HOLD_CASE);
    id.text += before;
    id.bytes -= before;
    return pb_arena_copy(&loader->view->arena, id, &hold->case_number);
}

static enum pb_status
load_hold(struct loader *loader, void *element)
{
    struct pb_hold *hold = element;
    enum pb_status status = keep(loader, HOLD_ID, &hold->id);

    also(&status, keep(loader, HOLD_PLATE, &hold->plate));
    also(&status, agency_index(loader, HOLD_AGENCY, &hold->agency));
    also(&status, keep_readers(loader, HOLD_READERS, &hold->readers, &hold->reader_count));
    if (status != PB_OK)
        return status;
    hold->owner = PB_NO_INDEX;
    if (loader->row.values[HOLD_OWNER].is_set)
        status = agency_index(loader, HOLD_OWNER, &hold->owner);
    also(&status, keep_case_number(loader, hold));
    hold->from_us = number_or(loader, HOLD_FROM, 0);
    hold->to_us = number_or(loader, HOLD_TO, 0);
    hold->expires_at_us = number_or(loader, HOLD_EXPIRES_AT, 0);
    hold->is_released = number_or(loader, HOLD_RELEASED, 0) != 0;
    return status;
}

/* ---- all of an entity ---- */

struct table {
    enum pb_entity_number entity;
    size_t element_bytes;
    enum pb_status (*load)(struct loader *loader, void *element);
};

static enum pb_status
count_rows(struct loader *loader, const struct pb_entity *entity, uint32_t *ret_count)
{
    struct pb_side *side = loader->side;
    struct pb_sql_statement *statement;
    enum pb_status status;

    status = pb_side_statement(side, pb_statement_number(entity, STATEMENT_COUNT), &statement,
                               loader->error);
    if (status != PB_OK)
        return status;
    status = side->ops->step(statement, loader->error);
    if (status == PB_OK)
        *ret_count = (uint32_t)side->ops->get_int(statement, 0);
    side->ops->reset(statement);
    return status == PB_END ? PB_E_CORRUPT : status;
}

static enum pb_status
load_row(struct loader *loader, struct pb_sql_statement *statement, const struct table *table,
         void *element)
{
    size_t count;
    enum pb_status status;

    pb_arena_reset(&loader->scratch);
    status = pb_side_row(loader->side, &loader->scratch, statement,
                         pb_catalog_entities(&count) + table->entity, &loader->row, loader->error);
    return status == PB_OK ? table->load(loader, element) : status;
}

/* Rows in an array of the view; `at` counts those that are complete. */
static enum pb_status
load_table(struct loader *loader, const struct table *table, void *ret_elements, uint32_t *at)
{
    size_t entity_count;
    const struct pb_entity *entity = pb_catalog_entities(&entity_count) + table->entity;
    struct pb_side *side = loader->side;
    struct pb_sql_statement *statement;
    uint32_t room = 0;
    char *elements;
    enum pb_status status = count_rows(loader, entity, &room);

    if (status != PB_OK)
        return status;
    elements = pb_arena_alloc(&loader->view->arena, room * table->element_bytes);
    if (elements == NULL)
        return PB_E_NOMEM;
    memset(elements, 0, room * table->element_bytes);
    memcpy(ret_elements, &elements, sizeof(elements));

    status = pb_side_statement(side, pb_statement_number(entity, STATEMENT_ALL), &statement,
                               loader->error);
    if (status != PB_OK)
        return status;
    while (status == PB_OK) {
        status = side->ops->step(statement, loader->error);
        if (status == PB_OK && *at == room)
            status = pb_fail(loader->error, PB_E_CORRUPT, "the catalog counts its rows wrong");
        if (status == PB_OK)
            status = load_row(loader, statement, table, elements + *at * table->element_bytes);
        *at += status == PB_OK;
    }
    side->ops->reset(statement);
    return status == PB_END ? PB_OK : status;
}

/* ---- origins ---- */

static enum pb_status
add_origin(struct loader *loader, struct pb_sql_statement *statement, struct pb_origin *origin)
{
    struct pb_side *side = loader->side;
    struct pb_str agency, state = { .text = "", .bytes = 0 };
    enum pb_status status = side->ops->get_text(statement, 0, &agency, loader->error);

    if (status != PB_OK)
        return status;
    origin->agency = pb_view_agency(&loader->view->shown, agency);
    if (!side->ops->is_null(statement, 1)) {
        status = side->ops->get_text(statement, 1, &state, loader->error);
        origin->capture_state = pb_jurisdiction_from_text(state);
    }
    origin->reader_count = (uint32_t)side->ops->get_int(statement, 2);
    if (status == PB_OK &&
        (origin->agency == PB_NO_INDEX || (state.bytes > 0 && origin->capture_state == 0)))
        status = pb_fail(loader->error, PB_E_CORRUPT, "the catalog holds a reader of nowhere");
    return status;
}

static enum pb_status
read_origins(struct loader *loader, struct pb_origin *origins, uint32_t room)
{
    struct pb_catalog_view *view = &loader->view->shown;
    struct pb_side *side = loader->side;
    struct pb_sql_statement *statement;
    enum pb_status status = pb_side_statement(side, STATEMENT_ORIGINS, &statement, loader->error);

    if (status != PB_OK)
        return status;
    while (status == PB_OK) {
        status = side->ops->step(statement, loader->error);
        if (status == PB_OK && view->origin_count == room)
            status = pb_fail(loader->error, PB_E_CORRUPT, "the catalog counts its rows wrong");
        if (status == PB_OK)
            status = add_origin(loader, statement, &origins[view->origin_count]);
        view->origin_count += status == PB_OK;
    }
    side->ops->reset(statement);
    return status == PB_END ? PB_OK : status;
}

/* first_origin[a] is the first origin of agency a or of a later one. */
static enum pb_status
index_origins(struct loader *loader)
{
    struct pb_catalog_view *view = &loader->view->shown;
    size_t count = (size_t)view->agency_count + 1;
    uint32_t at = 0;

    loader->first_origin = pb_arena_alloc(&loader->view->arena, count * sizeof(uint32_t));
    if (loader->first_origin == NULL)
        return PB_E_NOMEM;
    for (uint32_t agency = 0; agency < count; agency++) {
        while (at < view->origin_count && view->origins[at].agency < agency)
            at++;
        loader->first_origin[agency] = at;
    }
    return PB_OK;
}

static enum pb_status
load_origins(struct loader *loader)
{
    size_t entity_count;
    const struct pb_entity *readers = pb_catalog_entities(&entity_count) + PB_ENTITY_READER;
    struct pb_catalog_view *view = &loader->view->shown;
    struct pb_origin *origins;
    uint32_t room = 0;
    enum pb_status status = count_rows(loader, readers, &room); /* at most one a reader */

    if (status != PB_OK)
        return status;
    origins = pb_arena_alloc(&loader->view->arena, room * sizeof(*origins));
    if (origins == NULL)
        return PB_E_NOMEM;
    memset(origins, 0, room * sizeof(*origins));
    view->origins = origins;
    status = read_origins(loader, origins, room);
    return status == PB_OK ? index_origins(loader) : status;
}

/* ---- readers by hash ---- */

static enum pb_status
index_readers(struct loader *loader)
{
    struct pb_view *view = loader->view;
    uint32_t slots = 8;

    while (slots / 2 < view->shown.reader_count)
        slots *= 2;
    view->slots = pb_arena_alloc(&view->arena, slots * sizeof(*view->slots));
    if (view->slots == NULL)
        return PB_E_NOMEM;
    memset(view->slots, 0, slots * sizeof(*view->slots));
    view->slot_mask = slots - 1;
    for (uint32_t i = 0; i < view->shown.reader_count; i++) {
        struct pb_str id = view->shown.readers[i].id;
        uint32_t slot = (uint32_t)pb_hash_bytes(id.text, id.bytes) & view->slot_mask;

        while (view->slots[slot] != 0)
            slot = (slot + 1) & view->slot_mask;
        view->slots[slot] = i + 1;
    }
    return PB_OK;
}

uint32_t
pb_view_reader(const struct pb_catalog_view *shown, struct pb_str id)
{
    const struct pb_view *view = view_of(shown);
    uint32_t slot = (uint32_t)pb_hash_bytes(id.text, id.bytes) & view->slot_mask;

    for (; view->slots[slot] != 0; slot = (slot + 1) & view->slot_mask) {
        uint32_t index = view->slots[slot] - 1;

        if (pb_str_equal(shown->readers[index].id, id))
            return index;
    }
    return PB_NO_INDEX;
}

/* ---- by id: elements begin with it ---- */

static uint32_t
find(const void *elements, uint32_t count, size_t element_bytes, struct pb_str id)
{
    uint32_t first = 0, end = count;

    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        struct pb_str other;
        int order;

        memcpy(&other, (const char *)elements + middle * element_bytes, sizeof(other));
        order = pb_str_compare(other, id);
        if (order == 0)
            return middle;
        if (order < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return PB_NO_INDEX;
}

uint32_t
pb_view_agency(const struct pb_catalog_view *view, struct pb_str id)
{
    static_assert(offsetof(struct pb_agency, id) == 0, "find() looks there");
    return find(view->agencies, view->agency_count, sizeof(*view->agencies), id);
}

uint32_t
pb_view_person(const struct pb_catalog_view *view, struct pb_str id)
{
    static_assert(offsetof(struct pb_person, id) == 0, "find() looks there");
    return find(view->people, view->person_count, sizeof(*view->people), id);
}

uint32_t
pb_view_offence(const struct pb_catalog_view *view, struct pb_str code)
{
    static_assert(offsetof(struct pb_offence, code) == 0, "find() looks there");
    return find(view->offences, view->offence_count, sizeof(*view->offences), code);
}

/* ---- making one ---- */

static enum pb_status
load_all(struct loader *loader)
{
    static const struct table agencies = { PB_ENTITY_AGENCY, sizeof(struct pb_agency),
                                           load_agency };
    static const struct table people = { PB_ENTITY_PERSON, sizeof(struct pb_person), load_person };
    static const struct table readers = { PB_ENTITY_READER, sizeof(struct pb_reader_entry),
                                          load_reader };
    static const struct table offences = { PB_ENTITY_OFFENCE, sizeof(struct pb_offence),
                                           load_offence };
    static const struct table agreements = { PB_ENTITY_AGREEMENT, sizeof(struct pb_agreement),
                                             load_agreement };
    static const struct table declarations = { PB_ENTITY_DECLARATION, sizeof(struct pb_declaration),
                                               load_declaration };
    static const struct table holds = { PB_ENTITY_HOLD, sizeof(struct pb_hold), load_hold };
    struct pb_catalog_view *view = &loader->view->shown;
    enum pb_status status = pb_side_version(loader->side, &view->version, loader->error);

    /* In an order in which indexes lead backwards. */
    if (status == PB_OK)
        status = load_table(loader, &agencies, &view->agencies, &view->agency_count);
    if (status == PB_OK)
        status = load_table(loader, &people, &view->people, &view->person_count);
    if (status == PB_OK)
        status = load_origins(loader);
    if (status == PB_OK)
        status = load_table(loader, &readers, &view->readers, &view->reader_count);
    if (status == PB_OK)
        status = index_readers(loader);
    if (status == PB_OK)
        status = load_table(loader, &offences, &view->offences, &view->offence_count);
    if (status == PB_OK)
        status = load_table(loader, &agreements, &view->agreements, &view->agreement_count);
    if (status == PB_OK)
        status = load_table(loader, &declarations, &view->declarations, &view->declaration_count);
    if (status == PB_OK)
        status = load_table(loader, &holds, &view->holds, &view->hold_count);
    return status;
}

static void
drop(struct pb_view *view)
{
    const struct pb_env *env;

    if (view == NULL || atomic_fetch_sub(&view->references, 1) != 1)
        return;
    env = view->arena.env;
    pb_arena_clear(&view->arena);
    pb_free(env, view);
}

static enum pb_status
new_view(struct pb_catalog *catalog, struct pb_view **ret_view, struct pb_error *error)
{
    struct loader loader = { .side = &catalog->read, .error = error };
    enum pb_status status;

    loader.view = pb_calloc(catalog->env, 1, sizeof(*loader.view));
    if (loader.view == NULL)
        return PB_E_NOMEM;
    atomic_init(&loader.view->references, 1);
    pb_arena_init(&loader.view->arena, catalog->env, ARENA_BYTES);
    pb_arena_init(&loader.scratch, catalog->env, ARENA_BYTES);
    status = load_all(&loader);
    pb_arena_clear(&loader.scratch);
    if (status != PB_OK) {
        drop(loader.view);
        return status;
    }
    *ret_view = loader.view;
    return PB_OK;
}

/* Within a reading transaction: is another view needed, and which. */
static enum pb_status
renew(struct pb_catalog *catalog, struct pb_error *error)
{
    struct pb_view *view = NULL;
    uint64_t version = 0;
    enum pb_status status = pb_side_version(&catalog->read, &version, error);

    if (status != PB_OK || (catalog->view != NULL && catalog->view->shown.version == version))
        return status;
    status = new_view(catalog, &view, error);
    if (status != PB_OK)
        return status;
    drop(catalog->view);
    catalog->view = view;
    return PB_OK;
}

static enum pb_status
look(struct pb_catalog *catalog, struct pb_error *error)
{
    struct pb_side *side = &catalog->read;
    int64_t data_version = 0;
    enum pb_status status = side->ops->data_version(side->sql, &data_version, error);

    if (status != PB_OK || (catalog->view != NULL && catalog->seen_data_version == data_version))
        return status;
    /* What is changed from here on changes the number once more, and is seen the next time. */
    status = side->ops->begin(side->sql, false, error);
    if (status == PB_OK)
        status = renew(catalog, error);
    side->ops->rollback(side->sql);
    if (status == PB_OK)
        catalog->seen_data_version = data_version;
    return status;
}

enum pb_status
pb_catalog_view_take(struct pb_catalog *catalog, const struct pb_catalog_view **ret_view,
                     struct pb_error *error)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&catalog->read.lock);
    status = look(catalog, error);
    if (status == PB_OK) {
        (void)atomic_fetch_add(&catalog->view->references, 1);
        *ret_view = &catalog->view->shown;
    }
    (void)pthread_mutex_unlock(&catalog->read.lock);
    return status;
}

void
pb_catalog_view_drop(const struct pb_catalog_view *view)
{
    if (view != NULL)
        drop((struct pb_view *)(uintptr_t)view_of(view));
}

void
pb_view_forget(struct pb_catalog *catalog)
{
    drop(catalog->view);
    catalog->view = NULL;
}

/* ---- cases ---- */

static enum pb_status
case_from(const struct pb_tuple *tuple, struct pb_str number, struct pb_arena *arena,
          struct pb_case *ret_case)
{
    struct pb_case found = {
        .is_open = pb_str_equal(tuple->values[CASE_STATUS].text, pb_str_from("open")),
        .is_verified =
            tuple->values[CASE_VERIFIED].is_set && tuple->values[CASE_VERIFIED].number == 1,
        .opened_at_us = tuple->values[CASE_OPENED_AT].number,
        .offence = tuple->values[CASE_OFFENCE].text,
    };
    enum pb_status status = pb_arena_copy(arena, number, &found.number);

    if (status == PB_OK)
        *ret_case = found;
    return status;
}

enum pb_status
pb_catalog_case(struct pb_catalog *catalog, struct pb_str agency_id, struct pb_str number,
                struct pb_arena *arena, struct pb_case *ret_case, struct pb_error *error)
{
    char id[PB_CATALOG_ID_BYTES_MAX];
    struct pb_text_out out = pb_text_out(id, sizeof(id));
    size_t count;
    struct pb_tuple tuple;
    enum pb_status status;

    pb_put_str(&out, agency_id);
    pb_put_char(&out, ':');
    pb_put_str(&out, number);
    if (out.is_cut || number.bytes == 0)
        return PB_NOT_FOUND; /* no case has such an id */
    (void)pthread_mutex_lock(&catalog->read.lock);
    status = pb_side_find(&catalog->read, arena, pb_catalog_entities(&count) + PB_ENTITY_CASE,
                          (struct pb_str){ id, (uint32_t)(out.at - id) }, &tuple, error);
    (void)pthread_mutex_unlock(&catalog->read.lock);
    return status == PB_OK ? case_from(&tuple, number, arena, ret_case) : status;
}
