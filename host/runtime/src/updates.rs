//! Updates: what callers send to runs and wait for the answer of.
//!
//! The run's owner takes an update in and writes how far it has come; who waits reads that, and looks again at each
//! commit of the run that has it, through all the runs that it moves to.

use std::time::Duration;

use refrain_engine::codec;
use refrain_engine::ids::{Namespace, RunId, check_name};
use refrain_engine::mailbox::MailboxEntry;
use refrain_engine::outline::{OpenUpdate, Outline};
use refrain_engine::payload::Payload;
use refrain_engine::time::Timestamp;
pub use refrain_store::schema::UpdateStatus;
use refrain_store::schema::{RunKey, UpdateRow};
use uuid::Builder;

use crate::error::Error;
use crate::inspect;
use crate::owner::Message;
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::start::within_payload_limit;
use crate::types::Target;

/// An update.
#[derive(Clone, Debug, PartialEq)]
pub struct SendUpdate {
    /// The caller's own id of it: the same one again is the same update.
    pub update_id: String,
    /// Which.
    pub name: String,
    /// Its argument.
    pub input: Payload,
}

/// How far an update must have come for who waits for it. One that was rejected or completed has come as far as it
/// ever will.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaitStage {
    /// It lies in the run's mailbox.
    Admitted,
    /// The workflow has let it in.
    Accepted,
    /// It has an answer.
    #[default]
    Completed,
}

/// How far an update has come.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdateProgress {
    /// The run that has it, or had it.
    pub run_id: RunId,
    /// How far.
    pub status: UpdateStatus,
    /// Whether that is as far as was waited for.
    pub reached: bool,
}

/// An update that has no answer, in the description of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingUpdate {
    /// The caller's own id of it.
    pub update_id: String,
    /// Which.
    pub name: String,
    /// The workflow has let it in. Until then it lies in the mailbox.
    pub is_accepted: bool,
    /// When it came.
    pub at: Timestamp,
}

impl WaitStage {
    fn is_reached(self, status: &UpdateStatus) -> bool {
        match status {
            UpdateStatus::Admitted => self == Self::Admitted,
            UpdateStatus::Accepted => self != Self::Completed,
            UpdateStatus::Rejected(_) | UpdateStatus::Completed(_) => true,
        }
    }
}

impl Runtime {
    /// An id for an update whose sender gives none.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new_update_id(&self) -> Result<String, Error> {
        Ok(Builder::from_random_bytes(self.shared.options.entropy.draw(b"update")?).into_uuid().to_string())
    }

    /// Sends an update. It is durable when this answers, with the run that has it.
    ///
    /// # Errors
    /// When there is no such run, it has ended, too many messages or updates wait, it has rejected many just now, or
    /// the store refuses.
    pub async fn update(
        &self,
        namespace: &Namespace,
        target: &Target,
        update: SendUpdate,
    ) -> Result<RunId, Error> {
        self.shared.check_open()?;
        check(&update)?;
        // An update that was admitted has its answer even when its run has none any more.
        let chain = chain(&self.shared, namespace, target)?;
        if let Some(row) = find(&self.shared, &chain, &update.update_id)? {
            return Ok(row.run);
        }
        let taken = |reply| Message::Update { update: update.clone(), begins: false, reply };
        Ok(self.ask_run(namespace, target, taken).await?.run)
    }

    /// How far an update has come. Waits for its coming so far at most so long.
    ///
    /// # Errors
    /// When there is no such run or update, or the store cannot be read.
    pub async fn update_progress(
        &self,
        namespace: &Namespace,
        target: &Target,
        update_id: &str,
        stage: WaitStage,
        wait: Duration,
    ) -> Result<UpdateProgress, Error> {
        let chain = chain(&self.shared, namespace, target)?;
        progress(&self.shared, &chain, update_id, stage, wait).await
    }
}

/// Refuses what no update may be.
pub(crate) fn check(update: &SendUpdate) -> Result<(), Error> {
    check_name("update", &update.name)?;
    check_name("update_id", &update.update_id)?;
    within_payload_limit("input", update.input.size())
}

/// The first run of the chain that the meant run belongs to: its updates are kept there.
fn chain(shared: &Shared, namespace: &Namespace, target: &Target) -> Result<RunKey, Error> {
    let key = inspect::resolve(shared, namespace, target)?;
    let first = inspect::read_started(shared, &key)?.first_run_id;
    Ok(RunKey::new(key.namespace, first))
}

/// What is known of an update to the runs of a chain.
pub(crate) fn find(shared: &Shared, chain: &RunKey, update_id: &str) -> Result<Option<UpdateRow>, Error> {
    // No such update was let in.
    if check_name("update_id", update_id).is_err() {
        return Ok(None);
    }
    let key = chain.update(update_id);
    let row = shared.store.get(key.table, &key.bytes)?;
    Ok(row.map(|row| codec::decode("update", &row)).transpose()?)
}

/// The updates of a run that have no answer, as journal and mailbox have them.
pub(crate) fn pending(outline: &Outline, mailbox: &[MailboxEntry]) -> Vec<PendingUpdate> {
    let pending =
        |is_accepted, OpenUpdate { update_id, name, at }| PendingUpdate { update_id, name, is_accepted, at };
    let accepted = outline.updates.values().cloned().map(|update| pending(true, update));
    let admitted = mailbox.iter().filter_map(OpenUpdate::of).map(|update| pending(false, update));
    accepted.chain(admitted).collect()
}

async fn progress(
    shared: &Shared,
    chain: &RunKey,
    update_id: &str,
    stage: WaitStage,
    wait: Duration,
) -> Result<UpdateProgress, Error> {
    let read = || {
        find(shared, chain, update_id)?
            .ok_or_else(|| Error::NotFound { what: "update", id: update_id.to_owned() })
    };
    let deadline = shared.now().after(wait);
    let mut run = read()?.run;
    loop {
        let key = RunKey::new(chain.namespace.clone(), run);
        let mut changes = shared.watchers.subscribe(&key);
        let row = read()?;
        let answer = |reached, status| Ok(UpdateProgress { run_id: row.run, status, reached });
        if stage.is_reached(&row.status) {
            return answer(true, row.status);
        }
        if row.run != run {
            // It has moved to the next run.
            run = row.run;
            continue;
        }
        let changed = tokio::select! {
            () = changes.changed() => true,
            () = shared.stopping() => false,
            () = shared.clock.sleep_until(deadline) => false,
        };
        if !changed {
            return answer(false, row.status);
        }
    }
}
