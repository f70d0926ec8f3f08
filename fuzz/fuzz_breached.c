/*
 * Fuzz target: a list of breached passwords. What is said to be a list answers as reading it line
 * by line would; what is not is refused, and no answer is believed that a damaged one gives.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/breached.h"
#include "base/text.h"
#include "support/sim_fs.h"

#define PATH "list"
#define DIGITS 40u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *password, *sha1;
} known[] = {
    { "password", "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8" },
    { "123456", "7c4a8d09ca3762af61e59520943dc26494f8941b" },
    { "iloveyou", "ee8d8728f435fd550f83852aabab5234ce1da528" },
};

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

static void
put_file(const struct pb_env *env, const uint8_t *data, size_t size)
{
    struct pb_file *file = NULL;

    check(env->files->open(env->file_context, PATH, PB_OPEN_CREATE, &file, NULL) == PB_OK);
    check(size == 0 || env->files->write(env->file_context, file, 0, data, size, NULL) == PB_OK);
    env->files->close(env->file_context, file);
}

/* Whether a line begins with the digits. */
static bool
is_there(const uint8_t *data, size_t size, const char *sha1)
{
    for (size_t at = 0; at + DIGITS < size; at++) {
        size_t same = 0;

        if (at > 0 && data[at - 1] != '\n')
            continue;
        while (same < DIGITS && tolower(data[at + same]) == sha1[same])
            same++;
        if (same == DIGITS)
            return true;
    }
    return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sim_fs *fs;
    struct pb_error error;
    struct pb_env env;
    enum pb_status status;

    if (size > 65536)
        return 0;
    fs = sim_fs_new();
    env = sim_fs_env(fs);
    put_file(&env, data, size);
    status = pb_breached_check(&env, PATH, &error);
    check(status == PB_OK || status == PB_BAD_INPUT);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        enum pb_status found = pb_breached_find(&env, PATH, pb_str_from(known[i].password), &error);

        check(found == PB_OK || found == PB_NOT_FOUND || found == PB_E_CORRUPT);
        check(found != PB_OK || is_there(data, size, known[i].sha1));
        check(status != PB_OK || found != PB_E_CORRUPT);
        check(status != PB_OK || (found == PB_OK) == is_there(data, size, known[i].sha1));
    }
    sim_fs_free(fs);
    return 0;
}
