//! Who begins next: the state of all queues, under one lock.
//!
//! Between two operations nothing that waits could begin: for each task that waits, a limit of its queue, a
//! limit of its type, a slot or a poller is missing. An operation that gives something back, or brings
//! something new, asks those who may have waited for exactly that, the least recently served first:
//!
//! | missing | where those who wait for it are found |
//! |---|---|
//! | attempts of the queue | in the queue; it settles when one of its attempts ends |
//! | the queue's rate | an alarm |
//! | attempts of the type | [`Limited::blocked`]: queues by when they last began one |
//! | the type's rate | the same, and an alarm |
//! | a slot | [`Slots::line`]: queues by when they last got one |
//! | a poller | in the queue; it settles when a poll comes |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use refrain_engine::ids::{Namespace, Op, RunId};
use refrain_engine::time::Timestamp;
use refrain_plugin::Kind;
use refrain_store::schema::RunKey;

use super::pollers::{Place, Reply, Taken};
use super::queue::{self, KINDS, Queue, QueueId, Rank, Seen, Turn, slot};
use super::rate::{Bucket, Moment, Time, later};
use super::{QueueFull, QueuesConfig, Task};
use crate::activity_types::{QueueLimits, TaskQueueInfo};
use crate::clock::Clock;

/// A worker that has not polled for this long is not shown any more.
const SHOWN: Duration = Duration::from_secs(5 * 60);

/// Workers that are remembered, of all queues: names are the clients' choice, and a new one with each poll
/// must not cost memory without a bound.
const MAX_SHOWN: usize = 10_000;

/// The state of all queues.
pub(super) struct Dispatcher {
    time: Time,
    config: QueuesConfig,
    /// The types that the host's plugins have.
    offers: HashMap<String, Kind>,
    slots: [Slots; 2],
    /// The types with limits.
    limited: HashMap<String, Limited>,
    queues: HashMap<QueueId, Queue>,
    names: BTreeMap<Namespace, BTreeMap<Arc<str>, QueueId>>,
    tasks: HashMap<(RunId, Op), Whereabouts>,
    /// When a bucket that somebody waits for has a token again.
    alarms: BTreeSet<(Moment, Alarm)>,
    /// The workers that polled lately, by when.
    seen: BTreeSet<(Moment, QueueId, Arc<str>)>,
    /// The last number that was given, to a task, a poll, a queue or a turn.
    number: u64,
    /// What may begin, and nobody was told of yet.
    begun: Vec<Begun>,
    /// Ends of polls that are over.
    over: Vec<Reply>,
    gate: Gate,
}

/// Whether tasks begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Not yet: what runs already is still being counted.
    Held,
    Open,
    /// Nobody takes what may begin: the host is stopping.
    Stopped,
}

/// The slots of one kind.
struct Slots {
    free: usize,
    /// The queues that wait for one.
    line: BTreeSet<(Turn, QueueId)>,
}

/// A type with limits. They hold for all queues together: they protect what its attempts use.
struct Limited {
    concurrency: u64,
    bucket: Option<Bucket>,
    running: u64,
    /// The queues with tasks that wait for these limits.
    blocked: BTreeSet<(Turn, QueueId)>,
    alarm: Option<Moment>,
}

/// Where a task waits.
struct Whereabouts {
    queue: QueueId,
    activity: Arc<str>,
    rank: Rank,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Queue(QueueId),
    Activity(String),
}

/// Why the limits of a type refuse.
enum Refusal {
    Full,
    Until(Moment),
}

/// What an attempt holds while it runs.
#[derive(Debug)]
pub(super) struct Held {
    queue: Option<(QueueId, Arc<str>)>,
    slot: Option<Kind>,
}

/// Whom a worker's attempt is for.
pub(super) struct Offered {
    pub(super) queue: QueueId,
    pub(super) taken: Taken,
}

/// A task that waited and may begin.
pub(super) struct Begun {
    pub(super) run: RunKey,
    pub(super) op: Op,
    pub(super) held: Held,
    pub(super) offered: Option<Offered>,
}

impl Dispatcher {
    pub(super) fn new(clock: Arc<dyn Clock>, config: QueuesConfig, offers: HashMap<String, Kind>) -> Self {
        let time = Time::new(clock);
        let limited = config
            .activities
            .iter()
            .map(|(activity, limits)| {
                let limited = Limited {
                    concurrency: limits.concurrency.map_or(u64::MAX, u64::from),
                    bucket: Bucket::new(limits, time.elapsed()),
                    running: 0,
                    blocked: BTreeSet::new(),
                    alarm: None,
                };
                (activity.clone(), limited)
            })
            .collect();
        let slots = [config.activity_slots, config.blocking_activity_slots]
            .map(|free| Slots { free, line: BTreeSet::new() });
        Self {
            time,
            config,
            offers,
            slots,
            limited,
            queues: HashMap::new(),
            names: BTreeMap::new(),
            tasks: HashMap::new(),
            alarms: BTreeSet::new(),
            seen: BTreeSet::new(),
            number: 0,
            begun: Vec::new(),
            over: Vec::new(),
            gate: Gate::Open,
        }
    }

    /// What may begin since this was asked last, in order.
    pub(super) fn take_begun(&mut self) -> Vec<Begun> {
        std::mem::take(&mut self.begun)
    }

    /// Ends of polls, to be dropped outside of the lock.
    pub(super) fn take_over(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.over)
    }

    /// Nothing begins until [`Self::open`].
    pub(super) fn hold(&mut self) {
        self.gate = Gate::Held;
    }

    /// Lets all begin that can.
    pub(super) fn open(&mut self) {
        self.gate = Gate::Open;
        let mut ids: Vec<QueueId> = self.queues.keys().copied().collect();
        ids.sort_unstable();
        ids.into_iter().for_each(|id| self.settle(id));
    }

    /// Nobody takes what may begin any more.
    pub(super) fn stop(&mut self) {
        self.gate = Gate::Stopped;
    }

    /// When a rate next lets somebody go on.
    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.next_alarm().map(|moment| self.time.at(moment))
    }

    pub(super) fn next_alarm(&self) -> Option<Moment> {
        self.alarms.first().map(|(moment, _)| *moment)
    }

    /// Reads the clock, and lets those go on whose time has come. Goes before every operation, so that nobody
    /// overtakes them.
    pub(super) fn look(&mut self) {
        self.time.advance();
        while self.next_alarm().is_some_and(|moment| moment <= self.time.now()) {
            match self.alarms.pop_first() {
                Some((_, Alarm::Queue(id))) => {
                    if let Some(queue) = self.queues.get_mut(&id) {
                        queue.resting = None;
                    }
                    self.settle(id);
                }
                Some((_, Alarm::Activity(activity))) => {
                    if let Some(limited) = self.limited.get_mut(&activity) {
                        limited.alarm = None;
                    }
                    self.wake(&activity);
                }
                None => return,
            }
        }
        self.forget_workers();
    }

    /// Leave to begin at once. All who wait lack something: if this task lacks nothing, nobody who comes
    /// first waits for what it takes.
    pub(super) fn try_begin(&mut self, task: &Task) -> Option<(Held, Option<Offered>)> {
        if self.gate == Gate::Held || self.tasks.contains_key(&(task.run.run, task.op)) {
            return None;
        }
        let id = self.queue(&task.run.namespace, &task.queue);
        let begun = self.begin_now(id, &task.activity);
        self.forget_if_idle(id);
        begun
    }

    fn begin_now(&mut self, id: QueueId, activity: &str) -> Option<(Held, Option<Offered>)> {
        let queue = self.queues.get(&id)?;
        let kind = self.kind(queue, activity);
        let has_runner = match kind {
            Some(kind) => self.slots[slot(kind)].free > 0,
            None => queue.has_poller(activity),
        };
        let has_token = queue.bucket.as_ref().is_none_or(|bucket| bucket.look().is_ok());
        if !has_runner || !has_token || !queue.is_open() || self.refusal(activity).is_some() {
            return None;
        }
        let offered = match kind {
            Some(_) => None,
            None => Some(self.take_poller(id, activity)?),
        };
        Some((self.begin(id, activity, kind), offered))
    }

    /// The task waits from now on, if it does not yet.
    pub(super) fn wait(&mut self, task: &Task) -> Result<(), QueueFull> {
        let name = (task.run.run, task.op);
        if self.tasks.contains_key(&name) {
            return Ok(());
        }
        let id = self.queue(&task.run.namespace, &task.queue);
        let number = self.next_number();
        let Some(queue) = self.queues.get(&id) else { return Ok(()) };
        check_room(queue, self.config.max_tasks)?;
        let kind = self.kind(queue, &task.activity);
        if let Some(queue) = self.queues.get_mut(&id) {
            let (activity, rank) = queue.enter(task, kind, number);
            self.tasks.insert(name, Whereabouts { queue: id, activity, rank });
        }
        self.settle(id);
        Ok(())
    }

    /// The task is not to be made any more. Nobody waited for it, so nobody goes on.
    pub(super) fn withdraw(&mut self, run: &RunKey, op: Op) {
        let Some(task) = self.tasks.remove(&(run.run, op)) else { return };
        let Some(queue) = self.queues.get_mut(&task.queue) else { return };
        let left = queue.leave(&task.activity, task.rank);
        if let Some(turn) = left.and_then(|left| left.blocked)
            && let Some(limited) = self.limited.get_mut(&*task.activity)
        {
            limited.blocked.remove(&(turn, task.queue));
        }
        self.line_up(task.queue);
        self.forget_if_idle(task.queue);
    }

    /// What a worker's attempt holds that an earlier boot began.
    pub(super) fn resume(&mut self, task: &Task) -> Held {
        let id = self.queue(&task.run.namespace, &task.queue);
        self.count(id, &task.activity, None)
    }

    /// A slot for a local activity.
    pub(super) fn local(&mut self, activity: &str) -> Option<Held> {
        let kind = *self.offers.get(activity)?;
        let slots = &mut self.slots[slot(kind)];
        slots.free = slots.free.checked_sub(1)?;
        Some(Held { queue: None, slot: Some(kind) })
    }

    /// The attempt is over: what it held goes to who waits for it.
    pub(super) fn release(&mut self, held: Held) {
        if let Some(kind) = held.slot {
            self.slots[slot(kind)].free += 1;
        }
        let Some((id, activity)) = held.queue else {
            self.give_slots();
            return;
        };
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.end(&activity);
        }
        if let Some(limited) = self.limited.get_mut(&*activity) {
            limited.running -= 1;
        }
        // First of all the queue is in line with the others again: it has no claim on what it gave back.
        self.line_up(id);
        self.wake(&activity);
        self.settle(id);
        self.forget_if_idle(id);
    }

    pub(super) fn check_room(&self, namespace: &Namespace, queue: &str) -> Result<(), QueueFull> {
        self.find(namespace, queue).map_or(Ok(()), |queue| check_room(queue, self.config.max_tasks))
    }

    /// A worker polls. Answers what names the request for [`Self::give_up`].
    pub(super) fn poll(
        &mut self,
        namespace: &Namespace,
        queue: &str,
        worker: &str,
        poll_id: &str,
        activities: Vec<String>,
        reply: Reply,
    ) -> (QueueId, Place, u64) {
        let id = self.queue(namespace, queue);
        let request = self.next_number();
        let worker: Arc<str> = Arc::from(worker);
        let activities: Arc<[Arc<str>]> = activities.into_iter().map(Arc::from).collect();
        let mut place = request;
        if let Some(queue) = self.queues.get_mut(&id) {
            let entered = queue.pollers.enter(request, &worker, poll_id, Arc::clone(&activities), reply);
            place = entered.0;
            self.over.extend(queue.poll_changes(entered.1));
        }
        self.show(id, worker, activities);
        self.settle(id);
        (id, place, request)
    }

    /// A poll has waited long enough. False: its receiver has or will have its answer.
    pub(super) fn give_up(&mut self, id: QueueId, place: Place, request: u64) -> bool {
        let Some(queue) = self.queues.get_mut(&id) else { return false };
        let Some(change) = queue.pollers.give_up(place, request) else { return false };
        self.over.extend(queue.poll_changes([change]));
        self.forget_if_idle(id);
        true
    }

    /// The attempt is durable: who is to have its task.
    pub(super) fn answer(&mut self, id: QueueId, place: Place) -> Option<Reply> {
        let reply = self.queues.get_mut(&id)?.pollers.answer(place);
        self.forget_if_idle(id);
        reply
    }

    /// Nothing came of an offer: the poll goes on waiting.
    pub(super) fn decline(&mut self, id: QueueId, place: Place) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let change = queue.pollers.decline(place);
        self.over.extend(queue.poll_changes(change));
        self.settle(id);
        self.forget_if_idle(id);
    }

    pub(super) fn info(&self, namespace: &Namespace, name: &str) -> TaskQueueInfo {
        self.find(namespace, name).map_or_else(|| queue::unused(name, self.limits(name)), Queue::info)
    }

    pub(super) fn infos(&self, namespace: &Namespace) -> Vec<TaskQueueInfo> {
        let used = self.names.get(namespace).into_iter().flat_map(BTreeMap::keys).map(|name| &**name);
        let configured = self.config.task_queues.keys().map(String::as_str);
        let names: BTreeSet<&str> = used.chain(configured).collect();
        names.into_iter().map(|name| self.info(namespace, name)).collect()
    }

    /// Lets all begin that can, after something came free that those who wait at this queue may need.
    fn settle(&mut self, id: QueueId) {
        self.line_up(id);
        self.give_slots();
        while self.step(id) {}
    }

    /// Gives free slots to the queues that wait for them, in turn.
    fn give_slots(&mut self) {
        for kind in KINDS {
            while self.gate == Gate::Open
                && self.slots[slot(kind)].free > 0
                && let Some(&(_, id)) = self.slots[slot(kind)].line.first()
            {
                // A queue that stands in line is open and has a task that lacks nothing but the slot. What
                // stops it all the same takes it out of the line.
                self.step(id);
            }
        }
    }

    /// Lets the first task of the queue begin that can, or finds what it lacks. False: nothing can be done.
    fn step(&mut self, id: QueueId) -> bool {
        if self.gate != Gate::Open {
            return false;
        }
        let Some(queue) = self.queues.get(&id).filter(|queue| queue.is_open()) else { return false };
        let Some(activity) = queue.next(|kind| self.slots[slot(kind)].free > 0) else { return false };
        if self.block_if_refused(id, &activity) {
            return true;
        }
        let Some(queue) = self.queues.get(&id) else { return false };
        let kind = self.kind(queue, &activity);
        if let Some(Err(moment)) = queue.bucket.as_ref().map(Bucket::look) {
            self.rest(id, moment);
            return false;
        }
        let offered = match kind {
            Some(_) => None,
            None => match self.take_poller(id, &activity) {
                Some(offered) => Some(offered),
                // Its clients have gone.
                None => return true,
            },
        };
        let Some(queue) = self.queues.get_mut(&id) else { return false };
        let namespace = queue.namespace.clone();
        if let Some(left) = queue.serve(&activity) {
            self.tasks.remove(&(left.run, left.op));
            let held = self.begin(id, &activity, kind);
            self.begun.push(Begun { run: RunKey::new(namespace, left.run), op: left.op, held, offered });
        }
        true
    }

    /// Takes tokens and counts: an attempt begins.
    fn begin(&mut self, id: QueueId, activity: &str, kind: Option<Kind>) -> Held {
        if let Some(bucket) = self.queues.get(&id).and_then(|queue| queue.bucket.as_ref()) {
            bucket.take();
        }
        if let Some(bucket) = self.limited.get(activity).and_then(|limited| limited.bucket.as_ref()) {
            bucket.take();
        }
        self.count(id, activity, kind)
    }

    /// Counts an attempt. One of a worker holds no slot, even where this host has the type by now.
    fn count(&mut self, id: QueueId, activity: &str, held: Option<Kind>) -> Held {
        let turn = self.next_number();
        if let Some(limited) = self.limited.get_mut(activity) {
            limited.running += 1;
        }
        if let Some(kind) = held {
            self.slots[slot(kind)].free -= 1;
        }
        let kind = self.queues.get(&id).and_then(|queue| self.kind(queue, activity));
        let name = self.queues.get_mut(&id).map(|queue| queue.begin(activity, kind, turn));
        self.line_up(id);
        Held { queue: name.map(|name| (id, name)), slot: held }
    }

    /// Offers the first poll that takes the type.
    fn take_poller(&mut self, id: QueueId, activity: &str) -> Option<Offered> {
        let queue = self.queues.get_mut(&id)?;
        let (taken, changes) = queue.pollers.take(activity);
        self.over.extend(queue.poll_changes(changes));
        taken.map(|taken| Offered { queue: id, taken })
    }

    /// Lets those go on who wait for the limits of a type, as far as the limits allow.
    fn wake(&mut self, activity: &str) {
        while let Some(&first) = self.limited.get(activity).and_then(|limited| limited.blocked.first()) {
            match self.refusal(activity) {
                Some(Refusal::Full) => return,
                Some(Refusal::Until(moment)) => return self.wake_at(activity, moment),
                None => {}
            }
            if let Some(limited) = self.limited.get_mut(activity) {
                limited.blocked.remove(&first);
            }
            if let Some(queue) = self.queues.get_mut(&first.1) {
                queue.unblock(activity);
            }
            self.settle(first.1);
        }
    }

    /// Why the limits of the type let no attempt begin now.
    fn refusal(&self, activity: &str) -> Option<Refusal> {
        let limited = self.limited.get(activity)?;
        if limited.running >= limited.concurrency {
            return Some(Refusal::Full);
        }
        limited.bucket.as_ref()?.look().err().map(Refusal::Until)
    }

    /// Puts the queue's tasks of the type aside if the limits of the type refuse.
    fn block_if_refused(&mut self, id: QueueId, activity: &str) -> bool {
        let Some(refusal) = self.refusal(activity) else { return false };
        let turn = self.queues.get_mut(&id).and_then(|queue| queue.block(activity));
        if let Some((turn, limited)) = turn.zip(self.limited.get_mut(activity)) {
            limited.blocked.insert((turn, id));
            if let Refusal::Until(moment) = refusal {
                self.wake_at(activity, moment);
            }
        }
        self.line_up(id);
        true
    }

    fn wake_at(&mut self, activity: &str, moment: Moment) {
        if let Some(limited) = self.limited.get_mut(activity)
            && limited.alarm.is_none()
        {
            limited.alarm = Some(moment);
            self.alarms.insert((moment, Alarm::Activity(activity.to_owned())));
        }
    }

    /// The queue's bucket is empty.
    fn rest(&mut self, id: QueueId, until: Moment) {
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.resting = Some(until);
            self.alarms.insert((until, Alarm::Queue(id)));
        }
        self.line_up(id);
    }

    /// Puts the queue where it belongs in the lines for slots.
    fn line_up(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        for kind in KINDS {
            let line = &mut self.slots[slot(kind)].line;
            let wanted = (queue.is_open() && queue.wants_slot(kind)).then_some(queue.served[slot(kind)]);
            let stands = std::mem::replace(&mut queue.lined_up[slot(kind)], wanted);
            if stands != wanted {
                stands.map(|turn| line.remove(&(turn, id)));
                line.extend(wanted.map(|turn| (turn, id)));
            }
        }
    }

    /// The kind of slot that the type needs in this queue; `None`: a worker has to run it.
    fn kind(&self, queue: &Queue, activity: &str) -> Option<Kind> {
        self.offers.get(activity).copied().filter(|_| queue.limits.in_process)
    }

    fn limits(&self, queue: &str) -> QueueLimits {
        self.config.task_queues.get(queue).copied().unwrap_or_default()
    }

    fn find(&self, namespace: &Namespace, queue: &str) -> Option<&Queue> {
        self.queues.get(self.names.get(namespace)?.get(queue)?)
    }

    /// The queue, which is known from now on.
    fn queue(&mut self, namespace: &Namespace, name: &str) -> QueueId {
        if let Some(id) = self.names.get(namespace).and_then(|names| names.get(name)) {
            return *id;
        }
        let (id, limits, name) = (self.next_number(), self.limits(name), Arc::<str>::from(name));
        let bucket = Bucket::new(&limits.limits, self.time.elapsed());
        self.queues.insert(id, Queue::new(namespace.clone(), Arc::clone(&name), limits, bucket));
        self.names.entry(namespace.clone()).or_default().insert(name, id);
        id
    }

    /// Forgets a queue with nothing in it. One with limits stays: its bucket remembers what has begun.
    fn forget_if_idle(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get(&id) else { return };
        if !queue.is_idle() || self.config.task_queues.contains_key(&*queue.name) {
            return;
        }
        if let Some(names) = self.names.get_mut(&queue.namespace) {
            names.remove(&queue.name);
        }
        self.queues.remove(&id);
    }

    /// Remembers that the worker polled.
    fn show(&mut self, id: QueueId, worker: Arc<str>, activities: Arc<[Arc<str>]>) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let seen = Seen { at: self.time.now(), time: self.time.read(), activities };
        self.seen.insert((seen.at, id, Arc::clone(&worker)));
        if let Some(before) = queue.seen.insert(Arc::clone(&worker), seen)
            && before.at != self.time.now()
        {
            self.seen.remove(&(before.at, id, worker));
        }
        self.forget_workers();
    }

    fn forget_workers(&mut self) {
        while let Some((at, _, _)) = self.seen.first()
            && (later(*at, SHOWN) < self.time.now() || self.seen.len() > MAX_SHOWN)
            && let Some((_, id, worker)) = self.seen.pop_first()
        {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.seen.remove(&worker);
            }
            self.forget_if_idle(id);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

fn check_room(queue: &Queue, most: usize) -> Result<(), QueueFull> {
    let waiting = queue.backlog();
    if waiting < most {
        return Ok(());
    }
    Err(QueueFull { queue: queue.name.to_string(), waiting: waiting as u64 })
}
