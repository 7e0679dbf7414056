//! Resets and forks, as requests and answers.

use serde_json::json;

use super::Fixture;
use super::bad_input::shown;

async fn history(fixture: &Fixture, id: &str) -> Vec<String> {
    let history = fixture.get(&format!("/v1/workflows/{id}/history")).await.json();
    let events = history["events"].as_array().unwrap();
    events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

async fn result(fixture: &Fixture, id: &str) -> serde_json::Value {
    fixture.get(&format!("/v1/workflows/{id}/result?wait=30s")).await.json()
}

/// An execution that waits for a signal, and has made its first step.
async fn listen(fixture: &Fixture) {
    fixture.start(&json!({"workflow": "listen", "id": "one"}).to_string()).await;
    fixture.ask("/v1/workflows/one/queries/echo", json!({})).await;
}

#[tokio::test]
async fn a_reset_run_goes_on_under_an_id_of_its_own_and_both_say_so() {
    let fixture = Fixture::new().await;
    listen(&fixture).await;
    let first = fixture.get("/v1/workflows/one").await.text("run_id");
    let request = json!({"event": 1, "reason": "a test", "request_id": "r"});
    let reset = fixture.ask("/v1/workflows/one/reset", request.clone()).await;
    assert_eq!((&reset["id"], &reset["step"], &reset["event"]), (&json!("one"), &json!(0), &json!(1)));
    assert_eq!(fixture.ask("/v1/workflows/one/reset", request).await, reset, "the same request");
    let described = fixture.get("/v1/workflows/one").await.json();
    assert_eq!(described["run_id"], reset["run_id"]);
    assert_eq!(described["forked_from"], json!({"id": "one", "run_id": first}));
    assert_eq!(described["forked_step"], 0);
    let of_first = fixture.get(&format!("/v1/workflows/one?run_id={first}")).await.json();
    assert_eq!((&of_first["status"], &of_first["reset_to"]), (&json!("terminated"), &reset["run_id"]));
    assert_eq!(fixture.post("/v1/workflows/one/signals/go", "{\"input\":7}").await.status, 204);
    assert_eq!(result(&fixture, "one").await["result"], 7);
    assert_eq!(
        history(&fixture, "one").await,
        ["workflow-started", "workflow-forked", "signal-received", "workflow-completed"]
    );
    // The signal comes again, unless it is excluded.
    fixture.ask("/v1/workflows/one/reset", json!({"event": 0})).await;
    assert_eq!(result(&fixture, "one").await["result"], 7);
    fixture.ask("/v1/workflows/one/reset", json!({"event": 1, "exclude_signals": true})).await;
    assert_eq!(fixture.get("/v1/workflows/one").await.text("status"), "running");
    let old = json!({"event": 1, "run_id": first}).to_string();
    let refused = fixture.post("/v1/workflows/one/reset", &old).await;
    assert_eq!((refused.status, refused.text("code").as_str()), (409, "not-closed"), "{}", refused.body);
}

#[tokio::test]
async fn a_fork_is_another_execution_with_what_is_to_be_otherwise() {
    let fixture = Fixture::new().await;
    fixture.start(&json!({"workflow": "echo", "id": "one", "input": 1}).to_string()).await;
    assert_eq!(result(&fixture, "one").await["result"], 1);
    let forked = fixture.post("/v1/workflows/one/fork", "{\"id\":\"two\",\"input\":2}").await;
    assert_eq!(forked.status, 201, "{}", forked.body);
    assert_eq!((forked.text("id").as_str(), forked.json().get("step")), ("two", None));
    assert_eq!(result(&fixture, "two").await["result"], 2);
    assert_eq!(result(&fixture, "one").await["result"], 1);

    listen(&fixture).await;
    let forked = fixture.post("/v1/workflows/one/fork", "{}").await;
    let id = forked.text("id");
    assert_eq!((forked.status, forked.json()["step"].clone()), (201, json!(0)), "{}", forked.body);
    assert_eq!(id, forked.text("run_id"));
    assert_eq!(fixture.post(&format!("/v1/workflows/{id}/signals/go"), "{\"input\":3}").await.status, 204);
    assert_eq!(result(&fixture, &id).await["result"], 3);
    assert_eq!(fixture.get("/v1/workflows/one").await.text("status"), "running");
    let taken = fixture.post("/v1/workflows/one/fork", "{\"id\":\"one\"}").await;
    assert_eq!((taken.status, taken.text("code").as_str()), (409, "already-running"), "{}", taken.body);
}

#[tokio::test]
async fn what_cannot_be_reset_or_forked_is_refused_with_the_field_and_the_remedy() {
    let fixture = Fixture::new().await;
    listen(&fixture).await;
    let failure = json!({"type": "T", "message": "m"});
    let cases = [
        ("reset", json!({})),
        ("reset", json!({"event": -1})),
        ("reset", json!({"event": 9})),
        ("reset", json!({"event": 1, "children": "kill"})),
        ("reset", json!({"event": 1, "request_id": ""})),
        ("fork", json!({"event": 9})),
        ("fork", json!({"input": 1, "input_payload": {"content_type": "a/b", "data_base64": ""}})),
        ("fork", json!({"activity_results": {"one": {"result": 1}}})),
        ("fork", json!({"activity_results": {"1": {"result": 1, "failure": failure}}})),
        ("fork", json!({"activity_results": {"1": {"result": 1}}})),
        ("fork", json!({"activity_results": {"1": {"result": 1}}, "input": 1})),
        ("fork", json!({"version": 9})),
        ("fork", json!({"component": "no"})),
    ];
    let mut all = String::new();
    for (action, body) in cases {
        let refused = fixture.post(&format!("/v1/workflows/one/{action}"), &body.to_string()).await;
        all += &shown(&format!("{action} {body}"), &refused);
    }
    expect_test::expect![[r#"
        reset {}
          400 invalid [event]
          missing field `event` at line 1 column 2
          see /openapi.json for the fields and their types
        reset {"event":-1}
          400 invalid [event]
          event: invalid value: integer `-1`, expected u64 at line 1 column 11
          see /openapi.json for the fields and their types
        reset {"event":9}
          400 invalid [event]
          event is 9: give the number of an event, from 1 to 1
          correct the value and send the request again
        reset {"children":"kill","event":1}
          400 invalid [children]
          children: unknown variant `kill`, expected `leave` or `adopt` at line 1 column 18
          see /openapi.json for the fields and their types
        reset {"event":1,"request_id":""}
          400 invalid [request_id]
          request_id is empty: give it at least one character
          correct the value and send the request again
        fork {"event":9}
          400 invalid [event]
          event is 9: give the number of an event, from 1 to 1
          correct the value and send the request again
        fork {"input":1,"input_payload":{"content_type":"a/b","data_base64":""}}
          400 invalid [input_payload]
          input and input_payload are both there
          send JSON as input, any other value as input_payload
        fork {"activity_results":{"one":{"result":1}}}
          400 invalid [activity_results.one]
          "one" is not an activity's id
          use its number in the run, as the history and the run's description show it
        fork {"activity_results":{"1":{"failure":{"message":"m","type":"T"},"result":1}}}
          400 invalid [activity_results.1]
          there are a result and a failure
          an activity ends with one of them: leave the other out
        fork {"activity_results":{"1":{"result":1}}}
          400 invalid [activity_results.1]
          activity_results.1 is of no activity whose outcome the run was given: see the run's history
          correct the value and send the request again
        fork {"activity_results":{"1":{"result":1}},"input":1}
          400 invalid [activity_results]
          activity_results does not go with another input: with that no step is kept, and no activity has an outcome yet
          correct the value and send the request again
        fork {"version":9}
          404 not-found
          there is no component version "scripts 9"
          check the spelling and the namespace, or list what there is
        fork {"component":"no"}
          404 not-found
          there is no component "no"
          check the spelling and the namespace, or list what there is
    "#]].assert_eq(&all);
}
