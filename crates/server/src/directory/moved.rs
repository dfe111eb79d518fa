//! A directory that has moved tells the nodes of its last document where it is now (`DIR-019`):
//! they cannot ask it, for they know its old addresses only.
//!
//! Its link proves who it is, so nothing more needs to be signed. Clients learn the new addresses
//! from the next document, which nodes hand out (`DIR-018`).

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jail::StateDir;
use net::{Dialer, Identity, LinkLimits};
use wire::document::NetworkDocument;
use wire::frame::Moved;
use wire::{Address, DirectoryPointer, Frame, NodeId};

use super::Shared;

/// Holds what [`Note`] describes.
const FILE: &str = "listed";
/// Between two rounds of those who have not come yet.
const AGAIN: Duration = Duration::from_secs(10);
/// Rounds, then a node has moved itself, or is gone: three hours.
const ROUNDS: usize = 1_080;
/// Nodes that are dialled at a time.
const AT_A_TIME: usize = 16;
/// For each of the two: a connection, and a handshake.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the directory was, and the nodes of its last document.
type Note = (Vec<DirectoryPointer>, Vec<(NodeId, Vec<Address>)>);

/// Keeps what is needed after a move: where the directory is, and the nodes.
pub(super) fn note(state: &StateDir, here: &[DirectoryPointer], document: &NetworkDocument) {
    let nodes = document.nodes.iter().map(|n| (n.id, n.addresses.clone())).collect();
    let note: Note = (here.to_vec(), nodes);
    if let Err(error) = state.write(FILE, &wire::encode(&note)) {
        tracing::warn!(%error, "if this directory moves, its nodes will not be told");
    }
}

/// The nodes of the last document, if the directory has moved since.
pub(super) fn since_last_run(
    state: &StateDir,
    here: &[DirectoryPointer],
) -> Option<Vec<(NodeId, Vec<Address>)>> {
    let (before, nodes): Note = wire::decode(&state.read(FILE).ok()??, "listed nodes").ok()?;
    (before != here).then_some(nodes)
}

/// Tells nodes, until they have come.
pub(super) struct Telling {
    pub(super) shared: Arc<Shared>,
    pub(super) identity: Identity,
    pub(super) dialer: Dialer,
    pub(super) addresses: Vec<Address>,
    pub(super) nodes: Vec<(NodeId, Vec<Address>)>,
}

impl Telling {
    pub(super) async fn tell(mut self) {
        tracing::info!(nodes = self.nodes.len(), "this directory has moved: telling its nodes");
        for _ in 0..ROUNDS {
            self.nodes.retain(|(node, _)| !self.shared.links().contains_key(node));
            if self.nodes.is_empty() {
                return;
            }
            futures::stream::iter(&self.nodes)
                .for_each_concurrent(AT_A_TIME, |(node, addresses)| self.tell_one(*node, addresses))
                .await;
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn tell_one(&self, node: NodeId, addresses: &[Address]) {
        let limits = LinkLimits {
            connect_timeout: PATIENCE,
            handshake_timeout: PATIENCE,
            ..LinkLimits::default()
        };
        let moved = Frame::Moved(Moved { addresses: self.addresses.clone() });
        for address in self.dialer.order(addresses) {
            let me = Some(&self.identity);
            let Ok(link) = net::connect_with(&self.dialer, address, node, me, &limits).await else {
                continue;
            };
            let (_reader, mut writer) = link.split();
            if writer.send(&moved).await.is_ok() {
                return;
            }
        }
    }
}
