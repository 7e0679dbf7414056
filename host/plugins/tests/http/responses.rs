//! What a workflow gets.

use refrain_plugin::{ContextParts, Payload};
use refrain_plugins::http::{MAX_HEADER_BYTES, MAX_RESPONSE_BYTES};
use serde_json::{Value, json};

use crate::support::{Server, assert_error, call_raw, response};

async fn got(answer: impl AsRef<[u8]>, fields: Value) -> Value {
    Server::answering(answer).await.ask(fields).await.unwrap()
}

#[tokio::test]
async fn a_response_comes_whole() {
    let answer = response(
        "201 Created\r\nContent-Type: application/json\r\nX-Tag: a\r\nX-Tag: b\r\nSet-Cookie: s=1\r\nSet-Cookie: t=2",
        r#"{"id": 7}"#,
    );
    let server = Server::answering(answer).await;
    let output = server.ask(json!({"method": "POST"})).await.unwrap();
    let expected = json!({
        "status": 201,
        "url": server.url("/"),
        "headers": {
            "content-type": "application/json", "content-length": "9", "x-tag": "a, b", "set-cookie": "s=1\nt=2",
        },
        "body": {"id": 7},
    });
    assert_eq!(output, expected);
}

#[tokio::test]
async fn json_comes_byte_for_byte() {
    let body = r#"{ "amount": 1.10, "big": 123456789012345678901234567890, "b": 1, "a": 2 }"#;
    let server = Server::answering(response("200 OK\r\ncontent-type: application/json", body)).await;
    let input = Payload::json(&server.input(json!({}))).unwrap();
    let output = call_raw(&server.plugin(), ContextParts::detached("http.request"), input).await.unwrap();
    let output = String::from_utf8(output.data.to_vec()).unwrap();
    assert!(output.contains(&format!("\"body\":{body}")), "{output}");
}

#[tokio::test]
async fn bodies_of_other_types_are_text_or_base64_or_absent() {
    let output = got(response("200 OK\r\ncontent-type: text/csv", "a;ä"), json!({})).await;
    assert_eq!((&output["body_text"], &output["body"]), (&json!("a;ä"), &Value::Null));
    let output = got(response("200 OK\r\ncontent-type: image/png", [0, 159]), json!({})).await;
    assert_eq!((&output["body_base64"], &output["body_text"]), (&json!("AJ8="), &Value::Null));
    let output = got(b"HTTP/1.1 204 No Content\r\n\r\n", json!({"method": "DELETE"})).await;
    assert_eq!(output["status"], 204);
    assert!(!output.as_object().unwrap().keys().any(|key| key.starts_with("body")), "{output}");
}

#[tokio::test]
async fn the_answer_to_head_has_no_body() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n";
    let output = got(head, json!({"method": "HEAD"})).await;
    assert_eq!((&output["headers"]["content-length"], output.get("body")), (&json!("1000000000"), None));
}

#[tokio::test]
async fn expected_statuses_take_the_place_of_2xx() {
    let not_found = response("404 Not Found", "");
    assert_eq!(got(&not_found, json!({"expect": [200, 404]})).await["status"], 404);
    let elsewhere = response("302 Found\r\nlocation: /x", "");
    assert_eq!(got(elsewhere, json!({"expect": [302]})).await["headers"]["location"], "/x");
    let created = Server::answering(response("201 Created", "")).await;
    assert_error(&created.ask(json!({"expect": [200]})).await, "HttpStatus", false, "201 Created");
    let down = Server::answering(response("503 Service Unavailable", "")).await;
    assert_error(&down.ask(json!({"expect": [200]})).await, "HttpStatus", true, "503");
    assert_eq!(down.ask(json!({"expect": [503]})).await.unwrap()["status"], 503);
}

#[tokio::test]
async fn a_body_that_just_fits_passes_and_one_byte_more_does_not() {
    let chunked = |length: usize| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
        format!("{head}{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length))
    };
    let known = |length| response("200 OK\r\ncontent-type: text/plain", "x".repeat(length));
    for answer in [known(MAX_RESPONSE_BYTES), chunked(MAX_RESPONSE_BYTES).into()] {
        let output = got(answer, json!({})).await;
        assert_eq!(output["body_text"].as_str().unwrap().len(), MAX_RESPONSE_BYTES);
    }
    for answer in [known(MAX_RESPONSE_BYTES + 1), chunked(MAX_RESPONSE_BYTES + 1).into()] {
        let result = Server::answering(answer).await.ask(json!({})).await;
        assert_error(
            &result,
            "HttpResponseTooLarge",
            false,
            "the contents of the response are more than 1048576",
        );
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    // Each read finds more, and the connection stays open behind it.
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n";
    let answer = format!("{head}{}", "x".repeat(2 * MAX_RESPONSE_BYTES));
    let result = Server::answering(answer).await.ask(json!({})).await;
    assert_error(&result, "HttpResponseTooLarge", false, "1048576");
}

#[tokio::test]
async fn headers_are_limited() {
    let answer = response(&format!("200 OK\r\nx: {}", "x".repeat(MAX_HEADER_BYTES)), "");
    let result = Server::answering(answer).await.ask(json!({})).await;
    assert_error(&result, "HttpResponseTooLarge", false, "the headers of the response are more than 65536");
    let answer = response(&format!("200 OK{}", "\r\nx: 1".repeat(1000)), "");
    assert_error(&Server::answering(answer).await.ask(json!({})).await, "HttpConnection", true, "too large");
}
