//! The server.

use std::{error::Error, io::Write as _, process::ExitCode};

use fleetgate_app::{Asked, Config, Flags, Signals, run};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

// Set up in .cargo/config.toml, when it is built.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The command line or what it leads to cannot be used (sysexits' EX_USAGE).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    // Where the kernel gives huge pages to whoever does not refuse them, most of each stays unused:
    // with one allocator they doubled the memory, and made nothing faster. A kernel without them
    // says no.
    rustix::thread::disable_transparent_huge_pages(true).unwrap_or_default();
    // The soft limit is for programs that cannot handle more; Go's runtime does the same.
    let files = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: files.maximum,
        ..files
    };
    setrlimit(Resource::Nofile, all).unwrap_or_default();
    let flags = match Flags::parse(std::env::args_os()) {
        Ok(Asked::Serve(flags)) => flags,
        Ok(Asked::Print(text)) => {
            let printed = std::io::stdout().write_all(text.as_bytes());
            return printed.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
        }
        Err(error) => return fail(1, &error),
    };
    let config = match Config::new(&flags) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    // Every TLS config names its provider; this is for what a dependency may make by itself.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return ExitCode::FAILURE;
    }
    let runtime = match Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    let code = runtime.block_on(serve(config));
    // Whatever still runs is a file or a name server that does not answer.
    runtime.shutdown_background();
    code
}

async fn serve(config: Config) -> ExitCode {
    let signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => return fail(1, &error),
    };
    let stop = CancellationToken::new();
    tokio::select! {
        served = run(config, stop.clone()) => {
            served.map_or_else(|error| fail(1, &error), |()| ExitCode::SUCCESS)
        }
        () = signals.watch(&stop) => ExitCode::FAILURE,
    }
}

/// Tells `error` and its causes in one line.
fn fail(code: u8, error: &dyn Error) -> ExitCode {
    let mut line = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    // Where stderr is closed there is nobody to tell.
    writeln!(std::io::stderr(), "{line}").unwrap_or_default();
    ExitCode::from(code)
}
