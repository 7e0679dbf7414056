//! A shop for the example `order-saga`: inventory, payments and shipping in one small process, in memory.
//!
//! Like the services that it stands for, it tells repeated requests by their `Idempotency-Key`. Unlike them, it fails
//! when it is told to (`POST /faults`), says when a request hangs (`GET /silent/...`), and opens its books
//! (`GET /ledger`).

#![expect(clippy::print_stdout, reason = "where it listens is what it has to say")]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

mod books;
mod faults;

use books::{Books, Refusal, Request, Step};
use faults::{Fault, Faults, How};

/// What is on the shelves.
const STOCK: [(&str, u32); 2] = [("teapot", 10), ("kettle", 5)];

/// Who buys, and what is on their cards, in cents.
const CUSTOMERS: [(&str, u64); 2] = [("ada", 100_000), ("charles", 500)];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listen on a free port")?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(Shop::open())).await.context("serve")
}

/// All routes.
fn app(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/{what}/{order}", any(handle))
        .route("/faults", post(fault))
        .route("/silent/{step}/{order}", get(silent))
        .route("/ledger", get(ledger))
        .with_state(shop)
}

struct Shop {
    inner: Mutex<Inner>,
    /// The requests that have had their effect and are not answered, as order and step.
    silent: watch::Sender<Vec<(String, Step)>>,
    opened: Instant,
}

struct Inner {
    books: Books,
    faults: Faults,
    log: Vec<Logged>,
}

/// A request that came, whatever became of it.
#[derive(Debug, Serialize)]
struct Logged {
    order: String,
    step: Step,
    key: String,
    /// What it was answered; nothing if it was not.
    status: Option<u16>,
    /// Milliseconds since the shop was opened.
    at_ms: u128,
}

impl Shop {
    fn open() -> Arc<Self> {
        let books = Books::open(&STOCK, &CUSTOMERS);
        let inner = Inner { books, faults: Faults::default(), log: Vec::new() };
        Arc::new(Self { inner: Mutex::new(inner), silent: watch::Sender::default(), opened: Instant::now() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in the middle of a change would leave books that do not add up, which whoever looks at them finds.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is asked and says what to answer; `None` if it is not to be answered.
    fn serve(&self, key: &str, order: &str, request: Request) -> Option<Answer> {
        let step = request.step();
        let mut inner = self.lock();
        let fault = inner.faults.take(order, step);
        let answer = match &fault {
            Some(How::Refuse { status, retry_after }) => Answer {
                retry_after: *retry_after,
                ..Answer::refused(&Refusal::new(*status, "out of order, as told"))
            },
            None | Some(How::Silence) => Answer::of(inner.books.handle(key, order, request)),
        };
        let answer = (fault != Some(How::Silence)).then_some(answer);
        inner.log.push(Logged {
            order: order.to_owned(),
            step,
            key: key.to_owned(),
            status: answer.as_ref().map(|answer| answer.status.as_u16()),
            at_ms: self.opened.elapsed().as_millis(),
        });
        if answer.is_none() {
            self.silent.send_modify(|silent| silent.push((order.to_owned(), step)));
        }
        answer
    }
}

/// `PUT` and `DELETE` of an order's reservation, charge and shipment.
async fn handle(
    State(shop): State<Arc<Shop>>,
    method: Method,
    Path((what, order)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let request = match read(&method, &what, &body) {
        Ok(request) => request,
        Err(refusal) => return Answer::refused(&refusal),
    };
    let Some(key) = headers.get("idempotency-key").and_then(|key| key.to_str().ok()) else {
        return Answer::refused(&Refusal::new(400, "the request has no `Idempotency-Key`"));
    };
    match shop.serve(key, &order, request) {
        Some(answer) => answer,
        // Until whoever asked gives up.
        None => std::future::pending().await,
    }
}

/// What a request asks for.
fn read(method: &Method, what: &str, body: &[u8]) -> Result<Request, Refusal> {
    fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
        serde_json::from_slice(body)
            .map_err(|error| Refusal::new(400, format!("the body does not fit: {error}")))
    }
    match (method.as_str(), what) {
        ("PUT", "reservations") => parse(body).map(Request::Reserve),
        ("DELETE", "reservations") => Ok(Request::Release),
        ("PUT", "charges") => parse(body).map(Request::Charge),
        ("DELETE", "charges") => Ok(Request::Refund),
        ("PUT", "shipments") => Ok(Request::Ship),
        ("DELETE", "shipments") => Ok(Request::CallBack),
        _ => Err(Refusal::new(404, format!("there is no {method} of `{what}`"))),
    }
}

/// `POST /faults {"order", "step", "times"?, "how"}`.
async fn fault(State(shop): State<Arc<Shop>>, Json(fault): Json<Fault>) -> Json<Value> {
    shop.lock().faults.add(fault);
    Json(json!({}))
}

/// `GET /silent/{step}/{order}`: answers as soon as such a request has had its effect and is not answered.
async fn silent(State(shop): State<Arc<Shop>>, Path((step, order)): Path<(Step, String)>) -> Json<Value> {
    let mut silent = shop.silent.subscribe();
    // Fails when the sender is gone, which the shop has.
    let _ = silent.wait_for(|silent| silent.contains(&(order.clone(), step))).await;
    Json(json!({}))
}

/// `GET /ledger`: stock, accounts, every change of them, and every request.
async fn ledger(State(shop): State<Arc<Shop>>) -> Json<Value> {
    let inner = shop.lock();
    let mut ledger = inner.books.ledger();
    ledger["requests"] = json!(inner.log);
    Json(ledger)
}

struct Answer {
    status: StatusCode,
    retry_after: Option<u32>,
    body: Value,
}

impl Answer {
    fn of(outcome: Result<Value, Refusal>) -> Self {
        match outcome {
            Ok(body) => Self { status: StatusCode::OK, retry_after: None, body },
            Err(refusal) => Self::refused(&refusal),
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        // A number that HTTP does not have can come from a fault alone, and is the fault's fault.
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, retry_after: None, body: json!({ "error": refusal.why }) }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{self, HeaderValue};
    use tower::ServiceExt;

    use super::*;

    async fn ask(
        app: &Router,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: Value,
    ) -> (u16, HeaderMap, Value) {
        let request =
            http::Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        let body = Body::from(if body.is_null() { String::new() } else { body.to_string() });
        let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status.as_u16(), parts.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_fault_is_answered_and_the_next_request_under_the_same_key_goes_well() {
        let app = app(Shop::open());
        let how = json!({ "refuse": { "status": 503, "retry_after": 1 } });
        let fault = json!({ "order": "7", "step": "charge", "times": 1, "how": how });
        assert_eq!(ask(&app, "POST", "/faults", None, fault).await.0, 200);
        let payment = json!({ "customer": "ada", "cents": 4_200 });
        let (status, headers, _) = ask(&app, "PUT", "/charges/7", Some("key"), payment.clone()).await;
        assert_eq!((status, &headers[header::RETRY_AFTER]), (503, &HeaderValue::from_static("1")));
        for _ in 0..2 {
            let (status, _, body) = ask(&app, "PUT", "/charges/7", Some("key"), payment.clone()).await;
            assert_eq!((status, &body["balance"]), (200, &json!(95_800)));
        }
        let (_, _, ledger) = ask(&app, "GET", "/ledger", None, Value::Null).await;
        assert_eq!(ledger["effects"], json!([{ "order": "7", "step": "charge", "key": "key" }]));
        let statuses = ledger["requests"].as_array().unwrap().iter().map(|request| request["status"].clone());
        assert_eq!(statuses.collect::<Vec<_>>(), [503, 200, 200]);
    }

    #[tokio::test]
    async fn a_silent_request_has_had_its_effect_when_it_is_told() {
        let app = app(Shop::open());
        let fault = json!({ "order": "7", "step": "charge", "times": 1, "how": "silence" });
        ask(&app, "POST", "/faults", None, fault).await;
        let payment = json!({ "customer": "ada", "cents": 4_200 });
        let hangs = ask(&app, "PUT", "/charges/7", Some("key"), payment.clone());
        tokio::select! {
            _ = hangs => panic!("it is not to be answered"),
            told = ask(&app, "GET", "/silent/charge/7", None, Value::Null) => assert_eq!(told.0, 200),
        }
        let (_, _, ledger) = ask(&app, "GET", "/ledger", None, Value::Null).await;
        assert_eq!(ledger["accounts"]["till"], json!(4_200));
        let (status, _, body) = ask(&app, "PUT", "/charges/7", Some("key"), payment).await;
        assert_eq!((status, &body["balance"]), (200, &json!(95_800)));
    }

    #[tokio::test]
    async fn what_cannot_be_read_says_why() {
        let app = app(Shop::open());
        let cases = [
            ("PUT", "/charges/7", Some("key"), json!({ "customer": "ada" }), 400, "missing field `cents`"),
            ("PUT", "/shipments/7", None, Value::Null, 400, "no `Idempotency-Key`"),
            ("PATCH", "/charges/7", Some("key"), Value::Null, 404, "no PATCH of `charges`"),
        ];
        for (method, path, key, body, expected, complaint) in cases {
            let (status, _, body) = ask(&app, method, path, key, body).await;
            let error = body["error"].as_str().unwrap();
            assert!(status == expected && error.contains(complaint), "{status} {error}");
        }
    }
}
