//! Names of components, their versions, and which of them defines a workflow type.
//!
//! All versions are kept in memory: they are few, and each start asks for one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use refrain_engine::codec;
use refrain_engine::definition::OnTrap;
use refrain_engine::ids::{Digest, Namespace, check_name};
use refrain_engine::time::Timestamp;
use refrain_store::schema::{ComponentName, ComponentVersion, Key, Prefix, after};
use refrain_store::{Batch, Class, Order, Store, Table};

use crate::error::Error;
use crate::types::{ComponentSummary, NewComponent, Page, Registered};

/// Rows of one read while the table is loaded.
const PIECE: usize = 1_000;

/// The components of all namespaces.
#[derive(Default)]
pub(crate) struct Components {
    names: RwLock<Names>,
    /// Held while something about the versions changes, so that two changes follow each other.
    changing: tokio::sync::Mutex<()>,
}

type Names = BTreeMap<(Namespace, String), Versions>;

/// The versions of one name.
struct Versions {
    /// The number of the one that new runs get.
    current: u32,
    /// The highest number there ever was.
    newest: u32,
    by_number: BTreeMap<u32, Arc<ComponentVersion>>,
}

impl Versions {
    /// The version that new runs get.
    fn current(&self) -> Option<&Arc<ComponentVersion>> {
        self.by_number.get(&self.current)
    }

    fn row(&self) -> ComponentName {
        ComponentName { current: self.current, newest: self.newest }
    }
}

impl Components {
    /// Reads the tables.
    pub(crate) async fn load(store: &dyn Store, namespaces: &[Namespace]) -> Result<Self, Error> {
        let components = Self::default();
        for namespace in namespaces {
            let prefix = Prefix::namespace(Table::ComponentVersions, namespace);
            let mut from = prefix.bytes.clone();
            loop {
                let rows = store.range(prefix.table, &from, &prefix.end(), Order::Ascending, PIECE)?;
                let Some((last, _)) = rows.last() else { break };
                from = after(last);
                for (key, value) in rows {
                    let version: ComponentVersion = codec::decode("component", &value)?;
                    let place = Key::component_version(namespace, &version.name, version.version);
                    if key != place.bytes {
                        // The host stopped before it had decided whether the version can be deleted: it was not.
                        let found =
                            Batch::new().put(place.table, place.bytes, value).delete(place.table, key);
                        store.commit(found).await?;
                    }
                    components.put_in(store, namespace, version)?;
                }
            }
        }
        Ok(components)
    }

    /// Puts in a version that was read.
    fn put_in(
        &self,
        store: &dyn Store,
        namespace: &Namespace,
        version: ComponentVersion,
    ) -> Result<(), Error> {
        let mut names = self.names_mut();
        let number = version.version;
        let versions = match names.entry((namespace.clone(), version.name.clone())) {
            Entry::Occupied(versions) => versions.into_mut(),
            Entry::Vacant(vacant) => {
                let key = Key::component(namespace, &version.name);
                let row = store.get(key.table, &key.bytes)?;
                let name =
                    row.map(|row| codec::decode::<ComponentName>("component's name", &row)).transpose()?;
                let ComponentName { current, newest } =
                    name.unwrap_or(ComponentName { current: number, newest: number });
                vacant.insert(Versions { current, newest, by_number: BTreeMap::new() })
            }
        };
        versions.newest = versions.newest.max(number);
        versions.by_number.insert(number, Arc::new(version));
        Ok(())
    }

    fn names(&self) -> RwLockReadGuard<'_, Names> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn names_mut(&self) -> RwLockWriteGuard<'_, Names> {
        self.names.write().unwrap_or_else(PoisonError::into_inner)
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
        let _one_at_a_time = self.changing.lock().await;
        let current = self.current(namespace, name);
        if let Some(current) = current.filter(|current| current.digest == new.digest) {
            return Ok(Registered { version: current.version, created: false });
        }
        let of = (namespace.clone(), name.to_owned());
        let known = self.names().get(&of).map(|versions| versions.newest);
        let version = known.map_or_else(|| newest_ever(store, namespace, name), Ok)? + 1;
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
            .put(
                name_key.table,
                name_key.bytes,
                codec::encode(&ComponentName { current: version, newest: version }),
            );
        store.commit(batch).await?;
        let mut names = self.names_mut();
        let versions = names.entry(of).or_insert_with(|| Versions {
            current: version,
            newest: version,
            by_number: BTreeMap::new(),
        });
        (versions.current, versions.newest) = (version, version);
        versions.by_number.insert(version, Arc::new(row));
        Ok(Registered { version, created: true })
    }

    /// Makes a version the one that new runs get.
    pub(crate) async fn activate(
        &self,
        store: &dyn Store,
        namespace: &Namespace,
        name: &str,
        version: u32,
    ) -> Result<(), Error> {
        let _one_at_a_time = self.changing.lock().await;
        self.version(namespace, name, Some(version))?;
        let of = (namespace.clone(), name.to_owned());
        let Some(row) = self.names().get(&of).map(Versions::row) else { return Ok(()) };
        if row.current != version {
            let key = Key::component(namespace, name);
            let row = codec::encode(&ComponentName { current: version, ..row });
            store.commit(Batch::new().put(key.table, key.bytes, row)).await?;
        }
        if let Some(versions) = self.names_mut().get_mut(&of) {
            versions.current = version;
        }
        Ok(())
    }

    /// Deletes a version that no open run needs. Answers its code.
    ///
    /// No run may begin between the count of those that need it and the deletion. So its row is taken out of its
    /// place first, where each run that begins, and each that moves, requires it to be.
    pub(crate) async fn delete(
        &self,
        store: &dyn Store,
        namespace: &Namespace,
        name: &str,
        number: u32,
    ) -> Result<Digest, Error> {
        let _one_at_a_time = self.changing.lock().await;
        let version = self.version(namespace, name, Some(number))?;
        let of = (namespace.clone(), name.to_owned());
        // The last one of a name goes, and the name with it; but which numbers there were is remembered.
        let is_current = |versions: &Versions| versions.current == number && versions.by_number.len() > 1;
        if self.names().get(&of).is_some_and(is_current) {
            return Err(Error::CurrentVersion { component: name.to_owned(), version: number });
        }
        let place = Key::component_version(namespace, name, number);
        let retired = Key::retired_version(namespace, name, number);
        let row = codec::encode(&*version);
        let out = Batch::new().delete(place.table, place.bytes.clone()).put(
            retired.table,
            retired.bytes.clone(),
            row.clone(),
        );
        store.commit(out).await?;
        let runs = count_pinned(store, &Prefix::pinned_to(namespace, name, number))?;
        let decided = Batch::new().delete(retired.table, retired.bytes);
        if runs > 0 {
            store.commit(decided.put(place.table, place.bytes, row)).await?;
            return Err(Error::VersionInUse { component: name.to_owned(), version: number, runs });
        }
        store.commit(decided).await?;
        if let Entry::Occupied(mut versions) = self.names_mut().entry(of) {
            versions.get_mut().by_number.remove(&number);
            if versions.get().by_number.is_empty() {
                versions.remove();
            }
        }
        Ok(version.digest)
    }

    /// Resolves when no version is being deleted any more that was when this was asked.
    pub(crate) async fn decided(&self) {
        drop(self.changing.lock().await);
    }

    /// Whether some version, of whichever name and namespace, has this code.
    pub(crate) fn has_code(&self, digest: Digest) -> bool {
        let names = self.names();
        names.values().any(|versions| versions.by_number.values().any(|version| version.digest == digest))
    }

    /// The current version of a name.
    pub(crate) fn current(&self, namespace: &Namespace, name: &str) -> Option<Arc<ComponentVersion>> {
        self.names().get(&(namespace.clone(), name.to_owned()))?.current().cloned()
    }

    /// A version of a name; `None`: the current one.
    pub(crate) fn version(
        &self,
        namespace: &Namespace,
        name: &str,
        version: Option<u32>,
    ) -> Result<Arc<ComponentVersion>, Error> {
        let names = self.names();
        let versions = names
            .get(&(namespace.clone(), name.to_owned()))
            .ok_or_else(|| Error::NotFound { what: "component", id: name.to_owned() })?;
        let number = version.unwrap_or(versions.current);
        versions.by_number.get(&number).cloned().ok_or_else(|| no_version(name, &number))
    }

    /// The newest version of a name that has this code.
    pub(crate) fn version_of_code(
        &self,
        namespace: &Namespace,
        name: &str,
        digest: Digest,
    ) -> Result<Arc<ComponentVersion>, Error> {
        let versions = self.versions(namespace, name)?;
        let found = versions.into_iter().rev().find(|version| version.digest == digest);
        found.ok_or_else(|| no_version(name, &digest))
    }

    /// All versions of a name, oldest first.
    pub(crate) fn versions(
        &self,
        namespace: &Namespace,
        name: &str,
    ) -> Result<Vec<Arc<ComponentVersion>>, Error> {
        let names = self.names();
        let versions = names
            .get(&(namespace.clone(), name.to_owned()))
            .ok_or_else(|| Error::NotFound { what: "component", id: name.to_owned() })?;
        Ok(versions.by_number.values().cloned().collect())
    }

    /// The names of a namespace, in their order, from after the cursor.
    pub(crate) fn list(
        &self,
        namespace: &Namespace,
        limit: usize,
        cursor: Option<&str>,
    ) -> Page<ComponentSummary> {
        let names = self.names();
        let after = cursor.unwrap_or_default();
        let mut items: Vec<ComponentSummary> = names
            .iter()
            .filter(|((of, name), _)| of == namespace && name.as_str() > after)
            .filter_map(|(_, versions)| versions.current())
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
            return defining(self.version(namespace, component, version)?, workflow);
        }
        if let Some(version) = version {
            return Err(Error::Invalid {
                field: "version".to_owned(),
                message: format!("is {version} without a component: say which component's version that is"),
            });
        }
        let names = self.names();
        let current = || {
            let here = names.iter().filter(|((of, _), _)| of == namespace);
            here.filter_map(|(_, versions)| versions.current())
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

    /// As [`Self::resolve`], of a start that names its code. Without a component it is that of the one name which
    /// has the code.
    pub(crate) fn resolve_code(
        &self,
        namespace: &Namespace,
        workflow: &str,
        component: Option<&str>,
        digest: Digest,
    ) -> Result<Arc<ComponentVersion>, Error> {
        if let Some(component) = component {
            return defining(self.version_of_code(namespace, component, digest)?, workflow);
        }
        let names = self.names();
        let here = names.iter().filter(|((of, _), _)| of == namespace);
        let mut found: Vec<&Arc<ComponentVersion>> = here
            .filter_map(|(_, versions)| versions.by_number.values().rfind(|version| version.digest == digest))
            .collect();
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => defining(Arc::clone(only), workflow),
            (Some(last), false) => Err(Error::Ambiguous {
                workflow: workflow.to_owned(),
                components: found.iter().chain([&last]).map(|version| version.name.clone()).collect(),
            }),
            (None, _) => Err(Error::NotFound { what: "component", id: digest.to_string() }),
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

/// The highest number that a name has had whose versions are all gone; 0 for a new name.
fn newest_ever(store: &dyn Store, namespace: &Namespace, name: &str) -> Result<u32, Error> {
    let key = Key::component(namespace, name);
    let Some(row) = store.get(key.table, &key.bytes)? else { return Ok(0) };
    let ComponentName { newest, .. } = codec::decode("component's name", &row)?;
    Ok(newest)
}

fn no_version(name: &str, which: &dyn std::fmt::Display) -> Error {
    Error::NotFound { what: "component version", id: format!("{name} {which}") }
}

/// The version, if it has the workflow type.
fn defining(version: Arc<ComponentVersion>, workflow: &str) -> Result<Arc<ComponentVersion>, Error> {
    if version.defines(workflow) {
        return Ok(version);
    }
    Err(Error::UnknownWorkflow {
        workflow: workflow.to_owned(),
        known: version.workflows.iter().map(|defined| defined.name.clone()).collect(),
    })
}

/// How many open runs there are under a prefix of the table of pinned ones. Reads them all, piece by piece.
pub(crate) fn count_pinned(store: &dyn Store, prefix: &Prefix) -> Result<u64, Error> {
    let (mut from, to) = (prefix.bytes.clone(), prefix.end());
    let mut count = 0;
    loop {
        let rows = store.range(prefix.table, &from, &to, Order::Ascending, PIECE)?;
        count += rows.len() as u64;
        match rows.last() {
            Some((last, _)) if rows.len() == PIECE => from = after(last),
            Some(_) | None => return Ok(count),
        }
    }
}
