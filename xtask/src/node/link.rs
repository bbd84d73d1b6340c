//! The link between the machine and the node: a veth pair with two addresses of its own.

use std::net::Ipv4Addr;

use crate::ports;

/// The two ends of the link between the machine and the node.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// Also names the control group.
    pub(super) name: String,
    pub(super) machine: Ipv4Addr,
    pub(super) node: Ipv4Addr,
}

// === impl Link ===

impl Link {
    /// `port` is held by this run alone, so what is made from it is too.
    pub(super) fn new(port: u16) -> Self {
        let network = u32::from(Ipv4Addr::new(10, 77, 0, 0)) + 4 * u32::from(port - ports::FIRST);
        Self {
            name: format!("fleet{port}"),
            machine: Ipv4Addr::from(network + 1),
            node: Ipv4Addr::from(network + 2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Link;

    #[test]
    fn links_of_two_runs_share_no_address() {
        let (one, other) = (Link::new(20_000), Link::new(20_001));
        assert_eq!(one.machine.to_string(), "10.77.0.1");
        assert_eq!(one.node.to_string(), "10.77.0.2");
        assert_eq!(other.machine.to_string(), "10.77.0.5");
        assert_ne!(one.name, other.name);
        assert!(Link::new(31_999).name.len() < 16);
    }
}
