//! Holds state machines to the transition tables that open their files.
//!
//! A test drives its machine through all that can happen to it and writes down what did: in which state, which event,
//! and what it led to. [`hold`] reads the table in the machine's own source and compares the two. Neither may have a
//! transition that the other has not: a row that no test visits fails, and so does a transition that has no row.
//!
//! | in a cell | means |
//! |---|---|
//! | `Open or gone` | the event leads to either of them, and the test must have seen both |
//! | `-` | the event is refused there: a test sees that as well |
//! | nothing | the event cannot come there, and a test has no way to bring it about |
//!
//! Whether the states are the rows or the columns is the table's choice. Emphasis and code spans in cells are passed over.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// What leads to what: in the order of the table, the head of its row, the head of its column, and what followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transition(String, String, String);

/// A transition that was seen.
pub fn seen(row: impl fmt::Display, column: impl fmt::Display, led_to: impl fmt::Display) -> Transition {
    Transition(row.to_string(), column.to_string(), led_to.to_string())
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(row, column, led_to) = self;
        write!(f, "{row} | {column} | {led_to}")
    }
}

/// Compares the table in this source whose first column has this head with what was seen.
///
/// # Panics
/// When there is no such table, or one of the two has a transition that the other has not.
pub fn hold(source: &str, head: &str, seen: impl IntoIterator<Item = Transition>) {
    let told = transitions(source, head);
    assert!(!told.is_empty(), "the file's documentation has no table whose first column is headed {head:?}");
    let seen: BTreeSet<Transition> = seen.into_iter().collect();
    let list = |of: &BTreeSet<Transition>, without: &BTreeSet<Transition>| {
        of.difference(without).map(|transition| format!("\n  {transition}")).collect::<String>()
    };
    let (unseen, untold) = (list(&told, &seen), list(&seen, &told));
    assert!(
        unseen.is_empty() && untold.is_empty(),
        "the machine and its table differ\nin the table, and seen by no test:{unseen}\nseen, and not in the table:{untold}"
    );
}

/// What an event leads to; nothing, if the machine refuses it with a panic. There are many of these, so that they are
/// not printed.
pub fn unless_refused<T>(event: impl FnOnce() -> T) -> Option<T> {
    thread_local! {
        static EXPECTED: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !EXPECTED.get() {
                print(panic);
            }
        }));
    });
    EXPECTED.set(true);
    let led_to = panic::catch_unwind(AssertUnwindSafe(event)).ok();
    EXPECTED.set(false);
    led_to
}

/// All sequences of these events that are so long at most, the shorter ones first.
pub fn sequences<E: Copy>(events: &[E], longest: usize) -> Vec<Vec<E>> {
    let mut all = vec![Vec::new()];
    let mut shorter = 0..1;
    for _ in 0..longest {
        for index in shorter.clone() {
            for event in events {
                all.push([all[index].as_slice(), &[*event]].concat());
            }
        }
        shorter = shorter.end..all.len();
    }
    all
}

/// What the table says.
fn transitions(source: &str, head: &str) -> BTreeSet<Transition> {
    let mut lines = source.lines().map_while(|line| line.strip_prefix("//!")).fuse().map(cells);
    let columns = lines.find(|cells| cells.first().is_some_and(|first| first == head)).unwrap_or_default();
    let rows = lines.take_while(|cells| !cells.is_empty()).skip_while(|cells| cells[0].starts_with("--"));
    let mut told = BTreeSet::new();
    for cells in rows {
        assert_eq!(
            cells.len(),
            columns.len(),
            "the row of {:?} has more or fewer cells than the head",
            cells[0]
        );
        for (column, cell) in columns.iter().zip(&cells).skip(1) {
            let ways = cell.split(" or ").filter(|way| !way.is_empty());
            told.extend(ways.map(|way| seen(&cells[0], column, way)));
        }
    }
    told
}

/// The cells of a line; none, if it is no line of a table.
fn cells(line: &str) -> Vec<String> {
    let Some(row) = line.trim().strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
        return Vec::new();
    };
    row.split('|').map(|cell| cell.replace(['*', '`'], "").trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    const DOOR: &str = "\
//! A door.
//!
//! | word | means |
//! |---|---|
//! | door | this |
//!
//! | state  | push             | `lock`   |
//! |--------|------------------|----------|
//! | Open   | *Open*           |          |
//! | Closed | Open or Jammed   | Locked   |
//! | Locked | -                | Locked   |

//! | state | is no documentation of the module |
";

    fn all() -> Vec<Transition> {
        vec![
            seen("Open", "push", "Open"),
            seen("Closed", "push", "Open"),
            seen("Closed", "push", "Jammed"),
            seen("Closed", "lock", "Locked"),
            seen("Locked", "push", "-"),
            seen("Locked", "lock", "Locked"),
        ]
    }

    fn complaint(source: &str, head: &str, seen: Vec<Transition>) -> String {
        let (source, head) = (source.to_owned(), head.to_owned());
        *catch_unwind(move || hold(&source, &head, seen))
            .expect_err("it complains")
            .downcast()
            .expect("a text")
    }

    #[test]
    fn a_machine_that_does_what_its_table_says_holds() {
        hold(DOOR, "state", all());
    }

    #[test]
    fn what_no_test_has_seen_and_what_the_table_has_not_is_named() {
        let said = complaint(DOOR, "state", all()[1..].to_vec());
        assert!(
            said.contains("seen by no test:\n  Open | push | Open\nseen, and not in the table:"),
            "{said}"
        );
        let said = complaint(DOOR, "state", [all(), vec![seen("Open", "lock", "Open")]].concat());
        assert!(said.ends_with("not in the table:\n  Open | lock | Open"), "{said}");
        let row = DOOR.replace("//! | Locked", "//! | Ajar | Open | - |\n//! | Locked");
        let said = complaint(&row, "state", all());
        assert!(said.contains("\n  Ajar | lock | -\n  Ajar | push | Open\n"), "{said}");
    }

    #[test]
    fn a_table_that_is_not_there_or_has_too_few_cells_is_no_table() {
        assert!(complaint(DOOR, "phase", Vec::new()).contains("no table"));
        let uneven = DOOR.replace("| -                | Locked   |", "| - |");
        assert!(complaint(&uneven, "state", all()).contains("the row of \"Locked\""));
    }

    #[test]
    fn a_panic_is_a_refusal() {
        assert_eq!(unless_refused(|| 1), Some(1));
        assert_eq!(
            unless_refused(|| if 1 < 2 {
                panic!("not here")
            }),
            None
        );
    }

    #[test]
    fn sequences_begin_with_the_shortest() {
        let words = sequences(&['a', 'b'], 2).into_iter().map(String::from_iter).collect::<Vec<_>>();
        assert_eq!(words, ["", "a", "b", "aa", "ab", "ba", "bb"]);
    }
}
