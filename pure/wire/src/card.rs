//! Cards of directory authorities: what operators give to each other before they begin a network
//! together.

use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::document::AuthorityKeys;
use crate::id::TokenHash;
use crate::limits::MAX_ADDRESSES;
use crate::{Address, Error, NodeId, codec, decode, encode};

/// Prefix of a card's text.
const SCHEME: &str = "hushwing:authority#";
/// Longest text of a card after its scheme, in characters.
const MAX_TEXT: usize = 4096;
/// The version of the shape.
const VERSION: u8 = 1;

/// One directory, as the others of its network need to know it.
///
/// Written as `hushwing:authority#…`, base64url of CBOR. It holds no secret.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct AuthorityCard {
    /// Always 1.
    #[n(0)]
    version: u8,
    /// The keys that it signs with.
    #[n(1)]
    pub keys: AuthorityKeys,
    /// The key that its links prove.
    #[n(2)]
    pub id: NodeId,
    /// Where it listens; one to four.
    #[cbor(n(3), decode_with = "codec::bounded::<_, _, MAX_ADDRESSES>")]
    pub addresses: Vec<Address>,
    /// Hash of its admission token: all directories admit whom one of them admits.
    #[n(4)]
    pub token: TokenHash,
}

impl AuthorityCard {
    /// A card of these parts.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] unless there are one to four addresses.
    pub fn new(
        keys: AuthorityKeys,
        id: NodeId,
        addresses: Vec<Address>,
        token: TokenHash,
    ) -> Result<Self, Error> {
        let card = AuthorityCard { version: VERSION, keys, id, addresses, token };
        card.check()?;
        Ok(card)
    }

    /// Checks version and ranges, which decoding does not.
    ///
    /// # Errors
    /// [`Error::Version`], [`Error::OutOfRange`].
    pub fn check(&self) -> Result<(), Error> {
        if self.version != VERSION {
            return Err(Error::Version(self.version));
        }
        if (1..=MAX_ADDRESSES).contains(&self.addresses.len()) {
            Ok(())
        } else {
            Err(Error::OutOfRange("addresses of a directory"))
        }
    }

    /// The text form, for operators to copy.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{SCHEME}{}", data_encoding::BASE64URL_NOPAD.encode(&encode(self)))
    }
}

impl FromStr for AuthorityCard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = Error::Malformed("authority card");
        let data = text.trim().strip_prefix(SCHEME).ok_or(malformed)?;
        if data.len() > MAX_TEXT {
            return Err(malformed);
        }
        let bytes =
            data_encoding::BASE64URL_NOPAD.decode(data.as_bytes()).map_err(|_| malformed)?;
        let card: AuthorityCard = decode(&bytes, "authority card")?;
        card.check()?;
        Ok(card)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= WIRE-006
    #[test]
    fn a_card_survives_its_text_and_nothing_else_is_one() {
        let keys = AuthorityKeys { ed25519: [1; 32], ml_dsa: vec![2; 1952] };
        let onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:5999";
        let addresses = vec!["192.0.2.1:5999".parse().unwrap(), onion.parse().unwrap()];
        let (id, token) = (NodeId::new([3; 32]), TokenHash::new([4; 32]));
        let card = AuthorityCard::new(keys.clone(), id, addresses.clone(), token).unwrap();
        let text = card.to_text();
        assert!(text.parse::<AuthorityCard>().unwrap() == card);
        assert!(AuthorityCard::new(keys.clone(), id, Vec::new(), token).is_err());
        let later = AuthorityCard { version: 2, ..card };
        assert!(later.to_text().parse::<AuthorityCard>().is_err());
        for bad in ["", SCHEME, "hushwing:net#AAAA", &text[..text.len() - 2]] {
            assert!(bad.parse::<AuthorityCard>().is_err(), "{bad}");
        }
        let most = AuthorityCard::new(keys, id, vec![onion.parse().unwrap(); 4], token).unwrap();
        assert!(most.to_text().parse::<AuthorityCard>().is_ok(), "{}", most.to_text().len());
    }
}
