//! A host for native tests: `cargo test` runs a workflow without WebAssembly, in no time.
//!
//! Time is skipped: a wait takes what is due first and sets the clock to it, so a workflow that sleeps for a
//! year is tested in microseconds. What is due at the same time is delivered by one wait, in the order in
//! which it was started. An activity is called once for each start, whatever its retry policy says: what the
//! closure returns stands for the outcome of the last attempt.
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

use crate::bindings::refrain::workflow::activity::{Cancellation, Options};
use crate::bindings::refrain::workflow::context::RunInfo;
use crate::bindings::refrain::workflow::log::{Field, Level};
use crate::bindings::refrain::workflow::messages::{CancelRequest, Message, Query, Signal};
use crate::bindings::refrain::workflow::types::{self, Completion, Instant, Outcome, Payload};
use crate::bindings::refrain::workflow::wait::{Event, OpFinished};
use crate::host::Host;
use crate::workflow::{Entry, Workflow, run};
use crate::{Failure, FailureKind, payload, time};

thread_local! {
    static ENV: RefCell<Option<Env>> = const { RefCell::new(None) };
}

/// The door of `host` in native builds.
pub(crate) fn with_host<R>(f: impl FnOnce(&mut dyn Host) -> R) -> R {
    ENV.with_borrow_mut(|env| {
        f(env.as_mut().expect("outside of a component, workflow code runs in a `refrain_sdk::testing::Env`"))
    })
}

type Activity = Box<dyn FnMut(&Payload) -> Result<Payload, Failure>>;

/// What a workflow under test meets: activities, and messages at given times.
#[derive(Default)]
pub struct Env {
    activities: BTreeMap<String, (Duration, Activity)>,
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
    /// A query was delivered, and the workflow has not waited since.
    asked: bool,
    /// What it called that no query may.
    tried: Option<String>,
    /// When the run ended, if its code goes on after that.
    ended_at: Option<Duration>,
}

enum Due {
    Op(u64, Cancellation, Outcome),
    Message(Message),
}

/// How a run ended, and how it got there.
pub struct Ended {
    completion: Completion,
    /// The run's time from its start to its end.
    pub elapsed: Duration,
    /// Commands in their order: `1 = activity greet "Ada"`, `2 = timer 10s`, `wait`, `cancel 2`, `detach 1`.
    ///
    /// What an activity says about its turn is at the end:
    /// `3 = activity train "m" task-queue="gpu" priority=1 fairness-key="tenant-7" fairness-weight=2.0`. A local
    /// one is `4 = local activity look-up "m"`.
    pub calls: Vec<String>,
    /// The run's log: `INFO message key=value`.
    pub log: Vec<String>,
    answers: Vec<Outcome>,
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
        mut f: impl FnMut(I) -> Result<O, Failure> + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        let run = move |input: &Payload| {
            let output = f(payload::decode(input)?)?;
            payload::encode(&output)
        };
        self.activities.insert(name.to_owned(), (takes, Box::new(run)));
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

    /// A cancel request that comes some time after the start.
    #[must_use]
    pub fn cancel(mut self, after: Duration, reason: &str) -> Self {
        let request = CancelRequest { reason: reason.to_owned() };
        self.schedule(after, Due::Message(Message::CancelRequested(request)));
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
        let elapsed = env.ended_at.unwrap_or(env.clock);
        let is_query = |due: &Due| matches!(due, Due::Message(Message::Query(_)));
        for _ in env.due.values().filter(|due| is_query(due)) {
            env.answers.push(Err(by_host("not-served", "the run has ended, and handled no query")));
        }
        Ended { completion, elapsed, calls: env.calls, log: env.log, answers: env.answers }
    }

    /// Does the work at once, and delivers what came of it when the time that it takes has passed.
    fn start(&mut self, what: &str, name: &str, input: &Payload, options: &Options) -> u64 {
        self.not_for_queries("activity.start");
        self.op += 1;
        let data = String::from_utf8_lossy(&input.data);
        self.calls.push(format!("{} = {what} {name} {data}{}", self.op, routing(options)));
        let known = self.activities.get_mut(name);
        let (takes, f) = known.unwrap_or_else(|| panic!("this Env has no activity `{name}`"));
        let (takes, outcome) = (*takes, f(input).map_err(Failure::into_wire));
        let limit = options.start_to_close_timeout.or(options.schedule_to_close_timeout).map(duration);
        let (takes, outcome) = match limit {
            Some(limit) if takes > limit => {
                let message = format!("activity `{name}` took longer than {limit:?}");
                let failure = Failure::of(types::FailureKind::Timeout, "start-to-close".to_owned(), message);
                (limit, Err(failure.into_wire()))
            }
            _ => (takes, outcome),
        };
        self.schedule(self.clock + takes, Due::Op(self.op, options.cancellation, outcome));
        self.op
    }

    fn schedule(&mut self, at: Duration, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }

    /// Called by what changes a run.
    fn not_for_queries(&mut self, import: &str) {
        if self.asked {
            let message = format!("the query's handling called {import}: a query only looks, and may not");
            self.tried = Some(message.clone());
            panic!("{message}");
        }
    }

    /// The key of an op that has not ended.
    fn find(&self, op: u64) -> Option<(Duration, u64)> {
        let is_it = |due: &Due| matches!(due, Due::Op(other, ..) if *other == op);
        self.due.iter().find(|(_, due)| is_it(due)).map(|(key, _)| *key)
    }
}

fn encode(value: &(impl Serialize + ?Sized)) -> Payload {
    payload::encode(value).unwrap_or_else(|failure| panic!("{failure}"))
}

fn by_host(error_type: &str, message: &str) -> types::Failure {
    Failure::of(FailureKind::Host, error_type.to_owned(), message.to_owned()).into_wire()
}

/// Where an activity is sent and when it gets its turn, as far as the workflow says.
fn routing(options: &Options) -> String {
    let queue = options.task_queue.iter().map(|queue| format!(" task-queue={queue:?}"));
    let priority = options.priority.iter().map(|priority| format!(" priority={priority}"));
    let more =
        options.more.iter().map(|(key, value)| format!(" {key}={}", String::from_utf8_lossy(&value.data)));
    queue.chain(priority).chain(more).collect()
}

fn duration(wire: types::Duration) -> Duration {
    Duration::new(wire.seconds, wire.nanoseconds)
}

impl Host for Env {
    fn start_activity(&mut self, name: &str, input: &Payload, options: &Options) -> u64 {
        self.start("activity", name, input, options)
    }

    fn start_local_activity(&mut self, name: &str, input: &Payload, options: &Options) -> u64 {
        self.start("local activity", name, input, options)
    }

    fn start_timer(&mut self, delay: types::Duration, summary: Option<&str>) -> u64 {
        self.not_for_queries("timer.start");
        self.op += 1;
        let delay = duration(delay);
        let summary = summary.map(|summary| format!(" {summary}")).unwrap_or_default();
        self.calls.push(format!("{} = timer {delay:?}{summary}", self.op));
        self.schedule(self.clock + delay, Due::Op(self.op, Cancellation::TryCancel, Ok(encode(&()))));
        self.op
    }

    fn next(&mut self) -> Vec<Event> {
        let is_query = |due: &Due| matches!(due, Due::Message(Message::Query(_)));
        if self.ended_at.is_some() {
            self.due.retain(|_, due| is_query(due));
        } else if !self.asked {
            self.calls.push("wait".to_owned());
        }
        self.asked = false;
        let Some(first) = self.due.first_entry() else {
            assert!(self.ended_at.is_some(), "the workflow waits for ever: nothing is scheduled");
            return Vec::new();
        };
        let (at, _) = *first.key();
        if is_query(first.get()) {
            // Asked alone, of the run as its last step left it.
            self.asked = true;
            let Due::Message(query) = first.remove() else { unreachable!("a query is a message") };
            return vec![Event::Message(query)];
        }
        self.clock = at.max(self.clock);
        self.reads = 0;
        let later = self.due.split_off(&(at, u64::MAX));
        let now = std::mem::replace(&mut self.due, later);
        // Queries of this moment that come after what happens in it.
        let (asked, happens): (BTreeMap<_, _>, BTreeMap<_, _>) =
            now.into_iter().partition(|(_, due)| is_query(due));
        self.due.extend(asked);
        let events = happens.into_values().map(|due| match due {
            Due::Op(op, _, outcome) => Event::Finished(OpFinished { op, outcome }),
            Due::Message(message) => Event::Message(message),
        });
        events.collect()
    }

    fn answer(&mut self, _query: u64, answer: Outcome) {
        self.answers.push(match self.tried.take() {
            Some(tried) => Err(by_host("query-tried-to-change", &tried)),
            None => answer,
        });
    }

    fn finish(&mut self, _completion: &Completion) {
        self.ended_at = Some(self.clock);
    }

    fn cancel(&mut self, op: u64, reason: &str) {
        self.not_for_queries("wait.cancel");
        self.calls.push(format!("cancel {op}"));
        let Some(key) = self.find(op) else { return };
        if let Some(Due::Op(op, cancellation, outcome)) = self.due.remove(&key) {
            if let Cancellation::WaitForCancellation = cancellation {
                self.due.insert(key, Due::Op(op, cancellation, outcome));
            } else {
                let outcome = Err(Failure::canceled(reason).into_wire());
                self.schedule(self.clock, Due::Op(op, cancellation, outcome));
            }
        }
    }

    fn detach(&mut self, op: u64) {
        self.not_for_queries("wait.detach");
        self.calls.push(format!("detach {op}"));
        if let Some(key) = self.find(op) {
            self.due.remove(&key);
        }
    }

    fn info(&mut self) -> RunInfo {
        RunInfo {
            namespace: "default".to_owned(),
            workflow_id: "test".to_owned(),
            run_id: "test-run".to_owned(),
            first_run_id: "test-run".to_owned(),
            continued_run_id: None,
            workflow: "test".to_owned(),
            task_queue: "default".to_owned(),
            attempt: 1,
            started_at: Instant { seconds: 0, nanoseconds: 0 },
            parent: None,
            root: None,
            journal_entries: self.calls.len() as u64,
            journal_bytes: 0,
            continue_as_new_suggested: false,
            more: Vec::new(),
        }
    }

    fn now(&mut self) -> Instant {
        let now = self.clock + Duration::from_micros(self.reads.into());
        self.reads += 1;
        let types::Duration { seconds, nanoseconds } = time::to_wire(now);
        Instant { seconds, nanoseconds }
    }

    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        // SplitMix64: a test wants the same values each time, not good ones.
        let next = || {
            self.randomness = self.randomness.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.randomness ^ (self.randomness >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)).to_le_bytes()[0]
        };
        std::iter::repeat_with(next).take(len as usize).collect()
    }

    fn uuid(&mut self) -> String {
        let bytes: [u8; 16] = std::array::from_fn(|_| self.random_bytes(1)[0]);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    fn patched(&mut self, _id: &str) -> bool {
        true
    }

    fn get_version(&mut self, _id: &str, _min: u32, max: u32) -> u32 {
        max
    }

    fn log(&mut self, level: Level, message: &str, fields: &[Field]) {
        let mut line =
            format!("{} {message}", format!("{level:?}").trim_start_matches("Level::").to_uppercase());
        for field in fields {
            line.push_str(&format!(" {}={}", field.key, field.value));
        }
        self.log.push(line);
    }
}
