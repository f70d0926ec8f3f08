/*
 * The service in this process: a data directory, the api and a server on the loopback interface.
 * Each reply is checked against what the description of its endpoint promises.
 */
#ifndef PB_TESTS_API_SERVICE_H
#define PB_TESTS_API_SERVICE_H

#include "net/client.h"

#include <ftw.h>
#include <sys/stat.h>

#include "api/api.h"
#include "api/schema.h"

struct service {
    struct fixture fixture;
    const struct pb_env *env;      /* of the api: its clock */
    struct pb_api_options options; /* what a test adds to the usual */
    struct pb_api *api;
    struct pb_route *own_routes; /* the fixture's, to be freed with it */
    json_t *document;            /* /openapi.json */
    char directory[64];
};

static inline void
service_mkdir(const struct service *service, const char *path)
{
    char whole[512];

    (void)snprintf(whole, sizeof(whole), "%s/%s", service->directory, path);
    assert_int_equal(0, mkdir(whole, 0700));
}

static inline void
service_write(const struct service *service, const char *path, const char *text)
{
    char whole[512];
    FILE *file;

    (void)snprintf(whole, sizeof(whole), "%s/%s", service->directory, path);
    file = fopen(whole, "wb");
    assert_non_null(file);
    assert_int_equal(strlen(text), fwrite(text, 1, strlen(text), file));
    assert_int_equal(0, fclose(file));
}

static inline void
service_init(struct service *service)
{
    memset(service, 0, sizeof(*service));
    (void)snprintf(service->directory, sizeof(service->directory), "/tmp/pb-api-XXXXXX");
    assert_non_null(mkdtemp(service->directory));
    service->env = pb_env_system();
    fixture_init(&service->fixture, pb_env_system());
    service->own_routes = (struct pb_route *)(uintptr_t)service->fixture.options.routes;
}

/* Starts it, and does not ask it for anything. */
static inline void
service_start_quietly(struct service *service)
{
    struct pb_api_options options = service->options;
    struct pb_error error = { "" };

    options.data_path = service->directory;
    options.metrics = &service->fixture.metrics;
    options.log = &service->fixture.log;
    if (pb_api_new(service->env, &options, &service->api, &error) != PB_OK)
        fail_msg("%s", error.message);
    service->fixture.options.routes =
        pb_api_routes(service->api, &service->fixture.options.route_count);
    fixture_start(&service->fixture);
    pb_api_set_ready(service->api, true);
}

static inline void
service_start(struct service *service)
{
    struct client client;

    service_start_quietly(service);
    assert_int_equal(200,
                     ask(&service->fixture, &client, "GET /openapi.json HTTP/1.1\r\n" HOST "\r\n"));
    service->document = json_loads(client_body(&client), 0, NULL);
    assert_non_null(service->document);
    client_close(&client);
}

static inline int
service_remove(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void
service_done(struct service *service)
{
    (void)pb_server_stop(service->fixture.server, 0);
    service->fixture.server = NULL;
    pb_api_free(service->api);
    json_decref(service->document);
    service->fixture.options.routes = service->own_routes;
    fixture_done(&service->fixture);
    (void)nftw(service->directory, service_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* The description of one endpoint's reply, or NULL. */
static inline const json_t *
service_reply_of(const struct service *service, const char *method, const char *path, int status)
{
    char small[8], code[8];
    const json_t *replies, *reply;

    for (size_t i = 0; i < sizeof(small); i++) {
        small[i] = method[i] >= 'A' && method[i] <= 'Z' ? (char)(method[i] + 32) : method[i];
        if (method[i] == '\0')
            break;
    }
    (void)snprintf(code, sizeof(code), "%d", status);
    replies = json_object_get(
        json_object_get(json_object_get(json_object_get(service->document, "paths"), path), small),
        "responses");
    reply = json_object_get(replies, code);
    return reply != NULL ? reply : json_object_get(replies, "default");
}

/* Fails where a reply is not what the endpoint at `template` (as in the document) promises. */
static inline void
service_check(const struct service *service, const char *method, const char *template,
              const struct client *client, int status)
{
    const json_t *reply = service_reply_of(service, method, template, status), *media;
    struct schema_check check = { .document = service->document };
    const char *type = strstr(client->text, "Content-Type: ");
    const char *key;
    json_t *body = NULL;
    size_t bytes;

    if (reply == NULL)
        fail_msg("%s %s: %d is not described", method, template, status);
    assert_non_null(type);
    type += 14;
    bytes = strcspn(type, ";\r");
    json_object_foreach(json_object_get(reply, "content"), key, body)
    {
        if (strlen(key) == bytes && strncmp(key, type, bytes) == 0)
            break;
    }
    if (key == NULL)
        fail_msg("%s %s: %d: the type is not described: %.*s", method, template, status, (int)bytes,
                 type);
    media = json_object_get(body, "schema");
    if (media == NULL)
        return;
    body = json_loads(client_body(client), JSON_REJECT_DUPLICATES, NULL);
    if (body == NULL)
        fail_msg("%s %s: %d: not JSON: %s", method, template, status, client_body(client));
    if (!schema_fits(&check, "body", media, body))
        fail_msg("%s %s: %d: %s: %s", method, template, status, check.where, client_body(client));
    json_decref(body);
}

/* Asks and checks; the caller closes the client. */
static inline int
service_ask(const struct service *service, struct client *client, const char *method,
            const char *target, const char *template, const char *more, const char *body)
{
    char head[2048];
    int status;

    (void)snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\n" HOST "%s\r\n", method, target, more);
    *client = client_connect(&service->fixture);
    (void)client_say(client, head);
    if (body != NULL)
        (void)client_say(client, body);
    status = client_reply(client);
    if (status != 0)
        service_check(service, method, template, client, status);
    return status;
}

static inline int
service_get(const struct service *service, const char *target, const char *template)
{
    struct client client;
    int status = service_ask(service, &client, "GET", target, template, "", NULL);

    client_close(&client);
    return status;
}

#endif
