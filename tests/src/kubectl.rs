//! kubectl, run as a user runs it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{command::Call, fleet};

/// kubectl with one kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    kubeconfig: PathBuf,
    options: Vec<String>,
}

// === impl Kubectl ===

impl Kubectl {
    /// With the kubeconfig in this file.
    pub fn new(kubeconfig: impl Into<PathBuf>) -> Self {
        Self {
            kubeconfig: kubeconfig.into(),
            options: Vec::new(),
        }
    }

    /// The same with one more option for every command, such as `--context=member1`.
    #[must_use]
    pub fn with(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// The same in another namespace.
    #[must_use]
    pub fn in_namespace(self, namespace: &str) -> Self {
        self.with(format!("--namespace={namespace}"))
    }

    /// The kubeconfig in use.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A command; `words` are separated by white space, without quotes.
    pub fn call(&self, words: &str) -> Call {
        let options = self.options.iter();
        options
            .fold(Call::new("kubectl"), |call, option| call.arg(option))
            .words(words)
            .env("KUBECONFIG", &self.kubeconfig)
            // Discovery is kept with the fleet it was asked of.
            .env("KUBECACHEDIR", fleet().dir.join("kubectl-cache"))
    }

    /// Runs a command that must succeed, and returns what it printed.
    pub async fn ok(&self, words: &str) -> String {
        self.call(words).ok().await
    }

    /// Runs a command that must fail, and returns what it complained of.
    pub async fn fails(&self, words: &str) -> String {
        self.call(words).fails().await
    }

    /// Runs a command that must succeed and print JSON, as with `-o json`.
    pub async fn json(&self, words: &str) -> Value {
        let text = self.ok(words).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words}: {error}: {text}"))
    }

    /// Applies `object`, or several in a list.
    pub async fn apply(&self, object: &Value) -> String {
        self.call("apply -f -").stdin(object.to_string()).ok().await
    }
}
