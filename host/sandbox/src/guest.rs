//! A guest: an instance of a component that executes one run.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use refrain_engine::guest::{Exchange, Guest, Lent, Stop};
use refrain_engine::run::Run;
use wasmtime::Store;

use crate::bindings::refrain::workflow::types::Payload;
use crate::convert;
use crate::engine::Backend;
use crate::epoch::Ticker;
use crate::image;
use crate::library::Ready;
use crate::limiter::{Limiter, MachineMemory};
use crate::state::State;
use crate::trap::{self, Cause};

/// Implements the engine's seam with a wasmtime instance.
pub(crate) struct WasmGuest {
    exchange: Exchange,
    /// The whole life of the instance. Suspended in `wait.next`; dropping it drops the instance.
    life: Pin<Box<dyn Future<Output = (Box<Run>, Stop)> + Send>>,
    taken: Arc<AtomicUsize>,
    ticker: Arc<Ticker>,
}

impl WasmGuest {
    /// A guest that is instantiated when it first gets a run: its imports are calls of step 0 by then.
    pub(crate) fn new(
        ready: Arc<Ready>,
        machine: Arc<MachineMemory>,
        ticker: Arc<Ticker>,
        step_slices: u32,
    ) -> Self {
        let exchange = Exchange::default();
        let taken = Arc::new(AtomicUsize::new(0));
        let life = Box::pin(live(ready, machine, taken.clone(), exchange.clone(), step_slices));
        Self { exchange, life, taken, ticker }
    }
}

impl Guest for WasmGuest {
    fn run(&mut self, run: Box<Run>) -> BoxFuture<'_, (Box<Run>, Stop)> {
        Box::pin(async move {
            let _executing = self.ticker.execute();
            match self.exchange.lend(run, self.life.as_mut()).await {
                Lent::Suspended(run) => (run, Stop::Wait),
                Lent::Ended(end) => end,
            }
        })
    }

    fn resident_bytes(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// From the first run lent to the end of the instance.
async fn live(
    ready: Arc<Ready>,
    machine: Arc<MachineMemory>,
    taken: Arc<AtomicUsize>,
    exchange: Exchange,
    step_slices: u32,
) -> (Box<Run>, Stop) {
    let run = exchange.receive().await;
    let limiter = match Limiter::new(ready.profile, machine, taken) {
        Ok(limiter) => limiter,
        Err(shortage) => return (run, Stop::Unavailable(shortage.to_string())),
    };
    let workflow = run.workflow().to_owned();
    let input = convert::payload(run.input().clone());
    let mut store = Backend::store(&ready.engine, State::of_run(run, exchange, limiter, step_slices));
    let cause = execute(&ready, &mut store, &workflow, &input).await;
    if let Cause::Guest(_) | Cause::Panic(_) = &cause {
        // What it said before it fell is the best that is known of why. The run still takes notes.
        let _ = store.data_mut().flush_output();
    }
    let image = image::of(&cause, &mut store, &workflow);
    let (run, halt) = store.into_data().into_run();
    // `State::wait` puts the run back before it returns, and nothing else takes it out.
    let mut run = run.expect("code that ended has its run");
    let stop = trap::stop(cause, halt, image, &mut run);
    (run, stop)
}

/// Instantiates the component and calls its export. Answers what stopped it: an ordinary end is the run's
/// halt as finished.
async fn execute(ready: &Ready, store: &mut Store<State>, workflow: &str, input: &Payload) -> Cause {
    let instance = match ready.code.instantiate_async(&mut *store).await {
        Ok(instance) => instance,
        Err(error) => return trap::cause_of_instantiation(error),
    };
    let completion = match instance.refrain_workflow_definition().call_run(&mut *store, workflow, input).await
    {
        Ok(completion) => convert::completion(completion),
        Err(error) => return trap::cause(error),
    };
    match completion {
        Ok(completion) => {
            // There is nothing to unwind any more, and so no error to make.
            if let Err(trap) = store.data_mut().flush_output() {
                return trap::cause(trap.into());
            }
            store.data_mut().returned(completion);
            Cause::Halted(None)
        }
        Err(misuse) => trap::cause(misuse.of("run").into()),
    }
}
