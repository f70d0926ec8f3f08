/*
 * Changes of the catalog: each has its leaf, synced before the change is made.
 *
 * The leaf stands in the log of the agency that the record belongs to, and where it belongs to
 * none, in the operator's. What a record holds may be a plate or a person, so the leaf names
 * entity and fields in the open and commits to all else.
 */
#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "inquiry/inquiry_private.h"

/* ---- records ---- */

struct before {
    struct pb_arena *arena;
    struct pb_record record; /* values in arena */
    bool is_there;
    enum pb_status status;
};

static bool
keep_record(void *context, const struct pb_record *record)
{
    struct before *before = context;

    before->record.entity = record->entity;
    before->is_there = true;
    for (unsigned i = 0; i < record->entity->field_count; i++) {
        size_t bytes = record->values[i] == NULL ? 0 : strlen(record->values[i]) + 1;
        char *copy = NULL;

        if (bytes == 0)
            continue;
        copy = pb_arena_alloc(before->arena, bytes);
        if (copy == NULL) {
            before->status = PB_E_NOMEM;
            return false;
        }
        memcpy(copy, record->values[i], bytes);
        before->record.values[i] = copy;
    }
    return true;
}

static enum pb_status
load_before(struct pb_site *site, const struct pb_entity *entity, const char *id,
            struct before *before, struct pb_error *error)
{
    enum pb_status status = pb_catalog_show(site->catalog, entity, id, keep_record, before, error);

    if (status == PB_NOT_FOUND)
        return PB_OK;
    return status == PB_OK ? before->status : status;
}

static const char *
value_of(const struct pb_record *record, const char *name)
{
    for (unsigned i = 0; i < record->entity->field_count; i++) {
        if (strcmp(record->entity->fields[i].name, name) == 0)
            return record->values[i];
    }
    return NULL;
}

/* Writes a record as "name=value" lines: what is hashed and committed to. */
static struct pb_str
record_text(const struct pb_record *record, char *room, size_t room_bytes)
{
    struct pb_text_out out = pb_text_out(room, room_bytes);

    for (unsigned i = 0; i < record->entity->field_count; i++) {
        if (record->values[i] == NULL)
            continue;
        pb_put_text(&out, record->entity->fields[i].name);
        pb_put_char(&out, '=');
        pb_put_text(&out, record->values[i]);
        pb_put_char(&out, '\n');
    }
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

/* ---- who ---- */

/* Whose record it is: the agency itself, that of a case's id, the owner of an agreement, or of
 * whatever has one. room holds an id. */
static const char *
agency_of(const struct pb_record *record, char room[PB_CATALOG_ID_BYTES_MAX + 1])
{
    const char *id = value_of(record, "id");
    const char *agency = value_of(record, "agency");

    if (strcmp(record->entity->name, "agency") == 0)
        return id;
    if (strcmp(record->entity->name, "case") == 0) {
        pb_site_id_text((struct pb_str){ id, (uint32_t)strcspn(id, ":") }, room);
        return room;
    }
    return agency != NULL ? agency : value_of(record, "owner");
}

/* A person changes records of their own agency, if they may; the operator changes any. */
static enum pb_status
check_actor(const struct pb_catalog_view *view, const struct pb_actor *actor, const char *agency,
            bool is_agency, int64_t now_us, struct pb_error *error)
{
    uint32_t index = PB_NO_INDEX;

    if (actor->person == NULL)
        return PB_OK;
    index = pb_view_person(view, pb_str_from(actor->person));
    if (!pb_view_may(view, index, PB_MAY_ADMINISTER, now_us))
        return pb_fail(error, PB_BAD_INPUT, "person: may not change the catalog");
    if (agency == NULL || is_agency ||
        !pb_str_equal(view->agencies[view->people[index].agency].id, pb_str_from(agency)))
        return pb_fail(error, PB_BAD_INPUT,
                       "person: changes only what belongs to their own agency");
    return PB_OK;
}

/* ---- the leaf ---- */

#define RECORD_TEXT_BYTES_MAX (PB_ENTITY_FIELDS_MAX * (PB_CATALOG_TEXT_BYTES_MAX + 64u))

struct change {
    const struct pb_actor *actor;
    const struct pb_entity *entity;
    const char *id;
    struct before before;
    const struct pb_record *after; /* NULL: removed */
    enum pb_put_mode mode;
};

/* Names of the fields that differ, comma separated. */
static struct pb_str
changed_fields(const struct change *change, char *room, size_t room_bytes)
{
    struct pb_text_out out = pb_text_out(room, room_bytes);

    for (unsigned i = 0; change->after != NULL && i < change->entity->field_count; i++) {
        const char *before = change->before.record.values[i];
        const char *after = change->after->values[i];

        if (after == NULL || (before != NULL && strcmp(before, after) == 0))
            continue;
        if (out.at != room)
            pb_put_char(&out, ',');
        pb_put_text(&out, change->entity->fields[i].name);
    }
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static const char *
change_verb(const struct change *change)
{
    if (change->after == NULL)
        return "remove";
    return change->before.is_there ? "change" : "add";
}

/* Which log: the agency's own where it has one already, else the operator's. */
static const char *
log_of(const struct pb_catalog_view *view, const char *agency)
{
    return agency != NULL && pb_view_agency(view, pb_str_from(agency)) != PB_NO_INDEX
               ? agency
               : PB_AUDIT_OPERATOR;
}

static enum pb_status
leave_leaf(struct pb_site *site, const struct pb_catalog_view *view, const struct change *change,
           const char *agency, uint64_t *ret_index, struct pb_error *error)
{
    size_t room_bytes = 2 * (size_t)RECORD_TEXT_BYTES_MAX;
    char *room = pb_alloc(site->env, room_bytes);
    uint8_t digests[2][PB_DIGEST_BYTES];
    char fields[1024];
    struct pb_draft leaf;
    struct pb_str text;
    enum pb_status status = PB_OK;

    if (room == NULL)
        return PB_E_NOMEM;
    pb_draft_init(&leaf, log_of(view, agency), "change", PB_KEEP_OPENINGS_US);
    pb_draft_text(&leaf, "entity", pb_str_from(change->entity->name));
    pb_draft_text(&leaf, "verb", pb_str_from(change_verb(change)));
    pb_draft_text(&leaf, "fields", changed_fields(change, fields, sizeof(fields)));
    pb_draft_secret(&leaf, "id", pb_str_from(change->id));
    pb_draft_secret(&leaf, "person", pb_str_from(change->actor->person));
    if (change->before.is_there) {
        text = record_text(&change->before.record, room, room_bytes);
        (void)crypto_hash_sha256(digests[0], (const unsigned char *)text.text, text.bytes);
        pb_draft_secret(&leaf, "before", (struct pb_str){ (char *)digests[0], PB_DIGEST_BYTES });
    }
    if (change->after != NULL) {
        text = record_text(change->after, room, room_bytes);
        (void)crypto_hash_sha256(digests[1], (const unsigned char *)text.text, text.bytes);
        pb_draft_secret(&leaf, "after", (struct pb_str){ (char *)digests[1], PB_DIGEST_BYTES });
    }
    status = pb_drafts_append(site, &leaf, 1, ret_index, error);
    pb_free(site->env, room);
    return status;
}

/* Says that a change whose leaf stands was refused or failed. Its own failure changes nothing. */
static void
leave_failure(struct pb_site *site, const char *log, uint64_t of, enum pb_status why)
{
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    pb_draft_init(&leaf, log, "unchanged", PB_KEEP_OPENINGS_US);
    pb_draft_number(&leaf, "of", (int64_t)of);
    pb_draft_text(&leaf, "status", pb_str_from(pb_status_name(why)));
    status = pb_drafts_append(site, &leaf, 1, &index, NULL);
    (void)status;
}

/* ---- changing ---- */

/* A hold may last no longer than the law of what it covers allows. */
static enum pb_status
check_hold(struct pb_site *site, const struct pb_facts *facts, const struct pb_record *record,
           struct pb_error *error)
{
    const char *expires = value_of(record, "expires_at");
    const char *owner = value_of(record, "owner");
    uint32_t owner_index =
        owner == NULL ? PB_NO_INDEX : pb_view_agency(facts->view, pb_str_from(owner));
    int64_t now_us = pb_now_us(site->env);
    int64_t expires_us = 0;
    int16_t offset_min = 0;

    if (strcmp(record->entity->name, "hold") != 0 || expires == NULL ||
        pb_time_parse_utc(pb_str_from(expires), &expires_us, &offset_min) != PB_OK)
        return PB_OK; /* no hold, or one that the catalog itself will refuse */
    for (uint32_t i = 0; i < facts->view->origin_count; i++) {
        const struct pb_origin *origin = &facts->view->origins[i];
        struct pb_spoken_rule rule = { 0 };
        int64_t max_us = pb_policy_hold_max_us(facts->rules, origin->capture_state, now_us, &rule);

        if ((owner_index == PB_NO_INDEX || origin->agency == owner_index) && max_us != PB_NEVER &&
            expires_us - now_us > max_us)
            return pb_fail(error, PB_BAD_INPUT, "expires_at: at most %d days from now (%.*s)",
                           (int)(max_us / PB_DAY_US), (int)rule.id.bytes, rule.id.text);
    }
    return PB_OK;
}

static enum pb_status
apply(struct pb_site *site, const struct change *change, struct pb_error *error)
{
    enum pb_status status;

    if (change->after == NULL)
        return pb_catalog_remove(site->catalog, change->entity, change->id, error);
    status = pb_catalog_put(site->catalog, change->after, change->mode, error);
    /* After the record, so that what is refused leaves no log; what a crash leaves without one gets
     * it at the next opening, and until then can ask nothing. */
    if (status == PB_OK && strcmp(change->entity->name, "agency") == 0)
        status = pb_site_add_log(site, pb_str_from(change->id), error);
    return status;
}

static enum pb_status
change_record(struct pb_site *site, const struct pb_facts *facts, struct change *change,
              struct pb_error *error)
{
    char room[PB_CATALOG_ID_BYTES_MAX + 1];
    const char *agency = NULL;
    uint64_t index = 0;
    enum pb_status status = load_before(site, change->entity, change->id, &change->before, error);

    if (status != PB_OK)
        return status;
    /* The owner that a record has counts, not one that a change would give it. */
    if (change->before.is_there)
        agency = agency_of(&change->before.record, room);
    else if (change->after != NULL)
        agency = agency_of(change->after, room);
    status = check_actor(facts->view, change->actor, agency,
                         strcmp(change->entity->name, "agency") == 0, pb_now_us(site->env), error);
    if (status == PB_OK && change->after != NULL)
        status = check_hold(site, facts, change->after, error);
    if (status == PB_OK)
        status = leave_leaf(site, facts->view, change, agency, &index, error);
    if (status != PB_OK)
        return status;
    status = apply(site, change, error);
    if (status != PB_OK)
        leave_failure(site, log_of(facts->view, agency), index, status);
    return status;
}

static enum pb_status
change_locked(struct pb_site *site, struct change *change, struct pb_error *error)
{
    struct pb_facts *facts = NULL;
    struct pb_arena arena;
    enum pb_status status = pb_site_facts(site, pb_now_us(site->env), &facts, error);

    if (status != PB_OK)
        return status;
    pb_arena_init(&arena, site->env, 4096);
    change->before.arena = &arena;
    (void)pthread_mutex_lock(&site->change_lock);
    status = change_record(site, facts, change, error);
    (void)pthread_mutex_unlock(&site->change_lock);
    pb_arena_clear(&arena);
    pb_facts_drop(facts);
    return status;
}

enum pb_status
pb_site_put(struct pb_site *site, const struct pb_actor *actor, const struct pb_record *record,
            enum pb_put_mode mode, struct pb_error *error)
{
    struct change change = { .actor = actor,
                             .entity = record->entity,
                             .id = record->values[0],
                             .after = record,
                             .mode = mode };

    if (record->values[0] == NULL)
        return pb_fail(error, PB_BAD_INPUT, "id: needed");
    return change_locked(site, &change, error);
}

enum pb_status
pb_site_remove(struct pb_site *site, const struct pb_actor *actor, const struct pb_entity *entity,
               const char *id, struct pb_error *error)
{
    struct change change = { .actor = actor, .entity = entity, .id = id };

    return change_locked(site, &change, error);
}

/* ---- many at once ---- */

static enum pb_status
leave_import(struct pb_site *site, const struct pb_actor *actor, const char *text, size_t bytes,
             uint64_t *ret_index, struct pb_error *error)
{
    uint8_t digest[PB_DIGEST_BYTES];
    struct pb_draft leaf;

    (void)crypto_hash_sha256(digest, (const unsigned char *)text, bytes);
    pb_draft_init(&leaf, PB_AUDIT_OPERATOR, "change", PB_KEEP_OPENINGS_US);
    pb_draft_text(&leaf, "entity", pb_str_from("catalog"));
    pb_draft_text(&leaf, "verb", pb_str_from("import"));
    pb_draft_secret(&leaf, "person", pb_str_from(actor->person));
    pb_draft_secret(&leaf, "after", (struct pb_str){ (char *)digest, PB_DIGEST_BYTES });
    return pb_drafts_append(site, &leaf, 1, ret_index, error);
}

enum pb_status
pb_site_import_yaml(struct pb_site *site, const struct pb_actor *actor, const char *text,
                    size_t bytes, struct pb_catalog_changes *ret_changes, struct pb_error *error)
{
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    if (actor->person != NULL)
        return pb_fail(error, PB_BAD_INPUT, "only the operator of the site imports a catalog");
    (void)pthread_mutex_lock(&site->change_lock);
    status = leave_import(site, actor, text, bytes, &index, error);
    if (status == PB_OK) {
        status = pb_catalog_from_yaml(site->catalog, text, bytes, ret_changes, error);
        if (status != PB_OK)
            leave_failure(site, PB_AUDIT_OPERATOR, index, status);
    }
    if (status == PB_OK)
        status = pb_site_add_logs(site, error);
    (void)pthread_mutex_unlock(&site->change_lock);
    return status;
}

/* ---- readers that reads brought with them ---- */

/* A scalar of YAML in double quotes. */
static void
put_quoted(struct pb_text_out *out, struct pb_str text)
{
    pb_put_char(out, '"');
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] == '"' || text.text[i] == '\\')
            pb_put_char(out, '\\');
        pb_put_char(out, text.text[i]);
    }
    pb_put_char(out, '"');
}

static void
put_reader(struct pb_text_out *out, struct pb_str reader, struct pb_str agency,
           uint16_t capture_state)
{
    pb_put_text(out, "  - id: ");
    put_quoted(out, reader);
    pb_put_text(out, "\n    agency: ");
    put_quoted(out, agency);
    if (capture_state != 0) {
        pb_put_text(out, "\n    capture_state: ");
        pb_put_text(out, pb_jurisdiction_name(capture_state));
    }
    pb_put_char(out, '\n');
}

static enum pb_status
leave_readers(struct pb_site *site, const char *log, struct pb_str text, uint32_t count,
              uint64_t *ret_index, struct pb_error *error)
{
    uint8_t digest[PB_DIGEST_BYTES];
    struct pb_draft leaf;

    (void)crypto_hash_sha256(digest, (const unsigned char *)text.text, text.bytes);
    pb_draft_init(&leaf, log, "change", PB_KEEP_OPENINGS_US);
    pb_draft_text(&leaf, "entity", pb_str_from("reader"));
    pb_draft_text(&leaf, "verb", pb_str_from("add"));
    pb_draft_number(&leaf, "n", count);
    pb_draft_secret(&leaf, "after", (struct pb_str){ (char *)digest, PB_DIGEST_BYTES });
    return pb_drafts_append(site, &leaf, 1, ret_index, error);
}

/* change_lock is held. Another thread may have added some of them meanwhile. */
static enum pb_status
add_readers(struct pb_site *site, const struct pb_catalog_view *view, struct pb_str agency,
            uint16_t capture_state, const struct pb_str *readers, uint32_t count,
            struct pb_error *error)
{
    size_t room_bytes =
        16 + (size_t)count * (2 * PB_READER_BYTES_MAX + PB_CATALOG_ID_BYTES_MAX + 96);
    char *room = pb_alloc(site->env, room_bytes);
    char log[PB_CATALOG_ID_BYTES_MAX + 1];
    struct pb_catalog_changes changes;
    struct pb_text_out out;
    uint32_t added = 0;
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    if (room == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for new readers");
    out = pb_text_out(room, room_bytes);
    pb_put_text(&out, "readers:\n");
    for (uint32_t i = 0; i < count; i++) {
        if (pb_view_reader(view, readers[i]) != PB_NO_INDEX)
            continue;
        put_reader(&out, readers[i], agency, capture_state);
        added++;
    }
    pb_site_id_text(agency, log);
    if (added > 0)
        status = leave_readers(site, log, (struct pb_str){ room, (uint32_t)(out.at - room) }, added,
                               &index, error);
    if (status == PB_OK && added > 0) {
        status =
            pb_catalog_from_yaml(site->catalog, room, (size_t)(out.at - room), &changes, error);
        if (status != PB_OK)
            leave_failure(site, log, index, status);
    }
    pb_free(site->env, room);
    return status;
}

enum pb_status
pb_site_add_readers(struct pb_site *site, struct pb_str agency, uint16_t capture_state,
                    const struct pb_str *readers, uint32_t count, struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&site->change_lock);
    status = pb_catalog_view_take(site->catalog, &view, error);
    if (status == PB_OK)
        status = add_readers(site, view, agency, capture_state, readers, count, error);
    pb_catalog_view_drop(view);
    (void)pthread_mutex_unlock(&site->change_lock);
    return status;
}
