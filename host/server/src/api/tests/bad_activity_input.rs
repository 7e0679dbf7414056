//! What is refused of workers and operators, and with which words.

use expect_test::expect;

use super::bad_input::shown;
use super::{Answer, Fixture};

/// What a request was, and what it was answered; all of them must be refused.
async fn refused(fixture: &Fixture, requests: &[(&str, &str)]) -> String {
    let mut all = String::new();
    for (path, body) in requests {
        let answer: Answer = fixture.post(path, body).await;
        all.push_str(&shown(&format!("{path} {}", crate::render::shortened(body, 100)), &answer));
    }
    all
}

#[tokio::test]
async fn polls_that_cannot_be_are_refused_with_the_field_and_the_remedy() {
    let fixture = Fixture::new().await;
    let poll = "/v1/task-queues/q/poll";
    let long = format!("{{\"worker\":\"{}\",\"poll_id\":\"p\"}}", "x".repeat(256));
    let many =
        format!("{{\"worker\":\"w\",\"poll_id\":\"p\",\"activities\":[{}\"a\"]}}", "\"a\",".repeat(1_000));
    let requests = [
        (poll, "{}"),
        (poll, "{\"worker\":\"w\"}"),
        (poll, "{\"worker\":\"\",\"poll_id\":\"p\"}"),
        (poll, &long),
        (poll, "{\"worker\":\"w\",\"poll_id\":\"\"}"),
        (poll, "{\"worker\":\"w\",\"poll_id\":\"a\\nb\"}"),
        (poll, "{\"worker\":\"w\",\"poll_id\":7}"),
        (poll, "{\"worker\":\"w\",\"pol_id\":\"p\"}"),
        (poll, "{\"worker\":\"w\",\"poll_id\":\"p\",\"wait\":\"soon\"}"),
        (poll, "{\"worker\":\"w\",\"poll_id\":\"p\",\"wait\":\"-1s\"}"),
        (poll, "{\"worker\":\"w\",\"poll_id\":\"p\",\"wait\":30}"),
        (poll, "{\"worker\":\"w\",\"poll_id\":\"p\",\"activities\":\"a\"}"),
        (poll, "{\"worker\":\"w\",\"poll_id\":\"p\",\"activities\":[\"a\",\"\"]}"),
        (poll, &many),
        ("/v1/task-queues/%2E%2E/poll", "{\"worker\":\"w\",\"poll_id\":\"p\"}"),
        ("/v1/task-queues/a%0Ab/poll", "{\"worker\":\"w\",\"poll_id\":\"p\"}"),
        ("/v1/namespaces/nobody/task-queues/q/poll", "{\"worker\":\"w\",\"poll_id\":\"p\"}"),
    ];
    expect![[r#"
        /v1/task-queues/q/poll {}
          400 invalid [worker]
          missing field `worker` at line 1 column 2
          see /openapi.json for the fields and their types
        /v1/task-queues/q/poll {"worker":"w"}
          400 invalid [poll_id]
          missing field `poll_id` at line 1 column 14
          see /openapi.json for the fields and their types
        /v1/task-queues/q/poll {"worker":"","poll_id":"p"}
          400 invalid [worker]
          worker is empty: give it at least one character
          correct the value and send the request again
        /v1/task-queues/q/poll {"worker":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
          400 invalid [worker]
          worker has 256 bytes: use at most 255
          correct the value and send the request again
        /v1/task-queues/q/poll {"worker":"w","poll_id":""}
          400 invalid [poll_id]
          poll_id is empty: give it at least one character
          correct the value and send the request again
        /v1/task-queues/q/poll {"worker":"w","poll_id":"a\nb"}
          400 invalid [poll_id]
          poll_id "a\nb" contains the control character '\n': use printable characters
          correct the value and send the request again
        /v1/task-queues/q/poll {"worker":"w","poll_id":7}
          400 invalid [poll_id]
          poll_id: invalid type: integer `7`, expected a string at line 1 column 25
          see /openapi.json for the fields and their types
        /v1/task-queues/q/poll {"worker":"w","pol_id":"p"}
          400 invalid [pol_id]
          unknown field `pol_id`, expected one of `worker`, `poll_id`, `activities`, `wait` at line 1 column 22
          did you mean `poll_id`?
        /v1/task-queues/q/poll {"worker":"w","poll_id":"p","wait":"soon"}
          400 invalid [wait]
          "soon" is not a length of time
          write it like 30s or 500ms; more than 60 s is cut to that
        /v1/task-queues/q/poll {"worker":"w","poll_id":"p","wait":"-1s"}
          400 invalid [wait]
          "-1s" is not a length of time
          write it like 30s or 500ms; more than 60 s is cut to that
        /v1/task-queues/q/poll {"worker":"w","poll_id":"p","wait":30}
          400 invalid [wait]
          wait: invalid type: integer `30`, expected a string at line 1 column 37
          see /openapi.json for the fields and their types
        /v1/task-queues/q/poll {"worker":"w","poll_id":"p","activities":"a"}
          400 invalid [activities]
          activities: invalid type: string "a", expected a sequence at line 1 column 44
          see /openapi.json for the fields and their types
        /v1/task-queues/q/poll {"worker":"w","poll_id":"p","activities":["a",""]}
          400 invalid [activities]
          activities is empty: give it at least one character
          correct the value and send the request again
        /v1/task-queues/q/poll {"worker":"w","poll_id":"p","activities":["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a…
          400 invalid [activities]
          activities has 1001 entries: name at most 200, or none for any type
          correct the value and send the request again
        /v1/task-queues/%2E%2E/poll {"worker":"w","poll_id":"p"}
          400 invalid [queue]
          ".." cannot be part of a URL
          choose another name: `.` and `..` have a meaning of their own in paths
        /v1/task-queues/a%0Ab/poll {"worker":"w","poll_id":"p"}
          400 invalid [task_queue]
          task_queue "a\nb" contains the control character '\n': use printable characters
          correct the value and send the request again
        /v1/namespaces/nobody/task-queues/q/poll {"worker":"w","poll_id":"p"}
          404 unknown-namespace [namespace]
          there is no namespace "nobody"; this host has: default, team a
          add it to `namespaces` in the host's configuration, or use one of these
    "#]].assert_eq(&refused(&fixture, &requests).await);
}

#[tokio::test]
async fn reports_that_cannot_be_are_refused_with_the_field_and_the_remedy() {
    let fixture = Fixture::new().await;
    let [complete, fail, cancel, pending, heartbeat] =
        ["complete", "fail", "cancel", "pending", "heartbeat"].map(|what| format!("/v1/activities/{what}"));
    let failing = |failure: &str| format!("{{\"task_token\":\"t\",\"failure\":{failure}}}");
    let failures = [
        failing("{}"),
        failing("{\"type\":\"E\"}"),
        failing("{\"message\":\"m\"}"),
        failing("\"m\""),
        failing("{\"type\":\"E\",\"message\":\"m\",\"retryable\":true}"),
        failing("{\"type\":\"E\",\"message\":\"m\",\"causes\":[{\"type\":\"E\"}]}"),
        failing(
            "{\"type\":\"E\",\"message\":\"m\",\"details\":1,\"details_payload\":{\"content_type\":\"a/b\",\"data_base64\":\"\"}}",
        ),
        failing(
            "{\"type\":\"E\",\"message\":\"m\",\"details_payload\":{\"content_type\":\"a/b\",\"data_base64\":\"?\"}}",
        ),
    ];
    let mut requests: Vec<(&str, &str)> = vec![
        (&complete, "{}"),
        (&complete, "{\"task_token\":\"t\"}"),
        (&complete, "{\"task_token\":7}"),
        (
            &complete,
            "{\"task_token\":\"t\",\"result\":1,\"result_payload\":{\"content_type\":\"a/b\",\"data_base64\":\"\"}}",
        ),
        (&complete, "{\"task_token\":\"t\",\"output\":1}"),
        (&fail, "{\"task_token\":\"t\"}"),
        (
            &fail,
            "{\"task_token\":\"t\",\"failure\":{\"type\":\"E\",\"message\":\"m\"},\"next_retry_delay\":\"soon\"}",
        ),
        (&fail, "{\"task_token\":\"t\",\"failure\":{\"type\":\"E\",\"message\":\"m\"},\"benign\":1}"),
    ];
    requests.extend(failures.iter().map(|body| (fail.as_str(), body.as_str())));
    requests.extend([
        (cancel.as_str(), "{\"task_token\":\"t\",\"details_payload\":1}"),
        (&cancel, "{\"task_token\":\"t\",\"reason\":\"r\"}"),
        (&pending, "{}"),
        (&heartbeat, "{\"task_token\":\"\"}"),
        (
            &heartbeat,
            "{\"task_token\":\"t\",\"details_payload\":{\"content_type\":\"cbor\",\"data_base64\":\"\"}}",
        ),
    ]);
    expect![[r#"
        /v1/activities/complete {}
          400 invalid [task_token]
          missing field `task_token` at line 1 column 2
          see /openapi.json for the fields and their types
        /v1/activities/complete {"task_token":"t"}
          400 invalid [task_token]
          task_token is not a task token: send it back as it came with the task
          correct the value and send the request again
        /v1/activities/complete {"task_token":7}
          400 invalid [task_token]
          task_token: invalid type: integer `7`, expected a string at line 1 column 15
          see /openapi.json for the fields and their types
        /v1/activities/complete {"task_token":"t","result":1,"result_payload":{"content_type":"a/b","data_base64":""}}
          400 invalid [result_payload]
          result and result_payload are both there
          send JSON as result, any other value as result_payload
        /v1/activities/complete {"task_token":"t","output":1}
          400 invalid [output]
          unknown field `output`, expected one of `task_token`, `result`, `result_payload` at line 1 column 26
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t"}
          400 invalid [failure]
          missing field `failure` at line 1 column 18
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t","failure":{"type":"E","message":"m"},"next_retry_delay":"soon"}
          400 invalid [next_retry_delay]
          "soon" is not a length of time
          write it like 30s, 1h 30m, 7d or 500ms
        /v1/activities/fail {"task_token":"t","failure":{"type":"E","message":"m"},"benign":1}
          400 invalid [benign]
          benign: invalid type: integer `1`, expected a boolean at line 1 column 65
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t","failure":{}}
          400 invalid [failure.type]
          failure: missing field `type` at line 1 column 30
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t","failure":{"type":"E"}}
          400 invalid [failure.message]
          failure: missing field `message` at line 1 column 40
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t","failure":{"message":"m"}}
          400 invalid [failure.type]
          failure: missing field `type` at line 1 column 43
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t","failure":"m"}
          400 invalid [failure]
          failure: invalid type: string "m", expected struct ActivityFailure at line 1 column 31
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t","failure":{"type":"E","message":"m","retryable":true}}
          400 invalid [failure.retryable]
          unknown field `retryable`, expected one of `type`, `message`, `non_retryable`, `details`, `details_payload`, `stack`, `causes` at line 1 column 65
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t","failure":{"type":"E","message":"m","causes":[{"type":"E"}]}}
          400 invalid [failure.causes[0].message]
          failure.causes[0]: missing field `message` at line 1 column 76
          see /openapi.json for the fields and their types
        /v1/activities/fail {"task_token":"t","failure":{"type":"E","message":"m","details":1,"details_payload":{"content_type":…
          400 invalid [failure.details_payload]
          failure.details and failure.details_payload are both there
          send JSON as failure.details, any other value as failure.details_payload
        /v1/activities/fail {"task_token":"t","failure":{"type":"E","message":"m","details_payload":{"content_type":"a/b","data_…
          400 invalid [failure.details_payload.data_base64]
          it is not base64: Invalid symbol 63, offset 0.
          use the standard alphabet, with padding
        /v1/activities/cancel {"task_token":"t","details_payload":1}
          400 invalid [details_payload]
          details_payload: invalid type: integer `1`, expected struct EncodedPayload at line 1 column 37
          see /openapi.json for the fields and their types
        /v1/activities/cancel {"task_token":"t","reason":"r"}
          400 invalid [reason]
          unknown field `reason`, expected one of `task_token`, `details`, `details_payload` at line 1 column 26
          see /openapi.json for the fields and their types
        /v1/activities/pending {}
          400 invalid [task_token]
          missing field `task_token` at line 1 column 2
          see /openapi.json for the fields and their types
        /v1/activities/heartbeat {"task_token":""}
          400 invalid [task_token]
          task_token is not a task token: send it back as it came with the task
          correct the value and send the request again
        /v1/activities/heartbeat {"task_token":"t","details_payload":{"content_type":"cbor","data_base64":""}}
          400 invalid [details_payload.content_type]
          "cbor" is not a media type
          use one like application/cbor or application/octet-stream
    "#]].assert_eq(&refused(&fixture, &requests).await);
}

#[tokio::test]
async fn controls_that_cannot_be_are_refused_with_the_field_and_the_remedy() {
    let fixture = Fixture::new().await;
    fixture.work("one", "charge", "q").await;
    let path = |what: &str| format!("/v1/workflows/one/activities/1/{what}");
    let (complete, pause, unpause) = (path("complete"), path("pause"), path("unpause"));
    let (reset, update) = (path("reset"), path("update-options"));
    let requests: Vec<(&str, &str)> = vec![
        ("/v1/workflows/nobody/activities/1/pause", "{}"),
        ("/v1/workflows/one/activities/x/pause", "{}"),
        ("/v1/workflows/one/activities/-1/cancel", "{}"),
        ("/v1/workflows/one/activities/9/complete", "{}"),
        ("/v1/workflows/one/activities/9/pause", "{}"),
        ("/v1/workflows/one/activities/1/heartbeat", "{}"),
        (&complete, "{\"task_token\":\"t\"}"),
        (&complete, "{\"run_id\":\"1\"}"),
        (&pause, "{\"reason\":7}"),
        (&unpause, "{\"reset_attempts\":\"yes\"}"),
        (&reset, "{\"reset_attempts\":true}"),
        (&update, "{\"task_queue\":\"\"}"),
        (&update, "{\"start_to_close_timeout\":10}"),
        (&update, "{\"start_to_close_timeout\":\"soon\"}"),
        (&update, "{\"start_to_close_timeout\":null}"),
        (&update, "{\"heartbeat_timeout\":\"0s\"}"),
        (&update, "{\"schedule_to_close_timeout\":\"-1s\"}"),
        (&update, "{\"schedule_to_start_timeout\":\"1 fortnight\"}"),
        (&update, "{\"priority\":6}"),
        (&update, "{\"retry\":null,\"start_to_close\":\"1s\"}"),
        (&update, "{\"retry\":{\"initial_interval\":\"0s\"}}"),
        (&update, "{\"retry\":{\"initial_interval\":1}}"),
        (&update, "{\"retry\":{\"backoff_coefficient\":0.5}}"),
        (&update, "{\"retry\":{\"maximum_interval\":\"x\"}}"),
        (&update, "{\"retry\":{\"maximum_attempts\":-1}}"),
        (&update, "{\"retry\":{\"non_retryable_error_types\":\"E\"}}"),
        (&update, "{\"retry\":{\"jitter\":1.5}}"),
        (&update, "{\"retry\":{\"jiter\":1}}"),
    ];
    expect![[r#"
        /v1/workflows/nobody/activities/1/pause {}
          404 not-found
          there is no workflow "nobody"
          check the spelling and the namespace, or list what there is
        /v1/workflows/one/activities/x/pause {}
          400 invalid [activity_id]
          "x" is not an activity's id
          use its number in the run, as the history and the run's description show it
        /v1/workflows/one/activities/-1/cancel {}
          400 invalid [activity_id]
          "-1" is not an activity's id
          use its number in the run, as the history and the run's description show it
        /v1/workflows/one/activities/9/complete {}
          409 stale-task
          activity 9: the activity has ended, or there never was one of this id
          the run's description lists the activities that have not ended
        /v1/workflows/one/activities/9/pause {}
          409 stale-task
          activity 9: the activity has ended, or there never was one of this id
          the run's description lists the activities that have not ended
        /v1/workflows/one/activities/1/heartbeat {}
          409 stale-task
          activity 1: no attempt of it runs
          the run's description lists the activities that have not ended
        /v1/workflows/one/activities/1/complete {"task_token":"t"}
          400 invalid [task_token]
          unknown field `task_token`, expected one of `result`, `result_payload`, `run_id` at line 1 column 13
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/complete {"run_id":"1"}
          400 invalid [run_id]
          run id "1" is not a UUID: copy it from `workflow list` or from the start's answer
          leave it out for the execution's current run
        /v1/workflows/one/activities/1/pause {"reason":7}
          400 invalid [reason]
          reason: invalid type: integer `7`, expected a string at line 1 column 11
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/unpause {"reset_attempts":"yes"}
          400 invalid [reset_attempts]
          reset_attempts: invalid type: string "yes", expected a boolean at line 1 column 23
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/reset {"reset_attempts":true}
          400 invalid [reset_attempts]
          unknown field `reset_attempts`, expected one of `reset_heartbeat`, `keep_paused`, `run_id` at line 1 column 17
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/update-options {"task_queue":""}
          400 invalid [options]
          options are refused: activity charge: task-queue is empty: give it at least one character
          correct the value and send the request again
        /v1/workflows/one/activities/1/update-options {"start_to_close_timeout":10}
          400 invalid [start_to_close_timeout]
          start_to_close_timeout: invalid type: integer `10`, expected a string at line 1 column 28
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/update-options {"start_to_close_timeout":"soon"}
          400 invalid [start_to_close_timeout]
          "soon" is not a length of time
          write it like 30s, 1h 30m, 7d or 500ms
        /v1/workflows/one/activities/1/update-options {"start_to_close_timeout":null}
          400 invalid [options]
          options are refused: activity charge: it has neither start-to-close-timeout nor schedule-to-close-timeout: give one of them
          correct the value and send the request again
        /v1/workflows/one/activities/1/update-options {"heartbeat_timeout":"0s"}
          400 invalid [options]
          options are refused: activity charge: heartbeat-timeout is zero: give a length of time above zero, or none
          correct the value and send the request again
        /v1/workflows/one/activities/1/update-options {"schedule_to_close_timeout":"-1s"}
          400 invalid [schedule_to_close_timeout]
          "-1s" is not a length of time
          write it like 30s, 1h 30m, 7d or 500ms
        /v1/workflows/one/activities/1/update-options {"schedule_to_start_timeout":"1 fortnight"}
          400 invalid [schedule_to_start_timeout]
          "1 fortnight" is not a length of time
          write it like 30s, 1h 30m, 7d or 500ms
        /v1/workflows/one/activities/1/update-options {"priority":6}
          400 invalid [options]
          options are refused: activity charge: priority is 6: give 1 (first) to 5 (last)
          correct the value and send the request again
        /v1/workflows/one/activities/1/update-options {"retry":null,"start_to_close":"1s"}
          400 invalid [start_to_close]
          unknown field `start_to_close`, expected one of `task_queue`, `schedule_to_close_timeout`, `schedule_to_start_timeout`, `start_to_close_timeout`, `heartbeat_timeout`, `priority`, `retry`, `run_id` at line 1 column 30
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/update-options {"retry":{"initial_interval":"0s"}}
          400 invalid [options]
          options are refused: activity charge: retry.initial-interval is zero: give a length of time above zero
          correct the value and send the request again
        /v1/workflows/one/activities/1/update-options {"retry":{"initial_interval":1}}
          400 invalid [retry.initial_interval]
          retry.initial_interval: invalid type: integer `1`, expected a string at line 1 column 30
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/update-options {"retry":{"backoff_coefficient":0.5}}
          400 invalid [options]
          options are refused: activity charge: retry.backoff-coefficient is 0.5: give a finite number of at least 1.0
          correct the value and send the request again
        /v1/workflows/one/activities/1/update-options {"retry":{"maximum_interval":"x"}}
          400 invalid [retry.maximum_interval]
          "x" is not a length of time
          write it like 30s, 1h 30m, 7d or 500ms
        /v1/workflows/one/activities/1/update-options {"retry":{"maximum_attempts":-1}}
          400 invalid [retry.maximum_attempts]
          retry.maximum_attempts: invalid value: integer `-1`, expected u32 at line 1 column 31
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/update-options {"retry":{"non_retryable_error_types":"E"}}
          400 invalid [retry.non_retryable_error_types]
          retry.non_retryable_error_types: invalid type: string "E", expected a sequence at line 1 column 41
          see /openapi.json for the fields and their types
        /v1/workflows/one/activities/1/update-options {"retry":{"jitter":1.5}}
          400 invalid [options]
          options are refused: activity charge: retry.jitter is 1.5: give a share from 0.0 (none) to 1.0
          correct the value and send the request again
        /v1/workflows/one/activities/1/update-options {"retry":{"jiter":1}}
          400 invalid [retry.jiter]
          unknown field `jiter`, expected one of `initial_interval`, `backoff_coefficient`, `maximum_interval`, `maximum_attempts`, `non_retryable_error_types`, `jitter` at line 1 column 17
          did you mean `jitter`?
    "#]].assert_eq(&refused(&fixture, &requests).await);
    let described = fixture.get("/v1/workflows/one").await.json();
    assert!(described["pending_activities"][0].get("paused").is_none(), "refused controls do nothing");
}
