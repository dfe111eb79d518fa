//! What this profile's conversations are called, and which one a typed name means. The rules are in
//! [`names`].

use e2ee::id::ConversationId;
use e2ee::{Newlines, sanitize};

use super::{Messenger, Step, cx};
use crate::Error;
use crate::conversation::Card;
use crate::names;

/// Longest own name, bytes.
const MAX_OWN_NAME: usize = 128;

impl Messenger {
    /// Gives a contact or group a name of the user's own, or takes that away with `None`. Nobody
    /// else learns it, and nobody else changes it (`NAME-001`).
    ///
    /// # Errors
    /// [`Error::NoSuch`]; [`Error::Refused`] when it could be taken for another own name.
    pub fn name_conversation(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        name: Option<&str>,
    ) -> Result<(), Error> {
        let own = name.map(|name| self.own_name(Some(id), name)).transpose()?;
        let cx = cx!(self, step);
        let conversation = self.conversations.get_mut(&id).ok_or(Error::NoSuch("conversation"))?;
        conversation.card.own = own;
        conversation.save_card(&cx)?;
        Ok(())
    }

    /// All conversations with their names, to be shown or resolved. `tag` makes the short form of
    /// an id that tells two alike names apart.
    pub fn named(
        &self,
        tag: impl Fn(ConversationId) -> String,
    ) -> Vec<names::Named<ConversationId>> {
        let named = |(id, card): (&ConversationId, &Card)| names::Named {
            key: *id,
            own: card.own.clone(),
            given: card.given.clone(),
            formerly: card.formerly.clone(),
            tag: tag(*id),
        };
        let running = self.conversations.iter().map(|(id, c)| (id, &c.card));
        running.chain(&self.stopped).map(named).collect()
    }

    pub(super) fn resolve(&self, typed: &str) -> names::Found<ConversationId> {
        names::resolve(&self.named(|id| names::short(id.as_bytes())), typed)
    }

    /// A name as the user may give it to a conversation.
    ///
    /// # Errors
    /// [`Error::Refused`] when it could be taken for another own name, or for a name with a tag.
    pub(super) fn own_name(&self, of: Option<ConversationId>, name: &str) -> Result<String, Error> {
        let name = sanitize(name.trim(), Newlines::Fold);
        let looks = names::skeleton(&name);
        if looks.is_empty() || name.len() > MAX_OWN_NAME {
            return Err(Error::Refused("a name has 1 to 128 bytes, and something to see"));
        }
        if looks.contains('~') {
            return Err(Error::Refused("a name has no ~: that stands before the tag of an id"));
        }
        if self.has_own_name(of, &looks) {
            return Err(Error::Refused("another contact or group of yours has that name"));
        }
        Ok(name)
    }

    fn has_own_name(&self, but: Option<ConversationId>, looks: &str) -> bool {
        let mut owns = self.conversations.values().filter(|c| Some(c.id) != but);
        owns.any(|c| c.card.own.as_ref().is_some_and(|own| names::skeleton(own) == looks))
    }

    /// The wish, or the wish with a number where another conversation has got that name since.
    pub(super) fn free_own_name(&self, wish: &str) -> Option<String> {
        let numbered = (2_u32..=1_000).map(|n| format!("{wish}-{n}"));
        std::iter::once(wish.to_owned())
            .chain(numbered)
            .find_map(|name| self.own_name(None, &name).ok())
    }

    /// A title for a group that we create, which no conversation has or had.
    pub(super) fn free_title(&self, wish: &str) -> String {
        let taken = |name: &str| self.resolve(name) != names::Found::None;
        let numbered = (2_u32..).map(|n| format!("{wish}-{n}"));
        let mut titles = std::iter::once(wish.to_owned()).chain(numbered);
        titles.find(|title| !taken(title)).unwrap_or_default()
    }
}
