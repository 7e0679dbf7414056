//! Whether the worlds that an upload brings together have circles in them: packages, or interfaces, that need each other.
//! wit-component follows what they need without a look at where it has been, round and round until the stack is full,
//! which no process survives. It refuses some circles itself: not those that go through a world's own package, nor those
//! that no world has alone.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{Parser, Payload};
use wit_parser::Resolve;
use wit_parser::decoding::decode_world;

/// Sections whose names begin so describe a world. A module can have more than one.
const WORLD_SECTION: &str = "component-type";

/// What needs what, by name. Releases that can stand for each other have one name, as one may take another's place.
type Needs = BTreeMap<String, BTreeSet<String>>;

/// Refuses circles in what the worlds of these modules are together. What cannot be read is nothing to this: its reader
/// will say so.
///
/// # Errors
/// Names one of those that need each other, or need one that does.
pub(crate) fn refuse(modules: &[&[u8]]) -> Result<(), String> {
    let (mut packages, mut interfaces) = (Needs::new(), Needs::new());
    for payload in modules.iter().flat_map(|module| Parser::new(0).parse_all(module).map_while(Result::ok)) {
        if let Payload::CustomSection(section) = payload
            && section.name().starts_with(WORLD_SECTION)
            && let Ok((resolve, _)) = decode_world(section.data())
        {
            add_packages(&resolve, &mut packages);
            add_interfaces(&resolve, &mut interfaces);
        }
    }
    match circle(&packages).or_else(|| circle(&interfaces)) {
        Some(name) => Err(format!("its world has a dependency cycle, and {name} is or needs a part of it")),
        None => Ok(()),
    }
}

fn add_packages(resolve: &Resolve, needs: &mut Needs) {
    // All interfaces of the package.
    let name = |id| resolve.canonicalized_id_of_name(id, "*");
    for (id, _) in &resolve.packages {
        let needed = resolve.package_direct_deps(id).map(name).filter(|needed| *needed != name(id));
        needs.entry(name(id)).or_default().extend(needed);
    }
}

fn add_interfaces(resolve: &Resolve, needs: &mut Needs) {
    for (id, _) in &resolve.interfaces {
        // None can need one without a name.
        let Some(name) = resolve.canonicalized_id_of(id) else { continue };
        let needed = resolve.interface_direct_deps(id).filter_map(|id| resolve.canonicalized_id_of(id));
        needs.entry(name).or_default().extend(needed);
    }
}

/// One that is left when all are taken away, again and again, that need none of those that are left.
fn circle(needs: &Needs) -> Option<&str> {
    let mut needed_by = BTreeMap::<&str, Vec<&str>>::new();
    let mut left = BTreeMap::<&str, usize>::new();
    for (name, needed) in needs {
        left.insert(name, needed.len());
        for other in needed {
            needed_by.entry(other).or_default().push(name);
        }
    }
    let mut free: Vec<&str> =
        left.iter().filter(|(_, needed)| **needed == 0).map(|(name, _)| *name).collect();
    while let Some(name) = free.pop() {
        left.remove(name);
        for other in needed_by.remove(name).into_iter().flatten() {
            if let Some(needed) = left.get_mut(other) {
                *needed -= 1;
                if *needed == 0 {
                    free.push(other);
                }
            }
        }
    }
    left.keys().next().copied()
}
