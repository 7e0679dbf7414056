//! The OpenAPI document and the routes are about the same API.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::Method;
use serde_json::Value;

use super::{Fixture, request};
use crate::api::extract::MAX_JSON_BYTES;
use crate::api::{NAMESPACED, openapi};

/// Set to write the document anew.
const BLESS: &str = "REFRAIN_BLESS";

fn document() -> Value {
    serde_json::from_str(openapi::text()).unwrap()
}

#[test]
fn the_document_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, openapi::text()).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == openapi::text(), "openapi.json is out of date: run this test with {BLESS}=1");
}

#[tokio::test]
async fn the_document_is_served() {
    let answer = Fixture::new().await.get("/openapi.json").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, openapi::text()));
    assert!(answer.text("openapi").starts_with("3.1"), "{}", answer.text("openapi"));
}

#[tokio::test]
async fn each_documented_operation_is_a_route_and_each_route_is_documented() {
    let fixture = Fixture::new().await;
    for (path, item) in document()["paths"].as_object().unwrap() {
        let uri = path.replace("{version}", "1").replace("{namespace}", "default").replace(['{', '}'], "");
        let documented: BTreeSet<_> =
            item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            let expected = documented.contains(method.as_str());
            let what = format!("{method} {path}");
            let answer = fixture.send(request(method, &uri, &[], Body::empty())).await;
            assert_ne!(
                answer.headers.get("content-type").map(|_| answer.text("type")),
                Some("urn:refrain:problem:unknown-route".to_owned()),
                "{what}"
            );
            assert_eq!(answer.status != 405, expected, "{what}: {}", answer.body);
            if !expected {
                let allowed: BTreeSet<_> = answer.headers["allow"]
                    .to_str()
                    .unwrap()
                    .split(',')
                    .map(str::to_owned)
                    .filter(|method| method != "HEAD")
                    .collect();
                assert_eq!(allowed, documented, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn each_route_that_takes_json_wants_it_from_this_hosts_own() {
    let fixture = Fixture::new().await;
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(MAX_JSON_BYTES));
    let json = ("content-type", "application/json");
    /// Headers and body of a request, and the status with which it is refused.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, u16);
    let cases: [Case<'_>; 6] = [
        (&[], "{}", 415),
        (&[("content-type", "text/plain")], "{}", 415),
        (&[json, ("host", "evil.example")], "{}", 403),
        (&[json, ("origin", "http://evil.example")], "{}", 403),
        (&[json], &large, 413),
        (&[json], "{\"no_such_field\":1}", 400),
    ];
    for (path, item) in document()["paths"].as_object().unwrap() {
        let Some(operation) = item.get("post") else { continue };
        let takes_json = !operation["requestBody"]["content"]["application/json"].is_null();
        let uri = path
            .replace("{namespace}", "default")
            .replace("{version}", "1")
            .replace(['{', '}'], "")
            .replace("activity_id", "1");
        for (headers, body, status) in cases {
            // One that takes a component refuses JSON before it is read.
            let status = if takes_json || status == 403 { status } else { 415 };
            let request = request(Method::POST, &uri, headers, Body::from(body.to_owned()));
            let answer = fixture.send(request).await;
            assert_eq!(answer.status, status, "{path} {headers:?}: {}", answer.body);
        }
    }
}

#[test]
fn each_path_of_a_namespace_is_there_with_and_without_it() {
    let document = document();
    let paths: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let within: BTreeSet<_> = paths.iter().filter_map(|path| path.strip_prefix(NAMESPACED)).collect();
    let without: BTreeSet<_> = paths
        .iter()
        .filter(|path| !path.starts_with(NAMESPACED))
        .filter_map(|path| path.strip_prefix("/v1"))
        .collect();
    assert_eq!(within, without);
}

#[test]
fn each_operation_has_an_id_words_and_its_parameters() {
    let mut ids = BTreeSet::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{what}: operation id"
            );
            assert!(
                operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()),
                "{what}: summary"
            );
            let in_path: BTreeSet<_> =
                path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let listed: BTreeSet<_> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(listed, in_path.into_iter().map(str::to_owned).collect(), "{what}: parameters");
        }
    }
}
