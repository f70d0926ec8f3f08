/*
 * Password rules: what somebody who guesses would try first.
 *
 * Instead of a list of whole passwords, their parts: a password is refused where little is left of
 * it besides words that stand in nearly every list of common passwords, runs along the alphabet,
 * the digits or the keyboard, repeated characters, years, and the names of person and agency.
 * That takes in all lengths and endings of them that a list would have to name one by one.
 */
#include "api/secret.h"

#include <sodium.h>
#include <string.h>

#include "base/text.h"

#define FOLDED_BYTES (PB_PASSWORD_BYTES_MAX + 1u)
#define LEFT_MIN 6u /* so many bytes must be nothing of the kind */
#define CONTEXT_BYTES_MIN 3u

static const char *const words[] = {
    "password",   "passwort",      "passw",     "pass",      "word",      "secret",
    "letmein",    "welcome",       "login",     "admin",     "root",      "user",
    "guest",      "test",          "default",   "change",    "changeme",  "temp",
    "temporary",  "administrator", "master",    "super",     "manager",   "access",
    "iloveyou",   "love",          "you",       "sunshine",  "princess",  "dragon",
    "monkey",     "shadow",        "football",  "baseball",  "soccer",    "hockey",
    "basketball", "superman",      "batman",    "spider",    "michael",   "jordan",
    "michelle",   "jennifer",      "jessica",   "ashley",    "daniel",    "thomas",
    "andrew",     "robert",        "charlie",   "nicole",    "hannah",    "amanda",
    "george",     "harley",        "trustno",   "whatever",  "freedom",   "starwars",
    "computer",   "internet",      "google",    "facebook",  "summer",    "winter",
    "spring",     "autumn",        "monday",    "friday",    "january",   "december",
    "hello",      "world",         "liverpool", "chelsea",   "arsenal",   "samsung",
    "pokemon",    "naruto",        "killer",    "hunter",    "ranger",    "buster",
    "pepper",     "ginger",        "cookie",    "chocolate", "butterfly", "flower",
    "angel",      "babygirl",      "lovely",    "fuckyou",   "asshole",   "pussy",
    "correct",    "horse",         "battery",   "staple",    "license",   "licence",
    "plate",      "reader",        "police",    "sheriff",   "officer",   "department",
    "agency",     "camera",        "platebase", "qwerty",    "azerty",    "asdf",
    "zxcv",       "this",          "is",        "my",        "the",       "new",
};

/* Whoever walks along one of these, either way, has not thought of anything. */
static const char *const walks[] = {
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
};
#define WALK_MIN 3u

/* Small letters, digits and what is not ASCII; the rest left out. */
static struct pb_str
fold(struct pb_str text, char room[FOLDED_BYTES])
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < text.bytes && used < FOLDED_BYTES - 1; i++) {
        char byte = text.text[i];

        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte + 32);
        if (byte == '@')
            byte = 'a';
        if (byte == '$')
            byte = 's';
        if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
            (unsigned char)byte >= 0x80)
            room[used++] = byte;
    }
    return (struct pb_str){ room, used };
}

/* The letter that a digit is written for. */
static char
letter_of(char byte)
{
    switch (byte) {
    case '0':
        return 'o';
    case '1':
        return 'i';
    case '3':
        return 'e';
    case '4':
        return 'a';
    case '5':
        return 's';
    case '7':
        return 't';
    default:
        return byte;
    }
}

static bool
begins_with(struct pb_str text, struct pb_str word)
{
    if (word.bytes > text.bytes)
        return false;
    for (uint32_t i = 0; i < word.bytes; i++) {
        if (text.text[i] != word.text[i] && letter_of(text.text[i]) != word.text[i])
            return false;
    }
    return true;
}

/* How far text goes along a walk from its beginning, in steps of step. */
static uint32_t
along(struct pb_str text, const char *walk, int step)
{
    const char *end = walk + strlen(walk);
    uint32_t longest = 0;

    for (const char *from = walk; from < end; from++) {
        const char *at = from;
        uint32_t bytes = 0;

        while (bytes < text.bytes && at >= walk && at < end && text.text[bytes] == *at) {
            bytes++;
            at += step;
        }
        longest = bytes > longest ? bytes : longest;
    }
    return longest;
}

/* The longest run from the beginning of text: along a walk, or of one character. */
static uint32_t
run_of(struct pb_str text)
{
    uint32_t longest = 1;

    while (longest < text.bytes && text.text[longest] == text.text[0])
        longest++;
    for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
        uint32_t forth = along(text, walks[i], 1), back = along(text, walks[i], -1);

        longest = forth > longest ? forth : longest;
        longest = back > longest ? back : longest;
    }
    return longest >= WALK_MIN ? longest : 0;
}

static bool
is_year(struct pb_str text)
{
    return text.bytes >= 4 &&
           (memcmp(text.text, "19", 2) == 0 || memcmp(text.text, "20", 2) == 0) &&
           text.text[2] >= '0' && text.text[2] <= '9' && text.text[3] >= '0' && text.text[3] <= '9';
}

struct rules {
    const struct pb_str *context; /* folded */
    unsigned count;
    uint32_t left[FOLDED_BYTES]; /* of what ends here, bytes that are nothing of the kind */
};

static void
reach(struct rules *rules, uint32_t from, uint32_t bytes)
{
    if (rules->left[from] < rules->left[from + bytes])
        rules->left[from + bytes] = rules->left[from];
}

static void
reach_words(struct rules *rules, uint32_t from, struct pb_str rest)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct pb_str word = pb_str_from(words[i]);

        if (begins_with(rest, word))
            reach(rules, from, word.bytes);
    }
    for (unsigned i = 0; i < rules->count; i++) {
        if (rules->context[i].bytes >= CONTEXT_BYTES_MIN && begins_with(rest, rules->context[i]))
            reach(rules, from, rules->context[i].bytes);
    }
}

/* How many bytes are left at best of a text that is cut into such parts. */
static uint32_t
left_of(struct rules *rules, struct pb_str folded)
{
    rules->left[0] = 0;
    for (uint32_t i = 1; i <= folded.bytes; i++)
        rules->left[i] = UINT32_MAX;
    for (uint32_t from = 0; from < folded.bytes; from++) {
        struct pb_str rest = { folded.text + from, folded.bytes - from };

        if (rules->left[from] + 1 < rules->left[from + 1])
            rules->left[from + 1] = rules->left[from] + 1;
        for (uint32_t bytes = run_of(rest); bytes >= WALK_MIN; bytes--)
            reach(rules, from, bytes);
        if (is_year(rest))
            reach(rules, from, 4);
        reach_words(rules, from, rest);
    }
    return rules->left[folded.bytes];
}

/* Fewer than five different bytes: "121212121212". */
static bool
is_monotonous(struct pb_str text)
{
    char seen[5];
    unsigned count = 0;

    for (uint32_t i = 0; i < text.bytes; i++) {
        if (memchr(seen, text.text[i], count) != NULL)
            continue;
        seen[count++] = text.text[i];
        if (count == sizeof(seen))
            return false;
    }
    return true;
}

/* Its first half again, and again: "trunkstrunks". */
static bool
is_repeated(struct pb_str folded)
{
    for (uint32_t period = 1; period <= 8 && 2 * period <= folded.bytes; period++) {
        if (memcmp(folded.text, folded.text + period, folded.bytes - period) == 0)
            return true;
    }
    return false;
}

static uint32_t
count_characters(struct pb_str text)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < text.bytes; i++)
        count += ((unsigned char)text.text[i] & 0xC0) != 0x80;
    return count;
}

#define CONTEXTS_MAX 4u

const char *
pb_password_refuse(struct pb_str password, const struct pb_str *context, unsigned context_count)
{
    char room[FOLDED_BYTES], names[CONTEXTS_MAX][FOLDED_BYTES];
    struct pb_str folded, folded_context[CONTEXTS_MAX];
    struct rules rules = { .context = folded_context };
    const char *why = NULL;

    if (password.bytes == 0)
        return "at least 12 characters";
    if (password.bytes > PB_PASSWORD_BYTES_MAX || !pb_utf8_is_valid(password.text, password.bytes))
        return "at most 512 bytes of UTF-8";
    if (memchr(password.text, '\0', password.bytes) != NULL)
        return "no NUL";
    if (count_characters(password) < PB_PASSWORD_CHARACTERS_MIN)
        return "at least 12 characters";
    for (; rules.count < context_count && rules.count < CONTEXTS_MAX; rules.count++)
        folded_context[rules.count] = fold(context[rules.count], names[rules.count]);
    folded = fold(password, room);
    if (is_monotonous(password) || is_repeated(folded) || left_of(&rules, folded) < LEFT_MIN)
        why = "this is among the first that somebody would try: common words, sequences, names";
    sodium_memzero(room, sizeof(room));
    return why;
}
