//! Commands of front ends.

use std::path::{Path, PathBuf};

use e2ee::id::{ConversationId, MessageId, TransferId};
use e2ee::mls::Floor;
use e2ee::{Invite, NetworkPlace};
use messenger::store::StoredMessage;
use messenger::{Messenger, Step};
use wire::ErrorKind;

use super::client::Refusal;
use super::files;
use super::identity::{self, Signer};
use super::run::{Answer, Disk, Engine, directory_for_files};
use super::types::{Command, ConversationView, Event, GroupInviteView, MemberView, Reply, Status};
use super::views::{self, hex, unhex};
use crate::engine::JoinAs;

/// How long an invite stays open when nobody says otherwise, s.
const INVITE_S: u64 = 7 * 86_400;
/// Messages of a list when nobody says otherwise, and at most.
const LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;

type Answered = Result<Reply, Refusal>;

fn no_such(what: &str, hint: &str) -> Refusal {
    Refusal::new(ErrorKind::LocalConfig, format!("there is no such {what}"), hint)
}

fn message_id(text: &str) -> Result<MessageId, Refusal> {
    unhex(text)
        .map(MessageId::new)
        .ok_or_else(|| no_such("message", "ids are 32 hexadecimal digits, from `history --json`"))
}

fn transfer_id(text: &str) -> Result<TransferId, Refusal> {
    unhex(text).map(TransferId::new).ok_or_else(|| no_such("file", "`hushwing files` lists them"))
}

pub(super) fn limit(limit: Option<usize>) -> usize {
    limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT)
}

/// A network from any link that names one.
fn network_of(link: &str) -> Result<NetworkPlace, Refusal> {
    if let Ok(invite) = Invite::parse(link) {
        return Ok(invite.place().clone());
    }
    JoinAs::parse(link).map(|join| join.place().clone()).map_err(|e| {
        let text = format!("this is no link of a network: {e}");
        Refusal::new(
            ErrorKind::LocalConfig,
            text,
            "a room link or an invite names one; `hushwing up` prints a room link",
        )
    })
}

impl Engine {
    /// Does what a front end asks. What takes longer is answered later.
    pub(super) fn command(&mut self, command: Command, answer: Answer) {
        let done = match command {
            Command::Invite { name, my_name, expires_s, network } => {
                return self.invite(
                    name,
                    my_name.as_deref(),
                    expires_s,
                    network.as_deref(),
                    answer,
                );
            }
            Command::Accept { link, name } => return self.accept(&link, name, answer),
            Command::SendFile { to, path } => return self.send_file(&to, &path, answer),
            reading @ (Command::Status {}
            | Command::Invites {}
            | Command::Conversations {}
            | Command::Members { .. }
            | Command::Files {}
            | Command::Why { .. }
            | Command::SafetyWords { .. }
            | Command::IdentityStatement { .. }
            | Command::GroupInvites {}
            | Command::History { .. }
            | Command::HistoryAfter { .. }
            | Command::Search { .. }) => self.reading(reading),
            group @ (Command::CreateGroup { .. }
            | Command::InviteToGroup { .. }
            | Command::AnswerGroupInvite { .. }
            | Command::RemoveMember { .. }
            | Command::RestartGroup { .. }
            | Command::RenameGroup { .. }) => self.groups(group),
            near @ (Command::Mesh {}
            | Command::Nearby {}
            | Command::Show { .. }
            | Command::Knock { .. }
            | Command::AnswerKnock { .. }
            | Command::BundleOut { .. }
            | Command::BundleIn { .. }) => return self.lan_command(near, answer),
            room @ (Command::JoinRoom { .. }
            | Command::CreateRoom { .. }
            | Command::Rooms {}
            | Command::RoomHistory { .. }
            | Command::Say { .. }
            | Command::RoomSeen { .. }
            | Command::RoomNick { .. }
            | Command::RoomLink { .. }
            | Command::RoomMute { .. }
            | Command::RoomRekey { .. }
            | Command::RoomRoute { .. }
            | Command::RoomCircuits { .. }
            | Command::LeaveRoom { .. }) => return self.rooms(room, answer),
            Command::Networks {} => self.networks(),
            Command::Settings {} => self.settings(),
            Command::Set { key, value } => self.set(&key, &value),
            other => self.writing(other),
        };
        let _ = answer.send(done);
    }

    pub(super) fn find(&self, name: &str) -> Result<ConversationId, Refusal> {
        let hint = "`hushwing contacts` and `hushwing groups` list what there is";
        self.messenger.find(name).ok_or_else(|| {
            Refusal::new(ErrorKind::LocalConfig, format!("nobody here is called {name}"), hint)
        })
    }

    fn done(
        &mut self,
        work: impl FnOnce(&mut Messenger, &mut Step<'_>) -> Result<(), messenger::Error>,
    ) -> Answered {
        self.step(work).map(|()| Reply::Done)
    }

    pub(super) fn floor(&self) -> Floor {
        Floor::parse(self.config.floor.word()).unwrap_or(Floor::Hidden)
    }

    pub(super) fn network(&self, given: Option<&str>) -> Result<NetworkPlace, Refusal> {
        if let Some(link) = given {
            return network_of(link);
        }
        if let Some(link) = &self.config.network {
            return network_of(link);
        }
        // Whoever has conversations has a network, but for those on the local network alone.
        let places = self.messenger.places().into_iter();
        let known = places
            .filter_map(|id| self.messenger.place(id))
            .find(|p| !p.0.is_lan())
            .map(|p| p.0.clone());
        known.or_else(|| self.rooms.place()).ok_or_else(|| {
            Refusal::new(
                ErrorKind::LocalConfig,
                "this profile knows no network yet",
                "give a link with --network, or accept somebody's invite first; `hushwing up` starts a network of your own",
            )
        })
    }

    fn invite(
        &mut self,
        name: Option<String>,
        my_name: Option<&str>,
        expires_s: Option<u64>,
        network: Option<&str>,
        answer: Answer,
    ) {
        let meet = match network {
            None if self.near.lan.is_some() => Ok(self.place_to_meet()),
            given => self.network(given).map(|place| (place, self.floor())),
        };
        let made = meet.and_then(|(place, floor)| {
            let open_ms = expires_s.unwrap_or(INVITE_S).saturating_mul(1_000);
            self.step(|m, s| m.invite(s, &place, floor, my_name, name, open_ms))
        });
        match made {
            Ok(id) => {
                self.waiting.insert(id, answer);
            }
            Err(refusal) => {
                let _ = answer.send(Err(refusal));
            }
        }
    }

    pub(super) fn accept(&mut self, link: &str, name: Option<String>, answer: Answer) {
        let invite = Invite::parse(link).map_err(|e| {
            let hint = "a link begins with hushwing:invite# and must be copied whole; quote it, for the shell takes # for a comment";
            Refusal::new(e.kind(), format!("this is no invite: {e}"), hint)
        });
        let floor = self.floor();
        let accepted =
            invite.and_then(|invite| self.step(|m, s| m.accept(s, &invite, floor, name)));
        match accepted {
            Ok(id) => {
                self.waiting.insert(id, answer);
            }
            Err(refusal) => {
                let _ = answer.send(Err(refusal));
            }
        }
    }

    fn send_file(&mut self, to: &str, path: &str, answer: Answer) {
        let limit = self.config.file_limit;
        let conversation = match self.find(to) {
            Ok(id) => id,
            Err(refusal) => {
                let _ = answer.send(Err(refusal));
                return;
            }
        };
        let too_large = std::fs::metadata(path).is_ok_and(|m| m.len() > limit);
        if too_large {
            let text =
                format!("the file is larger than the limit of {}", vault::units::show_size(limit));
            let _ = answer.send(Err(Refusal::new(
                ErrorKind::LocalConfig,
                text,
                "raise file_limit in config.toml",
            )));
            return;
        }
        let (path, disk) = (PathBuf::from(path), self.disk_tx.clone());
        tokio::task::spawn_blocking(move || {
            let _ = disk.blocking_send(Disk::Looked(files::look(&path), conversation, answer));
        });
    }

    fn writing(&mut self, command: Command) -> Answered {
        match command {
            Command::SetName { name } => self.set_name(&name),
            Command::Revoke { invite } => {
                let id = message_id(&invite)
                    .map_err(|_| no_such("invite", "`hushwing invites` lists them"))?;
                self.done(|m, s| m.revoke(s, id))
            }
            Command::Send { to, text, reply_to } => {
                let (id, reply_to) =
                    (self.find(&to)?, reply_to.as_deref().map(message_id).transpose()?);
                let said = self.step(|m, s| m.say(s, id, &text, reply_to))?;
                Ok(Reply::Id { id: hex(said.as_bytes()) })
            }
            Command::AcceptFile { transfer, directory } => {
                let id = transfer_id(&transfer)?;
                let limit = self.config.file_limit;
                if self.messenger.transfer(id).is_some_and(|t| t.size > limit) {
                    let text = format!(
                        "the file is larger than the limit of {}",
                        vault::units::show_size(limit)
                    );
                    return Err(Refusal::new(
                        ErrorKind::LocalConfig,
                        text,
                        "raise file_limit in config.toml",
                    ));
                }
                let directory = match directory {
                    Some(path) => directory_for_files(Path::new(&path))?,
                    None => self.downloads()?,
                };
                self.done(|m, s| m.accept_file(s, id, directory))
            }
            Command::CancelFile { transfer } => {
                let id = transfer_id(&transfer)?;
                self.done(|m, s| m.cancel_file(s, id))
            }
            Command::Edit { conversation, message, text } => {
                let (c, id) = (self.find(&conversation)?, message_id(&message)?);
                self.done(|m, s| m.edit(s, c, id, &text))
            }
            Command::Delete { conversation, message } => {
                let (c, id) = (self.find(&conversation)?, message_id(&message)?);
                self.done(|m, s| m.delete(s, c, id))
            }
            Command::React { conversation, message, emoji, remove } => {
                let (c, id) = (self.find(&conversation)?, message_id(&message)?);
                self.done(|m, s| m.react(s, c, id, &emoji, !remove))
            }
            Command::Cancel { conversation, message } => {
                let (c, id) = (self.find(&conversation)?, message_id(&message)?);
                self.done(|m, s| m.cancel(s, c, id))
            }
            Command::SetTimer { conversation, seconds } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.set_timer(s, c, seconds))
            }
            Command::Seen { conversation, up_to } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.seen(s, c, up_to))
            }
            Command::Verify { conversation, verified } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.set_verified(s, c, verified))
            }
            Command::IdentityVerify { conversation, signed, certificate } => {
                self.bind_identity(&conversation, &signed, &certificate)
            }
            Command::IdentityForget { conversation } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.bind_identity(s, c, None))
            }
            Command::Name { conversation, name } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.name_conversation(s, c, Some(&name)))
            }
            Command::Floor { conversation, floor } => {
                let hint = "anywhere, hidden, onion, tor or lan";
                let floor = Floor::parse(&floor).ok_or_else(|| no_such("floor", hint))?;
                let c = self.find(&conversation)?;
                self.done(|m, s| m.set_floor(s, c, floor))
            }
            Command::Refresh { conversation } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.refresh(s, c))
            }
            Command::Leave { conversation } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.leave(s, c))
            }
            Command::Forget { conversation } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.forget(s, c))
            }
            Command::CheckOn { conversation } => {
                let c = self.find(&conversation)?;
                self.done(|m, s| m.check_on(s, c))
            }
            _ => Err(Refusal::new(
                ErrorKind::Bug,
                "a command that nobody does",
                "please report this",
            )),
        }
    }

    fn bind_identity(&mut self, conversation: &str, signed: &str, certificate: &str) -> Answered {
        let c = self.find(conversation)?;
        let theirs = self.read(|m, _| m.identity_statement(c, false))?;
        let ours = self.read(|m, _| m.identity_statement(c, true))?;
        let Signer { fingerprint, user_ids } =
            identity::verify(signed, certificate, &theirs, &ours)?;
        self.step(|m, s| m.bind_identity(s, c, Some((&fingerprint, &theirs))))?;
        Ok(Reply::Identity { fingerprint, user_ids })
    }

    fn groups(&mut self, command: Command) -> Answered {
        match command {
            Command::CreateGroup { title } => {
                let (place, floor) = match self.near.lan.is_some() {
                    true => self.place_to_meet(),
                    false => (self.network(None)?, self.floor()),
                };
                let id = self.step(|m, s| m.create_group(s, &place, floor, &title))?;
                Ok(Reply::Contact { name: views::name(&self.messenger, id) })
            }
            Command::InviteToGroup { group, contact } => {
                let (group, contact) = (self.find(&group)?, self.find(&contact)?);
                self.done(|m, s| m.invite_to_group(s, group, contact))
            }
            Command::AnswerGroupInvite { token, accept } => {
                let hint = "`hushwing group invites` lists them";
                let token = message_id(&token).map_err(|_| no_such("invitation", hint))?;
                self.done(|m, s| m.answer_group_invite(s, token, accept))
            }
            Command::RemoveMember { group, member } => {
                let group = self.find(&group)?;
                let id = self.member(group, &member)?;
                self.done(|m, s| m.remove_member(s, group, id))
            }
            Command::RestartGroup { group, without } => {
                let group = self.find(&group)?;
                let id = self.member(group, &without)?;
                let (new, missing) = self.step(|m, s| m.restart_group(s, group, id))?;
                if !missing.is_empty() {
                    let text = format!(
                        "invite them yourself, or let somebody who knows them: {}",
                        missing.join(", ")
                    );
                    self.tell(Event::Notice { text });
                }
                Ok(Reply::Contact { name: views::name(&self.messenger, new) })
            }
            Command::RenameGroup { group, title } => {
                let group = self.find(&group)?;
                self.done(|m, s| m.rename_group(s, group, &title))
            }
            _ => Err(Refusal::new(
                ErrorKind::Bug,
                "a command that nobody does",
                "please report this",
            )),
        }
    }

    fn member(&self, group: ConversationId, name: &str) -> Result<e2ee::id::MemberId, Refusal> {
        let members = self.read(|m, store| m.participants(store, group))?;
        let found = members.into_iter().find(|m| !m.me && m.name == name);
        Ok(found.ok_or_else(|| no_such("member", "`hushwing members GROUP` lists them"))?.id)
    }

    fn messages(&self, all: &[StoredMessage]) -> Reply {
        Reply::Messages {
            messages: all.iter().map(|m| views::message(&self.messenger, m)).collect(),
        }
    }

    fn reading(&self, command: Command) -> Answered {
        Ok(match command {
            Command::Status {} => Reply::Status(self.status()?),
            Command::Invites {} => Reply::Invites {
                invites: self.messenger.invites().iter().map(views::invite).collect(),
            },
            Command::Conversations {} => {
                Reply::Conversations { conversations: self.conversations()? }
            }
            Command::Members { conversation } => {
                Reply::Members { members: self.members(&conversation)? }
            }
            Command::Files {} => Reply::Files {
                files: self
                    .messenger
                    .transfers()
                    .map(|(id, t)| views::file(&self.messenger, id, t))
                    .collect(),
            },
            Command::Why { conversation, message } => {
                let (c, id) = (self.find(&conversation)?, message_id(&message)?);
                let why = self.read(|m, store| {
                    store.message(&c, &id)?.ok_or(messenger::Error::NoSuch("message"))?;
                    m.why(c, id)
                })?;
                let (online, words) = self.online();
                let text = why.as_ref().map(|w| match online {
                    true => w.text.clone(),
                    false => format!("{} ({})", w.text, words.join("; ")),
                });
                Reply::Why { text, since_ms: why.map(|w| w.since.as_millis()) }
            }
            Command::SafetyWords { conversation } => {
                let c = self.find(&conversation)?;
                let words = self.read(|m, _| m.safety_words(c))?;
                let verified =
                    self.conversations()?.iter().any(|v| v.name == conversation && v.verified);
                Reply::Words { words, verified }
            }
            Command::IdentityStatement { conversation } => {
                let c = self.find(&conversation)?;
                Reply::Statement { statement: self.read(|m, _| m.identity_statement(c, true))? }
            }
            Command::GroupInvites {} => {
                let all = self.read(|m, store| m.group_invites(store))?;
                let view =
                    |(token, title, via): (MessageId, String, ConversationId)| GroupInviteView {
                        token: hex(token.as_bytes()),
                        title,
                        from: views::name(&self.messenger, via),
                    };
                Reply::GroupInvites { invites: all.into_iter().map(view).collect() }
            }
            Command::History { conversation, before, limit: n } => {
                let c = self.find(&conversation)?;
                self.messages(&self.read(|_, store| Ok(store.history(&c, before, limit(n))?))?)
            }
            Command::HistoryAfter { conversation, after, limit: n } => {
                let c = conversation.map(|c| self.find(&c)).transpose()?;
                self.messages(
                    &self
                        .read(|_, store| Ok(store.history_after(c.as_ref(), after, limit(n))?))?,
                )
            }
            Command::Search { query, conversation, limit: n } => {
                let c = conversation.map(|c| self.find(&c)).transpose()?;
                self.messages(
                    &self.read(|_, store| Ok(store.search(c.as_ref(), &query, limit(n))?))?,
                )
            }
            _ => {
                return Err(Refusal::new(
                    ErrorKind::Bug,
                    "a command that nobody does",
                    "please report this",
                ));
            }
        })
    }

    fn status(&self) -> Result<Status, Refusal> {
        let all = self.read(|m, store| m.overview(store))?;
        let (online, connections) = self.online();
        Ok(Status {
            profile: self.profile.name().as_str().to_owned(),
            // Empty until a person has said it: then front ends ask.
            name: self.read(
                |m, store| if m.has_name(store)? { m.name(store) } else { Ok(String::new()) },
            )?,
            online,
            connections,
            unstored: all.iter().map(|c| c.unstored).sum::<usize>() + self.near.node.untaken(),
            unacknowledged: all.iter().map(|c| c.unacknowledged).sum(),
            stays: self.rest.borrow().stays,
        })
    }

    fn conversations(&self) -> Result<Vec<ConversationView>, Refusal> {
        let all = self.read(|m, store| m.overview(store))?;
        let newest = |id| {
            self.read(|_, store| Ok(store.history(&id, None, 1)?))
                .ok()
                .and_then(|mut all| all.pop())
        };
        let view = |c: messenger::Overview| ConversationView {
            route: self.route_of(c.id),
            newest: newest(c.id).map(|m| Box::new(views::message(&self.messenger, &m))),
            name: c.name,
            kind: if c.direct { "contact" } else { "group" }.to_owned(),
            verified: c.verified,
            pgp: c.pgp,
            floor: c.floor.name().to_owned(),
            open: c.open,
            timer_s: c.timer,
            members: c.members,
            unseen: c.unseen,
            unacknowledged: c.unacknowledged,
            changing: c.changing,
        };
        let mut views: Vec<_> = all.into_iter().map(view).collect();
        views.sort_by_key(|v| v.name.to_lowercase());
        Ok(views)
    }

    fn members(&self, conversation: &str) -> Result<Vec<MemberView>, Refusal> {
        let id = self.find(conversation)?;
        let all = self.read(|m, store| m.participants(store, id))?;
        let contacts = self.read(|m, store| m.overview(store))?;
        let direct = contacts.iter().any(|c| c.id == id && c.direct);
        let view = |p: messenger::Participant| {
            let contact = if direct && !p.me { Some(id) } else { p.contact };
            let known = contact.and_then(|c| contacts.iter().find(|o| o.id == c));
            MemberView {
                name: p.name,
                you: p.me,
                contact: known.map(|c| c.name.clone()),
                verified: known.is_some_and(|c| c.verified),
            }
        };
        Ok(all.into_iter().map(view).collect())
    }
}
