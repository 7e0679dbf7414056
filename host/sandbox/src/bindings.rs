//! What wasmtime generates from `wit/`. Only [`crate::convert`], [`crate::host`], [`crate::describe`] and
//! [`crate::guest`] look inside.
//!
//! `wait.next` alone is asynchronous; every other import is an ordinary call, which costs a fraction. The debugger needs
//! no other: a replay that is looked at is unwound at the call that is looked for.

#![allow(missing_docs, unreachable_pub, unused, rust_2018_idioms, clippy::all)]
#![allow(unsafe_code, reason = "generated: makes typed functions whose types it has checked before")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "workflow",
    imports: { "refrain:workflow/wait.next": async | trappable, default: trappable },
    exports: { default: async },
});
