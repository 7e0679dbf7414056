//! An order: what a cart had in it, written down.

use refrain_sdk::{Context, Failure, Retry, activity, info, mins};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::items::Items;

/// What was ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Where it was written down, in the directory `target`.
    pub path: String,
    pub items: Items,
    /// What all costs, in cents.
    pub cents: u64,
}

/// Writes an order down. A second attempt writes the same to the same place, so it is placed once.
pub async fn place(number: u64, items: &Items) -> Result<Order, Failure> {
    #[derive(Serialize)]
    struct Input<'a> {
        directory: &'static str,
        path: &'a str,
        content: String,
        create_parents: bool,
    }
    #[derive(Deserialize)]
    struct Written {}
    let path = format!("orders/{}-{number}.json", info().workflow_id);
    let order = Order { path, items: items.clone(), cents: items.total() };
    let content = serde_json::to_string(&order)?;
    let input = Input { directory: "target", path: &order.path, content, create_parents: true };
    let Written {} = activity("fs.write", &input)
        .start_to_close(mins(1))
        .retry(Retry::default().maximum_attempts(5))
        .await
        .with_context(|| format!("place the order `{}`", order.path))?;
    info!(cents = order.cents, "placed the order `{}`", order.path);
    Ok(order)
}
