//! What goes over a wire.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Node;
use crate::run::must;

/// How long a packet may let wait for itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `tcpdump`. Ends when dropped.
#[derive(Debug)]
pub struct Capture {
    child: Child,
    seen: Arc<Seen>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Seen {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Capture {
    pub(crate) fn start(node: &Node, interface: &str) -> Capture {
        let mut child = node
            .command("tcpdump")
            .args(["-i", interface, "-n", "-U", "--immediate-mode", "-Z", "root", "-w", "-"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("tcpdump: {error}"));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let seen = Arc::new(Seen::default());
        let mut capture = Capture { child, seen: seen.clone(), readers: Vec::new() };
        // Nothing is lost once it says that it listens.
        let mut said = BufReader::new(err.unwrap_or_else(|| panic!("no stderr")));
        let mut all = String::new();
        while !all.contains("listening on") {
            let read = said.read_line(&mut all).unwrap_or(0);
            assert!(read > 0, "tcpdump: {all}");
        }
        // It must never wait for a reader of its complaints.
        capture.readers.push(std::thread::spawn(move || {
            let _ = said.read_to_string(&mut all);
        }));
        let mut out = out.unwrap_or_else(|| panic!("no stdout"));
        capture.readers.push(std::thread::spawn(move || {
            let mut piece = [0; 65536];
            while let Ok(n @ 1..) = out.read(&mut piece) {
                seen.lock().extend_from_slice(piece.get(..n).unwrap_or_default());
                seen.more.notify_all();
            }
        }));
        capture
    }

    /// Waits until what was recorded so far, a pcap file, is as the test wants it.
    ///
    /// # Panics
    /// After 30 s.
    pub fn wait(&self, seen: impl Fn(&[u8]) -> bool) {
        let (bytes, late) = self
            .seen
            .more
            .wait_timeout_while(self.seen.lock(), PATIENCE, |bytes| !seen(bytes))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !late.timed_out(),
            "not seen in {} bytes of packets after {PATIENCE:?}",
            bytes.len()
        );
    }

    /// Ends it: everything that was recorded, a pcap file.
    ///
    /// # Panics
    /// When `tcpdump` cannot be ended.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        must("kill", &["-TERM", &self.child.id().to_string()]);
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        std::mem::take(&mut *self.seen.lock())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
