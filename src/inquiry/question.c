/*
 * A question on its way: checked for shape, its asker looked up, its tokens opened, and the
 * request to the policy filled in.
 */
#include <string.h>

#include <platebase/plate.h>

#include "inquiry/inquiry_private.h"

/* ---- shape: what no rule needs to judge because it means nothing ---- */

static enum pb_status
check_places(const struct pb_inquiry *inquiry, struct pb_error *error)
{
    uint32_t least = inquiry->kind == PB_INQUIRY_COMMON  ? 2
                     : inquiry->kind == PB_INQUIRY_PLACE ? 1
                                                         : 0;
    uint32_t most = inquiry->kind == PB_INQUIRY_COMMON  ? PB_PLACES_MAX
                    : inquiry->kind == PB_INQUIRY_PLACE ? 1
                                                        : 0;

    if (inquiry->place_count < least || inquiry->place_count > most)
        return pb_fail(error, PB_BAD_INPUT,
                       "places: %u given; an inquiry of kind %s takes %u to %u",
                       inquiry->place_count, pb_inquiry_kind_name(inquiry->kind), least, most);
    for (uint32_t i = 0; i < inquiry->place_count; i++) {
        if (inquiry->places[i].area == NULL || inquiry->places[i].area_text.bytes == 0)
            return pb_fail(error, PB_BAD_INPUT, "places: place %u has no area", i + 1);
    }
    return PB_OK;
}

static enum pb_status
check_texts(const struct pb_inquiry *inquiry, struct pb_error *error)
{
    const struct {
        const char *name;
        struct pb_str text;
        uint32_t bytes_max;
    } texts[] = {
        { "person", inquiry->person, PB_CATALOG_ID_BYTES_MAX },
        { "on_behalf_of", inquiry->on_behalf_of, PB_CATALOG_ID_BYTES_MAX },
        { "client", inquiry->client, PB_CATALOG_ID_BYTES_MAX },
        { "identity", inquiry->identity, PB_CATALOG_TEXT_BYTES_MAX },
        { "export_format", inquiry->export_format, PB_CATALOG_ID_BYTES_MAX },
        { "export_agreement", inquiry->export_agreement, PB_CATALOG_ID_BYTES_MAX },
        { "export_recipient", inquiry->export_recipient, PB_CATALOG_TEXT_BYTES_MAX },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].text.bytes > texts[i].bytes_max)
            return pb_fail(error, PB_OVER_LIMIT, "%s: longer than %u bytes", texts[i].name,
                           texts[i].bytes_max);
    }
    return PB_OK;
}

static enum pb_status
check_kind(const struct pb_inquiry *inquiry, struct pb_error *error)
{
    if ((unsigned)inquiry->kind > PB_INQUIRY_SUBJECT)
        return pb_fail(error, PB_BAD_INPUT, "kind: not known");
    if ((unsigned)inquiry->relation > PB_RELATION_OTHER)
        return pb_fail(error, PB_BAD_INPUT, "relation: not known");
    if (inquiry->query.area != NULL || inquiry->query.resume.bytes != 0)
        return pb_fail(error, PB_BAD_INPUT,
                       "query: areas are given as places, and a page by its "
                       "own token");
    if (inquiry->counts_plates && inquiry->kind != PB_INQUIRY_PATTERN)
        return pb_fail(error, PB_BAD_INPUT, "counts_plates: only of an inquiry of kind pattern");
    if (inquiry->kind == PB_INQUIRY_COMMON && inquiry->query.plate.bytes != 0)
        return pb_fail(error, PB_BAD_INPUT, "plate: common plates are what is asked for");
    if (inquiry->together_us < 0 || inquiry->together_us > PB_HOUR_US)
        return pb_fail(error, PB_BAD_INPUT, "together: at most an hour");
    if (inquiry->confirmation.bytes != 0 && inquiry->page.bytes != 0)
        return pb_fail(error, PB_BAD_INPUT, "page, confirmation: one of them at a time");
    return check_places(inquiry, error);
}

/* ---- the plate as typed ---- */

/* Characters that are known: neither wildcards nor classes, folded as plates are. */
static unsigned
known_characters(struct pb_str typed)
{
    char literal[PB_PLATE_RAW_BYTES_MAX];
    char folded[PB_PLATE_BYTES_MAX];
    uint32_t literal_bytes = 0;
    uint32_t folded_bytes = 0;
    unsigned count = 0;
    bool is_in_class = false;

    for (uint32_t i = 0; i < typed.bytes && literal_bytes < sizeof(literal); i++) {
        char character = typed.text[i];

        if (character == '[')
            is_in_class = true;
        if (!is_in_class && character != '?' && character != '*')
            literal[literal_bytes++] = character;
        if (character == ']')
            is_in_class = false;
    }
    if (pb_plate_fold((struct pb_str){ literal, literal_bytes }, folded, &folded_bytes) != PB_OK)
        return 0;
    for (uint32_t i = 0; i < folded_bytes; i++)
        count += ((unsigned char)folded[i] & 0xC0) != 0x80;
    return count;
}

/* Compiles the plate, so that what cannot be asked is known before anything is recorded. */
static enum pb_status
read_plate(struct pb_question *question, struct pb_error *error)
{
    const struct pb_query *query = &question->inquiry->query;
    struct pb_policy_request *request = &question->request;
    struct pb_pattern *pattern = NULL;
    struct pb_str exact;
    enum pb_status status = PB_OK;

    request->plate = query->plate;
    request->edits = query->edits;
    if (query->plate.bytes == 0)
        return PB_OK; /* the policy says whether one is needed */
    status = pb_pattern_compile(question->site->env, query->plate, query->edits,
                                query->with_lookalikes, &pattern, error);
    if (status != PB_OK)
        return status;
    request->is_plate_exact = pb_pattern_is_exact(pattern, &exact);
    request->known_characters = known_characters(query->plate);
    /* One plate is recorded in one spelling, however it was typed, so that it is found again. */
    question->plate = query->plate;
    if (request->is_plate_exact)
        status = pb_arena_copy(&question->answer->arena, exact, &question->plate);
    pb_pattern_free(question->site->env, pattern);
    if (status != PB_OK)
        return status;
    if (!request->is_plate_exact && (question->inquiry->kind == PB_INQUIRY_PLATE ||
                                     question->inquiry->kind == PB_INQUIRY_ASSOCIATES ||
                                     question->inquiry->kind == PB_INQUIRY_SUBJECT))
        return pb_fail(error, PB_BAD_INPUT,
                       "plate: one whole plate is needed; what is partial is an inquiry of kind "
                       "pattern");
    return PB_OK;
}

/* ---- the request ---- */

static void
place_window(const struct pb_inquiry *inquiry, const struct pb_place *place, int64_t *ret_from_us,
             int64_t *ret_to_us)
{
    bool has_own = place->from_us != 0 || place->to_us != 0;

    *ret_from_us = has_own ? place->from_us : inquiry->query.from_us;
    *ret_to_us = has_own ? place->to_us : inquiry->query.to_us;
}

static enum pb_status
read_window(struct pb_question *question, struct pb_error *error)
{
    const struct pb_inquiry *inquiry = question->inquiry;
    struct pb_policy_request *request = &question->request;

    request->from_us = inquiry->query.from_us;
    request->to_us = inquiry->query.to_us;
    request->place_count = inquiry->place_count;
    for (uint32_t i = 0; i < inquiry->place_count; i++) {
        int64_t from_us = 0;
        int64_t to_us = 0;
        double area_m2;

        place_window(inquiry, &inquiry->places[i], &from_us, &to_us);
        if (from_us >= to_us && (from_us != 0 || to_us != 0))
            return pb_fail(error, PB_BAD_INPUT, "from, to: the window of place %u is empty", i + 1);
        request->from_us = i == 0 || from_us < request->from_us ? from_us : request->from_us;
        request->to_us = i == 0 || to_us > request->to_us ? to_us : request->to_us;
        /* How large it is says the area itself, not who asks. */
        area_m2 = pb_geo_area_m2(inquiry->places[i].area);
        request->area_m2 += area_m2;
        request->exposure_km2_hours +=
            area_m2 / 1e6 * ((double)(to_us - from_us) / (double)PB_HOUR_US);
    }
    if (request->from_us >= request->to_us && (request->from_us != 0 || request->to_us != 0))
        return pb_fail(error, PB_BAD_INPUT, "from, to: the window is empty; give from before to");
    return PB_OK;
}

bool
pb_question_window(const struct pb_question *question, const struct pb_place *place,
                   int64_t *ret_from_us, int64_t *ret_to_us)
{
    const struct pb_decision *decision = &question->answer->decision;

    *ret_from_us = question->inquiry->query.from_us;
    *ret_to_us = question->inquiry->query.to_us;
    if (place != NULL)
        place_window(question->inquiry, place, ret_from_us, ret_to_us);
    if (*ret_from_us < decision->from_us)
        *ret_from_us = decision->from_us;
    if (*ret_to_us > decision->to_us)
        *ret_to_us = decision->to_us;
    return *ret_from_us < *ret_to_us;
}

/* What the catalog knows of the person, and of the case that they name. */
static enum pb_status
look_up(struct pb_question *question, struct pb_error *error)
{
    const struct pb_catalog_view *view = question->facts->view;
    uint32_t index = pb_view_person(view, question->inquiry->person);
    enum pb_status status = PB_OK;

    question->agency_index = PB_NO_INDEX;
    if (index == PB_NO_INDEX)
        return PB_OK; /* the policy denies */
    question->person = &view->people[index];
    question->agency_index = question->person->agency;
    question->agency = &view->agencies[question->agency_index];
    if (question->inquiry->case_number.bytes == 0)
        return PB_OK;
    status = pb_catalog_case(question->site->catalog, question->agency->id,
                             question->inquiry->case_number, &question->answer->arena,
                             &question->found_case, error);
    if (status == PB_OK)
        question->request.found_case = &question->found_case;
    return status == PB_NOT_FOUND ? PB_OK : status;
}

static void
fill_request(struct pb_question *question)
{
    const struct pb_inquiry *inquiry = question->inquiry;
    struct pb_policy_request *request = &question->request;

    request->kind = inquiry->kind;
    request->person = inquiry->person;
    request->on_behalf_of = inquiry->on_behalf_of;
    request->purpose = inquiry->purpose;
    request->offence = inquiry->offence;
    request->case_number = inquiry->case_number;
    request->justification = inquiry->justification;
    request->relation = inquiry->relation;
    request->jurisdiction = inquiry->query.jurisdiction;
    request->is_jurisdiction_unknown = inquiry->is_jurisdiction_unknown;
    request->identity = inquiry->identity;
    request->has_stepped_up = inquiry->has_stepped_up;
    request->is_break_glass = inquiry->is_break_glass;
    request->is_export = inquiry->is_export;
    request->export_recipient = inquiry->export_recipient;
    request->export_agreement = inquiry->export_agreement;
    request->found_count = PB_COUNT_UNKNOWN;
}

/* ---- tokens ---- */

static bool
is_of_this(const struct pb_question *question, const struct pb_inquiry_token *token)
{
    return pb_str_equal(token->person, question->inquiry->person) &&
           sodium_memcmp(token->digest, question->digest, PB_DIGEST_BYTES) == 0;
}

static enum pb_status
open_tokens(struct pb_question *question, struct pb_error *error)
{
    const struct pb_inquiry *inquiry = question->inquiry;

    if (inquiry->confirmation.bytes != 0) {
        if (!pb_inquiry_token_open(question->site, PB_TOKEN_CONFIRMATION, inquiry->confirmation,
                                   question->now_us, question->confirmation_room,
                                   &question->confirmation) ||
            !is_of_this(question, &question->confirmation))
            return pb_fail(error, PB_BAD_INPUT,
                           "confirmation: it is not of this inquiry, or its time is over");
        question->has_confirmed = true;
        question->request.has_confirmed = true;
        question->request.approver = question->confirmation.approver;
    }
    if (inquiry->page.bytes != 0) {
        if (!pb_inquiry_token_open(question->site, PB_TOKEN_PAGE, inquiry->page, question->now_us,
                                   question->page_room, &question->page) ||
            !is_of_this(question, &question->page))
            return pb_fail(error, PB_BAD_INPUT,
                           "page: it is not of this inquiry, or its time is over; ask anew");
        question->is_page = true;
        question->has_confirmed = true;
        question->request.has_confirmed = true;
        question->request.approver = question->page.approver;
    }
    return PB_OK;
}

enum pb_status
pb_question_begin(struct pb_question *question, struct pb_error *error)
{
    struct pb_answer *answer = question->answer;
    const struct pb_inquiry *inquiry = question->inquiry;
    enum pb_status status = check_kind(inquiry, error);

    if (status == PB_OK)
        status = check_texts(inquiry, error);
    if (status != PB_OK)
        return status;
    question->now_us = pb_now_us(question->site->env);
    question->started_ns = pb_monotonic_ns(question->site->env);
    status = pb_site_facts(question->site, question->now_us, &answer->facts, error);
    if (status != PB_OK)
        return status;
    question->facts = answer->facts;
    pb_inquiry_digest(question->site, inquiry, question->digest);
    fill_request(question);
    status = read_plate(question, error);
    if (status == PB_OK)
        status = read_window(question, error);
    if (status == PB_OK)
        status = look_up(question, error);
    if (status == PB_OK)
        status = open_tokens(question, error);
    if (status == PB_OK && question->request.approver.bytes == 0)
        status = pb_approval_find(question, error);
    return status;
}

/* ---- which readers the question concerns ---- */

static bool
is_in_places(const struct pb_inquiry *inquiry, const struct pb_reader_entry *reader)
{
    if (inquiry->place_count == 0)
        return true;
    for (uint32_t i = 0; reader->lat_e7 != PB_NO_POSITION && i < inquiry->place_count; i++) {
        if (pb_geo_area_contains(inquiry->places[i].area, reader->lat_e7, reader->lon_e7))
            return true;
    }
    return false;
}

static bool
is_in_scope(const struct pb_question *question, uint32_t index)
{
    const struct pb_reader_entry *reader = &question->facts->view->readers[index];
    const struct pb_decision *decision = &question->answer->decision;
    struct pb_str wanted = question->inquiry->query.reader;

    return decision->admits_origin[reader->origin] &&
           (decision->admits_reader == NULL || decision->admits_reader[index]) &&
           (wanted.bytes == 0 || pb_str_equal(wanted, reader->id)) &&
           is_in_places(question->inquiry, reader);
}

enum pb_status
pb_question_scope(struct pb_question *question)
{
    const struct pb_catalog_view *view = question->facts->view;
    struct pb_answer *answer = question->answer;
    const struct pb_decision *decision = &answer->decision;
    struct pb_coverage *coverage = &answer->coverage;
    uint8_t *is_in = NULL;

    answer->activity = question->site->activity;
    answer->from_us = question->request.from_us > decision->from_us ? question->request.from_us
                                                                    : decision->from_us;
    answer->to_us =
        question->request.to_us < decision->to_us ? question->request.to_us : decision->to_us;
    coverage->origins_excluded = decision->origins_excluded;
    if (decision->admits_reader == NULL && question->inquiry->place_count == 0 &&
        question->inquiry->query.reader.bytes == 0) {
        for (uint32_t i = 0; i < view->origin_count; i++)
            coverage->readers_in_scope +=
                decision->admits_origin[i] ? view->origins[i].reader_count : 0;
        return PB_OK;
    }
    is_in = pb_arena_alloc(&answer->arena, view->reader_count);
    if (is_in == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < view->reader_count; i++) {
        is_in[i] = is_in_scope(question, i);
        coverage->readers_in_scope += is_in[i];
    }
    answer->is_in_scope = is_in;
    return PB_OK;
}

/* Live holds that let the asker see what has otherwise expired: of their agency and this case. */
enum pb_status
pb_question_sieve(struct pb_question *question)
{
    const struct pb_catalog_view *view = question->facts->view;
    struct pb_sieve *sieve = &question->sieve;
    uint32_t count = 0;

    *sieve = (struct pb_sieve){ .env = question->site->env,
                                .facts = question->facts,
                                .decision = &question->answer->decision,
                                .last_reader = PB_NO_INDEX };
    for (uint32_t i = 0; i < view->hold_count; i++)
        count += view->holds[i].agency == question->agency_index;
    if (count == 0)
        return PB_OK;
    sieve->holds = pb_arena_alloc(&question->answer->arena, count * sizeof(*sieve->holds));
    if (sieve->holds == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < view->hold_count; i++) {
        const struct pb_hold *hold = &view->holds[i];

        if (hold->agency == question->agency_index && !hold->is_released &&
            pb_str_equal(hold->case_number, question->inquiry->case_number))
            sieve->holds[sieve->hold_count++] = hold;
    }
    return PB_OK;
}
