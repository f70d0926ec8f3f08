/*
 * Fuzz target: a record of the catalog in JSON, new or as changes, read as each entity's. What is
 * taken is written in one way: read again it is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/record_json.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/text.h"
#include "net/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
check_same(const struct pb_record *first, const struct pb_record *second)
{
    for (unsigned i = 0; i < PB_ENTITY_FIELDS_MAX; i++) {
        const char *one = first->values[i], *two = second->values[i];

        check(i < first->entity->field_count || one == NULL);
        check((one == NULL) == (two == NULL) && (one == NULL || strcmp(one, two) == 0));
    }
}

/* Fields that a change clears are none of a record's, and a record has one field or more. */
static bool
is_whole(const struct pb_record *record)
{
    unsigned set = 0;

    for (unsigned i = 0; i < record->entity->field_count; i++) {
        if (record->values[i] == NULL)
            continue;
        if (record->values[i][0] == '\0')
            return false;
        set++;
    }
    return set > 0;
}

static void
read_as(const struct pb_entity *entity, bool is_change, struct pb_str body)
{
    struct pb_record record, again;
    const char *field = NULL, *why = NULL;
    struct pb_arena arena;
    struct pb_reply reply;
    enum pb_status status;

    pb_arena_init(&arena, pb_env_system(), 1024);
    pb_reply_init(&reply, pb_env_system(), &arena);
    status = pb_api_record_parse(&arena, entity, is_change, body, &record, &field, &why);
    check(status == PB_OK || status == PB_E_NOMEM || (field != NULL && why != NULL));
    if (status == PB_OK && is_whole(&record)) {
        struct pb_str text;

        check(record.entity == entity && (!is_change || record.values[0] == NULL));
        pb_api_record_put(&reply, &record);
        text = (struct pb_str){ reply.body, (uint32_t)reply.body_bytes };
        status = pb_api_record_parse(&arena, entity, is_change, text, &again, &field, &why);
        check(reply.is_broken || status == PB_OK);
        if (status == PB_OK)
            check_same(&record, &again);
    }
    pb_reply_done(&reply);
    pb_arena_clear(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str body = { (const char *)data, (uint32_t)size };
    const struct pb_entity *entities;
    size_t count;

    if (size > 65536)
        return 0;
    entities = pb_catalog_entities(&count);
    for (size_t i = 0; i < count; i++) {
        read_as(&entities[i], false, body);
        read_as(&entities[i], true, body);
    }
    return 0;
}
