//! What became of histories and scenarios, as JUnit's XML, which CI systems show.

use std::fmt::Write;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::describe::mismatch;
use super::scenario;
use super::sweep::{place, remedies};
use crate::scenario::suite::Report;
use crate::wire::JudgedRun;

/// A report: a test case for each history or scenario.
#[derive(Debug)]
pub struct JUnit {
    suite: TestSuite,
}

impl JUnit {
    /// Of what has this name: a component, say.
    pub fn new(name: &str) -> Self {
        Self { suite: TestSuite::new(name) }
    }

    /// Takes in a run, and the file that it is from.
    pub fn add(&mut self, run: &JudgedRun, file: Option<&str>) {
        let JudgedRun { id, run_id, workflow, message, verdict, .. } = run;
        let status = match message {
            None => TestCaseStatus::success(),
            Some(message) => bad(NonSuccessKind::Failure, verdict, message, &details(run)),
        };
        self.case(workflow, &format!("{id} {run_id}"), file, status);
    }

    /// Takes in a history that nobody can replay.
    pub fn add_unreadable(&mut self, file: &str, message: &str) {
        let kind = "unreadable";
        self.case(kind, file, Some(file), bad(NonSuccessKind::Error, kind, message, ""));
    }

    /// Takes in a scenario.
    pub fn add_scenario(&mut self, report: &Report) {
        let file = report.path.display().to_string();
        let class = report.path.file_stem().unwrap_or_default().to_string_lossy();
        let status = match report.unexpected.first() {
            None => TestCaseStatus::success(),
            Some(first) => {
                bad(NonSuccessKind::Failure, "unexpected", &first.what, &scenario::details(report))
            }
        };
        self.case(&class, &report.name, Some(&file), status).set_time(report.real_time);
    }

    /// The document.
    pub fn text(self) -> String {
        let mut report = quick_junit::Report::unnamed();
        report.add_test_suite(self.suite);
        report.to_string().expect("writing to memory cannot fail")
    }

    fn case(&mut self, class: &str, name: &str, file: Option<&str>, status: TestCaseStatus) -> &mut TestCase {
        let mut case = TestCase::new(name, status);
        case.set_classname(class);
        if let Some(file) = file {
            case.extra.insert("file".into(), file.into());
        }
        self.suite.add_test_case(case);
        self.suite.test_cases.last_mut().expect("it was added")
    }
}

fn bad(kind: NonSuccessKind, of: &str, message: &str, details: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(of).set_message(message);
    if !details.is_empty() {
        status.set_description(format!("\n{details}"));
    }
    status
}

/// All that is known of where the code of a run differs.
fn details(run: &JudgedRun) -> String {
    let mut text = String::new();
    if let Some(report) = &run.mismatch {
        mismatch(&mut text, report);
        place(&mut text, run);
        remedies(&mut text);
    }
    for frame in &run.backtrace {
        let _ = writeln!(text, "  {frame}");
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_history_is_a_test_case_and_what_differs_is_a_failure_with_its_report() {
        let run = |more: serde_json::Value| -> JudgedRun {
            let mut run = json!({
                "id": "order<1>", "run_id": "0199", "workflow": "order", "status": "running", "version": 1,
                "steps": 4, "verdict": "identical",
            });
            run.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            serde_json::from_str(&run.to_string()).expect("a run")
        };
        let diverged = run(json!({
            "verdict": "diverged", "message": "differs at 3.1: \"a\" & \u{1}", "event": 7, "source": "src/lib.rs:3 in shop::order",
            "backtrace": ["shop::order at src/lib.rs:3"],
            "mismatch": {
                "position": "3.1", "recorded": "activity.start charge", "attempted": "activity.start ship",
                "differences": [{"field": "name", "recorded": "\"charge\"", "attempted": "\"ship\""}],
                "likely_causes": ["the workflow's code changed before this point"],
            },
        }));
        let mut report = JUnit::new("shop.wasm");
        report.add(&run(json!({})), None);
        report.add(&diverged, Some("histories/a.jsonl"));
        report.add_unreadable("histories/b.jsonl", "it was cut");
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites tests="3" skipped="0" failures="1" errors="1">
                <testsuite name="shop.wasm" tests="3" skipped="0" errors="1" failures="1">
                    <testcase name="order&lt;1&gt; 0199" classname="order"/>
                    <testcase name="order&lt;1&gt; 0199" classname="order" file="histories/a.jsonl">
                        <failure message="differs at 3.1: &quot;a&quot; &amp; " type="diverged">
              at         3.1
              recorded   activity.start charge
              attempted  activity.start ship
              name
                - &quot;charge&quot;
                + &quot;ship&quot;
              likely causes
                · the workflow&apos;s code changed before this point
              event      7 of its history
              source     src/lib.rs:3 in shop::order

            what to do
              patch     guard the change with `patched`: runs that are past it go on as before, others take the new way
              new type  give the changed workflow a type of its own, and keep the old one until no run needs it
              pin       push the version without --move-running: open runs keep the code that they have
              shop::order at src/lib.rs:3
            </failure>
                    </testcase>
                    <testcase name="histories/b.jsonl" classname="unreadable" file="histories/b.jsonl">
                        <error message="it was cut" type="unreadable"/>
                    </testcase>
                </testsuite>
            </testsuites>
        "#]].assert_eq(&report.text());
    }
}
