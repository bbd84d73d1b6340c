//! What a failed attempt means: an answer, or a reason to ask elsewhere.

use std::{error::Error, time::Duration};

use tonic::{Code, ConnectError, Status};

use crate::StoreError;

/// A failed attempt.
#[derive(Debug)]
pub(super) enum Failure {
    /// The store has answered, and would answer everywhere the same.
    Answer(Answer),
    /// Another endpoint, or a later time, may do better.
    Retry {
        /// Whether the store may have done what was asked, or may do it still.
        doubtful: bool,
        /// What came instead of an answer.
        status: Status,
    },
}

/// An answer that is not a result.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Compacted,
    FutureRevision,
    /// etcd says so before it writes, and also when it has written.
    NoSpace(Status),
    Refused(Status),
    TooLarge(Status),
}

/// No endpoint gave an answer in time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no answer from any etcd endpoint within {}s", after.as_secs_f64())]
pub(super) struct NoAnswer {
    pub(super) after: Duration,
    /// Whether a write may have been done, or may be done still.
    pub(super) doubtful: bool,
    /// The last thing heard.
    #[source]
    pub(super) last: Option<Reason>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the etcd endpoint {address} failed")]
pub(super) struct Reason {
    pub(super) address: String,
    #[source]
    pub(super) status: Status,
}

/// Why a call has no result.
#[derive(Clone, Debug)]
pub(super) enum CallError {
    Answer {
        answer: Answer,
        /// Whether a write may have been done by an earlier attempt, or may be done still.
        doubtful: bool,
    },
    NoAnswer(NoAnswer),
}

// === impl NoAnswer ===

impl NoAnswer {
    /// Before anything was heard.
    pub(super) const fn within(patience: Duration) -> Self {
        Self {
            after: patience,
            doubtful: false,
            last: None,
        }
    }
}

// === impl Failure ===

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let says = |part| status.message().contains(part);
        match status.code() {
            Code::OutOfRange if says("compacted") => Self::Answer(Answer::Compacted),
            Code::OutOfRange if says("future revision") => Self::Answer(Answer::FutureRevision),
            Code::InvalidArgument if says("too large") => Self::Answer(Answer::TooLarge(status)),
            Code::ResourceExhausted if says("larger than max") => {
                Self::Answer(Answer::TooLarge(status))
            }
            Code::ResourceExhausted if says("space exceeded") => {
                Self::Answer(Answer::NoSpace(status))
            }
            // These three come before anything is done.
            Code::ResourceExhausted if says("too many requests") => Self::Retry {
                doubtful: false,
                status,
            },
            Code::Unavailable if says("no leader") => Self::Retry {
                doubtful: false,
                status,
            },
            Code::FailedPrecondition if says("not supported for learner") => Self::Retry {
                doubtful: false,
                status,
            },
            // A server that goes away, or a connection that did: tonic has codes for that, too.
            Code::Unavailable
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted => Self::Retry {
                doubtful: !never_sent(&status),
                status,
            },
            Code::ResourceExhausted if status.source().is_some() => Self::Retry {
                doubtful: true,
                status,
            },
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::DataLoss
            | Code::Unauthenticated => Self::Answer(Answer::Refused(status)),
        }
    }
}

/// Whether there was no connection that the request could have been sent on.
fn never_sent(status: &Status) -> bool {
    let mut next = status.source();
    while let Some(error) = next {
        if error.is::<ConnectError>() {
            return true;
        }
        next = error.source();
    }
    false
}

// === impl CallError ===

impl CallError {
    /// Whether this is an answer after which a write may have been done all the same.
    pub(super) fn is_doubtful_answer(&self) -> bool {
        match self {
            Self::Answer { answer, doubtful } => *doubtful || matches!(answer, Answer::NoSpace(_)),
            Self::NoAnswer(_) => false,
        }
    }

    /// The error of a read at `revision`.
    pub(super) fn of_read(self, revision: i64) -> StoreError {
        match self {
            Self::Answer { answer, .. } => answer.of_read(revision),
            Self::NoAnswer(none) => StoreError::Unavailable {
                source: none.into(),
            },
        }
    }

    /// The error of a write of `size` bytes.
    pub(super) fn of_write(self, size: usize) -> StoreError {
        match self {
            Self::Answer {
                answer,
                doubtful: true,
            } => StoreError::Uncertain {
                source: answer.of_read(0).into(),
            },
            Self::Answer {
                answer: Answer::TooLarge(_),
                ..
            } => StoreError::TooLarge { size },
            Self::NoAnswer(none) if none.doubtful => StoreError::Uncertain {
                source: none.into(),
            },
            other @ (Self::Answer { .. } | Self::NoAnswer(_)) => other.of_read(0),
        }
    }
}

// === impl Answer ===

impl Answer {
    fn of_read(self, revision: i64) -> StoreError {
        match self {
            Self::Compacted => StoreError::Compacted { revision },
            Self::FutureRevision => StoreError::FutureRevision { revision },
            Self::NoSpace(status) | Self::Refused(status) | Self::TooLarge(status) => {
                StoreError::Refused {
                    source: status.into(),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: Code, message: &str, want: &str) {
        let found = match Failure::from(Status::new(code, message)) {
            Failure::Answer(Answer::Compacted) => "compacted",
            Failure::Answer(Answer::FutureRevision) => "future",
            Failure::Answer(Answer::NoSpace(_)) => "no space",
            Failure::Answer(Answer::Refused(_)) => "refused",
            Failure::Answer(Answer::TooLarge(_)) => "too large",
            Failure::Retry { doubtful: true, .. } => "doubtful",
            Failure::Retry {
                doubtful: false, ..
            } => "retry",
        };
        assert_eq!(found, want, "{code:?} {message}");
    }

    #[test]
    fn etcds_words_are_understood() {
        use Code::{
            FailedPrecondition, Internal, InvalidArgument, OutOfRange, PermissionDenied,
            ResourceExhausted, Unavailable,
        };
        check(
            OutOfRange,
            "etcdserver: mvcc: required revision has been compacted",
            "compacted",
        );
        check(
            OutOfRange,
            "etcdserver: mvcc: required revision is a future revision",
            "future",
        );
        check(
            InvalidArgument,
            "etcdserver: request is too large",
            "too large",
        );
        check(
            ResourceExhausted,
            "grpc: received message larger than max (3 vs. 2)",
            "too large",
        );
        check(
            ResourceExhausted,
            "etcdserver: mvcc: database space exceeded",
            "no space",
        );
        check(ResourceExhausted, "etcdserver: too many requests", "retry");
        check(Unavailable, "etcdserver: no leader", "retry");
        check(
            FailedPrecondition,
            "etcdserver: rpc not supported for learner",
            "retry",
        );
        check(FailedPrecondition, "etcdserver: anything else", "refused");
        check(Unavailable, "etcdserver: request timed out", "doubtful");
        check(Unavailable, "etcdserver: leader changed", "doubtful");
        check(Internal, "h2 protocol error", "doubtful");
        check(PermissionDenied, "etcdserver: permission denied", "refused");
    }

    #[test]
    fn a_connection_that_failed_carried_nothing() {
        let mut status = Status::unavailable("tcp connect error");
        status.set_source(std::sync::Arc::new(ConnectError("refused".into())));
        assert!(matches!(
            Failure::from(status),
            Failure::Retry {
                doubtful: false,
                ..
            }
        ));
    }
}
