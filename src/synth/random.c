/* Alias tables: see random.h. */
#include "synth/random.h"

#include <assert.h>

void
synth_columns_build(const uint32_t *weights, uint32_t count, struct synth_column *columns,
                    uint64_t *scratch)
{
    uint64_t *left = scratch;          /* weight not yet given to a column, times count */
    uint64_t *stack = scratch + count; /* small ones grow from below, large ones from above */
    uint32_t small = 0, large = count;
    uint64_t sum = 0;

    assert(count > 0 && count < (1u << 21));
    for (uint32_t i = 0; i < count; i++)
        sum += weights[i];
    assert(sum > 0 && sum <= UINT32_MAX);
    for (uint32_t i = 0; i < count; i++) {
        left[i] = (uint64_t)weights[i] * count;
        if (left[i] < sum)
            stack[small++] = i;
        else
            stack[--large] = i;
    }

    while (small > 0 && large < count) {
        uint32_t low = (uint32_t)stack[--small];
        uint32_t high = (uint32_t)stack[large];

        columns[low].threshold = (uint32_t)((left[low] << 32) / sum);
        columns[low].other = high;
        left[high] -= sum - left[low];
        if (left[high] < sum) {
            large++;
            stack[small++] = high;
        }
    }
    /* What remains has a full column, but for rounding. */
    while (small > 0) {
        uint32_t item = (uint32_t)stack[--small];

        columns[item] = (struct synth_column){ UINT32_MAX, item };
    }
    while (large < count) {
        uint32_t item = (uint32_t)stack[large++];

        columns[item] = (struct synth_column){ UINT32_MAX, item };
    }
}
