/*
 * Manifest: what is written is read again, a replacement is the old one or the new one, and nothing
 * else is taken for a manifest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "read/read.h"
#include "store/local/manifest.h"
#include "store/old_manifest.h"
#include "support/fault_env.h"
#include "support/sim_fs.h"

#define FILE_MAX 4096u

/* Entries live in here while a test fills them. */
struct sample {
    struct pb_segment_entry segments[3];
    struct pb_erasure_entry erasures[2];
    struct pb_mark_entry marks[4];
    struct pb_manifest manifest;
};

static void
fill(struct sample *sample, const struct pb_env *env, uint64_t generation)
{
    pb_manifest_init(&sample->manifest, env);
    memcpy(sample->manifest.store_id, "synthetic store", PB_STORE_ID_BYTES);
    sample->manifest.generation = generation;
    sample->manifest.next_segment = 20 + generation;
    sample->manifest.log_first = 3;
    sample->manifest.commit = UINT64_MAX - 5;
    for (uint32_t i = 0; i < 3; i++) {
        sample->segments[i] = (struct pb_segment_entry){
            .number = 1 + i * i,
            .bytes = 1000 + i,
            .rows = i == 2 ? PB_SEGMENT_ROWS_MAX : 1 + i,
            .month = i == 2 ? PB_MANIFEST_MONTH_MAX : 670 + i,
            .retention_days = i == 0 ? UINT32_MAX : i,
            .captured_min_us = -5,
            .captured_max_us = INT64_MAX,
            .delete_after_min_us = -7,
            .delete_after_max_us = PB_NEVER,
            .checksum = UINT64_C(0x0102030405060708) + i,
        };
    }
    sample->erasures[0] = (struct pb_erasure_entry){
        .plate = pb_str_from("TEST123"), .reader = pb_str_from("gate-1"), .jurisdiction = 17,
        .from_us = -1, .to_us = 1, .segment_limit = 20 + generation,
    };
    sample->erasures[1] = (struct pb_erasure_entry){ .to_us = INT64_MAX };
    sample->marks[0] = (struct pb_mark_entry){ .identity = 1, .segment = 1, .revision = 3 };
    sample->marks[1] = (struct pb_mark_entry){ .identity = 9, .segment = 5, .revision = 1 };
    sample->marks[2] = (struct pb_mark_entry){ .identity = 9, .segment = 2,
                                               .revision = UINT32_MAX };
    sample->marks[3] = (struct pb_mark_entry){ .segment = 2,
                                               .revision = 2,
                                               .name = pb_str_from("\1\6gate-1an event") };
    sample->marks[3].identity = pb_identity_of_bytes(sample->marks[3].name);
    sample->manifest.segments = sample->segments;
    sample->manifest.segment_count = 3;
    sample->manifest.erasures = sample->erasures;
    sample->manifest.erasure_count = 2;
    sample->manifest.marks = sample->marks;
    sample->manifest.mark_count = 4;
}

static void
assert_text_equal(struct pb_str expected, struct pb_str actual)
{
    assert_int_equal(expected.bytes, actual.bytes);
    if (expected.bytes > 0)
        assert_memory_equal(expected.text, actual.text, expected.bytes);
}

static void
assert_same(const struct pb_manifest *expected, const struct pb_manifest *actual)
{
    assert_memory_equal(expected->store_id, actual->store_id, PB_STORE_ID_BYTES);
    assert_int_equal(expected->generation, actual->generation);
    assert_int_equal(expected->next_segment, actual->next_segment);
    assert_int_equal(expected->log_first, actual->log_first);
    assert_int_equal(expected->commit, actual->commit);
    assert_int_equal(expected->segment_count, actual->segment_count);
    assert_int_equal(expected->erasure_count, actual->erasure_count);
    assert_int_equal(expected->mark_count, actual->mark_count);
    for (uint32_t i = 0; i < expected->segment_count; i++) {
        const struct pb_segment_entry *a = &expected->segments[i], *b = &actual->segments[i];

        assert_int_equal(a->number, b->number);
        assert_int_equal(a->bytes, b->bytes);
        assert_int_equal(a->rows, b->rows);
        assert_int_equal(a->month, b->month);
        assert_int_equal(a->retention_days, b->retention_days);
        assert_int_equal(a->captured_min_us, b->captured_min_us);
        assert_int_equal(a->captured_max_us, b->captured_max_us);
        assert_int_equal(a->delete_after_min_us, b->delete_after_min_us);
        assert_int_equal(a->delete_after_max_us, b->delete_after_max_us);
        assert_int_equal(a->checksum, b->checksum);
    }
    for (uint32_t i = 0; i < expected->erasure_count; i++) {
        const struct pb_erasure_entry *a = &expected->erasures[i], *b = &actual->erasures[i];

        assert_text_equal(a->plate, b->plate);
        assert_text_equal(a->reader, b->reader);
        assert_int_equal(a->jurisdiction, b->jurisdiction);
        assert_int_equal(a->from_us, b->from_us);
        assert_int_equal(a->to_us, b->to_us);
        assert_int_equal(a->segment_limit, b->segment_limit);
    }
    for (uint32_t i = 0; i < expected->mark_count; i++) {
        assert_int_equal(expected->marks[i].identity, actual->marks[i].identity);
        assert_int_equal(expected->marks[i].segment, actual->marks[i].segment);
        assert_int_equal(expected->marks[i].revision, actual->marks[i].revision);
        assert_text_equal(expected->marks[i].name, actual->marks[i].name);
    }
}

static struct sim_fs *
make_disk(void)
{
    struct sim_fs *fs = sim_fs_new();
    struct pb_env env = sim_fs_env(fs);

    assert_int_equal(PB_OK, env.files->mkdir(env.file_context, "store", NULL));
    assert_int_equal(PB_OK, env.files->sync_directory(env.file_context, "", NULL));
    return fs;
}

static enum pb_status
write_generation(const struct pb_env *env, uint64_t generation, bool *ret_is_unknown,
                 struct pb_error *error)
{
    struct sample sample;

    fill(&sample, env, generation);
    return pb_manifest_write(&sample.manifest, "store", ret_is_unknown, error);
}

/* 0 where there is no manifest; fails the test where it is anything but whole. */
static uint64_t
read_generation(const struct pb_env *env)
{
    struct pb_error error = { .message = "" };
    struct pb_manifest manifest;
    struct sample sample;
    uint64_t generation;
    enum pb_status status;

    pb_manifest_init(&manifest, env);
    status = pb_manifest_read(&manifest, "store", &error);
    if (status == PB_E_NOT_STORE)
        return 0;
    if (status != PB_OK)
        fail_msg("%s", error.message);
    generation = manifest.generation;
    fill(&sample, env, generation);
    assert_same(&sample.manifest, &manifest);
    pb_manifest_done(&manifest);
    return generation;
}

/* The bytes of a written manifest. */
static size_t
sample_bytes(uint8_t bytes[FILE_MAX])
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_file *file = NULL;
    bool is_unknown;
    uint64_t size = 0;

    assert_int_equal(PB_OK, write_generation(&env, 7, &is_unknown, NULL));
    assert_true(sim_fs_file_size(fs, "store/manifest", &size) && size <= FILE_MAX);
    assert_int_equal(PB_OK, env.files->open(env.file_context, "store/manifest", PB_OPEN_READ,
                                            &file, NULL));
    assert_int_equal(PB_OK, env.files->read(env.file_context, file, 0, bytes, (size_t)size, NULL));
    env.files->close(env.file_context, file);
    sim_fs_free(fs);
    return (size_t)size;
}

static enum pb_status
parse_status(const uint8_t *bytes, size_t count, struct pb_error *error)
{
    struct pb_manifest manifest;
    enum pb_status status;

    pb_manifest_init(&manifest, pb_env_system());
    status = pb_manifest_parse(&manifest, bytes, count, error);
    if (status != PB_OK) {
        assert_null(manifest.segments);
        assert_int_equal(0, manifest.segment_count + manifest.erasure_count + manifest.mark_count);
        assert_int_equal(0, manifest.generation);
    }
    pb_manifest_done(&manifest);
    return status;
}

static void
what_is_written_is_read_again(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_manifest empty, read;
    bool is_unknown;

    (void)state;
    for (uint64_t generation = 1; generation < 4; generation++) {
        assert_int_equal(PB_OK, write_generation(&env, generation, &is_unknown, NULL));
        assert_int_equal(generation, read_generation(&env));
    }
    pb_manifest_init(&empty, &env);
    pb_manifest_init(&read, &env);
    empty.generation = empty.next_segment = empty.log_first = 1;
    assert_int_equal(PB_OK, pb_manifest_write(&empty, "store", &is_unknown, NULL));
    assert_int_equal(PB_OK, pb_manifest_read(&read, "store", NULL));
    assert_same(&empty, &read);
    pb_manifest_done(&read);
    sim_fs_free(fs);
}

static void
reading_again_frees_what_was_read_before(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env sim_env = sim_fs_env(fs);
    struct fault_env fault;
    struct pb_manifest manifest;
    bool is_unknown;

    (void)state;
    assert_int_equal(PB_OK, write_generation(&sim_env, 1, &is_unknown, NULL));
    fault_env_init(&fault, &sim_env);
    pb_manifest_init(&manifest, &fault.env);
    for (int i = 0; i < 3; i++)
        assert_int_equal(PB_OK, pb_manifest_read(&manifest, "store", NULL));
    assert_int_equal(3, manifest.segment_count);
    pb_manifest_done(&manifest);
    assert_true(fault_env_is_clean(&fault));
    sim_fs_free(fs);
}

static void
a_power_cut_leaves_the_old_or_the_new_manifest(void **state)
{
    static const unsigned damages[] = { 0, SIM_FS_ANY_ENTRIES, SIM_FS_GARBAGE };
    uint64_t seen[3] = { 0, 0, 0 };

    (void)state;
    for (uint64_t call = 1; call <= 8; call++) {
        for (uint64_t seed = 0; seed < 60; seed++) {
            struct sim_fs *fs = make_disk();
            struct pb_env env = sim_fs_env(fs);
            uint64_t generation;
            bool is_unknown;
            enum pb_status status;

            sim_fs_set_damage(fs, damages[seed % 3]);
            assert_int_equal(PB_OK, write_generation(&env, 1, &is_unknown, NULL));
            sim_fs_process_end(fs);
            sim_fs_cut_after(fs, call);
            status = write_generation(&env, 2, &is_unknown, NULL);
            sim_fs_power_cut(fs, seed);
            generation = read_generation(&env);
            assert_in_range(generation, 1, 2);
            if (status == PB_OK)
                assert_int_equal(2, generation);
            seen[generation]++;
            /* A left-over of an interrupted replacement is in nobody's way. */
            assert_int_equal(PB_OK, write_generation(&env, 3, &is_unknown, NULL));
            sim_fs_power_cut(fs, seed);
            assert_int_equal(3, read_generation(&env));
            sim_fs_free(fs);
        }
    }
    assert_true(seen[1] > 0 && seen[2] > 0);
}

static void
a_failed_replacement_says_whether_the_old_one_still_counts(void **state)
{
    (void)state;
    for (int is_memory = 0; is_memory < 2; is_memory++) {
        enum pb_status status = PB_E_IO;
        uint64_t fail_at = 0, unknown_count = 0;

        while (status != PB_OK) {
            struct sim_fs *fs = make_disk();
            struct pb_env sim_env = sim_fs_env(fs);
            struct pb_error error = { .message = "" };
            struct fault_env fault;
            bool is_unknown = false;

            assert_int_equal(PB_OK, write_generation(&sim_env, 1, &is_unknown, NULL));
            fault_env_init(&fault, &sim_env);
            fail_at++;
            fault.fail_allocation_at = is_memory ? fail_at : 0;
            fault.fail_file_call_at = is_memory ? 0 : fail_at;
            fault.is_write_short = true;
            status = write_generation(&fault.env, 2, &is_unknown, &error);
            assert_true(fault_env_is_clean(&fault));
            if (status == PB_OK) {
                assert_int_equal(2, read_generation(&sim_env));
            } else {
                assert_int_equal(is_memory ? PB_E_NOMEM : PB_E_IO, status);
                assert_true(error.message[0] != '\0');
                unknown_count += is_unknown;
                if (!is_unknown)
                    assert_int_equal(1, read_generation(&sim_env));
            }
            sim_fs_free(fs);
        }
        assert_in_range(fail_at, 2, 20);
        assert_int_equal(is_memory ? 0 : 1, unknown_count);
    }
}

/* With more texts than the first memory of an arena holds. */
static void
write_texts(const struct pb_env *env)
{
    static const char text[PB_READER_BYTES_MAX] = { 'x' };
    struct pb_erasure_entry erasures[50];
    struct sample sample;
    bool is_unknown;

    fill(&sample, env, 1);
    for (size_t i = 0; i < sizeof(erasures) / sizeof(erasures[0]); i++)
        erasures[i] = (struct pb_erasure_entry){ .plate = { text, PB_PLATE_BYTES_MAX },
                                                 .reader = { text, PB_READER_BYTES_MAX } };
    sample.manifest.erasures = erasures;
    sample.manifest.erasure_count = sizeof(erasures) / sizeof(erasures[0]);
    assert_int_equal(PB_OK, pb_manifest_write(&sample.manifest, "store", &is_unknown, NULL));
}

static void
reading_reports_every_failure(void **state)
{
    (void)state;
    for (int is_memory = 0; is_memory < 2; is_memory++) {
        struct sim_fs *fs = make_disk();
        struct pb_env sim_env = sim_fs_env(fs);
        enum pb_status status = PB_E_IO;
        uint64_t fail_at = 0;

        write_texts(&sim_env);
        while (status != PB_OK) {
            struct pb_manifest manifest;
            struct fault_env fault;

            fault_env_init(&fault, &sim_env);
            fail_at++;
            fault.fail_allocation_at = is_memory ? fail_at : 0;
            fault.fail_file_call_at = is_memory ? 0 : fail_at;
            pb_manifest_init(&manifest, &fault.env);
            status = pb_manifest_read(&manifest, "store", NULL);
            assert_true(status == PB_OK || status == (is_memory ? PB_E_NOMEM : PB_E_IO));
            pb_manifest_done(&manifest);
            assert_true(fault_env_is_clean(&fault));
        }
        assert_in_range(fail_at, 2, 20);
        sim_fs_free(fs);
    }
}

static void
what_is_no_manifest_is_no_store(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_error error = { .message = "" };
    struct pb_manifest manifest;
    static const uint8_t other[200] = "SQLite format 3";

    (void)state;
    pb_manifest_init(&manifest, &env);
    assert_int_equal(PB_E_NOT_STORE, pb_manifest_read(&manifest, "store", &error));
    assert_non_null(strstr(error.message, "'store'"));
    assert_int_equal(PB_E_NOT_STORE, parse_status(other, sizeof(other), NULL));
    assert_int_equal(PB_E_NOT_STORE, parse_status(other, 3, NULL));
    assert_int_equal(PB_E_CORRUPT, parse_status(other, 0, NULL));
    pb_manifest_done(&manifest);
    sim_fs_free(fs);
}

static void
every_flipped_bit_and_every_cut_is_found(void **state)
{
    uint8_t bytes[FILE_MAX];
    size_t count = sample_bytes(bytes);

    (void)state;
    assert_int_equal(PB_OK, parse_status(bytes, count, NULL));
    for (size_t bit = 0; bit < count * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(bit < 64 ? PB_E_NOT_STORE : PB_E_CORRUPT,
                         parse_status(bytes, count, NULL));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < count; cut++)
        assert_int_equal(PB_E_CORRUPT, parse_status(bytes, cut, NULL));
    bytes[count] = 0;
    assert_int_equal(PB_E_CORRUPT, parse_status(bytes, count + 1, NULL));
}

/* Changes one field of a good manifest and puts length and checksum right again. */
static enum pb_status
status_with(size_t offset, unsigned width, uint64_t value, long add_bytes)
{
    uint8_t bytes[FILE_MAX] = { 0 };
    size_t count = sample_bytes(bytes);

    if (width == 2)
        pb_put_le16(bytes + offset, (uint16_t)value);
    else if (width == 4)
        pb_put_le32(bytes + offset, (uint32_t)value);
    else if (width == 8)
        pb_put_le64(bytes + offset, value);
    count = (size_t)((long)count + add_bytes);
    old_manifest_seal(bytes, count);
    return parse_status(bytes, count, NULL);
}

static void
values_out_of_range_are_refused_though_the_checksum_is_right(void **state)
{
    enum {
        SEGMENTS = 88,
        ERASURES = SEGMENTS + 3 * 80,
        MARKS = ERASURES + 30 + 7 + 6 + 30,
        NAMED = MARKS + 3 * 22
    };
    static const struct {
        size_t offset;
        unsigned width;
        uint64_t value;
        long add_bytes;
    } cases[] = {
        { 12, 4, 1, 0 }, /* reserved */
        { 40, 8, 0, 0 }, /* generation */
        { 48, 8, 0, 0 }, /* next_segment */
        { 48, 8, 5, 0 }, /* a segment is not below it */
        { 56, 8, 0, 0 }, /* log_first */
        { 72, 4, 4, 0 }, /* counts: too many for the bytes */
        { 72, 4, 2, 0 }, /* too few */
        { 72, 4, PB_SEGMENTS_MAX + 1, 0 },
        { 72, 4, UINT32_MAX, 0 },
        { 76, 4, 3, 0 },
        { 76, 4, 1, 0 },
        { 76, 4, PB_ERASURES_MAX, 0 },
        { 76, 4, UINT32_MAX, 0 },
        { 80, 4, 5, 0 },
        { 80, 4, 3, 0 },
        { 80, 4, UINT32_MAX, 0 },
        { 84, 4, 1, 0 },
        { SEGMENTS, 8, 0, 0 },      /* number */
        { SEGMENTS, 8, 2, 0 },      /* as the second's */
        { SEGMENTS + 8, 8, 0, 0 },  /* bytes */
        { SEGMENTS + 16, 8, 0, 0 }, /* rows */
        { SEGMENTS + 16, 8, (uint64_t)PB_SEGMENT_ROWS_MAX + 1, 0 },
        { SEGMENTS + 24, 4, PB_MANIFEST_MONTH_MAX + 1, 0 },
        { SEGMENTS + 40, 8, (uint64_t)-6, 0 }, /* captured_max */
        { SEGMENTS + 48, 8, INT64_MAX, 0 },    /* delete_after_min: fine, is max */
        { SEGMENTS + 56, 8, (uint64_t)-8, 0 }, /* delete_after_max */
        { SEGMENTS + 72, 8, 1, 0 },            /* reserved */
        { ERASURES, 8, 2, 0 },                 /* from after to */
        { ERASURES + 16, 8, 28, 0 },           /* segment_limit */
        { ERASURES + 26, 2, 33, 0 },           /* plate_bytes */
        { ERASURES + 26, 2, 8, 0 },
        { ERASURES + 26, 2, 6, 0 },
        { ERASURES + 28, 2, 65, 0 }, /* reader_bytes */
        { ERASURES + 28, 2, UINT16_MAX, 0 },
        { MARKS, 8, 0, 0 },     /* identity */
        { MARKS, 8, 10, 0 },    /* not in order */
        { MARKS + 8, 8, 0, 0 }, /* segment */
        { MARKS + 8, 8, 27, 0 },
        { MARKS + 20, 2, 1, 0 }, /* name_bytes: a byte of the next mark */
        { MARKS + 20, 2, PB_IDENTITY_BYTES_MAX + 1, 0 },
        { NAMED, 8, UINT64_MAX, 0 }, /* identity: not that of the name */
        { NAMED + 20, 2, 0, 0 },
        { NAMED + 20, 2, 15, 0 },
        { NAMED + 20, 2, 17, 0 },
        { NAMED + 22, 2, 0, 0 }, /* name: not that of the identity */
        { 0, 0, 0, 1 },          /* bytes left over */
        { 0, 0, 0, 20 },
        { 0, 0, 0, -1 }, /* and missing ones */
        { 0, 0, 0, -20 },
    };

    (void)state;
    assert_int_equal(PB_OK, status_with(0, 0, 0, 0));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool is_fine = cases[i].offset == SEGMENTS + 48;

        if (status_with(cases[i].offset, cases[i].width, cases[i].value, cases[i].add_bytes) !=
            (is_fine ? PB_OK : PB_E_CORRUPT))
            fail_msg("case %zu: offset %zu", i, cases[i].offset);
    }
    assert_int_equal(PB_E_CORRUPT, status_with(8, 4, 1, 0)); /* marks of version 1 are shorter */
    assert_int_equal(PB_E_VERSION, status_with(8, 4, 3, 0));
    assert_int_equal(PB_E_VERSION, status_with(8, 4, 0, 0));
}

/* The last thing in the file is an erasure: what it lacks, nothing behind it can stand in for. */
static void
an_erasure_that_is_cut_short_is_refused(void **state)
{
    static const struct {
        uint32_t erasures;
        uint16_t plate_bytes, reader_bytes;
        const char *message; /* NULL: none, it is whole */
    } cases[] = {
        { 1, PB_PLATE_BYTES_MAX, 0, NULL },
        { 1, PB_PLATE_BYTES_MAX - 1, 1, NULL },
        { 1, PB_PLATE_BYTES_MAX, 1, "manifest: byte 88: an erasure is cut short" },
        { 1, 0, PB_PLATE_BYTES_MAX + 1, "manifest: byte 88: an erasure is cut short" },
        { 2, PB_PLATE_BYTES_MAX, 0, "manifest: byte 150: an erasure is cut short" },
        { 2, 1, 2, "manifest: byte 121: an erasure is cut short" },
        { 3, PB_PLATE_BYTES_MAX, 0, "manifest: byte 88: the file is shorter than its counts say" },
        { 1, PB_PLATE_BYTES_MAX - 1, 0, "manifest: byte 149: bytes are left over" },
    };
    uint8_t whole[FILE_MAX];

    (void)state;
    (void)sample_bytes(whole);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* No segment, no mark, and an erasure of any time whose plate is as long as can be. */
        uint8_t bytes[88 + 30 + PB_PLATE_BYTES_MAX + 8] = { 0 };
        struct pb_error error = { .message = "" };
        enum pb_status status;

        memcpy(bytes, whole, 88);
        pb_put_le32(bytes + 72, 0);
        pb_put_le32(bytes + 80, 0);
        pb_put_le32(bytes + 76, cases[i].erasures);
        pb_put_le16(bytes + 88 + 26, cases[i].plate_bytes);
        pb_put_le16(bytes + 88 + 28, cases[i].reader_bytes);
        old_manifest_seal(bytes, sizeof(bytes));
        status = parse_status(bytes, sizeof(bytes), &error);
        assert_int_equal(cases[i].message == NULL ? PB_OK : PB_E_CORRUPT, status);
        assert_string_equal(cases[i].message == NULL ? "" : cases[i].message, error.message);
    }
}

/* The same of marks, of both versions. */
static void
a_mark_that_is_cut_short_is_refused(void **state)
{
    static const struct {
        uint32_t version, marks;
        size_t mark_bytes;   /* behind the fixed part */
        uint32_t name_bytes; /* said by a mark of version 2 */
        const char *message; /* NULL: none, it is whole */
    } cases[] = {
        { 1, 1, 20, 0, NULL },
        { 1, 1, 19, 0, "manifest: byte 88: the file is shorter than its counts say" },
        { 1, 1, 22, 0, "manifest: byte 108: bytes are left over" },
        { 2, 1, 22, 0, NULL },
        { 2, 1, 22, 1, "manifest: byte 88: a mark is cut short" },
        { 2, 1, 22 + 16, 16, NULL },
        { 2, 1, 22 + 16, 17, "manifest: byte 88: a mark is cut short" },
        { 2, 2, 22 + 16 + 21, 16, "manifest: byte 126: a mark is cut short" },
        { 2, 1, 22 + 194, 194, NULL },
        { 2, 1, 22 + 195, 195, "manifest: byte 88: a mark's name is too long" },
    };
    uint8_t whole[FILE_MAX];

    (void)state;
    (void)sample_bytes(whole);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[88 + 22 + 195 + 8] = { 0 };
        struct pb_str name = { (const char *)bytes + 88 + 22, cases[i].name_bytes };
        struct pb_error error = { .message = "" };
        enum pb_status status;

        memcpy(bytes, whole, 88);
        pb_put_le32(bytes + 8, cases[i].version);
        pb_put_le32(bytes + 72, 0);
        pb_put_le32(bytes + 76, 0);
        pb_put_le32(bytes + 80, cases[i].marks);
        pb_put_le64(bytes + 88, pb_identity_of_bytes(name));
        pb_put_le64(bytes + 88 + 8, 1);
        if (cases[i].version == 2)
            pb_put_le16(bytes + 88 + 20, (uint16_t)cases[i].name_bytes);
        old_manifest_seal(bytes, 88 + cases[i].mark_bytes + 8);
        status = parse_status(bytes, 88 + cases[i].mark_bytes + 8, &error);
        if (status != (cases[i].message == NULL ? PB_OK : PB_E_CORRUPT))
            fail_msg("case %zu: %s", i, error.message);
        assert_string_equal(cases[i].message == NULL ? "" : cases[i].message, error.message);
    }
}

/* Its marks have no names, and everything else is where it was. */
static void
a_manifest_of_version_1_is_read(void **state)
{
    uint8_t bytes[FILE_MAX];
    struct pb_manifest manifest;
    struct sample sample;

    (void)state;
    (void)sample_bytes(bytes);
    fill(&sample, pb_env_system(), 7);
    sample.marks[3].name = (struct pb_str){ NULL, 0 };
    pb_manifest_init(&manifest, pb_env_system());
    assert_int_equal(PB_OK, pb_manifest_parse(&manifest, bytes, old_manifest_make(bytes), NULL));
    assert_int_equal(88 + 3 * 80 + 73 + 4 * 20 + 8, pb_get_le64(bytes + 16));
    assert_same(&sample.manifest, &manifest);
    pb_manifest_done(&manifest);
}

static void
a_path_that_is_too_long_is_refused(void **state)
{
    /* `manifest` still fits below the first, `manifest.tmp` does not; below the second neither. */
    static const size_t lengths[] = { PB_PATH_BYTES_MAX - sizeof("/manifest.tmp"),
                                      PB_PATH_BYTES_MAX - sizeof("/manifest"),
                                      PB_PATH_BYTES_MAX - sizeof("/manifest") + 1 };
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        char directory[PB_PATH_BYTES_MAX] = "";
        struct pb_error error = { .message = "" };
        struct pb_manifest manifest;
        struct sample sample;
        bool is_unknown = true;
        enum pb_status status;

        for (size_t at = 0; at < lengths[i]; at++)
            directory[at] = at % 2 == 0 || at + 1 == lengths[i] ? 'd' : '/';
        fill(&sample, &env, 1);
        status = pb_manifest_write(&sample.manifest, directory, &is_unknown, &error);
        assert_true((status == PB_OVER_LIMIT) == (i > 0));
        assert_true(status != PB_OK && !is_unknown); /* there is no such directory */
        pb_manifest_init(&manifest, &env);
        assert_int_equal(i == 2 ? PB_OVER_LIMIT : PB_E_NOT_STORE,
                         pb_manifest_read(&manifest, directory, &error));
        pb_manifest_done(&manifest);
    }
    sim_fs_free(fs);
}

static enum pb_status
one_byte_too_large(void *context, struct pb_file *file, uint64_t *ret_size, struct pb_error *error)
{
    (void)context;
    (void)file;
    (void)error;
    *ret_size = 88 + (uint64_t)PB_SEGMENTS_MAX * 80 +
                (uint64_t)PB_ERASURES_MAX * (30 + PB_PLATE_BYTES_MAX + PB_READER_BYTES_MAX) +
                (uint64_t)PB_MANIFEST_MARKS_MAX * (22 + PB_IDENTITY_BYTES_MAX) + 8 + 1;
    return PB_OK;
}

static void
a_file_longer_than_any_manifest_is_not_read(void **state)
{
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);
    struct pb_file_ops files = *env.files;
    struct pb_error error = { .message = "" };
    struct fault_env fault;
    struct pb_manifest manifest;
    bool is_unknown;

    (void)state;
    assert_int_equal(PB_OK, write_generation(&env, 1, &is_unknown, NULL));
    files.size = one_byte_too_large;
    env.files = &files;
    fault_env_init(&fault, &env);
    fault.fail_file_call_at = 1;
    fault.fail_file_mask = FAULT_READ;
    pb_manifest_init(&manifest, &fault.env);
    assert_int_equal(PB_E_CORRUPT, pb_manifest_read(&manifest, "store", &error));
    assert_string_equal("manifest: byte 0: the file is longer than any manifest", error.message);
    assert_int_equal(0, fault.allocation_count);
    assert_int_equal(0, fault.failure_count);
    pb_manifest_done(&manifest);
    assert_true(fault_env_is_clean(&fault));
    sim_fs_free(fs);
}

static void
nothing_is_written_that_could_not_be_read(void **state)
{
    static const char long_text[PB_IDENTITY_BYTES_MAX + 1] = { 'x' };
    struct sim_fs *fs = make_disk();
    struct pb_env env = sim_fs_env(fs);

    (void)state;
    for (int i = 0; i < 10; i++) {
        enum pb_status expected = PB_BAD_INPUT;
        struct sample sample;
        bool is_unknown = true;

        fill(&sample, &env, 1);
        switch (i) {
        case 0: sample.segments[1].number = sample.segments[0].number; break;
        case 1: sample.segments[0].rows = 0; break;
        case 2: sample.erasures[0].plate = (struct pb_str){ long_text, 33 }; break;
        case 3: sample.erasures[0].reader = (struct pb_str){ long_text, 65 }; break;
        case 4: sample.marks[0].identity = 10; break;
        case 5: sample.manifest.generation = 0; break;
        case 6: sample.manifest.next_segment = 5; break;
        case 7:
            sample.marks[3].identity++;
            break;
        case 8:
            sample.marks[3].name = (struct pb_str){ long_text, 195 };
            break;
        default:
            sample.manifest.erasure_count = PB_ERASURES_MAX + 1;
            expected = PB_OVER_LIMIT;
            break;
        }
        assert_int_equal(expected, pb_manifest_write(&sample.manifest, "store", &is_unknown,
                                                     NULL));
        assert_false(is_unknown);
        assert_int_equal(0, read_generation(&env));
    }
    sim_fs_free(fs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(reading_again_frees_what_was_read_before),
        cmocka_unit_test(a_power_cut_leaves_the_old_or_the_new_manifest),
        cmocka_unit_test(a_failed_replacement_says_whether_the_old_one_still_counts),
        cmocka_unit_test(reading_reports_every_failure),
        cmocka_unit_test(what_is_no_manifest_is_no_store),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_found),
        cmocka_unit_test(values_out_of_range_are_refused_though_the_checksum_is_right),
        cmocka_unit_test(an_erasure_that_is_cut_short_is_refused),
        cmocka_unit_test(a_mark_that_is_cut_short_is_refused),
        cmocka_unit_test(a_manifest_of_version_1_is_read),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        cmocka_unit_test(a_file_longer_than_any_manifest_is_not_read),
        cmocka_unit_test(nothing_is_written_that_could_not_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
