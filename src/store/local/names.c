/*
 * Names: intern tables while building, plain arrays afterwards.
 */
#include "store/local/names.h"

#include <assert.h>
#include <string.h>

#include <zstd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "geo/geo.h"
#include "store/local/sorter.h"

#define TABLE_SLOTS_FIRST 1024u
#define NAMES_MAX (1u << 31)
#define HEADER_BYTES 12u
#define CONTEXT_BYTES 20u
#define VEHICLE_BYTES 20u
#define MIX UINT64_C(0x9e3779b97f4a7c15)
#define TAG_MASK (UINT64_MAX << 32) /* of a slot: tells most others apart without a look at them */

static enum pb_status
table_new(const struct pb_env *env, struct pb_name_table *table, uint32_t slot_count)
{
    uint64_t *slots = pb_calloc(env, slot_count, sizeof(*slots));

    if (slots == NULL)
        return PB_E_NOMEM;
    table->slots = slots;
    table->slot_count = slot_count;
    return PB_OK;
}

static uint64_t
mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * MIX;
    return hash ^ hash >> 32;
}

/* All that makes a context, or a vehicle, what it is. */
struct name_key {
    uint64_t words[3];
};

static struct name_key
context_key(const struct pb_context *context)
{
    return (struct name_key){ { context->reader,
                                (uint64_t)(uint32_t)context->lat_e7 << 32
                                    | (uint32_t)context->lon_e7,
                                (uint64_t)context->heading_code
                                    | (uint64_t)(uint16_t)context->utc_offset_min << 16
                                    | (uint64_t)context->lane << 32
                                    | (uint64_t)context->scale << 40
                                    | (uint64_t)context->is_mobile << 48
                                    | (uint64_t)context->reports << 56 } };
}

static struct name_key
vehicle_key(const struct pb_vehicle *vehicle)
{
    return (struct name_key){ { (uint64_t)vehicle->make << 32 | vehicle->model,
                                (uint64_t)vehicle->color << 32 | vehicle->body,
                                (uint64_t)vehicle->year << 16 | vehicle->year_last } };
}

static uint64_t
key_hash(struct name_key key)
{
    return mix(mix(mix(0, key.words[0]), key.words[1]), key.words[2]);
}

static bool
key_is_equal(struct name_key a, struct name_key b)
{
    return memcmp(a.words, b.words, sizeof(a.words)) == 0;
}

bool
pb_vehicle_is_equal(const struct pb_vehicle *a, const struct pb_vehicle *b)
{
    return key_is_equal(vehicle_key(a), vehicle_key(b));
}

/* Puts number into the first free slot of its hash. */
static void
table_put(struct pb_name_table *table, uint64_t hash, uint32_t number)
{
    uint32_t slot = (uint32_t)(hash & (table->slot_count - 1));

    while (table->slots[slot] != 0)
        slot = (slot + 1) & (table->slot_count - 1);
    table->slots[slot] = (hash & TAG_MASK) | (number + 1u);
}

/* The number in the slot where a search stands if it may be the one of hash; UINT32_MAX if not. */
static inline uint32_t
number_in_slot(const struct pb_name_table *table, uint32_t slot, uint64_t hash)
{
    uint64_t entry = table->slots[slot];

    return (entry & TAG_MASK) == (hash & TAG_MASK) ? (uint32_t)entry - 1 : UINT32_MAX;
}

enum name_kind { TEXTS, CONTEXTS, VEHICLES };

static uint64_t
hash_of(const struct pb_names *names, enum name_kind kind, uint32_t number)
{
    if (kind == TEXTS)
        return names->text_hashes[number];
    return key_hash(kind == CONTEXTS ? context_key(&names->contexts[number])
                                     : vehicle_key(&names->vehicles[number]));
}

/* Keeps the table at most half full. */
static enum pb_status
table_grow(struct pb_names *names, struct pb_name_table *table, enum name_kind kind,
           uint32_t count)
{
    struct pb_name_table larger = { 0 };
    enum pb_status status = PB_OK;

    if (count < table->slot_count / 2)
        return PB_OK;
    if (count >= NAMES_MAX / 2)
        return PB_OVER_LIMIT;
    status = table_new(names->env, &larger, table->slot_count * 2);
    if (status != PB_OK)
        return status;
    for (uint32_t i = 0; i < count; i++)
        table_put(&larger, hash_of(names, kind, i), i);
    pb_free(names->env, table->slots);
    *table = larger;
    return PB_OK;
}

/* Grows an array to hold one more element. */
static enum pb_status
grow(const struct pb_env *env, void **array, size_t element_bytes, uint32_t room)
{
    void *larger = pb_realloc(env, *array, (size_t)room * element_bytes);

    if (larger == NULL)
        return PB_E_NOMEM;
    *array = larger;
    return PB_OK;
}

static enum pb_status
grow_texts(struct pb_names *names)
{
    uint32_t room = names->text_room == 0 ? 256 : names->text_room * 2;
    enum pb_status status = PB_OK;

    status = grow(names->env, (void **)&names->texts, sizeof(*names->texts), room);
    if (status == PB_OK)
        status = grow(names->env, (void **)&names->text_hashes, sizeof(*names->text_hashes), room);
    if (status == PB_OK)
        status = grow(names->env, (void **)&names->fixed_counts, sizeof(*names->fixed_counts),
                      room);
    if (status == PB_OK) {
        status = grow(names->env, (void **)&names->mobile_contexts,
                      sizeof(*names->mobile_contexts), room);
    }
    if (status == PB_OK)
        names->text_room = room;
    return status;
}

void
pb_names_done(struct pb_names *names)
{
    if (names->env == NULL)
        return;
    pb_free(names->env, names->texts);
    pb_free(names->env, names->text_hashes);
    pb_free(names->env, names->fixed_counts);
    pb_free(names->env, names->mobile_contexts);
    pb_free(names->env, names->contexts);
    pb_free(names->env, names->vehicles);
    pb_free(names->env, names->text_table.slots);
    pb_free(names->env, names->context_table.slots);
    pb_free(names->env, names->vehicle_table.slots);
    pb_arena_clear(&names->arena);
    memset(names, 0, sizeof(*names));
}

size_t
pb_names_memory(const struct pb_names *names)
{
    /* Those that were decoded have neither hashes nor what is kept of a reader. */
    size_t text_bytes = names->text_hashes != NULL ? (size_t)names->text_room * 32
                                                   : names->text_count * sizeof(struct pb_str);

    return names->arena.total_bytes + text_bytes
           + (size_t)names->context_room * sizeof(struct pb_context)
           + (size_t)names->vehicle_room * sizeof(struct pb_vehicle)
           + ((size_t)names->text_table.slot_count + names->context_table.slot_count
              + names->vehicle_table.slot_count) * sizeof(uint64_t);
}

enum pb_status
pb_names_init(struct pb_names *names, const struct pb_env *env)
{
    static const struct pb_vehicle unknown = { 0 };
    enum pb_status status = PB_OK;
    uint32_t number = 0;

    memset(names, 0, sizeof(*names));
    names->env = env;
    pb_arena_init(&names->arena, env, 64u << 10);
    status = table_new(env, &names->text_table, TABLE_SLOTS_FIRST);
    if (status == PB_OK)
        status = table_new(env, &names->context_table, TABLE_SLOTS_FIRST);
    if (status == PB_OK)
        status = table_new(env, &names->vehicle_table, TABLE_SLOTS_FIRST);
    if (status == PB_OK)
        status = pb_names_text(names, (struct pb_str){ NULL, 0 }, &number);
    if (status == PB_OK)
        status = pb_names_vehicle(names, &unknown, &number);
    if (status != PB_OK)
        pb_names_done(names);
    return status;
}

enum pb_status
pb_names_text(struct pb_names *names, struct pb_str text, uint32_t *ret_text)
{
    uint64_t hash = pb_hash_bytes(text.text, text.bytes);
    uint32_t slot = (uint32_t)(hash & (names->text_table.slot_count - 1));
    struct pb_str copy = { NULL, 0 };
    enum pb_status status = PB_OK;

    while (names->text_table.slots[slot] != 0) {
        uint32_t number = number_in_slot(&names->text_table, slot, hash);

        if (number != UINT32_MAX && pb_str_equal(names->texts[number], text)) {
            *ret_text = number;
            return PB_OK;
        }
        slot = (slot + 1) & (names->text_table.slot_count - 1);
    }
    status = table_grow(names, &names->text_table, TEXTS, names->text_count);
    if (status == PB_OK && names->text_count == names->text_room)
        status = grow_texts(names);
    if (status == PB_OK)
        status = pb_arena_copy(&names->arena, text, &copy);
    if (status != PB_OK)
        return status;
    names->texts[names->text_count] = copy;
    names->text_hashes[names->text_count] = hash;
    names->fixed_counts[names->text_count] = 0;
    names->mobile_contexts[names->text_count] = 0;
    table_put(&names->text_table, hash, names->text_count);
    *ret_text = names->text_count++;
    return PB_OK;
}

enum pb_status
pb_names_vehicle(struct pb_names *names, const struct pb_vehicle *vehicle, uint32_t *ret_vehicle)
{
    uint64_t hash = key_hash(vehicle_key(vehicle));
    uint32_t slot = (uint32_t)(hash & (names->vehicle_table.slot_count - 1));
    enum pb_status status = PB_OK;

    while (names->vehicle_table.slots[slot] != 0) {
        uint32_t number = number_in_slot(&names->vehicle_table, slot, hash);

        if (number != UINT32_MAX && pb_vehicle_is_equal(&names->vehicles[number], vehicle)) {
            *ret_vehicle = number;
            return PB_OK;
        }
        slot = (slot + 1) & (names->vehicle_table.slot_count - 1);
    }
    status = table_grow(names, &names->vehicle_table, VEHICLES, names->vehicle_count);
    if (status == PB_OK && names->vehicle_count == names->vehicle_room) {
        uint32_t room = names->vehicle_room == 0 ? 256 : names->vehicle_room * 2;

        status = grow(names->env, (void **)&names->vehicles, sizeof(*names->vehicles), room);
        if (status == PB_OK)
            names->vehicle_room = room;
    }
    if (status != PB_OK)
        return status;
    names->vehicles[names->vehicle_count] = *vehicle;
    table_put(&names->vehicle_table, hash, names->vehicle_count);
    *ret_vehicle = names->vehicle_count++;
    return PB_OK;
}

/* Returns the number of a known context, UINT32_MAX where it is not known. */
static uint32_t
find_context(const struct pb_names *names, const struct pb_context *context, uint64_t hash)
{
    struct name_key key = context_key(context);
    uint32_t slot = (uint32_t)(hash & (names->context_table.slot_count - 1));

    while (names->context_table.slots[slot] != 0) {
        uint32_t number = number_in_slot(&names->context_table, slot, hash);

        if (number != UINT32_MAX && key_is_equal(context_key(&names->contexts[number]), key))
            return number;
        slot = (slot + 1) & (names->context_table.slot_count - 1);
    }
    return UINT32_MAX;
}

static enum pb_status
add_context(struct pb_names *names, const struct pb_context *context, uint64_t hash,
            uint32_t *ret_context)
{
    enum pb_status status = PB_OK;

    status = table_grow(names, &names->context_table, CONTEXTS, names->context_count);
    if (status == PB_OK && names->context_count == names->context_room) {
        uint32_t room = names->context_room == 0 ? 256 : names->context_room * 2;

        status = grow(names->env, (void **)&names->contexts, sizeof(*names->contexts), room);
        if (status == PB_OK)
            names->context_room = room;
    }
    if (status != PB_OK)
        return status;
    names->contexts[names->context_count] = *context;
    table_put(&names->context_table, hash, names->context_count);
    *ret_context = names->context_count++;
    return PB_OK;
}

enum pb_status
pb_names_context(struct pb_names *names, const struct pb_context *context, uint32_t *ret_context)
{
    uint64_t hash = key_hash(context_key(context));
    uint32_t found = find_context(names, context, hash);

    if (found != UINT32_MAX) {
        *ret_context = found;
        return PB_OK;
    }
    return add_context(names, context, hash, ret_context);
}

uint8_t
pb_read_reports(const struct pb_read *read)
{
    return (uint8_t)((read->make.bytes != 0 ? PB_REPORTS_MAKE : 0)
                     | (read->model.bytes != 0 ? PB_REPORTS_MODEL : 0)
                     | (read->color.bytes != 0 ? PB_REPORTS_COLOR : 0)
                     | (read->body.bytes != 0 ? PB_REPORTS_BODY : 0)
                     | (read->year != 0 ? PB_REPORTS_YEAR : 0)
                     | (read->year_last != 0 ? PB_REPORTS_YEAR_LAST : 0));
}

/* The mobile context of what would be a fixed one, and what is left to the row. Positions are kept
 * as differences from the reader's first one, so that they take few bits. */
static enum pb_status
mobile_context(struct pb_names *names, const struct pb_context *fixed, uint32_t *ret_context,
               struct pb_context_rest *ret_rest)
{
    struct pb_context context = *fixed;
    uint32_t anchor = names->mobile_contexts[fixed->reader];
    bool has_position = fixed->lat_e7 != PB_NO_POSITION;
    enum pb_status status = PB_OK;

    *ret_rest = (struct pb_context_rest){ .heading_code = fixed->heading_code };
    context.heading_code = 0;
    context.is_mobile = 1;
    if (has_position && anchor != 0) {
        context.lat_e7 = names->contexts[anchor - 1].lat_e7;
        context.lon_e7 = names->contexts[anchor - 1].lon_e7;
        /* Wraps around where a unit went from one side of the world to the other; so does
         * adding them up again. */
        ret_rest->lat = (int32_t)((uint32_t)fixed->lat_e7 - (uint32_t)context.lat_e7);
        ret_rest->lon = (int32_t)((uint32_t)fixed->lon_e7 - (uint32_t)context.lon_e7);
    }
    status = pb_names_context(names, &context, ret_context);
    if (status == PB_OK && has_position && anchor == 0)
        names->mobile_contexts[fixed->reader] = *ret_context + 1;
    return status;
}

static uint16_t
heading_code_of(const struct pb_read *read)
{
    return (uint16_t)(read->heading_cdeg == PB_NO_HEADING ? 0
                                                          : read->heading_cdeg + PB_CODE_SHIFT);
}

struct pb_context_rest
pb_context_rest_of(const struct pb_context *context, const struct pb_read *read)
{
    return (struct pb_context_rest){
        .lat = (int32_t)((uint32_t)read->lat_e7 - (uint32_t)context->lat_e7),
        .lon = (int32_t)((uint32_t)read->lon_e7 - (uint32_t)context->lon_e7),
        .heading_code = heading_code_of(read),
    };
}

static enum pb_status
read_context(struct pb_names *names, const struct pb_read *read, uint8_t reports,
             uint32_t *ret_context, struct pb_context_rest *ret_rest)
{
    struct pb_context context = {
        .lat_e7 = read->lat_e7,
        .lon_e7 = read->lon_e7,
        .heading_code = heading_code_of(read),
        .utc_offset_min = read->utc_offset_min,
        .lane = read->lane,
        .scale = (uint8_t)read->confidence_scale,
        .reports = reports,
    };
    struct pb_context_rest rest = { 0 };
    uint64_t hash = 0;
    uint32_t found = 0;
    enum pb_status status = pb_names_text(names, read->reader, &context.reader);

    if (status != PB_OK)
        return status;
    hash = key_hash(context_key(&context));
    found = find_context(names, &context, hash);
    if (found == UINT32_MAX && names->fixed_counts[context.reader] < PB_FIXED_CONTEXTS_MAX) {
        names->fixed_counts[context.reader]++;
        status = add_context(names, &context, hash, &found);
    } else if (found == UINT32_MAX) {
        status = mobile_context(names, &context, &found, &rest);
    }
    if (status != PB_OK)
        return status;
    *ret_context = found;
    *ret_rest = rest;
    return PB_OK;
}

enum pb_status
pb_names_read_context(struct pb_names *names, const struct pb_read *read, uint32_t *ret_context,
                      struct pb_context_rest *ret_rest)
{
    return read_context(names, read, pb_read_reports(read), ret_context, ret_rest);
}

enum pb_status
pb_names_read_place(struct pb_names *names, const struct pb_read *read, uint32_t *ret_context,
                    struct pb_context_rest *ret_rest)
{
    return read_context(names, read, 0, ret_context, ret_rest);
}

/* The vehicle of these years, and of these make, model, colour and body. */
static enum pb_status
find_vehicle(struct pb_names *names, uint16_t year, uint16_t year_last,
             const struct pb_str texts[4], uint32_t *ret_vehicle)
{
    struct pb_vehicle vehicle = { .year = year, .year_last = year_last };
    uint32_t *const numbers[4] = { &vehicle.make, &vehicle.model, &vehicle.color, &vehicle.body };

    for (int i = 0; i < 4; i++) {
        enum pb_status status = pb_names_text(names, texts[i], numbers[i]);

        if (status != PB_OK)
            return status;
    }
    return pb_names_vehicle(names, &vehicle, ret_vehicle);
}

enum pb_status
pb_names_read_vehicle(struct pb_names *names, const struct pb_read *read, uint32_t *ret_vehicle)
{
    const struct pb_str texts[4] = { read->make, read->model, read->color, read->body };

    if (pb_read_reports(read) == 0) {
        *ret_vehicle = 0;
        return PB_OK;
    }
    return find_vehicle(names, read->year, read->year_last, texts, ret_vehicle);
}

/* ---- vehicles ---- */

uint8_t
pb_vehicle_reports(const struct pb_vehicle *vehicle)
{
    return (uint8_t)((vehicle->make != PB_NO_NAME ? PB_REPORTS_MAKE : 0)
                     | (vehicle->model != PB_NO_NAME ? PB_REPORTS_MODEL : 0)
                     | (vehicle->color != PB_NO_NAME ? PB_REPORTS_COLOR : 0)
                     | (vehicle->body != PB_NO_NAME ? PB_REPORTS_BODY : 0)
                     | (vehicle->year != 0 ? PB_REPORTS_YEAR : 0)
                     | (vehicle->year_last != 0 ? PB_REPORTS_YEAR_LAST : 0));
}

void
pb_vehicle_overwrite(struct pb_vehicle *into, const struct pb_vehicle *from, uint8_t reports)
{
    if (reports & PB_REPORTS_MAKE)
        into->make = from->make;
    if (reports & PB_REPORTS_MODEL)
        into->model = from->model;
    if (reports & PB_REPORTS_COLOR)
        into->color = from->color;
    if (reports & PB_REPORTS_BODY)
        into->body = from->body;
    if (reports & PB_REPORTS_YEAR)
        into->year = from->year;
    if (reports & PB_REPORTS_YEAR_LAST)
        into->year_last = from->year_last;
}

struct pb_vehicle
pb_vehicle_masked(const struct pb_vehicle *vehicle, uint8_t reports)
{
    struct pb_vehicle masked = { 0 };

    pb_vehicle_overwrite(&masked, vehicle, reports);
    return masked;
}

void
pb_vehicle_fill(struct pb_vehicle *into, const struct pb_vehicle *from)
{
    pb_vehicle_overwrite(into, from, (uint8_t)~pb_vehicle_reports(into));
}

/* ---- order ---- */

enum pb_status
pb_names_sort_contexts(struct pb_names *names, uint32_t *ret_numbers)
{
    uint32_t count = names->context_count;
    struct pb_pair *pairs = pb_alloc(names->env, ((size_t)count + 1) * 2 * sizeof(*pairs));
    struct pb_context *sorted = pb_alloc(names->env, ((size_t)count + 1) * sizeof(*sorted));

    if (pairs == NULL || sorted == NULL) {
        pb_free(names->env, pairs);
        pb_free(names->env, sorted);
        return PB_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct pb_context *context = &names->contexts[i];

        pairs[i] = (struct pb_pair){ (uint64_t)pb_geo_cell(context->lat_e7, context->lon_e7) << 32
                                         | context->reader, i };
    }
    pb_pairs_sort(pairs, pairs + count, count);
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = names->contexts[pairs[i].value];
        ret_numbers[pairs[i].value] = i;
    }
    pb_free(names->env, pairs);
    pb_free(names->env, names->contexts);
    names->contexts = sorted;
    names->context_room = count + 1;
    return PB_OK;
}

/* ---- joining ---- */

enum pb_status
pb_names_announce(struct pb_names *target, const struct pb_names *source, const uint64_t *wanted)
{
    for (uint32_t i = 0; i < source->context_count; i++) {
        struct pb_context context = source->contexts[i];
        uint32_t number = 0;
        enum pb_status status = PB_OK;

        if (wanted != NULL && wanted[i] == 0)
            continue;
        status = pb_names_text(target, source->texts[context.reader], &context.reader);
        if (status != PB_OK)
            return status;
        if (!context.is_mobile || context.lat_e7 == PB_NO_POSITION
            || target->mobile_contexts[context.reader] != 0)
            continue;
        status = pb_names_context(target, &context, &number);
        if (status != PB_OK)
            return status;
        target->mobile_contexts[context.reader] = number + 1;
    }
    return PB_OK;
}

enum pb_status
pb_names_join_context(struct pb_names *target, const struct pb_names *source,
                      const struct pb_context *from, struct pb_context_move *ret_move)
{
    struct pb_context context = *from;
    struct pb_context_rest rest = { 0 };
    enum pb_status status = pb_names_text(target, source->texts[from->reader], &context.reader);

    if (status != PB_OK)
        return status;
    if (context.is_mobile || target->mobile_contexts[context.reader] != 0) {
        status = mobile_context(target, &context, &ret_move->context, &rest);
    } else {
        status = pb_names_context(target, &context, &ret_move->context);
    }
    ret_move->rest = rest;
    return status;
}

enum pb_status
pb_names_join_vehicle(struct pb_names *target, const struct pb_names *source, uint32_t vehicle,
                      uint32_t *ret_vehicle)
{
    const struct pb_vehicle *from = &source->vehicles[vehicle];
    const struct pb_str texts[4] = { source->texts[from->make], source->texts[from->model],
                                     source->texts[from->color], source->texts[from->body] };

    return find_vehicle(target, from->year, from->year_last, texts, ret_vehicle);
}

enum pb_status
pb_names_join(struct pb_names *target, const struct pb_names *source,
              struct pb_context_move *ret_moves, uint32_t *ret_vehicles)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < source->context_count && status == PB_OK; i++)
        status = pb_names_join_context(target, source, &source->contexts[i], &ret_moves[i]);
    for (uint32_t i = 0; i < source->vehicle_count && status == PB_OK; i++)
        status = pb_names_join_vehicle(target, source, i, &ret_vehicles[i]);
    return status;
}

/* ---- on disk ---- */

static uint8_t *
put_context(uint8_t *at, const struct pb_context *context)
{
    pb_put_le32(at, context->reader);
    pb_put_le32(at + 4, (uint32_t)context->lat_e7);
    pb_put_le32(at + 8, (uint32_t)context->lon_e7);
    pb_put_le16(at + 12, context->heading_code);
    pb_put_le16(at + 14, (uint16_t)context->utc_offset_min);
    at[16] = context->lane;
    at[17] = context->scale;
    at[18] = context->is_mobile;
    at[19] = context->reports;
    return at + CONTEXT_BYTES;
}

static uint8_t *
put_vehicle(uint8_t *at, const struct pb_vehicle *vehicle)
{
    pb_put_le32(at, vehicle->make);
    pb_put_le32(at + 4, vehicle->model);
    pb_put_le32(at + 8, vehicle->color);
    pb_put_le32(at + 12, vehicle->body);
    pb_put_le16(at + 16, vehicle->year);
    pb_put_le16(at + 18, vehicle->year_last);
    return at + VEHICLE_BYTES;
}

enum pb_status
pb_names_encode(const struct pb_names *names, uint8_t **ret_bytes, size_t *ret_stored,
                size_t *ret_raw)
{
    size_t raw = HEADER_BYTES + (size_t)names->context_count * CONTEXT_BYTES
                 + (size_t)names->vehicle_count * VEHICLE_BYTES;
    uint8_t *plain = NULL;
    uint8_t *packed = NULL;
    uint8_t *at = NULL;
    size_t stored = 0;
    enum pb_status status = PB_E_NOMEM;

    for (uint32_t i = 0; i < names->text_count; i++)
        raw += 2 + names->texts[i].bytes;
    if (raw > PB_NAMES_BYTES_MAX)
        return PB_OVER_LIMIT;
    plain = pb_alloc(names->env, raw);
    packed = pb_alloc(names->env, ZSTD_compressBound(raw));
    if (plain == NULL || packed == NULL)
        goto out;

    pb_put_le32(plain, names->text_count);
    pb_put_le32(plain + 4, names->context_count);
    pb_put_le32(plain + 8, names->vehicle_count);
    at = plain + HEADER_BYTES;
    for (uint32_t i = 0; i < names->text_count; i++) {
        pb_put_le16(at, (uint16_t)names->texts[i].bytes);
        if (names->texts[i].bytes != 0)
            memcpy(at + 2, names->texts[i].text, names->texts[i].bytes);
        at += 2 + names->texts[i].bytes;
    }
    for (uint32_t i = 0; i < names->context_count; i++)
        at = put_context(at, &names->contexts[i]);
    for (uint32_t i = 0; i < names->vehicle_count; i++)
        at = put_vehicle(at, &names->vehicles[i]);
    assert((size_t)(at - plain) == raw);

    stored = ZSTD_compress(packed, ZSTD_compressBound(raw), plain, raw, 3);
    if (ZSTD_isError(stored))
        goto out;
    *ret_bytes = packed;
    *ret_stored = stored;
    *ret_raw = raw;
    packed = NULL;
    status = PB_OK;

out:
    pb_free(names->env, plain);
    pb_free(names->env, packed);
    return status;
}

/* The texts lie at `at`, and must fill it up to `end`. */
static enum pb_status
decode_texts(struct pb_names *names, const uint8_t *at, const uint8_t *end)
{
    uint8_t *copy = pb_arena_alloc(&names->arena, (size_t)(end - at));

    if (copy == NULL)
        return PB_E_NOMEM;
    memcpy(copy, at, (size_t)(end - at));
    end = copy + (end - at);
    at = copy;
    for (uint32_t i = 0; i < names->text_count; i++) {
        uint32_t bytes = 0;

        if (end - at < 2)
            return PB_E_CORRUPT;
        bytes = pb_get_le16(at);
        if ((size_t)(end - at) - 2 < bytes)
            return PB_E_CORRUPT;
        names->texts[i] = (struct pb_str){ (const char *)at + 2, bytes };
        at += 2 + bytes;
    }
    return at == end ? PB_OK : PB_E_CORRUPT;
}

static enum pb_status
decode_contexts(struct pb_names *names, const uint8_t **at)
{
    for (uint32_t i = 0; i < names->context_count; i++, *at += CONTEXT_BYTES) {
        struct pb_context *context = &names->contexts[i];

        context->reader = pb_get_le32(*at);
        context->lat_e7 = (int32_t)pb_get_le32(*at + 4);
        context->lon_e7 = (int32_t)pb_get_le32(*at + 8);
        context->heading_code = pb_get_le16(*at + 12);
        context->utc_offset_min = (int16_t)pb_get_le16(*at + 14);
        context->lane = (*at)[16];
        context->scale = (*at)[17];
        context->is_mobile = (*at)[18];
        context->reports = (*at)[19];
        if (context->reader >= names->text_count || names->texts[context->reader].bytes == 0
            || names->texts[context->reader].bytes > PB_READER_BYTES_MAX
            || context->scale > PB_SCALE_PERCENT || context->is_mobile > 1)
            return PB_E_CORRUPT;
    }
    return PB_OK;
}

static bool
is_vehicle_text(const struct pb_names *names, uint32_t number)
{
    return number < names->text_count && names->texts[number].bytes <= PB_VEHICLE_TEXT_BYTES_MAX;
}

static enum pb_status
decode_vehicles(struct pb_names *names, const uint8_t **at)
{
    for (uint32_t i = 0; i < names->vehicle_count; i++, *at += VEHICLE_BYTES) {
        struct pb_vehicle *vehicle = &names->vehicles[i];

        vehicle->make = pb_get_le32(*at);
        vehicle->model = pb_get_le32(*at + 4);
        vehicle->color = pb_get_le32(*at + 8);
        vehicle->body = pb_get_le32(*at + 12);
        vehicle->year = pb_get_le16(*at + 16);
        vehicle->year_last = pb_get_le16(*at + 18);
        if (!is_vehicle_text(names, vehicle->make) || !is_vehicle_text(names, vehicle->model)
            || !is_vehicle_text(names, vehicle->color) || !is_vehicle_text(names, vehicle->body))
            return PB_E_CORRUPT;
    }
    return PB_OK;
}

enum pb_status
pb_names_decode(struct pb_names *names, const struct pb_env *env, const uint8_t *bytes,
                size_t stored, size_t raw)
{
    uint8_t *plain = NULL;
    const uint8_t *at = NULL;
    enum pb_status status = PB_E_CORRUPT;

    names->env = env;
    pb_arena_init(&names->arena, env, 64u << 10);
    if (raw < HEADER_BYTES || raw > PB_NAMES_BYTES_MAX)
        return PB_E_CORRUPT;
    plain = pb_alloc(env, raw);
    if (plain == NULL)
        return PB_E_NOMEM;
    if (ZSTD_decompress(plain, raw, bytes, stored) != raw)
        goto out;
    names->text_count = pb_get_le32(plain);
    names->context_count = pb_get_le32(plain + 4);
    names->vehicle_count = pb_get_le32(plain + 8);
    names->context_room = names->context_count;
    names->vehicle_room = names->vehicle_count;
    if ((uint64_t)names->text_count * 2 + (uint64_t)names->context_count * CONTEXT_BYTES
                + (uint64_t)names->vehicle_count * VEHICLE_BYTES > raw - HEADER_BYTES
        || names->text_count == 0 || names->vehicle_count == 0)
        goto out;
    names->texts = pb_calloc(env, names->text_count, sizeof(*names->texts));
    names->contexts = pb_calloc(env, names->context_count + 1u, sizeof(*names->contexts));
    names->vehicles = pb_calloc(env, names->vehicle_count, sizeof(*names->vehicles));
    if (names->texts == NULL || names->contexts == NULL || names->vehicles == NULL) {
        status = PB_E_NOMEM;
        goto out;
    }
    at = plain + raw - (size_t)names->context_count * CONTEXT_BYTES
         - (size_t)names->vehicle_count * VEHICLE_BYTES;
    status = decode_texts(names, plain + HEADER_BYTES, at);
    if (status == PB_OK)
        status = decode_contexts(names, &at);
    if (status == PB_OK)
        status = decode_vehicles(names, &at);

out:
    pb_free(env, plain);
    return status;
}
