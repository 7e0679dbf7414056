//! Versions of a component, as requests and answers: what needs them, and other code for open runs.

use axum::body::Body;
use axum::http::Method;
use expect_test::expect;
use refrain_engine::call::{Completion, Interest};
use refrain_engine::ids::{Digest, Namespace};
use refrain_engine::scripted::ScriptedGuests;
use refrain_runtime::NewComponent;
use serde_json::{Value, json};

use super::{Answer, DIGEST, Fixture, component, request};

/// The code of version 2.
const OTHER: Digest = Digest([8; 32]);

/// What version 2 does differently: `listen` starts a timer first where its argument says so.
pub(super) fn add_scripts(scripts: &ScriptedGuests) {
    scripts.add(OTHER, "listen", |host, input| async move {
        if &input.data[..] == b"\"other\"" {
            host.timer(std::time::Duration::from_secs(60))?;
        }
        host.wait(Interest::Everything).await?;
        Ok(Completion::Completed(input))
    });
}

/// A host with two open runs of version 1, of which version 2 would go on with one.
async fn two_versions() -> Fixture {
    let fixture = Fixture::new().await;
    for input in ["same", "other"] {
        fixture.start(&json!({"workflow": "listen", "id": input, "input": input}).to_string()).await;
        // The start is answered before the run waits.
        while fixture.get(&format!("/v1/workflows/{input}")).await.json()["waiting"].is_null() {
            tokio::task::yield_now().await;
        }
    }
    let new = NewComponent { digest: OTHER, ..component() };
    let registered = fixture.host.runtime().register_component(&Namespace::default(), "scripts", new).await;
    assert_eq!(registered.unwrap().version, 2);
    fixture
}

async fn delete(fixture: &Fixture, version: u32) -> Answer {
    let path = format!("/v1/components/scripts/versions/{version}");
    fixture.send(request(Method::DELETE, &path, &[], Body::empty())).await
}

async fn moved(fixture: &Fixture, id: &str, body: Value) -> Answer {
    fixture.post(&format!("/v1/workflows/{id}/move"), &body.to_string()).await
}

/// The JSON lines of an answer. Run ids, which differ from run to run, are left out.
fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    let line = |text: &str| {
        let mut line: Value = serde_json::from_str(text).unwrap();
        line.as_object_mut().unwrap().remove("run_id");
        line
    };
    let mut lines: Vec<Value> = answer.body.lines().map(line).collect();
    lines.sort_by_key(|line| (line["type"] == "summary", line["id"].to_string()));
    lines
}

#[tokio::test]
async fn versions_say_what_needs_them_and_one_that_runs_need_is_not_deleted() {
    let fixture = two_versions().await;
    let versions = async || {
        let list = fixture.get("/v1/components/scripts/versions").await.json();
        let detail = fixture.get("/v1/components/scripts").await.json();
        let shown = |version: &Value| {
            (version["version"].as_u64(), version["open_runs"].as_u64(), version["is_current"].as_bool())
        };
        let [list, detail] = [list, detail]
            .map(|component| component["versions"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>());
        assert_eq!(list, detail);
        list
    };
    let [one, two] = [(Some(1), Some(2), Some(false)), (Some(2), Some(0), Some(true))];
    assert_eq!(versions().await, [one, two]);
    assert_eq!(fixture.get("/v1/components/scripts/versions/1").await.json()["open_runs"], 2);

    let in_use = delete(&fixture, 1).await;
    assert_eq!((in_use.status, in_use.text("code").as_str()), (409, "version-in-use"));
    assert_eq!(in_use.text("detail"), "2 open runs are pinned to version 1 of component \"scripts\"");
    assert!(in_use.text("hint").contains("component move"), "{}", in_use.body);
    let current = delete(&fixture, 2).await;
    assert_eq!((current.status, current.text("code").as_str()), (409, "current-version"));
    assert_eq!(delete(&fixture, 3).await.status, 404);

    let activate = async |version: &str| {
        fixture.post(&format!("/v1/components/scripts/versions/{version}/activate"), "{}").await.status
    };
    assert_eq!((activate("1").await, activate("3").await), (204, 404));
    assert_eq!(fixture.get("/v1/components/scripts").await.json()["current"], 1);
    fixture.host.blobs().put(OTHER.as_bytes(), b"code").unwrap();
    fixture.host.blobs().put(DIGEST.as_bytes(), b"code").unwrap();
    let code = fixture.get("/v1/components/scripts/versions/2/code").await;
    assert_eq!((code.status, code.body.as_str()), (200, "code"));
    assert_eq!(code.headers["content-type"], "application/wasm");
    assert_eq!(delete(&fixture, 2).await.status, 204);
    assert_eq!(fixture.get("/v1/components/scripts/versions/2").await.status, 404);
    assert_eq!(fixture.get("/v1/components/scripts/versions/2/code").await.status, 404);
    assert_eq!(fixture.host.blobs().get(OTHER.as_bytes()).unwrap(), None, "its code went with it");
    assert!(fixture.host.blobs().get(DIGEST.as_bytes()).unwrap().is_some());
}

#[tokio::test]
async fn code_that_another_name_has_stays_when_a_version_is_deleted() {
    let fixture = two_versions().await;
    let new = NewComponent { digest: OTHER, ..component() };
    let team = Namespace::new("team a").unwrap();
    fixture.host.runtime().register_component(&team, "other", new).await.unwrap();
    fixture.host.blobs().put(OTHER.as_bytes(), b"code").unwrap();
    fixture.post("/v1/components/scripts/versions/1/activate", "{}").await;
    assert_eq!(delete(&fixture, 2).await.status, 204);
    assert!(fixture.host.blobs().get(OTHER.as_bytes()).unwrap().is_some());
}

#[tokio::test]
async fn code_without_a_version_is_removed_by_the_last_who_holds_it() {
    let fixture = Fixture::new().await;
    let blobs = fixture.host.blobs();
    let (first, second) = (fixture.host.hold(OTHER).await, fixture.host.hold(OTHER).await);
    blobs.put(OTHER.as_bytes(), b"code").unwrap();
    first.let_go().await;
    assert!(blobs.get(OTHER.as_bytes()).unwrap().is_some());
    // Whoever is not there to wait for it lets go all the same.
    drop(second);
    while blobs.get(OTHER.as_bytes()).unwrap().is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_check_says_what_would_become_of_each_run() {
    let fixture = two_versions().await;
    let answer = fixture.post("/v1/components/scripts/versions/2/check", "{}").await;
    expect![[r#"
        [
          {
            "event": 1,
            "id": "other",
            "message": "the other code differs at 0.0: recorded wait.next, attempted timer.start 60s",
            "mismatch": {
              "attempted": "timer.start 60s",
              "differences": [],
              "likely_causes": [
                "the workflow's code changed before this point: guard the change with version.patched, or pin the run to its version",
                "calls were reordered"
              ],
              "position": "0.0",
              "recorded": "wait.next"
            },
            "status": "running",
            "steps": 1,
            "type": "run",
            "verdict": "diverged",
            "version": 1,
            "workflow": "listen"
          },
          {
            "id": "same",
            "status": "running",
            "steps": 1,
            "type": "run",
            "verdict": "identical",
            "version": 1,
            "workflow": "listen"
          },
          {
            "open_runs": 2,
            "selected": 2,
            "type": "begun"
          },
          {
            "looked_at": 2,
            "safe": false,
            "type": "summary",
            "verdicts": {
              "diverged": 1,
              "identical": 1
            },
            "workflows": {
              "listen": {
                "diverged": 1,
                "identical": 1
              }
            }
          }
        ]"#]].assert_eq(&serde_json::to_string_pretty(&lines(&answer)).unwrap());
    let one = fixture.post("/v1/components/scripts/versions/2/check", r#"{"sample": 1}"#).await;
    assert_eq!(lines(&one).last().unwrap()["looked_at"], 1);
    let of_type = r#"{"workflow": "echo", "from_version": 1}"#;
    let none = fixture.post("/v1/components/scripts/versions/2/check", of_type).await;
    assert_eq!(lines(&none).last().unwrap()["safe"], true, "{}", none.body);

    let bad = [(r#"{"sample": 0}"#, "sample"), (r#"{"runs": ["x"]}"#, "runs")];
    for (body, field) in bad {
        let refused = fixture.post("/v1/components/scripts/versions/2/check", body).await;
        assert_eq!((refused.status, refused.text("field").as_str()), (400, field));
    }
    assert_eq!(fixture.post("/v1/components/scripts/versions/3/check", "{}").await.status, 404);
    let wasm = [("content-type", "application/wasm")];
    let nonsense = request(Method::POST, "/v1/components/scripts/check", &wasm, Body::from("nonsense"));
    assert_eq!(fixture.send(nonsense).await.text("code"), "invalid-component");
    let query = "/v1/components/scripts/check?sample=none";
    let refused = fixture.send(request(Method::POST, query, &wasm, Body::from("nonsense"))).await;
    assert_eq!((refused.status, refused.text("field").as_str()), (400, "sample"));
}

#[tokio::test]
async fn a_run_is_moved_if_the_version_would_go_on_with_it() {
    let fixture = two_versions().await;
    let refused = moved(&fixture, "other", json!({"version": 2, "reason": "a fix"})).await;
    assert_eq!((refused.status, refused.text("code").as_str()), (409, "diverges"));
    assert_eq!(refused.json()["mismatch"]["attempted"], "timer.start 60s");
    assert_eq!(fixture.get("/v1/workflows/other").await.json()["version"], 1);

    let undo = moved(&fixture, "same", json!({"undo": true})).await;
    assert_eq!((undo.status, undo.text("code").as_str()), (409, "nothing-to-undo"));
    let answer = moved(&fixture, "same", json!({"version": 2})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let now = answer.json();
    assert_eq!(
        (&now["version"], &now["verdict"], &now["moved"]),
        (&json!(2), &json!("identical"), &json!(true))
    );
    let described = fixture.get("/v1/workflows/same").await.json();
    assert_eq!((&described["version"], &described["started_version"]), (&json!(2), &json!(1)));
    assert_eq!(described["digest"], OTHER.to_string());
    assert_eq!(moved(&fixture, "same", json!({"undo": true})).await.json()["version"], 1);
    let by_digest = moved(&fixture, "same", json!({"digest": OTHER.to_string()})).await;
    assert_eq!(by_digest.json()["version"], 2, "{}", by_digest.body);

    let bad = [
        (json!({}), "version"),
        (json!({"version": 1, "undo": true}), "version"),
        (json!({"digest": "abc"}), "digest"),
        (json!({"digest": "é".repeat(32)}), "digest"),
    ];
    for (body, field) in bad {
        let refused = moved(&fixture, "same", body).await;
        assert_eq!((refused.status, refused.text("field").as_str()), (400, field), "{}", refused.body);
    }
    assert_eq!(moved(&fixture, "same", json!({"version": 3})).await.status, 404);
    assert_eq!(moved(&fixture, "nobody", json!({"version": 2})).await.status, 404);
}

#[tokio::test]
async fn the_runs_of_a_component_are_moved_as_far_as_they_would_go_on() {
    let fixture = two_versions().await;
    let path = "/v1/components/scripts/move";
    let answer = fixture.post(path, r#"{"to_version": 2}"#).await;
    let moved: Vec<_> = lines(&answer)
        .iter()
        .filter(|line| line["type"] == "run")
        .map(|line| (line["id"].as_str().unwrap().to_owned(), line["moved"].as_bool().unwrap()))
        .collect();
    assert_eq!(moved, [("other".to_owned(), false), ("same".to_owned(), true)]);
    assert_eq!(lines(&answer).last().unwrap()["safe"], false);
    for percent in [0, 101] {
        let body = json!({"to_version": 2, "percent": percent});
        assert_eq!(fixture.post(path, &body.to_string()).await.text("field"), "percent");
    }
    assert_eq!(fixture.post(path, r#"{"to_version": 3}"#).await.status, 404);
}

#[tokio::test]
async fn a_start_can_name_its_code() {
    let fixture = two_versions().await;
    let start = json!({"workflow": "listen", "id": "d", "digest": DIGEST.to_string()});
    fixture.start(&start.to_string()).await;
    assert_eq!(fixture.get("/v1/workflows/d").await.json()["version"], 1);
    let both =
        json!({"workflow": "listen", "component": "scripts", "version": 1, "digest": DIGEST.to_string()});
    for body in [json!({"workflow": "listen", "digest": "abc"}), both] {
        let refused = fixture.post("/v1/workflows", &body.to_string()).await;
        assert_eq!((refused.status, refused.text("field").as_str()), (400, "digest"), "{}", refused.body);
    }
}
