//! The runtime of Refrain: owns runs. It loads them, replays them, resumes them when something arrives,
//! commits their steps, dispatches what became durable, and lets go of them while they sleep.
//!
//! It knows tokio, the engine, the store and plugins; it may not know wasmtime or HTTP. Guests are behind
//! [`refrain_engine::guest`], time is behind [`Clock`], randomness behind [`Entropy`].
//!
//! | module | concept |
//! |---|---|
//! | [`Runtime`] | what the server calls |
//! | `owner` | the task that owns one run and orders all that reaches it |
//! | `registry` | finds or spawns the owner of a run |
//! | `placing` | where an activity that has not ended belongs: in a queue, at work, waiting |
//! | `queues` | what waits for a slot or a worker, and who is next |
//! | `executor` | attempts of activities in this process |
//! | `attempts` | the attempts that run, here and elsewhere: heartbeats, and what they are to be told |
//! | `alarms` | when the runs without an owner have something due |
//! | `timers` | durable timers, loaded in bounded pieces |
//! | `residents` | which waiting instances stay in memory |
//! | `courier` | carries what runs want from each other: children, signals, cancel requests |
//! | `recovery` | what a boot finds and wakes |
//! | `watchers`, `changes` | who waits for a run to change, and who watches them all |
//! | `queries` | questions to runs, which change nothing |
//! | `updates` | messages whose senders wait for an answer |
//! | `components`, `versions` | names, their versions, and what needs them |
//! | `preflight`, `moves` | other code for open runs: whether it would replay them, and giving it to them |
//! | [`Trial`] | code tried on a journal, wherever that is from |
//! | [`Debugger`] | a run, looked at call by call, wherever its journal is from |
//! | `sweep` | something done to each of a component's open runs |
//! | `copies` | the steps of a run under the key of another one |
//! | `export` | a run's history on its way into a file |
//! | `reset`, `fork` | runs that go on from an earlier step of another run |
//!
//! The one rule behind the code: an owner commits first and acts afterwards. Nothing is dispatched, and
//! nobody is answered, before what caused it is durable.

mod activity_api;
mod activity_types;
mod alarms;
mod attempts;
mod base;
mod changes;
mod clock;
mod components;
mod copies;
mod courier;
mod debug;
mod delete;
mod entropy;
mod error;
mod executor;
mod export;
mod fork;
mod histories;
mod inspect;
mod moves;
mod new_run;
mod options;
mod owner;
mod placing;
mod preflight;
mod queries;
mod queues;
mod recovery;
mod registry;
mod reset;
mod reset_types;
mod residents;
mod rows;
mod runtime;
mod shared;
mod stale;
mod start;
mod sweep;
mod task_token;
mod tasks;
mod timers;
mod trial;
mod types;
mod updates;
mod version_types;
mod versions;
mod watchers;

pub use activity_types::*;
pub use changes::{Changed, Changes};
pub use clock::{Clock, SystemClock, TokioClock, sleep_by};
pub use debug::{Calls, DebugError, Debugger, Stopped};
pub use entropy::Entropy;
pub use error::{Error, ErrorKind};
pub use export::Export;
pub use options::Options;
pub use reset_types::*;
pub use runtime::{Health, Runtime};
pub use trial::Trial;
pub use types::*;
pub use updates::{PendingUpdate, SendUpdate, UpdateProgress, UpdateStatus, WaitStage};
pub use version_types::*;
