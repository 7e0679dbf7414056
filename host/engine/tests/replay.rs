//! Replays: the same calls get the same answers, another call is a mismatch that says where and what, notes
//! never are, and markers let code change.

mod support;

use std::sync::Arc;

use expect_test::{Expect, expect};
use refrain_engine::call::{ActivityCommand, ActivityOptions, Call, Fairness, Read};
use refrain_engine::codec::{decode, encode};
use refrain_engine::journal::Record;
use refrain_engine::mailbox::Item;
use refrain_engine::payload::Payload;
use refrain_engine::run::{Halt, Run};

use support::{START, Sim, activity, recorded, seconds, start_activity, started};

/// Records the first script's journal and replays it with the calls of the second.
fn replay(script: &str, calls: &str) -> String {
    Sim::replay(recorded(script)).play(calls)
}

const STORY: &str = "now
    activity list
    activity hash
    log started
    wait
    > completed 1
    > resume
    random 2
    timer 5
    wait 3
    > fired 3
    > resume
    finish 1";

const CALLS: &str = "now\n activity list\n activity hash\n log started\n wait\n random 2\n timer 5\n wait 3\n finish 1\n > close";

#[test]
fn the_same_calls_get_the_same_answers() {
    let transcript = replay(STORY, CALLS);
    expect![[r#"
        now -> +0ns
        activity list -> op 1
        activity hash -> op 2
        log started
        wait -> op 1: "ok" at +1µs
        random 2 -> 9819
        timer 5 -> op 3
        wait 3 -> op 3: null at +5.000001s
        finish 1 -> ended
        > close -> nothing
    "#]]
    .assert_eq(&transcript);
}

#[test]
fn the_end_of_a_journal_is_where_a_run_goes_on_live() {
    let story = "activity a\n wait\n > completed 1\n > resume\n timer 5\n wait";
    let mut sim = Sim::replay(recorded(story));
    assert!(sim.run.is_replaying());
    let transcript = sim.play("activity a\n wait\n timer 5\n wait\n > close\n > fired 2\n > at 5\n > resume\n now\n finish 1\n > close");
    assert!(!sim.run.is_replaying());
    expect![[r#"
        activity a -> op 1
        wait -> op 1: "ok" at +0ns
        timer 5 -> op 2
        wait -> waits
        > close -> nothing
        > fired 2
        > at 5
        > resume -> op 2: null at +5s
        now -> +5s
        finish 1 -> ended
        > close -> step 2 at +5s, consumed [1]; Completed(1)
    "#]]
    .assert_eq(&transcript);
}

/// Replays the story with other calls: the whole report, with its likely causes.
fn check(calls: &str, expected: &Expect) {
    let mut sim = Sim::replay(recorded(STORY));
    sim.play(calls);
    expected.assert_eq(&report(&mut sim));
}

fn report(sim: &mut Sim) -> String {
    // After a mismatch every call answers the same one.
    let Err(Halt::Mismatch(mismatch)) = sim.run.call(Call::Read(Read::Now)) else {
        panic!("there was no mismatch")
    };
    let causes: String = mismatch.likely_causes.iter().map(|cause| format!("\n- {cause}")).collect();
    format!("{mismatch}{causes}")
}

#[test]
fn another_command() {
    check(
        "now\n timer 5",
        &expect![[r#"
        the code differs from the journal at 0.1: recorded activity.start list, attempted timer.start 5s
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - calls were reordered"#]],
    );
}

#[test]
fn a_missing_command() {
    check(
        "now\n activity list\n wait",
        &expect![[r#"
        the code differs from the journal at 0.2: recorded activity.start hash, attempted wait.next
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - calls were reordered"#]],
    );
}

#[test]
fn an_additional_command() {
    check(
        "now\n activity list\n activity hash\n activity more",
        &expect![[r#"
        the code differs from the journal at 0.4: recorded wait.next, attempted activity.start more
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - calls were reordered"#]],
    );
}

#[test]
fn another_argument() {
    check(
        "now\n activity list\n activity rehash",
        &expect![[r#"
        the code differs from the journal at 0.2: recorded activity.start hash, attempted activity.start rehash; name: recorded "hash", attempted "rehash"
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - calls were reordered"#]],
    );
    check(
        "now\n activity list\n activity hash\n wait 1",
        &expect![[r#"
        the code differs from the journal at 0.4: recorded wait.next, attempted wait.next; interest: recorded Everything, attempted Ops([1])
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - calls were reordered"#]],
    );
    check(
        "now\n activity list\n activity hash\n wait\n random 2\n timer 6",
        &expect![[r#"
        the code differs from the journal at 1.1: recorded timer.start 5s, attempted timer.start 6s; delay: recorded 5s, attempted 6s
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - calls were reordered"#]],
    );
}

#[test]
fn another_input_and_other_options() {
    let mut sim = Sim::replay(recorded(STORY));
    sim.play("now");
    let options =
        ActivityOptions { priority: Some(1), summary: Some("not compared".to_owned()), ..support::options() };
    let input = Payload::json("2");
    let halt = sim.run.call(start_activity(ActivityCommand { input, options, ..activity("list") }));
    assert!(matches!(halt, Err(Halt::Mismatch(_))));
    expect![[r#"
        the code differs from the journal at 0.1: recorded activity.start list, attempted activity.start list; input: recorded 1, attempted 2; priority: recorded None, attempted Some(1)
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - the input is serialised in another order or form: keep field order, and maps in a stable order"#]].assert_eq(&report(&mut sim));
}

#[test]
fn each_option_that_differs_is_named() {
    let differs = |change: fn(&mut ActivityOptions)| {
        let mut sim = Sim::replay(recorded(STORY));
        sim.play("now");
        let mut command = activity("list");
        change(&mut command.options);
        match sim.run.call(start_activity(command)) {
            Err(Halt::Mismatch(mismatch)) => {
                let fields = mismatch.differences.iter();
                let fields: Vec<_> =
                    fields.map(|d| format!("{}: {} -> {}", d.field, d.recorded, d.attempted)).collect();
                fields.join(", ")
            }
            other => panic!("{other:?}"),
        }
    };
    let changes: [fn(&mut ActivityOptions); 8] = [
        |options| options.retry.initial_interval = seconds("2"),
        |options| options.retry.backoff_coefficient = 1.5,
        |options| options.retry.maximum_interval = Some(seconds("5")),
        |options| options.retry.maximum_attempts = 3,
        |options| options.retry.non_retryable_error_types = vec!["BadCard".to_owned()],
        |options| options.retry.jitter = 0.25,
        |options| options.fairness = Some(Fairness { key: "acme".to_owned(), weight: 2.0 }),
        |options| options.local = true,
    ];
    let lines: String = changes.into_iter().map(|change| differs(change) + "\n").collect();
    expect![[r#"
        retry.initial-interval: 1s -> 2s
        retry.backoff-coefficient: 2.0 -> 1.5
        retry.maximum-interval: None -> Some(5s)
        retry.maximum-attempts: 0 -> 3
        retry.non-retryable-error-types: [] -> ["BadCard"]
        retry.jitter: 0.0 -> 0.25
        fairness-key: None -> Some("acme"), fairness-weight: None -> Some(2.0)
        local: false -> true
    "#]]
    .assert_eq(&lines);
}

#[test]
fn texts_for_people_are_not_compared() {
    let mut sim = Sim::replay(recorded(STORY));
    sim.play("now");
    let options = ActivityOptions { summary: Some("lists the files".to_owned()), ..support::options() };
    sim.run.call(start_activity(ActivityCommand { options, ..activity("list") })).expect("the same call");
}

#[test]
fn an_earlier_and_a_later_end() {
    check(
        "now\n activity list\n finish 1",
        &expect![[r#"
        the code differs from the journal at 0.2: recorded activity.start hash, attempted control.finish
        - the new code ends earlier than the recorded code: a step was removed
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version"#]],
    );
    let calls = CALLS.replace("finish 1\n > close", "activity more");
    check(
        &calls,
        &expect![[r#"
        the code differs from the journal at 2.0: recorded control.finish, attempted activity.start more
        - the recorded code ended here and the new code goes on: a step was added at the end
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version"#]],
    );
}

#[test]
fn another_result() {
    check(
        &CALLS.replace("finish 1\n > close", "finish 2"),
        &expect![[r#"
        the code differs from the journal at 2.0: recorded control.finish, attempted control.finish; completion: recorded Completed(1), attempted Completed(2)
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - the result depends on something that is not in the journal"#]],
    );
}

#[test]
fn a_read_in_place_of_a_command_and_the_other_way_round() {
    check(
        "now\n uuid",
        &expect![[r#"
        the code differs from the journal at 0.1: recorded activity.start list, attempted context.uuid
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - a clock or random read was added or removed: reads match by position too"#]],
    );
    check(
        "activity list",
        &expect![[r#"
        the code differs from the journal at 0.0: recorded context.now, attempted activity.start list
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - a clock or random read was added or removed: reads match by position too"#]],
    );
    check(
        "uuid",
        &expect![[r#"
        the code differs from the journal at 0.0: recorded context.now, attempted context.uuid
        - the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version
        - a clock or random read was added or removed: reads match by position too"#]],
    );
}

#[test]
fn fewer_and_more_reads_than_recorded() {
    let story = "random 4\n random 4\n timer 1\n wait";
    let fewer = replay(story, "random 4\n timer 1");
    expect![[r#"
        random 4 -> 98191f46
        timer 1 -> MISMATCH the code differs from the journal at 0.0: recorded context.random-bytes, attempted timer.start 1s
    "#]].assert_eq(&fewer);
    let more = replay(story, "random 4\n random 4\n random 4");
    expect![[r#"
        random 4 -> 98191f46
        random 4 -> e5830216
        random 4 -> MISMATCH the code differs from the journal at 0.1: recorded timer.start 1s, attempted context.random-bytes
    "#]].assert_eq(&more);
}

#[test]
fn a_trap_and_a_misuse_in_a_replay_are_mismatches() {
    let sim = Sim::replay(recorded(STORY));
    let mismatch = sim.run.trapped("index out of bounds").expect("entries are left");
    expect!["the code differs from the journal at 0.0: recorded context.now, attempted a trap: index out of bounds"].assert_eq(&mismatch.to_string());

    let misuse = replay(STORY, "now\n random 70000");
    expect![[r#"
        now -> +0ns
        random 70000 -> MISMATCH the code differs from the journal at 0.1: recorded activity.start list, attempted a trap: context.random-bytes: len is 70000: ask for at most 65536 bytes at a time
    "#]].assert_eq(&misuse);

    let mut live = Sim::replay(recorded("wait"));
    live.play("wait\n > signal go\n > resume");
    assert_eq!(live.run.trapped("index out of bounds"), None, "past the journal's end a trap is a trap");
}

#[test]
fn a_mismatch_leaves_the_run_halted() {
    let mut sim = Sim::replay(recorded(STORY));
    let first = sim.play("uuid");
    assert_eq!(sim.play("uuid"), first);
    let again = sim.run.call(Call::Read(refrain_engine::call::Read::Now));
    assert!(matches!(again, Err(Halt::Mismatch(_))), "not even the recorded call goes on after a mismatch");
}

#[test]
fn notes_are_never_a_mismatch() {
    let story = "log one\n activity a\n log two\n wait\n > completed 1\n > resume\n finish 1";
    for calls in [
        "activity a\n wait\n finish 1",
        "log other\n activity a\n log more\n log and\n wait\n log late\n finish 1",
    ] {
        let transcript = replay(story, calls);
        assert!(transcript.ends_with("finish 1 -> ended\n"), "{transcript}");
    }
    // A replayed log is not written again, and one past the journal's end is.
    let mut sim = Sim::replay(recorded("log one\n wait"));
    sim.play("log one\n wait\n > signal go\n > resume\n log two\n wait\n > close");
    assert_eq!(support::step(sim.records.last().expect("two steps")).entries.len(), 1);
    assert_eq!(sim.records.len(), 2);
}

#[test]
fn a_marker_that_was_added_is_false_for_the_whole_run() {
    let mut sim = Sim::replay(recorded("activity a\n wait"));
    let transcript = sim.play(
        "patched faster
         version tax 2 5
         activity a
         wait
         > completed 1
         > resume
         patched faster
         version tax 1 5
         patched newer
         wait
         > close",
    );
    expect![[r#"
        patched faster -> false
        version tax 2 5 -> version 2
        activity a -> op 1
        wait -> waits
        > completed 1
        > resume -> op 1: "ok" at +0ns
        patched faster -> false
        version tax 1 5 -> version 2
        patched newer -> true
        wait -> waits
        > close -> step 1 at +0ns, consumed [1]
    "#]]
    .assert_eq(&transcript);
    // The run is replayed again by the same code: the same answers.
    let again = Sim::replay(sim.records).play(
        "patched faster\n version tax 2 5\n activity a\n wait\n patched faster\n version tax 1 5\n patched newer\n wait",
    );
    expect![[r#"
        patched faster -> false
        version tax 2 5 -> version 2
        activity a -> op 1
        wait -> op 1: "ok" at +0ns
        patched faster -> false
        version tax 1 5 -> version 2
        patched newer -> true
        wait -> waits
    "#]]
    .assert_eq(&again);
}

const MARKED: &str = "patched a\n version b 1 3\n activity x\n patched c\n now\n wait\n > completed 1\n > resume\n patched a\n wait";

#[test]
fn markers_that_are_present_answer_as_recorded() {
    let calls = "patched a\n version b 1 4\n activity x\n patched c\n now\n wait\n patched a\n wait";
    expect![[r#"
        patched a -> true
        version b 1 4 -> version 3
        activity x -> op 1
        patched c -> true
        now -> +0ns
        wait -> op 1: "ok" at +1µs
        patched a -> true
        wait -> waits
    "#]]
    .assert_eq(&replay(MARKED, calls));
}

#[test]
fn markers_that_were_removed_are_skipped() {
    let transcript = replay(MARKED, "activity x\n now\n wait\n wait");
    expect![[r#"
        activity x -> op 1
        now -> +0ns
        wait -> op 1: "ok" at +1µs
        wait -> waits
    "#]]
    .assert_eq(&transcript);
}

#[test]
fn markers_may_change_their_order_and_move_down() {
    let reordered = "version b 1 3\n patched a\n activity x\n now\n wait\n patched c\n patched a\n wait";
    expect![[r#"
        version b 1 3 -> version 3
        patched a -> true
        activity x -> op 1
        now -> +0ns
        wait -> op 1: "ok" at +1µs
        patched c -> true
        patched a -> true
        wait -> waits
    "#]]
    .assert_eq(&replay(MARKED, reordered));
}

#[test]
fn a_version_that_the_code_no_longer_has_is_a_mismatch_in_replay() {
    expect![[r#"
        patched a -> true
        version b 4 9 -> MISMATCH the code differs from the journal at 0.2: recorded activity.start x, attempted a trap: version.get-version: this run follows version 3 of "b", and the code has only 4 to 9: run it with older code
    "#]].assert_eq(&replay(MARKED, "patched a\n version b 4 9"));
}

#[test]
fn a_damaged_record_is_named_and_parks_the_run() {
    let mut records = recorded("activity a\n wait\n > completed 1\n > resume\n wait");
    records[1] = records[1].slice(..records[1].len() / 2);
    let transcript = Sim::replay(records).play("activity a\n wait");
    expect![[r#"
        activity a -> op 1
        wait -> MISMATCH the code differs from the journal at 1.0: recorded a stored journal record cannot be read: end of input bytes, attempted wait.next
    "#]].assert_eq(&transcript);
}

/// A journal that nobody can have recorded, though each of its records decodes.
#[test]
fn a_step_out_of_its_place_and_an_end_of_nothing_are_damage() {
    let mut records = recorded("activity a\n wait\n > completed 1\n > resume\n wait");
    let [first, second] = [records[0].clone(), records[1].clone()];
    records.push(second.clone());
    let transcript = Sim::replay(records).play("activity a\n wait\n wait");
    expect![[r#"
        activity a -> op 1
        wait -> op 1: "ok" at +0ns
        wait -> MISMATCH the code differs from the journal at 2.0: recorded a stored journal record cannot be read: decode error: it is step 1, where step 2 belongs, attempted wait.next
    "#]].assert_eq(&transcript);

    let Record::Step(mut step) = decode::<Record>("record", &second).expect("it was encoded") else {
        panic!("it is a step")
    };
    step.delivered[0].item = Item::TimerFired { op: u64::MAX, deadline: START };
    let never_started = encode(&Record::Step(step.clone()));
    let transcript = Sim::replay(vec![first.clone(), never_started]).play("activity a\n wait");
    expect![[r#"
        activity a -> op 1
        wait -> MISMATCH the code differs from the journal at 1.0: recorded a stored journal record cannot be read: decode error: op 18446744073709551615 was never started, attempted wait.next
    "#]].assert_eq(&transcript);

    step.number = 0;
    let (started, code) = (Arc::new(started()), started().digest);
    let begins_with_an_end = Run::replay(started.clone(), vec![encode(&Record::Step(step))], code, 1);
    expect![
        "a stored journal record cannot be read: decode error: op 18446744073709551615 was never started"
    ]
    .assert_eq(&begins_with_an_end.expect_err("nothing was started").to_string());
    let begins_late = Run::replay(started.clone(), vec![second], code, 1);
    expect!["a stored journal record cannot be read: decode error: it is step 1, where step 0 belongs"]
        .assert_eq(&begins_late.expect_err("it is not the first step").to_string());
}
