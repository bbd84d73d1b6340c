//! The two callers that every fleet has: default/admin and default/user.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    certs::write_private,
    fleet::CLUSTERS,
    kubeconfig::Kubeconfig,
    objects,
    plane::{Ground, Plane},
};

/// The files by which they call. In each kubeconfig the first context is the host, and one more for
/// each member leads through the host to it.
#[derive(Debug)]
pub(crate) struct Callers {
    /// Of ServiceAccount default/admin.
    pub(crate) admin_token: PathBuf,
    /// Of ServiceAccount default/user.
    pub(crate) user_token: PathBuf,
    pub(crate) admin_kubeconfig: PathBuf,
    pub(crate) user_kubeconfig: PathBuf,
}

// === impl Callers ===

impl Callers {
    /// Asks the host for the tokens and writes the files.
    pub(crate) async fn make(ground: &Ground, host: &Plane, members: &[Plane]) -> Result<Self> {
        let (admin_token, admin_kubeconfig) = make(ground, host, members, "admin").await?;
        let (user_token, user_kubeconfig) = make(ground, host, members, "user").await?;
        Ok(Self {
            admin_token,
            user_token,
            admin_kubeconfig,
            user_kubeconfig,
        })
    }
}

/// Token and kubeconfig of the service account `name`.
async fn make(
    ground: &Ground,
    host: &Plane,
    members: &[Plane],
    name: &str,
) -> Result<(PathBuf, PathBuf)> {
    let token = objects::token(&host.client, "default", name).await?;
    let token_file = ground.dir.join(format!("{name}.token"));
    write_private(&token_file, &token)?;
    let mut config = Kubeconfig::new(&ground.ca.identity.cert)
        .cluster("host", &host.url, None)
        .token(name, &token)
        .context("host", name, "host");
    for member in members {
        let member = &member.name;
        let url = format!("{}{CLUSTERS}/{member}/proxy", host.url);
        config = config
            .cluster(member, &url, None)
            .context(member, name, member);
    }
    let kubeconfig = ground.dir.join(format!("{name}.kubeconfig"));
    config.write(&kubeconfig)?;
    Ok((token_file, kubeconfig))
}
