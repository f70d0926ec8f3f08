/*
 * Head: is the first part of a request one that every server reads in the same way?
 *
 * The library that reads requests is lenient; what it lets through is judged here again, before
 * anything acts on it. Refused are, among others: header names that are no tokens (so also a
 * space before the colon), control characters, no Host or two, a length that is not plain digits,
 * two lengths, a length beside Transfer-Encoding, any transfer coding but "chunked".
 *
 * Threads: everything here is pure.
 * Source:  RFC 9112 sections 3.2, 5, 6; RFC 9110 sections 5, 7.2, 8.6.
 */
#ifndef PB_NET_HEAD_H
#define PB_NET_HEAD_H

#include "net/http.h"

struct pb_head {
    struct pb_str method, version; /* version: "HTTP/1.1" */
    const struct pb_pair *headers; /* values without white space around them */
    uint32_t header_count;
};

struct pb_head_facts {
    uint64_t content_bytes; /* 0 where is_chunked */
    bool has_length;        /* Content-Length was given */
    bool is_chunked;
    bool expects_continue; /* the client waits for our word before it sends the body */
};

/* 0 and ret_facts, or the status to refuse with (400, 417, 431, 505) and a static reason. */
unsigned pb_head_judge(const struct pb_head *head, struct pb_head_facts *ret_facts,
                       const char **ret_reason);

/* The method, or PB_METHOD_COUNT where it is none of ours; HEAD is GET and sets ret_is_head. */
enum pb_method pb_head_method(struct pb_str method, bool *ret_is_head);
const char *pb_method_name(enum pb_method method);

/* One media type without its parameters equals wanted, without case: "application/json;
 * charset=utf-8" is application/json. */
bool pb_head_is_type(struct pb_str content_type, const char *wanted);

/*
 * How a head that has been cut into its parts in place lay in memory. Where each part begins just
 * behind the one before, there was nothing else between them: no second space, no bare line
 * feed, no folded line, no NUL that cut a value short.
 *
 * fields  name and value as the library gave them, the value's leading white space not counted
 * end     first byte behind the empty line
 */
struct pb_head_layout {
    struct pb_str method, target, version;
    const struct pb_pair *fields;
    uint32_t field_count;
    const char *end;
};
bool pb_head_is_canonical(const struct pb_head_layout *layout);

#endif
