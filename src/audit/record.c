/*
 * Record: private bytes of the audit room.
 */
#include "audit/record.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/env.h"

#define STATE_MAGIC "PBAUDIT\x1a"
#define STATE_VERSION 1u
#define STATE_HEADER_BYTES 64u
#define STATE_LOG_BYTES_MAX \
    (1u + PB_LOG_ID_BYTES_MAX + 1u + PB_NOTE_NAME_BYTES_MAX + 32u + 8u + 8u + 32u + 8u)
#define SEALED_MAGIC "PBSEALS\x1a"
#define SEALED_HEADER_BYTES 24u

bool
pb_log_id_is_valid(struct pb_str id)
{
    if (id.bytes == 0 || id.bytes > PB_LOG_ID_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < id.bytes; i++) {
        char at = id.text[i];
        bool is_plain =
            (at >= 'a' && at <= 'z') || (at >= 'A' && at <= 'Z') || (at >= '0' && at <= '9');

        if (!is_plain && (i == 0 || memchr("._:-", at, 4) == NULL))
            return false;
    }
    return true;
}

/* ---- journal ---- */

uint8_t *
pb_record_leaf_begin(const struct pb_record_leaf *leaf, uint8_t *at)
{
    assert(leaf->leaf.bytes <= PB_AUDIT_LEAF_BYTES_MAX);
    *at++ = (uint8_t)leaf->log.bytes;
    memcpy(at, leaf->log.text, leaf->log.bytes);
    at += leaf->log.bytes;
    pb_put_le64(at, leaf->index);
    pb_put_le32(at + 8, leaf->term);
    pb_put_le16(at + 12, (uint16_t)leaf->leaf.bytes);
    pb_put_le32(at + 14, leaf->sealed_bytes);
    return at + 18;
}

enum pb_status
pb_record_leaf_next(const uint8_t **at, const uint8_t *end, struct pb_record_leaf *ret_leaf)
{
    const uint8_t *byte = *at;
    uint32_t id_bytes;

    if (byte == end)
        return PB_END;
    id_bytes = *byte++;
    if ((size_t)(end - byte) < (size_t)id_bytes + PB_RECORD_LEAF_HEADER_BYTES - 1)
        return PB_BAD_INPUT;
    ret_leaf->log = (struct pb_str){ (const char *)byte, id_bytes };
    byte += id_bytes;
    ret_leaf->index = pb_get_le64(byte);
    ret_leaf->term = pb_get_le32(byte + 8);
    ret_leaf->leaf.bytes = pb_get_le16(byte + 12);
    ret_leaf->sealed_bytes = pb_get_le32(byte + 14);
    byte += 18;
    if (!pb_log_id_is_valid(ret_leaf->log) || ret_leaf->leaf.bytes > PB_AUDIT_LEAF_BYTES_MAX ||
        ret_leaf->sealed_bytes > PB_SEALED_BYTES_MAX ||
        (size_t)(end - byte) < (size_t)ret_leaf->leaf.bytes + ret_leaf->sealed_bytes)
        return PB_BAD_INPUT;
    ret_leaf->leaf.text = (const char *)byte;
    ret_leaf->sealed = byte + ret_leaf->leaf.bytes;
    *at = ret_leaf->sealed + ret_leaf->sealed_bytes;
    return PB_OK;
}

/* ---- state ---- */

void
pb_state_done(struct pb_state *state, const struct pb_env *env)
{
    pb_free(env, state->logs);
    memset(state, 0, sizeof(*state));
}

static uint8_t *
put_counted(uint8_t *at, const char *text)
{
    size_t bytes = strlen(text);

    *at++ = (uint8_t)bytes;
    memcpy(at, text, bytes);
    return at + bytes;
}

static uint8_t *
put_state_log(uint8_t *at, const struct pb_state_log *log)
{
    at = put_counted(at, log->id);
    at = put_counted(at, log->key.name);
    memcpy(at, log->key.public_key, 32);
    pb_put_le64(at + 32, log->size);
    pb_put_le64(at + 40, log->previous_size);
    memcpy(at + 48, log->root.bytes, PB_HASH_BYTES);
    pb_put_le64(at + 80, (uint64_t)log->time_ms);
    return at + 88;
}

enum pb_status
pb_state_encode(const struct pb_state *state, const struct pb_env *env, uint8_t **ret_bytes,
                size_t *ret_count)
{
    uint8_t *bytes =
        pb_calloc(env, 1, STATE_HEADER_BYTES + (size_t)state->log_count * STATE_LOG_BYTES_MAX + 8);
    uint8_t *at;

    if (bytes == NULL)
        return PB_E_NOMEM;
    memcpy(bytes, STATE_MAGIC, 8);
    pb_put_le32(bytes + 8, STATE_VERSION);
    pb_put_le32(bytes + 12, state->log_count);
    memcpy(bytes + 16, state->audit_id, PB_AUDIT_ID_BYTES);
    pb_put_le64(bytes + 32, state->generation);
    pb_put_le64(bytes + 40, state->journal_first);
    pb_put_le64(bytes + 48, state->commit);
    at = bytes + STATE_HEADER_BYTES;
    for (uint32_t i = 0; i < state->log_count; i++)
        at = put_state_log(at, &state->logs[i]);
    pb_put_le64(at, pb_hash_bytes(bytes, (size_t)(at - bytes)));
    *ret_bytes = bytes;
    *ret_count = (size_t)(at - bytes) + 8;
    return PB_OK;
}

/* A text with its length in front; NULL where it does not end before `end`. */
static const uint8_t *
take_counted(const uint8_t *at, const uint8_t *end, struct pb_str *ret_text)
{
    if (at == end || (size_t)(end - at) - 1 < *at)
        return NULL;
    *ret_text = (struct pb_str){ (const char *)at + 1, *at };
    return at + 1 + *at;
}

static const uint8_t *
take_state_log(const uint8_t *at, const uint8_t *end, struct pb_state_log *ret_log)
{
    struct pb_str id, origin;

    at = take_counted(at, end, &id);
    if (at != NULL)
        at = take_counted(at, end, &origin);
    if (at == NULL || end - at < 88 || !pb_log_id_is_valid(id) || !pb_note_name_is_valid(origin))
        return NULL;
    memset(ret_log, 0, sizeof(*ret_log));
    memcpy(ret_log->id, id.text, id.bytes);
    pb_vkey_make(origin, PB_KEY_ED25519, at, &ret_log->key);
    ret_log->size = pb_get_le64(at + 32);
    ret_log->previous_size = pb_get_le64(at + 40);
    memcpy(ret_log->root.bytes, at + 48, PB_HASH_BYTES);
    ret_log->time_ms = (int64_t)pb_get_le64(at + 80);
    if (ret_log->size > PB_TREE_SIZE_MAX || ret_log->previous_size > ret_log->size ||
        ret_log->time_ms < 0)
        return NULL;
    return at + 88;
}

static enum pb_status
decode_state_logs(struct pb_state *state, const uint8_t *at, const uint8_t *end)
{
    for (uint32_t i = 0; i < state->log_count; i++) {
        at = take_state_log(at, end, &state->logs[i]);
        if (at == NULL || (i > 0 && strcmp(state->logs[i - 1].id, state->logs[i].id) >= 0))
            return PB_E_CORRUPT;
    }
    return at == end ? PB_OK : PB_E_CORRUPT;
}

enum pb_status
pb_state_decode(const struct pb_env *env, const uint8_t *bytes, size_t count,
                struct pb_state *ret_state, struct pb_error *error)
{
    struct pb_state state = { .logs = NULL };
    enum pb_status status;

    if (count < STATE_HEADER_BYTES + 8 || memcmp(bytes, STATE_MAGIC, 8) != 0 ||
        pb_get_le64(bytes + count - 8) != pb_hash_bytes(bytes, count - 8))
        return pb_fail(error, PB_E_CORRUPT, "the state of the audit logs is damaged");
    if (pb_get_le32(bytes + 8) != STATE_VERSION)
        return pb_fail(error, PB_E_VERSION, "the audit logs were written by a later version");
    memcpy(state.audit_id, bytes + 16, PB_AUDIT_ID_BYTES);
    state.log_count = pb_get_le32(bytes + 12);
    state.generation = pb_get_le64(bytes + 32);
    state.journal_first = pb_get_le64(bytes + 40);
    state.commit = pb_get_le64(bytes + 48);
    if (state.log_count > PB_LOGS_MAX || state.log_count > count)
        return pb_fail(error, PB_E_CORRUPT, "the state of the audit logs is impossible");
    state.logs = pb_calloc(env, (size_t)state.log_count + 1, sizeof(*state.logs));
    if (state.logs == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the audit logs");
    status = decode_state_logs(&state, bytes + STATE_HEADER_BYTES, bytes + count - 8);
    if (status != PB_OK) {
        pb_state_done(&state, env);
        return pb_fail(error, status, "the state of the audit logs is impossible");
    }
    *ret_state = state;
    return PB_OK;
}

/* ---- openings ---- */

size_t
pb_sealed_file_bytes(const struct pb_sealed *items, uint32_t count)
{
    size_t bytes = SEALED_HEADER_BYTES + 8;

    for (uint32_t i = 0; i < count; i++)
        bytes += 8 + items[i].count;
    return bytes;
}

void
pb_sealed_file_encode(uint64_t first, const struct pb_sealed *items, uint32_t count,
                      uint8_t *ret_bytes)
{
    uint8_t *at = ret_bytes + SEALED_HEADER_BYTES;

    assert(count <= PB_TILE_WIDTH);
    memcpy(ret_bytes, SEALED_MAGIC, 8);
    pb_put_le32(ret_bytes + 8, 1);
    pb_put_le32(ret_bytes + 12, count);
    pb_put_le64(ret_bytes + 16, first);
    for (uint32_t i = 0; i < count; i++) {
        pb_put_le32(at, items[i].term);
        pb_put_le32(at + 4, items[i].count);
        at += 8;
        if (items[i].count > 0)
            memcpy(at, items[i].bytes, items[i].count);
        at += items[i].count;
    }
    pb_put_le64(at, pb_hash_bytes(ret_bytes, (size_t)(at - ret_bytes)));
}

enum pb_status
pb_sealed_file_decode(const uint8_t *bytes, size_t count, uint64_t first,
                      struct pb_sealed ret_items[PB_TILE_WIDTH], uint32_t *ret_count)
{
    const uint8_t *at, *end;
    uint32_t items;

    if (count < SEALED_HEADER_BYTES + 8 || memcmp(bytes, SEALED_MAGIC, 8) != 0 ||
        pb_get_le64(bytes + count - 8) != pb_hash_bytes(bytes, count - 8))
        return PB_E_CORRUPT;
    at = bytes + SEALED_HEADER_BYTES;
    end = bytes + count - 8;
    if (pb_get_le32(bytes + 8) != 1)
        return PB_E_VERSION;
    items = pb_get_le32(bytes + 12);
    if (items > PB_TILE_WIDTH || pb_get_le64(bytes + 16) != first)
        return PB_E_CORRUPT;
    for (uint32_t i = 0; i < items; i++) {
        uint32_t item_bytes;

        if (end - at < 8)
            return PB_E_CORRUPT;
        ret_items[i].term = pb_get_le32(at);
        item_bytes = pb_get_le32(at + 4);
        at += 8;
        if (item_bytes > PB_SEALED_BYTES_MAX || item_bytes > (size_t)(end - at))
            return PB_E_CORRUPT;
        ret_items[i].bytes = item_bytes > 0 ? at : NULL;
        ret_items[i].count = item_bytes;
        at += item_bytes;
    }
    *ret_count = items;
    return at == end ? PB_OK : PB_E_CORRUPT;
}
