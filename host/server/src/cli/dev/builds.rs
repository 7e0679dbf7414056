//! The build command of a project.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

/// Runs a build command to its end. What it says goes to standard error, as it says it. Dropping the future ends the
/// command, with all that it has started.
///
/// # Errors
/// When there is no `sh`.
pub(in crate::cli) async fn run(command: &str, dir: &Path) -> io::Result<ExitStatus> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .stderr(Stdio::inherit())
        // A group of its own, so that an interrupt from the keyboard is ours alone, and ends the build in order.
        .process_group(0)
        .spawn()?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let status = child.wait().await?;
    // Its number may be another's from here on.
    group.0 = None;
    Ok(status)
}

/// The processes of a build, which end with this value.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // They may have ended by themselves.
            let _ended = kill_process_group(group, Signal::TERM);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::fs::File;
    use tokio::io::AsyncReadExt;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_build_runs_in_the_projects_folder_and_tells_how_it_ended() {
        let dir = tempfile::tempdir().expect("a directory");
        let status = run("echo made > component && exit 3", dir.path()).await.expect("a shell");
        assert_eq!(status.code(), Some(3));
        assert!(dir.path().join("component").exists());
    }

    #[tokio::test]
    async fn who_no_longer_waits_for_a_build_ends_all_of_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let fifo = dir.path().join("alive");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("a pipe").success());
        // A process below the shell holds the pipe open for as long as it lives.
        let build = run("sh -c 'echo here; exec sleep 1000' > alive; true", dir.path());
        let begun = async {
            let mut reader = File::open(&fifo).await.expect("a pipe");
            reader.read_exact(&mut [0; 5]).await.expect("it says so");
            reader
        };
        let mut reader = tokio::select! {
            _ = build => panic!("it sleeps"),
            reader = begun => reader,
        };
        let ended = timeout(Duration::from_secs(60), reader.read(&mut [0; 1])).await;
        assert_eq!(ended.expect("it has ended").expect("a pipe"), 0);
    }
}
