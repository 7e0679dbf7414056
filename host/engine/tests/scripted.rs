//! The scripted guest: the seam between owners and guests, held to what the sandbox must do too.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use refrain_engine::call::{Call, Completion, Interest, Level, Note, Read};
use refrain_engine::failure::FailureKind;
use refrain_engine::guest::{Guest, Guests, OpenError, Stop};
use refrain_engine::ids::Digest;
use refrain_engine::journal::Started;
use refrain_engine::limits::CURRENT;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::run::Run;
use refrain_engine::scripted::{ScriptedGuests, trap};

use support::{CODE, START, activity, completed, started};

/// A script waits for its owner alone, so nothing here is ever pending.
fn drive<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("scripts are ready at once")
}

fn open(guests: &ScriptedGuests) -> Box<dyn Guest> {
    drive(guests.open(CODE, CURRENT)).expect("scripts with this digest")
}

fn new_run() -> Box<Run> {
    Box::new(Run::new(Arc::new(started()), 1))
}

fn arrive(run: &mut Run, number: u64, item: Item) {
    assert!(run.push(MailboxEntry { number, at: START, item }));
    run.resume(START);
}

/// Two activities, one after the other, and their count as the result.
fn two_steps() -> ScriptedGuests {
    let guests = ScriptedGuests::new();
    guests.add(CODE, "order", |host, _| async move {
        for name in ["a", "b"] {
            let op = host.activity(activity(name))?;
            host.read(Read::Now)?;
            host.wait(Interest::Ops(vec![op])).await?;
        }
        Ok(Completion::Completed(Payload::json("2")))
    });
    guests
}

#[test]
fn a_script_is_suspended_and_resumed_to_its_end() {
    let mut guest = open(&two_steps());
    let mut run = new_run();
    for op in [1, 2] {
        let (back, stop) = drive(guest.run(run));
        assert!(matches!(stop, Stop::Wait), "{stop:?}");
        run = back;
        assert_eq!(run.close_step().expect("a live step").effects.len(), 1);
        arrive(&mut run, op, completed(op, "1"));
    }
    let (mut run, stop) = drive(guest.run(run));
    assert!(matches!(stop, Stop::Finished), "{stop:?}");
    let end = run.close_step().expect("the last step").completion;
    assert_eq!(end, Some(Completion::Completed(Payload::json("2"))));
}

#[test]
fn a_dropped_guest_comes_back_by_replay() {
    let guests = two_steps();
    let (mut run, _) = drive(open(&guests).run(new_run()));
    let record = run.close_step().expect("a live step").record;

    let run = Run::replay(Arc::new(started()), vec![record], CODE, 2).expect("it decodes");
    let mut guest = open(&guests);
    let (mut run, stop) = drive(guest.run(Box::new(run)));
    assert!(matches!(stop, Stop::Wait) && run.close_step().is_none(), "nothing new was made");
    arrive(&mut run, 1, completed(1, "1"));
    let (mut run, _) = drive(guest.run(run));
    assert_eq!(run.close_step().expect("a live step").number, 1);
}

#[test]
fn dropping_a_guest_drops_the_suspended_code() {
    struct OnDrop(Arc<AtomicU32>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicU32::new(0));
    let guests = ScriptedGuests::new();
    let counter = Arc::clone(&dropped);
    guests.add(CODE, "order", move |host, _| {
        let held = OnDrop(Arc::clone(&counter));
        async move {
            host.wait(Interest::Everything).await?;
            drop(held);
            Ok(Completion::Completed(Payload::null()))
        }
    });
    let mut guest = open(&guests);
    let (_run, stop) = drive(guest.run(new_run()));
    assert!(matches!(stop, Stop::Wait));
    assert_eq!(dropped.load(Ordering::SeqCst), 0);
    drop(guest);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn a_workflow_that_the_component_does_not_have_fails_as_not_found() {
    let other = Started { workflow: "refund".to_owned(), ..started() };
    let run = Box::new(Run::new(Arc::new(other), 1));
    let (mut run, stop) = drive(open(&two_steps()).run(run));
    assert!(matches!(stop, Stop::Finished), "{stop:?}");
    let Some(Completion::Failed(failure)) = run.close_step().expect("a step").completion else {
        panic!("failed")
    };
    assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Host, "not-found"));
    assert!(failure.message.contains("refund"), "{failure}");
}

#[test]
fn a_component_that_is_not_there_cannot_be_opened() {
    let opened = drive(two_steps().open(Digest([9; 32]), CURRENT));
    assert!(matches!(opened.err(), Some(OpenError::Unknown(Digest([9, ..])))));
}

#[test]
fn a_trap_is_a_trap_live_and_a_mismatch_in_replay() {
    let traps = ScriptedGuests::new();
    traps.add(CODE, "order", |host, _| async move {
        host.read(Read::Now)?;
        Err(trap("unreachable"))
    });
    let (mut run, stop) = drive(open(&traps).run(new_run()));
    assert!(matches!(&stop, Stop::Trap(trap) if trap.message == "unreachable"), "{stop:?}");
    assert!(!run.can_resume() && run.take_events().is_empty());

    let waits = ScriptedGuests::new();
    waits.add(CODE, "order", |host, _| async move {
        host.read(Read::Now)?;
        host.timer(Duration::from_secs(1))?;
        host.wait(Interest::Everything).await?;
        Ok(Completion::Completed(Payload::null()))
    });
    let (mut run, _) = drive(open(&waits).run(new_run()));
    let record = run.close_step().expect("a live step").record;
    let replayed = Run::replay(Arc::new(started()), vec![record], CODE, 1).expect("it decodes");
    let (_, stop) = drive(open(&traps).run(Box::new(replayed)));
    let Stop::Mismatch(mismatch) = stop else { panic!("{stop:?}") };
    assert_eq!(mismatch.attempted, "a trap: unreachable");
    assert_eq!(mismatch.position.to_string(), "0.1");
}

#[test]
fn what_the_code_said_last_outlives_a_trap_if_it_was_an_error() {
    for (level, expected) in [(Level::Error, Some("panicked")), (Level::Info, None)] {
        let traps = ScriptedGuests::new();
        traps.add(CODE, "order", move |host, _| async move {
            let message = "panicked".to_owned();
            host.call(Call::Note(Note::Log { level, message, fields: Vec::new() }))?;
            Err(trap("unreachable"))
        });
        let (run, _) = drive(open(&traps).run(new_run()));
        assert_eq!(run.last_words().as_deref(), expected);
    }
}

#[test]
fn a_misuse_stops_the_guest_like_a_trap() {
    let guests = ScriptedGuests::new();
    guests.add(CODE, "order", |host, _| async move {
        // A script that does not pass the host's answer on cannot finish all the same.
        let _ = host.cancel(7, "there is no op 7");
        Ok(Completion::Completed(Payload::null()))
    });
    let (_, stop) = drive(open(&guests).run(new_run()));
    assert!(
        matches!(&stop, Stop::Trap(trap) if trap.message == "wait.cancel: op 7 was never started"),
        "{stop:?}"
    );
}
