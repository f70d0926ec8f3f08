/*
 * Stretches: read side by side, cut in turn.
 */
#include "cli/stretch.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"
#include "base/text.h"

/* A stretch is read behind so much room that what is left of the one before, mostly a part of one
 * record, fits in front without moving anything. */
#define ROOM_BYTES ((size_t)8 << 10)

/* ---- buffers ---- */

enum pb_status
pb_cli_buffer_reserve(const struct pb_env *env, struct pb_cli_buffer *buffer, size_t bytes,
                      struct pb_error *error)
{
    uint8_t *larger;

    if (bytes <= buffer->capacity)
        return PB_OK;
    larger = pb_realloc(env, buffer->bytes, bytes);
    if (larger == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for %zu bytes of input", bytes);
    *buffer = (struct pb_cli_buffer){ .bytes = larger, .capacity = bytes };
    return PB_OK;
}

void
pb_cli_buffer_done(const struct pb_env *env, struct pb_cli_buffer *buffer)
{
    pb_free(env, buffer->bytes);
    *buffer = (struct pb_cli_buffer){ .bytes = NULL };
}

uint64_t
pb_cli_count_lines(const uint8_t *bytes, size_t count)
{
    const uint8_t *end = bytes + count;
    uint64_t lines = 0;

    for (; bytes < end; bytes++) {
        bytes = memchr(bytes, '\n', (size_t)(end - bytes));
        if (bytes == NULL)
            break;
        lines++;
    }
    return lines;
}

/* ---- what stretches share ---- */

void
pb_cli_stretches_init(struct pb_cli_stretches *stretches, const struct pb_env *env)
{
    *stretches = (struct pb_cli_stretches){
        .env = env,
        .descriptor = -1,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .moved = PTHREAD_COND_INITIALIZER,
    };
}

enum pb_status
pb_cli_stretches_begin(struct pb_cli_stretches *stretches, int descriptor, const uint8_t *rest,
                       size_t rest_bytes, uint64_t line, struct pb_error *error)
{
    enum pb_status status =
        pb_cli_buffer_reserve(stretches->env, &stretches->rest, rest_bytes, error);

    if (status != PB_OK)
        return status;
    if (rest_bytes > 0)
        memcpy(stretches->rest.bytes, rest, rest_bytes);
    stretches->rest_bytes = rest_bytes;
    stretches->line = line;
    stretches->descriptor = descriptor;
    return PB_OK;
}

void
pb_cli_stretches_done(struct pb_cli_stretches *stretches)
{
    if (stretches->descriptor >= 0)
        (void)close(stretches->descriptor);
    stretches->descriptor = -1;
    pb_cli_buffer_done(stretches->env, &stretches->rest);
    (void)pthread_cond_destroy(&stretches->moved);
    (void)pthread_mutex_destroy(&stretches->lock);
}

bool
pb_cli_stretches_is_over(struct pb_cli_stretches *stretches)
{
    bool is_over;

    (void)pthread_mutex_lock(&stretches->lock);
    is_over = stretches->is_over;
    (void)pthread_mutex_unlock(&stretches->lock);
    return is_over;
}

/* ---- one stretch ---- */

/* Reads what is there of it to bytes. PB_OK also where the file has become shorter. */
static enum pb_status
read_stretch(const struct pb_cli_stretches *stretches, const struct pb_cli_stretch *stretch,
             uint8_t *bytes, size_t *ret_got, struct pb_error *error)
{
    size_t got = 0;
    char text[128];

    while (got < stretch->bytes) {
        ssize_t more = pread(stretches->descriptor, bytes + got, stretch->bytes - got,
                             (off_t)(stretch->offset + got));

        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return pb_fail(error, PB_E_IO, "cannot read: %s",
                           strerror_r(errno, text, sizeof(text)));
        if (more == 0)
            break;
        got += (size_t)more;
    }
    *ret_got = got;
    return PB_OK;
}

/* Leaves `count` bytes to the next stretch, behind what is left to it already. */
static enum pb_status
leave(struct pb_cli_stretches *stretches, const uint8_t *bytes, size_t count,
      struct pb_error *error)
{
    size_t needed = stretches->rest_bytes + count;
    size_t doubled = 2 * stretches->rest.capacity;
    enum pb_status status = PB_OK;

    if (needed > stretches->rest.capacity)
        status = pb_cli_buffer_reserve(stretches->env, &stretches->rest,
                                       needed > doubled ? needed : doubled, error);
    if (status != PB_OK || count == 0)
        return status;
    memcpy(stretches->rest.bytes + stretches->rest_bytes, bytes, count);
    stretches->rest_bytes = needed;
    return PB_OK;
}

/* Puts what was left in front of the `got` bytes read. Sets where it begins. */
static enum pb_status
put_rest_in_front(struct pb_cli_stretches *stretches, struct pb_cli_buffer *buffer, size_t got,
                  size_t *ret_begin, struct pb_error *error)
{
    size_t rest_bytes = stretches->rest_bytes, begin = 0;
    enum pb_status status;

    if (rest_bytes <= ROOM_BYTES) {
        begin = ROOM_BYTES - rest_bytes;
    } else {
        status =
            pb_cli_buffer_reserve(stretches->env, buffer, rest_bytes + ROOM_BYTES + got, error);
        if (status != PB_OK)
            return status;
        memmove(buffer->bytes + rest_bytes, buffer->bytes + ROOM_BYTES, got);
    }
    if (rest_bytes > 0)
        memcpy(buffer->bytes + begin, stretches->rest.bytes, rest_bytes);
    stretches->rest_bytes = 0;
    *ret_begin = begin;
    return PB_OK;
}

/* The turn of a stretch that was read. */
static enum pb_status
cut(struct pb_cli_stretches *stretches, const struct pb_input_head *head, bool is_end,
    struct pb_cli_buffer *buffer, size_t got, struct pb_cli_cut *ret_cut, struct pb_error *error)
{
    size_t have = stretches->rest_bytes + got, border;
    bool is_forced = false;
    uint64_t lines = 0;
    enum pb_status status;

    if (!is_end && have < stretches->enough_bytes)
        return leave(stretches, buffer->bytes + ROOM_BYTES, got, error);
    status = put_rest_in_front(stretches, buffer, got, &ret_cut->begin, error);
    if (status != PB_OK)
        return status;
    border = pb_input_cut(head, buffer->bytes + ret_cut->begin, have, is_end, &lines);
    if (border == 0 && !is_end && have >= PB_CLI_RECORD_BYTES_MAX) {
        /* Handed over as if it ended here: the parser rejects it, then the rest of it, and takes
         * what follows. */
        border = PB_CLI_RECORD_BYTES_MAX;
        lines = pb_cli_count_lines(buffer->bytes + ret_cut->begin, border);
        is_forced = true;
    }
    stretches->enough_bytes = 0;
    if (border == 0)
        stretches->enough_bytes =
            have < PB_CLI_RECORD_BYTES_MAX / 2 ? 2 * have : PB_CLI_RECORD_BYTES_MAX;
    ret_cut->count = border;
    ret_cut->first_line = stretches->line;
    ret_cut->is_last = is_end || is_forced;
    stretches->line += lines;
    return leave(stretches, buffer->bytes + ret_cut->begin + border, have - border, error);
}

/* As cut(), of what may not be there: what comes after it is not to be judged any more. */
static enum pb_status
take_turn(struct pb_cli_stretches *stretches, const struct pb_input_head *head,
          const struct pb_cli_stretch *stretch, struct pb_cli_buffer *buffer, size_t got,
          struct pb_cli_cut *ret_cut, struct pb_error *error)
{
    bool is_short = got < stretch->bytes;
    enum pb_status status =
        cut(stretches, head, stretch->is_last && !is_short, buffer, got, ret_cut, error);

    if (status == PB_OK && is_short)
        return pb_fail(error, PB_E_IO,
                       "it became shorter while it was read, and ends at byte "
                       "%" PRIu64 " now",
                       stretch->offset + got);
    return status;
}

enum pb_status
pb_cli_stretch_take(struct pb_cli_stretches *stretches, const struct pb_input_head *head,
                    const struct pb_cli_stretch *stretch, struct pb_cli_buffer *buffer,
                    struct pb_cli_cut *ret_cut, struct pb_error *error)
{
    size_t got = 0;
    enum pb_status status =
        pb_cli_buffer_reserve(stretches->env, buffer, ROOM_BYTES + stretch->bytes, error);

    *ret_cut = (struct pb_cli_cut){ .count = 0 };
    if (status == PB_OK)
        status = read_stretch(stretches, stretch, buffer->bytes + ROOM_BYTES, &got, error);

    (void)pthread_mutex_lock(&stretches->lock);
    assert(stretches->turn <= stretch->number);
    while (stretches->turn < stretch->number)
        (void)pthread_cond_wait(&stretches->moved, &stretches->lock);
    if (stretches->is_over)
        status = PB_OK; /* what was wrong has been said */
    else if (status == PB_OK)
        status = take_turn(stretches, head, stretch, buffer, got, ret_cut, error);
    stretches->is_over = stretches->is_over || status != PB_OK;
    stretches->turn++;
    (void)pthread_cond_broadcast(&stretches->moved);
    (void)pthread_mutex_unlock(&stretches->lock);
    return status;
}
