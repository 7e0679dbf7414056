/*
 * Failures: chains that are made and never changed.
 */
#include "internal.h"

#include <string.h>

const refrain_failure *refrain__failure(refrain_failure_kind kind, const char *type, const char *message)
{
    refrain_failure *failure = refrain_new(refrain_failure);
    *failure = (refrain_failure){.kind = kind, .type = type, .message = message, .stack = "", .details_type = ""};
    return failure;
}

const refrain_failure *refrain_fail(const char *type, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    const char *message = refrain_text_v(format, list);
    va_end(list);
    return refrain__failure(REFRAIN_APPLICATION, type ? refrain__copy_text(type) : "Failure", message);
}

const refrain_failure *refrain_canceled(const char *reason)
{
    return refrain__failure(REFRAIN_CANCELED, "canceled", refrain__copy_text(reason));
}

static refrain_failure *copy(const refrain_failure *failure)
{
    refrain_failure *fresh = refrain_new(refrain_failure);
    *fresh = *failure;
    return fresh;
}

const refrain_failure *refrain_non_retryable(const refrain_failure *failure)
{
    if (!failure) return NULL;
    refrain_failure *fresh = copy(failure);
    fresh->non_retryable = true;
    return fresh;
}

const refrain_failure *refrain_with_details(const refrain_failure *failure, const refrain_json *details)
{
    if (!failure) return NULL;
    refrain_failure *fresh = copy(failure);
    fresh->details_type = "application/json";
    fresh->details = refrain_write(details, &fresh->details_len);
    return fresh;
}

static const refrain_failure *context_v(const refrain_failure *failure, const char *format, va_list list)
{
    refrain_failure *outer = refrain_new(refrain_failure);
    *outer = (refrain_failure){.kind = failure->kind,
                               .type = failure->type,
                               .message = refrain_text_v(format, list),
                               .stack = "",
                               .details_type = "",
                               .non_retryable = failure->non_retryable,
                               .cause = failure};
    return outer;
}

const refrain_failure *refrain_context(const refrain_failure *failure, const char *format, ...)
{
    if (!failure) return NULL;
    va_list list;
    va_start(list, format);
    failure = context_v(failure, format, list);
    va_end(list);
    return failure;
}

const refrain_failure *refrain_caused_by(const refrain_failure *failure, const refrain_failure *why)
{
    if (!failure) return why;
    refrain_failure *fresh = copy(failure);
    refrain_failure *last = fresh;
    while (last->cause) {
        refrain_failure *below = copy(last->cause);
        last->cause = below;
        last = below;
    }
    last->cause = why;
    return fresh;
}

bool refrain_is_canceled(const refrain_failure *failure)
{
    return failure && failure->kind == REFRAIN_CANCELED;
}

bool refrain_is_timeout(const refrain_failure *failure)
{
    return failure && failure->kind == REFRAIN_TIMEOUT;
}

const char *refrain_failure_text(const refrain_failure *failure)
{
    buffer text = {0};
    for (const refrain_failure *level = failure; level; level = level->cause) {
        if (level != failure) refrain__put_text(&text, ": ");
        refrain__put_text(&text, level->message);
    }
    return refrain__take_text(&text, NULL);
}

const refrain_json *refrain_details(const refrain_failure *failure)
{
    for (; failure; failure = failure->cause) {
        if (!failure->details || strcmp(failure->details_type, "application/json") != 0) continue;
        const refrain_json *details = refrain_parse(failure->details, failure->details_len, NULL);
        if (details) return details;
    }
    return NULL;
}

refrain_result refrain_done(const refrain_json *value)
{
    return (refrain_result){.value = value};
}

refrain_result refrain_failed(const refrain_failure *failure)
{
    if (!failure) REFRAIN_BUG("refrain_failed wants a failure");
    return (refrain_result){.failure = failure};
}

refrain_result refrain_doing(refrain_result result, const char *format, ...)
{
    if (!result.failure) return result;
    va_list list;
    va_start(list, format);
    result.failure = context_v(result.failure, format, list);
    va_end(list);
    return result;
}
