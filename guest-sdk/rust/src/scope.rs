//! Scopes: what is begun together and given up together.
//!
//! A *run* is one future that runs in a scope. Runs form a tree, by the future in which each was made. The work that
//! is started while a run's future is polled belongs to the innermost one, which is the last on a stack.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use crate::messages::{Canceled, canceled};
use crate::{Failure, conditions, host, inbox};

thread_local! {
    /// The runs whose futures are being polled, the innermost last; `None` is a shield.
    static STACK: RefCell<Vec<Option<Rc<Run>>>> = const { RefCell::new(Vec::new()) };
}

/// Cancels what was started in it, all at once.
///
/// ```
/// # use refrain_sdk::*;
/// # const STOP: Signal<()> = Signal::new("stop");
/// # async fn example() -> Result<(), Failure> {
/// let scope = CancelScope::new();
/// let copies = scope.run(async {
///     let copy = |disk: &str| activity::<u64>("copy", disk).start_to_close(hours(1));
///     try_join_all(["a", "b", "c"].map(copy)).await
/// });
/// let stop = async {
///     STOP.recv().await;
///     scope.cancel("stopped by hand");
/// };
/// let (copies, ()) = join!(copies, stop);
/// # copies?; Ok(()) }
/// ```
///
/// What belongs to a scope are the activities and the children that were started while a future that it
/// [runs](Self::run) was polled. (A task that was [spawned](crate::spawn) there is polled by itself: give it a
/// scope of its own, `spawn(scope.run(..))`.) When it is canceled:
///
/// 1. Each of them that is still open is asked to end, in the order in which they were started, as by
///    [`RunningActivity::cancel`](crate::RunningActivity::cancel). What was dropped is detached, and not asked.
/// 2. What would be started in it from then on fails at once as canceled. Nobody else hears of it.
/// 3. Its future goes on: it sees the failures, and may clean up in a [`shield`].
/// 4. Timers and receivers have no failure to see. So when nothing that belongs to the scope is open any more, no
///    shield is at work, and everything that could go on has run, a future that still waits is dropped, and the
///    scope's failure is of kind canceled, with the reason.
///
/// A scope that is run in another's future is canceled with it, after what is the outer one's own, and 4. counts what
/// belongs to the inner one too. A [`saga`](crate::saga)'s body is such a scope, and its compensations are shielded:
/// they run whenever the scope around it is canceled, wherever the saga stood. What is sent to other executions, and
/// timers, belong to no scope.
#[derive(Clone, Default)]
pub struct CancelScope(Rc<Scope>);

#[derive(Default)]
struct Scope {
    with_run: bool,
    /// Why it was canceled, once it was.
    reason: RefCell<Option<String>>,
    runs: RefCell<Vec<Rc<Run>>>,
}

/// One future that runs in a scope.
struct Run {
    scope: Rc<Scope>,
    /// What belongs to it and was not seen to end, in ascending order.
    ops: RefCell<Vec<u64>>,
    nested: RefCell<Vec<Rc<Run>>>,
    shields: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl CancelScope {
    /// One that is canceled by hand, or with the scope in which it runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is also canceled when someone asks the run to end.
    ///
    /// ```
    /// # use refrain_sdk::*;
    /// # async fn example(order: &str) -> Result<(), Failure> {
    /// CancelScope::with_run().run(async {
    ///     saga("ship the order", async |saga| {
    ///         saga.undo("unpack", activity::<()>("unpack", order).start_to_close(hours(1)));
    ///         activity::<()>("pack", order).start_to_close(hours(1)).await?;
    ///         sleep(days(1)).await; // the postman comes tomorrow
    ///         activity::<()>("hand-over", order).start_to_close(hours(1)).await
    ///     })
    ///     .await
    /// })
    /// .await
    /// # }
    /// ```
    #[must_use]
    pub fn with_run() -> Self {
        Self(Rc::new(Scope { with_run: true, ..Scope::default() }))
    }

    /// Runs a future in this scope: its outcome, or a failure of kind canceled when it had to be dropped. An
    /// activity that is given is started at the call. More than one may run in the same scope; each is over when it
    /// has its outcome.
    pub fn run<F, T>(&self, future: F) -> InScope<F::IntoFuture>
    where
        F: IntoFuture<Output = Result<T, Failure>>,
    {
        let place = Place::new(&self.0);
        let _entered = Entered::new(Some(place.run.clone()));
        InScope { future: Some(Box::pin(future.into_future())), place }
    }

    /// Cancels it. The first reason counts; a scope is canceled once and for all.
    pub fn cancel(&self, reason: &str) {
        self.0.cancel(reason);
    }

    /// Whether it was canceled.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.0.reason.borrow().is_some()
    }
}

impl Scope {
    fn reason(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    fn cancel(&self, reason: &str) {
        if self.reason.borrow().is_some() {
            return;
        }
        *self.reason.borrow_mut() = Some(reason.to_owned());
        conditions::changed();
        for run in self.runs.borrow().iter() {
            run.cancel(reason);
        }
    }
}

impl Run {
    fn cancel(&self, reason: &str) {
        for op in self.ops.borrow().iter().filter(|op| inbox::is_open(**op)) {
            host::with(|host| host.cancel(*op, reason));
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        for nested in self.nested.borrow().iter() {
            nested.scope.cancel(reason);
        }
    }

    /// Whether something may still be seen to end by its future, or must not be cut off.
    fn is_busy(&self) -> bool {
        self.shields.get() > 0
            || self.ops.borrow().iter().any(|op| inbox::is_open(*op))
            || self.nested.borrow().iter().any(|nested| nested.is_busy())
    }
}

/// The innermost run of the future that is being polled.
fn current() -> Option<Rc<Run>> {
    STACK.with_borrow(|stack| stack.last().cloned().flatten())
}

/// Whether something may be started in the innermost scope: a failure once that is canceled.
pub(crate) fn check() -> Result<(), Failure> {
    match current().and_then(|run| run.scope.reason()) {
        Some(reason) => Err(Failure::canceled(reason)),
        None => Ok(()),
    }
}

/// Lets an op that was just started belong to the innermost scope, if there is any.
pub(crate) fn join(op: u64) -> Option<Membership> {
    let run = current()?;
    run.ops.borrow_mut().push(op);
    Some(Membership { run, op })
}

/// An op's place in a scope; it leaves when this is dropped.
pub(crate) struct Membership {
    run: Rc<Run>,
    op: u64,
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut ops = self.run.ops.borrow_mut();
        if let Ok(place) = ops.binary_search(&self.op) {
            ops.remove(place);
        }
    }
}

/// The innermost scope is this one while it lives.
struct Entered;

impl Entered {
    fn new(run: Option<Rc<Run>>) -> Self {
        STACK.with_borrow_mut(|stack| stack.push(run));
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        drop(STACK.with_borrow_mut(Vec::pop));
    }
}

/// A run's place in its scope, and in the run around it; it leaves both when this is dropped. What of [`InScope`] is
/// the same for every future, so that a component has it once.
struct Place {
    run: Rc<Run>,
    outer: Option<Rc<Run>>,
    /// Listens for the run's cancel request until it has come, if it cancels the scope.
    run_canceled: Option<Canceled>,
    /// Among the conditions: a canceled scope looks at itself when everything has run.
    ticket: Option<u64>,
}

impl Place {
    fn new(scope: &Rc<Scope>) -> Self {
        let run = Rc::new(Run {
            scope: scope.clone(),
            ops: RefCell::default(),
            nested: RefCell::default(),
            shields: Cell::new(0),
            waker: RefCell::default(),
        });
        scope.runs.borrow_mut().push(run.clone());
        let outer = current();
        if let Some(outer) = &outer {
            outer.nested.borrow_mut().push(run.clone());
            if let Some(reason) = outer.scope.reason() {
                scope.cancel(&reason);
            }
        }
        let run_canceled = match inbox::cancel_reason() {
            Some(reason) if scope.with_run => {
                scope.cancel(&reason);
                None
            }
            Some(_) | None => scope.with_run.then(canceled),
        };
        Self { run, outer, run_canceled, ticket: None }
    }

    /// Passes the run's cancel request on.
    fn hear(&mut self, cx: &mut Context<'_>) {
        if let Some(run_canceled) = &mut self.run_canceled {
            if let Poll::Ready(reason) = Pin::new(run_canceled).poll(cx) {
                self.run_canceled = None;
                self.run.scope.cancel(&reason);
            }
        }
    }

    /// Ready with a failure when the future, which cannot go on, is to be given up.
    fn settle(&mut self, cx: &Context<'_>) -> Poll<Failure> {
        let Some(reason) = self.run.scope.reason() else {
            *self.run.waker.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if conditions::is_quiet() && !self.run.is_busy() {
            // Who waits for the scope goes on, and may make conditions true.
            conditions::changed();
            return Poll::Ready(Failure::canceled(reason));
        }
        conditions::register(&mut self.ticket, cx);
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            conditions::unregister(ticket);
        }
        let is_other = |run: &Rc<Run>| !Rc::ptr_eq(run, &self.run);
        self.run.scope.runs.borrow_mut().retain(is_other);
        if let Some(outer) = &self.outer {
            outer.nested.borrow_mut().retain(is_other);
        }
    }
}

/// Made by [`CancelScope::run`]. Dropping it drops its future, and cancels nothing.
#[must_use = "futures do nothing unless they are awaited"]
pub struct InScope<F> {
    future: Option<Pin<Box<F>>>,
    place: Place,
}

impl<T, F: Future<Output = Result<T, Failure>>> Future for InScope<F> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { future, place } = &mut *self;
        place.hear(cx);
        let polled = {
            let _entered = Entered::new(Some(place.run.clone()));
            future.as_mut().expect("a scope is not polled after its end").as_mut().poll(cx)
        };
        if polled.is_ready() {
            return polled;
        }
        let failure = ready!(place.settle(cx));
        *future = None;
        Poll::Ready(Err(failure))
    }
}

/// Takes a future out of the scopes around it: what is started in it belongs to none of them, and they wait until it
/// has ended. It is where a canceled scope cleans up; [sagas](crate::saga) do so by themselves.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example(scope: CancelScope) -> Result<(), Failure> {
/// scope
///     .run(async {
///         let worked = activity::<()>("work", "bench 7").start_to_close(hours(1)).await;
///         if worked.is_err() {
///             shield(activity::<()>("tidy up", "bench 7").start_to_close(mins(1))).await?;
///         }
///         worked
///     })
///     .await
/// # }
/// ```
///
/// As an activity does, it starts when it is awaited or given to a combinator.
pub fn shield<F: IntoFuture>(future: F) -> Shield<F> {
    Shield(future)
}

/// Made by [`shield`].
#[must_use = "a shield does nothing unless it is awaited"]
pub struct Shield<F>(F);

impl<F: IntoFuture> IntoFuture for Shield<F> {
    type Output = F::Output;
    type IntoFuture = Shielded<F::IntoFuture>;

    fn into_future(self) -> Shielded<F::IntoFuture> {
        let shielding = Shielding::new();
        let _entered = Entered::new(None);
        Shielded { future: Box::pin(self.0.into_future()), _shielding: shielding }
    }
}

/// A [`shield`] that was started.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Shielded<F> {
    future: Pin<Box<F>>,
    _shielding: Shielding,
}

impl<F: Future> Future for Shielded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = Entered::new(None);
        self.future.as_mut().poll(cx)
    }
}

/// Holds the innermost run, if there is any, while it lives.
struct Shielding(Option<Rc<Run>>);

impl Shielding {
    fn new() -> Self {
        let run = current();
        if let Some(run) = &run {
            run.shields.set(run.shields.get() + 1);
        }
        Self(run)
    }
}

impl Drop for Shielding {
    fn drop(&mut self) {
        if let Some(run) = &self.0 {
            run.shields.set(run.shields.get() - 1);
        }
    }
}
