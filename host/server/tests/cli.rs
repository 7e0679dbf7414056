//! The real binary: how it starts and stops, its exit codes, and where its words go.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use expect_test::{Expect, expect};

/// A command of the binary in a folder, untouched by the environment of who runs the tests.
fn refrain(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_refrain"));
    command.args(arguments).current_dir(dir).env_clear();
    command
}

fn run(dir: &Path, arguments: &[&str]) -> Output {
    refrain(dir, arguments).output().unwrap()
}

/// A host, ended with its value.
struct Host {
    process: Child,
    address: String,
}

impl Host {
    /// Starts a host and waits until it says that it is ready.
    fn start(dir: &Path, arguments: &[&str]) -> Self {
        let arguments = [&["server", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut process =
            refrain(dir, &arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("the line that says where").to_owned();
        Self { process, address }
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn exit_code(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

#[test]
fn what_cannot_be_done_is_said_on_standard_error_with_an_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), "listn = 1").unwrap();
    std::fs::write(dir.path().join("text.wasm"), "(module)").unwrap();
    std::fs::write(dir.path().join("a.jsonl"), "").unwrap();
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let nobody = "--address=http://127.0.0.1:1";
    let cases: [(&[&str], i32, Expect); 29] = [
        (
            &["server", "--config", "bad.toml"],
            2,
            expect![[r#"
                error: the configuration bad.toml is not valid: TOML parse error at line 1, column 1
                  |
                1 | listn = 1
                  | ^^^^^
                unknown field `listn`, expected one of `listen`, `data_dir`, `namespaces`, `api_key`, `allowed_hosts`, `allowed_origins`, `max_upload_bytes`, `shutdown_grace`, `log`, `runtime`, `task_queues`, `activities`, `components`, `plugins`
                did you mean `listen`?
                hint: every key is explained in refrain.example.toml
            "#]],
        ),
        (
            &["server", "--config", "none.toml"],
            2,
            expect![[r#"
            error: cannot read the configuration none.toml: No such file or directory (os error 2)
            hint: every key is explained in refrain.example.toml
        "#]],
        ),
        (
            &["server", "--listen", "0.0.0.0:0"],
            2,
            expect![[r#"
            error: listen is 0.0.0.0:0, which others can reach, and there is no API key: set api_key or REFRAIN_API_KEY, or listen on 127.0.0.1
            hint: every key is explained in refrain.example.toml
        "#]],
        ),
        (
            &["server", "--log", "a=b=c"],
            2,
            expect![[r#"
            error: the log filter "a=b=c" is not valid: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5; use a level such as info
        "#]],
        ),
        (
            &["workflow", "start", "hello", "--input", "hello"],
            2,
            expect![[r#"
                error: --input is not JSON: expected value at line 1 column 1; a string needs quotes of its own, like '"text"'
            "#]],
        ),
        (
            &["workflow", "start", "hello", "--input-file", "none.json"],
            2,
            expect![[r#"
            error: cannot read none.json: No such file or directory (os error 2)
        "#]],
        ),
        (
            &["workflow", "start", "hello", "--memo", "x"],
            2,
            expect![[r#"
            error: --memo "x" has no `=`: write it like --memo owner='"ops"'
        "#]],
        ),
        (
            &["new", "Order", "--lang", "rust"],
            2,
            expect![[r#"
            error: the name "Order" has the character 'O': use lower-case letters, digits and `-`, such as order-flow
        "#]],
        ),
        (
            &["new", "order", "--lang", "rust", "--dir", "."],
            2,
            expect![[r#"
            error: the folder . is not empty: choose another name, or an empty folder with --dir
        "#]],
        ),
        (
            &["dev"],
            2,
            expect![[r#"
            error: there is no refrain.toml: `refrain new` makes a project, and its documentation says what is in the file
        "#]],
        ),
        (
            &["dev", "none"],
            2,
            expect![[r#"
            error: cannot work in none: No such file or directory (os error 2)
        "#]],
        ),
        (
            &["component", "push", "none.wasm"],
            2,
            expect![[r#"
            error: cannot read none.wasm: No such file or directory (os error 2)
        "#]],
        ),
        (
            &["activity", "update-options", "order/42", "3", nobody],
            2,
            expect![[r#"
            error: no option is given: name what is to be changed, such as --start-to-close-timeout 10m
        "#]],
        ),
        (
            &["activity", "update-options", "order/42", "3", "--backoff-coefficient", "nan", nobody],
            2,
            expect![[r#"
                error: invalid value 'nan' for '--backoff-coefficient <FACTOR>': give a finite number of at least 1, such as 2

                For more information, try '--help'.
            "#]],
        ),
        (
            &["activity", "pause", "order/42", "charge", nobody],
            2,
            expect![[r#"
            error: invalid value 'charge' for '<ACTIVITY_ID>': not an activity's id: a number, as `workflow describe` shows it

            For more information, try '--help'.
        "#]],
        ),
        (
            &["activity", "complete", "order/42", "3", "--result", "approved"],
            2,
            expect![[r#"
            error: --result is not JSON: expected value at line 1 column 1; a string needs quotes of its own, like '"text"'
        "#]],
        ),
        (
            &["workflow", "list", "--address", "https://127.0.0.1:1"],
            2,
            expect![[r#"
            error: the address "https://127.0.0.1:1" cannot be used: TLS is not supported: use http, through a tunnel if need be
            hint: use one like http://127.0.0.1:7420
        "#]],
        ),
        (
            &["workflow", "execute", "hello", nobody],
            4,
            expect![[r#"
            error: no host answers at http://127.0.0.1:1: Connection refused (os error 111)
            hint: start one with `refrain server`, or name it with --address or REFRAIN_ADDRESS
        "#]],
        ),
        (
            &["replay", "text.wasm", nobody],
            2,
            expect![[r#"
                error: there is nothing to replay: give files or folders of histories, or --open, --status or --last for those of a host
            "#]],
        ),
        (
            &["replay", "none.wasm", "a.jsonl"],
            2,
            expect![[r#"
            error: cannot read none.wasm: No such file or directory (os error 2)
        "#]],
        ),
        (
            &["replay", "text.wasm", "a.jsonl"],
            2,
            expect![[r#"
            error: text.wasm: the upload is WebAssembly text: translate it first, for example with `wasm-tools parse`
        "#]],
        ),
        (
            &["replay", "text.wasm", "empty"],
            2,
            expect![[r#"
            error: empty has no history in it: a file whose name ends in .jsonl
        "#]],
        ),
        (
            &["replay", "text.wasm", "--open", nobody],
            4,
            expect![[r#"
            error: no host answers at http://127.0.0.1:1: Connection refused (os error 111)
            hint: start one with `refrain server`, or name it with --address or REFRAIN_ADDRESS
        "#]],
        ),
        (
            &["workflow", "export", "order/42", "--last", "3", nobody],
            2,
            expect![[r#"
            error: the argument '[ID]' cannot be used with '--last <N>'

            Usage: refrain workflow export --address <URL> <ID>

            For more information, try '--help'.
        "#]],
        ),
        (
            &["workflow", "export", "--last", "3", nobody],
            2,
            expect![[r#"
            error: many runs are many files: give a folder with --out
        "#]],
        ),
        (
            &["workflow", "debug"],
            2,
            expect![[r#"
            error: the following required arguments were not provided:
              <ID>

            Usage: refrain workflow debug <ID>

            For more information, try '--help'.
        "#]],
        ),
        (
            &["workflow", "debug", "order/42", "--at", "0"],
            2,
            expect![[r#"
            error: invalid value '0' for '--at <CALL>': not a call: its number, from 1, or its place, such as 3.1

            For more information, try '--help'.
        "#]],
        ),
        (
            &["workflow", "debug", "--history", "a.jsonl", "--component", "text.wasm"],
            2,
            expect![[r#"
            error: a.jsonl: it is no history: its first line is not that of one (it is empty): give files that `refrain workflow export` wrote
        "#]],
        ),
        (
            &["workflow", "list", nobody],
            4,
            expect![[r#"
            error: no host answers at http://127.0.0.1:1: Connection refused (os error 111)
            hint: start one with `refrain server`, or name it with --address or REFRAIN_ADDRESS
        "#]],
        ),
    ];
    for (arguments, code, expected) in cases {
        let output = run(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        expected.assert_eq(&String::from_utf8(output.stderr).unwrap());
    }
}

#[test]
fn a_new_project_is_told_with_what_to_do_next() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["new", "my-flow", "--lang", "rust"]);
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8(output.stdout).unwrap();
    let (own, rest) = told.split_once("  refrain-sdk/ (").unwrap();
    expect![[r#"
        my-flow, a project in Rust:
          .gitignore
          Cargo.toml
          README.md
          refrain.toml
          scenarios/my_flow.toml
          src/lib.rs
    "#]]
    .assert_eq(own);
    let (_, next) = rest.split_once(" files of the SDK)\n\n").unwrap();
    expect![[r#"
        Go there, and build it:
          cd my-flow
          cargo build --release --target wasm32-unknown-unknown
        Or build it, run it, and do so again with each change:
          refrain dev
        In a second terminal, start the workflow (README.md has more):
          refrain workflow start my_flow --id first --input '{"what": "a holiday", "remind_every_secs": 10}'
    "#]]
    .assert_eq(next);
    let output = run(dir.path(), &["new", "my-flow", "--lang", "rust", "--dir", "other", "--json"]);
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&made["dir"], &made["language"]), (&"other".into(), &"rust".into()));
    for file in made["files"].as_array().unwrap() {
        assert!(dir.path().join("other").join(file.as_str().unwrap()).is_file(), "{file}");
    }
    let other = std::fs::read_to_string(dir.path().join("other/Cargo.toml")).unwrap();
    assert!(other.contains("name = \"my-flow\""), "{other}");
}

#[test]
fn help_says_what_a_command_does_and_shows_examples() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], Expect); 8] = [
        (
            &["replay", "--help"],
            expect![[r#"
                Replay recorded histories with a component: does it still make the calls that they have?

                Everything happens in this process. Histories come from files that `refrain workflow export` wrote,
                from folders of such files, or from a host; without --open, --status and --last no host is asked.
                Each is identical (every call), compatible (the same commands and markers, other reads), or it says
                where the code differs.

                Usage: refrain replay [OPTIONS] <COMPONENT> [FILE|FOLDER]...

                Arguments:
                  <COMPONENT>
                          The .wasm file: a component, or a core module as `cargo build` leaves it

                  [FILE|FOLDER]...
                          Files of histories, and folders: of those every file that ends in .jsonl, also in folders
                          within

                Options:
                      --open
                          The runs of the host that have not ended

                      --last <N>
                          The newest so many runs of the host: of all, or of those that --open or --status says

                      --status <STATUS>
                          The runs of the host that stand so, such as `failed`; `workflow list --help` has all

                      --json
                          Print JSON: what the host answered, one line for each answer or event

                      --workflow <TYPE>
                          Only runs of this workflow type

                      --jobs <N>
                          Histories at once; one for each processor unless given

                      --until <CALL>
                          Of one history, print the run at this call: its number, or its place as reports say it,
                          such as 3.1

                      --core-dump <FILE>
                          Write what the code's instance is there, as a core dump of WebAssembly: its memory, its
                          globals and its stack

                      --junit <FILE>
                          Write a report for CI, as JUnit's XML

                  -h, --help
                          Print help (see a summary with '-h')

                Examples:
                  refrain replay target/wasm32-unknown-unknown/release/shop.wasm tests/histories
                  refrain replay shop.wasm tests/histories --junit target/replay.xml
                  refrain replay shop.wasm --open
                  refrain replay shop.wasm --last 1000 --workflow order --json
                  refrain replay shop.wasm --status failed
                  refrain replay shop.wasm order-42.jsonl --until 3.1
                  refrain replay shop.wasm order-42.jsonl --until 3.1 --core-dump order-42.core

                It exits with 8 if the code differs from a history, and with 2 if a file is no history that can be
                replayed.
            "#]],
        ),
        (
            &["component", "check", "--help"],
            expect![[r#"
                Replay the open runs of a component with other code, before it is uploaded or they are moved.

                Nothing changes, and the runs go on meanwhile. Each run's journal is replayed in an instance of its
                own: it is identical (every call), compatible (the same commands and markers, other reads), or it
                says where the code differs. With --histories the runs that are recorded in files are replayed too,
                here; and alone, without a host, where no component's name is given. With --scenarios the component
                itself is looked at: each scenario is played on hosts that it cannot tell apart (code that was not
                optimized, other memory, a replay before each step), and must leave the same journals, byte for
                byte.

                Usage: refrain component check [OPTIONS] NAME <FILE|--version N>
                       refrain component check [OPTIONS] [NAME] FILE [--histories FOLDER] [--scenarios FOLDER]

                Arguments:
                  <NAME>
                          The component's name

                  [FILE]
                          The .wasm file: a component, or a core module that carries its WIT world

                Options:
                      --version <N>
                          A version of the component, instead of a file

                      --histories <FILE|FOLDER>
                          Files of histories, and folders of them, as of `refrain replay`; can be given again

                      --scenarios <FILE|FOLDER>
                          Files of scenarios, and folders of them, as of `refrain test`; can be given again

                      --json
                          Print JSON: what the host answered, one line for each answer or event

                      --sample <N>
                          So many runs at most, evenly over all of them

                      --run-id <RUN_ID>
                          Only this run, by its run id; can be given again

                      --workflow <TYPE>
                          Only runs of this workflow type

                      --from-version <N>
                          Only runs that this version executes

                  -h, --help
                          Print help (see a summary with '-h')

                Examples:
                  refrain component check shop target/wasm32-unknown-unknown/release/shop.wasm
                  refrain component check shop new.wasm --sample 100 --json
                  refrain component check shop --version 3 --from-version 2
                  refrain component check new.wasm --histories tests/histories
                  refrain component check new.wasm --scenarios scenarios

                It exits with 8 if runs would not go on with the code, or if it is not deterministic, for CI.
            "#]],
        ),
        (
            &["workflow", "export", "--help"],
            expect![[r#"
                Export the history of a run to a file, which `refrain replay` replays anywhere.

                The file is text, a JSON value on each line: people read and compare it, and keep it with their
                code. A run that has not ended is exported as far as it has come.

                Usage: refrain workflow export [OPTIONS] [ID]

                Arguments:
                  [ID]
                          The execution's id. Or many runs: --all, --open, --status or --last

                Options:
                      --run-id <RUN_ID>
                          The run; the execution's latest one unless given

                      --all
                          All runs of the host

                      --open
                          The runs of the host that have not ended

                      --json
                          Print JSON: what the host answered, one line for each answer or event

                      --last <N>
                          The newest so many runs of the host: of all, or of those that --open or --status says

                      --status <STATUS>
                          The runs of the host that stand so, such as `failed`; `workflow list --help` has all

                      --workflow <TYPE>
                          Only runs of this workflow type

                      --out <FILE|FOLDER>
                          The file; standard output unless given. Of many runs the folder, where each is a file
                          named after it

                      --redact
                          Replace every payload: inputs, results, details and memos. The file then cannot be
                          replayed, and says so. Names, ids, log lines and the messages of failures stay

                  -h, --help
                          Print help (see a summary with '-h')

                Examples:
                  refrain workflow export order-42 > order-42.jsonl
                  refrain workflow export order-42 --out tests/histories/order-42.jsonl
                  refrain workflow export --last 100 --workflow order --out tests/histories
                  refrain workflow export order-42 --redact --out for-others.jsonl
            "#]],
        ),
        (
            &["activity", "--help"],
            expect![[r#"
            End activities by hand, and pause, reset or change them

            Usage: refrain activity [OPTIONS] <COMMAND>

            Commands:
              complete        End an activity by hand, with a result
              fail            Fail an activity's attempt by hand
              cancel          End an activity by hand, as canceled
              heartbeat       Say that an activity's attempt is alive, for one that is ended from outside
              pause           Let no further attempt of an activity begin until it is unpaused
              unpause         Let a paused activity go on: its next attempt may begin at once
              reset           Take an activity back to its first attempt, at once
              update-options  Give an activity other timeouts, another retry policy, task queue or priority
              help            Print this message or the help of the given subcommand(s)

            Options:
                  --json  Print JSON: what the host answered, one line for each answer or event
              -h, --help  Print help

        "#]],
        ),
        (
            &["activity", "complete", "--help"],
            expect![[r#"
            End an activity by hand, with a result.

            Also one that waits for its next attempt. An attempt that runs is told at its next heartbeat that
            nobody wants it.

            Usage: refrain activity complete [OPTIONS] <WORKFLOW_ID> <ACTIVITY_ID>

            Arguments:
              <WORKFLOW_ID>
                      The execution's id

              <ACTIVITY_ID>
                      The activity's number in its run, as `workflow describe` shows it

            Options:
                  --run-id <RUN_ID>
                      The run; the execution's latest one unless given

                  --result <JSON>
                      The result, as JSON; `null` when there is none

                  --result-file <FILE>
                      A file with the result, as JSON; `-` for standard input

                  --json
                      Print JSON: what the host answered, one line for each answer or event

              -h, --help
                      Print help (see a summary with '-h')

            Examples:
              refrain activity complete order/42 3 --result '{"approved": true}'
              refrain activity complete order/42 3 --result-file answer.json
        "#]],
        ),
        (
            &["activity", "update-options", "--help"],
            expect![[r#"
                Give an activity other timeouts, another retry policy, task queue or priority.

                They are in force at once, also for an attempt that runs; a wait for the next attempt is computed
                anew. What is not given stays as it is.

                Usage: refrain activity update-options [OPTIONS] <WORKFLOW_ID> <ACTIVITY_ID>

                Arguments:
                  <WORKFLOW_ID>
                          The execution's id

                  <ACTIVITY_ID>
                          The activity's number in its run, as `workflow describe` shows it

                Options:
                      --run-id <RUN_ID>
                          The run; the execution's latest one unless given

                      --task-queue <NAME>
                          The task queue

                      --schedule-to-close-timeout <DURATION>
                          The longest time of all attempts and the waits between them; `none` for no limit

                      --json
                          Print JSON: what the host answered, one line for each answer or event

                      --schedule-to-start-timeout <DURATION>
                          The longest wait of an attempt for its start; `none` for no limit

                      --start-to-close-timeout <DURATION>
                          The longest time of one attempt; `none` for no limit

                      --heartbeat-timeout <DURATION>
                          The longest silence of a running attempt; `none` for no limit

                      --priority <N>
                          1 (first) to 5 (last)

                      --initial-interval <DURATION>
                          The wait after the first attempt

                      --backoff-coefficient <FACTOR>
                          Each wait is this many times the one before; at least 1

                      --maximum-interval <DURATION>
                          The longest wait; `none` for 100 times the first

                      --maximum-attempts <N>
                          How many attempts at most, the first one included; 0 for no limit

                      --non-retryable-error-type <TYPE>
                          Failures of this type are not retried. May be given several times; together they take the
                          place of all that were there, and an empty one stands for none

                      --jitter <SHARE>
                          Each wait is shortened by a random part of at most this share of it; 0 to 1

                  -h, --help
                          Print help (see a summary with '-h')

                Examples:
                  refrain activity update-options order/42 3 --start-to-close-timeout 10m --heartbeat-timeout none
                  refrain activity update-options order/42 3 --maximum-attempts 20 --initial-interval 500ms
                  refrain activity update-options order/42 3 --task-queue payments-eu
            "#]],
        ),
        (
            &["task-queue", "--help"],
            expect![[r#"
            Look at task queues: what waits in them, what runs, and who polls

            Usage: refrain task-queue [OPTIONS] <COMMAND>

            Commands:
              list  List the task queues that have tasks or workers, or are configured
              show  Look at a task queue: what waits in it, what runs, who polls, and what is configured
              help  Print this message or the help of the given subcommand(s)

            Options:
                  --json  Print JSON: what the host answered, one line for each answer or event
              -h, --help  Print help

        "#]],
        ),
        (
            &["task-queue", "show", "--help"],
            expect![[r#"
            Look at a task queue: what waits in it, what runs, who polls, and what is configured

            Usage: refrain task-queue show [OPTIONS] <NAME>

            Arguments:
              <NAME>  The task queue's name

            Options:
                  --json  Print JSON: what the host answered, one line for each answer or event
              -h, --help  Print help

            Examples:
              refrain task-queue show default
              refrain task-queue show payments --namespace shop --json
        "#]],
        ),
    ];
    for (arguments, expected) in cases {
        let output = run(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        // What all commands have in common is not shown again for each of them.
        let own = help.split("Host:\n").next().unwrap();
        let examples = help.find("Examples:").map_or("", |at| &help[at..]);
        expected.assert_eq(&format!("{own}{examples}"));
    }
}

#[test]
fn task_queues_are_listed_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let limits = "[task_queues.gpu]\nconcurrency = 2\nin_process = false\n";
    std::fs::write(dir.path().join("refrain.toml"), limits).unwrap();
    let host = Host::start(dir.path(), &["--config", "refrain.toml"]);
    let ask = |arguments: &[&str]| {
        let output = run(dir.path(), &[arguments, &["--address", &host.address]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    expect![[r#"
        NAME  BACKLOG  OLDEST  RUNNING  WORKERS  LIMITS
        gpu   0                0        0        2 at once, workers alone
    "#]]
    .assert_eq(&ask(&["task-queue", "list"]));
    expect![[r#"
        gpu

        backlog   0
        running   0
        polls     0 waiting
        limits    2 at once, workers alone

        no worker has polled in the last five minutes
    "#]]
    .assert_eq(&ask(&["task-queue", "show", "gpu"]));
    let json = ask(&["task-queue", "show", "gpu", "--json"]);
    assert!(json.starts_with("{\"name\":\"gpu\",\"backlog\":0,") && json.ends_with("}\n"), "{json}");
}

#[test]
fn limits_that_cannot_be_keep_a_host_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("refrain.toml"), "[activities.\"http.get\"]\nrate = 0\n").unwrap();
    let output = run(dir.path(), &["server", "--listen", "127.0.0.1:0", "--config", "refrain.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.starts_with("error: activities.\"http.get\".rate is 0: use "), "{words}");
}

#[test]
fn a_host_starts_serves_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path(), &[]);
    let list = run(dir.path(), &["workflow", "list", "--json", "--address", &host.address]);
    assert_eq!(String::from_utf8(list.stdout).unwrap(), "{\"workflows\":[]}\n");
    let refused = run(dir.path(), &["workflow", "start", "nothing", "--address", &host.address]);
    assert_eq!(refused.status.code(), Some(3));

    let second = run(dir.path(), &["server", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(7), "a data directory is for one host");
    let words = String::from_utf8(second.stderr).unwrap();
    assert!(words.contains("in use by process"), "{words}");

    host.signal("-TERM");
    assert_eq!(host.exit_code(), Some(0));
    let again = Host::start(dir.path(), &[]);
    again.signal("-INT");
    assert_eq!(again.exit_code(), Some(0));
}

#[test]
fn a_host_with_a_key_wants_it() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::start(dir.path(), &["--api-key", "secret"]);
    let list = |key: Option<&str>| {
        let mut command = refrain(dir.path(), &["workflow", "list", "--address", &host.address]);
        command.envs(key.map(|key| ("REFRAIN_API_KEY", key)));
        command.output().unwrap().status.code()
    };
    assert_eq!(list(Some("secret")), Some(0));
    assert_eq!(list(Some("other")), Some(3));
    assert_eq!(list(None), Some(3));
}

#[test]
fn the_log_is_json_if_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["server", "--listen", "127.0.0.1:0", "--log-format", "json"];
    let mut process =
        refrain(dir.path(), &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(Command::new("kill").arg(process.id().to_string()).status().unwrap().success());
    let mut log = String::new();
    process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    process.wait().unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["fields"]["message"] == "serving"), "{log}");
}
