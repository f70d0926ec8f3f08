/*
 * Members of JSON objects in replies: `,"key":value`. What stands before the first of an object is
 * its writer's.
 *
 * Threads: those of the reply.
 */
#ifndef PB_API_MEMBER_H
#define PB_API_MEMBER_H

#include "net/http.h"

/* key: of letters that JSON need not escape. */
void pb_api_put_key(struct pb_reply *reply, const char *key);
void pb_api_put_text(struct pb_reply *reply, const char *key, struct pb_str text);
void pb_api_put_number(struct pb_reply *reply, const char *key, uint64_t number);
void pb_api_put_bool(struct pb_reply *reply, const char *key, bool is);
void pb_api_put_time(struct pb_reply *reply, const char *key, int64_t us);
/* Nothing where it is 0: it has not happened. */
void pb_api_put_time_known(struct pb_reply *reply, const char *key, int64_t us);

#endif
