/*
 * Outcomes: the words for statuses, and the one place that formats a message.
 */
#include <platebase/status.h>

#include <stdarg.h>
#include <stdio.h>

const char *
pb_status_name(enum pb_status status)
{
    switch (status) {
    case PB_OK:
        return "ok";
    case PB_NOT_FOUND:
        return "not found";
    case PB_DUPLICATE:
        return "duplicate";
    case PB_BAD_INPUT:
        return "bad input";
    case PB_OVER_LIMIT:
        return "over limit";
    case PB_CONFLICT:
        return "conflict";
    case PB_END:
        return "end";
    case PB_EXPIRED:
        return "expired";
    case PB_DENIED:
        return "denied";
    case PB_E_NOMEM:
        return "out of memory";
    case PB_E_IO:
        return "input/output error";
    case PB_E_CORRUPT:
        return "corrupt";
    case PB_E_FULL:
        return "no space left";
    case PB_E_BUSY:
        return "busy";
    case PB_E_NOT_STORE:
        return "not a store";
    case PB_E_VERSION:
        return "unknown version";
    case PB_E_POISONED:
        return "poisoned";
    }
    return "unknown status";
}

enum pb_status
pb_fail(struct pb_error *error, enum pb_status status, const char *format, ...)
{
    va_list arguments;
    int length;

    if (error == NULL)
        return status;
    va_start(arguments, format);
    length = vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    if (length < 0)
        error->message[0] = '\0';
    return status;
}
