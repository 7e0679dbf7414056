//! Who waits for a run to change: long polls and followers of one run, and who watches them all.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use refrain_store::schema::RunKey;
use tokio::sync::{broadcast, watch};

/// Changes that one who watches all runs may be behind: some 100 bytes each. Whoever falls further behind is told so,
/// and looks at the list.
const CHANGES: usize = 8_192;

/// The runs that somebody watches, and nothing else.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    runs: HashMap<RunKey, watch::Sender<()>>,
    /// For those who watch all runs; `None` while nobody does.
    all: Option<broadcast::Sender<RunKey>>,
}

/// One who watches a run.
pub(crate) struct Watcher<'a> {
    watchers: &'a Watchers,
    key: RunKey,
    changes: watch::Receiver<()>,
}

impl Watchers {
    /// Is told of each later commit of the run. Subscribe first and read afterwards, so that nothing is missed.
    pub(crate) fn subscribe(&self, key: &RunKey) -> Watcher<'_> {
        let changes = self.lock().runs.entry(key.clone()).or_insert_with(|| watch::channel(()).0).subscribe();
        Watcher { watchers: self, key: key.clone(), changes }
    }

    /// Is told of each later commit of any run, of any namespace.
    pub(crate) fn subscribe_all(&self) -> broadcast::Receiver<RunKey> {
        self.lock().all.get_or_insert_with(|| broadcast::channel(CHANGES).0).subscribe()
    }

    /// The run has changed, durably.
    pub(crate) fn notify(&self, key: &RunKey) {
        let mut watched = self.lock();
        if let Some(sender) = watched.runs.get(key) {
            sender.send_replace(());
        }
        // It fails when nobody listens any more.
        watched.all.take_if(|all| all.send(key.clone()).is_err());
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
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
        if watched.runs.get(&self.key).is_some_and(|sender| sender.receiver_count() == 1) {
            watched.runs.remove(&self.key);
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
        assert!(watchers.lock().runs.is_empty());
        watchers.notify(&key);
        assert!(watchers.lock().runs.is_empty());
    }

    #[test]
    fn who_watches_all_runs_is_told_of_each_and_costs_nothing_afterwards() {
        let watchers = Watchers::default();
        let run = |byte| RunKey::new(Namespace::default(), RunId::from_bytes([byte; 16]));
        watchers.notify(&run(1));
        let mut all = watchers.subscribe_all();
        watchers.notify(&run(2));
        watchers.notify(&run(3));
        assert_eq!([all.try_recv(), all.try_recv()], [Ok(run(2)), Ok(run(3))]);
        drop(all);
        watchers.notify(&run(4));
        assert!(watchers.lock().all.is_none());
    }
}
