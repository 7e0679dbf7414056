//! Signals to processes that a test has started.

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

/// Sends a signal by its name, such as `TERM`.
pub(crate) async fn signal(child: &Child, name: &str) -> Result<()> {
    let pid = child.id().context("the process has ended already")?;
    // The shell has a `kill` even where there is no program of that name.
    let script = format!("kill -{name} \"$0\"");
    let sent = Command::new("sh").args(["-c", &script, &pid.to_string()]).status().await?;
    ensure!(sent.success(), "cannot send SIG{name} to process {pid}");
    Ok(())
}
