/*
 * Limits: how much of anything from outside we take. Kept in one place so that a
 * reader of the code can judge them together. See also include/platebase/read.h.
 */
#ifndef PB_BASE_LIMITS_H
#define PB_BASE_LIMITS_H

#define PB_LINE_BYTES_MAX (1u << 20)          /* one line of CSV or NDJSON */
#define PB_BLOCK_BYTES_MAX (16u << 20)        /* one block of the binary form or of the log */
#define PB_JSON_DEPTH_MAX 32u
#define PB_YAML_BYTES_MAX (64u << 20)         /* one text */
#define PB_APPEND_READS_MAX 65536u            /* reads in one append */
#define PB_PATTERN_BYTES_MAX 128u
#define PB_PATTERN_STEPS_MAX 48u              /* characters, classes and stars of a pattern */
#define PB_POLYGON_POINTS_MAX 4096u
#define PB_CELL_RANGES_MAX 4096u              /* of one area's cover */
#define PB_QUERY_PLATES_MAX 4000000u          /* plates that one question may follow */
#define PB_ERASURES_MAX 100000u               /* not yet applied for good */
#define PB_ERASURES_KEPT 10000u               /* applied ones: what they erased is refused again */
#define PB_SEGMENTS_MAX 65536u
#define PB_SEGMENT_ROWS_MAX (1u << 27)        /* rows of one merged segment */
#define PB_BUFFER_ROWS_MAX (1u << 17)         /* rows kept in memory before a flush */
#define PB_PATH_BYTES_MAX 4096u

#define PB_CATALOG_ID_BYTES_MAX 64u
#define PB_CATALOG_TEXT_BYTES_MAX 1024u       /* one field of a record */
#define PB_CATALOG_LIST_BYTES_MAX 16384u      /* one that is a list */
#define PB_CATALOG_NOTE_KEY_BYTES_MAX 256u
#define PB_CATALOG_NOTE_BYTES_MAX (1u << 20)
#define PB_CATALOG_YAML_BYTES_MAX (64u << 20)
#define PB_PACK_BYTES_MAX (1u << 20)          /* one rule pack */
#define PB_PACKS_MAX 1024u
#define PB_PACK_RULES_MAX 256u                /* of one pack */
#define PB_JUSTIFICATION_BYTES_MAX 2000u
#define PB_QUESTION_READS_MAX 8000000u        /* that a question about plates may count */
#define PB_ANSWER_ROWS_MAX 100000u            /* rows of one answer, all its pages together */
#define PB_AUDIT_LEAF_BYTES_MAX 4096u
#define PB_AUDIT_SECRET_BYTES_MAX 4096u
#define PB_AUDIT_FIELDS_MAX 32u               /* in the open, and as many secrets */

/* How slow and how many clients may be is in struct pb_server_limits (net/server.h). */
#define PB_NET_HEAD_BYTES_MAX (16u << 10)     /* request line and headers */
#define PB_NET_HEADERS_MAX 100u
#define PB_NET_TARGET_BYTES_MAX 8192u         /* path and query */
#define PB_NET_SEGMENTS_MAX 32u               /* of a path */
#define PB_NET_QUERY_MAX 64u                  /* pairs of a query */
#define PB_NET_BODY_BYTES_MAX (16u << 20)     /* of any route */
#define PB_NET_ROUTES_MAX 512u
#define PB_NET_PEM_BYTES_MAX (1u << 20)       /* a certificate chain, or a key */

#endif
