//! A host control plane that answers from what a test put into it.
//!
//! Any resource can be put, read, listed and watched; TokenReview and SubjectAccessReview are
//! answered by closures. Every call is counted. No authorization, no validation, no paging.

mod respond;
mod route;
mod state;

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected};
use hyper::body::Incoming;
use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::service_fn;

use crate::server::{Body, Counts, PATIENCE, Server};
use state::State;

pub use route::Call;

type Reviewer = Arc<dyn Fn(&Value) -> Value + Send + Sync>;

/// A fake host; clones share their state.
#[derive(Clone)]
pub struct FakeHost {
    state: Arc<State>,
    script: Arc<Mutex<Script>>,
    called: watch::Sender<()>,
}

/// A fake host that listens.
#[derive(Debug)]
pub struct ServedHost(Server);

struct Script {
    token_review: Reviewer,
    access_review: Reviewer,
    outage: Option<u16>,
    calls: Vec<Call>,
}

// === impl FakeHost ===

impl FakeHost {
    /// A host without objects, that knows no token and allows nothing.
    pub fn new() -> Self {
        let script = Script {
            token_review: Arc::new(|_| json!({ "authenticated": false })),
            access_review: Arc::new(|_| json!({ "allowed": false })),
            outage: None,
            calls: Vec::new(),
        };
        Self {
            state: Arc::default(),
            script: Arc::new(Mutex::new(script)),
            called: watch::Sender::new(()),
        }
    }

    /// A client whose requests are answered in this process, without a socket.
    pub fn client(&self) -> Client {
        let host = self.clone();
        let service = service_fn(move |req: Request<kube::client::Body>| {
            let host = host.clone();
            async move {
                let (head, body) = req.into_parts();
                let body = body.collect_bytes().await.unwrap();
                Ok::<_, Infallible>(host.answer(Request::from_parts(head, body)).await)
            }
        });
        Client::new(service, "default")
    }

    /// The same host behind plain HTTP at `address` (port 0: any), until what is returned is
    /// dropped.
    pub async fn serve(&self, address: SocketAddr) -> ServedHost {
        let host = self.clone();
        let handler = move |req: Request<Incoming>| {
            let host = host.clone();
            async move {
                let (head, body) = req.into_parts();
                let body = body
                    .collect()
                    .await
                    .map(Collected::to_bytes)
                    .unwrap_or_default();
                host.answer(Request::from_parts(head, body)).await
            }
        };
        ServedHost(Server::start(address, None, handler).await)
    }

    /// Answers TokenReviews: from the token's spec (`token`, `audiences`) to a status.
    pub fn review_tokens(&self, review: impl Fn(&Value) -> Value + Send + Sync + 'static) {
        self.script.lock().token_review = Arc::new(review);
    }

    /// Answers SubjectAccessReviews: from a spec to a status.
    pub fn review_access(&self, review: impl Fn(&Value) -> Value + Send + Sync + 'static) {
        self.script.lock().access_review = Arc::new(review);
    }

    /// Answers every call with this status code until told otherwise.
    pub fn fail_with(&self, code: Option<u16>) {
        self.script.lock().outage = code;
    }

    /// Creates or replaces `object`, one of the plural `resource`, e.g. `secrets`. Its kind,
    /// namespace and name stand in the object; uid and resourceVersion are given by the host.
    pub fn put(&self, resource: &str, object: Value) {
        self.state.put(resource, object);
    }

    /// Deletes an object; `namespace` is empty for what is cluster-scoped.
    pub fn delete(&self, resource: &str, namespace: &str, name: &str) {
        self.state.delete(resource, namespace, name);
    }

    /// Ends every open watch, as a host does now and then.
    pub fn end_watches(&self) {
        self.state.end_watches();
    }

    /// Forgets the history, so that a watch of an older resourceVersion is answered 410.
    pub fn compact(&self) {
        self.state.compact();
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.script.lock().calls.clone()
    }

    /// How many calls there were of `verb` (`get`, `list`, `watch`, `create`) for `resource`.
    pub fn count(&self, verb: &str, resource: &str) -> usize {
        let calls = &self.script.lock().calls;
        calls
            .iter()
            .filter(|call| call.verb == verb && call.resource == resource)
            .count()
    }

    /// Waits until there were `at_least` calls of `verb` for `resource`, and fails the test if that
    /// takes too long.
    pub async fn wait(&self, verb: &str, resource: &str, at_least: usize) {
        let mut called = self.called.subscribe();
        let waiting = called.wait_for(|()| self.count(verb, resource) >= at_least);
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            waited.is_ok(),
            "the host waited in vain; it was asked {:?}",
            self.calls()
        );
    }

    async fn answer(&self, req: Request<Bytes>) -> Response<Body> {
        let call = Call::of(&req);
        let (reviewer, outage) = {
            let mut script = self.script.lock();
            script.calls.push(call.clone());
            let reviewer = match call.resource.as_str() {
                "tokenreviews" => Some(script.token_review.clone()),
                "subjectaccessreviews" => Some(script.access_review.clone()),
                _ => None,
            };
            (reviewer, script.outage)
        };
        self.called.send_replace(());
        if let Some(code) = outage {
            return respond::failure(code, "the script fails every call");
        }
        match reviewer {
            Some(reviewer) => respond::review(req.body(), reviewer.as_ref()),
            None => respond::read(&self.state, &call),
        }
    }
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeHost").finish_non_exhaustive()
    }
}

// === impl ServedHost ===

impl ServedHost {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Its connections so far.
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }
}

#[cfg(test)]
mod tests;
