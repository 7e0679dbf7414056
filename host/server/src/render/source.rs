//! Which line of a backtrace is the workflow's own.

/// What the paths of files have in them that are not the workflow's own: those of the compiler's libraries, of packages,
/// and of the SDKs.
const FOREIGN: [&str; 5] = ["/rustc/", "/rustlib/", "/.cargo/", "/guest-sdk/", "/refrain-sdk"];

/// The innermost line of the workflow's own code, if debug information says it.
pub fn own_line(backtrace: &[String]) -> Option<String> {
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
            |frames: &[&str]| own_line(&frames.iter().map(|&frame| frame.to_owned()).collect::<Vec<_>>());
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
