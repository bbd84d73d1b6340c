//! Files: a head in every source file, no file too long, nothing unfinished, no path of somebody's
//! machine.

use super::Finding;

const WARN_LINES: usize = 350;
const MOST_LINES: usize = 500;
const WARN_TEST_LINES: usize = 150;
const MOST_TEST_LINES: usize = 250;
/// In the first line of a file that a program has written.
const GENERATED: &str = "@generated";
/// Written in two parts each, so that this file passes its own check.
const UNFINISHED: [&str; 5] = [
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("#[ig", "nore"),
];
const MACHINE_PATHS: [&str; 4] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
];

/// `path`: from the workspace's root.
pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    if text
        .lines()
        .next()
        .is_some_and(|line| line.contains(GENERATED))
    {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if path.ends_with(".rs") {
        if !text.starts_with("//!") {
            findings.push(Finding::fail(path, "does not begin with a `//!` head"));
        }
        findings.extend(sizes(path, text));
        for (line, number) in text.lines().zip(1..) {
            if let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(**mark)) {
                findings.push(Finding::fail(
                    &format!("{path}:{number}"),
                    format!("has {mark}"),
                ));
            }
        }
    }
    for (line, number) in text.lines().zip(1..) {
        if let Some(machine) = MACHINE_PATHS.iter().find(|machine| has_path(line, machine)) {
            let place = format!("{path}:{number}");
            findings.push(Finding::fail(
                &place,
                format!("has a path of one machine, {machine}"),
            ));
        }
    }
    findings
}

fn sizes(path: &str, text: &str) -> Option<Finding> {
    let all = text.lines().count();
    let tests = test_lines(text);
    let code = all - tests;
    let place = path;
    match (code, tests) {
        (code, _) if code > MOST_LINES => Some(Finding::fail(
            place,
            format!("has {code} lines, more than {MOST_LINES}"),
        )),
        (_, tests) if tests > MOST_TEST_LINES => {
            let text = format!("has {tests} lines of tests, more than {MOST_TEST_LINES}");
            Some(Finding::fail(place, text))
        }
        (code, _) if code > WARN_LINES => Some(Finding::warn(place, format!("has {code} lines"))),
        (_, tests) if tests > WARN_TEST_LINES => {
            Some(Finding::warn(place, format!("has {tests} lines of tests")))
        }
        _ => None,
    }
}

/// From the `#[cfg(test)]` before `mod tests {` to the end.
fn test_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let module = lines.iter().position(|line| *line == "mod tests {");
    let start = module.and_then(|module| {
        let before = lines[..module]
            .iter()
            .rposition(|line| *line == "#[cfg(test)]");
        before.filter(|start| {
            lines[*start..module]
                .iter()
                .all(|line| line.starts_with("#["))
        })
    });
    start.map_or(0, |start| lines.len() - start)
}

/// Whether the path begins here, and is not the middle of a longer one.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"-_.}~*".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Finding, Severity},
        MACHINE_PATHS, MOST_LINES, MOST_TEST_LINES, UNFINISHED, WARN_LINES, check,
    };

    #[track_caller]
    fn severity(text: &str, want: Option<Severity>) {
        let found: Vec<Severity> = check("src/a.rs", text)
            .iter()
            .map(|Finding { severity, .. }| *severity)
            .collect();
        assert_eq!(found, want.into_iter().collect::<Vec<_>>());
    }

    fn file(code: usize, tests: usize) -> String {
        let tests = match tests {
            0 => String::new(),
            tests => format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(tests - 3)),
        };
        format!("//! Head.\n{}{tests}", "\n".repeat(code - 1))
    }

    #[test]
    fn code_and_tests_have_limits_of_their_own() {
        severity(&file(WARN_LINES, MOST_TEST_LINES - 150), None);
        severity(&file(WARN_LINES + 1, 0), Some(Severity::Warn));
        severity(&file(MOST_LINES, 0), Some(Severity::Warn));
        severity(&file(MOST_LINES + 1, 0), Some(Severity::Fail));
        severity(&file(10, MOST_TEST_LINES), Some(Severity::Warn));
        severity(&file(10, MOST_TEST_LINES + 1), Some(Severity::Fail));
    }

    #[test]
    fn every_source_file_has_a_head() {
        severity("use std::fs;\n", Some(Severity::Fail));
        severity("// @generated\nuse std::fs;\n", None);
        assert_eq!(check("README.md", "# Title\n"), []);
    }

    #[test]
    fn nothing_is_left_unfinished() {
        for mark in UNFINISHED {
            severity(&format!("//! Head.\n    {mark}\n"), Some(Severity::Fail));
        }
    }

    #[test]
    fn no_path_of_a_machine() {
        for path in MACHINE_PATHS {
            let line = |before: &str| format!("see {before}{path}file\n");
            assert_eq!(check("docs/a.md", &line("")).len(), 1);
            assert_eq!(check("docs/a.md", &line("$DIR/a")).len(), 0);
        }
    }
}
