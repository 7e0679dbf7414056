//! What tests of workflows can rely on, with scripts in place of components.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use expect_test::expect;
use futures::future::BoxFuture;
use refrain_engine::call::{ActivityCommand, ActivityOptions, Completion, Interest, NextRun, Read, Reply};
use refrain_engine::failure::Outcome;
use refrain_engine::guest::{Guest, Guests, OpenError};
use refrain_engine::ids::{Digest, Op};
use refrain_engine::limits::Profile;
use refrain_engine::mailbox::Event;
use refrain_engine::payload::Payload;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::scripted::{ScriptHost, ScriptedGuests, Stopped};
use refrain_plugin::{Activity, ActivityError, Plugin};
use refrain_runtime::RunStatus;
use refrain_testkit::{Code, Life, TestError, TestHost, calls, crash_everywhere, transcript};

const CODE: Digest = Digest([7; 32]);
const DAY: Duration = Duration::from_secs(86_400);

const WORKFLOWS: [&str; 7] = ["reminders", "pay", "careless", "asks", "endless", "restless", "draws"];

/// Workflows as scripts.
fn code() -> Code {
    executed_by(Arc::new(scripts()))
}

fn executed_by(guests: Arc<dyn Guests>) -> Code {
    Code::scripted(guests, CODE, &WORKFLOWS)
}

fn scripts() -> ScriptedGuests {
    let guests = ScriptedGuests::new();
    guests.add(CODE, "reminders", |host, _| async move {
        for _ in 0..12 {
            timer(&host, 30 * DAY).await?;
            activity(&host, "remind", "1", ActivityOptions::default()).await?;
        }
        Ok(completed("12"))
    });
    guests.add(CODE, "pay", |host, input| async move {
        let options = ActivityOptions { retry: retries(), ..ActivityOptions::default() };
        match activity(&host, "charge", text(&input), options).await? {
            Outcome::Completed(receipt) => Ok(Completion::Completed(receipt)),
            Outcome::Failed(failure) => Ok(Completion::Failed(failure)),
        }
    });
    guests.add(CODE, "careless", |host, input| async move {
        let once = RetryPolicy { maximum_attempts: 1, ..RetryPolicy::default() };
        let options = ActivityOptions { retry: once, ..ActivityOptions::default() };
        match activity(&host, "charge", text(&input), options).await? {
            Outcome::Completed(receipt) => Ok(Completion::Completed(receipt)),
            Outcome::Failed(_) => Ok(completed("\"lost\"")),
        }
    });
    guests.add(CODE, "asks", |host, _| async move {
        loop {
            for event in host.wait(Interest::Everything).await? {
                if let Event::Signal { input, .. } = event {
                    return Ok(Completion::Completed(input));
                }
            }
        }
    });
    guests.add(CODE, "endless", |host, input| async move {
        timer(&host, DAY).await?;
        Ok(again(input))
    });
    guests.add(CODE, "restless", |_, input| async move { Ok(again(input)) });
    guests.add(CODE, "draws", |host, _| async move {
        match host.read(Read::RandomBytes { len: 4 })? {
            Reply::Bytes(bytes) => Ok(completed(&format!("{bytes:?}"))),
            reply => panic!("randomness is bytes, and not {reply:?}"),
        }
    });
    guests
}

fn retries() -> RetryPolicy {
    RetryPolicy { initial_interval: Duration::from_secs(1), ..RetryPolicy::default() }
}

async fn ended(host: &ScriptHost, op: Op) -> Result<Outcome, Stopped> {
    match host.wait(Interest::Ops(vec![op])).await?.pop() {
        Some(Event::Finished { outcome, .. }) => Ok(outcome),
        other => panic!("a wait for one op delivered {other:?}"),
    }
}

async fn timer(host: &ScriptHost, delay: Duration) -> Result<(), Stopped> {
    let op = host.timer(delay)?;
    ended(host, op).await.map(drop)
}

async fn activity(
    host: &ScriptHost,
    name: &str,
    input: impl Into<String>,
    options: ActivityOptions,
) -> Result<Outcome, Stopped> {
    let options = ActivityOptions { start_to_close: Some(DAY), ..options };
    let input = Payload::json(input.into());
    let op = host.activity(ActivityCommand { name: name.to_owned(), input, options })?;
    ended(host, op).await
}

fn again(input: Payload) -> Completion {
    Completion::ContinueAsNew(NextRun {
        workflow: None,
        input,
        newest_version: false,
        run_timeout: None,
        unread: Vec::new(),
    })
}

fn completed(json: &str) -> Completion {
    Completion::Completed(Payload::json(json.to_owned()))
}

fn text(payload: &Payload) -> String {
    String::from_utf8(payload.data.to_vec()).expect("JSON")
}

#[test]
fn a_year_of_reminders_passes_in_no_time() {
    let reminded = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&reminded);
    let mut host = TestHost::new(&code()).activity("remind", move |_, _: u32| {
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let elapsed = host
        .live(async |host| {
            host.start("reminders", "r", &()).await?;
            assert_eq!(host.result("r").await?.result::<u32>()?, 12);
            Ok(host.elapsed())
        })
        .expect("a year");
    assert_eq!((elapsed, reminded.load(Ordering::Relaxed)), (360 * DAY, 12));
}

#[test]
fn an_activity_fails_and_is_retried_as_its_policy_says() {
    let mut host = TestHost::new(&code()).activity("charge", |context, cents: u32| match context.attempt() {
        1 | 2 => Err(ActivityError::new("Busy", "come again")),
        _ => Ok(format!("receipt for {cents}")),
    });
    let history = host.live(async |host| {
        host.start("pay", "p", &42).await?;
        assert_eq!(host.result("p").await?.status, RunStatus::Completed);
        host.history("p", None).await
    });
    let history = history.expect("a history");
    assert_eq!(calls(&history), ["activity charge 42"]);
    expect![[r#"
            +0s          workflow-started       pay 42
            +0s          activity-scheduled     #1 charge 42
            +3s          activity-completed     #1 charge → "receipt for 42"
            +3s          workflow-completed     → "receipt for 42"
    "#]]
    .assert_eq(&transcript(&history));
}

#[test]
fn what_does_not_end_is_told_with_what_it_waits_for() {
    let cases = [
        (
            "pay",
            expect![[
                r#"workflow "w" does not end within 12h of virtual time: it is running, and waits for op 1; activity charge is open"#
            ]],
        ),
        (
            "asks",
            expect![[
                r#"workflow "w" does not end within 12h of virtual time: it is running, and waits for everything"#
            ]],
        ),
    ];
    for (workflow, expected) in cases {
        let mut host = TestHost::new(&code()).time_limit(DAY / 2);
        let error = host.live(async |host| {
            host.start(workflow, "w", &1).await?;
            host.result("w").await
        });
        expected.assert_eq(&error.expect_err("no end").to_string());
    }
}

#[test]
fn what_goes_on_from_run_to_run_is_ended_with_their_number() {
    let cases = [
        (
            TestHost::new(&code()).run_limit(30),
            "endless",
            expect![[
                r#"workflow "w" goes on from run to run: it has begun more than 30, the last of type "endless", within 30d of virtual time; bound its loop of continue-as-new or of retries, or raise `run_limit`"#
            ]],
        ),
        // No time passes, and so none ends.
        (
            TestHost::new(&code()),
            "restless",
            expect![[
                r#"workflow "w" goes on from run to run: it has begun more than 10000, the last of type "restless", within 0s of virtual time; bound its loop of continue-as-new or of retries, or raise `run_limit`"#
            ]],
        ),
    ];
    for (mut host, workflow, expected) in cases {
        let error = host.live(async |host| {
            host.start(workflow, "w", &1).await?;
            host.until(100 * DAY).await;
            host.result("w").await
        });
        expected.assert_eq(&error.expect_err("no end").to_string());
    }
}

#[test]
fn a_host_that_dies_goes_on_where_it_was() {
    let mut host = TestHost::new(&code());
    host.live(async |host| host.start("asks", "a", &()).await.map(drop)).expect("a start");
    let result = host.live(async |host| {
        host.until(DAY).await;
        host.signal("a", "go", &"on").await?;
        host.result("a").await?.result::<String>()
    });
    assert_eq!(result.as_deref(), Ok("on"));
}

#[test]
fn time_stands_still_while_another_thread_readies_the_code() {
    /// As a component that is compiled elsewhere.
    struct Compiling(ScriptedGuests);
    impl Guests for Compiling {
        fn open(
            &self,
            digest: Digest,
            profile: &'static Profile,
        ) -> BoxFuture<'static, Result<Box<dyn Guest>, OpenError>> {
            let opened = self.0.open(digest, profile);
            let (done, compiled) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                // Time enough for years to pass, if they are not held.
                std::thread::sleep(Duration::from_millis(5));
                done.send(())
            });
            Box::pin(async move {
                compiled.await.expect("it says so");
                opened.await
            })
        }
    }
    let code = executed_by(Arc::new(Compiling(scripts())));
    let history = TestHost::new(&code).live(async |host| {
        host.start("reminders", "r", &()).await?;
        host.until(31 * DAY).await;
        host.history("r", None).await
    });
    expect![[r#"
        +0s          workflow-started       reminders null
        +0s          timer-started          #1 until +30d
        +30d         timer-fired            #1 timer
        +30d         activity-scheduled     #2 remind 1
    "#]]
    .assert_eq(&transcript(&history.expect("a history")));
}

#[test]
fn time_stands_still_while_a_real_plugin_works() {
    /// Ends when another thread says so.
    struct Real;
    impl Plugin for Real {
        fn name(&self) -> &str {
            "real"
        }
        fn activities(&self) -> Vec<Activity> {
            let work = |_, cents: u32| async move {
                let (done, ended) = tokio::sync::oneshot::channel();
                std::thread::spawn(move || done.send(cents));
                Ok(ended.await?)
            };
            vec![Activity::new("charge", work)]
        }
    }
    let mut host = TestHost::new(&code()).plugin(&Real);
    let elapsed = host.live(async |host| {
        host.start("pay", "p", &7).await?;
        assert_eq!(host.result("p").await?.result::<u32>()?, 7);
        Ok(host.elapsed())
    });
    assert_eq!(elapsed, Ok(Duration::ZERO));
}

#[test]
fn a_seed_decides_what_a_workflow_draws() {
    let draw = |seed| {
        TestHost::new(&code()).seed(seed).live(async |host| {
            host.start("draws", "d", &()).await?;
            host.result("d").await?.result::<Vec<u8>>()
        })
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

/// The outcome of an execution, and what it asked for.
async fn observe(host: Life, workflow: &str) -> Result<(String, Vec<String>), TestError> {
    host.start(workflow, "w", &42).await?;
    let ended = host.result("w").await?;
    let outcome = match &ended.outcome {
        Ok(result) => text(result),
        Err(failure) => failure.to_string(),
    };
    Ok((outcome, calls(&host.history("w", None).await?)))
}

#[test]
fn a_sweep_kills_the_host_everywhere_and_finds_the_workflow_that_cannot_bear_it() {
    let host = || {
        TestHost::new(&code())
            .activity("charge", |_, cents: u32| Ok(cents + 1))
            .activity("remind", |_, _: u32| Ok(()))
    };
    for workflow in ["pay", "reminders", "draws"] {
        let swept = crash_everywhere(host, async |life| observe(life, workflow).await).expect("a sweep");
        assert!(swept.crashes > 4, "{workflow} was killed {} times", swept.crashes);
        assert_eq!(swept.differs, [], "{workflow}");
    }
    let swept = crash_everywhere(host, async |life| observe(life, "careless").await).expect("a sweep");
    assert_eq!(swept.undisturbed.0, "43");
    let lost = swept.differs.iter().map(|differs| differs.observed.as_ref().expect("an end").0.as_str());
    let lost: Vec<&str> = lost.collect();
    assert!(!lost.is_empty() && lost.iter().all(|outcome| *outcome == "\"lost\""), "{lost:?}");
}
