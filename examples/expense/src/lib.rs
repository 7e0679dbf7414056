//! An expense report: checked against the policy, decided by a manager, paid.
//!
//! The manager decides by an *update*, which unlike a signal is answered. Its validator turns down what cannot be; such
//! a decision changes nothing in the run, and its history tells of it. One that is let in is answered when the money is on its way, or cannot be.
//!
//! It needs the host's `fs` plugin, with a directory `source` that has the policy and a directory `target` for payments.

use std::cell::RefCell;
use std::rc::Rc;

use refrain_sdk::{
    Context, Failure, Query, Update, all_handlers_finished, bail, days, info, or_canceled, timeout,
    wait_condition, warn, workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod books;
mod decision;

use books::Policy;
use decision::{Decision, check};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Report {
    /// Who has spent the money.
    employee: String,
    /// What for.
    purpose: String,
    /// How much, in cents.
    cents: i64,
}

/// How far a report is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// The policy is looked up.
    Submitted,
    /// A manager is to decide.
    Waiting,
    /// It is being paid.
    Approved {
        by: String,
        cents: i64,
    },
    Rejected {
        by: String,
        reason: String,
    },
    Paid {
        by: String,
        cents: i64,
        payment: String,
    },
    /// It was approved and could not be paid.
    NotPaid {
        by: String,
        why: String,
    },
    /// Nobody decided in time.
    Expired,
}

/// By whom it is said that no manager has to look at it.
const POLICY: &str = "policy";

const DECIDE: Update<Decision, Outcome> =
    Update::new("decide").doc("A manager's decision. Its answer is what became of the report.");
const OUTCOME: Query<(), Outcome> = Query::new("outcome").doc("How far the report is, also when it is over.");

/// Has an expense report decided and pays it.
#[workflow(updates(DECIDE), queries(OUTCOME))]
async fn expense(report: Report) -> Result<Outcome, Failure> {
    let outcome = Rc::new(RefCell::new(Outcome::Submitted));
    OUTCOME.handle({
        let outcome = outcome.clone();
        move |()| outcome.borrow().clone()
    });
    let policy: Rc<RefCell<Option<Policy>>> = Rc::default();
    take_decisions(&report, &policy, &outcome);

    let read = books::policy().await.context("look the policy up")?;
    if report.cents <= 0 || report.cents > read.maximum_cents {
        bail!("`cents` is {}, expected 1 to {}, says the policy", report.cents, read.maximum_cents);
    }
    let (waits, small) = (days(read.decide_within_days), report.cents <= read.small_cents);
    *policy.borrow_mut() = Some(read);
    *outcome.borrow_mut() = match small {
        true => Outcome::Approved { by: POLICY.to_owned(), cents: report.cents },
        false => Outcome::Waiting,
    };
    let decided = wait_condition(|| *outcome.borrow() != Outcome::Waiting);
    if let Err(elapsed) = or_canceled(timeout(waits, decided)).await? {
        warn!("nobody has decided: {elapsed}");
        *outcome.borrow_mut() = Outcome::Expired;
    }
    let approved = match &*outcome.borrow() {
        Outcome::Approved { by, cents } => Some((by.clone(), *cents)),
        _ => None,
    };
    if let Some((by, cents)) = approved {
        *outcome.borrow_mut() = pay(&report, by, cents).await;
    }
    // The manager is told of it.
    wait_condition(all_handlers_finished).await;
    let outcome = outcome.borrow().clone();
    info!("the report is over: {}", serde_json::to_string(&outcome)?);
    Ok(outcome)
}

/// Lets the first decision in that can be, and answers it when the report is over.
fn take_decisions(report: &Report, policy: &Rc<RefCell<Option<Policy>>>, outcome: &Rc<RefCell<Outcome>>) {
    let (report, policy, looks, outcome) = (report.clone(), policy.clone(), outcome.clone(), outcome.clone());
    DECIDE.handle_validated(
        move |decision| check(decision, &report, policy.borrow().as_ref(), &looks.borrow()),
        async move |Decision { by, cents, reason }| {
            info!(cents = cents, "{by} has decided");
            *outcome.borrow_mut() = match cents {
                0 => Outcome::Rejected { by, reason },
                _ => Outcome::Approved { by, cents },
            };
            wait_condition(|| !matches!(*outcome.borrow(), Outcome::Approved { .. })).await;
            Ok(outcome.borrow().clone())
        },
    );
}

/// What cannot be paid is an outcome like any other: the decision stands, and people see to the rest.
async fn pay(report: &Report, by: String, cents: i64) -> Outcome {
    match books::pay(report, cents).await {
        Ok(payment) => Outcome::Paid { by, cents, payment },
        Err(why) => {
            warn!("the report cannot be paid: {why}");
            Outcome::NotPaid { by, why: why.to_string() }
        }
    }
}

refrain_sdk::component!(expense);

#[cfg(test)]
mod tests;
