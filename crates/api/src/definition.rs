//! The types of the API as they are described: fields, how they are owned, and what they say.

mod spec;
mod status;

use fleetgate_apimachinery::{
    definition::{API_VERSION, Definition, Field, KIND, LIST_META, List, OBJECT_META, Type},
    schema::GroupVersionKind,
};

/// A Cluster.
pub static CLUSTER: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.Cluster",
    "A member cluster: how it is reached, and what was seen of it.",
    &[
        Field::optional("apiVersion", Type::String, API_VERSION),
        Field::optional("kind", Type::String, KIND),
        Field::optional(
            "metadata",
            Type::Named(&OBJECT_META),
            "Name, labels and the like; the name is the cluster's in the whole fleet.",
        )
        .embedded(),
        Field::required(
            "spec",
            Type::Named(&spec::CLUSTER_SPEC),
            "What the cluster is to be.",
        )
        .embedded(),
        Field::optional(
            "status",
            Type::Named(&status::CLUSTER_STATUS),
            "What was last seen of the cluster.",
        )
        .embedded(),
    ],
)
.of(&[gvk(crate::KIND)]);

/// A list of Clusters.
pub static CLUSTER_LIST: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.ClusterList",
    "Member clusters.",
    &[
        Field::optional("apiVersion", Type::String, API_VERSION),
        Field::required(
            "items",
            Type::List(&List::of(Type::Named(&CLUSTER))),
            "The clusters, by name.",
        ),
        Field::optional("kind", Type::String, KIND),
        Field::optional(
            "metadata",
            Type::Named(&LIST_META),
            "Version of the list, and where the next page begins.",
        )
        .embedded(),
    ],
)
.of(&[gvk(crate::LIST_KIND)]);

const fn gvk(kind: &'static str) -> GroupVersionKind<'static> {
    GroupVersionKind {
        group: crate::GROUP,
        version: crate::VERSION,
        kind,
    }
}
