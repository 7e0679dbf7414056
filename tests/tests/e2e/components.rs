//! Uploads, and the smallest workflow.

use anyhow::Result;
use refrain_tests::{Host, guest};
use serde_json::json;

#[tokio::test]
async fn an_uploaded_component_runs() -> Result<()> {
    let host = Host::with_example("hello").await?;
    let client = host.client();
    client.start("hello", "greeting", json!({ "name": "Ada" })).await?;
    assert_eq!(client.completed("greeting").await?, json!({ "text": "Hello, Ada!" }));
    let history = client.history("greeting").await?;
    let kinds: Vec<&str> = history.iter().map(|event| event.kind()).collect();
    assert_eq!(kinds, ["workflow-started", "logged", "workflow-completed"]);
    Ok(())
}

#[tokio::test]
async fn an_upload_of_the_same_bytes_makes_no_new_version() -> Result<()> {
    let host = Host::start().await?;
    let client = host.client();
    let first = client.try_upload("greeter", guest("hello")?).await?;
    assert_eq!(
        (first.status, &first.body["version"], &first.body["created"]),
        (201, &json!(1), &json!(true))
    );
    let again = client.try_upload("greeter", guest("hello")?).await?;
    assert_eq!(
        (again.status, &again.body["version"], &again.body["created"]),
        (200, &json!(1), &json!(false))
    );
    assert_eq!(first.body["digest"], again.body["digest"]);

    let other = client.try_upload("greeter", guest("reminder")?).await?;
    assert_eq!((other.status, &other.body["version"]), (201, &json!(2)));
    let versions = client.get("/v1/components/greeter").await?.ok()?;
    assert_eq!(versions["current"], 2);
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn components_survive_a_kill() -> Result<()> {
    let mut host = Host::with_example("hello").await?;
    host.kill9().await?;
    host.restart().await?;
    let client = host.client();
    client.start("hello", "greeting", json!({ "name": "Bo" })).await?;
    assert_eq!(client.completed("greeting").await?, json!({ "text": "Hello, Bo!" }));
    Ok(())
}
