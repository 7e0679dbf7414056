//! Every limit that a run can meet, in numbered profiles.
//!
//! A limit that a guest can notice is part of the determinism profile, because a replay must meet the same
//! one. A profile never changes once released; a new one gets the next number. A run keeps the number it
//! started with.

use std::fmt;

/// A determinism profile: everything outside the component and the journal that a guest could notice.
#[derive(Debug)]
pub struct Profile {
    /// Its number, stored with each run.
    pub number: u32,
    /// Its name, for people.
    pub name: &'static str,
    /// Linear memory of an instance, all memories together, in bytes. Growth past it answers -1.
    pub memory_bytes: usize,
    /// Elements of a table. Growth past it answers -1.
    pub table_elements: usize,
    /// Stack of wasm code, in bytes. Past it the run is parked.
    pub stack_bytes: usize,
    /// Entries of one step. Past it the run is parked.
    pub step_entries: usize,
    /// Bytes of one step's arguments. Past it the run is parked.
    pub step_bytes: usize,
    /// Bytes of log lines in one step. The rest of the step's lines is dropped.
    pub step_log_bytes: usize,
    /// Bytes of one payload. A larger one traps.
    pub payload_bytes: usize,
    /// Ops that are open at once. One more traps.
    pub open_ops: usize,
    /// Bytes of one read of randomness. More traps.
    pub random_bytes: u32,
    /// Ends of ops among the events of one wait. The rest comes from the next.
    pub wait_events: usize,
    /// Bytes of those ends, the first always included. The rest comes from the next. Messages do not count:
    /// a wait that takes messages takes all there are, and the host bounds how many there can be.
    pub wait_bytes: usize,
    /// Entries of a journal. At half of it continue-as-new is suggested, at all of it the run is parked.
    pub journal_entries: u64,
    /// Bytes of a journal, with the same consequences.
    pub journal_bytes: u64,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What an element of a list counts beside its text, in bytes: about what it takes in memory, so that a
/// million empty ones are not free. A guest can notice it, so it is as fixed as a profile.
pub const ELEMENT_BYTES: usize = 64;

/// The profile of new runs.
pub static CURRENT: &Profile = &PROFILE_1;

static PROFILE_1: Profile = Profile {
    number: 1,
    name: "deterministic-1",
    // A Python runtime takes 40 MiB before it runs a line of its user's code.
    memory_bytes: 256 * MIB,
    // The largest table seen in a language runtime has 20,000 elements.
    table_elements: 200_000,
    // wasmtime's own default; deep recursion in an interpreter needs about half.
    stack_bytes: 512 * KIB,
    // Far above a fan-out of 10,000 activities, far below what a loop that forgot to wait makes.
    step_entries: 50_000,
    // One commit carries a step: its record, the rows of what it starts, and what it was given. Together they
    // stay below the largest batch of the store, 16 MiB.
    step_bytes: 4 * MIB,
    // A line of log for each of a step's thousand events.
    step_log_bytes: 256 * KIB,
    // Temporal's is 2 MiB; larger values belong in a file or an object store.
    payload_bytes: 2 * MIB,
    // A fan-out of 10,000 is ordinary; a hundred thousand is a list of children.
    open_ops: 20_000,
    random_bytes: 65_536,
    // A guest's allocator takes the whole list at once.
    wait_events: 1_000,
    // The largest end is as large; with the messages of a wait it is a part of the step's commit.
    wait_bytes: 2 * MIB,
    // Temporal's limit is 51,200 events; replay here is cheap enough for ten times as many calls.
    journal_entries: 500_000,
    // Read whole at each replay.
    journal_bytes: 128 * MIB as u64,
};

impl Profile {
    /// The profile with this number.
    pub fn get(number: u32) -> Option<&'static Self> {
        [&PROFILE_1].into_iter().find(|profile| profile.number == number)
    }
}

/// A limit that a step met, for which the run is parked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excess {
    /// The name of the limit: the field of [`Profile`].
    pub limit: &'static str,
    /// Its value.
    pub maximum: u64,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit {} of {} is exceeded: {}", self.limit, self.maximum, self.remedy)
    }
}
