//! The scripted host. A test takes one request after the other and says what becomes of it, so that nothing depends
//! on how long anything takes.

use std::future::Future;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use refrain_plugin::{Activity, Plugin};
use refrain_worker::{Error, Worker, WorkerBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a test waits for a request before it says that none came.
const PATIENCE: Duration = Duration::from_secs(3600);
/// The same in a test that waits in real time.
const REAL_PATIENCE: Duration = Duration::from_secs(60);

/// The host's side.
pub(crate) struct Host {
    pub(crate) address: String,
    requests: mpsc::UnboundedReceiver<Asked>,
}

/// A request that waits for its answer.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
    reply: oneshot::Sender<Reply>,
}

enum Reply {
    Answer(u16, String),
    Close,
}

impl Host {
    pub(crate) async fn start() -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let sender = sender.clone();
                let service = service_fn(move |request| answer(request, sender.clone()));
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                // It ends with an error where a test closes it.
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Host { address, requests }
    }

    /// The next request, whatever it is.
    pub(crate) async fn next(&mut self) -> Asked {
        let request = tokio::time::timeout(PATIENCE.min(REAL_PATIENCE), self.requests.recv()).await;
        request.expect("a request comes").expect("the host runs")
    }

    /// The next request, which must be a poll.
    pub(crate) async fn poll(&mut self) -> Asked {
        let asked = self.next().await;
        assert!(asked.path.ends_with("/poll"), "a poll is expected, {} {} came", asked.path, asked.body);
        asked
    }

    /// The next request, which must be this one about an activity.
    pub(crate) async fn report(&mut self, verb: &str) -> Asked {
        let asked = self.next().await;
        assert_eq!(asked.path, format!("/v1/activities/{verb}"), "{}", asked.body);
        asked
    }
}

impl Asked {
    pub(crate) fn poll_id(&self) -> String {
        self.body["poll_id"].as_str().unwrap().to_owned()
    }

    /// Answers with success.
    pub(crate) fn ok(self, body: &Value) {
        self.answer(200, &body.to_string());
    }

    /// Answers a poll: nothing came.
    pub(crate) fn nothing(self) {
        self.answer(204, "");
    }

    /// Answers with a problem.
    pub(crate) fn problem(self, status: u16, detail: &str) {
        self.answer(status, &json!({"detail": detail, "hint": "a hint"}).to_string());
    }

    /// Closes the connection in place of an answer.
    pub(crate) fn close(self) {
        self.send(Reply::Close);
    }

    fn answer(self, status: u16, body: &str) {
        self.send(Reply::Answer(status, body.to_owned()));
    }

    fn send(self, reply: Reply) {
        // An error says that the worker has hung up.
        let _ = self.reply.send(reply);
    }
}

async fn answer(
    request: Request<Incoming>,
    requests: mpsc::UnboundedSender<Asked>,
) -> io::Result<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    let authorization = header("authorization");
    let body = request.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let body = serde_json::from_slice(&body).unwrap();
    let (reply, answer) = oneshot::channel();
    // A test that is over leaves requests unanswered.
    let _ = requests.send(Asked { path, authorization, body, reply });
    match answer.await {
        Ok(Reply::Answer(status, body)) => Ok(Response::builder()
            .status(status)
            .header(CONTENT_TYPE, "application/json")
            .header(RETRY_AFTER, "0")
            .body(Full::from(body))
            .unwrap()),
        Ok(Reply::Close) | Err(_) => Err(io::Error::other("closed by the test")),
    }
}

/// A task for this activity, as a host gives it out.
pub(crate) fn task(token: &str, activity: &str, input: &Value) -> Value {
    json!({
        "task_token": token, "activity": activity, "input": input, "attempt": 3, "workflow_id": "order-1",
        "run_id": "run-1", "activity_id": "7", "workflow": "order", "task_queue": "gpu", "namespace": "default",
        "idempotency_key": "run-1/7", "scheduled_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:00:01Z",
        "priority": 3,
    })
}

/// A task with more fields.
pub(crate) fn task_with(token: &str, activity: &str, input: &Value, more: &Value) -> Value {
    let mut task = task(token, activity, input);
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

/// A plugin of these activities.
pub(crate) struct Offers(pub(crate) Vec<Activity>);

impl Plugin for Offers {
    fn name(&self) -> &str {
        "test"
    }

    fn activities(&self) -> Vec<Activity> {
        self.0.clone()
    }
}

/// A worker of the task queue `gpu` with one slot.
pub(crate) fn worker(host: &Host, activities: Vec<Activity>) -> WorkerBuilder {
    Worker::builder(&host.address).task_queue("gpu").identity("w").slots(1).plugin(Offers(activities))
}

/// A worker that runs.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    worker: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) fn start(builder: WorkerBuilder) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = builder.build().unwrap();
        let worker = tokio::spawn(worker.run_until(async move { drop(stopped.await) }));
        Running { stop: Some(stop), worker }
    }

    /// Tells it to stop.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> Result<(), Error> {
        self.worker.await.unwrap()
    }

    /// Stops a worker that has a poll at the host.
    pub(crate) async fn stop_with(mut self, host: &mut Host, waiting: Asked) {
        self.stop();
        let farewell = host.poll().await;
        assert_eq!(farewell.poll_id(), waiting.poll_id());
        farewell.nothing();
        self.ended().await.unwrap();
    }
}

/// Runs a test whose clock moves by `advance` alone. (Tokio's paused clock would jump to the next timer whenever all
/// wait for the network; it does not while a blocking task runs.)
pub(crate) fn with_stopped_clock(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (release, released) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        // When nothing has happened for that long, the clock jumps, and whoever waits says so.
        tokio::task::spawn_blocking(move || released.recv_timeout(REAL_PATIENCE));
        test.await;
    });
    drop(release);
}
