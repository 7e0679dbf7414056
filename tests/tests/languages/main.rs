//! The language suite: each language's component has the workflows of `tests/guests/README.md`, is driven in the same
//! way, and must leave the same histories, down to the bytes of payloads.
//!
//! For each language one host. Runs that the reference began are moved to the language's component and go on there, which
//! compares what histories do not tell: each option of each command. Then all scenarios, undisturbed; again with the host
//! killed in the middle of each, and without a waiting instance in memory from there on; and `saga` with a kill at each
//! of its turns.
//!
//! A language whose component is not built is said to be not checked. `cargo xtask guests --lang all` builds them;
//! `cargo xtask bless` (or `REFRAIN_BLESS=1`) lets the reference write the histories.

mod component;
mod cross;
mod expected;
mod history;
mod play;
mod report;
mod rounds;
mod scenarios;

use anyhow::Result;

use component::Tongue;

#[tokio::test]
async fn rust_leaves_the_histories_of_the_suite() -> Result<()> {
    rounds::all(Tongue::Rust).await
}

#[tokio::test]
async fn python_leaves_the_same_histories() -> Result<()> {
    rounds::all(Tongue::Python).await
}

#[tokio::test]
async fn javascript_leaves_the_same_histories() -> Result<()> {
    rounds::all(Tongue::JavaScript).await
}

#[tokio::test]
async fn go_leaves_the_same_histories() -> Result<()> {
    rounds::all(Tongue::Go).await
}

#[tokio::test]
async fn c_leaves_the_same_histories() -> Result<()> {
    rounds::all(Tongue::C).await
}
