//! What delete and deletecollection take from the body or the query.

mod body;

use serde_json::Value;

use super::write::{DryRun, refuse};
use crate::{
    field::{FieldError, Path},
    query::Query,
    status::Status,
};

/// The options of a delete (`metav1.DeleteOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Whether to do everything but delete it.
    pub dry_run: DryRun,
    /// What must hold of the object.
    pub preconditions: Preconditions,
    /// What becomes of dependents; nothing for the resource's default.
    pub propagation: Option<Propagation>,
    /// Seconds until the object is gone; nothing for the resource's default.
    pub grace_period_seconds: Option<i64>,
    /// `orphanDependents: false`, of old clients, which makes the answer of an incomplete deletion
    /// a 202.
    pub asks_for_dependents: bool,
}

/// What must hold of an object that is to be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// Its uid.
    pub uid: Option<String>,
    /// Its resource version.
    pub resource_version: Option<String>,
}

/// What becomes of the dependents of a deleted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are deleted later.
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// `metav1.DeleteOptions` as they are said.
#[derive(Debug, Default)]
struct Said {
    grace_period_seconds: Option<i64>,
    preconditions: Preconditions,
    orphan_dependents: Option<bool>,
    propagation_policy: Option<String>,
    dry_run: Vec<String>,
}

// === impl DeleteOptions ===

impl DeleteOptions {
    /// Reads the options from `query`.
    ///
    /// # Errors
    /// 400 for a number that is none, 422 for values that are none.
    pub fn from_query(query: &Query<'_>) -> Result<Self, Status> {
        let grace = query.integer("gracePeriodSeconds");
        let said = Said {
            grace_period_seconds: grace.map_err(|e| Status::bad_request(e.to_string()))?,
            preconditions: Preconditions {
                uid: query.first("uid").map(str::to_owned),
                resource_version: query.first("resourceVersion").map(str::to_owned),
            },
            orphan_dependents: query.boolean("orphanDependents"),
            propagation_policy: query.first("propagationPolicy").map(str::to_owned),
            dry_run: query.all("dryRun").map(str::to_owned).collect(),
        };
        said.validate()
    }

    /// Reads the options from a body.
    ///
    /// # Errors
    /// 400 for a body that holds something else, 422 for values that are none.
    pub fn from_body(body: &Value) -> Result<Self, Status> {
        body::read(body).map_err(Status::bad_request)?.validate()
    }
}

// === impl Said ===

impl Said {
    /// `ValidateDeleteOptions`.
    fn validate(self) -> Result<DeleteOptions, Status> {
        let path = Path::new("propagationPolicy");
        let mut errors = Vec::new();
        let policy = self.propagation_policy.as_deref();
        if let (Some(_), Some(policy)) = (self.orphan_dependents, policy) {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid(&path, policy, detail));
        }
        let propagation = match (policy, self.orphan_dependents) {
            (Some("Background"), _) => Some(Propagation::Background),
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (None, Some(false)) => Some(Propagation::Background),
            (None, None) => None,
            (Some(other), _) => {
                let supported = ["Foreground", "Background", "Orphan", "nil"];
                errors.push(FieldError::not_supported(&path, other, &supported));
                None
            }
        };
        let dry_run: Vec<_> = self.dry_run.iter().map(String::as_str).collect();
        let dry_run = DryRun::of(&dry_run, &mut errors);
        refuse("DeleteOptions", &errors)?;
        Ok(DeleteOptions {
            dry_run,
            preconditions: self.preconditions,
            propagation,
            grace_period_seconds: self.grace_period_seconds,
            asks_for_dependents: self.orphan_dependents == Some(false),
        })
    }
}
