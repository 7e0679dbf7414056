//! Raw exchanges: what HTTP clients of guests ask for.

use refrain_plugin::ActivityError;
use refrain_plugins::http::{MAX_HEADER_BYTES, MAX_RESPONSE_BYTES};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::support::{Server, assert_error, call, plugin, read_request, redirect, response};

/// The type of the innermost cause that has one of its own.
fn because<'a>(error: &'a ActivityError, own: &str) -> Option<&'a str> {
    error.causes.iter().map(|cause| cause.error_type.as_str()).find(|error_type| *error_type == own)
}

#[tokio::test]
async fn a_response_comes_as_it_is() {
    let head = "201 Created\r\nContent-Type: application/json\r\nX-Tag: a\r\nX-Tag: b\r\nSet-Cookie: s=1, t";
    let output = Server::answering(response(head, " {} ")).await.ask(json!({"raw": true})).await.unwrap();
    let headers = json!([
        ["content-type", "application/json"],
        ["x-tag", "a"],
        ["x-tag", "b"],
        ["set-cookie", "s=1, t"],
        ["content-length", "4"],
    ]);
    assert_eq!(output, json!({"status": 201, "headers": headers, "body_base64": "IHt9IA=="}));
}

#[tokio::test]
async fn each_status_is_a_response_and_no_redirect_is_followed() {
    for answer in
        [response("404 Not Found", ""), response("503 Down", ""), redirect(302, "http://evil.example/")]
    {
        let server = Server::answering(answer).await;
        let output = server.ask(json!({"raw": true})).await.unwrap();
        assert!(output["status"].as_u64().unwrap() >= 302, "{output}");
        assert_eq!(server.received().len(), 1);
    }
}

#[tokio::test]
async fn a_body_has_no_type_that_nobody_gave_it() {
    let server = Server::answering(response("200 OK", "")).await;
    server.ask(json!({"raw": true, "method": "POST", "body_base64": "YQ=="})).await.unwrap();
    let request = server.received().remove(0);
    assert_eq!((request.body.as_str(), request.headers.get("content-type")), ("a", None));
    assert!(request.headers.contains_key("idempotency-key"), "{request:?}");
}

#[tokio::test]
async fn no_failure_is_tried_again_and_code_can_tell_them_apart() {
    let raw = |url: &str| json!({"raw": true, "url": url});
    let result = call(&plugin(&["http://127.0.0.1:1"], &[]), raw("http://127.0.0.1:1/")).await;
    assert_error(&result, "HttpConnection", false, "refused");
    let error = result.unwrap_err();
    assert_eq!(because(&error, "ConnectionRefused"), Some("ConnectionRefused"), "{error:?}");

    let nobody = format!("http://{}.invalid", "x".repeat(64));
    let result = call(&plugin(&[&nobody], &[]), raw(&nobody)).await;
    assert_error(&result, "HttpConnection", false, "dns error");
    let error = result.unwrap_err();
    assert_eq!(because(&error, "NameResolution"), Some("NameResolution"), "{error:?}");

    let headers = response(&format!("200 OK\r\nx: {}", "x".repeat(MAX_HEADER_BYTES)), "");
    let error = Server::answering(headers).await.ask(json!({"raw": true})).await.unwrap_err();
    assert_eq!(because(&error, "HeadersTooLarge"), Some("HeadersTooLarge"), "{error:?}");
    let body = response("200 OK", "x".repeat(MAX_RESPONSE_BYTES + 1));
    let result = Server::answering(body).await.ask(json!({"raw": true})).await;
    assert_error(&result, "HttpResponseTooLarge", false, "the contents of the response");

    let result =
        Server::answering(response("200 OK", "")).await.ask(json!({"raw": true, "expect": [200]})).await;
    assert_error(&result, "InvalidInput", false, "leave `expect` out");
}

#[tokio::test]
async fn a_response_has_its_time_to_begin_and_its_time_to_go_on() {
    let silent = Server::silent().await;
    for (raw, is_retryable) in [(false, true), (true, false)] {
        let result = silent.ask(json!({"response_timeout": "50ms", "raw": raw})).await;
        assert_error(&result, "HttpTimeout", is_retryable, "no response within 50ms");
    }
    let result = silent.ask(json!({"read_timeout": "soon"})).await;
    assert_error(&result, "InvalidInput", false, "field `read_timeout`: \"soon\"");

    let slow = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = slow.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut connection, _) = slow.accept().await.unwrap();
        read_request(&mut connection).await.unwrap();
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc").await.unwrap();
        std::future::pending::<()>().await;
    });
    let origin = format!("http://127.0.0.1:{port}");
    let input: Value = json!({"url": origin, "read_timeout": "50ms", "response_timeout": "1h"});
    let error = call(&plugin(&[&origin], &[]), input).await.unwrap_err();
    assert_eq!(because(&error, "ReadTimeout"), Some("ReadTimeout"), "{error:?}");
}
