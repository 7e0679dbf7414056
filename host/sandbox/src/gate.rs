//! The import gate: what a component may import, and what it must export.
//!
//! Everything that a workflow can reach is a function of `refrain:workflow` that this host has. What it
//! cannot reach is refused at upload, by name and with the reason, rather than when a run first calls it.

use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentInstance, ComponentItem};

use crate::host;
use crate::refusal::{Refusal, RefusedImport};

/// The package that workflows are written against.
const PACKAGE: &str = "refrain:workflow";

/// The release of it that this host serves: any 0.1.x, as far as its functions are known here.
const SERVED_RELEASE: &str = "0.1.";

/// What a component exports.
const DEFINITION: &str = "definition";
const DEFINITION_FUNCTIONS: [&str; 2] = ["describe", "run"];

/// Checks a component's imports and exports by name; linking checks their types. Answers the imports.
pub(crate) fn check(component: &Component, engine: &Engine) -> Result<Vec<String>, Refusal> {
    let mut imports = Vec::new();
    let mut refused = Vec::new();
    for (name, import) in component.imports(engine) {
        imports.push(name.to_owned());
        if let Err(reason) = check_import(name, &import.ty, engine) {
            refused.push(RefusedImport { import: name.to_owned(), reason });
        }
    }
    if !refused.is_empty() {
        return Err(Refusal::Imports(refused));
    }
    check_exports(component, engine)?;
    Ok(imports)
}

fn check_import(name: &str, item: &ComponentItem, engine: &Engine) -> Result<(), String> {
    let Some(Name { package, interface, version }) = Name::parse(name) else {
        return Err("workflows import interfaces of refrain:workflow alone: remove it".to_owned());
    };
    if package.starts_with("wasi:") {
        return Err(wasi(package).to_owned());
    }
    if package != PACKAGE {
        return Err("not a part of refrain:workflow: remove it, or do this work in an activity".to_owned());
    }
    if !version.starts_with(SERVED_RELEASE) {
        return Err(format!(
            "this host serves {PACKAGE} {SERVED_RELEASE}x: build against that, or upgrade the host"
        ));
    }
    let Some((_, offered)) = host::OFFERED.iter().find(|(offered, _)| *offered == interface) else {
        return Err(format!("this host has no interface {interface}: upgrade the host"));
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

fn wasi(package: &str) -> &'static str {
    match package {
        "wasi:sockets" | "wasi:http" => {
            "workflows have no network: do this in an activity, and build for wasm32-unknown-unknown"
        }
        "wasi:filesystem" => {
            "workflows have no files: do this in an activity, and build for wasm32-unknown-unknown"
        }
        _ => "this host offers no WASI yet: build for wasm32-unknown-unknown, which imports none",
    }
}

fn check_exports(component: &Component, engine: &Engine) -> Result<(), Refusal> {
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
