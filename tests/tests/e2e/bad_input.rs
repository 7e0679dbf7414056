//! What the API says to requests that are not as they should be.

use anyhow::{Context, Result};
use refrain_tests::{Host, encode};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HOST, ORIGIN};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn refusals_name_the_status_the_problem_the_field_and_a_remedy() -> Result<()> {
    let host = Host::with_example("hello").await?;
    let client = host.client();
    let start = |body: &str| {
        let request = client.request(Method::POST, "/v1/workflows").header(CONTENT_TYPE, "application/json");
        request.body(body.to_owned())
    };
    let long = "x".repeat(300);
    let cases = [
        (start(r#"{"workflow": "hello", "#), 400, "malformed-body", None),
        (start(""), 400, "malformed-body", None),
        (start("[]"), 400, "malformed-body", None),
        (start("{}"), 400, "invalid", None),
        (start(r#"{"workflow": 7}"#), 400, "invalid", Some("workflow")),
        (start(r#"{"workflow": "hello", "idd": "x"}"#), 400, "invalid", Some("idd")),
        (start(r#"{"workflow": "hello", "id": ""}"#), 400, "invalid", Some("id")),
        (start(&format!(r#"{{"workflow": "hello", "id": "{long}"}}"#)), 400, "invalid", Some("id")),
        (start(r#"{"workflow": "hello", "id": "a\u0000b"}"#), 400, "invalid", Some("id")),
        (start(r#"{"workflow": "hello", "id": ".."}"#), 400, "invalid", Some("id")),
        (start(r#"{"workflow": "helo"}"#), 404, "unknown-workflow", None),
        (start(r#"{"workflow": "hello", "component": "nowhere"}"#), 404, "not-found", None),
        (start("{}").header(HOST, "evil.example"), 403, "foreign-host", Some("host")),
        (start("{}").header(ORIGIN, "https://evil.example"), 403, "foreign-origin", Some("origin")),
        (
            client.request(Method::POST, "/v1/workflows").header(CONTENT_TYPE, "text/plain").body("{}"),
            415,
            "unsupported-media-type",
            Some("content-type"),
        ),
        (client.request(Method::GET, "/v1/workflows/nobody"), 404, "not-found", None),
        (client.request(Method::GET, "/v1/workflows/nobody/history"), 404, "not-found", None),
        (client.request(Method::GET, "/v1/workflows/nobody/result"), 404, "not-found", None),
        (client.request(Method::GET, "/v1/workflows/nobody?run_id=7"), 400, "invalid", Some("run_id")),
        (
            client.request(Method::POST, "/v1/workflows/nobody/signals/x").json(&json!({})),
            404,
            "not-found",
            None,
        ),
        (
            client.request(Method::POST, "/v1/workflows/nobody/cancel").json(&json!({})),
            404,
            "not-found",
            None,
        ),
        (client.request(Method::GET, "/v1/workflows?limit=0"), 400, "invalid", Some("limit")),
        (client.request(Method::GET, "/v1/workflows?limits=1"), 400, "invalid", Some("limits")),
        (client.request(Method::GET, "/v1/workflows/nobody/result?wait=long"), 400, "invalid", Some("wait")),
        (client.request(Method::GET, "/v1/components/nothing"), 404, "not-found", None),
        (client.request(Method::GET, "/v2/workflows"), 404, "unknown-route", None),
        (client.request(Method::DELETE, "/v1/workflows"), 405, "method-not-allowed", None),
        (client.request(Method::PUT, "/v1/components/bad").body("not wasm"), 422, "invalid-component", None),
        (client.request(Method::PUT, "/v1/components/bad").body(""), 422, "invalid-component", None),
    ];
    for (request, status, problem, field) in cases {
        let shown = format!("{request:?}");
        let answer = client.send(request).await.with_context(|| shown.clone())?;
        let said = (answer.status, answer.problem(), answer.body["field"].as_str());
        let expected_field = field.or(said.2);
        assert_eq!(said, (status, problem, expected_field), "{shown}: {}", answer.body);
        assert!(
            answer.body["hint"].as_str().is_some_and(|hint| !hint.is_empty()),
            "no hint: {}",
            answer.body
        );
        assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json", "{shown}");
    }
    assert_eq!(client.list(10).await?, Vec::<Value>::new(), "none of these made a run");
    Ok(())
}

#[tokio::test]
async fn an_id_in_use_is_refused_and_the_refusal_names_the_run() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let run_id = client.start("bench_signal", "taken", json!({ "n": 1 })).await?;
    let again = client.post("/v1/workflows", &json!({ "workflow": "bench_signal", "id": "taken" })).await?;
    assert_eq!((again.status, again.problem()), (409, "already-running"));
    assert_eq!(again.body["run_id"], run_id);
    Ok(())
}

#[tokio::test]
async fn odd_ids_are_ids() -> Result<()> {
    let host = Host::with_example("hello").await?;
    let client = host.client();
    for id in ["orders/2024/7", "a b?c#d%2F", "Ελλάδα 🎼", "%", "+", "a//b", &"y".repeat(255)] {
        client.start("hello", id, json!({ "name": id })).await.with_context(|| id.to_owned())?;
        assert_eq!(client.completed(id).await?["text"], format!("Hello, {id}!"));
        let described = client.describe(id).await?;
        assert_eq!(
            (described["id"].as_str(), described["status"].as_str()),
            (Some(id), Some("completed")),
            "{id}"
        );
        assert!(!client.history(id).await?.is_empty(), "{}", encode(id));
    }
    Ok(())
}

#[tokio::test]
async fn an_input_of_the_wrong_type_fails_the_run_and_says_what_was_expected() -> Result<()> {
    let host = Host::with_example("hello").await?;
    let client = host.client();
    client.start("hello", "wrong", json!({ "name": 7 })).await?;
    let ended = client.result("wrong").await?;
    assert_eq!(ended["status"], "failed");
    assert_eq!(ended["failure"]["message"], "input of workflow `hello`");
    let cause = ended["failure"]["causes"][0]["message"].as_str().unwrap_or_default();
    assert!(cause.contains("`7`") && cause.contains("expected a string"), "{}", ended["failure"]);
    Ok(())
}

#[tokio::test]
async fn an_upload_that_stops_half_way_leaves_nothing() -> Result<()> {
    let host = Host::start().await?;
    let address = host.url().replace("http://", "");
    let wasm = refrain_tests::guest("hello")?;
    let mut connection = TcpStream::connect(&address).await?;
    let head = format!(
        "PUT /v1/components/half HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n",
        wasm.len()
    );
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&wasm[..wasm.len() / 2]).await?;
    connection.shutdown().await?;
    // The host's answer, or its end of the connection: after that it has done what it does about it.
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));

    let client = host.client();
    assert_eq!(client.get("/v1/components/half").await?.status, 404);
    assert_eq!(client.get("/v1/components").await?.ok()?["components"], json!([]));
    Ok(())
}
