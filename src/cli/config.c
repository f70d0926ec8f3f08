/*
 * Configuration: a table of keys, walked along the YAML tree.
 */
#include "cli/config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/options.h"
#include "net/listen.h"

#define CONFIG_BYTES_MAX (1u << 20)
/* Nobody waits for what a service merges: it takes a little longer, and always as little memory. */
#define MEMORY_BYTES ((size_t)64 << 20)

void
pb_cli_config_init(struct pb_cli_config *config, const struct pb_env *env)
{
    unsigned processors = pb_cli_processors();

    *config = (struct pb_cli_config){
        .listen = "127.0.0.1:8080",
        .mode = PB_SITE_LOOK,
        .limits = pb_server_limits_usual(),
        .io_threads = processors > 8 ? 8 : processors,
        /* Handlers wait for disks, so there are more of them than processors. */
        .worker_threads = 64,
        .quotas = { .failures_per_minute = 60 },
        .memory_bytes = MEMORY_BYTES,
        .stop_ms = 10000,
        .upkeep_hours = 24,
        .log_level = PB_LOG_INFO,
    };
    pb_arena_init(&config->arena, env, 1024);
}

void
pb_cli_config_done(struct pb_cli_config *config)
{
    pb_arena_clear(&config->arena);
}

/* ---- one value ---- */

enum kind {
    KIND_TEXT,
    KIND_ADDRESS,
    KIND_ORIGIN,
    KIND_NUMBER,
    KIND_SECONDS,
    KIND_MIB,
    KIND_LOG,
    KIND_MODE,
    KIND_FLAG,
};

/* Where a value goes; one of the places is set, by its kind. */
struct key {
    const char *section; /* "" at the top */
    const char *name;
    enum kind kind;
    uint64_t min, max;
    const char **text;
    uint64_t *number;
    uint32_t *small;
    size_t *size;
    int64_t *ms;
    enum pb_log_level *level;
    enum pb_site_mode *mode;
    bool *flag;
};

static enum pb_status
set_text(struct pb_cli_config *config, const struct key *key, struct pb_str text)
{
    struct pb_str copy;

    /* NUL-terminated: the byte behind the text in the tree is a NUL. */
    if (pb_arena_copy(&config->arena, (struct pb_str){ text.text, text.bytes + 1 }, &copy) != PB_OK)
        return PB_E_NOMEM;
    *key->text = copy.text;
    return PB_OK;
}

static enum pb_status
set_number(const struct key *key, const char *text, struct pb_error *error)
{
    uint64_t number;

    if (!pb_cli_number(text, &number) || number < key->min || number > key->max)
        return pb_fail(error, PB_BAD_INPUT, "a number from %llu to %llu",
                       (unsigned long long)key->min, (unsigned long long)key->max);
    if (key->kind == KIND_SECONDS)
        *key->ms = (int64_t)number * 1000;
    else if (key->kind == KIND_MIB)
        *key->size = (size_t)number << 20;
    else if (key->small != NULL)
        *key->small = (uint32_t)number;
    else
        *key->number = number;
    return PB_OK;
}

static enum pb_status
set_log(const struct key *key, const char *text, struct pb_error *error)
{
    static const char *const levels[] = { "error", "warning", "info" };

    for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(text, levels[i]) == 0) {
            *key->level = (enum pb_log_level)i;
            return PB_OK;
        }
    }
    return pb_fail(error, PB_BAD_INPUT, "error, warning or info");
}

bool
pb_cli_config_mode(const char *text, enum pb_site_mode *ret_mode)
{
    if (strcmp(text, "look") == 0)
        *ret_mode = PB_SITE_LOOK;
    else if (strcmp(text, "ask") == 0)
        *ret_mode = PB_SITE_ASK;
    else if (strcmp(text, "write") == 0)
        *ret_mode = PB_SITE_WRITE;
    else
        return false;
    return true;
}

/* As a browser writes it: a passkey is for this and nothing else. */
static bool
is_origin(struct pb_str text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-:";
    bool is_secure = text.bytes > 8 && memcmp(text.text, "https://", 8) == 0;
    bool is_local = text.bytes >= 16 && memcmp(text.text, "http://localhost", 16) == 0 &&
                    (text.text[16] == '\0' || text.text[16] == ':');
    struct pb_str host = { text.text + (is_secure ? 8 : 7), text.bytes - (is_secure ? 8 : 7) };

    /* A browser writes small letters and no path. */
    return (is_secure || is_local) && host.bytes <= 255 && strspn(host.text, letters) == host.bytes;
}

static enum pb_status
set_flag(const struct key *key, const char *text, struct pb_error *error)
{
    *key->flag = strcmp(text, "yes") == 0;
    return *key->flag || strcmp(text, "no") == 0 ? PB_OK
                                                 : pb_fail(error, PB_BAD_INPUT, "yes or no");
}

static enum pb_status
set_value(struct pb_cli_config *config, const struct key *key, const struct pb_yaml *value,
          struct pb_error *error)
{
    struct pb_peer address;
    enum pb_status status;

    if (value->kind != PB_YAML_SCALAR || value->text.bytes == 0)
        return pb_fail(error, PB_BAD_INPUT, "one value");
    switch (key->kind) {
    case KIND_ADDRESS:
        status = pb_listen_parse(value->text.text, &address, error);
        return status != PB_OK ? status : set_text(config, key, value->text);
    case KIND_ORIGIN:
        return is_origin(value->text)
                   ? set_text(config, key, value->text)
                   : pb_fail(error, PB_BAD_INPUT,
                             "https://host or https://host:port, in small letters, without a path "
                             "(or http://localhost:port)");
    case KIND_TEXT:
        return set_text(config, key, value->text);
    case KIND_LOG:
        return set_log(key, value->text.text, error);
    case KIND_FLAG:
        return set_flag(key, value->text.text, error);
    case KIND_MODE:
        return pb_cli_config_mode(value->text.text, key->mode)
                   ? PB_OK
                   : pb_fail(error, PB_BAD_INPUT, "look, ask or write");
    case KIND_NUMBER:
    case KIND_SECONDS:
    case KIND_MIB:
        break;
    }
    return set_number(key, value->text.text, error);
}

/* ---- the table ---- */

#define KEYS_MAX 48u
#define PER_SECOND_MAX 1000000
#define PER_HOUR_MAX 1000000000

static unsigned
fill_keys(struct pb_cli_config *config, struct key keys[KEYS_MAX])
{
    struct pb_server_limits *limits = &config->limits;
    uint32_t *requests = config->quotas.requests_per_second, *rows = config->quotas.rows_per_hour;
    const struct key table[] = {
        { "", "backups", KIND_TEXT, .text = &config->backups },
        { "", "breached_passwords", KIND_TEXT, .text = &config->breached_passwords },
        { "", "data", KIND_TEXT, .text = &config->data },
        { "", "listen", KIND_ADDRESS, .text = &config->listen },
        { "", "log", KIND_LOG, .level = &config->log_level },
        { "", "memory_mib", KIND_MIB, 16, 1048576, .size = &config->memory_bytes },
        { "", "mode", KIND_MODE, .mode = &config->mode },
        { "", "origin", KIND_ORIGIN, .text = &config->origin },
        { "", "stop_seconds", KIND_SECONDS, 0, 3600, .ms = &config->stop_ms },
        { "", "upkeep_hours", KIND_NUMBER, 0, 8760, .number = &config->upkeep_hours },
        { "tls", "certificate", KIND_TEXT, .text = &config->certificate },
        { "tls", "key", KIND_TEXT, .text = &config->key },
        { "tls", "reader_certificates", KIND_FLAG, .flag = &config->reader_certificates },
        { "threads", "io", KIND_NUMBER, 1, 64, .number = &config->io_threads },
        { "threads", "workers", KIND_NUMBER, 1, 1024, .number = &config->worker_threads },
        { "limits", "connections", KIND_NUMBER, 1, 65536, .small = &limits->connections_max },
        { "limits", "connections_per_address", KIND_NUMBER, 1, 65536,
          .small = &limits->connections_per_address_max },
        { "limits", "header_seconds", KIND_SECONDS, 1, 600, .ms = &limits->head_ms },
        { "limits", "idle_seconds", KIND_SECONDS, 1, 3600, .ms = &limits->idle_ms },
        { "limits", "rate_bytes_per_second", KIND_NUMBER, 0, 1048576,
          .small = &limits->rate_min_bytes_s },
        { "limits", "rate_grace_seconds", KIND_SECONDS, 1, 600, .ms = &limits->rate_grace_ms },
        { "limits", "bodies_mib", KIND_MIB, 1, 65536, .size = &limits->bodies_bytes_max },
        { "limits", "token_requests_per_second", KIND_NUMBER, 0, PER_SECOND_MAX,
          .small = &requests[PB_QUOTA_TOKEN] },
        { "limits", "person_requests_per_second", KIND_NUMBER, 0, PER_SECOND_MAX,
          .small = &requests[PB_QUOTA_PERSON] },
        { "limits", "agency_requests_per_second", KIND_NUMBER, 0, PER_SECOND_MAX,
          .small = &requests[PB_QUOTA_AGENCY] },
        { "limits", "address_requests_per_second", KIND_NUMBER, 0, PER_SECOND_MAX,
          .small = &requests[PB_QUOTA_ADDRESS] },
        { "limits", "token_rows_per_hour", KIND_NUMBER, 0, PER_HOUR_MAX,
          .small = &rows[PB_QUOTA_TOKEN] },
        { "limits", "person_rows_per_hour", KIND_NUMBER, 0, PER_HOUR_MAX,
          .small = &rows[PB_QUOTA_PERSON] },
        { "limits", "agency_rows_per_hour", KIND_NUMBER, 0, PER_HOUR_MAX,
          .small = &rows[PB_QUOTA_AGENCY] },
        { "limits", "address_rows_per_hour", KIND_NUMBER, 0, PER_HOUR_MAX,
          .small = &rows[PB_QUOTA_ADDRESS] },
        { "limits", "address_failures_per_minute", KIND_NUMBER, 0, PER_SECOND_MAX,
          .small = &config->quotas.failures_per_minute },
        { "limits", "queue", KIND_NUMBER, 1, 1048576, .small = &limits->queue_max },
    };

    static_assert(sizeof(table) / sizeof(table[0]) <= KEYS_MAX, "room for the table");
    memcpy(keys, table, sizeof(table));
    return sizeof(table) / sizeof(table[0]);
}

static const struct key *
find_key(const struct key *keys, unsigned count, const char *section, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static bool
is_section(const struct key *keys, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (name[0] != '\0' && strcmp(keys[i].section, name) == 0)
            return true;
    }
    return false;
}

/* The key or section that was probably meant, or NULL. */
static const char *
nearest(const struct key *keys, unsigned count, const char *section, const char *name)
{
    const char *found = NULL;
    unsigned distance = 3;

    for (unsigned i = 0; i < count; i++) {
        const char *candidate = strcmp(keys[i].section, section) == 0 ? keys[i].name
                                : section[0] == '\0'                  ? keys[i].section
                                                                      : name;
        unsigned steps = pb_cli_word_distance(name, candidate, 2);

        if (steps > 0 && steps < distance) {
            distance = steps;
            found = candidate;
        }
    }
    return found;
}

static enum pb_status
refuse_key(const char *path, const struct pb_yaml *key, const char *section, const char *meant,
           struct pb_error *error)
{
    const char *dot = section[0] != '\0' ? "." : "";

    if (meant != NULL)
        return pb_fail(error, PB_BAD_INPUT, "%s:%u: unknown key '%s%s%.60s': did you mean '%s'?",
                       path, key->line, section, dot, key->text.text, meant);
    return pb_fail(error, PB_BAD_INPUT, "%s:%u: unknown key '%s%s%.60s'", path, key->line, section,
                   dot, key->text.text);
}

static enum pb_status
read_map(struct pb_cli_config *config, const char *path, const char *section,
         const struct pb_yaml *map, struct pb_error *error)
{
    struct key keys[KEYS_MAX];
    unsigned count = fill_keys(config, keys);

    if (map->kind != PB_YAML_MAP)
        return pb_fail(error, PB_BAD_INPUT, "%s:%u: keys with values are wanted here", path,
                       map->line);
    for (uint32_t i = 0; i < map->count; i++) {
        const struct pb_yaml *name = &map->keys[i], *value = &map->items[i];
        const struct key *key = find_key(keys, count, section, name->text.text);
        struct pb_error why = { "" };
        enum pb_status status;

        if (section[0] == '\0' && strcmp(name->text.text, "providers") == 0)
            status = pb_cli_providers_parse(&config->arena, path, value, &config->providers, error);
        else if (key == NULL && section[0] == '\0' && is_section(keys, count, name->text.text))
            status = read_map(config, path, name->text.text, value, error);
        else if (key == NULL)
            return refuse_key(path, name, section, nearest(keys, count, section, name->text.text),
                              error);
        else {
            status = set_value(config, key, value, &why);
            if (status != PB_OK)
                (void)pb_fail(error, status, "%s:%u: %s: wanted is %s", path, name->line, key->name,
                              why.message);
        }
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

enum pb_status
pb_cli_config_parse(struct pb_cli_config *config, const char *path, struct pb_str text,
                    struct pb_error *error)
{
    const struct pb_yaml *root = NULL;
    struct pb_error why = { "" };
    enum pb_status status = pb_yaml_parse(&config->arena, text, &root, &why);

    if (status != PB_OK)
        return pb_fail(error, status, "%s: %s", path, why.message);
    status = read_map(config, path, "", root, error);
    if (status == PB_OK && (config->certificate == NULL) != (config->key == NULL))
        return pb_fail(error, PB_BAD_INPUT, "%s: tls: certificate and key are given together",
                       path);
    if (status == PB_OK && config->reader_certificates && config->certificate == NULL)
        return pb_fail(error, PB_BAD_INPUT,
                       "%s: tls: reader_certificates are shown to a server that has its own", path);
    if (status == PB_OK && config->providers.count > 0 && config->origin == NULL)
        return pb_fail(error, PB_BAD_INPUT,
                       "%s: providers need origin: where they send people back to", path);
    return status;
}

enum pb_status
pb_cli_config_read(struct pb_cli_config *config, const char *path, struct pb_error *error)
{
    const struct pb_env *env = config->arena.env;
    size_t bytes = 0;
    char *text = NULL;
    enum pb_status status = pb_cli_load(env, path, CONFIG_BYTES_MAX, &text, &bytes, error);

    if (status == PB_OK)
        status = pb_cli_config_parse(config, path, (struct pb_str){ text, (uint32_t)bytes }, error);
    pb_free(env, text);
    return status == PB_NOT_FOUND || status == PB_OVER_LIMIT ? PB_BAD_INPUT : status;
}
