//! What is sent.

use refrain_plugin::{ContextParts, Payload};
use refrain_plugins::http::{MAX_HEADER_BYTES, MAX_REQUEST_BYTES, MAX_URL_BYTES};
use serde_json::{Value, json};

use crate::support::{Received, Server, assert_error, call, call_raw, call_with, response};

/// What arrives of a request for `/` with these other fields.
async fn sent(fields: Value) -> Received {
    let server = Server::answering(response("200 OK", "")).await;
    server.ask(fields).await.unwrap();
    server.received().remove(0)
}

#[tokio::test]
async fn a_url_alone_is_a_get() {
    let request = sent(json!({})).await;
    assert_eq!((request.line.as_str(), request.body.as_str()), ("GET /", ""));
    let names: Vec<_> = request.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["accept", "host", "idempotency-key", "user-agent"], "{request:?}");
    assert_eq!(request.headers["user-agent"], format!("refrain/{}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn each_kind_of_body_is_sent_with_its_type() {
    for (fields, body, content_type) in [
        (json!({"body": {"b": [1, "ä"], "a": null}}), r#"{"a":null,"b":[1,"ä"]}"#, "application/json"),
        (json!({"body": false}), "false", "application/json"),
        (json!({"body_text": "line\nä"}), "line\nä", "text/plain; charset=utf-8"),
        (json!({"body_text": ""}), "", "text/plain; charset=utf-8"),
        (json!({"body_base64": "AAEC"}), "\0\u{1}\u{2}", "application/octet-stream"),
        (
            json!({"body_text": "a=1", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}),
            "a=1",
            "application/x-www-form-urlencoded",
        ),
    ] {
        let mut fields = fields;
        fields["method"] = "post".into();
        let request = sent(fields).await;
        assert_eq!((request.line.as_str(), request.body.as_str()), ("POST /", body));
        assert_eq!(request.headers["content-type"], content_type);
    }
}

#[tokio::test]
async fn json_is_sent_byte_for_byte() {
    let server = Server::answering(response("200 OK", "")).await;
    let body = r#"{ "amount": 1.10, "big": 123456789012345678901234567890, "b": 1, "a": 2, "b": 3 }"#;
    let input = format!(r#"{{"method": "PUT", "url": "{}", "body": {body}}}"#, server.url("/"));
    let input = Payload { content_type: Payload::JSON.to_owned(), data: input.into() };
    let parts = ContextParts::detached("http.request");
    call_raw(&server.plugin(), parts, input).await.unwrap();
    assert_eq!(server.received()[0].body, body);
}

#[tokio::test]
async fn queries_are_added_and_encoded_and_fragments_stay_here() {
    let server = Server::answering(response("200 OK", "")).await;
    let query = json!({"q": "a b&c=ä", "n": 1, "yes": true, "id": ["x", 2], "none": []});
    let output =
        call(&server.plugin(), json!({"url": server.url("/find?page=1#top"), "query": query})).await.unwrap();
    let expected = "/find?page=1&id=x&id=2&n=1&q=a+b%26c%3D%C3%A4&yes=true";
    assert_eq!(server.received()[0].line, format!("GET {expected}"));
    assert_eq!(output["url"], server.url(expected));
}

#[tokio::test]
async fn headers_are_sent_and_may_have_several_values() {
    let request = sent(json!({"headers": {
        "Authorization": "Bearer token", "X-Tag": ["a", "ä"], "User-Agent": "shop/1", "Accept": "text/csv",
    }}))
    .await;
    assert_eq!(request.headers["authorization"], "Bearer token");
    assert_eq!(request.headers["x-tag"], "a, ä");
    assert_eq!(request.headers["user-agent"], "shop/1");
    assert_eq!(request.headers["accept"], "text/csv");
}

#[tokio::test]
async fn all_attempts_carry_one_key_unless_the_workflow_has_its_own() {
    let server = Server::answering(response("200 OK", "")).await;
    let attempt = |op, attempt| ContextParts { op, attempt, ..ContextParts::detached("http.request") };
    for (parts, fields) in [
        (attempt(7, 1), json!({})),
        (attempt(7, 2), json!({})),
        (attempt(8, 1), json!({})),
        (attempt(7, 1), json!({"headers": {"idempotency-KEY": "mine"}})),
    ] {
        call_with(&server.plugin(), parts, server.input(fields)).await.unwrap();
    }
    let keys: Vec<_> =
        server.received().into_iter().map(|request| request.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys, ["detached/7", "detached/7", "detached/8", "mine"]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_by_its_field_and_nothing_is_sent() {
    let server = Server::answering(response("200 OK", "")).await;
    let long = |length| "x".repeat(length);
    for (fields, expected) in [
        (json!({"headers": {"X-Tag": "a\r\nX-Injected: 1"}}), "header \"X-Tag\" has a line break"),
        (json!({"headers": {"X-Tag": ["a", "b\n"]}}), "header \"X-Tag\" has a line break"),
        (json!({"headers": {"X-Tag": "a\u{0}"}}), "header \"X-Tag\" has a line break or another control"),
        (json!({"headers": {"X\r\nInjected": "a"}}), "is not a header's name"),
        (json!({"headers": {"X Tag": "a"}}), "header \"X Tag\" is not a header's name"),
        (json!({"headers": {"": "a"}}), "header \"\" is not a header's name"),
        (json!({"headers": {"Host": "internal"}}), "header \"Host\" is not for a workflow to set"),
        (json!({"headers": {"Content-Length": "1"}}), "is not for a workflow to set"),
        (json!({"headers": {"transfer-encoding": "chunked"}}), "is not for a workflow to set"),
        (json!({"headers": {"Connection": "upgrade"}}), "is not for a workflow to set"),
        (json!({"headers": {"X-A": "1", "x-a": "2"}}), "is there twice"),
        (json!({"headers": {"X-A": 1}}), "field `headers.X-A`: expected a string or a list of strings"),
        (json!({"headers": {"X-A": long(MAX_HEADER_BYTES)}}), "field `headers`: more than 65536 bytes"),
        (json!({"method": "GET / HTTP/1.1\r\nX: "}), "field `method`: "),
        (json!({"method": ""}), "field `method`: \"\" is not a method"),
        (json!({"method": "CONNECT"}), "field `method`: \"CONNECT\" is for proxies"),
        (json!({"url": "/orders"}), "field `url`: is not a URL"),
        (json!({"url": "https://"}), "field `url`: is not a URL (empty host)"),
        (json!({"url": server.url(&format!("/{}", long(MAX_URL_BYTES)))}), "is longer than 8192"),
        (json!({"query": {"q": long(MAX_URL_BYTES)}}), "field `url`: a URL of 8"),
        (json!({"query": {"q": {"a": 1}}}), "field `query.q`: {\"a\":1} has no place in a query"),
        (json!({"query": {"q": [null]}}), "field `query.q`: null"),
        (json!({"body": 1, "body_text": "1"}), "more than one is given"),
        (json!({"body_base64": "A"}), "field `body_base64`: not base64"),
        (
            json!({"body_text": long(MAX_REQUEST_BYTES + 1)}),
            "field `body_text`: 1048577 bytes are more than 1048576",
        ),
        (json!({"timeout": "soon"}), "field `timeout`: \"soon\" is no length of time"),
        (json!({"timeout": "0s"}), "field `timeout`: \"0s\""),
        (json!({"timeout": "-5s"}), "field `timeout`: \"-5s\""),
        (json!({"timeout": 30}), "field `timeout`: invalid type: integer `30`"),
        (json!({"expect": [70000]}), "field `expect[0]`"),
        (json!({"boddy": 1}), "unknown field `boddy`"),
    ] {
        assert_error(&server.ask(fields).await, "InvalidInput", false, expected);
    }
    assert!(server.received().is_empty(), "{:?}", server.received());
    let request = sent(json!({"method": "POST", "body_text": long(MAX_REQUEST_BYTES)})).await;
    assert_eq!(request.body.len(), MAX_REQUEST_BYTES);
}

#[tokio::test]
async fn secrets_are_in_no_error() {
    let server = Server::answering(response("418 I'm a teapot", "")).await;
    for fields in [
        json!({"headers": {"Authorization": "secret\n"}}),
        json!({"headers": {"Authorization": "Bearer secret"}, "query": {"token": "secret"}}),
        json!({"url": "http://user:secret@127.0.0.1/"}),
        json!({"url": "http://user:secret@:1/"}),
        json!({"url": "http://127.0.0.2/?token=secret#secret"}),
    ] {
        let error = server.ask(fields.clone()).await.unwrap_err();
        assert!(!format!("{error:?}").contains("secret"), "{fields}: {error:?}");
    }
}
