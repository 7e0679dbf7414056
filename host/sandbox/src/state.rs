//! What a wasmtime store holds while it executes a guest: the run, on loan, and the instance's budgets.

use refrain_engine::call::{Call, Command, Completion, Interest, Reply};
use refrain_engine::guest::Exchange;
use refrain_engine::ids::Op;
use refrain_engine::mailbox::Event;
use refrain_engine::run::{Halt, Run};
use wasmtime::UpdateDeadline;

use crate::limiter::Limiter;
use crate::wasi::Wasi;

/// How many times its budget a replayed step may execute. It was within the budget when it was recorded, so
/// it is let through on a machine that is a few times slower; code that was changed into an endless loop is
/// not.
const REPLAY_FACTOR: u32 = 6;

/// The data of a wasmtime store.
pub(crate) struct State {
    /// The run. It is absent while a wait has handed it to its owner, and always in `describe`.
    run: Option<Box<Run>>,
    exchange: Exchange,
    /// Why the run stopped the guest.
    halt: Option<Halt>,
    pub(crate) wasi: Wasi,
    pub(crate) limiter: Limiter,
    /// How many slices (see [`crate::epoch::SLICE`]) the current step has executed, and how many it may.
    slices: u32,
    budget: u32,
}

/// Why the host stopped a guest. Carried by the error that unwinds the guest.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostTrap {
    /// By the run's word, which [`State::halt`] keeps.
    #[error("stopped by the run")]
    Halted,
    /// An argument that the contract forbids.
    #[error("{0}")]
    Misuse(String),
    /// A call of `describe`, which has no run.
    #[error("describe called {0}: describe may not call the host")]
    NoRun(&'static str),
    /// The step used up its slices.
    #[error("the step's budget is used up")]
    Budget,
    /// The machine is short of something.
    #[error("{0}")]
    Machine(String),
}

impl State {
    /// The state of a guest that executes this run, each step for so many slices.
    pub(crate) fn of_run(run: Box<Run>, exchange: Exchange, limiter: Limiter, budget: u32) -> Self {
        Self { run: Some(run), exchange, halt: None, wasi: Wasi::default(), limiter, slices: 0, budget }
    }

    /// The state of an instance that may not call the host, and executes for so many slices.
    pub(crate) fn without_run(limiter: Limiter, budget: u32) -> Self {
        let exchange = Exchange::default();
        Self { run: None, exchange, halt: None, wasi: Wasi::default(), limiter, slices: 0, budget }
    }

    /// The run, and why it stopped the guest.
    pub(crate) fn into_run(self) -> (Option<Box<Run>>, Option<Halt>) {
        (self.run, self.halt)
    }

    /// The run, if there is one: in `describe` there is none.
    pub(crate) fn run(&self) -> Option<&Run> {
        self.run.as_deref()
    }

    /// Passes a call to the run.
    pub(crate) fn call(&mut self, call: Call) -> Result<Reply, HostTrap> {
        let Some(run) = &mut self.run else { return Err(HostTrap::NoRun(call.import())) };
        run.call(call).map_err(|halt| self.halted(halt))
    }

    /// The export has returned with this completion, or the program has exited, which is this completion.
    pub(crate) fn returned(&mut self, completion: Completion) {
        if let Some(run) = &mut self.run {
            let halt = run.returned(completion);
            self.halt = Some(halt);
        }
    }

    /// Waits until something comes for the guest itself. The responses to HTTP requests are its runtime's, and go to
    /// their exchanges.
    pub(crate) async fn wait(&mut self, interest: Interest) -> wasmtime::Result<Vec<Event>> {
        if self.wasi.http.in_flight().next().is_none() {
            return self.wait_once(interest).await;
        }
        loop {
            let events = self.wait_once(interest.clone()).await?;
            let events = self.take_responses(events)?;
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }

    /// Waits until one of these ops has ended. Answers nothing of those that are HTTP requests.
    pub(crate) async fn wait_for_ops(&mut self, ops: Vec<Op>) -> wasmtime::Result<Vec<Event>> {
        let events = self.wait_once(Interest::Ops(ops)).await?;
        Ok(self.take_responses(events)?)
    }

    /// Answers from the journal, or hands the run to its owner until it comes back with events.
    async fn wait_once(&mut self, interest: Interest) -> wasmtime::Result<Vec<Event>> {
        let wait = Command::Wait(interest);
        let Some(mut run) = self.run.take() else { return Err(HostTrap::NoRun(wait.import()).into()) };
        let answer = match run.call(Call::Command(wait)) {
            Ok(Reply::Events(events)) => Ok(events),
            Err(Halt::Wait) => {
                run = self.exchange.suspend(run).await;
                Ok(run.take_events())
            }
            Ok(other) => Err(unexpected(&other)),
            Err(halt) => Err(self.halted(halt).into()),
        };
        self.run = Some(run);
        self.slices = 0;
        answer
    }

    /// A slice has ended: yields to other work, unless the budget is used up.
    pub(crate) fn end_slice(&mut self) -> Result<UpdateDeadline, HostTrap> {
        self.slices += 1;
        let replaying = self.run.as_ref().is_some_and(|run| run.is_replaying());
        let budget = if replaying { self.budget.saturating_mul(REPLAY_FACTOR) } else { self.budget };
        if self.slices > budget { Err(HostTrap::Budget) } else { Ok(UpdateDeadline::Yield(1)) }
    }

    fn halted(&mut self, halt: Halt) -> HostTrap {
        self.halt = Some(halt);
        HostTrap::Halted
    }
}

/// A reply that does not belong to its call: a mistake of the host, held to this one run.
pub(crate) fn unexpected(reply: &Reply) -> wasmtime::Error {
    HostTrap::Machine(format!("the engine gave an answer of another call: {reply:?}")).into()
}
