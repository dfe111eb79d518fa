//! The directories that make a network's documents together, as each of them keeps them.

use std::path::Path;

use jail::StateDir;
use minicbor::{Decode, Encode};
use mix::directory::token_hash;
use net::Identity;
use wire::document::{AuthorityKeys, AuthoritySet};
use wire::id::{AdmissionToken, TokenHash};
use wire::limits::MAX_AUTHORITIES;
use wire::{Address, AuthorityCard, NetworkId, NetworkPointer, NodeId};

use super::{PUBLISHED, authority_key};
use crate::Error;

/// Their file in the state directory.
const FILE: &str = "authorities";

/// All directories of a network, and how many of them must sign.
#[derive(Clone, Encode, Decode)]
pub(super) struct Members {
    #[n(0)]
    threshold: u8,
    /// In ascending order of key, so that every operator gets the same network.
    #[n(1)]
    cards: Vec<AuthorityCard>,
}

impl Members {
    fn new(threshold: u8, mut cards: Vec<AuthorityCard>) -> Result<Self, Error> {
        let of = cards.len();
        let fits = usize::from(threshold) <= of && usize::from(threshold).saturating_mul(2) > of;
        if !fits || of > MAX_AUTHORITIES {
            return Err(Error::Threshold { threshold, of });
        }
        cards.sort_by(|a, b| key_order(&a.keys).cmp(&key_order(&b.keys)));
        let shared = |a: &AuthorityCard, b: &AuthorityCard| {
            a.keys.ed25519 == b.keys.ed25519 || a.keys.ml_dsa == b.keys.ml_dsa || a.id == b.id
        };
        let mut others = cards.iter();
        while let Some(card) = others.next() {
            if others.clone().any(|other| shared(card, other)) {
                return Err(Error::SameCard);
            }
        }
        Ok(Members { threshold, cards })
    }

    /// Reads what [`join`] wrote; none where a directory works alone.
    pub(super) fn load(state: &StateDir) -> Result<Option<Self>, Error> {
        let damaged = Error::Damaged(FILE);
        let Some(bytes) = state.kept(FILE)? else { return Ok(None) };
        let Ok(members) = wire::decode::<Members>(&bytes, FILE) else { return Err(damaged) };
        if members.cards.iter().any(|card| card.check().is_err()) {
            return Err(damaged);
        }
        Members::new(members.threshold, members.cards).map(Some).map_err(|_| damaged)
    }

    /// The keys, by which the network is named.
    pub(super) fn set(&self) -> AuthoritySet {
        AuthoritySet {
            threshold: self.threshold,
            authorities: self.cards.iter().map(|card| card.keys.clone()).collect(),
        }
    }

    pub(super) fn network(&self) -> NetworkId {
        mix::directory::network_id(&self.set())
    }

    /// Where all of them are: the first address of each, then the second, as far as there is room.
    pub(super) fn pointer(&self) -> NetworkPointer {
        let cards = self.cards.iter().map(|card| (card.id, card.addresses.as_slice()));
        let directories = wire::pointer::in_turn(&cards.collect::<Vec<_>>());
        NetworkPointer { network: self.network(), directories }
    }

    /// The position of the directory with these keys.
    pub(super) fn position(&self, keys: &AuthorityKeys) -> Option<u8> {
        let n = self.cards.iter().position(|card| card.keys == *keys)?;
        u8::try_from(n).ok()
    }

    /// The position of the directory whose links prove this key.
    pub(super) fn linked(&self, id: &NodeId) -> Option<u8> {
        let n = self.cards.iter().position(|card| card.id == *id)?;
        u8::try_from(n).ok()
    }

    /// The keys that their links prove, in order of position.
    pub(super) fn ids(&self) -> Vec<NodeId> {
        self.cards.iter().map(|card| card.id).collect()
    }

    /// All cards, in order of position.
    pub(super) fn cards(&self) -> &[AuthorityCard] {
        &self.cards
    }

    /// Whom any of them admits.
    pub(super) fn tokens(&self) -> Vec<TokenHash> {
        self.cards.iter().map(|card| card.token).collect()
    }
}

fn key_order(keys: &AuthorityKeys) -> (&[u8], &[u8]) {
    (&keys.ed25519, &keys.ml_dsa)
}

/// The card of the directory in `dir`, reached at these addresses. Its keys are drawn if it has
/// none yet.
///
/// # Errors
/// An unusable state directory; not one to four addresses.
pub fn card(dir: &Path, addresses: Vec<Address>) -> Result<AuthorityCard, Error> {
    let state = StateDir::open(dir)?;
    let keys = authority_key(&state)?.public();
    let id = Identity::from_seed(&*state.secret32("identity")?).node_id();
    let token = token_hash(&AdmissionToken::new(*state.secret32("admission")?));
    AuthorityCard::new(keys, id, addresses, token).map_err(|e| Error::Mix(e.into()))
}

/// Makes the directory in `dir` one of those on the cards, whose order does not matter. It may be
/// done again with newer cards of the same directories.
///
/// # Errors
/// [`Error::Threshold`], [`Error::SameCard`], [`Error::NotAmong`], [`Error::OtherNetwork`]; an
/// unusable state directory.
pub fn join(dir: &Path, threshold: u8, cards: Vec<AuthorityCard>) -> Result<NetworkPointer, Error> {
    let members = Members::new(threshold, cards)?;
    let state = StateDir::open(dir)?;
    let keys = authority_key(&state)?.public();
    members.position(&keys).ok_or(Error::NotAmong)?;
    let before = Members::load(&state)?.map(|before| before.network());
    if before != Some(members.network()) && state.kept(PUBLISHED)?.is_some() {
        return Err(Error::OtherNetwork);
    }
    let pointer = members.pointer();
    state.keep(FILE, &wire::encode(&members))?;
    state.publish("network", pointer.to_text().as_bytes())?;
    Ok(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u16) -> Address {
        std::net::SocketAddr::from(([192, 0, 2, 1], n)).into()
    }

    fn three() -> (Vec<tempfile::TempDir>, Vec<AuthorityCard>) {
        let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let cards = dirs.iter().zip(1..).map(|(d, n)| card(d.path(), vec![address(n)]).unwrap());
        let cards = cards.collect();
        (dirs, cards)
    }

    //= DIR-012
    #[test]
    fn every_operator_gets_the_same_network_in_whatever_order_the_cards_are() {
        let (dirs, cards) = three();
        let [a, b, c] = cards.try_into().unwrap_or_else(|_| panic!("three cards"));
        let one = join(dirs[0].path(), 2, vec![a.clone(), b.clone(), c.clone()]).unwrap();
        let two = join(dirs[1].path(), 2, vec![c.clone(), a.clone(), b.clone()]).unwrap();
        assert_eq!(one, two);
        assert_eq!(one.directories.len(), 3);
        let strict = join(dirs[2].path(), 3, vec![a, b, c]).unwrap();
        assert_ne!(one.network, strict.network, "the threshold is part of what is trusted");
    }

    //= DIR-012
    #[test]
    fn cards_that_make_no_network_are_refused_before_anything_is_written() {
        let (dirs, cards) = three();
        let dir = dirs[0].path();
        for threshold in [0, 1, 4, 255] {
            let refused = join(dir, threshold, cards.clone());
            assert!(matches!(refused, Err(Error::Threshold { of: 3, .. })), "{threshold}");
        }
        let refused = join(dir, 1, cards[..2].to_vec());
        assert!(matches!(refused, Err(Error::Threshold { of: 2, .. })), "half is too little");
        let twice = vec![cards[0].clone(), cards[1].clone(), cards[0].clone()];
        assert!(matches!(join(dir, 2, twice), Err(Error::SameCard)));
        let copied = AuthorityCard::new(
            cards[2].keys.clone(),
            cards[1].id,
            vec![address(3)],
            cards[2].token,
        );
        let twice = vec![cards[0].clone(), cards[1].clone(), copied.unwrap()];
        assert!(matches!(join(dir, 2, twice), Err(Error::SameCard)));
        assert!(matches!(join(dir, 2, cards[1..].to_vec()), Err(Error::NotAmong)));
        let state = StateDir::open(dir).unwrap();
        assert!(Members::load(&state).unwrap().is_none());
    }

    //= DIR-012
    #[test]
    fn a_directory_that_signed_for_one_network_joins_no_other() {
        let (dirs, cards) = three();
        let dir = dirs[0].path();
        join(dir, 2, cards.clone()).unwrap();
        join(dir, 3, cards.clone()).unwrap();
        let state = StateDir::open(dir).unwrap();
        state.write(PUBLISHED, b"something").unwrap();
        assert!(matches!(join(dir, 2, cards.clone()), Err(Error::OtherNetwork)));
        let mut moved = cards;
        moved[1] = card(dirs[1].path(), vec![address(9)]).unwrap();
        let pointer = join(dir, 3, moved).unwrap();
        assert!(pointer.directories.iter().any(|d| d.address == address(9)), "it has moved");
    }
}
