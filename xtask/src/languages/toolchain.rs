//! What compiles a language: found on this machine, or installed below the target directory from pinned lists.
//!
//! What cannot be had is told with what to do about it, as the value of an `Err` that is no failure: most people have
//! no use for most languages.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Language;
use crate::workspace::Workspace;
use crate::{process, python};

/// Names a Python environment that is to be used as it is.
const PYTHON_ENV: &str = "REFRAIN_PYTHON_ENV";
/// Names the `node_modules` that are to be used as they are.
const NODE_MODULES: &str = "REFRAIN_NODE_MODULES";

/// The oldest Node.js that the JavaScript SDK's tools run on.
const NODE: u32 = 20;

/// Tools that are there.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// What they are, for people and for tables.
    pub(super) version: String,
    /// What the build scripts are told about them.
    pub(super) env: Vec<(&'static str, PathBuf)>,
}

/// Tools, or what is missing, in words.
pub(super) type Found = Result<Toolchain, String>;

/// Finds or installs what compiles a language.
pub(super) fn find(ws: &Workspace, language: Language) -> Result<Found> {
    match language {
        Language::Rust => {
            let rustc = process::read(Command::new("rustc").arg("--version"))?;
            Ok(Ok(Toolchain { version: first_words(&rustc, 2), env: Vec::new() }))
        }
        Language::Python => python_environment(ws, language, |python| {
            let made = process::read(Command::new(python).args(["-m", "pip", "show", "componentize-py"]))?;
            let version = made.lines().find_map(|line| line.strip_prefix("Version: "));
            Ok(format!("componentize-py {}", version.context("pip does not know componentize-py")?))
        }),
        Language::C => python_environment(ws, language, |python| {
            Ok(format!(
                "zig {}",
                process::read(Command::new(python).args(["-m", "ziglang", "version"]))?.trim()
            ))
        }),
        Language::JavaScript => node(ws),
        Language::Go => go(ws),
    }
}

/// An environment with what `guest-sdk/LANG/requirements.txt` lists.
fn python_environment(
    ws: &Workspace,
    language: Language,
    version: impl Fn(&Path) -> Result<String>,
) -> Result<Found> {
    let toolchain = |dir: PathBuf| -> Result<Toolchain> {
        Ok(Toolchain { version: version(&dir.join("bin/python"))?, env: vec![(PYTHON_ENV, dir)] })
    };
    if let Some(given) = env::var_os(PYTHON_ENV) {
        let found = toolchain(given.into());
        return Ok(found.map_err(|error| format!("{PYTHON_ENV} names an environment without it: {error:#}")));
    }
    if !python::is_there() {
        return Ok(Err(format!("that needs {}", python::REMEDY)));
    }
    let requirements = ws.root.join("guest-sdk").join(language.name()).join("requirements.txt");
    let dir = ws.target.join("toolchains").join(language.name());
    let installed = install(&dir, &[&requirements], || {
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir))?;
        let mut pip = Command::new(dir.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        process::run(pip.arg(&requirements))
    })?;
    match installed {
        Ok(()) => toolchain(dir).map(Ok),
        Err(why) => Ok(Err(format!("pip needs PyPI, or the index that it is configured for: {why}"))),
    }
}

/// The packages of `guest-sdk/js/package-lock.json`.
fn node(ws: &Workspace) -> Result<Found> {
    let remedy =
        format!("that needs Node.js {NODE} or newer with npm: apt-get install nodejs npm (Debian 13)");
    let Ok(version) = process::read(Command::new("node").arg("--version")) else { return Ok(Err(remedy)) };
    let version = version.trim().trim_start_matches('v').to_owned();
    if !is_new_enough(&version, &NODE.to_string()) {
        return Ok(Err(format!("{remedy}; here is {version}")));
    }
    let sdk = ws.root.join("guest-sdk/js");
    let (package, lock) = (sdk.join("package.json"), sdk.join("package-lock.json"));
    let modules = match env::var_os(NODE_MODULES) {
        Some(given) => given.into(),
        None if process::read(Command::new("npm").arg("--version")).is_err() => return Ok(Err(remedy)),
        None => {
            let dir = ws.target.join("toolchains/js");
            let installed = install(&dir, &[&package, &lock], || {
                fs::create_dir_all(&dir)?;
                for file in [&package, &lock] {
                    fs::copy(file, dir.join(file.file_name().unwrap_or_default()))?;
                }
                let mut npm = Command::new("npm");
                process::run(npm.current_dir(&dir).args(["ci", "--no-audit", "--no-fund"]))
            })?;
            if let Err(why) = installed {
                return Ok(Err(format!("npm needs the registry that it is configured for: {why}")));
            }
            dir.join("node_modules")
        }
    };
    let package: Value = serde_json::from_str(&fs::read_to_string(&package)?)?;
    let mut tools = vec![format!("Node.js {version}")];
    for name in package["dependencies"].as_object().into_iter().flat_map(|dependencies| dependencies.keys()) {
        let installed = fs::read_to_string(modules.join(name).join("package.json"));
        let installed: Value =
            serde_json::from_str(&installed.with_context(|| format!("the package {name}"))?)?;
        tools.push(format!("{name} {}", installed["version"].as_str().unwrap_or("of no version")));
    }
    Ok(Ok(Toolchain { version: tools.join(", "), env: vec![(NODE_MODULES, modules)] }))
}

/// The Go that is on the `PATH`, if it is as new as the SDK's module asks for.
fn go(ws: &Workspace) -> Result<Found> {
    let module =
        fs::read_to_string(ws.root.join("guest-sdk/go/go.mod")).context("read the Go SDK's go.mod")?;
    let needed =
        module.lines().find_map(|line| line.strip_prefix("go ")).context("go.mod names no version")?;
    let remedy = format!(
        "that needs Go {needed} or newer: apt-get install golang-go (Debian 13), or https://go.dev/dl"
    );
    let Ok(version) = process::read(Command::new("go").args(["env", "GOVERSION"])) else {
        return Ok(Err(remedy));
    };
    let version = version.trim().trim_start_matches("go");
    if !is_new_enough(version, needed) {
        return Ok(Err(format!("{remedy}; here is {version}")));
    }
    Ok(Ok(Toolchain { version: format!("Go {version}"), env: Vec::new() }))
}

/// Installs something into a directory, unless that was done from the same lists before.
fn install(dir: &Path, lists: &[&Path], install: impl FnOnce() -> Result<()>) -> Result<Result<(), String>> {
    let mut wanted = String::new();
    for list in lists {
        wanted += &fs::read_to_string(list).with_context(|| format!("read {}", list.display()))?;
    }
    let stamp = dir.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(Ok(()));
    }
    println!("    installing tools into {}", dir.display());
    if let Err(error) = install() {
        return Ok(Err(format!("{error:#}")));
    }
    fs::write(stamp, wanted)?;
    Ok(Ok(()))
}

/// Whether a version, such as `1.24.3`, is at least another one, as far as that one is told.
fn is_new_enough(version: &str, needed: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
        version.split('.').map(|part| digits(part).parse().unwrap_or(0)).collect()
    };
    numbers(version) >= numbers(needed)
}

fn first_words(text: &str, count: usize) -> String {
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, needed, expected) in [
            ("1.24.3", "1.24", true),
            ("1.24", "1.24", true),
            ("1.9", "1.24", false),
            ("1.25rc1", "1.24", true),
            ("20.19.2", "20", true),
            ("18.20.4", "20", false),
            ("", "1", false),
        ] {
            assert_eq!(is_new_enough(version, needed), expected, "{version} for {needed}");
        }
    }
}
