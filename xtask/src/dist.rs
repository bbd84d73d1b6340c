//! `xtask dist`: the program that is shipped, static, and laid out by what it does.
//!
//! It is built twice. The first build counts what is executed while it serves typical load in a
//! fleet of its own (`tests/train`). From the counts the compiler of the second knows what to
//! inline and what may be slow (profile-guided optimization), and the linker what to put side by
//! side: functions that no run has needed stay together, in pages that nothing reads.

use std::{
    env::consts::ARCH,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};

use crate::{
    cargo,
    server::{self, ServerBinary},
    suites, ui, up,
};

/// What is needed beside the compiler.
#[derive(Debug)]
struct Tools {
    /// The platform of static programs.
    target: String,
    llvm_profdata: PathBuf,
    /// Where the C compiler finds the linker that comes with the compiler, as `ld.lld`.
    lld: PathBuf,
}

/// Where the first build and the counts are.
#[derive(Debug)]
struct Training {
    /// `target/training`.
    dir: PathBuf,
    tools: Tools,
}

/// Builds the program, and tells where it is.
pub(crate) async fn run() -> Result<ExitCode> {
    let tools = Tools::find()?;
    let target = cargo::target_dir()?;
    let training = Training {
        dir: target.join("training"),
        tools,
    };
    ui::step("a program that counts what it does (as long as a release build)");
    let counting = training.counting()?;
    ui::step("typical load on it");
    let code = up::run(suites::training(ServerBinary::Given(counting))?).await?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    ui::step("the program (as long again)");
    let program = training.build(&training.learnt()?, &target)?;
    let bytes = fs::metadata(&program).context("look at the program")?.len();
    ui::line(program.display());
    ui::note(format_args!("{:.1} MB, static", bytes as f64 / 1e6));
    Ok(ExitCode::SUCCESS)
}

// === impl Tools ===

impl Tools {
    /// Finds all of them, or says what lacks.
    fn find() -> Result<Self> {
        let (sysroot, host) = (cargo::sysroot()?, cargo::host()?);
        let libraries = sysroot.join("lib/rustlib");
        let target = format!("{ARCH}-unknown-linux-musl");
        let tools = libraries.join(host).join("bin");
        let llvm_profdata = tools.join("llvm-profdata");
        let lld = tools.join("gcc-ld");
        let has_gcc = Command::new("musl-gcc").arg("--version").output().is_ok();
        let wanted = [
            (
                libraries.join(&target).exists(),
                format!("`rustup target add {target}`"),
            ),
            (
                llvm_profdata.exists(),
                "`rustup component add llvm-tools`".to_owned(),
            ),
            (lld.exists(), "a toolchain of rustup's, with lld".to_owned()),
            (has_gcc, "`apt-get install musl-tools`".to_owned()),
        ];
        let lacking: Vec<_> = wanted
            .into_iter()
            .filter_map(|(is_there, what)| (!is_there).then_some(what))
            .collect();
        if !lacking.is_empty() {
            bail!("before a program can be shipped: {}", lacking.join(", "));
        }
        Ok(Self {
            target,
            llvm_profdata,
            lld,
        })
    }
}

// === impl Training ===

impl Training {
    fn counts(&self) -> PathBuf {
        self.dir.join("counts")
    }

    /// The first build, with nothing counted yet.
    fn counting(&self) -> Result<PathBuf> {
        let counts = self.counts();
        if counts.exists() {
            fs::remove_dir_all(&counts).context("remove earlier counts")?;
        }
        let generate = format!("-Cprofile-generate={}", counts.display());
        // Not where the program will be: nobody should ship this one.
        self.build(&[generate], &self.dir.join("counting"))
    }

    fn build(&self, flags: &[String], dir: &Path) -> Result<PathBuf> {
        let target = &self.tools.target;
        let args = [
            "build",
            "--profile",
            "dist",
            "--target",
            target,
            "-p",
            server::PACKAGE,
        ];
        let mut command = cargo::command(&args);
        command
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
            .env("CARGO_TARGET_DIR", dir);
        cargo::check(&mut command, &args)?;
        Ok(dir.join(target).join("dist").join(server::PACKAGE))
    }

    /// What compiler and linker are told of the counts of all servers that ran.
    fn learnt(&self) -> Result<[String; 6]> {
        let (profile, executed) = (
            self.dir.join("server.profdata"),
            self.dir.join("executed.txt"),
        );
        let order = self.dir.join("order.txt");
        self.merge(&["-o"], &profile)?;
        self.merge(&["--sparse", "--text", "-o"], &executed)?;
        let text = fs::read_to_string(&executed).context("read what was executed")?;
        fs::write(&order, hottest_first(&text).join("\n")).context("write the order")?;
        Ok([
            format!("-Cprofile-use={}", profile.display()),
            format!("-Clink-arg=-B{}", self.tools.lld.display()),
            "-Clink-arg=-fuse-ld=lld".to_owned(),
            format!("-Clink-arg=-Wl,--symbol-ordering-file={}", order.display()),
            // Many were inlined since.
            "-Clink-arg=-Wl,--no-warn-symbol-ordering".to_owned(),
            // Relocations in a tenth of the room; musl reads that form since 1.2.4.
            "-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned(),
        ])
    }

    fn merge(&self, how: &[&str], to: &Path) -> Result<()> {
        let mut command = Command::new(&self.tools.llvm_profdata);
        command.arg("merge").args(how).arg(to).arg(self.counts());
        let status = command.status().context("run llvm-profdata")?;
        if !status.success() {
            bail!("llvm-profdata cannot merge {}", self.counts().display());
        }
        Ok(())
    }
}

/// The functions of a profile in LLVM's text form, which has for each its name (of one that is not
/// exported behind the name of its unit), a hash, the number of counters, and the counters.
fn hottest_first(profile: &str) -> Vec<&str> {
    let mut functions = Vec::new();
    for record in profile.split("\n\n") {
        let Some((head, rest)) = record.split_once("\n# Func Hash:\n") else {
            continue;
        };
        let Some((_, counters)) = rest.split_once("# Counter Values:\n") else {
            continue;
        };
        let name = head.lines().next_back().unwrap_or_default();
        let name = name.rsplit_once(';').map_or(name, |(_, name)| name);
        let counters = counters.lines().map_while(|line| line.parse::<u64>().ok());
        functions.push((counters.max(), name));
    }
    functions.sort_by(|(one, _), (other, _)| other.cmp(one));
    functions.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::hottest_first;

    #[test]
    fn functions_are_read_from_a_profile_and_the_hottest_is_first() {
        let profile = "# IR level Instrumentation Flag\n:ir\n\
            _ZN4once17h0E\n# Func Hash:\n23\n# Num Counters:\n2\n# Counter Values:\n1\n0\n\n\
            hyper.63-cgu.0;_ZN5often17h1E\n# Func Hash:\n23\n# Num Counters:\n2\n\
            # Counter Values:\n0\n70\n# Num Value Kinds:\n1\n# ValueKind = IPVK_MemOPSize:\n1\n\
            # NumValueSites:\n1\n900\n\n\
            _ZN6seldom17h2E\n# Func Hash:\n23\n# Num Counters:\n1\n# Counter Values:\n8\n\n";
        let names = ["_ZN5often17h1E", "_ZN6seldom17h2E", "_ZN4once17h0E"];
        assert_eq!(hottest_first(profile), names);
    }
}
