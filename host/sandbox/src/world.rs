//! The WIT package that workflows are written against, as text in this binary, for core modules that do not say what they
//! were built for.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap};

/// The package's files.
macro_rules! package {
    ($($file:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../../../wit/", $file)))),+]
    };
}

const PACKAGE: &[(&str, &str)] = package![
    "activity.wit",
    "child.wit",
    "context.wit",
    "control.wit",
    "definition.wit",
    "external.wit",
    "log.wit",
    "messages.wit",
    "timer.wit",
    "types.wit",
    "version.wit",
    "wait.wit",
    "world.wit",
];

/// The world that components are of.
const WORLD: &str = "workflow";

/// Makes a module say that it was built for the world of this host's package.
///
/// # Errors
/// When the module cannot be read.
pub(crate) fn embed(module: &mut Vec<u8>) -> Result<(), String> {
    let mut files = SourceMap::new();
    for (name, text) in PACKAGE {
        files.push_str(name, *text);
    }
    let files = files.parse().map_err(|(_, error)| error).expect("the package's text is right");
    let mut resolve = Resolve::default();
    let package = resolve.push_group(files).expect("the package needs no other");
    let world = resolve.select_world(&[package], Some(WORLD)).expect("the package has this world");
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8, false)
        .map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::PACKAGE;

    #[test]
    fn every_file_of_the_package_is_here() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
        let mut files: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, PACKAGE.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
