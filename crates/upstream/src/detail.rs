//! What a caller may be told of a failure: never an address, a name or a path.

use std::{error::Error, io};

use fleetgate_stack::BoxError;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use crate::tunnel::TunnelError;

/// A failure in words that may be told.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(crate) struct Told {
    /// What a caller is told, unless the source has better words.
    words: &'static str,
    #[source]
    source: Option<BoxError>,
}

// === impl Told ===

impl Told {
    /// A failure without another cause.
    pub(crate) const fn new(words: &'static str) -> Self {
        Self {
            words,
            source: None,
        }
    }

    /// The failure `source` in the words `words`.
    pub(crate) fn of(words: &'static str, source: impl Into<BoxError>) -> Self {
        Self {
            words,
            source: Some(source.into()),
        }
    }
}

/// The cause of `error` in words that tell nothing of where the member is; nothing where the cause
/// is of no known kind.
pub(crate) fn detail(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let words = causes(error).filter_map(|error| {
        of_tls(error)
            .or_else(|| of_io(error.downcast_ref()?))
            .or_else(|| of_http1(error.downcast_ref()?))
            .or_else(|| of_http2(error.downcast_ref()?))
            .or_else(|| error.downcast_ref::<TunnelError>()?.detail())
            .or_else(|| Some(error.downcast_ref::<Told>()?.words))
    });
    words.last()
}

/// Whether a time limit of the system ended the work that failed with `error`.
pub(crate) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|error| {
        let io = error.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
    })
}

/// Whether TLS itself failed, and not the bytes below it.
pub(crate) fn is_tls(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|error| error.is::<rustls::Error>())
}

/// Whether the other side speaks none of the protocols that it was offered (RFC 7301, section 3.2).
pub(crate) fn is_no_common_protocol(error: &(dyn Error + 'static)) -> bool {
    let refused = rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    causes(error).any(|error| error.downcast_ref() == Some(&refused))
}

/// `error` and its causes.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

/// What `error` wraps or was caused by: the source of an `io::Error` is only that of what it wraps.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "not our enum: what is new gets the general word"
)]
fn of_tls(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let certificate = match error.downcast_ref()? {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        // In an alert of the member's, or in its answer.
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => return Some("no common version of TLS (annotation fleetgate.dev/tls-min-version)"),
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            return Some("no common application protocol");
        }
        // It comes behind the handshake too.
        rustls::Error::AlertReceived(_) => return Some("TLS was ended with an alert"),
        _ => return Some("the TLS handshake failed"),
    };
    Some(match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate has expired"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        // Another authority of the same name: each cluster has its own "kubernetes".
        CertificateError::BadSignature | CertificateError::UnknownIssuer => {
            "the certificate is signed by an unknown authority"
        }
        _ => "the certificate cannot be verified",
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "not our enum: what is new is not told"
)]
fn of_io(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            Some("the connection was closed")
        }
        io::ErrorKind::ConnectionRefused => Some("connection refused"),
        io::ErrorKind::ConnectionReset => Some("connection reset"),
        io::ErrorKind::HostUnreachable => Some("no route to host"),
        // What is left of an error of TLS where h2 passes it on.
        io::ErrorKind::InvalidData => Some("TLS failed"),
        io::ErrorKind::NetworkUnreachable => Some("network is unreachable"),
        io::ErrorKind::TimedOut => Some("the member stopped answering"),
        _ => None,
    }
}

fn of_http1(error: &hyper::Error) -> Option<&'static str> {
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Some("the connection was closed")
    } else if error.is_timeout() {
        Some("the member stopped answering")
    } else if error.is_parse_too_large() {
        Some("the head of the answer is too large")
    } else if error.is_parse() {
        Some("the answer is not HTTP")
    } else {
        None
    }
}

fn of_http2(error: &h2::Error) -> Option<&'static str> {
    if let Some(error) = error.get_io() {
        of_io(error)
    } else if error.is_go_away() {
        Some("the connection was closed")
    } else if error.is_reset() {
        Some("the stream was reset")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Told, detail, is_timeout};

    #[test]
    fn a_refused_connection_is_told_without_its_address() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(detail(&refused), Some("connection refused"));
    }

    #[test]
    fn a_certificate_is_found_inside_an_io_error() {
        let cause = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let outer = io::Error::new(io::ErrorKind::InvalidData, cause);
        assert_eq!(
            detail(&outer),
            Some("the certificate is signed by an unknown authority")
        );
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(detail(&io::Error::other("dial 10.0.0.7:6443")), None);
    }

    #[test]
    fn the_cause_has_the_better_words() {
        let told = |source| detail(&Told::of("general", source));
        assert_eq!(told(io::Error::other("10.0.0.7")), Some("general"));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(told(refused), Some("connection refused"));
    }

    #[test]
    fn a_timeout_of_the_system_is_found() {
        let timeout = io::Error::from(io::ErrorKind::TimedOut);
        assert!(is_timeout(&Told::of("general", timeout)));
        assert!(!is_timeout(&Told::new("general")));
    }

    #[test]
    fn a_connection_that_tcp_gave_up_is_told() {
        let timeout = io::Error::from(io::ErrorKind::TimedOut);
        assert_eq!(detail(&timeout), Some("the member stopped answering"));
    }
}
