//! The languages that projects can be made in, each with all the files of a new project.

/// A language.
#[derive(Debug)]
pub struct Language {
    /// Its name on the command line.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The files of a new project, templates first.
    pub files: &'static [File],
}

/// A file of a new project.
#[derive(Debug)]
pub struct File {
    /// Where it is in the project. That of a template may name the project too.
    pub path: &'static str,
    /// What is in it.
    pub content: &'static [u8],
    /// Whether it is a program.
    pub is_executable: bool,
    /// Whether the project's name is put into it. What comes from an SDK is as it is there.
    pub is_template: bool,
}

/// All of them. The build script has the table.
pub static LANGUAGES: &[Language] = include!(concat!(env!("OUT_DIR"), "/languages.rs"));

impl Language {
    /// The language with this name on the command line.
    pub fn find(id: &str) -> Option<&'static Self> {
        LANGUAGES.iter().find(|language| language.id == id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::project::create::render;
    use crate::project::manifest::{FILE, Manifest};
    use crate::project::name::ProjectName;
    use crate::scenario::file::ScenarioFile;

    use super::*;

    fn text(language: &Language, path: &str) -> String {
        let file = language.files.iter().find(|file| file.path == path);
        let file = file.unwrap_or_else(|| panic!("a project in {} has no {path}", language.title));
        String::from_utf8(file.content.to_vec()).expect("a text")
    }

    #[test]
    fn every_language_has_what_a_project_needs() {
        assert!(Language::find("rust").is_some());
        let name = ProjectName::new("my-flow").expect("a name");
        for language in LANGUAGES {
            let title = language.title;
            let manifest = render(&text(language, FILE), &name);
            let manifest = Manifest::parse(&manifest).unwrap_or_else(|error| panic!("{title}: {error}"));
            assert_eq!(manifest.name, "my-flow", "{title}");
            assert_eq!(manifest.component.extension(), Some("wasm".as_ref()), "{title}");
            let readme = render(&text(language, "README.md"), &name);
            assert!(readme.contains("refrain dev"), "{title}: the README does not tell of `refrain dev`");
            let start = crate::cli::starts(&readme).next().unwrap_or_default();
            assert!(
                !start.contains(" \\"),
                "{title}: the command that starts a workflow is not on one line: {start}"
            );
            assert!(!start.is_empty(), "{title}: the README does not tell how a workflow is started");
            let scenarios = render(&text(language, "scenarios/{{ident}}.toml"), &name);
            let scenarios =
                ScenarioFile::parse(&scenarios).unwrap_or_else(|error| panic!("{title}: {error}"));
            let workflows = || scenarios.scenarios.iter().map(|scenario| scenario.workflow.as_str());
            assert!(
                workflows().all(|workflow| workflow == "my_flow"),
                "{title}: a scenario of something else"
            );
            assert!(readme.contains("refrain test"), "{title}: the README does not tell of `refrain test`");
            let ignored = text(language, ".gitignore");
            assert!(ignored.lines().any(|line| line.trim_matches('/') == ".refrain"), "{title}: {ignored}");
            let paths: BTreeSet<_> = language.files.iter().map(|file| render(file.path, &name)).collect();
            assert_eq!(paths.len(), language.files.len(), "{title}: two files have one path");
            let of_the_sdk = paths.iter().filter(|path| path.starts_with("refrain-sdk/"));
            assert!(of_the_sdk.count() > 5, "{title}: the SDK is not there");
        }
    }

    #[test]
    fn no_placeholder_is_left_in_a_template() {
        let name = ProjectName::new("my-flow").expect("a name");
        for language in LANGUAGES {
            for file in language.files.iter().filter(|file| file.is_template) {
                let Ok(content) = std::str::from_utf8(file.content) else { continue };
                for text in [render(file.path, &name), render(content, &name)] {
                    for placeholder in ["{{name", "{{ident", "{{ name", "{{ ident"] {
                        let (title, path) = (language.title, file.path);
                        assert!(!text.contains(placeholder), "{title}: {path} has {placeholder}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_that_was_built_or_installed_is_embedded() {
        /// All languages together; a binary should not grow by what nobody looked at.
        const LARGEST: usize = 4 * 1024 * 1024;
        let files = || LANGUAGES.iter().flat_map(|language| language.files);
        for file in files() {
            for built in ["node_modules/", "target/", "__pycache__/", ".venv/", "_cache/", ".refrain/"] {
                assert!(!file.path.contains(built), "{}", file.path);
            }
        }
        let size: usize = files().map(|file| file.content.len()).sum();
        assert!(size < LARGEST, "{size} bytes are embedded");
    }

    #[test]
    fn the_sdk_in_a_rust_project_has_the_dependencies_of_the_sdk() {
        let embedded = text(Language::find("rust").expect("Rust"), "refrain-sdk/Cargo.toml");
        let embedded: toml::Table = embedded.parse().expect("a manifest");
        let ours: toml::Table = include_str!("../../../../Cargo.toml").parse().expect("a manifest");
        let part = |table: &toml::Table, path: [&str; 2]| table["workspace"][path[0]].get(path[1]).cloned();
        for key in ["version", "edition", "license"] {
            assert_eq!(part(&embedded, ["package", key]), part(&ours, ["package", key]), "{key}");
        }
        let dependencies = embedded["workspace"]["dependencies"].as_table().expect("a table");
        for (name, dependency) in dependencies.iter().filter(|(name, _)| !name.starts_with("refrain-")) {
            assert_eq!(Some(dependency), part(&ours, ["dependencies", name]).as_ref(), "{name}");
        }
    }
}
