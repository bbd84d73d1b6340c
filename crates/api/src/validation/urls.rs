//! What is refused in the URLs of members and forward proxies.

use fleetgate_apimachinery::{
    field::{FieldError, Path},
    go,
};

use crate::go_url::GoUrl;

/// What Karmada says is wanted; in truth a URL with scheme and host is.
const FORM: &str = "; desired format: hostname, hostname:port, IP or IP:port";

pub(super) fn check_endpoint(endpoint: &str, path: &Path, errors: &mut Vec<FieldError>) {
    let url = match GoUrl::parse(endpoint) {
        Ok(url) => url,
        Err(error) => {
            let detail = format!("apiEndpoint must be a valid URL: {error}{FORM}");
            errors.push(FieldError::invalid(path, endpoint, detail));
            return;
        }
    };
    if url.host.is_empty() {
        errors.push(FieldError::invalid(
            path,
            "",
            format!("host must be provided{FORM}"),
        ));
    }
    if let Some(user) = &url.user {
        let detail = "user information is not permitted in the URL";
        errors.push(FieldError::invalid(path, user, detail));
    }
    if !url.fragment.is_empty() {
        let detail = "fragments are not permitted in the URL";
        errors.push(FieldError::invalid(path, &url.fragment, detail));
    }
    if !url.query.is_empty() {
        let detail = "query parameters are not permitted in the URL";
        errors.push(FieldError::invalid(path, &url.query, detail));
    }
}

pub(super) fn check_proxy(proxy: &str, path: &Path, errors: &mut Vec<FieldError>) {
    let detail = match GoUrl::parse(proxy) {
        Err(error) => format!("apiEndpoint must be a valid URL: {error}"),
        Ok(url) if matches!(url.scheme.as_str(), "http" | "https" | "socks5") => return,
        Ok(url) => {
            let scheme = go::quote(&url.scheme);
            format!("unsupported scheme {scheme}, must be http, https, or socks5")
        }
    };
    errors.push(FieldError::invalid(path, proxy, detail));
}
