/*
 * Items of a review: samples drawn, what detectors found, and what became of them.
 *
 * Items are notes of the catalog ("review", "<agency>/<index>-<why>") of a few lines of text; they
 * hold no plate and no person, only which entry and what became of it.
 */
#include <stdio.h>
#include <string.h>

#include "audit/detect.h"
#include "inquiry/inquiry_private.h"
#include "inquiry/review.h"

#define ITEM_NOTE "review"
#define SAMPLE_MAX 10000u
#define VALUE_BYTES_MAX 256u

/* ---- one item ---- */

static const char *const state_names[] = { "open", "fine", "misuse" };

static void
item_key(const struct pb_look *look, uint64_t index, const char *why,
         char ret_key[PB_CATALOG_ID_BYTES_MAX + 64])
{
    (void)snprintf(ret_key, PB_CATALOG_ID_BYTES_MAX + 64, "%s/%020llu-%.32s", look->log,
                   (unsigned long long)index, why);
}

static struct pb_str
item_value(enum pb_review_state state, int64_t entry_us, int64_t at_us, struct pb_str taken_by,
           char room[VALUE_BYTES_MAX])
{
    int length = snprintf(room, VALUE_BYTES_MAX, "state=%s\nentry=%lld\nat=%lld\n",
                          state_names[state], (long long)entry_us, (long long)at_us);

    if (taken_by.bytes > 0)
        length += snprintf(room + length, VALUE_BYTES_MAX - (size_t)length, "taken=%.*s\n",
                           (int)taken_by.bytes, taken_by.text);
    return (struct pb_str){ room, (uint32_t)length };
}

struct item {
    struct pb_review_item item;
    int64_t entry_us;
};

/* Who took it, as a view of the value; empty: nobody. */
static struct pb_str
read_taker(struct pb_str value)
{
    static const char word[] = "\ntaken=";
    const char *at = memmem(value.text, value.bytes, word, sizeof(word) - 1);
    const char *end;

    if (at == NULL)
        return (struct pb_str){ 0 };
    at += sizeof(word) - 1;
    end = memchr(at, '\n', (size_t)(value.text + value.bytes - at));
    return end == NULL ? (struct pb_str){ 0 } : (struct pb_str){ at, (uint32_t)(end - at) };
}

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
                                         .taken_by = read_taker(value),
                                         .state = PB_REVIEW_MISUSE },
                               .entry_us = entry_us };
    for (int i = 0; i < 3; i++) {
        if (strcmp(state, state_names[i]) == 0)
            ret_item->item.state = (enum pb_review_state)i;
    }
    return true;
}

static enum pb_status
put_item(struct pb_look *look, uint64_t index, const char *why, int64_t entry_us,
         struct pb_error *error)
{
    char key[PB_CATALOG_ID_BYTES_MAX + 64];
    char value[VALUE_BYTES_MAX];
    enum pb_status status = PB_OK;

    item_key(look, index, why, key);
    status = pb_catalog_note_swap(look->site->catalog, ITEM_NOTE, key, (struct pb_str){ 0 },
                                  item_value(PB_REVIEW_OPEN, entry_us, look->now_us,
                                             (struct pb_str){ 0 }, value),
                                  error);
    return status == PB_CONFLICT ? PB_OK : status; /* it is an item already */
}

/* ---- entries of a window ---- */

struct entries {
    const struct pb_env *env;
    uint64_t *indices; /* owned: ascending, as the log has them */
    int64_t *times_us; /* owned: along indices */
    uint32_t count, room;
    enum pb_status status;
};

static bool
note_entry(void *context, const struct pb_audit_entry *entry)
{
    struct entries *entries = context;

    if (entries->count == entries->room) {
        uint32_t room = entries->room * 2 + 256;
        uint64_t *indices = pb_realloc(entries->env, entries->indices, room * sizeof(*indices));
        int64_t *times_us = NULL;

        if (indices != NULL) {
            entries->indices = indices;
            times_us = pb_realloc(entries->env, entries->times_us, room * sizeof(*times_us));
        }
        if (times_us == NULL) {
            entries->status = PB_E_NOMEM;
            return false;
        }
        entries->times_us = times_us;
        entries->room = room;
    }
    entries->indices[entries->count] = entry->index;
    entries->times_us[entries->count++] = entry->at_us;
    return entries->count < PB_DETECT_ENTRIES_MAX;
}

static enum pb_status
read_queries(struct pb_look *look, int64_t from_us, int64_t to_us, pb_audit_entry_fn *each,
             void *context, struct pb_error *error)
{
    const struct pb_audit_filter filter = {
        .log = look->log, .last = UINT64_MAX, .from_us = from_us, .to_us = to_us, .event = "query"
    };

    return pb_audit_read(look->site->audit, &filter, each, context, error);
}

static void
entries_done(struct entries *entries)
{
    pb_free(entries->env, entries->indices);
    pb_free(entries->env, entries->times_us);
}

/* When the entry with that index was made; it is one of them. */
static int64_t
time_of(const struct entries *entries, uint64_t index)
{
    uint32_t first = 0;
    uint32_t end = entries->count;

    while (end - first > 1) {
        uint32_t middle = first + (end - first) / 2;

        if (entries->indices[middle] <= index)
            first = middle;
        else
            end = middle;
    }
    return entries->times_us[first];
}

/* ---- samples ---- */

struct head {
    const char *log;
    uint8_t root[PB_AUDIT_HASH_BYTES];
};

static bool
take_head(void *context, const struct pb_audit_log_info *info)
{
    struct head *head = context;

    if (strcmp(info->id, head->log) != 0)
        return true;
    memcpy(head->root, info->root, sizeof(head->root));
    return false;
}

/* The lot is cast with the root of a checkpoint that was signed after the entries stood, so nobody
 * could choose; and with it in the log anybody can cast it again. */
static enum pb_status
cast_lots(struct pb_look *look, struct head *head, uint32_t count, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = pb_audit_publish(look->site->audit, look->log, error);

    head->log = look->log;
    if (status == PB_OK)
        status = pb_audit_each_log(look->site->audit, take_head, head, error);
    if (status != PB_OK)
        return status;
    pb_draft_init(&leaf, look->log, "sample", PB_KEEP_OPENINGS_US);
    pb_draft_hash(&leaf, "seed", head->root);
    pb_draft_number(&leaf, "n", count);
    pb_draft_secret(&leaf, "person", look->person);
    return pb_drafts_append(look->site, &leaf, 1, &index, error);
}

static enum pb_status
draw(struct pb_look *look, const struct entries *entries, uint32_t wanted, uint64_t *drawn,
     uint32_t *ret_count, struct pb_error *error)
{
    struct head head = { 0 };
    enum pb_status status = cast_lots(look, &head, wanted, error);

    if (status == PB_OK)
        status = pb_sample_draw(look->site->env, head.root, entries->indices, entries->count,
                                wanted, drawn, ret_count, error);
    for (uint32_t i = 0; status == PB_OK && i < *ret_count; i++)
        status = put_item(look, drawn[i], "sample", time_of(entries, drawn[i]), error);
    return status;
}

enum pb_status
pb_review_sample(struct pb_site *site, struct pb_str person, int64_t from_us, int64_t to_us,
                 uint32_t count, uint32_t *ret_count, struct pb_error *error)
{
    struct entries entries = { .env = site->env };
    uint64_t *drawn = NULL;
    struct pb_look look;
    enum pb_status status = PB_OK;

    if (count == 0 || count > SAMPLE_MAX)
        return pb_fail(error, PB_BAD_INPUT, "count: 1 to %u", SAMPLE_MAX);
    status = pb_look_begin(&look, site, person, error);
    if (status == PB_OK)
        status = pb_look_record(&look, "sample", (struct pb_str){ 0 }, error);
    if (status == PB_OK)
        status = read_queries(&look, from_us, to_us, note_entry, &entries, error);
    if (status == PB_OK && entries.status != PB_OK)
        status = pb_fail(error, entries.status, "no memory for the sample");
    if (status == PB_OK) {
        drawn = pb_calloc(site->env, count, sizeof(*drawn));
        if (drawn == NULL)
            status = pb_fail(error, PB_E_NOMEM, "no memory for the sample");
    }
    *ret_count = 0;
    if (status == PB_OK && entries.count > 0)
        status = draw(&look, &entries, count, drawn, ret_count, error);
    pb_free(site->env, drawn);
    entries_done(&entries);
    pb_look_end(&look);
    return status;
}

/* ---- detectors ---- */

struct detecting {
    struct pb_look *look;
    struct pb_detector *detector; /* owned */
    struct entries entries;
    pb_finding_fn *each;
    void *context;
    uint32_t findings;
    enum pb_status status;
    struct pb_error *error;
};

static struct pb_str
secret_of(const struct pb_audit_entry *entry, const char *name)
{
    for (uint32_t i = 0; i < entry->secret_count; i++) {
        if (strcmp(entry->secrets[i].name, name) == 0)
            return entry->secrets[i].value;
    }
    return (struct pb_str){ 0 };
}

static bool
add_entry(void *context, const struct pb_audit_entry *entry)
{
    struct detecting *detecting = context;
    struct pb_detect_entry detected = {
        .index = entry->index,
        .at_us = entry->at_us,
        .person = secret_of(entry, "person"),
        .role = pb_entry_member(entry, "role"),
        .plate = secret_of(entry, "plate"),
        .case_number = secret_of(entry, "case"),
        .reason = secret_of(entry, "reason"),
        .offence = secret_of(entry, "offence"),
        .is_case_verified = pb_entry_number(entry, "verified") != 0,
        .states = (uint32_t)pb_entry_number(entry, "states"),
        .area_m2 = (double)pb_entry_number(entry, "m2"),
    };

    /* What its term has closed tells nothing any more. */
    if (detected.person.bytes == 0)
        return true;
    detecting->status = pb_detector_add(detecting->detector, &detected, detecting->error);
    if (detecting->status == PB_OK && !note_entry(&detecting->entries, entry))
        detecting->status = detecting->entries.status;
    return detecting->status == PB_OK;
}

/* Makes a finding an item: its newest entry, under the detector's name. */
static bool
take_finding(void *context, const struct pb_finding *finding)
{
    struct detecting *detecting = context;
    uint64_t index = finding->indices[finding->index_count - 1];

    detecting->status = put_item(detecting->look, index, pb_detect_kind_name(finding->kind),
                                 time_of(&detecting->entries, index), detecting->error);
    detecting->findings++;
    return detecting->status == PB_OK &&
           (detecting->each == NULL || detecting->each(detecting->context, finding));
}

static enum pb_status
detect(struct detecting *detecting, int64_t from_us, int64_t to_us)
{
    struct pb_look *look = detecting->look;
    enum pb_status status = pb_look_record(look, "detect", (struct pb_str){ 0 }, detecting->error);

    if (status == PB_OK)
        status = read_queries(look, from_us, to_us, add_entry, detecting, detecting->error);
    if (status == PB_OK)
        status = detecting->status;
    if (status == PB_OK)
        status = pb_detector_run(detecting->detector, take_finding, detecting, detecting->error);
    return status == PB_OK ? detecting->status : status;
}

enum pb_status
pb_review_detect(struct pb_site *site, struct pb_str person, int64_t from_us, int64_t to_us,
                 const struct pb_detect_limits *limits, pb_finding_fn *each, void *context,
                 uint32_t *ret_findings, struct pb_error *error)
{
    struct pb_look look;
    struct detecting detecting = { .look = &look,
                                   .entries = { .env = site->env },
                                   .each = each,
                                   .context = context,
                                   .error = error };
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK)
        status = pb_detector_new(site->env, limits, &detecting.detector, error);
    if (status == PB_OK)
        status = detect(&detecting, from_us, to_us);
    if (status == PB_OK)
        *ret_findings = detecting.findings;
    pb_detector_free(detecting.detector);
    entries_done(&detecting.entries);
    pb_look_end(&look);
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

enum pb_status
pb_review_items(struct pb_site *site, struct pb_str person, bool with_closed,
                pb_review_item_fn *each, void *context, struct pb_error *error)
{
    struct listing listing = { .with_closed = with_closed, .each = each, .context = context };
    char prefix[PB_CATALOG_ID_BYTES_MAX + 2];
    struct pb_look look;
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK)
        status = pb_look_record(&look, "items", (struct pb_str){ 0 }, error);
    if (status == PB_OK) {
        pb_look_prefix(&look, prefix);
        status = pb_catalog_notes(site->catalog, ITEM_NOTE, prefix, list_item, &listing, error);
    }
    pb_look_end(&look);
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

    if (strcmp(key, search->key) != 0 || value.bytes > sizeof(search->value))
        return true;
    memcpy(search->value, value.text, value.bytes);
    search->value_bytes = value.bytes;
    search->is_found =
        read_item(search->key, (struct pb_str){ search->value, value.bytes }, &search->item);
    return !search->is_found;
}

/* The leaf first, then the note, from the state that was seen. PB_CONFLICT: it is another one by
 * now. */
static enum pb_status
change_item(struct pb_look *look, const struct search *search, const char *what,
            enum pb_review_state state, struct pb_str finding, struct pb_error *error)
{
    const struct item *item = &search->item;
    char value[VALUE_BYTES_MAX];
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    pb_draft_init(&leaf, look->log, "review", PB_KEEP_OPENINGS_US);
    pb_draft_number(&leaf, "of", (int64_t)item->item.index);
    pb_draft_text(&leaf, "finding", pb_str_from(what));
    pb_draft_secret(&leaf, "person", look->person);
    pb_draft_secret(&leaf, "reason", finding);
    status = pb_drafts_append(look->site, &leaf, 1, &index, error);
    if (status != PB_OK)
        return status;
    return pb_catalog_note_swap(look->site->catalog, ITEM_NOTE, search->key,
                                (struct pb_str){ search->value, search->value_bytes },
                                item_value(state, item->entry_us,
                                           state == PB_REVIEW_OPEN ? item->item.at_us
                                                                   : look->now_us,
                                           look->person, value),
                                error);
}

/* An open item of the agency, by its name. */
static enum pb_status
find_open(const struct pb_look *look, struct search *search, struct pb_error *error)
{
    char prefix[PB_CATALOG_ID_BYTES_MAX + 2];
    enum pb_status status = PB_OK;

    pb_look_prefix(look, prefix);
    if (strncmp(search->key, prefix, strlen(prefix)) != 0)
        return pb_fail(error, PB_NOT_FOUND, "item: not one of your agency");
    status =
        pb_catalog_notes(look->site->catalog, ITEM_NOTE, search->key, find_item, search, error);
    if (status == PB_OK && (!search->is_found || search->item.item.state != PB_REVIEW_OPEN))
        status = pb_fail(error, PB_NOT_FOUND, "item: no open one by that name");
    return status;
}

enum pb_status
pb_review_take(struct pb_site *site, struct pb_str person, const char *key, struct pb_error *error)
{
    struct search search = { .key = key };
    struct pb_look look;
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK)
        status = find_open(&look, &search, error);
    if (status == PB_OK)
        status = change_item(&look, &search, "taken", PB_REVIEW_OPEN, (struct pb_str){ 0 }, error);
    pb_look_end(&look);
    return status == PB_CONFLICT
               ? pb_fail(error, status, "item: somebody else took or closed it meanwhile")
               : status;
}

enum pb_status
pb_review_close(struct pb_site *site, struct pb_str person, const char *key,
                enum pb_review_state state, struct pb_str finding, struct pb_error *error)
{
    struct search search = { .key = key };
    struct pb_look look;
    enum pb_status status = PB_OK;

    if (state != PB_REVIEW_FINE && state != PB_REVIEW_MISUSE)
        return pb_fail(error, PB_BAD_INPUT, "state: fine or misuse");
    if (finding.bytes == 0 || finding.bytes > PB_JUSTIFICATION_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "finding: say what was found, in at most %u bytes",
                       PB_JUSTIFICATION_BYTES_MAX);
    status = pb_look_begin(&look, site, person, error);
    if (status == PB_OK)
        status = find_open(&look, &search, error);
    if (status == PB_OK && search.item.item.taken_by.bytes > 0 &&
        !pb_str_equal(search.item.item.taken_by, person))
        status = pb_fail(error, PB_CONFLICT, "item: %.*s looks into it",
                         (int)search.item.item.taken_by.bytes, search.item.item.taken_by.text);
    else if (status == PB_OK) {
        status = change_item(&look, &search, state_names[state], state, finding, error);
        if (status == PB_CONFLICT)
            status =
                pb_fail(error, PB_NOT_FOUND, "item: somebody else took or closed it meanwhile");
    }
    pb_look_end(&look);
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
record_finish(struct pb_look *look, int64_t until_us, struct pb_error *error)
{
    struct pb_draft leaf;
    uint64_t index = 0;

    pb_draft_init(&leaf, look->log, "reviewed", PB_KEEP_OPENINGS_US);
    pb_draft_number(&leaf, "until", until_us / 1000);
    pb_draft_secret(&leaf, "person", look->person);
    return pb_drafts_append(look->site, &leaf, 1, &index, error);
}

static enum pb_status
set_reviewed(struct pb_look *look, int64_t until_us, struct pb_error *error)
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
    struct pb_look look;
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK && look.agency == PB_NO_INDEX)
        status = pb_fail(error, PB_DENIED, "person: a review is ended by an agency's auditor");
    if (status == PB_OK && until_us > look.now_us)
        status = pb_fail(error, PB_BAD_INPUT, "until: what is still to come cannot be reviewed");
    if (status == PB_OK) {
        pb_look_prefix(&look, prefix);
        status = pb_catalog_notes(site->catalog, ITEM_NOTE, prefix, count_open, &open_items, error);
    }
    if (status == PB_OK && open_items.count > 0)
        status = pb_fail(error, PB_CONFLICT, "%llu items of that time are still open",
                         (unsigned long long)open_items.count);
    if (status == PB_OK)
        status = record_finish(&look, until_us, error);
    if (status == PB_OK)
        status = set_reviewed(&look, until_us, error);
    pb_look_end(&look);
    return status;
}
