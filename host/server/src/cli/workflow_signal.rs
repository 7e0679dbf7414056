//! `refrain workflow signal`.

use clap::Args;

use super::input::{InputArgs, fresh_request_id};
use super::{Context, Ending, Exit, RunArgs};
use crate::client::{Client, ClientError};
use crate::wire::SignalRequest;

/// Send a signal to a run.
#[derive(Debug, Args)]
pub(super) struct Signal {
    #[command(flatten)]
    run: RunArgs,
    /// The signal's name.
    name: String,
    #[command(flatten)]
    input: InputArgs,
    /// Makes the signal safe to repeat: the run gets one for each request id.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
}

impl Signal {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = SignalRequest {
            input: self.input.read()?,
            input_payload: None,
            request_id: Some(self.request_id.unwrap_or_else(fresh_request_id)),
            run_id: self.run.run_id,
        };
        context.client.signal(&self.run.id, &self.name, &request).await?;
        context.out.say(&format!("the run will get the signal {}", self.name));
        // A definition need not be complete, so this is no error; and the signal is sent, so not knowing is none either.
        let declared = declared(&context.client, &self.run.id, request.run_id.as_deref()).await;
        if let Some(warning) = declared.ok().and_then(|names| undeclared(&self.name, &names)) {
            context.out.say(&warning);
        }
        Ok(Exit::Ok)
    }
}

/// The names of the signals that a run's workflow says it takes.
async fn declared(client: &Client, id: &str, run_id: Option<&str>) -> Result<Vec<String>, ClientError> {
    let run = client.describe(id, run_id).await?.value;
    let component = client.component(&run.component).await?.value;
    let version = component.versions.into_iter().find(|version| version.version == run.version);
    let workflows = version.map_or_else(Vec::new, |version| version.workflows);
    let workflow = workflows.into_iter().find(|workflow| workflow.name == run.workflow);
    let signals = workflow.map_or_else(Vec::new, |workflow| workflow.signals);
    Ok(signals.into_iter().map(|signal| signal.name).collect())
}

/// A warning, if there are declared signals and this is none of them.
fn undeclared(name: &str, declared: &[String]) -> Option<String> {
    if declared.is_empty() || declared.iter().any(|declared| declared == name) {
        return None;
    }
    Some(format!("warning: the workflow declares no signal {name:?}, only {}", declared.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_needs_declared_signals_and_another_name() {
        let declared = ["approve".to_owned(), "reject".to_owned()];
        assert_eq!(undeclared("approve", &declared), None);
        assert_eq!(undeclared("approve", &[]), None);
        assert_eq!(
            undeclared("aprove", &declared).as_deref(),
            Some("warning: the workflow declares no signal \"aprove\", only approve, reject")
        );
    }
}
