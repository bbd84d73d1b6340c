//! A TCP relay in front of something that must not be disturbed itself: it can be away, silent, or
//! cut off, and counts TLS handshakes.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::ports;

/// What happens to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// They pass.
    Pass,
    /// New connections are accepted, and neither they nor the old ones carry anything until this
    /// changes.
    Stall,
}

/// What was seen so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// TCP connections accepted.
    pub accepted: usize,
    /// Connections that began with a TLS ClientHello: one handshake each.
    pub handshakes: usize,
}

/// A relay at a port of loopback, which it keeps while it is down.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    target: SocketAddr,
    behaviour: watch::Sender<Behaviour>,
    accepted: AtomicUsize,
    handshakes: AtomicUsize,
    /// Ends the connections that are open.
    cut: Mutex<CancellationToken>,
    tasks: TaskTracker,
}

// === impl Relay ===

impl Relay {
    /// A relay to `target` that is up.
    pub fn start(target: SocketAddr) -> Self {
        let mut relay = Self::down_at_first(target);
        relay.up();
        relay
    }

    /// A relay to `target` to which nobody can connect yet.
    pub fn down_at_first(target: SocketAddr) -> Self {
        let shared = Shared {
            address: (Ipv4Addr::LOCALHOST, ports::take()).into(),
            target,
            behaviour: watch::Sender::new(Behaviour::Pass),
            accepted: AtomicUsize::default(),
            handshakes: AtomicUsize::default(),
            cut: Mutex::default(),
            tasks: TaskTracker::new(),
        };
        Self {
            shared: Arc::new(shared),
            listening: None,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// `https://` and the address.
    pub fn https(&self) -> String {
        format!("https://{}", self.address())
    }

    /// What was seen so far.
    pub fn counts(&self) -> Counts {
        Counts {
            accepted: self.shared.accepted.load(Ordering::SeqCst),
            handshakes: self.shared.handshakes.load(Ordering::SeqCst),
        }
    }

    /// Does so from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.behaviour.send_replace(behaviour);
    }

    /// Ends every open connection at once.
    pub fn cut(&self) {
        std::mem::take(&mut *self.shared.cut.lock()).cancel();
    }

    /// Stops listening and ends every open connection: as if the machine's program had gone.
    pub async fn down(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // Its end is what is waited for; that it was aborted is known.
            listening.await.ok();
        }
        self.cut();
    }

    /// Listens again.
    pub fn up(&mut self) {
        let address = self.shared.address;
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1024).unwrap();
        let accept = Arc::clone(&self.shared).accept(listener);
        self.listening = Some(self.shared.tasks.spawn(accept));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
        self.cut();
    }
}

// === impl Shared ===

impl Shared {
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            self.accepted.fetch_add(1, Ordering::SeqCst);
            let cut = self.cut.lock().clone();
            let carry = Arc::clone(&self).carry(stream);
            self.tasks.spawn(async move {
                // Either side may go at any time; that is what relays are for here.
                cut.run_until_cancelled(carry).await;
            });
        }
    }

    async fn carry(self: Arc<Self>, mut caller: TcpStream) -> io::Result<()> {
        self.passing().await;
        let mut target = TcpStream::connect(self.target).await?;
        caller.set_nodelay(true)?;
        target.set_nodelay(true)?;
        let (mut from_caller, mut to_caller) = caller.split();
        let (mut from_target, mut to_target) = target.split();
        let there = async {
            self.first(&mut from_caller, &mut to_target).await?;
            self.pump(&mut from_caller, &mut to_target).await
        };
        let back = self.pump(&mut from_target, &mut to_caller);
        tokio::try_join!(there, back).map(|_| ())
    }

    /// Carries the first bytes of a connection, and looks whether they are a ClientHello (RFC 8446,
    /// sections 4 and 5.1: a record of type 22 that holds a message of type 1).
    async fn first(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut head = [0; 6];
        let mut filled = 0;
        while filled < head.len() {
            match from.read(&mut head[filled..]).await? {
                0 => break,
                n => filled += n,
            }
        }
        if filled == head.len() && head[0] == 22 && head[5] == 1 {
            self.handshakes.fetch_add(1, Ordering::SeqCst);
        }
        self.passing().await;
        to.write_all(&head[..filled]).await
    }

    async fn pump(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let n = from.read(&mut buffer).await?;
            self.passing().await;
            if n == 0 {
                return to.shutdown().await;
            }
            to.write_all(&buffer[..n]).await?;
        }
    }

    async fn passing(&self) {
        let mut behaviour = self.behaviour.subscribe();
        let passes = |behaviour: &Behaviour| *behaviour == Behaviour::Pass;
        // The sender lives as long as we do.
        behaviour.wait_for(passes).await.ok();
    }
}
