//! Where conversations and rooms live: network, directories, hub.

use minicbor::{Decode, Decoder, Encode, decode};
use wire::id::AccessKey;
use wire::{DirectoryPointer, NetworkId, NetworkPointer, NodeId};

use crate::Error;
use crate::floor::Floor;

/// Most directories of a place: links stay short, and documents name the rest.
const MAX_DIRECTORIES: usize = 3;

/// Where a room or conversation lives: its network, the directories that hand out the network's
/// documents, its hub, and the access key there. A conversation may also live on LANs alone: see
/// [`NetworkPlace::lan`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NetworkPlace {
    /// Id of the network, which names the authorities that sign its documents.
    #[n(0)]
    pub network: NetworkId,
    /// One to three directories; empty on LANs alone.
    #[cbor(n(1), decode_with = "bounded_directories")]
    pub directories: Vec<DirectoryPointer>,
    /// The hub that stores the boxes.
    #[n(2)]
    pub hub: NodeId,
    /// Access key that members or guests use at the hub.
    #[n(3)]
    pub access: AccessKey,
}

impl NetworkPlace {
    /// Network and directories, without hub and access key.
    #[must_use]
    pub fn network_pointer(&self) -> NetworkPointer {
        NetworkPointer { network: self.network, directories: self.directories.clone() }
    }

    /// A place without network or hub, where boxes only go from neighbour to neighbour
    /// (`GROUP-016`).
    #[must_use]
    pub const fn lan() -> Self {
        NetworkPlace {
            network: NetworkId::new([0; 32]),
            directories: Vec::new(),
            hub: NodeId::new([0; 32]),
            access: AccessKey::new([0; 16]),
        }
    }

    /// As many of a network's directories as a place has room for. Each has one entry before any
    /// has a second, so that one of them may be gone.
    #[must_use]
    pub fn choose(directories: &[DirectoryPointer]) -> Vec<DirectoryPointer> {
        let nth = |directory: &DirectoryPointer, n: usize| {
            let same = directories.iter().take(n).filter(|before| before.id == directory.id);
            same.count()
        };
        let mut chosen: Vec<_> =
            directories.iter().enumerate().map(|(n, d)| (nth(d, n), *d)).collect();
        chosen.sort_by_key(|(nth, _)| *nth);
        chosen.into_iter().map(|(_, directory)| directory).take(MAX_DIRECTORIES).collect()
    }

    /// Whether this is [`NetworkPlace::lan`].
    #[must_use]
    pub fn is_lan(&self) -> bool {
        *self == Self::lan()
    }

    /// Checks that the place has a hub, as rooms need one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if (1..=MAX_DIRECTORIES).contains(&self.directories.len()) {
            Ok(())
        } else {
            Err(Error::OutOfRange("number of directories"))
        }
    }

    /// Checks a conversation's place. It may lack a hub only under the floor that allows nothing
    /// but the LAN.
    pub(crate) fn check_under(&self, floor: Floor) -> Result<(), Error> {
        if floor == Floor::Lan && self.is_lan() { Ok(()) } else { self.check() }
    }
}

fn bounded_directories<C>(
    d: &mut Decoder<'_>,
    ctx: &mut C,
) -> Result<Vec<DirectoryPointer>, decode::Error> {
    let n = d.array()?.and_then(|n| usize::try_from(n).ok());
    // Whether the list may be empty depends on the floor: see `check_under`.
    let Some(n) = n.filter(|n| *n <= MAX_DIRECTORIES) else {
        return Err(decode::Error::message("number of directories"));
    };
    (0..n).map(|_| DirectoryPointer::decode(d, ctx)).collect()
}

/// A place for tests.
#[cfg(test)]
pub(crate) fn test_place() -> NetworkPlace {
    NetworkPlace {
        network: NetworkId::new([0xa1; 32]),
        directories: vec![DirectoryPointer {
            id: NodeId::new([0xa2; 32]),
            address: wire::Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 6000))),
        }],
        hub: NodeId::new([0xa3; 32]),
        access: AccessKey::new([0xa4; 16]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_each_directory_before_it_names_one_twice() {
        let of = |id: u8, port: u16| DirectoryPointer {
            id: NodeId::new([id; 32]),
            address: std::net::SocketAddr::from(([192, 0, 2, id], port)).into(),
        };
        let all = [of(1, 1), of(1, 2), of(2, 1), of(3, 1), of(2, 2)];
        assert_eq!(NetworkPlace::choose(&all), [of(1, 1), of(2, 1), of(3, 1)]);
        assert_eq!(NetworkPlace::choose(&all[..2]), all[..2]);
    }
}
