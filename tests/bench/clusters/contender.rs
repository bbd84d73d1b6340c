//! Who is measured: a server with clusters, or the host with ConfigMaps.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use fleetgate_tests::{
    CLUSTERS, Credential, connection::Caller, environment::variable, fleet, process::Usage,
    server::Server,
};
use http::Method;
use serde_json::{Value, json};

use crate::load::Ask;

/// Who the others are compared with.
pub(crate) const KUBE: &str = "kube-apiserver";
const NAMESPACE: &str = "bench";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json";

/// One server with the objects that it is measured with.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) caller: Caller,
    pub(crate) pid: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Cluster,
    /// With a text of so many characters.
    ConfigMap(usize),
}

/// Makes requests about the objects of a contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker(Kind);

/// Somebody about whom no authorizer is asked: of 5,000 names, the server would ask the host about
/// each, and that would be what is measured.
fn caller() -> Credential {
    Credential::certificate_of("bench", Some("system:masters"))
}

// === impl Contender ===

impl Contender {
    /// The clusters of `server`.
    pub(crate) fn clusters(name: &'static str, server: &Server) -> Self {
        Self {
            name,
            caller: server.caller(&caller()),
            pid: server.pid(),
            kind: Kind::Cluster,
        }
    }

    /// ConfigMaps of the host, each of about `size` bytes.
    ///
    /// # Errors
    /// If the host refuses them.
    pub(crate) async fn config_maps(size: usize) -> Result<Self> {
        let mut this = Self {
            name: KUBE,
            caller: Caller::new(&fleet().host_url, &caller()),
            pid: variable("FLEET_HOST_PID").parse().context("a number")?,
            kind: Kind::ConfigMap(0),
        };
        let namespace = json!({"metadata": {"name": NAMESPACE}});
        let made = this
            .caller
            .send(Method::POST, "/api/v1/namespaces", &namespace);
        let made = made.await?;
        ensure!(made.status.is_success(), "{made}");
        let empty = this.size_of_one().await?;
        this.kind = Kind::ConfigMap(size.saturating_sub(empty));
        Usage::of(this.pid)?;
        Ok(this)
    }

    /// How many bytes an object takes in an answer.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) async fn size_of_one(&self) -> Result<usize> {
        let maker = self.maker();
        let (number, mut connection) = (usize::MAX, self.caller.connect().await?);
        maker.create(number).send(&mut connection).await?;
        let reply = connection.get(&maker.path(number)).await?;
        let delete = Ask {
            method: Method::DELETE,
            ..Ask::get(&maker.path(number))
        };
        delete.send(&mut connection).await?;
        Ok(reply.body.len())
    }

    pub(crate) const fn maker(&self) -> Maker {
        Maker(self.kind)
    }
}

// === impl Maker ===

impl Maker {
    /// The path of all objects.
    pub(crate) fn collection(self) -> String {
        match self.0 {
            Kind::Cluster => CLUSTERS.to_owned(),
            Kind::ConfigMap(_) => format!("/api/v1/namespaces/{NAMESPACE}/configmaps"),
        }
    }

    /// The path of one object.
    pub(crate) fn path(self, number: usize) -> String {
        format!("{}/object-{number}", self.collection())
    }

    fn object(self, number: usize) -> Value {
        let metadata = json!({"name": format!("object-{number}"), "labels": {"bench": "1"}});
        match self.0 {
            Kind::Cluster => json!({
                "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster",
                "metadata": metadata,
                "spec": {
                    "syncMode": "Pull", "apiEndpoint": format!("https://{number}.example:6443"),
                    "provider": "provider", "region": "region", "zones": ["one", "two"],
                },
            }),
            Kind::ConfigMap(size) => json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
                "data": {"text": "x".repeat(size)},
            }),
        }
    }

    /// Creates an object.
    pub(crate) fn create(self, number: usize) -> Ask {
        Ask {
            method: Method::POST,
            path: self.collection(),
            content_type: JSON,
            body: Bytes::from(self.object(number).to_string()),
            ..Ask::get("")
        }
    }

    /// Replaces an object by one with the label `unique`.
    pub(crate) fn update(&self, number: usize, unique: usize) -> Ask {
        let mut object = self.object(number);
        object["metadata"]["labels"]["unique"] = unique.to_string().into();
        Ask {
            method: Method::PUT,
            path: self.path(number),
            content_type: JSON,
            body: Bytes::from(object.to_string()),
            ..Ask::get("")
        }
    }

    /// Patches an object's label `unique`.
    pub(crate) fn patch(self, number: usize, unique: usize) -> Ask {
        let patch = json!({"metadata": {"labels": {"unique": unique.to_string()}}});
        Ask {
            method: Method::PATCH,
            path: self.path(number),
            content_type: MERGE,
            body: Bytes::from(patch.to_string()),
            ..Ask::get("")
        }
    }

    /// Applies an object with the label `unique`, taking its fields from whoever has them.
    pub(crate) fn apply(&self, number: usize, unique: usize) -> Ask {
        let update = self.update(number, unique);
        Ask {
            method: Method::PATCH,
            path: format!("{}?fieldManager=bench&force=true", update.path),
            content_type: APPLY,
            ..update
        }
    }
}
