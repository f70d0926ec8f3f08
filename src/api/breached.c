/*
 * Breached passwords: one line at a time, by positioned reads.
 *
 * The file may be larger than memory and come from anywhere, so no line is believed before it was
 * read as one, and what lies between two lines must come between them. Whether all of them are in
 * order no question can see: that is what pb_breached_check is for.
 */
#include "api/breached.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <string.h>

#include "base/env.h"

#define SHA1_BYTES 20u
#define DIGITS (2u * SHA1_BYTES)
#define COUNT_DIGITS_MAX 19u
#define LINE_BYTES_MAX 64u /* digits, colon, count, CR, LF */
#define STRETCHES 64u
#define STRETCH_BYTES (UINT64_C(16) << 10)

struct list {
    const struct pb_env *env;
    const char *path;
    struct pb_file *file; /* owned */
    uint64_t bytes;
};

struct line {
    uint64_t begin, end; /* end: behind its line feed, or the file's end */
    uint8_t sha1[SHA1_BYTES];
};

static enum pb_status
open_list(struct list *list, const struct pb_env *env, const char *path, struct pb_error *error)
{
    enum pb_status status;

    *list = (struct list){ .env = env, .path = path };
    status = env->files->open(env->file_context, path, PB_OPEN_READ, &list->file, error);
    if (status != PB_OK)
        return status;
    return env->files->size(env->file_context, list->file, &list->bytes, error);
}

static void
close_list(struct list *list)
{
    list->env->files->close(list->env->file_context, list->file);
}

static enum pb_status
refuse(const struct list *list, uint64_t at, const char *what, struct pb_error *error)
{
    return pb_fail(error, PB_E_CORRUPT, "%s: byte %llu: %s", list->path, (unsigned long long)at,
                   what);
}

/* ---- a line ---- */

static int
digit_of(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    return -1;
}

/* "<40 hexadecimal digits>:<count>"; false: it is none. */
static bool
parse(struct pb_str text, uint8_t ret_sha1[SHA1_BYTES])
{
    if (text.bytes < DIGITS + 2 || text.bytes > DIGITS + 1 + COUNT_DIGITS_MAX ||
        text.text[DIGITS] != ':')
        return false;
    for (uint32_t i = 0; i < SHA1_BYTES; i++) {
        int high = digit_of(text.text[2 * i]), low = digit_of(text.text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret_sha1[i] = (uint8_t)(high << 4 | low);
    }
    for (uint32_t i = DIGITS + 1; i < text.bytes; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
    }
    return true;
}

/* The line that holds the byte at `at`; [low, high) are whole lines around it. */
static enum pb_status
read_line(const struct list *list, uint64_t low, uint64_t high, uint64_t at, struct line *ret_line,
          struct pb_error *error)
{
    const struct pb_env *env = list->env;
    uint64_t from = at - low > LINE_BYTES_MAX ? at - LINE_BYTES_MAX : low;
    uint64_t to = high - at > LINE_BYTES_MAX ? at + LINE_BYTES_MAX : high;
    size_t bytes = (size_t)(to - from), begin = (size_t)(at - from), end = begin;
    char room[2 * LINE_BYTES_MAX];
    enum pb_status status =
        env->files->read(env->file_context, list->file, from, room, bytes, error);

    if (status != PB_OK)
        return status;
    while (begin > 0 && room[begin - 1] != '\n')
        begin--;
    while (end < bytes && room[end] != '\n')
        end++;
    ret_line->begin = from + begin;
    ret_line->end = from + end + (end < bytes);
    if ((begin == 0 && from != low) || (end == bytes && to != high))
        return refuse(list, at, "a line of a SHA-1, a colon and a count is wanted", error);
    if (end > begin && room[end - 1] == '\r')
        end--;
    if (!parse((struct pb_str){ room + begin, (uint32_t)(end - begin) }, ret_line->sha1))
        return refuse(list, ret_line->begin, "a line of a SHA-1, a colon and a count is wanted",
                      error);
    return PB_OK;
}

static bool
is_before(const uint8_t *sha1, const uint8_t *other)
{
    return memcmp(sha1, other, SHA1_BYTES) < 0;
}

/* ---- is it a list? ---- */

/* All lines that begin in [from, to) ascend, from sha1 on, which becomes the last. */
static enum pb_status
check_stretch(const struct list *list, uint64_t from, uint64_t to, uint8_t sha1[SHA1_BYTES],
              bool *is_first, struct pb_error *error)
{
    enum pb_status status = PB_OK;
    struct line line = { .end = 0 };

    if (from > 0)
        status = read_line(list, 0, list->bytes, from - 1, &line, error);
    while (status == PB_OK && line.end < to) {
        status = read_line(list, line.end, list->bytes, line.end, &line, error);
        if (status == PB_OK && !*is_first && !is_before(sha1, line.sha1))
            return refuse(list, line.begin, "the lines are not in the order of their SHA-1", error);
        memcpy(sha1, line.sha1, SHA1_BYTES);
        *is_first = false;
    }
    return status;
}

static enum pb_status
check_list(const struct list *list, struct pb_error *error)
{
    uint64_t bytes = list->bytes;
    uint8_t sha1[SHA1_BYTES] = { 0 };
    bool is_first = true;
    enum pb_status status = PB_OK;

    if (bytes == 0)
        return refuse(list, 0, "it is empty", error);
    if (bytes <= STRETCHES * STRETCH_BYTES)
        return check_stretch(list, 0, bytes, sha1, &is_first, error);
    for (unsigned i = 0; i < STRETCHES && status == PB_OK; i++) {
        uint64_t from = (bytes - STRETCH_BYTES) / (STRETCHES - 1) * i;

        if (i == STRETCHES - 1)
            from = bytes - STRETCH_BYTES;
        status = check_stretch(list, from, from + STRETCH_BYTES, sha1, &is_first, error);
    }
    return status;
}

enum pb_status
pb_breached_check(const struct pb_env *env, const char *path, struct pb_error *error)
{
    struct list list;
    enum pb_status status = open_list(&list, env, path, error);

    if (status == PB_OK)
        status = check_list(&list, error);
    close_list(&list);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_BAD_INPUT, "%s: there is no such file", path);
    return status == PB_E_CORRUPT ? PB_BAD_INPUT : status;
}

/* ---- is a password in it? ---- */

static enum pb_status
find(const struct list *list, const uint8_t sha1[SHA1_BYTES], struct pb_error *error)
{
    struct line below = { .end = 0 }, above = { .begin = list->bytes }, line;

    /* Whichever side goes on holds no more than half of the bytes. */
    while (below.end < above.begin) {
        uint64_t low = below.end, high = above.begin;
        enum pb_status status = read_line(list, low, high, low + (high - low) / 2, &line, error);

        if (status != PB_OK)
            return status;
        if ((low > 0 && !is_before(below.sha1, line.sha1)) ||
            (high < list->bytes && !is_before(line.sha1, above.sha1)))
            return refuse(list, line.begin, "the lines are not in the order of their SHA-1", error);
        if (memcmp(line.sha1, sha1, SHA1_BYTES) == 0)
            return PB_OK;
        if (is_before(line.sha1, sha1))
            below = line;
        else
            above = line;
    }
    return PB_NOT_FOUND;
}

enum pb_status
pb_breached_find(const struct pb_env *env, const char *path, struct pb_str password,
                 struct pb_error *error)
{
    uint8_t sha1[SHA1_BYTES];
    struct list list;
    enum pb_status status = open_list(&list, env, path, error);

    if (status == PB_NOT_FOUND)
        status = pb_fail(error, PB_E_IO, "%s: there is no such file", path);
    if (status == PB_OK &&
        gnutls_hash_fast(GNUTLS_DIG_SHA1, password.text, password.bytes, sha1) != 0)
        status = pb_fail(error, PB_E_IO, "GnuTLS computes no SHA-1");
    if (status == PB_OK)
        status = find(&list, sha1, error);
    sodium_memzero(sha1, sizeof(sha1));
    close_list(&list);
    return status;
}
