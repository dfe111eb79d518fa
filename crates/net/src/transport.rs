//! What carries a link's bytes below TLS.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use wire::Address;

use crate::{Error, LinkLimits, Result};

/// A reliable byte stream: TCP, a stream through a proxy, a Tor stream, a pipe in a test.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// How a link's transport is made. Proxies and Tor become further variants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialer {
    /// TCP from this machine to the address.
    #[default]
    Direct,
}

impl Dialer {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Unreachable`], [`Error::ConnectTimeout`], [`Error::Io`].
    pub async fn dial(&self, address: Address, limits: &LinkLimits) -> Result<Box<dyn Transport>> {
        match self {
            Dialer::Direct => {
                let connecting = TcpStream::connect(address.socket());
                let stream = tokio::time::timeout(limits.connect_timeout, connecting)
                    .await
                    .map_err(|_| Error::ConnectTimeout)?
                    .map_err(|e| Error::dial(&e))?;
                prepare(&stream);
                Ok(Box::new(stream))
            }
        }
    }
}

/// Frames are coalesced by the writer, so that the kernel has nothing to wait for.
pub(crate) fn prepare(stream: &TcpStream) {
    // It fails only on a socket that is already dead, which the next read tells.
    let _ = stream.set_nodelay(true);
}

/// What one read takes from the socket, bytes.
const READ_BUFFER: usize = 128 * 1024;

/// Reads large pieces from the socket, since `rustls` asks for 4 KiB at a time. Holds no buffer
/// while nothing is there to read.
pub(crate) struct Buffered {
    io: Box<dyn Transport>,
    buffer: Vec<u8>,
    position: usize,
}

impl Buffered {
    pub(crate) fn new(io: Box<dyn Transport>) -> Self {
        Buffered { io, buffer: Vec::new(), position: 0 }
    }
}

impl AsyncRead for Buffered {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.position >= this.buffer.len() {
            this.buffer.clear();
            this.position = 0;
            this.buffer.reserve_exact(READ_BUFFER);
            let read = pin!(this.io.read_buf(&mut this.buffer)).poll(cx);
            match read {
                Poll::Ready(Ok(_)) => {}
                other => {
                    this.buffer = Vec::new();
                    return other.map_ok(|_| ());
                }
            }
        }
        let rest = this.buffer.get(this.position..).unwrap_or_default();
        let taken = rest.len().min(out.remaining());
        out.put_slice(rest.get(..taken).unwrap_or_default());
        this.position = this.position.saturating_add(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Buffered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
