//! `wasi:clocks`: the run's clock.

use std::time::Duration;

use refrain_engine::time::Timestamp;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource};

use super::poll::Pollable;
use super::{CLOCK_TICK_NANOS, versioned};
use crate::state::State;

/// The deadline of who wants none: a second before the latest that a timer may have, so that there is room to round.
const NEVER: Timestamp = Timestamp(Timestamp::MAX_DEADLINE.0 - 1_000_000_000);

/// `wall-clock.datetime`.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut wall = linker.instance(&versioned("wasi:clocks/wall-clock"))?;
    wall.func_wrap("now", |mut store, ()| {
        let time = store.data_mut().read_clock()?;
        Ok((Datetime { seconds: time.seconds(), nanoseconds: time.subsec_nanos() },))
    })?;
    wall.func_wrap("resolution", |_, ()| Ok((Datetime { seconds: 0, nanoseconds: CLOCK_TICK_NANOS },)))?;

    let mut monotonic = linker.instance(&versioned("wasi:clocks/monotonic-clock"))?;
    monotonic.func_wrap("now", |mut store, ()| {
        let state = store.data_mut();
        let since = state.read_clock()?.since(state.monotonic_zero());
        Ok((u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),))
    })?;
    monotonic.func_wrap("resolution", |_, ()| Ok((u64::from(CLOCK_TICK_NANOS),)))?;
    monotonic.func_wrap("subscribe-instant", |mut store, (when,): (u64,)| {
        let state = store.data_mut();
        state.subscribe(state.monotonic_zero().after(Duration::from_nanos(when)))
    })?;
    monotonic.func_wrap("subscribe-duration", |mut store, (length,): (u64,)| {
        let state = store.data_mut();
        state.subscribe(state.clock().after(Duration::from_nanos(length)))
    })
}

impl State {
    /// A handle for this deadline. Programs ask for the end of time where they mean never.
    fn subscribe(&mut self, deadline: Timestamp) -> wasmtime::Result<(Resource<Pollable>,)> {
        let pollable = Pollable::Deadline(deadline.min(NEVER));
        Ok((self.wasi.handles.push(pollable)?,))
    }
}
