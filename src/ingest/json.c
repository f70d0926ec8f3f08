/*
 * JSON: a walk over the token index that takes nothing on trust.
 *
 * Invariants while a document is walked:
 *   (1) a token is taken only where it begins before walk.end, so that nothing outside the
 *       document's own tokens is judged, whatever the bytes after it are; the index ends with
 *       sentinels that begin at the end of the text, and nothing goes past the first of them.
 *   (2) a token's bytes end where the next token begins, or at the document's end.
 *   (3) unescaped_used <= bytes loaded: an escape is never shorter than what it stands for.
 *   (4) PB_JSON_PADDING_BYTES are readable after every text, so that words can be loaded whole.
 */
#include "ingest/json.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/text.h"
#include "ingest/json_index.h"

#define VALUES_AT_FIRST 256u

struct pb_json {
    const struct pb_env *env;     /* borrowed */
    struct pb_json_index *index;  /* owned */
    struct pb_json_value *values; /* owned: value_capacity elements */
    uint32_t value_capacity;
    uint8_t *padded; /* owned: copy of a text that lacked padding */
    size_t padded_capacity;
    char *unescaped; /* owned: strings that had escapes, and padding */
    size_t unescaped_capacity, unescaped_used;

    const uint8_t *bytes;       /* borrowed: what is loaded */
    size_t count;               /* bytes of it */
    bool has_escapes;           /* a backslash stands somewhere in it */
    bool is_plain;              /* neither that nor anything from U+007F on does */
    bool is_copied;             /* bytes is padded */
    const uint32_t *next_token; /* borrowed from index: first token after the last document */
};

/* One document being walked. */
struct walk {
    struct pb_json *json;
    const struct pb_json_keys *keys; /* borrowed; may be NULL */
    const uint8_t *bytes;            /* what is loaded */
    const uint32_t *token;           /* the next one's start; after the last stand sentinels */
    size_t first;                    /* of pb_json_members: where the document begins */
    const uint32_t *allowed;         /* likewise */
    size_t end;                      /* first byte after the document */
    uint32_t value_count;
    enum pb_status status; /* of what went wrong */
    const char *reason;    /* with PB_BAD_INPUT */
};

/* ---- keys ---- */

#define M(bytes) (UINT64_MAX >> (64 - 8 * (bytes)))
/* What of a key's first 16 bytes belongs to it, by its length. */
static const uint64_t name_masks[17][2] = {
    { 0, 0 },
    { M(1), 0 },
    { M(2), 0 },
    { M(3), 0 },
    { M(4), 0 },
    { M(5), 0 },
    { M(6), 0 },
    { M(7), 0 },
    { UINT64_MAX, 0 },
    { UINT64_MAX, M(1) },
    { UINT64_MAX, M(2) },
    { UINT64_MAX, M(3) },
    { UINT64_MAX, M(4) },
    { UINT64_MAX, M(5) },
    { UINT64_MAX, M(6) },
    { UINT64_MAX, M(7) },
    { UINT64_MAX, UINT64_MAX },
};
#undef M

/* 16 bytes must be readable at text. */
static inline void
name_words(const char *text, uint32_t bytes, uint64_t ret_words[2])
{
    const uint64_t *mask = name_masks[bytes < 16 ? bytes : 16];

    memcpy(ret_words, text, 16);
    ret_words[0] = le64toh(ret_words[0]) & mask[0];
    ret_words[1] = le64toh(ret_words[1]) & mask[1];
}

static inline uint8_t
name_hash(const uint64_t words[2])
{
    uint64_t mixed = words[0] ^ words[1] * UINT64_C(0x9E3779B97F4A7C15);

    return (uint8_t)(mixed * UINT64_C(0xD6E8FEB86659FD93) >> 56);
}

/* The slot of a name in quotes, by its bytes with these and the four behind the first: what tells
 * most sets of keys apart, and little to do. */
static inline uint8_t
quick_slot(const uint8_t *quoted, size_t span)
{
    uint32_t word;

    memcpy(&word, quoted + 1, sizeof(word));
    return (uint8_t)(((le32toh(word) ^ (uint32_t)span) * UINT32_C(0xC2B2AE35)) >> 24);
}

/* Enters a key where its slot is free, if it can be a member. Not a short one, whose slot would
 * depend on its value. */
static void
enter_quickly(struct pb_json_keys *keys, uint8_t key)
{
    struct pb_json_quoted *quoted;
    uint8_t bytes[sizeof(quoted->words)] = { '"' }, masks[sizeof(quoted->words)] = { 0 };
    uint32_t count = keys->names[key].bytes;
    uint8_t slot;

    if (key >= PB_JSON_MEMBERS_MAX || count < 3 || count + 3 > sizeof(bytes))
        return;
    memcpy(bytes + 1, keys->texts[key - 1], count);
    bytes[count + 1] = '"';
    bytes[count + 2] = ':';
    slot = quick_slot(bytes, count + 2);
    if (keys->quick_slots[slot] != PB_JSON_NO_KEY)
        return;
    keys->quick_slots[slot] = key;
    quoted = &keys->quoted[key];
    memset(masks, 0xFF, count + 3);
    memcpy(quoted->words, bytes, sizeof(bytes));
    memcpy(quoted->masks, masks, sizeof(masks));
    quoted->span = count + 2;
    quoted->bit = UINT32_C(1) << key;
}

void
pb_json_keys_init(struct pb_json_keys *keys, const char *const *texts, size_t count)
{
    assert(count <= PB_JSON_KEYS_MAX);
    memset(keys, 0, sizeof(*keys));
    keys->texts = texts;
    for (size_t i = 0; i < count; i++) {
        char padded[16] = { 0 };
        size_t bytes = strlen(texts[i]);
        uint8_t slot;

        assert(bytes > 0 && bytes <= UINT8_MAX);
        memcpy(padded, texts[i], bytes < sizeof(padded) ? bytes : sizeof(padded));
        name_words(padded, (uint32_t)bytes, keys->names[i + 1].words);
        keys->names[i + 1].bytes = (uint32_t)bytes;
        slot = name_hash(keys->names[i + 1].words);
        while (keys->slots[slot] != PB_JSON_NO_KEY)
            slot++; /* wraps around; at most half of the slots are ever taken */
        keys->slots[slot] = (uint8_t)(i + 1);
        enter_quickly(keys, (uint8_t)(i + 1));
    }
}

/* words: of text. */
static inline bool
is_key(const struct pb_json_keys *keys, uint8_t key, struct pb_str text, const uint64_t words[2])
{
    return keys->names[key].words[0] == words[0] && keys->names[key].words[1] == words[1] &&
           keys->names[key].bytes == text.bytes &&
           (text.bytes <= 16 ||
            memcmp(keys->texts[key - 1] + 16, text.text + 16, text.bytes - 16) == 0);
}

/* text has padding after it. */
static inline uint8_t
find_key(const struct pb_json_keys *keys, struct pb_str text)
{
    uint64_t words[2];
    uint8_t slot, key;

    name_words(text.text, text.bytes, words);
    slot = name_hash(words);
    for (key = keys->slots[slot]; key != PB_JSON_NO_KEY; key = keys->slots[++slot]) {
        if (is_key(keys, key, text, words))
            return key;
    }
    return PB_JSON_NO_KEY;
}

/* ---- scalars ---- */

static bool
fail(struct walk *walk, enum pb_status status, const char *reason)
{
    walk->status = status;
    walk->reason = reason;
    return false;
}

/* The end of the token [begin, end) without white space after it. */
static inline size_t
trim_end(const uint8_t *bytes, size_t begin, size_t end)
{
    while (bytes[end - 1] <= ' ' && end - 1 > begin && pb_json_is_space(bytes[end - 1]))
        end--;
    return end;
}

static bool
hex4(const char *text, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t byte = (unsigned char)text[i];
        uint32_t letter = (byte | 0x20u) - (uint32_t)'a';

        if (byte - (uint32_t)'0' <= 9)
            value = value << 4 | (byte - (uint32_t)'0');
        else if (letter <= 5)
            value = value << 4 | (letter + 10);
        else
            return false;
    }
    *ret_value = value;
    return true;
}

/* Takes the `\uXXXX` at text, or the two of a surrogate pair; returns how many bytes that
 * were, or 0 where it is no code point. */
static size_t
unicode_escape(const char *text, size_t bytes, uint32_t *ret_code_point)
{
    uint32_t high, low;

    if (bytes < 6 || !hex4(text + 2, &high))
        return 0;
    *ret_code_point = high;
    if (high < 0xD800u || high > 0xDFFFu)
        return 6;
    if (high > 0xDBFFu || bytes < 12 || text[6] != '\\' || text[7] != 'u' ||
        !hex4(text + 8, &low) || low < 0xDC00u || low > 0xDFFFu)
        return 0;
    *ret_code_point = 0x10000u + ((high - 0xD800u) << 10 | (low - 0xDC00u));
    return 12;
}

/* Takes out the escapes of inner, a string without its quotes. false: there is a wrong one. */
static bool
unescape(struct pb_json *json, struct pb_str inner, struct pb_str *ret_text)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char *begin = json->unescaped + json->unescaped_used, *out = begin;
    const char *at = inner.text, *end = inner.text + inner.bytes;

    assert(json->unescaped_capacity - json->unescaped_used >= inner.bytes + PB_JSON_PADDING_BYTES);
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((slash == NULL ? end : slash) - at);

        memcpy(out, at, plain);
        out += plain;
        at += plain;
        if (slash == NULL)
            break;
        if (end - at < 2)
            return false;
        if (at[1] == 'u') {
            uint32_t code_point;
            size_t used = unicode_escape(at, (size_t)(end - at), &code_point);

            if (used == 0)
                return false;
            out += pb_utf8_encode(code_point, out);
            at += used;
        } else {
            const char *found = memchr(from, at[1], sizeof(from) - 1);

            if (found == NULL)
                return false;
            *out++ = to[found - from];
            at += 2;
        }
    }
    json->unescaped_used += (size_t)(out - begin);
    *ret_text = (struct pb_str){ .text = begin, .bytes = (uint32_t)(out - begin) };
    return true;
}

/* Takes the string that is the token [begin, end). */
static inline bool
take_string(struct walk *walk, size_t begin, size_t end, struct pb_str *ret_text)
{
    end = trim_end(walk->bytes, begin, end);
    /* The index promises both quotes; without them there would be no string. */
    if (end - begin < 2 || walk->bytes[end - 1] != '"')
        return fail(walk, PB_BAD_INPUT, "a string is not closed");
    ret_text->text = (const char *)walk->bytes + begin + 1;
    ret_text->bytes = (uint32_t)(end - begin - 2);
    if (walk->json->has_escapes && memchr(ret_text->text, '\\', ret_text->bytes) != NULL &&
        !unescape(walk->json, *ret_text, ret_text))
        return fail(walk, PB_BAD_INPUT, "a wrong escape in a string");
    return true;
}

/* Where the digits end that begin at `at`; where they do not end before `end`, somewhere from
 * there on. Eight bytes are readable at each byte up to end. */
static inline const uint8_t *
digits_end(const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        uint64_t word, others;

        memcpy(&word, at, sizeof(word));
        word = le64toh(word) ^ UINT64_C(0x3030303030303030);
        /* A byte that was a digit is 0 to 9; this sets the top bit of any other. Carries only
         * reach bytes after one that is no digit. */
        others = (word | (word + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
        if (others != 0)
            return at + __builtin_ctzll(others) / 8;
        at += 8;
        if (at >= end)
            return at;
    }
}

/* RFC 8259 section 6. [at, end) is not empty, with padding after it. */
static inline bool
is_number(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *begin = at + (*at == '-');

    at = digits_end(begin, end);
    if (at == begin || (*begin == '0' && at - begin > 1))
        return false;
    if (at < end && *at == '.') {
        begin = at + 1;
        at = digits_end(begin, end);
        if (at == begin)
            return false;
    }
    if (at < end && (*at | 0x20) == 'e') {
        begin = at + 1;
        begin += begin < end && (*begin == '+' || *begin == '-');
        at = digits_end(begin, end);
        if (at == begin)
            return false;
    }
    return at == end;
}

static bool
text_is(struct pb_str text, const char *word, uint32_t bytes)
{
    return text.bytes == bytes && memcmp(text.text, word, bytes) == 0;
}

/* Takes the scalar that is the token [begin, end): type and text of ret_value. */
static inline bool
take_scalar(struct walk *walk, size_t begin, size_t end, struct pb_json_value *ret_value)
{
    struct pb_str text;

    if (walk->bytes[begin] == '"') {
        ret_value->type = PB_JSON_STRING;
        return take_string(walk, begin, end, &ret_value->text);
    }
    end = trim_end(walk->bytes, begin, end);
    text.text = (const char *)walk->bytes + begin;
    text.bytes = (uint32_t)(end - begin);
    ret_value->text.text = text.text;
    ret_value->text.bytes = text.bytes;
    ret_value->type = PB_JSON_NUMBER;
    if (is_number(walk->bytes + begin, walk->bytes + end))
        return true;
    if (text_is(text, "null", 4))
        ret_value->type = PB_JSON_NULL;
    else if (text_is(text, "true", 4))
        ret_value->type = PB_JSON_TRUE;
    else if (text_is(text, "false", 5))
        ret_value->type = PB_JSON_FALSE;
    else
        return fail(walk, PB_BAD_INPUT, "neither a number nor any other JSON value");
    return true;
}

/* ---- values ---- */

/* Makes room for one more value. */
static bool
reserve_value(struct walk *walk)
{
    struct pb_json *json = walk->json;
    struct pb_json_value *values;
    uint32_t capacity = 2 * json->value_capacity;

    if (json->value_capacity >= PB_JSON_VALUES_MAX)
        return fail(walk, PB_BAD_INPUT, "too many values");
    values = pb_realloc(json->env, json->values, capacity * sizeof(*values));
    if (values == NULL)
        return fail(walk, PB_E_NOMEM, "no memory");
    json->values = values;
    json->value_capacity = capacity;
    return true;
}

static bool walk_object(struct walk *walk, bool is_kept, unsigned depth);
static bool walk_array(struct walk *walk, bool is_kept, unsigned depth);

/* Takes the object or array whose opening bracket is the next token; value is NULL where it
 * is not kept. depth: how many are around it. */
static bool
walk_container(struct walk *walk, struct pb_json_value *value, unsigned depth)
{
    bool is_object = walk->bytes[walk->token[0]] == '{';
    uint32_t self = walk->value_count - 1;
    bool is_good;

    if (depth >= PB_JSON_DEPTH_MAX)
        return fail(walk, PB_BAD_INPUT, "nested too deeply");
    if (value != NULL) {
        value->type = is_object ? PB_JSON_OBJECT : PB_JSON_ARRAY;
        value->text = (struct pb_str){ .text = NULL, .bytes = 0 };
    }
    walk->token++;
    is_good = is_object ? walk_object(walk, value != NULL, depth + 1)
                        : walk_array(walk, value != NULL, depth + 1);
    if (is_good && value != NULL)
        walk->json->values[self].next = walk->value_count; /* the values may have moved */
    return is_good;
}

/* Takes the next value. */
static inline bool
walk_value(struct walk *walk, uint8_t key, bool is_kept, unsigned depth)
{
    struct pb_json_value unkept, *value = &unkept;
    size_t begin = walk->token[0], end;

    if (begin >= walk->end)
        return fail(walk, PB_BAD_INPUT, "cut short");
    if (is_kept) {
        if (walk->value_count == walk->json->value_capacity && !reserve_value(walk))
            return false;
        value = &walk->json->values[walk->value_count];
        walk->value_count++;
        value->next = walk->value_count;
        value->key = key;
    }
    if (walk->bytes[begin] == '{' || walk->bytes[begin] == '[')
        return walk_container(walk, is_kept ? value : NULL, depth);

    walk->token++;
    end = walk->token[0] < walk->end ? walk->token[0] : walk->end;
    return take_scalar(walk, begin, end, value);
}

/* Takes a comma or what closes the object or array around it. Returns which, or 0. */
static inline uint8_t
walk_separator(struct walk *walk, uint8_t closing)
{
    size_t begin = walk->token[0];
    uint8_t byte = begin < walk->end ? walk->bytes[begin] : 0;

    if (byte != ',' && byte != closing)
        return 0;
    walk->token++;
    return byte;
}

/* Takes a key and its colon. */
static inline bool
walk_key(struct walk *walk, struct pb_str *ret_text)
{
    size_t begin = walk->token[0], colon;

    if (begin >= walk->end || walk->bytes[begin] != '"')
        return fail(walk, PB_BAD_INPUT, "a key is missing in an object");
    colon = walk->token[1];
    if (colon >= walk->end || walk->bytes[colon] != ':')
        return fail(walk, PB_BAD_INPUT, "a colon is missing after a key");
    walk->token += 2;
    return take_string(walk, begin, colon, ret_text);
}

/* Is the next token the closing one? Then it is taken. */
static inline bool
is_empty(struct walk *walk, uint8_t closing)
{
    if (walk->token[0] >= walk->end || walk->bytes[walk->token[0]] != closing)
        return false;
    walk->token++;
    return true;
}

/* After the opening brace. */
static bool
walk_object(struct walk *walk, bool is_kept, unsigned depth)
{
    uint8_t separator = ',';

    if (is_empty(walk, '}'))
        return true;
    while (separator == ',') {
        uint8_t key = PB_JSON_NO_KEY;
        struct pb_str name;

        if (!walk_key(walk, &name))
            return false;
        if (is_kept && walk->keys != NULL)
            key = find_key(walk->keys, name);
        if (!walk_value(walk, key, key != PB_JSON_NO_KEY, depth))
            return false;
        separator = walk_separator(walk, '}');
    }
    if (separator != '}')
        return fail(walk, PB_BAD_INPUT, "a comma or brace is missing in an object");
    return true;
}

/* After the opening bracket. */
static bool
walk_array(struct walk *walk, bool is_kept, unsigned depth)
{
    uint8_t separator = ',';

    if (is_empty(walk, ']'))
        return true;
    while (separator == ',') {
        if (!walk_value(walk, PB_JSON_NO_KEY, is_kept, depth))
            return false;
        separator = walk_separator(walk, ']');
    }
    if (separator != ']')
        return fail(walk, PB_BAD_INPUT, "a comma or bracket is missing in an array");
    return true;
}

/* ---- texts and documents ---- */

struct pb_json *
pb_json_new(const struct pb_env *env)
{
    struct pb_json *json = pb_calloc(env, 1, sizeof(*json));

    if (json == NULL)
        return NULL;
    json->env = env;
    json->value_capacity = VALUES_AT_FIRST;
    json->values = pb_alloc(env, VALUES_AT_FIRST * sizeof(*json->values));
    json->index = pb_json_index_new();
    if (json->values == NULL || json->index == NULL) {
        pb_json_free(json);
        return NULL;
    }
    return json;
}

void
pb_json_free(struct pb_json *json)
{
    if (json == NULL)
        return;
    pb_json_index_free(json->index);
    pb_free(json->env, json->values);
    pb_free(json->env, json->padded);
    pb_free(json->env, json->unescaped);
    pb_free(json->env, json);
}

/* Makes *buffer hold at least `bytes`; what it held is lost. */
static enum pb_status
reserve_bytes(const struct pb_env *env, void **buffer, size_t *capacity, size_t bytes)
{
    if (bytes <= *capacity)
        return PB_OK;
    pb_free(env, *buffer);
    *capacity = 0;
    *buffer = pb_alloc(env, bytes);
    if (*buffer == NULL)
        return PB_E_NOMEM;
    *capacity = bytes;
    return PB_OK;
}

/* Is there a backslash, or anything from U+007F on? A loop that compilers turn into few vector
 * instructions. */
static bool
has_special(const uint8_t *bytes, size_t count)
{
    uint8_t greatest = 0, has_backslash = 0;

    for (size_t i = 0; i < count; i++) {
        greatest = bytes[i] > greatest ? bytes[i] : greatest;
        has_backslash |= bytes[i] == '\\' ? UINT8_MAX : 0;
    }
    return greatest >= 0x7F || has_backslash != 0;
}

enum pb_status
pb_json_load(struct pb_json *json, const uint8_t *bytes, size_t count, size_t readable,
             const char **ret_reason)
{
    enum pb_status status;
    void *buffer;

    json->unescaped_used = 0;
    json->count = 0;
    json->is_copied = readable - count < PB_JSON_PADDING_BYTES;
    json->has_escapes = false;
    if (count == 0) {
        *ret_reason = "nothing but white space";
        return PB_BAD_INPUT;
    }
    if (json->is_copied) {
        buffer = json->padded;
        status = reserve_bytes(json->env, &buffer, &json->padded_capacity,
                               count + PB_JSON_PADDING_BYTES);
        json->padded = buffer;
        if (status != PB_OK)
            return status;
        memcpy(json->padded, bytes, count);
        memset(json->padded + count, 0, PB_JSON_PADDING_BYTES);
        bytes = json->padded;
    }
    json->is_plain = !has_special(bytes, count);
    json->has_escapes = !json->is_plain && memchr(bytes, '\\', count) != NULL;
    if (json->has_escapes) {
        buffer = json->unescaped;
        status = reserve_bytes(json->env, &buffer, &json->unescaped_capacity,
                               count + PB_JSON_PADDING_BYTES);
        json->unescaped = buffer;
        if (status != PB_OK)
            return status;
    }
    status = pb_json_index_run(json->index, bytes, count, &json->next_token, ret_reason);
    if (status != PB_OK)
        return status;
    json->bytes = bytes;
    json->count = count;
    return PB_OK;
}

bool
pb_json_owns_texts(const struct pb_json *json)
{
    return json->is_copied || json->has_escapes;
}

/* Control characters that are not escaped are none of JSON. */
bool
pb_json_is_ascii(const struct pb_json *json)
{
    return json->is_plain;
}

enum pb_status
pb_json_document(struct pb_json *json, size_t from, size_t to, const struct pb_json_keys *keys,
                 const struct pb_json_value **ret_values, uint32_t *ret_count,
                 const char **ret_reason)
{
    struct walk walk = {
        .json = json, .keys = keys, .bytes = json->bytes, .end = to, .status = PB_OK
    };

    assert(from <= to && to <= json->count);
    while (*json->next_token < from)
        json->next_token++;
    walk.token = json->next_token;

    *ret_count = 0;
    *ret_values = json->values;
    if (*walk.token >= to)
        return PB_OK;
    if (walk_value(&walk, PB_JSON_NO_KEY, true, 0) && *walk.token < to)
        (void)fail(&walk, PB_BAD_INPUT, "text after the end of the value");
    json->next_token = walk.token;
    *ret_values = json->values;
    *ret_count = walk.value_count;
    *ret_reason = walk.reason;
    return walk.status;
}

/* ---- members ---- */

#define KEY_UNCLEAR UINT8_MAX

/* Does the key stand in quotes from `at` up to a colon at at + span? Padding is readable there.
 * Words one by one: compilers make slow vectors of an array of them. */
static inline bool
is_quoted(const struct pb_json_quoted *quoted, const uint8_t *at, size_t span)
{
    uint64_t first, second, third;

    if (span != quoted->span)
        return false;
    memcpy(&first, at, sizeof(first));
    memcpy(&second, at + 8, sizeof(second));
    memcpy(&third, at + 16, sizeof(third));
    first = (first ^ quoted->words[0]) & quoted->masks[0];
    second = (second ^ quoted->words[1]) & quoted->masks[1];
    third = (third ^ quoted->words[2]) & quoted->masks[2];
    return (first | second | third) == 0;
}

/* The key that is the token [begin, end), of whatever shape; KEY_UNCLEAR where only walk_key can
 * tell what it is. */
static unsigned
any_key(const struct walk *walk, size_t begin, size_t end)
{
    struct pb_str text;
    uint8_t key;

    end = trim_end(walk->bytes, begin, end);
    if (walk->bytes[begin] != '"')
        return KEY_UNCLEAR;
    /* The index promises the closing quote. */
    assert(end - begin >= 2 && walk->bytes[end - 1] == '"');
    text.text = (const char *)walk->bytes + begin + 1;
    text.bytes = (uint32_t)(end - begin - 2);
    key = find_key(walk->keys, text);
    /* An escape can hide a known key, and can be wrong. No known key has one. */
    if (key == PB_JSON_NO_KEY && walk->json->has_escapes &&
        memchr(text.text, '\\', text.bytes) != NULL)
        return KEY_UNCLEAR;
    return key;
}

/* Takes the value that is the token [begin, end), of whatever shape, if the key may have it. */
static bool
take_any_scalar(struct walk *walk, size_t begin, size_t end, unsigned key,
                struct pb_json_members *ret_members)
{
    struct pb_json_value value;

    if (!take_scalar(walk, begin, end, &value))
        return false;
    ret_members->text[key] = value.text;
    ret_members->types[value.type] |= UINT32_C(1) << key;
    return key == PB_JSON_NO_KEY || (walk->allowed[value.type] >> key & 1) != 0;
}

/* Takes the object or array that begins at token. Returns the token after it, NULL for a fault. */
static const uint32_t *
take_container(struct walk *walk, const uint32_t *token, unsigned key,
               struct pb_json_members *ret_members)
{
    enum pb_json_type type = walk->bytes[*token] == '{' ? PB_JSON_OBJECT : PB_JSON_ARRAY;

    if (key != PB_JSON_NO_KEY && (walk->allowed[type] >> key & 1) == 0)
        return NULL;
    ret_members->types[type] |= UINT32_C(1) << key;
    ret_members->index[key] = walk->value_count;
    walk->token = token;
    return walk_value(walk, (uint8_t)key, key != PB_JSON_NO_KEY, 1) ? walk->token : NULL;
}

/* The key at token, which is not known or not in quick_slots, or KEY_UNCLEAR. Of one that is not
 * known the value is looked at, too, if it is a scalar other than a string. */
static __attribute__((noinline)) unsigned
unusual_key(struct walk *walk, const uint32_t *token, size_t gap,
            struct pb_json_members *ret_members)
{
    size_t colon = token[1], begin = token[2];
    uint8_t first = walk->bytes[begin];
    unsigned key;

    if (walk->bytes[colon] != ':' || begin - colon != gap)
        return KEY_UNCLEAR;
    if (gap == 1 && walk->bytes[colon - 1] <= ' ')
        return KEY_UNCLEAR; /* it may be a line end, for which nobody looks at such a line */
    key = any_key(walk, token[0], colon);
    if (key == PB_JSON_NO_KEY && first != '"' && (first | 0x20) != '{' &&
        !take_any_scalar(walk, begin, token[3], key, ret_members))
        return KEY_UNCLEAR;
    return key;
}

/*
 * After the opening brace, with as many bytes between tokens as behind the first colon. Unknown
 * keys are PB_JSON_NO_KEY's member, as often as they stand there; it counts for nothing.
 *
 * Which members there are, and which of them are strings, differs from line to line in ways that no
 * processor foresees: so neither is branched on.
 *
 * ret_others: a bit for each key whose value is no string, object or array; not checked yet.
 */
static inline __attribute__((always_inline)) bool
take_members(struct walk *walk, bool has_escapes, struct pb_json_members *ret_members,
             uint32_t *ret_others)
{
    const struct pb_json_keys *keys = walk->keys;
    const uint8_t *bytes = walk->bytes;
    const uint32_t *token = walk->token;
    const size_t gap = (size_t)token[2] - token[1];
    const bool is_tight = gap == 1 && token[0] == walk->first + 1;
    uint32_t seen = 0, strings = 0, containers = 0;
    size_t name = token[0], end;

    do {
        /* Key, colon, value, and what follows: there are as many sentinels. */
        size_t begin = token[2], span = begin - gap - name;
        unsigned key = keys->quick_slots[quick_slot(bytes + name, span)];
        uint32_t bit = keys->quoted[key].bit, is_string;
        struct pb_str *text;
        uint8_t first = bytes[begin];

        end = token[3];
        if (end >= walk->end)
            return false;
        if (!is_quoted(&keys->quoted[key], bytes + name, span)) {
            key = unusual_key(walk, token, gap, ret_members);
            if (key == KEY_UNCLEAR)
                return false;
            bit = UINT32_C(1) << key;
            seen &= ~(UINT32_C(1) << PB_JSON_NO_KEY);
        }
        if ((seen & bit) != 0)
            return false;
        seen |= bit;
        is_string = first == '"';
        text = &ret_members->text[key];
        text->text = (const char *)bytes + begin + is_string;
        text->bytes = (uint32_t)(end - begin) - 2 * is_string;
        strings |= (0 - is_string) & bit;
        token += 4;
        if (first >= '[' && (first | 0x20) == '{') {
            containers |= bit;
            token = take_container(walk, token - 2, key, ret_members);
            if (token == NULL || *token >= walk->end)
                return false;
            end = *token++;
        } else {
            if (bytes[end - 1] <= ' ')
                return false; /* white space behind it */
            /* The index promises the closing quote. */
            assert(!is_string || (end - begin >= 2 && bytes[end - 1] == '"'));
            if ((has_escapes & is_string) != 0 &&
                memchr(text->text, '\\', text->bytes) != NULL) {
                strings &= ~bit;
                if (!take_any_scalar(walk, begin, end, key, ret_members))
                    return false;
            }
        }
        name = token[0];
    } while (bytes[end] == ',' && name == end + gap);
    walk->token = token;
    *ret_others = seen & ~strings & ~containers & ~ret_members->types[PB_JSON_STRING] &
                  ~(UINT32_C(1) << PB_JSON_NO_KEY);
    ret_members->types[PB_JSON_STRING] |= strings;
    if (bytes[end] != '}' ||
        (strings & ~walk->allowed[PB_JSON_STRING] & ~(UINT32_C(1) << PB_JSON_NO_KEY)) != 0)
        return false;
    /* What is between tokens may be a line end, and so may white space within a container. */
    return (is_tight && containers == 0) ||
           (gap <= 2 && memchr(bytes + walk->first, '\n', end - walk->first) == NULL);
}

/* Checks the values of the keys in others. */
static inline bool
check_others(struct walk *walk, uint32_t others, struct pb_json_members *ret_members)
{
    for (; others != 0; others &= others - 1) {
        uint8_t key = (uint8_t)__builtin_ctz(others);
        size_t begin = (size_t)((const uint8_t *)ret_members->text[key].text - walk->bytes);

        if (!take_any_scalar(walk, begin, begin + ret_members->text[key].bytes, key, ret_members))
            return false;
    }
    return true;
}

/* Where the line of an object ends that ends before `at`; 0 where something else stands there. */
static size_t
end_of_line(const uint8_t *bytes, size_t at, size_t to)
{
    if (at < to && bytes[at] == '\r')
        at++;
    if (at == to)
        return at;
    return bytes[at] == '\n' ? at + 1 : 0;
}

size_t
pb_json_members(struct pb_json *json, size_t from, size_t to, const struct pb_json_keys *keys,
                const uint32_t *allowed, uint32_t unchecked, struct pb_json_members *ret_members)
{
    struct walk walk = { .json = json,
                         .keys = keys,
                         .bytes = json->bytes,
                         .first = from,
                         .allowed = allowed,
                         .end = to,
                         .status = PB_OK };
    uint32_t others = 0;
    size_t end = 0;

    assert(from < to && to <= json->count);
    while (*json->next_token < from)
        json->next_token++;
    if (*json->next_token != from || json->bytes[from] != '{')
        return 0;
    ret_members->first_token = json->next_token;
    ret_members->unescaped_used = json->unescaped_used;
    memset(ret_members->types, 0, sizeof(ret_members->types));
    walk.token = json->next_token + 1;
    if ((json->has_escapes ? take_members(&walk, true, ret_members, &others)
                           : take_members(&walk, false, ret_members, &others)) &&
        check_others(&walk, others & ~unchecked, ret_members))
        end = end_of_line(json->bytes, (size_t)walk.token[-1] + 1, to);
    ret_members->types[PB_JSON_NUMBER] |= others & unchecked;
    json->next_token = walk.token;
    ret_members->values = json->values;
    if (end == 0) {
        pb_json_members_undo(json, ret_members);
        return 0;
    }
    return end;
}

void
pb_json_members_undo(struct pb_json *json, const struct pb_json_members *members)
{
    json->next_token = members->first_token;
    json->unescaped_used = members->unescaped_used;
}

/* ---- the check alone ---- */

enum pb_status
pb_json_check(struct pb_json *json, const uint8_t *bytes, size_t count, const char **ret_reason)
{
    const struct pb_json_value *values;
    uint32_t value_count;
    enum pb_status status = pb_json_load(json, bytes, count, count, ret_reason);

    if (status != PB_OK)
        return status;
    return pb_json_document(json, 0, count, NULL, &values, &value_count, ret_reason);
}

/* May an object or array be what comes behind `previous`, the last byte that is not white space,
 * in an array or in an object? */
static inline bool
may_hold(uint8_t previous, bool is_array)
{
    return is_array ? previous == '[' || previous == ',' : previous == ':';
}

size_t
pb_json_value_end(const uint8_t *bytes, size_t count, size_t at, bool *ret_is_open)
{
    uint64_t arrays = 0; /* a bit for each of the outermost levels: is it an array? */
    size_t depth = 0;
    uint8_t previous = 0;
    size_t begin = at;
    bool is_in_string = false;

    *ret_is_open = false;
    for (; at < count; at++) {
        uint8_t byte = bytes[at];

        if (is_in_string) {
            at += byte == '\\' && at + 1 < count && bytes[at + 1] != '\n';
            is_in_string = byte != '"' && byte != '\n'; /* no string goes over a line's end */
        } else if (byte == '"') {
            is_in_string = true;
        } else if (byte == '{' || byte == '[') {
            if (depth == 0 && at > begin)
                return at; /* right behind a scalar */
            if (byte == '{' && depth > 0 && depth <= 64 &&
                !may_hold(previous, (arrays >> (depth - 1) & 1) != 0))
                break;
            if (depth < 64)
                arrays = (arrays & ~(UINT64_C(1) << depth)) | (uint64_t)(byte == '[') << depth;
            depth++;
        } else if (byte == '}' || byte == ']') {
            if (depth == 0)
                return at; /* of whatever is around the value */
            depth--;
        } else if (pb_json_is_space(byte)) {
            if (depth == 0)
                return at;
            continue;
        } else if (depth == 0 && byte == ',') {
            return at;
        } else if (depth == 0) {
            continue;
        }
        previous = byte;
        if (depth == 0 && !is_in_string)
            return at + 1;
    }
    *ret_is_open = true;
    return at;
}
