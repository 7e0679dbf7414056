//! People who decide in time, late, too early, twice, or not at all; days of it in no time.

use refrain_sdk::testing::{Ended, Env};
use refrain_sdk::{hours, mins};
use serde::Serialize;

use super::{Decision, Stage, State, approval};

#[derive(Serialize)]
struct Input {
    what: &'static str,
    approver: &'static str,
    escalate_to: &'static str,
}

/// With the times that are meant for people: reminders each 2 h, the escalation after 8 h, the end after 24 h.
const INPUT: Input = Input { what: "the release", approver: "Ada", escalate_to: "Charles" };

fn yes(by: &str) -> Decision {
    Decision { by: by.to_owned(), approved: true, comment: String::new() }
}

fn run(env: Env) -> Ended {
    env.run::<approval>(&INPUT)
}

fn state(ended: &Ended) -> State {
    ended.result().unwrap()
}

#[test]
fn who_is_asked_first_decides_and_is_reminded_until_then() {
    let no = Decision { approved: false, comment: "not on a Friday".to_owned(), ..yes("Ada") };
    let ended = run(Env::new().signal(hours(5), "decide", &no));
    let expected =
        State { stage: Stage::Decided(no), asked: vec!["Ada".to_owned()], reminders: 2, ignored: 0 };
    assert_eq!(state(&ended), expected);
    assert_eq!(ended.elapsed, hours(5));
}

#[test]
fn the_second_one_counts_from_the_escalation_on_and_the_first_one_still_does() {
    for by in ["Ada", "Charles"] {
        let env = Env::new().signal(hours(7), "decide", &yes("Charles"));
        let ended = run(env.signal(hours(9), "decide", &yes(by)));
        let state = state(&ended);
        assert_eq!((state.stage, state.ignored), (Stage::Decided(yes(by)), 1), "{by}");
        assert_eq!((state.asked.len(), ended.elapsed), (2, hours(9)));
        let told = "WARN the decision of Charles does not count: nobody has asked them approved=true";
        assert!(ended.log.iter().any(|line| line == told), "{:?}", ended.log);
    }
}

#[test]
fn decisions_that_do_not_count_put_no_reminder_off() {
    let env = Env::new().signal(mins(119), "decide", &yes("Eve")).signal(mins(239), "decide", &yes("Eve"));
    let state = state(&run(env.signal(mins(241), "decide", &yes("Ada"))));
    assert_eq!((state.reminders, state.ignored), (2, 2));
}

#[test]
fn what_is_no_decision_is_passed_over() {
    let env = Env::new().signal(hours(1), "decide", &"yes").signal(hours(3), "decide", &yes("Ada"));
    let ended = run(env);
    assert_eq!(state(&ended).stage, Stage::Decided(yes("Ada")));
    assert!(ended.log.iter().any(|line| line.starts_with("ERROR signal passed over")), "{:?}", ended.log);
}

#[test]
fn what_nobody_decides_has_expired_after_a_day() {
    let ended = run(Env::new());
    let state = state(&ended);
    assert_eq!((state.stage, state.reminders), (Stage::Expired, 12), "one each two hours");
    assert_eq!(ended.elapsed, hours(24));
}

#[test]
fn a_decision_at_the_very_end_counts_and_the_second_of_two_comes_too_late() {
    let env = Env::new().signal(hours(24), "decide", &yes("Ada"));
    let state = state(&run(env.signal(hours(24), "decide", &yes("Charles"))));
    assert_eq!((state.stage, state.ignored), (Stage::Decided(yes("Ada")), 1));
}

#[test]
fn who_asks_is_told_how_far_it_is_also_after_the_end() {
    let asked = [hours(1), hours(9), hours(48)];
    let env = asked.iter().fold(Env::new(), |env, at| env.query(*at, "state", &()));
    let ended = run(env.signal(hours(10), "decide", &yes("Charles")));
    let told = [0, 1, 2].map(|index| ended.answer::<State>(index).unwrap());
    let seen = told.map(|state| (state.stage, state.asked.len()));
    assert_eq!(seen, [(Stage::Waiting, 1), (Stage::Waiting, 2), (Stage::Decided(yes("Charles")), 2)]);
}

#[test]
fn it_ends_at_once_when_canceled() {
    let ended = run(Env::new().cancel(hours(1), "no longer needed"));
    assert!(ended.is_canceled());
    assert_eq!(ended.elapsed, hours(1));
}
