//! Runs that are moved to other code, and runs that begin with another run's steps: what a replay compares, what
//! it lets differ, and where randomness and identity change.

mod support;

use bytes::Bytes;
use expect_test::expect;
use refrain_engine::codec;
use refrain_engine::ids::{Digest, RunId};
use refrain_engine::journal::{Code, Moved, Record, Started};
use support::{CODE, START, Sim, recorded, started};

const NEW_CODE: Digest = Digest([2; 32]);

const OLD: &str = "now
                   random 2
                   activity a
                   log hello
                   wait
                   > completed 1
                   > resume
                   now
                   timer 5
                   wait";

fn moved(digest: Digest) -> Bytes {
    let code = Code { component: "shop".to_owned(), version: 2, digest };
    codec::encode(&Record::Moved(Moved { time: START, boot: 1, code, reason: "a fix".to_owned() }))
}

/// Replays the old code's journal by this code.
fn replay_as(code: Digest, script: &str) -> (String, Sim) {
    let mut sim = Sim::replay_as(started(), recorded(OLD), code);
    (sim.play(script), sim)
}

#[test]
fn other_code_makes_the_same_commands_and_may_read_and_log_what_it_likes() {
    let (transcript, sim) = replay_as(
        NEW_CODE,
        "uuid
         log bye
         activity a
         now
         now
         wait
         timer 5
         info
         wait",
    );
    expect![[r#"
        uuid -> 98191f46-e583-4216-8454-36978803697a
        log bye
        activity a -> op 1
        now -> +0ns
        now -> +1µs
        wait -> op 1: "ok" at +1µs
        timer 5 -> op 2
        info -> 5 entries, 107 bytes
        wait -> waits
    "#]]
    .assert_eq(&transcript);
    assert!(sim.run.reads_differ());
}

#[test]
fn code_that_reads_the_same_is_identical() {
    let script = "now
                  random 2
                  activity a
                  wait
                  now
                  timer 5
                  wait";
    let (_, sim) = replay_as(NEW_CODE, script);
    assert!(!sim.run.reads_differ() && sim.run.waiting().is_some());
    let fewer = script.replacen("now\n", "", 1);
    let (_, sim) = replay_as(NEW_CODE, &fewer);
    assert!(sim.run.reads_differ() && sim.run.waiting().is_some());
}

#[test]
fn another_command_of_other_code_is_a_mismatch() {
    let (transcript, _) = replay_as(NEW_CODE, "activity b");
    expect![[r#"
        activity b -> MISMATCH the code differs from the journal at 0.2: recorded activity.start a, attempted activity.start b; name: recorded "a", attempted "b"
    "#]]
    .assert_eq(&transcript);
}

#[test]
fn the_code_that_recorded_a_step_is_held_to_its_reads() {
    let (transcript, _) = replay_as(CODE, "activity a");
    expect![[r#"
        activity a -> MISMATCH the code differs from the journal at 0.0: recorded context.now, attempted activity.start a
    "#]]
    .assert_eq(&transcript);
}

#[test]
fn after_a_move_each_step_is_compared_by_who_made_it() {
    // Moved, and one step made by the new code.
    let records = [recorded(OLD), vec![moved(NEW_CODE)]].concat();
    let new = "activity a
               wait
               timer 5
               wait";
    let mut sim = Sim::replay_as(started(), records, NEW_CODE);
    sim.play(new);
    assert!(sim.run.reads_differ());
    sim.play(
        "> fired 2
         > resume
         uuid
         wait",
    );
    sim.close();
    assert_eq!(sim.run.step(), 2, "steps are counted without moves");

    let replayed =
        |more: &str| Sim::replay_as(started(), sim.records.clone(), NEW_CODE).play(&format!("{new}\n{more}"));
    let last = |transcript: String| transcript.lines().last().expect("a line").to_owned();
    expect!["wait -> waits"].assert_eq(&last(replayed("uuid\nwait")));
    expect!["wait -> MISMATCH the code differs from the journal at 2.0: recorded context.uuid, attempted wait.next"]
        .assert_eq(&last(replayed("wait")));
}

/// A run that begins with the first steps of [`OLD`]'s.
fn forked(seed: u8) -> Started {
    let base = started();
    Started { run_id: RunId::from_bytes([seed; 16]), seed: [seed; 32], forks: base.forks_at(1), ..base }
}

#[test]
fn a_forked_run_is_the_other_one_while_it_replays_its_steps_and_itself_from_then_on() {
    let records = recorded(OLD)[..1].to_vec();
    let story = "now
                 random 2
                 activity a
                 wait
                 > completed 1
                 > resume
                 random 2
                 uuid";
    let mut of_base = Sim::replay(records.clone());
    let mut of_fork = Sim::replay_as(forked(9), records.clone(), CODE);
    let mut of_other_fork = Sim::replay_as(forked(8), records, CODE);
    let [base, fork, other] = [&mut of_base, &mut of_fork, &mut of_other_fork].map(|sim| sim.play(story));
    let random = |transcript: &str| {
        let lines: Vec<String> =
            transcript.lines().filter(|line| line.starts_with("random")).map(str::to_owned).collect();
        (lines[0].clone(), lines[1].clone())
    };
    let [base, fork, other] = [base, fork, other].map(|transcript| random(&transcript));
    assert_eq!((&base.0, &base.0), (&fork.0, &other.0), "kept steps draw what they drew");
    assert!(
        base.1 != fork.1 && fork.1 != other.1 && base.1 != other.1,
        "and no two runs draw the same after them"
    );
}

#[test]
fn a_forks_fork_knows_whose_each_step_is() {
    let base = started();
    let first = Started { run_id: RunId::from_bytes([1; 16]), forks: base.forks_at(3), ..base.clone() };
    let later = Started { run_id: RunId::from_bytes([2; 16]), forks: first.forks_at(5), ..base.clone() };
    let earlier = Started { run_id: RunId::from_bytes([3; 16]), forks: first.forks_at(2), ..base.clone() };
    let anew = Started { run_id: RunId::from_bytes([4; 16]), forks: first.forks_at(0), ..base.clone() };
    let owners = |run: &Started| {
        (0..6).map(|step| run.identity(step).run_id.as_bytes()[0].to_string()).collect::<String>()
    };
    assert_eq!(owners(&base), "777777");
    assert_eq!(owners(&first), "777111");
    assert_eq!(owners(&later), "777112");
    assert_eq!(owners(&earlier), "773333");
    assert_eq!(owners(&anew), "444444");
}
