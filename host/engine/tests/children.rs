//! Children and other executions, as a guest and its journal see them: two ops for a child, one for what is
//! sent, each ended once, compared and replayed as commands.

mod support;

use expect_test::{Expect, expect};
use refrain_engine::history::History;
use support::{Sim, recorded, started, step};

fn check(script: &str, expected: &Expect) {
    expected.assert_eq(&Sim::new().play(script));
}

/// A journal in short: number, type, and the op if there is one.
fn history(records: &[bytes::Bytes]) -> String {
    let mut history = History::new(&started(), false);
    records.iter().for_each(|record| {
        history.record(&refrain_engine::codec::decode("record", record).expect("it was encoded"));
    });
    history.events().iter().map(|event| format!("{} {:?}\n", event.number, event.kind)).collect()
}

#[test]
fn a_child_has_two_ops_and_each_has_its_end() {
    check(
        "activity list
         child pack
         wait
         > close
         > child-started 2
         > resume
         wait
         > completed 1
         > child-closed 3
         > resume
         finish 1",
        &expect![[r#"
            activity list -> op 1
            child pack -> ops 2 and 3
            wait -> waits
            > close -> step 0 at +0ns; start activity list as op 1; start child pack as ops 2 and 3
            > child-started 2
            > resume -> op 2: {"workflow_id":"it's a \"child\"","run_id":"00000000-0000-0000-0000-00000000000c"} at +0ns
            wait -> waits
            > completed 1
            > child-closed 3
            > resume -> op 1: "ok", op 3: "grown up" at +0ns
            finish 1 -> ended
        "#]],
    );
}

#[test]
fn a_child_that_could_not_be_started_fails_both_ops() {
    check(
        "child pack
         wait
         > child-not-started 1
         > resume",
        &expect![[r#"
            child pack -> ops 1 and 2
            wait -> waits
            > child-not-started 1
            > resume -> op 1 failed: host already-exists at +0ns
        "#]],
    );
}

#[test]
fn a_cancel_reaches_the_child_by_the_op_of_its_end_and_nothing_by_that_of_its_start() {
    check(
        "child pack
         signal-to other go
         cancel 1
         cancel 2
         cancel 3
         wait
         > close
         > canceled 2
         > child-closed 2
         > resume",
        &expect![[r#"
            child pack -> ops 1 and 2
            signal-to other go -> op 3
            cancel 1
            cancel 2
            cancel 3
            wait -> waits
            > close -> step 0 at +0ns; start child pack as ops 1 and 2; signal go to other as op 3; cancel child op 2 (enough)
            > canceled 2
            > child-closed 2 -> dropped
            > resume -> op 2 failed: canceled canceled at +0ns
        "#]],
    );
}

#[test]
fn an_end_of_a_child_that_is_in_the_mailbox_stands_against_a_cancel() {
    check(
        "child pack
         timer 1
         wait
         > close
         > fired 3
         > resume
         cancel 2
         > child-closed 2
         wait 2
         > close
         > resume",
        &expect![[r#"
            child pack -> ops 1 and 2
            timer 1 -> op 3
            wait -> waits
            > close -> step 0 at +0ns; start child pack as ops 1 and 2; start timer op 3 to +1s
            > fired 3
            > resume -> op 3: null at +1s
            cancel 2
            > child-closed 2
            wait 2 -> waits
            > close -> step 1 at +1s, consumed [1]
            > resume -> op 2: "grown up" at +1s
        "#]],
    );
}

#[test]
fn a_detached_start_wakes_nobody() {
    check(
        "child pack
         detach 1
         wait
         > close
         > child-started 1
         > resume
         > child-closed 2
         > resume",
        &expect![[r#"
            child pack -> ops 1 and 2
            detach 1
            wait -> waits
            > close -> step 0 at +0ns; start child pack as ops 1 and 2; detach op 1
            > child-started 1 -> dropped
            > resume -> nothing of interest
            > child-closed 2
            > resume -> op 2: "grown up" at +0ns
        "#]],
    );
}

#[test]
fn what_is_sent_ends_when_it_is_there_or_cannot_be() {
    check(
        "signal-to other go
         cancel-of other
         wait
         > close
         > sent 1
         > not-sent 2
         > resume",
        &expect![[r#"
            signal-to other go -> op 1
            cancel-of other -> op 2
            wait -> waits
            > close -> step 0 at +0ns; signal go to other as op 1; cancel other as op 2
            > sent 1
            > not-sent 2
            > resume -> op 1: null, op 2 failed: host not-found at +0ns
        "#]],
    );
}

const STORY: &str = "child pack
                     detach 1
                     signal-to other go
                     cancel-of another
                     wait
                     > close
                     > sent 3
                     > child-closed 2
                     > not-sent 4
                     > resume
                     finish 1";

#[test]
fn a_replay_compares_them_as_commands() {
    let replayed = |from: &str, to: &str| Sim::replay(recorded(STORY)).play(&STORY.replace(from, to));
    expect![[r#"
        child pack -> ops 1 and 2
        detach 1
        signal-to other go -> op 3
        cancel-of another -> op 4
        wait -> op 3: null, op 2: "grown up", op 4 failed: host not-found at +0ns
    "#]]
    .assert_eq(&Sim::replay(recorded(STORY)).play(STORY.split("> close").next().expect("a beginning")));
    let mut mismatches = String::new();
    for (from, to) in [
        ("child pack", "child unpack"),
        ("signal-to other go", "signal-to other stop"),
        ("signal-to other go", "signal-to me go"),
        ("cancel-of another", "cancel-of other"),
        ("child pack", "activity pack"),
    ] {
        let last = replayed(from, to).lines().last().expect("a line").to_owned();
        mismatches.push_str(&format!("{last}\n"));
    }
    expect![[r#"
        child unpack -> MISMATCH the code differs from the journal at 0.0: recorded child.start pack, attempted child.start unpack; workflow: recorded "pack", attempted "unpack"
        signal-to other stop -> MISMATCH the code differs from the journal at 0.2: recorded external.signal go to other, attempted external.signal stop to other; name: recorded "go", attempted "stop"
        signal-to me go -> MISMATCH the code differs from the journal at 0.2: recorded external.signal go to other, attempted external.signal go to me; target: recorded ExecutionRef { workflow_id: WorkflowId("other"), run_id: None }, attempted ExecutionRef { workflow_id: WorkflowId("me"), run_id: None }
        cancel-of other -> MISMATCH the code differs from the journal at 0.3: recorded external.request-cancel of another, attempted external.request-cancel of other; target: recorded ExecutionRef { workflow_id: WorkflowId("another"), run_id: None }, attempted ExecutionRef { workflow_id: WorkflowId("other"), run_id: None }
        activity pack -> MISMATCH the code differs from the journal at 0.0: recorded child.start pack, attempted activity.start pack
    "#]]
    .assert_eq(&mismatches);
}

#[test]
fn the_history_tells_them_by_the_op_of_the_childs_end() {
    let records = recorded(STORY);
    assert_eq!(step(&records[0]).entries.len(), 4);
    expect![[r#"
        1 WorkflowStarted { workflow: "order", input: {}, component: "shop", version: 1 }
        2 ChildInitiated { op: 2, name: "pack", input: 1, summary: None }
        3 OpDetached { op: 1 }
        4 SignalSent { op: 3, target: ExecutionRef { workflow_id: WorkflowId("other"), run_id: None }, name: "go", input: 7 }
        5 CancelSent { op: 4, target: ExecutionRef { workflow_id: WorkflowId("another"), run_id: None }, reason: "enough" }
        6 SendingCompleted { op: 3 }
        7 ChildCompleted { op: 2, name: "pack", result: "grown up" }
        8 SendingFailed { op: 4, failure: Failure { kind: Host, error_type: "not-found", message: "there is no such run", stack: "", details: None, non_retryable: false, causes: [] } }
        9 WorkflowCompleted { result: 1 }
    "#]]
    .assert_eq(&history(&records));
}
