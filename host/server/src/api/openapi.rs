//! The OpenAPI document: made of the routes themselves, and checked in as `openapi.json`.

use std::sync::LazyLock;

use utoipa::OpenApi;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::{NAMESPACED, routes};
use crate::wire::{ActivityHeartbeat, Problem};

/// What the document says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Refrain",
        description = "The HTTP API of a Refrain host.\n\n\
            **Payloads.** A value whose content type is `application/json` stands in the field `input` (`result`, \
            `details`, ...) as it is, byte for byte. Any other value stands in the field of the same name with \
            `_payload` appended, as an `EncodedPayload`.\n\n\
            **Names.** Ids in paths are percent-encoded. Each path under `/v1/` is also there under \
            `/v1/namespaces/{namespace}/`; without it, the namespace is `default`.\n\n\
            **Errors** are problem details (RFC 9457) with a `code` and a `hint`. Besides those listed with a route, each one \
            answers 400 for a request that cannot be read, 401 without the API key if the host wants one, 403 for a \
            foreign `Host` or `Origin`, 404 for an unknown namespace, 415 for a body that is not JSON, and 503 while \
            the host goes down. Unknown fields and parameters are refused.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(ActivityHeartbeat, Problem)),
    tags(
        (name = "components", description = "What runs: uploaded WebAssembly components"),
        (name = "workflows", description = "Executions of workflows"),
        (name = "activities", description = "Attempts of activities, for workers; and what is done to activities by hand"),
        (name = "task queues", description = "What waits for workers"),
        (name = "host", description = "The host itself"),
    )
)]
pub(super) struct Document;

/// The document as text, ending in a line feed.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut text = document().to_pretty_json().unwrap_or_default();
        text.push('\n');
        text
    });
    &TEXT
}

fn document() -> utoipa::openapi::OpenApi {
    let mut document = routes().split_for_parts().1;
    for (path, item) in &mut document.paths.paths {
        if path.starts_with(NAMESPACED) {
            operations(item).for_each(in_namespace);
        }
    }
    document
}

/// The operation ids of a document are distinct, and each parameter of a path is listed.
fn in_namespace(operation: &mut Operation) {
    if let Some(id) = &mut operation.operation_id {
        id.push_str("_in_namespace");
    }
    let namespace = ParameterBuilder::new()
        .name("namespace")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The namespace"))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().insert(0, namespace.into());
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}
