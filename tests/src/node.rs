//! member1's real node, and pods on it.

use serde_json::{Value, json};

use crate::{
    environment::{optional, variable},
    fleet, left_out,
};

/// The node that member1 has.
#[derive(Clone, Debug)]
pub struct Node {
    name: String,
    image: String,
}

// === impl Node ===

impl Node {
    /// The node, or `None` where the fleet has none, which `test` says aloud. With
    /// `FLEET_REQUIRE_NODE` set, a fleet without a node fails the test.
    pub fn needed_by(test: &str) -> Option<Self> {
        if optional("FLEET_NODE").is_some() {
            return Some(Self {
                name: variable("FLEET_NODE_NAME"),
                image: variable("FLEET_NODE_IMAGE"),
            });
        }
        let none = "the fleet was started without --node".to_owned();
        let reason = optional("FLEET_NODE_ABSENT").unwrap_or(none);
        assert!(
            optional("FLEET_REQUIRE_NODE").is_none(),
            "{test} needs a node: {reason}"
        );
        left_out(test, &reason);
        None
    }

    /// Its name in member1.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A pod in namespace default that runs the shell script `script` under busybox. It shares the
    /// node's network, so that its ports must be its own.
    pub fn pod(&self, name: &str, script: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "nodeName": self.name, "hostNetwork": true,
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 1,
                "tolerations": [{"operator": "Exists"}],
                "containers": [{
                    "name": "main", "image": self.image, "imagePullPolicy": "Never",
                    "command": ["/bin/sh", "-c", script],
                    "stdin": true,
                }],
            },
        })
    }

    /// Starts `pod` anew, as member1's administrator and at member1 itself, and waits until it runs.
    pub async fn run(&self, pod: &Value) {
        let member = fleet().member(1);
        let name = pod["metadata"]["name"].as_str().unwrap();
        member
            .ok(&format!("delete pod {name} --ignore-not-found"))
            .await;
        member.call("create -f -").stdin(pod.to_string()).ok().await;
        let wait = format!("wait --for=condition=Ready pod/{name} --timeout=100s");
        member.ok(&wait).await;
    }
}
