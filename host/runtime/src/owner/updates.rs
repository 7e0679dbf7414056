//! Updates to the run: how they come in, and how far each has come.
//!
//! An update is a message, with a row of its own that says what became of it. The row is written in the batch that
//! makes its being told true: with the arrival, with the step that accepts, rejects or completes it, with the run's
//! end. A closing run leaves none of them open.
//!
//! | it is           | the run closes        | the run closes, and another follows |
//! |-----------------|-----------------------|-------------------------------------|
//! | not durable yet | refused               | admitted, in the next run's mailbox |
//! | admitted        | ends with `run-ended` | admitted, in the next run's mailbox |
//! | accepted        | ends with `run-ended` | ends with `run-ended`               |

use std::collections::BTreeMap;
use std::time::Duration;

use refrain_engine::codec::{self, DecodeError};
use refrain_engine::failure::Outcome;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::outline::{OpenUpdate, Outline};
use refrain_engine::run::UpdateStage;
use refrain_engine::time::Timestamp;
use refrain_engine::updates::run_ended;
use refrain_store::schema::{Key, RunKey, RunStatus, UpdateRow, UpdateStatus};

use super::books::put;
use super::{Gone, Owner, Reply};
use crate::error::Error;
use crate::rows;
use crate::updates::SendUpdate;

/// Updates of one run that were admitted and have no answer. Each is somebody who waits, and all of them are
/// answered or moved in the batch that closes the run. Temporal lets ten be in flight; here one costs a row.
const OPEN_UPDATES: usize = 100;

/// Updates that a run may reject in one second before more are refused at the door. Each takes journal bytes, and
/// nothing but its caller's patience would keep one that tries again and again from filling the journal.
const REJECTED_PER_SECOND: u32 = 20;

/// What the owner knows of its run's updates.
#[derive(Default)]
pub(super) struct Updates {
    /// Those without an end, durable or not, by the callers' ids. Known where the run's rows are.
    open: BTreeMap<String, OpenUpdate>,
    rejected: Rejected,
}

/// How many updates the run has rejected lately.
#[derive(Default)]
struct Rejected {
    /// When the second that is counted began.
    since: Timestamp,
    count: u32,
}

impl Rejected {
    const SECOND: Duration = Duration::from_secs(1);

    fn one_more(&mut self, now: Timestamp) {
        if now >= self.since.after(Self::SECOND) {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }

    fn too_many(&self, now: Timestamp) -> bool {
        now < self.since.after(Self::SECOND) && self.count >= REJECTED_PER_SECOND
    }
}

/// The row of an update that came to a run with this key.
pub(crate) fn update_row(run: &RunKey, update: &OpenUpdate, status: UpdateStatus) -> bytes::Bytes {
    codec::encode(&UpdateRow { name: update.name.clone(), status, at: update.at, run: run.run })
}

impl Owner<'_> {
    /// Somebody sends an update. The same update again is the same, however far it has come.
    pub(super) async fn update(
        &mut self,
        update: SendUpdate,
        begins: bool,
        reply: Reply,
    ) -> Result<(), Gone> {
        let SendUpdate { update_id, name, input } = update;
        let key = self.update_key(&update_id);
        if self.shared.store.get(key.table, &key.bytes)?.is_some() || self.books.requests(&key) {
            self.books.reply(reply, Ok(()));
            return Ok(());
        }
        if let Some(error) = self.refuse_message() {
            self.books.reply(reply, Err(error));
            return Ok(());
        }
        if !self.books.knows_rows() {
            // What has arrived so far is read with the mailbox.
            self.flush().await?;
            self.know_rows()?;
        }
        let item = Item::Update { update_id: update_id.clone(), name: name.clone(), input };
        if let Some(error) = self.refuse_update().or_else(|| self.refuse_more(&item)) {
            self.books.reply(reply, Err(error));
            return Ok(());
        }
        let open = OpenUpdate { update_id: update_id.clone(), name, at: self.shared.now() };
        let row = put(key, update_row(self.key, &open, UpdateStatus::Admitted));
        self.updates.open.insert(update_id, open);
        self.arrive(item, vec![row], Some(reply));
        if begins {
            self.end_start_delay();
        }
        Ok(())
    }

    /// Why the run takes no more updates just now, if that is so.
    fn refuse_update(&self) -> Option<Error> {
        let id = self.started.workflow_id.as_str();
        let what = if self.updates.open.len() >= OPEN_UPDATES {
            format!("workflow {id:?} has {OPEN_UPDATES} updates that wait for an answer, and takes no more")
        } else if self.updates.rejected.too_many(self.shared.now()) {
            format!("workflow {id:?} has rejected {REJECTED_PER_SECOND} updates within a second")
        } else {
            return None;
        };
        Some(Error::UpdateBusy { what })
    }

    /// Kept with the first run of the chain: who asks for an update may meet a later one.
    fn update_key(&self, update_id: &str) -> Key {
        RunKey::new(self.key.namespace.clone(), self.started.first_run_id).update(update_id)
    }

    /// Learns which updates are open, from the journal and the mailbox.
    pub(super) fn learn_updates(&mut self, outline: Outline, mailbox: &[MailboxEntry]) {
        let accepted = outline.updates.into_values();
        let open = accepted.chain(mailbox.iter().filter_map(OpenUpdate::of));
        self.updates.open = open.map(|update| (update.update_id.clone(), update)).collect();
    }

    /// As [`Self::learn_updates`], where journal or mailbox are damaged: from the rows of the chain, however many
    /// there are.
    pub(super) fn learn_updates_of_damaged(&mut self) -> Result<(), Gone> {
        let chain = RunKey::new(self.key.namespace.clone(), self.started.first_run_id).updates();
        for (key, row) in rows::read_all(&*self.shared.store, &chain)? {
            let Ok(UpdateRow { name, status, at, run }) = decode(&row) else { continue };
            let is_open = match status {
                UpdateStatus::Admitted | UpdateStatus::Accepted => run == self.key.run,
                UpdateStatus::Rejected(_) | UpdateStatus::Completed(_) => false,
            };
            if let Some(update_id) = chain.update_of(&key).filter(|_| is_open) {
                self.updates.open.insert(update_id.clone(), OpenUpdate { update_id, name, at });
            }
        }
        Ok(())
    }

    /// A step has brought an update further. One that is not open here is another run's, of which this one is a
    /// copy: that has answered it.
    pub(super) fn update_came_to(&mut self, update_id: &str, stage: UpdateStage) {
        let (update, status) = match stage {
            UpdateStage::Accepted => (self.updates.open.get(update_id).cloned(), UpdateStatus::Accepted),
            UpdateStage::Rejected(failure) => {
                self.updates.rejected.one_more(self.shared.now());
                (self.updates.open.remove(update_id), UpdateStatus::Rejected(failure))
            }
            UpdateStage::Completed(outcome) => {
                (self.updates.open.remove(update_id), UpdateStatus::Completed(outcome))
            }
        };
        if let Some(update) = update {
            self.books.put(self.update_key(update_id), update_row(self.key, &update, status));
        }
    }

    /// A message goes on to the run that follows. An update's row says so; whoever waits for it goes there too.
    pub(super) fn move_update(&mut self, message: &MailboxEntry, next: &RunKey) {
        if let Some(update) = OpenUpdate::of(message) {
            self.updates.open.remove(&update.update_id);
            let key = self.update_key(&update.update_id);
            self.books.put(key, update_row(next, &update, UpdateStatus::Admitted));
        }
    }

    /// A message was refused after all, and is in no mailbox.
    pub(super) fn forget_update(&mut self, message: &MailboxEntry) {
        if let Some(update) = OpenUpdate::of(message) {
            self.updates.open.remove(&update.update_id);
        }
    }

    /// The run ends so: nobody will answer those that are open, and their callers hear it.
    pub(super) fn end_updates(&mut self, status: RunStatus) {
        for (update_id, update) in std::mem::take(&mut self.updates.open) {
            let failure = run_ended(status.as_str());
            let status = UpdateStatus::Completed(Outcome::Failed(failure));
            self.books.put(self.update_key(&update_id), update_row(self.key, &update, status));
        }
    }
}

fn decode(row: &[u8]) -> Result<UpdateRow, DecodeError> {
    codec::decode("update", row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_count_for_a_second() {
        let mut rejected = Rejected::default();
        let at = |millis: u64| Timestamp(1_000_000_000_000).after(Duration::from_millis(millis));
        for millis in 0..u64::from(REJECTED_PER_SECOND) {
            assert!(!rejected.too_many(at(millis)));
            rejected.one_more(at(millis));
        }
        assert!(rejected.too_many(at(500)));
        assert!(!rejected.too_many(at(1_000)));
        rejected.one_more(at(1_000));
        assert!(!rejected.too_many(at(1_001)));
    }
}
