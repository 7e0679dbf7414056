//! The main job: a backup goes through the death of its host.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use refrain_tests::{Event, Host, checker};
use serde_json::{Value, json};

/// Enough files that the host cannot be through with them before the kill comes.
const FILES: usize = 150;

fn completed<'a>(history: &'a [Event], activity: &'a str) -> impl Iterator<Item = &'a Event> {
    history
        .iter()
        .filter(move |event| event.kind() == "activity-completed" && event.attribute("name") == activity)
}

async fn host_with_files() -> Result<Host> {
    let host = Host::with_example("backup").await?;
    for n in 0..FILES {
        host.write_source(format!("{}/{n}", n % 7), format!("file {n}").repeat(n).as_bytes())?;
    }
    Ok(host)
}

#[tokio::test]
async fn a_backup_whose_host_is_killed_completes_and_repeats_nothing_recorded() -> Result<()> {
    let mut host = host_with_files().await?;
    let client = host.client();
    client.start("backup", "backup", json!({})).await?;
    let seen = client.follow("backup", |seen| completed(seen, "fs.hash").count() >= FILES / 3).await?;
    host.kill9().await?;
    host.restart().await?;

    let report = client.completed("backup").await?;
    assert_eq!(report["files"], FILES);
    let history = client.history("backup").await?;
    assert_eq!(&history[..seen.len()], &seen, "what was seen before the kill is what is recorded after it");
    checker::check_history(&history, 0)?;
    assert_eq!(completed(&history, "fs.hash").count(), FILES);
    let boots: Vec<u64> = history.iter().map(Event::boot).collect();
    assert!(boots.first() < boots.last(), "the kill came too late to matter: {boots:?}");
    assert!(history.iter().any(|event| event.kind() == "host-restarted"), "the crash is not in the history");
    let first_life = boots[0];
    for event in
        history.iter().filter(|event| event.kind() == "activity-completed" && event.boot() == first_life)
    {
        assert_eq!(event.attribute("attempt"), 1, "recorded before the kill, done again after it: {event:?}");
    }

    let archive = fs::File::open(host.target().join("backup.tar"))?;
    let mut archived = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut content = String::new();
            std::io::Read::read_to_string(&mut entry, &mut content)?;
            archived.insert(entry.path()?.into_owned(), content);
        }
    }
    assert_eq!(archived.len(), FILES);
    for (path, content) in archived {
        assert_eq!(fs::read_to_string(host.source().join(&path))?, content, "{}", path.display());
    }
    Ok(())
}

#[tokio::test]
async fn a_backup_that_fails_is_undone_and_tells_why() -> Result<()> {
    let host = Host::with_example("backup").await?;
    host.write_source("a", b"one")?;
    let client = host.client();
    client.start("backup", "backup", json!({ "fail_at": "checksum" })).await?;
    let ended = client.result("backup").await?;
    assert_eq!(ended["status"], "failed");
    let failure = &ended["failure"];
    let causes = failure["causes"].as_array().context("causes")?;
    let chain: Vec<&Value> = std::iter::once(failure).chain(causes).map(|link| &link["message"]).collect();
    assert_eq!(chain[..2], [&json!("back up `source`"), &json!("write the checksum")]);
    assert!(chain[2].as_str().is_some_and(|message| message.contains("`..`")), "{chain:?}");
    assert_eq!(failure["details"]["compensations"].as_array().map(Vec::len), Some(3));
    let left: Vec<_> = fs::read_dir(host.target())?.collect::<Result<_, _>>()?;
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}
