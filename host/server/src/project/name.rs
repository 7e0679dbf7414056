//! What a project may be called.

use std::fmt;

/// Characters of a name at most: it becomes a part of paths and of packages' names.
const MAX_CHARACTERS: usize = 64;

/// Words that are no identifier in one of the languages, or that something in a new project has already. One list for all
/// of them, so that a name never depends on the language.
const TAKEN: [&str; 3] = [
    // Keywords, and names that each program of a language has.
    "abstract alloc and as assert async auto await become bool box break case catch chan char class const \
    continue core crate debugger def default defer del delete do double dyn elif else enum eval except export \
    extends extern fallthrough false final finally float fn for from func function gen global go goto if impl \
    implements import in inline instanceof int interface is lambda let long loop macro main map match mod move \
    mut new nonlocal not null or override package pass priv private protected pub public raise range ref \
    register restrict return select self short signed sizeof static std struct super switch test this throw \
    trait true try type typedef typeof union unsafe unsigned unsized use var virtual void volatile where while \
    with yield",
    // Packages.
    "asyncio json refrain refrain-sdk refrain-sdk-macros schemars serde serde-json typing wit",
    // What the templates take from the SDKs, which a workflow of that name would hide.
    "a-minute activity answer ask bail component dataclass decide failure hours info init log query reminders s secs \
    signal sleep sleep-named tests timer workflow",
];

/// A checked name, such as `order-flow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName(String);

/// Why a text is no name of a project. Says what to use instead.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name {name:?} {problem}")]
pub struct InvalidName {
    name: String,
    problem: String,
}

impl ProjectName {
    /// Takes a name.
    ///
    /// # Errors
    /// When it does not begin with a lower-case letter, has other characters than those, digits and single `-` or `_`
    /// between them, is longer than 64 characters, or is a word that a language or the SDK has taken.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        match problem(name) {
            Some(problem) => Err(InvalidName { name: name.to_owned(), problem }),
            None => Ok(Self(name.to_owned())),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as an identifier, which all languages take: `order_flow`.
    pub fn ident(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn problem(name: &str) -> Option<String> {
    const FORM: &str = "use lower-case letters, digits and `-`, such as order-flow";
    let is_separator = |c: char| c == '-' || c == '_';
    let first = name.chars().next();
    let last = name.chars().last();
    let bad = name.chars().find(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && !is_separator(*c));
    let doubled =
        name.as_bytes().windows(2).any(|pair| pair.iter().all(|byte| is_separator(char::from(*byte))));
    if name.is_empty() {
        return Some(format!("is empty: {FORM}"));
    }
    if let Some(bad) = bad {
        return Some(format!("has the character {bad:?}: {FORM}"));
    }
    if !first.is_some_and(|c| c.is_ascii_lowercase()) {
        return Some(format!("does not begin with a letter: {FORM}"));
    }
    if doubled || last.is_some_and(is_separator) {
        return Some(format!("has a `-` or `_` that is not between two letters or digits: {FORM}"));
    }
    if name.len() > MAX_CHARACTERS {
        return Some(format!("has {} characters: use at most {MAX_CHARACTERS}", name.len()));
    }
    let package = name.replace('_', "-");
    let is_taken = TAKEN.iter().flat_map(|words| words.split(' ')).any(|word| word == package);
    is_taken.then(|| format!("is taken by a language or by the SDK: choose another one, such as {name}-flow"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_packages_and_identifiers_in_all_languages_are_taken() {
        for name in ["a", "order", "order-flow", "order_flow", "o2", "rust-2-go"] {
            assert_eq!(ProjectName::new(name).map(|name| name.0), Ok(name.to_owned()));
        }
        assert_eq!(ProjectName::new("my-order-flow").expect("a name").ident(), "my_order_flow");
    }

    #[test]
    fn others_are_refused_with_the_name_and_the_remedy() {
        let long = "a".repeat(65);
        let cases = [
            ("", "is empty: use lower-case letters"),
            ("Order", "has the character 'O': use lower-case"),
            ("order flow", "has the character ' ': use"),
            ("../order", "has the character '.': use"),
            ("örder", "has the character 'ö': use"),
            ("2fast", "does not begin with a letter: use"),
            ("-x", "does not begin with a letter: use"),
            ("order-", "has a `-` or `_` that is not between"),
            ("order--flow", "has a `-` or `_` that is not between"),
            ("async", "is taken by a language or by the SDK: choose another one, such as async-flow"),
            ("refrain_sdk", "is taken by a language or by the SDK"),
            (&long, "has 65 characters: use at most 64"),
        ];
        for (name, expected) in cases {
            let error = ProjectName::new(name).expect_err(name).to_string();
            assert!(error.starts_with(&format!("the name {name:?} {expected}")), "{error}");
        }
    }
}
