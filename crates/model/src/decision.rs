//! The answer of an authorizer.

/// What an authorizer says of one request (Kubernetes: `authorizer.Decision`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request may go on.
    Allow,
    /// The request is refused. `reason` is for the caller and may be empty.
    Deny {
        /// Why, in the authorizer's words, e.g. the RBAC evaluation errors.
        reason: String,
    },
}
