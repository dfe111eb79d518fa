//! What two who know each other share, and how they recognise each other among strangers.

use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wire::NodeId;
use wire::mesh::Proof;
use zeroize::Zeroizing;

/// Length of a token in a beacon, bytes.
pub const TOKEN_LEN: usize = 16;

/// Whom a link is with, and on whose account a carried box takes room: a contact, by a number of
/// our own choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub [u8; 16]);

impl Account {
    /// Ourselves.
    pub const OURS: Account = Account([0; 16]);
}

/// What somebody is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// A contact: boxes of all are exchanged.
    Contact,
    /// Somebody with whom an invite is under way: only its boxes are.
    Guest,
}

/// What a beacon shows to one contact, and to others as noise.
pub type Token = [u8; TOKEN_LEN];

/// One whom we may meet. `Debug` prints no byte of the secret.
#[derive(Clone)]
pub struct Pair {
    /// Who.
    pub account: Account,
    /// What they are to us.
    pub standing: Standing,
    /// Which of the two roles is ours; the other has the other.
    pub first: bool,
    secret: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair({:?})", self.standing)
    }
}

/// Where somebody listens, as a beacon says and its datagram shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spot {
    /// Source address of the datagram.
    pub ip: IpAddr,
    /// TCP port.
    pub port: u16,
    /// The key that proves itself there; drawn anew at each start.
    pub key: NodeId,
}

impl fmt::Debug for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spot")
    }
}

impl Pair {
    /// From what both know, 32 bytes.
    #[must_use]
    pub fn new(account: Account, standing: Standing, first: bool, secret: [u8; 32]) -> Self {
        Pair { account, standing, first, secret: Zeroizing::new(secret) }
    }

    /// The token that one of the two, we if `ours`, shows at this spot in this slot (`MESH-002`).
    #[must_use]
    pub fn token(&self, ours: bool, slot: u32, spot: &Spot) -> Token {
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

    /// What one of the two, we if `ours`, says first on a link between these two keys (`MESH-004`).
    #[must_use]
    pub fn proof(&self, ours: bool, dialler: &NodeId, listener: &NodeId) -> Proof {
        Proof(self.mac(&[
            b"hushwing proof v1",
            self.role(ours),
            dialler.as_bytes(),
            listener.as_bytes(),
        ]))
    }

    /// Whether the other has shown this, compared in constant time.
    #[must_use]
    pub fn proves(&self, shown: &Proof, dialler: &NodeId, listener: &NodeId) -> bool {
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
        // A key of 32 bytes is always taken; were it not, the zeros that are left match nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.secret.as_slice()) else {
            return [0; 32];
        };
        feed(&mut mac, parts);
        mac.finalize().into_bytes().into()
    }
}

/// Each part behind its length, so that no two inputs run together.
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
