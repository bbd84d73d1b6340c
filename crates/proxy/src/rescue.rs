//! The one table from [`Error`] to [`Refusal`]. docs/errors.md shows it to users.

use std::{borrow::Cow, time::Duration};

use fleetgate_apimachinery::status::Status;
use fleetgate_model::{
    Attributes, AuthenticateError, CredentialsError, Fault, Hop, Reason, Refusal, RefusalDetails,
    UpstreamError,
};
use http::StatusCode;

use crate::{Error, HeadError, head::HEAD_TOO_LARGE};

/// How long a caller is asked to wait where waiting can help.
const RETRY_AFTER: Option<Duration> = Some(Duration::from_secs(1));

/// What the caller is told of `error`.
pub fn refusal(error: &Error) -> Refusal {
    match error {
        Error::Authenticate(AuthenticateError::Invalid) => Refusal::caller(
            StatusCode::UNAUTHORIZED,
            Reason::Unauthorized,
            "Unauthorized",
        ),
        Error::Authenticate(AuthenticateError::Unavailable(_)) => {
            unavailable("the host cannot be asked who is calling")
        }
        Error::Authorize { .. } => unavailable("the host cannot be asked what the caller may do"),
        Error::Body { .. } => bad_request("the body of the request broke off"),
        Error::ClusterBusy(name) => Refusal {
            details: Some(cluster_details(name)),
            ..too_many(format!(
                "cluster {name}: too many requests, please try again later"
            ))
        },
        Error::ClusterNotFound(name) => Refusal {
            details: Some(cluster_details(name)),
            ..Refusal::caller(
                StatusCode::NOT_FOUND,
                Reason::NotFound,
                format!("clusters.cluster.karmada.io {name:?} not found"),
            )
        },
        Error::Credentials { cluster, source } => credentials(cluster, source),
        Error::Forbidden {
            user,
            attributes,
            reason,
        } => forbidden(user, attributes, reason),
        Error::Head(error) => head(*error),
        Error::Impersonate(message) => bad_request(message.clone()),
        Error::MethodNotAllowed => Refusal {
            details: Some(RefusalDetails::default()),
            ..Refusal::caller(
                StatusCode::METHOD_NOT_ALLOWED,
                Reason::MethodNotAllowed,
                "the server does not allow this method on the requested resource",
            )
        },
        Error::NoEndpoint(cluster) => incomplete(format!(
            "API endpoint of cluster {cluster} should not be empty"
        )),
        Error::Path(error) => Refusal::from(*error),
        Error::TooManyRequests => too_many("Too many requests, please try again later.".to_owned()),
        Error::UpgradeAnswer { cluster, code } => {
            let message = format!(
                "cluster {cluster}: request: invalid upgrade response: status code {}",
                code.as_u16()
            );
            member(StatusCode::BAD_GATEWAY, message, None)
        }
        Error::Upstream { cluster, source } => upstream(cluster, source),
    }
}

fn head(error: HeadError) -> Refusal {
    match error {
        HeadError::Ambiguous(message) => bad_request(message),
        HeadError::TooLarge => Refusal::caller(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Reason::Unknown,
            HEAD_TOO_LARGE,
        ),
    }
}

fn bad_request(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::caller(StatusCode::BAD_REQUEST, Reason::BadRequest, message)
}

fn cluster_details(name: &str) -> RefusalDetails {
    RefusalDetails {
        group: "cluster.karmada.io".to_owned(),
        resource: "clusters".to_owned(),
        name: name.to_owned(),
    }
}

fn too_many(message: String) -> Refusal {
    let (code, reason) = (StatusCode::TOO_MANY_REQUESTS, Reason::TooManyRequests);
    Refusal::caller(code, reason, message).blame(Fault::Caller, RETRY_AFTER)
}

/// The host does not answer: our side's fault, and worth another try.
fn unavailable(message: &'static str) -> Refusal {
    Refusal::caller(
        StatusCode::SERVICE_UNAVAILABLE,
        Reason::ServiceUnavailable,
        message,
    )
    .blame(Fault::Server, RETRY_AFTER)
}

fn member(code: StatusCode, message: String, retry_after: Option<Duration>) -> Refusal {
    let reason = match code {
        StatusCode::GATEWAY_TIMEOUT => Reason::Timeout,
        _ => Reason::ServiceUnavailable,
    };
    Refusal::caller(code, reason, message).blame(Fault::Member, retry_after)
}

/// What Karmada answers with a bare 500 where a Cluster is not filled in.
fn incomplete(message: String) -> Refusal {
    Refusal::caller(StatusCode::INTERNAL_SERVER_ERROR, Reason::Unknown, message)
        .blame(Fault::Member, None)
}

fn credentials(cluster: &str, error: &CredentialsError) -> Refusal {
    let refuse = |what: &str, retry_after| {
        let message = format!("cluster {cluster}: credentials: {what}");
        member(StatusCode::SERVICE_UNAVAILABLE, message, retry_after)
    };
    match error {
        CredentialsError::MissingKey { key: "token", .. } => incomplete(format!(
            "failed to get impresonateToken for cluster {cluster}: \
             the impresonate token of cluster {cluster} is empty"
        )),
        CredentialsError::MissingKey { .. } => refuse("the secret has no caBundle", None),
        CredentialsError::MalformedToken(_) => refuse("the token is malformed", None),
        CredentialsError::NoImpersonator => incomplete(format!(
            "the impersonatorSecretRef of cluster {cluster} is nil"
        )),
        CredentialsError::NotFound(_) => refuse("a secret is missing", RETRY_AFTER),
        CredentialsError::NotOwned(_) => {
            refuse("the impersonator secret belongs to another cluster", None)
        }
        CredentialsError::Plaintext => refuse(
            "no token is sent over plain http (--allow-plain-http-members)",
            None,
        ),
        CredentialsError::Unavailable { .. } => {
            refuse("the host cannot be asked for a secret", RETRY_AFTER)
        }
    }
}

fn upstream(cluster: &str, error: &UpstreamError) -> Refusal {
    match error {
        UpstreamError::Config { field, .. } => {
            incomplete(format!("cluster {cluster}: its {field} cannot be used"))
        }
        UpstreamError::Failed { hop, detail, .. } => {
            let message = failed(cluster, *hop, *detail);
            match hop {
                // Nothing was sent: trying again is safe, and helps while a member restarts.
                Hop::Connect | Hop::Dns | Hop::Proxy | Hop::Tls => {
                    member(StatusCode::SERVICE_UNAVAILABLE, message, RETRY_AFTER)
                }
                // The member may have done what was asked.
                Hop::Request => member(StatusCode::BAD_GATEWAY, message, None),
            }
        }
        // Nothing was sent, and in a moment somebody finds out whether it may be.
        UpstreamError::GivenUp {
            hop,
            detail,
            retry_after,
        } => {
            let message = failed(cluster, *hop, *detail);
            let retry_after = Some((*retry_after).max(Duration::from_secs(1)));
            member(StatusCode::SERVICE_UNAVAILABLE, message, retry_after)
        }
        // Nothing was done with it: trying again is safe.
        UpstreamError::Refused { detail, .. } => {
            let message = failed(cluster, Hop::Request, *detail);
            member(StatusCode::SERVICE_UNAVAILABLE, message, RETRY_AFTER)
        }
        UpstreamError::TimedOut { hop } => {
            let message = format!("cluster {cluster}: {hop}: timed out");
            let retry_after = match hop {
                Hop::Connect | Hop::Dns | Hop::Proxy | Hop::Tls => RETRY_AFTER,
                // The member may have done what was asked.
                Hop::Request => None,
            };
            member(StatusCode::GATEWAY_TIMEOUT, message, retry_after)
        }
        // Nothing was sent here either, but a second later nothing has changed.
        UpstreamError::Untrusted { hop, detail, .. } => {
            let message = failed(cluster, *hop, *detail);
            member(StatusCode::BAD_GATEWAY, message, None)
        }
    }
}

fn failed(cluster: &str, hop: Hop, detail: Option<&str>) -> String {
    let detail = detail.unwrap_or("failed");
    format!("cluster {cluster}: {hop}: {detail}")
}

/// The Status that kube-apiserver itself would answer.
fn forbidden(user: &str, attributes: &Attributes, reason: &str) -> Refusal {
    let Status {
        message, details, ..
    } = Status::forbidden(user, attributes, reason);
    let details = details.map(|details| RefusalDetails {
        group: details.group,
        resource: details.kind,
        name: details.name,
    });
    Refusal {
        details,
        ..Refusal::caller(StatusCode::FORBIDDEN, Reason::Forbidden, message)
    }
}

#[cfg(test)]
mod tests;
