//! The network document as a client keeps it: fetched, checked, cached.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mix::directory::{Accepted, DocumentKeeper, EnrolmentKey, VerifiedDocument};
use net::{Clock, Dialer, DownReason, LinkLimits, Outbound, OutboundConfig};
use tokio::time::Instant;
use wire::frame::{Credential, RefusedReason};
use wire::id::DocumentHash;
use wire::pointer::{addresses, ids};
use wire::{Address, DirectoryPointer, Frame, NetworkId, NetworkPointer, NodeId, Timestamp};

use crate::error::Error;

/// File of the cached document inside a `--dir`.
const CACHE: &str = "document";

/// While something is wrong with the document, the directory is asked again after this long: a
/// clock that was set meanwhile changes the answer.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// While no directory answers, a node to which there is a link is asked for its document this
/// often.
const ASK_NODE: Duration = Duration::from_secs(15);
/// Of several directories, the next one is asked when this one brings no good document in this
/// time: it may be silent, or serve an old one.
const QUIET: Duration = Duration::from_secs(10);
/// When all of them were tried in vain, the round begins again after this time.
const ROUND: Duration = Duration::from_secs(5);
/// A document of the next epoch is missed when it is late by more than this.
const LATE: Duration = Duration::from_secs(20);

/// What a look at the directory link brought.
pub(crate) enum Update {
    /// A newer document.
    Newer(Arc<VerifiedDocument>),
    /// What [`Documents::trouble`] says may have changed.
    Changed,
    /// No directory answers: this is for a node to which there is a link (`DIR-012`).
    AskNode(Frame),
}

/// A directory, and its addresses that can be reached, in the order in which they are tried.
type Source = (NodeId, Vec<Address>);

/// What the directory's link said last that was no good document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Unreachable(DownReason),
    NotReady,
    NotEnrolled,
    NotOurs,
    Refused(Why),
}

/// Why its document was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Its time does not fit to this machine's.
    Early,
    Late,
    /// Two were signed for one moment.
    Equivocation,
    /// It is older than the one in use.
    RolledBack,
    /// Of a later version.
    Newer,
    /// It has settings that this version does not accept.
    Settings,
    Bad,
}

/// Follows a directory: one link, over which each newer document is pushed. Of several directories
/// it stays with the first one that brings good documents in time.
pub(crate) struct Documents {
    pointer: NetworkPointer,
    dialer: Dialer,
    link: Outbound,
    /// The directory that the link is to.
    linked: NodeId,
    /// Counts the directories that were tried.
    at: usize,
    sources: Vec<Source>,
    ask_node_at: Option<Instant>,
    keeper: DocumentKeeper,
    clock: Clock,
    cache: Option<PathBuf>,
    /// Directories that failed one after the other.
    failed: usize,
    /// When the next directory is asked, unless this one brings something.
    turn_at: Option<Instant>,
    /// The last end of the link that was noticed.
    down: bool,
    said: Option<Said>,
    /// Once seen, it is said for as long as this runs.
    equivocation: bool,
    ask_at: Option<Instant>,
    key: Option<Arc<EnrolmentKey>>,
}

impl Documents {
    /// Starts following; the last good document of an earlier run is taken from `dir`. With a `key`
    /// it is asked for as an enrolled client, and what only that key opens is not kept.
    pub(crate) fn follow(
        pointer: NetworkPointer,
        clock: Clock,
        dir: Option<&Path>,
        dialer: Dialer,
        key: Option<Arc<EnrolmentKey>>,
    ) -> Self {
        let dir = dir.filter(|_| key.is_none());
        let sources = sources(&pointer, None, &dialer);
        let (linked, link) = dial(&sources, 0, &dialer, None, key.as_deref());
        let mut documents = Documents {
            link,
            linked,
            pointer,
            dialer,
            at: 0,
            sources,
            ask_node_at: None,
            keeper: DocumentKeeper::new(),
            clock,
            cache: dir.map(|d| d.join(CACHE)),
            failed: 0,
            turn_at: None,
            down: false,
            said: None,
            equivocation: false,
            ask_at: None,
            key,
        };
        if let Some(bytes) = documents.cache.as_ref().and_then(|p| std::fs::read(p).ok()) {
            // An outdated or foreign cache is no document: the directory has a better one.
            let _ = documents.offer(&bytes);
            documents.look_for_directories();
        }
        documents
    }

    /// The document in use.
    pub(crate) fn current(&self) -> Option<Arc<VerifiedDocument>> {
        self.keeper.current()
    }

    /// Document time: what has passed since the document came, held within its validity.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.keeper.document_time(self.clock.now())
    }

    /// What is wrong with the document in use, or why there is none; `true` beside it if nothing
    /// can travel.
    pub(crate) fn trouble(&self) -> Option<(bool, String)> {
        if self.equivocation {
            let text = "the directory has signed two different documents for one moment: \
                        it is broken or dishonest, do not rely on this network";
            return Some((true, text.to_owned()));
        }
        let Some(document) = self.current() else {
            let why = self.said.map(|said| said.in_words(None, self.clock.real()));
            return Some((true, why.unwrap_or_else(|| "fetching the network document".to_owned())));
        };
        let real = self.clock.real();
        let time = self.keeper.time(self.clock.now()).unwrap_or(real);
        let over = time > document.valid_until;
        match self.said {
            Some(said @ Said::Refused(Why::Early | Why::Late)) => {
                Some((true, said.in_words(Some(&document), real)))
            }
            Some(said) if over => Some((true, said.in_words(Some(&document), real))),
            _ if over => {
                Some((true, Said::Unreachable(DownReason::Closed).in_words(Some(&document), real)))
            }
            Some(Said::Unreachable(_)) => {
                let left = in_words(document.valid_until.millis_since(time));
                let text =
                    format!("the directory cannot be reached; its document holds for {left}");
                Some((false, text))
            }
            Some(said @ Said::Refused(_)) => Some((false, said.in_words(Some(&document), real))),
            _ => None,
        }
    }

    /// Asks again.
    pub(crate) fn ask(&self) {
        let known = self.current().map(|d| d.hash());
        // A link that is down asks by itself when it comes up.
        let _ = self.link.try_send(request(known, self.key.as_deref()));
    }

    /// The next thing from the directory. Safe to drop while it waits.
    pub(crate) async fn next(&mut self) -> Update {
        if self.turn_at.is_none() {
            self.expect_more();
        }
        loop {
            let mut status = self.link.status();
            // Looked at before waiting: the link may have changed while nobody waited.
            let state = *status.borrow_and_update();
            if let net::Status::Down(reason) = state
                && !std::mem::replace(&mut self.down, true)
                && self.fails(Said::Unreachable(reason))
            {
                return Update::Changed;
            }
            self.down &= !state.is_up();
            if state.is_up() {
                self.ask_node_at = None;
            }
            let (ask_at, ask_node_at) = (self.ask_at, self.ask_node_at);
            let turn_at = self.turn_at.filter(|_| self.others() > 0);
            tokio::select! {
                frame = self.link.recv() => match frame {
                    Some(frame) => if let Some(update) = self.heard(frame) { return update },
                    None => std::future::pending().await,
                },
                changed = status.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                () = until(ask_at) => {
                    self.ask_at = None;
                    self.ask();
                }
                () = until(ask_node_at) => {
                    self.ask_node_at = Some(Instant::now() + ASK_NODE);
                    return Update::AskNode(request(self.current().map(|d| d.hash()), None));
                }
                () = until(turn_at) => self.turn(),
            }
        }
    }

    /// Directories beside the one that is asked.
    fn others(&self) -> usize {
        self.sources.len().saturating_sub(1)
    }

    /// Goes on to the next directory.
    fn turn(&mut self) {
        self.at = self.at.wrapping_add(1);
        let known = self.current().map(|d| d.hash());
        let key = self.key.as_deref();
        (self.linked, self.link) = dial(&self.sources, self.at, &self.dialer, known, key);
        self.down = false;
        self.turn_at = Some(Instant::now() + QUIET);
    }

    /// This directory brings nothing good: whether that is to be told, because none does.
    fn fails(&mut self, said: Said) -> bool {
        self.failed = self.failed.saturating_add(1);
        let round = self.failed > self.others();
        let wait = if round { ROUND } else { Duration::ZERO };
        let turn_at = Instant::now() + wait;
        self.turn_at = Some(self.turn_at.map_or(turn_at, |at| at.min(turn_at)));
        if round {
            self.failed = 0;
            self.ask_node_at.get_or_insert_with(Instant::now);
            return self.said.replace(said) != Some(said);
        }
        false
    }

    /// This directory has brought what it should. The next document is due with the next epoch; one
    /// that is missing then may be withheld.
    fn expect_more(&mut self) {
        let now = self.clock.now();
        let left = self.current().zip(self.keeper.time(now)).map(|(document, time)| {
            let end = document.epoch_start().plus_millis(document.epoch_ms);
            Duration::from_millis(end.millis_since(time)) + LATE
        });
        self.turn_at = Some(Instant::now() + left.unwrap_or(QUIET));
    }

    fn heard(&mut self, frame: Frame) -> Option<Update> {
        let offered = match frame {
            Frame::Document(bytes) => self.offer(&bytes),
            Frame::SealedDocument(sealed) => self.unseal(&sealed),
            Frame::NotModified if matches!(self.said, None | Some(Said::Unreachable(_))) => {
                Ok(None)
            }
            Frame::Refused(RefusedReason::NotEnrolled) => Err(Said::NotEnrolled),
            Frame::Refused(RefusedReason::NotReady) => Err(Said::NotReady),
            _ => return None,
        };
        match offered {
            Ok(newer) => {
                self.look_for_directories();
                self.failed = 0;
                self.expect_more();
                let changed = self.said.take().is_some();
                newer.map(Update::Newer).or(changed.then_some(Update::Changed))
            }
            // It may lag behind the others, or withhold what is newer.
            Err(Said::Refused(Why::RolledBack)) if self.others() > 0 => None,
            Err(said) => {
                self.equivocation |= said == Said::Refused(Why::Equivocation);
                self.ask_at.get_or_insert(Instant::now() + ASK_AGAIN);
                let tell = match said {
                    // What is wrong may be this device's clock, and the same everywhere.
                    Said::Refused(Why::Early | Why::Late | Why::Equivocation) => {
                        self.said.replace(said) != Some(said)
                    }
                    _ => self.fails(said),
                };
                tell.then_some(Update::Changed)
            }
        }
    }

    /// A node's answer to [`Update::AskNode`]: the document if it is newer. What does not verify is
    /// as good as no answer.
    pub(crate) fn heard_from_node(&mut self, frame: Frame) -> Option<Arc<VerifiedDocument>> {
        let Frame::Document(bytes) = frame else { return None };
        match self.offer(&bytes) {
            Ok(newer) => {
                self.look_for_directories();
                newer
            }
            Err(said) => {
                self.equivocation |= said == Said::Refused(Why::Equivocation);
                None
            }
        }
    }

    /// The document may say that the directories are somewhere else now. A link that is up stays.
    fn look_for_directories(&mut self) {
        self.sources = sources(&self.pointer, self.current().as_deref(), &self.dialer);
        if let Some((_, addresses)) = self.sources.iter().find(|(id, _)| *id == self.linked) {
            self.link.sender().set_addresses(addresses.clone());
        }
    }

    fn unseal(&mut self, sealed: &[u8]) -> Result<Option<Arc<VerifiedDocument>>, Said> {
        let key = self.key.clone().ok_or(Said::NotOurs)?;
        let bytes = key.open(sealed).map_err(|_| Said::NotOurs)?;
        self.offer(&bytes)
    }

    fn offer(&mut self, bytes: &[u8]) -> Result<Option<Arc<VerifiedDocument>>, Said> {
        let verified =
            mix::directory::verify(bytes, &self.pointer.network).map_err(|error| match error {
                mix::Error::Wire(wire::Error::Version(_)) => Said::Refused(Why::Newer),
                mix::Error::Wire(wire::Error::OutOfRange(_)) => Said::Refused(Why::Settings),
                _ => Said::Refused(Why::Bad),
            })?;
        match self.keeper.offer(self.clock.now(), self.clock.real(), verified) {
            Ok(Accepted::Newer) => {
                if let Some(path) = &self.cache {
                    // Only a cache: without it the next start asks the directory.
                    let _ = std::fs::write(path, bytes);
                }
                Ok(self.keeper.current())
            }
            Ok(Accepted::Same) => Ok(None),
            Err(mix::Error::FromTheFuture) => Err(Said::Refused(Why::Early)),
            Err(mix::Error::Expired) => Err(Said::Refused(Why::Late)),
            Err(mix::Error::Equivocation) => Err(Said::Refused(Why::Equivocation)),
            Err(mix::Error::RolledBack) => Err(Said::Refused(Why::RolledBack)),
            Err(_) => Err(Said::Refused(Why::Bad)),
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

impl Said {
    fn in_words(self, document: Option<&VerifiedDocument>, real: Timestamp) -> String {
        let text = match self {
            Said::Unreachable(DownReason::ProxyGone) => {
                "the proxy does not answer; nothing leaves without it; trying again"
            }
            Said::Unreachable(DownReason::ProxyLogin) => {
                "the proxy refuses the login: correct its user name and password"
            }
            Said::Unreachable(DownReason::Unreachable) => {
                "there is no way to the directory from here: no network, or one with IPv6 alone \
                 while the directory has IPv4 (then use another network, or Tor); trying again"
            }
            Said::Unreachable(DownReason::OtherVersion) => {
                "the directory speaks another version of the protocol: update whichever is older, \
                 Hushwing here or in the network"
            }
            Said::Unreachable(_) => "the directory cannot be reached; trying again",
            Said::NotReady => "the directory has no document yet; waiting",
            Said::NotEnrolled => return Error::NotEnrolled.to_string(),
            Said::NotOurs => "the directory sent a document sealed to somebody else",
            Said::Refused(Why::Early) => {
                let behind = document.map(|d| in_words(d.published.millis_since(real)));
                let by = behind.map_or_else(String::new, |by| format!(" by {by}"));
                return format!("this device's clock is behind the network{by}: set it");
            }
            Said::Refused(Why::Late) => {
                return "the network document has ended: this device's clock is ahead, \
                        or the directory has stopped signing"
                    .to_owned();
            }
            Said::Refused(Why::Equivocation) => "the directory has signed two different documents",
            Said::Refused(Why::RolledBack) => {
                "the directory sends an older document than before: it was set back"
            }
            Said::Refused(Why::Newer) => {
                "the network's document is of a later version: update Hushwing"
            }
            Said::Refused(Why::Settings) => {
                "the network's settings are not safe by this version: \
                 its directory has to be updated"
            }
            Said::Refused(Why::Bad) => "the directory's document does not verify",
        };
        text.to_owned()
    }
}

/// A span of time as people say it.
fn in_words(ms: u64) -> String {
    match ms / 60_000 {
        0 => "less than a minute".to_owned(),
        minutes @ 1..120 => format!("{minutes} min"),
        minutes @ 120..2_880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1_440),
    }
}

/// A client's enrolment key, from its file.
///
/// # Errors
/// A file that cannot be read, or holds no key.
pub fn read_client_key(path: &Path) -> Result<EnrolmentKey, Error> {
    let text =
        std::fs::read_to_string(path).map(zeroize::Zeroizing::new).map_err(Error::KeyFile)?;
    Ok(EnrolmentKey::parse(&text)?)
}

/// Longest wait for a directory that is asked once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks one directory once for its document; with a `key`, as an enrolled client.
///
/// # Errors
/// No link, no answer, a refusal, or a document that is not signed by this network.
pub async fn fetch_document(
    dialer: &Dialer,
    directory: &DirectoryPointer,
    network: &NetworkId,
    key: Option<&EnrolmentKey>,
) -> Result<VerifiedDocument, Error> {
    let limits = LinkLimits {
        connect_timeout: PATIENCE,
        handshake_timeout: PATIENCE,
        ..LinkLimits::default()
    };
    let link = net::connect_with(dialer, directory.address, directory.id, None, &limits).await?;
    let (mut reader, mut writer) = link.split();
    writer.send(&request(None, key)).await?;
    let answer =
        tokio::time::timeout(PATIENCE, reader.read()).await.map_err(|_| Error::NoAnswer)?;
    let bytes = match (answer?, key) {
        (Some(Frame::Document(bytes)), _) => bytes,
        (Some(Frame::SealedDocument(sealed)), Some(key)) => key.open(&sealed)?,
        (Some(Frame::Refused(RefusedReason::NotEnrolled)), None) => {
            return Err(Error::NotEnrolled);
        }
        (Some(Frame::Refused(RefusedReason::NotEnrolled)), Some(_)) => {
            return Err(Error::UnknownKey);
        }
        (Some(Frame::Refused(_)), _) => return Err(Error::NoDocument),
        _ => return Err(Error::Closed),
    };
    Ok(mix::directory::verify(&bytes, network)?)
}

/// What to ask a directory.
fn request(known: Option<DocumentHash>, key: Option<&EnrolmentKey>) -> Frame {
    match key {
        Some(key) => Frame::GetDocumentAs(known, Credential::Client(key.public().id())),
        None => Frame::GetDocument(known),
    }
}

/// The directories, each once: at the addresses that the document says, then at those of the
/// pointer. Those that the dialer does not reach are left out, unless it reaches none.
fn sources(
    pointer: &NetworkPointer,
    document: Option<&VerifiedDocument>,
    dialer: &Dialer,
) -> Vec<Source> {
    let listed = document.map(|d| d.directories.as_slice()).unwrap_or_default();
    let all = || listed.iter().chain(&pointer.directories);
    let sources: Vec<Source> =
        ids(all()).into_iter().map(|id| (id, addresses(id, all()))).collect();
    let reached = sources.iter().map(|(id, addresses)| (*id, dialer.order(addresses)));
    let reached: Vec<_> = reached.filter(|(_, addresses)| !addresses.is_empty()).collect();
    if reached.is_empty() { sources } else { reached }
}

/// A link to the `at`-th of the directories; to nobody if there is none.
fn dial(
    sources: &[Source],
    at: usize,
    dialer: &Dialer,
    known: Option<DocumentHash>,
    key: Option<&EnrolmentKey>,
) -> (NodeId, Outbound) {
    let source = at.checked_rem(sources.len()).and_then(|n| sources.get(n)).cloned();
    let (id, addresses) = source.unwrap_or((NodeId::new([0; 32]), Vec::new()));
    let config = OutboundConfig {
        hello: vec![request(known, key)],
        backoff_max: Duration::from_secs(5),
        dialer: dialer.clone(),
        ..OutboundConfig::new(addresses, id, None)
    };
    (id, Outbound::spawn(config))
}
