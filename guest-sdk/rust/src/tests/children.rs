//! Children and other executions.

use super::{DONE, TASK};
use crate::testing::Env;
use crate::*;

#[workflow]
async fn ships(id: String) -> Result<String, Failure> {
    let ship = child::<String>("ship", &id).id(format!("ship-{id}")).task_queue("port");
    let ship = ship.parent_close(ParentClose::Abandon).id_reuse(IdReuse::Reject).memo("order", &id);
    ship.summary("by sea").await
}

#[test]
fn a_child_starts_with_its_options_and_its_start_is_not_waited_for() {
    let ended =
        Env::new().slow_child("ship", secs(3), |id: String| Ok(format!("sent {id}"))).run::<ships>(&"7");
    assert_eq!(ended.result::<String>().unwrap(), "sent 7");
    assert_eq!(ended.elapsed, secs(3));
    let start = r#"1, 2 = child ship "7" id="ship-7" task-queue="port" summary="by sea" id-reuse=reject parent-close=abandon memo:order="7""#;
    assert_eq!(ended.calls, [start, "detach 1", "wait"]);
}

#[test]
fn a_child_that_fails_gives_the_whole_chain() {
    let sinks =
        |_: String| Err::<(), _>(Failure::typed("Sunk", "the ship sank").with_details(&40).context("sail"));
    let failure = Env::new().child("ship", sinks).run::<ships>(&"7").result::<()>().unwrap_err();
    assert_eq!(failure.to_string(), r#"child workflow "ship" (id "ship-7") failed: sail: the ship sank"#);
    assert_eq!((failure.error_type(), failure.details::<u32>()), ("Sunk", Some(40)));
    let refused = Env::new().refused_child("ship", "already-exists").run::<ships>(&"7");
    let refused = refused.result::<()>().unwrap_err();
    assert_eq!(refused.to_string(), r#"child workflow "ship" was not started: its id is "ship-7""#);
    assert_eq!((refused.kind(), refused.error_type()), (FailureKind::Host, "already-exists"));
    let wrong = Env::new().child("ship", |_: String| Ok(7)).run::<ships>(&"7");
    let wrong = wrong.result::<()>().unwrap_err().to_string();
    assert!(wrong.starts_with(r#"child workflow "ship": result: invalid type: integer `7`"#), "{wrong}");
}

#[workflow]
async fn watches() -> Result<String, Failure> {
    let (started, ended) = child::<String>("ship", "7").id("ship-7").start_watched();
    let ship = started.await?;
    assert_eq!(ship, external_run("ship-7", "ship-7-run"));
    DONE.send_to(&ship, &5).await?;
    ended.await
}

#[test]
fn a_child_whose_start_is_watched_tells_its_ids() {
    let env = Env::new().slow_child("ship", secs(3), |id: String| Ok(id));
    let ended = env.run::<watches>(&());
    assert_eq!(ended.result::<String>().unwrap(), "7");
    let calls = [
        "1, 2 = child ship \"7\" id=\"ship-7\"",
        "wait",
        "3 = signal ship-7 run=\"ship-7-run\" done 5",
        "wait",
        "wait",
    ];
    assert_eq!(ended.calls, calls);
    let refused = Env::new().refused_child("ship", "not-found").run::<watches>(&());
    assert_eq!(refused.result::<()>().unwrap_err().error_type(), "not-found");
    assert_eq!(refused.calls.last().unwrap(), "wait", "what has failed is not detached");
}

#[workflow]
async fn gives_up_children(cancellation: u8) -> Result<String, Failure> {
    let ship = child::<String>("ship", "7").execution_timeout(secs(60));
    let ship = match cancellation {
        0 => ship,
        1 => ship.cancellation(Cancellation::WaitForCancellation),
        _ => ship.cancel_with_run(),
    };
    let ship = ship.start();
    if cancellation < 2 {
        sleep(secs(1)).await;
        ship.cancel("too slow");
    }
    ship.await
}

#[test]
fn a_child_is_canceled_by_hand_or_with_the_run_and_waited_for_if_wanted() {
    for (cancellation, takes, seconds, expected) in [
        (0, 9, 1, Some(r#"child workflow "ship": too slow"#)),
        (1, 9, 9, None),
        (0, 1, 1, None),
        (
            1,
            90,
            60,
            Some(r#"child workflow "ship" (id "child-2") timed out: the execution took longer than 60s"#),
        ),
    ] {
        let env = Env::new().slow_child("ship", secs(takes), |id: String| Ok(id));
        let ended = env.run::<gives_up_children>(&cancellation);
        let failure = ended.result::<String>().err().map(|failure| failure.to_string());
        assert_eq!((failure.as_deref(), ended.elapsed), (expected, secs(seconds)), "{cancellation} {takes}");
    }
    let env = Env::new().slow_child("ship", secs(9), |id: String| Ok(id)).cancel(secs(2), "enough");
    let ended = env.run::<gives_up_children>(&2);
    assert!(ended.is_canceled());
    assert_eq!(ended.elapsed, secs(2));
}

#[workflow]
async fn square(n: u64) -> Result<u64, Failure> {
    Ok(n * n)
}

#[workflow]
async fn sum_of_squares(numbers: Vec<u64>) -> Result<u64, Failure> {
    Ok(try_join_all(numbers.iter().map(child_of::<square>)).await?.into_iter().sum())
}

#[test]
fn a_child_whose_code_is_at_hand_is_started_by_its_name_and_its_types() {
    let ended = Env::new().child("square", |n: u64| Ok(n * n)).run::<sum_of_squares>(&[1, 2, 3]);
    assert_eq!(ended.result::<u64>().unwrap(), 14);
}

#[workflow]
async fn tells_others() -> Result<Vec<String>, Failure> {
    let (near, far) = (external("near"), external_run("far", "1"));
    let sent = [near.signal("hello", "you"), far.signal("hello", &7), far.cancel("enough"), near.cancel("")];
    drop(near.signal("hello", "whoever"));
    let outcomes = join_all(sent).await.into_iter();
    Ok(outcomes.map(|outcome| outcome.map_or_else(|why| why.to_string(), |()| "sent".to_owned())).collect())
}

#[test]
fn what_is_sent_to_others_is_sent_at_the_call_and_fails_by_name() {
    let ended = Env::new().without_execution("far").run::<tells_others>(&());
    let outcomes = ended.result::<Vec<String>>().unwrap();
    let expected = [
        "sent",
        "signal `hello` to run `1` of workflow `far`: there is no workflow `far`",
        "cancel request to run `1` of workflow `far`: there is no workflow `far`",
        "sent",
    ];
    assert_eq!(outcomes, expected);
    let calls = [
        r#"1 = signal near hello "you""#,
        r#"2 = signal far run="1" hello 7"#,
        r#"3 = request-cancel far run="1""#,
        "4 = request-cancel near",
        r#"5 = signal near hello "whoever""#,
        "detach 5",
        "wait",
    ];
    assert_eq!(ended.calls, calls);
}

#[derive(Clone, Copy)]
struct NoJson;

impl serde::Serialize for NoJson {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it has no words"))
    }
}

#[workflow]
async fn has_no_words() -> Result<Vec<String>, Failure> {
    let failures = [
        external("near").signal("hello", &NoJson).await.unwrap_err(),
        child::<()>("ship", &NoJson).await.unwrap_err(),
        child::<()>("ship", "7").memo("order", &NoJson).await.unwrap_err(),
        activity::<()>("ship", &NoJson).start_to_close(TASK).await.unwrap_err(),
    ];
    Ok(failures.map(|failure| failure.to_string()).to_vec())
}

#[test]
fn an_input_that_cannot_be_written_says_whose_it_was_and_starts_nothing() {
    let ended = Env::new().run::<has_no_words>(&());
    let why = "cannot be written as JSON: it has no words";
    let expected = [
        format!("input of signal `hello` to workflow `near`: {why}"),
        format!("child workflow \"ship\": input: {why}"),
        format!("child workflow \"ship\": memo `order`: {why}"),
        format!("input of activity `ship`: {why}"),
    ];
    assert_eq!(ended.result::<Vec<String>>().unwrap(), expected);
    assert_eq!(ended.calls, [""; 0]);
}
