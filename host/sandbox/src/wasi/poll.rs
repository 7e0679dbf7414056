//! `wasi:io/poll`: where a program that knows only WASI sleeps.
//!
//! A deadline becomes a timer when a wait has nothing else to do, and only the earliest of those it waits for. So a
//! timer is never left over, and what a program subscribes to and drops leaves no trace: a timer that something else came
//! before is detached as soon as the wait is over.
//!
//! A wait takes the timer and the end of each request that is out, whether this wait is for it or not. What it takes
//! follows from the calls alone then, and not from when a collector dropped a handle; and a response that nobody wants any
//! more does not stay in the mailbox.

use std::time::Duration;

use refrain_engine::call::{Call, Command, Reply};
use refrain_engine::ids::Op;
use refrain_engine::mailbox::Event;
use refrain_engine::time::Timestamp;
use wasmtime::component::{Linker, Resource, ResourceType};

use super::http::Exchange;
use super::versioned;
use crate::state::{HostTrap, State, unexpected};

/// What one can wait for.
#[derive(Clone)]
pub(super) enum Pollable {
    /// Streams: their reads and writes never block.
    Ready,
    /// Until then.
    Deadline(Timestamp),
    /// The response to a request.
    Response(Exchange),
}

/// Timers of waits are whole multiples of this, rounded up. Their lengths follow from how often the program has read
/// its clock before, a microsecond each: rounded, code that reads it once more or less makes the same calls.
const GRAIN: Duration = Duration::from_millis(1);

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut poll = linker.instance(&versioned("wasi:io/poll"))?;
    poll.resource("pollable", ResourceType::host::<Pollable>(), |mut store, handle| {
        store.data_mut().wasi.handles.delete(Resource::<Pollable>::new_own(handle))?;
        Ok(())
    })?;
    poll.func_wrap("[method]pollable.ready", |store, (pollable,): (Resource<Pollable>,)| {
        let state = store.data();
        Ok((state.is_ready(state.wasi.handles.get(&pollable)?),))
    })?;
    poll.func_wrap_async("[method]pollable.block", |mut store, (pollable,): (Resource<Pollable>,)| {
        Box::new(async move {
            let state = store.data_mut();
            let pollable = state.wasi.handles.get(&pollable)?.clone();
            state.poll(&[pollable]).await?;
            Ok(())
        })
    })?;
    poll.func_wrap_async("poll", |mut store, (pollables,): (Vec<Resource<Pollable>>,)| {
        Box::new(async move {
            let state = store.data_mut();
            let pollables = pollables.iter().map(|pollable| state.wasi.handles.get(pollable).cloned());
            let pollables = pollables.collect::<Result<Vec<_>, _>>()?;
            Ok((state.poll(&pollables).await?,))
        })
    })
}

impl State {
    fn is_ready(&self, pollable: &Pollable) -> bool {
        match pollable {
            Pollable::Ready => true,
            Pollable::Deadline(deadline) => *deadline <= self.clock(),
            Pollable::Response(exchange) => exchange.has_ended(),
        }
    }

    /// Waits until one of these is ready. Answers which are, by their place in the list.
    async fn poll(&mut self, pollables: &[Pollable]) -> wasmtime::Result<Vec<u32>> {
        let mut timer = None;
        loop {
            let places = (0..).zip(pollables);
            let ready: Vec<u32> =
                places.filter(|(_, pollable)| self.is_ready(pollable)).map(|(place, _)| place).collect();
            if !ready.is_empty() {
                if let Some(lost) = timer {
                    self.detach_timer(lost)?;
                }
                return Ok(ready);
            }
            if timer.is_none() {
                timer = earliest(pollables).map(|deadline| self.start_timer(deadline)).transpose()?;
            }
            let ops: Vec<Op> = self.wasi.http.in_flight().chain(timer).collect();
            if ops.is_empty() {
                return Err(HostTrap::Misuse(nothing_to_wait_for(pollables).to_owned()).into());
            }
            // What remains of the events is the timer's: the ends of requests have gone to their exchanges.
            for event in self.wait_for_ops(ops).await? {
                if matches!(event, Event::Finished { op, .. } if Some(op) == timer) {
                    timer = None;
                }
            }
        }
    }

    /// Starts a timer for this time, which is to come.
    fn start_timer(&mut self, deadline: Timestamp) -> wasmtime::Result<Op> {
        let Some(run) = self.run() else { return Err(HostTrap::NoRun("wasi:io/poll").into()) };
        // Timers count from the step's time.
        let delay = rounded_up(deadline.since(run.time()));
        match self.call(Call::Command(Command::StartTimer { delay, summary: None }))? {
            Reply::Op(op) => Ok(op),
            other => Err(unexpected(&other)),
        }
    }

    fn detach_timer(&mut self, op: Op) -> wasmtime::Result<()> {
        match self.call(Call::Command(Command::Detach { op }))? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

fn earliest(pollables: &[Pollable]) -> Option<Timestamp> {
    let deadlines = pollables.iter().filter_map(|pollable| match pollable {
        Pollable::Deadline(deadline) => Some(*deadline),
        Pollable::Ready | Pollable::Response(_) => None,
    });
    deadlines.min()
}

/// Why a wait could never end.
fn nothing_to_wait_for(pollables: &[Pollable]) -> &'static str {
    if pollables.is_empty() {
        // A trap, says the specification of `poll`.
        "wasi:io/poll: the list is empty: wait for something"
    } else {
        "wasi:io/poll: waits for the response to a request that has not left: requests leave whole, so finish the \
         body first"
    }
}

fn rounded_up(delay: Duration) -> Duration {
    let grains = delay.as_nanos().div_ceil(GRAIN.as_nanos());
    Duration::from_nanos(u64::try_from(grains * GRAIN.as_nanos()).unwrap_or(u64::MAX))
}
