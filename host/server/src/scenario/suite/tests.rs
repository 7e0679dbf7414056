//! What is said of scenarios that do not come out as they should, with scripts in place of a component.

use std::sync::Arc;

use expect_test::{Expect, expect};
use refrain_engine::call::{Completion, Interest};
use refrain_engine::child::{ChildCommand, ChildOptions};
use refrain_engine::failure::{Failure, FailureKind, Outcome};
use refrain_engine::ids::Digest;
use refrain_engine::mailbox::Event;
use refrain_engine::retry::RetryPolicy;
use refrain_engine::scripted::{ScriptedGuests, trap};
use refrain_testkit::{Code, length};

use super::*;
use crate::render::scenario::details;
use crate::scenario::file::ScenarioFile;

const CODE: Digest = Digest([7; 32]);
const HOUR: Duration = Duration::from_secs(3_600);

/// `reminds` wakes every hour until somebody signals; `refuses` fails with a cause; `sells` has a child `ship`, which
/// nobody has, and ends as that does; `orders` wants that of the component `warehouse`.
fn code() -> Code {
    let guests = ScriptedGuests::new();
    guests.add(CODE, "reminds", |host, _| async move {
        loop {
            host.timer(HOUR)?;
            for event in host.wait(Interest::Everything).await? {
                if let Event::Signal { input, .. } = event {
                    return Ok(Completion::Completed(input));
                }
            }
        }
    });
    guests.add(CODE, "refuses", |_, _| async move {
        let failure = |message| Failure::new(FailureKind::Application, "bad-input", message);
        Ok(Completion::Failed(failure("the input").caused_by(failure("it has no `name`"))))
    });
    for (workflow, component) in [("sells", None), ("orders", Some("warehouse"))] {
        guests.add(CODE, workflow, move |host, input| async move {
            let retry = RetryPolicy { maximum_attempts: 2, ..RetryPolicy::default() };
            let component = component.map(str::to_owned);
            let options = ChildOptions { retry: Some(retry), component, ..ChildOptions::default() };
            let (_, ended) = host.child(ChildCommand { workflow: "ship".to_owned(), input, options })?;
            match host.wait(Interest::Ops(vec![ended])).await?.pop() {
                Some(Event::Finished { outcome: Outcome::Completed(result), .. }) => {
                    Ok(Completion::Completed(result))
                }
                Some(Event::Finished { outcome: Outcome::Failed(failure), .. }) => {
                    Ok(Completion::Failed(failure))
                }
                other => Err(trap(format!("a wait for one op delivered {other:?}"))),
            }
        });
    }
    Code::scripted(Arc::new(guests), CODE, &["reminds", "refuses", "sells", "orders"])
}

/// Plays one scenario, also with crashes.
fn play(scenario: &str) -> Report {
    let file = ScenarioFile::parse(&format!("[[scenario]]\nname = \"a\"\n{scenario}")).expect("a file");
    let suite = Suite { path: PathBuf::from("a.toml"), file, code: code() };
    let options = Options { filter: None, crash_everywhere: true, seeds: 1, bless: false, jobs: 1 };
    let mut reports = Vec::new();
    run(&[suite], &options, |report| reports.push(report));
    reports.pop().expect("a report")
}

#[test]
fn what_is_unexpected_is_told_with_where_and_why() {
    let cases: [(&str, Expect); 6] = [
        (
            "workflow = \"remind\"",
            expect![[r#"
                a took 0s
                        the scenario
                          no component defines workflow type "remind": known are reminds, refuses, sells, orders
            "#]],
        ),
        (
            "workflow = \"refuses\"\nexpect = { message = \"no `age`\" }",
            expect![[r#"
                a took 0s
                        failure
                          - no `age`
                          + bad-input: the input: it has no `name`
            "#]],
        ),
        (
            "workflow = \"reminds\"\n\
             events = [{ at = \"2h\", signal = \"go\", input = 1 }, { at = \"1d\", signal = \"go\" }]\n\
             expect = { result = 2 }",
            expect![[r#"
                a took 2h
                        result
                          - 2
                          + 1
                        events[1], signal go at 1d
                          it is refused: workflow "test" has ended: run 019b76da-a800-74aa-a700-f108572036fd is completed
            "#]],
        ),
        (
            "workflow = \"reminds\"\nevents = [{ to = \"nobody\", cancel = \"x\" }]\ntime_limit = \"1h\"",
            expect![[r#"
                a took 1h
                        the execution
                          workflow "test" does not end within 1h of virtual time: it is running, and waits for everything; timer 1 is open
                        events[0], cancel at 0s
                          it is refused: there is no workflow "nobody"
            "#]],
        ),
        (
            "workflow = \"reminds\"\ntime_limit = \"400d\"",
            expect![[r#"
                a took 400d
                        the execution
                          workflow "test" does not end within 400d of virtual time: it is running, and waits for everything; timer 9600 is open
            "#]],
        ),
        (
            "workflow = \"reminds\"",
            expect![[r#"
                a took 776d 17h 21m 3s
                        the execution
                          workflow "test" does not end within 776d 17h 21m 3s of virtual time: it has made 18642 steps: add the event that ends it, or say with `time_limit` how long it is to go on
            "#]],
        ),
    ];
    for (scenario, expected) in cases {
        let report = play(scenario);
        expected.assert_eq(&format!(
            "{} took {}\n{}",
            report.name,
            length(report.virtual_time),
            details(&report)
        ));
    }
}

#[test]
fn the_message_of_any_cause_may_be_expected() {
    for message in ["the input", "no `name`"] {
        let report = play(&format!("workflow = \"refuses\"\nexpect = {{ message = \"{message}\" }}"));
        assert!(report.unexpected.is_empty(), "{}", details(&report));
    }
}

#[test]
fn how_long_it_took_does_not_depend_on_what_comes_after_its_end() {
    let report = play(
        "workflow = \"refuses\"\nevents = [{ at = \"1d\", query = \"a\", failure = \"not-served\" }]\n\
         expect = { status = \"failed\", elapsed = \"0s\" }",
    );
    assert_eq!((report.virtual_time, details(&report)), (Duration::ZERO, String::new()));
}

#[test]
fn a_child_answers_as_the_scenario_says() {
    let answers = r#"
        workflow = "sells"
        input = { what = "a book", of = { weight = 2 } }
        children.ship = [
            { input = { what = "a car" }, error = "TooLarge" },
            { input = { of = { weight = 2 } }, attempts = [
                { error = "Busy", after = "2d" },
                { result = "sent", after = "1d" },
            ] },
        ]
        expect = { result = "sent", elapsed = "3d 1s", calls = ["child ship"] }
    "#;
    let report = play(answers);
    assert_eq!(details(&report), "");
    assert!(report.crashes > 10, "its host was killed {} times", report.crashes);
    let fails = answers
        .replace("expect =", "expect = { failure = \"TooLarge\", message = \"as the scenario says\" } #");
    assert_eq!(details(&play(&fails.replace("a book", "a car"))), "");

    let elsewhere = "workflow = \"orders\"\nexpect = { result = 1 }\nchildren.ship =";
    let here = play(&format!(
        "{elsewhere} [{{ component = \"shop\", error = \"Wrong\" }}, {{ component = \"warehouse\", result = 1 }}]"
    ));
    assert_eq!(details(&here), "");
    let nowhere = details(&play(&format!("{elsewhere} {{ result = 1 }}")));
    assert!(nowhere.contains("with `component` if the parent names one"), "{nowhere}");

    let nobody = play("workflow = \"sells\"");
    expect![[r#"
        nobody has it
                status
                  - completed
                  + failed
                  child workflow "ship" was not started: no component defines workflow type "ship": known are reminds, refuses, sells, orders; upload a component that defines it, or check the spelling
                remark
                  there is no child "ship" where its parent looks for it: add [scenario.children.ship], with `component` if the parent names one, or its component to [components]
    "#]]
    .assert_eq(&format!("nobody has it\n{}", details(&nobody)));

    let unknown = play(&answers.replace("weight = 2 } }\n", "weight = 3 } }\n"));
    expect![[r#"
        no input fits
                result
                  it failed with child workflow "ship" (id "019b76da-a800-77d0-a4d1-6d3ad2236707") failed: the scenario has no answer to ship {"of":{"weight":3},"what":"a book"}
                elapsed
                  - 3d 1s
                  + 0s
                children
                  nothing answers ship {"of":{"weight":3},"what":"a book"}: add [scenario.children.ship]
    "#]]
    .assert_eq(&format!("no input fits\n{}", details(&unknown)));
}
