/*
 * Lockout: counters by keyed hash.
 */
#include "api/lockout.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/env.h"

struct pb_api_lockout_place {
    int64_t since_ns; /* first attempt of the window */
    int64_t until_ns; /* locked until then; 0: not */
    uint32_t attempts;
    uint32_t times; /* locked so far */
};

enum pb_status
pb_api_lockout_init(struct pb_api_lockout *lockout, const struct pb_env *env,
                    const struct pb_api_lockout_rule *rule, struct pb_error *error)
{
    enum pb_status status = env->random(env->random_context, lockout->key, sizeof(lockout->key));

    static_assert(sizeof(lockout->key) == crypto_shorthash_KEYBYTES, "a key");
    if (status != PB_OK)
        return pb_fail(error, status, "the system gives no random bytes");
    lockout->places = pb_calloc(env, PB_LOCKOUT_PLACES, sizeof(*lockout->places));
    if (lockout->places == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to count attempts");
    lockout->env = env;
    lockout->rule = *rule;
    (void)pthread_mutex_init(&lockout->lock, NULL);
    return PB_OK;
}

void
pb_api_lockout_done(struct pb_api_lockout *lockout)
{
    if (lockout->places == NULL)
        return;
    pb_free(lockout->env, lockout->places);
    lockout->places = NULL;
    (void)pthread_mutex_destroy(&lockout->lock);
}

static struct pb_api_lockout_place *
place_of(struct pb_api_lockout *lockout, struct pb_str name)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t number;

    (void)crypto_shorthash(hash, (const unsigned char *)name.text, name.bytes, lockout->key);
    memcpy(&number, hash, sizeof(number));
    return &lockout->places[number % PB_LOCKOUT_PLACES];
}

static int64_t
lock_ns(const struct pb_api_lockout_rule *rule, uint32_t times)
{
    int64_t ns = rule->lock_ns;

    for (uint32_t i = 0; rule->grows && i < times && ns < PB_LOCKOUT_FORGET_NS; i++)
        ns *= 2;
    return ns < PB_LOCKOUT_FORGET_NS ? ns : PB_LOCKOUT_FORGET_NS;
}

/* What time alone makes of a place. */
static void
age(const struct pb_api_lockout_rule *rule, struct pb_api_lockout_place *place, int64_t now_ns)
{
    if (place->until_ns != 0 && now_ns >= place->until_ns) {
        place->until_ns = 0;
        place->attempts = 0;
    }
    if (now_ns - place->since_ns >= rule->window_ns && place->until_ns == 0)
        place->attempts = 0;
    if (now_ns - place->since_ns >= 2 * PB_LOCKOUT_FORGET_NS)
        place->times = 0;
}

unsigned
pb_api_lockout_take(struct pb_api_lockout *lockout, struct pb_str name, bool *ret_is_last)
{
    const struct pb_api_lockout_rule *rule = &lockout->rule;
    int64_t now_ns = pb_monotonic_ns(lockout->env), wait_ns = 0;
    struct pb_api_lockout_place *place = place_of(lockout, name);

    *ret_is_last = false;
    (void)pthread_mutex_lock(&lockout->lock);
    age(rule, place, now_ns);
    if (place->until_ns != 0) {
        wait_ns = place->until_ns - now_ns;
    } else {
        if (place->attempts == 0)
            place->since_ns = now_ns;
        place->attempts++;
        if (place->attempts >= rule->attempts_max) {
            place->until_ns = now_ns + lock_ns(rule, place->times);
            place->times++;
            *ret_is_last = true;
        }
    }
    (void)pthread_mutex_unlock(&lockout->lock);
    return (unsigned)((wait_ns + 999999999) / 1000000000);
}

void
pb_api_lockout_give_back(struct pb_api_lockout *lockout, struct pb_str name)
{
    struct pb_api_lockout_place *place = place_of(lockout, name);

    (void)pthread_mutex_lock(&lockout->lock);
    if (place->attempts > 0) {
        place->attempts--;
        if (place->until_ns != 0) {
            place->until_ns = 0;
            place->times--;
        }
    }
    (void)pthread_mutex_unlock(&lockout->lock);
}

void
pb_api_lockout_clear(struct pb_api_lockout *lockout, struct pb_str name)
{
    struct pb_api_lockout_place *place = place_of(lockout, name);

    (void)pthread_mutex_lock(&lockout->lock);
    *place = (struct pb_api_lockout_place){ .attempts = 0 };
    (void)pthread_mutex_unlock(&lockout->lock);
}
