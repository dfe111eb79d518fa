//! `recv`: prints what was not seen yet, each message once.

use std::collections::HashMap;
use std::time::Duration;

use api::{ConversationId, Event, Failure, MarkSeen, MessageView, Scope};
use clap::Args;
use settings::{ProfileArgs, duration};
use text::{json, out};
use tokio::time::Instant;

use crate::follow::{Follower, from_others, tell};
use crate::session::{ProfileSession, SharedProfiles, existing, with};

/// How long there must be silence, once connected, before everything is taken to be here.
const SILENCE: Duration = Duration::from_secs(3);
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the confirmations of what was read may take.
const AFTERWARDS: Duration = Duration::from_secs(5);
const FOR_EVER: Duration = Duration::from_secs(86_400 * 365);

/// Arguments of `recv`.
#[derive(Debug, Clone, Args)]
pub struct RecvArgs {
    /// Keep printing until interrupted.
    #[arg(long, short, conflicts_with = "wait")]
    pub follow: bool,
    /// Print JSON, one message per line.
    #[arg(long)]
    pub json: bool,
    /// Only messages of this contact or group.
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// How long to wait for messages, such as 30s [default: until no more arrive].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Stop after this many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
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
    async fn print(
        &mut self,
        session: &mut ProfileSession,
        messages: Vec<MessageView>,
    ) -> Result<(), Failure> {
        let mut seen: HashMap<ConversationId, i64> = HashMap::new();
        for message in messages.into_iter().filter(from_others) {
            if self.enough() {
                break;
            }
            if self.args.json {
                json(&message)?;
            } else {
                out(&self.follower.line(session, &message).await?)?;
            }
            self.printed += 1;
            seen.insert(message.conversation, message.number);
        }
        for (conversation, up_to) in seen {
            // A conversation that is gone meanwhile has nothing to be seen.
            let _ = session.try_ask(MarkSeen { conversation, up_to }).await;
        }
        Ok(())
    }
}

pub(crate) async fn run(
    profiles: &SharedProfiles,
    at: &ProfileArgs,
    args: RecvArgs,
) -> Result<(), Failure> {
    with(profiles, &existing(at), async |session| {
        let from = match &args.from {
            Some(name) => Some(session.conversation(name, Scope::Conversation).await?.id),
            None => None,
        };
        let (follower, unseen) = Follower::start(session, from).await?;
        let mut receiving = Receiving { args: &args, follower, printed: 0 };
        receiving.print(session, unseen).await?;
        let done = receive(session, &mut receiving).await;
        // The authors are told that their messages have arrived, if there is a route.
        let _ = session.settled(&[], AFTERWARDS).await;
        done
    })
    .await
}

async fn receive(
    session: &mut ProfileSession,
    receiving: &mut Receiving<'_>,
) -> Result<(), Failure> {
    let args = receiving.args;
    let patience = if args.follow { FOR_EVER } else { args.wait.unwrap_or(PATIENCE) };
    let end = Instant::now() + patience;
    let mut online = session.status().await?.online;
    let mut quiet = Instant::now() + SILENCE;
    let interrupted = settings::stopped();
    tokio::pin!(interrupted);
    while !receiving.enough() {
        // A number of messages, or a time, gets all of that time.
        let waits = args.follow || args.wait.is_some() || args.count.is_some() || !online;
        let until = if waits { end } else { end.min(quiet) };
        let event = tokio::select! {
            event = session.next_until(until) => event,
            () = &mut interrupted => return Ok(()),
        };
        match event {
            None if online && args.count.is_none() => return Ok(()),
            None => return Err(too_late(session, receiving).await),
            Some(Event::Network { online: up, .. }) => {
                if up && !online {
                    quiet = Instant::now() + SILENCE;
                }
                online = session.status().await?.online || up;
            }
            // A notice may say that events were lost.
            Some(event @ (Event::Message { .. } | Event::Notice { .. })) => {
                tell(&event);
                let more = receiving.follower.more(session).await?;
                receiving.print(session, more).await?;
                quiet = Instant::now() + SILENCE;
            }
            Some(other) => tell(&other),
        }
    }
    Ok(())
}

async fn too_late(session: &mut ProfileSession, receiving: &Receiving<'_>) -> Failure {
    match receiving.args.count {
        Some(count) => {
            let what = format!("received {} of {count} messages", receiving.printed);
            let hint =
                "wait longer with --wait, or check your contacts with `hushwing contact list`";
            session.late(&what, hint).await
        }
        None => {
            let hint = "check that the network is up; messages already here were printed";
            session.late("no connection", hint).await
        }
    }
}
