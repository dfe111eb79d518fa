//! The network document as a client keeps it: fetched, checked, cached.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mix::directory::{Accepted, DocumentKeeper, EnrolmentKey, VerifiedDocument};
use net::{Clock, Dialer, LinkLimits, Outbound, OutboundConfig};
use wire::frame::{Credential, RefusedReason};
use wire::id::DocumentHash;
use wire::{DirectoryPointer, Frame, NetworkId, NetworkPointer, Timestamp};

use crate::error::Error;

/// File of the cached document inside a `--dir`.
const CACHE: &str = "document";

/// What a look at the directory link brought.
pub(crate) enum Update {
    /// A newer document.
    Newer(Arc<VerifiedDocument>),
    /// Something to tell the person.
    Notice(String),
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

    /// Document time: the local clock, held within the last document's validity.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.keeper.document_time(self.clock.now())
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
            if matches!(state, net::Status::Down(_)) && !self.told_down {
                self.told_down = true;
                if self.pointer.directories.len() > 1 {
                    self.at = self.at.wrapping_add(1);
                    self.link = dial(&self.pointer, self.at, &self.dialer, self.key.as_deref());
                }
                return Update::Notice("the directory cannot be reached; trying again".to_owned());
            }
            tokio::select! {
                frame = self.link.recv() => match frame {
                    Some(Frame::Document(bytes)) => match self.offer(&bytes) {
                        Ok(Some(newer)) => return Update::Newer(newer),
                        Ok(None) => {}
                        Err(text) => return Update::Notice(text),
                    },
                    Some(Frame::SealedDocument(sealed)) => match self.unseal(&sealed) {
                        Ok(Some(newer)) => return Update::Newer(newer),
                        Ok(None) => {}
                        Err(text) => return Update::Notice(text),
                    },
                    Some(Frame::Refused(RefusedReason::NotEnrolled)) => {
                        return Update::Notice(Error::NotEnrolled.to_string());
                    }
                    Some(Frame::Refused(RefusedReason::NotReady)) => {
                        return Update::Notice("the directory has no document yet; waiting".to_owned());
                    }
                    Some(_) => {}
                    None => std::future::pending().await,
                },
                changed = status.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }

    fn unseal(&mut self, sealed: &[u8]) -> Result<Option<Arc<VerifiedDocument>>, String> {
        let key =
            self.key.clone().ok_or("the directory sent a document sealed to somebody else")?;
        let bytes = key.open(sealed).map_err(|e| e.to_string())?;
        self.offer(&bytes)
    }

    fn offer(&mut self, bytes: &[u8]) -> Result<Option<Arc<VerifiedDocument>>, String> {
        let refuse = |e: mix::Error| format!("the directory's document is refused: {e}");
        let verified = mix::directory::verify(bytes, &self.pointer.network).map_err(refuse)?;
        match self.keeper.offer(self.clock.now(), verified).map_err(refuse)? {
            Accepted::Newer => {
                if let Some(path) = &self.cache {
                    // Only a cache: without it the next start asks the directory.
                    let _ = std::fs::write(path, bytes);
                }
                Ok(self.keeper.current())
            }
            Accepted::Same => Ok(None),
        }
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
        pointer.directories.iter().filter(|d| dialer.pick(&[d.address]).is_some()).collect();
    let all = if reachable.is_empty() { pointer.directories.iter().collect() } else { reachable };
    let directory = all[at % all.len()];
    Outbound::spawn(OutboundConfig {
        hello: vec![request(None, key)],
        backoff_max: Duration::from_secs(5),
        dialer: dialer.clone(),
        ..OutboundConfig::new(directory.address, directory.id, None)
    })
}
