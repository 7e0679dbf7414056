//! Reports of all sizes, and decisions that can be and that cannot.

use refrain_sdk::testing::{Ended, Env, UpdateStage};
use refrain_sdk::{Failure, days, hours, millis, secs};
use serde::{Deserialize, Serialize};

use super::books::Policy;
use super::{Decision, Outcome, POLICY, Report, expense};

/// Of how much each report is that a manager has to look at.
const CENTS: i64 = 12_000;

#[derive(Serialize)]
struct Read {
    content: String,
}

#[derive(Deserialize)]
struct Write {
    path: String,
    content: String,
}

#[derive(Serialize)]
struct Written {
    size: usize,
}

/// The policy takes a second to be read, and a payment as long to be written, unless it fails.
fn env(fails: bool) -> Env {
    let policy = Policy {
        managers: ["Ada", "Grace"].map(str::to_owned).to_vec(),
        small_cents: 5_000,
        maximum_cents: 100_000,
        decide_within_days: 14,
    };
    let content = serde_json::to_string(&policy).expect("a policy is JSON");
    let read = move |_: serde_json::Value| Ok(Read { content: content.clone() });
    Env::new().slow_activity("fs.read", secs(1), read).slow_activity(
        "fs.write",
        secs(1),
        move |write: Write| match fails {
            true => Err(Failure::new(format!("the disk is full, and `{}` is not written", write.path))),
            false => Ok(Written { size: write.content.len() }),
        },
    )
}

fn decision(by: &str, cents: i64, reason: &str) -> Decision {
    Decision { by: by.to_owned(), cents, reason: reason.to_owned() }
}

fn run(env: Env, employee: &str, cents: i64) -> Ended {
    let report = Report { employee: employee.to_owned(), purpose: "a keyboard".to_owned(), cents };
    env.run::<expense>(&report)
}

fn paid(by: &str, cents: i64) -> Outcome {
    Outcome::Paid { by: by.to_owned(), cents, payment: "payments/test.json".to_owned() }
}

#[test]
fn a_manager_approves_all_of_it_or_a_part_and_hears_that_it_is_paid() {
    for decision in [decision("Ada", CENTS, ""), decision("Grace", 7_000, "the cheaper one would do")] {
        let ended = run(env(false).update(hours(3), "decide", &decision), "Charles", CENTS);
        let outcome = paid(&decision.by, decision.cents);
        assert_eq!(ended.result::<Outcome>().unwrap(), outcome);
        assert_eq!(ended.update_result::<Outcome>(0).unwrap(), outcome);
        assert_eq!(ended.elapsed, hours(3) + secs(1));
    }
}

#[test]
fn a_manager_rejects_it_and_nothing_is_paid() {
    let env = env(false).update(hours(3), "decide", &decision("Ada", 0, "we have keyboards"));
    let ended = run(env, "Charles", CENTS);
    let rejected = Outcome::Rejected { by: "Ada".to_owned(), reason: "we have keyboards".to_owned() };
    assert_eq!(ended.update_result::<Outcome>(0).unwrap(), rejected);
    assert_eq!(ended.result::<Outcome>().unwrap(), rejected);
    assert!(!ended.calls.iter().any(|call| call.contains("fs.write")), "{:?}", ended.calls);
}

#[test]
fn what_cannot_be_decided_is_turned_down_with_the_reason_and_the_report_waits_on() {
    let cases = [
        (decision("Eve", CENTS, ""), "UnknownManager", "`by` is `Eve`, expected one of Ada, Grace"),
        (
            decision("Ada", CENTS, ""),
            "OwnReport",
            "`by` is `Ada`, whose report it is: someone else has to decide",
        ),
        (decision("Grace", -1, "a fine"), "Amount", "`cents` is -1, expected 0 to 12000"),
        (decision("Grace", CENTS + 1, ""), "Amount", "`cents` is 12001, expected 0 to 12000"),
        (decision("Grace", 1, ""), "NoReason", "`reason` is empty: say why not all of it is paid"),
    ];
    let env = cases.iter().fold(env(false), |env, (decision, ..)| env.update(hours(1), "decide", decision));
    let ended = run(env.update(hours(2), "decide", &decision("Grace", CENTS, "")), "Ada", CENTS);
    for (index, (_, error_type, message)) in cases.iter().enumerate() {
        let why = ended.update_result::<Outcome>(index).unwrap_err();
        assert_eq!((why.error_type(), why.to_string().as_str()), (*error_type, *message));
        assert_eq!(ended.update_stage(index), UpdateStage::Rejected);
    }
    assert_eq!(ended.result::<Outcome>().unwrap(), paid("Grace", CENTS));
}

#[test]
fn of_two_decisions_the_first_one_stands_also_where_both_come_at_once() {
    for second in [hours(3), hours(3) + millis(500)] {
        let env = env(false).update(hours(3), "decide", &decision("Ada", CENTS, ""));
        let ended = run(env.update(second, "decide", &decision("Grace", 0, "no")), "Charles", CENTS);
        let why = ended.update_result::<Outcome>(1).unwrap_err();
        assert_eq!(
            (why.error_type(), why.to_string().as_str()),
            ("AlreadyDecided", "Ada has decided already")
        );
        assert_eq!(ended.result::<Outcome>().unwrap(), paid("Ada", CENTS));
    }
}

#[test]
fn a_decision_before_the_policy_is_known_is_too_early() {
    let env = env(false).update(millis(500), "decide", &decision("Ada", CENTS, ""));
    let ended = run(env.update(secs(2), "decide", &decision("Ada", CENTS, "")), "Charles", CENTS);
    assert_eq!(ended.update_result::<Outcome>(0).unwrap_err().error_type(), "TooEarly");
    assert_eq!(ended.update_result::<Outcome>(1).unwrap(), paid("Ada", CENTS));
}

#[test]
fn a_small_report_is_paid_without_a_manager_and_one_that_cannot_be_fails() {
    let ended = run(env(false), "Charles", 5_000);
    assert_eq!(ended.result::<Outcome>().unwrap(), paid(POLICY, 5_000));
    assert_eq!(ended.elapsed, secs(2));
    for cents in [-1, 0, 100_001] {
        let failure = run(env(false), "Charles", cents).result::<Outcome>().unwrap_err().to_string();
        assert_eq!(failure, format!("`cents` is {cents}, expected 1 to 100000, says the policy"));
    }
}

#[test]
fn what_is_approved_and_cannot_be_paid_is_told_to_the_manager() {
    let env = env(true).update(hours(3), "decide", &decision("Ada", CENTS, ""));
    let ended = run(env, "Charles", CENTS);
    let why = "write `payments/test.json`: the disk is full, and `payments/test.json` is not written";
    let outcome = Outcome::NotPaid { by: "Ada".to_owned(), why: why.to_owned() };
    assert_eq!(ended.update_result::<Outcome>(0).unwrap(), outcome);
    assert_eq!(ended.result::<Outcome>().unwrap(), outcome);
}

#[test]
fn a_report_that_nobody_decides_has_expired_and_one_that_is_canceled_ends_at_once() {
    let ended = run(env(false), "Charles", CENTS);
    assert_eq!(ended.result::<Outcome>().unwrap(), Outcome::Expired);
    assert_eq!(ended.elapsed, days(14) + secs(1));
    let ended = run(env(false).cancel(hours(1), "a mistake"), "Charles", CENTS);
    assert!(ended.is_canceled());
    assert_eq!(ended.elapsed, hours(1));
}

#[test]
fn who_asks_is_told_how_far_it_is_also_after_the_end() {
    let asked = [millis(500), secs(5), hours(3) + millis(500), days(100)];
    let env = asked.iter().fold(env(false), |env, at| env.query(*at, "outcome", &()));
    let ended = run(env.update(hours(3), "decide", &decision("Ada", CENTS, "")), "Charles", CENTS);
    let told = [0, 1, 2, 3].map(|index| ended.answer::<Outcome>(index).unwrap());
    let approved = Outcome::Approved { by: "Ada".to_owned(), cents: CENTS };
    assert_eq!(told, [Outcome::Submitted, Outcome::Waiting, approved, paid("Ada", CENTS)]);
}
