//! Where the directories are: what they have said themselves, what the document says, and what we
//! were told at first (`DIR-018`, `DIR-019`).

use std::collections::BTreeMap;

use jail::StateDir;
use net::Dialer;
use wire::document::NetworkDocument;
use wire::pointer::addresses;
use wire::{Address, DirectoryPointer, NetworkPointer, NodeId};

/// Holds the moves that no document has confirmed yet.
const FILE: &str = "moved";

/// Addresses that directories have told us themselves since the document in use. There are at most
/// as many as the network has directories.
#[derive(Debug, Default)]
pub(super) struct Moves(BTreeMap<NodeId, Vec<Address>>);

impl Moves {
    pub(super) fn load(state: &StateDir) -> Self {
        let kept = state.read(FILE).ok().flatten();
        let kept = kept.and_then(|bytes| wire::decode(&bytes, "moved directories").ok());
        // Without it the directory tells us again.
        Moves(kept.map(|all: Vec<_>| all.into_iter().collect()).unwrap_or_default())
    }

    fn save(&self, state: &StateDir) {
        let all: Vec<_> = self.0.iter().collect();
        if let Err(error) = state.write(FILE, &wire::encode(&all)) {
            tracing::warn!(%error, "it is not kept where a directory has moved to");
        }
    }

    /// A directory says where it is now. The caller knows that it is the directory, and one of our
    /// network.
    pub(super) fn note(&mut self, state: &StateDir, directory: NodeId, addresses: Vec<Address>) {
        if !addresses.is_empty() && self.0.get(&directory) != Some(&addresses) {
            self.0.insert(directory, addresses);
            self.save(state);
        }
    }

    /// A newer document says where these are.
    pub(super) fn forget_listed(&mut self, state: &StateDir, document: &NetworkDocument) {
        let before = self.0.len();
        self.0.retain(|id, _| document.directories.iter().all(|d| d.id != *id));
        if self.0.len() < before {
            self.save(state);
        }
    }

    /// Where to dial a directory, the most likely first; empty if the dialer reaches none of it.
    pub(super) fn addresses(
        &self,
        pointer: &NetworkPointer,
        document: Option<&NetworkDocument>,
        directory: NodeId,
        dialer: &Dialer,
    ) -> Vec<Address> {
        let listed = document.map(|d| d.directories.as_slice()).unwrap_or_default();
        let said = self.0.get(&directory).into_iter().flatten();
        let said: Vec<_> =
            said.map(|address| DirectoryPointer { id: directory, address: *address }).collect();
        let all = said.iter().chain(listed).chain(&pointer.directories);
        dialer.order(&addresses(directory, all))
    }
}

#[cfg(test)]
mod tests {
    use wire::NetworkId;

    use super::*;

    //= DIR-019
    #[test]
    fn what_a_directory_said_last_is_tried_first_and_survives_a_start() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let at = |text: &str| text.parse::<Address>().unwrap();
        let id = NodeId::new([1; 32]);
        let old = DirectoryPointer { id, address: at("127.0.0.1:1") };
        let pointer = NetworkPointer { network: NetworkId::new([2; 32]), directories: vec![old] };
        let place = |moves: &Moves| moves.addresses(&pointer, None, id, &Dialer::Direct);
        let mut moves = Moves::load(&state);
        assert_eq!(place(&moves), [at("127.0.0.1:1")]);
        moves.note(&state, id, vec![at("home.example:2"), at("127.0.0.1:1")]);
        moves.note(&state, id, Vec::new());
        assert_eq!(place(&Moves::load(&state)), [at("home.example:2"), at("127.0.0.1:1")]);
        let elsewhere = NodeId::new([3; 32]);
        assert!(moves.addresses(&pointer, None, elsewhere, &Dialer::Direct).is_empty());
    }
}
