/*
 * Fuzz target: the private bytes of audit logs: a journal record's payload, `state`, a file of
 * openings, heads. Each is tried as it is and with its checksum put right.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "base/bytes.h"
#include "base/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
parse_payload(const uint8_t *bytes, size_t count)
{
    const uint8_t *at = bytes, *end = bytes + count;
    struct pb_record_leaf leaf;

    while (pb_record_leaf_next(&at, end, &leaf) == PB_OK) {
        check(at <= end && leaf.sealed + leaf.sealed_bytes == at);
        check((const uint8_t *)leaf.leaf.text + leaf.leaf.bytes == leaf.sealed);
    }
}

static void
parse_state(const uint8_t *bytes, size_t count)
{
    const struct pb_env *env = pb_env_system();
    struct pb_state state;
    uint8_t *again = NULL;
    size_t again_count = 0;

    if (pb_state_decode(env, bytes, count, &state, NULL) != PB_OK)
        return;
    /* The reserved bytes are the only ones that are not told again. */
    if (pb_state_encode(&state, env, &again, &again_count) == PB_OK)
        check(again_count == count && memcmp(again + 64, bytes + 64, count - 64 - 8) == 0);
    pb_free(env, again);
    pb_state_done(&state, env);
}

static void
parse_sealed(const uint8_t *bytes, size_t count)
{
    struct pb_sealed items[PB_TILE_WIDTH];
    uint32_t item_count = 0;

    if (pb_sealed_file_decode(bytes, count, 0, items, &item_count) == PB_OK)
        check(pb_sealed_file_bytes(items, item_count) == count);
}

static void
parse_heads(const uint8_t *bytes, size_t count)
{
    const struct pb_env *env = pb_env_system();
    struct pb_head *heads = NULL;
    uint64_t sequence;
    uint32_t head_count = 0;

    if (count < 32 || pb_heads_parse(env, bytes, count, bytes + 16, &sequence, &heads, &head_count)
                          != PB_OK)
        return;
    for (uint32_t i = 1; i < head_count; i++)
        check(strcmp(heads[i - 1].log, heads[i].log) < 0);
    pb_free(env, heads);
}

static void
parse(const uint8_t *bytes, size_t count)
{
    parse_state(bytes, count);
    parse_sealed(bytes, count);
    parse_heads(bytes, count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const magics[] = { "PBAUDIT\x1a", "PBSEALS\x1a", "PBHEADS\x1a" };
    uint8_t *copy;

    parse_payload(data, size);
    parse(data, size);
    if (size < 64)
        return 0;
    copy = malloc(size);
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    memcpy(copy, magics[data[0] % 3], 8);
    pb_put_le32(copy + 8, 1);
    if (data[0] % 3 == 2)
        pb_put_le64(copy + 40, size);
    pb_put_le64(copy + size - 8, pb_hash_bytes(copy, size - 8));
    parse(copy, size);
    free(copy);
    return 0;
}
