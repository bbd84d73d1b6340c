//! The server under development: how it is built, called and known to be ready.

use std::{fs, path::PathBuf, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::{
    cargo::{self, Profile},
    client::Client,
    kubeconfig::Kubeconfig,
    objects,
    plane::{Ground, Plane},
    process::{Process, Program, Tier},
};

/// The package of the server, and its program.
pub(crate) const PACKAGE: &str = "karmada-aggregated-apiserver";
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Where the server keeps the clusters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Storage {
    /// In a file of its own.
    Embedded,
    /// In the host's etcd.
    Etcd,
}

/// Which program is the server.
#[derive(Clone, Debug)]
pub(crate) enum ServerBinary {
    /// This workspace's, built first.
    Build(Profile),
    /// Somebody else's, or one that was built before.
    Given(PathBuf),
}

/// The server, ready.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) binary: PathBuf,
    pub(crate) port: u16,
    pub(crate) url: String,
    /// Its arguments, one a line.
    pub(crate) args_file: PathBuf,
    pub(crate) process: Rc<Process>,
}

// === impl ServerBinary ===

impl ServerBinary {
    /// Builds it if need be. The path is absolute.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        match self {
            Self::Build(profile) => cargo::build(PACKAGE, *profile),
            Self::Given(path) => path
                .canonicalize()
                .with_context(|| format!("find the server {}", path.display())),
        }
    }
}

// === impl Server ===

impl Server {
    /// Starts `binary` at the host and waits until it is ready.
    pub(crate) async fn start(
        ground: &Ground,
        host: &Plane,
        binary: PathBuf,
        storage: Storage,
    ) -> Result<Self> {
        let port = ground.ports.take()?;
        let args = args(ground, host, storage, port)?;
        let args_file = ground.dir.join("server.args");
        fs::write(&args_file, format!("{}\n", args.join("\n")))
            .with_context(|| format!("write {}", args_file.display()))?;
        let process = ground.processes.start(Program {
            name: "server".to_owned(),
            tier: Tier::Server,
            path: binary.clone(),
            args: args.into_iter().map(Into::into).collect(),
        })?;
        let client = Client::new(port, &ground.ca.identity.cert, None)?;
        process
            .until_ready(READY_LIMIT, async || client.is_ok("/readyz").await)
            .await?;
        let url = format!("https://127.0.0.1:{port}");
        Ok(Self {
            binary,
            port,
            url,
            args_file,
            process,
        })
    }
}

fn args(ground: &Ground, host: &Plane, storage: Storage, port: u16) -> Result<Vec<String>> {
    let service = format!("{}.{}.svc", objects::SERVER, objects::SYSTEM);
    let serving = ground
        .ca
        .server("server", &["localhost", "127.0.0.1", &service])?;
    let user = format!(
        "system:serviceaccount:{}:{}",
        objects::SYSTEM,
        objects::SERVER
    );
    let identity = host.client_ca.client("server-client", &user, None)?;
    let kubeconfig = ground.dir.join("server.kubeconfig");
    Kubeconfig::simple(&ground.ca.identity.cert, "host", &host.url, &identity)
        .write(&kubeconfig)?;
    let kubeconfig = kubeconfig.display();
    let mut args = vec![
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        format!("--tls-cert-file={}", serving.cert_file.display()),
        format!("--tls-private-key-file={}", serving.key_file.display()),
    ];
    match storage {
        Storage::Embedded => args.extend([
            "--storage-backend=embedded".to_owned(),
            format!("--data-dir={}", ground.dir.join("data").display()),
        ]),
        Storage::Etcd => args.push(format!("--etcd-servers={}", host.etcd_url)),
    }
    Ok(args)
}
