//! The lines that a user pastes into another shell.

use std::path::Path;

use crate::{environment::quote, fleet::Fleet, ui};

const PROXY: &str = "/apis/cluster.karmada.io/v1alpha1/clusters/member1/proxy";

/// Prints what to type next.
pub(crate) fn print(dir: &Path, fleet: &Fleet) {
    ui::line("");
    ui::heading("In another shell:");
    ui::line(format_args!(
        "  . {}",
        quote(&dir.join("env").display().to_string())
    ));
    ui::line("  kubectl get clusters");
    if !fleet.members.is_empty() {
        ui::line("");
        ui::heading("member1 through the host, as the host's administrator:");
        ui::line(format_args!("  kubectl get --raw {PROXY}/version"));
        ui::line(format_args!(
            "  kubectl --server=$FLEET_HOST_URL{PROXY} get namespaces"
        ));
        ui::line("");
        ui::heading("The same as default/user, who may read in member1 and nowhere else:");
        ui::line("  kubectl --kubeconfig=$FLEET_USER_KUBECONFIG --context=member1 auth whoami");
        ui::line("  kubectl --kubeconfig=$FLEET_USER_KUBECONFIG --context=member1 get namespaces");
    }
    if fleet.members.len() > 1 {
        ui::line(
            "  kubectl --kubeconfig=$FLEET_USER_KUBECONFIG --context=member2 get namespaces  # forbidden",
        );
    }
    if !fleet.members.is_empty() {
        ui::line("");
        ui::heading("At the server itself, without the host in between:");
        ui::line(format_args!(
            "  curl --cacert $FLEET_CA -H \"Authorization: Bearer $(cat $FLEET_ADMIN_TOKEN_FILE)\" $FLEET_SERVER_URL{PROXY}/version"
        ));
    }
    ui::line("");
    ui::line("Ctrl-C stops everything.");
}
