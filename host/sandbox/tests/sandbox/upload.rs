//! What is let in, and what is refused with which words.

use std::time::Duration;

use bytes::Bytes;
use refrain_engine::definition::OnTrap;
use refrain_engine::guest::Stop;
use refrain_sandbox::{MAX_COMPONENT_BYTES, SandboxOptions};

use crate::owner::Owner;
use crate::text_guest::{component, guest, guest_of_release, guest_without_describe, sleeper};

async fn refusal(upload: impl Into<Bytes>) -> String {
    Owner::small().push(upload.into()).await.unwrap_err().to_string()
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn a_core_module_with_its_world_is_made_a_component_and_described() {
    let owner = Owner::small();
    let module = sleeper(&[1]);
    let inspected = owner.push(module.clone()).await.unwrap();
    assert_eq!(inspected.definition.workflows[0].name, "w");
    assert_eq!(inspected.definition.workflows[0].on_trap, OnTrap::Park);
    assert!(
        inspected.imports.contains(&"refrain:workflow/timer@0.1.0".to_owned()),
        "{:?}",
        inspected.imports
    );
    assert_eq!(inspected.component, component(&module));
    // What is kept can be uploaded itself; it is another upload.
    let again = owner.push(inspected.component.clone()).await.unwrap();
    assert_eq!(again.component, inspected.component);
    assert_ne!(again.digest, inspected.digest);
}

#[tokio::test]
async fn a_component_of_a_later_patch_release_that_uses_what_is_here_is_let_in() {
    let owner = Owner::small();
    let inspected = owner.push(guest_of_release("@0.1.7")).await.unwrap();
    let ended = owner.execute(inspected.digest).await;
    assert!(matches!(ended.stop, Stop::Finished), "{:?}", ended.stop);
    let refusal = refusal(guest_of_release("@0.2.0")).await;
    assert!(refusal.contains("this host serves refrain:workflow 0.1.x"), "{refusal}");
}

#[tokio::test]
async fn the_component_models_async_is_refused() {
    let upload =
        text(r#"(component (import "refrain:workflow/wait@0.1.0" (instance (export "next" (func async)))))"#);
    let refusal = refusal(upload).await;
    assert!(refusal.contains("the component model's async"), "{refusal}");
}

#[tokio::test]
async fn what_is_no_component_is_refused_in_clear_words() {
    let module = sleeper(&[1]);
    let whole = component(&module);
    let cases = [
        (Vec::new(), "the upload is empty"),
        (vec![0; 100_000_000], "a component may have 67108864"),
        (vec![0; MAX_COMPONENT_BYTES], "is not WebAssembly: it begins with \"\\\\x00"),
        (b"PK\x03\x04 a zip file".to_vec(), "is not WebAssembly: it begins with \"PK"),
        (b"  (component)".to_vec(), "is WebAssembly text"),
        (b"\0as".to_vec(), "cut short: it ends after 3 bytes"),
        (b"\0asm\x01\0".to_vec(), "cut short: it ends after 6 bytes"),
        (b"\0asm\xff\0\0\0".to_vec(), "encoding [ff, 00, 00, 00]"),
        (module[..module.len() / 2].to_vec(), "cut short"),
        (whole[..whole.len() / 2].to_vec(), "cut short"),
        (text("(module)"), "without a WIT world"),
    ];
    for (upload, expected) in cases {
        let refusal = refusal(upload).await;
        assert!(refusal.contains(expected), "{refusal:?} lacks {expected:?}");
    }
    // Wherever it is cut, the upload is to blame and not the host.
    for end in (8..module.len()).step_by(37) {
        let refusal = refusal(module[..end].to_vec()).await;
        assert!(!refusal.contains("panicked"), "cut after {end} bytes: {refusal}");
    }
}

#[tokio::test]
async fn imports_that_this_host_does_not_offer_are_refused_by_name_and_reason() {
    let import = |name: &str, function: &str| {
        text(&format!("(component (import {name:?} (instance (export {function:?} (func)))))"))
    };
    let cases = [
        (
            import("wasi:http/outgoing-handler@0.2.0", "handle"),
            "wasi:http/outgoing-handler@0.2.0 (this host's http plugin reaches nobody: list hosts in plugins.http.allowed_hosts",
        ),
        (import("wasi:keyvalue/store@0.2.0", "open"), "wasi:keyvalue/store@0.2.0 (no workflow can use it"),
        (import("wasi:clocks/wall-clock@0.2.0", "rewind"), "no function wall-clock.rewind"),
        (
            import("wasi:clocks/wall-clock@0.3.0", "now"),
            "this host serves WASI 0.2.x, whose functions are synchronous",
        ),
        // Runtimes import these whether their programs use them or not.
        (import("wasi:sockets/tcp@0.2.0", "start"), "does not export refrain:workflow/definition"),
        (import("wasi:filesystem/types@0.2.0", "open"), "does not export refrain:workflow/definition"),
        (import("acme:db/query@1.0.0", "run"), "acme:db/query@1.0.0 (not a part of refrain:workflow"),
        (
            import("refrain:workflow/visibility@0.1.2", "start"),
            "this host has no interface visibility: upgrade",
        ),
        (import("refrain:workflow/timer@0.1.2", "rewind"), "this host has no function timer.rewind: upgrade"),
        (import("refrain:workflow/timer@0.2.0", "start"), "this host serves refrain:workflow 0.1.x"),
        (import("refrain:workflow/timer@0.1.0", "start"), "does not export refrain:workflow/definition"),
        (text("(component (import \"log\" (func)))"), "interfaces of refrain:workflow and WASI alone"),
    ];
    for (upload, expected) in cases {
        let refusal = refusal(upload).await;
        assert!(refusal.contains(expected), "{refusal:?} lacks {expected:?}");
    }
}

#[tokio::test]
async fn exports_that_do_not_fit_are_refused_by_name() {
    let export = |functions: &str| {
        text(&format!(
            r#"(component
              (core module $m (func (export "f")))
              (core instance $i (instantiate $m))
              (func $f (canon lift (core func $i "f")))
              (instance $definition {functions})
              (export "refrain:workflow/definition@0.1.0" (instance $definition)))"#
        ))
    };
    let missing = refusal(export(r#"(export "describe" (func $f))"#)).await;
    assert!(missing.contains("definition@0.1.0 lacks the function run"), "{missing}");
    let wrong = refusal(export(r#"(export "describe" (func $f)) (export "run" (func $f))"#)).await;
    assert!(wrong.contains("does not fit the package refrain:workflow"), "{wrong}");
}

#[tokio::test]
async fn a_describe_that_traps_loops_or_calls_the_host_is_refused_with_the_reason() {
    let describe = |body: &str| {
        guest_without_describe(&format!(
            r#"(func $main)
            (func $describe (export "refrain:workflow/definition@0.1.0#describe") (result i32) {body})"#
        ))
    };
    let timer = "(drop (call $timer (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))";
    let cases = [
        (describe("unreachable"), "unreachable"),
        (describe("(loop $again (br $again)) unreachable"), "describe gave no answer in 50ms of computing"),
        (
            describe(&format!("{timer} unreachable")),
            "describe called timer.start: describe may not call the host",
        ),
        (
            describe("(drop (call $local-activity (i32.const 0x400))) unreachable"),
            "describe called activity.start-local: describe may not call the host",
        ),
        (
            describe("(call $answer (i32.const 0x400)) unreachable"),
            "describe called messages.answer: describe may not call the host",
        ),
        (describe("(i32.const 0x700)"), "workflows is empty: define at least one"),
        (describe("(i32.const 0x7fffffff)"), "could not describe itself"),
    ];
    let step_budget = Some(Duration::from_millis(50));
    let owner =
        Owner::new(SandboxOptions { max_instances: Some(16), step_budget, ..SandboxOptions::default() });
    for (upload, expected) in cases {
        let refusal = owner.push(upload).await.unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal:?} lacks {expected:?}");
    }
}

#[tokio::test]
async fn initial_memory_over_the_profiles_limit_is_refused() {
    let refusal = refusal(guest("(func $main) (memory 5000)")).await;
    assert!(refusal.contains("starts with 5000 pages of memory, and an instance may have 4096"), "{refusal}");
}

/// The reader of worlds followed such packages round and round, until the stack was full and the host gone.
#[tokio::test]
async fn a_world_whose_packages_need_each_other_is_refused() {
    let world = wat::parse_str(
        r#"(component
          (type (component
            (type (component
              (type (instance (type u32) (export "t" (type (eq 0)))))
              (import "a:one/x" (instance (type 0)))
              (alias export 0 "t" (type))
              (type (instance (alias outer 1 1 (type)) (export "t" (type (eq 0)))))
              (import "b:two/x" (instance (type 2)))
              (alias export 1 "t" (type))
              (type (instance (alias outer 1 3 (type)) (export "t" (type (eq 0)))))
              (import "a:one/y" (instance (type 4)))))
            (export "root:root/workflow" (component (type 0)))))
          (export "workflow" (type 0))
          (@custom "wit-component-encoding" "\04\00"))"#,
    )
    .unwrap();
    let refusal = refusal(module_of_worlds(&[world])).await;
    assert!(refusal.contains("dependency cycle"), "{refusal}");
}

/// A module that says that it was built for these worlds.
fn module_of_worlds(worlds: &[Vec<u8>]) -> Vec<u8> {
    let bytes = |world: &[u8]| world.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let sections = worlds.iter().map(|world| format!("(@custom \"component-type\" \"{}\")", bytes(world)));
    text(&format!("(module {})", sections.collect::<String>()))
}

/// So it did where one of the packages was the world's own.
#[tokio::test]
async fn a_world_whose_own_package_needs_itself_by_another_one_is_refused() {
    let world = wat::parse_str(
        r#"(component
          (type (component
            (type (component
              (type (instance (type u32) (export "t" (type (eq 0)))))
              (import "own:own/x" (instance (type 0)))
              (alias export 0 "t" (type))
              (type (instance (alias outer 1 1 (type)) (export "t" (type (eq 0)))))
              (import "b:two/x" (instance (type 2)))))
            (export "own:own/workflow" (component (type 0)))))
          (export "workflow" (type 0))
          (@custom "wit-component-encoding" "\04\00"))"#,
    )
    .unwrap();
    let refusal = refusal(module_of_worlds(&[world])).await;
    assert!(refusal.contains("dependency cycle"), "{refusal}");
}

/// So it did where each world was right for itself, and not what they say together: of packages or of interfaces, and
/// with the adapter's world, whose `wasi:cli/stdin` needs `wasi:io/streams`.
#[tokio::test]
async fn worlds_that_have_a_circle_together_are_refused() {
    let world = |root: &str, needed: &str, in_need: &str, name: &str| {
        let text = format!(
            r#"(component
              (type (component
                (type (component
                  (type (instance (type u32) (export "{name}" (type (eq 0)))))
                  (import "{needed}" (instance (type 0)))
                  (alias export 0 "{name}" (type))
                  (type (instance (alias outer 1 1 (type)) (export "{name}" (type (eq 0)))))
                  (import "{in_need}" (instance (type 2)))))
                (export "{root}:{root}/workflow" (component (type 0)))))
              (export "workflow" (type 0))
              (@custom "wit-component-encoding" "\04\00"))"#
        );
        wat::parse_str(text).unwrap()
    };
    let packages = [world("one", "a:a/x", "b:b/x", "t"), world("two", "b:b/y", "a:a/y", "t")];
    let interfaces = [world("one", "a:a/x", "a:a/y", "t"), world("two", "a:a/y", "a:a/x", "u")];
    let with_adapter = [world("one", "wasi:cli/stdin@0.2.12", "wasi:io/streams@0.2.12", "t")];
    for worlds in [&packages[..], &interfaces, &with_adapter] {
        let refusal = refusal(module_of_worlds(worlds)).await;
        assert!(refusal.contains("dependency cycle"), "{refusal}");
    }
}
