/*
 * Rules: what must hold between the fields of a record, and the records that it refers to.
 *
 * One function an entity, called with the record as it would be written, after each field alone
 * and each reference has been checked. Fields that such a rule rests on in another record are
 * fixed, so what once held goes on holding.
 */
#include <assert.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/text.h"
#include "catalog/catalog_private.h"

static bool
is_set(const struct pb_put *put, unsigned field)
{
    return put->after.values[field].is_set;
}

static int64_t
number(const struct pb_put *put, unsigned field)
{
    return put->after.values[field].number;
}

static struct pb_str
text(const struct pb_put *put, unsigned field)
{
    return put->after.values[field].text;
}

/* A record that a field refers to; it is there, for references have been checked. */
static enum pb_status
referred(struct pb_put *put, enum pb_entity_number entity, struct pb_str id,
         struct pb_tuple *ret_tuple)
{
    size_t count;
    enum pb_status status =
        pb_side_find(&put->catalog->write, put->arena, pb_catalog_entities(&count) + entity, id,
                     ret_tuple, put->error);

    return status == PB_NOT_FOUND
               ? pb_fail(put->error, PB_E_CORRUPT, "catalog: a checked reference leads nowhere")
               : status;
}

static enum pb_status
must_be_before(struct pb_put *put, unsigned first, unsigned last)
{
    if (number(put, first) < number(put, last))
        return PB_OK;
    return pb_put_fail(put, last, "must be later than %s", put->entity->fields[first].name);
}

/* ---- agencies ---- */

static void *
take_memory(PCRE2_SIZE bytes, void *env)
{
    return pb_alloc(env, bytes);
}

static void
give_memory(void *memory, void *env)
{
    pb_free(env, memory);
}

static enum pb_status
check_pattern(struct pb_put *put, unsigned field)
{
    void *env = (void *)(uintptr_t)put->catalog->env; /* PCRE2 takes no const context */
    pcre2_general_context *general = NULL;
    pcre2_compile_context *context = NULL;
    pcre2_code *code = NULL;
    enum pb_status status = PB_E_NOMEM;
    PCRE2_SIZE offset = 0;
    int number = 0;

    general = pcre2_general_context_create(take_memory, give_memory, env);
    if (general == NULL)
        goto out;
    context = pcre2_compile_context_create(general);
    if (context == NULL)
        goto out;
    code = pcre2_compile((PCRE2_SPTR)text(put, field).text, text(put, field).bytes, PCRE2_UTF,
                         &number, &offset, context);
    if (code != NULL)
        status = PB_OK;
    else if (number != PCRE2_ERROR_HEAP_FAILED)
        status = pb_put_fail(put, field, "not a regular expression, from character %zu on",
                             (size_t)offset + 1);

out:
    pcre2_code_free(code);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(general);
    return status;
}

static enum pb_status
check_zones(struct pb_put *put)
{
    struct pb_str list = text(put, AGENCY_ZONES), item;
    struct pb_zone zone;

    while (pb_list_next(&list, &item)) {
        if (!pb_zone_read(item, &zone))
            return pb_put_fail(put, AGENCY_ZONES,
                               "%.*s must be a kind of place, latitude, longitude and 1 to %u "
                               "metres, with colons between: school:38.5:-98.0:150",
                               (int)item.bytes, item.text, PB_ZONE_RADIUS_MAX_M);
    }
    return PB_OK;
}

static enum pb_status
check_agency(struct pb_put *put)
{
    enum pb_status status = PB_OK;

    /* The id of a case is "<agency>:<number>", and must be read in one way only. */
    if (strchr(text(put, AGENCY_ID).text, ':') != NULL)
        return pb_put_fail(put, AGENCY_ID, "must hold no colon");
    /* An agency's audit log has its name, and there is a log of that name. */
    if (pb_str_equal(text(put, AGENCY_ID), pb_str_from("operator")))
        return pb_put_fail(put, AGENCY_ID, "must not be operator, who has a log already");
    if (is_set(put, AGENCY_CASE_PATTERN))
        status = check_pattern(put, AGENCY_CASE_PATTERN);
    return status == PB_OK && is_set(put, AGENCY_ZONES) ? check_zones(put) : status;
}

/* ---- people ---- */

static enum pb_status
check_person(struct pb_put *put)
{
    const struct pb_str requested = pb_str_from("requested");

    if (is_set(put, PERSON_APPROVED_BY) &&
        pb_str_equal(text(put, PERSON_APPROVED_BY), text(put, PERSON_ID)))
        return pb_put_fail(put, PERSON_APPROVED_BY, "must be another person");
    if (put->exists && pb_str_equal(text(put, PERSON_STATUS), requested) &&
        !pb_str_equal(put->before.values[PERSON_STATUS].text, requested))
        return pb_put_fail(put, PERSON_STATUS, "must not become requested again");
    return PB_OK;
}

/* ---- readers ---- */

static enum pb_status
check_contributes(struct pb_put *put, unsigned field)
{
    struct pb_tuple agency;
    enum pb_status status = referred(put, PB_ENTITY_AGENCY, text(put, field), &agency);

    if (status != PB_OK || agency.values[AGENCY_CONTRIBUTES].number != 0)
        return status;
    return pb_put_fail(put, field, "must be an agency that contributes reads; this one only asks");
}

/* "UTC", "America/Kentucky/Louisville", "Etc/GMT+5". */
static bool
is_zone_name(struct pb_str name)
{
    for (uint32_t i = 0; i < name.bytes; i++) {
        char character = name.text[i];

        if (!((character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
              (character >= 'a' && character <= 'z') || strchr("_+-/", character) != NULL))
            return false;
    }
    return name.bytes <= 64 && name.text[0] != '/';
}

static enum pb_status
check_reader(struct pb_put *put)
{
    if (is_set(put, READER_LAT) != is_set(put, READER_LON))
        return pb_put_fail(put, is_set(put, READER_LAT) ? READER_LON : READER_LAT,
                           "must be given too: a place has both");
    if (is_set(put, READER_TIME_ZONE) && !is_zone_name(text(put, READER_TIME_ZONE)))
        return pb_put_fail(put, READER_TIME_ZONE, "must be a name such as America/Chicago");
    return check_contributes(put, READER_AGENCY);
}

/* Readers that a list names must belong to the agency that another field names. */
static enum pb_status
check_owner_of_readers(struct pb_put *put, unsigned list_field, unsigned owner_field)
{
    struct pb_str list = text(put, list_field), id;

    if (!is_set(put, list_field) || !is_set(put, owner_field))
        return PB_OK;
    while (pb_list_next(&list, &id)) {
        struct pb_tuple reader;
        enum pb_status status = referred(put, PB_ENTITY_READER, id, &reader);

        if (status != PB_OK)
            return status;
        if (!pb_str_equal(reader.values[READER_AGENCY].text, text(put, owner_field)))
            return pb_put_fail(put, list_field, "%.*s belongs to another agency than %s says",
                               (int)id.bytes, id.text, put->entity->fields[owner_field].name);
    }
    return PB_OK;
}

/* ---- cases, agreements, declarations, holds ---- */

static enum pb_status
check_case(struct pb_put *put)
{
    struct pb_str id = text(put, CASE_ID), agency = text(put, CASE_AGENCY);

    if (id.bytes > agency.bytes + 1 && id.text[agency.bytes] == ':' &&
        memcmp(id.text, agency.text, agency.bytes) == 0)
        return PB_OK;
    return pb_put_fail(put, CASE_ID, "must be its agency, a colon and a case number");
}

static enum pb_status
check_agreement(struct pb_put *put)
{
    enum pb_status status;

    if (pb_str_equal(text(put, AGREEMENT_OWNER), text(put, AGREEMENT_ASKER)))
        return pb_put_fail(put, AGREEMENT_ASKER, "must be another agency than the owner");
    status = must_be_before(put, AGREEMENT_STARTS_AT, AGREEMENT_ENDS_AT);
    if (status == PB_OK)
        status = check_contributes(put, AGREEMENT_OWNER);
    if (status == PB_OK)
        status = check_owner_of_readers(put, AGREEMENT_READERS, AGREEMENT_OWNER);
    return status;
}

static enum pb_status
check_declaration(struct pb_put *put)
{
    return must_be_before(put, DECLARATION_SIGNED_AT, DECLARATION_EXPIRES_AT);
}

static enum pb_status
check_hold(struct pb_put *put)
{
    struct pb_tuple found;
    enum pb_status status = referred(put, PB_ENTITY_CASE, text(put, HOLD_CASE), &found);

    if (status != PB_OK)
        return status;
    if (!pb_str_equal(found.values[CASE_AGENCY].text, text(put, HOLD_AGENCY)))
        return pb_put_fail(put, HOLD_CASE, "must be a case of the hold's agency");
    status = must_be_before(put, HOLD_FROM, HOLD_TO);
    /* What a query-only agency submits is never to be found in here, and a hold's plate would be:
     * it asks an owner to hold its reads. One from before this rule can be released. */
    if (status == PB_OK && number(put, HOLD_RELEASED) == 0)
        status = check_contributes(put, HOLD_AGENCY);
    if (status == PB_OK)
        status = check_owner_of_readers(put, HOLD_READERS, HOLD_OWNER);
    return status;
}

/* ---- the calls ---- */

enum pb_status
pb_rules_derive(struct pb_put *put)
{
    struct pb_value *agency = &put->after.values[CASE_AGENCY];
    struct pb_str id = text(put, FIELD_ID);
    const char *colon;

    if (pb_entity_number(put->entity) != PB_ENTITY_CASE || agency->is_set)
        return PB_OK;
    colon = memchr(id.text, ':', id.bytes);
    if (colon == NULL)
        return pb_put_fail(put, CASE_ID, "must be its agency, a colon and a case number");
    agency->is_set = true;
    return pb_copy_text(put->arena, (struct pb_str){ id.text, (uint32_t)(colon - id.text) },
                        &agency->text);
}

enum pb_status
pb_rules_of_record(struct pb_put *put)
{
    static enum pb_status (*const check[PB_ENTITY_COUNT])(struct pb_put *) = {
        [PB_ENTITY_AGENCY] = check_agency,       [PB_ENTITY_PERSON] = check_person,
        [PB_ENTITY_READER] = check_reader,       [PB_ENTITY_CASE] = check_case,
        [PB_ENTITY_AGREEMENT] = check_agreement, [PB_ENTITY_DECLARATION] = check_declaration,
        [PB_ENTITY_HOLD] = check_hold,
    };
    enum pb_entity_number entity = pb_entity_number(put->entity);

    return check[entity] == NULL ? PB_OK : check[entity](put);
}
