/*
 * Stretches: a regular file that those who parse it read themselves, side by side.
 *
 * The main thread only says which stretch comes next. Whoever gets it reads it without a lock, into
 * memory of their own that stays in their core's cache, and then takes a turn, in the order of the
 * file: what the stretch before left behind its last border goes in front, and the whole is cut. So
 * records, line numbers and rejects are those of a pipe.
 *
 * Invariant: stretches are begun in their order, and each that is begun takes its turn, whatever
 * went wrong with it; otherwise those after it would wait for ever.
 *
 * Threads: begin and done belong to the main thread, take to anyone, a buffer to its owner.
 */
#ifndef PB_CLI_STRETCH_H
#define PB_CLI_STRETCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/status.h>

#include "ingest/ingest.h"

struct pb_env;

/* A record, or a block of the binary form, that is longer than this is cut in two. */
#define PB_CLI_RECORD_BYTES_MAX ((size_t)64 << 20)

struct pb_cli_buffer {
    uint8_t *bytes; /* owned */
    size_t capacity;
};
/* Makes room for at least `bytes`, keeping what is there. */
PB_MUST_CHECK enum pb_status pb_cli_buffer_reserve(const struct pb_env *env,
                                                   struct pb_cli_buffer *buffer, size_t bytes,
                                                   struct pb_error *error);
void pb_cli_buffer_done(const struct pb_env *env, struct pb_cli_buffer *buffer);
uint64_t pb_cli_count_lines(const uint8_t *bytes, size_t count);

struct pb_cli_stretch {
    uint64_t number; /* from 0, in the order of the file */
    uint64_t offset;
    size_t bytes; /* that the file had there when it was given out */
    bool is_last; /* nothing follows */
};

/* What a stretch's turn gave: whole records, and where they stand. */
struct pb_cli_cut {
    size_t begin, count; /* in the buffer; a count of 0: there are none */
    uint64_t first_line; /* from 1 */
    bool is_last;        /* of its input, or cut as if it were */
};

struct pb_cli_stretches {
    const struct pb_env *env; /* borrowed */
    int descriptor;           /* owned; -1: the input is not read in stretches */

    pthread_mutex_t lock;
    pthread_cond_t moved; /* `turn` was */
    /* All guarded by lock: */
    uint64_t turn;             /* number of the stretch whose turn it is */
    struct pb_cli_buffer rest; /* owned: what follows the last border */
    size_t rest_bytes;
    size_t enough_bytes; /* no border is looked for in less: there was none in half of it */
    uint64_t line;       /* of the rest's first byte */
    bool is_over;        /* an earlier stretch could not be read */
};
/* Unset. */
void pb_cli_stretches_init(struct pb_cli_stretches *stretches, const struct pb_env *env);
/* Takes over the descriptor. rest: what was read before the first stretch and stands behind the
 * last border; copied. PB_OK, PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_cli_stretches_begin(struct pb_cli_stretches *stretches,
                                                    int descriptor, const uint8_t *rest,
                                                    size_t rest_bytes, uint64_t line,
                                                    struct pb_error *error);
void pb_cli_stretches_done(struct pb_cli_stretches *stretches);
/* Has a stretch been taken that could not be read? Then those after it give nothing. */
bool pb_cli_stretches_is_over(struct pb_cli_stretches *stretches);

/*
 * Reads a stretch into the buffer and takes its turn, for which it may wait.
 *
 * Returns  PB_OK
 *          PB_E_IO     it cannot be read, or is not there any more (then ret_cut may still have
 *                      records); nothing more comes
 *          PB_E_NOMEM  likewise
 */
PB_MUST_CHECK enum pb_status
pb_cli_stretch_take(struct pb_cli_stretches *stretches, const struct pb_input_head *head,
                    const struct pb_cli_stretch *stretch, struct pb_cli_buffer *buffer,
                    struct pb_cli_cut *ret_cut, struct pb_error *error);

#endif
