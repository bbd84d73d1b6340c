//! Another server beside the fleet's: at the same host, with a port, a store and clusters of its
//! own, so that a test may stop it, kill it or keep it from its host.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use http::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    CLUSTERS, Credential,
    connection::Caller,
    environment::{content, variable},
    fleet, ports,
    process::Process,
    proxy_path,
    registration::Registration,
    small_disk::SmallDisk,
    wait::{SOON, check, until},
};

/// Where the secrets of clusters are, at the host.
pub const SECRETS: &str = "/api/v1/namespaces/karmada-cluster/secrets";

/// What a server is told.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    host: Option<String>,
    /// The program and its flags come after these words.
    entering: Vec<String>,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Server {
    spec: ServerSpec,
    dir: TempDir,
    port: u16,
    process: Process,
}

// === impl ServerSpec ===

impl Default for ServerSpec {
    /// What the fleet's server is told, with a port and an embedded store of its own.
    fn default() -> Self {
        let flags = content("FLEET_SERVER_ARGS_FILE");
        let mut this = Self {
            flags: flags.lines().map(str::to_owned).collect(),
            environment: Vec::new(),
            host: None,
            entering: Vec::new(),
        };
        let stores = ["storage-backend", "data-dir", "etcd-servers", "etcd-prefix"];
        for flag in stores {
            this.remove(flag);
        }
        this
    }
}

impl ServerSpec {
    /// With `--name=value`, in place of what was said before.
    #[must_use]
    pub fn flag(mut self, name: &str, value: &str) -> Self {
        self.remove(name);
        self.flags.push(format!("--{name}={value}"));
        self
    }

    /// With clusters kept in the etcd at `url`, below `prefix`.
    #[must_use]
    pub fn etcd(self, url: &str, prefix: &str) -> Self {
        self.flag("etcd-servers", url).flag("etcd-prefix", prefix)
    }

    /// With an embedded store on `disk`.
    #[must_use]
    pub fn on(mut self, disk: &SmallDisk) -> Self {
        self.entering = disk.entering();
        self.embedded(&disk.path().join("data"))
    }

    /// Started by a shell that does `first`, whose `exec "$@"` is the server.
    #[must_use]
    pub fn through(mut self, first: &str) -> Self {
        self.entering = ["sh", "-c", first, "sh"].map(str::to_owned).to_vec();
        self
    }

    fn embedded(self, data: &Path) -> Self {
        self.flag("storage-backend", "embedded")
            .flag("data-dir", &data.display().to_string())
    }

    /// With the host at `url`, which must show the host's certificate.
    #[must_use]
    pub fn host(mut self, url: &str) -> Self {
        self.host = Some(url.to_owned());
        self
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Server {
        let mut server = self.launch();
        server.until_ready().await;
        server
    }

    /// Starts it, and does not wait.
    pub fn launch(mut self) -> Server {
        let dir = tempfile::tempdir_in(fleet().scratch()).unwrap();
        let port = ports::take();
        self = self.flag("secure-port", &port.to_string());
        let is_store =
            |flag: &String| flag.starts_with("--etcd-servers=") || flag.starts_with("--data-dir=");
        if !self.flags.iter().any(is_store) {
            self = self.embedded(&dir.path().join("data"));
        }
        if let Some(host) = &self.host {
            let kubeconfig = kubeconfig(&self.value("kubeconfig"), host);
            let path = dir.path().join("kubeconfig");
            fs::write(&path, kubeconfig).unwrap();
            let path = path.display().to_string();
            let flags = [
                "kubeconfig",
                "authentication-kubeconfig",
                "authorization-kubeconfig",
            ];
            self = flags.iter().fold(self, |spec, flag| spec.flag(flag, &path));
        }
        let process = self.run(&dir);
        Server {
            spec: self,
            dir,
            port,
            process,
        }
    }

    /// The value of a flag. Panics if it is not given.
    pub fn value(&self, name: &str) -> String {
        let flag = format!("--{name}=");
        let value = self.flags.iter().find_map(|f| f.strip_prefix(&flag));
        value
            .unwrap_or_else(|| panic!("no {flag} in {:?}", self.flags))
            .to_owned()
    }

    fn run(&self, dir: &TempDir) -> Process {
        let program = variable("FLEET_SERVER_BIN");
        let mut words = self.entering.iter().chain([&program]).chain(&self.flags);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).envs(self.environment.clone());
        Process::start(command, &dir.path().join("log"))
    }

    fn remove(&mut self, name: &str) {
        let flag = format!("--{name}=");
        self.flags.retain(|f| !f.starts_with(&flag));
    }
}

/// The kubeconfig in the file `path`, with the server at `url`.
fn kubeconfig(path: &str, url: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(&fleet().host_url), "{text}");
    text.replace(&fleet().host_url, url)
}

// === impl Server ===

impl Server {
    /// Where it is, `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A directory that goes with it.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Calls it as the administrator.
    pub fn admin(&self) -> Caller {
        self.caller(&fleet().admin())
    }

    /// Calls it as somebody.
    pub fn caller(&self, as_whom: &Credential) -> Caller {
        Caller::new(&self.url(), as_whom)
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Waits until it is ready, and tells how long that took. Panics if it ends.
    pub async fn until_ready(&mut self) -> Duration {
        let caller = self.caller(&Credential::Anonymous);
        let ready = until("the server is ready", SOON, async || {
            self.process.assert_running();
            match caller.get("/readyz?verbose").await {
                Ok(reply) => check(reply.status == StatusCode::OK, || reply.to_string()),
                Err(error) => Err(format!("{error:#}")),
            }
        });
        ready.await.1
    }

    /// Registers `cluster` here, its secrets at the host in place of what an earlier run left.
    pub async fn register(&self, cluster: &Registration) {
        cluster.remove().await;
        let host = fleet().at_host(&fleet().admin());
        for secret in cluster.secrets() {
            host.post(SECRETS, &secret).await.expect(201);
        }
        let made = self
            .change(Method::POST, CLUSTERS, &cluster.cluster())
            .await;
        assert_eq!(made["metadata"]["name"], *cluster.name, "{made}");
    }

    /// Registers `cluster` and waits until it answers through this server.
    pub async fn join(&self, cluster: &Registration) {
        self.register(cluster).await;
        self.until_answers(&cluster.name).await;
    }

    /// Waits until `cluster` answers through this server, and tells how long that took.
    pub async fn until_answers(&self, cluster: &str) -> Duration {
        let (caller, path) = (self.admin(), proxy_path(cluster) + "/version");
        let what = format!("{cluster} answers");
        let answers = until(&what, SOON, async || match caller.get(&path).await {
            Ok(reply) => check(reply.status == StatusCode::OK, || reply.to_string()),
            Err(error) => Err(format!("{error:#}")),
        });
        answers.await.1
    }

    /// Sends `body` to `path` as the administrator. Panics unless that succeeds.
    pub async fn change(&self, method: Method, path: &str, body: &Value) -> Value {
        let reply = self.admin().send(method.clone(), path, body).await.unwrap();
        assert!(reply.status.is_success(), "{method} {path}: {reply}");
        reply.json()
    }

    /// The metric `name` of `cluster`. Panics if there is none.
    pub async fn metric(&self, name: &str, cluster: &str) -> usize {
        let series = format!("{name}{{cluster=\"{cluster}\"}}");
        self.series(&series).await.unwrap()
    }

    /// What `/metrics` says of `series`, a metric and its labels as they stand there.
    ///
    /// # Errors
    /// If the server does not answer, or has no such series.
    pub async fn series(&self, series: &str) -> Result<usize> {
        let metrics = self.admin().get("/metrics").await?;
        ensure!(metrics.status == StatusCode::OK, "{metrics}");
        let text = metrics.text();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(series));
        let value = lines.find_map(|rest| rest.strip_prefix(' '));
        let value = value.with_context(|| format!("no {series} in {text}"))?;
        Ok(value.parse()?)
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub async fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.ended(SOON).await;
    }

    /// Asks it to stop, by SIGTERM.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits for its end. Panics if that takes too long.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended(SOON).await
    }

    /// Starts it again, with its port and its data, waits until it is ready, and tells how long that
    /// took.
    pub async fn start_again(&mut self) -> Duration {
        self.process = self.spec.run(&self.dir);
        self.until_ready().await
    }
}
