//! A real node for member1: containerd and a kubelet in network, mount and process namespaces of
//! their own.
//!
//! The namespaces have no names and hang on their first process, which dies with xtask: with it go,
//! by the kernel's hand, the containers, the mounts, the veth pair and every file of the node (they
//! lie in memory). Only the control groups are left for the guard to remove.

mod choice;
mod config;
mod groups;
mod image;
mod link;
mod requirements;

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::Path,
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

pub(crate) use choice::{Choice, Node, Wish};
pub(crate) use image::IMAGE;

use self::link::Link;
use crate::{
    certs::{make_dir, write_private},
    kubeconfig::Kubeconfig,
    plane::{Ground, Plane},
    process::{Process, Program, Tier},
};

/// The node's name in member1.
pub(crate) const NAME: &str = "member1-node";
const CONTAINERD_LIMIT: Duration = Duration::from_secs(30);
const KUBELET_LIMIT: Duration = Duration::from_secs(60);

/// What a node is made from; a value of this type says that the machine has it.
#[derive(Debug)]
pub(crate) struct NodePlan {
    programs: requirements::Programs,
}

// === impl NodePlan ===

impl NodePlan {
    /// Fails with the reason, in one line, where the machine lacks something.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            programs: requirements::check()?,
        })
    }

    /// Starts the node and waits until member1 finds it ready.
    pub(crate) async fn start(&self, ground: &Ground, member: &Plane) -> Result<()> {
        let link = Link::new(ground.ports.take()?);
        let dir = ground.dir.join("node");
        make_dir(&dir)?;
        groups::make(&link.name, &ground.guard)?;
        let images = image::archive(&dir, &self.programs.busybox)?;
        let containerd = self.start_containerd(ground, &dir)?;
        let pid = containerd.pid;
        self.connect(&link, pid).await.context("connect the node")?;
        containerd
            .until_ready(CONTAINERD_LIMIT, async || {
                self.inside(pid, "ctr", &["--connect-timeout=1s", "version"])
                    .await
                    .is_ok()
            })
            .await?;
        let import = words("--namespace k8s.io images import --snapshotter native");
        let import: Vec<OsString> = import.chain([images.into()]).collect();
        self.inside(pid, "ctr", &import)
            .await
            .context("import the images")?;
        let kubelet = self.start_kubelet(ground, member, &link, pid)?;
        kubelet
            .until_ready(KUBELET_LIMIT, async || is_ready(member).await)
            .await
    }

    /// The first process of the node's namespaces. It covers what containerd and the kubelet write
    /// to with file systems in memory, so that nothing of the machine is touched.
    fn start_containerd(&self, ground: &Ground, dir: &Path) -> Result<Rc<Process>> {
        let (config, cni) = (dir.join("containerd.toml"), dir.join("10-lo.conflist"));
        write_private(&config, &config::containerd())?;
        write_private(&cni, &config::cni())?;
        // runc is in a directory that is not on everybody's PATH.
        let script = "set -e
            export PATH=\"$4\"
            for dir in /run /var/lib /var/log; do mount -t tmpfs tmpfs $dir; done
            mkdir -p /run/cni /var/lib/kubelet
            cp \"$3\" /run/cni/
            exec \"$1\" --config \"$2\"";
        let flags = "--net --mount --pid --ipc --fork --kill-child=KILL --mount-proc \
                     --propagation=private -- sh -c";
        let containerd = self.programs.containerd.clone();
        let operands = [
            script.into(),
            "sh".into(),
            containerd.into(),
            config.into(),
            cni.into(),
            requirements::search_path().into(),
        ];
        let args = words(flags).chain(operands).collect();
        ground.processes.start(Program {
            name: "member1-containerd".to_owned(),
            tier: Tier::Node,
            path: self.programs.unshare.clone(),
            args,
        })
    }

    fn start_kubelet(
        &self,
        ground: &Ground,
        member: &Plane,
        link: &Link,
        pid: u32,
    ) -> Result<Rc<Process>> {
        let kubeconfig = ground.dir.join("node/kubelet.kubeconfig");
        let user = format!("system:node:{NAME}");
        let identity = member
            .client_ca
            .client("member1-kubelet", &user, Some("system:nodes"))?;
        let server = format!("https://{}:{}", link.machine, member.port);
        Kubeconfig::new(&ground.ca.identity.cert)
            .cluster("member1", &server, Some("localhost"))
            .certificate(NAME, &identity)
            .context("member1", NAME, "member1")
            .write(&kubeconfig)?;
        let config = ground.dir.join("node/kubelet.json");
        let client_ca = &member.client_ca.identity.cert_file;
        write_private(
            &config,
            &config::kubelet(client_ca, &format!("/{}", link.name)).to_string(),
        )?;
        let kubelet = ground.assets.kubelet.clone();
        let mut args = self.enter(pid);
        args.extend([
            "env".into(),
            format!("PATH={}", requirements::search_path()).into(),
        ]);
        args.push(kubelet.context("there is no kubelet")?.into());
        let flags = [
            format!("--config={}", config.display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={}", link.node),
        ];
        args.extend(flags.map(OsString::from));
        ground.processes.start(Program {
            name: "member1-kubelet".to_owned(),
            tier: Tier::Node,
            path: self.programs.nsenter.clone(),
            args,
        })
    }

    /// A veth pair between the machine and the namespace of process `pid`.
    async fn connect(&self, link: &Link, pid: u32) -> Result<()> {
        let (name, peer) = (link.name.as_str(), pid.to_string());
        let (here, there) = (format!("{}/30", link.machine), format!("{}/30", link.node));
        until_unshared(pid).await?;
        let ip = |words: &str| self.ip(words.to_owned());
        ip(&format!(
            "link add {name} type veth peer name eth0 netns {peer}"
        ))
        .await?;
        ip(&format!("addr add {here} dev {name}")).await?;
        ip(&format!("link set {name} up")).await?;
        let inside = [
            "link set lo up".to_owned(),
            format!("addr add {there} dev eth0"),
            "link set eth0 up".to_owned(),
            format!("route add default via {}", link.machine),
        ];
        for line in inside {
            let args: Vec<OsString> = words(&line).collect();
            self.inside(pid, "ip", &args).await?;
        }
        Ok(())
    }

    async fn ip(&self, words: String) -> Result<()> {
        let mut ip = Command::new(&self.programs.ip);
        finish(ip.args(words.split(' ')))
            .await
            .with_context(|| format!("ip {words}"))
    }

    /// Runs a program of the machine in the namespaces of the node.
    async fn inside(&self, pid: u32, program: &str, args: &[impl AsRef<OsStr>]) -> Result<()> {
        let mut nsenter = Command::new(&self.programs.nsenter);
        nsenter.args(self.enter(pid)).arg(program).args(args);
        finish(nsenter.env("PATH", requirements::search_path()))
            .await
            .with_context(|| format!("{program} in the node"))
    }

    /// nsenter's arguments for the namespaces that `pid` has made for its child.
    fn enter(&self, pid: u32) -> Vec<OsString> {
        let pid_namespace = format!("--pid=/proc/{pid}/ns/pid_for_children");
        words(&format!(
            "--target={pid} --net --mount --ipc {pid_namespace} --"
        ))
        .collect()
    }
}

/// Waits until `pid` has made its namespaces and the first process in them, without which nobody
/// else can enter.
async fn until_unshared(pid: u32) -> Result<()> {
    let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net"));
    let own = network("self").context("read the network namespace")?;
    let children = format!("/proc/{pid}/task/{pid}/children");
    for _ in 0..500 {
        let unshared = network(&pid.to_string()).is_ok_and(|other| other != own);
        if unshared && fs::read_to_string(&children).is_ok_and(|pids| !pids.is_empty()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("process {pid} makes no namespaces")
}

/// A command line without quotes.
fn words(line: &str) -> impl Iterator<Item = OsString> {
    line.split_whitespace().map(OsString::from)
}

async fn is_ready(member: &Plane) -> bool {
    let Ok(node) = member.client.get(&format!("/api/v1/nodes/{NAME}")).await else {
        return false;
    };
    let conditions = node["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

async fn finish(command: &mut Command) -> Result<()> {
    let out = command
        .kill_on_drop(true)
        .output()
        .await
        .context("run it")?;
    if !out.status.success() {
        bail!(
            "{} ({})",
            String::from_utf8_lossy(&out.stderr).trim(),
            out.status
        );
    }
    Ok(())
}
