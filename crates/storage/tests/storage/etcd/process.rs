//! Real etcd servers on free ports, which end with the test however it ends.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// Starts what follows `log`, prints its id, and kills it once standard input ends: by
/// [`Process::drop`], or because this process is gone.
const KEEPER: &str = r#"
log=$1; shift
"$@" >"$log" 2>&1 </dev/null &
id=$!
echo $id
read -r end
kill -9 $id
wait $id
"#;

/// One etcd server, or one of several members of a cluster.
pub(super) struct Etcd {
    dir: TempDir,
    arguments: Vec<String>,
    url: String,
    process: Option<Process>,
}

/// Where TLS files are, for a server that wants client certificates.
pub(super) struct ServerTls<'a> {
    pub(super) ca: &'a Path,
    pub(super) certificate: &'a Path,
    pub(super) key: &'a Path,
}

struct Process {
    keeper: Child,
    id: String,
}

// === impl Etcd ===

impl Etcd {
    pub(super) fn start() -> Self {
        Self::cluster(1).remove(0)
    }

    /// Takes no writes once it holds more than `bytes`.
    pub(super) fn start_with_quota(bytes: usize) -> Self {
        let mut etcd = Self::prepare(1, "http").remove(0);
        let quota = format!("--quota-backend-bytes={bytes}");
        etcd.arguments.push(quota);
        etcd.run();
        etcd
    }

    pub(super) fn start_with_tls(tls: &ServerTls<'_>) -> Self {
        let mut etcd = Self::prepare(1, "https").remove(0);
        let path = |path: &Path| path.display().to_string();
        etcd.arguments.extend([
            format!("--cert-file={}", path(tls.certificate)),
            format!("--key-file={}", path(tls.key)),
            format!("--trusted-ca-file={}", path(tls.ca)),
            "--client-cert-auth".to_owned(),
        ]);
        etcd.run();
        etcd
    }

    /// Members of one cluster.
    pub(super) fn cluster(size: usize) -> Vec<Self> {
        let mut members = Self::prepare(size, "http");
        members.iter_mut().for_each(Self::run);
        members
    }

    fn prepare(size: usize, scheme: &str) -> Vec<Self> {
        let ports = free_ports(2 * size);
        let (client_ports, peer_ports) = ports.split_at(size);
        let peer = |member: usize| format!("http://127.0.0.1:{}", peer_ports[member]);
        let cluster: Vec<_> = (0..size)
            .map(|member| format!("m{member}={}", peer(member)))
            .collect();
        let member = |member: usize| {
            let dir = tempfile::tempdir().unwrap();
            let url = format!("{scheme}://127.0.0.1:{}", client_ports[member]);
            let arguments = vec![
                format!("--name=m{member}"),
                format!("--data-dir={}", dir.path().join("data").display()),
                format!("--listen-client-urls={url}"),
                format!("--advertise-client-urls={url}"),
                format!("--listen-peer-urls={}", peer(member)),
                format!("--initial-advertise-peer-urls={}", peer(member)),
                format!("--initial-cluster={}", cluster.join(",")),
                "--unsafe-no-fsync".to_owned(),
                "--log-level=warn".to_owned(),
            ];
            Self {
                dir,
                arguments,
                url,
                process: None,
            }
        };
        (0..size).map(member).collect()
    }

    /// Where clients reach it.
    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Starts it (again) on the same ports and data.
    pub(super) fn run(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = self.dir.path().join("log");
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .arg(&log)
            .arg(binary())
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut id = String::new();
        BufReader::new(keeper.stdout.take().unwrap())
            .read_line(&mut id)
            .unwrap();
        self.process = Some(Process {
            keeper,
            id: id.trim().to_owned(),
        });
    }

    /// Ends it without warning.
    pub(super) fn kill(&mut self) {
        drop(self.process.take());
    }

    /// Stops it where it is: connections stay, nothing answers.
    pub(super) fn freeze(&self) {
        self.signal("STOP");
    }

    pub(super) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = &self.process.as_ref().expect("it runs").id;
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(id)
            .status()
            .unwrap();
        assert!(status.success(), "kill -{name} {id}");
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            println!("--- log of etcd at {}\n{log}---", self.url);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper ends when etcd has.
        let _status = self.keeper.wait();
    }
}

/// Free a moment ago, and all different.
pub(super) fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap())
        .collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}

fn binary() -> PathBuf {
    let given = env::var_os("FLEET_ETCD").map(PathBuf::from);
    let assets = env::var_os("KUBEBUILDER_ASSETS").map(|dir| PathBuf::from(dir).join("etcd"));
    let mut candidates = given.into_iter().chain(assets).chain(cached());
    candidates.find(|path| File::open(path).is_ok()).expect(
        "no etcd in FLEET_ETCD, KUBEBUILDER_ASSETS or the cache of assets: `cargo xtask test` \
         fetches it",
    )
}

/// Those in the cache that xtask keeps, one for each version, the newest name first.
fn cached() -> Vec<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let Some(cache) = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home)
    else {
        return Vec::new();
    };
    let Ok(versions) = fs::read_dir(cache.join("fleetgate/assets")) else {
        return Vec::new();
    };
    let mut found: Vec<_> = versions
        .map(|version| version.unwrap().path().join("etcd"))
        .collect();
    found.sort();
    found.reverse();
    found
}
