//! `wasi:io/poll`: where a program that knows only WASI sleeps.
//!
//! A deadline becomes a timer when a wait has nothing else to do, and only the earliest of those it waits for. So a
//! timer is never left over, and what a program subscribes to and drops leaves no trace.

use std::time::Duration;

use refrain_engine::call::{Call, Command, Interest, Reply};
use refrain_engine::time::Timestamp;
use wasmtime::component::{Linker, Resource, ResourceType};

use super::versioned;
use crate::state::{HostTrap, State, unexpected};

/// What one can wait for.
#[derive(Clone, Copy)]
pub(super) enum Pollable {
    /// Streams: their reads and writes never block.
    Ready,
    /// Until then.
    Deadline(Timestamp),
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
        Ok((state.is_ready(*state.wasi.handles.get(&pollable)?),))
    })?;
    poll.func_wrap_async("[method]pollable.block", |mut store, (pollable,): (Resource<Pollable>,)| {
        Box::new(async move {
            let state = store.data_mut();
            let pollable = *state.wasi.handles.get(&pollable)?;
            state.poll(&[pollable]).await?;
            Ok(())
        })
    })?;
    poll.func_wrap_async("poll", |mut store, (pollables,): (Vec<Resource<Pollable>>,)| {
        Box::new(async move {
            let state = store.data_mut();
            let pollables = pollables.iter().map(|pollable| state.wasi.handles.get(pollable).copied());
            let pollables = pollables.collect::<Result<Vec<_>, _>>()?;
            Ok((state.poll(&pollables).await?,))
        })
    })
}

impl State {
    fn is_ready(&self, pollable: Pollable) -> bool {
        match pollable {
            Pollable::Ready => true,
            Pollable::Deadline(deadline) => deadline <= self.clock(),
        }
    }

    /// Waits until one of these is ready. Answers which are, by their place in the list.
    async fn poll(&mut self, pollables: &[Pollable]) -> wasmtime::Result<Vec<u32>> {
        loop {
            let places = (0..).zip(pollables);
            let ready: Vec<u32> =
                places.filter(|(_, pollable)| self.is_ready(**pollable)).map(|(place, _)| place).collect();
            if !ready.is_empty() {
                return Ok(ready);
            }
            let deadlines = pollables.iter().filter_map(|pollable| match pollable {
                Pollable::Deadline(deadline) => Some(*deadline),
                Pollable::Ready => None,
            });
            let Some(deadline) = deadlines.min() else {
                // So says the specification of `poll`.
                return Err(HostTrap::Misuse(
                    "wasi:io/poll: the list is empty: wait for something".to_owned(),
                )
                .into());
            };
            self.sleep_until(deadline).await?;
        }
    }

    /// Sleeps until this time, which is to come.
    async fn sleep_until(&mut self, deadline: Timestamp) -> wasmtime::Result<()> {
        let Some(run) = self.run() else { return Err(HostTrap::NoRun("wasi:io/poll").into()) };
        // Timers count from the step's time.
        let delay = rounded_up(deadline.since(run.time()));
        let timer = match self.call(Call::Command(Command::StartTimer { delay, summary: None }))? {
            Reply::Op(op) => op,
            other => return Err(unexpected(&other)),
        };
        self.wait(Interest::Ops(vec![timer])).await?;
        Ok(())
    }
}

fn rounded_up(delay: Duration) -> Duration {
    let grains = delay.as_nanos().div_ceil(GRAIN.as_nanos());
    Duration::from_nanos(u64::try_from(grains * GRAIN.as_nanos()).unwrap_or(u64::MAX))
}
