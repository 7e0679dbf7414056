//! A host for native tests: `cargo test` runs a workflow without WebAssembly, in no time.
//!
//! Time is skipped: a wait takes what is due first and sets the clock to it, so a workflow that sleeps for a
//! year is tested in microseconds. What is due at the same time is delivered by one wait, in the order in
//! which it was started. An activity is called once for each start, whatever its retry policy says: what the
//! closure returns stands for the outcome of the last attempt. Children are closures too.
//!
//! ```
//! use refrain_sdk::testing::Env;
//! use refrain_sdk::*;
//!
//! #[workflow]
//! async fn hello(name: String) -> Result<String, Failure> {
//!     sleep(days(365)).await;
//!     activity("greet", &name).start_to_close(secs(10)).await
//! }
//!
//! let ended = Env::new()
//!     .activity("greet", |name: String| Ok(format!("Hello, {name}!")))
//!     .run::<hello>(&"Ada");
//! assert_eq!(ended.result::<String>().unwrap(), "Hello, Ada!");
//! assert_eq!(ended.elapsed.as_secs(), 365 * 86_400);
//! assert_eq!(ended.calls, ["1 = timer 31536000s", "wait", "2 = activity greet \"Ada\"", "wait"]);
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::refrain::workflow::activity::Cancellation;
use crate::bindings::refrain::workflow::messages::{CancelRequest, Message, Query, Signal, Update};
use crate::bindings::refrain::workflow::types::{self, Completion, Outcome, Payload};
use crate::host::Host;
use crate::workflow::{Entry, Workflow, run};
use crate::{Failure, FailureKind, payload};

thread_local! {
    static ENV: RefCell<Option<Env>> = const { RefCell::new(None) };
}

/// The door of `host` in native builds.
pub(crate) fn with_host<R>(f: impl FnOnce(&mut dyn Host) -> R) -> R {
    ENV.with_borrow_mut(|env| {
        f(env.as_mut().expect("outside of a component, workflow code runs in a `refrain_sdk::testing::Env`"))
    })
}

mod children;
mod host;
mod updates;

pub use updates::UpdateStage;

/// What stands for an activity or a child.
type Work = Box<dyn FnMut(&Payload) -> Result<Payload, Failure>>;

fn work<I: DeserializeOwned, O: Serialize>(mut f: impl FnMut(I) -> Result<O, Failure> + 'static) -> Work {
    Box::new(move |input| payload::encode(&f(payload::decode(input)?)?))
}

/// What a workflow under test meets: activities, children, and messages at given times.
#[derive(Default)]
pub struct Env {
    activities: BTreeMap<String, (Duration, Work)>,
    children: BTreeMap<String, children::Child>,
    /// Executions that are not there.
    missing: Vec<String>,
    /// By the time at which it is due, then in the order of the calls.
    due: BTreeMap<(Duration, u64), Due>,
    sequence: u64,
    op: u64,
    clock: Duration,
    reads: u32,
    randomness: u64,
    calls: Vec<String>,
    log: Vec<String>,
    answers: Vec<Outcome>,
    /// By index, which is the number of the request too.
    updates: Vec<updates::Sent>,
    /// A query was delivered, and the workflow has not waited since.
    asked: bool,
    /// What it called that no query may.
    tried: Option<String>,
    /// When the run ended, if its code goes on after that.
    ended_at: Option<Duration>,
    /// From when on the journal counts as long.
    long_from: Option<Duration>,
}

enum Due {
    Op(u64, Cancellation, Outcome),
    Message(Message),
}

/// How a run ended, and how it got there.
pub struct Ended {
    pub(crate) completion: Completion,
    /// The run's time from its start to its end.
    pub elapsed: Duration,
    /// Commands in their order: `1 = activity greet "Ada"`, `2 = timer 10s`, `wait`, `cancel 2`, `detach 1`.
    ///
    /// What an activity says about its turn is at the end:
    /// `3 = activity train "m" task-queue="gpu" priority=1 fairness-key="tenant-7" fairness-weight=2.0`. A local
    /// one is `4 = local activity look-up "m"`. A child has two ops, of its start and of its end:
    /// `5, 6 = child ship "m" id="ship-7"`. What is sent to others: `7 = signal order-7 approved true`,
    /// `8 = request-cancel order-7`. Updates, by index: `accept update-0`, `reject update-1: why`,
    /// `complete update-0: 3`.
    pub calls: Vec<String>,
    /// The run's log: `INFO message key=value`.
    pub log: Vec<String>,
    answers: Vec<Outcome>,
    updates: Vec<updates::Sent>,
}

impl Ended {
    /// What the workflow returned.
    ///
    /// # Panics
    ///
    /// When the run was canceled or goes on as a new one.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        match &self.completion {
            Completion::Completed(output) => payload::decode(output),
            Completion::Failed(failure) => Err(Failure::from_wire(failure.clone())),
            Completion::Canceled(_) => panic!("the run was canceled"),
            Completion::ContinueAsNew(_) => panic!("the run continues as new"),
        }
    }

    /// The answer to the query with this index, in the order in which they were asked.
    ///
    /// # Panics
    ///
    /// When there were fewer.
    pub fn answer<T: DeserializeOwned>(&self, index: usize) -> Result<T, Failure> {
        match self.answers.get(index) {
            Some(Ok(answer)) => payload::decode(answer),
            Some(Err(failure)) => Err(Failure::from_wire(failure.clone())),
            None => panic!("{} queries were asked: there is none with index {index}", self.answers.len()),
        }
    }

    /// Whether it was canceled.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        matches!(self.completion, Completion::Canceled(_))
    }

    /// The next run's input, when this one continued as new.
    ///
    /// # Panics
    ///
    /// When it is no `T`.
    #[must_use]
    pub fn continued<T: DeserializeOwned>(&self) -> Option<T> {
        match &self.completion {
            Completion::ContinueAsNew(next) => {
                Some(payload::decode(&next.input).unwrap_or_else(|failure| panic!("{failure}")))
            }
            _ => None,
        }
    }
}

impl Ended {
    /// The signals of that name that go to the next run unread, when this one continued as new.
    ///
    /// # Panics
    ///
    /// When one of them is no `T`.
    #[must_use]
    pub fn unread<T: DeserializeOwned>(&self, signal: &str) -> Vec<T> {
        let Completion::ContinueAsNew(next) = &self.completion else { return Vec::new() };
        let of_name = next.unread.iter().filter(|unread| unread.name == signal);
        of_name
            .map(|unread| payload::decode(&unread.input).unwrap_or_else(|failure| panic!("{failure}")))
            .collect()
    }
}

impl Env {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An activity that takes no time.
    #[must_use]
    pub fn activity<I, O>(self, name: &str, f: impl FnMut(I) -> Result<O, Failure> + 'static) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        self.slow_activity(name, Duration::ZERO, f)
    }

    /// An activity that takes some time.
    #[must_use]
    pub fn slow_activity<I, O>(
        mut self,
        name: &str,
        takes: Duration,
        f: impl FnMut(I) -> Result<O, Failure> + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        self.activities.insert(name.to_owned(), (takes, work(f)));
        self
    }

    /// A signal that comes some time after the start.
    ///
    /// # Panics
    ///
    /// When the input cannot be written as JSON.
    #[must_use]
    pub fn signal(mut self, after: Duration, name: &str, input: &impl Serialize) -> Self {
        let signal = Signal { name: name.to_owned(), input: encode(input) };
        self.schedule(after, Due::Message(Message::Signal(signal)));
        self
    }

    /// A query that is asked some time after the start, before the ops that end then; also after the run's end.
    /// [`Ended::answer`] has its answer. The instance that is asked is that of the run, so what a handler changes,
    /// which it should not, is not lost here.
    ///
    /// # Panics
    ///
    /// When the input cannot be written as JSON.
    #[must_use]
    pub fn query(mut self, after: Duration, name: &str, input: &impl Serialize) -> Self {
        let query = Query { request: 0, name: name.to_owned(), input: encode(input) };
        self.schedule(after, Due::Message(Message::Query(query)));
        self
    }

    /// An update that comes some time after the start: with zero it is there at the first wait, as when the run was
    /// started with it. [`Ended::update_stage`] and [`Ended::update_result`] tell what became of it. Its id is
    /// `update-0`, the next one's `update-1`.
    ///
    /// # Panics
    ///
    /// When the input cannot be written as JSON.
    #[must_use]
    pub fn update(mut self, after: Duration, name: &str, input: &impl Serialize) -> Self {
        let request = self.updates.len() as u64;
        self.updates.push(updates::Sent::new());
        let update_id = updates::id(request);
        let update = Update { request, update_id, name: name.to_owned(), input: encode(input) };
        self.schedule(after, Due::Message(Message::Update(update)));
        self
    }

    /// A cancel request that comes some time after the start.
    #[must_use]
    pub fn cancel(mut self, after: Duration, reason: &str) -> Self {
        let request = CancelRequest { reason: reason.to_owned() };
        self.schedule(after, Due::Message(Message::CancelRequested(request)));
        self
    }

    /// Some time after the start the journal nears its limit: [`Info::continue_as_new_suggested`] is true from then
    /// on. Without it, it never does.
    ///
    /// [`Info::continue_as_new_suggested`]: crate::Info::continue_as_new_suggested
    #[must_use]
    pub fn suggest_continue_as_new(mut self, after: Duration) -> Self {
        self.long_from = Some(after);
        self
    }

    /// Runs a workflow to its end.
    ///
    /// # Panics
    ///
    /// When the workflow does, and when it waits though nothing will come.
    pub fn run<W: Workflow>(self, input: &(impl Serialize + ?Sized)) -> Ended {
        let input = encode(input);
        ENV.set(Some(self));
        let completion = run(&[Entry::of::<W>()], W::NAME, &input);
        let mut env = ENV.take().expect("the run leaves its Env in its place");
        env.reject_unanswered_updates();
        let elapsed = env.ended_at.unwrap_or(env.clock);
        let is_query = |due: &Due| matches!(due, Due::Message(Message::Query(_)));
        for _ in env.due.values().filter(|due| is_query(due)) {
            env.answers.push(Err(by_host("not-served", "the run has ended, and handled no query")));
        }
        let Env { calls, log, answers, updates, .. } = env;
        Ended { completion, elapsed, calls, log, answers, updates }
    }

    fn schedule(&mut self, at: Duration, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }
}

fn encode(value: &(impl Serialize + ?Sized)) -> Payload {
    payload::encode(value).unwrap_or_else(|failure| panic!("{failure}"))
}

fn by_host(error_type: &str, message: &str) -> types::Failure {
    Failure::of(FailureKind::Host, error_type.to_owned(), message.to_owned()).into_wire()
}
