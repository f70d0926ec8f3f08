/*
 * Log: one line of JSON an event, into which no text from a request can come.
 *
 * Words are literals of the program (PB_WORD takes nothing else), everything else is a number, a
 * moment, a request id, an address or a status. So no plate, token or name can be logged, by
 * mistake or on purpose: there is no way to hand one over.
 *
 *     struct pb_log_line line;
 *
 *     pb_log_begin(&line, log, PB_LOG_INFO, PB_WORD("request"));
 *     pb_log_number(&line, PB_WORD("status"), 200);
 *     pb_log_end(&line);
 *
 * Threads: any; a line belongs to one thread, and is handed to the sink as a whole.
 */
#ifndef PB_NET_LOG_H
#define PB_NET_LOG_H

#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#include "base/text.h"
#include "net/http.h"

/* A literal of the program. The empty text beside it lets the compiler refuse all else. */
struct pb_word {
    const char *text;
};
#define PB_WORD(literal) ((struct pb_word){ "" literal "" })

enum pb_log_level { PB_LOG_ERROR, PB_LOG_WARNING, PB_LOG_INFO };

/* Takes one whole line with its line feed; must not block for long, and may drop. */
typedef void pb_log_sink_fn(void *context, const char *line, size_t bytes);

struct pb_log {
    const struct pb_env *env; /* borrowed: the clock */
    pb_log_sink_fn *sink;     /* NULL: nothing is logged */
    void *sink_context;       /* borrowed */
    enum pb_log_level level;  /* the least important that is logged */
};

#define PB_LOG_LINE_BYTES_MAX 1024u

struct pb_log_line {
    const struct pb_log *log; /* borrowed; NULL: this line is not logged */
    struct pb_text_out out;
    char text[PB_LOG_LINE_BYTES_MAX];
};

/* log NULL is fine: nothing is logged. */
void pb_log_begin(struct pb_log_line *line, const struct pb_log *log, enum pb_log_level level,
                  struct pb_word event);
void pb_log_word(struct pb_log_line *line, struct pb_word key, struct pb_word value);
void pb_log_number(struct pb_log_line *line, struct pb_word key, int64_t value);
void pb_log_status(struct pb_log_line *line, struct pb_word key, enum pb_status status);
void pb_log_request_id(struct pb_log_line *line, const struct pb_request_id *id);
void pb_log_peer(struct pb_log_line *line, const struct pb_peer *peer);
/* The name of the program's own route, not the path that was asked for; NULL: "none". */
void pb_log_route(struct pb_log_line *line, const struct pb_route *route);
void pb_log_end(struct pb_log_line *line);

#endif
