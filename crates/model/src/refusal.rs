//! A request that is answered by us and not by a member: an ordinary value.

use std::{borrow::Cow, time::Duration};

use http::StatusCode;

/// Whose fault a refusal is. Decides the log level, never what the caller reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller asked for something that cannot be had.
    Caller,
    /// A member, or the way to it.
    Member,
    /// This server, or the host and store that it stands on.
    Server,
}

/// The `reason` of a Kubernetes `Status` (`metav1.StatusReason`), as far as the proxy gives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 400.
    BadRequest,
    /// 403.
    Forbidden,
    /// 500.
    InternalError,
    /// 405.
    MethodNotAllowed,
    /// 404.
    NotFound,
    /// 502 or 503.
    ServiceUnavailable,
    /// 504.
    Timeout,
    /// 429.
    TooManyRequests,
    /// 401.
    Unauthorized,
    /// A status without a reason, as Karmada answers some 500s.
    Unknown,
}

/// An answer that is not a member's: rendered as a Kubernetes `Status` by the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub code: StatusCode,
    /// `reason` of the Status.
    pub reason: Reason,
    /// `message` of the Status: for the caller, without address, path or secret.
    pub message: Cow<'static, str>,
    /// `details` of the Status.
    pub details: Option<RefusalDetails>,
    /// `Retry-After`, in whole seconds, where trying again can help.
    pub retry_after: Option<Duration>,
    /// Whose fault.
    pub fault: Fault,
}

/// The object that a [`Refusal`] speaks of; empty strings are left out of the Status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalDetails {
    /// API group.
    pub group: String,
    /// Plural resource name; Kubernetes calls the field `kind`.
    pub resource: String,
    /// Object name.
    pub name: String,
}

// === impl Reason ===

impl Reason {
    /// The text in the Status, empty for [`Self::Unknown`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BadRequest",
            Self::Forbidden => "Forbidden",
            Self::InternalError => "InternalError",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotFound => "NotFound",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::Timeout => "Timeout",
            Self::TooManyRequests => "TooManyRequests",
            Self::Unauthorized => "Unauthorized",
            Self::Unknown => "",
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// A refusal that is the caller's fault, without details and not to be tried again.
    pub fn caller(code: StatusCode, reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            retry_after: None,
            fault: Fault::Caller,
        }
    }

    /// The same refusal as the fault of `fault`, to be tried again after `retry_after`.
    #[must_use]
    pub fn blame(mut self, fault: Fault, retry_after: Option<Duration>) -> Self {
        self.fault = fault;
        self.retry_after = retry_after;
        self
    }
}
