//! Runs that cannot go on: nothing of them is lost, and nobody else notices.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use refrain_engine::call::Interest;
use refrain_engine::failure::FailureKind;
use refrain_engine::guest::{Guest, Guests, OpenError, Stop, Trap};
use refrain_engine::ids::{Digest, Namespace};
use refrain_engine::limits::Profile;
use refrain_engine::run::Run;
use refrain_engine::scripted::trap;
use refrain_runtime::{Error, ListFilter, OnTrap, Parked, RunStatus};
use refrain_store::schema::RunKey;
use refrain_store::{Batch, MemoryStore, Store, StoreError, Table, Wrapper};
use tokio::time::Instant;

use crate::clients::*;
use crate::world::*;

async fn parked(host: &Host, id: &str) -> Parked {
    host.settle().await;
    let description = host.describe(id).await;
    assert_eq!(description.summary.status, RunStatus::Parked);
    description.parked.expect("a reason")
}

#[test]
fn a_trap_parks_and_a_fixed_version_goes_on_when_it_is_resumed() {
    let world = World::new();
    world.workflow("traps", |host, _| async move {
        host.wait(Interest::Everything).await?;
        Err(trap("index out of bounds"))
    });
    world.live(async |host| {
        host.start("traps", "t").await;
        host.signal("t", "one", "1", None).await.unwrap();
        let reason = parked(&host, "t").await;
        assert_eq!((reason.kind.as_str(), reason.message.as_str()), ("trap", "index out of bounds"));
        assert_eq!(host.describe("t").await.mailbox_waiting, 1, "the signal is there for the fixed code");
        host.signal("t", "two", "1", None).await.unwrap();
    });
    world.live(async |host| {
        assert_eq!(host.status("t").await, RunStatus::Parked, "a restart changes nothing");
        world.workflow(
            "traps",
            |host, _| async move { completed(host.wait(Interest::Everything).await?.len()) },
        );
        host.resume("t").await.unwrap();
        assert_eq!(host.value("t").await, "2");
        assert!(host.describe("t").await.parked.is_none());
        assert!(matches!(host.resume("t").await, Err(Error::Closed { .. })));
    });
    world.check_rest();
}

#[test]
fn a_trap_fails_the_run_where_the_workflow_says_so() {
    let world = World::new();
    world.workflow("traps", |host, _| async move {
        host.timer(secs(5))?;
        Err(trap("unreachable"))
    });
    world.define("traps", OnTrap::Fail);
    world.live(async |host| {
        host.start("traps", "t").await;
        let failure = host.failure("t").await;
        assert_eq!((failure.kind, failure.error_type.as_str()), (FailureKind::Host, "trap"));
        assert!(failure.message.contains("unreachable"));
    });
    world.check_rest();
}

#[test]
fn a_changed_component_parks_with_a_report_and_goes_on_when_it_is_put_back() {
    let world = World::new();
    let original = |world: &World| {
        world.workflow("changes", |host, _| async move {
            run(&host, activity("echo", 1)).await?.expect("a value");
            host.wait(Interest::Everything).await?;
            completed(1)
        });
    };
    original(&world);
    world.live(async |host| {
        host.start("changes", "c").await;
        host.settle().await;
        let run_id = host.describe("c").await.summary.run_id;
        let journal = RunKey::new(host.namespace.clone(), run_id).journal();
        let before = world.under(&journal);
        world.workflow("changes", |host, _| async move {
            run(&host, activity("echo", 2)).await?.expect("a value");
            completed(2)
        });
        host.pass(secs(60)).await;
        host.signal("c", "go", "1", None).await.unwrap();
        let reason = parked(&host, "c").await;
        assert_eq!(reason.kind, "mismatch");
        let report = reason.mismatch.expect("a report");
        assert_eq!((report.position.as_str(), report.recorded.as_str()), ("0.0", "activity.start echo"));
        assert_eq!(report.differences, [("input".to_owned(), "1".to_owned(), "2".to_owned())]);
        assert_eq!(world.under(&journal), before, "the journal is untouched");
        original(&world);
        host.resume("c").await.unwrap();
        assert_eq!(host.value("c").await, "1");
    });
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

#[test]
fn a_step_over_a_limit_parks() {
    let world = World::new();
    world.workflow("greedy", |host, _| async move {
        loop {
            host.read(refrain_engine::call::Read::Now)?;
            host.read(refrain_engine::call::Read::Uuid)?;
        }
    });
    world.live(async |host| {
        host.start("greedy", "g").await;
        let reason = parked(&host, "g").await;
        assert_eq!(reason.kind, "limit");
        assert!(
            reason.message.starts_with("the limit step_entries of 50000 is exceeded"),
            "{}",
            reason.message
        );
        host.terminate("g").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn a_host_that_panics_over_a_run_parks_that_run_alone() {
    let world = World::new();
    world.workflow("cursed", |host, _| async move {
        let (timer, slow) = (host.timer(secs(1))?, host.activity(activity("slow", 2))?);
        let retried = host.activity(activity("flaky", 2))?;
        outcome(&host, timer).await?;
        assert_eq!((timer, slow, retried), (0, 0, 0), "a bug of the host");
        completed(1)
    });
    world.workflow("fine", |host, _| async move { as_outcome(run(&host, activity("slow", 5)).await?) });
    world.live(async |host| {
        host.start("fine", "f").await;
        host.start("cursed", "c").await;
        host.pass(secs(1)).await;
        let reason = parked(&host, "c").await;
        assert_eq!(reason.kind, "host-panic");
        assert!(reason.message.contains("a bug of the host"), "{}", reason.message);
        assert_eq!(host.value("f").await, "5");
        host.pass(secs(60)).await;
        world.workflow("cursed", |host, _| async move {
            for op in [
                host.timer(secs(1))?,
                host.activity(activity("slow", 2))?,
                host.activity(activity("flaky", 2))?,
            ] {
                outcome(&host, op).await?;
            }
            completed(3)
        });
        let began = Instant::now();
        host.resume("c").await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(host.value("c").await, "3");
        assert!(began.elapsed() < secs(1), "all of it went on while the run was parked");
    });
    world.check_rest();
}

#[test]
fn what_came_in_with_a_panic_is_there_when_the_run_is_resumed() {
    let world = World::new();
    let panics = Arc::new(AtomicU32::new(1));
    let left = Arc::clone(&panics);
    world.workflow("cursed", move |host, _| {
        let left = Arc::clone(&left);
        async move {
            let (timer, slow) = (host.timer(secs(1))?, host.activity(activity("slow", 1))?);
            let mut count = 0;
            while count < 2 {
                count += host.wait(Interest::Ops(vec![timer, slow].split_off(count))).await?.len();
                assert_eq!(left.swap(0, Ordering::Relaxed), 0, "once");
            }
            completed(count)
        }
    });
    world.live(async |host| {
        host.start("cursed", "c").await;
        host.pass(secs(5)).await;
        assert_eq!(parked(&host, "c").await.kind, "host-panic");
        host.resume("c").await.unwrap();
        assert_eq!(host.value("c").await, "2");
    });
    assert_eq!(world.attempts(), 1);
    world.check_rest();
}

/// Guests that stop as they are told, some times, before they are what they are.
struct Obstacles {
    guests: refrain_engine::scripted::ScriptedGuests,
    stops: Arc<Mutex<Vec<Obstacle>>>,
}

#[derive(Clone)]
enum Obstacle {
    Open(OpenError),
    Budget,
    Unavailable,
    Overflow,
}

impl Guests for Obstacles {
    fn open(
        &self,
        digest: Digest,
        profile: &'static Profile,
    ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>> {
        let obstacle = self.stops.lock().unwrap().pop();
        match obstacle {
            None => self.guests.open(digest, profile),
            Some(Obstacle::Open(error)) => std::future::ready(Err(error)).boxed(),
            Some(other) => std::future::ready(Ok(Box::new(other) as Box<dyn Guest>)).boxed(),
        }
    }
}

impl Guest for Obstacle {
    fn run(&mut self, run: Box<Run>) -> BoxFuture<'_, (Box<Run>, Stop)> {
        let stop = match self {
            Self::Budget => Stop::Budget,
            Self::Unavailable => Stop::Unavailable("no memory".to_owned()),
            Self::Overflow => {
                let backtrace = vec!["inner".to_owned(), "outer".to_owned()];
                Stop::Trap(Trap {
                    message: "call stack exhausted".to_owned(),
                    backtrace,
                    stack_overflow: true,
                })
            }
            Self::Open(error) => panic!("not opened: {error}"),
        };
        std::future::ready((run, stop)).boxed()
    }

    fn resident_bytes(&self) -> usize {
        0
    }
}

/// What becomes of a run that meets these obstacles, last first: parked for what, or ended after how many seconds.
fn meet(on_trap: OnTrap, obstacles: &[Obstacle]) -> String {
    let world = World::new();
    world.workflow("plain", |_, _| async move { completed("null") });
    world.define("plain", on_trap);
    let stops = Arc::new(Mutex::new(obstacles.to_vec()));
    let guests = Obstacles { guests: world.guests.clone(), stops };
    world
        .live_with(Arc::clone(&world.store) as Arc<dyn Store>, Arc::new(guests), async |host| {
            let began = Instant::now();
            host.start("plain", "p").await;
            host.pass(secs(100)).await;
            let description = host.describe("p").await;
            match description.parked {
                Some(parked) => {
                    host.resume("p").await.unwrap();
                    host.value("p").await;
                    format!("{}: {} {:?}", parked.kind, parked.message, parked.backtrace)
                }
                None => {
                    assert!(began.elapsed() >= secs(100));
                    let ended = description.summary.closed_at.expect("it has ended");
                    format!("ended after {:?}", ended.since(description.summary.started_at))
                }
            }
        })
        .unwrap()
}

#[test]
fn each_obstacle_has_its_consequence() {
    use Obstacle::{Budget, Open, Overflow, Unavailable};
    let no_room = || Open(OpenError::Unavailable("the pool is full".to_owned()));
    assert_eq!(meet(OnTrap::Park, &[]), "ended after 0ns");
    assert_eq!(meet(OnTrap::Park, &[Budget]), "ended after 200ms");
    assert!(
        meet(OnTrap::Park, &[Budget, Budget])
            .starts_with("budget: the step ran longer than its budget, twice")
    );
    assert_eq!(meet(OnTrap::Park, &[no_room(), no_room(), no_room(), no_room()]), "ended after 3s");
    assert_eq!(meet(OnTrap::Park, &[Unavailable, Unavailable]), "ended after 600ms");
    assert_eq!(
        meet(OnTrap::Park, &[Budget, Unavailable, no_room()]),
        "ended after 1.4s",
        "one budget is one"
    );
    assert_eq!(
        meet(OnTrap::Fail, &[Overflow]),
        r#"trap: call stack exhausted ["inner", "outer"]"#,
        "how deep a stack goes is the compiler's matter"
    );
    let unknown = meet(OnTrap::Park, &[Open(OpenError::Unknown(CODE))]);
    assert!(unknown.starts_with("component: component 0707"), "{unknown}");
    let unusable = OpenError::Unusable { digest: CODE, reason: "it imports a socket".to_owned() };
    assert!(meet(OnTrap::Park, &[Open(unusable)]).contains("it imports a socket"));
}

#[test]
fn a_damaged_journal_parks_and_can_be_terminated() {
    let world = World::new();
    world.workflow("waits", |host, _| async move {
        host.wait(Interest::Everything).await?;
        host.wait(Interest::Everything).await?;
        completed("null")
    });
    world.live(async |host| {
        host.start("waits", "w").await;
        host.signal("w", "one", "1", None).await.unwrap();
        host.settle().await;
    });
    world.live(async |host| {
        let run_id = host.describe("w").await.summary.run_id;
        let key = RunKey::new(host.namespace.clone(), run_id).record(1);
        let batch = refrain_store::Batch::new().put(key.table, key.bytes, vec![0xff, 0x00]);
        world.store.commit(batch).await.unwrap();
        host.signal("w", "two", "1", None).await.unwrap();
        host.settle().await;
        let listed = host.runtime.list(&host.namespace, &Default::default(), 10, None).unwrap();
        assert_eq!(listed.items[0].status, RunStatus::Parked);
        host.terminate("w").await.unwrap();
        assert_eq!(host.failure("w").await.message, "enough");
    });
    world.check_rest();
}

/// A store that counts how often the heads of runs are read: each look at a run begins with that.
struct CountedLooks(Arc<MemoryStore>, AtomicU32);

impl Wrapper for CountedLooks {
    fn inner(&self) -> &dyn Store {
        &*self.0
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<bytes::Bytes>, StoreError> {
        self.1.fetch_add(u32::from(table == Table::Heads), Ordering::Relaxed);
        self.0.get(table, key)
    }
}

#[test]
fn a_damaged_activity_parks_its_run_alone_and_is_not_looked_at_again_and_again() {
    let world = World::new();
    world.workflow("waits", |host, input| async move {
        let remote = host.activity(activity(REMOTE, text(&input)))?;
        let retried = with("flaky", 1, |options| options.retry.initial_interval = secs(60));
        run(&host, retried).await?.expect("a result");
        outcome(&host, remote).await?;
        completed("null")
    });
    let damaged = world.live(async |host| {
        let damaged = host.start("waits", "damaged").await;
        host.start("waits", "sound").await;
        host.settle().await;
        damaged
    });
    let row = RunKey::new(Namespace::default(), damaged).activity(1);
    let store = Arc::new(CountedLooks(Arc::clone(&world.store), AtomicU32::new(0)));
    let looks = Arc::clone(&store);
    let batch = Batch::new().put(row.table, row.bytes, vec![0xff, 0x00]);
    world.store.commit(batch).wait().unwrap();
    world
        .live_on(store, async |host| {
            let task = host.task("rita-1").await;
            assert_eq!(task.workflow_id.as_str(), "sound");
            host.complete(&task, 1).await.unwrap();
            host.value("sound").await;
            let parked = ListFilter { status: Some(RunStatus::Parked), ..ListFilter::default() };
            let parked = host.runtime.list(&host.namespace, &parked, 10, None).unwrap().items;
            assert_eq!(parked.iter().map(|run| run.run_id).collect::<Vec<_>>(), [damaged]);
            let before = looks.1.load(Ordering::Relaxed);
            host.pass(secs(3_600)).await;
            assert_eq!(looks.1.load(Ordering::Relaxed), before);
            host.terminate("damaged").await.unwrap();
            host.check_quiet().await;
        })
        .unwrap();
    world.check_rest();
}
