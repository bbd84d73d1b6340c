//! What the host publishes in `kube-system/extension-apiserver-authentication`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::TrustError;
use crate::front_proxy::HeaderNames;

/// The namespace of the ConfigMap.
pub(super) const NAMESPACE: &str = "kube-system";
/// The name of the ConfigMap.
pub(super) const NAME: &str = "extension-apiserver-authentication";

/// The ConfigMap, read.
#[derive(Debug)]
pub(super) struct Published {
    /// `client-ca-file`, PEM.
    pub(super) client_ca: Option<String>,
    /// `requestheader-*`, where there is a CA.
    pub(super) front_proxy: Option<PublishedFrontProxy>,
}

/// The front proxy of the host.
#[derive(Debug)]
pub(super) struct PublishedFrontProxy {
    /// PEM.
    pub(super) ca: String,
    pub(super) allowed_names: Vec<String>,
    pub(super) headers: HeaderNames,
}

// === impl Published ===

impl Published {
    pub(super) fn read(config_map: ConfigMap) -> Result<Self, TrustError> {
        let mut data = config_map.data.unwrap_or_default();
        let mut bundle = |key| {
            data.remove(key)
                .filter(|pem: &String| !pem.trim().is_empty())
        };
        let client_ca = bundle("client-ca-file");
        let request_header_ca = bundle("requestheader-client-ca-file");
        let front_proxy = match request_header_ca {
            Some(ca) => Some(PublishedFrontProxy::read(ca, &data)?),
            None => None,
        };
        Ok(Self {
            client_ca,
            front_proxy,
        })
    }
}

// === impl PublishedFrontProxy ===

impl PublishedFrontProxy {
    fn read(ca: String, data: &BTreeMap<String, String>) -> Result<Self, TrustError> {
        let headers = HeaderNames::parse(
            &list(data, "requestheader-username-headers")?,
            &list(data, "requestheader-uid-headers")?,
            &list(data, "requestheader-group-headers")?,
            &list(data, "requestheader-extra-headers-prefix")?,
        )
        .map_err(TrustError::Header)?;
        let allowed_names = list(data, "requestheader-allowed-names")?;
        Ok(Self {
            ca,
            allowed_names,
            headers,
        })
    }
}

fn list(data: &BTreeMap<String, String>, key: &'static str) -> Result<Vec<String>, TrustError> {
    match data
        .get(key)
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
    {
        Some(text) => serde_json::from_str::<Option<Vec<String>>>(text)
            .map(Option::unwrap_or_default)
            .map_err(|source| TrustError::List { key, source }),
        None => Ok(Vec::new()),
    }
}
