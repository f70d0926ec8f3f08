/*
 * Compile: packs of YAML to rules that never change.
 *
 * In four passes over all packs, for each needs the one before: heads; the purposes that any of
 * them declares; what those count as; rules, which name purposes. Then the indexes by which a
 * decision finds its rules: by id, and by state.
 *
 * The trees of YAML live in the rules' arena, so that texts need not be copied.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <platebase/plate.h>
#include <sodium.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "policy/policy_private.h"

#define ARENA_BYTES ((size_t)4 << 10)
#define VERSION_MAX 1000000u

static struct pb_pack_reader
reader_of(struct pb_rules *rules, const struct pb_pack *pack, struct pb_error *error)
{
    return (struct pb_pack_reader){
        .rules = rules,
        .arena = &rules->arena,
        .error = error,
        .file_name = pack->name,
    };
}

static void *
new_array(struct pb_rules *rules, size_t count, size_t bytes)
{
    void *array = pb_arena_alloc(&rules->arena, count * bytes);

    if (array != NULL)
        memset(array, 0, count * bytes);
    return array;
}

static bool
is_id(struct pb_str text)
{
    if (text.bytes > PB_CATALOG_ID_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < text.bytes; i++) {
        char c = text.text[i];
        bool is_inner = c == '.' || c == '-' || c == '_';

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !(is_inner && i > 0))
            return false;
    }
    return true;
}

static enum pb_status
need(const struct pb_pack_reader *reader, const struct pb_yaml *map, const char *key,
     enum pb_yaml_kind kind, const struct pb_yaml **ret_value)
{
    const struct pb_yaml *value = pb_yaml_get(map, key);

    if (value == NULL)
        return pb_pack_wrong(reader, map->line, "`%s` is missing", key);
    if (value->kind != kind || (kind == PB_YAML_SCALAR && value->text.bytes == 0))
        return pb_pack_wrong(reader, value->line, "`%s` is a %s", key,
                             kind == PB_YAML_LIST ? "list" : "text");
    *ret_value = value;
    return PB_OK;
}

static enum pb_status
need_text(const struct pb_pack_reader *reader, const struct pb_yaml *map, const char *key,
          struct pb_str *ret_text)
{
    const struct pb_yaml *value = NULL;
    enum pb_status status = need(reader, map, key, PB_YAML_SCALAR, &value);

    if (status != PB_OK)
        return status;
    if (value->text.bytes > PB_CATALOG_TEXT_BYTES_MAX || !pb_text_is_plain(value->text))
        return pb_pack_wrong(reader, value->line, "`%s` has more than %u bytes, or signs that hide",
                             key, PB_CATALOG_TEXT_BYTES_MAX);
    *ret_text = value->text;
    return PB_OK;
}

static enum pb_status
need_id(const struct pb_pack_reader *reader, const struct pb_yaml *map, const char *key,
        struct pb_str *ret_id)
{
    enum pb_status status = need_text(reader, map, key, ret_id);

    if (status == PB_OK && !is_id(*ret_id))
        return pb_pack_wrong(reader, map->line,
                             "`%s` is 1 to %u letters, digits, dots, dashes and underscores", key,
                             PB_CATALOG_ID_BYTES_MAX);
    return status;
}

static enum pb_status
need_word(const struct pb_pack_reader *reader, const struct pb_yaml *map, const char *key,
          const char *const *words, int *ret_place)
{
    const struct pb_yaml *value = NULL;
    enum pb_status status = need(reader, map, key, PB_YAML_SCALAR, &value);

    if (status != PB_OK)
        return status;
    *ret_place = pb_word_place(words, value->text);
    if (*ret_place < 0)
        return pb_pack_wrong(reader, value->line, "`%s` cannot be %.64s", key, value->text.text);
    return PB_OK;
}

/* ---- heads ---- */

static enum pb_status
read_version(const struct pb_pack_reader *reader, const struct pb_yaml *root, uint32_t *ret_version)
{
    static const struct pb_member member = { .name = "version", .type = PB_MEMBER_COUNT };
    const struct pb_yaml *value = NULL;
    uint64_t version = 0;
    enum pb_status status = need(reader, root, "version", PB_YAML_SCALAR, &value);

    if (status == PB_OK)
        status = pb_member_read(reader, &member, value, &version);
    if (status != PB_OK)
        return status;
    if (version < 1 || version > VERSION_MAX)
        return pb_pack_wrong(reader, value->line, "`version` is 1 to %u", VERSION_MAX);
    *ret_version = (uint32_t)version;
    return PB_OK;
}

static enum pb_status
read_valid_from(const struct pb_pack_reader *reader, const struct pb_yaml *root, int64_t *ret_us)
{
    struct pb_str text;
    int16_t offset_min;
    enum pb_status status = need_text(reader, root, "valid_from", &text);

    if (status != PB_OK)
        return status;
    if (pb_time_parse_utc(text, ret_us, &offset_min) != PB_OK)
        return pb_pack_wrong(reader, pb_yaml_get(root, "valid_from")->line,
                             "`valid_from` is a date as in 2026-07-01");
    return PB_OK;
}

static enum pb_status
read_jurisdiction(const struct pb_pack_reader *reader, struct pb_pack *pack)
{
    const struct pb_yaml *value = pb_yaml_get(pack->root, "jurisdiction");

    if (value == NULL)
        return PB_OK;
    if (value->kind == PB_YAML_SCALAR)
        pack->jurisdiction = pb_jurisdiction_from_text(value->text);
    if (pack->jurisdiction == 0)
        return pb_pack_wrong(reader, value->line, "`jurisdiction` is ISO 3166, as in US-CA");
    return PB_OK;
}

static enum pb_status
read_head(const struct pb_pack_reader *reader, struct pb_pack *pack)
{
    static const char *const words[] = { "pack",         "version",  "title", "valid_from", "binds",
                                         "jurisdiction", "purposes", "rules", "about",      NULL };
    int place = 0;
    enum pb_status status;

    status = pb_keys_check(reader, pack->root, words, NULL, 0);
    if (status == PB_OK)
        status = need_id(reader, pack->root, "pack", &pack->id);
    if (status == PB_OK)
        status = read_version(reader, pack->root, &pack->version);
    if (status == PB_OK)
        status = need_text(reader, pack->root, "title", &pack->title);
    if (status == PB_OK)
        status = read_valid_from(reader, pack->root, &pack->valid_from_us);
    if (status == PB_OK)
        status = need_word(reader, pack->root, "binds", pb_bind_names, &place);
    if (status == PB_OK)
        status = read_jurisdiction(reader, pack);
    pack->binds = (enum pb_rule_bind)place;
    return status;
}

static void
digest(struct pb_pack *pack, struct pb_str text)
{
    crypto_hash_sha256(pack->text_sha256, (const unsigned char *)text.text, text.bytes);
    sodium_bin2hex(pack->text_sha256_hex, sizeof(pack->text_sha256_hex), pack->text_sha256,
                   sizeof(pack->text_sha256));
}

static enum pb_status
parse_pack(struct pb_rules *rules, const struct pb_pack_source *source, struct pb_pack *pack,
           struct pb_error *error)
{
    struct pb_error yaml_error = { { 0 } };
    struct pb_pack_reader reader;
    enum pb_status status;

    pack->name = source->name;
    reader = reader_of(rules, pack, error);
    if (source->text.bytes > PB_PACK_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "%.64s: more than %u bytes", source->name,
                       PB_PACK_BYTES_MAX);
    digest(pack, source->text);
    status = pb_yaml_parse(&rules->arena, source->text, &pack->root, &yaml_error);
    if (status != PB_OK)
        return pb_fail(error, status, "%.64s, %s", source->name, yaml_error.message);
    return read_head(&reader, pack);
}

static int
compare_packs(const void *a, const void *b)
{
    const struct pb_pack *left = a, *right = b;
    int order = pb_str_compare(left->id, right->id);

    if (order != 0)
        return order;
    if (left->valid_from_us != right->valid_from_us)
        return left->valid_from_us < right->valid_from_us ? -1 : 1;
    return left->version < right->version ? -1 : left->version > right->version;
}

/* A version must be later than those below it, or "the newest in force" has two meanings. */
static enum pb_status
check_versions(struct pb_rules *rules, struct pb_error *error)
{
    for (uint32_t i = 1; i < rules->pack_count; i++) {
        const struct pb_pack *before = &rules->packs[i - 1], *pack = &rules->packs[i];

        if (!pb_str_equal(before->id, pack->id))
            continue;
        if (before->version >= pack->version)
            return pb_fail(error, PB_BAD_INPUT,
                           "%.64s and %.64s: versions %u and %u of pack %.64s; each version needs "
                           "a number and a `valid_from` of its own, and both must grow together",
                           before->name, pack->name, before->version, pack->version, pack->id.text);
    }
    return PB_OK;
}

static enum pb_status
read_heads(struct pb_rules *rules, const struct pb_pack_source *sources, size_t count,
           struct pb_error *error)
{
    if (count > PB_PACKS_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "more than %u packs", PB_PACKS_MAX);
    rules->packs = new_array(rules, count, sizeof(*rules->packs));
    if (rules->packs == NULL)
        return PB_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        enum pb_status status = parse_pack(rules, &sources[i], &rules->packs[i], error);

        if (status != PB_OK)
            return status;
    }
    rules->pack_count = (uint32_t)count;
    if (count > 1)
        qsort(rules->packs, count, sizeof(*rules->packs), compare_packs);
    return check_versions(rules, error);
}

/* ---- purposes ---- */

static int
compare_texts(const void *a, const void *b)
{
    const struct pb_str *left = a, *right = b;

    return pb_str_compare(*left, *right);
}

static uint32_t
unique(struct pb_str *codes, uint32_t count)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (kept == 0 || !pb_str_equal(codes[kept - 1], codes[i]))
            codes[kept++] = codes[i];
    }
    return kept;
}

static enum pb_status
count_purposes(struct pb_rules *rules, struct pb_error *error, uint32_t *ret_count)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < rules->pack_count; i++) {
        struct pb_pack *pack = &rules->packs[i];
        struct pb_pack_reader reader = reader_of(rules, pack, error);

        pack->purposes = pb_yaml_get(pack->root, "purposes");
        if (pack->purposes == NULL)
            continue;
        if (pack->purposes->kind != PB_YAML_LIST || pack->purposes->count > PB_PURPOSES_MAX)
            return pb_pack_wrong(&reader, pack->purposes->line,
                                 "`purposes` is a list of at most %u", PB_PURPOSES_MAX);
        count += pack->purposes->count;
    }
    *ret_count = count;
    return PB_OK;
}

static enum pb_status
collect_codes(struct pb_rules *rules, struct pb_error *error)
{
    uint32_t room = 0, count = 0;
    enum pb_status status = count_purposes(rules, error, &room);

    if (status != PB_OK)
        return status;
    rules->purpose_codes = new_array(rules, room, sizeof(*rules->purpose_codes));
    rules->purposes = new_array(rules, room, sizeof(*rules->purposes));
    if (rules->purpose_codes == NULL || rules->purposes == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < rules->pack_count; i++) {
        const struct pb_pack *pack = &rules->packs[i];
        struct pb_pack_reader reader = reader_of(rules, pack, error);

        for (uint32_t j = 0; pack->purposes != NULL && j < pack->purposes->count; j++) {
            status =
                need_id(&reader, &pack->purposes->items[j], "code", &rules->purpose_codes[count++]);
            if (status != PB_OK)
                return status;
        }
    }
    if (count > 1)
        qsort(rules->purpose_codes, count, sizeof(*rules->purpose_codes), compare_texts);
    rules->purpose_code_count = unique(rules->purpose_codes, count);
    if (rules->purpose_code_count > PB_PURPOSES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "more than %u purposes in all packs together",
                       PB_PURPOSES_MAX);
    return PB_OK;
}

static bool
is_same_purpose(const struct pb_purpose *a, const struct pb_purpose *b)
{
    return a->class == b->class && memcmp(&a->counts_as, &b->counts_as, sizeof(a->counts_as)) == 0;
}

/* A code means one thing at a site, whichever packs speak of it. */
static enum pb_status
check_purpose(const struct pb_pack_reader *reader, const struct pb_purpose *purpose, uint32_t line)
{
    const struct pb_rules *rules = reader->rules;

    for (uint32_t i = 0; i < rules->purpose_count; i++) {
        const struct pb_purpose *other = &rules->purposes[i];

        if (other->number != purpose->number)
            continue;
        if (other->pack == purpose->pack)
            return pb_pack_wrong(reader, line, "the purpose %.64s is declared twice",
                                 rules->purpose_codes[purpose->number].text);
        if (!pb_str_equal(other->pack->id, purpose->pack->id) && !is_same_purpose(other, purpose))
            return pb_pack_wrong(reader, line,
                                 "the purpose %.64s means something else in pack %.64s",
                                 rules->purpose_codes[purpose->number].text, other->pack->id.text);
    }
    return PB_OK;
}

static enum pb_status
read_purpose(const struct pb_pack_reader *reader, struct pb_rules *rules,
             const struct pb_pack *pack, const struct pb_yaml *map)
{
    static const char *const words[] = { "code", "title", "class", "counts_as", NULL };
    static const struct pb_member counts_as = { .name = "counts_as", .type = PB_MEMBER_PURPOSES };
    struct pb_purpose purpose = { .pack = pack };
    struct pb_str code = { .text = "", .bytes = 0 };
    int place = 0;
    enum pb_status status = pb_keys_check(reader, map, words, NULL, 0);

    if (status == PB_OK)
        status = need_id(reader, map, "code", &code);
    if (status == PB_OK)
        status = need_text(reader, map, "title", &purpose.title);
    if (status == PB_OK)
        status = need_word(reader, map, "class", pb_purpose_class_names, &place);
    if (status == PB_OK && pb_yaml_get(map, "counts_as") != NULL)
        status =
            pb_member_read(reader, &counts_as, pb_yaml_get(map, "counts_as"), &purpose.counts_as);
    if (status != PB_OK)
        return status;
    purpose.class = (enum pb_purpose_class)place;
    purpose.number = (unsigned)pb_purpose_number(reader->rules, code);
    status = check_purpose(reader, &purpose, map->line);
    if (status == PB_OK)
        rules->purposes[rules->purpose_count++] = purpose;
    return status;
}

static int
compare_purposes(const void *a, const void *b)
{
    const struct pb_purpose *left = a, *right = b;

    return left->number < right->number ? -1 : left->number > right->number;
}

static enum pb_status
read_all_purposes(struct pb_rules *rules, struct pb_error *error)
{
    enum pb_status status = collect_codes(rules, error);

    for (uint32_t i = 0; status == PB_OK && i < rules->pack_count; i++) {
        const struct pb_pack *pack = &rules->packs[i];
        struct pb_pack_reader reader = reader_of(rules, pack, error);

        for (uint32_t j = 0; status == PB_OK && pack->purposes != NULL && j < pack->purposes->count;
             j++)
            status = read_purpose(&reader, rules, pack, &pack->purposes->items[j]);
    }
    if (status == PB_OK && rules->purpose_count > 1)
        qsort(rules->purposes, rules->purpose_count, sizeof(*rules->purposes), compare_purposes);
    return status;
}

/* ---- rules ---- */

static size_t
count_members(const struct pb_rule_kind *kind)
{
    size_t count = 0;

    while (kind->members[count].name != NULL)
        count++;
    return count;
}

static enum pb_status
read_when(const struct pb_pack_reader *reader, struct pb_rule *rule, const struct pb_yaml *map)
{
    const struct pb_yaml *when = pb_yaml_get(map, "when");
    size_t count;
    const struct pb_member *members = pb_condition_members(&count);
    enum pb_status status;

    if (when == NULL)
        return PB_OK;
    status = pb_keys_check(reader, when, NULL, members, count);
    if (status != PB_OK)
        return status;
    return pb_members_read(reader, members, count, when, &rule->when, &rule->when.given);
}

static enum pb_status
read_who_is_bound(const struct pb_pack_reader *reader, struct pb_rule *rule,
                  const struct pb_yaml *map)
{
    int place = (int)rule->pack->binds;
    enum pb_status status = PB_OK;

    if (pb_yaml_get(map, "binds") != NULL)
        status = need_word(reader, map, "binds", pb_bind_names, &place);
    rule->binds = (enum pb_rule_bind)place;
    if (status == PB_OK && rule->binds >= PB_BINDS_ASKER_STATE && rule->pack->jurisdiction == 0)
        return pb_pack_wrong(reader, map->line, "the pack has no `jurisdiction` to bind");
    return status;
}

static enum pb_status
read_flags(const struct pb_pack_reader *reader, struct pb_rule *rule, const struct pb_yaml *map)
{
    static const struct pb_member verified = { .name = "verified", .type = PB_MEMBER_BOOL };
    static const struct pb_member yields = { .name = "yields_to_break_glass",
                                             .type = PB_MEMBER_BOOL };
    const struct pb_yaml *value = NULL;
    enum pb_status status = need(reader, map, "verified", PB_YAML_SCALAR, &value);

    if (status == PB_OK)
        status = pb_member_read(reader, &verified, value, &rule->is_verified);
    value = pb_yaml_get(map, "yields_to_break_glass");
    if (status == PB_OK && value != NULL)
        status = pb_member_read(reader, &yields, value, &rule->yields);
    if (status == PB_OK && rule->yields && !rule->is_verified)
        return pb_pack_wrong(reader, map->line, "a rule that nobody verified does not yield");
    return status;
}

/* What members may not say together. */
static enum pb_status
check_sense(const struct pb_pack_reader *reader, const struct pb_rule *rule,
            const struct pb_yaml *map)
{
    bool is_for_all = rule->kind->use == PB_KIND_OWNER || rule->kind->use == PB_KIND_LAST;

    if ((rule->when.given & ~rule->kind->conditions) != 0)
        return pb_pack_wrong(reader, map->line, "the kind %s does not take this `when`",
                             rule->kind->name);
    if (rule->about == PB_ABOUT_ORIGIN && rule->beyond == PB_BEYOND_CLIP)
        return pb_pack_wrong(reader, map->line,
                             "`clip` is of the whole inquiry, and this rule is about origins");
    if (rule->kind->use == PB_KIND_MEANING && rule->about == PB_ABOUT_ORIGIN)
        return pb_pack_wrong(reader, map->line, "the kind %s is about inquiries, not origins",
                             rule->kind->name);
    if (is_for_all && rule->binds != PB_BINDS_EVERYONE)
        return pb_pack_wrong(reader, map->line, "the kind %s binds everyone", rule->kind->name);
    if ((rule->when.given & PB_WHEN_ASKER_IN_STATE) != 0 && rule->pack->jurisdiction == 0)
        return pb_pack_wrong(reader, map->line, "the pack has no `jurisdiction` to be in");
    return PB_OK;
}

static enum pb_status
read_pattern(const struct pb_pack_reader *reader, struct pb_rule *rule)
{
    struct pb_error error = { { 0 } };
    enum pb_status status;

    if (rule->pattern.bytes == 0)
        return PB_OK;
    status = pb_case_pattern_compile(reader->arena, rule->pattern, &rule->compiled_pattern, &error);
    if (status == PB_BAD_INPUT)
        return pb_pack_wrong(reader, rule->line, "`pattern`: %s", error.message);
    return status;
}

static enum pb_status
read_kind(const struct pb_pack_reader *reader, struct pb_rule *rule, const struct pb_yaml *map)
{
    static const char *const words[] = { "id",    "text", "source", "verified",
                                         "binds", "when", "kind",   "yields_to_break_glass",
                                         NULL };
    struct pb_str name = { .text = "", .bytes = 0 };
    enum pb_status status = need_text(reader, map, "kind", &name);
    size_t count;

    if (status != PB_OK)
        return status;
    rule->kind = pb_rule_kind(name);
    if (rule->kind == NULL)
        return pb_pack_wrong(reader, map->line, "there is no kind %.64s", name.text);
    count = count_members(rule->kind);
    status = pb_keys_check(reader, map, words, rule->kind->members, count);
    if (status == PB_OK)
        status = pb_members_read(reader, rule->kind->members, count, map, rule, &rule->given);
    return status == PB_OK ? read_pattern(reader, rule) : status;
}

static bool
has_prefix(struct pb_str text, struct pb_str prefix)
{
    return text.bytes > prefix.bytes + 1 && memcmp(text.text, prefix.text, prefix.bytes) == 0 &&
           text.text[prefix.bytes] == '.';
}

static enum pb_rule_about
about_what(const struct pb_rule *rule)
{
    if (rule->kind->use == PB_KIND_DATA || rule->kind->use == PB_KIND_OWNER)
        return PB_ABOUT_ELSE;
    if (rule->binds == PB_BINDS_CAPTURE_STATE || rule->kind->use == PB_KIND_ORIGIN ||
        (rule->when.given & PB_WHEN_ABOUT_ORIGIN) != 0)
        return PB_ABOUT_ORIGIN;
    return PB_ABOUT_INQUIRY;
}

static enum pb_status
read_rule(struct pb_pack_reader *reader, struct pb_rule *rule, const struct pb_yaml *map)
{
    enum pb_status status = need_id(reader, map, "id", &rule->id);

    if (status != PB_OK)
        return status;
    if (!has_prefix(rule->id, rule->pack->id))
        return pb_pack_wrong(reader, map->line, "the id %.64s does not begin with \"%.64s.\"",
                             rule->id.text, rule->pack->id.text);
    reader->rule_id = rule->id;
    rule->line = map->line;
    status = need_text(reader, map, "text", &rule->text);
    if (status == PB_OK)
        status = need_text(reader, map, "source", &rule->source);
    if (status == PB_OK)
        status = read_flags(reader, rule, map);
    if (status == PB_OK)
        status = read_who_is_bound(reader, rule, map);
    if (status == PB_OK)
        status = read_when(reader, rule, map);
    if (status == PB_OK)
        status = read_kind(reader, rule, map);
    if (status != PB_OK)
        return status;
    rule->about = about_what(rule);
    return check_sense(reader, rule, map);
}

static enum pb_status
check_ids(struct pb_pack_reader *reader, const struct pb_pack *pack)
{
    for (uint32_t i = 0; i < pack->rule_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (!pb_str_equal(pack->rules[i].id, pack->rules[j].id))
                continue;
            reader->rule_id = pack->rules[i].id;
            return pb_pack_wrong(reader, pack->rules[i].line, "the same id as in line %u",
                                 pack->rules[j].line);
        }
    }
    return PB_OK;
}

/* Within one range as they stand in the file. */
static void
sort_rules(struct pb_pack *pack, const struct pb_rule *rules)
{
    uint32_t next = 0;

    for (unsigned place = 0; place < (unsigned)PB_BIND_COUNT * (unsigned)PB_ABOUT_COUNT; place++) {
        pack->first[place] = next;
        for (uint32_t i = 0; i < pack->rule_count; i++) {
            if ((unsigned)rules[i].binds * (unsigned)PB_ABOUT_COUNT + (unsigned)rules[i].about ==
                place)
                pack->rules[next++] = rules[i];
        }
    }
    pack->first[(unsigned)PB_BIND_COUNT * (unsigned)PB_ABOUT_COUNT] = next;
    for (uint32_t i = 0; i < pack->rule_count; i++) {
        if (pack->rules[i].kind->use == PB_KIND_OWNER)
            pack->agreement_rule = &pack->rules[i];
    }
}

static enum pb_status
read_pack_rules(struct pb_rules *rules, struct pb_pack *pack, struct pb_error *error)
{
    struct pb_pack_reader reader = reader_of(rules, pack, error);
    const struct pb_yaml *list = NULL;
    struct pb_rule *read;
    enum pb_status status = need(&reader, pack->root, "rules", PB_YAML_LIST, &list);

    if (status != PB_OK)
        return status;
    if (list->count > PB_PACK_RULES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "%.64s: more than %u rules", pack->name,
                       PB_PACK_RULES_MAX);
    read = new_array(rules, list->count, sizeof(*read));
    pack->rules = new_array(rules, list->count, sizeof(*pack->rules));
    if (read == NULL || pack->rules == NULL)
        return PB_E_NOMEM;
    for (uint32_t i = 0; i < list->count; i++) {
        reader.rule_id.bytes = 0;
        read[i].pack = pack;
        status = read_rule(&reader, &read[i], &list->items[i]);
        if (status != PB_OK)
            return status;
        pack->unverified_count += !read[i].is_verified;
    }
    pack->rule_count = list->count;
    sort_rules(pack, read);
    return check_ids(&reader, pack);
}

/* ---- indexes ---- */

/* Of any version: rules of its state. */
static bool
has_state_rules(const struct pb_pack_group *group)
{
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->packs[i].first[(unsigned)PB_BINDS_ASKER_STATE * (unsigned)PB_ABOUT_COUNT] <
            group->packs[i].rule_count)
            return true;
    }
    return false;
}

static uint64_t
place_of(const struct pb_state_group *group)
{
    return (uint64_t)group->jurisdiction << 32 | group->group;
}

static int
compare_states(const void *a, const void *b)
{
    uint64_t left = place_of(a), right = place_of(b);

    return (left > right) - (left < right);
}

/* A pack is of one jurisdiction in all its versions, so that a group has one place. */
static enum pb_status
check_jurisdictions(const struct pb_pack_group *group, struct pb_error *error)
{
    for (uint32_t i = 1; i < group->count; i++) {
        if (group->packs[i].jurisdiction != group->packs[0].jurisdiction)
            return pb_fail(error, PB_BAD_INPUT,
                           "%.64s: version %u of pack %.64s is of another jurisdiction than "
                           "version %u",
                           group->packs[i].name, group->packs[i].version, group->packs[i].id.text,
                           group->packs[0].version);
    }
    return PB_OK;
}

static void
make_groups(struct pb_rules *rules)
{
    for (uint32_t i = 0; i < rules->pack_count; i++) {
        struct pb_pack_group *last =
            rules->group_count == 0 ? NULL : &rules->groups[rules->group_count - 1];

        if (last != NULL && pb_str_equal(last->packs[0].id, rules->packs[i].id))
            last->count++;
        else
            rules->groups[rules->group_count++] =
                (struct pb_pack_group){ .packs = &rules->packs[i], .count = 1 };
    }
}

static enum pb_status
index_groups(struct pb_rules *rules, struct pb_error *error)
{
    rules->groups = new_array(rules, rules->pack_count, sizeof(*rules->groups));
    rules->state_groups = new_array(rules, rules->pack_count, sizeof(*rules->state_groups));
    if (rules->groups == NULL || rules->state_groups == NULL)
        return PB_E_NOMEM;
    make_groups(rules);
    for (uint32_t i = 0; i < rules->group_count; i++) {
        const struct pb_pack_group *group = &rules->groups[i];
        enum pb_status status = check_jurisdictions(group, error);

        if (status != PB_OK)
            return status;
        if (has_state_rules(group))
            rules->state_groups[rules->state_count++] =
                (struct pb_state_group){ group->packs[0].jurisdiction, i };
    }
    if (rules->state_count > 1)
        qsort(rules->state_groups, rules->state_count, sizeof(*rules->state_groups),
              compare_states);
    return PB_OK;
}

/* ---- the base pack ---- */

static bool
carries(const struct pb_pack *pack, const struct pb_rule_kind *kind)
{
    for (uint32_t i = 0; i < pack->rule_count; i++) {
        const struct pb_rule *rule = &pack->rules[i];

        if (rule->kind == kind && rule->binds == PB_BINDS_EVERYONE && rule->when.given == 0 &&
            !rule->yields)
            return true;
    }
    return false;
}

/* What keeps the door shut may be replaced by a site, and not left out. */
static enum pb_status
check_base(struct pb_rules *rules, struct pb_error *error)
{
    size_t kind_count;
    const struct pb_rule_kind *kinds = pb_rule_kinds(&kind_count);
    const struct pb_pack_group *base = NULL;

    for (uint32_t i = 0; i < rules->group_count; i++) {
        if (pb_str_equal(rules->groups[i].packs[0].id, pb_str_from(PB_BASE_PACK))) {
            base = &rules->groups[i];
            rules->base_group = i;
        }
    }
    if (base == NULL)
        return pb_fail(error, PB_BAD_INPUT, "the pack " PB_BASE_PACK " is missing");
    for (uint32_t i = 0; i < base->count; i++) {
        for (size_t j = 0; j < kind_count; j++) {
            if (kinds[j].is_mandatory && !carries(&base->packs[i], &kinds[j]))
                return pb_fail(error, PB_BAD_INPUT,
                               "%.64s: " PB_BASE_PACK " needs a rule of the kind %s that binds "
                               "everyone, always",
                               base->packs[i].name, kinds[j].name);
        }
    }
    return PB_OK;
}

/* ---- the calls ---- */

enum pb_status
pb_rules_compile(const struct pb_env *env, const struct pb_pack_source *packs, size_t count,
                 struct pb_rules **ret_rules, struct pb_error *error)
{
    struct pb_rules *rules = pb_calloc(env, 1, sizeof(*rules));
    enum pb_status status;

    assert(ret_rules != NULL);
    if (rules == NULL)
        return PB_E_NOMEM;
    rules->env = env;
    atomic_init(&rules->refs, 1);
    pb_arena_init(&rules->arena, env, ARENA_BYTES);

    status = read_heads(rules, packs, count, error);
    if (status == PB_OK)
        status = read_all_purposes(rules, error);
    for (uint32_t i = 0; status == PB_OK && i < rules->pack_count; i++)
        status = read_pack_rules(rules, &rules->packs[i], error);
    if (status == PB_OK)
        status = index_groups(rules, error);
    if (status == PB_OK)
        status = check_base(rules, error);
    if (status != PB_OK)
        goto out;

    *ret_rules = rules;
    rules = NULL;

out:
    pb_rules_unref(rules);
    return status;
}

struct pb_rules *
pb_rules_ref(struct pb_rules *rules)
{
    atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
    return rules;
}

void
pb_rules_unref(struct pb_rules *rules)
{
    if (rules == NULL)
        return;
    if (atomic_fetch_sub_explicit(&rules->refs, 1, memory_order_acq_rel) != 1)
        return;
    pb_arena_clear(&rules->arena);
    pb_free(rules->env, rules);
}
