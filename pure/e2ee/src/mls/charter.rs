//! What all members of a conversation agree on: an extension of the MLS GroupContext.

use minicbor::{Decode, Encode};
use openmls::prelude::{
    CredentialType, Extension, ExtensionType, Extensions, GroupContext,
    RequiredCapabilitiesExtension, UnknownExtension,
};

use super::member::CARD_EXTENSION;
use crate::floor::Floor;
use crate::id::MemberId;
use crate::place::NetworkPlace;
use crate::sanitize::{Newlines, sanitize};
use crate::{Error, Secret, codec};

/// Extension type in the GroupContext (private-use range of RFC 9420).
pub(super) const CHARTER_EXTENSION: u16 = 0xf0c1;
/// Longest title, characters.
pub const MAX_TITLE_CHARS: usize = 64;

/// What all members agree on. `Debug` prints the type alone.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Charter {
    #[n(0)]
    version: u8,
    /// Whether this is a direct chat: two people, and never a third.
    #[n(1)]
    pub direct: bool,
    /// Where the conversation lives. Its hub decides the order of commits and nothing else; without
    /// a hub the creator decides.
    #[n(2)]
    pub place: NetworkPlace,
    /// The routes that it may use.
    #[n(3)]
    pub floor: Floor,
    /// Title of a group; empty in a direct chat.
    #[n(4)]
    pub title: String,
    /// The member who created the conversation.
    #[n(5)]
    pub creator: MemberId,
    /// Secret behind the context of rescue boxes. It never changes, so that a member who missed
    /// many epochs can still be found.
    #[n(6)]
    pub root: Secret,
}

impl Charter {
    /// Makes a charter. Sanitizes the title.
    ///
    /// # Errors
    /// [`Error::TooLong`] when the title has more than [`MAX_TITLE_CHARS`].
    pub fn new(
        direct: bool,
        place: NetworkPlace,
        floor: Floor,
        title: &str,
        creator: MemberId,
        root: Secret,
    ) -> Result<Self, Error> {
        let title = sanitize(title, Newlines::Fold);
        if title.chars().count() > MAX_TITLE_CHARS {
            return Err(Error::TooLong("title"));
        }
        Ok(Charter { version: 1, direct, place, floor, title, creator, root })
    }

    /// Whether everything but the title is as in `before`.
    pub(super) fn keeps(&self, before: &Charter) -> bool {
        Charter { title: String::new(), ..self.clone() }
            == Charter { title: String::new(), ..before.clone() }
    }

    /// The BACAP context of rescue boxes (`GROUP-012`).
    #[must_use]
    pub fn rescue_context(&self) -> Vec<u8> {
        let mut context = b"hushwing rescue v1".to_vec();
        context.extend_from_slice(self.root.reveal());
        context
    }

    /// The extensions: the charter, and the requirement that every member understands charters and
    /// cards.
    pub(super) fn to_extensions(&self) -> Result<Extensions<GroupContext>, Error> {
        let types =
            [ExtensionType::Unknown(CHARTER_EXTENSION), ExtensionType::Unknown(CARD_EXTENSION)];
        let required = RequiredCapabilitiesExtension::new(&types, &[], &[CredentialType::Basic]);
        let charter = Extension::Unknown(CHARTER_EXTENSION, UnknownExtension(wire::encode(self)));
        Extensions::from_vec(vec![Extension::RequiredCapabilities(required), charter])
            .map_err(|_| Error::Internal)
    }

    pub(super) fn find(extensions: &Extensions<GroupContext>) -> Result<Self, Error> {
        let found = extensions.unknown(CHARTER_EXTENSION).ok_or(Error::Malformed("charter"))?;
        let charter: Charter = codec::decode(&found.0).ok_or(Error::Malformed("charter"))?;
        charter.check()
    }

    fn check(self) -> Result<Self, Error> {
        self.place.check_under(self.floor)?;
        let clean = sanitize(&self.title, Newlines::Fold) == self.title;
        if self.version != 1 {
            return Err(Error::Version(self.version));
        }
        if !clean || self.title.chars().count() > MAX_TITLE_CHARS {
            return Err(Error::Malformed("charter"));
        }
        Ok(self)
    }
}

impl std::fmt::Debug for Charter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Charter")
    }
}
