//! The parameters of requests: those that every resource takes, and how others are described.

use serde_json::{Map, Value};

use super::schema::{map, scalar};
use crate::definition::{DELETE_OPTIONS, Definition, PATCH, Type};

/// A parameter of a request.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub doc: &'static str,
    /// Whether it must be there.
    pub is_required: bool,
    /// The name under which version 2 describes it once for all operations; nothing if each
    /// describes it anew. Kubernetes makes these names from a hash of its own descriptions.
    pub shared: Option<&'static str>,
}

/// Where a parameter stands in a request, and its type there.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// It is the body.
    Body(&'static Definition),
    /// In the path.
    Path,
    /// In the query, as a scalar.
    Query(Type),
}

pub(super) const NAME: Parameter = Parameter {
    name: "name",
    place: Place::Path,
    doc: "Name of the object.",
    is_required: true,
    shared: None,
};
pub(super) const PATH: Parameter = Parameter {
    name: "path",
    place: Place::Path,
    doc: "The rest of the path.",
    is_required: true,
    shared: Some("path-z6Ciiujn"),
};
pub(super) const PRETTY: Parameter = text(
    "pretty",
    "pretty-tJGM1-ng",
    "If true, the answer is indented.",
);

pub(super) const DRY_RUN: Parameter = Parameter {
    shared: None,
    ..text(
        "dryRun",
        "",
        "All, to have everything checked and answered, and nothing stored.",
    )
};
pub(super) const FIELD_VALIDATION: Parameter = Parameter {
    shared: None,
    ..text(
        "fieldValidation",
        "",
        "What to do about fields that are unknown or there twice: Ignore, Warn (the default) or Strict.",
    )
};
pub(super) const FIELD_MANAGER: Parameter = text(
    "fieldManager",
    "fieldManager-Qy4HdaTW",
    "Who makes the change, for managedFields.",
);
pub(super) const PATCH_FIELD_MANAGER: Parameter = text(
    "fieldManager",
    "fieldManager-7c6nTn1T",
    "Who makes the change, for managedFields. Must be there for server-side apply.",
);
pub(super) const FORCE: Parameter = flag(
    "force",
    "force-tOGGb0Yi",
    "Whether to take over fields that others own. For server-side apply alone.",
);

pub(super) const PATCH_BODY: Parameter = Parameter {
    shared: Some("body-78PwaGsr"),
    ..body(&PATCH)
};
pub(super) const DELETE_BODY: Parameter = Parameter {
    is_required: false,
    shared: Some("body-2Y1dVQaQ"),
    ..body(&DELETE_OPTIONS)
};

const TIMEOUT: Parameter = number(
    "timeoutSeconds",
    "timeoutSeconds-yvYezaOC",
    "Seconds after which the request ends, whatever goes on.",
);

/// What tells which objects of a collection are meant.
const SELECTION: [Parameter; 9] = [
    text(
        "continue",
        "continue-QfD61s0i",
        "Where the page begins: as the page before said.",
    ),
    text(
        "fieldSelector",
        "fieldSelector-xIcQKXFG",
        "Only objects whose fields are so.",
    ),
    text(
        "labelSelector",
        "labelSelector-5Zw57w4C",
        "Only objects whose labels are so.",
    ),
    number(
        "limit",
        "limit-1NfNmdNH",
        "At most so many objects in one page.",
    ),
    text(
        "resourceVersion",
        "resourceVersion-5WAnf1kx",
        "The version of the store to read at; see resourceVersionMatch.",
    ),
    text(
        "resourceVersionMatch",
        "resourceVersionMatch-t8XhRHeC",
        "How resourceVersion is meant: Exact or NotOlderThan.",
    ),
    flag(
        "sendInitialEvents",
        "sendInitialEvents-rLXlEK_k",
        "Whether a watch begins with all objects, and a bookmark behind them.",
    ),
    text(
        "shardSelector",
        "shardSelector-Kgyki_3_",
        "Only objects of this part of all.",
    ),
    TIMEOUT,
];
const WATCHING: [Parameter; 2] = [
    flag(
        "allowWatchBookmarks",
        "allowWatchBookmarks-HC2hJt-J",
        "Whether a watch also tells, from time to time, which version it has come to.",
    ),
    flag(
        "watch",
        "watch-XNNPZGbK",
        "Whether to go on with changes as they happen.",
    ),
];
const DELETING: [Parameter; 4] = [
    number(
        "gracePeriodSeconds",
        "gracePeriodSeconds--K5HaBOS",
        "Seconds that the object is given to end by itself; 0 is at once.",
    ),
    flag(
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "ignoreStoreReadErrorWithClusterBreakingPotential-QbNkfIqj",
        "Whether to delete even what cannot be read from the store.",
    ),
    flag(
        "orphanDependents",
        "orphanDependents-uRB25kX5",
        "Formerly what propagationPolicy is now: true is Orphan.",
    ),
    text(
        "propagationPolicy",
        "propagationPolicy-6jk3prlO",
        "What becomes of the objects that belong to this one: Orphan, Background or Foreground.",
    ),
];

/// Those of a list.
pub(super) fn list() -> Vec<Parameter> {
    [&SELECTION[..], &WATCHING].concat()
}

/// Those of a delete.
pub(super) fn delete() -> Vec<Parameter> {
    [&[DELETE_BODY, DRY_RUN], &DELETING[..]].concat()
}

/// Those of a delete of a collection.
pub(super) fn delete_collection() -> Vec<Parameter> {
    [delete(), SELECTION.to_vec()].concat()
}

/// An object as the body.
pub(super) const fn body(definition: &'static Definition) -> Parameter {
    Parameter {
        name: "body",
        place: Place::Body(definition),
        doc: "",
        is_required: true,
        shared: None,
    }
}

const fn text(name: &'static str, shared: &'static str, doc: &'static str) -> Parameter {
    Parameter::query(name, Type::String, doc).shared_as(shared)
}

const fn flag(name: &'static str, shared: &'static str, doc: &'static str) -> Parameter {
    Parameter::query(name, Type::Boolean, doc).shared_as(shared)
}

const fn number(name: &'static str, shared: &'static str, doc: &'static str) -> Parameter {
    Parameter::query(name, Type::Int64, doc).shared_as(shared)
}

// === impl Parameter ===

impl Parameter {
    /// A scalar in the query, that may be missing.
    pub const fn query(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self {
            name,
            place: Place::Query(ty),
            doc,
            is_required: false,
            shared: None,
        }
    }

    /// The same, described once under the name `shared`.
    #[must_use]
    pub const fn shared_as(self, shared: &'static str) -> Self {
        Self {
            shared: Some(shared),
            ..self
        }
    }

    /// What orders parameters.
    pub(super) const fn key(&self) -> (&'static str, &'static str) {
        (self.name, self.place.name())
    }

    /// What both versions say of it.
    pub(super) fn common(&self) -> Map<String, Value> {
        let mut out = map([("name", self.name.into()), ("in", self.place.name().into())]);
        if !self.doc.is_empty() {
            out.insert("description".to_owned(), self.doc.into());
        }
        if self.is_required {
            out.insert("required".to_owned(), true.into());
        }
        out
    }

    /// The type of a scalar, as both versions say it: in parameters without its format.
    pub(super) fn scalar(&self) -> Map<String, Value> {
        let ty = match self.place {
            Place::Query(ty) => ty,
            Place::Body(_) | Place::Path => Type::String,
        };
        map([("type", scalar(ty).into()), ("uniqueItems", true.into())])
    }
}

// === impl Place ===

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Body(_) => "body",
            Self::Path => "path",
            Self::Query(_) => "query",
        }
    }
}
