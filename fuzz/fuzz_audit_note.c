/*
 * Fuzz target: verifier keys, signed notes and checkpoints. What is taken is written again as it
 * was; a note's signatures are looked at with the key of the first seed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "audit/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
parse_key(struct pb_str text)
{
    char again[PB_VKEY_BYTES_MAX];
    struct pb_vkey key;

    if (pb_vkey_parse(text, &key, NULL) != PB_OK)
        return;
    pb_vkey_format(&key, again);
    check(pb_str_equal(text, pb_str_from(again)));
}

static void
parse_checkpoint(struct pb_str text)
{
    char again[PB_CHECKPOINT_TEXT_BYTES_MAX];
    struct pb_text_out out = pb_text_out(again, sizeof(again));
    struct pb_checkpoint checkpoint;

    if (pb_checkpoint_parse(text, &checkpoint, NULL) != PB_OK)
        return;
    check(checkpoint.size <= PB_TREE_SIZE_MAX);
    pb_checkpoint_put(&out, &checkpoint);
    check(!out.is_cut && (size_t)(out.at - again) <= text.bytes
          && memcmp(again, text.text, (size_t)(out.at - again)) == 0);
}

static void
parse_note(struct pb_str bytes)
{
    static const char text[] =
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    struct pb_checkpoint checkpoint;
    struct pb_note note;
    struct pb_vkey key;
    struct pb_str line;
    uint64_t time_s;
    enum pb_status status;

    if (pb_note_parse(bytes, &note, NULL) != PB_OK)
        return;
    check(note.signature_count >= 1 && note.signature_count <= PB_NOTE_SIGNATURES_MAX);
    check(note.text.bytes + 1 + note.signatures.bytes == bytes.bytes);
    check(pb_vkey_parse(pb_str_from(text), &key, NULL) == PB_OK);
    status = pb_note_verify(&note, &key, &line, &time_s);
    check(status == PB_OK || status == PB_NOT_FOUND || status == PB_BAD_INPUT);
    key.type = PB_KEY_COSIGNATURE;
    status = pb_note_verify(&note, &key, &line, &time_s);
    check(status == PB_OK || status == PB_NOT_FOUND || status == PB_BAD_INPUT);
    status = pb_checkpoint_open(bytes, &key, &checkpoint, &note, NULL);
    check(status == PB_OK || status == PB_BAD_INPUT);
    parse_checkpoint(note.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str bytes = { (const char *)data, (uint32_t)size };

    if (size > UINT32_MAX || sodium_init() < 0)
        return 0;
    parse_key(bytes);
    parse_checkpoint(bytes);
    parse_note(bytes);
    return 0;
}
