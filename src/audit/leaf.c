/*
 * Leaves: writing and reading one line of JSON of a fixed shape.
 *
 * The reader is no JSON parser: it takes the one spelling that the writer has, so a leaf that
 * it takes means the same to every reader of JSON.
 */
#include "audit/leaf.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "audit/encode.h"
#include "base/base64.h"
#include "base/bytes.h"

/* ---- commitments ---- */

void
pb_commitment(struct pb_str name, const uint8_t salt[PB_SALT_BYTES], struct pb_str value,
              struct pb_hash *ret_hash)
{
    static const char prefix[] = "platebase/commit/v1"; /* its NUL is hashed */
    static const uint8_t zero = 0;
    crypto_hash_sha256_state state;
    const uint8_t length[4] = { (uint8_t)(value.bytes >> 24), (uint8_t)(value.bytes >> 16),
                                (uint8_t)(value.bytes >> 8), (uint8_t)value.bytes };

    (void)crypto_hash_sha256_init(&state);
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)prefix, sizeof(prefix));
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)name.text, name.bytes);
    (void)crypto_hash_sha256_update(&state, &zero, 1);
    (void)crypto_hash_sha256_update(&state, salt, PB_SALT_BYTES);
    (void)crypto_hash_sha256_update(&state, length, sizeof(length));
    (void)crypto_hash_sha256_update(&state, (const uint8_t *)value.text, value.bytes);
    (void)crypto_hash_sha256_final(&state, ret_hash->bytes);
    sodium_memzero(&state, sizeof(state));
}

/* ---- what may stand in a leaf ---- */

static bool
is_name(struct pb_str name)
{
    if (name.bytes == 0 || name.bytes > PB_LEAF_NAME_BYTES_MAX || name.text[0] < 'a' ||
        name.text[0] > 'z')
        return false;
    for (uint32_t i = 1; i < name.bytes; i++) {
        char at = name.text[i];

        if ((at < 'a' || at > 'z') && (at < '0' || at > '9') && at != '-' && at != '_')
            return false;
    }
    return true;
}

static bool
is_reserved(struct pb_str name)
{
    return pb_str_equal(name, pb_str_from("v")) || pb_str_equal(name, pb_str_from("t")) ||
           pb_str_equal(name, pb_str_from("ev")) || pb_str_equal(name, pb_str_from("c"));
}

/* ---- writing ---- */

static enum pb_status
check_field(const struct pb_audit_leaf *leaf, uint32_t index, struct pb_error *error)
{
    const struct pb_audit_field *field = &leaf->fields[index];
    struct pb_str name = pb_str_from(field->name);

    if (!is_name(name) || is_reserved(name))
        return pb_fail(error, PB_BAD_INPUT, "field %u of a leaf has no possible name", index);
    for (uint32_t i = 0; i < index; i++) {
        if (pb_str_equal(name, pb_str_from(leaf->fields[i].name)))
            return pb_fail(error, PB_BAD_INPUT, "field '%s' stands twice in a leaf", field->name);
    }
    if (field->kind == PB_AUDIT_FIELD_NUMBER)
        return PB_OK;
    if (field->text.bytes > PB_LEAF_TEXT_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "field '%s' of a leaf has more than %u bytes",
                       field->name, PB_LEAF_TEXT_BYTES_MAX);
    if (field->kind == PB_AUDIT_FIELD_TEXT && !pb_text_is_plain(field->text))
        return pb_fail(error, PB_BAD_INPUT, "field '%s' of a leaf is not plain text", field->name);
    return PB_OK;
}

static enum pb_status
check_secret(const struct pb_audit_leaf *leaf, uint32_t index, struct pb_error *error)
{
    const struct pb_audit_secret *secret = &leaf->secrets[index];
    struct pb_str name = pb_str_from(secret->name);

    if (!is_name(name))
        return pb_fail(error, PB_BAD_INPUT, "secret %u of a leaf has no possible name", index);
    for (uint32_t i = 0; i < index; i++) {
        if (pb_str_equal(name, pb_str_from(leaf->secrets[i].name)))
            return pb_fail(error, PB_BAD_INPUT, "secret '%s' stands twice in a leaf", secret->name);
    }
    if (secret->value.bytes > PB_AUDIT_SECRET_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "secret '%s' has more than %u bytes", secret->name,
                       PB_AUDIT_SECRET_BYTES_MAX);
    return PB_OK;
}

static enum pb_status
check_leaf(const struct pb_audit_leaf *leaf, struct pb_error *error)
{
    enum pb_status status = PB_OK;

    if (!is_name(pb_str_from(leaf->event)))
        return pb_fail(error, PB_BAD_INPUT, "a leaf's event has no possible name");
    if (leaf->field_count > PB_AUDIT_FIELDS_MAX || leaf->secret_count > PB_AUDIT_FIELDS_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "a leaf has at most %u fields and %u secrets",
                       PB_AUDIT_FIELDS_MAX, PB_AUDIT_FIELDS_MAX);
    for (uint32_t i = 0; i < leaf->field_count && status == PB_OK; i++)
        status = check_field(leaf, i, error);
    for (uint32_t i = 0; i < leaf->secret_count && status == PB_OK; i++)
        status = check_secret(leaf, i, error);
    return status;
}

static void
put_field(struct pb_text_out *out, const struct pb_audit_field *field)
{
    pb_put_char(out, ',');
    pb_put_quoted(out, pb_str_from(field->name));
    pb_put_char(out, ':');
    if (field->kind == PB_AUDIT_FIELD_TEXT) {
        pb_put_quoted(out, field->text);
    } else if (field->kind == PB_AUDIT_FIELD_NUMBER) {
        pb_put_i64(out, field->number);
    } else {
        pb_put_char(out, '"');
        pb_put_hex(out, (const uint8_t *)field->text.text, field->text.bytes);
        pb_put_char(out, '"');
    }
}

enum pb_status
pb_leaf_put_tail(struct pb_text_out *out, const struct pb_audit_leaf *leaf,
                 const uint8_t (*salts)[PB_SALT_BYTES], struct pb_error *error)
{
    enum pb_status status = check_leaf(leaf, error);

    if (status != PB_OK)
        return status;
    pb_put_text(out, ",\"ev\":");
    pb_put_quoted(out, pb_str_from(leaf->event));
    for (uint32_t i = 0; i < leaf->field_count; i++)
        put_field(out, &leaf->fields[i]);
    pb_put_text(out, ",\"c\":{");
    for (uint32_t i = 0; i < leaf->secret_count; i++) {
        struct pb_str name = pb_str_from(leaf->secrets[i].name);
        struct pb_hash hash;

        pb_commitment(name, salts[i], leaf->secrets[i].value, &hash);
        if (i > 0)
            pb_put_char(out, ',');
        pb_put_quoted(out, name);
        pb_put_text(out, ":\"");
        pb_put_base64(out, hash.bytes, sizeof(hash.bytes));
        pb_put_char(out, '"');
    }
    pb_put_text(out, "}}");
    return PB_OK;
}

/* ---- reading ---- */

static bool
take(struct pb_str *rest, const char *word)
{
    uint32_t bytes = (uint32_t)strlen(word);

    if (rest->bytes < bytes || memcmp(rest->text, word, bytes) != 0)
        return false;
    *rest = (struct pb_str){ rest->text + bytes, rest->bytes - bytes };
    return true;
}

static void
skip(struct pb_str *rest, uint32_t bytes)
{
    *rest = (struct pb_str){ rest->text + bytes, rest->bytes - bytes };
}

/* A string as pb_put_quoted writes it; ret_text is what stands between the quotes. */
static bool
take_string(struct pb_str *rest, struct pb_str *ret_text)
{
    uint32_t at = 0;

    if (!take(rest, "\""))
        return false;
    for (; at < rest->bytes && rest->text[at] != '"'; at++) {
        if (rest->text[at] == '\\') {
            at++;
            if (at == rest->bytes || (rest->text[at] != '"' && rest->text[at] != '\\'))
                return false;
        }
    }
    *ret_text = (struct pb_str){ rest->text, at };
    if (at == rest->bytes || !pb_text_is_plain(*ret_text))
        return false;
    skip(rest, at + 1);
    return true;
}

static bool
take_name(struct pb_str *rest, struct pb_str *ret_name)
{
    return take_string(rest, ret_name) && is_name(*ret_name);
}

/* An integer as pb_put_i64 writes it. */
static bool
take_number(struct pb_str *rest, struct pb_str *ret_digits)
{
    struct pb_str whole = *rest;
    uint64_t value = 0;
    struct pb_str digits;
    uint32_t count = 0;
    bool is_negative = take(rest, "-");

    while (count < rest->bytes && rest->text[count] >= '0' && rest->text[count] <= '9')
        count++;
    digits = (struct pb_str){ rest->text, count };
    skip(rest, count);
    *ret_digits = (struct pb_str){ whole.text, count + (is_negative ? 1 : 0) };
    if (is_negative && pb_str_equal(digits, pb_str_from("9223372036854775808")))
        return true; /* the one number without an opposite */
    return pb_decimal_decode(digits, &value) == PB_OK && !(is_negative && value == 0);
}

/* Up to the first member in the open. */
static enum pb_status
take_beginning(struct pb_str *rest, struct pb_leaf *ret_leaf, struct pb_error *error)
{
    struct pb_str digits;
    uint64_t value = 0;

    if (!take(rest, "{\"v\":"))
        return pb_fail(error, PB_BAD_INPUT, "a leaf that does not begin with its version");
    if (!take(rest, "1,\"t\":"))
        return pb_fail(error, PB_BAD_INPUT, "a leaf of a version that is not known");
    if (!take_number(rest, &digits) || pb_decimal_decode(digits, &value) != PB_OK)
        return pb_fail(error, PB_BAD_INPUT, "a leaf without a time");
    ret_leaf->time_ms = (int64_t)value;
    if (!take(rest, ",\"ev\":") || !take_name(rest, &ret_leaf->event))
        return pb_fail(error, PB_BAD_INPUT, "a leaf without an event");
    return PB_OK;
}

/* One `,"name":value`; at ret_is_end `c` is next, its name taken. */
static bool
take_member(struct pb_str *rest, struct pb_str *ret_name, struct pb_str *ret_value,
            bool *ret_is_end)
{
    if (!take(rest, ",") || !take_name(rest, ret_name) || !take(rest, ":"))
        return false;
    *ret_is_end = pb_str_equal(*ret_name, pb_str_from("c"));
    if (*ret_is_end)
        return true;
    if (is_reserved(*ret_name))
        return false;
    return rest->bytes > 0 && rest->text[0] == '"' ? take_string(rest, ret_value)
                                                   : take_number(rest, ret_value);
}

static enum pb_status
take_members(struct pb_str *rest, struct pb_error *error)
{
    struct pb_str names[PB_AUDIT_FIELDS_MAX + 1];
    struct pb_str value;
    bool is_end = false;

    for (uint32_t count = 0; count <= PB_AUDIT_FIELDS_MAX; count++) {
        if (!take_member(rest, &names[count], &value, &is_end))
            return pb_fail(error, PB_BAD_INPUT, "member %u of a leaf is malformed", count);
        if (is_end)
            return PB_OK;
        for (uint32_t i = 0; i < count; i++) {
            if (pb_str_equal(names[i], names[count]))
                return pb_fail(error, PB_BAD_INPUT, "a leaf with a member twice");
        }
    }
    return pb_fail(error, PB_BAD_INPUT, "a leaf with more than %u members", PB_AUDIT_FIELDS_MAX);
}

static bool
take_commitment(struct pb_str *rest, struct pb_leaf *leaf)
{
    struct pb_leaf_commitment *commitment = &leaf->commitments[leaf->commitment_count];
    struct pb_str base64;

    if (leaf->commitment_count == PB_AUDIT_FIELDS_MAX || !take_name(rest, &commitment->name) ||
        !take(rest, ":") || !take_string(rest, &base64) ||
        pb_base64_decode_exact(base64, commitment->hash.bytes, PB_HASH_BYTES) != PB_OK)
        return false;
    for (uint32_t i = 0; i < leaf->commitment_count; i++) {
        if (pb_str_equal(leaf->commitments[i].name, commitment->name))
            return false;
    }
    leaf->commitment_count++;
    return true;
}

enum pb_status
pb_leaf_parse(struct pb_str bytes, struct pb_leaf *ret_leaf, struct pb_error *error)
{
    struct pb_str rest = bytes;
    enum pb_status status;

    ret_leaf->commitment_count = 0;
    if (bytes.bytes > PB_AUDIT_LEAF_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a leaf of more than %u bytes",
                       PB_AUDIT_LEAF_BYTES_MAX);
    status = take_beginning(&rest, ret_leaf, error);
    if (status == PB_OK)
        status = take_members(&rest, error);
    if (status != PB_OK)
        return status;
    if (!take(&rest, "{"))
        return pb_fail(error, PB_BAD_INPUT, "a leaf without commitments");
    if (!take(&rest, "}")) {
        do {
            if (!take_commitment(&rest, ret_leaf))
                return pb_fail(error, PB_BAD_INPUT, "commitment %u of a leaf is malformed",
                               ret_leaf->commitment_count);
        } while (take(&rest, ","));
        if (!take(&rest, "}"))
            return pb_fail(error, PB_BAD_INPUT, "a leaf whose commitments do not end");
    }
    if (!take(&rest, "}") || rest.bytes != 0)
        return pb_fail(error, PB_BAD_INPUT, "a leaf that goes on behind its end");
    return PB_OK;
}

enum pb_status
pb_leaf_member(struct pb_str bytes, const char *name, struct pb_str *ret_value)
{
    struct pb_str rest = bytes, member, value;
    struct pb_leaf leaf;
    bool is_end = false;

    if (take_beginning(&rest, &leaf, NULL) != PB_OK)
        return PB_NOT_FOUND;
    while (take_member(&rest, &member, &value, &is_end) && !is_end) {
        if (pb_str_equal(member, pb_str_from(name))) {
            *ret_value = value;
            return PB_OK;
        }
    }
    return PB_NOT_FOUND;
}

/* ---- openings ---- */

size_t
pb_openings_bytes(const struct pb_audit_leaf *leaf)
{
    size_t bytes = 1;

    for (uint32_t i = 0; i < leaf->secret_count; i++)
        bytes +=
            1 + strlen(leaf->secrets[i].name) + PB_SALT_BYTES + 4 + leaf->secrets[i].value.bytes;
    return bytes;
}

void
pb_openings_encode(const struct pb_audit_leaf *leaf, const uint8_t (*salts)[PB_SALT_BYTES],
                   uint8_t *ret_bytes)
{
    uint8_t *at = ret_bytes;

    assert(leaf->secret_count <= PB_AUDIT_FIELDS_MAX);
    *at++ = (uint8_t)leaf->secret_count;
    for (uint32_t i = 0; i < leaf->secret_count; i++) {
        const struct pb_audit_secret *secret = &leaf->secrets[i];
        size_t name_bytes = strlen(secret->name);

        *at++ = (uint8_t)name_bytes;
        memcpy(at, secret->name, name_bytes);
        at += name_bytes;
        memcpy(at, salts[i], PB_SALT_BYTES);
        at += PB_SALT_BYTES;
        pb_put_le32(at, secret->value.bytes);
        at += 4;
        if (secret->value.bytes > 0)
            memcpy(at, secret->value.text, secret->value.bytes);
        at += secret->value.bytes;
    }
}

/* One opening at the front of [at, end); NULL where it is malformed, else what follows it. */
static const uint8_t *
parse_opening(const uint8_t *at, const uint8_t *end, struct pb_opening *ret_opening)
{
    uint32_t name_bytes, value_bytes;

    if (at == end)
        return NULL;
    name_bytes = *at++;
    if ((size_t)(end - at) < (size_t)name_bytes + PB_SALT_BYTES + 4)
        return NULL;
    ret_opening->name = (struct pb_str){ (const char *)at, name_bytes };
    ret_opening->salt = at + name_bytes;
    at += name_bytes + PB_SALT_BYTES;
    value_bytes = pb_get_le32(at);
    at += 4;
    if (!is_name(ret_opening->name) || value_bytes > PB_AUDIT_SECRET_BYTES_MAX ||
        value_bytes > (size_t)(end - at))
        return NULL;
    ret_opening->value = (struct pb_str){ (const char *)at, value_bytes };
    return at + value_bytes;
}

enum pb_status
pb_openings_parse(const uint8_t *bytes, size_t count, struct pb_openings *ret_openings)
{
    const uint8_t *at = bytes, *end = bytes + count;

    if (count == 0 || *at > PB_AUDIT_FIELDS_MAX)
        return PB_BAD_INPUT;
    ret_openings->count = *at++;
    for (uint32_t i = 0; i < ret_openings->count; i++) {
        at = parse_opening(at, end, &ret_openings->openings[i]);
        if (at == NULL)
            return PB_BAD_INPUT;
    }
    return at == end ? PB_OK : PB_BAD_INPUT;
}

enum pb_status
pb_openings_check(const struct pb_openings *openings, const struct pb_leaf *leaf,
                  struct pb_error *error)
{
    if (openings->count != leaf->commitment_count)
        return pb_fail(error, PB_BAD_INPUT, "%u openings for %u commitments", openings->count,
                       leaf->commitment_count);
    for (uint32_t i = 0; i < openings->count; i++) {
        const struct pb_opening *opening = &openings->openings[i];
        const struct pb_leaf_commitment *commitment = &leaf->commitments[i];
        struct pb_hash hash;

        pb_commitment(opening->name, opening->salt, opening->value, &hash);
        if (!pb_str_equal(opening->name, commitment->name) ||
            !pb_hash_equal(&hash, &commitment->hash))
            return pb_fail(error, PB_BAD_INPUT,
                           "the opening of '%.*s' does not fit its "
                           "commitment",
                           (int)commitment->name.bytes, commitment->name.text);
    }
    return PB_OK;
}
