/*
 * Signed notes, verifier keys and checkpoints: the text forms in which a log's head is signed.
 *
 * Two kinds of key are known: Ed25519 over the note's text (type 01, what logs sign with) and
 * time-stamped Ed25519 cosignatures (type 04, what witnesses sign with). Signatures of other
 * keys are left alone, as the specification wants it.
 *
 * Threads: everything here is pure.
 * Source:  c2sp.org/signed-note, c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature.
 */
#ifndef PB_AUDIT_NOTE_H
#define PB_AUDIT_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/tree.h"
#include "base/limits.h"
#include "base/text.h"

#define PB_NOTE_BYTES_MAX (64u << 10)
#define PB_NOTE_NAME_BYTES_MAX 255u
#define PB_NOTE_SIGNATURES_MAX 64u
#define PB_NOTE_SIGNATURE_BYTES_MAX 5000u /* decoded; post-quantum ones are that long */
#define PB_VKEY_BYTES_MAX (PB_NOTE_NAME_BYTES_MAX + 1 + 8 + 1 + 44 + 1) /* with its NUL */
#define PB_CHECKPOINT_TEXT_BYTES_MAX 512u

enum pb_key_type {
    PB_KEY_ED25519 = 0x01,
    PB_KEY_COSIGNATURE = 0x04,
};

/* A verifier key. */
struct pb_vkey {
    char name[PB_NOTE_NAME_BYTES_MAX + 1]; /* NUL-terminated */
    uint8_t id[4];
    uint8_t type; /* of enum pb_key_type */
    uint8_t public_key[32];
};

/* Whether text may name a key or a log: UTF-8 without spaces, controls and `+`, 1 to
 * PB_NOTE_NAME_BYTES_MAX bytes. */
bool pb_note_name_is_valid(struct pb_str name);

/* name must be valid. */
void pb_vkey_make(struct pb_str name, enum pb_key_type type, const uint8_t public_key[32],
                  struct pb_vkey *ret_key);
/* PB_BAD_INPUT: another shape, another type, or an id that is not the key's. */
PB_MUST_CHECK enum pb_status pb_vkey_parse(struct pb_str text, struct pb_vkey *ret_key,
                                           struct pb_error *error);
/* NUL-terminated. */
void pb_vkey_format(const struct pb_vkey *key, char ret_text[PB_VKEY_BYTES_MAX]);

/* ---- notes ---- */

struct pb_note {
    struct pb_str text;       /* borrowed: what is signed, with its last line feed */
    struct pb_str signatures; /* borrowed: whole lines */
    uint32_t signature_count; /* 1 to PB_NOTE_SIGNATURES_MAX */
};

/* Checks the form of the whole note: UTF-8, no controls, each signature line. */
PB_MUST_CHECK enum pb_status pb_note_parse(struct pb_str bytes, struct pb_note *ret_note,
                                           struct pb_error *error);
/* Checks lines of signatures alone, as a witness answers with; PB_BAD_INPUT for none. */
PB_MUST_CHECK enum pb_status pb_note_parse_signatures(struct pb_str bytes, uint32_t *ret_count,
                                                      struct pb_error *error);
/*
 * Verifies the signatures of key under the note. ret_line may be NULL: that of the line that
 * verified, with its line feed. ret_time_s may be NULL: what a cosignature states, else 0.
 *
 * Returns  PB_OK
 *          PB_NOT_FOUND  no signature of that key
 *          PB_BAD_INPUT  one that does not verify
 */
PB_MUST_CHECK enum pb_status pb_note_verify(const struct pb_note *note, const struct pb_vkey *key,
                                            struct pb_str *ret_line, uint64_t *ret_time_s);
/* Appends one signature line over text; secret_key is libsodium's 64 bytes. */
void pb_note_put_signature(struct pb_text_out *out, struct pb_str text, const struct pb_vkey *key,
                           const uint8_t secret_key[64]);
/* Likewise as a witness signs, for tests of those who verify it. */
void pb_note_put_cosignature(struct pb_text_out *out, struct pb_str text, const struct pb_vkey *key,
                             const uint8_t secret_key[64], uint64_t time_s);

/* ---- checkpoints ---- */

struct pb_checkpoint {
    struct pb_str origin; /* borrowed */
    uint64_t size;        /* at most PB_TREE_SIZE_MAX */
    struct pb_hash root;
};

/* Reads a note's text; lines of extensions are let pass. */
PB_MUST_CHECK enum pb_status pb_checkpoint_parse(struct pb_str text,
                                                 struct pb_checkpoint *ret_checkpoint,
                                                 struct pb_error *error);
void pb_checkpoint_put(struct pb_text_out *out, const struct pb_checkpoint *checkpoint);
/* Parses a whole note as a checkpoint of log, whose signature must verify and whose name is the
 * origin. ret_note may be NULL. PB_BAD_INPUT otherwise. */
PB_MUST_CHECK enum pb_status pb_checkpoint_open(struct pb_str bytes, const struct pb_vkey *log,
                                                struct pb_checkpoint *ret_checkpoint,
                                                struct pb_note *ret_note, struct pb_error *error);

#endif
