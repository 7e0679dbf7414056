//! Queries: questions to a run, at the latest or at a past moment. Each is answered by an instance of its own,
//! which replays what is durable of the run, is asked, and is dropped. The run's owner has no part in it, and
//! nothing of it is written.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use refrain_engine::codec;
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::guest::{Guests, OpenError, Stop};
use refrain_engine::history::History;
use refrain_engine::ids::Digest;
use refrain_engine::journal::{End, Record, Started};
use refrain_engine::limits::Profile;
use refrain_engine::payload::Payload;
use refrain_engine::run::{Query, Run};
use refrain_store::schema::{Head, RunKey, RunStatus};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::executor::panic_message;
use crate::inspect::{read_head, read_started};
use crate::rows;
use crate::runtime::blocking;
use crate::shared::Shared;
use crate::types::{Consistency, QueryAnswer, QueryRequest};

/// How long a query waits for the run to take what has arrived, and then again for a slot: longer than a step
/// that computes, shorter than clients wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Queries that are asked at once and wait for a slot. Each holds its input, and some client's connection.
const WAITING: usize = 1_000;

/// The type of the failure of a query whose instance did not come to an answer.
const FAILED: &str = "query-failed";

/// Bounds the queries of a host.
pub(crate) struct Queries {
    asked: Arc<Semaphore>,
    slots: Arc<Semaphore>,
    limit: usize,
}

impl Queries {
    /// So many of them are answered at once.
    pub(crate) fn new(slots: usize) -> Self {
        let limit = slots + WAITING;
        Self { asked: Arc::new(Semaphore::new(limit)), slots: Arc::new(Semaphore::new(slots)), limit }
    }

    fn enter(&self) -> Result<OwnedSemaphorePermit, Error> {
        let what = format!(
            "{} queries are being answered or wait for it, which is all that a host takes",
            self.limit
        );
        self.asked.clone().try_acquire_owned().map_err(|_| Error::QueryBusy { what })
    }
}

/// Asks a run.
pub(crate) async fn ask(
    shared: &Arc<Shared>,
    key: &RunKey,
    request: QueryRequest,
) -> Result<QueryAnswer, Error> {
    let _asked = shared.queries.enter()?;
    let answer = async {
        if let (Consistency::Latest, None) = (request.consistency, request.at) {
            let caught_up = caught_up(shared, key);
            in_time(shared, caught_up, "the run has not taken what had arrived when it was asked").await??;
        }
        let slot = shared.queries.slots.clone().acquire_owned();
        let _slot = in_time(shared, slot, "others are being answered").await?;
        answer(shared, key, request).await
    };
    tokio::select! {
        answered = answer => answered,
        () = shared.stopping() => Err(shared.check_open().err().unwrap_or(Error::ShuttingDown)),
    }
}

async fn in_time<T>(shared: &Shared, waited_for: impl Future<Output = T>, why: &str) -> Result<T, Error> {
    tokio::select! {
        biased;
        come = waited_for => Ok(come),
        () = shared.clock.sleep_until(shared.now().after(PATIENCE)) => {
            Err(Error::QueryBusy { what: format!("the query was not asked within {PATIENCE:?}: {why}") })
        }
    }
}

/// Waits until the run has taken all that had arrived, as far as it waits for it.
async fn caught_up(shared: &Arc<Shared>, key: &RunKey) -> Result<(), Error> {
    let mut changes = shared.watchers.subscribe(key);
    let first = read_head(shared, key)?.head;
    let mut head = first.clone();
    while has_work(&head) {
        // What arrived later is not waited for, or a run that always has something to do could not be asked.
        if head.records > 0 && !owes(shared, key, first.next_arrival).await? {
            break;
        }
        changes.changed().await;
        head = read_head(shared, key)?.head;
    }
    Ok(())
}

fn has_work(head: &Head) -> bool {
    head.status == RunStatus::Running && head.has_work()
}

/// Whether an arrival before this one would end the wait that the run is in.
async fn owes(shared: &Arc<Shared>, key: &RunKey, before: u64) -> Result<bool, Error> {
    let (shared, key) = (Arc::clone(shared), key.clone());
    blocking(move || {
        // The mailbox first: a step that takes an entry meanwhile is in the journal then.
        let arrived = rows::read_mailbox(&*shared.store, &key)?;
        let records = read_head(&shared, &key)?.head.records;
        // The last step: a move may have been recorded after it.
        for number in (0..records).rev() {
            let record = key.record(number);
            let Some(record) = shared.store.get(record.table, &record.bytes)? else { return Ok(true) };
            return Ok(match codec::decode("journal record", &record)? {
                Record::Step(step) => match step.end {
                    End::Wait(interest) => {
                        interest.takes_any(arrived.iter().filter(|entry| entry.number < before))
                    }
                    End::Finish(_) => false,
                },
                Record::Moved(_) => continue,
                Record::Terminated(_) | Record::Failed(_) | Record::TimedOut(_) | Record::Canceled(_) => {
                    false
                }
            });
        }
        Ok(true)
    })
    .await
}

/// Replays the run in an instance of its own, and asks that.
async fn answer(shared: &Arc<Shared>, key: &RunKey, request: QueryRequest) -> Result<QueryAnswer, Error> {
    let QueryRequest { name, input, at, .. } = request;
    let (reading, of) = (Arc::clone(shared), key.clone());
    let (started, code, records) = blocking(move || {
        let started = read_started(&reading, &of)?;
        let moved_to = read_head(&reading, &of)?.head.code;
        let code = moved_to.map_or(started.digest, |code| code.digest);
        let mut records = rows::read_journal(&*reading.store, &of)?;
        if let Some(event) = at {
            records.truncate(records_up_to(&started, &records, "at", event)?);
        }
        Ok((started, code, records))
    })
    .await?;
    if Profile::get(started.profile).is_none() {
        return Err(Error::Internal(format!("determinism profile {} is not of this host", started.profile)));
    }
    let run = Run::query(Arc::new(started), records, code, shared.boot, Query { name, input })?;
    let (step, result) = execute(&*shared.guests, code, run).await?;
    Ok(QueryAnswer { run_id: key.run, step, result })
}

/// Executes a run that was made for a query, by this component. Answers what it was answered, and at the end of which
/// step.
pub(crate) async fn execute(
    guests: &dyn Guests,
    component: Digest,
    run: Run,
) -> Result<(u64, Payload), Error> {
    let mut guest = match guests.open(component, run.profile()).await {
        Ok(guest) => guest,
        Err(error @ OpenError::Unavailable(_)) => return Err(Error::QueryBusy { what: error.to_string() }),
        Err(error @ (OpenError::Unknown(_) | OpenError::Unusable { .. })) => {
            return Err(failed(error.to_string()));
        }
    };
    let executed = AssertUnwindSafe(async { guest.run(Box::new(run)).await }).catch_unwind().await;
    let (run, stop) =
        executed.map_err(|panic| Error::Internal(format!("a query panicked: {}", panic_message(&*panic))))?;
    match stop {
        Stop::Answered(outcome) => match *outcome {
            Outcome::Completed(result) => Ok((run.step(), result)),
            Outcome::Failed(failure) => Err(Error::Query { failure: Box::new(failure) }),
        },
        Stop::Trap(trap) => Err(trapped(&trap.message, &trap.backtrace)),
        Stop::Mismatch(mismatch) => Err(failed(mismatch.to_string())),
        Stop::Budget => Err(failed("the workflow's code computed longer than a step may".to_owned())),
        Stop::Limit(excess) => Err(failed(excess.to_string())),
        Stop::Unavailable(reason) => Err(Error::QueryBusy { what: reason }),
        Stop::Wait | Stop::Finished | Stop::Reached(_) => {
            Err(Error::Internal("a query came to no answer".to_owned()))
        }
    }
}

/// How many records there are up to the end of the step that an event belongs to; the event came in this field.
pub(crate) fn records_up_to(
    started: &Started,
    records: &[Bytes],
    field: &str,
    event: u64,
) -> Result<usize, Error> {
    let mut history = History::new(started, false);
    if records.is_empty() && (1..=history.last_number()).contains(&event) {
        return Ok(0);
    }
    for (index, record) in records.iter().enumerate() {
        history.record(&codec::decode("journal record", record)?);
        if (1..=history.last_number()).contains(&event) {
            return Ok(index + 1);
        }
        history.take_events();
    }
    Err(Error::Invalid {
        field: field.to_owned(),
        message: format!("is {event}: give the number of an event, from 1 to {}", history.last_number()),
    })
}

fn failed(message: String) -> Error {
    Error::Query { failure: Box::new(Failure::new(FailureKind::Host, FAILED, message)) }
}

fn trapped(message: &str, backtrace: &[String]) -> Error {
    let failure = Failure::new(FailureKind::Host, FAILED, format!("the workflow's code trapped: {message}"));
    Error::Query { failure: Box::new(Failure { stack: backtrace.join("\n"), ..failure }) }
}
