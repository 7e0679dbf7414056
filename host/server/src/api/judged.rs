//! What became of a run that was tried with other code, as JSON: for who checks or moves open runs, and for who replays
//! histories from files.

use refrain_runtime::{self as runtime, Place, Tried, Verdict};

use super::convert;
use crate::wire::JudgedRun;

/// What the paths of files have in them that are not the workflow's own: those of the compiler's libraries, of packages,
/// and of the SDKs.
const FOREIGN: [&str; 5] = ["/rustc/", "/rustlib/", "/.cargo/", "/guest-sdk/", "/refrain-sdk"];

/// What became of a run. `moves`: it was to be moved, and not only tried.
pub(crate) fn judged(run: runtime::JudgedRun, moves: bool) -> JudgedRun {
    let Tried { verdict, place: Place { event, backtrace } } = run.tried;
    let would_replay = verdict.would_replay();
    let mismatch = match &verdict {
        Verdict::Diverged(mismatch) => Some(mismatch.clone()),
        Verdict::Trapped { mismatch, .. } => mismatch.clone(),
        Verdict::Identical
        | Verdict::Compatible
        | Verdict::Budget(_)
        | Verdict::Unavailable(_)
        | Verdict::Ended => None,
    };
    JudgedRun {
        id: run.workflow_id.to_string(),
        run_id: run.run_id.to_string(),
        workflow: run.workflow,
        status: convert::status(run.status),
        version: run.version,
        steps: run.steps,
        verdict: verdict.as_str().to_owned(),
        moved: moves.then_some(would_replay),
        message: (!would_replay).then(|| verdict.to_string()),
        mismatch: mismatch.map(|mismatch| convert::mismatch(*mismatch)),
        event,
        source: source(&backtrace),
        backtrace,
    }
}

/// The innermost line of the workflow's own code, if debug information says it.
fn source(backtrace: &[String]) -> Option<String> {
    let lines = backtrace.iter().filter_map(|frame| frame.rsplit_once(" at "));
    let mut own = lines.filter(|(_, file)| !FOREIGN.iter().any(|place| file.contains(place)));
    own.next().map(|(function, line)| format!("{line} in {function}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_innermost_of_the_workflows_own_code() {
        let frames =
            |frames: &[&str]| source(&frames.iter().map(|&frame| frame.to_owned()).collect::<Vec<_>>());
        let backtrace = [
            "start at /src/refrain/guest-sdk/rust/src/bindings.rs:8",
            "poll at /home/ada/.cargo/git/checkouts/refrain-sdk-1234/src/activity.rs:7",
            "poll<alloc::boxed::Box<dyn core::future::Future>> at /rustc/1234/library/core/src/future/future.rs:133",
            "{async_block#0} at /home/ada/shop/src/lib.rs:12",
            "{async_fn#0} at /home/ada/shop/src/lib.rs:30",
        ];
        let line = "/home/ada/shop/src/lib.rs:12 in {async_block#0}";
        assert_eq!(frames(&backtrace).as_deref(), Some(line));
        assert_eq!(frames(&["shop::charge", "shop::order"]), None, "there is no debug information");
        assert_eq!(frames(&backtrace[..3]), None);
    }
}
