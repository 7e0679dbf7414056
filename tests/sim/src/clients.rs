//! Who talks to a host: what clients want is drawn beforehand, with its time, and asked of each life until one has
//! answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use refrain_engine::ids::{Digest, Namespace, RunId, WorkflowId};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
use refrain_runtime::{
    Clock, Consistency, Error, ErrorKind, MoveTo, NewComponent, QueryRequest, ResetChildren, ResetWorkflow,
    Runtime, SendSignal, SendUpdate, StartWorkflow, Target, WaitStage,
};

use crate::actor::{Part, STOP, WORKFLOW};
use crate::clock::{BEGINNING, SimClock};
use crate::code::COMPONENT;
use crate::options::Options;
use crate::random::Random;
use crate::trace::{Event, Trace};

/// What a client wants of an execution.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// A run that plays this part.
    Start(u64),
    /// A signal; its input is the request's number.
    Signal {
        /// Which.
        name: &'static str,
        /// Asked again after a crash, as the same request.
        again: bool,
    },
    /// An update that is followed to its answer.
    Update,
    /// A question.
    Query,
    /// A cancel request.
    Cancel,
    /// Its end.
    Terminate,
    /// No steps.
    Pause,
    /// Steps again.
    Unpause,
    /// Another run from the first step that can be.
    Reset,
    /// Who it is.
    Describe,
    /// A version of the component, with this code, which new runs have from then on.
    Push(Digest),
    /// This code, from the next step on.
    Move(Digest),
}

/// One request of one client.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Numbers requests.
    pub number: usize,
    /// The execution's id.
    pub id: String,
    /// What.
    pub want: Want,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is done; with the run that a start or a reset made, or that was moved.
    Done(Option<RunId>),
    /// The update came so far and was answered so.
    Updated(String),
    /// It is refused, for this reason, for good.
    Refused(String),
    /// The host failed before it answered: nobody knows.
    Unknown(String),
}

/// All that clients want in a simulation.
#[derive(Clone)]
pub struct Clients {
    open: Arc<Mutex<BTreeMap<usize, (Timestamp, Request)>>>,
    versions: Arc<[NewComponent]>,
    trace: Trace,
}

impl Clients {
    /// Draws what clients want. What they want of versions is drawn beside the rest.
    pub fn draw(seed: u64, options: &Options, versions: &[NewComponent], trace: Trace) -> Self {
        let within = options.within;
        let (random, versed) = (&mut Random::new(seed, "clients"), &mut Random::new(seed, "versions"));
        let mut open = BTreeMap::new();
        for execution in 0..options.executions {
            let begin = random.below(within.as_millis() as u64);
            let id = format!("w{execution}");
            let mut add = |at: u64, want: Want| {
                let number = open.len();
                let at = BEGINNING.after(Duration::from_millis(at));
                open.insert(number, (at, Request { number, id: id.clone(), want }));
            };
            add(begin, Want::Start(random.next() >> 16));
            for _ in 0..random.below(8) {
                // Many at once in the beginning, where most happens.
                let spread = *random.pick(&[10, 1_000, 60_000, within.as_millis() as u64]);
                let at = begin + random.below(spread);
                match random.below(16) {
                    0..=4 => add(at, Want::Signal { name: "ping", again: true }),
                    5 => add(at, Want::Signal { name: "ping", again: false }),
                    6 => add(at, Want::Signal { name: STOP, again: true }),
                    7..=9 => add(at, Want::Update),
                    10 => add(at, Want::Query),
                    11 => add(at, Want::Cancel),
                    12 => add(at, if random.percent(50) { Want::Terminate } else { Want::Cancel }),
                    13 => {
                        add(at, Want::Pause);
                        add(at + random.below(100_000), Want::Unpause);
                    }
                    14 => add(at, Want::Reset),
                    _ => add(at, Want::Describe),
                }
            }
            for version in &versions[1..] {
                add(versed.below(begin + 1), Want::Push(version.digest));
            }
            let moves = if versions.len() > 1 { versed.below(4) } else { 0 };
            for _ in 0..moves {
                let spread = *versed.pick(&[10, 1_000, 60_000, within.as_millis() as u64]);
                add(begin + versed.below(spread), Want::Move(versed.pick(versions).digest));
            }
        }
        Self { open: Arc::new(Mutex::new(open)), versions: versions.into(), trace }
    }

    /// Asks this host, each request at its time, until it fails.
    pub fn ask(&self, runtime: &Runtime, clock: &SimClock) {
        let open: Vec<_> = self.open.lock().expect("sound").values().cloned().collect();
        for (at, request) in open {
            let (clients, runtime, clock) = (self.clone(), runtime.clone(), clock.clone());
            tokio::spawn(async move {
                clock.sleep_until(at).await;
                clients.trace.record(clock.now(), Event::Asked(request.clone()));
                let answer = match ask(&runtime, &request, &clients.versions).await {
                    Ok(answer) => answer,
                    Err(error) if is_unknown(&error) => Answer::Unknown(error.to_string()),
                    Err(error) => Answer::Refused(error.to_string()),
                };
                let unknown = matches!(answer, Answer::Unknown(_));
                if !unknown || request.want == (Want::Signal { name: "ping", again: false }) {
                    clients.open.lock().expect("sound").remove(&request.number);
                }
                clients.trace.record(clock.now(), Event::Told(request, answer));
            });
        }
    }

    /// Requests that nobody has answered.
    pub fn left(&self) -> usize {
        self.open.lock().expect("sound").len()
    }

    /// A request without a key that was under way at a crash is not asked again: it might be done twice.
    pub fn forget_asked_once(&self) {
        let asked: Vec<usize> = self
            .trace
            .entries()
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Asked(Request { number, want: Want::Signal { again: false, .. }, .. }) => {
                    Some(*number)
                }
                _ => None,
            })
            .collect();
        self.open.lock().expect("sound").retain(|number, _| !asked.contains(number));
    }
}

/// Whether an error leaves open what became of a request.
fn is_unknown(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Internal)
}

async fn ask(runtime: &Runtime, request: &Request, versions: &[NewComponent]) -> Result<Answer, Error> {
    let namespace = Namespace::default();
    let workflow_id = WorkflowId::new(request.id.clone()).expect("a name");
    let target = Target { workflow_id: workflow_id.clone(), run_id: None };
    let request_id = format!("request {}", request.number);
    match &request.want {
        Want::Start(seed) => {
            let part = Part { seed: *seed, generation: 0, depth: 2 };
            let start = StartWorkflow {
                id: Some(workflow_id),
                request_id: Some(request_id),
                ..StartWorkflow::new(WORKFLOW, part.payload())
            };
            let started = runtime.start_workflow(&namespace, start).await?;
            Ok(Answer::Done(Some(started.run_id)))
        }
        Want::Signal { name, again } => {
            let signal = SendSignal {
                name: (*name).to_owned(),
                input: Payload::json(request.number.to_string()),
                request_id: again.then_some(request_id),
            };
            runtime.signal(&namespace, &target, signal.clone()).await?;
            if *again && request.number.is_multiple_of(3) {
                // As a client does that has not heard the answer. By now the run may have ended.
                let _said_already = runtime.signal(&namespace, &target, signal).await;
            }
            Ok(Answer::Done(None))
        }
        Want::Update => {
            let update = SendUpdate {
                update_id: request_id.clone(),
                name: "change".to_owned(),
                input: Payload::json(request.number.to_string()),
            };
            runtime.update(&namespace, &target, update).await?;
            let wait = Duration::from_secs(30);
            let progress =
                runtime.update_progress(&namespace, &target, &request_id, WaitStage::Completed, wait).await?;
            Ok(Answer::Updated(format!("{:?}", progress.status)))
        }
        Want::Query => {
            let query = QueryRequest {
                name: "seen".to_owned(),
                input: Payload::null(),
                consistency: Consistency::Latest,
                at: None,
            };
            runtime.query(&namespace, &target, query).await?;
            Ok(Answer::Done(None))
        }
        Want::Cancel => {
            runtime.cancel(&namespace, &target, "drawn".to_owned()).await?;
            Ok(Answer::Done(None))
        }
        Want::Terminate => {
            runtime.terminate(&namespace, &target, "drawn".to_owned()).await?;
            Ok(Answer::Done(None))
        }
        Want::Pause => {
            runtime.pause(&namespace, &target, "drawn".to_owned()).await?;
            Ok(Answer::Done(None))
        }
        Want::Unpause => {
            runtime.unpause(&namespace, &target).await?;
            Ok(Answer::Done(None))
        }
        Want::Reset => {
            let page = runtime.history(&namespace, &target, 0, Duration::ZERO, false).await?;
            let Some(event) = page.events.get(page.events.len() / 2) else { return Ok(Answer::Done(None)) };
            let reset = ResetWorkflow {
                event: event.number,
                reason: "drawn".to_owned(),
                exclude_signals: false,
                children: ResetChildren::default(),
                request_id: Some(request_id),
            };
            let made = runtime.reset(&namespace, &target, reset).await?;
            Ok(Answer::Done(Some(made.run_id)))
        }
        Want::Describe => {
            runtime.describe(&namespace, &target).await?;
            Ok(Answer::Done(None))
        }
        Want::Push(code) => {
            let version =
                versions.iter().find(|version| version.digest == *code).expect("it was drawn of them");
            runtime.register_component(&namespace, COMPONENT, version.clone()).await?;
            Ok(Answer::Done(None))
        }
        Want::Move(code) => {
            let to = MoveTo::Code(*code);
            let moved = runtime.move_run(&namespace, &target, to, "drawn".to_owned()).await?;
            Ok(Answer::Done(moved.moved.then_some(moved.run_id)))
        }
    }
}
