//! What well-formed requests do.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use expect_test::expect;

use super::{Fixture, request, segment};
use crate::client::Client;
use crate::wire::{StartRequest, Status};

#[tokio::test]
async fn payloads_pass_byte_for_byte() {
    let fixture = Fixture::new().await;
    let json = "{\"b\":1.0e2,  \"a\":[\"\\u00e9é\",12345678901234567890123],\n\"b\":null}";
    let id = fixture.start(&format!("{{\"workflow\":\"echo\",\"input\":  {json} }}")).await;
    let result = fixture.get(&format!("/v1/workflows/{id}/result?wait=30s")).await;
    assert_eq!(result.status, 200);
    assert!(result.body.contains(&format!("\"result\":{json}")), "{}", result.body);
    let described = fixture.get(&format!("/v1/workflows/{id}")).await;
    assert!(described.body.contains(&format!("\"input\":{json}")), "{}", described.body);

    let encoded = "{\"content_type\":\"application/cbor\",\"data_base64\":\"oWFhAQ==\"}";
    let id = fixture.start(&format!("{{\"workflow\":\"echo\",\"input_payload\":{encoded}}}")).await;
    let result = fixture.get(&format!("/v1/workflows/{id}/result?wait=30s")).await;
    assert!(result.body.contains(&format!("\"result_payload\":{encoded}")), "{}", result.body);
    assert!(!result.body.contains("\"result\":"), "{}", result.body);
}

#[tokio::test]
async fn ids_of_any_form_work_in_paths() {
    let fixture = Fixture::new().await;
    let ids =
        ["order/42", "für Änne ✓", "100%", "a?b#c&d=e", "%2F", "a//b", " ", "...", "\"'\\", &"x".repeat(255)];
    for id in ids {
        let body = serde_json::json!({"workflow": "echo", "id": id, "input": id}).to_string();
        assert_eq!(fixture.start(&body).await, id);
        let path = format!("/v1/workflows/{}", segment(id));
        assert_eq!(fixture.get(&path).await.text("id"), id);
        let result = fixture.get(&format!("{path}/result?wait=30s")).await;
        assert_eq!((result.text("id"), result.text("result")), (id.to_owned(), id.to_owned()));
    }
    let listed = fixture.get("/v1/workflows?limit=1000").await.json();
    assert_eq!(listed["workflows"].as_array().map(Vec::len), Some(ids.len()));
}

#[tokio::test]
async fn a_start_with_the_same_request_id_is_the_same_start() {
    let fixture = Fixture::new().await;
    let body = "{\"workflow\":\"listen\",\"id\":\"one\",\"request_id\":\"r\"}";
    let first = fixture.post("/v1/workflows", body).await;
    let second = fixture.post("/v1/workflows", body).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.text("run_id"), second.text("run_id"));
    let other = fixture.post("/v1/workflows", "{\"workflow\":\"listen\",\"id\":\"one\"}").await;
    assert_eq!(other.status, 409);
    assert_eq!(other.text("run_id"), first.text("run_id"));
}

#[tokio::test]
async fn a_signal_ends_a_long_poll() {
    let fixture = Fixture::new().await;
    fixture.start("{\"workflow\":\"listen\",\"id\":\"one\"}").await;
    let running = fixture.get("/v1/workflows/one/result").await;
    assert_eq!((running.status, running.text("status").as_str()), (202, "running"));
    let (result, sent) = tokio::join!(
        fixture.get("/v1/workflows/one/result?wait=30s"),
        fixture.post("/v1/workflows/one/signals/go%2Fon", "{\"input\":[1]}")
    );
    assert_eq!((sent.status, result.status), (204, 200));
    assert_eq!(result.json()["result"], serde_json::json!([1]));
    let late = fixture.post("/v1/workflows/one/signals/go", "{}").await;
    assert_eq!(late.status, 409, "{}", late.body);
}

#[tokio::test]
async fn failures_arrive_with_their_whole_chain() {
    let fixture = Fixture::new().await;
    let id = fixture.start("{\"workflow\":\"fail\"}").await;
    let result = fixture.get(&format!("/v1/workflows/{id}/result?wait=30s")).await;
    assert_eq!((result.status, result.text("status").as_str()), (200, "failed"));
    expect![[r#"
        {
          "causes": [
            {
              "kind": "application",
              "message": "connection refused",
              "type": "Io"
            }
          ],
          "kind": "application",
          "message": "stop container abc",
          "non_retryable": false,
          "type": "Backup"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&result.json()["failure"]).unwrap());
}

#[tokio::test]
async fn runs_are_ended_from_outside() {
    let fixture = Fixture::new().await;
    for (verb, status) in [("cancel", "canceled"), ("terminate", "terminated")] {
        fixture.start(&format!("{{\"workflow\":\"listen\",\"id\":\"{verb}\"}}")).await;
        let answer = fixture.post(&format!("/v1/workflows/{verb}/{verb}"), "{\"reason\":\"enough\"}").await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        let result = fixture.get(&format!("/v1/workflows/{verb}/result?wait=30s")).await;
        assert_eq!(result.text("status"), status);
    }
}

#[tokio::test]
async fn a_result_follows_an_execution_through_its_runs() {
    let fixture = Fixture::new().await;
    let started = fixture.post("/v1/workflows", "{\"workflow\":\"again\",\"id\":\"one\",\"input\":1}").await;
    let first = started.text("run_id");
    let last = fixture.get("/v1/workflows/one/result?wait=30s").await;
    assert_eq!(last.text("result"), "done");
    assert_ne!(last.text("run_id"), first);
    let of_first = fixture.get(&format!("/v1/workflows/one/result?wait=30s&run_id={first}")).await;
    assert_eq!(of_first.text("status"), "continued-as-new");
}

#[tokio::test]
async fn a_parked_run_says_why() {
    let fixture = Fixture::new().await;
    fixture.start("{\"workflow\":\"trap\",\"id\":\"one\"}").await;
    // Nothing else happens to a run that parks, so its history is waited for in vain and its status asked again.
    let parked = loop {
        let described = fixture.get("/v1/workflows/one").await;
        if described.text("status") == "parked" {
            break described.json();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(parked["parked"]["kind"], "trap");
    assert!(parked["parked"]["message"].as_str().unwrap().contains("unreachable executed"), "{parked}");
    assert_eq!(fixture.get("/v1/workflows?status=parked").await.json()["workflows"][0]["id"], "one");
    assert_eq!(fixture.post("/v1/workflows/one/resume", "{}").await.status, 204);
}

#[tokio::test]
async fn histories_are_read_and_followed() {
    let fixture = Fixture::new().await;
    fixture.start("{\"workflow\":\"listen\",\"id\":\"one\"}").await;
    let stream = [("accept", "text/event-stream")];
    let path = "/v1/workflows/one/history";
    let (followed, sent) = tokio::join!(
        fixture.send(request(Method::GET, path, &stream, Body::empty())),
        fixture.post("/v1/workflows/one/signals/go", "{\"input\":1}")
    );
    assert_eq!((followed.status, sent.status), (200, 204));
    let lines = followed.body.lines().filter(|line| !line.starts_with("data:") && !line.is_empty());
    expect![[r#"
        event: workflow-started
        id: 1
        event: signal-received
        id: 2
        event: workflow-completed
        id: 3
        event: end"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));

    let page = fixture.get(path).await.json();
    let types = |page: &serde_json::Value| {
        let events = page["events"].as_array().unwrap();
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(types(&page), ["workflow-started", "signal-received", "workflow-completed"]);
    assert_eq!(page["closed"], true);
    assert_eq!(page["events"][1]["attributes"]["input"], 1);
    let rest = fixture.get(&format!("{path}?after=2")).await.json();
    assert_eq!(types(&rest), ["workflow-completed"]);
    let calls = fixture.get(&format!("{path}?calls=true")).await.json();
    assert!(types(&calls).contains(&"waited".to_owned()), "{calls}");

    let resume = |id: &'static str| {
        let headers = [("accept", "text/event-stream"), ("last-event-id", id)];
        fixture.send(request(Method::GET, path, &headers, Body::empty()))
    };
    assert!(resume("1").await.body.starts_with("event: signal-received"));
    assert_eq!(resume("3").await.status, 204);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let fixture = Fixture::new().await;
    for n in 0..5 {
        fixture.start(&format!("{{\"workflow\":\"listen\",\"id\":\"{n}\"}}")).await;
    }
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = fixture
            .get(&format!("/v1/workflows?limit=2&workflow=listen&status=running{cursor}"))
            .await
            .json();
        let runs = page["workflows"].as_array().unwrap();
        assert!(runs.len() <= 2);
        ids.extend(runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", segment(next)),
            None => break,
        }
    }
    ids.sort();
    assert_eq!(ids, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn components_are_listed_and_shown() {
    let fixture = Fixture::new().await;
    let list = fixture.get("/v1/components").await.json();
    assert_eq!(list["components"][0]["name"], "scripts");
    let detail = fixture.get("/v1/components/scripts").await;
    assert_eq!(detail.json()["versions"][0]["is_current"], true);
    assert!(detail.body.contains("\"input_schema\":{\"type\":  \"object\"}"), "{}", detail.body);
    assert_eq!(fixture.get("/v1/components/scripts/versions/1").await.json()["sdk"], "closures 1");
}

#[tokio::test]
async fn namespaces_never_meet() {
    let fixture = Fixture::new().await;
    let start = "{\"workflow\":\"listen\",\"id\":\"one\"}";
    fixture.start(start).await;
    let other = fixture.post("/v1/namespaces/team%20a/workflows", start).await;
    assert_eq!(other.status, 201, "{}", other.body);
    let list = fixture.get("/v1/namespaces/team%20a/workflows").await.json();
    assert_eq!(list["workflows"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["workflows"][0]["run_id"], other.json()["run_id"]);
}

#[tokio::test]
async fn a_host_that_goes_down_lets_go_of_who_waits() {
    let fixture = Fixture::new().await;
    fixture.start("{\"workflow\":\"listen\",\"id\":\"one\"}").await;
    assert_eq!(fixture.get("/readyz").await.status, 200);
    let stream = [("accept", "text/event-stream")];
    let (result, stream, ()) = tokio::join!(
        fixture.get("/v1/workflows/one/result?wait=60s"),
        fixture.send(request(Method::GET, "/v1/workflows/one/history", &stream, Body::empty())),
        async { fixture.host.close() }
    );
    assert_eq!((result.status, stream.status), (202, 200));
    assert!(!stream.body.contains("event: end"), "{}", stream.body);
    assert_eq!(fixture.get("/readyz").await.status, 503);
    assert_eq!(fixture.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_client_and_the_host_understand_each_other() {
    let fixture = Fixture::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = fixture.app.clone();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new(&address, "team a", None).unwrap();
    let start =
        StartRequest { workflow: "echo".into(), id: Some("a/b ✓".into()), ..StartRequest::default() };
    let started = client.start(&start).await.unwrap().value;
    let result = client.result(&started.id, None, Duration::from_secs(30)).await.unwrap();
    assert_eq!(result.value.status, Status::Completed);
    assert_eq!(result.value.result.unwrap().get(), "null");
    assert_eq!(client.describe(&started.id, Some(&started.run_id)).await.unwrap().value.workflow, "echo");
    assert_eq!(client.components(None, None).await.unwrap().value.components.len(), 1);
    let refusal = client.describe("nobody", None).await.unwrap_err();
    assert_eq!(refusal.to_string(), "there is no workflow \"nobody\"");
    server.abort();
}

#[tokio::test]
async fn a_query_is_answered_with_the_bytes_of_the_workflow_and_its_step() {
    let fixture = Fixture::new().await;
    fixture.start("{\"workflow\":\"listen\",\"id\":\"one\"}").await;
    let path = "/v1/workflows/one/queries/echo";
    let answer = fixture.post(path, "{\"input\":{\"a\":  1.50}}").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.ends_with("\"step\":0,\"result\":{\"a\":  1.50}}"), "{}", answer.body);
    let cbor =
        "{\"input_payload\":{\"content_type\":\"application/cbor\",\"data_base64\":\"9g==\"},\"at\":1}";
    assert_eq!(
        fixture.ask(path, serde_json::from_str(cbor).unwrap()).await["result_payload"]["data_base64"],
        "9g=="
    );
    let stale = serde_json::json!({"consistency": "stale"});
    assert_eq!(fixture.ask(path, stale).await["result"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_query_that_fails_says_how_and_why() {
    let fixture = Fixture::new().await;
    fixture.start("{\"workflow\":\"listen\",\"id\":\"one\"}").await;
    fixture.start("{\"workflow\":\"echo\",\"id\":\"over\"}").await;
    fixture.get("/v1/workflows/over/result?wait=30s").await;
    let expected = [
        ("one/queries/start", "{}", 422, "query-tried-to-change", "query-tried-to-change"),
        ("one/queries/silent", "{}", 422, "not-handled", "not-handled"),
        ("one/queries/colour", "{}", 422, "query-failed", "NoSuchQuery"),
        ("over/queries/echo", "{}", 409, "not-served", "not-served"),
        ("none/queries/echo", "{}", 404, "not-found", ""),
        ("one/queries/echo", "{\"at\":7}", 400, "invalid", ""),
        ("one/queries/echo", "{\"at\":-1}", 400, "invalid", ""),
        ("one/queries/echo", "{\"consistency\":\"old\"}", 400, "invalid", ""),
        ("one/queries/echo", "{\"inputs\":1}", 400, "invalid", ""),
        ("one/queries/echo", "{", 400, "malformed-body", ""),
    ];
    for (path, body, status, code, failure) in expected {
        let answer = fixture.post(&format!("/v1/workflows/{path}"), body).await;
        assert_eq!((answer.status, answer.text("code").as_str()), (status, code), "{path}: {}", answer.body);
        assert_eq!(answer.json()["failure"]["type"].as_str().unwrap_or_default(), failure, "{path}");
        assert!(!answer.text("hint").is_empty());
    }
    let described = fixture.get("/v1/workflows/one").await;
    assert_eq!(described.text("status"), "running");
}
