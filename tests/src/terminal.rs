//! A terminal with a command of the host's binary on it, as somebody sees it who sits there: keys go in, and the screen is
//! looked at.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::{PATIENCE, built};

/// The size of the screen, in characters.
const ROWS: u16 = 40;
const COLUMNS: u16 = 160;

/// What is on the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Screen {
    text: String,
    /// It is a screen of its own, which gives way to the one before.
    is_alternate: bool,
}

/// A terminal, and the command that is on it.
pub struct Terminal {
    device: File,
    screen: watch::Receiver<Screen>,
    child: Child,
}

impl Terminal {
    /// Begins a command on a terminal of its own.
    ///
    /// # Errors
    /// When there is no terminal to be had, or the command does not begin.
    pub fn run(arguments: &[&str]) -> Result<Self> {
        let device = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).context("open a terminal")?;
        grantpt(&device).and_then(|()| unlockpt(&device)).context("unlock the terminal")?;
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&device, size).context("size the terminal")?;
        let name = ptsname(&device, Vec::new()).context("name the terminal")?;
        let seat = || -> Result<Stdio> {
            let seat = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
            Ok(Stdio::from(seat.context("sit down at the terminal")?))
        };
        let mut command = built::refrain()?;
        command.args(arguments).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        command.stdin(seat()?).stdout(seat()?).stderr(seat()?).kill_on_drop(true);
        let child = command.spawn().context("begin the command")?;
        let device = File::from(device);
        Ok(Self { screen: watched(device.try_clone()?), device, child })
    }

    /// Types.
    ///
    /// # Errors
    /// When nobody is at the other end.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.device.write_all(keys.as_bytes()).with_context(|| format!("type {keys:?}"))
    }

    /// Waits until a text is on the screen, in a line.
    ///
    /// # Errors
    /// With the screen, when it does not come.
    pub async fn shows(&mut self, text: &str) -> Result<()> {
        let has_text = self.screen.wait_for(|screen| screen.text.contains(text));
        let is_shown = timeout(PATIENCE, has_text).await.is_ok_and(|shown| shown.is_ok());
        ensure!(is_shown, "{text:?} is not on the screen:\n{}", self.screen.borrow().text);
        Ok(())
    }

    /// Waits until the command has ended. It must leave the terminal as it was: with the screen of before, on which lines
    /// are edited and seen.
    ///
    /// # Errors
    /// When it does not end, or leaves the terminal otherwise.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        let status = timeout(PATIENCE, self.child.wait()).await.context("the command does not end")??;
        // The last of what it has written: nobody has the terminal any more.
        while self.screen.changed().await.is_ok() {}
        ensure!(!self.screen.borrow().is_alternate, "the command has left its screen behind");
        let modes = tcgetattr(&self.device).context("ask the terminal")?.local_modes;
        ensure!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "the terminal is left as {modes:?}");
        Ok(status)
    }
}

/// The screen that comes of what is written to a terminal, until all who have it have gone.
fn watched(mut device: File) -> watch::Receiver<Screen> {
    let (sender, receiver) = watch::channel(Screen::default());
    thread::spawn(move || {
        let mut parser = vt100::Parser::new(ROWS, COLUMNS, 0);
        let mut written = [0; 4096];
        while let Ok(length @ 1..) = device.read(&mut written) {
            parser.process(&written[..length]);
            let screen = parser.screen();
            sender.send_replace(Screen { text: screen.contents(), is_alternate: screen.alternate_screen() });
        }
    });
    receiver
}
