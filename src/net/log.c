/*
 * Log: lines of JSON, made in place.
 */
#include "net/log.h"

#include <assert.h>

#include "base/env.h"
#include "base/time.h"

static void
put_key(struct pb_log_line *line, struct pb_word key)
{
    pb_put_text(&line->out, ",\"");
    pb_put_text(&line->out, key.text);
    pb_put_text(&line->out, "\":");
}

/* Our own words hold nothing that JSON would escape. */
static void
put_quoted(struct pb_log_line *line, const char *text)
{
    pb_put_char(&line->out, '"');
    pb_put_text(&line->out, text);
    pb_put_char(&line->out, '"');
}

void
pb_log_begin(struct pb_log_line *line, const struct pb_log *log, enum pb_log_level level,
             struct pb_word event)
{
    static const char *const levels[] = { "error", "warning", "info" };
    char time[PB_TIME_BYTES_MAX];

    line->log = log != NULL && log->sink != NULL && level <= log->level ? log : NULL;
    /* The last two bytes are kept for the end of the line. */
    line->out = pb_text_out(line->text, sizeof(line->text) - 2);
    if (line->log == NULL)
        return;
    (void)pb_time_format(pb_now_us(log->env), PB_NO_UTC_OFFSET, time);
    pb_put_text(&line->out, "{\"time\":");
    put_quoted(line, time);
    pb_log_word(line, PB_WORD("level"), (struct pb_word){ levels[level] });
    pb_log_word(line, PB_WORD("event"), event);
}

void
pb_log_word(struct pb_log_line *line, struct pb_word key, struct pb_word value)
{
    if (line->log == NULL)
        return;
    put_key(line, key);
    put_quoted(line, value.text);
}

void
pb_log_number(struct pb_log_line *line, struct pb_word key, int64_t value)
{
    if (line->log == NULL)
        return;
    put_key(line, key);
    pb_put_i64(&line->out, value);
}

void
pb_log_status(struct pb_log_line *line, struct pb_word key, enum pb_status status)
{
    pb_log_word(line, key, (struct pb_word){ pb_status_name(status) });
}

void
pb_log_request_id(struct pb_log_line *line, const struct pb_request_id *id)
{
    pb_log_word(line, PB_WORD("request_id"), (struct pb_word){ id->text });
}

void
pb_log_peer(struct pb_log_line *line, const struct pb_peer *peer)
{
    char text[PB_PEER_TEXT_BYTES];

    if (line->log == NULL)
        return;
    pb_peer_text(peer, text);
    pb_log_word(line, PB_WORD("peer"), (struct pb_word){ text });
}

void
pb_log_route(struct pb_log_line *line, const struct pb_route *route)
{
    pb_log_word(line, PB_WORD("route"), (struct pb_word){ route != NULL ? route->name : "none" });
}

void
pb_log_end(struct pb_log_line *line)
{
    if (line->log == NULL)
        return;
    assert(!line->out.is_cut); /* a line of so many fields is our mistake */
    line->out.end += 2;
    pb_put_text(&line->out, "}\n");
    line->log->sink(line->log->sink_context, line->text, (size_t)(line->out.at - line->text));
    line->log = NULL;
}
