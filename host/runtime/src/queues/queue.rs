//! One task queue: what waits in it, in which order, and who polls it. Limits and slots that several queues
//! share are the dispatcher's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use refrain_engine::ids::{Namespace, Op, RunId};
use refrain_engine::time::Timestamp;
use refrain_plugin::Kind;

use super::Task;
use super::fair::{Fair, Tag};
use super::pollers::{Change, Pollers, Reply};
use super::rate::{Bucket, Moment};
use crate::activity_types::{PollerInfo, QueueLimits, QueuedActivity, TaskQueueInfo};

/// Names a queue while it is known.
pub(super) type QueueId = u64;

/// A number that grows with each service: who was served least recently has the lowest.
pub(super) type Turn = u64;

/// Where a task stands in its queue. The number makes ranks unique and is the order of arrival.
pub(super) type Rank = (usize, Tag, u64);

/// The priorities, 1 to 5, are levels 0 to 4.
const LEVELS: usize = 5;

/// The kinds of slots, in the order of [`slot`].
pub(super) const KINDS: [Kind; 2] = [Kind::Async, Kind::Blocking];

/// Where slots of a kind are counted.
pub(super) fn slot(kind: Kind) -> usize {
    match kind {
        Kind::Async => 0,
        Kind::Blocking => 1,
    }
}

/// A task queue.
pub(super) struct Queue {
    pub(super) namespace: Namespace,
    pub(super) name: Arc<str>,
    pub(super) limits: QueueLimits,
    pub(super) bucket: Option<Bucket>,
    /// No attempt begins before this: the bucket is empty and tasks wait for it.
    pub(super) resting: Option<Moment>,
    pub(super) running: u64,
    pub(super) pollers: Pollers,
    /// The workers that polled lately.
    pub(super) seen: HashMap<Arc<str>, Seen>,
    /// When it last got a slot of each kind.
    pub(super) served: [Turn; 2],
    /// Where it stands in line for slots of each kind.
    pub(super) lined_up: [Option<Turn>; 2],
    lanes: HashMap<Arc<str>, Lane>,
    /// The first task of each lane that its type's limits let go, by what it needs to begin.
    heads: [BTreeMap<Rank, Arc<str>>; Needs::COUNT],
    levels: [Fair; LEVELS],
    ages: BTreeSet<(Timestamp, u64)>,
}

/// A worker that polled.
pub(super) struct Seen {
    pub(super) at: Moment,
    pub(super) time: Timestamp,
    pub(super) activities: Arc<[Arc<str>]>,
}

/// The tasks of one activity type, so that a type that cannot go on holds up no other.
#[derive(Default)]
struct Lane {
    waiting: BTreeMap<Rank, Waiting>,
    running: u64,
    /// The kind of slot; `None`: workers have it.
    kind: Option<Kind>,
    /// When the type's limits last let one of this queue begin.
    served: Turn,
    /// The limits of the type are in the way: where the queue stands in line for them.
    blocked: Option<Turn>,
    /// Where the lane stands in `heads`.
    head: Option<(Needs, Rank)>,
}

/// A task that waits.
struct Waiting {
    run: RunId,
    op: Op,
    fairness_key: Arc<str>,
    since: Timestamp,
}

/// What the first task of a lane needs, besides what its queue and its type allow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Slot(Kind),
    /// A poller: some wait for this type by name.
    Poller,
    /// A poller that takes anything: none waits for this type by name.
    AnyPoller,
}

impl Needs {
    const COUNT: usize = 4;
    const ALL: [Self; Self::COUNT] =
        [Self::Slot(Kind::Async), Self::Slot(Kind::Blocking), Self::Poller, Self::AnyPoller];

    fn index(self) -> usize {
        match self {
            Self::Slot(kind) => slot(kind),
            Self::Poller => 2,
            Self::AnyPoller => 3,
        }
    }
}

/// A task that waits no more.
pub(super) struct Left {
    pub(super) run: RunId,
    pub(super) op: Op,
    /// Its lane was blocked and is empty now: where it stood in line.
    pub(super) blocked: Option<Turn>,
}

impl Queue {
    pub(super) fn new(
        namespace: Namespace,
        name: Arc<str>,
        limits: QueueLimits,
        bucket: Option<Bucket>,
    ) -> Self {
        Self {
            namespace,
            name,
            limits,
            bucket,
            resting: None,
            running: 0,
            pollers: Pollers::default(),
            seen: HashMap::new(),
            served: [0; 2],
            lined_up: [None; 2],
            lanes: HashMap::new(),
            heads: Default::default(),
            levels: Default::default(),
            ages: BTreeSet::new(),
        }
    }

    /// How many tasks wait.
    pub(super) fn backlog(&self) -> usize {
        self.ages.len()
    }

    /// Whether nothing is known of the queue but its name.
    pub(super) fn is_idle(&self) -> bool {
        self.lanes.is_empty() && self.running == 0 && self.pollers.is_empty() && self.seen.is_empty()
    }

    /// Whether its own limits let an attempt begin, as far as is known without its bucket.
    pub(super) fn is_open(&self) -> bool {
        let full = self.limits.limits.concurrency.is_some_and(|most| self.running >= u64::from(most));
        !full && self.resting.is_none()
    }

    /// Whether the first task of some lane needs a slot of this kind.
    pub(super) fn wants_slot(&self, kind: Kind) -> bool {
        !self.heads[Needs::Slot(kind).index()].is_empty()
    }

    /// The type of the first task that can begin as far as slots and pollers go.
    pub(super) fn next(&self, has_slot: impl Fn(Kind) -> bool) -> Option<Arc<str>> {
        Needs::ALL
            .into_iter()
            .filter(|needs| match needs {
                Needs::Slot(kind) => has_slot(*kind),
                Needs::Poller => true,
                Needs::AnyPoller => self.pollers.has_any(),
            })
            .filter_map(|needs| self.heads[needs.index()].first_key_value())
            .min_by_key(|(rank, _)| **rank)
            .map(|(_, activity)| Arc::clone(activity))
    }

    /// Whether a worker waits for a task of this type.
    pub(super) fn has_poller(&self, activity: &str) -> bool {
        self.pollers.has_any() || self.pollers.has(activity)
    }

    /// The task waits from now on. Answers its type's name and its rank.
    pub(super) fn enter(&mut self, task: &Task, kind: Option<Kind>, number: u64) -> (Arc<str>, Rank) {
        let level = usize::from(task.priority.clamp(1, LEVELS as u8)) - 1;
        let (tag, fairness_key) =
            self.levels[level].enter(&task.fairness_key, kind.is_some(), task.fairness_weight);
        let rank = (level, tag, number);
        let activity = self.lane(&task.activity, kind);
        let waiting = Waiting { run: task.run.run, op: task.op, fairness_key, since: task.since };
        self.ages.insert((task.since, number));
        if let Some(lane) = self.lanes.get_mut(&activity) {
            lane.waiting.insert(rank, waiting);
        }
        self.refresh(&activity);
        (activity, rank)
    }

    /// Takes the first task of a type, to be served.
    pub(super) fn serve(&mut self, activity: &str) -> Option<Left> {
        let rank = *self.lanes.get(activity)?.waiting.first_key_value()?.0;
        self.levels[rank.0].serve(rank.1);
        self.leave(activity, rank)
    }

    /// Takes a task out.
    pub(super) fn leave(&mut self, activity: &str, rank: Rank) -> Option<Left> {
        let lane = self.lanes.get_mut(activity)?;
        let waiting = lane.waiting.remove(&rank)?;
        let blocked = if lane.waiting.is_empty() { lane.blocked.take() } else { None };
        self.levels[rank.0].leave(&waiting.fairness_key, lane.kind.is_some());
        self.ages.remove(&(waiting.since, rank.2));
        self.refresh(activity);
        Some(Left { run: waiting.run, op: waiting.op, blocked })
    }

    /// An attempt of the type begins.
    pub(super) fn begin(&mut self, activity: &str, kind: Option<Kind>, turn: Turn) -> Arc<str> {
        let activity = self.lane(activity, kind);
        self.running += 1;
        if let Some(kind) = kind {
            self.served[slot(kind)] = turn;
        }
        if let Some(lane) = self.lanes.get_mut(&activity) {
            lane.running += 1;
            lane.served = turn;
        }
        activity
    }

    /// An attempt of the type is over.
    pub(super) fn end(&mut self, activity: &str) {
        self.running -= 1;
        if let Some(lane) = self.lanes.get_mut(activity) {
            lane.running -= 1;
        }
        self.refresh(activity);
    }

    /// The limits of the type are in the way of its tasks. Answers where the queue stands in line for them;
    /// `None` when no task waits, or when it stands there already.
    pub(super) fn block(&mut self, activity: &str) -> Option<Turn> {
        let lane = self.lanes.get_mut(activity)?;
        if lane.blocked.is_some() || lane.waiting.is_empty() {
            return None;
        }
        let turn = lane.served;
        lane.blocked = Some(turn);
        self.refresh(activity);
        Some(turn)
    }

    /// The limits of the type let a task go.
    pub(super) fn unblock(&mut self, activity: &str) {
        if let Some(lane) = self.lanes.get_mut(activity) {
            lane.blocked = None;
        }
        self.refresh(activity);
    }

    /// Pollers have come or gone. Answers the ends of polls that are over.
    pub(super) fn poll_changes(&mut self, changes: impl IntoIterator<Item = Change>) -> Vec<Reply> {
        changes
            .into_iter()
            .filter_map(|change| {
                change.activities.iter().for_each(|activity| self.refresh(activity));
                change.over
            })
            .collect()
    }

    fn lane(&mut self, activity: &str, kind: Option<Kind>) -> Arc<str> {
        if let Some((name, _)) = self.lanes.get_key_value(activity) {
            return Arc::clone(name);
        }
        let name: Arc<str> = Arc::from(activity);
        self.lanes.insert(Arc::clone(&name), Lane { kind, ..Lane::default() });
        name
    }

    /// Puts the lane's first task where it belongs in `heads`; forgets a lane with nothing in it.
    fn refresh(&mut self, activity: &str) {
        let is_polled = self.pollers.has(activity);
        let Some((name, lane)) = self.lanes.get_key_value(activity) else { return };
        let needs = match lane.kind {
            Some(kind) => Needs::Slot(kind),
            None if is_polled => Needs::Poller,
            None => Needs::AnyPoller,
        };
        let first = lane.waiting.first_key_value().filter(|_| lane.blocked.is_none());
        let head = first.map(|(rank, _)| (needs, *rank));
        let is_idle = lane.waiting.is_empty() && lane.running == 0;
        if head != lane.head {
            if let Some((needs, rank)) = lane.head {
                self.heads[needs.index()].remove(&rank);
            }
            if let Some((needs, rank)) = head {
                self.heads[needs.index()].insert(rank, Arc::clone(name));
            }
        }
        if is_idle {
            self.lanes.remove(activity);
        } else if let Some(lane) = self.lanes.get_mut(activity) {
            lane.head = head;
        }
    }

    /// What can be told of it.
    pub(super) fn info(&self) -> TaskQueueInfo {
        let mut by_activity: Vec<QueuedActivity> = self
            .lanes
            .iter()
            .map(|(activity, lane)| QueuedActivity {
                activity: activity.to_string(),
                backlog: lane.waiting.len() as u64,
                running: lane.running,
            })
            .collect();
        by_activity.sort_unstable_by(|a, b| a.activity.cmp(&b.activity));
        let mut pollers: Vec<PollerInfo> = self
            .seen
            .iter()
            .map(|(worker, seen)| PollerInfo {
                worker: worker.to_string(),
                last_seen: seen.time,
                activities: seen.activities.iter().map(ToString::to_string).collect(),
            })
            .collect();
        pollers.sort_unstable_by(|a, b| a.worker.cmp(&b.worker));
        TaskQueueInfo {
            name: self.name.to_string(),
            backlog: self.backlog() as u64,
            oldest_since: self.ages.first().map(|(since, _)| *since),
            running: self.running,
            waiting_pollers: self.pollers.waiting() as u64,
            pollers,
            by_priority: std::array::from_fn(|level| self.levels[level].waiting()),
            by_activity,
            limits: self.limits,
        }
    }
}

/// What can be told of a queue that nobody has used.
pub(super) fn unused(name: &str, limits: QueueLimits) -> TaskQueueInfo {
    Queue::new(Namespace::default(), Arc::from(name), limits, None).info()
}
