//! The simulated time: tokio's paused time, which goes on when everybody sleeps, and jumps of the clock on top.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use refrain_engine::time::Timestamp;
use refrain_runtime::{Clock, sleep_by};
use tokio::time::Instant;

/// When a simulation begins: 2026-01-01.
pub const BEGINNING: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// The clock of one life of a host.
#[derive(Clone)]
pub struct SimClock(Arc<Mutex<Time>>);

struct Time {
    began: Instant,
    at: Timestamp,
}

impl SimClock {
    /// A clock that shows this time now. Only inside of a tokio runtime.
    pub fn at(at: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Time { began: Instant::now(), at })))
    }

    /// Somebody sets the clock forward.
    pub fn jump(&self, by: Duration) {
        let mut time = self.0.lock().expect("sound");
        time.at = time.at.after(by);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let time = self.0.lock().expect("sound");
        time.at.after(time.began.elapsed())
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        sleep_by(self.clone(), deadline)
    }
}
