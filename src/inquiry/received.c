/*
 * Received: how many reads came in, by agency and day of their coming.
 *
 * Stampers see every read on its way in and tell of them with each flush. The file is written at
 * most once a minute; while a process takes reads it says so, and where that process did not end
 * in order, the day on which it wrote last is said to be counted in part, never taken for whole.
 *
 * What is not known (a directory restored without the file, or a damaged one) is said to be
 * unknown.
 *
 * Threads: every call is safe from any thread.
 * Format:  docs/formats/received.md
 */
#include <string.h>

#include "inquiry/inquiry_private.h"

#define FILE_NAME "received"
#define FILE_BYTES_MAX (64u << 20)
#define HEAD "platebase-received 1\n"
#define WHOLE "whole\n"
#define OPEN "open "
#define LOST "-lost" /* no agency: an id begins with a letter or a digit */
#define LINE_BYTES_MAX (PB_CATALOG_ID_BYTES_MAX + 48u)
#define DAYS_MAX 90000
#define SAVE_EVERY_NS (INT64_C(60) * 1000000000)

struct agency_days {
    char id[PB_CATALOG_ID_BYTES_MAX + 1];
    int32_t first_day;
    uint32_t count, room;
    uint64_t *reads; /* owned: one a day */
    uint64_t total;
};

struct pb_received {
    const struct pb_env *env;
    pthread_mutex_t lock;         /* guards all below; held through the writing of the file */
    struct agency_days *agencies; /* owned; of the one named LOST days are in part */
    uint32_t count, room, last;
    bool is_known;   /* all that came in is here */
    bool is_changed; /* since it was saved */
    bool is_open;    /* the file says that reads come in */
    int64_t saved_ns;
};

struct pb_received *
pb_received_new(const struct pb_env *env)
{
    struct pb_received *received = pb_calloc(env, 1, sizeof(*received));

    if (received == NULL)
        return NULL;
    received->env = env;
    (void)pthread_mutex_init(&received->lock, NULL);
    return received;
}

void
pb_received_free(struct pb_received *received)
{
    if (received == NULL)
        return;
    for (uint32_t i = 0; i < received->count; i++)
        pb_free(received->env, received->agencies[i].reads);
    pb_free(received->env, received->agencies);
    (void)pthread_mutex_destroy(&received->lock);
    pb_free(received->env, received);
}

/* ---- counts ---- */

static struct agency_days *
find(const struct pb_received *received, struct pb_str id)
{
    for (uint32_t i = 0; i < received->count; i++) {
        /* Mostly it is the one of last time. */
        uint32_t at = (received->last + i) % received->count;

        if (pb_str_equal(id, pb_str_from(received->agencies[at].id)))
            return &received->agencies[at];
    }
    return NULL;
}

static struct agency_days *
find_or_add(struct pb_received *received, struct pb_str id)
{
    struct agency_days *agency = find(received, id);

    if (agency != NULL || id.bytes > PB_CATALOG_ID_BYTES_MAX)
        return agency;
    if (received->count == received->room) {
        uint32_t room = received->room * 2 + 8;
        struct agency_days *larger =
            pb_realloc(received->env, received->agencies, room * sizeof(*larger));

        if (larger == NULL)
            return NULL;
        received->agencies = larger;
        received->room = room;
    }
    agency = &received->agencies[received->count++];
    memset(agency, 0, sizeof(*agency));
    pb_site_id_text(id, agency->id);
    return agency;
}

/* Days before the first one are few: a clock that was set back. */
static enum pb_status
begin_earlier(const struct pb_env *env, struct agency_days *agency, int32_t day)
{
    uint32_t more = (uint32_t)(agency->first_day - day);
    uint64_t *reads = pb_calloc(env, (size_t)agency->count + more, sizeof(*reads));

    if (reads == NULL)
        return PB_E_NOMEM;
    memcpy(reads + more, agency->reads, agency->count * sizeof(*reads));
    pb_free(env, agency->reads);
    agency->reads = reads;
    agency->count = agency->room = agency->count + more;
    agency->first_day = day;
    return PB_OK;
}

static enum pb_status
end_later(const struct pb_env *env, struct agency_days *agency, uint32_t count)
{
    uint32_t room = count + 64;
    uint64_t *reads;

    if (count <= agency->room) {
        agency->count = count;
        return PB_OK;
    }
    reads = pb_realloc(env, agency->reads, room * sizeof(*reads));
    if (reads == NULL)
        return PB_E_NOMEM;
    memset(reads + agency->room, 0, (room - agency->room) * sizeof(*reads));
    agency->reads = reads;
    agency->room = room;
    agency->count = count;
    return PB_OK;
}

static enum pb_status
add(struct pb_received *received, struct pb_str id, int64_t day, uint64_t reads)
{
    struct agency_days *agency = find_or_add(received, id);
    enum pb_status status = PB_OK;

    if (agency == NULL)
        return PB_E_NOMEM;
    if (day < 0 || day >= DAYS_MAX)
        return PB_OVER_LIMIT;
    received->last = (uint32_t)(agency - received->agencies);
    if (agency->count == 0)
        agency->first_day = (int32_t)day;
    if (day < agency->first_day)
        status = begin_earlier(received->env, agency, (int32_t)day);
    if (status == PB_OK && (uint64_t)(day - agency->first_day) >= agency->count)
        status = end_later(received->env, agency, (uint32_t)(day - agency->first_day) + 1);
    if (status != PB_OK)
        return status;
    agency->reads[day - agency->first_day] += reads;
    agency->total += reads;
    return PB_OK;
}

void
pb_received_note(struct pb_received *received, struct pb_str agency, int64_t day, uint64_t reads)
{
    (void)pthread_mutex_lock(&received->lock);
    /* A count that is lost makes all that follows untrue. */
    if (add(received, agency, day, reads) != PB_OK)
        received->is_known = false;
    received->is_changed = true;
    (void)pthread_mutex_unlock(&received->lock);
}

static uint64_t
reads_of(const struct agency_days *agency, int32_t day)
{
    return agency != NULL && day >= agency->first_day &&
                   (uint32_t)(day - agency->first_day) < agency->count
               ? agency->reads[day - agency->first_day]
               : 0;
}

bool
pb_received_days(struct pb_received *received, struct pb_str agency, int32_t first_day,
                 uint32_t count, struct pb_received_day *ret_days, uint64_t *ret_total)
{
    const struct agency_days *days, *lost;
    bool is_known = false;

    (void)pthread_mutex_lock(&received->lock);
    is_known = received->is_known;
    days = find(received, agency);
    lost = find(received, pb_str_from(LOST));
    for (uint32_t i = 0; i < count; i++)
        ret_days[i] = (struct pb_received_day){
            .reads = reads_of(days, first_day + (int32_t)i),
            .is_in_part = reads_of(lost, first_day + (int32_t)i) > 0,
        };
    *ret_total = days != NULL ? days->total : 0;
    (void)pthread_mutex_unlock(&received->lock);
    return is_known;
}

/* ---- the file ---- */

static uint64_t
put_agency(struct pb_text_out *out, const struct agency_days *agency)
{
    uint64_t lines = 0;

    for (uint32_t i = 0; i < agency->count; i++) {
        if (agency->reads[i] == 0)
            continue;
        pb_put_text(out, agency->id);
        pb_put_char(out, '\t');
        pb_put_i64(out, agency->first_day + (int32_t)i);
        pb_put_char(out, '\t');
        pb_put_u64(out, agency->reads[i]);
        pb_put_char(out, '\n');
        lines++;
    }
    return lines;
}

/* The lock is held. */
static enum pb_status
write_file(struct pb_site *site, const struct pb_received *received, bool is_whole,
           struct pb_error *error)
{
    size_t bytes = sizeof(HEAD) + 128;
    uint64_t lines = 0;
    char *text = NULL;
    struct pb_text_out out;
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < received->count; i++)
        bytes += (size_t)received->agencies[i].count * LINE_BYTES_MAX;
    text = pb_alloc(site->env, bytes);
    if (text == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to write down how many reads came in");
    out = pb_text_out(text, bytes);
    pb_put_text(&out, HEAD);
    if (is_whole) {
        pb_put_text(&out, WHOLE);
    } else {
        pb_put_text(&out, OPEN);
        pb_put_i64(&out, pb_now_us(site->env) / PB_DAY_US);
        pb_put_char(&out, '\n');
    }
    for (uint32_t i = 0; i < received->count; i++)
        lines += put_agency(&out, &received->agencies[i]);
    pb_put_text(&out, "end ");
    pb_put_u64(&out, lines);
    pb_put_char(&out, '\n');
    status =
        pb_site_write_file(site->env, site->path, FILE_NAME, text, (size_t)(out.at - text), error);
    pb_free(site->env, text);
    return status;
}

enum pb_status
pb_received_save(struct pb_site *site, bool is_last, struct pb_error *error)
{
    struct pb_received *received = site->received;
    int64_t now_ns = pb_monotonic_ns(site->env);
    enum pb_status status = PB_OK;

    (void)pthread_mutex_lock(&received->lock);
    if (received->is_known && received->is_changed &&
        (is_last || !received->is_open || now_ns - received->saved_ns >= SAVE_EVERY_NS)) {
        status = write_file(site, received, is_last, error);
        received->saved_ns = now_ns;
        received->is_changed = status != PB_OK;
        received->is_open = !is_last && status == PB_OK;
    } else if (is_last && received->is_known && received->is_open) {
        status = write_file(site, received, true, error);
        received->is_open = status != PB_OK;
    }
    (void)pthread_mutex_unlock(&received->lock);
    return status;
}

/* ---- reading it ---- */

static enum pb_status
take_line(void *context, struct pb_str line)
{
    const char *tab = memchr(line.text, '\t', line.bytes);
    struct pb_str id = line;
    uint64_t day, reads;

    if (tab == NULL || tab == line.text)
        return PB_BAD_INPUT;
    id.bytes = (uint32_t)(tab - line.text);
    line.text += id.bytes + 1;
    line.bytes -= id.bytes + 1;
    if (id.bytes > PB_CATALOG_ID_BYTES_MAX || !pb_counted_number(&line, '\t', &day) ||
        !pb_counted_number(&line, '\n', &reads) || day >= DAYS_MAX || reads == 0)
        return PB_BAD_INPUT;
    return add(context, id, (int64_t)day, reads);
}

enum pb_status
pb_received_parse(void *received, struct pb_str text)
{
    uint64_t open_day = 0;
    bool is_open;
    enum pb_status status;

    if (!pb_counted_word(&text, HEAD))
        return PB_BAD_INPUT;
    is_open = pb_counted_word(&text, OPEN);
    if (is_open ? !pb_counted_number(&text, '\n', &open_day) || open_day >= DAYS_MAX - 1
                : !pb_counted_word(&text, WHOLE))
        return PB_BAD_INPUT;
    status = pb_counted_lines(text, take_line, received);
    /* Up to a minute after it was written is missing, which may be of the day after. */
    if (status == PB_OK && is_open)
        status = add(received, pb_str_from(LOST), (int64_t)open_day, 1);
    return status;
}

enum pb_status
pb_received_load(struct pb_site *site, struct pb_error *error)
{
    struct pb_received *received = site->received;

    received->saved_ns = pb_monotonic_ns(site->env);
    return pb_counted_load(site, FILE_NAME, FILE_BYTES_MAX, pb_received_parse, received,
                           &received->is_known, error);
}

enum pb_status
pb_received_create(const struct pb_env *env, const char *path, struct pb_error *error)
{
    static const char empty[] = HEAD WHOLE "end 0\n";

    return pb_site_write_file(env, path, FILE_NAME, empty, sizeof(empty) - 1, error);
}
