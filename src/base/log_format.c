/*
 * Log format: encoding, decoding and names.
 */
#include "base/log_format.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define VERSION 1u
#define CHECKSUM_BYTES 8u
#define HEADER_BYTES_MAX 4096u /* of any version */
#define MAGIC_BYTES 8u

static const uint8_t header_magic[MAGIC_BYTES] = { 'P', 'B', 'L', 'O', 'G', '\r', '\n', 0x1a };
static const uint8_t mark_magic[MAGIC_BYTES] = { 'P', 'B', 'A', 'C', 'K', '\r', '\n', 0x1a };
static const uint8_t record_magic[4] = { 0xb7, 'R', 'E', 'C' };

static bool
is_zero(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* ---- file header ---- */

void
pb_log_header_encode(const struct pb_log_header *header, const uint8_t *store_id,
                     uint8_t ret_bytes[PB_LOG_HEADER_BYTES])
{
    memset(ret_bytes, 0, PB_LOG_HEADER_BYTES);
    memcpy(ret_bytes, header_magic, MAGIC_BYTES);
    pb_put_le32(ret_bytes + 8, VERSION);
    pb_put_le32(ret_bytes + 12, PB_LOG_HEADER_BYTES);
    memcpy(ret_bytes + 16, store_id, PB_STORE_ID_BYTES);
    pb_put_le64(ret_bytes + 32, header->number);
    pb_put_le64(ret_bytes + 40, header->previous_number);
    pb_put_le64(ret_bytes + 48, header->previous_bytes);
    pb_put_le64(ret_bytes + 56, header->commit);
    pb_put_le64(ret_bytes + 64, header->synced_bytes);
    pb_put_le64(ret_bytes + 88, pb_hash_bytes(ret_bytes, 88));
}

static const char *
header_fault(const struct pb_log_header *header, uint64_t expected_number)
{
    if (header->number == 0 || (expected_number != 0 && header->number != expected_number))
        return "the header has another number than the file's name";
    if (header->previous_number >= header->number)
        return "the header names a log before it that is not before it";
    if (header->previous_number == 0 && header->previous_bytes != 0)
        return "the header states the end of no log";
    if (header->previous_number != 0 && header->previous_bytes < PB_LOG_HEADER_BYTES)
        return "the header states an impossible end of the log before";
    if (header->synced_bytes < PB_LOG_HEADER_BYTES || header->synced_bytes > PB_LOG_FILE_BYTES_MAX)
        return "the header states an impossible synced length";
    return NULL;
}

enum pb_status
pb_log_header_decode(const uint8_t *bytes, size_t count, struct pb_log_owner owner,
                     struct pb_log_header *ret_header, const char **reterr_reason)
{
    struct pb_log_header header;
    uint32_t header_bytes;

    *reterr_reason = "the file is shorter than its header";
    if (count < PB_LOG_HEADER_BYTES)
        return PB_E_CORRUPT;
    *reterr_reason = "the file does not begin as a log";
    if (memcmp(bytes, header_magic, MAGIC_BYTES) != 0)
        return PB_E_CORRUPT;
    header_bytes = pb_get_le32(bytes + 12);
    *reterr_reason = "the header's length is impossible";
    if (header_bytes < PB_LOG_HEADER_BYTES || header_bytes > HEADER_BYTES_MAX ||
        header_bytes > count)
        return PB_E_CORRUPT;
    *reterr_reason = "the header fails its checksum";
    if (pb_get_le64(bytes + header_bytes - CHECKSUM_BYTES) !=
        pb_hash_bytes(bytes, header_bytes - CHECKSUM_BYTES))
        return PB_E_CORRUPT;
    *reterr_reason = "the log was written by a later version";
    if (pb_get_le32(bytes + 8) != VERSION)
        return PB_E_VERSION;
    *reterr_reason = "the header's length or reserved bytes are not those of version 1";
    if (header_bytes != PB_LOG_HEADER_BYTES || !is_zero(bytes + 72, 16))
        return PB_E_CORRUPT;
    *reterr_reason = "the log is of another store";
    if (memcmp(bytes + 16, owner.store_id, PB_STORE_ID_BYTES) != 0)
        return PB_E_CORRUPT;

    header = (struct pb_log_header){
        .number = pb_get_le64(bytes + 32),
        .previous_number = pb_get_le64(bytes + 40),
        .previous_bytes = pb_get_le64(bytes + 48),
        .commit = pb_get_le64(bytes + 56),
        .synced_bytes = pb_get_le64(bytes + 64),
    };
    *reterr_reason = header_fault(&header, owner.number);
    if (*reterr_reason != NULL)
        return PB_E_CORRUPT;
    *ret_header = header;
    return PB_OK;
}

/* ---- record ---- */

/* Over the header but for itself, and over which store and log the record is of. */
static uint64_t
record_header_checksum(const uint8_t *at, struct pb_log_owner owner)
{
    uint8_t covered[48 + PB_STORE_ID_BYTES + 8];

    memcpy(covered, at, 48);
    memcpy(covered + 48, owner.store_id, PB_STORE_ID_BYTES);
    pb_put_le64(covered + 48 + PB_STORE_ID_BYTES, owner.number);
    return pb_hash_bytes(covered, sizeof(covered));
}

void
pb_log_record_seal(uint8_t *at, const struct pb_log_record *record, uint64_t durable,
                   struct pb_log_owner owner)
{
    assert(record->payload_bytes >= 1 && record->payload_bytes <= PB_BLOCK_BYTES_MAX);
    assert(record->count >= 1 && record->count <= record->payload_bytes);
    memcpy(at, record_magic, sizeof(record_magic));
    pb_put_le32(at + 4, record->count);
    pb_put_le32(at + 8, (uint32_t)record->payload_bytes);
    pb_put_le32(at + 12, 0);
    pb_put_le64(at + 16, record->commit);
    pb_put_le64(at + 24, (uint64_t)record->received_at_us);
    pb_put_le64(at + 32, durable);
    pb_put_le64(at + 40, pb_hash_bytes(at + PB_LOG_RECORD_HEADER_BYTES, record->payload_bytes));
    pb_put_le64(at + 48, record_header_checksum(at, owner));
}

bool
pb_log_record_is_sealed(const uint8_t *bytes, size_t count, struct pb_log_owner owner,
                        uint64_t *ret_durable)
{
    if (count < PB_LOG_RECORD_HEADER_BYTES ||
        memcmp(bytes, record_magic, sizeof(record_magic)) != 0 ||
        pb_get_le64(bytes + 48) != record_header_checksum(bytes, owner))
        return false;
    *ret_durable = pb_get_le64(bytes + 32);
    return true;
}

enum pb_status
pb_log_record_decode(const uint8_t *bytes, size_t count, struct pb_log_owner owner,
                     struct pb_log_record *ret_record, uint64_t *ret_durable,
                     const char **reterr_reason)
{
    uint32_t reads, payload_bytes;

    *reterr_reason = count == 0 ? "the file ends here" : "no record begins here";
    if (!pb_log_record_is_sealed(bytes, count, owner, ret_durable))
        return PB_NOT_FOUND;
    reads = pb_get_le32(bytes + 4);
    payload_bytes = pb_get_le32(bytes + 8);
    *reterr_reason = "the record's numbers are impossible";
    if (payload_bytes < 1 || payload_bytes > PB_BLOCK_BYTES_MAX || reads < 1 ||
        reads > payload_bytes || pb_get_le32(bytes + 12) != 0)
        return PB_E_CORRUPT;
    *reterr_reason = "the record is cut short";
    if (payload_bytes > count - PB_LOG_RECORD_HEADER_BYTES)
        return PB_NOT_FOUND;
    *reterr_reason = "the record fails its checksum";
    if (pb_get_le64(bytes + 40) !=
        pb_hash_bytes(bytes + PB_LOG_RECORD_HEADER_BYTES, payload_bytes))
        return PB_NOT_FOUND;
    *ret_record = (struct pb_log_record){
        .commit = pb_get_le64(bytes + 16),
        .received_at_us = (int64_t)pb_get_le64(bytes + 24),
        .payload = bytes + PB_LOG_RECORD_HEADER_BYTES,
        .payload_bytes = payload_bytes,
        .count = reads,
    };
    return PB_OK;
}

size_t
pb_log_record_candidate(const uint8_t *bytes, size_t count, size_t from)
{
    while (from < count) {
        const uint8_t *found = memchr(bytes + from, record_magic[0], count - from);

        if (found == NULL)
            break;
        from = (size_t)(found - bytes);
        if (count - from >= sizeof(record_magic) &&
            memcmp(found, record_magic, sizeof(record_magic)) == 0)
            return from;
        from++;
    }
    return count;
}

/* ---- mark ---- */

void
pb_log_mark_encode(const struct pb_log_mark *mark, const uint8_t *store_id,
                   uint8_t ret_bytes[PB_LOG_MARK_BYTES])
{
    memset(ret_bytes, 0, PB_LOG_MARK_BYTES);
    memcpy(ret_bytes, mark_magic, MAGIC_BYTES);
    pb_put_le32(ret_bytes + 8, VERSION);
    memcpy(ret_bytes + 16, store_id, PB_STORE_ID_BYTES);
    pb_put_le64(ret_bytes + 32, mark->number);
    pb_put_le64(ret_bytes + 40, mark->bytes);
    pb_put_le64(ret_bytes + 48, mark->commit);
    pb_put_le64(ret_bytes + 56, pb_hash_bytes(ret_bytes, 56));
}

enum pb_status
pb_log_mark_decode(const uint8_t *bytes, size_t count, const uint8_t *store_id,
                   struct pb_log_mark *ret_mark, const char **reterr_reason)
{
    if (is_zero(bytes, count))
        return PB_NOT_FOUND;
    *reterr_reason = "the mark fails its checksum";
    if (count != PB_LOG_MARK_BYTES || memcmp(bytes, mark_magic, MAGIC_BYTES) != 0 ||
        pb_get_le32(bytes + 8) != VERSION || pb_get_le32(bytes + 12) != 0 ||
        pb_get_le64(bytes + 56) != pb_hash_bytes(bytes, 56))
        return PB_E_CORRUPT;
    *reterr_reason = "the mark is of another store";
    if (memcmp(bytes + 16, store_id, PB_STORE_ID_BYTES) != 0)
        return PB_E_CORRUPT;
    *ret_mark = (struct pb_log_mark){
        .number = pb_get_le64(bytes + 32),
        .bytes = pb_get_le64(bytes + 40),
        .commit = pb_get_le64(bytes + 48),
    };
    return PB_OK;
}

/* ---- names ---- */

static enum pb_status
check_path(int length, const char *directory, struct pb_error *error)
{
    if ((size_t)length >= PB_PATH_BYTES_MAX) /* one that cannot be written is negative */
        return pb_fail(error, PB_OVER_LIMIT, "too long a path: '%s'", directory);
    return PB_OK;
}

enum pb_status
pb_log_path(const char *directory, const char *name, char ret_path[PB_PATH_BYTES_MAX],
            struct pb_error *error)
{
    return check_path(snprintf(ret_path, PB_PATH_BYTES_MAX, "%s/%s", directory, name), directory,
                      error);
}

enum pb_status
pb_log_file_path(const char *directory, uint64_t number, const char *suffix,
                 char ret_path[PB_PATH_BYTES_MAX], struct pb_error *error)
{
    return check_path(snprintf(ret_path, PB_PATH_BYTES_MAX, "%s/log/%" PRIu64 "%s", directory,
                               number, suffix),
                      directory, error);
}

/* 0 where name is not a number without leading zeros before suffix. */
static uint64_t
number_from_name(const char *name, const char *suffix)
{
    uint64_t number = 0;

    if (*name == '0')
        return 0;
    for (; *name >= '0' && *name <= '9'; name++) {
        unsigned digit = (unsigned)(*name - '0');

        if (number > (UINT64_MAX - digit) / 10)
            return 0;
        number = number * 10 + digit;
    }
    return strcmp(name, suffix) == 0 ? number : 0;
}

struct number_list {
    const struct pb_env *env;
    const char *suffix;
    uint64_t *numbers; /* owned */
    size_t count, capacity;
    enum pb_status status;
};

static bool
add_name(void *context, const char *name, bool is_directory)
{
    struct number_list *list = context;
    uint64_t number = number_from_name(name, list->suffix);
    size_t capacity;
    uint64_t *numbers;

    if (number == 0 || is_directory)
        return true;
    if (list->count == PB_LOG_FILES_MAX) {
        list->status = PB_OVER_LIMIT;
        return false;
    }
    if (list->count == list->capacity) {
        capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
        numbers = pb_realloc(list->env, list->numbers, capacity * sizeof(*numbers));
        if (numbers == NULL) {
            list->status = PB_E_NOMEM;
            return false;
        }
        list->numbers = numbers;
        list->capacity = capacity;
    }
    list->numbers[list->count++] = number;
    return true;
}

static int
compare_numbers(const void *a, const void *b)
{
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

enum pb_status
pb_log_list(const struct pb_env *env, const char *directory, const char *suffix,
            uint64_t **ret_numbers, size_t *ret_count, struct pb_error *error)
{
    struct number_list list = { .env = env, .suffix = suffix, .status = PB_OK };
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status;

    status = pb_log_path(directory, "log", path, error);
    if (status != PB_OK)
        return status;
    status = env->files->list(env->file_context, path, add_name, &list, error);
    if (status == PB_NOT_FOUND)
        status = PB_OK;
    if (status == PB_OK && list.status != PB_OK)
        status = pb_fail(error, list.status, "%s: %s", path,
                         list.status == PB_OVER_LIMIT ? "too many logs" : "no memory to list it");
    if (status != PB_OK) {
        pb_free(env, list.numbers);
        return status;
    }
    if (list.count > 1)
        qsort(list.numbers, list.count, sizeof(*list.numbers), compare_numbers);
    *ret_numbers = list.numbers;
    *ret_count = list.count;
    return PB_OK;
}
