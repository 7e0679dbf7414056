//! Conditions: waiting until what the workflow knows is so.
//!
//! Nothing tells when a variable has changed, so each condition is looked at again when everything that could go
//! on has run, and after another one came true; in the order in which they began to wait. That order, and when it
//! happens, depend on nothing but the events of the journal.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::wakes::Waiters;

thread_local! {
    static CONDITIONS: RefCell<Conditions> = RefCell::default();
}

#[derive(Default)]
struct Conditions {
    waiters: Waiters,
    /// Something ran since they were looked at.
    changed: bool,
}

/// Forgets everything: a new run begins.
pub(crate) fn open() {
    let old = CONDITIONS.take();
    drop(old);
    changed();
}

/// Something has run or is going to, which may have made a condition true.
pub(crate) fn changed() {
    CONDITIONS.with_borrow_mut(|conditions| conditions.changed = true);
}

/// Nothing has run since the conditions were last looked at but they themselves, and none of them came true.
pub(crate) fn is_quiet() -> bool {
    CONDITIONS.with_borrow(|conditions| !conditions.changed)
}

/// Called when nothing can go on: wakes those who wait, if there are any and something has changed for them.
pub(crate) fn wake() -> bool {
    CONDITIONS.with_borrow_mut(|conditions| {
        let wake = std::mem::take(&mut conditions.changed) && !conditions.waiters.are_none();
        if wake {
            conditions.waiters.wake_all();
        }
        wake
    })
}

pub(crate) fn register(ticket: &mut Option<u64>, cx: &Context<'_>) {
    CONDITIONS.with_borrow_mut(|conditions| conditions.waiters.register(ticket, cx));
}

pub(crate) fn unregister(ticket: u64) {
    CONDITIONS.with_borrow_mut(|conditions| conditions.waiters.forget(ticket));
}

/// Waits until `predicate` is true.
///
/// ```
/// # use std::cell::Cell;
/// # use std::rc::Rc;
/// # use refrain_sdk::*;
/// const PAID: Signal<u64> = Signal::new("paid");
///
/// /// Waits until the whole price was paid, in however many parts.
/// #[workflow(signals(PAID))]
/// async fn paid(price: u64) -> Result<u64, Failure> {
///     let sum = Rc::new(Cell::new(0));
///     PAID.handle({
///         let sum = sum.clone();
///         async move |part| sum.set(sum.get() + part)
///     });
///     timeout(days(14), wait_condition(|| sum.get() >= price)).await.context("wait for the money")?;
///     Ok(sum.get())
/// }
/// ```
///
/// The predicate is called at once, and again whenever everything that could go on has run: at least once for each
/// wait of the workflow, so it costs as much as there are conditions, while what waits for a signal or an activity
/// costs nothing until that is there. It may only look, as how often it is called is nobody's promise. What it looks
/// at is what the workflow knows: time passes unseen, so give it a limit with [`timeout`](crate::timeout).
pub fn wait_condition<P: FnMut() -> bool>(predicate: P) -> WaitCondition<P> {
    WaitCondition { predicate, ticket: None }
}

/// Made by [`wait_condition`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct WaitCondition<P> {
    predicate: P,
    ticket: Option<u64>,
}

impl<P> Unpin for WaitCondition<P> {}

impl<P: FnMut() -> bool> Future for WaitCondition<P> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if (self.predicate)() {
            // Who waited goes on, and may make others true.
            changed();
            Poll::Ready(())
        } else {
            register(&mut self.ticket, cx);
            Poll::Pending
        }
    }
}

impl<P> Drop for WaitCondition<P> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            unregister(ticket);
        }
    }
}
