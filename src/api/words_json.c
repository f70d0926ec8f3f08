/*
 * A person's word from JSON.
 */
#include "api/words_json.h"

void
pb_api_read_approval(struct pb_api_reading *reading, void *into)
{
    static const char *const words[] = { "approve", "refuse", NULL };
    struct pb_api_approval *approval = into;

    pb_api_take_text(reading, "token", &approval->token);
    pb_api_take_text(reading, "why", &approval->why);
    approval->is_refused = pb_api_take_choice(reading, "decision", words, 0) == 1;
    pb_api_need(reading, "token", approval->token);
    pb_api_need(reading, "why", approval->why);
    if (json_object_get(reading->object, "decision") == NULL)
        pb_api_refuse(reading, "decision", "it is missing: approve or refuse");
}

void
pb_api_read_approval_token(struct pb_api_reading *reading, void *into)
{
    struct pb_api_approval *approval = into;

    pb_api_take_text(reading, "token", &approval->token);
    pb_api_need(reading, "token", approval->token);
}

void
pb_api_read_correction(struct pb_api_reading *reading, void *into)
{
    struct pb_correction *correction = into;

    pb_api_take_text(reading, "reader", &correction->reader);
    pb_api_take_time(reading, "captured_at", &correction->captured_at_us);
    pb_api_take_text(reading, "wrong_plate", &correction->wrong_plate);
    pb_api_take_text(reading, "event_id", &correction->event_id);
    pb_api_take_text(reading, "plate", &correction->plate);
    pb_api_take_jurisdiction(reading, "jurisdiction", &correction->jurisdiction);
    pb_api_take_text(reading, "why", &correction->why);
    pb_api_take_text(reading, "case_number", &correction->case_number);
    pb_api_need(reading, "reader", correction->reader);
    if (json_object_get(reading->object, "captured_at") == NULL)
        pb_api_refuse(reading, "captured_at", "it is missing");
    pb_api_need(reading, "wrong_plate", correction->wrong_plate);
    pb_api_need(reading, "why", correction->why);
}
