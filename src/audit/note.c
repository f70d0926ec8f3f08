/*
 * Signed notes: parsing is strict, since what two readers understand differently can be signed
 * once and shown twice.
 */
#include "audit/note.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "audit/encode.h"
#include "base/base64.h"

#define DASH "\xe2\x80\x94 " /* em dash and space */
#define DASH_BYTES 4u
#define TIME_BYTES 8u /* in front of a cosignature */
#define SIGNATURE_TEXT_BYTES_MAX ((PB_NOTE_SIGNATURE_BYTES_MAX + 2) / 3 * 4)

/* ---- names and keys ---- */

/* White_Space of Unicode, but for controls. */
static bool
is_space(uint32_t code_point)
{
    return code_point == 0x20 || code_point == 0x85 || code_point == 0xa0 || code_point == 0x1680 ||
           (code_point >= 0x2000 && code_point <= 0x200a) || code_point == 0x2028 ||
           code_point == 0x2029 || code_point == 0x202f || code_point == 0x205f ||
           code_point == 0x3000;
}

bool
pb_note_name_is_valid(struct pb_str name)
{
    uint32_t at = 0;

    if (name.bytes == 0 || name.bytes > PB_NOTE_NAME_BYTES_MAX)
        return false;
    while (at < name.bytes) {
        uint32_t code_point = 0;
        size_t bytes = pb_utf8_next(name.text + at, name.bytes - at, &code_point);

        if (bytes == 0 || code_point < 0x20 || code_point == '+' || is_space(code_point))
            return false;
        at += (uint32_t)bytes;
    }
    return true;
}

static void
key_id(struct pb_str name, uint8_t type, const uint8_t public_key[32], uint8_t ret_id[4])
{
    crypto_hash_sha256_state state;
    const uint8_t between[2] = { '\n', type };
    struct pb_hash hash;

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)name.text, name.bytes);
    (void)crypto_hash_sha256_update(&state, between, sizeof(between));
    (void)crypto_hash_sha256_update(&state, public_key, 32);
    (void)crypto_hash_sha256_final(&state, hash.bytes);
    memcpy(ret_id, hash.bytes, 4);
}

void
pb_vkey_make(struct pb_str name, enum pb_key_type type, const uint8_t public_key[32],
             struct pb_vkey *ret_key)
{
    assert(pb_note_name_is_valid(name));
    memset(ret_key, 0, sizeof(*ret_key));
    memcpy(ret_key->name, name.text, name.bytes);
    ret_key->type = (uint8_t)type;
    memcpy(ret_key->public_key, public_key, 32);
    key_id(name, ret_key->type, public_key, ret_key->id);
}

/* Cuts text at its first separator; false where there is none. */
static bool
cut(struct pb_str *rest, char separator, struct pb_str *ret_part)
{
    const char *end = rest->bytes == 0 ? NULL : memchr(rest->text, separator, rest->bytes);

    if (end == NULL)
        return false;
    *ret_part = (struct pb_str){ rest->text, (uint32_t)(end - rest->text) };
    *rest = (struct pb_str){ end + 1, rest->bytes - ret_part->bytes - 1 };
    return true;
}

enum pb_status
pb_vkey_parse(struct pb_str text, struct pb_vkey *ret_key, struct pb_error *error)
{
    struct pb_str rest = text, name, id_text;
    uint8_t id[4], key[33];

    if (!cut(&rest, '+', &name) || !cut(&rest, '+', &id_text) || !pb_note_name_is_valid(name))
        return pb_fail(error, PB_BAD_INPUT, "not a verifier key: expected name+id+key");
    if (pb_hex_decode(id_text, id, sizeof(id)) != PB_OK ||
        pb_base64_decode_exact(rest, key, sizeof(key)) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "not a verifier key: id or key is spelled wrongly");
    if (key[0] != PB_KEY_ED25519 && key[0] != PB_KEY_COSIGNATURE)
        return pb_fail(error, PB_BAD_INPUT, "a verifier key of a type that is not known: %u",
                       (unsigned)key[0]);
    pb_vkey_make(name, key[0], key + 1, ret_key);
    if (memcmp(ret_key->id, id, sizeof(id)) != 0)
        return pb_fail(error, PB_BAD_INPUT, "not a verifier key: the id is not that of the key");
    return PB_OK;
}

void
pb_vkey_format(const struct pb_vkey *key, char ret_text[PB_VKEY_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(ret_text, PB_VKEY_BYTES_MAX);
    uint8_t bytes[33];

    bytes[0] = key->type;
    memcpy(bytes + 1, key->public_key, 32);
    pb_put_text(&out, key->name);
    pb_put_char(&out, '+');
    pb_put_hex(&out, key->id, sizeof(key->id));
    pb_put_char(&out, '+');
    pb_put_base64(&out, bytes, sizeof(bytes));
    pb_put_char(&out, '\0');
    assert(!out.is_cut);
}

/* ---- notes ---- */

struct signature {
    struct pb_str line; /* with its line feed */
    struct pb_str name;
    struct pb_str base64;
};

/* Takes the next line of signatures out of rest; the form is that which check_signature wants. */
static bool
next_signature(struct pb_str *rest, struct signature *ret_signature)
{
    struct pb_str line, part;

    if (pb_next_line(rest, &line) != PB_OK || line.bytes <= DASH_BYTES ||
        memcmp(line.text, DASH, DASH_BYTES) != 0)
        return false;
    ret_signature->line = (struct pb_str){ line.text, line.bytes + 1 };
    part = (struct pb_str){ line.text + DASH_BYTES, line.bytes - DASH_BYTES };
    if (!cut(&part, ' ', &ret_signature->name))
        return false;
    ret_signature->base64 = part;
    return true;
}

enum pb_status
pb_note_parse_signatures(struct pb_str bytes, uint32_t *ret_count, struct pb_error *error)
{
    uint8_t decoded[PB_NOTE_SIGNATURE_BYTES_MAX];
    uint32_t count = 0;

    while (bytes.bytes > 0) {
        struct signature signature;
        size_t decoded_bytes = 0;

        if (++count > PB_NOTE_SIGNATURES_MAX)
            return pb_fail(error, PB_BAD_INPUT, "more than %u signatures", PB_NOTE_SIGNATURES_MAX);
        if (!next_signature(&bytes, &signature) || !pb_note_name_is_valid(signature.name) ||
            signature.base64.bytes > SIGNATURE_TEXT_BYTES_MAX ||
            pb_base64_decode(signature.base64, decoded, sizeof(decoded), &decoded_bytes) != PB_OK ||
            decoded_bytes < 5)
            return pb_fail(error, PB_BAD_INPUT, "signature line %u is malformed", count);
    }
    if (count == 0)
        return pb_fail(error, PB_BAD_INPUT, "there is no signature");
    *ret_count = count;
    return PB_OK;
}

static bool
has_control(struct pb_str bytes)
{
    for (uint32_t i = 0; i < bytes.bytes; i++) {
        if ((uint8_t)bytes.text[i] < 0x20 && bytes.text[i] != '\n')
            return true;
    }
    return false;
}

enum pb_status
pb_note_parse(struct pb_str bytes, struct pb_note *ret_note, struct pb_error *error)
{
    uint32_t text_bytes;
    enum pb_status status;

    if (bytes.bytes > PB_NOTE_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a note of %u bytes, more than %u", bytes.bytes,
                       PB_NOTE_BYTES_MAX);
    if (has_control(bytes) || !pb_utf8_is_valid(bytes.text, bytes.bytes))
        return pb_fail(error, PB_BAD_INPUT, "not a note: a control character or not UTF-8");
    /* The last empty line is what parts text and signatures. */
    text_bytes = bytes.bytes;
    while (text_bytes >= 2 &&
           (bytes.text[text_bytes - 1] != '\n' || bytes.text[text_bytes - 2] != '\n'))
        text_bytes--;
    if (text_bytes < 2)
        return pb_fail(error, PB_BAD_INPUT, "not a note: no empty line before signatures");
    ret_note->text = (struct pb_str){ bytes.text, text_bytes - 1 };
    ret_note->signatures = (struct pb_str){ bytes.text + text_bytes, bytes.bytes - text_bytes };
    status = pb_note_parse_signatures(ret_note->signatures, &ret_note->signature_count, error);
    return status;
}

static void
put_cosigned_message(struct pb_text_out *out, struct pb_str text, uint64_t time_s)
{
    pb_put_text(out, "cosignature/v1\ntime ");
    pb_put_u64(out, time_s);
    pb_put_char(out, '\n');
    pb_put_str(out, text);
}

static bool
verify_cosignature(struct pb_str text, const struct pb_vkey *key, const uint8_t *bytes,
                   uint64_t *ret_time_s)
{
    char message[PB_CHECKPOINT_TEXT_BYTES_MAX + 64];
    struct pb_text_out out = pb_text_out(message, sizeof(message));
    uint64_t time_s = 0;

    for (unsigned i = 0; i < TIME_BYTES; i++)
        time_s = time_s << 8 | bytes[i];
    put_cosigned_message(&out, text, time_s);
    if (out.is_cut || time_s == 0 || time_s > (uint64_t)INT64_MAX)
        return false;
    *ret_time_s = time_s;
    return crypto_sign_verify_detached(bytes + TIME_BYTES, (const uint8_t *)message,
                                       (unsigned long long)(out.at - message),
                                       key->public_key) == 0;
}

/* bytes: key id and signature. */
static bool
verify_signature(struct pb_str text, const struct pb_vkey *key, const uint8_t *bytes, size_t count,
                 uint64_t *ret_time_s)
{
    *ret_time_s = 0;
    if (key->type == PB_KEY_COSIGNATURE)
        return count == 4 + TIME_BYTES + crypto_sign_BYTES &&
               verify_cosignature(text, key, bytes + 4, ret_time_s);
    return count == 4 + crypto_sign_BYTES &&
           crypto_sign_verify_detached(bytes + 4, (const uint8_t *)text.text, text.bytes,
                                       key->public_key) == 0;
}

enum pb_status
pb_note_verify(const struct pb_note *note, const struct pb_vkey *key, struct pb_str *ret_line,
               uint64_t *ret_time_s)
{
    struct pb_str rest = note->signatures;
    uint8_t decoded[PB_NOTE_SIGNATURE_BYTES_MAX];
    enum pb_status status = PB_NOT_FOUND;
    struct signature signature;

    while (next_signature(&rest, &signature)) {
        size_t count = 0;
        uint64_t time_s = 0;

        if (!pb_str_equal(signature.name, pb_str_from(key->name)) ||
            pb_base64_decode(signature.base64, decoded, sizeof(decoded), &count) != PB_OK ||
            count < 4 || memcmp(decoded, key->id, 4) != 0)
            continue;
        if (!verify_signature(note->text, key, decoded, count, &time_s))
            return PB_BAD_INPUT;
        status = PB_OK;
        if (ret_line != NULL)
            *ret_line = signature.line;
        if (ret_time_s != NULL)
            *ret_time_s = time_s;
    }
    return status;
}

static void
put_signature_line(struct pb_text_out *out, const struct pb_vkey *key, const uint8_t *signature,
                   size_t count)
{
    uint8_t bytes[4 + TIME_BYTES + crypto_sign_BYTES];

    assert(count <= sizeof(bytes) - 4);
    memcpy(bytes, key->id, 4);
    memcpy(bytes + 4, signature, count);
    pb_put_text(out, DASH);
    pb_put_text(out, key->name);
    pb_put_char(out, ' ');
    pb_put_base64(out, bytes, 4 + count);
    pb_put_char(out, '\n');
}

void
pb_note_put_signature(struct pb_text_out *out, struct pb_str text, const struct pb_vkey *key,
                      const uint8_t secret_key[64])
{
    uint8_t signature[crypto_sign_BYTES];

    assert(key->type == PB_KEY_ED25519);
    (void)crypto_sign_detached(signature, NULL, (const uint8_t *)text.text, text.bytes, secret_key);
    put_signature_line(out, key, signature, sizeof(signature));
}

void
pb_note_put_cosignature(struct pb_text_out *out, struct pb_str text, const struct pb_vkey *key,
                        const uint8_t secret_key[64], uint64_t time_s)
{
    char message[PB_CHECKPOINT_TEXT_BYTES_MAX + 64];
    struct pb_text_out message_out = pb_text_out(message, sizeof(message));
    uint8_t signature[TIME_BYTES + crypto_sign_BYTES];

    assert(key->type == PB_KEY_COSIGNATURE);
    put_cosigned_message(&message_out, text, time_s);
    assert(!message_out.is_cut);
    for (unsigned i = 0; i < TIME_BYTES; i++)
        signature[i] = (uint8_t)(time_s >> 8 * (TIME_BYTES - 1 - i));
    (void)crypto_sign_detached(signature + TIME_BYTES, NULL, (const uint8_t *)message,
                               (unsigned long long)(message_out.at - message), secret_key);
    put_signature_line(out, key, signature, sizeof(signature));
}

/* ---- checkpoints ---- */

enum pb_status
pb_checkpoint_parse(struct pb_str text, struct pb_checkpoint *ret_checkpoint,
                    struct pb_error *error)
{
    struct pb_str rest = text, origin, size, root, extension;

    if (text.bytes > PB_CHECKPOINT_TEXT_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a checkpoint of more than %u bytes",
                       PB_CHECKPOINT_TEXT_BYTES_MAX);
    if (pb_next_line(&rest, &origin) != PB_OK || origin.bytes == 0 ||
        pb_next_line(&rest, &size) != PB_OK || pb_next_line(&rest, &root) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "not a checkpoint: expected origin, size and root");
    if (pb_decimal_decode(size, &ret_checkpoint->size) != PB_OK ||
        ret_checkpoint->size > PB_TREE_SIZE_MAX)
        return pb_fail(error, PB_BAD_INPUT, "not a checkpoint: the size is no possible number");
    if (pb_base64_decode_exact(root, ret_checkpoint->root.bytes, PB_HASH_BYTES) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "not a checkpoint: the root is no hash");
    while (rest.bytes > 0) {
        if (pb_next_line(&rest, &extension) != PB_OK || extension.bytes == 0)
            return pb_fail(error, PB_BAD_INPUT, "not a checkpoint: an empty or open line");
    }
    ret_checkpoint->origin = origin;
    return PB_OK;
}

void
pb_checkpoint_put(struct pb_text_out *out, const struct pb_checkpoint *checkpoint)
{
    pb_put_str(out, checkpoint->origin);
    pb_put_char(out, '\n');
    pb_put_u64(out, checkpoint->size);
    pb_put_char(out, '\n');
    pb_put_base64(out, checkpoint->root.bytes, PB_HASH_BYTES);
    pb_put_char(out, '\n');
}

enum pb_status
pb_checkpoint_open(struct pb_str bytes, const struct pb_vkey *log,
                   struct pb_checkpoint *ret_checkpoint, struct pb_note *ret_note,
                   struct pb_error *error)
{
    struct pb_note note;
    enum pb_status status;

    status = pb_note_parse(bytes, &note, error);
    if (status != PB_OK)
        return status;
    status = pb_note_verify(&note, log, NULL, NULL);
    if (status != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "the checkpoint %s %s",
                       status == PB_NOT_FOUND ? "is not signed by" : "has a false signature of",
                       log->name);
    status = pb_checkpoint_parse(note.text, ret_checkpoint, error);
    if (status != PB_OK)
        return status;
    if (!pb_str_equal(ret_checkpoint->origin, pb_str_from(log->name)))
        return pb_fail(error, PB_BAD_INPUT, "the checkpoint is of another log than %s", log->name);
    if (ret_note != NULL)
        *ret_note = note;
    return PB_OK;
}
