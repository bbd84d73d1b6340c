//! Programs in other languages that the tests run: built once, below cargo's directory for tests.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{process::Command, sync::OnceCell};

use crate::{command::Call, environment::optional, left_out};

/// A language that a client is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// client-go, in `tests/clients/go`.
    Go,
    /// The Python client, in `tests/clients/python`.
    Python,
}

// === impl Client ===

impl Client {
    /// A call of the client with `kubeconfig`, to be given its words; `None` where the machine
    /// lacks what it is built with, which `test` says aloud. With `FLEET_REQUIRE_NODE` set, that
    /// fails the test.
    pub async fn needed_by(self, test: &str, kubeconfig: PathBuf) -> Option<Call> {
        static GO: OnceCell<Result<Call, String>> = OnceCell::const_new();
        static PYTHON: OnceCell<Result<Call, String>> = OnceCell::const_new();
        let made = match self {
            Self::Go => GO.get_or_init(build_go).await,
            Self::Python => PYTHON.get_or_init(make_venv).await,
        };
        match made {
            Ok(call) => Some(call.clone().env("KUBECONFIG", kubeconfig)),
            Err(reason) => {
                let required = optional("FLEET_REQUIRE_NODE").is_some();
                assert!(!required, "{test} needs {self:?}: {reason}");
                left_out(test, reason);
                None
            }
        }
    }
}

/// Where the sources are.
fn sources(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(language)
}

/// Where what is made is kept from one run to the next, beside the tests' own program; and the lock
/// by which one process at a time makes it.
async fn kept(language: &str) -> (PathBuf, File) {
    let program = std::env::current_exe().unwrap();
    let dir = program.ancestors().nth(2).unwrap().join("clients");
    fs::create_dir_all(&dir).unwrap();
    let made = dir.join(language);
    let lock = File::create(made.with_extension("lock")).unwrap();
    let wait = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    (made, wait.await.unwrap().unwrap())
}

/// As xtask builds the control planes' programs, so that what Go has compiled for them serves here.
async fn build_go() -> Result<Call, String> {
    let (program, _lock) = kept("go").await;
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-o"])
        .args([program.as_os_str(), ".".as_ref()])
        .current_dir(sources("go"))
        .envs([
            ("CGO_ENABLED", "0"),
            ("GOFLAGS", "-mod=readonly"),
            ("GOWORK", "off"),
        ]);
    run(go).await?;
    Ok(Call::new(program))
}

/// A virtual environment with what `requirements.txt` pins, made anew when that has changed.
async fn make_venv() -> Result<Call, String> {
    let (venv, _lock) = kept("python").await;
    let sources = sources("python");
    let requirements = sources.join("requirements.txt");
    let wanted = fs::read_to_string(&requirements).unwrap();
    let python = venv.join("bin/python");
    let stamp = venv.join("made-of");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(Call::new(python).arg(sources.join("clusters.py")));
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&venv);
    run(make).await?;
    let mut install = Command::new(&python);
    install
        .args(["-m", "pip", "install", "--quiet", "--requirement"])
        .arg(&requirements);
    run(install).await?;
    fs::write(&stamp, wanted).unwrap();
    Ok(Call::new(python).arg(sources.join("clusters.py")))
}

/// Runs `command` to its end; the reason if it does not succeed.
async fn run(mut command: Command) -> Result<(), String> {
    let line = format!("{:?}", command.as_std());
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = output.await.map_err(|error| format!("{line}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
