/*
 * Notes: small state that is no entity. A note that is not there and an empty one are the same.
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/text.h"
#include "catalog/catalog_private.h"

#define ARENA_BYTES 16384u

static enum pb_status
check_key(const char *name, const char *key, struct pb_error *error)
{
    struct pb_str name_text = pb_str_from(name), key_text = pb_str_from(key);

    if (name_text.bytes == 0 || name_text.bytes > PB_CATALOG_ID_BYTES_MAX ||
        !pb_text_is_plain(name_text))
        return pb_fail(error, PB_BAD_INPUT, "a note's name is 1 to %u bytes of plain text",
                       PB_CATALOG_ID_BYTES_MAX);
    if (key_text.bytes == 0 || key_text.bytes > PB_CATALOG_NOTE_KEY_BYTES_MAX ||
        !pb_text_is_plain(key_text))
        return pb_fail(error, PB_BAD_INPUT, "a note's key is 1 to %u bytes of plain text",
                       PB_CATALOG_NOTE_KEY_BYTES_MAX);
    return PB_OK;
}

static enum pb_status
check_value(struct pb_str value, struct pb_error *error)
{
    if (value.bytes > PB_CATALOG_NOTE_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "a note is at most %u bytes",
                       PB_CATALOG_NOTE_BYTES_MAX);
    if (!pb_utf8_is_valid(value.text, value.bytes) ||
        (value.bytes > 0 && memchr(value.text, 0, value.bytes) != NULL))
        return pb_fail(error, PB_BAD_INPUT, "a note is UTF-8 without NUL");
    return PB_OK;
}

/* A statement of this side with name and key bound. */
static enum pb_status
bound(struct pb_side *side, unsigned number, const char *name, struct pb_str key,
      struct pb_sql_statement **ret_statement, struct pb_error *error)
{
    enum pb_status status = pb_side_statement(side, number, ret_statement, error);

    if (status != PB_OK)
        return status;
    status = side->ops->bind_text(*ret_statement, 1, pb_str_from(name), error);
    if (status == PB_OK)
        status = side->ops->bind_text(*ret_statement, 2, key, error);
    if (status != PB_OK)
        side->ops->reset(*ret_statement);
    return status;
}

static enum pb_status
write_note(struct pb_side *side, const char *name, const char *key, struct pb_str value,
           struct pb_error *error)
{
    bool is_removal = value.bytes == 0;
    struct pb_sql_statement *statement;
    enum pb_status status;

    status = bound(side, is_removal ? STATEMENT_NOTE_REMOVE : STATEMENT_NOTE_PUT, name,
                   pb_str_from(key), &statement, error);
    if (status != PB_OK)
        return status;
    if (!is_removal)
        status = side->ops->bind_text(statement, 3, value, error);
    if (status != PB_OK) {
        side->ops->reset(statement);
        return status;
    }
    return pb_side_run(side, statement, error);
}

static enum pb_status
check_expected(struct pb_side *side, const char *name, const char *key, struct pb_str expected,
               struct pb_error *error)
{
    struct pb_sql_statement *statement;
    struct pb_str found = { .text = "", .bytes = 0 };
    enum pb_status status =
        bound(side, STATEMENT_NOTE_GET, name, pb_str_from(key), &statement, error);

    if (status != PB_OK)
        return status;
    status = side->ops->step(statement, error);
    if (status == PB_OK)
        status = side->ops->get_text(statement, 0, &found, error);
    else if (status == PB_END)
        status = PB_OK;
    if (status == PB_OK && !pb_str_equal(found, expected))
        status = pb_fail(error, PB_CONFLICT, "the note changed meanwhile");
    side->ops->reset(statement);
    return status;
}

static enum pb_status
put_note(struct pb_catalog *catalog, const char *name, const char *key,
         const struct pb_str *expected, struct pb_str value, struct pb_error *error)
{
    enum pb_status status = check_key(name, key, error);

    if (status == PB_OK)
        status = check_value(value, error);
    if (status == PB_OK)
        status = pb_catalog_begin(catalog, error);
    if (status != PB_OK)
        return status;
    if (expected != NULL)
        status = check_expected(&catalog->write, name, key, *expected, error);
    if (status == PB_OK)
        status = write_note(&catalog->write, name, key, value, error);
    return pb_catalog_end(catalog, status, error);
}

enum pb_status
pb_catalog_note_put(struct pb_catalog *catalog, const char *name, const char *key,
                    struct pb_str value, struct pb_error *error)
{
    return put_note(catalog, name, key, NULL, value, error);
}

enum pb_status
pb_catalog_note_swap(struct pb_catalog *catalog, const char *name, const char *key,
                     struct pb_str expected, struct pb_str value, struct pb_error *error)
{
    return put_note(catalog, name, key, &expected, value, error);
}

/* ---- reading ---- */

struct note {
    struct pb_str key, value; /* in the page's arena */
};

struct page {
    struct pb_arena arena;
    struct note notes[PB_NOTE_PAGE_ROWS];
    unsigned count;
};

static enum pb_status
read_row(struct pb_side *side, struct pb_sql_statement *statement, struct page *page,
         struct pb_error *error)
{
    struct note *note = &page->notes[page->count];
    struct pb_str text;
    enum pb_status status = side->ops->get_text(statement, 0, &text, error);

    if (status == PB_OK)
        status = pb_copy_text(&page->arena, text, &note->key);
    if (status == PB_OK)
        status = side->ops->get_text(statement, 1, &text, error);
    if (status == PB_OK)
        status = pb_copy_text(&page->arena, text, &note->value);
    page->count += status == PB_OK;
    return status;
}

/* Read as a whole before anything is given, so that a listener may call the catalog. */
static enum pb_status
read_page(struct pb_side *side, const char *name, struct pb_str from, struct page *page,
          struct pb_error *error)
{
    struct pb_sql_statement *statement;
    enum pb_status status = bound(side, STATEMENT_NOTE_PAGE, name, from, &statement, error);

    if (status != PB_OK)
        return status;
    while (status == PB_OK) {
        assert(page->count <= PB_NOTE_PAGE_ROWS);
        status = side->ops->step(statement, error);
        if (status == PB_OK)
            status = read_row(side, statement, page, error);
    }
    side->ops->reset(statement);
    return status == PB_END ? PB_OK : status;
}

static bool
begins_with(struct pb_str text, struct pb_str prefix)
{
    return text.bytes >= prefix.bytes &&
           (prefix.bytes == 0 || memcmp(text.text, prefix.text, prefix.bytes) == 0);
}

/* Gives a page's notes; false where no more are wanted or there are none. */
static bool
give_page(const struct page *page, struct pb_str prefix, pb_note_fn *each, void *context)
{
    for (unsigned i = 0; i < page->count; i++) {
        const struct note *note = &page->notes[i];

        if (!begins_with(note->key, prefix) || !each(context, note->key.text, note->value))
            return false;
    }
    return page->count == PB_NOTE_PAGE_ROWS;
}

/* The least text after key that can be a key: no key holds a control character. */
static enum pb_status
keep_last(const struct page *page, char *last, struct pb_str *from, struct pb_error *error)
{
    struct pb_str key = page->notes[page->count - 1].key;

    if (key.bytes > PB_CATALOG_NOTE_KEY_BYTES_MAX)
        return pb_fail(error, PB_E_CORRUPT, "the catalog holds a note with a key too long");
    memcpy(last, key.text, key.bytes);
    last[key.bytes] = '\x01';
    *from = (struct pb_str){ .text = last, .bytes = key.bytes + 1 };
    return PB_OK;
}

enum pb_status
pb_catalog_notes(struct pb_catalog *catalog, const char *name, const char *key_prefix,
                 pb_note_fn *each, void *context, struct pb_error *error)
{
    struct pb_str prefix = pb_str_from(key_prefix), from = prefix;
    char last[PB_CATALOG_NOTE_KEY_BYTES_MAX + 1];
    enum pb_status status = PB_OK;
    bool goes_on = true;

    while (status == PB_OK && goes_on) {
        struct page page = { .count = 0 };

        pb_arena_init(&page.arena, catalog->env, ARENA_BYTES);
        (void)pthread_mutex_lock(&catalog->read.lock);
        status = read_page(&catalog->read, name, from, &page, error);
        (void)pthread_mutex_unlock(&catalog->read.lock);
        goes_on = status == PB_OK && give_page(&page, prefix, each, context);
        if (goes_on)
            status = keep_last(&page, last, &from, error);
        pb_arena_clear(&page.arena);
    }
    return status;
}
