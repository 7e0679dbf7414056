//! Finds the owner of a run, or spawns it. At most one exists for each run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use refrain_store::schema::RunKey;
use tokio::sync::{Notify, mpsc};

use crate::owner::{self, Message};
use crate::shared::Shared;

/// The owners that exist.
#[derive(Default)]
pub(crate) struct Registry {
    owners: Mutex<HashMap<RunKey, mpsc::UnboundedSender<Message>>>,
    /// An owner has gone.
    gone: Notify,
}

impl Registry {
    /// Gives a message to the run's owner. Messages of one sender arrive in order.
    pub(crate) fn send(&self, shared: &Arc<Shared>, key: &RunKey, message: Message) {
        let mut owners = self.lock();
        let sender = owners.entry(key.clone()).or_insert_with(|| {
            let (sender, inbox) = mpsc::unbounded_channel();
            tokio::spawn(owner::own(Arc::clone(shared), key.clone(), inbox));
            sender
        });
        // The receiver lives until the owner has been taken out of the map.
        let _received = sender.send(message);
    }

    /// As [`Self::send`], but only to an owner that exists.
    pub(crate) fn send_if_present(&self, key: &RunKey, message: Message) {
        if let Some(sender) = self.lock().get(key) {
            let _received = sender.send(message);
        }
    }

    /// Gives a message to every owner.
    pub(crate) fn broadcast(&self, message: impl Fn() -> Message) {
        self.lock().values().for_each(|sender| {
            let _received = sender.send(message());
        });
    }

    pub(crate) fn contains(&self, key: &RunKey) -> bool {
        self.lock().contains_key(key)
    }

    /// The owner wants to end. Answers whether it may: nothing has been sent to it meanwhile.
    pub(crate) fn leave(&self, key: &RunKey, inbox: &mpsc::UnboundedReceiver<Message>) -> bool {
        let mut owners = self.lock();
        if !inbox.is_empty() {
            return false;
        }
        owners.remove(key);
        drop(owners);
        self.gone.notify_waiters();
        true
    }

    /// The owner has failed: the next message spawns another one.
    pub(crate) fn remove(&self, key: &RunKey) {
        self.lock().remove(key);
        self.gone.notify_waiters();
    }

    /// Waits until there is no owner.
    pub(crate) async fn empty(&self) {
        loop {
            let gone = self.gone.notified();
            tokio::pin!(gone);
            gone.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            gone.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunKey, mpsc::UnboundedSender<Message>>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
