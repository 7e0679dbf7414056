//! Telling those who wait for a run that it is parked or paused: neither is an event of its history, and a result is
//! waited for as long as it takes.

use std::cell::Cell;
use std::time::Duration;

use jiff::Timestamp;

use crate::client::{Client, ClientError};
use crate::wire::{Description, Parked, Paused, Status};

/// How long there is no news of a run until it is looked at.
pub(super) const QUIET: Duration = Duration::from_secs(2);

/// Says once for each time that a run is parked or paused.
#[derive(Debug, Default)]
pub(super) struct Notice {
    /// Since when it was so of which was told last.
    told: Cell<Option<Timestamp>>,
}

impl Notice {
    /// Looks at a run of which there is no news, and says if it is parked or paused.
    pub(super) async fn look(
        &self,
        client: &Client,
        id: &str,
        run_id: Option<&str>,
        say: impl Fn(&str),
    ) -> Result<(), ClientError> {
        // Its description can be long, and is asked for only where it is needed.
        match client.result(id, run_id, Duration::ZERO).await {
            Ok(answer) if matches!(answer.value.status, Status::Parked | Status::Paused) => {
                self.tell(client, id, run_id, say).await
            }
            Err(error) if !error.is_passing() => Err(error),
            // The next question meets a host that is away, too, and waits for it.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Says that a run is parked or paused of which that is known.
    pub(super) async fn tell(
        &self,
        client: &Client,
        id: &str,
        run_id: Option<&str>,
        say: impl Fn(&str),
    ) -> Result<(), ClientError> {
        let Some(run) = described(client, id, run_id).await? else { return Ok(()) };
        let parked = run.parked.and_then(|parked| self.words(id, &parked));
        let paused = run.paused.and_then(|paused| self.words_of_a_pause(id, &paused));
        parked.iter().chain(&paused).for_each(|words| say(words));
        Ok(())
    }

    /// What is to be said of a paused run, unless it has been said.
    fn words_of_a_pause(&self, id: &str, paused: &Paused) -> Option<String> {
        let is_news = self.told.replace(Some(paused.at)) != Some(paused.at);
        is_news.then(|| {
            format!("the run is paused by an operator: it goes on after `refrain workflow unpause {id}`")
        })
    }

    /// What is to be said of a parked run, unless it has been said.
    fn words(&self, id: &str, parked: &Parked) -> Option<String> {
        let is_news = self.told.replace(Some(parked.at)) != Some(parked.at);
        is_news.then(|| {
            format!(
                "the run is parked ({}): `refrain workflow describe {id}` says why; it goes on after \
                 `refrain workflow resume {id}`",
                parked.kind
            )
        })
    }
}

/// What is to be said of a run; `None` while its host is away.
async fn described(
    client: &Client,
    id: &str,
    run_id: Option<&str>,
) -> Result<Option<Description>, ClientError> {
    match client.describe(id, run_id).await {
        Ok(answer) => Ok(Some(answer.value)),
        // The next question meets the same, and waits for the host.
        Err(error) if error.is_passing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a run is parked, if it is.
pub(super) async fn why_parked(
    client: &Client,
    id: &str,
    run_id: Option<&str>,
) -> Result<Option<Parked>, ClientError> {
    Ok(described(client, id, run_id).await?.and_then(|run| run.parked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parking_is_told_once_with_its_kind_and_what_to_do() {
        let notice = Notice::default();
        let words = |kind: &str, at: &str| {
            let parked = serde_json::json!({"kind": kind, "message": "the code panicked", "at": at});
            notice.words("order/42", &serde_json::from_value(parked).expect("why it is parked"))
        };
        let expected = "the run is parked (trap): `refrain workflow describe order/42` says why; it goes on after \
                        `refrain workflow resume order/42`";
        assert_eq!(words("trap", "2026-11-20T10:00:00Z").as_deref(), Some(expected));
        assert_eq!(words("trap", "2026-11-20T10:00:00Z"), None);
        let again = words("mismatch", "2026-11-20T10:00:09Z").expect("it was resumed, and parked again");
        assert!(again.starts_with("the run is parked (mismatch)"), "{again}");
    }
}
