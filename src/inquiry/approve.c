/*
 * The second person: approvals, each for one inquiry of one person, used once, valid a day.
 *
 * A token of NEEDS_SECOND_PERSON goes from the asker to a colleague by whatever way. What came of
 * it is a note of the catalog ("approval", keyed by a MAC of the token), which moves from nothing
 * to approved or refused, and from approved to used; each step only from the one before. A note
 * holds no plate and no case.
 */
#include <stdio.h>
#include <string.h>

#include "inquiry/inquiry_private.h"

#define NOTE "approval"
#define USED "used"
#define APPROVED "approved "
#define REFUSED "refused "

struct note {
    char text[PB_CATALOG_ID_BYTES_MAX + 32];
    uint32_t bytes;
    char key[65];
    bool is_there;
};

/* Notes are found by prefix; only the one whose key is the prefix is ours. */
static bool
take_note(void *context, const char *key, struct pb_str value)
{
    struct note *note = context;

    if (strcmp(key, note->key) != 0 || value.bytes >= sizeof(note->text))
        return true;
    memcpy(note->text, value.text, value.bytes);
    note->bytes = value.bytes;
    note->is_there = true;
    return false;
}

static enum pb_status
read_note(struct pb_site *site, struct pb_str token, struct note *note, struct pb_error *error)
{
    memset(note, 0, sizeof(*note));
    pb_inquiry_token_key(site, token, note->key);
    return pb_catalog_notes(site->catalog, NOTE, note->key, take_note, note, error);
}

/* Who approved, where the note says so; empty otherwise. */
static struct pb_str
approver_of(const struct note *note)
{
    size_t head = strlen(APPROVED);

    if (!note->is_there || note->bytes <= head || memcmp(note->text, APPROVED, head) != 0)
        return (struct pb_str){ 0 };
    return (struct pb_str){ note->text + head, note->bytes - (uint32_t)head };
}

enum pb_status
pb_approval_find(struct pb_question *question, struct pb_error *error)
{
    const struct pb_inquiry *inquiry = question->inquiry;
    struct note note;
    enum pb_status status = PB_OK;

    if (inquiry->approval.bytes == 0)
        return PB_OK;
    if (!pb_inquiry_token_open(question->site, PB_TOKEN_APPROVAL, inquiry->approval,
                               question->now_us, question->approval_room, &question->approval) ||
        !pb_str_equal(question->approval.person, inquiry->person) ||
        sodium_memcmp(question->approval.digest, question->digest, PB_DIGEST_BYTES) != 0)
        return pb_fail(error, PB_BAD_INPUT,
                       "approval: it is not of this inquiry, or its time is over");
    status = read_note(question->site, inquiry->approval, &note, error);
    if (status != PB_OK)
        return status;
    if (approver_of(&note).bytes == 0)
        return PB_OK; /* not approved (yet), refused or used: the policy asks for it again */
    question->uses_approval = true;
    return pb_arena_copy(&question->answer->arena, approver_of(&note), &question->request.approver);
}

enum pb_status
pb_approval_use(struct pb_question *question, struct pb_error *error)
{
    char text[PB_CATALOG_ID_BYTES_MAX + 32];
    char key[65];
    int length = snprintf(text, sizeof(text), APPROVED "%.*s",
                          (int)question->request.approver.bytes, question->request.approver.text);
    enum pb_status status = PB_OK;

    if (!question->uses_approval)
        return PB_OK;
    pb_inquiry_token_key(question->site, question->inquiry->approval, key);
    status =
        pb_catalog_note_swap(question->site->catalog, NOTE, key,
                             (struct pb_str){ text, (uint32_t)length }, pb_str_from(USED), error);
    return status == PB_CONFLICT
               ? pb_fail(error, PB_BAD_INPUT, "approval: it has been used; ask for another")
               : status;
}

/* ---- approving ---- */

enum pb_status
pb_approver_check(const struct pb_catalog_view *view, struct pb_str person,
                  const struct pb_inquiry_token *token, int64_t now_us, struct pb_error *error)
{
    uint32_t index = pb_view_person(view, person);
    uint32_t asker = pb_view_person(view, token->person);

    if (!pb_view_may(view, index, PB_MAY_APPROVE, now_us))
        return pb_fail(error, PB_DENIED, "person: may not approve inquiries");
    if (asker == PB_NO_INDEX || view->people[asker].agency != view->people[index].agency)
        return pb_fail(error, PB_DENIED, "person: approves only inquiries of their own agency");
    if (index == asker || pb_str_equal(person, token->beneficiary))
        return pb_fail(error, PB_DENIED,
                       "person: nobody approves what they ask, or what is asked for them");
    return PB_OK;
}

/* The leaf and the asker's notice first, then the note that the approval is. */
static enum pb_status
decide_token(struct pb_site *site, const struct pb_facts *facts, struct pb_str person,
             struct pb_str text, const struct pb_inquiry_token *token, bool is_approved,
             struct pb_str why, struct pb_error *error)
{
    const struct pb_person *approver = &facts->view->people[pb_view_person(facts->view, person)];
    char log[PB_CATALOG_ID_BYTES_MAX + 1];
    char value[PB_CATALOG_ID_BYTES_MAX + 32];
    char key[65];
    int length = snprintf(value, sizeof(value), "%s%.*s", is_approved ? APPROVED : REFUSED,
                          (int)person.bytes, person.text);
    struct pb_draft leaf;
    uint64_t index = 0;
    enum pb_status status = PB_OK;

    pb_site_id_text(facts->view->agencies[approver->agency].id, log);
    pb_draft_init(&leaf, log, is_approved ? "approve" : "refuse", PB_KEEP_OPENINGS_US);
    pb_draft_number(&leaf, "of", (int64_t)token->index);
    pb_draft_secret(&leaf, "approver", person);
    pb_draft_secret(&leaf, "person", token->person);
    pb_draft_secret(&leaf, "reason", why);
    status = pb_drafts_append(site, &leaf, 1, &index, error);
    if (status != PB_OK)
        return status;
    pb_inquiry_token_key(site, text, key);
    status = pb_catalog_note_swap(site->catalog, NOTE, key, (struct pb_str){ 0 },
                                  (struct pb_str){ value, (uint32_t)length }, error);
    return status == PB_CONFLICT
               ? pb_fail(error, PB_BAD_INPUT, "token: it was approved or refused before")
               : status;
}

enum pb_status
pb_inquiry_approve(struct pb_site *site, struct pb_str person, struct pb_str token,
                   bool is_approved, struct pb_str why, struct pb_error *error)
{
    uint8_t room[PB_INQUIRY_TOKEN_BYTES_MAX];
    struct pb_inquiry_token opened;
    struct pb_facts *facts = NULL;
    struct note note;
    int64_t now_us = pb_now_us(site->env);
    enum pb_status status = PB_OK;

    if (site->mode == PB_SITE_LOOK)
        return pb_fail(error, PB_BAD_INPUT, "the data directory is open to look only");
    if (!pb_inquiry_token_open(site, PB_TOKEN_APPROVAL, token, now_us, room, &opened))
        return pb_fail(error, PB_BAD_INPUT,
                       "token: not one that waits for a second person, or "
                       "its time is over");
    if (why.bytes > PB_JUSTIFICATION_BYTES_MAX)
        return pb_fail(error, PB_OVER_LIMIT, "why: longer than %u bytes",
                       PB_JUSTIFICATION_BYTES_MAX);
    status = pb_site_facts(site, now_us, &facts, error);
    if (status != PB_OK)
        return status;
    status = pb_approver_check(facts->view, person, &opened, now_us, error);
    if (status == PB_OK)
        status = read_note(site, token, &note, error);
    if (status == PB_OK && note.is_there)
        status = pb_fail(error, PB_BAD_INPUT, "token: it was %s before",
                         approver_of(&note).bytes != 0 ? "approved" : "refused or used");
    if (status == PB_OK)
        status = decide_token(site, facts, person, token, &opened, is_approved, why, error);
    pb_facts_drop(facts);
    return status;
}
