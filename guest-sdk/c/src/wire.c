/*
 * The SDK's values as records of the contract, and back.
 *
 * What goes to the host is read by it during the call, what comes from it is the run's: so texts and payloads are
 * handed on as they lie, without copies.
 */
#include "internal.h"

#include <string.h>

static const char JSON[] = "application/json";

abi_string refrain__to_string(const char *text)
{
    return (abi_string){text ? text : "", text ? strlen(text) : 0};
}

abi_option_string refrain__to_option_string(const char *text)
{
    return (abi_option_string){text != NULL, refrain__to_string(text)};
}

abi_duration refrain__to_duration(refrain_duration duration)
{
    return (abi_duration){duration.seconds, duration.nanoseconds};
}

static bool is_given(refrain_duration duration)
{
    return duration.seconds || duration.nanoseconds;
}

abi_option_duration refrain__to_option_duration(refrain_duration duration)
{
    return (abi_option_duration){is_given(duration), refrain__to_duration(duration)};
}

abi_payload refrain__to_payload(const refrain_json *value)
{
    abi_payload payload = {.content_type = {JSON, sizeof JSON - 1}};
    payload.data.data = refrain_write(value, &payload.data.len);
    return payload;
}

static abi_option_payload to_details(const refrain_failure *failure)
{
    abi_option_payload details = {.some = failure->details != NULL};
    details.value.content_type = refrain__to_string(failure->details_type);
    details.value.data = (abi_string){failure->details, failure->details_len};
    return details;
}

abi_failure refrain__to_failure(const refrain_failure *failure)
{
    abi_failure wire = {.kind = (uint8_t)failure->kind,
                        .error_type = refrain__to_string(failure->type),
                        .message = refrain__to_string(failure->message),
                        .stack = refrain__to_string(failure->stack),
                        .details = to_details(failure),
                        .non_retryable = failure->non_retryable};
    for (const refrain_failure *cause = failure->cause; cause; cause = cause->cause) wire.causes.len++;
    abi_cause *causes = refrain_new_array(abi_cause, wire.causes.len);
    wire.causes.items = causes;
    for (const refrain_failure *cause = failure->cause; cause; cause = cause->cause)
        *causes++ = (abi_cause){.kind = (uint8_t)cause->kind,
                                .error_type = refrain__to_string(cause->type),
                                .message = refrain__to_string(cause->message),
                                .stack = refrain__to_string(cause->stack),
                                .details = to_details(cause)};
    return wire;
}

abi_outcome refrain__to_outcome(refrain_result result)
{
    abi_outcome outcome = {.failed = result.failure != NULL};
    if (result.failure) outcome.u.failure = refrain__to_failure(result.failure);
    else outcome.u.ok = refrain__to_payload(result.value);
    return outcome;
}

abi_option_retry refrain__to_retry(const refrain_retry *retry)
{
    abi_option_retry wire = {.some = is_given(retry->initial_interval) || is_given(retry->maximum_interval) ||
                                     retry->backoff_coefficient != 0 || retry->maximum_attempts ||
                                     retry->non_retryable[0] || retry->jitter != 0};
    if (!wire.some) return wire;
    wire.value = (abi_retry){.initial_interval = refrain__to_duration(retry->initial_interval),
                             .backoff_coefficient = retry->backoff_coefficient,
                             .maximum_interval = refrain__to_option_duration(retry->maximum_interval),
                             .maximum_attempts = retry->maximum_attempts};
    size_t count = 0;
    while (count < REFRAIN_NON_RETRYABLE_MOST && retry->non_retryable[count]) count++;
    abi_string *types = refrain_new_array(abi_string, count);
    for (size_t i = 0; i < count; i++) types[i] = refrain__to_string(retry->non_retryable[i]);
    wire.value.non_retryable_error_types.items = types;
    wire.value.non_retryable_error_types.len = count;
    if (retry->jitter != 0) refrain__to_more(&wire.value.more, "jitter", refrain_number(retry->jitter));
    return wire;
}

void refrain__to_more(abi_named_list *more, const char *key, const refrain_json *value)
{
    abi_named *items = refrain_new_array(abi_named, more->len + 1);
    if (more->len) memcpy(items, more->items, more->len * sizeof *items);
    items[more->len] = (abi_named){refrain__to_string(key), refrain__to_payload(value)};
    more->items = items;
    more->len++;
}

const char *refrain__text(abi_string text)
{
    return text.len ? text.data : "";
}

const char *refrain__option_text(abi_option_string text)
{
    return text.some ? refrain__text(text.value) : NULL;
}

static refrain_failure *from_level(uint8_t kind, abi_string type, abi_string message, abi_string stack,
                                   const abi_option_payload *details)
{
    refrain_failure *failure = refrain_new(refrain_failure);
    *failure = (refrain_failure){.kind = (refrain_failure_kind)kind,
                                 .type = refrain__text(type),
                                 .message = refrain__text(message),
                                 .stack = refrain__text(stack),
                                 .details_type = ""};
    if (details->some) {
        failure->details_type = refrain__text(details->value.content_type);
        failure->details = refrain__text(details->value.data);
        failure->details_len = details->value.data.len;
    }
    return failure;
}

const refrain_failure *refrain__from_failure(const abi_failure *wire)
{
    refrain_failure *failure = from_level(wire->kind, wire->error_type, wire->message, wire->stack, &wire->details);
    failure->non_retryable = wire->non_retryable;
    refrain_failure *last = failure;
    for (size_t i = 0; i < wire->causes.len; i++) {
        const abi_cause *cause = &wire->causes.items[i];
        refrain_failure *level =
            from_level(cause->kind, cause->error_type, cause->message, cause->stack, &cause->details);
        last->cause = level;
        last = level;
    }
    return failure;
}

refrain_result refrain__from_payload(const abi_payload *payload)
{
    const char *type = refrain__text(payload->content_type);
    if (strcmp(type, JSON) != 0)
        return refrain_failed(refrain_fail("content-type", "the payload is `%s`, expected `%s`", type, JSON));
    const char *why = NULL;
    const refrain_json *value = refrain_parse(payload->data.data, payload->data.len, &why);
    return value ? refrain_done(value) : refrain_failed(refrain_fail("bad-json", "%s", why));
}
