/*
 * The shop's services, as activities of the host's `http` plugin: what is asked of them, and how patiently.
 *
 * Each request carries an `Idempotency-Key` that is the same for all attempts, which the plugin sees to; so a repeated
 * request is answered as the first was, and has no second effect.
 */
#ifndef SHOP_H
#define SHOP_H

#include <refrain.h>

typedef struct {
    const char *number, *customer, *sku;
    uint32_t quantity;
    uint64_t cents;
    const char *shop; /* where the shop's services are */
} order;

/* The steps of an order, and what undoes them. */
refrain_activity shop_reserve(const order *order);
refrain_activity shop_release(const order *order);
refrain_activity shop_charge(const order *order);
refrain_activity shop_refund(const order *order);
refrain_activity shop_ship(const order *order);
refrain_activity shop_call_back(const order *order);

/* The body of a step's answer. When the run is to end, the step is given up; what it has done by then is undone. */
refrain_result shop_ask(refrain_activity step);

#endif
