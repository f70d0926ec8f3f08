/*
 * Fuzz: what programs send and what is kept of their tokens: an inquiry, an approval or a
 * correction in JSON, a token's note.
 *
 * An inquiry that is taken has a purpose and a justification, places of its kind's number and
 * nothing out of range; whatever is refused names why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/inquiry_json.h"
#include "api/token.h"
#include "api/words_json.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool is_true)
{
    if (!is_true)
        abort();
}

static void
check_inquiry(const struct pb_inquiry *inquiry)
{
    require(inquiry->purpose.bytes > 0 && inquiry->justification.bytes > 0);
    require(inquiry->person.bytes == 0); /* the token says who asks */
    require(!inquiry->has_stepped_up);
    require(inquiry->is_export == (inquiry->export_format.bytes > 0));
    require(inquiry->query.confidence_min_permille >= 0 &&
            inquiry->query.confidence_min_permille <= 1000);
    require(inquiry->place_count <= PB_PLACES_MAX && inquiry->query.edits <= 2);
    require(inquiry->rows_wanted >= 1 && inquiry->rows_wanted <= 10000);
    for (uint32_t i = 0; i < inquiry->place_count; i++) {
        require(inquiry->places[i].area != NULL && inquiry->places[i].area_text.bytes > 0);
        require(pb_geo_area_m2(inquiry->places[i].area) >= 0);
    }
}

/* One of the small bodies: whole, or refused with a reason. */
static void
check_words(struct pb_str text)
{
    static pb_api_read_fn *const readers[] = { pb_api_read_approval, pb_api_read_approval_token,
                                               pb_api_read_correction };

    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        union {
            struct pb_api_approval approval;
            struct pb_correction correction;
        } word;
        struct pb_api_reading reading = { .env = pb_env_system() };
        struct pb_api_refusal refusal = { .why = NULL };
        json_t *root = NULL;
        enum pb_status status = pb_api_body_parse(text, &root, &refusal);

        memset(&word, 0, sizeof(word));
        reading.object = root;
        if (status == PB_OK) {
            readers[i](&reading, &word);
            status = pb_api_body_end(&reading, &refusal);
        }
        require(status == PB_OK ? refusal.why == NULL : refusal.why != NULL);
        if (status == PB_OK && i == 2)
            require(word.correction.reader.bytes > 0 && word.correction.person.bytes == 0);
        else if (status == PB_OK)
            require(word.approval.token.bytes > 0);
        json_decref(root);
    }
}

static void
check_token(const struct pb_api_token *token)
{
    require(token->verbs != 0 && token->verbs < 1u << PB_TOKEN_VERBS);
    require(token->agency.bytes > 0 && token->reader_count <= PB_TOKEN_READERS_MAX);
    require(token->created_at_us > 0 && token->expires_at_us > 0 && token->revoked_at_us >= 0);
    for (uint32_t i = 0; i < token->reader_count; i++)
        require(token->readers[i].bytes > 0 &&
                memchr(token->readers[i].text, ',', token->readers[i].bytes) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str text = { (const char *)data, (uint32_t)size };
    struct pb_api_inquiry request = { .json = NULL };
    struct pb_api_token token = { .verbs = 0 };
    struct pb_api_refusal refusal = { .why = NULL };
    uint8_t sha256[32];
    struct pb_arena arena;

    if (size > 65536)
        return 0;
    if (pb_api_inquiry_parse(pb_env_system(), text, &request, &refusal) == PB_OK)
        check_inquiry(&request.inquiry);
    else
        require(refusal.why != NULL && request.json == NULL);
    pb_api_inquiry_done(&request);
    check_words(text);

    for (unsigned via = 0; via < PB_TOKEN_VIAS; via++) {
        struct pb_str id = pb_api_token_id((enum pb_api_token_via)via, text);

        require(id.bytes == 0 || id.bytes == PB_TOKEN_ID_BYTES);
        require(id.bytes == 0 || (id.text >= text.text && id.bytes <= text.bytes));
    }
    pb_arena_init(&arena, pb_env_system(), 1024);
    if (pb_api_token_decode(&arena, pb_str_from("0123456789ab"), text, &token, sha256) == PB_OK)
        check_token(&token);
    pb_arena_clear(&arena);
    return 0;
}
