//! TCP to whichever of several addresses answers first (RFC 8305, section 5).

use std::{io, net::SocketAddr, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{net::TcpStream, time::timeout};

/// An address that has not answered for so long is no longer waited for alone (RFC 8305, section 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection to one of `addresses`, which are tried in this order but for their families, which
/// take turns (RFC 8305, section 4): the next one when an attempt has failed, or is slow.
///
/// # Errors
/// The last failure, once all have failed. Nothing limits the time that they take.
pub(super) async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut rest = in_turns(addresses).into_iter().peekable();
    let mut attempts = FuturesUnordered::new();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        attempts.extend(rest.next().map(TcpStream::connect));
        let patience = match rest.peek() {
            Some(_) => ATTEMPT_DELAY,
            None => Duration::MAX,
        };
        match timeout(patience, attempts.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => failure = error,
            Ok(None) => return Err(failure),
            Err(_) => {}
        }
    }
}

/// The addresses of the first one's family and of the other by turns.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (these, those): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == preferred);
    let (mut these, mut those) = (these.into_iter(), those.into_iter());
    let mut all = Vec::new();
    while these.len() + those.len() > 0 {
        all.extend(these.next());
        all.extend(those.next());
    }
    all
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::{
        net::{TcpListener, TcpSocket, TcpStream},
        time::Instant,
    };

    use super::{connect, in_turns};

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    /// An address at which nobody answers, for as long as the rest is kept: its queue is full.
    async fn silent() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(any).expect("a port");
        let listener = socket.listen(1).expect("listens");
        let address = listener.local_addr().expect("an address");
        let mut queued = Vec::new();
        let full = super::ATTEMPT_DELAY;
        while let Ok(Ok(stream)) = tokio::time::timeout(full, TcpStream::connect(address)).await {
            queued.push(stream);
        }
        (listener, queued, address)
    }

    #[tokio::test]
    async fn an_address_that_is_silent_is_passed_over_soon() {
        let (_silent, _queued, nobody) = silent().await;
        let (_listener, somebody) = listening().await;
        let since = Instant::now();
        let stream = connect(vec![nobody, nobody, somebody]).await;
        assert_eq!(stream.expect("a stream").peer_addr().ok(), Some(somebody));
        // Two of them were waited for.
        assert!(since.elapsed() >= 2 * super::ATTEMPT_DELAY);
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over_at_once() {
        let (listener, refusing) = listening().await;
        drop(listener);
        let (_listener, somebody) = listening().await;
        let stream = connect(vec![refusing, somebody]).await;
        assert_eq!(stream.expect("a stream").peer_addr().ok(), Some(somebody));
        let error = connect(vec![refusing, refusing]).await.expect_err("nobody");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        assert!(connect(Vec::new()).await.is_err());
    }

    #[test]
    fn families_take_turns() {
        let addresses = |all: &[&str]| -> Vec<SocketAddr> {
            all.iter().map(|a| a.parse().expect("an address")).collect()
        };
        let found = in_turns(addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]));
        let want = addresses(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(found, want);
        let only = addresses(&["1.1.1.1:1", "1.1.1.2:1"]);
        assert_eq!(in_turns(only.clone()), only);
    }
}
