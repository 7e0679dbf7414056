//! Why nothing happens to an activity that waits in its task queue, as far as the workers of the queue are the reason.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::MAX_WAIT;
use crate::wire::{Poller, TaskQueueInfo};

/// How much later than [`MAX_WAIT`] after a poll the next one may come: the way to the host and back, with time to
/// spare.
const SLACK: Duration = Duration::from_secs(10);

/// Why nobody takes the tasks of an activity type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// No worker polls the queue.
    NoWorker,
    /// Workers poll it, and none of them has the type.
    NotOffered,
    /// Those that had the type have not polled for so long. Attempts of the queue run, so that they may have no slot
    /// free, or be gone.
    Silent(SignedDuration),
}

impl Unserved {
    /// `None` if somebody takes tasks of this type, or nothing speaks against it.
    pub fn of(queue: &TaskQueueInfo, activity: &str, now: Timestamp) -> Option<Self> {
        let longest = SignedDuration::try_from(MAX_WAIT + SLACK).unwrap_or(SignedDuration::MAX);
        let polls = |poller: &Poller| now.duration_since(poller.last_seen) <= longest;
        let offering = queue.pollers.iter().filter(|poller| poller.offers(activity));
        if queue.has_in_process(activity) || offering.clone().any(polls) {
            return None;
        }
        match offering.map(|poller| poller.last_seen).max() {
            Some(last) if queue.running > 0 => Some(Self::Silent(now.duration_since(last))),
            _ if queue.pollers.iter().any(polls) => Some(Self::NotOffered),
            _ => Some(Self::NoWorker),
        }
    }

    /// One line about it.
    pub fn line(self, queue: &str, activity: &str) -> String {
        match self {
            Self::NoWorker => format!("no worker polls task queue {queue}"),
            Self::NotOffered => format!("no worker of task queue {queue} offers {activity}"),
            Self::Silent(silence) => format!(
                "no worker of task queue {queue} that offers {activity} has polled for {}: all are busy or gone",
                super::length(silence)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_serves_what_it_offers_for_as_long_as_a_poll_lasts() {
        let now: Timestamp = "2026-11-20T10:10:00Z".parse().expect("a time");
        // Seconds since each worker's last poll, and what it offers; nothing is everything.
        type Workers = &'static [(i64, &'static [&'static str])];
        let gone_s = i64::try_from((MAX_WAIT + SLACK).as_secs()).expect("a minute or so") + 1;
        let silent = Unserved::Silent(SignedDuration::from_secs(gone_s));
        let cases: [(Workers, u64, Option<Unserved>); 8] = [
            (&[], 0, Some(Unserved::NoWorker)),
            (&[(0, &[])], 0, None),
            (&[(59, &["ml.train"])], 0, None),
            (&[(0, &["ml.score"])], 0, Some(Unserved::NotOffered)),
            (&[(71, &["ml.train"])], 0, Some(Unserved::NoWorker)),
            (&[(71, &["ml.train"]), (0, &["ml.score"])], 0, Some(Unserved::NotOffered)),
            (&[(71, &["ml.train"]), (0, &["ml.score"])], 1, Some(silent)),
            (&[(71, &["ml.train"]), (3, &["ml.train"])], 1, None),
        ];
        for (workers, running, expected) in cases {
            let pollers: Vec<_> = workers
                .iter()
                .map(|(ago, activities)| Poller {
                    worker: "host-7:4711".to_owned(),
                    last_seen: now - SignedDuration::from_secs(*ago),
                    activities: activities.iter().map(ToString::to_string).collect(),
                })
                .collect();
            let mut queue: TaskQueueInfo = serde_json::from_str(
                r#"{"name": "ml", "backlog": 1, "running": 0, "waiting_pollers": 0, "pollers": [], "by_priority": {},
                    "by_activity": [{"activity": "fs.copy", "backlog": 1, "running": 0, "in_process": true}],
                    "limits": {"in_process": true}}"#,
            )
            .expect("a task queue");
            queue.pollers = pollers;
            queue.running = running;
            assert_eq!(Unserved::of(&queue, "ml.train", now), expected, "{workers:?}, {running} running");
            assert_eq!(Unserved::of(&queue, "fs.copy", now), None, "the host itself takes it");
        }
    }

    #[test]
    fn each_reason_names_the_task_queue() {
        let line = |unserved: Unserved| unserved.line("ml", "ml.none");
        assert_eq!(line(Unserved::NoWorker), "no worker polls task queue ml");
        assert_eq!(line(Unserved::NotOffered), "no worker of task queue ml offers ml.none");
        assert_eq!(
            line(Unserved::Silent(SignedDuration::from_secs(130))),
            "no worker of task queue ml that offers ml.none has polled for 2m 10s: all are busy or gone"
        );
    }
}
