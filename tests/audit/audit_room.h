/*
 * Audit room: what tests of src/audit share. A room is a directory of logs on some environment,
 * and leaves that are made of numbers.
 */
#ifndef PB_TESTS_AUDIT_ROOM_H
#define PB_TESTS_AUDIT_ROOM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/env.h"
#include "base/text.h"

#define ROOM_PATH "data/audit"
#define ROOM_KEYS "data/keys"
#define ROOM_SECRETS 3u

/* A leaf that says its number, and hides a plate, a case and a reason. */
struct room_leaf {
    char plate[16], case_number[16], reason[64];
    struct pb_audit_field fields[2];
    struct pb_audit_secret secrets[ROOM_SECRETS];
    struct pb_audit_leaf leaf;
};

static inline void
room_leaf_init(struct room_leaf *leaf, const char *log, uint32_t number)
{
    (void)snprintf(leaf->plate, sizeof(leaf->plate), "SYN%04u", number % 10000);
    (void)snprintf(leaf->case_number, sizeof(leaf->case_number), "24-%05u", number % 100000);
    (void)snprintf(leaf->reason, sizeof(leaf->reason), "reason number %u", number);
    leaf->fields[0] = (struct pb_audit_field){ .name = "purpose",
                                               .kind = PB_AUDIT_FIELD_TEXT,
                                               .text = pb_str_from("stolen-vehicle") };
    leaf->fields[1] =
        (struct pb_audit_field){ .name = "n", .kind = PB_AUDIT_FIELD_NUMBER, .number = number };
    leaf->secrets[0] = (struct pb_audit_secret){ "plate", pb_str_from(leaf->plate) };
    leaf->secrets[1] = (struct pb_audit_secret){ "case", pb_str_from(leaf->case_number) };
    leaf->secrets[2] = (struct pb_audit_secret){ "reason", pb_str_from(leaf->reason) };
    leaf->leaf = (struct pb_audit_leaf){ .log = log,
                                         .event = "query",
                                         .fields = leaf->fields,
                                         .field_count = 2,
                                         .secrets = leaf->secrets,
                                         .secret_count = ROOM_SECRETS,
                                         .keep_openings_us = INT64_C(86400000000) * 400 };
}

static inline enum pb_status
room_append(struct pb_audit *audit, const char *log, uint32_t number, uint64_t *ret_index,
            struct pb_error *error)
{
    struct room_leaf leaf;

    room_leaf_init(&leaf, log, number);
    return pb_audit_append(audit, &leaf.leaf, 1, ret_index, error);
}

#endif
