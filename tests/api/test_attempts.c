/*
 * Attempts: each can be taken once, by its holder, in time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "api/attempts.h"
#include "support/fault_env.h"

struct room {
    struct fault_env fault;
    struct pb_attempts attempts;
    int64_t now_ns;
};

static int64_t
room_now(void *context)
{
    return ((struct room *)context)->now_ns;
}

static void
room_init(struct room *room)
{
    memset(room, 0, sizeof(*room));
    fault_env_init(&room->fault, pb_env_system());
    room->fault.env.monotonic_ns = room_now;
    room->fault.env.clock_context = room;
    room->now_ns = 1000;
    assert_int_equal(PB_OK, pb_attempts_init(&room->attempts, &room->fault.env));
}

static void
room_done(struct room *room)
{
    pb_attempts_done(&room->attempts);
    assert_true(fault_env_is_clean(&room->fault));
}

static struct pb_attempt
attempt_of(unsigned holder, enum pb_attempt_kind kind)
{
    struct pb_attempt attempt = { .kind = kind };

    memcpy(attempt.holder, &holder, sizeof(holder));
    memcpy(attempt.challenge, &holder, sizeof(holder));
    return attempt;
}

/* 10.0.<last two bytes> */
static struct pb_peer
peer_of(unsigned number)
{
    struct pb_peer peer = { .port = 1 };

    peer.address.s6_addr[10] = peer.address.s6_addr[11] = 0xff;
    peer.address.s6_addr[12] = 10;
    peer.address.s6_addr[14] = (uint8_t)(number >> 8);
    peer.address.s6_addr[15] = (uint8_t)number;
    return peer;
}

static void
put(struct room *room, unsigned holder, enum pb_attempt_kind kind, const struct pb_peer *peer)
{
    struct pb_attempt attempt = attempt_of(holder, kind);

    pb_attempts_put(&room->attempts, &attempt, peer);
}

static bool
can_take(struct room *room, unsigned holder, enum pb_attempt_kind kind)
{
    struct pb_attempt wanted = attempt_of(holder, kind), found;
    bool is_there = pb_attempts_take(&room->attempts, kind, wanted.holder, &found);

    if (is_there) {
        assert_int_equal(kind, found.kind);
        assert_memory_equal(wanted.challenge, found.challenge, PB_ATTEMPT_BYTES);
    }
    return is_there;
}

static void
an_attempt_is_taken_once_and_by_its_holder(void **state)
{
    struct pb_peer peer = peer_of(1);
    struct room room;

    (void)state;
    room_init(&room);
    put(&room, 5, PB_ATTEMPT_PASSKEY_SIGN_IN, &peer);
    assert_false(can_take(&room, 6, PB_ATTEMPT_PASSKEY_SIGN_IN));
    assert_false(can_take(&room, 5, PB_ATTEMPT_PASSKEY_ADD));
    assert_false(can_take(&room, 5, PB_ATTEMPT_OIDC));
    assert_true(can_take(&room, 5, PB_ATTEMPT_PASSKEY_SIGN_IN));
    assert_false(can_take(&room, 5, PB_ATTEMPT_PASSKEY_SIGN_IN));
    room_done(&room);
}

static void
an_attempt_ends_after_five_minutes(void **state)
{
    struct pb_peer peer = peer_of(1);
    struct room room;

    (void)state;
    room_init(&room);
    put(&room, 5, PB_ATTEMPT_OIDC, &peer);
    put(&room, 6, PB_ATTEMPT_OIDC, &peer);
    room.now_ns += PB_ATTEMPT_LIFE_S * INT64_C(1000000000) - 1;
    assert_true(can_take(&room, 5, PB_ATTEMPT_OIDC));
    room.now_ns++;
    assert_false(can_take(&room, 6, PB_ATTEMPT_OIDC));
    room_done(&room);
}

static void
a_second_attempt_takes_the_place_of_the_first(void **state)
{
    struct pb_attempt first = attempt_of(5, PB_ATTEMPT_OIDC), second = first, found;
    struct pb_peer peer = peer_of(1);
    struct room room;

    (void)state;
    room_init(&room);
    first.provider = 1;
    second.provider = 2;
    pb_attempts_put(&room.attempts, &first, &peer);
    pb_attempts_put(&room.attempts, &second, &peer);
    assert_true(pb_attempts_take(&room.attempts, PB_ATTEMPT_OIDC, first.holder, &found));
    assert_int_equal(2, found.provider);
    assert_false(pb_attempts_take(&room.attempts, PB_ATTEMPT_OIDC, first.holder, &found));
    room_done(&room);
}

static void
one_address_cannot_push_others_out(void **state)
{
    struct pb_peer near = peer_of(1), far = peer_of(2);
    struct room room;

    (void)state;
    room_init(&room);
    put(&room, 1000000, PB_ATTEMPT_OIDC, &far);
    for (unsigned i = 0; i < 2 * PB_ATTEMPTS_MAX; i++) {
        room.now_ns++;
        put(&room, i, PB_ATTEMPT_OIDC, &near);
    }
    assert_true(can_take(&room, 1000000, PB_ATTEMPT_OIDC));
    /* Of its own, the newest are left. */
    assert_false(
        can_take(&room, 2 * PB_ATTEMPTS_MAX - PB_ATTEMPTS_PER_ADDRESS_MAX - 1, PB_ATTEMPT_OIDC));
    for (unsigned i = 1; i <= PB_ATTEMPTS_PER_ADDRESS_MAX; i++)
        assert_true(can_take(&room, 2 * PB_ATTEMPTS_MAX - i, PB_ATTEMPT_OIDC));
    room_done(&room);
}

static void
addresses_of_one_network_count_as_one(void **state)
{
    struct room room;

    (void)state;
    room_init(&room);
    for (unsigned i = 0; i <= PB_ATTEMPTS_PER_ADDRESS_MAX; i++) {
        struct pb_peer peer = { .port = 1 };

        peer.address.s6_addr[0] = 0x20;
        peer.address.s6_addr[15] = (uint8_t)i; /* beyond the /64 */
        room.now_ns++;
        put(&room, i, PB_ATTEMPT_OIDC, &peer);
    }
    assert_false(can_take(&room, 0, PB_ATTEMPT_OIDC));
    assert_true(can_take(&room, 1, PB_ATTEMPT_OIDC));
    room_done(&room);
}

static void
a_full_table_forgets_the_oldest(void **state)
{
    struct room room;

    (void)state;
    room_init(&room);
    for (unsigned i = 0; i <= PB_ATTEMPTS_MAX; i++) {
        struct pb_peer peer = peer_of(i);

        room.now_ns++;
        put(&room, i, PB_ATTEMPT_OIDC, &peer);
    }
    assert_false(can_take(&room, 0, PB_ATTEMPT_OIDC));
    assert_true(can_take(&room, 1, PB_ATTEMPT_OIDC));
    assert_true(can_take(&room, PB_ATTEMPTS_MAX, PB_ATTEMPT_OIDC));
    room_done(&room);
}

#define TAKERS 4u
#define ROUNDS 200u

struct race {
    struct room room;
    pthread_barrier_t start;
    _Atomic unsigned taken[ROUNDS];
};

static void *
take_all(void *context)
{
    struct race *race = context;
    struct pb_attempt found;

    (void)pthread_barrier_wait(&race->start);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct pb_attempt wanted = attempt_of(i, PB_ATTEMPT_OIDC);

        if (pb_attempts_take(&race->room.attempts, PB_ATTEMPT_OIDC, wanted.holder, &found))
            race->taken[i]++;
    }
    return NULL;
}

static void
of_many_who_take_at_once_one_has_it(void **state)
{
    static struct race race;
    pthread_t takers[TAKERS];

    (void)state;
    room_init(&race.room);
    assert_int_equal(0, pthread_barrier_init(&race.start, NULL, TAKERS));
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct pb_peer peer = peer_of(i);

        put(&race.room, i, PB_ATTEMPT_OIDC, &peer);
    }
    for (unsigned i = 0; i < TAKERS; i++)
        assert_int_equal(0, pthread_create(&takers[i], NULL, take_all, &race));
    for (unsigned i = 0; i < TAKERS; i++)
        assert_int_equal(0, pthread_join(takers[i], NULL));
    for (unsigned i = 0; i < ROUNDS; i++)
        assert_int_equal(1, race.taken[i]);
    (void)pthread_barrier_destroy(&race.start);
    room_done(&race.room);
}

static void
challenges_are_random(void **state)
{
    struct pb_attempt one = attempt_of(1, PB_ATTEMPT_OIDC), other = one;

    (void)state;
    assert_int_equal(PB_OK, pb_attempt_fill(pb_env_system(), &one));
    assert_int_equal(PB_OK, pb_attempt_fill(pb_env_system(), &other));
    assert_memory_not_equal(one.challenge, other.challenge, PB_ATTEMPT_BYTES);
    assert_memory_not_equal(one.challenge, one.nonce, PB_ATTEMPT_BYTES);
    assert_memory_not_equal(one.nonce, one.verifier, PB_ATTEMPT_BYTES);
    assert_memory_equal(one.holder, other.holder, PB_ATTEMPT_BYTES);
}

static void
no_memory_leaves_nothing(void **state)
{
    struct pb_attempts attempts;
    struct fault_env fault;

    (void)state;
    fault_env_init(&fault, pb_env_system());
    fault.fail_allocation_at = 1;
    assert_int_equal(PB_E_NOMEM, pb_attempts_init(&attempts, &fault.env));
    pb_attempts_done(&attempts);
    assert_true(fault_env_is_clean(&fault));
}

static enum pb_status
no_random(void *context, void *bytes, size_t count)
{
    unsigned *left = context;

    memset(bytes, 1, count);
    return (*left)-- > 0 ? PB_OK : PB_E_IO;
}

static void
without_randomness_nothing_is_asked(void **state)
{
    struct pb_env env = *pb_env_system();
    struct pb_attempt attempt;

    (void)state;
    env.random = no_random;
    for (unsigned good = 0; good < 3; good++) {
        unsigned left = good;

        env.random_context = &left;
        assert_int_equal(PB_E_IO, pb_attempt_fill(&env, &attempt));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attempt_is_taken_once_and_by_its_holder),
        cmocka_unit_test(an_attempt_ends_after_five_minutes),
        cmocka_unit_test(a_second_attempt_takes_the_place_of_the_first),
        cmocka_unit_test(one_address_cannot_push_others_out),
        cmocka_unit_test(addresses_of_one_network_count_as_one),
        cmocka_unit_test(a_full_table_forgets_the_oldest),
        cmocka_unit_test(of_many_who_take_at_once_one_has_it),
        cmocka_unit_test(challenges_are_random),
        cmocka_unit_test(no_memory_leaves_nothing),
        cmocka_unit_test(without_randomness_nothing_is_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
