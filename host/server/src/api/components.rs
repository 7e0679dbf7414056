//! Components: upload, list, look at.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use refrain_engine::ids::{Namespace, check_name};
use refrain_runtime::Error;
use refrain_sandbox::{Inspected, Refusal as ComponentRefusal};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::code::Held;
use super::extract::{ApiPath, ApiQuery, Scope, media_type, path_segment, read_body};
use super::problem::{Kind, Refusal};
use super::workflows::page_size;
use super::{Host, convert};
use crate::wire::{ComponentDetail, ComponentList, ComponentVersion, Problem, UploadedComponent};

/// Content types of uploads. Without one the bytes speak for themselves.
pub(super) const WASM_TYPES: [&str; 2] = ["application/wasm", "application/octet-stream"];

#[derive(Deserialize)]
pub(super) struct NamePath {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct VersionPath {
    pub(super) name: String,
    pub(super) version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

/// Upload a component
///
/// The body is a WebAssembly component, or a core module that carries its WIT world (what `cargo build --target
/// wasm32-unknown-unknown` makes). It is checked, its `describe` is run, and it becomes the name's next version, which
/// new runs get; running ones keep theirs. Uploading the bytes of the current version again changes nothing.
#[utoipa::path(
    put,
    path = "/components/{name}",
    tag = "components",
    params(("name" = String, Path, description = "The component's name")),
    request_body(content_type = "application/wasm", description = "The component's bytes"),
    responses(
        (status = 201, description = "A new version", body = UploadedComponent),
        (status = 200, description = "These bytes are the current version already", body = UploadedComponent),
        (status = 413, description = "Larger than the configured `max_upload_bytes`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not a component that can run here", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_component(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(NamePath { name }): ApiPath<NamePath>,
    request: Request,
) -> Result<(StatusCode, Json<UploadedComponent>), Refusal> {
    check_component(&name)?;
    if let Some(given) = media_type(request.headers()).filter(|given| !WASM_TYPES.contains(given)) {
        return Err(not_wasm(format!("the content type is {given:?}")));
    }
    let Upload { inspected, uploaded_bytes, held } = take_upload(&host, request).await?;
    let digest = inspected.digest;
    let imports = inspected.imports;
    let new = convert::new_component(digest, uploaded_bytes, inspected.definition, imports.clone());
    let workflows = new.workflows.iter().map(|workflow| workflow.name.clone()).collect();
    let registered = host.runtime().register_component(&namespace, &name, new).await;
    held.let_go().await;
    let registered = registered?;
    let status = if registered.created { StatusCode::CREATED } else { StatusCode::OK };
    let uploaded = UploadedComponent {
        name,
        version: registered.version,
        digest: digest.to_string(),
        created: registered.created,
        workflows,
        imports,
    };
    Ok((status, Json(uploaded)))
}

/// Refuses what is no name of a component.
pub(super) fn check_component(name: &str) -> Result<(), Refusal> {
    path_segment("name", name)?;
    check_name("component name", name)
        .map_err(|error| Refusal::invalid("name", error.to_string(), "choose another name"))
}

/// Refuses another content type than that of components.
pub(super) fn not_wasm(what: String) -> Refusal {
    let hint = "send the component's bytes as they are, with `content-type: application/wasm`";
    Refusal::new(Kind::UnsupportedMediaType, what, hint).about("content-type")
}

/// A component that was uploaded and let in. Its code is stored, and stays so while it is held.
pub(super) struct Upload {
    pub(super) inspected: Inspected,
    pub(super) uploaded_bytes: u64,
    pub(super) held: Held,
}

/// Reads, checks and stores an upload.
pub(super) async fn take_upload(host: &Host, request: Request) -> Result<Upload, Refusal> {
    let _body = host.upload_bodies().acquire().await.map_err(Refusal::internal)?;
    let bytes = read_body(request, host.max_upload_bytes(), "the component").await?;
    // Only now: whoever sends slowly holds up nobody's inspection.
    let _inspection = host.uploads().acquire().await.map_err(Refusal::internal)?;
    let uploaded_bytes = bytes.len() as u64;
    let inspected = host.sandbox().inspect(bytes).await.map_err(|refusal| refused(&refusal))?;
    let digest = inspected.digest;
    let held = host.hold(digest).await;
    let (blobs, component) = (host.blobs().clone(), inspected.component.clone());
    // The file first and the record that names it second: a file without a record is harmless.
    spawn_blocking(move || blobs.put(digest.as_bytes(), &component))
        .await
        .map_err(Refusal::internal)?
        .map_err(Refusal::internal)?;
    Ok(Upload { inspected, uploaded_bytes, held })
}

fn refused(refusal: &ComponentRefusal) -> Refusal {
    let (kind, hint) = match refusal {
        ComponentRefusal::TooLarge { .. } => (Kind::TooLarge, "make the component smaller"),
        ComponentRefusal::Unavailable { .. } => (Kind::Unavailable, "try again when the host has less to do"),
        _ => (Kind::InvalidComponent, "correct the component and upload it again; nothing was kept of it"),
    };
    Refusal::new(kind, refusal.to_string(), hint)
}

/// List components
#[utoipa::path(
    get,
    path = "/components",
    tag = "components",
    params(
        ("limit" = Option<u32>, Query, description = "How many, at most 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "One page, by name", body = ComponentList))
)]
pub(super) async fn list_components(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<ComponentList>, Refusal> {
    let limit = page_size(query.limit.as_deref())?;
    let page = host.runtime().components(&namespace, limit, query.cursor.as_deref())?;
    Ok(Json(ComponentList {
        components: page.items.into_iter().map(convert::component_summary).collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Look at a component with its versions
#[utoipa::path(
    get,
    path = "/components/{name}",
    tag = "components",
    params(("name" = String, Path, description = "The component's name")),
    responses(
        (status = 200, description = "The component", body = ComponentDetail),
        (status = 404, description = "No component has this name", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_component(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(NamePath { name }): ApiPath<NamePath>,
) -> Result<Json<ComponentDetail>, Refusal> {
    let (current, versions) = versions_of(&host, &namespace, &name).await?;
    Ok(Json(ComponentDetail { name, current, versions }))
}

/// The number of a component's current version, and all versions with what needs them, oldest first.
pub(super) async fn versions_of(
    host: &Host,
    namespace: &Namespace,
    name: &str,
) -> Result<(u32, Vec<ComponentVersion>), Refusal> {
    let current = host.runtime().component(namespace, name, None)?.version;
    let open_runs = host.runtime().open_runs(namespace, name).await?;
    let versions = host.runtime().component_versions(namespace, name)?.into_iter().map(|version| {
        let open_runs = open_runs.get(&version.version).copied().unwrap_or_default();
        convert::component_version(version, current, open_runs)
    });
    Ok((current, versions.collect()))
}

/// Look at one version of a component
#[utoipa::path(
    get,
    path = "/components/{name}/versions/{version}",
    tag = "components",
    params(
        ("name" = String, Path, description = "The component's name"),
        ("version" = u32, Path, description = "The version's number, from 1"),
    ),
    responses(
        (status = 200, description = "The version", body = ComponentVersion),
        (status = 404, description = "No such component or version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_component_version(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(VersionPath { name, version }): ApiPath<VersionPath>,
) -> Result<Json<ComponentVersion>, Refusal> {
    let version = host.runtime().component(&namespace, &name, Some(version))?;
    let current = host.runtime().component(&namespace, &name, None)?.version;
    let open_runs = host.runtime().open_runs(&namespace, &name).await?;
    let open_runs = open_runs.get(&version.version).copied().unwrap_or_default();
    Ok(Json(convert::component_version(version, current, open_runs)))
}

/// Download the code of one version of a component
///
/// What is executed: a component. If a core module was uploaded, that is what was made of it, and the digest is that of the
/// upload.
#[utoipa::path(
    get,
    path = "/components/{name}/versions/{version}/code",
    tag = "components",
    params(
        ("name" = String, Path, description = "The component's name"),
        ("version" = u32, Path, description = "The version's number, from 1"),
    ),
    responses(
        (status = 200, description = "The component's bytes", body = serde_json::Value, content_type = "application/wasm"),
        (status = 404, description = "No such component or version", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_component_code(
    State(host): State<Host>,
    Scope(namespace): Scope,
    ApiPath(VersionPath { name, version }): ApiPath<VersionPath>,
) -> Result<Response, Refusal> {
    let digest = host.runtime().component(&namespace, &name, Some(version))?.digest;
    let blobs = host.blobs().clone();
    let code = spawn_blocking(move || blobs.get(digest.as_bytes())).await.map_err(Refusal::internal)?;
    let code = code.map_err(Refusal::internal)?;
    // The version was deleted meanwhile.
    let code = code.ok_or_else(|| Error::NotFound { what: "code", id: digest.to_string() })?;
    Ok(([(CONTENT_TYPE, WASM_TYPES[0])], code).into_response())
}
