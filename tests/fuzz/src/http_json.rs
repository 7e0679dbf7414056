//! Requests to the API: whatever stands in them, the answer is the API's own, and the host goes on.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use refrain::api::guard::Access;
use refrain::api::problem::PROBLEM_JSON;
use refrain::api::{Host, Settings, app};
use refrain_engine::call::{ActivityCommand, ActivityOptions, Completion, Interest};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::Namespace;
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::scripted::{ScriptHost, ScriptedGuests, Stopped};
use refrain_runtime::{Entropy, Options, Runtime};
use refrain_sandbox::{Sandbox, SandboxOptions};
use refrain_store::{Blobs, MemoryStore};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::{draw, world};

/// What stands between two requests.
const BETWEEN: &str = "\n---\n";

/// What stands for the token of the task that a worker has here.
const TOKEN: &str = "{token}";

/// The workflow types here: one that answers all messages, and one that waits for an activity of workers.
const WORKFLOWS: [&str; 2] = ["listen", "work"];

/// The largest upload: what is in one is another target's.
const MAX_UPLOAD_BYTES: usize = 100;

/// The longest that an answer takes: three times what a request may wait.
const ANSWERED_WITHIN: Duration = Duration::from_secs(3 * 60);

/// Sends the requests that the bytes are, `METHOD PATH` and a body; or the bytes as the body of each request that has one.
pub fn http_json(data: &[u8]) {
    world::run(async {
        let client = Client::new().await;
        match std::str::from_utf8(data).ok().filter(|text| request_line(text).is_some()) {
            Some(text) => {
                for request in text.split(BETWEEN) {
                    let Some((method, path, body)) = request_line(request) else { continue };
                    let body = body.replace(TOKEN, &client.token);
                    client.ask(method, path, body.into()).await;
                }
            }
            None => {
                for path in &*ROUTES {
                    client.ask(Method::POST, path, Bytes::copy_from_slice(data)).await;
                }
            }
        }
        client.look().await;
    });
}

/// The method, the path and the body of a request.
fn request_line(text: &str) -> Option<(Method, &str, &str)> {
    let (line, body) = text.split_once('\n').unwrap_or((text, ""));
    let (method, path) = line.split_once(' ')?;
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    path.starts_with('/').then_some((method, path, body))
}

/// The paths that take a JSON body, as the API's own document has them.
static ROUTES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(refrain::api::openapi::text()).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("the document has paths");
    let takes_json = |item: &Value| item["post"]["requestBody"]["content"]["application/json"].is_object();
    let routes: Vec<String> =
        paths.iter().filter(|(_, item)| takes_json(item)).map(|(path, _)| filled(path)).collect();
    assert!(routes.len() > 50, "only {} routes take JSON", routes.len());
    routes
});

/// A path about what there is here.
fn filled(path: &str) -> String {
    let component = if path.contains("/components/") { "c" } else { "go" };
    let id = if path.contains("/activities/") { WORKFLOWS[1] } else { WORKFLOWS[0] };
    let values = [
        ("{namespace}", Namespace::DEFAULT),
        ("{id}", id),
        ("{activity_id}", "1"),
        ("{name}", component),
        ("{version}", "1"),
        ("{update}", "u"),
        ("{queue}", "q"),
    ];
    let path = values.iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    assert!(!path.contains('{'), "{path} has a parameter that is not known here");
    path
}

/// What a host needs and keeps for its life, one for all inputs.
static PARTS: LazyLock<(Sandbox, Arc<Blobs>, TempDir)> = LazyLock::new(|| {
    let options = SandboxOptions { max_instances: Some(1), ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options, Arc::new(|_| Ok(None))).expect("a sandbox");
    let dir = tempfile::tempdir().expect("a directory");
    let blobs = Blobs::open(dir.path().join("components")).expect("a directory for components");
    (sandbox, Arc::new(blobs), dir)
});

/// What came back: status, content type and body.
struct Answer(StatusCode, String, Bytes);

/// A host with a run of each workflow, of which a worker has the activity.
struct Client {
    host: Host,
    /// The host's API. To make one takes longer than to ask it.
    api: Box<dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, Answer>>,
    token: String,
}

fn api(host: &Host) -> Box<dyn Fn(Request<Full<Bytes>>) -> BoxFuture<'static, Answer>> {
    let app = app(host.clone());
    Box::new(move |request| {
        let app = app.clone();
        async move {
            let (parts, body) = app.oneshot(request).await.expect("an answer").into_parts();
            let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok());
            let body = body.collect().await.expect("a body that does not break off");
            Answer(parts.status, kind.unwrap_or_default().to_owned(), body.to_bytes())
        }
        .boxed()
    })
}

impl Client {
    async fn new() -> Self {
        let guests = ScriptedGuests::new();
        guests.add(draw::CODE, WORKFLOWS[0], listen);
        guests.add(draw::CODE, WORKFLOWS[1], work);
        let options = Options { entropy: Entropy::seeded(1), ..Options::default() };
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(world::clock()));
        let runtime =
            Runtime::start(store, Arc::new(guests), Vec::new(), clock, options).await.expect("a host");
        let namespace = Namespace::default();
        let component = world::component(&WORKFLOWS);
        runtime.register_component(&namespace, "c", component).await.expect("a component");
        let access = Access::new(([127, 0, 0, 1], 7420).into(), Vec::new(), Vec::new(), None);
        let (namespaces, activities) = (vec![namespace], BTreeSet::new());
        let settings = Settings { namespaces, max_upload_bytes: MAX_UPLOAD_BYTES, activities, access };
        let (sandbox, blobs, _) = &*PARTS;
        let host = Host::new(runtime, sandbox.clone(), blobs.clone(), settings);
        let mut client = Self { api: api(&host), host, token: String::new() };
        for workflow in WORKFLOWS {
            let start = json!({"workflow": workflow, "id": workflow, "input": 1});
            client.ask(Method::POST, "/v1/workflows", start.to_string().into()).await;
        }
        let poll = json!({"worker": "w", "poll_id": "p", "wait": "60s"}).to_string();
        let (_, task) = client.ask(Method::POST, "/v1/task-queues/q/poll", poll.into()).await;
        client.token =
            task["task"]["task_token"].as_str().or(task["task_token"].as_str()).expect("a task").to_owned();
        client
    }

    /// Sends a request, and sees that the answer is one of the API.
    async fn ask(&self, method: Method, path: &str, body: Bytes) -> (StatusCode, Value) {
        let shown = format!("{method} {path} {}", String::from_utf8_lossy(&body));
        let request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("host", "127.0.0.1:7420")
            .header("content-type", "application/json")
            .body(Full::new(body));
        // What is no request at all never gets to the host.
        let Ok(request) = request else { return (StatusCode::BAD_REQUEST, Value::Null) };
        let answered = timeout(ANSWERED_WITHIN, (self.api)(request)).await;
        let Answer(status, kind, body) = answered.unwrap_or_else(|_| panic!("no answer to {shown}"));
        let text = String::from_utf8_lossy(&body);
        assert!(status.is_success() || status.is_client_error(), "{shown}: {status} {text}");
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        // The answer to HEAD is that to GET, without its body.
        if status.is_client_error() && method != Method::HEAD {
            assert_eq!(kind, PROBLEM_JSON, "{shown}: {status} {text}");
            assert_eq!(value["status"], status.as_u16(), "{shown}: {text}");
            for field in ["type", "title", "detail", "hint"] {
                assert!(
                    value[field].as_str().is_some_and(|said| !said.is_empty()),
                    "{shown}: no {field} in {text}"
                );
            }
        } else if kind == "application/json" && method != Method::HEAD {
            // As JSON that nobody looks into: a value that is nested deeper than readers of it go is one all the same.
            assert!(serde_json::from_slice::<&RawValue>(&body).is_ok(), "{shown}: {text} is no JSON");
        }
        (status, value)
    }

    /// Looks at all that there is: it can be shown, whatever was done to it.
    async fn look(&self) {
        let get = async |path: &str| self.ask(Method::GET, path, Bytes::new()).await;
        assert_eq!(get("/readyz").await.0, StatusCode::OK);
        for path in ["components", "components/c/versions", "task-queues"] {
            get(&format!("/v1/{path}")).await;
        }
        let (_, list) = get("/v1/workflows").await;
        for run in list["workflows"].as_array().into_iter().flatten() {
            let Some(id) = run["id"].as_str() else { continue };
            for more in ["", "/history", "/export", "/result"] {
                get(&format!("/v1/workflows/{}{more}", percent_encoded(id))).await;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.host.close();
    }
}

/// An id as a segment of a path.
fn percent_encoded(id: &str) -> String {
    id.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Answers all messages, and ends at the signal `end`.
async fn listen(host: ScriptHost, _: Payload) -> Result<Completion, Stopped> {
    let refused = || Failure::new(FailureKind::Application, "Refused", "no");
    loop {
        for event in host.wait(Interest::Everything).await? {
            match event {
                Event::Signal { name, input } if name == "end" => return Ok(Completion::Completed(input)),
                Event::Signal { .. } => drop(host.timer(Duration::from_secs(1))?),
                Event::CancelRequested { .. } => return Ok(Completion::Canceled(None)),
                Event::Query { request, name, input } if name == "go" => {
                    host.answer(request, Outcome::Completed(input))?;
                }
                Event::Query { request, .. } => host.answer(request, Outcome::Failed(refused()))?,
                Event::Update { request, name, input, .. } if name == "go" => {
                    host.accept(request)?;
                    host.complete(request, Outcome::Completed(input))?;
                }
                Event::Update { request, .. } => host.reject(request, refused())?,
                Event::Finished { .. } => {}
            }
        }
    }
}

/// Waits for its activity.
async fn work(host: ScriptHost, input: Payload) -> Result<Completion, Stopped> {
    let hour = Some(Duration::from_secs(60 * 60));
    let options = ActivityOptions {
        task_queue: Some("q".to_owned()),
        start_to_close: hour,
        schedule_to_close: hour,
        ..ActivityOptions::default()
    };
    let op = host.activity(ActivityCommand { name: "outside".to_owned(), input, options })?;
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
}
