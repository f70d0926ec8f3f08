/* Notes: put, swapped once, found by the beginning of their key. */
#include "catalog/catalog_room.h"

#include "base/limits.h"

static struct pb_str
text(const char *words)
{
    return pb_str_from(words);
}

static void
put(struct catalog_room *room, const char *name, const char *key, const char *value)
{
    room_expect(room, PB_OK,
                pb_catalog_note_put(room->catalog, name, key, text(value), &room->error), key);
}

struct heard {
    struct catalog_room *room;
    char keys[8192];
    unsigned count, stop_at;
};

static bool
hear(void *context, const char *key, struct pb_str value)
{
    struct heard *heard = context;
    size_t at = strlen(heard->keys);

    (void)snprintf(heard->keys + at, sizeof(heard->keys) - at, "%s=%.*s;", key,
                   (int)(value.bytes < 20 ? value.bytes : 20), value.text);
    return ++heard->count != heard->stop_at;
}

static const char *
all(struct catalog_room *room, const char *name, const char *prefix)
{
    static struct heard heard;

    memset(&heard, 0, sizeof(heard));
    room_expect(room, PB_OK,
                pb_catalog_notes(room->catalog, name, prefix, hear, &heard, &room->error), prefix);
    return heard.keys;
}

static void
notes_are_kept_by_name_and_key(void **state)
{
    struct catalog_room *room = *state;

    put(room, "review", "b", "2");
    put(room, "review", "a", "1");
    put(room, "notice", "a", "other");
    put(room, "review", "b", "3");
    assert_string_equal("a=1;b=3;", all(room, "review", ""));
    assert_string_equal("a=other;", all(room, "notice", ""));
    assert_string_equal("", all(room, "nothing", ""));
    put(room, "review", "a", "");
    assert_string_equal("b=3;", all(room, "review", ""));
    put(room, "review", "never", "");
    room_close(room);
    room_open(room);
    assert_string_equal("b=3;", all(room, "review", ""));
}

static void
keys_are_found_by_how_they_begin(void **state)
{
    struct catalog_room *room = *state;
    static const char *const keys[] = { "ks",   "ks:1", "ks:10", "ks:2",      "kt:1",
                                        "KS:1", "k%:1", "k_:1",  "\xC3\xA4:1" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        put(room, "n", keys[i], "v");
    assert_string_equal("ks:1=v;ks:10=v;ks:2=v;", all(room, "n", "ks:"));
    assert_string_equal("ks=v;ks:1=v;ks:10=v;ks:2=v;", all(room, "n", "ks"));
    assert_string_equal("k%:1=v;", all(room, "n", "k%"));
    assert_string_equal("k_:1=v;", all(room, "n", "k_"));
    assert_string_equal("\xC3\xA4:1=v;", all(room, "n", "\xC3\xA4"));
    assert_string_equal("", all(room, "n", "z"));
    assert_string_equal("", all(room, "n", "' OR 1=1"));
}

static void
all_are_told_through_many_pages_or_until_stopped(void **state)
{
    struct catalog_room *room = *state;

    for (unsigned i = 0; i < 50; i++) {
        struct heard heard = { .count = 0 };
        char key[16];

        (void)snprintf(key, sizeof(key), "k%02u", i * 7 % 50);
        put(room, "n", key, "v");
        if (i != 14 && i != 15 && i != 16 && i != 31 && i != 32 && i != 49)
            continue;
        assert_int_equal(PB_OK, pb_catalog_notes(room->catalog, "n", "k", hear, &heard, NULL));
        assert_int_equal(i + 1, heard.count);
        heard = (struct heard){ .stop_at = i };
        assert_int_equal(PB_OK, pb_catalog_notes(room->catalog, "n", "k", hear, &heard, NULL));
        assert_int_equal(i, heard.count);
    }
}

static bool
answer(void *context, const char *key, struct pb_str value)
{
    struct heard *heard = context;

    put(heard->room, "answer", key, "seen");
    put(heard->room, "n", key, "");
    heard->count += value.bytes;
    return true;
}

static void
a_listener_may_write_notes(void **state)
{
    struct catalog_room *room = *state;
    struct heard heard = { .room = room };

    for (unsigned i = 0; i < 20; i++) {
        char key[16];

        (void)snprintf(key, sizeof(key), "k%02u", i);
        put(room, "n", key, "v");
    }
    assert_int_equal(PB_OK, pb_catalog_notes(room->catalog, "n", "", answer, &heard, NULL));
    assert_int_equal(20, heard.count);
    assert_string_equal("", all(room, "n", ""));
}

static void
a_swap_happens_only_where_nothing_changed(void **state)
{
    static const struct {
        const char *expected, *value;
        enum pb_status status;
        const char *left;
    } steps[] = {
        { "x", "y", PB_CONFLICT, "" },      /* it is not there */
        { "", "first", PB_OK, "k=first;" }, /* so that can be said */
        { "", "again", PB_CONFLICT, "k=first;" },
        { "firs", "no", PB_CONFLICT, "k=first;" },
        { "first", "used", PB_OK, "k=used;" },
        { "first", "used", PB_CONFLICT, "k=used;" }, /* what may be used once */
        { "used", "", PB_OK, "" },
        { "used", "", PB_CONFLICT, "" },
    };
    struct catalog_room *room = *state;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(steps[i].status,
                         pb_catalog_note_swap(room->catalog, "n", "k", text(steps[i].expected),
                                              text(steps[i].value), &room->error));
        assert_string_equal(steps[i].left, all(room, "n", ""));
    }
}

static void
names_keys_and_values_are_bounded(void **state)
{
    static char big[PB_CATALOG_NOTE_BYTES_MAX + 2];
    static char key[PB_CATALOG_NOTE_KEY_BYTES_MAX + 2];
    struct catalog_room *room = *state;
    static const struct {
        const char *name, *key;
        struct pb_str value;
    } bad[] = {
        { "", "k", { "v", 1 } },
        { "n", "", { "v", 1 } },
        { "n\n", "k", { "v", 1 } },
        { "n", "k\x01", { "v", 1 } },
        { "n", "\xFF", { "v", 1 } },
        { "n", "k", { "\xFF", 1 } },
        { "n", "k", { "a\0b", 3 } },
        { "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "k", { "v", 1 } },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(PB_BAD_INPUT, pb_catalog_note_put(room->catalog, bad[i].name, bad[i].key,
                                                           bad[i].value, &room->error));
        assert_int_equal(PB_BAD_INPUT,
                         pb_catalog_note_swap(room->catalog, bad[i].name, bad[i].key,
                                              (struct pb_str){ "", 0 }, bad[i].value, NULL));
    }
    memset(key, 'k', sizeof(key) - 1);
    assert_int_equal(PB_BAD_INPUT,
                     pb_catalog_note_put(room->catalog, "n", key, text("v"), &room->error));
    key[PB_CATALOG_NOTE_KEY_BYTES_MAX] = '\0';
    put(room, "n", key, "v");
    memset(big, 'v', sizeof(big) - 1);
    assert_int_equal(PB_OVER_LIMIT,
                     pb_catalog_note_put(room->catalog, "n", "big", text(big), &room->error));
    big[PB_CATALOG_NOTE_BYTES_MAX] = '\0';
    put(room, "n", "big", big);
    put(room, "n", "lines", "a\n\x1b\t\xE2\x80\xAE");
    assert_int_equal(strlen(key) + 3 +
                         strlen("big=vvvvvvvvvvvvvvvvvvvv;lines=a\n\x1b\t\xE2\x80\xAE;"),
                     strlen(all(room, "n", "")));
}

static void
a_catalog_that_is_open_to_read_takes_no_note(void **state)
{
    struct catalog_room *room = *state;

    put(room, "n", "k", "v");
    room_close(room);
    assert_int_equal(PB_OK, pb_catalog_open(room->env, room->path, true, &room->catalog, NULL));
    assert_string_equal("k=v;", all(room, "n", ""));
    assert_int_equal(PB_E_IO, pb_catalog_note_put(room->catalog, "n", "k", text("w"), NULL));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, room_setup, room_teardown)
    const struct CMUnitTest tests[] = {
        CASE(notes_are_kept_by_name_and_key),
        CASE(keys_are_found_by_how_they_begin),
        CASE(all_are_told_through_many_pages_or_until_stopped),
        CASE(a_listener_may_write_notes),
        CASE(a_swap_happens_only_where_nothing_changed),
        CASE(names_keys_and_values_are_bounded),
        CASE(a_catalog_that_is_open_to_read_takes_no_note),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
