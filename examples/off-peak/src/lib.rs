//! Does something when nobody is in the way: waits for the hours of the day in which it may be done, by the clocks of
//! one place, which are set forward and back twice a year. While it waits the hours can be changed.
//!
//! A timer that fires says that its time has come, not that it is that time now: a host that was down meanwhile catches up
//! later. So the workflow looks at the clock again before it begins.
//!
//! It needs the host's `fs` plugin, with a directory `target` to write to.

use std::cell::RefCell;
use std::rc::Rc;

use refrain_sdk::{
    Context, Failure, Query, Retry, Signal, activity, info, mins, now, or_canceled, select, sleep_until,
    warn, workflow,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod window;

use window::{Hours, Window};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Job {
    /// When it may be done.
    hours: Hours,
    /// The file that is written then, in the directory `target`.
    path: String,
    /// What is written to it.
    content: String,
}

const HOURS: Signal<Hours> = Signal::new("hours").doc("Other hours, from now on.");

/// What it waits for, or waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
struct Plan {
    hours: Hours,
    /// When it begins, or began, by the clocks of the place.
    at: String,
    /// It waits still.
    waits: bool,
}

const PLAN: Query<(), Plan> = Query::new("plan").doc("When it begins.");

/// Writes a file within the hours of the day in which it may be done.
#[workflow(name = "off-peak", signals(HOURS), queries(PLAN))]
async fn off_peak(job: Job) -> Result<Plan, Failure> {
    let mut window = Window::of(&job.hours).context("read `hours`").map_err(Failure::non_retryable)?;
    let plan = Rc::new(RefCell::new(Plan { hours: job.hours.clone(), at: String::new(), waits: true }));
    PLAN.handle({
        let plan = plan.clone();
        move |()| plan.borrow().clone()
    });
    loop {
        let now = now();
        let opening = window.next(now)?;
        plan.borrow_mut().at = opening.to_string();
        let opens_at = opening.timestamp().into();
        if opens_at <= now {
            break;
        }
        info!("it may begin at {opening}");
        let changed = async {
            select! {
                hours = HOURS.recv() => Some(hours),
                _ = sleep_until(opens_at) => None,
            }
        };
        let Some(hours) = or_canceled(changed).await? else { continue };
        match Window::of(&hours) {
            Ok(other) => {
                info!("other hours: {hours}");
                window = other;
                plan.borrow_mut().hours = hours;
            }
            // Nobody hears of it but who looks: whoever sends nonsense must not be able to end a workflow.
            Err(why) => warn!("the hours stay as they are: {why}"),
        }
    }
    plan.borrow_mut().waits = false;
    write(&job).await?;
    Ok(plan.borrow().clone())
}

async fn write(job: &Job) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Input<'a> {
        directory: &'static str,
        path: &'a str,
        content: &'a str,
    }
    #[derive(Deserialize)]
    struct Written {
        size: u64,
    }
    let Job { path, content, .. } = job;
    let written: Written = activity("fs.write", &Input { directory: "target", path, content })
        .start_to_close(mins(1))
        .retry(Retry::default().maximum_attempts(5))
        .await
        .with_context(|| format!("write `{path}`"))?;
    info!(bytes = written.size, "wrote `{path}`");
    Ok(())
}

refrain_sdk::component!(off_peak);

#[cfg(test)]
mod tests;
