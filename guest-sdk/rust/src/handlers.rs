//! The handlers of signals and updates that are under way, and the updates that wait for theirs.
//!
//! Here and not with the updates is what every component contains: their code is in those that handle some.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::bindings::refrain::workflow::messages::Update;
use crate::{conditions, executor};

thread_local! {
    static HANDLERS: RefCell<Handlers> = RefCell::default();
}

#[derive(Default)]
struct Handlers {
    running: Vec<Running>,
    /// Delivered, and neither accepted nor rejected yet.
    updates: VecDeque<Update>,
    /// What handles them, once there are any handlers.
    code: Option<UpdateCode>,
}

/// The code of updates.
#[derive(Clone, Copy)]
pub(crate) struct UpdateCode {
    pub(crate) handle: fn(Update),
    /// Forgets all handlers.
    pub(crate) close: fn(),
}

/// What a handler is for: `signal` or `update`, and its name.
pub(crate) type Handled = (&'static str, &'static str);

struct Running {
    handled: Handled,
    count: usize,
}

fn with<R>(f: impl FnOnce(&mut Handlers) -> R) -> R {
    HANDLERS.with_borrow_mut(f)
}

/// Forgets everything: a new run begins.
pub(crate) fn open() {
    let old = HANDLERS.take();
    drop(old);
}

/// The run has ended. Returns the handlers that have not finished, and how many of each.
pub(crate) fn close() -> Vec<(Handled, usize)> {
    if let Some(code) = with(|handlers| handlers.code) {
        (code.close)();
    }
    with(|handlers| {
        let running = handlers.running.iter().filter(|running| running.count > 0);
        running.map(|running| (running.handled, running.count)).collect()
    })
}

/// Says how updates are handled. Without it they are left to the host, which rejects them.
pub(crate) fn handle_updates_by(code: UpdateCode) {
    with(|handlers| handlers.code = Some(code));
}

/// Takes an update in.
pub(crate) fn deliver(update: Update) {
    with(|handlers| handlers.updates.push_back(update));
}

/// Handles the update that came first, if there is one.
pub(crate) fn handle_next_update() -> bool {
    let next = with(|handlers| Some((handlers.updates.pop_front()?, handlers.code)));
    let Some((update, code)) = next else { return false };
    if let Some(code) = code {
        (code.handle)(update);
    }
    conditions::changed();
    true
}

/// Runs a handler's future as a task.
pub(crate) fn run(handled: Handled, future: impl Future<Output = ()> + 'static) {
    with(|handlers| match handlers.running.iter_mut().find(|running| running.handled == handled) {
        Some(running) => running.count += 1,
        None => handlers.running.push(Running { handled, count: 1 }),
    });
    executor::add(Box::pin(async move {
        future.await;
        with(|handlers| {
            if let Some(running) = handlers.running.iter_mut().find(|running| running.handled == handled) {
                running.count -= 1;
            }
        });
    }));
}

/// Whether all handlers of signals and updates have finished, and every update that came has been handled. Wait for
/// it before the workflow ends, or they are cut off wherever they are:
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<Next<()>, Failure> {
/// if info().continue_as_new_suggested {
///     wait_condition(all_handlers_finished).await;
///     return Ok(continue_as_new(&()).into());
/// }
/// # Ok(Next::Done(())) }
/// ```
#[must_use]
pub fn all_handlers_finished() -> bool {
    with(|handlers| handlers.updates.is_empty() && handlers.running.iter().all(|running| running.count == 0))
}
