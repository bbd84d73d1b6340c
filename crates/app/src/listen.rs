//! The socket that callers connect to.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;

use crate::config::Serving;

/// Rest on a caller's connection before TCP asks whether it is there, and how often: so that those
/// who are gone are found, and what stands between keeps a silent exec open.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(30))
    .with_interval(Duration::from_secs(30))
    .with_retries(3);
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// Listens on the configured address. `0.0.0.0` takes IPv6 callers too where there is IPv6, as
/// Go's listener does.
///
/// # Errors
/// If the address is taken or not this machine's.
pub(crate) fn listen(serving: &Serving) -> io::Result<TcpListener> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, serving.address.port()));
    if serving.address.ip().is_unspecified()
        && let Ok(listener) = bind(serving, any)
    {
        return Ok(listener);
    }
    bind(serving, serving.address)
}

fn bind(serving: &Serving, address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A port in TIME_WAIT after a restart is free, as in Go.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(serving.share_port)?;
    socket.set_nonblocking(true)?;
    // What is accepted has it from here.
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
