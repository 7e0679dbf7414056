//! Files of lines, each a word and what it has: `weights 0.5 -1.25 2.0`.
//!
//! Numbers keep every bit on their way to a file and back: Rust writes the shortest decimal that is read as the same
//! number again. JSON libraries are not all as exact, and training that resumes must go on from the very weights that
//! it had.

use std::fmt::Display;

use anyhow::{Context, Result};

/// A line, with its end.
pub(crate) fn line(word: &str, values: impl IntoIterator<Item = impl Display>) -> String {
    let values: String = values.into_iter().map(|value| format!(" {value}")).collect();
    format!("{word}{values}\n")
}

/// A line of numbers, with its end.
pub(crate) fn numbers(word: &str, values: &[f64]) -> String {
    line(word, values.iter().map(|value| format!("{value:?}")))
}

/// Word and values of each line.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.collect()))
    })
}

/// The values as numbers.
pub(crate) fn parse(values: &[&str]) -> Result<Vec<f64>> {
    let number = |value: &&str| value.parse().with_context(|| format!("`{value}` is not a number"));
    values.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_bit() {
        let values = [0.1 + 0.2, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX, 1.0 / 3.0, 1e-7];
        let text = numbers("weights", &values);
        let (word, read) = lines(&text).next().unwrap();
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!((word, bits(&parse(&read).unwrap())), ("weights", bits(&values)));
    }
}
