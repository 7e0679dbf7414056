//! What is in a cart.

use std::collections::BTreeMap;

use refrain_sdk::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// More of one article is a mistake of someone's.
const MAX_QUANTITY: u32 = 1_000;

/// Something to put in.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The article's number.
    pub sku: String,
    /// What one of it costs, in cents.
    pub cents: u32,
    /// How many of it.
    #[serde(default = "one")]
    pub quantity: u32,
}

fn one() -> u32 {
    1
}

/// How many of an article, and what each costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    pub quantity: u32,
    pub cents: u32,
}

/// By the articles' numbers. In a map with an order of its own, as a replay compares how it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Items(pub BTreeMap<String, Line>);

impl Items {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In cents.
    pub fn total(&self) -> u64 {
        self.0.values().map(|line| u64::from(line.quantity) * u64::from(line.cents)).sum()
    }

    /// The newest price counts. Who sends a signal is not told of anything, so what is too much is cut off.
    pub fn add(&mut self, item: Item) {
        let line = self.0.entry(item.sku).or_insert(Line { quantity: 0, cents: 0 });
        *line = Line { quantity: line.quantity.saturating_add(item.quantity).min(MAX_QUANTITY), ..*line };
        line.cents = item.cents;
    }

    pub fn remove(&mut self, sku: &str) {
        self.0.remove(sku);
    }

    /// Why there cannot be so many, if there cannot.
    pub fn check_quantity(&self, sku: &str, quantity: u32) -> Result<(), Failure> {
        if !self.0.contains_key(sku) {
            return Err(Failure::typed("NotInCart", format!("there is no `{sku}` in the cart")));
        }
        if !(1..=MAX_QUANTITY).contains(&quantity) {
            let message = format!("`quantity` is {quantity}, expected 1 to {MAX_QUANTITY}");
            return Err(Failure::typed("Quantity", message));
        }
        Ok(())
    }

    pub fn set_quantity(&mut self, sku: &str, quantity: u32) {
        if let Some(line) = self.0.get_mut(sku) {
            line.quantity = quantity;
        }
    }

    /// Takes back what could not be ordered, beside what came meanwhile.
    pub fn put_back(&mut self, items: Items) {
        for (sku, Line { quantity, cents }) in items.0 {
            let newer = self.0.get(&sku).map(|line| line.cents);
            self.add(Item { sku, cents: newer.unwrap_or(cents), quantity });
        }
    }
}
