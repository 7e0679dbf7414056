//! `wasi:filesystem` and `wasi:sockets`: imported by language runtimes whether a program uses them or not, and answered
//! "access denied".
//!
//! There is no list of their functions. What a component imports of them is defined for that component: a function
//! that may fail fails with access denied, one that lists something lists nothing, one that may answer nothing does.
//! What is left are methods of handles that nobody can have come by.

use wasmtime::component::types::{ComponentInstance, ComponentItem, Type};
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceAny, ResourceType, Val};
use wasmtime::{Engine, StoreContextMut};

use super::poll::Pollable;
use super::streams::{InputStream, OutputStream, StreamFailure};
use crate::state::{HostTrap, State};

/// The packages that a component may import and not use.
pub(crate) const PACKAGES: [&str; 2] = ["wasi:filesystem", "wasi:sockets"];

/// The names that "access denied" has in enumerations of error codes.
const DENIED: [&str; 2] = ["access-denied", "access"];

/// What every handle of these packages is.
struct Nothing;

/// Adds what this component imports of these packages.
pub(crate) fn add_to_linker(
    linker: &mut Linker<State>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    for (name, import) in component.component_type().imports(engine) {
        let is_denied = PACKAGES.iter().any(|package| name.split('/').next() == Some(*package));
        if let (true, ComponentItem::ComponentInstance(instance)) = (is_denied, import.ty) {
            deny(&mut linker.instance(name)?, name, &instance, engine)?;
        }
    }
    Ok(())
}

fn deny(
    linker: &mut LinkerInstance<'_, State>,
    interface: &str,
    instance: &ComponentInstance,
    engine: &Engine,
) -> wasmtime::Result<()> {
    for (name, export) in instance.exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(_) => {
                let function = format!("{interface}.{name}");
                linker.func_new(name, move |mut store, ty, _, results| {
                    for (result, ty) in results.iter_mut().zip(ty.results()) {
                        *result = denied(&mut store, &ty).ok_or_else(|| no_such_handle(&function))?;
                    }
                    Ok(())
                })?;
            }
            ComponentItem::Resource(_) => {
                linker.resource(name, handle(name), |_, _| Ok(()))?;
            }
            ComponentItem::Type(_)
            | ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::ComponentInstance(_) => {}
        }
    }
    Ok(())
}

/// What a handle of this name is: one of `wasi:io`, which these packages name too, or one that nobody has.
fn handle(name: &str) -> ResourceType {
    match name {
        "error" => ResourceType::host::<StreamFailure>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "pollable" => ResourceType::host::<Pollable>(),
        _ => ResourceType::host::<Nothing>(),
    }
}

/// The answer of this type that gives nothing away, if there is one.
fn denied(store: &mut StoreContextMut<'_, State>, ty: &Type) -> Option<Val> {
    match ty {
        Type::Result(result) => {
            let Some(Type::Enum(codes)) = result.err() else { return None };
            let code = DENIED.iter().find(|denied| codes.names().any(|name| name == **denied))?;
            Some(Val::Result(Err(Some(Box::new(Val::Enum((*code).to_owned()))))))
        }
        Type::List(_) => Some(Val::List(Vec::new())),
        Type::Option(_) => Some(Val::Option(None)),
        // `instance-network`, which cannot fail: what one does with it does.
        Type::Own(_) => {
            let handle = ResourceAny::try_from_resource(Resource::<Nothing>::new_own(0), store);
            handle.ok().map(Val::Resource)
        }
        _ => None,
    }
}

fn no_such_handle(function: &str) -> wasmtime::Error {
    HostTrap::Misuse(format!("{function}: no workflow has such a handle: use an activity")).into()
}
