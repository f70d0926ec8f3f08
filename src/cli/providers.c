/*
 * Providers: a table of keys for each, and two kinds of lists.
 */
#include "cli/providers.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/load.h"

#define SECRET_BYTES_MAX 1024u

/* What is being read. */
struct reading {
    struct pb_arena *arena;
    const char *path;
    struct pb_error *error;
};

static enum pb_status
refuse(const struct reading *reading, const struct pb_yaml *at, const char *what)
{
    return pb_fail(reading->error, PB_BAD_INPUT, "%s:%u: %s", reading->path, at->line, what);
}

static enum pb_status
keep(const struct reading *reading, const struct pb_yaml *value, const char **ret_text)
{
    struct pb_str copy;

    if (value->kind != PB_YAML_SCALAR || value->text.bytes == 0)
        return refuse(reading, value, "wanted is one value");
    /* NUL-terminated: the byte behind the text in the tree is a NUL. */
    if (pb_arena_copy(reading->arena, (struct pb_str){ value->text.text, value->text.bytes + 1 },
                      &copy) != PB_OK)
        return PB_E_NOMEM;
    *ret_text = copy.text;
    return PB_OK;
}

static enum pb_status
keep_words(const struct reading *reading, const struct pb_yaml *value,
           const char *words[PB_OIDC_WORDS_MAX])
{
    if (value->kind != PB_YAML_LIST || value->count > PB_OIDC_WORDS_MAX)
        return refuse(reading, value, "wanted is a list of at most 8 words");
    memset(words, 0, PB_OIDC_WORDS_MAX * sizeof(*words));
    for (uint32_t i = 0; i < value->count; i++) {
        enum pb_status status = keep(reading, &value->items[i], &words[i]);

        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

static enum pb_status
keep_roles(const struct reading *reading, const struct pb_yaml *value,
           struct pb_oidc_role roles[PB_OIDC_ROLES_MAX])
{
    if (value->kind != PB_YAML_MAP || value->count > PB_OIDC_ROLES_MAX)
        return refuse(reading, value, "wanted is a role for each of at most 32 groups");
    for (uint32_t i = 0; i < value->count; i++) {
        enum pb_status status = keep(reading, &value->keys[i], &roles[i].group);

        if (status == PB_OK)
            status = keep(reading, &value->items[i], &roles[i].role);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}

static enum pb_status
keep_bool(const struct reading *reading, const struct pb_yaml *value, bool *ret_is)
{
    bool is_yes = pb_str_equal(value->text, pb_str_from("yes"));

    if (value->kind != PB_YAML_SCALAR || (!is_yes && !pb_str_equal(value->text, pb_str_from("no"))))
        return refuse(reading, value, "wanted is yes or no");
    *ret_is = is_yes;
    return PB_OK;
}

static enum pb_status
read_key(const struct reading *reading, const struct pb_yaml *key, const struct pb_yaml *value,
         struct pb_cli_providers *providers, unsigned index)
{
    struct pb_oidc_provider *provider = &providers->items[index];
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        { "name", &provider->name },
        { "label", &provider->label },
        { "issuer", &provider->issuer },
        { "client", &provider->client },
        { "secret_file", &providers->secret_files[index] },
        { "secret_credential", &providers->credentials[index] },
        { "scopes", &provider->scopes },
        { "person_claim", &provider->person_claim },
        { "suffix", &provider->suffix },
        { "agency", &provider->agency },
        { "groups_claim", &provider->groups_claim },
        { "trusted", &provider->trusted_path },
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (pb_str_equal(key->text, pb_str_from(texts[i].name)))
            return keep(reading, value, texts[i].text);
    }
    if (pb_str_equal(key->text, pb_str_from("roles")))
        return keep_roles(reading, value, provider->roles);
    if (pb_str_equal(key->text, pb_str_from("acr")))
        return keep_words(reading, value, provider->acr);
    if (pb_str_equal(key->text, pb_str_from("amr")))
        return keep_words(reading, value, provider->amr);
    if (pb_str_equal(key->text, pb_str_from("adds_people")))
        return keep_bool(reading, value, &provider->adds_people);
    return pb_fail(reading->error, PB_BAD_INPUT, "%s:%u: unknown key 'providers.%.60s'",
                   reading->path, key->line, key->text.text);
}

static enum pb_status
check_provider(const struct reading *reading, const struct pb_yaml *at,
               const struct pb_cli_providers *providers, unsigned index)
{
    const struct pb_oidc_provider *provider = &providers->items[index];

    if (provider->name == NULL || provider->issuer == NULL || provider->client == NULL ||
        provider->agency == NULL)
        return refuse(reading, at, "a provider needs name, issuer, client and agency");
    if (providers->secret_files[index] != NULL && providers->credentials[index] != NULL)
        return refuse(reading, at, "a provider has secret_file or secret_credential, not both");
    if (providers->credentials[index] != NULL && strchr(providers->credentials[index], '/') != NULL)
        return refuse(reading, at, "secret_credential is a name, not a path");
    return PB_OK;
}

static enum pb_status
read_provider(const struct reading *reading, const struct pb_yaml *map,
              struct pb_cli_providers *providers, unsigned index)
{
    struct pb_oidc_provider *provider = &providers->items[index];
    enum pb_status status = PB_OK;

    if (map->kind != PB_YAML_MAP)
        return refuse(reading, map, "keys with values are wanted here");
    *provider = (struct pb_oidc_provider){
        .scopes = "openid profile",
        .person_claim = "preferred_username",
        .groups_claim = "groups",
        .amr = { "mfa" },
    };
    for (uint32_t i = 0; i < map->count && status == PB_OK; i++)
        status = read_key(reading, &map->keys[i], &map->items[i], providers, index);
    if (status == PB_OK && provider->label == NULL)
        provider->label = provider->name;
    return status == PB_OK ? check_provider(reading, map, providers, index) : status;
}

enum pb_status
pb_cli_providers_parse(struct pb_arena *arena, const char *path, const struct pb_yaml *list,
                       struct pb_cli_providers *ret_providers, struct pb_error *error)
{
    struct reading reading = { arena, path, error };

    memset(ret_providers, 0, sizeof(*ret_providers));
    if (list->kind != PB_YAML_LIST || list->count > PB_OIDC_PROVIDERS_MAX)
        return refuse(&reading, list, "wanted is a list of at most 16 providers");
    for (uint32_t i = 0; i < list->count; i++) {
        enum pb_status status = read_provider(&reading, &list->items[i], ret_providers, i);

        if (status != PB_OK)
            return status;
        ret_providers->count++;
    }
    return PB_OK;
}

/* ---- secrets ---- */

static enum pb_status
load_secret(struct pb_arena *arena, const char *path, const char **ret_secret,
            struct pb_error *error)
{
    const struct pb_env *env = arena->env;
    size_t bytes = 0;
    char *text = NULL;
    struct pb_str copy;
    enum pb_status status = pb_cli_load(env, path, SECRET_BYTES_MAX, &text, &bytes, error);

    if (status != PB_OK)
        return status == PB_NOT_FOUND || status == PB_OVER_LIMIT ? PB_BAD_INPUT : status;
    while (bytes > 0 && (text[bytes - 1] == '\n' || text[bytes - 1] == '\r'))
        text[--bytes] = '\0';
    if (bytes == 0 || memchr(text, '\0', bytes) != NULL)
        status = pb_fail(error, PB_BAD_INPUT, "%s: wanted is a secret on one line", path);
    else if (pb_arena_copy(arena, (struct pb_str){ text, (uint32_t)bytes + 1 }, &copy) != PB_OK)
        status = PB_E_NOMEM;
    else
        *ret_secret = copy.text;
    explicit_bzero(text, bytes);
    pb_free(env, text);
    return status;
}

enum pb_status
pb_cli_providers_secrets(struct pb_arena *arena, const char *credentials,
                         struct pb_cli_providers *providers, struct pb_error *error)
{
    for (unsigned i = 0; i < providers->count; i++) {
        const char *path = providers->secret_files[i];
        char room[PB_PATH_BYTES_MAX];
        enum pb_status status;

        if (providers->credentials[i] != NULL) {
            if (credentials == NULL)
                return pb_fail(error, PB_BAD_INPUT,
                               "provider '%s': secret_credential is for systemd "
                               "(LoadCredential=), which did not start this",
                               providers->items[i].name);
            if ((size_t)snprintf(room, sizeof(room), "%s/%s", credentials,
                                 providers->credentials[i]) >= sizeof(room))
                return pb_fail(error, PB_BAD_INPUT, "the path of a credential is too long");
            path = room;
        }
        if (path == NULL)
            continue;
        status = load_secret(arena, path, &providers->items[i].secret, error);
        if (status != PB_OK)
            return status;
    }
    return PB_OK;
}
