/*
 * Catalog: agencies, people, readers, agreements, cases, and whatever else a decision needs to
 * know.
 *
 * One SQL schema, reached through the small interface of catalog/sql.h; SQLite stands behind it
 * (synchronous=FULL) and takes its own memory from its own allocator. docs/internals/catalog.md.
 * Two ways in:
 *
 *   records  one entity, one row, every field as text and checked: what commands, YAML and the
 *            network use. pb_catalog_entities() describes them, so that nobody lists
 *            fields twice.
 *   view     everything that decisions look at, in memory, immutable and reference counted. A
 *            change (also by another process) makes a new view; who asks holds the one it began
 *            with.
 *
 * The catalog does not decide and does not log; src/inquiry leaves an audit leaf for each change.
 *
 * Threads: every call is safe from any thread; a view never changes.
 * Limits:  base/limits.h, PB_CATALOG_*.
 */
#ifndef PB_CATALOG_CATALOG_H
#define PB_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;
struct pb_catalog;      /* opaque */
struct pb_catalog_view; /* see below */

/* Makes an empty catalog (schema of this version) at path, which must not exist. */
PB_MUST_CHECK enum pb_status pb_catalog_create(const struct pb_env *env, const char *path,
                                               struct pb_error *error);
/* Opens it; migrates an older schema, each step in a transaction whose result is checked.
 * PB_E_VERSION: made by a newer version. PB_E_CORRUPT: fails SQLite's integrity check. */
PB_MUST_CHECK enum pb_status pb_catalog_open(const struct pb_env *env, const char *path,
                                             bool is_read_only, struct pb_catalog **ret_catalog,
                                             struct pb_error *error);
void pb_catalog_close(struct pb_catalog *catalog); /* NULL is fine */
/* A consistent copy at target_path, which must not exist, also while others write. */
PB_MUST_CHECK enum pb_status pb_catalog_backup(struct pb_catalog *catalog, const char *target_path,
                                               struct pb_error *error);

/* ---- records: every entity as fields of text ---- */

enum pb_field_kind {
    PB_FIELD_TEXT,           /* UTF-8 without control characters, without spaces at its ends */
    PB_FIELD_ID,             /* [A-Za-z0-9][A-Za-z0-9._:-]*, at most PB_CATALOG_ID_BYTES_MAX */
    PB_FIELD_NAME,           /* a text without commas, at most PB_CATALOG_ID_BYTES_MAX */
    PB_FIELD_CHOICE,         /* one of choices */
    PB_FIELD_CHOICES,        /* some of choices, comma separated */
    PB_FIELD_LIST,           /* names, comma separated */
    PB_FIELD_BOOL,           /* "yes" or "no"; "true" and "false" are taken too */
    PB_FIELD_NUMBER,         /* number_min to number_max */
    PB_FIELD_NUMBER_OR_NONE, /* the same, or "none" */
    PB_FIELD_TIME,           /* RFC 3339, a date (its first moment in UTC) or "now"; kept as
                            * microseconds, given back as RFC 3339 */
    PB_FIELD_JURISDICTION,   /* ISO 3166: "US-KS" */
    PB_FIELD_DEGREES,        /* number_min to number_max in degrees times 10^7 */
    PB_FIELD_PLATE,          /* folded */
    PB_FIELD_SHA256,         /* 64 hexadecimal digits */
};

struct pb_field {
    const char *name; /* as in YAML and, with dashes, as an option: "capture_state" */
    enum pb_field_kind kind;
    const char *help; /* one sentence without a full stop */
    bool is_required;
    bool is_fixed;              /* may be set when the record is added, not changed later */
    const char *fallback;       /* value where none is given; NULL: empty */
    const char *const *choices; /* ends with NULL */
    const char *refers_to;      /* entity whose id the value must be, or NULL */
    int64_t number_min, number_max;
};

#define PB_ENTITY_FIELDS_MAX 24u

/* fields[0] is "id". An id is unique within its entity; a case's id is "<agency>:<number>", and
 * its agency follows from it. */
struct pb_entity {
    const char *name;   /* "agency" */
    const char *plural; /* "agencies": the key in YAML */
    const char *help;
    const struct pb_field *fields;
    unsigned field_count;
};
/* In an order in which references lead backwards: agency, person, reader, offence, case,
 * agreement, declaration, hold, ... */
const struct pb_entity *pb_catalog_entities(size_t *ret_count);
const struct pb_entity *pb_catalog_entity(const char *name); /* NULL if there is none */
/* Is it what an id can be? 1 to PB_CATALOG_ID_BYTES_MAX letters, digits, and . _ : - within. */
bool pb_catalog_is_id(struct pb_str text);

/* One row. values[i] is NUL-terminated text for fields[i], or NULL where empty. Given an empty
 * text, a field gets its fallback. */
struct pb_record {
    const struct pb_entity *entity;
    const char *values[PB_ENTITY_FIELDS_MAX]; /* borrowed */
};

enum pb_put_mode { PB_PUT_ADD, PB_PUT_CHANGE, PB_PUT_ANY };
/*
 * Checks and writes one record; a NULL value of a change leaves that field as it is.
 *
 * Returns  PB_OK         on disk
 *          PB_BAD_INPUT  error names the field, and what would be right
 *          PB_CONFLICT   add: it exists
 *          PB_NOT_FOUND  change: it does not
 */
PB_MUST_CHECK enum pb_status pb_catalog_put(struct pb_catalog *catalog,
                                            const struct pb_record *record, enum pb_put_mode mode,
                                            struct pb_error *error);
/* PB_CONFLICT: something refers to it (error names what), or it is an agency, a reader or a person
 * past `requested`: these are closed, not removed, so that audit records keep their meaning. */
PB_MUST_CHECK enum pb_status pb_catalog_remove(struct pb_catalog *catalog,
                                               const struct pb_entity *entity, const char *id,
                                               struct pb_error *error);
/* record is borrowed for the call; false stops. Called without a lock: it may call the catalog. */
typedef bool pb_record_fn(void *context, const struct pb_record *record);
/* Calls each with the record; PB_NOT_FOUND without a word where it is not there. */
PB_MUST_CHECK enum pb_status pb_catalog_show(struct pb_catalog *catalog,
                                             const struct pb_entity *entity, const char *id,
                                             pb_record_fn *each, void *context,
                                             struct pb_error *error);
/* All of an entity, by id. */
PB_MUST_CHECK enum pb_status pb_catalog_list(struct pb_catalog *catalog,
                                             const struct pb_entity *entity, pb_record_fn *each,
                                             void *context, struct pb_error *error);
/* Those behind an id, which need not be there; PB_OVER_LIMIT where it is none. */
PB_MUST_CHECK enum pb_status pb_catalog_list_after(struct pb_catalog *catalog,
                                                   const struct pb_entity *entity,
                                                   struct pb_str after, pb_record_fn *each,
                                                   void *context, struct pb_error *error);

/*
 * The whole catalog as YAML (docs/formats/catalog-yaml.md), and back: one transaction, all or
 * nothing; error names line, entity, id and field. An import adds and changes, and removes nothing.
 * ret_text: the caller frees it with pb_free.
 */
PB_MUST_CHECK enum pb_status pb_catalog_to_yaml(struct pb_catalog *catalog, char **ret_text,
                                                size_t *ret_bytes, struct pb_error *error);
struct pb_catalog_changes {
    uint64_t added, changed, same;
};
PB_MUST_CHECK enum pb_status pb_catalog_from_yaml(struct pb_catalog *catalog, const char *text,
                                                  size_t bytes,
                                                  struct pb_catalog_changes *ret_changes,
                                                  struct pb_error *error);

/* ---- small state that is not an entity: (name, key) -> text ----
 * Used for what src/inquiry must remember: approvals, notices, review items, disclosures, rule
 * pack texts. Values are at most PB_CATALOG_NOTE_BYTES_MAX bytes of UTF-8 without NUL; to put an
 * empty one removes the note. name and key are plain text; key is unique within name. */
PB_MUST_CHECK enum pb_status pb_catalog_note_put(struct pb_catalog *catalog, const char *name,
                                                 const char *key, struct pb_str value,
                                                 struct pb_error *error);
/* Only where the value still is `expected` (empty: not there): PB_CONFLICT otherwise. For what may
 * be used once. */
PB_MUST_CHECK enum pb_status pb_catalog_note_swap(struct pb_catalog *catalog, const char *name,
                                                  const char *key, struct pb_str expected,
                                                  struct pb_str value, struct pb_error *error);
/* key ends with a NUL; false stops. Called without a lock: it may call the catalog. */
typedef bool pb_note_fn(void *context, const char *key, struct pb_str value);
PB_MUST_CHECK enum pb_status pb_catalog_notes(struct pb_catalog *catalog, const char *name,
                                              const char *key_prefix, pb_note_fn *each,
                                              void *context, struct pb_error *error);

/* ---- the view ---- */

enum pb_agency_class {
    PB_AGENCY_LOCAL, /* city, county, campus police */
    PB_AGENCY_STATE,
    PB_AGENCY_FEDERAL,
    PB_AGENCY_PRIVATE,
};

#define PB_NO_INDEX UINT32_MAX

/* Kinds of places that a law may keep readers away from; ends with NULL, at most 32. */
extern const char *const pb_place_kinds[];

/* A circle around one, as an agency knows it of where its readers are. */
struct pb_zone {
    uint32_t kind; /* among pb_place_kinds */
    int32_t lat_e7, lon_e7;
    uint32_t radius_m; /* 1 to PB_ZONE_RADIUS_MAX_M */
};
#define PB_ZONE_RADIUS_MAX_M 5000u
/* "school:47.6062:-122.3321:150": kind, latitude, longitude, metres. false: it is none. */
bool pb_zone_read(struct pb_str text, struct pb_zone *ret_zone);

struct pb_agency {
    struct pb_str id, name, ori;
    enum pb_agency_class class;
    uint16_t jurisdiction; /* US-KS; US for a federal one */
    bool contributes;      /* false: a query-only agency, which gives nothing, ever */
    bool is_active;
    bool publishes_figures;
    int32_t retention_days;     /* the owner's own limit; -1: none */
    struct pb_str case_pattern; /* PCRE2 that the whole case number must match; empty: any */
    const struct pb_str *packs; /* ids of rule packs that bind its people when they ask */
    uint32_t pack_count;
    const struct pb_zone *zones; /* in which its readers may not capture, where a law says so */
    uint32_t zone_count;
    int64_t reviewed_at_us; /* end of the newest finished review of its inquiries; 0: never */
    int64_t created_at_us;
};

enum pb_person_status {
    PB_PERSON_REQUESTED,
    PB_PERSON_ACTIVE,
    PB_PERSON_SUSPENDED,
    PB_PERSON_CLOSED
};

/* What a person may do. Kinds of inquiry are separate permissions. */
enum pb_permission {
    PB_MAY_PLATE = 1u << 0,   /* full plate */
    PB_MAY_PATTERN = 1u << 1, /* partial plate, look-alikes, edits */
    PB_MAY_PLACE = 1u << 2,
    PB_MAY_COMMON = 1u << 3, /* common plates */
    PB_MAY_ASSOCIATES = 1u << 4,
    PB_MAY_EXPORT = 1u << 5,
    PB_MAY_CORRECT = 1u << 6,
    PB_MAY_APPROVE = 1u << 7,    /* second person */
    PB_MAY_AUDIT = 1u << 8,      /* open own agency's audit entries, review */
    PB_MAY_ADMINISTER = 1u << 9, /* change the catalog */
    PB_MAY_BREAK_GLASS = 1u << 10,
    PB_MAY_OPERATE = 1u << 11, /* as the operator of the machine: agencies, offences, rule packs,
                                * and whatever the catalog holds */
};

struct pb_person {
    struct pb_str id, name;
    uint32_t agency; /* index into agencies */
    enum pb_person_status status;
    struct pb_str role;   /* investigator, analyst, supervisor, auditor, administrator ... */
    uint32_t permissions; /* of enum pb_permission: by role, plus what was granted */
    int64_t training_valid_until_us;
};

struct pb_reader_entry {
    struct pb_str id;
    uint32_t agency;    /* owner */
    uint32_t origin;    /* index into origins */
    struct pb_str kind; /* fixed, mobile, trailer, handheld, app */
    struct pb_str time_zone;
    int32_t lat_e7, lon_e7; /* or PB_NO_POSITION */
    uint16_t capture_state; /* jurisdiction whose law governs what it sees; 0: not known */
    bool is_active;
};

/* Owner and capture state together: what exclusion rules look at. */
struct pb_origin {
    uint32_t agency;
    uint16_t capture_state;
    uint32_t reader_count;
};

struct pb_agreement {
    struct pb_str id;
    uint32_t owner, asker;         /* agencies */
    const struct pb_str *purposes; /* none: no purpose at all */
    uint32_t purpose_count;
    const uint32_t *readers; /* indices; none: all of the owner's */
    uint32_t reader_count;
    int64_t starts_at_us, ends_at_us;
    bool is_revoked;
};

struct pb_declaration {
    struct pb_str id, subject, signer; /* subject: which promise, as a rule pack names it */
    uint32_t agency;
    uint16_t jurisdiction; /* to whom it is given: US-IL */
    uint8_t text_sha256[32];
    int64_t signed_at_us, expires_at_us;
};

struct pb_offence {
    struct pb_str code, title, class; /* class: felony, gross-misdemeanor, misdemeanor, civil */
    uint16_t jurisdiction;
    int32_t limitation_years; /* -1: no limit */
};

struct pb_hold {
    struct pb_str id, case_number, plate; /* plate empty: any */
    uint32_t agency;                      /* whose case it is */
    const uint32_t *readers;              /* none: any of the owner's */
    uint32_t reader_count;
    uint32_t owner; /* whose reads; PB_NO_INDEX: any */
    int64_t from_us, to_us, expires_at_us;
    bool is_released;
};

struct pb_case {
    struct pb_str number, offence; /* views into caller's arena */
    bool is_open, is_verified;
    int64_t opened_at_us;
};

struct pb_catalog_view {
    uint64_t version;                 /* grows with each change */
    const struct pb_agency *agencies; /* each by id, ascending; so are all below */
    uint32_t agency_count;
    const struct pb_person *people;
    uint32_t person_count;
    const struct pb_reader_entry *readers;
    uint32_t reader_count;
    const struct pb_origin *origins;
    uint32_t origin_count;
    const struct pb_agreement *agreements;
    uint32_t agreement_count;
    const struct pb_declaration *declarations;
    uint32_t declaration_count;
    const struct pb_offence *offences;
    uint32_t offence_count;
    const struct pb_hold *holds;
    uint32_t hold_count;
};

/* The newest view, with a reference that the caller drops. Looks whether anybody, also another
 * process, changed the catalog (some microseconds); to make a new view of 20,000 readers takes
 * about 25 ms, in which others who want one wait. */
PB_MUST_CHECK enum pb_status pb_catalog_view_take(struct pb_catalog *catalog,
                                                  const struct pb_catalog_view **ret_view,
                                                  struct pb_error *error);
void pb_catalog_view_drop(const struct pb_catalog_view *view); /* NULL is fine */

/* Index by id, or PB_NO_INDEX. Readers are found by hash (one look per row of an answer). */
uint32_t pb_view_agency(const struct pb_catalog_view *view, struct pb_str id);
uint32_t pb_view_person(const struct pb_catalog_view *view, struct pb_str id);
uint32_t pb_view_reader(const struct pb_catalog_view *view, struct pb_str id);
uint32_t pb_view_offence(const struct pb_catalog_view *view, struct pb_str code);

struct pb_arena; /* base/arena.h */
/* Cases are many, so they are looked up: PB_OK, PB_NOT_FOUND or a failure. */
PB_MUST_CHECK enum pb_status pb_catalog_case(struct pb_catalog *catalog, struct pb_str agency_id,
                                             struct pb_str number, struct pb_arena *arena,
                                             struct pb_case *ret_case, struct pb_error *error);

#endif
