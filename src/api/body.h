/*
 * Body: reading a JSON object from outside, strictly.
 *
 * Each field takes the key that it knows. A key that nobody took, stands twice, or has a value of
 * another type or out of range is refused by name; the first that is wrong counts.
 *
 * Threads: everything here is pure.
 */
#ifndef PB_API_BODY_H
#define PB_API_BODY_H

#include <jansson.h>

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;

/* What was wrong first; why NULL: nothing is. */
struct pb_api_refusal {
    char field[64];  /* "places[1].radius_m"; "" where no field is to blame */
    const char *why; /* static */
};

#define PB_API_KEYS_MAX 64u

/* One object on its way. */
struct pb_api_reading {
    const struct pb_env *env;
    const json_t *object;
    char path[32]; /* before each key: "places[1]."; "" for the whole body */
    struct pb_api_refusal refusal;
    const char *taken[PB_API_KEYS_MAX]; /* static names */
    unsigned taken_count;
    bool is_out_of_memory;
};

/* PB_OK: the caller drops ret_root; PB_BAD_INPUT: no JSON object. */
PB_MUST_CHECK enum pb_status pb_api_body_parse(struct pb_str body, json_t **ret_root,
                                               struct pb_api_refusal *ret_refusal);

void pb_api_refuse(struct pb_api_reading *reading, const char *field, const char *why);
/* The value of a key, or NULL where it is not there. */
const json_t *pb_api_take(struct pb_api_reading *reading, const char *key);

/* Each leaves what it is given alone where the key is not there. Texts point into the object. */
void pb_api_take_text(struct pb_api_reading *reading, const char *key, struct pb_str *ret_text);
void pb_api_take_bool(struct pb_api_reading *reading, const char *key, bool *ret_is);
void pb_api_take_time(struct pb_api_reading *reading, const char *key, int64_t *ret_us);
/* A code such as US-KS. */
void pb_api_take_jurisdiction(struct pb_api_reading *reading, const char *key,
                              uint16_t *ret_jurisdiction);
/* A whole number; `usual` where it is not there. */
int64_t pb_api_take_number(struct pb_api_reading *reading, const char *key, int64_t min,
                           int64_t max, int64_t usual);
/* One that must be there. */
double pb_api_take_real(struct pb_api_reading *reading, const char *key, double min, double max);
/* Where a text stands in a list that ends with NULL; `usual` where it is not there. */
unsigned pb_api_take_choice(struct pb_api_reading *reading, const char *key,
                            const char *const *choices, unsigned usual);
/* An object within, to be read by itself under its path, or false where it is not there or none. */
bool pb_api_take_object(struct pb_api_reading *reading, const char *key,
                        struct pb_api_reading *ret_inner);
/* What was wrong with an object within is wrong with the whole. */
void pb_api_close_object(struct pb_api_reading *reading, struct pb_api_reading *inner);

void pb_api_need(struct pb_api_reading *reading, const char *key, struct pb_str text);
/* At the end: every key was taken. PB_OK, PB_BAD_INPUT or PB_E_NOMEM. */
PB_MUST_CHECK enum pb_status pb_api_body_end(struct pb_api_reading *reading,
                                             struct pb_api_refusal *ret_refusal);

/* Reads a body into what `into` is; pb_api_body_end says whether it was right. */
typedef void pb_api_read_fn(struct pb_api_reading *reading, void *into);

#endif
