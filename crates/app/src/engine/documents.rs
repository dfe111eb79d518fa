//! The network document as a client keeps it: fetched, checked, cached.

use std::path::PathBuf;
use std::sync::Arc;

use mix::directory::{Accepted, DocumentKeeper, VerifiedDocument};
use net::{Outbound, OutboundConfig};
use server::node::Clock;
use wire::frame::RefusedReason;
use wire::{Frame, NetworkPointer, Timestamp};

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
    link: Outbound,
    /// Which of the pointer's directories the link is to.
    at: usize,
    keeper: DocumentKeeper,
    clock: Clock,
    cache: Option<PathBuf>,
    told_down: bool,
}

impl Documents {
    /// Starts following; the last good document of an earlier run is taken from `dir`.
    pub(crate) fn follow(pointer: NetworkPointer, clock: Clock, dir: Option<&std::path::Path>) -> Self {
        let link = dial(&pointer, 0);
        let mut documents = Documents {
            pointer,
            link,
            at: 0,
            keeper: DocumentKeeper::new(),
            clock,
            cache: dir.map(|d| d.join(CACHE)),
            told_down: false,
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
        let _ = self.link.try_send(Frame::GetDocument(known));
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
                    self.link = dial(&self.pointer, self.at);
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

fn dial(pointer: &NetworkPointer, at: usize) -> Outbound {
    let directory = pointer.directories[at % pointer.directories.len()];
    Outbound::spawn(OutboundConfig {
        hello: vec![Frame::GetDocument(None)],
        backoff_max: std::time::Duration::from_secs(5),
        ..OutboundConfig::new(directory.address, directory.id, None)
    })
}
