//! How far requests get, and by which secrets neighbours on a LAN are found.

use e2ee::Secret;
use e2ee::id::{ConversationId, MessageId};

use crate::event::PlaceId;

/// How far the requests of a place get now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Nowhere: requests wait.
    #[default]
    Off,
    /// To neighbours on the LAN; the hub is out of reach. Chat goes on, changes of the members
    /// wait.
    Near,
    /// To the hub, and to neighbours where there are some.
    Hub,
}

/// Somebody to look for on the LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The contact or invite that it is about.
    pub who: NearWho,
    /// The place whose boxes go between us.
    pub place: PlaceId,
    /// What the two share: the same at both ends, another with everybody else.
    pub secret: Secret,
    /// Which of the two we are: true at one end, false at the other.
    pub first: bool,
}

/// The person that a [`Near`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NearWho {
    /// A contact.
    Contact(ConversationId),
    /// The other end of an invite that is under way.
    Invite(MessageId),
}
