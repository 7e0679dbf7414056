//! The life of a worker: one loop that owns the pollers and the attempts, and ends in phases.
//!
//! | phase | pollers | attempts | lasts until |
//! |---|---|---|---|
//! | Working | poll | run | told to stop, or a poll is refused |
//! | Draining | end | run | the grace is over |
//! | Cancelling | dropped | are told to stop, and report | [`CANCEL_TIME`] is over |
//! | Abandoning | | are given up, and reported as failed | [`REPORT_TIME`] is over |
//!
//! Any phase but the first ends the worker as soon as nothing is left.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use refrain_plugin::Activity;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::attempt::Attempt;
use crate::builder::{Settings, WorkerBuilder};
use crate::client::Client;
use crate::error::Error;
use crate::poller::{Given, Poller};
use crate::run::stop_signal;

/// How long attempts that were told to stop have to do so: enough for one to end at its next look at its context.
pub(crate) const CANCEL_TIME: Duration = Duration::from_secs(3);
/// How long the last reports may take. With the default grace all of it fits into the 30 s after which a process that
/// was asked to stop is usually killed.
pub(crate) const REPORT_TIME: Duration = Duration::from_secs(2);

/// How far the end of a worker has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Working,
    Draining,
    Cancelling,
    Abandoning,
}

/// What all parts of a worker see of its phase.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<Phase>);

impl Stop {
    /// Waits for a phase, or a later one.
    pub(crate) async fn reached(&self, phase: Phase) {
        // An error says that the worker itself is gone: past all phases.
        let _ = self.0.clone().wait_for(|current| *current >= phase).await;
    }
}

/// A worker that is set up and does not run yet.
#[derive(Debug)]
pub struct Worker {
    pub(crate) settings: Arc<Settings>,
    pub(crate) client: Arc<Client>,
    pub(crate) activities: HashMap<String, Activity>,
}

impl Worker {
    /// A worker for the host at this address, such as `http://127.0.0.1:7420`.
    pub fn builder(address: impl Into<String>) -> WorkerBuilder {
        WorkerBuilder::new(address.into())
    }

    /// A worker as the environment describes it:
    ///
    /// | variable | setting | when absent |
    /// |---|---|---|
    /// | `REFRAIN_ADDRESS` | the host's address | `http://127.0.0.1:7420` |
    /// | `REFRAIN_NAMESPACE` | [`namespace`](WorkerBuilder::namespace) | `default` |
    /// | `REFRAIN_API_KEY` | [`api_key`](WorkerBuilder::api_key) | none |
    /// | `REFRAIN_TASK_QUEUE` | [`task_queue`](WorkerBuilder::task_queue) | `default` |
    ///
    /// A variable that is empty counts as absent, but for the queue: [`build`](WorkerBuilder::build) refuses that, since
    /// the worker would take tasks meant for others.
    pub fn from_env() -> WorkerBuilder {
        WorkerBuilder::from_variables(|name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        })
    }

    /// Runs until the process is asked to stop by SIGTERM or SIGINT (Ctrl-C), then as
    /// [`run_until`](Worker::run_until).
    ///
    /// # Errors
    /// As [`run_until`](Worker::run_until), and when the signals cannot be had.
    pub async fn run(self) -> Result<(), Error> {
        let signal = stop_signal().map_err(Error::System)?;
        self.run_until(signal).await
    }

    /// Runs until `shutdown` resolves, then stops without losing work: it takes no new tasks; attempts have the
    /// [`grace`](WorkerBuilder::grace) to end; those that did not are cancelled
    /// ([`CancelReason::Shutdown`](refrain_plugin::CancelReason::Shutdown)), and have three seconds to notice; what is
    /// left then is given up, and reported as failed with the type `WorkerShutdown`, so that the host starts the next
    /// attempt elsewhere. Returns two seconds later at the latest.
    ///
    /// An async activity that is given up is dropped. The thread of a blocking one cannot be stopped from outside,
    /// and a tokio runtime that is dropped waits for it: end the process, or the runtime with
    /// [`shutdown_background`](tokio::runtime::Runtime::shutdown_background), as [`run`](crate::run) does.
    ///
    /// Dropping the future stops the worker at once: attempts are cut off, and the host learns of it by their
    /// timeouts.
    ///
    /// # Errors
    /// When the host refuses the worker's polls; attempts that ran were ended as above. A host that is not reached is
    /// waited for, for ever.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let settings = &self.settings;
        let (phases, stop) = watch::channel(Phase::Working);
        let stop = Stop(stop);
        let (mut pollers, mut given) = self.start_pollers(&stop);
        tracing::info!(
            address = self.client.address(), queue = settings.task_queue, identity = settings.identity,
            activities = ?settings.activity_names, "polling for tasks"
        );

        let mut attempts = Attempts { running: HashSet::new(), tasks: JoinSet::new() };
        let mut shutdown = pin!(shutdown);
        let mut phase = Phase::Working;
        let mut phase_ends = Instant::now();
        let mut outcome = Ok(());
        let mut may_be_given = true;
        while may_be_given || !pollers.is_empty() || !attempts.tasks.is_empty() {
            let mut next_phase = None;
            tokio::select! {
                task = given.recv(), if may_be_given => match task {
                    Some(given) => attempts.begin(&self, given, &stop),
                    // The last poller is gone, and what it was given has come out.
                    None => may_be_given = false,
                },
                Some(ended) = attempts.tasks.join_next() => attempts.ended(ended),
                Some(ended) = pollers.join_next() => {
                    if let Some(Err(error)) = returned(ended) {
                        outcome = outcome.and(Err(error));
                        if phase == Phase::Working {
                            next_phase = Some((Phase::Draining, settings.grace));
                        }
                    }
                }
                () = &mut shutdown, if phase == Phase::Working => {
                    next_phase = Some((Phase::Draining, settings.grace));
                }
                () = sleep_until(phase_ends), if phase != Phase::Working => {
                    next_phase = Some(match phase {
                        Phase::Working | Phase::Draining => (Phase::Cancelling, CANCEL_TIME),
                        Phase::Cancelling => (Phase::Abandoning, REPORT_TIME),
                        Phase::Abandoning => break,
                    });
                    // Whether their last polls were answered is no longer waited for.
                    pollers.abort_all();
                }
            }
            if let Some((next, time)) = next_phase {
                tracing::info!(phase = ?next, running = attempts.tasks.len(), "the worker stops");
                phase = next;
                phase_ends = Instant::now() + time;
                phases.send_replace(phase);
            }
        }
        if !attempts.tasks.is_empty() {
            let lost = attempts.tasks.len();
            tracing::error!(lost, "the host was not told how attempts ended; it learns by their timeouts");
        }
        outcome
    }

    /// The pollers, and where what they are given comes out. The channel ends with the last of them.
    fn start_pollers(&self, stop: &Stop) -> (JoinSet<Result<(), Error>>, mpsc::UnboundedReceiver<Given>) {
        let slots = Arc::new(Semaphore::new(self.settings.slots));
        // Never longer than the slots: each task holds one.
        let (given, receiver) = mpsc::unbounded_channel();
        let mut pollers = JoinSet::new();
        for _ in 0..self.settings.max_pollers.min(self.settings.slots) {
            let poller = Poller {
                settings: Arc::clone(&self.settings),
                client: Arc::clone(&self.client),
                slots: Arc::clone(&slots),
                stop: stop.clone(),
                given: given.clone(),
            };
            pollers.spawn(poller.run());
        }
        (pollers, receiver)
    }
}

/// The attempts that run.
struct Attempts {
    /// Their task tokens.
    running: HashSet<String>,
    /// Each returns its token.
    tasks: JoinSet<String>,
}

impl Attempts {
    fn begin(&mut self, worker: &Worker, given: Given, stop: &Stop) {
        let Given { task, slot } = given;
        // Something between the host and this worker may repeat a request on its own.
        if !self.running.insert(task.task_token.clone()) {
            tracing::info!(activity = task.activity, "the host gave a task again that runs here already");
            return;
        }
        let span = tracing::info_span!(
            "attempt",
            workflow_id = task.workflow_id,
            run_id = task.run_id,
            activity = task.activity,
            op = task.activity_id,
            attempt = task.attempt
        );
        let attempt = Attempt {
            code: worker.activities.get(&task.activity).cloned(),
            client: Arc::clone(&worker.client),
            max_heartbeat_interval: worker.settings.max_heartbeat_interval,
            stop: stop.clone(),
            task,
        };
        let running = async move {
            let token = attempt.run().await;
            drop(slot);
            token
        };
        self.tasks.spawn(running.instrument(span));
    }

    fn ended(&mut self, ended: Result<String, JoinError>) {
        if let Some(token) = returned(ended) {
            self.running.remove(&token);
        }
    }
}

/// What a task returned; `None` if it was aborted. Plugins' panics are caught elsewhere: one that arrives here is the
/// worker's own.
fn returned<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(value) => Some(value),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => None,
    }
}
