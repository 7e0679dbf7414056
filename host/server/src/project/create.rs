//! Writing a new project.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::languages::{File, Language};
use super::name::ProjectName;

/// Why there is no new project, or half of one.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is something in its folder.
    #[error("the folder {} is not empty: choose another name, or an empty folder with --dir", .0.display())]
    NotEmpty(PathBuf),
    /// Something that is no folder is in its place.
    #[error("{} is there, and no folder: choose another name, or another folder with --dir", .0.display())]
    NoFolder(PathBuf),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes a project into this folder, which is made if need be; answers the paths of the files in it.
///
/// # Errors
/// When something is in the folder, or it cannot be written.
pub fn create(dir: &Path, name: &ProjectName, language: &Language) -> Result<Vec<String>, CreateError> {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(CreateError::NotEmpty(dir.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(CreateError::NoFolder(dir.to_owned()));
        }
        Err(source) => return Err(CreateError::Write { path: dir.to_owned(), source }),
    }
    language.files.iter().map(|file| write(dir, name, file)).collect()
}

/// Puts a project's name into a text.
pub(super) fn render(text: &str, name: &ProjectName) -> String {
    text.replace("{{name}}", name.as_str()).replace("{{ident}}", &name.ident())
}

fn write(dir: &Path, name: &ProjectName, file: &File) -> Result<String, CreateError> {
    let path = if file.is_template { render(file.path, name) } else { file.path.to_owned() };
    let to = dir.join(&path);
    let written = match std::str::from_utf8(file.content) {
        Ok(text) if file.is_template => save(&to, render(text, name).as_bytes(), file.is_executable),
        // What is no text has no placeholders.
        Ok(_) | Err(_) => save(&to, file.content, file.is_executable),
    };
    written.map(|()| path).map_err(|source| CreateError::Write { path: to, source })
}

fn save(path: &Path, content: &[u8], is_executable: bool) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if is_executable { 0o777 } else { 0o666 });
    #[cfg(not(unix))]
    let _ = is_executable;
    options.open(path)?.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANGUAGE: Language = Language {
        id: "test",
        title: "Test",
        files: &[
            File {
                path: "src/{{ident}}.t",
                content: b"{{name}} {{ident}}",
                is_executable: false,
                is_template: true,
            },
            File { path: "run", content: b"\xff{{name}}", is_executable: true, is_template: true },
            File { path: "sdk/{{name}}", content: b"{{name}}", is_executable: false, is_template: false },
        ],
    };

    #[test]
    fn the_name_is_put_into_templates_and_their_paths_and_into_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let project = dir.path().join("a/b");
        let name = ProjectName::new("my-flow").expect("a name");
        let paths = create(&project, &name, &LANGUAGE).expect("a project");
        assert_eq!(paths, ["src/my_flow.t", "run", "sdk/{{name}}"]);
        let read = |path: &str| fs::read(project.join(path)).expect("a file");
        assert_eq!(read("src/my_flow.t"), b"my-flow my_flow");
        assert_eq!(read("run"), b"\xff{{name}}");
        assert_eq!(read("sdk/{{name}}"), b"{{name}}");
        #[cfg(unix)]
        for (path, executable) in [("run", true), ("src/my_flow.t", false)] {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(project.join(path)).expect("a file").permissions().mode();
            assert_eq!(mode & 0o100 != 0, executable, "{path}");
        }
    }

    #[test]
    fn nothing_that_is_there_is_touched() {
        let dir = tempfile::tempdir().expect("a directory");
        let name = ProjectName::new("my-flow").expect("a name");
        fs::create_dir(dir.path().join("empty")).expect("a folder");
        create(&dir.path().join("empty"), &name, &LANGUAGE).expect("an empty folder is as good as none");
        let error = create(&dir.path().join("empty"), &name, &LANGUAGE).expect_err("it has files");
        assert!(matches!(error, CreateError::NotEmpty(_)), "{error}");
        fs::write(dir.path().join("file"), "mine").expect("a file");
        let error = create(&dir.path().join("file"), &name, &LANGUAGE).expect_err("it is a file");
        assert!(matches!(error, CreateError::NoFolder(_)), "{error}");
        assert_eq!(fs::read(dir.path().join("file")).expect("a file"), b"mine");
    }
}
