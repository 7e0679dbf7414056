//! A few seeds with each test run; many more with `cargo xtask sim`. Each runs in a process of its own, as what others
//! have drawn before would be part of what it draws.

use std::process::{Command, Output};

/// Seeds that are simulated with every test run: three of them with the durable store.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=9;

/// Seeds that once found a bug of Refrain, by what went wrong.
const FOUND: &[(&str, u64)] = &[
    ("a timer fired again that was on its way while its run was loaded", 50),
    ("the same, and its owner had gone and come back meanwhile", 113),
];

fn simulate(seed: u64, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refrain-sim"));
    command.args(["--seed", &seed.to_string()]).args(more).output().expect("the simulation starts")
}

#[track_caller]
fn holds(what: &str, seed: u64) {
    let output = simulate(seed, &[]);
    let words = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {words}{errors}");
}

#[test]
fn nothing_that_is_promised_breaks_in_a_few_seeds() {
    SEEDS.for_each(|seed| holds("what is promised breaks", seed));
}

#[test]
fn what_seeds_once_found_stays_mended() {
    for (what, seed) in FOUND {
        holds(what, *seed);
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "only there is all randomness decided by the seed")]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 4] {
        let [first, second] = [(); 2].map(|()| simulate(seed, &["--trace"]).stdout);
        assert!(first.len() > 10_000, "{}", String::from_utf8_lossy(&first));
        assert!(first == second, "seed {seed} gives two traces");
    }
}
