//! The recorded cases of karmada-aggregated-apiserver, replayed in the fleet that runs, and told
//! which agree.
//!
//! `cargo xtask golden` runs it in a fleet of its own.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, ValueEnum};
use fleetgate_tests::golden::{Case, Outcome, Target, cases};
use serde_json::json;

/// Replays the recorded cases and tells which agree.
#[derive(Debug, Parser)]
struct Args {
    /// Only cases whose name contains this.
    filter: Option<String>,
    /// Send them through the aggregation layer of the host.
    #[arg(long)]
    through_host: bool,
    /// What is printed.
    #[arg(long, short, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line a case, and what differs.
    Table,
    /// One JSON object.
    Json,
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const DIM: &str = "2";

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let target = match args.through_host {
        true => Target::through_the_host(),
        false => Target::fleets_server(),
    };
    let mut outcomes = Vec::new();
    for case in cases() {
        if !args
            .filter
            .as_ref()
            .is_none_or(|part| case.name.contains(part))
        {
            continue;
        }
        let outcome = case.replay(&target).await;
        if args.output == Format::Table {
            print_row(&case, &outcome);
        }
        outcomes.push((case, outcome));
    }
    match args.output {
        Format::Table => print_sum(&outcomes),
        Format::Json => print_json(&outcomes),
    }
    match !outcomes.is_empty() && outcomes.iter().all(|(_, outcome)| outcome.is_good()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn print_row(case: &Case, outcome: &Outcome) {
    let (colour, verdict) = match outcome {
        Outcome::Agrees => (GREEN, "agrees".to_owned()),
        Outcome::Listed { reason } => (YELLOW, format!("differs: {reason}")),
        Outcome::Differs { .. } => (RED, "DIFFERS".to_owned()),
        Outcome::Unlisted { reason } => (RED, format!("AGREES although listed: {reason}")),
        Outcome::NotPassedOn => (DIM, "the host answers it itself".to_owned()),
    };
    println!("{:<30} {}", case.name, paint(colour, &verdict));
    if let Outcome::Differs { differences } = outcome {
        for line in differences.lines() {
            println!("    {line}");
        }
    }
}

fn print_sum(outcomes: &[(Case, Outcome)]) {
    let count = |which: fn(&Outcome) -> bool| {
        let these = outcomes.iter().filter(|(_, outcome)| which(outcome));
        these.count()
    };
    println!(
        "{} cases: {} agree, {} differ as listed, {} are not passed on, {} are wrong",
        outcomes.len(),
        count(|outcome| *outcome == Outcome::Agrees),
        count(|outcome| matches!(outcome, Outcome::Listed { .. })),
        count(|outcome| *outcome == Outcome::NotPassedOn),
        count(|outcome| !outcome.is_good()),
    );
}

fn print_json(outcomes: &[(Case, Outcome)]) {
    let cases = outcomes.iter().map(|(case, outcome)| {
        let mut row = json!(outcome);
        row["name"] = json!(case.name);
        row["good"] = json!(outcome.is_good());
        row
    });
    println!("{:#}", json!({"cases": cases.collect::<Vec<_>>()}));
}

/// Coloured where a person looks and has not asked for none.
fn paint(colour: &str, text: &str) -> String {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    match wanted && std::io::stdout().is_terminal() {
        true => format!("\x1b[{colour}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}
