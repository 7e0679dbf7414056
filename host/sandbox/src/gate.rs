//! The import gate: what a component may import, and what it must export.
//!
//! Everything that a workflow can reach is a function of `refrain:workflow` or of the virtual WASI that this host has.
//! What it cannot reach is refused at upload, by name and with the reason, rather than when a run first calls it; but
//! for what language runtimes import without using it.

use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentInstance, ComponentItem};

use crate::refusal::{Refusal, RefusedImport};
use crate::{host, wasi};

/// The package that workflows are written against.
const PACKAGE: &str = "refrain:workflow";

/// The release of it that this host serves: any 0.1.x, as far as its functions are known here.
const SERVED_RELEASE: &str = "0.1.";

/// The release of WASI that this host serves.
const SERVED_WASI: &str = "0.2.";

/// The package of HTTP clients and servers.
const HTTP: &str = "wasi:http";

/// Names of functions.
type Offered = &'static [&'static str];

/// What a component exports.
const DEFINITION: &str = "definition";
const DEFINITION_FUNCTIONS: [&str; 2] = ["describe", "run"];

/// Checks a component's imports and exports by name; linking checks their types. Answers the imports.
/// `has_http`: whether the host's `http` plugin reaches anybody.
pub(crate) fn check(component: &Component, engine: &Engine, has_http: bool) -> Result<Vec<String>, Refusal> {
    let mut imports = Vec::new();
    let mut refused = Vec::new();
    for (name, import) in component.imports(engine) {
        imports.push(name.to_owned());
        if let Err(reason) = check_import(name, &import.ty, engine, has_http) {
            refused.push(RefusedImport { import: name.to_owned(), reason });
        }
    }
    if !refused.is_empty() {
        return Err(Refusal::Imports(refused));
    }
    check_exports(component, engine)?;
    Ok(imports)
}

fn check_import(name: &str, item: &ComponentItem, engine: &Engine, has_http: bool) -> Result<(), String> {
    let Some(Name { package, interface, version }) = Name::parse(name) else {
        return Err("workflows import interfaces of refrain:workflow and WASI alone: remove it".to_owned());
    };
    let offered = if package.starts_with("wasi:") {
        match wasi_offered(package, interface, version, has_http)? {
            Some(offered) => offered,
            None => return Ok(()),
        }
    } else {
        workflow_offered(package, interface, version)?
    };
    let ComponentItem::ComponentInstance(instance) = item else {
        return Err(
            "it is not imported as an interface: build against the package's released text".to_owned()
        );
    };
    match functions(instance, engine).find(|function| !offered.contains(function)) {
        Some(unknown) => Err(format!("this host has no function {interface}.{unknown}: upgrade the host")),
        None => Ok(()),
    }
}

/// The functions of this interface of `refrain:workflow`.
fn workflow_offered(package: &str, interface: &str, version: &str) -> Result<Offered, String> {
    if package != PACKAGE {
        return Err("not a part of refrain:workflow: remove it, or do this work in an activity".to_owned());
    }
    if !version.starts_with(SERVED_RELEASE) {
        return Err(format!(
            "this host serves {PACKAGE} {SERVED_RELEASE}x: build against that, or upgrade the host"
        ));
    }
    find(host::OFFERED, interface)
        .ok_or_else(|| format!("this host has no interface {interface}: upgrade the host"))
}

/// The functions of this interface of WASI; `None` where each call is answered "access denied".
fn wasi_offered(
    package: &str,
    interface: &str,
    version: &str,
    has_http: bool,
) -> Result<Option<Offered>, String> {
    if !version.starts_with(SERVED_WASI) {
        return Err(format!(
            "this host serves WASI {SERVED_WASI}x, whose functions are synchronous: build for that"
        ));
    }
    if wasi::denied::PACKAGES.contains(&package) {
        return Ok(None);
    }
    if package == HTTP && !has_http {
        return Err("this host's http plugin reaches nobody: list hosts in plugins.http.allowed_hosts of its \
                    configuration, or build the component without its language's own HTTP client and call activities"
            .to_owned());
    }
    let offered = wasi::offered(&format!("{package}/{interface}"));
    offered.map(Some).ok_or_else(|| "no workflow can use it: build the component without it".to_owned())
}

fn find(table: &[(&str, Offered)], interface: &str) -> Option<Offered> {
    table.iter().find(|(offered, _)| *offered == interface).map(|(_, functions)| *functions)
}

fn check_exports(component: &Component, engine: &Engine) -> Result<(), Refusal> {
    if let Some((export, _)) = component
        .exports(engine)
        .find(|(name, _)| Name::parse(name).is_some_and(|parsed| parsed.package == HTTP))
    {
        return Err(Refusal::Serves { export: export.to_owned() });
    }
    let definition =
        component.exports(engine).find_map(|(name, export)| match (Name::parse(name), export.ty) {
            (Some(parsed), ComponentItem::ComponentInstance(instance))
                if parsed.package == PACKAGE
                    && parsed.interface == DEFINITION
                    && parsed.version.starts_with(SERVED_RELEASE) =>
            {
                Some((name, instance))
            }
            (_, _) => None,
        });
    let Some((interface, definition)) = definition else {
        let exports = component.exports(engine).map(|(name, _)| name.to_owned()).collect();
        return Err(Refusal::NoDefinition { exports });
    };
    match DEFINITION_FUNCTIONS
        .into_iter()
        .find(|function| !functions(&definition, engine).any(|f| f == *function))
    {
        Some(function) => Err(Refusal::MissingExport { interface: interface.to_owned(), function }),
        None => Ok(()),
    }
}

fn functions<'a>(instance: &'a ComponentInstance, engine: &'a Engine) -> impl Iterator<Item = &'a str> {
    instance.exports(engine).filter_map(|(name, export)| match export.ty {
        ComponentItem::ComponentFunc(_) | ComponentItem::CoreFunc(_) => Some(name),
        _ => None,
    })
}

/// The parts of `package/interface@version`.
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: &'a str,
}

impl<'a> Name<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (package, rest) = name.split_once('/')?;
        let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
        Some(Self { package, interface, version })
    }
}
