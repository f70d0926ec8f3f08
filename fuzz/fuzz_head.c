/*
 * Fuzz: a head as the library hands it over, cut at line feeds and first colons.
 *
 * What is not refused has one framing that no other reader could see differently.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "base/text.h"
#include "net/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_true)
{
    if (!is_true)
        abort();
}

static struct pb_str
cut(struct pb_str *rest, char separator)
{
    const char *end = rest->bytes > 0 ? memchr(rest->text, separator, rest->bytes) : NULL;
    struct pb_str piece = { rest->text, end != NULL ? (uint32_t)(end - rest->text) : rest->bytes };
    uint32_t taken = piece.bytes + (end != NULL);

    *rest = (struct pb_str){ rest->text + taken, rest->bytes - taken };
    return piece;
}

static unsigned
count_of(const struct pb_head *head, const char *name)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < head->header_count; i++) {
        struct pb_str given = head->headers[i].name;

        count += given.bytes == strlen(name) && strncasecmp(given.text, name, given.bytes) == 0;
    }
    return count;
}

static void
check(const struct pb_head *head, const struct pb_head_facts *facts)
{
    unsigned lengths = count_of(head, "content-length");
    unsigned codings = count_of(head, "transfer-encoding");
    bool is_1_1 = pb_str_equal(head->version, pb_str_from("HTTP/1.1"));

    require(lengths + codings <= 1);
    require(facts->has_length == (lengths == 1) && facts->is_chunked == (codings == 1));
    require(count_of(head, "host") == 1 || (!is_1_1 && count_of(head, "host") == 0));
    require(!facts->is_chunked || (is_1_1 && facts->content_bytes == 0));
    require(facts->has_length || facts->content_bytes == 0);
    require(head->header_count <= PB_NET_HEADERS_MAX);
    for (uint32_t i = 0; i < head->header_count; i++) {
        const struct pb_pair *header = &head->headers[i];

        require(header->name.bytes > 0 &&
                memchr(header->name.text, ' ', header->name.bytes) == NULL);
        for (uint32_t at = 0; at < header->value.bytes; at++)
            require(strchr("\r\n", header->value.text[at]) == NULL);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pb_pair headers[PB_NET_HEADERS_MAX + 1];
    struct pb_str rest = { (const char *)data, (uint32_t)size };
    struct pb_str line = cut(&rest, '\n');
    struct pb_head head = { .headers = headers };
    struct pb_head_facts facts = { 0 };
    const char *reason = NULL;
    bool is_head;

    head.method = cut(&line, ' ');
    head.version = line;
    while (rest.bytes > 0 && head.header_count <= PB_NET_HEADERS_MAX) {
        struct pb_pair *header = &headers[head.header_count++];

        line = cut(&rest, '\n');
        header->name = cut(&line, ':');
        header->value = pb_str_trim(line);
    }
    if (pb_head_judge(&head, &facts, &reason) == 0) {
        require(reason == NULL);
        check(&head, &facts);
    } else {
        require(reason != NULL);
    }
    (void)pb_head_method(head.method, &is_head);
    (void)pb_head_is_type(head.version, "application/json");
    return 0;
}
