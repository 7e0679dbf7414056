//! A run that was made to answer one query. It replays the journal and gets the query as the return of the wait
//! at which the journal ends. From then on it may do nothing that a run would record, and it is thrown away:
//! there is no step to close.
//!
//! | call                          | Replays                           | Ended           | Asked              | Answered        |
//! |-------------------------------|-----------------------------------|-----------------|--------------------|-----------------|
//! | `wait.next` for messages      | Replays or Asked or mismatch      | Asked           | not-handled        | the answer      |
//! | other `wait.next`             | Replays or not-served or mismatch | not-served      | tried-to-change    | tried-to-change |
//! | `messages.answer`             | mismatch                          | misuse          | Answered or misuse | misuse          |
//! | `control.finish`              | Ended or mismatch                 | tried-to-change | tried-to-change    | tried-to-change |
//! | other commands                | Replays or mismatch               | tried-to-change | tried-to-change    | tried-to-change |
//! | new markers                   | Replays                           | tried-to-change | tried-to-change    | tried-to-change |
//! | reads                         | Replays or mismatch               | Ended           | Asked              | Answered        |
//! | notes, markers it has had     | Replays                           | Ended           | Asked              | Answered        |
//! | return                        | not-served or mismatch            | not-served      | tried-to-change    | tried-to-change |
//!
//! A mismatch is a replay's: what its code does, whether the contract allows it or not, is not what was recorded.

use std::sync::Arc;

use bytes::Bytes;

use super::checks::misuse;
use super::{Halt, Mode, Run, State};
use crate::activity::check_size;
use crate::call::{Call, Command, Completion, Interest, Reply};
use crate::codec::DecodeError;
use crate::failure::{Failure, FailureKind, Outcome};
use crate::history::describe_interest;
use crate::ids::Digest;
use crate::journal::Started;
use crate::mailbox::Event;
use crate::payload::Payload;

/// The type of the failure of a query that meets no wait which takes messages.
pub const NOT_SERVED: &str = "not-served";

/// The type of the failure of a query that the code took and left without an answer.
pub const NOT_HANDLED: &str = "not-handled";

/// The type of the failure of a query whose handling would have changed the run.
pub const TRIED_TO_CHANGE: &str = "query-tried-to-change";

/// What the one query of an instance is answered by. What else could be answered counts from 1.
const REQUEST: u64 = 0;

/// A question to a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Which.
    pub name: String,
    /// Its argument.
    pub input: Payload,
}

/// A query, once the journal has come to its end.
#[derive(Debug)]
pub(super) struct Inquiry {
    stage: Stage,
    /// The last line of the log, if that can be last words: of code that panicked, its message.
    last_words: Option<String>,
}

#[derive(Debug)]
enum Stage {
    /// The run has ended, and its code went on.
    Ended(Query),
    /// The code has the query.
    Asked,
    /// The code has answered it, and not waited yet.
    Answered(Outcome),
}

impl Inquiry {
    pub(super) fn last_words(&self) -> Option<&str> {
        self.last_words.as_deref()
    }
}

impl Run {
    /// A run that replays these records of its journal, all of them or those up to a step of its past, and then
    /// gets this query. Executing it comes to [`Halt::Answered`], and changes nothing.
    ///
    /// # Errors
    /// As [`Self::replay`].
    ///
    /// # Panics
    /// As [`Self::replay`].
    pub fn query(
        started: Arc<Started>,
        records: Vec<Bytes>,
        code: Digest,
        boot: u64,
        query: Query,
    ) -> Result<Self, DecodeError> {
        let mut run = Self::replay(started, records, code, boot)?;
        if run.is_replaying() {
            run.query = Some(query);
        } else {
            run.state = State::Halted(not_served("it has not come to its first wait"));
        }
        Ok(run)
    }

    /// The code has returned with this completion, which ends the run as `control.finish` does. Only after that
    /// call a query's instance goes on; there is no going on after a return.
    pub fn returned(&mut self, completion: Completion) -> Halt {
        let has_ended = matches!(&self.mode, Mode::Query(Inquiry { stage: Stage::Ended(_), .. }));
        let answer =
            if has_ended { Ok(Reply::Done) } else { self.call(Call::Command(Command::Finish(completion))) };
        answer.err().unwrap_or_else(|| {
            not_served("it has ended, and its code does not go on to answer queries after that")
        })
    }

    /// The journal has ended in this wait.
    pub(super) fn ask(&mut self, query: Query, interest: &Interest) -> Result<Reply, Halt> {
        if !interest.takes_messages() {
            let interest = describe_interest(interest);
            return Err(not_served(&format!("it waits for {interest}, and takes no messages meanwhile")));
        }
        self.mode = Mode::Query(Inquiry { stage: Stage::Asked, last_words: None });
        let Query { name, input } = query;
        Ok(Reply::Events(vec![Event::Query { request: REQUEST, name, input }]))
    }

    /// The journal has ended with the run's end.
    pub(super) fn go_on(&mut self, query: Query) -> Reply {
        self.mode = Mode::Query(Inquiry { stage: Stage::Ended(query), last_words: None });
        Reply::Done
    }

    /// A call after the journal's end.
    pub(super) fn inquire(&mut self, call: Call) -> Result<Reply, Halt> {
        let Mode::Query(inquiry) = &mut self.mode else { unreachable!("only a query's instance comes here") };
        match call {
            Call::Read(read) => self.read(read),
            Call::Note(note) => {
                inquiry.last_words = note.last_words().map(str::to_owned);
                Ok(Reply::Done)
            }
            Call::Marker(marker) if self.markers.contains_key(marker.id()) => self.marker(&marker),
            Call::Answer { request, outcome } => {
                let misuse = misuse("messages.answer");
                check_size("answer", outcome.size(), self.profile).map_err(&misuse)?;
                match &inquiry.stage {
                    Stage::Asked if request == REQUEST => {
                        inquiry.stage = Stage::Answered(outcome);
                        Ok(Reply::Done)
                    }
                    Stage::Answered(_) if request == REQUEST => {
                        Err(misuse(format!("query {request} is answered: answer each query once")))
                    }
                    Stage::Ended(_) | Stage::Asked | Stage::Answered(_) => Err(misuse(no_query(request))),
                }
            }
            Call::Command(Command::Wait(interest)) => {
                match std::mem::replace(&mut inquiry.stage, Stage::Asked) {
                    Stage::Ended(query) => self.ask(query, &interest),
                    Stage::Asked | Stage::Answered(_) if !interest.takes_messages() => {
                        Err(tried_to_change(Command::Wait(interest).import()))
                    }
                    Stage::Asked => Err(failed(
                        NOT_HANDLED,
                        "the workflow's code took the query and waited again without an answer".to_owned(),
                    )),
                    Stage::Answered(outcome) => Err(Halt::Answered(Box::new(outcome))),
                }
            }
            call @ (Call::Command(_) | Call::Marker(_)) => Err(tried_to_change(call.import())),
        }
    }
}

/// What is wrong with the answer to a query that was not asked.
pub(super) fn no_query(request: u64) -> String {
    format!("query is {request}, and no wait delivered such a query: answer the request of the message")
}

fn not_served(why: &str) -> Halt {
    failed(NOT_SERVED, format!("the run takes no queries where it stands: {why}"))
}

fn tried_to_change(import: &str) -> Halt {
    let message = format!("the query's handling called {import}: a query only looks, and may not");
    failed(TRIED_TO_CHANGE, message)
}

fn failed(error_type: &str, message: String) -> Halt {
    Halt::Answered(Box::new(Outcome::Failed(Failure::new(FailureKind::Host, error_type, message))))
}
