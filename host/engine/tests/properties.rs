//! Properties of runs, on random workflows with random arrivals: every prefix of a journal replays to the
//! same answers, and goes on to the same journal.

mod support;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use refrain_engine::call::{Call, Command, Completion, Interest, MarkerCall, Read, Reply};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::Op;
use refrain_engine::mailbox::{Event, Item};
use refrain_engine::payload::Payload;
use refrain_engine::run::{ClosedStep, Effect, Halt};
use refrain_engine::time::Timestamp;

use support::{CHILD, Sim, activity, child, completed, execution, log, signal, start_activity, update};

/// A workflow whose every call depends on its genes and on all answers so far: an answer that differed would
/// make it take another way.
struct Workflow<'a> {
    genes: &'a [u8],
    at: usize,
    answers: DefaultHasher,
    last_op: Op,
    /// Ops whose end may still come.
    open: Vec<Op>,
    /// Updates that the step was given and has not answered.
    asked: Vec<u64>,
    /// Updates that were accepted and not completed.
    accepted: Vec<u64>,
}

impl<'a> Workflow<'a> {
    fn new(genes: &'a [u8]) -> Self {
        Self {
            genes,
            at: 0,
            answers: DefaultHasher::new(),
            last_op: 0,
            open: Vec::new(),
            asked: Vec::new(),
            accepted: Vec::new(),
        }
    }

    fn next(&mut self) -> Call {
        let Some(gene) = self.genes.get(self.at) else {
            let digest = self.answers.finish().to_string();
            return Call::Command(Command::Finish(Completion::Completed(Payload::json(digest))));
        };
        self.at += 1;
        let choice = u64::from(*gene) ^ self.answers.finish();
        let any_op = choice / 16 % self.last_op.max(1) + 1;
        match choice % 20 {
            0..3 => start_activity(activity(&format!("a{}", choice / 16 % 100))),
            3 | 4 => Call::Command(Command::StartTimer {
                delay: Duration::from_secs(choice / 16 % 9),
                summary: None,
            }),
            5 => Call::Read(Read::Now),
            6 => Call::Read(Read::RandomBytes { len: (choice / 16 % 40) as u32 }),
            7 => Call::Read(Read::Info),
            8 => log("a line"),
            9 => Call::Marker(MarkerCall::Patched { id: format!("p{}", choice / 16 % 3) }),
            10 if self.last_op > 0 => {
                Call::Command(Command::Cancel { op: any_op, reason: "enough".to_owned() })
            }
            11 if self.last_op > 0 => {
                self.open.retain(|op| *op != any_op);
                Call::Command(Command::Detach { op: any_op })
            }
            12 if !self.open.is_empty() => {
                Call::Command(Command::Wait(Interest::Ops(self.open.iter().copied().step_by(2).collect())))
            }
            13 => Call::Command(Command::Wait(Interest::OpsAndMessages(self.open.clone()))),
            14 => Call::Command(Command::StartChild(Box::new(child("c")))),
            15 => {
                let (target, name, input) = (execution("other"), "go".to_owned(), Payload::null());
                Call::Command(Command::Signal { target, name, input })
            }
            16 | 17 if !self.asked.is_empty() => {
                let request = self.asked.remove(0);
                if choice.is_multiple_of(3) {
                    let reason = Failure::new(FailureKind::Application, "No", "no");
                    Call::Command(Command::RejectUpdate { request, reason })
                } else {
                    self.accepted.push(request);
                    Call::Command(Command::AcceptUpdate { request })
                }
            }
            16..=18 if !self.accepted.is_empty() => {
                let (request, outcome) = (self.accepted.remove(0), Outcome::Completed(Payload::null()));
                Call::Command(Command::CompleteUpdate { request, outcome })
            }
            _ => Call::Command(Command::Wait(Interest::Everything)),
        }
    }

    fn hear(&mut self, reply: &Reply) {
        format!("{reply:?}").hash(&mut self.answers);
        match reply {
            Reply::Op(op) => {
                self.last_op = *op;
                self.open.push(*op);
            }
            Reply::Child { started, finished } => {
                self.last_op = *finished;
                self.open.extend([*started, *finished]);
            }
            Reply::Events(events) => {
                // What the step before left unanswered was rejected at its end.
                self.asked.clear();
                self.asked.extend(events.iter().filter_map(|event| match event {
                    Event::Update { request, .. } => Some(*request),
                    Event::Finished { .. }
                    | Event::Signal { .. }
                    | Event::Query { .. }
                    | Event::CancelRequested { .. } => None,
                }));
                let ended =
                    |op: &Op| events.iter().any(|e| matches!(e, Event::Finished { op: of, .. } if of == op));
                self.open.retain(|op| !ended(op));
            }
            Reply::Done
            | Reply::Time(_)
            | Reply::Bytes(_)
            | Reply::Uuid(_)
            | Reply::Info(_)
            | Reply::Patched(_)
            | Reply::Version(_) => {}
        }
    }
}

/// What the host did at one wait.
#[derive(Clone)]
struct Turn {
    arrivals: Vec<Item>,
    arrived_at: Timestamp,
    resumed_at: Timestamp,
}

/// A finished run, as its host saw it.
struct Story {
    records: Vec<Bytes>,
    /// For each step, what it consumed.
    consumed: Vec<Vec<u64>>,
    turns: Vec<Turn>,
    replies: Vec<Reply>,
}

/// The ends that ops can still have, chosen by a seed.
#[derive(Default)]
struct World {
    open: BTreeMap<Op, Item>,
    canceled: Vec<Op>,
}

impl World {
    fn take(&mut self, step: &ClosedStep) {
        for effect in &step.effects {
            match effect {
                Effect::StartActivity { op, .. } => {
                    self.open.insert(*op, completed(*op, &op.to_string()));
                }
                Effect::StartTimer { op, deadline, .. } => {
                    self.open.insert(*op, Item::TimerFired { op: *op, deadline: *deadline });
                }
                Effect::StartChild { started, finished, .. } => {
                    let (workflow_id, run_id) = (execution("child").workflow_id, CHILD);
                    self.open.insert(*started, Item::ChildStarted { op: *started, workflow_id, run_id });
                    let outcome = Outcome::Completed(Payload::null());
                    self.open.insert(*finished, Item::ChildClosed { op: *finished, outcome });
                }
                Effect::Signal { op, .. } | Effect::RequestCancel { op, .. } => {
                    let outcome = Outcome::Completed(Payload::null());
                    self.open.insert(*op, Item::Sent { op: *op, outcome });
                }
                Effect::CancelTimer { op, .. }
                | Effect::CancelActivity { op, .. }
                | Effect::CancelChild { op, .. } => self.canceled.push(*op),
                Effect::Update { .. } | Effect::Detach { .. } => {}
            }
        }
    }

    /// Some arrivals; with `all`, the end of everything and a message, so that any wait ends.
    fn arrivals(&mut self, seed: u8, all: bool) -> Vec<Item> {
        let mut arrivals = Vec::new();
        for op in std::mem::take(&mut self.canceled) {
            arrivals
                .extend(self.open.remove(&op).map(|_| Item::Canceled { op, reason: "enough".to_owned() }));
        }
        if all || seed.is_multiple_of(3) {
            arrivals.push(signal("go", &seed.to_string()));
            arrivals.push(update(&format!("u{seed}"), "add"));
        }
        let ends: Vec<Op> =
            self.open.keys().copied().filter(|op| all || (op + u64::from(seed)).is_multiple_of(4)).collect();
        arrivals.extend(ends.iter().filter_map(|op| self.open.remove(op)));
        arrivals
    }
}

/// Runs the workflow live to its end.
fn live(genes: &[u8], seeds: &[u8]) -> Story {
    let mut sim = Sim::new();
    let mut workflow = Workflow::new(genes);
    let mut world = World::default();
    let mut story =
        Story { records: Vec::new(), consumed: Vec::new(), turns: Vec::new(), replies: Vec::new() };
    loop {
        let answer = sim.run.call(workflow.next());
        let (reply, finished) = match answer {
            Ok(reply) => (reply, false),
            Err(halt @ (Halt::Wait | Halt::Finished)) => {
                let turn = story.turns.len();
                // Some of what is to come arrives before the step is closed, as it may in a host.
                let seed = seeds[turn % seeds.len()].wrapping_add(turn as u8);
                let mut arrivals = world.arrivals(seed, false);
                arrivals.iter().for_each(|item| drop(sim.push(item.clone())));
                let step = sim.close().expect("a live step ended");
                world.take(&step);
                story.consumed.push(step.consumed);
                if halt == Halt::Finished {
                    (Reply::Done, true)
                } else {
                    if !sim.run.can_resume() {
                        let rest = world.arrivals(seed, true);
                        rest.iter().for_each(|item| drop(sim.push(item.clone())));
                        arrivals.extend(rest);
                    }
                    let arrived_at = sim.now;
                    sim.now = sim.now.after(Duration::from_millis(u64::from(seed)));
                    story.turns.push(Turn { arrivals, arrived_at, resumed_at: sim.now });
                    sim.run.resume(sim.now);
                    (Reply::Events(sim.run.take_events()), false)
                }
            }
            Err(halt) => panic!("the workflow halted: {halt:?}"),
        };
        if finished {
            story.records = sim.records;
            return story;
        }
        workflow.hear(&reply);
        story.replies.push(reply);
    }
}

/// Replays the first `steps` steps on a new run and goes on with what happened then.
fn check_prefix(genes: &[u8], story: &Story, steps: usize) {
    let mut sim = Sim::replay(story.records[..steps].to_vec());
    let mut workflow = Workflow::new(genes);
    let mut turn = steps.saturating_sub(1);
    let mut filled = false;
    for expected in &story.replies {
        let reply = match sim.run.call(workflow.next()) {
            Ok(reply) => reply,
            Err(Halt::Wait) => {
                // What arrived before and was not consumed is in the store and comes again.
                let (first, consumed) =
                    if filled { (turn, Vec::new()) } else { (0, story.consumed[..steps].concat()) };
                for turn in &story.turns[first..=turn] {
                    sim.now = turn.arrived_at;
                    turn.arrivals.iter().for_each(|item| sim.push_again(item.clone(), &consumed));
                }
                filled = true;
                sim.close();
                assert!(sim.run.can_resume(), "turn {turn} ended the wait before");
                sim.run.resume(story.turns[turn].resumed_at);
                turn += 1;
                Reply::Events(sim.run.take_events())
            }
            Err(halt) => panic!("after {steps} replayed steps: {halt:?}"),
        };
        assert_eq!(reply, *expected, "after {steps} replayed steps");
        workflow.hear(&reply);
    }
    assert_eq!(sim.run.call(workflow.next()), Err(Halt::Finished));
    sim.close();
    assert_eq!(sim.records, story.records, "the same journal from step {steps} on");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_prefix_of_a_journal_replays_and_goes_on_to_the_same_journal(
        genes in prop::collection::vec(any::<u8>(), 0..60),
        seeds in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let story = live(&genes, &seeds);
        for steps in 0..=story.records.len() {
            check_prefix(&genes, &story, steps);
        }
    }
}
