//! Lists of runs.

use std::collections::BTreeSet;

use anyhow::Result;
use refrain_tests::Host;
use serde_json::json;

#[tokio::test]
async fn pages_together_have_each_run_once_newest_first() -> Result<()> {
    const RUNS: usize = 23;
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    let mut expected = Vec::new();
    for n in 0..RUNS {
        let id = format!("run {n}");
        client.start("bench_signal", &id, json!({ "n": 1 })).await?;
        expected.insert(0, id);
    }
    for limit in [1, 7, 23, 100] {
        let runs = client.list(limit).await?;
        let ids: Vec<&str> = runs.iter().filter_map(|run| run["id"].as_str()).collect();
        assert_eq!(ids, expected, "pages of {limit}");
    }
    Ok(())
}

#[tokio::test]
async fn filters_take_status_and_type() -> Result<()> {
    let host = Host::with_example("rust-bench").await?;
    let client = host.client();
    client.start("bench_signal", "waits", json!({ "n": 1 })).await?;
    client.start("bench_replay", "done", json!({ "n": 2 })).await?;
    client.completed("done").await?;
    let cases = [
        ("status=running", BTreeSet::from(["waits"])),
        ("status=completed", BTreeSet::from(["done"])),
        ("workflow=bench_signal", BTreeSet::from(["waits"])),
        ("workflow=bench_signal&status=completed", BTreeSet::new()),
        ("workflow=unheard-of", BTreeSet::new()),
    ];
    for (query, expected) in cases {
        let page = client.get(&format!("/v1/workflows?{query}")).await?.ok()?;
        let runs = page["workflows"].as_array().cloned().unwrap_or_default();
        assert_eq!(
            runs.iter().filter_map(|run| run["id"].as_str()).collect::<BTreeSet<_>>(),
            expected,
            "{query}"
        );
    }
    let slip = client.get("/v1/workflows?status=complete").await?;
    assert_eq!((slip.status, slip.body["field"].as_str()), (400, Some("status")));
    assert!(slip.body["hint"].as_str().is_some_and(|hint| hint.contains("completed")), "{}", slip.body);
    Ok(())
}
