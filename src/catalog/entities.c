/*
 * Entities: what the catalog holds, described once. Columns, options of the command, YAML keys and
 * checks all come from these tables.
 *
 * To add a field: a number in catalog_private.h, a row here, a migration step in schema.c, and
 * where a decision needs it, a line in view.c.
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "catalog/catalog_private.h"

/* ---- choices ---- */

const char *const pb_agency_classes[] = { "local", "state", "federal", "private", NULL };
const char *const pb_person_statuses[] = { "requested", "active", "suspended", "closed", NULL };
const char *const pb_permission_words[] = { "plate",      "pattern",    "place",       "common",
                                            "associates", "export",     "correct",     "approve",
                                            "audit",      "administer", "break-glass",
                                            "operate",    NULL };

static const char *const open_or_closed[] = { "active", "closed", NULL };
static const char *const case_statuses[] = { "open", "closed", NULL };
static const char *const reader_kinds[] = { "fixed", "mobile", "trailer", "handheld", "app", NULL };
static const char *const offence_classes[] = { "felony", "gross-misdemeanor", "misdemeanor",
                                               "civil", NULL };
static const char *const hold_authorities[] = { "sworn-statement", "court-order", "request", NULL };
static const char *const roles[] = {
    "investigator", "task-force-officer", "analyst", "assistant", "officer", "supervisor",
    "auditor",      "administrator",      "operator", NULL
};

/* Along `roles`. Everything beyond the full plate is granted to a person, never to a role. */
static const uint32_t role_permissions[] = {
    PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT,
    PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT,
    PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT,
    PB_MAY_PLATE | PB_MAY_CORRECT,
    PB_MAY_PLATE | PB_MAY_CORRECT,
    PB_MAY_PLATE | PB_MAY_EXPORT | PB_MAY_CORRECT | PB_MAY_APPROVE,
    PB_MAY_AUDIT,
    PB_MAY_ADMINISTER,
    PB_MAY_ADMINISTER | PB_MAY_OPERATE,
};
static_assert(sizeof(role_permissions) / sizeof(role_permissions[0]) + 1 ==
                  sizeof(roles) / sizeof(roles[0]),
              "a row of permissions for each role");

int
pb_choice_index(const char *const *choices, struct pb_str value)
{
    for (int i = 0; choices[i] != NULL; i++) {
        if (pb_str_equal(pb_str_from(choices[i]), value))
            return i;
    }
    return -1;
}

uint32_t
pb_role_permissions(struct pb_str role)
{
    int index = pb_choice_index(roles, role);

    return index < 0 ? 0 : role_permissions[index];
}

uint32_t
pb_granted_permissions(struct pb_str words)
{
    uint32_t permissions = 0;
    struct pb_str word;

    while (pb_list_next(&words, &word)) {
        int index = pb_choice_index(pb_permission_words, word);

        if (index >= 0)
            permissions |= 1u << index;
    }
    return permissions;
}

/* ---- fields ---- */

/* What every entity begins with. Readers and case numbers are named by others: as NAME. */
#define ID_OF(id_kind, meaning)                                                               \
    {                                                                                         \
        .name = "id", .kind = id_kind, .help = meaning, .is_required = true, .is_fixed = true \
    }
#define ID(meaning) ID_OF(PB_FIELD_ID, meaning)

static const struct pb_field agency_fields[] = {
    [AGENCY_ID] = ID("Short name, also of its audit log"),
    [AGENCY_NAME] = { .name = "name",
                      .kind = PB_FIELD_TEXT,
                      .help = "Name in full",
                      .is_required = true },
    [AGENCY_CLASS] = { .name = "class",
                       .kind = PB_FIELD_CHOICE,
                       .help = "City, county or campus (local), state, federal, or private",
                       .is_required = true,
                       .choices = pb_agency_classes },
    [AGENCY_JURISDICTION] = { .name = "jurisdiction",
                              .kind = PB_FIELD_JURISDICTION,
                              .help = "State whose agency it is, or the country of a federal one",
                              .is_required = true },
    [AGENCY_ORI] = { .name = "ori", .kind = PB_FIELD_ID, .help = "Originating agency identifier" },
    [AGENCY_CONTRIBUTES] = { .name = "contributes",
                             .kind = PB_FIELD_BOOL,
                             .help =
                                 "Whether it gives reads; one that only asks never owns a reader",
                             .is_fixed = true,
                             .fallback = "no" },
    [AGENCY_RETENTION_DAYS] = { .name = "retention_days",
                                .kind = PB_FIELD_NUMBER,
                                .help = "How long it keeps its reads, where the law allows longer",
                                .number_min = 1,
                                .number_max = 36500 },
    [AGENCY_CASE_PATTERN] = { .name = "case_pattern",
                              .kind = PB_FIELD_TEXT,
                              .help =
                                  "Regular expression (PCRE2) that a whole case number matches" },
    [AGENCY_PACKS] = { .name = "packs",
                       .kind = PB_FIELD_LIST,
                       .help = "Rule packs that bind its people when they ask" },
    [AGENCY_REVIEWED_AT] = { .name = "reviewed_at",
                             .kind = PB_FIELD_TIME,
                             .help = "Up to when its inquiries have been reviewed" },
    [AGENCY_STATUS] = { .name = "status",
                        .kind = PB_FIELD_CHOICE,
                        .help = "Nobody asks for a closed one",
                        .fallback = "active",
                        .choices = open_or_closed },
    [AGENCY_CONTACT] = { .name = "contact",
                         .kind = PB_FIELD_TEXT,
                         .help = "Whom to tell of incidents" },
    [AGENCY_PRIVACY_REVIEW] = { .name = "privacy_review",
                                .kind = PB_FIELD_TEXT,
                                .help = "Reference of the privacy review that let it in" },
    [AGENCY_PUBLISHES_FIGURES] = { .name = "publishes_figures",
                                   .kind = PB_FIELD_BOOL,
                                   .help = "Whether anybody may see its figures by month: reads, "
                                           "inquiries, denials, partners, retention, misuse",
                                   .fallback = "no" },
    [AGENCY_ZONES] = { .name = "zones",
                       .kind = PB_FIELD_LIST,
                       .help = "Protected places among its readers, each as "
                               "kind:latitude:longitude:metres; what a law lets nobody capture "
                               "there is not stored" },
    [AGENCY_CREATED_AT] = { .name = "created_at",
                            .kind = PB_FIELD_TIME,
                            .help = "When it was added",
                            .is_fixed = true,
                            .fallback = "now" },
};

static const struct pb_field person_fields[] = {
    [PERSON_ID] = ID("Account name"),
    [PERSON_AGENCY] = { .name = "agency",
                        .kind = PB_FIELD_ID,
                        .help = "For whom the person works",
                        .is_required = true,
                        .is_fixed = true,
                        .refers_to = "agency" },
    [PERSON_NAME] = { .name = "name",
                      .kind = PB_FIELD_TEXT,
                      .help = "Name in full",
                      .is_required = true },
    [PERSON_ROLE] = { .name = "role",
                      .kind = PB_FIELD_CHOICE,
                      .help = "What the person may do before anything is granted",
                      .is_required = true,
                      .choices = roles },
    [PERSON_STATUS] = { .name = "status",
                        .kind = PB_FIELD_CHOICE,
                        .help = "Only an active person can do anything",
                        .fallback = "requested",
                        .choices = pb_person_statuses },
    [PERSON_PERMISSIONS] = { .name = "permissions",
                             .kind = PB_FIELD_CHOICES,
                             .help = "Granted beyond the role",
                             .choices = pb_permission_words },
    [PERSON_TRAINING_VALID_UNTIL] = { .name = "training_valid_until",
                                      .kind = PB_FIELD_TIME,
                                      .help = "Until when the yearly training counts" },
    [PERSON_CONSENT_SHA256] = { .name = "consent_sha256",
                                .kind = PB_FIELD_SHA256,
                                .help = "Hash of the rules of behaviour that the person accepted" },
    [PERSON_CONSENT_AT] = { .name = "consent_at",
                            .kind = PB_FIELD_TIME,
                            .help = "When the person accepted them" },
    [PERSON_REQUESTED_AT] = { .name = "requested_at",
                              .kind = PB_FIELD_TIME,
                              .help = "When the account was asked for",
                              .is_fixed = true,
                              .fallback = "now" },
    [PERSON_APPROVED_BY] = { .name = "approved_by",
                             .kind = PB_FIELD_ID,
                             .help = "Who approved the account: another person",
                             .refers_to = "person" },
    [PERSON_CONTACT] = { .name = "contact",
                         .kind = PB_FIELD_TEXT,
                         .help = "How to reach the person" },
    [PERSON_NOTE] = { .name = "note",
                      .kind = PB_FIELD_TEXT,
                      .help = "Remark, such as why an account is suspended" },
};

static const struct pb_field reader_fields[] = {
    [READER_ID] = ID_OF(PB_FIELD_NAME, "As the reads name it"),
    [READER_AGENCY] = { .name = "agency",
                        .kind = PB_FIELD_ID,
                        .help = "Owner, which must contribute",
                        .is_required = true,
                        .is_fixed = true,
                        .refers_to = "agency" },
    [READER_NAME] = { .name = "name", .kind = PB_FIELD_TEXT, .help = "What people call it" },
    [READER_KIND] = { .name = "kind",
                      .kind = PB_FIELD_CHOICE,
                      .help = "How it stands or moves",
                      .fallback = "fixed",
                      .choices = reader_kinds },
    [READER_LAT] = { .name = "lat",
                     .kind = PB_FIELD_DEGREES,
                     .help = "Latitude, where it stands still",
                     .number_min = -900000000,
                     .number_max = 900000000 },
    [READER_LON] = { .name = "lon",
                     .kind = PB_FIELD_DEGREES,
                     .help = "Longitude",
                     .number_min = -1800000000,
                     .number_max = 1800000000 },
    [READER_TIME_ZONE] = { .name = "time_zone",
                           .kind = PB_FIELD_TEXT,
                           .help = "Name of its time zone, such as America/Chicago" },
    [READER_CAPTURE_STATE] = { .name = "capture_state",
                               .kind = PB_FIELD_JURISDICTION,
                               .help = "State whose law governs what it sees" },
    [READER_STATUS] = { .name = "status",
                        .kind = PB_FIELD_CHOICE,
                        .help = "A closed one sends nothing more; its reads stay",
                        .fallback = "active",
                        .choices = open_or_closed },
    [READER_HEARTBEAT] = { .name = "heartbeat_at",
                           .kind = PB_FIELD_TIME,
                           .help = "Last sign of life" },
    [READER_NOTE] = { .name = "note", .kind = PB_FIELD_TEXT, .help = "Remark" },
};

static const struct pb_field offence_fields[] = {
    [OFFENCE_ID] = ID("Code"),
    [OFFENCE_TITLE] = { .name = "title",
                        .kind = PB_FIELD_TEXT,
                        .help = "What it is called",
                        .is_required = true },
    [OFFENCE_JURISDICTION] = { .name = "jurisdiction",
                               .kind = PB_FIELD_JURISDICTION,
                               .help = "Whose law it is",
                               .is_required = true },
    [OFFENCE_CLASS] = { .name = "class",
                        .kind = PB_FIELD_CHOICE,
                        .help = "How grave it is",
                        .is_required = true,
                        .choices = offence_classes },
    [OFFENCE_LIMITATION_YEARS] = { .name = "limitation_years",
                                   .kind = PB_FIELD_NUMBER_OR_NONE,
                                   .help = "Statute of limitations in years; none: no limit",
                                   .is_required = true,
                                   .number_min = 0,
                                   .number_max = 99 },
};

static const struct pb_field case_fields[] = {
    [CASE_ID] = ID_OF(PB_FIELD_NAME, "Agency, a colon and the case number"),
    [CASE_AGENCY] = { .name = "agency",
                      .kind = PB_FIELD_ID,
                      .help = "Whose case it is; follows from the id",
                      .is_fixed = true,
                      .refers_to = "agency" },
    [CASE_OFFENCE] = { .name = "offence",
                       .kind = PB_FIELD_ID,
                       .help = "What is investigated",
                       .refers_to = "offence" },
    [CASE_STATUS] = { .name = "status",
                      .kind = PB_FIELD_CHOICE,
                      .help = "Whether it goes on",
                      .fallback = "open",
                      .choices = case_statuses },
    [CASE_VERIFIED] = { .name = "verified",
                        .kind = PB_FIELD_BOOL,
                        .help = "Whether the case system confirmed it",
                        .fallback = "no" },
    [CASE_OPENED_AT] = { .name = "opened_at",
                         .kind = PB_FIELD_TIME,
                         .help = "When it was opened",
                         .fallback = "now" },
    [CASE_NOTE] = { .name = "note", .kind = PB_FIELD_TEXT, .help = "Remark" },
};

static const struct pb_field agreement_fields[] = {
    [AGREEMENT_ID] = ID("Reference"),
    [AGREEMENT_OWNER] = { .name = "owner",
                          .kind = PB_FIELD_ID,
                          .help = "Agency whose reads may be asked for",
                          .is_required = true,
                          .is_fixed = true,
                          .refers_to = "agency" },
    [AGREEMENT_ASKER] = { .name = "asker",
                          .kind = PB_FIELD_ID,
                          .help = "Agency that may ask",
                          .is_required = true,
                          .is_fixed = true,
                          .refers_to = "agency" },
    [AGREEMENT_PURPOSES] = { .name = "purposes",
                             .kind = PB_FIELD_LIST,
                             .help = "Reason codes that it covers; none: it covers nothing" },
    [AGREEMENT_READERS] = { .name = "readers",
                            .kind = PB_FIELD_LIST,
                            .help = "The owner's readers that it covers; none given: all of them",
                            .refers_to = "reader" },
    [AGREEMENT_STARTS_AT] = { .name = "starts_at",
                              .kind = PB_FIELD_TIME,
                              .help = "From when on",
                              .fallback = "now" },
    [AGREEMENT_ENDS_AT] = { .name = "ends_at",
                            .kind = PB_FIELD_TIME,
                            .help = "First moment at which it no longer holds",
                            .is_required = true },
    [AGREEMENT_REVOKED] = { .name = "revoked",
                            .kind = PB_FIELD_BOOL,
                            .help = "Whether it was taken back",
                            .fallback = "no" },
    [AGREEMENT_NOTE] = { .name = "note", .kind = PB_FIELD_TEXT, .help = "Remark" },
};

static const struct pb_field declaration_fields[] = {
    [DECLARATION_ID] = ID("Reference"),
    [DECLARATION_AGENCY] = { .name = "agency",
                             .kind = PB_FIELD_ID,
                             .help = "Who declares",
                             .is_required = true,
                             .is_fixed = true,
                             .refers_to = "agency" },
    [DECLARATION_JURISDICTION] = { .name = "jurisdiction",
                                   .kind = PB_FIELD_JURISDICTION,
                                   .help = "State to whose agencies it is given",
                                   .is_required = true },
    [DECLARATION_SUBJECT] = { .name = "subject",
                              .kind = PB_FIELD_ID,
                              .help = "Which promise, as a rule pack names it",
                              .is_required = true },
    [DECLARATION_SIGNER] = { .name = "signer",
                             .kind = PB_FIELD_TEXT,
                             .help = "Who signed it, with office",
                             .is_required = true },
    [DECLARATION_TEXT_SHA256] = { .name = "text_sha256",
                                  .kind = PB_FIELD_SHA256,
                                  .help = "Hash of the signed text",
                                  .is_required = true },
    [DECLARATION_SIGNED_AT] = { .name = "signed_at",
                                .kind = PB_FIELD_TIME,
                                .help = "When it was signed",
                                .is_required = true },
    [DECLARATION_EXPIRES_AT] = { .name = "expires_at",
                                 .kind = PB_FIELD_TIME,
                                 .help = "First moment at which it no longer counts",
                                 .is_required = true },
};

static const struct pb_field hold_fields[] = {
    [HOLD_ID] = ID("Reference"),
    [HOLD_AGENCY] = { .name = "agency",
                      .kind = PB_FIELD_ID,
                      .help = "Who asked that reads be kept",
                      .is_required = true,
                      .is_fixed = true,
                      .refers_to = "agency" },
    [HOLD_CASE] = { .name = "case",
                    .kind = PB_FIELD_NAME,
                    .help = "For which of its cases: the case's id",
                    .is_required = true,
                    .is_fixed = true,
                    .refers_to = "case" },
    [HOLD_AUTHORITY] = { .name = "authority",
                         .kind = PB_FIELD_CHOICE,
                         .help = "By what right",
                         .is_required = true,
                         .choices = hold_authorities },
    [HOLD_FACTS] = { .name = "facts",
                     .kind = PB_FIELD_TEXT,
                     .help = "The facts that it rests on",
                     .is_required = true },
    [HOLD_PLATE] = { .name = "plate",
                     .kind = PB_FIELD_PLATE,
                     .help = "Only reads of this plate; none given: any" },
    [HOLD_READERS] = { .name = "readers",
                       .kind = PB_FIELD_LIST,
                       .help = "Only reads of these readers; none given: any",
                       .refers_to = "reader" },
    [HOLD_OWNER] = { .name = "owner",
                     .kind = PB_FIELD_ID,
                     .help = "Only reads of this agency; none given: any",
                     .refers_to = "agency" },
    [HOLD_FROM] = { .name = "from",
                    .kind = PB_FIELD_TIME,
                    .help = "First moment of what is kept",
                    .is_required = true },
    [HOLD_TO] = { .name = "to",
                  .kind = PB_FIELD_TIME,
                  .help = "First moment after it",
                  .is_required = true },
    [HOLD_EXPIRES_AT] = { .name = "expires_at",
                          .kind = PB_FIELD_TIME,
                          .help = "First moment at which it no longer holds",
                          .is_required = true },
    [HOLD_RELEASED] = { .name = "released",
                        .kind = PB_FIELD_BOOL,
                        .help = "Whether it was lifted",
                        .fallback = "no" },
};

#define FIELDS(table, count) .fields = (table), .field_count = (count)

static const struct pb_entity entities[] = {
    [PB_ENTITY_AGENCY] = { .name = "agency",
                           .plural = "agencies",
                           .help = "A tenant: one legal entity that gives reads, or only asks",
                           FIELDS(agency_fields, AGENCY_FIELDS) },
    [PB_ENTITY_PERSON] = { .name = "person",
                           .plural = "people",
                           .help = "Somebody of an agency, with an account",
                           FIELDS(person_fields, PERSON_FIELDS) },
    [PB_ENTITY_READER] = { .name = "reader",
                           .plural = "readers",
                           .help = "A camera or unit that makes reads",
                           FIELDS(reader_fields, READER_FIELDS) },
    [PB_ENTITY_OFFENCE] = { .name = "offence",
                            .plural = "offences",
                            .help = "A crime or civil matter, and its statute of limitations",
                            FIELDS(offence_fields, OFFENCE_FIELDS) },
    [PB_ENTITY_CASE] = { .name = "case",
                         .plural = "cases",
                         .help = "An investigation of an agency",
                         FIELDS(case_fields, CASE_FIELDS) },
    [PB_ENTITY_AGREEMENT] = { .name = "agreement",
                              .plural = "agreements",
                              .help = "One agency lets another ask over its reads",
                              FIELDS(agreement_fields, AGREEMENT_FIELDS) },
    [PB_ENTITY_DECLARATION] = { .name = "declaration",
                                .plural = "declarations",
                                .help = "A signed promise that a state's law asks for",
                                FIELDS(declaration_fields, DECLARATION_FIELDS) },
    [PB_ENTITY_HOLD] = { .name = "hold",
                         .plural = "holds",
                         .help = "Reads that are kept past their date",
                         FIELDS(hold_fields, HOLD_FIELDS) },
};

const struct pb_entity *
pb_catalog_entities(size_t *ret_count)
{
    *ret_count = PB_ENTITY_COUNT;
    return entities;
}

const struct pb_entity *
pb_catalog_entity(const char *name)
{
    for (size_t i = 0; i < PB_ENTITY_COUNT; i++) {
        if (strcmp(entities[i].name, name) == 0)
            return &entities[i];
    }
    return NULL;
}
