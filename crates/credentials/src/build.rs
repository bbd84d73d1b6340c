//! From secrets to what a request carries.

use std::sync::Arc;

use fleetgate_model::{Credentials, CredentialsError, Member, SecretRef};

use crate::{SecretData, ownership::belongs};

/// Whether tokens may be sent over plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// The operator said so.
    Allow,
    /// A member with such an endpoint is not served.
    Refuse,
}

/// Which of a member's secrets is spoken of.
pub(crate) struct Found<'s> {
    /// `spec.secretRef` and what it leads to.
    pub(crate) ca: Option<(&'s SecretRef, Arc<SecretData>)>,
    /// `spec.impersonatorSecretRef` and what it leads to.
    pub(crate) impersonator: (&'s SecretRef, Arc<SecretData>),
}

/// The credentials of `member` from its secrets.
pub(crate) fn build(
    member: &Member,
    found: Found<'_>,
    plain_http: PlainHttp,
) -> Result<Credentials, CredentialsError> {
    let ca_bundle = found.ca.map(|(secret, data)| {
        data.ca_bundle
            .clone()
            .ok_or_else(|| CredentialsError::MissingKey {
                secret: secret.clone(),
                key: "caBundle",
            })
    });
    let ca_bundle = match ca_bundle {
        // Nothing is verified, so nothing is missing.
        Some(Err(_)) if member.insecure_skip_tls_verification => None,
        other => other.transpose()?,
    };
    let (secret, data) = found.impersonator;
    if !belongs(secret, &data, member) {
        return Err(CredentialsError::NotOwned(secret.clone()));
    }
    if plain_http == PlainHttp::Refuse && is_plain_http(&member.endpoint) {
        return Err(CredentialsError::Plaintext);
    }
    let token = data
        .token
        .as_ref()
        .ok_or_else(|| CredentialsError::MissingKey {
            secret: secret.clone(),
            key: "token",
        })?;
    let credentials = Credentials::bearer(token.expose(), ca_bundle);
    credentials.map_err(|_| CredentialsError::MalformedToken(secret.clone()))
}

fn is_plain_http(endpoint: &str) -> bool {
    let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
}
