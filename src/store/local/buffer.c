/*
 * Buffer: rows in chunks that never move, and four hash tables of chains through them.
 *
 * A row is complete before the head of a chain names it (release), and a reader who comes by
 * the head (acquire) sees it complete. What a reader finds there may not be published yet;
 * it compares row numbers with the count that it began with. So a reader needs no lock, and a
 * search sees all of a commit or nothing.
 *
 * Invariants:
 *   (1) rows [0, published) are visible and do not change but for superseded_since;
 *       rows [published, added) are the writer's, chained but not to be shown.
 *   (2) chains lead from newer to older rows; a row's links are set once, before it is chained.
 *   (3) after a retract nothing is added any more (is_closed): a reader that stands on a row that
 *       was taken back still finds its way to the rows behind it.
 */
#include "store/local/buffer.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "geo/geo.h"
#include "read/read.h"

#define CHUNK_ROWS 1024u
#define ROWS_MAX (1u << 24) /* of any buffer; its entries' numbers still fit */
#define INTERNED_MAX 4096u
#define NOT_SUPERSEDED UINT32_MAX
#define SIEVE_BITS_PER_HEAD 16u

struct row {
    struct pb_read read;
    uint64_t identity;
    uint32_t next_of_identity, next_of_plate, next_of_cell;
    uint32_t plate_hash;
    uint32_t cell;
    uint32_t first_entry; /* of its alternates, which follow one another */
    atomic_uint superseded_since; /* history where more rows than this are published */
};

/* One alternate of one row. */
struct entry {
    uint32_t row;
    uint32_t rank; /* from 1 */
    uint32_t next;
    uint32_t plate_hash;
};

struct pb_buffer {
    const struct pb_env *env; /* borrowed */
    atomic_uint refs;
    uint32_t rows_max;
    uint32_t head_mask; /* heads of each table, less 1 */

    /* Heads of the chains: owned; one block, which identity_heads begins. Each is the complement of
     * a number, so that memory of zeros holds PB_BUFFER_NO_ROW and stays untouched until then. */
    atomic_uint *identity_heads, *plate_heads, *cell_heads, *alternate_heads;
    /* Owned: a bit for each identity that came, so that most of those that did not are known from a
     * few bytes that stay in the cache, where a chain is two places that do not. */
    _Atomic uint64_t *sieve;
    struct row **row_chunks;     /* owned, as the chunks */
    struct entry **entry_chunks; /* owned, as the chunks */

    atomic_uint published;
    atomic_uint added; /* changed by the writer only */
    atomic_size_t bytes;

    /* The writer's own. */
    uint32_t entry_count;
    bool is_closed;
    struct pb_arena arena;    /* owned: texts and arrays of rows */
    struct pb_str *interned;  /* owned: texts that were seen lately, by hash */
    uint32_t interned_mask;
    size_t fixed_bytes;       /* all but the arena */
};

/* ---- life ---- */

static uint32_t
power_of_two_within(uint32_t most)
{
    uint32_t power = 1;

    while (power <= most / 2)
        power *= 2;
    return power;
}

static uint32_t
chunk_count(uint32_t count)
{
    return count / CHUNK_ROWS + (count % CHUNK_ROWS != 0);
}

static void
free_buffer(struct pb_buffer *buffer)
{
    if (buffer->row_chunks != NULL) {
        for (uint32_t i = 0; i < chunk_count(buffer->rows_max); i++)
            pb_free(buffer->env, buffer->row_chunks[i]);
    }
    if (buffer->entry_chunks != NULL) {
        for (uint32_t i = 0; i < chunk_count(buffer->rows_max * PB_ALTERNATES_MAX); i++)
            pb_free(buffer->env, buffer->entry_chunks[i]);
    }
    pb_free(buffer->env, buffer->row_chunks);
    pb_free(buffer->env, buffer->entry_chunks);
    pb_free(buffer->env, buffer->identity_heads);
    pb_free(buffer->env, buffer->sieve);
    pb_free(buffer->env, buffer->interned);
    pb_arena_clear(&buffer->arena);
    pb_free(buffer->env, buffer);
}

static void
note_bytes(struct pb_buffer *buffer)
{
    atomic_store_explicit(&buffer->bytes, buffer->fixed_bytes + buffer->arena.total_bytes,
                          memory_order_relaxed);
}

/* As pb_calloc; counts the bytes. */
static void *
get_fixed(struct pb_buffer *buffer, size_t count, size_t bytes)
{
    void *memory = pb_calloc(buffer->env, count, bytes);

    if (memory != NULL)
        buffer->fixed_bytes += count * bytes;
    return memory;
}

enum pb_status
pb_buffer_new(const struct pb_env *env, uint32_t rows_max, struct pb_buffer **ret_buffer)
{
    struct pb_buffer *buffer;
    uint32_t heads;

    assert(env != NULL && rows_max > 0 && ret_buffer != NULL);
    if (rows_max > ROWS_MAX)
        return PB_OVER_LIMIT;
    heads = power_of_two_within(rows_max);

    buffer = pb_calloc(env, 1, sizeof(*buffer));
    if (buffer == NULL)
        return PB_E_NOMEM;
    buffer->env = env;
    atomic_init(&buffer->refs, 1);
    atomic_init(&buffer->published, 0);
    atomic_init(&buffer->added, 0);
    atomic_init(&buffer->bytes, 0);
    buffer->rows_max = rows_max;
    buffer->head_mask = heads - 1;
    buffer->interned_mask = (heads < INTERNED_MAX ? heads : INTERNED_MAX) - 1;
    buffer->fixed_bytes = sizeof(*buffer);
    pb_arena_init(&buffer->arena, env, 4096);

    buffer->identity_heads = get_fixed(buffer, 4 * (size_t)heads, sizeof(atomic_uint));
    buffer->sieve =
        get_fixed(buffer, ((size_t)heads * SIEVE_BITS_PER_HEAD + 63) / 64, sizeof(uint64_t));
    buffer->row_chunks = get_fixed(buffer, chunk_count(rows_max), sizeof(struct row *));
    buffer->entry_chunks = get_fixed(buffer, chunk_count(rows_max * PB_ALTERNATES_MAX),
                                     sizeof(struct entry *));
    buffer->interned = get_fixed(buffer, (size_t)buffer->interned_mask + 1,
                                 sizeof(struct pb_str));
    if (buffer->identity_heads == NULL || buffer->sieve == NULL || buffer->row_chunks == NULL ||
        buffer->entry_chunks == NULL || buffer->interned == NULL) {
        free_buffer(buffer);
        return PB_E_NOMEM;
    }
    buffer->plate_heads = buffer->identity_heads + heads;
    buffer->cell_heads = buffer->plate_heads + heads;
    buffer->alternate_heads = buffer->cell_heads + heads;
    note_bytes(buffer);
    *ret_buffer = buffer;
    return PB_OK;
}

struct pb_buffer *
pb_buffer_ref(struct pb_buffer *buffer)
{
    (void)atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

struct pb_buffer *
pb_buffer_unref(struct pb_buffer *buffer)
{
    if (buffer != NULL &&
        atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) == 1)
        free_buffer(buffer);
    return NULL;
}

/* ---- places ---- */

static struct row *
row_at(const struct pb_buffer *buffer, uint32_t row)
{
    assert(row < buffer->rows_max && buffer->row_chunks[row / CHUNK_ROWS] != NULL);
    return &buffer->row_chunks[row / CHUNK_ROWS][row % CHUNK_ROWS];
}

static struct entry *
entry_at(const struct pb_buffer *buffer, uint32_t entry)
{
    assert(buffer->entry_chunks[entry / CHUNK_ROWS] != NULL);
    return &buffer->entry_chunks[entry / CHUNK_ROWS][entry % CHUNK_ROWS];
}

static uint32_t
hash_of(struct pb_str text)
{
    return (uint32_t)(pb_hash_bytes(text.text, text.bytes) & UINT32_MAX);
}

static uint32_t
newest(const atomic_uint *head, memory_order order)
{
    return ~atomic_load_explicit(head, order);
}

/* Readers may come by from here on. */
static void
set_newest(atomic_uint *head, uint32_t number)
{
    atomic_store_explicit(head, ~number, memory_order_release);
}

static atomic_uint *
identity_head(const struct pb_buffer *buffer, uint64_t identity)
{
    return &buffer->identity_heads[identity & buffer->head_mask];
}

/* The bit of an identity and the word that it is in. Low bits choose the head; these are others. */
static uint64_t
sieve_bit(const struct pb_buffer *buffer, uint64_t identity, size_t *ret_word)
{
    uint64_t bits = ((uint64_t)buffer->head_mask + 1) * SIEVE_BITS_PER_HEAD;
    uint64_t bit = identity >> 24 & (bits - 1);

    *ret_word = (size_t)(bit / 64);
    return UINT64_C(1) << bit % 64;
}

static void
note_identity(struct pb_buffer *buffer, uint64_t identity)
{
    size_t word;
    uint64_t bit = sieve_bit(buffer, identity, &word);

    /* One writer; a reader who comes by the head, which is released later, sees it. */
    atomic_store_explicit(
        &buffer->sieve[word],
        atomic_load_explicit(&buffer->sieve[word], memory_order_relaxed) | bit,
        memory_order_release);
}

static bool
may_have_identity(const struct pb_buffer *buffer, uint64_t identity)
{
    size_t word;
    uint64_t bit = sieve_bit(buffer, identity, &word);

    return (atomic_load_explicit(&buffer->sieve[word], memory_order_acquire) & bit) != 0;
}

static atomic_uint *
plate_head(const struct pb_buffer *buffer, uint32_t plate_hash)
{
    return &buffer->plate_heads[plate_hash & buffer->head_mask];
}

static atomic_uint *
alternate_head(const struct pb_buffer *buffer, uint32_t plate_hash)
{
    return &buffer->alternate_heads[plate_hash & buffer->head_mask];
}

/* Near cells have near numbers, so that the multiplication spreads them. */
static atomic_uint *
cell_head(const struct pb_buffer *buffer, uint32_t cell)
{
    uint64_t spread = cell * UINT64_C(0x9E3779B97F4A7C15);

    return &buffer->cell_heads[(spread >> 40) & buffer->head_mask];
}

/* ---- copying a read in ---- */

/* Room for the texts and arrays of one row: one block, arrays first, for they need alignment. */
struct room {
    char *at;
};

static size_t
room_bytes(const struct pb_read *read)
{
    size_t bytes = (size_t)read->plate.bytes + read->plate_raw.bytes + read->event_id.bytes +
                   read->identity_plate.bytes;

    bytes += read->alternate_count * sizeof(struct pb_alternate);
    bytes += read->image_count * sizeof(struct pb_image_ref);
    for (uint32_t i = 0; i < read->alternate_count; i++)
        bytes += read->alternates[i].plate.bytes;
    for (uint32_t i = 0; i < read->image_count; i++)
        bytes += read->images[i].ref.bytes;
    return bytes;
}

static void
move_in(struct room *room, struct pb_str *text)
{
    if (text->bytes == 0) {
        text->text = "";
        return;
    }
    memcpy(room->at, text->text, text->bytes);
    text->text = room->at;
    room->at += text->bytes;
}

/* Readers' ids and words such as makes repeat all the time. A text that was seen lately is not
 * copied again; one that lost its slot to another text is, which costs memory only. */
static enum pb_status
intern(struct pb_buffer *buffer, struct pb_str *text)
{
    struct pb_str *slot;
    enum pb_status status;

    if (text->bytes == 0) {
        text->text = "";
        return PB_OK;
    }
    slot = &buffer->interned[hash_of(*text) & buffer->interned_mask];
    if (!pb_str_equal(*slot, *text)) {
        status = pb_arena_copy(&buffer->arena, *text, slot);
        if (status != PB_OK)
            return status;
    }
    *text = *slot;
    return PB_OK;
}

/* As pb_read_copy, but with less memory. */
static enum pb_status
copy_in(struct pb_buffer *buffer, const struct pb_read *read, struct pb_read *ret_copy)
{
    struct pb_str *repeating[] = { &ret_copy->reader, &ret_copy->make, &ret_copy->model,
                                   &ret_copy->color, &ret_copy->body };
    struct room room = { .at = pb_arena_alloc(&buffer->arena, room_bytes(read)) };
    struct pb_alternate *alternates;
    struct pb_image_ref *images;

    if (room.at == NULL)
        return PB_E_NOMEM;
    *ret_copy = *read;
    for (size_t i = 0; i < sizeof(repeating) / sizeof(repeating[0]); i++) {
        enum pb_status status = intern(buffer, repeating[i]);

        if (status != PB_OK)
            return status;
    }
    alternates = (void *)room.at;
    room.at += read->alternate_count * sizeof(*alternates);
    images = (void *)room.at;
    room.at += read->image_count * sizeof(*images);
    move_in(&room, &ret_copy->plate);
    move_in(&room, &ret_copy->plate_raw);
    move_in(&room, &ret_copy->event_id);
    move_in(&room, &ret_copy->identity_plate);
    for (uint32_t i = 0; i < read->alternate_count; i++) {
        alternates[i] = read->alternates[i];
        move_in(&room, &alternates[i].plate);
    }
    for (uint32_t i = 0; i < read->image_count; i++) {
        images[i] = read->images[i];
        move_in(&room, &images[i].ref);
    }
    ret_copy->alternates = read->alternate_count == 0 ? NULL : alternates;
    ret_copy->images = read->image_count == 0 ? NULL : images;
    return PB_OK;
}

/* ---- the writer ---- */

/* A chunk for the row and chunks for its alternates, where there are none yet. */
static enum pb_status
make_chunks(struct pb_buffer *buffer, uint32_t row, uint32_t alternate_count)
{
    struct row **chunk = &buffer->row_chunks[row / CHUNK_ROWS];
    uint32_t rest = buffer->rows_max - row;

    if (*chunk == NULL) {
        /* The first row of its chunk: no more than the rows that can still come. */
        *chunk = get_fixed(buffer, rest < CHUNK_ROWS ? rest : CHUNK_ROWS, sizeof(**chunk));
        if (*chunk == NULL)
            return PB_E_NOMEM;
    }
    for (uint32_t i = 0; i < alternate_count; i++) {
        struct entry **entries = &buffer->entry_chunks[(buffer->entry_count + i) / CHUNK_ROWS];

        if (*entries == NULL) {
            *entries = get_fixed(buffer, CHUNK_ROWS, sizeof(**entries));
            if (*entries == NULL)
                return PB_E_NOMEM;
        }
    }
    return PB_OK;
}

/* The row, and now its link, are complete before. */
static void
chain(atomic_uint *head, uint32_t *next, uint32_t number)
{
    *next = newest(head, memory_order_relaxed);
    set_newest(head, number);
}

static void
chain_row(struct pb_buffer *buffer, struct row *row, uint32_t number)
{
    note_identity(buffer, row->identity);
    chain(identity_head(buffer, row->identity), &row->next_of_identity, number);
    chain(plate_head(buffer, row->plate_hash), &row->next_of_plate, number);
    if (row->cell != PB_GEO_CELL_NONE)
        chain(cell_head(buffer, row->cell), &row->next_of_cell, number);
    for (uint32_t i = 0; i < row->read.alternate_count; i++) {
        uint32_t entry_number = row->first_entry + i;
        struct entry *entry = entry_at(buffer, entry_number);

        *entry = (struct entry){ .row = number, .rank = i + 1,
                                 .plate_hash = hash_of(row->read.alternates[i].plate) };
        chain(alternate_head(buffer, entry->plate_hash), &entry->next, entry_number);
    }
}

enum pb_status
pb_buffer_add(struct pb_buffer *buffer, const struct pb_read *read, uint32_t *ret_row)
{
    uint32_t number = atomic_load_explicit(&buffer->added, memory_order_relaxed);
    enum pb_status status;
    struct row *row;

    assert(read->alternate_count <= PB_ALTERNATES_MAX && read->image_count <= PB_IMAGES_MAX);
    if (number == buffer->rows_max || buffer->is_closed)
        return PB_OVER_LIMIT;
    status = make_chunks(buffer, number, read->alternate_count);
    if (status == PB_OK) {
        row = row_at(buffer, number);
        status = copy_in(buffer, read, &row->read);
    }
    note_bytes(buffer);
    if (status != PB_OK)
        return status; /* the row was not chained: its place is used by the next one */

    row->identity = pb_read_identity(&row->read);
    row->plate_hash = hash_of(row->read.plate);
    row->cell = pb_geo_cell(row->read.lat_e7, row->read.lon_e7);
    row->first_entry = buffer->entry_count;
    row->next_of_cell = PB_BUFFER_NO_ROW;
    atomic_init(&row->superseded_since, read->is_superseded ? 0 : NOT_SUPERSEDED);
    chain_row(buffer, row, number);
    buffer->entry_count += row->read.alternate_count;
    atomic_store_explicit(&buffer->added, number + 1, memory_order_relaxed);
    *ret_row = number;
    return PB_OK;
}

void
pb_buffer_publish(struct pb_buffer *buffer)
{
    atomic_store_explicit(&buffer->published,
                          atomic_load_explicit(&buffer->added, memory_order_relaxed),
                          memory_order_release);
}

static void
unchain(atomic_uint *head, uint32_t number, uint32_t next)
{
    assert(newest(head, memory_order_relaxed) == number);
    (void)number;
    set_newest(head, next);
}

void
pb_buffer_retract(struct pb_buffer *buffer)
{
    uint32_t published = atomic_load_explicit(&buffer->published, memory_order_relaxed);
    uint32_t added = atomic_load_explicit(&buffer->added, memory_order_relaxed);

    if (added == published)
        return;
    /* Newest first, so that each is the head of its chains when its turn comes. */
    for (uint32_t number = added; number-- > published;) {
        struct row *row = row_at(buffer, number);

        for (uint32_t i = row->read.alternate_count; i-- > 0;) {
            struct entry *entry = entry_at(buffer, row->first_entry + i);

            unchain(alternate_head(buffer, entry->plate_hash), row->first_entry + i, entry->next);
        }
        if (row->cell != PB_GEO_CELL_NONE)
            unchain(cell_head(buffer, row->cell), number, row->next_of_cell);
        unchain(plate_head(buffer, row->plate_hash), number, row->next_of_plate);
        unchain(identity_head(buffer, row->identity), number, row->next_of_identity);
    }
    atomic_store_explicit(&buffer->added, published, memory_order_relaxed);
    buffer->is_closed = true;
}

void
pb_buffer_supersede(struct pb_buffer *buffer, uint32_t row)
{
    atomic_uint *since = &row_at(buffer, row)->superseded_since;
    uint32_t count = atomic_load_explicit(&buffer->published, memory_order_relaxed);

    if (atomic_load_explicit(since, memory_order_relaxed) == NOT_SUPERSEDED)
        atomic_store_explicit(since, count, memory_order_release);
}

/* ---- readers ---- */

uint32_t
pb_buffer_count(const struct pb_buffer *buffer)
{
    return atomic_load_explicit(&buffer->published, memory_order_acquire);
}

uint32_t
pb_buffer_count_all(const struct pb_buffer *buffer)
{
    return atomic_load_explicit(&buffer->added, memory_order_relaxed);
}

size_t
pb_buffer_bytes(const struct pb_buffer *buffer)
{
    return atomic_load_explicit(&buffer->bytes, memory_order_relaxed);
}

const struct pb_read *
pb_buffer_read(const struct pb_buffer *buffer, uint32_t row)
{
    return &row_at(buffer, row)->read;
}

bool
pb_buffer_is_superseded_at(const struct pb_buffer *buffer, uint32_t row, uint32_t count)
{
    return atomic_load_explicit(&row_at(buffer, row)->superseded_since, memory_order_acquire)
           < count;
}

bool
pb_buffer_is_superseded(const struct pb_buffer *buffer, uint32_t row)
{
    return pb_buffer_is_superseded_at(buffer, row, UINT32_MAX);
}

/* From row on, the first of this identity. */
static uint32_t
skip_to_identity(const struct pb_buffer *buffer, uint32_t row, uint64_t identity)
{
    while (row != PB_BUFFER_NO_ROW && row_at(buffer, row)->identity != identity)
        row = row_at(buffer, row)->next_of_identity;
    return row;
}

uint32_t
pb_buffer_first_of_identity(const struct pb_buffer *buffer, uint64_t identity)
{
    uint32_t row;

    if (!may_have_identity(buffer, identity))
        return PB_BUFFER_NO_ROW;
    row = newest(identity_head(buffer, identity), memory_order_acquire);
    return skip_to_identity(buffer, row, identity);
}

uint32_t
pb_buffer_next_of_identity(const struct pb_buffer *buffer, uint32_t row)
{
    const struct row *of = row_at(buffer, row);

    return skip_to_identity(buffer, of->next_of_identity, of->identity);
}

static uint32_t
skip_to_plate(const struct pb_buffer *buffer, uint32_t row, uint32_t hash, struct pb_str plate)
{
    while (row != PB_BUFFER_NO_ROW) {
        const struct row *at = row_at(buffer, row);

        if (at->plate_hash == hash && pb_str_equal(at->read.plate, plate))
            break;
        row = at->next_of_plate;
    }
    return row;
}

uint32_t
pb_buffer_first_of_plate(const struct pb_buffer *buffer, struct pb_str plate)
{
    uint32_t hash = hash_of(plate);
    uint32_t row = newest(plate_head(buffer, hash), memory_order_acquire);

    return skip_to_plate(buffer, row, hash, plate);
}

uint32_t
pb_buffer_next_of_plate(const struct pb_buffer *buffer, uint32_t row)
{
    const struct row *of = row_at(buffer, row);

    return skip_to_plate(buffer, of->next_of_plate, of->plate_hash, of->read.plate);
}

static uint32_t
skip_to_cell(const struct pb_buffer *buffer, uint32_t row, uint32_t cell)
{
    while (row != PB_BUFFER_NO_ROW && row_at(buffer, row)->cell != cell)
        row = row_at(buffer, row)->next_of_cell;
    return row;
}

uint32_t
pb_buffer_first_of_cell(const struct pb_buffer *buffer, uint32_t cell)
{
    uint32_t row = newest(cell_head(buffer, cell), memory_order_acquire);

    return skip_to_cell(buffer, row, cell);
}

uint32_t
pb_buffer_next_of_cell(const struct pb_buffer *buffer, uint32_t row)
{
    const struct row *of = row_at(buffer, row);

    return skip_to_cell(buffer, of->next_of_cell, of->cell);
}

static struct pb_str
alternate_plate(const struct pb_buffer *buffer, const struct entry *entry)
{
    return row_at(buffer, entry->row)->read.alternates[entry->rank - 1].plate;
}

static uint32_t
skip_to_alternate(const struct pb_buffer *buffer, uint32_t entry, uint32_t hash,
                  struct pb_str plate)
{
    while (entry != PB_BUFFER_NO_ROW) {
        const struct entry *at = entry_at(buffer, entry);

        if (at->plate_hash == hash && pb_str_equal(alternate_plate(buffer, at), plate))
            break;
        entry = at->next;
    }
    return entry;
}

uint32_t
pb_buffer_first_of_alternate(const struct pb_buffer *buffer, struct pb_str plate)
{
    uint32_t hash = hash_of(plate);
    uint32_t entry = newest(alternate_head(buffer, hash), memory_order_acquire);

    return skip_to_alternate(buffer, entry, hash, plate);
}

uint32_t
pb_buffer_next_of_alternate(const struct pb_buffer *buffer, uint32_t entry)
{
    const struct entry *of = entry_at(buffer, entry);

    return skip_to_alternate(buffer, of->next, of->plate_hash, alternate_plate(buffer, of));
}

void
pb_buffer_alternate(const struct pb_buffer *buffer, uint32_t entry, uint32_t *ret_row,
                    uint32_t *ret_rank)
{
    const struct entry *of = entry_at(buffer, entry);

    *ret_row = of->row;
    *ret_rank = of->rank;
}
