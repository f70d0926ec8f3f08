/*
 * Record: finding each field's place.
 */
#include "cli/record.h"

#include <string.h>

enum pb_status
pb_cli_put_record(struct pb_site *site, const char *entity, const struct pb_cli_value *values,
                  size_t count, struct pb_error *error)
{
    const struct pb_actor actor = { .person = NULL };
    struct pb_record record = { .entity = pb_catalog_entity(entity) };

    if (record.entity == NULL)
        return pb_fail(error, PB_BAD_INPUT, "the catalog has no entity '%s'", entity);
    for (size_t i = 0; i < count; i++) {
        unsigned field = 0;

        if (values[i].text == NULL)
            continue;
        while (field < record.entity->field_count &&
               strcmp(record.entity->fields[field].name, values[i].field) != 0)
            field++;
        if (field == record.entity->field_count)
            return pb_fail(error, PB_BAD_INPUT, "%s has no field '%s'", entity, values[i].field);
        record.values[field] = values[i].text;
    }
    return pb_site_put(site, &actor, &record, PB_PUT_ADD, error);
}
