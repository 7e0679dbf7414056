//! What a manager may decide.

use refrain_sdk::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::books::Policy;
use super::{Outcome, Report};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Who decides.
    pub by: String,
    /// How much of it is paid, in cents; 0 rejects the report.
    pub cents: i64,
    /// Why not all of it.
    #[serde(default)]
    pub reason: String,
}

/// Why a decision cannot be, if it cannot. Types are for programs: a client may ask for another amount, and must not ask
/// for another manager.
pub fn check(
    decision: &Decision,
    report: &Report,
    policy: Option<&Policy>,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let no = |error_type: &str, message: String| Err(Failure::typed(error_type, message));
    let Some(policy) = policy else {
        return no("TooEarly", "the policy is still looked up: try again".to_owned());
    };
    let Decision { by, cents, reason } = decision;
    match outcome {
        Outcome::Waiting => {}
        Outcome::Submitted => return no("TooEarly", "the report is still checked: try again".to_owned()),
        Outcome::Approved { by, .. }
        | Outcome::Rejected { by, .. }
        | Outcome::Paid { by, .. }
        | Outcome::NotPaid { by, .. } => {
            return no("AlreadyDecided", format!("{by} has decided already"));
        }
        Outcome::Expired => return no("AlreadyDecided", "it is too late".to_owned()),
    }
    if !policy.managers.contains(by) {
        return no(
            "UnknownManager",
            format!("`by` is `{by}`, expected one of {}", policy.managers.join(", ")),
        );
    }
    if *by == report.employee {
        return no("OwnReport", format!("`by` is `{by}`, whose report it is: someone else has to decide"));
    }
    if !(0..=report.cents).contains(cents) {
        return no("Amount", format!("`cents` is {cents}, expected 0 to {}", report.cents));
    }
    if *cents < report.cents && reason.is_empty() {
        return no("NoReason", "`reason` is empty: say why not all of it is paid".to_owned());
    }
    Ok(())
}
