//! What create, update, patch and delete take from the query or the body.

use serde::Deserialize;

use super::{META_GROUP, validate_field_manager};
use crate::{
    field::{BadValue, FieldError, Path},
    query::Query,
    schema::GroupKind,
    status::Status,
};

/// The options of a create (`metav1.CreateOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Whether to do everything but store it.
    pub dry_run: DryRun,
    /// Who owns the fields; empty where the caller does not say.
    pub field_manager: String,
    /// What to do about unknown and duplicate fields.
    pub field_validation: FieldValidation,
}

/// The options of an update (`metav1.UpdateOptions`).
pub type UpdateOptions = CreateOptions;

/// The options of a patch (`metav1.PatchOptions`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchOptions {
    /// What it has in common with other writes.
    pub write: UpdateOptions,
    /// Whether an apply takes fields from other managers.
    pub force: Option<bool>,
}

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preconditions {
    /// Its uid.
    pub uid: Option<String>,
    /// Its resource version.
    pub resource_version: Option<String>,
}

/// Whether a write is only tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// All stages run, nothing is stored.
    All,
    /// A real write.
    #[default]
    No,
}

/// What to do about unknown and duplicate fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Refuse the object.
    Strict,
    /// Drop them with a warning.
    #[default]
    Warn,
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

/// `metav1.DeleteOptions` as it stands in a body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawDeleteOptions {
    grace_period_seconds: Option<i64>,
    preconditions: Option<Preconditions>,
    orphan_dependents: Option<bool>,
    propagation_policy: Option<String>,
    dry_run: Option<Vec<String>>,
}

// === impl CreateOptions ===

impl CreateOptions {
    /// Reads the `query` of a create.
    ///
    /// # Errors
    /// 422 for values that are none.
    pub fn from_query(query: &Query<'_>) -> Result<Self, Status> {
        Self::read(query, "CreateOptions", Vec::new())
    }

    /// Reads the `query` of an update.
    ///
    /// # Errors
    /// 422 for values that are none.
    pub fn for_update(query: &Query<'_>) -> Result<Self, Status> {
        Self::read(query, "UpdateOptions", Vec::new())
    }

    fn read(
        query: &Query<'_>,
        kind: &'static str,
        mut errors: Vec<FieldError>,
    ) -> Result<Self, Status> {
        let field_manager = query.text("fieldManager");
        errors.extend(validate_field_manager(
            field_manager,
            &Path::new("fieldManager"),
        ));
        let dry_run = DryRun::of(&query.all("dryRun").collect::<Vec<_>>(), &mut errors);
        let field_validation = FieldValidation::of(query.text("fieldValidation"), &mut errors);
        refuse(kind, &errors)?;
        Ok(Self {
            dry_run,
            field_manager: field_manager.to_owned(),
            field_validation,
        })
    }
}

// === impl PatchOptions ===

impl PatchOptions {
    /// Reads the `query` of an apply.
    ///
    /// # Errors
    /// 422 for values that are none, and without a field manager.
    pub fn for_apply(query: &Query<'_>) -> Result<Self, Status> {
        let path = Path::new("fieldManager");
        let missing = query
            .text("fieldManager")
            .is_empty()
            .then(|| FieldError::required(&path, "is required for apply patch"));
        let write = CreateOptions::read(query, "PatchOptions", missing.into_iter().collect())?;
        let force = query.boolean("force");
        Ok(Self { write, force })
    }

    /// Reads the `query` of a patch that is no apply.
    ///
    /// # Errors
    /// 422 for values that are none, and for `force`.
    pub fn from_query(query: &Query<'_>) -> Result<Self, Status> {
        let force = query.boolean("force");
        let detail = "may not be specified for non-apply patch";
        let forbidden = force.map(|_| FieldError::forbidden(&Path::new("force"), detail));
        let write = CreateOptions::read(query, "PatchOptions", forbidden.into_iter().collect())?;
        Ok(Self { write, force })
    }
}

// === impl DeleteOptions ===

impl DeleteOptions {
    /// Reads the options from `body`, or where there is none from `query`.
    ///
    /// # Errors
    /// 400 for a body or number that cannot be read, 422 for values that are none.
    pub fn from_parts(query: &Query<'_>, body: Option<&serde_json::Value>) -> Result<Self, Status> {
        let raw = match body {
            Some(body) => RawDeleteOptions::deserialize(body)
                .map_err(|error| Status::bad_request(error.to_string()))?,
            None => RawDeleteOptions::from_query(query)?,
        };
        raw.validate()
    }
}

// === impl RawDeleteOptions ===

impl RawDeleteOptions {
    fn from_query(query: &Query<'_>) -> Result<Self, Status> {
        let grace = query.integer("gracePeriodSeconds");
        let dry_run: Vec<_> = query.all("dryRun").map(str::to_owned).collect();
        Ok(Self {
            grace_period_seconds: grace.map_err(|e| Status::bad_request(e.to_string()))?,
            preconditions: None,
            orphan_dependents: query.boolean("orphanDependents"),
            propagation_policy: query.first("propagationPolicy").map(str::to_owned),
            dry_run: Some(dry_run),
        })
    }

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
        let dry_run: Vec<_> = self.dry_run.iter().flatten().map(String::as_str).collect();
        let dry_run = DryRun::of(&dry_run, &mut errors);
        refuse("DeleteOptions", &errors)?;
        Ok(DeleteOptions {
            dry_run,
            preconditions: self.preconditions.unwrap_or_default(),
            propagation,
            grace_period_seconds: self.grace_period_seconds,
            asks_for_dependents: self.orphan_dependents == Some(false),
        })
    }
}

// === impl DryRun ===

impl DryRun {
    fn of(values: &[&str], errors: &mut Vec<FieldError>) -> Self {
        if values.iter().any(|value| *value != "All") {
            let path = Path::new("dryRun");
            errors.push(FieldError::not_supported(
                &path,
                BadValue::json(values),
                &["All"],
            ));
        }
        if values.is_empty() {
            Self::No
        } else {
            Self::All
        }
    }
}

// === impl FieldValidation ===

impl FieldValidation {
    fn of(value: &str, errors: &mut Vec<FieldError>) -> Self {
        match value {
            "" | "Warn" => Self::Warn,
            "Ignore" => Self::Ignore,
            "Strict" => Self::Strict,
            other => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                let path = Path::new("fieldValidation");
                errors.push(FieldError::not_supported(&path, other, &supported));
                Self::Warn
            }
        }
    }
}

fn refuse(kind: &'static str, errors: &[FieldError]) -> Result<(), Status> {
    match errors {
        [] => Ok(()),
        errors => Err(Status::invalid(
            GroupKind {
                group: META_GROUP,
                kind,
            },
            "",
            errors,
        )),
    }
}
