//! nginx as a bare TLS proxy in front of member1: what the server is to be ahead of.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use fleetgate_testkit::certs::{self, Ca};
use fleetgate_tests::{
    Credential, connection::Caller, fleet, member::Member, ports, process::Process,
};
use tempfile::TempDir;
use tokio::process::Command;

use crate::ways::Way;

const LIMIT: Duration = Duration::from_secs(10);

/// A running nginx with two workers and kept connections; it asks nobody who the caller is.
#[derive(Debug)]
pub(crate) struct Nginx {
    port: u16,
    ca: String,
    process: Process,
    _dir: TempDir,
}

// === impl Nginx ===

impl Nginx {
    /// Starts it; nothing where it is not installed.
    ///
    /// # Errors
    /// If its files cannot be written.
    #[expect(
        clippy::print_stderr,
        reason = "who waits for figures should know why one lacks"
    )]
    pub(crate) async fn start(member: &Member) -> Result<Option<Self>> {
        let found = Command::new("nginx").arg("-v").output().await;
        if found.is_err() {
            eprintln!("nginx is not installed (apt-get install nginx-light): left out");
            return Ok(None);
        }
        let dir = tempfile::tempdir_in(fleet().scratch()).context("make a directory")?;
        let (port, ca) = (ports::take(), Ca::new("nginx"));
        let leaf = ca.sign(&certs::server(&["127.0.0.1"]));
        let path = |name: &str| dir.path().join(name);
        fs::write(path("tls.crt"), &leaf.certificate_pem).context("write a certificate")?;
        fs::write(path("tls.key"), &leaf.key_pem).context("write a key")?;
        let text = configuration(port, &member.address().to_string());
        fs::write(path("nginx.conf"), text).context("write nginx.conf")?;
        // It writes its title over its environment, and with it the mark by which what is left of a
        // run is found.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "nginx", "-c", "nginx.conf", "-p"]);
        command.arg(dir.path());
        let mut process = Process::start(command, &path("log"));
        process.until_listening(port, LIMIT).await;
        Ok(Some(Self {
            port,
            ca: ca.pem().to_owned(),
            process,
            _dir: dir,
        }))
    }

    /// The way through it, on which its workers are.
    ///
    /// # Errors
    /// If they cannot be found.
    pub(crate) fn way(&self, member: &Member) -> Result<Way> {
        let url = format!("https://127.0.0.1:{}", self.port);
        let as_whom = Credential::Token(member.token.clone());
        let master = self.process.pid();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children"));
        let children = children.context("find nginx's workers")?;
        let pids = children.split_whitespace().map(str::parse);
        Ok(Way {
            name: "nginx".to_owned(),
            caller: Caller::trusting(&url, &as_whom, &self.ca),
            prefix: String::new(),
            pids: pids
                .collect::<Result<_, _>>()
                .context("read a process number")?,
        })
    }
}

fn configuration(port: u16, member: &str) -> String {
    format!(
        "daemon off;\nworker_processes 2;\npid nginx.pid;\nerror_log stderr;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n  \
         fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n  \
         keepalive_requests 1000000;\n  \
         upstream member {{ server {member}; keepalive 64; keepalive_requests 1000000; }}\n  \
         server {{\n    listen 127.0.0.1:{port} ssl http2;\n    ssl_certificate tls.crt;\n    \
         ssl_certificate_key tls.key;\n    location / {{\n      proxy_pass https://member;\n      \
         proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      \
         proxy_buffering off;\n    }}\n  }}\n}}\n"
    )
}
