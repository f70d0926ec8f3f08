/*
 * Patterns: input is one byte of edits and look-alikes, a pattern up to a NUL, then a plate to
 * match. Compiling takes anything; what compiles must match a plate as its code is scanned.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "plate/plate_code.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool is_so)
{
    if (!is_so)
        abort();
}

static void
scan(const struct pb_pattern *pattern, uint64_t code)
{
    char text[PB_PLATE_CODE_CHARS];
    struct pb_str plate = { .text = text, .bytes = pb_plate_code_text(code, text) };
    struct pb_pattern_match plain, scanned;
    struct pb_pattern_scan state;
    uint64_t next, before = 0;
    bool is_match = pb_pattern_matches(pattern, plate, &plain);

    pb_pattern_scan_init(&state, pattern);
    /* Coming from a lesser code: it must not be jumped over, nor spoil the states. */
    if (code > 1) {
        uint64_t lesser = pb_plate_code((struct pb_str){ text, plate.bytes - 1 });

        if (lesser != 0 && lesser < code) {
            (void)pb_pattern_scan_code(&state, lesser, &scanned, &before);
            expect(before > lesser);
            expect(!is_match || before <= code);
        }
    }
    expect(pb_pattern_scan_code(&state, code, &scanned, &next) == is_match);
    expect(next > code);
    if (!is_match)
        return;
    expect(scanned.edits == plain.edits && scanned.has_lookalike == plain.has_lookalike &&
           scanned.has_wildcard == plain.has_wildcard);
    expect(pb_pattern_prefilter(pattern, &code, 1) == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_pattern *pattern = NULL;
    struct pb_pattern_match match;
    struct pb_str text, plate, exact;
    const uint8_t *end;
    struct pb_error error;
    uint64_t code;

    if (size < 1 || size > 4096)
        return 0;
    end = memchr(data + 1, 0, size - 1);
    if (end == NULL)
        end = data + size;
    text = (struct pb_str){ .text = (const char *)data + 1, .bytes = (uint32_t)(end - data - 1) };
    if (end < data + size)
        end++;
    plate = (struct pb_str){ .text = (const char *)end, .bytes = (uint32_t)(data + size - end) };

    if (pb_pattern_compile(pb_env_system(), text, data[0] & 3u, (data[0] & 4u) != 0, &pattern,
                           &error) != PB_OK)
        return 0;
    if (pb_pattern_is_exact(pattern, &exact)) {
        expect(pb_pattern_matches(pattern, exact, &match));
        expect(match.edits == 0 && !match.has_lookalike && !match.has_wildcard);
        plate = exact;
    }
    if (pb_pattern_matches(pattern, plate, &match))
        expect(match.edits <= (data[0] & 3u));
    code = pb_plate_code(plate);
    if (code != 0)
        scan(pattern, code);
    pb_pattern_free(pb_env_system(), pattern);
    return 0;
}
