//! What owns runs in these tests: it lends them to guests, keeps their journals, and fires their timers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use refrain_engine::guest::{Guest, Guests, Stop};
use refrain_engine::ids::{Digest, WorkflowId};
use refrain_engine::journal::{Started, Surroundings};
use refrain_engine::limits;
use refrain_engine::mailbox::{Item, MailboxEntry};
use refrain_engine::run::{Effect, Run};
use refrain_engine::scripted;
use refrain_engine::time::Timestamp;
use refrain_sandbox::{Inspected, Refusal, Sandbox, SandboxOptions};

/// A sandbox and the components that a store would hold.
pub(crate) struct Owner {
    pub(crate) sandbox: Sandbox,
    components: Arc<Mutex<HashMap<Digest, Bytes>>>,
    reads: Arc<AtomicUsize>,
}

impl Owner {
    pub(crate) fn new(options: SandboxOptions) -> Self {
        let components = Arc::new(Mutex::new(HashMap::<Digest, Bytes>::new()));
        let reads = Arc::new(AtomicUsize::new(0));
        let (stored, counted) = (components.clone(), reads.clone());
        let source = move |digest| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(stored.lock().unwrap().get(&digest).cloned())
        };
        let sandbox = Sandbox::new(options, Arc::new(source)).unwrap();
        Self { sandbox, components, reads }
    }

    /// A small sandbox that keeps nothing on disk.
    pub(crate) fn small() -> Self {
        Self::new(SandboxOptions { max_instances: Some(16), ..SandboxOptions::default() })
    }

    /// How often a component's bytes were read, which is to compile them.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    pub(crate) async fn push(&self, upload: Bytes) -> Result<Inspected, Refusal> {
        let inspected = self.sandbox.inspect(upload).await?;
        self.store(inspected.digest, inspected.component.clone());
        Ok(inspected)
    }

    /// Stores a component that was not inspected here.
    pub(crate) fn store(&self, digest: Digest, component: Bytes) {
        self.components.lock().unwrap().insert(digest, component);
    }

    pub(crate) async fn open(&self, digest: Digest) -> Box<dyn Guest> {
        self.sandbox.open(digest, limits::CURRENT).await.unwrap()
    }

    /// Executes a new run to its end.
    pub(crate) async fn execute(&self, digest: Digest) -> Ended {
        let run = Run::new(started(digest), 1);
        self.go_on(run, self.open(digest).await, Vec::new(), Vec::new()).await
    }

    /// Replays the first steps of a run that ended, and goes on to the end.
    pub(crate) async fn replay(&self, digest: Digest, ended: &Ended, steps: usize) -> Ended {
        let records = ended.records[..steps].to_vec();
        let effects = ended.effects[..steps].to_vec();
        let run = Run::replay(started(digest), records.clone(), digest, 1).unwrap();
        self.go_on(run, self.open(digest).await, records, effects).await
    }

    /// Pushes and executes, for guests that end in their first step.
    pub(crate) async fn try_out(&self, upload: Bytes) -> Ended {
        let digest = self.push(upload).await.unwrap().digest;
        self.execute(digest).await
    }

    /// Goes on with a run that has these steps behind it.
    async fn go_on(
        &self,
        run: Run,
        mut guest: Box<dyn Guest>,
        mut records: Vec<Bytes>,
        mut effects: Vec<Vec<Effect>>,
    ) -> Ended {
        let mut run = Box::new(run);
        loop {
            let (back, stop) = guest.run(run).await;
            run = back;
            if !matches!(stop, Stop::Wait | Stop::Finished) {
                return Ended { records, effects, stop };
            }
            if let Some(step) = run.close_step() {
                records.push(step.record);
                effects.push(step.effects);
            }
            if matches!(stop, Stop::Finished) {
                return Ended { records, effects, stop };
            }
            fire_timers(&mut run, effects.last().expect("a run that waits made a step"));
        }
    }
}

/// A run that came to its end, or to a stop.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) records: Vec<Bytes>,
    effects: Vec<Vec<Effect>>,
    pub(crate) stop: Stop,
}

pub(crate) fn started(digest: Digest) -> Arc<Started> {
    Arc::new(Started {
        workflow_id: WorkflowId::new("test").unwrap(),
        component: "test".to_owned(),
        digest,
        at: Timestamp::from_parts(1_000_000, 0),
        seed: [9; 32],
        surroundings: Surroundings {
            environment: vec![("REGION".to_owned(), "eu".to_owned())],
            arguments: vec!["-v".to_owned()],
        },
        ..scripted::started("w")
    })
}

fn fire_timers(run: &mut Run, effects: &[Effect]) {
    let mut latest = run.time();
    for effect in effects {
        if let Effect::StartTimer { op, deadline, .. } = effect {
            latest = latest.max(*deadline);
            run.push(MailboxEntry {
                number: *op,
                at: *deadline,
                item: Item::TimerFired { op: *op, deadline: *deadline },
            });
        }
    }
    run.resume(latest);
}
