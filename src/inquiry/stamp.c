/*
 * Stamper: the date after which a read must be gone, set on its way in.
 *
 * Each reader is judged once and remembered; a read of a known reader costs one comparison where
 * it follows a read of the same reader, and one look in a hash table otherwise.
 *
 * Readers that the catalog does not know are gathered and added many at a time, for each addition
 * is a synced leaf and a synced transaction. Until they are added their reads are found by nobody.
 */
#include <assert.h>
#include <string.h>

#include <platebase/geo.h>
#include <platebase/plate.h>

#include "inquiry/inquiry_private.h"

#define SLOTS_FIRST 1024u /* a power of two */
#define PENDING_FIRST 4096u
#define PENDING_MAX 65536u
#define CLOCK_EVERY 1024u
#define DAYS_MAX 1024u

const char pb_stamp_never_stored[] = "kept for less than 15 minutes: never written to disk";
const char pb_stamp_in_zone[] = "captured at a place where the law lets nobody capture";

/* What is looked at for each read lies in one cache line: most readers' names fit in it. */
#define SHORT_BYTES_MAX 22u
struct slot {
    uint64_t hash;
    int64_t keep_us;
    int64_t day_us;              /* first moment of the day of its last read; INT64_MAX: none */
    const char *reason;          /* static */
    uint32_t index, owner;       /* of the view; index PB_NO_INDEX: not in there yet */
    int8_t status;               /* of every read of it: PB_OK, PB_EXPIRED or PB_BAD_INPUT */
    uint8_t bytes;               /* of the reader's name; 0: a free slot */
    char start[SHORT_BYTES_MAX]; /* of the name */
};
static_assert(sizeof(struct slot) == 64, "one cache line");
static_assert(PB_READER_BYTES_MAX <= UINT8_MAX, "a name's length fits");

struct pb_stamper {
    struct pb_site *site;
    const struct pb_env *env;
    struct pb_facts *facts;                   /* owned reference */
    char agency[PB_CATALOG_ID_BYTES_MAX + 1]; /* owner of unknown readers; empty: none */
    uint16_t capture_state;                   /* of unknown readers */
    struct pb_arena arena;                    /* texts of slots */
    struct slot *slots;                       /* owned */
    struct pb_str *names;                     /* owned: along slots, whole names, in arena */
    uint32_t slot_count, used_count;
    struct slot *last;
    struct pb_str *pending; /* owned: room for pending_max */
    uint32_t pending_count, pending_max;
    struct pb_activity_day days[DAYS_MAX]; /* on which readers read anything, not yet told */
    uint32_t day_count;
    uint64_t *received; /* owned: one an agency of the view, since the last flush */
    uint32_t received_first, received_end; /* agencies that have any lie in [first, end) */
    bool has_holds;
    int64_t now_us;
    uint32_t since_clock;
};

static enum pb_status make_table(struct pb_stamper *stamper, uint32_t count,
                                 struct pb_error *error);

/* ---- who owns what nobody knows ---- */

/* The only contributing agency; PB_NO_INDEX where there is none or more than one. */
static uint32_t
only_contributor(const struct pb_catalog_view *view)
{
    uint32_t found = PB_NO_INDEX;

    for (uint32_t i = 0; i < view->agency_count; i++) {
        if (!view->agencies[i].contributes || !view->agencies[i].is_active)
            continue;
        if (found != PB_NO_INDEX)
            return PB_NO_INDEX;
        found = i;
    }
    return found;
}

/* A state's own law governs what its agencies see, unless somebody says where it was seen. */
static uint16_t
state_of(const struct pb_agency *agency)
{
    const char *name = pb_jurisdiction_name(agency->jurisdiction);

    return strncmp(name, "US-", 3) == 0 ? agency->jurisdiction : 0;
}

static enum pb_status
set_owner(struct pb_stamper *stamper, const char *agency, uint16_t capture_state,
          struct pb_error *error)
{
    const struct pb_catalog_view *view = stamper->facts->view;
    uint32_t index =
        agency == NULL ? only_contributor(view) : pb_view_agency(view, pb_str_from(agency));

    if (agency != NULL && index == PB_NO_INDEX)
        return pb_fail(error, PB_BAD_INPUT, "agency: \"%s\" is not in the catalog", agency);
    if (index == PB_NO_INDEX)
        return PB_OK;
    if (!view->agencies[index].contributes || !view->agencies[index].is_active)
        return pb_fail(error, PB_BAD_INPUT, "agency: \"%s\" contributes no reads", agency);
    pb_site_id_text(view->agencies[index].id, stamper->agency);
    stamper->capture_state = capture_state != 0 ? capture_state : state_of(&view->agencies[index]);
    return PB_OK;
}

/* ---- lifetime ---- */

static bool
has_live_hold(const struct pb_catalog_view *view, int64_t now_us)
{
    for (uint32_t i = 0; i < view->hold_count; i++) {
        if (!view->holds[i].is_released && now_us < view->holds[i].expires_at_us)
            return true;
    }
    return false;
}

/* What came in since the last time, told by the agencies of the view that it was counted with. */
static void
tell_received(struct pb_stamper *stamper)
{
    int64_t day = stamper->now_us / PB_DAY_US;

    for (uint32_t i = stamper->received_first; i < stamper->received_end; i++) {
        if (stamper->received[i] == 0)
            continue;
        pb_received_note(stamper->site->received, stamper->facts->view->agencies[i].id, day,
                         stamper->received[i]);
        stamper->received[i] = 0;
    }
    stamper->received_first = UINT32_MAX;
    stamper->received_end = 0;
}

static enum pb_status
take_facts(struct pb_stamper *stamper, struct pb_error *error)
{
    struct pb_facts *facts = NULL;
    uint64_t *received = NULL;
    enum pb_status status = PB_OK;

    tell_received(stamper);
    stamper->now_us = pb_now_us(stamper->env);
    status = pb_site_facts(stamper->site, stamper->now_us, &facts, error);
    if (status != PB_OK)
        return status;
    received = pb_calloc(stamper->env, facts->view->agency_count + 1u, sizeof(*received));
    if (received == NULL) {
        pb_facts_drop(facts);
        return pb_fail(error, PB_E_NOMEM, "no memory for a stamper");
    }
    pb_free(stamper->env, stamper->received);
    stamper->received = received;
    pb_facts_drop(stamper->facts);
    stamper->facts = facts;
    stamper->has_holds = has_live_hold(facts->view, stamper->now_us);
    /* What was judged was judged by the facts before, whose indices are others. */
    if (stamper->slots != NULL)
        memset(stamper->slots, 0, stamper->slot_count * sizeof(*stamper->slots));
    stamper->used_count = 0;
    stamper->last = NULL;
    return PB_OK;
}

enum pb_status
pb_stamper_new(struct pb_site *site, const char *agency, uint16_t capture_state,
               struct pb_stamper **ret_stamper, struct pb_error *error)
{
    struct pb_stamper *stamper = pb_calloc(site->env, 1, sizeof(*stamper));
    enum pb_status status = PB_OK;

    if (stamper == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for a stamper");
    stamper->site = site;
    stamper->env = site->env;
    pb_arena_init(&stamper->arena, site->env, 16384);
    status = make_table(stamper, SLOTS_FIRST, error);
    if (status == PB_OK)
        status = take_facts(stamper, error);
    if (status == PB_OK)
        status = set_owner(stamper, agency, capture_state, error);
    if (status == PB_OK) {
        *ret_stamper = stamper;
        stamper = NULL;
    }
    pb_stamper_free(stamper);
    return status;
}

static void
tell_days(struct pb_stamper *stamper)
{
    pb_activity_note(stamper->site->activity, stamper->days, stamper->day_count);
    stamper->day_count = 0;
}

enum pb_status
pb_stamper_flush(struct pb_stamper *stamper, struct pb_error *error)
{
    enum pb_status status = PB_OK;
    enum pb_status counted = PB_OK;

    tell_days(stamper);
    tell_received(stamper);
    if (stamper->site->mode == PB_SITE_WRITE) {
        status = pb_activity_save(stamper->site, false, error);
        /* That reads cannot be counted is no reason to refuse them: the next flush tries again. */
        counted = pb_received_save(stamper->site, false, NULL);
    }
    (void)counted;
    if (status != PB_OK || stamper->pending_count == 0)
        return status;
    status =
        pb_site_add_readers(stamper->site, pb_str_from(stamper->agency), stamper->capture_state,
                            stamper->pending, stamper->pending_count, error);
    if (status == PB_OK)
        stamper->pending_count = 0;
    return status;
}

void
pb_stamper_free(struct pb_stamper *stamper)
{
    enum pb_status status = PB_OK;

    if (stamper == NULL)
        return;
    /* Best effort: who wants to know calls pb_stamper_flush before. */
    status = pb_stamper_flush(stamper, NULL);
    (void)status;
    pb_free(stamper->env, stamper->slots);
    pb_free(stamper->env, stamper->names);
    pb_free(stamper->env, stamper->pending);
    pb_free(stamper->env, stamper->received);
    pb_arena_clear(&stamper->arena);
    pb_facts_drop(stamper->facts);
    pb_free(stamper->env, stamper);
}

/* ---- judging a reader ---- */

static uint32_t
origin_of(const struct pb_catalog_view *view, struct pb_str agency, uint16_t capture_state)
{
    uint32_t index = pb_view_agency(view, agency);

    for (uint32_t i = 0; i < view->origin_count; i++) {
        if (view->origins[i].agency == index && view->origins[i].capture_state == capture_state)
            return i;
    }
    return PB_NO_INDEX;
}

static void
refuse(struct slot *slot, const char *reason)
{
    slot->status = PB_BAD_INPUT;
    slot->reason = reason;
}

static void
judge_origin(const struct pb_stamper *stamper, uint32_t origin, struct slot *slot)
{
    slot->owner = stamper->facts->view->origins[origin].agency;
    slot->keep_us = stamper->facts->retention_us[origin];
    slot->status = PB_OK;
    if (slot->keep_us < PB_RETENTION_ON_DISK_MIN_US) {
        slot->status = PB_EXPIRED;
        slot->reason = pb_stamp_never_stored;
    }
}

static void
judge_known(const struct pb_stamper *stamper, uint32_t reader, struct slot *slot)
{
    const struct pb_catalog_view *view = stamper->facts->view;
    const struct pb_reader_entry *entry = &view->readers[reader];
    const struct pb_agency *agency = &view->agencies[entry->agency];

    slot->index = reader;
    judge_origin(stamper, entry->origin, slot);
    if (!agency->contributes)
        refuse(slot, "the agency that owns its reader contributes no reads");
    else if (!agency->is_active || !entry->is_active)
        refuse(slot, "its reader, or the agency that owns it, is closed");
}

/* Sees to it that one more reader can wait. What is added together is doubled each time: with an
 * addition the catalog is looked through as a whole, so like shares would cost too much. */
static enum pb_status
reserve_pending(struct pb_stamper *stamper, struct pb_error *error)
{
    uint32_t max = stamper->pending_max == 0 ? PENDING_FIRST : stamper->pending_max * 2;
    struct pb_str *larger = NULL;

    if (stamper->pending_count < stamper->pending_max)
        return PB_OK;
    if (stamper->pending_count > 0) {
        enum pb_status status = pb_stamper_flush(stamper, error);

        if (status != PB_OK || max > PENDING_MAX)
            return status;
    }
    larger = pb_realloc(stamper->env, stamper->pending, max * sizeof(*larger));
    if (larger == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for more readers");
    stamper->pending = larger;
    stamper->pending_max = max;
    return PB_OK;
}

/* Adds a reader that the catalog does not know, at once or with others later. */
static enum pb_status
judge_unknown(struct pb_stamper *stamper, struct pb_str reader, struct slot *slot,
              struct pb_error *error)
{
    struct pb_str agency = pb_str_from(stamper->agency);
    uint32_t origin = PB_NO_INDEX;
    enum pb_status status = PB_OK;

    if (agency.bytes == 0) {
        refuse(slot, "no agency is known to own its reader");
        return PB_OK;
    }
    if (memchr(reader.text, ',', reader.bytes) != NULL) {
        refuse(slot, "the catalog takes no reader with a comma in its name");
        return PB_OK;
    }
    origin = origin_of(stamper->facts->view, agency, stamper->capture_state);
    status = reserve_pending(stamper, error);
    if (status != PB_OK)
        return status;
    stamper->pending[stamper->pending_count++] = reader;
    if (origin != PB_NO_INDEX) {
        judge_origin(stamper, origin, slot);
        return PB_OK;
    }
    /* The first reader of its kind: how long its reads are kept is known once it is there. */
    status = pb_stamper_flush(stamper, error);
    if (status == PB_OK)
        status = take_facts(stamper, error);
    if (status != PB_OK)
        return status;
    origin = pb_view_reader(stamper->facts->view, reader);
    if (origin == PB_NO_INDEX)
        refuse(slot, "its reader could not be added to the catalog");
    else
        judge_known(stamper, origin, slot);
    return PB_OK;
}

/* ---- the table ---- */

static bool
is_slot_of(const struct pb_stamper *stamper, const struct slot *slot, struct pb_str reader)
{
    if (slot->bytes != reader.bytes)
        return false;
    if (slot->bytes <= SHORT_BYTES_MAX)
        return pb_short_texts_equal(slot->start, reader.text, slot->bytes);
    return pb_str_equal(stamper->names[slot - stamper->slots], reader);
}

static struct slot *
find_slot(const struct pb_stamper *stamper, uint64_t hash, struct pb_str reader)
{
    uint32_t mask = stamper->slot_count - 1;
    uint32_t at = (uint32_t)hash & mask;

    while (stamper->slots[at].bytes != 0 &&
           (stamper->slots[at].hash != hash || !is_slot_of(stamper, &stamper->slots[at], reader)))
        at = (at + 1) & mask;
    return &stamper->slots[at];
}

static enum pb_status
make_table(struct pb_stamper *stamper, uint32_t count, struct pb_error *error)
{
    struct slot *slots = pb_calloc(stamper->env, count, sizeof(*slots));
    struct pb_str *names = pb_calloc(stamper->env, count, sizeof(*names));

    if (slots == NULL || names == NULL) {
        pb_free(stamper->env, slots);
        pb_free(stamper->env, names);
        return pb_fail(error, PB_E_NOMEM, "no memory for more readers");
    }
    stamper->slots = slots;
    stamper->names = names;
    stamper->slot_count = count;
    stamper->last = NULL;
    return PB_OK;
}

static void
put_slot(struct pb_stamper *stamper, const struct slot *slot, struct pb_str reader)
{
    struct slot *free_slot = find_slot(stamper, slot->hash, reader);

    *free_slot = *slot;
    stamper->names[free_slot - stamper->slots] = reader;
}

static enum pb_status
grow(struct pb_stamper *stamper, struct pb_error *error)
{
    struct slot *slots = stamper->slots;
    struct pb_str *names = stamper->names;
    uint32_t count = stamper->slot_count;
    enum pb_status status = make_table(stamper, count * 2, error);

    if (status != PB_OK)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        if (slots[i].bytes != 0)
            put_slot(stamper, &slots[i], names[i]);
    }
    pb_free(stamper->env, slots);
    pb_free(stamper->env, names);
    return PB_OK;
}

static enum pb_status
judge(struct pb_stamper *stamper, uint64_t hash, struct pb_str reader, struct slot **ret_slot,
      struct pb_error *error)
{
    struct slot slot = {
        .hash = hash, .day_us = INT64_MAX, .index = PB_NO_INDEX, .owner = PB_NO_INDEX
    };
    uint32_t known = pb_view_reader(stamper->facts->view, reader);
    struct pb_str name;
    enum pb_status status = pb_arena_copy(&stamper->arena, reader, &name);

    if (status != PB_OK)
        return pb_fail(error, status, "no memory for more readers");
    slot.bytes = (uint8_t)name.bytes;
    memcpy(slot.start, name.text, name.bytes < SHORT_BYTES_MAX ? name.bytes : SHORT_BYTES_MAX);
    if (known != PB_NO_INDEX)
        judge_known(stamper, known, &slot);
    else
        status = judge_unknown(stamper, name, &slot, error);
    if (status == PB_OK && stamper->used_count * 2 >= stamper->slot_count)
        status = grow(stamper, error);
    if (status != PB_OK)
        return status;
    put_slot(stamper, &slot, name);
    stamper->used_count++;
    *ret_slot = find_slot(stamper, hash, name);
    return PB_OK;
}

/* ---- stamping ---- */

/* A legal hold keeps what it covers until it ends, or until the read would go anyway. */
static void
extend_by_holds(const struct pb_stamper *stamper, const struct slot *slot, struct pb_read *read)
{
    const struct pb_catalog_view *view = stamper->facts->view;

    for (uint32_t i = 0; i < view->hold_count; i++) {
        const struct pb_hold *hold = &view->holds[i];

        if (hold->expires_at_us > read->delete_after_us &&
            pb_hold_covers(hold, read, slot->index, slot->owner, stamper->now_us))
            read->delete_after_us = hold->expires_at_us;
    }
}

/* A reader that is not in the view yet will be of the stamper's own state. */
static bool
is_in_zone(const struct pb_stamper *stamper, const struct slot *slot, const struct pb_read *read)
{
    const struct pb_catalog_view *view = stamper->facts->view;
    uint32_t origin = slot->index != PB_NO_INDEX
                          ? view->readers[slot->index].origin
                          : origin_of(view, view->agencies[slot->owner].id, stamper->capture_state);

    return pb_facts_in_zone(stamper->facts, origin, slot->index, read->lat_e7, read->lon_e7);
}

/* A reader's first read of a day is remembered: it was up. */
static void
note_day(struct pb_stamper *stamper, struct slot *slot, int64_t captured_us)
{
    int64_t day = captured_us / PB_DAY_US;

    slot->day_us = day * PB_DAY_US;
    if (stamper->day_count == DAYS_MAX)
        tell_days(stamper);
    stamper->days[stamper->day_count++] = (struct pb_activity_day){
        .reader = stamper->names[slot - stamper->slots],
        .day = (int32_t)day,
    };
}

static void
count_received(struct pb_stamper *stamper, uint32_t owner)
{
    stamper->received[owner]++;
    if (owner < stamper->received_first)
        stamper->received_first = owner;
    if (owner >= stamper->received_end)
        stamper->received_end = owner + 1;
}

static enum pb_status
stamp(struct pb_stamper *stamper, struct slot *slot, struct pb_read *read, const char **ret_reason)
{
    int64_t until_us = PB_NEVER;

    if (slot->status != PB_OK) {
        *ret_reason = slot->reason;
        return (enum pb_status)slot->status;
    }
    if (stamper->since_clock++ == CLOCK_EVERY) {
        stamper->since_clock = 0;
        stamper->now_us = pb_now_us(stamper->env);
    }
    if (stamper->facts->has_zones && is_in_zone(stamper, slot, read)) {
        *ret_reason = pb_stamp_in_zone;
        return PB_EXPIRED;
    }
    if (slot->keep_us != PB_NEVER)
        until_us = read->captured_at_us + slot->keep_us;
    if (until_us < read->delete_after_us)
        read->delete_after_us = until_us;
    if (stamper->has_holds)
        extend_by_holds(stamper, slot, read);
    if (read->delete_after_us <= stamper->now_us) {
        *ret_reason = "its time is over";
        return PB_EXPIRED;
    }
    if ((uint64_t)(read->captured_at_us - slot->day_us) >= (uint64_t)PB_DAY_US)
        note_day(stamper, slot, read->captured_at_us);
    count_received(stamper, slot->owner);
    return PB_OK;
}

enum pb_status
pb_stamper_stamp_fetched(struct pb_stamper *stamper, uint64_t fetched, struct pb_read *read,
                         const char **ret_reason, struct pb_error *error)
{
    struct slot *slot = find_slot(stamper, fetched, read->reader);

    if (slot->bytes == 0) {
        enum pb_status status = PB_OK;

        if (read->reader.bytes == 0 || read->reader.bytes > PB_READER_BYTES_MAX) {
            *ret_reason = "it names no reader";
            return PB_BAD_INPUT;
        }
        status = judge(stamper, fetched, read->reader, &slot, error);
        if (status != PB_OK)
            return status;
    }
    stamper->last = slot;
    return stamp(stamper, slot, read, ret_reason);
}

uint64_t
pb_stamper_fetch(const struct pb_stamper *stamper, const struct pb_read *read)
{
    uint64_t hash = pb_hash_bytes(read->reader.text, read->reader.bytes);

    __builtin_prefetch(&stamper->slots[(uint32_t)hash & (stamper->slot_count - 1)]);
    return hash;
}

enum pb_status
pb_stamper_stamp(struct pb_stamper *stamper, struct pb_read *read, const char **ret_reason,
                 struct pb_error *error)
{
    struct slot *last = stamper->last;

    if (last != NULL && is_slot_of(stamper, last, read->reader))
        return stamp(stamper, last, read, ret_reason);
    return pb_stamper_stamp_fetched(stamper, pb_hash_bytes(read->reader.text, read->reader.bytes),
                                    read, ret_reason, error);
}
