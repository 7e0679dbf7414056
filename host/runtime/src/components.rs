//! Names of components, their versions, and which of them defines a workflow type.
//!
//! All versions are kept in memory: they are few, and each start asks for one.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use refrain_engine::codec;
use refrain_engine::ids::{Digest, Namespace, check_name};
use refrain_engine::time::Timestamp;
use refrain_store::schema::{ComponentName, ComponentVersion, Key, OnTrap, Prefix, after};
use refrain_store::{Batch, Class, Order, Store, Table};

use crate::error::Error;
use crate::types::{ComponentSummary, NewComponent, Page, Registered};

/// Rows of one read while the table is loaded.
const PIECE: usize = 1_000;

/// The components of all namespaces.
#[derive(Default)]
pub(crate) struct Components {
    names: RwLock<BTreeMap<(Namespace, String), Versions>>,
    /// Held while a version is added, so that two uploads of one name follow each other.
    adding: tokio::sync::Mutex<()>,
}

/// The versions of one name, by number. The last is the current one.
type Versions = BTreeMap<u32, Arc<ComponentVersion>>;

impl Components {
    /// Reads the table.
    pub(crate) fn load(store: &dyn Store, namespaces: &[Namespace]) -> Result<Self, Error> {
        let components = Self::default();
        for namespace in namespaces {
            let prefix = Prefix::namespace(Table::ComponentVersions, namespace);
            let mut from = prefix.bytes.clone();
            loop {
                let rows = store.range(prefix.table, &from, &prefix.end(), Order::Ascending, PIECE)?;
                let Some((last, _)) = rows.last() else { break };
                from = after(last);
                for (_, value) in &rows {
                    components.insert(namespace, codec::decode("component", value)?);
                }
            }
        }
        Ok(components)
    }

    fn insert(&self, namespace: &Namespace, version: ComponentVersion) {
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names
            .entry((namespace.clone(), version.name.clone()))
            .or_default()
            .insert(version.version, Arc::new(version));
    }

    /// Gives a digest to a name, as its next version. Idempotent by digest: uploading the current version
    /// again changes nothing.
    pub(crate) async fn register(
        &self,
        store: &dyn Store,
        namespace: &Namespace,
        name: &str,
        new: NewComponent,
        now: Timestamp,
    ) -> Result<Registered, Error> {
        check_name("name", name)?;
        let _one_at_a_time = self.adding.lock().await;
        let current = self.current(namespace, name);
        if let Some(current) = current.as_ref().filter(|current| current.digest == new.digest) {
            return Ok(Registered { version: current.version, created: false });
        }
        let version = current.map_or(1, |current| current.version + 1);
        let NewComponent { digest, uploaded_bytes, sdk, imports, workflows } = new;
        let row = ComponentVersion {
            name: name.to_owned(),
            version,
            digest,
            uploaded_at: now,
            uploaded_bytes,
            sdk,
            imports,
            workflows,
        };
        let (name_key, version_key) =
            (Key::component(namespace, name), Key::component_version(namespace, name, version));
        let batch = Batch::new()
            .class(Class::Intake)
            .require_absent(version_key.table, version_key.bytes.clone())
            .put(version_key.table, version_key.bytes, codec::encode(&row))
            .put(name_key.table, name_key.bytes, codec::encode(&ComponentName { current: version }));
        store.commit(batch).await?;
        self.insert(namespace, row);
        Ok(Registered { version, created: true })
    }

    /// The current version of a name.
    pub(crate) fn current(&self, namespace: &Namespace, name: &str) -> Option<Arc<ComponentVersion>> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.get(&(namespace.clone(), name.to_owned()))?.values().next_back().cloned()
    }

    /// A version of a name; `None`: the current one.
    pub(crate) fn version(
        &self,
        namespace: &Namespace,
        name: &str,
        version: Option<u32>,
    ) -> Result<Arc<ComponentVersion>, Error> {
        let versions = self.versions(namespace, name)?;
        let found = match version {
            Some(number) => versions.iter().find(|version| version.version == number),
            None => versions.last(),
        };
        found.cloned().ok_or_else(|| Error::NotFound {
            what: "component version",
            id: format!("{name} {}", version.unwrap_or_default()),
        })
    }

    /// All versions of a name, oldest first.
    pub(crate) fn versions(
        &self,
        namespace: &Namespace,
        name: &str,
    ) -> Result<Vec<Arc<ComponentVersion>>, Error> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let versions = names
            .get(&(namespace.clone(), name.to_owned()))
            .ok_or_else(|| Error::NotFound { what: "component", id: name.to_owned() })?;
        Ok(versions.values().cloned().collect())
    }

    /// The names of a namespace, in their order, from after the cursor.
    pub(crate) fn list(
        &self,
        namespace: &Namespace,
        limit: usize,
        cursor: Option<&str>,
    ) -> Page<ComponentSummary> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let after = cursor.unwrap_or_default();
        let mut items: Vec<ComponentSummary> = names
            .iter()
            .filter(|((of, name), _)| of == namespace && name.as_str() > after)
            .filter_map(|(_, versions)| versions.values().next_back())
            .take(limit.saturating_add(1))
            .map(|current| ComponentSummary {
                name: current.name.clone(),
                current: current.version,
                digest: current.digest,
                updated_at: current.uploaded_at,
                workflows: current.workflows.iter().map(|workflow| workflow.name.clone()).collect(),
            })
            .collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|last| last.name.clone());
        Page { items, next_cursor }
    }

    /// The version that a start of this type gets.
    pub(crate) fn resolve(
        &self,
        namespace: &Namespace,
        workflow: &str,
        component: Option<&str>,
        version: Option<u32>,
    ) -> Result<Arc<ComponentVersion>, Error> {
        if let Some(component) = component {
            let found = self.version(namespace, component, version)?;
            return if found.defines(workflow) {
                Ok(found)
            } else {
                Err(Error::UnknownWorkflow {
                    workflow: workflow.to_owned(),
                    known: found.workflows.iter().map(|defined| defined.name.clone()).collect(),
                })
            };
        }
        if let Some(version) = version {
            return Err(Error::Invalid {
                field: "version".to_owned(),
                message: format!("is {version} without a component: say which component's version that is"),
            });
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let current = || {
            names
                .iter()
                .filter(|((of, _), _)| of == namespace)
                .filter_map(|(_, versions)| versions.values().next_back())
        };
        let mut defining = current().filter(|version| version.defines(workflow));
        match (defining.next(), defining.next()) {
            (Some(only), None) => Ok(Arc::clone(only)),
            (Some(_), Some(_)) => Err(Error::Ambiguous {
                workflow: workflow.to_owned(),
                components: current().filter(|v| v.defines(workflow)).map(|v| v.name.clone()).collect(),
            }),
            (None, _) => Err(Error::UnknownWorkflow {
                workflow: workflow.to_owned(),
                known: current().flat_map(|v| v.workflows.iter().map(|w| w.name.clone())).collect(),
            }),
        }
    }

    /// What a trap of this workflow does. A version that is not known any more parks: that loses nothing.
    pub(crate) fn on_trap(
        &self,
        namespace: &Namespace,
        component: &str,
        digest: Digest,
        workflow: &str,
    ) -> OnTrap {
        let versions = self.versions(namespace, component).unwrap_or_default();
        let version = versions.iter().find(|version| version.digest == digest);
        version
            .and_then(|version| version.workflow(workflow))
            .map_or(OnTrap::Park, |workflow| workflow.on_trap)
    }
}
