/*
 * Head: judging what a lenient parser has let through.
 */
#include "net/head.h"

#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/text.h"

#define LENGTH_DIGITS_MAX 18u

static bool
is_alphanumeric(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool
is_made_of(struct pb_str text, const char *marks)
{
    for (uint32_t i = 0; i < text.bytes; i++) {
        char byte = text.text[i];

        if (!is_alphanumeric(byte) && (byte == '\0' || strchr(marks, byte) == NULL))
            return false;
    }
    return text.bytes > 0;
}

static bool
is_token(struct pb_str text)
{
    return is_made_of(text, "!#$%&'*+-.^_`|~");
}

static bool
is_value(struct pb_str text)
{
    for (uint32_t i = 0; i < text.bytes; i++) {
        unsigned char byte = (unsigned char)text.text[i];

        if ((byte < 0x20 && byte != '\t') || byte == 0x7F)
            return false;
    }
    return true;
}

static bool
is_named(struct pb_str name, const char *wanted)
{
    return name.bytes == strlen(wanted) && strncasecmp(name.text, wanted, name.bytes) == 0;
}

static bool
parse_length(struct pb_str text, uint64_t *ret_length)
{
    uint64_t length = 0;

    if (text.bytes == 0 || text.bytes > LENGTH_DIGITS_MAX)
        return false;
    for (uint32_t i = 0; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(text.text[i] - '0');
    }
    *ret_length = length;
    return true;
}

/* How often what matters for framing was given, and the last of each. */
struct framing {
    unsigned hosts, lengths, codings;
    struct pb_str host, length, coding;
};

static unsigned
judge_fields(const struct pb_head *head, struct framing *framing, struct pb_head_facts *facts,
             const char **ret_reason)
{
    for (uint32_t i = 0; i < head->header_count; i++) {
        const struct pb_pair *header = &head->headers[i];

        *ret_reason = "a header's name or value has characters that it must not have";
        if (!is_token(header->name) || !is_value(header->value))
            return 400;
        if (is_named(header->name, "Host")) {
            framing->hosts++;
            framing->host = header->value;
        } else if (is_named(header->name, "Content-Length")) {
            framing->lengths++;
            framing->length = header->value;
        } else if (is_named(header->name, "Transfer-Encoding")) {
            framing->codings++;
            framing->coding = header->value;
        } else if (is_named(header->name, "Expect")) {
            *ret_reason = "only 100-continue can be expected";
            if (!is_named(header->value, "100-continue"))
                return 417;
            facts->expects_continue = true;
        }
    }
    return 0;
}

static unsigned
judge_framing(const struct framing *framing, bool is_1_1, struct pb_head_facts *facts,
              const char **ret_reason)
{
    *ret_reason = "there must be one Host header, with a host and perhaps a port";
    if (framing->hosts > 1 || (framing->hosts == 0 && is_1_1) ||
        (framing->hosts == 1 && !is_made_of(framing->host, "-._~!$&'()*+,;=:%[]")))
        return 400;
    *ret_reason = "the length of the body must be told once, in digits or by chunks";
    if (framing->lengths > 1 || framing->codings > 1 ||
        (framing->lengths == 1 && framing->codings == 1))
        return 400;
    if (framing->lengths == 1 && !parse_length(framing->length, &facts->content_bytes))
        return 400;
    *ret_reason = "the only transfer coding is chunked, and HTTP/1.0 has none";
    if (framing->codings == 1 && (!is_1_1 || !is_named(framing->coding, "chunked")))
        return 400;
    facts->has_length = framing->lengths == 1;
    facts->is_chunked = framing->codings == 1;
    return 0;
}

unsigned
pb_head_judge(const struct pb_head *head, struct pb_head_facts *ret_facts, const char **ret_reason)
{
    bool is_1_1 = pb_str_equal(head->version, pb_str_from("HTTP/1.1"));
    struct pb_head_facts facts = { 0 };
    struct framing framing = { 0 };
    unsigned refusal;

    *ret_reason = "this server speaks HTTP/1.1";
    if (!is_1_1 && !pb_str_equal(head->version, pb_str_from("HTTP/1.0")))
        return 505;
    *ret_reason = "the method is no token";
    if (!is_token(head->method))
        return 400;
    *ret_reason = "too many headers";
    if (head->header_count > PB_NET_HEADERS_MAX)
        return 431;
    refusal = judge_fields(head, &framing, &facts, ret_reason);
    if (refusal == 0)
        refusal = judge_framing(&framing, is_1_1, &facts, ret_reason);
    if (refusal == 0) {
        *ret_facts = facts;
        *ret_reason = NULL;
    }
    return refusal;
}

static const char *const method_names[PB_METHOD_COUNT] = {
    [PB_METHOD_GET] = "GET",     [PB_METHOD_POST] = "POST",     [PB_METHOD_PUT] = "PUT",
    [PB_METHOD_PATCH] = "PATCH", [PB_METHOD_DELETE] = "DELETE",
};

const char *
pb_method_name(enum pb_method method)
{
    return method_names[method];
}

enum pb_method
pb_head_method(struct pb_str method, bool *ret_is_head)
{
    *ret_is_head = pb_str_equal(method, pb_str_from("HEAD"));
    if (*ret_is_head)
        return PB_METHOD_GET;
    for (unsigned i = 0; i < PB_METHOD_COUNT; i++) {
        if (pb_str_equal(method, pb_str_from(method_names[i])))
            return (enum pb_method)i;
    }
    return PB_METHOD_COUNT;
}

bool
pb_head_is_type(struct pb_str content_type, const char *wanted)
{
    const char *end =
        content_type.bytes > 0 ? memchr(content_type.text, ';', content_type.bytes) : NULL;

    if (end != NULL)
        content_type.bytes = (uint32_t)(end - content_type.text);
    return is_named(pb_str_trim(content_type), wanted);
}

/* Two parts with `between` bytes between the end of one and the beginning of the next. */
static bool
follows(struct pb_str part, size_t between, const char *next)
{
    return part.text + part.bytes + between == next;
}

/* The white space between a colon and its value. */
static bool
is_space_only(const char *from, const char *to)
{
    for (; from < to; from++) {
        if (*from != ' ' && *from != '\t')
            return false;
    }
    return from == to;
}

bool
pb_head_is_canonical(const struct pb_head_layout *layout)
{
    struct pb_str line = layout->version; /* what stands last in the line before */

    if (!follows(layout->method, 1, layout->target.text) ||
        !follows(layout->target, 1, layout->version.text))
        return false;
    for (uint32_t i = 0; i < layout->field_count; i++) {
        const struct pb_pair *field = &layout->fields[i];
        const char *colon = field->name.text + field->name.bytes;

        if (!follows(line, 2, field->name.text) || field->value.text <= colon ||
            field->value.text > layout->end || !is_space_only(colon + 1, field->value.text))
            return false;
        line = field->value;
    }
    return follows(line, 4, layout->end);
}
