//! Replays that are looked at: each call in its order, and stops at each of them.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use futures::FutureExt;
use refrain_engine::call::{Call, Command, Completion, Interest, MarkerCall, Read};
use refrain_engine::guest::{Guests, Stop};
use refrain_engine::ids::Digest;
use refrain_engine::limits::CURRENT;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::run::{Halt, Moment, Run, SeenCall, Watch};
use refrain_engine::scripted::ScriptedGuests;

use support::{CODE, START, activity, child, completed, signal, started};

/// Code that makes the same calls but for its last activity.
const OTHER: Digest = Digest([2; 32]);

/// A script waits for its owner alone, so nothing here is ever pending.
fn drive<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("scripts are ready at once")
}

/// Each class of calls, in three steps.
fn guests() -> ScriptedGuests {
    let guests = ScriptedGuests::new();
    for (code, last) in [(CODE, "ship"), (OTHER, "send")] {
        guests.add(code, "order", move |host, _| async move {
            host.read(Read::Now)?;
            host.read(Read::Now)?;
            host.log("begins")?;
            host.log("goes on")?;
            host.call(Call::Marker(MarkerCall::Patched { id: "new".to_owned() }))?;
            let charge = host.activity(activity("charge"))?;
            let timer = host.timer(Duration::from_secs(60))?;
            host.wait(Interest::Ops(vec![charge])).await?;
            host.cancel(timer, "in time")?;
            host.child(child("label"))?;
            host.wait(Interest::Everything).await?;
            host.read(Read::Uuid)?;
            host.detach(timer)?;
            host.activity(activity(last))?;
            host.log("done")?;
            Ok(Completion::Completed(Payload::json("7")))
        });
    }
    guests
}

/// The records of a run of these guests.
fn journal() -> Vec<Bytes> {
    let mut guest = drive(guests().open(CODE, CURRENT)).expect("the script");
    let mut run = Box::new(Run::new(Arc::new(started()), 1));
    let arrivals: [Item; 2] = [completed(1, "\"paid\""), signal("hurry", "1")];
    let mut records = Vec::new();
    for (number, item) in (1..).zip(arrivals) {
        let (back, stop) = drive(guest.run(run));
        assert!(matches!(stop, Stop::Wait), "{stop:?}");
        run = back;
        records.push(run.close_step().expect("a step").record);
        assert!(run.push(MailboxEntry { number, at: START, item }));
        run.resume(START.after(Duration::from_secs(number)));
    }
    let (mut run, stop) = drive(guest.run(run));
    assert!(matches!(stop, Stop::Finished), "{stop:?}");
    records.push(run.close_step().expect("the last step").record);
    records
}

fn look(code: Digest, records: &[Bytes], watch: Watch) -> (Box<Run>, Stop) {
    let run = Run::watch(Arc::new(started()), records.to_vec(), code, watch).expect("it decodes");
    drive(drive(guests().open(code, CURRENT)).expect("the script").run(Box::new(run)))
}

fn calls(code: Digest, records: &[Bytes]) -> Vec<SeenCall> {
    look(code, records, Watch::Calls).0.seen()
}

fn moment(code: Digest, records: &[Bytes], call: u64) -> Option<Moment> {
    let (mut run, stop) = look(code, records, Watch::Until(call));
    let moment = run.moment();
    assert_eq!(matches!(stop, Stop::Reached(_)), moment.is_some(), "{stop:?}");
    assert!(moment.is_none() || !run.can_resume(), "it goes no further");
    moment.map(|moment| *moment)
}

fn check(calls: &[SeenCall], expected: &Expect) {
    let lines = calls.iter().map(|call| {
        let SeenCall { position, time, what, answer } = call;
        format!("{position} +{:?} {what} -> {answer}", time.since(START)).trim_end_matches(" -> ").to_owned()
            + "\n"
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn each_call_is_seen_with_its_place_and_answer() {
    check(
        &calls(CODE, &journal()),
        &expect![[r#"
        0.0 +0ns context.now -> 2023-11-14T22:13:20Z
        0.0 +1µs context.now -> 2023-11-14T22:13:20.000001Z
        0.1 +2µs log.write info begins
        0.2 +2µs log.write info goes on
        0.3 +2µs version.patched new -> true
        0.4 +2µs activity.start charge -> #1
        0.5 +2µs timer.start 60s -> #2
        0.6 +2µs wait.next op 1 -> #1 completed
        1.0 +1s wait.cancel of op 2
        1.1 +1s child.start label -> #3 #4
        1.2 +1s wait.next everything -> signal hurry
        2.0 +2s context.uuid -> 98191f46-e583-4216-8454-36978803697a
        2.1 +2s wait.detach of op 2
        2.2 +2s activity.start ship -> #5
        2.3 +2s log.write info done
        2.4 +2s control.finish -> ends
    "#]],
    );
}

#[test]
fn a_replay_stops_at_each_call_and_backwards_it_finds_the_same() {
    let records = journal();
    let calls = calls(CODE, &records);
    let forwards: Vec<Moment> =
        (1..=calls.len() as u64).map(|call| moment(CODE, &records, call).expect("a moment")).collect();
    let mut backwards: Vec<Moment> =
        (1..=calls.len() as u64).rev().map(|call| moment(CODE, &records, call).expect("a moment")).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    for (call, (seen, moment)) in (1..).zip(calls.iter().zip(&forwards)) {
        assert_eq!((moment.call, moment.position), (call, seen.position));
        assert!(seen.what.starts_with(moment.made.import()), "{seen:?}");
    }
    assert!(matches!(&forwards.last().expect("a call").answer, Err(Halt::Finished)));
    assert_eq!(moment(CODE, &records, calls.len() as u64 + 1), None, "there is no such call");
}

#[test]
fn what_is_pending_comes_and_goes() {
    let records = journal();
    let pending = (1..=calls(CODE, &records).len() as u64).map(|call| {
        let moment = moment(CODE, &records, call).expect("a moment");
        let pending = moment.pending.iter().map(|op| {
            let canceling = if op.canceling { ", canceling" } else { "" };
            format!(" #{} {}{canceling};", op.op, op.what)
        });
        format!("{}:{}\n", moment.position, pending.collect::<String>())
    });
    expect![[r#"
        0.0:
        0.0:
        0.1:
        0.2:
        0.3:
        0.4: #1 activity.start charge;
        0.5: #1 activity.start charge; #2 timer.start 60s;
        0.6: #2 timer.start 60s;
        1.0: #2 timer.start 60s, canceling;
        1.1: #2 timer.start 60s, canceling; #3 child.start label; #4 child.start label;
        1.2: #2 timer.start 60s, canceling; #3 child.start label; #4 child.start label;
        2.0: #2 timer.start 60s, canceling; #3 child.start label; #4 child.start label;
        2.1: #3 child.start label; #4 child.start label;
        2.2: #3 child.start label; #4 child.start label; #5 activity.start ship;
        2.3: #3 child.start label; #4 child.start label; #5 activity.start ship;
        2.4: #3 child.start label; #4 child.start label; #5 activity.start ship;
    "#]]
    .assert_eq(&pending.collect::<String>());
}

#[test]
fn a_run_that_waits_is_seen_up_to_its_wait() {
    let records = &journal()[..2];
    let (mut run, stop) = look(CODE, records, Watch::Calls);
    assert!(matches!(stop, Stop::Wait), "{stop:?}");
    let calls = run.seen();
    let last = moment(CODE, records, calls.len() as u64).expect("a moment");
    assert_eq!(
        (last.made, last.answer),
        (Call::Command(Command::Wait(Interest::Everything)), Err(Halt::Wait))
    );
}

#[test]
fn other_code_is_seen_up_to_where_it_differs() {
    let records = journal();
    let (mut run, stop) = look(OTHER, &records, Watch::Calls);
    assert!(matches!(stop, Stop::Mismatch(_)), "{stop:?}");
    let calls = run.seen();
    check(
        &calls[calls.len() - 2..],
        &expect![[r#"
        2.1 +2s wait.detach of op 2
        2.2 +2s activity.start send -> the code differs from the journal at 2.2: recorded activity.start ship, attempted activity.start send; name: recorded "ship", attempted "send"
    "#]],
    );
    let last = moment(OTHER, &records, calls.len() as u64).expect("a moment");
    assert!(matches!(last.answer, Err(Halt::Mismatch(_))), "{last:?}");
}

#[test]
fn a_run_that_has_made_no_step_has_no_calls() {
    let (mut run, stop) = look(CODE, &[], Watch::Calls);
    assert!(matches!(stop, Stop::Reached(_)) && run.seen().is_empty() && run.moment().is_none(), "{stop:?}");
}
