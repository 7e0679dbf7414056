//! JSON values as the command line gives them: the argument of a workflow or a signal, the result of an activity.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::value::RawValue;

use super::CliError;
use crate::wire::Json;

/// `--input` and `--input-file`.
#[derive(Debug, Args)]
pub(super) struct InputArgs {
    /// The argument, as JSON; `null` when there is none.
    #[arg(long, value_name = "JSON", conflicts_with = "input_file")]
    input: Option<String>,
    /// A file with the argument, as JSON; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
}

impl InputArgs {
    /// The argument, checked to be JSON and otherwise untouched.
    pub(super) fn read(&self) -> Result<Option<Json>, CliError> {
        read_json("--input", self.input.as_deref(), self.input_file.as_deref())
    }
}

/// The JSON of an option, or of the file that it names instead.
pub(super) fn read_json(
    option: &str,
    inline: Option<&str>,
    file: Option<&Path>,
) -> Result<Option<Json>, CliError> {
    let (text, origin) = match (inline, file) {
        (Some(text), _) => (text.to_owned(), option.to_owned()),
        (None, Some(path)) => (read_file(path)?, format!("the file {}", path.display())),
        (None, None) => return Ok(None),
    };
    parse_json(text, &origin).map(Some)
}

/// Checks that a text is JSON.
pub(super) fn parse_json(text: String, origin: &str) -> Result<Json, CliError> {
    let refuse = |error| {
        let hint = "a string needs quotes of its own, like '\"text\"'";
        CliError::usage(format!("{origin} is not JSON: {error}; {hint}"))
    };
    RawValue::from_string(text).map_err(refuse)
}

fn read_file(path: &Path) -> Result<String, CliError> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|error| CliError::usage(format!("cannot read {}: {error}", path.display())))
}

/// A request id that nobody else has, so that a request can be repeated when its answer was lost.
pub(super) fn fresh_request_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Each state hashes with a key of its own from the system's randomness.
    let random = || RandomState::new().hash_one(std::process::id());
    format!("cli-{:016x}{:016x}", random(), random())
}
