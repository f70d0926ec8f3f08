/*
 * Members of JSON objects in replies.
 */
#include "api/member.h"

#include "base/text.h"
#include "base/time.h"

void
pb_api_put_key(struct pb_reply *reply, const char *key)
{
    pb_reply_put_text(reply, ",\"");
    pb_reply_put_text(reply, key);
    pb_reply_put_text(reply, "\":");
}

void
pb_api_put_text(struct pb_reply *reply, const char *key, struct pb_str text)
{
    pb_api_put_key(reply, key);
    pb_reply_put_json(reply, text);
}

void
pb_api_put_number(struct pb_reply *reply, const char *key, uint64_t number)
{
    pb_api_put_key(reply, key);
    pb_reply_put_number(reply, (int64_t)number);
}

void
pb_api_put_bool(struct pb_reply *reply, const char *key, bool is)
{
    pb_api_put_key(reply, key);
    pb_reply_put_text(reply, is ? "true" : "false");
}

void
pb_api_put_time(struct pb_reply *reply, const char *key, int64_t us)
{
    char text[PB_TIME_BYTES_MAX];

    (void)pb_time_format(us, PB_NO_UTC_OFFSET, text);
    pb_api_put_text(reply, key, pb_str_from(text));
}

void
pb_api_put_time_known(struct pb_reply *reply, const char *key, int64_t us)
{
    if (us != 0)
        pb_api_put_time(reply, key, us);
}
