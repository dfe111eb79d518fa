//! `recv`: prints what was not seen yet, each message once.

use std::collections::HashMap;
use std::time::Duration;

use settings::{CreatePolicy, ProfileArgs};
use tokio::time::Instant;

use super::here::{Here, with};
use super::look::PAGE;
use super::show::{json, note, out, said};
use crate::cli::args_profile::RecvArgs;
use crate::engine::profile::{Command, Event, MessageView};
use crate::exit::Failure;

/// How long there must be silence, once connected, before everything is taken to be here.
const SILENCE: Duration = Duration::from_secs(3);
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the confirmations of what was read may take.
const AFTERWARDS: Duration = Duration::from_secs(5);
const FOR_EVER: Duration = Duration::from_secs(86_400 * 365);

/// Follows conversations by the numbers of their messages: nothing is missed, and nothing comes
/// twice.
pub struct Follower {
    from: Option<String>,
    last: i64,
    /// Which conversations are groups.
    groups: HashMap<String, bool>,
}

impl Follower {
    /// Starts after the newest message; returns it with those before that were not seen, oldest
    /// first.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn start(
        here: &mut Here,
        from: Option<&str>,
    ) -> Result<(Self, Vec<MessageView>), Failure> {
        if let Some(name) = from {
            here.conversation(name).await?;
        }
        let all = here.conversations().await?;
        let mut follower =
            Follower { from: from.map(str::to_owned), last: 0, groups: HashMap::new() };
        let mut unseen = Vec::new();
        for one in &all {
            follower.groups.insert(one.name.clone(), one.kind == "group");
            if from.is_some_and(|name| name != one.name) {
                continue;
            }
            let (mut missing, mut before) = (one.unseen, None);
            loop {
                let command =
                    Command::History { conversation: one.name.clone(), before, limit: Some(PAGE) };
                let page = here.ask_messages(command).await?;
                let (Some(first), Some(newest)) = (page.first(), page.last()) else { break };
                follower.last = follower.last.max(newest.number);
                before = Some(first.number);
                for message in page.into_iter().rev().filter(from_others) {
                    if missing > 0 {
                        missing -= 1;
                        unseen.push(message);
                    }
                }
                if missing == 0 {
                    break;
                }
            }
        }
        unseen.sort_by_key(|m| m.number);
        Ok((follower, unseen))
    }

    /// What is new since the last call, ours included.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn more(&mut self, here: &mut Here) -> Result<Vec<MessageView>, Failure> {
        let page = here.page(self.from.as_deref(), self.last).await?;
        if let Some(newest) = page.last() {
            self.last = newest.number;
        }
        Ok(page)
    }

    /// `name: text`, for groups `title/name: text`.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn line(
        &mut self,
        here: &mut Here,
        message: &MessageView,
    ) -> Result<String, Failure> {
        if !self.groups.contains_key(&message.conversation) {
            let all = here.conversations().await?;
            self.groups = all.into_iter().map(|c| (c.name, c.kind == "group")).collect();
        }
        let group = self.groups.get(&message.conversation).copied().unwrap_or(false);
        let who = if group {
            format!("{}/{}", message.conversation, message.from)
        } else {
            message.conversation.clone()
        };
        Ok(format!("{who}: {}", said(message)))
    }
}

fn from_others(message: &MessageView) -> bool {
    !message.you && message.kind != "notice"
}

/// Tells what is no message, on stderr.
pub fn tell(event: &Event) {
    match event {
        Event::Opened { conversation } => note(&format!("{conversation} is there now")),
        Event::Conversation { conversation, text } => note(&format!("{conversation}: {text}")),
        Event::InviteUsed { conversation, .. } => {
            note(&format!(
                "your invite was used by {conversation}; compare the safety words: hushwing verify {conversation}"
            ));
        }
        Event::InviteTriedAgain { .. } => {
            note(
                "somebody else has tried an invite of yours that was used already: compare safety words with whoever was first",
            );
        }
        Event::InviteFailed { text, .. } => note(&format!("an invite came to nothing: {text}")),
        Event::GroupInvite { invite, members } => note(&format!(
            "{} invites you into {} ({members} members): hushwing group join {}",
            invite.from,
            invite.title,
            super::show::short(&invite.token)
        )),
        Event::HeldUp { conversation, by } => {
            note(&format!(
                "{conversation} is held up by {by}; go on without them: hushwing group restart {conversation} {by}"
            ));
        }
        Event::Forked { conversation } => {
            note(&format!("{conversation}: the members see different histories; ask them"));
        }
        Event::Notice { text } => note(text),
        Event::Neighbour { conversation, here: true } => note(&format!("{conversation} is near")),
        Event::Neighbour { conversation, here: false } => {
            note(&format!("{conversation} is near no more"))
        }
        Event::Knock { name, .. } => {
            note(&format!("{name} knocks on the local network: hushwing nearby --show"))
        }
        Event::Knocking { words } => note(&format!("they should see these words too: {words}")),
        Event::PersonNearby {}
        | Event::Room { .. }
        | Event::RoomLine { .. }
        | Event::RoomLeft { .. }
        | Event::Network { .. }
        | Event::Message { .. }
        | Event::State { .. }
        | Event::Changed { .. }
        | Event::Expired { .. }
        | Event::File { .. } => {}
    }
}

struct Receiving<'a> {
    args: &'a RecvArgs,
    follower: Follower,
    printed: u64,
}

impl Receiving<'_> {
    fn enough(&self) -> bool {
        self.args.count.is_some_and(|n| self.printed >= n)
    }

    /// Prints messages of others, up to --count, and marks them as seen.
    async fn print(&mut self, here: &mut Here, messages: Vec<MessageView>) -> Result<(), Failure> {
        let mut seen: HashMap<String, i64> = HashMap::new();
        for message in messages.into_iter().filter(from_others) {
            if self.enough() {
                break;
            }
            if self.args.json {
                json(&message)?;
            } else {
                out(&self.follower.line(here, &message).await?)?;
            }
            self.printed += 1;
            seen.insert(message.conversation, message.number);
        }
        for (conversation, up_to) in seen {
            // A conversation that is gone meanwhile has nothing to be seen.
            let _ = here.ask(Command::Seen { conversation, up_to }).await;
        }
        Ok(())
    }
}

pub async fn run(at: &ProfileArgs, args: RecvArgs) -> Result<(), Failure> {
    with(at, CreatePolicy::Never, async |here| {
        let (follower, unseen) = Follower::start(here, args.from.as_deref()).await?;
        let mut receiving = Receiving { args: &args, follower, printed: 0 };
        receiving.print(here, unseen).await?;
        let done = receive(here, &mut receiving).await;
        // Whoever wrote is told that it has arrived, if there is a way.
        let _ = here.settled(&[], AFTERWARDS).await;
        done
    })
    .await
}

async fn receive(here: &mut Here, receiving: &mut Receiving<'_>) -> Result<(), Failure> {
    let args = receiving.args;
    let patience = if args.follow { FOR_EVER } else { args.wait.unwrap_or(PATIENCE) };
    let end = Instant::now() + patience;
    let mut online = here.status().await?.online;
    let mut quiet = Instant::now() + SILENCE;
    let interrupted = settings::stopped();
    tokio::pin!(interrupted);
    while !receiving.enough() {
        // Whoever asks for a number of messages, or names a time, gets all of that time.
        let waits = args.follow || args.wait.is_some() || args.count.is_some() || !online;
        let until = if waits { end } else { end.min(quiet) };
        let event = tokio::select! {
            event = here.next_until(until) => event,
            () = &mut interrupted => return Ok(()),
        };
        match event {
            None if online && args.count.is_none() => return Ok(()),
            None if args.count.is_some() => {
                let what =
                    format!("{} of {} messages came", receiving.printed, args.count.unwrap_or(0));
                return Err(here
                    .late(&what, "give it more time with --wait, or look with `hushwing contacts` who is there")
                    .await);
            }
            None => {
                return Err(here
                    .late("no connection", "is the network up? what is here was printed")
                    .await);
            }
            Some(Event::Network { online: up, .. }) => {
                if up && !online {
                    quiet = Instant::now() + SILENCE;
                }
                online = here.status().await?.online || up;
            }
            // A notice may say that events were lost.
            Some(event @ (Event::Message { .. } | Event::Notice { .. })) => {
                tell(&event);
                let more = receiving.follower.more(here).await?;
                receiving.print(here, more).await?;
                quiet = Instant::now() + SILENCE;
            }
            Some(other) => tell(&other),
        }
    }
    Ok(())
}
