//! Random operations against a model that knows the rules and none of the data structures.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const ACTIVITIES: [&str; 6] = ["async", "other", "blocking", "work", "ship", "pack"];
const QUEUES: [&str; 4] = ["free", "narrow", "slow", "workers"];
const SLOTS: [u64; 2] = [3, 1];

/// The largest time step, in milliseconds.
const STEP: u64 = 700;

#[derive(Clone, Debug)]
enum Step {
    Wait { queue: usize, activity: usize, priority: u8, key: u8 },
    TryBegin { queue: usize, activity: usize },
    End(prop::sample::Index),
    Answer(prop::sample::Index),
    Decline(prop::sample::Index),
    Withdraw(prop::sample::Index),
    Poll { queue: usize, poll_id: u8, activities: Vec<usize> },
    EndPoll(prop::sample::Index),
    LoseClient(prop::sample::Index),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (queue, activity) = (0..QUEUES.len(), 0..ACTIVITIES.len());
    prop_oneof![
        8 => (queue.clone(), activity.clone(), 1..=5_u8, 0..3_u8)
            .prop_map(|(queue, activity, priority, key)| Step::Wait { queue, activity, priority, key }),
        2 => (queue.clone(), activity.clone())
            .prop_map(|(queue, activity)| Step::TryBegin { queue, activity }),
        5 => any::<prop::sample::Index>().prop_map(Step::End),
        2 => any::<prop::sample::Index>().prop_map(Step::Answer),
        1 => any::<prop::sample::Index>().prop_map(Step::Decline),
        1 => any::<prop::sample::Index>().prop_map(Step::Withdraw),
        4 => (queue, 0..4_u8, prop::collection::vec(activity, 0..3))
            .prop_map(|(queue, poll_id, activities)| Step::Poll { queue, poll_id, activities }),
        1 => any::<prop::sample::Index>().prop_map(Step::EndPoll),
        1 => any::<prop::sample::Index>().prop_map(Step::LoseClient),
        3 => (0..STEP).prop_map(Step::Pass),
    ]
}

fn limits() -> QueuesConfig {
    QueuesConfig {
        task_queues: by_name([
            ("narrow", queue_limits(concurrency(2))),
            ("slow", queue_limits(rate(2.0, Some(2)))),
            ("workers", QueueLimits { in_process: false, ..QueueLimits::default() }),
        ]),
        activities: by_name([
            ("other", concurrency(1)),
            ("ship", RateLimits { concurrency: Some(2), ..rate(1.5, Some(1)) }),
        ]),
        activity_slots: SLOTS[0] as usize,
        blocking_activity_slots: SLOTS[1] as usize,
        max_tasks: usize::MAX,
    }
}

/// An attempt that runs, and what it was begun as.
struct Running {
    queue: usize,
    activity: usize,
    /// The polls' own id, when a worker has it.
    poll_id: Option<String>,
    offer: Option<Offer>,
    _permit: Permit,
}

/// A request that waits for its receiver.
struct Request {
    queue: usize,
    poll_id: String,
    activities: Vec<usize>,
    id: PollId,
    task: oneshot::Receiver<Box<ActivityTask>>,
}

struct Model {
    bench: Bench,
    next_op: Op,
    waiting: BTreeMap<Op, (usize, usize, u8, u8)>,
    given: HashSet<Op>,
    running: Vec<Running>,
    requests: Vec<Request>,
    /// Requests whose clients have gone, which nobody has said yet.
    lost: Vec<PollId>,
    /// When attempts began, in nanoseconds, by what has a rate: the queue `slow`, the type `ship`.
    begun: [Vec<u64>; 2],
}

impl Model {
    fn new() -> Self {
        Self {
            bench: Bench::new(limits()),
            next_op: 0,
            waiting: BTreeMap::new(),
            given: HashSet::new(),
            running: Vec::new(),
            requests: Vec::new(),
            lost: Vec::new(),
            begun: Default::default(),
        }
    }

    fn now(&self) -> u64 {
        self.bench.clock.now().since(BEGINNING).as_nanos() as u64
    }

    fn task(&mut self, queue: usize, activity: usize, priority: u8, key: u8) -> Task {
        self.next_op += 1;
        Task {
            queue: QUEUES[queue].to_owned(),
            priority,
            fairness_key: format!("{key}"),
            ..of(self.next_op, ACTIVITIES[activity])
        }
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Wait { queue, activity, priority, key } => {
                let task = self.task(*queue, *activity, *priority, *key);
                self.waiting.insert(task.op, (*queue, *activity, *priority, *key));
                self.bench.wait(task.clone());
                if self.begins().is_empty() {
                    // It waits already.
                    self.bench.wait(task);
                }
            }
            Step::TryBegin { queue, activity } => {
                let task = self.task(*queue, *activity, 3, 0);
                if let Some(assignment) = self.bench.queues.try_begin(&task) {
                    self.begin(task.op, *queue, *activity, assignment);
                }
            }
            Step::End(index) => {
                if !self.running.is_empty() {
                    drop(self.running.swap_remove(index.index(self.running.len())));
                }
            }
            Step::Answer(index) => {
                if let Some((op, offer)) = self.some_offer(*index) {
                    self.forget_requests(&offer.poll_id);
                    offer.answer(activity_task(op));
                }
            }
            Step::Decline(index) => drop(self.some_offer(*index)),
            Step::Withdraw(index) => {
                if !self.waiting.is_empty() {
                    let op = *index.get(&self.waiting.keys().copied().collect::<Vec<_>>());
                    self.waiting.remove(&op);
                    self.bench.queues.withdraw(&run(), op);
                }
            }
            Step::Poll { queue, poll_id, activities } => {
                let poll_id = format!("{queue} {poll_id}");
                self.forget_requests(&poll_id);
                let names = activities.iter().map(|activity| ACTIVITIES[*activity].to_owned()).collect();
                let (id, task) =
                    self.bench.queues.poll(&Namespace::default(), QUEUES[*queue], "worker", &poll_id, names);
                let activities = activities.clone();
                self.requests.push(Request { queue: *queue, poll_id, activities, id, task });
            }
            Step::EndPoll(index) => {
                if !self.requests.is_empty() {
                    let request = self.requests.swap_remove(index.index(self.requests.len()));
                    let is_offered = self.is_offered(&request.poll_id);
                    assert_eq!(self.bench.queues.end_poll(request.id), !is_offered);
                    drop(request.task);
                }
            }
            Step::LoseClient(index) => {
                if !self.requests.is_empty() {
                    let Request { id, task, .. } =
                        self.requests.swap_remove(index.index(self.requests.len()));
                    self.lost.push(id);
                    drop(task);
                }
            }
            Step::Pass(milliseconds) => {
                let until = self.bench.clock.now().after(Duration::from_millis(*milliseconds));
                while let Some(next) = self.bench.queues.next_look().filter(|next| *next <= until) {
                    self.bench.set(next);
                    self.bench.queues.look();
                    self.take_begun();
                }
                self.bench.set(until);
            }
        }
        self.take_begun();
        self.check();
    }

    fn some_offer(&mut self, index: prop::sample::Index) -> Option<(Op, Offer)> {
        let offered: Vec<usize> =
            (0..self.running.len()).filter(|at| self.running[*at].offer.is_some()).collect();
        let at = *offered.get(index.index(offered.len().max(1)))?;
        let running = &mut self.running[at];
        running.poll_id = None;
        Some((0, running.offer.take()?))
    }

    fn forget_requests(&mut self, poll_id: &str) {
        self.requests.retain(|request| request.poll_id != poll_id);
    }

    fn is_offered(&self, poll_id: &str) -> bool {
        self.running.iter().any(|running| running.poll_id.as_deref() == Some(poll_id))
    }

    fn begins(&mut self) -> Vec<Op> {
        let begun = self.bench.begun();
        let ops = begun.iter().map(|assigned| assigned.op).collect();
        for assigned in begun {
            let op = assigned.op;
            let (queue, activity, priority, key) =
                self.waiting.remove(&op).expect("what begins has waited, and begins once");
            let earlier = self.waiting.iter().find(|(other, (in_queue, of_type, rank, of_key))| {
                (*in_queue, *of_type) == (queue, activity)
                    && (*rank < priority || (*rank, *of_key) == (priority, key) && **other < op)
            });
            assert_eq!(earlier, None, "it comes before {op}");
            self.begin(op, queue, activity, assigned.assignment);
        }
        ops
    }

    fn take_begun(&mut self) {
        self.begins();
    }

    fn begin(&mut self, op: Op, queue: usize, activity: usize, assignment: Assignment) {
        assert!(self.given.insert(op), "{op} is given twice");
        let now = self.now();
        if QUEUES[queue] == "slow" {
            self.begun[0].push(now);
        }
        if ACTIVITIES[activity] == "ship" {
            self.begun[1].push(now);
        }
        let offer = match assignment.runner {
            Runner::Host => None,
            Runner::Worker(offer) => Some(offer),
        };
        assert_eq!(offer.is_none(), kind(queue, activity).is_some(), "who runs it");
        let poll_id = offer.as_ref().map(|offer| offer.poll_id.clone());
        if let Some(poll_id) = &poll_id {
            assert!(!self.is_offered(poll_id), "a poll gets one task");
        }
        self.running.push(Running { queue, activity, poll_id, offer, _permit: assignment.permit });
    }

    fn running(&self, counts: impl Fn(&Running) -> bool) -> u64 {
        self.running.iter().filter(|running| counts(running)).count() as u64
    }

    fn slots_used(&self, kind: usize) -> u64 {
        self.running(|running| self::kind(running.queue, running.activity) == Some(kind))
    }

    /// Whether the bucket has a token, by its definition: any time has at most the burst and what flowed in.
    fn has_token(&self, bucket: usize) -> bool {
        let (period, burst) = [(500_000_000, 2), (666_666_667, 1)][bucket];
        let begun = &self.begun[bucket];
        let now = self.now();
        (0..begun.len()).all(|first| {
            let count = (begun.len() - first + 1) as u64;
            count <= burst || now - begun[first] >= (count - burst) * period
        })
    }

    /// No limit is exceeded, and whatever waits lacks something.
    fn check(&self) {
        let in_queue = |name: &str| self.running(|running| QUEUES[running.queue] == name);
        let of_type = |name: &str| self.running(|running| ACTIVITIES[running.activity] == name);
        let full_queue = in_queue("narrow") >= 2;
        let full_types = [of_type("other") >= 1, of_type("ship") >= 2];
        assert!(in_queue("narrow") <= 2);
        assert!(of_type("other") <= 1 && of_type("ship") <= 2);
        assert!((0..2).all(|kind| self.slots_used(kind) <= SLOTS[kind]));
        let tokens = [self.has_token(0), self.has_token(1)];
        for (op, (queue, activity, ..)) in &self.waiting {
            let (in_queue, of_type) = (QUEUES[*queue], ACTIVITIES[*activity]);
            let lacks_runner = match kind(*queue, *activity) {
                Some(kind) => self.slots_used(kind) == SLOTS[kind],
                None => !self.requests.iter().any(|request| {
                    request.queue == *queue
                        && !self.is_offered(&request.poll_id)
                        && (request.activities.is_empty() || request.activities.contains(activity))
                }),
            };
            let lacks = lacks_runner
                || in_queue == "narrow" && full_queue
                || in_queue == "slow" && !tokens[0]
                || of_type == "other" && full_types[0]
                || of_type == "ship" && (full_types[1] || !tokens[1]);
            // A token that has come is given out at the next look, which is due.
            let is_due = self.bench.queues.next_look().is_some_and(|next| next <= self.bench.clock.now());
            assert!(lacks || is_due, "{op}, {of_type} in {in_queue}, lacks nothing");
        }
        let backlog: u64 =
            self.bench.queues.infos(&Namespace::default()).iter().map(|info| info.backlog).sum();
        assert_eq!(backlog, self.waiting.len() as u64);
    }

    /// Every task is given to somebody in the end.
    fn finish(mut self) {
        for _round in 0..10_000 {
            if self.waiting.is_empty() {
                break;
            }
            self.running.clear();
            self.take_begun();
            for queue in 0..QUEUES.len() {
                self.apply(&Step::Poll { queue, poll_id: 0, activities: Vec::new() });
            }
            self.apply(&Step::Pass(STEP));
        }
        assert!(self.waiting.is_empty(), "lost: {:?}", self.waiting);
        let queues = Arc::clone(&self.bench.queues);
        for request in self.requests.iter().map(|request| &request.id).chain(&self.lost) {
            queues.end_poll(*request);
        }
        self.running.clear();
        let after = Duration::from_secs(600);
        self.bench.set(self.bench.clock.now().after(after));
        queues.look();
        let names: Vec<String> =
            queues.infos(&Namespace::default()).into_iter().map(|info| info.name).collect();
        assert_eq!(names, ["narrow", "slow", "workers"], "nothing is kept but what is configured");
        for info in queues.infos(&Namespace::default()) {
            assert_eq!((info.running, info.by_activity), (0, Vec::new()));
        }
    }
}

/// The kind of slot, as the index into [`SLOTS`]; `None`: a worker runs it.
fn kind(queue: usize, activity: usize) -> Option<usize> {
    match ACTIVITIES[activity] {
        _ if QUEUES[queue] == "workers" => None,
        "async" | "other" => Some(0),
        "blocking" => Some(1),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_limit_is_exceeded_nothing_is_lost_or_given_twice_and_nothing_waits_that_could_run(
        steps in prop::collection::vec(step(), 1..150)
    ) {
        let mut model = Model::new();
        steps.iter().for_each(|step| model.apply(step));
        model.finish();
    }
}
