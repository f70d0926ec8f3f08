/*
 * Metrics: counters, gauges and latency histograms, told as Prometheus text.
 *
 * Series are added before threads start; after that, counting is one relaxed atomic addition. A
 * series' labels are fixed text from the program: nothing from a request can become a label.
 *
 * Threads: add and done from one thread, the rest from any.
 * Source:  Prometheus exposition format 0.0.4; names as its documentation advises.
 */
#ifndef PB_NET_METRICS_H
#define PB_NET_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include <platebase/status.h>

struct pb_env;
struct pb_reply;

enum pb_metric_kind {
    PB_METRIC_COUNTER,
    PB_METRIC_GAUGE,
    PB_METRIC_SECONDS, /* histogram of durations */
};

/* Upper bounds of the buckets: 10 us to 10 s in steps of 1, 2.5, 5, and what is longer. */
#define PB_METRIC_BUCKETS 20u

struct pb_metric {
    /* static */
    const char *name, *help, *labels; /* labels: "stage=\"queue\"" or "" */
    enum pb_metric_kind kind;

    _Atomic int64_t value; /* COUNTER, GAUGE; SECONDS: sum in nanoseconds */
    _Atomic uint64_t buckets[PB_METRIC_BUCKETS];
    struct pb_metric *next; /* owned by the set */
};

struct pb_metrics {
    const struct pb_env *env; /* borrowed */
    struct pb_metric *first;  /* owned: in the order in which they were added */
    struct pb_metric *last;
};

void pb_metrics_init(struct pb_metrics *metrics, const struct pb_env *env);
void pb_metrics_done(struct pb_metrics *metrics);

/* All text is static. Series of one name must be added one after the other, with the same kind.
 * NULL where there is no memory. */
struct pb_metric *pb_metrics_add(struct pb_metrics *metrics, enum pb_metric_kind kind,
                                 const char *name, const char *help, const char *labels);
/* As above, but labels are copied: for what a table of the program is made into. */
struct pb_metric *pb_metrics_add_labels(struct pb_metrics *metrics, enum pb_metric_kind kind,
                                        const char *name, const char *help, const char *label,
                                        const char *value);

static inline void
pb_metric_add(struct pb_metric *metric, int64_t amount)
{
    atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

static inline void
pb_metric_set(struct pb_metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void pb_metric_observe_ns(struct pb_metric *metric, int64_t duration_ns);

/* Writes all series into the body. A histogram's parts may be a moment apart. */
void pb_metrics_put(const struct pb_metrics *metrics, struct pb_reply *reply);
#define PB_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
