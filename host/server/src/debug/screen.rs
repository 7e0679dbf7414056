//! The debugger's screen: the calls on the left, the current one on the right, keys below.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};
use refrain_runtime::{Calls, Stopped};

use super::keys::{Mode, State};
use super::view::{self, HEADING};

/// What is shown.
pub struct Screen<'a> {
    /// Which run this is.
    pub title: &'a str,
    /// All that it has called.
    pub calls: &'a Calls,
    /// Where somebody stands.
    pub state: &'a State,
    /// The current call.
    pub moment: Shown<'a>,
}

/// What is known of the current call.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// It is being looked for.
    Replaying,
    /// All.
    Found(&'a Stopped),
    /// Nothing, for this reason.
    Failed(&'a str),
}

const KEYS: &str = " ↑↓ step · PgUp PgDn g G · / search · q query · ? help · Esc leave";

const HELP: &str = "\
↓ → j n      the next call
↑ ← k p      the call before
PgDn PgUp    a page of them
g G          the first, the last
J K          scroll the call's own text
/            search: the next call that has the text,
             without one that which was last sought
q            ask the run a query, as it was at the end
             of this step: its name, and JSON for it
?            this help
Esc Ctrl-C   leave";

/// The lines of calls on a screen of this size.
pub fn page(area: Rect) -> usize {
    // Without the frame around them and the line of keys.
    usize::from(area.height.saturating_sub(3)).max(1)
}

impl Screen<'_> {
    /// Draws it.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let [main, below] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(55), Constraint::Percentage(45)]).areas(main);
        frame.render_widget(self.list(page(frame.area())), left);
        frame.render_widget(self.current(), right);
        frame.render_widget(self.prompt(), below);
    }

    /// The calls around the current one.
    fn list(&self, page: usize) -> Paragraph<'_> {
        let (current, count) = (self.state.current, self.calls.calls.len());
        let first = current.saturating_sub(page / 2).min((count + 1).saturating_sub(page));
        let mut lines: Vec<Line<'_>> = (first..count.min(first + page))
            .map(|index| {
                let style = if index == current { Modifier::REVERSED.into() } else { Style::new() };
                Line::styled(view::row(self.calls, index), style)
            })
            .collect();
        if lines.len() < page {
            lines.push(Line::styled(format!("       {}", view::line(&self.calls.end)), Modifier::DIM));
        }
        Paragraph::new(lines).block(Block::new().borders(Borders::ALL).title(format!(" {} ", self.title)))
    }

    fn current(&self) -> Paragraph<'_> {
        let bold = |text: &str| Line::styled(text.to_owned(), Modifier::BOLD);
        let mut lines = Vec::new();
        if self.state.mode == Mode::Help {
            lines.extend(HELP.lines().map(Line::raw));
        } else {
            if let Some(said) = &self.state.said {
                lines.push(bold(&view::line(said)));
                lines.push(Line::default());
            }
            match self.moment {
                Shown::Replaying => lines.push(Line::styled("replaying…", Modifier::DIM)),
                Shown::Failed(reason) => lines.push(Line::raw(view::line(reason))),
                Shown::Found(stopped) => {
                    lines.extend(view::moment(self.calls, stopped).into_iter().map(|(heading, text)| {
                        let heading = heading.map(|heading| format!("{heading:<HEADING$}"));
                        Line::from(vec![
                            Span::styled(heading.unwrap_or_default(), Modifier::BOLD),
                            Span::raw(text),
                        ])
                    }));
                }
            }
        }
        let title = format!(" {} of {} ", self.state.current + 1, self.calls.calls.len());
        Paragraph::new(lines)
            .wrap(Wrap { trim: false })
            .scroll((self.state.scrolled, 0))
            .block(Block::new().borders(Borders::ALL).title(title))
    }

    fn prompt(&self) -> Line<'_> {
        match &self.state.mode {
            Mode::Stepping | Mode::Help => Line::styled(KEYS, Modifier::DIM),
            Mode::Search(text) => Line::raw(format!(" search: {text}▏")),
            Mode::Query(text) => Line::raw(format!(" query: {text}▏")),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::fixture;
    use super::*;

    /// The screen of so many lines in this state.
    fn check(lines: u16, state: &State, moment: Shown<'_>, expected: &Expect) {
        let mut terminal = Terminal::new(TestBackend::new(100, lines)).expect("a terminal");
        let calls = fixture::calls();
        let screen = Screen { title: "order order-42", calls: &calls, state, moment };
        terminal.draw(|frame| screen.draw(frame)).expect("it is drawn");
        expected.assert_eq(&terminal.backend().to_string());
    }

    #[test]
    fn the_calls_are_on_the_left_and_the_current_one_is_on_the_right() {
        let state =
            State { current: 2, said: Some("status at the end of step 0: 7".to_owned()), ..State::default() };
        check(
            24,
            &state,
            Shown::Found(&fixture::moment(3)),
            &expect![[r#"
                "┌ order order-42 ─────────────────────────────────────┐┌ 3 of 5 ───────────────────────────────────┐"
                "│     1     0.0       +0s  log.write info begins  [2Ja││status at the end of step 0: 7             │"
                "│     2     0.1       +0s  timer.start 60s → #1       ││                                           │"
                "│     3     0.2       +0s  activity.start charge → #2 ││call       3 activity.start                │"
                "│     4     0.3       +0s  wait.next everything → #2 c││at         0.2, event 3 of its history     │"
                "│     5     1.0    +1.50s  wait.next everything → wait││time       2023-11-14T22:13:20Z (+0s)      │"
                "│       the journal ends with this wait               ││arguments                                  │"
                "│                                                     ││  name: "charge"                           │"
                "│                                                     ││  input: {"order":42,"cents": 1.0e3}       │"
                "│                                                     ││  options:                                 │"
                "│                                                     ││    start_to_close: "60s"                  │"
                "│                                                     ││    retry:                                 │"
                "│                                                     ││      initial_interval: "1s"               │"
                "│                                                     ││      backoff_coefficient: 2.0             │"
                "│                                                     ││      maximum_attempts: 0                  │"
                "│                                                     ││      non_retryable_error_types: []        │"
                "│                                                     ││      jitter: 0.0                          │"
                "│                                                     ││    cancellation: "try-cancel"             │"
                "│                                                     ││    local: false                           │"
                "│                                                     ││answer     op: 2                           │"
                "│                                                     ││pending                                    │"
                "│                                                     ││  #1 timer.start 60s, cancel requested     │"
                "└─────────────────────────────────────────────────────┘└───────────────────────────────────────────┘"
                " ↑↓ step · PgUp PgDn g G · / search · q query · ? help · Esc leave                                  "
            "#]],
        );
    }

    #[test]
    fn of_many_calls_those_around_the_current_one_are_shown() {
        let state = State { current: 2, ..State::default() };
        check(
            6,
            &state,
            Shown::Replaying,
            &expect![[r#"
            "┌ order order-42 ─────────────────────────────────────┐┌ 3 of 5 ───────────────────────────────────┐"
            "│     2     0.1       +0s  timer.start 60s → #1       ││replaying…                                 │"
            "│     3     0.2       +0s  activity.start charge → #2 ││                                           │"
            "│     4     0.3       +0s  wait.next everything → #2 c││                                           │"
            "└─────────────────────────────────────────────────────┘└───────────────────────────────────────────┘"
            " ↑↓ step · PgUp PgDn g G · / search · q query · ? help · Esc leave                                  "
        "#]],
        );
        let state = State { current: 4, ..State::default() };
        check(
            6,
            &state,
            Shown::Failed("there is no call 5"),
            &expect![[r#"
            "┌ order order-42 ─────────────────────────────────────┐┌ 5 of 5 ───────────────────────────────────┐"
            "│     4     0.3       +0s  wait.next everything → #2 c││there is no call 5                         │"
            "│     5     1.0    +1.50s  wait.next everything → wait││                                           │"
            "│       the journal ends with this wait               ││                                           │"
            "└─────────────────────────────────────────────────────┘└───────────────────────────────────────────┘"
            " ↑↓ step · PgUp PgDn g G · / search · q query · ? help · Esc leave                                  "
        "#]],
        );
    }

    #[test]
    fn what_is_written_is_below_and_the_help_is_on_the_right() {
        let state = State { mode: Mode::Search("charge".to_owned()), ..State::default() };
        check(
            4,
            &state,
            Shown::Replaying,
            &expect![[r#"
                "┌ order order-42 ─────────────────────────────────────┐┌ 1 of 5 ───────────────────────────────────┐"
                "│     1     0.0       +0s  log.write info begins  [2Ja││replaying…                                 │"
                "└─────────────────────────────────────────────────────┘└───────────────────────────────────────────┘"
                " search: charge▏                                                                                    "
            "#]],
        );
        let state = State { mode: Mode::Help, ..State::default() };
        check(
            14,
            &state,
            Shown::Replaying,
            &expect![[r#"
                "┌ order order-42 ─────────────────────────────────────┐┌ 1 of 5 ───────────────────────────────────┐"
                "│     1     0.0       +0s  log.write info begins  [2Ja││↓ → j n      the next call                 │"
                "│     2     0.1       +0s  timer.start 60s → #1       ││↑ ← k p      the call before               │"
                "│     3     0.2       +0s  activity.start charge → #2 ││PgDn PgUp    a page of them                │"
                "│     4     0.3       +0s  wait.next everything → #2 c││g G          the first, the last           │"
                "│     5     1.0    +1.50s  wait.next everything → wait││J K          scroll the call's own text    │"
                "│       the journal ends with this wait               ││/            search: the next call that has│"
                "│                                                     ││the text,                                  │"
                "│                                                     ││             without one that which was    │"
                "│                                                     ││last sought                                │"
                "│                                                     ││q            ask the run a query, as it was│"
                "│                                                     ││at the end                                 │"
                "└─────────────────────────────────────────────────────┘└───────────────────────────────────────────┘"
                " ↑↓ step · PgUp PgDn g G · / search · q query · ? help · Esc leave                                  "
            "#]],
        );
    }

    #[test]
    fn the_current_call_is_marked() {
        let mut terminal = Terminal::new(TestBackend::new(100, 10)).expect("a terminal");
        let (calls, state) = (fixture::calls(), State { current: 1, ..State::default() });
        let screen = Screen { title: "order", calls: &calls, state: &state, moment: Shown::Replaying };
        terminal.draw(|frame| screen.draw(frame)).expect("it is drawn");
        let buffer = terminal.backend().buffer();
        let marked = (0..10).filter(|line| buffer[(1, *line)].modifier.contains(Modifier::REVERSED));
        assert_eq!(marked.collect::<Vec<_>>(), [2]);
    }
}
