//! The seam between who owns runs and what executes their code.
//!
//! The owner (crate `refrain-runtime`) opens a guest for a component and lends it a [`Run`]. While the guest
//! executes it holds the run, and its host functions call [`Run::call`] synchronously: in replay that answers
//! from the journal, live it makes new entries. When a call answers [`Halt::Wait`], the host function hands the
//! run back through the [`Exchange`] and awaits its return; dropping the guest drops the suspended code.
//!
//! The sandbox implements these traits with wasmtime, [`crate::scripted`] with Rust closures.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::failure::Outcome;
use crate::ids::Digest;
use crate::limits::{Excess, Profile};
use crate::mismatch::Mismatch;
use crate::run::{Halt, Run};

/// Opens guests.
pub trait Guests: Send + Sync + 'static {
    /// A guest that will execute the component with this digest. Cheap when the component is warm; compiles
    /// it, off the async threads, when it is not.
    ///
    /// # Errors
    /// When the component is unknown here or cannot be compiled, or the machine has no room for an instance.
    fn open(
        &self,
        digest: Digest,
        profile: &'static Profile,
    ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>>;
}

/// Code that executes one run. It is used by one owner, and dropped when the run is evicted or has ended.
pub trait Guest: Send {
    /// Executes until the run waits or ends, or cannot go on. The first call instantiates; after
    /// [`Stop::Wait`] the next call goes on where the run waited, with the events that the owner put into the
    /// run by [`Run::resume`]. After any other stop the guest is only to be dropped.
    fn run(&mut self, run: Box<Run>) -> BoxFuture<'_, (Box<Run>, Stop)>;

    /// The memory that the instance keeps while it waits, in bytes, as far as it can be told.
    fn resident_bytes(&self) -> usize;
}

/// Why a guest stopped executing.
#[derive(Debug)]
pub enum Stop {
    /// The run waits. A live step is closed: see [`Run::close_step`].
    Wait,
    /// The run ended by its own word. A live step is closed.
    Finished,
    /// The code trapped. Nothing of the step is recorded.
    Trap(Trap),
    /// The step ran longer than its budget. Nothing of the step is recorded.
    Budget,
    /// The step met a limit. Nothing of the step is recorded.
    Limit(Excess),
    /// A replay made another call than the journal has.
    Mismatch(Box<Mismatch>),
    /// The query that the run was made for is answered, or has failed: see [`Run::query`].
    Answered(Box<Outcome>),
    /// A replay that is looked at has come to the call that is looked for: see [`Run::moment`].
    Reached(Reached),
    /// The machine could not go on, through no fault of the run: try the step again later.
    Unavailable(String),
}

/// Where in the code a replay that is looked at has stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// As [`Trap::backtrace`].
    pub backtrace: Vec<String>,
    /// What the instance is there, if who executes the code takes images. Code that has returned leaves none.
    pub image: Option<Image>,
}

/// What an instance is at one of its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The SHA-256 of its memories and globals.
    pub memory: Digest,
    /// The size of its memories, in bytes.
    pub memory_bytes: usize,
    /// Its memories, globals and stack, as a [core dump] of WebAssembly; or why there is none.
    ///
    /// [core dump]: https://github.com/WebAssembly/tool-conventions/blob/main/Coredump.md
    pub core_dump: Result<Bytes, &'static str>,
}

/// A trap: the code cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What happened.
    pub message: String,
    /// Where: function names, innermost first. Empty when nothing is known.
    pub backtrace: Vec<String>,
    /// The stack overflowed: how deep it got depends on the compiler, so such a run is never failed.
    pub stack_overflow: bool,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why no guest could be opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// No component with this digest is stored here.
    #[error("component {0} is not stored here: upload it again")]
    Unknown(Digest),
    /// The component does not compile or link with this host.
    #[error("component {digest} cannot run here: {reason}")]
    Unusable {
        /// Which.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// No room now.
    #[error("no instance can be made now: {0}")]
    Unavailable(String),
}

/// Where a run changes hands between an owner and suspended code. Clones share the place.
#[derive(Clone, Default)]
pub struct Exchange(Arc<Mutex<Place>>);

#[derive(Default)]
enum Place {
    #[default]
    Empty,
    /// Put there by the owner, for the code.
    ForGuest(Box<Run>),
    /// Put there by the code, for the owner.
    ForOwner(Box<Run>),
}

impl Exchange {
    /// The code's side: hands the run to the owner and waits until it comes back.
    pub async fn suspend(&self, run: Box<Run>) -> Box<Run> {
        self.put(Place::ForOwner(run));
        self.receive().await
    }

    /// The code's side: waits until the owner lends the run.
    pub async fn receive(&self) -> Box<Run> {
        poll_fn(|_| match self.take() {
            Place::ForGuest(run) => Poll::Ready(run),
            // Woken for something else, such as an epoch: leave it as it is.
            other @ (Place::Empty | Place::ForOwner(_)) => {
                self.put(other);
                Poll::Pending
            }
        })
        .await
    }

    /// The owner's side: lends the run to the code and drives it until it hands the run back
    /// (`Step::Suspended`) or ends (`Step::Ended`, where the run is with the code's own return value).
    pub async fn lend<T>(
        &self,
        run: Box<Run>,
        mut code: Pin<&mut (dyn Future<Output = T> + Send)>,
    ) -> Lent<T> {
        self.put(Place::ForGuest(run));
        poll_fn(|context: &mut Context<'_>| match code.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Lent::Ended(value)),
            Poll::Pending => match self.take() {
                Place::ForOwner(run) => Poll::Ready(Lent::Suspended(run)),
                other @ (Place::Empty | Place::ForGuest(_)) => {
                    self.put(other);
                    Poll::Pending
                }
            },
        })
        .await
    }

    fn take(&self) -> Place {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, place: Place) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

/// How a lent run came back.
pub enum Lent<T> {
    /// The code handed it back and waits.
    Suspended(Box<Run>),
    /// The code ended with this value.
    Ended(T),
}

impl From<Halt> for Stop {
    /// What a guest whose code was stopped by this halt answers.
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Wait => Self::Wait,
            Halt::Finished => Self::Finished,
            Halt::Mismatch(mismatch) => Self::Mismatch(mismatch),
            Halt::Limit(excess) => Self::Limit(excess),
            Halt::Answered(outcome) => Self::Answered(outcome),
            Halt::Reached => Self::Reached(Reached::default()),
            Halt::Misuse(message) => {
                Self::Trap(Trap { message, backtrace: Vec::new(), stack_overflow: false })
            }
        }
    }
}
