//! What people read on a terminal. Pure: answers of the API in, text out.

pub mod component;
pub mod describe;
pub mod junit;
pub mod scenario;
pub mod source;
pub mod sweep;
pub mod table;
pub mod task_queue;
pub mod timeline;
pub mod unserved;

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use crate::wire::{Failure, Status};

/// Hexadecimal digits of a digest that tell one from another.
const SHORT_DIGEST: usize = 12;

/// The beginning of a digest.
pub fn short_digest(digest: &str) -> &str {
    digest.get(..SHORT_DIGEST).unwrap_or(digest)
}

/// A time to the second.
pub fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A length of time with the digits that matter: `250us`, `12ms`, `3.25s`, `2m 05s`, `3h 07m`, `2d 01h`.
pub fn length(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    match (seconds, length.subsec_nanos()) {
        (..0, _) | (_, ..0) | (0, ..1_000) => "0s".to_owned(),
        (0, nanoseconds @ ..1_000_000) => format!("{}us", nanoseconds / 1_000),
        (0, nanoseconds) => format!("{}ms", nanoseconds / 1_000_000),
        (1..60, nanoseconds) => format!("{seconds}.{:02}s", nanoseconds / 10_000_000),
        (60..3_600, _) => format!("{}m {:02}s", seconds / 60, seconds % 60),
        (3_600..86_400, _) => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        (86_400.., _) => format!("{}d {:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A number of things.
pub fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A size with its unit.
pub fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match bytes {
        ..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{:.1} KiB", bytes as f64 / KIB as f64),
        MIB.. => format!("{:.1} MiB", bytes as f64 / MIB as f64),
    }
}

/// The beginning of a text, on one line.
pub fn shortened(text: &str, characters: usize) -> String {
    let line = text.replace(['\n', '\r', '\t'], " ");
    match line.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Why a run did not complete, with its causes below one another.
pub fn failure(status: Status, failure: &Failure) -> String {
    let mut text = format!("{status}: {}", failure.message);
    if !failure.error_type.is_empty() {
        let _ = write!(text, " ({})", failure.error_type);
    }
    for cause in &failure.causes {
        let _ = write!(text, "\n  caused by: {}", cause.message);
        if !cause.error_type.is_empty() {
            let _ = write!(text, " ({})", cause.error_type);
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_the_digits_that_matter() {
        let cases = [
            (SignedDuration::from_micros(250), "250us"),
            (SignedDuration::from_millis(12), "12ms"),
            (SignedDuration::from_millis(3_257), "3.25s"),
            (SignedDuration::from_secs(125), "2m 05s"),
            (SignedDuration::from_secs(11_220), "3h 07m"),
            (SignedDuration::from_secs(176_400), "2d 01h"),
            (SignedDuration::from_secs(-1), "0s"),
        ];
        for (given, expected) in cases {
            assert_eq!(length(given), expected);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("äöü\nx", 4), "äöü …");
        assert_eq!(shortened("äöü", 3), "äöü");
    }
}
