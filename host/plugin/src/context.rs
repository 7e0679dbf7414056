//! What an attempt knows of itself, and its line back to the host.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{ActivityError, CancelReason, Cancellation, Payload};

/// One attempt of one activity. Cloning is cheap, and all clones are the same attempt.
#[derive(Debug, Clone)]
pub struct Context {
    parts: Arc<ContextParts>,
}

/// What the host fills a [`Context`] with.
#[derive(Clone)]
pub struct ContextParts {
    /// The namespace of the run.
    pub namespace: String,
    /// The id of the workflow execution.
    pub workflow_id: String,
    /// The id of the run.
    pub run_id: String,
    /// The number by which the run knows this activity.
    pub op: u64,
    /// The name under which the activity was started.
    pub activity: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// The string by which this attempt can be ended from outside.
    pub task_token: String,
    /// When the attempt's outcome stops being of interest.
    pub deadline: Option<Instant>,
    /// How long the attempt may be silent before it is taken for dead.
    pub heartbeat_timeout: Option<Duration>,
    /// The details of the last heartbeat of the attempts before this one.
    pub last_heartbeat: Option<Payload>,
    /// Where the host's wish to stop arrives.
    pub cancellation: Cancellation,
    /// Where heartbeats go.
    pub hooks: Arc<dyn HostHooks>,
}

impl ContextParts {
    /// The first attempt of `activity`, belonging to no run: a start for tests of plugins.
    pub fn detached(activity: impl Into<String>) -> ContextParts {
        ContextParts {
            namespace: "default".to_owned(),
            workflow_id: "detached".to_owned(),
            run_id: "detached".to_owned(),
            op: 0,
            activity: activity.into(),
            attempt: 1,
            task_token: "detached".to_owned(),
            deadline: None,
            heartbeat_timeout: None,
            last_heartbeat: None,
            cancellation: Cancellation::never(),
            hooks: Arc::new(()),
        }
    }
}

impl fmt::Debug for ContextParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextParts")
            .field("activity", &self.activity)
            .field("workflow_id", &self.workflow_id)
            .field("run_id", &self.run_id)
            .field("op", &self.op)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// What the host does for a running attempt.
pub trait HostHooks: Send + Sync + 'static {
    /// The attempt is alive and has come as far as `details` says. Called as often as the activity likes, from
    /// any thread: must not block, and may keep the newest details alone.
    fn heartbeat(&self, details: Payload);
}

/// Hooks that do nothing, for tests.
impl HostHooks for () {
    fn heartbeat(&self, _details: Payload) {}
}

impl Context {
    /// The context of an attempt. The host makes it, and so do tests of plugins.
    pub fn new(parts: ContextParts) -> Context {
        Context { parts: Arc::new(parts) }
    }

    /// The namespace of the run that started this activity.
    pub fn namespace(&self) -> &str {
        &self.parts.namespace
    }

    /// The id of the workflow execution that started this activity.
    pub fn workflow_id(&self) -> &str {
        &self.parts.workflow_id
    }

    /// The id of the run that started this activity.
    pub fn run_id(&self) -> &str {
        &self.parts.run_id
    }

    /// The name under which this activity was started.
    pub fn activity(&self) -> &str {
        &self.parts.activity
    }

    /// The number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.parts.attempt
    }

    /// A string that names this activity of this run, the same for all of its attempts and for no other
    /// activity. Hand it to services that can tell a repeated request by a key.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.parts.run_id, self.parts.op)
    }

    /// The string that names this attempt to the host's HTTP API. Whoever has it can complete, fail, cancel or
    /// heartbeat the attempt, so hand it only to those who may: to a service that calls a webhook when it is
    /// done, or to a person. See [`ActivityError::pending`].
    pub fn task_token(&self) -> &str {
        &self.parts.task_token
    }

    /// How long the attempt may go without a [`heartbeat`](Context::heartbeat) before the host takes it for dead
    /// and makes another; `None` if it need not beat.
    pub fn heartbeat_timeout(&self) -> Option<Duration> {
        self.parts.heartbeat_timeout
    }

    /// How long the attempt's outcome is still of interest; `None` if nothing limits it.
    pub fn time_left(&self) -> Option<Duration> {
        self.parts.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// When the attempt's outcome stops being of interest, as a time to hand on to others. Computed from
    /// [`time_left`](Context::time_left), which a change of the machine's clock does not move.
    pub fn deadline(&self) -> Option<SystemTime> {
        self.time_left().and_then(|left| SystemTime::now().checked_add(left))
    }

    /// Whether the host wants this attempt to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel_reason().is_some()
    }

    /// Why the host wants this attempt to stop, if it does.
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.parts.cancellation.reason()
    }

    /// Waits until the host wants this attempt to stop; for ever, if that does not happen.
    pub async fn cancelled(&self) -> CancelReason {
        self.parts.cancellation.cancelled().await
    }

    /// An error as soon as the host wants this attempt to stop: with `?` between two pieces of work, the way out
    /// of a blocking activity.
    pub fn check_cancelled(&self) -> Result<(), ActivityError> {
        match self.cancel_reason() {
            Some(reason) => Err(ActivityError::cancelled(reason)),
            None => Ok(()),
        }
    }

    /// Tells the host that this attempt is alive, and how far it has come. Cheap: call it for each piece of work.
    /// The details are kept for [`last_heartbeat`](Context::last_heartbeat). Fails only if they have no JSON form.
    pub fn heartbeat(&self, details: impl Serialize) -> Result<(), ActivityError> {
        let details = Payload::json(&details).map_err(|error| {
            let message = format!("the details of a heartbeat have no JSON form: {error}");
            ActivityError::non_retryable(ActivityError::INVALID_OUTPUT, message)
        })?;
        self.parts.hooks.heartbeat(details);
        Ok(())
    }

    /// How far an earlier attempt had come: the details of the last heartbeat, or `None` in a first attempt and
    /// after attempts that sent none. Fails if they are not a `T`, as after an upgrade that changed the type.
    pub fn last_heartbeat<T: DeserializeOwned>(&self) -> Result<Option<T>, ActivityError> {
        let Some(details) = &self.parts.last_heartbeat else { return Ok(None) };
        let details = details.parse().map_err(|error| {
            let message = format!("the details of the last heartbeat are of another type: {error}");
            ActivityError::new("InvalidHeartbeat", message)
        })?;
        Ok(Some(details))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::CancelSource;

    #[derive(Default)]
    struct Newest(Mutex<Option<Payload>>);

    impl HostHooks for Newest {
        fn heartbeat(&self, details: Payload) {
            *self.0.lock().unwrap() = Some(details);
        }
    }

    #[test]
    fn the_next_attempt_finds_the_last_heartbeat() {
        let hooks = Arc::new(Newest::default());
        let first = ContextParts { hooks: hooks.clone(), ..ContextParts::detached("a") };
        let ctx = Context::new(first.clone());
        assert_eq!(ctx.last_heartbeat::<u64>().unwrap(), None);
        ctx.heartbeat(1).unwrap();
        ctx.heartbeat(2).unwrap();

        let last_heartbeat = hooks.0.lock().unwrap().clone();
        let ctx = Context::new(ContextParts { attempt: 2, last_heartbeat, ..first });
        assert_eq!(ctx.last_heartbeat::<u64>().unwrap(), Some(2));
        let error = ctx.last_heartbeat::<String>().unwrap_err();
        assert!(error.to_string().contains("invalid type: integer `2`"), "{error}");
    }

    #[test]
    fn details_without_a_json_form_are_an_error_and_reach_nobody() {
        let hooks = Arc::new(Newest::default());
        let ctx = Context::new(ContextParts { hooks: hooks.clone(), ..ContextParts::detached("a") });
        let no_json = std::collections::BTreeMap::from([(vec![1], 1)]);
        assert!(ctx.heartbeat(no_json).unwrap_err().non_retryable);
        assert_eq!(*hooks.0.lock().unwrap(), None);
    }

    #[test]
    fn all_attempts_have_one_key_and_each_activity_its_own() {
        let key = |op, attempt| {
            Context::new(ContextParts { op, attempt, ..ContextParts::detached("a") }).idempotency_key()
        };
        assert_eq!(key(7, 1), key(7, 2));
        assert_ne!(key(7, 1), key(8, 1));
    }

    #[test]
    fn cancellation_is_an_error_of_its_own() {
        let source = CancelSource::new();
        let ctx =
            Context::new(ContextParts { cancellation: source.cancellation(), ..ContextParts::detached("a") });
        ctx.check_cancelled().unwrap();
        source.cancel(CancelReason::Shutdown);
        let error = ctx.check_cancelled().unwrap_err();
        assert!(error.is_cancelled() && ctx.is_cancelled());
        assert!(error.to_string().contains("is stopping"), "{error}");
    }

    #[test]
    fn time_left_ends_at_zero() {
        let at = |deadline| Context::new(ContextParts { deadline, ..ContextParts::detached("a") });
        assert_eq!(at(None).time_left(), None);
        assert_eq!(at(None).deadline(), None);
        assert_eq!(at(Some(Instant::now())).time_left(), Some(Duration::ZERO));
        let hour = Duration::from_secs(3600);
        assert!(at(Some(Instant::now() + hour)).deadline().unwrap() > SystemTime::now() + hour / 2);
    }
}
