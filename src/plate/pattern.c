/*
 * Patterns, first half: what a person typed becomes an automaton.
 *
 * Format: docs/formats/pattern-language.md. The automaton is that of Wu and Manber ("Fast
 * text searching allowing errors", 1992), with stars as states that stay and with a second
 * set of step masks in which look-alike characters count as equal.
 */
#include <assert.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "plate/plate_private.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define RANGES_MAX 256u           /* of a pattern, for characters without symbol */
#define CLASS_RANGE_WIDTH_MAX 256u /* code points of one `a-z` in a class */

#define ALL_SYMBOLS ((UINT64_C(1) << PB_SYMBOL_COUNT) - 2) /* bits 1 to 36 */

struct step {
    uint64_t symbols; /* that it takes; bit s is symbol s */
    bool is_negated;
    bool takes_others; /* a code point without symbol, but for the ranges of a negated class */
    bool has_ranges;
};

struct builder {
    struct pb_str text;
    uint32_t at; /* bytes of text read */
    struct pb_error *error;

    struct step steps[PB_PATTERN_STEPS_MAX];
    unsigned step_count;
    unsigned star_count;
    uint64_t stars;
    bool has_wildcard;
    uint32_t last_letter; /* of the last step, where that is one letter; else 0 */

    struct pb_pattern_range ranges[RANGES_MAX];
    uint32_t range_count;
};

/* ---- reading ---- */

static enum pb_status
next_code_point(struct builder *builder, uint32_t *ret_code_point)
{
    size_t bytes = pb_utf8_next(builder->text.text + builder->at,
                                builder->text.bytes - builder->at, ret_code_point);

    if (bytes == 0)
        return pb_fail(builder->error, PB_BAD_INPUT,
                       "plate pattern: not UTF-8 at byte %u", builder->at);
    if (pb_letter_is_control(*ret_code_point))
        return pb_fail(builder->error, PB_BAD_INPUT,
                       "plate pattern: control character at byte %u", builder->at);
    builder->at += (uint32_t)bytes;
    *ret_code_point = pb_letter_narrow(*ret_code_point);
    return PB_OK;
}

static enum pb_status
add_step(struct builder *builder, struct step step)
{
    if (builder->step_count + builder->star_count == PB_PATTERN_STEPS_MAX)
        return pb_fail(builder->error, PB_OVER_LIMIT,
                       "plate pattern: more than %u characters, classes and stars",
                       PB_PATTERN_STEPS_MAX);
    builder->steps[builder->step_count++] = step;
    return PB_OK;
}

static enum pb_status
add_star(struct builder *builder)
{
    uint64_t bit = UINT64_C(1) << builder->step_count;

    builder->has_wildcard = true;
    if ((builder->stars & bit) != 0)
        return PB_OK; /* two stars in a row are one */
    if (builder->step_count + builder->star_count == PB_PATTERN_STEPS_MAX)
        return pb_fail(builder->error, PB_OVER_LIMIT,
                       "plate pattern: more than %u characters, classes and stars",
                       PB_PATTERN_STEPS_MAX);
    builder->stars |= bit;
    builder->star_count++;
    return PB_OK;
}

/* Adds one folded letter to a step that will be, or is, step number step_index. */
static enum pb_status
add_letter(struct builder *builder, struct step *step, unsigned step_index, uint32_t letter)
{
    uint64_t step_bit = UINT64_C(2) << step_index;
    struct pb_pattern_range *last;

    if (letter < 0x80 && pb_plate_symbols[letter] != 0) {
        step->symbols |= UINT64_C(1) << pb_plate_symbols[letter];
        return PB_OK;
    }
    step->has_ranges = true;
    if (builder->range_count > 0) {
        last = &builder->ranges[builder->range_count - 1];
        if (last->step_bit == step_bit && letter >= last->first && letter <= last->last + 1) {
            if (letter > last->last)
                last->last = letter;
            return PB_OK;
        }
    }
    if (builder->range_count == RANGES_MAX)
        return pb_fail(builder->error, PB_OVER_LIMIT,
                       "plate pattern: too many different characters in classes");
    builder->ranges[builder->range_count++] =
        (struct pb_pattern_range){ .first = letter, .last = letter, .step_bit = step_bit };
    return PB_OK;
}

static enum pb_status
add_literal(struct builder *builder, uint32_t letter)
{
    struct step step = { 0 };
    enum pb_status status = add_step(builder, step);

    if (status != PB_OK)
        return status;
    builder->last_letter = letter;
    return add_letter(builder, &builder->steps[builder->step_count - 1], builder->step_count - 1,
                      letter);
}

/* A mark after a letter: the letter becomes another one. */
static enum pb_status
compose_literal(struct builder *builder, uint32_t mark)
{
    uint32_t composed = pb_letter_compose(builder->last_letter, mark);
    struct step *step;

    if (composed == 0)
        return PB_OK;
    step = &builder->steps[builder->step_count - 1];
    if (step->has_ranges)
        builder->range_count--; /* its one letter */
    *step = (struct step){ 0 };
    builder->last_letter = composed;
    return add_letter(builder, step, builder->step_count - 1, composed);
}

/* ---- classes ---- */

/* Folds one by one, so that `[a-z]` and a range of Cyrillic mean what they say. */
static enum pb_status
add_class_range(struct builder *builder, struct step *step, uint32_t first, uint32_t last)
{
    if (first > last)
        return pb_fail(builder->error, PB_BAD_INPUT,
                       "plate pattern: a range in [...] runs backwards; write the lesser first");
    if (first != last && (pb_letter_fold(first) == 0 || pb_letter_fold(last) == 0))
        return pb_fail(builder->error, PB_BAD_INPUT,
                       "plate pattern: a range in [...] goes from a letter or digit to another");
    if (last - first >= CLASS_RANGE_WIDTH_MAX)
        return pb_fail(builder->error, PB_OVER_LIMIT,
                       "plate pattern: a range in [...] has more than %u characters",
                       CLASS_RANGE_WIDTH_MAX);
    for (uint32_t c = first; c <= last; c++) {
        uint32_t letter = pb_letter_is_control(c) ? 0 : pb_letter_fold(c);
        enum pb_status status;

        /* Between two letters lie signs that fold to "unread": nobody means those. */
        if (letter == 0 || (letter == PB_PLATE_UNREAD && first != last))
            continue;
        status = add_letter(builder, step, builder->step_count, letter);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

static enum pb_status
next_in_class(struct builder *builder, uint32_t *ret_code_point)
{
    enum pb_status status;

    if (builder->at == builder->text.bytes)
        return pb_fail(builder->error, PB_BAD_INPUT, "plate pattern: [ has no closing ]");
    status = next_code_point(builder, ret_code_point);
    if (status != PB_OK)
        return status;
    if (*ret_code_point == '[' || *ret_code_point == '?' || *ret_code_point == '*')
        return pb_fail(builder->error, PB_BAD_INPUT,
                       "plate pattern: no [ ? * inside [...]");
    if (pb_letter_is_mark(*ret_code_point))
        return pb_fail(builder->error, PB_BAD_INPUT,
                       "plate pattern: write a letter and its accent as one character in [...]");
    return PB_OK;
}

/* How many bytes the next character takes where it is this one, or its full-width form; else 0. */
static uint32_t
bytes_of_next(const struct builder *builder, uint32_t wanted)
{
    uint32_t code_point;
    size_t bytes = pb_utf8_next(builder->text.text + builder->at, builder->text.bytes - builder->at,
                                &code_point);

    return bytes != 0 && pb_letter_narrow(code_point) == wanted ? (uint32_t)bytes : 0;
}

/* After `first` in a class: ret_last is the end of the range that it begins, or itself. */
static enum pb_status
take_range_end(struct builder *builder, uint32_t first, uint32_t *ret_last)
{
    uint32_t dash_bytes = bytes_of_next(builder, '-');
    uint32_t after_dash = builder->at + dash_bytes;
    enum pb_status status;

    *ret_last = first;
    if (dash_bytes == 0)
        return PB_OK;
    builder->at = after_dash;
    status = next_in_class(builder, ret_last);
    if (status == PB_OK && *ret_last == ']') {
        /* A dash at the end is a dash, and those are dropped. */
        builder->at = after_dash;
        *ret_last = first;
    }
    return status;
}

/* After `[`. */
static enum pb_status
parse_class(struct builder *builder)
{
    struct step step = { 0 };
    uint32_t first = 0, last = 0;
    enum pb_status status = next_in_class(builder, &first);

    if (status == PB_OK && (first == '!' || first == '^')) {
        step.is_negated = true;
        status = next_in_class(builder, &first);
    }
    while (status == PB_OK && first != ']') {
        status = take_range_end(builder, first, &last);
        if (status == PB_OK)
            status = add_class_range(builder, &step, first, last);
        if (status == PB_OK)
            status = next_in_class(builder, &first);
    }
    if (status != PB_OK)
        return status;
    if (step.symbols == 0 && !step.has_ranges)
        return pb_fail(builder->error, PB_BAD_INPUT,
                       "plate pattern: no letter or digit in [...]");
    if (step.is_negated) {
        step.symbols = ALL_SYMBOLS & ~step.symbols;
        step.takes_others = true;
    }
    builder->has_wildcard = true;
    return add_step(builder, step);
}

static enum pb_status
parse(struct builder *builder)
{
    enum pb_status status = PB_OK;

    while (status == PB_OK && builder->at < builder->text.bytes) {
        struct step any = { .symbols = ALL_SYMBOLS, .takes_others = true };
        uint32_t code_point, letter;

        status = next_code_point(builder, &code_point);
        if (status != PB_OK)
            break;
        if (pb_letter_is_mark(code_point)) {
            status = compose_literal(builder, code_point);
            continue;
        }
        switch (code_point) {
        case '?':
            builder->last_letter = 0;
            builder->has_wildcard = true;
            status = add_step(builder, any);
            break;
        case '*':
            builder->last_letter = 0;
            status = add_star(builder);
            break;
        case '[':
            builder->last_letter = 0;
            status = parse_class(builder);
            break;
        case ']':
            status = pb_fail(builder->error, PB_BAD_INPUT, "plate pattern: ] without [");
            break;
        default:
            letter = pb_letter_fold(code_point);
            if (letter != 0)
                status = add_literal(builder, letter);
            break;
        }
    }
    return status;
}

/* ---- automaton ---- */

/* All symbols that look like one of these. */
static uint64_t
with_lookalikes_of(uint64_t symbols)
{
    static const char *const classes[] = { "0OQD", "1I", "8B", "5S", "2Z" };
    uint64_t result = symbols;

    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        uint64_t class = 0;

        for (const char *c = classes[i]; *c != '\0'; c++)
            class |= UINT64_C(1) << pb_plate_symbols[(unsigned char)*c];
        if ((symbols & class) != 0)
            result |= class;
    }
    return result;
}

static void
fill_steps(struct pb_pattern *pattern, const struct builder *builder)
{
    for (unsigned i = 0; i < builder->step_count; i++) {
        const struct step *step = &builder->steps[i];
        uint64_t bit = UINT64_C(2) << i;
        uint64_t loose = step->symbols;

        if (pattern->has_lookalikes)
            loose = with_lookalikes_of(loose);
        for (unsigned symbol = 1; symbol < PB_SYMBOL_COUNT; symbol++) {
            if ((step->symbols >> symbol & 1) != 0)
                pattern->strict[symbol] |= bit;
            if ((loose >> symbol & 1) != 0)
                pattern->loose[symbol] |= bit;
        }
        if (step->takes_others)
            pattern->others |= bit;
        if (step->is_negated)
            pattern->negated |= bit;
    }
}

static void
fill_groups(struct pb_pattern *pattern)
{
    for (unsigned symbol = 1; symbol < PB_SYMBOL_COUNT; symbol++) {
        unsigned i = 0;

        while (i < pattern->group_count && pattern->groups[i].reach != pattern->loose[symbol])
            i++;
        if (i == pattern->group_count)
            pattern->groups[pattern->group_count++].reach = pattern->loose[symbol];
        pattern->groups[i].symbols |= UINT64_C(1) << symbol;
    }
}

/*
 * A state with n steps left and e edits left can accept within r more characters of a code if
 * n <= r + e (a character a step, or an edit) and the steps that take no symbol number at
 * most e.
 */
static void
fill_alive(struct pb_pattern *pattern, const struct builder *builder)
{
    for (unsigned depth = 0; depth <= PB_PLATE_CODE_CHARS; depth++) {
        for (unsigned spent = 0; spent <= pattern->edits; spent++) {
            unsigned edits_left = pattern->edits - spent;
            unsigned characters_left = PB_PLATE_CODE_CHARS - depth;
            unsigned without_symbol = 0;

            for (unsigned i = pattern->step_count + 1; i-- > 0;) {
                unsigned steps_left = pattern->step_count - i;

                without_symbol +=
                    i < pattern->step_count && builder->steps[i].symbols == 0;
                if (steps_left <= characters_left + edits_left && without_symbol <= edits_left)
                    pattern->alive[depth][spent] |= UINT64_C(1) << i;
            }
        }
    }
}

/* ---- prefilter ---- */

/* What all these symbols have in common, as bits of a field. */
static struct pb_pattern_mask
common_bits(uint64_t symbols)
{
    uint64_t all_ones = PB_SYMBOL_MASK, any_ones = 0;
    struct pb_pattern_mask common;

    for (unsigned symbol = 1; symbol < PB_SYMBOL_COUNT; symbol++) {
        if ((symbols >> symbol & 1) != 0) {
            all_ones &= symbol;
            any_ones |= symbol;
        }
    }
    common.mask = PB_SYMBOL_MASK & ~(all_ones ^ any_ones);
    common.value = all_ones & common.mask;
    return common;
}

static struct pb_pattern_mask
step_bits(const struct pb_pattern *pattern, const struct builder *builder, unsigned index)
{
    uint64_t symbols = builder->steps[index].symbols;

    /* A step that takes no symbol matches no code; the automaton says so at once. */
    if (symbols == 0)
        return (struct pb_pattern_mask){ 0, 0 };
    return common_bits(pattern->has_lookalikes ? with_lookalikes_of(symbols) : symbols);
}

static void
fill_prefix(struct pb_pattern *pattern, const struct builder *builder, unsigned count)
{
    for (unsigned i = 0; i < count && i < PB_PLATE_CODE_CHARS; i++) {
        struct pb_pattern_mask field = step_bits(pattern, builder, i);
        unsigned shift = PB_PLATE_CODE_BITS - PB_SYMBOL_BITS * (i + 1);

        pattern->prefix.mask |= field.mask << shift;
        pattern->prefix.value |= field.value << shift;
    }
}

static void
fill_suffix(struct pb_pattern *pattern, const struct builder *builder, unsigned first)
{
    for (unsigned i = first; i < builder->step_count; i++) {
        struct pb_pattern_mask field = step_bits(pattern, builder, i);
        unsigned shift = PB_SYMBOL_BITS * (builder->step_count - 1 - i);

        if (shift >= PB_PLATE_CODE_BITS)
            continue;
        pattern->suffix.mask |= field.mask << shift;
        pattern->suffix.value |= field.value << shift;
    }
}

/* The run of up to three steps between two stars that pins down most bits. */
static void
fill_inner(struct pb_pattern *pattern, const struct builder *builder, unsigned first,
           unsigned last)
{
    static const uint64_t every_field = UINT64_C(0x0041041041041041); /* bit 0 of each */
    unsigned best_first = 0, best_count = 0;
    int best_bits = 5; /* less is not worth the comparing */

    for (unsigned from = first; from < last; from++) {
        int bits = 0;

        for (unsigned i = from; i < from + PB_PATTERN_INNER_MAX && i < last; i++) {
            /* A run does not go across a star. */
            if (i > from && (builder->stars >> i & 1) != 0)
                break;
            bits += __builtin_popcountll(step_bits(pattern, builder, i).mask);
            if (bits > best_bits) {
                best_bits = bits;
                best_first = from;
                best_count = i - from + 1;
            }
        }
    }
    pattern->inner_count = best_count;
    for (unsigned i = 0; i < best_count; i++) {
        struct pb_pattern_mask field = step_bits(pattern, builder, best_first + i);

        pattern->inner[i].mask = field.mask * every_field;
        pattern->inner[i].value = field.value * every_field;
    }
}

static void
fill_prefilter(struct pb_pattern *pattern, const struct builder *builder)
{
    unsigned first_star, last_star;

    if (pattern->edits > 0)
        return;
    if (builder->stars == 0) {
        fill_prefix(pattern, builder, builder->step_count);
        if (builder->step_count < PB_PLATE_CODE_CHARS) /* and nothing after */
            pattern->prefix.mask |=
                (UINT64_C(1) << (PB_PLATE_CODE_BITS - PB_SYMBOL_BITS * builder->step_count)) - 1;
        return;
    }
    first_star = (unsigned)__builtin_ctzll(builder->stars);
    last_star = 63u - (unsigned)__builtin_clzll(builder->stars);
    fill_prefix(pattern, builder, first_star);
    fill_suffix(pattern, builder, last_star);
    fill_inner(pattern, builder, first_star, last_star);
}

/* ---- the whole ---- */

static void
fill_exact(struct pb_pattern *pattern, struct pb_str text)
{
    static const char lookalikes[] = "0OQD1I8B5S2Z";
    uint32_t bytes;

    if (pattern->has_wildcard || pattern->edits > 0)
        return;
    /* Too long to be a plate, or nothing but unread characters: matching decides. */
    if (pb_plate_fold(text, pattern->exact, &bytes) != PB_OK)
        return;
    for (uint32_t i = 0; i < bytes && pattern->has_lookalikes; i++) {
        if (memchr(lookalikes, pattern->exact[i], sizeof(lookalikes) - 1) != NULL)
            return;
    }
    pattern->exact_bytes = bytes;
}

static enum pb_status
check_text(struct pb_str text, unsigned edits, struct pb_error *error)
{
    if (text.bytes > PB_PATTERN_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "plate pattern: longer than %u bytes",
                       PB_PATTERN_BYTES_MAX);
    if (edits > PB_PATTERN_EDITS_MAX)
        return pb_fail(error, PB_BAD_INPUT, "plate pattern: at most %u edits",
                       PB_PATTERN_EDITS_MAX);
    return PB_OK;
}

enum pb_status
pb_pattern_compile(const struct pb_env *env, struct pb_str text, unsigned edits,
                   bool with_lookalikes, struct pb_pattern **ret_pattern, struct pb_error *error)
{
    struct builder builder = { .text = text, .error = error };
    struct pb_pattern *pattern;
    enum pb_status status;

    assert(env != NULL && ret_pattern != NULL);
    assert(text.text != NULL || text.bytes == 0);
    status = check_text(text, edits, error);
    if (status != PB_OK)
        return status;
    status = parse(&builder);
    if (status != PB_OK)
        return status;
    if (builder.step_count == 0 && builder.stars == 0)
        return pb_fail(error, PB_BAD_INPUT, "plate pattern: no letter, digit or wildcard");
    if (builder.step_count == 0 && edits > 0)
        return pb_fail(error, PB_BAD_INPUT,
                       "plate pattern: edits mean nothing where * alone matches every plate");

    pattern = pb_calloc(env, 1,
                        sizeof(*pattern) + builder.range_count * sizeof(pattern->ranges[0]));
    if (pattern == NULL)
        return pb_fail(error, PB_E_NOMEM, "plate pattern: no memory");
    pattern->step_count = builder.step_count;
    pattern->edits = edits;
    pattern->has_wildcard = builder.has_wildcard;
    pattern->has_lookalikes = with_lookalikes;
    pattern->stars = builder.stars;
    pattern->accept = UINT64_C(1) << builder.step_count;
    /* Before any character: up to e steps left out at e edits. */
    for (unsigned e = 0; e <= edits; e++)
        pattern->start[e] = (UINT64_C(2) << e) - 1;
    pattern->range_count = builder.range_count;
    memcpy(pattern->ranges, builder.ranges, builder.range_count * sizeof(pattern->ranges[0]));
    fill_steps(pattern, &builder);
    fill_groups(pattern);
    fill_alive(pattern, &builder);
    fill_prefilter(pattern, &builder);
    fill_exact(pattern, text);
    *ret_pattern = pattern;
    return PB_OK;
}

void
pb_pattern_free(const struct pb_env *env, struct pb_pattern *pattern)
{
    pb_free(env, pattern);
}

bool
pb_pattern_is_exact(const struct pb_pattern *pattern, struct pb_str *ret_plate)
{
    if (pattern->exact_bytes == 0)
        return false;
    *ret_plate = (struct pb_str){ .text = pattern->exact, .bytes = pattern->exact_bytes };
    return true;
}
