/*
 * Text: comparing, UTF-8, hashing, and writing into bounded memory without printf.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_BASE_TEXT_H
#define PB_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <platebase/read.h>

/* ---- views ---- */

/* A view of a NUL-terminated text of less than 4 GiB. NULL gives the empty text. */
struct pb_str pb_str_from(const char *text);

static inline bool
pb_str_equal(struct pb_str a, struct pb_str b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.text, b.text, a.bytes) == 0);
}

/* Are two short texts of the same length equal? Without a call for those of up to 16 bytes. */
static inline bool
pb_short_texts_equal(const char *a, const char *b, uint32_t bytes)
{
    uint64_t a8[2], b8[2];
    uint32_t a4[2], b4[2];

    if (bytes >= 8 && bytes <= 16) {
        memcpy(&a8[0], a, 8);
        memcpy(&b8[0], b, 8);
        memcpy(&a8[1], a + bytes - 8, 8);
        memcpy(&b8[1], b + bytes - 8, 8);
        return ((a8[0] ^ b8[0]) | (a8[1] ^ b8[1])) == 0;
    }
    if (bytes >= 4 && bytes < 8) {
        memcpy(&a4[0], a, 4);
        memcpy(&b4[0], b, 4);
        memcpy(&a4[1], a + bytes - 4, 4);
        memcpy(&b4[1], b + bytes - 4, 4);
        return ((a4[0] ^ b4[0]) | (a4[1] ^ b4[1])) == 0;
    }
    return bytes == 0 || (a[0] == b[0] && memcmp(a, b, bytes) == 0);
}

/* By unsigned bytes, the shorter first where one begins the other: <0, 0 or >0. */
int pb_str_compare(struct pb_str a, struct pb_str b);

/* Without spaces and tabs at its ends. */
struct pb_str pb_str_trim(struct pb_str text);

/* XXH3, 64 bits, seed 0: the same on every machine, so it may be stored. */
uint64_t pb_hash_bytes(const void *bytes, size_t count);
/* The same with another seed: who does not know it cannot look for bytes whose hashes agree. */
uint64_t pb_hash_bytes_seeded(const void *bytes, size_t count, uint64_t seed);

/* ---- UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF) ---- */

bool pb_utf8_is_valid(const char *text, size_t bytes);

/* Decodes the first code point. Returns its length, 1 to 4, or 0 where text is empty or does
 * not begin with valid UTF-8; ret_code_point is set where the length is not 0. */
size_t pb_utf8_next(const char *text, size_t bytes, uint32_t *ret_code_point);

/* Encodes a code point (not a surrogate, at most U+10FFFF); returns its length, 1 to 4. */
size_t pb_utf8_encode(uint32_t code_point, char ret_text[4]);

/* Valid UTF-8 without control, direction and invisible characters, and without what is no
 * character: what people are shown must be all that is there, and in its order. */
bool pb_text_is_plain(struct pb_str text);

/* ---- writing ---- */

/*
 * A place to write into. What does not fit as a whole is not written and sets is_cut, which
 * stays set: write everything, then look once. Nothing puts a closing NUL.
 *
 *     struct pb_text_out out = pb_text_out(buffer, sizeof(buffer));
 *     pb_put_u64(&out, count);
 *     length = (size_t)(out.at - buffer);
 */
struct pb_text_out {
    char *at;    /* next byte to write */
    char *end;   /* first byte that is not ours */
    bool is_cut; /* something did not fit */
};

static inline struct pb_text_out
pb_text_out(char *bytes, size_t count)
{
    return (struct pb_text_out){ .at = bytes, .end = bytes + count, .is_cut = false };
}

static inline void
pb_put_char(struct pb_text_out *out, char character)
{
    if (out->at == out->end) {
        out->is_cut = true;
        return;
    }
    *out->at++ = character;
}

static inline void
pb_put_bytes(struct pb_text_out *out, const char *bytes, size_t count)
{
    if (count > (size_t)(out->end - out->at)) {
        out->is_cut = true;
        return;
    }
    if (count > 0) {
        memcpy(out->at, bytes, count);
        out->at += count;
    }
}

static inline void
pb_put_str(struct pb_text_out *out, struct pb_str text)
{
    pb_put_bytes(out, text.text, text.bytes);
}

/* A NUL-terminated text; meant for literals, whose length the compiler then knows. */
static inline void
pb_put_text(struct pb_text_out *out, const char *text)
{
    pb_put_bytes(out, text, strlen(text));
}

/* In double quotes, with a backslash before each quote and backslash: of text without control
 * characters a string of JSON and a scalar of YAML. */
void pb_put_quoted(struct pb_text_out *out, struct pb_str text);
void pb_put_u64(struct pb_text_out *out, uint64_t value);
void pb_put_i64(struct pb_text_out *out, int64_t value);

/* value / 10^decimals, decimals 0 to 18. Closing zeros go, but for decimals_min of them:
 * (-1234500, 7, 1) is "-0.12345", (30000000, 7, 1) is "3.0", (30000000, 7, 0) is "3". */
void pb_put_fixed(struct pb_text_out *out, int64_t value, unsigned decimals, unsigned decimals_min);

#endif
