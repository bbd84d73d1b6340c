//! What a call to the fake host asks for.

use bytes::Bytes;
use http::{Method, Request, header};
use url::form_urlencoded;

/// One call, read as Kubernetes reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `get`, `list`, `watch`, `create`, or the method in lower case.
    pub verb: String,
    /// API group, empty for the core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural resource name, empty for other paths.
    pub resource: String,
    /// Namespace, empty for all or none.
    pub namespace: String,
    /// Object name, also where a field selector gives it; empty for all.
    pub name: String,
    /// The decoded query.
    pub query: Vec<(String, String)>,
    /// The Accept header.
    pub accept: String,
    /// The path as sent.
    pub path: String,
    /// The body, as text.
    pub body: String,
}

// === impl Call ===

impl Call {
    pub(super) fn of(req: &Request<Bytes>) -> Self {
        let query: Vec<_> = form_urlencoded::parse(req.uri().query().unwrap_or("").as_bytes())
            .into_owned()
            .collect();
        let accept = req
            .headers()
            .get(header::ACCEPT)
            .map(|accept| accept.to_str().unwrap());
        let mut call = Self {
            verb: String::new(),
            group: String::new(),
            version: String::new(),
            resource: String::new(),
            namespace: String::new(),
            name: String::new(),
            query,
            accept: accept.unwrap_or("").to_owned(),
            path: req.uri().path().to_owned(),
            body: String::from_utf8_lossy(req.body()).into_owned(),
        };
        call.read_path(req.uri().path());
        call.verb = call.verb_of(req.method());
        if call.name.is_empty() {
            call.name = call.selected("metadata.name").unwrap_or("").to_owned();
        }
        call
    }

    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// What the field selector asks of `field`.
    pub(super) fn selected(&self, field: &str) -> Option<&str> {
        let terms = self.param("fieldSelector")?.split(',');
        terms
            .filter_map(|term| term.split_once('='))
            .find(|(key, _)| *key == field)
            .map(|t| t.1)
    }

    /// Whether only metadata is asked for.
    pub(super) fn wants_metadata(&self) -> bool {
        self.accept.contains("as=PartialObjectMetadata")
    }

    fn read_path(&mut self, path: &str) {
        let mut segments = path.trim_matches('/').split('/').map(str::to_owned);
        match segments.next().as_deref() {
            Some("api") => {}
            Some("apis") => self.group = segments.next().unwrap_or_default(),
            _ => return,
        }
        self.version = segments.next().unwrap_or_default();
        let rest: Vec<String> = segments.collect();
        let rest = match rest.as_slice() {
            [word, namespace, rest @ ..] if word == "namespaces" && !rest.is_empty() => {
                self.namespace.clone_from(namespace);
                rest
            }
            rest => rest,
        };
        self.resource = rest.first().cloned().unwrap_or_default();
        self.name = rest.get(1).cloned().unwrap_or_default();
    }

    fn verb_of(&self, method: &Method) -> String {
        let watches = matches!(self.param("watch"), Some("true" | "1"));
        match *method {
            Method::GET if watches => "watch".to_owned(),
            Method::GET if self.name.is_empty() => "list".to_owned(),
            Method::POST => "create".to_owned(),
            _ => method.as_str().to_lowercase(),
        }
    }
}
