//! Children as the input asks for them: the workflow of tests whose subject is children.

use refrain_sdk::{Failure, ParentClose, Signal, child, join_all, workflow};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::calls::Outcome;

/// Lets a run that was asked to wait come to its end.
const GO: Signal<()> = Signal::new("go").doc("Lets the run end.");

#[derive(Deserialize, JsonSchema)]
pub struct Family {
    /// All are started at once.
    children: Vec<Member>,
    /// Whether to wait for the signal `go` when they have ended.
    #[serde(default)]
    until_signal: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Member {
    workflow: String,
    id: String,
    #[serde(default)]
    input: Value,
    /// What happens to it when this run ends first.
    parent_close: Option<Close>,
    /// Signals that are sent to it, one after the other, once it exists.
    #[serde(default)]
    signals: Vec<String>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Close {
    Terminate,
    RequestCancel,
    Abandon,
}

/// Has the children, all at once, and tells how each ended. It fails for none of them.
#[workflow(signals(GO))]
pub async fn family(input: Family) -> Result<Vec<Outcome>, Failure> {
    let ended = join_all(input.children.into_iter().map(Member::live)).await;
    if input.until_signal {
        GO.recv().await;
    }
    Ok(ended.into_iter().map(Outcome::from).collect())
}

impl Member {
    async fn live(self) -> Result<Value, Failure> {
        let mut child = child::<Value>(&self.workflow, &self.input).id(self.id);
        if let Some(close) = self.parent_close {
            child = child.parent_close(close.into());
        }
        let (started, ended) = child.start_watched();
        let execution = started.await?;
        for signal in self.signals {
            execution.signal(&signal, &()).await?;
        }
        ended.await
    }
}

impl From<Close> for ParentClose {
    fn from(close: Close) -> Self {
        match close {
            Close::Terminate => Self::Terminate,
            Close::RequestCancel => Self::RequestCancel,
            Close::Abandon => Self::Abandon,
        }
    }
}
