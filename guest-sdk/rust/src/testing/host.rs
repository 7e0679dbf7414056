//! What the host does when a workflow under test calls it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Due, Env, by_host, encode};
use crate::bindings::refrain::workflow::activity::{Cancellation, Options};
use crate::bindings::refrain::workflow::child::{self, ChildOps};
use crate::bindings::refrain::workflow::context::RunInfo;
use crate::bindings::refrain::workflow::log::{Field, Level};
use crate::bindings::refrain::workflow::messages::Message;
use crate::bindings::refrain::workflow::types::{self, Completion, Execution, Instant, Outcome, Payload};
use crate::bindings::refrain::workflow::wait::{Event, OpFinished};
use crate::host::Host;
use crate::{Failure, time};

impl Env {
    /// Does the work at once, and delivers what came of it when the time that it takes has passed.
    fn start(&mut self, what: &str, name: &str, input: &Payload, options: &Options) -> u64 {
        self.not_for_queries("activity.start");
        self.op += 1;
        let data = String::from_utf8_lossy(&input.data);
        self.calls.push(format!("{} = {what} {name} {data}{}", self.op, routing(options)));
        let known = self.activities.get_mut(name);
        let (takes, f) = known.unwrap_or_else(|| panic!("this Env has no activity `{name}`"));
        let (takes, outcome) = (*takes, f(input).map_err(Failure::into_wire));
        let limit = options.start_to_close_timeout.or(options.schedule_to_close_timeout).map(duration);
        let (takes, outcome) = match limit {
            Some(limit) if takes > limit => {
                let message = format!("activity `{name}` took longer than {limit:?}");
                let failure = Failure::of(types::FailureKind::Timeout, "start-to-close".to_owned(), message);
                (limit, Err(failure.into_wire()))
            }
            _ => (takes, outcome),
        };
        self.schedule(self.clock + takes, Due::Op(self.op, options.cancellation, outcome));
        self.op
    }

    /// Called by what changes a run.
    fn not_for_queries(&mut self, import: &str) {
        if self.asked {
            let message = format!("the query's handling called {import}: a query only looks, and may not");
            self.tried = Some(message.clone());
            panic!("{message}");
        }
    }

    /// The key of an op that has not ended.
    fn find(&self, op: u64) -> Option<(Duration, u64)> {
        let is_it = |due: &Due| matches!(due, Due::Op(other, ..) if *other == op);
        self.due.iter().find(|(_, due)| is_it(due)).map(|(key, _)| *key)
    }
}

/// Where an activity is sent and when it gets its turn, as far as the workflow says.
fn routing(options: &Options) -> String {
    let queue = options.task_queue.iter().map(|queue| format!(" task-queue={queue:?}"));
    let priority = options.priority.iter().map(|priority| format!(" priority={priority}"));
    let more =
        options.more.iter().map(|(key, value)| format!(" {key}={}", String::from_utf8_lossy(&value.data)));
    queue.chain(priority).chain(more).collect()
}

pub(super) fn duration(wire: types::Duration) -> Duration {
    Duration::new(wire.seconds, wire.nanoseconds)
}

impl Host for Env {
    fn start_activity(&mut self, name: &str, input: &Payload, options: &Options) -> u64 {
        self.start("activity", name, input, options)
    }

    fn start_local_activity(&mut self, name: &str, input: &Payload, options: &Options) -> u64 {
        self.start("local activity", name, input, options)
    }

    fn start_timer(&mut self, delay: types::Duration, summary: Option<&str>) -> u64 {
        self.not_for_queries("timer.start");
        self.op += 1;
        let delay = duration(delay);
        let summary = summary.map(|summary| format!(" {summary}")).unwrap_or_default();
        self.calls.push(format!("{} = timer {delay:?}{summary}", self.op));
        self.schedule(self.clock + delay, Due::Op(self.op, Cancellation::TryCancel, Ok(encode(&()))));
        self.op
    }

    fn start_child(&mut self, workflow: &str, input: &Payload, options: &child::Options) -> ChildOps {
        self.not_for_queries("child.start");
        self.begin_child(workflow, input, options)
    }

    fn signal_external(&mut self, target: &Execution, name: &str, input: &Payload) -> u64 {
        self.not_for_queries("external.signal");
        self.send("signal", target, &format!(" {name} {}", String::from_utf8_lossy(&input.data)))
    }

    fn cancel_external(&mut self, target: &Execution, _reason: &str) -> u64 {
        self.not_for_queries("external.request-cancel");
        self.send("request-cancel", target, "")
    }

    fn next(&mut self) -> Vec<Event> {
        self.reject_unanswered_updates();
        let is_query = |due: &Due| matches!(due, Due::Message(Message::Query(_)));
        if self.ended_at.is_some() {
            self.due.retain(|_, due| is_query(due));
        } else if !self.asked {
            self.calls.push("wait".to_owned());
        }
        self.asked = false;
        let Some(first) = self.due.first_entry() else {
            assert!(self.ended_at.is_some(), "the workflow waits for ever: nothing is scheduled");
            return Vec::new();
        };
        let (at, _) = *first.key();
        if is_query(first.get()) {
            // Asked alone, of the run as its last step left it.
            self.asked = true;
            let Due::Message(query) = first.remove() else { unreachable!("a query is a message") };
            return vec![Event::Message(query)];
        }
        self.clock = at.max(self.clock);
        self.reads = 0;
        let later = self.due.split_off(&(at, u64::MAX));
        let now = std::mem::replace(&mut self.due, later);
        // Queries of this moment that come after what happens in it.
        let (asked, happens): (BTreeMap<_, _>, BTreeMap<_, _>) =
            now.into_iter().partition(|(_, due)| is_query(due));
        self.due.extend(asked);
        for due in happens.values() {
            if let Due::Message(Message::Update(update)) = due {
                self.update_delivered(update.request);
            }
        }
        let events = happens.into_values().map(|due| match due {
            Due::Op(op, _, outcome) => Event::Finished(OpFinished { op, outcome }),
            Due::Message(message) => Event::Message(message),
        });
        events.collect()
    }

    fn accept(&mut self, update: u64) {
        self.not_for_queries("messages.accept");
        self.accept_update(update);
    }

    fn reject(&mut self, update: u64, reason: types::Failure) {
        self.not_for_queries("messages.reject");
        self.reject_update(update, reason);
    }

    fn complete(&mut self, update: u64, answer: Outcome) {
        self.not_for_queries("messages.complete");
        self.complete_update(update, answer);
    }

    fn answer(&mut self, _query: u64, answer: Outcome) {
        self.answers.push(match self.tried.take() {
            Some(tried) => Err(by_host("query-tried-to-change", &tried)),
            None => answer,
        });
    }

    fn finish(&mut self, _completion: &Completion) {
        self.ended_at = Some(self.clock);
    }

    fn cancel(&mut self, op: u64, reason: &str) {
        self.not_for_queries("wait.cancel");
        self.calls.push(format!("cancel {op}"));
        let Some(key) = self.find(op) else { return };
        if let Some(Due::Op(op, cancellation, outcome)) = self.due.remove(&key) {
            if let Cancellation::WaitForCancellation = cancellation {
                self.due.insert(key, Due::Op(op, cancellation, outcome));
            } else {
                let outcome = Err(Failure::canceled(reason).into_wire());
                self.schedule(self.clock, Due::Op(op, cancellation, outcome));
            }
        }
    }

    fn detach(&mut self, op: u64) {
        self.not_for_queries("wait.detach");
        self.calls.push(format!("detach {op}"));
        if let Some(key) = self.find(op) {
            self.due.remove(&key);
        }
    }

    fn info(&mut self) -> RunInfo {
        RunInfo {
            namespace: "default".to_owned(),
            workflow_id: "test".to_owned(),
            run_id: "test-run".to_owned(),
            first_run_id: "test-run".to_owned(),
            continued_run_id: None,
            workflow: "test".to_owned(),
            task_queue: "default".to_owned(),
            attempt: 1,
            started_at: Instant { seconds: 0, nanoseconds: 0 },
            parent: None,
            root: None,
            journal_entries: self.calls.len() as u64,
            journal_bytes: 0,
            continue_as_new_suggested: self.long_from.is_some_and(|from| self.clock >= from),
            last_failure: None,
            more: Vec::new(),
        }
    }

    fn now(&mut self) -> Instant {
        let now = self.clock + Duration::from_micros(self.reads.into());
        self.reads += 1;
        let types::Duration { seconds, nanoseconds } = time::to_wire(now);
        Instant { seconds, nanoseconds }
    }

    fn random_bytes(&mut self, len: u32) -> Vec<u8> {
        // SplitMix64: a test wants the same values each time, not good ones.
        let next = || {
            self.randomness = self.randomness.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.randomness ^ (self.randomness >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 27)).to_le_bytes()[0]
        };
        std::iter::repeat_with(next).take(len as usize).collect()
    }

    fn uuid(&mut self) -> String {
        let bytes: [u8; 16] = std::array::from_fn(|_| self.random_bytes(1)[0]);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    fn patched(&mut self, _id: &str) -> bool {
        true
    }

    fn get_version(&mut self, _id: &str, _min: u32, max: u32) -> u32 {
        max
    }

    fn log(&mut self, level: Level, message: &str, fields: &[Field]) {
        let mut line =
            format!("{} {message}", format!("{level:?}").trim_start_matches("Level::").to_uppercase());
        for field in fields {
            line.push_str(&format!(" {}={}", field.key, field.value));
        }
        self.log.push(line);
    }
}
