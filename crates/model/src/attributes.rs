//! What is asked for: computed once from the raw request, then carried.

use std::{borrow::Cow, fmt};

/// A verb of the Kubernetes API: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`,
/// `deletecollection`, `impersonate`; the lower-case HTTP method where no resource is asked for;
/// empty for a method without a verb, such as `OPTIONS` on a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Verb(pub Cow<'static, str>);

/// What authorization is asked about one request (Kubernetes: `RequestInfo` and
/// `authorizer.Attributes`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// The verb.
    pub verb: Verb,
    /// The resource, or nothing for a path such as `/healthz`.
    pub resource: Option<Resource>,
    /// The path as it was sent, without its query.
    pub path: String,
    /// What it is restricted to.
    pub selectors: Selectors,
    /// Whether the request may last: watch, exec, attach, port-forward, log, proxy, any upgrade.
    /// Computed for the innermost request, that of the member.
    pub long_running: bool,
}

/// What a list, a watch or the deletion of a collection is restricted to, as far as an authorizer is
/// told (KEP-4601); nothing for other requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selectors {
    /// Of the field selector. What cannot be parsed asks for nothing here, and is refused later.
    pub fields: Vec<SelectorRequirement>,
    /// Of the label selector, likewise.
    pub labels: Vec<SelectorRequirement>,
}

/// What a selector asks of one field or label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SelectorRequirement {
    /// The field, or the label's key.
    pub key: String,
    /// How it stands to the values.
    pub operator: SelectorOperator,
    /// The values, sorted; none for one that exists or does not.
    pub values: Vec<String>,
}

/// `metav1.LabelSelectorOperator`; of fields the last two alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelectorOperator {
    /// It has no value.
    DoesNotExist,
    /// It has a value.
    Exists,
    /// Its value is one of these.
    In,
    /// Its value is none of these.
    NotIn,
}

/// The resource that a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: String,
    /// API version, e.g. `v1alpha1`.
    pub version: String,
    /// Namespace, empty for what is cluster-scoped.
    pub namespace: String,
    /// Plural resource name, e.g. `clusters`.
    pub resource: String,
    /// Subresource, empty for none.
    pub subresource: String,
    /// Object name, empty for a collection.
    pub name: String,
}

// === impl SelectorOperator ===

impl SelectorOperator {
    /// As it is written in a review.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DoesNotExist => "DoesNotExist",
            Self::Exists => "Exists",
            Self::In => "In",
            Self::NotIn => "NotIn",
        }
    }
}

// === impl Verb ===

impl Verb {
    /// A verb that is known when the program is built.
    pub const fn of(verb: &'static str) -> Self {
        Self(Cow::Borrowed(verb))
    }

    /// The verb's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
