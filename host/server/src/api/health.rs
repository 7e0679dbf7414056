//! Whether the host lives, whether it takes work, and what it can be asked.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use refrain_runtime::Health;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{Kind, Refusal};
use super::{Host, openapi};
use crate::wire::Problem;

/// That all is well.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Healthy {
    /// `ok`.
    pub status: String,
    /// The host's version.
    pub version: String,
}

impl Healthy {
    fn now() -> Json<Self> {
        Json(Self { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
    }
}

/// Whether the process answers
#[utoipa::path(
    get, path = "/healthz", tag = "host",
    responses((status = 200, description = "It does", body = Healthy))
)]
pub(super) async fn healthz() -> Json<Healthy> {
    Healthy::now()
}

/// Whether the host takes work
#[utoipa::path(
    get, path = "/readyz", tag = "host",
    responses(
        (status = 200, description = "It does", body = Healthy),
        (status = 503, description = "It is going down, or its store failed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn readyz(State(host): State<Host>) -> Result<Json<Healthy>, Refusal> {
    match host.runtime().health() {
        Health::Ready if !host.is_closing() => Ok(Healthy::now()),
        Health::Poisoned(why) => Err(Refusal::new(
            Kind::Unavailable,
            format!("the store failed: {why}"),
            "see to the disk and start the host again; nothing that was acknowledged is lost",
        )),
        Health::Ready | Health::ShuttingDown => {
            Err(Refusal::new(Kind::Unavailable, "the host is going down", "wait until it is up again"))
        }
    }
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "host",
    responses((status = 200, description = "The OpenAPI document of this API", body = Object))
)]
pub(super) async fn openapi_json() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi::text())
}
