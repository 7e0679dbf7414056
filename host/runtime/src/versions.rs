//! The versions of a component's name: which is current, what needs them, and deleting those that nothing needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use refrain_engine::ids::{Digest, Namespace};
use refrain_store::schema::Prefix;

use crate::components::count_pinned;
use crate::error::Error;
use crate::runtime::{Runtime, blocking, to_its_end};

impl Runtime {
    /// How many open runs each version of a component's name executes.
    ///
    /// # Errors
    /// When there is no such component, or the store cannot be read.
    pub async fn open_runs(
        &self,
        namespace: &Namespace,
        component: &str,
    ) -> Result<BTreeMap<u32, u64>, Error> {
        self.shared.check_namespace(namespace)?;
        let versions = self.shared.components.versions(namespace, component)?;
        let (shared, namespace) = (Arc::clone(&self.shared), namespace.clone());
        blocking(move || {
            let count = |version: u32, name: &str| {
                count_pinned(&*shared.store, &Prefix::pinned_to(&namespace, name, version))
            };
            versions.iter().map(|of| Ok((of.version, count(of.version, &of.name)?))).collect()
        })
        .await
    }

    /// Makes a version of a component the one that new runs get. Runs keep theirs.
    ///
    /// # Errors
    /// When there is no such version, or the store refuses.
    pub async fn activate_component_version(
        &self,
        namespace: &Namespace,
        component: &str,
        version: u32,
    ) -> Result<(), Error> {
        self.shared.check_open()?;
        self.shared.check_namespace(namespace)?;
        let (shared, namespace, component) =
            (Arc::clone(&self.shared), namespace.clone(), component.to_owned());
        to_its_end(async move {
            let activated = shared.components.activate(&*shared.store, &namespace, &component, version).await;
            activated.inspect_err(|error| shared.note_error(error))
        })
        .await
    }

    /// Deletes a version of a component that no open run needs. Answers its code, which is the caller's to remove if
    /// no other version has it ([`Self::has_code`]). Runs that have ended keep their histories, and can be asked
    /// nothing any more once the code is gone.
    ///
    /// # Errors
    /// When there is no such version, it is the current one, open runs need it, or the store refuses.
    pub async fn delete_component_version(
        &self,
        namespace: &Namespace,
        component: &str,
        version: u32,
    ) -> Result<Digest, Error> {
        self.shared.check_open()?;
        self.shared.check_namespace(namespace)?;
        let (shared, namespace, component) =
            (Arc::clone(&self.shared), namespace.clone(), component.to_owned());
        to_its_end(async move {
            let deleted = shared.components.delete(&*shared.store, &namespace, &component, version).await;
            deleted.inspect_err(|error| shared.note_error(error))
        })
        .await
    }

    /// Whether some version, of whichever component and namespace, has this code.
    pub fn has_code(&self, digest: Digest) -> bool {
        self.shared.components.has_code(digest)
    }
}
