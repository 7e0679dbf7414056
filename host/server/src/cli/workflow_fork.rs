//! `refrain workflow fork`.

use std::collections::BTreeMap;

use clap::Args;

use super::input::{InputArgs, parse_json};
use super::{CliError, Context, Ending, Exit, RunArgs, kept};
use crate::wire::{ActivityOutcome, ForkWorkflow};

/// Begin a new execution with steps of a run, which does not notice.
///
/// To see what would be if something were otherwise: the argument, how activities ended, or the code.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  refrain workflow fork order/42 --id 'order/42 again'
  refrain workflow fork order/42 --input '{\"amount\": 1}'
  refrain workflow fork order/42 --activity-result '3={\"paid\": false}'
  refrain workflow fork order/42 --activity-failure '3={\"type\": \"CardDeclined\", \"message\": \"no\"}'
  refrain workflow fork order/42 --event 7 --version 5")]
pub(super) struct Fork {
    #[command(flatten)]
    run: RunArgs,
    /// The new execution's id; made by the host unless given.
    #[arg(long = "id", id = "new_id", value_name = "NEW_ID")]
    new_id: Option<String>,
    /// The event whose step is the last that is kept, by its number in `workflow show`; as much as can be unless given.
    #[arg(long, value_name = "EVENT")]
    event: Option<u64>,
    #[command(flatten)]
    input: InputArgs,
    /// Another result of an activity, by its number in the run. Can be repeated.
    #[arg(long, value_name = "ACTIVITY_ID=JSON", value_parser = assignment)]
    activity_result: Vec<(String, String)>,
    /// A failure of an activity in place of what became of it: an object with `type` and `message`. Can be repeated.
    #[arg(long, value_name = "ACTIVITY_ID=JSON", value_parser = assignment)]
    activity_failure: Vec<(String, String)>,
    /// Another component that defines the workflow.
    #[arg(long, value_name = "NAME")]
    component: Option<String>,
    /// Another version of the component.
    #[arg(long)]
    version: Option<u32>,
    /// Do not give the new run the signals that came later.
    #[arg(long)]
    exclude_signals: bool,
    /// Why, for people: shown in the new run's history where other code goes on.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
}

impl Fork {
    pub(super) async fn run(self, context: &Context) -> Ending {
        let request = ForkWorkflow {
            id: self.new_id,
            run_id: self.run.run_id,
            event: self.event,
            input: self.input.read()?,
            input_payload: None,
            activity_results: outcomes(self.activity_result, self.activity_failure)?,
            component: self.component,
            version: self.version,
            exclude_signals: self.exclude_signals,
            reason: self.reason,
        };
        let answer = context.client.fork(&self.run.id, &request).await?;
        let (out, run) = (context.out, &answer.value);
        if out.is_json() {
            out.json_line(&answer.text);
        } else {
            out.data(&run.id);
        }
        out.say(&format!("began {} as run {}, {}", run.id, run.run_id, kept(run)));
        Ok(Exit::Ok)
    }
}

fn outcomes(
    results: Vec<(String, String)>,
    failures: Vec<(String, String)>,
) -> Result<BTreeMap<String, ActivityOutcome>, CliError> {
    let mut outcomes: BTreeMap<String, ActivityOutcome> = BTreeMap::new();
    for (op, json) in results {
        let result = parse_json(json, &format!("--activity-result {op}"))?;
        outcomes.entry(op).or_default().result = Some(result);
    }
    for (op, json) in failures {
        let failure = serde_json::from_str(&json).map_err(|error| {
            let like = "{\"type\": \"CardDeclined\", \"message\": \"no\"}";
            CliError::usage(format!("--activity-failure {op} is not a failure like {like}: {error}"))
        })?;
        outcomes.entry(op).or_default().failure = Some(failure);
    }
    Ok(outcomes)
}

/// `ACTIVITY_ID=JSON`.
fn assignment(text: &str) -> Result<(String, String), String> {
    let (op, json) = text.split_once('=').ok_or("not of the form ACTIVITY_ID=JSON")?;
    Ok((super::activity_id(op)?.to_string(), json.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_named_by_their_activities() {
        let assigned = |text: &str| vec![assignment(text).expect("an assignment")];
        let outcomes = outcomes(assigned("3={\"a\": 1}"), assigned("4={\"type\":\"T\",\"message\":\"m=1\"}"));
        let outcomes = outcomes.expect("JSON");
        assert_eq!(outcomes["3"].result.as_ref().map(|json| json.get()), Some("{\"a\": 1}"));
        assert_eq!(outcomes["4"].failure.as_ref().map(|failure| failure.message.as_str()), Some("m=1"));
        for bad in ["3", "x=1"] {
            assert!(assignment(bad).is_err(), "{bad}");
        }
    }
}
