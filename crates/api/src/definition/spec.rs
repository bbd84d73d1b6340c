//! The parts of `spec`.

use fleetgate_apimachinery::definition::{Definition, Field, List, Shape, TIME, Type};

pub(super) static CLUSTER_SPEC: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.ClusterSpec",
    "What a cluster is to be: how it is reached, where it stands, what it refuses, how its nodes are graded.",
    &[
        Field::optional(
            "apiEndpoint",
            Type::String,
            "URL of the cluster's API server, perhaps with a path.",
        ),
        Field::optional(
            "id",
            Type::String,
            "What tells the cluster from any other, whatever it is called: the uid of its namespace kube-system.",
        ),
        Field::optional(
            "impersonatorSecretRef",
            Type::Named(&LOCAL_SECRET_REFERENCE),
            "The secret with the token that may act in callers' names at the cluster.",
        ),
        Field::optional(
            "insecureSkipTLSVerification",
            Type::Boolean,
            "Whether the certificate of the cluster's API server goes unverified. Not for production.",
        ),
        Field::optional("provider", Type::String, "The cluster's cloud provider."),
        Field::optional(
            "proxyHeader",
            Type::Map(&Type::String),
            "Headers that the forward proxy of proxyURL gets; several values of one are separated by commas.",
        ),
        Field::optional(
            "proxyURL",
            Type::String,
            "URL of a forward proxy through which the cluster is reached: http, https or socks5.",
        ),
        Field::optional("region", Type::String, "The cluster's region."),
        Field::optional(
            "resourceModels",
            Type::List(&List::of(Type::Named(&RESOURCE_MODEL))),
            "Grades of nodes by their resources, smallest first and without gaps. Defaults to nine grades by cpu and memory.",
        ),
        Field::optional(
            "secretRef",
            Type::Named(&LOCAL_SECRET_REFERENCE),
            "The secret with the cluster's token and caBundle.",
        ),
        Field::required(
            "syncMode",
            Type::String,
            "Push, where the host writes to the cluster, or Pull, where an agent in the cluster reads from the host.",
        ).called("v1alpha1.ClusterSyncMode"),
        Field::optional(
            "taints",
            Type::List(&List::of(Type::Named(&TAINT))),
            "What keeps work that does not tolerate it away from the cluster.",
        ),
        Field::optional(
            "zone",
            Type::String,
            "The cluster's zone. Deprecated: moved to zones when it is written.",
        ),
        Field::optional(
            "zones",
            Type::List(&List::of(Type::String)),
            "The zones that the cluster spans.",
        ),
    ],
);

static LOCAL_SECRET_REFERENCE: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.LocalSecretReference",
    "A secret at the host.",
    &[
        Field::required("namespace", Type::String, "Namespace of the secret."),
        Field::required("name", Type::String, "Name of the secret."),
    ],
);

static TAINT: Definition = Definition::object(
    "io.k8s.api.core.v1.Taint",
    "What keeps work that does not tolerate it away.",
    &[
        Field::required("key", Type::String, "Key of the taint."),
        Field::optional("value", Type::String, "Value of the taint."),
        Field::required(
            "effect",
            Type::Enum(&["NoExecute", "NoSchedule", "PreferNoSchedule"]),
            "What happens to work that does not tolerate the taint: NoSchedule keeps new work away, NoExecute removes what runs as well.",
        ).called("v1.TaintEffect"),
        Field::optional("timeAdded", Type::Named(&TIME), "When the taint was set."),
    ],
);

static RESOURCE_MODEL: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.ResourceModel",
    "One grade of nodes.",
    &[
        Field::required(
            "grade",
            Type::Int32,
            "The grade; the smallest nodes have the lowest.",
        )
        .called("uint"),
        Field::required(
            "ranges",
            Type::List(&List::of(Type::Named(&RESOURCE_MODEL_RANGE))),
            "What a node of this grade has, an entry for each resource.",
        ),
    ],
);

static RESOURCE_MODEL_RANGE: Definition = Definition::object(
    "com.github.karmada-io.karmada.pkg.apis.cluster.v1alpha1.ResourceModelRange",
    "How much of one resource a node of a grade has.",
    &[
        Field::required("name", Type::String, "Name of the resource, such as cpu.")
            .called("v1.ResourceName"),
        Field::required("min", Type::Named(&QUANTITY), "At least this."),
        Field::required(
            "max",
            Type::Named(&QUANTITY),
            "Less than this: where the next grade begins.",
        ),
    ],
);

/// `resource.Quantity`.
pub(super) static QUANTITY: Definition = Definition {
    name: "io.k8s.apimachinery.pkg.api.resource.Quantity",
    doc: "An amount: a decimal number, perhaps with a binary (Ki, Mi, Gi, …) or decimal (m, k, M, …) suffix or an exponent.",
    shape: Shape::String {
        format: None,
        takes_numbers: true,
    },
    kinds: &[],
};
