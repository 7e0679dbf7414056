//! Why an upload was refused, in words for who uploaded it: what is wrong, where, and the remedy.

use std::fmt;

/// Why an upload was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Nothing was uploaded.
    #[error("the upload is empty: send the bytes of a .wasm file")]
    Empty,
    /// More than [`crate::MAX_COMPONENT_BYTES`].
    #[error(
        "the upload has {bytes} bytes, and a component may have {maximum}: strip debug information, or leave data out of the code"
    )]
    TooLarge {
        /// How many were sent.
        bytes: usize,
        /// How many may be.
        maximum: usize,
    },
    /// Something else than WebAssembly.
    #[error(
        "the upload is not WebAssembly: it begins with {begins:?} instead of \"\\0asm\": send a .wasm file"
    )]
    NotWasm {
        /// The first bytes.
        begins: String,
    },
    /// The text format.
    #[error("the upload is WebAssembly text: translate it first, for example with `wasm-tools parse`")]
    Text,
    /// An encoding that this host does not know.
    #[error(
        "the upload has the WebAssembly encoding {encoding:02x?}, which this host does not know: build it with a current toolchain"
    )]
    Encoding {
        /// The four bytes after the magic number.
        encoding: [u8; 4],
    },
    /// The bytes end early.
    #[error("the upload is cut short: {reason}: send the whole file again")]
    Truncated {
        /// What the parser says.
        reason: String,
    },
    /// The bytes are not valid.
    #[error("the component is not valid: {reason}: build it again with a current toolchain")]
    Invalid {
        /// What the validator says.
        reason: String,
    },
    /// A core module that does not say what world it is for, and is not for ours.
    #[error(
        "the upload is a core module without a WIT world in it, and does not fit that of workflows: {reason}: build it with a Refrain SDK, or send a component"
    )]
    NoWorld {
        /// What does not fit.
        reason: String,
    },
    /// A core module that cannot be made a component.
    #[error("the core module cannot be made a component: {reason}")]
    NotEncodable {
        /// Why.
        reason: String,
    },
    /// The component model's own async.
    #[error(
        "the component uses the component model's async ({reason}), which workflows may not: build it with synchronous bindings"
    )]
    Async {
        /// What the validator says.
        reason: String,
    },
    /// Imports that this host does not offer.
    #[error("the component imports what this host does not offer: {}", Listed(.0))]
    Imports(
        /// All of them.
        Vec<RefusedImport>,
    ),
    /// The component serves HTTP requests.
    #[error(
        "the component exports {export}, and workflows serve no requests: they are started, signaled and asked through the host's API: build it without that export"
    )]
    Serves {
        /// What it exports.
        export: String,
    },
    /// The component has no `definition` interface.
    #[error("the component does not export refrain:workflow/definition (it exports {}): build it with a Refrain SDK", exported(.exports))]
    NoDefinition {
        /// What it exports instead.
        exports: Vec<String>,
    },
    /// A function of the `definition` interface is missing.
    #[error("the component's {interface} lacks the function {function}: build it with a Refrain SDK")]
    MissingExport {
        /// The interface that it exports.
        interface: String,
        /// What is missing from it.
        function: &'static str,
    },
    /// A function has another type than in the WIT package.
    #[error(
        "the component does not fit the package refrain:workflow: {reason}: build it against the package's released text"
    )]
    Types {
        /// What differs.
        reason: String,
    },
    /// It asks for more from its start than an instance may have.
    #[error(
        "the component starts with {asked} {what}, and an instance may have {maximum}: build it with smaller initial sizes"
    )]
    Demanding {
        /// Of what.
        what: &'static str,
        /// How much.
        asked: u64,
        /// How much there may be.
        maximum: usize,
    },
    /// `describe` did not answer.
    #[error("the component could not describe itself: {reason}")]
    Describe {
        /// Why.
        reason: String,
        /// Function names, innermost first, when it trapped.
        backtrace: Vec<String>,
    },
    /// `describe` answered something that cannot be.
    #[error("the component's description is refused: {reason}")]
    Definition {
        /// Names the field, the value and the remedy.
        reason: String,
    },
    /// The host could not look at the upload now.
    #[error("the component cannot be checked now: {reason}: send it again later")]
    Unavailable {
        /// What is short.
        reason: String,
    },
}

/// An import that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedImport {
    /// Its name in the component.
    pub import: String,
    /// Why, with the remedy.
    pub reason: String,
}

/// A refusal names this many imports; who imports more has one reason for all.
const SHOWN_IMPORTS: usize = 8;

struct Listed<'a>(&'a [RefusedImport]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, RefusedImport { import, reason }) in self.0.iter().take(SHOWN_IMPORTS).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{import} ({reason})")?;
        }
        match self.0.len().saturating_sub(SHOWN_IMPORTS) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

fn exported(exports: &[String]) -> String {
    if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
}
