//! What create, update and patch take from the query.

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

// === impl DryRun ===

impl DryRun {
    pub(super) fn of(values: &[&str], errors: &mut Vec<FieldError>) -> Self {
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

/// 422 for options of `kind`, if there are errors.
pub(super) fn refuse(kind: &'static str, errors: &[FieldError]) -> Result<(), Status> {
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
