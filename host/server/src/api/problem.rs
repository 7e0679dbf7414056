//! How a refusal becomes an answer: problem details with a stable type, a status and a hint.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use refrain_engine::failure::Failure;
use refrain_engine::ids::RunId;
use refrain_engine::run::{NOT_HANDLED, NOT_SERVED, TRIED_TO_CHANGE};
use refrain_runtime::Error;

use super::{convert, sweeps};
use crate::suggest::{nearest, nearest_listed};
use crate::wire::{Mismatch, Problem};

/// The media type of problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which a refusal that passes by itself is worth another try.
const RETRY_AFTER: &str = "1";
/// The same for a task queue without room: tasks are made faster than they are done, and a second frees little.
const QUEUE_FULL_RETRY_AFTER: &str = "5";

/// Every kind of problem the API has. Their names are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A field, a parameter or a header has a value that does not do.
    Invalid,
    /// The body is not JSON, or not all of it arrived.
    MalformedBody,
    /// The API key is absent or wrong.
    Unauthorized,
    /// The `Host` header names someone else.
    ForeignHost,
    /// A web page of another origin asked.
    ForeignOrigin,
    /// What the path names is not there.
    NotFound,
    /// There is no such path.
    UnknownRoute,
    /// There is no such namespace.
    UnknownNamespace,
    /// No component defines the workflow type.
    UnknownWorkflow,
    /// The path has other methods.
    MethodNotAllowed,
    /// The execution is running already.
    AlreadyRunning,
    /// The execution has run, and its id may not be used again.
    AlreadyRan,
    /// The run has not ended.
    NotClosed,
    /// Open runs need the version.
    VersionInUse,
    /// New runs get the version.
    CurrentVersion,
    /// The code would not replay the run.
    Diverges,
    /// The run has no move that could be undone.
    NothingToUndo,
    /// Several components define the workflow type.
    Ambiguous,
    /// The run is over.
    Closed,
    /// Nobody waits for the attempt any more.
    StaleTask,
    /// Something exceeds a limit.
    TooLarge,
    /// The body has another content type.
    UnsupportedMediaType,
    /// The upload is no component that this host can run.
    InvalidComponent,
    /// Too much at once.
    Busy,
    /// A task queue has no room.
    QueueFull,
    /// The run takes no queries where it stands.
    NotServed,
    /// The workflow's code left a query without an answer.
    NotHandled,
    /// Answering the query would have changed the run.
    QueryTriedToChange,
    /// The workflow's code failed the query, or could not go on.
    QueryFailed,
    /// The host failed.
    Internal,
    /// The host is going down.
    Unavailable,
    /// The disk is full.
    Full,
}

impl Kind {
    /// The last part of the type's URN, the title, and the status.
    fn describe(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::Invalid => ("invalid", "The request is not valid", StatusCode::BAD_REQUEST),
            Self::MalformedBody => ("malformed-body", "The body cannot be read", StatusCode::BAD_REQUEST),
            Self::Unauthorized => {
                ("unauthorized", "The API key is missing or wrong", StatusCode::UNAUTHORIZED)
            }
            Self::ForeignHost => ("foreign-host", "The Host header is not allowed", StatusCode::FORBIDDEN),
            Self::ForeignOrigin => ("foreign-origin", "The Origin is not allowed", StatusCode::FORBIDDEN),
            Self::NotFound => ("not-found", "There is no such thing", StatusCode::NOT_FOUND),
            Self::UnknownRoute => ("unknown-route", "There is no such path", StatusCode::NOT_FOUND),
            Self::UnknownNamespace => {
                ("unknown-namespace", "There is no such namespace", StatusCode::NOT_FOUND)
            }
            Self::UnknownWorkflow => {
                ("unknown-workflow", "There is no such workflow type", StatusCode::NOT_FOUND)
            }
            Self::MethodNotAllowed => {
                ("method-not-allowed", "The path has no such method", StatusCode::METHOD_NOT_ALLOWED)
            }
            Self::AlreadyRunning => {
                ("already-running", "The execution is running already", StatusCode::CONFLICT)
            }
            Self::AlreadyRan => ("already-ran", "The execution has run already", StatusCode::CONFLICT),
            Self::NotClosed => ("not-closed", "The run has not ended", StatusCode::CONFLICT),
            Self::VersionInUse => ("version-in-use", "Open runs need the version", StatusCode::CONFLICT),
            Self::CurrentVersion => {
                ("current-version", "The version is the current one", StatusCode::CONFLICT)
            }
            Self::Diverges => ("diverges", "The code would not replay the run", StatusCode::CONFLICT),
            Self::NothingToUndo => ("nothing-to-undo", "There is no move to undo", StatusCode::CONFLICT),
            Self::Ambiguous => {
                ("ambiguous", "Several components define the workflow type", StatusCode::CONFLICT)
            }
            Self::Closed => ("closed", "The run is over", StatusCode::CONFLICT),
            Self::StaleTask => ("stale-task", "Nobody waits for this attempt any more", StatusCode::CONFLICT),
            Self::TooLarge => ("too-large", "It is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                "The content type is not supported",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            Self::InvalidComponent => {
                ("invalid-component", "The component cannot be run here", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::Busy => ("busy", "Too much at once", StatusCode::TOO_MANY_REQUESTS),
            Self::QueueFull => ("queue-full", "The task queue has no room", StatusCode::TOO_MANY_REQUESTS),
            Self::NotServed => {
                ("not-served", "The run takes no queries where it stands", StatusCode::CONFLICT)
            }
            Self::NotHandled => {
                ("not-handled", "The workflow did not answer the query", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::QueryTriedToChange => (
                "query-tried-to-change",
                "The query would have changed the run",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            Self::QueryFailed => ("query-failed", "The query failed", StatusCode::UNPROCESSABLE_ENTITY),
            Self::Internal => ("internal", "The host failed", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unavailable => {
                ("unavailable", "The host is not available", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Full => ("full", "The host is out of space", StatusCode::INSUFFICIENT_STORAGE),
        }
    }
}

/// Why a request is refused. Its answer is a [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: Kind,
    detail: String,
    hint: String,
    field: Option<String>,
    run_id: Option<RunId>,
    failure: Option<Box<Failure>>,
    mismatch: Option<Box<Mismatch>>,
}

impl Refusal {
    /// A refusal of a kind: what went wrong, and what to do about it.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        let (detail, hint) = (detail.into(), hint.into());
        Self { kind, detail, hint, field: None, run_id: None, failure: None, mismatch: None }
    }

    /// A value that does not do.
    pub(crate) fn invalid(
        field: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(Kind::Invalid, detail, hint).about(field)
    }

    /// The host's own failure; what it was is for the log.
    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        tracing::error!("internal error: {what}");
        Self::new(
            Kind::Internal,
            "an internal error happened; the host's log says more",
            "try again; report it if it stays",
        )
    }

    /// Says where the code differs from the journal.
    pub(crate) fn with_mismatch(mut self, mismatch: Mismatch) -> Self {
        self.mismatch = Some(Box::new(mismatch));
        self
    }

    /// Names the field that is to blame.
    pub(crate) fn about(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// What serde says of the field at a path, with a hint.
    pub(crate) fn from_serde(path: &str, message: &str) -> Self {
        let hint = match nearest_listed(message) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "see /openapi.json for the fields and their types".to_owned(),
        };
        let quoted = message.split('`').nth(1).unwrap_or_default();
        // The path of an unknown field ends with it; the path of a missing one is that of what lacks it.
        let (detail, field) = match message {
            _ if message.starts_with("unknown field") => (message.to_owned(), path.to_owned()),
            _ if message.starts_with("missing field") && path == "." => {
                (message.to_owned(), quoted.to_owned())
            }
            _ if message.starts_with("missing field") => {
                (format!("{path}: {message}"), format!("{path}.{quoted}"))
            }
            _ => (format!("{path}: {message}"), path.to_owned()),
        };
        Self::new(Kind::Invalid, detail, hint).about(field)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (slug, title, status) = refusal.kind.describe();
        Self {
            problem_type: format!("urn:refrain:problem:{slug}"),
            code: slug.to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: refusal.detail,
            hint: refusal.hint,
            field: refusal.field,
            run_id: refusal.run_id.map(|id| id.to_string()),
            failure: refusal.failure.map(|failure| Box::new(convert::failure(&failure))),
            mismatch: refusal.mismatch,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let kind = self.kind;
        let (_, _, status) = kind.describe();
        // Strings and numbers always serialise.
        let body = serde_json::to_string(&Problem::from(self)).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        let (name, value) = match kind {
            Kind::Unauthorized => (header::WWW_AUTHENTICATE, "Bearer"),
            Kind::Busy | Kind::Unavailable => (header::RETRY_AFTER, RETRY_AFTER),
            Kind::QueueFull => (header::RETRY_AFTER, QUEUE_FULL_RETRY_AFTER),
            _ => return response,
        };
        headers.insert(name, HeaderValue::from_static(value));
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (detail, mut hint) = (error.to_string(), error.hint().to_owned());
        if let Error::UnknownWorkflow { workflow, known } = &error
            && let Some(near) = nearest(workflow, known.iter().map(String::as_str))
        {
            hint = format!("did you mean `{near}`?");
        }
        if let Error::Diverges { run_id, verdict, .. } = error {
            return Self { run_id: Some(run_id), ..sweeps::diverges(detail, hint, *verdict) };
        }
        let kind = match &error {
            Error::NotFound { .. } => Kind::NotFound,
            Error::AlreadyRunning { .. } => Kind::AlreadyRunning,
            Error::AlreadyRan { .. } => Kind::AlreadyRan,
            Error::NotClosed { .. } => Kind::NotClosed,
            Error::VersionInUse { .. } => Kind::VersionInUse,
            Error::CurrentVersion { .. } => Kind::CurrentVersion,
            Error::Diverges { .. } => Kind::Diverges,
            Error::NothingToUndo { .. } => Kind::NothingToUndo,
            Error::Ambiguous { .. } => Kind::Ambiguous,
            Error::UnknownWorkflow { .. } => Kind::UnknownWorkflow,
            Error::Closed { .. } => Kind::Closed,
            Error::Invalid { .. } => Kind::Invalid,
            Error::TooLarge { .. } => Kind::TooLarge,
            Error::Stale { .. } => Kind::StaleTask,
            Error::Busy { .. }
            | Error::NotNow { .. }
            | Error::QueryBusy { .. }
            | Error::UpdateBusy { .. }
            | Error::SweepBusy { .. } => Kind::Busy,
            Error::Query { failure } => of_query(failure),
            Error::QueueFull { .. } => Kind::QueueFull,
            Error::Full => Kind::Full,
            Error::ShuttingDown | Error::Changing { .. } | Error::Poisoned(_) => Kind::Unavailable,
            Error::Internal(what) => return Self::internal(what),
        };
        let mut refusal = Self::new(kind, detail, hint);
        match error {
            Error::Invalid { field, .. } => refusal.field = Some(field),
            Error::AlreadyRunning { run_id, .. }
            | Error::AlreadyRan { run_id, .. }
            | Error::NotClosed { run_id, .. }
            | Error::NothingToUndo { run_id, .. }
            | Error::Closed { run_id, .. } => {
                refusal.run_id = Some(run_id);
            }
            Error::Query { failure } => refusal.failure = Some(failure),
            _ => {}
        }
        refusal
    }
}

fn of_query(failure: &Failure) -> Kind {
    match failure.error_type.as_str() {
        NOT_SERVED => Kind::NotServed,
        NOT_HANDLED => Kind::NotHandled,
        TRIED_TO_CHANGE => Kind::QueryTriedToChange,
        _ => Kind::QueryFailed,
    }
}
