/*
 * What the files of src/inquiry share: the opened site, the facts that decisions look at, the
 * sieve, one question on its way, and the pieces of audit leaves and tokens.
 */
#ifndef PB_INQUIRY_INQUIRY_PRIVATE_H
#define PB_INQUIRY_INQUIRY_PRIVATE_H

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

#include "audit/audit.h"
#include "audit/witness.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/load.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/entry.h"
#include "inquiry/inquiry.h"
#include "inquiry/site.h"

#define PB_SITE_KEY_BYTES 32u
#define PB_DIGEST_BYTES 32u

struct pb_removals; /* retain.c */
struct pb_activity; /* activity.c */
struct pb_received; /* received.c */

/* ---- facts: what decisions look at, of one moment; immutable and counted ---- */

struct pb_facts {
    const struct pb_env *env;
    _Atomic uint32_t references;
    const struct pb_catalog_view *view; /* owned reference */
    struct pb_rules *rules;             /* owned reference */
    uint8_t policy[PB_DIGEST_BYTES];    /* pb_rules_digest */
    int64_t from_us, until_us;          /* packs in force do not change within [from, until) */
    uint32_t *activity;                 /* owned: one per view->readers: where its days stand */
    int64_t *retention_us;              /* owned: one per view->origins; PB_NEVER: no limit */
    uint32_t *no_capture;               /* owned: likewise: kinds of its owner's zones, as bits, in
                                         * which the law lets nobody capture */
    bool has_zones;                     /* some origin has any */
};

struct pb_site {
    const struct pb_env *env;
    enum pb_site_mode mode;
    char path[PB_PATH_BYTES_MAX];
    struct pb_store *store;         /* owned */
    struct pb_catalog *catalog;     /* owned */
    struct pb_audit *audit;         /* owned */
    struct pb_outside *outside;     /* owned; NULL in PB_SITE_LOOK */
    uint8_t key[PB_SITE_KEY_BYTES]; /* of tokens and digests; zero in PB_SITE_LOOK */

    pthread_mutex_t facts_lock; /* guards rules and facts; held for a few instructions, but when
                                 * facts are made anew */
    struct pb_rules *rules;     /* owned reference */
    char rules_mark[65];        /* of the packs that they were loaded with */
    int64_t rules_looked_ns;    /* when that was last compared with the catalog's word */
    struct pb_facts *facts;     /* owned reference; NULL: none yet */

    struct pb_activity *activity; /* owned: on which days readers read anything */
    struct pb_received *received; /* owned: how many reads came in */
    struct pb_removals *removals; /* owned: reads that the store told to be gone */

    pthread_mutex_t change_lock; /* one change of the catalog at a time; held through its I/O */
};

/* ---- what the audit logs answer to outside (outside.c) ---- */

struct pb_outside {
    struct pb_witnesses witnesses;
    bool has_witnesses;
    char copies[PB_PATH_BYTES_MAX]; /* "": none */
};
/* What DIR says; freed with pb_free. checks: that the directory of copies is there. */
PB_MUST_CHECK enum pb_status pb_outside_load(const struct pb_env *env, const char *site_path,
                                             bool checks, struct pb_outside **ret_outside,
                                             struct pb_error *error);
/* Sets what pb_audit_open is told; borrowed. */
void pb_outside_options(const struct pb_outside *outside, struct pb_audit_options *options);

/* The facts of this moment, with a reference that the caller drops. */
PB_MUST_CHECK enum pb_status pb_site_facts(struct pb_site *site, int64_t now_us,
                                           struct pb_facts **ret_facts, struct pb_error *error);
void pb_facts_drop(struct pb_facts *facts); /* NULL is fine */
/* Whether a read of that origin was made where the law lets nobody capture: at its position, or
 * where its reader (PB_NO_INDEX: not known) stands. Of which nobody knows where is in no zone. */
bool pb_facts_in_zone(const struct pb_facts *facts, uint32_t origin, uint32_t reader,
                      int32_t lat_e7, int32_t lon_e7);
/* Loads shipped packs and those of DIR/rules anew. */
PB_MUST_CHECK enum pb_status pb_site_load_rules(struct pb_site *site, struct pb_error *error);
/* The same, where another process put a pack since; looks at most once a second. facts_lock is
 * held. */
PB_MUST_CHECK enum pb_status pb_site_follow_rules(struct pb_site *site, struct pb_error *error);

/* ---- who sees and changes what of the catalog ---- */

/* Of somebody who administers, at one moment. */
struct pb_rights {
    const struct pb_catalog_view *view; /* borrowed */
    const char *person;                 /* NULL: the operator of the machine */
    struct pb_str agency;               /* theirs; empty for the operator of the machine */
    bool is_operator;                   /* of the machine, or somebody who does the same */
};
/* PB_DENIED: they have nothing to do with the catalog. */
PB_MUST_CHECK enum pb_status pb_rights_of(const struct pb_catalog_view *view,
                                          const struct pb_actor *actor, int64_t now_us,
                                          struct pb_rights *ret_rights, struct pb_error *error);
bool pb_rights_see(const struct pb_rights *rights, const struct pb_record *record);
/* before is NULL where a record is added, after where it is removed; after holds what is given.
 * PB_DENIED; PB_BAD_INPUT where it names what is not there for them. */
PB_MUST_CHECK enum pb_status pb_rights_change(const struct pb_rights *rights,
                                              const struct pb_record *before,
                                              const struct pb_record *after,
                                              struct pb_error *error);
/* A field's value, or NULL. */
const char *pb_record_value(const struct pb_record *record, const char *name);
/* Whose record it is; NULL: nobody's. room holds an id. */
const char *pb_record_agency(const struct pb_record *record,
                             char room[PB_CATALOG_ID_BYTES_MAX + 1]);

/* "DIR/name" or "DIR/folder/name"; PB_OVER_LIMIT where it is too long. */
PB_MUST_CHECK enum pb_status pb_site_path(const struct pb_site *site, const char *name,
                                          char ret_path[PB_PATH_BYTES_MAX], struct pb_error *error);
/* Writes a whole file durably under its name: temporary, sync, rename, sync of the directory.
 * Nobody but its owner may read it. */
PB_MUST_CHECK enum pb_status pb_site_write_file(const struct pb_env *env, const char *directory,
                                                const char *name, const void *bytes, size_t count,
                                                struct pb_error *error);

/* A leaf of the operator's log that says how far the store has come: "start", "stop", "backup". */
PB_MUST_CHECK enum pb_status pb_site_mark(struct pb_site *site, const char *event,
                                          struct pb_error *error);
/* The log of one agency, or of all that have none yet. */
PB_MUST_CHECK enum pb_status pb_site_add_log(struct pb_site *site, struct pb_str agency,
                                             struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_site_add_logs(struct pb_site *site, struct pb_error *error);

/* An id of the catalog as NUL-terminated text. */
void pb_site_id_text(struct pb_str id, char ret_text[PB_CATALOG_ID_BYTES_MAX + 1]);
/* Before a change that dates may depend on, which that leaf tells of: the next restamp looks at all
 * that is stored, also where all is as it was by then, for reads came in meanwhile. */
PB_MUST_CHECK enum pb_status pb_site_note_dates(struct pb_site *site, const char *log,
                                                uint64_t index, struct pb_error *error);
/* Brings the store's dates in line with today's rules, holds and zones; does nothing where they
 * are. */
PB_MUST_CHECK enum pb_status
pb_site_restamp(struct pb_site *site, const struct pb_progress *progress, struct pb_error *error);

/* What the store removed, gathered by pb_removals_note until a leaf tells of it. */
struct pb_removals *pb_removals_new(const struct pb_env *env);
void pb_removals_free(struct pb_removals *removals); /* NULL is fine */
void pb_removals_note(void *context, const struct pb_removed *removed);
PB_MUST_CHECK enum pb_status pb_site_leave_receipts(struct pb_site *site, pb_purge_receipt_fn *each,
                                                    void *context, uint64_t *ret_reads,
                                                    struct pb_error *error);
/* Adds readers that the catalog does not know, in one change with one leaf. */
PB_MUST_CHECK enum pb_status pb_site_add_readers(struct pb_site *site, struct pb_str agency,
                                                 uint16_t capture_state,
                                                 const struct pb_str *readers, uint32_t count,
                                                 struct pb_error *error);

/* ---- files of counted lines: a head, lines, "end COUNT" ---- */

/* Takes a number of at most 18 digits and what must stand behind it; false: there is none. */
bool pb_counted_number(struct pb_str *text, char end, uint64_t *ret_number);
bool pb_counted_word(struct pb_str *text, const char *word);
typedef enum pb_status pb_counted_line_fn(void *context, struct pb_str text);
/* Gives each line, with its end, to `take`. PB_BAD_INPUT: cut off, or not so many. */
PB_MUST_CHECK enum pb_status pb_counted_lines(struct pb_str text, pb_counted_line_fn *take,
                                              void *context);
/* Gives a file of the directory to `parse`. PB_OK also where it is not there, or says nothing that
 * can be believed: then it is not known. */
PB_MUST_CHECK enum pb_status pb_counted_load(struct pb_site *site, const char *name,
                                             size_t bytes_max, pb_counted_line_fn *parse,
                                             void *context, bool *ret_is_known,
                                             struct pb_error *error);

/* ---- which readers were up ---- */

struct pb_answer;
struct pb_activity_day {
    struct pb_str reader;
    int32_t day; /* since 1970-01-01 */
};
struct pb_activity *pb_activity_new(const struct pb_env *env);
void pb_activity_free(struct pb_activity *activity); /* NULL is fine */
/* An empty file of a new directory. */
PB_MUST_CHECK enum pb_status pb_activity_create(const struct pb_env *env, const char *path,
                                                struct pb_error *error);
/* PB_OK also where there is no file, or none that can be believed: then nothing is known. */
PB_MUST_CHECK enum pb_status pb_activity_load(struct pb_site *site, struct pb_error *error);
/* Takes what a file says; PB_BAD_INPUT leaves what was read so far. */
PB_MUST_CHECK enum pb_status pb_activity_parse(void *activity, struct pb_str text);
/* Writes the file where it changed: at the end, else once a minute. */
PB_MUST_CHECK enum pb_status pb_activity_save(struct pb_site *site, bool is_last,
                                              struct pb_error *error);
void pb_activity_note(struct pb_activity *activity, const struct pb_activity_day *days,
                      uint32_t count);
/* Where each reader of a view stands, for pb_facts. */
PB_MUST_CHECK enum pb_status pb_activity_index(struct pb_activity *activity,
                                               const struct pb_catalog_view *view,
                                               uint32_t *ret_indices);
/* How many readers in an answer's scope read anything on days of its window; false: not known. */
bool pb_activity_count(struct pb_activity *activity, const struct pb_answer *answer,
                       uint32_t *ret_count);

/* ---- how many reads came in ---- */

struct pb_received *pb_received_new(const struct pb_env *env);
void pb_received_free(struct pb_received *received); /* NULL is fine */
/* An empty file of a new directory. */
PB_MUST_CHECK enum pb_status pb_received_create(const struct pb_env *env, const char *path,
                                                struct pb_error *error);
/* PB_OK also where there is no file, or none that can be believed: then nothing is known. */
PB_MUST_CHECK enum pb_status pb_received_load(struct pb_site *site, struct pb_error *error);
/* Takes what a file says; PB_BAD_INPUT leaves what was read so far. */
PB_MUST_CHECK enum pb_status pb_received_parse(void *received, struct pb_str text);
/* Writes the file where it changed: the first time, at the end, else once a minute. */
PB_MUST_CHECK enum pb_status pb_received_save(struct pb_site *site, bool is_last,
                                              struct pb_error *error);
void pb_received_note(struct pb_received *received, struct pb_str agency, int64_t day,
                      uint64_t reads);
struct pb_received_day {
    uint64_t reads;
    bool is_in_part; /* a process ended that day before it had written all down */
};
/* Days [first_day, first_day + count) of an agency, and all that it ever sent; false: not known. */
bool pb_received_days(struct pb_received *received, struct pb_str agency, int32_t first_day,
                      uint32_t count, struct pb_received_day *ret_days, uint64_t *ret_total);

/* ---- leaves ---- */

/* A leaf under construction: bounded arrays of fields and secrets. Texts are borrowed until the
 * leaf is appended. */
struct pb_draft {
    const char *log, *event;
    struct pb_audit_field fields[PB_AUDIT_FIELDS_MAX];
    struct pb_audit_secret secrets[PB_AUDIT_FIELDS_MAX];
    uint32_t field_count, secret_count;
    int64_t keep_openings_us;
};
void pb_draft_init(struct pb_draft *leaf, const char *log, const char *event, int64_t keep_us);
/* Text that is empty leaves nothing. What a leaf has no room for is cut or left out. */
void pb_draft_text(struct pb_draft *leaf, const char *name, struct pb_str text);
void pb_draft_number(struct pb_draft *leaf, const char *name, int64_t number);
void pb_draft_hash(struct pb_draft *leaf, const char *name, const uint8_t hash[PB_DIGEST_BYTES]);
void pb_draft_secret(struct pb_draft *leaf, const char *name, struct pb_str value);
/* Ids of the rules that spoke, as many as fit whole. */
#define PB_RULE_IDS_BYTES_MAX 256u
struct pb_str pb_decision_rule_ids(const struct pb_decision *decision,
                                   char room[PB_RULE_IDS_BYTES_MAX]);
/* Appends leaves as one commit. */
PB_MUST_CHECK enum pb_status pb_drafts_append(struct pb_site *site, const struct pb_draft *leaves,
                                              uint32_t count, uint64_t *ret_indices,
                                              struct pb_error *error);

/* A member of digits; 0 where there is none. */
uint64_t pb_entry_number(const struct pb_audit_entry *entry, const char *name);
/* How long openings are kept where no decision says it: seven years (governance.md L5). */
#define PB_KEEP_OPENINGS_US (7 * 366 * PB_DAY_US)

/* ---- tokens ---- */

enum pb_token_kind {
    PB_TOKEN_CONFIRMATION = 1,
    PB_TOKEN_APPROVAL = 2,
    PB_TOKEN_PAGE = 3,
};
struct pb_inquiry_token {
    enum pb_token_kind kind;
    struct pb_str person, beneficiary, approver; /* ids; may be empty */
    uint8_t digest[PB_DIGEST_BYTES];             /* of the inquiry */
    uint64_t index;                              /* of the leaf that it belongs to */
    int64_t expires_at_us;
    uint64_t given, total;  /* PAGE: rows given so far, and rows of the whole answer */
    struct pb_str position; /* PAGE: where the store goes on, or empty */
};
#define PB_INQUIRY_TOKEN_BYTES_MAX 640u /* as text, with its NUL */
void pb_inquiry_token_seal(const struct pb_site *site, const struct pb_inquiry_token *token,
                           char ret_text[PB_INQUIRY_TOKEN_BYTES_MAX]);
/* Views of ret_token point into room. false: not ours, of another kind, or expired. */
bool pb_inquiry_token_open(const struct pb_site *site, enum pb_token_kind kind, struct pb_str text,
                           int64_t now_us, uint8_t room[PB_INQUIRY_TOKEN_BYTES_MAX],
                           struct pb_inquiry_token *ret_token);
/* Key of a token in the catalog's notes: 64 hexadecimal digits and a NUL. */
void pb_inquiry_token_key(const struct pb_site *site, struct pb_str text, char ret_key[65]);

/* Keyed digest of all that an inquiry asks and of who asks it. Keyed, so that who reads it
 * somewhere cannot try plates against it. */
void pb_inquiry_digest(const struct pb_site *site, const struct pb_inquiry *inquiry,
                       uint8_t ret_digest[PB_DIGEST_BYTES]);

/* ---- the sieve: which rows an answer may hold ---- */

struct pb_sieve {
    const struct pb_env *env;
    const struct pb_facts *facts;
    const struct pb_decision *decision;
    const struct pb_hold **holds; /* arena: live ones of the asker's agency and cited case */
    uint32_t hold_count;
    uint32_t
        last_reader; /* index into the view, or PB_NO_INDEX: rows of one reader come together */
};
/* A place where a row fell out is told to nobody. ret_reader: index into the view's readers. */
bool pb_sieve_admits(struct pb_sieve *sieve, const struct pb_read *read, uint32_t *ret_reader);
/* true where a live hold covers the read, whoever asks: what keeps it on disk. reader: index into
 * the hold's view, or PB_NO_INDEX where it is not in there (yet); owner: an agency. */
bool pb_hold_covers(const struct pb_hold *hold, const struct pb_read *read, uint32_t reader,
                    uint32_t owner, int64_t now_us);

/* ---- auditors ---- */

/* Somebody looks at a log. */
struct pb_look {
    struct pb_site *site;
    struct pb_facts *facts; /* owned reference */
    struct pb_str person;   /* empty: the operator */
    uint32_t agency;        /* of the view; PB_NO_INDEX: the operator */
    char log[PB_CATALOG_ID_BYTES_MAX + 1];
    int64_t now_us;
};
/* PB_DENIED: they may not. end is needed in any case. */
PB_MUST_CHECK enum pb_status pb_look_begin(struct pb_look *look, struct pb_site *site,
                                           struct pb_str person, struct pb_error *error);
void pb_look_end(struct pb_look *look);
/* The leaf that stands before anything is shown. */
PB_MUST_CHECK enum pb_status pb_look_record(struct pb_look *look, const char *what,
                                            struct pb_str filter, struct pb_error *error);
/* Keys of the agency's notes begin so. */
void pb_look_prefix(const struct pb_look *look, char ret_prefix[PB_CATALOG_ID_BYTES_MAX + 2]);

/* ---- plates, counted ---- */

/* One plate of an answer that is about plates, not reads. */
struct pb_tally_plate {
    char text[PB_PLATE_BYTES_MAX];
    uint8_t bytes;
    uint16_t jurisdiction;
    uint32_t reads;
    uint32_t places;                         /* COMMON: a bit for each place */
    uint32_t together, trips, last_sighting; /* ASSOCIATES */
    int64_t first_us, last_us;
    double expected, score;
    bool is_given;
};
struct pb_tally {
    const struct pb_env *env;
    struct pb_tally_plate *plates; /* owned */
    uint32_t *slots;               /* owned: index + 1 of a plate, or 0 */
    uint64_t *hits;                /* owned: plate << 32 | agency, one for each read */
    uint32_t plate_count, plate_room, slot_count;
    uint64_t hit_count, hit_room;
};
void pb_tally_init(struct pb_tally *tally, const struct pb_env *env);
void pb_tally_done(struct pb_tally *tally);
/* Counts a read of a plate by an agency's reader. PB_OVER_LIMIT: more than a question may take. */
PB_MUST_CHECK enum pb_status pb_tally_add(struct pb_tally *tally, const struct pb_read *read,
                                          uint32_t agency, uint32_t *ret_plate,
                                          struct pb_error *error);

/* Indices of plates in an order; wanted says which, NULL: all. The caller frees ret_order. */
typedef bool pb_tally_wanted_fn(const struct pb_tally_plate *plate);
typedef int pb_tally_compare_fn(const struct pb_tally_plate *a, const struct pb_tally_plate *b);
/* By plate, then by jurisdiction: no two are equal. */
int pb_tally_compare_plates(const struct pb_tally_plate *a, const struct pb_tally_plate *b);
PB_MUST_CHECK enum pb_status pb_tally_order(const struct pb_tally *tally,
                                            pb_tally_wanted_fn *wanted,
                                            pb_tally_compare_fn *compare, uint32_t **ret_order,
                                            uint32_t *ret_count);

/* ---- one question on its way ---- */

struct pb_answer {
    const struct pb_env *env;
    struct pb_arena arena; /* decision, texts of rows */
    struct pb_decision decision;
    struct pb_facts *facts; /* owned reference: owners' ids are views into it */
    char log[PB_CATALOG_ID_BYTES_MAX + 1];
    struct pb_receipt receipt;
    struct pb_row *rows; /* owned */
    uint64_t row_count, row_room;
    uint64_t count;
    bool is_truncated; /* more rows than the policy gives */
    struct pb_coverage coverage;
    struct pb_activity *activity; /* borrowed from the site */
    const uint8_t *is_in_scope;   /* arena: one per reader; NULL: as the decision admits origins */
    int64_t from_us, to_us;       /* of what was asked, as far as the decision allows */
    char token[PB_INQUIRY_TOKEN_BYTES_MAX];
    char page[PB_INQUIRY_TOKEN_BYTES_MAX];
    char watermark[33]; /* of an export */
    struct pb_disclosures *disclosures; /* arena: of subject access */
};

struct pb_question {
    struct pb_site *site;
    const struct pb_inquiry *inquiry;
    struct pb_answer *answer;
    const struct pb_facts *facts;
    const struct pb_person *person; /* who asks; NULL where nobody knows them */
    const struct pb_agency *agency; /* theirs */
    uint32_t agency_index;
    struct pb_policy_request request;
    struct pb_case found_case;
    struct pb_str plate; /* folded where it is one whole plate, else as typed */
    uint8_t digest[PB_DIGEST_BYTES];
    int64_t now_us; /* when it was asked: what the decision was made with */
    int64_t started_ns;
    struct pb_sieve sieve;

    /* Tokens that came with it, opened. */
    bool has_confirmed, is_page, uses_approval;
    struct pb_inquiry_token confirmation, page, approval;
    uint8_t confirmation_room[PB_INQUIRY_TOKEN_BYTES_MAX];
    uint8_t page_room[PB_INQUIRY_TOKEN_BYTES_MAX];
    uint8_t approval_room[PB_INQUIRY_TOKEN_BYTES_MAX];

    /* Bounds of this answer. */
    uint64_t count_max;                /* rows past this are not counted */
    uint64_t keep_max;                 /* rows past this are not held */
    uint64_t total_max;                /* rows that the policy gives out in all pages */
    uint32_t *reads_by_agency;         /* arena: one per agency: rows of this page by owner */
    char position[PB_TOKEN_BYTES_MAX]; /* where the store goes on after the last row held */
};

/* Checks the shape, looks up who asks, opens tokens, fills the request. */
PB_MUST_CHECK enum pb_status pb_question_begin(struct pb_question *question,
                                               struct pb_error *error);
/* Once decided: what the sieve lets through. */
PB_MUST_CHECK enum pb_status pb_question_sieve(struct pb_question *question);
/* The leaf that says what is asked, and what was decided. Its texts live as long as the answer. */
PB_MUST_CHECK enum pb_status pb_question_leaf(struct pb_question *question, const char *event,
                                              struct pb_draft *leaf);
/* The leaves that say what is answered, as one commit; nothing is given out before. */
PB_MUST_CHECK enum pb_status pb_question_record_result(struct pb_question *question,
                                                       struct pb_error *error);
/* A copy whose arrays and texts are all in arena. */
PB_MUST_CHECK enum pb_status pb_decision_copy(struct pb_arena *arena,
                                              const struct pb_catalog_view *view,
                                              const struct pb_decision *decision,
                                              struct pb_decision *ret_copy);
/* Who approved the inquiry, if its token says so; and marks it as used, once and for all. */
PB_MUST_CHECK enum pb_status pb_approval_find(struct pb_question *question, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_approval_use(struct pb_question *question, struct pb_error *error);
/* PB_DENIED where the person may not approve what the token stands for. */
PB_MUST_CHECK enum pb_status pb_approver_check(const struct pb_catalog_view *view,
                                               struct pb_str person,
                                               const struct pb_inquiry_token *token, int64_t now_us,
                                               struct pb_error *error);
/* Adds a row (zeroed) to the answer; NULL without memory. */
struct pb_row *pb_answer_add(struct pb_answer *answer);
/* Fills a decided question: counts up to count_max, holds at most keep_max rows. One a kind. */
PB_MUST_CHECK enum pb_status pb_question_reads(struct pb_question *question,
                                               struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_question_plates(struct pb_question *question,
                                                struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_question_common(struct pb_question *question,
                                                struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_question_associates(struct pb_question *question,
                                                    struct pb_error *error);
/* What the agency holds of the plate, and who was given it. */
PB_MUST_CHECK enum pb_status pb_question_subject(struct pb_question *question,
                                                 struct pb_error *error);
/* Makes rows of plates [0, count) of order, from where the page begins on, and counts the reads
 * behind them by owner. */
PB_MUST_CHECK enum pb_status pb_question_give_plates(struct pb_question *question,
                                                     struct pb_tally *tally, const uint32_t *order,
                                                     uint32_t count, struct pb_error *error);
/* The window of a place within what the decision allows; false where nothing is left. */
bool pb_question_window(const struct pb_question *question, const struct pb_place *place,
                        int64_t *ret_from_us, int64_t *ret_to_us);
/* Readers in scope, by position where the question names places. */
PB_MUST_CHECK enum pb_status pb_question_scope(struct pb_question *question);

#endif
