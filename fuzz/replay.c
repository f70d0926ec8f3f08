/*
 * Replay: gives each seed of one fuzz target to it once, without a fuzzing engine.
 *
 * So that what fuzzing found once stays found: the seeds run in every build of the
 * test suite, with any compiler. Prints one case in the test-anything form.
 *
 * Usage: replay_<topic> DIRECTORY
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SEED_BYTES_MAX (64u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
    int result = -1;
    uint8_t *data = NULL;
    FILE *file = NULL;
    struct stat info;
    size_t size;

    file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &info) != 0)
        goto out;
    if (!S_ISREG(info.st_mode) || info.st_size < 0 || info.st_size > SEED_BYTES_MAX) {
        errno = EINVAL;
        goto out;
    }

    /* Exactly as large as the seed, so that AddressSanitizer sees a read past its end. */
    size = (size_t)info.st_size;
    data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size)
        goto out;

    (void)LLVMFuzzerTestOneInput(data, size);
    result = 0;

out:
    if (result != 0)
        perror(path);
    free(data);
    if (file != NULL)
        (void)fclose(file);
    return result;
}

static int
is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
    static const uint8_t nothing[1];
    struct dirent **seeds = NULL;
    int count;
    int failed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }

    count = scandir(argv[1], &seeds, is_seed, alphasort);
    if (count <= 0) {
        fprintf(stderr, "replay: %s: no seeds\n", argv[1]);
        failed = 1;
    }

    (void)LLVMFuzzerTestOneInput(nothing, 0);
    for (int i = 0; i < count; i++) {
        char path[4096];
        int bytes = snprintf(path, sizeof(path), "%s/%s", argv[1], seeds[i]->d_name);

        if (bytes < 0 || (size_t)bytes >= sizeof(path) || replay_file(path) != 0)
            failed = 1;
        free(seeds[i]);
    }
    free(seeds);

    printf("1..1\n%s 1 - replay of %d seeds from %s\n", failed ? "not ok" : "ok",
           count > 0 ? count : 0, argv[1]);
    return failed;
}
