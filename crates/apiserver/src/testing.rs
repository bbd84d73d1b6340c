//! What the tests of this crate share: a server of clusters over a memory store.

use std::{sync::Arc, time::Duration};

use fleetgate_api::{PRINTER, SERVED};
use fleetgate_apimachinery::request_info::{ProxiedResource, RequestInfo, RequestLine, Upgrade};
use fleetgate_model::{Attributes, Reason, Refusal, User};
use fleetgate_registry::{ClusterRegistry, ClusterStrategy};
use fleetgate_stack::{Body, Tasks};
use fleetgate_storage::{History, memory::MemoryStore};
use futures::{FutureExt, future};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio_util::sync::DropGuard;

use crate::{
    Admitted, ApiServer, Config, MayAlso, Resource, Version,
    health::{Check, Checks},
};

/// Asks for rows.
pub(crate) const TABLE: (&str, &str) = ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
pub(crate) const CLUSTERS: &str = "/apis/cluster.karmada.io/v1alpha1/clusters";

/// A user who may patch and may not create.
pub(crate) const PATCHER: &str = "patcher";

/// A server that runs for as long as this lives.
pub(crate) struct Fixture {
    pub(crate) server: ApiServer<ClusterStrategy>,
    pub(crate) tasks: Tasks,
    _stop: DropGuard,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) code: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What is asked for: verb, resource, name.
fn shown(attributes: &Attributes) -> String {
    let resource = attributes.resource.clone().unwrap_or_default();
    let verb = attributes.verb.as_str();
    format!("{verb} {} {}", resource.resource, resource.name)
}

// === impl Fixture ===

impl Fixture {
    pub(crate) async fn new() -> Self {
        let store = Arc::new(MemoryStore::new(History::RECENT));
        let clusters = ClusterRegistry::new(ClusterStrategy::default(), store, "/registry");
        let tasks = Tasks::default();
        let stop = tasks.stopping().clone();
        tasks.spawn(clusters.run(stop.clone()));
        clusters.registry().synced().await;
        let may_also: MayAlso = Arc::new(|user, attributes| {
            let refused = Refusal::caller(
                StatusCode::FORBIDDEN,
                Reason::Forbidden,
                format!("may not {}", shown(&attributes)),
            );
            let is_allowed = user.name != PATCHER;
            future::ready(if is_allowed { Ok(()) } else { Err(refused) }).boxed()
        });
        let resource = Resource::new(
            Arc::clone(clusters.registry()),
            PRINTER,
            may_also,
            tasks.clone(),
        );
        let config = Config {
            groups: SERVED,
            title: "Karmada",
            address: ":443".to_owned(),
            version: Version::new("1", "36", "v1.36.0-test".to_owned()),
            checks: ["healthz", "livez", "readyz"]
                .map(|endpoint| Checks::new(endpoint, vec![Check::always("ping")]))
                .into(),
            metrics: Registry::default(),
            request_timeout: Duration::from_secs(60),
        };
        let server = ApiServer::new(resource, config);
        Self {
            server,
            tasks,
            _stop: stop.drop_guard(),
        }
    }

    /// The request of `method` for `target`, as it is admitted: for anybody.
    pub(crate) fn admit(
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Admitted {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::full(body)).expect("a request");
        let line = RequestLine {
            method: request.method(),
            path: request.uri().path(),
            query: request.uri().query(),
            upgrade: Upgrade::No,
        };
        let proxied = ProxiedResource {
            group: "cluster.karmada.io",
            version: "v1alpha1",
            resource: "clusters",
        };
        let info = RequestInfo::of(line, &proxied).expect("a path that may be served");
        Admitted {
            request,
            user: User::default(),
            attributes: info.attributes,
        }
    }

    /// The answer to such a request.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<bytes::Bytes>,
    ) -> Answered {
        self.answer(Self::admit(method, target, headers, body))
            .await
    }

    /// The answer to a PATCH of the user called `name`.
    pub(crate) async fn patch_as(
        &self,
        name: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Answered {
        let mut admitted = Self::admit("PATCH", target, headers, body);
        admitted.user.name = name.to_owned();
        self.answer(admitted).await
    }

    async fn answer(&self, admitted: Admitted) -> Answered {
        let response = self.server.serve(admitted).await;
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .expect("a whole body")
            .to_bytes()
            .to_vec();
        Answered {
            code: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// The answer to a GET.
    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answered {
        self.ask("GET", target, headers, "").await
    }

    /// Creates a cluster called `name`.
    pub(crate) async fn create(&self, name: &str) {
        let body = format!(r#"{{"metadata":{{"name":"{name}"}},"spec":{{"syncMode":"Push"}}}}"#);
        let created = self.ask("POST", CLUSTERS, &[], body).await;
        assert_eq!(created.code, StatusCode::CREATED, "{}", created.text());
    }
}

// === impl Answered ===

impl Answered {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("text"))
    }
}
