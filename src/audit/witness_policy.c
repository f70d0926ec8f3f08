/*
 * Witness policy: the file that says whose word is enough.
 */
#include <string.h>

#include "audit/encode.h"
#include "audit/witness.h"

#define NONE (-1)
#define NOT_NAMED (-2)

struct parsing {
    struct pb_witness_policy *policy;
    uint64_t taken; /* members of a group so far: each may be of one only */
    bool has_quorum;
};

/* Takes the next word of a line; empty at its end. */
static struct pb_str
next_word(struct pb_str *line)
{
    uint32_t begin = 0, end;

    while (begin < line->bytes && (line->text[begin] == ' ' || line->text[begin] == '\t'))
        begin++;
    end = begin;
    while (end < line->bytes && line->text[end] != ' ' && line->text[end] != '\t')
        end++;
    {
        struct pb_str word = { line->text + begin, end - begin };

        *line = (struct pb_str){ line->text + end, line->bytes - end };
        return word;
    }
}

static bool
copy_word(struct pb_str word, char *ret_text, size_t bytes_max)
{
    if (word.bytes == 0 || word.bytes > bytes_max)
        return false;
    memcpy(ret_text, word.text, word.bytes);
    ret_text[word.bytes] = '\0';
    return true;
}

/* Place of a witness or group among the bits of members. */
static int32_t
find_name(const struct pb_witness_policy *policy, struct pb_str name)
{
    if (pb_str_equal(name, pb_str_from("none")))
        return NONE;
    for (uint32_t i = 0; i < policy->witness_count; i++) {
        if (pb_str_equal(name, pb_str_from(policy->witnesses[i].name)))
            return (int32_t)i;
    }
    for (uint32_t i = 0; i < policy->group_count; i++) {
        if (pb_str_equal(name, pb_str_from(policy->groups[i].name)))
            return (int32_t)(PB_WITNESSES_MAX + i);
    }
    return NOT_NAMED;
}

static const char *
parse_log(struct parsing *parsing, struct pb_str line)
{
    struct pb_witness_policy *policy = parsing->policy;
    struct pb_vkey *key = &policy->logs[policy->log_count];

    if (policy->log_count == PB_WITNESS_LOGS_MAX)
        return "too many logs";
    if (pb_vkey_parse(next_word(&line), key, NULL) != PB_OK || key->type != PB_KEY_ED25519)
        return "expected a log's verifier key";
    for (uint32_t i = 0; i < policy->log_count; i++) {
        if (memcmp(policy->logs[i].public_key, key->public_key, 32) == 0)
            return "a log's key stands twice";
    }
    (void)next_word(&line); /* where the log is served is not our affair */
    policy->log_count++;
    return next_word(&line).bytes == 0 ? NULL : "more words than there should be";
}

static const char *
parse_witness(struct parsing *parsing, struct pb_str line)
{
    struct pb_witness_policy *policy = parsing->policy;
    struct pb_witness *witness = &policy->witnesses[policy->witness_count];
    struct pb_str name = next_word(&line), url;

    if (policy->witness_count == PB_WITNESSES_MAX)
        return "too many witnesses";
    if (find_name(policy, name) != NOT_NAMED ||
        !copy_word(name, witness->name, PB_WITNESS_NAME_BYTES_MAX))
        return "a name that is missing, too long or taken";
    if (pb_vkey_parse(next_word(&line), &witness->key, NULL) != PB_OK ||
        witness->key.type != PB_KEY_COSIGNATURE)
        return "expected a witness's verifier key (type 04)";
    for (uint32_t i = 0; i < policy->witness_count; i++) {
        if (memcmp(policy->witnesses[i].key.public_key, witness->key.public_key, 32) == 0)
            return "a witness's key stands twice: one owner is one witness";
    }
    url = next_word(&line);
    witness->url[0] = '\0';
    if (url.bytes > 0 && !copy_word(url, witness->url, PB_WITNESS_URL_BYTES_MAX))
        return "an address that is too long";
    if (url.bytes > 0 && !pb_witness_url_is_allowed(witness->url))
        return "an address that is neither https nor http on this machine";
    policy->witness_count++;
    return next_word(&line).bytes == 0 ? NULL : "more words than there should be";
}

static const char *
parse_members(struct parsing *parsing, struct pb_str line, struct pb_witness_group *group,
              uint32_t *ret_count)
{
    struct pb_str word = next_word(&line);

    *ret_count = 0;
    group->members = 0;
    for (; word.bytes > 0; word = next_word(&line)) {
        int32_t place = find_name(parsing->policy, word);

        if (place < 0)
            return "a member that is not named on a line before";
        if ((parsing->taken >> place & 1) != 0)
            return "a member that is in a group already";
        parsing->taken |= UINT64_C(1) << place;
        group->members |= UINT64_C(1) << place;
        (*ret_count)++;
    }
    return *ret_count > 0 ? NULL : "a group without members";
}

static const char *
parse_group(struct parsing *parsing, struct pb_str line)
{
    struct pb_witness_policy *policy = parsing->policy;
    struct pb_witness_group *group = &policy->groups[policy->group_count];
    struct pb_str name = next_word(&line), threshold = next_word(&line);
    uint32_t count = 0;
    uint64_t number = 0;
    const char *fault;

    if (policy->group_count == PB_WITNESS_GROUPS_MAX)
        return "too many groups";
    if (find_name(policy, name) != NOT_NAMED ||
        !copy_word(name, group->name, PB_WITNESS_NAME_BYTES_MAX))
        return "a name that is missing, too long or taken";
    fault = parse_members(parsing, line, group, &count);
    if (fault != NULL)
        return fault;
    if (pb_str_equal(threshold, pb_str_from("all")))
        number = count;
    else if (pb_str_equal(threshold, pb_str_from("any")))
        number = 1;
    else if (pb_decimal_decode(threshold, &number) != PB_OK || number < 1 || number > count)
        return "how many of the members: all, any, or a number from 1 to how many there are";
    group->threshold = (uint32_t)number;
    policy->group_count++;
    return NULL;
}

static const char *
parse_quorum(struct parsing *parsing, struct pb_str line)
{
    int32_t place = find_name(parsing->policy, next_word(&line));

    if (parsing->has_quorum)
        return "a second quorum";
    if (place == NOT_NAMED)
        return "a quorum that is not named on a line before";
    parsing->has_quorum = true;
    parsing->policy->quorum = place;
    return next_word(&line).bytes == 0 ? NULL : "more words than there should be";
}

static const char *
parse_line(struct parsing *parsing, struct pb_str line)
{
    static const struct {
        const char *word;
        const char *(*parse)(struct parsing *, struct pb_str);
    } kinds[] = { { "log", parse_log },
                  { "witness", parse_witness },
                  { "group", parse_group },
                  { "quorum", parse_quorum } };
    struct pb_str word = next_word(&line);

    if (word.bytes == 0 || word.text[0] == '#')
        return NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (pb_str_equal(word, pb_str_from(kinds[i].word)))
            return kinds[i].parse(parsing, line);
    }
    return "expected log, witness, group or quorum";
}

static bool
has_control(struct pb_str line)
{
    for (uint32_t i = 0; i < line.bytes; i++) {
        uint8_t at = (uint8_t)line.text[i];

        if ((at < 0x20 && at != '\t') || at == 0x7f)
            return true;
    }
    return false;
}

enum pb_status
pb_witness_policy_parse(struct pb_str text, struct pb_witness_policy *ret_policy,
                        struct pb_error *error)
{
    struct parsing parsing = { .policy = ret_policy };
    struct pb_str rest = text, line;
    uint32_t number = 0;

    memset(ret_policy, 0, sizeof(*ret_policy));
    ret_policy->quorum = NONE;
    if (text.bytes > PB_POLICY_BYTES_MAX)
        return pb_fail(error, PB_BAD_INPUT, "a witness policy of more than %u bytes",
                       PB_POLICY_BYTES_MAX);
    while (pb_next_line(&rest, &line) == PB_OK) {
        const char *fault = has_control(line) ? "a control character" : parse_line(&parsing, line);

        number++;
        if (fault != NULL)
            return pb_fail(error, PB_BAD_INPUT, "witness policy, line %u: %s", number, fault);
    }
    if (rest.bytes > 0)
        return pb_fail(error, PB_BAD_INPUT, "witness policy, line %u: no line feed at its end",
                       number + 1);
    if (!parsing.has_quorum)
        return pb_fail(error, PB_BAD_INPUT, "a witness policy without a quorum");
    return PB_OK;
}

bool
pb_witness_quorum(const struct pb_witness_policy *policy, uint32_t witnesses)
{
    uint64_t satisfied = witnesses;

    if (policy->quorum == NONE)
        return true;
    /* A group's members stand before it. */
    for (uint32_t i = 0; i < policy->group_count; i++) {
        const struct pb_witness_group *group = &policy->groups[i];
        uint64_t found = group->members & satisfied;
        uint32_t count = 0;

        for (; found != 0; found &= found - 1)
            count++;
        if (count >= group->threshold)
            satisfied |= UINT64_C(1) << (PB_WITNESSES_MAX + i);
    }
    return (satisfied >> policy->quorum & 1) != 0;
}
