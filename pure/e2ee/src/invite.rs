//! An invite: a link that makes two people contacts (DESIGN 4).
//!
//! The link's seed *is* the SHA-256 of the payload that the inviter leaves. So everyone who holds
//! the link can find the payload, and nobody can replace it. The seed yields three one-off streams:
//! the inviter's *offer*, the joiner's *answer*, and *attempts*, where an honest second user of the
//! link reports that somebody else was faster.

use hkdf::Hkdf;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use streams::WriteCapability;
use wire::Timestamp;
use zeroize::Zeroizing;

use crate::floor::Floor;
use crate::place::NetworkPlace;
use crate::{Error, Nick, Secret, codec};

/// Textual scheme of an invite.
pub const SCHEME: &str = "hushwing:invite#";
/// BACAP context of an invite's streams.
pub const CONTEXT: &[u8] = b"hushwing invite v1";
/// Longest text that is parsed, bytes.
const MAX_TEXT: usize = 1_024;
const VERSION: u8 = 1;

/// What the inviter leaves at the hub.
#[derive(Clone, Encode, Decode)]
pub struct Offer {
    #[n(0)]
    version: u8,
    /// The inviter's KeyPackage, made for this invite alone.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub key_package: Vec<u8>,
    /// The inviter's name, as the joiner will see it.
    #[n(2)]
    pub name: Nick,
    /// When the invite expires, ms of document time.
    #[n(3)]
    expires: u64,
    /// Makes the seed unguessable.
    #[n(4)]
    random: Secret,
}

impl Offer {
    /// Makes an offer.
    pub fn new<R: CryptoRng + ?Sized>(
        key_package: Vec<u8>,
        name: Nick,
        expires: Timestamp,
        rng: &mut R,
    ) -> Self {
        Offer {
            version: VERSION,
            key_package,
            name,
            expires: expires.as_millis(),
            random: Secret::random(rng),
        }
    }

    /// The payload to leave.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::encode(self)
    }
}

/// What the joiner leaves in return.
#[derive(Clone, Encode, Decode)]
pub struct Answer {
    #[n(0)]
    version: u8,
    /// MLS welcome into the new conversation, for the KeyPackage of the offer.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub welcome: Vec<u8>,
}

impl Answer {
    /// Makes an answer.
    #[must_use]
    pub const fn new(welcome: Vec<u8>) -> Self {
        Answer { version: VERSION, welcome }
    }

    /// The payload to leave.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Version`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        versioned(bytes, "answer to an invite")
    }
}

fn versioned<T>(bytes: &[u8], what: &'static str) -> Result<T, Error>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    match codec::version(bytes) {
        Some(VERSION) => codec::decode(bytes).ok_or(Error::Malformed(what)),
        Some(other) => Err(Error::Version(other)),
        None => Err(Error::Malformed(what)),
    }
}

/// A link that makes two people contacts. The first person to use it becomes the contact.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    place: NetworkPlace,
    floor: Floor,
    expires: Timestamp,
    seed: Secret,
}

#[derive(Encode, Decode)]
struct Body {
    #[n(0)]
    version: u8,
    #[n(1)]
    place: NetworkPlace,
    #[n(2)]
    floor: Floor,
    #[n(3)]
    expires: u64,
    #[n(4)]
    seed: Secret,
}

impl std::fmt::Debug for Invite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Invite")
    }
}

impl Invite {
    /// The invite that leads to this offer (`DIRECT-002`).
    #[must_use]
    pub fn to(offer: &Offer, place: NetworkPlace, floor: Floor) -> Self {
        let seed = Secret::new(Sha256::digest(offer.to_bytes()).into());
        Invite { place, floor, expires: Timestamp::from_millis(offer.expires), seed }
    }

    /// The text to hand over, `hushwing:invite#…`. All secrets come after the `#`, which browsers
    /// do not send.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let body = Body {
            version: VERSION,
            place: self.place.clone(),
            floor: self.floor,
            expires: self.expires.as_millis(),
            seed: self.seed.clone(),
        };
        let bytes = Zeroizing::new(wire::encode(&body));
        let text = Zeroizing::new(data_encoding::BASE64URL_NOPAD.encode(&bytes));
        Zeroizing::new([SCHEME, &text].concat())
    }

    /// Reads the text of an invite. Ignores whitespace around it.
    ///
    /// # Errors
    /// [`Error::NotAnInvite`], [`Error::DamagedLink`], [`Error::LinkVersion`],
    /// [`Error::OutOfRange`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim().strip_prefix(SCHEME).ok_or(Error::NotAnInvite)?;
        if text.len() > MAX_TEXT {
            return Err(Error::DamagedLink);
        }
        let bytes = data_encoding::BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| Error::DamagedLink)?;
        let bytes = Zeroizing::new(bytes);
        match codec::version(&bytes) {
            Some(VERSION) => {}
            Some(other) => return Err(Error::LinkVersion(other)),
            None => return Err(Error::DamagedLink),
        }
        let body: Body = codec::decode(&bytes).ok_or(Error::DamagedLink)?;
        body.place.check_under(body.floor)?;
        let expires = Timestamp::from_millis(body.expires);
        Ok(Invite { place: body.place, floor: body.floor, expires, seed: body.seed })
    }

    /// Where the two meet and where the conversation will live.
    #[must_use]
    pub const fn place(&self) -> &NetworkPlace {
        &self.place
    }

    /// The routes that the inviter allows.
    #[must_use]
    pub const fn floor(&self) -> Floor {
        self.floor
    }

    /// When it expires, in document time.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Checks a payload found on the offer stream.
    ///
    /// # Errors
    /// [`Error::Malformed`] when this link was not made from it, [`Error::Version`].
    pub fn open_offer(&self, bytes: &[u8]) -> Result<Offer, Error> {
        let digest = Secret::new(Sha256::digest(bytes).into());
        if digest != self.seed {
            return Err(Error::Malformed("offer of an invite"));
        }
        let offer: Offer = versioned(bytes, "offer of an invite")?;
        if offer.expires == self.expires.as_millis() {
            Ok(offer)
        } else {
            Err(Error::Malformed("offer of an invite"))
        }
    }

    /// The stream that holds the inviter's offer.
    #[must_use]
    pub fn offer_stream(&self) -> WriteCapability {
        self.stream(b"offer")
    }

    /// The stream that holds the joiner's answer. A box is written once, so its first box makes the
    /// link single-use.
    #[must_use]
    pub fn answer_stream(&self) -> WriteCapability {
        self.stream(b"answer")
    }

    /// The stream on which a second user of the link reports the attempt.
    #[must_use]
    pub fn attempt_stream(&self) -> WriteCapability {
        self.stream(b"attempt")
    }

    /// The secret by which the two find each other on a LAN (`MESH-001`).
    #[must_use]
    pub fn near_secret(&self) -> Secret {
        Secret::new(*self.derive(b"near"))
    }

    fn stream(&self, label: &[u8]) -> WriteCapability {
        WriteCapability::from_seed(&self.derive(label))
    }

    fn derive(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        // 32 bytes are far below the limit of HKDF-SHA-256, so this cannot fail.
        let _ = Hkdf::<Sha256>::new(Some(CONTEXT), self.seed.reveal())
            .expand(label, out.as_mut_slice());
        out
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::place::test_place;

    fn made() -> (Offer, Invite) {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let offer = Offer::new(
            vec![7; 3000],
            Nick::new("alice").unwrap(),
            Timestamp::from_millis(5_000),
            &mut rng,
        );
        let invite = Invite::to(&offer, test_place(), Floor::Hidden);
        (offer, invite)
    }

    //= DIRECT-010
    #[test]
    fn a_link_survives_its_text() {
        let (_, invite) = made();
        let text = invite.to_text();
        assert!(text.starts_with(SCHEME));
        assert_eq!(Invite::parse(&format!("  {}\n", *text)).unwrap(), invite);
        assert_eq!(format!("{invite:?}"), "Invite");
    }

    //= DIRECT-010
    #[test]
    fn damaged_links_are_refused() {
        let (_, invite) = made();
        let text = invite.to_text();
        assert_eq!(Invite::parse("hushwing:room#abc").unwrap_err(), Error::NotAnInvite);
        assert_eq!(Invite::parse(&text[..text.len() - 4]).unwrap_err(), Error::DamagedLink);
        assert_eq!(Invite::parse(&format!("{}AAAA", *text)).unwrap_err(), Error::DamagedLink);
    }

    //= DIRECT-002
    #[test]
    fn only_the_payload_that_the_link_was_made_from_is_the_offer() {
        let (offer, invite) = made();
        let bytes = offer.to_bytes();
        assert_eq!(invite.open_offer(&bytes).unwrap().key_package, offer.key_package);
        for place in [0, 10, bytes.len() - 1] {
            let mut other = bytes.clone();
            other[place] ^= 1;
            assert!(invite.open_offer(&other).is_err());
        }
    }

    //= DIRECT-020
    #[test]
    fn a_link_without_a_hub_is_for_the_lan_alone() {
        let (offer, with_hub) = made();
        let invite = Invite::to(&offer, NetworkPlace::lan(), Floor::Lan);
        assert!(Invite::parse(&invite.to_text()).unwrap().place().is_lan());
        assert!(!with_hub.place().is_lan());
        for floor in [Floor::Anywhere, Floor::Hidden, Floor::Onion, Floor::Tor] {
            let elsewhere = Invite::to(&offer, NetworkPlace::lan(), floor);
            assert_eq!(
                Invite::parse(&elsewhere.to_text()).unwrap_err(),
                Error::OutOfRange("number of directories")
            );
        }
        let half = NetworkPlace { directories: Vec::new(), ..test_place() };
        assert!(
            Invite::parse(&Invite::to(&offer, half, Floor::Lan).to_text()).is_err(),
            "a hub that nobody can find"
        );
    }

    //= DIRECT-020
    #[test]
    fn a_room_has_a_hub() {
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let settings = crate::RoomSettings::default();
        let (_, keys) = crate::Owner::create(&mut rng, test_place(), settings, 7).unwrap();
        let mut link = keys.link_now();
        assert!(crate::RoomLink::parse(&link.to_text()).is_ok());
        link.place = NetworkPlace::lan();
        assert!(crate::RoomLink::parse(&link.to_text()).is_err());
        assert!(crate::Owner::create(&mut rng, NetworkPlace::lan(), settings, 7).is_err());
    }

    //= DIRECT-021
    #[test]
    fn what_two_find_each_other_by_tells_nothing_of_the_streams() {
        let (offer, invite) = made();
        let again = Invite::parse(&invite.to_text()).unwrap();
        assert_eq!(invite.near_secret(), again.near_secret());
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let other = Offer::new(vec![7; 3000], offer.name, Timestamp::from_millis(5_000), &mut rng);
        assert_ne!(
            Invite::to(&other, test_place(), Floor::Hidden).near_secret(),
            invite.near_secret()
        );
        let stream = WriteCapability::from_seed(invite.near_secret().reveal()).root_public();
        assert!(
            stream != invite.offer_stream().root_public()
                && stream != invite.answer_stream().root_public()
        );
    }

    //= DIRECT-011
    #[test]
    fn the_three_streams_are_three() {
        let (_, invite) = made();
        let roots = [invite.offer_stream(), invite.answer_stream(), invite.attempt_stream()]
            .map(|s| s.root_public());
        assert!(roots[0] != roots[1] && roots[1] != roots[2] && roots[0] != roots[2]);
    }
}
