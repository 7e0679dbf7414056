//! What is refused, and with which words.

use std::fmt::Write;

use axum::Router;
use axum::body::Body;
use axum::http::Method;
use axum::routing::get;
use bytes::Bytes;
use expect_test::expect;
use futures::stream;

use super::{Answer, Fixture, MAX_UPLOAD_BYTES, request, send};
use crate::api::{UPLOADS, around};

/// A refusal in four lines.
pub(super) fn shown(what: &str, answer: &Answer) -> String {
    let content_type = answer.headers.get("content-type").map(|value| value.to_str().unwrap());
    assert_eq!(content_type, Some("application/problem+json"), "{what}: {} {}", answer.status, answer.body);
    assert_eq!(answer.json()["status"], answer.status, "{what}");
    let kind = answer.text("type").trim_start_matches("urn:refrain:problem:").to_owned();
    let field = answer.json()["field"].as_str().map(|field| format!(" [{field}]")).unwrap_or_default();
    let mut text = format!("{what}\n  {} {kind}{field}\n", answer.status);
    writeln!(text, "  {}\n  {}", answer.text("detail"), answer.text("hint")).unwrap();
    text
}

#[tokio::test]
async fn starts_that_cannot_be_are_refused_with_the_field_and_the_remedy() {
    let fixture = Fixture::new().await;
    fixture.start("{\"workflow\":\"listen\",\"id\":\"taken\",\"request_id\":\"r\"}").await;
    let long = format!("{{\"workflow\":\"echo\",\"id\":\"{}\"}}", "x".repeat(256));
    let bodies = [
        "",
        "{\"workflow\":",
        "{\"workflow\":\"echo\"} x",
        "[]",
        "{}",
        "{\"workflow\":7}",
        "{\"workflow\":\"echo\",\"inptu\":1}",
        "{\"workflow\":\"echo\",\"colour\":1}",
        "{\"workflow\":\"echo\",\"version\":\"1\"}",
        "{\"workflow\":\"echo\",\"version\":-1}",
        "{\"workflow\":\"echo\",\"input\":{\"a\":}}",
        "{\"workflow\":\"echo\",\"input\":1,\"input_payload\":{\"content_type\":\"a/b\",\"data_base64\":\"\"}}",
        "{\"workflow\":\"echo\",\"input_payload\":{\"content_type\":\"a/b\",\"data_base64\":\"?\"}}",
        "{\"workflow\":\"echo\",\"input_payload\":{\"content_type\":\"cbor\",\"data_base64\":\"\"}}",
        "{\"workflow\":\"echo\",\"input_payload\":{\"content_type\":\"application/json\",\"data_base64\":\"\"}}",
        "{\"workflow\":\"echo\",\"input_payload\":{\"content_type\":\"a/b\"}}",
        "{\"workflow\":\"ehco\"}",
        "{\"workflow\":\"echo\",\"component\":\"nobody\"}",
        "{\"workflow\":\"echo\",\"component\":\"scripts\",\"version\":9}",
        "{\"workflow\":\"echo\",\"id\":\"\"}",
        "{\"workflow\":\"echo\",\"id\":\"a\\nb\"}",
        "{\"workflow\":\"echo\",\"id\":\"..\"}",
        &long,
        "{\"workflow\":\"echo\",\"id\":\"taken\"}",
    ];
    let mut shown_all = String::new();
    for body in bodies {
        let answer = fixture.post("/v1/workflows", body).await;
        let mut answer = shown(&crate::render::shortened(body, 100), &answer);
        // Ids of runs are not the same twice.
        if let Some(at) = answer.find("(run ") {
            answer.replace_range(at + 5..at + 5 + 36, "RUN");
        }
        shown_all.push_str(&answer);
    }
    expect![[r#"

          400 malformed-body
          the body is empty
          send one JSON object in UTF-8, `{}` at least
        {"workflow":
          400 malformed-body
          not JSON: EOF while parsing a value at line 1 column 12
          send one JSON object in UTF-8, `{}` at least
        {"workflow":"echo"} x
          400 malformed-body
          not JSON: trailing characters at line 1 column 21
          send one JSON object in UTF-8, `{}` at least
        []
          400 malformed-body
          the body is not a JSON object
          send one JSON object in UTF-8, `{}` at least
        {}
          400 invalid [workflow]
          missing field `workflow` at line 1 column 2
          see /openapi.json for the fields and their types
        {"workflow":7}
          400 invalid [workflow]
          workflow: invalid type: integer `7`, expected a string at line 1 column 13
          see /openapi.json for the fields and their types
        {"workflow":"echo","inptu":1}
          400 invalid [inptu]
          unknown field `inptu`, expected one of `workflow`, `id`, `input`, `input_payload`, `component`, `version`, `digest`, `request_id`, `task_queue`, `memo`, `id_reuse_policy`, `id_conflict_policy`, `execution_timeout`, `run_timeout`, `retry`, `start_delay`, `signal`, `signal_input`, `signal_input_payload`, `update` at line 1 column 26
          did you mean `input`?
        {"workflow":"echo","colour":1}
          400 invalid [colour]
          unknown field `colour`, expected one of `workflow`, `id`, `input`, `input_payload`, `component`, `version`, `digest`, `request_id`, `task_queue`, `memo`, `id_reuse_policy`, `id_conflict_policy`, `execution_timeout`, `run_timeout`, `retry`, `start_delay`, `signal`, `signal_input`, `signal_input_payload`, `update` at line 1 column 27
          see /openapi.json for the fields and their types
        {"workflow":"echo","version":"1"}
          400 invalid [version]
          version: invalid type: string "1", expected u32 at line 1 column 32
          see /openapi.json for the fields and their types
        {"workflow":"echo","version":-1}
          400 invalid [version]
          version: invalid value: integer `-1`, expected u32 at line 1 column 31
          see /openapi.json for the fields and their types
        {"workflow":"echo","input":{"a":}}
          400 malformed-body
          not JSON: expected value at line 1 column 33
          send one JSON object in UTF-8, `{}` at least
        {"workflow":"echo","input":1,"input_payload":{"content_type":"a/b","data_base64":""}}
          400 invalid [input_payload]
          input and input_payload are both there
          send JSON as input, any other value as input_payload
        {"workflow":"echo","input_payload":{"content_type":"a/b","data_base64":"?"}}
          400 invalid [input_payload.data_base64]
          it is not base64: Invalid symbol 63, offset 0.
          use the standard alphabet, with padding
        {"workflow":"echo","input_payload":{"content_type":"cbor","data_base64":""}}
          400 invalid [input_payload.content_type]
          "cbor" is not a media type
          use one like application/cbor or application/octet-stream
        {"workflow":"echo","input_payload":{"content_type":"application/json","data_base64":""}}
          400 invalid [input_payload.content_type]
          input_payload is for values that are not JSON
          send JSON as it is, in the field input
        {"workflow":"echo","input_payload":{"content_type":"a/b"}}
          400 invalid [input_payload.data_base64]
          input_payload: missing field `data_base64` at line 1 column 57
          see /openapi.json for the fields and their types
        {"workflow":"ehco"}
          404 unknown-workflow
          no component defines workflow type "ehco": known are echo, listen, fail, trap, again, work
          did you mean `echo`?
        {"workflow":"echo","component":"nobody"}
          404 not-found
          there is no component "nobody"
          check the spelling and the namespace, or list what there is
        {"workflow":"echo","component":"scripts","version":9}
          404 not-found
          there is no component version "scripts 9"
          check the spelling and the namespace, or list what there is
        {"workflow":"echo","id":""}
          400 invalid [id]
          workflow id is empty: give it at least one character
          choose another id
        {"workflow":"echo","id":"a\nb"}
          400 invalid [id]
          workflow id "a\nb" contains the control character '\n': use printable characters
          choose another id
        {"workflow":"echo","id":".."}
          400 invalid [id]
          ".." cannot be part of a URL
          choose another name: `.` and `..` have a meaning of their own in paths
        {"workflow":"echo","id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
          400 invalid [id]
          workflow id has 256 bytes: use at most 255
          choose another id
        {"workflow":"echo","id":"taken"}
          409 already-running
          workflow "taken" is running already (run RUN)
          choose another id, wait for the run's end, or say with id_conflict_policy what becomes of it; to repeat a start safely give it a request_id
    "#]].assert_eq(&shown_all);
    let runs = fixture.get("/v1/workflows").await.json();
    assert_eq!(runs["workflows"].as_array().map(Vec::len), Some(1), "refused starts leave nothing: {runs}");
}

#[tokio::test]
async fn paths_and_parameters_that_mean_nothing_are_refused() {
    let fixture = Fixture::new().await;
    fixture.start("{\"workflow\":\"listen\",\"id\":\"one\"}").await;
    let paths = [
        "/",
        "/v2/workflows",
        "/v1/workflows/",
        "/v1/workflows/one/two",
        "/v1/workflows/nobody",
        "/v1/workflows/nobody/result?wait=1s",
        "/v1/workflows/nobody/history",
        "/v1/workflows/%FF",
        "/v1/workflows/one?run_id=1",
        "/v1/workflows/one?run_id=00000000-0000-0000-0000-000000000000",
        "/v1/workflows/one/result?wait=soon",
        "/v1/workflows/one/result?wait=-1s",
        "/v1/workflows/one/result?wiat=1s",
        "/v1/workflows/one/history?after=x",
        "/v1/workflows/one/history?calls=maybe",
        "/v1/workflows?status=runing",
        "/v1/workflows?status=purple",
        "/v1/workflows?limit=0",
        "/v1/workflows?limit=1001",
        "/v1/workflows?limit=1&limit=2",
        "/v1/workflows?cursor=nonsense",
        "/v1/components/nobody",
        "/v1/components/scripts/versions/9",
        "/v1/components/scripts/versions/one",
        "/v1/namespaces/team%20b/workflows",
    ];
    let mut shown_all = String::new();
    for path in paths {
        shown_all.push_str(&shown(path, &fixture.get(path).await));
    }
    expect![[r#"
        /
          404 unknown-route
          there is no path /
          see /openapi.json; a slash within an id is written %2F
        /v2/workflows
          404 unknown-route
          there is no path /v2/workflows
          see /openapi.json; a slash within an id is written %2F
        /v1/workflows/
          404 unknown-route
          there is no path /v1/workflows/
          see /openapi.json; a slash within an id is written %2F
        /v1/workflows/one/two
          404 unknown-route
          there is no path /v1/workflows/one/two
          see /openapi.json; a slash within an id is written %2F
        /v1/workflows/nobody
          404 not-found
          there is no workflow "nobody"
          check the spelling and the namespace, or list what there is
        /v1/workflows/nobody/result?wait=1s
          404 not-found
          there is no workflow "nobody"
          check the spelling and the namespace, or list what there is
        /v1/workflows/nobody/history
          404 not-found
          there is no workflow "nobody"
          check the spelling and the namespace, or list what there is
        /v1/workflows/%FF
          400 invalid
          Invalid URL: Invalid UTF-8 in `id`
          percent-encode ids as UTF-8, with %2F for a slash; versions are whole numbers
        /v1/workflows/one?run_id=1
          400 invalid [run_id]
          run id "1" is not a UUID: copy it from `workflow list` or from the start's answer
          leave it out for the execution's current run
        /v1/workflows/one?run_id=00000000-0000-0000-0000-000000000000
          404 not-found
          there is no run of this workflow "00000000-0000-0000-0000-000000000000"
          check the spelling and the namespace, or list what there is
        /v1/workflows/one/result?wait=soon
          400 invalid [wait]
          "soon" is not a length of time
          write it like 30s or 500ms; more than 60 s is cut to that
        /v1/workflows/one/result?wait=-1s
          400 invalid [wait]
          "-1s" is not a length of time
          write it like 30s or 500ms; more than 60 s is cut to that
        /v1/workflows/one/result?wiat=1s
          400 invalid [wiat]
          unknown field `wiat`, expected `run_id` or `wait`
          did you mean `wait`?
        /v1/workflows/one/history?after=x
          400 invalid [after]
          "x" is not an event's number
          use a whole number, 0 for the beginning
        /v1/workflows/one/history?calls=maybe
          400 invalid [calls]
          "maybe" is no choice
          use true or false
        /v1/workflows?status=runing
          400 invalid [status]
          "runing" is not a status
          did you mean `running`?
        /v1/workflows?status=purple
          400 invalid [status]
          "purple" is not a status
          use one of running, parked, completed, failed, canceled, terminated, continued-as-new, timed-out, paused
        /v1/workflows?limit=0
          400 invalid [limit]
          "0" is not a page size
          use a whole number from 1 to 1000, and `cursor` for the next page
        /v1/workflows?limit=1001
          400 invalid [limit]
          "1001" is not a page size
          use a whole number from 1 to 1000, and `cursor` for the next page
        /v1/workflows?limit=1&limit=2
          400 invalid [limit]
          limit: duplicate field `limit`
          see /openapi.json for the fields and their types
        /v1/workflows?cursor=nonsense
          400 invalid [cursor]
          cursor "nonsense" is not from a list with the same filter: begin again without one
          correct the value and send the request again
        /v1/components/nobody
          404 not-found
          there is no component "nobody"
          check the spelling and the namespace, or list what there is
        /v1/components/scripts/versions/9
          404 not-found
          there is no component version "scripts 9"
          check the spelling and the namespace, or list what there is
        /v1/components/scripts/versions/one
          400 invalid
          Invalid URL: Cannot parse `version` with value `one` to a `u32`
          percent-encode ids as UTF-8, with %2F for a slash; versions are whole numbers
        /v1/namespaces/team%20b/workflows
          404 unknown-namespace [namespace]
          there is no namespace "team b"; this host has: default, team a
          add it to `namespaces` in the host's configuration, or use one of these
    "#]]
    .assert_eq(&shown_all);
}

#[tokio::test]
async fn requests_of_another_form_are_refused() {
    let fixture = Fixture::new().await;
    let start = "{\"workflow\":\"echo\"}";
    let large = format!("{{\"workflow\":\"echo\",\"input\":\"{}\"}}", "x".repeat(4 * 1024 * 1024));
    /// Method, path, headers, body.
    type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 9] = [
        (Method::POST, "/v1/workflows", &[], start),
        (Method::POST, "/v1/workflows", &[("content-type", "text/plain")], start),
        (Method::POST, "/v1/workflows", &[("content-type", "application/json")], &large),
        (
            Method::POST,
            "/v1/workflows",
            &[("content-type", "application/json"), ("content-length", "5000000")],
            start,
        ),
        (
            Method::POST,
            "/v1/workflows",
            &[("content-type", "application/json"), ("host", "evil.example")],
            start,
        ),
        (
            Method::POST,
            "/v1/workflows",
            &[("content-type", "application/json"), ("origin", "http://evil.example")],
            start,
        ),
        (Method::DELETE, "/v1/workflows", &[], ""),
        (Method::PUT, "/v1/components/x", &[("content-type", "text/html")], ""),
        (Method::POST, "/v1/workflows/nobody/cancel", &[("content-type", "application/json")], "{}"),
    ];
    let mut shown_all = String::new();
    for (method, path, headers, body) in cases {
        let what = format!("{method} {path} {headers:?}");
        let answer = fixture.send(request(method, path, headers, Body::from(body.to_owned()))).await;
        shown_all.push_str(&shown(&what, &answer));
    }
    expect![[r#"
        POST /v1/workflows []
          415 unsupported-media-type [content-type]
          there is no content type
          send a JSON object, `{}` at least, with the header `content-type: application/json`
        POST /v1/workflows [("content-type", "text/plain")]
          415 unsupported-media-type [content-type]
          the content type is "text/plain"
          send a JSON object, `{}` at least, with the header `content-type: application/json`
        POST /v1/workflows [("content-type", "application/json")]
          413 too-large
          the JSON body is larger than 4194304 bytes
          make it smaller, or keep large values elsewhere and pass a reference to them
        POST /v1/workflows [("content-type", "application/json"), ("content-length", "5000000")]
          413 too-large
          the JSON body is larger than 4194304 bytes
          make it smaller, or keep large values elsewhere and pass a reference to them
        POST /v1/workflows [("content-type", "application/json"), ("host", "evil.example")]
          403 foreign-host [host]
          the Host header names "evil.example", which is not one of this host's names
          use the address that the host listens on, or add the name to `allowed_hosts` in its configuration
        POST /v1/workflows [("content-type", "application/json"), ("origin", "http://evil.example")]
          403 foreign-origin [origin]
          a page of "http://evil.example" may not use this host
          add the origin to `allowed_origins` in the host's configuration if you trust its pages
        DELETE /v1/workflows []
          405 method-not-allowed
          /v1/workflows does not take DELETE
          the header `allow` and /openapi.json list what it takes
        PUT /v1/components/x [("content-type", "text/html")]
          415 unsupported-media-type [content-type]
          the content type is "text/html"
          send the component's bytes as they are, with `content-type: application/wasm`
        POST /v1/workflows/nobody/cancel [("content-type", "application/json")]
          404 not-found
          there is no workflow "nobody"
          check the spelling and the namespace, or list what there is
    "#]]
    .assert_eq(&shown_all);
    let runs = fixture.get("/v1/workflows").await.json();
    assert_eq!(runs["workflows"].as_array().map(Vec::len), Some(0), "{runs}");
}

#[tokio::test]
async fn clients_that_send_slowly_hold_up_no_other_upload() {
    let fixture = Fixture::new().await;
    let stalled = || {
        let (began, begun) = tokio::sync::oneshot::channel();
        let mut began = Some(began);
        let body = Body::from_stream(futures::stream::poll_fn(move |_| {
            // The body is being read now, and never goes on.
            began.take().map(|began| began.send(()));
            std::task::Poll::<Option<Result<Vec<u8>, std::io::Error>>>::Pending
        }));
        let upload = request(Method::PUT, "/v1/components/slow", &[], body);
        (tokio::spawn(send(fixture.app.clone(), upload)), begun)
    };
    let mut slow = Vec::new();
    for _ in 0..UPLOADS {
        let (upload, begun) = stalled();
        begun.await.unwrap();
        slow.push(upload);
    }
    let upload = request(Method::PUT, "/v1/components/quick", &[], Body::from("no wasm"));
    assert_eq!(fixture.send(upload).await.status, 422);
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn uploads_that_are_no_components_are_refused_and_leave_nothing() {
    let fixture = Fixture::new().await;
    let bodies: [(&str, Vec<u8>); 5] = [
        ("nothing", Vec::new()),
        ("no wasm", b"#!/bin/sh".to_vec()),
        ("text", b"(component)".to_vec()),
        ("truncated", b"\0asm\x0d\0\x01\0\x07\xff".to_vec()),
        ("too large", vec![0; MAX_UPLOAD_BYTES + 1]),
    ];
    let mut shown_all = String::new();
    for (what, body) in bodies {
        let answer = fixture.send(request(Method::PUT, "/v1/components/bad", &[], Body::from(body))).await;
        shown_all.push_str(&shown(what, &answer));
    }
    expect![[r##"
        nothing
          422 invalid-component
          the upload is empty: send the bytes of a .wasm file
          correct the component and upload it again; nothing was kept of it
        no wasm
          422 invalid-component
          the upload is not WebAssembly: it begins with "#!/bin/s" instead of "\0asm": send a .wasm file
          correct the component and upload it again; nothing was kept of it
        text
          422 invalid-component
          the upload is WebAssembly text: translate it first, for example with `wasm-tools parse`
          correct the component and upload it again; nothing was kept of it
        truncated
          422 invalid-component
          the upload is cut short: failed to parse WebAssembly module: unexpected end-of-file (at offset 0xa): send the whole file again
          correct the component and upload it again; nothing was kept of it
        too large
          413 too-large
          the component is larger than 1000 bytes
          make it smaller, or keep large values elsewhere and pass a reference to them
    "##]].assert_eq(&shown_all);
    let named = fixture.send(request(Method::PUT, "/v1/components/%2E%2E", &[], Body::empty())).await;
    assert_eq!((named.status, named.text("field").as_str()), (400, "name"));
    assert_eq!(fixture.get("/v1/components/bad").await.status, 404);
    assert_eq!(std::fs::read_dir(fixture._dir.path().join("components")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_body_that_stops_half_way_leaves_nothing() {
    let fixture = Fixture::new().await;
    for (method, path) in [(Method::POST, "/v1/workflows"), (Method::PUT, "/v1/components/half")] {
        let half = || Ok(Bytes::from_static(b"{\"workflow\":\"echo\"}"));
        let body = Body::from_stream(stream::iter([half(), Err(std::io::Error::other("connection reset"))]));
        let content_type = if method == Method::POST { "application/json" } else { "application/wasm" };
        let answer = fixture.send(request(method, path, &[("content-type", content_type)], body)).await;
        assert_eq!(answer.text("type"), "urn:refrain:problem:malformed-body", "{}", answer.body);
    }
    assert_eq!(fixture.get("/v1/workflows").await.json()["workflows"].as_array().map(Vec::len), Some(0));
    assert_eq!(fixture.get("/v1/components/half").await.status, 404);
}

#[tokio::test]
async fn a_panic_is_held_to_its_request() {
    async fn panics() {
        panic!("a bug");
    }
    let fixture = Fixture::new().await;
    let app = around(Router::new().route("/panics", get(panics)), fixture.host.clone());
    let answer = send(app.clone(), request(Method::GET, "/panics", &[], Body::empty())).await;
    assert_eq!((answer.status, answer.text("type").as_str()), (500, "urn:refrain:problem:internal"));
    assert!(!answer.body.contains("a bug"), "what went wrong is for the log: {}", answer.body);
    assert_eq!(send(app, request(Method::GET, "/else", &[], Body::empty())).await.status, 404);
}
