//! Frames that wait for a link.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use wire::Frame;

/// The queue is full, or its link was shut down: the frame is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue of the link is full")]
pub struct Full;

/// A bounded queue whose entries lose their value with time.
pub(crate) struct Queue {
    frames: Mutex<VecDeque<(Instant, Frame)>>,
    capacity: usize,
    max_age: Duration,
    stale: AtomicU64,
    taken: AtomicU64,
    closed: AtomicBool,
    filled: Notify,
}

impl Queue {
    pub(crate) fn new(capacity: usize, max_age: Duration) -> Self {
        Queue {
            frames: Mutex::default(),
            capacity: capacity.max(1),
            max_age,
            stale: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            filled: Notify::new(),
        }
    }

    /// Adds a frame. Frames that are too old make room first.
    pub(crate) fn push(&self, frame: Frame) -> Result<(), Full> {
        self.push_at(Instant::now(), frame)
    }

    fn push_at(&self, now: Instant, frame: Frame) -> Result<(), Full> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Full);
        }
        let mut frames = self.lock();
        if frames.len() >= self.capacity {
            self.expire(&mut frames, now);
        }
        if frames.len() >= self.capacity {
            return Err(Full);
        }
        frames.push_back((now, frame));
        drop(frames);
        self.filled.notify_one();
        Ok(())
    }

    /// The oldest frame that is not too old.
    pub(crate) fn pop(&self) -> Option<Frame> {
        self.pop_at(Instant::now())
    }

    fn pop_at(&self, now: Instant) -> Option<Frame> {
        let mut frames = self.lock();
        self.expire(&mut frames, now);
        let (_, frame) = frames.pop_front()?;
        self.taken.fetch_add(1, Ordering::Relaxed);
        if frames.is_empty() && frames.capacity() > 64 {
            frames.shrink_to(64);
        }
        Some(frame)
    }

    /// Returns when something was pushed since the last call.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Frames dropped because they had waited too long.
    pub(crate) fn stale(&self) -> u64 {
        self.stale.load(Ordering::Relaxed)
    }

    /// Frames taken out so far to be sent.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    fn expire(&self, frames: &mut VecDeque<(Instant, Frame)>, now: Instant) {
        while let Some((pushed, _)) = frames.front() {
            if now.saturating_duration_since(*pushed) <= self.max_age {
                return;
            }
            frames.pop_front();
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Instant, Frame)>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= LINK-012
    #[test]
    fn old_frames_are_dropped_and_counted_and_make_room() {
        let queue = Queue::new(2, Duration::from_secs(30));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(queue.push_at(at(0), Frame::Registered(1)), Ok(()));
        assert_eq!(queue.push_at(at(20), Frame::Registered(2)), Ok(()));
        assert_eq!(queue.push_at(at(20), Frame::Registered(3)), Err(Full));
        assert_eq!(queue.push_at(at(31), Frame::Registered(4)), Ok(()));
        assert_eq!((queue.stale(), queue.len()), (1, 2));
        assert_eq!(queue.pop_at(at(31)), Some(Frame::Registered(2)));
        assert_eq!(queue.pop_at(at(62)), None);
        assert_eq!(queue.stale(), 2);
        queue.close();
        assert_eq!(queue.push(Frame::Ping), Err(Full));
    }
}
