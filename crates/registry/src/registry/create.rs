//! Creation.

use std::sync::Arc;

use fleetgate_apimachinery::{
    go,
    meta::Time,
    options::{CreateOptions, DryRun},
    status::{Status, StatusDetails},
    validation::validate_object_meta,
};
use fleetgate_storage::{Range, Write};

use super::{Outcome, Registry, metadata, update::version_number};
use crate::{
    Object, Stored, Strategy,
    error::status,
    names::{generate, path_segment_errors},
    stored::encode,
};

/// How many names are made up before the caller is told that they are all taken.
const NAME_ATTEMPTS: usize = 8;

// === impl Registry ===

impl<S: Strategy> Registry<S> {
    /// Creates `object`, under a name of its own or one made from `generateName`. What the caller
    /// says of status, uid, times and generation is ignored. `field_manager` of the `options` is
    /// the manager to be recorded, with the default already in place.
    ///
    /// # Errors
    /// 409 where the name is taken, 422 for what is not valid, and those of the store.
    pub async fn create(
        &self,
        mut object: S::Object,
        options: &CreateOptions,
    ) -> Result<Arc<Stored<S::Object>>, Status> {
        let now = Time::now();
        metadata::fill(object.metadata_mut(), now);
        metadata::dedup_owners(object.metadata_mut());
        let object = self.own_new(object, options)?;
        let (name, prefix) = {
            let metadata = object.metadata();
            (metadata.name.clone(), metadata.generate_name.clone())
        };
        if prefix.is_empty() {
            return self.create_once(object, options, now).await;
        }
        if !name.is_empty() {
            let created = self.create_once(object, options, now).await;
            return created.map_err(|status| self.none_generated(status, &name));
        }
        for _ in 1..NAME_ATTEMPTS {
            let named = with_generated_name(object.clone());
            match self.create_once(named, options, now).await {
                Err(status) if status.reason == "AlreadyExists" => {}
                done => return done,
            }
        }
        let named = with_generated_name(object);
        let name = named.metadata().name.clone();
        let created = self.create_once(named, options, now).await;
        created.map_err(|status| self.none_generated(status, &name))
    }

    async fn create_once(
        &self,
        object: S::Object,
        options: &CreateOptions,
        now: Time,
    ) -> Result<Arc<Stored<S::Object>>, Status> {
        let object = self.checked_new(object, now)?;
        // A dry run does not come as far as to this, and what is no number is none.
        let version = version_number(&object.metadata().resource_version).unwrap_or_default();
        if version != 0 && options.dry_run != DryRun::All {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Status::failure(500, "", message));
        }
        self.store_new(object, options.dry_run).await
    }

    /// A new object in the form in which it is stored, if it is valid.
    pub(super) fn checked_new(
        &self,
        mut object: S::Object,
        now: Time,
    ) -> Result<S::Object, Status> {
        self.strategy.prepare_for_create(&mut object);
        self.check_new(&object)?;
        self.strategy.canonicalize(&mut object, now);
        Ok(object)
    }

    /// Stores `object` if there is none of its name.
    pub(super) async fn store_new(
        &self,
        object: S::Object,
        dry_run: DryRun,
    ) -> Result<Arc<Stored<S::Object>>, Status> {
        let name = object.metadata().name.clone();
        let key = self.key(&name)?;
        if dry_run == DryRun::All {
            let found = self
                .store
                .range(Range::key(key))
                .await
                .map_err(|e| status(&e))?;
            return match found.items.first() {
                Some(kv) => Err(self.exists(&name, Some(&*self.read(kv)?))),
                None => Ok(Arc::new(Stored::new(object, 0, self.strategy.names()))),
            };
        }
        let value = encode(&object, self.strategy.names()).map_err(Status::internal)?;
        match self.write(Write::Create { key, value }).await? {
            Outcome::Committed { revision } => Ok(Arc::new(Stored::new(
                object,
                revision,
                self.strategy.names(),
            ))),
            Outcome::Lost { current } => Err(self.exists(&name, current.as_deref())),
        }
    }

    /// Validates a new object: the rules of the kind first, for they say more.
    fn check_new(&self, object: &S::Object) -> Result<(), Status> {
        let mut errors = self.strategy.validate(object);
        if errors.is_empty() {
            errors = validate_object_meta(object.metadata(), path_segment_errors);
        }
        self.refuse_invalid(object, &errors)
    }

    fn exists(&self, name: &str, current: Option<&Stored<S::Object>>) -> Status {
        let mut status = Status::already_exists(self.strategy.names().group_resource(), name);
        if current.is_some_and(|it| it.object().metadata().deletion_timestamp.is_some()) {
            status.message = format!("object is being deleted: {}", status.message);
        }
        status
    }

    /// `status`, of which, if `name` is taken, whoever asked for a generated one is told so. (Also
    /// where it is his own, as Kubernetes does.)
    fn none_generated(&self, status: Status, name: &str) -> Status {
        if status.reason != "AlreadyExists" {
            return status;
        }
        let resource = self.strategy.names().group_resource();
        let message = format!(
            "{resource} {} already exists, the server was not able to generate a unique name for \
             the object",
            go::quote(name)
        );
        Status::failure(409, "AlreadyExists", message).with_details(StatusDetails {
            name: name.to_owned(),
            group: resource.group.to_owned(),
            kind: resource.resource.to_owned(),
            retry_after_seconds: 1,
            ..StatusDetails::default()
        })
    }
}

fn with_generated_name<O: Object>(mut object: O) -> O {
    let metadata = object.metadata_mut();
    metadata.name = generate(&metadata.generate_name);
    object
}
