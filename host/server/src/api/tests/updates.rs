//! Updates: what their senders are answered, at once and later.

use std::fmt::Write;

use expect_test::expect;
use serde_json::{Value, json};

use super::bad_input::shown;
use super::{Answer, Fixture};

const LISTEN: &str = "{\"workflow\":\"listen\",\"id\":\"one\"}";

async fn update(fixture: &Fixture, name: &str, body: Value) -> Answer {
    fixture.post(&format!("/v1/workflows/one/updates/{name}"), &body.to_string()).await
}

async fn ask(fixture: &Fixture, update_id: &str, query: &str) -> Answer {
    fixture.get(&format!("/v1/workflows/one/updates/{update_id}{query}")).await
}

/// Status, stage, and the answer or the failure's type.
fn told(answer: &Answer) -> (u16, String, Value) {
    let body = answer.json();
    let result = if body["failure"].is_null() { &body["result"] } else { &body["failure"]["type"] };
    (answer.status, answer.text("stage"), result.clone())
}

fn expected(status: u16, stage: &str, result: Value) -> (u16, String, Value) {
    (status, stage.to_owned(), result)
}

#[tokio::test]
async fn an_update_is_answered_with_what_the_workflow_says_and_again_when_it_is_asked_for() {
    let fixture = Fixture::new().await;
    fixture.start(LISTEN).await;
    let cases = [
        ("echo", expected(200, "completed", json!([7]))),
        ("fail", expected(200, "completed", json!("TooLate"))),
        ("refuse", expected(200, "rejected", json!("TooLate"))),
        ("unheard%2Fof", expected(200, "rejected", json!("not-handled"))),
    ];
    for (name, answer) in cases {
        let first = update(&fixture, name, json!({"input": [7]})).await;
        assert_eq!(told(&first), answer, "{name}");
        let id = first.text("update_id");
        assert!(!id.is_empty(), "the host makes an id");
        let later = ask(&fixture, &id, "").await;
        assert_eq!((later.status, later.body), (200, first.body.clone()), "{name}");
        let again = update(&fixture, name, json!({"input": [8], "update_id": id})).await;
        assert_eq!((again.status, again.body), (200, first.body), "the same update: {name}");
    }
    let encoded = json!({"content_type": "application/cbor", "data_base64": "oWFhAQ=="});
    let answer = update(&fixture, "echo", json!({"input_payload": encoded})).await.json();
    assert_eq!((&answer["result_payload"], &answer["result"]), (&encoded, &Value::Null));
}

#[tokio::test]
async fn an_update_without_an_answer_tells_its_stage_and_ends_with_its_run() {
    let fixture = Fixture::new().await;
    fixture.start(LISTEN).await;
    let held = json!({"update_id": "h", "wait_for_stage": "accepted"});
    let accepted = update(&fixture, "hold", held).await;
    assert_eq!(told(&accepted), expected(200, "accepted", Value::Null));
    let waits = update(&fixture, "hold", json!({"update_id": "h", "wait": "10ms"})).await;
    assert_eq!(told(&waits), expected(202, "accepted", Value::Null));
    assert_eq!(told(&ask(&fixture, "h", "").await), expected(202, "accepted", Value::Null));
    let asked = ask(&fixture, "h", "?wait_for_stage=accepted&wait=30s").await;
    assert_eq!(told(&asked), expected(200, "accepted", Value::Null));

    assert_eq!(fixture.post("/v1/workflows/one/pause", "{}").await.status, 204);
    let admitted = update(&fixture, "echo", json!({"update_id": "e", "wait_for_stage": "admitted"})).await;
    assert_eq!(told(&admitted), expected(200, "admitted", Value::Null));
    let described = fixture.get("/v1/workflows/one").await.json();
    let pending = described["pending_updates"].as_array().unwrap().iter();
    let pending: Vec<_> =
        pending.map(|update| (&update["update_id"], &update["name"], &update["stage"])).collect();
    assert_eq!(
        pending,
        [
            (&json!("h"), &json!("hold"), &json!("accepted")),
            (&json!("e"), &json!("echo"), &json!("admitted")),
        ]
    );
    let (ended, answered) =
        tokio::join!(fixture.post("/v1/workflows/one/terminate", "{}"), ask(&fixture, "h", "?wait=30s"));
    assert_eq!(ended.status, 204);
    assert_eq!(told(&answered), expected(200, "completed", json!("run-ended")));
    assert_eq!(told(&ask(&fixture, "e", "").await), expected(200, "completed", json!("run-ended")));
}

#[tokio::test]
async fn a_host_that_goes_down_says_how_an_update_stands() {
    let fixture = Fixture::new().await;
    fixture.start(LISTEN).await;
    let (answer, ()) = tokio::join!(update(&fixture, "hold", json!({"wait": "60s"})), async {
        while fixture.get("/v1/workflows/one").await.json()["pending_updates"] == json!([]) {
            tokio::task::yield_now().await;
        }
        fixture.host.close();
    });
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert!(!answer.text("update_id").is_empty());
}

#[tokio::test]
async fn an_update_with_start_answers_with_the_run_and_with_the_update() {
    let fixture = Fixture::new().await;
    let start = async |more: Value| {
        let mut body = json!({"workflow": "listen", "id": "one"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fixture.post("/v1/workflows", &body.to_string()).await
    };
    let echo = json!({"request_id": "r", "update": {"name": "echo", "input": 7}});
    let first = start(echo.clone()).await;
    let body = first.json();
    assert_eq!((first.status, &body["created"]), (201, &json!(true)), "{body}");
    let told = |body: &Value| (body["update"]["stage"].clone(), body["update"]["result"].clone());
    assert_eq!(told(&body), (json!("completed"), json!(7)));
    assert_eq!(body["update"]["update_id"], "r", "a repeated start repeats its update");
    let again = start(echo).await;
    assert_eq!((again.status, &again.json()["update"]), (200, &body["update"]));

    let joins = start(json!({"update": {"name": "echo", "input": 8, "update_id": "second"}})).await;
    assert_eq!((joins.status, told(&joins.json())), (200, (json!("completed"), json!(8))));
    assert_eq!(joins.text("run_id"), body["run_id"]);
    let waits = start(json!({"update": {"name": "hold", "wait": "10ms"}})).await;
    assert_eq!((waits.status, told(&waits.json())), (200, (json!("accepted"), Value::Null)));
    let without = fixture.post("/v1/workflows", "{\"workflow\":\"echo\"}").await;
    assert!(!without.body.contains("update"), "{}", without.body);
}

#[tokio::test]
async fn updates_that_cannot_be_are_refused_with_the_field_and_the_remedy() {
    let fixture = Fixture::new().await;
    fixture.start(LISTEN).await;
    let mut all = String::new();
    for body in [
        json!({"wait_for_stage": "complete"}),
        json!({"wait": "soon"}),
        json!({"update_id": ""}),
        json!({"update_id": ".."}),
        json!({"update_id": "a\nb"}),
        json!({"name": "echo"}),
        json!({"run_id": "one"}),
    ] {
        let answer = update(&fixture, "echo", body.clone()).await;
        write!(all, "{}", shown(&body.to_string(), &answer)).unwrap();
    }
    for query in ["?wait_for_stage=rejected", "?stage=admitted", "?wait=-1s", ""] {
        write!(all, "{}", shown(query, &ask(&fixture, "unknown", query).await)).unwrap();
    }
    for more in [
        json!({"update": {}}),
        json!({"update": {"name": ""}}),
        json!({"update": {"name": "echo", "wait": "soon"}}),
        json!({"update": {"name": "echo"}, "signal": "go"}),
    ] {
        let mut body = json!({"workflow": "listen", "id": "two"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = fixture.post("/v1/workflows", &body.to_string()).await;
        write!(all, "{}", shown(&more.to_string(), &answer)).unwrap();
    }
    let unknown = fixture.post("/v1/workflows/nobody/updates/echo", "{}").await;
    write!(all, "{}", shown("no such workflow", &unknown)).unwrap();
    fixture.post("/v1/workflows/one/signals/go", "{}").await;
    fixture.get("/v1/workflows/one/result?wait=30s").await;
    let closed = update(&fixture, "echo", json!({})).await;
    assert_eq!((closed.status, closed.text("code").as_str()), (409, "closed"), "{}", closed.body);
    expect![[r#"
        {"wait_for_stage":"complete"}
          400 invalid [wait_for_stage]
          wait_for_stage: unknown variant `complete`, expected one of `admitted`, `accepted`, `completed` at line 1 column 28
          did you mean `completed`?
        {"wait":"soon"}
          400 invalid [wait]
          "soon" is not a length of time
          write it like 30s or 500ms; more than 60 s is cut to that
        {"update_id":""}
          400 invalid [update_id]
          update_id is empty: give it at least one character
          correct the value and send the request again
        {"update_id":".."}
          400 invalid [update_id]
          ".." cannot be part of a URL
          choose another name: `.` and `..` have a meaning of their own in paths
        {"update_id":"a\nb"}
          400 invalid [update_id]
          update_id "a\nb" contains the control character '\n': use printable characters
          correct the value and send the request again
        {"name":"echo"}
          400 invalid [name]
          unknown field `name`, expected one of `input`, `input_payload`, `update_id`, `run_id`, `wait_for_stage`, `wait` at line 1 column 7
          see /openapi.json for the fields and their types
        {"run_id":"one"}
          400 invalid [run_id]
          run id "one" is not a UUID: copy it from `workflow list` or from the start's answer
          leave it out for the execution's current run
        ?wait_for_stage=rejected
          400 invalid [wait_for_stage]
          "rejected" is not a stage to wait for
          use one of admitted, accepted, completed
        ?stage=admitted
          400 invalid [stage]
          unknown field `stage`, expected one of `run_id`, `wait_for_stage`, `wait`
          see /openapi.json for the fields and their types
        ?wait=-1s
          400 invalid [wait]
          "-1s" is not a length of time
          write it like 30s or 500ms; more than 60 s is cut to that

          404 not-found
          there is no update "unknown"
          check the spelling and the namespace, or list what there is
        {"update":{}}
          400 invalid [update.name]
          update: missing field `name` at line 1 column 23
          see /openapi.json for the fields and their types
        {"update":{"name":""}}
          400 invalid [update]
          update is empty: give it at least one character
          correct the value and send the request again
        {"update":{"name":"echo","wait":"soon"}}
          400 invalid [update.wait]
          "soon" is not a length of time
          write it like 30s or 500ms; more than 60 s is cut to that
        {"signal":"go","update":{"name":"echo"}}
          400 invalid [update]
          update comes with a signal, and a start has one message at most: send the signal when the start is answered
          correct the value and send the request again
        no such workflow
          404 not-found
          there is no workflow "nobody"
          check the spelling and the namespace, or list what there is
    "#]].assert_eq(&all);
}

#[tokio::test]
async fn more_updates_than_a_run_takes_are_refused_for_now() {
    let fixture = Fixture::new().await;
    fixture.start(LISTEN).await;
    let held = |n: usize| json!({"update_id": format!("u{n}"), "wait_for_stage": "admitted"});
    for n in 0..100 {
        assert_eq!(update(&fixture, "hold", held(n)).await.status, 200);
    }
    let one_more = update(&fixture, "hold", held(100)).await;
    assert_eq!(one_more.headers["retry-after"], "1");
    expect![[r#"
        one more
          429 busy
          workflow "one" has 100 updates that wait for an answer, and takes no more
          send more slowly: try again when some of them have their answers
    "#]]
    .assert_eq(&shown("one more", &one_more));
    // One that is there is answered all the same.
    assert_eq!(update(&fixture, "hold", held(7)).await.status, 200);
    assert_eq!(fixture.post("/v1/workflows/one/terminate", "{}").await.status, 204);
    assert_eq!(told(&ask(&fixture, "u99", "").await), expected(200, "completed", json!("run-ended")));
}
