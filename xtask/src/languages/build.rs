//! From sources to components. How a folder is built is its own business: `build.sh OUT.wasm`, see
//! `tests/guests/README.md`.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::toolchain::{self, Toolchain};
use super::{Built, Language};
use crate::workspace::Workspace;
use crate::{guests, process};

/// The script that each folder with a component has.
const SCRIPT: &str = "build.sh";

/// Directories of tools and of what they make: not sources.
const NOT_SOURCES: [&str; 3] = ["node_modules", "target", "__pycache__"];

/// What builds the component of this folder.
pub(super) fn script(folder: &Path) -> PathBuf {
    folder.join(SCRIPT)
}

/// Builds the suite and the examples of a language. What is current is left as it is.
pub(super) fn all(ws: &Workspace, language: Language) -> Result<Built> {
    if language == Language::Rust {
        // The examples are where they always are.
        guests::build(ws)?;
        return Ok(Ok(vec![super::component(ws, language, "suite")]));
    }
    let folders = folders(ws, language)?;
    if folders.is_empty() {
        return Ok(Err(format!("there is no tests/guests/{}/{SCRIPT}", language.name())));
    }
    let toolchain = match toolchain::find(ws, language)? {
        Ok(toolchain) => toolchain,
        Err(missing) => return Ok(Err(missing)),
    };
    println!("    with {}", toolchain.version);
    let mut built = Vec::new();
    for (name, folder) in folders {
        let output = super::component(ws, language, &name);
        build_folder(ws, language, &toolchain, &folder, &output)
            .with_context(|| format!("build {} in {}", name, language.title()))?;
        built.push(output);
    }
    Ok(Ok(built))
}

/// The folders with a component in this language, by the names of the components; none without the suite.
fn folders(ws: &Workspace, language: Language) -> Result<Vec<(String, PathBuf)>> {
    let suite = ws.root.join("tests/guests").join(language.name());
    if !script(&suite).exists() {
        return Ok(Vec::new());
    }
    let mut folders = vec![("suite".to_owned(), suite)];
    for example in sorted(&ws.examples())? {
        let folder = example.join(language.name());
        if script(&folder).exists() {
            let name = example.file_name().context("a directory entry has a name")?;
            folders.push((name.to_string_lossy().into_owned(), folder));
        }
    }
    Ok(folders)
}

fn build_folder(
    ws: &Workspace,
    language: Language,
    toolchain: &Toolchain,
    folder: &Path,
    output: &Path,
) -> Result<()> {
    let inputs = inputs(ws, language, toolchain, folder)?;
    let stamp = output.with_extension("inputs");
    if output.exists() && fs::read_to_string(&stamp).is_ok_and(|known| known == inputs) {
        println!("    {} is current", output.display());
        return Ok(());
    }
    // What is half built must not be taken for whole.
    super::remove(&stamp)?;
    let scratch = output.with_extension("build");
    fs::create_dir_all(&scratch)?;
    let mut command = Command::new(script(folder));
    command.arg(output).current_dir(folder).envs(toolchain.env.iter().cloned());
    process::run(command.env("REFRAIN_BUILD_DIR", &scratch))?;
    Ok(fs::write(stamp, inputs)?)
}

/// A digest of all that a component is made of.
fn inputs(ws: &Workspace, language: Language, toolchain: &Toolchain, folder: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    toolchain.version.hash(&mut hasher);
    for dir in [folder, &ws.root.join("guest-sdk").join(language.name()), &ws.root.join("wit")] {
        hash(dir, &mut hasher)?;
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}

fn hash(dir: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    for path in sorted(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || NOT_SOURCES.contains(&name.as_str()) {
            continue;
        }
        path.hash(hasher);
        if path.is_dir() {
            hash(&path, hasher)?;
        } else {
            fs::read(&path).with_context(|| format!("read {}", path.display()))?.hash(hasher);
        }
    }
    Ok(())
}

/// What is in a directory, by name.
fn sorted(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = dir.read_dir().with_context(|| format!("list {}", dir.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_decide_whether_a_component_is_current_and_what_tools_make_does_not() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("create a directory");
            fs::write(path, text).expect("write a file");
        };
        let digest = || {
            let mut hasher = DefaultHasher::new();
            hash(dir.path(), &mut hasher).expect("hash a directory");
            hasher.finish()
        };
        write("src/app.py", "1");
        let first = digest();
        write("src/__pycache__/app.pyc", "compiled");
        write(".venv/pyvenv.cfg", "tools");
        assert_eq!(digest(), first);
        write("src/app.py", "2");
        let second = digest();
        assert_ne!(second, first);
        write("src/more.py", "");
        assert_ne!(digest(), second);
    }
}
