/*
 * Catalog, what its own files share.
 *
 *   entities.c  the tables that describe each entity       field.c   one field: text <-> value
 *   rules.c     what must hold between fields and records  schema.c  SQL from the tables; migration
 *   catalog.c   open, close, backup, connections           record.c  put, remove, show, list
 *   notes.c     small state                                view.c    everything in memory
 *   yaml_export.c, yaml_import.c
 */
#ifndef PB_CATALOG_CATALOG_PRIVATE_H
#define PB_CATALOG_CATALOG_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "catalog/catalog.h"
#include "catalog/sql.h"

/* ---- entities: numbers of rows and fields of the tables in entities.c ---- */

enum pb_entity_number {
    PB_ENTITY_AGENCY,
    PB_ENTITY_PERSON,
    PB_ENTITY_READER,
    PB_ENTITY_OFFENCE,
    PB_ENTITY_CASE,
    PB_ENTITY_AGREEMENT,
    PB_ENTITY_DECLARATION,
    PB_ENTITY_HOLD,
    PB_ENTITY_COUNT
};

enum { FIELD_ID }; /* of every entity */
enum {
    AGENCY_ID, AGENCY_NAME, AGENCY_CLASS, AGENCY_JURISDICTION, AGENCY_ORI, AGENCY_CONTRIBUTES,
    AGENCY_RETENTION_DAYS, AGENCY_CASE_PATTERN, AGENCY_PACKS, AGENCY_REVIEWED_AT, AGENCY_STATUS,
    AGENCY_CONTACT, AGENCY_PRIVACY_REVIEW, AGENCY_PUBLISHES_FIGURES,
    AGENCY_ZONES, AGENCY_CREATED_AT, AGENCY_FIELDS
};
enum {
    PERSON_ID, PERSON_AGENCY, PERSON_NAME, PERSON_ROLE, PERSON_STATUS, PERSON_PERMISSIONS,
    PERSON_TRAINING_VALID_UNTIL, PERSON_CONSENT_SHA256, PERSON_CONSENT_AT, PERSON_REQUESTED_AT,
    PERSON_APPROVED_BY, PERSON_CONTACT, PERSON_NOTE,
    PERSON_FIELDS
};
enum {
    READER_ID, READER_AGENCY, READER_NAME, READER_KIND, READER_LAT, READER_LON, READER_TIME_ZONE,
    READER_CAPTURE_STATE, READER_STATUS, READER_HEARTBEAT, READER_NOTE,
    READER_FIELDS
};
enum {
    OFFENCE_ID, OFFENCE_TITLE, OFFENCE_JURISDICTION, OFFENCE_CLASS, OFFENCE_LIMITATION_YEARS,
    OFFENCE_FIELDS
};
enum {
    CASE_ID, CASE_AGENCY, CASE_OFFENCE, CASE_STATUS, CASE_VERIFIED, CASE_OPENED_AT, CASE_NOTE,
    CASE_FIELDS
};
enum {
    AGREEMENT_ID, AGREEMENT_OWNER, AGREEMENT_ASKER, AGREEMENT_PURPOSES, AGREEMENT_READERS,
    AGREEMENT_STARTS_AT, AGREEMENT_ENDS_AT, AGREEMENT_REVOKED, AGREEMENT_NOTE,
    AGREEMENT_FIELDS
};
enum {
    DECLARATION_ID, DECLARATION_AGENCY, DECLARATION_JURISDICTION, DECLARATION_SUBJECT,
    DECLARATION_SIGNER, DECLARATION_TEXT_SHA256, DECLARATION_SIGNED_AT, DECLARATION_EXPIRES_AT,
    DECLARATION_FIELDS
};
enum {
    HOLD_ID, HOLD_AGENCY, HOLD_CASE, HOLD_AUTHORITY, HOLD_FACTS, HOLD_PLATE, HOLD_READERS,
    HOLD_OWNER, HOLD_FROM, HOLD_TO, HOLD_EXPIRES_AT, HOLD_RELEASED,
    HOLD_FIELDS
};

static inline enum pb_entity_number
pb_entity_number(const struct pb_entity *entity)
{
    size_t count;

    return (enum pb_entity_number)(entity - pb_catalog_entities(&count));
}

/* enum pb_agency_class, enum pb_person_status and, as bits, enum pb_permission count along
 * these. */
extern const char *const pb_agency_classes[];
extern const char *const pb_person_statuses[];
extern const char *const pb_permission_words[];
/* What a role may do before anything is granted; 0 for an unknown one. */
uint32_t pb_role_permissions(struct pb_str role);
uint32_t pb_granted_permissions(struct pb_str words);
/* Where value stands in choices, or -1. */
int pb_choice_index(const char *const *choices, struct pb_str value);

/* ---- values ---- */

/* A field's content as it is stored: a number for the kinds that pb_kind_is_number names (times in
 * microseconds, degrees times 10^7, 0 and 1 for no and yes, -1 for "none"), else canonical text
 * that ends with a NUL. */
struct pb_value {
    bool is_set;
    int64_t number;
    struct pb_str text;
};
struct pb_tuple {
    const struct pb_entity *entity;
    struct pb_value values[PB_ENTITY_FIELDS_MAX];
};

bool pb_kind_is_number(enum pb_field_kind kind);
/* Text as a person gave it; empty is not set. PB_BAD_INPUT: error says what would be right, without
 * the field's name. "now" is a time. */
PB_MUST_CHECK enum pb_status pb_field_parse(struct pb_arena *arena, const struct pb_field *field,
                                            struct pb_str text, int64_t now_us,
                                            struct pb_value *ret_value, struct pb_error *error);
/* The value as text that parses to the same; NULL where not set. */
PB_MUST_CHECK enum pb_status pb_field_format(struct pb_arena *arena, const struct pb_field *field,
                                             const struct pb_value *value, const char **ret_text);
bool pb_value_equal(const struct pb_value *a, const struct pb_value *b);
/* Takes the next of a comma separated list; false at its end. */
/* [-] digits [. up to 18 digits], as a whole number of 10^-decimals; what is past them is cut. */
bool pb_decimal_read(struct pb_str text, unsigned decimals, int64_t *ret_number);
bool pb_list_next(struct pb_str *list, struct pb_str *ret_item);
PB_MUST_CHECK enum pb_status pb_copy_text(struct pb_arena *arena, struct pb_str text,
                                          struct pb_str *ret_copy); /* with a NUL */

/* ---- connections ---- */

/* Statements of one connection: for each entity the first few, then the rest. */
enum pb_entity_statement {
    STATEMENT_GET,    /* $1 id */
    STATEMENT_PAGE,   /* $1 id; the next rows after it */
    STATEMENT_ALL,
    STATEMENT_COUNT,
    STATEMENT_PUT,    /* $1 ... all fields */
    STATEMENT_REMOVE, /* $1 id */
    ENTITY_STATEMENTS
};
enum {
    STATEMENT_VERSION = (int)PB_ENTITY_COUNT * (int)ENTITY_STATEMENTS,
    STATEMENT_BUMP,
    STATEMENT_ORIGINS,
    STATEMENT_NOTE_GET,
    STATEMENT_NOTE_PUT,
    STATEMENT_NOTE_REMOVE,
    STATEMENT_NOTE_PAGE,
    STATEMENTS
};
#define PB_PAGE_ROWS 256
#define PB_NOTE_PAGE_ROWS 16

/* One connection and what guards it. */
struct pb_side {
    pthread_mutex_t lock;
    const struct pb_sql_ops *ops; /* borrowed */
    struct pb_sql *sql;           /* owned; NULL on the writing side of a catalog open to read */
    struct pb_sql_statement *statements[STATEMENTS]; /* owned; NULL until first used */
};

struct pb_view; /* view.c */

/*
 * Reading and writing have a connection each, so that asking never waits for a commit's sync.
 * At most one of the two locks is held at a time.
 */
struct pb_catalog {
    const struct pb_env *env; /* borrowed */
    const struct pb_sql_ops *ops;
    char *path;               /* owned */
    struct pb_side read, write;
    struct pb_view *view;     /* one reference; guarded by read.lock; NULL until first taken */
    int64_t seen_data_version; /* guarded by read.lock: at which view was last known to be newest */
};

/* Numbered steps that bring a database of an older version to this one; steps[0] leads from 1 to
 * 2. A test brings its own. */
struct pb_schema {
    int64_t version; /* 1 + step_count */
    const char *const *steps;
    size_t step_count;
};
const struct pb_schema *pb_catalog_schema(void);

/* As the calls of catalog.h, on another database or with another history. */
PB_MUST_CHECK enum pb_status pb_catalog_create_on(const struct pb_env *env,
                                                  const struct pb_sql_ops *ops, const char *path,
                                                  struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_catalog_open_on(const struct pb_env *env,
                                                const struct pb_sql_ops *ops,
                                                const struct pb_schema *schema, const char *path,
                                                bool is_read_only,
                                                struct pb_catalog **ret_catalog,
                                                struct pb_error *error);

/* Writes the schema of this version into an empty database; in a transaction of its own. */
PB_MUST_CHECK enum pb_status pb_schema_create(struct pb_side *side, struct pb_error *error);
/* Brings an older database up, each step in a transaction. PB_E_VERSION: it is newer, or it is
 * older and may not be written. */
PB_MUST_CHECK enum pb_status pb_schema_migrate(struct pb_side *side,
                                               const struct pb_schema *schema, bool is_read_only,
                                               struct pb_error *error);
/* PB_E_CORRUPT where a table lacks a column that its entity has. */
PB_MUST_CHECK enum pb_status pb_schema_check(struct pb_side *side, struct pb_error *error);

/* side->lock is held by whoever calls these. A statement that comes from here is reset. */
PB_MUST_CHECK enum pb_status pb_side_statement(struct pb_side *side, unsigned number,
                                               struct pb_sql_statement **ret_statement,
                                               struct pb_error *error);
static inline unsigned
pb_statement_number(const struct pb_entity *entity, enum pb_entity_statement statement)
{
    return (unsigned)pb_entity_number(entity) * ENTITY_STATEMENTS + (unsigned)statement;
}
/* Runs a statement that gives no rows, then resets it. */
PB_MUST_CHECK enum pb_status pb_side_run(struct pb_side *side, struct pb_sql_statement *statement,
                                         struct pb_error *error);
/* A row of STATEMENT_GET, _PAGE or _ALL. */
PB_MUST_CHECK enum pb_status pb_side_row(struct pb_side *side, struct pb_arena *arena,
                                         struct pb_sql_statement *statement,
                                         const struct pb_entity *entity,
                                         struct pb_tuple *ret_tuple, struct pb_error *error);
/* PB_OK, PB_NOT_FOUND (without a word) or a failure. */
PB_MUST_CHECK enum pb_status pb_side_find(struct pb_side *side, struct pb_arena *arena,
                                          const struct pb_entity *entity, struct pb_str id,
                                          struct pb_tuple *ret_tuple, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_side_version(struct pb_side *side, uint64_t *ret_version,
                                             struct pb_error *error);

/* Locks the writing side and begins; PB_E_IO where the catalog is open to read. end commits where
 * status is PB_OK, else rolls back; unlocks; returns what became of it. */
PB_MUST_CHECK enum pb_status pb_catalog_begin(struct pb_catalog *catalog, struct pb_error *error);
PB_MUST_CHECK enum pb_status pb_catalog_end(struct pb_catalog *catalog, enum pb_status status,
                                            struct pb_error *error);

/* ---- records ---- */

/* One record on its way in, within a transaction of the writing side. */
struct pb_put {
    struct pb_catalog *catalog;
    struct pb_arena *arena;
    const struct pb_entity *entity;
    bool exists;
    bool checks_own_kind; /* references to the same entity; an import checks them at its end */
    struct pb_tuple before, after;
    unsigned wrong_field; /* where the status is PB_BAD_INPUT */
    struct pb_error *error;
};
enum pb_put_outcome { PB_PUT_ADDED, PB_PUT_CHANGED, PB_PUT_SAME };
PB_MUST_CHECK enum pb_status pb_put_record(struct pb_put *put, const struct pb_record *record,
                                           enum pb_put_mode mode,
                                           enum pb_put_outcome *ret_outcome);
/* Do the references lead somewhere: those to other entities, or those to its own. */
PB_MUST_CHECK enum pb_status pb_put_check_references(struct pb_put *put, bool to_own_kind);
/* PB_BAD_INPUT with entity, id and field before what is wrong. */
enum pb_status pb_put_fail(struct pb_put *put, unsigned field, const char *format, ...)
    PB_PRINTF(3, 4);
/* What must hold between the fields of put->after, and records that it refers to. */
PB_MUST_CHECK enum pb_status pb_rules_of_record(struct pb_put *put);
/* Fills fields that follow from others. */
PB_MUST_CHECK enum pb_status pb_rules_derive(struct pb_put *put);

PB_MUST_CHECK enum pb_status pb_record_from_tuple(struct pb_arena *arena,
                                                  const struct pb_tuple *tuple,
                                                  struct pb_record *ret_record);

/* view.c; read.lock is not needed: the catalog is being closed. */
void pb_view_forget(struct pb_catalog *catalog);

#endif
