/*
 * Rule packs of a site: the shipped ones, and those of DIR/rules.
 */
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define PACK_NAME_BYTES_MAX 128u
#define LOOK_EVERY_NS INT64_C(1000000000)

struct packs {
    struct pb_site *site;
    struct pb_arena arena;
    const char *names[PB_PACKS_MAX]; /* of files, ascending */
    uint32_t name_count;
    struct pb_pack_source *sources; /* arena */
    char *texts[PB_PACKS_MAX];      /* owned: of files, by name */
    enum pb_status status;
};

static bool
ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name);
    size_t ending_length = strlen(ending);

    return length > ending_length && strcmp(name + length - ending_length, ending) == 0;
}

/* Keeps names ascending, so that packs are compiled in the same order everywhere. */
static bool
note_file(void *context, const char *name, bool is_directory)
{
    struct packs *packs = context;
    struct pb_str copy;
    char *text = NULL;
    uint32_t at = packs->name_count;

    if (is_directory || name[0] == '.' || !ends_with(name, ".yaml"))
        return true;
    if (packs->name_count == PB_PACKS_MAX || strlen(name) > PACK_NAME_BYTES_MAX) {
        packs->status = PB_OVER_LIMIT;
        return false;
    }
    text = pb_arena_alloc(&packs->arena, strlen(name) + 1);
    if (text == NULL) {
        packs->status = PB_E_NOMEM;
        return false;
    }
    copy = pb_str_from(name);
    memcpy(text, copy.text, copy.bytes + 1u);
    for (; at > 0 && strcmp(packs->names[at - 1], text) > 0; at--)
        packs->names[at] = packs->names[at - 1];
    packs->names[at] = text;
    packs->name_count++;
    return true;
}

static enum pb_status
list_files(struct packs *packs, struct pb_error *error)
{
    const struct pb_env *env = packs->site->env;
    char path[PB_PATH_BYTES_MAX];
    enum pb_status status = pb_site_path(packs->site, "rules", path, error);

    if (status == PB_OK)
        status = env->files->list(env->file_context, path, note_file, packs, error);
    if (status == PB_NOT_FOUND)
        return PB_OK;
    if (status == PB_OK && packs->status != PB_OK)
        status = pb_fail(error, packs->status,
                         "%s: too many rule packs, or a name that is too "
                         "long",
                         path);
    return status;
}

static enum pb_status
read_file(struct packs *packs, uint32_t index, struct pb_pack_source *ret_source,
          struct pb_error *error)
{
    char name[PACK_NAME_BYTES_MAX + 16];
    char path[PB_PATH_BYTES_MAX];
    size_t bytes = 0;
    enum pb_status status = PB_OK;

    (void)snprintf(name, sizeof(name), "rules/%s", packs->names[index]);
    status = pb_site_path(packs->site, name, path, error);
    if (status == PB_OK)
        status = pb_load_file(packs->site->env, path, PB_PACK_BYTES_MAX, &packs->texts[index],
                              &bytes, error);
    if (status != PB_OK)
        return status == PB_NOT_FOUND ? pb_fail(error, PB_E_IO, "'%s' has gone", path) : status;
    ret_source->text = (struct pb_str){ packs->texts[index], (uint32_t)bytes };
    ret_source->name = packs->names[index];
    return PB_OK;
}

/* Compiles the shipped packs, those of DIR/rules but one by name, and that one as given. */
static enum pb_status
compile(struct packs *packs, const struct pb_pack_source *changed, struct pb_rules **ret_rules,
        struct pb_error *error)
{
    size_t shipped_count = 0;
    const struct pb_pack_source *shipped = pb_rules_shipped(&shipped_count);
    size_t count = shipped_count;
    enum pb_status status = list_files(packs, error);

    if (status != PB_OK)
        return status;
    packs->sources = pb_arena_alloc(&packs->arena, (shipped_count + packs->name_count + 1) *
                                                       sizeof(*packs->sources));
    if (packs->sources == NULL)
        return PB_E_NOMEM;
    if (shipped_count > 0)
        memcpy(packs->sources, shipped, shipped_count * sizeof(*shipped));
    for (uint32_t i = 0; i < packs->name_count && status == PB_OK; i++) {
        if (changed == NULL || strcmp(packs->names[i], changed->name) != 0)
            status = read_file(packs, i, &packs->sources[count++], error);
    }
    if (changed != NULL)
        packs->sources[count++] = *changed;
    return status == PB_OK
               ? pb_rules_compile(packs->site->env, packs->sources, count, ret_rules, error)
               : status;
}

static enum pb_status
compile_all(struct pb_site *site, const struct pb_pack_source *changed, struct pb_rules **ret_rules,
            struct pb_error *error)
{
    struct packs *packs = pb_calloc(site->env, 1, sizeof(*packs));
    enum pb_status status = PB_OK;

    if (packs == NULL)
        return PB_E_NOMEM;
    packs->site = site;
    pb_arena_init(&packs->arena, site->env, 4096);
    status = compile(packs, changed, ret_rules, error);
    for (uint32_t i = 0; i < packs->name_count; i++)
        pb_free(site->env, packs->texts[i]);
    pb_arena_clear(&packs->arena);
    pb_free(site->env, packs);
    return status;
}

/* ---- following other processes ---- */

struct mark {
    crypto_hash_sha256_state state;
};

static bool
hash_note(void *context, const char *key, struct pb_str value)
{
    struct mark *mark = context;

    (void)crypto_hash_sha256_update(&mark->state, (const unsigned char *)key, strlen(key) + 1);
    (void)crypto_hash_sha256_update(&mark->state, (const unsigned char *)value.text, value.bytes);
    return true;
}

/* What the catalog says of the packs in DIR/rules. */
static enum pb_status
read_mark(struct pb_site *site, char ret_mark[65], struct pb_error *error)
{
    struct mark mark;
    uint8_t digest[PB_DIGEST_BYTES];
    enum pb_status status = PB_OK;

    (void)crypto_hash_sha256_init(&mark.state);
    status = pb_catalog_notes(site->catalog, "rules", "", hash_note, &mark, error);
    (void)crypto_hash_sha256_final(&mark.state, digest);
    (void)sodium_bin2hex(ret_mark, 65, digest, sizeof(digest));
    return status;
}

enum pb_status
pb_site_follow_rules(struct pb_site *site, struct pb_error *error)
{
    int64_t now_ns = pb_monotonic_ns(site->env);
    char mark[65];
    enum pb_status status = PB_OK;

    if (now_ns - site->rules_looked_ns < LOOK_EVERY_NS)
        return PB_OK;
    status = read_mark(site, mark, error);
    if (status == PB_OK && strcmp(mark, site->rules_mark) != 0)
        status = pb_site_load_rules(site, error);
    if (status == PB_OK)
        site->rules_looked_ns = now_ns;
    return status;
}

enum pb_status
pb_site_load_rules(struct pb_site *site, struct pb_error *error)
{
    struct pb_rules *rules = NULL;
    char mark[65];
    /* The mark first: what is put after it is seen the next time. */
    enum pb_status status = read_mark(site, mark, error);

    if (status == PB_OK)
        status = compile_all(site, NULL, &rules, error);
    if (status != PB_OK)
        return status;
    pb_rules_unref(site->rules);
    site->rules = rules;
    memcpy(site->rules_mark, mark, sizeof(mark));
    site->rules_looked_ns = pb_monotonic_ns(site->env);
    return PB_OK;
}

/* ---- changing ---- */

static bool
is_pack_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > PACK_NAME_BYTES_MAX || !ends_with(name, ".yaml") || name[0] == '.')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
           length;
}

/* Makes the pack's file durable and tells all processes that the rules changed. */
static enum pb_status
keep_pack(struct pb_site *site, const char *name, const char *text, size_t bytes,
          const uint8_t digest[PB_DIGEST_BYTES], struct pb_error *error)
{
    char path[PB_PATH_BYTES_MAX];
    char hex[2 * PB_DIGEST_BYTES + 1];
    enum pb_status status = pb_site_path(site, "rules", path, error);

    (void)sodium_bin2hex(hex, sizeof(hex), digest, PB_DIGEST_BYTES);
    if (status == PB_OK)
        status = pb_site_write_file(site->env, path, name, text, bytes, error);
    /* By this note other processes see that they must load the rules anew. */
    return status == PB_OK
               ? pb_catalog_note_put(site->catalog, "rules", name, pb_str_from(hex), error)
               : status;
}

enum pb_status
pb_site_put_pack(struct pb_site *site, const struct pb_actor *actor, const char *name,
                 const char *text, size_t bytes, struct pb_error *error)
{
    struct pb_pack_source source = { .text = { text, (uint32_t)bytes }, .name = name };
    uint8_t digest[PB_DIGEST_BYTES];
    struct pb_rules *rules = NULL;
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    if (!is_pack_name(name))
        return pb_fail(error, PB_BAD_INPUT, "name: a rule pack's file is named like us-ks.yaml");
    if (bytes > PB_PACK_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "%s: larger than %u bytes", name, PB_PACK_BYTES_MAX);
    status = pb_site_may_operate(site, actor, error);
    if (status != PB_OK)
        return status;
    /* All rules together must compile before the leaf says that they changed. */
    status = compile_all(site, &source, &rules, error);
    if (status != PB_OK)
        return status;
    (void)pthread_mutex_lock(&site->change_lock);
    (void)crypto_hash_sha256(digest, (const unsigned char *)text, bytes);
    pb_draft_init(&leaf, PB_AUDIT_OPERATOR, "change", PB_KEEP_OPENINGS_US);
    pb_draft_text(&leaf, "entity", pb_str_from("pack"));
    pb_draft_text(&leaf, "id", pb_str_from(name));
    pb_draft_hash(&leaf, "after", digest);
    status = pb_drafts_append(site, &leaf, 1, &index, error);
    if (status == PB_OK)
        status = keep_pack(site, name, text, bytes, digest, error);
    if (status == PB_OK) {
        (void)pthread_mutex_lock(&site->facts_lock);
        status = pb_site_load_rules(site, error);
        (void)pthread_mutex_unlock(&site->facts_lock);
    }
    if (status == PB_OK)
        status = pb_site_restamp(site, NULL, error);
    (void)pthread_mutex_unlock(&site->change_lock);
    pb_rules_unref(rules);
    return status;
}
