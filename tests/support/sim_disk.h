/*
 * Simulated disk: what sim_fs.c keeps its files and directories in. Nobody else
 * includes this.
 *
 * Each inode holds what is seen, what is on disk, and the changes between them.
 * Without memory the process is aborted.
 *
 * Threads: one at a time.
 */
#ifndef PB_SUPPORT_SIM_DISK_H
#define PB_SUPPORT_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_content {
    unsigned char *bytes; /* owned */
    uint64_t size;
    uint64_t capacity;
};

struct sim_entry {
    char *name;              /* owned */
    struct sim_inode *inode; /* one reference */
};

struct sim_entries {
    struct sim_entry *items; /* owned */
    size_t count;
    size_t capacity;
};

struct sim_file_change;  /* sim_disk.c */
struct sim_entry_change; /* sim_disk.c */

struct sim_inode {
    struct sim_inode *previous, *next; /* all inodes of the disk */
    struct sim_inode *copy;            /* while the disk is copied */
    uint64_t id;
    uint64_t references;
    bool is_directory;

    struct sim_content current_content, synced_content;
    struct sim_file_change *file_changes; /* owned */
    struct pb_file *lock_holder;          /* borrowed; kept here for sim_fs.c */

    struct sim_entries current_entries, synced_entries;
    struct sim_entry_change *entry_changes; /* owned */

    size_t change_count, change_capacity; /* of the one or the other */
};

struct sim_disk {
    struct sim_inode *inodes;
    struct sim_inode *root; /* one reference */
    uint64_t next_id;
    uint64_t used_bytes; /* sizes of what is seen */
};

void *sim_memory(void *memory, size_t bytes); /* as pb_realloc */
void sim_release(void *memory);               /* NULL is fine */
unsigned char *sim_copy_bytes(const void *bytes, uint64_t count);
uint64_t sim_random(uint64_t *state);

/* done frees all that no open file refers to; that must be everything. */
void sim_disk_init(struct sim_disk *disk);
void sim_disk_init_copy(struct sim_disk *copy, struct sim_disk *disk);
void sim_disk_done(struct sim_disk *disk);

/* Leaves of the changes what seed decides; damage as sim_fs_set_damage has it. */
void sim_disk_cut(struct sim_disk *disk, uint64_t seed, unsigned damage);

/* The new inode has no reference: put it into a directory at once. */
struct sim_inode *sim_inode_new(struct sim_disk *disk, bool is_directory);
struct sim_inode *sim_inode_ref(struct sim_inode *inode);
void sim_inode_unref(struct sim_disk *disk, struct sim_inode *inode);

/* Changes that are seen at once and not on disk. */
void sim_inode_write(struct sim_disk *disk, struct sim_inode *inode, uint64_t offset,
                     const void *bytes, uint64_t count);
void sim_inode_truncate(struct sim_disk *disk, struct sim_inode *inode, uint64_t size);
/* Removes a name, or sets one, or both at once; either may be NULL. */
void sim_inode_change_entries(struct sim_disk *disk, struct sim_inode *directory,
                              const char *removed, const char *set, struct sim_inode *inode);

void sim_inode_sync(struct sim_disk *disk, struct sim_inode *inode);
/* A file's changes stay seen and never reach the disk. */
void sim_inode_lose_changes(struct sim_inode *inode);
/* What is seen in a file becomes what is on disk, also where it was lost. */
void sim_inode_settle(struct sim_disk *disk, struct sim_inode *inode);

struct sim_inode *sim_entries_find(const struct sim_entries *entries, const char *name);
struct sim_entries sim_entries_copy(const struct sim_entries *entries);
void sim_entries_clear(struct sim_disk *disk, struct sim_entries *entries);

#endif
