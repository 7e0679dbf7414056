//! One seed, from its beginning to its verdict.

use std::sync::Arc;
use std::time::Duration;

use refrain_engine::ids::Namespace;
use refrain_engine::time::Timestamp;
use refrain_plugin::Plugin;
use refrain_runtime::{Clock, Error, ListFilter, RunStatus, Runtime, Target};
use refrain_store::{MemoryStore, SimMachine, Store, StoreError};

use crate::checkers;
use crate::clients::Clients;
use crate::clock::{BEGINNING, SimClock};
use crate::code::{COMPONENT, Code};
use crate::disk::{DiskFaults, SimStore};
use crate::evidence::Evidence;
use crate::options::Options;
use crate::plugin::{SimPlugin, Worker};
use crate::random::Random;
use crate::trace::{Event, Trace};

/// After the last fault everything must have ended within this time: the longest timer is an hour, and an actor starts
/// a few of them one after the other, as do its children.
const HEALING: Duration = Duration::from_secs(7 * 86_400);

/// Workers beside the host.
const WORKERS: u64 = 2;

/// What became of a simulation.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What does not hold, with the name of the promise.
    pub violations: Vec<String>,
    /// Everything that happened.
    pub trace: String,
    /// Runs in the end.
    pub runs: usize,
    /// Lives of the host.
    pub lives: u64,
}

/// Simulates this seed, with scripts or with a real component. The process should have done little else before: what the
/// standard library and tokio counted until then is part of what they draw.
pub fn run(seed: u64, options: &Options, component: Option<Code>) -> Verdict {
    let code = component.unwrap_or_else(|| draw_code(seed));
    let mut simulation = Simulation::new(seed, options, code);
    let lives = simulation.random.below(options.crashes + 1);
    for _ in 0..lives {
        simulation.live(Life::Faulty);
        simulation.time_without_host();
    }
    simulation.live(Life::Last);
    simulation.judge()
}

/// Every fourth seed has versions, which clients push and move runs to.
fn draw_code(seed: u64) -> Code {
    if seed.is_multiple_of(4) { Code::versions() } else { Code::script() }
}

/// How a host lives.
#[derive(Clone, Copy, PartialEq)]
enum Life {
    /// Until it crashes.
    Faulty,
    /// Until all has ended.
    Last,
}

/// What a crash leaves.
enum Disk {
    /// Whole batches, in order.
    Memory(Arc<MemoryStore>),
    /// What the disks of a machine have kept: the durable store must make sense of it.
    Machine(Box<SimMachine>),
}

impl Disk {
    /// Every third seed has the durable store, which costs ten times what memory does.
    fn draw(seed: u64) -> Self {
        if seed.is_multiple_of(3) {
            Self::Machine(Box::new(SimMachine::new(u64::MAX)))
        } else {
            Self::Memory(Arc::default())
        }
    }

    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::Memory(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Machine(machine) => Arc::new(machine.open()?),
        })
    }

    /// The power is off, and back for so many operations.
    fn restart(&mut self, random: &mut Random, operations: u64) {
        if let Self::Machine(machine) = self {
            **machine = machine.restarted(random.next(), operations);
        }
    }

    fn cut_power(&self) {
        if let Self::Machine(machine) = self {
            machine.cut_power();
        }
    }
}

struct Simulation {
    seed: u64,
    random: Random,
    trace: Trace,
    clients: Clients,
    code: Code,
    disk: Disk,
    now: Timestamp,
    lives: u64,
}

impl Simulation {
    fn new(seed: u64, options: &Options, code: Code) -> Self {
        let trace = Trace::default();
        Self {
            seed,
            random: Random::new(seed, "lives"),
            clients: Clients::draw(seed, options, &code.versions, trace.clone()),
            trace,
            code,
            disk: Disk::draw(seed),
            now: BEGINNING,
            lives: 0,
        }
    }

    /// One life of a host. It ends as by a crash.
    fn live(&mut self, life: Life) {
        self.lives += 1;
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        tokio.block_on(async {
            let clock = SimClock::at(self.now);
            let random = Random::new(self.seed, &format!("disk {}", self.lives));
            let faults = self.draw_disk_faults(life);
            let operations = match life {
                Life::Faulty if self.random.percent(50) => self.random.below(4_000),
                Life::Faulty | Life::Last => u64::MAX,
            };
            self.disk.restart(&mut self.random, operations);
            self.trace.record(clock.now(), Event::Boot(self.lives));
            let disk = match self.disk.open() {
                Ok(disk) => disk,
                Err(error) => {
                    let why = format!("its store did not open: {error}");
                    self.trace.record(clock.now(), Event::Crash(why));
                    return;
                }
            };
            let store = SimStore::new(disk, clock.clone(), self.trace.clone(), faults, random);
            let why = match self.boot(&store, &clock).await {
                Ok(runtime) => match life {
                    Life::Faulty => self.until_crash(&runtime, &store, &clock).await,
                    Life::Last => self.until_rest(&runtime, &clock).await,
                },
                Err(error) => format!("it did not come up: {error}"),
            };
            store.crash();
            // A killed process writes nothing more, not even a good end of its databases.
            self.disk.cut_power();
            self.trace.record(clock.now(), Event::Crash(why));
            self.now = clock.now();
        });
        drop(tokio);
        self.clients.forget_asked_once();
    }

    fn draw_disk_faults(&mut self, life: Life) -> DiskFaults {
        let random = &mut self.random;
        let slow_percent = *random.pick(&[0, 0, 20, 100]);
        let slowest = Duration::from_millis(*random.pick(&[1, 5, 200]));
        if life == Life::Last {
            return DiskFaults { slow_percent, slowest, ..DiskFaults::default() };
        }
        let full_from = random.below(1_000);
        let full_for = if random.percent(20) { random.below(50) } else { 0 };
        DiskFaults {
            slow_percent,
            slowest,
            fails_at: random.percent(40).then(|| 1 + random.below(150)),
            full: full_from..full_from + full_for,
        }
    }

    async fn boot(&mut self, store: &SimStore, clock: &SimClock) -> Result<Runtime, Error> {
        let mut options = refrain_runtime::Options::default();
        // Storms of evictions: hardly anything stays in memory.
        if self.random.percent(50) {
            options.idle_timeout = Duration::from_millis(*self.random.pick(&[1, 50, 1_000]));
            options.resident_instances = self.random.below(4) as usize;
        }
        if self.random.percent(20) {
            (options.loading_slots, options.activity_slots) = (1, 2);
        }
        let plugin: Box<dyn Plugin> = Box::new(SimPlugin { trace: self.trace.clone(), clock: clock.clone() });
        let (store, guests) = (Arc::new(store.clone()), Arc::clone(&self.code.guests));
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let runtime = Runtime::start(store, guests, vec![plugin], clock, options).await?;
        let namespace = Namespace::default();
        if runtime.component(&namespace, COMPONENT, None).is_err() {
            runtime.register_component(&namespace, COMPONENT, self.code.versions[0].clone()).await?;
        }
        Ok(runtime)
    }

    /// Clients ask and workers work until the host crashes, at a drawn time or because its store has failed.
    async fn until_crash(&mut self, runtime: &Runtime, store: &SimStore, clock: &SimClock) -> String {
        self.clients.ask(runtime, clock);
        self.hire(runtime, clock, false);
        let span = *self.random.pick(&[50, 2_000, 60_000, 600_000, 4_000_000]);
        let mut left = Duration::from_millis(1 + self.random.below(span));
        while !left.is_zero() {
            let moment = left.min(Duration::from_millis(1 + self.random.below(5_000)));
            tokio::time::sleep(moment).await;
            left -= moment;
            if store.is_poisoned() {
                return "its store has failed".to_owned();
            }
            if self.random.percent(2) {
                clock.jump(Duration::from_millis(self.random.below(600_000)));
            }
        }
        "it was killed".to_owned()
    }

    /// Nothing goes wrong any more, until everything has ended.
    async fn until_rest(&mut self, runtime: &Runtime, clock: &SimClock) -> String {
        self.clients.ask(runtime, clock);
        self.hire(runtime, clock, true);
        let until = clock.now().after(HEALING);
        while clock.now() < until {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let open = |status| {
                let filter = ListFilter { status: Some(status), workflow: None };
                runtime.list(&Namespace::default(), &filter, 1_000, None).map(|page| page.items)
            };
            let (Ok(running), Ok(paused)) = (open(RunStatus::Running), open(RunStatus::Paused)) else {
                continue;
            };
            if self.clients.left() > 0 {
                continue;
            }
            if running.is_empty() && paused.is_empty() {
                // What follows from the last end is on its way.
                tokio::time::sleep(Duration::from_secs(60)).await;
                return "all has ended".to_owned();
            }
            for run in paused {
                let target = Target { workflow_id: run.workflow_id, run_id: Some(run.run_id) };
                // It may have ended meanwhile.
                let _unpaused = runtime.unpause(&Namespace::default(), &target).await;
            }
        }
        "the time to heal is over".to_owned()
    }

    fn hire(&mut self, runtime: &Runtime, clock: &SimClock, healthy: bool) {
        for number in 0..WORKERS {
            let name = format!("rita {} {number}", self.lives);
            let random = Random::new(self.random.next(), &name);
            let (trace, clock) = (self.trace.clone(), clock.clone());
            tokio::spawn(Worker { name, random, healthy, trace, clock }.work(runtime.clone()));
        }
    }

    /// Nobody is there for a while, and the clock may come back a little behind.
    fn time_without_host(&mut self) {
        let away = Duration::from_millis(*self.random.pick(&[0, 10, 1_000, 30_000, 600_000]));
        self.now = self.now.after(away);
        if self.random.percent(10) {
            self.now =
                Timestamp(self.now.0 - Duration::from_millis(self.random.below(5_000)).as_nanos() as u64);
        }
    }

    fn judge(mut self) -> Verdict {
        let trace = self.trace.text();
        self.disk.restart(&mut self.random, u64::MAX);
        let disk = match self.disk.open() {
            Ok(disk) => disk,
            Err(error) => {
                let violations = vec![format!("acknowledged: the store does not open in the end: {error}")];
                return Verdict { violations, trace, runs: 0, lives: self.lives };
            }
        };
        let evidence = Evidence::read(&*disk, self.trace.entries(), self.code.guests);
        let check = |(name, checker): &(&str, checkers::Checker)| {
            checker(&evidence).into_iter().map(|wrong| format!("{name}: {wrong}")).collect::<Vec<_>>()
        };
        let violations = checkers::ALL.iter().flat_map(check).collect();
        Verdict { violations, trace, runs: evidence.runs.len(), lives: self.lives }
    }
}
