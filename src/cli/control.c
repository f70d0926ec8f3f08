/*
 * Control: a local socket of whole messages, and a thread that answers them.
 */
#include "cli/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/order.h"
#include "base/env.h"
#include "base/text.h"
#include "net/log.h"

#define NAME "control"
#define WAITING_MAX 4
#define ORDER_S 5    /* in which who connects has sent its order */
#define ANSWER_S 60  /* and has its answer: a leaf is synced meanwhile */
#define PAUSE_MS 100 /* before another try where the system gives no descriptor */

struct pb_cli_control {
    const struct pb_env *env; /* borrowed */
    struct pb_api *api;       /* borrowed */
    const struct pb_log *log; /* borrowed */
    int directory, socket;    /* owned */
    uid_t owner;              /* of the directory */
    pthread_t thread;
    _Atomic bool is_over; /* the thread is to end */
};

/* ---- the socket ---- */

/* A path of a socket is 107 bytes at most, and that of a directory may be longer: it is reached
 * by its descriptor. */
static struct sockaddr_un
address_in(int directory)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" NAME, directory);
    return address;
}

static enum pb_status
failed(struct pb_error *error, const char *data, const char *what)
{
    char buffer[128];

    return pb_fail(error, PB_E_IO, "%s/" NAME ": cannot %s: %s", data, what,
                   strerror_r(errno, buffer, sizeof(buffer)));
}

static enum pb_status
open_socket(struct pb_cli_control *control, const char *data, struct pb_error *error)
{
    struct sockaddr_un address;
    struct stat info;

    control->directory = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (control->directory < 0 || fstat(control->directory, &info) != 0)
        return failed(error, data, "look at the directory");
    control->owner = info.st_uid;
    if (unlinkat(control->directory, NAME, 0) != 0 && errno != ENOENT)
        return failed(error, data, "remove what is there");
    control->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    address = address_in(control->directory);
    /* Its mode is there before its name is. */
    if (control->socket < 0 || fchmod(control->socket, 0600) != 0 ||
        bind(control->socket, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(control->socket, WAITING_MAX) != 0)
        return failed(error, data, "listen");
    return PB_OK;
}

static void
set_patience(int file, time_t seconds)
{
    const struct timeval patience = { .tv_sec = seconds };

    (void)setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

/* A whole message; false where none came, or a longer one. */
static bool
receive(int file, char room[PB_ORDER_BYTES_MAX], struct pb_str *ret_message)
{
    ssize_t bytes = recv(file, room, PB_ORDER_BYTES_MAX, MSG_TRUNC);

    if (bytes <= 0 || bytes > (ssize_t)PB_ORDER_BYTES_MAX)
        return false;
    *ret_message = (struct pb_str){ room, (uint32_t)bytes };
    return true;
}

static bool
send_message(int file, struct pb_str message)
{
    return send(file, message.text, message.bytes, MSG_NOSIGNAL) == (ssize_t)message.bytes;
}

/* ---- the service's side, on the thread ---- */

static void
tell(const struct pb_cli_control *control, struct pb_word event, enum pb_status status)
{
    struct pb_log_line line;

    pb_log_begin(&line, control->log, status == PB_OK ? PB_LOG_INFO : PB_LOG_WARNING, event);
    pb_log_status(&line, PB_WORD("status"), status);
    pb_log_end(&line);
}

static bool
is_owner(const struct pb_cli_control *control, int file)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);

    return getsockopt(file, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && bytes == sizeof(peer) &&
           peer.uid == control->owner;
}

static void
answer(struct pb_cli_control *control, int file)
{
    struct pb_api_ordered ordered;
    char room[PB_ORDER_BYTES_MAX];
    struct pb_api_order order;
    struct pb_str message;
    enum pb_status status = PB_BAD_INPUT;

    if (!is_owner(control, file)) {
        tell(control, PB_WORD("order refused"), PB_DENIED);
        return;
    }
    set_patience(file, ORDER_S);
    if (receive(file, room, &message))
        status = pb_api_order_decode(message, &order);
    if (status != PB_OK) {
        tell(control, PB_WORD("order refused"), status);
        return;
    }
    pb_api_order_take(control->api, &order, &ordered);
    tell(control, PB_WORD("order"), ordered.status);
    (void)send_message(file, pb_api_ordered_encode(&ordered, room));
    explicit_bzero(&ordered, sizeof(ordered));
    explicit_bzero(room, sizeof(room));
}

static void *
run(void *context)
{
    struct pb_cli_control *control = context;

    while (!atomic_load(&control->is_over)) {
        int file = accept4(control->socket, NULL, NULL, SOCK_CLOEXEC);

        if (file >= 0) {
            answer(control, file);
            (void)close(file);
        } else if (!atomic_load(&control->is_over)) {
            (void)poll(NULL, 0, PAUSE_MS);
        }
    }
    return NULL;
}

static void
done(struct pb_cli_control *control)
{
    if (control->socket >= 0)
        (void)close(control->socket);
    if (control->directory >= 0)
        (void)close(control->directory);
    pb_free(control->env, control);
}

enum pb_status
pb_cli_control_start(const struct pb_env *env, const struct pb_cli_control_options *options,
                     struct pb_cli_control **ret_control, struct pb_error *error)
{
    struct pb_cli_control *control = pb_calloc(env, 1, sizeof(*control));
    enum pb_status status;

    if (control == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory for the thread that takes orders");
    control->env = env;
    control->api = options->api;
    control->log = options->log;
    control->directory = control->socket = -1;
    status = open_socket(control, options->data, error);
    if (status == PB_OK && pthread_create(&control->thread, NULL, run, control) != 0)
        status = pb_fail(error, PB_E_IO, "the system gives no thread to take orders");
    if (status != PB_OK) {
        done(control);
        return status;
    }
    *ret_control = control;
    return PB_OK;
}

void
pb_cli_control_stop(struct pb_cli_control *control)
{
    if (control == NULL)
        return;
    atomic_store(&control->is_over, true);
    (void)unlinkat(control->directory, NAME, 0);
    (void)shutdown(control->socket, SHUT_RDWR); /* wakes who waits for a connection */
    (void)pthread_join(control->thread, NULL);
    done(control);
}

/* ---- the command's side ---- */

/* A connection, or -1 where no service takes orders. */
static int
reach(const char *data)
{
    int directory = open(data, O_PATH | O_DIRECTORY | O_CLOEXEC), file = -1;
    struct sockaddr_un address;

    if (directory < 0)
        return -1;
    address = address_in(directory);
    file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (file >= 0 && connect(file, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(file);
        file = -1;
    }
    (void)close(directory);
    return file;
}

enum pb_status
pb_cli_control_ask(const char *data, const struct pb_api_order *order,
                   struct pb_api_ordered *ret_ordered, struct pb_error *error)
{
    char room[PB_ORDER_BYTES_MAX];
    struct pb_str message;
    bool is_answered;
    enum pb_status status;
    int file = reach(data);

    if (file < 0)
        return PB_NOT_FOUND;
    set_patience(file, ANSWER_S);
    status = pb_api_order_encode(order, room, &message, error);
    if (status == PB_OK) {
        is_answered = send_message(file, message) && receive(file, room, &message) &&
                      pb_api_ordered_decode(message, ret_ordered) == PB_OK;
        if (!is_answered)
            status = pb_fail(error, PB_E_IO,
                             "the service at '%s' did not answer, which it does to the owner of "
                             "the directory alone: see 'platebase account show' and 'person show' "
                             "for what was done",
                             data);
    }
    explicit_bzero(room, sizeof(room));
    (void)close(file);
    return status;
}
