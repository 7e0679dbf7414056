//! A run under a debugger: its journal is replayed to look at it call by call, as often as somebody looks. Each look has an
//! instance of its own, which is thrown away.
//!
//! Nothing here knows a store, so that a journal may as well come out of a file.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use refrain_engine::codec::{self, DecodeError};
use refrain_engine::guest::{Guests, Image, OpenError, Reached, Stop};
use refrain_engine::ids::Digest;
use refrain_engine::journal::{Record, Started};
use refrain_engine::payload::Payload;
use refrain_engine::run::{Moment, Query, Run, SeenCall, Watch};

use crate::error::Error;
use crate::executor::panic_message;
use crate::queries;
use crate::trial::event_at;
use crate::version_types::Place;

/// A run that is looked at, and what executes it.
pub struct Debugger {
    guests: Arc<dyn Guests>,
    component: Digest,
    code: Digest,
    started: Arc<Started>,
    records: Vec<Bytes>,
}

/// The calls of a run as far as its journal goes.
#[derive(Clone, Debug)]
pub struct Calls {
    /// All of them, in their order: the first is number 1.
    pub calls: Vec<SeenCall>,
    /// What comes after the last one, in words.
    pub end: String,
    /// Where in the code that is.
    pub backtrace: Vec<String>,
    /// The replay did not come to the journal's end.
    pub differs: bool,
}

/// A run at one of its calls.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// The call, and what it finds.
    pub moment: Moment,
    /// Its event in the run's history, or the one before it, and where in the code it is made.
    pub place: Place,
    /// What the instance is there: see [`Reached::image`].
    pub image: Option<Image>,
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub enum DebugError {
    /// The component cannot be executed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The journal is damaged where it begins.
    #[error(transparent)]
    Damaged(#[from] DecodeError),
    /// The host made a mistake.
    #[error("the replay panicked: {0}")]
    Panicked(String),
    /// The run has made fewer calls.
    #[error("there is no call {0}")]
    NoCall(u64),
}

impl Debugger {
    /// Of a run that began so and has these records, executed by this component. `code` is what the journal calls it:
    /// a component that was made of an uploaded module has a digest of its own.
    ///
    /// # Panics
    /// Later, when the run's determinism profile is not of this host: a history that could be read has a known one.
    pub fn new(
        guests: Arc<dyn Guests>,
        component: Digest,
        code: Digest,
        started: Arc<Started>,
        records: Vec<Bytes>,
    ) -> Self {
        Self { guests, component, code, started, records }
    }

    /// What the run began with.
    pub fn started(&self) -> &Started {
        &self.started
    }

    /// All calls, each in a few words.
    ///
    /// # Errors
    /// See [`DebugError`].
    pub async fn calls(&self) -> Result<Calls, DebugError> {
        let (mut run, stop) = self.look(Watch::Calls).await?;
        let differs = !matches!(stop, Stop::Wait | Stop::Finished | Stop::Reached(_));
        let (end, backtrace) = match stop {
            Stop::Wait => ("the journal ends with this wait".to_owned(), Vec::new()),
            Stop::Finished => ("the run has ended".to_owned(), Vec::new()),
            Stop::Reached(_) => ("the run has made no step yet".to_owned(), Vec::new()),
            Stop::Mismatch(mismatch) => (mismatch.to_string(), mismatch.backtrace),
            Stop::Trap(trap) => (format!("the code trapped: {}", trap.message), trap.backtrace),
            Stop::Budget => ("the step ran longer than its budget".to_owned(), Vec::new()),
            Stop::Limit(excess) => (excess.to_string(), Vec::new()),
            Stop::Answered(_) => unreachable!("a run that is looked at is asked nothing"),
            Stop::Unavailable(reason) => (reason, Vec::new()),
        };
        Ok(Calls { calls: run.seen(), end, backtrace, differs })
    }

    /// The run at this call, counted from 1.
    ///
    /// # Errors
    /// See [`DebugError`].
    pub async fn at(&self, call: u64) -> Result<Stopped, DebugError> {
        let (mut run, stop) = self.look(Watch::Until(call)).await?;
        let (Some(moment), Stop::Reached(Reached { backtrace, image })) = (run.moment(), stop) else {
            return Err(DebugError::NoCall(call));
        };
        let event = event_at(&self.started, &self.records, moment.position);
        Ok(Stopped { moment: *moment, place: Place { event, backtrace }, image })
    }

    /// What the run answers to a query at the end of this step.
    ///
    /// # Errors
    /// When it does not answer: see [`Error`].
    pub async fn ask(&self, step: u64, query: Query) -> Result<Payload, Error> {
        let mut records = self.records.clone();
        for (index, record) in self.records.iter().enumerate() {
            let record: Record = codec::decode("journal record", record)?;
            if matches!(record, Record::Step(of) if of.number == step) {
                records.truncate(index + 1);
                break;
            }
        }
        let run = Run::query(Arc::clone(&self.started), records, self.code, self.started.boot, query)?;
        Ok(queries::execute(&*self.guests, self.component, run).await?.1)
    }

    async fn look(&self, watch: Watch) -> Result<(Box<Run>, Stop), DebugError> {
        let run = Run::watch(Arc::clone(&self.started), self.records.clone(), self.code, watch)?;
        let mut guest = self.guests.open(self.component, run.profile()).await?;
        let executed = AssertUnwindSafe(async { guest.run(Box::new(run)).await }).catch_unwind().await;
        executed.map_err(|panic| DebugError::Panicked(panic_message(&*panic).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use refrain_engine::call::{Completion, Interest};
    use refrain_engine::failure::Outcome;
    use refrain_engine::limits::CURRENT;
    use refrain_engine::mailbox::{Event, Item, MailboxEntry};
    use refrain_engine::scripted::{self, ScriptedGuests};
    use refrain_engine::time::Timestamp;

    use super::*;

    const CODE: Digest = Digest([1; 32]);
    const START: Timestamp = Timestamp(1_700_000_000_000_000_000);

    fn started() -> Started {
        Started { digest: CODE, at: START, ..scripted::started("count") }
    }

    /// Counts signals until the third, and tells how many there were.
    fn counter() -> ScriptedGuests {
        let guests = ScriptedGuests::new();
        guests.add(CODE, "count", |host, _| async move {
            let mut count = 0;
            while count < 3 {
                for event in host.wait(Interest::Everything).await? {
                    match event {
                        Event::Query { request, .. } => {
                            host.answer(request, Outcome::Completed(Payload::json(count.to_string())))?;
                        }
                        Event::Finished { .. }
                        | Event::Signal { .. }
                        | Event::Update { .. }
                        | Event::CancelRequested { .. } => {
                            count += 1;
                            host.log("another")?;
                        }
                    }
                }
            }
            Ok(Completion::Completed(Payload::null()))
        });
        guests
    }

    async fn debugger() -> Debugger {
        let (guests, started) = (counter(), Arc::new(started()));
        let mut guest = guests.open(CODE, CURRENT).await.expect("the script");
        let mut run = Box::new(Run::new(Arc::clone(&started), 1));
        let mut records = Vec::new();
        for number in 1..=3 {
            run = guest.run(run).await.0;
            records.push(run.close_step().expect("a step").record);
            let item = Item::Signal { name: "more".to_owned(), input: Payload::null() };
            run.push(MailboxEntry { number, at: START, item });
            run.resume(START);
        }
        run = guest.run(run).await.0;
        records.push(run.close_step().expect("the last step").record);
        Debugger::new(Arc::new(guests), CODE, CODE, started, records)
    }

    #[tokio::test]
    async fn a_run_is_looked_at_and_asked_at_each_of_its_calls() {
        let debugger = debugger().await;
        let calls = debugger.calls().await.expect("calls");
        assert_eq!((calls.calls.len(), calls.end.as_str(), calls.differs), (7, "the run has ended", false));
        let mut events = Vec::new();
        for call in 1..=7 {
            let stopped = debugger.at(call).await.expect("a call");
            events.push(stopped.place.event.expect("an event"));
            let step = stopped.moment.position.step;
            let query = Query { name: "count".to_owned(), input: Payload::null() };
            match debugger.ask(step, query).await {
                Ok(answer) => assert_eq!(answer, Payload::json(step.to_string())),
                Err(error) => assert!(step == 3 && error.to_string().contains("has ended"), "{error}"),
            }
        }
        assert_eq!(events, [1, 3, 3, 5, 5, 7, 8]);
        assert!(matches!(debugger.at(8).await, Err(DebugError::NoCall(8))));
    }
}
