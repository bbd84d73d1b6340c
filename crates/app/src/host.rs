//! The way to the host control plane: one HTTP/2 connection for all that is asked of it, and others
//! for watches of secrets.

use std::path::Path;

use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config as KubeConfig,
    client::{Body, ConfigExt},
    config::{KubeConfigOptions, Kubeconfig},
};
use rustls::pki_types::ServerName;
use tower::{BoxError, ServiceBuilder};

/// The host cannot be spoken to, whether it is up or not.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No kubeconfig was given and there is none of a pod.
    #[error("no --kubeconfig was given, and this is no pod of a cluster")]
    InCluster(#[source] kube::config::InClusterError),
    /// The kubeconfig cannot be used.
    #[error("cannot use kubeconfig {0}")]
    Kubeconfig(String, #[source] kube::config::KubeconfigError),
    /// It wants a way that is not known here.
    #[error("cannot use kubeconfig {0}: its proxy-url is not supported")]
    Proxy(String),
    /// Its certificates or credentials cannot be used.
    #[error("cannot make a client of kubeconfig {0}")]
    Client(String, #[source] BoxError),
}

/// A client of the host, and what it takes to make more of them.
#[derive(Clone)]
pub(crate) struct HostClient {
    config: KubeConfig,
    shared: Client,
}

// === impl HostClient ===

impl HostClient {
    /// A client with the credentials in `kubeconfig`, or in the pod that this runs in.
    ///
    /// # Errors
    /// [`HostError`]. The host itself is not asked.
    pub(crate) async fn new(kubeconfig: Option<&Path>) -> Result<Self, HostError> {
        let name = kubeconfig.map_or_else(String::new, |path| path.display().to_string());
        let config = match kubeconfig {
            None => KubeConfig::incluster().map_err(HostError::InCluster)?,
            Some(path) => read(path, &name).await?,
        };
        let shared = over_http2(&config).map_err(|error| HostError::Client(name, error))?;
        Ok(Self { config, shared })
    }

    /// The connection for all that is short.
    pub(crate) fn shared(&self) -> Client {
        self.shared.clone()
    }

    /// A connection more.
    pub(crate) fn connect(&self) -> Client {
        over_http2(&self.config).unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot make another client of the host");
            self.shared()
        })
    }
}

async fn read(path: &Path, name: &str) -> Result<KubeConfig, HostError> {
    let unusable = |error| HostError::Kubeconfig(name.to_owned(), error);
    let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
    let mut clusters = kubeconfig.clusters.iter().flat_map(|named| &named.cluster);
    if clusters.any(|cluster| cluster.proxy_url.is_some()) {
        return Err(HostError::Proxy(name.to_owned()));
    }
    let options = KubeConfigOptions::default();
    let config = KubeConfig::from_custom_kubeconfig(kubeconfig, &options);
    config.await.map_err(unusable)
}

/// kube's own client speaks HTTP/1.1 alone, which takes a connection for each watch.
fn over_http2(config: &KubeConfig) -> Result<Client, BoxError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(config.connect_timeout);
    let mut https = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = ServerName::try_from(name.clone())?;
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let https = https.enable_all_versions().wrap_connector(http);
    let client = HttpClient::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_initial_stream_window_size(256 << 10)
        .http2_initial_connection_window_size(64 << 20)
        .http2_keep_alive_interval(std::time::Duration::from_secs(15))
        .http2_keep_alive_timeout(std::time::Duration::from_secs(15))
        .build::<_, Body>(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        // Whom the kubeconfig says to act as.
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(client);
    Ok(Client::new(service, config.default_namespace.clone()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use k8s_openapi::api::core::v1::Secret;
    use kube::Api;
    use tempfile::NamedTempFile;
    use tokio::{
        io::{AsyncBufReadExt, BufReader},
        net::TcpListener,
    };

    use super::{HostClient, HostError};

    /// A kubeconfig of the host at `server`, with these lines about the cluster and the user.
    fn kubeconfig(server: &str, cluster: &str, user: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().expect("a file");
        let text = format!(
            "clusters: [{{name: c, cluster: {{server: '{server}'{cluster}}}}}]\n\
             users: [{{name: u, user: {{token: t{user}}}}}]\n\
             contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n\
             current-context: x\n"
        );
        file.write_all(text.as_bytes()).expect("written");
        file
    }

    #[tokio::test]
    async fn the_host_is_asked_as_the_kubeconfig_says() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = format!("http://{}", listener.local_addr().expect("bound"));
        let file = kubeconfig(&server, "", ", as: jane, as-groups: [a]");
        let client = HostClient::new(Some(file.path())).await.expect("usable");
        let secrets = Api::<Secret>::namespaced(client.shared(), "ns");
        let head = async {
            let (stream, _) = listener.accept().await.expect("a caller");
            let mut lines = BufReader::new(stream).lines();
            let mut head = Vec::new();
            while let Some(line) = lines.next_line().await.expect("text")
                && !line.is_empty()
            {
                head.push(line);
            }
            head
        };
        let (_, head) = tokio::join!(secrets.get("s"), head);
        for line in ["impersonate-user: jane", "impersonate-group: a"] {
            assert!(head.iter().any(|has| has == line), "{head:?}");
        }
    }

    #[tokio::test]
    async fn a_way_that_is_not_known_is_refused() {
        let file = kubeconfig("https://host", ", proxy-url: 'http://proxy'", "");
        let refused = HostClient::new(Some(file.path())).await.err();
        assert!(matches!(refused, Some(HostError::Proxy(_))), "{refused:?}");
    }
}
