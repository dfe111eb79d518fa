//! Where the log goes while the screen is taken: it would be written across it. It is kept, and
//! told afterwards.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

/// Bytes that are kept at most.
const MOST: usize = 64 * 1024;

/// What was logged since the screen was taken; none while it is not.
static KEPT: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// Standard error, or what is kept of it.
#[derive(Debug)]
pub struct Log;

impl Write for Log {
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

/// The screen is taken. A log that goes to a file or a pipe goes on there.
pub fn keep() {
    if std::io::stderr().is_terminal()
        && let Ok(mut kept) = KEPT.lock()
    {
        *kept = Some(Vec::new());
    }
}

/// The screen is given back.
pub fn tell() {
    let kept = KEPT.lock().ok().and_then(|mut kept| kept.take());
    if let Some(kept) = kept {
        let _ = std::io::stderr().write_all(&kept);
    }
}
