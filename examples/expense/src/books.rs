//! The company's books: the policy, and payments, as files of the host's `fs` plugin.

use std::time::Duration;

use refrain_sdk::{Context, Failure, Retry, activity, info, secs};
use serde::{Deserialize, Serialize};

use super::Report;

/// Long enough for a small file on a slow disk.
const ATTEMPT: Duration = secs(30);

/// What fails as often is for people.
const ATTEMPTS: u32 = 4;

/// What the company pays, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Who may decide.
    pub managers: Vec<String>,
    /// What is not more than this, nobody has to look at.
    pub small_cents: i64,
    /// What is more than this is never paid.
    pub maximum_cents: i64,
    /// How long a report waits for a decision.
    pub decide_within_days: u64,
}

/// Reads `policy.json` in the directory `source`.
pub async fn policy() -> Result<Policy, Failure> {
    #[derive(Serialize)]
    struct Input {
        directory: &'static str,
        path: &'static str,
    }
    #[derive(Deserialize)]
    struct Read {
        content: String,
    }
    let read: Read = activity("fs.read", &Input { directory: "source", path: "policy.json" })
        .start_to_close(ATTEMPT)
        .retry(Retry::default().maximum_attempts(ATTEMPTS))
        .await?;
    serde_json::from_str(&read.content).context("read `policy.json`")
}

/// Writes a payment to the directory `target`, under a name that is this report's own: a second attempt pays nothing twice.
/// Returns where it is.
pub async fn pay(report: &Report, cents: i64) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Payment<'a> {
        to: &'a str,
        cents: i64,
        purpose: &'a str,
    }
    #[derive(Serialize)]
    struct Input<'a> {
        directory: &'static str,
        path: &'a str,
        content: String,
        create_parents: bool,
    }
    #[derive(Deserialize)]
    struct Written {}
    let path = format!("payments/{}.json", info().workflow_id);
    let payment = Payment { to: &report.employee, cents, purpose: &report.purpose };
    let content = serde_json::to_string(&payment)?;
    let input = Input { directory: "target", path: &path, content, create_parents: true };
    let Written {} = activity("fs.write", &input)
        .start_to_close(ATTEMPT)
        .retry(Retry::default().maximum_attempts(ATTEMPTS))
        .await
        .with_context(|| format!("write `{path}`"))?;
    Ok(path)
}
