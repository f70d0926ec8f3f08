/*
 * Instead: a table. A service is the only writer of its directory, and everybody who changes
 * something there shows who they are, so commands do not go on beside it.
 */
#include "cli/instead.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "catalog/catalog.h"

#define BY_ITSELF "the service does this by itself (upkeep), or "

struct row {
    const char *command, *text;
};

static const struct row endpoints[] = {
    { "account add", "POST /v1/accounts" },
    { "account approve", "POST /v1/accounts/{person}/approve" },
    { "account disable", "POST /v1/accounts/{person}/disable" },
    { "account link", "POST /v1/accounts/{person}/link" },
    { "account unlock", "POST /v1/accounts/{person}/unlock" },
    { "approve", "POST /v1/approvals" },
    { "associates", "POST /v1/inquiries" },
    { "audit export", "POST /v1/audit/export" },
    { "audit open", "GET /v1/audit/entries/{index}" },
    { "audit review close", "POST /v1/review/close" },
    { "audit review detect", "POST /v1/review/detections" },
    { "audit review disclosures", "GET /v1/review/disclosures" },
    { "audit review finish", "POST /v1/review/finish" },
    { "audit review list", "GET /v1/review/items" },
    { "audit review notices", "GET /v1/review/notices" },
    { "audit review sample", "POST /v1/review/samples" },
    { "audit search", "POST /v1/audit/search" },
    { "catalog import", "POST /v1/catalog" },
    { "common", "POST /v1/inquiries" },
    { "correct", "POST /v1/corrections" },
    { "import", "POST /v1/reads" },
    { "near", "POST /v1/inquiries" },
    { "plates", "POST /v1/inquiries" },
    { "policy explain", "POST /v1/policy/explain" },
    { "rules add", "PUT /v1/rules/{name}" },
    { "search", "POST /v1/inquiries" },
    { "subject-access", "POST /v1/inquiries" },
    { "token add", "POST /v1/tokens" },
    { "token revoke", "DELETE /v1/tokens/{id}" },
    { "transparency", "GET /v1/transparency" },
};

static const struct row others[] = {
    { "audit destroy-expired", BY_ITSELF },
    { "backup", "SIGUSR1 makes the service write one (backups in its configuration), or " },
    { "merge", BY_ITSELF },
    { "purge", BY_ITSELF },
};

/* "person add" */
static bool
is_of_entity(const char *command, const struct pb_entity *entity, const char **ret_verb)
{
    size_t bytes = strlen(entity->name);

    *ret_verb = command + bytes + 1;
    return strncmp(command, entity->name, bytes) == 0 && command[bytes] == ' ';
}

static bool
say_records(const char *command, char text[PB_CLI_INSTEAD_BYTES])
{
    static const char *const verbs[][3] = {
        { "add", "POST", "" },
        { "change", "PATCH", "/{id}" },
        { "remove", "DELETE", "/{id}" },
    };
    const struct pb_entity *entities;
    const char *verb;
    size_t count;

    entities = pb_catalog_entities(&count);
    for (size_t i = 0; i < count; i++) {
        if (!is_of_entity(command, &entities[i], &verb))
            continue;
        for (size_t j = 0; j < sizeof(verbs) / sizeof(verbs[0]); j++) {
            if (strcmp(verb, verbs[j][0]) != 0)
                continue;
            (void)snprintf(text, PB_CLI_INSTEAD_BYTES,
                           "ask it instead: %s /v1/%s%s (see /docs), or ", verbs[j][1],
                           entities[i].plural, verbs[j][2]);
            return true;
        }
    }
    return false;
}

static const char *
find(const struct row *rows, size_t count, const char *command)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(command, rows[i].command) == 0)
            return rows[i].text;
    }
    return NULL;
}

void
pb_cli_instead(const char *command, char ret_text[PB_CLI_INSTEAD_BYTES])
{
    const char *endpoint = find(endpoints, sizeof(endpoints) / sizeof(endpoints[0]), command);
    const char *other = find(others, sizeof(others) / sizeof(others[0]), command);

    if (endpoint != NULL)
        (void)snprintf(ret_text, PB_CLI_INSTEAD_BYTES, "ask it instead: %s (see /docs), or ",
                       endpoint);
    else if (!say_records(command, ret_text))
        (void)snprintf(ret_text, PB_CLI_INSTEAD_BYTES, "%s",
                       other != NULL ? other : "no endpoint does this: ");
}
