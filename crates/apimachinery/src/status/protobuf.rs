//! A Status as Kubernetes' protobuf: what a client reads that accepts nothing else.

use super::{Outcome, Status, StatusCause, StatusDetails};
use crate::protobuf::{envelope, put_bytes, put_number};

// === impl Status ===

impl Status {
    /// The status in Kubernetes' envelope (`runtime.Unknown`), of type
    /// `application/vnd.kubernetes.protobuf`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        envelope("v1", "Status", &message(self))
    }
}

/// Fields in Go's order. Go writes strings even when they are empty, and numbers even when 0.
fn message(status: &Status) -> Vec<u8> {
    let mut out = Vec::new();
    let outcome: &[u8] = match status.outcome {
        Outcome::Failure => b"Failure",
        Outcome::Success => b"Success",
    };
    let mut list_meta = Vec::new();
    put_bytes(&mut list_meta, 1, &[]);
    put_bytes(&mut list_meta, 2, &[]);
    put_bytes(&mut list_meta, 3, status.continue_token.as_bytes());
    put_bytes(&mut out, 1, &list_meta);
    put_bytes(&mut out, 2, outcome);
    put_bytes(&mut out, 3, status.message.as_bytes());
    put_bytes(&mut out, 4, status.reason.as_bytes());
    if let Some(status_details) = &status.details {
        put_bytes(&mut out, 5, &details(status_details));
    }
    put_number(&mut out, 6, status.code);
    out
}

fn details(details: &StatusDetails) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, details.name.as_bytes());
    put_bytes(&mut out, 2, details.group.as_bytes());
    put_bytes(&mut out, 3, details.kind.as_bytes());
    for each in &details.causes {
        put_bytes(&mut out, 4, &cause(each));
    }
    put_number(&mut out, 5, details.retry_after_seconds);
    put_bytes(&mut out, 6, details.uid.as_bytes());
    out
}

fn cause(cause: &StatusCause) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, cause.reason.as_bytes());
    put_bytes(&mut out, 2, cause.message.as_bytes());
    put_bytes(&mut out, 3, cause.field.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use crate::status::Status;

    #[test]
    fn a_status_is_written_as_recorded() {
        let message = "object *v1alpha1.ClusterList does not implement the protobuf marshalling \
                       interface and cannot be encoded to a protobuf message";
        let got = Status::failure(406, "NotAcceptable", message).to_protobuf();
        // golden media/not-acceptable; the recording has U+FFFD for bytes that are not UTF-8.
        let want = "k8s\0\n\u{c}\n\u{2}v1\u{12}\u{6}Status\u{12}\u{fffd}\u{1}\n\u{6}\n\0\u{12}\0\
                    \u{1a}\0\u{12}\u{7}Failure\u{1a}~object *v1alpha1.ClusterList does not \
                    implement the protobuf marshalling interface and cannot be encoded to a \
                    protobuf message\"\rNotAcceptable0\u{fffd}\u{3}\u{1a}\0\"\0";
        assert_eq!(String::from_utf8_lossy(&got), want);
    }
}
