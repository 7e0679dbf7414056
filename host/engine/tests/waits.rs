//! Waits: what they take from the mailbox, and what cancels and detaches leave them to take.

mod support;

use expect_test::{Expect, expect};
use refrain_engine::call::{Call, Command, Interest};
use refrain_engine::mailbox::Item;
use refrain_engine::run::Halt;

use support::{Sim, signal};

fn check(script: &str, expected: &Expect) {
    expected.assert_eq(&Sim::new().play(script));
}

#[test]
fn a_wait_takes_what_is_of_interest_and_leaves_the_rest_in_order() {
    check(
        "activity a
         activity b
         timer 5
         wait 2
         > completed 1
         > signal first
         > resume
         > completed 2
         > fired 3
         > resume
         wait 3 +m
         > signal second
         > resume
         wait
         > cancel-request
         > resume
         wait +m
         > close
         > resume",
        &expect![[r#"
            activity a -> op 1
            activity b -> op 2
            timer 5 -> op 3
            wait 2 -> waits
            > completed 1
            > signal first
            > resume -> nothing of interest
            > completed 2
            > fired 3
            > resume -> op 2: "ok" at +0ns
            wait 3 +m -> waits
            > signal second
            > resume -> signal first, op 3: null, signal second at +5s
            wait -> waits
            > cancel-request
            > resume -> op 1: "ok", cancel requested: changed my mind at +5s
            wait +m -> waits
            > close -> step 3 at +5s, consumed [1, 6]
            > resume -> nothing of interest
        "#]],
    );
}

/// Timers that were started and have fired, for waits to deliver.
fn fire_timers(sim: &mut Sim, count: usize) {
    sim.play(&"timer 1\n".repeat(count));
    sim.play("wait");
    for op in 1..=count as u64 {
        sim.push(Item::TimerFired { op, deadline: sim.now });
    }
    sim.close();
}

#[test]
fn a_wait_delivers_a_bounded_number_of_ends_in_order() {
    let mut sim = Sim::new();
    let maximum = sim.run.profile().wait_events;
    fire_timers(&mut sim, maximum + 5);
    sim.run.resume(sim.now);
    assert_eq!(sim.run.take_events().len(), maximum);
    assert_eq!(sim.run.undelivered().count(), 5);
    sim.play("wait");
    let consumed: Vec<u64> = (1..=maximum as u64).collect();
    assert_eq!(sim.close().expect("a live step").consumed, consumed);
    assert!(sim.run.can_resume(), "the rest ends the next wait at once");
}

#[test]
fn a_wait_delivers_all_the_messages_there_are() {
    let mut sim = Sim::new();
    let (events, bytes) = (sim.run.profile().wait_events, sim.run.profile().wait_bytes);
    sim.play("wait");
    sim.push(signal("n", &"x".repeat(bytes)));
    for _ in 0..events {
        sim.push(signal("n", "x"));
    }
    sim.close();
    sim.run.resume(sim.now);
    assert_eq!(sim.run.take_events().len(), events + 1);
    assert_eq!(sim.run.undelivered().count(), 0);
}

#[test]
fn an_outcome_that_is_in_the_mailbox_stands_against_a_cancel() {
    check(
        "timer 5
         activity a
         activity b
         wait
         > fired 1
         > resume
         cancel 1
         cancel 2
         cancel 2
         wait 2
         > completed 2
         > canceled 2
         > close
         > resume",
        &expect![[r#"
            timer 5 -> op 1
            activity a -> op 2
            activity b -> op 3
            wait -> waits
            > fired 1
            > resume -> op 1: null at +5s
            cancel 1
            cancel 2
            cancel 2
            wait 2 -> waits
            > completed 2
            > canceled 2 -> dropped
            > close -> step 1 at +5s, consumed [1]
            > resume -> op 2: "ok" at +5s
        "#]],
    );
}

#[test]
fn a_canceled_op_ends_as_canceled() {
    check(
        "timer 5
         activity a
         cancel 1
         cancel 2
         wait
         > close
         > canceled 1
         > canceled 2
         > fired 1
         > resume",
        &expect![[r#"
            timer 5 -> op 1
            activity a -> op 2
            cancel 1
            cancel 2
            wait -> waits
            > close -> step 0 at +0ns; start timer op 1 to +5s; start activity a as op 2; cancel timer op 1 (enough); cancel activity op 2 (enough)
            > canceled 1
            > canceled 2
            > fired 1 -> dropped
            > resume -> op 1 failed: canceled canceled, op 2 failed: canceled canceled at +0ns
        "#]],
    );
}

#[test]
fn a_detached_op_is_never_delivered() {
    check(
        "activity a
         activity b
         timer 5
         wait 3
         > completed 1
         > fired 3
         > resume
         detach 1
         detach 1
         detach 2
         detach 3
         wait +m
         > completed 2
         > completed 1
         > close
         > resume",
        &expect![[r#"
            activity a -> op 1
            activity b -> op 2
            timer 5 -> op 3
            wait 3 -> waits
            > completed 1
            > fired 3
            > resume -> op 3: null at +5s
            detach 1
            detach 1
            detach 2
            detach 3
            wait +m -> waits
            > completed 2 -> dropped
            > completed 1 -> dropped
            > close -> step 1 at +5s, consumed [2, 1]; detach op 1; detach op 2
            > resume -> nothing of interest
        "#]],
    );
}

#[test]
fn empty_interest_in_messages_alone_is_fine() {
    let mut sim = Sim::new();
    let halt = sim.run.call(Call::Command(Command::Wait(Interest::OpsAndMessages(Vec::new()))));
    assert_eq!(halt, Err(Halt::Wait));
    assert!(!sim.run.can_resume());
    sim.push(signal("go", "null"));
    assert!(sim.run.can_resume());
}

#[test]
fn a_run_listens_while_its_latest_wait_wants_messages() {
    let mut sim = Sim::new();
    let listens = |sim: &mut Sim, script: &str| {
        sim.play(script);
        sim.run.is_listening()
    };
    assert!(!listens(&mut sim, "timer 1\n timer 2"), "no wait yet");
    assert!(!listens(&mut sim, "wait 1"));
    assert!(listens(&mut sim, "> fired 1\n > resume\n wait 2 +m"));
    assert!(listens(&mut sim, "> fired 2\n > resume\n wait"));
    let mut again = Sim::replay(sim.records.clone());
    assert!(!listens(&mut again, "timer 1\n timer 2"));
    assert!(listens(&mut again, "wait 1\n wait 2 +m"), "a replay comes to the same");
}
