//! Running other programs, in sight of who typed the command.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often it is looked whether a program has ended: soon enough for people.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// How long something is looked for again and again that must come soon: a slow machine is no error.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A heading over what follows.
pub(crate) fn heading(text: &str) {
    println!("\n==> {text}");
}

/// Runs a program with its output shown; it must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("    $ {}", show(command));
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", show(command));
    }
    Ok(())
}

/// Runs a program with its output shown, and ends it when it takes too long. Whether it succeeded.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<bool> {
    println!("    $ {}", show(command));
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| cannot_start(command))?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            println!("    ended it: it did not finish in {} s", limit.as_secs());
            return Ok(false);
        }
        thread::sleep(POLL);
    }
}

/// Runs a program and returns what it printed; it must succeed.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", show(command), output.status, words.trim());
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something that is not UTF-8", show(command)))
}

/// `from | to`; both must succeed.
pub(crate) fn pipe(from: &mut Command, to: &mut Command) -> Result<()> {
    let mut source =
        from.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| cannot_start(from))?;
    let output = source.stdout.take().context("a piped child has its output")?;
    let sink = to.stdin(output).status().with_context(|| cannot_start(to));
    // Whatever became of the second, the first ends once nobody reads it.
    let source = source.wait()?;
    if !(sink?.success() && source.success()) {
        bail!("`{} | {}` failed", show(from), show(to));
    }
    Ok(())
}

/// The command line, for people: the program by its name, wherever it is.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let words = std::iter::once(program.file_name().unwrap_or(program.as_os_str())).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", command.get_program().to_string_lossy())
}
