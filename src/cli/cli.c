/*
 * Command line: messages, opening a data directory, and how many threads are worth having.
 */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "cli/instead.h"

#define MESSAGE_BYTES_MAX 2048u

/* One write for one line, so that lines of several threads do not mix. */
static void
write_line(const struct pb_cli *cli, const char *format, va_list arguments)
{
    static const char clear_line[] = "\r\033[K";
    static const char prefix[] = "platebase: ";
    char message[MESSAGE_BYTES_MAX];
    /* Making text safe may turn one byte into three. */
    char line[sizeof(clear_line) + sizeof(prefix) + 3 * MESSAGE_BYTES_MAX + 1];
    size_t used = 0, message_bytes, at = 0;
    int length = vsnprintf(message, sizeof(message), format, arguments);

    if (length < 0)
        return;
    message_bytes = (size_t)length < sizeof(message) ? (size_t)length : sizeof(message) - 1;
    if (cli->has_progress_line) {
        memcpy(line, clear_line, sizeof(clear_line) - 1);
        used = sizeof(clear_line) - 1;
    }
    memcpy(line + used, prefix, sizeof(prefix) - 1);
    used += sizeof(prefix) - 1;
    used += pb_cli_safe_text(message, message_bytes, line + used, sizeof(line) - 1 - used, NULL);
    line[used++] = '\n';

    while (at < used) {
        ssize_t put = write(STDERR_FILENO, line + at, used - at);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return; /* nobody is left to be told */
        at += (size_t)put;
    }
}

void
pb_cli_say(const struct pb_cli *cli, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(cli, format, arguments);
    va_end(arguments);
}

int
pb_cli_usage_error(const struct pb_cli *cli, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(cli, format, arguments);
    va_end(arguments);
    if (cli->command != NULL)
        pb_cli_say(cli, "see 'platebase %s --help'", cli->command);
    else
        pb_cli_say(cli, "see 'platebase --help'");
    return PB_CLI_EXIT_USAGE;
}

/* What a person can do about it, where the message itself may not say so. */
static const char *
mend_of(enum pb_status status)
{
    switch (status) {
    case PB_E_BUSY:
        return "what only looks (stats, verify, list, show, audit verify) goes on meanwhile";
    case PB_E_NOT_STORE:
        return "make a data directory with 'platebase init DIR'";
    case PB_E_FULL:
        return "free some space and do it again: what was stored before is kept";
    case PB_E_CORRUPT:
        return "see 'platebase verify' for every damaged place, and restore from a backup; "
               "--skip-damaged asks what is left";
    case PB_E_VERSION:
        return "use the version of platebase that made it, or a later one";
    case PB_E_POISONED:
        return "the disk refused a sync: check it, then do it again";
    case PB_E_NOMEM:
        return "use a smaller --memory, or fewer --threads";
    case PB_OK:
    case PB_NOT_FOUND:
    case PB_DUPLICATE:
    case PB_BAD_INPUT:
    case PB_OVER_LIMIT:
    case PB_CONFLICT:
    case PB_END:
    case PB_EXPIRED:
    case PB_DENIED:
    case PB_E_IO:
        break;
    }
    return NULL;
}

int
pb_cli_failure(const struct pb_cli *cli, enum pb_status status, const struct pb_error *error)
{
    const char *mend = mend_of(status);

    if (error != NULL && error->message[0] != '\0')
        pb_cli_say(cli, "%s", error->message);
    else
        pb_cli_say(cli, "%s: %s", cli->command != NULL ? cli->command : "failed",
                   pb_status_name(status));
    if (mend != NULL)
        pb_cli_say(cli, "%s", mend);
    return status == PB_DENIED ? PB_CLI_EXIT_DENIED : PB_CLI_EXIT_FAILURE;
}

void
pb_cli_tell_damage(void *cli, const char *file, uint64_t offset, const char *what)
{
    pb_cli_say(cli, "%s: offset %" PRIu64 ": %s; what it held is left out", file, offset, what);
}

/* Is there a file of that name in the directory? */
static bool
holds(const char *directory, const char *name)
{
    char path[PB_PATH_BYTES_MAX];
    int length = snprintf(path, sizeof(path), "%s/%s", directory, name);

    return length > 0 && (size_t)length < sizeof(path) && access(path, F_OK) == 0;
}

bool
pb_cli_is_site(const struct pb_cli *cli, const char *path)
{
    if (holds(path, "SITE") || !holds(path, "manifest"))
        return true;
    pb_cli_say(cli,
               "'%s' is a bare read store, as versions before the catalog made it: there is "
               "nobody in it who may ask",
               path);
    pb_cli_say(cli,
               "make a data directory with 'platebase init NEW', put the store in it with "
               "'rm -r NEW/reads && mv %s NEW/reads', and name its readers with 'platebase reader "
               "add'",
               path);
    return false;
}

/* From any thread. What was asked is answered and on record: this is for the operator. */
static void
tell_waiting(void *context, const char *log, const char *why)
{
    pb_cli_say(context,
               "the checkpoint of log %s waits for its witnesses (%s); nothing is lost, and it is "
               "published with a later command",
               log, why);
}

/* A server holds a directory for as long as it runs: there is nothing to wait for. */
static bool
is_server(const char *holder)
{
    return strncmp(holder, "platebase serve", strlen("platebase serve")) == 0;
}

static bool
tell_busy(void *context, const char *holder)
{
    const struct pb_cli *cli = context;

    if (is_server(holder))
        return false;
    pb_cli_say(cli, "%s is at work on this directory: waiting for it for some seconds",
               holder[0] != '\0' ? holder : "another process");
    return true;
}

void
pb_cli_holder(const struct pb_cli *cli, char ret_text[PB_AUDIT_HOLDER_BYTES])
{
    (void)snprintf(ret_text, PB_AUDIT_HOLDER_BYTES, "platebase %.40s (process %ld)",
                   cli->command != NULL ? cli->command : "", (long)getpid());
}

/* Who keeps others from writing, and what to do instead. */
static void
tell_holder(const struct pb_cli *cli, const char *path)
{
    char audit_path[PB_PATH_BYTES_MAX], holder[PB_AUDIT_HOLDER_BYTES];
    char instead[PB_CLI_INSTEAD_BYTES];
    int length = snprintf(audit_path, sizeof(audit_path), "%s/audit", path);

    if (length < 0 || (size_t)length >= sizeof(audit_path))
        return;
    pb_audit_holder(cli->env, audit_path, holder);
    if (is_server(holder)) {
        pb_cli_instead(cli->command != NULL ? cli->command : "", instead);
        pb_cli_say(cli, "'%s' is being served by %s: %sstop it first", path, holder, instead);
    } else if (holder[0] != '\0')
        pb_cli_say(cli, "'%s' is in use by %s: wait for it or stop it", path, holder);
}

enum pb_status
pb_cli_open_site(const struct pb_cli *cli, const char *path, const struct pb_site_options *options,
                 struct pb_site **ret_site)
{
    struct pb_site_options told = *options;
    char holder[PB_AUDIT_HOLDER_BYTES];
    struct pb_error error = { "" };
    enum pb_status status;

    if (!pb_cli_is_site(cli, path))
        return PB_E_NOT_STORE;
    pb_cli_holder(cli, holder);
    told.holder = holder;
    told.on_busy = tell_busy;
    told.busy_context = (void *)(uintptr_t)cli;
    told.waits = tell_waiting;
    told.waits_context = (void *)(uintptr_t)cli;
    status = pb_site_open(cli->env, path, &told, ret_site, &error);
    if (status == PB_NOT_FOUND && error.message[0] == '\0')
        (void)pb_fail(&error, status, "there is no directory '%s'", path);
    if (status == PB_E_BUSY)
        tell_holder(cli, path);
    if (status != PB_OK)
        (void)pb_cli_failure(cli, status, &error);
    return status;
}

int
pb_cli_close_site(const struct pb_cli *cli, struct pb_site *site, int exit_code)
{
    struct pb_error error = { "" };
    enum pb_status status;

    if (site == NULL)
        return exit_code;
    status = pb_site_close(site, &error);
    if (status == PB_OK)
        return exit_code;
    (void)pb_cli_failure(cli, status, &error);
    return exit_code == PB_CLI_EXIT_OK ? PB_CLI_EXIT_FAILURE : exit_code;
}

unsigned
pb_cli_processors(void)
{
    cpu_set_t set;
    int count = 1;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        count = CPU_COUNT(&set);
    if (count < 1)
        return 1;
    return (unsigned)count < PB_CLI_THREADS_MAX ? (unsigned)count : PB_CLI_THREADS_MAX;
}
