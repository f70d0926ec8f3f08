/*
 * Orders: a table of verbs, and lines of words and values.
 */
#include "api/order.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/api_private.h"
#include "api/note_lines.h"
#include "base/text.h"
#include "inquiry/site.h"

static const char *const verbs[PB_ORDER_VERBS] = { "add",  "approve", "disable",
                                                   "link", "unlock",  "change" };

/* ---- doing it ---- */

/* The field of a person that is set; 0, which is the id, where it cannot be. */
static unsigned
field_of(const struct pb_entity *entity, struct pb_str name)
{
    for (unsigned i = 1; i < entity->field_count; i++) {
        if (!entity->fields[i].is_fixed && pb_str_equal(name, pb_str_from(entity->fields[i].name)))
            return i;
    }
    return 0;
}

/* A copy with a NUL, of room that is not used up yet; NULL where it does not fit. */
static const char *
take_room(char **room, const char *end, struct pb_str text)
{
    char *copy = *room;

    if (text.bytes >= (size_t)(end - copy))
        return NULL;
    (void)snprintf(copy, (size_t)(end - copy), "%.*s", (int)text.bytes,
                   text.bytes > 0 ? text.text : "");
    *room += text.bytes + 1;
    return copy;
}

static enum pb_status
change_person(struct pb_site *site, const struct pb_api_order *order, struct pb_error *error)
{
    struct pb_record record = { .entity = pb_catalog_entity("person") };
    char room[2 * PB_ORDER_BYTES_MAX], *at = room;
    const char *end = room + sizeof(room);
    struct pb_actor actor = { .person = NULL };

    record.values[0] = take_room(&at, end, order->person);
    if (order->by.bytes > 0)
        actor.person = take_room(&at, end, order->by);
    if (record.values[0] == NULL || (order->by.bytes > 0 && actor.person == NULL))
        return pb_fail(error, PB_OVER_LIMIT, "this is too long for an order");
    for (unsigned i = 0; i < order->set_count; i++) {
        struct pb_str name = order->sets[i].field;
        unsigned field = field_of(record.entity, name);

        if (field == 0 || record.values[field] != NULL)
            return pb_fail(error, PB_BAD_INPUT, "%.*s: no field of a person, or set twice",
                           (int)name.bytes, name.text);
        record.values[field] = take_room(&at, end, order->sets[i].value);
        if (record.values[field] == NULL)
            return pb_fail(error, PB_OVER_LIMIT, "this is too long for an order");
    }
    return pb_site_put(site, &actor, &record, PB_PUT_CHANGE, error);
}

void
pb_api_order_run(const struct pb_env *env, struct pb_site *site, const struct pb_api_order *order,
                 struct pb_api_ordered *ret_ordered)
{
    struct pb_error *error = &ret_ordered->error;
    enum pb_status status = PB_BAD_INPUT;

    memset(ret_ordered, 0, sizeof(*ret_ordered));
    switch (order->verb) {
    case PB_ORDER_ADD:
        status = pb_api_account_add(env, site, order->by, order->person, error);
        break;
    case PB_ORDER_APPROVE:
        status = pb_api_account_approve(env, site, order->by, order->person, error);
        break;
    case PB_ORDER_DISABLE:
        status = pb_api_account_disable(env, site, order->by, order->person, order->why, error);
        break;
    case PB_ORDER_LINK:
        status = pb_api_account_link(env, site, order->by, order->person, ret_ordered->code, error);
        break;
    case PB_ORDER_UNLOCK:
        status = pb_api_account_unlock(env, site, order->by, order->person, error);
        break;
    case PB_ORDER_CHANGE:
        status = change_person(site, order, error);
        break;
    }
    ret_ordered->status = status;
}

void
pb_api_order_take(struct pb_api *api, const struct pb_api_order *order,
                  struct pb_api_ordered *ret_ordered)
{
    pb_api_order_run(api->env, api->options.site, order, ret_ordered);
    if (ret_ordered->status != PB_OK)
        return;
    if (order->verb == PB_ORDER_DISABLE || order->verb == PB_ORDER_LINK)
        (void)pb_api_sessions_end_all(&api->people.sessions, order->person, NULL);
    if (order->verb == PB_ORDER_UNLOCK)
        pb_api_attempts_forget(api, order->person);
}

/* ---- orders as messages ---- */

static bool
is_plain(const struct pb_api_order *order)
{
    bool is = pb_text_is_plain(order->by) && pb_text_is_plain(order->person) &&
              pb_text_is_plain(order->why);

    for (unsigned i = 0; i < order->set_count; i++)
        is = is && pb_text_is_plain(order->sets[i].field) && pb_text_is_plain(order->sets[i].value);
    return is;
}

static void
put_set(struct pb_text_out *out, const struct pb_api_order_set *set)
{
    char room[PB_ORDER_BYTES_MAX];
    struct pb_text_out line = pb_text_out(room, sizeof(room));

    pb_put_str(&line, set->field);
    pb_put_text(&line, "=");
    pb_put_str(&line, set->value);
    out->is_cut = out->is_cut || line.is_cut;
    pb_api_line_put(out, "set", (struct pb_str){ room, (uint32_t)(line.at - room) });
}

enum pb_status
pb_api_order_encode(const struct pb_api_order *order, char room[PB_ORDER_BYTES_MAX],
                    struct pb_str *ret_message, struct pb_error *error)
{
    struct pb_text_out out = pb_text_out(room, PB_ORDER_BYTES_MAX);

    if (!is_plain(order))
        return pb_fail(error, PB_BAD_INPUT, "plain text is wanted, of one line");
    pb_api_line_put_number(&out, "order", 1);
    pb_api_line_put(&out, "verb", pb_str_from(verbs[order->verb]));
    pb_api_line_put(&out, "by", order->by);
    pb_api_line_put(&out, "person", order->person);
    pb_api_line_put(&out, "why", order->why);
    for (unsigned i = 0; i < order->set_count; i++)
        put_set(&out, &order->sets[i]);
    if (out.is_cut)
        return pb_fail(error, PB_OVER_LIMIT, "these are more than %u bytes", PB_ORDER_BYTES_MAX);
    *ret_message = (struct pb_str){ room, (uint32_t)(out.at - room) };
    return PB_OK;
}

static bool
parse_verb(struct pb_str word, enum pb_order_verb *ret_verb)
{
    for (unsigned i = 0; i < PB_ORDER_VERBS; i++) {
        *ret_verb = (enum pb_order_verb)i;
        if (pb_str_equal(word, pb_str_from(verbs[i])))
            return true;
    }
    return false;
}

/* Takes the lines of what is set; false where one is none, or there are too many. */
static bool
take_sets(struct pb_str *rest, struct pb_api_order *order)
{
    struct pb_str line;

    while (pb_api_line_take(rest, "set", &line)) {
        const char *equals = memchr(line.text, '=', line.bytes);
        uint32_t bytes;

        if (equals == NULL || equals == line.text || order->set_count == PB_ENTITY_FIELDS_MAX)
            return false;
        bytes = (uint32_t)(equals - line.text);
        order->sets[order->set_count++] = (struct pb_api_order_set){
            .field = { line.text, bytes },
            .value = { equals + 1, line.bytes - bytes - 1 },
        };
    }
    return (order->set_count > 0) == (order->verb == PB_ORDER_CHANGE);
}

enum pb_status
pb_api_order_decode(struct pb_str message, struct pb_api_order *ret_order)
{
    struct pb_api_order order = { .verb = PB_ORDER_ADD };
    struct pb_str word;
    int64_t version;

    if (!pb_api_line_take_number(&message, "order", &version) || version != 1 ||
        !pb_api_line_take(&message, "verb", &word) || !parse_verb(word, &order.verb))
        return PB_BAD_INPUT;
    (void)pb_api_line_take(&message, "by", &order.by);
    if (!pb_api_line_take(&message, "person", &order.person))
        return PB_BAD_INPUT;
    (void)pb_api_line_take(&message, "why", &order.why);
    /* What is not understood might matter: nothing is done then. */
    if (!take_sets(&message, &order) || message.bytes > 0 || !is_plain(&order))
        return PB_BAD_INPUT;
    *ret_order = order;
    return PB_OK;
}

/* ---- what came of them ---- */

struct pb_str
pb_api_ordered_encode(const struct pb_api_ordered *ordered, char room[PB_ORDER_BYTES_MAX])
{
    struct pb_text_out out = pb_text_out(room, PB_ORDER_BYTES_MAX);

    pb_api_line_put_number(&out, "ordered", 1);
    pb_api_line_put(&out, "status", pb_str_from(pb_status_name(ordered->status)));
    pb_api_line_put(&out, "code", pb_str_from(ordered->code));
    /* What is not of one line would be taken for something else. */
    if (pb_text_is_plain(pb_str_from(ordered->error.message)))
        pb_api_line_put(&out, "message", pb_str_from(ordered->error.message));
    return (struct pb_str){ room, (uint32_t)(out.at - room) };
}

static bool
parse_status(struct pb_str word, enum pb_status *ret_status)
{
    for (int i = PB_E_POISONED; i <= PB_DENIED; i++) {
        *ret_status = (enum pb_status)i;
        if (pb_str_equal(word, pb_str_from(pb_status_name(*ret_status))))
            return true;
    }
    return false;
}

/* A text of at most bytes - 1; nothing where there is no such line. */
static bool
take_text(struct pb_str *rest, const char *word, char *ret_text, size_t bytes)
{
    struct pb_str text = { NULL, 0 };

    (void)pb_api_line_take(rest, word, &text);
    if (text.bytes >= bytes || !pb_text_is_plain(text))
        return false;
    (void)snprintf(ret_text, bytes, "%.*s", (int)text.bytes, text.bytes > 0 ? text.text : "");
    return true;
}

enum pb_status
pb_api_ordered_decode(struct pb_str message, struct pb_api_ordered *ret_ordered)
{
    struct pb_api_ordered ordered = { .status = PB_OK };
    struct pb_str word;
    int64_t version;
    enum pb_status status = PB_BAD_INPUT;

    if (pb_api_line_take_number(&message, "ordered", &version) && version == 1 &&
        pb_api_line_take(&message, "status", &word) && parse_status(word, &ordered.status) &&
        take_text(&message, "code", ordered.code, sizeof(ordered.code)) &&
        take_text(&message, "message", ordered.error.message, sizeof(ordered.error.message)) &&
        message.bytes == 0) {
        *ret_ordered = ordered;
        status = PB_OK;
    }
    sodium_memzero(ordered.code, sizeof(ordered.code));
    return status;
}
