//! The address card of a hub, with which rooms are created on it.

use std::path::Path;

use api::Failure;
use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};
use wire::id::AccessKey;
use wire::{ErrorKind, NodeId};

/// What is needed to create a room on a hub: its id and the key of an access class. Secret: the key
/// admits to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct HubCard {
    /// The hub's identity.
    #[n(0)]
    pub id: NodeId,
    /// Key of the access class.
    #[n(1)]
    pub access: AccessKey,
}

/// Beginning of a hub card's text.
const CARD_SCHEME: &str = "hushwing:hub#";

impl HubCard {
    /// The text that the hub writes into its `--dir`.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{CARD_SCHEME}{}", BASE64URL_NOPAD.encode(&wire::encode(&self)))
    }

    /// Reads a card from a file.
    ///
    /// # Errors
    /// A file that cannot be read or does not contain a card.
    pub fn read(path: &Path) -> Result<HubCard, Failure> {
        let fail = |e: &dyn std::fmt::Display| {
            Failure::new(
                ErrorKind::LocalConfig,
                format!("no hub card in {}: {e}", path.display()),
                "a hub writes its cards `hub` and `hub-guest` into its --dir",
            )
        };
        let text = std::fs::read_to_string(path).map_err(|e| fail(&e))?;
        text.parse().map_err(|e| fail(&e))
    }
}

impl std::str::FromStr for HubCard {
    type Err = wire::Error;

    fn from_str(text: &str) -> Result<Self, wire::Error> {
        let malformed = wire::Error::Malformed("hub card");
        let data = text.trim().strip_prefix(CARD_SCHEME).ok_or(malformed)?;
        let bytes = BASE64URL_NOPAD.decode(data.as_bytes()).map_err(|_| malformed)?;
        wire::decode(&bytes, "hub card")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_card_survives_its_text() {
        let card = HubCard { id: NodeId::new([1; 32]), access: AccessKey::new([2; 16]) };
        assert_eq!(card.to_text().parse::<HubCard>().unwrap(), card);
        assert!("hushwing:hub#".parse::<HubCard>().is_err());
        assert!("nonsense".parse::<HubCard>().is_err());
    }
}
