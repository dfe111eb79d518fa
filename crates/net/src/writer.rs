//! The writing half of a link.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio_rustls::TlsStream;
use wire::Frame;

use crate::link::Shared;
use crate::transport::Buffered;
use crate::{Error, LinkLimits, Result};

/// How many bytes of frames [`LinkWriter::feed`] collects before it sends them.
const HIGH_WATER: usize = 112 * 1024;
/// Capacity that the buffer of an idle link may keep, bytes.
const KEEP: usize = 1024;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Writes frames.
pub struct LinkWriter {
    shared: Arc<Shared>,
    write_timeout: Duration,
    /// Frames that were fed and not yet passed to TLS: the bytes from `position` on.
    buffer: Vec<u8>,
    position: usize,
    /// Length of the last batch, as a guess for the next one.
    last_batch: usize,
    failed: Option<Error>,
}

impl fmt::Debug for LinkWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkWriter")
    }
}

impl LinkWriter {
    pub(crate) fn new(shared: Arc<Shared>, limits: &LinkLimits) -> Self {
        LinkWriter {
            shared,
            write_timeout: limits.write_timeout,
            buffer: Vec::new(),
            position: 0,
            last_batch: 0,
            failed: None,
        }
    }

    /// Sends one frame: [`LinkWriter::feed`] and [`LinkWriter::flush`].
    ///
    /// # Errors
    /// As those.
    pub async fn send(&mut self, frame: &Frame) -> Result<()> {
        self.feed(frame).await?;
        self.flush().await
    }

    /// Queues one frame, and sends the queue when it has grown long. The frame is queued even if
    /// the future is dropped.
    ///
    /// # Errors
    /// [`Error::Frame`]: the frame is over its limit and was not queued; the link goes on.
    /// [`Error::WriteTimeout`], [`Error::Broken`], [`Error::Protocol`]: the link has ended.
    pub async fn feed(&mut self, frame: &Frame) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.buffer.is_empty() {
            self.buffer.reserve_exact(self.last_batch);
        }
        frame.write_to(&mut self.buffer)?;
        if self.buffer.len() >= HIGH_WATER {
            self.drain().await?;
        }
        Ok(())
    }

    /// Sends everything queued. Returns when the kernel has taken it.
    ///
    /// # Errors
    /// [`Error::WriteTimeout`], [`Error::Broken`], [`Error::Protocol`].
    pub async fn flush(&mut self) -> Result<()> {
        self.drain().await?;
        if self.buffer.capacity() > KEEP {
            self.buffer = Vec::new();
        }
        self.step(|stream, _, cx| stream.poll_flush(cx).map_ok(|()| 0)).await.map(|_| ())
    }

    /// Sends everything queued and a goodbye, which ends the other side's reader with `None`.
    ///
    /// # Errors
    /// As [`LinkWriter::flush`].
    pub async fn close(mut self) -> Result<()> {
        self.flush().await?;
        self.write_timeout = self.write_timeout.min(GOODBYE);
        self.step(|stream, _, cx| stream.poll_shutdown(cx).map_ok(|()| 0)).await.map(|_| ())
    }

    /// Passes the buffer to TLS.
    async fn drain(&mut self) -> Result<()> {
        let len = self.buffer.len();
        while self.position < len {
            let taken = self.step(|stream, rest, cx| stream.poll_write(cx, rest)).await?;
            self.position = self.position.saturating_add(taken);
        }
        if len > 0 {
            self.last_batch = len;
        }
        self.buffer.clear();
        self.position = 0;
        Ok(())
    }

    /// One step, which ends as soon as the other side takes any bytes.
    async fn step(
        &mut self,
        mut action: impl FnMut(
            Pin<&mut TlsStream<Buffered>>,
            &[u8],
            &mut Context<'_>,
        ) -> Poll<io::Result<usize>>,
    ) -> Result<usize> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let rest = self.buffer.get(self.position..).unwrap_or_default();
        let action =
            std::future::poll_fn(|cx| action(Pin::new(&mut *self.shared.lock()), rest, cx));
        let result = match tokio::time::timeout(self.write_timeout, action).await {
            Ok(Ok(taken)) => Ok(taken),
            Ok(Err(error)) => Err(Error::stream(&error)),
            Err(_) => Err(Error::WriteTimeout),
        };
        self.failed = result.err();
        result
    }
}
