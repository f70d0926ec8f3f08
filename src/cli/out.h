/*
 * Output: a buffered descriptor that remembers its first failure.
 *
 * Write everything, then look once: after a failure nothing more is written. A reader that
 * closed its end (`| head`) is not a failure, only a reason to stop.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_OUT_H
#define PB_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

#define PB_CLI_OUT_BUFFER_BYTES 65536u

struct pb_cli_out {
    int descriptor;  /* borrowed */
    int error_code;  /* errno of the first failure; 0 if none */
    bool is_closed;  /* the reader has gone */
    size_t used;     /* bytes waiting in buffer */
    char buffer[PB_CLI_OUT_BUFFER_BYTES];
};

void pb_cli_out_init(struct pb_cli_out *out, int descriptor);
/* true while writing makes sense: no failure, and somebody listens. */
bool pb_cli_out_is_open(const struct pb_cli_out *out);
/* Writes what waits. PB_OK also where the reader has gone; PB_E_FULL or PB_E_IO, with error
 * filled, where something could not be written at any time before. name is for the message. */
PB_MUST_CHECK enum pb_status pb_cli_out_flush(struct pb_cli_out *out, const char *name,
                                              struct pb_error *error);

void pb_cli_put_bytes(struct pb_cli_out *out, const void *bytes, size_t count);
void pb_cli_put_text(struct pb_cli_out *out, const char *text);
/* At most 1 KiB. */
void pb_cli_put_format(struct pb_cli_out *out, const char *format, ...) PB_PRINTF(2, 3);
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void pb_cli_put_json(struct pb_cli_out *out, const char *text, size_t bytes);
void pb_cli_put_json_text(struct pb_cli_out *out, const char *text);
/* A time as a JSON string, in UTC. */
void pb_cli_put_json_time(struct pb_cli_out *out, int64_t us);

/*
 * Makes text harmless for a terminal: control characters, line and paragraph separators, marks
 * that turn the direction of text, and bytes that are not UTF-8 become U+FFFD. Stops where
 * room ends, never within a character. Returns the length; ret_columns (may be NULL) is
 * how many terminal columns it takes.
 */
size_t pb_cli_safe_text(const char *text, size_t bytes, char *ret_text, size_t room,
                        size_t *ret_columns);

#endif
