//! Whether other code would replay open runs, told before anything is moved.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::expect;
use refrain_engine::call::{Interest, Read};
use refrain_engine::ids::{Digest, RunId};
use refrain_engine::scripted::trap;
use refrain_runtime::{Against, Error, JudgedRun, OnTrap, RunStatus, Selection, SweepEvent, Tried, Verdict};
use refrain_store::Table;
use tokio::sync::{Semaphore, mpsc};

use crate::versions::{OTHER, push, waits};
use crate::world::*;

/// All that a sweep says, and that it came to its end.
pub(crate) async fn hear(mut events: mpsc::Receiver<SweepEvent>) -> (u64, Vec<JudgedRun>) {
    let (mut selected, mut runs) = (None, Vec::new());
    while let Some(event) = events.recv().await {
        match event {
            SweepEvent::Begun { selected: number, .. } => selected = Some(number),
            SweepEvent::Run(run) => runs.push(*run),
            SweepEvent::Done => return (selected.expect("a beginning"), runs),
            SweepEvent::Failed(error) => panic!("{error}"),
        }
    }
    panic!("it ended without an end")
}

pub(crate) fn candidate(digest: Digest, workflows: &[&str]) -> Against {
    Against::Candidate { digest, workflows: workflows.iter().map(|&name| name.to_owned()).collect() }
}

async fn check(host: &Host, against: Against, selection: Selection) -> Vec<JudgedRun> {
    hear(host.runtime.check_runs(&host.namespace, "test", against, selection).expect("a check")).await.1
}

/// One line for each run.
fn lines(mut runs: Vec<JudgedRun>) -> String {
    runs.sort_by(|a, b| a.workflow_id.as_str().cmp(b.workflow_id.as_str()));
    let line = |run: JudgedRun| {
        let JudgedRun { workflow_id, status, version, steps, tried: Tried { verdict, .. }, .. } = run;
        let status = status.as_str();
        format!("{workflow_id} {status} v{version} {steps} {}: {verdict}\n", verdict.as_str())
    };
    runs.into_iter().map(line).collect()
}

/// Every row there is.
pub(crate) fn all_rows(world: &World) -> Vec<(Table, Vec<(bytes::Bytes, bytes::Bytes)>)> {
    Table::ALL
        .into_iter()
        .filter(|table| *table != Table::Meta)
        .map(|table| (table, world.rows(table)))
        .collect()
}

#[test]
fn each_open_run_is_told_how_other_code_would_replay_it_and_nothing_changes() {
    let world = World::new();
    waits(&world, CODE);
    waits(&world, OTHER);
    for digest in [CODE, OTHER] {
        let is_new = digest == OTHER;
        world.guests.add(digest, "reads", move |host, _| async move {
            host.read(if is_new { Read::Uuid } else { Read::Now })?;
            host.wait(Interest::Everything).await?;
            completed(1)
        });
        world.guests.add(digest, "changes", move |host, _| async move {
            host.wait(Interest::Everything).await?;
            host.timer(secs(if is_new { 7_200 } else { 3_600 }))?;
            host.wait(Interest::Everything).await?;
            completed(1)
        });
        world.guests.add(digest, "traps", move |host, _| async move {
            if is_new {
                return Err(trap("index out of bounds"));
            }
            host.wait(Interest::Everything).await?;
            completed(1)
        });
        world.guests.add(digest, "gone", |host, _| async move {
            host.wait(Interest::Everything).await?;
            Err(trap("it never comes so far"))
        });
    }
    let workflows = ["waits", "reads", "changes", "traps", "gone"];
    workflows.iter().for_each(|name| world.define(name, OnTrap::Park));
    world.live(async |host| {
        for workflow in workflows {
            host.start(workflow, workflow).await;
        }
        host.signal("changes", "on", "0", None).await.unwrap();
        host.start_with("changes", "unstarted", |start| start.start_delay = secs(1_000)).await.unwrap();
        host.start("waits", "paused").await;
        host.start("gone", "parked").await;
        host.start("waits", "ended").await;
        host.settle().await;
        host.pause("paused").await.unwrap();
        host.signal("parked", "trap", "0", None).await.unwrap();
        host.terminate("ended").await.unwrap();
        host.settle().await;
        let before = all_rows(&world);
        let known = ["waits", "reads", "changes", "traps"];
        let runs = check(&host, candidate(OTHER, &known), Selection::default()).await;
        expect![[r#"
            changes running v1 2 diverged: the other code differs at 1.0: recorded timer.start 3600s, attempted timer.start 7200s; delay: recorded 3600s, attempted 7200s
            gone running v1 1 diverged: the other code differs at 0.0: recorded workflow gone, attempted no workflow of this type: the component defines changes, reads, traps, waits
            parked parked v1 1 diverged: the other code differs at 0.0: recorded workflow gone, attempted no workflow of this type: the component defines changes, reads, traps, waits
            paused paused v1 1 identical: the other code makes the same calls
            reads running v1 1 compatible: the other code makes the same commands, and other reads
            traps running v1 1 trapped: the other code traps at 0.0: index out of bounds
            unstarted running v1 0 identical: the other code makes the same calls
            waits running v1 1 identical: the other code makes the same calls
        "#]]
        .assert_eq(&lines(runs));
        assert!(all_rows(&world) == before, "a check changes nothing");
        let unknown = candidate(Digest([9; 32]), &["waits"]);
        let of_waits = Selection { workflow: Some("waits".to_owned()), ..Selection::default() };
        let runs = check(&host, unknown, of_waits).await;
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().all(|run| matches!(run.tried.verdict, Verdict::Unavailable(_))), "{runs:?}");
    });
}

#[test]
fn a_version_can_be_checked_and_runs_can_be_selected() {
    let world = World::new();
    waits(&world, CODE);
    waits(&world, OTHER);
    world.live(async |host| {
        let mut runs = Vec::new();
        for number in 0..20 {
            runs.push(host.start("waits", &format!("one/{number}")).await);
        }
        push(&host, OTHER, &["waits"]).await;
        for number in 0..5 {
            host.start("waits", &format!("two/{number}")).await;
        }
        host.settle().await;
        let all = Selection::default();
        let selections = [
            (all.clone(), 25),
            (Selection { from_version: Some(1), ..all.clone() }, 20),
            (Selection { from_version: Some(2), ..all.clone() }, 5),
            (Selection { sample: Some(10), ..all.clone() }, 10),
            (Selection { runs: runs[..3].iter().copied().collect(), ..all.clone() }, 3),
            (Selection { percent: Some(0), ..all.clone() }, 0),
        ];
        for (selection, expected) in selections {
            let events =
                host.runtime.check_runs(&host.namespace, "test", Against::Version(2), selection.clone());
            let (selected, judged) = hear(events.unwrap()).await;
            assert_eq!((selected, judged.len()), (expected, expected as usize), "{selection:?}");
            assert!(judged.iter().all(|run| run.tried.verdict == Verdict::Identical), "{judged:?}");
        }
        let unknown = host.runtime.check_runs(&host.namespace, "test", Against::Version(3), all);
        assert!(matches!(unknown, Err(Error::NotFound { .. })));
    });
}

#[test]
fn a_run_that_ends_while_it_is_looked_at_counts_as_nothing() {
    let world = World::new();
    waits(&world, CODE);
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    world.guests.add(OTHER, "waits", move |_, _| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.expect("the gate stays").forget();
            Err(trap("it is not what it was"))
        }
    });
    world.live(async |host| {
        host.start("waits", "a").await;
        host.settle().await;
        let against = candidate(OTHER, &["waits"]);
        let checking = tokio::spawn({
            let host = host.clone();
            async move { check(&host, against, Selection::default()).await }
        });
        host.settle().await;
        host.signal("a", "stop", "0", None).await.unwrap();
        assert_eq!(host.value("a").await, "0", "the run goes on while it is looked at");
        gate.add_permits(1);
        let runs = checking.await.unwrap();
        assert_eq!((runs[0].tried.verdict.clone(), runs[0].status), (Verdict::Ended, RunStatus::Completed));
    });
    world.check_rest();
}

#[test]
fn a_replay_that_takes_for_ever_is_given_up_and_checks_are_few_at_a_time() {
    let world = World::new();
    waits(&world, CODE);
    world.guests.add(OTHER, "waits", |_, _| std::future::pending());
    world.live(async |host| {
        host.start("waits", "a").await;
        host.settle().await;
        let begin = || {
            let against = candidate(OTHER, &["waits"]);
            host.runtime.check_runs(&host.namespace, "test", against, Selection::default())
        };
        let (first, second) = (begin().unwrap(), begin().unwrap());
        assert!(matches!(begin(), Err(Error::SweepBusy { .. })));
        drop(second);
        let (_, runs) = hear(first).await;
        assert!(matches!(runs[0].tried.verdict, Verdict::Budget(_)), "{runs:?}");
        assert!(begin().is_ok(), "who does not listen any more makes room");
        host.terminate("a").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn a_thousand_open_runs_are_checked_while_they_work() {
    let world = World::new();
    for digest in [CODE, OTHER] {
        world.guests.add(digest, "works", |host, _| async move {
            let mut sum = 0;
            for n in 0..4 {
                let value = run(&host, activity("echo", n)).await?.expect("a value");
                sum += text(&value).parse::<u32>().expect("a number");
                let timer = host.timer(secs(1))?;
                outcome(&host, timer).await?;
            }
            completed(sum)
        });
    }
    world.define("works", OnTrap::Park);
    world.live(async |host| {
        for number in 0..1_000 {
            host.start("works", &format!("w{number}")).await;
        }
        let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
        for _ in 0..2 {
            host.pass(secs(1)).await;
            for run in check(&host, candidate(OTHER, &["works"]), Selection::default()).await {
                *verdicts.entry(run.tried.verdict.as_str()).or_default() += 1;
            }
        }
        assert_eq!(verdicts, BTreeMap::from([("identical", 2_000)]));
        for number in 0..1_000 {
            assert_eq!(host.value(&format!("w{number}")).await, "6");
        }
    });
    world.check_rest();
}

#[test]
fn what_a_check_names_and_is_not_there_is_refused() {
    let world = World::new();
    waits(&world, CODE);
    world.live(async |host| {
        let run = host.start("waits", "a").await;
        let refused = |component: &str, selection: Selection| {
            let known = ["waits"];
            let checked =
                host.runtime.check_runs(&host.namespace, component, candidate(OTHER, &known), selection);
            match checked {
                Err(Error::NotFound { what, id }) => format!("{what} {id}"),
                Err(other) => panic!("{other:?}"),
                Ok(_) => "checked".to_owned(),
            }
        };
        let of = |runs: &[RunId], workflow: Option<&str>| Selection {
            runs: runs.iter().copied().collect(),
            workflow: workflow.map(str::to_owned),
            ..Selection::default()
        };
        let nobody = RunId::from_bytes([9; 16]);
        assert_eq!(refused("tset", of(&[], None)), "component tset");
        assert_eq!(refused("test", of(&[], Some("wiats"))), "workflow type of this component wiats");
        assert_eq!(refused("test", of(&[run, nobody], None)), format!("open run of this component {nobody}"));
        assert_eq!(refused("test", of(&[run], Some("waits"))), "checked");
        host.signal("a", "stop", "0", None).await.unwrap();
        host.value("a").await;
        assert_eq!(refused("test", of(&[run], None)), format!("open run of this component {run}"));
    });
    world.check_rest();
}
