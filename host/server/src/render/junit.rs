//! What became of histories and scenarios, as JUnit's XML, which CI systems show.

use std::fmt::Write;

use super::describe::mismatch;
use super::scenario;
use super::sweep::{place, remedies};
use crate::scenario::suite::Report;
use crate::wire::JudgedRun;

/// The report of one component: a test case for each history.
#[derive(Debug, Default)]
pub struct JUnit {
    cases: String,
    tests: u64,
    failures: u64,
    errors: u64,
}

impl JUnit {
    /// Takes in a run, and the file that it is from.
    pub fn add(&mut self, run: &JudgedRun, file: Option<&str>) {
        let JudgedRun { id, run_id, workflow, message, .. } = run;
        self.begin(workflow, &format!("{id} {run_id}"), file);
        match message {
            None => self.cases.push_str("/>\n"),
            Some(message) => {
                self.failures += 1;
                self.end("failure", &run.verdict, message, &details(run));
            }
        }
    }

    /// Takes in a history that nobody can replay.
    pub fn add_unreadable(&mut self, file: &str, message: &str) {
        self.begin("unreadable", file, Some(file));
        self.errors += 1;
        self.end("error", "unreadable", message, "");
    }

    /// Takes in a scenario.
    pub fn add_scenario(&mut self, report: &Report) {
        let file = report.path.display().to_string();
        let class = report.path.file_stem().unwrap_or_default().to_string_lossy();
        self.begin(&class, &report.name, Some(&file));
        let _ = write!(self.cases, " time=\"{:.3}\"", report.real_time.as_secs_f64());
        match report.unexpected.first() {
            None => self.cases.push_str("/>\n"),
            Some(first) => {
                self.failures += 1;
                self.end("failure", "unexpected", &first.what, &format!("\n{}", scenario::details(report)));
            }
        }
    }

    /// The document.
    pub fn text(&self, component: &str) -> String {
        let Self { cases, tests, failures, errors } = self;
        let name = Escaped(component);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{name}\" \
             tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n{cases}  </testsuite>\n</testsuites>\n"
        )
    }

    fn begin(&mut self, class: &str, name: &str, file: Option<&str>) {
        self.tests += 1;
        let _ =
            write!(self.cases, "    <testcase classname=\"{}\" name=\"{}\"", Escaped(class), Escaped(name));
        if let Some(file) = file {
            let _ = write!(self.cases, " file=\"{}\"", Escaped(file));
        }
    }

    fn end(&mut self, element: &str, kind: &str, message: &str, details: &str) {
        let (kind, message, details) = (Escaped(kind), Escaped(message), Escaped(details));
        let _ = writeln!(
            self.cases,
            ">\n      <{element} type=\"{kind}\" message=\"{message}\">{details}</{element}>\n    </testcase>"
        );
    }
}

/// All that is known of where the code of a run differs.
fn details(run: &JudgedRun) -> String {
    let mut text = String::new();
    if let Some(report) = &run.mismatch {
        text.push('\n');
        mismatch(&mut text, report);
        place(&mut text, run);
        remedies(&mut text);
    }
    for frame in &run.backtrace {
        let _ = writeln!(text, "  {frame}");
    }
    text
}

/// Text that has no meaning in XML, in an element as in an attribute. What XML cannot have at all, control characters,
/// is replaced.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\n' | '\t' => f.write_char(c),
            '\u{fffe}' | '\u{ffff}' => f.write_char(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => f.write_char(char::REPLACEMENT_CHARACTER),
            c => f.write_char(c),
        })
    }
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
        let mut report = JUnit::default();
        report.add(&run(json!({})), None);
        report.add(&diverged, Some("histories/a.jsonl"));
        report.add_unreadable("histories/b.jsonl", "it was cut");
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites>
              <testsuite name="shop.wasm" tests="3" failures="1" errors="1">
                <testcase classname="order" name="order&lt;1&gt; 0199"/>
                <testcase classname="order" name="order&lt;1&gt; 0199" file="histories/a.jsonl">
                  <failure type="diverged" message="differs at 3.1: &quot;a&quot; &amp; �">
              at         3.1
              recorded   activity.start charge
              attempted  activity.start ship
              name
                - &quot;charge&quot;
                + &quot;ship&quot;
              likely causes
                · the workflow's code changed before this point
              event      7 of its history
              source     src/lib.rs:3 in shop::order

            what to do
              patch     guard the change with `patched`: runs that are past it go on as before, others take the new way
              new type  give the changed workflow a type of its own, and keep the old one until no run needs it
              pin       push the version without --move-running: open runs keep the code that they have
              shop::order at src/lib.rs:3
            </failure>
                </testcase>
                <testcase classname="unreadable" name="histories/b.jsonl" file="histories/b.jsonl">
                  <error type="unreadable" message="it was cut"></error>
                </testcase>
              </testsuite>
            </testsuites>
        "#]].assert_eq(&report.text("shop.wasm"));
    }
}
