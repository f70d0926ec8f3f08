/*
 * The data directory: making, opening, changing with leaves, backup.
 */
#include "inquiry/site_room.h"

#include <fts.h>
#include <sys/stat.h>

static bool
has_file(const struct site_room *room, const char *name)
{
    char path[512];
    struct stat info;

    (void)snprintf(path, sizeof(path), "%s/%s", room->path, name);
    return stat(path, &info) == 0;
}

static unsigned
mode_of(const struct site_room *room, const char *name)
{
    char path[512];
    struct stat info;

    (void)snprintf(path, sizeof(path), "%s/%s", room->path, name);
    assert_int_equal(0, stat(path, &info));
    return (unsigned)info.st_mode & 0777u;
}

static void
a_new_directory_has_all_its_parts_and_keys_for_its_owner_alone(void **state)
{
    static const char *const parts[] = { "SITE",    "catalog.db",     "reads",
                                         "audit",   "keys",           "rules",
                                         "rejects", "keys/_site.key", "audit/public/operator" };
    struct site_room room;

    (void)state;
    room_init(&room);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!has_file(&room, parts[i]))
            fail_msg("%s is missing", parts[i]);
    }
    assert_int_equal(0600, mode_of(&room, "keys/_site.key"));
    assert_true(has_file(&room, "audit/public/kansas-pd"));
    /* A directory that holds something is not taken. */
    assert_int_equal(PB_E_NOT_STORE, pb_site_create(room.env, room.path, &room.error));
    assert_int_equal(PB_E_NOT_STORE, pb_site_create(room.env, room.directory, &room.error));
    room_done(&room);
}

static void
what_is_no_site_is_refused_with_a_word_how_to_make_one(void **state)
{
    struct pb_site_options options = { .mode = PB_SITE_ASK };
    struct site_room room;
    struct pb_site *site = NULL;
    char path[512];
    FILE *file = NULL;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_E_NOT_STORE,
                     pb_site_open(room.env, room.directory, &options, &site, &room.error));
    assert_says(room.error.message, "platebase init");
    room_close(&room);
    (void)snprintf(path, sizeof(path), "%s/SITE", room.path);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("platebase-site 2\n", file);
    (void)fclose(file);
    assert_int_equal(PB_E_VERSION, pb_site_open(room.env, room.path, &options, &site, &room.error));
    assert_null(site);
    room_done(&room);
}

static void
without_keys_nothing_is_asked_and_looking_goes_on(void **state)
{
    struct pb_site_options options = { .mode = PB_SITE_ASK };
    struct site_room room;
    struct pb_site *site = NULL;
    char from[512];
    char to[512];

    (void)state;
    room_init(&room);
    room_close(&room);
    (void)snprintf(from, sizeof(from), "%s/keys/_site.key", room.path);
    (void)snprintf(to, sizeof(to), "%s/elsewhere.key", room.directory);
    assert_int_equal(0, rename(from, to));
    assert_int_equal(PB_E_NOT_STORE,
                     pb_site_open(room.env, room.path, &options, &site, &room.error));
    assert_says(room.error.message, "keys");
    room_open_as(&room, PB_SITE_LOOK);
    room_done(&room);
}

/* ---- changes ---- */

static enum pb_status
put(struct site_room *room, const char *actor, const char *entity_name, enum pb_put_mode mode,
    const char *const *pairs)
{
    const struct pb_entity *entity = pb_catalog_entity(entity_name);
    struct pb_record record = { .entity = entity };
    struct pb_actor who = { .person = actor };

    for (; pairs[0] != NULL; pairs += 2) {
        bool is_known = false;

        for (unsigned i = 0; i < entity->field_count; i++) {
            if (strcmp(entity->fields[i].name, pairs[0]) == 0) {
                record.values[i] = pairs[1];
                is_known = true;
            }
        }
        assert_true(is_known);
    }
    return pb_site_put(room->site, &who, &record, mode, &room->error);
}

static void
a_change_has_its_leaf_in_the_log_of_whose_it_is(void **state)
{
    const char *const agency[] = { "id",           "lake-pd", "name",  "Example Lake Police",
                                   "jurisdiction", "US-KS",   "class", "local",
                                   "contributes",  "yes",     NULL };
    const char *const person[] = { "id",   "lakeman", "agency", "lake-pd", "name", "L. Man",
                                   "role", "officer", "status", "active",  NULL };
    const char *const change[] = { "id", "lakeman", "status", "suspended", NULL };
    struct site_room room;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_expect(&room, PB_OK, put(&room, NULL, "agency", PB_PUT_ADD, agency), "agency");
    (void)room_leaves(&room, PB_AUDIT_OPERATOR, "change", &leaf);
    assert_says(leaf.leaf, "\"entity\":\"agency\"");
    assert_says(leaf.leaf, "\"verb\":\"add\"");
    assert_says(leaf.secrets, "id=lake-pd\n");
    room_expect(&room, PB_OK, put(&room, NULL, "person", PB_PUT_ADD, person), "person");
    room_expect(&room, PB_OK, put(&room, NULL, "person", PB_PUT_CHANGE, change), "change");
    assert_int_equal(2, room_leaves(&room, "lake-pd", "change", &leaf));
    assert_says(leaf.leaf, "\"fields\":\"status\"");
    assert_says(leaf.leaf, "\"verb\":\"change\"");
    assert_null(strstr(leaf.leaf, "lakeman"));
    assert_says(leaf.secrets, "id=lakeman\n");
    assert_int_equal(0, room_leaves(&room, "lake-pd", "unchanged", NULL));
    room_done(&room);
}

static void
a_change_that_the_catalog_refuses_is_told_so_in_the_log(void **state)
{
    const char *const person[] = { "id", "nobody2", "agency", "kansas-pd", NULL };
    struct site_room room;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    assert_int_equal(PB_BAD_INPUT, put(&room, NULL, "person", PB_PUT_ADD, person));
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "unchanged", &leaf));
    assert_says(leaf.leaf, "\"status\":\"bad input\"");
    assert_int_equal(PB_BAD_INPUT,
                     put(&room, NULL, "agency", PB_PUT_ADD,
                         (const char *const[]){ "id", "operator", "name", "X", "jurisdiction",
                                                "US-KS", "class", "local", NULL }));
    /* And no agency that was refused has a log. */
    assert_int_equal(PB_NOT_FOUND,
                     put(&room, NULL, "agency", PB_PUT_CHANGE,
                         (const char *const[]){ "id", "nobody-pd", "contact", "desk", NULL }));
    assert_false(has_file(&room, "audit/public/nobody-pd"));
    room_done(&room);
}

static void
people_change_only_what_is_their_agencys_and_only_administrators(void **state)
{
    const char *const own[] = { "id", "low", "note", "On leave", NULL };
    const char *const other[] = { "id", "roe", "note", "On leave", NULL };
    const char *const agency[] = { "id", "kansas-pd", "contact", "front desk", NULL };
    const char *const offence[] = { "id", "burglary", "title", "Burglary at night", NULL };
    struct site_room room;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_expect(&room, PB_OK, put(&room, "adm", "person", PB_PUT_CHANGE, own), "own");
    (void)room_leaves(&room, "kansas-pd", "change", &leaf);
    assert_says(leaf.secrets, "person=adm\n");
    assert_int_equal(PB_NOT_FOUND, put(&room, "adm", "person", PB_PUT_CHANGE, other));
    assert_int_equal(PB_DENIED, put(&room, "adm", "agency", PB_PUT_CHANGE, agency));
    assert_int_equal(PB_DENIED, put(&room, "adm", "offence", PB_PUT_CHANGE, offence));
    assert_int_equal(PB_DENIED, put(&room, "doe", "person", PB_PUT_CHANGE, own));
    assert_int_equal(PB_DENIED, put(&room, "nobody", "person", PB_PUT_CHANGE, own));
    assert_int_equal(1, room_leaves(&room, "kansas-pd", "change", NULL));
    room_done(&room);
}

static void
a_removal_is_a_change(void **state)
{
    struct site_room room;
    struct pb_actor operator= { 0 };
    struct room_found leaf;

    (void)state;
    room_init(&room);
    room_expect(&room, PB_OK,
                pb_site_remove(room.site, &operator, pb_catalog_entity("agreement"),
                               "kansas-bureau", &room.error),
                "remove");
    (void)room_leaves(&room, "kansas-pd", "change", &leaf);
    assert_says(leaf.leaf, "\"verb\":\"remove\"");
    assert_says(leaf.secrets, "id=kansas-bureau\n");
    assert_int_equal(PB_NOT_FOUND,
                     pb_site_remove(room.site, &operator, pb_catalog_entity("agreement"),
                                    "kansas-bureau", &room.error));
    room_done(&room);
}

/* ---- rule packs ---- */

static const char veto_pack[] =
    "pack: site-veto\nversion: 1\ntitle: Example\nvalid_from: 2020-01-01\nbinds: everyone\n"
    "rules:\n  - { id: site-veto.one, text: Not here., source: Example, verified: true,"
    " kind: veto_purposes, purposes: [criminal-investigation] }\n";

static void
a_pack_counts_from_when_it_is_put_also_in_other_processes(void **state)
{
    struct site_room room;
    struct pb_actor operator= { 0 };
    struct pb_inquiry inquiry;
    struct room_found leaf;
    char path[512];
    FILE *file = NULL;

    (void)state;
    room_init(&room);
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    (void)room_ask(&room, &inquiry);
    room_expect(&room, PB_OK,
                pb_site_put_pack(room.site, &operator, "site-veto.yaml", veto_pack,
                                 strlen(veto_pack), &room.error),
                "put pack");
    (void)room_leaves(&room, PB_AUDIT_OPERATOR, "change", &leaf);
    assert_says(leaf.leaf, "\"entity\":\"pack\"");
    assert_says(leaf.leaf, "\"id\":\"site-veto.yaml\"");
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    room_reopen(&room);
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);

    /* What another process puts is seen within a second. */
    (void)snprintf(path, sizeof(path), "%s/rules/site-veto.yaml", room.path);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("pack: site-veto\nversion: 2\ntitle: Example\nvalid_from: 2020-01-02\n"
          "binds: everyone\nrules:\n  - { id: site-veto.none, text: A duty., source: Example,"
          " verified: true, kind: duty, of: results }\n",
          file);
    (void)fclose(file);
    room_expect(&room, PB_OK,
                pb_catalog_note_put(pb_site_catalog(room.site), "rules", "site-veto.yaml",
                                    pb_str_from("another hash"), &room.error),
                "note");
    room.now_us += PB_SECOND_US;
    (void)room_ask(&room, &inquiry);
    room_done(&room);
}

static void
a_pack_that_does_not_compile_changes_nothing(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        { "site.yaml", "pack: site\n" }, { "site.yaml", "{" },      { "../escape.yaml", veto_pack },
        { ".hidden.yaml", veto_pack },   { "site.txt", veto_pack }, { "", veto_pack },
    };
    struct site_room room;
    struct pb_actor operator= { 0 };
    struct pb_actor person = { .person = "adm" };
    struct pb_inquiry inquiry;
    uint64_t before = 0;

    (void)state;
    room_init(&room);
    before = room_leaves(&room, PB_AUDIT_OPERATOR, "change", NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum pb_status status = pb_site_put_pack(room.site, &operator, cases[i].name, cases[i].text,
                                                 strlen(cases[i].text), &room.error);

        if (status != PB_BAD_INPUT)
            fail_msg("case %zu: %s", i, pb_status_name(status));
    }
    assert_int_equal(PB_DENIED, pb_site_put_pack(room.site, &person, "site-veto.yaml", veto_pack,
                                                 strlen(veto_pack), &room.error));
    assert_int_equal(before, room_leaves(&room, PB_AUDIT_OPERATOR, "change", NULL));
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    (void)room_ask(&room, &inquiry);
    room_reopen(&room);
    (void)room_ask(&room, &inquiry);
    room_done(&room);
}

static void
a_pack_comes_into_force_at_its_moment(void **state)
{
    static const char pack[] =
        "pack: site-veto\nversion: 1\ntitle: Example\nvalid_from: 2026-06-02\nbinds: everyone\n"
        "rules:\n  - { id: site-veto.one, text: Not here., source: Example, verified: true,"
        " kind: veto_purposes, purposes: [criminal-investigation] }\n";
    struct site_room room;
    struct pb_actor operator= { 0 };
    struct pb_inquiry inquiry;

    (void)state;
    room_init(&room);
    room_expect(&room, PB_OK,
                pb_site_put_pack(room.site, &operator, "site-veto.yaml", pack, strlen(pack),
                                 &room.error),
                "put pack");
    inquiry = room_inquiry(&room, PB_INQUIRY_PLATE, "KSA123");
    room.now_us = INT64_C(1780358400000000) - 1; /* a microsecond before 2026-06-02 */
    (void)room_ask(&room, &inquiry);
    room.now_us++;
    (void)room_ask_for(&room, &inquiry, PB_POLICY_DENY);
    room.now_us--; /* clocks jump back, too */
    (void)room_ask(&room, &inquiry);
    room_done(&room);
}

/* ---- marks ---- */

static void
opening_and_closing_for_writing_say_how_far_the_store_has_come(void **state)
{
    struct site_room room;
    struct room_found leaf;

    (void)state;
    room_init(&room);
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "start", &leaf));
    assert_says(leaf.leaf, "\"reads\":0");
    room_add(&room, "KSA123", "k1", PB_DAY_US);
    room_reopen(&room);
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "stop", &leaf));
    assert_says(leaf.leaf, "\"reads\":1");
    assert_int_equal(2, room_leaves(&room, PB_AUDIT_OPERATOR, "start", &leaf));
    room_close(&room);
    room_open_as(&room, PB_SITE_ASK);
    assert_int_equal(2, room_leaves(&room, PB_AUDIT_OPERATOR, "start", &leaf));
    assert_int_equal(1, room_count_plate(&room, "KSA123"));
    room_done(&room);
}

/* ---- backup ---- */

/* Copies a directory and all that is in it. */
static void
copy_tree(const char *from, const char *to, unsigned mode)
{
    char *const paths[] = { (char *)(uintptr_t)from, NULL };
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    assert_non_null(walk);
    for (FTSENT *entry = fts_read(walk); entry != NULL; entry = fts_read(walk)) {
        static char bytes[1u << 20];
        char path[1024];
        FILE *in = NULL;
        FILE *out = NULL;
        size_t count = 0;

        (void)snprintf(path, sizeof(path), "%s%s", to, entry->fts_path + strlen(from));
        if (entry->fts_info == FTS_D)
            assert_int_equal(0, mkdir(path, mode));
        if (entry->fts_info != FTS_F)
            continue;
        in = fopen(entry->fts_path, "rb");
        out = fopen(path, "wb");
        assert_non_null(in);
        assert_non_null(out);
        count = fread(bytes, 1, sizeof(bytes), in);
        assert_true(count < sizeof(bytes));
        assert_int_equal(count, fwrite(bytes, 1, count, out));
        (void)fclose(in);
        (void)fclose(out);
    }
    (void)fts_close(walk);
}

static void
copy_part(const char *from, const char *to, const char *name, unsigned mode)
{
    char from_path[512];
    char to_path[512];

    (void)snprintf(from_path, sizeof(from_path), "%.200s/%s", from, name);
    (void)snprintf(to_path, sizeof(to_path), "%.200s/%s", to, name);
    copy_tree(from_path, to_path, mode);
}

/* A room of its own over a directory restored by hand, with the same clock. */
static void
restore(const struct site_room *room, const char *backup, struct site_room *restored)
{
    static const char *const parts[] = { "SITE", "catalog.db", "audit", "rules" };
    char from[512];
    char to[512];

    memset(restored, 0, sizeof(*restored));
    restored->now_us = room->now_us;
    room_init_env(restored);
    (void)snprintf(restored->path, sizeof(restored->path), "%.100s/restored", room->directory);
    assert_int_equal(0, mkdir(restored->path, 0700));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        copy_part(backup, restored->path, parts[i], 0700);
    (void)snprintf(from, sizeof(from), "%.200s/reads", backup);
    (void)snprintf(to, sizeof(to), "%.200s/reads", restored->path);
    room_expect(restored, PB_OK, pb_store_restore(restored->env, from, to, NULL, &restored->error),
                "restore");
}

static void
a_restored_backup_gives_nothing_that_expired_meanwhile(void **state)
{
    struct pb_site_options options = { .mode = PB_SITE_ASK };
    struct site_room room;
    struct site_room restored;
    struct pb_site *site = NULL;
    char backup[256];

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "m1", 0);
    room_add(&room, "KSA123", "k1", 0);
    room_reopen(&room);
    (void)snprintf(backup, sizeof(backup), "%s/backup", room.directory);
    room_expect(&room, PB_OK, pb_site_backup(room.site, backup, NULL, &room.error), "backup");
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "backup", NULL));
    restore(&room, backup, &restored);

    /* Without its keys it is there to look at and no more. */
    assert_int_equal(PB_E_NOT_STORE,
                     pb_site_open(restored.env, restored.path, &options, &site, &restored.error));
    room_open_as(&restored, PB_SITE_LOOK);
    room_close(&restored);

    /* With the keys of logs that ended with the backup it goes on where they ended. */
    copy_part(room.path, restored.path, "keys", 0700);
    restored.now_us += 21 * PB_DAY_US - PB_SECOND_US;
    room_open_as(&restored, PB_SITE_WRITE);
    assert_int_equal(2, room_count_plate(&restored, "KSA123"));
    for (int second = 0; second <= 1; second++) {
        restored.now_us += PB_SECOND_US;
        assert_int_equal(1, room_count_plate(&restored, "KSA123"));
    }
    room_close(&restored);
    assert_true(fault_env_is_clean(&restored.fault));
    room_done(&room);
}

static void
a_backup_older_than_the_logs_forks_nothing(void **state)
{
    struct pb_site_options options = { .mode = PB_SITE_ASK };
    struct site_room room;
    struct site_room restored;
    struct pb_site *site = NULL;
    char backup[256];

    (void)state;
    room_init(&room);
    room_add(&room, "KSA123", "k1", 0);
    (void)snprintf(backup, sizeof(backup), "%s/backup", room.directory);
    room_expect(&room, PB_OK, pb_site_backup(room.site, backup, NULL, &room.error), "backup");
    assert_int_equal(1, room_count_plate(&room, "KSA123"));
    room_close(&room); /* the checkpoint over that inquiry is given out */
    restore(&room, backup, &restored);
    copy_part(room.path, restored.path, "keys", 0700);
    assert_int_equal(PB_E_CORRUPT,
                     pb_site_open(restored.env, restored.path, &options, &site, &restored.error));
    assert_null(site);
    room_open_as(&restored, PB_SITE_LOOK);
    room_close(&restored);
    assert_true(fault_env_is_clean(&restored.fault));
    room_done(&room);
}

/* ---- what the logs answer to outside ---- */

static void
write_setting(const struct site_room *room, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", room->path, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(0, fclose(file));
}

static enum pb_status
open_again(struct site_room *room, enum pb_site_mode mode, bool without_copies)
{
    struct pb_site_options options = { .mode = mode,
                                       .publishes_by_hand = true,
                                       .without_copies = without_copies };
    enum pb_status status;

    room_close(room);
    room->error.message[0] = '\0';
    status = pb_site_open(room->env, room->path, &options, &room->site, &room->error);
    return status;
}

static void
settings_that_cannot_be_obeyed_keep_from_asking_and_not_from_looking(void **state)
{
    static const struct {
        const char *name, *text, *says;
        enum pb_status status;
    } cases[] = {
        { "witnesses", "nonsense\n", "line 1", PB_E_CORRUPT },
        { "witnesses", "", "without a quorum", PB_E_CORRUPT },
        { "checkpoint-copies", "", "absolute path", PB_BAD_INPUT },
        { "checkpoint-copies", "here\n", "absolute path", PB_BAD_INPUT },
        { "checkpoint-copies", "/tmp/\xE2\x80\xAE\n", "absolute path", PB_BAD_INPUT },
        { "checkpoint-copies", "/tmp/not-there/at/all", "is not there", PB_E_IO },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct site_room room;

        room_init(&room);
        write_setting(&room, cases[i].name, cases[i].text);
        room_expect(&room, cases[i].status, open_again(&room, PB_SITE_ASK, false), cases[i].text);
        assert_says(room.error.message, cases[i].says);
        assert_null(room.site);
        assert_int_equal(cases[i].status,
                         pb_site_restart_log(room.env, room.path, "operator", &room.error));
        room_expect(&room, PB_OK, open_again(&room, PB_SITE_LOOK, false), "look");
        assert_null(pb_site_witnesses(room.site));
        assert_null(pb_site_copies(room.site));
        room_done(&room);
    }
}

static void
settings_are_changed_with_a_leaf_and_hold_from_the_next_opening_on(void **state)
{
    struct site_room room;
    struct room_found found;
    char inside[256], copy[300];
    struct stat info;

    (void)state;
    room_init(&room);
    assert_null(pb_site_witnesses(room.site));
    assert_null(pb_site_copies(room.site));
    room_expect(&room, PB_OK,
                pb_site_put_witnesses(room.site, pb_str_from("quorum none\n"), &room.error),
                "witnesses");
    assert_int_equal(1, room_leaves(&room, PB_AUDIT_OPERATOR, "change", &found) > 0);
    assert_says(found.leaf, "\"id\":\"witnesses\"");
    assert_null(pb_site_witnesses(room.site));
    assert_int_equal(PB_BAD_INPUT,
                     pb_site_put_witnesses(room.site, pb_str_from("quorum\n"), &room.error));
    (void)snprintf(inside, sizeof(inside), "%s/outside", room.directory);
    assert_int_equal(PB_E_IO, pb_site_put_copies(room.site, inside, &room.error));
    assert_int_equal(0, mkdir(inside, 0700));
    room_expect(&room, PB_OK, pb_site_put_copies(room.site, inside, &room.error), "copies");
    room_expect(&room, PB_OK, open_again(&room, PB_SITE_WRITE, false), "again");
    assert_non_null(pb_site_witnesses(room.site));
    assert_string_equal(inside, pb_site_copies(room.site));
    (void)room_count_plate(&room, "KSA123");
    room_expect(&room, PB_OK, open_again(&room, PB_SITE_WRITE, false), "again");
    (void)snprintf(copy, sizeof(copy), "%s/kansas-pd.checkpoint", inside);
    assert_int_equal(0, stat(copy, &info));

    /* Who takes both away says so, also where the directory has gone. */
    (void)snprintf(copy, sizeof(copy), "%s/elsewhere", room.directory);
    room_close(&room);
    assert_int_equal(0, rename(inside, copy));
    room_expect(&room, PB_OK, open_again(&room, PB_SITE_ASK, true), "without copies");
    room_expect(&room, PB_OK, pb_site_put_copies(room.site, NULL, &room.error), "no copies");
    room_expect(&room, PB_OK, pb_site_put_copies(room.site, NULL, &room.error), "none to remove");
    room_expect(&room, PB_OK, pb_site_put_witnesses(room.site, pb_str_from(""), &room.error),
                "none");
    room_expect(&room, PB_OK, open_again(&room, PB_SITE_WRITE, false), "again");
    assert_null(pb_site_witnesses(room.site));
    assert_null(pb_site_copies(room.site));
    room_done(&room);
}

static void
paths_past_the_longest_are_refused(void **state)
{
    static char path[PB_PATH_BYTES_MAX + 1];
    struct site_room room;

    (void)state;
    room_init(&room);
    memset(path, 'x', PB_PATH_BYTES_MAX);
    path[0] = '/';
    assert_int_equal(PB_OVER_LIMIT, pb_site_restart_log(room.env, path, "operator", &room.error));
    assert_int_equal(PB_OVER_LIMIT, pb_site_create(room.env, path, &room.error));
    assert_int_equal(PB_BAD_INPUT, pb_site_put_copies(room.site, path, &room.error));
    room_done(&room);
}

static void
a_directory_of_another_format_is_not_opened_and_named(void **state)
{
    static const struct {
        const char *text, *says;
        enum pb_status status;
    } cases[] = {
        { "", "no Platebase data directory", PB_E_NOT_STORE },
        { "platebase", "no Platebase data directory", PB_E_NOT_STORE },
        { "Platebase-site 1\n", "no Platebase data directory", PB_E_NOT_STORE },
        { "platebase-site 2\n", "format 2, and", PB_E_VERSION },
        { "platebase-site 12345678901234\n", "format 1234567890, and", PB_E_VERSION },
        { "platebase-site 7", "format 7, and", PB_E_VERSION },
        { "platebase-site x\n", "format , and", PB_E_VERSION },
    };
    const struct pb_site_options options = { .mode = PB_SITE_LOOK };
    struct site_room room;

    (void)state;
    room_init(&room);
    room_close(&room);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pb_site *site = NULL;

        write_setting(&room, "SITE", cases[i].text);
        if (pb_site_open(room.env, room.path, &options, &site, &room.error) != cases[i].status)
            fail_msg("case %zu: %s", i, room.error.message);
        assert_says(room.error.message, cases[i].says);
        assert_null(site);
    }
    room.site = NULL;
    room_done(&room);
}

/* Beside the packs of a site may lie what is none. */
static void
only_files_that_are_named_like_packs_are_packs(void **state)
{
    static const char *const names[] = { "rules/.hidden.yaml", "rules/notes.txt", "rules/.yaml",
                                         "rules/yaml" };
    static const char *const refused[] = { "",      ".yaml",    ".x.yaml", "x",
                                           "x.yml", "a/b.yaml", "x y.yaml" };
    struct pb_actor operator= { 0 };
    struct site_room room;
    char path[256], large[PB_PATH_BYTES_MAX];

    (void)state;
    room_init(&room);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        write_setting(&room, names[i], "this is no pack");
    (void)snprintf(path, sizeof(path), "%s/rules/folder.yaml", room.path);
    assert_int_equal(0, mkdir(path, 0700));
    room_reopen(&room);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(PB_BAD_INPUT,
                         pb_site_put_pack(room.site, &operator, refused[i], "x", 1, &room.error));
    memset(large, 'x', sizeof(large));
    memcpy(large + sizeof(large) - 6, ".yaml", 6);
    assert_int_equal(PB_BAD_INPUT,
                     pb_site_put_pack(room.site, &operator, large, "x", 1, &room.error));
    room_done(&room);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_directory_has_all_its_parts_and_keys_for_its_owner_alone),
        cmocka_unit_test(what_is_no_site_is_refused_with_a_word_how_to_make_one),
        cmocka_unit_test(without_keys_nothing_is_asked_and_looking_goes_on),
        cmocka_unit_test(a_change_has_its_leaf_in_the_log_of_whose_it_is),
        cmocka_unit_test(a_change_that_the_catalog_refuses_is_told_so_in_the_log),
        cmocka_unit_test(people_change_only_what_is_their_agencys_and_only_administrators),
        cmocka_unit_test(a_removal_is_a_change),
        cmocka_unit_test(a_pack_counts_from_when_it_is_put_also_in_other_processes),
        cmocka_unit_test(a_pack_that_does_not_compile_changes_nothing),
        cmocka_unit_test(a_pack_comes_into_force_at_its_moment),
        cmocka_unit_test(opening_and_closing_for_writing_say_how_far_the_store_has_come),
        cmocka_unit_test(a_restored_backup_gives_nothing_that_expired_meanwhile),
        cmocka_unit_test(a_backup_older_than_the_logs_forks_nothing),
        cmocka_unit_test(settings_that_cannot_be_obeyed_keep_from_asking_and_not_from_looking),
        cmocka_unit_test(settings_are_changed_with_a_leaf_and_hold_from_the_next_opening_on),
        cmocka_unit_test(paths_past_the_longest_are_refused),
        cmocka_unit_test(a_directory_of_another_format_is_not_opened_and_named),
        cmocka_unit_test(only_files_that_are_named_like_packs_are_packs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
