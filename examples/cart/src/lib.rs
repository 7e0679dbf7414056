//! A customer's cart, which lives for ever. Its journal does not grow for ever: after so many messages the cart goes on as
//! a new run, with what is in it as the input, and no message is lost or counted twice.
//!
//! Nothing has to be done for messages that have not come yet: the next run gets them. Those that have come are handled
//! before this run ends, up to the end of their handlers, so that everyone who sent an update gets an answer.
//!
//! It needs the host's `fs` plugin, with a directory `target` to write orders to.

use std::cell::RefCell;
use std::rc::Rc;

use refrain_sdk::{
    Failure, Next, Query, Signal, Update, all_handlers_finished, continue_as_new, info, or_canceled,
    wait_condition, workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod items;
mod order;

use items::{Item, Items};

/// A cart, as one run hands it to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Cart {
    items: Items,
    /// How many messages have been handled since there is a cart, by their names.
    handled: Handled,
    /// How many orders were placed.
    orders: u64,
    /// How many messages a run handles before another one takes over.
    messages_per_run: Option<u64>,
}

/// What is enough for a day of shopping. Half of what a journal holds would do as well, of which
/// `info().continue_as_new_suggested` tells; what is replayed in no time is better.
const MESSAGES_PER_RUN: u64 = 500;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Handled {
    add: u64,
    remove: u64,
    set_quantity: u64,
    checkout: u64,
}

impl Handled {
    fn all(&self) -> u64 {
        self.add + self.remove + self.set_quantity + self.checkout
    }
}

const ADD: Signal<Item> = Signal::new("add").doc("Puts something in.");
const REMOVE: Signal<String> = Signal::new("remove").doc("Takes all of an article out, by its number.");

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Quantity {
    /// The article's number.
    sku: String,
    /// How many there are to be.
    quantity: u32,
}

const SET_QUANTITY: Update<Quantity, u64> = Update::new("set-quantity")
    .doc("Changes how many there are of what is in the cart; what all costs then.");
const CHECKOUT: Update<(), order::Order> =
    Update::new("checkout").doc("Orders what is in the cart, which is empty then.");

const ITEMS: Query<(), Items> = Query::new("items").doc("What is in the cart, by the articles' numbers.");
const TOTAL: Query<(), u64> = Query::new("total").doc("What all costs, in cents.");
const HANDLED: Query<(), Handled> = Query::new("handled").doc("How many messages it has handled.");

/// Keeps what a customer wants to buy.
#[workflow(signals(ADD, REMOVE), updates(SET_QUANTITY, CHECKOUT), queries(ITEMS, TOTAL, HANDLED))]
async fn cart(cart: Cart) -> Result<Next<()>, Failure> {
    let enough = cart.handled.all() + cart.messages_per_run.unwrap_or(MESSAGES_PER_RUN).max(1);
    let cart = Rc::new(RefCell::new(cart));
    answer_queries(&cart);
    handle_signals(&cart);
    handle_updates(&cart);
    let canceled = or_canceled(wait_condition(|| cart.borrow().handled.all() >= enough)).await;
    // Also where someone wants the cart to end: who has placed an order is to hear of it.
    wait_condition(all_handlers_finished).await;
    canceled?;
    info!(handled = cart.borrow().handled.all(), "goes on as a new run");
    Ok(continue_as_new(&*cart.borrow()).into())
}

type Shared = Rc<RefCell<Cart>>;

fn answer_queries(cart: &Shared) {
    let shared = cart.clone();
    ITEMS.handle(move |()| shared.borrow().items.clone());
    let shared = cart.clone();
    TOTAL.handle(move |()| shared.borrow().items.total());
    let shared = cart.clone();
    HANDLED.handle(move |()| shared.borrow().handled.clone());
}

/// By handlers, and not by `recv` in a loop: one is begun for each signal as it is delivered, so that none is left unread
/// when the run ends.
fn handle_signals(cart: &Shared) {
    let shared = cart.clone();
    ADD.handle(async move |item| {
        let cart = &mut *shared.borrow_mut();
        cart.items.add(item);
        cart.handled.add += 1;
    });
    let shared = cart.clone();
    REMOVE.handle(async move |sku| {
        let cart = &mut *shared.borrow_mut();
        cart.items.remove(&sku);
        cart.handled.remove += 1;
    });
}

/// A validator only looks. What it has let in is so still when the handler begins, as nothing comes between.
fn handle_updates(cart: &Shared) {
    let (looks, shared) = (cart.clone(), cart.clone());
    SET_QUANTITY.handle_validated(
        move |change| looks.borrow().items.check_quantity(&change.sku, change.quantity),
        async move |change| {
            let cart = &mut *shared.borrow_mut();
            cart.items.set_quantity(&change.sku, change.quantity);
            cart.handled.set_quantity += 1;
            Ok(cart.items.total())
        },
    );
    let (looks, shared) = (cart.clone(), cart.clone());
    CHECKOUT.handle_validated(
        move |()| match looks.borrow().items.is_empty() {
            true => Err(Failure::typed("Empty", "there is nothing in the cart")),
            false => Ok(()),
        },
        async move |()| {
            let (number, items) = {
                let cart = &mut *shared.borrow_mut();
                cart.handled.checkout += 1;
                cart.orders += 1;
                // What is put in while the order is placed belongs to the next one.
                (cart.orders, std::mem::take(&mut cart.items))
            };
            let placed = order::place(number, &items).await;
            if placed.is_err() {
                shared.borrow_mut().items.put_back(items);
            }
            placed
        },
    );
}

refrain_sdk::component!(cart);

#[cfg(test)]
mod tests;
