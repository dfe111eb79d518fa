//! Transports: what carries a link's bytes below TLS.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A reliable byte stream: TCP, a stream through a proxy, a Tor stream, a pipe in a test.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// Most bytes that wait inside the system to be sent for the first time. What waits with us can be
/// dropped once it is too old, and shows that the line is slow.
const UNSENT: u32 = 128 * 1024;

/// How long what we send may stay without an answer of the other machine's system. A connection
/// whose way has gone, as with our own address, is silent: nothing says that it is dead.
const UNHEARD: Duration = Duration::from_secs(15);

/// Ends a connection that we have made once nobody hears us any more.
pub(crate) fn notice_silence(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(UNHEARD));
}

/// Switches Nagle's algorithm off: the writer coalesces frames itself.
pub(crate) fn prepare(stream: &TcpStream) {
    // These fail only on a dead socket, as the next read will show.
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
}

/// Most bytes of one read from the socket.
const READ_BUFFER: usize = 128 * 1024;

/// Reads large pieces from the socket, since `rustls` asks for 4 KiB at a time. Holds no buffer
/// while there is nothing to read.
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
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
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
