//! Runs [`Plugin`]s in a process of their own: a **worker**, which polls a task queue of a Refrain host over HTTP.
//!
//! A plugin is the same in a host and in a worker, down to the line. It moves out of the host when it needs what the
//! host's machine does not have (a GPU, a network, a licence), when it may crash, or when there should be many of it.
//!
//! ```no_run
//! use refrain_plugin::{Activity, Context, Plugin};
//! use refrain_worker::Worker;
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn name(&self) -> &str { "greeter" }
//!
//!     fn activities(&self) -> Vec<Activity> {
//!         vec![Activity::new("greeter.greet", |_: Context, name: String| async move {
//!             Ok(format!("Hello, {name}!"))
//!         })]
//!     }
//! }
//!
//! # async fn example() -> Result<(), refrain_worker::Error> {
//! Worker::builder("http://127.0.0.1:7420").task_queue("gpu").slots(4).plugin(Greeter).build()?.run().await
//! # }
//! ```
//!
//! or, configured by the environment alone, with a `main` of one line: [`run`].
//!
//! # What a worker promises
//!
//! * **It polls only for what it can begin.** One poll waits for each free slot, up to a few; a poll whose answer was
//!   lost is repeated under the same id, and the host answers it with the same task.
//! * **A result is repeated until the host has it for good**, through lost connections and restarts of the host, as
//!   long as it is of interest.
//! * **Heartbeats are throttled** here: an activity beats as often as it likes, the first beat goes at once, of those
//!   that follow the newest goes, at least three times within its heartbeat timeout. Their answers say when the
//!   attempt should stop, which arrives in the activity's [`Context`](refrain_plugin::Context).
//! * **An attempt that is no longer the current one is stopped and reports nothing.**
//! * **It stops without losing work**: no new tasks, a grace for those that run, then cancellation, and what did not
//!   end is given back to the host at once instead of by a timeout. See [`Worker::run_until`].
//!
//! What it does not promise: that an attempt runs at most once (see the crate [`refrain_plugin`] on idempotence), and
//! that an attempt stops when it is told to, which is the activity's own doing.
//!
//! # Inside
//!
//! | module | concept |
//! |---|---|
//! | `builder` | settings, where they come from, and their limits |
//! | `worker` | the life of a worker: pollers, attempts, phases of its end |
//! | `poller` | from a free slot to a task |
//! | `attempt` | from a task to its report |
//! | `heartbeat` | throttling, and what the answers tell an attempt |
//! | `report` | what an attempt's end is on the wire, and its delivery |
//! | `client` | requests, and what kinds of answers there are |
//! | `contact` | whether the host answers, as the log tells it |
//! | `wire` | the JSON, of which the host has types of its own |

mod attempt;
mod builder;
mod client;
mod contact;
mod error;
mod heartbeat;
mod poller;
mod report;
mod run;
mod wire;
mod worker;

pub use builder::WorkerBuilder;
pub use error::Error;
pub use refrain_plugin::Plugin;
pub use run::run;
pub use worker::Worker;
