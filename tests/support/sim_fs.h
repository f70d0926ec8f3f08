/*
 * Simulated file system: files in memory that lose what was not synced.
 *
 * What a disk holds is kept apart from what the running system sees. A write,
 * truncation or change of a directory's entries is seen at once and is on disk when
 * its file, or its directory, was synced. A power cut leaves each of the others
 * there, gone or torn, as a seed decides:
 *
 *   files        each unsynced write is kept, dropped, or torn at 512 or 4096 bytes: some
 *                sectors are there and others are not. Earlier ones may be lost while later ones
 *                are kept. Where the file grew but its sectors did not arrive there are zeros.
 *   directories  of the changes (create, rename, link, unlink, mkdir, rmdir) of one directory
 *                the first few are kept, for file systems journal them in order. A rename
 *                within a directory is one change; across two it is one in each of them.
 *                Syncing a file does not sync the entry that names it.
 *
 * Same calls and same seed: same disk. Paths are absolute or not, which is the same; `..` is not
 * known. Without memory the process is aborted: this is for tests.
 *
 * Threads: the environment may be used from any thread, other calls from one while no thread
 * uses the environment.
 */
#ifndef PB_SUPPORT_SIM_FS_H
#define PB_SUPPORT_SIM_FS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"

struct sim_fs; /* opaque */

/* An empty root directory. free takes NULL; all files must be closed before. */
struct sim_fs *sim_fs_new(void);
void sim_fs_free(struct sim_fs *fs);

/* The same files with the same unsynced changes, but nothing open or locked, power on, calls
 * counted from 0 and no capacity. */
struct sim_fs *sim_fs_clone(struct sim_fs *fs);

/* The system's environment with these files and with random bytes that are always the same. A
 * plain struct: the clock in it may be replaced. It must not be used after sim_fs_free. */
struct pb_env sim_fs_env(struct sim_fs *fs);

/* ---- ends ---- */

/* More kinds of damage for the next cuts; 0 for none of them. */
enum sim_fs_damage {
    SIM_FS_ANY_ENTRIES = 1 << 0, /* any of a directory's changes may be lost, not only the last */
    SIM_FS_GARBAGE = 1 << 1,     /* random bytes, not only zeros, where a file grew */
};
void sim_fs_set_damage(struct sim_fs *fs, unsigned damage);

/* The power fails and comes back: what is open is dead (each call on it is PB_E_IO, close is
 * still needed), locks are gone, and the disk holds what seed leaves of it. Maps stay
 * readable until they are unmapped. Undoes sim_fs_cut_after. */
void sim_fs_power_cut(struct sim_fs *fs, uint64_t seed);

/* The process dies and the system goes on: all that was written is seen and still unsynced, what
 * is open is dead, locks are gone. Undoes sim_fs_cut_after. */
void sim_fs_process_end(struct sim_fs *fs);

/* Mutating calls since the beginning or the last end: open to create, write, truncate, sync,
 * rename, link, unlink, mkdir, rmdir, sync_directory. */
uint64_t sim_fs_call_count(struct sim_fs *fs);

/* The power fails within the mutating call with that number, from 1: it and every later call is
 * PB_E_IO. That call's own change is unsynced: the cut keeps, drops or tears it. 0: never.
 *
 *     for (n = 1;; n++) {
 *         fs = sim_fs_new(); sim_fs_cut_after(fs, n); work; is_over = !sim_fs_is_cut(fs);
 *         sim_fs_power_cut(fs, seed); recover and check; sim_fs_free(fs);
 *     }
 */
void sim_fs_cut_after(struct sim_fs *fs, uint64_t call_number);
bool sim_fs_is_cut(struct sim_fs *fs);

/* The sync of a file with that number from now, from 1, fails with PB_E_IO, and what was unsynced
 * in the file never reaches the disk although it is still seen: a later sync succeeds and is
 * no help. 0: none. Linux does this. */
void sim_fs_fail_sync_at(struct sim_fs *fs, uint64_t sync_number);

/* PB_E_FULL for what would make all files together larger than bytes; 0: no bound. What fits of
 * a write is written. */
void sim_fs_set_capacity(struct sim_fs *fs, uint64_t bytes);

/* ---- damage ---- */

/* Each changes what is seen and makes that what the disk holds, so nothing in the file is
 * unsynced afterwards; false where there is no such file or it has no such byte. */
bool sim_fs_flip_bit(struct sim_fs *fs, const char *path, uint64_t bit_offset);
bool sim_fs_truncate(struct sim_fs *fs, const char *path, uint64_t size);
bool sim_fs_zero(struct sim_fs *fs, const char *path, uint64_t offset, uint64_t count);
/* Changes nothing. */
bool sim_fs_file_size(struct sim_fs *fs, const char *path, uint64_t *ret_size);

/* Calls each with every file's path ("a/b", without a leading slash) in order of creation within
 * its directory. each may damage files but not add or remove any. */
typedef void sim_fs_file_fn(void *context, const char *path, uint64_t size);
void sim_fs_each_file(struct sim_fs *fs, sim_fs_file_fn *each, void *context);

uint64_t sim_fs_open_count(struct sim_fs *fs);
uint64_t sim_fs_map_count(struct sim_fs *fs);

#endif
