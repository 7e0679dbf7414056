//! The transition tables of the machines that have their tests in this folder: each has all that the machine does, and
//! nothing else.

mod support;

use refrain_engine::activity::{
    Activity, CancelNext, Next, OptionsPatch, Phase, ResetRequest, RetryPatch, Runner, Timeout, Unpause,
};
use refrain_engine::call::{ActivityOptions, Call, Cancellation, Command};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::retry::RetryPolicy;
use refrain_engine::run::{Halt, NOT_HANDLED, NOT_SERVED, TRIED_TO_CHANGE};
use refrain_engine::time::Timestamp;
use refrain_tables::{hold, seen, sequences, unless_refused};

use support::attempts::{Story, secs};
use support::{START, Sim, call, recorded, signal};

// ---- runs

/// What a run goes through first: a live one has no journal, a replay one that was recorded by this script.
const LIVES: [Option<&str>; 4] =
    [None, Some("wait"), Some("timer 1\nwait\n> signal a\n> resume\nwait"), Some("finish 1")];

#[test]
fn the_table_has_all_that_can_become_of_a_run() {
    let mut transitions = Vec::new();
    let events =
        ["wait", "finish 1", "timer 1", "now", "log x", "patched p", "answer 1", "> close", "> resume"];
    let begin = |journal: Option<&str>, asked| match journal.map(recorded) {
        None => Sim::new(),
        Some(journal) if asked => Sim::query(journal),
        Some(journal) => Sim::replay(journal),
    };
    for (journal, asked) in LIVES.into_iter().flat_map(|journal| [(journal, false), (journal, true)]) {
        for events in sequences(&events, 3) {
            let mut sim = begin(journal, asked);
            let mut state = "Executing";
            for line in events {
                let event = match line {
                    "wait" => "wait.next",
                    "finish 1" => "control.finish",
                    "> close" => "close_step",
                    "> resume" => "resume",
                    _ => "other calls",
                };
                let happened = unless_refused(|| match event {
                    "close_step" => {
                        sim.close();
                        state
                    }
                    "resume" => {
                        if sim.run.waiting().is_some() {
                            sim.close();
                            sim.push(signal("b", "null"));
                        }
                        sim.run.resume(START);
                        "Executing"
                    }
                    _ => match sim.run.call(call(line)) {
                        Ok(_) => "Executing",
                        Err(Halt::Wait) => "Waiting",
                        Err(Halt::Finished) => "Finished",
                        Err(
                            Halt::Mismatch(_)
                            | Halt::Limit(_)
                            | Halt::Misuse(_)
                            | Halt::Answered(_)
                            | Halt::Reached,
                        ) => "Halted",
                    },
                });
                let Some(after) = happened else {
                    transitions.push(seen(event, state, "-"));
                    break;
                };
                assert_eq!(sim.run.waiting().is_some(), after == "Waiting");
                transitions.push(seen(event, state, after));
                state = after;
            }
        }
    }
    hold(include_str!("../src/run/mod.rs"), "event", transitions);
}

// ---- queries

/// What the code of a query's instance may do, by the rows of the table.
const CALLS: [(&str, &str); 20] = [
    ("wait.next for messages", "wait"),
    ("wait.next for messages", "wait 1 +m"),
    ("other wait.next", "wait 1"),
    ("messages.answer", "answer 1"),
    ("messages.answer", "answer 7 1"),
    ("control.finish", "finish 1"),
    ("other commands", "activity a"),
    ("other commands", "timer 5"),
    ("other commands", "cancel 1"),
    ("other commands", "detach 1"),
    ("other commands", "child c"),
    ("other commands", "signal-to a b"),
    ("other commands", "cancel-of a"),
    ("other commands", "accept 1"),
    ("other commands", "reject 1"),
    ("other commands", "complete 1 2"),
    ("new markers", "patched new"),
    ("reads", "now"),
    ("notes, markers it has had", "log x"),
    ("return", "return 1"),
];

/// Journals, and what their code does before the calls that are looked at.
const ASKED: [(&str, &str); 9] = [
    ("timer 5\nwait", ""),
    ("timer 5\nwait 1", ""),
    ("now\nwait\n> signal a\n> resume\nactivity a\nwait", ""),
    ("timer 5\nwait 1\n> fired 1\n> resume\nwait", ""),
    ("wait\n> update u go\n> resume\naccept 1\ncomplete 1 2\nwait", "wait"),
    ("finish 1", ""),
    ("patched old\nfinish 1", "patched old\nfinish 1"),
    ("patched old\ntimer 5\nwait", "patched old\ntimer 5\nwait"),
    ("patched old\ntimer 5\nwait", "patched old\ntimer 5\nwait\nanswer 1"),
];

#[test]
fn the_table_has_all_that_an_instance_may_do_that_is_asked() {
    let old_marker = ("notes, markers it has had", "patched old");
    let mut transitions = Vec::new();
    for (journal, before) in ASKED {
        let records = recorded(journal);
        let calls: Vec<_> = CALLS.into_iter().chain(before.contains("old").then_some(old_marker)).collect();
        for calls in sequences(&calls, 2) {
            let mut sim = Sim::query(records.clone());
            let mut stage = before.lines().fold("Replays", |stage, line| after(&mut sim, stage, line));
            for (row, line) in calls {
                let next = after(&mut sim, stage, line);
                transitions.push(seen(row, stage, next));
                if !STAGES.contains(&next) {
                    break;
                }
                stage = next;
            }
        }
    }
    hold(include_str!("../src/run/query.rs"), "call", transitions);
}

const STAGES: [&str; 4] = ["Replays", "Ended", "Asked", "Answered"];

/// The stage that a call leads to from this one, or how the query ends with it.
fn after(sim: &mut Sim, stage: &'static str, line: &str) -> &'static str {
    let answer = match line.strip_prefix("return ") {
        Some(_) => {
            let Call::Command(Command::Finish(completion)) = call("finish 1") else { unreachable!() };
            Err(sim.run.returned(completion))
        }
        None => sim.run.call(call(line)),
    };
    match answer {
        Ok(_) if sim.run.is_replaying() => "Replays",
        Ok(_) if line.starts_with("wait") => "Asked",
        Ok(_) if line.starts_with("finish") => "Ended",
        Ok(_) if line.starts_with("answer") => "Answered",
        Ok(_) => stage,
        Err(Halt::Mismatch(_)) => "mismatch",
        Err(Halt::Misuse(_)) => "misuse",
        Err(Halt::Answered(outcome)) => match *outcome {
            Outcome::Completed(_) => "the answer",
            Outcome::Failed(failure) => match failure.error_type.as_str() {
                NOT_SERVED => "not-served",
                NOT_HANDLED => "not-handled",
                TRIED_TO_CHANGE => "tried-to-change",
                other => panic!("{other}: {failure}"),
            },
        },
        Err(halt @ (Halt::Wait | Halt::Finished | Halt::Limit(_) | Halt::Reached)) => {
            panic!("{line}: {halt:?}")
        }
    }
}

// ---- activities

/// Where an activity stands, by the columns of the table.
fn place(activity: &Activity) -> &'static str {
    match activity.phase {
        Phase::Running { .. } => "Running",
        Phase::Scheduled { .. } | Phase::Backoff { .. } if activity.paused.is_some() => "Held",
        Phase::Scheduled { .. } => "Scheduled",
        Phase::Backoff { .. } => "Backoff",
    }
}

fn followed(activity: &Activity, next: &Next) -> &'static str {
    match next {
        Next::Retry(_) => place(activity),
        Next::Close(_) => "closed",
    }
}

/// When what is looked at happens.
const NOW: Timestamp = Timestamp(START.0 + 5_000_000_000);

/// Activities in all the ways in which they can stand, each with one timeout, and with one attempt or any number.
fn activities() -> Vec<Activity> {
    let timeouts: [fn(&mut ActivityOptions); 4] = [
        |options| options.schedule_to_start = Some(secs(1_000)),
        |options| options.start_to_close = Some(secs(1_000)),
        |options| options.heartbeat = Some(secs(1_000)),
        |options| options.schedule_to_close = Some(secs(1_000)),
    ];
    let mut all = Vec::new();
    for timeout in timeouts {
        for maximum_attempts in [0, 1] {
            let retry = RetryPolicy { maximum_attempts, ..RetryPolicy::default() };
            let cancellation = Cancellation::WaitForCancellation;
            let mut options = ActivityOptions { retry, cancellation, ..ActivityOptions::default() };
            timeout(&mut options);
            for way in [
                "",
                "0 full 30",
                "0 start",
                "0 start worker",
                "0 start\n1 pending",
                "0 start\n1 cancel",
                "0 start\n1 reset",
                "0 start\n1 stop",
                "0 start\n1 fail Busy",
                "0 start\n1 fail Busy after 30",
            ] {
                for pauses in ["", "2 pause", "2 pause\n3 unpause"] {
                    let mut story = Story::new(options.clone());
                    let told = story.play(&format!("{way}\n{pauses}"));
                    if !told.contains("closed") {
                        all.push(story.activity);
                    }
                }
            }
        }
    }
    all
}

/// What happens to an activity, by the rows of the table, and what it leads to: nothing, where it has no such timeout.
type Event = (&'static str, fn(&mut Activity) -> Option<&'static str>);

const EVENTS: [Event; 24] = [
    ("its time comes", |activity| {
        let waits = activity.ready_at().is_some();
        if waits {
            activity.schedule(NOW);
        }
        Some(if waits { place(activity) } else { "-" })
    }),
    ("its queue is full", |activity| {
        let queued = activity.is_queued();
        if queued {
            activity.postpone(NOW.after(secs(1)), failure(FailureKind::Host), NOW);
        }
        Some(if queued { place(activity) } else { "-" })
    }),
    ("an attempt starts", |activity| {
        Some(unless_refused(|| activity.start(Runner::Host, 1, NOW)).map_or("-", |()| place(activity)))
    }),
    ("it answers: later", |activity| {
        Some(unless_refused(|| activity.goes_outside()).map_or("-", |()| place(activity)))
    }),
    ("it succeeds", |activity| Some(activity.check_current(activity.starts).map_or("-", |()| "closed"))),
    ("it fails", |activity| fails(activity, failure(FailureKind::Application))),
    ("it fails", |activity| fails(activity, failure(FailureKind::Canceled))),
    ("it fails", |activity| {
        fails(activity, Failure { non_retryable: true, ..failure(FailureKind::Application) })
    }),
    ("the host restarts", |activity| {
        if !activity.lost_with_host(2) {
            return Some(place(activity));
        }
        let next = activity.restarted(NOW);
        Some(followed(activity, &next))
    }),
    ("schedule-to-start", |activity| {
        activity.options().schedule_to_start?;
        Some(times_out(activity, Timeout::ScheduleToStart))
    }),
    ("start-to-close, heartbeat", |activity| {
        activity.options().start_to_close?;
        Some(times_out(activity, Timeout::StartToClose))
    }),
    ("start-to-close, heartbeat", |activity| {
        activity.options().heartbeat?;
        Some(times_out(activity, Timeout::Heartbeat))
    }),
    ("schedule-to-close", |activity| {
        activity.options().schedule_to_close?;
        Some(times_out(activity, Timeout::ScheduleToClose))
    }),
    ("cancel, try", |activity| cancel(activity, Cancellation::TryCancel)),
    ("cancel, wait", |activity| cancel(activity, Cancellation::WaitForCancellation)),
    ("cancel, abandon", |activity| cancel(activity, Cancellation::Abandon)),
    ("pause", |activity| {
        activity.told_to_stop = None;
        activity.pause("the bank asked".to_owned(), NOW);
        Some(if activity.told_to_stop.is_some() { "told" } else { place(activity) })
    }),
    ("unpause", |activity| by_operator(activity, |activity| activity.unpause(Unpause::default(), NOW))),
    ("unpause", |activity| {
        let how = Unpause { reset_heartbeat: true, ..Unpause::default() };
        by_operator(activity, |activity| activity.unpause(how, NOW))
    }),
    ("unpause, attempts anew", |activity| {
        let how = Unpause { reset_attempts: true, ..Unpause::default() };
        by_operator(activity, |activity| activity.unpause(how, NOW))
    }),
    ("reset", |activity| by_operator(activity, |activity| activity.reset(ResetRequest::default(), NOW))),
    ("reset", |activity| {
        let how = ResetRequest { reset_heartbeat: true, ..ResetRequest::default() };
        by_operator(activity, |activity| activity.reset(how, NOW))
    }),
    ("reset, held as before", |activity| {
        let how = ResetRequest { keep_paused: true, ..ResetRequest::default() };
        by_operator(activity, |activity| activity.reset(how, NOW))
    }),
    ("update options", |activity| {
        let retry = Some(RetryPatch { initial_interval: Some(secs(60)), ..RetryPatch::default() });
        let patch = OptionsPatch { start_to_close: Some(Some(secs(60))), retry, ..OptionsPatch::default() };
        by_operator(activity, |activity| activity.update_options(patch, NOW).expect("good options"))
    }),
];

fn failure(kind: FailureKind) -> Failure {
    Failure::new(kind, "Busy", "the bank is closed")
}

fn fails(activity: &mut Activity, failure: Failure) -> Option<&'static str> {
    if activity.check_current(activity.starts).is_err() {
        return Some("-");
    }
    let next = activity.fail(failure, None, NOW);
    Some(followed(activity, &next))
}

/// The only timeout of the activity passes, if it can where that stands.
fn times_out(activity: &mut Activity, timeout: Timeout) -> &'static str {
    match activity.next_timeout(None) {
        None => "-",
        Some((at, passes)) => {
            assert_eq!(passes, timeout);
            let next = activity.time_out(timeout, at);
            followed(activity, &next)
        }
    }
}

fn cancel(activity: &mut Activity, cancellation: Cancellation) -> Option<&'static str> {
    activity.command.options.cancellation = cancellation;
    Some(match activity.cancel("enough") {
        CancelNext::Close => "closed",
        CancelNext::Tell => "told",
        CancelNext::Abandon => "unwanted",
    })
}

/// An operator does something to an activity; what was asked of it before is the same as nothing.
fn by_operator(activity: &mut Activity, act: impl FnOnce(&mut Activity)) -> Option<&'static str> {
    activity.reset = None;
    act(activity);
    Some(if activity.reset.is_some() { "asked" } else { place(activity) })
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "what may not happen is asserted in debug builds alone")]
fn the_table_has_all_that_can_become_of_an_activity() {
    let mut transitions = Vec::new();
    for activity in activities() {
        for (event, happens) in EVENTS {
            let mut after = activity.clone();
            let led_to = happens(&mut after);
            transitions.extend(led_to.map(|led_to| seen(event, place(&activity), led_to)));
        }
    }
    hold(include_str!("../src/activity/mod.rs"), "event", transitions);
}
