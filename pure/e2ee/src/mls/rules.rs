//! Who may come into a group, and what a commit may change: the rules that MLS does not know.

use std::collections::BTreeSet;

use openmls::prelude::{Proposal, StagedCommit};

use super::MAX_MEMBERS;
use super::charter::Charter;
use super::group::{Group, Member};
use super::member::{self, MemberCard};
use crate::Error;
use crate::id::MemberId;

impl Group {
    /// The rules of `GROUP-006` and `GROUP-018` that MLS itself does not enforce.
    pub(super) fn check(&self, leaf: u32, staged: &StagedCommit) -> Result<(), Error> {
        let charter = self.charter()?;
        let before = self.members()?;
        let mut members = before.clone();
        for queued in staged.queued_proposals() {
            match queued.proposal() {
                Proposal::Remove(remove) => members.retain(|m| m.leaf != remove.removed().u32()),
                Proposal::Add(_) | Proposal::GroupContextExtensions(_) => {}
                _ => return Err(Error::BadCommit("a kind of proposal that has no place here")),
            }
        }
        for add in staged.add_proposals() {
            let node = add.add_proposal().key_package().leaf_node();
            let id = member::id_of(node.credential())?;
            let card = MemberCard::find(node)?;
            let key = node.signature_key().as_slice().to_vec();
            // A commit may remove somebody and add the same id again. That is the same person only
            // if their own rescue stream says so, and says it later than the last time.
            let again = before.iter().find(|m| m.id == id);
            let is_proven = card.proves(id, &key)
                && again.map_or_else(|| card.owns(id), |old| card.continues(&old.card));
            if !is_proven {
                return Err(Error::BadCommit("a member without proof of who they are"));
            }
            members.push(Member { leaf: u32::MAX, id, card, key });
        }
        check_distinct(&members)
            .map_err(|()| Error::BadCommit("two members with one id or stream"))?;
        // A direct chat may re-add its other member under a new key, but never admit a third, nor
        // anybody in the place of one of the two.
        let is_new = |m: &Member| before.iter().all(|b| b.id != m.id);
        let third = before.len() > 1 && members.iter().any(is_new) || members.len() > 2;
        if charter.direct && third || members.len() > MAX_MEMBERS {
            return Err(Error::BadCommit("more members than there may be"));
        }
        if let Some(node) = staged.update_path_leaf_node() {
            // The committer replaces its own leaf. It may take another name, but not become another
            // person, nor take another signature key: that would change the safety words silently.
            let was = before.iter().find(|m| m.leaf == leaf).ok_or(Error::BadCommit("no leaf"))?;
            let (id, card) = (member::id_of(node.credential())?, MemberCard::find(node)?);
            let same = id == was.id
                && node.signature_key().as_slice() == was.key
                && card.renames(&was.card)
                && (card.proof.is_none() || card.proves(id, &was.key));
            if !same {
                return Err(Error::BadCommit("another identity"));
            }
        }
        let new = Charter::find(staged.group_context().extensions())?;
        // Everything but the title is fixed. A member must not be able to lower the floor or move
        // the conversation to a hub of its own.
        if new.keeps(&charter) { Ok(()) } else { Err(Error::BadCommit("changes what is fixed")) }
    }
}

/// Ids and streams must be unique: nobody may write on another's lane, or be asked for by another's
/// rescue stream.
pub(super) fn check_distinct(members: &[Member]) -> Result<(), ()> {
    let ids: BTreeSet<MemberId> = members.iter().map(|m| m.id).collect();
    let roots: BTreeSet<[u8; 32]> = members
        .iter()
        .flat_map(|m| [m.card.stream.root_public(), m.card.rescue.root_public()])
        .collect();
    let unique = ids.len() == members.len() && roots.len() == members.len().saturating_mul(2);
    if unique { Ok(()) } else { Err(()) }
}
