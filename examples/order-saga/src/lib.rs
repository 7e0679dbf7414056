//! An order: reserve the goods, charge the customer, ship. What cannot be finished is undone, the last step first.
//!
//! It needs the host's `http` plugin, with leave to reach the shop; `service/` is a shop to try it with.

use refrain_sdk::{Context, Failure, Saga, info, saga, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod shop;

use shop::Shop;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The order's number, which the shop's services know it by.
    number: String,
    /// Whose account is charged.
    customer: String,
    /// What is ordered.
    sku: String,
    /// How many of it.
    quantity: u32,
    /// What they cost together, in cents.
    cents: u64,
    /// Where the shop's services are, such as `http://127.0.0.1:8080`.
    shop: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Receipt {
    /// The order's number.
    number: String,
    /// What was charged, in cents.
    cents: u64,
    /// By what the parcel is known to who carries it.
    tracking: String,
}

/// Reserves, charges and ships an order, or does none of it.
#[workflow]
async fn order(order: Order) -> Result<Receipt, Failure> {
    let doing = format!("order `{}`", order.number);
    saga(&doing, async |saga| steps(&order, saga).await).await
}

/// Each compensation is registered before its step. A step that failed may have had its effect all the same, when its
/// answer was lost or came too late; so its compensation runs too, and the shop makes nothing of undoing nothing.
async fn steps(order: &Order, saga: &mut Saga) -> Result<Receipt, Failure> {
    let shop = Shop::new(order);

    saga.undo("release the goods", shop.release());
    let reserved = shop::ask(shop.reserve()).await.context("reserve the goods")?;
    info!(left = reserved.left, "reserved {} of `{}`", order.quantity, order.sku);

    saga.undo("refund the customer", shop.refund());
    let charged = shop::ask(shop.charge()).await.context("charge the customer")?;
    info!(balance = charged.balance, "charged `{}`", order.customer);

    saga.undo("call the parcel back", shop.call_back());
    let shipped = shop::ask(shop.ship()).await.context("ship the goods")?;
    info!(tracking = shipped.tracking, "shipped");

    Ok(Receipt { number: order.number.clone(), cents: order.cents, tracking: shipped.tracking })
}

refrain_sdk::component!(order);

#[cfg(test)]
mod tests;
