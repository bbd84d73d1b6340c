//! One constructor per reason of a Status, with Kubernetes' wording.

use fleetgate_model::{Attributes, Refusal};

use super::{Outcome, Status, StatusCause, StatusDetails};
use crate::{
    field::{FieldError, aggregate, causes},
    go,
    schema::{GroupKind, GroupResource},
};

// === impl Status ===

impl Status {
    /// 409: an object of that name is there.
    pub fn already_exists(resource: GroupResource<'_>, name: &str) -> Self {
        let message = format!("{resource} {} already exists", go::quote(name));
        Self::failure(409, "AlreadyExists", message).with_details(about(resource, name))
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::failure(400, "BadRequest", message)
    }

    /// 409: the object changed since it was read, or a precondition does not hold.
    pub fn conflict(resource: GroupResource<'_>, name: &str, why: &str) -> Self {
        let name_quoted = go::quote(name);
        let message = format!("Operation cannot be fulfilled on {resource} {name_quoted}: {why}");
        Self::failure(409, "Conflict", message).with_details(about(resource, name))
    }

    /// 409: the object changed since the caller read it.
    pub fn modified(resource: GroupResource<'_>, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version \
                   and try again";
        Self::conflict(resource, name, why)
    }

    /// 410: the resource version, or the page, is no longer to be had.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::failure(410, "Expired", message)
    }

    /// 410: the state that a list began with is no longer kept. `continue_token` leads on to the
    /// rest as it is now.
    pub fn inconsistent_continue(continue_token: String) -> Self {
        let message = "The provided continue parameter is too old to display a consistent list \
                       result. You can start a new list without the continue parameter, or use \
                       the continue token in this response to retrieve the remainder of the \
                       results. Continuing with the provided token results in an inconsistent \
                       list - objects that were created, modified, or deleted between the time \
                       the first chunk was returned and now may show up in the list.";
        Self {
            continue_token,
            ..Self::expired(message)
        }
    }

    /// 410: a watch cannot start at `wanted`, the oldest event held being `oldest`.
    pub fn too_old(wanted: u64, oldest: u64) -> Self {
        Self::expired(format!("too old resource version: {wanted} ({oldest})"))
    }

    /// 403: the user of that name may not do what `attributes` say. `reason` is the authorizer's, or empty.
    pub fn forbidden(user: &str, attributes: &Attributes, reason: &str) -> Self {
        let what = denied(user, attributes);
        let why = if reason.is_empty() {
            what
        } else {
            format!("{what}: {reason}")
        };
        let Some(asked) = &attributes.resource else {
            return Self::failure(403, "Forbidden", format!("forbidden: {why}"))
                .with_details(StatusDetails::default());
        };
        let resource = GroupResource {
            group: &asked.group,
            resource: &asked.resource,
        };
        let message = match asked.name.as_str() {
            "" => format!("{resource} is forbidden: {why}"),
            name => format!("{resource} {} is forbidden: {why}", go::quote(name)),
        };
        Self::failure(403, "Forbidden", message).with_details(about(resource, &asked.name))
    }

    /// 500: an error that the caller can do nothing about.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        let message = error.to_string();
        let cause = StatusCause {
            message: message.clone(),
            ..StatusCause::default()
        };
        let details = StatusDetails {
            causes: vec![cause],
            ..StatusDetails::default()
        };
        Self::failure(
            500,
            "InternalError",
            format!("Internal error occurred: {message}"),
        )
        .with_details(details)
    }

    /// 422: fields of an object are refused.
    pub fn invalid(kind: GroupKind<'_>, name: &str, errors: &[FieldError]) -> Self {
        let name_quoted = go::quote(name);
        let message = match errors {
            [] => format!("{kind} {name_quoted} is invalid"),
            errors => format!("{kind} {name_quoted} is invalid: {}", aggregate(errors)),
        };
        Self::failure(422, "Invalid", message).with_details(StatusDetails {
            name: name.to_owned(),
            group: kind.group.to_owned(),
            kind: kind.kind.to_owned(),
            causes: causes(errors),
            ..StatusDetails::default()
        })
    }

    /// 422: a JSON patch that cannot be applied to the object.
    pub fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::failure(422, "Invalid", message).with_details(StatusDetails::default())
    }

    /// 405: there is no such verb on what is asked for.
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::failure(405, "MethodNotAllowed", message).with_details(StatusDetails::default())
    }

    /// 406: no clause of what the caller accepts names one of the types of the path, by its full
    /// name or as anything.
    pub fn no_representation(available: &[&str]) -> Self {
        let available = available.join(", ");
        let message = format!("406: Not Acceptable\n\nAvailable representations: {available}");
        Self::failure(406, "NotAcceptable", message).with_details(StatusDetails::default())
    }

    /// 406: none of the types that the caller accepts can be given.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        let accepted = accepted.join(", ");
        let message = format!("only the following media types are accepted: {accepted}");
        Self::failure(406, "NotAcceptable", message)
    }

    /// 404: no object of that name.
    pub fn not_found(resource: GroupResource<'_>, name: &str) -> Self {
        let message = format!("{resource} {} not found", go::quote(name));
        Self::failure(404, "NotFound", message).with_details(about(resource, name))
    }

    /// 404: no such resource or path.
    pub fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self::failure(404, "NotFound", message).with_details(StatusDetails::default())
    }

    /// 413: the body is larger than is read.
    pub fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::failure(413, "RequestEntityTooLarge", message)
    }

    /// 504: it took too long.
    pub fn timeout(message: &str) -> Self {
        Self::failure(504, "Timeout", format!("Timeout: {message}"))
            .with_details(StatusDetails::default())
    }

    /// 504 on a read that waits for a resource version that is not there yet.
    pub fn too_large_resource_version(wanted: u64, current: u64, retry_after_seconds: u32) -> Self {
        let what = "Too large resource version";
        let cause = StatusCause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: what.to_owned(),
            ..StatusCause::default()
        };
        let details = StatusDetails {
            causes: vec![cause],
            retry_after_seconds,
            ..StatusDetails::default()
        };
        let message = format!("Timeout: {what}: {wanted}, current: {current}");
        Self::failure(504, "Timeout", message).with_details(details)
    }

    /// 429: come back after `retry_after_seconds`.
    pub fn too_many_requests(message: &str, retry_after_seconds: u32) -> Self {
        Self::failure(429, "TooManyRequests", message).with_details(StatusDetails {
            retry_after_seconds,
            ..StatusDetails::default()
        })
    }

    /// 503: come back after `retry_after_seconds`, if that is not 0.
    pub fn unavailable(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        let status = Self::failure(503, "ServiceUnavailable", message);
        match retry_after_seconds {
            0 => status,
            retry_after_seconds => status.with_details(StatusDetails {
                retry_after_seconds,
                ..StatusDetails::default()
            }),
        }
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::failure(401, "Unauthorized", "Unauthorized")
    }

    /// 415: the body is of none of the types that are read.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let accepted = accepted.join(", ");
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: \
             {accepted}"
        );
        Self::failure(415, "UnsupportedMediaType", message)
    }

    /// 200: the object with `uid` is deleted.
    pub fn deleted(resource: GroupResource<'_>, name: &str, uid: &str) -> Self {
        let details = StatusDetails {
            uid: uid.to_owned(),
            ..about(resource, name)
        };
        Self {
            outcome: Outcome::Success,
            ..Self::failure(0, "", "")
        }
        .with_details(details)
    }
}

/// Details of the object called `name`.
fn about(resource: GroupResource<'_>, name: &str) -> StatusDetails {
    StatusDetails {
        name: name.to_owned(),
        group: resource.group.to_owned(),
        kind: resource.resource.to_owned(),
        ..StatusDetails::default()
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            code,
            reason,
            message,
            details,
            retry_after,
            fault: _,
        } = refusal;
        let seconds = retry_after.map(|after| u32::try_from(after.as_secs()).unwrap_or(u32::MAX));
        let details = details.map(|details| StatusDetails {
            name: details.name,
            group: details.group,
            kind: details.resource,
            ..StatusDetails::default()
        });
        let details = match seconds {
            None => details,
            Some(retry_after_seconds) => Some(StatusDetails {
                retry_after_seconds,
                ..details.unwrap_or_default()
            }),
        };
        Self {
            details: details.map(Box::new),
            ..Self::failure(code.as_u16(), reason.as_str(), message)
        }
    }
}

/// What is denied, without characters that a browser could take for markup.
fn denied(user: &str, attributes: &Attributes) -> String {
    let name = go::quote(user);
    let verb = &attributes.verb;
    let Some(asked) = &attributes.resource else {
        let path = go::quote(&attributes.path);
        return sanitize(&format!("User {name} cannot {verb} path {path}"));
    };
    let resource = match asked.subresource.as_str() {
        "" => go::quote(&asked.resource),
        subresource => go::quote(&format!("{}/{subresource}", asked.resource)),
    };
    let scope = match asked.namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {}", go::quote(namespace)),
    };
    let group = go::quote(&asked.group);
    sanitize(&format!(
        "User {name} cannot {verb} resource {resource} in API group {group} {scope}"
    ))
}

fn sanitize(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
