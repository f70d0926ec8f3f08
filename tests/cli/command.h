/*
 * Running the built command in a directory of its own, and looking at what it said.
 *
 * The command is named by PB_COMMAND (or PLATEBASE_BIN). Every test starts in a new empty
 * directory, which is removed again. Nothing here waits for time to pass.
 */
#ifndef PB_TESTS_CLI_COMMAND_H
#define PB_TESTS_CLI_COMMAND_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#define ARGUMENTS_MAX 64

/* Who asks and why, in a data directory of make_site. */
#define WHO                                                        \
    "--person", "operator", "--purpose", "site-security", "--why", \
        "a bicycle was taken from the north gate"

extern char **environ;

struct command {
    char directory[512];
    char *out, *err; /* owned: what the last run wrote; NUL-terminated */
    size_t out_bytes;
    int exit_code; /* of the last run; -1: ended by a signal */
};

static inline const char *
command_path(void)
{
    const char *path = getenv("PB_COMMAND");

    return path != NULL ? path : getenv("PLATEBASE_BIN");
}

static inline int
remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline int
command_setup(void **state)
{
    const char *temporary = getenv("TMPDIR");
    struct command *command;

    if (command_path() == NULL) {
        fprintf(stderr, "PB_COMMAND does not name the built command\n");
        return -1;
    }
    (void)unsetenv("PLATEBASE_DATA");
    command = calloc(1, sizeof(*command));
    if (command == NULL)
        return -1;
    (void)snprintf(command->directory, sizeof(command->directory), "%s/pb-cli-XXXXXX",
                   temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(command->directory) == NULL || chdir(command->directory) != 0)
        return -1;
    *state = command;
    return 0;
}

static inline int
command_teardown(void **state)
{
    struct command *command = *state;

    if (chdir("/") != 0)
        return -1;
    (void)nftw(command->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(command->out);
    free(command->err);
    free(command);
    return 0;
}

/* A whole file with a NUL behind it; the caller frees it. */
static inline char *
file_text(const char *path, size_t *ret_bytes)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t used = 0, capacity = 0;

    if (file == NULL)
        fail_msg("cannot open %s", path);
    for (;;) {
        if (capacity - used < 2) {
            capacity = capacity == 0 ? 65536 : capacity * 2;
            text = realloc(text, capacity);
            assert_non_null(text);
        }
        size_t got = fread(text + used, 1, capacity - used - 1, file);

        used += got;
        if (got == 0)
            break;
    }
    fclose(file);
    text[used] = '\0';
    if (ret_bytes != NULL)
        *ret_bytes = used;
    return text;
}

static inline void
write_file(const char *path, const char *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(count, fwrite(bytes, 1, count, file));
    assert_int_equal(0, fclose(file));
}

static inline void
write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

static inline void
wait_for(struct command *command, pid_t child)
{
    int result = 0;

    while (waitpid(child, &result, 0) < 0)
        assert_int_equal(EINTR, errno);
    command->exit_code = WIFEXITED(result) ? WEXITSTATUS(result) : -1;
    free(command->out);
    free(command->err);
    command->out = file_text("stdout.txt", &command->out_bytes);
    command->err = file_text("stderr.txt", NULL);
    assert_int_equal(0, remove("stdout.txt"));
    assert_int_equal(0, remove("stderr.txt"));
}

/* Starts the command with its output going to files. input: a file, or NULL for nothing.
 * out_descriptor: where standard output goes instead, or -1; likewise error_descriptor. */
static inline pid_t
start_with(const char *input, int input_descriptor, int out_descriptor, int error_descriptor,
           const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    char *argv[ARGUMENTS_MAX + 2];
    pid_t child = 0;
    int count = 0;

    argv[count++] = strdup("platebase");
    for (; *arguments != NULL && count <= ARGUMENTS_MAX; arguments++)
        argv[count++] = strdup(*arguments);
    argv[count] = NULL;

    assert_int_equal(0, posix_spawn_file_actions_init(&actions));
    if (input_descriptor >= 0)
        posix_spawn_file_actions_adddup2(&actions, input_descriptor, 0);
    else
        posix_spawn_file_actions_addopen(&actions, 0, input != NULL ? input : "/dev/null", O_RDONLY,
                                         0);
    posix_spawn_file_actions_addopen(&actions, 1, "stdout.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, "stderr.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (out_descriptor >= 0)
        posix_spawn_file_actions_adddup2(&actions, out_descriptor, 1);
    if (error_descriptor >= 0)
        posix_spawn_file_actions_adddup2(&actions, error_descriptor, 2);
    if (posix_spawn(&child, command_path(), &actions, NULL, argv, environ) != 0)
        fail_msg("cannot run %s", command_path());
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < count; i++)
        free(argv[i]);
    return child;
}

/* Runs the command to its end with the arguments up to NULL. */
__attribute__((sentinel)) static inline void
run(struct command *command, ...)
{
    const char *arguments[ARGUMENTS_MAX + 1];
    int count = 0;
    va_list list;

    va_start(list, command);
    do {
        assert_true(count <= ARGUMENTS_MAX);
        arguments[count] = va_arg(list, const char *);
    } while (arguments[count++] != NULL);
    va_end(list);
    wait_for(command, start_with(NULL, -1, -1, -1, arguments));
}

/* A data directory as init makes it without options: of a private site and its operator. */
static inline void
make_site(struct command *command, const char *directory)
{
    run(command, "init", directory, "--quiet", NULL);
    if (command->exit_code != 0)
        fail_msg("init: %s", command->err);
}

static inline void
expect_exit(const struct command *command, int exit_code)
{
    if (command->exit_code != exit_code)
        fail_msg("left with %d and not %d; it said: %s%s", command->exit_code, exit_code,
                 command->out, command->err);
}

static inline void
expect_text(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

static inline void
expect_no_text(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" is in: %s", part, text);
}

/* The one JSON object that standard output holds; the caller drops it. */
static inline json_t *
out_object(const struct command *command)
{
    json_error_t error;
    json_t *object = json_loads(command->out, 0, &error);

    if (!json_is_object(object))
        fail_msg("not one JSON object: %s", command->out);
    return object;
}

/* JSON lines as an array; the caller drops it. */
static inline json_t *
json_lines(const char *text)
{
    json_t *array = json_array();

    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        json_error_t error;
        json_t *object = json_loadb(text, length, 0, &error);

        if (object == NULL)
            fail_msg("not JSON: %.*s", (int)length, text);
        assert_int_equal(0, json_array_append_new(array, object));
        text += length + (text[length] == '\n' ? 1 : 0);
    }
    return array;
}

static inline json_int_t
number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value))
        fail_msg("\"%s\" is not a whole number", key);
    return json_integer_value(value);
}

static inline const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? text : "";
}

/* Checks the summary that import printed. */
static inline void
expect_counts(const struct command *command, int stored, int duplicate, int conflict, int rejected)
{
    json_t *summary = out_object(command);

    if (number_of(summary, "stored") != stored || number_of(summary, "duplicate") != duplicate ||
        number_of(summary, "conflict") != conflict || number_of(summary, "rejected") != rejected)
        fail_msg("not %d stored, %d duplicate, %d conflict, %d rejected: %s%s", stored, duplicate,
                 conflict, rejected, command->out, command->err);
    assert_true(json_is_real(json_object_get(summary, "seconds")));
    json_decref(summary);
}

static inline size_t
count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

#endif
