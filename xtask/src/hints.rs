//! The lines that a user pastes into another shell.

use std::path::Path;

use crate::{environment::quote, fleet::Fleet, node::Node, ui};

const PROXY: &str = "/apis/cluster.karmada.io/v1alpha1/clusters/member1/proxy";
const ADMIN: &str = "kubectl --kubeconfig=$FLEET_ADMIN_KUBECONFIG --context=member1";
const USER: &str = "kubectl --kubeconfig=$FLEET_USER_KUBECONFIG";

/// Prints what to type next.
pub(crate) fn print(dir: &Path, fleet: &Fleet) {
    let source = format!(". {}", quote(&dir.join("env").display().to_string()));
    group("In another shell", &[&source, "kubectl get clusters"]);
    if !fleet.members.is_empty() {
        member1(fleet);
    }
    ui::line("");
    ui::line("Ctrl-C stops everything.");
}

fn member1(fleet: &Fleet) {
    group(
        "member1 through the host, as the host's administrator",
        &[
            &format!("kubectl get --raw {PROXY}/version"),
            &format!("kubectl --server=$FLEET_HOST_URL{PROXY} get namespaces"),
        ],
    );
    if fleet.node == Node::Running {
        let place = r#"{"spec":{"nodeName":"member1-node","hostNetwork":true}}"#;
        let run = format!("run hello --image=$FLEET_NODE_IMAGE --overrides='{place}'");
        group(
            "A pod on member1's node, as the service account default/admin",
            &[
                &format!("{ADMIN} {run} --image-pull-policy=Never -- sleep 3600"),
                &format!("{ADMIN} wait --for=condition=Ready pod/hello"),
                &format!("{ADMIN} exec -it hello -- sh"),
            ],
        );
    }
    let whoami = format!("{USER} --context=member1 auth whoami");
    let get = format!("{USER} --context=member1 get namespaces");
    let member2 = PROXY.replace("member1", "member2");
    let forbidden = format!("{USER} get --raw {member2}/version  # forbidden");
    let mut lines = vec![whoami.as_str(), &get];
    if fleet.members.len() > 1 {
        lines.push(&forbidden);
    }
    group(
        "The same as default/user, who may read in member1 and nowhere else",
        &lines,
    );
    let token = "\"Authorization: Bearer $(cat $FLEET_ADMIN_TOKEN_FILE)\"";
    let curl = format!("curl --cacert $FLEET_CA -H {token} $FLEET_SERVER_URL{PROXY}/version");
    group(
        "At the server itself, without the host in between",
        &[&curl],
    );
}

fn group(heading: &str, lines: &[&str]) {
    ui::line("");
    ui::heading(&format!("{heading}:"));
    for line in lines {
        ui::line(format_args!("  {line}"));
    }
}
