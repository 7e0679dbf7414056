//! Doing something to each of the open runs of a component, with bounded memory, while they go on.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use refrain_engine::ids::{Namespace, RunId};
use refrain_store::Order;
use refrain_store::schema::{Prefix, RunKey, after};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::components::count_pinned;
use crate::error::Error;
use crate::rows;
use crate::runtime::blocking;
use crate::shared::Shared;
use crate::version_types::{JudgedRun, Selection, SweepEvent};

/// Sweeps of a host at once. Each looks at [`AT_ONCE`] runs, in instances beside those of queries and of runs that
/// wait: the sandbox has sixteen to spare, of which queries take eight.
pub(crate) const SWEEPS: usize = 2;

/// Runs of one sweep that are looked at at once.
const AT_ONCE: usize = 4;

/// Runs of one read.
const PIECE: usize = 1_000;

/// Verdicts that wait for a slow reader. The sweep waits for it then.
const UNREAD: usize = 64;

/// What is done to a run that some version executes. `None`: it is not there any more.
pub(crate) type Work = Arc<dyn Fn(RunKey, u32) -> BoxFuture<'static, Judged> + Send + Sync>;

/// What became of it. An error ends the sweep.
pub(crate) type Judged = Result<Option<JudgedRun>, Error>;

/// The open runs of a component that are selected.
#[derive(Clone)]
pub(crate) struct Runs {
    shared: Arc<Shared>,
    namespace: Namespace,
    /// All runs of the component.
    component: Prefix,
    /// Those of them that are read.
    prefix: Prefix,
    selection: Selection,
    /// Those of this version are left out.
    except: Option<u32>,
    /// Where the next piece begins.
    from: Bytes,
}

impl Runs {
    /// Those of this component.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        namespace: &Namespace,
        component: &str,
        selection: Selection,
        except: Option<u32>,
    ) -> Self {
        let prefix = match selection.from_version {
            Some(version) => Prefix::pinned_to(namespace, component, version),
            None => Prefix::pinned(namespace, component),
        };
        let (from, component) = (prefix.bytes.clone(), Prefix::pinned(namespace, component));
        let (shared, namespace) = (Arc::clone(shared), namespace.clone());
        Self { shared, namespace, component, prefix, selection, except, from }
    }

    /// Checks that the runs and the type that are named are there: who misspells one is not told that all is well.
    ///
    /// # Errors
    /// When there is no such component, one of the runs is not an open one of it, or no version has the type.
    pub(crate) fn check(&self, component: &str) -> Result<(), Error> {
        let versions = self.shared.components.versions(&self.namespace, component)?;
        for run in &self.selection.runs {
            let key = RunKey::new(self.namespace.clone(), *run);
            let pinned = rows::find(&*self.shared.store, &key)?.is_some_and(|(started, stored)| {
                let code = stored.head.code.unwrap_or_else(|| started.code());
                !stored.head.status.is_closed() && code.component == component
            });
            if !pinned {
                return Err(Error::NotFound { what: "open run of this component", id: run.to_string() });
            }
        }
        match &self.selection.workflow {
            Some(workflow) if !versions.iter().any(|version| version.defines(workflow)) => {
                Err(Error::NotFound { what: "workflow type of this component", id: workflow.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The next of them, with their versions. `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<(RunKey, u32)>>, Error> {
        let store = &self.shared.store;
        let rows = store.range(self.prefix.table, &self.from, &self.prefix.end(), Order::Ascending, PIECE)?;
        let Some((last, _)) = rows.last() else { return Ok(None) };
        self.from = after(last);
        let pinned = rows.iter().filter_map(|(key, _)| self.component.pinned_run(key));
        let mut selected = Vec::new();
        for (version, run) in pinned {
            let key = RunKey::new(self.namespace.clone(), run);
            if self.selects(version, &key)? {
                selected.push((key, version));
            }
        }
        Ok(Some(selected))
    }

    fn selects(&self, version: u32, key: &RunKey) -> Result<bool, Error> {
        let Selection { percent, runs, workflow, .. } = &self.selection;
        let selected = self.except != Some(version)
            && percent.is_none_or(|percent| is_among(percent, key.run))
            && (runs.is_empty() || runs.contains(&key.run));
        let Some(workflow) = workflow.as_ref().filter(|_| selected) else { return Ok(selected) };
        let started = rows::find_started(&*self.shared.store, key)?;
        Ok(started.is_some_and(|started| started.workflow == *workflow))
    }
}

/// Whether a run is among so many of a hundred.
fn is_among(percent: u8, run: RunId) -> bool {
    run_hash(run) % 100 < u64::from(percent)
}

/// FNV-1a: run ids that were made at one time differ in few of their bytes.
fn run_hash(run: RunId) -> u64 {
    run.as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Does something to each of the runs, as long as somebody listens.
pub(crate) fn sweep(
    shared: &Arc<Shared>,
    runs: Runs,
    work: Work,
) -> Result<mpsc::Receiver<SweepEvent>, Error> {
    let slot = shared.sweeps.clone().try_acquire_owned().map_err(|_| Error::SweepBusy { limit: SWEEPS })?;
    let (sender, receiver) = mpsc::channel(UNREAD);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let _slot = slot;
        let end = tokio::select! {
            ended = sweep_all(runs, work, &sender) => match ended {
                Ok(()) => SweepEvent::Done,
                Err(error) => SweepEvent::Failed(error),
            },
            () = shared.stopping() => SweepEvent::Failed(Error::ShuttingDown),
            () = sender.closed() => return,
        };
        // Who listened may have gone away.
        let _heard = sender.send(end).await;
    });
    Ok(receiver)
}

async fn sweep_all(mut runs: Runs, work: Work, sender: &mpsc::Sender<SweepEvent>) -> Result<(), Error> {
    let mut counting = runs.clone();
    let (open_runs, matching) = blocking(move || {
        let mut matching = 0;
        while let Some(piece) = counting.next()? {
            matching += piece.len() as u64;
        }
        Ok((count_pinned(&*counting.shared.store, &counting.component)?, matching))
    })
    .await?;
    // Without one all are taken, also those that come meanwhile: others may have gone.
    let is_sample = runs.selection.sample.is_some();
    let sample = runs.selection.sample.unwrap_or(matching).min(matching);
    let _heard = sender.send(SweepEvent::Begun { open_runs, selected: sample }).await;
    let mut working = JoinSet::new();
    let mut index = 0;
    loop {
        let (further, piece) = blocking(move || {
            let piece = runs.next()?;
            Ok((runs, piece))
        })
        .await?;
        runs = further;
        let Some(piece) = piece else { break };
        for (key, version) in piece {
            index += 1;
            if is_sample && !is_sampled(index, sample, matching) {
                continue;
            }
            if working.len() == AT_ONCE {
                tell(working.join_next().await, sender).await?;
            }
            working.spawn(work(key, version));
        }
    }
    while let Some(judged) = working.join_next().await {
        tell(Some(judged), sender).await?;
    }
    Ok(())
}

/// Whether the run with this index, from 1, is one of the sample, which lies evenly over all of them.
fn is_sampled(index: u64, sample: u64, of: u64) -> bool {
    let up_to = |index: u64| u128::from(index) * u128::from(sample) / u128::from(of.max(1));
    // Runs that began meanwhile have indices beyond the last.
    index <= of && up_to(index) > up_to(index - 1)
}

async fn tell(
    worked: Option<Result<Judged, JoinError>>,
    sender: &mpsc::Sender<SweepEvent>,
) -> Result<(), Error> {
    let judged = worked.transpose().map_err(|error| Error::Internal(error.to_string()))?;
    if let Some(judged) = judged.transpose()?.flatten() {
        let _heard = sender.send(SweepEvent::Run(Box::new(judged))).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_lies_evenly_and_has_its_size() {
        let of = |sample, all| -> Vec<u64> {
            (1..=all + 3).filter(|index| is_sampled(*index, sample, all)).collect()
        };
        assert_eq!(of(5, 10), [2, 4, 6, 8, 10]);
        assert_eq!(of(3, 10), [4, 7, 10]);
        assert_eq!(of(10, 10).len(), 10);
        assert_eq!(of(0, 0), [0; 0]);
    }

    #[test]
    fn a_higher_percentage_has_the_runs_of_a_lower_one_and_more() {
        let runs: Vec<RunId> = (0..10_000u128).map(|n| RunId::from_bytes((n << 20).to_be_bytes())).collect();
        let among = |percent| runs.iter().filter(|run| is_among(percent, **run)).count();
        for percent in 0..100 {
            assert!(runs.iter().all(|run| !is_among(percent, *run) || is_among(percent + 1, *run)));
        }
        assert_eq!((among(0), among(100)), (0, 10_000));
        let tenth = among(10);
        assert!((800..1_200).contains(&tenth), "{tenth}");
    }
}
