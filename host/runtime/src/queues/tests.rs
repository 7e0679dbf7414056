//! The order of tasks, the limits, the polls; and, at random, that no limit is exceeded, no task is lost or
//! given twice, and nothing waits that could run.

mod polls;
mod random;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use refrain_engine::ids::{RunId, WorkflowId};
use refrain_engine::payload::Payload;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;

/// A clock that a test sets.
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _deadline: Timestamp) -> BoxFuture<'static, ()> {
        futures::future::pending().boxed()
    }
}

/// No task.
const NONE: [Op; 0] = [];

const BEGINNING: Timestamp = Timestamp(1_700_000_000_000_000_000);

/// Queues under test. The host has the activities `async` and `blocking`.
struct Bench {
    clock: Arc<TestClock>,
    queues: Arc<Queues>,
    begun: UnboundedReceiver<Assigned>,
}

/// Room for everything, but one slot of each kind.
fn config() -> QueuesConfig {
    QueuesConfig {
        task_queues: BTreeMap::new(),
        activities: BTreeMap::new(),
        activity_slots: 1,
        blocking_activity_slots: 1,
        max_tasks: 100_000,
    }
}

fn concurrency(most: u32) -> RateLimits {
    RateLimits { concurrency: Some(most), ..RateLimits::default() }
}

fn rate(rate: f64, burst: Option<u32>) -> RateLimits {
    RateLimits { rate: Some(rate), burst, ..RateLimits::default() }
}

fn queue_limits(limits: RateLimits) -> QueueLimits {
    QueueLimits { limits, ..QueueLimits::default() }
}

fn by_name<T>(entries: impl IntoIterator<Item = (&'static str, T)>) -> BTreeMap<String, T> {
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn run() -> RunKey {
    RunKey::new(Namespace::default(), RunId::from_bytes([1; 16]))
}

/// A task of the activity `async` in the queue `default`.
fn task(op: Op) -> Task {
    Task {
        run: run(),
        op,
        queue: "default".to_owned(),
        activity: "async".to_owned(),
        priority: 3,
        fairness_key: String::new(),
        fairness_weight: 1.0,
        since: BEGINNING,
    }
}

fn of(op: Op, activity: &str) -> Task {
    Task { activity: activity.to_owned(), ..task(op) }
}

fn keyed(op: Op, key: &str, weight: f64) -> Task {
    Task { fairness_key: key.to_owned(), fairness_weight: weight, ..task(op) }
}

/// What a worker gets for an attempt.
fn activity_task(op: Op) -> Box<ActivityTask> {
    Box::new(ActivityTask {
        task_token: String::new(),
        activity: "work".to_owned(),
        input: Payload::null(),
        attempt: 1,
        namespace: Namespace::default(),
        workflow_id: WorkflowId::new("w").expect("a name"),
        run_id: run().run,
        op,
        workflow: "workflow".to_owned(),
        queue: "default".to_owned(),
        idempotency_key: String::new(),
        scheduled_at: BEGINNING,
        started_at: BEGINNING,
        deadline: None,
        heartbeat_timeout: None,
        last_heartbeat: None,
        priority: 3,
    })
}

impl Bench {
    fn new(config: QueuesConfig) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(BEGINNING.0)));
        let offers = HashMap::from([
            ("async".to_owned(), Kind::Async),
            ("other".to_owned(), Kind::Async),
            ("blocking".to_owned(), Kind::Blocking),
        ]);
        let (queues, begun) = Queues::new(Arc::clone(&clock) as Arc<dyn Clock>, config, offers);
        Self { clock, queues, begun }
    }

    fn wait(&self, task: Task) {
        self.queues.wait(task).expect("room");
    }

    /// Takes up all slots, so that what comes then waits.
    fn occupied(config: QueuesConfig) -> (Self, Permit) {
        let bench = Self::new(config);
        let permit = bench.queues.local("async").expect("a slot");
        (bench, permit)
    }

    /// What has begun since this was asked last.
    fn begun(&mut self) -> Vec<Assigned> {
        std::iter::from_fn(|| self.begun.try_recv().ok()).collect()
    }

    fn one(&mut self) -> Assigned {
        let mut begun = self.begun();
        assert_eq!(begun.len(), 1, "{begun:?}");
        begun.remove(0)
    }

    fn begun_ops(&mut self) -> Vec<Op> {
        self.begun().iter().map(|assigned| assigned.op).collect()
    }

    /// Lets one attempt after the other begin and end. Answers their order.
    fn drain(&mut self) -> Vec<Op> {
        let mut order = Vec::new();
        while let Ok(assigned) = self.begun.try_recv() {
            order.push(assigned.op);
        }
        order
    }

    fn poll(&self, poll_id: &str, activities: &[&str]) -> (PollId, oneshot::Receiver<Box<ActivityTask>>) {
        let activities = activities.iter().map(ToString::to_string).collect();
        self.queues.poll(&Namespace::default(), "default", "worker", poll_id, activities)
    }

    fn set(&self, now: Timestamp) {
        self.clock.0.store(now.0, Ordering::Relaxed);
    }

    fn info(&self) -> TaskQueueInfo {
        self.queues.info(&Namespace::default(), "default")
    }
}

/// Who makes the attempt.
fn offer(assigned: Assigned) -> (Permit, Offer) {
    match assigned.assignment.runner {
        Runner::Worker(offer) => (assigned.assignment.permit, offer),
        Runner::Host => panic!("a worker was expected"),
    }
}

#[test]
fn within_a_key_tasks_are_served_in_order_of_arrival() {
    let (mut bench, slot) = Bench::occupied(config());
    for op in 1..=50 {
        bench.wait(of(op, if op % 3 == 0 { "other" } else { "async" }));
    }
    assert_eq!(bench.begun_ops(), NONE);
    drop(slot);
    assert_eq!(bench.drain(), (1..=50).collect::<Vec<_>>());
}

#[test]
fn higher_priorities_are_served_first() {
    let (mut bench, slot) = Bench::occupied(config());
    for (op, priority) in [(1, 5), (2, 3), (3, 1), (4, 2), (5, 4), (6, 1), (7, 5)] {
        bench.wait(Task { priority, ..task(op) });
    }
    assert_eq!(bench.info().by_priority, [2, 1, 1, 1, 2]);
    drop(slot);
    assert_eq!(bench.drain(), [3, 6, 4, 2, 5, 1, 7]);
}

#[test]
fn ten_thousand_tasks_of_one_key_do_not_starve_ten_of_another() {
    for already_served in [0, 700] {
        let mut bench = Bench::new(config());
        let mut running = bench.queues.local("async");
        for op in 1..=10_000 {
            bench.wait(keyed(op, "many", 1.0));
        }
        for _ in 0..already_served {
            drop(running.take());
            running = Some(bench.one().assignment.permit);
        }
        for op in 20_001..=20_010 {
            bench.wait(keyed(op, "few", 1.0));
        }
        drop(running);
        let order = bench.drain();
        assert_eq!(order.len(), 10_010 - already_served);
        let last_of_few = order.iter().rposition(|op| *op > 20_000).expect("they are served");
        assert!(last_of_few < 21, "the last of the ten was number {last_of_few}");
    }
}

#[test]
fn weights_are_shares() {
    let (mut bench, slot) = Bench::occupied(config());
    for op in 1..=400 {
        bench.wait(keyed(op, "heavy", 3.0));
        bench.wait(keyed(1_000 + op, "light", 1.0));
    }
    drop(slot);
    let order = bench.drain();
    for served in [40, 100, 400] {
        let heavy = order[..served].iter().filter(|op| **op < 1_000).count();
        assert!(heavy.abs_diff(served * 3 / 4) <= 1, "{heavy} of the first {served}");
    }
}

#[test]
fn a_key_that_comes_back_neither_gains_nor_loses() {
    let (mut bench, slot) = Bench::occupied(config());
    for op in 1..=100 {
        bench.wait(keyed(op, "steady", 1.0));
    }
    let mut running = Some(slot);
    let mut order = Vec::new();
    // The other key never has more than one task, and so is forgotten each time.
    for op in 1_001..=1_020 {
        bench.wait(keyed(op, "comes and goes", 1.0));
        for _ in 0..2 {
            drop(running.take());
            let assigned = bench.one();
            order.push(assigned.op);
            running = Some(assigned.assignment.permit);
        }
    }
    assert_eq!(order.iter().filter(|op| **op > 1_000).count(), 20, "each has every second turn: {order:?}");
}

#[test]
fn a_backlog_that_no_worker_takes_does_not_put_off_its_keys_tasks_in_this_process() {
    let (mut bench, slot) = Bench::occupied(config());
    for op in 1..=1_000 {
        bench.wait(of(op, "nobody has this"));
    }
    for op in 1..=10 {
        bench.wait(task(2_000 + op));
        bench.wait(keyed(3_000 + op, "other", 1.0));
    }
    drop(slot);
    let order = bench.drain();
    assert_eq!(order.len(), 20);
    assert!(order[..4].iter().any(|op| *op < 3_000), "{order:?}");
}

#[test]
fn a_queue_runs_no_more_attempts_than_its_concurrency() {
    let mut bench = Bench::new(QueuesConfig {
        task_queues: by_name([("default", queue_limits(concurrency(2)))]),
        activity_slots: 100,
        ..config()
    });
    for op in 1..=5 {
        bench.wait(task(op));
    }
    bench.wait(Task { queue: "elsewhere".to_owned(), ..task(6) });
    let mut begun = bench.begun();
    assert_eq!(begun.iter().map(|assigned| assigned.op).collect::<Vec<_>>(), [1, 2, 6]);
    assert!(bench.queues.try_begin(&task(7)).is_none(), "it would be the third");
    assert_eq!((bench.info().running, bench.info().backlog), (2, 3));
    drop(begun.remove(0));
    begun.push(bench.one());
    assert_eq!(begun.last().map(|assigned| assigned.op), Some(3));
    drop(begun);
    assert_eq!(bench.drain(), [4, 5]);
}

#[test]
fn a_type_runs_no_more_attempts_than_its_concurrency_whatever_the_queue() {
    let mut bench = Bench::new(QueuesConfig {
        activities: by_name([("async", concurrency(1))]),
        activity_slots: 100,
        ..config()
    });
    for op in 1..=3 {
        bench.wait(task(op));
        bench.wait(Task { queue: "elsewhere".to_owned(), ..task(10 + op) });
    }
    bench.wait(of(20, "other"));
    let mut begun = bench.begun();
    let first: Vec<Op> = begun.iter().map(|assigned| assigned.op).collect();
    assert_eq!(first, [1, 20], "the type that waits does not hold up the other one");
    assert!(bench.queues.try_begin(&task(30)).is_none());
    let mut order = Vec::new();
    while let Some(limited) = begun.iter().position(|assigned| assigned.op != 20) {
        order.push(begun.remove(limited).op);
        begun.extend(bench.begun());
    }
    assert_eq!(order, [1, 11, 2, 12, 3, 13], "the queues have their turns");
}

#[test]
fn tokens_come_at_the_rate_and_gather_up_to_the_burst() {
    // The rate, the burst, and when in milliseconds the first attempts begin.
    let cases: [(f64, Option<u32>, &[u64]); 5] = [
        (2.0, None, &[0, 0, 500, 1_000, 1_500]),
        (10.0, Some(1), &[0, 100, 200, 300]),
        (0.5, None, &[0, 2_000, 4_000]),
        (1.0, Some(3), &[0, 0, 0, 1_000, 2_000]),
        (1.5, None, &[0, 0, 667, 1_334]),
    ];
    for limits_the_type in [false, true] {
        for (per_second, burst, expected) in cases {
            let limits = rate(per_second, burst);
            let mut config = QueuesConfig { activity_slots: 1_000, ..config() };
            if limits_the_type {
                config.activities = by_name([("async", limits)]);
            } else {
                config.task_queues = by_name([("default", queue_limits(limits))]);
            }
            let mut bench = Bench::new(config);
            for op in 0..100 {
                bench.wait(task(op));
            }
            let mut at = Vec::new();
            loop {
                let begun = bench.begun_ops().len();
                let now = bench.clock.now();
                at.extend(std::iter::repeat_n(
                    now.since(BEGINNING).as_nanos().div_ceil(1_000_000) as u64,
                    begun,
                ));
                if at.len() >= expected.len() {
                    break;
                }
                let next = bench.queues.next_look().expect("somebody waits for a token");
                assert!(next > now, "the time has to come first");
                bench.set(Timestamp(next.0 - 1));
                bench.queues.look();
                assert_eq!(bench.begun_ops(), NONE, "no sooner");
                bench.set(next);
                bench.queues.look();
            }
            assert_eq!(at, expected, "{per_second} in a second, {burst:?} at once");
        }
    }
}

#[test]
fn a_bucket_keeps_its_token_when_the_other_one_refuses() {
    let mut bench = Bench::new(QueuesConfig {
        task_queues: by_name([("default", queue_limits(rate(0.001, None)))]),
        activities: by_name([("async", rate(1.0, None))]),
        activity_slots: 100,
        ..config()
    });
    // The type's only token goes elsewhere, so the queue's is not taken.
    bench.wait(Task { queue: "elsewhere".to_owned(), ..task(1) });
    bench.wait(task(2));
    assert_eq!(bench.begun_ops(), [1]);
    bench.wait(of(3, "other"));
    assert_eq!(bench.begun_ops(), [3], "the queue still has its token");
    // Now the queue's is gone, and the type's is not taken when it comes.
    bench.set(BEGINNING.after(Duration::from_secs(1)));
    bench.queues.look();
    assert_eq!(bench.begun_ops(), NONE);
    bench.wait(Task { queue: "elsewhere".to_owned(), ..task(4) });
    assert_eq!(bench.begun_ops(), [4], "the type still has its token");
}

#[test]
fn a_clock_that_is_set_back_holds_nobody_up() {
    let mut bench = Bench::new(QueuesConfig {
        task_queues: by_name([("default", queue_limits(rate(1.0, None)))]),
        activity_slots: 100,
        ..config()
    });
    for op in 1..=2 {
        bench.wait(task(op));
    }
    assert_eq!(bench.begun_ops(), [1]);
    let earlier = Timestamp(BEGINNING.0 - 3_600_000_000_000);
    bench.set(earlier);
    bench.queues.look();
    let next = bench.queues.next_look().expect("a token comes");
    assert_eq!(next, earlier.after(Duration::from_secs(1)));
    bench.set(next);
    bench.queues.look();
    assert_eq!(bench.begun_ops(), [2]);
}

#[test]
fn the_sleeper_is_told_when_a_look_is_due_sooner() {
    let bench = Bench::new(QueuesConfig {
        activities: by_name([("async", rate(0.1, None)), ("other", rate(1.0, None))]),
        activity_slots: 100,
        ..config()
    });
    let is_told = || bench.queues.changed().now_or_never().is_some();
    assert_eq!(bench.queues.next_look(), None);
    bench.wait(task(1));
    assert!(!is_told(), "nobody waits for a token");
    bench.wait(task(2));
    assert_eq!(bench.queues.next_look(), Some(BEGINNING.after(Duration::from_secs(10))));
    assert!(is_told());
    bench.wait(task(3));
    assert!(!is_told(), "it is due as before");
    bench.wait(of(4, "other"));
    bench.wait(of(5, "other"));
    assert_eq!(bench.queues.next_look(), Some(BEGINNING.after(Duration::from_secs(1))));
    assert!(is_told());
}

#[test]
fn kinds_of_slots_are_apart_and_queues_get_them_in_turn() {
    let (mut bench, slot) = Bench::occupied(config());
    for queue in ["a", "b", "c"] {
        for op in 1..=3 {
            let number = u64::from(queue.as_bytes()[0]) * 10 + op;
            bench.wait(Task { queue: queue.to_owned(), ..task(number) });
        }
    }
    bench.wait(of(1, "blocking"));
    assert_eq!(bench.one().op, 1, "its kind has a slot");
    drop(slot);
    assert_eq!(bench.drain(), [971, 981, 991, 972, 982, 992, 973, 983, 993]);
}

#[test]
fn a_queue_that_waits_for_its_type_keeps_its_turn_for_slots() {
    let mut bench = Bench::new(QueuesConfig {
        activities: by_name([("async", concurrency(1))]),
        activity_slots: 2,
        ..config()
    });
    // The queue `a` keeps the slots busy with another type, and wants the limited one too.
    for op in 1..=20 {
        bench.wait(Task { queue: "a".to_owned(), ..of(op, if op % 2 == 0 { "other" } else { "async" }) });
    }
    for op in 101..=103 {
        bench.wait(Task { queue: "b".to_owned(), ..task(op) });
    }
    let order = bench.drain();
    assert_eq!(order.len(), 23);
    let last = order.iter().position(|op| *op == 103).expect("it is served");
    assert!(last < 12, "{order:?}");
}

#[test]
fn leave_to_begin_at_once_is_given_only_when_nothing_is_in_the_way() {
    let mut bench = Bench::new(config());
    let first = bench.queues.try_begin(&task(1)).expect("a slot is free");
    assert!(matches!(first.runner, Runner::Host));
    assert!(bench.queues.try_begin(&task(2)).is_none(), "no slot");
    assert!(bench.queues.try_begin(&of(2, "work")).is_none(), "no worker");
    assert!(bench.queues.try_begin(&of(2, "blocking")).is_some(), "another kind of slot");
    bench.wait(task(2));
    drop(first);
    let second = bench.one();
    assert!(bench.queues.try_begin(&task(3)).is_none(), "the slot went to who waited");
    drop(second);
    bench.wait(of(4, "work"));
    assert!(bench.queues.try_begin(&of(4, "work")).is_none(), "it waits already");
    assert!(bench.queues.try_begin(&task(5)).is_some(), "who waits does not wait for this");
}

#[test]
fn nobody_overtakes_who_waits_for_a_token_that_has_come() {
    let mut bench = Bench::new(QueuesConfig {
        activities: by_name([("async", rate(1.0, None))]),
        activity_slots: 100,
        ..config()
    });
    bench.wait(task(1));
    bench.wait(task(2));
    bench.set(BEGINNING.after(Duration::from_secs(1)));
    // Nobody has looked yet.
    assert!(bench.queues.try_begin(&Task { queue: "elsewhere".to_owned(), ..task(3) }).is_none());
    assert_eq!(bench.begun_ops(), [1, 2]);
}

#[test]
fn a_task_that_waits_already_keeps_its_place() {
    let (mut bench, slot) = Bench::occupied(config());
    for op in [1, 2, 1, 3, 1] {
        bench.wait(task(op));
    }
    assert_eq!(bench.info().backlog, 3);
    drop(slot);
    assert_eq!(bench.drain(), [1, 2, 3]);
}

#[test]
fn what_is_withdrawn_is_not_made() {
    let mut bench = Bench::new(QueuesConfig {
        activities: by_name([("other", concurrency(1))]),
        activity_slots: 2,
        ..config()
    });
    let other = bench.queues.try_begin(&of(90, "other")).expect("a slot");
    let slot = bench.queues.local("async").expect("a slot");
    for op in 1..=4 {
        bench.wait(task(op));
    }
    bench.wait(of(10, "other"));
    bench.queues.withdraw(&run(), 1);
    bench.queues.withdraw(&run(), 3);
    bench.queues.withdraw(&run(), 10);
    bench.queues.withdraw(&run(), 77);
    assert_eq!(bench.info().backlog, 2);
    drop(other);
    drop(slot);
    assert_eq!(bench.drain(), [2, 4]);
    assert_eq!(bench.queues.infos(&Namespace::default()), [], "nothing is kept of a queue without tasks");
}

#[test]
fn a_full_queue_refuses_until_there_is_room() {
    let (mut bench, slot) = Bench::occupied(QueuesConfig { max_tasks: 2, ..config() });
    let namespace = Namespace::default();
    let full = QueueFull { queue: "default".to_owned(), waiting: 2 };
    bench.wait(task(1));
    assert_eq!(bench.queues.check_room(&namespace, "default"), Ok(()));
    bench.wait(task(2));
    assert_eq!(bench.queues.check_room(&namespace, "default"), Err(full.clone()));
    assert_eq!(bench.queues.wait(task(3)), Err(full));
    bench.wait(task(2));
    bench.wait(Task { queue: "elsewhere".to_owned(), ..task(4) });
    bench.queues.withdraw(&run(), 1);
    bench.wait(task(3));
    drop(slot);
    assert_eq!(bench.drain(), [2, 4, 3]);
}

#[test]
fn attempts_of_an_earlier_boot_count_past_the_limit() {
    let mut bench = Bench::new(QueuesConfig {
        task_queues: by_name([("default", queue_limits(concurrency(1)))]),
        ..config()
    });
    let resumed = [bench.queues.resume(&of(1, "work")), bench.queues.resume(&of(2, "work"))];
    assert_eq!(bench.info().running, 2);
    bench.wait(task(3));
    let [first, second] = resumed;
    drop(first);
    assert_eq!(bench.begun_ops(), NONE, "one still runs");
    drop(second);
    assert_eq!(bench.begun_ops(), [3]);
}

#[test]
fn a_type_that_came_into_the_host_needs_slots_while_a_workers_attempt_of_it_still_runs() {
    let mut bench = Bench::new(config());
    let _resumed = bench.queues.resume(&task(1));
    let _poll = bench.poll("p1", &[]);
    bench.wait(task(2));
    bench.wait(task(3));
    let second = bench.one();
    assert!(matches!(second.assignment.runner, Runner::Host));
    drop(second);
    assert_eq!(bench.begun_ops(), [3]);
}

#[test]
fn local_activities_take_slots_of_their_kind_alone() {
    let bench = Bench::new(QueuesConfig {
        task_queues: by_name([("default", queue_limits(concurrency(0)))]),
        activities: by_name([("async", concurrency(0))]),
        ..config()
    });
    let slot = bench.queues.local("async").expect("a slot is free");
    assert!(bench.queues.local("other").is_none(), "the only slot is taken");
    assert!(bench.queues.local("blocking").is_some());
    assert!(bench.queues.local("work").is_none(), "no plugin has it");
    drop(slot);
    assert!(bench.queues.local("other").is_some());
}

#[tokio::test]
async fn a_worker_gets_the_task_when_its_attempt_is_durable() {
    let mut bench = Bench::new(config());
    let (id, mut task) = bench.poll("p1", &[]);
    bench.wait(of(1, "work"));
    let (permit, offer) = offer(bench.one());
    assert_eq!((offer.worker.as_str(), offer.poll_id.as_str()), ("worker", "p1"));
    assert_eq!(task.try_recv(), Err(TryRecvError::Empty), "not before");
    assert!(!bench.queues.end_poll(id), "an offer is on its way");
    offer.answer(activity_task(1));
    assert_eq!(task.await.expect("an answer").op, 1);
    assert!(!bench.queues.end_poll(id));
    assert_eq!(bench.info().running, 1);
    drop(permit);
    assert_eq!(bench.info().running, 0);
}

#[test]
fn what_is_told_of_a_queue() {
    let limits = queue_limits(concurrency(1));
    let bench = Bench::new(QueuesConfig { task_queues: by_name([("slow", limits)]), ..config() });
    let namespace = Namespace::default();
    let names = || bench.queues.infos(&namespace).into_iter().map(|info| info.name).collect::<Vec<_>>();
    assert_eq!(names(), ["slow"], "configured ones are shown");
    assert_eq!(bench.queues.info(&namespace, "slow").limits, limits);
    let permit = bench.queues.resume(&of(1, "work"));
    let since = BEGINNING.after(Duration::from_secs(3));
    bench.wait(Task { since, priority: 1, ..of(2, "work") });
    bench.wait(Task { since: since.after(Duration::from_secs(1)), ..of(3, "pack") });
    let _poll = bench.poll("p1", &["ship"]);
    let info = bench.info();
    let expected = TaskQueueInfo {
        name: "default".to_owned(),
        backlog: 2,
        oldest_since: Some(since),
        running: 1,
        waiting_pollers: 1,
        pollers: vec![crate::activity_types::PollerInfo {
            worker: "worker".to_owned(),
            last_seen: BEGINNING,
            activities: vec!["ship".to_owned()],
        }],
        by_priority: [1, 0, 1, 0, 0],
        by_activity: [("pack", 1, 0), ("work", 1, 1)]
            .map(|(activity, backlog, running)| crate::activity_types::QueuedActivity {
                activity: activity.to_owned(),
                backlog,
                running,
            })
            .to_vec(),
        limits: QueueLimits::default(),
    };
    assert_eq!(info, expected);
    let elsewhere = Namespace::new("elsewhere").expect("a name");
    assert_eq!(bench.queues.info(&elsewhere, "default").backlog, 0, "namespaces do not meet");
    drop(permit);
    assert_eq!(names(), ["default", "slow"]);
}

#[test]
fn workers_are_shown_for_five_minutes() {
    let bench = Bench::new(config());
    let (id, _task) = bench.poll("p1", &[]);
    assert!(bench.queues.end_poll(id));
    bench.set(BEGINNING.after(Duration::from_secs(299)));
    bench.queues.look();
    assert_eq!(bench.info().pollers.len(), 1);
    bench.set(BEGINNING.after(Duration::from_secs(301)));
    bench.queues.look();
    assert_eq!(bench.info().pollers, []);
    assert_eq!(bench.queues.infos(&Namespace::default()), [], "nothing else is known of the queue");
}

#[test]
fn when_nobody_takes_what_may_begin_nothing_is_lost_in_a_loop() {
    let (bench, slot) = Bench::occupied(config());
    for op in 1..=20_000 {
        bench.wait(task(op));
    }
    let queues = Arc::clone(&bench.queues);
    drop(bench);
    // One permit after the other would come back, each within the drop of the one before.
    drop(slot);
    assert!(queues.info(&Namespace::default(), "default").backlog >= 19_999);
}

#[test]
fn a_hundred_thousand_tasks_pass() {
    let mut bench = Bench::new(QueuesConfig {
        task_queues: by_name([("default", queue_limits(concurrency(50)))]),
        activities: by_name([("other", concurrency(7))]),
        activity_slots: 40,
        ..config()
    });
    const TASKS: u64 = 100_000;
    for op in 0..TASKS {
        let activity = ["async", "other", "blocking"][(op % 3) as usize];
        bench.wait(Task {
            activity: activity.to_owned(),
            priority: (op % 5) as u8 + 1,
            ..keyed(op, &format!("key {}", op % 1_000), 1.0)
        });
    }
    let mut seen = vec![false; TASKS as usize];
    let mut begun = std::collections::VecDeque::from(bench.begun());
    assert_eq!(begun.len(), 41, "forty slots and one for blocking ones");
    while let Some(assigned) = begun.pop_front() {
        assert!(!std::mem::replace(&mut seen[assigned.op as usize], true), "{} twice", assigned.op);
        drop(assigned);
        begun.extend(bench.begun());
        assert!(begun.len() <= 41);
    }
    assert!(seen.iter().all(|seen| *seen));
    assert_eq!(bench.info().backlog, 0);
}
