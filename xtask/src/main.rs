//! `cargo xtask`: what those who work on Refrain do often, as commands.
//!
//! One command is one module. This crate knows the project from outside: it runs cargo and the `refrain` binary and
//! talks HTTP, so that it compiles in seconds and never waits for wasmtime.

#![expect(clippy::print_stdout, reason = "what these commands print is their purpose")]

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

mod api;
mod archive;
mod background;
mod bless;
mod compiler;
mod debian;
mod demo;
mod example;
mod fuzz;
mod guests;
mod host;
mod languages;
mod process;
mod python;
mod record;
mod sim;
mod test;
mod timeline;
mod torture;
mod workspace;

use languages::Language;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [DIR]                    back up DIR (default: this repository's host/) with a workflow, kill the host in the
                                middle, start it again, and check the archive; from nothing, with all it needs
  test [STAGE...]               every check, or only these stages; `cargo xtask test --list` names them
  example NAME [--lang LANG]    build an example, run it against a fresh host, and check its outcome; NAME is one of
                                examples/, or all; approval, order-saga and fan-out are there in rust (which is meant
                                without --lang), python, js, go and c, and plain in python alone
  guests                        build the examples for wasm32, with a compiler that is installed if it is missing
  guests --lang LANG            build the components of one language, rust, python, js, go or c, or of all that this
                                machine has the tools for: the language suite (tests/guests) and examples
  languages --table | --write   measure the components of all languages, run their suite, and print the table, or write
                                it into LANGUAGES.md
  sim [--seeds N] [--start S] [--minutes M] [--component]
                                simulate seeds, 100 if nothing is said, each with drawn clients and faults; a seed that
                                fails is printed, and happens again the same. With --component a real one executes, in
                                place of scripts
  sim --planted [--start S]     plant known bugs, one after the other, and see that the simulation finds each
  fuzz NAME [--minutes M] [--seed S]
                                feed a target of tests/fuzz with what is made of its corpus, from another seed each time;
                                an input that breaks a promise is kept in the corpus
  record [NAME]                 run an example, or all of them, and keep the histories of its runs in tests/replay, which
                                each later version must replay
  torture [--minutes M] [--seed N]
                                kill the host under load again and again, for 2 minutes if nothing is said, and see that
                                it kept what it acknowledged; the seed decides the load and the moments
  bless                         run the tests and rewrite the snapshots that differ
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[&str]) -> Result<()> {
    let ws = Workspace::find().context("find the workspace")?;
    match arguments {
        ["demo"] => demo::run(&ws, None),
        ["demo", dir] if !dir.starts_with('-') => demo::run(&ws, Some(dir.as_ref())),
        ["test", "--list"] => {
            test::list();
            Ok(())
        }
        ["test", stages @ ..] => test::run(&ws, stages),
        ["example", name] => example::run(&ws, name, Language::Rust),
        ["example", name, "--lang", language] => example::run(&ws, name, languages::named(language)?),
        ["guests"] => guests::build(&ws),
        ["guests", "--lang", name] => languages::build_named(&ws, name),
        ["languages", "--table"] => languages::print(&ws),
        ["languages", "--write"] => languages::write(&ws),
        ["sim", arguments @ ..] => sim::run(&ws, arguments),
        ["fuzz", arguments @ ..] => fuzz::run(&ws, arguments),
        ["record"] => record::run(&ws, "all"),
        ["record", name] => record::run(&ws, name),
        ["torture", arguments @ ..] => torture::run(&ws, arguments),
        ["bless"] => bless::run(&ws),
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("cannot read `{}`\n\n{USAGE}", arguments.join(" ")),
    }
}
