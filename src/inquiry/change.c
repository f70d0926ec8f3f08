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

/* A record as "name=value" lines: what is committed to, and what marks are made of. */
static void
digest_record(const struct pb_record *record, uint8_t ret_digest[PB_DIGEST_BYTES])
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (unsigned i = 0; i < record->entity->field_count; i++) {
        const char *parts[] = { record->entity->fields[i].name, "=", record->values[i], "\n" };

        for (unsigned part = 0; record->values[i] != NULL && part < 4; part++)
            (void)crypto_hash_sha256_update(&state, (const unsigned char *)parts[part],
                                            strlen(parts[part]));
    }
    (void)crypto_hash_sha256_final(&state, ret_digest);
}

void
pb_site_record_mark(const struct pb_record *record, char ret_mark[PB_RECORD_MARK_BYTES])
{
    uint8_t digest[PB_DIGEST_BYTES];

    digest_record(record, digest);
    (void)sodium_bin2hex(ret_mark, PB_RECORD_MARK_BYTES, digest, PB_RECORD_MARK_BYTES / 2);
}

/* ---- the leaf ---- */

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
    uint8_t digests[2][PB_DIGEST_BYTES];
    char fields[1024];
    struct pb_draft leaf;

    pb_draft_init(&leaf, log_of(view, agency), "change", PB_KEEP_OPENINGS_US);
    pb_draft_text(&leaf, "entity", pb_str_from(change->entity->name));
    pb_draft_text(&leaf, "verb", pb_str_from(change_verb(change)));
    pb_draft_text(&leaf, "fields", changed_fields(change, fields, sizeof(fields)));
    pb_draft_secret(&leaf, "id", pb_str_from(change->id));
    pb_draft_secret(&leaf, "person", pb_str_from(change->actor->person));
    if (change->before.is_there) {
        digest_record(&change->before.record, digests[0]);
        pb_draft_secret(&leaf, "before", (struct pb_str){ (char *)digests[0], PB_DIGEST_BYTES });
    }
    if (change->after != NULL) {
        digest_record(change->after, digests[1]);
        pb_draft_secret(&leaf, "after", (struct pb_str){ (char *)digests[1], PB_DIGEST_BYTES });
    }
    return pb_drafts_append(site, &leaf, 1, ret_index, error);
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
    const char *expires = pb_record_value(record, "expires_at");
    const char *owner = pb_record_value(record, "owner");
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

static bool
differs(const struct change *change, const char *field)
{
    const char *before = pb_record_value(&change->before.record, field);
    const char *after = pb_record_value(change->after, field);

    /* What a change does not name stays. */
    if (after == NULL)
        return before != NULL && change->mode != PB_PUT_CHANGE;
    return before == NULL || strcmp(before, after) != 0;
}

/* Whether dates of what is stored may depend on it: never on a reader that is added. */
static bool
moves_dates(const struct change *change)
{
    static const struct {
        const char *entity, *field;
    } fields[] = {
        { "agency", "class" },  { "agency", "packs" },         { "agency", "retention_days" },
        { "agency", "zones" },  { "reader", "lat" },           { "reader", "lon" },
        { "reader", "agency" }, { "reader", "capture_state" },
    };

    if (strcmp(change->entity->name, "hold") == 0)
        return true;
    for (size_t i = 0; change->before.is_there && i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(change->entity->name, fields[i].entity) == 0 &&
            (change->after == NULL || differs(change, fields[i].field)))
            return true;
    }
    return false;
}

/* May they, and is it as they saw it? What is not there for them is not there. */
static enum pb_status
check_change(const struct pb_rights *rights, const struct change *change, struct pb_error *error)
{
    const struct pb_record *before = change->before.is_there ? &change->before.record : NULL;
    bool is_seen = before != NULL && pb_rights_see(rights, before);
    bool is_added = change->after != NULL && change->mode != PB_PUT_CHANGE;
    char mark[PB_RECORD_MARK_BYTES];
    enum pb_status status = PB_OK;

    if (!is_seen && !is_added)
        return pb_fail(error, PB_NOT_FOUND, "there is no %s %.100s", change->entity->name,
                       change->id);
    status = pb_rights_change(rights, is_seen ? before : NULL, change->after, error);
    if (status != PB_OK)
        return status;
    if (before != NULL && !is_seen)
        return pb_fail(error, PB_CONFLICT, "id: taken already");
    if (change->actor->seen == NULL)
        return PB_OK;
    if (is_seen)
        pb_site_record_mark(before, mark);
    return is_seen && strcmp(mark, change->actor->seen) == 0
               ? PB_OK
               : pb_fail(error, PB_EXPIRED, "somebody changed it meanwhile: look at it again");
}

static enum pb_status
change_record(struct pb_site *site, const struct pb_facts *facts, struct change *change,
              struct pb_error *error)
{
    char room[PB_CATALOG_ID_BYTES_MAX + 1];
    struct pb_rights rights;
    const char *agency = NULL;
    uint64_t index = 0;
    enum pb_status status =
        pb_rights_of(facts->view, change->actor, pb_now_us(site->env), &rights, error);

    if (status == PB_OK)
        status = load_before(site, change->entity, change->id, &change->before, error);
    if (status == PB_OK)
        status = check_change(&rights, change, error);
    if (status == PB_OK && change->after != NULL)
        status = check_hold(site, facts, change->after, error);
    if (status != PB_OK)
        return status;
    /* The owner that a record has counts, not one that a change would give it. */
    agency =
        pb_record_agency(change->before.is_there ? &change->before.record : change->after, room);
    status = leave_leaf(site, facts->view, change, agency, &index, error);
    if (status != PB_OK)
        return status;
    if (moves_dates(change))
        status = pb_site_note_dates(site, log_of(facts->view, agency), index, error);
    if (status == PB_OK)
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

    status = pb_site_may_operate(site, actor, error);
    if (status != PB_OK)
        return status;
    (void)pthread_mutex_lock(&site->change_lock);
    status = leave_import(site, actor, text, bytes, &index, error);
    if (status == PB_OK) {
        status = pb_site_note_dates(site, PB_AUDIT_OPERATOR, index, error);
        if (status == PB_OK)
            status = pb_catalog_from_yaml(site->catalog, text, bytes, ret_changes, error);
        if (status != PB_OK)
            leave_failure(site, PB_AUDIT_OPERATOR, index, status);
    }
    if (status == PB_OK)
        status = pb_site_add_logs(site, error);
    (void)pthread_mutex_unlock(&site->change_lock);
    return status;
}

enum pb_status
pb_site_export_yaml(struct pb_site *site, const struct pb_actor *actor, char **ret_text,
                    size_t *ret_bytes, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = pb_site_may_operate(site, actor, error);

    pb_draft_init(&leaf, PB_AUDIT_OPERATOR, "catalog-read", PB_KEEP_OPENINGS_US);
    pb_draft_secret(&leaf, "person", pb_str_from(actor->person));
    if (status == PB_OK && actor->person != NULL)
        status = pb_drafts_append(site, &leaf, 1, &index, error);
    return status == PB_OK ? pb_catalog_to_yaml(site->catalog, ret_text, ret_bytes, error) : status;
}

/* ---- readers that reads brought with them ---- */

static void
put_reader(struct pb_text_out *out, struct pb_str reader, struct pb_str agency,
           uint16_t capture_state)
{
    pb_put_text(out, "  - id: ");
    pb_put_quoted(out, reader);
    pb_put_text(out, "\n    agency: ");
    pb_put_quoted(out, agency);
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
