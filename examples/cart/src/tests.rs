//! Carts that are filled, changed, ordered and continued.

use std::collections::BTreeMap;

use refrain_sdk::testing::{Ended, Env, UpdateStage};
use refrain_sdk::{Failure, millis, secs};
use serde::{Deserialize, Serialize};

use super::items::{Item, Items, Line};
use super::order::Order;
use super::{Cart, Handled, Quantity, cart};

fn item(sku: &str, cents: u32, quantity: u32) -> Item {
    Item { sku: sku.to_owned(), cents, quantity }
}

fn items(lines: &[(&str, u32, u32)]) -> Items {
    let line = |(sku, cents, quantity): &(&str, u32, u32)| {
        (sku.to_string(), Line { quantity: *quantity, cents: *cents })
    };
    Items(lines.iter().map(line).collect::<BTreeMap<_, _>>())
}

fn quantity(sku: &str, quantity: u32) -> Quantity {
    Quantity { sku: sku.to_owned(), quantity }
}

#[derive(Deserialize)]
struct Write {
    path: String,
}

#[derive(Serialize)]
struct Written {
    size: u64,
}

/// Orders take a second to be written.
fn env(fails: bool) -> Env {
    Env::new().slow_activity("fs.write", secs(1), move |input: Write| match fails {
        true => Err(Failure::new(format!("`{}` cannot be written", input.path))),
        false => Ok(Written { size: 1 }),
    })
}

/// Runs until so many messages are handled.
fn run(env: Env, messages: u64) -> Ended {
    env.run::<cart>(&Cart { messages_per_run: Some(messages), ..Cart::default() })
}

fn carried(ended: &Ended) -> Cart {
    ended.continued().expect("the cart goes on as a new run")
}

#[test]
fn what_is_put_in_and_taken_out_is_told_and_carried_to_the_next_run() {
    let env =
        env(false).signal(secs(1), "add", &item("tea", 500, 2)).signal(secs(2), "add", &item("pot", 900, 1));
    let env = env.signal(secs(3), "remove", &"pot").signal(secs(3), "add", &item("tea", 450, 1));
    let asked = env.query(millis(2_500), "items", &()).query(millis(2_500), "total", &());
    let ended = run(asked.query(secs(9), "handled", &()), 4);
    assert_eq!(ended.answer::<Items>(0).unwrap(), items(&[("pot", 900, 1), ("tea", 500, 2)]));
    assert_eq!(ended.answer::<u64>(1).unwrap(), 1_900);
    let handled = Handled { add: 3, remove: 1, ..Handled::default() };
    assert_eq!(ended.answer::<Handled>(2).unwrap(), handled);
    let carried = carried(&ended);
    assert_eq!((carried.items, carried.handled), (items(&[("tea", 450, 3)]), handled));
}

#[test]
fn a_quantity_is_set_of_what_is_in_the_cart_and_within_reason() {
    let env = env(false).signal(secs(1), "add", &item("tea", 500, 1));
    let changes = [quantity("tea", 7), quantity("tea", 0), quantity("tea", 1_001), quantity("pot", 1)];
    let env = changes.iter().fold(env, |env, change| env.update(secs(2), "set-quantity", change));
    let ended = run(env.signal(secs(3), "remove", &"milk"), 3);
    assert_eq!(ended.update_result::<u64>(0).unwrap(), 3_500);
    let refused = [1, 2, 3].map(|index| ended.update_result::<u64>(index).unwrap_err().to_string());
    let expected = [
        "`quantity` is 0, expected 1 to 1000",
        "`quantity` is 1001, expected 1 to 1000",
        "there is no `pot` in the cart",
    ];
    assert_eq!(refused, expected);
    let carried = carried(&ended);
    assert_eq!(
        (carried.items, carried.handled.all()),
        (items(&[("tea", 500, 7)]), 3),
        "refused is not handled"
    );
}

#[test]
fn an_order_takes_what_is_in_the_cart_and_leaves_what_comes_meanwhile() {
    let env = env(false).update(secs(1), "checkout", &()).signal(secs(2), "add", &item("tea", 500, 1));
    let env = env.update(secs(3), "checkout", &()).signal(millis(3_500), "add", &item("pot", 900, 1));
    let ended = run(env, 3);
    assert_eq!(ended.update_result::<Order>(0).unwrap_err().to_string(), "there is nothing in the cart");
    let order = ended.update_result::<Order>(1).unwrap();
    assert_eq!((order.path.as_str(), order.cents), ("orders/test-1.json", 500));
    let carried = carried(&ended);
    assert_eq!((carried.items, carried.orders), (items(&[("pot", 900, 1)]), 1));
}

#[test]
fn an_order_that_cannot_be_placed_puts_everything_back() {
    let env = env(true).signal(secs(1), "add", &item("tea", 500, 1)).update(secs(2), "checkout", &());
    let ended = run(env.signal(millis(2_500), "add", &item("tea", 450, 1)), 3);
    let failure = ended.update_result::<Order>(0).unwrap_err().to_string();
    assert_eq!(failure, "place the order `orders/test-1.json`: `orders/test-1.json` cannot be written");
    assert_eq!(carried(&ended).items, items(&[("tea", 450, 2)]));
}

#[test]
fn who_has_placed_an_order_gets_it_before_another_run_takes_over_or_the_cart_is_canceled() {
    for cancel in [false, true] {
        let env = env(false).signal(secs(1), "add", &item("tea", 500, 1)).update(secs(2), "checkout", &());
        let env = if cancel { env.cancel(millis(2_500), "closed") } else { env };
        let ended = run(env, if cancel { 100 } else { 2 });
        assert_eq!(ended.update_stage(0), UpdateStage::Completed);
        assert_eq!((ended.is_canceled(), ended.elapsed), (cancel, secs(3)));
        assert_eq!(ended.log.iter().filter(|line| line.starts_with("WARN")).count(), 0, "{:?}", ended.log);
    }
}

/// Each run takes over what the one before has carried, as the host would have it.
#[test]
fn over_many_runs_each_message_is_counted_once() {
    let mut cart = Cart { messages_per_run: Some(7), ..Cart::default() };
    for run in 1..=10 {
        // All at the same moment: more than a run wants, and none of them may wait for the next one.
        let env = (0..9).fold(env(false), |env, _| env.signal(secs(1), "add", &item("tea", 500, 1)));
        let ended = env.update(secs(1), "set-quantity", &quantity("tea", run)).run::<super::cart>(&cart);
        cart = carried(&ended);
        assert_eq!(cart.items, items(&[("tea", 500, run)]), "the update comes last");
        assert_eq!((cart.handled.add, cart.handled.set_quantity), (9 * u64::from(run), u64::from(run)));
    }
}
