//! When to try again.

use std::time::Duration;

use crate::bindings::refrain::workflow::types;
use crate::{payload, time};

/// When and how often the host tries an activity or a child again; the default is without end, 1 s to 100 s apart.
#[derive(Clone, Debug)]
pub struct Retry(types::RetryPolicy);

impl Default for Retry {
    fn default() -> Self {
        // Zeros mean the host's defaults, so that they are written in one place.
        Self(types::RetryPolicy {
            initial_interval: types::Duration { seconds: 0, nanoseconds: 0 },
            backoff_coefficient: 0.0,
            maximum_interval: None,
            maximum_attempts: 0,
            non_retryable_error_types: Vec::new(),
            more: Vec::new(),
        })
    }
}

impl Retry {
    pub(crate) fn into_wire(self) -> types::RetryPolicy {
        self.0
    }

    /// One attempt and no other.
    #[must_use]
    pub fn never() -> Self {
        Self::default().maximum_attempts(1)
    }

    /// The time from the first failure to the second attempt.
    #[must_use]
    pub fn initial_interval(mut self, interval: Duration) -> Self {
        self.0.initial_interval = time::to_wire(interval);
        self
    }

    /// How much longer each interval is than the one before; at least 1.
    #[must_use]
    pub fn backoff_coefficient(mut self, coefficient: f64) -> Self {
        self.0.backoff_coefficient = coefficient;
        self
    }

    /// The longest interval.
    #[must_use]
    pub fn maximum_interval(mut self, interval: Duration) -> Self {
        self.0.maximum_interval = Some(time::to_wire(interval));
        self
    }

    /// How many attempts at most, the first one included; 0 is without limit.
    #[must_use]
    pub fn maximum_attempts(mut self, attempts: u32) -> Self {
        self.0.maximum_attempts = attempts;
        self
    }

    /// A failure of this type ends the attempts.
    #[must_use]
    pub fn non_retryable(mut self, error_type: impl Into<String>) -> Self {
        self.0.non_retryable_error_types.push(error_type.into());
        self
    }

    /// Shortens each interval by a random part of at most this share of it, 0 to 1, so that what failed
    /// together is not tried again together; without it 0.
    ///
    /// ```
    /// # use refrain_sdk::*;
    /// // From 8 s to 10 s after the first failure, from 16 s to 20 s after the second, ...
    /// let patient = Retry::default().initial_interval(secs(10)).jitter(0.2);
    /// ```
    #[must_use]
    pub fn jitter(mut self, share: f64) -> Self {
        payload::set_named(&mut self.0.more, "jitter", share);
        self
    }
}
