//! What became of each scenario: all that fail are told of, and what passes is written down for who makes a table.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use crate::component::Tongue;

/// Names a directory for files `rust.txt`, `python.txt`, ... with a line for each scenario: round, scenario, `passed` or
/// `failed`.
const REPORT: &str = "REFRAIN_SUITE_REPORT";

/// The report of one round of a language.
#[derive(Debug)]
pub(crate) struct Report {
    tongue: Tongue,
    round: &'static str,
    failures: Vec<String>,
}

impl Report {
    pub(crate) fn new(tongue: Tongue, round: &'static str) -> Self {
        Self { tongue, round, failures: Vec::new() }
    }

    /// Takes down how a scenario ended.
    pub(crate) fn passed<T>(&mut self, scenario: &str, outcome: &Result<T>) {
        if let Err(failure) = outcome {
            self.failures.push(format!("{scenario}: {failure:#}"));
        }
        let verdict = if outcome.is_ok() { "passed" } else { "failed" };
        if let Err(error) = self.write(scenario, verdict) {
            self.failures.push(format!("cannot write the report: {error:#}"));
        }
    }

    fn write(&self, scenario: &str, verdict: &str) -> Result<()> {
        let Some(dir) = env::var_os(REPORT).map(PathBuf::from) else { return Ok(()) };
        fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{}.txt", self.tongue.name()));
        let mut file = File::options().create(true).append(true).open(path)?;
        Ok(file.write_all(format!("{} {scenario} {verdict}\n", self.round).as_bytes())?)
    }

    /// Does everything at once. What ended well; what did not, the report has.
    pub(crate) async fn together<T, F>(
        &mut self,
        tasks: impl IntoIterator<Item = (&'static str, F)>,
    ) -> Result<Vec<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let named = tasks.into_iter().map(|(scenario, task)| async move { (scenario, task.await) });
        let mut set: JoinSet<_> = named.collect();
        let mut done = Vec::new();
        while let Some(task) = set.join_next().await {
            match task? {
                (_, Ok(value)) => done.push(value),
                (scenario, failed) => self.passed(scenario, &failed),
            }
        }
        Ok(done)
    }

    /// As [`together`](Self::together), for what passes when it ends well.
    pub(crate) async fn passed_all<F>(
        &mut self,
        tasks: impl IntoIterator<Item = (&'static str, F)>,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let named = tasks.into_iter().map(|(scenario, task)| {
            (scenario, async move {
                task.await?;
                Ok(scenario)
            })
        });
        for scenario in self.together(named).await? {
            self.passed(scenario, &Ok(()));
        }
        Ok(())
    }

    /// Fails with all that failed.
    pub(crate) fn end(mut self) -> Result<()> {
        if self.failures.is_empty() {
            return Ok(());
        }
        self.failures.sort();
        bail!("{} {} scenarios fail:\n{}", self.failures.len(), self.round, self.failures.join("\n"))
    }
}
