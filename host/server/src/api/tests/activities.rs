//! What workers and operators get when they ask as they should.

use axum::body::Body;
use axum::http::Method;
use refrain_runtime::{QueueLimits, RateLimits};
use serde_json::{Value, json};

use super::{Answer, Fixture, OFFERED, request, send};
use crate::client::{Client, HistoryQuery, StreamEvent};
use crate::wire::{CompleteActivity, HeartbeatActivity};

/// Starts a run whose activity `charge` waits in the task queue `q`.
async fn charged(fixture: &Fixture, id: &str) {
    fixture.work(id, "charge", "q").await;
}

async fn poll(fixture: &Fixture, poll_id: &str, wait: &str) -> Answer {
    let body = json!({"worker": "host-7:4711", "poll_id": poll_id, "wait": wait});
    fixture.post("/v1/task-queues/q/poll", &body.to_string()).await
}

/// The next task, which must come.
async fn task(fixture: &Fixture, poll_id: &str) -> Value {
    let answer = poll(fixture, poll_id, "30s").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// The run's only pending activity.
async fn pending(fixture: &Fixture, id: &str) -> Value {
    let described = fixture.get(&format!("/v1/workflows/{id}")).await.json();
    assert_eq!(described["pending_activities"].as_array().map(Vec::len), Some(1), "{described}");
    described["pending_activities"][0].clone()
}

async fn result(fixture: &Fixture, id: &str) -> Answer {
    fixture.get(&format!("/v1/workflows/{id}/result?wait=30s")).await
}

#[tokio::test]
async fn a_worker_gets_a_task_and_completes_it() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let answer = poll(&fixture, "p", "30s").await;
    assert!(answer.body.contains("\"input\":{\"amount\":  7}"), "byte for byte: {}", answer.body);
    let task = answer.json();
    let run_id = fixture.get("/v1/workflows/one").await.text("run_id");
    let told = [
        ("activity", json!("charge")),
        ("attempt", json!(1)),
        ("workflow_id", json!("one")),
        ("run_id", json!(run_id)),
        ("activity_id", json!("1")),
        ("workflow", json!("work")),
        ("task_queue", json!("q")),
        ("namespace", json!("default")),
        ("heartbeat_timeout", json!("3600s")),
        ("priority", json!(2)),
        ("last_heartbeat", Value::Null),
    ];
    for (field, expected) in told {
        assert_eq!(task[field], expected, "{field} of {task}");
    }
    let times = ["scheduled_at", "started_at", "deadline"]
        .map(|field| task[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
    assert!(times.is_sorted(), "{task}");
    let running = pending(&fixture, "one").await;
    assert_eq!(
        [&running["state"], &running["runner"], &running["worker"], &running["task_queue"]],
        ["running", "worker", "host-7:4711", "q"]
    );

    let done = fixture
        .ask("/v1/activities/complete", json!({"task_token": task["task_token"], "result": {"id": 9}}))
        .await;
    assert_eq!(done, json!({}));
    let result = result(&fixture, "one").await;
    assert!(result.body.contains("\"result\":{\"id\":9}"), "{}", result.body);
}

#[tokio::test]
async fn what_is_not_json_passes_through_a_task_too() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let task = task(&fixture, "p").await;
    let encoded = json!({"content_type": "application/cbor", "data_base64": "oWFhAQ=="});
    let complete = json!({"task_token": task["task_token"], "result_payload": encoded});
    fixture.ask("/v1/activities/complete", complete).await;
    assert_eq!(result(&fixture, "one").await.json()["result_payload"], encoded);
}

#[tokio::test]
async fn a_poll_whose_answer_was_lost_gets_the_same_task_again() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let first = task(&fixture, "p").await;
    assert_eq!(task(&fixture, "p").await["task_token"], first["task_token"]);
    let other = poll(&fixture, "another", "0s").await;
    assert_eq!((other.status, other.body.as_str()), (204, ""));
}

#[tokio::test]
async fn a_failed_attempt_is_followed_by_one_that_knows_how_far_it_came() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let first = task(&fixture, "p").await;
    let beat = json!({"task_token": first["task_token"], "details": {"step": 3}});
    let wants = fixture.ask("/v1/activities/heartbeat", beat).await;
    assert_eq!(wants, json!({"cancel_requested": false, "paused": false, "reset": false}));
    let failure = json!({"type": "Busy", "message": "later"});
    let fail = json!({"task_token": first["task_token"], "failure": failure, "next_retry_delay": "1ms"});
    fixture.ask("/v1/activities/fail", fail).await;

    let second = task(&fixture, "p2").await;
    assert_eq!((&second["attempt"], &second["last_heartbeat"]), (&json!(2), &json!({"step": 3})));
    assert_eq!(second["idempotency_key"], first["idempotency_key"]);
    let failure = json!({
        "type": "Declined", "message": "charge the card", "non_retryable": true, "details": [1], "stack": "at pay.py:3",
        "causes": [{"type": "Io", "message": "connection refused"}]
    });
    let fail = json!({"task_token": second["task_token"], "failure": failure, "benign": true});
    fixture.ask("/v1/activities/fail", fail).await;
    let result = result(&fixture, "one").await.json();
    let told = &result["failure"];
    assert_eq!(result["status"], "failed");
    for field in ["type", "message", "non_retryable", "details", "stack"] {
        assert_eq!(told[field], failure[field], "{field} of {told}");
    }
    assert_eq!(told["causes"][0]["message"], "connection refused");
}

#[tokio::test]
async fn reports_of_a_stale_task_are_refused_with_the_reason() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let task = task(&fixture, "p").await;
    let token = json!({"task_token": task["task_token"]}).to_string();
    assert_eq!(fixture.post("/v1/activities/complete", &token).await.status, 200);
    assert_eq!(result(&fixture, "one").await.status, 200);
    let failing =
        json!({"task_token": task["task_token"], "failure": {"type": "E", "message": "m"}}).to_string();
    let reports = [("complete", &token), ("fail", &failing), ("cancel", &token), ("heartbeat", &token)];
    for (what, body) in reports {
        let refused = fixture.post(&format!("/v1/activities/{what}"), body).await;
        assert_eq!((refused.status, refused.text("code").as_str()), (409, "stale-task"), "{what}");
        assert_eq!(refused.text("type"), "urn:refrain:problem:stale-task");
        assert!(refused.text("detail").contains("has ended"), "{what}: {}", refused.body);
    }
}

#[tokio::test]
async fn a_pending_attempt_is_ended_from_outside_by_its_ids() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let task = task(&fixture, "p").await;
    fixture.ask("/v1/activities/pending", json!({"task_token": task["task_token"]})).await;
    assert_eq!(pending(&fixture, "one").await["runner"], "outside");
    let path = "/v1/workflows/one/activities/1";
    let wants = fixture.ask(&format!("{path}/heartbeat"), json!({"details": "half"})).await;
    assert_eq!(wants["cancel_requested"], false);
    fixture.ask(&format!("{path}/complete"), json!({"result": "approved", "run_id": task["run_id"]})).await;
    assert_eq!(result(&fixture, "one").await.text("result"), "approved");
}

#[tokio::test]
async fn an_attempt_hears_that_it_is_not_wanted_and_says_that_it_stopped() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let token = task(&fixture, "p").await["task_token"].clone();
    assert_eq!(fixture.post("/v1/workflows/one/cancel", "{}").await.status, 204);
    loop {
        let wants = fixture.ask("/v1/activities/heartbeat", json!({"task_token": token})).await;
        if wants["cancel_requested"] == true {
            break;
        }
        tokio::task::yield_now().await;
    }
    fixture.ask("/v1/activities/cancel", json!({"task_token": token, "details": "undone"})).await;
    let failure = result(&fixture, "one").await.json()["failure"].clone();
    assert_eq!((&failure["kind"], &failure["details"]), (&json!("canceled"), &json!("undone")));
}

#[tokio::test]
async fn an_activity_that_waits_is_canceled_by_hand() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    fixture.ask("/v1/workflows/one/activities/1/cancel", json!({"details": "undone"})).await;
    let failure = result(&fixture, "one").await.json()["failure"].clone();
    assert_eq!((&failure["kind"], &failure["details"]), (&json!("canceled"), &json!("undone")));
}

#[tokio::test]
async fn operators_pause_change_reset_and_fail_an_activity() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let path = |what: &str| format!("/v1/workflows/one/activities/1/{what}");
    fixture.ask(&path("pause"), json!({"reason": "a look at it"})).await;
    let paused = pending(&fixture, "one").await;
    assert_eq!((&paused["state"], &paused["paused"]["reason"]), (&json!("paused"), &json!("a look at it")));
    assert_eq!(poll(&fixture, "p", "0s").await.status, 204, "a paused activity is not handed out");

    let update = json!({
        "task_queue": "other", "heartbeat_timeout": null, "start_to_close_timeout": "1m", "priority": 1,
        "retry": {"maximum_attempts": 3}
    });
    fixture.ask(&path("update-options"), update).await;
    fixture.ask(&path("unpause"), json!({})).await;
    let body = json!({"worker": "w", "poll_id": "o", "wait": "30s"});
    let task = fixture.ask("/v1/task-queues/other/poll", body).await;
    assert_eq!((&task["priority"], task.get("heartbeat_timeout")), (&json!(1), None));
    assert_eq!(pending(&fixture, "one").await["maximum_attempts"], 3);

    fixture.ask(&path("reset"), json!({"reset_heartbeat": true})).await;
    let wants = fixture.ask("/v1/activities/heartbeat", json!({"task_token": task["task_token"]})).await;
    assert_eq!(wants, json!({"cancel_requested": false, "paused": false, "reset": true}));
    let failure = json!({"type": "E", "message": "by hand", "non_retryable": true});
    fixture.ask(&path("fail"), json!({"failure": failure})).await;
    let body = json!({"worker": "w", "poll_id": "o2", "wait": "30s"});
    let again = fixture.ask("/v1/task-queues/other/poll", body).await;
    assert_eq!(again["attempt"], 1, "a reset activity begins again, however its attempt ended");
}

#[tokio::test]
async fn a_worker_that_goes_away_while_it_polls_takes_no_task_with_it() {
    let fixture = Fixture::new().await;
    let body = json!({"worker": "w", "poll_id": "gone", "wait": "60s"}).to_string();
    let headers = [("content-type", "application/json")];
    let polling = request(Method::POST, "/v1/task-queues/q/poll", &headers, Body::from(body));
    let gone = tokio::spawn(send(fixture.app.clone(), polling));
    while fixture.get("/v1/task-queues/q").await.json()["waiting_pollers"] != 1 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.is_err_and(|error| error.is_cancelled()));
    charged(&fixture, "one").await;
    assert_eq!(task(&fixture, "another").await["attempt"], 1);
}

#[tokio::test]
async fn a_poll_takes_only_the_types_that_it_lists() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let body =
        |activity: &str| json!({"worker": "w", "poll_id": activity, "wait": "0s", "activities": [activity]});
    let other = fixture.post("/v1/task-queues/q/poll", &body("refund").to_string()).await;
    assert_eq!(other.status, 204);
    assert_eq!(fixture.ask("/v1/task-queues/q/poll", body("charge")).await["activity"], "charge");
}

#[tokio::test]
async fn task_queues_say_what_waits_what_runs_and_who_polls() {
    let limits = RateLimits { concurrency: Some(1), rate: Some(0.5), burst: Some(3) };
    let fixture = Fixture::with(|options| {
        options.task_queues.insert("q".to_owned(), QueueLimits { limits, in_process: true });
    })
    .await;
    for id in ["one", "two"] {
        charged(&fixture, id).await;
    }
    fixture.work("three", OFFERED, "q").await;
    task(&fixture, "p").await;
    let queue = fixture.get("/v1/task-queues/q").await.json();
    assert_eq!(queue["backlog"], 2, "{queue}");
    assert_eq!((&queue["name"], &queue["running"]), (&json!("q"), &json!(1)));
    assert!(queue["oldest_task_age"].as_str().unwrap().ends_with('s'), "{queue}");
    assert_eq!(queue["pollers"][0]["worker"], "host-7:4711");
    assert_eq!(queue["by_priority"], json!({"1": 0, "2": 2, "3": 0, "4": 0, "5": 0}));
    assert_eq!(queue["limits"], json!({"concurrency": 1, "rate": 0.5, "burst": 3, "in_process": true}));
    let by_activity = queue["by_activity"].as_array().unwrap();
    let in_process = |name: &str| {
        let found = by_activity.iter().find(|activity| activity["activity"] == name);
        found.map(|activity| activity["in_process"].clone())
    };
    assert_eq!((in_process("charge"), in_process(OFFERED)), (Some(json!(false)), Some(json!(true))));

    let list = fixture.get("/v1/task-queues").await.json();
    assert_eq!(list["task_queues"][0]["name"], "q");
    let unused = fixture.get("/v1/task-queues/nobody%20used").await.json();
    assert_eq!((&unused["name"], &unused["backlog"]), (&json!("nobody used"), &json!(0)));
    let elsewhere = fixture.get("/v1/namespaces/team%20a/task-queues/q").await.json();
    assert_eq!(elsewhere["backlog"], 0, "task queues of two namespaces never meet");
}

#[tokio::test]
async fn a_start_that_finds_its_task_queue_full_is_told_when_to_come_again() {
    let fixture = Fixture::with(|options| options.queued_tasks = 1).await;
    charged(&fixture, "one").await;
    let start = json!({"workflow": "echo", "task_queue": "q"}).to_string();
    let refused = fixture.post("/v1/workflows", &start).await;
    assert_eq!((refused.status, refused.text("code").as_str()), (429, "queue-full"), "{}", refused.body);
    assert_eq!(refused.headers["retry-after"], "5");
    let elsewhere = fixture.post("/v1/workflows", "{\"workflow\":\"echo\"}").await;
    assert_eq!(elsewhere.status, 201, "other queues have room");
}

#[tokio::test]
async fn a_host_that_goes_down_lets_go_of_workers_that_wait() {
    let fixture = Fixture::new().await;
    let (answer, ()) = tokio::join!(poll(&fixture, "p", "60s"), fixture.host.runtime().shutdown());
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
}

#[tokio::test]
async fn who_follows_a_run_hears_how_far_its_activities_have_come() {
    let fixture = Fixture::new().await;
    charged(&fixture, "one").await;
    let task = task(&fixture, "p").await;
    fixture.ask("/v1/activities/pending", json!({"task_token": task["task_token"]})).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let app = fixture.app.clone();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new(&address, "default", None).unwrap();

    let details = || Some(serde_json::from_str("{\"step\":  3}").unwrap());
    let beat = HeartbeatActivity { details: details(), ..HeartbeatActivity::default() };
    client.heartbeat_activity("one", 1, &beat).await.unwrap();
    let mut stream = client.events("one", HistoryQuery::default()).await.unwrap();
    let mut heard = Vec::new();
    while let Some(event) = stream.next().await.unwrap() {
        match event {
            StreamEvent::History(event) => heard.push(event.event_type),
            StreamEvent::Heartbeat(beat) => {
                assert_eq!(
                    (beat.activity_id.as_str(), beat.activity.as_str(), beat.attempt),
                    ("1", "charge", 1)
                );
                assert_eq!(beat.details.unwrap().get(), "{\"step\":  3}");
                heard.push(beat.event_type);
                client.complete_activity("one", 1, &CompleteActivity::default()).await.unwrap();
            }
            StreamEvent::End => heard.push("end".to_owned()),
        }
    }
    let expected = [
        "workflow-started",
        "activity-scheduled",
        "heartbeat",
        "activity-completed",
        "workflow-completed",
        "end",
    ];
    assert_eq!(heard, expected);
    let stream = [("accept", "text/event-stream")];
    let path = "/v1/workflows/one/history";
    let body = fixture.send(request(Method::GET, path, &stream, Body::empty())).await.body;
    assert!(!body.contains("heartbeat"), "heartbeats are no part of the history: {body}");
    server.abort();
}
