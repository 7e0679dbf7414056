//! What all owners share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use refrain_engine::guest::Guests;
use refrain_engine::ids::{Namespace, Op, RunId};
use refrain_engine::time::Timestamp;
use refrain_store::schema::RunKey;
use refrain_store::{CommitError, Store};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Builder;

use crate::alarms::Alarms;
use crate::attempts::Attempts;
use crate::clock::Clock;
use crate::components::Components;
use crate::copies::Copies;
use crate::courier::Courier;
use crate::error::Error;
use crate::executor::Executor;
use crate::histories::Histories;
use crate::options::Options;
use crate::queries::Queries;
use crate::queues::Queues;
use crate::registry::Registry;
use crate::residents::Residents;
use crate::sweep::SWEEPS;
use crate::timers::Timers;
use crate::watchers::Watchers;

/// The runtime's state. One for each [`crate::Runtime`].
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) guests: Arc<dyn Guests>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Options,
    /// How often a host has opened this store: names this life of the process in what it records.
    pub(crate) boot: u64,
    pub(crate) registry: Registry,
    pub(crate) components: Components,
    pub(crate) executor: Executor,
    pub(crate) attempts: Attempts,
    pub(crate) queues: Arc<Queues>,
    pub(crate) alarms: Alarms,
    /// The activities that the last boot left are in their places: polls wait for that.
    pub(crate) recovered: watch::Sender<bool>,
    pub(crate) residents: Residents,
    pub(crate) courier: Courier,
    pub(crate) watchers: Watchers,
    pub(crate) histories: Histories,
    pub(crate) queries: Queries,
    /// Bounds the sweeps over the open runs of components.
    pub(crate) sweeps: Arc<Semaphore>,
    pub(crate) copies: Arc<Copies>,
    /// Bounds the runs that replay or execute their first step at once.
    pub(crate) loading: Arc<Semaphore>,
    timers: HashMap<Namespace, Timers>,
    shutdown: CancellationToken,
    /// Why the host must exit; set once.
    failure: watch::Sender<Option<String>>,
    /// The last run id's time: ids do not run back when the clock does.
    last_id: Mutex<u64>,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "each is a part of the host, made by whoever starts it")]
    pub(crate) fn new(
        store: Arc<dyn Store>,
        guests: Arc<dyn Guests>,
        clock: Arc<dyn Clock>,
        executor: Executor,
        queues: Arc<Queues>,
        components: Components,
        options: Options,
        boot: u64,
    ) -> Self {
        let timers = options
            .namespaces
            .iter()
            .map(|namespace| {
                (namespace.clone(), Timers::new(namespace.clone(), Arc::clone(&store), Arc::clone(&clock)))
            })
            .collect();
        Self {
            store,
            guests,
            boot,
            registry: Registry::default(),
            components,
            executor,
            attempts: Attempts::default(),
            queues,
            alarms: Alarms::new(Arc::clone(&clock)),
            recovered: watch::channel(false).0,
            residents: Residents::new(options.resident_bytes, options.resident_instances),
            courier: Courier::default(),
            watchers: Watchers::default(),
            histories: Histories::default(),
            queries: Queries::new(options.query_slots),
            sweeps: Arc::new(Semaphore::new(SWEEPS)),
            copies: Arc::default(),
            loading: Arc::new(Semaphore::new(options.loading_slots)),
            timers,
            shutdown: CancellationToken::new(),
            failure: watch::channel(None).0,
            clock,
            last_id: Mutex::new(0),
            options,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn namespaces(&self) -> &[Namespace] {
        &self.options.namespaces
    }

    /// Checks that a namespace exists.
    pub(crate) fn check_namespace(&self, namespace: &Namespace) -> Result<(), Error> {
        if self.options.namespaces.contains(namespace) {
            return Ok(());
        }
        Err(Error::NotFound { what: "namespace", id: namespace.to_string() })
    }

    pub(crate) fn timers(&self, namespace: &Namespace) -> Option<&Timers> {
        self.timers.get(namespace)
    }

    pub(crate) fn timer_started(&self, run: &RunKey, deadline: Timestamp, op: Op) {
        if let Some(timers) = self.timers.get(&run.namespace) {
            timers.started(run, deadline, op);
        }
    }

    pub(crate) fn timer_removed(&self, run: &RunKey, deadline: Timestamp, op: Op) {
        if let Some(timers) = self.timers.get(&run.namespace) {
            timers.removed(run, deadline, op);
        }
    }

    /// Resolves when the activities that the last boot left are in their places.
    ///
    /// # Errors
    /// When the host stops before that.
    pub(crate) async fn recovered(&self) -> Result<(), Error> {
        let mut recovered = self.recovered.subscribe();
        tokio::select! {
            biased;
            _done = recovered.wait_for(|done| *done) => Ok(()),
            () = self.stopping() => Err(Error::ShuttingDown),
        }
    }

    /// Refuses new work once the host is stopping or its store has failed.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if let Some(reason) = self.failure.borrow().clone() {
            return Err(Error::Poisoned(reason));
        }
        if self.is_shutting_down() {
            return Err(Error::ShuttingDown);
        }
        Ok(())
    }

    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutdown.is_cancelled()
    }

    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Notes an answer of the store that means its end.
    pub(crate) fn note_failure(&self, error: &CommitError) {
        if let CommitError::Poisoned(reason) = error {
            self.fail(reason);
        }
    }

    /// As [`Self::note_failure`], for what callers are told.
    pub(crate) fn note_error(&self, error: &Error) {
        if let Error::Poisoned(reason) = error {
            self.fail(reason);
        }
    }

    /// Resolves when the host is stopping or its store has failed.
    pub(crate) async fn stopping(&self) {
        let mut failure = self.failure();
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            _failed = failure.wait_for(Option::is_some) => {}
        }
    }

    /// The store has failed: nothing may be acknowledged any more, and the process must exit.
    pub(crate) fn fail(&self, reason: &str) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                tracing::error!(reason, "the store has failed");
                *failure = Some(reason.to_owned());
            }
            first
        });
    }

    pub(crate) fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.subscribe()
    }

    /// A run id that sorts by time (UUID version 7), for what has this name.
    pub(crate) fn new_run_id(&self, name: &[u8]) -> Result<RunId, Error> {
        let millis = {
            let mut last = self.last_id.lock().unwrap_or_else(PoisonError::into_inner);
            *last = (*last).max(self.now().0 / 1_000_000);
            *last
        };
        Ok(RunId(Builder::from_unix_timestamp_millis(millis, &self.options.entropy.draw(name)?).into_uuid()))
    }
}
