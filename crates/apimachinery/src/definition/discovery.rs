//! The definitions of what says what is served: groups, versions, resources, and the server's own
//! version.

use super::{API_VERSION, Definition, Field, KIND, List, Type, v1};

const VERBS: &List = &List::of(Type::String);
const NAMES: &List = &List::atomic(Type::String);

/// `metav1.APIGroupList`.
pub static API_GROUP_LIST: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList",
    "The groups that are served.",
    &[
        Field::optional("apiVersion", Type::String, API_VERSION),
        Field::required(
            "groups",
            Type::List(&List::atomic(Type::Named(&API_GROUP))),
            "The groups.",
        ),
        Field::optional("kind", Type::String, KIND),
    ],
)
.of(&[v1("APIGroupList")]);

/// `metav1.APIGroup`.
pub static API_GROUP: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup",
    "A group, and the versions in which it is served.",
    &[
        Field::optional("apiVersion", Type::String, API_VERSION),
        Field::optional("kind", Type::String, KIND),
        Field::required("name", Type::String, "Name of the group."),
        Field::optional(
            "preferredVersion",
            Type::Named(&GROUP_VERSION),
            "The version that clients should use if they have no other reason to choose.",
        )
        .embedded(),
        Field::optional(
            "serverAddressByClientCIDRs",
            Type::List(&List::atomic(Type::Named(&SERVER_ADDRESS))),
            "Where callers from a network reach this server.",
        ),
        Field::required(
            "versions",
            Type::List(&List::atomic(Type::Named(&GROUP_VERSION))),
            "The versions.",
        ),
    ],
)
.of(&[v1("APIGroup")]);

static GROUP_VERSION: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionForDiscovery",
    "One version of a group.",
    &[
        Field::required(
            "groupVersion",
            Type::String,
            "Group and version, as in apiVersion.",
        ),
        Field::required("version", Type::String, "The version alone."),
    ],
);

static SERVER_ADDRESS: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.ServerAddressByClientCIDR",
    "Where callers from one network reach this server.",
    &[
        Field::required("clientCIDR", Type::String, "The network, as a CIDR."),
        Field::required(
            "serverAddress",
            Type::String,
            "Name or address, perhaps with a port.",
        ),
    ],
);

/// `metav1.APIResourceList`.
pub static API_RESOURCE_LIST: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList",
    "The resources of one version of a group.",
    &[
        Field::optional("apiVersion", Type::String, API_VERSION),
        Field::required(
            "groupVersion",
            Type::String,
            "Group and version of all of them.",
        ),
        Field::optional("kind", Type::String, KIND),
        Field::required(
            "resources",
            Type::List(&List::atomic(Type::Named(&API_RESOURCE))),
            "The resources and their subresources.",
        ),
    ],
)
.of(&[v1("APIResourceList")]);

static API_RESOURCE: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.apis.meta.v1.APIResource",
    "A resource, or a subresource of one.",
    &[
        Field::optional(
            "categories",
            Type::List(NAMES),
            "Names of sets that the resource is listed with, such as all.",
        ),
        Field::optional(
            "group",
            Type::String,
            "Group of the kind, if it is not that of the list.",
        ),
        Field::required(
            "name",
            Type::String,
            "Name in paths: the plural, and for a subresource its own name after a slash.",
        ),
        Field::required(
            "singularName",
            Type::String,
            "Name of one object, for people.",
        ),
        Field::required(
            "namespaced",
            Type::Boolean,
            "Whether the objects are in namespaces.",
        ),
        Field::required("kind", Type::String, "Kind of the objects."),
        Field::optional(
            "shortNames",
            Type::List(NAMES),
            "Shorter names that command lines take.",
        ),
        Field::optional(
            "storageVersionHash",
            Type::String,
            "Changes when objects are stored in another version. For comparing only.",
        ),
        Field::required("verbs", Type::List(VERBS), "What can be asked for."),
        Field::optional(
            "version",
            Type::String,
            "Version of the kind, if it is not that of the list.",
        ),
    ],
);

/// `version.Info`.
pub static VERSION_INFO: Definition = Definition::object(
    "io.k8s.apimachinery.pkg.version.Info",
    "What this server is, and which API conventions it follows.",
    &[
        Field::required("major", Type::String, "Major version of the conventions."),
        Field::required("minor", Type::String, "Minor version of the conventions."),
        Field::optional(
            "emulationMajor",
            Type::String,
            "Major version that is emulated.",
        ),
        Field::optional(
            "emulationMinor",
            Type::String,
            "Minor version that is emulated.",
        ),
        Field::optional(
            "minCompatibilityMajor",
            Type::String,
            "Oldest major version that this one goes with.",
        ),
        Field::optional(
            "minCompatibilityMinor",
            Type::String,
            "Oldest minor version that this one goes with.",
        ),
        Field::required("gitVersion", Type::String, "Version of this server."),
        Field::required("gitCommit", Type::String, "The commit it was built from."),
        Field::required(
            "gitTreeState",
            Type::String,
            "Whether there were changes beyond that commit.",
        ),
        Field::required("buildDate", Type::String, "When it was built."),
        Field::required(
            "goVersion",
            Type::String,
            "Version of Go, where there is any.",
        ),
        Field::required("compiler", Type::String, "What it was compiled with."),
        Field::required("platform", Type::String, "Operating system and processor."),
    ],
);
