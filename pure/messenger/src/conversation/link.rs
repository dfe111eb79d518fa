//! Where the requests of one conversation go, and how far they get.

use e2ee::id::ConversationId;

use crate::context::{Owner, Purpose, StepContext};
use crate::event::PlaceId;
use crate::near::Reach;
use crate::request::{Call, CallId};

/// What each part of a conversation has to know before it sends a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) conversation: ConversationId,
    pub(super) place: PlaceId,
    pub(super) reach: Reach,
    /// There is no hub: neighbours carry everything, and the creator decides (`GROUP-016`).
    pub(super) lan: bool,
}

impl Link {
    /// Requests get somewhere.
    pub(super) fn is_online(&self) -> bool {
        self.reach > Reach::Off
    }

    /// Neighbours are in reach and the hub is not.
    pub(super) fn is_near(&self) -> bool {
        self.reach == Reach::Near
    }

    /// What orders the commits is in reach: the hub, or where there is none, neighbours.
    pub(super) fn can_decide(&self) -> bool {
        self.reach == Reach::Hub || self.lan && self.is_online()
    }

    /// Sends a request. Deciding boxes pass the hub only, because neighbours could reorder them
    /// (`GROUP-017`).
    pub(super) fn call(&self, cx: &mut StepContext<'_>, purpose: Purpose, call: Call) -> CallId {
        let hub_only = !self.lan && matches!(purpose, Purpose::Decide(_) | Purpose::CommitDecision);
        cx.out.ask(Owner::Conversation(self.conversation, purpose), self.place, call, hub_only)
    }
}
