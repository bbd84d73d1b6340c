//! A control plane: an etcd and a kube-apiserver on loopback.

use std::{fs, path::PathBuf, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use tokio::net::TcpStream;

use crate::{
    assets::Assets,
    certs::{Authority, Identity, TokenKey},
    client::Client,
    guard::Guard,
    kubeconfig::Kubeconfig,
    ports::Ports,
    process::{Process, Processes, Program, Tier},
    ui,
};

const ETCD_LIMIT: Duration = Duration::from_secs(30);
const APISERVER_LIMIT: Duration = Duration::from_secs(120);

/// What all planes of a run share.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The run's state directory.
    pub(crate) dir: PathBuf,
    pub(crate) assets: Assets,
    pub(crate) guard: Guard,
    pub(crate) ports: Ports,
    pub(crate) processes: Processes,
    /// Signs everything that listens.
    pub(crate) ca: Authority,
    pub(crate) token_key: TokenKey,
}

/// What the planes differ in.
#[derive(Debug)]
pub(crate) struct PlaneSpec {
    pub(crate) name: String,
    pub(crate) reach: Reach,
    /// Signs the certificate that the plane shows to extension servers: the host's alone.
    pub(crate) front_proxy: Option<(Identity, Identity)>,
}

/// From where a plane is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reach {
    /// From this machine's loopback.
    Loopback,
    /// Also from the node's network namespace.
    Node,
}

/// A plane that answers.
#[derive(Debug)]
pub(crate) struct Plane {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) url: String,
    pub(crate) etcd_url: String,
    pub(crate) client: Client,
    pub(crate) kubeconfig: PathBuf,
    /// The command that runs the kube-apiserver, one word a line.
    pub(crate) command_file: PathBuf,
    /// Signs this plane's client certificates.
    pub(crate) client_ca: Authority,
    pub(crate) apiserver: Rc<Process>,
}

/// The certificates of one plane.
struct Papers {
    serving: Identity,
    client_ca: Authority,
    admin: Identity,
    kubelet_client: Identity,
}

// === impl Ground ===

impl Ground {
    pub(crate) fn pki(&self) -> PathBuf {
        self.dir.join("pki")
    }
}

// === impl Plane ===

impl Plane {
    /// Starts etcd and kube-apiserver and waits until the latter is ready.
    pub(crate) async fn start(ground: &Ground, spec: PlaneSpec) -> Result<Self> {
        let papers = Papers::make(ground, &spec.name)?;
        let etcd_url = start_etcd(ground, &spec.name).await?;
        let port = ground.ports.take()?;
        let args = apiserver_args(ground, &spec, &papers, &etcd_url, port);
        let program = ground.assets.kube_apiserver.clone();
        let command_file = ground.dir.join(format!("{}.cmd", spec.name));
        let command = format!("{}\n{}\n", program.display(), args.join("\n"));
        fs::write(&command_file, command)
            .with_context(|| format!("write {}", command_file.display()))?;
        let apiserver = ground.processes.start(Program {
            name: format!("{}-kube-apiserver", spec.name),
            tier: Tier::Apiserver,
            path: program,
            args: args.into_iter().map(Into::into).collect(),
        })?;
        let client = Client::new(port, &ground.ca.identity.cert, Some(&papers.admin))?;
        apiserver
            .until_ready(APISERVER_LIMIT, async || client.is_ok("/readyz").await)
            .await?;
        let url = format!("https://127.0.0.1:{port}");
        let kubeconfig = ground.dir.join(format!("{}.kubeconfig", spec.name));
        Kubeconfig::simple(&ground.ca.identity.cert, &spec.name, &url, &papers.admin)
            .write(&kubeconfig)?;
        let client_ca = papers.client_ca;
        let name = spec.name;
        Ok(Self {
            name,
            port,
            url,
            etcd_url,
            client,
            kubeconfig,
            command_file,
            client_ca,
            apiserver,
        })
    }
}

// === impl Papers ===

impl Papers {
    fn make(ground: &Ground, plane: &str) -> Result<Self> {
        let names = [
            "localhost",
            "127.0.0.1",
            "10.96.0.1",
            "kubernetes.default.svc",
        ];
        let client_ca = Authority::new(&ground.pki(), &format!("{plane}-client-ca"))?;
        let masters = Some("system:masters");
        Ok(Self {
            serving: ground.ca.server(plane, &names)?,
            admin: client_ca.client(&format!("{plane}-admin"), "system:admin", masters)?,
            kubelet_client: client_ca.client(
                &format!("{plane}-kubelet-client"),
                "kube-apiserver-kubelet-client",
                masters,
            )?,
            client_ca,
        })
    }
}

async fn start_etcd(ground: &Ground, plane: &str) -> Result<String> {
    let (port, peer_port) = (ground.ports.take()?, ground.ports.take()?);
    let (url, peer) = (
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{peer_port}"),
    );
    let args = [
        format!("--name={plane}"),
        format!(
            "--data-dir={}",
            ground.dir.join(format!("{plane}-etcd")).display()
        ),
        format!("--listen-client-urls={url}"),
        format!("--advertise-client-urls={url}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster={plane}={peer}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ];
    let etcd = ground.processes.start(Program {
        name: format!("{plane}-etcd"),
        tier: Tier::Etcd,
        path: ground.assets.etcd.clone(),
        args: args.into_iter().map(Into::into).collect(),
    })?;
    etcd.until_ready(ETCD_LIMIT, async || {
        TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await?;
    Ok(url)
}

fn apiserver_args(
    ground: &Ground,
    spec: &PlaneSpec,
    papers: &Papers,
    etcd_url: &str,
    port: u16,
) -> Vec<String> {
    let bind = match spec.reach {
        Reach::Loopback => "127.0.0.1",
        Reach::Node => "0.0.0.0",
    };
    let file = |flag: &str, path: &std::path::Path| format!("--{flag}={}", path.display());
    let mut args = vec![
        format!("--etcd-servers={etcd_url}"),
        format!("--bind-address={bind}"),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        file("cert-dir", &ground.pki()),
        file("tls-cert-file", &papers.serving.cert_file),
        file("tls-private-key-file", &papers.serving.key_file),
        file("client-ca-file", &papers.client_ca.identity.cert_file),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        file("service-account-key-file", &ground.token_key.public_file),
        file(
            "service-account-signing-key-file",
            &ground.token_key.private_file,
        ),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        "--max-requests-inflight=3000".to_owned(),
        "--max-mutating-requests-inflight=1000".to_owned(),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        file(
            "kubelet-client-certificate",
            &papers.kubelet_client.cert_file,
        ),
        file("kubelet-client-key", &papers.kubelet_client.key_file),
    ];
    if let Some((ca, client)) = &spec.front_proxy {
        args.extend([
            file("requestheader-client-ca-file", &ca.cert_file),
            "--requestheader-allowed-names=front-proxy-client".to_owned(),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
            file("proxy-client-cert-file", &client.cert_file),
            file("proxy-client-key-file", &client.key_file),
        ]);
    }
    args
}

/// Says that something is up, and after how long.
pub(crate) fn ready(what: &str, since: tokio::time::Instant) {
    ui::step(format_args!(
        "{what} is ready ({:.1} s)",
        since.elapsed().as_secs_f32()
    ));
}
