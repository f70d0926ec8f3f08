/*
 * Configuration of the service: one YAML file, every key known, every value checked.
 *
 * docs/operations.md and platebase-serve(1) list the keys; this table is where they come from.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_CONFIG_H
#define PB_CLI_CONFIG_H

#include <stdint.h>

#include "api/quota.h"
#include "base/arena.h"
#include "cli/providers.h"
#include "inquiry/site.h"
#include "net/log.h"
#include "net/server.h"

struct pb_cli_config {
    struct pb_arena arena; /* holds the texts */

    const char *data;               /* directory, or NULL */
    const char *backups;            /* directory of backups, or NULL: none are made */
    const char *breached_passwords; /* a list that nobody may choose from, or NULL */
    enum pb_site_mode mode;         /* what is served: see platebase-serve(1) */
    const char *listen;             /* as net/listen.h takes it */
    const char *certificate, *key;  /* PEM files, or NULL */
    const char *origin; /* "https://plates.example.org", where people find it, or NULL */
    struct pb_cli_providers providers; /* of sign-ins */
    struct pb_server_limits limits;
    uint64_t io_threads, worker_threads;
    bool reader_certificates; /* TLS clients are asked for one */
    struct pb_api_quota_limits quotas;
    uint64_t upkeep_hours; /* between two removals of what has expired; 0: never */
    size_t memory_bytes;   /* of the store */
    int64_t stop_ms;       /* how long requests in hand may take when the server stops */
    enum pb_log_level log_level;
};

/* "look", "ask" or "write"; false: another word. */
bool pb_cli_config_mode(const char *text, enum pb_site_mode *ret_mode);

/* What holds where nothing is said. Never fails. */
void pb_cli_config_init(struct pb_cli_config *config, const struct pb_env *env);
void pb_cli_config_done(struct pb_cli_config *config);

/* Reads a file over what is there. PB_BAD_INPUT: error names the line and what would be right. */
PB_MUST_CHECK enum pb_status pb_cli_config_read(struct pb_cli_config *config, const char *path,
                                                struct pb_error *error);
/* As above, from text; path is only for messages. */
PB_MUST_CHECK enum pb_status pb_cli_config_parse(struct pb_cli_config *config, const char *path,
                                                 struct pb_str text, struct pb_error *error);

#endif
