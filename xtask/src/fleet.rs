//! The whole: a host, its members, the server between them, and who may do what.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use serde_json::Value;
use tokio::time::{Duration, Instant};

use crate::{
    certs::{Authority, Identity, write_private},
    kubeconfig::Kubeconfig,
    objects,
    plane::{Ground, Plane, PlaneSpec, Reach, ready},
    server::{Server, Storage},
};

const AVAILABLE_LIMIT: Duration = Duration::from_secs(60);
const CLUSTERS: &str = "/apis/cluster.karmada.io/v1alpha1/clusters";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct FleetSpec {
    pub(crate) members: u8,
    pub(crate) storage: Storage,
    /// Whether member1 gets a real node.
    pub(crate) member1: Reach,
    pub(crate) binary: PathBuf,
}

/// What runs.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) host: Plane,
    pub(crate) members: Vec<Plane>,
    pub(crate) server: Server,
    pub(crate) front_proxy: Identity,
    pub(crate) admin_token_file: PathBuf,
    pub(crate) user_token_file: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) user_kubeconfig: PathBuf,
}

// === impl Fleet ===

impl Fleet {
    /// Starts everything, host and members side by side.
    pub(crate) async fn start(ground: &Ground, spec: FleetSpec) -> Result<Self> {
        let start = Instant::now();
        let front_proxy_ca = Authority::new(&ground.pki(), "front-proxy-ca")?;
        let front_proxy = front_proxy_ca.client("front-proxy", "front-proxy-client", None)?;
        let front = Some((front_proxy_ca.identity, front_proxy.clone()));
        let host = async {
            let spec_host = PlaneSpec {
                name: "host".to_owned(),
                reach: Reach::Loopback,
                front_proxy: front,
            };
            let host = Plane::start(ground, spec_host).await?;
            ready("host", start);
            objects::create(&host.client, &objects::host()).await?;
            let server = Server::start(ground, &host, spec.binary, spec.storage).await?;
            ready("server", start);
            register_server(&host, &server, &ground.ca.identity.cert).await?;
            ready("the host's APIService v1alpha1.cluster.karmada.io", start);
            Ok((host, server))
        };
        let members = try_join_all((1..=spec.members).map(|i| {
            let reach = if i == 1 {
                spec.member1
            } else {
                Reach::Loopback
            };
            start_member(ground, format!("member{i}"), reach, start)
        }));
        let ((host, server), members) = futures::try_join!(host, members)?;
        for (member, token) in &members {
            let ca = &ground.ca.identity.cert;
            let objects = objects::registration(&member.name, &member.url, token, ca);
            objects::create(&host.client, &objects).await?;
        }
        let members = members.into_iter().map(|(member, _)| member).collect();
        Self::hand_out(ground, host, members, server, front_proxy).await
    }

    /// Tokens and kubeconfigs for the two callers.
    async fn hand_out(
        ground: &Ground,
        host: Plane,
        members: Vec<Plane>,
        server: Server,
        front_proxy: Identity,
    ) -> Result<Self> {
        let admin = objects::token(&host.client, "default", "admin").await?;
        let user = objects::token(&host.client, "default", "user").await?;
        let file = |name: &str| ground.dir.join(name);
        let (admin_token_file, user_token_file) = (file("admin.token"), file("user.token"));
        write_private(&admin_token_file, &admin)?;
        write_private(&user_token_file, &user)?;
        let user_kubeconfig = file("user.kubeconfig");
        let mut config = Kubeconfig::new(&ground.ca.identity.cert)
            .cluster("host", &host.url, None)
            .token("user", &user)
            .context("host", "user", "host");
        for member in &members {
            let name = &member.name;
            config = config
                .cluster(name, &proxy_url(&host.url, name), None)
                .context(name, "user", name);
        }
        config.write(&user_kubeconfig)?;
        let kubeconfig = host.kubeconfig.clone();
        Ok(Self {
            host,
            members,
            server,
            front_proxy,
            admin_token_file,
            user_token_file,
            kubeconfig,
            user_kubeconfig,
        })
    }
}

/// A member's address at the host.
pub(crate) fn proxy_url(host: &str, member: &str) -> String {
    format!("{host}{CLUSTERS}/{member}/proxy")
}

async fn start_member(
    ground: &Ground,
    name: String,
    reach: Reach,
    start: Instant,
) -> Result<(Plane, String)> {
    let member = Plane::start(
        ground,
        PlaneSpec {
            name,
            reach,
            front_proxy: None,
        },
    )
    .await?;
    objects::create(&member.client, &objects::member(&member.name)).await?;
    let token = objects::token(&member.client, objects::CLUSTERS, objects::IMPERSONATOR).await?;
    ready(&member.name, start);
    Ok((member, token))
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
