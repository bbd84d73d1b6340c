//! Verb and resource of a decoded path: the rules of Kubernetes' `RequestInfoFactory`.

use fleetgate_model::{Resource, Selectors, Verb};
use http::Method;

use super::PathError;
use crate::{
    query::{pairs, truth},
    selector::{FieldSelector, LabelSelector},
};

/// Most segments that mean something: prefix, group, version, verb, `namespaces`, namespace,
/// resource, name, subresource.
const MAX_PARTS: usize = 9;
/// The verbs of requests that may last.
const LONG_RUNNING_VERBS: [&str; 2] = ["watch", "proxy"];
/// The subresources whose requests may last.
const LONG_RUNNING_SUBRESOURCES: [&str; 5] = ["attach", "exec", "proxy", "log", "portforward"];

/// The verb of a request that asks for no resource: its method in lower case.
pub(super) fn method_verb(method: &Method) -> Verb {
    match method.as_str() {
        "GET" => Verb::of("get"),
        "POST" => Verb::of("post"),
        "PUT" => Verb::of("put"),
        "PATCH" => Verb::of("patch"),
        "DELETE" => Verb::of("delete"),
        "HEAD" => Verb::of("head"),
        "OPTIONS" => Verb::of("options"),
        other => Verb(other.to_ascii_lowercase().into()),
    }
}

/// Verb and resource of a request for the decoded `path`.
pub(super) fn verb_and_resource(
    method: &Method,
    path: &str,
    query: Option<&str>,
) -> Result<(Verb, Option<Resource>), PathError> {
    let mut buffer = [""; MAX_PARTS];
    let parts = split(path, &mut buffer);
    let (group, parts) = match parts {
        ["api", parts @ ..] if parts.len() >= 2 => ("", parts),
        ["apis", group, parts @ ..] if parts.len() >= 2 => (*group, parts),
        _ => return Ok((method_verb(method), None)),
    };
    let [version, parts @ ..] = parts else {
        return Ok((method_verb(method), None));
    };
    let (verb, parts) = match parts {
        ["watch" | "proxy"] => return Err(PathError::MissingResource),
        ["watch", parts @ ..] => ("watch", parts),
        ["proxy", parts @ ..] => ("proxy", parts),
        parts => (resource_verb(method), parts),
    };
    let (namespace, parts) = match parts {
        ["namespaces", namespace, "status" | "finalize", ..] => (*namespace, parts),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        ["namespaces", namespace] => (*namespace, parts),
        parts => ("", parts),
    };
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let resource = Resource {
        group: group.to_owned(),
        version: (*version).to_owned(),
        namespace: namespace.to_owned(),
        resource: part(0).to_owned(),
        subresource: if verb == "proxy" {
            String::new()
        } else {
            part(2).to_owned()
        },
        name: part(1).to_owned(),
    };
    let (verb, resource) = of_collection(verb, resource, query.unwrap_or_default());
    Ok((Verb::of(verb), Some(resource)))
}

/// What a request with `verb` for the decoded `path` is restricted to by `query`. Where the path
/// says that it is a watch, Kubernetes does not look.
pub(super) fn selectors(verb: &Verb, path: &str, query: Option<&str>) -> Selectors {
    let is_of_many = matches!(verb.as_str(), "deletecollection" | "list" | "watch");
    let Some(query) = query.filter(|_| is_of_many) else {
        return Selectors::default();
    };
    let mut buffer = [""; MAX_PARTS];
    if let ["api", _, "watch", ..] | ["apis", _, _, "watch", ..] = split(path, &mut buffer) {
        return Selectors::default();
    }
    let first = |wanted: &str| Some(pairs(query).find(|(key, _)| key == wanted)?.1);
    let fields = first("fieldSelector").and_then(|text| FieldSelector::parse(&text).ok());
    let labels = first("labelSelector").and_then(|text| LabelSelector::parse(&text).ok());
    Selectors {
        fields: fields.unwrap_or_default().requirements(),
        labels: labels.unwrap_or_default().requirements(),
    }
}

/// Whether Kubernetes, asked for this, may take as long as it likes.
pub(super) fn is_long_running(verb: &Verb, resource: Option<&Resource>, path: &str) -> bool {
    LONG_RUNNING_VERBS.contains(&verb.as_str())
        || resource.map_or_else(
            || path.starts_with("/debug/pprof/"),
            |resource| LONG_RUNNING_SUBRESOURCES.contains(&&*resource.subresource),
        )
}

/// The segments of `path` without slashes at either end, as far as they mean something.
fn split<'b, 'p>(path: &'p str, buffer: &'b mut [&'p str; MAX_PARTS]) -> &'b [&'p str] {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return &[];
    }
    let mut len = 0;
    for (slot, part) in buffer.iter_mut().zip(path.split('/')) {
        *slot = part;
        len += 1;
    }
    &buffer[..len]
}

const fn resource_verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::GET | Method::HEAD => "get",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    }
}

/// What `get` and `delete` mean where no name is given.
fn of_collection(
    verb: &'static str,
    mut resource: Resource,
    query: &str,
) -> (&'static str, Resource) {
    match verb {
        "get" if resource.name.is_empty() => {
            resource.name = selected_name(query).unwrap_or_default();
            (if is_watch(query) { "watch" } else { "list" }, resource)
        }
        "delete" if resource.name.is_empty() => ("deletecollection", resource),
        verb => (verb, resource),
    }
}

/// Whether `query` has a `watch` that is not false. As Kubernetes reads booleans: the first one
/// counts, and all but `0` and `false` is true.
fn is_watch(query: &str) -> bool {
    pairs(query)
        .find(|(key, _)| key == "watch")
        .is_some_and(|(_, value)| truth(&value))
}

/// The one name that the field selector of `query` lets through.
fn selected_name(query: &str) -> Option<String> {
    let (_, selector) = pairs(query).find(|(key, _)| key == "fieldSelector")?;
    let selector = FieldSelector::parse(&selector).ok()?;
    let name = selector.exact("metadata.name")?;
    let is_segment = !matches!(name, "." | "..") && !name.contains(['/', '%']);
    is_segment.then(|| name.to_owned())
}
