//! What a panic says before the instance traps.

use std::panic::{PanicHookInfo, set_hook};

/// Words of the standard library's panics for what a sandbox does not have, and what to use instead.
/// `Instant::now` and `SystemTime::now` share the first.
const INSTEAD: &[(&str, &str)] = &[
    ("time not implemented", "workflow code has no clock of its own: use refrain_sdk::now()"),
    ("failed to spawn thread", "workflow code has one thread: use refrain_sdk::spawn(), join! or join_all"),
    ("can't sleep", "workflow code must not block its thread: use refrain_sdk::sleep(..).await"),
    ("random data", "workflow code has no randomness of its own: use refrain_sdk::random() or uuid()"),
    ("on this platform", "workflow code reaches nothing outside: use an activity"),
];

/// From now on a panic is written to the run's log before it traps. Only for runs: in `describe` there is no
/// log.
pub(crate) fn install() {
    // A native test keeps its own hook.
    if cfg!(target_arch = "wasm32") {
        set_hook(Box::new(report));
    }
}

fn report(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let literal = payload.downcast_ref::<&str>().copied();
    let message = literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("a value that is not a text");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    // All in the message and as the last call: the step is not recorded, and a host that tells more of a trap
    // than its place has this line alone.
    crate::error!("panicked at {place}: {message}{}", advice(message));
}

fn advice(message: &str) -> String {
    match INSTEAD.iter().find(|(words, _)| message.contains(words)) {
        Some((_, instead)) => format!(" ({instead})"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn what_a_sandbox_lacks_comes_with_what_to_use() {
        assert!(advice("time not implemented on this platform").contains("refrain_sdk::now()"));
        assert_eq!(advice("index out of bounds"), "");
    }
}
