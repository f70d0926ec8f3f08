/*
 * Keys: files of secrets, and the two files of heads.
 *
 * Invariants:
 *   (1) no secret is in memory longer than it is used, but for the keys of terms in use, which
 *       are wiped at the end.
 *   (2) one of the two heads files is whole at any time: they are written in turn, each synced
 *       before the other is touched again.
 */
#include "audit/keys.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "audit/encode.h"
#include "base/base64.h"
#include "base/bytes.h"
#include "base/env.h"
#include "base/time.h"

#define SECRET_PREFIX "PRIVATE+KEY+"
#define SECRET_BYTES_MAX 512u
#define TERM_FILE_BYTES (PB_TERM_KEY_BYTES + 8u)
#define TERMS_CACHED 16u
#define TERM_NAME_BYTES 32u
#define HEADS_MAGIC "PBHEADS\x1a"
#define HEADS_HEADER_BYTES 48u
#define HEAD_BYTES_MAX (1u + PB_LOG_ID_BYTES_MAX + 8u + PB_HASH_BYTES)
#define HEADS_BYTES_MAX (HEADS_HEADER_BYTES + (size_t)PB_LOGS_MAX * HEAD_BYTES_MAX + 8u)

struct term_key {
    uint32_t term;
    bool is_set;
    uint8_t key[PB_TERM_KEY_BYTES];
};

struct pb_keys {
    const struct pb_env *env; /* borrowed */
    struct pb_place place;
    uint8_t audit_id[PB_AUDIT_ID_BYTES];
    bool is_read_only;

    pthread_mutex_t lock; /* guards terms, files in terms/ and the temporary one */
    struct term_key terms[TERMS_CACHED];
    uint32_t next_term; /* which of them is replaced next */

    struct pb_file *files[2]; /* owned: heads.0 and heads.1 */
    uint64_t sequence;        /* of the newest one; its parity tells which file that is */
    struct pb_head *heads;    /* owned; ascending by log */
    uint32_t head_count, head_room;
};

/* ---- heads: bytes ---- */

static int
compare_heads(const void *a, const void *b)
{
    return strcmp(((const struct pb_head *)a)->log, ((const struct pb_head *)b)->log);
}

static void
encode_heads(const struct pb_head *heads, uint32_t count, const uint8_t *audit_id,
             uint64_t sequence, uint8_t *ret_bytes, size_t *ret_count)
{
    uint8_t *at = ret_bytes + HEADS_HEADER_BYTES;

    memset(ret_bytes, 0, HEADS_HEADER_BYTES);
    memcpy(ret_bytes, HEADS_MAGIC, 8);
    pb_put_le32(ret_bytes + 8, 1);
    pb_put_le32(ret_bytes + 12, count);
    memcpy(ret_bytes + 16, audit_id, PB_AUDIT_ID_BYTES);
    pb_put_le64(ret_bytes + 32, sequence);
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = strlen(heads[i].log);

        *at++ = (uint8_t)bytes;
        memcpy(at, heads[i].log, bytes);
        at += bytes;
        pb_put_le64(at, heads[i].size);
        memcpy(at + 8, heads[i].root.bytes, PB_HASH_BYTES);
        at += 8 + PB_HASH_BYTES;
    }
    *ret_count = (size_t)(at - ret_bytes) + 8;
    pb_put_le64(ret_bytes + 40, *ret_count);
    pb_put_le64(at, pb_hash_bytes(ret_bytes, *ret_count - 8));
}

/* Whether the beginning of a file is a whole heads file: what lies behind it is left of a longer
 * one. */
static bool
heads_are_whole(const uint8_t *bytes, size_t count, const uint8_t *audit_id, size_t *ret_count)
{
    uint64_t stated;

    if (count < HEADS_HEADER_BYTES + 8 || memcmp(bytes, HEADS_MAGIC, 8) != 0 ||
        pb_get_le32(bytes + 8) != 1 || memcmp(bytes + 16, audit_id, PB_AUDIT_ID_BYTES) != 0)
        return false;
    stated = pb_get_le64(bytes + 40);
    if (stated < HEADS_HEADER_BYTES + 8 || stated > count)
        return false;
    *ret_count = (size_t)stated - 8;
    return pb_get_le64(bytes + *ret_count) == pb_hash_bytes(bytes, *ret_count);
}

static bool
decode_heads(const uint8_t *at, const uint8_t *end, struct pb_head *heads, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = at < end ? *at++ : 0;

        if (bytes == 0 || bytes > PB_LOG_ID_BYTES_MAX ||
            (size_t)(end - at) < bytes + 8 + PB_HASH_BYTES || memchr(at, 0, bytes) != NULL)
            return false;
        memset(heads[i].log, 0, sizeof(heads[i].log));
        memcpy(heads[i].log, at, bytes);
        at += bytes;
        heads[i].size = pb_get_le64(at);
        memcpy(heads[i].root.bytes, at + 8, PB_HASH_BYTES);
        at += 8 + PB_HASH_BYTES;
        if (heads[i].size > PB_TREE_SIZE_MAX ||
            (i > 0 && strcmp(heads[i - 1].log, heads[i].log) >= 0))
            return false;
    }
    return at == end;
}

enum pb_status
pb_heads_parse(const struct pb_env *env, const uint8_t *bytes, size_t count,
               const uint8_t audit_id[PB_AUDIT_ID_BYTES], uint64_t *ret_sequence,
               struct pb_head **ret_heads, uint32_t *ret_count)
{
    struct pb_head *heads = NULL;
    size_t whole_bytes = 0;
    uint32_t head_count;

    if (!heads_are_whole(bytes, count, audit_id, &whole_bytes))
        return PB_E_CORRUPT;
    head_count = pb_get_le32(bytes + 12);
    if (head_count > PB_LOGS_MAX || head_count > whole_bytes)
        return PB_E_CORRUPT;
    heads = pb_calloc(env, (size_t)head_count + 1, sizeof(*heads));
    if (heads == NULL)
        return PB_E_NOMEM;
    if (!decode_heads(bytes + HEADS_HEADER_BYTES, bytes + whole_bytes, heads, head_count)) {
        pb_free(env, heads);
        return PB_E_CORRUPT;
    }
    *ret_sequence = pb_get_le64(bytes + 32);
    *ret_heads = heads;
    *ret_count = head_count;
    return PB_OK;
}

/* ---- opening ---- */

static const char *const heads_names[2] = { "heads.0", "heads.1" };

enum pb_status
pb_keys_create(const struct pb_env *env, const char *path,
               const uint8_t audit_id[PB_AUDIT_ID_BYTES], struct pb_error *error)
{
    uint8_t bytes[HEADS_HEADER_BYTES + 8];
    struct pb_place place;
    size_t count = 0;
    enum pb_status status;

    status = pb_place_init(&place, env, path, error);
    if (status != PB_OK)
        return status;
    status = env->files->mkdir(env->file_context, path, error);
    if (status == PB_OK)
        status = pb_place_mkdir(&place, pb_str_from("terms"), error);
    for (uint64_t i = 0; i < 2 && status == PB_OK; i++) {
        encode_heads(NULL, 0, audit_id, i, bytes, &count);
        status = pb_place_write(&place, pb_str_from(heads_names[i]),
                                PB_PLACE_SYNCED | PB_PLACE_PRIVATE, bytes, count, error);
    }
    if (status == PB_OK)
        status = pb_place_sync_up(&place, pb_str_from("terms/x"), error);
    pb_place_done(&place);
    return status;
}

/* Reads one of the two; the newer one stays. ret_is_whole tells whether it could be read. */
static enum pb_status
load_heads(struct pb_keys *keys, unsigned which, bool *ret_is_whole, struct pb_error *error)
{
    struct pb_head *heads = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    uint64_t sequence = 0;
    uint32_t head_count = 0;
    enum pb_status status;

    *ret_is_whole = false;
    status = pb_place_read(&keys->place, pb_str_from(heads_names[which]), HEADS_BYTES_MAX, &bytes,
                           &count, error);
    if (status == PB_NOT_FOUND || status == PB_E_CORRUPT)
        return PB_OK;
    if (status != PB_OK)
        return status;
    status =
        pb_heads_parse(keys->env, bytes, count, keys->audit_id, &sequence, &heads, &head_count);
    pb_free(keys->env, bytes);
    if (status != PB_OK)
        return status == PB_E_CORRUPT ? PB_OK : status;
    if (sequence % 2 != which) { /* the other file's bytes in this one's place */
        pb_free(keys->env, heads);
        return PB_OK;
    }
    *ret_is_whole = true;
    if (keys->heads != NULL && sequence < keys->sequence) {
        pb_free(keys->env, heads);
        return PB_OK;
    }
    pb_free(keys->env, keys->heads);
    keys->heads = heads;
    keys->head_count = head_count;
    keys->head_room = head_count + 1;
    keys->sequence = sequence;
    return PB_OK;
}

static enum pb_status
open_heads_file(struct pb_keys *keys, unsigned which, struct pb_error *error)
{
    const struct pb_env *env = keys->env;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    pb_place_path(&keys->place, pb_str_from(heads_names[which]), path);
    status = env->files->open(env->file_context, path, PB_OPEN_WRITE, &keys->files[which], error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_CORRUPT,
                       "'%s' is missing; put it back from a copy of the keys, "
                       "or an empty file where there is none",
                       path);
    return status;
}

enum pb_status
pb_keys_open(const struct pb_env *env, const char *path, const uint8_t audit_id[PB_AUDIT_ID_BYTES],
             bool is_read_only, struct pb_keys **ret_keys, struct pb_error *error)
{
    bool is_whole[2] = { false, false };
    struct pb_keys *keys = pb_calloc(env, 1, sizeof(*keys));
    enum pb_status status;

    if (keys == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for keys");
    keys->env = env;
    keys->is_read_only = is_read_only;
    memcpy(keys->audit_id, audit_id, PB_AUDIT_ID_BYTES);
    (void)pthread_mutex_init(&keys->lock, NULL);
    status = pb_place_init(&keys->place, env, path, error);
    for (unsigned i = 0; i < 2 && status == PB_OK; i++)
        status = load_heads(keys, i, &is_whole[i], error);
    if (status == PB_OK && keys->heads == NULL)
        status = pb_fail(error, PB_E_CORRUPT,
                         "'%s' holds no heads of these logs: neither heads.0 "
                         "nor heads.1 can be read as such",
                         path);
    for (unsigned i = 0; i < 2 && status == PB_OK && !is_read_only; i++)
        status = open_heads_file(keys, i, error);
    if (status == PB_OK) {
        *ret_keys = keys;
        keys = NULL;
    }
    pb_keys_close(keys);
    return status;
}

void
pb_keys_close(struct pb_keys *keys)
{
    if (keys == NULL)
        return;
    for (unsigned i = 0; i < 2; i++)
        keys->env->files->close(keys->env->file_context, keys->files[i]);
    sodium_memzero(keys->terms, sizeof(keys->terms));
    pb_free(keys->env, keys->heads);
    pb_place_done(&keys->place);
    (void)pthread_mutex_destroy(&keys->lock);
    pb_free(keys->env, keys);
}

/* ---- signing ---- */

static void
put_signer_name(struct pb_text_out *out, const char *log)
{
    pb_put_text(out, log);
    pb_put_text(out, ".key");
}

/* "PRIVATE+KEY+name+id+base64(01 seed)", as the tools of the note format write secret keys. */
static size_t
format_secret(const struct pb_vkey *key, const uint8_t seed[32], char ret_text[SECRET_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_text, SECRET_BYTES_MAX);
    uint8_t bytes[33];

    bytes[0] = key->type;
    memcpy(bytes + 1, seed, 32);
    pb_put_text(&out, SECRET_PREFIX);
    pb_put_text(&out, key->name);
    pb_put_char(&out, '+');
    pb_put_hex(&out, key->id, sizeof(key->id));
    pb_put_char(&out, '+');
    pb_put_base64(&out, bytes, sizeof(bytes));
    pb_put_char(&out, '\n');
    assert(!out.is_cut);
    sodium_memzero(bytes, sizeof(bytes));
    return (size_t)(out.at - ret_text);
}

/* Writes a private file and its name, durably. The directory has one temporary file, which the
 * first use of a month's key needs too. */
static enum pb_status
write_private(struct pb_keys *keys, struct pb_str name, const void *bytes, size_t count,
              struct pb_error *error)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&keys->lock);
    status =
        pb_place_write(&keys->place, name, PB_PLACE_SYNCED | PB_PLACE_PRIVATE, bytes, count, error);
    (void)pthread_mutex_unlock(&keys->lock);
    return status == PB_OK ? pb_place_sync_up(&keys->place, name, error) : status;
}

enum pb_status
pb_keys_make_signer(struct pb_keys *keys, const char *log, struct pb_str origin,
                    struct pb_vkey *ret_key, struct pb_error *error)
{
    char name[PB_LOG_ID_BYTES_MAX + 8], text[SECRET_BYTES_MAX];
    struct pb_text_out out = pb_text_out(name, sizeof(name));
    uint8_t seed[32], public_key[32], secret[64];
    enum pb_status status;
    size_t bytes;

    put_signer_name(&out, log);
    if (keys->env->random(keys->env->random_context, seed, sizeof(seed)) != PB_OK)
        return pb_fail(error, PB_E_IO, "no random bytes for a key");
    (void)crypto_sign_seed_keypair(public_key, secret, seed);
    pb_vkey_make(origin, PB_KEY_ED25519, public_key, ret_key);
    bytes = format_secret(ret_key, seed, text);
    status =
        write_private(keys, (struct pb_str){ name, (uint32_t)(out.at - name) }, text, bytes, error);
    sodium_memzero(seed, sizeof(seed));
    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(text, sizeof(text));
    return status;
}

/* The seed in a secret key's text, which must be that of public_key. */
static enum pb_status
parse_secret(const uint8_t *text, size_t count, const struct pb_vkey *public_key,
             uint8_t ret_secret[64])
{
    uint8_t found_key[32], seed[32];
    char expected[SECRET_BYTES_MAX];
    size_t base64_at, expected_bytes;
    uint8_t bytes[33];
    enum pb_status status = PB_E_CORRUPT;

    memset(seed, 0, sizeof(seed));
    expected_bytes = format_secret(public_key, seed, expected);
    base64_at = expected_bytes - 45; /* 44 digits and the line feed */
    if (count == expected_bytes && memcmp(text, expected, base64_at) == 0 &&
        text[count - 1] == '\n' &&
        pb_base64_decode_exact((struct pb_str){ (const char *)text + base64_at, 44 }, bytes, 33) ==
            PB_OK &&
        bytes[0] == PB_KEY_ED25519) {
        (void)crypto_sign_seed_keypair(found_key, ret_secret, bytes + 1);
        if (memcmp(found_key, public_key->public_key, 32) == 0)
            status = PB_OK;
    }
    sodium_memzero(bytes, sizeof(bytes));
    return status;
}

enum pb_status
pb_keys_signer(struct pb_keys *keys, const char *log, const struct pb_vkey *public_key,
               uint8_t ret_secret[64], struct pb_error *error)
{
    char name[PB_LOG_ID_BYTES_MAX + 8];
    struct pb_text_out out = pb_text_out(name, sizeof(name));
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status;

    put_signer_name(&out, log);
    status = pb_place_read(&keys->place, (struct pb_str){ name, (uint32_t)(out.at - name) },
                           SECRET_BYTES_MAX, &bytes, &count, error);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_CORRUPT, "the signing key of log '%s' is missing", log);
    if (status != PB_OK)
        return status;
    status = parse_secret(bytes, count, public_key, ret_secret);
    sodium_memzero(bytes, count);
    pb_free(keys->env, bytes);
    if (status != PB_OK)
        return pb_fail(error, status, "the signing key of log '%s' is damaged or another's", log);
    return PB_OK;
}

static struct pb_str
name_of(const char *log, const char *suffix, char room[PB_LOG_ID_BYTES_MAX + 24])
{
    struct pb_text_out out = pb_text_out(room, PB_LOG_ID_BYTES_MAX + 24);

    pb_put_text(&out, log);
    pb_put_text(&out, suffix);
    assert(!out.is_cut);
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

enum pb_status
pb_keys_retire_signer(struct pb_keys *keys, const char *log, unsigned number,
                      struct pb_error *error)
{
    const struct pb_env *env = keys->env;
    char room[PB_LOG_ID_BYTES_MAX + 24], suffix[24];
    char from[PB_PATH_BYTES_MAX], to[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;
    enum pb_status status;

    (void)snprintf(suffix, sizeof(suffix), "~%u.key", number);
    pb_place_path(&keys->place, name_of(log, ".key", room), from);
    pb_place_path(&keys->place, name_of(log, suffix, room), to);
    status = env->files->open(env->file_context, from, PB_OPEN_READ, &file, error);
    if (status == PB_NOT_FOUND)
        return PB_OK;
    env->files->close(env->file_context, file);
    if (status == PB_OK)
        status = env->files->rename(env->file_context, from, to, error);
    return status == PB_OK ? pb_place_sync_up(&keys->place, pb_str_from("x"), error) : status;
}

/* ---- stopping ---- */

enum pb_status
pb_keys_stop(struct pb_keys *keys, const char *log, const char *reason, struct pb_error *error)
{
    char room[PB_LOG_ID_BYTES_MAX + 24];

    return write_private(keys, name_of(log, ".stopped", room), reason, strlen(reason), error);
}

enum pb_status
pb_keys_is_stopped(struct pb_keys *keys, const char *log, bool *ret_is_stopped,
                   struct pb_error *error)
{
    char room[PB_LOG_ID_BYTES_MAX + 24], path[PB_PATH_BYTES_MAX];
    struct pb_file *file = NULL;
    enum pb_status status;

    pb_place_path(&keys->place, name_of(log, ".stopped", room), path);
    status = keys->env->files->open(keys->env->file_context, path, PB_OPEN_READ, &file, error);
    keys->env->files->close(keys->env->file_context, file);
    *ret_is_stopped = status == PB_OK;
    return status == PB_NOT_FOUND ? PB_OK : status;
}

enum pb_status
pb_keys_unstop(struct pb_keys *keys, const char *log, struct pb_error *error)
{
    char room[PB_LOG_ID_BYTES_MAX + 24];
    enum pb_status status = pb_place_unlink(&keys->place, name_of(log, ".stopped", room), error);

    return status == PB_OK ? pb_place_sync_up(&keys->place, pb_str_from("x"), error) : status;
}

/* ---- openings ---- */

static void
term_name(uint32_t term, char ret_name[TERM_NAME_BYTES])
{
    if (term == PB_TERM_NEVER)
        (void)snprintf(ret_name, TERM_NAME_BYTES, "terms/never");
    else
        (void)snprintf(ret_name, TERM_NAME_BYTES, "terms/%04u-%02u", 1970 + term / 12,
                       1 + term % 12);
}

static enum pb_status
read_term(struct pb_keys *keys, const char *name, uint8_t ret_key[PB_TERM_KEY_BYTES],
          struct pb_error *error)
{
    uint8_t *bytes = NULL;
    size_t count = 0;
    enum pb_status status;

    status = pb_place_read(&keys->place, pb_str_from(name), TERM_FILE_BYTES, &bytes, &count, error);
    if (status != PB_OK)
        return status;
    if (count != TERM_FILE_BYTES ||
        pb_get_le64(bytes + PB_TERM_KEY_BYTES) != pb_hash_bytes(bytes, PB_TERM_KEY_BYTES))
        status = pb_fail(error, PB_E_CORRUPT, "the key '%s' of openings is damaged", name);
    else
        memcpy(ret_key, bytes, PB_TERM_KEY_BYTES);
    sodium_memzero(bytes, count);
    pb_free(keys->env, bytes);
    return status;
}

static enum pb_status
make_term(struct pb_keys *keys, const char *name, uint8_t ret_key[PB_TERM_KEY_BYTES],
          struct pb_error *error)
{
    uint8_t bytes[TERM_FILE_BYTES];
    enum pb_status status;

    if (keys->env->random(keys->env->random_context, bytes, PB_TERM_KEY_BYTES) != PB_OK)
        return pb_fail(error, PB_E_IO, "no random bytes for a key");
    pb_put_le64(bytes + PB_TERM_KEY_BYTES, pb_hash_bytes(bytes, PB_TERM_KEY_BYTES));
    status = pb_place_write(&keys->place, pb_str_from(name), PB_PLACE_SYNCED | PB_PLACE_PRIVATE,
                            bytes, sizeof(bytes), error);
    if (status == PB_OK)
        status = pb_place_sync_up(&keys->place, pb_str_from(name), error);
    if (status == PB_OK)
        memcpy(ret_key, bytes, PB_TERM_KEY_BYTES);
    sodium_memzero(bytes, sizeof(bytes));
    return status;
}

static enum pb_status
find_term(struct pb_keys *keys, uint32_t term, bool makes, uint8_t *ret_key, struct pb_error *error)
{
    struct term_key *cached;
    char name[TERM_NAME_BYTES];
    enum pb_status status;

    for (uint32_t i = 0; i < TERMS_CACHED; i++) {
        if (keys->terms[i].is_set && keys->terms[i].term == term) {
            memcpy(ret_key, keys->terms[i].key, PB_TERM_KEY_BYTES);
            return PB_OK;
        }
    }
    term_name(term, name);
    status = read_term(keys, name, ret_key, error);
    if (status == PB_NOT_FOUND && makes)
        status = make_term(keys, name, ret_key, error);
    if (status != PB_OK)
        return status;
    cached = &keys->terms[keys->next_term++ % TERMS_CACHED];
    *cached = (struct term_key){ .term = term, .is_set = true };
    memcpy(cached->key, ret_key, PB_TERM_KEY_BYTES);
    return PB_OK;
}

enum pb_status
pb_keys_term(struct pb_keys *keys, uint32_t term, bool makes, uint8_t ret_key[PB_TERM_KEY_BYTES],
             struct pb_error *error)
{
    enum pb_status status;

    assert(!makes || !keys->is_read_only);
    (void)pthread_mutex_lock(&keys->lock);
    status = find_term(keys, term, makes, ret_key, error);
    (void)pthread_mutex_unlock(&keys->lock);
    return status;
}

/* ---- destroying ---- */

struct over_list {
    int64_t now_us;
    uint32_t terms[64]; /* what is more is for the next round */
    uint32_t count;
};

static bool
add_over(void *context, const char *name, bool is_directory)
{
    struct over_list *list = context;
    unsigned year = 0, month = 0;
    char expected[TERM_NAME_BYTES];
    uint32_t term;

    if (is_directory || sscanf(name, "%4u-%2u", &year, &month) != 2 || year < 1970 || month < 1 ||
        month > 12)
        return true;
    term = (year - 1970) * 12 + month - 1;
    term_name(term, expected);
    if (strcmp(expected + strlen("terms/"), name) == 0 && pb_term_is_over(term, list->now_us))
        list->terms[list->count++] = term;
    return list->count < sizeof(list->terms) / sizeof(list->terms[0]);
}

/* Counts each that is gone, whatever comes of the next. */
static enum pb_status
destroy_list(struct pb_keys *keys, const struct over_list *list, uint64_t *ret_terms,
             struct pb_error *error)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < list->count && status == PB_OK; i++) {
        char name[TERM_NAME_BYTES];

        for (uint32_t j = 0; j < TERMS_CACHED; j++) {
            if (keys->terms[j].term == list->terms[i])
                sodium_memzero(&keys->terms[j], sizeof(keys->terms[j]));
        }
        term_name(list->terms[i], name);
        status = pb_place_unlink(&keys->place, pb_str_from(name), error);
        *ret_terms += status == PB_OK;
    }
    if (status == PB_OK)
        status = pb_place_sync_up(&keys->place, pb_str_from("terms/x"), error);
    return status;
}

enum pb_status
pb_keys_destroy_over(struct pb_keys *keys, int64_t now_us, uint64_t *ret_terms,
                     struct pb_error *error)
{
    struct over_list list = { .now_us = now_us };
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    *ret_terms = 0;
    (void)pthread_mutex_lock(&keys->lock);
    pb_place_path(&keys->place, pb_str_from("terms"), path);
    do {
        list.count = 0;
        status = keys->env->files->list(keys->env->file_context, path, add_over, &list, error);
        if (status == PB_OK && list.count > 0)
            status = destroy_list(keys, &list, ret_terms, error);
    } while (status == PB_OK && list.count > 0);
    (void)pthread_mutex_unlock(&keys->lock);
    if (status == PB_NOT_FOUND)
        return pb_fail(error, PB_E_CORRUPT, "'%s' is missing", path);
    return status;
}

/* ---- heads ---- */

const struct pb_head *
pb_keys_heads(const struct pb_keys *keys, uint32_t *ret_count)
{
    *ret_count = keys->head_count;
    return keys->heads;
}

const struct pb_head *
pb_keys_head(const struct pb_keys *keys, const char *log)
{
    struct pb_head wanted;

    if (strlen(log) > PB_LOG_ID_BYTES_MAX)
        return NULL;
    memcpy(wanted.log, log, strlen(log) + 1);
    return bsearch(&wanted, keys->heads, keys->head_count, sizeof(wanted), compare_heads);
}

enum pb_status
pb_keys_set_head(struct pb_keys *keys, const struct pb_head *head, struct pb_error *error)
{
    uint32_t at = 0;

    while (at < keys->head_count && compare_heads(&keys->heads[at], head) < 0)
        at++;
    if (at < keys->head_count && compare_heads(&keys->heads[at], head) == 0) {
        keys->heads[at] = *head;
        return PB_OK;
    }
    if (keys->head_count == keys->head_room) {
        uint32_t room = keys->head_room * 2 + 8;
        struct pb_head *larger = pb_realloc(keys->env, keys->heads, room * sizeof(*larger));

        if (larger == NULL)
            return pb_fail(error, PB_E_NOMEM, "no memory for the heads of logs");
        keys->heads = larger;
        keys->head_room = room;
    }
    memmove(&keys->heads[at + 1], &keys->heads[at],
            (keys->head_count - at) * sizeof(keys->heads[0]));
    keys->heads[at] = *head;
    keys->head_count++;
    return PB_OK;
}

enum pb_status
pb_keys_sync_heads(struct pb_keys *keys, struct pb_error *error)
{
    const struct pb_env *env = keys->env;
    struct pb_file *file = keys->files[(keys->sequence + 1) % 2];
    uint8_t *bytes =
        pb_alloc(env, HEADS_HEADER_BYTES + (size_t)keys->head_count * HEAD_BYTES_MAX + 8);
    size_t count = 0;
    enum pb_status status;

    assert(!keys->is_read_only);
    if (bytes == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the heads of logs");
    encode_heads(keys->heads, keys->head_count, keys->audit_id, keys->sequence + 1, bytes, &count);
    status = env->files->write(env->file_context, file, 0, bytes, count, error);
    if (status == PB_OK)
        status = env->files->sync(env->file_context, file, error);
    pb_free(env, bytes);
    if (status == PB_OK)
        keys->sequence++;
    return status;
}
