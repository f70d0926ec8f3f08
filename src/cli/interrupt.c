/*
 * Interrupt: a signalfd.
 */
#include "cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void
fill_set(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

void
pb_cli_interrupt_init(struct pb_cli_interrupt *interrupt)
{
    sigset_t set;

    fill_set(&set);
    interrupt->is_set = false;
    interrupt->descriptor = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (interrupt->descriptor >= 0)
        (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void
pb_cli_interrupt_done(struct pb_cli_interrupt *interrupt)
{
    sigset_t set;

    if (interrupt->descriptor < 0)
        return;
    (void)close(interrupt->descriptor);
    interrupt->descriptor = -1;
    fill_set(&set);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool
pb_cli_interrupt_look(struct pb_cli_interrupt *interrupt)
{
    struct signalfd_siginfo info;
    sigset_t set;

    if (interrupt->is_set || interrupt->descriptor < 0)
        return interrupt->is_set;
    if (read(interrupt->descriptor, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return false;
    interrupt->is_set = true;
    fill_set(&set);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return true;
}

bool
pb_cli_interrupt_wait_for(struct pb_cli_interrupt *interrupt, int input)
{
    /* A negative descriptor is one that poll ignores. */
    struct pollfd polls[2] = {
        { .fd = input, .events = POLLIN },
        { .fd = interrupt->descriptor, .events = POLLIN },
    };

    while (poll(polls, 2, -1) < 0 && errno == EINTR)
        ;
    return pb_cli_interrupt_look(interrupt);
}
