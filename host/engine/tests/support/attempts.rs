//! A small language in which tests write what happens to an activity; what it answers becomes a transcript,
//! which tests compare with a snapshot. Each line begins with its time, in seconds since the activity was
//! scheduled. Timeouts pass by themselves, before what happens at their time, and show up in the transcript.
//!
//! | line                                   | happens                                                         |
//! |----------------------------------------|-----------------------------------------------------------------|
//! | `5`                                    | nothing but that the time comes                                 |
//! | `5 start`, `5 start worker`            | an attempt begins, if one may                                   |
//! | `5 pending`                            | the running attempt answers that its outcome comes from outside |
//! | `5 beat JSON`                          | a heartbeat                                                     |
//! | `5 report N`                           | the N-th attempt that was started reports its outcome           |
//! | `5 complete`                           | the running attempt completes                                   |
//! | `5 stop`                               | the running attempt stops because it was told to                |
//! | `5 fail TYPE [for-good] [after 3]`     | it fails: not to be retried, or with a delay of its own         |
//! | `5 restart`                            | the host goes away and comes back                               |
//! | `5 full 2`                             | the task queue is full: again in so many seconds                |
//! | `5 cancel`                             | the run asks for the activity's end                             |
//! | `5 pause`, `5 unpause [attempts] [heartbeat]`, `5 reset [heartbeat] [keep-paused]` | an operator's      |
//! | `5 update FIELD=VALUE ..`              | an operator changes options; `none` removes a timeout           |

use std::fmt::Write;
use std::time::Duration;

use refrain_engine::activity::{
    Activity, CancelNext, Next, OptionsPatch, Phase, ResetRequest, RetryPatch, Runner, Unpause,
};
use refrain_engine::call::{ActivityCommand, ActivityOptions};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;

use super::{START, activity, seconds};

/// An activity that was scheduled at [`START`], and its host.
pub struct Story {
    pub activity: Activity,
    now: Timestamp,
    boot: u64,
    over: bool,
}

impl Story {
    pub fn new(options: ActivityOptions) -> Self {
        let activity = Activity::new(1, ActivityCommand { options, ..activity("pay") }, START);
        Self { activity, now: START, boot: 1, over: false }
    }

    /// Plays the lines and tells what each led to.
    pub fn play(&mut self, script: &str) -> String {
        let mut transcript = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (at, what) = line.split_once(' ').unwrap_or((line, ""));
            let now = START.after(seconds(at));
            self.let_timeouts_pass(now, &mut transcript);
            self.now = now;
            let answer =
                if self.over && !what.is_empty() { "it is over".to_owned() } else { self.happens(what) };
            let arrow = if answer.is_empty() { "" } else { " -> " };
            writeln!(transcript, "{line}{arrow}{answer}").expect("strings take everything");
        }
        transcript
    }

    fn let_timeouts_pass(&mut self, until: Timestamp, transcript: &mut String) {
        while let Some((at, timeout)) = self.activity.next_timeout(None).filter(|(at, _)| *at <= until)
            && !self.over
        {
            // One that an operator has shortened passes now, and not before.
            self.now = self.now.max(at);
            let next = self.activity.time_out(timeout, self.now);
            let followed = self.followed(next);
            writeln!(
                transcript,
                "{} {} timeout passes -> {followed}",
                since_start(self.now),
                timeout.as_str()
            )
            .expect("strings take everything");
        }
    }

    fn happens(&mut self, what: &str) -> String {
        let words: Vec<&str> = what.split(' ').collect();
        let now = self.now;
        match words[..] {
            [""] => return String::new(),
            ["start"] => return self.start(Runner::Host),
            ["start", "worker"] => {
                let [identity, poll_id] = ["host-7", "poll-1"].map(str::to_owned);
                return self.start(Runner::Worker { identity, poll_id });
            }
            ["pending"] => self.activity.goes_outside(),
            ["beat", details] => {
                self.activity.heartbeat = Some(Payload::json(details.to_owned()));
                self.activity.heartbeat_at = Some(now);
            }
            ["report", starts] => {
                let checked = self.activity.check_current(starts.parse().expect("a number"));
                return checked.map_or_else(|stale| format!("refused: {stale}"), |()| "taken".to_owned());
            }
            ["complete"] => {
                self.over = true;
                return format!("completed in attempt {}", self.activity.attempt);
            }
            ["stop"] => {
                let failure = Failure::new(FailureKind::Canceled, "Canceled", "it was told to");
                let next = self.activity.fail(failure, None, now);
                return self.followed(next);
            }
            ["fail", error_type, ref how @ ..] => {
                let failure = Failure {
                    non_retryable: how.contains(&"for-good"),
                    ..Failure::new(FailureKind::Application, error_type, "the bank is closed")
                };
                let delay = how.iter().position(|word| *word == "after").map(|at| seconds(how[at + 1]));
                let next = self.activity.fail(failure, delay, now);
                return self.followed(next);
            }
            ["restart"] => {
                self.boot += 1;
                if !self.activity.lost_with_host(self.boot) {
                    return "nothing is lost".to_owned();
                }
                let next = self.activity.restarted(now);
                return self.followed(next);
            }
            ["full", delay] => {
                let why = Failure::new(FailureKind::Host, "queue-full", "the queue is full");
                self.activity.postpone(now.after(seconds(delay)), why, now);
            }
            ["cancel"] => {
                let next = self.activity.cancel("enough");
                self.over = next == CancelNext::Close;
                return format!("{next:?}");
            }
            ["pause"] => self.activity.pause("the bank asked".to_owned(), now),
            ["unpause", ref how @ ..] => {
                let how = Unpause {
                    reset_attempts: how.contains(&"attempts"),
                    reset_heartbeat: how.contains(&"heartbeat"),
                };
                self.activity.unpause(how, now);
            }
            ["reset", ref how @ ..] => {
                let request = ResetRequest {
                    reset_heartbeat: how.contains(&"heartbeat"),
                    keep_paused: how.contains(&"keep-paused"),
                };
                self.activity.reset(request, now);
            }
            ["update", ref fields @ ..] => {
                if let Err(error) = self.activity.update_options(patch(fields), now) {
                    return format!("refused: {error}");
                }
            }
            _ => panic!("an activity has no {what:?}"),
        }
        self.shown()
    }

    fn start(&mut self, runner: Runner) -> String {
        match self.activity.ready_at() {
            Some(ready) if ready <= self.now => self.activity.start(runner, self.boot, self.now),
            Some(ready) => return format!("not before {}", since_start(ready)),
            None => return "not now".to_owned(),
        }
        let details = self.activity.heartbeat.as_ref();
        let details = details.map_or(String::new(), |details| format!(" with {details:?}"));
        format!("attempt {}, start {}{details}", self.activity.attempt, self.activity.starts)
    }

    /// Where the activity stands.
    fn shown(&self) -> String {
        let Activity { attempt, reset, paused, .. } = &self.activity;
        let phase = match (&self.activity.phase, self.activity.ready_at()) {
            (Phase::Running { .. }, _) => format!("attempt {attempt} runs"),
            (Phase::Scheduled { .. } | Phase::Backoff { .. }, Some(ready)) => {
                format!("attempt {attempt} from {}", since_start(ready))
            }
            (Phase::Scheduled { .. } | Phase::Backoff { .. }, None) => format!("attempt {attempt} held"),
        };
        let paused =
            paused.as_ref().map_or(String::new(), |pause| format!(", paused at {}", since_start(pause.at)));
        let reset = reset.map_or("", |_| ", the next is 1");
        format!("{phase}{paused}{reset}")
    }

    fn followed(&mut self, next: Next) -> String {
        match next {
            Next::Retry(until) => {
                assert!(matches!(self.activity.phase, Phase::Backoff { until: its, .. } if its == until));
                self.shown()
            }
            Next::Close(Outcome::Failed(failure)) => {
                self.over = true;
                let details = failure.details.as_ref();
                let details = details.map_or(String::new(), |details| format!(", details {details:?}"));
                format!("closed: {} {}: {failure}{details}", failure.kind.as_str(), failure.error_type)
            }
            Next::Close(Outcome::Completed(_)) => panic!("what failed cannot complete"),
        }
    }
}

/// Plays a story from its beginning.
pub fn play(options: ActivityOptions, script: &str) -> String {
    Story::new(options).play(script)
}

fn since_start(time: Timestamp) -> String {
    time.since(START).as_secs_f64().to_string()
}

fn patch(fields: &[&str]) -> OptionsPatch {
    let mut patch = OptionsPatch::default();
    for field in fields {
        let (name, value) = field.split_once('=').expect("FIELD=VALUE");
        let timeout = || Some((value != "none").then(|| seconds(value)));
        let retry = patch.retry.get_or_insert(RetryPatch::default());
        match name {
            "task-queue" => patch.task_queue = Some(value.to_owned()),
            "priority" => patch.priority = Some(value.parse().expect("a number")),
            "schedule-to-close" => patch.schedule_to_close = timeout(),
            "schedule-to-start" => patch.schedule_to_start = timeout(),
            "start-to-close" => patch.start_to_close = timeout(),
            "heartbeat" => patch.heartbeat = timeout(),
            "initial-interval" => retry.initial_interval = Some(seconds(value)),
            "maximum-interval" => retry.maximum_interval = timeout(),
            "coefficient" => retry.backoff_coefficient = Some(value.parse().expect("a number")),
            "maximum-attempts" => retry.maximum_attempts = Some(value.parse().expect("a number")),
            "refused" => retry.non_retryable_error_types = Some(vec![value.to_owned()]),
            "jitter" => retry.jitter = Some(value.parse().expect("a number")),
            _ => panic!("there is no option {name}"),
        }
    }
    patch
}

/// So many seconds.
pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
