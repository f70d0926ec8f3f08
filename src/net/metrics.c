/*
 * Metrics: a list of series, each of atomics.
 */
#include "net/metrics.h"

#include <assert.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"
#include "net/http.h"

static const int64_t bounds_ns[PB_METRIC_BUCKETS - 1] = {
    10000,     25000,      50000,      100000,     250000,      500000,    1000000,
    2500000,   5000000,    10000000,   25000000,   50000000,    100000000, 250000000,
    500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

void
pb_metrics_init(struct pb_metrics *metrics, const struct pb_env *env)
{
    *metrics = (struct pb_metrics){ .env = env };
}

void
pb_metrics_done(struct pb_metrics *metrics)
{
    struct pb_metric *metric = metrics->first;

    while (metric != NULL) {
        struct pb_metric *next = metric->next;

        pb_free(metrics->env, metric);
        metric = next;
    }
    metrics->first = metrics->last = NULL;
}

static struct pb_metric *
add(struct pb_metrics *metrics, enum pb_metric_kind kind, const char *name, const char *help,
    size_t extra_bytes)
{
    struct pb_metric *metric = pb_calloc(metrics->env, 1, sizeof(*metric) + extra_bytes);

    if (metric == NULL)
        return NULL;
    metric->name = name;
    metric->help = help;
    metric->labels = "";
    metric->kind = kind;
    if (metrics->last != NULL)
        metrics->last->next = metric;
    else
        metrics->first = metric;
    metrics->last = metric;
    return metric;
}

struct pb_metric *
pb_metrics_add(struct pb_metrics *metrics, enum pb_metric_kind kind, const char *name,
               const char *help, const char *labels)
{
    struct pb_metric *metric = add(metrics, kind, name, help, 0);

    if (metric != NULL)
        metric->labels = labels;
    return metric;
}

struct pb_metric *
pb_metrics_add_labels(struct pb_metrics *metrics, enum pb_metric_kind kind, const char *name,
                      const char *help, const char *label, const char *value)
{
    size_t room = strlen(label) + strlen(value) + 4;
    struct pb_metric *metric = add(metrics, kind, name, help, room);
    struct pb_text_out out;

    if (metric == NULL)
        return NULL;
    /* The text lies behind the series; pb_calloc has put the NUL. */
    out = pb_text_out((char *)(metric + 1), room - 1);
    pb_put_text(&out, label);
    pb_put_text(&out, "=\"");
    pb_put_text(&out, value);
    pb_put_char(&out, '"');
    assert(!out.is_cut);
    metric->labels = (const char *)(metric + 1);
    return metric;
}

void
pb_metric_observe_ns(struct pb_metric *metric, int64_t duration_ns)
{
    unsigned bucket = 0;

    assert(metric->kind == PB_METRIC_SECONDS);
    while (bucket < PB_METRIC_BUCKETS - 1 && duration_ns > bounds_ns[bucket])
        bucket++;
    atomic_fetch_add_explicit(&metric->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, duration_ns, memory_order_relaxed);
}

/* ---- text ---- */

static void
put_seconds(struct pb_reply *reply, int64_t ns)
{
    char text[32];
    struct pb_text_out out = pb_text_out(text, sizeof(text));

    pb_put_fixed(&out, ns, 9, 0);
    pb_reply_put(reply, text, (size_t)(out.at - text));
}

/* `name_suffix{labels,more} ` */
static void
put_series(struct pb_reply *reply, const struct pb_metric *metric, const char *suffix)
{
    pb_reply_put_text(reply, metric->name);
    pb_reply_put_text(reply, suffix);
    if (metric->labels[0] != '\0') {
        pb_reply_put_text(reply, "{");
        pb_reply_put_text(reply, metric->labels);
        pb_reply_put_text(reply, "}");
    }
    pb_reply_put_text(reply, " ");
}

static void
put_bucket(struct pb_reply *reply, const struct pb_metric *metric, unsigned bucket, uint64_t so_far)
{
    pb_reply_put_text(reply, metric->name);
    pb_reply_put_text(reply, "_bucket{");
    pb_reply_put_text(reply, metric->labels);
    pb_reply_put_text(reply, metric->labels[0] != '\0' ? ",le=\"" : "le=\"");
    if (bucket < PB_METRIC_BUCKETS - 1)
        put_seconds(reply, bounds_ns[bucket]);
    else
        pb_reply_put_text(reply, "+Inf");
    pb_reply_put_text(reply, "\"} ");
    pb_reply_put_number(reply, (int64_t)so_far);
    pb_reply_put_text(reply, "\n");
}

static void
put_histogram(struct pb_reply *reply, const struct pb_metric *metric)
{
    uint64_t count = 0;

    for (unsigned bucket = 0; bucket < PB_METRIC_BUCKETS; bucket++) {
        count += atomic_load_explicit(&metric->buckets[bucket], memory_order_relaxed);
        put_bucket(reply, metric, bucket, count);
    }
    put_series(reply, metric, "_sum");
    put_seconds(reply, atomic_load_explicit(&metric->value, memory_order_relaxed));
    pb_reply_put_text(reply, "\n");
    put_series(reply, metric, "_count");
    pb_reply_put_number(reply, (int64_t)count);
    pb_reply_put_text(reply, "\n");
}

static void
put_title(struct pb_reply *reply, const struct pb_metric *metric)
{
    static const char *const kinds[] = {
        [PB_METRIC_COUNTER] = "counter",
        [PB_METRIC_GAUGE] = "gauge",
        [PB_METRIC_SECONDS] = "histogram",
    };

    pb_reply_put_text(reply, "# HELP ");
    pb_reply_put_text(reply, metric->name);
    pb_reply_put_text(reply, " ");
    pb_reply_put_text(reply, metric->help);
    pb_reply_put_text(reply, "\n# TYPE ");
    pb_reply_put_text(reply, metric->name);
    pb_reply_put_text(reply, " ");
    pb_reply_put_text(reply, kinds[metric->kind]);
    pb_reply_put_text(reply, "\n");
}

void
pb_metrics_put(const struct pb_metrics *metrics, struct pb_reply *reply)
{
    const char *name = "";

    for (const struct pb_metric *metric = metrics->first; metric != NULL; metric = metric->next) {
        if (strcmp(metric->name, name) != 0)
            put_title(reply, metric);
        name = metric->name;
        if (metric->kind == PB_METRIC_SECONDS) {
            put_histogram(reply, metric);
            continue;
        }
        put_series(reply, metric, "");
        pb_reply_put_number(reply, atomic_load_explicit(&metric->value, memory_order_relaxed));
        pb_reply_put_text(reply, "\n");
    }
}
