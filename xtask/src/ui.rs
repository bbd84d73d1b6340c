//! What the user sees: the one place that prints.
//!
//! Progress and remarks go to standard error, so that standard output belongs to the command that
//! is run; only what is asked for (the lines to paste) goes to standard output. Colours and
//! counting seconds appear on a terminal alone.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this module does the printing"
)]

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    path::Path,
    time::Duration,
};

use tokio::time::Instant;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// Something began or was done.
pub(crate) fn step(text: impl Display) {
    eprintln!("{} {text}", paint(GREEN, "==>"));
}

/// A remark that asks for nothing.
pub(crate) fn note(text: impl Display) {
    eprintln!("    {text}");
}

/// Something an attentive reader should look at.
pub(crate) fn warn(text: impl Display) {
    eprintln!("{} {text}", paint(YELLOW, "warning:"));
}

/// Something that must be changed.
pub(crate) fn failure(text: impl Display) {
    eprintln!("{} {text}", paint(RED, "fail:"));
}

/// The reason why the command failed, with its causes on lines of their own.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("{} {error}", paint(RED, "error:"));
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// A line of what was asked for, on standard output.
pub(crate) fn line(text: impl Display) {
    println!("{text}");
}

/// A heading within what was asked for.
pub(crate) fn heading(text: &str) {
    if std::io::stdout().is_terminal() {
        println!("\x1b[{BOLD}m{text}\x1b[0m");
    } else {
        println!("{text}");
    }
}

/// The last lines of a log file, indented.
pub(crate) fn log_tail(path: &Path, lines: usize) {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    eprintln!(
        "{}",
        paint(DIM, &format!("--- end of {} ---", path.display()))
    );
    for line in all.iter().skip(all.len().saturating_sub(lines)) {
        eprintln!("{line}");
    }
    eprintln!("{}", paint(DIM, "---"));
}

/// Awaits `work`, saying what it is and, on a terminal, for how long it has been going on.
pub(crate) async fn while_running<T>(what: &str, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let live = std::io::stderr().is_terminal();
    if !live {
        step(format_args!("{what} …"));
    }
    let mut work = std::pin::pin!(work);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let out = loop {
        tokio::select! {
            out = &mut work => break out,
            _ = second.tick(), if live => {
                eprint!("\r{} {what} … {} s ", paint(GREEN, "==>"), start.elapsed().as_secs());
                drop(std::io::stderr().flush());
            }
        }
    };
    if live {
        eprintln!();
    }
    out
}

fn paint(colour: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
