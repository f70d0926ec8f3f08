/*
 * Memo: open addressing, at most half full, and no look is longer than PROBES lines: hashes are
 * quick ones, of which somebody could make many alike.
 */
#include "store/local/memo.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define LINE_BYTES 64u
#define LINES_FIRST 256u
#define LINES_MAX (1u << 18)
#define PROBES 8u
#define PLACES_MAX 4u /* of a reader that are remembered: one with more is likely to be mobile */
#define MOBILE (UINT64_C(1) << 63)
#define MIX UINT64_C(0x9e3779b97f4a7c15)

/* A place: texts has the reader; numbers lat and lon, then heading, offset, lane and scale, and
 * MOBILE where the reader's places are many: then any place of it fits.
 * A vehicle: texts has make, model, color and body one behind another; numbers their lengths and
 * the years. */
struct pb_memo_line {
    uint32_t number; /* answered, + 1; 0: the line is free */
    uint32_t bytes;  /* of texts */
    uint64_t numbers[2];
    char texts[LINE_BYTES - 24];
};

static_assert(sizeof(struct pb_memo_line) == LINE_BYTES, "a line is a cache line");

void
pb_memo_init(struct pb_memo *memo, const struct pb_env *env, size_t bytes_max)
{
    memset(memo, 0, sizeof(*memo));
    memo->env = env;
    memo->lines_max = LINES_FIRST;
    while (memo->lines_max < LINES_MAX && (size_t)memo->lines_max * 4 * LINE_BYTES <= bytes_max)
        memo->lines_max *= 2;
}

void
pb_memo_done(struct pb_memo *memo)
{
    if (memo->env == NULL)
        return;
    pb_free(memo->env, memo->places.memory);
    pb_free(memo->env, memo->vehicles.memory);
    memset(memo, 0, sizeof(*memo));
}

size_t
pb_memo_memory(const struct pb_memo *memo)
{
    return ((size_t)memo->places.line_count + memo->vehicles.line_count) * LINE_BYTES;
}

/* ---- hashes ---- */

static inline uint64_t
mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * MIX;
    return hash ^ hash >> 32;
}

static inline uint64_t
load_eight(const char *at)
{
    return pb_get_le64((const uint8_t *)at);
}

/* The beginning and the end of a text, in one number. */
static inline uint64_t
text_number(struct pb_str text)
{
    if (text.bytes >= 8)
        return load_eight(text.text) ^ load_eight(text.text + text.bytes - 8) * MIX;
    if (text.bytes >= 4)
        return pb_get_le32((const uint8_t *)text.text) |
               (uint64_t)pb_get_le32((const uint8_t *)text.text + text.bytes - 4) << 32;
    if (text.bytes == 0)
        return 0;
    return (uint64_t)(uint8_t)text.text[0] << 16 |
           (uint64_t)(uint8_t)text.text[text.bytes / 2] << 8 | (uint8_t)text.text[text.bytes - 1];
}

/* What of a place is not its reader. */
static inline void
place_numbers(const struct pb_read *read, uint64_t ret_numbers[2])
{
    ret_numbers[0] = (uint64_t)(uint32_t)read->lat_e7 << 32 | (uint32_t)read->lon_e7;
    ret_numbers[1] = (uint64_t)read->heading_cdeg | (uint64_t)(uint16_t)read->utc_offset_min << 16 |
                     (uint64_t)read->lane << 32 | (uint64_t)read->confidence_scale << 40;
}

/* The same of a reader whose places are many: only what the context has. */
static inline void
mobile_numbers(uint64_t numbers[2])
{
    numbers[0] = 0;
    numbers[1] = (numbers[1] & ~UINT64_C(0xffff)) | MOBILE;
}

static inline uint64_t
place_hash(const struct pb_read *read, const uint64_t numbers[2])
{
    return mix(mix(text_number(read->reader), numbers[0]), numbers[1] ^ read->reader.bytes);
}

static inline bool
has_vehicle(const struct pb_read *read)
{
    return (read->make.bytes | read->model.bytes | read->color.bytes | read->body.bytes |
            read->year | read->year_last) != 0;
}

static inline void
vehicle_numbers(const struct pb_read *read, uint64_t ret_numbers[2])
{
    ret_numbers[0] = (uint64_t)read->make.bytes | (uint64_t)read->model.bytes << 8 |
                     (uint64_t)read->color.bytes << 16 | (uint64_t)read->body.bytes << 24 |
                     (uint64_t)read->year << 32 | (uint64_t)read->year_last << 48;
    ret_numbers[1] = 0;
}

static inline uint64_t
vehicle_hash(const struct pb_read *read, uint64_t number)
{
    uint64_t hash = mix(text_number(read->make), text_number(read->model));

    return mix(mix(mix(hash, text_number(read->color)), text_number(read->body)), number);
}

struct pb_memo_key
pb_memo_key(const struct pb_read *read)
{
    struct pb_memo_key key = { 0 };
    uint64_t numbers[2];

    place_numbers(read, numbers);
    key.place = place_hash(read, numbers);
    if (has_vehicle(read)) {
        vehicle_numbers(read, numbers);
        key.vehicle = vehicle_hash(read, numbers[0]);
    }
    return key;
}

/* Inlined, for GCC takes a function that only prefetches for one without effect. */
static inline __attribute__((always_inline)) void
fetch(const struct pb_memo_table *table, uint64_t hash)
{
    if (table->line_count != 0)
        __builtin_prefetch(&table->lines[hash & (table->line_count - 1)]);
}

void
pb_memo_fetch(const struct pb_memo *memo, const struct pb_memo_key *key)
{
    fetch(&memo->places, key->place);
    if (key->vehicle != 0)
        fetch(&memo->vehicles, key->vehicle);
    __asm__ volatile("" ::: "memory");
}

/* ---- lines ---- */

/* The line with these numbers and this text; NULL where there is none. */
static inline const struct pb_memo_line *
find_text(const struct pb_memo_table *table, uint64_t hash, struct pb_str text,
          const uint64_t numbers[2])
{
    for (uint32_t i = 0; i < PROBES && table->line_count != 0; i++) {
        const struct pb_memo_line *line = &table->lines[(hash + i) & (table->line_count - 1)];

        if (line->number == 0)
            return NULL;
        if (line->numbers[0] == numbers[0] && line->numbers[1] == numbers[1] &&
            line->bytes == text.bytes &&
            pb_short_texts_equal(line->texts, text.text, text.bytes))
            return line;
    }
    return NULL;
}

static inline const struct pb_memo_line *
find_vehicle(const struct pb_memo_table *table, uint64_t hash, const struct pb_read *read,
             uint64_t number)
{
    for (uint32_t i = 0; i < PROBES && table->line_count != 0; i++) {
        const struct pb_memo_line *line = &table->lines[(hash + i) & (table->line_count - 1)];
        const char *at = line->texts;

        if (line->number == 0)
            return NULL;
        if (line->numbers[0] == number &&
            pb_short_texts_equal(at, read->make.text, read->make.bytes) &&
            pb_short_texts_equal(at += read->make.bytes, read->model.text, read->model.bytes) &&
            pb_short_texts_equal(at += read->model.bytes, read->color.text, read->color.bytes) &&
            pb_short_texts_equal(at += read->color.bytes, read->body.text, read->body.bytes))
            return line;
    }
    return NULL;
}

/* The hash of a line that is moved to a larger table cannot be computed from it alone: tables grow
 * empty, and are filled again by what comes. */
static void
grow(struct pb_memo *memo, struct pb_memo_table *table)
{
    uint32_t count = table->line_count == 0 ? LINES_FIRST : table->line_count * 4;
    uint8_t *memory = NULL;
    size_t bytes = ((size_t)count + 1) * LINE_BYTES;

    if (count > memo->lines_max)
        count = memo->lines_max;
    if (count == table->line_count)
        return;
    memory = pb_calloc(memo->env, 1, bytes);
    if (memory == NULL)
        return; /* it only costs time */
    pb_free(memo->env, table->memory);
    table->memory = memory;
    memory += LINE_BYTES - (uintptr_t)memory % LINE_BYTES;
    table->lines = (struct pb_memo_line *)(void *)memory;
    table->line_count = count;
    table->used = 0;
}

/* A free line to fill; NULL where nothing more is remembered. */
static struct pb_memo_line *
take_line(struct pb_memo *memo, struct pb_memo_table *table, uint64_t hash)
{
    if (table->used >= table->line_count / 2)
        grow(memo, table);
    if (table->used >= table->line_count / 2)
        return NULL;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct pb_memo_line *line = &table->lines[(hash + i) & (table->line_count - 1)];

        if (line->number == 0) {
            table->used++;
            return line;
        }
    }
    return NULL;
}

static void
remember_place(struct pb_memo *memo, uint64_t hash, struct pb_str reader, const uint64_t numbers[2],
               uint32_t context)
{
    struct pb_memo_line *line = NULL;

    if (reader.bytes <= sizeof(line->texts))
        line = take_line(memo, &memo->places, hash);
    if (line == NULL)
        return;
    line->number = context + 1;
    line->bytes = reader.bytes;
    line->numbers[0] = numbers[0];
    line->numbers[1] = numbers[1];
    memcpy(line->texts, reader.text, reader.bytes);
}

/* ---- places ---- */

enum pb_status
pb_memo_place(struct pb_memo *memo, struct pb_names *names, const struct pb_read *read,
              const struct pb_memo_key *key, uint32_t *ret_context,
              struct pb_context_rest *ret_rest)
{
    const struct pb_memo_line *line = NULL;
    const struct pb_context *context = NULL;
    uint64_t numbers[2];
    uint64_t mobile[2];
    uint64_t mobile_hash = 0;
    bool has_position = read->lat_e7 != PB_NO_POSITION;
    enum pb_status status = PB_OK;

    place_numbers(read, numbers);
    line = find_text(&memo->places, key->place, read->reader, numbers);
    if (line != NULL) {
        *ret_context = line->number - 1;
        *ret_rest = (struct pb_context_rest){ 0 };
        return PB_OK;
    }
    memcpy(mobile, numbers, sizeof(mobile));
    mobile_numbers(mobile);
    mobile_hash = place_hash(read, mobile);
    line = has_position ? find_text(&memo->places, mobile_hash, read->reader, mobile) : NULL;
    if (line != NULL) {
        *ret_context = line->number - 1;
        *ret_rest = pb_context_rest_of(&names->contexts[*ret_context], read);
        return PB_OK;
    }
    status = pb_names_read_place(names, read, ret_context, ret_rest);
    if (status != PB_OK)
        return status;
    context = &names->contexts[*ret_context];
    if (!context->is_mobile && names->fixed_counts[context->reader] <= PLACES_MAX)
        remember_place(memo, key->place, read->reader, numbers, *ret_context);
    else if (context->is_mobile && has_position)
        remember_place(memo, mobile_hash, read->reader, mobile, *ret_context);
    return PB_OK;
}

/* ---- vehicles ---- */

static char *
put_text(char *at, struct pb_str text)
{
    if (text.bytes != 0)
        memcpy(at, text.text, text.bytes);
    return at + text.bytes;
}

enum pb_status
pb_memo_vehicle(struct pb_memo *memo, struct pb_names *names, const struct pb_read *read,
                const struct pb_memo_key *key, uint32_t *ret_vehicle)
{
    struct pb_memo_line *line = NULL;
    const struct pb_memo_line *found = NULL;
    uint64_t numbers[2];
    size_t bytes =
        (size_t)read->make.bytes + read->model.bytes + read->color.bytes + read->body.bytes;
    enum pb_status status = PB_OK;

    if (!has_vehicle(read)) {
        *ret_vehicle = 0;
        return PB_OK;
    }
    vehicle_numbers(read, numbers);
    if (bytes <= sizeof(line->texts))
        found = find_vehicle(&memo->vehicles, key->vehicle, read, numbers[0]);
    if (found != NULL) {
        *ret_vehicle = found->number - 1;
        return PB_OK;
    }
    status = pb_names_read_vehicle(names, read, ret_vehicle);
    if (status != PB_OK)
        return status;
    if (bytes <= sizeof(line->texts))
        line = take_line(memo, &memo->vehicles, key->vehicle);
    if (line != NULL) {
        line->number = *ret_vehicle + 1;
        line->bytes = (uint32_t)bytes;
        line->numbers[0] = numbers[0];
        (void)put_text(put_text(put_text(put_text(line->texts, read->make), read->model),
                                read->color),
                       read->body);
    }
    return status;
}
