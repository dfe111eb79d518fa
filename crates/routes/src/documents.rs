//! The network document as a client keeps it: fetched, checked, cached.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mix::directory::{Accepted, DocumentKeeper, EnrolmentKey, VerifiedDocument};
use net::{Clock, Dialer, DownReason, LinkLimits, Outbound, OutboundConfig};
use tokio::time::Instant;
use wire::frame::{Credential, RefusedReason};
use wire::id::DocumentHash;
use wire::{DirectoryPointer, Frame, NetworkId, NetworkPointer, Timestamp};

use crate::error::Error;

/// File of the cached document inside a `--dir`.
const CACHE: &str = "document";

/// While something is wrong with the document, the directory is asked again after this long: a
/// clock that was set meanwhile changes the answer.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What a look at the directory link brought.
pub(crate) enum Update {
    /// A newer document.
    Newer(Arc<VerifiedDocument>),
    /// What [`Documents::trouble`] says may have changed.
    Changed,
}

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
    Bad,
}

/// Follows a directory: one link, over which each newer document is pushed.
pub(crate) struct Documents {
    pointer: NetworkPointer,
    dialer: Dialer,
    link: Outbound,
    /// Which of the pointer's directories the link is to.
    at: usize,
    keeper: DocumentKeeper,
    clock: Clock,
    cache: Option<PathBuf>,
    told_down: bool,
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
        let link = dial(&pointer, 0, &dialer, key.as_deref());
        let dir = dir.filter(|_| key.is_none());
        let mut documents = Documents {
            pointer,
            dialer,
            link,
            at: 0,
            keeper: DocumentKeeper::new(),
            clock,
            cache: dir.map(|d| d.join(CACHE)),
            told_down: false,
            said: None,
            equivocation: false,
            ask_at: None,
            key,
        };
        if let Some(bytes) = documents.cache.as_ref().and_then(|p| std::fs::read(p).ok()) {
            // An outdated or foreign cache is no document: the directory has a better one.
            let _ = documents.offer(&bytes);
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
        loop {
            let mut status = self.link.status();
            // Looked at before waiting: the link may have changed while nobody waited.
            let state = *status.borrow_and_update();
            self.told_down &= !state.is_up();
            if let net::Status::Down(reason) = state
                && !self.told_down
            {
                self.told_down = true;
                if self.pointer.directories.len() > 1 {
                    self.at = self.at.wrapping_add(1);
                    self.link = dial(&self.pointer, self.at, &self.dialer, self.key.as_deref());
                }
                self.said = Some(Said::Unreachable(reason));
                return Update::Changed;
            }
            let ask_at = self.ask_at;
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
            }
        }
    }

    fn heard(&mut self, frame: Frame) -> Option<Update> {
        let offered = match frame {
            Frame::Document(bytes) => self.offer(&bytes),
            Frame::SealedDocument(sealed) => self.unseal(&sealed),
            Frame::Refused(RefusedReason::NotEnrolled) => Err(Said::NotEnrolled),
            Frame::Refused(RefusedReason::NotReady) => Err(Said::NotReady),
            _ => return None,
        };
        match offered {
            Ok(newer) => {
                let changed = self.said.take().is_some();
                newer.map(Update::Newer).or(changed.then_some(Update::Changed))
            }
            Err(said) => {
                self.equivocation |= said == Said::Refused(Why::Equivocation);
                self.ask_at.get_or_insert(Instant::now() + ASK_AGAIN);
                (self.said.replace(said) != Some(said)).then_some(Update::Changed)
            }
        }
    }

    fn unseal(&mut self, sealed: &[u8]) -> Result<Option<Arc<VerifiedDocument>>, Said> {
        let key = self.key.clone().ok_or(Said::NotOurs)?;
        let bytes = key.open(sealed).map_err(|_| Said::NotOurs)?;
        self.offer(&bytes)
    }

    fn offer(&mut self, bytes: &[u8]) -> Result<Option<Arc<VerifiedDocument>>, Said> {
        let verified = mix::directory::verify(bytes, &self.pointer.network)
            .map_err(|_| Said::Refused(Why::Bad))?;
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

/// A link to the `at`-th of the directories that the dialer reaches; to one that refuses when it
/// reaches none.
fn dial(
    pointer: &NetworkPointer,
    at: usize,
    dialer: &Dialer,
    key: Option<&EnrolmentKey>,
) -> Outbound {
    let reachable: Vec<_> =
        pointer.directories.iter().filter(|d| dialer.reaches(&d.address)).collect();
    let all = if reachable.is_empty() { pointer.directories.iter().collect() } else { reachable };
    let directory = all[at % all.len()];
    Outbound::spawn(OutboundConfig {
        hello: vec![request(None, key)],
        backoff_max: Duration::from_secs(5),
        dialer: dialer.clone(),
        ..OutboundConfig::new([directory.address], directory.id, None)
    })
}
