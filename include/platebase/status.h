/*
 * Outcomes: one status for every call that can fail, and one place for words.
 *
 * A positive status is an answer that the direct caller deals with. A negative
 * status is a failure: it is handed up unchanged and reported once, at the edge.
 */
#ifndef PLATEBASE_STATUS_H
#define PLATEBASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PB_MUST_CHECK __attribute__((warn_unused_result))
#define PB_PRINTF(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))
#else
#define PB_MUST_CHECK
#define PB_PRINTF(format_index, first_index)
#endif

enum pb_status {
    PB_OK = 0,

    /* Answers. */
    PB_NOT_FOUND = 1,  /* nothing there */
    PB_DUPLICATE = 2,  /* already stored, same content */
    PB_BAD_INPUT = 3,  /* what was given has the wrong shape or is out of range */
    PB_OVER_LIMIT = 4, /* larger than base/limits.h allows */
    PB_CONFLICT = 5,   /* already stored, other content */
    PB_END = 6,        /* no more rows */
    PB_EXPIRED = 7,    /* not stored: past its delete_after, or erased before */
    PB_DENIED = 8,     /* who asks may not */

    /* Failures. */
    PB_E_NOMEM = -1,     /* no memory; nothing was changed */
    PB_E_IO = -2,        /* the system refused a read, write, sync, map or rename */
    PB_E_CORRUPT = -3,   /* bytes on disk fail their checksum or contradict each other */
    PB_E_FULL = -4,      /* no space left on the device */
    PB_E_BUSY = -5,      /* another process writes to this store */
    PB_E_NOT_STORE = -6, /* the directory is not a Platebase store */
    PB_E_VERSION = -7,   /* made by a version that this one cannot read */
    PB_E_POISONED = -8,  /* an earlier sync failed; reopen to recover from the log */
};

#define PB_ERROR_BYTES_MAX 512

/* What went wrong, for a person: names the file, offset or field, and the mend.
 * Filled only beside a status that is not PB_OK; always NUL-terminated. */
struct pb_error {
    char message[PB_ERROR_BYTES_MAX];
};

/* A static word for a status ("ok", "corrupt", ...); never NULL. */
const char *pb_status_name(enum pb_status status);

/* Sets the message; error may be NULL. Returns status, so that
 * `return pb_fail(error, PB_E_IO, "...")` reads in one line. */
enum pb_status pb_fail(struct pb_error *error, enum pb_status status, const char *format, ...)
    PB_PRINTF(3, 4);

#ifdef __cplusplus
}
#endif
#endif
