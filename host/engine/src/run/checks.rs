//! Checks of live commands, before they change anything: a guest's mistake names the field, the value and
//! the remedy.

use super::{Halt, Run};
use crate::activity;
use crate::call::{Command, Completion, Interest};
use crate::ids::check_name;
use crate::time::Timestamp;

impl Run {
    /// Checks a live command before it changes anything.
    pub(super) fn check(&self, command: &Command) -> Result<(), Halt> {
        match command {
            Command::StartActivity(activity) => {
                let import = command.import();
                activity::check_command(activity, self.profile).map_err(misuse(import))?;
                self.check_open_ops(import)
            }
            Command::StartTimer { delay, .. } => {
                if self.time.after(*delay) > Timestamp::MAX_DEADLINE {
                    return Err(misuse("timer.start")(format!(
                        "delay is {delay:?}, past the year 2500: give a shorter one"
                    )));
                }
                self.check_open_ops("timer.start")
            }
            Command::Wait(interest) => self.check_interest(interest),
            Command::Finish(completion) => {
                let payload = match completion {
                    Completion::Completed(result) | Completion::Canceled(Some(result)) => Some(result),
                    Completion::ContinueAsNew(next) => {
                        if let Some(workflow) = &next.workflow {
                            check_name("next-run.workflow", workflow).map_err(misuse("control.finish"))?;
                        }
                        let misuse = misuse("control.finish");
                        for (name, _) in &next.unread {
                            check_name("next-run.unread", name).map_err(|error| misuse(error.to_string()))?;
                        }
                        // Together: they move with what was not delivered, in one batch.
                        let unread = next.unread.iter().map(|(name, input)| name.len() + input.size()).sum();
                        activity::check_size("next-run.unread", unread, self.profile).map_err(misuse)?;
                        Some(&next.input)
                    }
                    Completion::Failed(failure) => {
                        return activity::check_size("failure", failure.size(), self.profile)
                            .map_err(misuse("control.finish"));
                    }
                    Completion::Canceled(None) => None,
                };
                payload.map_or(Ok(()), |payload| {
                    activity::check_size("completion", payload.size(), self.profile)
                        .map_err(misuse("control.finish"))
                })
            }
            Command::StartChild(child) => {
                child.check(self.profile).map_err(misuse("child.start"))?;
                self.check_room("child.start", 2)
            }
            Command::Signal { name, input, .. } => {
                let misuse = misuse("external.signal");
                check_name("name", name).map_err(|error| misuse(error.to_string()))?;
                activity::check_size("input", input.size(), self.profile).map_err(misuse)?;
                self.check_open_ops("external.signal")
            }
            Command::RequestCancel { .. } => self.check_open_ops("external.request-cancel"),
            Command::RejectUpdate { reason, .. } => {
                activity::check_size("reason", reason.size(), self.profile).map_err(misuse("messages.reject"))
            }
            Command::CompleteUpdate { outcome, .. } => {
                activity::check_size("answer", outcome.size(), self.profile)
                    .map_err(misuse("messages.complete"))
            }
            Command::AcceptUpdate { .. } | Command::Cancel { .. } | Command::Detach { .. } => Ok(()),
        }
    }

    fn check_open_ops(&self, import: &'static str) -> Result<(), Halt> {
        self.check_room(import, 1)
    }

    fn check_room(&self, import: &'static str, ops: usize) -> Result<(), Halt> {
        let maximum = self.profile.open_ops;
        if self.ops.open() + ops <= maximum {
            return Ok(());
        }
        Err(misuse(import)(format!(
            "{maximum} ops are open, the most a run may have: wait for some of them first"
        )))
    }

    fn check_interest(&self, interest: &Interest) -> Result<(), Halt> {
        let ops = match interest {
            Interest::Everything => return Ok(()),
            Interest::Ops(ops) if ops.is_empty() => {
                return Err(misuse("wait.next")(
                    "interest names no op and no messages: nothing could end this wait",
                ));
            }
            Interest::Ops(ops) | Interest::OpsAndMessages(ops) => ops,
        };
        ops.iter().try_for_each(|op| self.ops.check_wait(*op)).map_err(misuse("wait.next"))
    }
}

pub(super) fn misuse<M: std::fmt::Display>(import: &'static str) -> impl Fn(M) -> Halt {
    move |message| Halt::Misuse(format!("{import}: {message}"))
}
