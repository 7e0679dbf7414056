//! A workflow that waits for a person.

use std::cell::Cell;
use std::rc::Rc;

use refrain_sdk::{Failure, Query, Signal, bail, info, secs, select, sleep_named, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Request {
    /// What is asked for.
    what: String,
    /// Seconds from one reminder to the next.
    #[serde(default = "a_minute")]
    remind_every_secs: u64,
}

fn a_minute() -> u64 {
    60
}

#[derive(Deserialize, JsonSchema)]
struct Decision {
    approved: bool,
    /// Who decided.
    by: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Outcome {
    approved: bool,
    by: String,
    /// How often it had to remind.
    reminders: u32,
}

const DECIDE: Signal<Decision> = Signal::new("decide").doc("Approves what is asked for, or does not.");

const REMINDERS: Query<(), u32> = Query::new("reminders").doc("How often it has reminded.");

/// Asks for something, and reminds until someone decides.
#[workflow(signals(DECIDE), queries(REMINDERS))]
async fn {{ident}}(request: Request) -> Result<Outcome, Failure> {
    if request.what.trim().is_empty() {
        bail!("`what` is empty: say what is asked for");
    }
    let reminders = Rc::new(Cell::new(0));
    REMINDERS.handle({
        let reminders = reminders.clone();
        move |()| reminders.get()
    });
    info!("may I have {}?", request.what);
    loop {
        // Whichever is first. The host may be killed here, and the timer goes off when it was due.
        select! {
            decision = DECIDE.recv() => {
                info!(by = decision.by, "it is decided");
                return Ok(Outcome { approved: decision.approved, by: decision.by, reminders: reminders.get() });
            }
            _ = sleep_named(secs(request.remind_every_secs), "until the next reminder") => {
                reminders.set(reminders.get() + 1);
                info!(reminder = reminders.get(), "may I still have {}?", request.what);
            }
        }
    }
}

refrain_sdk::component!({{ident}});

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use refrain_sdk::testing::Env;
    use refrain_sdk::{millis, secs};

    use super::{Outcome, {{ident}}};

    #[test]
    fn it_reminds_until_someone_decides() {
        #[derive(serde::Serialize)]
        struct Decision {
            approved: bool,
            by: &'static str,
        }
        let decision = Decision { approved: true, by: "Ada" };
        let env = Env::new().query(secs(61), "reminders", &()).signal(secs(150), "decide", &decision);
        let ended = env.run::<{{ident}}>(&BTreeMap::from([("what", "a holiday")]));
        assert_eq!(ended.answer::<u32>(0).unwrap(), 1);
        let outcome = Outcome { approved: true, by: "Ada".to_owned(), reminders: 2 };
        assert_eq!(ended.result::<Outcome>().unwrap(), outcome);
        assert_eq!(ended.elapsed, millis(150_000), "of the workflow's time, and none of yours");
    }
}
