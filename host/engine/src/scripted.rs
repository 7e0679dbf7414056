//! A guest made of Rust closures, behind the same seam as the sandbox: for tests of what owns runs, and for
//! simulations. It is as deterministic as its closures are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::call::{ActivityCommand, Call, Command, Completion, Interest, Note, Read, Reply};
use crate::child::ChildCommand;
use crate::failure::{Failure, FailureKind, Outcome};
use crate::guest::{Exchange, Guest, Guests, Lent, OpenError, Stop, Trap};
use crate::ids::{Digest, Namespace, Op, RunId, WorkflowId};
use crate::journal::{ExecutionRef, Started, Surroundings};
use crate::lifecycle::Lifecycle;
use crate::limits::{CURRENT, Profile};
use crate::mailbox::Event;
use crate::payload::Payload;
use crate::run::{Halt, Run};
use crate::time::Timestamp;

/// A workflow: gets its host and its argument, ends with a completion. An `Err` stops the guest as a wasm
/// trap would: made by the host's answers and passed on with `?`, or by [`trap`].
pub type Script =
    Arc<dyn Fn(ScriptHost, Payload) -> BoxFuture<'static, Result<Completion, Stopped>> + Send + Sync>;

/// Why a script stopped before its end.
#[derive(Debug)]
pub enum Stopped {
    /// The engine's word.
    Halt(Halt),
    /// The script's own trap.
    Trap(String),
}

impl From<Halt> for Stopped {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

/// A script's own trap.
pub fn trap(message: impl Into<String>) -> Stopped {
    Stopped::Trap(message.into())
}

/// Guests whose code is scripts, by digest and workflow name.
#[derive(Clone, Default)]
pub struct ScriptedGuests(Arc<Mutex<BTreeMap<(Digest, String), Script>>>);

impl ScriptedGuests {
    /// No scripts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a workflow, or replaces it.
    pub fn add<F, T>(&self, digest: Digest, workflow: &str, script: F)
    where
        F: Fn(ScriptHost, Payload) -> T + Send + Sync + 'static,
        T: Future<Output = Result<Completion, Stopped>> + Send + 'static,
    {
        self.lock().insert((digest, workflow.to_owned()), boxed(script));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Digest, String), Script>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guests for ScriptedGuests {
    fn open(
        &self,
        digest: Digest,
        _: &'static Profile,
    ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>> {
        let scripts: BTreeMap<String, Script> = self
            .lock()
            .iter()
            .filter(|((of, _), _)| *of == digest)
            .map(|((_, name), script)| (name.clone(), Arc::clone(script)))
            .collect();
        std::future::ready(if scripts.is_empty() {
            Err(OpenError::Unknown(digest))
        } else {
            Ok(Box::new(ScriptedGuest::new(scripts)) as Box<dyn Guest>)
        })
        .boxed()
    }
}

/// A guest that has this one workflow, for whoever decides what executes a run when they see it.
pub fn guest<F, T>(workflow: &str, script: F) -> Box<dyn Guest>
where
    F: Fn(ScriptHost, Payload) -> T + Send + Sync + 'static,
    T: Future<Output = Result<Completion, Stopped>> + Send + 'static,
{
    Box::new(ScriptedGuest::new(BTreeMap::from([(workflow.to_owned(), boxed(script))])))
}

fn boxed<F, T>(script: F) -> Script
where
    F: Fn(ScriptHost, Payload) -> T + Send + Sync + 'static,
    T: Future<Output = Result<Completion, Stopped>> + Send + 'static,
{
    Arc::new(move |host, input| script(host, input).boxed())
}

/// What a run of this workflow began with that nothing is particular about: tests say what is.
///
/// # Panics
/// When the name cannot be an id.
pub fn started(workflow: &str) -> Started {
    let run_id = RunId::from_bytes([7; 16]);
    Started {
        namespace: Namespace::default(),
        workflow_id: WorkflowId::new(workflow).expect("the name is an id"),
        run_id,
        first_run_id: run_id,
        continued_run_id: None,
        workflow: workflow.to_owned(),
        input: Payload::null(),
        component: "scripts".to_owned(),
        version: 1,
        digest: Digest([1; 32]),
        profile: CURRENT.number,
        task_queue: "default".to_owned(),
        attempt: 1,
        at: Timestamp::from_parts(1_700_000_000, 0),
        seed: [0; 32],
        parent: None,
        root: None,
        request_id: None,
        memo: Vec::new(),
        boot: 1,
        lifecycle: Lifecycle::default(),
        parent_op: None,
        forks: Vec::new(),
        surroundings: Surroundings::default(),
    }
}

struct ScriptedGuest {
    scripts: BTreeMap<String, Script>,
    exchange: Exchange,
    code: Option<BoxFuture<'static, (Box<Run>, Stop)>>,
}

impl ScriptedGuest {
    fn new(scripts: BTreeMap<String, Script>) -> Self {
        Self { scripts, exchange: Exchange::default(), code: None }
    }
}

impl Guest for ScriptedGuest {
    fn run(&mut self, run: Box<Run>) -> BoxFuture<'_, (Box<Run>, Stop)> {
        let (scripts, exchange) = (&self.scripts, &self.exchange);
        let code = self.code.get_or_insert_with(|| {
            let script = scripts.get(run.workflow()).cloned();
            execute(script, run.input().clone(), exchange.clone()).boxed()
        });
        async move {
            match exchange.lend(run, code.as_mut()).await {
                Lent::Suspended(run) => (run, Stop::Wait),
                Lent::Ended((run, stop)) => (run, stop),
            }
        }
        .boxed()
    }

    fn resident_bytes(&self) -> usize {
        SCRIPT_BYTES
    }
}

/// What a waiting script is said to take: a script knows no better, and evictions can be tested with it.
const SCRIPT_BYTES: usize = 64 * 1024;

async fn execute(script: Option<Script>, input: Payload, exchange: Exchange) -> (Box<Run>, Stop) {
    let host = ScriptHost { exchange: exchange.clone(), run: Arc::new(Mutex::new(None)) };
    *host.lock() = Some(exchange.receive().await);
    let Some(script) = script else {
        let mut run = host.take();
        let failure = Failure::new(
            FailureKind::Host,
            "not-found",
            format!("the component has no workflow {:?}", run.workflow()),
        );
        let stop = Stop::from(run.returned(Completion::Failed(failure)));
        return (run, stop);
    };
    let ended = script(host.clone(), input).await;
    let mut run = host.take();
    let stop = match ended {
        Ok(completion) => Stop::from(run.returned(completion)),
        Err(Stopped::Halt(halt)) => Stop::from(halt),
        Err(Stopped::Trap(message)) => match run.trapped(&message) {
            Some(mismatch) => Stop::Mismatch(mismatch),
            None => Stop::Trap(Trap { message, backtrace: Vec::new(), stack_overflow: false }),
        },
    };
    (run, stop)
}

/// A script's view of its run: the import calls.
#[derive(Clone)]
pub struct ScriptHost {
    exchange: Exchange,
    run: Arc<Mutex<Option<Box<Run>>>>,
}

impl ScriptHost {
    /// Any call but a wait.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn call(&self, call: Call) -> Result<Reply, Halt> {
        self.lock().as_mut().expect("a script calls while it executes").call(call)
    }

    /// `activity.start`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn activity(&self, command: ActivityCommand) -> Result<Op, Halt> {
        self.op(Command::StartActivity(command))
    }

    /// `timer.start`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn timer(&self, delay: std::time::Duration) -> Result<Op, Halt> {
        self.op(Command::StartTimer { delay, summary: None })
    }

    /// `child.start`. The ops of its start and of its end.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn child(&self, command: ChildCommand) -> Result<(Op, Op), Halt> {
        match self.call(Call::Command(Command::StartChild(Box::new(command))))? {
            Reply::Child { started, finished } => Ok((started, finished)),
            reply => unreachable!("a child's start answers two ops, and it answered {reply:?}"),
        }
    }

    /// `external.signal`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn signal(&self, target: ExecutionRef, name: &str, input: Payload) -> Result<Op, Halt> {
        self.op(Command::Signal { target, name: name.to_owned(), input })
    }

    /// `external.request-cancel`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn request_cancel(&self, target: ExecutionRef, reason: &str) -> Result<Op, Halt> {
        self.op(Command::RequestCancel { target, reason: reason.to_owned() })
    }

    /// `wait.cancel`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn cancel(&self, op: Op, reason: &str) -> Result<(), Halt> {
        self.call(Call::Command(Command::Cancel { op, reason: reason.to_owned() })).map(drop)
    }

    /// `wait.detach`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn detach(&self, op: Op) -> Result<(), Halt> {
        self.call(Call::Command(Command::Detach { op })).map(drop)
    }

    /// `log.write` at level info.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn log(&self, message: &str) -> Result<(), Halt> {
        let note =
            Note::Log { level: crate::call::Level::Info, message: message.to_owned(), fields: Vec::new() };
        self.call(Call::Note(note)).map(drop)
    }

    /// `messages.answer`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn answer(&self, request: u64, outcome: Outcome) -> Result<(), Halt> {
        self.call(Call::Answer { request, outcome }).map(drop)
    }

    /// `messages.accept`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn accept(&self, request: u64) -> Result<(), Halt> {
        self.call(Call::Command(Command::AcceptUpdate { request })).map(drop)
    }

    /// `messages.reject`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn reject(&self, request: u64, reason: Failure) -> Result<(), Halt> {
        self.call(Call::Command(Command::RejectUpdate { request, reason })).map(drop)
    }

    /// `messages.complete`.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn complete(&self, request: u64, outcome: Outcome) -> Result<(), Halt> {
        self.call(Call::Command(Command::CompleteUpdate { request, outcome })).map(drop)
    }

    /// `control.finish`. Goes on in a query's instance alone.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn finish(&self, completion: Completion) -> Result<(), Halt> {
        self.call(Call::Command(Command::Finish(completion))).map(drop)
    }

    /// A read.
    ///
    /// # Errors
    /// When the script must stop.
    pub fn read(&self, read: Read) -> Result<Reply, Halt> {
        self.call(Call::Read(read))
    }

    /// `wait.next`.
    ///
    /// # Errors
    /// When the script must stop.
    pub async fn wait(&self, interest: Interest) -> Result<Vec<Event>, Halt> {
        match self.call(Call::Command(Command::Wait(interest))) {
            Ok(Reply::Events(events)) => Ok(events),
            Ok(reply) => unreachable!("a wait answers events, and it answered {reply:?}"),
            Err(Halt::Wait) => {
                let mut run = self.exchange.suspend(self.take()).await;
                let events = run.take_events();
                *self.lock() = Some(run);
                Ok(events)
            }
            Err(halt) => Err(halt),
        }
    }

    fn op(&self, command: Command) -> Result<Op, Halt> {
        match self.call(Call::Command(command))? {
            Reply::Op(op) => Ok(op),
            reply => unreachable!("a start answers an op, and it answered {reply:?}"),
        }
    }

    fn take(&self) -> Box<Run> {
        self.lock().take().expect("the script has the run while it executes")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Box<Run>>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
