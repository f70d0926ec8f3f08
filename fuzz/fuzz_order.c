/*
 * Fuzz target: an order to a service, and what came of one. What is taken for either says it in one
 * way: it reads as the same again, from the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/order.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool is_true)
{
    if (!is_true)
        abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pb_str message = { (const char *)data, (uint32_t)size }, again;
    struct pb_api_ordered ordered;
    struct pb_api_order order;
    char room[PB_ORDER_BYTES_MAX];

    if (size > sizeof(room))
        return 0;
    if (pb_api_order_decode(message, &order) == PB_OK) {
        check(pb_api_order_encode(&order, room, &again, NULL) == PB_OK);
        check(pb_str_equal(message, again));
    }
    if (pb_api_ordered_decode(message, &ordered) == PB_OK)
        check(pb_str_equal(message, pb_api_ordered_encode(&ordered, room)));
    return 0;
}
