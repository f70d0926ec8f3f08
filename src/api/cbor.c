/*
 * CBOR: heads of items, and what lies behind them.
 */
#include "api/cbor.h"

enum major {
    MAJOR_NUMBER,
    MAJOR_NEGATIVE,
    MAJOR_BYTES,
    MAJOR_TEXT,
    MAJOR_LIST,
    MAJOR_MAP,
    MAJOR_TAG,
    MAJOR_SIMPLE,
};

struct head {
    enum major major;
    uint64_t number;
};

struct pb_cbor
pb_cbor(const void *bytes, size_t count)
{
    const uint8_t *at = bytes;

    return (struct pb_cbor){ .at = at, .end = count > 0 ? at + count : at };
}

static size_t
left(const struct pb_cbor *cbor)
{
    return (size_t)(cbor->end - cbor->at);
}

static void
spoil(struct pb_cbor *cbor)
{
    cbor->is_bad = true;
}

/* The number of a head: in its byte, or in the 1, 2, 4 or 8 behind it. */
static bool
take_head(struct pb_cbor *cbor, struct head *ret_head)
{
    unsigned first, bytes;
    uint64_t number = 0;

    if (cbor->is_bad || left(cbor) == 0) {
        spoil(cbor);
        return false;
    }
    first = *cbor->at++;
    bytes = (first & 31u) < 24 ? 0 : 1u << ((first & 31u) - 24);
    /* 28 to 30 mean nothing, 31 is a length that is not told. */
    if ((first & 31u) > 27 || left(cbor) < bytes) {
        spoil(cbor);
        return false;
    }
    if (bytes == 0)
        number = first & 31u;
    for (unsigned i = 0; i < bytes; i++)
        number = number << 8 | *cbor->at++;
    *ret_head = (struct head){ .major = (enum major)(first >> 5), .number = number };
    return true;
}

static uint32_t
take_count(struct pb_cbor *cbor, enum major major, unsigned bytes_each)
{
    struct head head;

    if (!take_head(cbor, &head))
        return 0;
    /* Each item takes a byte at least, so that no loop runs past what was sent. */
    if (head.major != major || head.number > left(cbor) / bytes_each || head.number > UINT32_MAX) {
        spoil(cbor);
        return 0;
    }
    return (uint32_t)head.number;
}

uint32_t
pb_cbor_map(struct pb_cbor *cbor)
{
    return take_count(cbor, MAJOR_MAP, 2);
}

uint32_t
pb_cbor_list(struct pb_cbor *cbor)
{
    return take_count(cbor, MAJOR_LIST, 1);
}

static struct pb_str
take_string(struct pb_cbor *cbor, enum major major)
{
    uint32_t bytes = take_count(cbor, major, 1);
    struct pb_str view = { (const char *)cbor->at, bytes };

    if (cbor->is_bad)
        return (struct pb_str){ NULL, 0 };
    cbor->at += bytes;
    return view;
}

struct pb_str
pb_cbor_text(struct pb_cbor *cbor)
{
    return take_string(cbor, MAJOR_TEXT);
}

struct pb_str
pb_cbor_bytes(struct pb_cbor *cbor)
{
    return take_string(cbor, MAJOR_BYTES);
}

int64_t
pb_cbor_number(struct pb_cbor *cbor)
{
    struct head head;

    if (!take_head(cbor, &head))
        return 0;
    if (head.major > MAJOR_NEGATIVE || head.number > INT64_MAX) {
        spoil(cbor);
        return 0;
    }
    return head.major == MAJOR_NUMBER ? (int64_t)head.number : -1 - (int64_t)head.number;
}

static void
skip(struct pb_cbor *cbor, unsigned depth)
{
    const struct pb_cbor before = *cbor;
    uint64_t items = 0;
    struct head head;

    if (depth > PB_CBOR_DEPTH_MAX || !take_head(cbor, &head)) {
        spoil(cbor);
        return;
    }
    if (head.major == MAJOR_NUMBER || head.major == MAJOR_NEGATIVE || head.major == MAJOR_SIMPLE)
        return;
    *cbor = before;
    if (head.major == MAJOR_LIST)
        items = pb_cbor_list(cbor);
    else if (head.major == MAJOR_MAP)
        items = 2 * (uint64_t)pb_cbor_map(cbor);
    else if (head.major == MAJOR_TAG)
        spoil(cbor);
    else
        (void)take_string(cbor, head.major);
    for (uint64_t i = 0; i < items && !cbor->is_bad; i++)
        skip(cbor, depth + 1);
}

struct pb_str
pb_cbor_any(struct pb_cbor *cbor)
{
    const uint8_t *from = cbor->at;

    skip(cbor, 0);
    if (cbor->is_bad)
        return (struct pb_str){ NULL, 0 };
    return (struct pb_str){ (const char *)from, (uint32_t)(cbor->at - from) };
}

bool
pb_cbor_is_done(const struct pb_cbor *cbor)
{
    return !cbor->is_bad && cbor->at == cbor->end;
}
