/*
 * Shell: what was typed, as a line that can be typed again.
 *
 * Threads: any.
 */
#ifndef PB_CLI_SHELL_H
#define PB_CLI_SHELL_H

#include <stddef.h>

#include "base/text.h"
#include "cli/cli.h"

/* Writes one word as a POSIX shell reads it back: plain where it can be, else in quotes. */
void pb_cli_put_shell(struct pb_text_out *out, const char *word);
/* Says `before`, then the command as it was typed with option and value more (and without an older
 * value of that option); only the option where the line would be too long to say. */
void pb_cli_say_again(const struct pb_cli *cli, const char *before, const char *option,
                      const char *value);

#endif
