/*
 * Records of the catalog as JSON: members are the entity's fields, by their kinds.
 *
 *   bool            true, false           choices, list    a list of texts
 *   number          a whole number        number_or_none   a whole number, or "none"
 *   degrees         a number              everything else  a text
 *
 * Threads: everything here is without state.
 */
#ifndef PB_API_RECORD_JSON_H
#define PB_API_RECORD_JSON_H

#include <stdbool.h>

#include "catalog/catalog.h"

struct pb_arena;
struct pb_reply;

/* A field that is not set is left out. */
void pb_api_record_put(struct pb_reply *reply, const struct pb_record *record);

/*
 * Reads a record that is to be added, or (is_change) fields that are to change: null clears one.
 * What the values mean is for the catalog to judge.
 *
 * body        borrowed for the call; ret_record points into arena
 *
 * Returns  PB_OK         values[0] is the id only where it was given
 *          PB_BAD_INPUT  ret_field (in arena; "" where it is no JSON object), ret_why (static)
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_api_record_parse(struct pb_arena *arena,
                                                 const struct pb_entity *entity, bool is_change,
                                                 struct pb_str body, struct pb_record *ret_record,
                                                 const char **ret_field, const char **ret_why);

#endif
