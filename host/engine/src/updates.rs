//! The updates of a run as its guest knows them: which it was given, and what may still be said of each.
//!
//! | state     | accept   | reject  | complete | the step ends   |
//! |-----------|----------|---------|----------|-----------------|
//! | Delivered | Accepted | gone    | refused  | gone, *ignored* |
//! | Accepted  | refused  | refused | gone     | Accepted        |
//! | gone      | refused  | refused | refused  | gone            |
//!
//! One that was *ignored*, neither accepted nor rejected in the step that got it, counts as rejected: its caller
//! hears so at once and does not wait for code that does not know it. What is still accepted when the run ends
//! is the host's to answer.

use std::collections::BTreeMap;

use crate::failure::{Failure, FailureKind};

/// The type of the failure of an update that the code took no notice of.
pub const UPDATE_NOT_HANDLED: &str = "not-handled";

/// The type of the failure of an update whose run ended before it was completed.
pub const RUN_ENDED: &str = "run-ended";

/// The updates that are not gone, by request.
#[derive(Clone, Debug, Default)]
pub struct Updates(BTreeMap<u64, Update>);

#[derive(Clone, Debug)]
struct Update {
    id: String,
    accepted: bool,
}

/// Why a call about an update was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// None that may be answered.
    #[error(
        "update is {0}, and no such update is open: answer each update once, and accept or reject it in the step \
         that got it"
    )]
    NotOpen(u64),
    /// It was accepted before.
    #[error("update {0} was accepted before: complete it")]
    Accepted(u64),
    /// It was not accepted.
    #[error("update {0} was not accepted: accept it first, or reject it")]
    NotAccepted(u64),
}

impl Updates {
    /// A wait delivers an update.
    pub fn deliver(&mut self, request: u64, id: &str) {
        self.0.insert(request, Update { id: id.to_owned(), accepted: false });
    }

    /// The guest lets it in. Answers the caller's id of it.
    ///
    /// # Errors
    /// When it may not.
    pub fn accept(&mut self, request: u64) -> Result<String, UpdateError> {
        let update = self.0.get_mut(&request).ok_or(UpdateError::NotOpen(request))?;
        if std::mem::replace(&mut update.accepted, true) {
            return Err(UpdateError::Accepted(request));
        }
        Ok(update.id.clone())
    }

    /// The guest turns it down. Answers the caller's id of it.
    ///
    /// # Errors
    /// When it may not.
    pub fn reject(&mut self, request: u64) -> Result<String, UpdateError> {
        self.close(request, false).ok_or(match self.0.contains_key(&request) {
            true => UpdateError::Accepted(request),
            false => UpdateError::NotOpen(request),
        })
    }

    /// The guest answers it. Answers the caller's id of it.
    ///
    /// # Errors
    /// When it may not.
    pub fn complete(&mut self, request: u64) -> Result<String, UpdateError> {
        self.close(request, true).ok_or(match self.0.contains_key(&request) {
            true => UpdateError::NotAccepted(request),
            false => UpdateError::NotOpen(request),
        })
    }

    fn close(&mut self, request: u64, accepted: bool) -> Option<String> {
        self.0.get(&request).filter(|update| update.accepted == accepted)?;
        self.0.remove(&request).map(|update| update.id)
    }

    /// The step ends. Answers the ignored ones: request and the caller's id.
    pub fn end_step(&mut self) -> Vec<(u64, String)> {
        self.0
            .extract_if(.., |_, update| !update.accepted)
            .map(|(request, update)| (request, update.id))
            .collect()
    }

    /// Those that were accepted and not completed: the callers' ids.
    pub fn accepted(&self) -> impl Iterator<Item = &str> {
        self.0.values().filter(|update| update.accepted).map(|update| update.id.as_str())
    }
}

/// What the caller of an ignored update hears.
pub fn not_handled() -> Failure {
    let message = "the workflow's code took no notice of the update in the step that got it: it has no handler of this name, or \
                   has ended with that step";
    Failure::new(FailureKind::Host, UPDATE_NOT_HANDLED, message)
}

/// What the caller of an update hears whose run ended so.
pub fn run_ended(how: &str) -> Failure {
    let message = format!("the run ended ({how}) before the update was completed");
    Failure::new(FailureKind::Host, RUN_ENDED, message)
}

#[cfg(test)]
mod tests {
    use refrain_tables::{hold, seen, sequences};

    use super::*;

    #[test]
    fn the_table_has_all_that_can_become_of_an_update() {
        let mut transitions = Vec::new();
        let state = |updates: &Updates| match updates.0.get(&3) {
            Some(Update { accepted: true, .. }) => "Accepted",
            Some(Update { accepted: false, .. }) => "Delivered",
            None => "gone",
        };
        for events in sequences(&["accept", "reject", "complete", "the step ends"], 4) {
            let mut updates = Updates::default();
            updates.deliver(3, "u");
            for event in events {
                let before = state(&updates);
                let answer = match event {
                    "accept" => updates.accept(3).map(|_| ""),
                    "reject" => updates.reject(3).map(|_| ""),
                    "complete" => updates.complete(3).map(|_| ""),
                    _ => Ok(if updates.end_step().is_empty() { "" } else { ", ignored" }),
                };
                let after = state(&updates);
                transitions.push(match answer {
                    Ok(more) => seen(before, event, format!("{after}{more}")),
                    Err(_) => {
                        assert_eq!(after, before, "what is refused changes nothing");
                        seen(before, event, "refused")
                    }
                });
            }
        }
        hold(include_str!("updates.rs"), "state", transitions);
    }

    /// One letter for each column of the table.
    fn check(letters: &str, expected: &str) {
        let mut updates = Updates::default();
        updates.deliver(3, "u");
        let said: Vec<String> = letters
            .chars()
            .map(|letter| match letter {
                'a' => {
                    updates.accept(3).map_or_else(|error| format!("{error:?}"), |id| format!("accepted {id}"))
                }
                'r' => {
                    updates.reject(3).map_or_else(|error| format!("{error:?}"), |id| format!("rejected {id}"))
                }
                'c' => updates
                    .complete(3)
                    .map_or_else(|error| format!("{error:?}"), |id| format!("completed {id}")),
                'e' => format!("{} ignored", updates.end_step().len()),
                other => panic!("no column {other}"),
            })
            .collect();
        let open = updates.accepted().count();
        assert_eq!(format!("{}; {open} accepted", said.join(", ")), expected, "after {letters}");
    }

    #[test]
    fn each_call_answers_the_callers_id_or_why_it_is_refused() {
        check("a", "accepted u; 1 accepted");
        check("r", "rejected u; 0 accepted");
        check("c", "NotAccepted(3); 0 accepted");
        check("e", "1 ignored; 0 accepted");
        check("aa", "accepted u, Accepted(3); 1 accepted");
        check("ar", "accepted u, Accepted(3); 1 accepted");
        check("ac", "accepted u, completed u; 0 accepted");
        check("ae", "accepted u, 0 ignored; 1 accepted");
        check("ra", "rejected u, NotOpen(3); 0 accepted");
        check("rr", "rejected u, NotOpen(3); 0 accepted");
        check("ec", "1 ignored, NotOpen(3); 0 accepted");
    }
}
