//! Kinds of errors as numbers and words, for those who are told of them by JSON.

use wire::ErrorKind;

/// All kinds with their words. The code of each is its place, counted from 1.
pub const KINDS: [(ErrorKind, &str); 8] = [
    (ErrorKind::LocalConfig, "local_config"),
    (ErrorKind::LocalStorage, "local_storage"),
    (ErrorKind::Network, "network"),
    (ErrorKind::RelayMisbehaved, "relay_misbehaved"),
    (ErrorKind::HubMisbehaved, "hub_misbehaved"),
    (ErrorKind::PeerMisbehaved, "peer_misbehaved"),
    (ErrorKind::Unsupported, "unsupported"),
    (ErrorKind::Bug, "bug"),
];

/// The code and the word of a kind.
pub fn code_of(kind: ErrorKind) -> (i64, &'static str) {
    let known = (1..).zip(KINDS).find(|(_, (known, _))| *known == kind);
    known.map_or((8, "bug"), |(code, (_, word))| (code, word))
}
