/*
 * Lockout: counters by keyed hash, and how they lie in a file.
 */
#include "api/lockout.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"

#define HEAD "platebase-lockouts 1\n"
#define TABLES_AT 4096u
#define PLACE_BYTES 32u
#define TABLE_BYTES ((uint64_t)PB_LOCKOUT_PLACES * PLACE_BYTES)
#define FILE_BYTES (TABLES_AT + PB_LOCKOUT_TABLES * TABLE_BYTES)

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
    lockout->file = NULL;
    (void)pthread_mutex_destroy(&lockout->lock);
}

/* ---- in a file ---- */

/* Of the moments in a place only those of the wall's clock outlive the process. */
static void
encode(const struct pb_api_lockout_place *place, int64_t now_us, int64_t now_ns, uint64_t index,
       uint8_t bytes[PLACE_BYTES])
{
    int64_t until_us = place->until_ns == 0 ? 0 : now_us + (place->until_ns - now_ns + 999) / 1000;

    memset(bytes, 0, PLACE_BYTES);
    if (place->attempts == 0 && place->times == 0)
        return;
    pb_put_le64(bytes, (uint64_t)(now_us - (now_ns - place->since_ns) / 1000));
    pb_put_le64(bytes + 8, (uint64_t)until_us);
    pb_put_le32(bytes + 16, place->attempts);
    pb_put_le32(bytes + 20, place->times);
    pb_put_le64(bytes + 24, pb_hash_bytes(bytes, 24) ^ index);
}

/* Nobody waits longer than who was locked now, whatever the clock did meanwhile. */
static void
decode(const struct pb_api_lockout_rule *rule, const uint8_t bytes[PLACE_BYTES], int64_t now_us,
       int64_t now_ns, uint64_t index, struct pb_api_lockout_place *ret_place)
{
    int64_t since_us = (int64_t)pb_get_le64(bytes), until_us = (int64_t)pb_get_le64(bytes + 8);
    struct pb_api_lockout_place place = { .attempts = pb_get_le32(bytes + 16),
                                          .times = pb_get_le32(bytes + 20) };

    if (pb_get_le64(bytes + 24) != (pb_hash_bytes(bytes, 24) ^ index) || since_us < 0 ||
        until_us < 0 || place.attempts > rule->attempts_max)
        return;
    since_us = since_us < now_us ? since_us : now_us;
    if (now_us - since_us >= 2 * (PB_LOCKOUT_FORGET_NS / 1000))
        return;
    place.since_ns = now_ns - (now_us - since_us) * 1000;
    if (until_us > now_us + PB_LOCKOUT_FORGET_NS / 1000)
        until_us = now_us + PB_LOCKOUT_FORGET_NS / 1000;
    if (until_us > now_us)
        place.until_ns = now_ns + (until_us - now_us) * 1000;
    else if (until_us != 0)
        place.attempts = 0;
    if (place.until_ns != 0 && place.times == 0)
        place.times = 1;
    *ret_place = place;
}

/* Under the lock. What cannot be written is known here all the same, until a restart. */
static void
keep(struct pb_api_lockout *lockout, const struct pb_api_lockout_place *place)
{
    const struct pb_env *env = lockout->env;
    uint64_t index = (uint64_t)(place - lockout->places);
    uint8_t bytes[PLACE_BYTES];
    enum pb_status status;

    if (lockout->file == NULL)
        return;
    encode(place, pb_now_us(env), pb_monotonic_ns(env), index, bytes);
    status = env->files->write(env->file_context, lockout->file,
                               lockout->file_at + index * PLACE_BYTES, bytes, sizeof(bytes), NULL);
    (void)status;
}

/* The head last: a file without it is begun anew. */
static enum pb_status
begin_file(const struct pb_env *env, struct pb_file *file, struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    enum pb_status status = files->truncate(env->file_context, file, 0, error);

    if (status == PB_OK)
        status = files->truncate(env->file_context, file, FILE_BYTES, error);
    if (status == PB_OK)
        status = files->write(env->file_context, file, 0, HEAD, sizeof(HEAD) - 1, error);
    return status;
}

static enum pb_status
check_file(const struct pb_env *env, struct pb_file *file, struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    char head[sizeof(HEAD) - 1];
    uint64_t size = 0;
    enum pb_status status = files->size(env->file_context, file, &size, error);

    if (status == PB_OK && size == FILE_BYTES)
        status = files->read(env->file_context, file, 0, head, sizeof(head), error);
    if (status != PB_OK || (size == FILE_BYTES && memcmp(head, HEAD, sizeof(head)) == 0))
        return status;
    return begin_file(env, file, error);
}

enum pb_status
pb_api_lockout_open(const struct pb_env *env, const char *data_path, struct pb_file **ret_file,
                    struct pb_error *error)
{
    const struct pb_file_ops *files = env->files;
    char path[PB_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof(path), "%s/lockouts", data_path);
    struct pb_file *file = NULL;
    enum pb_status status;

    if (length < 0 || (size_t)length >= sizeof(path))
        return pb_fail(error, PB_E_IO, "the path of the data directory is too long");
    status = files->open(env->file_context, path, PB_OPEN_WRITE, &file, error);
    if (status == PB_NOT_FOUND)
        status = files->open(env->file_context, path, PB_OPEN_CREATE_PRIVATE, &file, error);
    if (status == PB_OK)
        status = check_file(env, file, error);
    if (status != PB_OK) {
        files->close(env->file_context, file);
        return status;
    }
    *ret_file = file;
    return PB_OK;
}

enum pb_status
pb_api_lockout_keep(struct pb_api_lockout *lockout, struct pb_file *file, unsigned table,
                    const uint8_t key[16], struct pb_error *error)
{
    const struct pb_env *env = lockout->env;
    int64_t now_us = pb_now_us(env), now_ns = pb_monotonic_ns(env);
    uint8_t bytes[128 * PLACE_BYTES];
    const uint64_t at_once = sizeof(bytes) / PLACE_BYTES;

    assert(table < PB_LOCKOUT_TABLES);
    static_assert(PB_LOCKOUT_PLACES % (sizeof(bytes) / PLACE_BYTES) == 0, "read in whole pieces");
    lockout->file_at = TABLES_AT + table * TABLE_BYTES;
    for (uint64_t i = 0; i < PB_LOCKOUT_PLACES; i += at_once) {
        enum pb_status status =
            env->files->read(env->file_context, file, lockout->file_at + i * PLACE_BYTES, bytes,
                             sizeof(bytes), error);

        if (status != PB_OK)
            return status;
        for (uint64_t j = 0; j < at_once; j++)
            decode(&lockout->rule, bytes + j * PLACE_BYTES, now_us, now_ns, i + j,
                   &lockout->places[i + j]);
    }
    memcpy(lockout->key, key, sizeof(lockout->key));
    lockout->file = file;
    return PB_OK;
}

/* ---- counting ---- */

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
        keep(lockout, place);
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
        keep(lockout, place);
    }
    (void)pthread_mutex_unlock(&lockout->lock);
}

void
pb_api_lockout_clear(struct pb_api_lockout *lockout, struct pb_str name)
{
    struct pb_api_lockout_place *place = place_of(lockout, name);

    (void)pthread_mutex_lock(&lockout->lock);
    *place = (struct pb_api_lockout_place){ .attempts = 0 };
    keep(lockout, place);
    (void)pthread_mutex_unlock(&lockout->lock);
}
