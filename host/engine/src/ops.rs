//! The ops of a run as its guest knows them: what was started, and whether its end may still be delivered.
//!
//! | state     | cancel    | detach   | settle   | deliver |
//! |-----------|-----------|----------|----------|---------|
//! | Open      | Canceling | Detached | Settled  | gone    |
//! | Canceling | Canceling | Detached | Settled  | gone    |
//! | Settled   | Settled   | Detached | Settled  | gone    |
//! | Detached  | Detached  | Detached | Detached | -       |
//! | gone      | gone      | gone     | gone     | -       |
//!
//! *Settled* means that the op's end lies in the mailbox; of a detached op it is dropped. A replay goes from open or
//! canceling straight to delivered: its mailbox was emptied long ago. An outcome in the mailbox stands, so a cancel
//! that comes after it changes nothing. A detached op stays known as one, and counts no more as open, whether or not
//! its end ever comes: a replay does not see ends that were dropped, and must come to the same count. What a `-`
//! marks is a mistake of the host, or a damaged journal.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::Op;

/// What an op is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpKind {
    /// An activity.
    Activity,
    /// A timer.
    Timer,
    /// The start of a child.
    ChildStart,
    /// A child.
    Child,
    /// A signal or a cancel request to another execution.
    Sending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpState {
    Open,
    Canceling,
    Settled,
    Detached,
}

/// The ops of one run that are not gone.
#[derive(Clone, Debug, Default)]
pub struct Ops {
    last: Op,
    live: BTreeMap<Op, (OpKind, OpState)>,
    /// How many of `live` are detached.
    detached: usize,
}

/// The op of a child's end, from that of its start: it is the one after it. Of what only a damaged journal has, the last
/// one, which nobody gets to.
pub fn end_of_child(started: Op) -> Op {
    started.saturating_add(1)
}

/// Why a call about an op was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// The number was never given out.
    #[error("op {0} was never started")]
    NeverStarted(Op),
    /// Its end was delivered.
    #[error("op {0} has ended: each op is delivered once")]
    Gone(Op),
    /// The guest gave up interest in it.
    #[error("op {0} is detached: its outcome will never be delivered")]
    Detached(Op),
}

/// What a cancel means for the op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelEffect {
    /// The op is to be canceled.
    Request(OpKind),
    /// The op has an outcome already, was canceled before, or is not wanted any more.
    Nothing,
}

impl Ops {
    /// Gives out the next op.
    pub fn start(&mut self, kind: OpKind) -> Op {
        self.last += 1;
        self.live.insert(self.last, (kind, OpState::Open));
        self.last
    }

    /// Those that may still be delivered, and whether the guest has asked for their end.
    pub fn pending(&self) -> impl Iterator<Item = (Op, OpKind, bool)> {
        self.live.iter().filter_map(|(op, (kind, state))| match state {
            OpState::Open | OpState::Settled => Some((*op, *kind, false)),
            OpState::Canceling => Some((*op, *kind, true)),
            OpState::Detached => None,
        })
    }

    /// How many may still be delivered.
    pub fn open(&self) -> usize {
        self.live.len() - self.detached
    }

    /// The guest asks for the op's end.
    ///
    /// # Errors
    /// When the op was never started. One that has ended is fine: nothing happens.
    pub fn cancel(&mut self, op: Op) -> Result<CancelEffect, OpError> {
        let Some((kind, state)) = self.find(op)? else { return Ok(CancelEffect::Nothing) };
        match state {
            OpState::Open => {
                *state = OpState::Canceling;
                Ok(CancelEffect::Request(*kind))
            }
            OpState::Canceling | OpState::Settled | OpState::Detached => Ok(CancelEffect::Nothing),
        }
    }

    /// The guest gives up interest in the op. Answers whether it had any.
    ///
    /// # Errors
    /// When the op was never started. One that has ended is fine: nothing happens.
    pub fn detach(&mut self, op: Op) -> Result<bool, OpError> {
        let Some((_, state)) = self.find(op)? else { return Ok(false) };
        Ok(match state {
            OpState::Open | OpState::Canceling | OpState::Settled => {
                *state = OpState::Detached;
                self.detached += 1;
                true
            }
            OpState::Detached => false,
        })
    }

    /// The op's end has come into the mailbox. Answers whether it may be delivered.
    pub fn settle(&mut self, op: Op) -> bool {
        let Some((_, state)) = self.live.get_mut(&op) else { return false };
        match state {
            OpState::Open | OpState::Canceling => {
                *state = OpState::Settled;
                true
            }
            // The first outcome stands.
            OpState::Settled => false,
            OpState::Detached => false,
        }
    }

    /// The op's end goes to the guest.
    ///
    /// # Errors
    /// When it may not, as [`Self::check_wait`]. What lies in a mailbox always may; what a damaged journal has, need not.
    pub fn deliver(&mut self, op: Op) -> Result<(), OpError> {
        self.check_wait(op)?;
        self.live.remove(&op);
        Ok(())
    }

    /// Whether the op's end lies in the mailbox.
    pub fn is_settled(&self, op: Op) -> bool {
        matches!(self.live.get(&op), Some((_, OpState::Settled)))
    }

    /// Whether a wait may name the op.
    ///
    /// # Errors
    /// When its end can never be delivered.
    pub fn check_wait(&self, op: Op) -> Result<(), OpError> {
        match self.live.get(&op) {
            Some((_, OpState::Open | OpState::Canceling | OpState::Settled)) => Ok(()),
            Some((_, OpState::Detached)) => Err(OpError::Detached(op)),
            None => Err(self.gone(op)),
        }
    }

    fn find(&mut self, op: Op) -> Result<Option<&mut (OpKind, OpState)>, OpError> {
        if op == 0 || op > self.last {
            return Err(OpError::NeverStarted(op));
        }
        Ok(self.live.get_mut(&op))
    }

    fn gone(&self, op: Op) -> OpError {
        if op == 0 || op > self.last { OpError::NeverStarted(op) } else { OpError::Gone(op) }
    }
}

#[cfg(test)]
mod tests {
    use refrain_tables::{hold, seen, sequences};

    use super::*;

    fn state(ops: &Ops, op: Op) -> String {
        ops.live.get(&op).map_or("gone".to_owned(), |(_, state)| format!("{state:?}"))
    }

    #[test]
    fn the_table_has_all_that_can_become_of_an_op() {
        let mut transitions = Vec::new();
        for events in sequences(&["cancel", "detach", "settle", "deliver"], 4) {
            let mut ops = Ops::default();
            let op = ops.start(OpKind::Timer);
            for event in events {
                let before = state(&ops, op);
                let refused = match event {
                    "cancel" => ops.cancel(op).is_err(),
                    "detach" => ops.detach(op).is_err(),
                    "settle" => {
                        ops.settle(op);
                        false
                    }
                    _ => ops.deliver(op).is_err(),
                };
                if refused {
                    transitions.push(seen(before, event, "-"));
                    break;
                }
                transitions.push(seen(before, event, state(&ops, op)));
            }
        }
        hold(include_str!("ops.rs"), "state", transitions);
    }

    /// One letter for each column of the table: starts a timer, applies the letters, tells what they answered and
    /// what became of it.
    fn check(letters: &str, expected: &str) {
        let mut ops = Ops::default();
        let op = ops.start(OpKind::Timer);
        let mut said = String::new();
        for letter in letters.chars() {
            match letter {
                'c' => match ops.cancel(op).expect("started") {
                    CancelEffect::Request(_) => said.push_str("request "),
                    CancelEffect::Nothing => said.push_str("nothing "),
                },
                'd' => {
                    let had = ops.detach(op).expect("started");
                    said.push_str(if had { "given-up " } else { "as-before " });
                }
                's' => said.push_str(if ops.settle(op) { "kept " } else { "dropped " }),
                'v' => ops.deliver(op).expect("it may be delivered"),
                other => panic!("no transition {other}"),
            }
        }
        assert_eq!(format!("{said}{}", state(&ops, op)), expected, "after {letters}");
    }

    #[test]
    fn each_call_answers_whether_it_meant_something() {
        check("", "Open");
        check("c", "request Canceling");
        check("d", "given-up Detached");
        check("s", "kept Settled");
        check("v", "gone");
        check("cc", "request nothing Canceling");
        check("cd", "request given-up Detached");
        check("cs", "request kept Settled");
        check("cv", "request gone");
        check("sc", "kept nothing Settled");
        check("sd", "kept given-up Detached");
        check("ss", "kept dropped Settled");
        check("sv", "kept gone");
        check("dc", "given-up nothing Detached");
        check("dd", "given-up as-before Detached");
        check("ds", "given-up dropped Detached");
    }

    #[test]
    fn waits_may_name_what_can_still_be_delivered() {
        let mut ops = Ops::default();
        let (open, detached, delivered) =
            (ops.start(OpKind::Timer), ops.start(OpKind::Timer), ops.start(OpKind::Timer));
        assert_eq!(ops.open(), 3);
        ops.detach(detached).expect("started");
        assert_eq!(ops.open(), 2, "detached ops do not count as open");
        ops.deliver(delivered).expect("started");
        assert_eq!(ops.check_wait(open), Ok(()));
        assert_eq!(ops.check_wait(detached), Err(OpError::Detached(detached)));
        assert_eq!(ops.check_wait(delivered), Err(OpError::Gone(delivered)));
        assert_eq!(ops.check_wait(9), Err(OpError::NeverStarted(9)));
        assert_eq!(ops.cancel(0), Err(OpError::NeverStarted(0)));
        assert_eq!(ops.deliver(detached), Err(OpError::Detached(detached)));
        assert_eq!(ops.deliver(delivered), Err(OpError::Gone(delivered)));
        assert_eq!(ops.open(), 1, "what is refused changes nothing");
    }
}
