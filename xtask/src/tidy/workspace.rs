//! What the checks look at: cargo's view of the workspace and the text files in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo;

/// Directories that hold no text of ours.
const SKIPPED: [&str; 3] = [".git", "node_modules", "target"];
/// Files whose text is read.
const TEXT: [&str; 9] = [
    "json", "md", "proto", "py", "rs", "sh", "toml", "yaml", "yml",
];

#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) packages: Vec<Package>,
    /// From the top down.
    pub(super) layers: Vec<Vec<String>>,
    /// The text of docs/architecture.md.
    pub(super) architecture: Option<String>,
    pub(super) files: Vec<TextFile>,
}

/// A member of the workspace.
#[derive(Clone, Debug, Default)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) description: Option<String>,
    /// The text of its Cargo.toml.
    pub(super) manifest: String,
    /// The text of its lib.rs or main.rs.
    pub(super) root: String,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Build,
    Dev,
    Normal,
}

#[derive(Clone, Debug)]
pub(super) struct TextFile {
    /// From the workspace's root.
    pub(super) path: String,
    pub(super) text: String,
}

// === impl Workspace ===

impl Workspace {
    pub(super) fn read() -> Result<Self> {
        let args = ["metadata", "--no-deps", "--format-version", "1"];
        let out = cargo::command(&args)
            .output()
            .context("run cargo metadata")?;
        if !out.status.success() {
            bail!(
                "cargo metadata: {}",
                String::from_utf8_lossy(&out.stderr).trim()
            );
        }
        let metadata: Value =
            serde_json::from_slice(&out.stdout).context("read cargo's metadata")?;
        let root = cargo::workspace();
        let packages: Result<Vec<Package>> = list(&metadata["packages"])
            .iter()
            .map(Package::read)
            .collect();
        let mut files = Vec::new();
        walk(&root, &root, &mut files)?;
        Ok(Self {
            packages: packages?,
            layers: list(&metadata["metadata"]["layers"]["order"])
                .iter()
                .map(|layer| list(layer).iter().map(text).collect())
                .collect(),
            architecture: fs::read_to_string(root.join("docs/architecture.md")).ok(),
            files,
        })
    }
}

// === impl Package ===

impl Package {
    fn read(package: &Value) -> Result<Self> {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let dir = manifest
            .parent()
            .context("a manifest without a directory")?;
        let root = ["src/lib.rs", "src/main.rs"].map(|file| dir.join(file));
        let root = root.iter().find(|path| path.exists());
        Ok(Self {
            name: text(&package["name"]),
            description: package["description"].as_str().map(str::to_owned),
            manifest: read(&manifest)?,
            root: root.map(|path| read(path)).transpose()?.unwrap_or_default(),
            dependencies: list(&package["dependencies"])
                .iter()
                .map(Dependency::read)
                .collect(),
        })
    }
}

// === impl Dependency ===

impl Dependency {
    fn read(dependency: &Value) -> Self {
        let kind = match dependency["kind"].as_str() {
            Some("build") => Kind::Build,
            Some("dev") => Kind::Dev,
            _ => Kind::Normal,
        };
        Self {
            name: text(&dependency["name"]),
            kind,
        }
    }
}

fn walk(root: &Path, dir: &Path, files: &mut Vec<TextFile>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))?;
    for entry in entries {
        let path = entry.context("read a directory")?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_ref()) {
                walk(root, &path, files)?;
            }
        } else if is_text(&path) {
            let text = read(&path)?;
            let path = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            files.push(TextFile { path, text });
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(())
}

/// Known by its ending, or a script without one.
fn is_text(path: &Path) -> bool {
    match path.extension() {
        Some(ending) => TEXT.iter().any(|text| ending == *text),
        None => path
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|dir| dir == ".ci"),
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
