//! `metav1.Status`: how every failure is told.

mod protobuf;
mod reasons;

use std::borrow::Cow;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::meta::ListMeta;

/// `metav1.Status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", from = "Wire")]
pub struct Status {
    pub outcome: Outcome,
    pub message: String,
    pub reason: Cow<'static, str>,
    pub details: Option<Box<StatusDetails>>,
    /// HTTP status; 0 on success.
    pub code: u16,
    /// `metadata.continue`, of a list that cannot go on as it began: where it may go on all the
    /// same. Empty in all other cases.
    pub continue_token: String,
}

/// `status` of a Status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Failure,
    Success,
}

/// A Status as it is written, with fields in Go's order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    kind: String,
    api_version: String,
    metadata: ListMeta,
    status: Outcome,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    reason: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Box<StatusDetails>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    code: u16,
}

/// `metav1.StatusDetails`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusDetails {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<StatusCause>,
    #[serde(skip_serializing_if = "is_zero_u32")]
    pub retry_after_seconds: u32,
}

/// `metav1.StatusCause`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusCause {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(n: &u16) -> bool {
    *n == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero_u32(n: &u32) -> bool {
    *n == 0
}

// === impl Status ===

impl Status {
    /// A failure without details.
    pub fn failure(
        code: u16,
        reason: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::Failure,
            message: message.into(),
            reason: reason.into(),
            details: None,
            code,
            continue_token: String::new(),
        }
    }

    /// The HTTP status to send: [`Self::code`], or 200 on success.
    pub fn http_code(&self) -> StatusCode {
        match self.outcome {
            Outcome::Success => StatusCode::OK,
            Outcome::Failure => {
                StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// The value of the `Retry-After` header, where trying again can help.
    pub fn retry_after_seconds(&self) -> Option<u32> {
        let seconds = self.details.as_ref()?.retry_after_seconds;
        (seconds > 0).then_some(seconds)
    }

    /// The same status with `details`.
    #[must_use]
    pub fn with_details(mut self, details: StatusDetails) -> Self {
        self.details = Some(Box::new(details));
        self
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Status {}

// === impl Wire ===

impl From<Status> for Wire {
    fn from(status: Status) -> Self {
        let Status {
            outcome,
            message,
            reason,
            details,
            code,
            continue_token,
        } = status;
        Self {
            kind: "Status".to_owned(),
            api_version: "v1".to_owned(),
            metadata: ListMeta {
                continue_token,
                ..ListMeta::default()
            },
            status: outcome,
            message,
            reason,
            details,
            code,
        }
    }
}

impl From<Wire> for Status {
    fn from(wire: Wire) -> Self {
        let Wire {
            status,
            message,
            reason,
            details,
            code,
            metadata,
            ..
        } = wire;
        Self {
            outcome: status,
            message,
            reason,
            details,
            code,
            continue_token: metadata.continue_token,
        }
    }
}
