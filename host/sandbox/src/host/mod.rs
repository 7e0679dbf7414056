//! The host functions: one file for each interface of the world. They convert arguments, call the run and
//! convert its answer; what a call means is the engine's business.

mod activity;
mod child;
mod context;
mod control;
mod external;
mod log;
mod messages;
mod timer;
mod version;
mod wait;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::Workflow;
use crate::bindings::refrain::workflow::types;
use crate::state::State;

/// Every function that this host offers, by interface. The gate names what is missing from it.
pub(crate) const OFFERED: &[(&str, &[&str])] = &[
    ("activity", &["start", "start-local"]),
    ("child", &["start"]),
    ("context", &["info", "now", "random-bytes", "uuid"]),
    ("control", &["finish"]),
    ("external", &["request-cancel", "signal"]),
    ("log", &["write"]),
    ("messages", &["accept", "answer", "complete", "reject"]),
    ("timer", &["start"]),
    ("types", &[]),
    ("version", &["get-version", "patched"]),
    ("wait", &["cancel", "detach", "next"]),
];

/// Adds all interfaces of the package to a linker.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    Workflow::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

// An interface of types alone.
impl types::Host for State {}

#[cfg(test)]
mod tests {
    use super::OFFERED;

    #[test]
    fn every_function_of_the_wit_package_is_offered() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
        for (interface, offered) in OFFERED {
            let text = std::fs::read_to_string(format!("{directory}/{interface}.wit")).unwrap();
            let mut declared: Vec<_> = text
                .lines()
                .filter_map(|line| Some(line.trim().split_once(": func(")?.0.to_owned()))
                .collect();
            declared.sort();
            assert_eq!(declared, *offered, "functions of {interface}");
        }
        let world = std::fs::read_to_string(format!("{directory}/world.wit")).unwrap();
        for import in world.lines().filter_map(|line| line.trim().strip_prefix("import ")) {
            let name = import.trim_end_matches(';');
            assert!(OFFERED.iter().any(|(interface, _)| *interface == name), "interface {name}");
        }
    }
}
