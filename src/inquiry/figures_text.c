/*
 * Figures as JSON. Texts are plain (no control characters), so only quotes and backslashes are
 * escaped.
 */
#include <assert.h>

#include <platebase/plate.h>

#include "inquiry/figures.h"
#include "inquiry/inquiry_private.h"

static void
put_text(struct pb_text_out *out, const char *key, struct pb_str text)
{
    pb_put_text(out, key);
    pb_put_quoted(out, text);
}

static void
put_count(struct pb_text_out *out, const char *key, uint64_t count)
{
    pb_put_text(out, key);
    if (count == PB_FIGURE_HIDDEN)
        pb_put_text(out, "null");
    else
        pb_put_u64(out, count);
}

static void
put_numbers(struct pb_text_out *out, const struct pb_figures *figures, enum pb_figure first,
            enum pb_figure last)
{
    for (unsigned i = first; i <= last; i++) {
        pb_put_text(out, ",\"");
        pb_put_text(out, pb_figure_name(i));
        put_count(out, "\":", figures->numbers[i]);
    }
}

static void
put_month(struct pb_text_out *out, const struct pb_figures *figures)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(pb_time_month_start_us(figures->month), 0, text);
    put_text(out, ",\"month\":", (struct pb_str){ text, 7 });
    pb_put_text(out, figures->is_over ? ",\"over\":true" : ",\"over\":false");
    if (figures->is_published)
        put_count(out, ",\"hidden_below\":", PB_FIGURES_SMALL);
}

static void
put_reads(struct pb_text_out *out, const struct pb_figures *figures)
{
    uint64_t received = 0;

    put_count(out, ",\"reads\":{\"removed\":", figures->numbers[PB_FIGURE_REMOVED]);
    if (figures->is_received_known) {
        for (uint32_t i = 0; i < figures->day_count; i++)
            received += figures->received[i];
        put_count(out, ",\"held_now\":", figures->held);
        put_count(out, ",\"received\":", received);
        pb_put_text(out, figures->is_received_in_part ? ",\"received_in_part\":true"
                                                      : ",\"received_in_part\":false");
        pb_put_text(out, ",\"received_by_day\":[");
        for (uint32_t i = 0; i < figures->day_count; i++)
            put_count(out, i > 0 ? "," : "", figures->received[i]);
        pb_put_char(out, ']');
    }
    put_count(out, ",\"readers\":", figures->readers);
    pb_put_text(out, ",\"kept_for\":[");
    for (uint32_t i = 0; i < figures->retention_count; i++) {
        const struct pb_figure_retention *one = &figures->retention[i];

        put_text(out, i > 0 ? ",{\"capture_state\":" : "{\"capture_state\":",
                 pb_str_from(pb_jurisdiction_name(one->capture_state)));
        put_count(out, ",\"days\":", one->days < 0 ? PB_FIGURE_HIDDEN : (uint64_t)one->days);
        pb_put_char(out, '}');
    }
    pb_put_text(out, "]}");
}

static void
put_inquiries(struct pb_text_out *out, const struct pb_figures *figures)
{
    put_count(out, ",\"inquiries\":{\"allowed\":", figures->inquiries);
    pb_put_text(out, ",\"by_purpose\":[");
    for (uint32_t i = 0; i < figures->purpose_count; i++) {
        put_text(out, i > 0 ? ",{\"purpose\":" : "{\"purpose\":", figures->purposes[i].name);
        put_count(out, ",\"count\":", figures->purposes[i].count);
        pb_put_char(out, '}');
    }
    pb_put_char(out, ']');
    put_numbers(out, figures, PB_FIGURE_DENIED, PB_FIGURE_CORRECTIONS);
    pb_put_char(out, '}');
}

static void
put_partner(struct pb_text_out *out, const struct pb_figure_partner *partner)
{
    put_text(out, "{\"agency\":", partner->agency);
    put_text(out, ",\"name\":", partner->name);
    pb_put_text(out, ",\"purposes\":[");
    for (uint32_t i = 0; i < partner->purpose_count; i++)
        put_text(out, i > 0 ? "," : "", partner->purposes[i]);
    pb_put_text(out, "]}");
}

static void
put_sharing(struct pb_text_out *out, const struct pb_figures *figures)
{
    pb_put_text(out, ",\"partners_now\":[");
    for (uint32_t i = 0; i < figures->partner_count; i++) {
        pb_put_text(out, i > 0 ? "," : "");
        put_partner(out, &figures->partners[i]);
    }
    pb_put_text(out, "],\"given_to\":[");
    for (uint32_t i = 0; i < figures->shared_count; i++) {
        put_text(out, i > 0 ? ",{\"agency\":" : "{\"agency\":", figures->shared[i].name);
        put_count(out, ",\"answers\":", figures->shared[i].count);
        put_count(out, ",\"reads\":", figures->shared[i].reads);
        pb_put_char(out, '}');
    }
    pb_put_text(out, "]");
}

/* As much as there can be. */
static size_t
room_for(const struct pb_figures *figures)
{
    size_t bytes = 4096 + 2 * (figures->agency.bytes + figures->name.bytes);

    bytes += (figures->purpose_count + figures->shared_count + figures->retention_count) * 256u;
    for (uint32_t i = 0; i < figures->partner_count; i++) {
        bytes += 256 + 2 * figures->partners[i].name.bytes;
        for (uint32_t j = 0; j < figures->partners[i].purpose_count; j++)
            bytes += 8 + 2 * figures->partners[i].purposes[j].bytes;
    }
    return bytes;
}

enum pb_status
pb_figures_to_json(const struct pb_figures *figures, struct pb_arena *arena,
                   struct pb_str *ret_text)
{
    size_t room = room_for(figures);
    char *text = pb_arena_alloc(arena, room);
    struct pb_text_out out;

    if (text == NULL)
        return PB_E_NOMEM;
    out = pb_text_out(text, room);
    put_text(&out, "{\"agency\":", figures->agency);
    put_text(&out, ",\"name\":", figures->name);
    put_month(&out, figures);
    put_reads(&out, figures);
    put_inquiries(&out, figures);
    put_sharing(&out, figures);
    pb_put_text(&out, ",\"reviews\":{\"closed\":");
    put_count(&out, "", figures->numbers[PB_FIGURE_REVIEWED]);
    put_count(&out, ",\"misuse\":", figures->numbers[PB_FIGURE_MISUSE]);
    pb_put_text(&out, "}}");
    assert(!out.is_cut);
    *ret_text = (struct pb_str){ text, (uint32_t)(out.at - text) };
    return PB_OK;
}
