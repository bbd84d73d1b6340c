//! The command line, as Go's pflag reads it: `--flag=value`, `--flag value`, `--switch`,
//! `--switch=false`, `_` for `-`, a repeated flag appends to its list.

mod gates;
mod table;

use std::{collections::BTreeMap, ffi::OsString, fmt::Write as _, net::IpAddr, time::Duration};

use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind};
use fleetgate_apimachinery::go::parse_duration;

/// The values of all flags; each has the type that the table gives it.
#[derive(Clone, Debug)]
pub struct Flags {
    matches: ArgMatches,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Asked {
    /// Print this and exit with success: help, version.
    Print(String),
    /// Serve.
    Serve(Box<Flags>),
}

/// The command line cannot be used. One line, which names the flag.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FlagError(String);

struct Flag {
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
}

/// What a flag's value is (pflag's types).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    /// Go's form, e.g. `1m30s`.
    Duration,
    Float,
    Int,
    /// Numbers between commas.
    IntList,
    Ip,
    /// Strings between commas.
    List,
    /// Strings, one each time the flag is given.
    Repeated,
    Text,
    Uint,
}

// === impl Flags ===

impl Flags {
    /// Reads `args`, the program's name first.
    ///
    /// # Errors
    /// [`FlagError`] for an unknown flag, a value of another type, an unknown feature gate.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Asked, FlagError> {
        let args = args.into_iter().map(normalise);
        let matches = match command().try_get_matches_from(args) {
            Ok(matches) => matches,
            Err(error) if error.kind() == ErrorKind::DisplayHelp => {
                return Ok(Asked::Print(error.to_string()));
            }
            Err(error) => return Err(FlagError(one_line(&error))),
        };
        if matches.subcommand_name() == Some("version") {
            return Ok(Asked::Print(format!("{}\n", crate::version::line())));
        }
        let flags = Self { matches };
        for gate in flags.list("feature-gates") {
            check_gate(&gate)?;
        }
        Ok(Asked::Serve(Box::new(flags)))
    }

    pub(crate) fn bool(&self, name: &str) -> bool {
        self.matches
            .get_one::<bool>(name)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn duration(&self, name: &str) -> Duration {
        self.matches
            .get_one::<Duration>(name)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn int(&self, name: &str) -> i64 {
        self.matches
            .get_one::<i64>(name)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn ints(&self, name: &str) -> Vec<i32> {
        self.matches
            .get_many::<i32>(name)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    pub(crate) fn ip(&self, name: &str) -> Option<IpAddr> {
        self.matches.get_one::<IpAddr>(name).copied()
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let values = self.matches.get_many::<String>(name).into_iter().flatten();
        values.filter(|value| !value.is_empty()).cloned().collect()
    }

    /// The value, or nothing where it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = self.matches.get_one::<String>(name).cloned();
        value.filter(|value| !value.is_empty())
    }
}

fn command() -> Command {
    let tables = [
        ("Serving", table::SERVING),
        ("Of this server alone", table::OURS),
        ("Audit", table::AUDIT),
        ("Logging", table::LOGGING),
    ];
    let command = Command::new("karmada-aggregated-apiserver")
        .about("One Kubernetes API endpoint for a fleet of clusters.")
        .subcommand(Command::new("version").about("Prints the version."))
        .args_override_self(true);
    tables
        .into_iter()
        .fold(command, |command, (heading, flags)| {
            let args = flags.iter().map(Flag::arg);
            command.next_help_heading(heading).args(args)
        })
}

/// `--some_flag` is `--some-flag`.
fn normalise(arg: OsString) -> OsString {
    let Some(text) = arg.to_str().filter(|text| text.starts_with("--")) else {
        return arg;
    };
    match text.split_once('=') {
        Some((name, value)) => format!("{}={value}", name.replace('_', "-")).into(),
        None => text.replace('_', "-").into(),
    }
}

fn check_gate(gate: &str) -> Result<(), FlagError> {
    let invalid = |what: &str| {
        FlagError(format!(
            "invalid argument {gate:?} for \"--feature-gates\" flag: {what}"
        ))
    };
    let (name, value) = gate
        .split_once('=')
        .ok_or_else(|| invalid("missing bool value"))?;
    if !gates::GATES.iter().any(|(known, _)| *known == name.trim()) {
        return Err(invalid(&format!("unrecognized feature gate: {name}")));
    }
    go_bool(value.trim()).map_err(|_| invalid("the value is neither true nor false"))?;
    Ok(())
}

/// What is wrong, without clap's hints on usage.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "clap's enum: all else is about a value"
)]
fn one_line(error: &clap::Error) -> String {
    use clap::error::{ContextKind, ContextValue};
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        Some(_) | None => "",
    };
    let flag = text(ContextKind::InvalidArg);
    let flag = flag.split([' ', '=', '[']).next().unwrap_or(flag);
    let mut line = String::new();
    let written = match error.kind() {
        ErrorKind::UnknownArgument if flag.starts_with('-') => {
            write!(line, "unknown flag: {flag}")
        }
        ErrorKind::UnknownArgument => write!(line, "unknown command or argument: {flag}"),
        ErrorKind::InvalidSubcommand => {
            let command = text(ContextKind::InvalidSubcommand);
            write!(line, "unknown command or argument: {command}")
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidValue).is_empty() => {
            write!(line, "flag needs an argument: {flag}")
        }
        _ => {
            let value = text(ContextKind::InvalidValue);
            let cause = std::error::Error::source(error).map(ToString::to_string);
            let cause = cause.unwrap_or_else(|| error.kind().to_string());
            write!(
                line,
                "invalid argument {value:?} for {flag:?} flag: {cause}"
            )
        }
    };
    written.map_or_else(|_| error.to_string(), |()| line)
}

/// Go's `strconv.ParseBool`.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("neither true nor false".to_owned()),
    }
}

/// The gates and whether they are on, `feature-gates` applied.
impl Flags {
    pub(crate) fn gates(&self) -> BTreeMap<&'static str, bool> {
        let mut gates: BTreeMap<_, _> = gates::GATES.iter().copied().collect();
        for gate in self.list("feature-gates") {
            if let Some((name, value)) = gate.split_once('=')
                && let Some((name, _)) = gates::GATES.iter().find(|(n, _)| *n == name.trim())
            {
                gates.insert(name, go_bool(value.trim()).unwrap_or_default());
            }
        }
        gates
    }
}

// === impl Flag ===

impl Flag {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.name)
            .long(self.name)
            .help(self.help)
            .allow_hyphen_values(true);
        let arg = if self.name == "v" {
            arg.short('v')
        } else {
            arg
        };
        let arg = match self.kind {
            Kind::Bool => arg
                .value_parser(go_bool)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true"),
            Kind::Duration => arg.value_parser(duration),
            Kind::Float => arg.value_parser(clap::value_parser!(f32)),
            Kind::Int => arg.value_parser(clap::value_parser!(i64)),
            Kind::IntList => arg
                .value_parser(clap::value_parser!(i32))
                .value_delimiter(','),
            Kind::Ip => arg.value_parser(clap::value_parser!(IpAddr)),
            Kind::List => arg
                .value_parser(clap::value_parser!(String))
                .value_delimiter(','),
            Kind::Repeated | Kind::Text => arg.value_parser(clap::value_parser!(String)),
            Kind::Uint => arg.value_parser(clap::value_parser!(u64)),
        };
        let action = match self.kind {
            Kind::IntList | Kind::List | Kind::Repeated => ArgAction::Append,
            Kind::Bool
            | Kind::Duration
            | Kind::Float
            | Kind::Int
            | Kind::Ip
            | Kind::Text
            | Kind::Uint => ArgAction::Set,
        };
        let arg = arg.action(action);
        match self.default {
            "" => arg,
            default => arg.default_value(default),
        }
    }
}

/// Go's `time.ParseDuration`, for what is not negative.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).ok().and_then(|it| it.try_into().ok());
    duration.ok_or_else(|| "not a duration such as 1m30s or 500ms".to_owned())
}

#[cfg(test)]
mod tests;
