//! The recorded cases of karmada-aggregated-apiserver: sent again, what varies masked, compared.
//!
//! The masks are those that the record was made with: uid, resource versions, times, ports,
//! continue tokens, managed fields unless a case shows them.

mod mask;

use std::collections::BTreeMap;

use fleetgate_testkit::golden::without_ages;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    CLUSTERS, Credential, fleet,
    http::{Client, Reply},
    server::{Server, ServerSpec},
};

/// Requests, and how each was answered once.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name; what stands before a slash is its family.
    pub name: String,
    show: Vec<String>,
    steps: Vec<Step>,
    want: Vec<Value>,
}

/// Where the cases are sent.
#[derive(Clone, Debug)]
pub struct Target {
    url: String,
    way: Way,
}

/// How the server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Directly,
    /// Through the aggregation layer of the host.
    Host,
}

/// How a case came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// All is as it was recorded.
    Agrees,
    /// It differs, and is expected to.
    Listed {
        /// Why.
        reason: &'static str,
    },
    /// It differs.
    Differs {
        /// Request, record and answer of each step that does.
        differences: String,
    },
    /// It agrees although it is listed.
    Unlisted {
        /// Why it should differ.
        reason: &'static str,
    },
    /// The host does not pass its requests on to the server.
    NotPassedOn,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    #[serde(default)]
    show: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    auth: Auth,
    body: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default = "get")]
    method: String,
    path: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Auth {
    FrontProxy,
    None,
    #[default]
    Token,
}

/// Cases that differ, each with its reason.
const LISTED: &[(&str, &str)] = &[];

/// What the host leaves to the server: the group's version, and all below it.
const PASSED_ON: &str = "/apis/cluster.karmada.io/v1alpha1";

/// All cases, in the order of the record.
pub fn cases() -> Vec<Case> {
    let cases: Vec<RawCase> = serde_json::from_str(include_str!("../golden/cases.json")).unwrap();
    let mut expected: BTreeMap<String, Vec<Value>> =
        serde_json::from_str(include_str!("../golden/expected.json")).unwrap();
    let cases = cases
        .into_iter()
        .map(|RawCase { name, show, steps }| Case {
            want: expected.remove(&name).unwrap(),
            name,
            show,
            steps,
        })
        .collect();
    assert!(expected.is_empty(), "no case for {:?}", expected.keys());
    cases
}

/// A server told `spec`, with the clusters that the cases expect: those of the fleet.
pub async fn server(spec: ServerSpec) -> Server {
    let server = spec.start().await;
    for name in ["member1", "member2"] {
        let path = format!("{CLUSTERS}/{name}");
        let there = fleet().at_server(&fleet().admin()).get(&path).await;
        let mut cluster = there.expect(200).json();
        cluster["metadata"] = serde_json::json!({"name": name});
        server.change(Method::POST, CLUSTERS, &cluster).await;
        server.until_answers(name).await;
    }
    server
}

// === impl Target ===

impl Target {
    /// The fleet's server itself.
    pub fn fleets_server() -> Self {
        Self {
            url: fleet().server_url.clone(),
            way: Way::Directly,
        }
    }

    /// The fleet's server, through the aggregation layer of the host.
    pub fn through_the_host() -> Self {
        Self {
            url: fleet().host_url.clone(),
            way: Way::Host,
        }
    }

    /// A server that [`server`] has started.
    pub fn server(server: &Server) -> Self {
        Self {
            url: server.url(),
            way: Way::Directly,
        }
    }

    fn is_reached_by(&self, step: &Step) -> bool {
        self.way == Way::Directly || step.path.starts_with(PASSED_ON)
    }
}

// === impl Case ===

impl Case {
    /// Sends the requests to `target` and compares.
    pub async fn replay(&self, target: &Target) -> Outcome {
        if !self.steps.iter().all(|step| target.is_reached_by(step)) {
            return Outcome::NotPassedOn;
        }
        let mut differences = String::new();
        for (number, (step, want)) in self.steps.iter().zip(&self.want).enumerate() {
            let mut got = mask::reply(&step.send(target).await, &self.show);
            let mut want = want.clone();
            without_ages(&mut got);
            without_ages(&mut want);
            if got != want {
                differences.push_str(&format!(
                    "step {number} ({} {})\n  want {want}\n  got  {got}\n",
                    step.method, step.path
                ));
            }
        }
        match (self.listed(), differences.is_empty()) {
            (None, true) => Outcome::Agrees,
            (None, false) => Outcome::Differs { differences },
            (Some(reason), false) => Outcome::Listed { reason },
            (Some(reason), true) => Outcome::Unlisted { reason },
        }
    }

    /// Why it is expected to differ, if it is.
    fn listed(&self) -> Option<&'static str> {
        let listed = LISTED.iter().find(|(name, _)| *name == self.name);
        listed.map(|(_, reason)| *reason)
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether it is as it should be.
    pub fn is_good(&self) -> bool {
        match self {
            Self::Agrees | Self::Listed { .. } | Self::NotPassedOn => true,
            Self::Differs { .. } | Self::Unlisted { .. } => false,
        }
    }
}

// === impl Step ===

impl Step {
    async fn send(&self, target: &Target) -> Reply {
        let named = self
            .headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case("authorization"));
        let caller = match self.auth {
            Auth::FrontProxy => Credential::front_proxy(),
            Auth::Token if !named => fleet().admin(),
            Auth::None | Auth::Token => Credential::Anonymous,
        };
        let method = Method::from_bytes(self.method.as_bytes()).unwrap();
        let mut call = Client::new(&target.url, &caller).call(method, &self.path);
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        match &self.body {
            None => call.send().await,
            Some(Value::String(text)) => call.raw(text.clone()).send().await,
            Some(value) => call.json(value).send().await,
        }
    }
}

fn get() -> String {
    "GET".to_owned()
}

#[cfg(test)]
mod tests {
    use super::{LISTED, cases};

    #[test]
    fn every_case_has_its_record() {
        assert_eq!(cases().len(), 59);
    }

    #[test]
    fn only_cases_are_listed() {
        let cases = cases();
        for (listed, _) in LISTED {
            assert!(cases.iter().any(|case| case.name == *listed), "{listed}");
        }
    }
}
