//! What can be set about a runtime, with its defaults and their reasons.

use std::collections::BTreeMap;
use std::time::Duration;

use refrain_engine::ids::Namespace;
use refrain_engine::journal::Surroundings;

use crate::activity_types::{QueueLimits, RateLimits};
use crate::entropy::Entropy;

/// The runtime's options.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespaces that exist. Default: `default` alone.
    pub namespaces: Vec<Namespace>,
    /// A waiting instance is dropped after this time. Default 10 s: longer than most waits for an activity,
    /// short enough that a sleeping run costs no memory.
    pub idle_timeout: Duration,
    /// Waiting instances are dropped, least recently used first, while they take more than this together.
    /// Default 1 GiB.
    pub resident_bytes: usize,
    /// Waiting instances are dropped while there are more than this. Default 4,000: the sandbox needs five
    /// memory maps for each, and Linux grants a process 65,530.
    pub resident_instances: usize,
    /// Attempts of asynchronous activities that run at once in this process. Default 4,096: each holds little
    /// more than its input.
    pub activity_slots: usize,
    /// Attempts of blocking activities that run at once in this process. Default 64: each holds a thread.
    pub blocking_activity_slots: usize,
    /// The task queues that something is configured about; the others have no limits, and this host serves them.
    pub task_queues: BTreeMap<String, QueueLimits>,
    /// The activity types that have limits, in each namespace for itself.
    pub activities: BTreeMap<String, RateLimits>,
    /// What the code of components finds around it, by the component's name. A run keeps what it started with. Default:
    /// nothing.
    pub surroundings: BTreeMap<String, Surroundings>,
    /// Tasks that wait in one task queue. Default 100,000: some 200 bytes each. What comes to a full queue waits
    /// outside of it, and starts of workflows on it are refused.
    pub queued_tasks: usize,
    /// Runs that replay or execute their first step at once. Default 256: bounds memory while a boot finds
    /// many runs to wake.
    pub loading_slots: usize,
    /// Queries that are answered at once. Default 8: each replays a journal in an instance of its own, and the
    /// sandbox has sixteen of them to spare beside those that wait.
    pub query_slots: usize,
    /// Signals and cancel requests that may wait in a run's mailbox. Default 10,000; more are refused as busy.
    /// Outcomes are never refused.
    pub mailbox_messages: u64,
    /// Where ids and the seeds of runs come from. Default: the operating system.
    pub entropy: Entropy,
    /// How long a shutdown waits for steps and attempts. Default 10 s: what service managers grant before
    /// they kill.
    pub shutdown_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            namespaces: vec![Namespace::default()],
            idle_timeout: Duration::from_secs(10),
            resident_bytes: 1 << 30,
            resident_instances: 4_000,
            activity_slots: 4_096,
            blocking_activity_slots: 64,
            task_queues: BTreeMap::new(),
            activities: BTreeMap::new(),
            surroundings: BTreeMap::new(),
            queued_tasks: 100_000,
            loading_slots: 256,
            query_slots: 8,
            mailbox_messages: 10_000,
            entropy: Entropy::system(),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

impl Options {
    /// What a new run of this component finds around it.
    pub(crate) fn surroundings_of(&self, component: &str) -> Surroundings {
        self.surroundings.get(component).cloned().unwrap_or_default()
    }
}
