//! `xtask fuzz`: builds the fuzz targets with coverage counters and runs them, two at a time.
//!
//! The compiler of the workspace is enough: the counters are a pass of LLVM, and libFuzzer is built
//! from the sources that come with its crate. There is no sanitizer, and none is needed: no code of
//! ours is unsafe.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::PathBuf,
    process::{ExitCode, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, stream};

use crate::{cargo, process, ui};

/// What has the compiler count which branches are taken, and tell what was compared.
const COUNTERS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg=fuzzing";
/// How many targets run at a time.
const AT_A_TIME: usize = 2;
/// What a target may not exceed: memory, the time for one input, and how long an input gets.
const LIMITS: [&str; 3] = ["-rss_limit_mb=512", "-timeout=10", "-max_len=4096"];
/// How many lines of a target that failed are shown.
const SHOWN: usize = 30;

/// What to fuzz, and for how long.
#[derive(Debug)]
pub(crate) struct Plan {
    /// One target; else all.
    pub(crate) target: Option<String>,
    /// Seconds for each target.
    pub(crate) seconds: u32,
    /// What chance begins with.
    pub(crate) chance: Chance,
}

/// Where the inputs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
    /// Others with each run, to find what is new.
    Free,
    /// The same with each run, so that a test that passed passes again.
    Fixed,
}

/// The program with all targets, and where it may write.
#[derive(Debug)]
struct Fuzzer {
    program: PathBuf,
    /// `target/fuzz`.
    dir: PathBuf,
    plan: Plan,
}

/// What became of one target.
#[derive(Debug)]
struct Outcome {
    target: String,
    status: ExitStatus,
    log: PathBuf,
}

/// Runs the targets of `plan`; fails if one of them does.
pub(crate) async fn run(plan: Plan) -> Result<ExitCode> {
    let targets = targets(plan.target.as_deref())?;
    ui::step(format_args!("fuzz targets, {} s each", plan.seconds));
    let fuzzer = Fuzzer::build(plan)?;
    let runs = targets.into_iter().map(|target| fuzzer.fuzz(target));
    let outcomes: Vec<_> = stream::iter(runs)
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;
    let mut code = ExitCode::SUCCESS;
    for outcome in outcomes {
        if !fuzzer.tell(&outcome?) {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// The targets: the directories with seeds.
fn targets(wanted: Option<&str>) -> Result<Vec<String>> {
    let seeds = package().join("seeds");
    let mut names = Vec::new();
    for entry in fs::read_dir(&seeds).with_context(|| format!("read {}", seeds.display()))? {
        let name = entry.context("read the directory of seeds")?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    let Some(wanted) = wanted else {
        return Ok(names);
    };
    if !names.iter().any(|name| name == wanted) {
        bail!(
            "there is no target {wanted}; there are {}",
            names.join(", ")
        );
    }
    Ok(vec![wanted.to_owned()])
}

fn package() -> PathBuf {
    cargo::workspace().join("fuzz")
}

// === impl Chance ===

impl Chance {
    /// For libFuzzer, to which 0 is any.
    const fn seed(self) -> u32 {
        match self {
            Self::Free => 0,
            Self::Fixed => 1,
        }
    }
}

// === impl Fuzzer ===

impl Fuzzer {
    fn build(plan: Plan) -> Result<Self> {
        let (dir, host) = (cargo::target_dir()?.join("fuzz"), cargo::host()?);
        let manifest = package().join("Cargo.toml");
        // With a target that is named, the flags are not those of build scripts.
        let args = ["build", "--locked", "--target", &host, "--manifest-path"];
        let mut command = cargo::command(&args);
        command.arg(manifest).env("RUSTFLAGS", COUNTERS);
        command
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("CARGO_TARGET_DIR", dir.join("build"));
        cargo::check(&mut command, &args)?;
        let program = dir.join("build").join(host).join("debug/fleetgate-fuzz");
        Ok(Self { program, dir, plan })
    }

    /// Runs `target` on its seeds and on what was found before.
    async fn fuzz(&self, target: String) -> Result<Outcome> {
        let (finds, log) = (self.finds(&target), self.dir.join(format!("{target}.log")));
        if self.plan.chance == Chance::Fixed && finds.exists() {
            fs::remove_dir_all(&finds).with_context(|| format!("empty {}", finds.display()))?;
        }
        fs::create_dir_all(&finds).with_context(|| format!("create {}", finds.display()))?;
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut artifacts = OsString::from("-artifact_prefix=");
        artifacts.push(self.dir.join(format!("{target}-")));
        let mut command = process::mortal(self.program.as_os_str());
        command
            .args(LIMITS)
            .args([
                format!("-max_total_time={}", self.plan.seconds),
                format!("-seed={}", self.plan.chance.seed()),
                "-print_final_stats=1".to_owned(),
            ])
            .arg(artifacts)
            .arg(finds)
            .arg(package().join("seeds").join(&target))
            .env("FUZZ_TARGET", &target)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output);
        let status = tokio::process::Command::from(command).status().await;
        let status = status.with_context(|| format!("run the target {target}"))?;
        Ok(Outcome {
            target,
            status,
            log,
        })
    }

    /// Inputs that lead somewhere new, kept from one run to the next where chance is free.
    fn finds(&self, target: &str) -> PathBuf {
        let of = match self.plan.chance {
            Chance::Free => "finds",
            Chance::Fixed => "tested",
        };
        self.dir.join(of).join(target)
    }

    /// Prints what became of a target. Whether it is well.
    fn tell(&self, outcome: &Outcome) -> bool {
        let Outcome {
            target,
            status,
            log,
        } = outcome;
        let text = fs::read_to_string(log).unwrap_or_default();
        let (runs, coverage) = (stat(&text, "executed_units:"), stat(&text, "cov:"));
        let seconds = self.plan.seconds;
        ui::line(format_args!(
            "{target}: {runs} runs in {seconds} s, coverage {coverage}"
        ));
        if status.success() {
            return true;
        }
        ui::failure(format_args!("{target} failed ({status})"));
        ui::log_tail(log, SHOWN);
        let (program, dir) = (self.program.display(), self.dir.display());
        ui::note(format_args!(
            "again: FUZZ_TARGET={target} {program} {dir}/{target}-…"
        ));
        false
    }
}

/// The last word behind `name` in what libFuzzer printed.
fn stat<'a>(text: &'a str, name: &str) -> &'a str {
    let behind = text.rsplit_once(name).map(|(_, behind)| behind);
    behind
        .and_then(|text| text.split_whitespace().next())
        .unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::stat;

    #[test]
    fn the_last_figures_count() {
        let text =
            "#2 INITED cov: 7 ft: 9\n#9 DONE   cov: 12 ft: 9\nstat::number_of_executed_units: 44\n";
        assert_eq!(
            (stat(text, "cov:"), stat(text, "executed_units:")),
            ("12", "44")
        );
        assert_eq!(stat("", "cov:"), "?");
    }
}
