//! The one door to the host.
//!
//! Compiled to WebAssembly it leads to the imports of `wit/`; in a native build to the
//! [`Env`](crate::testing::Env) of the test that runs. Nothing else in the crate knows which of the two it
//! is.

use crate::bindings::refrain::workflow::activity::Options;
use crate::bindings::refrain::workflow::child::{self, ChildOps};
use crate::bindings::refrain::workflow::context::RunInfo;
use crate::bindings::refrain::workflow::log::{Field, Level};
use crate::bindings::refrain::workflow::types::{
    Completion, Duration, Execution, Failure, Instant, Outcome, Payload,
};
use crate::bindings::refrain::workflow::wait::Event;

/// What a run can ask for; each function is one of `wit/`.
pub(crate) trait Host {
    fn start_activity(&mut self, name: &str, input: &Payload, options: &Options) -> u64;
    fn start_local_activity(&mut self, name: &str, input: &Payload, options: &Options) -> u64;
    fn start_timer(&mut self, delay: Duration, summary: Option<&str>) -> u64;
    fn start_child(&mut self, workflow: &str, input: &Payload, options: &child::Options) -> ChildOps;
    fn signal_external(&mut self, target: &Execution, name: &str, input: &Payload) -> u64;
    fn cancel_external(&mut self, target: &Execution, reason: &str) -> u64;
    /// At least one event; none only in a test whose run has ended.
    fn next(&mut self) -> Vec<Event>;
    fn cancel(&mut self, op: u64, reason: &str);
    fn detach(&mut self, op: u64);
    fn accept(&mut self, update: u64);
    fn reject(&mut self, update: u64, reason: Failure);
    fn complete(&mut self, update: u64, answer: Outcome);
    fn answer(&mut self, query: u64, answer: Outcome);
    /// Returns where queries are still to be answered, and nowhere else.
    fn finish(&mut self, completion: &Completion);
    fn info(&mut self) -> RunInfo;
    fn now(&mut self) -> Instant;
    fn random_bytes(&mut self, len: u32) -> Vec<u8>;
    fn uuid(&mut self) -> String;
    fn patched(&mut self, id: &str) -> bool;
    fn get_version(&mut self, id: &str, min: u32, max: u32) -> u32;
    fn log(&mut self, level: Level, message: &str, fields: &[Field]);
}

#[cfg(target_arch = "wasm32")]
pub(crate) use imports::with;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::with_host as with;

#[cfg(target_arch = "wasm32")]
mod imports {
    use super::*;
    use crate::bindings::refrain::workflow::{
        activity, context, control, external, log, messages, timer, version, wait,
    };

    pub(crate) fn with<R>(f: impl FnOnce(&mut dyn Host) -> R) -> R {
        f(&mut Imports)
    }

    struct Imports;

    impl Host for Imports {
        fn start_activity(&mut self, name: &str, input: &Payload, options: &Options) -> u64 {
            activity::start(name, input, options)
        }
        fn start_local_activity(&mut self, name: &str, input: &Payload, options: &Options) -> u64 {
            activity::start_local(name, input, options)
        }
        fn start_timer(&mut self, delay: Duration, summary: Option<&str>) -> u64 {
            timer::start(delay, summary)
        }
        fn start_child(&mut self, workflow: &str, input: &Payload, options: &child::Options) -> ChildOps {
            child::start(workflow, input, options)
        }
        fn signal_external(&mut self, target: &Execution, name: &str, input: &Payload) -> u64 {
            external::signal(target, name, input)
        }
        fn cancel_external(&mut self, target: &Execution, reason: &str) -> u64 {
            external::request_cancel(target, reason)
        }
        fn next(&mut self) -> Vec<Event> {
            wait::next(&wait::Interest::Everything)
        }
        fn cancel(&mut self, op: u64, reason: &str) {
            wait::cancel(op, reason);
        }
        fn detach(&mut self, op: u64) {
            wait::detach(op);
        }
        fn accept(&mut self, update: u64) {
            messages::accept(update);
        }
        fn reject(&mut self, update: u64, reason: Failure) {
            messages::reject(update, &reason);
        }
        fn complete(&mut self, update: u64, answer: Outcome) {
            messages::complete(update, &answer);
        }
        fn answer(&mut self, query: u64, answer: Outcome) {
            messages::answer(query, &answer);
        }
        fn finish(&mut self, completion: &Completion) {
            control::finish(completion);
        }
        fn info(&mut self) -> RunInfo {
            context::info()
        }
        fn now(&mut self) -> Instant {
            context::now()
        }
        fn random_bytes(&mut self, len: u32) -> Vec<u8> {
            context::random_bytes(len)
        }
        fn uuid(&mut self) -> String {
            context::uuid()
        }
        fn patched(&mut self, id: &str) -> bool {
            version::patched(id)
        }
        fn get_version(&mut self, id: &str, min: u32, max: u32) -> u32 {
            version::get_version(id, min, max)
        }
        fn log(&mut self, level: Level, message: &str, fields: &[Field]) {
            log::write(level, message, fields);
        }
    }
}
