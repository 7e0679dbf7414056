//! Queries: what an instance may do that was made to answer one, and how it comes to its end.

mod support;

use expect_test::{Expect, expect};
use refrain_engine::codec;
use refrain_engine::journal::{Record, Terminated};
use refrain_engine::run::{Halt, Run};

use support::{START, Sim, recorded};

/// Asks a run with this journal, by code that makes the same calls and then those.
fn check(journal: &str, asked: &str, expected: &Expect) {
    expected.assert_eq(&transcript(journal, asked));
}

fn transcript(journal: &str, asked: &str) -> String {
    let mut sim = Sim::query(recorded(journal));
    let replayed = journal.lines().map(str::trim).filter(|line| !line.starts_with('>'));
    let replayed = replayed.map(|line| format!("{line}\n")).collect::<String>();
    sim.play(&format!("{replayed}{asked}"))
}

const WAITING: &str = "timer 5
                       now
                       wait";

#[test]
fn a_query_comes_where_the_journal_ends_and_its_answer_counts_from_the_next_wait() {
    check(
        WAITING,
        "now
         uuid
         info
         log looking
         answer 42
         log answered
         wait",
        &expect![[r#"
            timer 5 -> op 1
            now -> +0ns
            wait -> query 0 status at +0ns
            now -> +1µs
            uuid -> 98191f46-e583-4216-8454-36978803697a
            info -> 3 entries, 39 bytes
            log looking
            answer 42
            log answered
            wait -> ANSWERED 42
        "#]],
    );
}

#[test]
fn all_recorded_steps_are_replayed_before_the_query_comes() {
    check(
        "timer 5
         wait
         > fired 1
         > resume
         activity a
         wait 2 +m",
        "answer 1
         wait",
        &expect![[r#"
            timer 5 -> op 1
            wait -> op 1: null at +5s
            activity a -> op 2
            wait 2 +m -> query 0 status at +5s
            answer 1
            wait -> ANSWERED 1
        "#]],
    );
}

#[test]
fn an_earlier_step_is_asked_by_giving_the_records_up_to_it() {
    let records = recorded(
        "wait
         > signal first
         > resume
         activity a
         wait 1",
    );
    assert_eq!(records.len(), 2);
    let mut then = Sim::query(records[..1].to_vec());
    expect![[r#"
        wait -> query 0 status at +0ns
        answer 0
        wait -> ANSWERED 0
    "#]]
    .assert_eq(&then.play("wait\nanswer 0\nwait"));
    assert_eq!(then.run.step(), 0);
    let mut now = Sim::query(records);
    expect![[r#"
        wait -> signal first at +0ns
        activity a -> op 1
        wait 1 -> FAILED not-served: the run takes no queries where it stands: it waits for op 1, and takes no messages meanwhile
    "#]].assert_eq(&now.play("wait\nactivity a\nwait 1"));
    assert_eq!(now.run.step(), 1);
}

#[test]
fn what_a_run_would_record_ends_the_query() {
    let mut told = String::new();
    for call in [
        "activity b",
        "timer 1",
        "cancel 1",
        "detach 1",
        "wait 1",
        "finish 1",
        "return 1",
        "patched new",
        "version new 1 2",
    ] {
        let asked = transcript(WAITING, call);
        told.push_str(asked.lines().last().expect("a line"));
        told.push('\n');
        let answered = transcript(WAITING, &format!("answer 42\n{call}"));
        assert!(answered.contains("FAILED query-tried-to-change"), "{answered}");
    }
    expect![[r#"
        activity b -> FAILED query-tried-to-change: the query's handling called activity.start: a query only looks, and may not
        timer 1 -> FAILED query-tried-to-change: the query's handling called timer.start: a query only looks, and may not
        cancel 1 -> FAILED query-tried-to-change: the query's handling called wait.cancel: a query only looks, and may not
        detach 1 -> FAILED query-tried-to-change: the query's handling called wait.detach: a query only looks, and may not
        wait 1 -> FAILED query-tried-to-change: the query's handling called wait.next: a query only looks, and may not
        finish 1 -> FAILED query-tried-to-change: the query's handling called control.finish: a query only looks, and may not
        return 1 -> FAILED query-tried-to-change: the query's handling called control.finish: a query only looks, and may not
        patched new -> FAILED query-tried-to-change: the query's handling called version.patched: a query only looks, and may not
        version new 1 2 -> FAILED query-tried-to-change: the query's handling called version.get-version: a query only looks, and may not
    "#]].assert_eq(&told);
}

#[test]
fn a_marker_that_the_run_has_had_may_be_asked_for() {
    check(
        "patched first
         wait",
        "patched first
         answer 1
         patched second",
        &expect![[r#"
            patched first -> true
            wait -> query 0 status at +0ns
            patched first -> true
            answer 1
            patched second -> FAILED query-tried-to-change: the query's handling called version.patched: a query only looks, and may not
        "#]],
    );
}

#[test]
fn a_wait_without_an_answer_fails_the_query() {
    check(
        WAITING,
        "log what?\nwait",
        &expect![[r#"
        timer 5 -> op 1
        now -> +0ns
        wait -> query 0 status at +0ns
        log what?
        wait -> FAILED not-handled: the workflow's code took the query and waited again without an answer
    "#]],
    );
}

#[test]
fn answers_that_the_contract_forbids() {
    check(
        WAITING,
        "answer 7 1",
        &expect![[r#"
        timer 5 -> op 1
        now -> +0ns
        wait -> query 0 status at +0ns
        answer 7 1 -> MISUSE messages.answer: query is 7, and no wait delivered such a query: answer the request of the message
    "#]],
    );
    check(
        WAITING,
        "answer 1\nanswer 2",
        &expect![[r#"
        timer 5 -> op 1
        now -> +0ns
        wait -> query 0 status at +0ns
        answer 1
        answer 2 -> MISUSE messages.answer: query 0 is answered: answer each query once
    "#]],
    );
    let large = format!("\"{}\"", "x".repeat(3 << 20));
    let transcript = transcript(WAITING, &format!("answer {large}"));
    assert!(transcript.ends_with("keep large values in a file or an object store and pass a reference\n"));
    let mut live = Sim::new();
    expect![[r#"
        answer 1 -> MISUSE messages.answer: query is 0, and no wait delivered such a query: answer the request of the message
    "#]].assert_eq(&live.play("answer 1"));
}

#[test]
fn a_run_that_takes_no_messages_where_it_stands_serves_no_query() {
    check(
        "activity a
         wait 1",
        "answer 1",
        &expect![[r#"
            activity a -> op 1
            wait 1 -> FAILED not-served: the run takes no queries where it stands: it waits for op 1, and takes no messages meanwhile
        "#]],
    );
    let mut unborn = Sim::query(Vec::new());
    expect![[r#"
        now -> FAILED not-served: the run takes no queries where it stands: it has not come to its first wait
    "#]]
    .assert_eq(&unborn.play("now"));
    assert_eq!(unborn.run.step(), 0);
}

#[test]
fn a_run_that_has_ended_is_asked_if_its_code_goes_on() {
    let ended = "timer 5
                 finish 42";
    check(
        ended,
        "now\nwait\nanswer 42\nwait",
        &expect![[r#"
        timer 5 -> op 1
        finish 42
        now -> +0ns
        wait -> query 0 status at +0ns
        answer 42
        wait -> ANSWERED 42
    "#]],
    );
    check(
        ended,
        "wait 1",
        &expect![[r#"
            timer 5 -> op 1
            finish 42
            wait 1 -> FAILED not-served: the run takes no queries where it stands: it waits for op 1, and takes no messages meanwhile
        "#]],
    );
    check(
        ended,
        "timer 1",
        &expect![[r#"
        timer 5 -> op 1
        finish 42
        timer 1 -> FAILED query-tried-to-change: the query's handling called timer.start: a query only looks, and may not
    "#]],
    );
    check(
        ended,
        "return 42",
        &expect![[r#"
            timer 5 -> op 1
            finish 42
            return 42 -> FAILED not-served: the run takes no queries where it stands: it has ended, and its code does not go on to answer queries after that
        "#]],
    );
    // The recorded end was a return.
    let mut sim = Sim::query(recorded(ended));
    expect![[r#"
        timer 5 -> op 1
        return 42 -> FAILED not-served: the run takes no queries where it stands: it has ended, and its code does not go on to answer queries after that
    "#]].assert_eq(&sim.play("timer 5\nreturn 42"));
}

#[test]
fn a_run_that_was_terminated_is_asked_where_it_waited() {
    let mut records = recorded("wait");
    let terminated = Terminated { time: START, boot: 1, reason: "enough".to_owned() };
    records.push(codec::encode(&Record::Terminated(terminated)));
    let mut sim = Sim::query(records);
    expect![[r#"
        wait -> query 0 status at +0ns
        answer 1
        wait -> ANSWERED 1
    "#]]
    .assert_eq(&sim.play("wait\nanswer 1\nwait"));
}

#[test]
fn code_that_differs_from_the_journal_is_told_so() {
    check(
        "activity a\nwait",
        "",
        &expect![[r#"
        activity a -> op 1
        wait -> query 0 status at +0ns
    "#]],
    );
    let mut sim = Sim::query(recorded("activity a\nwait"));
    expect![[r#"
        activity b -> MISMATCH the code differs from the journal at 0.0: recorded activity.start a, attempted activity.start b; name: recorded "a", attempted "b"
    "#]].assert_eq(&sim.play("activity b\nwait"));
}

#[test]
fn a_query_that_is_over_answers_the_same_to_every_call() {
    let mut sim = Sim::query(recorded("wait"));
    sim.play("wait\nanswer 1\nwait");
    for line in ["now", "wait", "answer 2"] {
        assert!(matches!(sim.run.call(support::call(line)), Err(Halt::Answered(_))), "{line}");
    }
}

#[test]
fn a_trap_while_a_query_is_handled_is_a_trap_with_its_last_words() {
    let mut sim = Sim::query(recorded("wait"));
    sim.play("wait\nerror index-out-of-bounds");
    let words = |run: &Run| run.last_words();
    assert_eq!(words(&sim.run).as_deref(), Some("index-out-of-bounds"));
    assert_eq!(sim.run.trapped("unreachable"), None);
    sim.play("log fine");
    assert_eq!(words(&sim.run), None);
}
