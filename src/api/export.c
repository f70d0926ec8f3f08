/*
 * Export: a producer that walks the rows of an answer.
 *
 * Where the record stands, what was left out and by which rules is said in headers; JSON lines say
 * it again in their last line, so that it stays with the file.
 */
#include "api/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/answer_json.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "inquiry/row_text.h"
#include "net/http.h"

#define RULES_BYTES_MAX 1024u

struct export
{
    const struct pb_env *env; /* borrowed */
    struct pb_answer *answer; /* owned */
    enum pb_row_shape shape;
    bool is_csv;
    uint64_t next; /* row */
    char *tail;    /* owned: what follows the rows */
    size_t tail_bytes;
    char text[PB_ROW_TEXT_BYTES_MAX]; /* what waits to be sent */
    size_t text_bytes, text_at;
};

static void
free_export(void *context)
{
    struct export *export = context;

    pb_answer_free(export->answer);
    pb_free(export->env, export->tail);
    pb_free(export->env, export);
}

/* ---- rows, as they are sent ---- */

/* The next piece to send; false at the end. */
static bool
fill(struct export *export)
{
    const char *watermark = pb_answer_watermark(export->answer);
    const struct pb_row *row = pb_answer_row(export->answer, export->next);

    export->text_at = export->text_bytes = 0;
    if (row == NULL)
        return false;
    export->next++;
    if (export->is_csv) {
        export->text_bytes = pb_row_to_csv(row, export->shape, true, watermark, export->text);
        return true;
    }
    export->text_bytes = pb_row_to_json(row, export->shape, watermark, export->text);
    export->text[export->text_bytes++] = '\n';
    return true;
}

static size_t
move(char *bytes, size_t room, const char *from, size_t count)
{
    size_t moved = count < room ? count : room;

    if (moved > 0)
        memcpy(bytes, from, moved);
    return moved;
}

static enum pb_status
produce(void *context, char *bytes, size_t room, size_t *ret_bytes)
{
    struct export *export = context;
    size_t used = 0;

    while (used < room) {
        size_t moved = move(bytes + used, room - used, export->text + export->text_at,
                            export->text_bytes - export->text_at);

        used += moved;
        export->text_at += moved;
        if (export->text_at == export->text_bytes && !fill(export))
            break;
    }
    if (used<room &&export->tail_bytes> 0) {
        size_t moved = move(bytes + used, room - used, export->tail, export->tail_bytes);

        memmove(export->tail, export->tail + moved, export->tail_bytes - moved);
        export->tail_bytes -= moved;
        used += moved;
    }
    *ret_bytes = used;
    return used > 0 ? PB_OK : PB_END;
}

/* ---- headers ---- */

static void
put_header(struct pb_reply *reply, const char *name, const char *text)
{
    pb_reply_header(reply, name, pb_str_from(text));
}

/* Ids of the rules that left something out, as many as fit. */
static void
put_left_out(struct pb_reply *reply, const struct pb_decision *decision)
{
    char text[RULES_BYTES_MAX];
    struct pb_text_out out = pb_text_out(text, sizeof(text) - 1);

    for (uint32_t i = 0; i < decision->rule_count; i++) {
        struct pb_str id = decision->rules[i].id;

        if (decision->rules[i].origins_excluded == 0 || out.at + id.bytes + 2 > out.end)
            continue;
        pb_put_text(&out, out.at > text ? ", " : "");
        pb_put_str(&out, id);
    }
    *out.at = '\0';
    if (out.at > text)
        put_header(reply, "Platebase-Left-Out", text);
}

static void
put_headers(struct pb_reply *reply, const struct export *export)
{
    const struct pb_answer *answer = export->answer;
    const struct pb_receipt receipt = pb_answer_receipt(answer);
    char text[256];

    reply->content_type = export->is_csv ? "text/csv; charset=utf-8" : "application/x-ndjson";
    (void)snprintf(text, sizeof(text), "attachment; filename=\"platebase-%.32s.%s\"",
                   pb_answer_watermark(answer), export->is_csv ? "csv" : "ndjson");
    put_header(reply, "Content-Disposition", text);
    (void)snprintf(text, sizeof(text), "%s %" PRIu64 " %" PRIu64, receipt.log, receipt.query_index,
                   receipt.result_index);
    put_header(reply, "Platebase-Receipt", text);
    (void)snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 "%s", pb_answer_rows(answer),
                   pb_answer_count(answer), pb_answer_is_truncated(answer) ? ", truncated" : "");
    put_header(reply, "Platebase-Rows", text);
    put_header(reply, "Platebase-Watermark", pb_answer_watermark(answer));
    if (pb_answer_page(answer)[0] != '\0')
        put_header(reply, "Platebase-Page", pb_answer_page(answer));
    put_left_out(reply, pb_answer_decision(answer));
}

/* The last of the JSON lines: what is known beside the rows. */
static enum pb_status
make_tail(const struct pb_reply *reply, struct export *export)
{
    struct pb_reply text;
    enum pb_status status = PB_E_NOMEM;

    pb_reply_init(&text, export->env, reply->arena);
    pb_reply_put_text(&text, "{\"answer\":");
    pb_api_answer_put_head(&text, export->answer);
    pb_reply_put_text(&text, "}\n");
    if (!text.is_broken) {
        export->tail = text.body;
        export->tail_bytes = text.body_bytes;
        text.body = NULL;
        status = PB_OK;
    }
    pb_reply_done(&text);
    return status;
}

enum pb_status
pb_api_export_put(struct pb_reply *reply, const struct pb_inquiry *inquiry,
                  struct pb_answer *answer)
{
    const struct pb_env *env = reply->env;
    struct export *export = pb_alloc(env, sizeof(*export));
    enum pb_status status = PB_OK;

    if (export == NULL) {
        pb_answer_free(answer);
        return PB_E_NOMEM;
    }
    *export = (struct export){
        .env = env,
        .answer = answer,
        .shape = pb_row_shape_of(inquiry),
        .is_csv = pb_str_equal(inquiry->export_format, pb_str_from("csv")),
    };
    if (export->is_csv)
        export->text_bytes = pb_row_csv_header(export->shape, true, export->text);
    else
        status = make_tail(reply, export);
    if (status != PB_OK) {
        free_export(export);
        return status;
    }
    put_headers(reply, export);
    pb_reply_produce(reply, produce, free_export, export);
    return PB_OK;
}
