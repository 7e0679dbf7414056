//! What the server calls.

use std::sync::Arc;
use std::time::Duration;

use refrain_engine::guest::Guests;
use refrain_engine::ids::{Namespace, check_name};
use refrain_plugin::Plugin;
use refrain_store::Store;
use refrain_store::schema::RunKey;
use tokio::runtime::RuntimeFlavor;
use tokio::sync::{mpsc, oneshot};

use crate::clock::{Clock, sleep_until};
use crate::components::Components;
use crate::delete;
use crate::error::Error;
use crate::executor::Executor;
use crate::fork;
use crate::histories;
use crate::inspect;
use crate::options::Options;
use crate::owner::{Message, Reply};
use crate::queries;
use crate::queues::{Assigned, Queues, QueuesConfig};
use crate::recovery;
use crate::reset;
use crate::reset_types::{ForkWorkflow, ForkedRun, ResetWorkflow};
use crate::shared::Shared;
use crate::start::{self, within_payload_limit};
use crate::types::{
    ComponentSummary, ComponentVersion, Description, HistoryPage, ListFilter, NewComponent, Page,
    QueryAnswer, QueryRequest, Registered, RunResult, RunSummary, SendSignal, StartWorkflow, StartedWorkflow,
    Target,
};

/// The longest reason of a cancel or a termination, in bytes: it is kept in the journal.
pub(crate) const MAX_REASON_BYTES: usize = 4_096;

/// How often a message follows an execution to its next run: each time means that another run has begun.
pub(crate) const CONTINUATIONS: usize = 16;

/// Owns all runs of a store. Clones are the same runtime.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) shared: Arc<Shared>,
}

/// Whether a runtime serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ready,
    /// Its store has failed, for this reason: the process must exit.
    Poisoned(String),
    /// It is stopping.
    ShuttingDown,
}

impl Runtime {
    /// Begins a life of the host over this store: wakes what the last one left.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn start(
        store: Arc<dyn Store>,
        guests: Arc<dyn Guests>,
        plugins: Vec<Box<dyn Plugin>>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, Error> {
        let boot = recovery::next_boot(&*store).await?;
        let components = Components::load(&*store, &options.namespaces).await?;
        let executor = Executor::new(&plugins)?;
        let (queues, assigned) = Queues::new(Arc::clone(&clock), queues_config(&options), executor.offers());
        queues.hold();
        let shared = Arc::new(Shared::new(store, guests, clock, executor, queues, components, options, boot));
        for namespace in shared.namespaces().to_vec() {
            tokio::spawn(fire_timers(Arc::clone(&shared), namespace));
        }
        tokio::spawn(ring_alarms(Arc::clone(&shared)));
        tokio::spawn(assign_tasks(Arc::clone(&shared), assigned));
        let waking = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(error) = recovery::wake_runs(&waking).await {
                waking.fail(&error.to_string());
            }
        });
        Ok(Self { shared })
    }

    /// Whether this runtime serves.
    pub fn health(&self) -> Health {
        if let refrain_store::Health::Poisoned(reason) = self.shared.store.health() {
            self.shared.fail(&reason);
        }
        match self.shared.check_open() {
            Ok(()) => Health::Ready,
            Err(Error::Poisoned(reason)) => Health::Poisoned(reason),
            Err(_) => Health::ShuttingDown,
        }
    }

    /// Which life of the host this is, from 1.
    pub fn boot(&self) -> u64 {
        self.shared.boot
    }

    /// Resolves, with the reason, when the store has failed and the process must exit.
    pub async fn failed(&self) -> String {
        let mut failure = self.shared.failure();
        let reason = failure.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        match reason {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }

    /// Stops: accepts nothing more, lets steps reach a wait and attempts end, within the grace of the
    /// options. What has not ended by then is found by the next boot.
    pub async fn shutdown(&self) {
        self.shared.shut_down();
        self.shared.registry.broadcast(|| Message::Shutdown);
        let grace = self.shared.now().after(self.shared.options.shutdown_grace);
        tokio::select! {
            () = self.shared.registry.empty() => {}
            () = self.shared.clock.sleep_until(grace) => {
                tracing::warn!("the grace of the shutdown has passed: the next boot goes on with what has not ended");
            }
        }
    }

    /// Gives a component to a name, as its next version. Idempotent by digest. The caller has stored the code.
    ///
    /// # Errors
    /// When the name is not acceptable or the store refuses.
    pub async fn register_component(
        &self,
        namespace: &Namespace,
        name: &str,
        new: NewComponent,
    ) -> Result<Registered, Error> {
        self.shared.check_open()?;
        self.shared.check_namespace(namespace)?;
        let (shared, namespace, name) = (Arc::clone(&self.shared), namespace.clone(), name.to_owned());
        to_its_end(async move {
            let now = shared.now();
            let registered = shared.components.register(&*shared.store, &namespace, &name, new, now).await;
            registered.inspect_err(|error| shared.note_error(error))
        })
        .await
    }

    /// The components of a namespace, by name.
    ///
    /// # Errors
    /// When the namespace does not exist.
    pub fn components(
        &self,
        namespace: &Namespace,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<ComponentSummary>, Error> {
        self.shared.check_namespace(namespace)?;
        Ok(self.shared.components.list(namespace, limit, cursor))
    }

    /// A version of a component's name; `None`: the current one.
    ///
    /// # Errors
    /// When there is none.
    pub fn component(
        &self,
        namespace: &Namespace,
        name: &str,
        version: Option<u32>,
    ) -> Result<ComponentVersion, Error> {
        self.shared.check_namespace(namespace)?;
        Ok((*self.shared.components.version(namespace, name, version)?).clone())
    }

    /// All versions of a component's name, oldest first.
    ///
    /// # Errors
    /// When there is none.
    pub fn component_versions(
        &self,
        namespace: &Namespace,
        name: &str,
    ) -> Result<Vec<ComponentVersion>, Error> {
        self.shared.check_namespace(namespace)?;
        let versions = self.shared.components.versions(namespace, name)?;
        Ok(versions.iter().map(|version| (**version).clone()).collect())
    }

    /// Starts a workflow. The run is durable when this answers.
    ///
    /// # Errors
    /// When the type is unknown, the id is in use, a value is not acceptable or the store refuses.
    pub async fn start_workflow(
        &self,
        namespace: &Namespace,
        request: StartWorkflow,
    ) -> Result<StartedWorkflow, Error> {
        self.shared.check_open()?;
        self.shared.check_namespace(namespace)?;
        let (shared, namespace) = (Arc::clone(&self.shared), namespace.clone());
        to_its_end(async move { start::start_workflow(&shared, &namespace, request).await }).await
    }

    /// Sends a signal. It is durable when this answers.
    ///
    /// # Errors
    /// When there is no such run, it has ended, too many messages wait, or the store refuses.
    pub async fn signal(
        &self,
        namespace: &Namespace,
        target: &Target,
        signal: SendSignal,
    ) -> Result<(), Error> {
        check_name("signal", &signal.name)?;
        if let Some(request_id) = &signal.request_id {
            check_name("request_id", request_id)?;
        }
        within_payload_limit("input", signal.input.size())?;
        self.ask(namespace, target, |reply| Message::Signal { signal: signal.clone(), begins: false, reply })
            .await
    }

    /// Asks a run to cancel itself. The request is durable when this answers.
    ///
    /// # Errors
    /// As [`Self::signal`].
    pub async fn cancel(&self, namespace: &Namespace, target: &Target, reason: String) -> Result<(), Error> {
        check_reason(&reason)?;
        self.ask(namespace, target, |reply| Message::Cancel { reason: reason.clone(), reply }).await
    }

    /// Ends a run. It has ended when this answers.
    ///
    /// # Errors
    /// When there is no such run, it has ended, or the store refuses.
    pub async fn terminate(
        &self,
        namespace: &Namespace,
        target: &Target,
        reason: String,
    ) -> Result<(), Error> {
        check_reason(&reason)?;
        self.ask(namespace, target, |reply| Message::Terminate { reason: reason.clone(), reply }).await
    }

    /// Lets a parked run try its step again.
    ///
    /// # Errors
    /// When there is no such run, it has ended, or the store refuses.
    pub async fn resume(&self, namespace: &Namespace, target: &Target) -> Result<(), Error> {
        self.ask(namespace, target, |reply| Message::Resume { reply }).await
    }

    /// Keeps a run from making steps until it is unpaused. What is under way goes on, and what arrives waits. A
    /// run that is paused stays so, for the first reason. The pause is durable when this answers.
    ///
    /// # Errors
    /// When there is no such run, it has ended, or the store refuses.
    pub async fn pause(&self, namespace: &Namespace, target: &Target, reason: String) -> Result<(), Error> {
        check_reason(&reason)?;
        self.ask(namespace, target, |reply| Message::Pause { reason: reason.clone(), reply }).await
    }

    /// Lets a paused run go on.
    ///
    /// # Errors
    /// As [`Self::pause`].
    pub async fn unpause(&self, namespace: &Namespace, target: &Target) -> Result<(), Error> {
        self.ask(namespace, target, |reply| Message::Unpause { reply }).await
    }

    /// Deletes the data of a run that has ended; without a run id, of all runs of the execution. Answers how
    /// many runs that were.
    ///
    /// # Errors
    /// When there is no such run, it has not ended, or the store refuses.
    pub async fn delete(&self, namespace: &Namespace, target: &Target) -> Result<u64, Error> {
        self.shared.check_open()?;
        let (shared, namespace, target) = (Arc::clone(&self.shared), namespace.clone(), target.clone());
        to_its_end(async move { delete::delete(&shared, &namespace, &target).await }).await
    }

    /// Lets an execution go on as a new run, from the end of an earlier step of one of its runs. That run ends,
    /// if it has not, and the new one has begun when this answers.
    ///
    /// # Errors
    /// When there is no such run or event, another run of the execution is open, too many signals came since, or
    /// the store refuses.
    pub async fn reset(
        &self,
        namespace: &Namespace,
        target: &Target,
        request: ResetWorkflow,
    ) -> Result<ForkedRun, Error> {
        self.shared.check_open()?;
        let (shared, namespace, target) = (Arc::clone(&self.shared), namespace.clone(), target.clone());
        to_its_end(async move { reset::reset(&shared, &namespace, &target, request).await }).await
    }

    /// Begins a new execution with steps of a run, which does not notice. It has begun when this answers.
    ///
    /// # Errors
    /// When there is no such run or event, the new id is in use, what is to be changed is not in the step, the
    /// other code does not go on from there, or the store refuses.
    pub async fn fork(
        &self,
        namespace: &Namespace,
        target: &Target,
        request: ForkWorkflow,
    ) -> Result<ForkedRun, Error> {
        self.shared.check_open()?;
        let (shared, namespace, target) = (Arc::clone(&self.shared), namespace.clone(), target.clone());
        to_its_end(async move { fork::fork(&shared, &namespace, &target, request).await }).await
    }

    /// All that can be told of a run.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be read.
    pub async fn describe(&self, namespace: &Namespace, target: &Target) -> Result<Description, Error> {
        let key = inspect::resolve(&self.shared, namespace, target)?;
        let shared = Arc::clone(&self.shared);
        blocking(move || inspect::describe(&shared, &key)).await
    }

    /// How a run ended; waits for that at most so long. Without a run id it follows the execution to its
    /// latest run.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be read.
    pub async fn result(
        &self,
        namespace: &Namespace,
        target: &Target,
        wait: Duration,
    ) -> Result<RunResult, Error> {
        let key = inspect::resolve(&self.shared, namespace, target)?;
        inspect::result(&self.shared, key, target.run_id.is_none(), wait).await
    }

    /// A page of a run's history after the event with this number (0: from the beginning): all there is, up to
    /// some 10,000 events. Where there is nothing yet it waits, at most so long.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be read.
    pub async fn history(
        &self,
        namespace: &Namespace,
        target: &Target,
        after: u64,
        wait: Duration,
        calls: bool,
    ) -> Result<HistoryPage, Error> {
        let key = inspect::resolve(&self.shared, namespace, target)?;
        histories::page(&self.shared, &key, after, wait, calls).await
    }

    /// Asks a run something. It is answered by an instance of its own, which is thrown away: the run does not
    /// notice, however it stands.
    ///
    /// # Errors
    /// When there is no such run, the query fails ([`Error::Query`]), too many are asked at once, or the store
    /// cannot be read.
    pub async fn query(
        &self,
        namespace: &Namespace,
        target: &Target,
        request: QueryRequest,
    ) -> Result<QueryAnswer, Error> {
        self.shared.check_open()?;
        check_name("query", &request.name)?;
        within_payload_limit("input", request.input.size())?;
        let key = inspect::resolve(&self.shared, namespace, target)?;
        queries::ask(&self.shared, &key, request).await
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list or the store cannot be read.
    pub fn list(
        &self,
        namespace: &Namespace,
        filter: &ListFilter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<RunSummary>, Error> {
        inspect::list(&self.shared, namespace, filter, limit, cursor)
    }

    /// Sends a message to a run, and waits for its being durable.
    pub(crate) async fn tell(
        &self,
        key: &RunKey,
        message: impl FnOnce(Reply) -> Message,
    ) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.registry.send(&self.shared, key, message(reply));
        match answer.await {
            Ok(answer) => answer,
            Err(_) => {
                self.shared.check_open()?;
                Err(Error::Internal("the run's owner has failed: try again".to_owned()))
            }
        }
    }

    /// As [`Self::ask_run`], for who need not know which run it was.
    pub(crate) async fn ask(
        &self,
        namespace: &Namespace,
        target: &Target,
        message: impl Fn(Reply) -> Message,
    ) -> Result<(), Error> {
        self.ask_run(namespace, target, message).await.map(drop)
    }

    /// Sends a message to the run that is meant, and waits for its being durable. Who means an execution means
    /// its latest run: when that has ended meanwhile and another follows, the message goes to that one. Answers
    /// which run has it.
    pub(crate) async fn ask_run(
        &self,
        namespace: &Namespace,
        target: &Target,
        message: impl Fn(Reply) -> Message,
    ) -> Result<RunKey, Error> {
        for _ in 0..CONTINUATIONS {
            self.shared.check_open()?;
            let key = inspect::resolve(&self.shared, namespace, target)?;
            match self.tell(&key, &message).await {
                // Another run may have followed it: continued, tried again, or a new start.
                Err(closed @ Error::Closed { .. }) if target.run_id.is_none() => {
                    if inspect::resolve(&self.shared, namespace, target)? == key {
                        return Err(closed);
                    }
                }
                answer => return answer.map(|()| key),
            }
        }
        let id = target.workflow_id.to_string();
        Err(Error::Internal(format!(
            "the runs of workflow {id:?} follow each other faster than they take messages: try again"
        )))
    }
}

fn queues_config(options: &Options) -> QueuesConfig {
    QueuesConfig {
        task_queues: options.task_queues.clone(),
        activities: options.activities.clone(),
        activity_slots: options.activity_slots,
        blocking_activity_slots: options.blocking_activity_slots,
        max_tasks: options.queued_tasks,
    }
}

/// Wakes the runs whose activities have something due, and that have no owner.
async fn ring_alarms(shared: Arc<Shared>) {
    let ring = |run: RunKey, permit| shared.registry.send(&shared, &run, Message::Wake(permit));
    tokio::select! {
        () = shared.alarms.run(ring) => {}
        () = shared.stopping() => {}
    }
}

/// Tells owners which of their tasks may begin.
async fn assign_tasks(shared: Arc<Shared>, mut assigned: mpsc::UnboundedReceiver<Assigned>) {
    /// While a rate makes somebody wait no sleep is longer, so that a clock that was set back is noticed.
    const LOOK: Duration = Duration::from_secs(60);
    loop {
        let changed = shared.queues.changed();
        let look_at = shared.queues.next_look().map(|at| at.min(shared.now().after(LOOK)));
        tokio::select! {
            biased;
            () = shared.stopping() => return,
            Some(Assigned { run, op, assignment }) = assigned.recv() => {
                shared.registry.send(&shared, &run, Message::Assigned { op, assignment });
            }
            () = changed => {}
            () = sleep_until(&*shared.clock, look_at) => shared.queues.look(),
        }
    }
}

async fn fire_timers(shared: Arc<Shared>, namespace: Namespace) {
    let Some(timers) = shared.timers(&namespace) else { return };
    let fire = |run: RunKey, op, deadline, permit| {
        shared.registry.send(&shared, &run, Message::TimerFired { op, deadline, permit });
    };
    tokio::select! {
        fired = timers.run(fire) => {
            if let Err(error) = fired {
                shared.fail(&error.to_string());
            }
        }
        // What is not fired is found by the next boot.
        () = shared.stopping() => {}
    }
}

/// Does something to its end, even if who asked for it goes away meanwhile: between a commit and what must
/// follow it nothing may be dropped.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
}

/// Reads that may be long go where they may block. On a runtime of one thread they are made in place: nobody but the
/// thread itself would decide what happens meanwhile, and so a simulation has no other thread in it.
pub(crate) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if tokio::runtime::Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return read();
    }
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
}

pub(crate) fn check_reason(reason: &str) -> Result<(), Error> {
    if reason.len() <= MAX_REASON_BYTES {
        return Ok(());
    }
    Err(Error::TooLarge { what: "reason", bytes: reason.len(), limit: MAX_REASON_BYTES })
}
