#include "store/local/skips.h"

#include "base/env.h"
#include "store/local/segment.h"

void
pb_skips_done(struct pb_skips *skips)
{
    pb_free(skips->env, skips->told);
    skips->told = NULL;
    skips->count = 0;
    skips->room = 0;
}

static bool
was_told(const struct pb_skips *skips, const struct pb_segment *segment, uint64_t offset)
{
    for (uint32_t i = skips->count; i-- > 0;) {
        if (skips->told[i].segment == segment && skips->told[i].offset == offset)
            return true;
    }
    return false;
}

enum pb_status
pb_skips_pass(struct pb_skips *skips, const struct pb_segment *segment, enum pb_status status)
{
    const char *what = NULL;
    uint64_t offset = 0;

    if (status != PB_E_CORRUPT || skips->on_damage == NULL)
        return status;
    what = pb_segment_damage(&skips->error, &offset);
    if (was_told(skips, segment, offset))
        return PB_OK;
    if (skips->count == skips->room) {
        uint32_t room = skips->room == 0 ? 8 : skips->room * 2;
        void *larger = pb_realloc(skips->env, skips->told, room * sizeof(*skips->told));

        if (larger == NULL)
            return PB_E_NOMEM;
        skips->told = larger;
        skips->room = room;
    }
    skips->told[skips->count].segment = segment;
    skips->told[skips->count++].offset = offset;
    skips->on_damage(skips->context, pb_segment_name(segment), offset, what);
    return PB_OK;
}
