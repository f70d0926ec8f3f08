/*
 * Texts: a body that is a flat object of texts, as JSON or as an HTML form sends it.
 *
 * Threads: everything here is without state.
 */
#ifndef PB_API_TEXTS_H
#define PB_API_TEXTS_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_arena;

struct pb_api_text_field {
    const char *name;
    uint32_t bytes_max;
    bool is_required;
    struct pb_str *place; /* in arena; left alone where the field is not there */
};

/*
 * Returns  PB_OK         every field was known, there once, a text that fits
 *          PB_BAD_INPUT  ret_field ("" where it is the whole) and ret_why, both static or the
 *                        fields' own
 *          PB_E_NOMEM
 */
PB_MUST_CHECK enum pb_status pb_api_texts_read(struct pb_arena *arena, struct pb_str body,
                                              bool is_form, const struct pb_api_text_field *fields,
                                              unsigned count, const char **ret_field,
                                              const char **ret_why);

#endif
