//! Who is to be polled next: the queue under the executor and under every combinator.
//!
//! A future that holds others gives each of them a waker of its own. Waking puts the child's number at the
//! end of a queue, once, and wakes the holder; the holder then polls only those that were woken, in the order
//! in which they were. That order is the order of the events that the host delivered, so that of two things
//! that happen, the one that happened first is seen first, however deep it is nested. Ten thousand children
//! cost no more per event than one does. Nothing here depends on addresses, hashes or time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Wake, Waker};

/// A queue of children to poll.
#[derive(Clone, Default)]
pub(crate) struct Wakes(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<Child>>,
    parent: Option<Waker>,
}

/// One child, known by its number; what its waker points to.
pub(crate) struct Child {
    index: usize,
    queued: AtomicBool,
    /// Weak: the queue may hold the child.
    queue: Weak<Mutex<Queue>>,
}

impl Wakes {
    /// A new child, queued for its first poll.
    pub(crate) fn child(&self, index: usize) -> Arc<Child> {
        let queue = Arc::downgrade(&self.0);
        let child = Arc::new(Child { index, queued: AtomicBool::new(false), queue });
        child.wake_by_ref();
        child
    }

    /// Says whom to wake when a child is woken.
    pub(crate) fn set_parent(&self, parent: &Waker) {
        let mut queue = self.lock();
        match &queue.parent {
            Some(known) if known.will_wake(parent) => {}
            _ => queue.parent = Some(parent.clone()),
        }
    }

    /// How many children wait for a poll. A holder polls as many and then returns: those that are woken
    /// meanwhile have woken the holder too.
    pub(crate) fn len(&self) -> usize {
        self.lock().ready.len()
    }

    /// Takes the child that was woken first.
    pub(crate) fn pop(&self) -> Option<usize> {
        let child = self.lock().ready.pop_front()?;
        child.queued.store(false, Ordering::Relaxed);
        Some(child.index)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        lock(&self.0)
    }
}

/// One thread: the lock is only there because wakers must be `Sync`.
fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for Child {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Without a queue the holder is gone.
        let Some(queue) = self.queue.upgrade() else { return };
        if !self.queued.swap(true, Ordering::Relaxed) {
            let parent = {
                let mut queue = lock(&queue);
                queue.ready.push_back(self.clone());
                queue.parent.clone()
            };
            if let Some(parent) = parent {
                parent.wake();
            }
        }
    }
}

/// Those who wait for the same thing, in the order in which they began to.
#[derive(Default)]
pub(crate) struct Waiters {
    last: u64,
    /// By ticket, in ascending order.
    wakers: Vec<(u64, Waker)>,
}

impl Waiters {
    /// Remembers a waiter. `ticket` is the waiter's own place, kept across its polls.
    pub(crate) fn register(&mut self, ticket: &mut Option<u64>, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        match ticket.and_then(|ticket| self.find(ticket)) {
            Some(place) => self.wakers[place].1 = waker,
            None => {
                self.last += 1;
                *ticket = Some(self.last);
                self.wakers.push((self.last, waker));
            }
        }
    }

    pub(crate) fn forget(&mut self, ticket: u64) {
        if let Some(place) = self.find(ticket) {
            self.wakers.remove(place);
        }
    }

    fn find(&self, ticket: u64) -> Option<usize> {
        self.wakers.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }

    pub(crate) fn are_none(&self) -> bool {
        self.wakers.is_empty()
    }

    pub(crate) fn wake_all(&self) {
        for (_, waker) in &self.wakers {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_polled_once_in_the_order_of_their_wakes() {
        let wakes = Wakes::default();
        let children: Vec<_> = (0..3).map(|index| wakes.child(index)).collect();
        assert_eq!([wakes.pop(), wakes.pop(), wakes.pop(), wakes.pop()], [Some(0), Some(1), Some(2), None]);
        for index in [2, 0, 2] {
            Waker::from(children[index].clone()).wake();
        }
        assert_eq!([wakes.pop(), wakes.pop(), wakes.pop()], [Some(2), Some(0), None]);
    }
}
