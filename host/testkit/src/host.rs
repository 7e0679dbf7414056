//! A host in the test's own process, over a store in memory: it lives as often as the test says.

use std::sync::Arc;
use std::time::Duration;

use refrain_engine::failure::Failure;
use refrain_engine::ids::Namespace;
use refrain_engine::journal::Surroundings;
use refrain_engine::time::Timestamp;
use refrain_plugin::{Activity, ActivityError, Context, Kind, Plugin};
use refrain_runtime::{Clock, Entropy, Error, Options, Runtime, TokioClock};
use refrain_store::{Fault, FaultyStore, MemoryStore, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::child::Child;
use crate::code::Code;
use crate::error::TestError;
use crate::life::Life;
use crate::opening::InRealTime;
use crate::runs::{self, RUN_LIMIT};
use crate::time::{BEGINNING, Hold, paused};

/// How long a test goes on in virtual time, unless it says otherwise: what has not ended after ten years never will.
pub const TIME_LIMIT: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Attempts at once. Each that does real work holds a thread, of which tokio gives a runtime 512.
const ACTIVITY_SLOTS: usize = 256;

/// A host under test. See the crate's documentation.
pub struct TestHost {
    code: Code,
    activities: Vec<Activity>,
    options: Options,
    store: Arc<MemoryStore>,
    seed: u64,
    began: Timestamp,
    now: Timestamp,
    limit: Duration,
    run_limit: u64,
    lives: u64,
}

impl TestHost {
    /// A host with this code, and with no activities.
    pub fn new(code: &Code) -> Self {
        Self {
            code: code.clone(),
            activities: Vec::new(),
            // Skipped time is no reason to drop what is in memory.
            options: Options {
                activity_slots: ACTIVITY_SLOTS,
                idle_timeout: TIME_LIMIT,
                ..Options::default()
            },
            store: Arc::default(),
            seed: 0,
            began: BEGINNING,
            now: BEGINNING,
            limit: TIME_LIMIT,
            run_limit: RUN_LIMIT,
            lives: 0,
        }
    }

    /// The seed of all that is random, here and in workflows. Default 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// When the test begins. Default 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn begins_at(mut self, time: Timestamp) -> Self {
        (self.began, self.now) = (time, time);
        self
    }

    /// After how much virtual time the test gives up. Default [`TIME_LIMIT`].
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// After how many runs of one execution the test gives up. Default [`RUN_LIMIT`].
    #[must_use]
    pub fn run_limit(mut self, limit: u64) -> Self {
        self.run_limit = limit;
        self
    }

    /// What the code of a component finds around it.
    #[must_use]
    pub fn surroundings(mut self, component: &str, surroundings: Surroundings) -> Self {
        self.options.surroundings.insert(component.to_owned(), surroundings);
        self
    }

    /// Every wait of a run drops its instance: each step is made by one that was replayed.
    #[must_use]
    pub fn evicting(mut self) -> Self {
        self.options.resident_instances = 0;
        self
    }

    /// Answers the activities of this type. An error is retried as the workflow's policy says.
    #[must_use]
    pub fn activity<I, O>(
        self,
        name: &str,
        answer: impl Fn(Context, I) -> Result<O, ActivityError> + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
    {
        self.answers(Activity::new(name, move |context, input| {
            let answer = answer(context, input);
            async move { answer }
        }))
    }

    /// Answers the activities of a type with any code: it may sleep in tokio's time, which is virtual, and heartbeat.
    #[must_use]
    pub fn answers(mut self, activity: Activity) -> Self {
        self.activities.retain(|known| known.name() != activity.name());
        self.activities.push(activity);
        self
    }

    /// Lets a real plugin answer its activities. Time stands still while one is at work.
    #[must_use]
    pub fn plugin(self, plugin: &dyn Plugin) -> Self {
        plugin.activities().into_iter().fold(self, |host, activity| host.answers(in_real_time(activity)))
    }

    /// Answers the children of this type in place of their code, whichever component has it, if any. Their executions
    /// are like any other: they have ids and histories, are retried, canceled and terminated, and end when the answer
    /// is there.
    #[must_use]
    pub fn child<I, O>(
        self,
        workflow: &str,
        answer: impl Fn(I) -> Result<O, Box<Failure>> + Send + Sync + 'static,
    ) -> Self
    where
        I: DeserializeOwned,
        O: Serialize,
    {
        self.answers_children(Child::new(workflow, answer))
    }

    /// Answers the children of a type with any code: after a time, by attempt, or some of them.
    #[must_use]
    pub fn answers_children(mut self, child: Child) -> Self {
        self.code.answer_child(child);
        self
    }

    /// The code that it executes, with the children that it answers.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Whether something answers the activities of this type.
    pub fn has_activity(&self, name: &str) -> bool {
        self.activities.iter().any(|activity| activity.name() == name)
    }

    /// A life of the host. It ends as by a crash, when `life` returns; the next one finds what is durable.
    ///
    /// # Errors
    /// What `life` says, and when the host does not start.
    pub fn live<T>(&mut self, life: impl AsyncFnOnce(Life) -> Result<T, TestError>) -> Result<T, TestError> {
        let store: Arc<dyn Store> = self.store.clone();
        self.live_on(store, life)
    }

    /// A life that counts how often the host writes.
    pub(crate) fn live_counted<T>(
        &mut self,
        life: impl AsyncFnOnce(Life) -> Result<T, TestError>,
    ) -> Result<(T, u64), TestError> {
        let store = Arc::new(FaultyStore::new(Arc::clone(&self.store)));
        let lived = self.live_on(store.clone(), life)?;
        Ok((lived, store.writes()))
    }

    /// A life whose store has a fault.
    pub(crate) fn live_with<T>(
        &mut self,
        fault: Fault,
        life: impl AsyncFnOnce(Life) -> Result<T, TestError>,
    ) -> Result<T, TestError> {
        let store = Arc::new(FaultyStore::with_fault(Arc::clone(&self.store), fault));
        self.live_on(store, life)
    }

    fn live_on<T>(
        &mut self,
        store: Arc<dyn Store>,
        life: impl AsyncFnOnce(Life) -> Result<T, TestError>,
    ) -> Result<T, TestError> {
        self.lives += 1;
        let repeats = self.lives > 1;
        let tokio = paused();
        let (lived, now) = tokio.block_on(async {
            let clock = TokioClock::at(self.now);
            let lived = match self.boot(store, clock).await {
                Ok(runtime) => {
                    let alive = Life::new(runtime.clone(), clock, self.began, self.limit, repeats);
                    tokio::select! {
                        biased;
                        // No time passes between a crash and the next life.
                        why = runtime.failed() => Err(Error::Poisoned(why).into()),
                        endless = runs::too_many(&alive, self.run_limit) => Err(endless),
                        lived = life(alive.clone()) => lived,
                    }
                }
                Err(error) => Err(error.into()),
            };
            (lived, clock.now())
        });
        self.now = now;
        // An attempt that blocks its thread is left behind, as a killed process would leave it.
        tokio.shutdown_background();
        lived
    }

    async fn boot(&self, store: Arc<dyn Store>, clock: TokioClock) -> Result<Runtime, Error> {
        let plugins: Vec<Box<dyn Plugin>> = vec![Box::new(Answers(self.activities.clone()))];
        let options = Options { entropy: Entropy::seeded(self.seed), ..self.options.clone() };
        let guests = Arc::new(InRealTime(self.code.guests()));
        let runtime = Runtime::start(store, guests, plugins, Arc::new(clock), options).await?;
        for (name, component) in self.code.components() {
            runtime.register_component(&Namespace::default(), &name, component).await?;
        }
        Ok(runtime)
    }
}

/// The activities of a test.
struct Answers(Vec<Activity>);

impl Plugin for Answers {
    fn name(&self) -> &str {
        "test"
    }

    fn activities(&self) -> Vec<Activity> {
        self.0.clone()
    }
}

/// The same activity, while whose attempts no time is skipped: one of a real plugin. Blocking ones run where tokio sees
/// them itself.
pub fn in_real_time(activity: Activity) -> Activity {
    match activity.kind() {
        Kind::Blocking => activity,
        Kind::Async => Activity::raw(activity.name().to_owned(), move |context, input| {
            let hold = Hold::time();
            let answer = activity.call(context, input);
            async move {
                let answer = answer.await;
                drop(hold);
                answer
            }
        }),
    }
}
