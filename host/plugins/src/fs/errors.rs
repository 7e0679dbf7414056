//! What the system says, as errors of activities.

use std::io::{self, ErrorKind};

use refrain_plugin::{ActivityError, Cause};

/// An error of the system while `doing`, with the remedy behind what the system says. Retried only where time may
/// heal it, as a full disk or a network share: that a file is missing, the next attempt would find too.
pub(super) fn io_error(doing: String, error: &io::Error) -> ActivityError {
    let (error_type, remedy) = match error.kind() {
        ErrorKind::NotFound => ("NotFound", "create it, or correct the path"),
        ErrorKind::AlreadyExists => ("AlreadyExists", "choose another name"),
        ErrorKind::NotADirectory => ("NotADirectory", "name a directory"),
        ErrorKind::IsADirectory => ("NotAFile", "name a regular file"),
        ErrorKind::DirectoryNotEmpty => {
            ("DirectoryNotEmpty", "empty it, or set `recursive` where it is taken")
        }
        ErrorKind::PermissionDenied => ("PermissionDenied", "give the host's user access"),
        ErrorKind::InvalidFilename => ("PathNotAllowed", "use shorter names"),
        ErrorKind::InvalidInput => ("PathNotAllowed", "choose paths of which neither holds the other"),
        ErrorKind::CrossesDevices => ("CrossesDevices", "stay on one file system"),
        _ => {
            return ActivityError {
                causes: vec![cause("Io", error.to_string())],
                ..ActivityError::new("Io", doing)
            };
        }
    };
    let causes = vec![cause(error_type, format!("{error}; {remedy}"))];
    ActivityError { causes, ..ActivityError::non_retryable(error_type, doing) }
}

fn cause(error_type: &str, message: String) -> Cause {
    Cause { error_type: error_type.to_owned(), message }
}

/// Whether the error is the sandbox's refusal of a path that leads out of its directory. The system's own
/// refusals carry an error number, the sandbox's do not.
pub(super) fn leads_out(error: &io::Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// A path that may not be used, in `field`; `why` says why and what to do instead.
pub(super) fn path_not_allowed(field: &str, path: &str, why: &str) -> ActivityError {
    ActivityError::non_retryable("PathNotAllowed", format!("field `{field}`: path {path:?} {why}"))
}

/// What is at `path` is no regular file.
pub(super) fn not_a_file(field: &str, path: &str, directory: &str) -> ActivityError {
    ActivityError::non_retryable(
        "NotAFile",
        format!(
            "field `{field}`: {path:?} in directory `{directory}` is not a regular file; name one that is"
        ),
    )
}
