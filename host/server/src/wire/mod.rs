//! The JSON of the HTTP API: one Rust type for each body, used by the host, by the client of the command line, and
//! for the OpenAPI document.
//!
//! Nothing here knows the engine or axum; `api::convert` translates. Three rules hold everywhere:
//!
//! * Names of fields are snake_case, names of kinds and states kebab-case, times RFC 3339.
//! * A request with a field that is not listed is refused; a reader of answers takes no offence at new fields.
//! * **Payloads.** A value whose content type is `application/json` stands in the field `input` (`result`, `details`,
//!   ...) as it is, byte for byte. Any other value stands in the field of the same name with `_payload` appended, as
//!   [`EncodedPayload`]. So the two are told apart by the field's name, never by looking into the value.

mod activity;
mod component;
mod history;
mod lifecycle;
mod payload;
mod problem;
mod query;
mod reset;
mod task_queue;
mod update;
mod version;
mod workflow;

pub use activity::{
    ActivityCause, ActivityFailure, ActivityHeartbeat, CancelActivity, CancelTask, CompleteActivity,
    CompleteTask, Done, FailActivity, FailTask, HeartbeatActivity, HeartbeatAnswer, HeartbeatTask,
    PauseActivity, PendingTask, ResetActivity, RetryUpdate, UnpauseActivity, UpdateActivityOptions,
};
pub use component::{
    ComponentDetail, ComponentList, ComponentSummary, ComponentVersion, MessageDefinition, UploadedComponent,
    WorkflowDefinition,
};
pub use history::{END, HEARTBEAT, HistoryEvent, HistoryPage};
pub use lifecycle::{Deleted, IdConflictPolicy, IdReusePolicy, PauseRequest, RetryPolicy, UnpauseRequest};
pub use payload::{Cause, EncodedPayload, Failure, Json};
pub use problem::Problem;
pub use query::{Consistency, QueryRequest, QueryResult};
pub use reset::{ActivityOutcome, ForkWorkflow, ForkedRun, ResetChildren, ResetWorkflow};
pub use task_queue::{
    ActivityTask, PollRequest, Poller, QueueLimits, QueuedActivity, TaskQueueInfo, TaskQueueList,
};
pub use update::{PendingUpdate, StartUpdate, UpdateRequest, UpdateResult, UpdateStage, WaitForStage};
pub use version::{
    ActivateRequest, CheckRequest, ENDED, JudgedRun, MoveRequest, MoveRunsRequest, MovedRun, SweepBegun,
    SweepLine, SweepProgress, SweepSummary, VersionList, VersionSummary,
};
pub use workflow::{
    CancelRequest, Description, Difference, ExecutionRef, MISSED, Memo, Mismatch, Parked, Paused,
    PendingActivity, PendingChild, PendingTimer, RUN, ResumeRequest, RunResult, RunSummary, SignalRequest,
    StartRequest, StartedRun, Status, TerminateRequest, WorkflowList,
};
