//! Free ports on loopback, for what must be found again at the same place.
//!
//! They lie below the range that the kernel gives to outgoing connections. A UDP socket on the same
//! number, held until this process ends, keeps every other process away that asks in this way.

use std::{
    net::{TcpListener, UdpSocket},
    sync::LazyLock,
};

use parking_lot::Mutex;

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;
/// Coprime to `COUNT`: the walk visits every port once.
const STRIDE: u16 = 7_919;

#[derive(Debug)]
struct Ports {
    next: u16,
    held: Vec<UdpSocket>,
}

static PORTS: LazyLock<Mutex<Ports>> = LazyLock::new(|| {
    let seed = std::process::id() % u32::from(COUNT);
    Mutex::new(Ports {
        next: u16::try_from(seed).unwrap_or_default(),
        held: Vec::new(),
    })
});

/// The next port that nobody listens on, kept until this process ends.
pub fn take() -> u16 {
    let mut ports = PORTS.lock();
    for _ in 0..COUNT {
        let next = (u32::from(ports.next) + u32::from(STRIDE)) % u32::from(COUNT);
        ports.next = u16::try_from(next).unwrap_or_default();
        let port = FIRST + ports.next;
        let Ok(held) = UdpSocket::bind(("127.0.0.1", port)) else {
            continue;
        };
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            ports.held.push(held);
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT)
}
