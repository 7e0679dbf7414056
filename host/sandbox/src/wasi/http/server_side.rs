//! The other half of `wasi:http/types`: how a component serves requests. Bindings import all of the interface, so these
//! functions are there; no workflow has such a handle, and making one traps.

use wasmtime::component::{Linker, ResourceType};

use super::TYPES;
use crate::state::{HostTrap, State};
use crate::wasi::versioned;

/// What every handle of a server is.
struct Nothing;

const RESOURCES: [&str; 3] = ["incoming-request", "outgoing-response", "response-outparam"];

const FUNCTIONS: &[&str] = &[
    "[constructor]outgoing-response",
    "[method]incoming-request.authority",
    "[method]incoming-request.consume",
    "[method]incoming-request.headers",
    "[method]incoming-request.method",
    "[method]incoming-request.path-with-query",
    "[method]incoming-request.scheme",
    "[method]outgoing-response.body",
    "[method]outgoing-response.headers",
    "[method]outgoing-response.set-status-code",
    "[method]outgoing-response.status-code",
    "[method]response-outparam.send-informational",
    "[static]response-outparam.set",
];

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&versioned(TYPES))?;
    for resource in RESOURCES {
        types.resource(resource, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
    }
    for function in FUNCTIONS {
        types.func_new(function, move |_, _, _, _| {
            Err(HostTrap::Misuse(format!(
                "{TYPES}.{function}: workflows serve no requests: they are started, signaled and asked through the \
                 host's API"
            ))
            .into())
        })?;
    }
    Ok(())
}
