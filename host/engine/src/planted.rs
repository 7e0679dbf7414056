//! Bugs that can be planted, to see that what looks for bugs finds them.
//!
//! Without the feature `planted` every `planted!("name")` is the constant `false`, and the compiler removes what it
//! guards. With it, one bug is chosen by name for the whole process. `cargo xtask sim --planted` alone turns it on.

#[cfg(all(feature = "planted", not(debug_assertions)))]
compile_error!(
    "the feature `planted` puts bugs into the host: it is for debug builds of the simulation alone"
);

/// Every bug there is.
pub const BUGS: &[&str] = &[
    "acknowledge-before-durable",
    "continue-without-signals",
    "dispatch-before-commit",
    "forget-ready-runs",
    "forget-requests",
    "keep-timer-rows",
    "lose-outcomes-on-eviction",
    "lose-updates-at-crash",
    "parent-close-as-abandon",
    "read-past-replay",
    "record-outcome-twice",
    "skip-sync",
    "timer-early",
    "timer-twice",
];

/// Whether this bug is planted: `if planted!("timer-early") { .. }`.
#[macro_export]
macro_rules! planted {
    ($bug:literal) => {
        $crate::planted::is($bug)
    };
}

/// Whether the bug of this name is planted.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub const fn is(_bug: &str) -> bool {
    false
}

#[cfg(feature = "planted")]
pub use chosen::{is, plant};

#[cfg(feature = "planted")]
mod chosen {
    use std::sync::OnceLock;

    static PLANTED: OnceLock<String> = OnceLock::new();

    /// Plants a bug, for the rest of the process.
    ///
    /// # Panics
    /// When there is no such bug, or one is planted already.
    pub fn plant(bug: &str) {
        assert!(super::BUGS.contains(&bug), "there is no bug {bug:?}; there are {:?}", super::BUGS);
        PLANTED.set(bug.to_owned()).expect("one bug at a time");
    }

    /// Whether the bug of this name is planted.
    pub fn is(bug: &str) -> bool {
        debug_assert!(super::BUGS.contains(&bug), "{bug:?} is not in the list of bugs");
        PLANTED.get().is_some_and(|planted| planted == bug)
    }
}
