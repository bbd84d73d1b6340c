//! The fields of a Cluster and how they are owned (`managedFields`): lists as a whole, maps key by
//! key.

use Structure::{Any, Fields, List, Map};
use fleetgate_apimachinery::structure::{OBJECT_META, Structure};

/// The structure of a Cluster.
pub const STRUCTURE: Structure = Fields(&[
    ("apiVersion", Any),
    ("kind", Any),
    ("metadata", OBJECT_META),
    ("spec", SPEC),
    ("status", STATUS),
]);

const SPEC: Structure = Fields(&[
    ("apiEndpoint", Any),
    ("id", Any),
    ("impersonatorSecretRef", SECRET_REF),
    ("insecureSkipTLSVerification", Any),
    ("provider", Any),
    ("proxyHeader", Map(&Any)),
    ("proxyURL", Any),
    ("region", Any),
    ("resourceModels", List(&MODEL)),
    ("secretRef", SECRET_REF),
    ("syncMode", Any),
    ("taints", List(&TAINT)),
    ("zone", Any),
    ("zones", List(&Any)),
]);

const SECRET_REF: Structure = Fields(&[("name", Any), ("namespace", Any)]);

const TAINT: Structure = Fields(&[
    ("effect", Any),
    ("key", Any),
    ("timeAdded", Any),
    ("value", Any),
]);

const MODEL: Structure = Fields(&[("grade", Any), ("ranges", List(&RANGE))]);

const RANGE: Structure = Fields(&[("max", Any), ("min", Any), ("name", Any)]);

const STATUS: Structure = Fields(&[
    ("apiEnablements", List(&API_ENABLEMENT)),
    ("conditions", List(&CONDITION)),
    ("kubernetesVersion", Any),
    (
        "nodeSummary",
        Fields(&[("readyNum", Any), ("totalNum", Any)]),
    ),
    ("remedyActions", List(&Any)),
    ("resourceSummary", RESOURCE_SUMMARY),
]);

const API_ENABLEMENT: Structure =
    Fields(&[("groupVersion", Any), ("resources", List(&API_RESOURCE))]);

const API_RESOURCE: Structure = Fields(&[("kind", Any), ("name", Any)]);

const CONDITION: Structure = Fields(&[
    ("lastTransitionTime", Any),
    ("message", Any),
    ("observedGeneration", Any),
    ("reason", Any),
    ("status", Any),
    ("type", Any),
]);

const RESOURCE_SUMMARY: Structure = Fields(&[
    ("allocatable", Map(&Any)),
    ("allocatableModelings", List(&ALLOCATABLE_MODELING)),
    ("allocated", Map(&Any)),
    ("allocating", Map(&Any)),
]);

const ALLOCATABLE_MODELING: Structure = Fields(&[("count", Any), ("grade", Any)]);
