//! The reading half of a link.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncBufRead;
use tokio::time::{Instant, Sleep};
use wire::Frame;

use crate::decoder::Decoder;
use crate::limits::MIN_RATE;
use crate::link::Shared;
use crate::{Error, LinkLimits, Result};

/// What we are waiting for, and since when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Nothing,
    NextFrame(Instant),
    RestOfFrame(Instant),
}

/// Reads frames.
pub struct LinkReader {
    shared: Arc<Shared>,
    decoder: Decoder,
    limits: LinkLimits,
    waiting: Waiting,
    timer: Option<Pin<Box<Sleep>>>,
    ended: Option<Result<()>>,
}

impl fmt::Debug for LinkReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkReader")
    }
}

impl LinkReader {
    pub(crate) fn new(shared: Arc<Shared>, limits: &LinkLimits) -> Self {
        LinkReader {
            shared,
            decoder: Decoder::default(),
            limits: *limits,
            waiting: Waiting::Nothing,
            timer: None,
            ended: None,
        }
    }

    /// The next frame; `None` after the other side said goodbye between two frames.
    ///
    /// Nothing is lost when the future is dropped: the next call goes on where it stopped, and
    /// the times that it waits for go on too. After `None` or an error, the same comes again.
    ///
    /// # Errors
    /// [`Error::Frame`], [`Error::FrameTimeout`], [`Error::IdleTimeout`], [`Error::Truncated`],
    /// [`Error::Broken`], [`Error::Protocol`].
    pub async fn read(&mut self) -> Result<Option<Frame>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>>> {
        if let Some(ended) = self.ended {
            return Poll::Ready(ended.map(|()| None));
        }
        let result = match self.poll_stream(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(ready!(self.poll_timer(cx))),
        };
        match &result {
            Ok(Some(_)) => self.waiting = Waiting::Nothing,
            Ok(None) => self.ended = Some(Ok(())),
            Err(error) => self.ended = Some(Err(*error)),
        }
        Poll::Ready(result)
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>>> {
        let mut stream = self.shared.lock();
        loop {
            let chunk = match ready!(Pin::new(&mut *stream).poll_fill_buf(cx)) {
                Ok([]) if self.decoder.in_frame() => return Poll::Ready(Err(Error::Truncated)),
                Ok([]) => return Poll::Ready(Ok(None)),
                Ok(chunk) => chunk,
                Err(error) => return Poll::Ready(Err(Error::stream(&error))),
            };
            let (used, frame) = self.decoder.push(chunk)?;
            Pin::new(&mut *stream).consume(used);
            if frame.is_some() {
                return Poll::Ready(Ok(frame));
            }
        }
    }

    /// Nothing is there to read: for how long may that go on?
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let now = Instant::now();
        let in_frame = self.decoder.in_frame();
        let (since, limit, error) = match self.waiting {
            Waiting::RestOfFrame(since) if in_frame => {
                (since, self.frame_limit(), Error::FrameTimeout)
            }
            _ if in_frame => {
                self.waiting = Waiting::RestOfFrame(now);
                (now, self.frame_limit(), Error::FrameTimeout)
            }
            Waiting::NextFrame(since) => (since, self.limits.idle_timeout, Error::IdleTimeout),
            _ => {
                self.decoder.trim();
                self.waiting = Waiting::NextFrame(now);
                (now, self.limits.idle_timeout, Error::IdleTimeout)
            }
        };
        let deadline =
            since.checked_add(limit).unwrap_or_else(|| now + Duration::from_secs(86_400));
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(error)
    }

    fn frame_limit(&self) -> Duration {
        let announced = u64::try_from(self.decoder.announced()).unwrap_or(u64::MAX);
        self.limits.frame_timeout.saturating_add(Duration::from_secs(announced / MIN_RATE))
    }
}
