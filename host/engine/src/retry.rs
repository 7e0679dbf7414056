//! When and how often to try again: Temporal's retry policy, as arithmetic.

use std::time::Duration;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::export::form;
use crate::failure::Failure;
use crate::ids::Op;
use crate::limits::ELEMENT_BYTES;
use crate::time::Timestamp;

/// A retry policy. The defaults are Temporal's: 1 s, coefficient 2.0, at most 100 times the initial
/// interval, no limit to the attempts.
#[derive(Clone, Debug, PartialEq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Before the second attempt. Above zero.
    #[n(0)]
    #[serde(with = "form::duration")]
    pub initial_interval: Duration,
    /// Each interval is this times the one before. Finite, at least 1.0.
    #[n(1)]
    pub backoff_coefficient: f64,
    /// No interval is longer. `None`: 100 times the initial interval.
    #[n(2)]
    #[serde(default, with = "form::optional_duration", skip_serializing_if = "Option::is_none")]
    pub maximum_interval: Option<Duration>,
    /// The first attempt counts. 0: no limit.
    #[n(3)]
    pub maximum_attempts: u32,
    /// Failures of these types are not retried. Compared exactly.
    #[n(4)]
    pub non_retryable_error_types: Vec<String>,
    /// Each interval is shortened by a random part of at most this share of it. 0.0 to 1.0.
    #[cbor(n(5), skip_if = "codec::is_default")]
    pub jitter: f64,
}

/// The default of the first interval.
pub const DEFAULT_INITIAL_INTERVAL: Duration = Duration::from_secs(1);
/// The default factor between two intervals.
pub const DEFAULT_BACKOFF_COEFFICIENT: f64 = 2.0;
/// The default of the longest interval, as a multiple of the first.
pub const DEFAULT_MAXIMUM_INTERVAL_FACTOR: u32 = 100;

/// The most error types that a policy may name. People write them, one by one.
pub const MAX_ERROR_TYPES: usize = 100;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial_interval: DEFAULT_INITIAL_INTERVAL,
            backoff_coefficient: DEFAULT_BACKOFF_COEFFICIENT,
            maximum_interval: None,
            maximum_attempts: 0,
            non_retryable_error_types: Vec::new(),
            jitter: 0.0,
        }
    }
}

impl RetryPolicy {
    /// Checks the values.
    ///
    /// # Errors
    /// Names the field, its value and the remedy.
    pub fn check(&self) -> Result<(), String> {
        let coefficient = self.backoff_coefficient;
        if !coefficient.is_finite() || coefficient < 1.0 {
            return Err(format!(
                "retry.backoff-coefficient is {coefficient}: give a finite number of at least 1.0"
            ));
        }
        if self.initial_interval.is_zero() {
            return Err("retry.initial-interval is zero: give a length of time above zero".to_owned());
        }
        let jitter = self.jitter;
        if !(0.0..=1.0).contains(&jitter) {
            return Err(format!("retry.jitter is {jitter}: give a share from 0.0 (none) to 1.0"));
        }
        let types = self.non_retryable_error_types.len();
        if types > MAX_ERROR_TYPES {
            return Err(format!(
                "retry.non-retryable-error-types has {types} entries: name at most {MAX_ERROR_TYPES}"
            ));
        }
        match self.maximum_interval {
            Some(maximum) if maximum < self.initial_interval => Err(format!(
                "retry.maximum-interval is {maximum:?}, below the initial interval of {:?}: give at least that",
                self.initial_interval
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// The size that counts against limits, in bytes.
    pub fn size(&self) -> usize {
        self.non_retryable_error_types.iter().map(|name| ELEMENT_BYTES + name.len()).sum()
    }

    /// How long an activity waits after its attempt number `attempt` (from 1) failed: the interval less its
    /// jitter. The same activity and attempt always get the same answer.
    pub fn backoff(&self, op: Op, scheduled_at: Timestamp, attempt: u32) -> Duration {
        let interval = self.interval(attempt);
        if self.jitter == 0.0 {
            return interval;
        }
        let share = self.jitter * draw([op, scheduled_at.0, u64::from(attempt)]);
        let seconds = interval.as_secs_f64() * (1.0 - share);
        // Rounding must not lengthen it.
        Duration::try_from_secs_f64(seconds).map_or(interval, |shortened| shortened.min(interval))
    }

    /// How long to wait after attempt number `attempt` (from 1) failed, jitter aside.
    pub fn interval(&self, attempt: u32) -> Duration {
        let maximum = self
            .maximum_interval
            .unwrap_or_else(|| self.initial_interval.saturating_mul(DEFAULT_MAXIMUM_INTERVAL_FACTOR));
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.initial_interval.as_secs_f64() * self.backoff_coefficient.powi(exponent);
        Duration::try_from_secs_f64(seconds).map_or(maximum, |interval| interval.min(maximum))
    }

    /// Why a failure of attempt number `attempt` is the last; `None` when there may be another.
    pub fn refuses(&self, attempt: u32, failure: &Failure) -> Option<Refusal> {
        if failure.non_retryable {
            Some(Refusal::NonRetryable)
        } else if self.non_retryable_error_types.contains(&failure.error_type) {
            Some(Refusal::NonRetryableType)
        } else if self.maximum_attempts != 0 && attempt >= self.maximum_attempts {
            Some(Refusal::AttemptsExhausted)
        } else {
            None
        }
    }
}

/// A number from 0.0 up to 1.0 that these words decide and that looks random: the finaliser of `SplitMix64`,
/// word by word. Nothing depends on its secrecy, and the engine has no other source of randomness.
fn draw(words: [u64; 3]) -> f64 {
    let mixed = words.into_iter().fold(0u64, |state, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    });
    // The upper 53 bits: as many as a float of 64 bits holds exactly.
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

/// Why there is no further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The failure says so.
    NonRetryable,
    /// The policy names the failure's type.
    NonRetryableType,
    /// That was the last attempt of the policy.
    AttemptsExhausted,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn intervals_grow_by_the_coefficient_up_to_the_maximum() {
        let check = |policy: &RetryPolicy, attempts: &[(u32, f64)]| {
            for &(attempt, seconds) in attempts {
                assert_eq!(policy.interval(attempt), secs(seconds), "after attempt {attempt} of {policy:?}");
            }
        };
        check(
            &RetryPolicy::default(),
            &[(1, 1.0), (2, 2.0), (3, 4.0), (7, 64.0), (8, 100.0), (4_000_000_000, 100.0)],
        );
        let slow = RetryPolicy {
            initial_interval: secs(10.0),
            backoff_coefficient: 1.0,
            maximum_interval: Some(secs(15.0)),
            ..RetryPolicy::default()
        };
        check(&slow, &[(1, 10.0), (2, 10.0), (1000, 10.0)]);
    }

    #[test]
    fn a_policy_refuses_by_flag_by_type_and_by_count() {
        let policy = RetryPolicy {
            maximum_attempts: 3,
            non_retryable_error_types: vec!["BadInput".to_owned()],
            ..RetryPolicy::default()
        };
        let failure = |error_type: &str| Failure::new(FailureKind::Application, error_type, "no");
        assert_eq!(policy.refuses(1, &failure("Busy")), None);
        assert_eq!(policy.refuses(3, &failure("Busy")), Some(Refusal::AttemptsExhausted));
        assert_eq!(policy.refuses(1, &failure("BadInput")), Some(Refusal::NonRetryableType));
        assert_eq!(policy.refuses(1, &failure("badinput")), None, "types match exactly");
        let flagged = Failure { non_retryable: true, ..failure("Busy") };
        assert_eq!(policy.refuses(1, &flagged), Some(Refusal::NonRetryable));
    }

    #[test]
    fn bad_policies_are_refused_by_field() {
        let check = |policy: RetryPolicy| policy.check().unwrap_err();
        let coefficient = |backoff_coefficient| RetryPolicy { backoff_coefficient, ..RetryPolicy::default() };
        assert!(check(coefficient(0.5)).contains("backoff-coefficient is 0.5"));
        assert!(check(coefficient(f64::NAN)).contains("NaN"));
        assert!(check(coefficient(f64::INFINITY)).contains("finite"));
        let zero = RetryPolicy { initial_interval: Duration::ZERO, ..RetryPolicy::default() };
        assert!(check(zero).contains("initial-interval"));
        let inverted = RetryPolicy { maximum_interval: Some(secs(0.5)), ..RetryPolicy::default() };
        assert!(check(inverted).contains("maximum-interval"));
    }
}
