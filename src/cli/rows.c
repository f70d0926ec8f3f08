/*
 * Rows: encoded straight into a growing buffer.
 */
#include "cli/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/pbr.h"
#include "ingest/pbr_writer.h"
#include "read/read_text.h"

#define FIRST_BYTES ((size_t)1 << 20)

const char *const pb_cli_row_formats[] = { "csv", "ndjson", "pbr", NULL };

enum pb_format
pb_cli_row_format(int index)
{
    static const enum pb_format formats[] = { PB_FORMAT_CSV, PB_FORMAT_NDJSON, PB_FORMAT_PBR };

    return formats[index];
}

/* ---- rows ---- */

void
pb_cli_rows_init(struct pb_cli_rows *rows, const struct pb_env *env, enum pb_format format)
{
    *rows = (struct pb_cli_rows){ .env = env, .format = format };
}

void
pb_cli_rows_done(struct pb_cli_rows *rows)
{
    if (rows->env == NULL)
        return;
    pb_pbr_writer_free(rows->writer);
    pb_free(rows->env, rows->text);
    rows->writer = NULL;
    rows->text = NULL;
}

/* Room for `bytes` more. */
static enum pb_status
reserve(struct pb_cli_rows *rows, size_t bytes)
{
    size_t capacity = rows->capacity > 0 ? rows->capacity : FIRST_BYTES;
    char *larger;

    if (bytes <= rows->capacity - rows->used)
        return PB_OK;
    while (capacity - rows->used < bytes)
        capacity *= 2;
    larger = pb_realloc(rows->env, rows->text, capacity);
    if (larger == NULL)
        return PB_E_NOMEM;
    rows->text = larger;
    rows->capacity = capacity;
    return PB_OK;
}

static enum pb_status
emit_block(void *context, const uint8_t *bytes, size_t count)
{
    struct pb_cli_rows *rows = context;
    enum pb_status status = reserve(rows, count);

    if (status != PB_OK)
        return status;
    memcpy(rows->text + rows->used, bytes, count);
    rows->used += count;
    return PB_OK;
}

static enum pb_status
add_blocks(struct pb_cli_rows *rows, const struct pb_read *reads, size_t count)
{
    enum pb_status status = PB_OK;

    if (rows->writer == NULL)
        status = pb_pbr_writer_new(rows->env, emit_block, rows, &rows->writer);
    for (size_t i = 0; i < count && status == PB_OK; i++)
        status = pb_pbr_writer_add(rows->writer, &reads[i]);
    return status;
}

enum pb_status
pb_cli_rows_add(struct pb_cli_rows *rows, const struct pb_read *reads, size_t count)
{
    if (rows->format == PB_FORMAT_PBR)
        return add_blocks(rows, reads, count);
    for (size_t i = 0; i < count; i++) {
        enum pb_status status = reserve(rows, PB_READ_TEXT_BYTES_MAX + 1);

        if (status != PB_OK)
            return status;
        if (rows->format == PB_FORMAT_CSV) {
            rows->used += pb_read_to_csv(&reads[i], false, rows->text + rows->used);
        } else {
            rows->used += pb_read_to_json(&reads[i], NULL, rows->text + rows->used);
            rows->text[rows->used++] = '\n';
        }
    }
    return PB_OK;
}

enum pb_status
pb_cli_rows_end(struct pb_cli_rows *rows)
{
    return rows->writer == NULL ? PB_OK : pb_pbr_writer_flush(rows->writer);
}

/* ---- target ---- */

static bool
is_one_of(const struct stat *info, char **inputs, size_t input_count)
{
    for (size_t i = 0; i < input_count; i++) {
        struct stat input;

        if (strcmp(inputs[i], "-") != 0 && stat(inputs[i], &input) == 0 &&
            input.st_dev == info->st_dev && input.st_ino == info->st_ino)
            return true;
    }
    return false;
}

static bool
open_file(struct pb_cli_target *target, const char *name, char **inputs, size_t input_count)
{
    char buffer[128];
    struct stat info;

    /* Not emptied yet: it may be one of the inputs. */
    target->descriptor = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (target->descriptor < 0) {
        pb_cli_say(target->cli, "cannot write '%s': %s", name,
                   strerror_r(errno, buffer, sizeof(buffer)));
        return false;
    }
    if (fstat(target->descriptor, &info) == 0 && S_ISREG(info.st_mode)) {
        if (is_one_of(&info, inputs, input_count)) {
            pb_cli_say(target->cli, "'%s' is an input, too: write to another file", name);
            (void)close(target->descriptor);
            return false;
        }
        if (ftruncate(target->descriptor, 0) != 0) {
            pb_cli_say(target->cli, "cannot empty '%s': %s", name,
                       strerror_r(errno, buffer, sizeof(buffer)));
            (void)close(target->descriptor);
            return false;
        }
    }
    pb_cli_out_init(&target->own, target->descriptor);
    target->out = &target->own;
    return true;
}

bool
pb_cli_target_open(struct pb_cli_target *target, struct pb_cli *cli, const char *name,
                   enum pb_format format, char **inputs, size_t input_count)
{
    target->cli = cli;
    target->name = "standard output";
    target->descriptor = -1;
    target->out = cli->out;
    if (strcmp(name, "-") != 0) {
        target->name = name;
        if (!open_file(target, name, inputs, input_count))
            return false;
    }
    if (format == PB_FORMAT_CSV) {
        pb_cli_put_text(target->out, pb_csv_header);
    } else if (format == PB_FORMAT_PBR) {
        uint8_t head[PB_PBR_HEAD_BYTES];

        pb_pbr_head_put(head);
        pb_cli_put_bytes(target->out, head, sizeof(head));
    }
    return true;
}

enum pb_status
pb_cli_target_put(struct pb_cli_target *target, struct pb_cli_rows *rows, struct pb_error *error)
{
    pb_cli_put_bytes(target->out, rows->text, rows->used);
    rows->used = 0;
    if (pb_cli_out_is_open(target->out))
        return PB_OK;
    if (target->out->is_closed)
        return PB_END;
    return pb_cli_out_flush(target->out, target->name, error);
}

enum pb_status
pb_cli_target_close(struct pb_cli_target *target, struct pb_error *error)
{
    enum pb_status status = pb_cli_out_flush(target->out, target->name, error);

    if (target->descriptor >= 0 && close(target->descriptor) != 0 && status == PB_OK)
        status = pb_fail(error, PB_E_IO, "cannot write '%s' to its end", target->name);
    target->descriptor = -1;
    return status;
}
