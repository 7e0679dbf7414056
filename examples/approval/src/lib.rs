//! Waits for a person's approval. Who is asked first is reminded until a second person is asked as well, and what nobody
//! decides in time has expired.
//!
//! Whoever may send signals may send this one, too early, too late, or without being asked; so the workflow looks at each
//! decision and says in its log why it does not count. What is to be heard by who decides is an update: see the example
//! `expense`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use refrain_sdk::{Failure, Query, Signal, info, or_canceled, select, sleep_named, timeout, warn, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long people have who are not told otherwise.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Request {
    /// What is to be approved.
    what: String,
    /// Who is asked first.
    approver: String,
    /// Who is asked as well when the first one does not decide.
    escalate_to: String,
    /// Milliseconds from one reminder to the next.
    #[serde(default = "two_hours")]
    remind_every_ms: u64,
    /// Milliseconds until the second one is asked.
    #[serde(default = "eight_hours")]
    escalate_after_ms: u64,
    /// Milliseconds until it is too late.
    #[serde(default = "a_day")]
    expire_after_ms: u64,
}

fn two_hours() -> u64 {
    DAY_MS / 12
}

fn eight_hours() -> u64 {
    DAY_MS / 3
}

fn a_day() -> u64 {
    DAY_MS
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Decision {
    /// Who decides.
    by: String,
    /// Whether it may be done.
    approved: bool,
    /// What there is to say about it.
    #[serde(default)]
    comment: String,
}

const DECIDE: Signal<Decision> = Signal::new("decide").doc("A decision of one of those who are asked.");

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Waiting,
    Decided(Decision),
    /// Nobody decided in time.
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct State {
    /// How far it is.
    stage: Stage,
    /// Whose decision counts.
    asked: Vec<String>,
    /// How often they were reminded.
    reminders: u32,
    /// How many decisions did not count: of others, or too late.
    ignored: u32,
}

const STATE: Query<(), State> = Query::new("state").doc("How far it is, and who is asked.");

/// Asks for an approval until there is one, or it is too late.
#[workflow(signals(DECIDE), queries(STATE))]
async fn approval(request: Request) -> Result<State, Failure> {
    let asked = vec![request.approver.clone()];
    let state = Rc::new(RefCell::new(State { stage: Stage::Waiting, asked, reminders: 0, ignored: 0 }));
    STATE.handle({
        let state = state.clone();
        move |()| state.borrow().clone()
    });
    info!("{} is asked: {}", request.approver, request.what);
    let expire_after = Duration::from_millis(request.expire_after_ms);
    let stage = match or_canceled(timeout(expire_after, decision(&request, &state))).await? {
        Ok(decision) => {
            info!(approved = decision.approved, "{} has decided", decision.by);
            Stage::Decided(decision)
        }
        Err(elapsed) => {
            warn!("too late: {elapsed}");
            Stage::Expired
        }
    };
    state.borrow_mut().stage = stage;
    // Of what comes later the sender hears: the run is over. What came with the last event is told here.
    for late in DECIDE.drain() {
        ignore(&state, &late, "it comes too late");
    }
    Ok(state.borrow().clone())
}

/// The first decision that counts. Whoever is slow loses nothing but the right to be the only one.
async fn decision(request: &Request, state: &RefCell<State>) -> Decision {
    let escalate_after = Duration::from_millis(request.escalate_after_ms);
    if let Ok(decision) = timeout(escalate_after, ask(request, state)).await {
        return decision;
    }
    warn!("{} does not answer, so {} is asked too", request.approver, request.escalate_to);
    state.borrow_mut().asked.push(request.escalate_to.clone());
    ask(request, state).await
}

/// Reminds those who are asked until one of them decides.
async fn ask(request: &Request, state: &RefCell<State>) -> Decision {
    let every = Duration::from_millis(request.remind_every_ms);
    let mut reminder = sleep_named(every, &request.what);
    loop {
        select! {
            decision = DECIDE.recv() => {
                if state.borrow().asked.contains(&decision.by) {
                    break decision;
                }
                ignore(state, &decision, "nobody has asked them");
            }
            _ = &mut reminder => {
                let mut state = state.borrow_mut();
                state.reminders += 1;
                info!(reminder = state.reminders, "{}, remember: {}", state.asked.join(" or "), request.what);
                reminder = sleep_named(every, &request.what);
            }
        }
    }
}

fn ignore(state: &RefCell<State>, decision: &Decision, why: &str) {
    warn!(approved = decision.approved, "the decision of {} does not count: {why}", decision.by);
    state.borrow_mut().ignored += 1;
}

refrain_sdk::component!(approval);

#[cfg(test)]
mod tests;
