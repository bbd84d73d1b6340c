//! The answer of an authorizer.

/// What an authorizer says of one request (Kubernetes: `authorizer.Decision`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request may go on. `reason` is for the audit log and may be empty.
    Allow {
        /// Why, in the authorizer's words, e.g. the RBAC binding.
        reason: String,
    },
    /// The request is refused. `reason` is for the caller and may be empty.
    Deny {
        /// Why, in the authorizer's words, e.g. the RBAC evaluation errors.
        reason: String,
    },
}

// === impl Decision ===

impl Decision {
    /// Allows without a word.
    pub const fn allow() -> Self {
        Self::Allow {
            reason: String::new(),
        }
    }
}
