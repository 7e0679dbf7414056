//! Changing the code of workflows that still run.

use std::ops::RangeInclusive;

use crate::host;

/// Whether this run takes the new path of a change: true in a run that gets here for the first time, false in
/// one that had passed here before the change. The same `id` gets the same answer for the whole run.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let charge = if patched("charge-with-tax") { "charge-with-tax" } else { "charge" };
/// activity::<()>(charge, &100).start_to_close(secs(10)).await?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn patched(id: &str) -> bool {
    host::with(|host| host.patched(id))
}

/// As [`patched`] for a place that changes more than once: the newest version in a run that gets here for the
/// first time, the recorded one in its replays, the oldest in a run that had passed before.
///
/// # Panics
///
/// When this run needs a version that `versions` no longer has; it is then parked.
#[must_use]
pub fn get_version(id: &str, versions: RangeInclusive<u32>) -> u32 {
    host::with(|host| host.get_version(id, *versions.start(), *versions.end()))
}
