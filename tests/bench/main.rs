//! Benches against real members: ratios to direct access in the same run.
//!
//! `cargo xtask bench [NAME]` runs them in a fleet of their own, everything optimised.

mod clusters;
mod load;
mod nginx;
mod pods;
mod report;
mod requests;
mod scale;
mod start_up;
mod steady;
mod streams;
mod watchers;
mod ways;

use anyhow::Result;
use clap::{Parser, ValueEnum, error::ErrorKind};

use self::ways::{Peers, Ways};

#[derive(Debug, Parser)]
struct Args {
    /// Only this bench.
    name: Option<Bench>,
    #[command(flatten)]
    peers: Peers,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// The Cluster API, against a kube-apiserver.
    Clusters,
    /// Upgrades, on a real node.
    Pods,
    /// Short requests to a member.
    Requests,
    /// A large fleet.
    Scale,
    /// A dead member beside another, and slow readers.
    Steady,
    /// Watches of a member, and large lists.
    Streams,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let benches = match &args.name {
        Some(bench) if !bench.takes_peers() && args.peers.are_named() => {
            let message = "only the benches requests and streams measure peers\n";
            clap::Error::raw(ErrorKind::ArgumentConflict, message).exit()
        }
        Some(bench) => std::slice::from_ref(bench),
        None => Bench::value_variants(),
    };
    for bench in benches {
        bench.run(&args.peers).await?;
    }
    Ok(())
}

// === impl Bench ===

impl Bench {
    const fn takes_peers(self) -> bool {
        match self {
            Self::Requests | Self::Streams => true,
            Self::Clusters | Self::Pods | Self::Scale | Self::Steady => false,
        }
    }

    async fn run(self, peers: &Peers) -> Result<()> {
        match self {
            Self::Clusters => clusters::run().await,
            Self::Pods => pods::run().await,
            Self::Requests => requests::run(&Ways::new(peers).await?).await,
            Self::Scale => scale::run().await,
            Self::Steady => steady::run().await,
            Self::Streams => streams::run(&Ways::new(peers).await?).await,
        }
    }
}
