//! What is asked about contacts, groups and messages.

use std::collections::HashMap;
use std::path::Path;

use api::{
    AcceptFile, Answer, ConversationKind, ConversationView, CreateGroup, Done, Event, FileView,
    GetHistory, GetHistoryAfter, GetWhy, GroupInviteView, IdentityView, Invite as InviteRequest,
    InviteView, MemberId, MessageView, Opened, Queued, Reason, Refusal, ResolveMember,
    RestartGroup, SafetyWordsView, Search, SendText, StatementView, Target, Thing, Value,
    VerifyIdentity, WhyView,
};
use e2ee::id::ConversationId;
use e2ee::{Invite, NetworkPlace};
use messenger::names::Named;
use messenger::store::StoredMessage;
use messenger::{Messenger, Step};

use crate::core::{Core, directory_for_files, resolve};
use crate::disk::within_limit;
use crate::id::Shared;
use crate::refuse::bad_link;
use crate::run::Engine;
use crate::session::JoinAs;
use crate::views;

/// How long an invite works when nobody says otherwise, s.
const INVITE_S: u64 = 7 * 86_400;
/// Entries of a list when nobody says otherwise, and at most.
const LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;

pub(crate) fn limit(limit: Option<usize>) -> usize {
    limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT)
}

/// A network from any link that names one.
fn network_of(link: &str) -> Result<NetworkPlace, Refusal> {
    if let Ok(invite) = Invite::parse(link) {
        return Ok(invite.place().clone());
    }
    let entry = JoinAs::parse(link).map_err(|e| bad_link(Value::NetworkLink, &e))?;
    Ok(entry.place().clone())
}

impl Core {
    /// A step that answers nothing but that it is done.
    pub(crate) fn done(
        &mut self,
        work: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<(), messenger::Error>,
    ) -> Result<Done, Refusal> {
        self.step(work).map(|()| Done {})
    }

    pub(crate) fn send_text(&mut self, request: &SendText) -> Result<Queued, Refusal> {
        let (to, reply_to) = (request.conversation.other(), request.reply_to.map(|m| m.other()));
        let message = self.step(|m, s| m.say(s, to, &request.text, reply_to))?;
        Ok(Queued { message: message.other() })
    }

    pub(crate) fn accept_file(&mut self, request: &AcceptFile) -> Result<Done, Refusal> {
        let id = request.transfer.other();
        if let Some(size) = self.messenger.transfer(id).map(|t| t.size) {
            within_limit(self, size)?;
        }
        let directory = match &request.directory {
            Some(path) => directory_for_files(Path::new(path.as_str()))?,
            None => self.downloads()?,
        };
        self.done(|m, s| m.accept_file(s, id, directory))
    }

    pub(crate) fn safety_words(&self, c: api::ConversationId) -> Result<SafetyWordsView, Refusal> {
        let id: ConversationId = c.other();
        let words = self.read(|m, _| m.safety_words(id))?;
        let all = self.read(|m, store| m.overview(store))?;
        Ok(SafetyWordsView { words, verified: all.iter().any(|o| o.id == id && o.verified) })
    }

    pub(crate) fn statement(&self, c: api::ConversationId) -> Result<StatementView, Refusal> {
        let statement = self.read(|m, _| m.identity_statement(c.other(), true))?;
        Ok(StatementView { statement })
    }

    pub(crate) fn verify_identity(
        &mut self,
        request: &VerifyIdentity,
    ) -> Result<IdentityView, Refusal> {
        let c: ConversationId = request.conversation.other();
        let theirs = self.read(|m, _| m.identity_statement(c, false))?;
        let ours = self.read(|m, _| m.identity_statement(c, true))?;
        let signer = openpgp::verify(&request.signed, &request.certificate, &theirs, &ours)
            .map_err(|e| {
                let reason = match e {
                    openpgp::Error::NotBuilt => Reason::NotBuilt,
                    _ => Reason::BadValue { what: Value::OpenPgp },
                };
                Refusal::new(e.kind(), reason, e.to_string())
            })?;
        self.step(|m, s| m.bind_identity(s, c, Some((&signer.fingerprint, &theirs))))?;
        Ok(IdentityView { fingerprint: signer.fingerprint, user_ids: signer.user_ids })
    }

    pub(crate) fn restart_group(&mut self, request: &RestartGroup) -> Result<Opened, Refusal> {
        let (group, without) = (request.group.other(), request.without.other());
        let (new, missing) = self.step(|m, s| m.restart_group(s, group, without))?;
        if !missing.is_empty() {
            let text = format!(
                "these members are not your contacts: invite them, or ask somebody who knows them: {}",
                missing.join(", ")
            );
            self.tell(Event::Notice { text });
        }
        Ok(self.opened(new))
    }

    /// A conversation that a request has opened. Its name is worked out at once.
    pub(crate) fn opened(&self, id: ConversationId) -> Opened {
        let given = || {
            let named =
                self.named().into_iter().find(|n| n.key == Target::Conversation(id.other()));
            named.map(|n| n.bare().to_owned()).unwrap_or_default()
        };
        let label = Some(self.label(id)).filter(|l| !l.is_empty()).unwrap_or_else(given);
        Opened { conversation: id.other(), label }
    }

    /// Whether each conversation is with one contact or a group.
    pub(crate) fn kinds(&self) -> Result<HashMap<api::ConversationId, ConversationKind>, Refusal> {
        let kind = |c: messenger::Overview| {
            let kind = if c.direct { ConversationKind::Contact } else { ConversationKind::Group };
            (c.id.other(), kind)
        };
        Ok(self.read(|m, store| m.overview(store))?.into_iter().map(kind).collect())
    }

    pub(crate) fn file_views(&self) -> Vec<FileView> {
        self.messenger.transfers().map(|(id, t)| self.file_view(id, t)).collect()
    }

    pub(crate) fn group_invites(&self) -> Result<Vec<GroupInviteView>, Refusal> {
        let all = self.read(|m, store| m.group_invites(store))?;
        Ok(all
            .into_iter()
            .map(|(token, title, via)| self.group_invite_view(token, title, via))
            .collect())
    }

    fn message_views(&self, all: &[StoredMessage]) -> Vec<MessageView> {
        all.iter().map(|m| self.message_view(m)).collect()
    }

    pub(crate) fn history(&self, request: &GetHistory) -> Result<Vec<MessageView>, Refusal> {
        let c: ConversationId = self.known(request.conversation)?;
        let n = limit(request.limit);
        let found = self.read(|_, store| Ok(store.history(&c, request.before, n)?))?;
        Ok(self.message_views(&found))
    }

    pub(crate) fn history_after(
        &self,
        request: &GetHistoryAfter,
    ) -> Result<Vec<MessageView>, Refusal> {
        let c = request.conversation.map(|c| self.known(c)).transpose()?;
        let n = limit(request.limit);
        let found =
            self.read(|_, store| Ok(store.history_after(c.as_ref(), request.after, n)?))?;
        Ok(self.message_views(&found))
    }

    pub(crate) fn search(&self, request: &Search) -> Result<Vec<MessageView>, Refusal> {
        let c = request.conversation.map(|c| self.known(c)).transpose()?;
        let n = limit(request.limit);
        let found = self.read(|_, store| Ok(store.search(c.as_ref(), &request.query, n)?))?;
        Ok(self.message_views(&found))
    }

    /// The messenger's id of a conversation that this profile has.
    pub(crate) fn known(&self, id: api::ConversationId) -> Result<ConversationId, Refusal> {
        let id: ConversationId = id.other();
        match self.messenger.place_of(id) {
            Some(_) => Ok(id),
            None => Err(Refusal::no_such(Thing::Conversation)),
        }
    }

    /// The member whom a person means by a typed name.
    pub(crate) fn resolve_member(&self, request: &ResolveMember) -> Result<MemberId, Refusal> {
        let all = self.read(|m, store| m.participants(store, request.conversation.other()))?;
        let others = all.into_iter().filter(|p| !p.me);
        let named: Vec<Named<Target>> = others.map(|p| named(&p)).collect();
        let labels = messenger::names::labels(&named);
        match resolve(&named, &request.name, &labels) {
            Ok(Target::Member(id)) => Ok(id),
            Err(Refusal { reason: Reason::NoSuch { .. }, .. }) | Ok(_) => {
                Err(Refusal::no_such(Thing::Member))
            }
            Err(refusal) => Err(refusal),
        }
    }
}

fn named(p: &messenger::Participant) -> Named<Target> {
    let id: MemberId = p.id.other();
    Named {
        key: Target::Member(id),
        own: None,
        given: p.name.clone(),
        formerly: Vec::new(),
        tag: id.short(),
    }
}

impl Engine {
    /// The network that a link names; without one the profile's own.
    pub(crate) fn network(&self, given: Option<&str>) -> Result<NetworkPlace, Refusal> {
        if let Some(link) = given.or(self.core.config.network.as_deref()) {
            return network_of(link);
        }
        // A profile with conversations has a network, unless they are all on the local network.
        let messenger = &self.core.messenger;
        let places = messenger.places().into_iter().filter_map(|id| messenger.place(id));
        let known = places.into_iter().find(|p| !p.0.is_lan()).map(|p| p.0.clone());
        known.or_else(|| self.rooms.place()).ok_or_else(|| {
            Refusal::wrong(Reason::NoNetwork, "this profile does not know a network yet")
        })
    }

    pub(crate) fn invite(&mut self, request: InviteRequest, answer: Answer<InviteView>) {
        let meet = match request.network.as_deref() {
            None if self.near.lan.is_some() => Ok(self.place_to_meet()),
            given => self.network(given).map(|place| (place, self.core.floor())),
        };
        let open_ms = request.expires_s.unwrap_or(INVITE_S).saturating_mul(1_000);
        let (my_name, name) = (request.my_name, request.name);
        let made = meet.and_then(|(place, floor)| {
            self.core.step(|m, s| m.invite(s, &place, floor, my_name.as_deref(), name, open_ms))
        });
        match made {
            Ok(id) => drop(self.inviting.insert(id, answer)),
            Err(refusal) => answer.send(Err(refusal)),
        }
    }

    pub(crate) fn accept(&mut self, link: &str, name: Option<String>, answer: Answer<Opened>) {
        let invite = Invite::parse(link).map_err(|e| bad_link(Value::InviteLink, &e));
        let floor = self.core.floor();
        let accepted =
            invite.and_then(|invite| self.core.step(|m, s| m.accept(s, &invite, floor, name)));
        match accepted {
            Ok(id) => drop(self.accepting.insert(id, answer)),
            Err(refusal) => answer.send(Err(refusal)),
        }
    }

    pub(crate) fn create_group(&mut self, request: &CreateGroup) -> Result<Opened, Refusal> {
        let (place, floor) = match self.near.lan.is_some() {
            true => self.place_to_meet(),
            false => (self.network(None)?, self.core.floor()),
        };
        let id = self.core.step(|m, s| m.create_group(s, &place, floor, &request.title))?;
        Ok(self.core.opened(id))
    }

    pub(crate) fn why(&self, request: &GetWhy) -> Result<WhyView, Refusal> {
        let (c, id) = (request.conversation.other(), request.message.other());
        let why = self.core.read(|m, store| {
            store.message(&c, &id)?.ok_or(messenger::Error::NoSuch("message"))?;
            m.why(c, id)
        })?;
        let (online, words) = self.online();
        let text = why.as_ref().map(|w| match online {
            true => w.text.clone(),
            false => format!("{} ({})", w.text, words.join("; ")),
        });
        Ok(WhyView { text, since_ms: why.map(|w| w.since.as_millis()) })
    }

    pub(crate) fn conversations(&self) -> Result<Vec<ConversationView>, Refusal> {
        self.core.conversation_views(|id| self.route_of(id))
    }

    pub(crate) fn known(&self, id: api::ConversationId) -> Result<ConversationId, Refusal> {
        self.core.known(id)
    }

    pub(crate) fn invites(&self) -> Vec<InviteView> {
        self.core.messenger.invites().iter().map(views::invite).collect()
    }
}
