//! Where a command's words go: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::process::exit;

use super::{CliError, Exit};

/// What a command writes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether the host's answers are printed as they are.
    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person watches standard error.
    pub(super) fn is_watched(self) -> bool {
        io::stderr().is_terminal()
    }

    /// A line, or several, of what was asked for.
    pub(super) fn data(self, text: &str) {
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()) {
            // Whoever read has read enough, as `head` does; anything else is worth a word.
            if error.kind() == io::ErrorKind::BrokenPipe {
                exit(i32::from(Exit::Ok as u8));
            }
            self.say(&format!("cannot write to standard output: {error}"));
            exit(i32::from(Exit::Usage as u8));
        }
    }

    /// An answer of the host as one line. Line ends in a JSON text stand between tokens only, so a space says the same.
    pub(super) fn json_line(self, text: &str) {
        self.data(&text.replace(['\n', '\r'], " "));
    }

    /// Words about what is going on.
    pub(super) fn say(self, words: &str) {
        // There is nobody to tell that nobody listens.
        let _unheard = writeln!(io::stderr().lock(), "{words}");
    }

    /// Why it did not work, and what to do about it.
    pub(super) fn error(self, error: &CliError) {
        self.say(&format!("error: {error}"));
        if let Some(hint) = error.hint() {
            self.say(&format!("hint: {hint}"));
        }
    }
}
