//! What a process writes, line by line, as it comes.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Default)]
struct State {
    lines: Vec<String>,
    /// Streams that are read: a restarted process may write before the end of the one before it is
    /// seen.
    open: usize,
}

/// The lines of a stream, shared with the thread that reads it.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<State>, Condvar)>);

impl Lines {
    /// Reads `stream` to its end in the background.
    pub fn collect(stream: impl Read + Send + 'static) -> Self {
        let lines = Lines::default();
        lines.follow(stream);
        lines
    }

    /// Goes on with another stream, as of a restarted process.
    pub fn follow(&self, stream: impl Read + Send + 'static) {
        let shared = self.clone();
        shared.lock().open += 1;
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut bytes = Vec::new();
            while reader.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
                let line = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
                bytes.clear();
                shared.lock().lines.push(line);
                shared.0.1.notify_all();
            }
            shared.lock().open -= 1;
            shared.0.1.notify_all();
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lines so far.
    pub fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// All lines so far, but for the first `read`.
    pub fn since(&self, read: usize) -> Vec<String> {
        self.lock().lines.get(read..).unwrap_or_default().to_vec()
    }

    /// How many lines so far.
    pub fn count(&self) -> usize {
        self.lock().lines.len()
    }

    /// Waits until `look` finds something in the lines; `None` when `limit` has passed or the
    /// stream has ended.
    pub fn wait_for<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut(&[String]) -> Option<T>,
    ) -> Option<T> {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state.lines) {
                return Some(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.open == 0 || left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a line, at `from` or later, that contains `part`. Returns its number.
    pub fn wait_line(&self, from: usize, part: &str, limit: Duration) -> Option<usize> {
        let mut next = from;
        self.wait_for(limit, |lines| {
            let found = lines.iter().skip(next).position(|l| l.contains(part)).map(|n| next + n);
            next = lines.len().max(next);
            found
        })
    }

    /// Waits for the end of the stream.
    pub fn wait_closed(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        while state.open > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
