//! Workers' polls.

use super::*;

#[test]
fn polls_are_served_in_order_by_the_types_they_take() {
    let mut bench = Bench::new(config());
    let polls = [
        bench.poll("ship", &["ship"]),
        bench.poll("both", &["charge", "ship"]),
        bench.poll("any", &[]),
        bench.poll("charge", &["charge"]),
    ];
    assert_eq!(bench.info().waiting_pollers, 4);
    let mut served = Vec::new();
    for (op, activity) in [(1, "charge"), (2, "charge"), (3, "ship"), (4, "ship"), (5, "charge")] {
        bench.wait(of(op, activity));
        served.extend(bench.begun());
    }
    let by: Vec<(Op, String)> =
        served.into_iter().map(|assigned| (assigned.op, offer(assigned).1.poll_id.clone())).collect();
    let expected = [(1, "both"), (2, "any"), (3, "ship"), (5, "charge")];
    assert_eq!(by.len(), 4);
    for (op, poll) in expected {
        assert!(by.contains(&(op, poll.to_owned())), "{op} by {poll}: {by:?}");
    }
    drop(polls);
}

#[test]
fn a_poll_that_takes_several_types_gets_the_first_task_in_order() {
    let mut bench = Bench::new(config());
    bench.wait(of(1, "not taken"));
    bench.wait(of(2, "charge"));
    bench.wait(Task { priority: 1, ..of(3, "ship") });
    let _one = bench.poll("p1", &["charge", "ship"]);
    let _two = bench.poll("p2", &["charge", "ship"]);
    assert_eq!(bench.begun().iter().map(|assigned| assigned.op).collect::<Vec<_>>(), [3, 2]);
    let _three = bench.poll("p3", &[]);
    assert!(bench.begun_ops().contains(&1));
}

#[test]
fn where_only_workers_serve_a_queue_the_host_leaves_its_own_types_to_them() {
    let mut bench = Bench::new(QueuesConfig {
        task_queues: by_name([("default", QueueLimits { in_process: false, ..QueueLimits::default() })]),
        ..config()
    });
    assert!(bench.queues.try_begin(&task(1)).is_none());
    bench.wait(task(1));
    assert_eq!(bench.begun_ops(), NONE);
    let _poll = bench.poll("p1", &["async"]);
    let (_permit, _offer) = offer(bench.one());
    assert!(bench.queues.local("async").is_some(), "it takes no slot");
}

#[test]
fn types_of_the_host_are_not_for_workers() {
    let (mut bench, slot) = Bench::occupied(config());
    bench.wait(task(1));
    let _poll = bench.poll("p1", &[]);
    assert_eq!(bench.begun_ops(), NONE);
    drop(slot);
    assert!(matches!(bench.one().assignment.runner, Runner::Host));
}

#[test]
fn a_later_poll_with_the_same_id_takes_the_place_of_the_earlier() {
    let mut bench = Bench::new(config());
    let (first, mut first_task) = bench.poll("p1", &["ship"]);
    let (_, mut other_task) = bench.poll("p2", &["charge"]);
    let (_, mut second_task) = bench.poll("p1", &["charge"]);
    assert_eq!(first_task.try_recv(), Err(TryRecvError::Closed));
    assert!(!bench.queues.end_poll(first), "it has ended, and not the one in its place");
    bench.wait(of(1, "ship"));
    assert_eq!(bench.begun_ops(), NONE, "nobody takes this type any more");
    bench.wait(of(2, "charge"));
    offer(bench.one()).1.answer(activity_task(2));
    assert_eq!(second_task.try_recv().map(|task| task.op), Ok(2), "in its place, which was the first");
    assert_eq!(other_task.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn an_offer_answers_the_newest_request_of_its_poll() {
    let mut bench = Bench::new(config());
    bench.wait(of(1, "work"));
    bench.wait(of(2, "work"));
    let (_, mut first_task) = bench.poll("p1", &[]);
    let (_permit, offer) = offer(bench.one());
    let (_, mut second_task) = bench.poll("p1", &[]);
    assert_eq!(bench.begun_ops(), NONE, "a poll gets one task");
    assert_eq!(first_task.try_recv(), Err(TryRecvError::Closed));
    offer.answer(activity_task(1));
    assert_eq!(second_task.try_recv().map(|task| task.op), Ok(1));
}

#[test]
fn a_poll_whose_offer_is_dropped_waits_on_in_its_place() {
    let mut bench = Bench::new(config());
    let (first, mut first_task) = bench.poll("p1", &[]);
    let (_, mut second_task) = bench.poll("p2", &[]);
    bench.wait(of(1, "work"));
    drop(bench.one());
    assert_eq!(first_task.try_recv(), Err(TryRecvError::Empty));
    bench.wait(of(2, "work"));
    let assigned = bench.one();
    assert!(!bench.queues.end_poll(first), "an offer is on its way");
    let (_permit, second_offer) = offer(assigned);
    assert_eq!(second_offer.poll_id, "p1");
    drop(second_offer);
    assert_eq!(first_task.try_recv(), Err(TryRecvError::Closed), "it has waited long enough");
    bench.wait(of(3, "work"));
    let (_permit, third_offer) = offer(bench.one());
    third_offer.answer(activity_task(3));
    assert_eq!(second_task.try_recv().map(|task| task.op), Ok(3));
}

#[test]
fn a_dropped_offer_gets_what_has_come_meanwhile() {
    let mut bench = Bench::new(config());
    let _poll = bench.poll("p1", &[]);
    bench.wait(of(1, "work"));
    let first = bench.one();
    bench.wait(of(2, "work"));
    assert_eq!(bench.begun_ops(), NONE);
    drop(first);
    assert_eq!(bench.begun_ops(), [2]);
}

#[test]
fn polls_that_ended_get_nothing() {
    let mut bench = Bench::new(config());
    let (ended, _ended_task) = bench.poll("p1", &[]);
    let (_gone, gone_task) = bench.poll("p2", &["work"]);
    let _waits = bench.poll("p3", &["work"]);
    assert!(bench.queues.end_poll(ended));
    assert!(!bench.queues.end_poll(ended));
    drop(gone_task);
    bench.wait(of(1, "work"));
    assert_eq!(offer(bench.one()).1.poll_id, "p3", "nobody listens to the other two");
}
