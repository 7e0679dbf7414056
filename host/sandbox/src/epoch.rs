//! The clock of fairness: a thread that ends the slices of executing guests. What it does is never recorded:
//! a guest cannot tell how many slices it had.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// How long a guest executes before it yields: a tenth of what people notice as a delay, and long enough
/// that yielding costs nothing.
pub(crate) const SLICE: Duration = Duration::from_millis(5);

/// How many slices make up this time of computing; at least one.
pub(crate) fn slices(time: Duration) -> u32 {
    u32::try_from(time.as_nanos() / SLICE.as_nanos()).unwrap_or(u32::MAX).max(1)
}

/// Ticks while guests execute, and sleeps while none does.
pub(crate) struct Ticker(Arc<Shared>);

struct Shared {
    engines: Vec<EngineWeak>,
    executing: AtomicUsize,
    /// The thread sleeps, or is about to. Spares all others a system call.
    idle: AtomicBool,
    stopped: AtomicBool,
    /// Held to change from sleeping to ticking, so that no wake-up is lost.
    sleeping: Mutex<()>,
    wake: Condvar,
}

/// While it lives, slices end.
pub(crate) struct Executing(Arc<Shared>);

impl Ticker {
    /// Starts the thread.
    pub(crate) fn start(engines: &[Engine]) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            engines: engines.iter().map(Engine::weak).collect(),
            executing: AtomicUsize::new(0),
            idle: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            sleeping: Mutex::new(()),
            wake: Condvar::new(),
        });
        let ticking = shared.clone();
        std::thread::Builder::new().name("refrain-slices".to_owned()).spawn(move || ticking.tick())?;
        Ok(Self(shared))
    }

    /// A guest begins to execute.
    pub(crate) fn execute(&self) -> Executing {
        self.0.executing.fetch_add(1, Ordering::SeqCst);
        if self.0.idle.load(Ordering::SeqCst) {
            self.0.notify();
        }
        Executing(self.0.clone())
    }
}

impl Drop for Executing {
    fn drop(&mut self) {
        self.0.executing.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        self.0.notify();
    }
}

impl Shared {
    fn notify(&self) {
        let _sleeping = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_one();
    }

    fn tick(&self) {
        while self.wait_for_work() {
            std::thread::sleep(SLICE);
            self.engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
        }
    }

    /// Sleeps while no guest executes; false when the sandbox is gone.
    fn wait_for_work(&self) -> bool {
        let sleeping = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        // Said before it looks: who begins to execute meanwhile is either seen here or sees this.
        self.idle.store(true, Ordering::SeqCst);
        let nothing_to_do =
            |_: &mut ()| self.executing.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst);
        drop(self.wake.wait_while(sleeping, nothing_to_do).unwrap_or_else(PoisonError::into_inner));
        self.idle.store(false, Ordering::SeqCst);
        !self.stopped.load(Ordering::SeqCst)
    }
}
