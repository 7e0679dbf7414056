//! Runs a workflow's tasks, one at a time and first come, first served, and waits when none can go on.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::bindings::refrain::workflow::messages::Message;
use crate::bindings::refrain::workflow::types::{Completion, UnreadSignal};
use crate::bindings::refrain::workflow::wait::Event;
use crate::wakes::{Child, Wakes};
use crate::{conditions, handlers, host, inbox, queries, time};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

thread_local! {
    /// What was spawned by the task that is being polled, or by a handler.
    static SPAWNED: RefCell<Vec<BoxFuture<()>>> = RefCell::default();
}

/// The main task's number; the others count on from it in the order in which they were spawned.
const MAIN: usize = 0;

/// Runs `main` to its end. Other tasks end with it: what they still have open is the host's to end.
pub(crate) fn run(main: BoxFuture<Completion>) -> Completion {
    inbox::open();
    queries::open();
    conditions::open();
    handlers::open();
    time::begin_step();
    let result = Rc::new(RefCell::new(None));
    let slot = result.clone();
    let mut tasks = Tasks::default();
    tasks.add(Box::pin(async move {
        let value = main.await;
        *slot.borrow_mut() = Some(value);
    }));
    loop {
        while let Some(index) = tasks.wakes.pop() {
            tasks.poll(index);
            if index == MAIN {
                if let Some(mut completion) = result.borrow_mut().take() {
                    // Before the tasks are dropped: from here on a dropped op is not the guest's to detach.
                    hand_on(&mut completion, inbox::close(), handlers::close());
                    return completion;
                }
            }
        }
        if conditions::wake() {
            continue;
        }
        // One after the other, so that each sees what those before it have done.
        if handlers::handle_next_update() {
            tasks.adopt();
            continue;
        }
        // The one place where a workflow sleeps. All that came is delivered before anything runs on, so
        // that `try_recv` misses nothing that the journal says was delivered.
        let events = host::with(|host| host.next());
        time::begin_step();
        for event in events {
            match event {
                // It has changed nothing.
                Event::Message(Message::Query(query)) => {
                    queries::answer(&query);
                    continue;
                }
                Event::Message(Message::Update(update)) => handlers::deliver(update),
                event => inbox::deliver(event),
            }
            tasks.adopt();
            conditions::changed();
        }
    }
}

/// Hands unread signals on to the run that follows, if one does, and says what is left behind: signals by name, and
/// handlers.
fn hand_on(
    completion: &mut Completion,
    unread: Vec<UnreadSignal>,
    unfinished: Vec<(handlers::Handled, usize)>,
) {
    match completion {
        Completion::ContinueAsNew(next) => next.unread = unread,
        Completion::Completed(_) | Completion::Failed(_) | Completion::Canceled(_) => {
            let mut counts: Vec<(String, usize)> = Vec::new();
            for UnreadSignal { name, .. } in unread {
                match counts.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((name, 1)),
                }
            }
            for (name, count) in counts {
                crate::warn!(signal = name, count = count, "ended with unread signals");
            }
        }
    }
    for ((kind, name), count) in unfinished {
        crate::warn!(count = count, "ended before handlers of {kind} `{name}` had finished");
    }
}

/// Ends the run. Where it is replayed for a query that comes after its end, answers that.
pub(crate) fn finish(completion: &Completion) {
    host::with(|host| host.finish(completion));
    loop {
        let events = host::with(|host| host.next());
        if events.is_empty() {
            return;
        }
        for event in events {
            if let Event::Message(Message::Query(query)) = event {
                queries::answer(&query);
            }
        }
    }
}

#[derive(Default)]
struct Tasks {
    wakes: Wakes,
    /// By number; `None` once it has ended.
    all: Vec<Option<(BoxFuture<()>, Arc<Child>)>>,
}

impl Tasks {
    fn add(&mut self, task: BoxFuture<()>) {
        let child = self.wakes.child(self.all.len());
        self.all.push(Some((task, child)));
    }

    fn poll(&mut self, index: usize) {
        // A task can be woken after its end.
        let Some((task, child)) = &mut self.all[index] else { return };
        let waker = Waker::from(child.clone());
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.all[index] = None;
        }
        self.adopt();
    }

    /// Takes over what was spawned.
    fn adopt(&mut self) {
        for task in SPAWNED.take() {
            self.add(task);
        }
    }
}

/// Runs a future beside the current one.
///
/// It is polled first when the task that spawned it waits, after those that became ready before. Dropping the
/// handle lets it go on; it ends with the workflow at the latest.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() {
/// let reminder = spawn(async {
///     sleep(hours(1)).await;
///     warn!("still at it after an hour");
/// });
/// # reminder.await;
/// # }
/// ```
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let shared = Rc::new(RefCell::new(Shared { value: None, waker: None }));
    let slot = shared.clone();
    let task = async move {
        let value = future.await;
        let mut slot = slot.borrow_mut();
        slot.value = Some(value);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
    };
    add(Box::pin(task));
    Task(shared)
}

/// As [`spawn`], for what nobody waits for.
pub(crate) fn add(task: BoxFuture<()>) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(task));
}

/// The end of a task that was [spawned](spawn): a future of what the task returns.
pub struct Task<T>(Rc<RefCell<Shared<T>>>);

struct Shared<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut shared = self.0.borrow_mut();
        match shared.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                shared.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
