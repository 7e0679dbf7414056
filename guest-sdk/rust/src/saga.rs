//! Sagas: undo what was done, in reverse order, when a later step fails.

use std::pin::Pin;

use serde::Serialize;

use crate::{CancelScope, Failure, shield};

/// Runs `body`; when it fails, runs the compensations that it registered, the last one first.
///
/// Register a compensation *before* the step that it undoes: a step that fails half way is undone too. So
/// write compensations that do no harm when there is nothing to undo.
///
/// ```
/// # use refrain_sdk::*;
/// # async fn example() -> Result<(), Failure> {
/// let step = |name| activity::<()>(name, "order 7").start_to_close(secs(30));
/// saga("book the trip", async |saga| {
///     saga.undo("give the seat back", step("free-seat"));
///     step("book-seat").await.context("book the seat")?;
///     // The hotel's system is down for hours at times.
///     let patient = Retry::default().maximum_interval(mins(10)).maximum_attempts(100);
///     saga.undo("give the room back", step("free-room").retry(patient));
///     step("book-room").retry(Retry::default().maximum_attempts(3)).await.context("book the room")?;
///     Ok(())
/// })
/// .await?;
/// # Ok(()) }
/// ```
///
/// Each compensation is tried again by its own [retry policy](crate::Activity::retry), and the next begins when
/// it has ended; so let it try hard, but not for ever, or those before it never come. One that fails for good
/// does not keep the others from running. When the run was asked to end, or the [scope](CancelScope) around it was
/// canceled, compensations run all the same.
///
/// The failure says what this saga was doing, which compensations failed, then why it failed:
/// `book the trip (1 of 2 compensations failed: give the room back): book the room: no vacancy`. Its
/// [details](Failure::details) are the [compensations](Compensations) and what came of each, and the run's log
/// has a line for each as it begins and as it fails.
pub async fn saga<T, F>(doing: &str, body: F) -> Result<T, Failure>
where
    F: AsyncFnOnce(&mut Saga) -> Result<T, Failure>,
{
    let mut saga = Saga { compensations: Vec::new() };
    // A scope of its own: when one around it is canceled, the body is given up alone, and the compensations run.
    match CancelScope::new().run(body(&mut saga)).await {
        Ok(value) => Ok(value),
        Err(why) => Err(saga.compensate(doing, why).await),
    }
}

/// The compensations registered so far; see [`saga`].
pub struct Saga {
    compensations: Vec<Compensation>,
}

type BoxFuture = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;

struct Compensation {
    name: String,
    run: Box<dyn FnOnce() -> BoxFuture>,
}

impl Saga {
    /// Registers what undoes the next step. It starts only if the saga fails: give an activity that is not
    /// yet started, with a retry policy of its own, or an `async` block.
    pub fn undo<F, T, E>(&mut self, name: impl Into<String>, compensation: F)
    where
        F: IntoFuture<Output = Result<T, E>> + 'static,
        E: Into<Failure>,
    {
        let run = move || -> BoxFuture {
            Box::pin(async move { compensation.await.map(drop).map_err(Into::into) })
        };
        self.compensations.push(Compensation { name: name.into(), run: Box::new(run) });
    }

    async fn compensate(self, doing: &str, why: Failure) -> Failure {
        let total = self.compensations.len();
        let mut compensated = Vec::with_capacity(total);
        for Compensation { name, run } in self.compensations.into_iter().rev() {
            crate::info!(because = why, "undo: {name}");
            let failure = shield(run()).await.err().map(|failure| failure.to_string());
            if let Some(failure) = &failure {
                crate::error!("could not {name}: {failure}");
            }
            compensated.push(Compensated { undo: name, failure });
        }
        let compensations = Compensations { compensations: compensated };
        let failed: Vec<&str> = compensations.failed().map(|one| one.undo.as_str()).collect();
        let doing = match failed.as_slice() {
            [] => doing.to_owned(),
            failed => {
                let names = failed[..failed.len().min(NAMED)].join(", ");
                let more = if failed.len() > NAMED { ", ..." } else { "" };
                format!("{doing} ({} of {total} compensations failed: {names}{more})", failed.len())
            }
        };
        why.context(doing).with_details(&compensations)
    }
}

/// How many failed compensations a message names; the details have all of them.
const NAMED: usize = 5;

/// The details of a failed [`saga`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Compensations {
    /// In the order in which they ran.
    pub compensations: Vec<Compensated>,
}

impl Compensations {
    /// Those that failed: what is left for a person to undo.
    pub fn failed(&self) -> impl Iterator<Item = &Compensated> {
        self.compensations.iter().filter(|compensated| compensated.failure.is_some())
    }
}

/// One compensation that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Compensated {
    /// Its name.
    pub undo: String,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}
