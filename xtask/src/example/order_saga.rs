//! `order-saga`: orders that go well, that fail and are undone, and one whose host dies while the customer is charged.
//! In the end the shop's books must add up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use ureq::Agent;

use super::{Stage, expect};
use crate::api::Api;

/// Each order is for so many of the same, and costs so many cents.
const QUANTITY: u64 = 2;
const CENTS: u64 = 4_200;

/// What the shop has on its shelves at first, and its customers on their cards.
const TEAPOTS: u64 = 10;
const ADA: u64 = 100_000;
const CHARLES: u64 = 500;

/// How long one request to the shop may take; the longest waits for a step of a run.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let shop = Shop::new(stage.service()?);
    goes_well(stage, &shop)?;
    payments_are_away(stage, &shop)?;
    card_is_declined(stage, &shop)?;
    cannot_be_shipped(stage, &shop)?;
    cannot_be_refunded(stage, &shop)?;
    answer_is_lost(stage, &shop)?;
    host_is_killed(stage, &shop)?;
    books_add_up(&shop.ledger()?)
}

fn goes_well(stage: &Stage<'_>, shop: &Shop) -> Result<()> {
    println!("\n    an order that goes well:");
    let ended = order(&stage.api()?, shop, "fine", "ada")?;
    is_completed(&ended, "fine")?;
    stage.show("fine")
}

fn payments_are_away(stage: &Stage<'_>, shop: &Shop) -> Result<()> {
    const RETRY_AFTER: u64 = 1;
    println!("\n    the payment service is away twice, and asks for {RETRY_AFTER} s of patience:");
    let how = json!({ "refuse": { "status": 503, "retry_after": RETRY_AFTER } });
    shop.fail("busy", "charge", Some(2), &how)?;
    let api = stage.api()?;
    is_completed(&order(&api, shop, "busy", "ada")?, "busy")?;
    expect("attempts to charge", &json!(attempts(&api, "busy", "PUT charges")?), &json!(3))?;
    let ledger = shop.ledger()?;
    let requests = requests(&ledger, "busy", "charge")?;
    expect("statuses", &statuses(&requests), &json!([503, 503, 200]))?;
    let times: Vec<u64> = requests.iter().filter_map(|request| request["at_ms"].as_u64()).collect();
    println!("    at, in milliseconds: {times:?}");
    ensure!(
        times.windows(2).all(|pair| pair[1] - pair[0] >= RETRY_AFTER * 1_000),
        "the payment service was not left alone for as long as it asked to: {times:?}"
    );
    Ok(())
}

fn card_is_declined(stage: &Stage<'_>, shop: &Shop) -> Result<()> {
    println!("\n    the customer has not enough money:");
    let ended = order(&stage.api()?, shop, "declined", "charles")?;
    let chain = is_failed(&ended)?;
    let expected = ["order `declined`", "charge the customer", "the answer is 402", "was declined"];
    tells(&chain, &expected)?;
    undone(&ended, &[("refund the customer", true), ("release the goods", true)])?;
    let ledger = shop.ledger()?;
    expect("effects", &effects(&ledger, "declined")?, &json!(["reserve", "release"]))?;
    // What the card says once, it would say again.
    expect("statuses", &statuses(&requests(&ledger, "declined", "charge")?), &json!([402]))
}

fn cannot_be_shipped(stage: &Stage<'_>, shop: &Shop) -> Result<()> {
    println!("\n    nobody ships, and the refund fails twice:");
    let away = json!({ "refuse": { "status": 503 } });
    shop.fail("unshippable", "ship", None, &away)?;
    shop.fail("unshippable", "refund", Some(2), &away)?;
    let api = stage.api()?;
    let ended = order(&api, shop, "unshippable", "ada")?;
    tells(&is_failed(&ended)?, &["order `unshippable`", "ship the goods", "the answer is 503"])?;
    undone(
        &ended,
        &[("call the parcel back", true), ("refund the customer", true), ("release the goods", true)],
    )?;
    expect("attempts to refund", &json!(attempts(&api, "unshippable", "DELETE charges")?), &json!(3))?;
    let expected = json!(["reserve", "charge", "refund", "release"]);
    expect("effects", &effects(&shop.ledger()?, "unshippable")?, &expected)?;
    stage.show("unshippable")
}

fn cannot_be_refunded(stage: &Stage<'_>, shop: &Shop) -> Result<()> {
    println!("\n    nobody ships, and the refund is refused for good:");
    shop.fail("stuck", "ship", None, &json!({ "refuse": { "status": 503 } }))?;
    shop.fail("stuck", "refund", None, &json!({ "refuse": { "status": 403 } }))?;
    let ended = order(&stage.api()?, shop, "stuck", "ada")?;
    tells(
        &is_failed(&ended)?,
        &["order `stuck` (1 of 3 compensations failed: refund the customer)", "ship the goods"],
    )?;
    undone(
        &ended,
        &[("call the parcel back", true), ("refund the customer", false), ("release the goods", true)],
    )?;
    expect("effects", &effects(&shop.ledger()?, "stuck")?, &json!(["reserve", "charge", "release"]))
}

fn answer_is_lost(stage: &Stage<'_>, shop: &Shop) -> Result<()> {
    println!("\n    the goods are shipped, and the answer is lost:");
    shop.fail("unheard", "ship", Some(1), &json!("silence"))?;
    let api = stage.api()?;
    is_completed(&order(&api, shop, "unheard", "ada")?, "unheard")?;
    expect("attempts to ship", &json!(attempts(&api, "unheard", "PUT shipments")?), &json!(2))?;
    let ledger = shop.ledger()?;
    expect("statuses", &statuses(&requests(&ledger, "unheard", "ship")?), &json!([null, 200]))?;
    expect("effects", &effects(&ledger, "unheard")?, &json!(["reserve", "charge", "ship"]))
}

fn host_is_killed(stage: &mut Stage<'_>, shop: &Shop) -> Result<()> {
    println!("\n    the host dies when the customer is charged and nobody has heard of it yet:");
    shop.fail("killed", "charge", Some(1), &json!("silence"))?;
    start(&stage.api()?, shop, "killed", "ada")?;
    shop.wait_for_silence("killed", "charge")?;
    println!("    the payment service has charged and does not answer");
    stage.kill_and_restart()?;
    let api = stage.api()?;
    is_completed(&api.result("killed")?, "killed")?;
    expect("attempts to charge", &json!(attempts(&api, "killed", "PUT charges")?), &json!(2))?;
    let ledger = shop.ledger()?;
    expect("statuses", &statuses(&requests(&ledger, "killed", "charge")?), &json!([null, 200]))?;
    expect("effects", &effects(&ledger, "killed")?, &json!(["reserve", "charge", "ship"]))?;
    stage.show("killed")
}

/// Every step happened once, under one key of its own; goods and money are where they should be, and as many as ever.
fn books_add_up(ledger: &Value) -> Result<()> {
    /// `fine`, `busy`, `unheard` and `killed` were shipped; `stuck` was paid and neither shipped nor refunded.
    const SHIPPED: u64 = 4;
    const PAID: u64 = 5;
    println!("\n    the shop's books:");
    let mut keys = BTreeMap::new();
    for request in list(ledger, "requests")? {
        let step = (text(request, "order")?, text(request, "step")?);
        let key = text(request, "key")?;
        ensure!(
            *keys.entry(step).or_insert(key) == key,
            "{step:?} was asked for under more than one idempotency key, {key:?} among them"
        );
    }
    let distinct: BTreeSet<_> = keys.values().collect();
    expect("steps asked for, and idempotency keys", &json!(keys.len()), &json!(distinct.len()))?;
    let mut happened = BTreeSet::new();
    for effect in list(ledger, "effects")? {
        let step = (text(effect, "order")?, text(effect, "step")?);
        ensure!(happened.insert(step), "{step:?} had its effect twice");
    }
    println!(
        "    {} requests had {} effects, each of them once",
        list(ledger, "requests")?.len(),
        happened.len()
    );
    let (shipped, paid) = (SHIPPED * QUANTITY, PAID * CENTS);
    let teapots = json!({ "available": TEAPOTS - shipped, "reserved": 0, "shipped": shipped });
    expect("teapots", &ledger["stock"]["teapot"], &teapots)?;
    let accounts = json!({ "ada": ADA - paid, "charles": CHARLES, "till": paid });
    expect("accounts", &ledger["accounts"], &accounts)
}

fn start(api: &Api, shop: &Shop, number: &str, customer: &str) -> Result<()> {
    let input = json!({
        "number": number,
        "customer": customer,
        "sku": "teapot",
        "quantity": QUANTITY,
        "cents": CENTS,
        "shop": shop.url,
    });
    api.start("order", number, &input)?;
    Ok(())
}

/// How an order ended.
fn order(api: &Api, shop: &Shop, number: &str, customer: &str) -> Result<Value> {
    start(api, shop, number, customer)?;
    api.result(number)
}

fn is_completed(ended: &Value, number: &str) -> Result<()> {
    ensure!(ended["status"] == "completed", "the order did not complete: {ended}");
    let receipt = json!({ "number": number, "cents": CENTS, "tracking": format!("parcel-{number}") });
    expect("receipt", &ended["result"], &receipt)
}

/// The chain of messages of a run that failed, outermost first.
fn is_failed(ended: &Value) -> Result<Vec<&str>> {
    ensure!(ended["status"] == "failed", "the order did not fail: {ended}");
    let failure = &ended["failure"];
    let causes = list(failure, "causes")?;
    let chain: Vec<&str> =
        [failure].into_iter().chain(causes).map(|level| text(level, "message")).collect::<Result<_>>()?;
    println!("    failure: {}", chain.join("\n      because: "));
    Ok(chain)
}

/// Each of these is in the chain, in this order.
fn tells(chain: &[&str], expected: &[&str]) -> Result<()> {
    let mut levels = chain.iter();
    for part in expected {
        if !levels.any(|level| level.contains(part)) {
            bail!("the failure does not tell the whole chain: {part:?} is missing in {chain:?}");
        }
    }
    Ok(())
}

/// These compensations ran, in this order, with or without success.
fn undone(ended: &Value, expected: &[(&str, bool)]) -> Result<()> {
    let compensations = list(&ended["failure"]["details"], "compensations")?;
    let mut ran = Vec::new();
    for compensation in compensations {
        let (undo, failure) = (text(compensation, "undo")?, compensation["failure"].as_str());
        println!("      {undo}: {}", failure.unwrap_or("done"));
        ran.push((undo, failure.is_none()));
    }
    ensure!(ran == expected, "expected the compensations {expected:?}, but {ran:?} ran");
    Ok(())
}

/// How many attempts the activity of this summary took.
fn attempts(api: &Api, id: &str, summary: &str) -> Result<u64> {
    let history = api.history(id)?;
    let is_it = |kind: &str, attribute: &str, value: &Value| {
        let found = history.iter().find(|event| event.kind() == kind && event.attribute(attribute) == value);
        found.with_context(|| format!("the history of {id} has no {kind} with {attribute} {value}"))
    };
    let op = is_it("activity-scheduled", "summary", &json!(summary))?.attribute("op");
    let attempt = is_it("activity-completed", "op", op)?.attribute("attempt");
    attempt.as_u64().context("an activity completed without a number of its attempt")
}

/// The changes that an order made in the shop's books.
fn effects(ledger: &Value, order: &str) -> Result<Value> {
    let of_order = list(ledger, "effects")?.iter().filter(|effect| effect["order"] == order);
    Ok(of_order.map(|effect| effect["step"].clone()).collect())
}

/// The requests for a step of an order.
fn requests<'a>(ledger: &'a Value, order: &str, step: &str) -> Result<Vec<&'a Value>> {
    let all = list(ledger, "requests")?.iter();
    Ok(all.filter(|request| request["order"] == order && request["step"] == step).collect())
}

fn statuses(requests: &[&Value]) -> Value {
    requests.iter().map(|request| request["status"].clone()).collect()
}

fn list<'a>(of: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    of[name].as_array().with_context(|| format!("there are no `{name}` in {of}"))
}

fn text<'a>(of: &'a Value, name: &str) -> Result<&'a str> {
    of[name].as_str().with_context(|| format!("there is no `{name}` in {of}"))
}

/// The shop's door for those who test it.
struct Shop {
    agent: Agent,
    url: String,
}

impl Shop {
    fn new(url: &str) -> Self {
        let agent = Agent::config_builder().timeout_global(Some(LIMIT)).proxy(None).build();
        Self { agent: agent.into(), url: url.to_owned() }
    }

    /// Makes a step of an order fail: so many times, or for ever.
    fn fail(&self, order: &str, step: &str, times: Option<u32>, how: &Value) -> Result<()> {
        let fault = json!({ "order": order, "step": step, "times": times, "how": how });
        self.agent.post(format!("{}/faults", self.url)).send_json(fault).context("tell the shop to fail")?;
        Ok(())
    }

    /// Waits until a step has had its effect and is not answered.
    fn wait_for_silence(&self, order: &str, step: &str) -> Result<()> {
        let silent = self.agent.get(format!("{}/silent/{step}/{order}", self.url)).call();
        silent.with_context(|| format!("wait for the shop to {step} without an answer"))?;
        Ok(())
    }

    fn ledger(&self) -> Result<Value> {
        let mut response =
            self.agent.get(format!("{}/ledger", self.url)).call().context("open the shop's books")?;
        Ok(response.body_mut().read_json()?)
    }
}
