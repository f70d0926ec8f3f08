/*
 * Refusals: what a room below answers, as a problem document that names the field.
 */
#include <string.h>

#include "api/api_private.h"
#include "base/arena.h"
#include "catalog/catalog.h"

static unsigned
code_of(enum pb_status status)
{
    switch (status) {
    case PB_DENIED:
        return 403;
    case PB_NOT_FOUND:
        return 404;
    case PB_CONFLICT:
    case PB_DUPLICATE:
        return 409;
    case PB_EXPIRED:
        return 412;
    default:
        return 400;
    }
}

/* "person jd: role: must be ..." names the field of an entity behind its id, "until: ..." begins
 * with it. Where it begins and its length; 0: none is named. */
static size_t
find_field(const struct pb_api_endpoint *endpoint, const char *message, const char **ret_field)
{
    const struct pb_entity *entity =
        endpoint->entity != NULL ? pb_catalog_entity(endpoint->entity) : NULL;
    size_t bytes = strspn(message, "abcdefghijklmnopqrstuvwxyz_");

    for (unsigned i = 0; entity != NULL && i < entity->field_count; i++) {
        const char *name = entity->fields[i].name, *at = strstr(message, ": ");
        size_t name_bytes = strlen(name);

        for (; at != NULL; at = strstr(at + 2, ": ")) {
            *ret_field = at + 2;
            if (strncmp(at + 2, name, name_bytes) == 0 && at[2 + name_bytes] == ':')
                return name_bytes;
        }
    }
    *ret_field = message;
    return message[bytes] == ':' ? bytes : 0;
}

enum pb_status
pb_api_answer_refused(const struct pb_api_call *call, struct pb_reply *reply, enum pb_status status,
                      const struct pb_error *error)
{
    const char *at = NULL;
    size_t bytes = find_field(call->endpoint, error->message, &at);
    const char *field = NULL;

    if (status < PB_OK)
        return status;
    if (bytes > 0) {
        field = pb_arena_text(call->request->arena, (struct pb_str){ at, (uint32_t)bytes });
        if (field == NULL)
            return PB_E_NOMEM;
    }
    return pb_api_problem(call, reply, code_of(status),
                          error->message[0] != '\0' ? error->message : NULL, field);
}
