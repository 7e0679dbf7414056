//! What outlives a host: the store, the code, the plugin's memory of what it did, and the time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use refrain_engine::call::{ActivityCommand, ActivityOptions, Completion, Interest};
use refrain_engine::codec;
use refrain_engine::failure::{Failure, Outcome};
use refrain_engine::guest::{Guests, Stop};
use refrain_engine::history::HistoryKind;
use refrain_engine::ids::{Digest, Namespace, Op, RunId, WorkflowId};
use refrain_engine::journal::{Record, Started};
use refrain_engine::limits;
use refrain_engine::mailbox::{Event, Item, MailboxEntry};
use refrain_engine::payload::Payload;
use refrain_engine::run::Run;
use refrain_engine::scripted::{ScriptHost, ScriptedGuests, Stopped};
use refrain_engine::time::Timestamp;
use refrain_plugin::{Activity, ActivityError, Context, Plugin};
use refrain_runtime::{
    Clock, Description, Error, Health, HistoryPage, NewComponent, OnTrap, Options, RunResult, RunStatus,
    Runtime, SendSignal, StartWorkflow, StartedWorkflow, Target, TokioClock, WorkflowDefinition,
};
use refrain_store::schema::{Prefix, RunKey, StoredHead, UpdateRow, UpdateStatus};
use refrain_store::{MemoryStore, Order, Store, StoreError, Table, Wrapper};
use tokio::sync::Semaphore;

/// The digest of the scripts.
pub(crate) const CODE: Digest = Digest([7; 32]);

/// When the world begins: 2026-01-01.
const BEGINNING: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// What a test waits for a result, in the world's time: far more than any test takes.
pub(crate) const A_DAY: Duration = Duration::from_secs(86_400);

/// One attempt that began: idempotency key and number.
pub(crate) type Execution = (String, u32);

/// See the module's documentation.
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) guests: ScriptedGuests,
    pub(crate) executions: Arc<Mutex<Vec<Execution>>>,
    pub(crate) options: Options,
    /// Opens for attempts of `gate`.
    pub(crate) gate: Arc<Semaphore>,
    workflows: Mutex<Vec<(String, OnTrap)>>,
    extra: Mutex<Vec<Activity>>,
    /// Whether each host gets the scripts.
    uploads: AtomicBool,
    now: Mutex<Timestamp>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            store: Arc::default(),
            guests: ScriptedGuests::new(),
            executions: Arc::default(),
            options: Options::default(),
            gate: Arc::new(Semaphore::new(0)),
            workflows: Mutex::default(),
            extra: Mutex::default(),
            uploads: AtomicBool::new(true),
            now: Mutex::new(BEGINNING),
        }
    }

    /// Defines a workflow, or gives it other code.
    pub(crate) fn workflow<F, T>(&self, name: &str, script: F)
    where
        F: Fn(ScriptHost, Payload) -> T + Send + Sync + 'static,
        T: Future<Output = Result<Completion, Stopped>> + Send + 'static,
    {
        self.guests.add(CODE, name, script);
        self.define(name, OnTrap::Park);
    }

    pub(crate) fn define(&self, name: &str, on_trap: OnTrap) {
        let mut workflows = self.workflows.lock().unwrap();
        workflows.retain(|(known, _)| known != name);
        workflows.push((name.to_owned(), on_trap));
    }

    /// Adds an activity beside those of [`TestPlugin`].
    pub(crate) fn activity<F, T>(&self, name: &str, run: F)
    where
        F: Fn(Context, refrain_plugin::Payload) -> T + Send + Sync + 'static,
        T: Future<Output = Result<refrain_plugin::Payload, ActivityError>> + Send + 'static,
    {
        let executions = Arc::clone(&self.executions);
        self.extra.lock().unwrap().push(Activity::raw(name, move |context, input| {
            executions.lock().unwrap().push((context.idempotency_key(), context.attempt()));
            run(context, input)
        }));
    }

    /// Adds a blocking activity.
    pub(crate) fn blocking<F>(&self, name: &str, run: F)
    where
        F: Fn(Context, u32) -> Result<u32, ActivityError> + Send + Sync + 'static,
    {
        let executions = Arc::clone(&self.executions);
        self.extra.lock().unwrap().push(Activity::blocking(name, move |context: Context, input| {
            executions.lock().unwrap().push((context.idempotency_key(), context.attempt()));
            run(context, input)
        }));
    }

    /// The next host has only the activities of [`TestPlugin`].
    pub(crate) fn forget_activities(&self) {
        self.extra.lock().unwrap().clear();
    }

    /// A life of the host over the world's own store.
    pub(crate) fn live<T>(&self, life: impl AsyncFnOnce(Host) -> T) -> T {
        self.live_on(Arc::clone(&self.store) as Arc<dyn Store>, life).expect("the store is sound")
    }

    /// As [`Self::live`], and this host and those after it have the components that are in the store.
    pub(crate) fn live_without_upload<T>(&self, life: impl AsyncFnOnce(Host) -> T) -> T {
        self.uploads.store(false, Ordering::Relaxed);
        self.live(life)
    }

    /// A life of the host over another store. It ends as by a crash when `life` returns.
    pub(crate) fn live_on<T>(
        &self,
        store: Arc<dyn Store>,
        life: impl AsyncFnOnce(Host) -> T,
    ) -> Result<T, Error> {
        self.live_with(store, Arc::new(self.guests.clone()), life)
    }

    pub(crate) fn live_with<T>(
        &self,
        store: Arc<dyn Store>,
        guests: Arc<dyn Guests>,
        life: impl AsyncFnOnce(Host) -> T,
    ) -> Result<T, Error> {
        let tokio = paused();
        let lived = tokio.block_on(async {
            let clock = TokioClock::at(*self.now.lock().unwrap());
            let lived = match self.boot(store, guests, Arc::new(clock)).await {
                Ok(host) => Ok(life(host).await),
                Err(error) => Err(error),
            };
            *self.now.lock().unwrap() = clock.now();
            lived
        });
        tokio.shutdown_background();
        lived
    }

    /// A host over this store, in the caller's tokio runtime.
    pub(crate) async fn boot(
        &self,
        store: Arc<dyn Store>,
        guests: Arc<dyn Guests>,
        clock: Arc<dyn Clock>,
    ) -> Result<Host, Error> {
        let plugin: Box<dyn Plugin> = Box::new(self.plugin());
        let runtime = Runtime::start(store, guests, vec![plugin], clock, self.options.clone()).await?;
        let host = Host { runtime, namespace: Namespace::default() };
        host.register(self).await?;
        Ok(host)
    }

    fn plugin(&self) -> TestPlugin {
        TestPlugin {
            executions: Arc::clone(&self.executions),
            gate: Arc::clone(&self.gate),
            extra: self.extra.lock().unwrap().clone(),
        }
    }

    /// Time passes without a host.
    pub(crate) fn skip(&self, time: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.after(time);
    }

    pub(crate) fn attempts(&self) -> usize {
        self.executions.lock().unwrap().len()
    }

    /// Checks what holds whenever nothing runs: no row is left of runs that have ended, but signals that they have not taken,
    /// and their journals replay.
    pub(crate) fn check_rest(&self) {
        for table in [
            Table::Timers,
            Table::Activities,
            Table::Heartbeats,
            Table::Mailbox,
            Table::Ready,
            Table::Outbox,
            Table::Children,
            Table::Pinned,
        ] {
            let mut rows = self.rows(table);
            rows.retain(|(_, row)| table != Table::Mailbox || !is_signal(row));
            assert!(rows.is_empty(), "{} rows are left in {}", rows.len(), table.name());
        }
        for (_, row) in self.rows(Table::Updates) {
            let UpdateRow { name, status, .. } = codec::decode("update", &row).expect("an update");
            let is_open = matches!(status, UpdateStatus::Admitted | UpdateStatus::Accepted);
            assert!(!is_open, "update {name} is {status:?}, and its run has ended");
        }
        self.check_no_rows_of_nobody();
        for (_, row) in self.rows(Table::Runs) {
            let started: Started = codec::decode("start", &row).expect("a run's start");
            let key = RunKey::new(started.namespace.clone(), started.run_id);
            assert!(!self.is_hidden(&key), "a run that nobody sees is left");
            self.check_replay(started);
        }
    }

    /// Checks that nothing is left of any run.
    pub(crate) fn check_empty(&self) {
        self.check_rest();
        for table in [
            Table::Runs,
            Table::Heads,
            Table::Executions,
            Table::Journal,
            Table::Visibility,
            Table::Requests,
            Table::Updates,
            Table::Mailbox,
        ] {
            let rows = self.rows(table);
            assert!(rows.is_empty(), "{} rows are left in {}", rows.len(), table.name());
        }
    }

    /// What is left of a run is left because the run is.
    fn check_no_rows_of_nobody(&self) {
        let namespace = Namespace::default();
        for table in [Table::Heads, Table::Journal] {
            for (key, _) in self.rows(table) {
                let run = Prefix::run_of(&namespace, &key).expect("a run's row");
                let started = RunKey::new(namespace.clone(), run).started();
                let found = self.store.get(started.table, &started.bytes).unwrap();
                assert!(found.is_some(), "a row in {} is of no run", table.name());
            }
        }
    }

    /// Whether the run is one that is being deleted, or a copy that has not begun.
    fn is_hidden(&self, key: &RunKey) -> bool {
        let head = key.head();
        let head = self.store.get(head.table, &head.bytes).unwrap().expect("a run's head");
        StoredHead::decode(&head).expect("a head").head.deleting
    }

    /// Replays a run that has ended.
    fn check_replay(&self, started: Started) {
        let key = RunKey::new(started.namespace.clone(), started.run_id);
        let records: Vec<_> = self.under(&key.journal()).into_iter().map(|(_, record)| record).collect();
        let last: Record = codec::decode("record", records.last().expect("a run that has ended")).unwrap();
        if !matches!(last, Record::Step(_)) {
            return;
        }
        // What a move recorded last executes it.
        let code = records.iter().fold(started.digest, |code, record| {
            match codec::decode::<Record>("record", record).expect("a record") {
                Record::Moved(moved) => moved.code.digest,
                _ => code,
            }
        });
        let run = Run::replay(Arc::new(started), records, code, 1).expect("a sound journal");
        let (_, stop) = paused().block_on(async {
            let mut guest = self.guests.open(code, limits::CURRENT).await.expect("the scripts");
            guest.run(Box::new(run)).await
        });
        assert!(matches!(stop, Stop::Finished), "a replay ended as {stop:?}");
    }

    pub(crate) fn rows(&self, table: Table) -> Vec<(bytes::Bytes, bytes::Bytes)> {
        self.under(&Prefix::namespace(table, &Namespace::default()))
    }

    pub(crate) fn under(&self, prefix: &Prefix) -> Vec<(bytes::Bytes, bytes::Bytes)> {
        self.store.range(prefix.table, &prefix.bytes, &prefix.end(), Order::Ascending, usize::MAX).unwrap()
    }

    /// How often each activity whose outcome is recorded was executed, by idempotency key.
    pub(crate) fn recorded(&self) -> BTreeMap<String, usize> {
        let mut recorded = BTreeMap::new();
        for (_, row) in self.rows(Table::Runs) {
            let started: Started = codec::decode("start", &row).unwrap();
            let key = RunKey::new(started.namespace.clone(), started.run_id);
            if self.is_hidden(&key) {
                continue;
            }
            let journal = self.under(&key.journal());
            let steps =
                journal.iter().filter_map(|(_, record)| match codec::decode("record", record).unwrap() {
                    Record::Step(step) => Some(step),
                    Record::Terminated(_)
                    | Record::Failed(_)
                    | Record::TimedOut(_)
                    | Record::Canceled(_)
                    | Record::Moved(_) => None,
                });
            let mailbox = self.under(&key.mailbox());
            let waiting =
                mailbox.iter().map(|(_, entry)| codec::decode::<MailboxEntry>("entry", entry).unwrap());
            for entry in steps.flat_map(|step| step.delivered).chain(waiting) {
                let Item::ActivityClosed { op, .. } = entry.item else { continue };
                let name = format!("{}/{op}", started.run_id);
                let count = self.executions.lock().unwrap().iter().filter(|(key, _)| *key == name).count();
                recorded.insert(name, count);
            }
        }
        recorded
    }
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// What tests do with a runtime.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) namespace: Namespace,
}

impl Host {
    /// Uploads the world's scripts, unless they are here.
    async fn register(&self, world: &World) -> Result<(), Error> {
        if !world.uploads.load(Ordering::Relaxed) || self.runtime.has_code(CODE) {
            return Ok(());
        }
        let workflows = world
            .workflows
            .lock()
            .unwrap()
            .iter()
            .map(|(name, on_trap)| definition(name, *on_trap))
            .collect();
        let component = NewComponent {
            digest: CODE,
            uploaded_bytes: 0,
            sdk: "scripts".to_owned(),
            imports: Vec::new(),
            workflows,
        };
        self.runtime.register_component(&self.namespace, "test", component).await.map(drop)
    }

    pub(crate) async fn try_start(
        &self,
        workflow: &str,
        id: &str,
        input: &str,
    ) -> Result<StartedWorkflow, Error> {
        let request = StartWorkflow {
            id: Some(WorkflowId::new(id).unwrap()),
            request_id: Some(format!("start {id}")),
            ..StartWorkflow::new(workflow, Payload::json(input.to_owned()))
        };
        self.runtime.start_workflow(&self.namespace, request).await
    }

    /// A start with options, and without a request id unless it sets one.
    pub(crate) async fn start_with(
        &self,
        workflow: &str,
        id: &str,
        change: impl FnOnce(&mut StartWorkflow),
    ) -> Result<StartedWorkflow, Error> {
        let mut request = StartWorkflow {
            id: Some(WorkflowId::new(id).unwrap()),
            ..StartWorkflow::new(workflow, Payload::null())
        };
        change(&mut request);
        self.runtime.start_workflow(&self.namespace, request).await
    }

    pub(crate) async fn start(&self, workflow: &str, id: &str) -> RunId {
        self.try_start(workflow, id, "null").await.expect("a start").run_id
    }

    /// How a workflow ended; waits at most a day.
    pub(crate) async fn result(&self, id: &str) -> RunResult {
        self.runtime.result(&self.namespace, &target(id), A_DAY).await.expect("a result")
    }

    pub(crate) async fn value(&self, id: &str) -> String {
        match self.result(id).await {
            RunResult::Closed { outcome: Ok(value), .. } => text(&value),
            other => panic!("{id} has no value: {other:?}; {:#?}", self.describe(id).await),
        }
    }

    pub(crate) async fn failure(&self, id: &str) -> Failure {
        match self.result(id).await {
            RunResult::Closed { outcome: Err(failure), .. } => failure,
            other => panic!("{id} did not fail: {other:?}"),
        }
    }

    /// Starts a workflow and waits for its value.
    pub(crate) async fn execute(&self, workflow: &str) -> String {
        self.start(workflow, workflow).await;
        self.value(workflow).await
    }

    pub(crate) async fn status(&self, id: &str) -> RunStatus {
        self.describe(id).await.summary.status
    }

    pub(crate) async fn describe(&self, id: &str) -> Description {
        self.runtime.describe(&self.namespace, &target(id)).await.expect("a description")
    }

    pub(crate) async fn signal(
        &self,
        id: &str,
        name: &str,
        input: &str,
        request_id: Option<&str>,
    ) -> Result<(), Error> {
        let signal = SendSignal {
            name: name.to_owned(),
            input: Payload::json(input.to_owned()),
            request_id: request_id.map(str::to_owned),
        };
        self.runtime.signal(&self.namespace, &target(id), signal).await
    }

    pub(crate) async fn cancel(&self, id: &str) -> Result<(), Error> {
        self.runtime.cancel(&self.namespace, &target(id), "not needed".to_owned()).await
    }

    pub(crate) async fn terminate(&self, id: &str) -> Result<(), Error> {
        self.runtime.terminate(&self.namespace, &target(id), "enough".to_owned()).await
    }

    pub(crate) async fn pause(&self, id: &str) -> Result<(), Error> {
        self.runtime.pause(&self.namespace, &target(id), "the card is hot".to_owned()).await
    }

    pub(crate) async fn unpause(&self, id: &str) -> Result<(), Error> {
        self.runtime.unpause(&self.namespace, &target(id)).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<u64, Error> {
        self.runtime.delete(&self.namespace, &target(id)).await
    }

    pub(crate) async fn resume(&self, id: &str) -> Result<(), Error> {
        self.runtime.resume(&self.namespace, &target(id)).await
    }

    pub(crate) async fn history(&self, id: &str) -> HistoryPage {
        self.runtime.history(&self.namespace, &target(id), 0, Duration::ZERO, false).await.expect("a history")
    }

    /// The history in a line for each event.
    pub(crate) async fn story(&self, id: &str) -> String {
        let page = self.history(id).await;
        let events = page.events.iter().map(|event| {
            let at = event.time.since(BEGINNING).as_secs_f64();
            format!(
                "{} step {} boot {} at {at:.0} s: {}\n",
                event.number,
                event.step,
                event.boot,
                brief(&event.kind)
            )
        });
        events.collect()
    }

    /// Lets this much time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Lets everything come to rest that needs no time.
    pub(crate) async fn settle(&self) {
        self.pass(Duration::from_millis(20)).await;
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.runtime.health() == Health::Ready
    }
}

fn brief(kind: &HistoryKind) -> String {
    let text = format!("{kind:?}");
    let fields = text.split_once(" {").map_or("", |(_, fields)| fields.trim_end_matches(" }"));
    format!("{}{fields}", kind.name())
}

pub(crate) fn definition(name: &str, on_trap: OnTrap) -> WorkflowDefinition {
    WorkflowDefinition { on_trap, ..WorkflowDefinition::named(name) }
}

pub(crate) fn target(id: &str) -> Target {
    Target { workflow_id: WorkflowId::new(id).unwrap(), run_id: None }
}

pub(crate) fn text(payload: &Payload) -> String {
    String::from_utf8_lossy(&payload.data).into_owned()
}

pub(crate) fn json(value: impl std::fmt::Display) -> Payload {
    Payload::json(value.to_string())
}

pub(crate) fn completed(value: impl std::fmt::Display) -> Result<Completion, Stopped> {
    Ok(Completion::Completed(json(value)))
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An activity with an hour for each attempt.
pub(crate) fn activity(name: &str, input: impl std::fmt::Display) -> ActivityCommand {
    with(name, input, |_| {})
}

/// An activity with options.
pub(crate) fn with(
    name: &str,
    input: impl std::fmt::Display,
    change: impl FnOnce(&mut ActivityOptions),
) -> ActivityCommand {
    let mut options = ActivityOptions { start_to_close: Some(secs(3_600)), ..ActivityOptions::default() };
    change(&mut options);
    ActivityCommand { name: name.to_owned(), input: json(input), options }
}

/// Waits for one op.
pub(crate) async fn outcome(host: &ScriptHost, op: Op) -> Result<Outcome, Stopped> {
    let mut events = host.wait(Interest::Ops(vec![op])).await?;
    match events.pop() {
        Some(Event::Finished { outcome, .. }) if events.is_empty() => Ok(outcome),
        other => panic!("a wait for one op delivered {other:?}"),
    }
}

/// Runs an activity; its failure fails the workflow.
pub(crate) async fn run(
    host: &ScriptHost,
    command: ActivityCommand,
) -> Result<Result<Payload, Failure>, Stopped> {
    let op = host.activity(command)?;
    Ok(match outcome(host, op).await? {
        Outcome::Completed(value) => Ok(value),
        Outcome::Failed(failure) => Err(failure),
    })
}

/// Ends a workflow as its only activity did.
pub(crate) fn as_outcome(outcome: Result<Payload, Failure>) -> Result<Completion, Stopped> {
    Ok(match outcome {
        Ok(value) => Completion::Completed(value),
        Err(failure) => Completion::Failed(failure),
    })
}

/// A store that cannot read the heads of runs from some time on.
pub(crate) struct UnreadableHeads(Arc<MemoryStore>, AtomicBool);

impl UnreadableHeads {
    pub(crate) fn new(store: Arc<MemoryStore>) -> Self {
        Self(store, AtomicBool::new(false))
    }

    pub(crate) fn break_now(&self) {
        self.1.store(true, Ordering::Relaxed);
    }
}

impl Wrapper for UnreadableHeads {
    fn inner(&self) -> &dyn Store {
        &*self.0
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<bytes::Bytes>, StoreError> {
        if table == Table::Heads && self.1.load(Ordering::Relaxed) {
            return Err(StoreError::Damaged {
                what: "a head".to_owned(),
                detail: "a sector cannot be read".to_owned(),
            });
        }
        self.0.get(table, key)
    }
}

/// Activities that every world has.
struct TestPlugin {
    executions: Arc<Mutex<Vec<Execution>>>,
    gate: Arc<Semaphore>,
    extra: Vec<Activity>,
}

impl Plugin for TestPlugin {
    fn name(&self) -> &str {
        "test"
    }

    fn activities(&self) -> Vec<Activity> {
        let counted =
            |name: &str, run: Arc<dyn Fn(Context, refrain_plugin::Payload) -> Running + Send + Sync>| {
                let executions = Arc::clone(&self.executions);
                Activity::raw(name, move |context, input| {
                    executions.lock().unwrap().push((context.idempotency_key(), context.attempt()));
                    run(context, input)
                })
            };
        let gate = Arc::clone(&self.gate);
        let mut activities = vec![
            // Answers its input.
            counted("echo", Arc::new(|_, input| async move { Ok(input) }.boxed())),
            // Fails as often as its input says, then answers the number of the attempt.
            counted(
                "flaky",
                Arc::new(|context, input| {
                    async move {
                        let failures: u32 = input.parse().expect("a number");
                        match context.attempt() {
                            attempt if attempt <= failures => {
                                Err(ActivityError::new("Flaky", format!("no {attempt}")))
                            }
                            attempt => refrain_plugin::Payload::json(&attempt).map_err(ActivityError::from),
                        }
                    }
                    .boxed()
                }),
            ),
            // Runs until it is asked to stop.
            counted(
                "hang",
                Arc::new(|context, _| {
                    async move { Err(ActivityError::cancelled(context.cancelled().await)) }.boxed()
                }),
            ),
            // Never hears anything, and answers after as many seconds as its input says.
            counted(
                "slow",
                Arc::new(|_, input| {
                    async move {
                        tokio::time::sleep(secs(input.parse().expect("a number"))).await;
                        Ok(input)
                    }
                    .boxed()
                }),
            ),
            // Panics.
            counted("panics", Arc::new(|_, _| panic!("a bug in a plugin"))),
            // Waits until the test lets one attempt through.
            counted(
                "gate",
                Arc::new(move |_, input| {
                    let gate = Arc::clone(&gate);
                    async move {
                        gate.acquire().await.expect("the gate stays").forget();
                        Ok(input)
                    }
                    .boxed()
                }),
            ),
        ];
        activities.extend(self.extra.iter().cloned());
        activities
    }
}

type Running = BoxFuture<'static, Result<refrain_plugin::Payload, ActivityError>>;

fn is_signal(row: &[u8]) -> bool {
    let entry: MailboxEntry = codec::decode("arrival", row).expect("an arrival");
    matches!(entry.item, Item::Signal { .. })
}
