//! A run for tests of what is shown of one.

use std::time::Duration;

use refrain_engine::call::{ActivityCommand, ActivityOptions, Call, Command, Interest, Reply};
use refrain_engine::failure::Outcome;
use refrain_engine::journal::Position;
use refrain_engine::mailbox::Event;
use refrain_engine::ops::OpKind;
use refrain_engine::payload::Payload;
use refrain_engine::run::{Halt, Moment, Pending, SeenCall};
use refrain_engine::time::Timestamp;
use refrain_runtime::{Calls, Place, Stopped};

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000, 0).after(Duration::from_millis(milliseconds))
}

/// The calls of a small run.
pub(super) fn calls() -> Calls {
    let call = |step, index, milliseconds, what: &str, answer: &str| SeenCall {
        position: Position { step, index },
        time: at(milliseconds),
        what: what.to_owned(),
        answer: answer.to_owned(),
    };
    Calls {
        calls: vec![
            call(0, 0, 0, "log.write info begins\n\u{1b}[2Jagain", ""),
            call(0, 1, 0, "timer.start 60s", "#1"),
            call(0, 2, 0, "activity.start charge", "#2"),
            call(0, 3, 0, "wait.next everything", "#2 completed"),
            call(1, 0, 1_500, "wait.next everything", "waits"),
        ],
        end: "the journal ends with this wait".to_owned(),
        backtrace: Vec::new(),
        differs: false,
    }
}

/// The run at one of them.
pub(super) fn moment(call: u64) -> Stopped {
    let input = Payload::json("{\"order\":42,\"cents\": 1.0e3}");
    let options =
        ActivityOptions { start_to_close: Some(Duration::from_secs(60)), ..ActivityOptions::default() };
    let pending = |op, kind, what: &str, canceling| Pending { op, kind, what: what.to_owned(), canceling };
    let timer = pending(1, OpKind::Timer, "timer.start 60s", true);
    let wait = Call::Command(Command::Wait(Interest::Everything));
    let (made, answer, pending) = match call {
        3 => (
            Call::Command(Command::StartActivity(ActivityCommand {
                name: "charge".to_owned(),
                input,
                options,
            })),
            Ok(Reply::Op(2)),
            vec![timer, pending(2, OpKind::Activity, "activity.start charge", false)],
        ),
        4 => {
            let outcome = Outcome::Completed(Payload::json("\"paid\""));
            let hurry = Event::Signal { name: "hurry".to_owned(), input: Payload::null() };
            (wait, Ok(Reply::Events(vec![Event::Finished { op: 2, outcome }, hurry])), vec![timer])
        }
        5 => (wait, Err(Halt::Wait), vec![timer]),
        other => panic!("no moment of call {other}"),
    };
    let seen = &calls().calls[call as usize - 1];
    let backtrace = ["start at /home/ada/refrain-sdk/src/host.rs:70", "{async_fn#0} at src/lib.rs:132"]
        .map(str::to_owned)
        .into();
    Stopped {
        moment: Moment { call, position: seen.position, made, answer, time: seen.time, pending },
        place: Place { event: Some(call), backtrace },
        image: None,
    }
}
