//! A few seeds with each test run; many more with `cargo xtask sim`. Each runs in a process of its own, as what others
//! have drawn before would be part of what it draws.

use std::path::Path;
use std::process::{Command, Output};

/// Seeds that are simulated with every test run: three of them with the durable store.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=9;

/// Seeds that are simulated with a real component. Each compiles it, which takes most of its time.
const COMPONENT_SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

/// Seeds that once found a bug of Refrain, by what went wrong.
const FOUND: &[(&str, u64)] = &[
    ("a timer fired again that was on its way while its run was loaded", 50),
    ("the same, and its owner had gone and come back meanwhile", 113),
    ("a signal that a run had not taken when it was terminated did not come back with a reset", 9089),
];

fn simulate(seed: u64, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refrain-sim"));
    command.args(["--seed", &seed.to_string()]).args(more).output().expect("the simulation starts")
}

/// The example that has the actor as a workflow.
fn component() -> String {
    let profile = Path::new(env!("CARGO_BIN_EXE_refrain-sim")).parent().expect("it is in a directory");
    let built = profile.with_file_name("guests").join("wasm32-unknown-unknown/release/rust_bench.wasm");
    assert!(built.exists(), "there is no {}; build it with: cargo xtask guests", built.display());
    built.display().to_string()
}

#[track_caller]
fn holds(what: &str, seed: u64, more: &[&str]) {
    let output = simulate(seed, more);
    let words = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {words}{errors}");
}

#[test]
fn nothing_that_is_promised_breaks_in_a_few_seeds() {
    SEEDS.for_each(|seed| holds("what is promised breaks", seed, &[]));
}

#[test]
fn nothing_that_is_promised_breaks_with_a_real_component() {
    let component = component();
    COMPONENT_SEEDS.for_each(|seed| holds("what is promised breaks", seed, &["--component", &component]));
}

#[test]
fn what_seeds_once_found_stays_mended() {
    for (what, seed) in FOUND {
        holds(what, *seed, &[]);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only there is all randomness decided by the seed")]
fn the_same_seed_gives_the_same_trace() {
    let component = component();
    for (seed, more) in [(3, &[][..]), (4, &[]), (4, &["--component", &component])] {
        let arguments = [&["--trace"], more].concat();
        let [first, second] = [(); 2].map(|()| simulate(seed, &arguments).stdout);
        assert!(first.len() > 10_000, "{}", String::from_utf8_lossy(&first));
        assert!(first == second, "seed {seed} gives two traces, with {arguments:?}");
    }
}
