//! Errors of fields: where, what was found, and why it is refused, in Kubernetes' words.

use std::{collections::HashSet, fmt};

use serde::Serialize;

use crate::{go, json, status::StatusCause};

/// Most errors that are looked for, and told, of one object.
pub(crate) const MAX_ERRORS: usize = 1000;
/// Most bytes of the text of several errors together.
const MAX_TEXT: usize = 64 << 10;
/// Most bytes of several causes together.
const MAX_CAUSES: usize = 1 << 20;

/// The path of a field: `spec.taints[0].effect`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

/// Why a field is refused (`field.ErrorType`). [`FieldErrorKind::reason`] is what clients read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldErrorKind {
    Duplicate,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    NotSupported,
    Required,
    TooLong,
    TooMany,
    TypeInvalid,
}

/// One field that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    kind: FieldErrorKind,
    field: String,
    /// What was found, as it is printed; nothing for the kinds that do not print it.
    value: Option<String>,
    detail: String,
}

/// A value as Go prints it in a field error: strings quoted, all else as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue(String);

/// The text of several errors together, as Go's `ErrorList.ToAggregate` prints it. Beyond what a
/// client can read of it, it only says that there is more.
pub fn aggregate(errors: &[FieldError]) -> String {
    let (mut texts, mut seen, mut size) = (Vec::new(), HashSet::new(), 0);
    for text in errors.iter().map(ToString::to_string) {
        if seen.contains(&text) {
            continue;
        }
        size += text.len();
        if size > MAX_TEXT && !texts.is_empty() {
            texts.push("and more".to_owned());
            break;
        }
        seen.insert(text.clone());
        texts.push(text);
    }
    match texts.as_slice() {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

/// The causes of a Status: as many of the first as a client can read.
pub(crate) fn causes(errors: &[FieldError]) -> Vec<StatusCause> {
    let (mut causes, mut size) = (Vec::new(), 0);
    for cause in errors.iter().take(MAX_ERRORS).map(FieldError::cause) {
        size += cause.field.len() + cause.message.len();
        if size > MAX_CAUSES && !causes.is_empty() {
            break;
        }
        causes.push(cause);
    }
    causes
}

/// Whether there are so many errors that no more need be looked for.
pub(crate) fn is_enough(errors: &[FieldError]) -> bool {
    errors.len() >= MAX_ERRORS
}

// === impl Path ===

impl Path {
    /// The path of a top-level field.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The field `name` of this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self::new(name)
        } else {
            Self(format!("{}.{name}", self.0))
        }
    }

    /// The item at `index` of this list.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The value at `key` of this map.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl FieldErrorKind ===

impl FieldErrorKind {
    /// The `reason` of a Status cause.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::Internal => "InternalError",
            Self::Invalid => "FieldValueInvalid",
            Self::NotFound => "FieldValueNotFound",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Required => "FieldValueRequired",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::Internal => "Internal error",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotFound => "Not found",
            Self::NotSupported => "Unsupported value",
            Self::Required => "Required value",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
        }
    }
}

// === impl FieldError ===

impl FieldError {
    /// A value that must be unique is there twice.
    pub fn duplicate(path: &Path, value: impl Into<BadValue>) -> Self {
        Self::with_value(FieldErrorKind::Duplicate, path, value, String::new())
    }

    /// A value that is not allowed here, now.
    pub fn forbidden(path: &Path, detail: impl Into<String>) -> Self {
        Self::without_value(FieldErrorKind::Forbidden, path, detail)
    }

    /// A value that has the wrong form.
    pub fn invalid(path: &Path, value: impl Into<BadValue>, detail: impl Into<String>) -> Self {
        Self::with_value(FieldErrorKind::Invalid, path, value, detail.into())
    }

    /// A value of something that does not exist.
    pub fn not_found(path: &Path, value: impl Into<BadValue>) -> Self {
        Self::with_value(FieldErrorKind::NotFound, path, value, String::new())
    }

    /// A value that is none of `supported`, which are listed in their order.
    pub fn not_supported(path: &Path, value: impl Into<BadValue>, supported: &[&str]) -> Self {
        let supported: Vec<_> = supported.iter().map(|value| go::quote(value)).collect();
        let detail = match supported.as_slice() {
            [] => String::new(),
            supported => format!("supported values: {}", supported.join(", ")),
        };
        Self::with_value(FieldErrorKind::NotSupported, path, value, detail)
    }

    /// A value that is missing.
    pub fn required(path: &Path, detail: impl Into<String>) -> Self {
        Self::without_value(FieldErrorKind::Required, path, detail)
    }

    /// A value of more than `max` bytes.
    pub fn too_long(path: &Path, max: usize) -> Self {
        let bytes = if max == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {max} {bytes}");
        Self::without_value(FieldErrorKind::TooLong, path, detail)
    }

    /// A list of `found` items where `max` are allowed.
    pub fn too_many(path: &Path, found: usize, max: usize) -> Self {
        let items = if max == 1 { "item" } else { "items" };
        let detail = format!("must have at most {max} {items}");
        Self::with_value(
            FieldErrorKind::TooMany,
            path,
            BadValue(found.to_string()),
            detail,
        )
    }

    /// A value of the wrong type.
    pub fn type_invalid(
        path: &Path,
        value: impl Into<BadValue>,
        detail: impl Into<String>,
    ) -> Self {
        Self::with_value(FieldErrorKind::TypeInvalid, path, value, detail.into())
    }

    /// Why the field is refused.
    pub const fn kind(&self) -> FieldErrorKind {
        self.kind
    }

    /// The field's path.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The text without the field's path (`ErrorBody`).
    pub fn body(&self) -> String {
        let mut body = self.kind.title().to_owned();
        for part in self
            .value
            .iter()
            .chain((!self.detail.is_empty()).then_some(&self.detail))
        {
            body.push_str(": ");
            body.push_str(part);
        }
        body
    }

    /// The cause of a Status.
    pub fn cause(&self) -> StatusCause {
        StatusCause {
            reason: self.kind.reason().to_owned(),
            message: self.body(),
            field: self.field.clone(),
        }
    }

    fn with_value(
        kind: FieldErrorKind,
        path: &Path,
        value: impl Into<BadValue>,
        detail: String,
    ) -> Self {
        Self {
            kind,
            field: path.to_string(),
            value: Some(value.into().0),
            detail,
        }
    }

    fn without_value(kind: FieldErrorKind, path: &Path, detail: impl Into<String>) -> Self {
        Self {
            kind,
            field: path.to_string(),
            value: None,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

impl std::error::Error for FieldError {}

// === impl BadValue ===

impl BadValue {
    /// `value` as Go's `json.Marshal` writes it; for structs, lists and numbers.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        let bytes = json::to_vec(value).unwrap_or_default();
        Self(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Bytes of the printed value.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// A value that is printed as `text`.
    pub const fn printed(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for BadValue {
    fn from(value: &str) -> Self {
        Self(go::quote(value))
    }
}

impl From<&String> for BadValue {
    fn from(value: &String) -> Self {
        Self(go::quote(value))
    }
}

impl From<i64> for BadValue {
    fn from(value: i64) -> Self {
        Self(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{BadValue, FieldError, MAX_CAUSES, MAX_ERRORS, MAX_TEXT, Path, aggregate, causes};

    #[track_caller]
    fn check(error: &FieldError, want: &str) {
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn errors_are_printed_as_kubernetes_prints_them() {
        let spec = Path::new("spec");
        let mode = spec.child("syncMode");
        check(
            &FieldError::required(&mode, ""),
            "spec.syncMode: Required value",
        );
        check(
            &FieldError::not_supported(&mode, "Bogus", &["Pull", "Push"]),
            r#"spec.syncMode: Unsupported value: "Bogus": supported values: "Pull", "Push""#,
        );
        let taint = serde_json::json!({"key": "k"});
        check(
            &FieldError::duplicate(&spec.child("taints").index(1), BadValue::json(&taint)),
            r#"spec.taints[1]: Duplicate value: {"key":"k"}"#,
        );
        check(
            &FieldError::too_long(&Path::new("fieldManager"), 128),
            "fieldManager: Too long: may not be more than 128 bytes",
        );
        check(
            &FieldError::invalid(&Path::new("metadata").child("generation"), -1, "must not"),
            "metadata.generation: Invalid value: -1: must not",
        );
        check(
            &FieldError::too_many(&spec, 3, 1),
            "spec: Too many: 3: must have at most 1 item",
        );
    }

    #[test]
    fn several_errors_are_listed_once_each() {
        let a = FieldError::required(&Path::new("a"), "");
        let b = FieldError::forbidden(&Path::new("b").key("k"), "no");
        assert_eq!(aggregate(std::slice::from_ref(&a)), "a: Required value");
        assert_eq!(
            aggregate(&[a.clone(), b, a]),
            "[a: Required value, b[k]: Forbidden: no]"
        );
    }

    fn many(count: usize, detail: &str) -> Vec<FieldError> {
        let error = |index| FieldError::forbidden(&Path::new("a").index(index), detail);
        (0..count).map(error).collect()
    }

    #[test]
    fn of_very_many_errors_the_first_are_told() {
        let text = aggregate(&many(100_000, "no"));
        assert!(text.len() < MAX_TEXT * 2, "{}", text.len());
        assert!(text.starts_with("[a[0]: Forbidden: no, a[1]: Forbidden: no, "));
        assert!(text.ends_with("Forbidden: no, and more]"));
        assert_eq!(causes(&many(100_000, "no")).len(), MAX_ERRORS);
    }

    #[test]
    fn of_very_long_errors_the_first_is_told_whole() {
        let long = "x".repeat(MAX_CAUSES);
        let text = aggregate(&many(3, &long));
        assert_eq!(text, format!("[a[0]: Forbidden: {long}, and more]"));
        assert_eq!(
            aggregate(&many(1, &long)),
            format!("a[0]: Forbidden: {long}")
        );
        let told = causes(&many(3, &long));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].message, format!("Forbidden: {long}"));
    }
}
