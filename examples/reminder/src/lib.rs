//! Reminds until someone answers. It sleeps most of its life, and a host that is killed meanwhile changes
//! nothing.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use refrain_sdk::{Failure, Query, Signal, info, or_canceled, select, sleep_named, timeout, warn, workflow};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, JsonSchema)]
struct Reminder {
    /// What to remind of.
    message: String,
    /// Milliseconds from one reminder to the next.
    every_ms: u64,
    /// Milliseconds until it gives up.
    give_up_after_ms: u64,
}

#[derive(Deserialize, JsonSchema)]
struct Done {
    /// Who saw to it.
    by: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Ending {
    /// How often it reminded.
    reminders: u32,
    /// Who answered; nobody when it gave up.
    answered_by: Option<String>,
}

const DONE: Signal<Done> = Signal::new("done").doc("It is done, and the reminder may end.");

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Status {
    /// How often it has reminded.
    reminders: u32,
    /// It neither got an answer nor gave up yet.
    waiting: bool,
}

const STATUS: Query<(), Status> =
    Query::new("status").doc("How often it has reminded, and whether it still does.");

/// Reminds again and again, until the signal `done` comes or it gives up.
#[workflow(signals(DONE), queries(STATUS))]
async fn reminder(input: Reminder) -> Result<Ending, Failure> {
    let every = Duration::from_millis(input.every_ms);
    let give_up_after = Duration::from_millis(input.give_up_after_ms);
    let status = Rc::new(Cell::new(Status { reminders: 0, waiting: true }));
    STATUS.handle({
        let status = status.clone();
        move |()| status.get()
    });
    let answer = or_canceled(timeout(give_up_after, async {
        loop {
            select! {
                done = DONE.recv() => break done,
                _ = sleep_named(every, &input.message) => {
                    let reminders = status.get().reminders + 1;
                    status.set(Status { reminders, waiting: true });
                    info!(reminder = reminders, "remember: {}", input.message);
                }
            }
        }
    }))
    .await?;
    let reminders = status.get().reminders;
    status.set(Status { reminders, waiting: false });
    let answered_by = match answer {
        Ok(done) => {
            info!("{} saw to it", done.by);
            Some(done.by)
        }
        Err(elapsed) => {
            warn!("gave up: {elapsed}");
            None
        }
    };
    Ok(Ending { reminders, answered_by })
}

refrain_sdk::component!(reminder);

#[cfg(test)]
mod tests {
    use refrain_sdk::millis;
    use refrain_sdk::testing::Env;
    use serde::Serialize;

    use super::{Ending, Status, reminder};

    #[derive(Serialize)]
    struct Answer {
        by: &'static str,
    }

    #[derive(Serialize)]
    struct Input {
        message: &'static str,
        every_ms: u64,
        give_up_after_ms: u64,
    }

    const INPUT: Input = Input { message: "water the plants", every_ms: 1_000, give_up_after_ms: 3_500 };

    #[test]
    fn it_ends_when_someone_answers() {
        let ended = Env::new().signal(millis(2_100), "done", &Answer { by: "Ada" }).run::<reminder>(&INPUT);
        let ending = Ending { reminders: 2, answered_by: Some("Ada".to_owned()) };
        assert_eq!(ended.result::<Ending>().unwrap(), ending);
        assert_eq!(ended.elapsed, millis(2_100));
    }

    #[test]
    fn it_tells_how_often_it_has_reminded_even_when_it_is_over() {
        let asked = [millis(500), millis(2_050), millis(9_000)];
        let env = asked.iter().fold(Env::new(), |env, at| env.query(*at, "status", &()));
        let ended = env.signal(millis(2_100), "done", &Answer { by: "Ada" }).run::<reminder>(&INPUT);
        let told = [0, 1, 2].map(|index| ended.answer::<Status>(index).unwrap());
        let expected = [(0, true), (2, true), (2, false)];
        assert_eq!(told, expected.map(|(reminders, waiting)| Status { reminders, waiting }));
        assert_eq!(ended.elapsed, millis(2_100));
    }

    #[test]
    fn it_gives_up_when_nobody_does() {
        let ended = Env::new().run::<reminder>(&INPUT);
        assert_eq!(ended.result::<Ending>().unwrap(), Ending { reminders: 3, answered_by: None });
        assert_eq!(ended.elapsed, millis(3_500));
    }

    #[test]
    fn it_ends_at_once_when_canceled() {
        let ended = Env::new().cancel(millis(10), "no longer needed").run::<reminder>(&INPUT);
        assert!(ended.is_canceled());
        assert_eq!(ended.elapsed, millis(10));
    }
}
