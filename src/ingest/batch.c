/*
 * Batch: slots, defaults, validation, and handing over.
 */
#include "ingest/batch.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include <platebase/plate.h>

#include "base/env.h"
#include "base/text.h"
#include "base/time.h"

#define TEXT_CHUNK_BYTES 16384u

enum pb_status
pb_batch_init(struct pb_batch *batch, const struct pb_env *env,
              const struct pb_ingest_defaults *defaults)
{
    *batch = (struct pb_batch){ .env = env, .defaults = defaults };
    pb_arena_init(&batch->texts, env, TEXT_CHUNK_BYTES);
    batch->reads = pb_calloc(env, PB_BATCH_READS, sizeof(*batch->reads));
    batch->rooms = pb_calloc(env, PB_BATCH_READS, sizeof(*batch->rooms));
    if (batch->reads == NULL || batch->rooms == NULL) {
        pb_batch_done(batch);
        return PB_E_NOMEM;
    }
    return PB_OK;
}

void
pb_batch_done(struct pb_batch *batch)
{
    if (batch->env == NULL)
        return;
    pb_free(batch->env, batch->reads);
    pb_free(batch->env, batch->rooms);
    pb_arena_clear(&batch->texts);
    *batch = (struct pb_batch){ .env = NULL };
}

struct pb_read *
pb_batch_empty_slot(struct pb_batch *batch, struct pb_room **ret_room)
{
    *ret_room = &batch->rooms[batch->count];
    return &batch->reads[batch->count];
}

struct pb_read *
pb_batch_slot(struct pb_batch *batch, struct pb_room **ret_room)
{
    struct pb_read *read = pb_batch_empty_slot(batch, ret_room);

    pb_read_init(read);
    return read;
}

enum pb_status
pb_batch_plate(struct pb_read *read, struct pb_room *room, struct pb_str raw,
               const char **ret_reason)
{
    uint32_t bytes = 0;
    enum pb_status status = pb_plate_fold(raw, room->plate, &bytes);

    if (status == PB_NOT_FOUND) {
        *ret_reason = "says that no plate was read";
        return PB_BAD_INPUT;
    }
    if (status != PB_OK) {
        *ret_reason = "is not UTF-8, has a control character or is too long";
        return status;
    }
    read->plate = (struct pb_str){ .text = room->plate, .bytes = bytes };
    if (pb_plate_is_placeholder(read->plate)) {
        *ret_reason = "says that no plate was read";
        return PB_BAD_INPUT;
    }
    if (!pb_str_equal(read->plate, raw))
        read->plate_raw = raw;
    return PB_OK;
}

enum pb_status
pb_batch_alternate(struct pb_batch *batch, struct pb_read *read, struct pb_room *room,
                   struct pb_str raw, uint32_t confidence_e6, bool without_repeats)
{
    char folded[PB_PLATE_BYTES_MAX];
    struct pb_alternate *alternate;
    uint32_t bytes = 0;
    enum pb_status status = pb_plate_fold(raw, folded, &bytes);
    struct pb_str plate = { .text = folded, .bytes = bytes };

    if (status == PB_NOT_FOUND || read->alternate_count == PB_ALTERNATES_MAX)
        return status == PB_NOT_FOUND ? PB_OK : status;
    if (status != PB_OK)
        return status;
    if (without_repeats) {
        bool is_repeat = pb_str_equal(plate, read->plate) || pb_plate_is_placeholder(plate);

        for (uint32_t i = 0; i < read->alternate_count && !is_repeat; i++)
            is_repeat = pb_str_equal(plate, room->record.alternates[i].plate);
        if (is_repeat)
            return PB_OK;
    }
    alternate = &room->record.alternates[read->alternate_count];
    status = pb_arena_copy(&batch->texts, plate, &alternate->plate);
    if (status != PB_OK)
        return status;
    alternate->confidence_e6 = confidence_e6;
    read->alternates = room->record.alternates;
    read->alternate_count++;
    return PB_OK;
}

uint16_t
pb_batch_jurisdiction_of_code(struct pb_batch *batch, uint64_t code, struct pb_str text)
{
    struct pb_code_memo *memo = &batch->memos[code * UINT64_C(0x9E3779B97F4A7C15) >> 56];

    if (memo->code != code) {
        memo->code = code;
        memo->jurisdiction = pb_jurisdiction_within(batch->defaults->country, text);
    }
    return memo->jurisdiction;
}

uint16_t
pb_batch_jurisdiction(struct pb_batch *batch, struct pb_str text)
{
    uint64_t code = 0;

    if (text.bytes == 0)
        return 0;
    if (text.bytes > sizeof(code))
        return pb_jurisdiction_within(batch->defaults->country, text);
    memcpy(&code, text.text, text.bytes);
    return pb_batch_jurisdiction_of_code(batch, le64toh(code), text);
}

static_assert(PB_CODE_MEMOS == UINT64_C(1) << (64 - 56), "the hash has as many values");

bool
pb_batch_default_time(const struct pb_batch *batch, struct pb_read *read)
{
    read->captured_at_us = batch->defaults->captured_at_us;
    return batch->defaults->captured_at_us != 0;
}

/* The sooner of what the source says in days and as a date. */
static int64_t
default_delete_after_us(const struct pb_ingest_defaults *defaults, int64_t captured_at_us)
{
    int64_t by_days_us = PB_TIME_MAX_US - 1; /* the last moment that a store takes */

    if (defaults->retention_days < 0 || captured_at_us < PB_TIME_MIN_US ||
        captured_at_us > by_days_us)
        return defaults->delete_after_us;
    if (defaults->retention_days <= (by_days_us - captured_at_us) / PB_DAY_US)
        by_days_us = captured_at_us + defaults->retention_days * PB_DAY_US;
    return by_days_us < defaults->delete_after_us ? by_days_us : defaults->delete_after_us;
}

enum pb_status
pb_batch_push(struct pb_batch *batch, bool has_delete_after)
{
    const struct pb_ingest_defaults *defaults = batch->defaults;
    struct pb_read *read = &batch->reads[batch->count];
    const char *field = "", *reason = "";
    bool may_be_plain = batch->is_ascii && read->reader.bytes != 0;

    if (read->reader.bytes == 0)
        read->reader = defaults->reader;
    if (read->lat_e7 == PB_NO_POSITION && read->lon_e7 == PB_NO_POSITION) {
        read->lat_e7 = defaults->lat_e7;
        read->lon_e7 = defaults->lon_e7;
    }
    if (!has_delete_after)
        read->delete_after_us = default_delete_after_us(defaults, read->captured_at_us);

    if (!(may_be_plain && pb_read_is_plainly_valid(read)) &&
        pb_read_validate(read, &field, &reason) != PB_OK)
        return pb_batch_reject(batch, field, reason);
    batch->count++;
    return batch->count == PB_BATCH_READS ? pb_batch_flush(batch) : PB_OK;
}

enum pb_status
pb_batch_reject(struct pb_batch *batch, const char *field, const char *reason)
{
    struct pb_rejection rejection = {
        .line = batch->line,
        .chunk_offset = (size_t)(batch->record - batch->chunk),
        .field = field,
        .reason = reason,
        .record = batch->record,
        .record_bytes = batch->record_bytes,
    };

    return batch->sink->on_reject(batch->sink->context, &rejection);
}

enum pb_status
pb_batch_flush(struct pb_batch *batch)
{
    enum pb_status status = PB_OK;

    if (batch->count > 0)
        status = batch->sink->on_reads(batch->sink->context, batch->reads, batch->count);
    batch->count = 0;
    pb_arena_reset(&batch->texts);
    return status;
}

char *
pb_batch_text(struct pb_batch *batch, size_t bytes)
{
    return pb_arena_alloc(&batch->texts, bytes);
}

enum pb_status
pb_batch_lower(struct pb_batch *batch, struct pb_str text, struct pb_str *ret_text)
{
    uint32_t plain = 0; /* bytes before the first capital */
    char *lower;

    while (plain < text.bytes && (text.text[plain] < 'A' || text.text[plain] > 'Z'))
        plain++;
    *ret_text = text;
    if (plain == text.bytes)
        return PB_OK;
    lower = pb_batch_text(batch, text.bytes);
    if (lower == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < text.bytes; i++) {
        char byte = text.text[i];

        lower[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    ret_text->text = lower;
    return PB_OK;
}
