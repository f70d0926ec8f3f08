/*
 * Shell: quoting.
 */
#include "cli/shell.h"

#include <string.h>

#define LINE_BYTES_MAX 1500u

void
pb_cli_put_shell(struct pb_text_out *out, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-_./,:@%+=";

    if (word[0] != '\0' && strspn(word, plain) == strlen(word)) {
        pb_put_text(out, word);
        return;
    }
    pb_put_char(out, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            pb_put_text(out, "'\\''");
        else
            pb_put_char(out, *word);
    }
    pb_put_char(out, '\'');
}

/* Does the word set the option: 2 with its value in the next word, 1 by itself, 0 not at all? */
static int
words_of_option(const char *word, const char *option)
{
    size_t length = strlen(option);

    if (strncmp(word, option, length) != 0)
        return 0;
    if (word[length] == '\0')
        return 2;
    return word[length] == '=' ? 1 : 0;
}

void
pb_cli_say_again(const struct pb_cli *cli, const char *before, const char *option,
                 const char *value)
{
    char line[LINE_BYTES_MAX];
    struct pb_text_out out = pb_text_out(line, sizeof(line) - 1);

    pb_put_text(&out, "platebase");
    for (int i = 1; i < cli->argc; i++) {
        int words = words_of_option(cli->argv[i], option);

        if (words > 0) {
            i += words - 1;
            continue;
        }
        pb_put_char(&out, ' ');
        pb_cli_put_shell(&out, cli->argv[i]);
    }
    pb_put_char(&out, ' ');
    pb_put_text(&out, option);
    pb_put_char(&out, ' ');
    pb_cli_put_shell(&out, value);
    *out.at = '\0';
    if (out.is_cut || cli->argc == 0)
        pb_cli_say(cli, "%s the same again with %s %s", before, option, value);
    else
        pb_cli_say(cli, "%s: %s", before, line);
}
