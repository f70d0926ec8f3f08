/*
 * Sheet: opened exclusively, synced before it counts.
 */
#include "cli/sheet.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum pb_status
pb_cli_sheet_open(const struct pb_env *env, struct pb_cli_sheet *sheet, const char *path,
                  struct pb_error *error)
{
    char buffer[128];
    int descriptor;

    sheet->path = path;
    sheet->out = pb_alloc(env, sizeof(*sheet->out));
    if (sheet->out == NULL)
        return pb_fail(error, PB_E_NOMEM, "no memory to write '%s'", path);
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        pb_free(env, sheet->out);
        sheet->out = NULL;
        return pb_fail(error, PB_E_IO, "cannot make '%s': %s", path,
                       strerror_r(errno, buffer, sizeof(buffer)));
    }
    pb_cli_out_init(sheet->out, descriptor);
    return PB_OK;
}

enum pb_status
pb_cli_sheet_close(const struct pb_env *env, struct pb_cli_sheet *sheet, bool is_unwanted,
                   struct pb_error *error)
{
    enum pb_status status;

    if (sheet->out == NULL)
        return PB_OK;
    status = pb_cli_out_flush(sheet->out, sheet->path, error);
    if (status == PB_OK && !is_unwanted && fsync(sheet->out->descriptor) != 0)
        status = pb_fail(error, PB_E_IO, "cannot sync '%s'", sheet->path);
    (void)close(sheet->out->descriptor);
    if (status != PB_OK || is_unwanted)
        (void)unlink(sheet->path);
    pb_free(env, sheet->out);
    sheet->out = NULL;
    return status;
}
