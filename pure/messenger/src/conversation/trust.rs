//! Whether the keys of a contact are those that the user has compared (`DIRECT-026`).
//!
//! ```text
//!               compared                      the contact comes with other keys
//! [not verified] ────────► [verified] ─────────────────────────────────────► [changed: nothing leaves]
//!       ▲  ▲                  │                                                 │        │
//!       │  └── they differ ───┘                          accepted without words ┘        │ compared
//!       └───────────────────────────────────────────────────────┘                        ▼
//!                                                                                    [verified]
//! ```

use super::Conversation;
use crate::Error;
use crate::context::StepContext;

impl Conversation {
    /// The user has compared the safety words of other keys, or of none.
    pub(crate) fn unverify(&mut self) {
        self.card.verified = false;
        self.card.identity = None;
        self.dirty = true;
    }

    /// The user has compared the words of now, or (`false`) found that they differ.
    pub(crate) fn compared(&mut self, they_match: bool) {
        let root = self.card.members.values().next().map(|known| known.rescue.clone());
        self.card.compared = root.filter(|_| they_match);
        self.card.verified = they_match;
        self.dirty = true;
    }

    /// Whether the person at the other end is one whose words were compared, whatever keys they
    /// and we use by now: the root of their rescue stream stays.
    pub(crate) fn is_trusted(&self) -> bool {
        let root = self.card.members.values().next().map(|known| &known.rescue);
        self.card.verified || self.card.compared.as_ref().is_some_and(|c| Some(c) == root)
    }

    /// The contact has other keys from now on. If the old ones were compared, nothing leaves for
    /// the new ones before the user says so (`DIRECT-026`).
    pub(super) fn keys_changed(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        let was_verified = self.card.verified;
        self.unverify();
        if !was_verified {
            return Ok(());
        }
        self.card.changed = true;
        let name = self.card.bare().to_owned();
        self.notice(
            cx,
            &format!("the safety words of {name} have changed: compare them again; messages wait"),
        )
    }

    /// The user takes the contact's new keys: what waits may leave.
    pub(crate) fn accept_keys(&mut self, cx: &mut StepContext<'_>) -> Result<(), Error> {
        self.card.changed = false;
        self.dirty = true;
        self.pump(cx)
    }
}
