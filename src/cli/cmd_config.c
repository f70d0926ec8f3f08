/*
 * config: is a configuration of the service a good one?
 */
#include <string.h>

#include "api/breached.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/options.h"
#include "net/tls.h"

/* The files that it names are read too: that is what goes wrong most. */
static enum pb_status
check(const struct pb_cli *cli, const char *path, struct pb_error *error)
{
    struct pb_cli_config config;
    struct pb_tls *tls = NULL;
    struct pb_oidc *oidc = NULL;
    enum pb_status status;

    pb_cli_config_init(&config, cli->env);
    status = pb_cli_config_read(&config, path, error);
    if (status == PB_OK && config.certificate != NULL)
        status = pb_tls_new(cli->env, config.certificate, config.key, &tls, error);
    if (status == PB_OK && config.breached_passwords != NULL)
        status = pb_breached_check(cli->env, config.breached_passwords, error);
    if (status == PB_OK && config.providers.count > 0)
        status = pb_oidc_new(cli->env, config.providers.items, config.providers.count,
                             config.origin, &oidc, error);
    pb_oidc_free(oidc);
    pb_tls_free(tls);
    pb_cli_config_done(&config);
    return status;
}

int
pb_cmd_config(struct pb_cli *cli, int argc, char **argv)
{
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    int first;

    pb_cli_usage_init(&usage, "check FILE", 2, 2,
                      "Reads a configuration of the service, and the certificate and the list of "
                      "breached passwords that it names, and says what is wrong with them. "
                      "Nothing is started.");
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (strcmp(argv[first], "check") != 0)
        return pb_cli_usage_error(cli, "unknown action '%s': check is the only one", argv[first]);
    status = check(cli, argv[first + 1], &error);
    if (status != PB_OK)
        return pb_cli_failure(cli, status, &error);
    pb_cli_say(cli, "%s: good", argv[first + 1]);
    return PB_CLI_EXIT_OK;
}
