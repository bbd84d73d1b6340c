//! A hop in front of etcd that loses what it is told to lose.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A port that leads to another.
pub(super) struct Relay {
    address: SocketAddr,
    control: watch::Sender<Control>,
    accepted: Arc<AtomicUsize>,
    /// Ends with the relay.
    _listener: JoinSet<()>,
}

/// What happens to the bytes that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// All pass.
    Pass,
    /// Connections are closed as soon as they are made.
    Refuse,
    /// What the server says is lost.
    SwallowAnswers,
    /// What the client says is lost.
    SwallowRequests,
}

#[derive(Clone, Copy, Debug)]
struct Control {
    mode: Mode,
    /// Connections of an earlier one are closed.
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Answers,
    Requests,
}

// === impl Relay ===

impl Relay {
    /// To `url`, `http://address:port`.
    pub(super) async fn to(url: &str) -> Self {
        let target: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let control = watch::Sender::new(Control {
            mode: Mode::Pass,
            generation: 0,
        });
        let mut tasks = JoinSet::new();
        let accepted = Arc::new(AtomicUsize::new(0));
        tasks.spawn(serve(
            listener,
            target,
            control.subscribe(),
            accepted.clone(),
        ));
        Self {
            address,
            control,
            accepted,
            _listener: tasks,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections were made.
    pub(super) fn count(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// From now on, on all connections.
    pub(super) fn set(&self, mode: Mode) {
        self.control.send_modify(|control| control.mode = mode);
    }

    /// Closes all connections; new ones get `mode`.
    pub(super) fn cut(&self, mode: Mode) {
        self.control.send_modify(|control| {
            control.mode = mode;
            control.generation += 1;
        });
    }
}

async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    control: watch::Receiver<Control>,
    accepted: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        accepted.fetch_add(1, Ordering::SeqCst);
        if control.borrow().mode != Mode::Refuse {
            connections.spawn(relay(client, target, control.clone()));
        }
    }
}

async fn relay(client: TcpStream, target: SocketAddr, control: watch::Receiver<Control>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut ended = control.clone();
    let generation = ended.borrow().generation;
    tokio::select! {
        () = copy(from_client, to_server, Direction::Requests, control.clone()) => {}
        () = copy(from_server, to_client, Direction::Answers, control) => {}
        _ = ended.wait_for(|control| control.generation != generation) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    control: watch::Receiver<Control>,
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let passes = match (control.borrow().mode, direction) {
            (Mode::SwallowAnswers, Direction::Answers)
            | (Mode::SwallowRequests, Direction::Requests)
            | (Mode::Refuse, _) => false,
            (Mode::Pass, _)
            | (Mode::SwallowAnswers, Direction::Requests)
            | (Mode::SwallowRequests, Direction::Answers) => true,
        };
        if passes && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
