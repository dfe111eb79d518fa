//! Onion services that this node publishes, and the streams that come in.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

use tokio::sync::mpsc;
use wire::{Address, OnionName};
use zeroize::Zeroizing;

use super::ClientPublicKey;
use crate::{Identity, Transport};

/// Most streams of one port that wait to be taken. One more waits in the engine.
const BACKLOG: usize = 64;

/// What to publish. `Debug` prints the type's name.
#[derive(Clone)]
pub struct ServiceSettings {
    /// Seed of the service's Ed25519 identity (RFC 8032): it decides the name.
    pub seed: Zeroizing<[u8; 32]>,
    /// Virtual ports, which clients name.
    pub ports: Vec<u16>,
    /// Clients that may find the service; empty means everybody who knows its name.
    pub clients: Vec<ClientPublicKey>,
}

impl fmt::Debug for ServiceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceSettings")
    }
}

/// The name that follows from the seed.
#[must_use]
pub fn onion_name(seed: &[u8; 32]) -> OnionName {
    OnionName::from_key(*Identity::from_seed(seed).node_id().as_bytes())
}

/// Streams that clients open to one port. Clients are anonymous.
pub type OnionIncoming = mpsc::Receiver<Box<dyn Transport>>;

/// A published service. Dropping it ends the service.
pub struct OnionService {
    name: OnionName,
    ports: BTreeMap<u16, OnionIncoming>,
    /// What keeps it published.
    _keep: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for OnionService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnionService")
    }
}

impl OnionService {
    pub(super) fn new(
        name: OnionName,
        ports: BTreeMap<u16, OnionIncoming>,
        keep: impl Any + Send + Sync,
    ) -> OnionService {
        OnionService { name, ports, _keep: Box::new(keep) }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> OnionName {
        self.name
    }

    /// The address of one of its ports.
    #[must_use]
    pub const fn address(&self, port: u16) -> Address {
        Address::Onion(self.name, port)
    }

    /// Takes the streams of a port. This works once for each port.
    pub fn take(&mut self, port: u16) -> Option<OnionIncoming> {
        self.ports.remove(&port)
    }
}

/// Passes streams to the owner of their port.
#[derive(Clone)]
pub(super) struct Doors(BTreeMap<u16, mpsc::Sender<Box<dyn Transport>>>);

impl Doors {
    /// A door for each port, and the other side of each.
    pub(super) fn open(ports: &[u16]) -> (Self, BTreeMap<u16, OnionIncoming>) {
        let mut doors = BTreeMap::new();
        let mut incoming = BTreeMap::new();
        for port in ports {
            let (tx, rx) = mpsc::channel(BACKLOG);
            doors.insert(*port, tx);
            incoming.insert(*port, rx);
        }
        (Doors(doors), incoming)
    }

    /// Whether anybody listens at this port.
    #[cfg(feature = "arti")]
    pub(super) fn has(&self, port: u16) -> bool {
        self.0.get(&port).is_some_and(|door| !door.is_closed())
    }

    /// Passes a stream on, and waits while too many are waiting.
    pub(super) async fn pass(&self, port: u16, stream: Box<dyn Transport>) {
        if let Some(door) = self.0.get(&port) {
            // Nobody there any more: dropping closes the stream.
            let _ = door.send(stream).await;
        }
    }
}
