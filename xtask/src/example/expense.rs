//! `expense`: a report is decided by a manager, after several decisions that cannot be. The host dies meanwhile; the
//! decision is sent once more, and is the same one.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, expect};
use crate::api::Api;

/// What a manager has to look at, and what not, in cents.
const LARGE: i64 = 12_000;
const SMALL: i64 = 1_200;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let policy = json!({
        "managers": ["Ada", "Grace"],
        "small_cents": 5_000,
        "maximum_cents": 100_000,
        "decide_within_days": 14,
    });
    fs::write(stage.source().join("policy.json"), policy.to_string())?;

    println!("\n    a small report is nobody's business:");
    let api = stage.api()?;
    submit(&api, "pens", SMALL)?;
    let ended = api.result("pens")?;
    expect("outcome", &ended["result"]["paid"]["by"], &json!("policy"))?;
    println!("\n    one that is larger than all that is paid:");
    submit(&api, "car", 2_000_000)?;
    let ended = api.result("car")?;
    expect("status", &ended["status"], &json!("failed"))?;
    println!("    failure: {}", ended["failure"]["message"]);

    println!("\n    one that a manager has to decide:");
    submit(&api, "keyboard", LARGE)?;
    api.follow("keyboard", |seen| seen.iter().any(|event| event.completes("fs.read")))?;
    for (by, cents, error_type) in
        [("Eve", LARGE, "UnknownManager"), ("Grace", -1, "Amount"), ("Grace", LARGE + 1, "Amount")]
    {
        let answer =
            api.update("keyboard", "decide", &json!({ "by": by, "cents": cents }), &format!("{by}{cents}"))?;
        rejected(&answer, error_type)?;
    }
    expect("outcome", &api.query("keyboard", "outcome")?, &json!("waiting"))?;
    stage.kill_and_restart()?;

    let api = stage.api()?;
    expect("outcome, as before", &api.query("keyboard", "outcome")?, &json!("waiting"))?;
    let decision = json!({ "by": "Ada", "cents": 9_000, "reason": "the cheaper one would do" });
    let paid = json!({ "paid": { "by": "Ada", "cents": 9_000, "payment": "payments/keyboard.json" } });
    for time in ["once", "once more, in case that it was not heard"] {
        println!("    Ada decides, {time}");
        let answer = api.update("keyboard", "decide", &decision, "by-ada")?;
        expect("stage", &answer["stage"], &json!("completed"))?;
        expect("answer", &answer["result"], &paid)?;
    }
    expect("result", &api.result("keyboard")?["result"], &paid)?;
    expect("outcome, asked after the end", &api.query("keyboard", "outcome")?, &paid)?;
    let late = api.update("keyboard", "decide", &json!({ "by": "Grace", "cents": LARGE }), "by-grace");
    let refused = late.err().context("a decision was taken by a run that is over")?;
    println!("    Grace decides, too late: {refused:#}");
    stage.show("keyboard")?;

    let payments = fs::read_dir(stage.target().join("payments"))?;
    let mut paid = payments
        .map(|file| Ok(serde_json::from_str::<Value>(&fs::read_to_string(file?.path())?)?["cents"].take()))
        .collect::<Result<Vec<_>>>()?;
    paid.sort_by_key(Value::as_i64);
    expect("payments", &json!(paid), &json!([SMALL, 9_000]))
}

fn submit(api: &Api, id: &str, cents: i64) -> Result<()> {
    api.start("expense", id, &json!({ "employee": "Charles", "purpose": id, "cents": cents }))?;
    Ok(())
}

/// A decision that cannot be says why.
fn rejected(answer: &Value, error_type: &str) -> Result<()> {
    let failure = &answer["failure"];
    ensure!(
        answer["stage"] == "rejected" && failure["type"] == error_type,
        "expected a rejection as {error_type}, got {answer}"
    );
    println!("    rejected: {}", failure["message"]);
    Ok(())
}
