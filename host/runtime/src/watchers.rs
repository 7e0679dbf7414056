//! Who waits for a run to change: long polls and followers.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use refrain_store::schema::RunKey;
use tokio::sync::watch;

/// The runs that somebody watches, and nothing else.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<HashMap<RunKey, watch::Sender<()>>>);

/// One who watches a run.
pub(crate) struct Watcher<'a> {
    watchers: &'a Watchers,
    key: RunKey,
    changes: watch::Receiver<()>,
}

impl Watchers {
    /// Is told of each later commit of the run. Subscribe first and read afterwards, so that nothing is missed.
    pub(crate) fn subscribe(&self, key: &RunKey) -> Watcher<'_> {
        let changes = self.lock().entry(key.clone()).or_insert_with(|| watch::channel(()).0).subscribe();
        Watcher { watchers: self, key: key.clone(), changes }
    }

    /// The run has changed, durably.
    pub(crate) fn notify(&self, key: &RunKey) {
        if let Some(sender) = self.lock().get(key) {
            sender.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunKey, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher<'_> {
    /// Waits for the next commit of the run.
    pub(crate) async fn changed(&mut self) {
        // The sender stays for as long as somebody watches.
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        let mut watched = self.watchers.lock();
        if watched.get(&self.key).is_some_and(|sender| sender.receiver_count() == 1) {
            watched.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use refrain_engine::ids::{Namespace, RunId};

    use super::*;

    #[test]
    fn all_who_watch_are_told_and_nothing_is_left_of_those_who_have_gone() {
        let (watchers, key) =
            (Watchers::default(), RunKey::new(Namespace::default(), RunId::from_bytes([1; 16])));
        let (mut first, mut second) = (watchers.subscribe(&key), watchers.subscribe(&key));
        assert!(first.changed().now_or_never().is_none());
        watchers.notify(&key);
        assert!(first.changed().now_or_never().is_some());
        drop(first);
        assert!(second.changed().now_or_never().is_some(), "one who leaves takes nobody along");
        drop(second);
        assert!(watchers.lock().is_empty());
        watchers.notify(&key);
        assert!(watchers.lock().is_empty());
    }
}
