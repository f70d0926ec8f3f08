/*
 * Rights: who sees and changes which records of the catalog.
 *
 * A record belongs to an agency: itself, that of a case's id, the owner of an agreement, or the one
 * that it names; an offence belongs to none. Administrators have to do with what is their own
 * agency's, and see agreements that let it ask, and offences; nothing else is there for them. Who
 * operates (PB_MAY_OPERATE) does what the operator of the machine does, and is made by one who
 * does, never by an administrator. Nobody gives themselves anything.
 */
#include <string.h>

#include "inquiry/inquiry_private.h"

/* ---- what a record says ---- */

const char *
pb_record_value(const struct pb_record *record, const char *name)
{
    for (unsigned i = 0; i < record->entity->field_count; i++) {
        if (strcmp(record->entity->fields[i].name, name) == 0)
            return record->values[i];
    }
    return NULL;
}

static bool
is_of(const struct pb_record *record, const char *entity)
{
    return strcmp(record->entity->name, entity) == 0;
}

const char *
pb_record_agency(const struct pb_record *record, char room[PB_CATALOG_ID_BYTES_MAX + 1])
{
    const char *id = pb_record_value(record, "id");
    const char *agency = pb_record_value(record, "agency");

    if (is_of(record, "agency"))
        return id;
    if (is_of(record, "case")) {
        pb_site_id_text((struct pb_str){ id, (uint32_t)strcspn(id, ":") }, room);
        return room;
    }
    return agency != NULL ? agency : pb_record_value(record, "owner");
}

/* Takes the next of a comma separated list, without spaces around it; false at its end. */
static bool
take_item(struct pb_str *list, struct pb_str *ret_item)
{
    const char *comma = list->bytes > 0 ? memchr(list->text, ',', list->bytes) : NULL;
    struct pb_str item = { list->text,
                           comma != NULL ? (uint32_t)(comma - list->text) : list->bytes };
    uint32_t taken = item.bytes + (comma != NULL);

    if (list->bytes == 0)
        return false;
    *list = (struct pb_str){ list->text + taken, list->bytes - taken };
    while (item.bytes > 0 && item.text[0] == ' ')
        item = (struct pb_str){ item.text + 1, item.bytes - 1 };
    while (item.bytes > 0 && item.text[item.bytes - 1] == ' ')
        item.bytes--;
    *ret_item = item;
    return true;
}

static bool
has_word(const char *list, const char *word)
{
    struct pb_str rest = pb_str_from(list), item;

    while (take_item(&rest, &item)) {
        if (pb_str_equal(item, pb_str_from(word)))
            return true;
    }
    return false;
}

/* Would or does this person operate? */
static bool
operates(const struct pb_record *record)
{
    return has_word(pb_record_value(record, "role"), "operator") ||
           has_word(pb_record_value(record, "permissions"), "operate");
}

/* ---- who ---- */

enum pb_status
pb_rights_of(const struct pb_catalog_view *view, const struct pb_actor *actor, int64_t now_us,
             struct pb_rights *ret_rights, struct pb_error *error)
{
    *ret_rights = (struct pb_rights){ .view = view, .person = actor->person, .is_operator = true };
    if (actor->person != NULL) {
        uint32_t person = pb_view_person(view, pb_str_from(actor->person));

        ret_rights->is_operator = pb_view_may(view, person, PB_MAY_OPERATE, now_us);
        if (!ret_rights->is_operator && !pb_view_may(view, person, PB_MAY_ADMINISTER, now_us))
            return pb_fail(error, PB_DENIED, "person: may not look at the catalog or change it");
        ret_rights->agency = view->agencies[view->people[person].agency].id;
    }
    return PB_OK;
}

static bool
is_own(const struct pb_rights *rights, const char *agency)
{
    return agency != NULL && pb_str_equal(rights->agency, pb_str_from(agency));
}

bool
pb_rights_see(const struct pb_rights *rights, const struct pb_record *record)
{
    char room[PB_CATALOG_ID_BYTES_MAX + 1];

    return rights->is_operator || is_of(record, "offence") ||
           is_own(rights, pb_record_agency(record, room)) ||
           (is_of(record, "agreement") && is_own(rights, pb_record_value(record, "asker")));
}

/* ---- changes of people ---- */

/* What people may say of themselves without a second person. */
static bool
changes_only_oneself(const struct pb_record *after)
{
    for (unsigned i = 1; i < after->entity->field_count; i++) {
        const char *name = after->entity->fields[i].name;

        if (after->values[i] != NULL && strcmp(name, "name") != 0 && strcmp(name, "contact") != 0)
            return false;
    }
    return true;
}

static enum pb_status
check_account(const struct pb_rights *rights, const struct pb_record *before,
              const struct pb_record *after, struct pb_error *error)
{
    const char *status = after == NULL ? NULL : pb_record_value(after, "status");
    const char *approver = after == NULL ? NULL : pb_record_value(after, "approved_by");

    if ((before != NULL && operates(before)) || (after != NULL && operates(after)))
        return pb_fail(error, PB_DENIED, "role: only who operates says who else does");
    if (before != NULL && strcmp(before->values[0], rights->person) == 0 &&
        (after == NULL || !changes_only_oneself(after)))
        return pb_fail(error, PB_DENIED,
                       "id: of their own account nobody changes more than name "
                       "and contact");
    if (approver != NULL && approver[0] != '\0' && strcmp(approver, rights->person) != 0)
        return pb_fail(error, PB_DENIED, "approved_by: people approve in their own name only");
    if (before == NULL && status != NULL && status[0] != '\0' && strcmp(status, "requested") != 0)
        return pb_fail(error, PB_DENIED,
                       "status: an account is requested first, and then approved by a second "
                       "person");
    return PB_OK;
}

/* ---- changes ---- */

/* What a record names must be there for its administrator: otherwise a refusal would tell of other
 * agencies' readers and cases. */
static enum pb_status
check_named(const struct pb_rights *rights, const struct pb_record *after, struct pb_error *error)
{
    const char *case_id = pb_record_value(after, "case");
    struct pb_str readers = pb_str_from(pb_record_value(after, "readers")), item;

    if (case_id != NULL && (strncmp(case_id, rights->agency.text, rights->agency.bytes) != 0 ||
                            case_id[rights->agency.bytes] != ':'))
        return pb_fail(error, PB_BAD_INPUT, "case: there is no such case of the agency");
    while (take_item(&readers, &item)) {
        uint32_t reader = pb_view_reader(rights->view, item);

        if (item.bytes > 0 &&
            (reader == PB_NO_INDEX ||
             !pb_str_equal(rights->view->agencies[rights->view->readers[reader].agency].id,
                           rights->agency)))
            return pb_fail(error, PB_BAD_INPUT, "readers: the agency has no reader '%.*s'",
                           item.bytes < 64 ? (int)item.bytes : 64, item.text);
    }
    return PB_OK;
}

enum pb_status
pb_rights_change(const struct pb_rights *rights, const struct pb_record *before,
                 const struct pb_record *after, struct pb_error *error)
{
    const struct pb_record *record = before != NULL ? before : after;
    char room[PB_CATALOG_ID_BYTES_MAX + 1];

    if (rights->is_operator)
        return PB_OK;
    if (is_of(record, "agency") || is_of(record, "offence"))
        return pb_fail(error, PB_DENIED, "person: only who operates changes %s",
                       record->entity->plural);
    if (!is_own(rights, pb_record_agency(record, room)))
        return pb_fail(error, PB_DENIED, "%s: only what belongs to one's own agency is changed",
                       is_of(record, "agreement") ? "owner"
                       : is_of(record, "case")    ? "id"
                                                  : "agency");
    if (is_of(record, "person"))
        return check_account(rights, before, after, error);
    return after != NULL ? check_named(rights, after, error) : PB_OK;
}

enum pb_status
pb_site_may_administer(struct pb_site *site, const struct pb_actor *actor, struct pb_str agency,
                       struct pb_error *error)
{
    struct pb_facts *facts = NULL;
    struct pb_rights rights;
    int64_t now_us = pb_now_us(site->env);
    enum pb_status status = pb_site_facts(site, now_us, &facts, error);

    if (status != PB_OK)
        return status;
    status = pb_rights_of(facts->view, actor, now_us, &rights, error);
    if (status == PB_OK && !rights.is_operator && !pb_str_equal(rights.agency, agency))
        status = pb_fail(error, PB_DENIED, "agency: only one's own agency is administered");
    pb_facts_drop(facts);
    return status;
}

enum pb_status
pb_site_may_operate(struct pb_site *site, const struct pb_actor *actor, struct pb_error *error)
{
    struct pb_facts *facts = NULL;
    struct pb_rights rights;
    int64_t now_us = pb_now_us(site->env);
    enum pb_status status = pb_site_facts(site, now_us, &facts, error);

    if (status != PB_OK)
        return status;
    status = pb_rights_of(facts->view, actor, now_us, &rights, error);
    if (status == PB_OK && !rights.is_operator)
        status = pb_fail(error, PB_DENIED, "person: only who operates does that");
    pb_facts_drop(facts);
    return status;
}

/* ---- looking ---- */

struct seeing {
    const struct pb_rights *rights;
    pb_record_fn *each;
    void *context;
    bool has_seen;
    const char *prefix; /* ids that begin so are wanted, and come together; NULL: all */
};

static bool
see(void *context, const struct pb_record *record)
{
    struct seeing *seeing = context;

    if (seeing->prefix != NULL &&
        strncmp(record->values[0], seeing->prefix, strlen(seeing->prefix)) != 0)
        return false;
    if (!pb_rights_see(seeing->rights, record))
        return true;
    seeing->has_seen = true;
    return seeing->each(seeing->context, record);
}

enum pb_status
pb_site_show(struct pb_site *site, const struct pb_actor *actor, const struct pb_entity *entity,
             const char *id, pb_record_fn *each, void *context, struct pb_error *error)
{
    struct pb_facts *facts = NULL;
    struct pb_rights rights;
    struct seeing seeing = { .rights = &rights, .each = each, .context = context };
    int64_t now_us = pb_now_us(site->env);
    enum pb_status status = pb_site_facts(site, now_us, &facts, error);

    if (status != PB_OK)
        return status;
    status = pb_rights_of(facts->view, actor, now_us, &rights, error);
    if (status == PB_OK)
        status = pb_catalog_show(site->catalog, entity, id, see, &seeing, error);
    if (status == PB_OK && !seeing.has_seen)
        status = PB_NOT_FOUND;
    pb_facts_drop(facts);
    return status == PB_NOT_FOUND
               ? pb_fail(error, status, "there is no %s %.100s", entity->name, id)
               : status;
}

enum pb_status
pb_site_list(struct pb_site *site, const struct pb_actor *actor, const struct pb_entity *entity,
             struct pb_str after, pb_record_fn *each, void *context, struct pb_error *error)
{
    char prefix[PB_CATALOG_ID_BYTES_MAX + 2];
    struct pb_facts *facts = NULL;
    struct pb_rights rights;
    struct seeing seeing = { .rights = &rights, .each = each, .context = context };
    int64_t now_us = pb_now_us(site->env);
    enum pb_status status = pb_site_facts(site, now_us, &facts, error);

    if (status != PB_OK)
        return status;
    status = pb_rights_of(facts->view, actor, now_us, &rights, error);
    /* Cases are many, and those of one agency stand together. */
    if (status == PB_OK && !rights.is_operator && strcmp(entity->name, "case") == 0) {
        pb_site_id_text(rights.agency, prefix);
        memcpy(prefix + rights.agency.bytes, ":", 2);
        seeing.prefix = prefix;
        if (pb_str_compare(after, pb_str_from(prefix)) < 0)
            after = pb_str_from(prefix);
    }
    if (status == PB_OK)
        status = pb_catalog_list_after(site->catalog, entity, after, see, &seeing, error);
    pb_facts_drop(facts);
    return status;
}
