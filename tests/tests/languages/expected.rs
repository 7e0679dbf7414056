//! The histories that are kept: one file for each scenario, the same for all languages.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::component::Tongue;

/// What the project's other golden files take as permission to be rewritten.
const BLESS: &str = "REFRAIN_BLESS";

/// Compares a transcript with the one that is kept.
pub(crate) fn check(tongue: Tongue, scenario: &str, actual: &str) -> Result<()> {
    let path = path(scenario);
    let expected = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    if expected != actual {
        bail!(
            "{scenario} in {} differs from {}:\n{}",
            tongue.name(),
            path.display(),
            diff(&expected, actual)
        );
    }
    Ok(())
}

/// Whether the histories are being rewritten.
pub(crate) fn are_rewritten() -> bool {
    env::var_os(BLESS).is_some()
}

/// Keeps what the reference does, if there is leave to.
pub(crate) fn bless(tongue: Tongue, scenario: &str, actual: &str) -> Result<()> {
    if tongue == Tongue::Rust && are_rewritten() {
        let path = path(scenario);
        fs::write(&path, actual).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn path(scenario: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages/histories");
    dir.join(format!("{scenario}.txt"))
}

/// From the first line that differs, a few of each.
fn diff(expected: &str, actual: &str) -> String {
    /// So many lines of each are shown.
    const SHOWN: usize = 4;
    let (expected, actual): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let same = expected.iter().zip(&actual).take_while(|(left, right)| left == right).count();
    let lines = |sign: &str, lines: &[&str]| -> String {
        lines.iter().skip(same).take(SHOWN).map(|line| format!("{sign} {line}\n")).collect()
    };
    format!("  (line {})\n{}{}", same + 1, lines("-", &expected), lines("+", &actual))
}
