//! Free ports on loopback that no other run picks.
//!
//! A port is looked for below the range that the kernel gives to outgoing connections, so none of
//! those can take it between our look and the program's own bind. Another run is kept away by a UDP
//! socket on the same number, held as long as this value lives: UDP and TCP do not collide, and the
//! kernel lets it go however the run ends.

use std::{
    cell::RefCell,
    net::{TcpListener, UdpSocket},
    time::SystemTime,
};

use anyhow::{Result, bail};

pub(crate) const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;
/// Coprime to `COUNT`: the walk visits every port once.
const STRIDE: u16 = 7_919;

#[derive(Debug)]
pub(crate) struct Ports {
    next: RefCell<u32>,
    held: RefCell<Vec<UdpSocket>>,
}

// === impl Ports ===

impl Ports {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let seed = now.subsec_nanos() ^ std::process::id().rotate_left(9);
        Self {
            next: RefCell::new(seed % u32::from(COUNT)),
            held: RefCell::default(),
        }
    }

    /// The next port that nobody listens on, kept for this run.
    pub(crate) fn take(&self) -> Result<u16> {
        for _ in 0..COUNT {
            let port = self.advance();
            let Ok(held) = UdpSocket::bind(("127.0.0.1", port)) else {
                continue;
            };
            if TcpListener::bind(("0.0.0.0", port)).is_ok() {
                self.held.borrow_mut().push(held);
                return Ok(port);
            }
        }
        bail!("no free port between {FIRST} and {}", FIRST + COUNT)
    }

    fn advance(&self) -> u16 {
        let mut next = self.next.borrow_mut();
        *next = (*next + u32::from(STRIDE)) % u32::from(COUNT);
        FIRST + u16::try_from(*next).expect("less than COUNT, which is a u16")
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNT, Ports};

    #[test]
    fn two_runs_from_the_same_seed_never_get_the_same_port() {
        let (one, other) = (Ports::new(), Ports::new());
        *other.next.borrow_mut() = *one.next.borrow();
        let mut all: Vec<u16> = (0..20)
            .map(|i| [&one, &other][i % 2].take().unwrap())
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 20);
    }

    #[test]
    fn the_walk_visits_every_port() {
        let ports = Ports::new();
        let mut all: Vec<u16> = (0..COUNT).map(|_| ports.advance()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), usize::from(COUNT));
    }
}
