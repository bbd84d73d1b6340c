//! The definitions of what is sent and answered beside objects: options, patches, statuses and
//! events.

use super::{API_VERSION, Definition, Field, KIND, LIST_META, List, Shape, Type, v1};

/// `metav1.DeleteOptions`. A kind of every group.
pub static DELETE_OPTIONS: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "How to delete.",
    &[
        Field::optional("apiVersion", Type::String, API_VERSION),
        Field::optional(
            "dryRun",
            Type::List(&List::atomic(Type::String)),
            "All, to have everything checked and answered, and nothing deleted.",
        ),
        Field::optional(
            "gracePeriodSeconds",
            Type::Int64,
            "Seconds that the object is given to end by itself; 0 is at once.",
        ),
        Field::optional(
            "ignoreStoreReadErrorWithClusterBreakingPotential",
            Type::Boolean,
            "Whether to delete even what cannot be read from the store, past finalizers and preconditions.",
        ),
        Field::optional("kind", Type::String, KIND),
        Field::optional(
            "orphanDependents",
            Type::Boolean,
            "Formerly what propagationPolicy is now: true is Orphan. Only one of the two may be given.",
        ),
        Field::optional(
            "preconditions",
            Type::Named(&PRECONDITIONS),
            "What must be so; 409 if it is not.",
        ),
        Field::optional(
            "propagationPolicy",
            Type::String,
            "What becomes of the objects that belong to this one: Orphan, Background or Foreground.",
        ),
    ],
)
.of(&[v1("DeleteOptions")]);

static PRECONDITIONS: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions",
    "What must be so of an object before it is written.",
    &[
        Field::optional(
            "resourceVersion",
            Type::String,
            "The object is at this version.",
        ),
        Field::optional("uid", Type::String, "The object is the one with this UID."),
    ],
);

/// `metav1.Patch`: whatever its media type says.
pub static PATCH: Definition = Definition {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    doc: "A change of an object, in the form that Content-Type names.",
    shape: Shape::Opaque,
    kinds: &[],
};

/// `metav1.Status`.
pub static STATUS: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "How a request went, where no object is answered.",
    &[
        Field::optional("apiVersion", Type::String, API_VERSION),
        Field::optional("code", Type::Int32, "The HTTP code."),
        Field::optional(
            "details",
            Type::Named(&STATUS_DETAILS),
            "What more there is to say, in a form that depends on the reason.",
        ),
        Field::optional("kind", Type::String, KIND),
        Field::optional("message", Type::String, "What happened, for people."),
        Field::optional("metadata", Type::Named(&LIST_META), "As of a list.").embedded(),
        Field::optional(
            "reason",
            Type::String,
            "Why, in one word in CamelCase, for programs.",
        ),
        Field::optional("status", Type::String, "Success or Failure."),
    ],
)
.of(&[v1("Status")]);

static STATUS_DETAILS: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails",
    "What a status is about, and what caused it.",
    &[
        Field::optional(
            "causes",
            Type::List(&List::atomic(Type::Named(&STATUS_CAUSE))),
            "Each thing that was wrong.",
        ),
        Field::optional("group", Type::String, "Group of the resource."),
        Field::optional("kind", Type::String, "Kind, or name of the resource."),
        Field::optional("name", Type::String, "Name of the object."),
        Field::optional(
            "retryAfterSeconds",
            Type::Int32,
            "Seconds after which to try again, where that may help.",
        ),
        Field::optional("uid", Type::String, "UID of the object."),
    ],
);

static STATUS_CAUSE: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause",
    "One thing that was wrong.",
    &[
        Field::optional(
            "field",
            Type::String,
            "Where: the path of the field, such as spec.taints[0].effect.",
        ),
        Field::optional("message", Type::String, "What, for people."),
        Field::optional("reason", Type::String, "What, in one word in CamelCase."),
    ],
);

/// `metav1.WatchEvent`. A kind of every group.
pub static WATCH_EVENT: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
    "One change that a watch tells.",
    &[
        Field::required(
            "type",
            Type::String,
            "ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.",
        ),
        Field::required(
            "object",
            Type::Named(&RAW_EXTENSION),
            "The object as it is now, as it last was if it is deleted, or a status for an ERROR.",
        ),
    ],
)
.of(&[v1("WatchEvent")]);

static RAW_EXTENSION: Definition = Definition {
    name: "io.k8s.apimachinery.pkg.runtime.RawExtension",
    doc: "An object of any kind.",
    shape: Shape::Opaque,
    kinds: &[],
};
