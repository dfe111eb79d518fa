//! Where the log goes while the screen is taken: on stderr it would be written across the screen.
//! It is kept, and written afterwards.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

/// Bytes that are kept; what comes after them is dropped.
const MOST: usize = 64 * 1024;

/// What was logged since the screen was taken; none while it is not.
static KEPT: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// Standard error, for a log: while the screen is taken, the bytes are kept until it is given back.
#[derive(Debug)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match KEPT.lock().as_deref_mut() {
            Ok(Some(kept)) => {
                if kept.len() + bytes.len() <= MOST {
                    kept.extend_from_slice(bytes);
                }
                Ok(bytes.len())
            }
            _ => std::io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// The screen is taken. A log that goes to a file or a pipe still goes there.
pub(crate) fn keep() {
    if std::io::stderr().is_terminal()
        && let Ok(mut kept) = KEPT.lock()
    {
        *kept = Some(Vec::new());
    }
}

/// The screen is given back: what was kept is written.
pub(crate) fn release() {
    let kept = KEPT.lock().ok().and_then(|mut kept| kept.take());
    if let Some(kept) = kept {
        let _ = std::io::stderr().write_all(&kept);
    }
}
