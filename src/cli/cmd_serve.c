/*
 * serve: the service, until it is told to stop.
 *
 * SIGTERM and SIGINT stop it in order, a second one at once; SIGHUP reads the certificate again;
 * SIGUSR1 makes a backup, for no other process can while this one writes. The main thread waits for
 * signals and does nothing else for long; care.h has the thread that does.
 * Under systemd the socket may be handed over (LISTEN_FDS), and the start is told (NOTIFY_SOCKET).
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/api.h"
#include "base/env.h"
#include "cli/care.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/control.h"
#include "cli/options.h"
#include "net/listen.h"
#include "net/metrics.h"

#define FIRST_PASSED_SOCKET 3 /* SD_LISTEN_FDS_START */
#define OTHER_FILES 256u      /* descriptors beside connections */

struct service {
    struct pb_cli *cli; /* borrowed */
    struct pb_cli_config config;
    struct pb_metrics metrics;
    struct pb_log log;
    struct pb_site *site;           /* owned */
    struct pb_api *api;             /* owned */
    struct pb_server *server;       /* owned */
    struct pb_cli_care *care;       /* owned */
    struct pb_cli_control *control; /* owned; NULL: it takes no orders */
    sigset_t signals;
};

/* ---- systemd ---- */

/* Tells the manager, where there is one. That it does not listen is no reason to fail. */
static void
notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t bytes = path != NULL ? strlen(path) : 0;
    int file;

    if (bytes == 0 || bytes >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, bytes);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    file = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file < 0)
        return;
    (void)sendto(file, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes));
    (void)close(file);
}

/* The socket that the manager hands over, or -1. False after a message. */
static bool
take_socket(const struct pb_cli *cli, int *ret_socket)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    uint64_t number;

    *ret_socket = -1;
    if (pid == NULL || count == NULL || !pb_cli_number(pid, &number) ||
        number != (uint64_t)getpid())
        return true;
    if (!pb_cli_number(count, &number) || number != 1) {
        pb_cli_say(cli, "LISTEN_FDS=%s: one socket is wanted", count);
        return false;
    }
    *ret_socket = FIRST_PASSED_SOCKET;
    return true;
}

/* ---- signals ---- */

static void
block_signals(struct service *service)
{
    (void)sigemptyset(&service->signals);
    (void)sigaddset(&service->signals, SIGTERM);
    (void)sigaddset(&service->signals, SIGINT);
    (void)sigaddset(&service->signals, SIGHUP);
    (void)sigaddset(&service->signals, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &service->signals, NULL);
}

static void
reload(struct service *service)
{
    struct pb_error error = { "" };
    struct pb_log_line line;
    enum pb_status status;

    status = pb_server_reload(service->server, &error);
    pb_log_begin(&line, &service->log, status == PB_OK ? PB_LOG_INFO : PB_LOG_ERROR,
                 PB_WORD("reload"));
    pb_log_status(&line, PB_WORD("status"), status);
    pb_log_end(&line);
    if (status != PB_OK)
        (void)pb_cli_failure(service->cli, status, &error);
}

/* Nothing that is done here takes long: what does is handed over. */
static void
wait_for_end(struct service *service)
{
    int signal = 0;

    while (signal != SIGTERM && signal != SIGINT) {
        signal = sigwaitinfo(&service->signals, NULL);
        if (signal == SIGHUP)
            reload(service);
        else if (signal == SIGUSR1)
            pb_cli_care_back_up(service->care);
    }
    /* A second signal must not have to wait for the first. */
    (void)pthread_sigmask(SIG_UNBLOCK, &service->signals, NULL);
}

/* ---- start and stop ---- */

static void
write_log(void *context, const char *line, size_t bytes)
{
    (void)context;
    /* A line that cannot be written is lost: there is nowhere else to say so. */
    (void)!write(STDERR_FILENO, line, bytes);
}

/* From a thread of the audit logs. A line of the log holds no text from elsewhere: why goes beside
 * it. */
static void
log_not_published(void *context, const char *why)
{
    const struct service *service = context;
    struct pb_log_line line;

    pb_log_begin(&line, &service->log, PB_LOG_ERROR, PB_WORD("checkpoints_not_published"));
    pb_log_end(&line);
    pb_cli_say(service->cli, "checkpoints are not published: %s", why);
}

/* From a thread of the audit logs. */
static void
log_waiting(void *context, const char *log, const char *why)
{
    struct pb_log_line line;

    /* A line of the log holds no text from elsewhere: platebase audit witness check says more. */
    (void)log;
    (void)why;
    pb_log_begin(&line, context, PB_LOG_WARNING, PB_WORD("waits_for_witnesses"));
    pb_log_end(&line);
}

/* Every connection takes a descriptor, and so do a few files beside them. */
static void
raise_file_limit(const struct pb_cli *cli, const struct pb_cli_config *config)
{
    rlim_t wanted = config->limits.connections_max + OTHER_FILES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        pb_cli_say(cli, "only %llu files may be open: fewer than %u connections can be served",
                   (unsigned long long)limit.rlim_cur, config->limits.connections_max);
}

static enum pb_status
start(struct service *service, int socket, struct pb_error *error)
{
    const struct pb_env *env = service->cli->env;
    const struct pb_cli_config *config = &service->config;
    char holder[PB_AUDIT_HOLDER_BYTES];
    const struct pb_site_options site_options = {
        .mode = config->mode,
        .waits = log_waiting,
        .waits_context = &service->log,
        .fails_to_publish = log_not_published,
        .fails_context = service,
        .holder = holder,
        .memory_bytes = config->memory_bytes,
        .merges_in_background = true,
    };
    struct pb_api_options api_options = {
        .data_path = config->data,
        .metrics = &service->metrics,
        .log = &service->log,
        .takes_inquiries = config->mode != PB_SITE_LOOK,
        .takes_reads = config->mode == PB_SITE_WRITE,
        .quotas = config->quotas,
        .origin = config->origin,
        .providers = config->providers.items,
        .provider_count = config->providers.count,
        .counts_later = true,
        .breached_passwords = config->breached_passwords,
        /* Also where something before us speaks TLS. */
        .is_secure = config->certificate != NULL ||
                     (config->origin != NULL && strncmp(config->origin, "https://", 8) == 0),
    };
    struct pb_server_options options = {
        .limits = config->limits,
        .io_threads = (unsigned)config->io_threads,
        .worker_threads = (unsigned)config->worker_threads,
        .socket = socket,
        .listen = config->listen,
        .certificate_path = config->certificate,
        .key_path = config->key,
        .asks_certificates = config->reader_certificates,
        .log = &service->log,
        .metrics = &service->metrics,
    };
    enum pb_status status = PB_OK;

    pb_cli_holder(service->cli, holder);
    status = pb_site_open(env, config->data, &site_options, &service->site, error);

    if (status != PB_OK)
        return status;
    api_options.audit = pb_site_audit(service->site);
    /* Who only looks holds no lock, and can put nothing on record. */
    if (config->mode != PB_SITE_LOOK)
        api_options.site = service->site;
    status = pb_api_new(env, &api_options, &service->api, error);
    if (status != PB_OK)
        return status;
    options.routes = pb_api_routes(service->api, &options.route_count);
    return pb_server_start(env, &options, &service->server, error);
}

static void
set_counted(void *api)
{
    pb_api_set_counted(api);
}

static enum pb_status
start_care(struct service *service, struct pb_error *error)
{
    const struct pb_cli_care_options options = {
        .cli = service->cli,
        .site = service->site,
        .log = &service->log,
        .backups = service->config.backups,
        .upkeep_hours = service->config.mode == PB_SITE_WRITE ? service->config.upkeep_hours : 0,
        .counts = service->config.mode != PB_SITE_LOOK,
        .on_counted = set_counted,
        .counted_context = service->api,
    };

    return pb_cli_care_start(&options, &service->care, error);
}

/* Without it the service does all else that it is there for. */
static void
start_control(struct service *service)
{
    const struct pb_cli_control_options options = {
        .data = service->config.data,
        .api = service->api,
        .log = &service->log,
    };
    struct pb_error error = { "" };

    if (service->config.mode != PB_SITE_LOOK &&
        pb_cli_control_start(service->cli->env, &options, &service->control, &error) != PB_OK)
        pb_cli_say(service->cli, "%s; 'platebase account' needs the service stopped",
                   error.message);
}

static void
say_where(const struct service *service)
{
    struct pb_peer address = pb_server_address(service->server);
    bool is_ipv6 = !IN6_IS_ADDR_V4MAPPED(&address.address);
    char text[PB_PEER_TEXT_BYTES];

    pb_peer_text(&address, text);
    pb_cli_say(service->cli, "serving %s on %s://%s%s%s:%u", service->config.data,
               pb_server_is_tls(service->server) ? "https" : "http", is_ipv6 ? "[" : "", text,
               is_ipv6 ? "]" : "", address.port);
}

static void
stop(struct service *service)
{
    struct pb_log_line line;
    uint32_t cut;

    pb_api_set_ready(service->api, false);
    notify("STOPPING=1");
    pb_cli_care_break_off(service->care);
    cut = pb_server_stop(service->server, service->config.stop_ms);
    pb_log_begin(&line, &service->log, PB_LOG_INFO, PB_WORD("stopped"));
    pb_log_number(&line, PB_WORD("connections_cut"), cut);
    pb_log_end(&line);
}

static int
serve(struct service *service, int socket)
{
    struct pb_error error = { "" };
    enum pb_status status;

    pb_env_system_stretch_out();
    raise_file_limit(service->cli, &service->config);
    block_signals(service);
    status = start(service, socket, &error);
    if (status == PB_OK)
        status = start_care(service, &error);
    if (status != PB_OK) {
        if (service->server != NULL)
            (void)pb_server_stop(service->server, 0);
        pb_api_free(service->api);
        return pb_cli_close_site(service->cli, service->site,
                                 pb_cli_failure(service->cli, status, &error));
    }
    start_control(service);
    pb_api_set_ready(service->api, true);
    say_where(service);
    notify("READY=1");
    wait_for_end(service);
    stop(service);
    pb_cli_control_stop(service->control);
    pb_cli_care_stop(service->care);
    pb_api_free(service->api);
    return pb_cli_close_site(service->cli, service->site, PB_CLI_EXIT_OK);
}

/* ---- the command ---- */

/* The file first, then what the options say instead. */
static enum pb_status
read_config(struct pb_cli_config *config, const char *path, const struct pb_cli_config *given,
            const char *mode, struct pb_error *error)
{
    enum pb_status status = path != NULL ? pb_cli_config_read(config, path, error) : PB_OK;

    if (given->data != NULL)
        config->data = given->data;
    if (given->listen != NULL)
        config->listen = given->listen;
    if (given->certificate != NULL)
        config->certificate = given->certificate;
    if (given->key != NULL)
        config->key = given->key;
    if (status == PB_OK && mode != NULL && !pb_cli_config_mode(mode, &config->mode))
        return pb_fail(error, PB_BAD_INPUT, "--mode %.20s: look, ask or write", mode);
    return status;
}

int
pb_cmd_serve(struct pb_cli *cli, int argc, char **argv)
{
    struct service service = { .cli = cli };
    struct pb_cli_config given = { .data = NULL };
    struct pb_error error = { "" };
    struct pb_cli_usage usage;
    enum pb_cli_parsed parsed;
    enum pb_status status;
    const char *path = NULL, *mode = NULL;
    const struct pb_cli_option options[] = {
        { .name = "config", .placeholder = "FILE", .help = "configuration (YAML)", .text = &path },
        { .name = "data",
          .placeholder = "DIR",
          .help = "directory of the store; or set PLATEBASE_DATA",
          .environment = "PLATEBASE_DATA",
          .text = &given.data },
        { .name = "listen",
          .placeholder = "ADDRESS:PORT",
          .help = "where to listen; by default 127.0.0.1:8080",
          .text = &given.listen },
        { .name = "mode",
          .placeholder = "WORD",
          .help = "look (the default: nothing that needs a token), ask (inquiries), write (reads, "
                  "too); ask and write keep other processes from writing",
          .text = &mode },
        { .name = "certificate",
          .placeholder = "FILE",
          .help = "TLS certificate chain (PEM); needed for any address but the loopback's",
          .text = &given.certificate },
        { .name = "key",
          .placeholder = "FILE",
          .help = "its private key (PEM)",
          .text = &given.key },
    };
    int first, socket, exit_code;

    pb_cli_usage_init(&usage, "", 0, 0,
                      "Serves the data directory over HTTP. Options win over the configuration. "
                      "SIGTERM stops the service when requests in hand are answered; SIGHUP "
                      "reads the certificate again; SIGUSR1 makes a backup.");
    pb_cli_usage_add(&usage, options, sizeof(options) / sizeof(options[0]));
    parsed = pb_cli_parse(cli, &usage, argc, argv, &first);
    if (parsed != PB_CLI_PARSED_GO)
        return pb_cli_parsed_exit(parsed);
    if (!take_socket(cli, &socket))
        return PB_CLI_EXIT_FAILURE;

    pb_cli_config_init(&service.config, cli->env);
    pb_metrics_init(&service.metrics, cli->env);
    service.log = (struct pb_log){ .env = cli->env, .sink = write_log, .level = PB_LOG_INFO };
    status = read_config(&service.config, path, &given, mode, &error);
    if (status == PB_OK)
        status = pb_cli_providers_secrets(&service.config.arena, getenv("CREDENTIALS_DIRECTORY"),
                                          &service.config.providers, &error);
    service.log.level = service.config.log_level;
    if (status != PB_OK)
        exit_code = pb_cli_failure(cli, status, &error);
    else if (service.config.data == NULL)
        exit_code = pb_cli_usage_error(cli, "no data directory: give --data or a configuration");
    else
        exit_code = serve(&service, socket);
    pb_metrics_done(&service.metrics);
    pb_cli_config_done(&service.config);
    return exit_code;
}
