/*
 * Providers of sign-ins, as the configuration describes them, and their secrets.
 *
 * Threads: one at a time.
 */
#ifndef PB_CLI_PROVIDERS_H
#define PB_CLI_PROVIDERS_H

#include <platebase/status.h>

#include "api/oidc.h"

struct pb_arena;
struct pb_yaml;

struct pb_cli_providers {
    struct pb_oidc_provider items[PB_OIDC_PROVIDERS_MAX]; /* texts are in an arena */
    const char *secret_files[PB_OIDC_PROVIDERS_MAX];      /* where a secret lies; or NULL */
    const char *credentials[PB_OIDC_PROVIDERS_MAX];       /* its name for systemd; or NULL */
    unsigned count;
};

/* list: the value of "providers"; path is only for messages. PB_BAD_INPUT: error names the line and
 * what would be right. */
PB_MUST_CHECK enum pb_status pb_cli_providers_parse(struct pb_arena *arena, const char *path,
                                                    const struct pb_yaml *list,
                                                    struct pb_cli_providers *ret_providers,
                                                    struct pb_error *error);
/* Reads the secrets into arena. credentials: the directory that systemd names, or NULL. */
PB_MUST_CHECK enum pb_status pb_cli_providers_secrets(struct pb_arena *arena,
                                                      const char *credentials,
                                                      struct pb_cli_providers *providers,
                                                      struct pb_error *error);

#endif
