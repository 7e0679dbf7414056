//! `cart`: several customers' worth of messages for one cart, which goes on as a new run again and again, also over the
//! death of the host. Whoever has sent them counts too, and the two agree.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, expect};
use crate::api::Api;

/// How many signals each of several senders sends in each half of the story, and after how many each sends an update.
const SENDERS: u64 = 4;
const SIGNALS: u64 = 30;
const UPDATE_EVERY: u64 = 10;

/// Few, so that one run takes over from another many times.
const MESSAGES_PER_RUN: u64 = 25;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let api = stage.api()?;
    api.start("cart", "ada", &json!({ "messages_per_run": MESSAGES_PER_RUN }))?;
    let empty = api.update("ada", "checkout", &Value::Null, "too-early")?;
    expect("an order of nothing", &empty["stage"], &json!("rejected"))?;
    println!("    because: {}", empty["failure"]["message"]);

    let sent = Sent::default();
    sent.half(&api, "before")?;
    stage.kill_and_restart()?;
    let api = stage.api()?;
    sent.half(&api, "after")?;

    let (adds, sets) = (sent.adds.into_inner(), sent.sets.into_inner());
    let handled = json!({ "add": adds, "remove": 0, "set_quantity": sets, "checkout": 0 });
    expect("handled", &api.query("ada", "handled")?, &handled)?;
    let total = (1..=SENDERS).map(|sender| 2 * SIGNALS * sender).sum::<u64>();
    // Each sender put in one of its own article at a time; the articles whose quantity was set are one each, of one cent.
    expect("total", &api.query("ada", "total")?, &json!(total + SENDERS))?;

    let order = api.update("ada", "checkout", &Value::Null, "order")?;
    expect("checkout", &order["stage"], &json!("completed"))?;
    expect("costs", &order["result"]["cents"], &json!(total + SENDERS))?;
    for sender in 1..=SENDERS {
        let bought = &order["result"]["items"][format!("article-{sender}")]["quantity"];
        expect(&format!("of article-{sender}"), bought, &json!(2 * SIGNALS))?;
    }
    let path = order["result"]["path"].as_str().context("the order names no `path`")?;
    ensure!(stage.target().join(path).is_file(), "the order was not written down");
    expect("in the cart then", &api.query("ada", "items")?, &json!({}))?;

    let runs = api.chain("ada")?;
    let received = |kind: &str| runs.iter().flatten().filter(|event| event.kind() == kind).count();
    println!("    {} runs, which were delivered {} signals", runs.len(), received("signal-received"));
    ensure!(runs.len() as u64 > (adds + sets) / MESSAGES_PER_RUN / 2, "the cart did not go on as a new run");
    stage.show("ada")
}

/// What was sent, as those count who have sent it.
#[derive(Default)]
struct Sent {
    adds: AtomicU64,
    sets: AtomicU64,
}

impl Sent {
    /// All senders send at once.
    fn half(&self, api: &Api, half: &str) -> Result<()> {
        thread::scope(|scope| {
            let senders: Vec<_> =
                (1..=SENDERS).map(|sender| scope.spawn(move || self.send(api, half, sender))).collect();
            senders
                .into_iter()
                .try_for_each(|sender| sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))?)
        })?;
        let sent = self.adds.load(Ordering::Relaxed) + self.sets.load(Ordering::Relaxed);
        println!("    {sent} messages were sent");
        Ok(())
    }

    fn send(&self, api: &Api, half: &str, sender: u64) -> Result<()> {
        for n in 0..SIGNALS {
            api.signal("ada", "add", &json!({ "sku": format!("article-{sender}"), "cents": sender }))?;
            self.adds.fetch_add(1, Ordering::Relaxed);
            if n % UPDATE_EVERY > 0 {
                continue;
            }
            let sku = format!("gift-{sender}");
            if n == 0 && half == "before" {
                api.signal("ada", "add", &json!({ "sku": sku, "cents": 1 }))?;
                self.adds.fetch_add(1, Ordering::Relaxed);
            }
            let input = json!({ "sku": sku, "quantity": 1 });
            let answer = api.update("ada", "set-quantity", &input, &format!("{half}-{sender}-{n}"))?;
            ensure!(answer["stage"] == "completed", "the quantity was not set: {answer}");
            self.sets.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}
