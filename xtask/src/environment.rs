//! What a command finds in its environment, and `DIR/env` with the same as shell exports.

use std::{
    ffi::OsString,
    fmt::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{
    callers::Callers,
    certs::write_private,
    fleet::Fleet,
    node::{self, Node},
    plane::Ground,
};

/// The variables of one fleet.
#[derive(Debug)]
pub(crate) struct Environment {
    variables: Vec<(String, String)>,
    /// Where kubectl is: goes first on PATH.
    bin: PathBuf,
}

// === impl Environment ===

impl Environment {
    pub(crate) fn of(ground: &Ground, fleet: &Fleet) -> Result<Self> {
        let bin = ground
            .assets
            .kubectl
            .parent()
            .context("kubectl stands in no directory")?;
        let mut this = Self {
            variables: Vec::new(),
            bin: bin.to_owned(),
        };
        this.path("FLEET_DIR", &ground.dir);
        this.path("KUBECONFIG", &fleet.host.kubeconfig);
        this.callers(&fleet.callers);
        this.path("FLEET_CA", &ground.ca.identity.cert_file);
        this.path("FLEET_CA_KEY", &ground.ca.identity.key_file);
        this.path("FLEET_SA_KEY", &ground.token_key.private_file);
        this.path("FLEET_FRONT_PROXY_CERT", &fleet.front_proxy.cert_file);
        this.path("FLEET_FRONT_PROXY_KEY", &fleet.front_proxy.key_file);
        this.path("FLEET_ETCD_BIN", &ground.assets.etcd);
        this.server(fleet);
        this.host(fleet);
        this.members(fleet);
        this.node(&fleet.node);
        Ok(this)
    }

    fn callers(&mut self, callers: &Callers) {
        self.path("FLEET_ADMIN_KUBECONFIG", &callers.admin_kubeconfig);
        self.path("FLEET_ADMIN_TOKEN_FILE", &callers.admin_token);
        self.path("FLEET_USER_KUBECONFIG", &callers.user_kubeconfig);
        self.path("FLEET_USER_TOKEN_FILE", &callers.user_token);
    }

    /// A node that was wished for and is not there leaves its reason, for tests to tell.
    fn node(&mut self, node: &Node) {
        match node {
            Node::Running => {
                self.set("FLEET_NODE", "1");
                self.set("FLEET_NODE_NAME", node::NAME);
                self.set("FLEET_NODE_IMAGE", node::IMAGE);
            }
            Node::Absent(Some(reason)) => self.set("FLEET_NODE_ABSENT", reason),
            Node::Absent(None) => {}
        }
    }

    fn server(&mut self, fleet: &Fleet) {
        let server = &fleet.server;
        self.set("FLEET_SERVER_URL", &server.url);
        self.set("FLEET_SERVER_PID", server.process.pid.to_string());
        self.path("FLEET_SERVER_LOG", &server.process.log);
        self.path("FLEET_SERVER_BIN", &server.binary);
        self.path("FLEET_SERVER_ARGS_FILE", &server.args_file);
    }

    fn host(&mut self, fleet: &Fleet) {
        let host = &fleet.host;
        self.set("FLEET_HOST_URL", &host.url);
        self.set("FLEET_HOST_PID", host.apiserver.pid.to_string());
        self.path("FLEET_HOST_CMD", &host.command_file);
        self.set("FLEET_ETCD_URL", &host.etcd_url);
        self.path("FLEET_HOST_CLIENT_CA", &host.client_ca.identity.cert_file);
        self.path(
            "FLEET_HOST_CLIENT_CA_KEY",
            &host.client_ca.identity.key_file,
        );
    }

    fn members(&mut self, fleet: &Fleet) {
        self.set("FLEET_MEMBERS", fleet.members.len().to_string());
        for (member, i) in fleet.members.iter().zip(1..) {
            self.path(&format!("FLEET_MEMBER{i}_KUBECONFIG"), &member.kubeconfig);
            self.set(&format!("FLEET_MEMBER{i}_URL"), &member.url);
            self.set(
                &format!("FLEET_MEMBER{i}_PID"),
                member.apiserver.pid.to_string(),
            );
            self.path(&format!("FLEET_MEMBER{i}_CMD"), &member.command_file);
        }
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    fn path(&mut self, name: &str, value: &Path) {
        self.set(name, value.display().to_string());
    }

    /// The variables for a command, PATH among them.
    pub(crate) fn for_command(&self) -> Vec<(OsString, OsString)> {
        let mut path = self.bin.clone().into_os_string();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        let own = self
            .variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        own.chain([("PATH".into(), path)]).collect()
    }

    /// Writes the variables as shell exports.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let mut text = String::new();
        for (name, value) in &self.variables {
            writeln!(text, "export {name}={}", quote(value)).context("format the exports")?;
        }
        let bin = quote(&self.bin.display().to_string());
        writeln!(text, "export PATH={bin}:\"$PATH\"").context("format the exports")?;
        write_private(file, &text)
    }
}

/// A word for a POSIX shell; left bare where that reads the same.
pub(crate) fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[track_caller]
    fn check(word: &str, want: &str) {
        assert_eq!(quote(word), want);
        let echo = format!("printf %s {want}");
        let out = std::process::Command::new("sh")
            .args(["-c", &echo])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), word);
    }

    #[test]
    fn a_shell_reads_quoted_words_back() {
        check("https://127.0.0.1:20000", "https://127.0.0.1:20000");
        check("", "''");
        check("a dir/it's $HOME", r"'a dir/it'\''s $HOME'");
    }
}
