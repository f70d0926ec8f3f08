/*
 * Site: one data directory, opened: reads, catalog, rules and audit logs together.
 *
 *   DIR/SITE           format and version, one line
 *   DIR/catalog.db     src/catalog
 *   DIR/reads/         src/store
 *   DIR/audit/         src/audit: DIR/audit/public/<log>/ is what outsiders may fetch
 *   DIR/keys/          private keys, each file 0600
 *   DIR/rules/         rule packs beside the shipped ones (YAML), if any
 *   DIR/rejects/       what imports could not store
 *   DIR/witnesses, DIR/checkpoint-copies   whose word the audit logs need (outside.c), if any
 *
 * Threads: every call is safe from any thread.
 */
#ifndef PB_INQUIRY_SITE_H
#define PB_INQUIRY_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/status.h>
#include <platebase/store.h>

#include "catalog/catalog.h"
#include "policy/policy.h"

struct pb_audit;
struct pb_witness_policy;
struct pb_witnesses;
struct pb_site; /* opaque */

/* Makes DIR (new or empty) with an operator's log, the shipped rules and no agency. */
PB_MUST_CHECK enum pb_status pb_site_create(const struct pb_env *env, const char *path,
                                            struct pb_error *error);

enum pb_site_mode {
    PB_SITE_ASK,   /* store read only, so that asking goes on while another process writes; audit
                     * and catalog for writing */
    PB_SITE_WRITE, /* everything for writing */
    PB_SITE_LOOK,  /* everything read only: nothing governed can be asked */
};
struct pb_site_options {
    enum pb_site_mode mode;
    bool skips_damaged;
    bool publishes_by_hand; /* this and what follows as in struct pb_audit_options */
    const char *holder;
    bool (*on_busy)(void *context, const char *holder);
    void *busy_context;
    bool without_copies; /* opens though the directory for copies of checkpoints is missing */
    uint64_t memory_bytes;
    bool merges_in_background; /* for who stays: segments are kept few; only with PB_SITE_WRITE */
    /* Told, from any thread, when a log's checkpoint begins to wait for witnesses; or NULL. */
    void (*waits)(void *context, const char *log, const char *why);
    void *waits_context;
    void (*fails_to_publish)(void *context, const char *why); /* as in struct pb_audit_options */
    void *fails_context;
};
PB_MUST_CHECK enum pb_status pb_site_open(const struct pb_env *env, const char *path,
                                          const struct pb_site_options *options,
                                          struct pb_site **ret_site, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_site_close(struct pb_site *site, struct pb_error *error);

/* Borrowed. The store is for writing, care and backups: only src/inquiry asks it. */
struct pb_store *pb_site_store(struct pb_site *site);
struct pb_catalog *pb_site_catalog(struct pb_site *site);
struct pb_audit *pb_site_audit(struct pb_site *site);
/* Holds a reference that the caller drops with pb_rules_unref. */
struct pb_rules *pb_site_rules(struct pb_site *site);

/* Whether a person, by index into the view, is active, trained and permitted (one of the bits of
 * permission is enough). PB_NO_INDEX: nobody. */
bool pb_view_may(const struct pb_catalog_view *view, uint32_t person, uint32_t permission,
                 int64_t now_us);

/* A key of its own for a purpose (static text), which follows from one that lies in DIR/keys. Not
 * for PB_SITE_LOOK. */
void pb_site_subkey(const struct pb_site *site, const char *purpose, uint8_t ret_key[32]);

/* ---- changes of the catalog, each with its leaf ---- */

/* Who changes something: a person of the catalog, or NULL for the operator of the machine. */
struct pb_actor {
    const char *person; /* id, or NULL */
    const char *seen;   /* mark of the record as they saw it; NULL: however it is now */
};
/*
 * As pb_catalog_put and pb_catalog_remove; the leaf (entity, id, names of fields, digests of the
 * record before and after) is synced before the change is made. Adding an agency adds its log.
 *
 * Who may is in docs/internals/inquiry.md; besides those of the catalog, it returns
 *          PB_DENIED     they may not; nothing changed, and nothing is told of the record
 *          PB_NOT_FOUND  it is not there, or not there for them
 *          PB_EXPIRED    it is no longer as they saw it
 */
PB_MUST_CHECK enum pb_status pb_site_put(struct pb_site *site, const struct pb_actor *actor,
                                         const struct pb_record *record, enum pb_put_mode mode,
                                         struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_site_remove(struct pb_site *site, const struct pb_actor *actor,
                                            const struct pb_entity *entity, const char *id,
                                            struct pb_error *error);
/* As pb_catalog_show and pb_catalog_list_after, of what is there for who looks. */
PB_MUST_CHECK enum pb_status pb_site_show(struct pb_site *site, const struct pb_actor *actor,
                                          const struct pb_entity *entity, const char *id,
                                          pb_record_fn *each, void *context,
                                          struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_site_list(struct pb_site *site, const struct pb_actor *actor,
                                          const struct pb_entity *entity, struct pb_str after,
                                          pb_record_fn *each, void *context,
                                          struct pb_error *error);
/* Tells one state of a record from another: hexadecimal digits and a NUL. */
#define PB_RECORD_MARK_BYTES 33u
void pb_site_record_mark(const struct pb_record *record, char ret_mark[PB_RECORD_MARK_BYTES]);
/* PB_OK, or PB_DENIED: may they administer what belongs to the agency, or operate? */
PB_MUST_CHECK enum pb_status pb_site_may_administer(struct pb_site *site,
                                                    const struct pb_actor *actor,
                                                    struct pb_str agency, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_site_may_operate(struct pb_site *site, const struct pb_actor *actor,
                                                 struct pb_error *error);
/* The whole catalog, for who operates; a person's taking it is a leaf. The caller frees it. */
PB_MUST_CHECK enum pb_status pb_site_export_yaml(struct pb_site *site, const struct pb_actor *actor,
                                                 char **ret_text, size_t *ret_bytes,
                                                 struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_site_import_yaml(struct pb_site *site, const struct pb_actor *actor,
                                                 const char *text, size_t bytes,
                                                 struct pb_catalog_changes *ret_changes,
                                                 struct pb_error *error);
/* Adds or replaces a rule pack in DIR/rules; then restamps what the change shortens. */
PB_MUST_CHECK enum pb_status pb_site_put_pack(struct pb_site *site, const struct pb_actor *actor,
                                              const char *name, const char *text, size_t bytes,
                                              struct pb_error *error);

/* ---- what the audit logs answer to outside ---- */

/* NULL: none. Borrowed until the site is closed; as of its opening. */
const struct pb_witnesses *pb_site_witnesses(const struct pb_site *site);
const char *pb_site_copies(const struct pb_site *site);
/* Puts a trust policy in place (empty: takes it away), or the directory to which checkpoints are
 * copied (NULL: none), with a leaf; it holds from the next opening on. */
PB_MUST_CHECK enum pb_status pb_site_put_witnesses(struct pb_site *site, struct pb_str text,
                                                   struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_site_put_copies(struct pb_site *site, const char *path,
                                                struct pb_error *error);
/* The policy of a site that is not open; PB_NOT_FOUND: none. */
PB_MUST_CHECK enum pb_status pb_outside_read_witnesses(const struct pb_env *env,
                                                       const char *site_path,
                                                       struct pb_witness_policy *ret_policy,
                                                       struct pb_error *error);
/* As pb_audit_restart, of a site that is not open. */
PB_MUST_CHECK enum pb_status pb_site_restart_log(const struct pb_env *env, const char *path,
                                                 const char *log, struct pb_error *error);

/* ---- retention ---- */

/* Stamps reads on their way in: sets delete_after_us from owner and capture state. One per thread;
 * holds the view and rules that it began with. */
struct pb_stamper; /* opaque */
/* agency: owner of readers that the catalog does not know (they are added, with capture_state), or
 * NULL: then the only contributing agency; where there is none or several, such reads are refused.
 * */
PB_MUST_CHECK enum pb_status pb_stamper_new(struct pb_site *site, const char *agency,
                                            uint16_t capture_state, struct pb_stamper **ret_stamper,
                                            struct pb_error *error);
/* Readers that the catalog did not know are added many at a time, each time with a leaf; call this
 * before reads are told to be stored, so that all of them can be found. */
PB_MUST_CHECK enum pb_status pb_stamper_flush(struct pb_stamper *stamper, struct pb_error *error);
void pb_stamper_free(struct pb_stamper *stamper); /* flushes, as far as it can; NULL is fine */
/*
 * delete_after_us becomes the sooner of what it was and of what the rules say, or a legal hold's
 * end where that is later.
 *
 * Returns  PB_OK         delete_after_us is set
 *          PB_EXPIRED    its time is over, or so short that it is never written to disk, or it was
 *                        captured where the law lets nobody capture; where ret_reason is
 *                        pb_stamp_never_stored or pb_stamp_in_zone nobody may write it anywhere,
 *                        also not where rejects go
 *          PB_BAD_INPUT  nobody owns its reader, or the owner contributes nothing
 *          a failure     a new reader could not be added (error is filled only then)
 * ret_reason is set, and static, on PB_EXPIRED and PB_BAD_INPUT.
 */
extern const char pb_stamp_never_stored[], pb_stamp_in_zone[];
PB_MUST_CHECK enum pb_status pb_stamper_stamp(struct pb_stamper *stamper, struct pb_read *read,
                                              const char **ret_reason, struct pb_error *error);
/* The same in two steps, of which the first lets what is known of the reader come near while other
 * reads are stamped; it returns what the second wants. */
uint64_t pb_stamper_fetch(const struct pb_stamper *stamper, const struct pb_read *read);
PB_MUST_CHECK enum pb_status pb_stamper_stamp_fetched(struct pb_stamper *stamper, uint64_t fetched,
                                                      struct pb_read *read, const char **ret_reason,
                                                      struct pb_error *error);

/* One receipt line: reads of one agency captured on one day that are gone. */
struct pb_purge_receipt_line {
    struct pb_str agency;
    int32_t day;     /* since 1970-01-01 */
    const char *why; /* static: "expired", "erased" or "zone" */
    uint64_t reads;
};
typedef bool pb_purge_receipt_fn(void *context, const struct pb_purge_receipt_line *line);
/* Brings stored dates in line with today's rules and holds, then removes what has expired; the
 * receipt is a leaf of the operator's log and of each agency's. ret_counts->reads_removed is the
 * receipt's sum: what merges removed since the receipt before counts as well. */
PB_MUST_CHECK enum pb_status pb_site_purge(struct pb_site *site, const struct pb_actor *actor,
                                           const struct pb_progress *progress,
                                           pb_purge_receipt_fn *each, void *context,
                                           struct pb_purge_counts *ret_counts,
                                           struct pb_error *error);
/* Erases reads for good, after a leaf of the operator's log that says who, why and which. Who
 * operates has it done. PB_DENIED: the person may not; PB_BAD_INPUT: why is missing. */
PB_MUST_CHECK enum pb_status pb_site_erase(struct pb_site *site, const struct pb_actor *actor,
                                           struct pb_str why, const struct pb_erasure *erasure,
                                           struct pb_error *error);
/* Destroys the keys of what may not be opened any longer, with a leaf of the operator's log where
 * any went. */
PB_MUST_CHECK enum pb_status pb_site_destroy_expired(struct pb_site *site, uint64_t *ret_terms,
                                                     struct pb_error *error);
/* A copy of all of DIR but keys/ and rejects/, in a new directory. What is restored from it can be
 * looked at (PB_SITE_LOOK); for asking, keys/ is put beside it, and then it is refused where the
 * audit logs went on after the backup was made. */
PB_MUST_CHECK enum pb_status pb_site_backup(struct pb_site *site, const char *target_path,
                                            const struct pb_progress *progress,
                                            struct pb_error *error);

#endif
