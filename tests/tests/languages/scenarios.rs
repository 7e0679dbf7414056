//! The table of scenarios: a workflow, what it is started with, and what is done with its run.

/// One row: how a run is begun, and everything that happens to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// The name of the row, and the id of its run.
    pub(crate) name: &'static str,
    pub(crate) workflow: &'static str,
    /// JSON.
    pub(crate) input: &'static str,
    pub(crate) moves: &'static [Move],
    /// Time passes in it by itself: its middle is soon over.
    pub(crate) hurries: bool,
}

/// What is done with a run, in order. Whatever is waited for is observed, so that each history has one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// The test takes so many of the run's tasks, as a worker.
    Take(usize),
    /// It ends so many of those that it holds, the one that was started first at first.
    End(usize),
    /// Waits until the history has so many events of a type.
    Events(&'static str, usize),
    /// Remembers the child that is open, whose history is told with the run's.
    Child,
    /// Sends a signal with that input.
    Signal(&'static str, &'static str),
    /// Asks a query without input. Its answer is told.
    Query(&'static str),
    /// Sends an update with that input. Its outcome is told.
    Update(&'static str, &'static str),
    /// Asks the run to end, for that reason.
    Cancel(&'static str),
    /// Here the host is killed, in the round in which it is.
    Middle,
    /// Waits for the run's end, which is told.
    Result,
    /// Waits until the run is parked by a trap, whose message has these words.
    Parked(&'static str),
}

impl Move {
    /// Whether it does something to the run, which goes on by it.
    pub(crate) fn is_act(&self) -> bool {
        matches!(self, Self::End(_) | Self::Signal(..) | Self::Update(..) | Self::Cancel(_))
    }
}

use Move::{Cancel, Child, End, Events, Middle, Parked, Query, Result, Signal, Take, Update};

const fn row(
    name: &'static str,
    workflow: &'static str,
    input: &'static str,
    moves: &'static [Move],
) -> Scenario {
    Scenario { name, workflow, input, moves, hurries: false }
}

/// All of them.
pub(crate) const SCENARIOS: [Scenario; 20] = [
    row(
        "sequence",
        "sequence",
        r#"{"n":3}"#,
        &[Take(1), End(1), Take(1), Middle, End(1), Take(1), End(1), Result],
    ),
    row("parallel", "parallel", r#"{"n":3}"#, &[Take(3), End(1), Middle, End(2), Result]),
    row(
        "retries",
        "retries",
        "null",
        &[Take(1), End(1), Take(1), Middle, End(1), Take(1), End(1), Take(1), End(1), Result],
    ),
    row("timer", "timer", r#"{"ms":50}"#, &[Result]),
    Scenario {
        hurries: true,
        ..row("timer-long", "timer", r#"{"ms":4000}"#, &[Events("timer-started", 1), Middle, Result])
    },
    row(
        "select-signal",
        "select",
        r#"{"ms":3600000}"#,
        &[Events("timer-started", 1), Middle, Signal("go", "\"now\""), Result],
    ),
    row("select-timer", "select", r#"{"ms":50}"#, &[Result]),
    row("saga", "saga", "null", SAGA),
    row("fan-out", "fan_out", r#"{"n":100}"#, &[Take(100), End(50), Middle, End(50), Result]),
    row("reads", "reads", "null", &[Result]),
    row("log", "log", "null", &[Result]),
    row(
        "query",
        "query",
        "null",
        &[
            Query("total"),
            Signal("add", "2"),
            Events("signal-received", 1),
            Query("total"),
            Middle,
            Query("total"),
            Signal("add", "40"),
            Events("signal-received", 2),
            Query("total"),
            Query("colour"),
            Signal("finish", "null"),
            Result,
            Query("total"),
        ],
    ),
    row(
        "update",
        "update",
        r#"{"until":10}"#,
        &[
            Update("add", "-1"),
            Update("add", "4"),
            Update("subtract", "1"),
            Middle,
            Update("add", "6"),
            Result,
        ],
    ),
    row("child", "child", r#"{"n":2}"#, &[Take(1), Child, End(1), Take(1), Middle, End(1), Result]),
    row("continue-as-new", "continue_as_new", r#"{"round":1}"#, &[Result]),
    row(
        "cancel",
        "cancel_cleanup",
        "null",
        &[Events("timer-started", 1), Middle, Cancel("enough"), Take(1), End(1), Result],
    ),
    row(
        "cancel-late",
        "cancel_cleanup",
        "null",
        &[Events("timer-started", 1), Cancel("enough"), Take(1), Middle, End(1), Result],
    ),
    row("patched", "patched", "null", &[Take(1), Middle, End(1), Result]),
    row("bug", "bug", "null", &[Parked("this is a bug")]),
    row("bad-input", "sequence", r#"{"n":"three"}"#, &[Result]),
];

/// The moves of `saga`, which is also the one that is killed at each of its turns.
pub(crate) const SAGA: &[Move] = &[
    Take(1),
    End(1),
    Take(1),
    End(1),
    Take(1),
    Middle,
    End(1),
    Take(1),
    End(1),
    Take(1),
    End(1),
    Take(1),
    End(1),
    Result,
];
