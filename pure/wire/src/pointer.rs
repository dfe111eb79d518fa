//! Network pointers: what an operator or a room link needs in order to find a network's documents
//! and to trust them.

use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::limits::MAX_DIRECTORIES;
use crate::{Address, Error, NetworkId, NodeId, codec, decode, encode};

/// Prefix of a network pointer's text.
pub const SCHEME: &str = "hushwing:net#";

/// Longest text of a pointer after its scheme, in characters.
const MAX_TEXT: usize = 4096;

/// A directory of a network, at one of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct DirectoryPointer {
    /// The key that its TLS link proves.
    #[n(0)]
    pub id: NodeId,
    /// Where it listens.
    #[n(1)]
    pub address: Address,
}

/// The directories among these, each once, in their order.
pub fn ids<'a>(directories: impl IntoIterator<Item = &'a DirectoryPointer>) -> Vec<NodeId> {
    let mut ids = Vec::new();
    for directory in directories {
        if !ids.contains(&directory.id) {
            ids.push(directory.id);
        }
    }
    ids
}

/// The addresses of one directory among these, each once, in their order.
pub fn addresses<'a>(
    of: NodeId,
    directories: impl IntoIterator<Item = &'a DirectoryPointer>,
) -> Vec<Address> {
    let mut addresses = Vec::new();
    for directory in directories.into_iter().filter(|d| d.id == of) {
        if !addresses.contains(&directory.address) {
            addresses.push(directory.address);
        }
    }
    addresses
}

/// Directories in this order: the first address of each, then the second, as far as there is room
/// in a pointer or document.
#[must_use]
pub fn in_turn(each: &[(NodeId, &[Address])]) -> Vec<DirectoryPointer> {
    let most = each.iter().map(|(_, addresses)| addresses.len()).max().unwrap_or(0);
    let nth = |n: usize| {
        each.iter().filter_map(move |(id, addresses)| {
            Some(DirectoryPointer { id: *id, address: *addresses.get(n)? })
        })
    };
    (0..most).flat_map(nth).take(MAX_DIRECTORIES).collect()
}

/// A network and the directories that hand out its documents.
///
/// Written as `hushwing:net#…`, base64url of CBOR. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct NetworkPointer {
    /// Id of the network, which names the authorities that sign its documents.
    #[n(0)]
    pub network: NetworkId,
    /// One to sixteen: one for each address of a directory.
    #[cbor(n(1), decode_with = "codec::bounded::<_, _, MAX_DIRECTORIES>")]
    pub directories: Vec<DirectoryPointer>,
}

impl NetworkPointer {
    /// The text form, for operators to copy.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{SCHEME}{}", data_encoding::BASE64URL_NOPAD.encode(&encode(self)))
    }
}

impl FromStr for NetworkPointer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = Error::Malformed("network pointer");
        let data = text.trim().strip_prefix(SCHEME).ok_or(malformed)?;
        if data.len() > MAX_TEXT {
            return Err(malformed);
        }
        let bytes =
            data_encoding::BASE64URL_NOPAD.decode(data.as_bytes()).map_err(|_| malformed)?;
        let pointer: NetworkPointer = decode(&bytes, "network pointer")?;
        if pointer.directories.is_empty() {
            return Err(Error::OutOfRange("directories of a network"));
        }
        Ok(pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_however_many_addresses_it_has() {
        let at = |n: u8, address: &str| DirectoryPointer {
            id: NodeId::new([n; 32]),
            address: address.parse().unwrap(),
        };
        let all =
            [at(2, "127.0.0.1:1"), at(1, "[::1]:1"), at(2, "a.example:1"), at(2, "127.0.0.1:1")];
        assert_eq!(ids(&all), [all[0].id, all[1].id]);
        assert_eq!(addresses(all[0].id, &all), [all[0].address, all[2].address]);
        assert!(addresses(NodeId::new([3; 32]), &all).is_empty());
    }

    #[test]
    fn a_pointer_survives_its_text_and_nothing_else_is_one() {
        let pointer = NetworkPointer {
            network: NetworkId::new([1; 32]),
            directories: vec![DirectoryPointer {
                id: NodeId::new([2; 32]),
                address: "127.0.0.1:5999".parse().unwrap(),
            }],
        };
        let text = pointer.to_text();
        assert_eq!(text.parse::<NetworkPointer>().unwrap(), pointer);
        assert_eq!(format!(" {text}\n").parse::<NetworkPointer>().unwrap(), pointer);
        let empty = NetworkPointer { directories: vec![], ..pointer };
        assert!(empty.to_text().parse::<NetworkPointer>().is_err());
        for bad in ["", "hushwing:net#", "hushwing:net#!!!", "http://x", &text[..text.len() - 2]] {
            assert!(bad.parse::<NetworkPointer>().is_err(), "{bad}");
        }
    }
}
