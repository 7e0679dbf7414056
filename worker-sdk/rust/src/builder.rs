//! What a worker can be told, where from, and within which limits.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use refrain_plugin::{Activity, Plugin};

use crate::client::Client;
use crate::error::Error;
use crate::worker::Worker;

/// Where a host listens unless it is told otherwise.
const DEFAULT_ADDRESS: &str = "http://127.0.0.1:7420";
/// The namespace and the task queue of those who name none.
const DEFAULT_NAME: &str = "default";
/// Attempts at once. Right for activities that wait for others; those that compute want as many as there are cores.
const DEFAULT_SLOTS: usize = 100;
/// Polls at once. Each answered one is followed by the next at once, so a few keep many slots filled.
const DEFAULT_MAX_POLLERS: usize = 4;
/// Leaves time for the end itself within the 30 s after which a process that was asked to stop is usually killed.
const DEFAULT_GRACE: Duration = Duration::from_secs(20);
/// How long the host may not hear of an attempt that beats all the time: as long as a cancellation may take to reach
/// an attempt without a heartbeat timeout.
const DEFAULT_MAX_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);

/// The settings of a [`Worker`].
#[derive(Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct WorkerBuilder {
    address: String,
    namespace: String,
    api_key: Option<String>,
    task_queue: String,
    identity: Option<String>,
    slots: usize,
    max_pollers: usize,
    grace: Duration,
    max_heartbeat_interval: Duration,
    activities: Vec<(String, Activity)>,
}

/// The settings of a worker that runs.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) task_queue: String,
    pub(crate) identity: String,
    pub(crate) slots: usize,
    pub(crate) max_pollers: usize,
    pub(crate) grace: Duration,
    pub(crate) max_heartbeat_interval: Duration,
    pub(crate) activity_names: Vec<String>,
}

impl WorkerBuilder {
    pub(crate) fn new(address: String) -> Self {
        Self {
            address,
            namespace: DEFAULT_NAME.to_owned(),
            api_key: None,
            task_queue: DEFAULT_NAME.to_owned(),
            identity: None,
            slots: DEFAULT_SLOTS,
            max_pollers: DEFAULT_MAX_POLLERS,
            grace: DEFAULT_GRACE,
            max_heartbeat_interval: DEFAULT_MAX_HEARTBEAT_INTERVAL,
            activities: Vec::new(),
        }
    }

    pub(crate) fn from_variables(read: impl Fn(&str) -> Option<String>) -> Self {
        // An empty one is no wish for the default queue, but a deployment's variable that was not filled in: `build`
        // refuses it before the worker takes tasks that are not its own.
        let task_queue = read("REFRAIN_TASK_QUEUE").unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let read = |name| read(name).filter(|value| !value.is_empty());
        let builder = Self::new(read("REFRAIN_ADDRESS").unwrap_or_else(|| DEFAULT_ADDRESS.to_owned()));
        Self {
            namespace: read("REFRAIN_NAMESPACE").unwrap_or(builder.namespace),
            api_key: read("REFRAIN_API_KEY"),
            task_queue,
            ..builder
        }
    }

    /// The namespace whose tasks it runs. By default `default`.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The key that the host wants. By default none is sent.
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = Some(key.into());
        self
    }

    /// The task queue that it polls. By default `default`.
    pub fn task_queue(mut self, queue: impl Into<String>) -> Self {
        self.task_queue = queue.into();
        self
    }

    /// The name by which people recognise the worker in what the host shows. By default the machine's name and the
    /// process id, `host-7:4711`.
    pub fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// How many attempts run at once. By default 100, which suits activities that wait for others; for those that
    /// compute, take as many as there are cores, or GPUs. Blocking activities share the threads of tokio's blocking
    /// pool, 512 by default.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots;
        self
    }

    /// How many polls wait at once, at most; never more than there are free slots. By default 4.
    pub fn max_pollers(mut self, pollers: usize) -> Self {
        self.max_pollers = pollers;
        self
    }

    /// How long attempts may go on after the worker was told to stop. By default 20 s. See [`Worker::run_until`].
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The longest time between two heartbeats on the wire of an attempt that beats all the time; for one with a
    /// heartbeat timeout it is a third of that, if that is less. By default 30 s. Shorter, and progress is seen and
    /// cancellation heard earlier.
    pub fn max_heartbeat_interval(mut self, interval: Duration) -> Self {
        self.max_heartbeat_interval = interval;
        self
    }

    /// Offers a plugin's activities.
    #[allow(clippy::needless_pass_by_value)]
    pub fn plugin(mut self, plugin: impl Plugin) -> Self {
        let name = plugin.name().to_owned();
        self.activities.extend(plugin.activities().into_iter().map(|activity| (name.clone(), activity)));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// When one cannot be used, two activities have one name, or there is none.
    pub fn build(self) -> Result<Worker, Error> {
        let refuse = |setting, value: &dyn fmt::Display, reason: &str| {
            Err(Error::Setting { setting, value: value.to_string(), reason: reason.to_owned() })
        };
        let names = [("namespace", &self.namespace), ("task_queue (REFRAIN_TASK_QUEUE)", &self.task_queue)];
        for (setting, value) in names {
            if value.is_empty() {
                return refuse(setting, value, "give a name, or leave it out to take `default`");
            }
        }
        for (setting, value) in [("slots", self.slots), ("max_pollers", self.max_pollers)] {
            if value == 0 {
                return refuse(setting, &value, "nothing would ever run; give at least 1");
            }
        }
        let identity = self.identity.unwrap_or_else(default_identity);
        if identity.is_empty() {
            return refuse("identity", &identity, "give a name, or none to take the machine's");
        }
        let mut activities = HashMap::new();
        let mut offered_by = HashMap::new();
        for (plugin, activity) in self.activities {
            let name = activity.name().to_owned();
            if let Some(other) = offered_by.insert(name.clone(), plugin.clone()) {
                let reason = format!("the plugins `{other}` and `{plugin}` both offer it; take one of them");
                return refuse("plugin", &name, &reason);
            }
            activities.insert(name, activity);
        }
        if activities.is_empty() {
            return refuse(
                "plugin",
                &"",
                "the worker would have nothing to do; add a plugin with activities",
            );
        }
        let mut activity_names: Vec<String> = activities.keys().cloned().collect();
        activity_names.sort_unstable();
        let client = Client::new(&self.address, self.namespace, self.api_key.as_deref())?;
        let settings = Settings {
            task_queue: self.task_queue,
            identity,
            slots: self.slots,
            max_pollers: self.max_pollers,
            grace: self.grace,
            max_heartbeat_interval: self.max_heartbeat_interval,
            activity_names,
        };
        Ok(Worker { settings: Arc::new(settings), client: Arc::new(client), activities })
    }
}

impl fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The API key is not shown.
        f.debug_struct("WorkerBuilder")
            .field("address", &self.address)
            .field("namespace", &self.namespace)
            .field("task_queue", &self.task_queue)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

fn default_identity() -> String {
    format!("{}:{}", gethostname::gethostname().to_string_lossy(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Offers(&'static str, Vec<&'static str>);

    impl Plugin for Offers {
        fn name(&self) -> &str {
            self.0
        }

        fn activities(&self) -> Vec<Activity> {
            self.1.iter().map(|name| Activity::blocking(*name, |_, (): ()| Ok(()))).collect()
        }
    }

    fn builder() -> WorkerBuilder {
        WorkerBuilder::new(DEFAULT_ADDRESS.to_owned()).plugin(Offers("a", vec!["a.x", "a.y"]))
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let cases = [
            (builder().slots(0), "`slots`"),
            (builder().max_pollers(0), "`max_pollers`"),
            (builder().namespace(""), "`namespace`"),
            (builder().task_queue(""), "`task_queue (REFRAIN_TASK_QUEUE)` cannot be \"\""),
            (builder().identity(""), "`identity`"),
            (builder().plugin(Offers("b", vec!["a.y"])), "the plugins `a` and `b` both offer it"),
            (WorkerBuilder::new(DEFAULT_ADDRESS.to_owned()), "nothing to do"),
            (WorkerBuilder::new("nonsense".to_owned()).plugin(Offers("a", vec!["a.x"])), "`address`"),
        ];
        for (builder, expected) in cases {
            let message = builder.build().unwrap_err().to_string();
            assert!(message.contains(expected), "{message:?} has no {expected:?}");
        }
    }

    #[test]
    fn plugins_may_come_in_boxes() {
        let boxed: Box<dyn Plugin> = Box::new(Offers("b", vec!["b.x"]));
        let worker = builder().plugin(boxed).build().unwrap();
        assert_eq!(worker.settings.activity_names, ["a.x", "a.y", "b.x"]);
    }

    #[test]
    fn the_environment_says_what_is_not_the_default() {
        let read = |pairs: &'static [(&str, &str)]| {
            WorkerBuilder::from_variables(move |name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let all = read(&[
            ("REFRAIN_ADDRESS", "http://host:1"),
            ("REFRAIN_NAMESPACE", "team"),
            ("REFRAIN_API_KEY", "key"),
            ("REFRAIN_TASK_QUEUE", "gpu"),
        ]);
        let seen = (&*all.address, &*all.namespace, all.api_key.as_deref(), &*all.task_queue);
        assert_eq!(seen, ("http://host:1", "team", Some("key"), "gpu"));
        let none = read(&[("REFRAIN_NAMESPACE", ""), ("REFRAIN_API_KEY", "")]);
        let seen = (&*none.address, &*none.namespace, none.api_key, &*none.task_queue);
        assert_eq!(seen, (DEFAULT_ADDRESS, "default", None, "default"));
        let empty = read(&[("REFRAIN_TASK_QUEUE", "")]).plugin(Offers("a", vec!["a.x"]));
        let message = empty.build().unwrap_err().to_string();
        assert!(message.contains("REFRAIN_TASK_QUEUE"), "{message}");
    }
}
