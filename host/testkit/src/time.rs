//! Virtual time: tokio's paused time, which goes on to what is due next when everybody waits.

use std::sync::mpsc;
use std::time::Duration;

use refrain_engine::time::Timestamp;

/// When tests begin that do not say when: 2026-01-01T00:00:00Z.
pub const BEGINNING: Timestamp = Timestamp(1_767_225_600_000_000_000);

/// While it lives, no time is skipped: somebody does real work. Tokio does not skip time while a blocking task runs.
pub(crate) struct Hold {
    _released: mpsc::Sender<()>,
}

impl Hold {
    pub(crate) fn time() -> Self {
        let (released, work) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || {
            let _the_work_is_done = work.recv();
        });
        Self { _released: released }
    }
}

/// A tokio runtime in which time is skipped.
pub(crate) fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a thread has a runtime")
}

/// As people write it: `0s`, `1.5s`, `2m`, `3h`, `4d`, `1d 2h`.
pub fn length(length: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let mut seconds = length.as_secs();
    let mut parts = Vec::new();
    for (unit, name) in UNITS {
        if seconds >= unit {
            parts.push(format!("{}{name}", seconds / unit));
            seconds %= unit;
        }
    }
    let millis = length.subsec_millis();
    if millis > 0 {
        let fraction = format!("{millis:03}");
        parts.push(format!("{seconds}.{}s", fraction.trim_end_matches('0')));
    } else if seconds > 0 || parts.is_empty() {
        parts.push(format!("{seconds}s"));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_the_units_that_they_have() {
        let cases = [
            (0, "0s"),
            (1_500, "1.5s"),
            (60_000, "1m"),
            (90_061_000, "1d 1h 1m 1s"),
            (86_400_250, "1d 0.25s"),
        ];
        for (millis, expected) in cases {
            assert_eq!(length(Duration::from_millis(millis)), expected);
        }
    }
}
