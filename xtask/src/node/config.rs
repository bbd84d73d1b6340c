//! The configuration files of containerd and the kubelet.

use std::path::Path;

use serde_json::{Value, json};

use super::image::PAUSE;

/// For containerd 1.6 and later. Everything it writes lies in directories that the node's mount
/// namespace covers, so the default places are right.
pub(super) fn containerd() -> String {
    format!(
        r#"version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/run/cni"
    conf_dir = "/run/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
"#
    )
}

/// A network that containerd finds in order; pods use the node's own.
pub(super) fn cni() -> String {
    json!({"cniVersion": "0.4.0", "name": "lo", "plugins": [{"type": "loopback"}]}).to_string()
}

/// `client_ca`: the member's. `group`: the control group below which all pods live.
pub(super) fn kubelet(client_ca: &Path, group: &str) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"x509": {"clientCAFile": client_ca}, "anonymous": {"enabled": false}},
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": group,
        "cgroupsPerQOS": true,
        "enforceNodeAllocatable": [],
        "failSwapOn": false,
        "failCgroupV1": false,
        "makeIPTablesUtilChains": false,
        "localStorageCapacityIsolation": false,
        "oomScoreAdj": 0,
        "resolvConf": "",
        "evictionHard": {
            "imagefs.available": "0%", "memory.available": "0%", "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
        },
        "nodeStatusReportFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
        "shutdownGracePeriod": "0s",
    })
}
