//! From a free slot to a task.
//!
//! A poll has an id. The host starts an attempt durably before it answers a poll with it, so an answer that is lost on
//! the way would cost the attempt: the poll is therefore repeated under the same id until an answer comes, and the
//! host answers it with the same task. For the same reason a poll that still waits when the worker begins to stop is
//! not just dropped but asked once more, without waiting.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::builder::Settings;
use crate::client::{CallError, Client};
use crate::error::Error;
use crate::wire::{PollRequest, Task, in_milliseconds};
use crate::worker::{Phase, Stop};

/// How long a poll waits at the host. Longer waits save nothing, and what stands between closes connections that are
/// silent for a minute.
const WAIT: Duration = Duration::from_secs(30);
/// The least time between two polls without a task: a host that does not let polls wait, because it is about to stop,
/// is not asked in a tight loop.
const MIN_PAUSE: Duration = Duration::from_millis(500);
/// The delays between repeated requests. They end at a few seconds, which is how long a worker may be idle after its
/// host is there again.
pub(crate) const RETRIES: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(5))
    .with_jitter()
    .without_max_times();
/// How often a worker that stops tries to learn whether its last poll was answered. A host that was away all the
/// time handed out nothing, and is not waited for.
const FAREWELL_RETRIES: usize = 3;

/// A task, with the slot that it was polled for.
pub(crate) struct Given {
    pub(crate) task: Task,
    pub(crate) slot: OwnedSemaphorePermit,
}

/// One of the tasks of a worker that poll.
pub(crate) struct Poller {
    pub(crate) settings: Arc<Settings>,
    pub(crate) client: Arc<Client>,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) stop: Stop,
    pub(crate) given: mpsc::UnboundedSender<Given>,
}

impl Poller {
    /// Polls whenever a slot is free, until the worker stops or the host refuses.
    pub(crate) async fn run(self) -> Result<(), Error> {
        loop {
            let slot = tokio::select! {
                // A free slot is no reason to poll once more.
                biased;
                () = self.stop.reached(Phase::Draining) => return Ok(()),
                slot = Arc::clone(&self.slots).acquire_owned() => slot,
            };
            // The slots are never closed.
            let Ok(slot) = slot else { return Ok(()) };
            let poll_id = Uuid::new_v4().to_string();
            let asked_at = Instant::now();
            let answer = tokio::select! {
                // An answer that is there need not be asked for again.
                biased;
                answer = self.poll(&poll_id) => answer,
                () = self.stop.reached(Phase::Draining) => self.farewell(&poll_id).await,
            };
            match answer {
                // Whoever runs the attempts outlives the pollers.
                Ok(Some(task)) => drop(self.given.send(Given { task, slot })),
                Ok(None) => {
                    drop(slot);
                    tokio::select! {
                        () = self.stop.reached(Phase::Draining) => {}
                        () = sleep_until(asked_at + MIN_PAUSE) => {}
                    }
                }
                Err(error) if error.is_passing() => return Ok(()),
                Err(error) => return Err(self.refused(error)),
            }
        }
    }

    /// One poll, repeated until the host answers it.
    async fn poll(&self, poll_id: &str) -> Result<Option<Task>, CallError> {
        let mut wait = WAIT;
        (|| {
            // Repeated without waiting: the answer tells at once that the host is there again.
            let wait = std::mem::take(&mut wait);
            async move {
                let queue = &self.settings.task_queue;
                self.client.poll(queue, &self.request(poll_id, wait), wait).await
            }
        })
        .retry(RETRIES)
        .when(CallError::is_passing)
        .adjust(|error, delay| delay.map(|delay| error.pause(delay)))
        .await
    }

    /// What became of a poll that was broken off.
    async fn farewell(&self, poll_id: &str) -> Result<Option<Task>, CallError> {
        let request = self.request(poll_id, Duration::ZERO);
        (|| self.client.last_poll(&self.settings.task_queue, &request))
            .retry(RETRIES.with_max_times(FAREWELL_RETRIES))
            .when(CallError::is_passing)
            .adjust(|error, delay| delay.map(|delay| error.pause(delay)))
            .notify(|error, delay| tracing::debug!(%error, ?delay, "a last poll is not answered"))
            .await
    }

    fn request<'a>(&'a self, poll_id: &'a str, wait: Duration) -> PollRequest<'a> {
        PollRequest {
            worker: &self.settings.identity,
            poll_id,
            activities: &self.settings.activity_names,
            wait: in_milliseconds(wait),
        }
    }

    fn refused(&self, error: CallError) -> Error {
        let address = self.client.address().to_owned();
        match error {
            CallError::Unfit { status, detail, hint } | CallError::Refused { status, detail, hint } => {
                Error::Refused { address, status, detail, hint }
            }
            CallError::Passing { reason: answer, .. }
            | CallError::Stale { reason: answer }
            | CallError::Unexpected { answer } => Error::Unexpected { address, answer },
        }
    }
}
