//! The answer of who checks or moves the open runs of a component: JSON lines, as the runs are looked at.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use refrain_runtime::{self as runtime, SweepEvent, Verdict};
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use super::code::Held;
use super::judged::judged;
use super::problem::{Kind, Refusal};
use super::{Host, convert};
use crate::wire::{SweepBegun, SweepLine, SweepProgress, SweepSummary};

/// The media type of JSON lines.
pub(super) const JSON_LINES: &str = "application/x-ndjson";

/// How long nothing is said at most. A replay that takes long is not mistaken for a host that is gone.
const PROGRESS: Duration = Duration::from_secs(5);

/// A sweep whose lines are being written.
struct Sweep {
    host: Host,
    events: Receiver<SweepEvent>,
    /// Whether the runs are moved, and not only checked.
    moves: bool,
    selected: u64,
    summary: SweepSummary,
    /// The code that is checked, while it is.
    held: Option<Held>,
}

/// The lines of a sweep.
pub(super) fn lines(host: Host, events: Receiver<SweepEvent>, moves: bool, held: Option<Held>) -> Response {
    let summary = SweepSummary { safe: true, ..SweepSummary::default() };
    let sweep = Sweep { host, events, moves, selected: 0, summary, held };
    let lines = stream::unfold(Some(sweep), |sweep| async move {
        let mut sweep = sweep?;
        let line = sweep.next().await;
        let is_last = match &line {
            SweepLine::Summary(_) | SweepLine::Failed { .. } => true,
            SweepLine::Begun(_) | SweepLine::Run(_) | SweepLine::Progress(_) => false,
        };
        if is_last && let Some(held) = sweep.held.take() {
            // Before the last line: who has read it finds nothing left of what was checked.
            held.let_go().await;
        }
        let mut text = serde_json::to_vec(&line).unwrap_or_default();
        text.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(text)), Some(sweep).filter(|_| !is_last)))
    });
    ([(CONTENT_TYPE, JSON_LINES)], Body::from_stream(lines)).into_response()
}

impl Sweep {
    async fn next(&mut self) -> SweepLine {
        let event = tokio::select! {
            event = self.events.recv() => event.unwrap_or(SweepEvent::Failed(runtime::Error::ShuttingDown)),
            () = self.host.closed() => SweepEvent::Failed(runtime::Error::ShuttingDown),
            () = sleep(PROGRESS) => {
                let (looked_at, selected) = (self.summary.looked_at, self.selected);
                return SweepLine::Progress(SweepProgress { looked_at, selected });
            }
        };
        match event {
            SweepEvent::Begun { open_runs, selected } => {
                self.selected = selected;
                SweepLine::Begun(SweepBegun { open_runs, selected })
            }
            SweepEvent::Run(run) => {
                let run = judged(*run, self.moves);
                self.summary.count(&run);
                SweepLine::Run(Box::new(run))
            }
            SweepEvent::Done => SweepLine::Summary(std::mem::take(&mut self.summary)),
            SweepEvent::Failed(error) => SweepLine::Failed { problem: Box::new(Refusal::from(error).into()) },
        }
    }
}

/// Refuses a move that would not replay, with what differs.
pub(super) fn diverges(detail: String, hint: String, verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Unavailable(_) => Refusal::new(Kind::Busy, detail, hint),
        Verdict::Diverged(mismatch) | Verdict::Trapped { mismatch: Some(mismatch), .. } => {
            Refusal::new(Kind::Diverges, detail, hint).with_mismatch(convert::mismatch(*mismatch))
        }
        Verdict::Trapped { mismatch: None, .. }
        | Verdict::Budget(_)
        | Verdict::Identical
        | Verdict::Compatible
        | Verdict::Ended => Refusal::new(Kind::Diverges, detail, hint),
    }
}
