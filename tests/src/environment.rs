//! What `cargo xtask up` says of the fleet that runs, in `FLEET_*` variables.

use std::{ffi::OsString, fs, path::PathBuf, sync::OnceLock};

use crate::{Credential, Kubectl, http::Client};

/// The fleet that the tests run in.
#[derive(Debug)]
pub struct Fleet {
    /// Its state directory.
    pub dir: PathBuf,
    /// The host's address, `https://127.0.0.1:PORT`.
    pub host_url: String,
    /// The server's own address, `https://127.0.0.1:PORT`.
    pub server_url: String,
    /// The CA of everything that listens, PEM.
    pub ca: String,
    /// A token of ServiceAccount default/admin.
    pub admin_token: String,
    /// A token of ServiceAccount default/user.
    pub user_token: String,
}

/// The fleet of this run. Panics with what to type instead where there is none.
pub fn fleet() -> &'static Fleet {
    static FLEET: OnceLock<Fleet> = OnceLock::new();
    FLEET.get_or_init(Fleet::of_environment)
}

// === impl Fleet ===

impl Fleet {
    fn of_environment() -> Self {
        Self {
            dir: variable("FLEET_DIR").into(),
            host_url: variable("FLEET_HOST_URL"),
            server_url: variable("FLEET_SERVER_URL"),
            ca: content("FLEET_CA"),
            admin_token: content("FLEET_ADMIN_TOKEN_FILE").trim().to_owned(),
            user_token: content("FLEET_USER_TOKEN_FILE").trim().to_owned(),
        }
    }

    /// The directory for what tests write; it goes with the fleet.
    pub fn scratch(&self) -> PathBuf {
        let dir = self.dir.join("tests");
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// kubectl at the host, as its administrator.
    pub fn host(&self) -> Kubectl {
        Kubectl::new(variable("KUBECONFIG"))
    }

    /// kubectl at member `number` itself, as its administrator. The first is 1.
    pub fn member(&self, number: u8) -> Kubectl {
        Kubectl::new(variable(&format!("FLEET_MEMBER{number}_KUBECONFIG")))
    }

    /// Speaks to the host.
    pub fn at_host(&self, as_whom: &Credential) -> Client {
        Client::new(&self.host_url, as_whom)
    }

    /// Speaks to the server, without the host in between.
    pub fn at_server(&self, as_whom: &Credential) -> Client {
        Client::new(&self.server_url, as_whom)
    }

    /// ServiceAccount default/admin.
    pub fn admin(&self) -> Credential {
        Credential::Token(self.admin_token.clone())
    }

    /// ServiceAccount default/user, who may reach member1 only and may read there.
    pub fn user(&self) -> Credential {
        Credential::Token(self.user_token.clone())
    }
}

/// The variable `name`, which every fleet sets.
pub fn variable(name: &str) -> String {
    match optional(name) {
        Some(value) => value,
        None => {
            panic!("{name} is not set: run `cargo xtask e2e`, or `. DIR/env` of a fleet that is up")
        }
    }
}

/// The variable `name`, which some fleets set.
pub fn optional(name: &str) -> Option<String> {
    std::env::var_os(name)
        .map(OsString::into_string)
        .map(Result::unwrap)
}

/// The text of the file that the variable `name` names.
pub fn content(name: &str) -> String {
    let path = variable(name);
    match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => panic!("{name} names {path}, which cannot be read: {error}"),
    }
}
