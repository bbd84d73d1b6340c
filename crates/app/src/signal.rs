//! The word to stop.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGTERM or SIGINT cancels, and a channel on which a second one comes:
/// then nobody wants to wait any more.
///
/// # Errors
/// If the signals cannot be caught.
pub fn stop_on_signal() -> io::Result<(CancellationToken, mpsc::Receiver<()>)> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let (again, impatient) = mpsc::channel(1);
    let first = stop.clone();
    let wait = async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first.is_cancelled() {
                again.send(()).await.unwrap_or_default();
            }
            first.cancel();
        }
    };
    tokio::task::spawn(wait);
    Ok((stop, impatient))
}
