//! Other code for a run, between two of its steps. The run's journal is replayed with it first, and only code that
//! comes to the journal's end takes over: a move never makes a run one that cannot go on.

use std::sync::Arc;

use bytes::Bytes;
use refrain_engine::codec;
use refrain_engine::guest::Stop;
use refrain_engine::journal::{self, Code, Record};
use refrain_engine::limits::Profile;
use refrain_engine::run::Run;
use refrain_store::schema::{ComponentVersion, Key};
use tokio::sync::oneshot;
use tracing::Instrument;

use super::steps::Executed;
use super::{Gone, Instance, Owner};
use crate::error::Error;
use crate::rows;
use crate::trial::{judge, no_such_workflow, unopened};
use crate::version_types::{MoveTo, Moved, Verdict};

/// Someone's wish that a run have other code.
pub(crate) struct MoveRequest {
    pub(crate) to: MoveTo,
    /// Why, for people.
    pub(crate) reason: String,
    pub(crate) reply: oneshot::Sender<Result<Moved, Error>>,
}

impl MoveRequest {
    /// Answers who waits.
    pub(super) fn answer(self, answer: Result<Moved, Error>) {
        // Who asked may have gone away.
        let _answered = self.reply.send(answer);
    }
}

/// What came of trying the code.
enum Tried {
    /// It can take over. A run that has made no step has no instance yet.
    Fits(Option<Instance>, Verdict),
    Refused(Verdict),
    /// Someone ended the run meanwhile.
    Terminated,
}

impl Owner<'_> {
    /// Makes the moves that wait. No step is under way.
    pub(super) async fn make_moves(&mut self) -> Result<(), Gone> {
        while let Some(request) = self.moves.pop_front() {
            let answer = self.make_move(&request.to, &request.reason).await?;
            request.answer(answer);
        }
        Ok(())
    }

    async fn make_move(&mut self, to: &MoveTo, reason: &str) -> Result<Result<Moved, Error>, Gone> {
        if let Err(error) = self.shared.check_open() {
            return Ok(Err(error));
        }
        // What the latest step recorded is replayed as well.
        self.flush().await?;
        if let Some(error) = self.closed() {
            return Ok(Err(error));
        }
        self.know_rows()?;
        let journal = rows::read_journal(&*self.shared.store, self.key)?;
        let version = match self.destination(to, &journal)? {
            Ok(version) => version,
            Err(error) => return Ok(Err(error)),
        };
        let code = Code { component: version.name.clone(), version: version.version, digest: version.digest };
        let run_id = self.key.run;
        if code == self.code() {
            return Ok(Ok(Moved { run_id, code, verdict: Verdict::Identical, moved: false }));
        }
        let tried = if version.defines(&self.started.workflow) {
            self.try_code(&code, journal).await?
        } else {
            let known = version.workflows.iter().map(|workflow| workflow.name.as_str());
            Tried::Refused(no_such_workflow(&self.started.workflow, known))
        };
        match (tried, self.closed()) {
            (_, Some(closed)) => Ok(Err(closed)),
            (Tried::Fits(instance, verdict), None) => {
                self.take_over(instance, &code, reason).await?;
                Ok(Ok(Moved { run_id, code, verdict, moved: true }))
            }
            // Through no fault of the code: nothing is said of whether it would fit.
            (Tried::Refused(Verdict::Unavailable(what)), None) => Ok(Err(Error::NotNow { what })),
            (Tried::Refused(verdict), None) => {
                let id = self.started.workflow_id.to_string();
                Ok(Err(Error::Diverges { id, run_id, verdict: Box::new(verdict) }))
            }
            (Tried::Terminated, None) => unreachable!("a run that was terminated has ended"),
        }
    }

    /// The version that is meant.
    fn destination(
        &self,
        to: &MoveTo,
        journal: &[Bytes],
    ) -> Result<Result<Arc<ComponentVersion>, Error>, Gone> {
        let (components, namespace) = (&self.shared.components, &self.key.namespace);
        let component = self.code().component;
        Ok(match to {
            MoveTo::Version(number) => components.version(namespace, &component, Some(*number)),
            MoveTo::Code(digest) => components.version_of_code(namespace, &component, *digest),
            MoveTo::Back => match self.former_code(journal)? {
                Ok(code) => components.version(namespace, &code.component, Some(code.version)),
                Err(reason) => {
                    let (id, run_id) = (self.started.workflow_id.to_string(), self.key.run);
                    Err(Error::NothingToUndo { id, run_id, reason })
                }
            },
        })
    }

    /// The code before the latest move, if nothing was recorded since; else why there is none.
    fn former_code(&self, journal: &[Bytes]) -> Result<Result<Code, &'static str>, Gone> {
        let mut moves = Vec::new();
        let mut last_is_move = false;
        for record in journal {
            last_is_move = match codec::decode("journal record", record)? {
                Record::Moved(moved) => {
                    moves.push(moved.code);
                    true
                }
                Record::Step(_)
                | Record::Terminated(_)
                | Record::Failed(_)
                | Record::TimedOut(_)
                | Record::Canceled(_) => false,
            };
        }
        if moves.pop().is_none() {
            return Ok(Err("it was never moved"));
        }
        if !last_is_move {
            return Ok(Err("it has made steps since"));
        }
        Ok(Ok(moves.pop().unwrap_or_else(|| self.started.code())))
    }

    /// Replays the run with the code, and meanwhile takes messages in. The instance that the run has stays as it is.
    async fn try_code(&mut self, code: &Code, journal: Vec<Bytes>) -> Result<Tried, Gone> {
        let Some(profile) = Profile::get(self.started.profile) else {
            let reason = format!("determinism profile {} is not of this host", self.started.profile);
            return Ok(Tried::Refused(Verdict::Unavailable(reason)));
        };
        let guest = match self.shared.guests.open(code.digest, profile).await {
            Ok(guest) => guest,
            Err(error) => return Ok(Tried::Refused(unopened(&error))),
        };
        // Taken only now: who waits for code to be compiled keeps nobody else from loading.
        let Ok(_permit) = self.shared.loading.clone().acquire_owned().await else {
            return Ok(Tried::Refused(Verdict::Unavailable("the host is shutting down".to_owned())));
        };
        let run = Run::replay(Arc::clone(&self.started), journal, code.digest, self.shared.boot)?;
        if !run.is_replaying() {
            // It has made no step, so any code will do; its first is made by an instance that begins then.
            return Ok(Tried::Fits(None, Verdict::Identical));
        }
        let span = tracing::debug_span!("move", workflow_id = %self.started.workflow_id);
        let instance = Instance { guest, run: Box::new(run) };
        Ok(match self.execute(instance).instrument(span).await? {
            Executed::Stopped(instance, stop) => {
                let waits = matches!(stop, Stop::Wait);
                match judge(&instance.run, stop) {
                    verdict if waits && verdict.would_replay() => Tried::Fits(Some(instance), verdict),
                    verdict => Tried::Refused(verdict),
                }
            }
            Executed::Terminated => Tried::Terminated,
            Executed::Panicked(message) => {
                Tried::Refused(Verdict::Unavailable(format!("the host panicked: {message}")))
            }
        })
    }

    /// Makes the move durable, and goes on with the instance. A parked run is parked no more.
    async fn take_over(&mut self, instance: Option<Instance>, code: &Code, reason: &str) -> Result<(), Gone> {
        let former = self.code();
        let (time, boot) = (self.shared.now(), self.shared.boot);
        self.append(&Record::Moved(journal::Moved {
            time,
            boot,
            code: code.clone(),
            reason: reason.to_owned(),
        }));
        self.books.require(Key::component_version(&self.key.namespace, &code.component, code.version));
        self.books.delete(self.key.pinned(&former));
        self.books.put(self.key.pinned(code), Bytes::new());
        self.books.head_mut().code = Some(code.clone());
        self.resume();
        self.drop_instance();
        self.flush().await?;
        // What has arrived so far is read with the mailbox, as when a run is loaded.
        drop(self.books.take_unpushed());
        if let Some(mut instance) = instance {
            let mailbox = rows::read_mailbox(&*self.shared.store, self.key)?;
            self.push(&mut instance.run, mailbox);
            self.instance = Some(instance);
            self.advanced = true;
        }
        tracing::info!(
            workflow_id = %self.started.workflow_id, from = former.version, to = code.version, "the run was moved"
        );
        Ok(())
    }
}
