/*
 * Fuzz target: bodies of requests, through their handlers.
 *
 * The first line names the endpoint, the rest is the body. Whoever may ask does, of a service that
 * holds a little of everything. Whatever comes, it is answered: done, or refused with a problem
 * document, and never a failure of the server's. Reads, records, YAML and providers have targets of
 * their own.
 */
#include "api/sweep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once: there is a site in it, on a disk. */
static void *kept;

static void
forget(void)
{
    (void)sweep_teardown(&kept);
}

static struct sweep *
take_sweep(void)
{
    if (kept == NULL) {
        if (access("/dev/shm", W_OK) == 0)
            (void)setenv("TMPDIR", "/dev/shm", 0);
        if (sweep_setup(&kept) != 0 || atexit(forget) != 0)
            abort();
        sweep_add_account(kept, "low", "adm");
    }
    return kept;
}

static bool
takes(const struct pb_api_endpoint *endpoint, const char *type)
{
    return endpoint->body_types[0] != NULL && strcmp(endpoint->body_types[0], type) == 0;
}

/* The one that the name is of; NULL: another target's, or none. */
static const struct pb_api_endpoint *
find_endpoint(struct pb_str name)
{
    for (unsigned i = 0; i < pb_api_endpoint_count; i++) {
        const struct pb_api_endpoint *endpoint = &pb_api_endpoints[i];

        if (!pb_str_equal(name, pb_str_from(endpoint->name)))
            continue;
        if (endpoint->entity != NULL || strncmp(endpoint->name, "oidc.", 5) == 0 ||
            strncmp(endpoint->name, "reads.", 6) == 0)
            return NULL;
        return takes(endpoint, "application/json") ||
                       takes(endpoint, "application/x-www-form-urlencoded")
                   ? endpoint
                   : NULL;
    }
    return NULL;
}

static enum who
who_asks(enum pb_api_permission permission)
{
    switch (permission) {
    case PB_API_SESSION:
        return DOE_HERE;
    case PB_API_ADMINISTER:
        return ADM_HERE;
    case PB_API_AUDIT:
        return AUD;
    case PB_API_ASK:
    case PB_API_CALLER:
    case PB_API_TOKEN:
        return DOE;
    case PB_API_PUBLIC:
    case PB_API_LOOPBACK:
    case PB_API_READS:
    case PB_API_READER_KEY:
        break;
    }
    return NOBODY;
}

/* Nobody has to wait for what was tried before, and who enrols was given a secret. */
static void
prepare(struct sweep *sweep)
{
    static const uint8_t secret[PB_TOTP_SECRET_BYTES] = "12345678901234567890";
    static const char address[8] = { 0 };
    struct pb_api_people *people = &sweep->api->people;
    struct pb_api_session session;

    pb_api_lockout_clear(&people->names, pb_str_from("doe"));
    pb_api_lockout_clear(&people->proofs, pb_str_from("doe"));
    pb_api_lockout_clear(&people->addresses, (struct pb_str){ address, sizeof(address) });
    if (pb_api_sessions_find(&people->sessions, pb_str_from(sweep->cookie), false, &session))
        (void)pb_api_sessions_set_pending(&people->sessions, session.id, secret);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    struct sweep_request asked = { .prepare = prepare };
    const struct pb_api_endpoint *endpoint;
    struct sweep *sweep = take_sweep();
    struct pb_str name, body;

    if (end == NULL || size > SWEEP_BODY_BYTES)
        return 0;
    name = (struct pb_str){ (const char *)data, (uint32_t)(end - data) };
    body = (struct pb_str){ (const char *)end + 1, (uint32_t)(size - name.bytes - 1) };
    endpoint = find_endpoint(name);
    if (endpoint == NULL)
        return 0;
    asked.endpoint = endpoint->name;
    asked.who = who_asks(endpoint->permission);
    asked.param = strchr(endpoint->path, '{') != NULL ? "low" : NULL;
    sweep_next_turn(sweep, &asked);
    sweep->room.now_us -= 2 * PB_SECOND_US; /* tokens hold for the whole of a long search */
    sweep_ask_with(sweep, &asked, body);
    if (sweep->answer.status < 200 || sweep->answer.status >= 500)
        abort();
    return 0;
}
