//! Pairs: two people who know each other, and how they recognise each other among strangers.

use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wire::NodeId;
use wire::mesh::Proof;
use zeroize::Zeroizing;

/// Length of a token in a beacon, bytes.
pub const TOKEN_LEN: usize = 16;

/// A contact, by a number that this node chose. Links and carried boxes belong to accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub [u8; 16]);

impl Account {
    /// This node itself.
    pub(crate) const OURS: Account = Account([0; 16]);
}

/// The relation to somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// A contact: exchanges everybody's boxes.
    Contact,
    /// The other side of an invite under way: exchanges that invite's boxes only.
    Guest,
}

/// 16 bytes of a beacon by which one contact recognises the sender. To all others they are noise.
pub(crate) type Token = [u8; TOKEN_LEN];

/// Somebody whom this node may meet, with the secret of the two. `Debug` does not print the secret.
#[derive(Clone)]
pub struct Pair {
    /// The other side's account.
    pub account: Account,
    /// The relation to them.
    pub standing: Standing,
    /// Whether this node has the first of the two roles. The other side has the other one.
    pub first: bool,
    secret: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair({:?})", self.standing)
    }
}

/// Where somebody listens: from the beacon and its datagram.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spot {
    /// The datagram's source address.
    pub ip: IpAddr,
    /// TCP port.
    pub port: u16,
    /// The key that links prove there. It changes at each start.
    pub key: NodeId,
}

impl fmt::Debug for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spot")
    }
}

impl Pair {
    /// Makes a pair from the secret that both know.
    #[must_use]
    pub fn new(account: Account, standing: Standing, first: bool, secret: [u8; 32]) -> Self {
        Pair { account, standing, first, secret: Zeroizing::new(secret) }
    }

    /// The token at this spot in this slot (`MESH-002`): this node's if `ours`, otherwise the other
    /// side's. It depends on spot and slot, so a replayed token is good for nothing.
    #[must_use]
    pub(crate) fn token(&self, ours: bool, slot: u32, spot: &Spot) -> Token {
        let ip = match spot.ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let mac = self.mac(&[
            b"hushwing beacon v1",
            self.role(ours),
            &slot.to_be_bytes(),
            &ip.octets(),
            &spot.port.to_be_bytes(),
            spot.key.as_bytes(),
        ]);
        let mut token = [0; TOKEN_LEN];
        token.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        token
    }

    /// The proof on a link between these two keys (`MESH-004`): this node's if `ours`, otherwise
    /// the other side's.
    #[must_use]
    pub(crate) fn proof(&self, ours: bool, dialler: &NodeId, listener: &NodeId) -> Proof {
        Proof(self.mac(&[
            b"hushwing proof v1",
            self.role(ours),
            dialler.as_bytes(),
            listener.as_bytes(),
        ]))
    }

    /// Whether `proof` is the other side's. Compares in constant time.
    #[must_use]
    pub(crate) fn proves(&self, shown: &Proof, dialler: &NodeId, listener: &NodeId) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.as_slice()) else {
            return false;
        };
        feed(
            &mut mac,
            &[b"hushwing proof v1", self.role(false), dialler.as_bytes(), listener.as_bytes()],
        );
        mac.verify_slice(&shown.0).is_ok()
    }

    const fn role(&self, ours: bool) -> &'static [u8] {
        if self.first == ours { b"first" } else { b"second" }
    }

    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes any key length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.as_slice()) else {
            return [0; 32];
        };
        feed(&mut mac, parts);
        mac.finalize().into_bytes().into()
    }
}

/// Puts each part after its length, so that no two inputs give the same bytes.
fn feed(mac: &mut Hmac<Sha256>, parts: &[&[u8]]) {
    for part in parts {
        mac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        mac.update(part);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn pair_of(n: u8) -> (Pair, Pair) {
        let make = |first| Pair::new(Account([n; 16]), Standing::Contact, first, [n; 32]);
        (make(true), make(false))
    }

    fn spot(port: u16) -> Spot {
        Spot { ip: "10.0.0.1".parse().unwrap(), port, key: NodeId::new([7; 32]) }
    }

    //= MESH-002
    #[test]
    fn a_token_is_recognised_by_the_other_and_bound_to_slot_address_port_and_key() {
        let (ann, ben) = pair_of(1);
        let shown = ann.token(true, 5, &spot(1));
        assert_eq!(shown, ben.token(false, 5, &spot(1)));
        let elsewhere = Spot { ip: "10.0.0.2".parse().unwrap(), ..spot(1) };
        let other_key = Spot { key: NodeId::new([8; 32]), ..spot(1) };
        for other in [
            ben.token(false, 6, &spot(1)),
            ben.token(false, 5, &spot(2)),
            ben.token(false, 5, &elsewhere),
            ben.token(false, 5, &other_key),
            // What we show ourselves, thrown back at us.
            ann.token(false, 5, &spot(1)),
            pair_of(2).1.token(false, 5, &spot(1)),
        ] {
            assert_ne!(shown, other);
        }
    }

    //= MESH-004
    #[test]
    fn a_proof_holds_between_these_two_keys_and_from_this_side_only() {
        let (ann, ben) = pair_of(1);
        let (a, b) = (NodeId::new([1; 32]), NodeId::new([2; 32]));
        let proof = ann.proof(true, &a, &b);
        assert!(ben.proves(&proof, &a, &b));
        assert!(!ben.proves(&proof, &b, &a));
        assert!(!ben.proves(&proof, &a, &NodeId::new([3; 32])));
        assert!(!ann.proves(&proof, &a, &b), "thrown back");
        assert!(!pair_of(2).1.proves(&proof, &a, &b));
    }

    #[test]
    fn debug_prints_no_secret() {
        assert_eq!(format!("{:?} {:?}", pair_of(9).0, spot(9)), "Pair(Contact) Spot");
    }
}
