//! Task queues: the attempts that are to be made, and who makes the next one.
//!
//! This is an index in memory; what is durable is the activities' rows. It knows what waits, what runs, who
//! polls and which limits there are. It does not know what an activity is, reads no row, runs nothing and
//! spawns nothing: owners of runs put tasks in, and what may begin comes out of a channel with a
//! [`Permit`], which gives back on its drop what the attempt takes.
//!
//! Within a queue the order is: priority, then weighted fair queueing among fairness keys, then arrival. A
//! task that lacks something holds up only those that lack the same. Queues that wait for the same slots or
//! for the limits of the same type get them in turn.
//!
//! | module | concept |
//! |---|---|
//! | `dispatcher` | all queues, slots and limits; who begins next |
//! | `queue` | one queue: its tasks in order, by type |
//! | `fair` | weighted fair queueing |
//! | `pollers` | the polls that wait |
//! | `rate` | token buckets and their time |

mod dispatcher;
mod fair;
mod pollers;
mod queue;
mod rate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use refrain_engine::ids::{Namespace, Op};
use refrain_engine::time::Timestamp;
use refrain_plugin::Kind;
use refrain_store::schema::RunKey;
use tokio::sync::{Notify, mpsc, oneshot};

use self::dispatcher::{Begun, Dispatcher, Held, Offered};
use crate::activity_types::{ActivityTask, QueueLimits, RateLimits, TaskQueueInfo};
use crate::clock::Clock;

/// An attempt that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// The run that wants it.
    pub(crate) run: RunKey,
    /// The activity.
    pub(crate) op: Op,
    /// The task queue.
    pub(crate) queue: String,
    /// The activity's type.
    pub(crate) activity: String,
    /// 1 (first) to 5.
    pub(crate) priority: u8,
    /// Whose task it is: the tasks of several keys are served in turn.
    pub(crate) fairness_key: String,
    /// The key's share, 0.001 to 1000.
    pub(crate) fairness_weight: f64,
    /// Since when it waits.
    pub(crate) since: Timestamp,
}

/// What is configured.
#[derive(Clone, Debug)]
pub(crate) struct QueuesConfig {
    /// Limits of task queues by name; in each namespace for itself.
    pub(crate) task_queues: BTreeMap<String, QueueLimits>,
    /// Limits of activity types, for all queues of all namespaces together.
    pub(crate) activities: BTreeMap<String, RateLimits>,
    /// Attempts of asynchronous activities at once in this process.
    pub(crate) activity_slots: usize,
    /// Attempts of blocking activities at once in this process.
    pub(crate) blocking_activity_slots: usize,
    /// Tasks that may wait in a queue.
    pub(crate) max_tasks: usize,
}

/// A task queue has no room for another task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull {
    /// The queue.
    pub(crate) queue: String,
    /// How many tasks wait in it.
    pub(crate) waiting: u64,
}

/// Leave to make one attempt. Counts against the concurrency of its queue and its type and, in this process,
/// holds a slot. Dropping it gives everything back and lets those go on who wait for it.
pub(crate) struct Permit {
    queues: Arc<Queues>,
    held: Option<Held>,
}

/// Who makes an attempt.
#[derive(Debug)]
pub(crate) enum Runner {
    /// This process.
    Host,
    /// The worker whose poll this is.
    Worker(Offer),
}

/// A poll that is about to get a task. Answer it when the attempt is durable; dropped without an answer, the
/// poll goes on waiting in its place.
pub(crate) struct Offer {
    /// The worker's name.
    pub(crate) worker: String,
    /// The poll's own id.
    pub(crate) poll_id: String,
    queues: Arc<Queues>,
    poll: PollId,
    is_answered: bool,
}

/// Leave to make an attempt, and who makes it.
#[derive(Debug)]
pub(crate) struct Assignment {
    /// Keep it until the attempt is over.
    pub(crate) permit: Permit,
    /// Who makes it.
    pub(crate) runner: Runner,
}

/// A task that waited and may begin.
#[derive(Debug)]
pub(crate) struct Assigned {
    /// The run.
    pub(crate) run: RunKey,
    /// The activity.
    pub(crate) op: Op,
    /// Leave to begin.
    pub(crate) assignment: Assignment,
}

/// Names one request of a poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PollId {
    queue: queue::QueueId,
    place: pollers::Place,
    request: u64,
}

/// All task queues of the host.
pub(crate) struct Queues {
    dispatcher: Mutex<Dispatcher>,
    assigned: mpsc::UnboundedSender<Assigned>,
    changed: Notify,
}

impl Queues {
    /// Empty queues, and where comes out what may begin. `offers`: the types that the host's plugins have.
    ///
    /// Once the receiver is dropped nothing begins any more but by [`Self::try_begin`].
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        config: QueuesConfig,
        offers: HashMap<String, Kind>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Assigned>) {
        let (assigned, begun) = mpsc::unbounded_channel();
        let dispatcher = Mutex::new(Dispatcher::new(clock, config, offers));
        (Arc::new(Self { dispatcher, assigned, changed: Notify::new() }), begun)
    }

    /// Lets nothing begin until [`Self::open`], so that what an earlier boot began is counted first.
    pub(crate) fn hold(&self) {
        self.lock().hold();
    }

    /// Lets all begin that can.
    pub(crate) fn open(self: &Arc<Self>) {
        self.with(Dispatcher::open);
    }

    /// Leave to begin at once, unless a limit is in the way or somebody who comes first waits for what it
    /// needs. For tasks that do not wait yet.
    pub(crate) fn try_begin(self: &Arc<Self>, task: &Task) -> Option<Assignment> {
        let (held, offered) = self.with(|dispatcher| dispatcher.try_begin(task))?;
        Some(self.assignment(held, offered))
    }

    /// Lets a task wait that is durable. A task that waits already keeps its place.
    ///
    /// # Errors
    /// When its queue has no room.
    pub(crate) fn wait(self: &Arc<Self>, task: Task) -> Result<(), QueueFull> {
        self.with(move |dispatcher| dispatcher.wait(&task))
    }

    /// The task is not to be made any more. Nothing happens if it does not wait.
    pub(crate) fn withdraw(&self, run: &RunKey, op: Op) {
        self.lock().withdraw(run, op);
    }

    /// The permit of a worker's attempt that an earlier boot began and that still runs. Counts even past the
    /// limits.
    pub(crate) fn resume(self: &Arc<Self>, task: &Task) -> Permit {
        let held = self.with(|dispatcher| dispatcher.resume(task));
        self.permit(held)
    }

    /// A slot for a local activity, which no queue and no limit knows; `None` when none is free, or when no
    /// plugin of the host has the type.
    pub(crate) fn local(self: &Arc<Self>, activity: &str) -> Option<Permit> {
        let held = self.with(|dispatcher| dispatcher.local(activity))?;
        Some(self.permit(held))
    }

    /// Whether the queue has room for another task.
    ///
    /// # Errors
    /// When it has not.
    pub(crate) fn check_room(&self, namespace: &Namespace, queue: &str) -> Result<(), QueueFull> {
        self.lock().check_room(namespace, queue)
    }

    /// A worker polls for a task. No `activities`: of any type.
    ///
    /// The receiver resolves with the task once its attempt is durable. It resolves with an error when nobody
    /// will answer: another request with the same poll id took this one's place, or [`Self::end_poll`] was
    /// called and nothing came of the last offer. An offer that was dropped before that leaves the poll
    /// waiting.
    pub(crate) fn poll(
        self: &Arc<Self>,
        namespace: &Namespace,
        queue: &str,
        worker: &str,
        poll_id: &str,
        activities: Vec<String>,
    ) -> (PollId, oneshot::Receiver<Box<ActivityTask>>) {
        let (reply, task) = oneshot::channel();
        let (queue, place, request) =
            self.with(|dispatcher| dispatcher.poll(namespace, queue, worker, poll_id, activities, reply));
        (PollId { queue, place, request }, task)
    }

    /// The poll has waited long enough, or its client has gone. False: its receiver has its answer or soon
    /// will, and is to be awaited.
    pub(crate) fn end_poll(&self, id: PollId) -> bool {
        let mut dispatcher = self.lock();
        let is_over = dispatcher.give_up(id.queue, id.place, id.request);
        let over = dispatcher.take_over();
        drop(dispatcher);
        drop(over);
        is_over
    }

    /// What can be told of a queue.
    pub(crate) fn info(&self, namespace: &Namespace, queue: &str) -> TaskQueueInfo {
        self.lock().info(namespace, queue)
    }

    /// The queues that are in use or configured, by name.
    pub(crate) fn infos(&self, namespace: &Namespace) -> Vec<TaskQueueInfo> {
        self.lock().infos(namespace)
    }

    /// When a rate lets somebody go on; [`Self::look`] then.
    pub(crate) fn next_look(&self) -> Option<Timestamp> {
        self.lock().next_look()
    }

    /// Lets those go on whose time has come.
    pub(crate) fn look(self: &Arc<Self>) {
        self.with(|_| ());
    }

    /// [`Self::next_look`] may have become earlier since the last call.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }

    /// Operates on the queues, and sends off what may begin then.
    fn with<T>(self: &Arc<Self>, operate: impl FnOnce(&mut Dispatcher) -> T) -> T {
        let mut dispatcher = self.lock();
        let alarm = dispatcher.next_alarm();
        dispatcher.look();
        let answer = operate(&mut dispatcher);
        // Permits and ends of polls must not be dropped under the lock: they take it, or wake somebody.
        let mut undelivered = Vec::new();
        for Begun { run, op, held, offered } in dispatcher.take_begun() {
            let assignment = self.assignment(held, offered);
            if let Err(refused) = self.assigned.send(Assigned { run, op, assignment }) {
                dispatcher.stop();
                undelivered.push(refused);
            }
        }
        let over = dispatcher.take_over();
        let next = dispatcher.next_alarm();
        drop(dispatcher);
        drop((undelivered, over));
        if next.is_some_and(|next| alarm.is_none_or(|alarm| next < alarm)) {
            self.changed.notify_one();
        }
        answer
    }

    fn assignment(self: &Arc<Self>, held: Held, offered: Option<Offered>) -> Assignment {
        let runner = offered.map_or(Runner::Host, |Offered { queue, taken }| {
            Runner::Worker(Offer {
                worker: taken.worker,
                poll_id: taken.poll_id,
                queues: Arc::clone(self),
                poll: PollId { queue, place: taken.place, request: 0 },
                is_answered: false,
            })
        });
        Assignment { permit: self.permit(held), runner }
    }

    fn permit(self: &Arc<Self>, held: Held) -> Permit {
        Permit { queues: Arc::clone(self), held: Some(held) }
    }

    fn lock(&self) -> MutexGuard<'_, Dispatcher> {
        self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            self.queues.with(|dispatcher| dispatcher.release(held));
        }
    }
}

impl Offer {
    /// The attempt is durable: this is its task. Whether it reaches the worker nobody knows; the same poll id
    /// asks again if it does not.
    pub(crate) fn answer(mut self, task: Box<ActivityTask>) {
        self.is_answered = true;
        let reply = self.queues.with(|dispatcher| dispatcher.answer(self.poll.queue, self.poll.place));
        if let Some(reply) = reply {
            // The client may have gone.
            let _unheard = reply.send(task);
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        if !self.is_answered {
            self.queues.with(|dispatcher| dispatcher.decline(self.poll.queue, self.poll.place));
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("held", &self.held).finish_non_exhaustive()
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("worker", &self.worker)
            .field("poll_id", &self.poll_id)
            .finish_non_exhaustive()
    }
}
