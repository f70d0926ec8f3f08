/*
 * Tokens: what an answer gives its asker to come back with, sealed so that nobody can make or
 * change one.
 *
 * A token is bytes in base64url: version, kind, the fields of struct pb_inquiry_token (numbers
 * big-endian, texts with their length), then 32 bytes of HMAC-SHA-512/256 over all before, under
 * the site's key. It holds no plate, case or reason: of the inquiry only a keyed digest.
 */
#include <assert.h>
#include <string.h>

#include "base/base64.h"
#include "geo/geo.h"
#include "inquiry/inquiry_private.h"

#define TOKEN_VERSION 1u
#define MAC_BYTES crypto_auth_BYTES
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static_assert(PB_SITE_KEY_BYTES == crypto_auth_KEYBYTES, "one key for tokens and digests");
static_assert(crypto_auth_BYTES == PB_DIGEST_BYTES, "a keyed digest is a MAC");

/* ---- bytes ---- */

static void
put_number(struct pb_text_out *out, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        pb_put_char(out, (char)(number >> shift & 255));
}

static void
put_short(struct pb_text_out *out, struct pb_str text)
{
    assert(text.bytes <= 255); /* ids and positions */
    pb_put_char(out, (char)text.bytes);
    pb_put_str(out, text);
}

struct input {
    const uint8_t *at, *end;
    bool is_short;
};

static const uint8_t *
take(struct input *input, size_t count)
{
    const uint8_t *at = input->at;

    if (count > (size_t)(input->end - input->at)) {
        input->is_short = true;
        return NULL;
    }
    input->at += count;
    return at;
}

static uint64_t
take_number(struct input *input)
{
    const uint8_t *at = take(input, 8);
    uint64_t number = 0;

    for (size_t i = 0; at != NULL && i < 8; i++)
        number = number << 8 | at[i];
    return number;
}

static struct pb_str
take_short(struct input *input)
{
    const uint8_t *length = take(input, 1);
    const uint8_t *text = length == NULL ? NULL : take(input, *length);

    return text == NULL ? (struct pb_str){ 0 } : (struct pb_str){ (const char *)text, *length };
}

/* ---- sealing ---- */

void
pb_inquiry_token_seal(const struct pb_site *site, const struct pb_inquiry_token *token,
                      char ret_text[PB_INQUIRY_TOKEN_BYTES_MAX])
{
    char bytes[(PB_INQUIRY_TOKEN_BYTES_MAX - 1) / 4 * 3];
    struct pb_text_out out = pb_text_out(bytes, sizeof(bytes) - MAC_BYTES);
    size_t length = 0;

    pb_put_char(&out, (char)TOKEN_VERSION);
    pb_put_char(&out, (char)token->kind);
    pb_put_bytes(&out, (const char *)token->digest, PB_DIGEST_BYTES);
    put_number(&out, token->index);
    put_number(&out, (uint64_t)token->expires_at_us);
    put_number(&out, token->given);
    put_number(&out, token->total);
    put_short(&out, token->person);
    put_short(&out, token->beneficiary);
    put_short(&out, token->approver);
    put_short(&out, token->position);
    assert(!out.is_cut);
    length = (size_t)(out.at - bytes);
    (void)crypto_auth((unsigned char *)bytes + length, (const unsigned char *)bytes, length,
                      site->key);
    (void)sodium_bin2base64(ret_text, PB_INQUIRY_TOKEN_BYTES_MAX, (const unsigned char *)bytes,
                            length + MAC_BYTES, BASE64_VARIANT);
}

bool
pb_inquiry_token_open(const struct pb_site *site, enum pb_token_kind kind, struct pb_str text,
                      int64_t now_us, uint8_t room[PB_INQUIRY_TOKEN_BYTES_MAX],
                      struct pb_inquiry_token *ret_token)
{
    struct input input = { 0 };
    const uint8_t *head = NULL;
    const uint8_t *digest = NULL;
    size_t length = 0;

    /* Only the one spelling that was given out is taken. */
    if (text.bytes >= PB_INQUIRY_TOKEN_BYTES_MAX ||
        pb_base64url_decode(text, room, PB_INQUIRY_TOKEN_BYTES_MAX, &length) != PB_OK ||
        length <= MAC_BYTES)
        return false;
    length -= MAC_BYTES;
    /* Compares in constant time. Nothing of a token is looked at before. */
    if (crypto_auth_verify(room + length, room, length, site->key) != 0)
        return false;
    input = (struct input){ .at = room, .end = room + length };
    head = take(&input, 2);
    digest = take(&input, PB_DIGEST_BYTES);
    if (head == NULL || digest == NULL || head[0] != TOKEN_VERSION || head[1] != (uint8_t)kind)
        return false;
    memset(ret_token, 0, sizeof(*ret_token));
    ret_token->kind = kind;
    memcpy(ret_token->digest, digest, PB_DIGEST_BYTES);
    ret_token->index = take_number(&input);
    ret_token->expires_at_us = (int64_t)take_number(&input);
    ret_token->given = take_number(&input);
    ret_token->total = take_number(&input);
    ret_token->person = take_short(&input);
    ret_token->beneficiary = take_short(&input);
    ret_token->approver = take_short(&input);
    ret_token->position = take_short(&input);
    return !input.is_short && input.at == input.end && now_us < ret_token->expires_at_us;
}

void
pb_inquiry_token_key(const struct pb_site *site, struct pb_str text, char ret_key[65])
{
    uint8_t mac[MAC_BYTES];

    (void)crypto_auth(mac, (const unsigned char *)text.text, text.bytes, site->key);
    (void)sodium_bin2hex(ret_key, 65, mac, sizeof(mac));
}

/* ---- digests ---- */

static void
hash_number(crypto_auth_hmacsha512256_state *state, uint64_t number)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    (void)crypto_auth_hmacsha512256_update(state, bytes, sizeof(bytes));
}

static void
hash_text(crypto_auth_hmacsha512256_state *state, struct pb_str text)
{
    hash_number(state, text.bytes);
    if (text.bytes > 0)
        (void)crypto_auth_hmacsha512256_update(state, (const unsigned char *)text.text, text.bytes);
}

/* Where an area is, both as asked and as the cells that it touches. */
static void
hash_place(crypto_auth_hmacsha512256_state *state, const struct pb_place *place)
{
    size_t count = 0;
    const struct pb_geo_range *ranges = pb_geo_area_cover(place->area, &count);

    hash_text(state, place->area_text);
    hash_number(state, count);
    for (size_t i = 0; i < count; i++) {
        hash_number(state, ranges[i].first);
        hash_number(state, ranges[i].last);
    }
    hash_number(state, (uint64_t)place->from_us);
    hash_number(state, (uint64_t)place->to_us);
}

void
pb_inquiry_digest(const struct pb_site *site, const struct pb_inquiry *inquiry,
                  uint8_t ret_digest[PB_DIGEST_BYTES])
{
    const struct pb_query *query = &inquiry->query;
    /* Not in it: tokens, the page's size, how the asker proved themselves, and the client. */
    const struct pb_str texts[] = {
        inquiry->person,
        inquiry->on_behalf_of,
        inquiry->purpose,
        inquiry->offence,
        inquiry->case_number,
        inquiry->justification,
        inquiry->identity,
        query->plate,
        query->reader,
        query->make,
        query->model,
        query->color,
        query->body,
        inquiry->export_recipient,
        inquiry->export_agreement,
        inquiry->export_format,
    };
    const uint64_t numbers[] = {
        (uint64_t)inquiry->relation,
        inquiry->is_break_glass,
        (uint64_t)inquiry->kind,
        query->edits,
        query->with_lookalikes,
        query->without_alternates,
        query->with_superseded,
        (uint64_t)query->from_us,
        (uint64_t)query->to_us,
        query->jurisdiction,
        (uint64_t)query->confidence_min_permille,
        inquiry->is_jurisdiction_unknown,
        inquiry->counts_plates,
        (uint64_t)inquiry->together_us,
        inquiry->together_min,
        inquiry->is_export,
        inquiry->place_count,
    };
    crypto_auth_hmacsha512256_state state;

    (void)crypto_auth_hmacsha512256_init(&state, site->key, PB_SITE_KEY_BYTES);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        hash_text(&state, texts[i]);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        hash_number(&state, numbers[i]);
    for (uint32_t i = 0; i < inquiry->place_count; i++)
        hash_place(&state, &inquiry->places[i]);
    (void)crypto_auth_hmacsha512256_final(&state, ret_digest);
}
