//! A host under load that is killed now and then, with its clients and its workers; and whether it kept what it said.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::checker::Told;
use crate::random::Random;
use crate::witness::{Errand, Notebook, Queue, Witness};
use crate::{Client, Host, HostOptions, Language, PATIENCE, Proxy, Worker, guest};

/// Workers that the test itself is, and attempts at once of each process.
const WORKERS: usize = 4;
/// Fewer attempts at once than there are workers: a place that is not given back stops them sooner or later.
const CONFIG: &str = "[task_queues.by-hand]\nconcurrency = 2\n[task_queues.by-process]\nconcurrency = 3\n\
                      [task_queues.by-mortals]\nconcurrency = 3\n[activities.\"test.echo\"]\nconcurrency = 4\n";
/// One in so many requests of the process finds no host, or loses its answer.
const CUTS: u64 = 5;
/// Files that backups find.
const FILES: u8 = 20;

/// See the module's documentation.
pub struct Siege {
    host: Host,
    notes: Notebook,
    clients: JoinSet<Result<()>>,
    workers: JoinSet<Result<()>>,
    /// Between the host and the processes that work for it.
    proxy: Proxy,
    _process: Worker,
    mortal: Worker,
    kills: usize,
}

impl Siege {
    /// Starts a host and those who work for it. Its directory is made in this one, or where the system has temporary
    /// ones.
    pub async fn begin(seed: u64, home: Option<&Path>) -> Result<Self> {
        let options = HostOptions { config: CONFIG.to_owned(), home: home.map(Path::to_owned) };
        let host = Host::start_with(options).await?;
        for example in ["rust-bench", "backup", "reminder"] {
            host.client().upload(example, guest(example)?).await?;
        }
        for n in 0..FILES {
            host.write_source(format!("{n}"), &[n; 1_000])?;
        }
        let notes: Notebook = Arc::new(watch::Sender::new(Told::default()));
        let mut workers = JoinSet::new();
        for n in 0..WORKERS {
            let witness = Witness { client: host.client(), notes: notes.clone() };
            workers.spawn(async move { witness.work(&format!("worker {n}")).await });
        }
        let proxy = host.proxy().await?;
        proxy.cut_one_in(CUTS, Random::new(seed));
        let process = start_worker(&proxy, Queue::ByProcess, "the process")?;
        let mortal = start_worker(&proxy, Queue::ByMortals, "mortal 0")?;
        let clients = JoinSet::new();
        Ok(Self { host, notes, clients, workers, proxy, _process: process, mortal, kills: 0 })
    }

    /// Sends a client on an errand.
    pub fn send(&mut self, id: String, errand: Errand) {
        let witness = Witness { client: self.host.client(), notes: self.notes.clone() };
        self.clients.spawn(async move {
            witness.run(&id, errand).await.with_context(|| format!("{id}, {errand:?}"))
        });
    }

    /// How many clients are not back.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// How often the host was killed.
    pub fn kills(&self) -> usize {
        self.kills
    }

    /// How much was acknowledged.
    pub fn told(&self) -> usize {
        self.notes.borrow().len()
    }

    /// Waits until so much is acknowledged, or a client is back. Whether it is so much.
    ///
    /// # Errors
    /// When a client was told what must not be, a worker has stopped, or nobody is told anything any more.
    pub async fn is_told(&mut self, enough: usize) -> Result<bool> {
        let mut notes = self.notes.subscribe();
        tokio::select! {
            told = timeout(PATIENCE, notes.wait_for(|told| told.len() >= enough)) => {
                let clients = self.clients.len();
                told.with_context(|| format!("{clients} clients wait, and none is told anything any more"))??;
            }
            Some(client) = self.clients.join_next() => client??,
            Some(worker) = self.workers.join_next() => bail!("a worker stopped: {worker:?}"),
        }
        Ok(self.told() >= enough)
    }

    /// Kills the host, and a worker with it, and starts both again. If a time is given, the host is killed once more when
    /// that has passed since its start, whether it could be asked by then or not.
    pub async fn kill(&mut self, again_after: Option<Duration>) -> Result<()> {
        self.kills += 1;
        let born = start_worker(&self.proxy, Queue::ByMortals, &format!("mortal {}", self.kills))?;
        let dead = std::mem::replace(&mut self.mortal, born);
        tokio::try_join!(dead.kill9(), self.host.kill9())?;
        if let Some(life) = again_after {
            self.kills += 1;
            self.host.live_unheard(life).await?;
        }
        self.host.restart().await
    }

    /// Waits until all clients are back, and compares the host's account with theirs: as it is, and on what a last kill
    /// leaves. What they were told.
    ///
    /// # Errors
    /// When the two differ.
    pub async fn end(&mut self) -> Result<Told> {
        while !self.clients.is_empty() {
            self.is_told(usize::MAX).await?;
        }
        let told = self.notes.borrow().clone();
        let client = self.host.client();
        told.check(&client).await?;
        is_idle(&client).await?;
        self.kill(None).await?;
        told.check(&client).await?;
        is_idle(&client).await?;
        Ok(told)
    }

    /// Keeps the host's directory, for people to look at.
    pub fn keep(&mut self) -> &Path {
        self.host.keep()
    }

    /// The end of the host's log.
    pub fn log_tail(&self) -> String {
        self.host.log_tail()
    }
}

fn start_worker(proxy: &Proxy, queue: Queue, identity: &str) -> Result<Worker> {
    Worker::start_in(Language::Rust, proxy.url(), queue.name(), identity, WORKERS)
}

/// No task waits, and no place in a queue is held by an attempt that there is not.
async fn is_idle(client: &Client) -> Result<()> {
    for queue in Queue::ALL {
        client.queue_once(queue.name(), |info| info["backlog"] == 0 && info["running"] == 0).await?;
    }
    Ok(())
}
