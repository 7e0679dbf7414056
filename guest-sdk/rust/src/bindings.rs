//! What `wit/` says, in Rust: generated, and the only place that knows the component model's ABI.
//!
//! The types in here are the contract's own. The rest of the crate turns them into types that read well; they
//! are public because the code that [`component!`](crate::component) puts into a workflow's crate names them.
#![allow(missing_docs, unsafe_code, unreachable_pub, rust_2018_idioms)]
#![allow(clippy::all)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "workflow",
    pub_export_macro: true,
    default_bindings_module: "refrain_sdk::bindings",
});
