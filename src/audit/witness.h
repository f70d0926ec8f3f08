/*
 * Witnesses: others who sign that a log has only grown since they looked last.
 *
 * A trust policy (c2sp.org/tlog-policy) names witnesses, their keys and addresses, and how many of
 * which must have signed (`quorum none`: none need to). Logs that are opened with one
 * (struct pb_audit_options) publish a checkpoint only when enough witnesses have signed it: each is
 * shown it with a proof that it extends the one that they signed last; what they answer is
 * verified and put under it. While too few answer, leaves are taken and kept as ever, and the
 * checkpoint before stays the newest.
 *
 * The rule at the start: before a process signs anything new of a log, it shows the witnesses what
 * was last given out. Only when enough of them have answered is something new signed. One that
 * knows a longer log than ours, or one that ours does not extend, is an alarm: the log is stopped,
 * which outlasts a restart. Leaves may still be appended, but nothing of it is published until
 * somebody has found out what happened (pb_audit_restart).
 *
 * How bytes get there and back is a function, so that tests need no network.
 *
 * Source:  c2sp.org/tlog-witness, c2sp.org/tlog-cosignature, c2sp.org/tlog-policy.
 */
#ifndef PB_AUDIT_WITNESS_H
#define PB_AUDIT_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/note.h"

#define PB_WITNESSES_MAX 32u
#define PB_WITNESS_GROUPS_MAX 32u
#define PB_WITNESS_LOGS_MAX 32u
#define PB_WITNESS_NAME_BYTES_MAX 64u
#define PB_WITNESS_URL_BYTES_MAX 256u
#define PB_POLICY_BYTES_MAX (64u << 10)
#define PB_WITNESS_REPLY_BYTES_MAX (64u << 10)

/* ---- policy ---- */

struct pb_witness {
    char name[PB_WITNESS_NAME_BYTES_MAX + 1];
    struct pb_vkey key;
    char url[PB_WITNESS_URL_BYTES_MAX + 1]; /* "": cannot be asked */
};
struct pb_witness_group {
    char name[PB_WITNESS_NAME_BYTES_MAX + 1];
    uint32_t threshold;
    uint64_t members; /* bits: witnesses from 0, groups from PB_WITNESSES_MAX */
};
struct pb_witness_policy {
    struct pb_vkey logs[PB_WITNESS_LOGS_MAX];
    uint32_t log_count;
    struct pb_witness witnesses[PB_WITNESSES_MAX];
    uint32_t witness_count;
    struct pb_witness_group groups[PB_WITNESS_GROUPS_MAX];
    uint32_t group_count;
    int32_t quorum; /* place among the bits of members; -1: none is needed */
};
/* PB_BAD_INPUT names the line. */
PB_MUST_CHECK enum pb_status pb_witness_policy_parse(struct pb_str text,
                                                     struct pb_witness_policy *ret_policy,
                                                     struct pb_error *error);
/* Whether the witnesses whose bits are set are enough. */
bool pb_witness_quorum(const struct pb_witness_policy *policy, uint32_t witnesses);

/* ---- asking ---- */

struct pb_witness_reply {
    int http_status;
    char content_type[64]; /* without parameters, lower case */
    size_t body_bytes;
    char body[PB_WITNESS_REPLY_BYTES_MAX];
};
/* POSTs body to url. PB_OK with whatever status the other side answered; PB_E_IO where there was
 * no answer. */
typedef enum pb_status pb_witness_post_fn(void *context, const char *url, struct pb_str body,
                                          struct pb_witness_reply *ret_reply,
                                          struct pb_error *error);
/* Over https, or http to this machine; no redirects, ten seconds, at most
 * PB_WITNESS_REPLY_BYTES_MAX bytes. context is not used. */
PB_MUST_CHECK enum pb_status pb_witness_post_http(void *context, const char *url,
                                                  struct pb_str body,
                                                  struct pb_witness_reply *ret_reply,
                                                  struct pb_error *error);

enum pb_witness_outcome {
    PB_WITNESS_COSIGNED,
    PB_WITNESS_NOT_ASKED,   /* it has no address */
    PB_WITNESS_AWAY,        /* no answer */
    PB_WITNESS_UNREACHABLE, /* an answer that makes no sense */
    PB_WITNESS_REFUSED,     /* it does not know this log or its key: configuration */
    PB_WITNESS_CONTRADICTS, /* it knows another history: alarm */
};
struct pb_witness_result {
    enum pb_witness_outcome outcome;
    uint64_t time_s;       /* COSIGNED: when it signed */
    struct pb_error error; /* otherwise: why not */
};
/* Told once when a log begins to wait for witnesses; why is one of their answers. Any thread. */
typedef void pb_witness_waits_fn(void *context, const char *log, const char *why);

/* Witnesses, and how they are asked. */
struct pb_witnesses {
    struct pb_witness_policy policy;
    pb_witness_post_fn *post;
    void *post_context;
    pb_witness_waits_fn *waits; /* may be NULL */
    void *waits_context;
};
/*
 * Asks every witness about everything appended to a log, and publishes the checkpoint where
 * enough of them have signed it.
 *
 * ret_results    as many as there are witnesses, in the policy's order
 * ret_has_quorum whether those that cosigned are enough; may be NULL
 *
 * Returns  PB_OK         whatever single witnesses answered
 *          PB_NOT_FOUND  no such log
 *          PB_E_CORRUPT  one contradicts: the log is stopped
 */
PB_MUST_CHECK enum pb_status pb_audit_cosign(struct pb_audit *audit, const char *log,
                                             const struct pb_witnesses *witnesses,
                                             struct pb_witness_result *ret_results,
                                             bool *ret_has_quorum, struct pb_error *error);
/* Whether a witness may be asked at this address: https, or http on this machine. */
bool pb_witness_url_is_allowed(const char *url);
/* How much later or earlier than a cosignature an entry may be dated: clocks differ, and a witness
 * may have been waited for. */
#define PB_WITNESS_SKEW_S 300
/* Which witnesses of the policy have cosigned a checkpoint, as bits; PB_BAD_INPUT where the note is
 * none, is not signed by log, or has a false cosignature. ret_oldest_s: the earliest of their
 * times; may be NULL. */
PB_MUST_CHECK enum pb_status pb_witness_check(struct pb_str checkpoint, const struct pb_vkey *log,
                                              const struct pb_witness_policy *policy,
                                              uint32_t *ret_witnesses, uint64_t *ret_oldest_s,
                                              struct pb_error *error);

#endif
