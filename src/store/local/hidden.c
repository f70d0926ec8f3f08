/*
 * Hidden: erasures in a hash table by plate, marks sorted by identity.
 */
#include "store/local/hidden.h"

#include <string.h>

#include "base/text.h"
#include "read/read.h"

struct pb_hidden {
    const struct pb_env *env;
    struct pb_arena arena;
    struct pb_erasure_entry *erasures; /* owned */
    uint32_t *next;                    /* owned: chain of the erasure's slot + 1 */
    uint32_t *slots;                   /* owned: first erasure + 1 */
    uint32_t erasure_count, slot_count;
    uint64_t segment_limit;            /* the highest of any erasure */
    struct pb_mark_entry *marks;       /* owned; ascending identity */
    uint32_t mark_count;
};

static uint32_t
slot_of(const struct pb_hidden *hidden, struct pb_str plate)
{
    return (uint32_t)(pb_hash_bytes(plate.text, plate.bytes) & (hidden->slot_count - 1));
}

static enum pb_status
copy_erasures(struct pb_hidden *hidden, const struct pb_manifest *manifest)
{
    uint32_t count = manifest->erasure_count;

    hidden->slot_count = 16;
    while (hidden->slot_count < 2 * count)
        hidden->slot_count *= 2;
    hidden->erasures = pb_calloc(hidden->env, count + 1u, sizeof(*hidden->erasures));
    hidden->next = pb_calloc(hidden->env, count + 1u, sizeof(*hidden->next));
    hidden->slots = pb_calloc(hidden->env, hidden->slot_count, sizeof(*hidden->slots));
    if (hidden->erasures == NULL || hidden->next == NULL || hidden->slots == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct pb_erasure_entry *erasure = &hidden->erasures[i];
        uint32_t slot = slot_of(hidden, manifest->erasures[i].plate);
        enum pb_status status = PB_OK;

        *erasure = manifest->erasures[i];
        status = pb_arena_copy(&hidden->arena, manifest->erasures[i].plate, &erasure->plate);
        if (status == PB_OK)
            status = pb_arena_copy(&hidden->arena, manifest->erasures[i].reader, &erasure->reader);
        if (status != PB_OK)
            return status;
        hidden->next[i] = hidden->slots[slot];
        hidden->slots[slot] = i + 1;
        hidden->erasure_count++;
        if (erasure->segment_limit > hidden->segment_limit)
            hidden->segment_limit = erasure->segment_limit;
    }
    return PB_OK;
}

enum pb_status
pb_hidden_new(const struct pb_env *env, const struct pb_manifest *manifest,
              struct pb_hidden **ret_hidden)
{
    struct pb_hidden *hidden = pb_calloc(env, 1, sizeof(*hidden));
    enum pb_status status = PB_E_NOMEM;

    if (hidden == NULL)
        return PB_E_NOMEM;
    hidden->env = env;
    pb_arena_init(&hidden->arena, env, 4096);
    status = copy_erasures(hidden, manifest);
    if (status != PB_OK)
        goto out;
    hidden->marks = pb_calloc(env, manifest->mark_count + 1u, sizeof(*hidden->marks));
    if (hidden->marks == NULL) {
        status = PB_E_NOMEM;
        goto out;
    }
    hidden->mark_count = manifest->mark_count;
    if (manifest->mark_count != 0)
        memcpy(hidden->marks, manifest->marks, manifest->mark_count * sizeof(*hidden->marks));
    status = pb_marks_own(hidden->marks, hidden->mark_count, &hidden->arena);
    if (status != PB_OK)
        goto out;
    *ret_hidden = hidden;
    hidden = NULL;

out:
    pb_hidden_free(hidden);
    return status;
}

void
pb_hidden_free(struct pb_hidden *hidden)
{
    if (hidden == NULL)
        return;
    pb_free(hidden->env, hidden->erasures);
    pb_free(hidden->env, hidden->next);
    pb_free(hidden->env, hidden->slots);
    pb_free(hidden->env, hidden->marks);
    pb_arena_clear(&hidden->arena);
    pb_free(hidden->env, hidden);
}

static bool
chain_erases(const struct pb_hidden *hidden, struct pb_str plate, const struct pb_read *read,
             uint64_t segment)
{
    for (uint32_t at = hidden->slots[slot_of(hidden, plate)]; at != 0; at = hidden->next[at - 1]) {
        const struct pb_erasure_entry *erasure = &hidden->erasures[at - 1];

        if (pb_str_equal(erasure->plate, plate)
            && (segment == PB_SEGMENT_NONE || segment < erasure->segment_limit)
            && (erasure->jurisdiction == 0 || erasure->jurisdiction == read->jurisdiction)
            && (erasure->reader.bytes == 0 || pb_str_equal(erasure->reader, read->reader))
            && read->captured_at_us >= erasure->from_us && read->captured_at_us < erasure->to_us)
            return true;
    }
    return false;
}

bool
pb_hidden_is_erased(const struct pb_hidden *hidden, const struct pb_read *read, uint64_t segment)
{
    if (hidden->erasure_count == 0)
        return false;
    return chain_erases(hidden, read->plate, read, segment)
           || chain_erases(hidden, (struct pb_str){ NULL, 0 }, read, segment);
}

bool
pb_hidden_has_marks(const struct pb_hidden *hidden, uint64_t segment)
{
    for (uint32_t i = 0; i < hidden->mark_count; i++) {
        if (hidden->marks[i].segment == segment)
            return true;
    }
    return false;
}

bool
pb_hidden_concerns(const struct pb_hidden *hidden, uint64_t segment)
{
    return segment < hidden->segment_limit || pb_hidden_has_marks(hidden, segment);
}

bool
pb_hidden_knows_erasure(const struct pb_hidden *hidden, const struct pb_erasure_entry *erasure)
{
    for (uint32_t at = hidden->slots[slot_of(hidden, erasure->plate)]; at != 0;
         at = hidden->next[at - 1]) {
        const struct pb_erasure_entry *known = &hidden->erasures[at - 1];

        if (pb_str_equal(known->plate, erasure->plate)
            && pb_str_equal(known->reader, erasure->reader)
            && known->jurisdiction == erasure->jurisdiction && known->from_us == erasure->from_us
            && known->to_us == erasure->to_us)
            return true;
    }
    return false;
}

/* The first mark of an identity, or where it would stand. */
static uint32_t
first_mark(const struct pb_hidden *hidden, uint64_t identity)
{
    uint32_t first = 0;
    uint32_t end = hidden->mark_count;

    while (first < end) {
        uint32_t middle = first + (end - first) / 2;

        if (hidden->marks[middle].identity < identity)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

bool
pb_hidden_knows(const struct pb_hidden *hidden, const struct pb_mark_entry *mark)
{
    for (uint32_t i = first_mark(hidden, mark->identity);
         i < hidden->mark_count && hidden->marks[i].identity == mark->identity; i++) {
        if (hidden->marks[i].segment == mark->segment &&
            hidden->marks[i].revision == mark->revision &&
            pb_str_equal(hidden->marks[i].name, mark->name))
            return true;
    }
    return false;
}

bool
pb_hidden_is_history(const struct pb_hidden *hidden, const struct pb_read *read,
                     uint64_t segment)
{
    char bytes[PB_IDENTITY_BYTES_MAX];
    struct pb_str name = { bytes, 0 };
    uint64_t identity = 0;

    if (hidden->mark_count == 0)
        return false;
    name.bytes = (uint32_t)pb_read_identity_bytes(read, bytes);
    identity = pb_identity_of_bytes(name);
    for (uint32_t i = first_mark(hidden, identity);
         i < hidden->mark_count && hidden->marks[i].identity == identity; i++) {
        const struct pb_mark_entry *mark = &hidden->marks[i];

        if (mark->segment == segment && mark->revision > read->revision &&
            (mark->name.bytes == 0 || pb_str_equal(mark->name, name)))
            return true;
    }
    return false;
}
