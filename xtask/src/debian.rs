//! A private compiler for guests from Debian's packages, for machines that cannot reach rustup's server.
//!
//! Debian 12 has, in its security archive, a Rust that is newer than its own (`rustc-web`) and that Rust's sources.
//! Installed, they would conflict with rustup; here they are unpacked into a directory of the project, and the
//! standard library is built from the sources once. Nothing outside of the directory changes, and nothing needs root:
//! even the package lists are fetched into it.
//!
//! Facts that cost time to find:
//!
//! * The compiler and the library must be of one version: rustup's rustc 1.95 can neither compile the sources of 1.96
//!   (E0522) nor link what another made of them (E0514). So the compiler comes from the same packages.
//! * The library needs `-Cembed-bitcode=yes`, or guests with `lto = true` fail ("failed to get bitcode").
//! * cargo and rust-lld can be rustup's.

use std::env::consts::ARCH;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::compiler::{self, TARGET};
use crate::process;

/// What the marker of a finished prefix says. To be counted up when [`make`] comes to make something else.
const FORMAT: &str = "refrain guest compiler 1\n";

/// The package that leads to all others: it depends on the library of the newest version there is.
const ROOT_PACKAGE: &str = "libstd-rust-web-dev";

/// The wrapper that is named in `RUSTC`: the unpacked compiler with its libraries.
const WRAPPER: &str = r#"#!/bin/sh
# Made by `cargo xtask`. The compiler's shared libraries are beside it, where the system does not look.
prefix=$(dirname "$(readlink -f "$0")")
LD_LIBRARY_PATH="$prefix/usr/lib/ARCH-linux-gnu" exec "$prefix/usr/bin/rustc" "$@"
"#;

/// The compiler in `prefix`, if [`make`] finished there.
pub(crate) fn made_earlier(prefix: &Path) -> Option<PathBuf> {
    let rustc = wrapper(prefix);
    let finished = fs::read_to_string(marker(prefix)).is_ok_and(|text| text == FORMAT);
    (finished && rustc.exists()).then_some(rustc)
}

/// Makes the compiler in `prefix` and returns its path.
pub(crate) fn make(prefix: &Path) -> Result<PathBuf> {
    check_debian()?;
    let linker = find_linker()?;
    fs::create_dir_all(prefix)?;
    // Two commands that start together make it once. The lock ends with this process, however that ends.
    let lock = File::create(prefix.with_extension("lock"))?;
    lock.lock()?;
    if let Some(rustc) = made_earlier(prefix) {
        return Ok(rustc);
    }
    fs::remove_dir_all(prefix)?;
    println!("    making one of Debian's packages in {}", prefix.display());
    println!("    (140 MB to download, a minute of work, 480 MB in the end; it is done once)");

    let packages = Packages::new(&prefix.join("apt"))?;
    packages.download_and_unpack(prefix)?;
    let host_tools = prefix.join("usr/lib/rustlib").join(host_triple()?).join("bin");
    fs::create_dir_all(&host_tools)?;
    symlink(&linker, host_tools.join("rust-lld"))?;
    let rustc = wrapper(prefix);
    fs::write(&rustc, WRAPPER.replace("ARCH", ARCH))?;
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755))?;
    println!("    unpacked {}", process::read(Command::new(&rustc).arg("--version"))?.trim());

    build_std(prefix, &rustc)?;
    for leftover in ["apt", "std", "usr/src", "usr/share", "usr/lib/rustlib/src"] {
        remove(&prefix.join(leftover))?;
    }
    fs::write(marker(prefix), FORMAT)?;
    Ok(rustc)
}

fn wrapper(prefix: &Path) -> PathBuf {
    prefix.join("rustc")
}

fn marker(prefix: &Path) -> PathBuf {
    prefix.join(".done")
}

fn check_debian() -> Result<()> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or("unknown").trim_matches('"')
    };
    if (value("ID"), value("VERSION_ID")) != ("debian", "12") {
        bail!("this is not Debian 12 but {}", value("PRETTY_NAME"));
    }
    Ok(())
}

/// The linker for wasm in the installed toolchain; rustup's have it, distributions' may not.
fn find_linker() -> Result<PathBuf> {
    let linker = compiler::sysroot()?.join("lib/rustlib").join(host_triple()?).join("bin/rust-lld");
    if !linker.exists() {
        bail!("the linker {} is missing, which toolchains of rustup's have", linker.display());
    }
    Ok(linker)
}

fn host_triple() -> Result<String> {
    let version = process::read(Command::new("rustc").arg("-vV"))?;
    let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(triple.context("`rustc -vV` names no host")?.to_owned())
}

/// apt, with lists and downloads of its own.
struct Packages {
    home: PathBuf,
}

impl Packages {
    fn new(home: &Path) -> Result<Self> {
        for directory in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(home.join(directory))?;
        }
        let packages = Self { home: home.to_owned() };
        process::run(packages.apt("apt-get").args(["update", "-qq"])).context(
            "fetch Debian's package lists (are the servers of /etc/apt/sources.list within reach?)",
        )?;
        Ok(packages)
    }

    /// A program of apt's that reads and writes below `home`.
    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let at = |name: &str| self.home.join(name).display().to_string();
        command.current_dir(&self.home).env("LC_ALL", "C").args([
            "-o".to_owned(),
            format!("Dir::State::Lists={}", at("lists")),
            "-o".to_owned(),
            format!("Dir::Cache={}", at("cache")),
            // As root, apt would download as another user, who may not write here.
            "-o".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
        ]);
        command
    }

    /// The one package with this prefix that `package` depends on, such as `libstd-rust-web-1.96`.
    fn dependency(&self, package: &str, prefix: &str) -> Result<String> {
        let listed = process::read(self.apt("apt-cache").args(["depends", package])).with_context(|| {
            format!("the package sources have no {package}; is bookworm-security among them?")
        })?;
        let names = listed.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
        let versioned = |name: &&str| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        let found = names.map(str::trim).find(versioned);
        Ok(found.with_context(|| format!("package {package} does not depend on any {prefix}*"))?.to_owned())
    }

    fn download_and_unpack(&self, prefix: &Path) -> Result<()> {
        let library = self.dependency(ROOT_PACKAGE, "libstd-rust-web-")?;
        let llvm = self.dependency(&library, "libllvm")?;
        let names = ["rustc-web", &library, ROOT_PACKAGE, &llvm, "rust-web-src"];
        process::run(self.apt("apt-get").args(["download", "-qq"]).args(names))?;
        let mut unpacked = 0;
        for entry in self.home.read_dir()? {
            let deb = entry?.path();
            if deb.extension().is_none_or(|extension| extension != "deb") {
                continue;
            }
            let mut contents = Command::new("dpkg-deb");
            contents.arg("--fsys-tarfile").arg(&deb);
            let mut tar = Command::new("tar");
            tar.arg("-x").arg("-C").arg(prefix);
            if deb.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rust-web-src_")) {
                // Of 500 MB, the library's sources.
                tar.args(["--wildcards", "./usr/lib", "./usr/src/rustc-*/library"]);
            }
            process::pipe(&mut contents, &mut tar)?;
            unpacked += 1;
        }
        if unpacked != names.len() {
            bail!("{unpacked} packages were downloaded instead of {}", names.len());
        }
        Ok(())
    }
}

/// Builds the standard library for wasm32 by way of an empty crate that needs it.
fn build_std(prefix: &Path, rustc: &Path) -> Result<()> {
    const MANIFEST: &str = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
                            [profile.release]\nopt-level = \"s\"\npanic = \"abort\"\n";
    let empty = prefix.join("std");
    fs::create_dir_all(empty.join("src"))?;
    fs::write(empty.join("src/lib.rs"), "")?;
    fs::write(empty.join("Cargo.toml"), MANIFEST)?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .current_dir(&empty)
        .env("RUSTC", rustc)
        // Building the library is a matter of unstable options; guests are compiled without them.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", empty.join("target"))
        .args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET]);
    process::run(&mut build).context("build the standard library")?;

    let libraries = prefix.join("usr/lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&libraries)?;
    for entry in empty.join("target").join(TARGET).join("release/deps").read_dir()? {
        let library = entry?.path();
        let Some(name) = library.file_name() else { continue };
        let shown = name.to_string_lossy();
        if shown.ends_with(".rlib") && !shown.starts_with("libempty-") {
            fs::copy(&library, libraries.join(name))?;
        }
    }
    if !compiler::has_std(&libraries) {
        bail!("the build left no standard library for {TARGET}");
    }
    Ok(())
}

/// Removes what may be a directory, a link, or nothing.
fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path)?,
        Ok(_) => fs::remove_file(path)?,
        Err(_) => {}
    }
    Ok(())
}
