//! Policies of starts, timeouts, retries, delays, pauses and deletion, as requests and answers.

use axum::body::Body;
use axum::http::Method;
use expect_test::expect;
use serde_json::{Value, json};

use super::bad_input::shown;
use super::{Answer, Fixture, request};

async fn start(fixture: &Fixture, workflow: &str, options: Value) -> Answer {
    let mut body = json!({"workflow": workflow, "id": "one"});
    body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    fixture.post("/v1/workflows", &body.to_string()).await
}

async fn delete(fixture: &Fixture, path: &str) -> Answer {
    fixture.send(request(Method::DELETE, path, &[], Body::empty())).await
}

async fn end(fixture: &Fixture) -> Answer {
    fixture.get("/v1/workflows/one/result?wait=30s").await
}

#[tokio::test]
async fn policies_decide_what_becomes_of_an_id_in_use() {
    let fixture = Fixture::new().await;
    let first = start(&fixture, "listen", json!({})).await.text("run_id");
    let cases = [
        (json!({"id_conflict_policy": "fail"}), 409, None),
        (json!({"id_conflict_policy": "use-existing", "request_id": "r"}), 200, Some(true)),
        (json!({"id_conflict_policy": "terminate-existing"}), 201, Some(false)),
    ];
    for (options, status, same) in cases {
        let answer = start(&fixture, "listen", options).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(same.map(|_| answer.text("run_id") == first), same, "{}", answer.body);
    }
    let of_first = fixture.get(&format!("/v1/workflows/one/result?run_id={first}")).await;
    assert_eq!(of_first.text("status"), "terminated");

    let signals = json!({"signal": "go", "signal_input": [7], "request_id": "s"});
    assert_eq!(start(&fixture, "listen", signals).await.status, 200);
    assert_eq!(end(&fixture).await.json()["result"], json!([7]));
    for (policy, status) in [("reject", 409), ("allow-failed-only", 409), ("allow", 201)] {
        let answer = start(&fixture, "echo", json!({"id_reuse_policy": policy})).await;
        assert_eq!(answer.status, status, "{policy}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_failed_run_is_tried_again_and_its_description_says_why_and_when() {
    let fixture = Fixture::new().await;
    let retry = json!({"initial_interval": "1h", "maximum_attempts": 3});
    let options = json!({"retry": retry, "run_timeout": "1h 30m", "execution_timeout": "24h"});
    assert_eq!(start(&fixture, "fail", options).await.status, 201);
    let second = loop {
        let described = fixture.get("/v1/workflows/one").await.json();
        if described["attempt"] == 2 {
            break described;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(second["last_failure"]["type"], "Backup");
    assert_eq!(second["retry"]["initial_interval"], "1h");
    assert_eq!(second["run_timeout"], "1h 30m");
    for time in ["delayed_until", "deadline", "execution_deadline"] {
        assert!(second[time].is_string(), "{time} in {second}");
    }
    let history = fixture.get("/v1/workflows/one/history").await.json();
    let delayed = &history["events"][1];
    assert_eq!(delayed["type"], "workflow-delayed");
    assert_eq!(delayed["attributes"]["last_failure"]["type"], "Backup");

    let short = json!({"id": "two", "run_timeout": "20ms", "start_delay": "10ms"});
    assert_eq!(start(&fixture, "listen", short).await.status, 201);
    let ended = fixture.get("/v1/workflows/two/result?wait=30s").await.json();
    let failure = &ended["failure"];
    assert_eq!((&ended["status"], &failure["type"]), (&json!("timed-out"), &json!("run")), "{ended}");
    let listed = fixture.get("/v1/workflows?status=timed-out").await.json();
    assert_eq!(listed["workflows"][0]["id"], "two");
}

#[tokio::test]
async fn a_run_is_paused_unpaused_and_deleted_when_it_has_ended() {
    let fixture = Fixture::new().await;
    start(&fixture, "listen", json!({})).await;
    let path = "/v1/workflows/one";
    assert_eq!(fixture.post(&format!("{path}/pause"), "{\"reason\":\"holidays\"}").await.status, 204);
    assert_eq!(fixture.post(&format!("{path}/signals/go"), "{}").await.status, 204);
    let paused = fixture.get(path).await.json();
    assert_eq!((&paused["status"], &paused["paused"]["reason"]), (&json!("paused"), &json!("holidays")));
    let refused = delete(&fixture, path).await;
    assert_eq!((refused.status, refused.text("code").as_str()), (409, "not-closed"), "{}", refused.body);
    assert_eq!(fixture.post(&format!("{path}/unpause"), "{}").await.status, 204);
    assert_eq!(end(&fixture).await.text("status"), "completed");
    let deleted = delete(&fixture, path).await;
    assert_eq!((deleted.status, deleted.json()), (200, json!({"runs": 1})));
    for gone in [fixture.get(path).await, delete(&fixture, path).await, end(&fixture).await] {
        assert_eq!(gone.status, 404, "{}", gone.body);
    }
}

#[tokio::test]
async fn options_that_cannot_be_are_refused_with_the_field_and_the_remedy() {
    let fixture = Fixture::new().await;
    let cases = [
        json!({"id_reuse_policy": "rejct"}),
        json!({"id_conflict_policy": true}),
        json!({"id_reuse_policy": "reject", "id_conflict_policy": "terminate-existing"}),
        json!({"run_timeout": "soon"}),
        json!({"execution_timeout": "0s"}),
        json!({"start_delay": "1h", "execution_timeout": "30m"}),
        json!({"retry": {"backoff_coefficient": 0.5}}),
        json!({"retry": {"maximum_attempt": 1}}),
        json!({"signal": ""}),
        json!({"signal_input": 1}),
    ];
    let mut all = String::new();
    for case in cases {
        all.push_str(&shown(&case.to_string(), &start(&fixture, "echo", case.clone()).await));
    }
    expect![[r#"
        {"id_reuse_policy":"rejct"}
          400 invalid [id_reuse_policy]
          id_reuse_policy: unknown variant `rejct`, expected one of `allow`, `allow-failed-only`, `reject` at line 1 column 37
          did you mean `reject`?
        {"id_conflict_policy":true}
          400 malformed-body
          not JSON: expected value at line 1 column 34
          send one JSON object in UTF-8, `{}` at least
        {"id_conflict_policy":"terminate-existing","id_reuse_policy":"reject"}
          400 invalid [id_conflict_policy]
          id_conflict_policy makes the id that of a run that has ended, and id_reuse_policy forbids to use such an id again: allow that, or choose another conflict policy
          correct the value and send the request again
        {"run_timeout":"soon"}
          400 invalid [run_timeout]
          "soon" is not a length of time
          write it like 30s, 1h 30m, 7d or 500ms
        {"execution_timeout":"0s"}
          400 invalid [execution_timeout]
          execution_timeout is zero: give a length of time above zero, or leave it out
          correct the value and send the request again
        {"execution_timeout":"30m","start_delay":"1h"}
          400 invalid [start_delay]
          start_delay is 3600s, and the execution timeout of 1800s passes before it is over: give a longer timeout, which includes the delay
          correct the value and send the request again
        {"retry":{"backoff_coefficient":0.5}}
          400 invalid [retry.backoff_coefficient]
          retry.backoff_coefficient is 0.5: give a finite number of at least 1.0
          correct the value and send the request again
        {"retry":{"maximum_attempt":1}}
          400 invalid [retry.maximum_attempt]
          unknown field `maximum_attempt`, expected one of `initial_interval`, `backoff_coefficient`, `maximum_interval`, `maximum_attempts`, `non_retryable_error_types`, `jitter` at line 1 column 38
          did you mean `maximum_attempts`?
        {"signal":""}
          400 invalid [signal]
          signal is empty: give it at least one character
          correct the value and send the request again
        {"signal_input":1}
          400 invalid [signal_input]
          there is an input and no signal that it is for
          name the signal in the field `signal`
    "#]].assert_eq(&all);
}
