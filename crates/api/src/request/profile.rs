//! Requests about the profile itself: its state, its settings, names that people type.

use super::requests;
use crate::id::{ConversationId, MemberId, RoomId, TalkerId};
use crate::views::{Done, NetworkView, Resolved, SettingSaved, SettingView, Status};

/// What kind of thing a typed name may stand for.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A contact, a group or an open room.
    #[default]
    Any,
    /// A contact or a group.
    Conversation,
    /// A contact.
    Contact,
    /// A group.
    Group,
    /// An open room.
    Room,
}

requests! {
    /// How the profile and its connections stand.
    "status" GetStatus => Status {}

    /// Answered when every message of this profile is at the hub.
    "flush" Flush => Done {}

    /// Sets the name that new contacts and groups see.
    "set_name" SetName => Done {
        /// The name.
        name: String,
    }

    /// How the routes to each hub stand.
    "networks" ListNetworks => Vec<NetworkView> {}

    /// The profile's settings.
    "settings" ListSettings => Vec<SettingView> {}

    /// Changes one setting, in the file too.
    "set" SetSetting => SettingSaved {
        /// The setting's name in `config.toml`.
        key: String,
        /// Its value, as a person types it.
        value: String,
    }

    /// What a name that a person typed stands for: an own name, a name as shown, a title or nick,
    /// or an id. Refused as `ambiguous` when it could mean two things, and as `renamed` when what
    /// was called so has another name now.
    "resolve" Resolve => Resolved {
        /// What the person typed.
        name: String,
        /// What it may stand for.
        #[serde(default)]
        scope: Scope,
    }

    /// What a member's name that a person typed stands for.
    "resolve_member" ResolveMember => MemberId {
        /// The conversation.
        conversation: ConversationId,
        /// What the person typed: a name as shown, or an id.
        name: String,
    }

    /// What a talker's name that a person typed stands for.
    "resolve_talker" ResolveTalker => TalkerId {
        /// The room.
        room: RoomId,
        /// What the person typed: a name as shown, or an id.
        name: String,
    }
}
