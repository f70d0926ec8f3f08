/*
 * Activity: on which days each reader read anything.
 *
 * Stampers see every read on its way in and tell of each new day of a reader; so an answer can say
 * which readers were up in its window without asking the store for each. Days are bits.
 *
 * What is not known (a directory restored without the file, or a damaged one) is said to be
 * unknown, never to be down.
 *
 * Threads: every call is safe from any thread.
 * Format:  docs/formats/activity.md
 */
#include <stdlib.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define FILE_NAME "activity"
#define FILE_BYTES_MAX (256u << 20)
#define HEAD "platebase-activity 1\n"
#define SLOTS_FIRST 1024u /* a power of two */
#define DAYS_MAX 90000    /* of one reader, first to last: past the times that a store takes */
#define KNOWN_COUNTS 64u
#define SAVE_EVERY_NS (INT64_C(60) * 1000000000)

struct activity_reader {
    struct pb_str name; /* arena */
    int32_t first_day;  /* of bit 0 */
    int32_t last_day;   /* newest day; below first_day: none yet */
    uint64_t *words;    /* owned */
    uint32_t word_count;
};

/* How many readers were up, of a scope that is asked for again and again. */
struct known_count {
    uint64_t scope;   /* hash of the origins admitted */
    uint64_t view;    /* its version */
    uint64_t changes; /* of the activity, when it was counted; 0: nothing is known here */
    int32_t from_day, to_day;
    uint32_t count;
};

struct pb_activity {
    const struct pb_env *env;
    pthread_rwlock_t lock; /* guards all below */
    struct pb_arena arena;
    struct activity_reader *readers; /* owned */
    uint32_t *slots;                 /* owned: index + 1, or 0 */
    uint32_t count, room, slot_count;
    bool is_known;   /* all that came in is here */
    bool is_changed; /* since it was saved */
    int64_t saved_ns;
    uint64_t changes; /* of days; 1 at first */

    pthread_mutex_t known_lock; /* guards what follows; taken within lock */
    struct known_count known[KNOWN_COUNTS];
};

struct pb_activity *
pb_activity_new(const struct pb_env *env)
{
    struct pb_activity *activity = pb_calloc(env, 1, sizeof(*activity));

    if (activity == NULL)
        return NULL;
    activity->env = env;
    activity->changes = 1;
    (void)pthread_rwlock_init(&activity->lock, NULL);
    (void)pthread_mutex_init(&activity->known_lock, NULL);
    pb_arena_init(&activity->arena, env, 4096);
    return activity;
}

void
pb_activity_free(struct pb_activity *activity)
{
    if (activity == NULL)
        return;
    for (uint32_t i = 0; i < activity->count; i++)
        pb_free(activity->env, activity->readers[i].words);
    pb_free(activity->env, activity->readers);
    pb_free(activity->env, activity->slots);
    pb_arena_clear(&activity->arena);
    (void)pthread_rwlock_destroy(&activity->lock);
    (void)pthread_mutex_destroy(&activity->known_lock);
    pb_free(activity->env, activity);
}

/* ---- readers ---- */

static uint32_t *
find_slot(const struct pb_activity *activity, struct pb_str name)
{
    uint32_t mask = activity->slot_count - 1;
    uint32_t at = (uint32_t)pb_hash_bytes(name.text, name.bytes) & mask;

    while (activity->slots[at] != 0 &&
           !pb_str_equal(activity->readers[activity->slots[at] - 1].name, name))
        at = (at + 1) & mask;
    return &activity->slots[at];
}

static enum pb_status
make_room(struct pb_activity *activity)
{
    uint32_t *slots = activity->slots;
    uint32_t count = activity->slot_count;

    if (activity->count == activity->room) {
        uint32_t room = activity->room * 2 + 64;
        struct activity_reader *larger =
            pb_realloc(activity->env, activity->readers, room * sizeof(*larger));

        if (larger == NULL)
            return PB_E_NOMEM;
        activity->readers = larger;
        activity->room = room;
    }
    if (activity->count * 2 < count)
        return PB_OK;
    count = count == 0 ? SLOTS_FIRST : count * 2;
    activity->slots = pb_calloc(activity->env, count, sizeof(*slots));
    if (activity->slots == NULL) {
        activity->slots = slots;
        return PB_E_NOMEM;
    }
    activity->slot_count = count;
    for (uint32_t i = 0; i < activity->count; i++)
        *find_slot(activity, activity->readers[i].name) = i + 1;
    pb_free(activity->env, slots);
    return PB_OK;
}

/* The lock is held for writing. */
static enum pb_status
find_or_add(struct pb_activity *activity, struct pb_str name, uint32_t *ret_index)
{
    struct activity_reader reader = { .last_day = -1 };
    uint32_t *slot = NULL;
    enum pb_status status = make_room(activity);

    if (status != PB_OK)
        return status;
    slot = find_slot(activity, name);
    if (*slot == 0) {
        status = pb_arena_copy(&activity->arena, name, &reader.name);
        if (status != PB_OK)
            return status;
        activity->readers[activity->count] = reader;
        *slot = ++activity->count;
    }
    *ret_index = *slot - 1;
    return PB_OK;
}

enum pb_status
pb_activity_index(struct pb_activity *activity, const struct pb_catalog_view *view,
                  uint32_t *ret_indices)
{
    enum pb_status status = PB_OK;

    (void)pthread_rwlock_wrlock(&activity->lock);
    for (uint32_t i = 0; i < view->reader_count && status == PB_OK; i++)
        status = find_or_add(activity, view->readers[i].id, &ret_indices[i]);
    (void)pthread_rwlock_unlock(&activity->lock);
    return status;
}

/* ---- days ---- */

static bool
has_day(const struct activity_reader *reader, int32_t day)
{
    uint32_t at = (uint32_t)(day - reader->first_day);

    return day >= reader->first_day && at / 64 < reader->word_count &&
           (reader->words[at / 64] >> at % 64 & 1) != 0;
}

/* Makes room for a day before the first one, a whole number of words. */
static enum pb_status
begin_earlier(const struct pb_env *env, struct activity_reader *reader, int32_t day)
{
    uint32_t more = (uint32_t)(reader->first_day - day + 63) / 64;
    uint64_t *words = pb_calloc(env, (size_t)reader->word_count + more, sizeof(*words));

    if (words == NULL)
        return PB_E_NOMEM;
    memcpy(words + more, reader->words, reader->word_count * sizeof(*words));
    pb_free(env, reader->words);
    reader->words = words;
    reader->word_count += more;
    reader->first_day -= (int32_t)(more * 64);
    return PB_OK;
}

static enum pb_status
end_later(const struct pb_env *env, struct activity_reader *reader, uint32_t word)
{
    uint64_t *words = pb_realloc(env, reader->words, (word + 1u) * sizeof(*words));

    if (words == NULL)
        return PB_E_NOMEM;
    memset(words + reader->word_count, 0, (word + 1u - reader->word_count) * sizeof(*words));
    reader->words = words;
    reader->word_count = word + 1;
    return PB_OK;
}

static enum pb_status
set_day(const struct pb_env *env, struct activity_reader *reader, int32_t day)
{
    enum pb_status status = PB_OK;
    uint32_t at = 0;

    if (reader->word_count == 0)
        reader->first_day = day;
    else if (day < reader->first_day)
        status = begin_earlier(env, reader, day);
    at = (uint32_t)(day - reader->first_day);
    if (status == PB_OK && at / 64 >= reader->word_count)
        status = end_later(env, reader, at / 64);
    if (status != PB_OK)
        return status;
    reader->words[at / 64] |= UINT64_C(1) << at % 64;
    if (day > reader->last_day)
        reader->last_day = day;
    return PB_OK;
}

static bool
is_day(int64_t day)
{
    return day >= 0 && day < DAYS_MAX;
}

void
pb_activity_note(struct pb_activity *activity, const struct pb_activity_day *days, uint32_t count)
{
    (void)pthread_rwlock_wrlock(&activity->lock);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = 0;
        enum pb_status status =
            is_day(days[i].day) ? find_or_add(activity, days[i].reader, &index) : PB_OVER_LIMIT;

        if (status == PB_OK && has_day(&activity->readers[index], days[i].day))
            continue;
        if (status == PB_OK)
            status = set_day(activity->env, &activity->readers[index], days[i].day);
        /* A day that is lost would be said to be one without reads. */
        if (status == PB_E_NOMEM)
            activity->is_known = false;
        activity->is_changed = true;
        activity->changes++;
    }
    (void)pthread_rwlock_unlock(&activity->lock);
}

static bool
was_up(const struct activity_reader *reader, int32_t from_day, int32_t to_day)
{
    if (reader->last_day < from_day || reader->word_count == 0 || reader->first_day > to_day)
        return false;
    if (reader->last_day <= to_day)
        return true;
    for (int32_t day = from_day; day <= to_day; day++) {
        if (has_day(reader, day))
            return true;
    }
    return false;
}

/* A reader that stands where nobody may capture is none that was up: its reads are not there. */
static bool
stands_in_zone(const struct pb_facts *facts, uint32_t reader)
{
    return facts->has_zones && pb_facts_in_zone(facts, facts->view->readers[reader].origin, reader,
                                                PB_NO_POSITION, PB_NO_POSITION);
}

/* The lock is held. */
static uint32_t
count_up(const struct pb_activity *activity, const struct pb_answer *answer, int32_t from_day,
         int32_t to_day)
{
    const struct pb_catalog_view *view = answer->facts->view;
    uint32_t count = 0;

    for (uint32_t i = 0; i < view->reader_count; i++) {
        bool is_in = answer->is_in_scope != NULL
                         ? answer->is_in_scope[i] != 0
                         : answer->decision.admits_origin[view->readers[i].origin];

        count += is_in &&
                 was_up(&activity->readers[answer->facts->activity[i]], from_day, to_day) &&
                 !stands_in_zone(answer->facts, i);
    }
    return count;
}

/* The same by whole origins. Each inquiry of an agency has the same scope and, of a day, mostly
 * the same days; and a country has many readers. */
static uint32_t
recall_up(struct pb_activity *activity, const struct pb_answer *answer, int32_t from_day,
          int32_t to_day)
{
    const bool *admits = answer->decision.admits_origin;
    struct known_count wanted = {
        .scope = pb_hash_bytes(admits, answer->facts->view->origin_count * sizeof(*admits)),
        .view = answer->facts->view->version,
        .changes = activity->changes,
        .from_day = from_day,
        .to_day = to_day,
    };
    struct known_count *known =
        &activity
             ->known[(wanted.scope ^ (uint64_t)from_day * 31 ^ (uint64_t)to_day) % KNOWN_COUNTS];
    bool is_known = false;

    (void)pthread_mutex_lock(&activity->known_lock);
    is_known = known->scope == wanted.scope && known->view == wanted.view &&
               known->changes == wanted.changes && known->from_day == from_day &&
               known->to_day == to_day;
    wanted.count = known->count;
    (void)pthread_mutex_unlock(&activity->known_lock);
    if (is_known)
        return wanted.count;
    wanted.count = count_up(activity, answer, from_day, to_day);
    (void)pthread_mutex_lock(&activity->known_lock);
    *known = wanted;
    (void)pthread_mutex_unlock(&activity->known_lock);
    return wanted.count;
}

bool
pb_activity_count(struct pb_activity *activity, const struct pb_answer *answer, uint32_t *ret_count)
{
    int32_t from_day = (int32_t)(answer->from_us / PB_DAY_US);
    int32_t to_day = (int32_t)((answer->to_us - 1) / PB_DAY_US);
    bool is_known = false;

    *ret_count = 0;
    (void)pthread_rwlock_rdlock(&activity->lock);
    is_known = activity->is_known;
    if (is_known)
        *ret_count = answer->is_in_scope != NULL || answer->facts->has_zones
                         ? count_up(activity, answer, from_day, to_day)
                         : recall_up(activity, answer, from_day, to_day);
    (void)pthread_rwlock_unlock(&activity->lock);
    return is_known;
}

/* ---- the file ---- */

/* Bytes of a reader's line. */
static size_t
line_bytes(const struct activity_reader *reader)
{
    return 16 + (size_t)reader->word_count * 16 + reader->name.bytes;
}

static void
put_line(struct pb_text_out *out, const struct activity_reader *reader)
{
    static const char digits[] = "0123456789abcdef";
    int32_t first = reader->first_day;

    while (!has_day(reader, first))
        first++;
    pb_put_i64(out, first);
    pb_put_char(out, '\t');
    for (int32_t day = first; day <= reader->last_day; day += 4) {
        unsigned digit = 0;

        for (int32_t i = 0; i < 4; i++)
            digit |= (unsigned)has_day(reader, day + i) << i;
        pb_put_char(out, digits[digit]);
    }
    pb_put_char(out, '\t');
    pb_put_str(out, reader->name);
    pb_put_char(out, '\n');
}

/* The lock is held. */
static enum pb_status
write_file(struct pb_site *site, struct pb_activity *activity, struct pb_error *error)
{
    size_t bytes = sizeof(HEAD) + 64;
    uint64_t lines = 0;
    char *text = NULL;
    struct pb_text_out out;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < activity->count; i++)
        bytes += line_bytes(&activity->readers[i]);
    text = pb_alloc(site->env, bytes);
    if (text == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to write down which readers were up");
    out = pb_text_out(text, bytes);
    pb_put_text(&out, HEAD);
    for (uint32_t i = 0; i < activity->count; i++) {
        if (activity->readers[i].last_day < 0)
            continue;
        put_line(&out, &activity->readers[i]);
        lines++;
    }
    pb_put_text(&out, "end ");
    pb_put_u64(&out, lines);
    pb_put_char(&out, '\n');
    status =
        pb_site_write_file(site->env, site->path, FILE_NAME, text, (size_t)(out.at - text), error);
    pb_free(site->env, text);
    return status;
}

enum pb_status
pb_activity_save(struct pb_site *site, bool is_last, struct pb_error *error)
{
    struct pb_activity *activity = site->activity;
    int64_t now_ns = pb_monotonic_ns(site->env);
    enum pb_status status = PB_OK;

    (void)pthread_rwlock_wrlock(&activity->lock);
    if (activity->is_known && activity->is_changed &&
        (is_last || now_ns - activity->saved_ns >= SAVE_EVERY_NS)) {
        status = write_file(site, activity, error);
        activity->saved_ns = now_ns;
        activity->is_changed = status != PB_OK;
    }
    (void)pthread_rwlock_unlock(&activity->lock);
    return status;
}

/* ---- reading it ---- */

static int
digit_of(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static enum pb_status
take_line(void *context, struct pb_str line)
{
    struct pb_activity *activity = context;
    uint64_t first = 0;
    const char *tab = pb_counted_number(&line, '\t', &first) && first < DAYS_MAX
                          ? memchr(line.text, '\t', line.bytes)
                          : NULL;
    int32_t day = (int32_t)first;
    struct pb_str name = { 0 };
    uint32_t index = 0;
    enum pb_status status = PB_OK;

    if (tab == NULL)
        return PB_BAD_INPUT;
    name.text = tab + 1;
    name.bytes = (uint32_t)(line.text + line.bytes - name.text) - 1; /* less the line's end */
    if (name.bytes == 0 || name.bytes > PB_READER_BYTES_MAX)
        return PB_BAD_INPUT;
    status = find_or_add(activity, name, &index);
    for (const char *at = line.text; at < tab && status == PB_OK; at++, day += 4) {
        int digit = digit_of(*at);

        if (digit < 0 || !is_day(day + 3))
            return PB_BAD_INPUT;
        for (int32_t i = 0; i < 4 && status == PB_OK; i++) {
            if ((digit >> i & 1) != 0)
                status = set_day(activity->env, &activity->readers[index], day + i);
        }
    }
    return status;
}

enum pb_status
pb_activity_parse(void *activity, struct pb_str text)
{
    return pb_counted_word(&text, HEAD) ? pb_counted_lines(text, take_line, activity)
                                        : PB_BAD_INPUT;
}

enum pb_status
pb_activity_load(struct pb_site *site, struct pb_error *error)
{
    struct pb_activity *activity = site->activity;

    activity->saved_ns = pb_monotonic_ns(site->env);
    return pb_counted_load(site, FILE_NAME, FILE_BYTES_MAX, pb_activity_parse, activity,
                           &activity->is_known, error);
}

enum pb_status
pb_activity_create(const struct pb_env *env, const char *path, struct pb_error *error)
{
    static const char empty[] = HEAD "end 0\n";

    return pb_site_write_file(env, path, FILE_NAME, empty, sizeof(empty) - 1, error);
}
