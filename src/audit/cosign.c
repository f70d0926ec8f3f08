/*
 * Cosign: publishing what witnesses have signed.
 *
 * A round shows one checkpoint to every witness and publishes it where enough of them signed. The
 * first round of a process is about what was last given out, so that nothing new is signed of a
 * log before witnesses have said what they know of it.
 *
 * But for `cosigning` nothing is held while a witness is waited for: leaves are appended and kept
 * meanwhile. One that gave no answer is not asked again for a while, so what waits for it waits
 * once.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "audit/cosign.h"

#define AWAY_NS (INT64_C(30) * 1000000000)

static void
asking_done(struct pb_asking *asking)
{
    const struct pb_env *env = asking->audit->env;

    pb_free(env, asking->candidate);
    pb_free(env, asking->request);
    pb_free(env, asking->reply);
}

static enum pb_status
asking_init(struct pb_asking *asking, struct pb_error *error)
{
    const struct pb_env *env = asking->audit->env;

    asking->candidate = pb_alloc(env, sizeof(*asking->candidate));
    asking->reply = pb_alloc(env, sizeof(*asking->reply));
    asking->request = pb_alloc(env, PB_WITNESS_REQUEST_BYTES_MAX);
    if (asking->candidate != NULL && asking->reply != NULL && asking->request != NULL)
        return PB_OK;
    asking_done(asking);
    return pb_fail(error, PB_E_NOMEM, "no memory for asking witnesses");
}

/* ---- one round ---- */

/* Puts a cosignature under the candidate, unless it has that witness's already. */
static void
add_line(struct pb_candidate *candidate, const struct pb_witness *witness, struct pb_str line)
{
    if (pb_note_verify(&candidate->note, &witness->key, NULL, NULL) == PB_OK ||
        candidate->bytes + line.bytes > sizeof(candidate->text))
        return;
    memcpy(candidate->text + candidate->bytes, line.text, line.bytes);
    candidate->bytes += line.bytes;
}

static enum pb_status
stop(struct pb_asking *asking, const struct pb_witness_result *result, struct pb_error *error)
{
    enum pb_status status;

    (void)pthread_mutex_lock(&asking->audit->integrating);
    status = pb_publish_stop_log(asking->audit, asking->log, result->error.message, error);
    (void)pthread_mutex_unlock(&asking->audit->integrating);
    if (status != PB_OK)
        return status;
    return pb_fail(error, PB_E_CORRUPT, "%s: audit log '%s' is stopped: %.300s",
                   asking->audit->place.path, asking->log->id, result->error.message);
}

/* Which of the witnesses did what, as bits. */
struct round {
    uint32_t answered, cosigned;
};

static enum pb_status
ask_one(struct pb_asking *asking, uint32_t number, struct round *round, struct pb_error *error)
{
    const struct pb_witness *witness = &asking->witnesses->policy.witnesses[number];
    struct pb_witness_result *result = &asking->results[number];
    int64_t *away_until_ns = &asking->audit->away_until_ns[number];
    struct pb_str line = { NULL, 0 };
    enum pb_status status;

    if (!asking->is_patient && pb_monotonic_ns(asking->audit->env) < *away_until_ns) {
        result->outcome = PB_WITNESS_AWAY;
        (void)snprintf(result->error.message, sizeof(result->error.message),
                       "witness '%s' gave no answer a moment ago", witness->name);
        return PB_OK;
    }
    memset(result, 0, sizeof(*result));
    status = pb_witness_ask(asking, witness, result, &line, error);
    if (status != PB_OK)
        return status;
    *away_until_ns = 0;
    if (result->outcome == PB_WITNESS_AWAY)
        *away_until_ns = pb_monotonic_ns(asking->audit->env) + AWAY_NS;
    else if (result->outcome != PB_WITNESS_NOT_ASKED)
        round->answered |= 1u << number;
    if (result->outcome == PB_WITNESS_CONTRADICTS)
        return stop(asking, result, error);
    if (result->outcome == PB_WITNESS_COSIGNED) {
        round->cosigned |= 1u << number;
        add_line(asking->candidate, witness, line);
    }
    return PB_OK;
}

static enum pb_status
run_round(struct pb_asking *asking, bool is_old, struct round *ret_round, struct pb_error *error)
{
    const struct pb_witness_policy *policy = &asking->witnesses->policy;
    struct pb_audit *audit = asking->audit;
    enum pb_status status;

    memset(ret_round, 0, sizeof(*ret_round));
    (void)pthread_mutex_lock(&audit->integrating);
    if (asking->log->is_stopped)
        status = pb_fail(error, PB_E_CORRUPT,
                         "%s: audit log '%s' is stopped, and nothing of it is signed",
                         audit->place.path, asking->log->id);
    else
        status = pb_publish_prepare(audit, asking->log, is_old, asking->candidate, error);
    (void)pthread_mutex_unlock(&audit->integrating);
    for (uint32_t i = 0; i < policy->witness_count && status == PB_OK; i++)
        status = ask_one(asking, i, ret_round, error);
    if (status != PB_OK || !pb_witness_quorum(policy, ret_round->cosigned))
        return status;
    (void)pthread_mutex_lock(&audit->integrating);
    status = pb_publish_candidate(audit, asking->log, asking->candidate, error);
    (void)pthread_mutex_unlock(&audit->integrating);
    return status;
}

/* ---- one log ---- */

static uint64_t
size_of(struct pb_audit *audit, struct pb_audit_log *log)
{
    uint64_t size;

    (void)pthread_mutex_lock(&audit->tails);
    size = log->size;
    (void)pthread_mutex_unlock(&audit->tails);
    return size;
}

/* The caller holds cosigning. */
static enum pb_status
cosign(struct pb_asking *asking, bool *ret_has_quorum, struct pb_error *error)
{
    const struct pb_witness_policy *policy = &asking->witnesses->policy;
    struct pb_audit_log *log = asking->log;
    struct round round;
    enum pb_status status = PB_OK;

    *ret_has_quorum = false;
    if (!log->is_known) {
        status = run_round(asking, true, &round, error);
        if (status != PB_OK || !pb_witness_quorum(policy, round.answered))
            return status;
        log->is_known = true;
        *ret_has_quorum = pb_witness_quorum(policy, round.cosigned);
        if (*ret_has_quorum && size_of(asking->audit, log) == asking->candidate->checkpoint.size)
            return PB_OK;
    }
    status = run_round(asking, false, &round, error);
    *ret_has_quorum = status == PB_OK && pb_witness_quorum(policy, round.cosigned);
    return status;
}

enum pb_status
pb_audit_cosign(struct pb_audit *audit, const char *log, const struct pb_witnesses *witnesses,
                struct pb_witness_result *ret_results, bool *ret_has_quorum, struct pb_error *error)
{
    struct pb_asking asking = {
        .audit = audit, .witnesses = witnesses, .is_patient = true, .results = ret_results
    };
    bool has_quorum = false;
    enum pb_status status;

    if (audit->is_read_only)
        return pb_fail(error, PB_BAD_INPUT, "%s: opened for reading only", audit->place.path);
    asking.log = pb_audit_find(audit, pb_str_from(log));
    if (asking.log == NULL)
        return pb_fail(error, PB_NOT_FOUND, "there is no audit log '%.64s'", log);
    status = asking_init(&asking, error);
    if (status != PB_OK)
        return status;
    (void)pthread_mutex_lock(&audit->cosigning);
    status = cosign(&asking, &has_quorum, error);
    (void)pthread_mutex_unlock(&audit->cosigning);
    asking_done(&asking);
    if (ret_has_quorum != NULL)
        *ret_has_quorum = has_quorum;
    return status;
}

/* ---- all that is new ---- */

static bool
has_news(struct pb_audit *audit, struct pb_audit_log *log)
{
    bool answer;

    (void)pthread_mutex_lock(&audit->integrating);
    answer = !log->is_stopped && pb_publish_size(audit, log) < size_of(audit, log);
    (void)pthread_mutex_unlock(&audit->integrating);
    return answer;
}

/* The first witness that did not sign, and why. */
static const char *
why_not(const struct pb_asking *asking)
{
    uint32_t i = 0;

    while (asking->results[i].outcome == PB_WITNESS_COSIGNED)
        i++;
    assert(i < asking->witnesses->policy.witness_count); /* all of them are always enough */
    return asking->results[i].error.message;
}

static void
tell_waiting(struct pb_asking *asking, bool has_quorum)
{
    const struct pb_witnesses *witnesses = asking->witnesses;

    if (!has_quorum && !asking->log->is_waiting && witnesses->waits != NULL)
        witnesses->waits(witnesses->waits_context, asking->log->id, why_not(asking));
    (void)pthread_mutex_lock(&asking->audit->integrating);
    asking->log->is_waiting = !has_quorum;
    (void)pthread_mutex_unlock(&asking->audit->integrating);
}

/* The log at a place of the array, or NULL behind its end. */
static struct pb_audit_log *
log_at(struct pb_audit *audit, uint32_t place)
{
    struct pb_audit_log *log;

    (void)pthread_mutex_lock(&audit->tails);
    log = place < audit->log_count ? audit->logs[place] : NULL;
    (void)pthread_mutex_unlock(&audit->tails);
    return log;
}

static enum pb_status
cosign_each(struct pb_asking *asking, struct pb_audit_log *only, bool *ret_waits,
            struct pb_error *error)
{
    struct pb_audit *audit = asking->audit;
    enum pb_status first = PB_OK;

    for (uint32_t i = 0; (asking->log = log_at(audit, i)) != NULL; i++) {
        bool has_quorum = false;
        enum pb_status status;

        if ((only != NULL && asking->log != only) || !has_news(audit, asking->log))
            continue;
        status = cosign(asking, &has_quorum, first == PB_OK ? error : NULL);
        /* What is wrong with one log is no reason to leave the others unpublished. */
        if (first == PB_OK)
            first = status;
        if (status == PB_OK)
            tell_waiting(asking, has_quorum);
        *ret_waits = *ret_waits || !has_quorum;
    }
    return first;
}

enum pb_status
pb_cosign_news(struct pb_audit *audit, struct pb_audit_log *only, bool *ret_waits,
               struct pb_error *error)
{
    struct pb_asking asking = { .audit = audit, .witnesses = audit->witnesses };
    bool waits = false;
    enum pb_status status = asking_init(&asking, error);

    if (status != PB_OK)
        return status;
    asking.results =
        pb_calloc(audit->env, audit->witnesses->policy.witness_count + 1, sizeof(*asking.results));
    if (asking.results == NULL)
        status = pb_fail(error, PB_E_NOMEM, "no memory for asking witnesses");
    (void)pthread_mutex_lock(&audit->cosigning);
    if (status == PB_OK)
        status = cosign_each(&asking, only, &waits, error);
    (void)pthread_mutex_unlock(&audit->cosigning);
    pb_free(audit->env, asking.results);
    asking_done(&asking);
    if (ret_waits != NULL)
        *ret_waits = waits;
    return status;
}
