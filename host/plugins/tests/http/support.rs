//! A server that answers as it is told and keeps what it got, and calls of the activity as a host makes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use refrain_plugin::{ActivityError, Context, ContextParts, Kind, Payload, Plugin};
use refrain_plugins::http::{HttpConfig, HttpPlugin};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// As in `GET /path?query`.
    pub(crate) line: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What a server does with a request: answers with these bytes, or with `None` not at all, and keeps the connection.
type Answer = dyn Fn(&Received) -> Option<Vec<u8>> + Send + Sync;

/// A server on a port of its own. Lives as long as the test's runtime.
pub(crate) struct Server {
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    arrivals: mpsc::UnboundedReceiver<Event>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A request is there.
    Request,
    /// The client has closed the connection.
    Closed,
}

impl Server {
    pub(crate) async fn new(answer: impl Fn(&Received) -> Option<Vec<u8>> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::default());
        let (sender, arrivals) = mpsc::unbounded_channel();
        let (answer, kept): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&received));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&answer), Arc::clone(&kept), sender.clone()));
            }
        });
        Server { port, received, arrivals }
    }

    /// Gives each request this answer.
    pub(crate) async fn answering(answer: impl AsRef<[u8]>) -> Server {
        let answer = answer.as_ref().to_vec();
        Server::new(move |_| Some(answer.clone())).await
    }

    /// Takes requests and says nothing.
    pub(crate) async fn silent() -> Server {
        Server::new(|_| None).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The same place by another name, which makes it another origin.
    pub(crate) fn url_by_name(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for the next thing that happens to the server.
    pub(crate) async fn event(&mut self) -> Event {
        self.arrivals.recv().await.unwrap()
    }

    /// A plugin that may reach this server by its address.
    pub(crate) fn plugin(&self) -> HttpPlugin {
        plugin(&[&format!("http://127.0.0.1:{}", self.port)], &[])
    }

    /// What the activity makes of the request for `/` with these other fields.
    pub(crate) async fn ask(&self, fields: Value) -> Result<Value, ActivityError> {
        call(&self.plugin(), self.input(fields)).await
    }

    /// The input for a request for `/` with these other fields.
    #[expect(clippy::needless_pass_by_value, reason = "a call reads best with its JSON in place")]
    pub(crate) fn input(&self, fields: Value) -> Value {
        let mut input = serde_json::json!({"url": self.url("/")});
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        input
    }
}

async fn serve(
    connection: impl AsyncRead + AsyncWrite,
    answer: Arc<Answer>,
    received: Arc<Mutex<Vec<Received>>>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut connection = std::pin::pin!(connection);
    if let Some(request) = read_request(&mut connection).await {
        let bytes = answer(&request);
        received.lock().unwrap().push(request);
        let _ = events.send(Event::Request);
        match bytes {
            Some(bytes) => {
                let _ = connection.write_all(&bytes).await;
                let _ = connection.shutdown().await;
            }
            None => {
                let _ = connection.read_to_end(&mut Vec::new()).await;
            }
        }
    }
    let _ = events.send(Event::Closed);
}

/// A request whose body, if it has one, comes with its length.
pub(crate) async fn read_request(connection: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let mut lines = text.split("\r\n");
    let line = lines.next()?.strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let line: &mut String = headers.entry(name.to_ascii_lowercase()).or_default();
        *line = if line.is_empty() { value.to_owned() } else { format!("{line}, {value}") };
    }
    let length = headers.get("content-length").map_or(0, |length: &String| length.parse().unwrap());
    while bytes.len() < head + 4 + length {
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received { line, headers, body: String::from_utf8_lossy(&bytes[head + 4..]).into_owned() })
}

/// A response with its length. `head` is the status and what else stands before the body.
pub(crate) fn response(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn redirect(status: u16, location: &str) -> Vec<u8> {
    response(&format!("{status} Elsewhere\r\nlocation: {location}"), "")
}

pub(crate) fn plugin(allowed_hosts: &[&str], allow_private: &[&str]) -> HttpPlugin {
    let owned = |entries: &[&str]| entries.iter().map(|&entry| entry.to_owned()).collect();
    let config = HttpConfig {
        allowed_hosts: owned(allowed_hosts),
        allow_private: owned(allow_private),
        ..HttpConfig::default()
    };
    HttpPlugin::new(&config).unwrap()
}

pub(crate) async fn call(plugin: &HttpPlugin, input: Value) -> Result<Value, ActivityError> {
    call_with(plugin, ContextParts::detached("http.request"), input).await
}

pub(crate) async fn call_with(
    plugin: &HttpPlugin,
    parts: ContextParts,
    input: Value,
) -> Result<Value, ActivityError> {
    let output = call_raw(plugin, parts, Payload::json(&input).unwrap()).await?;
    Ok(output.parse().unwrap())
}

pub(crate) async fn call_raw(
    plugin: &HttpPlugin,
    parts: ContextParts,
    input: Payload,
) -> Result<Payload, ActivityError> {
    let activities = plugin.activities();
    let activity = activities.iter().find(|activity| activity.name() == parts.activity).unwrap();
    assert_eq!(activity.kind(), Kind::Async, "a request waits without a thread");
    activity.call(Context::new(parts), input).await
}

/// The error is of this type, is retried or not, and has this text in its message.
#[track_caller]
pub(crate) fn assert_error(
    result: &Result<Value, ActivityError>,
    error_type: &str,
    is_retryable: bool,
    text: &str,
) {
    let error = result.as_ref().expect_err("the request fails");
    assert_eq!(error.error_type, error_type, "{error}");
    assert_eq!(!error.non_retryable, is_retryable, "{error}");
    assert!(error.to_string().contains(text), "{error}\nexpected: {text}");
}
