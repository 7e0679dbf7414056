//! The HTTP API: [`app`] makes a router of a running host, with or without a socket.
//!
//! | module | concept |
//! |---|---|
//! | [`guard`] | who may ask |
//! | [`extract`] | what handlers take out of requests, and how requests are refused |
//! | [`problem`] | how refusals are answered |
//! | `components`, `workflows`, `history`, `export`, `health` | the routes |
//! | `changes`, `sse` | runs as they change, and how streams of events are answered |
//! | `versions`, `sweeps` | the routes of versions, and of who checks or moves the runs of one |
//! | `code` | code that is stored, and who works with it |
//! | `activities`, `activity_controls`, `task_queues` | the routes of workers, of operators, and of who watches both |
//! | `convert`, `events`, `judged` | between the runtime's types and JSON |
//! | [`openapi`] | the document of the routes |

mod activities;
mod activity_controls;
mod changes;
mod code;
mod components;
pub(crate) mod convert;
mod events;
mod export;
pub mod extract;
pub mod guard;
mod health;
mod history;
pub(crate) mod judged;
mod lifecycle;
pub mod openapi;
pub mod problem;
mod queries;
mod reset;
mod sse;
mod sweeps;
mod task_queues;
#[cfg(test)]
mod tests;
mod updates;
mod versions;
mod workflows;

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use refrain_engine::ids::Namespace;
use refrain_runtime::Runtime;
use refrain_sandbox::Sandbox;
use refrain_store::Blobs;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::code::Holders;
use self::guard::Access;
use self::problem::{Kind, Refusal};

pub use extract::{LENGTH_FORM, MAX_WAIT};
pub use health::Healthy;

/// Uploads that are inspected at a time; more of them wait. Each one holds its compiler's memory.
const UPLOADS: usize = 2;
/// Uploads whose bytes are in memory, or come in, at a time; more of them wait. It is larger than [`UPLOADS`], so that
/// clients that send slowly do not keep others from it, and bounds the memory of bodies to that many components.
const UPLOAD_BODIES: usize = 8;

/// Where the routes of one namespace are found.
pub(crate) const NAMESPACED: &str = "/v1/namespaces/{namespace}";

/// What the API serves: the parts of a running host.
#[derive(Clone)]
pub struct Host(Arc<Parts>);

struct Parts {
    runtime: Runtime,
    sandbox: Sandbox,
    blobs: Arc<Blobs>,
    settings: Settings,
    uploads: Semaphore,
    upload_bodies: Semaphore,
    closing: CancellationToken,
    holders: Holders,
}

/// What the API needs to know of the configuration and of the host's plugins.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespaces there are.
    pub namespaces: Vec<Namespace>,
    /// The largest component, in bytes.
    pub max_upload_bytes: usize,
    /// The activity types of this host's plugins.
    pub activities: BTreeSet<String>,
    /// Who may ask.
    pub access: Access,
}

impl Host {
    /// A host of these parts.
    pub fn new(runtime: Runtime, sandbox: Sandbox, blobs: Arc<Blobs>, settings: Settings) -> Self {
        let (uploads, upload_bodies) = (Semaphore::new(UPLOADS), Semaphore::new(UPLOAD_BODIES));
        let closing = CancellationToken::new();
        let holders = Holders::default();
        Self(Arc::new(Parts { runtime, sandbox, blobs, settings, uploads, upload_bodies, closing, holders }))
    }

    /// Ends what waits: long polls are answered as things stand, streams end. New requests are still answered.
    pub fn close(&self) {
        self.0.closing.cancel();
    }

    /// Resolves when the host begins to go down.
    pub async fn closed(&self) {
        self.0.closing.cancelled().await;
    }

    fn is_closing(&self) -> bool {
        self.0.closing.is_cancelled()
    }

    /// What a future says, unless the host begins to go down before it does.
    async fn while_open<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.closing.run_until_cancelled(future).await
    }

    fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    fn sandbox(&self) -> &Sandbox {
        &self.0.sandbox
    }

    fn blobs(&self) -> &Arc<Blobs> {
        &self.0.blobs
    }

    fn holders(&self) -> &Holders {
        &self.0.holders
    }

    fn namespaces(&self) -> &[Namespace] {
        &self.0.settings.namespaces
    }

    fn max_upload_bytes(&self) -> usize {
        self.0.settings.max_upload_bytes
    }

    fn activities(&self) -> &BTreeSet<String> {
        &self.0.settings.activities
    }

    fn access(&self) -> &Access {
        &self.0.settings.access
    }

    fn uploads(&self) -> &Semaphore {
        &self.0.uploads
    }

    fn upload_bodies(&self) -> &Semaphore {
        &self.0.upload_bodies
    }
}

/// All routes, with their documentation. There is no other place where one is made.
fn routes() -> OpenApiRouter<Host> {
    let namespaced = OpenApiRouter::new()
        .routes(routes!(components::list_components))
        .routes(routes!(components::get_component, components::put_component))
        .routes(routes!(components::get_component_version, versions::delete_version))
        .routes(routes!(components::get_component_code))
        .routes(routes!(versions::list_versions))
        .routes(routes!(versions::activate_version))
        .routes(routes!(versions::check_version))
        .routes(routes!(versions::check_component))
        .routes(routes!(versions::move_component))
        .routes(routes!(versions::move_workflow))
        .routes(routes!(workflows::list_workflows, workflows::start_workflow))
        .routes(routes!(workflows::describe_workflow, lifecycle::delete_workflow))
        .routes(routes!(workflows::workflow_result))
        .routes(routes!(history::workflow_history))
        .routes(routes!(export::export_workflow))
        .routes(routes!(workflows::signal_workflow))
        .routes(routes!(queries::query_workflow))
        .routes(routes!(updates::update_workflow, updates::update_progress))
        .routes(routes!(workflows::cancel_workflow))
        .routes(routes!(workflows::terminate_workflow))
        .routes(routes!(workflows::resume_workflow))
        .routes(routes!(lifecycle::pause_workflow))
        .routes(routes!(lifecycle::unpause_workflow))
        .routes(routes!(reset::reset_workflow))
        .routes(routes!(reset::fork_workflow))
        .routes(routes!(task_queues::list_task_queues))
        .routes(routes!(task_queues::get_task_queue))
        .routes(routes!(activities::poll_task_queue))
        .routes(routes!(activities::complete_task))
        .routes(routes!(activities::fail_task))
        .routes(routes!(activities::cancel_task))
        .routes(routes!(activities::pending_task))
        .routes(routes!(activities::heartbeat_task))
        .routes(routes!(activity_controls::complete_activity))
        .routes(routes!(activity_controls::fail_activity))
        .routes(routes!(activity_controls::cancel_activity))
        .routes(routes!(activity_controls::heartbeat_activity))
        .routes(routes!(activity_controls::pause_activity))
        .routes(routes!(activity_controls::unpause_activity))
        .routes(routes!(activity_controls::reset_activity))
        .routes(routes!(activity_controls::update_activity_options));
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .nest("/v1", namespaced.clone())
        .nest(NAMESPACED, namespaced)
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::openapi_json))
}

/// The API of a host.
pub fn app(host: Host) -> Router {
    let (router, _) = routes().split_for_parts();
    around(router, host)
}

/// What holds for every route.
fn around(router: Router<Host>, host: Host) -> Router {
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(host.clone(), guard::guard))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| panicked(&*panic)))
        .layer(TraceLayer::new_for_http().make_span_with(request_span))
        .with_state(host)
}

fn request_span(request: &Request) -> tracing::Span {
    tracing::info_span!("request", method = %request.method(), path = %request.uri().path())
}

async fn unknown_route(request: Request) -> Refusal {
    let detail = format!("there is no path {}", request.uri().path());
    Refusal::new(Kind::UnknownRoute, detail, "see /openapi.json; a slash within an id is written %2F")
}

async fn method_not_allowed(request: Request) -> Refusal {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    Refusal::new(Kind::MethodNotAllowed, detail, "the header `allow` and /openapi.json list what it takes")
}

/// A panic is held to its request.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Refusal::internal(format_args!("a request panicked: {message}")).into_response()
}
