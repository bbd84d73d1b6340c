//! What a caller may be told of a failure: never an address, a name or a path.

use std::{error::Error, io};

use rustls::CertificateError;

/// The cause of `error` in words that tell nothing of where the member is; nothing where the cause
/// is of no known kind.
pub(crate) fn detail(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    let mut found = None;
    while let Some(error) = cause {
        found = of_tls(error).or_else(|| of_io(error)).or(found);
        cause = wrapped(error).or_else(|| error.source());
    }
    found
}

/// What an `io::Error` wraps; its `source` is only the source of that.
fn wrapped<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let wrapped = error.downcast_ref::<io::Error>()?.get_ref()?;
    Some(wrapped)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "not our enum: what is new gets the general word"
)]
fn of_tls(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let rustls::Error::InvalidCertificate(certificate) = error.downcast_ref()? else {
        return Some("the TLS handshake failed");
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
        CertificateError::UnknownIssuer => "the certificate is signed by an unknown authority",
        _ => "the certificate cannot be verified",
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "not our enum: what is new is not told"
)]
fn of_io(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let error = error.downcast_ref::<io::Error>()?;
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some("connection refused"),
        io::ErrorKind::ConnectionReset => Some("connection reset"),
        io::ErrorKind::HostUnreachable => Some("no route to host"),
        io::ErrorKind::NetworkUnreachable => Some("network is unreachable"),
        io::ErrorKind::UnexpectedEof => Some("the connection was closed"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::detail;

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
}
