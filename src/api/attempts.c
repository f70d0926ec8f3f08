/*
 * Attempts: a table that is walked. 4,096 places take some microseconds, and only those who sign in
 * walk it.
 */
#include "api/attempts.h"

#include <sodium.h>
#include <string.h>

#include "base/env.h"

enum pb_status
pb_attempts_init(struct pb_attempts *attempts, const struct pb_env *env)
{
    *attempts = (struct pb_attempts){ .env = env };
    attempts->table = pb_calloc(env, PB_ATTEMPTS_MAX, sizeof(*attempts->table));
    if (attempts->table == NULL)
        return PB_E_NOMEM;
    (void)pthread_mutex_init(&attempts->lock, NULL);
    return PB_OK;
}

void
pb_attempts_done(struct pb_attempts *attempts)
{
    if (attempts->table == NULL)
        return;
    (void)pthread_mutex_destroy(&attempts->lock);
    sodium_memzero(attempts->table, PB_ATTEMPTS_MAX * sizeof(*attempts->table));
    pb_free(attempts->env, attempts->table);
    attempts->table = NULL;
}

enum pb_status
pb_attempt_fill(const struct pb_env *env, struct pb_attempt *attempt)
{
    enum pb_status status =
        env->random(env->random_context, attempt->challenge, sizeof(attempt->challenge));

    if (status == PB_OK)
        status = env->random(env->random_context, attempt->nonce, sizeof(attempt->nonce));
    if (status == PB_OK)
        status = env->random(env->random_context, attempt->verifier, sizeof(attempt->verifier));
    return status;
}

static bool
is_same_network(const struct pb_attempt *one, const struct pb_attempt *other)
{
    return memcmp(one->network, other->network, sizeof(one->network)) == 0;
}

static bool
is_same_holder(const struct pb_attempt *attempt, enum pb_attempt_kind kind,
               const uint8_t holder[PB_ATTEMPT_BYTES])
{
    return attempt->kind == kind && sodium_memcmp(attempt->holder, holder, PB_ATTEMPT_BYTES) == 0;
}

static void
forget_late(struct pb_attempts *attempts, int64_t now_ns)
{
    for (unsigned i = 0; i < PB_ATTEMPTS_MAX; i++) {
        struct pb_attempt *attempt = &attempts->table[i];

        if (attempt->kind != PB_ATTEMPT_NONE && now_ns >= attempt->until_ns)
            sodium_memzero(attempt, sizeof(*attempt));
    }
}

/* The place for an attempt: its holder's, a free one, or that of the oldest. */
static struct pb_attempt *
choose(struct pb_attempts *attempts, const struct pb_attempt *wanted)
{
    struct pb_attempt *free_one = NULL, *oldest = NULL, *oldest_near = NULL;
    unsigned near = 0;

    for (unsigned i = 0; i < PB_ATTEMPTS_MAX; i++) {
        struct pb_attempt *attempt = &attempts->table[i];

        if (is_same_holder(attempt, wanted->kind, wanted->holder))
            return attempt;
        if (attempt->kind == PB_ATTEMPT_NONE) {
            free_one = attempt;
            continue;
        }
        if (oldest == NULL || attempt->until_ns < oldest->until_ns)
            oldest = attempt;
        if (!is_same_network(attempt, wanted))
            continue;
        near++;
        if (oldest_near == NULL || attempt->until_ns < oldest_near->until_ns)
            oldest_near = attempt;
    }
    if (near >= PB_ATTEMPTS_PER_ADDRESS_MAX)
        return oldest_near;
    return free_one != NULL ? free_one : oldest;
}

void
pb_attempts_put(struct pb_attempts *attempts, const struct pb_attempt *attempt,
                const struct pb_peer *peer)
{
    int64_t now_ns = pb_monotonic_ns(attempts->env);
    struct pb_attempt kept = *attempt;

    kept.until_ns = now_ns + PB_ATTEMPT_LIFE_S * INT64_C(1000000000);
    memcpy(kept.network, &peer->address, sizeof(kept.network));
    if (!IN6_IS_ADDR_V4MAPPED(&peer->address))
        memset(kept.network + 8, 0, 8);
    (void)pthread_mutex_lock(&attempts->lock);
    forget_late(attempts, now_ns);
    *choose(attempts, &kept) = kept;
    (void)pthread_mutex_unlock(&attempts->lock);
    sodium_memzero(&kept, sizeof(kept));
}

bool
pb_attempts_take(struct pb_attempts *attempts, enum pb_attempt_kind kind,
                 const uint8_t holder[PB_ATTEMPT_BYTES], struct pb_attempt *ret_attempt)
{
    int64_t now_ns = pb_monotonic_ns(attempts->env);
    bool is_there = false;

    (void)pthread_mutex_lock(&attempts->lock);
    forget_late(attempts, now_ns);
    for (unsigned i = 0; i < PB_ATTEMPTS_MAX && !is_there; i++) {
        struct pb_attempt *attempt = &attempts->table[i];

        if (!is_same_holder(attempt, kind, holder))
            continue;
        *ret_attempt = *attempt;
        sodium_memzero(attempt, sizeof(*attempt));
        is_there = true;
    }
    (void)pthread_mutex_unlock(&attempts->lock);
    return is_there;
}
