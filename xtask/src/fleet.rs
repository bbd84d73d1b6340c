//! The whole: a host, its members, the server between them, and who may do what.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::{
    callers::Callers,
    certs::{Authority, Identity},
    node::{Choice, Node},
    objects,
    plane::{Ground, Plane, PlaneSpec, Reach, ready},
    server::{Server, Storage},
    ui,
};

const AVAILABLE_LIMIT: Duration = Duration::from_secs(60);
const LOG_LINES: usize = 20;
/// Where the host serves the clusters.
pub(crate) const CLUSTERS: &str = "/apis/cluster.karmada.io/v1alpha1/clusters";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct FleetSpec {
    pub(crate) members: u8,
    pub(crate) storage: Storage,
    /// Whether member1 gets a real node.
    pub(crate) node: Choice,
    /// The server's program.
    pub(crate) binary: PathBuf,
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) host: Plane,
    pub(crate) members: Vec<Plane>,
    pub(crate) node: Node,
    pub(crate) server: Server,
    pub(crate) front_proxy: Identity,
    pub(crate) callers: Callers,
}

/// A member that is not registered yet.
struct Candidate {
    plane: Plane,
    node: Node,
    /// Of the member's impersonator.
    token: String,
}

// === impl Fleet ===

impl Fleet {
    /// Starts everything, host and members side by side.
    pub(crate) async fn start(ground: &Ground, spec: FleetSpec) -> Result<Self> {
        let start = Instant::now();
        let authority = Authority::new(&ground.pki(), "front-proxy-ca")?;
        let front_proxy = authority.client("front-proxy", "front-proxy-client", None)?;
        let front = (authority.identity, front_proxy.clone());
        let none = Choice::Without(None);
        let members = (1..=spec.members).map(|i| {
            let node = if i == 1 { &spec.node } else { &none };
            Candidate::start(ground, format!("member{i}"), node, start)
        });
        let host = start_host(ground, &spec, front, start);
        let ((host, server), members) = futures::try_join!(host, try_join_all(members))?;
        for member in &members {
            member.register(ground, &host).await?;
        }
        let node = members
            .first()
            .map_or(Node::Absent(None), |member| member.node.clone());
        let members: Vec<Plane> = members.into_iter().map(|member| member.plane).collect();
        let callers = Callers::make(ground, &host, &members).await?;
        Ok(Self {
            host,
            members,
            node,
            server,
            front_proxy,
            callers,
        })
    }
}

// === impl Candidate ===

impl Candidate {
    async fn start(ground: &Ground, name: String, choice: &Choice, start: Instant) -> Result<Self> {
        let spec = PlaneSpec {
            name,
            reach: choice.reach(),
            front_proxy: None,
        };
        let plane = Plane::start(ground, spec).await?;
        objects::create(&plane.client, &objects::member(&plane.name)).await?;
        let token = objects::token(&plane.client, objects::CLUSTERS, objects::IMPERSONATOR).await?;
        ready(&plane.name, start);
        let node = choice.start(ground, &plane).await?;
        if node == Node::Running {
            ready("member1's node", start);
        }
        Ok(Self { plane, node, token })
    }

    async fn register(&self, ground: &Ground, host: &Plane) -> Result<()> {
        let ca = &ground.ca.identity.cert;
        let Plane { name, url, .. } = &self.plane;
        let objects = objects::registration(name, url, &self.token, ca);
        objects::create(&host.client, &objects)
            .await
            .with_context(|| format!("register {name}"))
    }
}

async fn start_host(
    ground: &Ground,
    spec: &FleetSpec,
    front_proxy: (Identity, Identity),
    start: Instant,
) -> Result<(Plane, Server)> {
    let host = PlaneSpec {
        name: "host".to_owned(),
        reach: Reach::Loopback,
        front_proxy: Some(front_proxy),
    };
    let host = Plane::start(ground, host).await?;
    ready("host", start);
    objects::create(&host.client, &objects::host()).await?;
    let server = Server::start(ground, &host, spec.binary.clone(), spec.storage).await?;
    ready("server", start);
    register_server(&host, &server, &ground.ca.identity.cert).await?;
    ready("the host's APIService", start);
    Ok((host, server))
}

/// Registers the server at the host and waits until the host finds it available.
async fn register_server(host: &Plane, server: &Server, ca: &str) -> Result<()> {
    let object = objects::api_service(server.port, ca);
    objects::create(&host.client, std::slice::from_ref(&object)).await?;
    let path = "/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.cluster.karmada.io";
    let start = Instant::now();
    loop {
        let obstacle = obstacle(&host.client.get(path).await.context("read the APIService")?);
        // The host learns the routes of an available service a moment later.
        if obstacle.is_none() && host.client.is_ok(CLUSTERS).await {
            return Ok(());
        }
        if start.elapsed() > AVAILABLE_LIMIT {
            ui::log_tail(&server.process.log, LOG_LINES);
            let obstacle = obstacle.as_deref().unwrap_or("its routes are missing");
            bail!("the host does not pass requests on to the server: {obstacle}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Why an APIService is not available, if so.
fn obstacle(api_service: &Value) -> Option<String> {
    let conditions = api_service["status"]["conditions"].as_array();
    let available = conditions.and_then(|all| {
        all.iter()
            .find(|condition| condition["type"] == "Available")
    });
    match available {
        None => Some("it has not looked yet".to_owned()),
        Some(condition) if condition["status"] == "True" => None,
        Some(condition) => Some(condition["message"].to_string()),
    }
}
