/*
 * API, for its own room: endpoints as the descriptions in api/ make them, and their handlers.
 */
#ifndef PB_API_API_PRIVATE_H
#define PB_API_API_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "api/attempts.h"
#include "api/body.h"
#include "api/committer.h"
#include "api/oidc.h"
#include "api/people.h"
#include "api/quota.h"
#include "api/token.h"
#include "api/token_cache.h"
#include "inquiry/site.h"
#include "net/http.h"

/* Types of fields in a query; scripts/make-api knows the same. */
enum pb_api_type { PB_API_TEXT, PB_API_ID, PB_API_COUNT, PB_API_TIME, PB_API_BOOL };

struct pb_api_field {
    const char *name; /* NULL: the end of the list */
    enum pb_api_type type;
    bool is_required;
    uint64_t max; /* COUNT; 0: none but the type's */
};

enum pb_api_permission {
    PB_API_PUBLIC,
    PB_API_LOOPBACK,   /* clients on the same machine; for others the address does not exist */
    PB_API_CALLER,     /* whoever is known */
    PB_API_TOKEN,      /* whoever shows a token */
    PB_API_SESSION,    /* whoever has signed in, also where the session is locked or enrolling */
    PB_API_READER_KEY, /* whoever shows a reader's key, in the path */
    PB_API_READS,      /* these need the verb of the same name */
    PB_API_ASK,
    PB_API_AUDIT,
    PB_API_ADMINISTER,
};

/* Who calls, and what they may try; the rooms below judge what they may. */
struct pb_api_caller {
    const struct pb_api_token *token;     /* NULL: did not come with one */
    const struct pb_api_session *session; /* NULL: did not sign in; otherwise as it was found */
    struct pb_str cookie;                 /* of the session */
    struct pb_str agency, person;         /* person: for whom, in whose name; empty: nobody */
    unsigned verbs;                       /* of enum pb_api_token_verb */
    bool has_stepped_up;                  /* proved anew, a moment ago, to be there */
    const char *client;                   /* for the audit record: "api", "web" */
};

/* One call of an endpoint, its query checked. */
struct pb_api_call {
    const struct pb_request *request;
    const struct pb_api_endpoint *endpoint;
    const struct pb_api_caller *caller; /* NULL where the endpoint needs none */
};

/* As pb_handler_fn; the call does not outlive it, request and reply do where it returns PB_END. */
typedef enum pb_status pb_api_handler_fn(struct pb_api *api, const struct pb_api_call *call,
                                         struct pb_reply *reply);

struct pb_api_endpoint {
    const char *name;
    enum pb_method method;
    const char *path;
    pb_api_handler_fn *handle;
    enum pb_api_permission permission;
    bool is_audited;
    bool is_quick;
    const struct pb_api_field *query; /* ends with a name of NULL */
    bool takes_any_query;             /* fields of other names, too; the handler looks at all */
    const char *entity;               /* of the catalog, whose records it is about; or NULL */
    size_t body_bytes_max;
    const char *body_types[4];
};

#define PB_API_TAKER_LISTS 2u

struct pb_api {
    const struct pb_env *env;      /* borrowed */
    struct pb_api_options options; /* its pointers are borrowed */
    int audit_directory;           /* owned: of the public side; -1: there is none */
    _Atomic bool is_ready;
    _Atomic bool is_counted; /* the figures */
    _Atomic bool has_failed; /* a commit failed for good: no other will do before a restart */
    struct pb_route *routes; /* owned: as pb_api_endpoints */
    struct pb_api_binding *bindings; /* owned: contexts of the routes */

    struct pb_api_people people;
    struct pb_attempts attempts;
    struct pb_oidc *oidc;  /* owned; NULL where there is no provider */
    char origin_host[256]; /* of options.origin, without a port: what passkeys are for */
    struct pb_api_quota quota;
    struct pb_api_token_cache token_cache;
    struct pb_api_committer *committer;              /* owned; NULL where no reads are taken */
    pthread_mutex_t takers_lock;                     /* held for a few instructions */
    struct pb_api_taker *takers[PB_API_TAKER_LISTS]; /* owned: parsers at rest, by layout;
                                                      * guarded by takers_lock */
};

/* ---- made by scripts/make-api ---- */

extern const struct pb_api_endpoint pb_api_endpoints[];
extern const unsigned pb_api_endpoint_count;
extern const char pb_api_openapi[], pb_api_page[];
extern const size_t pb_api_openapi_bytes, pb_api_page_bytes;
extern const char pb_api_page_policy[]; /* Content-Security-Policy of the page */

/* ---- for handlers ---- */

/* Answers with a problem document. Returns PB_OK. */
enum pb_status pb_api_problem(const struct pb_api_call *call, struct pb_reply *reply,
                              unsigned status, const char *detail, const char *field);

/* Is the query what the endpoint's fields say? Otherwise ret_field (as asked for, in the request's
 * memory) and a static ret_why. */
bool pb_api_query_check(const struct pb_api_field *fields, const struct pb_request *request,
                        struct pb_str *ret_field, const char **ret_why);

/* Who calls, against what the endpoint demands and how much they may ask of us in a second.
 * False: the reply is filled, or ret_status is a failure. ret_caller is the request's. */
bool pb_api_authenticate(struct pb_api *api, const struct pb_api_call *call,
                         struct pb_api_caller *ret_caller, struct pb_reply *reply,
                         enum pb_status *ret_status);

/* Which of enum pb_api_token_verb a permission takes. */
unsigned pb_api_verbs_needed(enum pb_api_permission permission);
/* The same for who came with a cookie. */
bool pb_api_authenticate_session(struct pb_api *api, const struct pb_api_call *call,
                                 struct pb_str cookie, struct pb_api_caller *ret_caller,
                                 struct pb_reply *reply, enum pb_status *ret_status);
/* Answers with what a room below made of it: who may not (403), not there (404), taken (409), no
 * longer as it was seen (412), wrong (400), with the field that error names. A failure is returned.
 */
enum pb_status pb_api_answer_refused(const struct pb_api_call *call, struct pb_reply *reply,
                                     enum pb_status status, const struct pb_error *error);
/* For whom the caller acts. False: the reply is filled (it is nobody), or ret_status is a failure.
 * ret_actor is the request's. */
bool pb_api_actor(const struct pb_api_call *call, struct pb_actor *ret_actor,
                  struct pb_reply *reply, enum pb_status *ret_status);
/* Reads the body. PB_OK: into is filled, and its texts live until the caller drops ret_root, which
 * begins as NULL. PB_END: the reply is filled with what is wrong. */
enum pb_status pb_api_read_body(struct pb_api *api, const struct pb_api_call *call,
                                struct pb_reply *reply, pb_api_read_fn *read, void *into,
                                json_t **ret_root);
/* A COUNT of the query, or what is usual. */
uint64_t pb_api_query_count(const struct pb_request *request, const char *name, uint64_t usual);

/* What a request shows of a credential, and how; text is empty where it shows none. */
struct pb_api_shown {
    enum pb_api_token_via via;
    struct pb_str text;
};
struct pb_api_shown pb_api_shown(const struct pb_api_call *call);
/* Can it be judged from memory alone? */
bool pb_api_is_at_hand(struct pb_api *api, const struct pb_api_call *call);

/* ---- quotas: false, and the reply is a 429 that says how long to wait ---- */

/* Whether the address may show a token. What signs people in is counted by itself. */
bool pb_api_may_try(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply);
/* Counts a reply of 401 to who showed one. */
void pb_api_note_try(struct pb_api *api, const struct pb_api_call *call,
                     const struct pb_reply *reply);
/* Takes one request of the caller's. */
bool pb_api_take_request(struct pb_api *api, const struct pb_api_call *call,
                         struct pb_reply *reply);
void pb_api_give_request_back(struct pb_api *api, const struct pb_api_call *call);
/* Rows of the caller's quotas that a question has taken. */
struct pb_api_rows {
    uint32_t taken;
    int64_t taken_ns;
};
/* For endpoints that give out rows: takes as many as there may be (400: there never can), and when
 * it is known how many were given, gives back the others. */
bool pb_api_take_rows(struct pb_api *api, const struct pb_api_call *call, uint64_t rows,
                      struct pb_api_rows *ret_rows, struct pb_reply *reply);
void pb_api_rows_given(struct pb_api *api, const struct pb_api_call *call,
                       const struct pb_api_rows *rows, uint64_t given);

/* ---- attempts to sign in ---- */

/* Sets a cookie that only this browser has; its hash is the holder of what is asked of it. */
PB_MUST_CHECK enum pb_status pb_api_attempt_cookie_make(struct pb_api *api, struct pb_reply *reply,
                                                        uint8_t ret_holder[PB_ATTEMPT_BYTES]);
/* What was asked of the browser; false: nothing, or too long ago. It is gone then. */
bool pb_api_attempt_cookie_take(struct pb_api *api, const struct pb_api_call *call,
                                enum pb_attempt_kind kind, struct pb_attempt *ret_attempt);
/* why: static text of the program. */
void pb_api_log_refused(const struct pb_api *api, const struct pb_api_call *call, const char *why);

void pb_api_free_takers(struct pb_api *api);

pb_api_handler_fn pb_api_handle_accounts_add;
pb_api_handler_fn pb_api_handle_accounts_approve;
pb_api_handler_fn pb_api_handle_accounts_disable;
pb_api_handler_fn pb_api_handle_accounts_link;
pb_api_handler_fn pb_api_handle_accounts_list;
pb_api_handler_fn pb_api_handle_accounts_show;
pb_api_handler_fn pb_api_handle_accounts_unlock;
pb_api_handler_fn pb_api_handle_approvals_give;
pb_api_handler_fn pb_api_handle_approvals_show;
pb_api_handler_fn pb_api_handle_audit_checkpoint;
pb_api_handler_fn pb_api_handle_audit_consistency;
pb_api_handler_fn pb_api_handle_audit_export;
pb_api_handler_fn pb_api_handle_audit_keys;
pb_api_handler_fn pb_api_handle_audit_open;
pb_api_handler_fn pb_api_handle_audit_prove;
pb_api_handler_fn pb_api_handle_audit_search;
pb_api_handler_fn pb_api_handle_audit_tile;
pb_api_handler_fn pb_api_handle_catalog_export;
pb_api_handler_fn pb_api_handle_catalog_import;
pb_api_handler_fn pb_api_handle_corrections_make;
pb_api_handler_fn pb_api_handle_docs;
pb_api_handler_fn pb_api_handle_health;
pb_api_handler_fn pb_api_handle_inquiries_ask;
pb_api_handler_fn pb_api_handle_metrics;
pb_api_handler_fn pb_api_handle_oidc_begin;
pb_api_handler_fn pb_api_handle_oidc_code;
pb_api_handler_fn pb_api_handle_oidc_providers;
pb_api_handler_fn pb_api_handle_oidc_return;
pb_api_handler_fn pb_api_handle_openapi;
pb_api_handler_fn pb_api_handle_passkey_sign_in;
pb_api_handler_fn pb_api_handle_passkey_sign_in_options;
pb_api_handler_fn pb_api_handle_passkey_step_up;
pb_api_handler_fn pb_api_handle_passkey_step_up_options;
pb_api_handler_fn pb_api_handle_passkeys_add;
pb_api_handler_fn pb_api_handle_passkeys_list;
pb_api_handler_fn pb_api_handle_passkeys_options;
pb_api_handler_fn pb_api_handle_passkeys_remove;
pb_api_handler_fn pb_api_handle_policy_explain;
pb_api_handler_fn pb_api_handle_reads_send;
pb_api_handler_fn pb_api_handle_reads_send_by_key;
pb_api_handler_fn pb_api_handle_ready;
pb_api_handler_fn pb_api_handle_records_add;
pb_api_handler_fn pb_api_handle_records_change;
pb_api_handler_fn pb_api_handle_records_list;
pb_api_handler_fn pb_api_handle_records_remove;
pb_api_handler_fn pb_api_handle_records_show;
pb_api_handler_fn pb_api_handle_review_close;
pb_api_handler_fn pb_api_handle_review_detect;
pb_api_handler_fn pb_api_handle_review_disclosures;
pb_api_handler_fn pb_api_handle_review_finish;
pb_api_handler_fn pb_api_handle_review_items;
pb_api_handler_fn pb_api_handle_review_notices;
pb_api_handler_fn pb_api_handle_review_sample;
pb_api_handler_fn pb_api_handle_review_take;
pb_api_handler_fn pb_api_handle_rules_list;
pb_api_handler_fn pb_api_handle_rules_put;
pb_api_handler_fn pb_api_handle_session_begin;
pb_api_handler_fn pb_api_handle_session_end;
pb_api_handler_fn pb_api_handle_session_enrol;
pb_api_handler_fn pb_api_handle_session_enrol_begin;
pb_api_handler_fn pb_api_handle_session_show;
pb_api_handler_fn pb_api_handle_session_splash;
pb_api_handler_fn pb_api_handle_session_step_up;
pb_api_handler_fn pb_api_handle_session_unlock;
pb_api_handler_fn pb_api_handle_sessions_end;
pb_api_handler_fn pb_api_handle_sessions_list;
pb_api_handler_fn pb_api_handle_sign_in_page;
pb_api_handler_fn pb_api_handle_sign_in_send;
pb_api_handler_fn pb_api_handle_token_show;
pb_api_handler_fn pb_api_handle_tokens_add;
pb_api_handler_fn pb_api_handle_tokens_list;
pb_api_handler_fn pb_api_handle_tokens_revoke;
pb_api_handler_fn pb_api_handle_transparency_own;
pb_api_handler_fn pb_api_handle_transparency_public;

#endif
