#include "shop.h"

/* How often and for how long something is tried. */
typedef struct {
    refrain_duration attempt; /* for one answer */
    refrain_retry retry;      /* what does not work soon is undone */
    refrain_duration
        limit; /* what must not stay half done is tried as long as there is hope, and then it is for people */
} patience;

#define MILLIS(n) {(n) / 1000, (n) % 1000 * 1000000}
#define SECONDS(n) {(n), 0}

static const patience RESERVE = {
    .attempt = SECONDS(5),
    .retry = {.initial_interval = MILLIS(100), .maximum_interval = SECONDS(1), .maximum_attempts = 5}};

/* Payment services are away for longer, and say so with `Retry-After`, which is honoured whatever stands here. */
static const patience CHARGE = {
    .attempt = SECONDS(15),
    .retry = {.initial_interval = MILLIS(200), .maximum_interval = SECONDS(10), .maximum_attempts = 6}};

/* What has not been answered by then will not be: better to ask again. */
static const patience SHIP = {
    .attempt = SECONDS(2),
    .retry = {.initial_interval = MILLIS(100), .maximum_interval = SECONDS(5), .maximum_attempts = 4}};

static const patience RELEASE = {.attempt = SECONDS(5),
                                 .retry = {.initial_interval = MILLIS(100), .maximum_interval = SECONDS(60)},
                                 .limit = SECONDS(3 * 86400)};

/* Money is what customers forgive last. */
static const patience REFUND = {.attempt = SECONDS(15),
                                .retry = {.initial_interval = MILLIS(100), .maximum_interval = SECONDS(300)},
                                .limit = SECONDS(7 * 86400)};

/* A parcel that is under way for longer is beyond recall, and the money waits behind it. */
static const patience CALL_BACK = {.attempt = SECONDS(10),
                                   .retry = {.initial_interval = MILLIS(100), .maximum_interval = SECONDS(60)},
                                   .limit = SECONDS(6 * 3600)};

static refrain_activity request(const order *order, const char *method, const char *what, const refrain_json *body,
                                const patience *patience)
{
    const char *url = refrain_text("%s/%s/%s", order->shop, what, order->number);
    refrain_json *input = refrain_jsonf("{'method': %s, 'url': %s}", method, url);
    if (body) refrain_set(input, "body", body);
    return (refrain_activity){
        .name = "http.request",
        .input = input,
        .start_to_close = patience->attempt,
        .schedule_to_close = patience->limit,
        .retry = patience->retry,
        .summary = refrain_text("%s %s", method, what),
    };
}

refrain_activity shop_reserve(const order *order)
{
    const refrain_json *goods = refrain_jsonf("{'sku': %s, 'quantity': %u}", order->sku, order->quantity);
    return request(order, "PUT", "reservations", goods, &RESERVE);
}

refrain_activity shop_release(const order *order)
{
    return request(order, "DELETE", "reservations", NULL, &RELEASE);
}

refrain_activity shop_charge(const order *order)
{
    const refrain_json *payment =
        refrain_jsonf("{'customer': %s, 'cents': %llu}", order->customer, (unsigned long long)order->cents);
    return request(order, "PUT", "charges", payment, &CHARGE);
}

refrain_activity shop_refund(const order *order)
{
    return request(order, "DELETE", "charges", NULL, &REFUND);
}

refrain_activity shop_ship(const order *order)
{
    return request(order, "PUT", "shipments", refrain_object(), &SHIP);
}

refrain_activity shop_call_back(const order *order)
{
    return request(order, "DELETE", "shipments", NULL, &CALL_BACK);
}

/* The plugin says which status was answered, and has the body among the details: the shop's own reason is the end of
 * the chain. */
static const refrain_failure *in_its_own_words(const refrain_failure *failure)
{
    const refrain_json *why = refrain_get(refrain_get(refrain_details(failure), "body"), "error");
    if (refrain_kind(why) != REFRAIN_JSON_STRING) return failure;
    return refrain_caused_by(failure, refrain_fail(NULL, "%s", refrain_as_string(why)));
}

refrain_result shop_ask(refrain_activity step)
{
    step.cancel_with_run = true;
    refrain_result answered = refrain_call(step);
    if (answered.failure) return refrain_failed(in_its_own_words(answered.failure));
    return refrain_done(refrain_get(answered.value, "body"));
}
