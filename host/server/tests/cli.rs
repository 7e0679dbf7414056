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
    let nobody = "--address=http://127.0.0.1:1";
    let cases: [(&[&str], i32, Expect); 11] = [
        (
            &["server", "--config", "bad.toml"],
            2,
            expect![[r#"
            error: the configuration bad.toml is not valid: TOML parse error at line 1, column 1
              |
            1 | listn = 1
              | ^^^^^
            unknown field `listn`, expected one of `listen`, `data_dir`, `namespaces`, `api_key`, `allowed_hosts`, `allowed_origins`, `max_upload_bytes`, `shutdown_grace`, `log`, `runtime`, `plugins`
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
            error: --input is not JSON: expected value at line 1 column 1; a string needs quotes of its own: --input '"text"'
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
            &["component", "push", "none.wasm"],
            2,
            expect![[r#"
            error: cannot read none.wasm: No such file or directory (os error 2)
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
