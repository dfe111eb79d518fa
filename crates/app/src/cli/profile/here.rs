//! A profile that runs in this process, for one command.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::Duration;

use settings::{CreatePolicy, ProfileArgs, passphrase};
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;
use wire::ErrorKind;
use zeroize::Zeroizing;

use crate::engine::profile::{Client, Command, Event, Options, Refusal, Reply, Secret, Unlock};
use crate::exit::Failure;

/// Events that are kept while a command waits for an answer. They only wake whoever waits: the
/// newest are enough.
const EARLY: usize = 4_096;
/// How often a state is looked at again when no event says that it has changed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The engine's options for what the command line says.
pub fn options(at: &ProfileArgs, make: CreatePolicy) -> Options {
    let can_ask =
        std::env::var_os(passphrase::PROFILE_VAR).is_some() || std::io::stdin().is_terminal();
    Options {
        profile: at.profile.clone(),
        base: None,
        unlock: if make == CreatePolicy::KeyFile { Unlock::KeyFile } else { Unlock::Passphrase },
        create: make == CreatePolicy::KeyFile || (make == CreatePolicy::Passphrase && can_ask),
        lan: at.lan_use(),
        passphrase: ask,
        tor: settings::tor::for_profile,
    }
}

/// Passphrases as a command of a person gets them.
fn ask(secret: Secret, new: bool) -> Result<Zeroizing<String>, Failure> {
    match secret {
        Secret::Profile => passphrase::ask(passphrase::PROFILE_VAR, "passphrase", new),
        Secret::Backup => passphrase::ask(passphrase::BACKUP_VAR, "passphrase of the backup", new),
    }
}

/// A profile with its engine running.
pub struct Here {
    client: Client,
    events: Receiver<Event>,
    early: VecDeque<Event>,
}

/// Opens the profile, works on it, and closes it however that ends.
///
/// # Errors
/// Those of opening, and of the work.
pub async fn with<T>(
    at: &ProfileArgs,
    make: CreatePolicy,
    work: impl AsyncFnOnce(&mut Here) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (client, events) = Client::open(options(at, make)).await?;
    let mut here = Here { client, events, early: VecDeque::new() };
    let done = work(&mut here).await;
    here.client.close().await;
    done
}

impl Here {
    /// Asks the engine; events that come meanwhile are kept.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn ask(&mut self, command: Command) -> Result<Reply, Failure> {
        let Here { client, events, early } = self;
        let mut keep = |event| {
            if early.len() == EARLY {
                early.pop_front();
            }
            early.push_back(event);
        };
        Ok(answered(client, events, command, &mut keep).await?)
    }

    /// As [`Here::ask`], with a time limit; `Ok(None)` when it is over.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn ask_within(
        &mut self,
        command: Command,
        limit: Duration,
    ) -> Result<Option<Reply>, Failure> {
        tokio::time::timeout(limit, self.ask(command))
            .await
            .map_or(Ok(None), |answer| answer.map(Some))
    }

    /// As [`Here::ask_within`]; events that come meanwhile are told at once.
    ///
    /// # Errors
    /// Whatever the engine refuses.
    pub async fn ask_telling(
        &mut self,
        command: Command,
        limit: Duration,
        told: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Option<Reply>, Failure> {
        let asked = answered(&self.client, &mut self.events, command, told);
        tokio::time::timeout(limit, asked).await.map_or(Ok(None), |answer| Ok(Some(answer?)))
    }

    /// The next event; `None` when the engine has stopped.
    pub async fn next(&mut self) -> Option<Event> {
        match self.early.pop_front() {
            Some(event) => Some(event),
            None => self.events.recv().await,
        }
    }

    /// The next event; `None` when there is none until `end`, or the engine has stopped.
    pub async fn next_until(&mut self, end: Instant) -> Option<Event> {
        tokio::time::timeout_at(end, self.next()).await.ok().flatten()
    }

    /// Waits until `look` finds something, looking again at each event; `None` when `limit` is
    /// over.
    ///
    /// # Errors
    /// Those of `look`.
    pub async fn until<T>(
        &mut self,
        limit: Duration,
        mut look: impl AsyncFnMut(&mut Here) -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        let end = Instant::now() + limit;
        loop {
            if let Some(found) = look(self).await? {
                return Ok(Some(found));
            }
            if Instant::now() >= end {
                return Ok(None);
            }
            let _ = self.next_until(end.min(Instant::now() + LOOK_AGAIN)).await;
            self.early.clear();
            while self.events.try_recv().is_ok() {}
        }
    }

    /// Waits until all that is ours is at the hub, and no change of ours to one of these groups is
    /// under way.
    ///
    /// # Errors
    /// When the time is over, saying why.
    pub async fn settled(&mut self, groups: &[&str], limit: Duration) -> Result<(), Failure> {
        let done = self
            .until(limit, async |here| {
                if here.status().await?.unstored > 0 {
                    return Ok(None);
                }
                if groups.is_empty() {
                    return Ok(Some(()));
                }
                let all = here.conversations().await?;
                let changing = all.iter().any(|c| c.changing && groups.contains(&c.name.as_str()));
                Ok((!changing).then_some(()))
            })
            .await?;
        match done {
            Some(()) => Ok(()),
            None => Err(self
                .late(
                    "it is not at the hub yet",
                    "it stays queued, and leaves the next time the profile runs, as in `hushwing recv`",
                )
                .await),
        }
    }

    /// A failure because of the network, with how the connections stand.
    pub async fn late(&mut self, what: &str, hint: &str) -> Failure {
        let words = match self.status().await {
            Ok(status) if !status.connections.is_empty() => {
                format!("{what}: {}", status.connections.join("; "))
            }
            _ => what.to_owned(),
        };
        Failure::new(ErrorKind::Network, words, hint)
    }
}

/// The engine's answer; events that come meanwhile go to `told`.
async fn answered(
    client: &Client,
    events: &mut Receiver<Event>,
    command: Command,
    told: &mut (dyn FnMut(Event) + Send),
) -> Result<Reply, Refusal> {
    let asked = client.ask(command);
    tokio::pin!(asked);
    loop {
        tokio::select! {
            biased;
            answer = &mut asked => return answer,
            Some(event) = events.recv() => told(event),
        }
    }
}

/// The one of these whose id begins so.
///
/// # Errors
/// When there is none, or more than one.
pub fn by_prefix<T>(
    all: Vec<T>,
    id: impl Fn(&T) -> &str,
    prefix: &str,
    what: &str,
    hint: &str,
) -> Result<T, Failure> {
    let prefix = prefix.to_ascii_lowercase();
    let mut fits = all.into_iter().filter(|one| prefix.len() >= 4 && id(one).starts_with(&prefix));
    match (fits.next(), fits.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Failure::new(
            ErrorKind::LocalConfig,
            format!("more than one {what} has such an id"),
            hint,
        )),
        (None, _) => {
            Err(Failure::new(ErrorKind::LocalConfig, format!("no {what} has such an id"), hint))
        }
    }
}

/// What a person typed, made fit for a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(64).collect()
}
