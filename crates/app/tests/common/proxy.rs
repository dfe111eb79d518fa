//! A proxy between processes that keeps what it carried.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The bytes of one connection.
#[derive(Clone, Default)]
pub struct Recorded {
    /// Whose proxy.
    pub to: String,
    /// From the client.
    pub sent: Vec<u8>,
    /// From the node.
    pub received: Vec<u8>,
}

/// Proxies of one test, and all that they carried.
#[derive(Clone, Default)]
pub struct Recorder(Arc<(Mutex<Vec<Recorded>>, Condvar)>);

impl Recorder {
    /// Listens on `from` and carries everything to `to`, both ports of 127.0.0.1, until the test
    /// ends.
    pub fn proxy(&self, name: &str, from: u16, to: u16) {
        let listener = TcpListener::bind(("127.0.0.1", from)).expect("the proxy's port is free");
        let (me, name) = (self.clone(), name.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // The node may be down: then its client sees a closed connection, as through any
                // proxy.
                let Ok(node) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let number = {
                    let mut all = me.lock();
                    all.push(Recorded { to: name.clone(), ..Recorded::default() });
                    me.0.1.notify_all();
                    all.len() - 1
                };
                let (Ok(client2), Ok(node2)) = (client.try_clone(), node.try_clone()) else {
                    continue;
                };
                let up = me.clone();
                std::thread::spawn(move || up.carry(client, node, number, |r| &mut r.sent));
                let down = me.clone();
                std::thread::spawn(move || down.carry(node2, client2, number, |r| &mut r.received));
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(
        &self,
        mut from: TcpStream,
        mut to: TcpStream,
        number: usize,
        side: fn(&mut Recorded) -> &mut Vec<u8>,
    ) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n) = from.read(&mut buffer) {
            if n == 0 {
                break;
            }
            side(&mut self.lock()[number]).extend_from_slice(&buffer[..n]);
            self.0.1.notify_all();
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    /// All connections so far.
    pub fn connections(&self) -> Vec<Recorded> {
        self.lock().clone()
    }

    /// Waits until so many connections came.
    pub fn wait_connections(&self, count: usize, limit: Duration) {
        let too_few = |all: &mut Vec<Recorded>| all.len() < count;
        let waited = self.0.1.wait_timeout_while(self.lock(), limit, too_few);
        let (all, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(all.len() >= count, "{} connections", all.len());
    }
}

impl Recorder {
    /// Waits until what was carried is so; false when the time is over.
    pub fn wait(&self, limit: Duration, is: impl Fn(&[Recorded]) -> bool) -> bool {
        let waited = self.0.1.wait_timeout_while(self.lock(), limit, |all| !is(all));
        let (all, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is(&all)
    }
}

/// Bytes of application data that left together: full records and the one that ends them, without
/// TLS's 17 bytes each.
pub fn batches_of(records: &[Record]) -> Vec<usize> {
    let mut batches = Vec::new();
    let mut open = 0;
    for record in records.iter().filter(|r| r.kind == 23) {
        let plain = record.len.saturating_sub(17);
        open += plain;
        if plain < 16_384 {
            batches.push(std::mem::take(&mut open));
        }
    }
    batches
}

/// Whether `bytes` holds `part`.
pub fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|w| w == part)
}

/// A TLS record's type and the length of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// 20 change cipher spec, 21 alert, 22 handshake, 23 application data.
    pub kind: u8,
    /// Bytes after the header.
    pub len: usize,
}

/// Cuts a stream into TLS records; `Err` with the offset at which it is none. A cut-off last record
/// is left out.
pub fn records(mut bytes: &[u8]) -> Result<Vec<Record>, usize> {
    let total = bytes.len();
    let mut found = Vec::new();
    while let [kind, major, minor, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        if !(20..=23).contains(kind) || *major != 3 || !matches!(minor, 1 | 3) || len > 16_384 + 256
        {
            return Err(total - bytes.len());
        }
        if rest.len() < len {
            break;
        }
        found.push(Record { kind: *kind, len });
        bytes = &rest[len..];
    }
    Ok(found)
}
