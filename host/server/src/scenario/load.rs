//! Files of scenarios and the components that they are about, each of which is compiled once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use refrain_testkit::{Code, CodeError};

use super::file::ScenarioFile;

/// A component under test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Its name on the host.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

impl Component {
    /// A component that is called as its file is.
    pub fn named_by(path: PathBuf) -> Self {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, path }
    }
}

/// A file of scenarios, and the code that they are about.
pub struct Suite {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub file: ScenarioFile,
    pub(super) code: Code,
}

/// Why a file's scenarios cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// It is not what it should be.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No host would take its component.
    #[error("{}: {error}", path.display())]
    Code {
        /// The component.
        path: PathBuf,
        /// Why.
        error: CodeError,
    },
}

/// Takes up files of scenarios.
pub struct Loader {
    /// What code is added to.
    base: Code,
    /// The component of files that name none.
    default: Option<Component>,
    compiled: BTreeMap<Vec<Component>, Code>,
}

impl Loader {
    /// Takes them up into the sandbox of this code, in which there is none yet. `default` is the component that files are
    /// about which name none.
    pub fn new(base: Code, default: Option<Component>) -> Self {
        Self { base, default, compiled: BTreeMap::new() }
    }

    /// Reads a file, and compiles its components unless another file was about the same ones.
    ///
    /// # Errors
    /// When the file or a component cannot be used.
    pub fn open(&mut self, path: &Path) -> Result<Suite, SuiteError> {
        let refuse = |problem: String| SuiteError::File { path: path.to_owned(), problem };
        let text = fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let file = ScenarioFile::parse(&text).map_err(refuse)?;
        let components = self.components(&file, path.parent().unwrap_or(Path::new("")));
        if components.is_empty() {
            let problem = "no component is given: say `component = \"path/to.wasm\"` in it, or --component";
            return Err(refuse(problem.to_owned()));
        }
        let code = match self.compiled.get(&components) {
            Some(code) => code.clone(),
            None => {
                let mut code = self.base.clone();
                for Component { name, path } in &components {
                    let unreadable = |error| {
                        let path = path.display();
                        refuse(format!("cannot read the component {path}: {error}: build it first"))
                    };
                    let wasm = fs::read(path).map_err(unreadable)?;
                    code.add(name, wasm).map_err(|error| SuiteError::Code { path: path.clone(), error })?;
                }
                self.compiled.insert(components, code.clone());
                code
            }
        };
        Ok(Suite { path: path.to_owned(), file, code })
    }

    fn components(&self, file: &ScenarioFile, folder: &Path) -> Vec<Component> {
        let named = file.components.iter();
        let named = named.map(|(name, path)| Component { name: name.clone(), path: folder.join(path) });
        let own = file.component.as_ref().map(|path| Component::named_by(folder.join(path)));
        named.chain(own.or_else(|| self.default.clone())).collect()
    }
}
