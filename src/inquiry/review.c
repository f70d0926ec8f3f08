/*
 * Review: looking at entries, drawing samples, closing items.
 *
 * Items are notes of the catalog ("review", "<agency>/<index>-<why>") of a few lines of text; they
 * hold no plate and no person, only which entry and what became of it.
 */
#include "inquiry/review.h"

#include <stdio.h>
#include <string.h>

#include <platebase/plate.h>

#include "inquiry/inquiry_private.h"

#define ITEM_NOTE "review"
#define SAMPLE_MAX 10000u
#define VALUE_BYTES_MAX 160u

struct look {
    struct pb_site *site;
    struct pb_facts *facts; /* owned reference */
    struct pb_str person;
    uint32_t agency; /* of the view; PB_NO_INDEX: the operator */
    char log[PB_CATALOG_ID_BYTES_MAX + 1];
    int64_t now_us;
};

/* ---- who may ---- */

static enum pb_status
check_auditor(struct look *look, uint32_t permission, struct pb_error *error)
{
    const struct pb_catalog_view *view = look->facts->view;
    uint32_t index = pb_view_person(view, look->person);

    if (!pb_view_may(view, index, permission, look->now_us))
        return pb_fail(error, PB_BAD_INPUT, "person: may not look at the audit log");
    look->agency = view->people[index].agency;
    pb_site_id_text(view->agencies[look->agency].id, look->log);
    return PB_OK;
}

static enum pb_status
begin(struct look *look, struct pb_site *site, struct pb_str person, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    *look = (struct look){
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

static void
end(struct look *look)
{
    pb_facts_drop(look->facts);
}

/* The leaf that stands before anything is shown. */
static enum pb_status
record(struct look *look, const char *what, struct pb_str filter, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;

    pb_draft_init(&leaf, look->log, "audit-read", PB_KEEP_OPENINGS_US);
    pb_draft_text(&leaf, "what", pb_str_from(what));
    pb_draft_secret(&leaf, "person", look->person);
    pb_draft_secret(&leaf, "filters", filter);
    return pb_drafts_append(look->site, &leaf, 1, &index, error);
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
read_log(struct look *look, struct reading *reading, uint64_t first, uint64_t last,
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
    struct look look;
    enum pb_status status = begin(&look, site, person, error);

    if (status == PB_OK)
        status = start_reading(&reading, plate, error);
    if (status == PB_OK)
        status = record(&look, "entries", filter_text(filter, room, sizeof(room)), error);
    if (status == PB_OK)
        status = read_log(&look, &reading, filter->first,
                          filter->last == 0 ? UINT64_MAX : filter->last, error);
    end(&look);
    return status;
}

enum pb_status
pb_review_prove(struct pb_site *site, struct pb_str person, uint64_t index, bool with_openings,
                char **ret_text, struct pb_error *error)
{
    char room[32];
    int length = snprintf(room, sizeof(room), "index=%llu", (unsigned long long)index);
    struct look look;
    enum pb_status status = begin(&look, site, person, error);

    if (status == PB_OK)
        status = record(&look, with_openings ? "proof-with-openings" : "proof",
                        (struct pb_str){ room, (uint32_t)length }, error);
    if (status == PB_OK)
        status = pb_audit_prove(site->audit, look.log, index, with_openings, ret_text, error);
    end(&look);
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
    struct look look = { .site = site, .person = person, .now_us = pb_now_us(site->env) };
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
        status = record(&look, "pending", (struct pb_str){ 0 }, error);
    if (status == PB_OK)
        status = read_log(&look, &reading, opened.index, opened.index, error);
    end(&look);
    return status;
}

/* ---- items ---- */

static const char *const state_names[] = { "open", "fine", "misuse" };

static void
item_key(const struct look *look, uint64_t index, const char *why,
         char ret_key[PB_CATALOG_ID_BYTES_MAX + 64])
{
    (void)snprintf(ret_key, PB_CATALOG_ID_BYTES_MAX + 64, "%s/%020llu-%.32s", look->log,
                   (unsigned long long)index, why);
}

static struct pb_str
item_value(enum pb_review_state state, int64_t entry_us, int64_t at_us, char room[VALUE_BYTES_MAX])
{
    int length = snprintf(room, VALUE_BYTES_MAX, "state=%s\nentry=%lld\nat=%lld\n",
                          state_names[state], (long long)entry_us, (long long)at_us);

    return (struct pb_str){ room, (uint32_t)length };
}

struct item {
    struct pb_review_item item;
    int64_t entry_us;
};

/* Reads what item_value wrote, and the key. false: not an item. */
static bool
read_item(const char *key, struct pb_str value, struct item *ret_item)
{
    char text[VALUE_BYTES_MAX];
    char state[16];
    long long entry_us = 0;
    long long at_us = 0;
    const char *slash = strrchr(key, '/');
    unsigned long long index = 0;

    if (slash == NULL || strlen(slash) < 23 || slash[21] != '-' || value.bytes >= sizeof(text))
        return false;
    memcpy(text, value.text, value.bytes);
    text[value.bytes] = '\0';
    if (sscanf(text, "state=%15[a-z]\nentry=%lld\nat=%lld\n", state, &entry_us, &at_us) != 3 ||
        sscanf(slash + 1, "%20llu", &index) != 1)
        return false;
    *ret_item = (struct item){ .item = { .key = key,
                                         .why = pb_str_from(slash + 22),
                                         .index = index,
                                         .at_us = at_us,
                                         .state = PB_REVIEW_MISUSE },
                               .entry_us = entry_us };
    for (int i = 0; i < 3; i++) {
        if (strcmp(state, state_names[i]) == 0)
            ret_item->item.state = (enum pb_review_state)i;
    }
    return true;
}

static enum pb_status
put_item(struct look *look, uint64_t index, const char *why, int64_t entry_us,
         struct pb_error *error)
{
    char key[PB_CATALOG_ID_BYTES_MAX + 64];
    char value[VALUE_BYTES_MAX];
    enum pb_status status = PB_OK;

    item_key(look, index, why, key);
    status = pb_catalog_note_swap(look->site->catalog, ITEM_NOTE, key, (struct pb_str){ 0 },
                                  item_value(PB_REVIEW_OPEN, entry_us, look->now_us, value), error);
    return status == PB_CONFLICT ? PB_OK : status; /* it is an item already */
}

/* ---- samples ---- */

struct sample {
    const struct pb_env *env;
    uint64_t *indices; /* owned: count at most */
    int64_t *times_us; /* owned */
    uint32_t count;
    uint64_t seen;
    enum pb_status status;
};

/* A number below bound, each as likely as any other. */
static enum pb_status
random_below(const struct pb_env *env, uint64_t bound, uint64_t *ret_number)
{
    uint64_t least = -bound % bound; /* below it the numbers would be unevenly many */
    uint64_t number = 0;

    do {
        enum pb_status status = env->random(env->random_context, &number, sizeof(number));

        if (status != PB_OK)
            return status;
    } while (number < least);
    *ret_number = number % bound;
    return PB_OK;
}

/* Keeps each entry so far with the same chance (reservoir sampling). */
static bool
sample_entry(void *context, const struct pb_audit_entry *entry)
{
    struct sample *sample = context;
    uint64_t place = sample->seen++;

    if (place >= sample->count) {
        sample->status = random_below(sample->env, sample->seen, &place);
        if (sample->status != PB_OK)
            return false;
    }
    if (place < sample->count) {
        sample->indices[place] = entry->index;
        sample->times_us[place] = entry->at_us;
    }
    return true;
}

static enum pb_status
draw(struct look *look, struct sample *sample, int64_t from_us, int64_t to_us,
     struct pb_error *error)
{
    struct pb_review_filter filter = { .from_us = from_us, .to_us = to_us, .event = "query" };
    struct reading reading = { .filter = &filter, .each = sample_entry, .context = sample };
    enum pb_status status = record(look, "sample", (struct pb_str){ 0 }, error);

    if (status == PB_OK)
        status = read_log(look, &reading, 0, UINT64_MAX, error);
    if (status == PB_OK && sample->status != PB_OK)
        status = pb_fail(error, sample->status, "the system gives no random bytes");
    for (uint64_t i = 0; i < sample->seen && i < sample->count && status == PB_OK; i++)
        status = put_item(look, sample->indices[i], "sample", sample->times_us[i], error);
    return status;
}

enum pb_status
pb_review_sample(struct pb_site *site, struct pb_str person, int64_t from_us, int64_t to_us,
                 uint32_t count, uint32_t *ret_count, struct pb_error *error)
{
    struct sample sample = { .env = site->env, .count = count };
    struct look look;
    enum pb_status status = PB_OK;

    if (count == 0 || count > SAMPLE_MAX)
        return pb_fail(error, PB_BAD_INPUT, "count: 1 to %u", SAMPLE_MAX);
    status = begin(&look, site, person, error);
    if (status == PB_OK) {
        sample.indices = pb_calloc(site->env, count, sizeof(*sample.indices));
        sample.times_us = pb_calloc(site->env, count, sizeof(*sample.times_us));
        if (sample.indices == NULL || sample.times_us == NULL)
            status = pb_fail(error, PB_E_NOMEM, "no memory for the sample");
    }
    if (status == PB_OK)
        status = draw(&look, &sample, from_us, to_us, error);
    if (status == PB_OK)
        *ret_count = sample.seen < count ? (uint32_t)sample.seen : count;
    pb_free(site->env, sample.indices);
    pb_free(site->env, sample.times_us);
    end(&look);
    return status;
}

/* ---- listing and closing ---- */

struct listing {
    bool with_closed;
    pb_review_item_fn *each;
    void *context;
};

static bool
list_item(void *context, const char *key, struct pb_str value)
{
    struct listing *listing = context;
    struct item item;

    if (!read_item(key, value, &item) ||
        (!listing->with_closed && item.item.state != PB_REVIEW_OPEN))
        return true;
    return listing->each(listing->context, &item.item);
}

static void
agency_prefix(const struct look *look, char ret_prefix[PB_CATALOG_ID_BYTES_MAX + 2])
{
    (void)snprintf(ret_prefix, PB_CATALOG_ID_BYTES_MAX + 2, "%s/", look->log);
}

enum pb_status
pb_review_items(struct pb_site *site, struct pb_str person, bool with_closed,
                pb_review_item_fn *each, void *context, struct pb_error *error)
{
    struct listing listing = { .with_closed = with_closed, .each = each, .context = context };
    char prefix[PB_CATALOG_ID_BYTES_MAX + 2];
    struct look look;
    enum pb_status status = begin(&look, site, person, error);

    if (status == PB_OK)
        status = record(&look, "items", (struct pb_str){ 0 }, error);
    if (status == PB_OK) {
        agency_prefix(&look, prefix);
        status = pb_catalog_notes(site->catalog, ITEM_NOTE, prefix, list_item, &listing, error);
    }
    end(&look);
    return status;
}

struct search {
    const char *key;
    struct item item;
    char value[VALUE_BYTES_MAX];
    uint32_t value_bytes;
    bool is_found;
};

static bool
find_item(void *context, const char *key, struct pb_str value)
{
    struct search *search = context;

    if (strcmp(key, search->key) != 0 || !read_item(search->key, value, &search->item))
        return true;
    memcpy(search->value, value.text, value.bytes);
    search->value_bytes = value.bytes;
    search->is_found = true;
    return false;
}

/* The leaf first, then the note, from the state that was seen. */
static enum pb_status
close_item(struct look *look, const struct search *search, enum pb_review_state state,
           struct pb_str finding, struct pb_error *error)
{
    char value[VALUE_BYTES_MAX];
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    pb_draft_init(&leaf, look->log, "review", PB_KEEP_OPENINGS_US);
    pb_draft_number(&leaf, "of", (int64_t)search->item.item.index);
    pb_draft_text(&leaf, "finding", pb_str_from(state_names[state]));
    pb_draft_secret(&leaf, "person", look->person);
    pb_draft_secret(&leaf, "reason", finding);
    status = pb_drafts_append(look->site, &leaf, 1, &index, error);
    if (status != PB_OK)
        return status;
    status =
        pb_catalog_note_swap(look->site->catalog, ITEM_NOTE, search->key,
                             (struct pb_str){ search->value, search->value_bytes },
                             item_value(state, search->item.entry_us, look->now_us, value), error);
    return status == PB_CONFLICT ? pb_fail(error, PB_NOT_FOUND, "item: somebody else closed it")
                                 : status;
}

enum pb_status
pb_review_close(struct pb_site *site, struct pb_str person, const char *key,
                enum pb_review_state state, struct pb_str finding, struct pb_error *error)
{
    struct search search = { .key = key };
    char prefix[PB_CATALOG_ID_BYTES_MAX + 2];
    struct look look;
    enum pb_status status = PB_OK;

    if (state != PB_REVIEW_FINE && state != PB_REVIEW_MISUSE)
        return pb_fail(error, PB_BAD_INPUT, "state: fine or misuse");
    if (finding.bytes == 0 || finding.bytes > PB_JUSTIFICATION_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "finding: say what was found, in at most %u bytes",
                       PB_JUSTIFICATION_BYTES_MAX);
    status = begin(&look, site, person, error);
    if (status == PB_OK) {
        agency_prefix(&look, prefix);
        if (strncmp(key, prefix, strlen(prefix)) != 0)
            status = pb_fail(error, PB_NOT_FOUND, "item: not one of your agency");
    }
    if (status == PB_OK)
        status = pb_catalog_notes(site->catalog, ITEM_NOTE, key, find_item, &search, error);
    if (status == PB_OK && (!search.is_found || search.item.item.state != PB_REVIEW_OPEN))
        status = pb_fail(error, PB_NOT_FOUND, "item: no open one by that name");
    if (status == PB_OK)
        status = close_item(&look, &search, state, finding, error);
    end(&look);
    return status;
}

/* ---- the end of a review ---- */

struct open_items {
    int64_t until_us;
    uint64_t count;
};

static bool
count_open(void *context, const char *key, struct pb_str value)
{
    struct open_items *open_items = context;
    struct item item;

    if (read_item(key, value, &item) && item.item.state == PB_REVIEW_OPEN &&
        item.entry_us < open_items->until_us)
        open_items->count++;
    return true;
}

static enum pb_status
record_finish(struct look *look, int64_t until_us, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;

    pb_draft_init(&leaf, look->log, "reviewed", PB_KEEP_OPENINGS_US);
    pb_draft_number(&leaf, "until", until_us / 1000);
    pb_draft_secret(&leaf, "person", look->person);
    return pb_drafts_append(look->site, &leaf, 1, &index, error);
}

static enum pb_status
set_reviewed(struct look *look, int64_t until_us, struct pb_error *error)
{
    const struct pb_entity *entity = pb_catalog_entity("agency");
    struct pb_record record = { .entity = entity };
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(until_us, 0, text);
    record.values[0] = look->log;
    for (unsigned i = 0; i < entity->field_count; i++) {
        if (strcmp(entity->fields[i].name, "reviewed_at") == 0)
            record.values[i] = text;
    }
    return pb_catalog_put(look->site->catalog, &record, PB_PUT_CHANGE, error);
}

enum pb_status
pb_review_finish(struct pb_site *site, struct pb_str person, int64_t until_us,
                 struct pb_error *error)
{
    struct open_items open_items = { .until_us = until_us };
    char prefix[PB_CATALOG_ID_BYTES_MAX + 2];
    struct look look;
    enum pb_status status = begin(&look, site, person, error);

    if (status == PB_OK && look.agency == PB_NO_INDEX)
        status = pb_fail(error, PB_BAD_INPUT, "person: a review is ended by an agency's auditor");
    if (status == PB_OK && until_us > look.now_us)
        status = pb_fail(error, PB_BAD_INPUT, "until: what is still to come cannot be reviewed");
    if (status == PB_OK) {
        agency_prefix(&look, prefix);
        status = pb_catalog_notes(site->catalog, ITEM_NOTE, prefix, count_open, &open_items, error);
    }
    if (status == PB_OK && open_items.count > 0)
        status = pb_fail(error, PB_CONFLICT, "%llu items of that time are still open",
                         (unsigned long long)open_items.count);
    if (status == PB_OK)
        status = record_finish(&look, until_us, error);
    if (status == PB_OK)
        status = set_reviewed(&look, until_us, error);
    end(&look);
    return status;
}

/* ---- notices and disclosures ---- */

static enum pb_status
show_notes(struct pb_site *site, struct pb_str person, const char *name, pb_review_notice_fn *each,
           void *context, struct pb_error *error)
{
    char prefix[PB_CATALOG_ID_BYTES_MAX + 2];
    struct look look;
    enum pb_status status = begin(&look, site, person, error);

    if (status == PB_OK)
        status = record(&look, name, (struct pb_str){ 0 }, error);
    if (status == PB_OK) {
        agency_prefix(&look, prefix);
        status = pb_catalog_notes(site->catalog, name, prefix, each, context, error);
    }
    end(&look);
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
