/*
 * Bytes of log files, of their records and of the mark: what docs/formats/log-v1.md says, and
 * nothing about which file follows which. Private to log.c and log_replay.c.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_BASE_LOG_FORMAT_H
#define PB_BASE_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/log.h"

#define PB_LOG_HEADER_BYTES 96u
#define PB_LOG_RECORD_HEADER_BYTES 56u
#define PB_LOG_MARK_BYTES 64u
#define PB_LOG_MARK_NAME "acked"

struct pb_log_header {
    uint64_t number;
    uint64_t previous_number; /* 0: none */
    uint64_t previous_bytes;
    uint64_t commit;       /* newest of all logs before */
    uint64_t synced_bytes; /* when the file got its name */
};

struct pb_log_mark {
    uint64_t number, bytes, commit;
};

/* Which file a record or header must be of. */
struct pb_log_owner {
    const uint8_t *store_id; /* borrowed; PB_STORE_ID_BYTES */
    uint64_t number;         /* for a file header 0 takes any */
};

void pb_log_header_encode(const struct pb_log_header *header, const uint8_t *store_id,
                          uint8_t ret_bytes[PB_LOG_HEADER_BYTES]);
/* PB_OK, PB_E_CORRUPT or PB_E_VERSION; reterr_reason is a static text. count may be the whole
 * file's. */
PB_MUST_CHECK enum pb_status pb_log_header_decode(const uint8_t *bytes, size_t count,
                                                  struct pb_log_owner owner,
                                                  struct pb_log_header *ret_header,
                                                  const char **reterr_reason);

/* Writes the header of a record whose payload lies behind it, at + PB_LOG_RECORD_HEADER_BYTES;
 * record->payload is not looked at. */
void pb_log_record_seal(uint8_t *at, const struct pb_log_record *record, uint64_t durable,
                        struct pb_log_owner owner);
/*
 * Reads the record at bytes. ret_record's payload points into bytes.
 *
 * Returns  PB_OK
 *          PB_NOT_FOUND   no good record here; reterr_reason is a static text
 *          PB_E_CORRUPT   its header has the right checksum and cannot be: likewise
 */
PB_MUST_CHECK enum pb_status pb_log_record_decode(const uint8_t *bytes, size_t count,
                                                  struct pb_log_owner owner,
                                                  struct pb_log_record *ret_record,
                                                  uint64_t *ret_durable,
                                                  const char **reterr_reason);
/* true where a record's header is whole, whatever became of its payload. */
bool pb_log_record_is_sealed(const uint8_t *bytes, size_t count, struct pb_log_owner owner,
                             uint64_t *ret_durable);
/* The next place from `from` on where a record may begin; count where there is none. */
size_t pb_log_record_candidate(const uint8_t *bytes, size_t count, size_t from);

void pb_log_mark_encode(const struct pb_log_mark *mark, const uint8_t *store_id,
                        uint8_t ret_bytes[PB_LOG_MARK_BYTES]);
/* PB_OK, PB_NOT_FOUND (no mark was written yet), or PB_E_CORRUPT with a static reason. */
PB_MUST_CHECK enum pb_status pb_log_mark_decode(const uint8_t *bytes, size_t count,
                                                const uint8_t *store_id,
                                                struct pb_log_mark *ret_mark,
                                                const char **reterr_reason);

/* <directory>/<name>, and <directory>/log/<number><suffix>; PB_OVER_LIMIT if it is too long. */
PB_MUST_CHECK enum pb_status pb_log_path(const char *directory, const char *name,
                                         char ret_path[PB_PATH_BYTES_MAX],
                                         struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_log_file_path(const char *directory, uint64_t number,
                                              const char *suffix,
                                              char ret_path[PB_PATH_BYTES_MAX],
                                              struct pb_error *error);

/* Numbers of the files in <directory>/log whose names end in suffix, ascending; freed with
 * pb_free. None where there is no such directory. */
PB_MUST_CHECK enum pb_status pb_log_list(const struct pb_env *env, const char *directory,
                                         const char *suffix, uint64_t **ret_numbers,
                                         size_t *ret_count, struct pb_error *error);

#endif
