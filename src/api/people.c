/*
 * People: begins with the text that they agree to, ends with what they did wrong.
 */
#include "api/people.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/api_private.h"
#include "api/breached.h"
#include "api/device.h"
#include "api/leaf.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/load.h"
#include "base/text.h"
#include "inquiry/site.h"
#include "net/workers.h"

#define HASHER_THREADS 1u /* for strangers, and as many for others */
#define HASHES_WAITING_MAX 32u
#define FAILURE_LEAVES_PER_MINUTE 60u
#define MINUTE_NS (INT64_C(60) * 1000000000)

static const char splash_usual[] =
    "This system holds where vehicles were seen. It is for the work of the agencies that run it,\n"
    "and for nothing else.\n"
    "\n"
    "By signing in you agree:\n"
    "- to ask only for a purpose that the law and your agency's policy allow, about a case that\n"
    "  you name;\n"
    "- to take an answer as a lead and to confirm it, by picture and by other means, before you\n"
    "  act on it: cameras misread plates, and a plate is not its driver;\n"
    "- to remove from lists what a case no longer needs;\n"
    "- never to look up yourself, people you know, or anybody out of curiosity, and never to lend\n"
    "  your account;\n"
    "- that every question and every answer is recorded, that the record cannot be changed, and\n"
    "  that it is reviewed.\n"
    "\n"
    "Misuse ends your access and may be a crime.\n";

static const struct pb_api_lockout_rule name_rule = { 5, 15 * MINUTE_NS, 15 * MINUTE_NS, true };
static const struct pb_api_lockout_rule proof_rule = { 5, 15 * MINUTE_NS, 15 * MINUTE_NS, false };
static const struct pb_api_lockout_rule address_rule = { 60, 15 * MINUTE_NS, 5 * MINUTE_NS, false };

/* ---- the text ---- */

/* The site's own text, or PB_NOT_FOUND. */
static enum pb_status
read_splash(const struct pb_env *env, const char *path, char **ret_text, size_t *ret_bytes,
            struct pb_error *error)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pb_status status = pb_load_file(env, path, PB_SPLASH_BYTES_MAX, &text, &bytes, error);

    if (status == PB_OVER_LIMIT || (status == PB_OK && bytes == 0))
        status = pb_fail(error, PB_BAD_INPUT, "%s: 1 to %u bytes", path, PB_SPLASH_BYTES_MAX);
    if (status == PB_OK && !pb_utf8_is_valid(text, bytes))
        status = pb_fail(error, PB_BAD_INPUT, "%s: not UTF-8", path);
    if (status != PB_OK) {
        pb_free(env, text);
        return status;
    }
    *ret_text = text;
    *ret_bytes = bytes;
    return PB_OK;
}

static enum pb_status
load_splash(struct pb_api_people *people, const struct pb_api *api, struct pb_error *error)
{
    const struct pb_env *env = api->env;
    char path[PB_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof(path), "%s/rules/sign-in.txt", api->options.data_path);
    enum pb_status status;

    if (length < 0 || (size_t)length >= sizeof(path))
        return pb_fail(error, PB_E_IO, "the path of the data directory is too long");
    status = read_splash(env, path, &people->splash, &people->splash_bytes, error);
    if (status == PB_NOT_FOUND) {
        people->splash_bytes = sizeof(splash_usual) - 1;
        people->splash = pb_alloc(env, sizeof(splash_usual));
        if (people->splash == NULL)
            return pb_fail(error, PB_E_NOMEM, "no memory for the text that people agree to");
        memcpy(people->splash, splash_usual, sizeof(splash_usual));
        status = PB_OK;
    }
    if (status != PB_OK)
        return status;
    (void)crypto_hash_sha256(people->splash_sha256, (const unsigned char *)people->splash,
                             people->splash_bytes);
    (void)sodium_bin2hex(people->splash_hex, sizeof(people->splash_hex), people->splash_sha256,
                         sizeof(people->splash_sha256));
    return PB_OK;
}

/* Who has to wait does so over a restart, too. Proofs are of sessions, which a restart ends. */
static enum pb_status
open_lockouts(struct pb_api_people *people, const struct pb_api *api, struct pb_error *error)
{
    uint8_t key[32];
    enum pb_status status =
        pb_api_lockout_open(api->env, api->options.data_path, &people->lockouts, error);

    pb_site_subkey(api->options.site, "platebase/lockouts/v1", key);
    if (status == PB_OK)
        status = pb_api_lockout_keep(&people->names, people->lockouts, 0, key, error);
    if (status == PB_OK)
        status = pb_api_lockout_keep(&people->addresses, people->lockouts, 1, key + 16, error);
    sodium_memzero(key, sizeof(key));
    return status;
}

enum pb_status
pb_api_people_init(struct pb_api_people *people, struct pb_api *api, struct pb_error *error)
{
    const struct pb_env *env = api->env;
    enum pb_status status = load_splash(people, api, error);

    /* Better not to start than to find out when somebody sets a password. */
    if (status == PB_OK && api->options.breached_passwords != NULL)
        status = pb_breached_check(env, api->options.breached_passwords, error);
    people->is_secure = api->options.is_secure;
    people->cost = (struct pb_password_cost){ api->options.password_memory_bytes,
                                              api->options.password_passes };
    (void)pthread_mutex_init(&people->lock, NULL);
    if (status == PB_OK)
        status = pb_api_sessions_init(&people->sessions, env, error);
    if (status == PB_OK)
        status = pb_api_lockout_init(&people->names, env, &name_rule, error);
    if (status == PB_OK)
        status = pb_api_lockout_init(&people->proofs, env, &proof_rule, error);
    if (status == PB_OK)
        status = pb_api_lockout_init(&people->addresses, env, &address_rule, error);
    if (status == PB_OK)
        status = open_lockouts(people, api, error);
    if (status == PB_OK)
        status =
            pb_workers_new(env, HASHER_THREADS, HASHES_WAITING_MAX, true, &people->hashers, error);
    if (status == PB_OK)
        status = pb_workers_new(env, HASHER_THREADS, HASHES_WAITING_MAX, false,
                                &people->known_hashers, error);
    return status;
}

void
pb_api_people_done(struct pb_api_people *people, const struct pb_env *env)
{
    if (people->splash == NULL)
        return;
    pb_workers_free(people->hashers);
    pb_workers_free(people->known_hashers);
    pb_api_lockout_done(&people->addresses);
    pb_api_lockout_done(&people->proofs);
    pb_api_lockout_done(&people->names);
    env->files->close(env->file_context, people->lockouts);
    pb_api_sessions_done(&people->sessions);
    pb_free(env, people->splash);
    (void)pthread_mutex_destroy(&people->lock);
}

/* ---- standing ---- */

static unsigned
verbs_of(const struct pb_person *person)
{
    unsigned verbs = 0;

    if ((person->permissions &
         (PB_MAY_PLATE | PB_MAY_PATTERN | PB_MAY_PLACE | PB_MAY_COMMON | PB_MAY_ASSOCIATES)) != 0)
        verbs |= PB_TOKEN_ASK;
    if ((person->permissions & PB_MAY_AUDIT) != 0)
        verbs |= PB_TOKEN_AUDIT;
    if ((person->permissions & PB_MAY_ADMINISTER) != 0)
        verbs |= PB_TOKEN_ADMINISTER;
    return verbs;
}

enum pb_status
pb_api_standing_take(struct pb_api *api, struct pb_str person, struct pb_arena *arena,
                     struct pb_api_standing *ret_standing, struct pb_error *error)
{
    struct pb_api_standing *standing = ret_standing;
    struct pb_site *site = api->options.site;
    int64_t now_us = pb_now_us(api->env);
    uint32_t index;
    enum pb_status status;

    memset(standing, 0, sizeof(*standing));
    status = pb_catalog_view_take(pb_site_catalog(site), &standing->view, error);
    if (status != PB_OK)
        return status;
    index = pb_view_person(standing->view, person);
    if (index == PB_NO_INDEX)
        return PB_NOT_FOUND;
    standing->person = &standing->view->people[index];
    standing->agency = &standing->view->agencies[standing->person->agency];
    status = pb_api_account_find(site, person, arena, &standing->account, error);
    if (status != PB_OK)
        return status;
    if (standing->person->status != PB_PERSON_ACTIVE || !standing->agency->is_active ||
        !pb_api_account_is_usable(&standing->account, now_us))
        return PB_NOT_FOUND;
    standing->is_trained =
        pb_view_may(standing->view, index, standing->person->permissions, now_us);
    standing->verbs = standing->is_trained ? verbs_of(standing->person) : 0;
    return PB_OK;
}

void
pb_api_standing_drop(struct pb_api_standing *standing)
{
    pb_catalog_view_drop(standing->view);
    standing->view = NULL;
}

/* ---- attempts ---- */

/* Of IPv6 the network counts: whoever has one address of it has them all. */
static struct pb_str
address_name(const struct pb_peer *peer)
{
    bool is_ipv6 = !IN6_IS_ADDR_V4MAPPED(&peer->address);

    return (struct pb_str){ (const char *)&peer->address, is_ipv6 ? 8 : 16 };
}

static bool
refuse_attempt(const struct pb_api_call *call, unsigned wait_s, struct pb_reply *reply)
{
    struct pb_problem problem = {
        .status = 429,
        .detail = "too many tries: nothing was looked at",
        .retry_after_s = wait_s,
    };

    pb_reply_problem(reply, call->request, &problem);
    return false;
}

#define DEVICE_NAME_BYTES (PB_DEVICE_ID_CHARACTERS + 2u)

/* What a try is counted by. */
struct counted {
    char room[DEVICE_NAME_BYTES];
    struct pb_str name;
    bool is_known; /* a browser of the person's, whatever its address */
};

static void
count_by(struct pb_api *api, const struct pb_api_call *call, struct pb_str name,
         struct counted *counted)
{
    struct pb_str id;

    counted->name = name;
    counted->is_known = pb_api_device_find(api, call->request, name, &id);
    if (!counted->is_known)
        return;
    /* No id of the catalog begins so. */
    counted->room[0] = '@';
    memcpy(counted->room + 1, id.text, id.bytes);
    counted->name = (struct pb_str){ counted->room, id.bytes + 1 };
}

bool
pb_api_attempt_take(struct pb_api *api, const struct pb_api_call *call, struct pb_str name,
                    bool *ret_is_last, struct pb_reply *reply)
{
    struct pb_api_people *people = &api->people;
    struct counted counted;
    bool is_last_of_address;
    unsigned wait_s;

    count_by(api, call, name, &counted);
    wait_s = pb_api_lockout_take(&people->names, counted.name, ret_is_last);
    /* The name first: who tries one that is locked does not lock their neighbours' address. */
    if (wait_s > 0)
        return refuse_attempt(call, wait_s, reply);
    if (counted.is_known)
        return true;
    wait_s = pb_api_lockout_take(&people->addresses, address_name(&call->request->peer),
                                 &is_last_of_address);
    if (wait_s == 0)
        return true;
    pb_api_lockout_give_back(&people->names, counted.name);
    return refuse_attempt(call, wait_s, reply);
}

void
pb_api_attempt_give_back(struct pb_api *api, const struct pb_api_call *call, struct pb_str name)
{
    struct counted counted;

    count_by(api, call, name, &counted);
    if (!counted.is_known)
        pb_api_lockout_give_back(&api->people.addresses, address_name(&call->request->peer));
    pb_api_lockout_give_back(&api->people.names, counted.name);
}

void
pb_api_attempts_forget(struct pb_api *api, struct pb_str person)
{
    pb_api_lockout_clear(&api->people.names, person);
    pb_api_lockout_clear(&api->people.proofs, person);
}

void
pb_api_attempt_succeeded(struct pb_api *api, const struct pb_api_call *call, struct pb_str name)
{
    struct counted counted;

    count_by(api, call, name, &counted);
    if (!counted.is_known)
        pb_api_lockout_give_back(&api->people.addresses, address_name(&call->request->peer));
    pb_api_lockout_clear(&api->people.names, counted.name);
}

/* Whether one more leaf may be left this minute, and how many failures had none before it. */
static bool
take_leaf(struct pb_api_people *people, int64_t now_ns, uint64_t *ret_left_out)
{
    bool may;

    (void)pthread_mutex_lock(&people->lock);
    if (now_ns - people->minute_ns >= MINUTE_NS) {
        people->minute_ns = now_ns;
        people->leaves = 0;
    }
    may = people->leaves < FAILURE_LEAVES_PER_MINUTE;
    if (may) {
        people->leaves++;
        *ret_left_out = people->left_out;
        people->left_out = 0;
    } else {
        people->left_out++;
    }
    (void)pthread_mutex_unlock(&people->lock);
    return may;
}

enum pb_status
pb_api_attempt_failed(struct pb_api *api, struct pb_str person, const char *what, bool is_last,
                      struct pb_error *error)
{
    const struct pb_catalog_view *view = NULL;
    struct pb_str agency = { NULL, 0 };
    struct pb_api_leaf leaf;
    uint64_t left_out = 0;
    uint32_t index;
    enum pb_status status;

    if (!take_leaf(&api->people, pb_monotonic_ns(api->env), &left_out))
        return PB_OK;
    status = pb_catalog_view_take(pb_site_catalog(api->options.site), &view, error);
    if (status != PB_OK)
        return status;
    index = pb_view_person(view, person);
    if (index != PB_NO_INDEX)
        agency = view->agencies[view->people[index].agency].id;
    pb_api_leaf_init(&leaf, agency, "sign-in");
    pb_api_leaf_text(&leaf, "verb", pb_str_from(is_last ? "locked" : "failed"));
    pb_api_leaf_text(&leaf, "at", pb_str_from(what));
    if (left_out > 0)
        pb_api_leaf_number(&leaf, "unrecorded", (int64_t)left_out);
    /* What was typed for a name that nobody has may be a password. */
    if (index != PB_NO_INDEX)
        pb_api_leaf_secret(&leaf, "person", person);
    status = pb_api_leaf_append(&leaf, api->options.site, error);
    pb_catalog_view_drop(view);
    return status;
}
