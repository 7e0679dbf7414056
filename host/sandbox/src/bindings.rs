//! What wasmtime generates from `wit/`. Only [`crate::convert`], [`crate::host`], [`crate::describe`] and
//! [`crate::guest`] look inside.
//!
//! `wait.next` alone is asynchronous; every other import is an ordinary call, which costs a fraction. A
//! single-stepping debugger will want a second linker in which every import suspends: generate these
//! bindings a second time with `default: async | trappable`, and add them to a linker of their own.

#![allow(missing_docs, unreachable_pub, unused, rust_2018_idioms, clippy::all)]
#![allow(unsafe_code, reason = "generated: makes typed functions whose types it has checked before")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "workflow",
    imports: { "refrain:workflow/wait.next": async | trappable, default: trappable },
    exports: { default: async },
});
