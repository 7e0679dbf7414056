/*
 * An order: reserve the goods, charge the customer, ship. What cannot be finished is undone, the last step first.
 *
 * It needs the host's `http` plugin, with leave to reach the shop; `../service` is a shop to try it with.
 */
#include "shop.h"

static const refrain_field ORDER_FIELDS[] = {
    REFRAIN_FIELD(order, number, &refrain_type_string, "The order's number, which the shop's services know it by."),
    REFRAIN_FIELD(order, customer, &refrain_type_string, "Whose account is charged."),
    REFRAIN_FIELD(order, sku, &refrain_type_string, "What is ordered."),
    REFRAIN_FIELD(order, quantity, &refrain_type_uint32, "How many of it."),
    REFRAIN_FIELD(order, cents, &refrain_type_uint64, "What they cost together, in cents."),
    REFRAIN_FIELD(order, shop, &refrain_type_string, "Where the shop's services are, such as `http://127.0.0.1:8080`."),
};
static const refrain_type ORDER = REFRAIN_STRICT_STRUCT("Order", order, ORDER_FIELDS);

typedef struct {
    const char *number;
    uint64_t cents;
    const char *tracking;
} receipt;

static const refrain_field RECEIPT_FIELDS[] = {
    REFRAIN_FIELD(receipt, number, &refrain_type_string, "The order's number."),
    REFRAIN_FIELD(receipt, cents, &refrain_type_uint64, "What was charged, in cents."),
    REFRAIN_FIELD(receipt, tracking, &refrain_type_string, "By what the parcel is known to who carries it."),
};
static const refrain_type RECEIPT = REFRAIN_STRUCT("Receipt", receipt, RECEIPT_FIELDS);

/*
 * Each compensation is registered before its step. A step that failed may have had its effect all the same, when its
 * answer was lost or came too late; so its compensation runs too, and the shop makes nothing of undoing nothing.
 */
static refrain_result steps(refrain_saga *saga, void *context)
{
    const order *order = context;
    const refrain_json *answer;

    refrain_undo(saga, "release the goods", shop_release(order));
    REFRAIN_TRY(answer, refrain_doing(shop_ask(shop_reserve(order)), "reserve the goods"));
    refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"left", refrain_write(refrain_get(answer, "left"), NULL)}),
                "reserved %u of `%s`", order->quantity, order->sku);

    refrain_undo(saga, "refund the customer", shop_refund(order));
    REFRAIN_TRY(answer, refrain_doing(shop_ask(shop_charge(order)), "charge the customer"));
    refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"balance", refrain_write(refrain_get(answer, "balance"), NULL)}),
                "charged `%s`", order->customer);

    refrain_undo(saga, "call the parcel back", shop_call_back(order));
    REFRAIN_TRY(answer, refrain_doing(shop_ask(shop_ship(order)), "ship the goods"));
    receipt receipt = {order->number, order->cents, refrain_as_string(refrain_get(answer, "tracking"))};
    refrain_log(REFRAIN_LEVEL_INFO, REFRAIN_FIELDS({"tracking", receipt.tracking}), "shipped");

    return refrain_done(refrain_encode(&RECEIPT, &receipt));
}

static refrain_result run(const void *input)
{
    order copy = *(const order *)input;
    return refrain_run_saga(refrain_text("order `%s`", copy.number), steps, &copy);
}

static const refrain_workflow WORKFLOW = {
    .name = "order",
    .doc = "Reserves, charges and ships an order, or does none of it.",
    .input = &ORDER,
    .output = &RECEIPT,
    .run = run,
};

REFRAIN_COMPONENT(&WORKFLOW)
