//! Every flag of karmada-aggregated-apiserver, and ours.

mod audit;
mod logging;
mod ours;
mod serving;

use super::{Flag, Kind};

pub(super) use self::{audit::AUDIT, logging::LOGGING, ours::OURS, serving::SERVING};

const fn flag(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        kind,
        default,
        help,
    }
}
