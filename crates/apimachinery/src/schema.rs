//! Names of API types: group, version, kind and resource.

use std::fmt;

/// A resource without its version: prints as `clusters.cluster.karmada.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupResource<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Plural name.
    pub resource: &'a str,
}

/// A kind without its version: prints as `Cluster.cluster.karmada.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupKind<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Kind.
    pub kind: &'a str,
}

/// A group and a version: prints as `cluster.karmada.io/v1alpha1`, or `v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupVersion<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Version.
    pub version: &'a str,
}

/// A kind with its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupVersionKind<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Version.
    pub version: &'a str,
    /// Kind.
    pub kind: &'a str,
}

impl fmt::Display for GroupResource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, resource } = self;
        if group.is_empty() {
            f.write_str(resource)
        } else {
            write!(f, "{resource}.{group}")
        }
    }
}

impl fmt::Display for GroupKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, kind } = self;
        if group.is_empty() {
            f.write_str(kind)
        } else {
            write!(f, "{kind}.{group}")
        }
    }
}

impl fmt::Display for GroupVersion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, version } = self;
        if group.is_empty() {
            f.write_str(version)
        } else {
            write!(f, "{group}/{version}")
        }
    }
}
