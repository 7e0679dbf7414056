//! Threads for what blocks: compiling, and reading and writing compiled code.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use futures::channel::oneshot;

/// Validating and compiling recurse with the nesting of the code.
const STACK_BYTES: usize = 8 * 1024 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// A pool of threads, each of which runs one job at a time. They end when it is dropped and its queue is empty.
pub(crate) struct Workers {
    queue: mpsc::Sender<Job>,
}

impl Workers {
    /// Starts so many threads.
    pub(crate) fn start(name: &str, threads: usize) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads {
            let jobs = jobs.clone();
            thread::Builder::new().name(format!("refrain-{name}-{number}")).stack_size(STACK_BYTES).spawn(
                move || {
                    while let Some(job) = next(&jobs) {
                        job();
                    }
                },
            )?;
        }
        Ok(Self { queue })
    }

    /// Runs a job. The answer is canceled when the job panics.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            // A panic costs this job alone: its sender is dropped. Who does not wait any more is no error.
            if let Ok(value) = catch_unwind(AssertUnwindSafe(job)) {
                let _ = sender.send(value);
            }
        };
        // The threads outlive the queue's sender, so a job that cannot be queued does not happen; if it did,
        // its answer is canceled.
        let _ = self.queue.send(Box::new(job));
        receiver
    }
}

fn next(jobs: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
