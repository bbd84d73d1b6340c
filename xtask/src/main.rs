//! The project's own commands: up, test, e2e, golden, fuzz, bench, soak, dist, tidy, lint.
//!
//! Everything runs on one thread: children die with the thread that started them.

mod assets;
mod callers;
mod cargo;
mod certs;
mod client;
mod command;
mod dist;
mod environment;
mod fleet;
mod fuzz;
mod guard;
mod hints;
mod kubeconfig;
mod lint;
mod node;
mod objects;
mod plane;
mod ports;
mod process;
mod server;
mod signals;
mod state;
mod suites;
mod tidy;
mod ui;
mod up;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::{
    cargo::Profile,
    fuzz::{Chance, Plan},
    node::Wish,
    server::{ServerBinary, Storage},
    state::Afterwards,
    suites::Replay,
    up::UpSpec,
};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a host, members and the server; run a command among them or wait for Ctrl-C.
    Up(UpArgs),
    /// Run every test: unit, in-process, and end to end on real clusters.
    Test {
        /// Fail where the machine cannot have a real node, instead of leaving its tests out.
        #[arg(long)]
        require_node: bool,
        /// How long each fuzz target runs.
        #[arg(long, value_name = "SECONDS", default_value_t = 2)]
        fuzz_seconds: u32,
    },
    /// Run the end-to-end tests alone.
    E2e {
        /// Only tests whose name contains this.
        filter: Option<String>,
        /// Fail where the machine cannot have a real node, instead of leaving its tests out.
        #[arg(long)]
        require_node: bool,
    },
    /// Replay the recorded cases of karmada-aggregated-apiserver and tell which agree.
    Golden(GoldenArgs),
    /// Run the fuzz targets, or one of them.
    Fuzz {
        /// Only this target.
        target: Option<String>,
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Measure on real members, as ratios against direct access in the same run.
    Bench(BenchArgs),
    /// Load a member for minutes while its credentials change and it dies, account for every
    /// response, and tell what the server has not given back.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 10)]
        minutes: u32,
        /// Give member1 a real node where the machine allows it, and run commands in a pod, too.
        #[arg(long)]
        node: bool,
        /// Load this program instead of building ours.
        #[arg(long, value_name = "FILE")]
        server: Option<PathBuf>,
    },
    /// Build the program that is shipped: static, and laid out by what it does under typical load,
    /// which is measured in a fleet of its own. Takes two release builds.
    Dist,
    /// Check layers, sizes, heads and manifests.
    Tidy,
    /// Check formatting, clippy, documentation links, and tidy.
    Lint,
    #[command(name = "__guard", hide = true)]
    Guard { run: String },
    #[command(name = "__child", hide = true)]
    Child {
        parent: u32,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        program: Vec<OsString>,
    },
}

#[derive(Args, Debug)]
struct UpArgs {
    /// How many member clusters.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=20))]
    members: u8,
    /// Give member1 a real node (containerd and a kubelet) where the machine allows it.
    #[arg(long)]
    node: bool,
    /// Where the server keeps the clusters.
    #[arg(long, value_enum, default_value_t = Storage::Embedded)]
    storage: Storage,
    /// Where the run keeps its files [default: a new temporary directory].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave the files when everything has stopped.
    #[arg(long)]
    keep: bool,
    /// Compile the server with optimisations.
    #[arg(long)]
    release: bool,
    /// Run this binary as the server instead of building ours.
    #[arg(long, value_name = "FILE", conflicts_with = "release")]
    server: Option<PathBuf>,
    /// Run this with the fleet's environment, and end with its exit status.
    #[arg(last = true)]
    cmd: Vec<OsString>,
}

#[derive(Args, Debug)]
struct GoldenArgs {
    /// Only cases whose name contains this.
    filter: Option<String>,
    /// Where the server keeps the clusters.
    #[arg(long, value_enum, default_value_t = Storage::Embedded)]
    storage: Storage,
    /// Send them through the aggregation layer of the host instead of to the server itself.
    #[arg(long)]
    through_host: bool,
    /// What is printed: table or json.
    #[arg(long, short, default_value = "table", value_parser = ["table", "json"])]
    output: String,
    /// Replay them against this binary instead of building ours.
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct BenchArgs {
    /// Only this bench.
    #[arg(value_parser = ["clusters", "pods", "requests", "scale", "steady", "streams"])]
    name: Option<String>,
    /// Another endpoint of the same API, with a cluster member1, to measure in the same run. Its
    /// certificate is not checked.
    #[arg(long = "peer", value_name = "NAME=URL", requires = "peer_token_file")]
    peers: Vec<String>,
    /// Holds the bearer token that peers are shown.
    #[arg(long, value_name = "FILE")]
    peer_token_file: Option<PathBuf>,
    /// The process of each peer, in their order: its CPU time and memory are measured.
    #[arg(long, value_name = "PID")]
    peer_pid: Vec<u32>,
    /// Measure this program instead of building ours.
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            ui::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Up(args) => block_on(up::run(args.spec())),
        Command::Test {
            require_node,
            fuzz_seconds,
        } => block_on(suites::test(wish(require_node), fuzz_seconds)),
        Command::E2e {
            filter,
            require_node,
        } => block_on(suites::e2e(filter, wish(require_node))),
        Command::Golden(args) => block_on(suites::golden(args.replay())),
        Command::Fuzz { target, seconds } => block_on(fuzz::run(Plan {
            target,
            seconds,
            chance: Chance::Free,
        })),
        Command::Bench(args) => {
            let server = binary(args.server.clone(), Profile::Release);
            block_on(suites::bench(args.words(), server))
        }
        Command::Soak {
            minutes,
            node,
            server,
        } => {
            let node = if node { Wish::Possible } else { Wish::No };
            let server = binary(server, Profile::Release);
            block_on(suites::soak(minutes, node, server))
        }
        Command::Dist => block_on(dist::run()),
        Command::Tidy => tidy::run().map(|()| ExitCode::SUCCESS),
        Command::Lint => lint::run().map(|()| ExitCode::SUCCESS),
        Command::Guard { run } => guard::main(&run).map(|()| ExitCode::SUCCESS),
        Command::Child { parent, program } => {
            process::become_child(parent, &program).map(|()| ExitCode::SUCCESS)
        }
    }
}

fn wish(require_node: bool) -> Wish {
    if require_node {
        Wish::Required
    } else {
        Wish::Possible
    }
}

/// The program that was `given`, or else ours, compiled by `profile`.
fn binary(given: Option<PathBuf>, profile: Profile) -> ServerBinary {
    given.map_or(ServerBinary::Build(profile), ServerBinary::Given)
}

fn block_on(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(work)
}

// === impl UpArgs ===

impl UpArgs {
    fn spec(self) -> UpSpec {
        UpSpec {
            members: self.members,
            node: if self.node { Wish::Possible } else { Wish::No },
            storage: self.storage,
            dir: self.dir,
            afterwards: if self.keep {
                Afterwards::Keep
            } else {
                Afterwards::Remove
            },
            server: binary(
                self.server,
                match self.release {
                    true => Profile::Release,
                    false => Profile::Dev,
                },
            ),
            command: self.cmd,
        }
    }
}

// === impl GoldenArgs ===

impl GoldenArgs {
    fn replay(self) -> Replay {
        let mut args = vec![format!("--output={}", self.output)];
        if self.through_host {
            args.push("--through-host".to_owned());
        }
        args.extend(self.filter);
        Replay {
            storage: self.storage,
            server: binary(self.server, Profile::Dev),
            args,
        }
    }
}

// === impl BenchArgs ===

impl BenchArgs {
    /// The words for the program that measures.
    fn words(self) -> Vec<String> {
        let peers = self
            .peers
            .into_iter()
            .flat_map(|peer| ["--peer".to_owned(), peer]);
        let token = self.peer_token_file.into_iter();
        let token =
            token.flat_map(|file| ["--peer-token-file".to_owned(), file.display().to_string()]);
        let pids = self.peer_pid.into_iter();
        let pids = pids.flat_map(|pid| ["--peer-pid".to_owned(), pid.to_string()]);
        self.name
            .into_iter()
            .chain(peers)
            .chain(token)
            .chain(pids)
            .collect()
    }
}
