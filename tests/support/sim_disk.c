/*
 * Simulated disk: inodes that hold two contents and what lies between them.
 *
 * Invariants, whenever no call is under way:
 *   (1) synced + every change that is not lost, in order, is what the disk will hold after
 *       the next sync; without lost changes that is equal to current.
 *   (2) an inode lives while an entry (current, synced or in a change) or an open file refers
 *       to it.
 *   (3) no directory is within itself, on any disk that a cut can leave: that is why sim_fs.c
 *       refuses to rename a directory into another one.
 *   (4) what a cut decides about an inode depends on the seed and the inode's id only.
 */
#include "support/sim_disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "support/sim_fs.h"

struct sim_file_change {
    bool is_truncation;
    bool is_lost;    /* seen, but never to reach the disk */
    uint64_t offset; /* or the size to truncate to */
    uint64_t count;
    unsigned char *bytes; /* owned */
};

struct sim_entry_change {
    char *removed;           /* owned or NULL */
    char *set;               /* owned or NULL */
    struct sim_inode *inode; /* one reference where set is not NULL */
};

/* ---- memory and chance ---- */

void *
sim_memory(void *memory, size_t bytes)
{
    void *result = pb_realloc(pb_env_system(), memory, bytes);

    if (result == NULL)
        abort();
    return result;
}

static void *
must_alloc_zero(size_t bytes)
{
    return memset(sim_memory(NULL, bytes), 0, bytes);
}

void
sim_release(void *memory)
{
    pb_free(pb_env_system(), memory);
}

static char *
copy_text(const char *text)
{
    size_t bytes = strlen(text) + 1;

    return memcpy(sim_memory(NULL, bytes), text, bytes);
}

unsigned char *
sim_copy_bytes(const void *bytes, uint64_t count)
{
    unsigned char *copy = sim_memory(NULL, (size_t)count);

    if (count > 0)
        memcpy(copy, bytes, (size_t)count);
    return copy;
}

/* Room for one more of item_bytes each; doubles. */
static void *
with_room(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity == 0 ? 4 : 2 * *capacity;
    return sim_memory(items, *capacity * item_bytes);
}

/* SplitMix64: any state is as good as another. */
uint64_t
sim_random(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

static uint64_t
random_below(uint64_t *state, uint64_t bound)
{
    return sim_random(state) % bound;
}

/* ---- contents ---- */

static void
content_resize(struct sim_content *content, uint64_t size)
{
    if (size > content->capacity) {
        uint64_t doubled = 2 * content->capacity;

        content->capacity = size > doubled ? size : doubled;
        content->bytes = sim_memory(content->bytes, (size_t)content->capacity);
    }
    if (size > content->size)
        memset(content->bytes + content->size, 0, (size_t)(size - content->size));
    content->size = size;
}

static void
content_write(struct sim_content *content, uint64_t offset, const unsigned char *bytes,
              uint64_t count)
{
    if (count == 0)
        return;
    if (content->size < offset + count)
        content_resize(content, offset + count);
    memcpy(content->bytes + offset, bytes, (size_t)count);
}

static struct sim_content
content_copy(const struct sim_content *content)
{
    return (struct sim_content){
        .bytes = content->size == 0 ? NULL : sim_copy_bytes(content->bytes, content->size),
        .size = content->size,
        .capacity = content->size,
    };
}

static void
content_clear(struct sim_content *content)
{
    sim_release(content->bytes);
    *content = (struct sim_content){ 0 };
}

/* ---- inodes and entries ---- */

static struct sim_inode *
add_inode(struct sim_disk *disk, uint64_t id, bool is_directory)
{
    struct sim_inode *inode = must_alloc_zero(sizeof(*inode));

    inode->id = id;
    inode->is_directory = is_directory;
    inode->next = disk->inodes;
    if (disk->inodes != NULL)
        disk->inodes->previous = inode;
    disk->inodes = inode;
    return inode;
}

struct sim_inode *
sim_inode_new(struct sim_disk *disk, bool is_directory)
{
    return add_inode(disk, disk->next_id++, is_directory);
}

struct sim_inode *
sim_inode_ref(struct sim_inode *inode)
{
    inode->references++;
    return inode;
}

void
sim_entries_clear(struct sim_disk *disk, struct sim_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        sim_release(entries->items[i].name);
        sim_inode_unref(disk, entries->items[i].inode);
    }
    sim_release(entries->items);
    *entries = (struct sim_entries){ 0 };
}

static void
clear_changes(struct sim_disk *disk, struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        if (inode->is_directory) {
            sim_release(inode->entry_changes[i].removed);
            sim_release(inode->entry_changes[i].set);
            if (inode->entry_changes[i].inode != NULL)
                sim_inode_unref(disk, inode->entry_changes[i].inode);
        } else {
            sim_release(inode->file_changes[i].bytes);
        }
    }
    inode->change_count = 0;
}

static void
free_inode(struct sim_disk *disk, struct sim_inode *inode)
{
    disk->used_bytes -= inode->current_content.size;
    content_clear(&inode->current_content);
    content_clear(&inode->synced_content);
    sim_entries_clear(disk, &inode->current_entries);
    sim_entries_clear(disk, &inode->synced_entries);
    clear_changes(disk, inode);
    sim_release(inode->file_changes);
    sim_release(inode->entry_changes);

    if (inode->previous != NULL)
        inode->previous->next = inode->next;
    else
        disk->inodes = inode->next;
    if (inode->next != NULL)
        inode->next->previous = inode->previous;
    sim_release(inode);
}

void
sim_inode_unref(struct sim_disk *disk, struct sim_inode *inode)
{
    assert(inode->references > 0);
    if (--inode->references == 0)
        free_inode(disk, inode);
}

struct sim_inode *
sim_entries_find(const struct sim_entries *entries, const char *name)
{
    for (size_t i = 0; i < entries->count; i++) {
        if (strcmp(entries->items[i].name, name) == 0)
            return entries->items[i].inode;
    }
    return NULL;
}

static void
entries_remove(struct sim_disk *disk, struct sim_entries *entries, const char *name)
{
    for (size_t i = 0; i < entries->count; i++) {
        struct sim_entry gone = entries->items[i];

        if (strcmp(gone.name, name) != 0)
            continue;
        entries->count--;
        memmove(entries->items + i, entries->items + i + 1,
                (entries->count - i) * sizeof(entries->items[0]));
        sim_release(gone.name);
        sim_inode_unref(disk, gone.inode);
        return;
    }
}

static void
entries_set(struct sim_disk *disk, struct sim_entries *entries, const char *name,
            struct sim_inode *inode)
{
    struct sim_entry added = { .name = copy_text(name), .inode = sim_inode_ref(inode) };

    entries_remove(disk, entries, name);
    entries->items =
        with_room(entries->items, entries->count, &entries->capacity, sizeof(entries->items[0]));
    entries->items[entries->count++] = added;
}

static void
apply_entry_change(struct sim_disk *disk, struct sim_entries *entries,
                   const struct sim_entry_change *change)
{
    if (change->removed != NULL)
        entries_remove(disk, entries, change->removed);
    if (change->set != NULL)
        entries_set(disk, entries, change->set, change->inode);
}

void
sim_inode_change_entries(struct sim_disk *disk, struct sim_inode *directory, const char *removed,
                         const char *set, struct sim_inode *inode)
{
    struct sim_entry_change change = {
        .removed = removed == NULL ? NULL : copy_text(removed),
        .set = set == NULL ? NULL : copy_text(set),
        .inode = set == NULL ? NULL : sim_inode_ref(inode),
    };

    apply_entry_change(disk, &directory->current_entries, &change);
    directory->entry_changes =
        with_room(directory->entry_changes, directory->change_count, &directory->change_capacity,
                  sizeof(directory->entry_changes[0]));
    directory->entry_changes[directory->change_count++] = change;
}

static void
apply_file_change(struct sim_content *content, const struct sim_file_change *change)
{
    if (change->is_truncation)
        content_resize(content, change->offset);
    else
        content_write(content, change->offset, change->bytes, change->count);
}

/* Takes over change.bytes. */
static void
change_file(struct sim_disk *disk, struct sim_inode *inode, struct sim_file_change change)
{
    uint64_t old_size = inode->current_content.size;

    apply_file_change(&inode->current_content, &change);
    disk->used_bytes += inode->current_content.size - old_size; /* wraps where it shrinks */
    inode->file_changes = with_room(inode->file_changes, inode->change_count,
                                    &inode->change_capacity, sizeof(inode->file_changes[0]));
    inode->file_changes[inode->change_count++] = change;
}

void
sim_inode_write(struct sim_disk *disk, struct sim_inode *inode, uint64_t offset, const void *bytes,
                uint64_t count)
{
    if (count > 0)
        change_file(disk, inode,
                    (struct sim_file_change){
                        .offset = offset, .count = count, .bytes = sim_copy_bytes(bytes, count) });
}

void
sim_inode_truncate(struct sim_disk *disk, struct sim_inode *inode, uint64_t size)
{
    change_file(disk, inode, (struct sim_file_change){ .is_truncation = true, .offset = size });
}

void
sim_inode_lose_changes(struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++)
        inode->file_changes[i].is_lost = true;
}

void
sim_inode_sync(struct sim_disk *disk, struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        if (inode->is_directory)
            apply_entry_change(disk, &inode->synced_entries, &inode->entry_changes[i]);
        else if (!inode->file_changes[i].is_lost)
            apply_file_change(&inode->synced_content, &inode->file_changes[i]);
    }
    clear_changes(disk, inode);
}

struct sim_entries
sim_entries_copy(const struct sim_entries *entries)
{
    struct sim_entries copy = { 0 };

    for (size_t i = 0; i < entries->count; i++) {
        copy.items = with_room(copy.items, copy.count, &copy.capacity, sizeof(copy.items[0]));
        copy.items[copy.count++] = (struct sim_entry){
            .name = copy_text(entries->items[i].name),
            .inode = sim_inode_ref(entries->items[i].inode),
        };
    }
    return copy;
}

void
sim_inode_settle(struct sim_disk *disk, struct sim_inode *inode)
{
    clear_changes(disk, inode);
    content_clear(&inode->synced_content);
    inode->synced_content = content_copy(&inode->current_content);
}

/* ---- whole disks ---- */

static void
clone_entries(struct sim_disk *to, struct sim_entries *copy, const struct sim_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        entries_set(to, copy, entries->items[i].name, entries->items[i].inode->copy);
}

static void
clone_changes(const struct sim_inode *inode)
{
    struct sim_inode *copy = inode->copy;

    for (size_t i = 0; i < inode->change_count; i++) {
        if (inode->is_directory) {
            const struct sim_entry_change *change = &inode->entry_changes[i];

            copy->entry_changes = with_room(copy->entry_changes, i, &copy->change_capacity,
                                            sizeof(copy->entry_changes[0]));
            copy->entry_changes[i] = (struct sim_entry_change){
                .removed = change->removed == NULL ? NULL : copy_text(change->removed),
                .set = change->set == NULL ? NULL : copy_text(change->set),
                .inode = change->inode == NULL ? NULL : sim_inode_ref(change->inode->copy),
            };
        } else {
            copy->file_changes = with_room(copy->file_changes, i, &copy->change_capacity,
                                           sizeof(copy->file_changes[0]));
            copy->file_changes[i] = inode->file_changes[i];
            if (copy->file_changes[i].bytes != NULL)
                copy->file_changes[i].bytes =
                    sim_copy_bytes(copy->file_changes[i].bytes, copy->file_changes[i].count);
        }
        copy->change_count = i + 1;
    }
}

void
sim_disk_init(struct sim_disk *disk)
{
    *disk = (struct sim_disk){ 0 };
    disk->root = sim_inode_ref(sim_inode_new(disk, true));
}

void
sim_disk_init_copy(struct sim_disk *copy, struct sim_disk *disk)
{
    *copy = (struct sim_disk){ .next_id = disk->next_id, .used_bytes = disk->used_bytes };
    /* Each copy is held until all entries are there: one that is in none, because the inode is
     * only open, then goes again. */
    for (struct sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        inode->copy = sim_inode_ref(add_inode(copy, inode->id, inode->is_directory));
        inode->copy->current_content = content_copy(&inode->current_content);
        inode->copy->synced_content = content_copy(&inode->synced_content);
    }
    for (struct sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        clone_entries(copy, &inode->copy->current_entries, &inode->current_entries);
        clone_entries(copy, &inode->copy->synced_entries, &inode->synced_entries);
        clone_changes(inode);
    }
    copy->root = sim_inode_ref(disk->root->copy);
    for (struct sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        sim_inode_unref(copy, inode->copy);
        inode->copy = NULL;
    }
}

void
sim_disk_done(struct sim_disk *disk)
{
    sim_inode_unref(disk, disk->root);
    /* What is left belongs to a file that somebody did not close. */
    assert(disk->inodes == NULL);
}

/* ---- power cuts ---- */

/* What a cut is like as a whole: the two extremes are worth a good share of the seeds. */
enum mood { KEEP_NOTHING, KEEP_ALL, KEEP_SOME };

static enum mood
mood_of(uint64_t seed)
{
    uint64_t state = seed;

    switch (random_below(&state, 8)) {
    case 0:
        return KEEP_NOTHING;
    case 1:
        return KEEP_ALL;
    default:
        return KEEP_SOME;
    }
}

static void
fill_randomly(unsigned char *bytes, uint64_t count, uint64_t *random)
{
    for (uint64_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)sim_random(random);
}

/* Writes some of the sectors that a write touches: the first few, the last few, or any. */
static void
tear_write(struct sim_content *kept, const struct sim_file_change *change, bool may_hold_garbage,
           uint64_t *random)
{
    const uint64_t old_size = kept->size;
    const uint64_t write_end = change->offset + change->count;
    const uint64_t sector_bytes = random_below(random, 2) == 0 ? 512 : 4096;
    const uint64_t first = change->offset / sector_bytes;
    const uint64_t sector_count = (write_end - 1) / sector_bytes - first + 1;
    const uint64_t border = random_below(random, sector_count + 1);
    const uint64_t kind = random_below(random, 3);

    /* The size may arrive without the sectors. */
    if (random_below(random, 2) == 0 && kept->size < write_end)
        content_resize(kept, write_end);

    for (uint64_t i = 0; i < sector_count; i++) {
        uint64_t begin_at = (first + i) * sector_bytes;
        uint64_t end_at = begin_at + sector_bytes;
        bool is_kept = kind == 0 ? i < border : i >= border;

        if (kind == 2)
            is_kept = random_below(random, 2) == 0;
        begin_at = begin_at < change->offset ? change->offset : begin_at;
        end_at = end_at > write_end ? write_end : end_at;
        if (is_kept) {
            content_write(kept, begin_at, change->bytes + (begin_at - change->offset),
                          end_at - begin_at);
        } else if (may_hold_garbage && begin_at >= old_size && end_at <= kept->size &&
                   random_below(random, 2) == 0) {
            fill_randomly(kept->bytes + begin_at, end_at - begin_at, random);
        }
    }
}

static void
cut_file(struct sim_disk *disk, struct sim_inode *inode, enum mood mood, unsigned damage,
         uint64_t *random)
{
    struct sim_content *kept = &inode->synced_content;

    for (size_t i = 0; i < inode->change_count; i++) {
        const struct sim_file_change *change = &inode->file_changes[i];
        uint64_t choice = random_below(random, 3);

        if (change->is_lost || mood == KEEP_NOTHING)
            continue;
        if (mood == KEEP_ALL || choice == 0)
            apply_file_change(kept, change);
        else if (choice == 1 && !change->is_truncation)
            tear_write(kept, change, (damage & SIM_FS_GARBAGE) != 0, random);
    }
    clear_changes(disk, inode);
    disk->used_bytes += kept->size - inode->current_content.size; /* wraps where it shrinks */
    content_clear(&inode->current_content);
    inode->current_content = content_copy(kept);
}

static void
cut_directory(struct sim_disk *disk, struct sim_inode *inode, enum mood mood, unsigned damage,
              uint64_t *random)
{
    struct sim_entries *kept = &inode->synced_entries;
    uint64_t kept_count = random_below(random, inode->change_count + 1);
    bool is_any_order = (damage & SIM_FS_ANY_ENTRIES) != 0;

    for (size_t i = 0; i < inode->change_count; i++) {
        bool is_kept = is_any_order ? random_below(random, 2) == 0 : i < kept_count;

        if (mood == KEEP_ALL || (mood == KEEP_SOME && is_kept))
            apply_entry_change(disk, kept, &inode->entry_changes[i]);
    }
    clear_changes(disk, inode);
    sim_entries_clear(disk, &inode->current_entries);
    inode->current_entries = sim_entries_copy(kept);
}

void
sim_disk_cut(struct sim_disk *disk, uint64_t seed, unsigned damage)
{
    enum mood mood = mood_of(seed);
    struct sim_inode **inodes;
    size_t count = 0;

    /* Cutting a directory frees what is in none any more: hold all until the end. */
    for (struct sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next)
        count++;
    inodes = sim_memory(NULL, count * sizeof(struct sim_inode *));
    count = 0;
    for (struct sim_inode *inode = disk->inodes; inode != NULL; inode = inode->next)
        inodes[count++] = sim_inode_ref(inode);

    for (size_t i = 0; i < count; i++) {
        uint64_t random = seed ^ inodes[i]->id * UINT64_C(0xD1342543DE82EF95);

        if (inodes[i]->is_directory)
            cut_directory(disk, inodes[i], mood, damage, &random);
        else
            cut_file(disk, inodes[i], mood, damage, &random);
    }
    for (size_t i = 0; i < count; i++)
        sim_inode_unref(disk, inodes[i]);
    sim_release(inodes);
}
