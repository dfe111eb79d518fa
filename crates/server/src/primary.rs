//! A pool of ephemeral relays next to a directory. In each cycle new relays start before the old
//! ones stop.
//!
//! The caller makes the relays. The pool knows no addresses, so a relay may listen on a port or be
//! an onion service. Each relay has its own keys in its own directory, which is erased when it
//! stops.

mod scratch;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::IndexedRandom;
use tokio::task::JoinSet;
use wire::document::Processing;
use wire::{Address, NodeId};

pub use self::scratch::Scratch;
use crate::{Directory, Error, Node};

/// Settings of a pool.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Number of relays between cycles.
    pub nodes: usize,
    /// Where the relays' directories are created.
    pub base: PathBuf,
    /// How long to wait for the document to list new relays.
    pub patience: Duration,
    /// How long old relays keep running after no document names them, so that packets under way
    /// still pass.
    pub grace: Duration,
}

/// What to make a new relay with.
#[derive(Debug, Clone)]
pub struct Seedling {
    /// Its own, empty directory.
    pub dir: PathBuf,
    /// Its digest for tallies, drawn at random.
    pub processing: Processing,
}

struct Member {
    node: Arc<Node>,
    /// Erased after the node has stopped.
    scratch: Scratch,
}

/// A running pool.
pub struct Pool<F> {
    directory: Arc<Directory>,
    config: PoolConfig,
    make: F,
    members: Vec<Member>,
    /// Not in use yet: no document lists them, or it still lists the old ones as well.
    coming: Vec<Member>,
    leaving: Vec<Member>,
}

impl<F> std::fmt::Debug for Pool<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({} nodes)", self.members.len())
    }
}

impl<F, Made> Pool<F>
where
    F: Fn(Seedling) -> Made,
    Made: Future<Output = Result<Node, Error>> + Send + 'static,
{
    /// Starts the first relays and waits until the directory lists them.
    ///
    /// # Errors
    /// Those of `make`; [`Error::Pool`] when the relays are not listed in time.
    pub async fn start(
        directory: Arc<Directory>,
        config: PoolConfig,
        make: F,
    ) -> Result<Self, Error> {
        let mut pool = Pool {
            directory,
            config,
            make,
            members: Vec::new(),
            coming: Vec::new(),
            leaving: Vec::new(),
        };
        match pool.bring().await {
            Ok(()) => {
                pool.members = std::mem::take(&mut pool.coming);
                Ok(pool)
            }
            Err(error) => {
                pool.stop().await;
                Err(error)
            }
        }
    }

    /// Runs one cycle: starts new relays, waits for a document that names them and not the old
    /// ones, lets the old ones finish what is under way, then stops and erases them. If the new
    /// ones do not come up in time, the old ones stay. It may be dropped while it waits:
    /// [`Pool::stop`] stops all relays.
    ///
    /// # Errors
    /// Those of `make`; [`Error::Pool`].
    pub async fn cycle(&mut self) -> Result<(), Error> {
        // Finish what an earlier cycle left undone when it was dropped.
        end(&mut self.leaving).await;
        end(&mut self.coming).await;
        if let Err(error) = self.bring().await {
            end(&mut self.coming).await;
            return Err(error);
        }
        self.leaving = std::mem::replace(&mut self.members, std::mem::take(&mut self.coming));
        let old: Vec<NodeId> = self.leaving.iter().map(|m| m.node.id).collect();
        self.directory.retire(&old);
        let gone = self.directory.lists_nodes(|listed| old.iter().all(|n| !listed.contains(n)));
        if tokio::time::timeout(self.config.patience, gone).await.is_err() {
            tracing::warn!(
                "the directory still names the relays of the last cycle; they stop all the same"
            );
        }
        tokio::time::sleep(self.config.grace).await;
        end(&mut self.leaving).await;
        Ok(())
    }

    /// Starts relays and waits until the document lists them.
    async fn bring(&mut self) -> Result<(), Error> {
        // All at once, since an onion service takes a while until it can be found.
        let mut starting = JoinSet::new();
        let mut scratches = HashMap::new();
        for _ in 0..self.config.nodes {
            let scratch = Scratch::make(&self.config.base, "hushwing-node-")?;
            let processing = Processing::ALL.choose(&mut rand::rng()).copied().unwrap_or_default();
            let dir = scratch.path().to_owned();
            scratches.insert(dir.clone(), scratch);
            let making = (self.make)(Seedling { dir: dir.clone(), processing });
            starting.spawn(async move { (dir, making.await) });
        }
        while let Some(started) = starting.join_next().await {
            let (dir, node) = started.map_err(|_| Error::Bug("a relay's start panicked"))?;
            if let Some(scratch) = scratches.remove(&dir) {
                self.coming.push(Member { node: Arc::new(node?), scratch });
            }
        }
        let new: Vec<NodeId> = self.coming.iter().map(|m| m.node.id).collect();
        let listed = self.directory.lists_nodes(|listed| new.iter().all(|n| listed.contains(n)));
        tokio::time::timeout(self.config.patience, listed)
            .await
            .map_err(|_| Error::Pool("the directory does not list the new relays in time"))
    }

    /// The relays in use.
    #[must_use]
    pub fn nodes(&self) -> Vec<(NodeId, Address)> {
        self.members.iter().filter_map(|m| Some((m.node.id, *m.node.addresses.first()?))).collect()
    }

    /// Stops and erases all relays.
    pub async fn stop(mut self) {
        let mut all = std::mem::take(&mut self.members);
        all.append(&mut self.coming);
        all.append(&mut self.leaving);
        end(&mut all).await;
    }
}

/// Stops these relays, all at once, and erases their directories.
async fn end(members: &mut Vec<Member>) {
    let mut stopping = JoinSet::new();
    for member in members.iter() {
        let node = member.node.clone();
        stopping.spawn(async move { node.stop().await });
    }
    stopping.join_all().await;
    for member in members.drain(..) {
        member.scratch.erase();
    }
}
