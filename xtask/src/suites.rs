//! The tests and benches, and the fleet that some of them need.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::{
    cargo::{self, Profile},
    fuzz::{self, Chance, Plan},
    node::Wish,
    server::{ServerBinary, Storage},
    state::Afterwards,
    ui,
    up::{self, UpSpec},
};

/// The package of end-to-end tests and benches.
const TESTS: &str = "fleetgate-tests";
/// Most end-to-end tests wait for something: more at a time than there are processors.
const TEST_THREADS: &str = "--test-threads=8";

/// A replay of the recorded cases.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) storage: Storage,
    pub(crate) server: ServerBinary,
    /// For the program that replays them.
    pub(crate) args: Vec<String>,
}

/// Unit and in-process tests, each fuzz target for `fuzz_seconds`, then the end-to-end tests.
pub(crate) async fn test(node: Wish, fuzz_seconds: u32) -> Result<ExitCode> {
    ui::step("unit and in-process tests");
    cargo::run(&["test", "--workspace", "--exclude", TESTS])?;
    cargo::run(&["test", "--package", TESTS, "--lib"])?;
    let plan = Plan {
        target: None,
        seconds: fuzz_seconds,
        chance: Chance::Fixed,
    };
    if fuzz::run(plan).await? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    e2e(None, node).await
}

/// The end-to-end tests whose name contains `filter`, in a fleet of two members.
pub(crate) async fn e2e(filter: Option<String>, node: Wish) -> Result<ExitCode> {
    ui::step("end-to-end tests");
    // Compiled first, so that what does not compile is told before a fleet starts.
    let build = ["test", "--package", TESTS, "--test", "e2e"];
    cargo::run(&[&build[..], &["--no-run"]].concat())?;
    let mut command = cargo_command(&build, filter);
    command.push(TEST_THREADS.into());
    if node == Wish::Required {
        // Whatever else a test may lack on other machines must be there, too.
        command.splice(0..0, ["env".into(), "FLEET_REQUIRE_NODE=1".into()]);
    }
    let server = ServerBinary::Build(Profile::Dev);
    up::run(spec(command, node, server)).await
}

/// The recorded cases, in a fleet of two members.
pub(crate) async fn golden(replay: Replay) -> Result<ExitCode> {
    cargo::run(&["build", "--package", TESTS, "--bin", "golden"])?;
    let run = ["run", "--quiet", "--package", TESTS, "--bin", "golden"];
    let command = cargo_command(&run, replay.args);
    up::run(UpSpec {
        storage: replay.storage,
        ..spec(command, Wish::No, replay.server)
    })
    .await
}

/// The benches, as `words` tell them, of `server`, with everything optimised.
pub(crate) async fn bench(words: Vec<String>, server: ServerBinary) -> Result<ExitCode> {
    // A node is for the bench that needs one: it takes CPU time from the others.
    let wants_node = words
        .first()
        .is_none_or(|word| word == "pods" || word.starts_with('-'));
    let node = if wants_node { Wish::Possible } else { Wish::No };
    up::run(spec(optimised("bench", words)?, node, server)).await
}

/// Load on `server`, rotation and faults for `minutes`, with everything optimised.
pub(crate) async fn soak(minutes: u32, node: Wish, server: ServerBinary) -> Result<ExitCode> {
    let words = [format!("--minutes={minutes}")];
    up::run(spec(optimised("soak", words)?, node, server)).await
}

/// Typical load on `server`, in a fleet of two members.
pub(crate) fn training(server: ServerBinary) -> Result<UpSpec> {
    let which = ["--package", TESTS, "--bin", "train"];
    cargo::run(&[&["build"], &which[..]].concat())?;
    let run = [&["run", "--quiet"], &which[..]].concat();
    Ok(spec(cargo_command(&run, []), Wish::No, server))
}

fn spec(command: Vec<OsString>, node: Wish, server: ServerBinary) -> UpSpec {
    UpSpec {
        members: 2,
        node,
        storage: Storage::Embedded,
        dir: None,
        afterwards: Afterwards::Remove,
        server,
        command,
    }
}

/// Builds `program` of the tests with everything optimised; the command that runs it with `words`.
fn optimised(program: &str, words: impl IntoIterator<Item = String>) -> Result<Vec<OsString>> {
    let which = ["--release", "--package", TESTS, "--bin", program];
    cargo::run(&[&["build"], &which[..]].concat())?;
    Ok(cargo_command(
        &[&["run", "--quiet"], &which[..]].concat(),
        words,
    ))
}

/// Cargo with `args`, and `words` handed on to the program that it runs.
fn cargo_command(args: &[&str], words: impl IntoIterator<Item = String>) -> Vec<OsString> {
    let manifest = cargo::workspace().join("Cargo.toml");
    let mut command = vec![cargo::program()];
    command.extend(args.iter().map(OsString::from));
    command.extend(["--manifest-path".into(), manifest.into(), "--".into()]);
    command.extend(words.into_iter().map(OsString::from));
    command
}
