//! What takes bytes from others, fed with arbitrary ones.
//!
//! A target is a function over bytes that returns, whatever they are. It panics where a promise breaks, and is given up
//! where it hangs. Who brings the bytes does not matter to it:
//!
//! | who | how | when |
//! |---|---|---|
//! | a plain test (`tests/corpora.rs`) | the corpus, and what a fixed seed makes of it | with all other tests |
//! | this crate's binary (`cargo xtask fuzz`) | the same, from another seed and for longer | when somebody looks for bugs |
//! | libFuzzer (`fuzz/`) | what reaches code that was not reached before | the same, where a nightly compiler is |
//!
//! | module | takes | promise |
//! |---|---|---|
//! | [`journal`] | stored rows | an error, or a value that has one stored form |
//! | [`replay`] | journals, and programs that make them | an error or a mismatch; what was recorded replays |
//! | [`history_import`] | exported histories | an error, or a history that is written as it was read |
//! | [`plugin_abi`] | what plugins and workers answer | a run that hears of it, or a refusal |
//! | [`upload`] | components, programs of guests, and any modules | a refusal, or one journal, by any machine code |
//! | [`http_json`] | bodies of requests | an answer of the API, and never a failure of the host |
//!
//! [`driver`] runs a target, [`mutate`] makes inputs out of others, [`draw`] makes records of a run out of bytes.

pub mod draw;
pub mod driver;
pub mod history_import;
#[cfg(feature = "wasm")]
pub mod http_json;
pub mod journal;
pub mod mutate;
pub mod plugin_abi;
#[cfg(feature = "wasm")]
mod program;
pub mod replay;
#[cfg(feature = "wasm")]
mod smith;
/// The guests of the sandbox's own tests.
#[cfg(feature = "wasm")]
#[path = "../../../host/sandbox/tests/sandbox/text_guest.rs"]
#[allow(dead_code, reason = "a part of them is enough here")]
mod text_guest;
#[cfg(feature = "wasm")]
pub mod upload;
mod world;

/// Something that takes any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of its module, of its corpus and of its libFuzzer target.
    pub name: &'static str,
    /// Takes bytes. Panics where a promise breaks.
    pub run: fn(&[u8]),
    /// Where inputs to begin with are, besides the corpus: directories from the repository's root.
    pub more: &'static [&'static str],
}

/// The histories of earlier versions.
const RECORDED: &str = "tests/replay";

/// All targets that this build has.
pub const TARGETS: &[Target] = &[
    Target { name: "journal", run: journal::journal, more: &[] },
    Target { name: "replay", run: replay::replay, more: &[RECORDED] },
    Target { name: "history_import", run: history_import::history_import, more: &[RECORDED] },
    Target { name: "plugin_abi", run: plugin_abi::plugin_abi, more: &[] },
    #[cfg(feature = "wasm")]
    Target { name: "upload", run: upload::upload, more: &[] },
    #[cfg(feature = "wasm")]
    Target { name: "http_json", run: http_json::http_json, more: &[] },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
