//! The definitions of `meta/v1` that objects are made of.

use super::{Definition, Field, List, ListKind, PatchStrategy, Shape, Type};

/// `metav1.ObjectMeta`.
pub static OBJECT_META: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    "What every stored object has beside its own fields: names, version, labels, owners.",
    &[
        Field::optional(
            "annotations",
            Type::Map(&Type::String),
            "Free text by key, for tools and people. Not for selecting objects; see labels.",
        ),
        Field::optional(
            "creationTimestamp",
            Type::Named(&TIME),
            "When the object was created. Set by the server.",
        ),
        Field::optional(
            "deletionGracePeriodSeconds",
            Type::Int64,
            "Seconds that the object is given to end by itself. Only set with deletionTimestamp, by the server.",
        ),
        Field::optional(
            "deletionTimestamp",
            Type::Named(&TIME),
            "From when on the object is to be gone. Set by the server when deletion is asked for; the object goes once its finalizers are off.",
        ),
        Field::optional(
            "finalizers",
            Type::List(&List {
                item: Type::String,
                kind: ListKind::Set,
                patch: PatchStrategy::Merge,
            }),
            "Who has still to do something before a deleted object may go. Each takes its own entry off when it is done.",
        ),
        Field::optional(
            "generateName",
            Type::String,
            "What the server puts before a random suffix to make the name, where none is given.",
        ),
        Field::optional(
            "generation",
            Type::Int64,
            "Counts the changes of what is wanted (spec). Set by the server.",
        ),
        Field::optional(
            "labels",
            Type::Map(&Type::String),
            "Values by key that objects are selected by.",
        ),
        Field::optional(
            "managedFields",
            Type::List(&List::atomic(Type::Named(&MANAGED_FIELDS_ENTRY))),
            "Who has set which field, and how. Kept by the server, mostly for server-side apply.",
        ),
        Field::optional(
            "name",
            Type::String,
            "The object's name, unique among the objects of its kind and namespace. Cannot be changed.",
        ),
        Field::optional(
            "namespace",
            Type::String,
            "The namespace within which the name is unique; empty for objects of the whole cluster. Cannot be changed.",
        ),
        Field::optional(
            "ownerReferences",
            Type::List(&List {
                item: Type::Named(&OWNER_REFERENCE),
                kind: ListKind::Map(&["uid"]),
                patch: PatchStrategy::MergeBy("uid"),
            }),
            "The objects that this one belongs to. Once all are gone, the garbage collector deletes it.",
        ),
        Field::optional(
            "resourceVersion",
            Type::String,
            "The version of the object in the store, to be sent back as it came: for updates that must not undo another's, and for watches. Set by the server.",
        ),
        Field::optional(
            "selfLink",
            Type::String,
            "Formerly the object's path. No longer set.",
        ),
        Field::optional(
            "uid",
            Type::String,
            "Tells this object from any other that ever had its name. Set by the server.",
        )
        .called("types.UID"),
    ],
);

/// `metav1.ListMeta`.
pub static LIST_META: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
    "What every list has beside its items.",
    &[
        Field::optional(
            "continue",
            Type::String,
            "Where the next page begins, if there is one: to be sent back as it came.",
        ),
        Field::optional(
            "remainingItemCount",
            Type::Int64,
            "How many items are left after this page, where the server knows.",
        ),
        Field::optional(
            "resourceVersion",
            Type::String,
            "The version of the store at which the list was read. A watch may go on from it.",
        ),
        Field::optional(
            "selfLink",
            Type::String,
            "Formerly the list's path. No longer set.",
        ),
        Field::optional(
            "shardInfo",
            Type::Named(&SHARD_INFO),
            "Which part of the objects the list holds, where only a part was asked for.",
        ),
    ],
);

/// `metav1.ShardInfo`.
pub static SHARD_INFO: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo",
    "Which part of the objects a list holds.",
    &[Field::required(
        "selector",
        Type::String,
        "The shard selector of the request.",
    )],
);

/// `metav1.OwnerReference`.
pub static OWNER_REFERENCE: Definition = Definition {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference",
    doc: "An object that another one belongs to; of the same namespace, or of the whole cluster.",
    shape: Shape::AtomicObject(&[
        Field::required(
            "apiVersion",
            Type::String,
            "Group and version of the owner.",
        ),
        Field::optional(
            "blockOwnerDeletion",
            Type::Boolean,
            "Whether the owner stays until this object is gone, where it is deleted in the foreground.",
        ),
        Field::optional(
            "controller",
            Type::Boolean,
            "Whether the owner is the one that manages this object. At most one is.",
        ),
        Field::required("kind", Type::String, "Kind of the owner."),
        Field::required("name", Type::String, "Name of the owner."),
        Field::required("uid", Type::String, "UID of the owner.").called("types.UID"),
    ]),
    kinds: &[],
};

/// `metav1.ManagedFieldsEntry`.
pub static MANAGED_FIELDS_ENTRY: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry",
    "What one manager has set of an object.",
    &[
        Field::optional(
            "apiVersion",
            Type::String,
            "Group and version in which the fields are named.",
        ),
        Field::optional(
            "fieldsType",
            Type::String,
            "The form of the fields; FieldsV1 is the only one.",
        ),
        Field::optional("fieldsV1", Type::Named(&FIELDS_V1), "The fields."),
        Field::optional("manager", Type::String, "Who set them."),
        Field::optional(
            "operation",
            Type::String,
            "How they were set: Apply or Update.",
        )
        .called("v1.ManagedFieldsOperationType"),
        Field::optional(
            "subresource",
            Type::String,
            "The subresource through which they were set; empty for the object itself.",
        ),
        Field::optional(
            "time",
            Type::Named(&TIME),
            "When the manager last changed what it owns.",
        ),
    ],
);

/// `metav1.FieldsV1`.
pub static FIELDS_V1: Definition = Definition {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    doc: "A set of fields as a tree: f:NAME is a field, k:{KEYS} an item of a list known by its keys, v:VALUE one known by its value, . the place itself.",
    shape: Shape::Opaque,
    kinds: &[],
};

/// `metav1.Condition`.
pub static CONDITION: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.Condition",
    "One aspect of the state of an object.",
    &[
        Field::required(
            "type",
            Type::String,
            "Which aspect it is about, in CamelCase.",
        ),
        Field::required("status", Type::String, "True, False or Unknown.")
            .called("v1.ConditionStatus"),
        Field::optional(
            "observedGeneration",
            Type::Int64,
            "The generation of the object that the condition is about. If it is lower than the object's, the condition is out of date.",
        ),
        Field::required(
            "lastTransitionTime",
            Type::Named(&TIME),
            "When the status last changed.",
        ),
        Field::required(
            "reason",
            Type::String,
            "Why it last changed, in one word in CamelCase.",
        ),
        Field::required(
            "message",
            Type::String,
            "The details, for people. May be empty.",
        ),
    ],
);

/// `metav1.Time`.
pub static TIME: Definition = Definition {
    name: "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
    doc: "A time, to the second (RFC 3339).",
    shape: Shape::String {
        format: Some("date-time"),
        takes_numbers: false,
    },
    kinds: &[],
};
