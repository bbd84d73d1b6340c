//! Tables and aims: for people, for docs/performance.md, and for whoever compares runs.
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

use std::{fmt::Write, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// All that one bench measured.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    tables: Vec<Table>,
    aims: Vec<Aim>,
}

/// Figures of one kind.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// A name, or a figure with so many decimals.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(String),
    Figure(f64, usize),
}

/// What is to be reached, and what was.
#[derive(Debug)]
struct Aim {
    figure: String,
    aim: String,
    value: String,
    is_met: bool,
}

/// The median of `values`, of which there is one at least.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The cell of a name.
pub(crate) fn text(name: impl Into<String>) -> Cell {
    Cell::Text(name.into())
}

/// `value` in `unit`, as exact as an aim of `limit` needs.
fn rounded(value: f64, limit: f64, unit: &str) -> String {
    let decimals = if limit.abs() < 10.0 { 2 } else { 1 };
    format!("{value:.decimals$} {unit}").trim_end().to_owned()
}

// === impl Report ===

impl Report {
    /// Of the bench `name`.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            tables: Vec::new(),
            aims: Vec::new(),
        }
    }

    pub(crate) fn table(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// `value` is to be `limit` or more, in `unit`.
    pub(crate) fn at_least(&mut self, figure: &str, value: f64, limit: f64, unit: &str) {
        self.aims.push(Aim {
            figure: figure.to_owned(),
            aim: format!("≥ {}", rounded(limit, limit, unit)),
            value: rounded(value, limit, unit),
            is_met: value >= limit,
        });
    }

    /// `value` is to be `limit` or less, in `unit`.
    pub(crate) fn at_most(&mut self, figure: &str, value: f64, limit: f64, unit: &str) {
        self.aims.push(Aim {
            figure: figure.to_owned(),
            aim: format!("≤ {}", rounded(limit, limit, unit)),
            value: rounded(value, limit, unit),
            is_met: value <= limit,
        });
    }

    /// Prints it, writes `target/bench/NAME.json`, and puts the tables into docs/performance.md.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn publish(self) -> Result<()> {
        let aims = self.aims_table();
        for table in self.tables.iter().chain([&aims]) {
            println!("\n{}", table.plain());
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let dir = root.join("target/bench");
        fs::create_dir_all(&dir).context("make target/bench")?;
        let tables = self.tables.iter().chain([&aims]).map(Table::json);
        let all = json!({"tables": tables.collect::<Vec<_>>()});
        let file = dir.join(format!("{}.json", self.name));
        let json = serde_json::to_string_pretty(&all).context("format the figures")?;
        fs::write(&file, json + "\n").with_context(|| format!("write {}", file.display()))?;
        self.document(&root.join("docs/performance.md"), &aims)
    }

    fn aims_table(&self) -> Table {
        let mut table = Table::new("Aims", &["figure", "aim", "measured", ""]);
        for aim in &self.aims {
            let met = if aim.is_met { "met" } else { "MISSED" };
            table.row([
                text(&aim.figure),
                text(&aim.aim),
                text(&aim.value),
                text(met),
            ]);
        }
        table
    }

    fn document(&self, path: &Path, aims: &Table) -> Result<()> {
        let name = self.name;
        let (begin, end) = (
            format!("<!-- begin bench {name} -->\n"),
            format!("<!-- end bench {name} -->"),
        );
        let page = fs::read_to_string(path).context("read docs/performance.md")?;
        let missing = || format!("docs/performance.md has no place for {name}");
        let (before, rest) = page.split_once(&begin).with_context(missing)?;
        let (_, after) = rest.split_once(&end).with_context(missing)?;
        let tables = [aims].into_iter().chain(&self.tables);
        let tables: Vec<_> = tables.map(Table::markdown).collect();
        let page = format!("{before}{begin}\n{}\n{end}{after}", tables.join("\n"));
        fs::write(path, page).context("write docs/performance.md")
    }
}

// === impl Table ===

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn plain(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(Cell::to_string).collect())
            .collect();
        let width = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            let head = self.columns[at].chars().count();
            cells
                .map(|cell| cell.chars().count())
                .fold(head, usize::max)
        };
        let head: Vec<_> = self.columns.iter().map(|name| (*name).to_owned()).collect();
        let mut out = self.title.clone();
        for row in [&head].into_iter().chain(&rows) {
            out.push('\n');
            for (at, cell) in row.iter().enumerate() {
                let width = width(at);
                let cell = match self.rows.first().and_then(|row| row.get(at)) {
                    Some(Cell::Figure(..)) => format!("{cell:>width$}  "),
                    Some(Cell::Text(_)) | None => format!("{cell:<width$}  "),
                };
                out.push_str(&cell);
            }
        }
        out
    }

    fn markdown(&self) -> String {
        let mut out = format!("{}:\n\n", self.title);
        let columns = self.columns.join(" | ");
        let rule = "---|".repeat(self.columns.len());
        // Writing to a string cannot fail.
        let _ = writeln!(out, "| {columns} |\n|{rule}");
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(Cell::to_string).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out
    }

    fn json(&self) -> Value {
        let row = |row: &Vec<Cell>| {
            let cells = self.columns.iter().zip(row);
            let cells = cells.map(|(name, cell)| ((*name).to_owned(), cell.json()));
            Value::Object(cells.collect::<Map<_, _>>())
        };
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        json!({"title": self.title, "rows": rows})
    }
}

// === impl Cell ===

impl Cell {
    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Figure(value, _) => json!(value),
        }
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Figure(value, decimals) => write!(f, "{value:.decimals$}"),
        }
    }
}
