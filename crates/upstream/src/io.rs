//! One type for every way to a member.

use tokio::io::{AsyncRead, AsyncWrite};

/// A byte stream: TCP, TLS, or either inside a forward proxy's tunnel.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An [`Io`] of any kind. Boxed once a connection.
pub(crate) type BoxedIo = Box<dyn Io>;
