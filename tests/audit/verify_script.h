/*
 * Verify script: public files brought to a real disk, and looked at by scripts/verify-log, which
 * shares no code with src/audit.
 */
#ifndef PB_TESTS_VERIFY_SCRIPT_H
#define PB_TESTS_VERIFY_SCRIPT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit_room.h"

struct exporting {
    struct room *room;
    const char *prefix, *directory;
};

static inline void
make_directories_above(char *path)
{
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(path, 0700);
            *at = '/';
        }
    }
}

static inline void
write_file(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(count, fwrite(bytes, 1, count, file));
    assert_int_equal(0, fclose(file));
}

static inline void
export_file(void *context, const char *path, uint64_t size)
{
    struct exporting *exporting = context;
    const struct pb_env *env = &exporting->room->env;
    size_t prefix_bytes = strlen(exporting->prefix);
    struct pb_file *file = NULL;
    char target[512];
    uint8_t *bytes;

    if (strncmp(path, exporting->prefix, prefix_bytes) != 0)
        return;
    bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    (void)snprintf(target, sizeof(target), "%s/%s", exporting->directory, path + prefix_bytes);
    make_directories_above(target);
    assert_int_equal(PB_OK, env->files->open(env->file_context, path, PB_OPEN_READ, &file, NULL));
    assert_int_equal(PB_OK,
                     env->files->read(env->file_context, file, 0, bytes, (size_t)size, NULL));
    env->files->close(env->file_context, file);
    write_file(target, bytes, (size_t)size);
    free(bytes);
}

static inline void
add_path(void *context, const char *path, uint64_t size)
{
    char(*paths)[256] = context;

    (void)size;
    for (size_t i = 0; i < 4096; i++) {
        if (paths[i][0] == '\0') {
            (void)snprintf(paths[i], sizeof(paths[i]), "%s", path);
            return;
        }
    }
}

/* Brings the files under prefix ("data/audit/public/a42/") to directory. */
static inline void
export_files(struct room *room, const char *prefix, const char *directory)
{
    struct exporting exporting = { room, prefix, directory };
    char(*paths)[256] = calloc(4097, sizeof(*paths));

    assert_non_null(paths);
    sim_fs_each_file(room->fs, add_path, paths);
    for (size_t i = 0; paths[i][0] != '\0'; i++) {
        uint64_t size = 0;

        assert_true(sim_fs_file_size(room->fs, paths[i], &size));
        export_file(&exporting, paths[i], size);
    }
    free(paths);
}

static inline bool
has_python(void)
{
    return system("python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null") == 0;
}

/* Exit status of `scripts/verify-log arguments`; what it says goes to output. */
static inline int
verify_script(const char *arguments, char *output, size_t output_bytes)
{
    char command[2048];
    size_t count;
    FILE *pipe;
    int status;

    (void)snprintf(command, sizeof(command), "python3 scripts/verify-log %s 2>&1", arguments);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    count = fread(output, 1, output_bytes - 1, pipe);
    output[count] = '\0';
    while (fgetc(pipe) != EOF)
        ;
    status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void
remove_directory(const char *directory)
{
    char command[512];

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    assert_int_equal(0, system(command));
}

#endif
