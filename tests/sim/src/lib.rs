//! A deterministic simulation of a Refrain host, to find Refrain's own bugs.
//!
//! One seed draws what clients want, what goes wrong and who comes first; the same seed gives the same trace. The host is
//! the real one: the runtime over a store, with scripted guests or with a component in the sandbox. Around it are a simulated
//! clock, a simulated disk, clients, workers and a plugin, and what happens is recorded. In the end nothing goes wrong
//! any more, everything must come to its end, and independent [`checkers`] judge the record.
//!
//! | module | concept |
//! |---|---|
//! | [`simulation`] | one seed from its beginning to its verdict |
//! | [`options`] | what a seed is allowed to draw |
//! | [`actor`], [`code`] | what workflows do, and what executes them |
//! | [`clients`], [`plugin`] | what is asked of the host: requests, activities and workers |
//! | [`clock`], [`disk`], [`entropy`] | what the host finds around it: time, a store, randomness |
//! | [`trace`], [`evidence`], [`checkers`] | what happened, what is left, and what must hold |

pub mod actor;
pub mod checkers;
pub mod clients;
pub mod clock;
pub mod code;
pub mod disk;
pub mod entropy;
pub mod evidence;
pub mod options;
pub mod plugin;
pub mod random;
pub mod simulation;
pub mod trace;
