//! A profile that is open for one command.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use api::{
    Client, ConversationId, ConversationView, Event, Failure, GetStatus, LanMode,
    ListConversations, ProfileOptions, Profiles, Refusal, Request, Status, Unlock,
};
use settings::passphrase::PROFILE_VAR;
use settings::{CreatePolicy, ProfileArgs};
use text::OrFail;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;
use wire::ErrorKind;

/// The profiles of this machine, as commands hold them.
pub(crate) type SharedProfiles = Arc<dyn Profiles>;

/// Events that are kept while a command waits for an answer. They only wake whatever waits: the
/// newest are enough.
const EARLY: usize = 4_096;
/// How often a state is looked at again when no event says that it has changed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long what a finished command has left behind may take to reach the hub.
pub(crate) const AFTERWARDS: Duration = Duration::from_secs(10);

/// How the command line says that the profile is opened.
#[must_use]
pub fn options(at: &ProfileArgs, policy: CreatePolicy) -> ProfileOptions {
    let can_ask = std::env::var_os(PROFILE_VAR).is_some() || std::io::stdin().is_terminal();
    let (unlock, create) = match policy {
        CreatePolicy::KeyFile => (Unlock::KeyFile, true),
        CreatePolicy::Passphrase => (Unlock::Ask, can_ask),
        CreatePolicy::Never => (Unlock::Ask, false),
    };
    ProfileOptions {
        profile: at.profile.clone(),
        unlock,
        create,
        lan: at.lan_use().and_then(|lan| LanMode::parse(lan.word())),
    }
}

/// A profile that exists.
pub(crate) fn existing(at: &ProfileArgs) -> ProfileOptions {
    options(at, CreatePolicy::Never)
}

/// A profile with its engine running, here or in the daemon.
pub(crate) struct ProfileSession {
    client: Client,
    events: Receiver<Event>,
    early: VecDeque<Event>,
}

/// Opens the profile, works on it, and closes it however that ends.
pub(crate) async fn with<T>(
    profiles: &SharedProfiles,
    options: &ProfileOptions,
    work: impl AsyncFnOnce(&mut ProfileSession) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (client, events) = profiles.open(options).await.or_fail()?;
    let mut session = ProfileSession { client, events, early: VecDeque::new() };
    let done = work(&mut session).await;
    session.client.close().await;
    done
}

impl ProfileSession {
    /// Asks the engine; events that come meanwhile are kept.
    pub(crate) async fn ask<R: Request>(&mut self, request: R) -> Result<R::Reply, Failure> {
        self.try_ask(request).await.or_fail()
    }

    /// As [`ProfileSession::ask`], for what is not the end of the command when it is refused.
    pub(crate) async fn try_ask<R: Request>(&mut self, request: R) -> Result<R::Reply, Refusal> {
        let ProfileSession { client, events, early } = self;
        let mut keep = |event| {
            if early.len() == EARLY {
                early.pop_front();
            }
            early.push_back(event);
        };
        answered(client, events, request, &mut keep).await
    }

    /// As [`ProfileSession::ask`], with a time limit; `Ok(None)` when it is over.
    pub(crate) async fn ask_within<R: Request>(
        &mut self,
        request: R,
        limit: Duration,
    ) -> Result<Option<R::Reply>, Failure> {
        let answer = tokio::time::timeout(limit, self.ask(request)).await;
        answer.map_or(Ok(None), |answer| answer.map(Some))
    }

    /// As [`ProfileSession::ask_within`]; events that come meanwhile are told immediately.
    pub(crate) async fn ask_telling<R: Request>(
        &mut self,
        request: R,
        limit: Duration,
        told: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Option<R::Reply>, Failure> {
        let asked = answered(&self.client, &mut self.events, request, told);
        let answer = tokio::time::timeout(limit, asked).await;
        answer.map_or(Ok(None), |answer| answer.map(Some)).or_fail()
    }

    /// The next event; `None` when the engine has stopped.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        match self.early.pop_front() {
            Some(event) => Some(event),
            None => self.events.recv().await,
        }
    }

    /// The next event; `None` when there is none until `end`, or the engine has stopped.
    pub(crate) async fn next_until(&mut self, end: Instant) -> Option<Event> {
        tokio::time::timeout_at(end, self.next()).await.ok().flatten()
    }

    /// Waits until `look` finds something, looking again at each event; `None` when `limit` is
    /// over.
    pub(crate) async fn until<T>(
        &mut self,
        limit: Duration,
        mut look: impl AsyncFnMut(&mut ProfileSession) -> Result<Option<T>, Failure>,
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

    /// How the profile stands.
    pub(crate) async fn status(&mut self) -> Result<Status, Failure> {
        self.ask(GetStatus {}).await
    }

    /// All contacts and groups.
    pub(crate) async fn conversations(&mut self) -> Result<Vec<ConversationView>, Failure> {
        self.ask(ListConversations {}).await
    }

    /// Waits until everything that this profile sent is at the hub, and no change that it asked for
    /// in one of these groups is in progress.
    pub(crate) async fn settled(
        &mut self,
        groups: &[ConversationId],
        limit: Duration,
    ) -> Result<(), Failure> {
        let done = self
            .until(limit, async |session| {
                if session.status().await?.unstored > 0 {
                    return Ok(None);
                }
                if groups.is_empty() {
                    return Ok(Some(()));
                }
                let all = session.conversations().await?;
                let changing = all.iter().any(|c| c.changing && groups.contains(&c.id));
                Ok((!changing).then_some(()))
            })
            .await?;
        match done {
            Some(()) => Ok(()),
            None => Err(self.late("not stored at the hub yet", SENT_LATER).await),
        }
    }

    /// A failure because of the network, with how the connections stand.
    pub(crate) async fn late(&mut self, what: &str, hint: &str) -> Failure {
        let words = match self.status().await {
            Ok(status) if !status.connections.is_empty() => {
                format!("{what}: {}", status.connections.join("; "))
            }
            _ => what.to_owned(),
        };
        Failure::new(ErrorKind::Network, words, hint)
    }
}

const SENT_LATER: &str = "it stays queued and will be sent the next time the profile runs, for example with `hushwing recv`";

/// The engine's answer; events that come meanwhile go to `told`: the engine waits while nobody
/// takes them.
async fn answered<R: Request>(
    client: &Client,
    events: &mut Receiver<Event>,
    request: R,
    told: &mut (dyn FnMut(Event) + Send),
) -> Result<R::Reply, Refusal> {
    let asked = client.ask(request);
    tokio::pin!(asked);
    loop {
        tokio::select! {
            biased;
            answer = &mut asked => return answer,
            Some(event) = events.recv() => told(event),
        }
    }
}
