//! Task queues for people.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use super::length;
use super::table::Table;
use crate::wire::{Poller, QueueLimits, TaskQueueInfo};

/// The width of the names of fields.
const NAME: usize = 8;

/// One line for each task queue.
pub fn list(queues: &[TaskQueueInfo]) -> String {
    let mut table = Table::new(["NAME", "BACKLOG", "OLDEST", "RUNNING", "WORKERS", "LIMITS"]);
    for queue in queues {
        table.row([
            queue.name.clone(),
            queue.backlog.to_string(),
            age(queue).unwrap_or_default(),
            queue.running.to_string(),
            queue.pollers.len().to_string(),
            limits(&queue.limits),
        ]);
    }
    table.to_string()
}

/// All that can be told of a task queue.
pub fn detail(queue: &TaskQueueInfo, now: Timestamp) -> String {
    let mut text = format!("{}\n\n", queue.name);
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<NAME$}  {value}");
    };
    let oldest = age(queue).map(|age| format!(", the oldest for {age}")).unwrap_or_default();
    field("backlog", &format!("{}{oldest}", queue.backlog));
    field("running", &queue.running.to_string());
    field("polls", &format!("{} waiting", queue.waiting_pollers));
    let configured = limits(&queue.limits);
    field("limits", if configured.is_empty() { "none" } else { &configured });
    section(&mut text, &activities(queue));
    section(&mut text, &workers(&queue.pollers, now));
    if queue.backlog > 0 {
        section(&mut text, &priorities(queue));
    }
    text
}

fn section(text: &mut String, table: &str) {
    if !table.is_empty() {
        let _ = write!(text, "\n{table}");
    }
}

fn activities(queue: &TaskQueueInfo) -> String {
    if queue.by_activity.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["ACTIVITY", "BACKLOG", "RUNNING", "MADE BY"]);
    for activity in &queue.by_activity {
        let by = match (activity.in_process, queue.is_served(&activity.activity)) {
            (true, _) => "this host",
            (false, true) => "workers",
            (false, false) => "nobody: no worker polls for it",
        };
        table.row([
            activity.activity.clone(),
            activity.backlog.to_string(),
            activity.running.to_string(),
            by.to_owned(),
        ]);
    }
    table.to_string()
}

fn workers(pollers: &[Poller], now: Timestamp) -> String {
    if pollers.is_empty() {
        return "no worker has polled in the last five minutes\n".to_owned();
    }
    let mut table = Table::new(["WORKER", "LAST SEEN", "ACTIVITIES"]);
    for poller in pollers {
        let taken =
            if poller.activities.is_empty() { "any".to_owned() } else { poller.activities.join(", ") };
        let seen = format!("{} ago", length(now.duration_since(poller.last_seen)));
        table.row([poller.worker.clone(), seen, taken]);
    }
    table.to_string()
}

fn priorities(queue: &TaskQueueInfo) -> String {
    let mut table = Table::new(["PRIORITY", "BACKLOG"]);
    for (priority, backlog) in queue.by_priority.iter().filter(|(_, backlog)| **backlog > 0) {
        table.row([priority.clone(), backlog.to_string()]);
    }
    table.to_string()
}

/// How long the oldest task has waited.
fn age(queue: &TaskQueueInfo) -> Option<String> {
    let age = queue.oldest_task_age.as_deref()?;
    // A form that this version does not know is shown as it is.
    Some(age.parse::<SignedDuration>().map_or_else(|_| age.to_owned(), length))
}

fn limits(limits: &QueueLimits) -> String {
    let concurrency = limits.concurrency.map(|attempts| format!("{attempts} at once"));
    let burst = limits.burst.map(|attempts| format!(" (burst {attempts})")).unwrap_or_default();
    let rate = limits.rate.map(|rate| format!("{rate} per second{burst}"));
    let alone = (!limits.in_process).then(|| "workers alone".to_owned());
    concurrency.into_iter().chain(rate).chain(alone).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn queue(json: &str) -> TaskQueueInfo {
        serde_json::from_str(json).expect("a task queue")
    }

    const GPU: &str = r#"{
        "name": "gpu", "backlog": 12, "oldest_task_age": "125.5s", "running": 2, "waiting_pollers": 1,
        "pollers": [
            {"worker": "host-7:4711", "last_seen": "2026-11-20T10:00:06.75Z", "activities": ["train", "score"]}
        ],
        "by_priority": {"1": 2, "2": 0, "3": 10, "4": 0, "5": 0},
        "by_activity": [
            {"activity": "train", "backlog": 9, "running": 2, "in_process": false},
            {"activity": "fs.copy", "backlog": 1, "running": 0, "in_process": true},
            {"activity": "mail", "backlog": 2, "running": 0, "in_process": false}
        ],
        "limits": {"concurrency": 2, "rate": 0.5, "burst": 4, "in_process": true}
    }"#;

    const IDLE: &str = r#"{
        "name": "default", "backlog": 0, "running": 0, "waiting_pollers": 0, "pollers": [], "by_priority": {},
        "by_activity": [], "limits": {"in_process": false}
    }"#;

    #[test]
    fn a_task_queue_says_what_waits_who_makes_it_and_who_polls() {
        let now = "2026-11-20T10:00:10Z".parse().expect("a time");
        expect![[r#"
            gpu

            backlog   12, the oldest for 2m 05s
            running   2
            polls     1 waiting
            limits    2 at once, 0.5 per second (burst 4)

            ACTIVITY  BACKLOG  RUNNING  MADE BY
            train     9        2        workers
            fs.copy   1        0        this host
            mail      2        0        nobody: no worker polls for it

            WORKER       LAST SEEN  ACTIVITIES
            host-7:4711  3.25s ago  train, score

            PRIORITY  BACKLOG
            1         2
            3         10
        "#]]
        .assert_eq(&detail(&queue(GPU), now));
        expect![[r#"
            default

            backlog   0
            running   0
            polls     0 waiting
            limits    workers alone

            no worker has polled in the last five minutes
        "#]]
        .assert_eq(&detail(&queue(IDLE), now));
    }

    #[test]
    fn task_queues_are_listed_with_their_limits() {
        expect![[r#"
            NAME     BACKLOG  OLDEST  RUNNING  WORKERS  LIMITS
            default  0                0        0        workers alone
            gpu      12       2m 05s  2        1        2 at once, 0.5 per second (burst 4)
        "#]]
        .assert_eq(&list(&[queue(IDLE), queue(GPU)]));
    }
}
