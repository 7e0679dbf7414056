//! Other code for open runs.

use std::sync::Arc;

use refrain_engine::call::{Interest, Read};
use refrain_engine::ids::RunId;
use refrain_engine::mailbox::Event;
use refrain_engine::scripted::trap;
use refrain_runtime::{Error, JudgedRun, MoveTo, Moved, OnTrap, RunStatus, Selection, Verdict};
use tokio::sync::Semaphore;

use crate::preflight::{all_rows, hear};
use crate::versions::{OTHER, push, waits};
use crate::world::*;

pub(crate) async fn try_move(host: &Host, id: &str, to: MoveTo) -> Result<Moved, Error> {
    host.runtime.move_run(&host.namespace, &target(id), to, "a fix".to_owned()).await
}

/// Moves a run, and answers how it replayed.
async fn move_to(host: &Host, id: &str, version: u32) -> Verdict {
    let moved = try_move(host, id, MoveTo::Version(version)).await.expect("a move");
    assert!(moved.moved && moved.code.version == version, "{moved:?}");
    moved.verdict
}

/// Waits for a signal, and answers which code took it.
fn tells(world: &World) {
    for (digest, answer) in [(CODE, 1), (OTHER, 2)] {
        world.guests.add(digest, "tells", move |host, _| async move {
            host.wait(Interest::Everything).await?;
            completed(answer)
        });
    }
    world.define("tells", OnTrap::Park);
}

#[test]
fn a_run_goes_on_with_the_code_that_it_was_moved_to() {
    let world = World::new();
    tells(&world);
    world.live(async |host| {
        for id in ["in memory", "asleep", "paused", "unstarted"] {
            let delay = secs(if id == "unstarted" { 1_000 } else { 0 });
            host.start_with("tells", id, |start| start.start_delay = delay).await.unwrap();
        }
        push(&host, OTHER, &["tells"]).await;
        // The instance of one is in memory, those of the others were dropped.
        host.pass(secs(60)).await;
        host.signal("in memory", "unheard", "0", None).await.ok();
        assert_eq!(host.value("in memory").await, "1");
        host.start_with("tells", "in memory", |start| {
            (start.component, start.version) = (Some("test".to_owned()), Some(1));
        })
        .await
        .unwrap();
        host.settle().await;
        host.pause("paused").await.unwrap();
        for id in ["in memory", "asleep", "paused", "unstarted"] {
            assert_eq!(move_to(&host, id, 2).await, Verdict::Identical, "{id}");
            let again = try_move(&host, id, MoveTo::Version(2)).await.unwrap();
            assert!(!again.moved, "a repeated move records nothing");
            let described = host.describe(id).await;
            assert_eq!((described.version, described.digest, described.started_version), (2, OTHER, 1));
        }
        assert_eq!(host.status("paused").await, RunStatus::Paused);
        host.unpause("paused").await.unwrap();
        let story = host.story("asleep").await;
        assert!(story.contains("workflow-moved") && story.contains("a fix"), "{story}");
    });
    // Moves outlive the host.
    world.live(async |host| {
        for id in ["in memory", "asleep", "paused", "unstarted"] {
            host.signal(id, "go", "0", None).await.unwrap();
            assert_eq!(host.value(id).await, "2", "{id}");
        }
        let ended = try_move(&host, "asleep", MoveTo::Version(1)).await;
        assert!(matches!(ended, Err(Error::Closed { .. })), "{ended:?}");
    });
    world.check_rest();
}

#[test]
fn a_run_that_executes_is_moved_when_its_step_has_ended() {
    let world = World::new();
    let gate = Arc::new(Semaphore::new(0));
    for (digest, answer) in [(CODE, 1), (OTHER, 2)] {
        let gate = Arc::clone(&gate);
        world.guests.add(digest, "slow", move |host, _| {
            let gate = Arc::clone(&gate);
            async move {
                host.log("it begins")?;
                gate.acquire().await.expect("the gate stays").forget();
                host.wait(Interest::Everything).await?;
                completed(answer)
            }
        });
    }
    world.define("slow", OnTrap::Park);
    world.live(async |host| {
        host.start("slow", "s").await;
        push(&host, OTHER, &["slow"]).await;
        host.settle().await;
        let moving = tokio::spawn({
            let host = host.clone();
            async move { try_move(&host, "s", MoveTo::Version(2)).await }
        });
        host.settle().await;
        assert!(!moving.is_finished(), "a step is under way");
        host.signal("s", "meanwhile", "0", None).await.unwrap();
        // For the step, for the replay before the move, and for that of the check below.
        gate.add_permits(3);
        assert_eq!(moving.await.unwrap().unwrap().code.version, 2);
        assert_eq!(host.value("s").await, "2", "the move comes before the step that takes the signal");
    });
    world.check_rest();
}

#[test]
fn a_fixed_version_rescues_parked_runs() {
    let world = World::new();
    for digest in [CODE, OTHER] {
        let is_fixed = digest == OTHER;
        world.guests.add(digest, "traps", move |host, _| async move {
            let heard = host.wait(Interest::Everything).await?.len();
            if is_fixed { completed(heard) } else { Err(trap("a bug")) }
        });
    }
    world.define("traps", OnTrap::Park);
    world.live(async |host| {
        host.start("traps", "t").await;
        host.settle().await;
        host.signal("t", "one", "0", None).await.unwrap();
        host.settle().await;
        assert_eq!(host.status("t").await, RunStatus::Parked);
        push(&host, OTHER, &["traps"]).await;
        host.signal("t", "two", "0", None).await.unwrap();
        assert_eq!(move_to(&host, "t", 2).await, Verdict::Identical);
        assert_eq!(host.value("t").await, "2");
    });
    world.check_rest();
}

#[test]
fn a_move_that_would_not_replay_leaves_every_row_as_it_was_and_the_run_goes_on() {
    let world = World::new();
    for digest in [CODE, OTHER] {
        let is_new = digest == OTHER;
        world.guests.add(digest, "changes", move |host, _| async move {
            run(&host, activity("echo", u8::from(is_new))).await?.expect("a value");
            host.wait(Interest::Everything).await?;
            completed(1)
        });
    }
    world.define("changes", OnTrap::Park);
    world.live(async |host| {
        host.start("changes", "c").await;
        push(&host, OTHER, &["changes"]).await;
        host.settle().await;
        for memory in ["in memory", "asleep"] {
            let before = all_rows(&world);
            let refused = try_move(&host, "c", MoveTo::Version(2)).await;
            let Err(Error::Diverges { verdict, .. }) = refused else { panic!("{memory}: {refused:?}") };
            let Verdict::Diverged(mismatch) = &*verdict else { panic!("{memory}: {verdict:?}") };
            assert_eq!((&*mismatch.position, &*mismatch.recorded), ("0.0", "activity.start echo"));
            assert_eq!(mismatch.differences, [("input".to_owned(), "0".to_owned(), "1".to_owned())]);
            assert!(all_rows(&world) == before, "{memory}: a refused move changes nothing");
            host.pass(secs(60)).await;
        }
        let missing = try_move(&host, "c", MoveTo::Version(3)).await;
        assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
        host.signal("c", "go", "0", None).await.unwrap();
        assert_eq!(host.value("c").await, "1");
    });
    world.check_rest();
}

#[test]
fn reads_may_differ_in_a_move_and_the_replays_after_it_are_exact() {
    let world = World::new();
    for digest in [CODE, OTHER] {
        let is_new = digest == OTHER;
        world.guests.add(digest, "reads", move |host, _| async move {
            let mut seen = Vec::new();
            for _ in 0..3 {
                let read = if is_new { Read::Uuid } else { Read::Now };
                seen.push(format!("{:?}", host.read(read)?));
                host.wait(Interest::Everything).await?;
            }
            completed(format!("\"{}\"", seen.len()))
        });
    }
    world.define("reads", OnTrap::Park);
    world.live(async |host| {
        host.start("reads", "r").await;
        push(&host, OTHER, &["reads"]).await;
        host.settle().await;
        assert_eq!(move_to(&host, "r", 2).await, Verdict::Compatible);
        host.signal("r", "one", "0", None).await.unwrap();
        host.settle().await;
    });
    world.live(async |host| {
        host.signal("r", "two", "0", None).await.unwrap();
        host.settle().await;
        assert_eq!(
            host.status("r").await,
            RunStatus::Running,
            "what it read after the move is what it reads now"
        );
        // Back is a move as well, with what the other code has recorded.
        assert_eq!(move_to(&host, "r", 1).await, Verdict::Compatible);
        host.signal("r", "three", "0", None).await.unwrap();
        assert_eq!(host.value("r").await, "\"3\"");
    });
    world.check_rest();
}

#[test]
fn a_move_can_be_undone_until_something_new_is_recorded() {
    let world = World::new();
    waits(&world, CODE);
    waits(&world, OTHER);
    world.live(async |host| {
        host.start("waits", "w").await;
        push(&host, OTHER, &["waits"]).await;
        host.settle().await;
        let never = try_move(&host, "w", MoveTo::Back).await;
        assert!(matches!(never, Err(Error::NothingToUndo { reason: "it was never moved", .. })), "{never:?}");
        move_to(&host, "w", 2).await;
        let undone = try_move(&host, "w", MoveTo::Back).await.unwrap();
        assert_eq!((undone.moved, undone.code.version), (true, 1));
        let again = try_move(&host, "w", MoveTo::Back).await.unwrap();
        assert_eq!(again.code.version, 2, "an undoing is a move, which can be undone");
        host.signal("w", "on", "0", None).await.unwrap();
        host.settle().await;
        let late = try_move(&host, "w", MoveTo::Back).await;
        assert!(matches!(late, Err(Error::NothingToUndo { reason: "it has made steps since", .. })));
        assert_eq!(
            move_to(&host, "w", 1).await,
            Verdict::Identical,
            "moving back by number is still checked"
        );
        host.signal("w", "stop", "0", None).await.unwrap();
        assert_eq!(host.value("w").await, "1");
    });
    world.check_rest();
}

#[test]
fn a_component_s_runs_are_moved_in_parts_that_grow() {
    let world = World::new();
    waits(&world, CODE);
    waits(&world, OTHER);
    let hears = |host: &Host, percent, to| {
        let selection = Selection { percent, ..Selection::default() };
        let events =
            host.runtime.move_runs(&host.namespace, "test", to, selection, "a rollout".to_owned()).unwrap();
        async move { hear(events).await.1 }
    };
    let ids = |runs: &[JudgedRun]| -> Vec<RunId> { runs.iter().map(|run| run.run_id).collect() };
    world.live(async |host| {
        for number in 0..200 {
            host.start("waits", &format!("w{number}")).await;
        }
        push(&host, OTHER, &["waits"]).await;
        host.settle().await;
        let tenth = hears(&host, Some(10), 2).await;
        assert!((5..=40).contains(&tenth.len()), "{}", tenth.len());
        assert!(tenth.iter().all(|run| run.tried.verdict == Verdict::Identical && run.version == 1));
        assert!(hears(&host, Some(10), 2).await.is_empty(), "those are there");
        let half = hears(&host, Some(50), 2).await;
        let back = hears(&host, Some(50), 1).await;
        let (mut moved, mut returned) = ([ids(&tenth), ids(&half)].concat(), ids(&back));
        moved.sort_unstable();
        returned.sort_unstable();
        assert_eq!(moved, returned, "the half has the tenth in it");
        assert_eq!(hears(&host, None, 2).await.len(), 200);
        for number in 0..200 {
            let id = format!("w{number}");
            assert_eq!(host.describe(&id).await.version, 2);
            host.terminate(&id).await.unwrap();
        }
    });
    world.check_rest();
}

#[test]
fn what_arrives_while_a_run_is_moved_is_delivered_once() {
    let world = World::new();
    let gate = Arc::new(Semaphore::new(0));
    for digest in [CODE, OTHER] {
        let gate = Arc::clone(&gate);
        world.guests.add(digest, "hears", move |host, _| {
            let gate = Arc::clone(&gate);
            async move {
                if digest == OTHER {
                    gate.acquire().await.expect("the gate stays").forget();
                }
                let mut names = Vec::new();
                while names.len() < 3 {
                    for event in host.wait(Interest::Everything).await? {
                        let Event::Signal { name, .. } = event else { panic!("{event:?}") };
                        names.push(name);
                    }
                }
                completed(format!("{names:?}"))
            }
        });
    }
    world.define("hears", OnTrap::Park);
    world.live(async |host| {
        host.start("hears", "h").await;
        push(&host, OTHER, &["hears"]).await;
        host.signal("h", "before", "0", None).await.unwrap();
        host.settle().await;
        let moving = tokio::spawn({
            let host = host.clone();
            async move { try_move(&host, "h", MoveTo::Version(2)).await }
        });
        host.settle().await;
        host.signal("h", "meanwhile", "0", None).await.unwrap();
        gate.add_permits(1);
        assert_eq!(moving.await.unwrap().unwrap().verdict, Verdict::Identical);
        host.signal("h", "after", "0", None).await.unwrap();
        assert_eq!(host.value("h").await, r#"["before", "meanwhile", "after"]"#);
        gate.add_permits(1);
    });
    world.check_rest();
}
