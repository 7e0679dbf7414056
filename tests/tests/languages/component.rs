//! The languages, and where the component of each is.

use std::io::{self, Write};
use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result};
use refrain_tests::target_dir;

use crate::expected;

/// A language with an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tongue {
    Rust,
    Python,
    JavaScript,
    Go,
    C,
}

impl Tongue {
    /// As its folders are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "js",
            Self::Go => "go",
            Self::C => "c",
        }
    }

    /// The suite's component in this language: from where `REFRAIN_SUITE_PYTHON` (`_RUST`, ...) says, else from where
    /// `cargo xtask guests --lang` has put it. Nothing when it is not there, which is said.
    pub(crate) fn component(self) -> Result<Option<Vec<u8>>> {
        if self != Self::Rust && expected::are_rewritten() {
            self.not_checked("the histories are being rewritten");
            return Ok(None);
        }
        let given = env::var_os(format!("REFRAIN_SUITE_{}", self.name().to_uppercase())).map(PathBuf::from);
        let built = target_dir()?.join("guests-languages").join(self.name());
        let is_given = given.is_some();
        let path = given.unwrap_or_else(|| built.join("suite.wasm"));
        if is_given || path.exists() {
            return fs::read(&path).map(Some).with_context(|| format!("read {}", path.display()));
        }
        let why = fs::read_to_string(built.join("missing.txt"));
        self.not_checked(&why.unwrap_or_else(|_| {
            format!("its component is not built: cargo xtask guests --lang {}", self.name())
        }));
        Ok(None)
    }

    fn not_checked(self, why: &str) {
        // Not by a macro, whose output nobody sees of a test that passes.
        let _unheard = writeln!(io::stderr(), "NOT CHECKED: the suite in {}: {}", self.name(), why.trim());
    }
}
