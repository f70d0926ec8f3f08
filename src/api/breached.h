/*
 * Breached passwords: is a password in a list that anybody can download?
 *
 * The list is a file of the operator's that lies on this machine; it is looked at where it is, by
 * halves, and never held. It is opened for each question, so that a newer one put in its place
 * counts from the next on. Neither the password nor its hash leaves the process.
 *
 * Threads: any; nothing is kept.
 * Limits:  one question reads at most 64 times 128 bytes, pb_breached_check about 1 MiB.
 * Format:  docs/formats/breached-passwords.md
 */
#ifndef PB_API_BREACHED_H
#define PB_API_BREACHED_H

#include <platebase/read.h>
#include <platebase/status.h>

struct pb_env;

/*
 * Is the file at path such a list? Looks at all lines of a small one, and at 64 stretches of a
 * larger one, its first and its last lines among them.
 *
 * PB_BAD_INPUT: error says where it is not, or that there is no such file. Failures otherwise.
 */
PB_MUST_CHECK enum pb_status pb_breached_check(const struct pb_env *env, const char *path,
                                               struct pb_error *error);

/*
 * PB_OK: the password is in the list. PB_NOT_FOUND: it is not. PB_E_CORRUPT: what stands on the way
 * to it is no list, so that nobody knows. Other failures: the file cannot be read, or is gone.
 */
PB_MUST_CHECK enum pb_status pb_breached_find(const struct pb_env *env, const char *path,
                                              struct pb_str password, struct pb_error *error);

#endif
