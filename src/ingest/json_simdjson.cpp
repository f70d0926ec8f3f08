/*
 * JSON index on simdjson: the first of its two stages, chosen for the processor at run time.
 *
 * Its second stage would build a tree that we read once and drop, and turn decimals into
 * binary floating point; on-demand parsing does not look at what is not asked for.
 * Compiled without exceptions and without run-time type information.
 */
#include "ingest/json_index.h"

#include <cassert>
#include <memory>
#include <new>

#include <simdjson.h>

static_assert(PB_JSON_PADDING_BYTES >= simdjson::SIMDJSON_PADDING, "padding");

struct pb_json_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    size_t capacity_bytes = 0;
};

static const size_t capacity_bytes_min = 64 * 1024;

extern "C" struct pb_json_index *
pb_json_index_new(void)
{
    return new (std::nothrow) pb_json_index;
}

extern "C" void
pb_json_index_free(struct pb_json_index *index)
{
    delete index;
}

static bool
reserve(struct pb_json_index *index, size_t count)
{
    size_t capacity_bytes = count < capacity_bytes_min ? capacity_bytes_min : count;
    simdjson::error_code error;

    if (index->stage && capacity_bytes <= index->capacity_bytes)
        return true;
    if (index->stage && capacity_bytes < 2 * index->capacity_bytes)
        capacity_bytes = 2 * index->capacity_bytes;
    if (index->stage)
        error = index->stage->allocate(capacity_bytes, 1);
    else
        error = simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity_bytes, 1, index->stage);
    index->capacity_bytes = error == simdjson::SUCCESS ? capacity_bytes : 0;
    if (error != simdjson::SUCCESS)
        index->stage.reset();
    return error == simdjson::SUCCESS;
}

extern "C" enum pb_status
pb_json_index_run(struct pb_json_index *index, const uint8_t *bytes, size_t count,
                  const uint32_t **ret_starts, const char **ret_reason)
{
    assert(count < simdjson::SIMDJSON_MAXSIZE_BYTES); /* reserve() fails where it is not */
    if (!reserve(index, count))
        return PB_E_NOMEM;
    switch (index->stage->stage1(bytes, count, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
        break;
    case simdjson::MEMALLOC:
        return PB_E_NOMEM;
    case simdjson::UTF8_ERROR:
        *ret_reason = "not UTF-8";
        return PB_BAD_INPUT;
    case simdjson::UNCLOSED_STRING:
        *ret_reason = "a string is not closed";
        return PB_BAD_INPUT;
    case simdjson::UNESCAPED_CHARS:
        *ret_reason = "a control character within a string";
        return PB_BAD_INPUT;
    case simdjson::EMPTY:
        *ret_reason = "nothing but white space";
        return PB_BAD_INPUT;
    default:
        *ret_reason = "not JSON";
        return PB_BAD_INPUT;
    }
    /* simdjson keeps room for 9 more than there are bytes, and itself puts the length there. */
    for (uint32_t i = 0; i < PB_JSON_SENTINELS; i++)
        index->stage->structural_indexes[index->stage->n_structural_indexes + i] =
            static_cast<uint32_t>(count);
    *ret_starts = index->stage->structural_indexes.get();
    return PB_OK;
}
