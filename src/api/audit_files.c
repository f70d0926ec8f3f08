/*
 * Audit files: the public side of the logs, as files that anybody may fetch.
 *
 * Twice bounded: only names that the grammar of api/tile_path.h knows are looked for, and each is
 * opened in the directory before it without following a link, so that one which somebody has put
 * there leads nowhere. openat2 would do that in one call, and is what the sandbox of our unit
 * forbids (RestrictSUIDSGID).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_private.h"
#include "api/tile_path.h"
#include "base/limits.h"
#include "base/text.h"

#define CHECKPOINT_BYTES_MAX 65536u /* with all the witnesses that it could have */
#define TILE_BYTES_MAX (256u * (2u + 65535u))

/* A file below the directory, or -1 with errno. path: of proper names; is cut up. */
static int
open_beneath(int directory, char *path)
{
    const int on_the_way = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const int at_its_end = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int at = directory, next, why;
    char *name = path, *slash;

    do {
        slash = strchr(name, '/');
        if (slash != NULL)
            *slash = '\0';
        next = openat(at, name, slash != NULL ? on_the_way : at_its_end);
        why = errno;
        if (at != directory)
            (void)close(at);
        errno = why;
        at = next;
        name = slash != NULL ? slash + 1 : name;
    } while (next >= 0 && slash != NULL);
    return next;
}

static enum pb_status
answer_none(const struct pb_api_call *call, struct pb_reply *reply)
{
    return pb_api_problem(call, reply, 404, "there is no such log or tile", NULL);
}

/* Answers with the file at `path`, which has been found to be a proper name. */
static enum pb_status
answer_file(const struct pb_api *api, const struct pb_api_call *call, char *path,
            uint64_t bytes_max, struct pb_reply *reply)
{
    int file = open_beneath(api->audit_directory, path);
    struct stat info;

    if (file < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return answer_none(call, reply);
    if (file < 0)
        return PB_E_IO;
    if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 0 ||
        (uint64_t)info.st_size > bytes_max) {
        (void)close(file);
        return answer_none(call, reply);
    }
    pb_reply_file(reply, file, (uint64_t)info.st_size);
    /* Monitors may also be pages of other sites: this is meant to be read by anybody. */
    pb_reply_header(reply, "Access-Control-Allow-Origin", pb_str_from("*"));
    pb_reply_header(reply, "Cross-Origin-Resource-Policy", pb_str_from("cross-origin"));
    return PB_OK;
}

enum pb_status
pb_api_handle_audit_checkpoint(struct pb_api *api, const struct pb_api_call *call,
                               struct pb_reply *reply)
{
    struct pb_str log = pb_request_param(call->request, "log");
    char path[PB_CATALOG_ID_BYTES_MAX + 16];

    if (!pb_api_tile_log_is_valid(log) || api->audit_directory < 0)
        return answer_none(call, reply);
    (void)snprintf(path, sizeof(path), "%.*s/checkpoint", (int)log.bytes, log.text);
    reply->content_type = "text/plain; charset=utf-8";
    pb_reply_header(reply, "Cache-Control", pb_str_from("no-cache"));
    return answer_file(api, call, path, CHECKPOINT_BYTES_MAX, reply);
}

enum pb_status
pb_api_handle_audit_tile(struct pb_api *api, const struct pb_api_call *call, struct pb_reply *reply)
{
    struct pb_str log = pb_request_param(call->request, "log");
    struct pb_str tile = pb_request_param(call->request, "tile");
    char path[PB_CATALOG_ID_BYTES_MAX + PB_TILE_PATH_BYTES_MAX + 16];

    if (!pb_api_tile_log_is_valid(log) || !pb_api_tile_path_is_valid(tile) ||
        api->audit_directory < 0)
        return answer_none(call, reply);
    assert(tile.bytes <= PB_TILE_PATH_BYTES_MAX);
    (void)snprintf(path, sizeof(path), "%.*s/tile/%.*s", (int)log.bytes, log.text, (int)tile.bytes,
                   tile.text);
    reply->content_type = "application/octet-stream";
    pb_reply_header(reply, "Cache-Control", pb_str_from("public, max-age=31536000, immutable"));
    return answer_file(api, call, path, TILE_BYTES_MAX, reply);
}
