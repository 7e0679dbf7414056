//! What a run may know: itself, and randomness.

use std::time::SystemTime;

use crate::bindings::refrain::workflow::{context, types};
use crate::{Failure, host, time};

/// What a run knows about itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Info {
    /// The namespace that it belongs to.
    pub namespace: String,
    /// The execution's id.
    pub workflow_id: String,
    /// This run's id.
    pub run_id: String,
    /// The first run of this chain of continue-as-new, retry and reset.
    pub first_run_id: String,
    /// The run that this one continues.
    pub continued_run_id: Option<String>,
    /// The workflow's name.
    pub workflow: String,
    /// The task queue of its activities.
    pub task_queue: String,
    /// From 1; counts the attempts of the run's own retry policy.
    pub attempt: u32,
    /// Why the attempt before this one failed.
    pub last_failure: Option<Failure>,
    /// When it began.
    pub started_at: SystemTime,
    /// Who started it as a child.
    pub parent: Option<Execution>,
    /// The top of the tree of parents.
    pub root: Option<Execution>,
    /// The journal's length when the latest wait returned.
    pub journal_entries: u64,
    /// The journal's size then.
    pub journal_bytes: u64,
    /// The journal nears its limit: [continue as new](crate::continue_as_new) when it suits.
    pub continue_as_new_suggested: bool,
}

/// One run, or whichever run of an execution is current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The execution's id.
    pub workflow_id: String,
    /// `None`: its current run.
    pub run_id: Option<String>,
}

impl From<types::Execution> for Execution {
    fn from(execution: types::Execution) -> Self {
        Self { workflow_id: execution.workflow_id, run_id: execution.run_id }
    }
}

/// What this run knows about itself.
#[must_use]
pub fn info() -> Info {
    let context::RunInfo {
        namespace,
        workflow_id,
        run_id,
        first_run_id,
        continued_run_id,
        workflow,
        task_queue,
        attempt,
        last_failure,
        started_at,
        parent,
        root,
        journal_entries,
        journal_bytes,
        continue_as_new_suggested,
        more: _,
    } = host::with(|host| host.info());
    Info {
        namespace,
        workflow_id,
        run_id,
        first_run_id,
        continued_run_id,
        workflow,
        task_queue,
        attempt,
        last_failure: last_failure.map(Failure::from_wire),
        started_at: time::from_wire(started_at),
        parent: parent.map(Into::into),
        root: root.map(Into::into),
        journal_entries,
        journal_bytes,
        continue_as_new_suggested,
    }
}

/// The most that the host gives at once.
const RANDOM_BYTES_AT_ONCE: usize = 65_536;

/// Bytes of the run's own random stream: the same on every replay.
#[must_use]
pub fn random_bytes(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let wanted = (len - bytes.len()).min(RANDOM_BYTES_AT_ONCE);
        bytes.extend(host::with(|host| host.random_bytes(wanted as u32)));
    }
    bytes
}

/// A random value: any integer, `true` or `false`, a float from 0 up to but not 1, an array of bytes.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() {
/// let dice = random::<u32>() % 6 + 1;
/// sleep(secs(60).mul_f64(0.5 + random::<f64>())).await;
/// # }
/// ```
#[must_use]
pub fn random<T: Random>() -> T {
    T::random()
}

/// A version 4 UUID, the same on every replay.
#[must_use]
pub fn uuid() -> String {
    host::with(|host| host.uuid())
}

/// What [`random`] can make.
pub trait Random: sealed::Sealed {
    #[doc(hidden)]
    fn random() -> Self;
}

mod sealed {
    pub trait Sealed {}
}

impl<const N: usize> sealed::Sealed for [u8; N] {}
impl<const N: usize> Random for [u8; N] {
    fn random() -> Self {
        let mut array = [0; N];
        array.copy_from_slice(&random_bytes(N));
        array
    }
}

macro_rules! integers {
    ($($integer:ty)+) => {$(
        impl sealed::Sealed for $integer {}
        impl Random for $integer {
            fn random() -> Self {
                Self::from_le_bytes(random())
            }
        }
    )+};
}

integers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

impl sealed::Sealed for bool {}
impl Random for bool {
    fn random() -> Self {
        random::<u8>() & 1 == 1
    }
}

impl sealed::Sealed for f64 {}
impl Random for f64 {
    fn random() -> Self {
        // As many bits as the mantissa holds: each multiple of 2^-53 below 1 is equally likely.
        (random::<u64>() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
