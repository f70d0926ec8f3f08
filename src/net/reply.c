/*
 * Replies: a growing body, a few headers, and problem documents.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "net/http.h"

#define BODY_BYTES_MIN 512u

void
pb_reply_init(struct pb_reply *reply, const struct pb_env *env, struct pb_arena *arena)
{
    *reply = (struct pb_reply){ .env = env, .arena = arena, .status = 200, .file = -1 };
}

void
pb_reply_done(struct pb_reply *reply)
{
    pb_free(reply->env, reply->body);
    reply->body = NULL;
    if (reply->file >= 0)
        (void)close(reply->file);
    reply->file = -1;
    if (reply->produce_free != NULL)
        reply->produce_free(reply->produce_context);
    reply->produce_free = NULL;
}

void
pb_reply_reset(struct pb_reply *reply)
{
    const struct pb_reply before = *reply;

    pb_reply_done(reply);
    pb_reply_init(reply, before.env, before.arena);
    reply->finish = before.finish;
}

static bool
is_header_value(struct pb_str value)
{
    for (uint32_t i = 0; i < value.bytes; i++) {
        unsigned char byte = (unsigned char)value.text[i];

        if ((byte < 0x20 && byte != '\t') || byte == 0x7F)
            return false;
    }
    return true;
}

/* The place for a header: that of an earlier one of its name, or the next. Each cookie is a header
 * of its own. */
static struct pb_pair *
header_place(struct pb_reply *reply, struct pb_str name)
{
    bool is_cookie = pb_str_equal(name, pb_str_from("Set-Cookie"));

    for (uint32_t i = 0; i < reply->header_count && !is_cookie; i++) {
        struct pb_pair *header = &reply->headers[i];

        if (header->name.bytes == name.bytes &&
            strncasecmp(header->name.text, name.text, name.bytes) == 0)
            return header;
    }
    if (reply->header_count == PB_REPLY_HEADERS_MAX)
        return NULL;
    return &reply->headers[reply->header_count++];
}

void
pb_reply_header(struct pb_reply *reply, const char *name, struct pb_str value)
{
    struct pb_pair *place = header_place(reply, pb_str_from(name));
    char *copy = pb_arena_alloc(reply->arena, (size_t)value.bytes + 1);

    assert(place != NULL); /* a handler that sets so many is our mistake */
    if (place == NULL || copy == NULL || !is_header_value(value)) {
        reply->is_broken = true;
        if (place != NULL)
            *place = (struct pb_pair){ pb_str_from(name), pb_str_from("") };
        return;
    }
    if (value.bytes > 0)
        memcpy(copy, value.text, value.bytes);
    copy[value.bytes] = '\0';
    *place = (struct pb_pair){ pb_str_from(name), { copy, value.bytes } };
}

static bool
make_room(struct pb_reply *reply, size_t count)
{
    size_t capacity = reply->body_capacity < BODY_BYTES_MIN ? BODY_BYTES_MIN : reply->body_capacity;
    char *body;

    if (count > SIZE_MAX / 4 - reply->body_bytes)
        return false;
    while (capacity < reply->body_bytes + count)
        capacity *= 2;
    if (capacity == reply->body_capacity)
        return true;
    body = pb_realloc(reply->env, reply->body, capacity);
    if (body == NULL)
        return false;
    reply->body = body;
    reply->body_capacity = capacity;
    return true;
}

void
pb_reply_put(struct pb_reply *reply, const void *bytes, size_t count)
{
    if (reply->is_broken || count == 0)
        return;
    if (!make_room(reply, count)) {
        reply->is_broken = true;
        return;
    }
    memcpy(reply->body + reply->body_bytes, bytes, count);
    reply->body_bytes += count;
}

void
pb_reply_put_text(struct pb_reply *reply, const char *text)
{
    pb_reply_put(reply, text, strlen(text));
}

void
pb_reply_put_number(struct pb_reply *reply, int64_t number)
{
    char text[24];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    pb_put_i64(&out, number);
    pb_reply_put(reply, text, (size_t)(out.at - text));
}

static void
put_json_byte(struct pb_reply *reply, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    char escaped[6] = { '\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15] };

    if (byte == '"' || byte == '\\') {
        escaped[1] = (char)byte;
        pb_reply_put(reply, escaped, 2);
    } else {
        pb_reply_put(reply, escaped, sizeof(escaped));
    }
}

/* Bytes at the beginning of text that may stand in a JSON string as they are. */
static size_t
plain_bytes(const char *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        unsigned char byte = (unsigned char)text[at];
        uint32_t code_point;
        size_t step = 1;

        /* "<" is written as an escape, so that no document can be taken for HTML. */
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == '<' || byte == 0x7F)
            break;
        if (byte >= 0x80)
            step = pb_utf8_next(text + at, bytes - at, &code_point);
        if (step == 0)
            break;
        at += step;
    }
    return at;
}

void
pb_reply_put_json(struct pb_reply *reply, struct pb_str text)
{
    size_t at = 0;

    pb_reply_put(reply, "\"", 1);
    while (at < text.bytes) {
        size_t plain = plain_bytes(text.text + at, text.bytes - at);

        pb_reply_put(reply, text.text + at, plain);
        at += plain;
        if (at == text.bytes)
            break;
        if ((unsigned char)text.text[at] < 0x80)
            put_json_byte(reply, (unsigned char)text.text[at]);
        else
            pb_reply_put_text(reply, "\xEF\xBF\xBD");
        at++;
    }
    pb_reply_put(reply, "\"", 1);
}

void
pb_reply_file(struct pb_reply *reply, int file, uint64_t bytes)
{
    assert(reply->file < 0 && file >= 0);
    reply->file = file;
    reply->file_bytes = bytes;
}

void
pb_reply_produce(struct pb_reply *reply, pb_producer_fn *produce, void (*context_free)(void *),
                 void *context)
{
    assert(reply->produce == NULL);
    reply->produce = produce;
    reply->produce_free = context_free;
    reply->produce_context = context;
}

const char *
pb_http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 422, "Unprocessable Content" },
        { 428, "Precondition Required" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" },
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

void
pb_reply_problem(struct pb_reply *reply, const struct pb_request *request,
                 const struct pb_problem *problem)
{
    bool is_closing = reply->is_closing;

    pb_reply_reset(reply);
    reply->is_closing = is_closing;
    reply->status = problem->status;
    reply->content_type = "application/problem+json";
    pb_reply_put_text(reply, "{\"type\":\"about:blank\",\"title\":");
    pb_reply_put_json(reply, pb_str_from(pb_http_reason(problem->status)));
    pb_reply_put_text(reply, ",\"status\":");
    pb_reply_put_number(reply, problem->status);
    if (problem->detail != NULL) {
        pb_reply_put_text(reply, ",\"detail\":");
        pb_reply_put_json(reply, pb_str_from(problem->detail));
    }
    if (problem->field != NULL) {
        pb_reply_put_text(reply, ",\"field\":");
        pb_reply_put_json(reply, pb_str_from(problem->field));
    }
    pb_reply_put_text(reply, ",\"request_id\":");
    pb_reply_put_json(reply, pb_str_from(request->id.text));
    pb_reply_put_text(reply, "}\n");
    if (problem->retry_after_s > 0) {
        char text[24];
        struct pb_text_out out = pb_text_out(text, sizeof(text));

        pb_put_u64(&out, problem->retry_after_s);
        pb_reply_header(reply, "Retry-After", (struct pb_str){ text, (uint32_t)(out.at - text) });
    }
}
