//! Whether the host answers, as the log tells it: all of a worker's requests share one account of it, since four
//! pollers and a hundred attempts that miss one host are one piece of news.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The least time between two warnings: a host may be away for a night, or come and go.
const WARNING_INTERVAL: Duration = Duration::from_secs(30);

/// The line to one host.
#[derive(Debug, Default)]
pub(crate) struct Contact(Mutex<Account>);

#[derive(Debug, Default)]
struct Account {
    /// Requests without an answer since the last one that had one.
    missed: u64,
    /// Somebody was warned of them.
    is_told: bool,
    last_warning: Option<Instant>,
}

impl Contact {
    /// A request has no answer.
    pub(crate) fn missed(&self, address: &str, error: &impl fmt::Display) {
        match self.account(Account::missed) {
            Some(tries) => {
                tracing::warn!(%error, address, tries, "the host does not answer; it is asked until it does");
            }
            None => tracing::debug!(%error, address, "the host does not answer"),
        }
    }

    /// A request has one.
    pub(crate) fn answered(&self, address: &str) {
        if let Some(tries) = self.account(|account| account.answered()) {
            tracing::info!(address, tries, "the host answers again");
        }
    }

    fn account<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Account {
    /// The number of tries, if it is time to tell of them.
    fn missed(&mut self) -> Option<u64> {
        self.missed += 1;
        if self.last_warning.is_some_and(|at| at.elapsed() < WARNING_INTERVAL) {
            return None;
        }
        self.last_warning = Some(Instant::now());
        self.is_told = true;
        Some(self.missed)
    }

    /// The number of tries that it took, if somebody was told of them.
    fn answered(&mut self) -> Option<u64> {
        let missed = std::mem::take(&mut self.missed);
        std::mem::take(&mut self.is_told).then_some(missed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_absence_is_told_at_once_then_every_thirty_seconds_and_its_end_once() {
        let mut account = Account::default();
        assert_eq!(account.answered(), None, "it was never away");
        let mut told = Vec::new();
        for second in 0..70 {
            for _ in 0..4 {
                told.extend(account.missed().map(|tries| (second, tries)));
            }
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, [(0, 1), (30, 121), (60, 241)]);
        assert_eq!(account.answered(), Some(280));
        assert_eq!(account.answered(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_comes_and_goes_is_no_flood() {
        let mut account = Account::default();
        let mut told = 0;
        for _ in 0..60 {
            told += usize::from(account.missed().is_some()) + usize::from(account.answered().is_some());
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(told, 4, "two absences, and their ends");
    }
}
