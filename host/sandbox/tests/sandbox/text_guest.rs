//! Guests in WebAssembly's text format: core modules with the canonical ABI written by hand, and the WIT
//! world embedded as a toolchain embeds it, so that the sandbox makes the component.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{InterfaceId, Resolve, SourceMap, TypeDefKind, WorldId, WorldItem};

/// What guests with an HTTP client import.
const HTTP_CLIENT: &str = include_str!("http_client.wit");

/// The release of the package that the texts here name.
const RELEASE: &str = "@0.1.0";

/// Where [`BOILERPLATE`] keeps the completion that `run` answers: the payload's data begin 16 bytes in.
pub(crate) const COMPLETION: u32 = 0x300;

/// A workflow `w` that calls `$main` and completes with `null`, or with what `$main` has put into the
/// completion. Memory from 0x400 to 0x10000 is free for use, zero at first; above is a heap that only grows. Where
/// 0x230 is not zero, allocating from the heap reads the clock, which no guest may.
const BOILERPLATE: &str = r#"
  (memory (export "memory") 2)
  (data (i32.const 0x108) "\10\01\00\00\01\00\00\00")
  (data (i32.const 0x110) "\00\02\00\00\01\00\00\00")
  (data (i32.const 0x200) "w")
  (data (i32.const 0x210) "application/json")
  (data (i32.const 0x220) "null")
  (data (i32.const 0x300) "\00\00\00\00\00\00\00\00\10\02\00\00\10\00\00\00\20\02\00\00\04\00\00\00")
  (global $heap (mut i32) (i32.const 0x10000))
  (func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (if (i32.load8_u (i32.const 0x230)) (then (call $now (i32.const 0x400))))
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 0x10000)))
      (then (if (i32.eq (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 0x10000)) (i32.const 1))) (i32.const -1))
        (then unreachable))))
    (local.get $at))
  (func (export "refrain:workflow/definition@0.1.0#run") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $main)
    (i32.const 0x300))
"#;

const DESCRIBE: &str = r#"
  (func (export "refrain:workflow/definition@0.1.0#describe") (result i32) (i32.const 0x100))
"#;

/// Declarations of imports for the texts of guests; unused ones do no harm.
const IMPORTS: &str = r#"
  (import "refrain:workflow/context@0.1.0" "now" (func $now (param i32)))
  (import "refrain:workflow/context@0.1.0" "random-bytes" (func $random-bytes (param i32 i32)))
  (import "refrain:workflow/activity@0.1.0" "start" (func $activity (param i32) (result i64)))
  (import "refrain:workflow/activity@0.1.0" "start-local" (func $local-activity (param i32) (result i64)))
  (import "refrain:workflow/timer@0.1.0" "start" (func $timer (param i64 i32 i32 i32 i32) (result i64)))
  (import "refrain:workflow/child@0.1.0" "start" (func $child (param i32 i32)))
  (import "refrain:workflow/external@0.1.0" "signal"
    (func $signal (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i64)))
  (import "refrain:workflow/external@0.1.0" "request-cancel"
    (func $request-cancel (param i32 i32 i32 i32 i32 i32 i32) (result i64)))
  (import "refrain:workflow/wait@0.1.0" "next" (func $next (param i32 i32 i32 i32)))
  (import "refrain:workflow/wait@0.1.0" "detach" (func $detach (param i64)))
  (import "refrain:workflow/messages@0.1.0" "answer" (func $answer (param i32)))
  (import "refrain:workflow/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (import "refrain:workflow/version@0.1.0" "patched" (func $patched (param i32 i32) (result i32)))
  (import "refrain:workflow/control@0.1.0" "finish"
    (func $finish (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32 i32)))
"#;

/// Declarations of WASI preview 1, which plain C and Go import.
const PREVIEW_1: &str = r#"
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd-write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path-open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
"#;

/// Sleeps for nanoseconds, on the monotonic clock; prints a text from memory to a stream.
const PREVIEW_1_HELPERS: &str = r#"
  (func $sleep (param $nanos i64)
    (i32.store (i32.const 0x2010) (i32.const 1))
    (i64.store (i32.const 0x2018) (local.get $nanos))
    (if (call $poll (i32.const 0x2000) (i32.const 0x2040) (i32.const 1) (i32.const 0x2080)) (then unreachable)))
  (func $print (param $stream i32) (param $at i32) (param $len i32)
    (i32.store (i32.const 0x2100) (local.get $at))
    (i32.store (i32.const 0x2104) (local.get $len))
    (if (call $fd-write (local.get $stream) (i32.const 0x2100) (i32.const 1) (i32.const 0x2108))
      (then unreachable)))
"#;

/// A workflow that knows WASI preview 1, as a compiler leaves it: no world says what it is for.
pub(crate) fn preview_1_guest(text: &str) -> Bytes {
    preview_1_guest_with(DESCRIBE, text)
}

/// As [`preview_1_guest`], with a `describe` of its own.
pub(crate) fn preview_1_guest_with(describe: &str, text: &str) -> Bytes {
    let text = format!("(module {IMPORTS} {PREVIEW_1} {BOILERPLATE} {describe} {PREVIEW_1_HELPERS} {text})");
    wat::parse_str(text).unwrap().into()
}

/// A workflow with an HTTP client. All functions of [`HTTP_CLIENT`] are declared, named as in `$fields.append`,
/// `$fields.new`, `$fields.drop` and `$outgoing-handler.handle`.
pub(crate) fn http_guest(text: &str) -> Bytes {
    let (resolve, world) = http_client();
    let mut imports = String::new();
    for item in resolve.worlds[world].imports.values() {
        if let WorldItem::Interface { id, .. } = item
            && let Some(interface) = resolve.id_of(*id).filter(|name| name.starts_with("wasi:"))
        {
            imports.push_str(&declarations(&resolve, *id, &interface));
        }
    }
    let text = format!("(module {imports} {IMPORTS} {BOILERPLATE} {DESCRIBE} {text})");
    let mut wasm = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8, false).unwrap();
    wasm.into()
}

fn http_client() -> (Resolve, WorldId) {
    let mut files = package_files(RELEASE);
    files.push_str("http_client.wit", HTTP_CLIENT);
    let mut resolve = Resolve::default();
    let package = resolve.push_group(files.parse().unwrap()).unwrap();
    let world = resolve.select_world(&[package], Some("http-client")).unwrap();
    (resolve, world)
}

/// The functions of an interface as a core module imports them.
fn declarations(resolve: &Resolve, id: InterfaceId, interface: &str) -> String {
    let own_name = interface.split(['/', '@']).nth(1).unwrap();
    let ids = |name: &str| match name.strip_prefix("[constructor]") {
        Some(resource) => format!("{resource}.new"),
        None => name.split_once(']').map_or_else(|| format!("{own_name}.{name}"), |(_, id)| id.to_owned()),
    };
    let import = |name: &str, id: &str, params: &str, results: &str| {
        format!("(import {interface:?} {name:?} (func ${id} (param {params}) (result {results})))\n")
    };
    let types = |types: &[WasmType]| {
        let names = types.iter().map(|ty| match ty {
            WasmType::I64 | WasmType::PointerOrI64 => "i64",
            WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
            WasmType::F32 => "f32",
            WasmType::F64 => "f64",
        });
        names.collect::<Vec<_>>().join(" ")
    };
    let functions = resolve.interfaces[id].functions.iter().map(|(name, function)| {
        let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
        import(name, &ids(name), &types(&signature.params), &types(&signature.results))
    });
    let resources = resolve.interfaces[id]
        .types
        .iter()
        .filter(|(_, ty)| matches!(resolve.types[**ty].kind, TypeDefKind::Resource));
    let drops = resources
        .map(|(name, _)| import(&format!("[resource-drop]{name}"), &format!("{name}.drop"), "i32", ""));
    functions.chain(drops).collect()
}

/// A workflow whose code is `(func $main ...)` and what else is in the text.
pub(crate) fn guest(text: &str) -> Bytes {
    guest_that_imports("", text)
}

/// As [`guest`], with declarations of imports besides those of the host.
pub(crate) fn guest_that_imports(imports: &str, text: &str) -> Bytes {
    module(&format!("(module {imports} {IMPORTS} {BOILERPLATE} {DESCRIBE} {text})"))
}

/// As [`guest`], with a `describe` of its own in the text.
pub(crate) fn guest_without_describe(text: &str) -> Bytes {
    module(&format!("(module {IMPORTS} {BOILERPLATE} {text})"))
}

/// A workflow that sleeps for this many seconds, once for each.
pub(crate) fn sleeper(seconds: &[u32]) -> Bytes {
    let sleep = |seconds: &u32| {
        format!(
            "(drop (call $timer (i64.const {seconds}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
             (call $next (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0x400))"
        )
    };
    guest(&format!("(func $main {})", seconds.iter().map(sleep).collect::<String>()))
}

/// What the sandbox makes of an upload; what the store would keep.
pub(crate) fn component(module: &[u8]) -> Bytes {
    ComponentEncoder::default().debug_names(true).module(module).unwrap().encode().unwrap().into()
}

/// A guest that does nothing, built against another release of the package.
pub(crate) fn guest_of_release(release: &str) -> Bytes {
    let text = format!("(module {IMPORTS} {BOILERPLATE} {DESCRIBE} (func $main))");
    module_of_release(&text, release)
}

fn module(text: &str) -> Bytes {
    module_of_release(text, RELEASE)
}

fn module_of_release(text: &str, release: &str) -> Bytes {
    let mut wasm = wat::parse_str(text.replace(RELEASE, release)).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_group(package_files(release).parse().unwrap()).unwrap();
    let world = resolve.select_world(&[package], Some("workflow")).unwrap();
    embed_component_metadata(&mut wasm, &resolve, world, StringEncoding::UTF8, false).unwrap();
    wasm.into()
}

/// The WIT package, as if it were of this release.
fn package_files(release: &str) -> SourceMap {
    let mut files = SourceMap::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")).unwrap() {
        let path = entry.unwrap().path();
        files.push(&path, fs::read_to_string(&path).unwrap().replace(RELEASE, release));
    }
    files
}
