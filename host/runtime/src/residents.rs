//! Which waiting instances stay in memory: the least recently used go first when they take too much.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use refrain_store::schema::RunKey;

/// The instances that wait.
pub(crate) struct Residents {
    maximum_bytes: usize,
    maximum_instances: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    tick: u64,
    bytes: usize,
    by_age: BTreeMap<u64, (RunKey, usize)>,
    by_key: HashMap<RunKey, u64>,
}

impl Residents {
    pub(crate) fn new(maximum_bytes: usize, maximum_instances: usize) -> Self {
        Self { maximum_bytes, maximum_instances, waiting: Mutex::default() }
    }

    /// The run's instance begins to wait. Answers the runs whose instances are to be dropped.
    pub(crate) fn waits(&self, key: &RunKey, bytes: usize) -> Vec<RunKey> {
        let mut waiting = self.lock();
        waiting.remove(key);
        waiting.tick += 1;
        let tick = waiting.tick;
        waiting.bytes += bytes;
        waiting.by_age.insert(tick, (key.clone(), bytes));
        waiting.by_key.insert(key.clone(), tick);
        let mut evicted = Vec::new();
        while waiting.bytes > self.maximum_bytes || waiting.by_age.len() > self.maximum_instances {
            let Some((_, (key, _))) = waiting.by_age.first_key_value() else { break };
            let key = key.clone();
            waiting.remove(&key);
            evicted.push(key);
        }
        evicted
    }

    /// The run's instance executes, or is gone.
    pub(crate) fn leaves(&self, key: &RunKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn remove(&mut self, key: &RunKey) {
        if let Some((_, bytes)) = self.by_key.remove(key).and_then(|tick| self.by_age.remove(&tick)) {
            self.bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use refrain_engine::ids::{Namespace, RunId};

    use super::*;

    fn run(byte: u8) -> RunKey {
        RunKey::new(Namespace::default(), RunId::from_bytes([byte; 16]))
    }

    #[test]
    fn the_least_recently_used_go_first_by_bytes_and_by_number() {
        let residents = Residents::new(100, 3);
        assert_eq!(residents.waits(&run(1), 40), []);
        assert_eq!(residents.waits(&run(2), 40), []);
        assert_eq!(residents.waits(&run(1), 40), [], "waiting again is not counted twice");
        assert_eq!(residents.waits(&run(3), 40), [run(2)], "1 waited again after 2");
        residents.leaves(&run(1));
        assert_eq!(residents.waits(&run(4), 1), []);
        assert_eq!(residents.waits(&run(5), 1), []);
        assert_eq!(residents.waits(&run(6), 1), [run(3)], "four are too many");
    }
}
