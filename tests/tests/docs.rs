//! The documents speak of the code as it is: names and paths that they mention exist, limits have the values that
//! they tell, excerpts are what they are taken from, and machines are held to the tables that open their files.
//!
//! It looks at text alone, so that it takes milliseconds and nothing has to be built for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What is looked at, from the repository's root.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/HOW-WE-TEST.md",
    "docs/TESTING.md",
    "host/engine/FORMAT.md",
    "host/store/FORMAT.md",
];

/// Where code is.
const SOURCES: [&str; 6] = ["examples", "guest-sdk", "host", "tests", "wit", "xtask"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in a workspace")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// The files below a directory with one of these endings. What is built is passed over.
fn files(dir: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("cannot list {}: {error}", dir.display())) {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            if !path.ends_with("target") {
                files(&path, endings, found);
            }
        } else if path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)) {
            found.push(path);
        }
    }
}

fn sources(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    SOURCES.iter().for_each(|dir| files(&root().join(dir), endings, &mut found));
    assert!(found.len() > 50, "only {} sources were found", found.len());
    found
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What stands in backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[test]
fn names_of_the_documents_are_in_the_code() {
    let mut words = BTreeSet::new();
    for path in sources(&["rs", "toml", "wit"]) {
        let text = fs::read_to_string(&path).expect("a source file");
        words.extend(text.split(|c| !is_word(c)).map(str::to_owned));
    }
    let mut looked_at = 0;
    for document in DOCUMENTS {
        let text = read(document);
        let names = code_spans(&text).filter(|span| {
            let joined = span.replace("::", "_");
            joined.contains('_') && joined.chars().all(is_word)
        });
        for name in names {
            looked_at += 1;
            let missing = name.split("::").find(|part| !words.contains(*part));
            assert_eq!(missing, None, "{document} speaks of `{name}`, which the code does not have");
        }
    }
    assert!(looked_at > 80, "only {looked_at} names were looked at");
}

#[test]
fn paths_of_the_documents_exist() {
    let mut looked_at = 0;
    for document in DOCUMENTS {
        let text = read(document);
        let file = root().join(document);
        let dir = file.parent().expect("a file is in a directory");
        let from_root = code_spans(&text)
            .filter(|span| SOURCES.iter().any(|dir| span.starts_with(&format!("{dir}/"))))
            .filter(|span| dir == root() && !span.contains([' ', '{', '*']));
        let links = prose(&text)
            .flat_map(|line| line.split("](").skip(1).filter_map(|rest| rest.split(')').next()))
            .filter(|link| !link.starts_with("https://"));
        for (path, base) in from_root.map(|path| (path, root())).chain(links.map(|link| (link, dir))) {
            looked_at += 1;
            let (path, heading) = path.split_once('#').unwrap_or((path, ""));
            let target = if path.is_empty() { file.clone() } else { base.join(path) };
            assert!(target.exists(), "{document} speaks of {path}, which is not there");
            if !heading.is_empty() {
                let text = fs::read_to_string(target).expect("a document");
                assert!(
                    headings(&text).any(|h| h == heading),
                    "{document} links to {path}#{heading}, where no such heading is"
                );
            }
        }
    }
    assert!(looked_at > 80, "only {looked_at} paths were looked at");
}

/// The anchors of a document's headings.
fn headings(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        words.chars().filter(|c| is_word(*c) || *c == ' ').map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// The part of a document below a heading of the second level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).expect("the section is there");
    rest.split("\n## ").next().unwrap_or(rest)
}

#[test]
fn limits_have_the_values_that_are_told() {
    let text = read("ARCHITECTURE.md");
    let (mut file, mut looked_at) = (None, 0);
    for line in section(&text, "Limits").lines() {
        if line.starts_with("### ") {
            file = line.split('`').find(|part| part.starts_with("host/"));
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", name, value, own_file, ..] = cells[..] else { continue };
        let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else { continue };
        let path = file.unwrap_or_else(|| own_file.trim_matches('`'));
        let told = parse(value).unwrap_or_else(|| panic!("{name}: cannot read the value {value:?}"));
        assert_eq!(value_in_code(&read(path), name), Some(told), "{name} of {path}, told to be {value}");
        looked_at += 1;
    }
    assert!(looked_at > 50, "only {looked_at} limits were looked at");
}

/// The names of a struct's public fields.
fn fields<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (_, rest) = text.split_once(&format!("pub struct {name} {{\n")).expect("the struct is there");
    let body = rest.split("\n}").next().unwrap_or(rest);
    body.lines().filter_map(|line| Some(line.trim().strip_prefix("pub ")?.split_once(':')?.0))
}

/// The constants in a source whose names say that they are limits.
fn maxima(text: &str) -> impl Iterator<Item = &str> {
    let constants = text.lines().filter_map(|line| line.split_once("const ")?.1.split(':').next());
    constants.filter(|name| name.starts_with("MAX_"))
}

#[test]
fn every_limit_is_told() {
    let text = read("ARCHITECTURE.md");
    let told = section(&text, "Limits");
    let (profile, options) = (read("host/engine/src/limits.rs"), read("host/runtime/src/options.rs"));
    let mut names: BTreeSet<&str> = fields(&profile, "Profile").chain(fields(&options, "Options")).collect();
    for no_limit in ["number", "name", "namespaces", "task_queues", "activities", "surroundings", "entropy"] {
        assert!(names.remove(no_limit), "{no_limit} is a field");
    }
    let sources = sources(&["rs"]);
    let of_the_host = sources.iter().filter(|path| {
        let path = path.strip_prefix(root()).expect("sources are below the root").to_string_lossy();
        path.starts_with("host/") && !path.contains("/tests")
    });
    let texts: Vec<String> =
        of_the_host.map(|path| fs::read_to_string(path).expect("a source file")).collect();
    names.extend(texts.iter().flat_map(|text| maxima(text)));
    assert!(names.contains("payload_bytes") && names.contains("MAX_WAIT"), "{names:?}");
    for name in names {
        assert!(told.contains(&format!("`{name}`")), "ARCHITECTURE.md does not tell of the limit {name}");
    }
}

/// A value as people write it: a number, bytes with `KiB`, `MiB` or `GiB`, a time with `ms` or `s` (as milliseconds).
fn parse(value: &str) -> Option<u64> {
    let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
    let unit = match unit {
        "" | "ms" => 1,
        "s" => 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    Some(number.replace(',', "").parse::<u64>().ok()? * unit)
}

/// The value that a constant or a field is given: the first `NAME: .. = VALUE;` or `NAME: VALUE,` that is one.
fn value_in_code(text: &str, name: &str) -> Option<u64> {
    text.match_indices(&format!("{name}: ")).find_map(|(at, found)| {
        let before = text[..at].chars().next_back();
        let rest = &text[at + found.len()..];
        let line = rest.split(['\n', ';']).next()?.trim_end_matches(',');
        let value = line.split_once(" = ").map_or(line, |(_, value)| value);
        before.is_none_or(|c| !is_word(c)).then(|| evaluate(value)).flatten()
    })
}

/// `64 * 1024`, `256 * MIB as u64`, `1 << 30`, `Duration::from_secs(10)`, `NonZeroUsize::new(32).unwrap()`.
fn evaluate(code: &str) -> Option<u64> {
    let argument =
        |prefix: &str| code.strip_prefix(prefix).map(|rest| rest.split(')').next().unwrap_or(rest));
    if let Some(seconds) = argument("Duration::from_secs(") {
        return Some(evaluate(seconds)? * 1000);
    }
    let code = argument("Duration::from_millis(").or_else(|| argument("NonZeroUsize::new(")).unwrap_or(code);
    if let Some((one, shift)) = code.split_once(" << ") {
        return Some(evaluate(one)? << evaluate(shift)?);
    }
    code.trim_end_matches(" as u64").split(" * ").try_fold(1, |product, factor| {
        let factor = match factor {
            "KIB" => 1 << 10,
            "MIB" => 1 << 20,
            number => number.replace('_', "").parse::<u64>().ok()?,
        };
        Some(product * factor)
    })
}

#[test]
fn the_tables_of_the_format_are_those_of_the_store() {
    let (format, code) = (read("host/store/FORMAT.md"), read("host/store/src/batch.rs"));
    let keys = section(&format, "Keys");
    let mut tables = 0;
    for line in section(&format, "Tables").lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", number, name, ""] = cells[..] else { continue };
        let (Ok(number), name) = (number.parse::<u8>(), name.trim_matches('`')) else { continue };
        let in_code = |variant: &str| code.contains(&format!("    {variant} = {number},\n"));
        let variant: String = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        assert!(in_code(&variant), "the store has no table {variant} with the number {number}");
        assert!(keys.contains(&format!("\n| `{name}` | ")), "FORMAT.md does not tell the keys of {name}");
        tables += 1;
    }
    assert!(code.contains(&format!("pub const ALL: [Table; {tables}]")), "FORMAT.md has {tables} tables");
}

#[test]
fn excerpts_are_what_the_examples_have() {
    let mut excerpts = 0;
    for document in ["README.md", "LANGUAGES.md"] {
        let text = read(document);
        for marked in text.split("\n<!-- excerpt: ").skip(1) {
            let (path, rest) = marked.split_once(" -->\n```").expect("code follows its mark");
            let (_, rest) = rest.split_once('\n').expect("the code begins on a line of its own");
            let excerpt = rest.split("\n```").next().expect("the excerpt has an end");
            check_excerpt(path, excerpt);
            excerpts += 1;
        }
    }
    assert_eq!(excerpts, 6);
}

/// The lines are in the file in this order; where there is a `// ...`, others are between them.
fn check_excerpt(path: &str, excerpt: &str) {
    let example = format!("\n{}", read(path));
    let mut rest = example.as_str();
    for line in excerpt.lines().filter(|line| !line.is_empty() && line.trim() != "// ...") {
        let (_, after) = rest
            .split_once(&format!("\n{line}\n"))
            .unwrap_or_else(|| panic!("{path} has no such line, or not in this order: {line}"));
        // The line's end begins the next one.
        rest = &rest[rest.len() - after.len() - 1..];
    }
}

/// How the tables of machines are headed, over their rows.
const HEADS_OF_MACHINES: [&str; 4] = ["call", "event", "it is", "state"];

#[test]
fn a_test_holds_each_machine_to_the_table_that_opens_its_file() {
    let host = root().join("host").canonicalize().expect("the host's sources");
    let mut paths = Vec::new();
    files(&host, &["rs"], &mut paths);
    let (mut tables, mut held) = (BTreeSet::new(), BTreeSet::new());
    for path in paths {
        let text = fs::read_to_string(&path).expect("a source file");
        let documentation = text.lines().map_while(|line| line.strip_prefix("//!"));
        for line in documentation {
            let head = line.split('|').nth(1).map(str::trim).filter(|head| HEADS_OF_MACHINES.contains(head));
            tables.extend(head.map(|head| (path.clone(), head.to_owned())));
        }
        for call in text.split("hold(include_str!(\"").skip(1) {
            let (file, rest) = call.split_once("\"), \"").expect("a source and the head of its table");
            let file = path.with_file_name(file).canonicalize().expect("the source of a machine");
            held.insert((file, rest.split('"').next().unwrap_or_default().to_owned()));
        }
    }
    assert!(tables.len() > 8, "only {} tables were found", tables.len());
    assert_eq!(
        tables, held,
        "on the left what opens the files of machines, on the right what tests hold them to"
    );
}
