/*
 * Lines of notes: what the catalog keeps of tokens, accounts and links, a word and a value each.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_API_NOTE_LINES_H
#define PB_API_NOTE_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include <platebase/read.h>

struct pb_text_out;

/* An empty value leaves no line; neither does the number 0. */
void pb_api_line_put(struct pb_text_out *out, const char *word, struct pb_str value);
void pb_api_line_put_number(struct pb_text_out *out, const char *word, int64_t number);

/* Takes the line of a word from rest; false where the next line is of another. A number is digits
 * that do not begin with 0, at most 18. */
bool pb_api_line_take(struct pb_str *rest, const char *word, struct pb_str *ret_value);
bool pb_api_line_take_number(struct pb_str *rest, const char *word, int64_t *ret_number);

#endif
