//! Which part of the engine answers which request. A request without a line here does not compile.

use api::{
    Call, ConversationKind, CreateRoom, Done, Event, Refusal, Resolve, Resolved, RoomCommand,
    RoomView, Scope, Target,
};

use crate::conversations::limit;
use crate::id::Shared;
use crate::run::Engine;
use crate::{settings, words};

impl Engine {
    /// Answers a request; what takes longer is answered later.
    pub(crate) fn on_call(&mut self, call: Call) {
        match call {
            Call::GetStatus(_, a) => a.send(self.status()),
            Call::Flush(_, a) => self.flush(a),
            Call::SetName(r, a) => a.send(settings::set_name(&mut self.core, &r.name)),
            Call::ListNetworks(_, a) => a.send(self.networks()),
            Call::ListSettings(_, a) => a.send(settings::list(&self.core)),
            Call::SetSetting(r, a) => a.send(settings::set(&mut self.core, &r)),
            Call::Resolve(r, a) => a.send(self.resolve(&r)),
            Call::ResolveMember(r, a) => a.send(self.core.resolve_member(&r)),
            Call::ResolveTalker(r, a) => a.send(self.rooms.resolve_talker(&r)),
            Call::Invite(r, a) => self.invite(r, a),
            Call::ListInvites(_, a) => a.send(Ok(self.invites())),
            Call::Accept(r, a) => self.accept(&r.link, r.name, a),
            Call::ListConversations(_, a) => a.send(self.conversations()),
            Call::ListMembers(r, a) => a.send(self.core.member_views(r.conversation.other())),
            Call::GetSafetyWords(r, a) => a.send(self.core.safety_words(r.conversation)),
            Call::GetIdentityStatement(r, a) => a.send(self.core.statement(r.conversation)),
            Call::VerifyIdentity(r, a) => a.send(self.core.verify_identity(&r)),
            Call::CreateGroup(r, a) => a.send(self.create_group(&r)),
            Call::ListGroupInvites(_, a) => a.send(self.core.group_invites()),
            Call::RestartGroup(r, a) => a.send(self.core.restart_group(&r)),
            Call::Forget(r, a) => a.send(self.forget(r.conversation)),
            Call::SendText(r, a) => a.send(self.core.send_text(&r)),
            Call::SendFile(r, a) => match self.known(r.conversation) {
                Ok(c) => self.disk.send_file(&self.core, c, r.path.as_path(), a),
                Err(refusal) => a.send(Err(refusal)),
            },
            Call::ListFiles(_, a) => a.send(Ok(self.core.file_views())),
            Call::AcceptFile(r, a) => a.send(self.core.accept_file(&r)),
            Call::GetWhy(r, a) => a.send(self.why(&r)),
            Call::GetHistory(r, a) => a.send(self.core.history(&r)),
            Call::GetHistoryAfter(r, a) => a.send(self.core.history_after(&r)),
            Call::Search(r, a) => a.send(self.core.search(&r)),
            Call::GetMesh(_, a) => self.mesh(a),
            Call::ListNearby(_, a) => self.nearby(a),
            Call::ShowNearby(r, a) => a.send(self.show(r.seconds)),
            Call::Knock(r, a) => self.knock(r, a),
            Call::AcceptKnock(r, a) => self.accept_knock(r, a),
            Call::RefuseKnock(r, a) => a.send(self.refuse_knock(&r)),
            Call::BundleOut(r, a) => a.send(self.bundle_out(&r)),
            Call::BundleIn(r, a) => a.send(self.bundle_in(&r)),
            Call::JoinRoom(r, a) => a.send(self.rooms.join(&mut self.core, &self.carriers, r)),
            Call::CreateRoom(r, a) => a.send(self.create_room(r)),
            Call::ListRooms(_, a) => a.send(Ok(self.rooms.views())),
            Call::GetRoomHistory(r, a) => {
                a.send(self.rooms.log(r.room).map(|log| log.lines(r.after, limit(r.limit))));
            }
            Call::Say(r, a) => a.send(self.rooms.tell_session(r.room, RoomCommand::Say(r.text))),
            Call::MarkRoomSeen(r, a) => a.send(self.rooms.seen(&mut self.core, r.room, r.up_to)),
            Call::SetRoomNick(r, a) => a.send(self.rooms.set_nick(&mut self.core, &r)),
            Call::GetRoomLink(r, a) => self.rooms.link(r.room, a),
            Call::MuteTalker(r, a) => a.send(self.rooms.mute(&r)),
            Call::RekeyRoom(r, a) => a.send(self.rooms.rekey(r)),
            Call::SetRoomRoute(r, a) => {
                a.send(self.rooms.set_route(&mut self.core, &self.carriers, &r));
            }
            Call::RenewRoomCircuits(r, a) => {
                a.send(self.rooms.tell_session(r.room, RoomCommand::Renew));
            }
            Call::LeaveRoom(r, a) => a.send(self.rooms.leave(&mut self.core, r.room)),
            Call::Revoke(r, a) => a.send(self.core.done(|m, s| m.revoke(s, r.invite.other()))),
            Call::SetOwnName(r, a) => {
                let (c, name) = (r.conversation.other(), r.name.as_deref());
                a.send(self.core.done(|m, s| m.name_conversation(s, c, name)));
            }
            Call::AllowRoutes(r, a) => {
                let (c, floor) = (r.conversation.other(), words::floor(r.routes));
                a.send(self.core.done(|m, s| m.set_floor(s, c, floor)));
            }
            Call::SetTimer(r, a) => {
                let c = r.conversation.other();
                a.send(self.core.done(|m, s| m.set_timer(s, c, r.seconds)));
            }
            Call::Verify(r, a) => {
                let c = r.conversation.other();
                a.send(self.core.done(|m, s| m.set_verified(s, c, r.words.as_deref())));
            }
            Call::AcceptKeys(r, a) => {
                let c = r.conversation.other();
                a.send(self.core.done(|m, s| m.accept_keys(s, c)));
            }
            Call::Block(r, a) => {
                let c = r.conversation.other();
                a.send(self.core.done(|m, s| m.block(s, c)));
            }
            Call::Resume(r, a) => {
                let c = r.conversation.other();
                a.send(self.core.done(|m, s| m.resume(s, c)));
            }
            Call::ForgetIdentity(r, a) => {
                let c = r.conversation.other();
                a.send(self.core.done(|m, s| m.bind_identity(s, c, None)));
            }
            Call::InviteToGroup(r, a) => {
                let (group, contact) = (r.group.other(), r.contact.other());
                a.send(self.core.done(|m, s| m.invite_to_group(s, group, contact)));
            }
            Call::AnswerGroupInvite(r, a) => {
                let token = r.invite.other();
                a.send(self.core.done(|m, s| m.answer_group_invite(s, token, r.accept)));
            }
            Call::RemoveMember(r, a) => {
                let (group, member) = (r.group.other(), r.member.other());
                a.send(self.core.done(|m, s| m.remove_member(s, group, member)));
            }
            Call::RenameGroup(r, a) => {
                let group = r.group.other();
                a.send(self.core.done(|m, s| m.rename_group(s, group, &r.title)));
            }
            Call::Refresh(r, a) => {
                a.send(self.core.done(|m, s| m.refresh(s, r.conversation.other())));
            }
            Call::Leave(r, a) => a.send(self.core.done(|m, s| m.leave(s, r.conversation.other()))),
            Call::CheckOn(r, a) => {
                a.send(self.core.done(|m, s| m.check_on(s, r.conversation.other())));
            }
            Call::CancelFile(r, a) => {
                a.send(self.core.done(|m, s| m.cancel_file(s, r.transfer.other())));
            }
            Call::Edit(r, a) => {
                let (c, id) = (r.conversation.other(), r.message.other());
                a.send(self.core.done(|m, s| m.edit(s, c, id, &r.text)));
            }
            Call::Delete(r, a) => {
                let (c, id) = (r.conversation.other(), r.message.other());
                a.send(self.core.done(|m, s| m.delete(s, c, id)));
            }
            Call::React(r, a) => {
                let (c, id) = (r.conversation.other(), r.message.other());
                a.send(self.core.done(|m, s| m.react(s, c, id, &r.emoji, !r.remove)));
            }
            Call::Cancel(r, a) => {
                let (c, id) = (r.conversation.other(), r.message.other());
                a.send(self.core.done(|m, s| m.cancel(s, c, id)));
            }
            Call::MarkSeen(r, a) => {
                let c = r.conversation.other();
                a.send(self.core.done(|m, s| m.seen(s, c, r.up_to)));
            }
        }
    }

    fn create_room(&mut self, request: CreateRoom) -> Result<RoomView, Refusal> {
        let place = self.network(request.network.as_deref())?;
        self.rooms.create(&mut self.core, &self.carriers, place, request)
    }

    fn forget(&mut self, id: api::ConversationId) -> Result<Done, Refusal> {
        let done = self.core.done(|m, s| m.forget(s, id.other()))?;
        self.core.tell(Event::Forgotten { conversation: id });
        Ok(done)
    }

    /// What a typed name stands for.
    fn resolve(&mut self, request: &Resolve) -> Result<Resolved, Refusal> {
        let kinds = self.core.kinds()?;
        let is = |target, wanted| match target {
            Target::Conversation(id) => kinds.get(&id) == Some(&wanted),
            _ => false,
        };
        let fits = |target: Target| match request.scope {
            Scope::Any => true,
            Scope::Conversation => matches!(target, Target::Conversation(_)),
            Scope::Contact => is(target, ConversationKind::Contact),
            Scope::Group => is(target, ConversationKind::Group),
            Scope::Room => matches!(target, Target::Room(_)),
        };
        let target = self.core.names.resolve(&request.name, fits)?;
        Ok(Resolved { target, label: self.core.names.label(target) })
    }
}
