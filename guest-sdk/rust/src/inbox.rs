//! What the run was told and has not used yet: outcomes of ops, signals, a cancel request; and who waits for
//! it.
//!
//! Events come in by [`deliver`] alone. Nothing here calls the host except a dropped [`OpFuture`].

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::bindings::refrain::workflow::messages::Message;
use crate::bindings::refrain::workflow::types::{Outcome, Payload, UnreadSignal};
use crate::bindings::refrain::workflow::wait::Event;
use crate::host;
use crate::wakes::Waiters;

thread_local! {
    /// One instance has one run, and one thread.
    static INBOX: RefCell<Inbox> = RefCell::default();
}

#[derive(Default)]
struct Inbox {
    ops: BTreeMap<u64, Slot>,
    signals: Channels,
    /// How many signals came.
    arrivals: u64,
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

/// What is called with the input of a signal.
pub(crate) type SignalHandler = Rc<dyn Fn(&Payload)>;

/// Sorted by name. A binary search rather than one more map: its code would be a part of every component.
#[derive(Default)]
struct Channels(Vec<Channel>);

#[derive(Default)]
struct Channel {
    name: String,
    /// Each with its place among all signals that came.
    unread: VecDeque<(u64, Payload)>,
    waiters: Waiters,
    /// Gets what comes, in place of those who wait.
    handler: Option<SignalHandler>,
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

fn with<R>(f: impl FnOnce(&mut Inbox) -> R) -> R {
    INBOX.with_borrow_mut(f)
}

/// Forgets everything: a new run begins.
pub(crate) fn open() {
    let old = with(std::mem::take);
    drop(old);
}

/// The run has ended. Returns the signals that were not read, in the order in which they came.
pub(crate) fn close() -> Vec<UnreadSignal> {
    let (unread, handlers) = with(|inbox| {
        inbox.closed = true;
        let channels = &mut inbox.signals.0;
        let handlers: Vec<_> = channels.iter_mut().filter_map(|channel| channel.handler.take()).collect();
        let mut unread: Vec<_> = channels
            .iter_mut()
            .flat_map(|Channel { name, unread, .. }| {
                let signal = |(place, input)| (place, UnreadSignal { name: name.clone(), input });
                unread.drain(..).map(signal)
            })
            .collect();
        unread.sort_unstable_by_key(|(place, _)| *place);
        (unread.into_iter().map(|(_, signal)| signal).collect(), handlers)
    });
    // Outside, as what they hold may be an op's future.
    drop(handlers);
    unread
}

/// Takes an event in, and wakes who waits for it or calls who handles it.
pub(crate) fn deliver(event: Event) {
    // Called without the inbox, which a handler may use.
    if let Some((handler, input)) = with(|inbox| take_in(inbox, event)) {
        handler(&input);
    }
}

fn take_in(inbox: &mut Inbox, event: Event) -> Option<(SignalHandler, Payload)> {
    match event {
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
            if let Some(handler) = &channel.handler {
                return Some((handler.clone(), signal.input));
            }
            inbox.arrivals += 1;
            channel.unread.push_back((inbox.arrivals, signal.input));
            channel.waiters.wake_all();
        }
        Event::Message(Message::CancelRequested(request)) => {
            inbox.cancel = Some(request.reason);
            inbox.cancel_waiters.wake_all();
        }
        // The executor gives queries and updates to those who answer them; what has an unknown kind is to be
        // ignored.
        Event::Message(Message::Update(_) | Message::Query(_) | Message::Other(_)) => {}
    }
    None
}

/// Whether the end of that op is still to come, and wanted.
pub(crate) fn is_open(op: u64) -> bool {
    with(|inbox| inbox.ops.get(&op).is_some_and(|slot| slot.outcome.is_none()))
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
    with(|inbox| inbox.signals.get(name)?.unread.pop_front()).map(|(_, input)| input)
}

/// From now on `handler` gets the signals of that name, beginning with those that are unread.
pub(crate) fn handle_signal(name: &str, handler: &SignalHandler) {
    let (unread, replaced) = with(|inbox| {
        let channel = inbox.signals.get_or_add(name);
        (std::mem::take(&mut channel.unread), channel.handler.replace(handler.clone()))
    });
    drop(replaced);
    for (_, input) in unread {
        handler(&input);
    }
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
