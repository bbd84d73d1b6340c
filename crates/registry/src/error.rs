//! Failures of the store, as callers are told them.

use std::error::Error;

use fleetgate_apimachinery::status::Status;
use fleetgate_storage::StoreError;

use crate::stored::DecodeError;

/// How long a caller is asked to wait while the store is away, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// What a read or write failed with, for the caller; what only an operator may know is logged.
pub(crate) fn status(error: &StoreError) -> Status {
    match error {
        StoreError::Compacted { .. } => {
            Status::expired("The resourceVersion for the provided list is too old.")
        }
        StoreError::FutureRevision { revision } => {
            let revision = u64::try_from(*revision).unwrap_or_default();
            Status::too_large_resource_version(revision, 0, RETRY_AFTER_SECONDS)
        }
        StoreError::Refused { .. } => {
            tracing::error!(error = chain(error), "the store refused a request");
            Status::internal("the store refused the request")
        }
        StoreError::TooLarge { size } => {
            let message = format!(
                "Request entity too large: the object takes {size} bytes, more than the store \
                 accepts"
            );
            Status::failure(413, "RequestEntityTooLarge", message)
        }
        StoreError::Uncertain { .. } => {
            tracing::warn!(error = chain(error), "the outcome of a write is not known");
            Status::timeout("it is not known whether the store committed the write")
        }
        StoreError::Unavailable { .. } => {
            tracing::warn!(error = chain(error), "the store is not available");
            Status::unavailable("the store is not available", RETRY_AFTER_SECONDS)
        }
    }
}

/// A stored value cannot be read: nobody but an operator can help.
pub(crate) fn undecodable(error: &DecodeError) -> Status {
    let told = chain(error);
    tracing::error!(error = told, "a stored object cannot be read");
    match error {
        DecodeError::Json { .. } => Status::internal("a stored object cannot be read"),
        DecodeError::Unreadable { .. } => Status::internal(told),
    }
}

/// The messages of `error` and its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
