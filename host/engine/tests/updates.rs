//! Updates: how a run gets them, what its code may say to each, and what becomes of those it ignores.

mod support;

use expect_test::{Expect, expect};
use refrain_engine::codec;
use refrain_engine::history::{History, HistoryEvent};
use refrain_engine::journal::{Record, Started};
use refrain_engine::outline::Outline;

use support::{Sim, recorded, started};

fn check(script: &str, expected: &Expect) {
    expected.assert_eq(&Sim::new().play(script));
}

/// An update that is completed at once, one that is completed after a timer, one that is turned down, and one
/// that nobody takes notice of.
const STORY: &str = "wait
    > update quick set
    > update slow move
    > update bad set
    > update odd unknown
    > resume
    accept 1
    complete 1 11
    accept 2
    reject 3
    timer 5
    wait
    > fired 1
    > resume
    complete 2 22
    wait";

#[test]
fn a_step_tells_how_far_each_update_has_come() {
    check(
        "wait
         > update quick set
         > update slow move
         > update bad set
         > update odd unknown
         > resume
         accept 1
         complete 1 11
         accept 2
         reject 3
         timer 5
         wait
         > close
         > fired 1
         > resume
         complete 2 22
         finish 0
         > close",
        &expect![[r#"
            wait -> waits
            > update quick set
            > update slow move
            > update bad set
            > update odd unknown
            > resume -> update 1 quick set, update 2 slow move, update 3 bad set, update 4 odd unknown at +0ns
            accept 1
            complete 1 11
            accept 2
            reject 3
            timer 5 -> op 1
            wait -> waits
            > close -> step 1 at +0ns, consumed [1, 2, 3, 4]; update quick accepted; update quick completed Completed(11); update slow accepted; update bad rejected (TooLate); start timer op 1 to +5s; update odd rejected (not-handled)
            > fired 1
            > resume -> op 1: null at +5s
            complete 2 22
            finish 0 -> ended
            > close -> step 2 at +5s, consumed [5]; update slow completed Completed(22); Completed(0)
        "#]],
    );
}

#[test]
fn a_wait_for_ops_alone_leaves_updates_where_they_are() {
    check(
        "timer 5
         wait 1
         > update u set
         > resume
         > fired 1
         > resume
         wait +m
         > resume",
        &expect![[r#"
            timer 5 -> op 1
            wait 1 -> waits
            > update u set
            > resume -> nothing of interest
            > fired 1
            > resume -> op 1: null at +5s
            wait +m -> waits
            > resume -> update 1 u set at +5s
        "#]],
    );
}

#[test]
fn an_update_can_be_answered_in_the_step_that_ends_the_run() {
    check(
        "wait
         > update u set
         > update v set
         > update w set
         > resume
         accept 1
         accept 2
         complete 1 1
         finish 0
         > close",
        &expect![[r#"
            wait -> waits
            > update u set
            > update v set
            > update w set
            > resume -> update 1 u set, update 2 v set, update 3 w set at +0ns
            accept 1
            accept 2
            complete 1 1
            finish 0 -> ended
            > close -> step 1 at +0ns, consumed [1, 2, 3]; update u accepted; update v accepted; update u completed Completed(1); update w rejected (not-handled); Completed(0)
        "#]],
    );
}

#[test]
fn a_replay_accepts_what_the_journal_has_and_goes_on_with_what_is_open() {
    let records = recorded(STORY);
    for kept in 1..=records.len() {
        let mut replayed = Sim::replay(records[..kept].to_vec());
        let guest = STORY.lines().map(str::trim).filter(|line| !line.starts_with('>'));
        let waits = guest.clone().scan(0, |waits, line| {
            let before = *waits;
            *waits += usize::from(line.starts_with("wait"));
            Some((before, line))
        });
        let lines: Vec<&str> = waits.filter(|(waits, _)| *waits < kept).map(|(_, line)| line).collect();
        let transcript = replayed.play(&lines.join("\n"));
        assert!(transcript.trim_end().ends_with("wait -> waits"), "{kept}: {transcript}");
        assert!(!replayed.run.is_replaying(), "{kept}");
    }
    let mut open = Sim::replay(records[..2].to_vec());
    let mut transcript = open.play("wait\naccept 1\ncomplete 1 11\naccept 2\nreject 3\ntimer 5\nwait");
    transcript += &open.play("> fired 1\n> resume\ncomplete 1 0");
    expect![[r#"
        wait -> update 1 quick set, update 2 slow move, update 3 bad set, update 4 odd unknown at +0ns
        accept 1
        complete 1 11
        accept 2
        reject 3
        timer 5 -> op 1
        wait -> waits
        > fired 1
        > resume -> op 1: null at +0ns
        complete 1 0 -> MISUSE messages.complete: update is 1, and no such update is open: answer each update once, and accept or reject it in the step that got it
    "#]].assert_eq(&transcript);
}

#[test]
fn a_replay_that_says_something_else_to_an_update_is_a_mismatch() {
    let records = recorded(STORY);
    let mut told = String::new();
    for call in ["reject 1", "accept 2", "complete 1 11"] {
        told += Sim::replay(records.clone()).play(&format!("wait\n{call}")).lines().last().expect("a line");
        told += "\n";
    }
    let other = Sim::replay(records).play("wait\naccept 1\ncomplete 1 12");
    told += other.lines().last().expect("a line");
    expect![[r#"
        reject 1 -> MISMATCH the code differs from the journal at 1.0: recorded messages.accept of update 1, attempted messages.reject of update 1
        accept 2 -> MISMATCH the code differs from the journal at 1.0: recorded messages.accept of update 1, attempted messages.accept of update 2; update: recorded 1, attempted 2
        complete 1 11 -> MISMATCH the code differs from the journal at 1.0: recorded messages.accept of update 1, attempted messages.complete of update 1
        complete 1 12 -> MISMATCH the code differs from the journal at 1.1: recorded messages.complete of update 1, attempted messages.complete of update 1; answer: recorded Completed(11), attempted Completed(12)"#]].assert_eq(&told);
}

#[test]
fn what_may_not_be_said_to_an_update_traps_with_the_remedy() {
    let mut told = String::new();
    for calls in [
        "accept 2",
        "complete 1 1",
        "accept 1\naccept 1",
        "accept 1\nreject 1",
        "accept 1\ncomplete 1 1\ncomplete 1 1",
        "reject 1\naccept 1",
        "wait\n> signal s\n> resume\naccept 1",
    ] {
        let script = format!("wait\n> update u set\n> resume\n{calls}");
        told += Sim::new().play(&script).lines().last().expect("a line");
        told += "\n";
    }
    expect![[r#"
        accept 2 -> MISUSE messages.accept: update is 2, and no such update is open: answer each update once, and accept or reject it in the step that got it
        complete 1 1 -> MISUSE messages.complete: update 1 was not accepted: accept it first, or reject it
        accept 1 -> MISUSE messages.accept: update 1 was accepted before: complete it
        reject 1 -> MISUSE messages.reject: update 1 was accepted before: complete it
        complete 1 1 -> MISUSE messages.complete: update is 1, and no such update is open: answer each update once, and accept or reject it in the step that got it
        accept 1 -> MISUSE messages.accept: update is 1, and no such update is open: answer each update once, and accept or reject it in the step that got it
        accept 1 -> MISUSE messages.accept: update is 1, and no such update is open: answer each update once, and accept or reject it in the step that got it
    "#]].assert_eq(&told);
}

#[test]
fn a_query_may_say_nothing_to_an_update_that_is_open() {
    let journal = "wait
        > update u set
        > resume
        accept 1
        wait";
    let mut told = String::new();
    for call in ["accept 1", "reject 1", "complete 1 1"] {
        let mut asked = Sim::query(recorded(journal));
        told += asked.play(&format!("wait\naccept 1\nwait\n{call}")).lines().last().expect("a line");
        told += "\n";
    }
    expect![[r#"
        accept 1 -> FAILED query-tried-to-change: the query's handling called messages.accept: a query only looks, and may not
        reject 1 -> FAILED query-tried-to-change: the query's handling called messages.reject: a query only looks, and may not
        complete 1 1 -> FAILED query-tried-to-change: the query's handling called messages.complete: a query only looks, and may not
    "#]].assert_eq(&told);
}

#[test]
fn a_history_tells_what_became_of_each_update() {
    let mut history = History::new(&started(), false);
    for record in recorded(STORY) {
        history.record(&codec::decode("journal record", &record).expect("a record"));
    }
    let line = |event: &HistoryEvent| {
        let text = format!("{:?}", event.kind);
        let fields = text.split_once(' ').map_or("", |(_, fields)| fields);
        format!("{} step {} {} {fields}\n", event.number, event.step, event.kind.name())
    };
    let told: String = history.events().iter().map(line).collect();
    expect![[r#"
        1 step 0 workflow-started { workflow: "order", input: {}, component: "shop", version: 1 }
        2 step 1 update-received { update_id: "quick", name: "set", input: 1 }
        3 step 1 update-received { update_id: "slow", name: "move", input: 1 }
        4 step 1 update-received { update_id: "bad", name: "set", input: 1 }
        5 step 1 update-received { update_id: "odd", name: "unknown", input: 1 }
        6 step 1 update-accepted { update_id: "quick" }
        7 step 1 update-completed { update_id: "quick", result: 11 }
        8 step 1 update-accepted { update_id: "slow" }
        9 step 1 update-rejected { update_id: "bad", failure: Failure { kind: Application, error_type: "TooLate", message: "the order was sent", stack: "", details: None, non_retryable: false, causes: [] } }
        10 step 1 timer-started { op: 1, deadline: 1700000005.000000000, summary: None }
        11 step 1 update-rejected { update_id: "odd", failure: Failure { kind: Host, error_type: "not-handled", message: "the workflow's code took no notice of the update in the step that got it: it has no handler of this name, or has ended with that step", stack: "", details: None, non_retryable: false, causes: [] } }
        12 step 2 timer-fired { op: 1 }
        13 step 2 update-completed { update_id: "slow", result: 22 }
    "#]].assert_eq(&told);
}

/// The updates that are open after each record.
fn open_updates(started: &Started) -> String {
    let mut told = String::new();
    let mut outline = Outline::of(started);
    for record in recorded(STORY) {
        outline.record(&codec::decode::<Record>("journal record", &record).expect("a record"));
        let open: Vec<&str> = outline.updates.values().map(|update| update.update_id.as_str()).collect();
        told += &format!("{open:?} ");
    }
    told
}

#[test]
fn an_outline_knows_the_updates_that_were_accepted_and_not_completed() {
    assert_eq!(open_updates(&started()), r#"[] ["slow"] [] "#);
}

#[test]
fn the_updates_of_the_run_that_a_fork_was_made_of_are_not_the_forks() {
    let forked = |step| Started { forks: started().forks_at(step), ..started() };
    assert_eq!(open_updates(&forked(1)), r#"[] ["slow"] [] "#);
    assert_eq!(open_updates(&forked(2)), "[] [] [] ");
}
