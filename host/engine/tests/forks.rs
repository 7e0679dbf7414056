//! Runs whose journal begins with steps of another one, and what those steps leave open.

mod support;

use std::collections::BTreeSet;

use bytes::Bytes;
use expect_test::{Expect, expect};
use refrain_engine::call::{Call, Read, Reply};
use refrain_engine::codec;
use refrain_engine::failure::Outcome;
use refrain_engine::fork::{ForkPoint, NOT_ADOPTED, Sending};
use refrain_engine::ids::RunId;
use refrain_engine::journal::{Record, Started, Terminated};
use refrain_engine::mailbox::Item;

use support::{CODE, START, Sim, recorded, since_start, started};

/// The run with this number, which begins with the steps of `base` before `step`.
fn forked(base: &Started, number: u8, step: u64) -> Started {
    Started {
        run_id: RunId::from_bytes([number; 16]),
        continued_run_id: Some(base.run_id),
        at: START.after(std::time::Duration::from_secs(1_000)),
        seed: [number; 32],
        attempt: 7,
        forks: base.forks_at(step),
        ..base.clone()
    }
}

/// Draws in each of three steps, and says who it is.
const STORY: [&str; 3] = ["uuid\n random 8\n wait", "uuid\n random 8\n wait", "uuid\n random 8\n finish 1"];

/// Makes a step for each part of the story from where the run's journal ends. Answers all that was drawn in these
/// steps and in those that were replayed, and who the run was told to be in each.
fn play(sim: &mut Sim) -> (Vec<String>, Vec<(u8, u32)>) {
    let (mut drawn, mut identities) = (Vec::new(), Vec::new());
    for part in STORY {
        let Ok(Reply::Info(info)) = sim.run.call(Call::Read(Read::Info)) else { panic!("info") };
        identities.push((info.run_id.as_bytes()[0], info.attempt));
        let transcript = sim.play(part);
        drawn.extend(
            transcript
                .lines()
                .filter_map(|line| line.split_once(" -> "))
                .map(|(_, answer)| answer.to_owned()),
        );
        assert!(!transcript.contains("MISMATCH"), "{transcript}");
        if transcript.contains("waits") {
            sim.play("> signal go\n > resume");
        }
    }
    sim.close();
    drawn.retain(|answer| !answer.contains("wait") && !answer.contains("signal") && answer != "ended");
    (drawn, identities)
}

fn records(of: &Sim, steps: usize) -> Vec<Bytes> {
    of.records[..steps].to_vec()
}

#[test]
fn kept_steps_are_told_what_they_were_and_later_ones_draw_anew() {
    let mut base = Sim::new();
    let (of_base, _) = play(&mut base);
    for step in 0..3 {
        let next = forked(&started(), 9, step);
        let mut fork = Sim::replay_as(next, records(&base, step as usize), CODE);
        let (of_fork, identities) = play(&mut fork);
        let expected: Vec<(u8, u32)> = (0..3).map(|made| if made < step { (7, 1) } else { (9, 7) }).collect();
        assert_eq!(identities, expected, "cut before step {step}");
        let same = of_base.iter().zip(&of_fork).filter(|(a, b)| a == b).count();
        assert_eq!(same, 2 * step as usize, "a uuid and eight bytes in each kept step, and no more");
        let all: BTreeSet<&String> = of_base.iter().chain(&of_fork).collect();
        assert_eq!(all.len(), 12 - same, "nothing else was drawn twice");
    }
}

#[test]
fn a_fork_of_a_fork_replays_as_three_runs() {
    let mut base = Sim::new();
    let (of_base, _) = play(&mut base);
    let second = forked(&started(), 8, 1);
    let mut fork = Sim::replay_as(second.clone(), records(&base, 1), CODE);
    let (of_second, _) = play(&mut fork);
    let third = forked(&second, 9, 2);
    let mut last = Sim::replay_as(third.clone(), records(&fork, 2), CODE);
    let (of_third, identities) = play(&mut last);
    assert_eq!(identities, [(7, 1), (8, 7), (9, 7)]);
    assert_eq!((&of_third[..2], &of_third[2..4]), (&of_base[..2], &of_second[2..4]));
    assert!(!of_base.contains(&of_third[4]) && !of_second.contains(&of_third[4]));
    // The whole journal again, as after a crash.
    let mut again = Sim::replay_as(third, last.records.clone(), CODE);
    let (replayed, identities) = play(&mut again);
    assert_eq!((replayed, identities), (of_third, vec![(7, 1), (8, 7), (9, 7)]));
}

/// What so many steps of the script's journal leave open, in a line for each op.
fn check(script: &str, steps: usize, expected: &Expect) {
    let point = point(&recorded(script)[..steps]);
    let mut lines: Vec<(u64, String)> = Vec::new();
    let activities = point.activities.iter().map(|(op, command)| (*op, format!("activity {}", command.name)));
    let timers = point.timers.iter().map(|(op, (at, _))| (*op, format!("timer to {}", since_start(*at))));
    let sendings = point.sendings.iter().map(|(op, sending)| {
        let what = match sending {
            Sending::Signal { target, name, .. } => format!("signal {name} to {target}"),
            Sending::RequestCancel { target, .. } => format!("cancel of {target}"),
        };
        (*op, what)
    });
    let children = point.children.iter().map(|(op, child)| {
        (*op, format!("child, start wanted: {}, end wanted: {}", child.start_wanted, child.end_wanted))
    });
    let canceled = point.canceled.iter().map(|(op, reason)| (*op, format!("canceled: {reason}")));
    lines.extend(activities.chain(timers).chain(sendings).chain(children).chain(canceled));
    lines.sort();
    let open: String = lines.iter().map(|(op, what)| format!("{op} {what}\n")).collect();
    let ForkPoint { step, last_arrival, cancel_requested, .. } = &point;
    expected.assert_eq(&format!(
        "{open}step {step}, arrivals to {last_arrival}, cancel requested: {cancel_requested}\n"
    ));
}

fn point(records: &[Bytes]) -> ForkPoint {
    let mut point = ForkPoint::default();
    for record in records {
        point.record(&codec::decode("record", record).expect("it was encoded"), record.len());
    }
    point
}

const OPEN: &str = "activity list
    timer 60
    child grow
    signal-to other hello
    cancel-of other
    activity pack
    activity send
    wait
    > completed 1
    > child-started 3
    > sent 5
    > cancel-request
    > resume
    cancel 7
    detach 8
    cancel 2
    wait
    > canceled 7
    > child-closed 4
    > resume
    timer 5
    finish 1";

#[test]
fn what_is_open_is_what_was_begun_and_has_no_end_among_the_kept_steps() {
    check(
        OPEN,
        0,
        &expect![[r#"
        step 0, arrivals to 0, cancel requested: false
    "#]],
    );
    check(
        OPEN,
        1,
        &expect![[r#"
        1 activity list
        2 timer to +60s
        4 child, start wanted: true, end wanted: true
        5 signal hello to other
        6 cancel of other
        7 activity pack
        8 activity send
        step 1, arrivals to 0, cancel requested: false
    "#]],
    );
    check(
        OPEN,
        2,
        &expect![[r#"
        2 canceled: enough
        4 child, start wanted: false, end wanted: true
        6 cancel of other
        7 canceled: enough
        step 2, arrivals to 4, cancel requested: true
    "#]],
    );
    check(
        OPEN,
        3,
        &expect![[r#"
        2 canceled: enough
        6 cancel of other
        9 timer to +5s
        step 3, arrivals to 6, cancel requested: true
    "#]],
    );
}

#[test]
fn children_that_were_canceled_or_given_up_are_open_and_nobody_waits_for_them() {
    check(
        "child a\n child b\n cancel 2\n detach 4\n wait\n > signal go\n > resume\n finish 1",
        1,
        &expect![[r#"
            2 canceled: enough
            2 child, start wanted: true, end wanted: false
            4 child, start wanted: true, end wanted: false
            step 1, arrivals to 0, cancel requested: false
        "#]],
    );
    check(
        "child a\n detach 1\n wait\n > signal go\n > resume\n finish 1",
        1,
        &expect![[r#"
        2 child, start wanted: false, end wanted: true
        step 1, arrivals to 0, cancel requested: false
    "#]],
    );
}

#[test]
fn a_child_that_is_left_behind_ends_for_the_new_run() {
    let open = point(&recorded("child a\n wait\n > child-started 1\n > resume\n wait")[..1]);
    let [Item::ChildNotStarted { op: 1, failure }, Item::ChildClosed { op: 2, outcome }] =
        &open.lost_child(2)[..]
    else {
        panic!("both of its ops end")
    };
    assert_eq!(failure.error_type, NOT_ADOPTED);
    assert!(matches!(outcome, Outcome::Failed(failure) if failure.error_type == NOT_ADOPTED));
    let begun = point(&recorded("child a\n wait\n > child-started 1\n > resume\n wait"));
    assert!(matches!(&begun.lost_child(2)[..], [Item::ChildClosed { op: 2, .. }]));
    let canceled = point(&recorded("child a\n cancel 2\n wait"));
    assert!(matches!(&canceled.lost_child(2)[..], [Item::ChildNotStarted { op: 1, .. }]));
    assert!(matches!(&canceled.canceled_items().collect::<Vec<_>>()[..], [Item::Canceled { op: 2, .. }]));
}

#[test]
fn no_run_goes_on_from_the_end_of_one() {
    let all = recorded("wait\n > signal go\n > resume\n finish 1");
    assert!(!point(&all[..1]).is_end());
    assert!(point(&all).is_end());
    let mut terminated = point(&all[..1]);
    terminated.record(&Record::Terminated(Terminated { time: START, boot: 1, reason: String::new() }), 10);
    assert!(terminated.is_end());
}

#[test]
fn the_length_of_what_is_kept_is_that_of_its_steps() {
    let mut sim = Sim::new();
    sim.play(OPEN);
    sim.close();
    let (size, kept) = (sim.run.size(), point(&sim.records));
    assert_eq!((kept.size, kept.step), (size, 3));
}
