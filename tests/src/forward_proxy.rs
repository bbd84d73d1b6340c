//! Real forward proxies, squid and dante, that a test starts for itself.
//!
//! Each runs in a mount namespace of its own, where `/etc/hosts` leads [`INSIDE`] to this machine: a
//! name that nobody else can look up, as the name of a member in another network. There dante finds
//! its user too, which it takes from the system's. And `/dev/shm` is its own: squid makes segments
//! there under names that are the same in each squid of a machine, and ends where another was faster.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{environment::optional, fleet, left_out, ports, process::Process};

/// The name that only the proxies can look up; it is in the members' certificates.
pub const INSIDE: &str = "kubernetes.default.svc";
/// A user that every proxy here knows.
pub const USER: &str = "fleet";
/// The user's password.
pub const PASSWORD: &str = "p:w";
/// What `proxyURL` holds of both.
pub const LOGIN: &str = "fleet:p%3Aw";

/// [`PASSWORD`] as crypt(3) keeps it: SHA-512 with a salt.
const CRYPTED: &str = "$6$fleetgate$sGJLEEksCe2DkuZKGrjULbGrqH3NJThTgHh3/\
    aHL4.M.2trRohLZmm5IPpWnv4z2aCV92xvHE1iHYKOj2kwuI0";
const LIMIT: Duration = Duration::from_secs(30);

/// A proxy that runs until this is dropped.
#[derive(Debug)]
pub struct ForwardProxy {
    port: u16,
    tls_port: u16,
    process: Process,
    _dir: TempDir,
}

/// Whom a proxy serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Everybody.
    Anybody,
    /// [`USER`].
    User,
    /// Requests with the header `X-Tenant: fleet-a`.
    Tenant,
}

/// The program `name`, or `None` where this machine cannot run it, which `test` says aloud. Fails
/// the test where the fleet must have all that tests need.
pub fn needed_by(test: &str, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = dirs.map(|dir| dir.join(name)).find(|path| path.exists());
    let reason = match &found {
        None => format!("there is no {name}"),
        Some(_) if !rustix::process::geteuid().is_root() => format!("{name} is run as root"),
        Some(_) => return found,
    };
    let required = optional("FLEET_REQUIRE_NODE").is_some();
    assert!(!required, "{test}: {reason}");
    left_out(test, &reason);
    None
}

// === impl ForwardProxy ===

impl ForwardProxy {
    /// A squid, which speaks HTTP and, with the fleet's certificate, HTTPS.
    pub async fn squid(program: &Path, serves: Serves) -> Self {
        let (port, tls_port) = (ports::take(), ports::take());
        let pki = fleet().dir.join("pki");
        let access = match serves {
            Serves::Anybody => "http_access allow all",
            // sed answers each line of user and password with OK or ERR.
            Serves::User => {
                "auth_param basic program /bin/sed -u -e s/^fleet.p:w$/OK/ -e t -e s/.*/ERR/
                auth_param basic children 1 startup=1
                acl known proxy_auth REQUIRED
                http_access allow known"
            }
            Serves::Tenant => {
                "acl tenant req_header X-Tenant ^fleet-a$
                http_access allow tenant"
            }
        };
        let config = format!(
            "http_port 127.0.0.1:{port}
            https_port 127.0.0.1:{tls_port} tls-cert={pki}/server.crt tls-key={pki}/server.key
            pid_filename none
            cache_log /dev/null
            access_log none
            netdb_filename none
            cache deny all
            pinger_enable off
            visible_hostname squid
            coredump_dir /
            {access}
            http_access deny all
            ",
            pki = pki.display(),
        );
        let config = lines(&config);
        let args = ["-N", "-d", "1", "-f"].map(OsStr::new);
        Self::start(program, &args, &config, (port, tls_port)).await
    }

    /// A dante, which speaks SOCKS 5.
    pub async fn dante(program: &Path, serves: Serves) -> Self {
        let port = ports::take();
        let method = match serves {
            Serves::User => "username",
            Serves::Anybody | Serves::Tenant => "none",
        };
        let config = format!(
            "logoutput: stderr
            internal: 127.0.0.1 port = {port}
            external: 127.0.0.1
            clientmethod: none
            socksmethod: {method}
            user.privileged: root
            user.unprivileged: nobody
            client pass {{
                from: 0.0.0.0/0 to: 0.0.0.0/0
            }}
            socks pass {{
                from: 0.0.0.0/0 to: 0.0.0.0/0
                command: connect
                log: connect disconnect
            }}
            ",
        );
        let config = lines(&config);
        let args = ["-N", "1", "-f"].map(OsStr::new);
        Self::start(program, &args, &config, (port, port)).await
    }

    /// `program`, its arguments with the file of `config` last, listening at `ports`.
    async fn start(program: &Path, args: &[&OsStr], config: &str, ports: (u16, u16)) -> Self {
        let dir = tempfile::tempdir_in(fleet().scratch()).unwrap();
        let file = |name: &str| dir.path().join(name);
        fs::write(file("config"), config).unwrap();
        fs::write(file("hosts"), format!("127.0.0.1 {INSIDE} localhost\n")).unwrap();
        let others = fs::read_to_string("/etc/passwd").unwrap();
        let user = format!("{USER}:x:60999:60999::/nonexistent:/usr/sbin/nologin");
        fs::write(file("passwd"), format!("{others}{user}\n")).unwrap();
        // Of our user alone: nobody else's password is copied.
        let shadow = format!("{USER}:{CRYPTED}:19000:0:99999:7:::\n");
        fs::write(file("shadow"), shadow).unwrap();
        let script = "cd \"$1\" && shift
            for file in hosts passwd shadow; do mount --bind $file /etc/$file || exit; done
            mount -t tmpfs tmpfs /dev/shm || exit
            cd / && exec \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation=private", "sh", "-c", script, "sh"])
            .arg(dir.path())
            .arg(program)
            .args(args)
            .arg(file("config"));
        let mut this = Self {
            port: ports.0,
            tls_port: ports.1,
            process: Process::start(command, &file("log")),
            _dir: dir,
        };
        this.process.until_listening(this.port, LIMIT).await;
        this.process.until_listening(this.tls_port, LIMIT).await;
        this
    }

    /// `SCHEME://LOGIN@127.0.0.1:PORT`, without the `@` where `login` is empty.
    pub fn url(&self, scheme: &str, login: &str) -> String {
        let port = match scheme {
            "https" => self.tls_port,
            _ => self.port,
        };
        let at = if login.is_empty() { "" } else { "@" };
        format!("{scheme}://{login}{at}127.0.0.1:{port}")
    }
}

/// `text` without the space before each line: both programs read words from the start of a line on.
fn lines(text: &str) -> String {
    text.lines()
        .map(|line| format!("{}\n", line.trim_start()))
        .collect()
}
