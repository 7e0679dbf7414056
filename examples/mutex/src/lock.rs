//! The lock: who holds it, and who waits, first come, first served.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use refrain_sdk::{
    Failure, Next, Query, all_handlers_finished, continue_as_new, external, info, millis, now, or_canceled,
    select, sleep_until, wait_condition, warn, workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GRANTED, Granted, RELEASE, REQUEST, Release, Request};

/// What one run hands to the next: all that the lock knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Lock {
    /// The number of the latest grant.
    pub(super) number: u64,
    /// Who holds it.
    pub(super) holder: Option<Holder>,
    /// Who waits, the first one first.
    pub(super) queue: VecDeque<Request>,
    /// After how many grants another run takes over.
    pub(super) grants_per_run: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Holder {
    /// The id of the workflow.
    pub(super) by: String,
    /// When its lease is over, in milliseconds since 1970. A moment and no length of time, as the next run is not to begin
    /// it anew.
    pub(super) until_ms: u64,
}

/// A journal of so many grants is replayed in no time.
const GRANTS_PER_RUN: u64 = 200;

const STATE: Query<(), Lock> = Query::new("state").doc("Who holds the lock, and who waits for it.");

/// Gives a lock to one workflow at a time. Lives until it is canceled.
#[workflow(signals(REQUEST, RELEASE), queries(STATE))]
pub(super) async fn lock(lock: Lock) -> Result<Next<()>, Failure> {
    let enough = lock.number + lock.grants_per_run.unwrap_or(GRANTS_PER_RUN).max(1);
    let lock = Rc::new(RefCell::new(lock));
    STATE.handle({
        let lock = lock.clone();
        move |()| lock.borrow().clone()
    });
    handle_signals(&lock);
    loop {
        or_canceled(free(&lock)).await?;
        or_canceled(wait_condition(|| !lock.borrow().queue.is_empty())).await?;
        grant(&lock).await;
        if lock.borrow().number >= enough {
            break;
        }
    }
    // What has come with the last event too is in the state then, and what comes later is the next run's: nothing is lost.
    wait_condition(all_handlers_finished).await;
    let lock = lock.borrow();
    info!(number = lock.number, waiting = lock.queue.len(), "goes on as a new run");
    Ok(continue_as_new(&*lock).into())
}

/// By handlers, which are begun in the order of the signals, so that none is left unread.
fn handle_signals(lock: &Rc<RefCell<Lock>>) {
    let shared = lock.clone();
    REQUEST.handle(async move |request| shared.borrow_mut().request(request));
    let shared = lock.clone();
    RELEASE.handle(async move |release| shared.borrow_mut().release(&release));
}

/// Waits until nobody holds the lock, which is when a lease is over at the latest.
async fn free(lock: &RefCell<Lock>) {
    let until = lock.borrow().holder.as_ref().map(|holder| UNIX_EPOCH + millis(holder.until_ms));
    let Some(until) = until else { return };
    select! {
        () = wait_condition(|| lock.borrow().holder.is_none()) => {}
        () = sleep_until(until) => lock.borrow_mut().take_back(),
    }
}

/// Gives the free lock to who is first. One who is no more loses its turn.
async fn grant(lock: &RefCell<Lock>) {
    let Some((to, granted)) = lock.borrow_mut().next() else { return };
    match GRANTED.send_to(&external(&to), &granted).await {
        Ok(()) => info!(number = granted.number, "granted to {to}"),
        Err(why) => {
            warn!(number = granted.number, "{to} has lost its turn: {why}");
            lock.borrow_mut().holder = None;
        }
    }
}

impl Lock {
    fn request(&mut self, request: Request) {
        let holds = self.holder.as_ref().is_some_and(|holder| holder.by == request.by);
        if holds || self.queue.iter().any(|waiting| waiting.by == request.by) {
            // A repeated request does not get a second turn: nobody would wait for that.
            return warn!("{} has asked already", request.by);
        }
        self.queue.push_back(request);
    }

    fn release(&mut self, release: &Release) {
        match self.holder.take_if(|_| release.number == self.number) {
            Some(holder) => info!(number = self.number, "released by {}", holder.by),
            // Its lease was over, and the lock may be someone else's.
            None => warn!(number = release.number, "released too late"),
        }
    }

    fn take_back(&mut self) {
        if let Some(holder) = self.holder.take() {
            warn!(number = self.number, "taken back from {}, whose lease is over", holder.by);
        }
    }

    /// Who has it from now on, if someone waits.
    fn next(&mut self) -> Option<(String, Granted)> {
        let Request { by, lease_ms } = self.queue.pop_front()?;
        self.number += 1;
        let until = (now() + Duration::from_millis(lease_ms)).duration_since(UNIX_EPOCH).unwrap_or_default();
        self.holder = Some(Holder { by: by.clone(), until_ms: until.as_millis() as u64 });
        Some((by, Granted { lock: info().workflow_id, number: self.number }))
    }
}
