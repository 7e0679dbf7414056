//! The API as its users see it: a whole host in this process, without a socket. Guests are closures.

mod activities;
mod bad_activity_input;
mod bad_input;
mod document;
mod lifecycle;
mod resets;
mod updates;
mod versions;
mod workflows;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use refrain_engine::call::{ActivityCommand, ActivityOptions, Cancellation, Completion, Interest, NextRun};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Digest, Namespace};
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::scripted::{ScriptedGuests, trap};
use refrain_runtime::{NewComponent, Options, Runtime, SystemClock, WorkflowDefinition};
use refrain_sandbox::{Sandbox, SandboxOptions};
use refrain_store::{Blobs, MemoryStore};
use tempfile::TempDir;
use tower::ServiceExt;

use super::guard::Access;
use super::{Host, Settings, app};

/// The largest upload of these tests' host.
const MAX_UPLOAD_BYTES: usize = 1_000;

const DIGEST: Digest = Digest([7; 32]);

/// The workflows of the component `scripts`.
const WORKFLOWS: [&str; 6] = ["echo", "listen", "fail", "trap", "again", "work"];

/// An activity type that this host is said to offer, and does not.
const OFFERED: &str = "offered";

struct Fixture {
    host: Host,
    app: Router,
    _dir: TempDir,
}

/// What came back.
struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_default().to_owned()
    }
}

impl Fixture {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// A host with other options of its runtime.
    async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(dir.path().join("components")).unwrap());
        let options = SandboxOptions { max_instances: Some(1), ..SandboxOptions::default() };
        let sandbox = Sandbox::new(options, Arc::new(|_| Ok(None))).unwrap();
        let team = Namespace::new("team a").unwrap();
        let namespaces = vec![Namespace::default(), team];
        let mut options = Options { namespaces: namespaces.clone(), ..Options::default() };
        change(&mut options);
        let store = Arc::new(MemoryStore::new());
        let runtime = Runtime::start(store, Arc::new(scripts()), Vec::new(), Arc::new(SystemClock), options)
            .await
            .unwrap();
        for namespace in &namespaces {
            runtime.register_component(namespace, "scripts", component()).await.unwrap();
        }
        let access = Access::new("127.0.0.1:7420".parse().unwrap(), Vec::new(), Vec::new(), None);
        let activities = BTreeSet::from([OFFERED.to_owned()]);
        let settings = Settings { namespaces, max_upload_bytes: MAX_UPLOAD_BYTES, activities, access };
        let host = Host::new(runtime, sandbox, blobs, settings);
        Self { app: app(host.clone()), host, _dir: dir }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        send(self.app.clone(), request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, &[], Body::empty())).await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(request(Method::POST, path, &json, Body::from(body.to_owned()))).await
    }

    /// A POST that must be answered 200.
    async fn ask(&self, path: &str, body: serde_json::Value) -> serde_json::Value {
        let answer = self.post(path, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body);
        answer.json()
    }

    /// Starts a run, and waits for its activity's being in this task queue.
    async fn work(&self, id: &str, activity: &str, queue: &str) {
        let backlog = async || self.get(&format!("/v1/task-queues/{queue}")).await.json()["backlog"].as_u64();
        let before = backlog().await;
        let start = serde_json::json!({"workflow": "work", "id": id, "input": [activity, queue]});
        self.start(&start.to_string()).await;
        // The start is answered before the run's first step has come to its activity.
        while backlog().await <= before {
            tokio::task::yield_now().await;
        }
    }

    /// Starts a run that must start, and answers its execution's id.
    async fn start(&self, body: &str) -> String {
        let answer = self.post("/v1/workflows", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.text("id")
    }
}

async fn send(app: Router, request: Request<Body>) -> Answer {
    let response = app.oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:7420");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

/// An id as a segment of a path.
fn segment(id: &str) -> String {
    let mut url = reqwest::Url::parse("http://x").unwrap();
    url.path_segments_mut().unwrap().push(id);
    url.path()[1..].to_owned()
}

fn component() -> NewComponent {
    let workflow = |name: &str| WorkflowDefinition {
        input_schema: Some("{\"type\":  \"object\"}".to_owned()),
        ..WorkflowDefinition::named(name)
    };
    NewComponent {
        digest: DIGEST,
        uploaded_bytes: 10,
        sdk: "closures 1".to_owned(),
        imports: Vec::new(),
        workflows: WORKFLOWS.map(workflow).to_vec(),
    }
}

fn scripts() -> ScriptedGuests {
    let scripts = ScriptedGuests::new();
    versions::add_scripts(&scripts);
    scripts.add(DIGEST, "echo", |_, input| async move { Ok(Completion::Completed(input)) });
    scripts.add(DIGEST, "listen", |host, _| async move {
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Signal { input, .. } => return Ok(Completion::Completed(input)),
                    Event::CancelRequested { .. } => return Ok(Completion::Canceled(None)),
                    Event::Query { request, name, input } => {
                        let no = |name| {
                            Failure::new(FailureKind::Application, "NoSuchQuery", format!("no {name}"))
                        };
                        match name.as_str() {
                            "echo" => host.answer(request, Outcome::Completed(input))?,
                            "start" => drop(host.timer(Duration::from_secs(1))?),
                            "silent" => {}
                            name => host.answer(request, Outcome::Failed(no(name)))?,
                        }
                    }
                    Event::Update { request, name, input, .. } => {
                        let late = || Failure::new(FailureKind::Application, "TooLate", "the order was sent");
                        match name.as_str() {
                            "refuse" => host.reject(request, late())?,
                            "hold" => host.accept(request)?,
                            "echo" | "fail" => {
                                host.accept(request)?;
                                let failed = name == "fail";
                                let outcome =
                                    if failed { Outcome::Failed(late()) } else { Outcome::Completed(input) };
                                host.complete(request, outcome)?;
                            }
                            _ => {}
                        }
                    }
                    Event::Finished { .. } => {}
                }
            }
        }
    });
    scripts.add(DIGEST, "fail", |_, _| async move {
        let cause = Failure::new(FailureKind::Application, "Io", "connection refused");
        let failure = Failure::new(FailureKind::Application, "Backup", "stop container abc").caused_by(cause);
        Ok(Completion::Failed(failure))
    });
    scripts.add(DIGEST, "trap", |_, _| async move { Err(trap("unreachable executed")) });
    scripts.add(DIGEST, "work", |host, input| async move {
        // The argument names the activity and its task queue.
        let [name, queue]: [String; 2] = serde_json::from_slice(&input.data).unwrap();
        let hour = Some(Duration::from_secs(3_600));
        let options = ActivityOptions {
            task_queue: Some(queue),
            start_to_close: hour,
            heartbeat: hour,
            cancellation: Cancellation::WaitForCancellation,
            priority: Some(2),
            ..ActivityOptions::default()
        };
        let input = Payload::json("{\"amount\":  7}");
        let op = host.activity(ActivityCommand { name, input, options })?;
        loop {
            for event in host.wait(Interest::Everything).await? {
                match event {
                    Event::Finished { outcome: Outcome::Completed(result), .. } => {
                        return Ok(Completion::Completed(result));
                    }
                    Event::Finished { outcome: Outcome::Failed(failure), .. } => {
                        return Ok(Completion::Failed(failure));
                    }
                    Event::CancelRequested { reason } => host.cancel(op, &reason)?,
                    Event::Signal { .. } | Event::Update { .. } | Event::Query { .. } => {}
                }
            }
        }
    });
    scripts.add(DIGEST, "again", |_, input| async move {
        if &input.data[..] == b"0" {
            return Ok(Completion::Completed(Payload::json("\"done\"")));
        }
        let next = NextRun::with_input(Payload::json("0"));
        Ok(Completion::ContinueAsNew(next))
    });
    scripts
}
