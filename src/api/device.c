/*
 * Device: a cookie that says itself for whom it was made.
 */
#include "api/device.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "api/api_private.h"
#include "api/cookie.h"
#include "base/env.h"
#include "base/text.h"
#include "base/time.h"
#include "inquiry/site.h"

#define MAC_CHARACTERS 43u
#define DAY_CHARACTERS 4u

static unsigned
today(const struct pb_api *api)
{
    return (unsigned)(pb_now_us(api->env) / PB_DAY_US) & 0xFFFFu;
}

static void
make_mac(const struct pb_api *api, const char *id, struct pb_str person,
         char ret_text[MAC_CHARACTERS + 1])
{
    crypto_generichash_state state;
    uint8_t key[32], mac[32];

    pb_site_subkey(api->options.site, "platebase/device/v1", key);
    (void)crypto_generichash_init(&state, key, sizeof(key), sizeof(mac));
    (void)crypto_generichash_update(&state, (const unsigned char *)id, PB_DEVICE_ID_CHARACTERS);
    (void)crypto_generichash_update(&state, (const unsigned char *)person.text, person.bytes);
    (void)crypto_generichash_final(&state, mac, sizeof(mac));
    (void)sodium_bin2base64(ret_text, MAC_CHARACTERS + 1, mac, sizeof(mac),
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(key, sizeof(key));
}

/* Of a cookie whose mac is right, so that it was written here. */
static bool
is_young(const struct pb_api *api, const char *id)
{
    unsigned day = 0;

    for (unsigned i = 0; i < DAY_CHARACTERS; i++)
        day = day * 16 + (unsigned)(id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
    return ((today(api) - day) & 0xFFFFu) < PB_DEVICE_DAYS;
}

bool
pb_api_device_find(struct pb_api *api, const struct pb_request *request, struct pb_str person,
                   struct pb_str *ret_id)
{
    char right[MAC_CHARACTERS + 1];
    struct pb_str cookie;

    if (person.bytes == 0 ||
        pb_api_device_cookie_find(request, api->people.is_secure, &cookie) != 1 ||
        cookie.bytes != PB_DEVICE_COOKIE_BYTES - 1)
        return false;
    make_mac(api, cookie.text, person, right);
    if (sodium_memcmp(cookie.text + PB_DEVICE_ID_CHARACTERS + 1, right, MAC_CHARACTERS) != 0 ||
        !is_young(api, cookie.text))
        return false;
    *ret_id = (struct pb_str){ cookie.text, PB_DEVICE_ID_CHARACTERS };
    return true;
}

enum pb_status
pb_api_device_set(struct pb_api *api, struct pb_reply *reply, struct pb_str person)
{
    uint8_t random[6];
    char id[PB_DEVICE_ID_CHARACTERS + 1], mac[MAC_CHARACTERS + 1], text[PB_DEVICE_COOKIE_BYTES];
    enum pb_status status = api->env->random(api->env->random_context, random, sizeof(random));

    if (status != PB_OK)
        return status;
    (void)snprintf(id, sizeof(id), "%04x", today(api));
    (void)sodium_bin2hex(id + DAY_CHARACTERS, sizeof(id) - DAY_CHARACTERS, random, sizeof(random));
    make_mac(api, id, person, mac);
    (void)snprintf(text, sizeof(text), "%s_%s", id, mac);
    pb_api_device_cookie_set(reply, api->people.is_secure, pb_str_from(text));
    return PB_OK;
}
