//! Every way in which a request is refused before a member answered it.

use std::borrow::Cow;

use fleetgate_apimachinery::request_info::PathError;
use fleetgate_model::{
    Attributes, AuthenticateError, AuthorizeError, CredentialsError, UpstreamError, User,
};
use http::StatusCode;

use crate::HeadError;

/// Why a request did not get a member's answer. [`crate::refusal`] is the one table to refusals.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller is not known.
    #[error("cannot authenticate the caller")]
    Authenticate(#[source] AuthenticateError),
    /// Nobody could say whether the caller may.
    #[error("cannot authorize {user:?}")]
    Authorize {
        /// The caller's name.
        user: String,
        /// Why.
        #[source]
        source: AuthorizeError,
    },
    /// The body of the request broke off on its way to the cluster, or cannot be read.
    #[error("the body of the request to cluster {cluster} broke off")]
    Body {
        /// The cluster.
        cluster: String,
        /// What came of it.
        #[source]
        source: UpstreamError,
    },
    /// No cluster of this name is registered.
    #[error("no cluster {0:?} is registered")]
    ClusterNotFound(String),
    /// As many requests as may are under way to the cluster.
    #[error("too many requests to cluster {0} at a time")]
    ClusterBusy(String),
    /// There is nothing to present to the cluster.
    #[error("no credentials for cluster {cluster}")]
    Credentials {
        /// The cluster.
        cluster: String,
        /// Why.
        #[source]
        source: CredentialsError,
    },
    /// The caller may not.
    #[error("{user:?} may not {} {}", .attributes.verb, object(.attributes))]
    Forbidden {
        /// The caller's name.
        user: String,
        /// What was asked.
        attributes: Box<Attributes>,
        /// The authorizer's words, perhaps none.
        reason: String,
    },
    /// The head is too large, or could be read in two ways.
    #[error("the head of the request is refused")]
    Head(#[source] HeadError),
    /// The `Impersonate-*` headers make no sense.
    #[error("cannot tell whom to impersonate: {0}")]
    Impersonate(Cow<'static, str>),
    /// The method is not served below `proxy`.
    #[error("the method is not served")]
    MethodNotAllowed,
    /// The cluster has no endpoint.
    #[error("cluster {0} has no apiEndpoint")]
    NoEndpoint(String),
    /// The path must not be served.
    #[error("the path is refused")]
    Path(#[source] PathError),
    /// The member answered an upgrade with neither 101 nor a failure, or switched to what nobody
    /// asked for.
    #[error("cluster {cluster} answered an upgrade with {code}")]
    UpgradeAnswer {
        /// The cluster.
        cluster: String,
        /// What it answered.
        code: StatusCode,
    },
    /// As many requests of its kind are served as may be at a time.
    #[error("too many requests are served at a time")]
    TooManyRequests,
    /// The way to the member failed.
    #[error("cannot reach cluster {cluster}")]
    Upstream {
        /// The cluster.
        cluster: String,
        /// Why.
        #[source]
        source: UpstreamError,
    },
}

// === impl Error ===

impl Error {
    /// `user` may not do what is `asked`.
    pub(crate) fn forbidden(user: &User, asked: Attributes, reason: String) -> Self {
        Self::Forbidden {
            user: user.name.clone(),
            attributes: Box::new(asked),
            reason,
        }
    }
}

/// What was asked for: the path, or the resource of a question that has none.
fn object(attributes: &Attributes) -> String {
    match &attributes.resource {
        Some(resource) if attributes.path.is_empty() => {
            format!("{} {:?}", resource.resource, resource.name)
        }
        Some(_) | None => attributes.path.clone(),
    }
}

#[cfg(test)]
mod tests {
    use fleetgate_model::{Attributes, Resource, Verb};

    use super::Error;

    #[track_caller]
    fn check(attributes: Attributes, want: &str) {
        let error = Error::Forbidden {
            user: "jane".to_owned(),
            attributes: Box::new(attributes),
            reason: String::new(),
        };
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn a_refusal_says_what_was_asked_for() {
        let resource = Some(Resource {
            resource: "groups".to_owned(),
            name: "system:masters".to_owned(),
            ..Resource::default()
        });
        check(
            Attributes {
                verb: Verb::of("impersonate"),
                resource: resource.clone(),
                ..Attributes::default()
            },
            r#""jane" may not impersonate groups "system:masters""#,
        );
        check(
            Attributes {
                verb: Verb::of("get"),
                resource,
                path: "/version".to_owned(),
                ..Attributes::default()
            },
            r#""jane" may not get /version"#,
        );
    }
}
