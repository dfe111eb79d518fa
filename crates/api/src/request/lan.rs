//! Requests about the local network: neighbours, people nearby, boxes in files.

use super::requests;
use crate::id::{ConversationId, KnockId};
use crate::path::LocalPath;
use crate::views::{BundleView, Done, MeshView, Opened, PersonView};

requests! {
    /// Neighbours on the local network, and what is carried for them.
    "mesh" GetMesh => MeshView {}

    /// People who show themselves on the local network.
    "nearby" ListNearby => Vec<PersonView> {}

    /// Shows this profile's name to everybody on the local network for a time; 0 ends it.
    "show" ShowNearby => Done {
        /// The time, seconds.
        seconds: u32,
    }

    /// Asks somebody who shows themselves to become a contact. Answered when they have agreed.
    "knock" Knock => Opened {
        /// Their key in [`PersonView`].
        key: String,
        /// The own name of the contact; default: none, their nick is shown.
        #[serde(default)]
        name: Option<String>,
    }

    /// Agrees to a knock. Answered when the contact is there.
    "accept_knock" AcceptKnock => Opened {
        /// The knock.
        knock: KnockId,
        /// The own name of the contact; default: none, their nick is shown.
        #[serde(default)]
        name: Option<String>,
    }

    /// Turns a knock down.
    "refuse_knock" RefuseKnock => Done {
        /// The knock.
        knock: KnockId,
    }

    /// Writes the boxes that are to reach others into a new file.
    "bundle_out" BundleOut => BundleView {
        /// The file; refused when it exists.
        path: LocalPath,
        /// Only boxes of this conversation; default: all.
        #[serde(default)]
        conversation: Option<ConversationId>,
    }

    /// Reads boxes from a file.
    "bundle_in" BundleIn => BundleView {
        /// The file.
        path: LocalPath,
    }
}
