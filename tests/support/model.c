#include "support/model.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <platebase/plate.h>

#include "base/text.h"
#include "geo/geo.h"
#include "plate/plate_code.h"
#include "read/read.h"

static void *
need(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

void
model_init(struct model *model, const struct pb_env *env)
{
    memset(model, 0, sizeof(*model));
    model->env = env;
    pb_arena_init(&model->arena, env, 1 << 16);
}

void
model_done(struct model *model)
{
    pb_free(model->env, model->rows);
    pb_free(model->env, model->erasures);
    pb_arena_clear(&model->arena);
    memset(model, 0, sizeof(*model));
}

void
model_free(const struct model *model, void *memory)
{
    pb_free(model->env, memory);
}

bool
model_is_live(const struct model_row *row, int64_t now_us)
{
    return !row->is_erased && row->read.delete_after_us > now_us;
}

static bool
erases(const struct pb_erasure *erasure, const struct pb_read *read)
{
    return (erasure->plate.bytes == 0 || pb_str_equal(erasure->plate, read->plate))
           && (erasure->reader.bytes == 0 || pb_str_equal(erasure->reader, read->reader))
           && (erasure->jurisdiction == 0 || erasure->jurisdiction == read->jurisdiction)
           && read->captured_at_us >= erasure->from_us && read->captured_at_us < erasure->to_us;
}

enum pb_status
model_judge(const struct model *model, const struct pb_read *read, int64_t now_us,
            bool *ret_is_history)
{
    uint64_t identity = pb_read_identity(read);
    const struct pb_read *newest = NULL;
    const struct pb_read *same_revision = NULL;
    bool is_same_content = false;
    const char *field = NULL;
    const char *reason = NULL;

    *ret_is_history = false;
    if (pb_read_validate(read, &field, &reason) != PB_OK)
        return PB_BAD_INPUT;
    if (read->delete_after_us <= now_us)
        return PB_EXPIRED;
    for (uint32_t i = 0; i < model->erasure_count; i++) {
        if (erases(&model->erasures[i], read))
            return PB_EXPIRED;
    }
    for (uint32_t i = 0; i < model->row_count; i++) {
        const struct model_row *row = &model->rows[i];

        if (row->identity != identity || !pb_read_same_identity(&row->read, read))
            continue;
        if (!model_is_live(row, now_us))
            return PB_END;
        if (newest == NULL || row->read.revision > newest->revision)
            newest = &row->read;
        if (row->read.revision == read->revision) {
            same_revision = &row->read;
            is_same_content = is_same_content || pb_read_same_content(&row->read, read);
        }
    }
    if (newest == NULL)
        return PB_OK;
    if (same_revision != NULL)
        return is_same_content ? PB_DUPLICATE : PB_CONFLICT;
    if (!read->is_correction && !(read->is_revisable && newest->is_revisable))
        return PB_CONFLICT;
    *ret_is_history = read->revision < newest->revision;
    return PB_OK;
}

void
model_store(struct model *model, const struct pb_read *read, int64_t now_us, bool is_history)
{
    uint64_t identity = pb_read_identity(read);
    struct model_row *row = NULL;

    for (uint32_t i = 0; i < model->row_count && !is_history; i++) {
        if (model->rows[i].identity == identity
            && pb_read_same_identity(&model->rows[i].read, read))
            model->rows[i].read.is_superseded = true;
    }
    if (model->row_count == model->row_room) {
        model->row_room = model->row_room == 0 ? 256 : model->row_room * 2;
        model->rows = need(pb_realloc(model->env, model->rows,
                                      model->row_room * sizeof(*model->rows)));
    }
    row = &model->rows[model->row_count++];
    if (pb_read_copy(&model->arena, read, &row->read) != PB_OK)
        abort();
    row->read.received_at_us = now_us;
    row->read.is_superseded = is_history;
    row->identity = identity;
    row->is_erased = false;
}

void
model_erase(struct model *model, const struct pb_erasure *erasure)
{
    struct pb_erasure *copy = NULL;

    if (model->erasure_count == model->erasure_room) {
        model->erasure_room = model->erasure_room == 0 ? 64 : model->erasure_room * 2;
        model->erasures = need(pb_realloc(model->env, model->erasures,
                                          model->erasure_room * sizeof(*model->erasures)));
    }
    copy = &model->erasures[model->erasure_count++];
    *copy = *erasure;
    if (pb_arena_copy(&model->arena, erasure->plate, &copy->plate) != PB_OK
        || pb_arena_copy(&model->arena, erasure->reader, &copy->reader) != PB_OK)
        abort();
    for (uint32_t i = 0; i < model->row_count; i++)
        model->rows[i].is_erased = model->rows[i].is_erased || erases(copy, &model->rows[i].read);
}

void
model_restamp(struct model *model, pb_restamp_fn *fn, void *context, int64_t now_us)
{
    for (uint32_t i = 0; i < model->row_count; i++) {
        struct pb_read *read = &model->rows[i].read;

        if (read->delete_after_us > now_us)
            read->delete_after_us = fn(context, read);
    }
}

void
model_forget(struct model *model, int64_t now_us)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < model->row_count; i++) {
        if (model_is_live(&model->rows[i], now_us))
            model->rows[count++] = model->rows[i];
    }
    model->row_count = count;
}

/* ---- asking ---- */

static int
compare_results(const void *a_result, const void *b_result)
{
    const struct model_row *a = ((const struct model_result *)a_result)->row;
    const struct model_row *b = ((const struct model_result *)b_result)->row;

    if (a->read.captured_at_us != b->read.captured_at_us)
        return a->read.captured_at_us > b->read.captured_at_us ? -1 : 1;
    if (a->identity != b->identity)
        return a->identity < b->identity ? -1 : 1;
    return (a->read.revision < b->read.revision) - (a->read.revision > b->read.revision);
}

static enum pb_match
kind_of(const struct pb_pattern_match *match)
{
    if (match->edits > 0)
        return PB_MATCH_EDITS;
    if (match->has_lookalike)
        return PB_MATCH_LOOKALIKE;
    return match->has_wildcard ? PB_MATCH_PATTERN : PB_MATCH_EXACT;
}

static bool
is_word(struct pb_str wanted, struct pb_str found)
{
    return wanted.bytes == 0
           || (wanted.bytes == found.bytes
               && strncasecmp(wanted.text, found.text, wanted.bytes) == 0);
}

static bool
fits(const struct pb_query *query, const struct pb_pattern *pattern, const struct pb_read *read,
     struct model_result *result)
{
    struct pb_pattern_match match = { 0 };

    result->match = PB_MATCH_EXACT;
    result->edits = 0;
    result->alternate = 0;
    if (query->area != NULL
        && (read->lat_e7 == PB_NO_POSITION
            || !pb_geo_area_contains(query->area, read->lat_e7, read->lon_e7)))
        return false;
    if (read->captured_at_us < query->from_us || read->captured_at_us >= query->to_us
        || (query->jurisdiction != 0 && query->jurisdiction != read->jurisdiction)
        || (query->reader.bytes != 0 && !pb_str_equal(query->reader, read->reader))
        || !is_word(query->make, read->make) || !is_word(query->model, read->model)
        || !is_word(query->color, read->color) || !is_word(query->body, read->body)
        || (query->confidence_min_permille != 0
            && pb_read_confidence_permille(read) < query->confidence_min_permille))
        return false;
    if (pattern == NULL)
        return true;
    if (!pb_pattern_matches(pattern, read->plate, &match)) {
        uint32_t i = 0;

        if (query->without_alternates)
            return false;
        while (i < read->alternate_count
               && !pb_pattern_matches(pattern, read->alternates[i].plate, &match))
            i++;
        if (i == read->alternate_count)
            return false;
        result->alternate = i + 1;
    }
    result->match = kind_of(&match);
    result->edits = match.edits;
    return true;
}

uint32_t
model_search(const struct model *model, const struct pb_query *query, int64_t now_us,
             struct model_result **ret_results)
{
    struct pb_pattern *pattern = NULL;
    struct pb_error error;
    uint32_t count = 0;

    if (query->plate.bytes != 0
        && pb_pattern_compile(model->env, query->plate, query->edits, query->with_lookalikes,
                              &pattern, &error) != PB_OK)
        abort();
    *ret_results = need(pb_calloc(model->env, model->row_count + 1u, sizeof(**ret_results)));
    for (uint32_t i = 0; i < model->row_count; i++) {
        const struct model_row *row = &model->rows[i];
        struct model_result result = { .row = row };

        if (!model_is_live(row, now_us) || (row->read.is_superseded && !query->with_superseded)
            || !fits(query, pattern, &row->read, &result))
            continue;
        (*ret_results)[count++] = result;
    }
    qsort(*ret_results, count, sizeof(**ret_results), compare_results);
    pb_pattern_free(model->env, pattern);
    return count;
}

static int
compare_plates(const void *a_count, const void *b_count)
{
    const struct pb_plate_count *a = a_count;
    const struct pb_plate_count *b = b_count;
    bool a_is_long = pb_plate_code(a->plate) == 0;
    bool b_is_long = pb_plate_code(b->plate) == 0;
    int order = 0;

    if (a_is_long != b_is_long)
        return a_is_long ? 1 : -1;
    order = pb_str_compare(a->plate, b->plate);
    if (order != 0)
        return order;
    return (a->jurisdiction > b->jurisdiction) - (a->jurisdiction < b->jurisdiction);
}

uint32_t
model_plates(const struct model *model, struct pb_str pattern_text, unsigned edits,
             bool with_lookalikes, uint16_t jurisdiction, int64_t now_us,
             struct pb_plate_count **ret_plates)
{
    struct pb_pattern *pattern = NULL;
    struct pb_error error;
    struct pb_plate_count *plates
        = need(pb_calloc(model->env, model->row_count + 1u, sizeof(*plates)));
    uint32_t count = 0;

    if (pb_pattern_compile(model->env, pattern_text, edits, with_lookalikes, &pattern, &error)
        != PB_OK)
        abort();
    for (uint32_t i = 0; i < model->row_count; i++) {
        const struct model_row *row = &model->rows[i];
        const struct pb_read *read = &row->read;
        struct pb_pattern_match match = { 0 };
        uint32_t at = 0;

        if (!model_is_live(row, now_us) || read->is_superseded
            || (jurisdiction != 0 && jurisdiction != read->jurisdiction)
            || !pb_pattern_matches(pattern, read->plate, &match))
            continue;
        while (at < count && !(pb_str_equal(plates[at].plate, read->plate)
                               && plates[at].jurisdiction == read->jurisdiction))
            at++;
        if (at == count) {
            plates[count++] = (struct pb_plate_count){ .plate = read->plate,
                                                       .jurisdiction = read->jurisdiction,
                                                       .first_us = read->captured_at_us,
                                                       .last_us = read->captured_at_us,
                                                       .match = kind_of(&match),
                                                       .edits = match.edits };
        }
        plates[at].reads++;
        if (read->captured_at_us < plates[at].first_us)
            plates[at].first_us = read->captured_at_us;
        if (read->captured_at_us > plates[at].last_us)
            plates[at].last_us = read->captured_at_us;
    }
    qsort(plates, count, sizeof(*plates), compare_plates);
    pb_pattern_free(model->env, pattern);
    *ret_plates = plates;
    return count;
}

/* ---- comparing ---- */

static const char *
text_difference(const struct pb_read *stored, const struct pb_read *found)
{
    const struct {
        struct pb_str stored, found;
        const char *name;
    } texts[] = {
        { stored->plate, found->plate, "plate" },
        { stored->plate_raw, found->plate_raw, "plate_raw" },
        { stored->reader, found->reader, "reader" },
        { stored->make, found->make, "make" },
        { stored->model, found->model, "model" },
        { stored->color, found->color, "color" },
        { stored->body, found->body, "body" },
        { stored->event_id, found->event_id, "event_id" },
        { stored->identity_plate, found->identity_plate, "identity_plate" },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!pb_str_equal(texts[i].stored, texts[i].found))
            return texts[i].name;
    }
    if (stored->alternate_count != found->alternate_count)
        return "alternate_count";
    for (uint32_t i = 0; i < stored->alternate_count; i++) {
        if (!pb_str_equal(stored->alternates[i].plate, found->alternates[i].plate)
            || stored->alternates[i].confidence_e6 != found->alternates[i].confidence_e6)
            return "alternates";
    }
    if (stored->image_count != found->image_count)
        return "image_count";
    for (uint32_t i = 0; i < stored->image_count; i++) {
        if (!pb_str_equal(stored->images[i].ref, found->images[i].ref)
            || stored->images[i].kind != found->images[i].kind)
            return "images";
    }
    return NULL;
}

const char *
model_difference(const struct pb_read *stored, const struct pb_read *found, bool with_received)
{
    const struct {
        int64_t stored, found;
        const char *name;
    } numbers[] = {
        { stored->jurisdiction, found->jurisdiction, "jurisdiction" },
        { stored->captured_at_us, found->captured_at_us, "captured_at_us" },
        { stored->utc_offset_min, found->utc_offset_min, "utc_offset_min" },
        { stored->delete_after_us, found->delete_after_us, "delete_after_us" },
        { stored->lat_e7, found->lat_e7, "lat_e7" },
        { stored->lon_e7, found->lon_e7, "lon_e7" },
        { stored->heading_cdeg, found->heading_cdeg, "heading_cdeg" },
        { stored->speed_ckmh, found->speed_ckmh, "speed_ckmh" },
        { stored->lane, found->lane, "lane" },
        { (int64_t)stored->confidence_scale, (int64_t)found->confidence_scale,
          "confidence_scale" },
        { stored->confidence_e6, found->confidence_e6, "confidence_e6" },
        { stored->year, found->year, "year" },
        { stored->year_last, found->year_last, "year_last" },
        { stored->revision, found->revision, "revision" },
        { stored->is_revisable, found->is_revisable, "is_revisable" },
        { stored->is_correction, found->is_correction, "is_correction" },
        { stored->is_superseded, found->is_superseded, "is_superseded" },
        { with_received ? stored->received_at_us : 0, with_received ? found->received_at_us : 0,
          "received_at_us" },
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i].stored != numbers[i].found)
            return numbers[i].name;
    }
    return text_difference(stored, found);
}
