//! The runs of a host whose histories are exported or replayed.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::client::{Client, ClientError, ListQuery};
use crate::wire::{RunSummary, Status};

/// Runs that a host is asked for at a time.
const LISTED: u32 = 1_000;
/// The code of the problem that a run is not there any more.
const NOT_FOUND: &str = "not-found";

/// Which runs of a host are meant.
#[derive(Debug, Args)]
pub(super) struct HostRuns {
    /// The runs of the host that have not ended.
    #[arg(long)]
    pub(super) open: bool,
    /// The newest so many runs of the host: of all, or of those that --open or --status says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) last: Option<u64>,
    /// The runs of the host that stand so, such as `failed`; `workflow list --help` has all.
    #[arg(
        long,
        conflicts_with = "open",
        hide_possible_values = true,
        value_parser = PossibleValuesParser::new(Status::ALL.map(Status::as_str))
    )]
    pub(super) status: Option<String>,
    /// Only runs of this workflow type.
    #[arg(long, value_name = "TYPE")]
    pub(super) workflow: Option<String>,
}

impl HostRuns {
    /// Whether runs of a host are meant at all.
    pub(super) fn are_meant(&self) -> bool {
        self.open || self.last.is_some() || self.status.is_some()
    }

    /// The runs, newest first. `all`: every one, unless a number or a status says less.
    pub(super) async fn list(&self, client: &Client, all: bool) -> Result<Vec<RunSummary>, ClientError> {
        if !all && !self.are_meant() {
            return Ok(Vec::new());
        }
        let limit = self.last.map_or(usize::MAX, |last| usize::try_from(last).unwrap_or(usize::MAX));
        let statuses: Vec<Option<&str>> = if self.open {
            let open = Status::ALL.into_iter().filter(|status| !status.is_closed());
            open.map(|status| Some(status.as_str())).collect()
        } else {
            vec![self.status.as_deref()]
        };
        let mut runs = Vec::new();
        for status in statuses {
            runs.extend(self.of_status(client, status, limit).await?);
        }
        runs.sort_by(|a: &RunSummary, b| (b.started_at, &b.run_id).cmp(&(a.started_at, &a.run_id)));
        // One whose status changed meanwhile was listed twice.
        runs.dedup_by(|a, b| a.run_id == b.run_id);
        runs.truncate(limit);
        Ok(runs)
    }

    async fn of_status(
        &self,
        client: &Client,
        status: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RunSummary>, ClientError> {
        let mut query = ListQuery {
            status: status.map(str::to_owned),
            workflow: self.workflow.clone(),
            limit: Some(LISTED),
            cursor: None,
        };
        let mut runs = Vec::new();
        while runs.len() < limit {
            let page = client.workflows(query.clone()).await?.value;
            runs.extend(page.workflows);
            let Some(cursor) = page.next_cursor else { break };
            query.cursor = Some(cursor);
        }
        runs.truncate(limit);
        Ok(runs)
    }
}

/// The history of a run that a host has; `None` when it is not there any more.
pub(super) async fn export(
    client: &Client,
    run: &RunSummary,
    redact: bool,
) -> Result<Option<Vec<u8>>, ClientError> {
    match client.export(&run.id, Some(&run.run_id), redact).await {
        Ok(lines) => Ok(Some(lines)),
        Err(ClientError::Refused(problem)) if problem.code == NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}
