//! Who is calling.

/// The user name of a request without credentials.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of every authenticated user.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group that may do everything, without being asked about.
pub const MASTERS: &str = "system:masters";
/// The group of every node.
pub const NODES: &str = "system:nodes";
/// The group of every service account, and what the groups of each namespace's begin with.
pub const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";
/// The group of [`ANONYMOUS`].
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

/// A caller as Kubernetes describes one: `user.Info` of the authentication machinery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// The name, e.g. `system:serviceaccount:default:admin`. Never empty once authenticated.
    pub name: String,
    /// The unique id of the user, where the authenticator knows one; else empty.
    pub uid: String,
    /// Groups in the order in which they were presented.
    pub groups: Vec<String>,
    /// Further facts, keys in lower case, in the order of the keys.
    pub extra: Vec<(String, Vec<String>)>,
}

// === impl User ===

impl User {
    /// The user of a request without credentials.
    pub fn anonymous() -> Self {
        Self {
            name: ANONYMOUS.to_owned(),
            groups: vec![UNAUTHENTICATED.to_owned()],
            ..Self::default()
        }
    }

    /// A user of whom no more than the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Whether the user is in `group`.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|g| g == group)
    }
}
