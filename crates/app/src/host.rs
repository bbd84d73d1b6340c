//! The way to the host control plane: one HTTP/2 connection for all that is asked of it.

use std::path::Path;

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config as KubeConfig,
    client::{Body, ConfigExt},
    config::{KubeConfigOptions, Kubeconfig},
};
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
    /// Its certificates or credentials cannot be used.
    #[error("cannot make a client of kubeconfig {0}")]
    Client(String, #[source] Box<kube::Error>),
}

/// A client with the credentials in `kubeconfig`, or in the pod that this runs in.
///
/// # Errors
/// [`HostError`]. The host itself is not asked.
pub(crate) async fn client(kubeconfig: Option<&Path>) -> Result<Client, HostError> {
    let name = kubeconfig.map_or_else(String::new, |path| path.display().to_string());
    let config = match kubeconfig {
        None => KubeConfig::incluster().map_err(HostError::InCluster)?,
        Some(path) => {
            let read = async {
                let kubeconfig = Kubeconfig::read_from(path)?;
                KubeConfig::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await
            };
            let read = read.await;
            read.map_err(|error| HostError::Kubeconfig(name.clone(), error))?
        }
    };
    over_http2(&config).map_err(|error| HostError::Client(name, Box::new(error)))
}

/// kube's own client speaks HTTP/1.1 alone, which takes a connection for each watch.
fn over_http2(config: &KubeConfig) -> Result<Client, kube::Error> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(config.connect_timeout);
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(http);
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
        .map_err(BoxError::from)
        .service(client);
    Ok(Client::new(service, config.default_namespace.clone()))
}
