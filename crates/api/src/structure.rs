//! How the fields of a Cluster are owned (`managedFields`): lists as a whole, maps value by value.

use fleetgate_apimachinery::managed_fields::{OBJECT_META, Structure};

/// The structure of a Cluster.
pub const STRUCTURE: Structure = Structure::Fields(&[
    ("metadata", OBJECT_META),
    ("spec", SPEC),
    ("status", STATUS),
]);

const SPEC: Structure = Structure::Fields(&[
    ("impersonatorSecretRef", SECRET_REF),
    ("proxyHeader", BY_KEY),
    ("secretRef", SECRET_REF),
]);

const STATUS: Structure = Structure::Fields(&[
    ("nodeSummary", Structure::Fields(&[])),
    (
        "resourceSummary",
        Structure::Fields(&[
            ("allocatable", BY_KEY),
            ("allocated", BY_KEY),
            ("allocating", BY_KEY),
        ]),
    ),
]);

/// Whatever fields there are, each on its own.
const SECRET_REF: Structure = Structure::Fields(&[]);
const BY_KEY: Structure = Structure::Map(&Structure::Whole);
