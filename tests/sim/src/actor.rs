//! The workflow that simulated executions run: what it does is drawn from the seed in its argument, so that each run of
//! it does the same again.

use std::collections::BTreeMap;
use std::time::Duration;

use refrain_engine::call::{
    ActivityCommand, ActivityOptions, Cancellation, Completion, Interest, NextRun, Read,
};
use refrain_engine::child::{ChildCommand, ChildOptions, ParentClosePolicy};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::Op;
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::scripted::{ScriptHost, Stopped};

use crate::random::Random;

/// The workflow's type.
pub const WORKFLOW: &str = "actor";

/// The activity that workers have.
pub const REMOTE: &str = "charge";

/// The signal that makes a run end soon.
pub const STOP: &str = "stop";

/// What an actor is told: its seed, how often it has continued as new, and how many generations of children it may have.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Decides what it does.
    pub seed: u64,
    /// Continued as new so often.
    pub generation: u64,
    /// Generations of children below it.
    pub depth: u64,
}

impl Part {
    /// As a workflow's argument.
    pub fn payload(self) -> Payload {
        Payload::json(format!("[{},{},{}]", self.seed, self.generation, self.depth))
    }

    fn parse(input: &Payload) -> Self {
        let text = String::from_utf8_lossy(&input.data);
        let mut numbers =
            text.trim_matches(['[', ']']).split(',').map(|number| number.parse().expect("a number"));
        let mut next = || numbers.next().expect("three numbers");
        Self { seed: next(), generation: next(), depth: next() }
    }
}

struct Actor {
    host: ScriptHost,
    part: Part,
    random: Random,
    open: BTreeMap<Op, ()>,
    accepted: Vec<u64>,
    signals: u64,
    stopped: bool,
    canceled: bool,
}

/// Which decisions an actor draws: versions of it that draw others do other things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draws {
    /// Those of the first version.
    Former,
    /// Others.
    Latter,
}

/// Plays the part.
pub async fn play(host: ScriptHost, input: Payload, draws: Draws) -> Result<Completion, Stopped> {
    let part = Part::parse(&input);
    let role = match draws {
        Draws::Former => "actor",
        Draws::Latter => "another actor",
    };
    let random = Random::new(part.seed, &format!("{role} {}", part.generation));
    let actor = Actor {
        host,
        part,
        random,
        open: BTreeMap::new(),
        accepted: Vec::new(),
        signals: 0,
        stopped: false,
        canceled: false,
    };
    actor.play().await
}

impl Actor {
    async fn play(mut self) -> Result<Completion, Stopped> {
        for _ in 0..1 + self.random.below(4) {
            for _ in 0..1 + self.random.below(3) {
                self.begin()?;
            }
            if self.random.percent(25) {
                self.let_go()?;
            }
            let keep = self.random.below(3) as usize;
            while self.open.len() > keep && !self.is_over() {
                self.wait().await?;
            }
            if self.is_over() {
                break;
            }
        }
        // Children and activities that are still open end as their options say.
        if !self.is_over() && self.random.percent(50) {
            while !self.open.is_empty() && !self.is_over() {
                self.wait().await?;
            }
        }
        for request in std::mem::take(&mut self.accepted) {
            self.host.complete(request, Outcome::Completed(Payload::json("\"late\"".to_owned())))?;
        }
        Ok(self.end())
    }

    fn is_over(&self) -> bool {
        self.stopped || self.canceled
    }

    fn end(&mut self) -> Completion {
        let seen = Payload::json(self.signals.to_string());
        if self.canceled {
            return Completion::Canceled(Some(seen));
        }
        match self.random.below(10) {
            0..=4 if self.part.generation < 2 && !self.stopped => {
                let next = Part { generation: self.part.generation + 1, ..self.part };
                Completion::ContinueAsNew(NextRun::with_input(next.payload()))
            }
            5 => Completion::Failed(Failure::new(FailureKind::Application, "Drawn", "so the seed wants it")),
            _ => Completion::Completed(seen),
        }
    }

    /// Starts something.
    fn begin(&mut self) -> Result<(), Stopped> {
        let op = match self.random.below(10) {
            0..=2 => {
                let millis = *self.random.pick(&[0, 1, 500, 5_000, 60_000, 3_600_000]);
                self.host.timer(Duration::from_millis(millis))?
            }
            3..=6 => {
                let command = self.activity();
                self.host.activity(command)?
            }
            7 | 8 if self.part.depth > 0 => {
                let child =
                    Part { seed: self.random.next() >> 16, generation: 0, depth: self.part.depth - 1 };
                let policies = [
                    ParentClosePolicy::Terminate,
                    ParentClosePolicy::RequestCancel,
                    ParentClosePolicy::Abandon,
                ];
                let parent_close = *self.random.pick(&policies);
                let options = ChildOptions { parent_close, ..ChildOptions::default() };
                let command = ChildCommand { workflow: WORKFLOW.to_owned(), input: child.payload(), options };
                let (started, finished) = self.host.child(command)?;
                self.open.insert(started, ());
                finished
            }
            _ => {
                self.host.read(*self.random.pick(&[Read::Now, Read::Uuid, Read::Info]))?;
                self.host.timer(Duration::from_millis(self.random.below(2_000)))?
            }
        };
        self.open.insert(op, ());
        Ok(())
    }

    fn activity(&mut self) -> ActivityCommand {
        let random = &mut self.random;
        let retry = RetryPolicy {
            maximum_attempts: *random.pick(&[0, 1, 3]),
            non_retryable_error_types: vec!["Final".to_owned()],
            ..RetryPolicy::default()
        };
        let options = ActivityOptions {
            start_to_close: Some(Duration::from_secs(30)),
            schedule_to_close: Some(Duration::from_secs(600)),
            retry,
            cancellation: *random.pick(&[
                Cancellation::TryCancel,
                Cancellation::WaitForCancellation,
                Cancellation::Abandon,
            ]),
            ..ActivityOptions::default()
        };
        let (name, input, local) = match random.below(8) {
            0 | 1 => ("echo", random.below(100), false),
            2 => ("flaky", random.below(4), false),
            3 => ("fails", 0, false),
            4 => ("slow", random.below(50), false),
            5 => ("quick", random.below(100), true),
            _ => (REMOTE, random.below(100), false),
        };
        let options = ActivityOptions { local, ..options };
        ActivityCommand { name: name.to_owned(), input: Payload::json(input.to_string()), options }
    }

    /// Cancels or detaches something that is open.
    fn let_go(&mut self) -> Result<(), Stopped> {
        let ops: Vec<Op> = self.open.keys().copied().collect();
        if ops.is_empty() {
            return Ok(());
        }
        let op = *self.random.pick(&ops);
        if self.random.percent(70) {
            self.host.cancel(op, "drawn")?;
        } else {
            self.host.detach(op)?;
            self.open.remove(&op);
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), Stopped> {
        let ops: Vec<Op> = self.open.keys().copied().collect();
        let interest = match self.random.below(4) {
            0 => Interest::Ops(ops),
            1 => Interest::OpsAndMessages(ops),
            _ => Interest::Everything,
        };
        for event in self.host.wait(interest).await? {
            match event {
                Event::Finished { op, .. } => drop(self.open.remove(&op)),
                Event::Signal { name, .. } => {
                    self.signals += 1;
                    self.stopped |= name == STOP;
                }
                Event::CancelRequested { .. } => self.canceled = true,
                Event::Query { request, .. } => {
                    let seen = Payload::json(self.signals.to_string());
                    self.host.answer(request, Outcome::Completed(seen))?;
                }
                Event::Update { request, .. } => self.update(request)?,
            }
        }
        if self.random.percent(50) {
            for request in std::mem::take(&mut self.accepted) {
                self.host.complete(request, Outcome::Completed(Payload::json("\"soon\"".to_owned())))?;
            }
        }
        Ok(())
    }

    fn update(&mut self, request: u64) -> Result<(), Stopped> {
        if self.random.percent(20) {
            let reason = Failure::new(FailureKind::Application, "Refused", "so the seed wants it");
            self.host.reject(request, reason)?;
        } else {
            self.host.accept(request)?;
            self.accepted.push(request);
        }
        Ok(())
    }
}
