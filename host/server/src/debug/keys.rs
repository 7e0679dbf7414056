//! Where somebody stands in a run, and what each key makes of it. Pure: a state and a key in, a state out.
//!
//! | mode     | arrows, j k n p, PgUp PgDn, g G | /      | q      | ?    | Enter              | Esc, Ctrl-C |
//! |----------|---------------------------------|--------|--------|------|--------------------|-------------|
//! | Stepping | another call                    | Search | Query  | Help | -                  | quit        |
//! | Search   | text                            | text   | text   | text | Stepping, found    | Stepping    |
//! | Query    | text                            | text   | text   | text | Stepping, asked    | Stepping    |
//! | Help     | Stepping                        | ...    | ...    | ...  | Stepping           | Stepping    |
//!
//! Ctrl-C quits in every mode.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use refrain_engine::run::SeenCall;

/// Where somebody stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The index of the current call.
    pub current: usize,
    /// Lines of the moment above the first that is shown.
    pub scrolled: u16,
    /// What keys are for.
    pub mode: Mode,
    /// What was last looked for: an empty search looks for it again.
    pub sought: String,
    /// What there is to say since the last step.
    pub said: Option<String>,
}

/// What keys are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// To go from call to call.
    #[default]
    Stepping,
    /// To write what is looked for.
    Search(String),
    /// To write what the run is asked.
    Query(String),
    /// To leave the help.
    Help,
}

/// What is to be done, besides showing the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Show,
    /// Ask the run this, at the end of the current step.
    Ask(String),
    /// Leave.
    Quit,
}

/// What becomes of the state with this key, among these calls, of which so many are on the screen.
pub fn press(state: State, key: KeyEvent, calls: &[SeenCall], page: usize) -> (State, Action) {
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        return (state, Action::Quit);
    }
    match state.mode.clone() {
        Mode::Stepping => step(state, key.code, calls.len(), page),
        Mode::Help => (State { mode: Mode::Stepping, ..state }, Action::Show),
        Mode::Search(text) => match write(text, key.code) {
            Written::More(text) => (State { mode: Mode::Search(text), ..state }, Action::Show),
            Written::Done(text) => (search(&state, &text, calls), Action::Show),
            Written::Left => (State { mode: Mode::Stepping, ..state }, Action::Show),
        },
        Mode::Query(text) => match write(text, key.code) {
            Written::More(text) => (State { mode: Mode::Query(text), ..state }, Action::Show),
            Written::Done(text) if text.is_empty() => (State { mode: Mode::Stepping, ..state }, Action::Show),
            // What it answers is said at the top.
            Written::Done(text) => (State { mode: Mode::Stepping, scrolled: 0, ..state }, Action::Ask(text)),
            Written::Left => (State { mode: Mode::Stepping, ..state }, Action::Show),
        },
    }
}

fn step(state: State, key: KeyCode, calls: usize, page: usize) -> (State, Action) {
    let (current, last) = (state.current, calls.saturating_sub(1));
    let to = |call: usize| State { current: call.min(last), scrolled: 0, said: None, ..state.clone() };
    let state = match key {
        KeyCode::Down | KeyCode::Right | KeyCode::Char('j' | 'n') => to(current + 1),
        KeyCode::Up | KeyCode::Left | KeyCode::Char('k' | 'p') => to(current.saturating_sub(1)),
        KeyCode::PageDown => to(current + page),
        KeyCode::PageUp => to(current.saturating_sub(page)),
        KeyCode::Home | KeyCode::Char('g') => to(0),
        KeyCode::End | KeyCode::Char('G') => to(last),
        KeyCode::Char('J') => State { scrolled: state.scrolled.saturating_add(1), ..state },
        KeyCode::Char('K') => State { scrolled: state.scrolled.saturating_sub(1), ..state },
        KeyCode::Char('/') => State { mode: Mode::Search(String::new()), ..state },
        KeyCode::Char('q') => State { mode: Mode::Query(String::new()), ..state },
        KeyCode::Char('?') => State { mode: Mode::Help, ..state },
        KeyCode::Esc => return (state, Action::Quit),
        _ => state,
    };
    (state, Action::Show)
}

enum Written {
    More(String),
    Done(String),
    Left,
}

fn write(mut text: String, key: KeyCode) -> Written {
    match key {
        KeyCode::Enter => return Written::Done(text),
        KeyCode::Esc => return Written::Left,
        KeyCode::Backspace if text.pop().is_none() => return Written::Left,
        KeyCode::Char(character) => text.push(character),
        _ => {}
    }
    Written::More(text)
}

/// Goes to the next call that has the text in it, also from the end on to the beginning.
fn search(state: &State, text: &str, calls: &[SeenCall]) -> State {
    let sought = if text.is_empty() { state.sought.clone() } else { text.to_lowercase() };
    let has =
        |call: &SeenCall| [&call.what, &call.answer].iter().any(|text| text.to_lowercase().contains(&sought));
    let after = (state.current + 1).min(calls.len());
    let found = (after..calls.len()).chain(0..after).find(|index| has(&calls[*index]));
    let said = found.is_none().then(|| format!("{sought:?} is in no call"));
    let current = found.unwrap_or(state.current);
    State { current, scrolled: 0, mode: Mode::Stepping, sought, said }
}

#[cfg(test)]
mod tests {
    use refrain_engine::journal::Position;
    use refrain_engine::time::Timestamp;

    use super::*;

    fn calls() -> Vec<SeenCall> {
        let call = |what: &str| SeenCall {
            position: Position { step: 0, index: 0 },
            time: Timestamp(0),
            what: what.to_owned(),
            answer: String::new(),
        };
        [
            "timer.start 1s",
            "wait.next everything",
            "activity.start Charge",
            "wait.next op 2",
            "timer.start 2s",
        ]
        .map(call)
        .into()
    }

    /// A key for each character, and those that are none in angle brackets.
    fn keys(text: &str) -> Vec<KeyEvent> {
        let mut keys = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (code, modifiers, length) = match rest.split_once('>').filter(|_| first == '<') {
                Some((name, _)) => {
                    let (code, modifiers) = match &name[1..] {
                        "down" => (KeyCode::Down, KeyModifiers::NONE),
                        "up" => (KeyCode::Up, KeyModifiers::NONE),
                        "pgdn" => (KeyCode::PageDown, KeyModifiers::NONE),
                        "pgup" => (KeyCode::PageUp, KeyModifiers::NONE),
                        "enter" => (KeyCode::Enter, KeyModifiers::NONE),
                        "back" => (KeyCode::Backspace, KeyModifiers::NONE),
                        "esc" => (KeyCode::Esc, KeyModifiers::NONE),
                        "^c" => (KeyCode::Char('c'), KeyModifiers::CONTROL),
                        other => panic!("no key {other:?}"),
                    };
                    (code, modifiers, name.len() + 1)
                }
                None => (KeyCode::Char(first), KeyModifiers::NONE, first.len_utf8()),
            };
            keys.push(KeyEvent::new(code, modifiers));
            rest = &rest[length..];
        }
        keys
    }

    /// Where these keys lead to, from the first of five calls with three on the screen.
    fn pressed(text: &str) -> (State, Action) {
        keys(text)
            .into_iter()
            .fold((State::default(), Action::Show), |(state, _), key| press(state, key, &calls(), 3))
    }

    #[test]
    fn keys_step_through_the_calls_and_stay_among_them() {
        let cases = [
            ("j", 1),
            ("<down>n", 2),
            ("jjk", 1),
            ("jj<up>p", 0),
            ("k", 0),
            ("G", 4),
            ("Gj", 4),
            ("Gg", 0),
            ("<pgdn>", 3),
            ("<pgdn><pgdn>", 4),
            ("G<pgup>", 1),
            ("x", 0),
        ];
        for (text, current) in cases {
            assert_eq!(pressed(text), (State { current, ..State::default() }, Action::Show), "{text}");
        }
        let none = press(State::default(), keys("G")[0], &[], 3);
        assert_eq!(none, (State::default(), Action::Show));
    }

    #[test]
    fn a_search_goes_on_behind_the_current_call_and_around() {
        for (text, current) in [
            ("/timer<enter>", 4),
            ("/timer<enter>/<enter>", 0),
            ("/WAIT.next<enter>", 1),
            ("/charge<enter>", 2),
            ("/chargf<back>e<enter>", 2),
            ("/charge<esc>", 0),
            ("/<back>j", 1),
        ] {
            assert_eq!(pressed(text).0.current, current, "{text}");
        }
        let (state, _) = pressed("j/refund<enter>");
        assert_eq!((state.current, state.said.as_deref()), (1, Some("\"refund\" is in no call")));
        assert_eq!(pressed("j/refund<enter>j").0.said, None);
    }

    #[test]
    fn a_run_is_asked_what_was_written() {
        assert_eq!(pressed("JJqstatus q<enter>"), (State::default(), Action::Ask("status q".to_owned())));
        assert_eq!(pressed("q<enter>").1, Action::Show);
        assert_eq!(pressed("qstatus<esc>"), (State::default(), Action::Show));
    }

    #[test]
    fn a_moment_is_scrolled_until_another_one_is_shown() {
        assert_eq!(pressed("JJK").0.scrolled, 1);
        assert_eq!(pressed("K").0.scrolled, 0);
        assert_eq!(pressed("JJj").0.scrolled, 0);
    }

    #[test]
    fn it_is_left_by_escape_and_from_everywhere_by_an_interrupt() {
        for text in ["<esc>", "<^c>", "/c<^c>", "q<^c>", "?<^c>"] {
            assert_eq!(pressed(text).1, Action::Quit, "{text}");
        }
        assert_eq!(pressed("?").0.mode, Mode::Help);
        assert_eq!(pressed("?<esc>"), (State::default(), Action::Show));
    }
}
