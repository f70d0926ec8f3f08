/*
 * Passkeys in JSON: a few members, each decoded into an arena.
 */
#include "api/passkey_json.h"

#include <jansson.h>
#include <sodium.h>

#include "api/webauthn.h"
#include "base/arena.h"
#include "base/base64.h"
#include "base/text.h"

#define WORD_BYTES_MAX 256u

/* What is being read, and what was wrong first. */
struct reading {
    struct pb_arena *arena;
    const char *field, *why; /* static; why NULL: nothing is wrong */
    bool is_out_of_memory;
};

static void
refuse(struct reading *reading, const char *field, const char *why)
{
    if (reading->why != NULL)
        return;
    reading->field = field;
    reading->why = why;
}

static void
take_bytes(struct reading *reading, const json_t *object, const char *name, size_t bytes_max,
           struct pb_str *ret_bytes)
{
    const json_t *value = json_object_get(object, name);
    size_t text_bytes = json_string_length(value), count = 0;
    struct pb_str text;
    uint8_t *bytes;

    if (!json_is_string(value) || text_bytes == 0 || text_bytes / 4 * 3 > bytes_max) {
        refuse(reading, name, "wanted are some bytes, in base64url");
        return;
    }
    bytes = pb_arena_alloc(reading->arena, bytes_max);
    if (bytes == NULL) {
        reading->is_out_of_memory = true;
        return;
    }
    text = (struct pb_str){ json_string_value(value), (uint32_t)text_bytes };
    if (pb_base64url_decode(text, bytes, bytes_max, &count) != PB_OK)
        refuse(reading, name, "wanted are some bytes, in base64url without padding");
    *ret_bytes = (struct pb_str){ (const char *)bytes, (uint32_t)count };
}

static bool
is_same_text(const json_t *object, const char *name, const char *other)
{
    const json_t *one = json_object_get(object, name), *two = json_object_get(object, other);

    return one == NULL || json_equal(one, two) == 1;
}

static void
take_credential(struct reading *reading, const json_t *object, bool is_made,
                struct pb_api_credential *credential)
{
    const json_t *response = json_object_get(object, "response");
    const json_t *type = json_object_get(object, "type");

    if (!json_is_object(response) || !json_is_string(type) ||
        !pb_str_equal(pb_str_from(json_string_value(type)), pb_str_from("public-key"))) {
        refuse(reading, "credential", "wanted is what PublicKeyCredential.toJSON() gives");
        return;
    }
    take_bytes(reading, object, "id", PB_WEBAUTHN_ID_BYTES_MAX, &credential->id);
    if (!is_same_text(object, "rawId", "id"))
        refuse(reading, "rawId", "it is not the id");
    take_bytes(reading, response, "clientDataJSON", PB_WEBAUTHN_CLIENT_DATA_BYTES_MAX,
               &credential->client_data);
    if (is_made) {
        take_bytes(reading, response, "attestationObject", PB_WEBAUTHN_ATTESTATION_BYTES_MAX,
                   &credential->attestation);
        return;
    }
    take_bytes(reading, response, "authenticatorData", PB_WEBAUTHN_DATA_BYTES_MAX,
               &credential->data);
    take_bytes(reading, response, "signature", PB_WEBAUTHN_SIGNATURE_BYTES_MAX,
               &credential->signature);
    if (json_is_string(json_object_get(response, "userHandle")))
        take_bytes(reading, response, "userHandle", 64, &credential->user);
}

static void
take_word(struct reading *reading, const json_t *root, const char *name, struct pb_str *ret_word)
{
    const json_t *value = json_object_get(root, name);

    if (value == NULL)
        return;
    if (!json_is_string(value) || json_string_length(value) > WORD_BYTES_MAX) {
        refuse(reading, name, "wanted is a text of decent length");
        return;
    }
    if (pb_arena_copy(reading->arena,
                      (struct pb_str){ json_string_value(value),
                                       (uint32_t)json_string_length(value) },
                      ret_word) != PB_OK)
        reading->is_out_of_memory = true;
}

enum pb_status
pb_api_passkey_read(struct pb_arena *arena, struct pb_str body, bool is_made, const char *word,
                    struct pb_api_credential *ret_credential, const char **ret_field,
                    const char **ret_why)
{
    struct pb_api_credential credential = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 },
                                            { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    struct reading reading = { .arena = arena };
    json_error_t error;
    json_t *root = json_loadb(body.text, body.bytes, JSON_REJECT_DUPLICATES, &error);
    size_t taken = word != NULL && json_object_get(root, word) != NULL ? 2 : 1;

    if (!json_is_object(root))
        refuse(&reading, "", "wanted is one JSON object, with each key once");
    else if (json_object_size(root) > taken)
        refuse(&reading, "", "there is a key that is not known");
    else
        take_credential(&reading, json_object_get(root, "credential"), is_made, &credential);
    if (reading.why == NULL && word != NULL)
        take_word(&reading, root, word, &credential.word);
    json_decref(root);
    if (reading.is_out_of_memory)
        return PB_E_NOMEM;
    *ret_field = reading.field;
    *ret_why = reading.why;
    if (reading.why != NULL)
        return PB_BAD_INPUT;
    *ret_credential = credential;
    return PB_OK;
}
