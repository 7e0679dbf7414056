//! A Rust compiler for guests, wherever one can be had.
//!
//! In this order: the installed toolchain already has the target; a private compiler was made earlier; `rustup` adds
//! the target; on Debian 12 a private compiler is made from Debian's packages (see [`crate::debian`]).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::debian;
use crate::process;
use crate::workspace::Workspace;

/// The target of guests: no operating system and no WASI, so that what is built reaches nothing but its host's imports.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// How long `rustup target add` may take: 30 MB over a slow line pass in it, and whoever is cut off from rustup's server
/// without being told so does not wait for ever.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// What compiles guests.
#[derive(Debug)]
pub(crate) enum GuestCompiler {
    /// The toolchain that compiles the host.
    Installed,
    /// A compiler of our own, to be named in `RUSTC`.
    Private(PathBuf),
}

impl GuestCompiler {
    /// Finds one, or makes one.
    pub(crate) fn find(ws: &Workspace) -> Result<Self> {
        if installed_has_target()? {
            return Ok(Self::Installed);
        }
        let prefix = ws.target.join("wasm32-rust");
        if let Some(rustc) = debian::made_earlier(&prefix) {
            return Ok(Self::Private(rustc));
        }
        process::heading(&format!("installing a Rust compiler for {TARGET}"));
        let by_rustup = match add_with_rustup() {
            Ok(()) => return Ok(Self::Installed),
            Err(why) => why,
        };
        println!("    not by rustup: {by_rustup}");
        match debian::make(&prefix) {
            Ok(rustc) => {
                // Cargo does not notice that a library was built anew under the same compiler's name (error E0463).
                crate::guests::forget(ws)?;
                Ok(Self::Private(rustc))
            }
            Err(on_debian) => bail!(nothing_works(&by_rustup, &format!("{on_debian:#}"))),
        }
    }

    /// Makes a cargo command use it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        if let Self::Private(rustc) = self {
            cargo.env("RUSTC", rustc);
        }
    }

    /// Which one it is, for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Installed => format!("the installed toolchain, which has {TARGET}"),
            Self::Private(rustc) => format!("the private compiler {}", rustc.display()),
        }
    }
}

/// The directory of the installed toolchain.
pub(crate) fn sysroot() -> Result<PathBuf> {
    Ok(process::read(Command::new("rustc").args(["--print", "sysroot"]))?.trim().into())
}

fn installed_has_target() -> Result<bool> {
    let libraries = sysroot()?.join("lib/rustlib").join(TARGET).join("lib");
    Ok(has_std(&libraries))
}

/// Whether the standard library is in this directory.
pub(crate) fn has_std(libraries: &Path) -> bool {
    let Ok(entries) = libraries.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Why not, if not.
fn add_with_rustup() -> Result<(), String> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    match process::run_within(&mut rustup, RUSTUP_LIMIT) {
        Ok(true) if installed_has_target().unwrap_or(false) => Ok(()),
        Ok(true) => {
            Err("`rustup target add` succeeded, but for another toolchain than the one that runs".into())
        }
        Ok(false) => Err("`rustup target add` failed (is static.rust-lang.org within reach?)".into()),
        Err(error) => Err(format!("{error:#}")),
    }
}

fn nothing_works(by_rustup: &str, on_debian: &str) -> String {
    format!(
        "no Rust compiler for {TARGET}:\n  \
         * the installed toolchain does not have the target\n  \
         * rustup cannot add it: {by_rustup}\n  \
         * it cannot be made from Debian's packages: {on_debian}\n\
         Do one of these and repeat the command:\n  \
         * with a way to rustup's server:   rustup target add {TARGET}\n  \
         * behind a mirror or a proxy:      RUSTUP_DIST_SERVER=... or HTTPS_PROXY=... rustup target add {TARGET}\n  \
         * with a Rust of your distribution: install its package for {TARGET} \
         (Debian: libstd-rust-dev-wasm32, Fedora: rust-std-static-{TARGET})"
    )
}
