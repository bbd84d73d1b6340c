//! The annotations of a Cluster that say how its member is reached. docs/settings.md shows them to
//! operators.

use std::{collections::BTreeMap, time::Duration};

use fleetgate_apimachinery::go::parse_duration;
use fleetgate_model::{LimitSettings, SettingError, Settings, TlsVersion};

use crate::Cluster;

/// What our annotations begin with.
const PREFIX: &str = "fleetgate.dev/";

const CONNECT_TIMEOUT: &str = "metadata.annotations[fleetgate.dev/connect-timeout]";
const IDLE_TIMEOUT: &str = "metadata.annotations[fleetgate.dev/idle-timeout]";
const MAX_QUEUED_REQUESTS: &str = "metadata.annotations[fleetgate.dev/max-queued-requests]";
const MAX_REQUESTS: &str = "metadata.annotations[fleetgate.dev/max-requests]";
const MAX_REQUESTS_PER_USER: &str = "metadata.annotations[fleetgate.dev/max-requests-per-user]";
const MAX_UPGRADES: &str = "metadata.annotations[fleetgate.dev/max-upgrades]";
const MAX_WATCHES: &str = "metadata.annotations[fleetgate.dev/max-watches]";
const REQUEST_TIMEOUT: &str = "metadata.annotations[fleetgate.dev/request-timeout]";
const TLS_MIN_VERSION: &str = "metadata.annotations[fleetgate.dev/tls-min-version]";
const TLS_TIMEOUT: &str = "metadata.annotations[fleetgate.dev/tls-timeout]";
const UPGRADE_IDLE_TIMEOUT: &str = "metadata.annotations[fleetgate.dev/upgrade-idle-timeout]";

/// All that are known.
const KNOWN: [&str; 11] = [
    CONNECT_TIMEOUT,
    IDLE_TIMEOUT,
    MAX_QUEUED_REQUESTS,
    MAX_REQUESTS,
    MAX_REQUESTS_PER_USER,
    MAX_UPGRADES,
    MAX_WATCHES,
    REQUEST_TIMEOUT,
    TLS_MIN_VERSION,
    TLS_TIMEOUT,
    UPGRADE_IDLE_TIMEOUT,
];

/// The annotations of one Cluster.
struct Annotations<'a>(&'a BTreeMap<String, String>);

/// What the annotations of `cluster` say.
///
/// # Errors
/// The first, by name, whose value cannot be used. Annotations of others, and those of ours that
/// are not known, are none of this: [`warnings`] tells of the latter.
pub fn settings(cluster: &Cluster) -> Result<Settings, SettingError> {
    let annotations = Annotations(&cluster.metadata.annotations);
    Ok(Settings {
        connect_timeout: annotations.duration(CONNECT_TIMEOUT)?,
        idle_timeout: annotations.duration(IDLE_TIMEOUT)?,
        limits: LimitSettings {
            queued_requests: annotations.number(MAX_QUEUED_REQUESTS)?,
            requests: annotations.positive(MAX_REQUESTS)?,
            requests_per_user: annotations.positive(MAX_REQUESTS_PER_USER)?,
            upgrades: annotations.positive(MAX_UPGRADES)?,
            watches: annotations.positive(MAX_WATCHES)?,
        },
        request_timeout: annotations.duration(REQUEST_TIMEOUT)?,
        tls_min_version: annotations
            .tls_version(TLS_MIN_VERSION)?
            .unwrap_or_default(),
        tls_timeout: annotations.duration(TLS_TIMEOUT)?,
        upgrade_idle_timeout: annotations.duration(UPGRADE_IDLE_TIMEOUT)?,
    })
}

/// What whoever writes `cluster` is warned of: annotations of ours that are not known, and one that
/// makes all requests to the cluster fail.
pub fn warnings(cluster: &Cluster) -> Vec<String> {
    let ours = cluster.metadata.annotations.keys();
    let ours = ours.filter(|name| name.starts_with(PREFIX));
    let unknown = ours.filter(|name| !KNOWN.iter().any(|field| annotation(field) == *name));
    let unknown = unknown.map(|name| format!("metadata.annotations[{name}]: unknown setting"));
    let unfit = settings(cluster).err();
    let unfit = unfit.map(|error| format!("{error}; requests to the cluster fail until then"));
    unknown.chain(unfit).collect()
}

/// The name of the annotation at `field`.
fn annotation(field: &str) -> &str {
    let name = field.strip_prefix("metadata.annotations[");
    name.and_then(|name| name.strip_suffix(']'))
        .unwrap_or(field)
}

// === impl Annotations ===

impl Annotations<'_> {
    fn duration(&self, field: &'static str) -> Result<Option<Duration>, SettingError> {
        self.read(
            field,
            "a duration above zero, such as 1m30s or 500ms",
            |value| {
                let time = Duration::try_from(parse_duration(value).ok()?).ok()?;
                (!time.is_zero()).then_some(time)
            },
        )
    }

    fn number(&self, field: &'static str) -> Result<Option<u32>, SettingError> {
        self.read(field, "a number", |value| value.parse().ok())
    }

    fn positive(&self, field: &'static str) -> Result<Option<u32>, SettingError> {
        self.read(field, "a number above zero", |value| {
            value.parse().ok().filter(|number| *number > 0)
        })
    }

    fn tls_version(&self, field: &'static str) -> Result<Option<TlsVersion>, SettingError> {
        self.read(field, "VersionTLS12 or VersionTLS13", |value| match value {
            "VersionTLS12" => Some(TlsVersion::Tls12),
            "VersionTLS13" => Some(TlsVersion::Tls13),
            _ => None,
        })
    }

    fn read<T>(
        &self,
        field: &'static str,
        want: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, SettingError> {
        let Some(value) = self.0.get(annotation(field)) else {
            return Ok(None);
        };
        let unfit = || SettingError {
            field,
            value: value.clone(),
            want,
        };
        parse(value).map(Some).ok_or_else(unfit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fleetgate_model::{LimitSettings, Settings, TlsVersion};

    use super::{settings, warnings};
    use crate::Cluster;

    fn cluster(annotations: &[(&str, &str)]) -> Cluster {
        let mut cluster = Cluster::default();
        let owned = annotations.iter();
        let owned = owned.map(|&(name, value)| (name.to_owned(), value.to_owned()));
        cluster.metadata.annotations = owned.collect();
        cluster
    }

    #[test]
    fn annotations_are_settings() {
        let all = cluster(&[
            ("fleetgate.dev/connect-timeout", "500ms"),
            ("fleetgate.dev/idle-timeout", "25s"),
            ("fleetgate.dev/max-queued-requests", "0"),
            ("fleetgate.dev/max-requests", "10"),
            ("fleetgate.dev/max-requests-per-user", "5"),
            ("fleetgate.dev/max-upgrades", "3"),
            ("fleetgate.dev/max-watches", "100"),
            ("fleetgate.dev/request-timeout", "2m"),
            ("fleetgate.dev/tls-min-version", "VersionTLS12"),
            ("fleetgate.dev/tls-timeout", "3s"),
            ("fleetgate.dev/upgrade-idle-timeout", "4h"),
            ("example.com/connect-timeout", "?"),
        ]);
        let want = Settings {
            connect_timeout: Some(Duration::from_millis(500)),
            idle_timeout: Some(Duration::from_secs(25)),
            limits: LimitSettings {
                queued_requests: Some(0),
                requests: Some(10),
                requests_per_user: Some(5),
                upgrades: Some(3),
                watches: Some(100),
            },
            request_timeout: Some(Duration::from_secs(120)),
            tls_min_version: TlsVersion::Tls12,
            tls_timeout: Some(Duration::from_secs(3)),
            upgrade_idle_timeout: Some(Duration::from_secs(4 * 3600)),
        };
        assert_eq!(settings(&all), Ok(want));
        assert_eq!(warnings(&all), [""; 0]);
        assert_eq!(settings(&cluster(&[])), Ok(Settings::default()));
        assert_eq!(Settings::default().tls_min_version, TlsVersion::Tls13);
    }

    #[track_caller]
    fn check_unfit(name: &str, value: &str, want: &str) {
        let cluster = cluster(&[(name, value)]);
        let error = settings(&cluster).expect_err(value);
        assert_eq!(error.field, format!("metadata.annotations[{name}]"));
        assert_eq!(error.want, want);
        assert_eq!(
            warnings(&cluster),
            [format!("{error}; requests to the cluster fail until then")]
        );
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let duration = "a duration above zero, such as 1m30s or 500ms";
        check_unfit("fleetgate.dev/connect-timeout", "10", duration);
        check_unfit("fleetgate.dev/connect-timeout", "", duration);
        check_unfit("fleetgate.dev/idle-timeout", "0", duration);
        check_unfit("fleetgate.dev/request-timeout", "0s", duration);
        check_unfit("fleetgate.dev/tls-timeout", "-1s", duration);
        check_unfit("fleetgate.dev/max-queued-requests", "-1", "a number");
        check_unfit("fleetgate.dev/max-requests", "0", "a number above zero");
        let version = "VersionTLS12 or VersionTLS13";
        check_unfit("fleetgate.dev/tls-min-version", "1.2", version);
    }

    #[test]
    fn a_setting_that_is_not_known_is_warned_of() {
        let typo = cluster(&[("fleetgate.dev/conect-timeout", "1s")]);
        assert_eq!(settings(&typo), Ok(Settings::default()));
        assert_eq!(
            warnings(&typo),
            ["metadata.annotations[fleetgate.dev/conect-timeout]: unknown setting"]
        );
    }
}
