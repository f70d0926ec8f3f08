/*
 * Requests: looking things up in them.
 */
#include <assert.h>
#include <strings.h>

#include "base/text.h"
#include "net/http.h"

const struct pb_str *
pb_request_header(const struct pb_request *request, const char *name)
{
    size_t bytes = strlen(name);

    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct pb_pair *header = &request->headers[i];

        if (header->name.bytes == bytes && strncasecmp(header->name.text, name, bytes) == 0)
            return &header->value;
    }
    return NULL;
}

static const struct pb_str *
find(const struct pb_pair *pairs, uint32_t count, const char *name)
{
    struct pb_str wanted = pb_str_from(name);

    for (uint32_t i = 0; i < count; i++) {
        if (pb_str_equal(pairs[i].name, wanted))
            return &pairs[i].value;
    }
    return NULL;
}

struct pb_str
pb_request_param(const struct pb_request *request, const char *name)
{
    const struct pb_str *value = find(request->params, request->param_count, name);

    assert(value != NULL);
    return value != NULL ? *value : pb_str_from("");
}

const struct pb_str *
pb_request_query(const struct pb_request *request, const char *name)
{
    return find(request->query, request->query_count, name);
}
