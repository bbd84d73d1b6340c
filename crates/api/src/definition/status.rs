//! The parts of `status`.

use fleetgate_apimachinery::definition::{CONDITION, Definition, Field, List, Type};

use super::spec::QUANTITY;

pub(super) static CLUSTER_STATUS: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.ClusterStatus",
    "What was last seen of a cluster.",
    &[
        Field::optional(
            "apiEnablements",
            Type::List(&List::of(Type::Named(&API_ENABLEMENT))),
            "The APIs that the cluster serves.",
        ),
        Field::optional(
            "conditions",
            Type::List(&List::of(Type::Named(&CONDITION))),
            "The cluster's conditions, such as Ready.",
        ),
        Field::optional(
            "kubernetesVersion",
            Type::String,
            "The version of the cluster's API server.",
        ),
        Field::optional(
            "nodeSummary",
            Type::Named(&NODE_SUMMARY),
            "How many nodes there are.",
        ),
        Field::optional(
            "remedyActions",
            Type::List(&List::of(Type::String)),
            "What is to be done about a cluster in trouble.",
        ),
        Field::optional(
            "resourceSummary",
            Type::Named(&RESOURCE_SUMMARY),
            "What the nodes have, and what of it is taken.",
        ),
    ],
);

static API_ENABLEMENT: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.APIEnablement",
    "The resources of one group and version that a cluster serves.",
    &[
        Field::required("groupVersion", Type::String, "Group and version."),
        Field::optional(
            "resources",
            Type::List(&List::of(Type::Named(&API_RESOURCE))),
            "The resources.",
        ),
    ],
);

static API_RESOURCE: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.APIResource",
    "One resource that a cluster serves.",
    &[
        Field::required(
            "name",
            Type::String,
            "Its name in paths, such as deployments.",
        ),
        Field::required(
            "kind",
            Type::String,
            "Kind of its objects, such as Deployment.",
        ),
    ],
);

static NODE_SUMMARY: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.NodeSummary",
    "How many nodes a cluster has.",
    &[
        Field::optional("readyNum", Type::Int32, "Nodes that are ready."),
        Field::optional("totalNum", Type::Int32, "All nodes."),
    ],
);

static RESOURCE_SUMMARY: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.ResourceSummary",
    "What the nodes of a cluster have, and what of it is taken.",
    &[
        Field::optional("allocatable", AMOUNTS, "What can be used, by resource.")
            .called("v1.ResourceList"),
        Field::optional(
            "allocatableModelings",
            Type::List(&List::of(Type::Named(&ALLOCATABLE_MODELING))),
            "How many nodes there are of each grade.",
        ),
        Field::optional("allocated", AMOUNTS, "What is used, by resource.")
            .called("v1.ResourceList"),
        Field::optional(
            "allocating",
            AMOUNTS,
            "What waits to be placed, by resource.",
        )
        .called("v1.ResourceList"),
    ],
);

static ALLOCATABLE_MODELING: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.AllocatableModeling",
    "How many nodes there are of one grade.",
    &[
        Field::required(
            "grade",
            Type::Int32,
            "The grade, one of spec.resourceModels.",
        )
        .called("uint"),
        Field::required("count", Type::Int32, "How many.").called("int"),
    ],
);

const AMOUNTS: Type = Type::Map(&Type::Named(&QUANTITY));
