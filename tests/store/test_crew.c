/*
 * Crew: every job is done, once, however many helpers there are, were asked for, or could be had.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/env.h"
#include "store/local/crew.h"
#include "support/fault_env.h"

#define JOBS 200u

struct counted_job {
    struct pb_crew_job job; /* the first, so that the one is the other */
    uint32_t runs;
};

static void
count_run(struct pb_crew_job *job)
{
    ((struct counted_job *)(void *)job)->runs++;
}

static void
do_jobs(struct pb_crew *crew)
{
    struct counted_job jobs[JOBS];

    memset(jobs, 0, sizeof(jobs));
    for (uint32_t i = 0; i < JOBS; i++) {
        jobs[i].job.run = count_run;
        jobs[i].job.is_short = i % 3 == 0;
        pb_crew_submit(crew, &jobs[i].job);
    }
    for (uint32_t i = 0; i < JOBS; i++)
        pb_crew_wait(crew, &jobs[i].job);
    for (uint32_t i = 0; i < JOBS; i++)
        assert_int_equal(1, jobs[i].runs);
}

static void
every_job_is_done_once_whatever_the_helpers(void **state)
{
    static const unsigned helpers[] = { 0, 1, 2, 64, 1000 };

    (void)state;
    do_jobs(NULL);
    for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
        struct pb_crew *crew = NULL;
        struct fault_env fault;

        fault_env_init(&fault, pb_env_system());
        assert_int_equal(PB_OK, pb_crew_new(&fault.env, helpers[i], &crew));
        do_jobs(crew);
        pb_crew_free(crew);
        assert_true(fault_env_is_clean(&fault));
    }
}

/* Stacks of a size that no machine has. */
static void
a_crew_whose_helpers_cannot_be_had_does_all_by_itself(void **state)
{
    struct pb_crew *crew = NULL;
    pthread_attr_t attributes;
    size_t stack_bytes = 0;

    (void)state;
    assert_int_equal(0, pthread_getattr_default_np(&attributes));
    assert_int_equal(0, pthread_attr_getstacksize(&attributes, &stack_bytes));
    assert_int_equal(0, pthread_attr_setstacksize(&attributes, (size_t)1 << 46));
    assert_int_equal(0, pthread_setattr_default_np(&attributes));
    assert_int_equal(PB_OK, pb_crew_new(pb_env_system(), 2, &crew));
    assert_int_equal(0, pthread_attr_setstacksize(&attributes, stack_bytes));
    assert_int_equal(0, pthread_setattr_default_np(&attributes));
    assert_int_equal(0, pthread_attr_destroy(&attributes));
    do_jobs(crew);
    pb_crew_free(crew);
}

static void
a_crew_without_memory_is_none(void **state)
{
    struct pb_crew *crew = NULL;
    struct fault_env fault;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    fault.fail_allocation_at = 1;
    assert_int_equal(PB_E_NOMEM, pb_crew_new(&fault.env, 2, &crew));
    assert_null(crew);
    pb_crew_free(crew);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_done_once_whatever_the_helpers),
        cmocka_unit_test(a_crew_whose_helpers_cannot_be_had_does_all_by_itself),
        cmocka_unit_test(a_crew_without_memory_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
