//! Heartbeats: an activity beats as often as it likes, the host hears as much as it needs.
//!
//! The first beat goes at once. After it one request is sent in each interval at most, with the newest details, and
//! the last beat of a burst is sent when its interval is over. Nothing beats but the activity: a worker that did it in
//! the activity's place would keep one alive that hangs.

use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder;
use refrain_plugin::{CancelReason, CancelSource, HostHooks, Payload};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::CallError;
use crate::poller::RETRIES;
use crate::wire::HeartbeatAnswer;

/// Beats that fit into a heartbeat timeout: two of them may be lost on the way.
const BEATS_IN_TIMEOUT: u32 = 3;

/// The activity's side: where its beats go.
struct Pulse(watch::Sender<Option<Payload>>);

impl HostHooks for Pulse {
    fn heartbeat(&self, details: Payload) {
        self.0.send_replace(Some(details));
    }
}

/// The worker's side: sends them on.
pub(crate) struct Heart {
    newest: watch::Receiver<Option<Payload>>,
    interval: Duration,
    /// The newest beat that was seen has not been acknowledged.
    unacknowledged: bool,
}

impl Heart {
    /// The two sides of one attempt's heartbeats.
    pub(crate) fn new(timeout: Option<Duration>, max_interval: Duration) -> (Arc<dyn HostHooks>, Heart) {
        let (sender, newest) = watch::channel(None);
        let interval = timeout.map_or(max_interval, |timeout| max_interval.min(timeout / BEATS_IN_TIMEOUT));
        (Arc::new(Pulse(sender)), Heart { newest, interval, unacknowledged: false })
    }

    /// Sends beats, and tells the attempt what their answers say, until one says that the attempt is stale: then
    /// returns why. Can be dropped at any point, and loses no beat by it.
    pub(crate) async fn beat<F, Fut>(&mut self, cancel: &CancelSource, mut send: F) -> String
    where
        F: FnMut(Payload) -> Fut,
        Fut: Future<Output = Result<HeartbeatAnswer, CallError>>,
    {
        let retries = RETRIES.with_max_delay(self.interval);
        let mut delays = retries.build();
        loop {
            let details = self.next().await;
            let sent_at = Instant::now();
            match send(details).await {
                Ok(answer) => {
                    self.unacknowledged = false;
                    tell(cancel, answer);
                    delays = retries.build();
                }
                Err(CallError::Stale { reason }) => return reason,
                Err(error) if error.is_passing() => {
                    tracing::debug!(%error, "a heartbeat was not heard; the newest one is sent again");
                    // There is always another delay; without one the interval would do.
                    sleep(error.pause(delays.next().unwrap_or(self.interval)).min(self.interval)).await;
                    continue;
                }
                Err(error) => {
                    self.unacknowledged = false;
                    tracing::error!(%error, "the host does not take a heartbeat of this attempt; it is dropped");
                }
            }
            sleep_until(sent_at + self.interval).await;
        }
    }

    /// The newest details that the host may not have yet.
    pub(crate) fn unsent(&mut self) -> Option<Payload> {
        let changed = self.newest.borrow_and_update();
        if changed.has_changed() || self.unacknowledged { changed.clone() } else { None }
    }

    /// Waits for a beat that the host has not acknowledged.
    async fn next(&mut self) -> Payload {
        loop {
            if !self.unacknowledged && self.newest.changed().await.is_err() {
                // Nobody is left who could beat.
                return std::future::pending().await;
            }
            self.unacknowledged = true;
            if let Some(details) = self.newest.borrow_and_update().clone() {
                return details;
            }
        }
    }
}

/// Passes on what the host wants of the attempt. A cancellation outweighs the rest: it is final.
fn tell(cancel: &CancelSource, answer: HeartbeatAnswer) {
    if answer.cancel_requested {
        cancel.cancel(CancelReason::Requested);
    } else if answer.reset {
        cancel.cancel(CancelReason::Reset);
    } else if answer.paused {
        cancel.cancel(CancelReason::Paused);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn details(number: u32) -> Payload {
        Payload::json(&number).unwrap()
    }

    fn lost() -> CallError {
        CallError::Passing { reason: "connection reset".to_owned(), retry_after: None }
    }

    /// Runs a heart whose requests are answered from a list, then with success, while a script runs beside it.
    /// Returns what was sent, with the second in which it was.
    async fn beats_of(
        timeout: Option<Duration>,
        answers: Vec<Result<HeartbeatAnswer, CallError>>,
        script: impl AsyncFnOnce(&dyn HostHooks),
    ) -> Vec<(u64, u32)> {
        let (hooks, mut heart) = Heart::new(timeout, Duration::from_secs(30));
        let (sent, answers) = (Mutex::new(Vec::new()), Mutex::new(answers.into_iter()));
        let (began, cancel) = (Instant::now(), CancelSource::new());
        let beating = heart.beat(&cancel, |details| {
            sent.lock().unwrap().push((began.elapsed().as_secs(), details.parse().unwrap()));
            let answer = answers.lock().unwrap().next();
            async move { answer.unwrap_or_else(|| Ok(HeartbeatAnswer::default())) }
        });
        tokio::select! {
            _ = beating => {}
            () = script(&*hooks) => {}
        }
        sent.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_beat_goes_at_once_then_the_newest_of_each_interval_and_the_last_one() {
        let sent = beats_of(Some(30 * SECOND), Vec::new(), async |hooks| {
            // The last one 23.7 s after the first; none coincides with the end of an interval.
            for number in 0..80 {
                hooks.heartbeat(details(number));
                sleep(SECOND * 3 / 10).await;
            }
            sleep(60 * SECOND).await;
        })
        .await;
        assert_eq!(sent, [(0, 0), (10, 33), (20, 66), (30, 79)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_interval_is_a_third_of_the_timeout_and_has_a_bound() {
        let cases = [(Some(3 * SECOND), 1), (Some(3600 * SECOND), 30), (None, 30)];
        for (timeout, interval) in cases {
            let sent = beats_of(timeout, Vec::new(), async |hooks| {
                hooks.heartbeat(details(1));
                sleep(SECOND / 10).await;
                hooks.heartbeat(details(2));
                sleep(60 * SECOND).await;
            })
            .await;
            assert_eq!(sent, [(0, 1), (interval, 2)], "{timeout:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_beat_is_sent_again_early_and_with_what_is_newest_then() {
        let sent = beats_of(Some(30 * SECOND), vec![Err(lost()), Err(lost())], async |hooks| {
            hooks.heartbeat(details(1));
            sleep(SECOND / 100).await;
            hooks.heartbeat(details(2));
            sleep(60 * SECOND).await;
        })
        .await;
        assert_eq!(sent, [(0, 1), (0, 2), (0, 2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_tell_the_attempt_and_cancellation_outweighs_the_rest() {
        let answer = |cancel_requested, paused, reset| HeartbeatAnswer { cancel_requested, paused, reset };
        let cases = [
            (answer(false, false, false), None),
            (answer(true, true, true), Some(CancelReason::Requested)),
            (answer(false, true, true), Some(CancelReason::Reset)),
            (answer(false, true, false), Some(CancelReason::Paused)),
        ];
        for (answer, expected) in cases {
            let cancel = CancelSource::new();
            tell(&cancel, answer);
            assert_eq!(cancel.cancellation().reason(), expected, "{answer:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_acknowledged_is_left_to_send() {
        let (hooks, mut heart) = Heart::new(None, 30 * SECOND);
        assert_eq!(heart.unsent(), None);
        let cancel = CancelSource::new();
        let beat_until_idle = async |heart: &mut Heart, answered: bool| {
            let send = |_| async move {
                if !answered {
                    std::future::pending::<()>().await;
                }
                Ok(HeartbeatAnswer::default())
            };
            tokio::select! {
                biased;
                _ = heart.beat(&cancel, send) => {}
                () = tokio::task::yield_now() => {}
            }
            advance(SECOND).await;
        };
        hooks.heartbeat(details(1));
        beat_until_idle(&mut heart, true).await;
        assert_eq!(heart.unsent(), None, "it was acknowledged");
        hooks.heartbeat(details(2));
        assert_eq!(heart.unsent(), Some(details(2)), "it waits for its interval");
        hooks.heartbeat(details(3));
        beat_until_idle(&mut heart, false).await;
        assert_eq!(heart.unsent(), Some(details(3)), "its answer did not come");
    }
}
