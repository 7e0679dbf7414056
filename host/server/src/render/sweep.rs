//! What became of the open runs of a component that were checked or moved.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::describe::mismatch;
use super::table::Table;
use super::{count, shortened};
use crate::wire::{JudgedRun, SweepBegun, SweepSummary};

/// Verdicts, from the best to the worst.
const VERDICTS: [&str; 7] =
    ["identical", "compatible", "diverged", "trapped", "budget", "unavailable", "ended"];

/// Runs that are shown of those that differ at the same place in the same way.
const SHOWN_RUNS: usize = 10;

/// Characters of a function's name and place that are shown.
const SHOWN_SOURCE: usize = 160;

/// What can be done about code that differs, for whoever changes it. Each keeps the runs that there are going.
pub const REMEDIES: [(&str, &str); 3] = [
    (
        "patch",
        "guard the change with `patched`: runs that are past it go on as before, others take the new way",
    ),
    ("new type", "give the changed workflow a type of its own, and keep the old one until no run needs it"),
    ("pin", "push the version without --move-running: open runs keep the code that they have"),
];

/// What the runs of a group have in common: verdict, type, and where and how the code differs.
type Cause = (usize, String, String);

/// All that is to be told of a sweep, as it goes on.
#[derive(Debug, Default)]
pub struct Report {
    groups: BTreeMap<Cause, Group>,
}

/// Runs of one type that differ in the same way.
#[derive(Debug)]
struct Group {
    count: u64,
    /// The first of them, with the files that they are from.
    runs: Vec<(JudgedRun, Option<String>)>,
}

/// What a sweep was about.
pub fn headline(component: &str, begun: &SweepBegun) -> String {
    let SweepBegun { open_runs, selected } = begun;
    format!("{component}: {}, {selected} of them looked at", count(*open_runs, "open run"))
}

impl Report {
    /// Takes in a run, and the file that it is from. Those that are identical are only counted, by the summary.
    pub fn add(&mut self, run: JudgedRun, file: Option<String>) {
        if run.verdict == VERDICTS[0] || run.verdict == crate::wire::ENDED {
            return;
        }
        let rank = VERDICTS.iter().position(|verdict| *verdict == run.verdict).unwrap_or(VERDICTS.len());
        let cause = run.message.clone().unwrap_or_default();
        let group = self
            .groups
            .entry((rank, run.workflow.clone(), cause))
            .or_insert(Group { count: 0, runs: Vec::new() });
        group.count += 1;
        if group.runs.len() < SHOWN_RUNS {
            group.runs.push((run, file));
        }
    }

    /// The report, for people.
    pub fn text(&self, headline: &str, summary: &SweepSummary) -> String {
        let mut text = format!("{headline}\n");
        if summary.looked_at == 0 {
            return text;
        }
        let _ = write!(text, "\n{}", totals(summary));
        for group in self.groups.values() {
            group.write(&mut text);
        }
        if self.groups.values().flat_map(|group| &group.runs).any(|(run, _)| run.mismatch.is_some()) {
            remedies(&mut text);
        }
        text
    }
}

impl Group {
    fn write(&self, text: &mut String) {
        let Some((first, _)) = self.runs.first() else { return };
        let _ = writeln!(text, "\n{}  {} ({})", first.verdict, first.workflow, count(self.count, "run"));
        match &first.mismatch {
            Some(report) => {
                mismatch(text, report);
                place(text, first);
            }
            None => {
                for line in first.message.iter().flat_map(|message| message.lines()) {
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
        let file = if self.runs.iter().any(|(_, file)| file.is_some()) { "FILE" } else { "" };
        let mut table = Table::new(["  WORKFLOW", "RUN", "STATUS", "VERSION", "STEPS", file]);
        for (run, file) in &self.runs {
            table.row([
                format!("  {}", run.id),
                run.run_id.clone(),
                run.status.to_string(),
                run.version.to_string(),
                run.steps.to_string(),
                file.clone().unwrap_or_default(),
            ]);
        }
        let _ = write!(text, "{table}");
        let left_out = self.count - self.runs.len() as u64;
        if left_out > 0 {
            let _ = writeln!(text, "  and {left_out} more, which --json lists");
        }
    }
}

/// How many runs of each type have which verdict.
fn totals(summary: &SweepSummary) -> String {
    let seen: Vec<&str> =
        VERDICTS.into_iter().filter(|verdict| summary.verdicts.contains_key(*verdict)).collect();
    let cell = |counts: &BTreeMap<String, u64>, verdict: &str| {
        counts.get(verdict).map(u64::to_string).unwrap_or_default()
    };
    let mut rows =
        vec![std::iter::once("TYPE".to_owned()).chain(seen.iter().map(|v| v.to_uppercase())).collect()];
    for (workflow, counts) in &summary.workflows {
        let cells = seen.iter().map(|verdict| cell(counts, verdict));
        rows.push(std::iter::once(workflow.clone()).chain(cells).collect::<Vec<String>>());
    }
    if summary.workflows.len() > 1 {
        let cells = seen.iter().map(|verdict| cell(&summary.verdicts, verdict));
        rows.push(std::iter::once("all".to_owned()).chain(cells).collect());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..=seen.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let line: String =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<0$}", width + 2)).collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Where it is that the code of a run differs.
pub fn place(text: &mut String, run: &JudgedRun) {
    if let Some(event) = run.event {
        let _ = writeln!(text, "  event      {event} of its history");
    }
    if let Some(source) = &run.source {
        let _ = writeln!(text, "  source     {}", shortened(source, SHOWN_SOURCE));
    }
}

/// What can be done about it.
pub fn remedies(text: &mut String) {
    text.push_str("\nwhat to do\n");
    for (name, remedy) in REMEDIES {
        let _ = writeln!(text, "  {name:<8}  {remedy}");
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn run(id: &str, workflow: &str, verdict: &str, message: Option<&str>) -> JudgedRun {
        let mismatch = json!({
            "position": "3.1", "recorded": "activity.start charge", "attempted": "activity.start charge",
            "differences": [{"field": "input", "recorded": "1", "attempted": "2"}],
            "likely_causes": ["the workflow's code changed before this point"],
        });
        let mut run = json!({
            "id": id, "run_id": "0199", "workflow": workflow, "status": "running", "version": 1, "steps": 4,
            "verdict": verdict,
        });
        if let Some(message) = message {
            run["message"] = message.into();
        }
        if verdict == "diverged" {
            run["mismatch"] = mismatch;
        }
        serde_json::from_str(&run.to_string()).expect("a run")
    }

    #[test]
    fn what_is_not_identical_is_shown_once_for_each_cause_with_the_runs_that_it_is_about() {
        let mut runs: Vec<JudgedRun> =
            (1..=12).map(|n| run(&format!("order/{n}"), "order", "diverged", Some("at 3.1"))).collect();
        runs.push(run("order/20", "order", "identical", None));
        runs.push(run("mail/1", "mail", "compatible", None));
        runs.push(run("mail/2", "mail", "trapped", Some("the other code traps: a bug")));
        runs.push(run("mail/3", "mail", "ended", Some("it has ended")));
        let mut summary = SweepSummary { safe: true, ..SweepSummary::default() };
        let mut report = Report::default();
        for run in runs {
            summary.count(&run);
            report.add(run, None);
        }
        assert!(!summary.safe);
        let begun = SweepBegun { open_runs: 20, selected: 16 };
        expect![[r#"
            shop: 20 open runs, 16 of them looked at

            TYPE   IDENTICAL  COMPATIBLE  DIVERGED  TRAPPED  ENDED
            mail              1                     1        1
            order  1                      12
            all    1          1           12        1        1

            compatible  mail (1 run)
              WORKFLOW  RUN   STATUS   VERSION  STEPS
              mail/1    0199  running  1        4

            diverged  order (12 runs)
              at         3.1
              recorded   activity.start charge
              attempted  activity.start charge
              input
                - 1
                + 2
              likely causes
                · the workflow's code changed before this point
              WORKFLOW  RUN   STATUS   VERSION  STEPS
              order/1   0199  running  1        4
              order/2   0199  running  1        4
              order/3   0199  running  1        4
              order/4   0199  running  1        4
              order/5   0199  running  1        4
              order/6   0199  running  1        4
              order/7   0199  running  1        4
              order/8   0199  running  1        4
              order/9   0199  running  1        4
              order/10  0199  running  1        4
              and 2 more, which --json lists

            trapped  mail (1 run)
              the other code traps: a bug
              WORKFLOW  RUN   STATUS   VERSION  STEPS
              mail/2    0199  running  1        4

            what to do
              patch     guard the change with `patched`: runs that are past it go on as before, others take the new way
              new type  give the changed workflow a type of its own, and keep the old one until no run needs it
              pin       push the version without --move-running: open runs keep the code that they have
        "#]]
        .assert_eq(&report.text(&headline("shop", &begun), &summary));
        let nobody = headline("shop", &SweepBegun::default());
        let nobody = Report::default().text(&nobody, &SweepSummary::default());
        assert_eq!(nobody, "shop: 0 open runs, 0 of them looked at\n");
    }

    #[test]
    fn a_run_that_has_ended_says_nothing_about_the_code() {
        let mut summary = SweepSummary { safe: true, ..SweepSummary::default() };
        summary.count(&run("a", "order", "ended", None));
        summary.count(&run("b", "order", "compatible", None));
        assert!(summary.safe);
        summary.count(&run("c", "order", "unavailable", None));
        assert!(!summary.safe, "what could not be tried is not known to be safe");
    }
}
