//! After 101: the bytes of both sides, each direction closed on its own.

use std::error::Error;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional_with_sizes;
use tokio_util::sync::CancellationToken;

/// Bytes read at a time, in each direction.
const BUFFER: usize = 16 << 10;

/// Copies between caller and member until both directions are done, or `ending` is cancelled. A
/// direction that ends is closed towards the other side while the other goes on: the end of
/// exec's stdin does not end its stdout.
pub(crate) async fn splice(caller: OnUpgrade, member: OnUpgrade, ending: CancellationToken) {
    let copy = async {
        let (caller, member) = tokio::try_join!(caller, member)?;
        let (mut caller, mut member) = (TokioIo::new(caller), TokioIo::new(member));
        copy_bidirectional_with_sizes(&mut caller, &mut member, BUFFER, BUFFER).await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    let done = ending.run_until_cancelled(copy).await;
    if let Some(Err(error)) = done {
        tracing::debug!(error = &*error as &dyn Error, "upgraded connection ended");
    }
}
