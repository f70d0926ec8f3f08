/*
 * Figures: leaves counted into months.
 *
 * A month is a note of the catalog ("figures", "<agency>/<month>") that says up to which leaf it
 * was counted. Leaves stand in their order, so the largest of these is where counting goes on; a
 * month and its place change as one, and only from the text that was read, so that nothing is
 * counted twice, also where two processes count at once.
 */
#include "inquiry/figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define NOTE "figures"
#define HEAD "figures 1\n"
#define LINES_MAX 512u /* of purposes and partners; what is beyond is counted as "other" */
#define TEXT_BYTES_MAX (LINES_MAX * 128u + 1024u)
#define ATTEMPTS_MAX 4
#define LEAVES_BETWEEN 64u  /* two questions whether to go on */
#define MONTH_TEXT_BYTES 8u /* "2026-06" and its NUL */

static const char *const number_names[PB_FIGURE_COUNT] = {
    [PB_FIGURE_DENIED] = "denied",           [PB_FIGURE_HELD] = "held_for_second_person",
    [PB_FIGURE_BREAK_GLASS] = "break_glass", [PB_FIGURE_EXPORTS] = "exports",
    [PB_FIGURE_CORRECTIONS] = "corrections", [PB_FIGURE_REVIEWED] = "reviewed",
    [PB_FIGURE_MISUSE] = "misuse",           [PB_FIGURE_REMOVED] = "removed",
};

const char *
pb_figure_name(enum pb_figure figure)
{
    return number_names[figure];
}

enum line_kind { LINE_PURPOSE = 'p', LINE_SHARED = 's' };

struct line {
    char kind;
    char name[PB_CATALOG_ID_BYTES_MAX + 1];
    uint64_t count, reads;
};

/* One month as it is kept. */
struct month {
    int32_t month; /* -1: none */
    uint64_t next; /* leaf */
    uint64_t numbers[PB_FIGURE_COUNT];
    struct line lines[LINES_MAX];
    uint32_t line_count;
    char text[TEXT_BYTES_MAX]; /* as it was read; empty: it was not there */
    uint32_t text_bytes;
};

struct counting {
    struct pb_site *site;
    char log[PB_CATALOG_ID_BYTES_MAX + 1];
    int32_t wanted;
    struct month *current, *result;     /* owned */
    uint64_t next;                      /* of all months */
    uint64_t removed;                   /* in all months */
    bool is_damaged;                    /* what is kept cannot be read */
    const struct pb_progress *progress; /* or NULL */
    uint64_t seen;                      /* leaves */
    bool is_broken_off;                 /* by progress */
    enum pb_status status;              /* of what went wrong in a callback */
    struct pb_error *error;
};

/* ---- months as text ---- */

static void
put_month(int32_t month, char ret_text[MONTH_TEXT_BYTES])
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(pb_time_month_start_us(month), 0, text);
    memcpy(ret_text, text, 7);
    ret_text[7] = '\0';
}

bool
pb_figures_month(struct pb_str text, int32_t *ret_month)
{
    char day[11];
    int64_t us = 0;
    int16_t offset_min;

    if (text.bytes != 7)
        return false;
    memcpy(day, text.text, 7);
    memcpy(day + 7, "-01", 4);
    if (pb_time_parse_utc(pb_str_from(day), &us, &offset_min) != PB_OK)
        return false;
    *ret_month = pb_time_month(us);
    return true;
}

static struct line *
find_line(struct month *month, char kind, struct pb_str name)
{
    struct line *line;

    if (name.bytes == 0 || name.bytes > PB_CATALOG_ID_BYTES_MAX ||
        (month->line_count >= LINES_MAX - 2 && !pb_str_equal(name, pb_str_from("other"))))
        name = pb_str_from("other");
    for (uint32_t i = 0; i < month->line_count; i++) {
        line = &month->lines[i];
        if (line->kind == kind && pb_str_equal(name, pb_str_from(line->name)))
            return line;
    }
    line = &month->lines[month->line_count++];
    memset(line, 0, sizeof(*line));
    line->kind = kind;
    pb_site_id_text(name, line->name);
    return line;
}

static struct pb_str
write_month(const struct month *month, char text[TEXT_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(text, TEXT_BYTES_MAX);

    pb_put_text(&out, HEAD "next ");
    pb_put_u64(&out, month->next);
    for (unsigned i = 0; i < PB_FIGURE_COUNT; i++) {
        pb_put_text(&out, "\nn ");
        pb_put_text(&out, number_names[i]);
        pb_put_char(&out, ' ');
        pb_put_u64(&out, month->numbers[i]);
    }
    for (uint32_t i = 0; i < month->line_count; i++) {
        pb_put_char(&out, '\n');
        pb_put_char(&out, month->lines[i].kind);
        pb_put_char(&out, ' ');
        pb_put_text(&out, month->lines[i].name);
        pb_put_char(&out, ' ');
        pb_put_u64(&out, month->lines[i].count);
        pb_put_char(&out, ' ');
        pb_put_u64(&out, month->lines[i].reads);
    }
    pb_put_char(&out, '\n');
    return (struct pb_str){ text, (uint32_t)(out.at - text) };
}

/* The next word, up to a space or the line's end; what is left begins behind it. */
static struct pb_str
take_word(struct pb_str *line)
{
    struct pb_str word = *line;
    const char *space = line->bytes > 0 ? memchr(line->text, ' ', line->bytes) : NULL;

    if (space != NULL)
        word.bytes = (uint32_t)(space - line->text);
    line->text += word.bytes + (space != NULL ? 1 : 0);
    line->bytes -= word.bytes + (space != NULL ? 1 : 0);
    return word;
}

static uint64_t
take_count(struct pb_str *line)
{
    struct pb_str digits = take_word(line);
    uint64_t number = 0;

    for (uint32_t i = 0;
         i < digits.bytes && i < 18 && digits.text[i] >= '0' && digits.text[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(digits.text[i] - '0');
    return number;
}

static void
read_line(struct month *month, struct pb_str line)
{
    struct pb_str kind = take_word(&line), name;

    if (pb_str_equal(kind, pb_str_from("next"))) {
        month->next = take_count(&line);
        return;
    }
    if (kind.bytes != 1)
        return;
    name = take_word(&line);
    if (kind.text[0] == LINE_PURPOSE || kind.text[0] == LINE_SHARED) {
        struct line *place = find_line(month, kind.text[0], name);

        place->count = take_count(&line);
        place->reads = take_count(&line);
    }
    for (unsigned i = 0; kind.text[0] == 'n' && i < PB_FIGURE_COUNT; i++) {
        if (pb_str_equal(name, pb_str_from(number_names[i])))
            month->numbers[i] = take_count(&line);
    }
}

static bool
parse_month(struct pb_str text, uint64_t *ret_next, uint64_t *ret_removed, struct month *ret_month)
{
    struct pb_str head = { HEAD, sizeof(HEAD) - 1 };

    memset(ret_month, 0, sizeof(*ret_month));
    if (text.bytes < head.bytes || text.bytes > TEXT_BYTES_MAX ||
        memcmp(text.text, head.text, head.bytes) != 0)
        return false;
    memcpy(ret_month->text, text.text, text.bytes);
    ret_month->text_bytes = text.bytes;
    text.text += head.bytes;
    text.bytes -= head.bytes;
    while (text.bytes > 0) {
        const char *end = memchr(text.text, '\n', text.bytes);
        struct pb_str line = text;

        if (end == NULL)
            return false;
        line.bytes = (uint32_t)(end - text.text);
        read_line(ret_month, line);
        text.text += line.bytes + 1;
        text.bytes -= line.bytes + 1;
    }
    *ret_next = ret_month->next;
    *ret_removed = ret_month->numbers[PB_FIGURE_REMOVED];
    return true;
}

/* ---- what is kept ---- */

struct finding {
    struct counting *counting;
    struct month *month; /* scratch, or where the one that is wanted goes */
    char key[PB_CATALOG_ID_BYTES_MAX + MONTH_TEXT_BYTES + 2];
};

static void
make_key(const struct counting *counting, int32_t month, char *ret_key, size_t room)
{
    char text[MONTH_TEXT_BYTES] = "";

    if (month >= 0)
        put_month(month, text);
    (void)snprintf(ret_key, room, "%s/%s", counting->log, text);
}

static bool
find_next(void *context, const char *key, struct pb_str value)
{
    struct finding *finding = context;
    uint64_t next = 0, removed = 0;

    (void)key;
    if (!parse_month(value, &next, &removed, finding->month))
        finding->counting->is_damaged = true;
    finding->counting->removed += removed;
    if (next > finding->counting->next)
        finding->counting->next = next;
    return true;
}

static bool
forget_month(void *context, const char *key, struct pb_str value)
{
    struct counting *counting = context;

    (void)value;
    counting->status = pb_catalog_note_put(counting->site->catalog, NOTE, key,
                                           (struct pb_str){ NULL, 0 }, counting->error);
    return counting->status == PB_OK;
}

/* Where the counting goes on. Where one month cannot be read all are counted anew, from the first
 * leaf on. */
static enum pb_status
find_place(struct counting *counting)
{
    struct finding finding = { .counting = counting, .month = counting->current };
    char prefix[PB_CATALOG_ID_BYTES_MAX + MONTH_TEXT_BYTES + 2];
    enum pb_status status;

    counting->next = counting->removed = 0;
    counting->is_damaged = false;
    counting->status = PB_OK;
    make_key(counting, -1, prefix, sizeof(prefix));
    status = pb_catalog_notes(counting->site->catalog, NOTE, prefix, find_next, &finding,
                              counting->error);
    if (status != PB_OK || !counting->is_damaged)
        return status;
    if (counting->site->mode == PB_SITE_LOOK)
        return pb_fail(counting->error, PB_E_CORRUPT, "what is kept of the figures is damaged");
    counting->next = counting->removed = 0;
    status = pb_catalog_notes(counting->site->catalog, NOTE, prefix, forget_month, counting,
                              counting->error);
    return status == PB_OK ? counting->status : status;
}

static bool
find_month(void *context, const char *key, struct pb_str value)
{
    struct finding *finding = context;
    uint64_t next, removed;

    if (strcmp(key, finding->key) == 0 && !parse_month(value, &next, &removed, finding->month))
        memset(finding->month, 0, sizeof(*finding->month));
    return strcmp(key, finding->key) < 0;
}

static enum pb_status
load_month(struct counting *counting, int32_t number, struct month *month)
{
    struct finding finding = { .counting = counting, .month = month };
    enum pb_status status;

    memset(month, 0, sizeof(*month));
    make_key(counting, number, finding.key, sizeof(finding.key));
    status = pb_catalog_notes(counting->site->catalog, NOTE, finding.key, find_month, &finding,
                              counting->error);
    month->month = number;
    return status;
}

/* Puts the month by, from the text that was read. */
static enum pb_status
keep_month(struct counting *counting, struct month *month)
{
    char key[PB_CATALOG_ID_BYTES_MAX + MONTH_TEXT_BYTES + 2];
    struct pb_str expected = { month->text, month->text_bytes };
    char *text;
    enum pb_status status;

    if (month->month < 0)
        return PB_OK;
    if (month->month == counting->wanted)
        memcpy(counting->result, month, sizeof(*month));
    if (counting->site->mode == PB_SITE_LOOK)
        return PB_OK;
    text = pb_alloc(counting->site->env, TEXT_BYTES_MAX);
    if (text == NULL)
        return pb_fail(counting->error, PB_E_NOMEM, "no memory for figures");
    make_key(counting, month->month, key, sizeof(key));
    status = pb_catalog_note_swap(counting->site->catalog, NOTE, key, expected,
                                  write_month(month, text), counting->error);
    pb_free(counting->site->env, text);
    return status;
}

/* ---- leaves ---- */

static bool
is_event(const struct pb_audit_entry *entry, const char *event)
{
    return strcmp(entry->event, event) == 0;
}

static void
count_entry(struct month *month, const struct pb_audit_entry *entry)
{
    static const struct {
        const char *event;
        enum pb_figure figure;
    } events[] = {
        { "denied", PB_FIGURE_DENIED },   { "held", PB_FIGURE_HELD },
        { "export", PB_FIGURE_EXPORTS },  { "correct", PB_FIGURE_CORRECTIONS },
        { "review", PB_FIGURE_REVIEWED },
    };
    struct line *line;

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
        month->numbers[events[i].figure] += is_event(entry, events[i].event);
    if (is_event(entry, "query"))
        find_line(month, LINE_PURPOSE, pb_entry_member(entry, "purpose"))->count++;
    if (is_event(entry, "disclosed")) {
        line = find_line(month, LINE_SHARED, pb_entry_member(entry, "asker"));
        line->count++;
        line->reads += pb_entry_number(entry, "n");
    }
    if (is_event(entry, "purge"))
        month->numbers[PB_FIGURE_REMOVED] += pb_entry_number(entry, "n");
    if (is_event(entry, "review") &&
        pb_str_equal(pb_entry_member(entry, "finding"), pb_str_from("misuse")))
        month->numbers[PB_FIGURE_MISUSE]++;
    /* The owners' logs tell of it, too, and there of who asked. */
    if (is_event(entry, "break-glass") && pb_entry_member(entry, "asker").bytes == 0)
        month->numbers[PB_FIGURE_BREAK_GLASS]++;
}

static bool
take_entry(void *context, const struct pb_audit_entry *entry)
{
    struct counting *counting = context;
    int32_t number = pb_time_month(entry->at_us);
    enum pb_status status = PB_OK;

    if (++counting->seen % LEAVES_BETWEEN == 0 && counting->progress != NULL &&
        !counting->progress->report(counting->progress->context, "leaves", entry->index, 0)) {
        counting->is_broken_off = true;
        return false;
    }
    if (counting->current->month != number) {
        status = keep_month(counting, counting->current);
        if (status == PB_OK && number == counting->wanted && counting->site->mode == PB_SITE_LOOK)
            memcpy(counting->current, counting->result, sizeof(*counting->current));
        else if (status == PB_OK)
            status = load_month(counting, number, counting->current);
    }
    counting->status = status;
    if (status != PB_OK)
        return false;
    if (is_event(entry, "purge"))
        counting->removed += pb_entry_number(entry, "n");
    /* Somebody else may have counted it since the place was looked for. */
    if (entry->index >= counting->current->next) {
        count_entry(counting->current, entry);
        counting->current->next = entry->index + 1;
    }
    return true;
}

/* Counts what was added to the log since. PB_CONFLICT: somebody else did at the same time. */
static enum pb_status
count_leaves(struct counting *counting)
{
    struct pb_audit_filter filter = { .log = counting->log, .last = UINT64_MAX, .is_closed = true };
    enum pb_status status = find_place(counting);

    if (status == PB_OK)
        status = load_month(counting, counting->wanted, counting->result);
    if (status != PB_OK)
        return status;
    counting->current->month = -1;
    filter.first = counting->next;
    status = pb_audit_read(counting->site->audit, &filter, take_entry, counting, counting->error);
    if (status == PB_OK)
        status = counting->status;
    return status == PB_OK ? keep_month(counting, counting->current) : status;
}

static enum pb_status
count_all(struct counting *counting)
{
    enum pb_status status = PB_CONFLICT;

    for (int attempt = 0; attempt < ATTEMPTS_MAX && status == PB_CONFLICT; attempt++)
        status = count_leaves(counting);
    return status == PB_CONFLICT
               ? pb_fail(counting->error, PB_E_BUSY, "the figures are being counted: ask again")
               : status;
}

/* ---- the figures ---- */

static int
compare_lines(const void *a, const void *b)
{
    return pb_str_compare(((const struct pb_figure_line *)a)->name,
                          ((const struct pb_figure_line *)b)->name);
}

static enum pb_status
give_lines(const struct month *month, char kind, struct pb_arena *arena,
           const struct pb_figure_line **ret_lines, uint32_t *ret_count)
{
    struct pb_figure_line *lines = pb_arena_alloc(arena, (LINES_MAX + 1) * sizeof(*lines));
    uint32_t count = 0;
    enum pb_status status = lines == NULL ? PB_E_NOMEM : PB_OK;

    for (uint32_t i = 0; i < month->line_count && status == PB_OK; i++) {
        const struct line *line = &month->lines[i];

        if (line->kind != kind)
            continue;
        lines[count].count = line->count;
        lines[count].reads = line->reads;
        status = pb_arena_copy(arena, pb_str_from(line->name), &lines[count++].name);
    }
    if (status != PB_OK)
        return status;
    qsort(lines, count, sizeof(*lines), compare_lines);
    *ret_lines = lines;
    *ret_count = count;
    return PB_OK;
}

static uint64_t
hide(uint64_t count)
{
    return count > 0 && count < PB_FIGURES_SMALL ? PB_FIGURE_HIDDEN : count;
}

/* What could point at a person is not told, nor what would give it away. */
static void
hide_small(struct pb_figures *figures)
{
    struct pb_figure_line *purposes = (struct pb_figure_line *)(uintptr_t)figures->purposes;
    struct pb_figure_line *shared = (struct pb_figure_line *)(uintptr_t)figures->shared;

    for (unsigned i = 0; i < PB_FIGURE_COUNT; i++) {
        if (i != PB_FIGURE_MISUSE && i != PB_FIGURE_REMOVED)
            figures->numbers[i] = hide(figures->numbers[i]);
    }
    for (uint32_t i = 0; i < figures->purpose_count; i++) {
        purposes[i].count = hide(purposes[i].count);
        if (purposes[i].count == PB_FIGURE_HIDDEN)
            figures->inquiries = PB_FIGURE_HIDDEN;
    }
    for (uint32_t i = 0; i < figures->shared_count; i++) {
        shared[i].count = hide(shared[i].count);
        shared[i].reads =
            shared[i].count == PB_FIGURE_HIDDEN ? PB_FIGURE_HIDDEN : hide(shared[i].reads);
    }
}

static void
give_received(struct counting *counting, struct pb_figures *figures)
{
    struct pb_received_day days[PB_FIGURES_DAYS_MAX];
    int64_t from_us = pb_time_month_start_us(figures->month);
    int64_t to_us = pb_time_month_start_us(figures->month + 1);
    uint64_t total = 0;

    figures->day_count = (uint32_t)((to_us - from_us) / PB_DAY_US);
    figures->is_received_known =
        pb_received_days(counting->site->received, figures->agency, (int32_t)(from_us / PB_DAY_US),
                         figures->day_count, days, &total);
    for (uint32_t i = 0; i < figures->day_count; i++) {
        figures->received[i] = days[i].reads;
        figures->is_received_in_part |= days[i].is_in_part;
    }
    figures->held = total > counting->removed ? total - counting->removed : 0;
}

static enum pb_status
give_partner(const struct pb_catalog_view *view, const struct pb_agreement *agreement,
             struct pb_arena *arena, struct pb_figure_partner *ret_partner)
{
    struct pb_str *purposes =
        pb_arena_alloc(arena, (agreement->purpose_count + 1u) * sizeof(*purposes));
    enum pb_status status = purposes == NULL ? PB_E_NOMEM : PB_OK;

    for (uint32_t i = 0; i < agreement->purpose_count && status == PB_OK; i++)
        status = pb_arena_copy(arena, agreement->purposes[i], &purposes[i]);
    if (status == PB_OK)
        status = pb_arena_copy(arena, view->agencies[agreement->asker].id, &ret_partner->agency);
    if (status == PB_OK)
        status = pb_arena_copy(arena, view->agencies[agreement->asker].name, &ret_partner->name);
    ret_partner->purposes = purposes;
    ret_partner->purpose_count = agreement->purpose_count;
    return status;
}

static enum pb_status
give_partners(const struct pb_facts *facts, uint32_t agency, int64_t now_us, struct pb_arena *arena,
              struct pb_figures *figures)
{
    const struct pb_catalog_view *view = facts->view;
    struct pb_figure_partner *partners =
        pb_arena_alloc(arena, (view->agreement_count + 1u) * sizeof(*partners));
    enum pb_status status = partners == NULL ? PB_E_NOMEM : PB_OK;

    for (uint32_t i = 0; i < view->agreement_count && status == PB_OK; i++) {
        const struct pb_agreement *agreement = &view->agreements[i];

        if (agreement->owner == agency && !agreement->is_revoked &&
            agreement->starts_at_us <= now_us && now_us < agreement->ends_at_us)
            status = give_partner(view, agreement, arena, &partners[figures->partner_count++]);
    }
    figures->partners = partners;
    return status;
}

static enum pb_status
give_retention(const struct pb_facts *facts, uint32_t agency, struct pb_arena *arena,
               struct pb_figures *figures)
{
    const struct pb_catalog_view *view = facts->view;
    struct pb_figure_retention *retention =
        pb_arena_alloc(arena, (view->origin_count + 1u) * sizeof(*retention));

    if (retention == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < view->origin_count; i++) {
        if (view->origins[i].agency != agency)
            continue;
        retention[figures->retention_count++] = (struct pb_figure_retention){
            .capture_state = view->origins[i].capture_state,
            .days = facts->retention_us[i] == PB_NEVER ? -1 : facts->retention_us[i] / PB_DAY_US,
        };
    }
    figures->retention = retention;
    for (uint32_t i = 0; i < view->reader_count; i++)
        figures->readers += view->readers[i].agency == agency && view->readers[i].is_active;
    return PB_OK;
}

static enum pb_status
give(struct counting *counting, const struct pb_facts *facts, uint32_t agency, int64_t now_us,
     struct pb_arena *arena, struct pb_figures *figures)
{
    const struct pb_agency *who = &facts->view->agencies[agency];
    enum pb_status status = pb_arena_copy(arena, who->id, &figures->agency);

    if (status == PB_OK)
        status = pb_arena_copy(arena, who->name, &figures->name);
    if (status == PB_OK)
        status = give_lines(counting->result, LINE_PURPOSE, arena, &figures->purposes,
                            &figures->purpose_count);
    if (status == PB_OK)
        status = give_lines(counting->result, LINE_SHARED, arena, &figures->shared,
                            &figures->shared_count);
    if (status == PB_OK)
        status = give_retention(facts, agency, arena, figures);
    if (status == PB_OK)
        status = give_partners(facts, agency, now_us, arena, figures);
    if (status != PB_OK)
        return status;
    memcpy(figures->numbers, counting->result->numbers, sizeof(figures->numbers));
    for (uint32_t i = 0; i < figures->purpose_count; i++)
        figures->inquiries += figures->purposes[i].count;
    give_received(counting, figures);
    if (figures->is_published)
        hide_small(figures);
    return PB_OK;
}

/* ---- who may ---- */

static enum pb_status
find_agency(const struct pb_facts *facts, struct pb_str id, uint32_t *ret_agency,
            struct pb_error *error)
{
    *ret_agency = pb_view_agency(facts->view, id);
    if (*ret_agency == PB_NO_INDEX || !facts->view->agencies[*ret_agency].publishes_figures)
        return pb_fail(error, PB_NOT_FOUND, "there is no agency of that name that publishes any");
    return PB_OK;
}

static enum pb_status
check_month(int32_t month, int64_t now_us, bool is_published, struct pb_error *error)
{
    int32_t this_month = pb_time_month(now_us);

    if (month < 0 || month > this_month)
        return pb_fail(error, PB_BAD_INPUT, "month: it is not there yet");
    /* From one day to the next the month that goes on would tell who asked when. */
    if (is_published && month == this_month)
        return pb_fail(error, PB_BAD_INPUT, "month: it is published when it is over");
    return PB_OK;
}

static enum pb_status
count_for(struct pb_site *site, const struct pb_facts *facts, uint32_t agency, int64_t now_us,
          struct pb_arena *arena, struct pb_figures *figures, struct pb_error *error)
{
    struct counting counting = { .site = site, .wanted = figures->month, .error = error };
    enum pb_status status = PB_E_NOMEM;

    pb_site_id_text(facts->view->agencies[agency].id, counting.log);
    counting.current = pb_calloc(site->env, 1, sizeof(*counting.current));
    counting.result = pb_calloc(site->env, 1, sizeof(*counting.result));
    if (counting.current == NULL || counting.result == NULL) {
        status = pb_fail(error, PB_E_NOMEM, "no memory for figures");
        goto out;
    }
    status = count_all(&counting);
    if (status == PB_OK) {
        status = give(&counting, facts, agency, now_us, arena, figures);
        if (status != PB_OK)
            (void)pb_fail(error, status, "no memory for figures");
    }

out:
    pb_free(site->env, counting.current);
    pb_free(site->env, counting.result);
    return status;
}

enum pb_status
pb_figures_count(struct pb_site *site, const struct pb_progress *progress, struct pb_error *error)
{
    int64_t now_us = pb_now_us(site->env);
    struct counting counting = {
        .site = site, .wanted = pb_time_month(now_us), .progress = progress, .error = error
    };
    struct pb_facts *facts = NULL;
    enum pb_status status = pb_site_facts(site, now_us, &facts, error);

    if (status != PB_OK)
        return status;
    counting.current = pb_calloc(site->env, 1, sizeof(*counting.current));
    counting.result = pb_calloc(site->env, 1, sizeof(*counting.result));
    if (counting.current == NULL || counting.result == NULL)
        status = pb_fail(error, PB_E_NOMEM, "no memory for figures");
    for (uint32_t i = 0; i < facts->view->agency_count && status == PB_OK; i++) {
        pb_site_id_text(facts->view->agencies[i].id, counting.log);
        status = count_all(&counting);
        if (status == PB_OK && counting.is_broken_off)
            status = PB_END;
    }
    pb_free(site->env, counting.current);
    pb_free(site->env, counting.result);
    pb_facts_drop(facts);
    return status;
}

/* An auditor's look: a leaf stands before anything is told. */
static enum pb_status
look(struct pb_site *site, struct pb_str person, struct pb_str agency, struct pb_arena *arena,
     struct pb_figures *figures, struct pb_error *error)
{
    struct pb_look look;
    enum pb_status status = pb_look_begin(&look, site, person, error);

    if (status == PB_OK && agency.bytes > 0 && !pb_str_equal(agency, pb_str_from(look.log)))
        status = pb_fail(error, PB_NOT_FOUND, "there is no agency of that name that is yours");
    if (status == PB_OK)
        status = check_month(figures->month, look.now_us, false, error);
    if (status == PB_OK)
        status = pb_look_record(&look, "figures", (struct pb_str){ 0 }, error);
    figures->is_over = figures->month < pb_time_month(look.now_us);
    if (status == PB_OK)
        status = count_for(site, look.facts, look.agency, look.now_us, arena, figures, error);
    pb_look_end(&look);
    return status;
}

enum pb_status
pb_figures_read(struct pb_site *site, struct pb_str person, struct pb_str agency, int32_t month,
                struct pb_arena *arena, struct pb_figures *ret_figures, struct pb_error *error)
{
    int64_t now_us = pb_now_us(site->env);
    struct pb_facts *facts = NULL;
    uint32_t index = PB_NO_INDEX;
    enum pb_status status;

    memset(ret_figures, 0, sizeof(*ret_figures));
    ret_figures->month = month;
    if (person.bytes > 0)
        return look(site, person, agency, arena, ret_figures, error);
    ret_figures->is_published = ret_figures->is_over = true;
    status = pb_site_facts(site, now_us, &facts, error);
    if (status == PB_OK)
        status = find_agency(facts, agency, &index, error);
    if (status == PB_OK)
        status = check_month(month, now_us, true, error);
    if (status == PB_OK)
        status = count_for(site, facts, index, now_us, arena, ret_figures, error);
    pb_facts_drop(facts);
    return status;
}
