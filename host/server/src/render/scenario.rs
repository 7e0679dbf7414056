//! What became of scenarios, as test runners tell it.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::scenario::suite::Report;

/// What is said of scenarios, one after the other.
#[derive(Debug, Default)]
pub struct Tally {
    file: Option<PathBuf>,
    passed: u64,
    failed: u64,
    blessed: u64,
    crashes: u64,
}

impl Tally {
    /// The lines of the next one.
    pub fn report(&mut self, report: &Report) -> String {
        let mut text = String::new();
        if self.file.as_ref() != Some(&report.path) {
            let between = if self.file.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{between}{}", report.path.display());
            self.file = Some(report.path.clone());
        }
        self.crashes += report.crashes;
        self.blessed += u64::from(report.blessed);
        let took = format!("{} in {}", refrain_testkit::length(report.virtual_time), real(report.real_time));
        let crashes = match report.crashes {
            0 => String::new(),
            crashes => format!(", killed {crashes} times"),
        };
        let blessed = if report.blessed { ", its history is accepted" } else { "" };
        if report.unexpected.is_empty() {
            self.passed += 1;
            let _ = writeln!(text, "  ok    {} ({took}{crashes}{blessed})", report.name);
        } else {
            self.failed += 1;
            let _ = writeln!(text, "  FAIL  {} ({took}{crashes}{blessed})", report.name);
            text.push_str(&details(report));
        }
        text
    }

    /// The last line.
    pub fn summary(&self, took: Duration) -> String {
        let mut text = format!("{} passed, {} failed", self.passed, self.failed);
        if self.blessed > 0 {
            let histories = if self.blessed == 1 { "history" } else { "histories" };
            let _ = write!(text, ", {} {histories} accepted", self.blessed);
        }
        if self.crashes > 0 {
            let _ = write!(text, ", hosts killed {} times", self.crashes);
        }
        let _ = write!(text, ", in {}", real(took));
        text
    }

    /// How many did not pass.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// How many there were.
    pub fn all(&self) -> u64 {
        self.passed + self.failed
    }
}

/// What was not as expected, and what may be why.
pub fn details(report: &Report) -> String {
    let mut text = String::new();
    for unexpected in &report.unexpected {
        let _ = writeln!(text, "        {}", unexpected.what);
        for line in unexpected.details.lines() {
            let _ = writeln!(text, "          {line}");
        }
    }
    for remark in &report.remarks {
        let _ = writeln!(text, "        remark\n          {remark}");
    }
    text
}

fn real(time: Duration) -> String {
    match time.as_millis() {
        millis @ ..1_000 => format!("{millis} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::scenario::suite::Unexpected;

    #[test]
    fn scenarios_are_told_by_file_and_what_failed_with_its_difference() {
        let report = |name: &str, unexpected: Vec<Unexpected>| Report {
            path: PathBuf::from("scenarios/order.toml"),
            name: name.to_owned(),
            remarks: unexpected.iter().map(|_| "nobody signaled".to_owned()).collect(),
            unexpected,
            virtual_time: Duration::from_secs(3 * 86_400),
            real_time: Duration::from_millis(12),
            crashes: 40,
            blessed: false,
        };
        let wrong = Unexpected { what: "result".to_owned(), details: "- \"paid\"\n+ \"refused\"".to_owned() };
        let mut tally = Tally::default();
        let mut text = tally.report(&report("is paid", Vec::new()));
        text.push_str(&tally.report(&report("is refused", vec![wrong])));
        text.push_str(&tally.summary(Duration::from_millis(1_500)));
        expect![[r#"
            scenarios/order.toml
              ok    is paid (3d in 12 ms, killed 40 times)
              FAIL  is refused (3d in 12 ms, killed 40 times)
                    result
                      - "paid"
                      + "refused"
                    remark
                      nobody signaled
            1 passed, 1 failed, hosts killed 80 times, in 1.5 s"#]]
        .assert_eq(&text);
    }
}
