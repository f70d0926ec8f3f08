/*
 * Fuzz target: one segment file's bytes.
 *
 * The first byte says what the rest is: the bytes of a file, parsed as they are; or patches to a
 * good segment, whose checksums are then put right, since otherwise hardly an input would get past
 * them; those of indexes only where bit 1 is not set, since a segment opens without them. What
 * opens is asked in every way that there is. It may say that it is damaged and must not read
 * outside of the file, overflow or loop.
 *
 * A patch: which part (blocks, names before compression, indexes, footer), where in it (2 bytes,
 * modulo its size), how many bytes (low 3 bits, plus 1), and the bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/env.h"
#include "plate/plate_code.h"
#include "store/local/lookup.h"
#include "store/local/segment_format.h"
#include "store/local/segment_index.h"
#include "store/local/walk.h"
#include "store/numbered_read.h"
#include "support/sim_fs.h"

#define READS 300u
#define BLOCK_HEAD_BYTES 16u /* docs/formats/segment-v1.md, "Blocks" */
#define BLOB_HEAD_BYTES 12u
#define ROWS_ASKED 3u /* of one plate */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum part { PART_BLOCKS, PART_NAMES, PART_INDEXES, PART_FOOTER, PARTS };

/* A segment taken apart. */
struct image {
    uint8_t *parts[PARTS]; /* owned */
    size_t sizes[PARTS];
    uint32_t *block_offsets; /* owned; of all tables */
    size_t block_count;
    uint8_t store_id[PB_STORE_ID_BYTES];
};

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void *
get(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);

    check(memory != NULL);
    return memory;
}

static uint8_t *
copy_of(const uint8_t *bytes, size_t count)
{
    uint8_t *copy = get(count);

    memcpy(copy, bytes, count);
    return copy;
}

/* ---- a good segment ---- */

static void
fill_store(struct pb_store *store)
{
    for (uint32_t number = 0; number < READS * NUMBERED_MONTHS; number++) {
        struct numbered_read made;
        enum pb_status answer = PB_OK;
        char model[16];

        if (numbered_month(number) != 0)
            continue;
        numbered_read_make(&made, number, NUMBERED_FIRST_US * 2);
        made.read.plate_raw = pb_str_from(number % 4 == 0 ? "as sent" : "");
        made.read.make = pb_str_from("make");
        made.read.model = numbered_text(model, sizeof(model), "model %u", number % 50);
        made.read.year = (uint16_t)(number % 3 == 0 ? 2000 + number % 20 : 0);
        check(pb_store_append(store, &made.read, 1, &answer, NULL) == PB_OK);
        check(answer == PB_OK || number % 8 == 5);
    }
    check(pb_store_flush(store, NULL) == PB_OK);
}

static int64_t
standing_clock(void *context)
{
    (void)context;
    return NUMBERED_FIRST_US;
}

/* One segment for each retention class: the largest is taken. */
static uint8_t *
make_file(size_t *ret_size)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_env env = sim_fs_env(fs);
    struct pb_store *store = NULL;
    struct pb_file *file = NULL;
    uint8_t *best = NULL;

    *ret_size = 0;
    env.now_us = standing_clock; /* the same bytes each time, so that a finding is found again */
    check(pb_store_create(&env, "store", NULL) == PB_OK);
    check(pb_store_open(&env, "store", NULL, &store, NULL) == PB_OK);
    fill_store(store);
    pb_store_close(store);
    for (uint64_t number = 1; number < 4; number++) {
        char path[64];
        uint64_t size = 0;

        pb_segment_path(path, sizeof(path), "store", number);
        if (env.files->open(env.file_context, path, PB_OPEN_READ, &file, NULL) != PB_OK)
            continue;
        check(env.files->size(env.file_context, file, &size, NULL) == PB_OK);
        if (size > *ret_size) {
            free(best);
            best = get((size_t)size);
            *ret_size = (size_t)size;
            check(env.files->read(env.file_context, file, 0, best, (size_t)size, NULL) == PB_OK);
        }
        env.files->close(env.file_context, file);
    }
    check(best != NULL);
    sim_fs_free(fs);
    return best;
}

static uint8_t *
table_of(uint8_t *footer, uint32_t table)
{
    return footer + PB_FOOTER_FIXED_BYTES + PB_FOOTER_NAMES_BYTES
           + (size_t)table * PB_FOOTER_TABLE_BYTES;
}

static void
take_apart(struct image *image, const uint8_t *file, size_t size)
{
    const uint8_t *footer = file + size - PB_SEGMENT_TRAILER_BYTES - PB_FOOTER_BYTES;
    const uint8_t *names = footer + PB_FOOTER_FIXED_BYTES;
    size_t names_at = (size_t)pb_get_le64(names);
    size_t names_stored = (size_t)pb_get_le64(names + 8);
    struct pb_segment segment = { .env = pb_env_system() };

    memcpy(image->store_id, footer + 12, PB_STORE_ID_BYTES);
    check(pb_segment_parse(&segment, file, size, image->store_id, NULL) == PB_OK);
    image->sizes[PART_BLOCKS] = names_at;
    image->parts[PART_BLOCKS] = copy_of(file, names_at);
    image->sizes[PART_NAMES] = (size_t)pb_get_le64(names + 16);
    image->parts[PART_NAMES] = get(image->sizes[PART_NAMES]);
    check(ZSTD_decompress(image->parts[PART_NAMES], image->sizes[PART_NAMES], file + names_at,
                          names_stored)
          == image->sizes[PART_NAMES]);
    image->sizes[PART_FOOTER] = PB_FOOTER_BYTES;
    image->parts[PART_FOOTER] = copy_of(footer, PB_FOOTER_BYTES);
    image->parts[PART_INDEXES] = get(size);
    image->block_offsets = get(size * sizeof(uint32_t));
    for (uint32_t table = 0; table < PB_TABLE_COUNT; table++) {
        const uint8_t *entry = table_of(image->parts[PART_FOOTER], table);
        const uint8_t *index = file + pb_get_le64(entry + 16);
        size_t bytes = (size_t)pb_get_le64(entry + 24);

        memcpy(image->parts[PART_INDEXES] + image->sizes[PART_INDEXES], index, bytes);
        image->sizes[PART_INDEXES] += bytes;
        for (uint32_t block = 0; block < segment.tables[table].blocks; block++) {
            image->block_offsets[image->block_count++]
                = (uint32_t)pb_index_block_offset(&segment, (enum pb_table)table, block);
        }
    }
    pb_segment_done(&segment);
}

/* ---- patching ---- */

static void
patch(uint8_t *const parts[PARTS], const struct image *image, const uint8_t *data, size_t size)
{
    while (size >= 4) {
        enum part part = (enum part)(data[0] % PARTS);
        size_t at = ((size_t)data[1] << 8 | data[2]) % image->sizes[part];
        size_t count = (data[3] & 7u) + 1;

        data += 4;
        size -= 4;
        if (count > size)
            count = size;
        if (count > image->sizes[part] - at)
            count = image->sizes[part] - at;
        memcpy(parts[part] + at, data, count);
        data += count;
        size -= count;
    }
}

static void
put_block_right(uint8_t *block, size_t left, uint64_t seed)
{
    size_t columns_end = 0;

    if (left < BLOCK_HEAD_BYTES + BLOB_HEAD_BYTES)
        return;
    columns_end = pb_get_le16(block + 14);
    if (columns_end < BLOCK_HEAD_BYTES || columns_end > left)
        return;
    if (block[9] & 1) {
        size_t stored = pb_get_le32(block + BLOCK_HEAD_BYTES);

        if (stored <= left - columns_end)
            pb_put_le32(block + BLOCK_HEAD_BYTES + 8,
                        (uint32_t)XXH3_64bits_withSeed(block + columns_end, stored, seed));
    }
    pb_put_le32(block, (uint32_t)XXH3_64bits_withSeed(block + 4, columns_end - 4, seed));
}

/* Puts parts together as a file with good checksums; returns its bytes, with padding behind. */
static uint8_t *
put_together(const struct image *image, uint8_t *const parts[PARTS], bool seals_indexes,
             size_t *ret_size)
{
    size_t room = image->sizes[PART_BLOCKS] + ZSTD_compressBound(image->sizes[PART_NAMES])
                  + image->sizes[PART_INDEXES] + PB_FOOTER_BYTES + PB_SEGMENT_TRAILER_BYTES;
    uint8_t *file = get(room);
    uint8_t *exact = NULL;
    uint8_t *footer = parts[PART_FOOTER];
    uint8_t *names = footer + PB_FOOTER_FIXED_BYTES;
    uint64_t seed = pb_get_le64(footer + 84);
    const uint8_t *index = parts[PART_INDEXES];
    size_t at = image->sizes[PART_BLOCKS];
    size_t stored = ZSTD_compress(file + at, room - at, parts[PART_NAMES],
                                  image->sizes[PART_NAMES], 1);

    check(ZSTD_isError(stored) == 0);
    memcpy(file, parts[PART_BLOCKS], at);
    for (size_t i = 0; i < image->block_count; i++)
        put_block_right(file + image->block_offsets[i], at - image->block_offsets[i], seed);
    pb_put_le64(names, at);
    pb_put_le64(names + 8, stored);
    pb_put_le64(names + 24, XXH3_64bits_withSeed(file + at, stored, seed));
    at += stored;
    for (uint32_t table = 0; table < PB_TABLE_COUNT; table++) {
        uint8_t *entry = table_of(footer, table);
        const uint8_t *original = table_of(image->parts[PART_FOOTER], table);
        size_t bytes = (size_t)pb_get_le64(original + 24);

        memcpy(file + at, index, bytes);
        pb_put_le64(entry + 16, at);
        if (seals_indexes)
            pb_put_le64(entry + 32, XXH3_64bits_withSeed(file + at, bytes, seed));
        index += bytes;
        at += bytes;
    }
    memcpy(file + at, footer, PB_FOOTER_BYTES);
    pb_put_le64(file + at + PB_FOOTER_BYTES, at);
    pb_put_le64(file + at + PB_FOOTER_BYTES + 8, PB_FOOTER_BYTES);
    pb_put_le64(file + at + PB_FOOTER_BYTES + 16, XXH3_64bits(file + at, PB_FOOTER_BYTES));
    memcpy(file + at + PB_FOOTER_BYTES + 24, PB_SEGMENT_MAGIC, PB_SEGMENT_MAGIC_BYTES);
    *ret_size = at + PB_FOOTER_BYTES + PB_SEGMENT_TRAILER_BYTES;
    /* Exactly as large as promised, so that AddressSanitizer sees a read past its end. */
    exact = get(*ret_size + PB_BLOCK_PADDING);
    memcpy(exact, file, *ret_size);
    memset(exact + *ret_size, 0, PB_BLOCK_PADDING);
    free(file);
    return exact;
}

/* ---- asking ---- */

static void
keep(void *context, const void *bytes, uint64_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
}

/* The system would take "not needed soon" for "throw away": these bytes are in no file. */
static void
init_env(struct pb_env *env, struct pb_file_ops *files)
{
    *env = *pb_env_system();
    *files = *env->files;
    files->forget = keep;
    env->files = files;
}

static void
check_status(enum pb_status status)
{
    check(status == PB_OK || status == PB_END || status == PB_E_CORRUPT || status == PB_E_NOMEM);
}

static void
ask_row(const struct pb_segment *segment, struct pb_reads_block *reads, uint64_t row)
{
    struct pb_record_room room;
    struct pb_read read;
    struct pb_plate_text plate;
    struct pb_known known = { 0 };
    int64_t captured_us = 0;
    int32_t lat_e7 = 0;
    int32_t lon_e7 = 0;
    enum pb_status status = pb_segment_time(segment, row, &captured_us, NULL);

    check_status(status);
    status = pb_reads_block_load(reads, segment, row, NULL);
    check_status(status);
    if (status != PB_OK)
        return;
    (void)pb_reads_block_time(reads, row);
    pb_reads_block_position(reads, row, &lat_e7, &lon_e7);
    pb_read_init(&read);
    pb_reads_block_lifetime(reads, row, &read);
    status = pb_reads_block_decode(reads, row, &room, &read, NULL);
    check_status(status);
    if (status != PB_OK)
        return;
    status = pb_segment_plate_of_row(segment, row, &plate, NULL);
    check_status(status);
    if (status != PB_OK)
        return;
    check(plate.bytes >= 1 && plate.bytes <= PB_PLATE_BYTES_MAX);
    check(plate.first <= row && row < plate.end);
    read.plate = (struct pb_str){ plate.text, plate.bytes };
    /* What the store looks up is valid; what stands in a forged file need not be. */
    if (read.reader.bytes >= 1 && read.reader.bytes <= PB_READER_BYTES_MAX)
        check_status(pb_segment_find_identity(segment, &read, pb_read_identity(&read), &known,
                                              NULL));
}

static void
ask_plate(const struct pb_segment *segment, struct pb_reads_block *reads,
          const struct pb_plate_rows *plate)
{
    uint64_t found = 0;

    check(plate->first < plate->end && plate->end <= segment->entry.rows);
    for (uint64_t i = 0; i < ROWS_ASKED && plate->first + i < plate->end; i++)
        ask_row(segment, reads, plate->first + i);
    check_status(pb_segment_lower_bound(segment, plate->first, plate->end,
                                        NUMBERED_FIRST_US + 300 * NUMBERED_STEP_US, &found, NULL));
}

static void
iterate(const struct pb_segment *segment, enum pb_table table)
{
    struct pb_plate_iterator iterator;
    struct pb_reads_block reads;
    struct pb_plate_rows plate;
    uint64_t steps = 0;
    enum pb_status status = PB_OK;

    pb_reads_block_init(&reads);
    pb_plate_iterator_init(&iterator, segment, table);
    while (status == PB_OK) {
        status = pb_plate_iterator_next(&iterator, &plate, NULL);
        if (status == PB_OK && table != PB_TABLE_ALTERNATES)
            ask_plate(segment, &reads, &plate);
        check(steps++ <= segment->tables[PB_TABLE_PLATES].rows
                             + segment->tables[PB_TABLE_LONG].rows
                             + segment->tables[PB_TABLE_ALTERNATES].rows);
    }
    check_status(status);
    pb_plate_iterator_done(&iterator);
    pb_reads_block_done(&reads, segment->env);
}

static void
count_damage(void *context, const char *file, uint64_t offset, const char *what)
{
    check(file != NULL && what != NULL);
    (void)offset;
    ++*(uint64_t *)context;
}

/* Each walk ends, also where it goes on past damage, and then no damage is left to fail it. */
static void
walk(const struct pb_segment *segment, const char *text)
{
    static const enum pb_table tables[] = { PB_TABLE_PLATES, PB_TABLE_ALTERNATES };
    struct pb_pattern *pattern = NULL;

    check(pb_pattern_compile(pb_env_system(), pb_str_from(text), 0, true, &pattern, NULL)
          == PB_OK);
    for (size_t i = 0; i < 2 * sizeof(tables) / sizeof(tables[0]); i++) {
        uint64_t told = 0;
        struct pb_skips skips = { .env = pb_env_system(),
                                  .on_damage = i < 2 ? NULL : count_damage,
                                  .context = &told };
        struct pb_walk walk;
        struct pb_plate_rows plate;
        struct pb_pattern_match match;
        enum pb_status status = pb_walk_init(&walk, segment, tables[i % 2], pattern, 0, &skips);

        while (status == PB_OK)
            status = pb_walk_next(&walk, &plate, &match);
        check_status(status);
        check(i < 2 || status == PB_END);
        pb_walk_done(&walk);
        pb_skips_done(&skips);
    }
    pb_pattern_free(pb_env_system(), pattern);
}

static void
ask_columns(const struct pb_segment *segment)
{
    for (uint32_t table = 0; table < PB_TABLE_COUNT; table++) {
        for (uint32_t number = 0; number < segment->tables[table].blocks; number++) {
            int64_t values[PB_BLOCK_ROWS_MAX];
            struct pb_block block;
            struct pb_column column;
            enum pb_status status = pb_segment_block(segment, (enum pb_table)table, number,
                                                     &block, NULL);

            check_status(status);
            for (uint32_t c = 0; c < pb_table_formats[table].columns && status == PB_OK; c++) {
                status = pb_segment_column(segment, &block, c, &column, NULL);
                check_status(status);
                if (status == PB_OK)
                    pb_column_all(&column, values);
                for (uint32_t row = 0; row < block.rows && status == PB_OK; row++)
                    (void)pb_column_get(&column, row);
            }
        }
    }
}

static bool
go_on(void *context, uint64_t row)
{
    (void)context;
    (void)row;
    return true;
}

/* Returns how many places verifying found damaged. */
static uint64_t
ask_all(const struct pb_segment *segment)
{
    struct pb_verify_counts counts = { 0 };

    check_status(pb_segment_verify(segment, NULL, NULL, &counts));
    ask_columns(segment);
    iterate(segment, PB_TABLE_PLATES);
    iterate(segment, PB_TABLE_LONG);
    iterate(segment, PB_TABLE_ALTERNATES);
    walk(segment, "PL05X");
    walk(segment, "VERYLONGPLATE03X");
    walk(segment, "ALT2X");
    walk(segment, "P?[0-9]*");
    walk(segment, "ALTERNATE6XX");
    walk(segment, "*6XX");
    check_status(pb_segment_find_event(segment, 1, go_on, NULL, NULL));
    check_status(pb_segment_find_event(segment, UINT64_MAX, go_on, NULL, NULL));
    return counts.damaged;
}

static enum pb_status
parse(const uint8_t *bytes, size_t size, const uint8_t store_id[PB_STORE_ID_BYTES],
      uint64_t *ret_damaged)
{
    struct pb_file_ops files;
    struct pb_env env;
    struct pb_segment segment = { .env = &env };
    struct pb_error error;
    enum pb_status status = PB_OK;

    init_env(&env, &files);
    status = pb_segment_parse(&segment, bytes, size, store_id, &error);

    check(status == PB_OK || status == PB_E_CORRUPT || status == PB_E_VERSION
          || status == PB_E_NOMEM);
    if (status == PB_OK)
        *ret_damaged = ask_all(&segment);
    pb_segment_done(&segment);
    return status;
}

/* The good segment with the patches of data. */
static enum pb_status
parse_patched(const struct image *image, const uint8_t *data, size_t size, bool seals_indexes,
              uint64_t *ret_damaged)
{
    uint8_t *parts[PARTS];
    uint8_t *file = NULL;
    size_t file_size = 0;
    enum pb_status status = PB_OK;

    for (int part = 0; part < PARTS; part++)
        parts[part] = copy_of(image->parts[part], image->sizes[part]);
    patch(parts, image, data, size);
    file = put_together(image, parts, seals_indexes, &file_size);
    for (int part = 0; part < PARTS; part++)
        free(parts[part]);
    status = parse(file, file_size, image->store_id, ret_damaged);
    free(file);
    return status;
}

static void
parse_raw(const struct image *image, const uint8_t *data, size_t size)
{
    uint8_t *file = get(size + PB_BLOCK_PADDING);
    uint64_t damaged = 0;

    memcpy(file, data, size);
    memset(file + size, 0, PB_BLOCK_PADDING);
    (void)parse(file, size, image->store_id, &damaged);
    free(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct image image; /* the same for every input */
    uint64_t damaged = 0;

    if (image.block_count == 0) {
        size_t file_size = 0;
        uint8_t *file = make_file(&file_size);

        take_apart(&image, file, file_size);
        free(file);
        /* Taking apart and putting together is right, or nothing below means anything. */
        for (int seals = 0; seals < 2; seals++)
            check(parse_patched(&image, NULL, 0, seals, &damaged) == PB_OK && damaged == 0);
    }
    if (size == 0)
        return 0;
    if ((data[0] & 1) != 0)
        parse_raw(&image, data + 1, size - 1);
    else
        (void)parse_patched(&image, data + 1, size - 1, (data[0] & 2) == 0, &damaged);
    return 0;
}
