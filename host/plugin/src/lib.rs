//! What the author of a Refrain plugin compiles.
//!
//! A workflow reaches the world through *activities*: ordinary native code with side effects, which the host
//! runs **at least once** and whose outcome it records once. A [`Plugin`] is a set of activities, each with a
//! name and with a typed input and output:
//!
//! ```
//! use refrain_plugin::{Activity, ActivityError, Context, Plugin};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct Greet { name: String }
//!
//! #[derive(Serialize)]
//! struct Greeting { text: String }
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn name(&self) -> &str { "greeter" }
//!
//!     fn activities(&self) -> Vec<Activity> {
//!         vec![Activity::new("greeter.greet", |_ctx: Context, input: Greet| async move {
//!             if input.name.is_empty() {
//!                 return Err(ActivityError::invalid_input("field `name` is empty: give a name"));
//!             }
//!             Ok(Greeting { text: format!("Hello, {}!", input.name) })
//!         })]
//!     }
//! }
//! ```
//!
//! **Idempotence.** An attempt may be cut off after its effect and before its outcome is recorded, and the next
//! attempt begins again from the start. So either make the effect the same when repeated, or hand
//! [`Context::idempotency_key`] to the service that is called: it is the same for all attempts.
//!
//! **Long work** calls [`Context::heartbeat`] with its progress, which the next attempt finds in
//! [`Context::last_heartbeat`], and stops when [`Context::is_cancelled`] says so.
//!
//! **Blocking work** (files, computing) is declared with [`Activity::blocking`]; the host gives it a thread on
//! which blocking harms nobody.
//!
//! **Errors** are an [`ActivityError`]: every [`std::error::Error`] becomes one with `?`, with the chain of its
//! sources. All errors are retried under the workflow's retry policy unless they say otherwise.
//!
//! **Work that ends elsewhere** (a webhook, a person) answers [`ActivityError::pending`] and hands out
//! [`Context::task_token`].
//!
//! The same plugins run in a host and in a worker, which polls a host's task queue from a process of its own (the
//! crate `refrain-worker`), without a changed line.
//!
//! This crate knows nothing of the host: no engine, no store, no async runtime. The host's side of the contract
//! is [`Activity::call`], [`ContextParts`], [`HostHooks`] and [`CancelSource`].

mod activity;
mod cancel;
mod context;
mod error;
mod payload;

pub use activity::{Activity, Kind, Plugin};
pub use cancel::{CancelReason, CancelSource, Cancellation};
pub use context::{Context, ContextParts, HostHooks};
pub use error::{ActivityError, Cause, ResultExt};
pub use payload::{ParseError, Payload};
