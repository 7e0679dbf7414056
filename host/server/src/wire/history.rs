//! A run's history on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payload::Json;

/// The name of the last event in a stream of a history.
pub const END: &str = "end";
/// The name of the events in a stream of a history that are no part of it: [`ActivityHeartbeat`]s.
///
/// [`ActivityHeartbeat`]: super::ActivityHeartbeat
pub const HEARTBEAT: &str = "heartbeat";

/// A piece of a run's history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HistoryPage {
    /// Whose history it is.
    pub run_id: String,
    /// The events, oldest first.
    pub events: Vec<HistoryEvent>,
    /// The run has ended, and these events reach to its end.
    pub closed: bool,
}

/// One event of a history.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HistoryEvent {
    /// Its number in this history, from 1.
    pub number: u64,
    /// The step that it belongs to.
    pub step: u64,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Which life of the host recorded it: counted up at each start of the host on its data directory.
    pub boot: u64,
    /// What happened, such as `activity-scheduled`.
    #[serde(rename = "type")]
    #[schema(example = "activity-scheduled")]
    pub event_type: String,
    /// More about it; which fields there are depends on the type. Payloads follow the rule of all payloads.
    #[schema(value_type = Object)]
    pub attributes: Json,
}
