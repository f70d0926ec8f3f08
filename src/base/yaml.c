/*
 * YAML: libyaml's events, gathered into a tree.
 *
 * Nodes that are finished wait on one stack. Where a list or map ends, its children are the
 * newest on it: they move into the arena as one array, and the collection takes their place. So
 * nothing recurses, and a tree costs one allocation for each collection.
 */
#include "base/yaml.h"

#include <assert.h>
#include <string.h>

#include <yaml.h>

#include "base/arena.h"
#include "base/text.h"

#define STACK_NODES_MIN 64u

/* A list or map that has begun and not ended. */
struct frame {
    enum pb_yaml_kind kind;
    uint32_t line;
    uint32_t first; /* of its children on the stack; a map's are key, value, key, value */
};

struct builder {
    struct pb_arena *arena; /* borrowed */
    struct pb_error *error; /* borrowed; may be NULL */
    struct pb_yaml *stack;  /* owned */
    uint32_t count, room;   /* of the stack */
    uint32_t node_count;    /* all that were ever made */
    struct frame frames[PB_YAML_DEPTH_MAX];
    uint32_t depth;
    bool has_document;
};

static_assert(PB_YAML_BYTES_MAX < UINT32_MAX / 3, "lines fit, and what escapes grow to");

static uint32_t
line_of(yaml_mark_t mark)
{
    return (uint32_t)mark.line + 1;
}

/* offset: of a byte of the text. */
static uint32_t
line_at(struct pb_str text, size_t offset)
{
    uint32_t line = 1;

    assert(offset < text.bytes);
    for (size_t i = 0; i < offset; i++)
        line += text.text[i] == '\n';
    return line;
}

static enum pb_status
bad(const struct builder *builder, uint32_t line, const char *what)
{
    return pb_fail(builder->error, PB_BAD_INPUT, "line %u: %s", line, what);
}

/* ---- nodes ---- */

static bool
is_key_next(const struct builder *builder)
{
    const struct frame *frame;

    if (builder->depth == 0)
        return false;
    frame = &builder->frames[builder->depth - 1];
    return frame->kind == PB_YAML_MAP && (builder->count - frame->first) % 2 == 0;
}

static enum pb_status
push(struct builder *builder, struct pb_yaml node)
{
    if (builder->node_count == PB_YAML_NODES_MAX)
        return pb_fail(builder->error, PB_OVER_LIMIT, "line %u: more than %u values", node.line,
                       PB_YAML_NODES_MAX);
    if (builder->count == builder->room) {
        uint32_t room = builder->room == 0 ? STACK_NODES_MIN : builder->room * 2;
        struct pb_yaml *stack =
            pb_realloc(builder->arena->env, builder->stack, room * sizeof(*stack));

        if (stack == NULL)
            return PB_E_NOMEM;
        builder->stack = stack;
        builder->room = room;
    }
    builder->stack[builder->count++] = node;
    builder->node_count++;
    return PB_OK;
}

static bool
is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static enum pb_status
take_scalar(struct builder *builder, const yaml_event_t *event)
{
    uint32_t line = line_of(event->start_mark);
    size_t bytes = is_null(event) ? 0 : event->data.scalar.length;
    char *copy;

    if (memchr(event->data.scalar.value, 0, bytes) != NULL)
        return bad(builder, line, "a text must not hold a NUL");
    copy = pb_arena_alloc(builder->arena, bytes + 1);
    if (copy == NULL)
        return PB_E_NOMEM;
    memcpy(copy, event->data.scalar.value, bytes);
    copy[bytes] = '\0';
    return push(builder, (struct pb_yaml){
                             .kind = PB_YAML_SCALAR,
                             .line = line,
                             .text = { .text = copy, .bytes = (uint32_t)bytes },
                             .is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE,
                         });
}

static enum pb_status
begin(struct builder *builder, enum pb_yaml_kind kind, uint32_t line)
{
    if (is_key_next(builder))
        return bad(builder, line, "a key must be a plain text, not a list or map");
    if (builder->depth == PB_YAML_DEPTH_MAX)
        return pb_fail(builder->error, PB_OVER_LIMIT, "line %u: nested more than %u deep", line,
                       PB_YAML_DEPTH_MAX);
    builder->frames[builder->depth++] = (struct frame){
        .kind = kind,
        .line = line,
        .first = builder->count,
    };
    return PB_OK;
}

/* ---- ends of lists and maps ---- */

static struct pb_yaml *
new_nodes(struct builder *builder, uint32_t count)
{
    return pb_arena_alloc(builder->arena, count * sizeof(struct pb_yaml));
}

static enum pb_status
end_list(struct builder *builder, const struct frame *frame)
{
    uint32_t count = builder->count - frame->first;
    struct pb_yaml *items = new_nodes(builder, count);

    if (items == NULL)
        return PB_E_NOMEM;
    if (count > 0)
        memcpy(items, builder->stack + frame->first, count * sizeof(*items));
    builder->count = frame->first;
    return push(builder, (struct pb_yaml){
                             .kind = PB_YAML_LIST,
                             .line = frame->line,
                             .count = count,
                             .items = items,
                         });
}

/* Quadratic, and therefore bounded: a map of configuration has few keys. */
static enum pb_status
check_keys(const struct builder *builder, const struct pb_yaml *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (pb_str_equal(keys[i].text, keys[j].text))
                return pb_fail(builder->error, PB_BAD_INPUT, "line %u: the same key as in line %u",
                               keys[i].line, keys[j].line);
        }
    }
    return PB_OK;
}

static enum pb_status
end_map(struct builder *builder, const struct frame *frame)
{
    uint32_t count = (builder->count - frame->first) / 2;
    struct pb_yaml *keys, *items;
    enum pb_status status;

    if (count > PB_YAML_KEYS_MAX)
        return pb_fail(builder->error, PB_OVER_LIMIT, "line %u: a map with more than %u keys",
                       frame->line, PB_YAML_KEYS_MAX);
    keys = new_nodes(builder, 2 * count);
    if (keys == NULL)
        return PB_E_NOMEM;
    items = keys + count;
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = builder->stack[frame->first + 2 * i];
        items[i] = builder->stack[frame->first + 2 * i + 1];
    }
    status = check_keys(builder, keys, count);
    if (status != PB_OK)
        return status;
    builder->count = frame->first;
    return push(builder, (struct pb_yaml){
                             .kind = PB_YAML_MAP,
                             .line = frame->line,
                             .count = count,
                             .items = items,
                             .keys = keys,
                         });
}

static enum pb_status
end(struct builder *builder)
{
    const struct frame *frame = &builder->frames[--builder->depth];

    return frame->kind == PB_YAML_LIST ? end_list(builder, frame) : end_map(builder, frame);
}

/* ---- events ---- */

static enum pb_status
refuse_extras(const struct builder *builder, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor != NULL || event->type == YAML_ALIAS_EVENT)
        return bad(
            builder, line_of(event->start_mark),
            "anchors (&) and aliases (*) are not taken; put the text in quotes if it is one");
    if (tag != NULL)
        return bad(builder, line_of(event->start_mark),
                   "tags (!) are not taken; put the text in quotes if it is one");
    return PB_OK;
}

static enum pb_status
begin_document(struct builder *builder, const yaml_event_t *event)
{
    if (builder->has_document)
        return bad(builder, line_of(event->start_mark), "only one document is taken");
    if (event->data.document_start.tag_directives.start !=
        event->data.document_start.tag_directives.end)
        return bad(builder, line_of(event->start_mark), "tags (%TAG) are not taken");
    builder->has_document = true;
    return PB_OK;
}

static enum pb_status
take(struct builder *builder, const yaml_event_t *event)
{
    enum pb_status status = refuse_extras(builder, event);

    if (status != PB_OK)
        return status;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(builder, event);
    case YAML_SCALAR_EVENT:
        return take_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return begin(builder, PB_YAML_LIST, line_of(event->start_mark));
    case YAML_MAPPING_START_EVENT:
        return begin(builder, PB_YAML_MAP, line_of(event->start_mark));
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end(builder);
    default:
        return PB_OK;
    }
}

static enum pb_status
parser_failed(const yaml_parser_t *parser, struct pb_str text, struct pb_error *error)
{
    const char *context = parser->context == NULL ? "" : parser->context;
    uint32_t line;

    if (parser->error == YAML_MEMORY_ERROR)
        return PB_E_NOMEM;
    assert(parser->problem != NULL); /* libyaml says so of all others */
    line = parser->error == YAML_READER_ERROR ? line_at(text, parser->problem_offset)
                                              : line_of(parser->problem_mark);
    return pb_fail(error, PB_BAD_INPUT, "line %u: %s%s%s", line, parser->problem,
                   *context == '\0' ? "" : " ", context);
}

static enum pb_status
take_all(struct builder *builder, yaml_parser_t *parser, struct pb_str text)
{
    enum pb_status status = PB_OK;
    bool is_over = false;

    while (status == PB_OK && !is_over) {
        yaml_event_t event;

        if (!yaml_parser_parse(parser, &event))
            return parser_failed(parser, text, builder->error);
        status = take(builder, &event);
        is_over = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return status;
}

/* ---- the calls ---- */

static enum pb_status
check_utf8(struct pb_str text, struct pb_error *error)
{
    size_t at = 0;

    if (pb_utf8_is_valid(text.text, text.bytes))
        return PB_OK;
    for (;;) {
        uint32_t code_point;
        size_t length = pb_utf8_next(text.text + at, text.bytes - at, &code_point);

        if (length == 0)
            break;
        at += length;
    }
    return pb_fail(error, PB_BAD_INPUT, "line %u: not UTF-8", line_at(text, at));
}

/* The root as it is, but an empty map where the document holds nothing. */
static struct pb_yaml
root_of(const struct builder *builder)
{
    struct pb_yaml root = { .kind = PB_YAML_MAP, .line = 1 };

    assert(builder->depth == 0 && builder->count <= 1);
    if (builder->count == 0)
        return root;
    if (builder->stack[0].kind == PB_YAML_SCALAR && builder->stack[0].text.bytes == 0 &&
        !builder->stack[0].is_quoted)
        return root;
    return builder->stack[0];
}

enum pb_status
pb_yaml_parse(struct pb_arena *arena, struct pb_str text, const struct pb_yaml **ret_root,
              struct pb_error *error)
{
    static const unsigned char nothing[1];
    struct builder builder = { .arena = arena, .error = error };
    struct pb_yaml *root;
    yaml_parser_t parser;
    enum pb_status status;

    assert(arena != NULL && ret_root != NULL);
    if (text.bytes > PB_YAML_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "more than %u bytes of YAML", PB_YAML_BYTES_MAX);
    status = check_utf8(text, error);
    if (status != PB_OK)
        return status;
    root = pb_arena_alloc(arena, sizeof(*root));
    if (root == NULL || !yaml_parser_initialize(&parser))
        return PB_E_NOMEM;
    /* Said rather than guessed: a byte order mark would make it read UTF-16. */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser,
                                 text.bytes == 0 ? nothing : (const unsigned char *)text.text,
                                 text.bytes);

    status = take_all(&builder, &parser, text);
    if (status == PB_OK) {
        *root = root_of(&builder);
        *ret_root = root;
    }
    pb_free(arena->env, builder.stack);
    yaml_parser_delete(&parser);
    return status;
}

const struct pb_yaml *
pb_yaml_get(const struct pb_yaml *map, const char *key)
{
    struct pb_str wanted = pb_str_from(key);

    if (map->kind != PB_YAML_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->count; i++) {
        if (pb_str_equal(map->keys[i].text, wanted))
            return &map->items[i];
    }
    return NULL;
}
