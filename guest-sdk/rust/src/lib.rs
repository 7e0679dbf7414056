//! Write durable workflows for Refrain as ordinary async Rust.
//!
//! ```
//! use refrain_sdk::{Failure, activity, days, secs, sleep, workflow};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Invite {
//!     name: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Welcome {
//!     text: String,
//! }
//!
//! /// Greets someone, a day late.
//! #[workflow]
//! async fn welcome(invite: Invite) -> Result<Welcome, Failure> {
//!     sleep(days(1)).await; // the host may crash, and the component be replaced, meanwhile
//!     let text = activity("greet", &invite.name).start_to_close(secs(10)).await?;
//!     Ok(Welcome { text })
//! }
//!
//! refrain_sdk::component!(welcome);
//! ```
//!
//! A crate of type `cdylib` with one [`component!`] is a component: `cargo build --release --target
//! wasm32-unknown-unknown`, and what comes out can be uploaded as it is. Workflows are tested natively with
//! [`testing::Env`].
//!
//! # How it works
//!
//! The host records each call that a workflow makes and everything that it hears. After a crash it runs the
//! workflow again from the start and gives it the recorded answers, so the code must make the same calls each
//! time. In a sandbox it can hardly do otherwise; what is left is told here.
//!
//! **When things start** is part of that record, and will never change:
//!
//! * Nothing is started by being polled. An [`activity`] (or a [`local_activity`]) starts at `.start()`, at
//!   `.await`, or when it is given to a combinator, in the order in which it is given; a [`child`](child()) too.
//!   [`sleep`] starts its timer at the call, [`timeout`] after what it limits. What is sent to an
//!   [other workflow](external) is sent at the call. An `async` block does nothing until it is polled, as
//!   everywhere in Rust.
//! * Tasks and futures run first come, first served, in the order of the events that woke them. [`select!`]
//!   takes the one whose event happened first.
//! * A dropped activity or child is *detached*: it goes on, and nobody hears of its outcome. A dropped timer is
//!   canceled. To end an activity early, [cancel](RunningActivity::cancel) it. What is open when the workflow
//!   ends is canceled by the host; children have a [policy](Child::parent_close) for that.
//! * A wait brings all that has happened. First everything that waited for it runs, then
//!   [conditions](wait_condition) are looked at, then [updates](Update) are handled, until nothing can go on.
//!
//! **Bytes are compared**, so inputs must be written alike each time. Structs are. A `HashMap` is not
//! ordered: its order is the same in each replay by the same component (there is no randomness to seed it, so
//! its keys come from memory addresses), but a newer version of your code may find another. Give a `BTreeMap`
//! to activities.
//!
//! **Time and randomness** come from [`now`], [`random`], [`random_bytes`] and [`uuid`]. `Instant::now()`,
//! `SystemTime::now()` and threads panic, with a message that says what to use instead. `println!` prints
//! nowhere: use [`info!`].
//!
//! **A panic** parks the run, which keeps all that it has recorded; `refrain workflow describe` shows where it
//! happened, and `refrain workflow resume` lets it try the step again, by the code with which it started.
//! `#[workflow(on_trap = fail)]` lets it fail instead. What is expected to go wrong is a [`Failure`], and `?`
//! makes one of any error.
//!
//! **Queries** are answered by handlers that see what the workflow knows, and change nothing: see [`Query`].
//! **Signals** tell it something, and are received one after the other or [handled](Signal::handle) each by a task:
//! see [`Signal`]. **Updates** ask it to do something, and are answered: see [`Update`].
//!
//! **Other workflows** are started as [children](child()), and sent signals and cancel requests by their id: see
//! [`external`].
//!
//! **Canceling** is a request: see [`or_canceled`], which most workflows wrap around what may be given up, and
//! [`CancelScope`], which cancels what was started together.

#[cfg(test)]
extern crate self as refrain_sdk;

mod activity;
pub mod bindings;
mod child;
mod combine;
mod conditions;
mod context;
mod executor;
mod external;
mod failure;
mod handlers;
mod host;
mod inbox;
pub mod log;
mod messages;
mod panic;
mod payload;
mod queries;
mod retry;
mod saga;
mod scope;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod time;
mod updates;
mod version;
mod wakes;
mod work;
mod workflow;

pub use activity::{
    Activity, Cancellation, RunningActivity, WithTimeout, WithoutTimeout, activity, local_activity,
};
pub use child::{Child, ChildStarted, IdReuse, ParentClose, RunningChild, child, child_of};
pub use combine::{
    JoinAll, SelectAll, TryJoinAll, join_all, join_bounded, select_all, try_join_all, try_join_bounded,
};
pub use conditions::{WaitCondition, wait_condition};
pub use context::{Execution, Info, Random, info, random, random_bytes, uuid};
pub use executor::{Task, spawn};
pub use external::{Sent, external, external_run};
pub use failure::{Context, Failure, FailureKind};
pub use handlers::all_handlers_finished;
pub use messages::{Canceled, OrCanceled, Recv, Signal, canceled, is_cancel_requested, or_canceled};
pub use queries::Query;
pub use refrain_sdk_macros::workflow;
pub use retry::Retry;
pub use saga::{Compensated, Compensations, Saga, saga};
pub use scope::{CancelScope, InScope, Shield, Shielded, shield};
pub use time::{
    Elapsed, Sleep, Timeout, days, hours, millis, mins, now, secs, sleep, sleep_named, sleep_until, timeout,
};
pub use updates::{Update, UpdateInfo, current_update};
pub use version::{get_version, patched};
pub use workflow::{ContinueAsNew, Next, OnTrap, Returned, Workflow, continue_as_new};

/// What the macros' expansions name; not for others.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::exports::refrain::workflow::definition::{Guest, Manifest, MessageType};
    pub use crate::bindings::refrain::workflow::types::{Completion, Payload};
    pub use crate::combine::{First, Join, Select};
    pub use crate::workflow::{Entry, describe, run};
}

/// Makes the crate a component of these workflows: `component!(hello, orders::refund);`. Once in a crate.
///
/// In a native build it does nothing.
#[macro_export]
macro_rules! component {
    ($($workflow:ty),+ $(,)?) => {
        const _: () = {
            #[allow(dead_code, reason = "in a native build nobody exports it")]
            struct RefrainComponent;

            impl RefrainComponent {
                const WORKFLOWS: &[$crate::__private::Entry] = &[$($crate::__private::Entry::of::<$workflow>()),+];
            }

            impl $crate::__private::Guest for RefrainComponent {
                fn describe() -> $crate::__private::Manifest {
                    $crate::__private::describe(Self::WORKFLOWS)
                }

                fn run(
                    workflow: ::std::string::String,
                    input: $crate::__private::Payload,
                ) -> $crate::__private::Completion {
                    $crate::__private::run(Self::WORKFLOWS, &workflow, &input)
                }
            }

            // Without it, a native build would warn of workflows that nobody uses.
            const _: &[$crate::__private::Entry] = RefrainComponent::WORKFLOWS;

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::export!(RefrainComponent with_types_in $crate::bindings);
        };
    };
}
