//! Who is measured: the member itself, the server, nginx, and whatever the operator names.

use std::{fs, path::PathBuf, str::FromStr};

use anyhow::{Context, Result, bail};
use fleetgate_tests::{
    Credential, connection::Caller, environment::variable, fleet, member::Member, proxy_path,
};

use crate::nginx::Nginx;

/// The way past everything: what the others are compared with.
pub(crate) const DIRECT: &str = "direct";
/// Our own.
pub(crate) const SERVER: &str = "fleetgate";

/// One way to member1.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) name: String,
    pub(crate) caller: Caller,
    /// What stands in front of the member's own paths.
    pub(crate) prefix: String,
    /// The processes that are on the way, if they are known.
    pub(crate) pids: Vec<u32>,
}

/// Another endpoint of the same API, `NAME=URL`.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    name: String,
    url: String,
}

/// The peers of a run, and as whom they are called.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Peers {
    /// Another endpoint of the same API, with a cluster member1, which the benches requests and
    /// streams measure in the same run. Its certificate is not checked.
    #[arg(long = "peer", value_name = "NAME=URL", requires = "peer_token_file")]
    peers: Vec<Peer>,
    /// Holds the bearer token that peers are shown.
    #[arg(long, value_name = "FILE")]
    peer_token_file: Option<PathBuf>,
    /// The process of each peer, in their order: the bench requests measures its CPU time and
    /// memory.
    #[arg(long, value_name = "PID")]
    peer_pid: Vec<u32>,
}

/// The ways, and what runs for them.
#[derive(Debug)]
pub(crate) struct Ways {
    /// Direct first, then the server.
    pub(crate) all: Vec<Way>,
    _nginx: Option<Nginx>,
}

// === impl Ways ===

impl Ways {
    /// Every way there is: nginx where it is installed, with two workers, and the peers.
    ///
    /// # Errors
    /// If a peer's token cannot be read, or nginx does not start.
    pub(crate) async fn new(peers: &Peers) -> Result<Self> {
        let member = Member::new(1).await;
        let direct = Way {
            name: DIRECT.to_owned(),
            caller: member.caller(),
            prefix: String::new(),
            pids: Vec::new(),
        };
        let server = Way {
            name: SERVER.to_owned(),
            caller: Caller::new(&fleet().server_url, &fleet().admin()),
            prefix: proxy_path("member1"),
            pids: vec![variable("FLEET_SERVER_PID").parse().context("a number")?],
        };
        let nginx = Nginx::start(&member).await?;
        let named = direct.clone().impersonating();
        let mut all = vec![direct, named, server];
        if let Some(nginx) = &nginx {
            let nginx = nginx.way(&member)?;
            all.extend([nginx.clone(), nginx.impersonating()]);
        }
        all.extend(peers.ways()?);
        Ok(Self { all, _nginx: nginx })
    }
}

// === impl Way ===

impl Way {
    /// The same, but naming the caller as the server does: the member then asks for each name whether
    /// it may be taken.
    fn impersonating(self) -> Self {
        let names = [
            ("impersonate-user", "system:serviceaccount:default:admin"),
            ("impersonate-group", "system:serviceaccounts"),
            ("impersonate-group", "system:serviceaccounts:default"),
        ];
        let named = |caller: Caller, (name, value)| caller.header(name, value);
        Self {
            name: format!("{}, impersonating", self.name),
            caller: names.into_iter().fold(self.caller, named),
            ..self
        }
    }
}

// === impl Peers ===

impl Peers {
    pub(crate) const fn are_named(&self) -> bool {
        !self.peers.is_empty()
    }

    fn ways(&self) -> Result<Vec<Way>> {
        let Some(file) = &self.peer_token_file else {
            return Ok(Vec::new());
        };
        let token = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        let as_whom = Credential::Token(token.trim().to_owned());
        let way = |(place, peer): (usize, &Peer)| Way {
            name: peer.name.clone(),
            caller: Caller::trusting_anyone(&peer.url, &as_whom),
            prefix: proxy_path("member1"),
            pids: self.peer_pid.get(place).copied().into_iter().collect(),
        };
        Ok(self.peers.iter().enumerate().map(way).collect())
    }
}

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('=') {
            Some((name, url)) if url.starts_with("https://") => Ok(Self {
                name: name.to_owned(),
                url: url.trim_end_matches('/').to_owned(),
            }),
            Some(_) | None => bail!("not NAME=https://HOST:PORT"),
        }
    }
}
