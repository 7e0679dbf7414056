//! Takes snapshots of a directory, as a child for others to use; and shows what becomes of children whose parent ends.
//!
//! [`snapshot`] archives a directory. What it writes is a draft, `NAME.tar.part`, for as long as the snapshot may still be
//! called off, and `NAME.tar` then. Who calls it off in time leaves nothing behind.
//!
//! [`snapshots`] starts three of them, with one of the three policies for the end of a parent each:
//!
//! | child | [`ParentClose`] | becomes | leaves behind |
//! |---|---|---|---|
//! | `ID-terminated` | `Terminate`, the default | terminated, at once and unasked | its draft: nobody was there to remove it |
//! | `ID-canceled` | `RequestCancel` | canceled, when it has cleaned up | nothing |
//! | `ID-abandoned` | `Abandon` | completed, as if nothing had happened | its snapshot |
//!
//! The policy is carried out by the host, with the end of the parent and whatever end that is: its result, a failure, a
//! termination, a timeout, or continue-as-new.
//!
//! It needs the host's `fs` plugin, with a directory to read and one to write. `cargo xtask example snapshot` terminates
//! the parent, kills the host at that very moment, and looks at what is left.

use std::time::Duration;

use refrain_sdk::{
    CancelScope, Context, Failure, ParentClose, Saga, child_of, info, saga, sleep_named, try_join_all,
    workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod fs;

use fs::Place;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    /// The directory to take a snapshot of, by its name in the host's configuration.
    source: String,
    /// The directory for the snapshot, by its name in the host's configuration.
    target: String,
    /// The snapshot is `NAME.tar`.
    name: String,
    /// For how many milliseconds it may still be called off when it is written.
    hold_ms: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Taken {
    path: String,
    size: u64,
    sha256: String,
}

/// Takes a snapshot of a directory, or leaves nothing behind.
#[workflow]
async fn snapshot(input: Snapshot) -> Result<Taken, Failure> {
    let doing = format!("take a snapshot of `{}`", input.source);
    CancelScope::with_run().run(saga(&doing, async |saga| take(&input, saga).await)).await
}

async fn take(input: &Snapshot, saga: &mut Saga) -> Result<Taken, Failure> {
    let Snapshot { source, target, name, hold_ms } = input;
    let draft = Place::new(target, format!("{name}.tar.part"));
    let path = format!("{name}.tar");
    saga.undo("remove the draft", fs::remove(&draft));
    let fs::Archived { size, sha256 } = fs::archive(source, &draft).await.context("write the draft")?;
    sleep_named(Duration::from_millis(*hold_ms), "may be called off").await;
    fs::rename(&draft, &path).await.context("give the draft its name")?;
    Ok(Taken { path, size, sha256 })
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Snapshots {
    /// By which its children are known.
    id: String,
    /// As of each snapshot.
    source: String,
    target: String,
    hold_ms: u64,
}

/// Takes three snapshots at once, which end in different ways if this run ends before them.
#[workflow]
async fn snapshots(input: Snapshots) -> Result<Vec<Taken>, Failure> {
    let policies = [
        ("terminated", ParentClose::Terminate),
        ("canceled", ParentClose::RequestCancel),
        ("abandoned", ParentClose::Abandon),
    ];
    let children = policies.map(|(fate, policy)| {
        let Snapshots { id, source, target, hold_ms } = &input;
        let name = format!("{id}-{fate}");
        let snapshot = Snapshot {
            source: source.clone(),
            target: target.clone(),
            name: name.clone(),
            hold_ms: *hold_ms,
        };
        child_of::<snapshot>(&snapshot).id(name).parent_close(policy).start_watched()
    });
    let (started, taken): (Vec<_>, Vec<_>) = children.into_iter().unzip();
    for child in try_join_all(started).await? {
        info!("`{}` has started", child.workflow_id);
    }
    try_join_all(taken).await
}

refrain_sdk::component!(snapshot, snapshots);

#[cfg(test)]
mod tests;
