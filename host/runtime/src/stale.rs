//! Why nobody waits for what is said of an attempt, in the same words wherever it is found out.

use refrain_engine::activity::Activity;
use refrain_engine::ids::Op;
use refrain_store::schema::RunKey;

use crate::error::Error;

/// The run is not there any more.
pub(crate) fn no_run(key: &RunKey, op: Op) -> Error {
    Error::Stale { activity: op, reason: format!("there is no run {} any more", key.run) }
}

/// The run has ended: `closed` says how.
pub(crate) fn ended(closed: &Error, op: Op) -> Error {
    Error::Stale { activity: op, reason: closed.to_string() }
}

/// Checks that the activity has not ended and, where one is meant, that this attempt of it runs.
///
/// # Errors
/// [`Error::Stale`] when it is not so.
pub(crate) fn check(op: Op, activity: Option<&Activity>, starts: Option<u32>) -> Result<(), Error> {
    let stale = match (activity, starts) {
        (None, _) => Some("the activity has ended, or there never was one of this id".to_owned()),
        (Some(activity), Some(starts)) => activity.check_current(starts).err().map(|stale| stale.to_string()),
        (Some(_), None) => None,
    };
    stale.map_or(Ok(()), |reason| Err(Error::Stale { activity: op, reason }))
}

/// No attempt of the activity runs.
pub(crate) fn no_attempt(op: Op) -> Error {
    Error::Stale { activity: op, reason: "no attempt of it runs".to_owned() }
}
