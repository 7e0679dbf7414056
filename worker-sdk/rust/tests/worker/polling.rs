//! Polls: ids, slots, refusals.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use refrain_plugin::{Activity, Context};
use refrain_worker::Error;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use crate::host::{Asked, Host, Running, task, worker};

fn echo() -> Activity {
    Activity::new("echo", |_: Context, input: Value| async move { Ok(input) })
}

#[tokio::test]
async fn a_poll_says_who_asks_for_what() {
    let mut host = Host::start().await;
    let other = Activity::new("a.other", |_, (): ()| async { Ok(()) });
    let builder = worker(&host, vec![echo(), other]).namespace("team a").api_key("secret");
    let _running = Running::start(builder);
    let asked = host.poll().await;
    assert_eq!(asked.path, "/v1/namespaces/team%20a/task-queues/gpu/poll");
    assert_eq!(asked.authorization.as_deref(), Some("Bearer secret"));
    let poll_id = asked.poll_id();
    assert_eq!(
        asked.body,
        json!({"worker": "w", "poll_id": poll_id, "activities": ["a.other", "echo"], "wait": "30000ms"})
    );
}

#[tokio::test]
async fn a_poll_whose_answer_is_lost_is_repeated_under_its_id() {
    let mut host = Host::start().await;
    let running = Running::start(worker(&host, vec![echo()]));
    let first = host.poll().await;
    let poll_id = first.poll_id();
    first.close();
    let second = host.poll().await;
    assert_eq!(second.poll_id(), poll_id);
    assert_eq!(second.body["wait"], "0ms", "the answer tells at once that the host is there");
    second.problem(503, "the host stops");
    let third = host.poll().await;
    assert_eq!(third.poll_id(), poll_id);
    third.ok(&task("t1", "echo", &json!({"n": 1})));

    let report = host.report("complete").await;
    assert_eq!(report.body, json!({"task_token": "t1", "result": {"n": 1}}));
    report.ok(&json!({}));
    let next = host.poll().await;
    assert_ne!(next.poll_id(), poll_id, "an answered poll is over");
    running.stop_with(&mut host, next).await;
}

#[tokio::test]
async fn a_poll_without_a_task_is_followed_by_one_with_another_id() {
    let mut host = Host::start().await;
    let running = Running::start(worker(&host, vec![echo()]));
    let first = host.poll().await;
    let poll_id = first.poll_id();
    first.nothing();
    let second = host.poll().await;
    assert_ne!(second.poll_id(), poll_id);
    running.stop_with(&mut host, second).await;
}

/// The log of all tests in this process: a log of one thread's own would miss the lines that another thread reached
/// first.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn with(&self, words: &str, address: &str) -> usize {
        let text = self.0.lock().unwrap();
        let lines = String::from_utf8_lossy(&text);
        lines.lines().filter(|line| line.contains(words) && line.contains(address)).count()
    }
}

#[tokio::test]
async fn a_host_that_is_away_is_one_warning_and_its_return_one_line() {
    const POLLERS: usize = 4;
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(log).unwrap();
    let mut host = Host::start().await;
    let mut running = Running::start(worker(&host, vec![echo()]).slots(POLLERS));
    for _ in 0..3 * POLLERS {
        host.poll().await.close();
    }
    for _ in 0..POLLERS {
        host.poll().await.nothing();
    }
    let mut waiting = Vec::new();
    for _ in 0..POLLERS {
        waiting.push(host.poll().await);
    }
    let told = |words| lines.with(words, &host.address);
    assert_eq!((told("the host does not answer"), told("the host answers again")), (1, 1));

    // The last polls are nobody's concern.
    running.stop();
    let stopping = tokio::spawn(running.ended());
    while !stopping.is_finished() {
        tokio::select! {
            asked = host.poll() => asked.close(),
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
    stopping.await.unwrap().unwrap();
    assert_eq!(lines.with("WARN", &host.address), 1);
}

#[tokio::test]
async fn slots_are_never_exceeded_by_attempts_and_polls_together() {
    const SLOTS: usize = 3;
    const TASKS: usize = 20;
    let mut host = Host::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let (count, mut counted) = watch::channel(0);
    let activity = {
        let gate = gate.clone();
        Activity::new("wait", move |_: Context, (): ()| {
            let (gate, count) = (gate.clone(), count.clone());
            async move {
                count.send_modify(|running| *running += 1);
                gate.acquire().await?.forget();
                count.send_modify(|running| *running -= 1);
                Ok(())
            }
        })
    };
    let _running = Running::start(worker(&host, vec![activity]).slots(SLOTS));
    let (mut given, mut done) = (0, 0);
    let mut waiting: Vec<Asked> = Vec::new();
    while done < TASKS {
        let asked = host.next().await;
        if asked.path.ends_with("/complete") {
            done += 1;
            asked.ok(&json!({}));
        } else {
            waiting.push(asked);
        }
        let in_hand = given - done;
        assert!(waiting.len() + in_hand <= SLOTS, "{} polls and {in_hand} attempts", waiting.len());
        // Give all that is asked for, and let one end whenever all slots are taken.
        for poll in waiting.drain(..) {
            poll.ok(&task(&format!("t{given}"), "wait", &Value::Null));
            given += 1;
        }
        if given - done == SLOTS {
            counted.wait_for(|running| *running == SLOTS).await.unwrap();
            gate.add_permits(1);
        }
    }
}

#[tokio::test]
async fn a_task_that_is_given_twice_runs_once() {
    let mut host = Host::start().await;
    let (gate, starts) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let activity = {
        let (gate, starts) = (gate.clone(), starts.clone());
        Activity::new("wait", move |_: Context, (): ()| {
            starts.fetch_add(1, Ordering::SeqCst);
            let gate = gate.clone();
            async move {
                gate.acquire().await?.forget();
                Ok(())
            }
        })
    };
    let _running = Running::start(worker(&host, vec![activity]).slots(2));
    for _ in 0..2 {
        host.poll().await.ok(&task("t1", "wait", &Value::Null));
    }
    // The slot of the second one is free again.
    let _waiting = host.poll().await;
    gate.add_permits(2);
    host.report("complete").await.ok(&json!({}));
    let _waiting_too = host.poll().await;
    assert_eq!(starts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_worker_that_is_refused_ends_and_says_why() {
    let cases = [(401, "the host wants an API key"), (404, "no namespace \"x\""), (400, "field `wait`")];
    for (status, detail) in cases {
        let mut host = Host::start().await;
        let running = Running::start(worker(&host, vec![echo()]));
        host.poll().await.problem(status, detail);
        let error = running.ended().await.unwrap_err();
        assert_eq!(error.hint(), "a hint");
        let Error::Refused { status: seen, detail: said, .. } = error else { panic!("{error}") };
        assert_eq!((seen, &*said), (status, detail));
    }
}

#[tokio::test]
async fn an_answer_that_no_host_gives_ends_the_worker() {
    for answer in [json!("hello"), json!({"task_token": "t"})] {
        let mut host = Host::start().await;
        let running = Running::start(worker(&host, vec![echo()]));
        host.poll().await.ok(&answer);
        let error = running.ended().await.unwrap_err();
        assert!(matches!(error, Error::Unexpected { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_task_of_another_worker_is_given_back() {
    let mut host = Host::start().await;
    let _running = Running::start(worker(&host, vec![echo()]));
    host.poll().await.ok(&task("t1", "other", &Value::Null));
    let report = host.report("fail").await;
    assert_eq!(
        report.body["failure"],
        json!({"type": "not-found", "message": "this worker has no activity \"other\""})
    );
}
