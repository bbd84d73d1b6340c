//! One operation: a method at a path.

use serde_json::{Map, Value, json};

use super::{
    parameter::{
        DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION, FORCE, PATCH_BODY, PATCH_FIELD_MANAGER,
        Parameter, Place, body, delete, delete_collection, list,
    },
    schema::{Dialect, map, reference},
};
use crate::{
    definition::{Definition, STATUS},
    schema::GroupVersionKind,
};

const ANYTHING: &[&str] = &["*/*"];
/// What objects are written as. Protobuf is named, as Kubernetes names it for every resource.
pub(super) const OBJECTS: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];
const STREAMS: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];
const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// What an answer's code says, in HTTP's words.
pub(super) const fn phrase(code: u16) -> &'static str {
    match code {
        201 => "Created",
        202 => "Accepted",
        _ => "OK",
    }
}

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// The method, in lower case.
    pub(super) method: &'static str,
    /// Its name, unique in the document.
    pub(super) id: String,
    /// What it is listed under.
    pub(super) tag: String,
    pub(super) doc: String,
    /// What Kubernetes calls it, and the kind that it is about; nothing if it is about no resource.
    pub(super) action: Option<(&'static str, GroupVersionKind<'static>)>,
    /// Media types of bodies.
    pub(super) consumes: &'static [&'static str],
    /// Media types of answers.
    pub(super) produces: &'static [&'static str],
    /// In the order of their names.
    pub(super) parameters: Vec<Parameter>,
    /// The codes of answers that are no refusal.
    pub(super) codes: &'static [u16],
    pub(super) answer: Answer,
}

/// What an operation answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Object(&'static Definition),
    Text,
}

/// A version of a group, as operations are named after it.
#[derive(Debug)]
pub(super) struct Names {
    /// E.g. `ClusterKarmadaIoV1alpha1`.
    pub(super) prefix: String,
    /// E.g. `clusterKarmadaIo_v1alpha1`.
    pub(super) tag: String,
}

/// What is done to the objects of a kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) names: &'a Names,
    pub(super) kind: GroupVersionKind<'static>,
    pub(super) object: &'static Definition,
    /// The name of a subresource, with a capital; empty for the object itself.
    pub(super) suffix: &'a str,
}

// === impl Operation ===

impl Operation {
    /// A GET of a document that is no resource.
    pub(super) fn document(
        id: String,
        tag: String,
        media_types: &'static [&'static str],
        answer: &'static Definition,
    ) -> Self {
        Self {
            method: "get",
            id,
            tag,
            doc: answer.doc.to_owned(),
            action: None,
            consumes: media_types,
            produces: media_types,
            parameters: Vec::new(),
            codes: &[200],
            answer: Answer::Object(answer),
        }
    }

    /// The name of what is done and the kind that it is done to, as both versions say them.
    pub(super) fn extensions(&self) -> Map<String, Value> {
        let Some((action, kind)) = self.action else {
            return Map::new();
        };
        let GroupVersionKind {
            group,
            version,
            kind,
        } = kind;
        map([
            ("x-kubernetes-action", action.into()),
            (
                "x-kubernetes-group-version-kind",
                json!({"group": group, "version": version, "kind": kind}),
            ),
        ])
    }

    /// The body.
    pub(super) fn body(&self) -> Option<(&Parameter, &'static Definition)> {
        self.parameters
            .iter()
            .find_map(|parameter| match parameter.place {
                Place::Body(definition) => Some((parameter, definition)),
                Place::Path | Place::Query(_) => None,
            })
    }

    /// The definitions that it names.
    pub(super) fn definitions(&self) -> impl Iterator<Item = &'static Definition> {
        let answer = match self.answer {
            Answer::Object(definition) => Some(definition),
            Answer::Text => None,
        };
        answer
            .into_iter()
            .chain(self.body().map(|(_, definition)| definition))
    }

    /// The same operation, under the name that Kubernetes has for it where that is not in its id.
    fn called(mut self, action: &'static str) -> Self {
        self.action = self.action.map(|(_, kind)| (action, kind));
        self
    }

    fn taking(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self.parameters.sort_by_key(Parameter::key);
        self
    }

    fn answering(mut self, codes: &'static [u16], answer: Answer) -> Self {
        self.codes = codes;
        self.answer = answer;
        self
    }

    fn streaming(mut self) -> Self {
        self.produces = STREAMS;
        self
    }
}

// === impl Answer ===

impl Answer {
    /// The schema of the answer.
    pub(super) fn schema(self, dialect: Dialect) -> Map<String, Value> {
        match self {
            Self::Object(definition) => reference(definition, dialect),
            Self::Text => map([("type", "string".into())]),
        }
    }
}

// === impl Target ===

impl Target<'_> {
    /// The operation of the collection that `verb` names, if there is one.
    pub(super) fn on_collection(
        &self,
        verb: &str,
        list_of: &'static Definition,
    ) -> Option<Operation> {
        let kind = self.kind.kind;
        match verb {
            "list" => Some(
                self.operation(
                    "get",
                    "list",
                    format!("Lists objects of the kind {kind}, or watches them."),
                )
                .taking(list())
                .answering(&[200], Answer::Object(list_of))
                .streaming(),
            ),
            "create" => Some(
                self.operation("post", "create", format!("Creates a {kind}."))
                    .called("post")
                    .taking([body(self.object), DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION])
                    .answering(&[200, 201, 202], Answer::Object(self.object)),
            ),
            "deletecollection" => {
                let mut operation = self
                    .operation(
                        "delete",
                        "deletecollection",
                        format!("Deletes objects of the kind {kind}."),
                    )
                    .taking(delete_collection())
                    .answering(&[200], Answer::Object(&STATUS));
                operation.id = format!("delete{}Collection{kind}", self.names.prefix);
                Some(operation)
            }
            _ => None,
        }
    }

    /// The operation of one object that `verb` names, if there is one.
    pub(super) fn on_object(&self, verb: &str) -> Option<Operation> {
        let kind = self.kind.kind;
        let of = match self.suffix {
            "" => String::new(),
            suffix => format!("{} of a ", suffix.to_lowercase()),
        };
        match verb {
            "get" => Some(
                self.operation("get", "read", format!("Reads the {of}{kind}."))
                    .called("get"),
            ),
            "update" => Some(
                self.operation("put", "replace", format!("Replaces the {of}{kind}."))
                    .called("put")
                    .taking([body(self.object), DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION])
                    .answering(&[200, 201], Answer::Object(self.object)),
            ),
            "patch" => {
                let mut operation = self
                    .operation(
                        "patch",
                        "patch",
                        format!("Changes parts of the {of}{kind}."),
                    )
                    .taking([
                        PATCH_BODY,
                        DRY_RUN,
                        PATCH_FIELD_MANAGER,
                        FIELD_VALIDATION,
                        FORCE,
                    ])
                    .answering(&[200, 201], Answer::Object(self.object));
                operation.consumes = PATCHES;
                Some(operation)
            }
            "delete" => Some(
                self.operation("delete", "delete", format!("Deletes the {of}{kind}."))
                    .taking(delete())
                    .answering(&[200, 202], Answer::Object(&STATUS)),
            ),
            _ => None,
        }
    }

    /// A watch at the path that is for watches alone.
    pub(super) fn watch(&self, action: &'static str, event: &'static Definition) -> Operation {
        let mut operation = self
            .operation(
                "get",
                "watch",
                "Watches as a list with the parameter watch does, which is to be preferred."
                    .to_owned(),
            )
            .called(action)
            .answering(&[200], Answer::Object(event))
            .streaming();
        if action == "watchlist" {
            operation.id.push_str("List");
        }
        operation
    }

    /// What is passed on, whatever the method.
    pub(super) fn connect(&self, method: &'static str) -> Operation {
        let doc = format!("Passes {} requests on.", method.to_uppercase());
        let mut operation = self
            .operation(method, "connect", doc)
            .answering(&[200], Answer::Text);
        operation.produces = ANYTHING;
        operation
    }

    fn operation(&self, method: &'static str, action: &'static str, doc: String) -> Operation {
        let Self {
            names,
            kind,
            object,
            suffix,
        } = *self;
        Operation {
            method,
            id: format!("{action}{}{}{suffix}", names.prefix, kind.kind),
            tag: names.tag.clone(),
            doc,
            action: Some((action, kind)),
            consumes: ANYTHING,
            produces: OBJECTS,
            parameters: Vec::new(),
            codes: &[200],
            answer: Answer::Object(object),
        }
    }
}
