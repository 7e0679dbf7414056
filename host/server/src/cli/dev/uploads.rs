//! What a build made goes to the host, and the runs of the versions before are tried with it.

use std::path::Path;

use super::report::{News, Report};
use crate::client::{Client, ClientError, LineStream};
use crate::render::sweep;
use crate::wire::{CheckRequest, MoveRunsRequest, SweepBegun, SweepLine, SweepSummary};

/// The code of the problem that there is no component of a name.
const NOT_FOUND: &str = "not-found";

/// Uploads one component again and again.
pub(super) struct Uploads<'a> {
    pub(super) client: &'a Client,
    pub(super) report: &'a Report,
    /// The component's name.
    pub(super) name: &'a str,
    /// Whether runs are moved to a new version where that replays them.
    pub(super) move_running: bool,
    /// The version that new runs get.
    current: Option<u32>,
}

impl<'a> Uploads<'a> {
    /// # Errors
    /// When the host does not say which versions it has.
    pub(super) async fn new(
        client: &'a Client,
        report: &'a Report,
        name: &'a str,
        move_running: bool,
    ) -> Result<Self, ClientError> {
        let current = match client.versions(name).await {
            Ok(versions) => Some(versions.value.current),
            Err(ClientError::Refused(problem)) if problem.code == NOT_FOUND => None,
            Err(error) => return Err(error),
        };
        Ok(Self { client, report, name, move_running, current })
    }

    /// The build went wrong, for this reason.
    pub(super) fn build_failed(&self, reason: String) {
        self.report.tell(&News::BuildFailed { reason, current_version: self.current });
    }

    /// Uploads what was built, and looks at the open runs. What goes wrong is said, and a later build is another try.
    pub(super) async fn push(&mut self, component: &Path) {
        let bytes = match tokio::fs::read(component).await {
            Ok(bytes) => bytes,
            Err(error) => {
                let component = component.display();
                return self.build_failed(format!(
                    "it ended well, and {component} cannot be read ({error}): `component` of refrain.toml names what \
                     the build makes"
                ));
            }
        };
        let uploaded = match self.client.put_component(self.name, bytes).await {
            Ok(answer) => answer.value,
            Err(error) => return self.refused(&error),
        };
        let version = uploaded.version;
        self.current = Some(version);
        if !uploaded.created {
            return self.report.tell(&News::Unchanged { current_version: version });
        }
        self.report.tell(&News::Pushed(&uploaded));
        if version == 1 {
            return;
        }
        if let Err(error) = self.try_open_runs(version).await {
            self.report.note(&format!("the open runs could not be tried with version {version}: {error}"));
        }
    }

    fn refused(&self, error: &ClientError) {
        let (message, hint) = (error.to_string(), error.hint().to_owned());
        self.report.tell(&News::Refused { message, hint, current_version: self.current });
    }

    async fn try_open_runs(&self, version: u32) -> Result<(), ClientError> {
        if self.move_running {
            let reason = format!("version {version} was built");
            let request = MoveRunsRequest { to_version: version, reason, ..MoveRunsRequest::default() };
            let (summary, details) = self.follow(self.client.move_runs(self.name, &request).await?).await?;
            let SweepSummary { safe, verdicts, .. } = &summary;
            if summary.looked_at > 0 {
                self.report.tell(&News::Moved { version, safe: *safe, verdicts, details: &details });
            }
            return Ok(());
        }
        let lines = self.client.check_version(self.name, version, &CheckRequest::default()).await?;
        let (summary, details) = self.follow(lines).await?;
        let SweepSummary { safe, verdicts, .. } = &summary;
        if summary.looked_at > 0 {
            self.report.tell(&News::Checked { version, safe: *safe, verdicts, details: &details });
        }
        if summary.moved() > 0 {
            let name = self.name;
            self.report.note(&format!("to move runs: refrain component move {name} --to {version}"));
        }
        Ok(())
    }

    /// Follows a sweep over the open runs to its end.
    async fn follow(&self, mut lines: LineStream) -> Result<(SweepSummary, String), ClientError> {
        let (mut begun, mut runs) = (SweepBegun::default(), sweep::Report::default());
        loop {
            let Some((line, _)) = lines.next().await? else { return Err(lines.cut_off()) };
            match line {
                SweepLine::Begun(first) => begun = first,
                SweepLine::Run(run) => runs.add(*run, None),
                SweepLine::Progress(_) => {}
                SweepLine::Summary(summary) => {
                    let details = runs.text(&sweep::headline(self.name, &begun), &summary);
                    return Ok((summary, details));
                }
                SweepLine::Failed { problem } => return Err(ClientError::Refused(problem)),
            }
        }
    }
}
