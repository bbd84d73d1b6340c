//! After 101: the bytes of both sides, each direction closed on its own.

use std::{
    error::Error,
    future::pending,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{io::copy_bidirectional_with_sizes, time::sleep};
use tokio_util::{io::InspectReader, sync::CancellationToken};

/// Bytes read at a time, in each direction.
const BUFFER: usize = 16 << 10;

/// Copies between caller and member until both directions are done, `ending` is cancelled, or
/// neither side has said anything for `idle`, where that is set. A direction that ends is closed
/// towards the other side while the other goes on: the end of exec's stdin does not end its stdout.
pub(crate) async fn splice(
    caller: OnUpgrade,
    member: OnUpgrade,
    ending: CancellationToken,
    idle: Option<Duration>,
) {
    let heard = AtomicUsize::new(0);
    let hear = |bytes: &[u8]| {
        if !bytes.is_empty() {
            heard.fetch_add(1, Ordering::Relaxed);
        }
    };
    let copy = async {
        let (caller, member) = tokio::try_join!(caller, member)?;
        let mut caller = InspectReader::new(TokioIo::new(caller), hear);
        let mut member = InspectReader::new(TokioIo::new(member), hear);
        copy_bidirectional_with_sizes(&mut caller, &mut member, BUFFER, BUFFER).await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    tokio::select! {
        done = copy => if let Err(error) = done {
            tracing::debug!(error = &*error as &dyn Error, "upgraded connection ended");
        },
        () = ending.cancelled() => {}
        () = silence(idle, &heard) => tracing::debug!("upgraded connection ended: nobody spoke"),
    }
}

/// Done when `heard` has stood still for `limit`, and before twice as long.
async fn silence(limit: Option<Duration>, heard: &AtomicUsize) {
    let Some(limit) = limit else {
        return pending().await;
    };
    loop {
        let before = heard.load(Ordering::Relaxed);
        sleep(limit).await;
        if heard.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use tokio::time::{Instant, sleep, timeout};

    use super::silence;

    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn silence_is_that_of_both_sides_for_the_whole_time() {
        let heard = AtomicUsize::new(0);
        let speak = async {
            for _ in 0..10 {
                sleep(LIMIT / 2).await;
                heard.fetch_add(1, Ordering::Relaxed);
            }
            Instant::now()
        };
        let (last, silent) = tokio::join!(speak, async {
            let silent = timeout(LIMIT * 100, silence(Some(LIMIT), &heard)).await;
            silent.expect("nobody speaks any more");
            Instant::now()
        });
        assert!((LIMIT..=LIMIT * 2).contains(&(silent - last)));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_need_speak() {
        let heard = AtomicUsize::new(0);
        let waited = timeout(LIMIT * 10_000, silence(None, &heard)).await;
        assert!(waited.is_err());
    }
}
