//! Forks: new executions that begin with steps of a run, which does not notice.

use std::collections::{BTreeMap, BTreeSet};

use refrain_engine::call::{Completion, Interest};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::{Digest, Op, RunId, WorkflowId};
use refrain_engine::payload::Payload;
use refrain_engine::scripted::{ScriptHost, Stopped};
use refrain_runtime::{Error, ForkWorkflow, ForkedRun, NewComponent, OnTrap, ResetWorkflow, RunStatus};

use crate::resets::*;
use crate::world::*;

/// The digest of other code.
const OTHER: Digest = Digest([8; 32]);

fn fork(id: &str) -> ForkWorkflow {
    ForkWorkflow { id: Some(WorkflowId::new(id).unwrap()), ..ForkWorkflow::default() }
}

fn completes(op: Op, json: &str) -> BTreeMap<Op, Outcome> {
    BTreeMap::from([(op, Outcome::Completed(Payload::json(json.to_owned())))])
}

impl Host {
    async fn fork(&self, id: &str, request: ForkWorkflow) -> Result<ForkedRun, Error> {
        self.runtime.fork(&self.namespace, &target(id), request).await
    }

    /// Gives the component of the scripts other code, as its next version.
    async fn push_other(&self, workflow: &str) {
        let component = NewComponent {
            digest: OTHER,
            uploaded_bytes: 0,
            sdk: "scripts".to_owned(),
            imports: Vec::new(),
            workflows: vec![definition(workflow, OnTrap::Park)],
        };
        self.runtime.register_component(&self.namespace, "test", component).await.unwrap();
    }
}

/// Prices an order: two activities, the second with what the first has answered. Answers all it knows.
fn prices(world: &World) {
    world.workflow("prices", |host, input| async move {
        let id = uuid(&host)?;
        let mut known = vec![text(&input)];
        for name in ["echo", "gate"] {
            let last = known.last().cloned().unwrap_or_default();
            known.push(match run(&host, activity(name, &last)).await? {
                Ok(value) => text(&value),
                Err(failure) => failure.message,
            });
        }
        completed(format!("{:?}", (id, uuid(&host)?, known)))
    });
}

#[test]
fn a_fork_goes_on_by_itself_and_the_run_does_not_notice() {
    let world = World::new();
    prices(&world);
    world.live(async |host| {
        let first = host.try_start("prices", "p", "3").await.unwrap().run_id;
        host.settle().await;
        let forked = host.fork("p", fork("what if")).await.unwrap();
        assert_eq!((forked.workflow_id.as_str(), forked.step), ("what if", Some(1)));
        host.settle().await;
        assert_eq!(host.describe("p").await.summary.run_id, first);
        assert_eq!(world.attempts(), 3, "the activity that is open runs for both");
        world.gate.add_permits(2);
        let (of_base, of_fork) = (host.value("p").await, host.value("what if").await);
        let uuids = |value: &str| {
            value.split('"').filter(|part| part.len() == 36).map(str::to_owned).collect::<Vec<_>>()
        };
        let (of_base, of_fork) = (uuids(&of_base), uuids(&of_fork));
        assert_eq!(of_base[0], of_fork[0], "the kept step");
        assert_ne!(of_base[1], of_fork[1], "its own");
        let described = host.describe("what if").await;
        assert_eq!((described.continued_run_id, described.attempt), (None, 1));

        // Of a run that has ended, and under an id that the host makes.
        world.gate.add_permits(1);
        let again = host.fork("p", ForkWorkflow::default()).await.unwrap();
        assert_eq!((again.workflow_id.to_string(), again.step), (again.run_id.to_string(), Some(1)));
        host.value(again.workflow_id.as_str()).await;
    });
    world.check_rest();
}

#[test]
fn a_fork_with_another_input_begins_anew() {
    let world = World::new();
    prices(&world);
    world.live(async |host| {
        world.gate.add_permits(2);
        host.try_start("prices", "p", "3").await.unwrap();
        host.value("p").await;
        let with_input = ForkWorkflow { input: Some(json(4)), ..fork("four") };
        let (field, message) =
            refused(host.fork("p", ForkWorkflow { event: Some(3), ..with_input.clone() }).await);
        assert_eq!(field, "event");
        assert!(message.contains("step 0"), "{message}");
        let both = ForkWorkflow { activity_results: completes(1, "5"), ..with_input.clone() };
        assert_eq!(refused(host.fork("p", both).await).0, "activity_results");
        let forked = host.fork("p", ForkWorkflow { event: Some(2), ..with_input }).await.unwrap();
        assert_eq!(forked.step, None);
        let value = host.value("four").await;
        assert!(value.ends_with(r#"["4", "4", "4"])"#), "{value}");
        assert_eq!(text(&host.describe("four").await.input), "4");
        assert!(!host.story("four").await.contains("forked"));
    });
    world.check_rest();
}

#[test]
fn another_outcome_of_an_activity_is_given_to_the_step_that_took_it() {
    let world = World::new();
    prices(&world);
    world.live(async |host| {
        world.gate.add_permits(3);
        host.try_start("prices", "p", "3").await.unwrap();
        host.value("p").await;
        let attempts = world.attempts();
        let with = |id: &str, op, json| ForkWorkflow { activity_results: completes(op, json), ..fork(id) };
        let forked = host.fork("p", with("five", 1, "5")).await.unwrap();
        assert_eq!(forked.step, Some(0), "the step that took it is made anew");
        let value = host.value("five").await;
        assert!(value.ends_with(r#"["3", "5", "5"])"#), "{value}");
        assert_eq!(world.attempts(), attempts + 1, "that one does not run again, the later one does");

        // The last step of all, and a failure.
        let failure = Failure::new(FailureKind::Application, "SoldOut", "none is left");
        let fails = BTreeMap::from([(2, Outcome::Failed(failure))]);
        let forked = host.fork("p", ForkWorkflow { activity_results: fails, ..fork("fails") }).await.unwrap();
        assert_eq!(forked.step, Some(1));
        assert!(host.value("fails").await.ends_with(r#"["3", "3", "none is left"])"#));

        let (field, message) = refused(host.fork("p", with("x", 7, "5")).await);
        assert_eq!(field, "activity_results.7");
        assert!(message.contains("history"), "{message}");
        let mut both = with("x", 1, "5");
        both.activity_results.extend(completes(2, "6"));
        let (field, message) = refused(host.fork("p", both).await);
        assert_eq!(field, "activity_results.2");
        assert!(message.contains("step 2") && message.contains("step 1"), "{message}");
        let other_step = ForkWorkflow { event: Some(2), ..with("x", 1, "5") };
        assert_eq!(refused(host.fork("p", other_step).await).0, "activity_results.1");
        assert!(matches!(
            host.runtime.describe(&host.namespace, &target("x")).await,
            Err(Error::NotFound { .. })
        ));
    });
    world.check_rest();
}

#[test]
fn an_id_whose_execution_is_open_is_not_taken() {
    let world = World::new();
    prices(&world);
    world.live(async |host| {
        let first = host.try_start("prices", "p", "3").await.unwrap().run_id;
        host.settle().await;
        let taken = host.fork("p", fork("p")).await.unwrap_err();
        assert_eq!(taken, Error::AlreadyRunning { id: "p".to_owned(), run_id: first });
        host.terminate("p").await.unwrap();
        host.fork("p", fork("p")).await.unwrap();
        world.gate.add_permits(2);
        host.value("p").await;
    });
    world.check_rest();
}

#[test]
fn signals_go_to_a_fork_too_unless_they_are_excluded() {
    let world = World::new();
    uuids(&world);
    world.live(async |host| {
        host.start("uuids", "u").await;
        for _ in 0..2 {
            host.signal("u", "go", "1", None).await.unwrap();
            host.settle().await;
        }
        host.pause("u").await.unwrap();
        host.signal("u", "go", "1", None).await.unwrap();
        let forked = host.fork("u", ForkWorkflow { event: Some(1), ..fork("all") }).await.unwrap();
        assert_eq!(forked.step, Some(0));
        let of_fork = listed(&host.value("all").await);
        host.unpause("u").await.unwrap();
        let of_base = listed(&host.value("u").await);
        assert_eq!(of_base.iter().chain(&of_fork).collect::<BTreeSet<_>>().len(), 7, "the first is of both");
        let none = ForkWorkflow { event: Some(1), exclude_signals: true, ..fork("none") };
        host.fork("u", none).await.unwrap();
        host.settle().await;
        assert_eq!(host.describe("none").await.journal_steps, 1);
        host.terminate("none").await.unwrap();
    });
    world.check_rest();
}

#[test]
fn other_code_goes_on_if_the_kept_steps_are_its_own_too() {
    let world = World::new();
    prices(&world);
    // The same calls up to the second activity.
    async fn dearer(host: ScriptHost, input: Payload) -> Result<Completion, Stopped> {
        uuid(&host)?;
        let first = run(&host, activity("echo", text(&input))).await?.expect("a result");
        run(&host, activity("gate", text(&first))).await?.expect("a result");
        completed(format!("{:?}", run_id(&host)?))
    }
    world.guests.add(OTHER, "prices", dearer);
    world.live(async |host| {
        let first = host.try_start("prices", "p", "3").await.unwrap().run_id;
        host.settle().await;
        host.push_other("prices").await;
        let other = |id: &str| ForkWorkflow { version: Some(2), reason: "try it".to_owned(), ..fork(id) };
        let forked = host.fork("p", other("new")).await.unwrap();
        host.settle().await;
        world.gate.add_permits(2);
        assert_eq!(host.value("new").await, format!("{:?}", forked.run_id.to_string()));
        let story = host.story("new").await;
        assert!(story.contains("workflow-moved") && story.contains("try it"), "{story}");
        host.value("p").await;
        assert_eq!(host.describe("p").await.summary.run_id, first);

        // From the beginning there is nothing to move.
        world.gate.add_permits(1);
        host.fork("p", ForkWorkflow { event: Some(0), ..other("anew") }).await.unwrap();
        host.value("anew").await;
        assert_eq!(host.describe("anew").await.version, 2);
        assert!(!host.story("anew").await.contains("moved"));
    });
}

#[test]
fn other_code_that_makes_other_calls_is_refused_and_nothing_is_left() {
    let world = World::new();
    prices(&world);
    world.guests.add(OTHER, "prices", |host: ScriptHost, _| async move {
        host.wait(Interest::Everything).await?;
        completed(1)
    });
    world.live(async |host| {
        host.try_start("prices", "p", "3").await.unwrap();
        host.settle().await;
        host.push_other("prices").await;
        let (field, message) =
            refused(host.fork("p", ForkWorkflow { version: Some(2), ..fork("new") }).await);
        assert_eq!(field, "version");
        assert!(message.contains("recorded activity.start echo") && message.contains("0.1"), "{message}");
        assert!(message.contains("an earlier event"), "{message}");
        let unknown = host.fork("p", ForkWorkflow { version: Some(9), ..fork("new") }).await;
        assert!(matches!(unknown, Err(Error::NotFound { .. })), "{unknown:?}");
        let of_fork = host.runtime.describe(&host.namespace, &target("new")).await;
        assert!(matches!(of_fork, Err(Error::NotFound { .. })));
        world.gate.add_permits(1);
        host.value("p").await;
    });
    world.check_rest();
}

#[test]
fn a_fork_of_a_fork_and_a_reset_of_it_keep_what_each_was_told() {
    let world = World::new();
    world.workflow("who", |host, _| async move {
        let mut who = vec![run_id(&host)?];
        while who.len() < 5 {
            host.wait(Interest::Everything).await?;
            who.push(run_id(&host)?);
        }
        completed(format!("{who:?}"))
    });
    world.live(async |host| {
        let mut runs = vec![host.start("who", "a").await];
        for (from, next) in [("a", "b"), ("b", "c")] {
            host.signal(from, "go", "1", None).await.unwrap();
            host.settle().await;
            runs.push(host.fork(from, fork(next)).await.unwrap().run_id);
        }
        host.signal("c", "go", "1", None).await.unwrap();
        host.settle().await;
        // 1 started, then each a signal, with a fork before it but for the first.
        let last = host.history("c").await.events.last().unwrap().number;
        runs.push(host.reset("c", ResetWorkflow { exclude_signals: true, ..to(last) }).await.unwrap().run_id);
        host.signal("c", "go", "1", None).await.unwrap();
        let told = listed(&host.value("c").await);
        let quoted = |run: &RunId| format!("{:?}", run.to_string());
        // The first two steps were made by the first run.
        assert_eq!(told[0], quoted(&runs[0]));
        assert_eq!(told[1], quoted(&runs[0]));
        assert_eq!(told[2], quoted(&runs[1]));
        assert_eq!(told[3], quoted(&runs[2]));
        assert_eq!(told[4], quoted(&runs[3]));
        assert_eq!(host.status("a").await, RunStatus::Running);
        for id in ["a", "b"] {
            host.terminate(id).await.unwrap();
        }
    });
    world.check_rest();
}
