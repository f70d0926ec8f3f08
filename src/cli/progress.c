/*
 * Progress: drawing the line.
 */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_NS INT64_C(120000000)
#define BAR_COLUMNS 24u

void
pb_cli_progress_init(struct pb_cli_progress *progress, struct pb_cli *cli,
                     struct pb_cli_interrupt *interrupt, bool is_wanted)
{
    progress->cli = cli;
    progress->interrupt = interrupt;
    progress->is_shown = is_wanted && isatty(STDERR_FILENO) == 1;
    progress->phase = "";
    progress->started_ns = 0;
    progress->drawn_ns = 0;
    /* Set before any thread starts and cleared after all have ended: others only read it. */
    cli->has_progress_line = progress->is_shown;
}

const char *
pb_cli_human(double number, char ret_text[PB_CLI_HUMAN_BYTES])
{
    static const char *const units[] = { "", " k", " M", " G", " T" };
    unsigned unit = 0;
    int decimals = 0;

    while (number >= 999.5 && unit < 4) {
        number /= 1000;
        unit++;
    }
    if (unit > 0)
        decimals = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
    (void)snprintf(ret_text, PB_CLI_HUMAN_BYTES, "%.*f%s", decimals, number, units[unit]);
    return ret_text;
}

static void
draw(struct pb_cli_progress *progress, int64_t now_ns, uint64_t done, uint64_t total,
     uint64_t count, const char *unit)
{
    double seconds = (double)(now_ns - progress->started_ns) / 1e9;
    double share = total > 0 ? (double)done / (double)total : 0;
    char bar[BAR_COLUMNS + 1], rate[PB_CLI_HUMAN_BYTES], so_far[PB_CLI_HUMAN_BYTES], left[32];
    char line[256];
    unsigned filled;
    int length;

    share = share > 1 ? 1 : share;
    filled = (unsigned)(share * BAR_COLUMNS);
    memset(bar, '#', filled);
    memset(bar + filled, '.', BAR_COLUMNS - filled);
    bar[BAR_COLUMNS] = '\0';

    left[0] = '\0';
    if (share > 0.001 && seconds > 0.5) {
        uint64_t remaining_s = (uint64_t)(seconds / share * (1 - share) + 0.5);

        (void)snprintf(left, sizeof(left), "  %" PRIu64 ":%02" PRIu64 " left", remaining_s / 60,
                       remaining_s % 60);
    }
    (void)pb_cli_human(seconds > 0 ? (double)count / seconds : 0, rate);
    (void)pb_cli_human((double)count, so_far);
    if (total > 0)
        length = snprintf(line, sizeof(line), "\r\033[K%s [%s] %3.0f %%  %s %s  %s/s%s",
                          progress->phase, bar, share * 100, so_far, unit, rate, left);
    else
        length = snprintf(line, sizeof(line), "\r\033[K%s  %s %s  %s/s", progress->phase, so_far,
                          unit, rate);
    /* A line that could not be drawn is no reason to stop: then it is never drawn again. */
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
        progress->is_shown = false;
}

void
pb_cli_progress_show(struct pb_cli_progress *progress, const char *phase, uint64_t done,
                     uint64_t total, uint64_t count, const char *unit)
{
    int64_t now_ns;

    if (!progress->is_shown)
        return;
    now_ns = pb_monotonic_ns(progress->cli->env);
    if (strcmp(progress->phase, phase) != 0) {
        progress->phase = phase;
        progress->started_ns = now_ns;
        progress->drawn_ns = 0;
    }
    if (progress->drawn_ns != 0 && now_ns - progress->drawn_ns < REDRAW_NS)
        return;
    progress->drawn_ns = now_ns;
    draw(progress, now_ns, done, total, count, unit);
}

void
pb_cli_progress_done(struct pb_cli_progress *progress)
{
    static const char clear_line[] = "\r\033[K";

    bool was_shown = progress->is_shown;

    progress->is_shown = false;
    progress->cli->has_progress_line = false;
    if (was_shown && write(STDERR_FILENO, clear_line, sizeof(clear_line) - 1) < 0)
        return; /* nobody is left to see it */
}

static bool
report(void *context, const char *phase, uint64_t done, uint64_t total)
{
    struct pb_cli_progress *progress = context;

    pb_cli_progress_show(progress, phase, done, total, done, "done");
    return progress->interrupt == NULL || !pb_cli_interrupt_look(progress->interrupt);
}

struct pb_progress
pb_cli_progress_of_store(struct pb_cli_progress *progress)
{
    return (struct pb_progress){ .report = report, .context = progress };
}
