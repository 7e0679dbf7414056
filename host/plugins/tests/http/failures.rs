//! What goes wrong, and whether it is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use refrain_plugin::{ActivityError, CancelReason, CancelSource, ContextParts};
use refrain_plugins::http::MAX_EXCERPT_BYTES;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};

use crate::support::{Event, Server, assert_error, call, call_with, plugin, read_request, response};

async fn failure(answer: impl AsRef<[u8]>) -> ActivityError {
    Server::answering(answer).await.ask(json!({})).await.unwrap_err()
}

fn details(error: &ActivityError) -> Value {
    error.details.as_ref().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_status_says_whether_another_attempt_may_help() {
    for (status, is_retryable) in [
        (400, false),
        (401, false),
        (403, false),
        (404, false),
        (408, true),
        (409, false),
        (412, false),
        (422, false),
        (425, true),
        (429, true),
        (500, true),
        (501, false),
        (502, true),
        (503, true),
        (504, true),
        (505, false),
    ] {
        let server = Server::answering(response(&format!("{status} Said So"), "")).await;
        let text = format!("GET {}: the answer is {status}", server.url("/"));
        let result = server.ask(json!({"query": {"token": "secret"}})).await;
        assert_error(&result, "HttpStatus", is_retryable, &text);
        assert_eq!(result.unwrap_err().next_retry_delay, None);
    }
}

#[tokio::test]
async fn a_service_says_when_to_come_again() {
    let soon = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(600));
    let answer = |status: &str, after: &str| response(&format!("{status}\r\nretry-after: {after}"), "");
    let delay = failure(answer("429 Too Many Requests", "7")).await.next_retry_delay;
    assert_eq!(delay, Some(Duration::from_secs(7)));
    let delay = failure(answer("503 Service Unavailable", &soon)).await.next_retry_delay.unwrap();
    assert!((500..=600).contains(&delay.as_secs()), "{delay:?}");
    let delay = failure(answer("503 Service Unavailable", "31536000")).await.next_retry_delay;
    assert_eq!(delay, Some(Duration::from_secs(3600)), "bounded");
    // The policy's own interval: no wait at all would be a loop.
    assert_eq!(failure(answer("503 Service Unavailable", "0")).await.next_retry_delay, None);
    assert_eq!(failure(answer("400 Bad Request", "7")).await.next_retry_delay, None, "nothing is retried");
}

#[tokio::test]
async fn the_details_of_a_status_are_what_the_service_says_about_it() {
    let problem = r#"{"type": "card-declined"}"#;
    let head = "402 Payment Required\r\ncontent-type: application/problem+json\r\nx-request-id: r1\r\nset-cookie: s=1";
    let error = failure(response(head, problem)).await;
    let expected = json!({
        "status": 402,
        "headers": {"content-type": "application/problem+json", "x-request-id": "r1"},
        "body": {"type": "card-declined"},
    });
    assert_eq!(details(&error), expected);
    assert_eq!(details(&failure(response("500 Oops", "")).await), json!({"status": 500, "headers": {}}));
}

#[tokio::test]
async fn only_the_beginning_of_a_long_body_is_in_the_details() {
    // Two bytes each, so that the limit falls within one of them.
    let page = format!("x{}", "ä".repeat(MAX_EXCERPT_BYTES));
    let details = details(&failure(response("500 Oops\r\ncontent-type: text/html", page)).await);
    assert_eq!(details["body_truncated"], true);
    assert_eq!(details["body_text"].as_str().unwrap().len(), MAX_EXCERPT_BYTES - 1);
}

#[tokio::test]
async fn connections_that_fail_are_tried_again() {
    // Bound, so that nobody else gets the port, and not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = socket.local_addr().unwrap().port();
    let input = json!({"url": format!("http://127.0.0.1:{closed}/?token=secret")});
    let result = call(&plugin(&[&format!("http://127.0.0.1:{closed}")], &[]), input).await;
    assert_error(&result, "HttpConnection", true, &format!("GET http://127.0.0.1:{closed}/: "));
    assert_error(&result, "HttpConnection", true, "refused");
    assert!(!result.unwrap_err().to_string().contains("secret"));

    // A label that is too long for DNS, so that nobody has to be asked.
    let nobody = format!("http://{}.invalid", "x".repeat(64));
    let result = call(&plugin(&[&nobody], &[]), json!({"url": nobody})).await;
    assert_error(&result, "HttpConnection", true, "dns error");

    for answer in [
        &b""[..],
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    ] {
        let result = Server::answering(answer).await.ask(json!({})).await;
        assert_error(&result, "HttpConnection", true, "GET http://127.0.0.1");
    }
}

#[tokio::test]
async fn a_server_that_stays_silent_times_out() {
    let server = Server::silent().await;
    let result = server.ask(json!({"timeout": "50ms"})).await;
    assert_error(&result, "HttpTimeout", true, "no complete response within 50ms");

    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let parts = ContextParts { deadline, ..ContextParts::detached("http.request") };
    let result = call_with(&server.plugin(), parts, server.input(json!({"timeout": "1h"}))).await;
    assert_error(&result, "HttpTimeout", true, "no complete response within ");
}

#[tokio::test]
async fn a_body_that_does_not_end_times_out() {
    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = slow.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut connection, _) = slow.accept().await.unwrap();
        read_request(&mut connection).await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc";
        connection.write_all(head).await.unwrap();
        std::future::pending::<()>().await;
    });
    let input = json!({"url": format!("http://127.0.0.1:{port}/"), "timeout": "50ms"});
    let result = call(&plugin(&[&format!("http://127.0.0.1:{port}")], &[]), input).await;
    assert_error(&result, "HttpTimeout", true, "within 50ms");
}

#[tokio::test]
async fn cancellation_drops_the_request() {
    let mut server = Server::silent().await;
    let source = Arc::new(CancelSource::new());
    let parts =
        ContextParts { cancellation: source.cancellation(), ..ContextParts::detached("http.request") };
    let (plugin, input) = (server.plugin(), server.input(json!({"timeout": "1h"})));
    let attempt = tokio::spawn(async move { call_with(&plugin, parts, input).await });
    assert_eq!(server.event().await, Event::Request);
    source.cancel(CancelReason::Requested);
    let error = attempt.await.unwrap().unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert_eq!(server.event().await, Event::Closed, "the server sees that nobody waits any more");
}

#[tokio::test]
async fn a_cancelled_attempt_sends_nothing() {
    let server = Server::answering(response("200 OK", "")).await;
    let source = CancelSource::new();
    source.cancel(CancelReason::Shutdown);
    let parts =
        ContextParts { cancellation: source.cancellation(), ..ContextParts::detached("http.request") };
    let error = call_with(&server.plugin(), parts, server.input(json!({}))).await.unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert!(server.received().is_empty());
}
