//! Requests about contacts and groups: how they begin, what they allow, who is in them.

use super::requests;
use crate::id::{ConversationId, GroupInviteId, InviteId, MemberId};
use crate::views::{
    ConversationView, Done, GroupInviteView, IdentityView, InviteView, MemberView, Opened,
    SafetyWordsView, StatementView,
};
use crate::words::AllowedRoutes;

requests! {
    /// Makes a link for one contact. Answered when the link works.
    "invite" Invite => InviteView {
        /// The own name of the contact that comes of it; default: none, their nick is shown.
        #[serde(default)]
        name: Option<String>,
        /// The name that they see; default: the profile's.
        #[serde(default)]
        my_name: Option<String>,
        /// How long the link works, seconds; default: a week.
        #[serde(default)]
        expires_s: Option<u64>,
        /// A link of the network to meet in; default: the profile's network.
        #[serde(default)]
        network: Option<String>,
    }

    /// Lists invites, those that are being accepted included.
    "invites" ListInvites => Vec<InviteView> {}

    /// Revokes an invite, or stops accepting one.
    "revoke" Revoke => Done {
        /// The invite.
        invite: InviteId,
    }

    /// Uses a link that somebody gave. Answered when the contact is there.
    "accept" Accept => Opened {
        /// The link.
        link: String,
        /// The own name of the contact; default: none, their nick is shown.
        #[serde(default)]
        name: Option<String>,
    }

    /// Lists contacts and groups, by their names as shown.
    "conversations" ListConversations => Vec<ConversationView> {}

    /// Lists the members of a conversation.
    "members" ListMembers => Vec<MemberView> {
        /// The conversation.
        conversation: ConversationId,
    }

    /// Gives a conversation an own name, which nobody else sees, or takes it away.
    "set_own_name" SetOwnName => Done {
        /// The conversation.
        conversation: ConversationId,
        /// The name; none: the title or nick is shown again.
        name: Option<String>,
    }

    /// Sets the routes that a conversation may use from here. What both sides agreed on at the
    /// beginning holds as well: the stricter of the two counts.
    "allow_routes" AllowRoutes => Done {
        /// The conversation.
        conversation: ConversationId,
        /// The routes.
        routes: AllowedRoutes,
    }

    /// Lets messages disappear after a time, for all members; 0: they stay.
    "set_timer" SetTimer => Done {
        /// The conversation.
        conversation: ConversationId,
        /// The time, seconds.
        seconds: u32,
    }

    /// The words that two contacts compare.
    "safety_words" GetSafetyWords => SafetyWordsView {
        /// The contact.
        conversation: ConversationId,
    }

    /// Marks a contact as verified, or removes the mark.
    "verify" Verify => Done {
        /// The contact.
        conversation: ConversationId,
        /// The safety words that were compared, as they were shown; refused when they are others by
        /// now. None: the contact is not verified.
        words: Option<String>,
    }

    /// Accepts the new keys of a contact who was verified, without comparing: messages that wait
    /// are sent.
    "accept_keys" AcceptKeys => Done {
        /// The contact.
        conversation: ConversationId,
    }

    /// Blocks a contact, who is not told: nothing of theirs is fetched, and what they say in groups
    /// is not shown.
    "block" Block => Done {
        /// The contact.
        conversation: ConversationId,
    }

    /// Unblocks a contact, or tries a stopped conversation again.
    "resume" Resume => Done {
        /// The conversation.
        conversation: ConversationId,
    }

    /// The text to sign with an OpenPGP key, to show a contact whose key it is.
    "identity_statement" GetIdentityStatement => StatementView {
        /// The contact.
        conversation: ConversationId,
    }

    /// Binds a contact to the OpenPGP key that signed their statement; refused for any other text.
    "identity_verify" VerifyIdentity => IdentityView {
        /// The contact.
        conversation: ConversationId,
        /// The clear-signed statement, at most 64 KiB.
        signed: String,
        /// The public key, armoured, at most 512 KiB.
        certificate: String,
    }

    /// Takes the binding to an OpenPGP key back.
    "identity_forget" ForgetIdentity => Done {
        /// The contact.
        conversation: ConversationId,
    }

    /// Founds a group.
    "create_group" CreateGroup => Opened {
        /// Its title, which all members see.
        title: String,
    }

    /// Invites a contact into a group.
    "invite_to_group" InviteToGroup => Done {
        /// The group.
        group: ConversationId,
        /// The contact.
        contact: ConversationId,
    }

    /// Lists invitations into groups that wait for an answer.
    "group_invites" ListGroupInvites => Vec<GroupInviteView> {}

    /// Answers an invitation into a group.
    "answer_group_invite" AnswerGroupInvite => Done {
        /// The invitation.
        invite: GroupInviteId,
        /// Whether to join.
        accept: bool,
    }

    /// Removes a member from a group.
    "remove_member" RemoveMember => Done {
        /// The group.
        group: ConversationId,
        /// The member.
        member: MemberId,
    }

    /// Gives a group another title, for all members.
    "rename_group" RenameGroup => Done {
        /// The group.
        group: ConversationId,
        /// The title, 1 to 64 characters.
        title: String,
    }

    /// Continues a group in a new one, without a member who holds it up.
    "restart_group" RestartGroup => Opened {
        /// The group.
        group: ConversationId,
        /// The member to leave out.
        without: MemberId,
    }

    /// Draws new keys in a conversation: a thief of the old ones reads nothing more.
    "refresh" Refresh => Done {
        /// The conversation.
        conversation: ConversationId,
    }

    /// Leaves a conversation; the others are told.
    "leave" Leave => Done {
        /// The conversation.
        conversation: ConversationId,
    }

    /// Removes a conversation and its history from this profile.
    "forget" Forget => Done {
        /// The conversation.
        conversation: ConversationId,
    }

    /// Looks now whether members of a conversation have lost their place, and shows them this
    /// profile's.
    "check_on" CheckOn => Done {
        /// The conversation.
        conversation: ConversationId,
    }
}
