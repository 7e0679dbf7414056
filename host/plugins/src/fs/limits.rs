//! How much one activity may take in or give back. Outcomes live in the journal for as long as their run does,
//! and a payload there holds 2 MiB: contents that are larger are hashed and archived, not carried around.

use refrain_plugin::ActivityError;

/// The most that `fs.read` returns and `fs.write` takes, in bytes of the file. As base64 this is 1.4 MiB.
pub const MAX_CONTENT_BYTES: u64 = 1024 * 1024;

/// The most entries of a listing, and of an archive so that every archive can be verified. An entry with its
/// hash is some 120 bytes of JSON besides its path.
pub const MAX_ENTRIES: usize = 10_000;

/// The most bytes that the paths of one listing have in all: with the most entries it just fits a payload.
pub const MAX_PATH_BYTES: usize = 512 * 1024;

/// Counts entries against [`MAX_ENTRIES`] and [`MAX_PATH_BYTES`].
#[derive(Debug, Default)]
pub(super) struct Budget {
    entries: usize,
    path_bytes: usize,
}

impl Budget {
    /// Room for one more entry, or the error `TooManyEntries`.
    pub(super) fn take(&mut self, path: &str) -> Result<(), ActivityError> {
        self.entries += 1;
        self.path_bytes += path.len();
        if self.entries <= MAX_ENTRIES && self.path_bytes <= MAX_PATH_BYTES {
            return Ok(());
        }
        Err(ActivityError::non_retryable(
            "TooManyEntries",
            format!(
                "more than {MAX_ENTRIES} entries, or more than {MAX_PATH_BYTES} bytes of paths: \
                 split the work by subdirectory, in field `path`"
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_within_the_limit_passes_and_the_next_does_not() {
        let mut budget = Budget::default();
        for _ in 0..MAX_ENTRIES {
            budget.take("a").unwrap();
        }
        let error = budget.take("a").unwrap_err();
        assert_eq!(error.error_type, "TooManyEntries");
        assert!(error.non_retryable && error.message.contains("10000 entries"), "{error}");
    }

    #[test]
    fn long_paths_count_too() {
        let mut budget = Budget::default();
        budget.take(&"a".repeat(MAX_PATH_BYTES)).unwrap();
        assert_eq!(budget.take("a").unwrap_err().error_type, "TooManyEntries");
    }
}
