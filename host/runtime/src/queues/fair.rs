//! Weighted fair queueing among the fairness keys of one priority.
//!
//! Each task gets a tag when it begins to wait: its key's last tag, or the virtual time if that is later,
//! plus the inverse of its weight. Who has the least tag goes first, and the virtual time follows the tags
//! that were served. So a key with ten thousand tasks has tags far ahead, and ten tasks of a key that comes
//! later get tags near the virtual time. A key without tasks is forgotten: the virtual time has passed its
//! last tag by then.

use std::collections::HashMap;
use std::sync::Arc;

/// Where a task stands among those of its priority, in units of service.
pub(super) type Tag = u64;

/// A task of weight 1. With the least weight a tag of 64 bits lasts for 10^10 tasks without a pause.
const SERVICE: f64 = 1e6;

/// The least and the greatest weight.
const WEIGHTS: (f64, f64) = (0.001, 1_000.0);

/// The tasks of one priority.
#[derive(Default)]
pub(super) struct Fair {
    virtual_time: Tag,
    /// Those of workers, and those of this process. Apart, since they are served by different hands: a
    /// backlog that no worker takes must not put off its key's tasks that could run here.
    keys: [HashMap<Arc<str>, Progress>; 2],
    waiting: u64,
}

#[derive(Default)]
struct Progress {
    last: Tag,
    waiting: u64,
}

impl Fair {
    /// How many tasks wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    /// A task begins to wait. Answers its tag, and its key for [`Self::leave`].
    pub(super) fn enter(&mut self, key: &str, in_process: bool, weight: f64) -> (Tag, Arc<str>) {
        let keys = &mut self.keys[usize::from(in_process)];
        let key: Arc<str> =
            keys.get_key_value(key).map_or_else(|| Arc::from(key), |(known, _)| Arc::clone(known));
        let progress = keys.entry(Arc::clone(&key)).or_default();
        progress.last = progress.last.max(self.virtual_time).saturating_add(cost(weight));
        progress.waiting += 1;
        self.waiting += 1;
        (progress.last, key)
    }

    /// A task with this tag is served. [`Self::leave`] follows.
    pub(super) fn serve(&mut self, tag: Tag) {
        self.virtual_time = self.virtual_time.max(tag);
    }

    /// A task waits no more.
    pub(super) fn leave(&mut self, key: &str, in_process: bool) {
        let keys = &mut self.keys[usize::from(in_process)];
        self.waiting -= 1;
        if let Some(progress) = keys.get_mut(key) {
            progress.waiting -= 1;
            if progress.waiting == 0 {
                keys.remove(key);
            }
        }
        if self.waiting == 0 {
            *self = Self::default();
        }
    }
}

/// What a task of this weight costs its key.
fn cost(weight: f64) -> Tag {
    let weight = if weight.is_nan() { 1.0 } else { weight.clamp(WEIGHTS.0, WEIGHTS.1) };
    (SERVICE / weight) as Tag
}
