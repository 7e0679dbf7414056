//! What the run was told and has not used yet: outcomes of ops, signals, a cancel request; and who waits for
//! it.
//!
//! Events come in by [`deliver`] alone. Nothing here calls the host except a dropped [`OpFuture`].

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::bindings::refrain::workflow::messages::Message;
use crate::bindings::refrain::workflow::types::{Outcome, Payload};
use crate::bindings::refrain::workflow::wait::Event;
use crate::host;

thread_local! {
    /// One instance has one run, and one thread.
    static INBOX: RefCell<Inbox> = RefCell::default();
}

#[derive(Default)]
struct Inbox {
    ops: BTreeMap<u64, Slot>,
    signals: Channels,
    cancel: Option<String>,
    cancel_waiters: Waiters,
    /// The run has ended: what is dropped from now on is the host's to end.
    closed: bool,
}

#[derive(Default)]
struct Slot {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

/// Sorted by name. A binary search rather than one more map: its code would be a part of every component.
#[derive(Default)]
struct Channels(Vec<Channel>);

#[derive(Default)]
struct Channel {
    name: String,
    unread: VecDeque<Payload>,
    waiters: Waiters,
}

impl Channels {
    fn get(&mut self, name: &str) -> Option<&mut Channel> {
        let place = self.find(name).ok()?;
        self.0.get_mut(place)
    }

    fn get_or_add(&mut self, name: &str) -> &mut Channel {
        let place = self.find(name).unwrap_or_else(|place| {
            self.0.insert(place, Channel { name: name.to_owned(), ..Channel::default() });
            place
        });
        &mut self.0[place]
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|channel| channel.name.as_str().cmp(name))
    }
}

/// Those who wait for the same thing, in the order in which they began to.
#[derive(Default)]
struct Waiters {
    last: u64,
    /// By ticket, in ascending order.
    wakers: Vec<(u64, Waker)>,
}

impl Waiters {
    /// Remembers a waiter. `ticket` is the waiter's own place, kept across its polls.
    fn register(&mut self, ticket: &mut Option<u64>, cx: &Context<'_>) {
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

    fn forget(&mut self, ticket: u64) {
        if let Some(place) = self.find(ticket) {
            self.wakers.remove(place);
        }
    }

    fn find(&self, ticket: u64) -> Option<usize> {
        self.wakers.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()
    }

    fn wake_all(&self) {
        for (_, waker) in &self.wakers {
            waker.wake_by_ref();
        }
    }
}

fn with<R>(f: impl FnOnce(&mut Inbox) -> R) -> R {
    INBOX.with_borrow_mut(f)
}

/// Forgets everything: a new run begins.
pub(crate) fn open() {
    let old = with(std::mem::take);
    drop(old);
}

/// The run has ended. Returns how many signals were not read, by name.
pub(crate) fn close() -> Vec<(String, usize)> {
    with(|inbox| {
        inbox.closed = true;
        let unread = inbox.signals.0.iter().filter(|channel| !channel.unread.is_empty());
        unread.map(|channel| (channel.name.clone(), channel.unread.len())).collect()
    })
}

/// Takes an event in and wakes who waits for it.
pub(crate) fn deliver(event: Event) {
    with(|inbox| match event {
        Event::Finished(finished) => {
            // Without a slot the op's future was dropped, and the end has no reader.
            if let Some(slot) = inbox.ops.get_mut(&finished.op) {
                slot.outcome = Some(finished.outcome);
                if let Some(waker) = slot.waker.take() {
                    waker.wake();
                }
            }
        }
        Event::Message(Message::Signal(signal)) => {
            let channel = inbox.signals.get_or_add(&signal.name);
            channel.unread.push_back(signal.input);
            channel.waiters.wake_all();
        }
        Event::Message(Message::CancelRequested(request)) => {
            inbox.cancel = Some(request.reason);
            inbox.cancel_waiters.wake_all();
        }
        // Queries are answered before anything is delivered. Nothing in this world answers an update, and what has
        // an unknown kind is to be ignored.
        Event::Message(Message::Update(_) | Message::Query(_) | Message::Other(_)) => {}
    });
}

/// The end of an op that was started.
pub(crate) struct OpFuture {
    op: u64,
    on_drop: OnDrop,
    done: bool,
}

/// What becomes of an op whose future is dropped before its end.
#[derive(Clone, Copy)]
pub(crate) enum OnDrop {
    /// The work goes on; its outcome is never delivered.
    Detach,
    /// As nobody can see the difference, it is canceled as well, and no longer counts as open.
    Cancel,
}

impl OpFuture {
    pub(crate) fn new(op: u64, on_drop: OnDrop) -> Self {
        with(|inbox| inbox.ops.insert(op, Slot::default()));
        Self { op, on_drop, done: false }
    }

    pub(crate) fn cancel(&self, reason: &str) {
        if !self.done {
            host::with(|host| host.cancel(self.op, reason));
        }
    }
}

impl Future for OpFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let outcome = with(|inbox| {
            let slot = inbox.ops.get_mut(&self.op)?;
            let Some(outcome) = slot.outcome.take() else {
                slot.waker = Some(cx.waker().clone());
                return None;
            };
            inbox.ops.remove(&self.op);
            Some(outcome)
        });
        match outcome {
            Some(outcome) => {
                self.done = true;
                Poll::Ready(outcome)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for OpFuture {
    fn drop(&mut self) {
        if self.done || std::thread::panicking() {
            return;
        }
        let open = with(|inbox| {
            let delivered = inbox.ops.remove(&self.op).is_some_and(|slot| slot.outcome.is_some());
            !delivered && !inbox.closed
        });
        if open {
            host::with(|host| {
                if let OnDrop::Cancel = self.on_drop {
                    host.cancel(self.op, "no longer waited for");
                }
                host.detach(self.op);
            });
        }
    }
}

/// Takes the oldest unread signal of that name.
pub(crate) fn take_signal(name: &str) -> Option<Payload> {
    with(|inbox| inbox.signals.get(name)?.unread.pop_front())
}

/// Waits for signals of that name.
pub(crate) fn register_for_signal(name: &str, ticket: &mut Option<u64>, cx: &Context<'_>) {
    with(|inbox| inbox.signals.get_or_add(name).waiters.register(ticket, cx));
}

/// Stops to wait for signals of that name.
pub(crate) fn unregister_for_signal(name: &str, ticket: u64) {
    with(|inbox| {
        if let Some(channel) = inbox.signals.get(name) {
            channel.waiters.forget(ticket);
        }
    });
}

/// The reason given with the cancel request, once there is one.
pub(crate) fn cancel_reason() -> Option<String> {
    with(|inbox| inbox.cancel.clone())
}

pub(crate) fn register_for_cancel(ticket: &mut Option<u64>, cx: &Context<'_>) {
    with(|inbox| inbox.cancel_waiters.register(ticket, cx));
}

pub(crate) fn unregister_for_cancel(ticket: u64) {
    with(|inbox| inbox.cancel_waiters.forget(ticket));
}
