/*
 * Catalog YAML: bytes become records or a refusal that says where. Commit is replaced by one that
 * refuses, so that each input meets the same catalog and nothing waits for a disk.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "catalog/catalog_private.h"
#include "catalog/sqlite/sqlite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pb_catalog *catalog;
static struct pb_sql_ops ops;

static void
check(int is_true)
{
    if (!is_true)
        abort();
}

static enum pb_status
refuse(struct pb_sql *sql, struct pb_error *error)
{
    (void)sql;
    return pb_fail(error, PB_E_IO, "refused");
}

static void
remove_catalog(const char *directory, const char *path)
{
    static const char *const endings[] = { "", "-wal", "-shm" };
    char name[128];

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        check(snprintf(name, sizeof(name), "%s%s", path, endings[i]) > 0);
        (void)unlink(name);
    }
    (void)rmdir(directory);
}

/* A catalog with one record of most entities to refer to; its files have no name any more. */
static void
make_catalog(void)
{
    static const char text[] =
        "agencies:\n"
        "  - {id: ks, name: K, class: local, jurisdiction: US-KS, contributes: yes}\n"
        "  - {id: fed, name: F, class: federal, jurisdiction: US}\n"
        "people: [{id: p, agency: ks, name: P, role: analyst, status: active}]\n"
        "readers: [{id: cam-1, agency: ks}]\n"
        "offences: [{id: o, title: O, jurisdiction: US, class: civil, limitation_years: 1}]\n"
        "cases: [{id: 'ks:1', offence: o}]\n";
    char directory[] = "/tmp/pb-fuzz-XXXXXX", path[64];
    struct pb_catalog_changes changes;

    check(mkdtemp(directory) != NULL);
    check(snprintf(path, sizeof(path), "%s/c.db", directory) > 0);
    ops = *pb_sqlite_ops();
    check(pb_catalog_create(pb_env_system(), path, NULL) == PB_OK);
    check(pb_catalog_open_on(pb_env_system(), &ops, pb_catalog_schema(), path, false, &catalog,
                             NULL) == PB_OK);
    check(pb_catalog_from_yaml(catalog, text, strlen(text), &changes, NULL) == PB_OK);
    remove_catalog(directory, path);
    ops.commit = refuse;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_catalog_changes changes = { .added = 0 };
    struct pb_error error = { .message = "" };
    enum pb_status status;

    if (catalog == NULL)
        make_catalog();
    status = pb_catalog_from_yaml(catalog, (const char *)data, size, &changes, &error);
    check(status == PB_E_IO || status == PB_BAD_INPUT || status == PB_OVER_LIMIT);
    check(changes.added == 0);
    if (status == PB_BAD_INPUT)
        check(strncmp(error.message, "line ", 5) == 0);
    else if (status == PB_E_IO)
        check(strcmp(error.message, "refused") == 0);
    return 0;
}
