//! `refrain bench` measures; what it measures is nobody's pass or fail.

use anyhow::Result;
use refrain_tests::{Host, guest_path};
use serde_json::Value;

/// The figures of a workload, one JSON object for each line of the output.
async fn figures(arguments: &[&str]) -> Result<Vec<Value>> {
    let host = Host::start().await?;
    let wasm = guest_path("rust-bench")?.display().to_string();
    let fixed = ["--json", "--seconds", "1", "--component", &wasm];
    let output = host.cli(&[&["bench"], arguments, &fixed[..]].concat()).await?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

#[tokio::test]
async fn each_figure_of_a_load_comes_with_its_limit_and_their_ratio() -> Result<()> {
    for transport in [&["hello", "--clients", "2"][..], &["hello", "--clients", "2", "--http"]] {
        let figures = figures(transport).await?;
        let throughput =
            figures.iter().find(|figure| figure["metric"] == "throughput").expect("a throughput");
        let number = |field: &str| throughput[field].as_f64().unwrap_or_default();
        assert_eq!((&throughput["workload"], number("clients")), (&Value::from("hello"), 2.0));
        assert!(number("value") > 0.0 && number("limit") > 0.0, "{throughput}");
        assert!((number("ratio") - number("value") / number("limit")).abs() < 1e-9, "{throughput}");
    }
    Ok(())
}

#[tokio::test]
async fn signals_to_waiting_runs_are_measured_beside_the_same_load_in_memory() -> Result<()> {
    for transport in
        [&["signal", "--clients", "2", "--runs", "10"][..], &["signal", "--clients", "2", "--http"]]
    {
        let figures = figures(transport).await?;
        let throughput =
            figures.iter().find(|figure| figure["metric"] == "throughput").expect("a throughput");
        assert_eq!((&throughput["workload"], &throughput["unit"]), (&"signal".into(), &"signals/s".into()));
        assert!(throughput["value"].as_f64() > Some(0.0) && throughput["ratio"].as_f64() > Some(0.0));
    }
    Ok(())
}

#[tokio::test]
async fn children_are_measured_beside_the_same_load_in_memory_and_one_parent_of_many_alone() -> Result<()> {
    let figures = figures(&["children", "--clients", "2"]).await?;
    for metric in ["throughput", "latency_p50", "parent_of_1000"] {
        let figure = figures.iter().find(|figure| figure["metric"] == metric).expect("a figure");
        assert_eq!(figure["workload"], "children");
        assert!(figure["value"].as_f64() > Some(0.0) && figure["ratio"].as_f64() > Some(0.0), "{figure}");
    }
    Ok(())
}

#[tokio::test]
async fn queries_are_measured_on_a_short_and_on_a_long_journal() -> Result<()> {
    let figures = figures(&["query"]).await?;
    for metric in ["p50_entries_100", "p50_entries_10000"] {
        let figure = figures.iter().find(|figure| figure["metric"] == metric).expect("a figure");
        assert!(figure["value"].as_f64().unwrap_or_default() > 0.0, "{figure}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wait_writes_the_same_few_bytes_whatever_is_open() -> Result<()> {
    let figures = figures(&["open-ops"]).await?;
    let bytes = |metric: &str| {
        let figure = figures.iter().find(|figure| figure["metric"] == metric).expect("a figure");
        figure["value"].as_f64().unwrap_or_default()
    };
    let (none, many) = (bytes("bytes_with_0_open"), bytes("bytes_with_10000_open"));
    assert!(none > 0.0 && many < none * 1.1, "{none} bytes with none open, {many} with 10,000");
    Ok(())
}
