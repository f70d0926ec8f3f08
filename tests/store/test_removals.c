/*
 * Removals add up by reader, day and reason, however many there are.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "store/local/removals.h"
#include "support/fault_env.h"

#define READERS 50u
#define DAYS 40u

struct sums {
    uint64_t reads[READERS][DAYS][2];
    uint32_t calls;
};

static void
note(void *context, const struct pb_removed *removed)
{
    struct sums *sums = context;
    unsigned reader = 0;
    char text[16];

    assert_true(removed->reader.bytes < sizeof(text));
    memcpy(text, removed->reader.text, removed->reader.bytes);
    text[removed->reader.bytes] = '\0';
    assert_int_equal(1, sscanf(text, "gate-%u", &reader));
    assert_true(reader < READERS && removed->day >= 0 && removed->day < (int32_t)DAYS);
    /* Each reader, day and reason once. */
    assert_int_equal(0, sums->reads[reader][removed->day][removed->why]);
    sums->reads[reader][removed->day][removed->why] = removed->reads;
    sums->calls++;
}

static enum pb_status
add_all(struct pb_removals *removals)
{
    enum pb_status status = PB_OK;

    for (uint32_t i = 0; i < READERS * DAYS * 6 && status == PB_OK; i++) {
        char text[16];
        uint32_t day = i / READERS % DAYS;

        (void)snprintf(text, sizeof(text), "gate-%u", (unsigned)(i % READERS));
        status = pb_removals_add(removals, pb_str_from(text),
                                 day * PB_DAY_US + (i % 2 == 0 ? 0 : PB_DAY_US - 1),
                                 i / READERS / DAYS % 3 == 0 ? PB_REMOVED_ERASED
                                                             : PB_REMOVED_EXPIRED, i % 3 + 1);
    }
    return status;
}

static void
removals_add_up_by_reader_day_and_reason(void **state)
{
    static struct sums sums;
    struct pb_removals removals;
    uint64_t expected = 0;
    uint64_t sum = 0;

    (void)state;
    pb_removals_init(&removals, pb_env_system());
    assert_int_equal(PB_OK, add_all(&removals));
    pb_removals_tell(&removals, note, &sums);
    assert_int_equal(READERS * DAYS * 2, sums.calls);
    for (uint32_t i = 0; i < READERS * DAYS * 6; i++)
        expected += i % 3 + 1;
    for (uint32_t r = 0; r < READERS; r++) {
        for (uint32_t d = 0; d < DAYS; d++)
            sum += sums.reads[r][d][0] + sums.reads[r][d][1];
    }
    assert_int_equal(expected, sum);
    pb_removals_done(&removals);
    pb_removals_done(&removals); /* zeroed: nothing to do */
}

static void
no_memory_leaves_nothing_behind(void **state)
{
    enum pb_status status = PB_E_NOMEM;
    uint64_t at = 0;

    (void)state;
    while (status != PB_OK) {
        struct pb_removals removals;
        struct fault_env fault;

        fault_env_init(&fault, pb_env_system());
        fault.fail_allocation_at = ++at;
        pb_removals_init(&removals, &fault.env);
        status = add_all(&removals);
        assert_true(status == PB_OK || status == PB_E_NOMEM);
        pb_removals_done(&removals);
        assert_true(fault_env_is_clean(&fault));
    }
    assert_in_range(at, 10, 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(removals_add_up_by_reader_day_and_reason),
        cmocka_unit_test(no_memory_leaves_nothing_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
