//! Deletion: at once, or once nobody holds the object any more.

use std::{collections::BTreeSet, sync::Arc};

use fleetgate_apimachinery::{
    meta::{ObjectMeta, Time},
    options::{
        DeleteOptions, DryRun, ListOptions, Preconditions, Propagation, ResourceVersion,
        ResourceVersionMatch,
    },
    schema::GroupResource,
    status::Status,
};
use fleetgate_storage::Write;

use super::{List, Outcome, Registry};
use crate::{Object, Stored, Strategy, stored::encode};

/// The finalizer of an object whose dependents are to stay.
const ORPHAN: &str = "orphan";
/// The finalizer of an object whose dependents are to go first.
const FOREGROUND: &str = "foregroundDeletion";
/// How often a deletion is tried anew because somebody else changed the object.
const MAX_ATTEMPTS: usize = 100;

/// What became of a deletion.
#[derive(Clone, Debug)]
pub enum Deleted<O> {
    /// The object is gone; what to answer.
    Gone(Box<Status>),
    /// The object is held by finalizers and goes with the last of them.
    Held(Arc<Stored<O>>),
}

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Deletes the object called `name`.
    ///
    /// # Errors
    /// 404 where there is none, 409 where it is not the one that was expected, and those of the
    /// store.
    pub async fn delete(
        &self,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted<S::Object>, Status> {
        let current = self.get_latest(name).await?;
        self.delete_current(current, options).await
    }

    /// Deletes all objects that `selected` selects, one after the other, and gives back what they
    /// were. Of an object that cannot be deleted the error is given back, and the rest stays. What
    /// is selected at a resource version is what was there then, never more.
    ///
    /// # Errors
    /// Those of [`Self::list`] and [`Self::delete`].
    pub async fn delete_collection(
        &self,
        options: &DeleteOptions,
        selected: &ListOptions,
    ) -> Result<List<S::Object>, Status> {
        let mut selected = selected.clone();
        // Kubernetes reads what is to go page by page, and of pages a version means exactly that.
        if selected.resource_version_match.is_none()
            && matches!(selected.resource_version, ResourceVersion::At(_))
        {
            selected.resource_version_match = Some(ResourceVersionMatch::Exact);
        }
        let list = self.list(&selected).await?;
        for object in &list.items {
            match self.delete_current(Arc::clone(object), options).await {
                Ok(_) => {}
                Err(status) if status.reason == "NotFound" => {}
                Err(status) => return Err(status),
            }
        }
        Ok(list)
    }

    async fn delete_current(
        &self,
        mut current: Arc<Stored<S::Object>>,
        options: &DeleteOptions,
    ) -> Result<Deleted<S::Object>, Status> {
        for _ in 0..MAX_ATTEMPTS {
            let name = current.name().to_owned();
            self.check_preconditions(&current, &options.preconditions)?;
            let metadata = current.object().metadata();
            let finalizers = finalizers(&metadata.finalizers, options.propagation);
            let lost = if finalizers.is_empty() {
                self.remove(&current, options.dry_run).await?
            } else {
                let marked = marked(current.object(), finalizers, Time::now());
                self.hold(&current, marked, options.dry_run).await?
            };
            match lost {
                Ok(deleted) => return Ok(deleted),
                Err(Some(newer)) => current = newer,
                Err(None) => return Err(self.not_found(&name)),
            }
        }
        let resource = self.strategy.names().group_resource();
        Err(Status::modified(resource, current.name()))
    }

    /// Removes `current`. What is there instead, if somebody else was faster.
    async fn remove(
        &self,
        current: &Stored<S::Object>,
        dry_run: DryRun,
    ) -> Result<Result<Deleted<S::Object>, Option<Arc<Stored<S::Object>>>>, Status> {
        let name = current.name();
        let write = Write::Delete {
            key: self.key(name)?,
            mod_revision: current.revision(),
        };
        if dry_run == DryRun::No
            && let Outcome::Lost { current } = self.write(write).await?
        {
            return Ok(Err(current));
        }
        let resource = self.strategy.names().group_resource();
        let status = Status::deleted(resource, name, &current.object().metadata().uid);
        Ok(Ok(Deleted::Gone(Box::new(status))))
    }

    /// Writes that `current` is being deleted. What is there instead, if somebody else was faster.
    async fn hold(
        &self,
        current: &Arc<Stored<S::Object>>,
        marked: S::Object,
        dry_run: DryRun,
    ) -> Result<Result<Deleted<S::Object>, Option<Arc<Stored<S::Object>>>>, Status> {
        let names = self.strategy.names();
        let held = |object, revision| {
            Ok(Ok(Deleted::Held(Arc::new(Stored::new(
                object, revision, names,
            )))))
        };
        let bytes = |object| encode(object, names).map_err(Status::internal);
        if !current.is_stale() && bytes(&marked)? == bytes(current.object())? {
            return Ok(Ok(Deleted::Held(Arc::clone(current))));
        }
        let value = current.encode_next(&marked, self.strategy.item_keys());
        let value = value.map_err(Status::internal)?;
        let mod_revision = current.revision();
        if dry_run == DryRun::All {
            return held(marked, mod_revision);
        }
        let key = self.key(current.name())?;
        match self
            .write(Write::Update {
                key,
                value,
                mod_revision,
            })
            .await?
        {
            Outcome::Committed { revision } => held(marked, revision),
            Outcome::Lost { current } => Ok(Err(current)),
        }
    }

    fn check_preconditions(
        &self,
        current: &Stored<S::Object>,
        expected: &Preconditions,
    ) -> Result<(), Status> {
        let metadata = current.object().metadata();
        let refuse = |what: &str, expected: &str, found: &str, then: &str| {
            let names = self.strategy.names();
            // Kubernetes names the kind here.
            let kind = GroupResource {
                group: names.group,
                resource: names.kind,
            };
            let why = format!(
                "the {what} in the precondition ({expected}) does not match the {what} in record \
                 ({found}). The object might have been {then}"
            );
            Err(Status::conflict(kind, current.name(), &why))
        };
        if let Some(uid) = expected.uid.as_ref().filter(|uid| **uid != metadata.uid) {
            return refuse("UID", uid, &metadata.uid, "deleted and then recreated");
        }
        let version = &metadata.resource_version;
        match expected
            .resource_version
            .as_ref()
            .filter(|expected| *expected != version)
        {
            Some(expected) => refuse("ResourceVersion", expected, version, "modified"),
            None => Ok(()),
        }
    }
}

/// The finalizers that hold an object once it is deleted: those it has, and that of the
/// propagation that is asked for. Without such a wish, what the object says itself counts.
fn finalizers(present: &[String], propagation: Option<Propagation>) -> Vec<String> {
    let of_propagation = |name: &String| [ORPHAN, FOREGROUND].contains(&&**name);
    let wanted = match propagation {
        Some(Propagation::Background) => None,
        Some(Propagation::Foreground) => Some(FOREGROUND.to_owned()),
        Some(Propagation::Orphan) => Some(ORPHAN.to_owned()),
        None => present.iter().find(|name| of_propagation(name)).cloned(),
    };
    let kept = present.iter().filter(|name| !of_propagation(name)).cloned();
    let finalizers: Vec<_> = kept.chain(wanted).collect();
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    // The order is the object's own where nothing changes.
    if set(&finalizers) == set(present) {
        present.to_vec()
    } else {
        finalizers
    }
}

/// `object` as one that is being deleted since `now`, or earlier.
fn marked<O: Object>(object: &O, finalizers: Vec<String>, now: Time) -> O {
    let mut marked = object.clone();
    let ObjectMeta {
        generation,
        deletion_timestamp,
        ..
    } = marked.metadata_mut();
    if deletion_timestamp.is_none() && *generation > 0 {
        *generation += 1;
    }
    if deletion_timestamp.is_none_or(|at| at > now) {
        *deletion_timestamp = Some(now);
    }
    marked.metadata_mut().deletion_grace_period_seconds = Some(0);
    marked.metadata_mut().finalizers = finalizers;
    marked
}

#[cfg(test)]
mod tests {
    use super::{Propagation, finalizers};

    #[track_caller]
    fn check(present: &[&str], propagation: Option<Propagation>, want: &[&str]) {
        let present: Vec<_> = present.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(
            finalizers(&present, propagation),
            want,
            "{present:?} {propagation:?}"
        );
    }

    #[test]
    fn the_propagation_decides_on_its_finalizer() {
        check(&[], None, &[]);
        check(&[], Some(Propagation::Background), &[]);
        check(&[], Some(Propagation::Orphan), &["orphan"]);
        check(
            &["a/b"],
            Some(Propagation::Foreground),
            &["a/b", "foregroundDeletion"],
        );
        check(
            &["orphan", "a/b"],
            Some(Propagation::Foreground),
            &["a/b", "foregroundDeletion"],
        );
        check(&["orphan", "a/b"], Some(Propagation::Background), &["a/b"]);
        check(&["orphan", "a/b"], None, &["orphan", "a/b"]);
        check(
            &["orphan", "a/b"],
            Some(Propagation::Orphan),
            &["orphan", "a/b"],
        );
    }
}
