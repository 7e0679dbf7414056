//! The debugger on a terminal: keys in, screens out, and replays in between, which the next key breaks off.

use std::io;

use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use refrain_runtime::{DebugError, Stopped};
use tokio::sync::mpsc::{Receiver, channel};

use super::Session;
use super::keys::{Action, State, press};
use super::screen::{Screen, Shown, page};

/// Keys that are read ahead of what they do.
const KEYS_AHEAD: usize = 64;

/// What is waited for besides a key.
enum Found {
    Moment(Result<Box<Stopped>, DebugError>),
    Answer(String),
}

/// Shows the run on this process's terminal, first at the call with this index, until somebody leaves.
///
/// # Errors
/// When the terminal cannot be used.
pub async fn run(session: &mut Session, first: usize) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let left = go_through(session, first, &mut terminal).await;
    ratatui::restore();
    left
}

async fn go_through(session: &mut Session, first: usize, terminal: &mut DefaultTerminal) -> io::Result<()> {
    let mut state = State { current: first, ..State::default() };
    let mut events = events();
    let mut failed: Option<String> = None;
    let mut work: Option<BoxFuture<'static, Found>> = None;
    loop {
        let call = state.current as u64 + 1;
        let is_there = session.kept(call).is_some() || failed.is_some() || session.calls.calls.is_empty();
        if !is_there && work.is_none() {
            let look = session.look(call);
            work = Some(async move { Found::Moment(look.await.map(Box::new)) }.boxed());
        }
        let moment = match (session.kept(call), &failed) {
            (Some(stopped), _) => Shown::Found(stopped),
            (None, Some(reason)) => Shown::Failed(reason),
            (None, None) if session.calls.calls.is_empty() => Shown::Failed(&session.calls.end),
            (None, None) => Shown::Replaying,
        };
        let screen = Screen { title: &session.title, calls: &session.calls, state: &state, moment };
        let area = terminal.draw(|frame| screen.draw(frame))?.area;
        tokio::select! {
            biased;
            event = events.recv() => {
                let key = match event {
                    Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => key,
                    // The next screen has the new size.
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                };
                let before = state.current;
                let (next, action) = press(state, key, &session.calls.calls, page(area));
                state = next;
                if state.current != before {
                    (work, failed) = (None, None);
                }
                match action {
                    Action::Show => {}
                    Action::Quit => return Ok(()),
                    Action::Ask(text) => {
                        state.said = Some("asking…".to_owned());
                        work = Some(session.ask(state.current, &text).map(Found::Answer).boxed());
                    }
                }
            }
            Some(found) = OptionFuture::from(work.as_mut()) => {
                work = None;
                match found {
                    Found::Moment(Ok(stopped)) => session.keep(*stopped),
                    Found::Moment(Err(error)) => failed = Some(error.to_string()),
                    Found::Answer(answer) => state.said = Some(answer),
                }
            }
        }
    }
}

/// What happens at the terminal. To read it blocks, so that a thread of its own does, until the process ends.
fn events() -> Receiver<io::Result<Event>> {
    let (sender, receiver) = channel(KEYS_AHEAD);
    std::thread::spawn(move || while sender.blocking_send(event::read()).is_ok() {});
    receiver
}
