/*
 * Rules: the packs in force, and what each of their rules demands.
 */
#include "api/api_private.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/site.h"
#include "policy/policy.h"

struct listing {
    struct pb_reply *reply;
    const struct pb_rules *rules;
    int64_t now_us;
    const struct pb_pack_info *pack;
    unsigned packs, rules_of_pack;
};

static void
put_text(struct pb_reply *reply, const char *key, struct pb_str text)
{
    pb_reply_put_text(reply, key);
    pb_reply_put_json(reply, text);
}

static bool
put_rule(void *context, const struct pb_rule_info *rule)
{
    struct listing *listing = context;
    struct pb_reply *reply = listing->reply;

    if (!pb_str_equal(rule->pack, listing->pack->id))
        return true;
    pb_reply_put_text(reply, listing->rules_of_pack++ > 0 ? "," : "");
    put_text(reply, "{\"id\":", rule->id);
    put_text(reply, ",\"text\":", rule->text);
    put_text(reply, ",\"source\":", rule->source);
    put_text(reply, ",\"kind\":", pb_str_from(rule->kind));
    pb_reply_put_text(reply, rule->is_verified ? ",\"verified\":true}" : ",\"verified\":false}");
    return true;
}

static bool
put_pack(void *context, const struct pb_pack_info *pack)
{
    struct listing *listing = context;
    struct pb_reply *reply = listing->reply;
    char text[PB_TIME_BYTES_MAX];

    if (!pack->is_in_force)
        return true;
    (void)pb_time_format(pack->valid_from_us, PB_NO_UTC_OFFSET, text);
    pb_reply_put_text(reply, listing->packs++ > 0 ? "," : "");
    put_text(reply, "{\"pack\":", pack->id);
    pb_reply_put_text(reply, ",\"version\":");
    pb_reply_put_number(reply, pack->version);
    put_text(reply, ",\"title\":", pack->title);
    put_text(reply, ",\"valid_from\":", pb_str_from(text));
    put_text(reply, ",\"sha256\":", pack->text_sha256_hex);
    pb_reply_put_text(reply, ",\"rules\":[");
    listing->pack = pack;
    listing->rules_of_pack = 0;
    pb_rules_each_rule(listing->rules, listing->now_us, put_rule, listing);
    pb_reply_put_text(reply, "]}");
    return true;
}

enum pb_status
pb_api_handle_rules_list(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct pb_rules *rules = pb_site_rules(api->options.site);
    struct listing listing = { .reply = reply, .rules = rules, .now_us = pb_now_us(api->env) };

    (void)call;
    reply->content_type = "application/json";
    pb_reply_put_text(reply, "{\"packs\":[");
    pb_rules_each_pack(rules, listing.now_us, put_pack, &listing);
    pb_reply_put_text(reply, "]}\n");
    pb_rules_unref(rules);
    return PB_OK;
}
